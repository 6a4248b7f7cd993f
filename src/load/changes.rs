//! What a load changed, for the log and the event log.

use std::collections::HashMap;
use std::sync::Arc;

use crate::history::ObjectChange;
use crate::objects::ObjectId;
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
