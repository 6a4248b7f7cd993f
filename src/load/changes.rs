//! What a load changed, for the log, the event log and the watchers of objects.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use crate::history::ObjectChange;
use crate::model::HostedZoneId;
use crate::objects::{ObjectEventKind, ObjectId};
use crate::zonetree::Zone;

use super::LoadedConfig;
use super::loaded_file::LoadedFile;

/// How many record sets of a zone are listed.
const LISTED: usize = 10;

/// The changes, for example `lab.test. changed: removed www.lab.test. A`.
pub(super) fn changes(before: &LoadedConfig, after: &LoadedConfig, objects: &[Arc<ObjectChange>]) -> Vec<String> {
    let (old, new) = (zones_not_in(after, before), zones_not_in(before, after));
    let by_id = |zones: &[&Arc<Zone>]| zones.iter().map(|&zone| (zone.id().clone(), Arc::clone(zone))).collect();
    let (old_ids, new_ids): (HashMap<_, _>, HashMap<_, _>) = (by_id(&old), by_id(&new));
    let mut changes = Vec::new();
    for zone in &new {
        match old_ids.get(zone.id()) {
            None => changes.push(format!("{} added", zone.name())),
            Some(old) if !Arc::ptr_eq(old, zone) => changes.push(changed(zone, objects)),
            Some(_) => {}
        }
    }
    let gone = old.iter().filter(|zone| !new_ids.contains_key(zone.id()));
    changes.extend(gone.map(|zone| format!("{} removed", zone.name())));
    let others = [
        (*before.checks != *after.checks, "health checks changed"),
        (!Arc::ptr_eq(&before.geo_lookup, &after.geo_lookup), "geo data changed"),
        (*before.settings != *after.settings, "settings changed"),
    ];
    changes.extend(others.iter().filter(|(is_other, _)| *is_other).map(|(_, text)| (*text).to_owned()));
    changes
}

fn changed(zone: &Zone, objects: &[Arc<ObjectChange>]) -> String {
    let id = ObjectId::HostedZone(zone.id().clone());
    match objects.iter().find(|change| change.object == id) {
        Some(change) => format!("{} changed: {}", zone.name(), change.outline(LISTED)),
        None => format!("{} changed", zone.name()),
    }
}

/// The zones of the files in `base` that are different or missing in `other`.
fn zones_not_in<'b>(other: &LoadedConfig, base: &'b LoadedConfig) -> Vec<&'b Arc<Zone>> {
    let is_other = |file: &&Arc<LoadedFile>| !other.file(&file.path).is_some_and(|known| Arc::ptr_eq(known, file));
    let zones = base.files.iter().filter(is_other).filter_map(|file| file.zone.as_ref());
    zones.map(|zone| &zone.compiled).collect()
}

impl LoadedConfig {
    /// The objects that a load added, removed or may have changed since `before`.
    pub(crate) fn changed_since(&self, before: &LoadedConfig) -> Vec<(ObjectId, ObjectEventKind)> {
        let mut events = Vec::new();
        let (old, new) = (files_not_in(self, before), files_not_in(before, self));
        compare(&mut events, &old, &new, is_same_zone, |id| ObjectId::HostedZone(id.clone()));
        if !Arc::ptr_eq(&before.checks, &self.checks) {
            let [old, new] = [before, self].map(|base| base.checks.iter().map(|one| (&one.id, one)).collect());
            compare(&mut events, &old, &new, PartialEq::eq, |id| ObjectId::HealthCheck(id.clone()));
        }
        if !Arc::ptr_eq(&before.common, &self.common) {
            let [old, new] =
                [before, self].map(|base| base.cidr_collections().iter().map(|one| (&one.id, one)).collect());
            compare(&mut events, &old, &new, PartialEq::eq, |id| ObjectId::CidrCollection(id.clone()));
            let [old, new] =
                [before, self].map(|base| base.delegation_sets().iter().map(|one| (&one.id, one)).collect());
            compare(&mut events, &old, &new, PartialEq::eq, |id| ObjectId::DelegationSet(id.clone()));
            let [old, new] =
                [before, self].map(|base| base.traffic_policies().iter().map(|one| (&one.id, one)).collect());
            compare(&mut events, &old, &new, PartialEq::eq, |id| ObjectId::TrafficPolicy(id.clone()));
            let [old, new] = [before, self].map(|base| base.alias_targets().map(|one| (&one.name, one)).collect());
            compare(&mut events, &old, &new, PartialEq::eq, |name| ObjectId::AliasTarget(name.clone()));
        }
        events
    }
}

/// Adds what is in one of them only, or is not the same.
fn compare<I: Eq + Hash, T>(
    events: &mut Vec<(ObjectId, ObjectEventKind)>,
    old: &HashMap<&I, &T>,
    new: &HashMap<&I, &T>,
    is_same: impl Fn(&T, &T) -> bool,
    id_of: impl Fn(&I) -> ObjectId,
) {
    let is_other = |(id, now): &(&&I, &&T)| !old.get(**id).is_some_and(|before| is_same(before, now));
    events.extend(new.iter().filter(is_other).map(|(id, _)| (id_of(id), ObjectEventKind::Replaced)));
    let is_gone = |id: &&&I| !new.contains_key(**id);
    events.extend(old.keys().filter(is_gone).map(|id| (id_of(id), ObjectEventKind::Removed)));
}

/// The record sets of the zone may differ even if the answers do not, such as in a comment.
fn is_same_zone(one: &LoadedFile, other: &LoadedFile) -> bool {
    let compiled = |file: &LoadedFile| file.zone.as_ref().map(|zone| Arc::as_ptr(&zone.compiled));
    one.source_hash == other.source_hash && compiled(one) == compiled(other)
}

/// The files with zones in `base` that are different or missing in `other`, by the zone.
fn files_not_in<'b>(other: &LoadedConfig, base: &'b LoadedConfig) -> HashMap<&'b HostedZoneId, &'b LoadedFile> {
    let is_other = |file: &&Arc<LoadedFile>| !other.file(&file.path).is_some_and(|known| Arc::ptr_eq(known, file));
    base.files.iter().filter(is_other).filter_map(|file| Some((file.id()?, &**file))).collect()
}
