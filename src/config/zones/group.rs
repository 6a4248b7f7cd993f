//! `[[record_group]]`: what holds for all record sets of one name and type together.

use super::super::document::Findings;
use super::super::table::{At, Table};
use super::record;
use crate::model::{HostedZone, Name, RecordGroup, WhenAllUnhealthy};

/// Reads a group; `None` when it cannot be told which group is meant.
pub(super) fn read(table: &Table<'_>, zone: &Name, findings: &mut Findings<'_>) -> Option<At<RecordGroup>> {
    let name = record::read_name(table, zone, findings);
    let record_type = record::read_type(table, findings);
    let when_all_unhealthy = read_when_all_unhealthy(table, findings);
    let group = RecordGroup { name: name?, record_type: record_type?, when_all_unhealthy };
    Some(At::new(group, table.span_of("name")))
}

fn read_when_all_unhealthy(table: &Table<'_>, findings: &mut Findings<'_>) -> WhenAllUnhealthy {
    match table.choice("when_all_unhealthy", findings).map(|word| word.value) {
        Some("none") => WhenAllUnhealthy::None,
        Some("last_healthy") => WhenAllUnhealthy::LastHealthy,
        _ => WhenAllUnhealthy::All,
    }
}

/// A group is described once, and has records.
pub(super) fn check(groups: &[At<RecordGroup>], zone: &HostedZone, is_incomplete: bool, findings: &mut Findings<'_>) {
    for (index, group) in groups.iter().enumerate() {
        let RecordGroup { name, record_type, .. } = &group.value;
        let is_same = |other: &At<RecordGroup>| other.value.name == *name && other.value.record_type == *record_type;
        if groups[..index].iter().any(is_same) {
            let message = format!("the group {name} {record_type} is described twice");
            findings.error(group.span.clone(), message).label("described above already");
        }
        let exists = zone.record_sets.iter().any(|set| set.name == *name && set.record_type == *record_type);
        if !exists && !is_incomplete {
            let message = format!("the zone has no records {name} {record_type}");
            let fault = findings.error(group.span.clone(), message);
            fault
                .label("no such group")
                .hint("a group is all records of one name and type: give it those of a [[record]]");
        }
    }
}
