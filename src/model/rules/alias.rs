//! Rules for alias targets in the zone: a group of the same type, and no cycles.

use super::{Context, Diagnostics, Field, Group};
use crate::model::{AliasService, Content, HostedZoneId, Name, RecordType, ResourceRecordSet};

/// The most groups from an alias to records. Route 53 has no documented limit; this one is far
/// above real chains.
pub const MAX_ALIAS_CHAIN: usize = 16;
/// The ends of Route 53's sentences about targets.
pub(super) const TARGET_NOT_FOUND: &str = ", but that target was not found";
pub(super) const NOT_WITHIN: &str = ", but the alias target name does not lie within the target zone";
/// How many names of a cycle a message shows.
const MAX_SHOWN: usize = 8;

/// The target exists and is not the alias itself (API AliasTarget).
pub(super) fn check_target(context: &Context<'_>, at: usize, set: &ResourceRecordSet, diagnostics: &mut Diagnostics) {
    let Content::Alias(alias) = &set.content else { return };
    let (target, record_type) = (&alias.name, set.record_type);
    if matches!(record_type, RecordType::Ns | RecordType::Soa) {
        diagnostics.error(at, Field::Alias, format!("a record set of type {record_type} cannot be an alias"));
        return;
    }
    if alias.hosted_zone.is_some() {
        return;
    }
    let attempt = attempt(target, record_type, &context.zone.id.0);
    if !target.is_within(&context.zone.name) {
        let finding = diagnostics.error(at, Field::Alias, format!("{attempt}{NOT_WITHIN}"));
        finding.with_hint(match AliasService::published_zone_of(target) {
            Some(id) => format!("for the resource of AWS with this name, the id of the hosted zone is {}", id.0),
            None => format!("the target must lie in the alias's own zone, {}", context.zone.name),
        });
    } else if *target == set.name {
        diagnostics.error(at, Field::Alias, format!("the alias targets itself: {target}, type {record_type}"));
    } else if !context.group_of.contains_key(&(target, record_type)) {
        let finding = diagnostics.error(at, Field::Alias, format!("{attempt}{TARGET_NOT_FOUND}"));
        let others = types_at(context, set, target);
        if !others.is_empty() {
            finding.with_hint(format!("an alias targets its own type; {target} has {others}"));
        }
    }
}

/// The beginning of Route 53's sentences about the target of an alias.
pub(super) fn attempt(target: &Name, record_type: RecordType, zone: &str) -> String {
    format!("Tried to create an alias that targets {target}, type {record_type} in zone {zone}")
}

/// Route 53's sentence about a target that does not exist.
pub(in crate::model) fn target_not_found(target: &Name, record_type: RecordType, zone: &HostedZoneId) -> String {
    attempt(target, record_type, &zone.0) + TARGET_NOT_FOUND
}

fn types_at(context: &Context<'_>, set: &ResourceRecordSet, target: &Name) -> String {
    let exists = |record_type: &RecordType| context.group_of.contains_key(&(target, *record_type));
    let others = RecordType::ALL.into_iter().filter(|&record_type| record_type != set.record_type);
    others.filter(exists).map(RecordType::as_str).collect::<Vec<_>>().join(", ")
}

/// The state of a group in the search.
#[derive(Clone, Copy)]
enum Visit {
    New,
    /// On the current path, at this depth.
    OnPath(usize),
    /// Finished, with the number of groups on the longest path to records, itself included; 0 when
    /// it leads into a cycle.
    Done(usize),
}

/// Follows the aliases depth first, without recursion because a chain may be as long as the zone.
/// In each cycle the alias that leads back to the current path is reported, and in a chain that is
/// too long the alias that exceeds the limit.
pub(super) fn find_cycles(context: &Context<'_>, diagnostics: &mut Diagnostics) {
    if !context.zone.record_sets.iter().any(|set| matches!(set.content, Content::Alias(_))) {
        return;
    }
    let mut visits = vec![Visit::New; context.groups.len()];
    for start in 0..context.groups.len() {
        if matches!(visits[start], Visit::New) {
            walk(context, start, &mut visits, diagnostics);
        }
    }
}

fn walk(context: &Context<'_>, start: usize, visits: &mut [Visit], diagnostics: &mut Diagnostics) {
    let mut path = vec![(start, 0)];
    visits[start] = Visit::OnPath(0);
    while let Some((group, next)) = path.last_mut() {
        let Some(&(at, set)) = context.groups[*group].members.get(*next) else {
            visits[*group] = Visit::Done(chain_from(context, *group, visits, diagnostics));
            path.pop();
            continue;
        };
        *next += 1;
        let Some(target) = target_group(context, set) else { continue };
        match visits[target] {
            Visit::Done(_) => {}
            Visit::New => {
                visits[target] = Visit::OnPath(path.len());
                path.push((target, 0));
            }
            Visit::OnPath(depth) => {
                let cycle = path[depth..].iter().map(|&(group, _)| context.groups[group].name);
                let Group { name, record_type, .. } = context.groups[target];
                diagnostics
                    .error(at, Field::Alias, describe_cycle(cycle, name, record_type))
                    .with_hint("one of them must have values of its own");
            }
        }
    }
}

/// The number of groups on the longest path from here to records; 0 when a path leads into a cycle.
fn chain_from(context: &Context<'_>, group: usize, visits: &[Visit], diagnostics: &mut Diagnostics) -> usize {
    let mut longest = 0;
    for &(at, set) in context.groups[group].members {
        match target_group(context, set).map(|target| visits[target]) {
            None => {}
            Some(Visit::Done(rest @ 1..)) => {
                longest = longest.max(rest);
                if rest == MAX_ALIAS_CHAIN {
                    warn_of_long_chain(at, diagnostics);
                }
            }
            Some(_) => return 0,
        }
    }
    longest + 1
}

/// Reported once, where the chain becomes too long, not for the aliases that lead there.
fn warn_of_long_chain(at: usize, diagnostics: &mut Diagnostics) {
    let message =
        format!("the answer is empty: there are more than {} aliases before the records", MAX_ALIAS_CHAIN - 1);
    diagnostics.warning(at, Field::Alias, message).with_hint("let the alias target a name closer to the records");
}

/// The target group of the set. Another rule reports an alias to itself.
fn target_group(context: &Context<'_>, set: &ResourceRecordSet) -> Option<usize> {
    let Content::Alias(alias) = &set.content else { return None };
    if alias.name == set.name || alias.hosted_zone.is_some() {
        return None;
    }
    context.group_of.get(&(&alias.name, set.record_type)).copied()
}

pub(super) fn describe_cycle<'n>(
    cycle: impl ExactSizeIterator<Item = &'n Name>,
    back_to: &Name,
    record_type: RecordType,
) -> String {
    let hidden = cycle.len().saturating_sub(MAX_SHOWN);
    let mut names = cycle.take(MAX_SHOWN).map(ToString::to_string).collect::<Vec<_>>();
    if hidden > 0 {
        names.push(format!("… ({hidden} more)"));
    }
    names.push(back_to.to_string());
    format!("the aliases of type {record_type} form a cycle: {}", names.join(" → "))
}
