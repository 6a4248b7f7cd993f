//! The JSON of `aws route53`, read.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use super::account::{Account, Item, List};
use super::report::{MigrationReport, Place};
use crate::api::documents::Element;

/// The members of an object, not yet read.
type Members<'t> = BTreeMap<String, &'t RawValue>;

/// Members that say where a list goes on.
const PAGE: [&str; 14] = [
    "IsTruncated",
    "MaxItems",
    "Marker",
    "NextMarker",
    "NextToken",
    "NextRecordName",
    "NextRecordType",
    "NextRecordIdentifier",
    "TrafficPolicyVersionMarker",
    "TrafficPolicyIdMarker",
    "HostedZoneIdMarker",
    "TrafficPolicyInstanceNameMarker",
    "TrafficPolicyInstanceTypeMarker",
    "DNSName",
];

/// The text of a file.
struct File<'t> {
    text: &'t str,
    place: Place,
    /// Its name: it may say to which object a list belongs.
    name: String,
}

impl Account {
    /// Takes what a command such as `aws route53 list-resource-record-sets` printed.
    pub(crate) fn read_json(&mut self, path: &Path, text: &Arc<str>, report: &mut MigrationReport) {
        report.source(path, Arc::clone(text));
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = File { text, place: Place::whole(path), name };
        if text.trim().is_empty() {
            let hint = "the command that should have written it failed: run it again";
            report.error(&file.place.at(0..0), "the file is empty").hint(hint);
            return;
        }
        let top: Members<'_> = match serde_json::from_str(text) {
            Ok(top) => top,
            Err(error) => {
                let place = file.place.at(position(text, &error));
                let message = format!("this is not the JSON of an `aws route53` command: {}", without_position(&error));
                let hint = "import reads all that a command prints with `--output json`, without `--query`";
                report.error(&place, message).hint(hint);
                return;
            }
        };
        if top.is_empty() {
            report.error(&file.place.at(0..text.len()), "nothing is in this JSON that an `aws route53` command prints");
        }
        if top.get("IsTruncated").is_some_and(|raw| raw.get() == "true") || top.contains_key("NextToken") {
            let hint = "leave out --max-items and --no-paginate: the command then prints all of it";
            report.add(&file.place, "the list is not complete").hint(hint);
        }
        if let Some(at) = text.find(char::REPLACEMENT_CHARACTER) {
            let place = file.place.at(at..at + char::REPLACEMENT_CHARACTER.len_utf8());
            report.add(&place, "the file has bytes that are not UTF-8; they are replaced").hint("save it as UTF-8");
        }
        for (key, raw) in &top {
            self.member(&file, key, raw, &top, report);
        }
    }

    fn member(&mut self, file: &File<'_>, key: &str, raw: &RawValue, top: &Members<'_>, report: &mut MigrationReport) {
        let items = |report: &mut MigrationReport| file.items(key, raw, report);
        let item = |report: &mut MigrationReport| file.item(key, raw, report);
        match key {
            "HostedZones" => self.hosted_zones.extend(items(report)),
            "HealthChecks" => self.health_checks.extend(items(report)),
            "ResourceTagSets" => self.tag_sets.extend(items(report)),
            "CidrCollections" => self.collections.extend(items(report)),
            "DelegationSets" => self.delegation_sets.extend(items(report)),
            "TrafficPolicies" => self.policy_versions.extend(items(report)),
            "TrafficPolicyInstances" => self.policy_instances.extend(items(report)),
            "QueryLoggingConfigs" => self.query_logging.extend(items(report)),
            "ResourceRecordSets" => self.record_sets.push(file.list(items(report))),
            "CidrBlocks" => self.blocks.push(file.list(items(report))),
            "HealthCheck" => self.health_checks.extend(item(report)),
            "ResourceTagSet" => self.tag_sets.extend(item(report)),
            "TrafficPolicy" => self.policy_versions.extend(item(report)),
            "TrafficPolicyInstance" => self.policy_instances.extend(item(report)),
            "QueryLoggingConfig" => self.query_logging.extend(item(report)),
            "HostedZone" => {
                let parts = ["HostedZone", "VPCs", "DelegationSet"];
                let children = parts.iter().filter_map(|key| Some(element_of(key, top.get(*key)?)));
                let element = Element::new("GetHostedZoneResponse", String::new(), children.collect());
                self.zone_details.extend(item(report).map(|item| Item { element, ..item }));
            }
            "DelegationSet" if !top.contains_key("HostedZone") => self.delegation_sets.extend(item(report)),
            // Parts of what is taken above; and names that come with the blocks.
            "DelegationSet" | "VPCs" | "CidrLocations" => {}
            "Changes" => {
                let hint = "`fiftythree change FILE` makes the changes of a change batch";
                report.add(&file.place_of(raw), "a change batch is not imported").hint(hint);
            }
            _ if PAGE.contains(&key) => {}
            _ => drop(report.add(&file.place_of(raw), format!("`{key}` has no counterpart"))),
        }
    }
}

impl<'t> File<'t> {
    fn items(&self, key: &str, raw: &'t RawValue, report: &mut MigrationReport) -> Vec<Item> {
        match serde_json::from_str::<Vec<&RawValue>>(raw.get()) {
            Ok(items) => items.into_iter().filter_map(|raw| self.item(item_name(key), raw, report)).collect(),
            Err(_) => {
                report.add(&self.place_of(raw), format!("`{key}` is not a list"));
                Vec::new()
            }
        }
    }

    fn list(&self, items: Vec<Item>) -> List {
        List { owner: self.name.clone(), place: self.place.clone(), items }
    }

    /// An object; other values are reported.
    fn item(&self, name: &str, raw: &'t RawValue, report: &mut MigrationReport) -> Option<Item> {
        let place = self.place_of(raw);
        if !raw.get().starts_with('{') {
            report.add(&place, format!("a `{name}` is an object, so this is left out"));
            return None;
        }
        Some(Item { element: element_of(name, raw), place })
    }

    /// Where an object has its name, or else where it begins.
    fn place_of(&self, raw: &RawValue) -> Place {
        let members: Members<'_> = serde_json::from_str(raw.get()).unwrap_or_default();
        let name = ["Name", "Id", "ResourceId", "CidrBlock"].iter().find_map(|key| members.get(*key));
        let named = name.map_or(raw, |raw| raw).get();
        let start = named.as_ptr() as usize - self.text.as_ptr() as usize;
        // Of an object without a name, one line is enough.
        let end = named.find('\n').unwrap_or(named.len());
        self.place.at(start..start + end)
    }
}

/// A value as an element. Members that are null are not there.
fn element_of(name: &str, raw: &RawValue) -> Element {
    of_value(name, &serde_json::from_str(raw.get()).unwrap_or(Value::Null))
}

fn of_value(name: &str, value: &Value) -> Element {
    let (text, children) = match value {
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            (String::new(), members.map(|(key, value)| of_value(key, value)).collect())
        }
        Value::Array(items) => (String::new(), items.iter().map(|item| of_value(item_name(name), item)).collect()),
        Value::String(text) => (text.clone(), Vec::new()),
        Value::Null => (String::new(), Vec::new()),
        other => (other.to_string(), Vec::new()),
    };
    Element::new(name, text, children)
}

/// The name of the elements of a list: `HealthCheck` of `HealthChecks`.
fn item_name(list: &str) -> &str {
    match list {
        "TrafficPolicies" => "TrafficPolicy",
        _ => list.strip_suffix('s').unwrap_or(list),
    }
}

fn position(text: &str, error: &serde_json::Error) -> std::ops::Range<usize> {
    let start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let at = (start + error.column().saturating_sub(1)).min(text.len());
    at..(at + 1).min(text.len())
}

fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(message, _)| message.to_owned())
}
