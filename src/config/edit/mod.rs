//! Edits the text of zone files: the record sets and members that changed, and nothing else.
//!
//! In most files each `[[record]]` is a block of lines ([`blocks`]). Only the blocks of changed
//! record sets are edited, and in them only the changed members ([`record`]): comments, order and
//! layout stay. Where the blocks are known from the edit before, the rest of the file is not read
//! ([`indexed`]). A file with another structure, such as an inline list of records, is edited as
//! one document, which takes longer.

mod alias_target;
mod blocks;
mod collection;
mod delegation_set;
mod document;
mod file_name;
mod health_check;
mod indexed;
mod members;
mod pin;
mod record;
mod tables;
#[cfg(test)]
mod tests;
mod toml_text;
mod traffic_policy;
mod without_zone;
mod zone;

use std::collections::{HashMap, HashSet};

use toml_edit::Table;

use super::SourceFile;
use super::tree;
use super::zones::{WrittenKeys, written_keys};
use crate::model::{
    CidrCollection, CidrCollectionId, HealthCheck, HealthCheckId, HostedZone, Name, RecordGroup, RecordSetKey,
    RecordType, ResourceRecordSet,
};
pub use alias_target::edit_alias_target;
use blocks::{Block, Edits};
pub use collection::edit_cidr_collection;
pub use delegation_set::edit_delegation_set;
use document::{parse, push, remove_all, table_at};
pub use file_name::zone_file_name;
pub use health_check::edit_health_check;
pub use indexed::{IndexedEdit, IndexedFile, RecordIndex, zone_with_index};
pub use pin::pin_health_check;
pub use toml_text::{
    alias_target_text, changed_health_check_text, cidr_collection_text, delegation_set_text, health_check_text,
    hides_secrets, record_group_text, record_set_text, traffic_policy_text, zone_members_text,
};
pub use traffic_policy::edit_traffic_policy;
pub use without_zone::without_zone;
pub use zone::{edit_zone_members, new_zone_text, written_sets, zone_text};

/// How records refer to health checks and CIDR collections: by name.
#[derive(Debug, Default)]
pub struct References<'d> {
    health_checks: HashMap<&'d HealthCheckId, &'d str>,
    collections: HashMap<&'d CidrCollectionId, &'d str>,
}

/// Why a file cannot be edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The file is not valid TOML.
    #[error("the file is not valid TOML: {0}")]
    Syntax(String),
    /// The file does not define the record sets that were read from it.
    #[error("the file has changed")]
    Changed,
}

impl<'d> References<'d> {
    /// References to these definitions.
    pub fn to(checks: &'d [HealthCheck], collections: &'d [CidrCollection]) -> References<'d> {
        References {
            health_checks: checks.iter().map(|check| (&check.id, check.name.as_str())).collect(),
            collections: collections.iter().map(|collection| (&collection.id, collection.name.as_str())).collect(),
        }
    }

    fn health_check<'i>(&'i self, id: &'i HealthCheckId) -> &'i str {
        self.health_checks.get(id).copied().unwrap_or(&id.0)
    }

    fn cidr_collection<'i>(&'i self, id: &'i CidrCollectionId) -> &'i str {
        self.collections.get(id).copied().unwrap_or(&id.0)
    }
}

/// The text of `file`, which defines `before`, changed so that it defines the record sets of
/// `after`. A new record follows the others of its name, or else all records.
pub fn edit_record_sets(
    file: &SourceFile,
    before: &HostedZone,
    after: &HostedZone,
    references: &References<'_>,
) -> Result<String, EditError> {
    let keys = written_keys(file);
    let positions: HashMap<&RecordSetKey, usize> = keys.records.iter().enumerate().map(|(at, key)| (key, at)).collect();
    let mut difference = Difference::between(before, after);
    difference.write_defaults(after, |key| positions.contains_key(key));
    let editor = Editor { zone: &after.name, references, difference: &difference, keys: &keys, positions: &positions };
    let list = |root: &tree::Entries<'_>, key| blocks::of_list(root, key, &file.text);
    let blocks = tree::plain(&file.text).and_then(|root| list(&root, "record").zip(list(&root, "record_group")));
    match blocks {
        Some((records, groups)) => editor.edit_blocks(&file.text, &records, &groups),
        None => editor.edit_document(&file.text),
    }
}

/// What differs between two states of a zone.
struct Difference<'z> {
    removed: Vec<RecordSetKey>,
    /// Old and new.
    changed: Vec<(&'z ResourceRecordSet, &'z ResourceRecordSet)>,
    added: Vec<&'z ResourceRecordSet>,
    /// Groups that have no settings any more, or other ones.
    removed_groups: Vec<(&'z Name, RecordType)>,
    /// Groups that have settings now, or other ones.
    added_groups: Vec<&'z RecordGroup>,
}

impl<'z> Difference<'z> {
    fn between(before: &'z HostedZone, after: &'z HostedZone) -> Difference<'z> {
        let (_, old_sets, new_sets) = before.differing_sets(after);
        let mut old: HashMap<RecordSetKey, &ResourceRecordSet> =
            old_sets.iter().map(|set| (set.key(), &**set)).collect();
        let (mut changed, mut added) = (Vec::new(), Vec::new());
        for set in new_sets.iter().map(|set| &**set) {
            match old.remove(&set.key()) {
                Some(old) if old != set => changed.push((old, set)),
                Some(_) => {}
                None => added.push(set),
            }
        }
        let removed = old_sets.iter().map(|set| set.key()).filter(|key| old.contains_key(key));
        let removed_groups = before.record_groups.iter().filter(|group| !after.record_groups.contains(group));
        let added_groups = after.record_groups.iter().filter(|group| !before.record_groups.contains(group));
        Difference {
            removed: removed.collect(),
            changed,
            added,
            removed_groups: removed_groups.map(|group| (&group.name, group.record_type)).collect(),
            added_groups: added_groups.collect(),
        }
    }
}

impl<'z> Difference<'z> {
    /// Adds the default record sets, which the file leaves out, if one of them differs: they depend
    /// on one another.
    fn write_defaults(&mut self, after: &'z HostedZone, is_written: impl Fn(&RecordSetKey) -> bool) {
        let is_default = |key: &RecordSetKey| !is_written(key) && may_be_default(key);
        let is_apex_ns = |key: &RecordSetKey| key.record_type == RecordType::Ns && key.name == after.name;
        let removed = self.removed.len();
        self.removed.retain(|key| !is_default(key));
        let mut changed = self.changed.iter().map(|(_, new)| new.key());
        if self.removed.len() == removed && !changed.any(|key| is_default(&key) || is_apex_ns(&key)) {
            return;
        }
        self.changed.retain(|(_, new)| !is_default(&new.key()));
        let listed: HashSet<RecordSetKey> = self.added.iter().map(|set| set.key()).collect();
        let defaults = after
            .record_sets
            .iter()
            .map(|set| &**set)
            .filter(|set| is_default(&set.key()) && !listed.contains(&set.key()));
        self.added.extend(defaults);
    }
}

/// The block of one record with its changed members.
fn updated(
    block: &str,
    old: &ResourceRecordSet,
    new: &ResourceRecordSet,
    zone: &Name,
    references: &References<'_>,
) -> Result<String, EditError> {
    let mut document = parse(block)?;
    let table = table_at(&mut document, "record", 0)?;
    record::update(table, old, new, zone, references);
    Ok(document::print(&document, block))
}

/// Whether `default_records` makes sets like this one: SOA and NS.
fn may_be_default(key: &RecordSetKey) -> bool {
    key.set_identifier.is_none() && matches!(key.record_type, RecordType::Soa | RecordType::Ns)
}

/// Makes one edit.
struct Editor<'e> {
    zone: &'e Name,
    references: &'e References<'e>,
    difference: &'e Difference<'e>,
    keys: &'e WrittenKeys,
    /// The position of each record in the file.
    positions: &'e HashMap<&'e RecordSetKey, usize>,
}

impl Editor<'_> {
    fn edit_blocks(&self, text: &str, records: &[Block], groups: &[Block]) -> Result<String, EditError> {
        let mut edits = Edits::of(text);
        for key in &self.difference.removed {
            edits.remove(self.block(records, key)?);
        }
        for at in self.removed_groups() {
            edits.remove(groups.get(at).ok_or(EditError::Changed)?);
        }
        for (old, new) in &self.difference.changed {
            let block = self.block(records, &old.key())?;
            edits.replace(block, updated(&text[block.clone()], old, new, self.zone, self.references)?);
        }
        self.difference.added.iter().for_each(|set| self.add_block(&mut edits, records, set));
        let removed = self.removed_groups();
        let last = groups.iter().enumerate().rfind(|(at, _)| !removed.contains(at));
        for group in &self.difference.added_groups {
            edits.add(last.map(|(_, block)| block), &record::group_text(group, self.zone));
        }
        Ok(edits.finish())
    }

    fn block<'b>(&self, records: &'b [Block], key: &RecordSetKey) -> Result<&'b Block, EditError> {
        self.positions.get(key).and_then(|&at| records.get(at)).ok_or(EditError::Changed)
    }

    fn add_block(&self, edits: &mut Edits<'_>, records: &[Block], set: &ResourceRecordSet) {
        let is_kept = |(_, key): &(usize, &RecordSetKey)| !self.difference.removed.contains(key);
        let mut kept = self.keys.records.iter().enumerate().filter(is_kept);
        let same_name = kept.clone().rfind(|(_, key)| key.name == set.name);
        let after = same_name.or_else(|| kept.next_back()).and_then(|(at, _)| records.get(at));
        edits.add(after, &record::text(set, self.zone, self.references));
    }

    fn edit_document(&self, text: &str) -> Result<String, EditError> {
        let mut document = parse(text)?;
        for (old, new) in &self.difference.changed {
            let at = self.positions.get(&old.key()).copied().ok_or(EditError::Changed)?;
            let table = table_at(&mut document, "record", at)?;
            record::update(table, old, new, self.zone, self.references);
        }
        let positions =
            self.difference.removed.iter().map(|key| self.positions.get(key).copied().ok_or(EditError::Changed));
        remove_all(&mut document, "record", positions.collect::<Result<_, _>>()?);
        remove_all(&mut document, "record_group", self.removed_groups());
        for set in &self.difference.added {
            push(&mut document, "record", record::inline(set, self.zone, self.references));
        }
        for group in &self.difference.added_groups {
            let written = parse(&record::group_text(group, self.zone))?;
            let members = written.get("record_group").and_then(|groups| groups.as_array_of_tables()?.get(0)).cloned();
            push(&mut document, "record_group", members.map(Table::into_inline_table).unwrap_or_default());
        }
        Ok(document::print(&document, text))
    }

    /// The positions of the `[[record_group]]` tables to remove.
    fn removed_groups(&self) -> Vec<usize> {
        let is_removed = |(_, (name, record_type)): &(usize, &(Name, RecordType))| {
            self.difference.removed_groups.contains(&(name, *record_type))
        };
        self.keys.groups.iter().enumerate().filter(is_removed).map(|(at, _)| at).collect()
    }
}
