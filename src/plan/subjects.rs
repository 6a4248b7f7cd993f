//! The names and types whose answers a change can change.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::history::ObjectChange;
use crate::load::{LoadedConfig, NoModel};
use crate::model::{Content, HostedZone, HostedZoneId, Name, RecordData, RecordType, ResourceRecordSet, RoutingPolicy};
use crate::objects::ObjectId;

/// A name and a type.
pub(super) type Owner = (Name, RecordType);

/// The states of one zone; one of them may be missing.
type States = [Option<Arc<HostedZone>>; 2];

/// The owners of the record sets that differ, and their aliases, in the order of their names.
pub(super) fn of(before: &LoadedConfig, after: &LoadedConfig, changes: &[&ObjectChange]) -> Result<Vec<Owner>, String> {
    let definitions: HashSet<&str> =
        changes.iter().filter(|change| !is_zone(change)).map(|change| change.object.text()).collect();
    let mut owners = BTreeSet::new();
    for id in zones(before, after, changes, !definitions.is_empty()) {
        let states = [model(before, &id)?, model(after, &id)?];
        let mut touched = differing(&states);
        for zone in states.iter().flatten() {
            touched.extend(zone.answered_sets().filter(|set| refers_to(set, &definitions)).map(owner));
        }
        touched.extend(aliases_of_other_targets(&states));
        add_aliases(&states, &mut touched);
        owners.extend(touched);
    }
    Ok(owners.into_iter().collect())
}

fn is_zone(change: &ObjectChange) -> bool {
    matches!(change.object, ObjectId::HostedZone(_))
}

/// The zones that change; all if something changes that they can refer to.
fn zones(before: &LoadedConfig, after: &LoadedConfig, changes: &[&ObjectChange], all: bool) -> BTreeSet<HostedZoneId> {
    if all {
        return before.zone_outlines().chain(after.zone_outlines()).map(|zone| zone.id.clone()).collect();
    }
    let id = |change: &&ObjectChange| match &change.object {
        ObjectId::HostedZone(id) => Some(id.clone()),
        _ => None,
    };
    changes.iter().filter_map(id).collect()
}

fn model(config: &LoadedConfig, id: &HostedZoneId) -> Result<Option<Arc<HostedZone>>, String> {
    match config.zone_model(id) {
        Ok(zone) => Ok(Some(zone)),
        // It answers SERVFAIL, so it has no records.
        Err(NoModel::Unknown(_) | NoModel::Unavailable(_)) => Ok(None),
        Err(error @ NoModel::Lost { .. }) => Err(error.to_string()),
    }
}

fn differing(states: &States) -> HashSet<Owner> {
    let [Some(before), Some(after)] = states else {
        // Every zone has SOA and NS.
        let own = |zone: &Arc<HostedZone>| -> Vec<Owner> {
            let is_own = |set: &&ResourceRecordSet| !matches!(set.record_type, RecordType::Soa | RecordType::Ns);
            zone.answered_sets().filter(is_own).map(owner).collect()
        };
        return states.iter().flatten().flat_map(own).collect();
    };
    if before.vpcs != after.vpcs || before.record_groups != after.record_groups {
        return before.answered_sets().chain(after.answered_sets()).map(owner).collect();
    }
    let mut old: HashMap<_, &ResourceRecordSet> = before.answered_sets().map(|set| (set.key(), set)).collect();
    let is_other = |set: &&ResourceRecordSet| old.remove(&set.key()) != Some(*set);
    let mut touched: HashSet<Owner> = after.answered_sets().filter(is_other).map(owner).collect();
    touched.extend(old.into_values().map(owner));
    touched
}

/// The aliases whose `[[alias_target]]` is another one, or says something else.
fn aliases_of_other_targets([before, after]: &States) -> Vec<Owner> {
    let (Some(before), Some(after)) = (before, after) else { return Vec::new() };
    let is_other = |set: &&ResourceRecordSet| match &set.content {
        Content::Alias(target) => before.resource_of(target) != after.resource_of(target),
        Content::Records { .. } => false,
    };
    before.answered_sets().chain(after.answered_sets()).filter(is_other).map(owner).collect()
}

fn owner(set: &ResourceRecordSet) -> Owner {
    (set.name.clone(), set.record_type)
}

fn refers_to(set: &ResourceRecordSet, definitions: &HashSet<&str>) -> bool {
    let collection = match &set.routing_policy {
        RoutingPolicy::IpBased { collection, .. } => Some(&*collection.0),
        _ => None,
    };
    let check = set.health_check.as_ref().map(|check| &*check.0);
    [collection, check].into_iter().flatten().any(|id| definitions.contains(id))
}

/// Adds the aliases and CNAME records that lead to what is touched.
fn add_aliases(states: &States, touched: &mut HashSet<Owner>) {
    let sets = || states.iter().flatten().flat_map(|zone| zone.answered_sets());
    loop {
        let leads = |set: &ResourceRecordSet| -> Vec<Owner> {
            match &set.content {
                Content::Alias(target) if touched.contains(&(target.name.clone(), set.record_type)) => vec![owner(set)],
                Content::Records { values, .. } if set.record_type == RecordType::Cname => {
                    let target = values.first().and_then(RecordData::target);
                    let same = touched.iter().filter(|(name, _)| Some(name) == target.as_ref());
                    same.map(|(_, record_type)| (set.name.clone(), *record_type)).collect()
                }
                _ => Vec::new(),
            }
        };
        let new: Vec<Owner> = sets().flat_map(leads).filter(|owner| !touched.contains(owner)).collect();
        if new.is_empty() {
            return;
        }
        touched.extend(new);
    }
}
