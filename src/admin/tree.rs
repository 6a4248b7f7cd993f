//! A group of record sets as a tree: its policy, its members, and the groups that its aliases point
//! to.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::answer::{GroupStatus, MemberIndex, group_status};
use crate::health::Status;
use crate::model::geography::{continent_name, country_name, subdivision_name};
use crate::model::{
    Content, FailoverRole, GeoLocation, GroupKey, HealthCheckId, HostedZone, ResourceRecordSet, RoutingPolicy,
    WhenAllUnhealthy,
};
use crate::world::World;

use super::health;
use super::reports::Report;
use super::shapes::{AliasShape, GroupShape, GroupStateShape, MemberCheckShape, MemberShape, StatusShape};

/// Most values that a member shows; it can have 400.
const VALUES: usize = 20;

/// The source of a zone, with the health that the tree shows.
pub(super) struct PolicyTrees<'f> {
    pub(super) zone: &'f HostedZone,
    /// The record sets, in the order of the zone, with those of traffic policies; and those outside
    /// the zone that aliases lead to.
    groups: HashMap<GroupKey, Vec<&'f ResourceRecordSet>>,
    pub(super) world: &'f World,
    pub(super) checks: &'f HashMap<HealthCheckId, MemberCheckShape>,
}

impl<'f> PolicyTrees<'f> {
    pub(super) fn new(
        zone: &'f HostedZone,
        world: &'f World,
        checks: &'f HashMap<HealthCheckId, MemberCheckShape>,
    ) -> PolicyTrees<'f> {
        let mut groups: HashMap<GroupKey, Vec<&ResourceRecordSet>> = HashMap::new();
        let mut outside = Vec::new();
        for set in zone.record_sets.iter().map(|set| &**set).chain(zone.policy_sets.iter().map(|one| &one.set)) {
            let key = GroupKey::in_zone(set.name.clone(), set.record_type);
            if let Content::Alias(target) = &set.content
                && target.hosted_zone.is_some()
            {
                outside.push(zone.target_of(&key, target));
            }
            groups.entry(key).or_default().push(set);
        }
        while let Some(key) = outside.pop() {
            if let Entry::Vacant(entry) = groups.entry(key) {
                outside.extend(zone.targets_of(entry.key()).filter(|target| !target.is_in_zone()));
                let sets = zone.sets_of(entry.key());
                entry.insert(sets);
            }
        }
        PolicyTrees { zone, groups, world, checks }
    }

    /// All groups but those of the further rules of traffic policies, which are branches of others.
    pub(super) fn roots(&self) -> impl Iterator<Item = &GroupKey> {
        let instances = &self.zone.attachments.policy_instances;
        let is_root = |key: &&GroupKey| {
            let is_instance = || instances.iter().any(|one| one.name == key.name && one.record_type == key.record_type);
            key.is_in_zone() && (self.zone.traffic_policy_of(key).is_none() || is_instance())
        };
        self.groups.keys().filter(is_root)
    }

    /// The record sets of a group.
    pub(super) fn sets(&self, key: &GroupKey) -> &[&'f ResourceRecordSet] {
        self.groups.get(key).map_or(&[], Vec::as_slice)
    }

    /// True if a record set of this group has a health check or an alias target whose health
    /// counts.
    pub(super) fn has_health(&self, key: &GroupKey) -> bool {
        let has_health = |set: &&ResourceRecordSet| match &set.content {
            Content::Alias(target) => target.evaluate_target_health || set.health_check.is_some(),
            Content::Records { .. } => set.health_check.is_some(),
        };
        self.sets(key).iter().any(has_health)
    }

    /// The health of a group.
    pub(super) fn state(&self, key: &GroupKey) -> GroupStateShape {
        if !self.has_health(key) {
            return GroupStateShape::Unchecked;
        }
        match self.group_status(key) {
            Some(group_status) => state_of(&group_status),
            None => GroupStateShape::Unchecked,
        }
    }

    fn group_status(&self, key: &GroupKey) -> Option<GroupStatus> {
        let GroupKey { name, record_type, .. } = key;
        key.is_in_zone().then(|| group_status(self.world, &self.zone.id, name, *record_type)).flatten()
    }

    /// The tree of a group, with at most `room` members in it.
    pub(super) fn tree(&self, key: &GroupKey, room: &mut usize) -> GroupShape {
        self.grow(key, room, &mut vec![key.clone()])
    }

    /// `way` has the groups from the root to here, to stop at alias loops.
    fn grow(&self, key: &GroupKey, room: &mut usize, way: &mut Vec<GroupKey>) -> GroupShape {
        let sets = self.sets(key);
        let group_status = self.group_status(key).filter(|group_status| group_status.usable.len() == sets.len());
        let has_health = self.has_health(key);
        let state = match &group_status {
            Some(group_status) if has_health => state_of(group_status),
            // The status of a group outside the zone is not known; the checks of its records are.
            None if has_health && !key.is_in_zone() => state_of_checks(sets, self.checks),
            _ => GroupStateShape::Unchecked,
        };
        let shown = sets.len().min(*room);
        *room -= shown;
        let members = MemberIndex::number(&sets[..shown])
            .map(|(number, set)| self.member(number, (key, set), group_status.as_ref(), room, way));
        GroupShape {
            name: key.name.to_string(),
            record_type: key.record_type.to_string(),
            policy: sets.first().map_or("simple", |set| set.routing_policy.name()).to_owned(),
            traffic_policy: self.zone.traffic_policy_of(key).map(str::to_owned),
            when_all_unhealthy: self.when_all_unhealthy(key),
            state,
            members: members.collect(),
            not_shown: sets.len() - shown,
        }
    }

    fn member(
        &self,
        number: MemberIndex,
        (key, set): (&GroupKey, &ResourceRecordSet),
        group_status: Option<&GroupStatus>,
        room: &mut usize,
        way: &mut Vec<GroupKey>,
    ) -> MemberShape {
        let (ttl, values, value_count, alias) = match &set.content {
            Content::Records { ttl, values } => {
                (Some(*ttl), values.iter().take(VALUES).map(ToString::to_string).collect(), values.len(), None)
            }
            Content::Alias(target) => {
                let next = self.zone.target_of(key, target);
                let group = if self.sets(&next).is_empty() || *room == 0 || way.contains(&next) {
                    None
                } else {
                    way.push(next.clone());
                    let group = self.grow(&next, room, way);
                    way.pop();
                    Some(Box::new(group))
                };
                let shape = AliasShape {
                    target: target.name.to_string(),
                    alias_target: self.zone.resource_of(target).map(|resource| resource.name.clone()),
                    is_outside: target.hosted_zone.is_some(),
                    evaluate_target_health: target.evaluate_target_health,
                    exists: !self.sets(&next).is_empty(),
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

    fn when_all_unhealthy(&self, key: &GroupKey) -> String {
        let settings = self.zone.settings_of(key);
        match settings.map_or(WhenAllUnhealthy::All, |settings| settings.when_all_unhealthy) {
            WhenAllUnhealthy::All => "all",
            WhenAllUnhealthy::None => "none",
            WhenAllUnhealthy::LastHealthy => "last_healthy",
        }
        .to_owned()
    }
}

fn state_of_checks(sets: &[&ResourceRecordSet], checks: &HashMap<HealthCheckId, MemberCheckShape>) -> GroupStateShape {
    let known = sets.iter().filter_map(|set| checks.get(set.health_check.as_ref()?));
    let known: Vec<bool> = known.map(|check| check.status == StatusShape::Healthy).collect();
    match known.iter().filter(|is_healthy| !**is_healthy).count() {
        _ if known.is_empty() => GroupStateShape::Unchecked,
        0 => GroupStateShape::Healthy,
        down if down == sets.len() => GroupStateShape::Unhealthy,
        _ => GroupStateShape::Degraded,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::fixture::{lab_with_resource, name, world};
    use crate::model::{Name, RecordType};

    #[test]
    fn a_resource_is_not_the_records_of_the_same_name_in_another_zone() {
        let (zone, checks) = (lab_with_resource(), HashMap::new());
        let world = world(std::slice::from_ref(&zone), &[]);
        let trees = PolicyTrees::new(&zone, &world, &checks);
        let root = GroupKey::in_zone(name("www"), RecordType::A);
        assert!(trees.roots().any(|key| *key == root));
        assert!(!trees.roots().any(|key| key.name == Name::parse("www.other.test").unwrap()));
        let target = |group: &GroupShape| {
            let alias = group.members[0].alias.as_ref().unwrap();
            assert_eq!((alias.target.as_str(), alias.exists), ("www.other.test.", true));
            (alias.alias_target.clone(), (**alias.group.as_ref().unwrap()).clone())
        };
        let (resource, group) = target(&trees.tree(&root, &mut 100));
        assert_eq!((resource.as_deref(), group.policy.as_str()), (Some("balancer"), "simple"));
        let (resource, group) = target(&group);
        assert_eq!((resource, group.policy.as_str(), group.when_all_unhealthy.as_str()), (None, "weighted", "none"));
        let values: Vec<_> = group.members.iter().map(|member| member.values.join(" ")).collect();
        assert_eq!(values, ["192.0.2.1", "192.0.2.2"]);
    }
}
