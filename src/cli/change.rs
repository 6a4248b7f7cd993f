//! `fiftythree change`: changes record sets in zone files.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde_json::{Value, json};

use crate::api::change_batch;
use crate::files;
use crate::load::{FileSources, LoadedConfig, Scope, ZoneOutline, load_offline};
use crate::model::{Change, ChangeAction, ChangeBatch, HostedZoneId, Name};
use crate::objects::{self, ObjectId};
use crate::store::{Overrides, ReplaceError, SettingsSource};

use super::{print, print_json, settings};

/// Far more than a batch of 1000 values and 32 000 characters needs.
const LARGEST_BATCH: u64 = 4 << 20;
/// How often the batch is applied again because somebody saved the file meanwhile. Of several that
/// change it at the same time, one succeeds in each round.
const TRIES: usize = 100;
/// The longest wait between two tries. It is random, so that no two programs keep step.
const LONGEST_WAIT_MS: u64 = 40;

const EXAMPLES: &str = "\
Examples:
  fiftythree change batch.json
  fiftythree change batch.json --dry-run             what it would do
  fiftythree change --zone lab.test -                as printed by another program

A batch, as `aws route53 change-resource-record-sets --change-batch` takes it:
  {\"Changes\": [{\"Action\": \"UPSERT\", \"ResourceRecordSet\": {\"Name\": \"www.lab.test\", \"Type\": \"A\", \"TTL\": 60,
   \"ResourceRecords\": [{\"Value\": \"192.0.2.11\"}]}}]}

All changes are made or none. Only the changed records of the zone file are edited: comments and layout stay. A running \
server takes the file like any edit.

Exit code: 0 when the file is written; 1 when nothing is written; 2 for a wrong command line.";

/// Change record sets in zone files
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ChangeArguments {
    /// The change batch as JSON; `-` is standard input
    #[arg(value_name = "FILE")]
    batch: PathBuf,
    /// The zone, by name or id; else the one that contains all names
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// Write nothing
    #[arg(long)]
    dry_run: bool,
    /// The settings file
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The directory of zone files
    #[arg(short, long, value_name = "DIRECTORY")]
    zones: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Applies the batch to the zone's file.
pub(super) fn run(arguments: &ChangeArguments) -> anyhow::Result<ExitCode> {
    let batch = change_batch::read(&read(&arguments.batch)?)?;
    let overrides = Overrides { zones: arguments.zones.clone(), ..Overrides::default() };
    let file = settings::locate_or_default(arguments.config.as_deref(), arguments.zones.as_deref())?;
    let source = SettingsSource { file, overrides };
    let file = apply(&source, &batch, arguments)?;
    if arguments.json {
        let changes: Vec<Value> = batch.changes.iter().map(as_json).collect();
        print_json(&json!({ "file": file, "written": !arguments.dry_run, "changes": changes }))?;
    } else {
        let lines: String = batch.changes.iter().map(line).collect();
        let done = if arguments.dry_run { "would be changed" } else { "is changed" };
        print(&format!("{lines}{} {done}\n", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().take(LARGEST_BATCH).read_to_end(&mut bytes).context("cannot read standard input")?;
        return Ok(bytes);
    }
    files::read(path, LARGEST_BATCH).with_context(|| format!("cannot read {}", path.display()))
}

/// Edits and writes the file. If somebody saves it meanwhile, the batch is applied to what they
/// saved.
fn apply(source: &SettingsSource, batch: &ChangeBatch, arguments: &ChangeArguments) -> anyhow::Result<PathBuf> {
    for _ in 0..TRIES {
        let loaded = load_offline(source, &[], Scope::Zones)?.base;
        let id = zone_of(&loaded, batch, arguments.zone.as_deref())?;
        let batch = loaded.with_ids(batch.clone())?;
        let edit = loaded.prepare(&ObjectId::HostedZone(id), &objects::Change::RecordSets(batch))?;
        if arguments.dry_run {
            return Ok(edit.file);
        }
        match edit.write(&FileSources::default()) {
            Ok(()) => return Ok(edit.file),
            Err(ReplaceError::Changed) => thread::sleep(Duration::from_millis(fastrand::u64(1..LONGEST_WAIT_MS))),
            Err(error) => return Err(error).with_context(|| format!("cannot change {}", edit.file.display())),
        }
    }
    Err(anyhow!("another program saves the zone file all the time; nothing is changed"))
}

/// The zone with this name or id, or the closest one that contains all names of the batch.
fn zone_of(loaded: &LoadedConfig, batch: &ChangeBatch, written: Option<&str>) -> anyhow::Result<HostedZoneId> {
    let ids = |is_meant: &dyn Fn(&ZoneOutline<'_>) -> bool| -> Vec<HostedZoneId> {
        loaded.zone_outlines().filter(is_meant).map(|zone| zone.id.clone()).collect()
    };
    let candidates = match written {
        Some(written) => {
            let name = Name::parse(written).ok();
            ids(&|zone| zone.id.0 == written || name.as_ref() == Some(zone.name))
        }
        None => {
            let contains = |zone: &Name| batch.changes.iter().all(|change| change.record_set.name.is_within(zone));
            let zones = loaded.zone_outlines().map(|zone| zone.name).filter(|zone| contains(zone));
            let closest = zones.max_by_key(|zone| zone.label_count());
            ids(&|zone| Some(zone.name) == closest)
        }
    };
    match (&candidates[..], written) {
        ([id], _) => Ok(id.clone()),
        ([], Some(written)) => bail!("no zone has the name or the id `{written}`\n  there is: {}", names(loaded)),
        ([], None) => bail!("no zone contains all names of the batch\n  there is: {}", names(loaded)),
        (ids, _) => {
            let ids: Vec<&str> = ids.iter().map(|id| id.0.as_str()).collect();
            bail!("several zones have this name\n  hint: choose one by its id: --zone {}", ids.join(" or --zone "))
        }
    }
}

fn names(loaded: &LoadedConfig) -> String {
    let names: Vec<String> = loaded.zone_outlines().take(20).map(|zone| zone.name.to_string()).collect();
    if names.is_empty() { "no zone".to_owned() } else { names.join(", ") }
}

/// `UPSERT www.lab.test. A` and, in parentheses, the set identifier.
fn line(change: &Change) -> String {
    let set = &change.record_set;
    let identifier = set.set_identifier.as_ref().map(|identifier| format!(" ({identifier})")).unwrap_or_default();
    format!("{} {} {}{identifier}\n", word(change.action), set.name, set.record_type)
}

fn as_json(change: &Change) -> Value {
    let set = &change.record_set;
    json!({
        "action": word(change.action),
        "name": set.name.to_string(),
        "type": set.record_type.as_str(),
        "set_identifier": set.set_identifier,
    })
}

fn word(action: ChangeAction) -> &'static str {
    match action {
        ChangeAction::Create => "CREATE",
        ChangeAction::Delete => "DELETE",
        ChangeAction::Upsert => "UPSERT",
    }
}
