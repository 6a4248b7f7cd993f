//! Files to import: which format each has.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::account::Account;
use super::bind::{BindFiles, read_text};
use super::draft::ZoneDraft;
use super::inventory::Inventory;
use super::report::{MigrationReport, Place};
use crate::config::DnsSettings;
use crate::model::Name;

/// Reads BIND zone files and the JSON of `aws route53`. Of a directory, the files `*.json` are
/// read. `zone` is the name of the zone in the BIND zone file, of which there is one then.
pub(crate) fn read_files(
    paths: &[PathBuf],
    zone: Option<&Name>,
    dns: &DnsSettings,
    report: &mut MigrationReport,
) -> Inventory {
    let (mut account, mut drafts): (Account, Vec<ZoneDraft>) = Default::default();
    let paths: Vec<PathBuf> = paths.iter().flat_map(|path| files_of(path, report)).collect();
    for path in paths {
        let text: Arc<str> = match read_text(&path) {
            Ok(text) => text.into(),
            Err(message) => {
                report.error(&Place::whole(path), message);
                continue;
            }
        };
        if path.extension().is_some_and(|extension| extension == "toml") {
            report.error(&Place::whole(path), "this is a zone file of fiftythree already");
        } else if text.trim_start().starts_with(['{', '[']) {
            account.read_json(&path, &text, report);
        } else {
            drafts.extend(BindFiles { path: &path, text, zone }.read(report));
        }
    }
    if zone.is_some() && drafts.len() > 1 {
        report.error(&drafts[1].place, "`--zone` names the zone of one file, and this is the second one");
    }
    let mut inventory = account.inventory(dns, report);
    inventory.zones.extend(drafts.into_iter().map(|draft| draft.finish(&[], dns, report)));
    inventory
}

/// A file, or the files `*.json` of a directory, by name.
fn files_of(path: &Path, report: &mut MigrationReport) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let listed = std::fs::read_dir(path).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    match listed {
        Ok(paths) => {
            let paths: Vec<PathBuf> = paths;
            let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
            let mut paths: Vec<PathBuf> = paths.into_iter().filter(is_json).collect();
            paths.sort();
            if paths.is_empty() {
                report.error(&Place::whole(path), "the directory has no *.json files");
            }
            paths
        }
        Err(error) => {
            report.error(&Place::whole(path), format!("cannot read the directory: {error}"));
            Vec::new()
        }
    }
}
