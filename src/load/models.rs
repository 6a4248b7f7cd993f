//! The models of hosted zones that were read or changed last, so that a change of a large zone does
//! not read all of it again. They are kept within `[api] cache`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::config::{CacheSize, RecordIndex, Settings, SharedDefinitions};
use crate::model::{HostedZone, HostedZoneId, ResourceRecordSet};
use crate::store::SourceHash;

/// The memory of a zone without record sets, in bytes: the model, its id and its places in the
/// lists.
const MEMORY_OF_A_ZONE: usize = size_of::<HostedZone>() + size_of::<KeptZone>() + 256;
/// The memory of a record set that is not in proportion to its text: the set with the counts of its
/// `Arc`, and allocations for its name and its values.
const MEMORY_OF_A_SET: usize = size_of::<ResourceRecordSet>() + 128;
/// What each state of a zone has for a record set: a pointer and a position in the text.
const MEMORY_OF_A_REFERENCE: usize = 16;

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

/// The models of the zones that were used last.
#[derive(Debug)]
pub(super) struct Models {
    size: CacheSize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    zones: HashMap<HostedZoneId, KeptZone>,
    /// The zones by the number of their last use.
    by_use: BTreeMap<u64, HostedZoneId>,
    last_use: u64,
    /// About how much memory all of it takes, in bytes.
    memory: usize,
}

/// The two latest states of a zone. While a change is written, the state before it is still served
/// and read.
#[derive(Debug)]
struct KeptZone {
    latest: State,
    before: Option<State>,
    used: u64,
}

/// A state of a zone: the hash of the text, and its model.
type State = (SourceHash, Model);

impl Models {
    /// A cache of this size.
    pub(super) fn of(size: CacheSize) -> Models {
        Models { size, kept: Mutex::default() }
    }

    /// The size of the cache.
    pub(super) fn size(&self) -> CacheSize {
        self.size
    }

    /// The model of a zone in the state of a text.
    pub(super) fn get(&self, id: &HostedZoneId, source_hash: SourceHash) -> Option<Model> {
        let mut kept = self.locked();
        let zone = kept.zones.get(id)?;
        let has_text = |state: &&State| state.0 == source_hash;
        let state = Some(&zone.latest).filter(has_text).or(zone.before.as_ref().filter(has_text))?;
        let model = state.1.clone();
        kept.use_now(id);
        Some(model)
    }

    /// Keeps the model of a text. It takes the place of zones that were not used for longest; one
    /// that is larger than the cache is not kept.
    pub(super) fn keep(&self, source_hash: SourceHash, model: Model) {
        let id = model.zone.id.clone();
        let mut kept = self.locked();
        let states = kept.remove(&id).map(|zone| [Some(zone.latest), zone.before]);
        let before = states.into_iter().flatten().flatten().find(|(known, _)| *known != source_hash);
        let mut zone = KeptZone { latest: (source_hash, model), before, used: 0 };
        if !self.has_room(zone.memory()) {
            zone.before = None;
        }
        if self.has_room(zone.memory()) {
            kept.add(&id, zone);
        }
        while !self.has_room(kept.memory)
            && let Some((_, least_used)) = kept.by_use.pop_first()
        {
            kept.remove(&least_used);
        }
    }

    fn has_room(&self, bytes: usize) -> bool {
        u64::try_from(bytes).is_ok_and(|bytes| bytes <= self.size.0)
    }

    fn locked(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn add(&mut self, id: &HostedZoneId, zone: KeptZone) {
        self.memory += zone.memory();
        self.zones.insert(id.clone(), zone);
        self.use_now(id);
    }

    fn remove(&mut self, id: &HostedZoneId) -> Option<KeptZone> {
        let zone = self.zones.remove(id)?;
        self.memory -= zone.memory();
        self.by_use.remove(&zone.used);
        Some(zone)
    }

    fn use_now(&mut self, id: &HostedZoneId) {
        self.last_use += 1;
        if let Some(zone) = self.zones.get_mut(id) {
            let id = self.by_use.remove(&zone.used).unwrap_or_else(|| id.clone());
            zone.used = self.last_use;
            self.by_use.insert(zone.used, id);
        }
    }
}

impl KeptZone {
    /// About how much memory it takes, in bytes. The states share the record sets that do not
    /// differ.
    fn memory(&self) -> usize {
        let references = |(_, model): &State| model.zone.record_sets.len() * MEMORY_OF_A_REFERENCE;
        let (source_hash, model) = &self.latest;
        let sets = model.zone.record_sets.len() * MEMORY_OF_A_SET + source_hash.bytes();
        MEMORY_OF_A_ZONE + sets + references(&self.latest) + self.before.as_ref().map_or(0, references)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SourceFile;
    use crate::zonetree::fixture::lab;

    /// A model of this many record sets.
    fn keep(models: &Models, text: &str, id: &str, sets: usize) {
        let mut zone = HostedZone { id: HostedZoneId(id.to_owned()), ..lab([]) };
        zone.record_sets = vec![Arc::clone(&zone.record_sets[0]); sets];
        let settings = Arc::new(crate::store::SettingsSource::default().defaults());
        let model = Model { zone: zone.into(), index: None, common: Weak::new(), settings };
        models.keep(SourceHash::of(text), model);
    }

    fn has(models: &Models, text: &str, id: &str) -> bool {
        models.get(&HostedZoneId(id.to_owned()), SourceHash::of(text)).is_some()
    }

    #[test]
    fn the_zones_used_last_are_kept_within_the_limit() {
        let sets = 100;
        let two = 2 * (MEMORY_OF_A_ZONE + sets * (MEMORY_OF_A_SET + 2 * MEMORY_OF_A_REFERENCE) + 10);
        let models = Models::of(CacheSize(two as u64));
        keep(&models, "a", "ZA", sets);
        keep(&models, "b", "ZB", sets);
        assert!(has(&models, "a", "ZA"));
        keep(&models, "c", "ZC", sets);
        assert!(has(&models, "a", "ZA") && !has(&models, "b", "ZB") && has(&models, "c", "ZC"));
        // A zone that is larger than the cache takes no other's place.
        keep(&models, "d", "ZD", 10 * sets);
        assert!(has(&models, "a", "ZA") && !has(&models, "d", "ZD") && has(&models, "c", "ZC"));
        let kept = models.locked();
        assert_eq!((kept.by_use.len(), kept.memory), (2, kept.zones.values().map(KeptZone::memory).sum()));
    }

    #[test]
    fn a_cache_without_room_keeps_nothing() {
        let models = Models::of(CacheSize(0));
        keep(&models, "a", "ZA", 1);
        assert!(!has(&models, "a", "ZA"));
        let kept = models.locked();
        assert_eq!((kept.by_use.len(), kept.memory), (0, 0));
    }

    #[test]
    fn the_two_latest_states_of_a_zone_are_kept() {
        let models = Models::of(CacheSize::default());
        keep(&models, "first", "ZA", 1);
        keep(&models, "second", "ZA", 1);
        keep(&models, "second", "ZA", 1);
        assert!(has(&models, "first", "ZA") && has(&models, "second", "ZA"));
        keep(&models, "third", "ZA", 1);
        assert!(!has(&models, "first", "ZA") && has(&models, "second", "ZA") && has(&models, "third", "ZA"));
        assert_eq!(models.locked().by_use.len(), 1);
    }

    /// A text with 1000 times this block, `{}` in which is a number.
    fn text(block: &str) -> String {
        let blocks = (0..1000).map(|number| format!("[[record]]\n{}\n", block.replace("{}", &number.to_string())));
        format!("name = \"lab.test\"\nid = \"ZA\"\n{}", blocks.collect::<String>())
    }

    #[test]
    fn the_memory_that_is_counted_is_about_what_models_take() {
        let long = "x".repeat(250);
        let blocks = [
            "name = \"r{}\"\ntype = \"A\"\nttl = 60\nvalues = [\"192.0.2.1\"]".to_owned(),
            "name = \"r{}\"\ntype = \"A\"\nttl = 60\nvalues = [\"192.0.2.1\", \"192.0.2.2\", \"192.0.2.3\"]".to_owned(),
            "name = \"r{}\"\nset_identifier = \"one\"\nweight = 5\ntype = \"AAAA\"\nttl = 60\nvalues = [\"2001:db8::1\"]"
                .to_owned(),
            format!("name = \"r{{}}\"\ntype = \"TXT\"\nttl = 60\nvalues = ['\"{long}\"']"),
        ];
        let settings = crate::store::SettingsSource::default().defaults();
        for block in blocks {
            let file = SourceFile::new("lab.test.toml", text(&block));
            let common = SharedDefinitions::read(std::slice::from_ref(&file)).unwrap();
            let mut read = None;
            let counted = allocation_counter::measure(|| {
                read = crate::config::zone_with_index(&common, &file, &settings);
            });
            let (reading, index) = read.unwrap();
            let model = Model {
                zone: reading.zone.unwrap(),
                index: index.map(Arc::new),
                common: Weak::new(),
                settings: Arc::new(settings.clone()),
            };
            let zone = KeptZone { latest: (SourceHash::of(&file.text), model), before: None, used: 0 };
            let ratio = zone.memory() as f64 / counted.bytes_current as f64;
            println!("{:.2} of {} bytes are counted", ratio, counted.bytes_current);
            assert!((0.8..=1.6).contains(&ratio), "{ratio} for {block}");
        }
    }
}
