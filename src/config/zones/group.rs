//! `[[record_group]]`: what holds for all record sets of one name and type together.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::time::Duration;

use super::super::document::Diagnostics;
use super::super::table::Table;
use super::record;
use crate::model::{HostedZone, Name, RecordGroup, RecordType, RoutingPolicy, WhenAllUnhealthy};

/// A group as it is written.
pub(super) struct GroupDraft {
    pub(super) group: RecordGroup,
    name: Range<usize>,
    slow_start: Range<usize>,
}

/// Reads a group; `None` when it cannot be told which group is meant.
pub(super) fn read(table: &Table<'_>, zone: &Name, diagnostics: &mut Diagnostics<'_>) -> Option<GroupDraft> {
    let name = record::read_name(table, zone, diagnostics);
    let record_type = record::read_type(table, diagnostics);
    let when_all_unhealthy = read_when_all_unhealthy(table, diagnostics);
    let mut duration = |key| table.duration(key, diagnostics).map_or(Duration::ZERO, |written| written.value);
    let (failback_delay, slow_start) = (duration("failback_delay"), duration("slow_start"));
    let group = RecordGroup { name: name?, record_type: record_type?, when_all_unhealthy, failback_delay, slow_start };
    Some(GroupDraft { group, name: table.span_of("name"), slow_start: table.span_of("slow_start") })
}

fn read_when_all_unhealthy(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> WhenAllUnhealthy {
    match table.choice("when_all_unhealthy", diagnostics).map(|word| word.value) {
        Some("none") => WhenAllUnhealthy::None,
        Some("last_healthy") => WhenAllUnhealthy::LastHealthy,
        _ => WhenAllUnhealthy::All,
    }
}

/// A group is described once, and has records; only weighted ones can start slowly.
pub(super) fn check(groups: &[GroupDraft], zone: &HostedZone, is_incomplete: bool, diagnostics: &mut Diagnostics<'_>) {
    if groups.is_empty() {
        return;
    }
    let existing: HashMap<(&Name, RecordType), &RoutingPolicy> =
        zone.record_sets.iter().map(|set| ((&set.name, set.record_type), &set.routing_policy)).collect();
    let mut described = HashSet::new();
    for GroupDraft { group, name: at, slow_start } in groups {
        let RecordGroup { name, record_type, .. } = group;
        if !described.insert((name, *record_type)) {
            let message = format!("the group {name} {record_type} is described twice");
            diagnostics.error(at.clone(), message).label("described above already");
        }
        match existing.get(&(name, *record_type)) {
            None if !is_incomplete => {
                let diagnostic = diagnostics.error(at.clone(), format!("the zone has no records {name} {record_type}"));
                diagnostic
                    .label("no such group")
                    .hint("a group is all records of one name and type: give it those of a [[record]]");
            }
            Some(policy) if !group.slow_start.is_zero() && !matches!(policy, RoutingPolicy::Weighted { .. }) => {
                let message = format!("the records {name} {record_type} are not weighted");
                let diagnostic = diagnostics.error(slow_start.clone(), message);
                diagnostic
                    .label("a share can only grow where there are weights")
                    .hint("for other policies there is failback_delay: in use again after so long");
            }
            _ => {}
        }
    }
}
