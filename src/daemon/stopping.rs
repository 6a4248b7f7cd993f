//! Who may stop a server.

use tokio::sync::oneshot;

use super::Signals;
use super::service::Manager;

/// A process of its own is stopped by signals; a server inside another program by that program.
pub(super) enum Stopping {
    BySignals(Signals),
    ByOwner(oneshot::Receiver<()>),
}

impl Stopping {
    /// Who wants to know how the server is: whoever started the process, if anybody.
    pub(super) fn manager(&self) -> Manager {
        match self {
            Stopping::BySignals(_) => Manager::Systemd,
            Stopping::ByOwner(_) => Manager::Nobody,
        }
    }

    /// Waits until it is to stop, and says why.
    pub(super) async fn wanted(&mut self) -> &'static str {
        match self {
            Stopping::BySignals(signals) => signals.stop().await,
            Stopping::ByOwner(wish) => {
                // An owner that is gone wants nothing any more.
                let _ = wish.await;
                "stopped by its owner"
            }
        }
    }

    /// Waits until it is to stop at once, which only people want who send another signal.
    pub(super) async fn at_once(&mut self) -> &'static str {
        match self {
            Stopping::BySignals(signals) => signals.stop().await,
            Stopping::ByOwner(_) => std::future::pending().await,
        }
    }
}
