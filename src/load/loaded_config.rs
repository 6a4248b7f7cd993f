//! The configuration in force, as far as the next load and the API need it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use crate::config::{RecordIndex, Settings, SharedDefinitions, SourceFile, SourceOrigin};
use crate::geo::GeoLookup;
use crate::health::CheckSlot;
use crate::history::History;
use crate::model::{
    AliasResource, CidrCollection, DelegationSet, HealthCheck, HealthCheckId, HostedZone, HostedZoneId, Name,
    TrafficPolicy, VpcId,
};
use crate::objects::ZoneSummary;
use crate::policy::CidrTables;
use crate::stats::Meters;
use crate::store::{NotKept, SourceCache, Stamp};

use super::loaded_file::{LoadedFile, LoadedZone, served};
use super::models::{Model, Models};
use super::{RecordsByCheck, Unavailable};

/// The configuration in force, as far as the next load needs it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LoadedConfig {
    /// The settings in force.
    pub(crate) settings: Arc<Settings>,
    /// Maps client addresses to locations.
    pub(crate) geo_lookup: Arc<GeoLookup>,
    /// All health checks.
    pub(crate) checks: Arc<[HealthCheck]>,
    /// The checks that detect whether this server is offline.
    pub(crate) sentinels: Arc<[HealthCheckId]>,
    /// The counters of the workers, by zone.
    pub(crate) meters: Arc<Meters>,
    /// The geo databases with their stamps; without a stamp if the next load must read them again.
    pub(super) databases: Arc<[(PathBuf, Option<Stamp>)]>,
    /// By path.
    pub(super) files: Arc<[Arc<LoadedFile>]>,
    /// Definitions in one file that other files can refer to.
    pub(super) common: Arc<SharedDefinitions>,
    /// The tables of its CIDR collections.
    pub(super) tables: CidrTables,
    pub(super) records_by_check: Arc<RecordsByCheck>,
    pub(super) source_cache: Arc<SourceCache>,
    pub(super) models: Arc<Models>,
    pub(super) history: History,
    pub(super) state: ConfigState,
    /// The [`super::Sources::revision`] of the files; they may be newer.
    pub(crate) sources_revision: i64,
}

/// Whether the served zones match the files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ConfigState {
    /// Every file is served as it is now.
    Current,
    /// At least one file has an error.
    Behind,
}

/// A zone without its records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ZoneOutline<'b> {
    /// Its id in the API.
    pub(crate) id: &'b HostedZoneId,
    /// Its apex.
    pub(crate) name: &'b Name,
    /// Its `comment`.
    pub(crate) comment: Option<&'b str>,
    /// The VPCs it is associated with. A zone without VPCs is public.
    pub(crate) vpcs: &'b [VpcId],
    /// The number of its record sets.
    pub(crate) record_sets: usize,
    /// The checks that its record sets refer to.
    pub(crate) checks: &'b [CheckSlot],
    /// Whether its file is broken and no usable copy of it is kept. Such a zone answers SERVFAIL.
    pub(crate) is_unavailable: bool,
}

/// Why the records of a zone cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoModel {
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
    /// The configuration of a server before the first load: nothing is served.
    pub(crate) fn empty(settings: Settings) -> LoadedConfig {
        let source_cache = SourceCache::new(&settings.state.directory);
        LoadedConfig::with_cache(settings, source_cache)
    }

    /// The same without a server: no state directory is read or written.
    pub(crate) fn without_state(settings: Settings) -> LoadedConfig {
        LoadedConfig::with_cache(settings, SourceCache::in_memory())
    }

    /// The same with a history, to which changes of objects are written.
    pub(crate) fn with_history(self, history: History) -> LoadedConfig {
        LoadedConfig { history, ..self }
    }

    fn with_cache(settings: Settings, source_cache: SourceCache) -> LoadedConfig {
        LoadedConfig {
            source_cache: Arc::new(source_cache),
            models: Arc::new(Models::of(settings.api.as_ref().map(|api| api.cache).unwrap_or_default())),
            history: History::default(),
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
            state: ConfigState::Current,
            sources_revision: 0,
        }
    }

    /// The records of a zone as they are served. Only some are kept in memory, because queries do
    /// not need them: this may read the source from disk and parse it, in time proportional to its
    /// size. Do not call it from the query path or the control loop.
    pub(crate) fn zone_model(&self, id: &HostedZoneId) -> Result<Arc<HostedZone>, NoModel> {
        let file = self.files.iter().find(|file| file.id() == Some(id)).ok_or_else(|| NoModel::Unknown(id.clone()))?;
        self.model_of(file, id)
    }

    /// The records of all zones, one after the other.
    pub(crate) fn zone_models(&self) -> impl Iterator<Item = Result<Arc<HostedZone>, NoModel>> {
        self.files.iter().filter_map(|file| Some(self.model_of(file, file.id()?)))
    }

    fn model_of(&self, file: &LoadedFile, id: &HostedZoneId) -> Result<Arc<HostedZone>, NoModel> {
        if file.is_unavailable() {
            return Err(NoModel::Unavailable(Unavailable::of(file)));
        }
        if let Some(model) = self.known_model(file) {
            return Ok(model.zone);
        }
        let lost = |why: String| NoModel::Lost { file: file.path.clone(), why };
        let source = self.source_of(file).map_err(lost)?;
        let reading = self.common.zone(&source, SourceOrigin::LastGood, &self.settings);
        let zone = reading.and_then(|reading| reading.zone).filter(|zone| zone.id == *id);
        let zone = zone.ok_or_else(|| lost("it cannot be parsed any more".to_owned()))?;
        self.keep_model(file, &zone, None);
        Ok(zone)
    }

    /// The model of a file that is in memory. One that was read with other settings or definitions
    /// may mean something else.
    pub(super) fn known_model(&self, file: &LoadedFile) -> Option<Model> {
        let model = self.models.get(file.id()?, file.source_hash)?;
        let has_same_definitions =
            !file.depends_on_other_files() || Weak::ptr_eq(&model.common, &Arc::downgrade(&self.common));
        // Also a zone that has no alias to a resource may get one.
        let has_same_resources = model.zone.alias_resources == self.common.alias_resources;
        (has_same_definitions && has_same_resources && Arc::ptr_eq(&model.settings, &self.settings)).then_some(model)
    }

    /// Keeps the model of a file, and the index of its record sets if they are known.
    pub(super) fn keep_model(&self, file: &LoadedFile, zone: &Arc<HostedZone>, index: Option<RecordIndex>) {
        let (common, settings) = (Arc::downgrade(&self.common), Arc::clone(&self.settings));
        let model = Model { zone: Arc::clone(zone), index: index.map(Arc::new), common, settings };
        self.models.keep(file.source_hash, model);
    }

    /// Makes the served sources durable. This takes a while if there are many. Sources that are not
    /// durable yet, or cannot be written, stay in memory.
    pub(crate) fn keep_sources(&self) -> Result<(), NotKept> {
        self.source_cache.keep(&self.settings.zone_directories(), &served(&self.files))
    }

    /// All zones that are served, as the API lists them.
    pub(crate) fn zone_summaries(&self) -> impl Iterator<Item = ZoneSummary> {
        self.zones().map(|zone| ZoneSummary {
            id: zone.compiled.id().clone(),
            name: zone.compiled.name().clone(),
            comment: zone.comment.clone(),
            vpcs: zone.vpcs.clone(),
            caller_reference: zone.caller_reference.clone(),
            tags: zone.tags.clone(),
            record_sets: zone.records,
            attachments: Arc::clone(&zone.attachments),
        })
    }

    /// The number of all record sets.
    pub(crate) fn record_sets(&self) -> usize {
        self.zones().map(|zone| zone.records).sum()
    }

    /// All CIDR collections.
    pub(crate) fn cidr_collections(&self) -> &[CidrCollection] {
        &self.common.cidr_collections
    }

    /// All reusable delegation sets.
    pub(crate) fn delegation_sets(&self) -> &[DelegationSet] {
        &self.common.delegation_sets
    }

    /// All traffic policies.
    pub(crate) fn traffic_policies(&self) -> &[TrafficPolicy] {
        &self.common.traffic_policies
    }

    /// All alias targets.
    pub(crate) fn alias_targets(&self) -> impl Iterator<Item = &AliasResource> {
        self.common.alias_resources.iter()
    }

    /// All zones that are served, without their records.
    pub(crate) fn zone_outlines(&self) -> impl Iterator<Item = ZoneOutline<'_>> {
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
    pub(crate) fn example(&self) -> Option<String> {
        self.zones().find_map(|zone| zone.example.as_ref()).map(ToString::to_string)
    }

    pub(super) fn zones(&self) -> impl Iterator<Item = &LoadedZone> {
        self.files.iter().filter_map(|file| file.zone.as_ref())
    }

    /// The source that a file is served from.
    pub(super) fn source_of(&self, file: &LoadedFile) -> Result<SourceFile, String> {
        self.source_cache.read(&file.path, file.source_hash)
    }

    pub(super) fn file(&self, path: &Path) -> Option<&Arc<LoadedFile>> {
        let at = self.files.binary_search_by(|file| (*file.path).cmp(path)).ok()?;
        Some(&self.files[at])
    }
}
