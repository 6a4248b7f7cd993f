//! `fiftythree plan`: what a change would do, before it is made.

mod render;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};

use crate::load::differences;
use crate::model::{ChangeBatch, Name};
use crate::objects::{Author, Change, Commit, FORCE_BY_COMMAND, ObjectId, Quotas};
use crate::plan::{KnownClients, Plan, Side};
use crate::simulate::Population;

use super::admin_client::{AdminClient, ServerArguments};
use super::change;
use super::explain::unknown_check;
use super::login_name::login_name;
use super::offline::OfflineServer;
use super::paint::Paint;
use super::simulate::GEOIP;
use super::{Form, print, print_json, settings, simulate};

pub(super) use render::changes;

/// Exit code 2: there is something to do.
const SOMETHING_TO_DO: u8 = 2;
/// How many queries are answered, on both sides together: some seconds of work.
const QUERIES: u64 = 2_000_000;

const EXAMPLES: &str = "\
Examples:
  fiftythree plan batch.json                        a change batch, as `fiftythree change` takes it
  fiftythree plan batch.json --server               the same, with the zones that the running server has
  fiftythree plan new/lab.test.toml                 a zone file in the place of that of the same zone
  fiftythree plan new/                              a directory in the place of the zones directory
  fiftythree plan new/ --from geoip                 with clients from everywhere that the geo databases know
  fiftythree plan batch.json --json | jq '.answers[].name'

This shows the record sets and members before and after, and what clients get before and after: those of the networks, VPCs \
and CIDR locations that the settings and zones know, and others. Nothing is changed. The zones before are those of the \
files as configured; health is that of the running server where it can be reached, else every check is healthy.

Exit code: 0 when there is nothing to do; 2 when there is something to do, or for a wrong command line; 1 on failure.";

/// Show what a change would do, and what clients would get
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct PlanArguments {
    /// Zone files, a directory of zone files, or a change batch as JSON; `-` is a batch on standard
    /// input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The zone of a change batch, by name or id; else the one that contains all names
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// Let the running server plan a change batch, with the zones that it serves
    #[arg(long)]
    server: bool,
    /// Plan a change batch even if it removes more record sets than `[api] largest_removal` allows
    #[arg(long)]
    force: bool,
    /// The places of the clients: a file as `fiftythree simulate` takes it, or `geoip`; with
    /// --server only `geoip` [default: the places that settings and zones know]
    #[arg(long, value_name = "FILE|geoip")]
    from: Option<PathBuf>,
    #[command(flatten)]
    admin: ServerArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Plans and prints.
pub(super) fn run(arguments: &PlanArguments) -> anyhow::Result<ExitCode> {
    let (plan, health) = plan(arguments)?;
    print_plan(&plan, &health, Form::from(arguments.json))
}

/// Prints a plan. The exit code says whether there is something to do.
pub(super) fn print_plan(plan: &Plan, health: &str, form: Form) -> anyhow::Result<ExitCode> {
    match form {
        Form::Json => print_json(plan)?,
        Form::Text => print(&render::text(plan, health, Paint::of_stdout()))?,
    }
    Ok(if plan.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(SOMETHING_TO_DO) })
}

/// The plan, and the health of the simulation in words.
fn plan(arguments: &PlanArguments) -> anyhow::Result<(Plan, String)> {
    let batch = batch(&arguments.files, arguments.force)?;
    if arguments.server {
        let Some((text, _)) = batch else { bail!("--server takes a change batch as JSON") };
        return on_server(arguments, text);
    }
    if settings::has_cluster(arguments.admin.config())? {
        bail!(
            "the zone files of a cluster are in etcd\n  hint: `--server` plans a change batch with them, \
             `fiftythree cluster apply DIRECTORY` shows the plan for a directory"
        );
    }
    let before = OfflineServer::read(arguments.admin.config(), &[])?;
    let (after, changes) = match batch {
        Some((_, batch)) => {
            let commit = commit(&before, batch, arguments.zone.as_deref())?;
            let planned = before.planned(&commit);
            let (after, change) = planned.map_err(|error| error.with_way_to_force(FORCE_BY_COMMAND))?;
            (after, vec![change])
        }
        None => {
            let files = before.config().files_with(&arguments.files).map_err(|error| anyhow!(error))?;
            let after = OfflineServer::read(arguments.admin.config(), &files)?;
            let changes = differences(before.config(), after.config());
            (after, changes.into_iter().map(Into::into).collect())
        }
    };
    let (known, health) = simulate::health(&arguments.admin);
    let known = |name: &str| known.get(name).copied();
    let population = population(arguments, &before, &after)?;
    let (old, new) = (before.assumed(&[], &known), after.assumed(&[], &known));
    let (old, new) = (old.map_err(unknown_check)?, new.map_err(unknown_check)?);
    let sides = [(&before, &old), (&after, &new)];
    let [old, new] = sides.map(|(server, assumed)| Side { config: server.config(), world: &assumed.world });
    let changes = changes.iter().filter(|change| !change.parts.is_empty());
    let plan =
        Plan::of(old, new, changes.map(|change| &**change), &population, QUERIES).map_err(|error| anyhow!(error))?;
    Ok((plan, health))
}

/// The text of a change batch and the batch; `None` for zone files.
fn batch(files: &[PathBuf], is_forced: bool) -> anyhow::Result<Option<(Vec<u8>, ChangeBatch)>> {
    let is_batch =
        |path: &PathBuf| path == Path::new("-") || path.extension().is_some_and(|extension| extension == "json");
    match files {
        [file] if is_batch(file) => change::read_batch(file, is_forced).map(Some),
        files if files.iter().any(is_batch) => bail!("a change batch is planned alone, without other files"),
        _ => Ok(None),
    }
}

fn commit(server: &OfflineServer, batch: ChangeBatch, zone: Option<&str>) -> anyhow::Result<Commit> {
    let config = server.config();
    let names: Vec<&Name> = batch.changes.iter().map(|change| &change.record_set.name).collect();
    let id = ObjectId::HostedZone(config.zone_meant(zone, &names)?);
    let change = Change::RecordSets(config.with_ids(batch)?);
    let author = Author { name: login_name(), operation: "ChangeResourceRecordSets".to_owned() };
    Ok(Commit { id, expected: None, change, author, submission: None, quotas: Quotas::Unlimited })
}

fn population(arguments: &PlanArguments, before: &OfflineServer, after: &OfflineServer) -> anyhow::Result<Population> {
    if let Some(from) = &arguments.from {
        return simulate::population(from, before);
    }
    let collections = after.config().cidr_collections().iter().chain(before.config().cidr_collections());
    Ok(KnownClients::of(&after.settings, collections).population())
}

fn on_server(arguments: &PlanArguments, text: Vec<u8>) -> anyhow::Result<(Plan, String)> {
    let mut parameters: Vec<(&str, &str)> = arguments.zone.as_deref().map(|zone| ("zone", zone)).into_iter().collect();
    match arguments.from.as_deref() {
        None => {}
        Some(from) if from == Path::new(GEOIP) => parameters.push(("from", GEOIP)),
        Some(_) => bail!("with --server the clients are those of its settings, or those of `--from {GEOIP}`"),
    }
    let client = AdminClient::find(&arguments.admin)?;
    let text = String::from_utf8(text).context("the change batch is not UTF-8")?;
    let plan = client.post_with("/v1/plan", &parameters, text)?;
    Ok((plan, "health as the running server sees it".to_owned()))
}
