//! Hosted zones.

use std::collections::HashMap;
use std::sync::Arc;

use super::{
    AliasResource, AliasResources, AliasTarget, HostedZoneId, Name, PolicySet, RecordData, RecordGroup, RecordType,
    Region, ResourceRecordSet, Tags, TargetHealth, VpcId, ZoneAddresses, ZoneAttachments,
};

/// A hosted zone with all its record sets, SOA and apex NS included.
#[derive(Clone, Debug, PartialEq)]
pub struct HostedZone {
    /// The id in the API.
    pub id: HostedZoneId,
    /// The name of the apex.
    pub name: Name,
    /// The user's comment.
    pub comment: Option<String>,
    /// The VPCs of a private zone; empty for a public zone.
    pub vpcs: Vec<VpcId>,
    /// The regions of those of them whose region the zone itself states (API VPCRegion).
    pub vpc_regions: Vec<(VpcId, Region)>,
    /// What the creator identified the creation by (API CallerReference).
    pub caller_reference: Option<String>,
    /// The user's tags.
    pub tags: Tags,
    /// All record sets, in the order they were written; SOA and apex NS are always there. States of
    /// a zone share those that do not differ.
    pub record_sets: Vec<Arc<ResourceRecordSet>>,
    /// Settings for groups beyond Route 53's; most groups have none.
    pub record_groups: Vec<RecordGroup>,
    /// Addresses of this server's name servers that the zone has no record sets for. They are in
    /// answers, but they are no record sets of the zone.
    pub default_addresses: Vec<ResourceRecordSet>,
    /// What programs attached to it.
    pub attachments: Arc<ZoneAttachments>,
    /// The record sets of its traffic policy instances. They are in answers, but they are no record
    /// sets of the zone.
    pub policy_sets: Arc<[PolicySet]>,
    /// What its aliases can target outside the zone: the resources of all files.
    pub alias_resources: Arc<AliasResources>,
}

/// The properties that identify a hosted zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneIdentity {
    /// The id in the API.
    pub id: HostedZoneId,
    /// The name of the apex.
    pub name: Name,
    /// The VPCs of a private zone; empty for a public zone.
    pub vpcs: Vec<VpcId>,
}

/// Record sets in the order of their zone.
type RecordSets<'z> = &'z [Arc<ResourceRecordSet>];

impl ZoneIdentity {
    /// Whether only one of both zones can be served ([`ZoneClaims`]).
    pub fn excludes(&self, other: &ZoneIdentity) -> bool {
        let mut claims = ZoneClaims::default();
        claims.claim(self, (), ());
        !claims.claim(other, (), ()).is_empty()
    }

    /// The clients that see the zone: all clients, or those of each VPC.
    fn scopes(&self) -> impl Iterator<Item = Option<&VpcId>> {
        let public = self.vpcs.is_empty().then_some(None);
        public.into_iter().chain(self.vpcs.iter().map(Some))
    }
}

/// Which zones can be served together: one public zone per name, one private zone per name and VPC,
/// and one zone per id. `P` is where a zone is defined.
#[derive(Debug)]
pub struct ZoneClaims<P> {
    names: HashMap<(Name, Option<VpcId>), P>,
    ids: HashMap<HostedZoneId, P>,
}

/// Why a zone cannot be served together with an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneConflict {
    /// Both are public and have the same name.
    Public,
    /// Both are private and have the same name and this VPC.
    Private(VpcId),
    /// Both have the same id.
    Id,
}

impl<P> Default for ZoneClaims<P> {
    fn default() -> ZoneClaims<P> {
        ZoneClaims { names: HashMap::new(), ids: HashMap::new() }
    }
}

impl<P: Clone> ZoneClaims<P> {
    /// Adds a zone whose name and id are defined at these places. Returns the conflicts with zones
    /// that were added before, and where those are defined.
    pub fn claim(&mut self, zone: &ZoneIdentity, name: P, id: P) -> Vec<(ZoneConflict, P)> {
        let mut conflicts = Vec::new();
        for vpc in zone.scopes() {
            let key = (zone.name.clone(), vpc.cloned());
            match self.names.get(&key) {
                Some(first) => {
                    let conflict = key.1.map_or(ZoneConflict::Public, ZoneConflict::Private);
                    conflicts.push((conflict, first.clone()));
                }
                None => drop(self.names.insert(key, name.clone())),
            }
        }
        // Two zones of one name usually have the same id too; that is one mistake.
        if !conflicts.is_empty() {
            return conflicts;
        }
        match self.ids.get(&zone.id) {
            Some(first) => conflicts.push((ZoneConflict::Id, first.clone())),
            None => drop(self.ids.insert(zone.id.clone(), id)),
        }
        conflicts
    }
}

impl HostedZone {
    /// A public zone that has nothing yet. A zone that is served has SOA and NS at least.
    pub fn new(id: HostedZoneId, name: Name) -> HostedZone {
        HostedZone {
            id,
            name,
            comment: None,
            vpcs: Vec::new(),
            vpc_regions: Vec::new(),
            caller_reference: None,
            tags: Tags::new(),
            record_sets: Vec::new(),
            record_groups: Vec::new(),
            default_addresses: Vec::new(),
            attachments: Arc::default(),
            policy_sets: Arc::default(),
            alias_resources: Arc::default(),
        }
    }

    /// The zone's identity.
    pub fn identity(&self) -> ZoneIdentity {
        ZoneIdentity { id: self.id.clone(), name: self.name.clone(), vpcs: self.vpcs.clone() }
    }

    /// Whether everything but the record sets is the same. Default addresses follow from them and
    /// the settings.
    pub fn has_same_members(&self, other: &HostedZone) -> bool {
        let HostedZone { id, name, comment, vpcs, vpc_regions, caller_reference, tags, .. } = self;
        let HostedZone { record_sets: _, record_groups, default_addresses: _, attachments, .. } = self;
        *id == other.id
            && *name == other.name
            && *comment == other.comment
            && *vpcs == other.vpcs
            && *vpc_regions == other.vpc_regions
            && *caller_reference == other.caller_reference
            && *tags == other.tags
            && *record_groups == other.record_groups
            && (Arc::ptr_eq(attachments, &other.attachments) || attachments == &other.attachments)
    }

    /// The record sets of both states without those at the beginning and the end that are the same,
    /// and the position of the first of them. After a change of few record sets these are few.
    pub fn differing_sets<'z>(&'z self, after: &'z HostedZone) -> (usize, RecordSets<'z>, RecordSets<'z>) {
        let is_same =
            |(one, other): &(&Arc<ResourceRecordSet>, &Arc<ResourceRecordSet>)| Arc::ptr_eq(one, other) || one == other;
        let (old, new) = (&self.record_sets[..], &after.record_sets[..]);
        let start = old.iter().zip(new).take_while(is_same).count();
        let (old, new) = (&old[start..], &new[start..]);
        let end = old.iter().rev().zip(new.iter().rev()).take_while(is_same).count();
        (start, &old[..old.len() - end], &new[..new.len() - end])
    }

    /// The zone with other record sets.
    pub fn with_record_sets(&self, record_sets: Vec<Arc<ResourceRecordSet>>) -> HostedZone {
        let HostedZone { id, name, comment, vpcs, vpc_regions, caller_reference, tags, .. } = self;
        let HostedZone {
            record_sets: _,
            record_groups,
            default_addresses,
            attachments,
            policy_sets,
            alias_resources,
            ..
        } = self;
        HostedZone {
            id: id.clone(),
            name: name.clone(),
            comment: comment.clone(),
            vpcs: vpcs.clone(),
            vpc_regions: vpc_regions.clone(),
            caller_reference: caller_reference.clone(),
            tags: tags.clone(),
            record_sets,
            record_groups: record_groups.clone(),
            default_addresses: default_addresses.clone(),
            attachments: Arc::clone(attachments),
            policy_sets: Arc::clone(policy_sets),
            alias_resources: Arc::clone(alias_resources),
        }
    }

    /// True when the zone is served only to clients in its VPCs.
    pub fn is_private(&self) -> bool {
        !self.vpcs.is_empty()
    }

    /// Everything that is answered: the record sets, the default addresses and the record sets of
    /// traffic policy instances.
    pub fn answered_sets(&self) -> impl Iterator<Item = &ResourceRecordSet> {
        let policy_sets = self.policy_sets.iter().map(|policy| &policy.set);
        self.record_sets.iter().map(|set| &**set).chain(&self.default_addresses).chain(policy_sets)
    }

    /// The resource that an alias targets; `None` for an alias within the zone, and if no file
    /// describes the resource.
    pub fn resource_of(&self, target: &AliasTarget) -> Option<&AliasResource> {
        self.alias_resources.find(target.hosted_zone.as_ref()?, &target.name)
    }

    /// The other zone whose records a resource answers with in this one: the zone of this name with
    /// the longest name, unless that is this zone.
    pub fn other_zone_of(&self, name: &Name) -> Option<&ZoneAddresses> {
        let other = self.alias_resources.zone_of(name)?;
        let is_own = name.is_within(&self.name) && self.name.label_count() >= other.zone.label_count();
        (!is_own).then_some(other)
    }

    /// Whether an alias has the health of its target. For some services that has no effect (API
    /// AliasTarget EvaluateTargetHealth).
    pub fn evaluates(&self, target: &AliasTarget) -> bool {
        let Some(id) = &target.hosted_zone else { return target.evaluate_target_health };
        let stated = || self.resource_of(target)?.service;
        let service = self.alias_resources.service_of(id).or_else(stated);
        let has_health = service.is_none_or(|service| service.target_health() == TargetHealth::Evaluated);
        target.evaluate_target_health && has_health
    }

    /// The targets of the zone's own NS set.
    pub fn name_servers(&self) -> impl Iterator<Item = Name> {
        let is_apex_ns = |set: &&Arc<ResourceRecordSet>| set.record_type == RecordType::Ns && set.name == self.name;
        let values = self.record_sets.iter().filter(is_apex_ns).flat_map(|set| set.content.values());
        values.filter_map(RecordData::target)
    }

    /// Whether the zone has room for this default address: its NS set names the server, and it has
    /// no such record set there.
    pub fn lacks_address(&self, set: &ResourceRecordSet) -> bool {
        let is_taken = |other: &ResourceRecordSet| {
            (other.record_type == set.record_type || other.record_type == RecordType::Cname) && other.name == set.name
        };
        set.name.is_within(&self.name)
            && self.name_servers().any(|name| name == set.name)
            && !self.record_sets.iter().any(|other| is_taken(other))
    }
}
