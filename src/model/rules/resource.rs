//! Rules for aliases to resources outside the zone (API AliasTarget).

use std::collections::HashSet;

use super::alias::{NOT_WITHIN, TARGET_NOT_FOUND, attempt, describe_cycle};
use super::{Context, Diagnostics, Field};
use crate::model::alias_resource::plain_text;
use crate::model::{
    AliasService, AliasTarget, Content, GroupKey, HostedZoneId, Name, RecordType, ResourceRecordSet, TargetHealth,
};

/// The hosted zone is known and the name lies within it, or an `[[alias_target]]` says that it
/// does; and the service has what the alias requires.
pub(super) fn check_target(context: &Context<'_>, at: usize, set: &ResourceRecordSet, diagnostics: &mut Diagnostics) {
    let Content::Alias(alias) = &set.content else { return };
    let Some(id) = &alias.hosted_zone else { return };
    // That such a set cannot be an alias at all is an error already.
    if matches!(set.record_type, RecordType::Ns | RecordType::Soa) {
        return;
    }
    let resources = &context.zone.alias_resources;
    let found = resources.find(id, &alias.name);
    let attempt = attempt(&alias.name, set.record_type, &id.0);
    let is_outside = !alias.name.is_within(&context.zone.name);
    if !is_outside || (found.is_none() && !AliasService::zone_holds(id, &alias.name)) {
        let finding = diagnostics.error(at, Field::Alias, format!("{attempt}{NOT_WITHIN}"));
        finding.with_hint(hint(context, alias, id, is_outside));
        return;
    }
    let service = resources.service_of(id).or_else(|| found?.service);
    if service.is_some_and(|service| !service.has_type(set.record_type)) {
        let finding = diagnostics.error(at, Field::Alias, format!("{attempt}{TARGET_NOT_FOUND}"));
        finding.with_hint("an alias to a resource of AWS has the type A or AAAA");
        return;
    }
    if service.is_some_and(|service| service.target_health() == TargetHealth::Refused) {
        check_cloudfront(context, at, alias, diagnostics);
    }
    if let Some(name) = found.and_then(|resource| resource.addresses_of()) {
        check_addresses(context, at, name, diagnostics);
        if let Some(cycle) = cycle_of(context, set, alias) {
            let names = cycle.iter().map(|group| &group.name);
            let message = describe_cycle(names, &set.name, set.record_type);
            let finding = diagnostics.warning(at, Field::Alias, message);
            finding.with_hint(
                "the aliases answer with no records and count as unhealthy; `addresses_of` must be a name that leads to \
                 values",
            );
        }
    }
    if found.is_none() {
        let name = plain_text(&alias.name);
        let finding = diagnostics.warning(at, Field::Alias, format!("no `[[alias_target]]` matches {name}"));
        finding.with_hint(format!(
            "the alias answers with no records and counts as unhealthy until a file has an `[[alias_target]]` such as \
             name = \"{}\", target = \"{name}\", addresses = [\"192.0.2.1\"]",
            name.split('.').next().unwrap_or("target")
        ));
    }
}

/// The name whose addresses a resource has must have some.
fn check_addresses(context: &Context<'_>, at: usize, name: &Name, diagnostics: &mut Diagnostics) {
    let zone = context.zone;
    let has = |record_type| match zone.other_zone_of(name) {
        Some(other) => other.record_sets.iter().any(|set| set.record_type == record_type && set.name == *name),
        None => context.group_of.contains_key(&(name, record_type)),
    };
    // A zone that is read before the others cannot know.
    if zone.alias_resources.has_zones() && !has(RecordType::A) && !has(RecordType::Aaaa) {
        let message = format!("the alias target has the addresses of {name}, which has no A or AAAA records");
        let finding = diagnostics.warning(at, Field::Alias, message);
        finding.with_hint("the alias answers with no records and counts as unhealthy");
    }
}

/// The groups from this alias, by way of resources and other zones, back to its own group.
fn cycle_of(context: &Context<'_>, set: &ResourceRecordSet, alias: &AliasTarget) -> Option<Vec<GroupKey>> {
    let start = GroupKey::in_zone(set.name.clone(), set.record_type);
    let first = context.zone.target_of(&start, alias);
    let (mut seen, mut path) = (HashSet::from([start.clone()]), vec![(start.clone(), vec![first])]);
    while let Some((_, rest)) = path.last_mut() {
        match rest.pop() {
            None => drop(path.pop()),
            Some(next) if next == start => return Some(path.into_iter().map(|(group, _)| group).collect()),
            Some(next) if seen.insert(next.clone()) => {
                let rest = targets_of(context, &next);
                path.push((next, rest));
            }
            Some(_) => {}
        }
    }
    None
}

/// The groups that the aliases of a group lead to.
fn targets_of(context: &Context<'_>, group: &GroupKey) -> Vec<GroupKey> {
    if !group.is_in_zone() {
        return context.zone.targets_of(group).collect();
    }
    let index = context.group_of.get(&(&group.name, group.record_type));
    let members = index.into_iter().flat_map(|&index| context.groups[index].members);
    let alias = |(_, set): &(usize, &ResourceRecordSet)| match &set.content {
        Content::Alias(alias) => Some(context.zone.target_of(group, alias)),
        Content::Records { .. } => None,
    };
    members.filter_map(alias).collect()
}

fn check_cloudfront(context: &Context<'_>, at: usize, alias: &AliasTarget, diagnostics: &mut Diagnostics) {
    // API AliasTarget EvaluateTargetHealth, CloudFront distributions.
    if alias.evaluate_target_health {
        let message = "EvaluateTargetHealth cannot be true when the alias target is a CloudFront distribution";
        let finding = diagnostics.error(at, Field::Alias, message);
        finding.with_hint("set it to false; a `health_check` of the record decides when it is not answered");
    }
    // API AliasTarget HostedZoneId, CloudFront distribution.
    if context.zone.is_private() {
        let message = "an alias in a private hosted zone cannot target a CloudFront distribution";
        diagnostics.error(at, Field::Alias, message);
    }
}

fn hint(context: &Context<'_>, alias: &AliasTarget, id: &HostedZoneId, is_outside: bool) -> String {
    if !is_outside {
        return format!("for a record of the zone, the id of the hosted zone is {}", context.zone.id.0);
    }
    match AliasService::published_zone_of(&alias.name) {
        Some(known) => format!("the id of the hosted zone of such names is {}", known.0),
        None if AliasService::of_zone(id).is_some() => {
            "leave out the hosted zone for a record of the zone; to answer for another name, write an \
             `[[alias_target]]` whose `target` matches it"
                .to_owned()
        }
        None => format!(
            "{} is not a published id of AWS; to use it, write an `[[alias_target]]` with hosted_zone_id = \"{}\"",
            id.0, id.0
        ),
    }
}
