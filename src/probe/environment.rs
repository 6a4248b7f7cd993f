//! What all probes and evaluations have in common: how names are looked up, how many run at once, and whether the process ran
//! all the time.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::places::Places;
use super::presence::Presence;
use super::resolve::Resolver;

/// The machine, as probes see it.
#[derive(Debug)]
pub struct Environment {
    pub(super) resolver: Arc<Resolver>,
    pub(super) places: Places,
    pub(super) presence: Arc<Presence>,
    watching: AbortHandle,
}

/// How long looking up a name may take (docs/health.md).
pub(super) const LOOK_UP_WITHIN: Duration = Duration::from_secs(5);

impl Environment {
    /// Begins to watch the clocks. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(probes_at_once: usize) -> Arc<Environment> {
        let presence = Arc::new(Presence::default());
        let watched = Arc::clone(&presence);
        let watching = tokio::spawn(async move { watched.watch().await }).abort_handle();
        Arc::new(Environment { resolver: Arc::default(), places: Places::new(probes_at_once), presence, watching })
    }

    /// Whether the process did not run at some time since then.
    pub(super) fn was_absent_since(&self, began: Instant) -> bool {
        self.presence.was_absent_since(began)
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.watching.abort();
    }
}
