//! Signals: when to stop.

use std::io;

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
