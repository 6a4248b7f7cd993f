//! The models of hosted zones that were read or changed last, so that a change of a large zone does
//! not read all of it again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::config::{RecordIndex, Settings, SharedDefinitions};
use crate::model::HostedZone;
use crate::store::SourceHash;

/// The most bytes of the texts whose models are kept. A model takes about three times as much, but
/// two states of a zone share what did not change.
const MOST_BYTES: usize = 32 << 20;
/// How many states of a zone are kept: while a change is written, the state before it is still
/// served and read.
const STATES: usize = 2;

/// A zone as it is read from a text.
#[derive(Clone, Debug)]
pub(super) struct Model {
    /// The zone.
    pub(super) zone: Arc<HostedZone>,
    /// Where its record sets are in the text, if that is known.
    pub(super) index: Option<Arc<RecordIndex>>,
    /// What it was read with.
    pub(super) common: Weak<SharedDefinitions>,
    pub(super) settings: Arc<Settings>,
}

/// Models by the hash of their text, the one used last at the end.
#[derive(Debug, Default)]
pub(super) struct Models(Mutex<VecDeque<(SourceHash, Model)>>);

impl Models {
    /// The model of a text.
    pub(super) fn of(&self, source_hash: SourceHash) -> Option<Model> {
        let mut models = self.locked();
        let at = models.iter().position(|(known, _)| *known == source_hash)?;
        let entry = models.remove(at)?;
        let model = entry.1.clone();
        models.push_back(entry);
        Some(model)
    }

    /// Keeps the model of a text.
    pub(super) fn keep(&self, source_hash: SourceHash, model: Model) {
        let mut models = self.locked();
        models.retain(|(known, _)| *known != source_hash);
        let is_same_zone = |(_, known): &(SourceHash, Model)| known.zone.id == model.zone.id;
        if models.iter().filter(|entry| is_same_zone(entry)).count() >= STATES
            && let Some(oldest) = models.iter().position(is_same_zone)
        {
            models.remove(oldest);
        }
        models.push_back((source_hash, model));
        let mut bytes: usize = models.iter().map(|(hash, _)| hash.bytes()).sum();
        while bytes > MOST_BYTES
            && let Some((least, _)) = models.pop_front()
        {
            bytes -= least.bytes();
        }
    }

    fn locked(&self) -> MutexGuard<'_, VecDeque<(SourceHash, Model)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HostedZoneId;
    use crate::zonetree::fixture::lab;

    fn keep(models: &Models, text: &str, id: &str) {
        let zone = HostedZone { id: HostedZoneId(id.to_owned()), ..lab([]) };
        let settings = Arc::new(crate::store::SettingsSource::default().defaults());
        let model = Model { zone: zone.into(), index: None, common: Weak::new(), settings };
        models.keep(SourceHash::of(text), model);
    }

    #[test]
    fn the_models_used_last_are_kept_within_the_limit() {
        let models = Models::default();
        let text = |letter: &str| letter.repeat(MOST_BYTES / 2);
        keep(&models, &text("a"), "ZA");
        keep(&models, &text("b"), "ZB");
        assert!(models.of(SourceHash::of(&text("a"))).is_some());
        keep(&models, &text("c"), "ZC");
        assert!(models.of(SourceHash::of(&text("a"))).is_some());
        assert!(models.of(SourceHash::of(&text("b"))).is_none());
    }

    #[test]
    fn the_two_latest_states_of_a_zone_are_kept() {
        let models = Models::default();
        keep(&models, "first", "ZA");
        keep(&models, "second", "ZA");
        keep(&models, "second", "ZA");
        assert!(models.of(SourceHash::of("first")).is_some());
        assert!(models.of(SourceHash::of("second")).is_some());
        keep(&models, "third", "ZA");
        assert!(models.of(SourceHash::of("first")).is_none());
        assert!(models.of(SourceHash::of("second")).is_some());
        assert!(models.of(SourceHash::of("third")).is_some());
    }
}
