//! The files of the cluster as this node has them: pure, changed by what etcd reports and by this
//! node's own writes.
//!
//! Two numbers say how current they are. Everything up to `followed` is in the files. `foreign` is
//! the last change of another node in them: a load that began before it does not have it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::SourceFile;

use super::etcd::{KeyChange, KeyValue, StoreRevision, WatchBatch};
use super::keys::{Entry, Head, Keys, hash_of, is_file_name, parse, parse_head};

/// The files, by name.
#[derive(Debug, Default)]
pub(crate) struct Mirror {
    files: BTreeMap<String, MirrorFile>,
    /// Files that are damaged in etcd, and those of the last run whose copies are.
    damaged: BTreeMap<String, Damage>,
    /// Files of the last run whose copies are damaged: what is known of their zones is served.
    bad_copies: BTreeSet<String>,
    /// Files that this node removed, until etcd's report of it arrives.
    removed: HashMap<String, StoreRevision>,
    /// Everything up to this revision is in the files.
    pub(crate) followed: StoreRevision,
    /// The last change of another node.
    pub(crate) foreign: StoreRevision,
    /// The last change that concerns other files.
    pub(crate) shared: StoreRevision,
    /// The last such change of another node.
    pub(crate) foreign_shared: StoreRevision,
    /// When the version of the layout was last written as the files were taken; 0 if etcd had none.
    /// A file is only written while it is the same. Other writes know it from `Layout`, which may
    /// have seen a later one.
    pub(crate) version: StoreRevision,
    /// Raised by each change, so that each text has a stamp of its own.
    stamps: u64,
}

/// A file.
#[derive(Clone, Debug)]
pub(crate) struct MirrorFile {
    /// Its text.
    pub(crate) text: Arc<str>,
    /// Its head; `None` for a copy of the last run that etcd has not confirmed.
    pub(crate) head: Option<Head>,
    /// When the head was last changed.
    pub(crate) changed: StoreRevision,
    /// What made the text what it is, if that is known.
    pub(crate) entry: Option<Arc<Entry>>,
    /// The bytes of the log since the base of the head, as far as they are known.
    pub(crate) log_bytes: usize,
    /// Another text has another stamp.
    pub(crate) stamp: u64,
}

/// The state of a file in etcd.
#[derive(Clone, Debug)]
pub(crate) struct StoredFile {
    /// Its name.
    pub(crate) name: String,
    /// Its head.
    pub(crate) head: Head,
    /// When the head was last changed.
    pub(crate) changed: StoreRevision,
    /// What made it the text that it is, if that is known.
    pub(crate) entry: Option<Arc<Entry>>,
}

/// A file that is damaged. If this node has a text of it, that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// The name of the file.
    pub(crate) name: String,
    /// What is damaged, with its key.
    pub(crate) why: String,
    /// Its head, if that can be read.
    pub(crate) head: Option<Head>,
    /// When the head was last changed; 0 for a damaged copy of the last run.
    pub(crate) changed: StoreRevision,
}

/// What a batch of changes leaves to do.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Files whose texts have to be fetched.
    pub(crate) to_fetch: Vec<StoredFile>,
    /// Files whose keys were changed, but not by a node.
    pub(crate) to_verify: BTreeSet<String>,
    /// Files that are damaged now.
    pub(crate) damaged: Vec<Damage>,
    /// Entries that other nodes made, with the revision of each.
    pub(crate) entries: Vec<(StoreRevision, Arc<Entry>)>,
}

impl Mirror {
    /// The copies of the last run; `None` for one that is damaged.
    pub(crate) fn of_copies(copies: Vec<(PathBuf, Option<SourceFile>)>) -> Mirror {
        let mut mirror = Mirror::default();
        for (path, copy) in copies {
            let Some(name) = name_of(&path).filter(|name| is_file_name(name)).map(str::to_owned) else { continue };
            let Some(SourceFile { text, .. }) = copy else {
                let why = "the copy of the last run is damaged, and etcd was not reached yet".to_owned();
                mirror.bad_copies.insert(name.clone());
                mirror.damaged.insert(name.clone(), Damage { name, why, head: None, changed: 0 });
                continue;
            };
            let stamp = mirror.next_stamp();
            let file = MirrorFile { text, head: None, changed: 0, entry: None, log_bytes: 0, stamp };
            mirror.files.insert(name, file);
        }
        mirror
    }

    pub(crate) fn file(&self, name: &str) -> Option<&MirrorFile> {
        self.files.get(name)
    }

    /// What is wrong with a file.
    pub(crate) fn damage(&self, name: &str) -> Option<&Damage> {
        self.damaged.get(name)
    }

    /// The files that are damaged.
    pub(crate) fn all_damaged(&self) -> impl Iterator<Item = &Damage> {
        self.damaged.values()
    }

    /// The files without a text whose zones this node served before. It knows nothing of any others
    /// that are damaged, and could not start with them.
    pub(crate) fn unavailable(&self) -> impl Iterator<Item = &str> {
        let names = self.damaged.keys().filter(|name| !self.files.contains_key(*name));
        names.filter(|name| self.bad_copies.contains(*name)).map(String::as_str)
    }

    /// All files, in the order of their names.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &MirrorFile)> {
        self.files.iter().map(|(name, file)| (name.as_str(), file))
    }

    /// The last change of a file that this node knows.
    pub(crate) fn last_change(&self) -> StoreRevision {
        let of_files = self.files.values().map(|file| file.changed).max().unwrap_or(0);
        of_files.max(self.foreign).max(self.shared)
    }

    /// Whether there are files, damaged ones included.
    pub(crate) fn has_any(&self) -> bool {
        !self.files.is_empty() || !self.damaged.is_empty()
    }

    /// The text with this hash, if the file has it already.
    pub(crate) fn text_with(&self, name: &str, hash: &str) -> Option<Arc<str>> {
        let file = self.files.get(name).filter(|_| !self.damaged.contains_key(name))?;
        let is_it = match &file.head {
            Some(head) => head.hash == hash,
            None => hash_of(&file.text) == hash,
        };
        is_it.then(|| Arc::clone(&file.text))
    }

    /// Everything as etcd has it at this revision. Returns whether anything differs.
    pub(crate) fn take_list(
        &mut self,
        revision: StoreRevision,
        shared: StoreRevision,
        listed: Vec<(StoredFile, Arc<str>)>,
        damaged: Vec<Damage>,
    ) -> bool {
        let mut before = std::mem::take(&mut self.files);
        let damaged_before = std::mem::take(&mut self.damaged);
        // A store that was restored from a backup has lower revisions than before, and what was
        // loaded by the old ones is loaded again.
        let mut differs = revision < self.followed;
        for (stored, text) in listed {
            let known = before.remove(&stored.name).filter(|known| known.text == text);
            differs |= known.is_none();
            let stamp = known.as_ref().map_or_else(|| self.next_stamp(), |known| known.stamp);
            let log_bytes = known.map_or(0, |known| known.log_bytes);
            let StoredFile { name, head, changed, entry } = stored;
            self.files.insert(name, MirrorFile { text, head: Some(head), changed, entry, log_bytes, stamp });
        }
        for damage in damaged {
            match before.remove(&damage.name) {
                Some(copy) => drop(self.files.insert(damage.name.clone(), copy)),
                None => differs |= !damaged_before.contains_key(&damage.name),
            }
            self.damaged.insert(damage.name.clone(), damage);
        }
        differs |= !before.is_empty() || damaged_before.keys().any(|name| !self.damaged.contains_key(name));
        self.removed.clear();
        (self.followed, self.shared, self.foreign_shared) = (revision, shared, shared);
        self.foreign = if differs { revision } else { self.foreign.min(revision) };
        differs
    }

    /// Takes what a watch reported. What cannot be applied has to be fetched.
    pub(crate) fn take_batch(&mut self, keys: &Keys, batch: &WatchBatch) -> Applied {
        let (mut applied, mut entries) = (Applied::default(), HashMap::new());
        for change in &batch.changes {
            let KeyChange::Put(pair) = change else { continue };
            let Some((name, revision)) = keys.entry_of(&pair.key) else { continue };
            // A file whose entry cannot be read is fetched, and then found to be damaged.
            if let Ok(entry) = parse::<Entry>(pair) {
                entries.insert((name.to_owned(), revision), (Arc::new(entry), pair.value.len()));
            }
        }
        for change in &batch.changes {
            match change {
                KeyChange::Put(pair) if pair.key == keys.shared() => self.take_shared(pair.changed),
                KeyChange::Put(pair) => {
                    let Some(name) = keys.head_of(&pair.key) else { continue };
                    match parse_head(name, pair) {
                        Ok(head) => {
                            let entry = entries.get(&(name.to_owned(), head.revision)).cloned();
                            self.take_head(name, head, pair, entry, &mut applied);
                        }
                        Err(why) => {
                            applied.to_fetch.retain(|file| file.name != name);
                            let damage = Damage { name: name.to_owned(), why, head: None, changed: pair.changed };
                            applied.damaged.extend(self.take_damage(damage));
                        }
                    }
                }
                KeyChange::Deleted(key, at) => {
                    let Some(name) = keys.head_of(key) else { continue };
                    let was_damaged = self.damaged.get(name).is_some_and(|damage| damage.changed < *at);
                    if was_damaged || self.files.get(name).is_some_and(|file| file.changed < *at) {
                        self.files.remove(name);
                        self.damaged.remove(name);
                        self.foreign = *at;
                    }
                }
            }
        }
        applied.to_verify = self.to_verify(keys, batch);
        if applied.to_fetch.is_empty() {
            self.follow(batch.revision);
        }
        applied
    }

    /// The files whose text or log was changed without their head. Nodes change both at once.
    fn to_verify(&self, keys: &Keys, batch: &WatchBatch) -> BTreeSet<String> {
        let heads: HashSet<(&str, StoreRevision)> =
            batch.changes.iter().filter_map(|change| Some((keys.head_of(change.key())?, change.at()))).collect();
        let needed = |change: &KeyChange| {
            let (text, entry) = (keys.text_of(change.key()), keys.entry_of(change.key()));
            let name = text.map(|(name, _)| name).or(entry.map(|(name, _)| name))?;
            let StoredFile { head, .. } = self.stored(name).filter(|_| !heads.contains(&(name, change.at())))?;
            let is_text = text.is_some_and(|(_, write)| write == head.text);
            let is_entry = entry.is_some_and(|(_, revision)| (head.base + 1..=head.revision).contains(&revision));
            (is_text || is_entry).then(|| name.to_owned())
        };
        batch.changes.iter().filter_map(needed).collect()
    }

    /// What etcd has of a file, if its head is known.
    pub(crate) fn stored(&self, name: &str) -> Option<StoredFile> {
        let (head, changed, entry) = match (self.damaged.get(name), self.files.get(name)) {
            (Some(damage), _) => (damage.head.clone()?, damage.changed, None),
            (None, file) => file.and_then(|file| Some((file.head.clone()?, file.changed, file.entry.clone())))?,
        };
        Some(StoredFile { name: name.to_owned(), head, changed, entry })
    }

    /// Notes that a file is damaged. Returns it if that is news.
    pub(crate) fn take_damage(&mut self, damage: Damage) -> Option<Damage> {
        let file = self.files.get(&damage.name);
        if file.is_some_and(|file| file.changed > damage.changed) {
            return None;
        }
        if file.is_none() {
            self.foreign = self.foreign.max(damage.changed);
        }
        let is_news = self.is_news(&damage);
        self.damaged.insert(damage.name.clone(), damage.clone());
        is_news.then_some(damage)
    }

    /// Whether this was not known.
    pub(crate) fn is_news(&self, damage: &Damage) -> bool {
        self.damaged.get(&damage.name).is_none_or(|known| known.why != damage.why)
    }

    /// Notes that a file is as it should be, at a revision.
    pub(crate) fn verified(&mut self, stored: StoredFile, text: Arc<str>, at: StoreRevision) {
        let Some(damage) = self.damaged.get(&stored.name).filter(|damage| damage.changed == stored.changed) else {
            return;
        };
        if self.files.get(&damage.name).is_some_and(|file| file.text == text && file.changed == stored.changed) {
            self.damaged.remove(&stored.name);
        } else {
            self.put(stored, text, 0);
            self.foreign = at;
        }
    }

    fn take_head(
        &mut self,
        name: &str,
        head: Head,
        pair: &KeyValue,
        entry: Option<(Arc<Entry>, usize)>,
        applied: &mut Applied,
    ) {
        let is_known = self.files.get(name).is_some_and(|file| file.changed >= pair.changed)
            || self.removed.get(name).is_some_and(|removed| *removed >= pair.changed);
        if is_known {
            return;
        }
        let bytes = entry.as_ref().map_or(0, |(_, bytes)| *bytes);
        let entry = entry.map(|(entry, _)| entry);
        applied.entries.extend(entry.clone().map(|entry| (pair.changed, entry)));
        self.foreign = pair.changed;
        let stored = StoredFile { name: name.to_owned(), head, changed: pair.changed, entry };
        // A file that waits to be fetched is fetched as it is now.
        let waits = applied.to_fetch.iter().position(|file| file.name == name);
        match self.text_after(&stored).filter(|_| waits.is_none()) {
            Some(text) => self.put(stored, text, bytes),
            None => {
                waits.map(|at| applied.to_fetch.remove(at));
                applied.to_fetch.push(stored);
            }
        }
    }

    /// The text after the last entry, if it follows from the one before.
    fn text_after(&self, stored: &StoredFile) -> Option<Arc<str>> {
        let file = self.files.get(&stored.name)?;
        let before = file.head.as_ref().filter(|head| head.revision + 1 == stored.head.revision)?;
        let delta = stored.entry.as_ref()?.delta.as_ref().filter(|_| before.text == stored.head.text)?;
        let text = delta.apply(&file.text)?;
        (hash_of(&text) == stored.head.hash).then(|| text.into())
    }

    /// Puts a file that was fetched or follows from what was there.
    pub(crate) fn put(&mut self, stored: StoredFile, text: Arc<str>, log_bytes: usize) {
        let stamp = self.next_stamp();
        let StoredFile { name, head, changed, entry } = stored;
        self.damaged.remove(&name);
        let before = self.files.get(&name).filter(|_| head.base < head.revision);
        let log_bytes = before.map_or(0, |before| before.log_bytes) + log_bytes;
        let log_bytes = if head.base == head.revision { 0 } else { log_bytes };
        self.files.insert(name, MirrorFile { text, head: Some(head), changed, entry, log_bytes, stamp });
    }

    /// Notes a write of this node, unless etcd's report of it, or of a later one, was faster.
    pub(crate) fn wrote(&mut self, stored: StoredFile, text: Arc<str>, log_bytes: usize) {
        if self.files.get(&stored.name).is_none_or(|file| file.changed < stored.changed) {
            self.put(stored, text, log_bytes);
        }
    }

    /// Notes that this node removed a file.
    pub(crate) fn removed(&mut self, name: &str, at: StoreRevision) {
        if self.files.get(name).is_some_and(|file| file.changed < at) {
            self.files.remove(name);
        }
        self.damaged.remove(name);
        if at > self.followed {
            self.removed.insert(name.to_owned(), at);
        }
    }

    /// Notes that this node made a change that concerns other files.
    pub(crate) fn wrote_shared(&mut self, at: StoreRevision) {
        self.shared = self.shared.max(at);
    }

    fn take_shared(&mut self, at: StoreRevision) {
        if at > self.shared {
            (self.shared, self.foreign_shared) = (at, at);
        }
    }

    /// Everything up to this revision is in the files.
    pub(crate) fn follow(&mut self, revision: StoreRevision) {
        self.followed = self.followed.max(revision);
        let followed = self.followed;
        self.removed.retain(|_, at| *at > followed);
    }

    fn next_stamp(&mut self) -> u64 {
        self.stamps += 1;
        self.stamps
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Damage { name, why, changed, .. } = self;
        match changed {
            0 => f.write_str(why),
            _ if !is_file_name(name) => write!(f, "{why}; it is ignored, and `fiftythree cluster apply` removes it"),
            _ => write!(f, "{name} is damaged in etcd: {why}; `fiftythree cluster apply` writes it anew"),
        }
    }
}

/// The name of the file in the cluster.
pub(crate) fn name_of(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

/// The path of a file of the cluster.
pub(crate) fn path_of(directory: &Path, name: &str) -> PathBuf {
    directory.join(name)
}
