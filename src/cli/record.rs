//! `fiftythree record`: sets and deletes record sets of a running server.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::admin::shapes::ChangedZoneShape;
use crate::model::{AliasService, Name};

use super::login_name::login_name;
use super::zone::ChangeOptions;

const SET_EXAMPLES: &str = "\
Examples:
  fiftythree record set www.lab.test A 192.0.2.11 192.0.2.12 --ttl 60
  fiftythree record set app.lab.test A 192.0.2.11 --set-identifier blue --failover primary --health-check blue
  fiftythree record set lab.test A --alias app.lab.test --evaluate-target-health

This replaces the record set with this name, type and set identifier, or adds it. The server edits the zone file: comments \
and layout stay. When the command ends, the change is durable and the server answers with it. `fiftythree change` makes \
several changes at once.

Exit code: 0 when the change is made; 1 when it is not; 2 for a wrong command line.";

const DELETE_EXAMPLES: &str = "\
Examples:
  fiftythree record delete www.lab.test A
  fiftythree record delete app.lab.test A --set-identifier blue

`fiftythree history` has the deleted record set, as it stood in the zone file.

Exit code: 0 when it is deleted; 1 when it is not; 2 for a wrong command line.";

/// Set or delete a record set of a running server
#[derive(Debug, clap::Args)]
pub(super) struct RecordArguments {
    #[command(subcommand)]
    command: RecordCommand,
}

#[derive(Debug, Subcommand)]
enum RecordCommand {
    /// Replace a record set, or add it
    Set(SetArguments),
    /// Delete a record set
    Delete(DeleteArguments),
}

#[derive(Debug, clap::Args)]
#[command(after_help = SET_EXAMPLES)]
struct SetArguments {
    #[command(flatten)]
    record: RecordKey,
    /// The values, in Route 53's syntax
    #[arg(value_name = "VALUE", required_unless_present = "alias", conflicts_with = "alias")]
    values: Vec<String>,
    /// The TTL in seconds
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    ttl: u32,
    /// An alias of another record set of the zone, or of a resource of AWS with this DNS name
    #[arg(long, value_name = "NAME")]
    alias: Option<String>,
    /// The alias is healthy only if its target is
    #[arg(long, requires = "alias")]
    evaluate_target_health: bool,
    /// Weighted routing: 0 to 255
    #[arg(long, value_name = "WEIGHT")]
    weight: Option<u8>,
    /// Failover routing: primary or secondary
    #[arg(long, value_name = "ROLE", value_parser = ["primary", "secondary"])]
    failover: Option<String>,
    /// Latency routing: an AWS region
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Multivalue answer routing
    #[arg(long)]
    multivalue: bool,
    /// The health check, by name or id
    #[arg(long, value_name = "CHECK")]
    health_check: Option<String>,
    #[command(flatten)]
    options: ChangeOptions,
}

#[derive(Debug, clap::Args)]
#[command(after_help = DELETE_EXAMPLES)]
struct DeleteArguments {
    #[command(flatten)]
    record: RecordKey,
    #[command(flatten)]
    options: ChangeOptions,
}

#[derive(Debug, clap::Args)]
struct RecordKey {
    /// The name
    name: String,
    /// The type
    #[arg(value_name = "TYPE")]
    record_type: String,
    /// The set identifier, with a routing policy other than simple
    #[arg(long, value_name = "TEXT")]
    set_identifier: Option<String>,
    /// The zone, by name or id; else the one that contains the name
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &RecordArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        RecordCommand::Set(arguments) => set(arguments),
        RecordCommand::Delete(arguments) => delete(arguments),
    }
}

fn set(arguments: &SetArguments) -> anyhow::Result<ExitCode> {
    let RecordKey { name, record_type, zone, .. } = &arguments.record;
    let batch = json!({ "Changes": [{ "Action": "UPSERT", "ResourceRecordSet": record_set(arguments) }] });
    let author = login_name();
    let mut parameters = vec![("author", author.as_str())];
    parameters.extend(zone.as_deref().map(|zone| ("zone", zone)));
    let client = arguments.options.client()?;
    let changed: ChangedZoneShape = client.post_with("/v1/changes", &parameters, batch.to_string())?;
    arguments.options.report(&changed, &format!("{name} {record_type} is set"))
}

fn delete(arguments: &DeleteArguments) -> anyhow::Result<ExitCode> {
    let RecordKey { name, record_type, set_identifier, zone } = &arguments.record;
    let author = login_name();
    let mut parameters = vec![("author", author.as_str()), ("name", name), ("type", record_type)];
    parameters.extend(zone.as_deref().map(|zone| ("zone", zone)));
    parameters.extend(set_identifier.as_deref().map(|identifier| ("set_identifier", identifier)));
    let changed: ChangedZoneShape = arguments.options.client()?.delete("/v1/records", &parameters)?;
    arguments.options.report(&changed, &format!("{name} {record_type} is deleted"))
}

/// The record set as the API takes it.
fn record_set(arguments: &SetArguments) -> Value {
    let RecordKey { name, record_type, set_identifier, .. } = &arguments.record;
    let mut set = Map::new();
    set.insert("Name".to_owned(), json!(name));
    set.insert("Type".to_owned(), json!(record_type));
    let mut put = |key: &str, value: Option<Value>| value.map(|value| set.insert(key.to_owned(), value));
    put("SetIdentifier", set_identifier.as_ref().map(|identifier| json!(identifier)));
    put("Weight", arguments.weight.map(|weight| json!(weight)));
    put("Failover", arguments.failover.as_ref().map(|role| json!(role.to_uppercase())));
    put("Region", arguments.region.as_ref().map(|region| json!(region)));
    put("MultiValueAnswer", arguments.multivalue.then(|| json!(true)));
    put("HealthCheckId", arguments.health_check.as_ref().map(|check| json!(check)));
    match &arguments.alias {
        Some(target) => {
            let health = arguments.evaluate_target_health;
            let zone = Name::parse(target).ok().and_then(|name| AliasService::published_zone_of(&name));
            let mut alias = json!({ "DNSName": target, "EvaluateTargetHealth": health });
            if let Some(zone) = zone {
                alias["HostedZoneId"] = json!(zone.0);
            }
            put("AliasTarget", Some(alias));
        }
        None => {
            put("TTL", Some(json!(arguments.ttl)));
            let values: Vec<Value> = arguments.values.iter().map(|value| json!({ "Value": value })).collect();
            put("ResourceRecords", Some(json!(values)));
        }
    }
    Value::Object(set)
}
