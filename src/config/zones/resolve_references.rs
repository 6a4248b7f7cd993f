//! Combines all files: resolves references, checks that names are unique, and checks every zone by
//! the rules of Route 53.
//!
//! Definitions for other files are collected before any zone is read ([`SharedDefinitions`]). So a
//! zone can also be read alone when nothing else has changed, and many zones can be read in
//! parallel.

use std::ops::Range;
use std::sync::Arc;

use super::super::diagnostic::{Diagnostic, Reference};
use super::super::document::{self, Diagnostics};
use super::super::table::At;
use super::super::tree::Entries;
use super::super::vpcs::vpc;
use super::super::{Settings, SourceFile, id, words};
use super::definitions::target_outside;
use super::file::{Draft, ZoneDraft};
use super::group::GroupDraft;
use super::policy::CidrReference;
use super::record::RecordDraft;
use super::registries::{Registries, SpanInFile, refuse_second};
use super::violation::{Written, report, span_of, warn_of_missing_target};
use super::vpc::WrittenVpc;
use super::{
    Configuration, Reading, ReferenceKind, SourceOrigin, ZoneSource, default_records, file, group, name, traffic_policy,
};
use crate::background;
use crate::model::{
    self, AliasResources, CidrCollection, CidrCollectionId, Content, DelegationSet, Field, HealthCheck, HostedZone,
    HostedZoneId, Name, PolicyVersion, Region, ResourceRecordSet, RoutingPolicy, TrafficPolicy, Violation, VpcId,
    ZoneClaims, ZoneConflict, ZoneIdentity,
};

/// The checks and collections of all files, which zones refer to.
#[derive(Debug, Default)]
pub struct SharedDefinitions {
    known: Registries,
    /// The health checks of all files.
    pub health_checks: Vec<HealthCheck>,
    /// The CIDR collections of all files.
    pub cidr_collections: Vec<CidrCollection>,
    /// The reusable delegation sets of all files.
    pub delegation_sets: Vec<DelegationSet>,
    /// The traffic policies of all files.
    pub traffic_policies: Vec<TrafficPolicy>,
    /// What aliases can target outside their zones.
    pub alias_resources: Arc<AliasResources>,
}

/// A file's zone, read alone.
#[derive(Debug)]
pub struct ZoneReading {
    /// SOA and apex NS included; `None` when the file has none.
    pub zone: Option<Arc<HostedZone>>,
    /// Warnings about the file.
    pub warnings: Vec<Diagnostic>,
}

impl SharedDefinitions {
    /// The definitions of these files. Files for which
    /// [`may_define_for_others`](super::may_define_for_others) is false can be left out. `None`
    /// when one of them has an error.
    pub fn read<'f>(files: impl IntoIterator<Item = &'f SourceFile>) -> Option<SharedDefinitions> {
        let files = files.into_iter().map(|file| {
            let (root, mut diagnostics) = document::parse(file);
            let draft = file::read(&root, &mut diagnostics);
            (!diagnostics.has_error_since(0)).then_some((draft, diagnostics))
        });
        let (mut drafts, mut diagnostics): (Vec<Draft>, Vec<Diagnostics<'_>>) =
            files.collect::<Option<Vec<_>>>()?.into_iter().unzip();
        let shared = take_definitions(&mut drafts, &mut diagnostics);
        diagnostics.iter().all(|diagnostics| !diagnostics.has_error_since(0)).then_some(shared)
    }

    /// Whether alias targets have the addresses of names in a zone with this name.
    pub fn has_addresses_in(&self, zone: Option<&Name>) -> bool {
        zone.is_some_and(|zone| self.alias_resources.are_in(zone))
    }

    /// The same with what resources need of these zones, which were read with these definitions.
    pub fn with_zones(mut self, zones: &[&HostedZone]) -> SharedDefinitions {
        self.alias_resources = Arc::new(self.alias_resources.with_zones(zones));
        self
    }

    /// Whether every reference to `before` means the same here, except to alias targets: there may
    /// be more definitions, and health checks may have other members.
    pub fn extends(&self, before: &SharedDefinitions) -> bool {
        let known = |collection: &CidrCollection| self.cidr_collections.contains(collection);
        self.known.extend(&before.known)
            && before.cidr_collections.iter().all(known)
            && before.traffic_policies.iter().all(|policy| self.keeps(policy))
    }

    /// Whether every version of a policy can be used as before.
    fn keeps(&self, before: &TrafficPolicy) -> bool {
        let now = self.traffic_policies.iter().find(|policy| policy.id == before.id);
        let is_same = |version: &PolicyVersion| {
            let now = now.and_then(|policy| policy.version(version.number));
            version.is_deleted || now.is_some_and(|now| now.document == version.document)
        };
        now.is_some_and(|now| now.name == before.name) && before.versions.iter().all(is_same)
    }

    /// Reads a file's zone; `None` when the file has an error, which
    /// [`read_zones`](super::read_zones) reports. The caller checks that no other file has the same
    /// zone.
    pub fn zone(&self, file: &SourceFile, origin: SourceOrigin, settings: &Settings) -> Option<ZoneReading> {
        let (root, diagnostics) = document::parse(file);
        self.zone_of(root, diagnostics, origin, settings)
    }

    /// The same for a file that is parsed already.
    pub(in super::super) fn zone_of(
        &self,
        root: Entries<'_>,
        mut diagnostics: Diagnostics<'_>,
        origin: SourceOrigin,
        settings: &Settings,
    ) -> Option<ZoneReading> {
        let draft = file::read(&root, &mut diagnostics);
        drop(root);
        let mut link = Link { diagnostics: vec![diagnostics], settings, known: &self.known };
        let shared = Shared {
            policies: &self.traffic_policies,
            collections: &self.cidr_collections,
            alias_resources: &self.alias_resources,
        };
        let read = |draft| {
            let read = link.zone(0, draft, shared, &mut ZoneClaims::default());
            link.check((0, origin), read, &self.alias_resources, &self.cidr_collections)
        };
        let zone = draft.zone.map(read).map(Arc::new);
        let diagnostics = link.diagnostics.pop().expect("there is one file");
        (!diagnostics.has_error_since(0)).then(|| ZoneReading { zone, warnings: diagnostics.into_diagnostics() })
    }

    /// The record sets of a file of nothing else, in the zone `zone`. `None` if there is any
    /// diagnostic about them alone.
    pub(in super::super) fn records_of(
        &self,
        root: &Entries<'_>,
        mut diagnostics: Diagnostics<'_>,
        zone: &HostedZone,
        settings: &Settings,
    ) -> Option<Vec<ResourceRecordSet>> {
        let mut records = file::read_records(root, &zone.name, &mut diagnostics)?;
        let mut link = Link { diagnostics: vec![diagnostics], settings, known: &self.known };
        for record in &mut records {
            link.resolve(0, record, (&zone.id, &zone.name), &self.cidr_collections);
        }
        let diagnostics = link.diagnostics.into_iter().flat_map(Diagnostics::into_diagnostics);
        let is_clean = diagnostics.count() == 0 && !records.iter().any(|record| record.is_faulty);
        is_clean.then(|| records.into_iter().map(|record| record.set).collect())
    }
}

/// The zone of a file, as far as a text with errors shows it. Also `None` when its VPCs are
/// unknown, because a private zone must not become public.
pub fn zone_identity(file: &SourceFile, settings: &Settings) -> Option<ZoneIdentity> {
    let (root, mut diagnostics) = document::parse(file);
    let ZoneDraft { name, id, vpcs: written, .. } = file::read(&root, &mut diagnostics).zone?;
    let mut link = Link { diagnostics: vec![diagnostics], settings, known: &Registries::default() };
    let (vpcs, _) = link.vpcs(0, written.as_deref().unwrap_or_default());
    let is_public = written.is_none() && memchr::memmem::find(file.text.as_bytes(), b"vpcs").is_none();
    if !is_public && (vpcs.is_empty() || written.is_none_or(|written| written.len() != vpcs.len())) {
        return None;
    }
    let (name, id) = (name.value, id.map(|id| HostedZoneId(id.value)));
    Some(ZoneIdentity { id: id.unwrap_or_else(|| id::zone_id(&name, &vpcs)), name, vpcs })
}

/// Moves the definitions out of the drafts.
fn take_definitions(drafts: &mut [Draft], diagnostics: &mut [Diagnostics<'_>]) -> SharedDefinitions {
    let mut shared = SharedDefinitions::default();
    let (mut checks, mut targets) = (Vec::new(), Vec::new());
    for (at, draft) in drafts.iter_mut().enumerate() {
        let defined = std::mem::take(&mut draft.health_checks);
        checks.extend(shared.known.register_checks(at, defined, diagnostics).into_iter().map(|check| (at, check)));
        let collections = std::mem::take(&mut draft.collections);
        shared.cidr_collections.extend(shared.known.register_collections(at, collections, diagnostics));
        let sets = std::mem::take(&mut draft.delegation_sets);
        shared.delegation_sets.extend(shared.known.register_delegation_sets(at, sets, diagnostics));
        let policies = std::mem::take(&mut draft.traffic_policies);
        shared.traffic_policies.extend(shared.known.register_traffic_policies(at, policies, diagnostics));
        targets.push((at, std::mem::take(&mut draft.alias_targets)));
    }
    shared.health_checks = shared.known.resolve_children(checks, diagnostics);
    shared.alias_resources = Arc::new(shared.known.register_alias_targets(targets, diagnostics));
    shared
}

/// Makes one configuration of all drafts. `diagnostics` and `origins` are in the same order as
/// `drafts`.
pub(super) fn link(
    mut drafts: Vec<Draft>,
    mut diagnostics: Vec<Diagnostics<'_>>,
    origins: &[SourceOrigin],
    settings: &Settings,
) -> Reading {
    let shared = take_definitions(&mut drafts, &mut diagnostics);
    let SharedDefinitions {
        known,
        health_checks,
        cidr_collections,
        delegation_sets,
        traffic_policies,
        alias_resources,
    } = shared;
    known.report_unread(&drafts, &mut diagnostics);
    let mut link = Link { diagnostics, settings, known: &known };
    let mut claims = ZoneClaims::default();
    let shared =
        |alias_resources| Shared { policies: &traffic_policies, collections: &cidr_collections, alias_resources };
    let mut zones = Vec::new();
    for (at, draft) in drafts.into_iter().enumerate() {
        let Some(zone) = draft.zone else { continue };
        zones.push((at, link.zone(at, zone, shared(&alias_resources), &mut claims)));
    }
    let read: Vec<&HostedZone> = zones.iter().map(|(_, read)| &read.zone).collect();
    let alias_resources = Arc::new(alias_resources.with_zones(&read));
    let check = |(at, read): (usize, ReadZone)| {
        let zone = link.check((at, origins[at]), read, &alias_resources, &cidr_collections);
        // A zone is never partly applied: one error in its file leaves out the whole zone.
        let diagnostics = &link.diagnostics[at];
        (!diagnostics.has_error_since(0)).then(|| ZoneSource { zone: zone.into(), file: diagnostics.path().to_owned() })
    };
    let zones = zones.into_iter().filter_map(check).collect();
    let configuration = Configuration { zones, health_checks, cidr_collections, delegation_sets, traffic_policies };
    Reading {
        configuration,
        diagnostics: link.diagnostics.into_iter().flat_map(Diagnostics::into_diagnostics).collect(),
    }
}

/// The alias target that no file has and a violation is about.
fn missing_target(violation: &Violation, zone: &HostedZone) -> Option<Reference> {
    let set = zone.record_sets.get(violation.record_set).filter(|_| violation.field == Field::Alias)?;
    let Content::Alias(alias) = &set.content else { return None };
    target_outside(set).filter(|_| zone.resource_of(alias).is_none())
}

/// What zones refer to.
#[derive(Clone, Copy)]
struct Shared<'d> {
    policies: &'d [TrafficPolicy],
    collections: &'d [CidrCollection],
    alias_resources: &'d Arc<AliasResources>,
}

/// A zone whose rules are not checked yet.
struct ReadZone {
    zone: HostedZone,
    /// By record set, without those that no file has.
    records: Vec<Written>,
    groups: Vec<GroupDraft>,
    /// Where its name is written.
    name: Range<usize>,
    /// True when some records could not be read and are missing here.
    is_incomplete: bool,
}

/// The state of resolving references.
struct Link<'f, 's> {
    diagnostics: Vec<Diagnostics<'f>>,
    settings: &'s Settings,
    known: &'s Registries,
}

impl Link<'_, '_> {
    /// Reads a zone; [`Link::check`] checks its rules.
    fn zone(
        &mut self,
        at: usize,
        draft: ZoneDraft,
        Shared { policies, collections, alias_resources }: Shared<'_>,
        claims: &mut ZoneClaims<SpanInFile>,
    ) -> ReadZone {
        let (vpcs, vpc_regions) = self.vpcs(at, draft.vpcs.as_deref().unwrap_or_default());
        let written = draft.id.as_ref().map(|id| HostedZoneId(id.value.clone()));
        let id = written.unwrap_or_else(|| id::zone_id(&draft.name.value, &vpcs));
        let identity = ZoneIdentity { id: id.clone(), name: draft.name.value.clone(), vpcs: vpcs.clone() };
        self.claim(at, &draft, &identity, claims);
        let mut records = draft.records;
        for record in background::yielding(&mut records) {
            self.resolve(at, record, (&id, &draft.name.value), collections);
        }
        let mut record_sets = Vec::with_capacity(records.len());
        let records: Vec<Written> = background::yielding(records)
            .map(|record| {
                record_sets.push(Arc::new(record.set));
                Written { spans: record.spans, is_faulty: record.is_faulty }
            })
            .collect();
        let name = draft.name.value;
        let record_groups = draft.record_groups.iter().map(|draft| draft.group.clone()).collect();
        let mut zone = HostedZone {
            id,
            name,
            comment: draft.comment,
            vpcs,
            vpc_regions,
            caller_reference: draft.caller_reference,
            tags: draft.tags,
            record_sets,
            record_groups,
            default_addresses: Vec::new(),
            attachments: Arc::new(draft.attachments.attachments),
            policy_sets: Arc::default(),
            alias_resources: Arc::clone(alias_resources),
        };
        let diagnostics = &mut self.diagnostics[at];
        match default_records::missing_sets(&zone, &self.settings.dns) {
            Ok(sets) => zone.record_sets.extend(sets.into_iter().map(Arc::new)),
            Err(error) => {
                let diagnostic = diagnostics.error(draft.name.span.clone(), error.to_string());
                diagnostic.label("too long").hint("write NS and SOA records for the zone");
            }
        }
        zone.default_addresses = default_records::default_addresses(&zone, &self.settings.dns);
        if !zone.attachments.policy_instances.is_empty() {
            let (spans, limit) = (&draft.attachments.instance_spans, self.settings.dns.udp_payload_max);
            zone.policy_sets = traffic_policy::sets_of(&zone, spans, (policies, collections), limit, diagnostics);
        }
        ReadZone {
            zone,
            records,
            groups: draft.record_groups,
            name: draft.name.span,
            is_incomplete: draft.is_incomplete,
        }
    }

    /// Checks a zone by the rules of Route 53, with what its aliases can target.
    fn check(
        &mut self,
        (at, origin): (usize, SourceOrigin),
        read: ReadZone,
        alias_resources: &Arc<AliasResources>,
        collections: &[CidrCollection],
    ) -> HostedZone {
        let ReadZone { mut zone, records, groups, name, is_incomplete } = read;
        zone.alias_resources = Arc::clone(alias_resources);
        let diagnostics = &mut self.diagnostics[at];
        group::check(&groups, &zone, is_incomplete, diagnostics);
        for violation in model::violations(&zone, collections, self.settings.dns.udp_payload_max) {
            let violation = warn_of_missing_target(violation, &zone);
            let Some(span) = span_of(&violation, &records, &name, is_incomplete) else { continue };
            let wanted = missing_target(&violation, &zone);
            let diagnostic = report(violation, span, origin, diagnostics);
            diagnostic.wants = wanted.filter(|_| diagnostic.is_error());
        }
        zone
    }

    /// The VPCs, and the regions that the zone states.
    fn vpcs(&mut self, at: usize, written: &[WrittenVpc]) -> (Vec<VpcId>, Vec<(VpcId, Region)>) {
        let (mut vpcs, mut regions) = (Vec::new(), Vec::new());
        for WrittenVpc { name, region } in written {
            let name = At::new(name.value.as_str(), name.span.clone());
            let Some(id) = vpc(&name, &self.settings.vpcs, &self.settings.vpc_names, &mut self.diagnostics[at]) else {
                continue;
            };
            if vpcs.contains(&id) {
                self.diagnostics[at]
                    .error(name.span, format!("the VPC `{}` is listed twice", id.0))
                    .label("the second time");
                continue;
            }
            if let Some(region) = region {
                self.compare_region(at, &id, region);
                regions.push((id.clone(), region.value));
            }
            vpcs.push(id);
        }
        (vpcs, regions)
    }

    /// Answers to a VPC's clients depend on the region in the settings.
    fn compare_region(&mut self, at: usize, id: &VpcId, stated: &At<Region>) {
        let known = self.settings.vpcs.iter().find(|vpc| vpc.id == *id);
        let Some(other) = known.map(|vpc| vpc.region).filter(|region| *region != stated.value) else { return };
        let message = format!("the settings have the VPC `{}` in `{}`", id.0, other.name());
        self.diagnostics[at].warning(stated.span.clone(), message).label("this region has no effect on answers");
    }

    /// Reports zones that cannot be served together.
    fn claim(&mut self, at: usize, draft: &ZoneDraft, zone: &ZoneIdentity, claims: &mut ZoneClaims<SpanInFile>) {
        // None of its VPCs is known, which is an error.
        if draft.vpcs.is_some() && zone.vpcs.is_empty() {
            return;
        }
        let name = SpanInFile { file: at, span: draft.name.span.clone() };
        let id = draft.id.as_ref().map_or_else(|| name.clone(), |id| SpanInFile { file: at, span: id.span.clone() });
        for (conflict, first) in claims.claim(zone, name.clone(), id.clone()) {
            let (one, other) = (self.diagnostics[first.file].path().display(), self.diagnostics[at].path().display());
            let (second, message) = match conflict {
                ZoneConflict::Public => {
                    (&name, format!("the public zone `{}` is defined in two files, `{one}` and `{other}`", zone.name))
                }
                ZoneConflict::Private(vpc) => (
                    &name,
                    format!(
                        "the private zone `{}` of the VPC `{}` is defined in two files, `{one}` and `{other}`",
                        zone.name, vpc.0
                    ),
                ),
                ZoneConflict::Id => (&id, format!("two zones have the id `{}`, in `{one}` and `{other}`", zone.id.0)),
            };
            refuse_second(second, first, message, &mut self.diagnostics);
        }
    }

    fn resolve(
        &mut self,
        at: usize,
        record: &mut RecordDraft,
        (id, zone): (&HostedZoneId, &Name),
        collections: &[CidrCollection],
    ) {
        if let Some(written) = &record.health_check {
            record.set.health_check = self.known.health_check(at, written, &mut self.diagnostics);
            record.is_faulty |= record.set.health_check.is_none();
        }
        if let Some(cidr) = &record.cidr {
            match self.known.collections.find(&cidr.collection.value).map(|owner| owner.id.clone()) {
                Some(id) => record.is_faulty |= self.set_collection(at, &mut record.set, cidr, id, collections),
                None => {
                    self.known.unknown(at, &cidr.collection, ReferenceKind::Collection, &mut self.diagnostics);
                    record.is_faulty = true;
                }
            }
        }
        if let (Some(written), Content::Alias(alias)) = (&record.relative_target, &mut record.set.content)
            && alias.hosted_zone.as_ref() == Some(id)
        {
            alias.hosted_zone = None;
            let written = At::new(written.value.as_str(), written.span.clone());
            match name::in_zone(&written, zone, &mut self.diagnostics[at]) {
                Some(name) => alias.name = name,
                None => record.is_faulty = true,
            }
        }
    }

    /// Sets the collection's id; true when the location is an error.
    fn set_collection(
        &mut self,
        at: usize,
        set: &mut ResourceRecordSet,
        cidr: &CidrReference,
        id: String,
        collections: &[CidrCollection],
    ) -> bool {
        let collection = collections.iter().find(|collection| collection.id.0 == id);
        if let RoutingPolicy::IpBased { collection, .. } = &mut set.routing_policy {
            *collection = CidrCollectionId(id);
        }
        // A collection with errors is registered but cannot be used.
        let Some(collection) = collection else { return true };
        let location = &cidr.location;
        if location.value == "*" || collection.locations.iter().any(|(name, _)| *name == location.value) {
            return false;
        }
        let names: Vec<&str> = collection.locations.iter().map(|(name, _)| name.as_str()).collect();
        let message = format!("the CIDR collection `{}` has no location `{}`", collection.name, location.value);
        let diagnostic = self.diagnostics[at].error(location.span.clone(), message);
        diagnostic.label("unknown location").hint(words::did_you_mean(
            &location.value,
            &names,
            "the collection has no locations",
        ));
        diagnostic.wants(Reference::Collection(cidr.collection.value.clone()));
        true
    }
}
