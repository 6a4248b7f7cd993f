//! The zone files of an inventory: one for each zone, and one for each other kind of object.

use std::collections::HashMap;

use super::inventory::Inventory;
use super::report::{MigrationReport, Place};
use crate::config::{
    Diagnostic, DnsSettings, References, Settings, SourceFile, cidr_collection_text, delegation_set_text,
    health_check_text, new_zone_text, read_zones, traffic_policy_text, zone_file_name,
};
use crate::model::Name;

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewFile {
    /// Without a directory.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// The files, as a server writes them for objects that a program creates.
pub(crate) fn toml_files(inventory: &Inventory, dns: &DnsSettings) -> Vec<NewFile> {
    let Inventory { zones, health_checks, cidr_collections, delegation_sets, traffic_policies } = inventory;
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
    let mut of_name: HashMap<&Name, usize> = HashMap::new();
    zones.iter().for_each(|zone| *of_name.entry(&zone.name).or_default() += 1);
    for zone in zones {
        let second = (of_name[&zone.name] > 1).then_some(&zone.id);
        let text = new_zone_text(zone, dns, &references);
        files.push(NewFile { name: zone_file_name(&zone.name, second), text });
    }
    files
}

/// Reports why a server could not serve the files together, such as two zones with one name.
pub(crate) fn check_files(files: &[NewFile], report: &mut MigrationReport) {
    let settings = Settings::built_in();
    let sources: Vec<SourceFile> = files.iter().map(|file| SourceFile::new(&file.name, file.text.as_str())).collect();
    for diagnostic in read_zones(&sources, &settings).diagnostics.iter().filter(|diagnostic| diagnostic.is_error()) {
        let Diagnostic { path, message, .. } = diagnostic;
        report.error(&Place::whole(path), format!("the new file could not be served: {message}"));
    }
}
