//! Loading: from files to compiled zones, on the loader thread.
//!
//! A load receives the configuration in force and returns the one that replaces it, or the reason
//! why there is none. Unchanged parts are reused: a file with the same stamp is not read again, an
//! unchanged zone is not compiled again, and unchanged databases are not read again.
//!
//! There are two paths. If all files are free of errors, only the changed files are read, each on
//! its own. If any file has an error, all files are read and checked together. This takes time in
//! proportion to their total size and finds every error. The sources it selects have no errors and
//! are compiled by the first path.

mod counted;
mod deferred;
mod loaded_file;
mod records_by_check;
mod withheld;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::background;
pub use crate::config::ReportedFault;
use crate::config::{
    self, Diagnostic, LoadPhase, ServedFile, Settings, SharedDefinitions, SourceFile, Style, TextOrigin,
};
use crate::files::{self, Unresponsive};
use crate::geo::{Database, GeoLookup};
use crate::health::{CheckSlot, Slots};
use crate::model::{HealthCheck, HealthCheckId, HostedZone, HostedZoneId, Name, VpcId};
use crate::policy::CidrTables;
use crate::stats::Meters;
use crate::store::{
    Current, MemoryRoom, NotKept, SettingsSource, SourceCache, Sources, Stamp, TextPrint, Writers, read_zone_files,
    read_zone_files_within,
};
use crate::world::{Catalog, ServedZone};
use crate::zonetree::Zone;

pub use deferred::Deferred;
use loaded_file::{ChangedFile, LoadedFile, LoadedZone, ZoneCompiler, claims_differ};
pub use records_by_check::RecordsByCheck;
pub use withheld::Unavailable;

/// With at most this many files, sources are made durable before they are served. With more, they
/// are made durable in the background after the start.
const FEW_FILES: usize = 64;
/// The size limit of a geo database: five times the largest one on sale.
const LARGEST_DATABASE: u64 = 2 << 30;

/// The configuration in force, as far as the next load needs it. Cheap to clone.
#[derive(Clone)]
pub struct LoadedConfig {
    /// The settings in force.
    pub settings: Arc<Settings>,
    /// Maps client addresses to locations.
    pub geo_lookup: Arc<GeoLookup>,
    /// All health checks.
    pub checks: Arc<[HealthCheck]>,
    /// The checks that detect whether this server is offline.
    pub sentinels: Arc<[HealthCheckId]>,
    /// The counters of the workers, by zone.
    pub meters: Arc<Meters>,
    databases: Arc<[(PathBuf, Option<Stamp>)]>,
    /// By path.
    files: Arc<[Arc<LoadedFile>]>,
    /// Definitions in one file that other files can refer to.
    common: Arc<SharedDefinitions>,
    /// The tables of its CIDR collections.
    tables: CidrTables,
    records_by_check: Arc<RecordsByCheck>,
    source_cache: Arc<SourceCache>,
    standing: Standing,
}

/// Whether the served zones match the files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Every file is served as it is now.
    Current,
    /// At least one file has an error.
    Behind,
}

/// A zone without its records.
#[derive(Clone, Copy, Debug)]
pub struct ZoneOutline<'b> {
    /// Its id in the API.
    pub id: &'b HostedZoneId,
    /// Its apex.
    pub name: &'b Name,
    /// Its `comment`.
    pub comment: Option<&'b str>,
    /// The VPCs it is associated with. A zone without VPCs is public.
    pub vpcs: &'b [VpcId],
    /// The number of its record sets.
    pub record_sets: usize,
    /// The checks that its record sets refer to.
    pub checks: &'b [CheckSlot],
    /// Whether its file is broken and no usable copy of it is kept. Such a zone answers SERVFAIL.
    pub is_unavailable: bool,
}

/// Why a load is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A reload was requested (SIGHUP or the API). The outcome is logged even if nothing changed.
    Asked,
    /// A file changed.
    Edited,
}

/// A request to the loader.
pub struct LoadRequest {
    /// Returned with the outcome.
    pub generation: u64,
    /// The configuration in force.
    pub base: LoadedConfig,
    /// The slots of the checks in force; new checks get theirs from it.
    pub slots: Slots,
    /// The reason for the load.
    pub trigger: Trigger,
}

/// The outcome of a load.
pub struct LoadOutcome {
    /// The generation of the request.
    pub generation: u64,
    /// The new configuration, or why the old one stays in force.
    pub result: Result<Box<Loaded>, Refused>,
}

/// A loaded configuration.
pub struct Loaded {
    /// The base of the next load.
    pub base: LoadedConfig,
    /// All zones, compiled.
    pub catalog: Arc<Catalog>,
    /// The records that use each check.
    pub records_by_check: Arc<RecordsByCheck>,
    /// The summary for the log and the API.
    pub summary: Summary,
}

/// The summary of a load, for the log and the API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// All diagnostics with the lines of their files, for the log. Empty if there are none.
    pub diagnostics: String,
    /// The same diagnostics without the lines of the files, for the API.
    pub reported: Vec<ReportedFault>,
    /// The number of errors among them.
    pub errors: usize,
    /// Files served from their last good source.
    pub frozen: Vec<PathBuf>,
    /// New files with errors; they are not served.
    pub left_out: Vec<PathBuf>,
    /// Files that are being written or look half written. Their previous contents are served.
    pub deferred: Vec<Deferred>,
    /// Files that were served before the restart and have no usable source. Their zones answer
    /// SERVFAIL.
    pub unavailable: Vec<Unavailable>,
    /// Changes, for example `lab.test. changed`.
    pub changes: Vec<String>,
    /// Changed settings that take effect at the next restart.
    pub needs_restart: Vec<&'static str>,
    /// Why last good sources cannot be kept.
    pub state_warning: Option<String>,
    /// The number of zones.
    pub zones: usize,
    /// The number of record sets.
    pub records: usize,
    /// The number of health checks.
    pub checks: usize,
}

/// Why a load failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    /// The files or the geo databases have errors and there is nothing to fall back to.
    #[error("{errors} in the files\n{}", diagnostics.printed)]
    Faults {
        /// The number of errors, for example `2 errors`.
        errors: String,
        /// All diagnostics.
        diagnostics: Faults,
    },
    /// A file system does not respond. The next load skips the files on it.
    #[error("{0}")]
    Unresponsive(Unresponsive),
    /// A bug in this program.
    #[error("the loader failed: {0}")]
    Panicked(String),
}

/// Diagnostics in two forms: for the log and for the API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// With the lines of their files.
    pub printed: String,
    /// Without the lines of their files.
    pub reported: Vec<ReportedFault>,
}

impl Faults {
    fn of(diagnostics: &[Diagnostic], sources: &[SourceFile]) -> Faults {
        let printed = config::render(diagnostics, sources, Style::Plain);
        Faults { printed, reported: config::report(diagnostics, sources) }
    }

    fn append(&mut self, others: &Faults) {
        self.printed.push_str(&others.printed);
        self.reported.extend_from_slice(&others.reported);
    }
}

impl Refused {
    /// The reason in one line, without contents of the files.
    pub fn in_short(&self) -> String {
        match self {
            Refused::Faults { errors, .. } => format!("{errors} in the files"),
            Refused::Unresponsive(_) => self.to_string(),
            // A panic message can contain contents of the files.
            Refused::Panicked(_) => "the loader failed; the log says how".to_owned(),
        }
    }

    /// The diagnostics of the files.
    pub fn reported(&self) -> &[ReportedFault] {
        match self {
            Refused::Faults { diagnostics, .. } => &diagnostics.reported,
            Refused::Unresponsive(_) | Refused::Panicked(_) => &[],
        }
    }
}

/// Why the records of a zone cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoModel {
    /// No zone with this id is served.
    #[error("no hosted zone with the id `{}` is served", .0.0)]
    Unknown(HostedZoneId),
    /// The zone has no records: it answers SERVFAIL.
    #[error("{0}")]
    Unavailable(Unavailable),
    /// The source that the zone was compiled from is lost.
    #[error("the source that {} is served from cannot be read back: {why}", file.display())]
    Lost {
        /// The zone file.
        file: PathBuf,
        /// The reason.
        why: String,
    },
}

impl LoadedConfig {
    /// The configuration before the first load: nothing is served.
    pub fn empty(settings: Settings) -> LoadedConfig {
        LoadedConfig {
            source_cache: Arc::new(SourceCache::new(&settings.state.directory)),
            settings: Arc::new(settings),
            geo_lookup: Arc::default(),
            checks: Arc::default(),
            sentinels: Arc::default(),
            meters: Arc::default(),
            databases: Arc::default(),
            files: Arc::new([]),
            common: Arc::default(),
            tables: CidrTables::default(),
            records_by_check: Arc::default(),
            standing: Standing::Current,
        }
    }

    /// The records of a zone as they are served. They are not kept in memory because queries do not
    /// need them: this reads the source from disk and parses it, in time proportional to its size.
    /// Do not call it from the query path or the control loop.
    pub fn zone_model(&self, id: &HostedZoneId) -> Result<Arc<HostedZone>, NoModel> {
        let file = self.files.iter().find(|file| file.id() == Some(id)).ok_or_else(|| NoModel::Unknown(id.clone()))?;
        if file.is_unavailable() {
            return Err(NoModel::Unavailable(Unavailable::of(file)));
        }
        let lost = |why: String| NoModel::Lost { file: file.path.clone(), why };
        let source = self.source_cache.read(&file.path, file.print).map_err(lost)?;
        let reading = self.common.zone(&source, TextOrigin::LastGood, &self.settings);
        let zone = reading.and_then(|reading| reading.zone).filter(|zone| zone.id == *id);
        zone.map(Arc::new).ok_or_else(|| lost("it cannot be parsed any more".to_owned()))
    }

    /// Makes the served sources durable. This takes a while if there are many. Sources that are not
    /// durable yet, or cannot be written, stay in memory.
    pub fn keep_sources(&self) -> Result<(), NotKept> {
        self.source_cache.keep(&self.settings.zones.directory, &served(&self.files))
    }

    /// All zones that are served, without their records.
    pub fn zone_outlines(&self) -> impl Iterator<Item = ZoneOutline<'_>> {
        self.zones().map(|zone| ZoneOutline {
            id: zone.compiled.id(),
            name: zone.compiled.name(),
            comment: zone.comment.as_deref(),
            vpcs: &zone.vpcs,
            record_sets: zone.records,
            checks: zone.compiled.checks(),
            is_unavailable: zone.compiled.is_unavailable(),
        })
    }

    /// A name to try: that of the first address record without a wildcard in a public zone.
    pub fn example(&self) -> Option<String> {
        self.zones().find_map(|zone| zone.example.as_ref()).map(ToString::to_string)
    }

    fn zones(&self) -> impl Iterator<Item = &LoadedZone> {
        self.files.iter().filter_map(|file| file.zone.as_ref())
    }

    /// The source that a file is served from.
    fn source_of(&self, file: &LoadedFile) -> Result<SourceFile, String> {
        self.source_cache.read(&file.path, file.print)
    }

    fn file(&self, path: &Path) -> Option<&Arc<LoadedFile>> {
        let at = self.files.binary_search_by(|file| (*file.path).cmp(path)).ok()?;
        Some(&self.files[at])
    }
}

/// Loads everything. `occasion` says whether a configuration is in force already. `writers` says
/// which files are being written; those are deferred.
pub fn load(source: &SettingsSource, request: LoadRequest, occasion: LoadPhase, writers: &Writers) -> LoadOutcome {
    let LoadRequest { generation, base, slots, .. } = request;
    let load = std::panic::AssertUnwindSafe(|| load_all(source, &base, &slots, occasion, writers));
    let result = std::panic::catch_unwind(load);
    let result = result.unwrap_or_else(|panic| Err(Refused::Panicked(panic_text(&*panic))));
    LoadOutcome { generation, result: result.map(Box::new) }
}

fn load_all(
    source: &SettingsSource,
    base: &LoadedConfig,
    slots: &Slots,
    occasion: LoadPhase,
    writers: &Writers,
) -> Result<Loaded, Refused> {
    let mut notes = Notes::default();
    let settings = read_settings(source, base, occasion, writers, &mut notes)?;
    // At the start nothing is served yet, so the load is tried even if memory is short.
    let mut room = if occasion == LoadPhase::Start { MemoryRoom::unlimited() } else { MemoryRoom::now() };
    let texts = match occasion {
        LoadPhase::Start => texts_at_start(&settings, base, &mut notes)?,
        LoadPhase::Reload => texts_now(&settings, base, writers, &mut room, &mut notes)?,
    };
    background::yield_point();
    let load = Load { settings: &settings, base, slots, occasion, room };
    let made = load.serve(texts, &mut notes)?;
    background::yield_point();
    let sentinels = find_sentinels(&settings, &made.common.health_checks, occasion, &mut notes)?;
    notes.add(loopback_name_servers(&made.files).as_slice(), &[]);
    let (geo_lookup, databases) = locate_clients(&settings, base, occasion, writers, &mut notes)?;
    let state_warning = keep(base, &settings, &made, occasion);
    let checks = if *base.checks == *made.common.health_checks {
        Arc::clone(&base.checks)
    } else {
        made.common.health_checks.clone().into()
    };
    let after = LoadedConfig {
        geo_lookup,
        checks,
        sentinels,
        meters: Arc::clone(&base.meters),
        databases,
        records_by_check: records_by_check(base, &made.files),
        files: made.files.into(),
        common: made.common,
        tables: made.tables,
        source_cache: Arc::clone(&base.source_cache),
        standing: made.standing,
        settings: Arc::new(settings),
    };
    let summary = Summary {
        diagnostics: notes.diagnostics.printed,
        reported: notes.diagnostics.reported,
        errors: notes.errors,
        frozen: made.frozen,
        left_out: made.left_out,
        deferred: notes.deferred,
        unavailable: withheld::listed(&after.files),
        changes: changes(base, &after),
        needs_restart: notes.needs_restart,
        state_warning,
        zones: after.zones().filter(|zone| !zone.compiled.is_unavailable()).count(),
        records: after.zones().map(|zone| zone.records).sum(),
        checks: after.checks.len(),
    };
    let served: Vec<ServedZone> =
        after.zones().map(|zone| ServedZone { zone: Arc::clone(&zone.compiled), vpcs: zone.vpcs.clone() }).collect();
    let meters = Arc::clone(&base.meters);
    let catalog =
        Catalog::build(&served, &after.settings.vpcs).numbered(|zone| meters.number(&zone.name().to_string()));
    let catalog = catalog.counting(after.zones().map(|zone| zone.counted.clone()));
    Ok(Loaded {
        catalog: Arc::new(catalog),
        records_by_check: Arc::clone(&after.records_by_check),
        base: after,
        summary,
    })
}

/// For each file, its source or the compiled file that is served.
type Texts = Vec<Current<Arc<LoadedFile>>>;

/// A load in progress.
struct Load<'l> {
    settings: &'l Settings,
    base: &'l LoadedConfig,
    slots: &'l Slots,
    occasion: LoadPhase,
    room: MemoryRoom,
}

/// The zones of a load.
struct Made {
    files: Vec<Arc<LoadedFile>>,
    common: Arc<SharedDefinitions>,
    tables: CidrTables,
    standing: Standing,
    frozen: Vec<PathBuf>,
    left_out: Vec<PathBuf>,
}

impl Load<'_> {
    fn serve(&self, texts: Texts, notes: &mut Notes) -> Result<Made, Refused> {
        if self.base.standing == Standing::Current
            && let Some(made) = self.read_changed(&texts, TextOrigin::Current)
        {
            made.files.iter().for_each(|file| notes.diagnostics.append(&file.warnings));
            notes.add(&withheld::diagnostics(&made.files), &[]);
            return Ok(made);
        }
        let made = self.settle(texts, notes)?;
        notes.add(&withheld::diagnostics(&made.files), &[]);
        Ok(made)
    }

    /// Reads and compiles what is not served yet. Returns `None` if anything has an error. A served
    /// file that must be read again is read as a last good copy, whatever the `origin` of the
    /// others.
    fn read_changed(&self, texts: &[Current<Arc<LoadedFile>>], origin: TextOrigin) -> Option<Made> {
        let (mut files, mut fresh) = (Vec::with_capacity(texts.len()), Vec::new());
        let settings_are_as_before = *self.base.settings == *self.settings;
        for current in background::yielding(texts) {
            match current {
                Current::Before(kept) => files.push(Arc::clone(kept)),
                Current::Read(source, stamp) => match self.base.file(&source.path) {
                    Some(kept) if kept.print == TextPrint::of(&source.text) => files.push(kept.looking_like(*stamp)),
                    _ => fresh.push((source.clone(), *stamp)),
                },
            }
        }
        background::yield_point();
        let mut fresh = ChangedFile::all(&fresh, origin);
        background::yield_point();
        let replaced = fresh.iter().filter_map(|fresh| self.base.file(&fresh.source.path));
        let gone = self.base.files.iter().filter(|file| find(texts, &file.path).is_none());
        let redefined = fresh.iter().any(|fresh| fresh.may_define) || replaced.chain(gone).any(|file| file.may_define);
        let common = if redefined { self.common(&files, &fresh)? } else { Arc::clone(&self.base.common) };
        let tables = self.tables(&common);
        let may_be_stale = |file: &LoadedFile| !settings_are_as_before || (redefined && file.relies_on_others());
        let is_stale = |file: &mut Arc<LoadedFile>| !file.is_unavailable() && may_be_stale(file);
        for file in files.extract_if(.., is_stale) {
            let source = self.base.source_cache.read(&file.path, file.print).ok()?;
            let (stamp, may_define, origin) = (file.stamp, file.may_define, TextOrigin::LastGood);
            fresh.push(ChangedFile { source, stamp, may_define, origin });
        }
        let slots = self.slots.clone().for_checks(&common.health_checks);
        let slot_of = |id: &_| slots.of(id);
        let meters = &*self.base.meters;
        let compiler =
            ZoneCompiler { settings: self.settings, common: &common, tables: &tables, slot_of: &slot_of, meters };
        let made = compiler.make(&fresh, &|path| self.base.file(path))?;
        let is_new_claim =
            |file: &Arc<LoadedFile>| !self.base.file(&file.path).is_some_and(|old| old.claims_what(file));
        let has_new_claims = made.iter().any(is_new_claim);
        files.extend(made);
        files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        if has_new_claims && !claims_differ(&files) {
            return None;
        }
        // Only sources without errors may be kept as good.
        self.base.source_cache.hold(fresh.into_iter().map(|fresh| fresh.source));
        let is_behind = files.iter().any(|file| file.is_unavailable());
        let standing = if is_behind { Standing::Behind } else { Standing::Current };
        Some(Made { files, common, tables, standing, frozen: Vec::new(), left_out: Vec::new() })
    }

    /// The CIDR tables for `common`. Tables of unchanged collections are reused.
    fn tables(&self, common: &Arc<SharedDefinitions>) -> CidrTables {
        let base = self.base;
        if Arc::ptr_eq(common, &base.common) {
            return base.tables.clone();
        }
        base.tables.succeeded(&base.common.cidr_collections, &common.cidr_collections)
    }

    /// The shared definitions of all files.
    fn common(&self, files: &[Arc<LoadedFile>], fresh: &[ChangedFile]) -> Option<Arc<SharedDefinitions>> {
        let kept = files.iter().filter(|file| file.may_define);
        let mut defining =
            kept.map(|file| self.base.source_cache.read(&file.path, file.print).ok()).collect::<Option<Vec<_>>>()?;
        defining.extend(fresh.iter().filter(|fresh| fresh.may_define).map(|fresh| fresh.source.clone()));
        defining.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        SharedDefinitions::read(&defining).map(Arc::new)
    }

    /// Selects the sources to serve, with all files read together. A served zone stays in service
    /// even if its source is lost.
    fn settle(&self, texts: Texts, notes: &mut Notes) -> Result<Made, Refused> {
        let octets = texts.iter().map(octets_of).sum();
        if let Err(problem) = self.room.admit_with_faults(octets) {
            let message = format!("the files have errors, and there is not enough memory to report them: {problem}");
            let mut diagnostic = Diagnostic::error(&self.settings.zones.directory, message);
            diagnostic.hint("`fiftythree check` reports them");
            return Err(std::mem::take(notes).refuse(&[diagnostic], &[]));
        }
        let (last_good, known) = (self.last_good(), self.served_before(&texts));
        let served = texts.iter().filter_map(|text| self.base.file(path_of(text)));
        let served: Vec<&Arc<LoadedFile>> = served.filter(|file| !file.is_unavailable()).collect();
        let (mut current, mut stamps) = (Vec::new(), HashMap::new());
        for text in texts {
            let (source, stamp) = match text {
                Current::Read(source, stamp) => (Some(source), stamp),
                Current::Before(file) => (self.base.source_cache.read(&file.path, file.print).ok(), file.stamp),
            };
            // A lost source is reported below.
            let Some(source) = source else { continue };
            stamps.insert(source.path.clone(), (TextPrint::of(&source.text), stamp));
            current.push(source);
        }
        let choice = config::Texts { current: &current, last_good: &last_good, served: &known };
        let settled = match config::select_sources(choice, self.settings, self.occasion) {
            Ok(settled) => settled,
            Err(mut diagnostics) => {
                diagnostics.extend(missing_in(&last_good, &served).into_iter().map(needed));
                return Err(std::mem::take(notes).refuse(&diagnostics, &current));
            }
        };
        notes.add(&settled.diagnostics, &current);
        let withheld = withheld::files(&settled, |path| self.base.file(path));
        drop((current, settled.configuration));
        let lost = missing_in(&settled.sources, &served);
        let read = |source: SourceFile| {
            // If the file now holds another text, its stamp says nothing about this one.
            let stamp = stamps.get(&source.path).filter(|(print, _)| *print == TextPrint::of(&source.text));
            let stamp = stamp.and_then(|(_, stamp)| *stamp);
            Current::Read(source, stamp)
        };
        let mut texts: Texts = settled.sources.into_iter().map(read).collect();
        texts.extend(lost.iter().map(|&file| Current::Before(Arc::clone(file))));
        texts.extend(withheld.into_iter().map(Current::Before));
        texts.sort_unstable_by(|one, other| path_of(one).cmp(path_of(other)));
        // Each selected source has been checked by the rules for its origin.
        let Some(made) = self.read_changed(&texts, TextOrigin::LastGood) else {
            if lost.is_empty() {
                return Err(Refused::Panicked("the selected sources have errors".to_owned()));
            }
            let diagnostics: Vec<Diagnostic> = lost.into_iter().map(needed).collect();
            return Err(std::mem::take(notes).refuse(&diagnostics, &[]));
        };
        notes.add(&lost.iter().map(|file| goes_on(file)).collect::<Vec<_>>(), &[]);
        let (mut frozen, mut left_out) = (settled.frozen, settled.left_out);
        left_out.retain(|path| !lost.iter().any(|file| file.path == *path));
        frozen.extend(lost.iter().map(|file| file.path.clone()));
        frozen.sort_unstable();
        let is_current = frozen.is_empty() && left_out.is_empty();
        let standing = if is_current { made.standing } else { Standing::Behind };
        Ok(Made { standing, frozen, left_out, ..made })
    }

    /// The files that exist, were served before and may have no good source. If only a copy of a
    /// file is kept, the current text of the file names its zone.
    fn served_before(&self, texts: &[Current<Arc<LoadedFile>>]) -> Vec<ServedFile> {
        if self.occasion == LoadPhase::Reload {
            let served = texts.iter().filter_map(|text| self.base.file(path_of(text)));
            return served.filter(|file| file.is_unavailable()).map(|file| file.served()).collect();
        }
        let source_cache = &self.base.source_cache;
        let known = source_cache.served_before(&self.settings.zones.directory);
        let mut known: HashMap<PathBuf, ServedFile> = known.into_iter().map(|file| (file.path.clone(), file)).collect();
        let mut served = |text: &Current<Arc<LoadedFile>>| match text {
            Current::Before(file) => Some(file.served()),
            Current::Read(source, _) => known.remove(&source.path).or_else(|| {
                let has_copy = source_cache.last_good().has(&source.path);
                let zone = || config::zone_identity(source, self.settings);
                has_copy.then(|| ServedFile { path: source.path.clone(), zone: zone() })
            }),
        };
        texts.iter().filter_map(&mut served).collect()
    }

    /// The last good sources: those in force, or at the start those of the last run. After a change
    /// of the zones directory there are none, because the sources of the old directory do not apply
    /// to the new one.
    fn last_good(&self) -> Vec<SourceFile> {
        let source_cache = &self.base.source_cache;
        match self.occasion {
            LoadPhase::Start => source_cache.last_good().all(&self.settings.zones.directory),
            LoadPhase::Reload if is_new_directory(self.base, self.settings) => Vec::new(),
            LoadPhase::Reload => {
                self.base.files.iter().filter_map(|file| source_cache.read(&file.path, file.print).ok()).collect()
            }
        }
    }
}

/// The served files that have no entry in `texts`, which is sorted by path.
fn missing_in<'s>(texts: &[SourceFile], served: &[&'s Arc<LoadedFile>]) -> Vec<&'s Arc<LoadedFile>> {
    let is_missing = |file: &&&Arc<LoadedFile>| texts.binary_search_by(|text| text.path.cmp(&file.path)).is_err();
    served.iter().filter(is_missing).copied().collect()
}

/// A warning: the source of this file is lost, but its compiled zone is still served.
fn goes_on(file: &LoadedFile) -> Diagnostic {
    let message = "the source that this file is served from is lost: its zone will not be served after a restart";
    let mut diagnostic = Diagnostic::warning(&file.path, message);
    diagnostic.hint("correct the file");
    diagnostic
}

/// An error: the source of this file is lost and is needed to compile the change.
fn needed(file: &Arc<LoadedFile>) -> Diagnostic {
    let message = "the source that this file is served from is lost, and the changes cannot be compiled without it";
    let mut diagnostic = Diagnostic::error(&file.path, message);
    diagnostic.hint("correct this file; until then the previous configuration stays in force");
    diagnostic
}

/// At the start every sentinel must name a check. In a reload, sentinels that name none are
/// reported and ignored.
fn find_sentinels(
    settings: &Settings,
    checks: &[HealthCheck],
    occasion: LoadPhase,
    notes: &mut Notes,
) -> Result<Arc<[HealthCheckId]>, Refused> {
    let (sentinels, diagnostics) = config::resolve_sentinels(settings, checks);
    let source = std::mem::take(&mut notes.settings);
    if occasion == LoadPhase::Start && !diagnostics.is_empty() {
        return Err(std::mem::take(notes).refuse(&diagnostics, &source));
    }
    notes.add(&diagnostics, &source);
    Ok(sentinels.into())
}

/// A warning about zones whose default name server has a loopback address: other machines would
/// look for it on themselves.
fn loopback_name_servers(files: &[Arc<LoadedFile>]) -> Option<Diagnostic> {
    let found =
        |file: &'_ Arc<LoadedFile>| Some((file.path.clone(), file.zone.as_ref()?.loopback_name_server.clone()?));
    let found: Vec<(PathBuf, Name)> = files.iter().filter_map(found).collect();
    config::warn_of_loopback_name_servers(found.iter().map(|(path, name)| (path.as_path(), name)))
}

/// The diagnostics and notes collected during a load.
#[derive(Default)]
struct Notes {
    /// The source of the settings file, if there is one.
    settings: Vec<SourceFile>,
    diagnostics: Faults,
    errors: usize,
    needs_restart: Vec<&'static str>,
    deferred: Vec<Deferred>,
}

impl Notes {
    fn add(&mut self, diagnostics: &[Diagnostic], sources: &[SourceFile]) {
        self.diagnostics.append(&Faults::of(diagnostics, sources));
        self.errors += diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    }

    fn refuse(mut self, diagnostics: &[Diagnostic], sources: &[SourceFile]) -> Refused {
        self.add(diagnostics, sources);
        let plural = if self.errors == 1 { "" } else { "s" };
        Refused::Faults { errors: format!("{} error{plural}", self.errors), diagnostics: self.diagnostics }
    }
}

/// The settings to use. At the start they must have no errors. In a reload, the settings in force
/// replace broken ones.
fn read_settings(
    source: &SettingsSource,
    base: &LoadedConfig,
    occasion: LoadPhase,
    writers: &Writers,
    notes: &mut Notes,
) -> Result<Settings, Refused> {
    if let Some(deferred) = source.file.as_deref().and_then(|path| deferred::if_in_progress(path, writers)) {
        notes.deferred.push(deferred);
        return Ok((*base.settings).clone());
    }
    let reading = source.read();
    let sources: Vec<SourceFile> = reading.source.into_iter().collect();
    let Some(settings) = reading.settings else {
        if occasion == LoadPhase::Start {
            return Err(std::mem::take(notes).refuse(&reading.diagnostics, &sources));
        }
        notes.add(&reading.diagnostics, &sources);
        return Ok((*base.settings).clone());
    };
    notes.add(&reading.diagnostics, &sources);
    notes.settings = sources;
    if occasion == LoadPhase::Start {
        return Ok(settings);
    }
    Ok(in_force(settings, &base.settings, &mut notes.needs_restart))
}

/// Keeps the current values of settings that take effect only at a restart.
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
        admin.allowed_hosts "admin.allowed_hosts",
        admin.public_url "admin.public_url",
        log.format "log.format",
        lab.backends "lab.backends",
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

fn find<'t>(texts: &'t [Current<Arc<LoadedFile>>], path: &Path) -> Option<&'t Current<Arc<LoadedFile>>> {
    texts.binary_search_by(|text| path_of(text).cmp(path)).ok().map(|at| &texts[at])
}

fn path_of(text: &Current<Arc<LoadedFile>>) -> &Path {
    match text {
        Current::Read(source, _) => &source.path,
        Current::Before(file) => &file.path,
    }
}

fn octets_of(text: &Current<Arc<LoadedFile>>) -> u64 {
    match text {
        Current::Read(source, _) => source.text.len() as u64,
        Current::Before(file) => file.octets,
    }
}

fn is_new_directory(base: &LoadedConfig, settings: &Settings) -> bool {
    base.settings.zones.directory != settings.zones.directory
}

/// All sources at the start. The copies of the last run replace files that cannot be read. A
/// missing directory is an error; an empty one is not.
fn texts_at_start(settings: &Settings, base: &LoadedConfig, notes: &mut Notes) -> Result<Texts, Refused> {
    let left = |path: &Path| base.source_cache.last_good().read(path);
    let mut sources: Sources = read_zone_files(&settings.zones.directory, &[], &Writers::unknown(), left, |_, _| None);
    let withheld = withheld::unreadable(&base.source_cache, &settings.zones.directory, &mut sources);
    if !sources.missing.is_empty() {
        return Err(std::mem::take(notes).refuse(&sources.diagnostics, &[]));
    }
    notes.add(&sources.diagnostics, &[]);
    let text = |current| match current {
        Current::Read(source, stamp) => Current::Read(source, stamp),
        Current::Before(source) => Current::Read(source, None),
    };
    let mut texts: Texts = sources.files.into_iter().map(text).collect();
    texts.extend(withheld.into_iter().map(Current::Before));
    texts.sort_unstable_by(|one, other| path_of(one).cmp(path_of(other)));
    Ok(texts)
}

/// The sources of the files that changed since they were last read.
fn texts_now(
    settings: &Settings,
    base: &LoadedConfig,
    writers: &Writers,
    room: &mut MemoryRoom,
    notes: &mut Notes,
) -> Result<Texts, Refused> {
    let directory = &settings.zones.directory;
    let is_new = is_new_directory(base, settings);
    let served = if is_new { &[][..] } else { &*base.files };
    let before = |path: &Path| base.file(path).map(Arc::clone);
    let unchanged = |path: &Path, stamp| before(path).filter(|file| file.stamp == Some(stamp));
    let mut sources = read_zone_files_within(room, directory, served, writers, before, unchanged);
    if is_new && sources.files.is_empty() && sources.diagnostics.is_empty() {
        sources.diagnostics.push(Diagnostic::error(directory, "the new zones directory is empty"));
        sources.missing.push(directory.clone());
    }
    if sources.missing.contains(directory) {
        return Err(std::mem::take(notes).refuse(&sources.diagnostics, &[]));
    }
    notes.deferred.extend(deferred::defer_half_written(base, &mut sources));
    notes.add(&sources.diagnostics, &[]);
    Ok(sources.files)
}

/// Makes the sources durable before they are served, except at a start with many files, where this
/// would take seconds. If the state directory cannot be written, the zones are served all the same.
fn keep(base: &LoadedConfig, settings: &Settings, made: &Made, occasion: LoadPhase) -> Option<String> {
    let directory = &settings.zones.directory;
    let kept = match occasion {
        LoadPhase::Start if made.files.len() > FEW_FILES => return None,
        LoadPhase::Start => base.source_cache.keep(directory, &served(&made.files)),
        LoadPhase::Reload => {
            let is_there = |path: &&Path| made.files.binary_search_by(|file| (*file.path).cmp(path)).is_ok();
            let is_gone = |path: &&Path| path.parent() == Some(directory) && !is_there(path);
            let gone: Vec<&Path> = base.files.iter().map(|file| &*file.path).filter(is_gone).collect();
            let holds = |(one, other): (&Arc<LoadedFile>, &Arc<LoadedFile>)| {
                Arc::ptr_eq(one, other) || (one.path == other.path && one.claims_what(other))
            };
            let is_indexed = base.files.len() == made.files.len() && base.files.iter().zip(&made.files).all(holds);
            let index = if is_indexed { Ok(()) } else { base.source_cache.keep_index(directory, &served(&made.files)) };
            base.source_cache.keep_changes(&gone).and(index)
        }
    };
    kept.err().map(|error| error.to_string())
}

/// What a restart needs to know about these files.
fn served(files: &[Arc<LoadedFile>]) -> Vec<ServedFile> {
    background::yielding(files).map(|file| file.served()).collect()
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

type Located = (Arc<GeoLookup>, Arc<[(PathBuf, Option<Stamp>)]>);

/// The geo lookup in force, or a new one if its settings or its databases changed. At the start, an
/// unusable database is an error. In a reload the current lookup stays in force, and the next load
/// tries again.
fn locate_clients(
    settings: &Settings,
    base: &LoadedConfig,
    occasion: LoadPhase,
    writers: &Writers,
    notes: &mut Notes,
) -> Result<Located, Refused> {
    let location = &settings.location;
    let stamps: Arc<[_]> = location.geoip.iter().map(|path| (path.clone(), Stamp::of(path))).collect();
    let in_force = || (Arc::clone(&base.geo_lookup), Arc::clone(&base.databases));
    if occasion == LoadPhase::Reload && *location == base.settings.location && stamps == base.databases {
        return Ok(in_force());
    }
    let deferred: Vec<Deferred> =
        location.geoip.iter().filter_map(|path| deferred::if_in_progress(path, writers)).collect();
    if !deferred.is_empty() {
        notes.deferred.extend(deferred);
        return Ok(in_force());
    }
    match location.geoip.iter().map(|path| read_database(path)).collect::<Result<Vec<_>, _>>() {
        Ok(databases) => Ok((Arc::new(GeoLookup::build(&location.networks, databases, &location.latency)), stamps)),
        Err(diagnostic) if occasion == LoadPhase::Start => Err(std::mem::take(notes).refuse(&[*diagnostic], &[])),
        Err(mut diagnostic) => {
            diagnostic.hint("the previous databases stay in use");
            notes.add(&[*diagnostic], &[]);
            // Without the stamps, so that the next load tries again.
            let unread = location.geoip.iter().map(|path| (path.clone(), None)).collect();
            Ok((Arc::clone(&base.geo_lookup), unread))
        }
    }
}

/// Reads a whole geo database. The error is a diagnostic for the user.
pub fn read_database(path: &Path) -> Result<Database, Box<Diagnostic>> {
    let unreadable = |error| Box::new(Diagnostic::error(path, format!("the file cannot be read: {error}")));
    let bytes = files::read(path, LARGEST_DATABASE).map_err(unreadable)?;
    let name = path.file_name().unwrap_or(path.as_os_str()).display().to_string();
    Database::from_bytes(&name, bytes).map_err(|error| Box::new(Diagnostic::error(path, error.to_string())))
}

/// The changes, for example `lab.test. changed`.
fn changes(before: &LoadedConfig, after: &LoadedConfig) -> Vec<String> {
    let (old, new) = (zones_not_in(after, before), zones_not_in(before, after));
    let by_id = |zones: &[&Arc<Zone>]| zones.iter().map(|&zone| (zone.id().clone(), Arc::clone(zone))).collect();
    let (old_ids, new_ids): (HashMap<_, _>, HashMap<_, _>) = (by_id(&old), by_id(&new));
    let mut changes = Vec::new();
    for zone in &new {
        match old_ids.get(zone.id()) {
            None => changes.push(format!("{} added", zone.name())),
            Some(old) if !Arc::ptr_eq(old, zone) => changes.push(format!("{} changed", zone.name())),
            Some(_) => {}
        }
    }
    let gone = old.iter().filter(|zone| !new_ids.contains_key(zone.id()));
    changes.extend(gone.map(|zone| format!("{} removed", zone.name())));
    let others = [
        (*before.checks != *after.checks, "health checks changed"),
        (!Arc::ptr_eq(&before.geo_lookup, &after.geo_lookup), "geo data changed"),
        (*before.settings != *after.settings, "settings changed"),
    ];
    changes.extend(others.iter().filter(|(is_other, _)| *is_other).map(|(_, text)| (*text).to_owned()));
    changes
}

/// The zones of the files in `base` that are different or missing in `other`.
fn zones_not_in<'b>(other: &LoadedConfig, base: &'b LoadedConfig) -> Vec<&'b Arc<Zone>> {
    let is_other = |file: &&Arc<LoadedFile>| !other.file(&file.path).is_some_and(|known| Arc::ptr_eq(known, file));
    let zones = base.files.iter().filter(is_other).filter_map(|file| file.zone.as_ref());
    zones.map(|zone| &zone.compiled).collect()
}

impl Summary {
    /// For example `14 records in 2 zones, 3 health checks`.
    pub fn totals(&self) -> String {
        let counted = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        let (records, zones) = (counted(self.records, "record"), counted(self.zones, "zone"));
        format!("{records} in {zones}, {}", counted(self.checks, "health check"))
    }

    /// The consequence of the errors.
    pub fn consequence(&self) -> String {
        let paths = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        let unavailable = self.unavailable.iter().map(Unavailable::name).collect();
        let parts = [
            ("served from the last good source", paths(&self.frozen)),
            ("not served", paths(&self.left_out)),
            ("answered with SERVFAIL", unavailable),
        ];
        let parts = parts.iter().filter(|(_, list)| !list.is_empty());
        let parts: Vec<String> = parts.map(|(what, list)| format!("{what}: {}", list.join(", "))).collect();
        match (self.errors, parts.as_slice()) {
            (0, _) => "everything is served".to_owned(),
            (_, []) => "the previous versions are served".to_owned(),
            (_, parts) => parts.join("; "),
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "for an unknown reason".to_owned())
}
