//! Loads without a server: for `fiftythree check` and for commands that answer from files. No state
//! directory is read or written.

use std::path::PathBuf;

use crate::config::LoadPhase;
use crate::health::Slots;
use crate::store::SettingsSource;

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
