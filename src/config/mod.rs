//! Reads TOML settings and zone files into model types, and reports every error with its position.
//!
//! The module does no I/O: callers read the files and pass in their text. There are four steps:
//! `document` parses the text and finds syntax errors, `tree` holds the parsed values, `table`
//! reads them by the key lists in `keys`, and `settings` and `zones` convert each table separately,
//! so that one bad value does not hide the next. [`select_sources()`] decides which version of each
//! file is served.

mod admin;
mod api;
mod cluster;
mod cookies;
mod diagnostic;
mod document;
mod edit;
mod id;
mod keys;
mod listeners;
mod located;
mod location;
mod lookalikes;
mod other_formats;
mod places;
mod position;
mod process;
mod query_logging;
mod rate_limit;
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
mod vpcs;
mod words;
mod zones;

use std::path::PathBuf;
use std::sync::Arc;

use crate::model::{HostedZoneId, Name, VpcId};

pub use admin::PublicUrl;
pub use api::{ApiSettings, CacheSize, TlsFiles};
pub use cluster::{CLUSTER, ClusterSettings, NODE_VARIABLE, is_node_name};
pub use cookies::CookieSettings;
pub use diagnostic::{Diagnostic, RelatedSpan, Severity};
pub use edit::{
    EditError, IndexedEdit, IndexedFile, RecordIndex, References, alias_target_text, changed_health_check_text,
    cidr_collection_text, delegation_set_text, edit_alias_target, edit_cidr_collection, edit_delegation_set,
    edit_health_check, edit_record_sets, edit_traffic_policy, edit_zone_members, health_check_text, hides_secrets,
    new_zone_text, pin_health_check, record_group_text, record_set_text, traffic_policy_text, without_zone,
    written_sets, zone_file_name, zone_members_text, zone_text, zone_with_index,
};
pub use listeners::{AddressFlag, EnvironmentKey, ListenFlags};
pub use located::{LocatedDiagnostic, Style, lines, locate, render, render_located};
pub use location::{ClientSubnetUse, LocationSettings};
pub use places::{ClientPlace, read_places};
pub use position::position_of;
pub use process::{ProcessSettings, ProcessUser};
pub use query_logging::{
    DnstapSettings, DnstapTarget, MetricsSettings, QueryLogFormat, QueryLogSettings, QueryLogTarget,
};
pub use rate_limit::RateLimitSettings;
pub use schema::{places_schema, settings_schema, zone_schema};
pub use select_sources::{LoadPhase, SelectedSources, ServedFile, SourceVersions, select_sources};
pub use sentinels::resolve_sentinels;
pub use settings::{
    AdminSettings, DnsSettings, HealthSettings, LabSettings, LogFormat, LogSettings, NameServer, Sentinel, Settings,
    StateSettings, ZonesSettings, reachable,
};
pub use zones::{
    Configuration, FileContents, Reading, SOA_TIMINGS, SOA_TTL, SharedDefinitions, SourceOrigin, ZoneReading,
    ZoneSource, default_addresses, default_record_sets, defines_alias_target, defines_cidr_collection,
    defines_delegation_set, defines_health_check, defines_traffic_policy, loopback_name_server, may_define_for_others,
    read_zones, record_names, warn_of_loopback_name_servers, zone_identity,
};

/// A file that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path, as diagnostics show it.
    pub path: PathBuf,
    /// The complete text.
    pub text: Arc<str>,
    /// How much of the text may be shown.
    pub disclosure: Disclosure,
}

/// How much of a file may be shown to operators, in logs and on the status page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disclosure {
    /// Everything except values of secret keys.
    #[default]
    Text,
    /// Everything: the file has another format, without keys whose values are secret.
    Everything,
    /// Only lines and columns: the path is a symbolic link out of its directory, so it may lead to
    /// any file.
    PositionsOnly,
    /// The same: the text is a copy of a file that is gone, and the path may have been such a link.
    Gone,
}

/// The id of a zone that has no `id`; that of a private zone depends on its VPCs too.
pub fn derived_zone_id(name: &Name, vpcs: &[VpcId]) -> HostedZoneId {
    id::zone_id(name, vpcs)
}

/// Whether a zone can have this id: `Z` and up to 31 capitals and digits.
pub fn is_zone_id(text: &str) -> bool {
    id::is_zone_id(text)
}

/// Whether AWS makes such ids of VPCs: zones can name them without a `[[vpc]]` in the settings.
pub fn is_vpc_id(text: &str) -> bool {
    id::is_vpc_id(text)
}

/// Whether a `[[vpc]]` can have this name or id.
pub fn is_vpc_name(text: &str) -> bool {
    vpcs::is_name(text)
}

impl SourceFile {
    /// A file whose text may be shown.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> SourceFile {
        SourceFile { path: path.into(), text: text.into(), disclosure: Disclosure::Text }
    }
}
