//! `[[record_group]]`: settings for all record sets of one name and type.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::time::Duration;

use super::super::document::Diagnostics;
use super::super::table::Table;
use super::record;
use crate::model::{HostedZone, Name, RecordGroup, RecordType, RoutingPolicy, WhenAllUnhealthy};

/// A group as written, with positions.
pub(super) struct GroupDraft {
    pub(super) group: RecordGroup,
    name: Range<usize>,
    slow_start: Range<usize>,
}

/// Reads a group; `None` when its name or type is unreadable.
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

/// Checks that each group is defined once and has records, and that `slow_start` is used only with
/// weighted records.
pub(super) fn check(groups: &[GroupDraft], zone: &HostedZone, is_incomplete: bool, diagnostics: &mut Diagnostics<'_>) {
    if groups.is_empty() {
        return;
    }
    let existing: HashMap<(&Name, RecordType), &RoutingPolicy> =
        zone.answered_sets().map(|set| ((&set.name, set.record_type), &set.routing_policy)).collect();
    let mut described = HashSet::new();
    for GroupDraft { group, name: at, slow_start } in groups {
        let RecordGroup { name, record_type, .. } = group;
        if !described.insert((name, *record_type)) {
            let message = format!("the group {name} {record_type} is defined twice");
            diagnostics.error(at.clone(), message).label("already defined above");
        }
        match existing.get(&(name, *record_type)) {
            None if !is_incomplete => {
                let diagnostic = diagnostics.error(at.clone(), format!("the zone has no records {name} {record_type}"));
                diagnostic
                    .label("no such group")
                    .hint("a group is all records of one name and type: use the name and type of a [[record]]");
            }
            Some(policy) if !group.slow_start.is_zero() && !matches!(policy, RoutingPolicy::Weighted { .. }) => {
                let message = format!("the records {name} {record_type} are not weighted");
                let diagnostic = diagnostics.error(slow_start.clone(), message);
                diagnostic
                    .label("`slow_start` works only with weighted routing")
                    .hint("for other policies use `failback_delay`");
            }
            _ => {}
        }
    }
}
