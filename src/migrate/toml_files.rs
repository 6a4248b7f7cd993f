//! The zone files of an inventory: one for each zone, and one for each other kind of object.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::inventory::Inventory;
use super::report::{MigrationReport, Place};
use crate::config::{
    Diagnostic, DnsSettings, References, Settings, SourceFile, cidr_collection_text, delegation_set_text,
    health_check_text, new_zone_text, read_zones, traffic_policy_text, zone_file_name, zone_text,
};
use crate::model::{HostedZone, Name};

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewFile {
    /// Without a directory.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// The files, as a server writes them for objects that a program creates. Zones that a server could
/// not serve with the others, such as the second one with a name, are left out and reported.
pub(crate) fn toml_files(inventory: &mut Inventory, dns: &DnsSettings, report: &mut MigrationReport) -> Vec<NewFile> {
    loop {
        let mut files = shared_files(inventory);
        let first_zone = files.len();
        let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
        files.extend(zone_files(inventory, &names, dns));
        let refused = refused(&files, inventory);
        for (_, diagnostic) in refused.iter().filter(|(at, _)| *at < first_zone) {
            let message = format!("the new file could not be served: {}", diagnostic.message);
            report.error(&Place::whole(&diagnostic.path), message);
        }
        let mut left_out = BTreeSet::new();
        for (at, diagnostic) in refused {
            let Some(at) = at.checked_sub(first_zone) else { continue };
            if left_out.insert(at) {
                let HostedZone { name, id, .. } = &inventory.zones[at];
                let message = format!("the hosted zone {name} ({}) is left out: {}", id.0, diagnostic.message);
                report.add(&Place::whole(&diagnostic.path), message);
            }
        }
        if left_out.is_empty() {
            return files;
        }
        let mut at = 0..;
        inventory.zones.retain(|_| at.next().is_some_and(|at| !left_out.contains(&at)));
    }
}

/// The files that are not of one zone.
fn shared_files(inventory: &Inventory) -> Vec<NewFile> {
    let Inventory { health_checks, cidr_collections, delegation_sets, traffic_policies, .. } = inventory;
    let references = References::to(health_checks, cidr_collections);
    let mut files = Vec::new();
    let mut shared = |name: &str, texts: Vec<String>| {
        if !texts.is_empty() {
            files.push(NewFile { name: name.to_owned(), text: texts.join("\n") });
        }
    };
    shared("health_checks.toml", health_checks.iter().map(|check| health_check_text(check, &references)).collect());
    shared("cidr_collections.toml", cidr_collections.iter().map(cidr_collection_text).collect());
    shared("reusable_delegation_sets.toml", delegation_sets.iter().map(delegation_set_text).collect());
    shared("traffic_policies.toml", traffic_policies.iter().map(traffic_policy_text).collect());
    files
}

/// A file for each zone, in their order. None has a name that is `taken`.
fn zone_files(inventory: &Inventory, taken: &[String], dns: &DnsSettings) -> Vec<NewFile> {
    let references = References::to(&inventory.health_checks, &inventory.cidr_collections);
    let mut of_name: HashMap<&Name, usize> = HashMap::new();
    inventory.zones.iter().for_each(|zone| *of_name.entry(&zone.name).or_default() += 1);
    let file = |zone: &HostedZone| {
        let is_taken = of_name[&zone.name] > 1 || taken.contains(&zone_file_name(&zone.name, None));
        let name = zone_file_name(&zone.name, is_taken.then_some(&zone.id));
        let text = match inventory.with_own_name_servers.contains(&zone.id) {
            true => zone_text(zone, &references),
            false => new_zone_text(zone, dns, &references),
        };
        NewFile { name, text }
    };
    inventory.zones.iter().map(file).collect()
}

/// Why a server could not serve the files together, with the position of the file.
fn refused(files: &[NewFile], inventory: &Inventory) -> Vec<(usize, Diagnostic)> {
    let mut settings = Settings::built_in();
    // The settings of the server can define any VPC. Their networks make no difference here.
    for vpc in inventory.zones.iter().flat_map(|zone| &zone.vpcs) {
        settings.vpc_names.insert(vpc.0.clone(), vpc.clone());
    }
    let sources: Vec<SourceFile> = files.iter().map(|file| SourceFile::new(&file.name, file.text.as_str())).collect();
    let at: HashMap<&Path, usize> =
        sources.iter().enumerate().map(|(at, source)| (source.path.as_path(), at)).collect();
    let errors = read_zones(&sources, &settings).diagnostics.into_iter().filter(Diagnostic::is_error);
    errors.filter_map(|error| Some((*at.get(&*error.path)?, error))).collect()
}
