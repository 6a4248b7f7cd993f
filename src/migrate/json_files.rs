//! Objects as the JSON of `aws route53`, written.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::inventory::Inventory;
use super::report::{MigrationReport, Place};
use super::toml_files::NewFile;
use crate::api::documents::{Element, health_check, read_health_check, record_set, sort_as_listed};
use crate::config::zone_file_name;
use crate::model::{
    Change, ChangeAction, ChangeBatch, CidrCollection, Content, HealthCheck, HostedZone, Name, RecordType, Region,
    ResourceRecordSet, Tags, TrafficPolicy, VpcId,
};

/// Elements that are lists.
const LISTS: [&str; 4] = ["ResourceRecords", "ChildHealthChecks", "Regions", "Dimensions"];
/// Elements whose text is a number or a truth value.
const TYPED: [&str; 18] = [
    "TTL",
    "Weight",
    "Bias",
    "MultiValueAnswer",
    "EvaluateTargetHealth",
    "Port",
    "RequestInterval",
    "FailureThreshold",
    "MeasureLatency",
    "Inverted",
    "Disabled",
    "HealthThreshold",
    "EnableSNI",
    "HealthCheckVersion",
    "EvaluationPeriods",
    "Threshold",
    "Period",
    "Version",
];
/// The files, which `fiftythree import` reads. The names of those of one zone have its id.
pub(crate) fn json_files(inventory: &Inventory, report: &mut MigrationReport) -> Vec<NewFile> {
    let Inventory { zones, health_checks, cidr_collections, delegation_sets, traffic_policies, .. } = inventory;
    // In the order of the API.
    let mut checks: Vec<&HealthCheck> = health_checks.iter().collect();
    checks.sort_by_key(|check| &check.id);
    let mut zones: Vec<&HostedZone> = zones.iter().collect();
    zones.sort_by_key(|zone| &zone.id);
    let mut files = Vec::new();
    let mut put = |name: String, content: Value| files.push(NewFile { name, text: printed(&content) });
    for zone in &zones {
        report_losses(zone, report);
        let stem = stem(zone);
        put(format!("{stem}.hosted-zone.json"), hosted_zone(zone));
        put(format!("{stem}.record-sets.json"), record_sets(zone));
    }
    let mut list = |name: &str, key: &str, items: Vec<Value>| {
        if !items.is_empty() {
            put(name.to_owned(), json!({ key: items }));
        }
    };
    let elements = checks.iter().map(|check| {
        report_check(check, health_checks, report);
        of_element(&health_check(check))
    });
    list("health-checks.json", "HealthChecks", elements.collect());
    list("tags.json", "ResourceTagSets", tag_sets(&zones, &checks));
    list("cidr-collections.json", "CidrCollections", cidr_collections.iter().map(collection).collect());
    for one in cidr_collections {
        list(&format!("{}.{}.cidr-blocks.json", one.name, one.id.0), "CidrBlocks", blocks(one));
    }
    let sets = delegation_sets.iter().map(|set| {
        let servers: Vec<String> = set.name_servers.iter().map(without_dot).collect();
        let id = format!("/delegationset/{}", set.id.0);
        json!({ "Id": id, "CallerReference": set.caller_reference.as_ref().unwrap_or(&set.id.0), "NameServers": servers })
    });
    list("reusable-delegation-sets.json", "DelegationSets", sets.collect());
    list("traffic-policies.json", "TrafficPolicies", traffic_policies.iter().flat_map(versions).collect());
    list(
        "traffic-policy-instances.json",
        "TrafficPolicyInstances",
        zones.iter().flat_map(|zone| instances(zone)).collect(),
    );
    list(
        "query-logging-configs.json",
        "QueryLoggingConfigs",
        zones.iter().filter_map(|zone| query_logging(zone)).collect(),
    );
    files
}

/// Change batches that make the record sets of a zone but the SOA and NS of its apex, which every
/// hosted zone has. They are to be made in the order of their names.
pub(crate) fn change_batches(zone: &HostedZone, report: &mut MigrationReport) -> Vec<NewFile> {
    report_losses(zone, report);
    for instance in &zone.attachments.policy_instances {
        let what = format!("the records of the traffic policy instance {} are not written", instance.name.readable());
        report.add(&Place::whole(zone.name.readable()), what);
    }
    let change = |change: &Change| {
        let set = of_element(&record_set(&change.record_set, &zone.id));
        json!({ "Action": "UPSERT", "ResourceRecordSet": set })
    };
    let file = |(at, batch): (usize, &ChangeBatch)| NewFile {
        name: format!("{}.{:03}.change-batch.json", stem(zone), at + 1),
        text: printed(&json!({ "Changes": batch.changes.iter().map(change).collect::<Vec<_>>() })),
    };
    batches(zone).iter().enumerate().map(file).collect()
}

/// As few batches as the limits of a request allow (API ChangeResourceRecordSets).
pub(super) fn batches(zone: &HostedZone) -> Vec<ChangeBatch> {
    let mut batches: Vec<ChangeBatch> = Vec::new();
    for set in targets_first(zone) {
        let change = Change { action: ChangeAction::Upsert, record_set: set.clone() };
        if let Some(batch) = batches.last_mut() {
            batch.changes.push(change.clone());
            if batch.limits().is_empty() {
                continue;
            }
            batch.changes.pop();
        }
        batches.push(ChangeBatch { comment: None, changes: vec![change] });
    }
    batches
}

/// The target of an alias must exist when the alias is made (API AliasTarget DNSName).
fn targets_first(zone: &HostedZone) -> Vec<&ResourceRecordSet> {
    let is_default =
        |set: &&ResourceRecordSet| set.name == zone.name && matches!(set.record_type, RecordType::Soa | RecordType::Ns);
    let mut rest: Vec<_> = listed(zone).into_iter().filter(|set| !is_default(set)).collect();
    let mut ordered = Vec::new();
    while !rest.is_empty() {
        let missing: HashSet<(&Name, RecordType)> = rest.iter().map(|set| (&set.name, set.record_type)).collect();
        let is_early = |set: &&ResourceRecordSet| match &set.content {
            Content::Alias(target) if target.hosted_zone.is_none() => {
                missing.contains(&(&target.name, set.record_type))
            }
            _ => false,
        };
        let (early, now): (Vec<_>, Vec<_>) = rest.iter().copied().partition(is_early);
        // A circle, which no order helps.
        let is_circle = now.is_empty();
        ordered.extend(if is_circle { &early } else { &now });
        rest = if is_circle { Vec::new() } else { early };
    }
    ordered
}

fn printed(content: &Value) -> String {
    format!("{content:#}\n")
}

/// `lab.test.Z0123`.
fn stem(zone: &HostedZone) -> String {
    let name = zone_file_name(&zone.name, Some(&zone.id));
    name.strip_suffix(".toml").map_or(name.clone(), str::to_owned)
}

/// The value of an element, as the `aws` command prints it.
fn of_element(element: &Element) -> Value {
    let children = element.children();
    if LISTS.contains(&element.name()) {
        return children.iter().map(of_element).collect();
    }
    if children.is_empty() {
        let text = element.text();
        let typed = || serde_json::from_str(text).ok().filter(|_| TYPED.contains(&element.name()));
        return typed().unwrap_or_else(|| text.into());
    }
    let members: Map<String, Value> =
        children.iter().map(|child| (child.name().to_owned(), of_element(child))).collect();
    members.into()
}

/// As `aws route53 get-hosted-zone` prints it.
fn hosted_zone(zone: &HostedZone) -> Value {
    let mut config = Map::new();
    config.extend(zone.comment.as_ref().map(|comment| ("Comment".to_owned(), comment.as_str().into())));
    config.insert("PrivateZone".to_owned(), zone.is_private().into());
    let mut members = json!({
        "Id": format!("/hostedzone/{}", zone.id.0),
        "Name": zone.name.to_string(),
        "CallerReference": zone.caller_reference.as_ref().unwrap_or(&zone.id.0),
        "Config": config,
        "ResourceRecordSetCount": zone.record_sets.len() + zone.attachments.policy_instances.len(),
    });
    if let Some(is_enabled) = zone.attachments.accelerated_recovery {
        let status = if is_enabled { "ENABLED" } else { "DISABLED" };
        members["Features"] = json!({ "AcceleratedRecoveryStatus": status });
    }
    if zone.is_private() {
        let vpcs: Vec<Value> = zone.vpcs.iter().map(|vpc| self::vpc(zone, vpc)).collect();
        return json!({ "HostedZone": members, "VPCs": vpcs });
    }
    let servers: Vec<String> = zone.name_servers().map(|server| without_dot(&server)).collect();
    let mut delegation_set = json!({ "NameServers": servers });
    if let Some(id) = &zone.attachments.delegation_set {
        delegation_set["Id"] = format!("/delegationset/{}", id.0).into();
    }
    json!({ "HostedZone": members, "DelegationSet": delegation_set })
}

fn vpc(zone: &HostedZone, vpc: &VpcId) -> Value {
    let region: Option<Region> = zone.vpc_regions.iter().find(|(other, _)| other == vpc).map(|(_, region)| *region);
    let mut members = Map::new();
    members.extend(region.map(|region| ("VPCRegion".to_owned(), region.name().into())));
    members.insert("VPCId".to_owned(), vpc.0.as_str().into());
    members.into()
}

/// As `aws route53 list-resource-record-sets` prints it.
fn record_sets(zone: &HostedZone) -> Value {
    let sets = listed(zone).into_iter().map(|set| of_element(&record_set(set, &zone.id)));
    let instances = zone.attachments.policy_instances.iter().map(|instance| {
        json!({
            "Name": instance.name.to_string(),
            "Type": instance.record_type.as_str(),
            "TrafficPolicyInstanceId": instance.id,
        })
    });
    json!({ "ResourceRecordSets": sets.chain(instances).collect::<Vec<_>>() })
}

fn listed(zone: &HostedZone) -> Vec<&ResourceRecordSet> {
    let mut sets: Vec<&ResourceRecordSet> = zone.record_sets.iter().map(|set| &**set).collect();
    sort_as_listed(&mut sets);
    sets
}

fn tag_sets(zones: &[&HostedZone], checks: &[&HealthCheck]) -> Vec<Value> {
    let set = |kind: &str, id: &str, tags: &Tags| {
        let pairs: Vec<Value> = tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
        (!tags.is_empty()).then(|| json!({ "ResourceType": kind, "ResourceId": id, "Tags": pairs }))
    };
    let zones = zones.iter().filter_map(|zone| set("hostedzone", &zone.id.0, &zone.tags));
    // The name of a check is not in the API; people who use the console have it as a tag.
    let checks = checks.iter().filter_map(|check| {
        let mut tags = check.tags.clone();
        if check.caller_reference.as_ref() != Some(&check.name) {
            tags.entry("Name".to_owned()).or_insert_with(|| check.name.clone());
        }
        set("healthcheck", &check.id.0, &tags)
    });
    zones.chain(checks).collect()
}

fn collection(collection: &CidrCollection) -> Value {
    json!({
        "Arn": format!("arn:aws:route53:::cidrcollection/{}", collection.id.0),
        "Id": collection.id.0,
        "Name": collection.name,
        "Version": collection.version,
    })
}

fn blocks(collection: &CidrCollection) -> Vec<Value> {
    let blocks = collection.locations.iter().flat_map(|(name, blocks)| blocks.iter().map(move |block| (name, block)));
    blocks.map(|(name, block)| json!({ "CidrBlock": block.to_string(), "LocationName": name })).collect()
}

fn versions(policy: &TrafficPolicy) -> Vec<Value> {
    let versions = policy.versions.iter().filter(|version| !version.is_deleted);
    let shape = |version: &crate::model::PolicyVersion| {
        let mut shape = json!({
            "Id": policy.id.0,
            "Version": version.number,
            "Name": policy.name,
            "Document": version.document,
        });
        if let Some(comment) = &version.comment {
            shape["Comment"] = comment.as_str().into();
        }
        shape
    };
    versions.map(shape).collect()
}

fn instances(zone: &HostedZone) -> Vec<Value> {
    let shape = |instance: &crate::model::TrafficPolicyInstance| {
        json!({
            "Id": instance.id,
            "HostedZoneId": zone.id.0,
            "Name": instance.name.to_string(),
            "TTL": instance.ttl,
            "State": "Applied",
            "Message": "",
            "TrafficPolicyId": instance.policy.0,
            "TrafficPolicyVersion": instance.version,
            "TrafficPolicyType": instance.record_type.as_str(),
        })
    };
    zone.attachments.policy_instances.iter().map(shape).collect()
}

fn query_logging(zone: &HostedZone) -> Option<Value> {
    let config = zone.attachments.query_logging.as_ref()?;
    Some(json!({ "Id": config.id, "HostedZoneId": zone.id.0, "CloudWatchLogsLogGroupArn": config.log_group }))
}

fn without_dot(name: &Name) -> String {
    let text = name.to_string();
    text.strip_suffix('.').map_or(text.clone(), str::to_owned)
}

/// What Route 53 does not have.
fn report_losses(zone: &HostedZone, report: &mut MigrationReport) {
    let place = Place::whole(zone.name.readable());
    for group in &zone.record_groups {
        let what = format!(
            "the [[record_group]] {} {} has no counterpart in Route 53",
            group.name.readable(),
            group.record_type
        );
        report.add(&place, what);
    }
    if !zone.attachments.protections.is_empty() || !zone.attachments.authorized_vpcs.is_empty() {
        report.add(&place, "the protections and the authorized VPCs are not written");
    }
}

/// Reports a check that is another one when it is read back.
fn report_check(check: &HealthCheck, checks: &[HealthCheck], report: &mut MigrationReport) {
    let place = Place::whole("health-checks.json");
    let read = read_health_check(&health_check(check), &check.name, checks);
    let is_same = read.as_ref().is_ok_and(|read| {
        let tags = check.tags.clone();
        !read.is_alarm && HealthCheck { tags, ..read.check.clone() } == *check
    });
    if !is_same {
        let message = format!(
            "the health check {} has settings that Route 53 does not have; the nearest are written",
            check.name
        );
        report.add(&place, message);
    }
}
