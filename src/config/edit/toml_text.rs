//! Objects as text, as a new file has them: for the history, from which a user can paste them back.

use std::collections::HashMap;
use std::ops::Range;

use super::members::lines;
use super::{References, alias_target, collection, delegation_set, health_check, record, traffic_policy, zone};
use crate::config::secrecy::Covered;
use crate::model::{
    AliasResource, CidrCollection, DelegationSet, HealthCheck, HostedZone, Name, RecordGroup, ResourceRecordSet,
    TrafficPolicy,
};

/// The `[[record]]` of a record set.
pub fn record_set_text(set: &ResourceRecordSet, zone: &Name, references: &References<'_>) -> String {
    record::text(set, zone, references)
}

/// The `[[record_group]]` of the settings of a group.
pub fn record_group_text(group: &RecordGroup, zone: &Name) -> String {
    record::group_text(group, zone)
}

/// The members of a zone.
pub fn zone_members_text(zone: &HostedZone) -> String {
    lines(&zone::head(zone))
}

/// What is behind a line whose secret value changed.
const SECRET_CHANGED: &str = " # a secret value changed";

/// The `[[health_check]]` of a check, without what is secret.
pub fn health_check_text(check: &HealthCheck, references: &References<'_>) -> String {
    let text = whole_text(check, references);
    Covered::of(&text).shown(0..text.len(), &text).into_owned()
}

/// The same of a check that was changed. A line with another secret value than before says so,
/// because nothing else may show it.
pub fn changed_health_check_text(
    (before, old_references): (&HealthCheck, &References<'_>),
    (after, references): (&HealthCheck, &References<'_>),
) -> String {
    let old_text = whole_text(before, old_references);
    let old_covered = Covered::of(&old_text);
    let old_secrets: HashMap<&str, String> =
        lines_of(&old_text).map(|(line, part)| (key(line), old_covered.hidden(part, &old_text))).collect();
    let text = whole_text(after, references);
    let covered = Covered::of(&text);
    let line = |(line, part): (&str, Range<usize>)| {
        let secret = covered.hidden(part.clone(), &text);
        let old_secret = old_secrets.get(key(line)).filter(|old| !old.is_empty() && !secret.is_empty());
        let mark = if old_secret.is_some_and(|old| *old != secret) { SECRET_CHANGED } else { "" };
        format!("{}{mark}\n", covered.shown(part, &text))
    };
    lines_of(&text).map(line).collect()
}

fn whole_text(check: &HealthCheck, references: &References<'_>) -> String {
    format!("[[health_check]]\n{}", lines(&health_check::new_members(check, references)))
}

/// The lines of a text and where they are.
fn lines_of(text: &str) -> impl Iterator<Item = (&str, Range<usize>)> {
    let mut start = 0;
    text.lines().map(move |line| {
        let part = start..start + line.len();
        start = part.end + 1;
        (line, part)
    })
}

fn key(line: &str) -> &str {
    line.split_once(" = ").map_or(line, |(key, _)| key)
}

/// Whether the text of an object hides something secret, or would if it had it.
pub fn hides_secrets(text: &str) -> bool {
    Covered::of(text).has_asterisks(&(0..text.len()))
}

/// The `[[cidr_collection]]` of a collection.
pub fn cidr_collection_text(collection: &CidrCollection) -> String {
    format!("[[cidr_collection]]\n{}", lines(&collection::new_members(collection)))
}

/// The `[[reusable_delegation_set]]` of a set.
pub fn delegation_set_text(set: &DelegationSet) -> String {
    format!("[[reusable_delegation_set]]\n{}", lines(&delegation_set::members(set)))
}

/// The `[[alias_target]]` of an alias target.
pub fn alias_target_text(target: &AliasResource, references: &References<'_>) -> String {
    format!("[[alias_target]]\n{}", lines(&alias_target::members(target, references)))
}

/// The `[[traffic_policy]]` of a policy.
pub fn traffic_policy_text(policy: &TrafficPolicy) -> String {
    format!("[[traffic_policy]]\n{}", lines(&traffic_policy::members(policy)))
}
