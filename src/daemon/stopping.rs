//! What can stop a server.

use tokio::sync::oneshot;

use super::Signals;
use super::service::Manager;

/// Signals stop a server that is its own process; a program stops a server inside it.
pub(super) enum Stopping {
    BySignals(Signals),
    ByOwner(oneshot::Receiver<()>),
}

impl Stopping {
    /// The receiver of notifications about the service.
    pub(super) fn manager(&self) -> Manager {
        match self {
            Stopping::BySignals(_) => Manager::Systemd,
            Stopping::ByOwner(_) => Manager::None,
        }
    }

    /// Waits for a request to stop and returns its reason.
    pub(super) async fn wanted(&mut self) -> &'static str {
        match self {
            Stopping::BySignals(signals) => signals.stop().await,
            Stopping::ByOwner(stopped) => {
                // A dropped handle also stops the server.
                let _ = stopped.await;
                "stopped by the program it runs in"
            }
        }
    }

    /// Waits for a second signal, which means to stop at once.
    pub(super) async fn at_once(&mut self) -> &'static str {
        match self {
            Stopping::BySignals(signals) => signals.stop().await,
            Stopping::ByOwner(_) => std::future::pending().await,
        }
    }
}
