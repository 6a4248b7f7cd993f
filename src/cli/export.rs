//! `fiftythree export`: writes zones as BIND zone files or as the JSON of `aws route53`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::ValueEnum;
use serde_json::json;

use crate::config::{Settings, Style};
use crate::load::{Refused, Scope, load_offline};
use crate::migrate::{Inventory, MigrationReport, NewFile, bind_text, change_batches, json_files};
use crate::model::{HostedZone, Name};
use crate::store::{Overrides, SettingsSource};

use super::endpoint::EndpointArguments;
use super::new_files::{NewFilesArguments, print_report};
use super::{print_error, settings};

const EXAMPLES: &str = "\
Examples:
  fiftythree export lab.test --format bind --stdout
  fiftythree export --format json --output backup           all zones, checks and collections
  fiftythree export --format change-batch --output batches  to create the record sets at Route 53
  fiftythree export --format bind --output zones --from-endpoint http://127.0.0.1:4566

A BIND zone file has one set of records for each name and type. For names with a routing policy it has those of the primary, \
of the members with a weight, or of the default location, else those of all members; comments show all of them. Aliases \
become the records of their targets. The JSON is that of `aws route53 get-hosted-zone`, list-resource-record-sets, \
list-health-checks and so on; `fiftythree import` reads it.

What has no counterpart is reported. An existing file is not replaced without --force. All files are written, or none.

Exit code: 0 when the files are written, also if something has no counterpart; 1 when nothing is written; 2 for a wrong command line.";

/// Write zones as BIND zone files or as the JSON of `aws route53`
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ExportArguments {
    /// The zones, by name or id [default: all]
    #[arg(value_name = "ZONE")]
    zones: Vec<String>,
    /// What to write
    #[arg(long, value_name = "FORMAT")]
    format: Format,
    /// Read these zone files, or all of a directory, instead of those that the settings name
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "from_endpoint")]
    zone_file: Vec<PathBuf>,
    /// The settings file
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    endpoint: EndpointArguments,
    #[command(flatten)]
    new_files: NewFilesArguments,
}

/// A format of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// BIND zone files
    Bind,
    /// The JSON that `aws route53` prints
    Json,
    /// Change batches for `aws route53 change-resource-record-sets`
    ChangeBatch,
}

/// Reads and writes.
pub(super) fn run(arguments: &ExportArguments) -> anyhow::Result<ExitCode> {
    let mut report = MigrationReport::default();
    let inventory = chosen(inventory(arguments, &mut report)?, &arguments.zones)?;
    let files = match arguments.format {
        Format::Json => json_files(&inventory, &mut report),
        Format::ChangeBatch => inventory.zones.iter().flat_map(|zone| change_batches(zone, &mut report)).collect(),
        Format::Bind => master_files(&inventory, &mut report),
    };
    print_report(&report);
    if report.has_errors() || files.is_empty() {
        bail!("there is nothing to write");
    }
    arguments.new_files.finish(&files, &report, json!({ "zones": inventory.zones.len() }), "")
}

fn inventory(arguments: &ExportArguments, report: &mut MigrationReport) -> anyhow::Result<Inventory> {
    if let Some(inventory) = arguments.endpoint.copy(&Settings::built_in().dns, report)? {
        return Ok(inventory);
    }
    let files = &arguments.zone_file;
    let file = settings::locate_or_default(arguments.config.as_deref(), files.first().map(PathBuf::as_path))?;
    let source = SettingsSource { file, overrides: Overrides::default() };
    let loaded = match load_offline(&source, files, Scope::Zones) {
        Ok(loaded) => loaded.base,
        Err(Refused::Diagnostics { diagnostics, .. }) => {
            print_error(&diagnostics.render(Style::Plain));
            bail!("these files have errors; nothing is written");
        }
        Err(refused) => return Err(refused.into()),
    };
    let zones = loaded.zone_models().map(|zone| Ok(HostedZone::clone(&*zone?))).collect::<anyhow::Result<_>>()?;
    Ok(Inventory {
        zones,
        health_checks: loaded.checks.to_vec(),
        cidr_collections: loaded.cidr_collections().to_vec(),
        delegation_sets: loaded.delegation_sets().to_vec(),
        traffic_policies: loaded.traffic_policies().to_vec(),
        ..Inventory::default()
    })
}

/// The zones with these names or ids, and what they may refer to.
fn chosen(mut inventory: Inventory, wanted: &[String]) -> anyhow::Result<Inventory> {
    let is =
        |zone: &HostedZone, wanted: &String| zone.id.0 == *wanted || Name::parse(wanted).as_ref() == Ok(&zone.name);
    if let Some(unknown) = wanted.iter().find(|wanted| !inventory.zones.iter().any(|zone| is(zone, wanted))) {
        bail!("there is no zone {unknown}");
    }
    if !wanted.is_empty() {
        inventory.zones.retain(|zone| wanted.iter().any(|wanted| is(zone, wanted)));
    }
    Ok(inventory)
}

/// `lab.test.zone`; of several zones with one name, with their ids.
fn master_files(inventory: &Inventory, report: &mut MigrationReport) -> Vec<NewFile> {
    let file = |zone: &HostedZone| {
        let is_second = inventory.zones.iter().filter(|other| other.name == zone.name).count() > 1;
        let name = crate::config::zone_file_name(&zone.name, is_second.then_some(&zone.id));
        let name = format!("{}.zone", name.strip_suffix(".toml").unwrap_or(&name));
        NewFile { name, text: bind_text(zone, &inventory.health_checks, report) }
    };
    inventory.zones.iter().map(file).collect()
}
