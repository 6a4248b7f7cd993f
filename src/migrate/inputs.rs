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
    for path in paths.iter().flat_map(|path| files_of(path, report)).collect::<Vec<_>>() {
        let text: Arc<str> = match read_text(&path) {
            Ok(text) => text.into(),
            Err(message) => {
                report.error(&Place::whole(path), message);
                continue;
            }
        };
        if path.extension().is_some_and(|extension| extension == "toml") {
            report.error(&Place::whole(path), "this is a zone file of fiftythree already");
        } else if is_json(&path) || text.trim_start().starts_with(['{', '[']) {
            account.read_json(&path, &text, report);
        } else {
            drafts.extend(BindFiles { path: &path, text, zone }.read(report));
        }
    }
    match (zone, &drafts[..], paths) {
        (Some(_), [_, second, ..], _) => {
            report.error(&second.place, "`--zone` names the zone of one file, and this is the second one");
        }
        (Some(_), [], [first, ..]) if !report.has_errors() => {
            report.error(&Place::whole(first), "`--zone` names the zone of a BIND zone file, and this is JSON");
        }
        _ => {}
    }
    let mut inventory = account.inventory(dns, report);
    for draft in drafts {
        let zone = draft.finish_own(&[], dns, report);
        inventory.with_own_name_servers.insert(zone.id.clone());
        inventory.zones.push(zone);
    }
    inventory
}

/// Whether the name of a file says that it has JSON, also when it is empty.
fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
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
            let mut paths: Vec<PathBuf> = paths.into_iter().filter(|path| is_json(path)).collect();
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
