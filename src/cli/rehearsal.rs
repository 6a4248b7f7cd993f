//! Zones without a server: read from files, compiled, and queried in this process.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;

use crate::config::{self, Configuration, Diagnostic, Settings, Style};
use crate::control::{HypotheticalHealth, OverrideError, suppose};
use crate::explain::shape::CheckShape;
use crate::geo::{Database, GeoLookup};
use crate::health::{Status, Timestamp, Tracker};
use crate::load::read_database;
use crate::model::{HealthCheckId, HostedZone, HostedZoneId};
use crate::policy::CidrTables;
use crate::store::{Overrides, SettingsSource, Sources, Writers, read_zone_files, read_zone_list};
use crate::world::{Catalog, ServedZone, World};
use crate::zonetree::Zone;

use super::{print_error, settings};

/// Settings, zones and places, compiled; every check healthy.
pub(super) struct Rehearsal {
    /// The settings.
    pub(super) settings: Settings,
    /// What was read.
    pub(super) configuration: Configuration,
    catalog: Arc<Catalog>,
    geo_lookup: Arc<GeoLookup>,
    tracker: Tracker,
}

/// A rehearsal with health as it is supposed to be.
pub(super) struct Cast {
    /// What answers.
    pub(super) world: World,
    /// With nothing supposed.
    natural: Tracker,
    tracker: Tracker,
    hypothetical: Vec<HypotheticalHealth>,
}

impl Rehearsal {
    /// Reads the settings, and these zone files (or all files of these directories) or else the
    /// settings' own. Diagnostics are printed; after an error there is nothing to query.
    pub(super) fn read(config: Option<&Path>, files: &[PathBuf]) -> anyhow::Result<Rehearsal> {
        let file = settings::locate_or_default(config, files.first().map(PathBuf::as_path))?;
        let source = SettingsSource { file, overrides: Overrides::default() };
        let reading = source.read();
        let settings = reading.settings.unwrap_or_else(Settings::built_in);
        let read = match files {
            [] => read_zone_files(&settings.zones.directory, &[], &Writers::unknown(), |_| None, |_, _| None),
            files => read_files(files),
        };
        let unreadable = read.diagnostics.clone();
        let files = read.texts();
        let zones = config::read_zones(&files, &settings);
        let (databases, unread) = databases(&settings);
        let diagnostics: Vec<Diagnostic> =
            reading.diagnostics.into_iter().chain(unreadable).chain(zones.diagnostics).chain(unread).collect();
        let sources: Vec<_> = reading.source.into_iter().chain(files).collect();
        if diagnostics.iter().any(Diagnostic::is_error) {
            let style = if std::io::stderr().is_terminal() { Style::Coloured } else { Style::Plain };
            print_error(&config::render(&diagnostics, &sources, style));
            bail!("these files cannot be served, so there is nothing to ask");
        }
        Ok(Rehearsal::of(settings, zones.configuration, databases))
    }

    fn of(settings: Settings, configuration: Configuration, databases: Vec<Database>) -> Rehearsal {
        let mut tracker = Tracker::new();
        tracker.apply(&configuration.health_checks, Timestamp::default());
        let tables = CidrTables::build(&configuration.cidr_collections);
        let compile = |zone: &HostedZone| Arc::new(Zone::compile(zone, &|id| tracker.slot_of(id), &tables));
        let zones = configuration.zones.iter();
        let served: Vec<_> =
            zones.map(|zone| ServedZone { zone: compile(&zone.zone), vpcs: zone.zone.vpcs.clone() }).collect();
        let catalog = Arc::new(Catalog::build(&served, &settings.vpcs));
        let location = &settings.location;
        let geo_lookup = Arc::new(GeoLookup::build(&location.networks, databases, &location.latency));
        Rehearsal { settings, configuration, catalog, geo_lookup, tracker }
    }

    /// The world in which checks are as `known` says (and healthy where it says nothing), but for
    /// what is supposed.
    pub(super) fn cast(
        &self,
        hypothetical: &[HypotheticalHealth],
        known: &dyn Fn(&str) -> Option<Status>,
    ) -> Result<Cast, OverrideError> {
        let mut tracker = self.tracker.clone();
        tracker.apply_overrides(known, Timestamp::default());
        let natural = tracker.clone();
        suppose(&mut tracker, hypothetical, known, Timestamp::default())?;
        let world = World::new(Arc::clone(&self.catalog), &tracker.bits(), Arc::clone(&self.geo_lookup));
        Ok(Cast { world, natural, tracker, hypothetical: hypothetical.to_vec() })
    }

    /// The source of a zone.
    pub(super) fn model(&self, id: &HostedZoneId) -> Result<Arc<HostedZone>, String> {
        let zone = self.configuration.zones.iter().find(|zone| zone.zone.id == *id);
        zone.map(|zone| Arc::clone(&zone.zone)).ok_or_else(|| format!("there is no zone {}", id.0))
    }
}

impl Cast {
    /// A check with its assumed status.
    pub(super) fn check(&self, id: &HealthCheckId) -> Option<CheckShape> {
        let slot = self.tracker.slot_of(id)?;
        let view = self.tracker.view(slot)?;
        let is_meant = self.hypothetical.iter().any(|hypothetical| hypothetical.pattern.matches(&view.name));
        Some(CheckShape {
            name: view.name.to_string(),
            healthy: view.verdict == Status::Healthy,
            as_if: is_meant || self.natural.status(slot) != Some(view.verdict),
            disabled: view.disabled,
            ..CheckShape::default()
        })
    }
}

/// Files, and all zone files of directories.
fn read_files(paths: &[PathBuf]) -> Sources {
    let mut sources = Sources::default();
    for path in paths {
        let read = match path.is_dir() {
            true => read_zone_files(path, &[], &Writers::unknown(), |_| None, |_, _| None),
            false => read_zone_list(std::slice::from_ref(path), |_| None),
        };
        sources.files.extend(read.files);
        sources.diagnostics.extend(read.diagnostics);
        sources.missing.extend(read.missing);
    }
    sources
}

fn databases(settings: &Settings) -> (Vec<Database>, Vec<Diagnostic>) {
    let (mut databases, mut diagnostics) = (Vec::new(), Vec::new());
    for path in &settings.location.geoip {
        match read_database(path) {
            Ok(database) => databases.push(database),
            Err(diagnostic) => diagnostics.push(*diagnostic),
        }
    }
    (databases, diagnostics)
}
