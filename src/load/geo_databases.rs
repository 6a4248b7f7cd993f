//! Reads the geo databases and builds the lookup of client locations.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{Diagnostic, LoadPhase, Settings};
use crate::geo::{Database, GeoLookup};
use crate::store::Stamp;

use super::deferred::Deferred;
use super::{LoadReport, LoadedConfig, Sources};

/// The size limit of a geo database: five times the largest one on sale.
const LARGEST_DATABASE: u64 = 2 << 30;

/// The lookup and the databases that it was built from.
pub(super) struct Located {
    pub(super) lookup: Arc<GeoLookup>,
    pub(super) databases: Arc<[(PathBuf, Option<Stamp>)]>,
}

/// The geo lookup in force, or a new one if its settings or its databases changed. At the start, an
/// unusable database is an error. In a reload the current lookup stays in force, and the next load
/// tries again.
pub(super) fn locate_clients(
    sources: &dyn Sources,
    settings: &Settings,
    base: &LoadedConfig,
    phase: LoadPhase,
    report: &mut LoadReport,
) -> Located {
    let location = &settings.location;
    let stamps: Arc<[_]> = location.geoip.iter().map(|path| (path.clone(), sources.stamp(path))).collect();
    let in_force = || Located { lookup: Arc::clone(&base.geo_lookup), databases: Arc::clone(&base.databases) };
    // A missing file has no stamp, so it is never unchanged.
    let is_unchanged = stamps == base.databases && stamps.iter().all(|(_, stamp)| stamp.is_some());
    if phase == LoadPhase::Reload && *location == base.settings.location && is_unchanged {
        return in_force();
    }
    let in_progress = location.geoip.iter().filter(|path| sources.is_in_progress(path));
    let deferred: Vec<Deferred> = in_progress.map(|path| Deferred::in_progress(path)).collect();
    if !deferred.is_empty() {
        report.deferred.extend(deferred);
        return in_force();
    }
    let (databases, mut unusable) = read_all(sources, &location.geoip);
    if unusable.is_empty() {
        let lookup = Arc::new(GeoLookup::build(&location.networks, databases, &location.latency));
        return Located { lookup, databases: stamps };
    }
    match phase {
        LoadPhase::Start => report.refuse(&unusable, &[]),
        LoadPhase::Reload => {
            for one in &mut unusable {
                one.hint("the previous databases stay in use");
            }
            report.add(&unusable, &[]);
        }
    }
    // Without the stamps, so that the next load tries again.
    let unread = location.geoip.iter().map(|path| (path.clone(), None)).collect();
    Located { lookup: Arc::clone(&base.geo_lookup), databases: unread }
}

/// Reads these databases. Unusable ones are left out and reported.
fn read_all(sources: &dyn Sources, paths: &[PathBuf]) -> (Vec<Database>, Vec<Diagnostic>) {
    let (mut databases, mut unusable) = (Vec::new(), Vec::new());
    for path in paths {
        match read_database(sources, path) {
            Ok(database) => databases.push(database),
            Err(diagnostic) => unusable.push(*diagnostic),
        }
    }
    (databases, unusable)
}

/// Reads a whole geo database. The error is a diagnostic for the user.
fn read_database(sources: &dyn Sources, path: &Path) -> Result<Database, Box<Diagnostic>> {
    let unusable = |problem: String| Box::new(Diagnostic::error(path, problem));
    let bytes = sources.bytes(path, LARGEST_DATABASE).map_err(unusable)?;
    let name = path.file_name().unwrap_or(path.as_os_str()).display().to_string();
    Database::from_bytes(&name, bytes).map_err(|error| unusable(error.to_string()))
}
