//! An engine that keeps objects in memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

use super::{
    Commit, CommitError, Committed, ErrorCode, Object, ObjectEventKind, ObjectEvents, ObjectId, ObjectStore,
    ObjectWatcher, Position, Refusal, Revision, Snapshot, Transition, ZoneSummary, current, decide,
};
use crate::model::{
    CidrCollection, CidrCollectionId, Content, DelegationSet, HealthCheck, HostedZone, HostedZoneId, Name, Percentage,
    RecordData, RecordType, ResourceRecordSet, RoutingPolicy, TrafficPolicy,
};

/// Objects in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryObjects {
    state: Mutex<State>,
    events: ObjectEvents,
}

#[derive(Debug, Default)]
struct State {
    zones: BTreeMap<HostedZoneId, Arc<HostedZone>>,
    checks: Vec<HealthCheck>,
    collections: Vec<CidrCollection>,
    delegation_sets: Vec<DelegationSet>,
    policies: Vec<TrafficPolicy>,
    revisions: HashMap<ObjectId, Revision>,
    last_revision: u128,
    /// The caller references of removed objects.
    references: HashSet<(Discriminant<ObjectId>, String)>,
}

impl MemoryObjects {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no change panics")
    }
}

#[async_trait]
impl ObjectStore for MemoryObjects {
    fn zones(&self) -> Vec<ZoneSummary> {
        Snapshot::zones(&*self.state())
    }

    fn health_checks(&self) -> Arc<[HealthCheck]> {
        self.state().checks.clone().into()
    }

    fn cidr_collections(&self) -> Vec<CidrCollection> {
        self.state().collections.clone()
    }

    fn delegation_sets(&self) -> Vec<DelegationSet> {
        self.state().delegation_sets.clone()
    }

    fn traffic_policies(&self) -> Vec<TrafficPolicy> {
        self.state().policies.clone()
    }

    async fn read(&self, id: &ObjectId) -> Result<(Revision, Object), CommitError> {
        let state = self.state();
        let object = current(&*state, id)?;
        Ok((state.revisions[id], object))
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, CommitError> {
        let mut state = self.state();
        if !commit.may_follow(state.revisions.get(&commit.id).copied()) {
            return Err(CommitError::Conflict);
        }
        let transition = decide(&*state, &commit.id, &commit.change)?;
        commit.check_quotas(&*state, &transition)?;
        let (Commit { id, change, .. }, Transition { before, after: object }) = (commit, transition);
        if let (Some(reference), None) = (before.and_then(|before| before.caller_reference().cloned()), &object) {
            state.references.insert((discriminant(&id), reference));
        }
        let before = state.revisions.get(&id).copied();
        let revision = state.put(id.clone(), object.clone());
        let kind = match revision {
            Some(after) => ObjectEventKind::Changed { before, after, change: Arc::new(change) },
            None => ObjectEventKind::Removed,
        };
        self.events.add([(id, kind)]);
        Ok(Committed { revision, object })
    }

    fn watch(&self, after: Option<Position>) -> Box<dyn ObjectWatcher> {
        self.events.watch(after)
    }
}

impl State {
    fn put(&mut self, id: ObjectId, object: Option<Object>) -> Option<Revision> {
        match &id {
            ObjectId::HostedZone(id) => drop(self.zones.remove(id)),
            ObjectId::HealthCheck(id) => self.checks.retain(|check| check.id != *id),
            ObjectId::CidrCollection(id) => self.collections.retain(|collection| collection.id != *id),
            ObjectId::DelegationSet(id) => self.delegation_sets.retain(|set| set.id != *id),
            ObjectId::TrafficPolicy(id) => self.policies.retain(|policy| policy.id != *id),
            ObjectId::AliasTarget(_) => {}
        }
        self.revisions.remove(&id);
        match object? {
            Object::HostedZone(zone) => drop(self.zones.insert(zone.id.clone(), zone)),
            Object::HealthCheck(check) => self.checks.push((*check).clone()),
            Object::CidrCollection(collection) => self.collections.push((*collection).clone()),
            Object::DelegationSet(set) => self.delegation_sets.push((*set).clone()),
            Object::TrafficPolicy(policy) => self.policies.push((*policy).clone()),
            Object::AliasTarget(_) => return None,
        }
        self.last_revision += 1;
        let revision = Revision(self.last_revision);
        self.revisions.insert(id, revision);
        Some(revision)
    }
}

impl Snapshot for State {
    fn zone(&self, id: &HostedZoneId) -> Result<Arc<HostedZone>, CommitError> {
        let message = || format!("No hosted zone found with ID: {}", id.0);
        let zone = self.zones.get(id).cloned();
        zone.ok_or_else(|| Refusal::new(ErrorCode::NoSuchHostedZone, message()).into())
    }

    fn zones(&self) -> Vec<ZoneSummary> {
        self.zones.values().map(|zone| ZoneSummary::of(zone)).collect()
    }

    fn health_checks(&self) -> &[HealthCheck] {
        &self.checks
    }

    fn cidr_collections(&self) -> &[CidrCollection] {
        &self.collections
    }

    fn delegation_sets(&self) -> &[DelegationSet] {
        &self.delegation_sets
    }

    fn traffic_policies(&self) -> &[TrafficPolicy] {
        &self.policies
    }

    fn shared_name_servers(&self) -> Vec<Name> {
        ["ns1.servers.test.", "ns2.servers.test."].map(|name| Name::parse(name).expect("a constant name")).into()
    }

    fn was_used(&self, id: &ObjectId, caller_reference: &str) -> bool {
        self.references.contains(&(discriminant(id), caller_reference.to_owned()))
    }

    fn locations_in_use(&self, collection: &CidrCollectionId) -> Result<Vec<String>, CommitError> {
        let sets = self.zones.values().flat_map(|zone| &zone.record_sets);
        let used = sets.filter_map(|set| match &set.routing_policy {
            RoutingPolicy::IpBased { collection: used, location } if used == collection => {
                Some(location.clone().unwrap_or_else(|| "*".to_owned()))
            }
            _ => None,
        });
        Ok(used.collect())
    }

    fn default_record_sets(&self, zone: &HostedZone) -> Vec<ResourceRecordSet> {
        let soa = format!("ns1.{0} hostmaster.{0} 1 7200 900 1209600 86400", zone.name);
        let (soa, ns) = ((RecordType::Soa, 900, soa), (RecordType::Ns, 172_800, format!("ns1.{}", zone.name)));
        let is_missing = |record_type: RecordType| {
            !zone.record_sets.iter().any(|set| set.name == zone.name && set.record_type == record_type)
        };
        let missing = [soa, ns].into_iter().filter(|(record_type, ..)| is_missing(*record_type));
        missing.map(|(record_type, ttl, value)| default_set(&zone.name, record_type, ttl, &value)).collect()
    }

    fn default_addresses(&self, _: &HostedZone) -> Vec<ResourceRecordSet> {
        Vec::new()
    }

    fn largest_removal(&self) -> Option<Percentage> {
        None
    }

    fn udp_payload_max(&self) -> u16 {
        1232
    }
}

fn default_set(name: &Name, record_type: RecordType, ttl: u32, value: &str) -> ResourceRecordSet {
    ResourceRecordSet {
        name: name.clone(),
        record_type,
        set_identifier: None,
        routing_policy: RoutingPolicy::Simple,
        content: Content::Records { ttl, values: vec![RecordData::parse(record_type, value).expect("names print")] },
        health_check: None,
    }
}

fn start() -> (Arc<dyn ObjectStore>, ()) {
    (Arc::new(MemoryObjects::default()), ())
}

super::suite::test_engine!(tests, super::start);
