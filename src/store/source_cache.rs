//! The sources that are served, so that they can be read back. They are in memory until they are
//! durable in the state directory; if that cannot be written, they stay in memory.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::quality::FixedState;

use crate::config::{ServedFile, SourceFile};

use super::read::read_source;
use super::zone_index::ZoneIndex;
use super::{LastGood, NotKept};

/// Identifies a source within this process by its length and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SourceHash {
    length: usize,
    hash: u64,
}

impl SourceHash {
    /// The hash of no source.
    pub(crate) const NONE: SourceHash = SourceHash { length: usize::MAX, hash: 0 };

    /// As one number.
    pub(crate) fn number(self) -> u128 {
        ((self.length as u128) << 64) | u128::from(self.hash)
    }

    /// The length of the source.
    pub(crate) fn bytes(self) -> usize {
        self.length
    }

    /// The hash of `text`.
    pub(crate) fn of(text: &str) -> SourceHash {
        SourceHash { length: text.len(), hash: FixedState::default().hash_one(text) }
    }
}

/// The served sources.
#[derive(Debug)]
pub(crate) struct SourceCache {
    /// `None` without a server: nothing is kept.
    state: Option<State>,
    /// A cache that is only read.
    below: Option<Arc<SourceCache>>,
    /// Sources that are not in the state directory. Code that makes sources durable also holds
    /// `keeping`, so that only one thread does.
    unkept: Mutex<BTreeMap<PathBuf, SourceFile>>,
    keeping: Mutex<()>,
}

/// What is kept in the state directory.
#[derive(Debug)]
struct State {
    last_good: LastGood,
    zone_index: ZoneIndex,
}

impl SourceCache {
    /// A cache that keeps sources in the state directory `state`.
    pub(crate) fn new(state: &Path) -> SourceCache {
        let state = State { last_good: LastGood::new(state), zone_index: ZoneIndex::new(state) };
        SourceCache { state: Some(state), ..SourceCache::in_memory() }
    }

    /// A cache that keeps sources only in memory.
    pub(crate) fn in_memory() -> SourceCache {
        SourceCache { state: None, below: None, unkept: Mutex::default(), keeping: Mutex::default() }
    }

    /// The same over the sources of another cache, which is read and not changed: for what is not
    /// served.
    pub(crate) fn over(below: &Arc<SourceCache>) -> SourceCache {
        SourceCache { below: Some(Arc::clone(below)), ..SourceCache::in_memory() }
    }

    /// The copy of a file in the state directory.
    pub(crate) fn copy_of(&self, path: &Path) -> Option<SourceFile> {
        self.state.as_ref()?.last_good.read(path)
    }

    /// Whether the state directory has a copy of a file, which may be damaged.
    pub(crate) fn has_copy_of(&self, path: &Path) -> bool {
        self.state.as_ref().is_some_and(|state| state.last_good.has(path))
    }

    /// The copies of all files in the directories `zones`.
    pub(crate) fn copies(&self, zones: &[PathBuf]) -> Vec<SourceFile> {
        let copies = |state: &State| zones.iter().flat_map(|zones| state.last_good.all(zones)).collect();
        self.state.as_ref().map_or_else(Vec::new, copies)
    }

    /// Holds sources that are about to be served.
    pub(crate) fn hold(&self, sources: impl IntoIterator<Item = SourceFile>) {
        self.unkept().extend(sources.into_iter().map(|source| (source.path.clone(), source)));
    }

    /// Releases a source that is not served after all.
    pub(crate) fn release(&self, path: &Path) {
        self.unkept().remove(path);
    }

    /// The files in `zones` that the last run served, and their zones.
    pub(crate) fn served_before(&self, zones: &[PathBuf]) -> Vec<ServedFile> {
        let served = |state: &State| zones.iter().flat_map(|zones| state.zone_index.read(zones)).collect();
        self.state.as_ref().map_or_else(Vec::new, served)
    }

    /// Makes the held sources durable and releases them. `served` are all files served from
    /// `zones`; the copies of other files are removed.
    pub(crate) fn keep(&self, zones: &[PathBuf], served: &[ServedFile]) -> Result<(), NotKept> {
        let Some(State { last_good, zone_index }) = &self.state else { return Ok(()) };
        last_good.while_responsive(|| {
            let _keeping = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
            let held = self.held();
            let paths: Vec<&Path> = served.iter().map(|file| &*file.path).collect();
            zones.iter().try_for_each(|zones| last_good.keep(zones, &held, &paths).map(drop))?;
            self.release_durable(held);
            zones.iter().try_for_each(|zones| zone_index.keep(zones, served))
        })
    }

    /// The same for few changes: only the copies of files in `gone` are removed, and the zone index
    /// is left to `keep_index`.
    pub(crate) fn keep_changes(&self, gone: &[&Path]) -> Result<(), NotKept> {
        let Some(State { last_good, .. }) = &self.state else { return Ok(()) };
        last_good.while_responsive(|| {
            let _keeping = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
            gone.iter().for_each(|path| drop(self.unkept().remove(*path)));
            let held = self.held();
            last_good.keep_changes(&held, gone)?;
            self.release_durable(held);
            Ok(())
        })
    }

    /// Durably records which zones the files in `zones` hold.
    pub(crate) fn keep_index(&self, zones: &[PathBuf], served: &[ServedFile]) -> Result<(), NotKept> {
        let Some(State { last_good, zone_index }) = &self.state else { return Ok(()) };
        last_good.while_responsive(|| zones.iter().try_for_each(|zones| zone_index.keep(zones, served)))
    }

    fn held(&self) -> Vec<SourceFile> {
        self.unkept().values().cloned().collect()
    }

    fn release_durable(&self, held: Vec<SourceFile>) {
        let mut unkept = self.unkept();
        for source in held {
            // A newer source may be held for the file by now.
            if unkept.get(&source.path).is_some_and(|held| Arc::ptr_eq(&held.text, &source.text)) {
                unkept.remove(&source.path);
            }
        }
    }

    /// The source with this hash that was served from a file: from memory, from the state
    /// directory, or from the file itself. The error says why it is not available.
    pub(crate) fn read(&self, path: &Path, source_hash: SourceHash) -> Result<SourceFile, String> {
        let held = self.unkept().get(path).cloned();
        let is_it = |source: &SourceFile| SourceHash::of(&source.text) == source_hash;
        let held = held.filter(is_it);
        let kept = || self.copy_of(path).filter(is_it);
        let below = || self.below.as_ref()?.read(path, source_hash).ok();
        let current = || read_source(path).ok().filter(is_it);
        let found = held.or_else(kept).or_else(below).or_else(current);
        found.ok_or_else(|| "neither the file nor its copy in the state directory matches what is served".to_owned())
    }

    fn unkept(&self) -> MutexGuard<'_, BTreeMap<PathBuf, SourceFile>> {
        // No thread panics while it holds the lock.
        self.unkept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_served_text_is_had_from_memory_then_from_the_state_directory_then_from_the_file() {
        let state = tempfile::tempdir().unwrap();
        let zones = tempfile::tempdir().unwrap();
        let path = zones.path().join("a.toml");
        fs::write(&path, "edited since").unwrap();
        let source_cache = SourceCache::new(state.path());
        let hash = SourceHash::of("served");
        let read = || source_cache.read(&path, hash).map(|source| source.text.to_string());
        assert!(read().is_err());
        source_cache.hold([SourceFile::new(path.clone(), "served")]);
        assert_eq!(read().as_deref(), Ok("served"));
        let served = [ServedFile { path: path.clone(), zone: None }];
        let directories = [zones.path().to_owned()];
        source_cache.keep(&directories, &served).unwrap();
        assert_eq!(source_cache.served_before(&directories), served);
        assert!(source_cache.unkept().is_empty());
        assert_eq!(read().as_deref(), Ok("served"));
        fs::remove_dir_all(state.path()).unwrap();
        assert!(read().is_err());
        fs::write(&path, "served").unwrap();
        assert_eq!(read().as_deref(), Ok("served"));
    }

    #[test]
    fn where_nothing_can_be_kept_texts_stay_in_memory() {
        let state = tempfile::tempdir().unwrap();
        let file = state.path().join("a-file");
        fs::write(&file, "").unwrap();
        let source_cache = SourceCache::new(&file);
        let path = Path::new("/zones/a.toml");
        source_cache.hold([SourceFile::new(path, "served")]);
        let served = [ServedFile { path: path.to_path_buf(), zone: None }];
        assert!(source_cache.keep(&["/zones".into()], &served).is_err());
        assert!(source_cache.read(path, SourceHash::of("served")).is_ok());
    }
}
