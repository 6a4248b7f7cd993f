//! Loads without a server: for `fiftythree check` and for commands that answer from files. No state
//! directory is read or written.

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{LoadPhase, SourceOrigin};
use crate::health::Slots;
use crate::store::{Contents, SettingsSource, Writers, read_text};

use super::loaded_file::LoadedFile;
use super::{FileSources, Loaded, LoadedConfig, Refused, load_all};

/// How much is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All that a server loads.
    Everything,
    /// Zone files and what they define, as if nothing else existed.
    Zones,
    /// The same, and what is needed to locate clients.
    ZonesAndDatabases,
}

/// Loads what a server without saved state would load at its start. Every error is found before the
/// load fails. `named` are zone files, or directories of zone files, in place of those in the zones
/// directory.
pub(crate) fn load_offline(settings: &SettingsSource, named: &[PathBuf], scope: Scope) -> Result<Loaded, Refused> {
    let base = LoadedConfig::without_state(settings.defaults());
    load_all(settings, &FileSources::named(named), &base, &Slots::default(), LoadPhase::Start, scope)
}

impl LoadedConfig {
    /// The zone files when these take the place of those that define the same zone or have the same
    /// name. A directory takes the place of all.
    pub(crate) fn files_with(&self, new: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
        if new.iter().any(|path| path.is_dir()) {
            return Ok(new.to_vec());
        }
        let mut replaced = Vec::new();
        for path in new {
            let Contents::Text { source, .. } = read_text(path, &Writers::Unknown)? else {
                return Err(format!("{}: there is no such file", path.display()));
            };
            let reading = self.common.zone(&source, SourceOrigin::LastGood, &self.settings);
            let zone = reading.and_then(|reading| reading.zone).map(|zone| zone.identity());
            let is_same_zone = |file: &LoadedFile| {
                zone.as_ref().zip(file.zone.as_ref()).is_some_and(|(zone, other)| zone.excludes(&other.identity()))
            };
            let is_replaced = |file: &&Arc<LoadedFile>| file.path.file_name() == path.file_name() || is_same_zone(file);
            replaced.extend(self.files.iter().filter(is_replaced).map(|file| &file.path));
        }
        let kept = self.files.iter().map(|file| &file.path).filter(|path| !replaced.contains(path));
        Ok(kept.chain(new).cloned().collect())
    }
}
