//! Prepares a change of an object: which file changes, and its new text.
//!
//! The object after the change is computed from the model (`objects::decide`); then the text of the
//! file is edited, read back and compared with it. So a file is never written that defines
//! something else than was requested. If only record sets of a zone change whose positions in the
//! text are known from the change before, only these are edited and read. If somebody saves the
//! file meanwhile, nothing is written ([`crate::store::replace_file`]); the caller loads again and
//! prepares the change again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{
    self, ClusterSettings, EditError, IndexedEdit, IndexedFile, RecordIndex, References, SharedDefinitions, SourceFile,
    ZoneReading,
};
use crate::model::{
    AliasResource, Change as RecordChange, ChangeAction, ChangeBatch, CidrCollection, HealthCheck, HealthCheckId,
    HostedZone, ResourceRecordSet, RoutingPolicy, TrafficPolicy,
};
use crate::objects::{Change, Commit, CommitError, ErrorCode, Object, ObjectId, Refusal, Transition, decide};
use crate::store::ReplaceError;

use super::loaded_file::LoadedFile;
use super::{FileWrite, LoadedConfig, Reach, Sources};

/// The files of what programs create besides zones.
const HEALTH_CHECKS: &str = "health_checks.toml";
const CIDR_COLLECTIONS: &str = "cidr_collections.toml";
const DELEGATION_SETS: &str = "reusable_delegation_sets.toml";
const TRAFFIC_POLICIES: &str = "traffic_policies.toml";
const ALIAS_TARGETS: &str = "alias_targets.toml";

/// A change that can be written.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The object before and after.
    pub(crate) transition: Transition,
    /// The file.
    pub(crate) file: PathBuf,
    /// Its text before; `None` for a new file.
    pub(super) before: Option<SourceFile>,
    /// Its text after; `None` for a removed file.
    pub(super) after: Option<SourceFile>,
    /// The zone in that text, so that it is not read once more to be compiled.
    pub(super) read_back: Option<ReadBack>,
}

/// The zone in an edited text.
#[derive(Debug)]
pub(super) struct ReadBack {
    pub(super) reading: ZoneReading,
    /// Where its record sets are in the text.
    pub(super) index: Option<RecordIndex>,
    /// Whether only record sets changed, so that the file defines the same for others.
    pub(super) is_of_record_sets: bool,
}

impl LoadedConfig {
    /// Prepares a change. Nothing is written yet.
    pub(crate) fn prepare(&self, id: &ObjectId, change: &Change) -> Result<Prepared, CommitError> {
        let transition = decide(self, id, change)?;
        if let Some(prepared) = self.prepare_record_sets(&transition) {
            return Ok(prepared);
        }
        let Transition { before, after } = &transition;
        let (file, before, text) = match (before, after) {
            (Some(Object::HostedZone(before)), after) => self.zone_text(before, after.as_ref())?,
            (None, Some(Object::HostedZone(zone))) => {
                let text = config::new_zone_text(zone, &self.settings.dns, &self.references());
                (self.new_zone_file(zone), None, Some(text))
            }
            (before, after) => self.definition_text(id, before.as_ref(), after.as_ref())?,
        };
        let after = text.map(|text| SourceFile::new(file.clone(), text));
        let mut prepared = Prepared { transition, file, before, after, read_back: None };
        prepared.read_back = self.verify(&prepared)?;
        Ok(prepared)
    }

    /// The same for a change of few record sets; `None` if the whole file has to be read.
    fn prepare_record_sets(&self, transition: &Transition) -> Option<Prepared> {
        let (Some(Object::HostedZone(before)), Some(Object::HostedZone(after))) =
            (&transition.before, &transition.after)
        else {
            return None;
        };
        let file = self.files.iter().find(|file| file.id() == Some(&before.id))?;
        let model = self.known_model(file)?;
        let index = model.index.filter(|_| file.warnings.is_empty() && Arc::ptr_eq(&model.zone, before))?;
        let read = self.source_of(file).ok()?;
        let indexed = IndexedFile {
            path: &file.path,
            text: &read.text,
            zone: before,
            index: &index,
            common: &self.common,
            settings: &self.settings,
        };
        let IndexedEdit { text, zone, index } = indexed.edit(after, &self.references())?;
        let reading = ZoneReading { zone: Some(zone.into()), warnings: Vec::new() };
        Some(Prepared {
            transition: transition.clone(),
            file: file.path.clone(),
            before: Some(read),
            after: Some(SourceFile::new(file.path.clone(), text)),
            read_back: Some(ReadBack { reading, index: Some(index), is_of_record_sets: true }),
        })
    }

    /// The batch with ids in the place of names, for batches that people write.
    pub(crate) fn with_ids(&self, mut batch: ChangeBatch) -> Result<ChangeBatch, CommitError> {
        for RecordChange { action, record_set } in &mut batch.changes {
            if let Some(written) = &mut record_set.health_check {
                match self.checks.iter().find(|check| check.id == *written || check.name == written.0) {
                    Some(check) => *written = check.id.clone(),
                    // The check of a record set that is deleted may be gone already.
                    None if *action == ChangeAction::Delete => {}
                    None => return Err(no_such_health_check(written)),
                }
            }
            if let RoutingPolicy::IpBased { collection, .. } = &mut record_set.routing_policy {
                let known = self.common.cidr_collections.iter().find(|known| known.name == collection.0);
                *collection = known.map_or_else(|| collection.clone(), |known| known.id.clone());
            }
        }
        Ok(batch)
    }

    /// The files that refer to a health check by its name, and their texts with its id.
    pub(super) fn pinned(&self, id: &HealthCheckId) -> Result<Vec<(SourceFile, String)>, CommitError> {
        let Some(check) = self.checks.iter().find(|check| check.id == *id) else { return Ok(Vec::new()) };
        let mut pinned = Vec::new();
        let cluster = self.settings.cluster.as_ref().map(ClusterSettings::directory);
        // Those of this node alone are changed by hand only.
        let is_shared = |file: &&Arc<LoadedFile>| cluster.is_none() || file.path.parent() == cluster.as_deref();
        for file in self.files.iter().filter(|file| file.depends_on_other_files()).filter(is_shared) {
            let source = self.source_of(file).map_err(|why| unavailable(&format!("{}: {why}", file.path.display())))?;
            let text = config::pin_health_check(&source, check).map_err(|why| not_editable(&file.path, &why))?;
            pinned.extend(text.map(|text| (source, text)));
        }
        Ok(pinned)
    }

    fn references(&self) -> References<'_> {
        References::to(&self.checks, &self.common.cidr_collections)
    }

    /// The file of a zone, its text, and its text after the change; `None` if nothing is left in
    /// it.
    fn zone_text(
        &self,
        before: &HostedZone,
        after: Option<&Object>,
    ) -> Result<(PathBuf, Option<SourceFile>, Option<String>), CommitError> {
        let file = self.files.iter().find(|file| file.id() == Some(&before.id));
        let file = file.ok_or_else(|| unavailable("the zone has no file"))?;
        let path = file.path.clone();
        let read = self.source_of(file).map_err(|why| unavailable(&format!("{}: {why}", path.display())))?;
        let text = match after {
            Some(Object::HostedZone(after)) => Some(self.edited_zone(&read, before, after)?),
            _ => config::without_zone(&read).map_err(|why| not_editable(&path, &why))?,
        };
        Ok((path, Some(read), text))
    }

    fn edited_zone(&self, read: &SourceFile, before: &HostedZone, after: &HostedZone) -> Result<String, CommitError> {
        let not_editable = |why| not_editable(&read.path, &why);
        let (_, old, new) = before.differing_sets(after);
        if old.is_empty() && new.is_empty() && before.record_groups == after.record_groups {
            return config::edit_zone_members(read, before, after).map_err(not_editable);
        }
        let is_same =
            before.has_same_members(&HostedZone { record_groups: before.record_groups.clone(), ..after.clone() });
        let members =
            if is_same { None } else { Some(config::edit_zone_members(read, before, after).map_err(not_editable)?) };
        let read = members.map_or_else(|| read.clone(), |text| SourceFile { text: text.into(), ..read.clone() });
        config::edit_record_sets(&read, before, after, &self.references()).map_err(not_editable)
    }

    /// The file of a new zone. A file that is there already keeps its name.
    fn new_zone_file(&self, zone: &HostedZone) -> PathBuf {
        let directory = self.settings.new_zones_directory();
        let plain = directory.join(config::zone_file_name(&zone.name, None));
        if plain.exists() || self.file(&plain).is_some() {
            directory.join(config::zone_file_name(&zone.name, Some(&zone.id)))
        } else {
            plain
        }
    }

    /// The file of a health check, CIDR collection or delegation set, its text, and its text after
    /// the change.
    pub(super) fn definition_text(
        &self,
        id: &ObjectId,
        before: Option<&Object>,
        after: Option<&Object>,
    ) -> Result<(PathBuf, Option<SourceFile>, Option<String>), CommitError> {
        let defining = if before.is_some() {
            Some(self.defining_file(id).ok_or_else(|| unavailable("no file defines the object"))?)
        } else {
            None
        };
        let name = match id {
            ObjectId::HealthCheck(_) => HEALTH_CHECKS,
            ObjectId::DelegationSet(_) => DELEGATION_SETS,
            ObjectId::TrafficPolicy(_) => TRAFFIC_POLICIES,
            ObjectId::AliasTarget(_) => ALIAS_TARGETS,
            _ => CIDR_COLLECTIONS,
        };
        let path = defining.map_or_else(|| self.settings.new_zones_directory().join(name), |read| read.path);
        let read = match self.file(&path) {
            Some(file) => Some(self.source_of(file).map_err(|why| unavailable(&format!("{}: {why}", path.display())))?),
            None => None,
        };
        let source = read.clone().unwrap_or_else(|| SourceFile::new(path.clone(), ""));
        let edited = match (before, after) {
            (Some(Object::HealthCheck(_)), _) | (None, Some(Object::HealthCheck(_))) => {
                config::edit_health_check(&source, check(before), check(after), &self.references())
            }
            (Some(Object::DelegationSet(set)), _) => config::edit_delegation_set(&source, Some(&set.id), None),
            (None, Some(Object::DelegationSet(set))) => config::edit_delegation_set(&source, None, Some(set)),
            (Some(Object::TrafficPolicy(_)), _) | (None, Some(Object::TrafficPolicy(_))) => {
                config::edit_traffic_policy(&source, policy(before), policy(after))
            }
            (Some(Object::AliasTarget(_)), _) | (None, Some(Object::AliasTarget(_))) => {
                config::edit_alias_target(&source, target(before), target(after), &self.references())
            }
            _ => config::edit_cidr_collection(&source, collection(before), collection(after)),
        };
        let text = edited.map_err(|why| not_editable(&path, &why))?;
        Ok((path, read, Some(text)))
    }

    /// The source of the file that defines a health check, CIDR collection or delegation set.
    pub(super) fn defining_file(&self, id: &ObjectId) -> Option<SourceFile> {
        let sources = self.files.iter().filter(|file| file.may_define).filter_map(|file| self.source_of(file).ok());
        let defines = |source: &SourceFile| match id {
            ObjectId::HealthCheck(id) => config::defines_health_check(source, id),
            ObjectId::CidrCollection(id) => config::defines_cidr_collection(source, id),
            ObjectId::DelegationSet(id) => config::defines_delegation_set(source, id),
            ObjectId::TrafficPolicy(id) => config::defines_traffic_policy(source, id),
            ObjectId::AliasTarget(name) => config::defines_alias_target(source, name),
            ObjectId::HostedZone(_) => false,
        };
        sources.into_iter().find(defines)
    }

    /// Reads the edited text back: it must define the object after the change.
    fn verify(&self, prepared: &Prepared) -> Result<Option<ReadBack>, CommitError> {
        let Prepared { transition, file, after, .. } = prepared;
        let Some(source) = after else { return Ok(None) };
        let mut read_back = None;
        let is_as_decided = match &transition.after {
            Some(Object::HostedZone(zone)) => {
                let read = config::zone_with_index(&self.common, source, &self.settings);
                let defined = read.as_ref().and_then(|(reading, _)| reading.zone.as_ref());
                let is_as_decided = defined.is_some_and(|defined| is_same(defined, zone));
                read_back = read.map(|(reading, index)| ReadBack { reading, index, is_of_record_sets: false });
                is_as_decided
            }
            Some(Object::HealthCheck(check)) => {
                self.definitions_with(source).is_some_and(|all| all.health_checks.contains(check))
            }
            Some(Object::CidrCollection(collection)) => {
                let sorted = |collection: &CidrCollection| {
                    let mut collection = collection.clone();
                    collection.locations.sort();
                    collection
                };
                let is_it = |defined: &CidrCollection| sorted(defined) == sorted(collection);
                self.definitions_with(source).is_some_and(|all| all.cidr_collections.iter().any(is_it))
            }
            Some(Object::DelegationSet(set)) => {
                self.definitions_with(source).is_some_and(|all| all.delegation_sets.contains(set))
            }
            Some(Object::TrafficPolicy(policy)) => {
                self.definitions_with(source).is_some_and(|all| all.traffic_policies.contains(policy))
            }
            Some(Object::AliasTarget(target)) => {
                let defines = |all: SharedDefinitions| all.alias_resources.iter().any(|defined| *defined == **target);
                self.definitions_with(source).is_some_and(defines)
            }
            None => true,
        };
        if is_as_decided {
            return Ok(read_back);
        }
        // A mistake in the editor, or record sets that come from the settings ([dns] name_servers).
        Err(unavailable(&format!("{} would not define what was requested", file.display())))
    }

    /// The definitions of all files when one of them has another text.
    fn definitions_with(&self, changed: &SourceFile) -> Option<SharedDefinitions> {
        let others = self.files.iter().filter(|file| file.may_define && file.path != changed.path);
        let mut sources = others.map(|file| self.source_of(file).ok()).collect::<Option<Vec<_>>>()?;
        sources.push(changed.clone());
        sources.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        SharedDefinitions::read(&sources)
    }
}

impl Prepared {
    /// Writes the file durably, for this commit if there is one, which was decided on sources of
    /// this revision.
    pub(crate) fn write(
        &self,
        sources: &dyn Sources,
        commit: Option<&Commit>,
        decided_on: i64,
    ) -> Result<(), ReplaceError> {
        sources.write(&FileWrite {
            path: &self.file,
            before: self.before.as_ref().map(|source| &*source.text),
            after: self.after.as_ref().map(|source| &*source.text),
            author: commit.map(|commit| &commit.author),
            submission: commit.and_then(|commit| commit.submission.as_ref()),
            reach: self.reach(),
            decided_on,
        })
    }

    /// A zone concerns no other file while only record sets without references change.
    fn reach(&self) -> Reach {
        let (Some(Object::HostedZone(before)), Some(Object::HostedZone(after))) =
            (&self.transition.before, &self.transition.after)
        else {
            return Reach::Others;
        };
        let refers = |set: &&Arc<ResourceRecordSet>| {
            set.health_check.is_some() || matches!(set.routing_policy, RoutingPolicy::IpBased { .. })
        };
        let (_, old, new) = before.differing_sets(after);
        let references = |sets: &[Arc<ResourceRecordSet>]| {
            let sets = sets.iter().filter(refers);
            sets.map(|set| (set.key(), set.health_check.clone(), set.routing_policy.clone())).collect::<Vec<_>>()
        };
        let has_same_instances = before.attachments.policy_instances == after.attachments.policy_instances;
        let is_own = before.identity() == after.identity() && has_same_instances && references(old) == references(new);
        if is_own { Reach::File } else { Reach::Others }
    }
}

fn policy(object: Option<&Object>) -> Option<&TrafficPolicy> {
    match object {
        Some(Object::TrafficPolicy(policy)) => Some(policy),
        _ => None,
    }
}

fn target(object: Option<&Object>) -> Option<&AliasResource> {
    match object {
        Some(Object::AliasTarget(target)) => Some(target),
        _ => None,
    }
}

fn check(object: Option<&Object>) -> Option<&HealthCheck> {
    match object {
        Some(Object::HealthCheck(check)) => Some(check),
        _ => None,
    }
}

fn collection(object: Option<&Object>) -> Option<&CidrCollection> {
    match object {
        Some(Object::CidrCollection(collection)) => Some(collection),
        _ => None,
    }
}

/// Whether both are equal, with record sets in any order. Most are in the same order.
fn is_same(one: &HostedZone, other: &HostedZone) -> bool {
    let sorted = |sets: &[Arc<ResourceRecordSet>]| {
        let mut sets: Vec<_> = sets.to_vec();
        sets.sort_by_cached_key(|set| set.key());
        sets
    };
    let (_, one_sets, other_sets) = one.differing_sets(other);
    one.has_same_members(other) && sorted(one_sets) == sorted(other_sets)
}

fn no_such_health_check(id: &HealthCheckId) -> CommitError {
    Refusal::new(ErrorCode::NoSuchHealthCheck, format!("No health check exists with the specified ID: {}", id.0)).into()
}

fn not_editable(path: &Path, why: &EditError) -> CommitError {
    unavailable(&format!("{} cannot be edited: {why}", path.display()))
}

fn unavailable(why: &str) -> CommitError {
    CommitError::Unavailable(why.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::load::{FileSources, Scope, load_offline};
    use crate::model::{Content, Name, RecordData, RecordType};
    use crate::store::{Overrides, SettingsSource};

    const ZONE: &str = "name = \"lab.test\" # a comment\n\n[[record]]\nname = \"www\"\ntype = \"A\"\nttl = 60\nvalues = \
                        [\"192.0.2.1\"]\n";
    const CHECK: &str = "[[health_check]]\nname = \"blue\"\ntype = \"tcp\"\nip_address = \"192.0.2.1\"\nport = 80\n";

    fn directory() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("lab.test.toml"), ZONE).unwrap();
        std::fs::write(directory.path().join("checks.toml"), CHECK).unwrap();
        directory
    }

    fn load(directory: &Path) -> LoadedConfig {
        let overrides = Overrides { zones: Some(directory.to_owned()), ..Overrides::default() };
        let settings = SettingsSource { file: None, overrides };
        load_offline(&settings, &[], Scope::Zones).unwrap_or_else(|refused| panic!("{refused}")).base
    }

    fn edit(config: &LoadedConfig, batch: ChangeBatch) -> Result<Prepared, CommitError> {
        let id = config.zone_outlines().next().unwrap().id.clone();
        config.prepare(&ObjectId::HostedZone(id), &Change::RecordSets(config.with_ids(batch)?))
    }

    fn write(prepared: &Prepared) -> Result<(), ReplaceError> {
        prepared.write(&FileSources::default(), None, 0)
    }

    fn text(prepared: &Prepared) -> &str {
        &prepared.after.as_ref().unwrap().text
    }

    fn set(name: &str, value: &str) -> ResourceRecordSet {
        ResourceRecordSet {
            name: Name::parse(name).unwrap(),
            record_type: RecordType::A,
            set_identifier: None,
            routing_policy: RoutingPolicy::Simple,
            content: Content::Records { ttl: 60, values: vec![RecordData::parse(RecordType::A, value).unwrap()] },
            health_check: None,
        }
    }

    fn upsert(record_set: ResourceRecordSet) -> ChangeBatch {
        ChangeBatch { comment: None, changes: vec![RecordChange { action: ChangeAction::Upsert, record_set }] }
    }

    #[test]
    fn a_batch_changes_the_file_and_the_next_load_has_it() {
        let directory = directory();
        let edit = edit(&load(directory.path()), upsert(set("new.lab.test", "192.0.2.2"))).unwrap();
        write(&edit).unwrap();
        let text = std::fs::read_to_string(directory.path().join("lab.test.toml")).unwrap();
        assert!(text.starts_with(ZONE), "{text}");
        let config = load(directory.path());
        let zone = config.zone_models().next().unwrap().unwrap();
        assert!(zone.record_sets.contains(&set("new.lab.test", "192.0.2.2").into()));
    }

    #[test]
    fn health_checks_are_named_by_name_or_id_and_must_exist() {
        let directory = directory();
        let config = load(directory.path());
        let with = |check: &str| {
            let health_check = Some(HealthCheckId(check.to_owned()));
            let set_identifier = Some("one".to_owned());
            let routing_policy = RoutingPolicy::Weighted { weight: 1 };
            upsert(ResourceRecordSet { health_check, set_identifier, routing_policy, ..set("w.lab.test", "192.0.2.2") })
        };
        for check in ["blue", &config.checks[0].id.0] {
            let edit = edit(&config, with(check)).unwrap();
            assert!(text(&edit).contains("health_check = \"blue\"\n"), "{}", text(&edit));
        }
        let refused = edit(&config, with("green")).unwrap_err();
        assert_eq!(refused.to_string(), "No health check exists with the specified ID: green");
    }

    #[test]
    fn a_file_that_was_saved_meanwhile_is_not_written() {
        let directory = directory();
        let edit = edit(&load(directory.path()), upsert(set("new.lab.test", "192.0.2.2"))).unwrap();
        let path = directory.path().join("lab.test.toml");
        std::fs::write(&path, "name = \"lab.test\"\n").unwrap();
        assert!(matches!(write(&edit), Err(ReplaceError::Changed)));
        assert_eq!(std::fs::read_to_string(path).unwrap(), "name = \"lab.test\"\n");
    }

    #[test]
    fn every_reason_of_a_refusal_is_listed() {
        let directory = directory();
        let create = |name: &str| RecordChange { action: ChangeAction::Create, record_set: set(name, "192.0.2.1") };
        let changes = vec![create("www.lab.test"), create("www.other.test"), create("www.lab.test")];
        let refused = edit(&load(directory.path()), ChangeBatch { comment: None, changes }).unwrap_err().to_string();
        assert_eq!(refused.lines().count(), 2, "{refused}");
        assert!(refused.contains("already exists") && refused.contains("an invalid set of changes"), "{refused}");
    }
}
