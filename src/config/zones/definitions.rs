//! What each file defines for others and refers to, read without the other files.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use super::super::SourceFile;
use super::super::diagnostic::Reference;
use super::super::document;
use super::{file, traffic_policy};
use crate::model::{
    AliasResources, CidrCollectionId, Content, DelegationSetId, Field, HealthCheckId, Name, RecordSetKey, RecordType,
    ResourceRecordSet, TrafficPolicyId,
};

/// What a file defines for others, and what it refers to.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Definitions {
    pub(in super::super) defines: BTreeSet<Reference>,
    /// Its alias targets: a pattern can define any number of names.
    pub(in super::super) alias_targets: AliasResources,
    /// Its references, with positions.
    pub(in super::super) refers: Vec<(Reference, Range<usize>)>,
}

/// Reads only the definitions and references of a file.
pub(in super::super) fn definitions(source: &SourceFile) -> Definitions {
    let (root, mut diagnostics) = document::parse(source);
    let draft = file::read(&root, &mut diagnostics);
    let mut found = Definitions::default();
    for check in &draft.health_checks {
        found.defines.extend([&check.name, &check.id].map(|name| Reference::HealthCheck(name.value.clone())));
    }
    for collection in &draft.collections {
        found.defines.extend([&collection.name, &collection.id].map(|name| Reference::Collection(name.value.clone())));
    }
    for record in draft.zone.iter().flat_map(|zone| &zone.records) {
        let check =
            record.health_check.iter().map(|name| (Reference::HealthCheck(name.value.clone()), name.span.clone()));
        let cidr = record.cidr.iter().map(|cidr| &cidr.collection);
        let cidr = cidr.map(|name| (Reference::Collection(name.value.clone()), name.span.clone()));
        let target = target_outside(&record.set).map(|target| (target, record.spans.get(Field::Alias)));
        found.refers.extend(check.chain(cidr).chain(target));
    }
    let targets = draft.alias_targets.into_iter().filter_map(|target| Some(target.value?.resource));
    found.alias_targets = AliasResources::new(targets.collect());
    let children = draft.child_health_checks.into_iter();
    found.defines.extend(draft.traffic_policies.iter().map(|policy| Reference::TrafficPolicy(policy.id.value.clone())));
    for attached in draft.zone.iter().map(|zone| &zone.attachments) {
        let instances = traffic_policy::references(&attached.attachments.policy_instances, &attached.instance_spans);
        found.refers.extend(instances.map(|policy| (Reference::TrafficPolicy(policy.value), policy.span)));
    }
    let checks = children.chain(draft.checks_of_targets);
    found.refers.extend(checks.map(|check| (Reference::HealthCheck(check.value), check.span)));
    found
}

/// What an alias to another hosted zone refers to.
pub(super) fn target_outside(set: &ResourceRecordSet) -> Option<Reference> {
    let Content::Alias(alias) = &set.content else { return None };
    Some(Reference::AliasTarget(alias.hosted_zone.clone()?, alias.name.clone()))
}

/// Whether a file defines the health check with this id.
pub fn defines_health_check(source: &SourceFile, id: &HealthCheckId) -> bool {
    definitions(source).defines.contains(&Reference::HealthCheck(id.0.clone()))
}

/// Whether a file defines the CIDR collection with this id.
pub fn defines_cidr_collection(source: &SourceFile, id: &CidrCollectionId) -> bool {
    definitions(source).defines.contains(&Reference::Collection(id.0.clone()))
}

/// Whether a file defines the reusable delegation set with this id.
pub fn defines_delegation_set(source: &SourceFile, id: &DelegationSetId) -> bool {
    written_keys(source).delegation_sets.contains(&id.0)
}

/// Whether a file defines the traffic policy with this id.
pub fn defines_traffic_policy(source: &SourceFile, id: &TrafficPolicyId) -> bool {
    written_keys(source).traffic_policies.contains(&id.0)
}

/// Whether a file defines the alias target with this name.
pub fn defines_alias_target(source: &SourceFile, name: &str) -> bool {
    written_keys(source).alias_targets.iter().any(|known| known == name)
}

/// What identifies the contents of a file, each list in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct WrittenKeys {
    pub(in super::super) zone: Option<Name>,
    pub(in super::super) records: Vec<RecordSetKey>,
    /// The groups with settings.
    pub(in super::super) groups: Vec<(Name, RecordType)>,
    /// The ids of the checks and collections.
    pub(in super::super) health_checks: Vec<String>,
    pub(in super::super) collections: Vec<String>,
    pub(in super::super) delegation_sets: Vec<String>,
    pub(in super::super) traffic_policies: Vec<String>,
    /// The names of the alias targets.
    pub(in super::super) alias_targets: Vec<String>,
}

/// Reads only the keys of a file that has no errors.
pub(in super::super) fn written_keys(source: &SourceFile) -> WrittenKeys {
    let (root, mut diagnostics) = document::parse(source);
    let draft = file::read(&root, &mut diagnostics);
    let mut keys = WrittenKeys {
        health_checks: draft.health_checks.into_iter().map(|check| check.id.value).collect(),
        collections: draft.collections.into_iter().map(|collection| collection.id.value).collect(),
        delegation_sets: draft.delegation_sets.into_iter().map(|set| set.id.value).collect(),
        traffic_policies: draft.traffic_policies.into_iter().map(|policy| policy.id.value).collect(),
        alias_targets: draft.alias_targets.into_iter().map(|target| target.id.value).collect(),
        ..WrittenKeys::default()
    };
    if let Some(zone) = draft.zone {
        keys.zone = Some(zone.name.value);
        keys.records = zone.records.iter().map(|record| record.set.key()).collect();
        keys.groups = zone.record_groups.into_iter().map(|draft| (draft.group.name, draft.group.record_type)).collect();
    }
    keys
}

/// The names of a file's records, as far as they can be read.
pub fn record_names(source: &SourceFile) -> HashSet<Name> {
    let (root, mut diagnostics) = document::parse(source);
    let draft = file::read(&root, &mut diagnostics);
    draft.zone.into_iter().flat_map(|zone| zone.records).map(|record| record.set.name).collect()
}

/// Whether a file may have definitions for other files: its text contains the keys, or an escape
/// that may hide them.
pub fn may_define_for_others(file: &SourceFile) -> bool {
    let text = file.text.as_bytes();
    let holds = |word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
    memchr::memchr(b'\\', text).is_some()
        || ["health_check", "cidr_collection", "reusable_delegation_set", "traffic_policy", "alias_target"]
            .into_iter()
            .any(holds)
}
