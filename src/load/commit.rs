//! Makes a change on the loader's thread: writes the file and compiles what it defines.
//!
//! If somebody saved the file since it was loaded, it is loaded first, and the change is made to
//! what they saved. The exchange of the files is the commit point. What is returned is published
//! before the caller gets its answer.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::config::{LoadPhase, SourceFile, SourceOrigin, ZoneReading};
use crate::health::{Slots, Timestamp};
use crate::history::ObjectChange;
use crate::objects::{self, Change, Commit, CommitError, Committed, ErrorCode, Object, ObjectId, Refusal, Revision};
use crate::store::{Contents, GONE, MemoryRoom, ReplaceError, SettingsSource, SourceHash};
use crate::world::Catalog;

use super::geo_databases::Located;
use super::loaded_file::LoadedFile;
use super::prepare::{Prepared, ReadBack};
use super::sources::FileInput;
use super::zone_files::{ZoneFiles, path_of};
use super::{
    CompiledZones, ConfigState, FileWrite, Load, LoadOutcome, LoadRequest, LoadedConfig, Reach, RecordsByCheck,
    Refused, Sources, Trigger, difference, load,
};

/// How long a change waits for a program that is writing the file.
const WRITING: Duration = Duration::from_secs(1);
/// How often it looks whether the program is done.
const LOOK: Duration = Duration::from_millis(5);
/// How often a change is prepared again because somebody saved the file meanwhile.
const TRIES: usize = 100;
/// For how long. What is loaded meanwhile is not served before the end.
const DECIDING: Duration = Duration::from_secs(2);

/// A request to the loader to make a change.
pub(crate) struct CommitRequest {
    /// Returned with the outcome.
    pub(crate) generation: u64,
    /// The configuration in force.
    pub(crate) base: LoadedConfig,
    /// The slots of the checks in force.
    pub(crate) slots: Slots,
    /// The change.
    pub(crate) commit: Commit,
}

/// The outcome of a commit.
pub(crate) struct CommitOutcome {
    /// The generation of the request.
    pub(crate) generation: u64,
    /// What loads before the commit found, in order, because somebody had saved the file.
    pub(crate) loaded: Vec<LoadOutcome>,
    /// What is served after the commit, and the answer.
    pub(crate) result: Result<(Box<CommittedConfig>, Committed), CommitError>,
}

/// The configuration after a commit.
pub(crate) struct CommittedConfig {
    /// The base of the next load.
    pub(crate) base: LoadedConfig,
    /// All zones, compiled.
    pub(crate) catalog: Arc<Catalog>,
    /// The records that use each check.
    pub(crate) records_by_check: Arc<RecordsByCheck>,
    /// What changed. The history has it.
    pub(crate) change: Arc<ObjectChange>,
    /// The revision of the object before; `None` if it is new.
    pub(crate) before: Option<Revision>,
}

/// Makes a change. `watched` says which files are being written.
pub(crate) fn commit(
    settings: &SettingsSource,
    sources: &dyn Sources,
    watched: &dyn Sources,
    request: CommitRequest,
) -> CommitOutcome {
    let CommitRequest { generation, mut base, mut slots, commit } = request;
    if let Err(error) = check_cluster(&base, &commit.id) {
        return CommitOutcome { generation, loaded: Vec::new(), result: Err(error) };
    }
    let (mut loaded, mut must_load, began) = (Vec::new(), false, Instant::now());
    for _ in 0..TRIES {
        let is_served = is_current(&base, sources, &commit.id);
        if !is_served && let Err(why) = wait_for_writer(&base, watched, &commit.id) {
            return CommitOutcome { generation, loaded, result: Err(CommitError::Unavailable(why)) };
        }
        if must_load || !is_served {
            let request =
                LoadRequest { generation, base: base.clone(), slots: slots.clone(), trigger: Trigger::FileChanged };
            let outcome = load(settings, sources, request, LoadPhase::Reload);
            if let Ok(new) = &outcome.result {
                base = new.base.clone();
                // As the tracker will have them when it applies this load before the commit.
                slots = slots.for_checks(&base.checks);
            }
            let why = refused_because(&outcome, &base, sources, &commit.id);
            loaded.push(outcome);
            if let Some(why) = why {
                return CommitOutcome { generation, loaded, result: Err(CommitError::Unavailable(why)) };
            }
        }
        match pin_references(sources, &base, &commit) {
            Ok(pinned) => must_load = pinned,
            Err(error) => return CommitOutcome { generation, loaded, result: Err(error) },
        }
        if must_load {
            continue;
        }
        match commit_once(sources, &base, &slots, &commit) {
            // A new object has no file yet that shows whether what is loaded is current.
            Err(CommitOnceError::Changed) if began.elapsed() < DECIDING => must_load = true,
            Err(CommitOnceError::Changed) => break,
            Err(CommitOnceError::Not(error)) => return CommitOutcome { generation, loaded, result: Err(error) },
            Ok(done) => {
                if let (None, Some(file)) = (&done.0.before, done.0.base.file_of(&commit.id)) {
                    watched.created(&file.path);
                }
                return CommitOutcome { generation, loaded, result: Ok(done) };
            }
        }
    }
    let why = "others change the file all the time; nothing is changed".to_owned();
    CommitOutcome { generation, loaded, result: Err(CommitError::Unavailable(why)) }
}

/// With a cluster, the files of this node are changed by hand only.
pub(super) fn check_cluster(base: &LoadedConfig, id: &ObjectId) -> Result<(), CommitError> {
    let Some(cluster) = &base.settings.cluster else { return Ok(()) };
    match base.file_of(id) {
        Some(file) if file.path.parent() != Some(&cluster.directory()) => {
            let path = file.path.display();
            let message = format!("{path} is a file of this node and not of the cluster: edit it there");
            Err(Refusal::new(ErrorCode::InvalidInput, message).into())
        }
        _ => Ok(()),
    }
}

/// Before a health check is deleted, references to its name become references to its id, which mean
/// the same before and are legal afterwards. Returns whether a file was changed.
fn pin_references(sources: &dyn Sources, base: &LoadedConfig, commit: &Commit) -> Result<bool, CommitError> {
    let (ObjectId::HealthCheck(id), Change::Delete) = (&commit.id, &commit.change) else { return Ok(false) };
    let pinned = base.pinned(id)?;
    for (read, text) in &pinned {
        let write = FileWrite {
            path: &read.path,
            before: Some(&read.text),
            after: Some(text),
            author: Some(&commit.author),
            submission: None,
            reach: Reach::Others,
            decided_on: base.sources_revision,
        };
        match sources.write(&write) {
            // What was saved meanwhile is loaded, and pinned then.
            Ok(()) | Err(ReplaceError::Changed) => {}
            Err(error) => return Err(CommitError::Unavailable(format!("{}: {error}", read.path.display()))),
        }
    }
    Ok(!pinned.is_empty())
}

enum CommitOnceError {
    /// Somebody saved the file.
    Changed,
    Not(CommitError),
}

impl From<CommitError> for CommitOnceError {
    fn from(error: CommitError) -> CommitOnceError {
        CommitOnceError::Not(error)
    }
}

fn commit_once(
    sources: &dyn Sources,
    base: &LoadedConfig,
    slots: &Slots,
    commit: &Commit,
) -> Result<(Box<CommittedConfig>, Committed), CommitOnceError> {
    if !commit.may_follow(base.revision(&commit.id)) {
        return Err(CommitError::Conflict.into());
    }
    let prepared = base.prepare(&commit.id, &commit.change)?;
    commit.check_quotas(base, &prepared.transition)?;
    if prepared.before.is_none()
        && let Some(directory) = base.missing_directory(&prepared.file, sources)
    {
        let why = format!("{} has none of the files that are served; is a mount missing?", directory.display());
        return Err(CommitError::Unavailable(why).into());
    }
    let load = base.load_of_commit(sources, slots);
    // Compiled before it is written: what cannot be served is not written.
    let compiled = load.compile_prepared(&prepared)?;
    let change = Arc::new(difference::of_commit(base, commit, &prepared.transition));
    let hash = prepared.after.as_ref().map(|source| SourceHash::of(&source.text).number());
    let intent = base.history.intend(now(), &change, &prepared.file, hash);
    match prepared.write(sources, Some(commit), base.sources_revision) {
        Ok(()) => intent.made(),
        Err(error) => {
            intent.not_made();
            base.hold_served(&prepared);
            if matches!(error, ReplaceError::Changed) {
                return Err(CommitOnceError::Changed);
            }
            let why = format!("{}: {error}", prepared.file.display());
            return Err(CommitError::Unavailable(why).into());
        }
    }
    let before = prepared.transition.before.as_ref().and_then(|_| base.file(&prepared.file));
    let before = before.map(|file| file.revision());
    let config = load.finish_commit(compiled, change, before);
    let Prepared { transition, file, read_back, .. } = prepared;
    if let Some(ReadBack { reading: ZoneReading { zone: Some(zone), .. }, index, .. }) = read_back
        && let Some(file) = config.base.file(&file)
    {
        config.base.keep_model(file, &zone, index);
    }
    let revision = config.base.revision(&commit.id);
    Ok((Box::new(config), Committed { revision, object: transition.after }))
}

/// A clock before 1970 counts as 1970.
fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Waits until no program writes the file of the object: the rest of a save must not be lost, and
/// an editor may remove the file before it writes the new one.
fn wait_for_writer(base: &LoadedConfig, watched: &dyn Sources, id: &ObjectId) -> Result<(), String> {
    let Some(file) = base.file_of(id) else { return Ok(()) };
    let began = Instant::now();
    loop {
        let is_missing = watched.stamp(&file.path).is_none();
        if !watched.is_in_progress(&file.path) && (!is_missing || began.elapsed() >= GONE) {
            return Ok(());
        }
        if began.elapsed() >= WRITING {
            let path = file.path.display();
            return Err(format!("{path}: another program is writing the file; nothing is changed"));
        }
        std::thread::sleep(LOOK);
    }
}

/// Whether the file of the object has the text that is served.
fn is_current(base: &LoadedConfig, sources: &dyn Sources, id: &ObjectId) -> bool {
    let Some(file) = base.file_of(id) else { return true };
    match sources.text(&file.path) {
        Ok(Contents::Text { source, .. }) => SourceHash::of(&source.text) == file.source_hash,
        _ => false,
    }
}

/// Why the object cannot be changed although its file was just loaded: the file has errors.
fn refused_because(outcome: &LoadOutcome, base: &LoadedConfig, sources: &dyn Sources, id: &ObjectId) -> Option<String> {
    let path = &base.file_of(id)?.path;
    if is_current(base, sources, id) {
        return None;
    }
    let diagnostics = match &outcome.result {
        Ok(loaded) => Arc::clone(&loaded.summary.diagnostics),
        Err(refused) => refused.diagnostics(),
    };
    let first = diagnostics.first_error_in(path);
    if first.is_none() && sources.revision() > base.sources_revision {
        // Another node changed it since it was loaded: the write finds that out, and it is loaded
        // again.
        return None;
    }
    let why = first.unwrap_or_else(|| match &outcome.result {
        Err(refused @ Refused::Unresponsive(_)) => refused.to_string(),
        _ => format!("{}: the file is not served as it is", path.display()),
    });
    Some(format!("the file has to be corrected first: {why}"))
}

impl LoadedConfig {
    /// An object.
    pub(crate) fn object(&self, id: &ObjectId) -> Result<Object, CommitError> {
        objects::current(self, id)
    }

    /// The revision of an object: the hash of the text of its file.
    pub(crate) fn revision(&self, id: &ObjectId) -> Option<Revision> {
        self.file_of(id).map(|file| file.revision())
    }

    /// Keeps the text that is served, and not the one that was not written.
    fn hold_served(&self, prepared: &Prepared) {
        match &prepared.before {
            Some(before) => self.source_cache.hold([before.clone()]),
            None => self.source_cache.release(&prepared.file),
        }
    }

    /// The directory of a new file, if other files are served from it and none of them is there.
    fn missing_directory<'p>(&self, new: &'p Path, sources: &dyn Sources) -> Option<&'p Path> {
        let directory = new.parent()?;
        let mut here = self.files.iter().filter(|file| file.path.parent() == Some(directory)).peekable();
        let is_serving = here.peek().is_some();
        (is_serving && here.all(|file| sources.stamp(&file.path).is_none())).then_some(directory)
    }

    /// The file that defines an object.
    fn file_of(&self, id: &ObjectId) -> Option<&Arc<LoadedFile>> {
        match id {
            ObjectId::HostedZone(id) => self.files.iter().find(|file| file.id() == Some(id)),
            ObjectId::HealthCheck(_)
            | ObjectId::CidrCollection(_)
            | ObjectId::DelegationSet(_)
            | ObjectId::TrafficPolicy(_)
            | ObjectId::AliasTarget(_) => {
                let path = self.defining_file(id)?.path;
                self.file(&path)
            }
        }
    }
}

impl LoadedConfig {
    /// A load of texts that are at hand.
    pub(super) fn load_of_commit<'l>(&'l self, sources: &'l dyn Sources, slots: &'l Slots) -> Load<'l> {
        Load {
            sources,
            settings: &self.settings,
            base: self,
            slots,
            phase: LoadPhase::Reload,
            room: MemoryRoom::unlimited(),
            revision: self.sources_revision,
        }
    }
}

impl Load<'_> {
    /// Compiles the configuration with the prepared text; no other file is looked at.
    pub(super) fn compile_prepared(&self, prepared: &Prepared) -> Result<CompiledZones, CommitError> {
        let read = prepared.read_back.as_ref().map(|read_back| (&*prepared.file, &read_back.reading));
        let compiled = match (read, &prepared.after) {
            (Some(read), Some(source)) if self.changes_only_its_zone(prepared) => {
                self.compile_record_sets(source, read)
            }
            _ => self.compile_changed(&self.texts_with(prepared), SourceOrigin::Current, read),
        };
        let mut compiled = compiled.ok_or_else(|| {
            CommitError::Unavailable(format!("{} could not be served after the change", prepared.file.display()))
        })?;
        if self.base.state == ConfigState::Behind {
            compiled.state = ConfigState::Behind;
        }
        Ok(compiled)
    }

    /// Whether only record sets change, and no other zone answers with them.
    fn changes_only_its_zone(&self, prepared: &Prepared) -> bool {
        let Some(read_back) = prepared.read_back.as_ref().filter(|read_back| read_back.is_of_record_sets) else {
            return false;
        };
        let zone = read_back.reading.zone.as_ref().map(|zone| &zone.name);
        !self.base.common.has_addresses_in(zone)
    }

    fn texts_with(&self, prepared: &Prepared) -> ZoneFiles {
        self.texts_without(&[&prepared.file], prepared.after.as_ref())
    }

    /// The texts that are served, with these in the place of those of these paths.
    pub(super) fn texts_without<'s>(
        &self,
        replaced: &[&Path],
        new: impl IntoIterator<Item = &'s SourceFile>,
    ) -> ZoneFiles {
        let others = self.base.files.iter().filter(|file| !replaced.contains(&&*file.path));
        let mut texts: ZoneFiles = others.map(|file| FileInput::Before(Arc::clone(file))).collect();
        for source in new {
            let at = texts.partition_point(|text| path_of(text) < &*source.path);
            texts.insert(at, FileInput::Read(source.clone(), None));
        }
        texts
    }

    pub(super) fn finish_commit(
        &self,
        zones: CompiledZones,
        change: Arc<ObjectChange>,
        before: Option<Revision>,
    ) -> CommittedConfig {
        let base = self.config_of(zones);
        let (catalog, records_by_check) = (Arc::new(super::catalog(&base)), Arc::clone(&base.records_by_check));
        CommittedConfig { base, catalog, records_by_check, change, before }
    }

    /// The configuration with these zones and nothing else that is new.
    pub(super) fn config_of(&self, zones: CompiledZones) -> LoadedConfig {
        let located =
            Located { lookup: Arc::clone(&self.base.geo_lookup), databases: Arc::clone(&self.base.databases) };
        self.config_with(zones, Arc::clone(&self.base.sentinels), located)
    }
}
