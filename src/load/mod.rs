//! Loading: from the settings, zone files and geo databases to a compiled configuration, and what
//! is wrong with them.
//!
//! A load receives the configuration in force and returns the one that replaces it, or the reason
//! why there is none. Unchanged parts are reused: a file with the same stamp is not read again, an
//! unchanged zone is not compiled again, and unchanged databases are not read again. A server, its
//! reloads and the commands that work without a server ([`load_offline`]) all load by this code.
//!
//! There are two paths. If all files are free of errors, only the changed files are read, each on
//! its own ([`mod@incremental`]). If any file has an error, all files are read and checked together
//! ([`mod@with_fallback`]). This takes time in proportion to their total size and finds every
//! error.

mod answer_counters;
mod changes;
mod commit;
mod deferred;
mod diagnostics;
mod difference;
mod durable;
mod geo_databases;
mod in_memory;
mod incremental;
mod loaded_config;
mod loaded_file;
#[cfg(test)]
pub(crate) mod memory_sources;
mod models;
mod offline;
mod outcome;
mod parallel;
mod planned;
mod prepare;
pub(crate) mod queue;
mod records_by_check;
mod settings;
mod snapshot;
mod sources;
#[cfg(test)]
mod tests;
mod thread;
mod unavailable;
mod undo;
mod with_fallback;
mod zone_choice;
mod zone_files;

use std::path::PathBuf;
use std::sync::Arc;

use crate::background;
use crate::config::{
    self, Configuration, Diagnostic, LoadPhase, Settings, SharedDefinitions, SourceFile, SourceOrigin,
};
use crate::health::Slots;
use crate::model::{HealthCheck, HealthCheckId, Name};
use crate::policy::CidrTables;
use crate::store::{MemoryRoom, SettingsSource};
use crate::world::{Catalog, ServedZone};

pub(crate) use crate::config::LocatedDiagnostic;
#[cfg(test)]
pub(crate) use commit::commit;
pub(crate) use commit::{CommitOutcome, CommitRequest, CommittedConfig};
pub(crate) use deferred::Deferred;
pub(crate) use diagnostics::LoadDiagnostics;
pub(crate) use difference::differences;
pub(crate) use in_memory::InMemorySources;
pub(crate) use loaded_config::{LoadedConfig, NoModel, ZoneOutline};
pub(crate) use offline::{Scope, load_offline};
pub(crate) use outcome::{ErrorFree, Refused, Summary};
pub(crate) use records_by_check::RecordsByCheck;
pub(crate) use sources::{FileSources, FileWrite, Reach, Sources};
pub(crate) use thread::with_files;
pub(crate) use unavailable::Unavailable;
pub(crate) use undo::{CHANGED, Inverse, NoInverse, OTHER_REFERENCE, UndoConflict};

use geo_databases::Located;
use loaded_config::ConfigState;
use loaded_file::LoadedFile;
use zone_files::ZoneFiles;

/// Why a load is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// A reload was requested (SIGHUP or the API). The outcome is logged even if nothing changed.
    Requested,
    /// A file changed.
    FileChanged,
}

/// A request to the loader.
pub(crate) struct LoadRequest {
    /// Returned with the outcome.
    pub(crate) generation: u64,
    /// The configuration in force.
    pub(crate) base: LoadedConfig,
    /// The slots of the checks in force; new checks get theirs from it.
    pub(crate) slots: Slots,
    /// The reason for the load.
    pub(crate) trigger: Trigger,
}

/// The outcome of a load.
pub(crate) struct LoadOutcome {
    /// The generation of the request.
    pub(crate) generation: u64,
    /// The new configuration, or why the old one stays in force.
    pub(crate) result: Result<Box<Loaded>, Refused>,
}

/// A loaded configuration.
pub(crate) struct Loaded {
    /// The base of the next load.
    pub(crate) base: LoadedConfig,
    /// All zones, compiled.
    pub(crate) catalog: Arc<Catalog>,
    /// The records that use each check.
    pub(crate) records_by_check: Arc<RecordsByCheck>,
    /// The summary for the log and the API.
    pub(crate) summary: Summary,
}

/// Loads everything. `phase` says whether a configuration is in force already.
pub(crate) fn load(
    settings: &SettingsSource,
    sources: &dyn Sources,
    request: LoadRequest,
    phase: LoadPhase,
) -> LoadOutcome {
    let LoadRequest { generation, base, slots, .. } = request;
    let load = || load_all(settings, sources, &base, &slots, phase, Scope::Everything);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(load));
    let result = result.unwrap_or_else(|panic| Err(Refused::Panicked(panic_text(&*panic))));
    LoadOutcome { generation, result: result.map(Box::new) }
}

/// A load in progress.
struct Load<'l> {
    sources: &'l dyn Sources,
    settings: &'l Settings,
    base: &'l LoadedConfig,
    slots: &'l Slots,
    phase: LoadPhase,
    room: MemoryRoom,
    /// The revision of the sources before anything was read.
    revision: i64,
}

/// The zones of a load.
enum Zones {
    Compiled(CompiledZones),
    /// Only at the start: zones cannot be served because of errors. This has the other ones.
    Refused(Configuration),
}

/// Zones that can be served.
struct CompiledZones {
    files: Vec<Arc<LoadedFile>>,
    common: Arc<SharedDefinitions>,
    tables: CidrTables,
    state: ConfigState,
    frozen: Vec<PathBuf>,
    left_out: Vec<PathBuf>,
}

/// What a load has found so far.
#[derive(Default)]
struct LoadReport {
    diagnostics: LoadDiagnostics,
    /// The text of the settings in use, if they come from a file.
    settings_text: Vec<SourceFile>,
    needs_restart: Vec<&'static str>,
    deferred: Vec<Deferred>,
    /// The sources that were served until now, of zones that changed.
    sources_before: Vec<SourceFile>,
    /// Whether the load must fail, after all errors are found.
    is_refused: bool,
}

fn load_all(
    settings_source: &SettingsSource,
    sources: &dyn Sources,
    base: &LoadedConfig,
    slots: &Slots,
    phase: LoadPhase,
    scope: Scope,
) -> Result<Loaded, Refused> {
    let mut report = LoadReport::default();
    let mut settings = settings::settings_in_force(settings_source, sources, base, phase, &mut report);
    if !sources.has_cluster() {
        settings.cluster = None;
    }
    // Without settings, only the zones are checked: the rest would be about the defaults.
    let scope = if report.is_refused { Scope::Zones } else { scope };
    let room = if phase == LoadPhase::Start { MemoryRoom::unlimited() } else { MemoryRoom::now() };
    let load = Load { sources, settings: &settings, base, slots, phase, room, revision: sources.revision() };
    let zones = load.zones(&mut report)?;
    background::yield_point();
    let mut sentinels = Arc::default();
    if scope == Scope::Everything {
        sentinels = load.sentinels(zones.health_checks(), &mut report);
        report.add(load.warn_of_loopback_name_servers(&zones).as_slice(), &[]);
    }
    let located = match scope {
        Scope::Zones => Located { lookup: Arc::default(), databases: Arc::default() },
        Scope::Everything | Scope::ZonesAndDatabases => {
            geo_databases::locate_clients(sources, &settings, base, phase, &mut report)
        }
    };
    match zones {
        Zones::Compiled(zones) if !report.is_refused => Ok(load.finish(zones, sentinels, located, report)),
        zones => Err(report.into_refused(zones.error_free())),
    }
}

impl Load<'_> {
    fn zones(&self, report: &mut LoadReport) -> Result<Zones, Refused> {
        let texts = match self.phase {
            LoadPhase::Start => zone_files::zone_files_at_start(self.sources, self.settings, self.base, report),
            LoadPhase::Reload => {
                let mut room = self.room.clone();
                zone_files::changed_zone_files(self.sources, self.settings, self.base, &mut room, report)?
            }
        };
        background::yield_point();
        report.sources_before = self.base.sources_before(&texts);
        let zones = self.compile(texts, report)?;
        if let Zones::Compiled(zones) = &zones {
            report.add(&unavailable::diagnostics(&zones.files), &[]);
        }
        Ok(zones)
    }

    fn compile(&self, texts: ZoneFiles, report: &mut LoadReport) -> Result<Zones, Refused> {
        if self.base.state == ConfigState::Current
            && let Some(zones) = self.compile_changed(&texts, SourceOrigin::Current, None)
        {
            zones.files.iter().for_each(|file| report.diagnostics.add(file.warnings.iter().cloned()));
            return Ok(Zones::Compiled(zones));
        }
        self.compile_with_fallback(texts, report)
    }

    /// At the start every sentinel must name a check. In a reload, sentinels that name none are
    /// reported and ignored.
    fn sentinels(&self, checks: &[HealthCheck], report: &mut LoadReport) -> Arc<[HealthCheckId]> {
        if report.is_refused && checks.is_empty() {
            // The file that defines them has errors, or could not be read.
            return Arc::default();
        }
        let (sentinels, diagnostics) = config::resolve_sentinels(self.settings, checks);
        let text = std::mem::take(&mut report.settings_text);
        match self.phase {
            LoadPhase::Start if !diagnostics.is_empty() => report.refuse(&diagnostics, &text),
            _ => report.add(&diagnostics, &text),
        }
        sentinels.into()
    }

    /// A warning about zones whose default name server has a loopback address: other machines would
    /// look for it on themselves.
    fn warn_of_loopback_name_servers(&self, zones: &Zones) -> Option<Diagnostic> {
        let found: Vec<(PathBuf, Name)> = match zones {
            Zones::Compiled(zones) => {
                let found = |file: &Arc<LoadedFile>| {
                    Some((file.path.clone(), file.zone.as_ref()?.loopback_name_server.clone()?))
                };
                zones.files.iter().filter_map(found).collect()
            }
            Zones::Refused(error_free) => {
                let dns = &self.settings.dns;
                let found = |zone: &config::ZoneSource| {
                    Some((zone.file.clone(), config::loopback_name_server(&zone.zone, dns)?))
                };
                error_free.zones.iter().filter_map(found).collect()
            }
        };
        config::warn_of_loopback_name_servers(found.iter().map(|(path, name)| (path.as_path(), name)))
    }

    fn finish(
        &self,
        zones: CompiledZones,
        sentinels: Arc<[HealthCheckId]>,
        located: Located,
        report: LoadReport,
    ) -> Loaded {
        background::yield_point();
        let (base, settings) = (self.base, self.settings);
        let state_warning = durable::keep(base, &settings.zone_directories(), &zones.files, self.phase, self.sources);
        let (frozen, left_out) = (zones.frozen.clone(), zones.left_out.clone());
        let after = self.config_with(zones, sentinels, located);
        let object_changes = match self.phase {
            LoadPhase::Start => Vec::new(),
            LoadPhase::Reload => difference::of_load(base, &after, &report.sources_before, self.sources),
        };
        let summary = Summary {
            errors: report.diagnostics.errors(),
            diagnostics: Arc::new(report.diagnostics),
            frozen,
            left_out,
            deferred: report.deferred,
            unavailable: unavailable::listed(&after.files),
            changes: changes::changes(base, &after, &object_changes),
            object_changes,
            needs_restart: report.needs_restart,
            state_warning,
            zones: after.zones().filter(|zone| !zone.compiled.is_unavailable()).count(),
            records: after.zones().map(|zone| zone.records).sum(),
            checks: after.checks.len(),
        };
        Loaded {
            catalog: Arc::new(catalog(&after)),
            records_by_check: Arc::clone(&after.records_by_check),
            base: after,
            summary,
        }
    }

    /// The configuration with these zones.
    fn config_with(&self, zones: CompiledZones, sentinels: Arc<[HealthCheckId]>, located: Located) -> LoadedConfig {
        let (base, checks) = (self.base, &zones.common.health_checks);
        LoadedConfig {
            geo_lookup: located.lookup,
            checks: if *base.checks == **checks { Arc::clone(&base.checks) } else { checks.clone().into() },
            sentinels,
            meters: Arc::clone(&base.meters),
            databases: located.databases,
            records_by_check: records_by_check(base, &zones.files),
            files: zones.files.into(),
            common: zones.common,
            tables: zones.tables,
            source_cache: Arc::clone(&base.source_cache),
            models: Arc::clone(&base.models),
            history: base.history.clone(),
            state: zones.state,
            sources_revision: self.revision,
            // Models are known by the settings that they were read with.
            settings: if std::ptr::eq(self.settings, &*base.settings) || *self.settings == *base.settings {
                Arc::clone(&base.settings)
            } else {
                Arc::new(self.settings.clone())
            },
        }
    }
}

impl Zones {
    fn health_checks(&self) -> &[HealthCheck] {
        match self {
            Zones::Compiled(zones) => &zones.common.health_checks,
            Zones::Refused(error_free) => &error_free.health_checks,
        }
    }

    /// How much has no error.
    fn error_free(&self) -> ErrorFree {
        match self {
            Zones::Compiled(zones) => {
                let zones = || zones.files.iter().filter_map(|file| file.zone.as_ref());
                ErrorFree { zones: zones().count(), records: zones().map(|zone| zone.records).sum() }
            }
            Zones::Refused(error_free) => {
                let records = error_free.zones.iter().map(|zone| zone.zone.record_sets.len()).sum();
                ErrorFree { zones: error_free.zones.len(), records }
            }
        }
    }
}

impl LoadReport {
    fn add(&mut self, diagnostics: &[Diagnostic], sources: &[SourceFile]) {
        self.diagnostics.add(config::locate(diagnostics, sources));
    }

    /// The load fails because of these diagnostics, after it has looked for others.
    fn refuse(&mut self, diagnostics: &[Diagnostic], sources: &[SourceFile]) {
        self.add(diagnostics, sources);
        self.is_refused = true;
    }

    /// The load fails at once.
    fn refused(&mut self, diagnostics: &[Diagnostic], sources: &[SourceFile]) -> Refused {
        self.add(diagnostics, sources);
        std::mem::take(self).into_refused(ErrorFree::default())
    }

    fn into_refused(self, error_free: ErrorFree) -> Refused {
        Refused::Diagnostics { diagnostics: Arc::new(self.diagnostics), error_free }
    }
}

/// The zones with the counters of their answers.
fn catalog(config: &LoadedConfig) -> Catalog {
    let served: Vec<ServedZone> =
        config.zones().map(|zone| ServedZone { zone: Arc::clone(&zone.compiled), vpcs: zone.vpcs.clone() }).collect();
    let meters = &config.meters;
    let catalog =
        Catalog::build(&served, &config.settings.vpcs).numbered(|zone| meters.number(&zone.name().to_string()));
    catalog.counting(config.zones().map(|zone| zone.counted.clone()))
}

/// The records by check. The current index is reused if nothing changed.
fn records_by_check(base: &LoadedConfig, files: &[Arc<LoadedFile>]) -> Arc<RecordsByCheck> {
    let is_same = |(one, other): (&Arc<LoadedFile>, _)| {
        Arc::ptr_eq(one, other) || one.records_by_check() == LoadedFile::records_by_check(other)
    };
    if base.files.len() == files.len() && base.files.iter().zip(files).all(is_same) {
        return Arc::clone(&base.records_by_check);
    }
    Arc::new(RecordsByCheck::of_zones(files.iter().map(|file| file.records_by_check())))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "for an unknown reason".to_owned())
}
