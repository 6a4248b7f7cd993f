//! Changes a zone file by a change batch, and only if the file is as it was read.
//!
//! The zone after the batch is computed from the model (`HostedZone::apply`); then the text of the
//! file is edited, read back and compared with it. So a file is never written that defines
//! something else than was asked for. If somebody saves the file meanwhile, nothing is written
//! ([`crate::store::replace_file`]); the caller loads again, and the batch is applied to the new
//! text.

use std::path::PathBuf;

use crate::config::{EditError, References, SourceFile, TextOrigin, edit_record_sets};
use crate::model::{
    Change, ChangeBatch, ChangeError, HealthCheckId, HostedZone, HostedZoneId, ResourceRecordSet, RoutingPolicy,
};
use crate::store::{ReplaceError, replace_file};

use super::{LoadedConfig, NoModel};

/// A change of a zone file that has been prepared.
#[derive(Debug)]
pub(crate) struct ZoneEdit {
    /// The file.
    pub(crate) file: PathBuf,
    /// Its text as it was read.
    read: SourceFile,
    /// Its new text.
    text: String,
}

/// Why a zone is not changed. Its file is as before.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeRefused {
    /// The zone cannot be read.
    #[error(transparent)]
    NoModel(#[from] NoModel),
    /// The batch refers to a health check that does not exist.
    #[error("No health check found with ID: {}", .0.0)]
    NoSuchHealthCheck(HealthCheckId),
    /// The batch contradicts the zone or its rules.
    #[error("{}", sentences(.0))]
    Batch(Vec<ChangeError>),
    /// The text of the file cannot be edited.
    #[error("{} cannot be edited: {why}", file.display())]
    NotEditable {
        /// The file.
        file: PathBuf,
        /// The reason.
        why: EditError,
    },
    /// The edited text does not define the changed zone. This protects against a mistake in the
    /// editor, and against records that come from the settings (`[dns] name_servers`).
    #[error("{} would not define the zone after the change", .0.display())]
    OtherZone(PathBuf),
}

fn sentences(errors: &[ChangeError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl LoadedConfig {
    /// Applies the batch to the text of the zone's file. Nothing is written yet. The batch may name
    /// health checks and CIDR collections by id or by name.
    pub(crate) fn edit_zone(&self, id: &HostedZoneId, batch: ChangeBatch) -> Result<ZoneEdit, ChangeRefused> {
        let file = self.files.iter().find(|file| file.id() == Some(id));
        let file = file.ok_or_else(|| NoModel::Unknown(id.clone()))?;
        let before = self.zone_model(id)?;
        let batch = self.with_ids(batch)?;
        let collections = &self.common.cidr_collections;
        let after =
            before.apply(&batch, collections, self.settings.dns.udp_payload_max).map_err(ChangeRefused::Batch)?;
        let path = file.path.clone();
        let read = self.source_of(file).map_err(|why| NoModel::Lost { file: path.clone(), why })?;
        let references = References::to(&self.checks, collections);
        let text = edit_record_sets(&read, &before, &after, &references)
            .map_err(|why| ChangeRefused::NotEditable { file: path.clone(), why })?;
        let edited = SourceFile { text: text.as_str().into(), ..read.clone() };
        let defined = self.common.zone(&edited, TextOrigin::Current, &self.settings).and_then(|reading| reading.zone);
        if !defined.is_some_and(|defined| is_same(&defined, &after)) {
            return Err(ChangeRefused::OtherZone(path));
        }
        Ok(ZoneEdit { file: path, read, text })
    }

    /// The batch with ids in the place of names.
    fn with_ids(&self, mut batch: ChangeBatch) -> Result<ChangeBatch, ChangeRefused> {
        for Change { record_set, .. } in &mut batch.changes {
            if let Some(written) = &mut record_set.health_check {
                let check = self.checks.iter().find(|check| check.id == *written || check.name == written.0);
                *written = check.ok_or_else(|| ChangeRefused::NoSuchHealthCheck(written.clone()))?.id.clone();
            }
            if let RoutingPolicy::IpBased { collection, .. } = &mut record_set.routing_policy {
                let known = self.common.cidr_collections.iter().find(|known| known.name == collection.0);
                *collection = known.map_or_else(|| collection.clone(), |known| known.id.clone());
            }
        }
        Ok(batch)
    }
}

impl ZoneEdit {
    /// Writes the file durably.
    pub(crate) fn write(&self) -> Result<(), ReplaceError> {
        replace_file(&self.file, &self.read.text, &self.text)
    }
}

/// Whether both have the same record sets, in any order, and the same settings of groups.
fn is_same(one: &HostedZone, other: &HostedZone) -> bool {
    let sorted = |zone: &HostedZone| {
        let mut sets: Vec<_> = zone.record_sets.clone();
        sets.sort_by_cached_key(ResourceRecordSet::key);
        sets
    };
    one.id == other.id && one.record_groups == other.record_groups && sorted(one) == sorted(other)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::load::{Scope, load_offline};
    use crate::model::{ChangeAction, Content, Name, RecordData, RecordType};
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

    fn edit(config: &LoadedConfig, batch: ChangeBatch) -> Result<ZoneEdit, ChangeRefused> {
        let id = config.zone_outlines().next().unwrap().id.clone();
        config.edit_zone(&id, batch)
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
        ChangeBatch { comment: None, changes: vec![Change { action: ChangeAction::Upsert, record_set }] }
    }

    #[test]
    fn a_batch_changes_the_file_and_the_next_load_has_it() {
        let directory = directory();
        let edit = edit(&load(directory.path()), upsert(set("new.lab.test", "192.0.2.2"))).unwrap();
        edit.write().unwrap();
        let text = std::fs::read_to_string(directory.path().join("lab.test.toml")).unwrap();
        assert!(text.starts_with(ZONE), "{text}");
        let config = load(directory.path());
        let zone = config.zone_models().next().unwrap().unwrap();
        assert!(zone.record_sets.contains(&set("new.lab.test", "192.0.2.2")));
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
            assert!(edit.text.contains("health_check = \"blue\"\n"), "{}", edit.text);
        }
        let refused = edit(&config, with("green")).unwrap_err();
        assert_eq!(refused.to_string(), "No health check found with ID: green");
    }

    #[test]
    fn a_file_that_was_saved_meanwhile_is_not_written() {
        let directory = directory();
        let edit = edit(&load(directory.path()), upsert(set("new.lab.test", "192.0.2.2"))).unwrap();
        let path = directory.path().join("lab.test.toml");
        std::fs::write(&path, "name = \"lab.test\"\n").unwrap();
        assert!(matches!(edit.write(), Err(ReplaceError::Changed)));
        assert_eq!(std::fs::read_to_string(path).unwrap(), "name = \"lab.test\"\n");
    }

    #[test]
    fn every_reason_of_a_refusal_is_listed() {
        let directory = directory();
        let create = |name: &str| Change { action: ChangeAction::Create, record_set: set(name, "192.0.2.1") };
        let changes = vec![create("www.lab.test"), create("www.other.test"), create("www.lab.test")];
        let refused = edit(&load(directory.path()), ChangeBatch { comment: None, changes }).unwrap_err().to_string();
        assert_eq!(refused.lines().count(), 2, "{refused}");
        assert!(refused.contains("already exists") && refused.contains("an invalid set of changes"), "{refused}");
    }
}
