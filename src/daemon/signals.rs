//! Signals: when to stop, and that the process then ends.

use std::io;
#[cfg(unix)]
use std::sync::mpsc;
#[cfg(unix)]
use std::thread;
#[cfg(unix)]
use std::time::Duration;

#[cfg(unix)]
use crate::logging;

/// How long after the first signal to stop the process ends in any case: somewhat less than 5 s,
/// since the kernel needs time to free what a large server had. Docker kills after 10 s, Kubernetes
/// after 30 s.
#[cfg(unix)]
const LONGEST_END: Duration = Duration::from_millis(4700);
/// How long an orderly exit may take then, or after a second signal.
#[cfg(unix)]
const EXIT: Duration = Duration::from_millis(200);

/// From now on the process ends within 5 s of SIGTERM or SIGINT, whatever it is doing: reading
/// files that do not respond, writing a log that nobody reads. It has a thread and a runtime of its
/// own for that, which wait for nothing else.
#[cfg(unix)]
pub(crate) fn end_on_signals() -> io::Result<()> {
    let (listens, is_listening) = mpsc::channel();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let signals = runtime.and_then(|runtime| Ok((runtime.block_on(async { Signals::listen() })?, runtime)));
        let (mut signals, runtime) = match signals {
            Ok(signals) => signals,
            Err(error) => return drop(listens.send(Err(error))),
        };
        // The one that started this waits for it.
        let _ = listens.send(Ok(()));
        runtime.block_on(async {
            signals.stop().await;
            if tokio::time::timeout(LONGEST_END, signals.stop()).await.is_ok() {
                // A second signal: whoever serves hears it as well, and says so.
                tokio::time::sleep(EXIT).await;
            }
        });
        exit();
    };
    thread::Builder::new().name("signals".to_owned()).spawn(work)?;
    is_listening.recv().map_err(io::Error::other)?
}

/// Ends the process. Leaving may have to wait as well, such as for standard output.
#[cfg(unix)]
fn exit() {
    let leave = || {
        tracing::error!("something does not end after the signal to stop: exiting");
        logging::flush();
        std::process::exit(1);
    };
    // Without a thread there is still what follows.
    let _ = thread::Builder::new().spawn(leave);
    thread::sleep(EXIT);
    #[cfg(target_os = "linux")]
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort();
}

/// Where there are no signals, nothing has to be done.
#[cfg(not(unix))]
pub(crate) fn end_on_signals() -> io::Result<()> {
    Ok(())
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

    /// Waits for the next one and names it.
    pub(crate) async fn stop(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Where there are no signals, Ctrl-C stops the server.
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

/// SIGHUP, the wish for a reload. Once this listens, it ends nothing any more.
#[cfg(unix)]
pub(super) struct Hangups(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Hangups {
    pub(super) fn listen() -> io::Result<Hangups> {
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).map(|signal| Hangups(Some(signal)))
    }

    /// Inside another program the signal is that program's.
    pub(super) fn deaf() -> Hangups {
        Hangups(None)
    }

    /// Waits for the next one; `None` when there will be none.
    pub(super) async fn next(&mut self) -> Option<()> {
        self.0.as_mut()?.recv().await
    }
}

/// Nobody can wish for a reload by a signal here.
#[cfg(not(unix))]
pub(super) struct Hangups;

#[cfg(not(unix))]
impl Hangups {
    pub(super) fn listen() -> io::Result<Hangups> {
        Ok(Hangups)
    }

    pub(super) fn deaf() -> Hangups {
        Hangups
    }

    pub(super) async fn next(&mut self) -> Option<()> {
        None
    }
}
