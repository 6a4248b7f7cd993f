//! Zone files as they are served: compiled, with a stamp and a hash that identify the source.
//! Sources and records are not kept in memory; they are read back from disk when needed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::background;
use crate::config::{
    self, LocatedDiagnostic, ServedFile, Settings, SharedDefinitions, SourceFile, SourceOrigin, ZoneReading,
};
use crate::health::CheckSlot;
use crate::model::{
    Content, HealthCheckId, HostedZone, HostedZoneId, Name, RecordType, ResourceRecordSet, RoutingPolicy, Tags, VpcId,
    ZoneAttachments, ZoneIdentity,
};
use crate::objects::Revision;
use crate::policy::CidrTables;
use crate::stats::Meters;
use crate::store::{SourceHash, Stamp};
use crate::world::CountedGroups;
use crate::zonetree::Zone;

use super::parallel::map_on_all_cores;
use super::sources::PreviousFile;
use super::{answer_counters, records_by_check};

/// A zone file that is served.
#[derive(Clone)]
pub(super) struct LoadedFile {
    pub(super) path: PathBuf,
    /// The stamp of the file when its source was read. `None` if the file may have changed since
    /// without a new stamp, or now holds another text.
    pub(super) stamp: Option<Stamp>,
    /// The hash of the source; `SourceHash::NONE` if the file is unavailable.
    pub(super) source_hash: SourceHash,
    is_blank: bool,
    /// The length of the source.
    pub(super) bytes: u64,
    /// Whether other files can refer to definitions in it.
    pub(super) may_define: bool,
    /// The warnings about it.
    pub(super) warnings: Vec<LocatedDiagnostic>,
    pub(super) zone: Option<LoadedZone>,
}

/// The zone of a file.
#[derive(Clone)]
pub(super) struct LoadedZone {
    pub(super) compiled: Arc<Zone>,
    pub(super) vpcs: Vec<VpcId>,
    /// The `comment` of the zone.
    pub(super) comment: Option<String>,
    /// The `caller_reference` of the zone.
    pub(super) caller_reference: Option<String>,
    /// The `tags` of the zone.
    pub(super) tags: Tags,
    /// What programs attached to the zone.
    pub(super) attachments: Arc<ZoneAttachments>,
    /// The number of its record sets.
    pub(super) records: usize,
    /// Whether it refers to health checks, CIDR collections or alias targets.
    refers: bool,
    /// Whether it has aliases to targets outside the zone.
    has_outside_targets: bool,
    /// Its records that use health checks.
    pub(super) records_by_check: Vec<(CheckSlot, String)>,
    /// Its groups with per-record answer counters.
    pub(super) counted: Option<Arc<CountedGroups>>,
    /// Its default name server, if that has a loopback address.
    pub(super) loopback_name_server: Option<Name>,
    /// The name of the first address record without a wildcard, if the zone is public.
    pub(super) example: Option<Name>,
}

impl PreviousFile for Arc<LoadedFile> {
    fn path(&self) -> &Path {
        &self.path
    }

    fn is_blank(&self) -> bool {
        self.is_blank
    }
}

/// A source to be compiled.
pub(super) struct ChangedFile {
    pub(super) source: SourceFile,
    pub(super) stamp: Option<Stamp>,
    /// Whether other files can refer to definitions in it.
    pub(super) may_define: bool,
    /// The rules by which it is read.
    pub(super) origin: SourceOrigin,
}

impl ChangedFile {
    /// Scans these sources for definitions, on all cores.
    pub(super) fn all(texts: &[(SourceFile, Option<Stamp>)], origin: SourceOrigin) -> Vec<ChangedFile> {
        let changed = |(source, stamp): &(SourceFile, Option<Stamp>)| {
            let may_define = config::may_define_for_others(source);
            Some(ChangedFile { source: source.clone(), stamp: *stamp, may_define, origin })
        };
        map_on_all_cores(texts, changed).unwrap_or_default()
    }
}

/// The inputs that files are read and compiled with.
pub(super) struct ZoneCompiler<'l> {
    pub(super) settings: &'l Settings,
    pub(super) common: &'l SharedDefinitions,
    /// The tables of the CIDR collections.
    pub(super) tables: &'l CidrTables,
    pub(super) meters: &'l Meters,
    pub(super) slot_of: &'l (dyn Fn(&HealthCheckId) -> Option<CheckSlot> + Sync),
    /// The zone of a file that has been read already.
    pub(super) read: Option<(&'l Path, &'l ZoneReading)>,
}

impl ZoneCompiler<'_> {
    /// Reads and compiles these sources, on all cores. If the new zone gives the same answers as
    /// the served one, the served one is reused. Returns `None` if any source has an error.
    pub(super) fn compile_all<'b>(
        &self,
        texts: &[ChangedFile],
        before: &(dyn Fn(&Path) -> Option<&'b Arc<LoadedFile>> + Sync),
    ) -> Option<Vec<Arc<LoadedFile>>> {
        map_on_all_cores(texts, |changed| self.compile_one(changed, before(&changed.source.path)).map(Arc::new))
    }

    fn compile_one(&self, changed: &ChangedFile, before: Option<&Arc<LoadedFile>>) -> Option<LoadedFile> {
        let ChangedFile { source, stamp, may_define, origin } = changed;
        let anew;
        let reading = match self.read.filter(|(path, _)| *path == source.path) {
            Some((_, reading)) => reading,
            None => {
                anew = self.common.zone(source, *origin, self.settings)?;
                &anew
            }
        };
        background::yield_point();
        let warnings = config::locate(&reading.warnings, std::slice::from_ref(source));
        let before = before.and_then(|file| file.zone.as_ref());
        Some(LoadedFile {
            path: source.path.clone(),
            stamp: *stamp,
            source_hash: SourceHash::of(&source.text),
            is_blank: source.is_blank(),
            bytes: source.text.len() as u64,
            may_define: *may_define,
            warnings,
            zone: reading.zone.as_ref().map(|zone| self.compile_zone(zone, before)),
        })
    }

    fn compile_zone(&self, zone: &HostedZone, before: Option<&LoadedZone>) -> LoadedZone {
        let compiled = Zone::compile(zone, &self.slot_of, self.tables);
        background::yield_point();
        let unchanged = before.map(|before| &before.compiled).filter(|before| ***before == compiled);
        background::yield_point();
        let compiled = unchanged.map_or_else(|| Arc::new(compiled), Arc::clone);
        LoadedZone {
            counted: answer_counters::groups(zone, &compiled, &self.settings.metrics.count_answers, self.meters)
                .map(Arc::new),
            compiled,
            vpcs: zone.vpcs.clone(),
            comment: zone.comment.clone(),
            caller_reference: zone.caller_reference.clone(),
            tags: zone.tags.clone(),
            attachments: Arc::clone(&zone.attachments),
            records: zone.record_sets.len(),
            refers: zone.answered_sets().any(refers),
            has_outside_targets: zone.answered_sets().any(is_to_outside),
            records_by_check: records_by_check::of_zone(zone, self.slot_of),
            loopback_name_server: config::loopback_name_server(zone, &self.settings.dns),
            example: example(zone),
        }
    }
}

impl LoadedFile {
    /// A file that was served before and has no usable source. Its zone answers SERVFAIL.
    pub(super) fn unavailable(served: &ServedFile) -> LoadedFile {
        let zone = served.zone.as_ref().map(|zone| LoadedZone {
            compiled: Arc::new(Zone::unavailable(zone)),
            vpcs: zone.vpcs.clone(),
            comment: None,
            caller_reference: None,
            tags: Tags::new(),
            attachments: Arc::default(),
            records: 0,
            refers: false,
            has_outside_targets: false,
            records_by_check: Vec::new(),
            counted: None,
            example: None,
            loopback_name_server: None,
        });
        LoadedFile {
            path: served.path.clone(),
            stamp: None,
            source_hash: SourceHash::NONE,
            is_blank: false,
            bytes: 0,
            may_define: false,
            warnings: Vec::new(),
            zone,
        }
    }

    /// Whether it has no usable source.
    pub(super) fn is_unavailable(&self) -> bool {
        self.source_hash == SourceHash::NONE
    }

    /// What a restart needs to know about it.
    pub(super) fn served(&self) -> ServedFile {
        ServedFile { path: self.path.clone(), zone: self.zone.as_ref().map(LoadedZone::identity) }
    }

    /// The revision of the objects in it.
    pub(super) fn revision(&self) -> Revision {
        Revision(self.source_hash.number())
    }

    /// The name of its zone.
    pub(super) fn zone_name(&self) -> Option<&Name> {
        self.zone.as_ref().map(|zone| zone.compiled.name())
    }

    /// The id of its zone.
    pub(super) fn id(&self) -> Option<&HostedZoneId> {
        self.zone.as_ref().map(|zone| zone.compiled.id())
    }

    /// The same source in a file with another stamp.
    pub(super) fn with_stamp(self: &Arc<LoadedFile>, stamp: Option<Stamp>) -> Arc<LoadedFile> {
        if self.stamp == stamp { Arc::clone(self) } else { Arc::new(LoadedFile { stamp, ..(**self).clone() }) }
    }

    /// Its records that use health checks.
    pub(super) fn records_by_check(&self) -> &[(CheckSlot, String)] {
        self.zone.as_ref().map_or(&[], |zone| &zone.records_by_check)
    }

    /// Whether definitions in other files can change its meaning.
    pub(super) fn depends_on_other_files(&self) -> bool {
        self.may_define || self.zone.as_ref().is_some_and(|zone| zone.refers)
    }

    /// Whether the alias targets of other files can change its meaning.
    pub(super) fn has_outside_targets(&self) -> bool {
        self.zone.as_ref().is_some_and(|zone| zone.has_outside_targets)
    }

    /// Whether both files hold the same zone: same id, name and VPCs.
    pub(super) fn has_same_zone_as(&self, other: &LoadedFile) -> bool {
        let claim = |file: &LoadedFile| file.zone.as_ref().map(LoadedZone::identity);
        claim(self) == claim(other)
    }
}

impl LoadedZone {
    pub(super) fn identity(&self) -> ZoneIdentity {
        let (id, name) = (self.compiled.id().clone(), self.compiled.name().clone());
        ZoneIdentity { id, name, vpcs: self.vpcs.clone() }
    }
}

/// What a restart needs to know about these files.
pub(super) fn served(files: &[Arc<LoadedFile>]) -> Vec<ServedFile> {
    background::yielding(files).map(|file| file.served()).collect()
}

/// Whether a record set refers to what any file may define.
fn refers(set: &ResourceRecordSet) -> bool {
    let is_ip_based = matches!(set.routing_policy, RoutingPolicy::IpBased { .. });
    set.health_check.is_some() || is_ip_based || is_to_outside(set)
}

fn is_to_outside(set: &ResourceRecordSet) -> bool {
    matches!(&set.content, Content::Alias(target) if target.hosted_zone.is_some())
}

fn example(zone: &HostedZone) -> Option<Name> {
    let mut sets = zone.answered_sets().filter(|_| !zone.is_private());
    sets.find(|set| set.record_type == RecordType::A && !set.name.is_wildcard()).map(|set| set.name.clone())
}
