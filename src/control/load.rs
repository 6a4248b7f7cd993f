//! Loading: from files to compiled zones, beside the loop.
//!
//! A load gets a picture of what is served and hands back what should be served instead, or why nothing can be. What did
//! not change is kept: an unchanged zone is not compiled again, unchanged databases are not read again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{self, Configuration, Fault, Occasion, Settings, SourceFile, Style, ZoneSource};
use crate::geo::{Database, Locator};
use crate::health::{CheckSlot, Moment, Tracker};
use crate::model::{CidrCollection, HealthCheck, HealthCheckId, HostedZone, HostedZoneId, RecordType, RoutingPolicy};
use crate::stats::Meters;
use crate::store::{LastGood, SettingsSource, Sources, Stamp, read_bytes, read_zone_files};
use crate::world::{Catalog, ServedZone};
use crate::zonetree::Zone;

use super::moves::Moves;

/// What is served, as far as the next load needs to know it. Cheap to clone.
#[derive(Clone)]
pub struct Base {
    /// The settings in force.
    pub settings: Arc<Settings>,
    /// The texts that are served.
    pub sources: Arc<[SourceFile]>,
    /// Where clients are.
    pub locator: Arc<Locator>,
    /// All health checks.
    pub checks: Arc<[HealthCheck]>,
    /// What the workers count, zone by zone.
    pub meters: Arc<Meters>,
    databases: Arc<[(PathBuf, Option<Stamp>)]>,
    zones: Arc<[KeptZone]>,
}

/// A compiled zone and what it was compiled from.
struct KeptZone {
    source: Arc<HostedZone>,
    slots: Vec<Option<CheckSlot>>,
    collections: Vec<CidrCollection>,
    compiled: Arc<Zone>,
}

/// What the loader is asked to do.
pub struct LoadRequest {
    /// Comes back with the outcome.
    pub generation: u64,
    /// What is served.
    pub base: Base,
    /// A copy of the loop's tracker, on which slots are dealt to new checks.
    pub tracker: Tracker,
}

/// What came of a load.
pub struct LoadOutcome {
    /// That of the request.
    pub generation: u64,
    /// What to serve, or why everything stays as it is.
    pub result: Result<Box<Loaded>, Refused>,
}

/// What is to be served.
pub struct Loaded {
    /// What the next load needs to know.
    pub base: Base,
    /// All zones, compiled.
    pub catalog: Arc<Catalog>,
    /// Which records each check moves.
    pub moves: Moves,
    /// What to tell people.
    pub summary: Summary,
}

/// What a load was about, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// All faults, rendered; empty when there are none.
    pub faults: String,
    /// How many of them are errors.
    pub errors: usize,
    /// Files served from their last good source.
    pub frozen: Vec<PathBuf>,
    /// New files that are not served at all.
    pub left_out: Vec<PathBuf>,
    /// What is other than before, such as `lab.test. changed`.
    pub changes: Vec<String>,
    /// Settings that changed and are not in force.
    pub needs_restart: Vec<&'static str>,
    /// Why last good sources are not kept.
    pub state_warning: Option<String>,
    /// How many zones there are.
    pub zones: usize,
    /// How many record sets.
    pub records: usize,
    /// How many health checks.
    pub checks: usize,
}

/// Why nothing can be loaded.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    /// The files or the geo databases have faults and nothing stands in for them.
    #[error("{errors} in the files\n{rendered}")]
    Faults {
        /// How many, in words.
        errors: String,
        /// All faults.
        rendered: String,
    },
    /// A fault of ours.
    #[error("the loader failed: {0}")]
    Panicked(String),
}

/// Why the records of a zone cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoModel {
    /// No such zone is served.
    #[error("no hosted zone with the id `{}` is served", .0.0)]
    Unknown(HostedZoneId),
    /// What it was read from is no longer kept as it was.
    #[error("the source that {} is served from cannot be read back: {why}", file.display())]
    Lost {
        /// The zone file.
        file: PathBuf,
        /// What stands in the way.
        why: String,
    },
}

impl Base {
    /// Before the first load: nothing is served.
    pub fn empty(settings: Settings) -> Base {
        Base {
            settings: Arc::new(settings),
            sources: Arc::default(),
            locator: Arc::default(),
            checks: Arc::default(),
            meters: Arc::default(),
            databases: Arc::default(),
            zones: Arc::new([]),
        }
    }

    /// The records of a zone as they are served. Whoever answers queries does not need them: they may have to be read from
    /// disk and parsed, which takes as long as the zone is large. Not for the query path, nor for the control loop.
    pub fn zone_model(&self, id: &HostedZoneId) -> Result<Arc<HostedZone>, NoModel> {
        let kept = self.zones.iter().find(|zone| zone.source.id == *id);
        kept.map(|zone| Arc::clone(&zone.source)).ok_or_else(|| NoModel::Unknown(id.clone()))
    }

    /// A name to try: the first address record that needs no wildcard, of a public zone.
    pub fn example(&self) -> Option<String> {
        let public = self.zones.iter().filter(|zone| !zone.source.is_private());
        let sets = public.flat_map(|zone| &zone.source.record_sets);
        let mut tryable = sets.filter(|set| set.record_type == RecordType::A && !set.name.is_wildcard());
        tryable.next().map(|set| set.name.to_string())
    }
}

/// Loads everything anew. `occasion` says whether something is being served already.
pub fn load(source: &SettingsSource, request: LoadRequest, occasion: Occasion) -> LoadOutcome {
    let LoadRequest { generation, base, tracker } = request;
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| load_all(source, &base, tracker, occasion)));
    let result = result.unwrap_or_else(|panic| Err(Refused::Panicked(panic_text(&*panic))));
    LoadOutcome { generation, result: result.map(Box::new) }
}

fn load_all(source: &SettingsSource, base: &Base, tracker: Tracker, occasion: Occasion) -> Result<Loaded, Refused> {
    let mut notes = Notes::default();
    let settings = read_settings(source, base, occasion, &mut notes)?;
    let last_good = LastGood::new(&settings.state.directory);
    let standing_in = good_sources(&settings, base, &last_good, occasion);
    let sources = read_sources(&settings, base, &standing_in, occasion, &mut notes)?;
    let settled = match config::settle(&sources.files, &standing_in, &settings, occasion) {
        Ok(settled) => settled,
        Err(faults) => return Err(notes.refuse(&faults, &sources.files)),
    };
    notes.add(&settled.faults, &sources.files);
    let (locator, databases) = locate_clients(&settings, base, occasion, &mut notes)?;
    let state_warning = keep(&last_good, &settings, &settled.sources);
    let compiled = compile(&settled.configuration, base, tracker);
    let Configuration { zones, health_checks, .. } = settled.configuration;
    let checks: Arc<[HealthCheck]> = health_checks.into();
    let served: Vec<ServedZone> = zones
        .iter()
        .zip(&compiled.zones)
        .map(|(zone, kept)| ServedZone { zone: Arc::clone(&kept.compiled), vpcs: zone.zone.vpcs.clone() })
        .collect();
    let summary = Summary {
        faults: notes.rendered,
        errors: notes.errors,
        frozen: settled.frozen,
        left_out: settled.left_out,
        changes: changes(base, &compiled.zones, &settings, &checks, &locator),
        needs_restart: notes.needs_restart,
        state_warning,
        zones: zones.len(),
        records: zones.iter().map(|zone| zone.zone.record_sets.len()).sum(),
        checks: checks.len(),
    };
    let meters = Arc::clone(&base.meters);
    let catalog = Catalog::build(&served, &settings.vpcs).numbered(|zone| meters.number(&zone.name().to_string()));
    let catalog = Arc::new(catalog);
    let base = Base {
        settings: Arc::new(settings),
        sources: settled.sources.into(),
        locator,
        checks,
        meters,
        databases,
        zones: compiled.zones.into(),
    };
    Ok(Loaded { base, catalog, moves: compiled.moves, summary })
}

/// What has to be said, collected on the way.
#[derive(Default)]
struct Notes {
    rendered: String,
    errors: usize,
    needs_restart: Vec<&'static str>,
}

impl Notes {
    fn add(&mut self, faults: &[Fault], sources: &[SourceFile]) {
        self.rendered.push_str(&config::render(faults, sources, Style::Plain));
        self.errors += faults.iter().filter(|fault| fault.is_error()).count();
    }

    fn refuse(mut self, faults: &[Fault], sources: &[SourceFile]) -> Refused {
        self.add(faults, sources);
        let plural = if self.errors == 1 { "" } else { "s" };
        Refused::Faults { errors: format!("{} error{plural}", self.errors), rendered: self.rendered }
    }
}

/// The settings to go on with: at the start they must be good, later the ones in force stand in for broken ones.
fn read_settings(
    source: &SettingsSource,
    base: &Base,
    occasion: Occasion,
    notes: &mut Notes,
) -> Result<Settings, Refused> {
    let reading = source.read();
    let sources: Vec<SourceFile> = reading.source.into_iter().collect();
    let Some(settings) = reading.settings else {
        if occasion == Occasion::Start {
            return Err(std::mem::take(notes).refuse(&reading.faults, &sources));
        }
        notes.add(&reading.faults, &sources);
        return Ok((*base.settings).clone());
    };
    notes.add(&reading.faults, &sources);
    if occasion == Occasion::Start {
        return Ok(settings);
    }
    Ok(in_force(settings, &base.settings, &mut notes.needs_restart))
}

/// What a running server cannot change stays as it was.
fn in_force(mut new: Settings, old: &Settings, needs_restart: &mut Vec<&'static str>) -> Settings {
    macro_rules! keep {
        ($($section:ident.$key:ident $written:literal),* $(,)?) => {$(
            if new.$section.$key != old.$section.$key {
                needs_restart.push($written);
                new.$section.$key = old.$section.$key.clone();
            }
        )*};
    }
    keep!(
        dns.listen "dns.listen",
        dns.workers "dns.workers",
        dns.udp_payload_max "dns.udp_payload_max",
        dns.nsid "dns.nsid",
        zones.watch "zones.watch",
        location.use_client_subnet "location.client_subnet",
        health.certificate_authorities "health.certificate_authorities",
        state.directory "state.directory",
        admin.listen "admin.listen",
        admin.token_file "admin.token_file",
        log.format "log.format",
    );
    if new.query_log != old.query_log {
        needs_restart.push("query_log");
        new.query_log.clone_from(&old.query_log);
    }
    if new.dnstap != old.dnstap {
        needs_restart.push("dnstap");
        new.dnstap.clone_from(&old.dnstap);
    }
    new
}

/// The texts that were good: those served, or at the start those that the last run left. Another directory begins anew:
/// what was served from the old one does not stand in for it.
fn good_sources(settings: &Settings, base: &Base, last_good: &LastGood, occasion: Occasion) -> Vec<SourceFile> {
    match occasion {
        Occasion::Start => last_good.all(&settings.zones.directory),
        Occasion::Reload if base.settings.zones.directory != settings.zones.directory => Vec::new(),
        Occasion::Reload => base.sources.to_vec(),
    }
}

fn read_sources(
    settings: &Settings,
    base: &Base,
    good: &[SourceFile],
    occasion: Occasion,
    notes: &mut Notes,
) -> Result<Sources, Refused> {
    let directory = &settings.zones.directory;
    let before = |path: &Path| good.iter().find(|source| source.path == path).cloned();
    // At the start nothing is served yet: a directory that is not there is a mistake, and an empty one is empty.
    let served = if occasion == Occasion::Start { &[] } else { good };
    let mut sources = read_zone_files(directory, served, before);
    let is_new = base.settings.zones.directory != *directory;
    if occasion == Occasion::Reload && is_new && sources.files.is_empty() && sources.faults.is_empty() {
        sources.faults.push(Fault::error(directory, "the new zones directory is empty"));
        sources.missing.push(directory.clone());
    }
    let refuse = match occasion {
        Occasion::Start => !sources.missing.is_empty(),
        Occasion::Reload => sources.missing.contains(directory),
    };
    if refuse {
        return Err(std::mem::take(notes).refuse(&sources.faults, &sources.files));
    }
    notes.add(&sources.faults, &sources.files);
    Ok(sources)
}

/// Makes what will be served durable before it is. That the state directory cannot be written is no reason not to serve.
fn keep(last_good: &LastGood, settings: &Settings, sources: &[SourceFile]) -> Option<String> {
    last_good.keep(&settings.zones.directory, sources).err().map(|error| error.to_string())
}

type Located = (Arc<Locator>, Arc<[(PathBuf, Option<Stamp>)]>);

/// The locator in force, unless its settings or its databases changed. A database that is not usable refuses the start;
/// later what was known before goes on, and the next load tries again.
fn locate_clients(settings: &Settings, base: &Base, occasion: Occasion, notes: &mut Notes) -> Result<Located, Refused> {
    let location = &settings.location;
    let stamps: Arc<[_]> = location.geoip.iter().map(|path| (path.clone(), Stamp::of(path))).collect();
    let in_force = || (Arc::clone(&base.locator), Arc::clone(&base.databases));
    if occasion == Occasion::Reload && *location == base.settings.location && stamps == base.databases {
        return Ok(in_force());
    }
    match location.geoip.iter().map(|path| read_database(path)).collect::<Result<Vec<_>, _>>() {
        Ok(databases) => Ok((Arc::new(Locator::build(&location.networks, databases, &location.latency)), stamps)),
        Err(fault) if occasion == Occasion::Start => Err(std::mem::take(notes).refuse(&[*fault], &[])),
        Err(mut fault) => {
            fault.hint("clients are located as before");
            notes.add(&[*fault], &[]);
            // Not as they were: the next load must not take what it could not read for what is in force.
            let unread = location.geoip.iter().map(|path| (path.clone(), None)).collect();
            Ok((Arc::clone(&base.locator), unread))
        }
    }
}

/// Reads a geo database whole; the fault says what is wrong with it.
pub fn read_database(path: &Path) -> Result<Database, Box<Fault>> {
    let bytes = read_bytes(path).map_err(|reason| Box::new(Fault::error(path, reason)))?;
    let name = path.file_name().unwrap_or(path.as_os_str()).display().to_string();
    Database::from_bytes(&name, bytes).map_err(|error| Box::new(Fault::error(path, error.to_string())))
}

struct Compiled {
    zones: Vec<KeptZone>,
    moves: Moves,
}

/// Compiles what changed. Slots are dealt on a copy of the loop's tracker.
fn compile(configuration: &Configuration, base: &Base, mut tracker: Tracker) -> Compiled {
    tracker.apply(&configuration.health_checks, Moment::default());
    let slot_of = |id: &HealthCheckId| tracker.slot_of(id);
    let kept = by_id(&base.zones);
    let zone = |zone: &ZoneSource| {
        let kept = kept.get(&zone.zone.id).copied();
        compile_zone(&zone.zone, &configuration.cidr_collections, kept, &slot_of)
    };
    let zones = configuration.zones.iter().map(zone).collect();
    let moves = Moves::of_zones(configuration.zones.iter().map(|zone| &*zone.zone), &slot_of);
    Compiled { zones, moves }
}

fn compile_zone(
    source: &Arc<HostedZone>,
    collections: &[CidrCollection],
    kept: Option<&KeptZone>,
    slot_of: &dyn Fn(&HealthCheckId) -> Option<CheckSlot>,
) -> KeptZone {
    let slots: Vec<_> = source.record_sets.iter().filter_map(|set| set.health_check.as_ref()).map(slot_of).collect();
    let collections: Vec<_> = collections.iter().filter(|collection| refers_to(source, collection)).cloned().collect();
    let same = |kept: &&KeptZone| kept.source == *source && kept.slots == slots && kept.collections == collections;
    let compiled = match kept.filter(same) {
        Some(kept) => Arc::clone(&kept.compiled),
        None => Arc::new(Zone::compile(source, slot_of, &collections)),
    };
    KeptZone { source: Arc::clone(source), slots, collections, compiled }
}

fn refers_to(zone: &HostedZone, collection: &CidrCollection) -> bool {
    zone.record_sets.iter().any(|set| match &set.routing_policy {
        RoutingPolicy::IpBased { collection: id, .. } => *id == collection.id,
        _ => false,
    })
}

fn by_id(zones: &[KeptZone]) -> HashMap<&HostedZoneId, &KeptZone> {
    zones.iter().map(|zone| (&zone.source.id, zone)).collect()
}

/// What is other than before, in words.
fn changes(
    base: &Base,
    zones: &[KeptZone],
    settings: &Settings,
    checks: &[HealthCheck],
    locator: &Arc<Locator>,
) -> Vec<String> {
    let (before, after) = (by_id(&base.zones), by_id(zones));
    let mut changes = Vec::new();
    for zone in zones {
        match before.get(&zone.source.id) {
            None => changes.push(format!("{} added", zone.source.name)),
            Some(old) if !Arc::ptr_eq(&old.compiled, &zone.compiled) => {
                changes.push(format!("{} changed", zone.source.name));
            }
            Some(_) => {}
        }
    }
    let gone = base.zones.iter().filter(|zone| !after.contains_key(&zone.source.id));
    changes.extend(gone.map(|zone| format!("{} removed", zone.source.name)));
    let others = [
        (*base.checks != *checks, "health checks changed"),
        (!Arc::ptr_eq(&base.locator, locator), "places changed"),
        (*base.settings != *settings, "settings changed"),
    ];
    changes.extend(others.iter().filter(|(is_other, _)| *is_other).map(|(_, text)| (*text).to_owned()));
    changes
}

impl Summary {
    /// Such as `14 records in 2 zones, 3 health checks`.
    pub fn totals(&self) -> String {
        let counted = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        let (records, zones) = (counted(self.records, "record"), counted(self.zones, "zone"));
        format!("{records} in {zones}, {}", counted(self.checks, "health check"))
    }

    /// What follows from the faults.
    pub(super) fn consequence(&self) -> String {
        let list =
            |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        match (self.errors, self.frozen.as_slice(), self.left_out.as_slice()) {
            (0, ..) => "everything is served".to_owned(),
            (_, [], []) => "what they are about is served as before".to_owned(),
            (_, frozen, []) => format!("served from the last good source: {}", list(frozen)),
            (_, [], left_out) => format!("not served: {}", list(left_out)),
            (_, frozen, left_out) => {
                format!("served from the last good source: {}; not served: {}", list(frozen), list(left_out))
            }
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "for an unknown reason".to_owned())
}
