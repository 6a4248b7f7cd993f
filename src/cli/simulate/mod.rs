//! `fiftythree simulate`: what many clients get, now and with assumed health or other files.

mod render;
mod run;

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};

use crate::admin::shapes::{HealthShape, StatusShape};
use crate::config::{self, SourceFile, Style};
use crate::control::HypotheticalHealth;
use crate::files;
use crate::health::Status;
use crate::model::{Name, RecordType};
use crate::simulate::{ClientCounts, Population, Subject, names_with_policies};
use crate::store::disclosure_of;

use super::admin_client::{AdminClient, ServerArguments};
use super::explain::unknown_check;
use super::offline::OfflineServer;
use super::paint::Paint;
use super::query::parse_name;
use super::{Form, explain, print, print_error, print_json};

/// The most names that are queried if none is given: more take minutes and make no readable table.
const MOST_NAMES: usize = 200;
/// The word for the clients of the geo databases, in the place of a file.
pub(super) const GEOIP: &str = "geoip";
/// The largest file of places.
const LARGEST_PLACES: u64 = 256 << 20;

const EXAMPLES: &str = "\
Examples:
  fiftythree simulate --from places.toml                        who gets what now, from every place
  fiftythree simulate --from places.toml --as-if eu-1=down      where the clients go when this site fails
  fiftythree simulate --from geoip --name app.lab.test          clients from everywhere that the geo databases know
  fiftythree simulate --from places.toml --zone-file new/       what another configuration would do
  fiftythree simulate --from places.toml --seed 53 --json | jq '.names[].records'

A file of places:
  [[place]]
  name = \"Berlin\"
  weight = 60
  networks = [\"192.0.2.0/24\"]

Zones and places are those of the files as configured; health is that of the running server where it can be reached, \
else every check is healthy. The same seed gives the same clients.

Exit code: 0 on success; 1 on failure; 2 for a wrong command line.";

/// Answer many simulated clients, and count what they get.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SimulateArguments {
    /// The number of clients; each queries every name once
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    clients: u64,
    /// The places of the clients: a file, or `geoip` for the networks of the configured geo
    /// databases by their size
    #[arg(long, value_name = "FILE|geoip")]
    from: PathBuf,
    /// A name to query; may be repeated [default: every name of a public zone with a routing
    /// policy]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: Vec<Name>,
    /// The record type of these queries
    #[arg(name = "type", long, value_name = "TYPE", default_value = "A", value_parser = explain::parse_type)]
    record_type: RecordType,
    /// Afterwards: assume that a health check is up or down; may be repeated, globs are allowed
    #[arg(long, value_name = "CHECK=up|down")]
    as_if: Vec<HypotheticalHealth>,
    /// Afterwards: these zone files, or those in this directory, instead of the configured ones
    #[arg(long, value_name = "FILE", num_args = 1..)]
    zone_file: Vec<PathBuf>,
    /// Afterwards: these settings, with their zones
    #[arg(long, value_name = "FILE")]
    proposed: Option<PathBuf>,
    /// Start with every health check healthy, instead of the status on the running server
    #[arg(long, conflicts_with = "admin")]
    healthy: bool,
    /// The seed of clients and random numbers
    #[arg(long, value_name = "N", default_value_t = 53)]
    seed: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArguments,
}

/// A simulation and its results.
struct Simulation {
    subjects: Vec<Subject>,
    population: Population,
    clients: u64,
    seed: u64,
    before: Run,
    after: Option<Run>,
}

/// One side of the comparison.
struct Run {
    /// Which zones and which health, in words.
    seen: String,
    counts: ClientCounts,
}

/// Plays and prints.
pub(super) fn run(arguments: &SimulateArguments) -> anyhow::Result<ExitCode> {
    let simulation = simulate(arguments)?;
    match Form::from(arguments.json) {
        Form::Json => print_json(&render::json(&simulation))?,
        Form::Text => print(&render::text(&simulation, Paint::of_stdout()))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn simulate(arguments: &SimulateArguments) -> anyhow::Result<Simulation> {
    let now = OfflineServer::read(arguments.server.config(), &[])?;
    let proposed = proposed(arguments)?;
    let population = population(&arguments.from, &now)?;
    let subjects = subjects(arguments, &now, proposed.as_ref())?;
    let (health, seen) = match arguments.healthy {
        true => (HashMap::new(), "every health check healthy".to_owned()),
        false => health(&arguments.server),
    };
    let known = |name: &str| health.get(name).copied();
    let simulator = run::Simulator {
        subjects: &subjects,
        population: &population,
        clients: arguments.clients,
        seed: arguments.seed,
    };
    let before = Run { seen: format!("the zones as configured; {seen}"), counts: simulator.run(&now, &[], &known)? };
    let has_after = proposed.is_some() || !arguments.as_if.is_empty();
    let after = has_after.then(|| {
        let counts = simulator.run(proposed.as_ref().unwrap_or(&now), &arguments.as_if, &known)?;
        Ok::<_, anyhow::Error>(Run { seen: afterwards(arguments), counts })
    });
    let after = after.transpose()?;
    Ok(Simulation { subjects, population, clients: arguments.clients, seed: arguments.seed, before, after })
}

fn proposed(arguments: &SimulateArguments) -> anyhow::Result<Option<OfflineServer>> {
    let settings = arguments.proposed.as_deref().or(arguments.server.config());
    match (&arguments.proposed, arguments.zone_file.as_slice()) {
        (None, []) => Ok(None),
        (_, files) => OfflineServer::read(settings, files).map(Some),
    }
}

fn afterwards(arguments: &SimulateArguments) -> String {
    let zones = match (&arguments.proposed, arguments.zone_file.as_slice()) {
        (None, []) => "the same".to_owned(),
        (Some(settings), []) => format!("the zones of {}", settings.display()),
        (_, files) => format!("the zones in {}", list(files.iter().map(|file| file.display().to_string()))),
    };
    match arguments.as_if.as_slice() {
        [] => zones,
        as_if => format!("{zones}, as if {}", list(as_if.iter().map(ToString::to_string))),
    }
}

fn list(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join(", ")
}

fn subjects(
    arguments: &SimulateArguments,
    now: &OfflineServer,
    proposed: Option<&OfflineServer>,
) -> anyhow::Result<Vec<Subject>> {
    if !arguments.name.is_empty() {
        let subject = |name: &Name| Subject { name: name.clone(), record_type: arguments.record_type };
        return Ok(arguments.name.iter().map(subject).collect());
    }
    let mut subjects = names_with_policies(now.models()?.iter().map(|zone| &**zone));
    let others = proposed.map(OfflineServer::models).transpose()?.unwrap_or_default();
    for subject in names_with_policies(others.iter().map(|zone| &**zone)) {
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    if subjects.len() > MOST_NAMES {
        print_error(&format!("{} names have a routing policy; the first {MOST_NAMES} are queried\n", subjects.len()));
        subjects.truncate(MOST_NAMES);
    }
    if subjects.is_empty() {
        bail!("no name of a public zone has a routing policy\n  hint: `--name NAME` queries one");
    }
    Ok(subjects)
}

/// The clients of a file of places, or of the geo databases.
pub(super) fn population(from: &Path, now: &OfflineServer) -> anyhow::Result<Population> {
    if from == Path::new(GEOIP) {
        let databases = now.config().geo_lookup.databases();
        if databases.is_empty() {
            bail!(
                "the settings name no geo database\n  hint: `[location] geoip = [\"GeoLite2-City.mmdb\"]`, or `--from places.toml`"
            );
        }
        return Population::of_databases(databases, usize::MAX).context("the geo databases know no country");
    }
    let path = from;
    let unreadable = || format!("cannot read the places in {}", path.display());
    let text = String::from_utf8(files::read(path, LARGEST_PLACES).with_context(unreadable)?);
    let text = text.with_context(unreadable)?;
    let source = SourceFile { disclosure: disclosure_of(path), ..SourceFile::new(path, text) };
    let (places, diagnostics) = config::read_places(&source);
    let style = if std::io::stderr().is_terminal() { Style::Coloured } else { Style::Plain };
    print_error(&config::render(&diagnostics, std::slice::from_ref(&source), style));
    let places = places.ok_or_else(|| anyhow!("the places are broken"))?;
    Ok(Population::of_places(&places)?)
}

/// The checks as the running server sees them, and that in words. Calculated checks follow from the
/// others.
pub(super) fn health(server: &ServerArguments) -> (HashMap<String, Status>, String) {
    let answer = AdminClient::find(server).and_then(|admin| admin.get::<HealthShape>("/v1/health", &[]));
    let Ok(health) = answer else {
        return (HashMap::new(), "every health check healthy, as no running server can be asked".to_owned());
    };
    let unhealthy = health.checks.iter().filter(|check| check.status == StatusShape::Unhealthy);
    let unhealthy: Vec<&str> = unhealthy.map(|check| check.name.as_str()).collect();
    let seen = match unhealthy.as_slice() {
        [] => "health as the running server sees it: all checks healthy".to_owned(),
        few if few.len() <= 5 => format!("health as the running server sees it: unhealthy {}", few.join(", ")),
        many => format!("health as the running server sees it: {} checks unhealthy", many.len()),
    };
    let own = health.checks.iter().filter(|check| check.kind != "calculated" || check.overridden.is_some());
    let status = |status| match status {
        StatusShape::Healthy => Status::Healthy,
        StatusShape::Unhealthy => Status::Unhealthy,
    };
    (own.map(|check| (check.name.clone(), status(check.status))).collect(), seen)
}

/// One side of the comparison: the zones of an offline server with assumed health.
impl run::Simulator<'_> {
    fn run(
        &self,
        offline: &OfflineServer,
        hypothetical: &[HypotheticalHealth],
        known: &dyn Fn(&str) -> Option<Status>,
    ) -> anyhow::Result<ClientCounts> {
        let assumed = offline.assumed(hypothetical, known).map_err(unknown_check)?;
        self.count(&assumed.world, offline).map_err(|error| anyhow!(error))
    }
}
