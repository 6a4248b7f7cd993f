//! A group of record sets as a tree: its policy, its members, and the groups that its aliases point
//! to.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::answer::{GroupStatus, MemberIndex, group_status};
use crate::health::Status;
use crate::model::geography::{continent_name, country_name, subdivision_name};
use crate::model::{
    Content, FailoverRole, GeoLocation, HealthCheckId, HostedZone, Name, RecordType, ResourceRecordSet, RoutingPolicy,
    WhenAllUnhealthy,
};
use crate::world::World;

use super::health;
use super::reports::Report;
use super::shapes::{AliasShape, GroupShape, GroupStateShape, MemberCheckShape, MemberShape, StatusShape};

/// Most values that a member shows; it can have 400.
const VALUES: usize = 20;

/// Name and type of a group.
pub(super) type Owner = (Name, RecordType);

/// The source of a zone, with the health that the tree shows.
pub(super) struct PolicyTrees<'f> {
    pub(super) zone: &'f HostedZone,
    /// The record sets by name and type, in the order of the zone, with those of traffic policies.
    groups: HashMap<Owner, Vec<&'f ResourceRecordSet>>,
    /// The record sets of the resources that aliases target, by the DNS name in the alias.
    resources: HashMap<Owner, Vec<&'f ResourceRecordSet>>,
    pub(super) world: &'f World,
    pub(super) checks: &'f HashMap<HealthCheckId, MemberCheckShape>,
}

impl<'f> PolicyTrees<'f> {
    pub(super) fn new(
        zone: &'f HostedZone,
        world: &'f World,
        checks: &'f HashMap<HealthCheckId, MemberCheckShape>,
    ) -> PolicyTrees<'f> {
        let mut groups: HashMap<Owner, Vec<&ResourceRecordSet>> = HashMap::new();
        let mut resources = HashMap::new();
        for set in zone.record_sets.iter().map(|set| &**set).chain(zone.policy_sets.iter().map(|one| &one.set)) {
            groups.entry((set.name.clone(), set.record_type)).or_default().push(set);
            if let Content::Alias(target) = &set.content
                && let Some(resource) = zone.resource_of(target)
            {
                let sets: Vec<&ResourceRecordSet> = resource.record_set(set.record_type).into_iter().collect();
                let mut rest = sets.clone();
                resources.insert((target.name.clone(), set.record_type), sets);
                // Those of another zone whose addresses it has.
                while let Some(next) = rest.pop() {
                    let Content::Alias(target) = &next.content else { continue };
                    if let Entry::Vacant(entry) = resources.entry((target.name.clone(), set.record_type)) {
                        let sets = zone.outside_sets(&target.name, set.record_type);
                        rest.extend(&sets);
                        entry.insert(sets);
                    }
                }
            }
        }
        PolicyTrees { zone, groups, resources, world, checks }
    }

    /// All groups but those of the further rules of traffic policies, which are branches of others.
    pub(super) fn owners(&self) -> impl Iterator<Item = &Owner> {
        let instances = &self.zone.attachments.policy_instances;
        let is_root = |owner: &&Owner| {
            self.origin(owner).is_none()
                || instances.iter().any(|one| one.name == owner.0 && one.record_type == owner.1)
        };
        self.groups.keys().filter(is_root)
    }

    /// The traffic policy that the record sets of a group come from, with its version and rule.
    fn origin(&self, owner: &Owner) -> Option<&str> {
        let is_of = |set: &ResourceRecordSet| set.record_type == owner.1 && set.name == owner.0;
        self.zone.policy_sets.iter().find(|policy| is_of(&policy.set)).map(|policy| policy.origin.as_str())
    }

    /// The record sets of a group.
    pub(super) fn sets(&self, owner: &Owner) -> &[&'f ResourceRecordSet] {
        self.groups.get(owner).or_else(|| self.resources.get(owner)).map_or(&[], Vec::as_slice)
    }

    /// True if a record set of this group has a health check or an alias target whose health
    /// counts.
    pub(super) fn has_health(&self, owner: &Owner) -> bool {
        let has_health = |set: &&ResourceRecordSet| match &set.content {
            Content::Alias(target) => target.evaluate_target_health || set.health_check.is_some(),
            Content::Records { .. } => set.health_check.is_some(),
        };
        self.sets(owner).iter().any(has_health)
    }

    /// The health of a group.
    pub(super) fn state(&self, owner: &Owner) -> GroupStateShape {
        if !self.has_health(owner) {
            return GroupStateShape::Unchecked;
        }
        match self.group_status(owner) {
            Some(group_status) => state_of(&group_status),
            None => GroupStateShape::Unchecked,
        }
    }

    fn group_status(&self, owner: &Owner) -> Option<GroupStatus> {
        group_status(self.world, &self.zone.id, &owner.0, owner.1)
    }

    /// The tree of a group, with at most `room` members in it.
    pub(super) fn tree(&self, owner: &Owner, room: &mut usize) -> GroupShape {
        self.grow(owner, room, &mut vec![owner.clone()])
    }

    /// `way` has the groups from the root to here, to stop at alias loops.
    fn grow(&self, owner: &Owner, room: &mut usize, way: &mut Vec<Owner>) -> GroupShape {
        let sets = self.sets(owner);
        let group_status = self.group_status(owner).filter(|group_status| group_status.usable.len() == sets.len());
        let has_health = self.has_health(owner);
        let state = match &group_status {
            Some(group_status) if has_health => state_of(group_status),
            // Policies do not choose between the records of a resource; its check says how it is.
            None if has_health && self.resources.contains_key(owner) => state_of_check(sets, self.checks),
            _ => GroupStateShape::Unchecked,
        };
        let shown = sets.len().min(*room);
        *room -= shown;
        let members = MemberIndex::number(&sets[..shown])
            .map(|(number, set)| self.member(number, set, group_status.as_ref(), room, way));
        GroupShape {
            name: owner.0.to_string(),
            record_type: owner.1.to_string(),
            policy: sets.first().map_or("simple", |set| set.routing_policy.name()).to_owned(),
            traffic_policy: self.origin(owner).map(str::to_owned),
            when_all_unhealthy: self.when_all_unhealthy(owner),
            state,
            members: members.collect(),
            not_shown: sets.len() - shown,
        }
    }

    fn member(
        &self,
        number: MemberIndex,
        set: &ResourceRecordSet,
        group_status: Option<&GroupStatus>,
        room: &mut usize,
        way: &mut Vec<Owner>,
    ) -> MemberShape {
        let (ttl, values, value_count, alias) = match &set.content {
            Content::Records { ttl, values } => {
                (Some(*ttl), values.iter().take(VALUES).map(ToString::to_string).collect(), values.len(), None)
            }
            Content::Alias(target) => {
                let owner = (target.name.clone(), set.record_type);
                let group = if self.sets(&owner).is_empty() || *room == 0 || way.contains(&owner) {
                    None
                } else {
                    way.push(owner.clone());
                    let group = self.grow(&owner, room, way);
                    way.pop();
                    Some(Box::new(group))
                };
                let shape = AliasShape {
                    target: target.name.to_string(),
                    alias_target: self.zone.resource_of(target).map(|resource| resource.name.clone()),
                    is_outside: target.hosted_zone.is_some(),
                    evaluate_target_health: target.evaluate_target_health,
                    exists: !self.sets(&owner).is_empty(),
                    group,
                };
                (None, Vec::new(), 0, Some(shape))
            }
        };
        let share = group_status
            .filter(|_| is_alike_for_all(&set.routing_policy))
            .map(|group_status| group_status.share(number));
        let check = set.health_check.as_ref().and_then(|id| self.checks.get(id)).cloned();
        MemberShape {
            set_identifier: set.set_identifier.clone(),
            role: role(&set.routing_policy),
            weight: match set.routing_policy {
                RoutingPolicy::Weighted { weight } => Some(weight),
                _ => None,
            },
            share,
            usable: match group_status {
                Some(group_status) => group_status.usable[usize::from(number)],
                None => check.as_ref().is_none_or(|check| check.status == StatusShape::Healthy),
            },
            reserve: group_status
                .is_some_and(|group_status| group_status.reserve.get(usize::from(number)) == Some(&true)),
            part: group_status.and_then(|group_status| group_status.part(number)),
            has_health: match &set.content {
                Content::Alias(target) => target.evaluate_target_health || set.health_check.is_some(),
                Content::Records { .. } => set.health_check.is_some(),
            },
            check,
            ttl,
            values,
            value_count,
            alias,
        }
    }

    fn when_all_unhealthy(&self, (name, record_type): &Owner) -> String {
        let mut groups = self.zone.record_groups.iter();
        let known = groups.find(|group| group.name == *name && group.record_type == *record_type);
        match known.map_or(WhenAllUnhealthy::All, |group| group.when_all_unhealthy) {
            WhenAllUnhealthy::All => "all",
            WhenAllUnhealthy::None => "none",
            WhenAllUnhealthy::LastHealthy => "last_healthy",
        }
        .to_owned()
    }
}

fn state_of_check(sets: &[&ResourceRecordSet], checks: &HashMap<HealthCheckId, MemberCheckShape>) -> GroupStateShape {
    match sets.first().and_then(|set| checks.get(set.health_check.as_ref()?)) {
        Some(check) if check.status == StatusShape::Unhealthy => GroupStateShape::Unhealthy,
        Some(_) => GroupStateShape::Healthy,
        None => GroupStateShape::Unchecked,
    }
}

fn state_of(group_status: &GroupStatus) -> GroupStateShape {
    match group_status.usable.iter().filter(|usable| **usable).count() {
        all if all == group_status.usable.len() => GroupStateShape::Healthy,
        0 if !group_status.reserve.contains(&true) => GroupStateShape::Unhealthy,
        _ => GroupStateShape::Degraded,
    }
}

/// True if the policy does not depend on the client.
fn is_alike_for_all(policy: &RoutingPolicy) -> bool {
    match policy {
        RoutingPolicy::Simple
        | RoutingPolicy::Weighted { .. }
        | RoutingPolicy::Failover { .. }
        | RoutingPolicy::MultivalueAnswer => true,
        RoutingPolicy::Latency { .. }
        | RoutingPolicy::Geolocation { .. }
        | RoutingPolicy::Geoproximity { .. }
        | RoutingPolicy::IpBased { .. } => false,
    }
}

/// The role of a record set in its policy, in words.
pub(super) fn role(policy: &RoutingPolicy) -> String {
    match policy {
        RoutingPolicy::Simple | RoutingPolicy::MultivalueAnswer => String::new(),
        RoutingPolicy::Weighted { weight } => format!("weight {weight}"),
        RoutingPolicy::Latency { region } => region.to_string(),
        RoutingPolicy::Failover { role: FailoverRole::Primary } => "primary".to_owned(),
        RoutingPolicy::Failover { role: FailoverRole::Secondary } => "secondary".to_owned(),
        RoutingPolicy::Geolocation { location } => area(*location),
        RoutingPolicy::Geoproximity { location, bias } => {
            if *bias == 0 {
                location.to_string()
            } else {
                format!("{location}, bias {bias:+}")
            }
        }
        RoutingPolicy::IpBased { location, .. } => location.as_deref().unwrap_or("everybody else").to_owned(),
    }
}

/// An area, in words.
pub(super) fn area(location: GeoLocation) -> String {
    match location {
        GeoLocation::Continent(continent) => continent_name(continent).to_owned(),
        GeoLocation::Country(country) => country_name(country).map_or_else(|| country.to_string(), str::to_owned),
        GeoLocation::Subdivision(country, subdivision) => {
            subdivision_name(country, subdivision).map_or_else(|| format!("{country}-{subdivision}"), str::to_owned)
        }
        GeoLocation::Default => "everybody else".to_owned(),
    }
}

/// The checks by id, as members show them.
pub(super) fn checks(report: &Report) -> HashMap<HealthCheckId, MemberCheckShape> {
    let checks = report.checks.iter();
    checks
        .map(|check| {
            let view = &check.view;
            let shape = MemberCheckShape {
                name: view.name.to_string(),
                status: health::status(view.final_status),
                since: crate::control::rfc3339(check.since()),
                pending: view.pending && view.final_status == Status::Healthy,
                overridden: report.override_of(check).is_some(),
            };
            (view.identity.id.clone(), shape)
        })
        .collect()
}
