//! Reads zone files into hosted zones, health checks and CIDR collections.
//!
//! There are two steps. [`mod@file`] reads each file separately into a draft with unresolved
//! references. [`resolve_references`] takes all drafts together, resolves the references and checks
//! every zone by the rules of Route 53.

mod alias_target;
mod attachments;
mod collection;
mod default_records;
mod definition;
mod definitions;
mod endpoint;
mod file;
mod file_contents;
mod group;
mod health_check;
mod metric;
mod name;
mod policy;
mod record;
mod registries;
mod resolve_references;
#[cfg(test)]
mod tests;
mod traffic_policy;
mod violation;
mod vpc;

use std::path::PathBuf;
use std::sync::Arc;

use super::diagnostic::Diagnostic;
use super::{Settings, SourceFile, document};
use crate::model::{CidrCollection, DelegationSet, HealthCheck, HostedZone, TrafficPolicy};

pub(super) use alias_target::DEFAULT_TTL as DEFAULT_ALIAS_TTL;
pub use default_records::{
    SOA_TIMINGS, SOA_TTL, default_addresses, default_record_sets, loopback_name_server, warn_of_loopback_name_servers,
};
pub(super) use definitions::{Definitions, WrittenKeys, definitions, written_keys};
pub use definitions::{
    defines_alias_target, defines_cidr_collection, defines_delegation_set, defines_health_check,
    defines_traffic_policy, may_define_for_others, record_names,
};
pub use file_contents::FileContents;
pub use resolve_references::{SharedDefinitions, ZoneReading, zone_identity};

/// Everything that zone files define.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configuration {
    /// The hosted zones, in the order of their files.
    pub zones: Vec<ZoneSource>,
    /// The health checks of all files.
    pub health_checks: Vec<HealthCheck>,
    /// The CIDR collections of all files.
    pub cidr_collections: Vec<CidrCollection>,
    /// The reusable delegation sets of all files.
    pub delegation_sets: Vec<DelegationSet>,
    /// The traffic policies of all files.
    pub traffic_policies: Vec<TrafficPolicy>,
}

/// A hosted zone and its file.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneSource {
    /// The zone, SOA and apex NS included.
    pub zone: Arc<HostedZone>,
    /// Its file.
    pub file: PathBuf,
}

/// What a reference is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReferenceKind {
    HealthCheck,
    Collection,
}

/// The result of reading zone files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Everything that has no errors of its own. If there is any error it must not be served; see
    /// `select_sources`.
    pub configuration: Configuration,
    /// Every error and warning of every file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Reading {
    /// True when the configuration may be served.
    pub fn is_sound(&self) -> bool {
        !self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// The origin of a text, which decides the rules that apply to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceOrigin {
    /// The current file: all rules apply.
    Current,
    /// A copy that was served before: violations of newer rules are warnings.
    LastGood,
}

/// Reads all zone files together.
pub fn read_zones(files: &[SourceFile], settings: &Settings) -> Reading {
    read_texts(files, &vec![SourceOrigin::Current; files.len()], settings)
}

/// Reads zone files, some of which may be copies that were served before; `origins` has the origin
/// of each.
pub(super) fn read_texts(files: &[SourceFile], origins: &[SourceOrigin], settings: &Settings) -> Reading {
    let mut parsed: Vec<_> = files.iter().map(document::parse).collect();
    let drafts = parsed.iter_mut().map(|(root, diagnostics)| file::read(root, diagnostics)).collect();
    let diagnostics = parsed.into_iter().map(|(_, diagnostics)| diagnostics).collect();
    resolve_references::link(drafts, diagnostics, origins, settings)
}
