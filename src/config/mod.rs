//! Text ⇄ model: what users write in TOML, read into the nouns of Route 53, and every fault of every file with its place.
//!
//! Pure: files come in as text that somebody else has read. A text goes through four hands: `document` finds the syntax
//! errors, `tree` holds what was read, `table` walks the tables by the key lists in `keys`, and `settings` and `zones` turn each
//! table into its record on its own, so that one bad value does not hide the next. [`settle()`] decides which texts may be served.

mod admin;
mod diagnostic;
mod document;
mod foreign;
mod id;
mod keys;
mod listeners;
mod lookalikes;
mod places;
mod query_logging;
mod scalar;
mod schema;
mod secrecy;
mod select_sources;
mod sentinels;
mod settings;
mod table;
#[cfg(test)]
mod tests;
mod tree;
mod value;
mod words;
mod zones;

use std::path::PathBuf;
use std::sync::Arc;

pub use admin::PublicUrl;
pub use diagnostic::{Diagnostic, Place, ReportedFault, Severity, Style, lines, render, report};
pub use listeners::ListenFlags;
pub use places::{ClientPlace, read_places};
pub use query_logging::{
    DnstapSettings, DnstapTarget, MetricsSettings, QueryLogFormat, QueryLogSettings, QueryLogTarget,
};
pub use schema::{places_schema, settings_schema, zone_schema};
pub use select_sources::{LoadPhase, SelectedSources, ServedFile, Texts, select_sources};
pub use sentinels::{Sentinel, resolve_sentinels};
pub use settings::{
    AdminSettings, ClientSubnetUse, DnsSettings, HealthSettings, LocationSettings, LogFormat, LogSettings, NameServer,
    Settings, StateSettings, ZonesSettings, reachable,
};
pub use zones::{
    Configuration, Reading, SharedDefinitions, TextOrigin, ZoneReading, ZoneSource, loopback_name_server,
    may_define_for_others, read_zones, record_names, warn_of_loopback_name_servers, zone_identity,
};

/// A file that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Where it stands; faults name it so.
    pub path: PathBuf,
    /// All of it.
    pub text: Arc<str>,
    /// How much of it may be shown.
    pub disclosure: Disclosure,
}

/// How much of a file may be shown to those who look after the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disclosure {
    /// What is no secret by its key.
    #[default]
    Text,
    /// Nothing but lines and columns: the path is a link that leads out of its directory, to a file that may be anything.
    Places,
}

impl SourceFile {
    /// A file whose text may be shown.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> SourceFile {
        SourceFile { path: path.into(), text: text.into(), disclosure: Disclosure::Text }
    }
}
