//! The models of hosted zones that were read or changed last, so that a change of a large zone does
//! not read all of it again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::HostedZone;
use crate::store::SourceHash;

/// The most bytes of the texts whose models are kept. A model takes about three times as much.
const MOST_BYTES: usize = 16 << 20;

/// Models by the hash of their text, the one used last at the end.
#[derive(Debug, Default)]
pub(super) struct Models(Mutex<VecDeque<(SourceHash, usize, Arc<HostedZone>)>>);

impl Models {
    /// The model of a text.
    pub(super) fn of(&self, source_hash: SourceHash) -> Option<Arc<HostedZone>> {
        let mut models = self.locked();
        let at = models.iter().position(|(known, ..)| *known == source_hash)?;
        let entry = models.remove(at)?;
        let zone = Arc::clone(&entry.2);
        models.push_back(entry);
        Some(zone)
    }

    /// Keeps the model of a text.
    pub(super) fn keep(&self, text: &str, zone: &Arc<HostedZone>) {
        let mut models = self.locked();
        // Only the latest state of a zone is used again.
        models.retain(|(_, _, known)| known.id != zone.id);
        models.push_back((SourceHash::of(text), text.len(), Arc::clone(zone)));
        let mut bytes: usize = models.iter().map(|(_, bytes, _)| bytes).sum();
        while bytes > MOST_BYTES
            && let Some((_, least, _)) = models.pop_front()
        {
            bytes -= least;
        }
    }

    fn locked(&self) -> MutexGuard<'_, VecDeque<(SourceHash, usize, Arc<HostedZone>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HostedZoneId;
    use crate::zonetree::fixture::lab;

    fn zone(id: &str) -> Arc<HostedZone> {
        HostedZone { id: HostedZoneId(id.to_owned()), ..lab([]) }.into()
    }

    #[test]
    fn the_models_used_last_are_kept_within_the_limit() {
        let models = Models::default();
        let text = |letter: &str| letter.repeat(MOST_BYTES / 2);
        models.keep(&text("a"), &zone("ZA"));
        models.keep(&text("b"), &zone("ZB"));
        assert!(models.of(SourceHash::of(&text("a"))).is_some());
        models.keep(&text("c"), &zone("ZC"));
        assert!(models.of(SourceHash::of(&text("a"))).is_some());
        assert!(models.of(SourceHash::of(&text("b"))).is_none());
    }

    #[test]
    fn only_the_latest_state_of_a_zone_is_kept() {
        let models = Models::default();
        models.keep("old", &zone("ZA"));
        models.keep("new", &zone("ZA"));
        assert!(models.of(SourceHash::of("old")).is_none());
        assert!(models.of(SourceHash::of("new")).is_some());
    }
}
