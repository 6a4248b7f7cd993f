//! `fiftythree change`: changes record sets in zone files.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};

use crate::admin::shapes::ChangedZoneShape;
use crate::api::change_batch;
use crate::files;
use crate::load::{FileSources, Scope, load_offline};
use crate::model::{Change, ChangeAction, ChangeBatch, Name};
use crate::objects::{self, FORCE_BY_COMMAND, FORCED_REMOVAL, ObjectId};
use crate::store::{Overrides, ReplaceError, SettingsSource};

use super::admin_client::{AdminClient, ServerArguments};
use super::login_name::login_name;
use super::zone::report;
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
  fiftythree change batch.json --server              made by the running server

A batch, as `aws route53 change-resource-record-sets --change-batch` takes it:
  {\"Changes\": [{\"Action\": \"UPSERT\", \"ResourceRecordSet\": {\"Name\": \"www.lab.test\", \"Type\": \"A\", \"TTL\": 60,
   \"ResourceRecords\": [{\"Value\": \"192.0.2.11\"}]}}]}

All changes are made or none. Only the changed records of the zone file are edited: comments and layout stay. A running \
server takes the file like any edit; with --server it makes the changes itself and answers with them when the command ends.

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
    /// Make the changes even if they remove more record sets than `[api] largest_removal` allows
    #[arg(long)]
    force: bool,
    /// Write nothing; `fiftythree plan` says what would change
    #[arg(long)]
    dry_run: bool,
    /// The directory of zone files
    #[arg(short, long, value_name = "DIRECTORY")]
    zones: Option<PathBuf>,
    /// Let the running server make the changes: when the command ends, it answers with them
    #[arg(long, conflicts_with_all = ["dry_run", "zones"])]
    server: bool,
    #[command(flatten)]
    admin: ServerArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Applies the batch to the zone's file.
pub(super) fn run(arguments: &ChangeArguments) -> anyhow::Result<ExitCode> {
    let (text, batch) = read_batch(&arguments.batch, arguments.force)?;
    if arguments.server {
        return on_server(arguments, &batch, text);
    }
    let overrides = Overrides { zones: arguments.zones.clone(), ..Overrides::default() };
    let file = settings::locate_or_default(arguments.admin.config(), arguments.zones.as_deref())?;
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

/// Lets the running server make the changes.
fn on_server(arguments: &ChangeArguments, batch: &ChangeBatch, text: Vec<u8>) -> anyhow::Result<ExitCode> {
    let author = login_name();
    let mut parameters = vec![("author", author.as_str())];
    parameters.extend(arguments.zone.as_deref().map(|zone| ("zone", zone)));
    let client = AdminClient::find(&arguments.admin)?;
    let changed: ChangedZoneShape = client.post_with("/v1/changes", &parameters, String::from_utf8(text)?)?;
    let lines: String = batch.changes.iter().map(line).collect();
    report(arguments.json, &changed, &format!("{lines}the zone {} is changed", changed.id))
}

/// A change batch and its text. Its comment says so if it may remove any number of record sets.
pub(super) fn read_batch(path: &Path, is_forced: bool) -> anyhow::Result<(Vec<u8>, ChangeBatch)> {
    let text = read(path)?;
    let batch = change_batch::read(&text)?;
    if !is_forced {
        return Ok((text, batch));
    }
    let mut shape: Value = serde_json::from_slice(&text)?;
    let comment = [batch.comment.as_deref().unwrap_or_default(), FORCED_REMOVAL].join(" ");
    shape["Comment"] = comment.trim().into();
    let text = serde_json::to_vec(&shape)?;
    let batch = change_batch::read(&text)?;
    Ok((text, batch))
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
        let names: Vec<&Name> = batch.changes.iter().map(|change| &change.record_set.name).collect();
        let id = loaded.zone_meant(arguments.zone.as_deref(), &names)?;
        let batch = loaded.with_ids(batch.clone())?;
        let edit = loaded.prepare(&ObjectId::HostedZone(id), &objects::Change::RecordSets(batch));
        let edit = edit.map_err(|error| error.with_way_to_force(FORCE_BY_COMMAND))?;
        if arguments.dry_run {
            return Ok(edit.file);
        }
        match edit.write(&FileSources::default(), None, 0) {
            Ok(()) => return Ok(edit.file),
            Err(ReplaceError::Changed) => thread::sleep(Duration::from_millis(fastrand::u64(1..LONGEST_WAIT_MS))),
            Err(error) => return Err(error).with_context(|| format!("cannot change {}", edit.file.display())),
        }
    }
    Err(anyhow!("another program saves the zone file all the time; nothing is changed"))
}

/// `UPSERT www.lab.test. A` and, in parentheses, the set identifier.
fn line(change: &Change) -> String {
    let set = &change.record_set;
    let identifier = set.set_identifier.as_ref().map(|identifier| format!(" ({identifier})")).unwrap_or_default();
    format!("{} {} {}{identifier}\n", word(change.action), set.name.readable(), set.record_type)
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
