//! What probes and evaluations share: the resolver, the permits and the detection of pauses.

use std::sync::Arc;

use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::concurrency::ProbePermits;
use super::pause::PauseDetector;
use super::resolve::Resolver;

/// The shared environment of all probes.
#[derive(Debug)]
pub struct Environment {
    pub(super) resolver: Arc<Resolver>,
    pub(super) permits: ProbePermits,
    pub(super) pauses: Arc<PauseDetector>,
    watching: AbortHandle,
}

impl Environment {
    /// Starts to watch the clocks. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(probes_at_once: usize) -> Arc<Environment> {
        let pauses = Arc::new(PauseDetector::default());
        let watched = Arc::clone(&pauses);
        let watching = tokio::spawn(async move { watched.watch().await }).abort_handle();
        Arc::new(Environment { resolver: Arc::default(), permits: ProbePermits::new(probes_at_once), pauses, watching })
    }

    /// Whether the process was paused since then.
    pub(super) fn was_paused_since(&self, began: Instant) -> bool {
        self.pauses.was_paused_since(began)
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.watching.abort();
    }
}
