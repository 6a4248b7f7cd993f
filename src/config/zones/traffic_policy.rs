//! Reads `[[traffic_policy]]` and the traffic policy instances of a zone, and makes the record sets
//! of these.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use super::super::diagnostic::Reference;
use super::super::document::Diagnostics;
use super::super::table::{At, Table};
use super::definition::{Defined, read_uuid};
use super::record;
use crate::model::{
    CidrCollection, HostedZone, InstanceError, Name, PolicyDocument, PolicySet, PolicyVersion, TrafficPolicy,
    TrafficPolicyId, TrafficPolicyInstance, policy_problems, policy_sets,
};

/// API TrafficPolicyName, TrafficPolicyComment.
const MAX_NAME_CHARACTERS: usize = 512;
const MAX_COMMENT_CHARACTERS: usize = 1024;

/// The instances of a zone, and where they are written.
pub(super) fn read_instances(
    root: &Table<'_>,
    zone: &Name,
    diagnostics: &mut Diagnostics<'_>,
) -> (Vec<TrafficPolicyInstance>, Vec<Range<usize>>) {
    let (mut instances, mut spans) = (Vec::new(), Vec::new());
    for table in root.tables("traffic_policy_instances", diagnostics) {
        let hints = [
            ("id", "a UUID of your own"),
            ("ttl", "such as ttl = 60"),
            ("policy", "the id of a [[traffic_policy]]"),
            ("version", "such as version = 1"),
        ];
        hints.into_iter().for_each(|(key, hint)| table.require(key, hint, diagnostics));
        let id = read_uuid(&table, diagnostics);
        let name = record::read_name(&table, zone, diagnostics);
        let record_type = record::read_type(&table, diagnostics);
        let ttl = table.integer("ttl", diagnostics).and_then(|ttl| u32::try_from(ttl.value).ok());
        let policy = table.string("policy", diagnostics);
        let version = table.integer("version", diagnostics).and_then(|version| u16::try_from(version.value).ok());
        let (Some(id), Some(name), Some(record_type), Some(ttl), Some(policy), Some(version)) =
            (id, name, record_type, ttl, policy, version)
        else {
            continue;
        };
        if !name.is_within(zone) {
            let message = format!("{name} is not in the zone {zone}");
            diagnostics.error(table.span_of("name"), message).label("a name of another zone");
            continue;
        }
        let policy = TrafficPolicyId(policy.value.to_owned());
        instances.push(TrafficPolicyInstance { id: id.value, name, ttl, policy, version, record_type });
        spans.push(table.span_of("policy"));
    }
    check_unique(&instances, &spans, diagnostics);
    (instances, spans)
}

fn check_unique(instances: &[TrafficPolicyInstance], spans: &[Range<usize>], diagnostics: &mut Diagnostics<'_>) {
    let mut seen = HashSet::new();
    for (instance, span) in instances.iter().zip(spans) {
        if !seen.insert((&instance.name, instance.record_type)) {
            let message = format!("{} {} has two traffic policy instances", instance.name, instance.record_type);
            diagnostics.error(span.clone(), message).label("the second one");
        }
    }
}

/// Reads a policy; `None` when it has no name or no id.
pub(super) fn read(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<Defined<TrafficPolicy>> {
    let mark = diagnostics.mark();
    table.require("id", "a UUID of your own", diagnostics);
    table.require("name", "such as name = \"canary\"", diagnostics);
    table.require("versions", "such as versions = [{ number = 1, document = '{…}' }]", diagnostics);
    let id = read_uuid(table, diagnostics);
    let name = table.string("name", diagnostics);
    if let Some(name) = name.as_ref().filter(|name| !(1..=MAX_NAME_CHARACTERS).contains(&name.value.chars().count())) {
        let message = format!("`name` must have 1 to {MAX_NAME_CHARACTERS} characters");
        diagnostics.error(name.span.clone(), message).label("too long or empty");
    }
    let mut versions: Vec<PolicyVersion> = Vec::new();
    for table in table.tables("versions", diagnostics) {
        let Some(version) = read_version(&table, diagnostics) else { continue };
        if versions.last().is_some_and(|last| last.number >= version.number) {
            let diagnostic = diagnostics.error(table.span_of("number"), "the versions are not in order");
            diagnostic.label("not above the one before it");
        }
        versions.push(version);
    }
    let (id, name) = (id?, name?);
    let is_faulty = diagnostics.has_error_since(mark) || !table.is_whole(diagnostics);
    let policy = TrafficPolicy { id: TrafficPolicyId(id.value.clone()), name: name.value.to_owned(), versions };
    // The name of a deleted policy is free.
    let name = if policy.latest().is_none() { id.clone() } else { name.map(str::to_owned) };
    Some(Defined { name, id, value: (!is_faulty).then_some(policy) })
}

fn read_version(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<PolicyVersion> {
    table.require("number", "such as number = 1", diagnostics);
    table.require("document", "the JSON of the document in single quotation marks", diagnostics);
    let number = table.integer("number", diagnostics).and_then(|number| u16::try_from(number.value).ok());
    let comment = table.string("comment", diagnostics);
    if let Some(comment) = comment.as_ref().filter(|one| one.value.chars().count() > MAX_COMMENT_CHARACTERS) {
        let message = format!("`comment` must have at most {MAX_COMMENT_CHARACTERS} characters");
        diagnostics.error(comment.span.clone(), message).label("too long");
    }
    let is_deleted = table.boolean("deleted", diagnostics).is_some_and(|flag| flag.value);
    let document = table.string("document", diagnostics)?;
    if let Err(error) = PolicyDocument::read(document.value) {
        let diagnostic = diagnostics.error(document.span.clone(), format!("the document is not valid: {error}"));
        diagnostic.label("not a traffic policy document");
    }
    let comment = comment.map(|comment| comment.value.to_owned());
    Some(PolicyVersion { number: number?, comment, document: document.value.to_owned(), is_deleted })
}

/// The record sets of the instances of a zone, whose other parts are read. What is wrong is
/// reported at the instances.
pub(super) fn sets_of(
    zone: &HostedZone,
    spans: &[Range<usize>],
    (policies, collections): (&[TrafficPolicy], &[CidrCollection]),
    udp_payload_max: u16,
    diagnostics: &mut Diagnostics<'_>,
) -> Arc<[PolicySet]> {
    let mut sets = Vec::new();
    for (instance, span) in zone.attachments.policy_instances.iter().zip(spans) {
        match policy_sets(&zone.name, instance, policies) {
            Ok(of_instance) => sets.extend(of_instance),
            Err(error) => {
                let is_missing = matches!(error, InstanceError::NoPolicy(..));
                let message = match &error {
                    InstanceError::NoPolicy(id, version) => {
                        format!("no traffic policy has the id `{id}` and a version {version}")
                    }
                    InstanceError::Document(why) => why.clone(),
                };
                let diagnostic = diagnostics.error(span.clone(), message);
                diagnostic.label("has no record sets");
                if is_missing {
                    diagnostic.wants(Reference::TrafficPolicy(instance.policy.0.clone()));
                }
            }
        }
    }
    let sets: Arc<[PolicySet]> = sets.into();
    let mut zone = zone.with_record_sets(zone.record_sets.clone());
    zone.policy_sets = Arc::clone(&sets);
    if let (Some(span), Some(problem)) = (spans.first(), policy_problems(&zone, collections, udp_payload_max).first()) {
        let message = format!("the records of the traffic policy instances cannot be used: {problem}");
        diagnostics.error(span.clone(), message).label("one of these instances");
    }
    sets
}

/// The policies that instances refer to, with positions.
pub(super) fn references<'i>(
    instances: &'i [TrafficPolicyInstance],
    spans: &'i [Range<usize>],
) -> impl Iterator<Item = At<String>> + 'i {
    instances.iter().zip(spans).map(|(instance, span)| At::new(instance.policy.0.clone(), span.clone()))
}
