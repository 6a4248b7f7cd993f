//! `fiftythree import`: writes zone files from BIND zone files, from the JSON of `aws route53`, and
//! from a server of the Route 53 API.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use serde_json::{Value, json};

use crate::config::Settings;
use crate::migrate::{Inventory, MigrationReport, read_files, toml_files};
use crate::model::Name;

use super::endpoint::EndpointArguments;
use super::new_files::{NewFilesArguments, count, print_report};
use super::query::parse_name;

const EXAMPLES: &str = "\
Examples:
  fiftythree import /etc/bind/db.lab.test --output zones
  fiftythree import db.lab --zone lab.test --stdout         with the name of the zone
  fiftythree import backup --output zones                   all *.json files of a directory
  fiftythree import --from-endpoint aws --profile ops --output zones
  fiftythree import --from-endpoint http://127.0.0.1:4566 --output zones

FILE is a BIND zone file, or (if its name ends in .json, or its text begins with { or [) what one of these commands of `aws route53` printed as JSON: list-resource-record-sets, \
list-hosted-zones, get-hosted-zone, list-health-checks, list-tags-for-resources, list-cidr-collections, list-cidr-blocks, \
list-reusable-delegation-sets, list-traffic-policy-versions, list-traffic-policy-instances, list-query-logging-configs. \
The key for --from-endpoint is in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or in a profile.

What has no counterpart is left out, and reported with its file, line and column; the rest is imported. The name servers of \
Route 53 are left out without a report. An existing file is not replaced without --force. All files are written, or none.

Exit code: 0 when the files are written, also if something is left out; 1 when nothing is written; 2 for a wrong command line.";

/// Write zone files from BIND zone files, the JSON of `aws route53`, or another server
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ImportArguments {
    /// What to read; of a directory, its *.json files
    #[arg(required_unless_present = "from_endpoint", conflicts_with = "from_endpoint", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The name of the zone in a BIND zone file [default: as its SOA record, its $ORIGIN or its
    /// file name says]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    zone: Option<Name>,
    #[command(flatten)]
    endpoint: EndpointArguments,
    #[command(flatten)]
    new_files: NewFilesArguments,
}

/// Reads and writes.
pub(super) fn run(arguments: &ImportArguments) -> anyhow::Result<ExitCode> {
    let dns = Settings::built_in().dns;
    let mut report = MigrationReport::default();
    let mut inventory = match arguments.endpoint.copy(&dns, &mut report)? {
        Some(inventory) => inventory,
        None => read_files(&arguments.files, arguments.zone.as_ref(), &dns, &mut report),
    };
    let files = toml_files(&mut inventory, &dns, &mut report);
    print_report(&report);
    if report.has_errors() {
        bail!("nothing is written");
    }
    if inventory.is_empty() {
        bail!("there is nothing to import");
    }
    arguments.new_files.finish(&files, &report, as_json(&inventory), &summary(&inventory))
}

/// What was imported: `1 hosted zone, 14 record sets`.
fn summary(inventory: &Inventory) -> String {
    let sets = inventory.zones.iter().map(|zone| zone.record_sets.len()).sum();
    let parts = [
        (inventory.zones.len(), "hosted zone", "hosted zones"),
        (sets, "record set", "record sets"),
        (inventory.health_checks.len(), "health check", "health checks"),
        (inventory.cidr_collections.len(), "CIDR collection", "CIDR collections"),
        (inventory.delegation_sets.len(), "reusable delegation set", "reusable delegation sets"),
        (inventory.traffic_policies.len(), "traffic policy", "traffic policies"),
    ];
    let parts = parts.iter().filter(|(number, ..)| *number > 0);
    let parts: Vec<String> = parts.map(|(number, one, several)| count(*number, one, several)).collect();
    parts.join(", ") + "\n"
}

fn as_json(inventory: &Inventory) -> Value {
    let zones = inventory
        .zones
        .iter()
        .map(|zone| json!({ "id": zone.id.0, "name": zone.name.to_string(), "record_sets": zone.record_sets.len() }));
    json!({
        "zones": zones.collect::<Vec<_>>(),
        "health_checks": inventory.health_checks.len(),
        "cidr_collections": inventory.cidr_collections.len(),
    })
}
