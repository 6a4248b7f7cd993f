//! Text ⇄ model: what users write in TOML, read into the nouns of Route 53, and every fault of every file with its place.
//!
//! Pure: files come in as text that somebody else has read. A text goes through four hands: `document` finds the syntax
//! errors, `tree` holds what was read, `table` walks the tables by the key lists in `keys`, and `settings` and `zones` turn each
//! table into its record on its own, so that one bad value does not hide the next. [`settle()`] decides which texts may be served.

mod admin;
mod document;
mod fault;
mod foreign;
mod id;
mod keys;
mod listeners;
mod lookalikes;
mod places;
mod scalar;
mod schema;
mod sentinels;
mod settings;
mod settle;
mod table;
mod taps;
#[cfg(test)]
mod tests;
mod tree;
mod value;
mod words;
mod zones;

use std::path::PathBuf;
use std::sync::Arc;

pub use admin::PublicUrl;
pub use fault::{Fault, Place, Severity, Style, lines, render};
pub use listeners::ListenFlags;
pub use places::{ClientPlace, read_places};
pub use schema::{places_schema, settings_schema, zone_schema};
pub use sentinels::{Sentinel, resolve_sentinels};
pub use settings::{
    AdminSettings, ClientSubnetUse, DnsSettings, HealthSettings, LocationSettings, LogFormat, LogSettings, NameServer,
    Settings, StateSettings, ZonesSettings, reachable,
};
pub use settle::{Occasion, Settled, settle};
pub use taps::{DnstapSettings, DnstapTarget, MetricsSettings, QueryLogFormat, QueryLogSettings, QueryLogTarget};
pub use zones::{
    Common, Configuration, Reading, TextOrigin, ZoneReading, ZoneSource, loopback_name_server, may_define_for_others,
    read_zones, record_names, warn_of_loopback_name_servers,
};

/// A file that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Where it stands; faults name it so.
    pub path: PathBuf,
    /// All of it.
    pub text: Arc<str>,
}
