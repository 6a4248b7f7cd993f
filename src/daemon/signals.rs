//! Signals that stop the process, and a limit on how long it then takes to end.

use std::io;
#[cfg(unix)]
use std::sync::mpsc;
#[cfg(unix)]
use std::thread;
#[cfg(unix)]
use std::time::Duration;

#[cfg(unix)]
use tokio::sync::oneshot;

#[cfg(unix)]
use crate::logging;

/// How long after the first signal to stop the process ends in any case: slightly less than 5 s,
/// because the kernel needs time to free the memory of a large server. Docker sends SIGKILL after
/// 10 s, Kubernetes after 30 s.
#[cfg(unix)]
const LONGEST_END: Duration = Duration::from_millis(4700);
/// How long an orderly exit may take after that, or after a second signal.
#[cfg(unix)]
const EXIT: Duration = Duration::from_millis(200);

/// The thread that ends the process after a signal. It also waits when this is dropped.
#[must_use]
pub(crate) struct EndOnSignals {
    #[cfg(unix)]
    replaced: oneshot::Sender<()>,
}

/// Ensures that the process ends within 5 s of SIGTERM or SIGINT, even while it reads files that do
/// not respond or writes to a blocked log. The handler has its own thread and runtime, which wait
/// for nothing else.
#[cfg(unix)]
pub(crate) fn end_on_signals() -> io::Result<EndOnSignals> {
    let (listens, is_listening) = mpsc::channel();
    let (replaced, is_replaced) = oneshot::channel();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let signals = runtime.and_then(|runtime| Ok((runtime.block_on(async { Signals::listen() })?, runtime)));
        let (mut signals, runtime) = match signals {
            Ok(signals) => signals,
            Err(error) => return drop(listens.send(Err(error))),
        };
        // The caller waits for this.
        let _ = listens.send(Ok(()));
        if runtime.block_on(wait_for_the_end(&mut signals, is_replaced)) {
            exit();
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(work)?;
    is_listening.recv().map_err(io::Error::other)??;
    Ok(EndOnSignals { replaced })
}

/// Returns true when the process has to end, and false if another thread sees to that.
#[cfg(unix)]
async fn wait_for_the_end(signals: &mut Signals, is_replaced: oneshot::Receiver<()>) -> bool {
    tokio::select! {
        // The other thread may not have seen a signal that has come already.
        biased;
        _ = signals.stop() => {}
        Ok(()) = is_replaced => return false,
    }
    if tokio::time::timeout(LONGEST_END, signals.stop()).await.is_ok() {
        // A second signal. The server also receives it and logs it.
        tokio::time::sleep(EXIT).await;
    }
    true
}

#[cfg(unix)]
impl EndOnSignals {
    /// Replaces the thread by one that has the restrictions of the calling thread.
    pub(crate) fn renew(self) -> io::Result<EndOnSignals> {
        let renewed = end_on_signals()?;
        // It may be ending the process already.
        let _ = self.replaced.send(());
        Ok(renewed)
    }
}

/// Ends the process. An orderly exit may block, for example on standard output.
#[cfg(unix)]
fn exit() {
    let leave = || {
        tracing::error!("the server did not stop in time after the signal: exiting");
        logging::flush();
        std::process::exit(1);
    };
    // If no thread can be started, the code below still exits.
    let _ = thread::Builder::new().spawn(leave);
    thread::sleep(EXIT);
    #[cfg(target_os = "linux")]
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort();
}

/// Systems without signals need no handler.
#[cfg(not(unix))]
pub(crate) fn end_on_signals() -> io::Result<EndOnSignals> {
    Ok(EndOnSignals {})
}

#[cfg(not(unix))]
impl EndOnSignals {
    pub(crate) fn renew(self) -> io::Result<EndOnSignals> {
        Ok(self)
    }
}

/// The signals that stop the server.
#[cfg(unix)]
pub(crate) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn listen() -> io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next signal and returns its name.
    pub(crate) async fn stop(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// On systems without signals, Ctrl-C stops the server.
#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn listen() -> io::Result<Signals> {
        Ok(Signals)
    }

    pub(crate) async fn stop(&mut self) -> &'static str {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "Ctrl-C",
            Err(_) => std::future::pending().await,
        }
    }
}

/// SIGHUP, which requests a reload. Once this listens, SIGHUP no longer ends the process.
#[cfg(unix)]
pub(super) struct Hangups(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Hangups {
    pub(super) fn listen() -> io::Result<Hangups> {
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).map(|signal| Hangups(Some(signal)))
    }

    /// Ignores SIGHUP: inside another program the signal belongs to that program.
    pub(super) fn ignored() -> Hangups {
        Hangups(None)
    }

    /// Waits for the next signal; `None` if none can arrive.
    pub(super) async fn next(&mut self) -> Option<()> {
        self.0.as_mut()?.recv().await
    }
}

/// Systems without signals have no SIGHUP.
#[cfg(not(unix))]
pub(super) struct Hangups;

#[cfg(not(unix))]
impl Hangups {
    pub(super) fn listen() -> io::Result<Hangups> {
        Ok(Hangups)
    }

    pub(super) fn ignored() -> Hangups {
        Hangups
    }

    pub(super) async fn next(&mut self) -> Option<()> {
        None
    }
}
