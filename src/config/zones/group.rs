//! `[[record_group]]`: what holds for all record sets of one name and type together.

use std::collections::HashSet;

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
    let existing: HashSet<_> = zone.record_sets.iter().map(|set| (&set.name, set.record_type)).collect();
    let mut described = HashSet::new();
    for group in groups {
        let RecordGroup { name, record_type, .. } = &group.value;
        if !described.insert((name, *record_type)) {
            let message = format!("the group {name} {record_type} is described twice");
            findings.error(group.span.clone(), message).label("described above already");
        }
        if !existing.contains(&(name, *record_type)) && !is_incomplete {
            let message = format!("the zone has no records {name} {record_type}");
            let fault = findings.error(group.span.clone(), message);
            fault
                .label("no such group")
                .hint("a group is all records of one name and type: give it those of a [[record]]");
        }
    }
}
