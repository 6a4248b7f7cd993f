//! Changes of a hosted zone's record sets: the API's ChangeResourceRecordSets without its XML.
//!
//! [`HostedZone::apply`] is a pure function from a zone and a batch to the new zone, or to every
//! reason why there is none. Nothing is changed then (API
//! ChangeResourceRecordSets).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt, HashSet};

use super::rules::{describe_key, target_not_found, violations_near};
use super::{
    CidrCollection, Content, Field, HostedZone, HostedZoneId, Name, RecordData, RecordType, ResourceRecordSet,
    Severity, Violation, violations,
};

/// The most values of one batch; an UPSERT counts its values twice, an alias counts as one value
/// (Developer Guide, "Quotas on ChangeResourceRecordSets").
pub const MAX_BATCH_VALUES: usize = 1000;
/// The most characters of all values of one batch; an UPSERT counts them twice (the same page).
pub const MAX_BATCH_CHARACTERS: usize = 32_000;
/// The most record sets of a hosted zone (Developer Guide, "Quotas on hosted zones").
pub const MAX_RECORD_SETS: usize = 10_000;

/// Changes that are made together or not at all (API ChangeBatch).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangeBatch {
    /// The caller's comment, for the history.
    pub comment: Option<String>,
    /// The changes, in the caller's order.
    pub changes: Vec<Change>,
}

/// One change (API Change).
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What to do.
    pub action: ChangeAction,
    /// The record set to create or to delete.
    pub record_set: ResourceRecordSet,
}

/// The action of a change (API ChangeAction).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeAction {
    /// Adds a record set; none with its key may exist.
    Create,
    /// Removes a record set; all its fields must be given as they are.
    Delete,
    /// Replaces the record set with this key as a whole, or adds it.
    Upsert,
}

/// What identifies a record set in its zone: name, type and set identifier (API
/// ChangeResourceRecordSets).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordSetKey {
    /// The absolute owner name.
    pub name: Name,
    /// The type.
    pub record_type: RecordType,
    /// The set identifier of a set with a routing policy.
    pub set_identifier: Option<String>,
}

/// Why a batch is refused. The sentences are those that Route 53 is known to send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The batch has no changes.
    #[error("a change batch must have at least one change")]
    NoChanges,
    /// The values are more than [`MAX_BATCH_VALUES`].
    #[error("Number of records limit of {MAX_BATCH_VALUES} exceeded.")]
    TooManyValues,
    /// The values are longer than [`MAX_BATCH_CHARACTERS`].
    #[error("RDATA character limit of {MAX_BATCH_CHARACTERS} exceeded.")]
    TooManyCharacters,
    /// The zone would have more than [`MAX_RECORD_SETS`].
    #[error("a hosted zone has at most {MAX_RECORD_SETS} resource record sets; this batch would make it {0}")]
    TooManyRecordSets(usize),
    /// Actions on one key that exclude each other.
    #[error("The request contains an invalid set of changes for a resource record set '{} {}'", .0.record_type, .0.name)]
    InvalidSetOfChanges(RecordSetKey),
    /// CREATE of a key that exists.
    #[error("Tried to create resource record set {0} but it already exists")]
    AlreadyExists(RecordSetKey),
    /// DELETE of a key that does not exist.
    #[error("Tried to delete resource record set {0} but it was not found")]
    NotFound(RecordSetKey),
    /// DELETE with fields that differ from those of the zone.
    #[error("Tried to delete resource record set {0} but the values provided do not match the current values")]
    DoesNotMatch(RecordSetKey),
    /// CREATE or UPSERT of an alias whose target is created after it.
    #[error("{}", target_not_found(&target.name, target.record_type, zone))]
    TargetComesLater {
        /// The target, without a set identifier.
        target: RecordSetKey,
        /// The zone.
        zone: HostedZoneId,
    },
    /// DELETE of what an alias targets that stays. No sentence of Route 53 is known.
    #[error("Tried to delete resource record set {target} but the alias {alias} targets it")]
    IsAliasTarget {
        /// The deleted record set.
        target: RecordSetKey,
        /// The alias.
        alias: RecordSetKey,
    },
    /// The SOA of the zone would be gone.
    #[error("A HostedZone must contain exactly one SOA record.")]
    NoSoa,
    /// The NS set of the zone itself would be gone.
    #[error("A HostedZone must contain at least one NS record for the zone itself.")]
    NoApexNs,
    /// The record set breaks a rule of its zone.
    #[error("{}", violation.message)]
    Rule {
        /// The record set.
        key: RecordSetKey,
        /// The rule, and how to follow it.
        violation: Violation,
    },
}

/// `[name='x.', type='A', set-identifier='blue']`, as in Route 53's sentences.
impl fmt::Display for RecordSetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&describe_key(&self.name, self.record_type, self.set_identifier.as_deref()))
    }
}

impl ResourceRecordSet {
    /// What identifies this set in its zone.
    pub fn key(&self) -> RecordSetKey {
        RecordSetKey {
            name: self.name.clone(),
            record_type: self.record_type,
            set_identifier: self.set_identifier.clone(),
        }
    }

    /// Whether all fields are equal. The order of values does not matter (API
    /// ChangeResourceRecordSets, DELETE).
    pub fn matches(&self, other: &ResourceRecordSet) -> bool {
        let ResourceRecordSet { name, record_type, set_identifier, routing_policy, content, health_check } = self;
        *name == other.name
            && *record_type == other.record_type
            && *set_identifier == other.set_identifier
            && *routing_policy == other.routing_policy
            && *health_check == other.health_check
            && contents_match(content, &other.content)
    }
}

fn contents_match(one: &Content, other: &Content) -> bool {
    match (one, other) {
        (Content::Alias(one), Content::Alias(other)) => one == other,
        (Content::Records { ttl: one_ttl, values: one }, Content::Records { ttl: other_ttl, values: other }) => {
            let distinct = |values: &[RecordData]| values.iter().cloned().collect::<HashSet<_>>();
            one_ttl == other_ttl && one.len() == other.len() && distinct(one) == distinct(other)
        }
        _ => false,
    }
}

impl HostedZone {
    /// The zone after the batch. A new set follows the existing ones; a replaced set keeps its
    /// position. The settings of a group without records are dropped. `collections` and
    /// `udp_payload_max` are those of [`violations`].
    ///
    /// # Errors
    ///
    /// Every reason why the batch is refused, in the order of its changes.
    pub fn apply(
        &self,
        batch: &ChangeBatch,
        collections: &[CidrCollection],
        udp_payload_max: u16,
    ) -> Result<HostedZone, Vec<ChangeError>> {
        let draft = Draft::made(self, batch)?;
        let after = draft.after();
        let mut errors = draft.early_aliases(batch);
        errors.extend(draft.violations(&after, collections, udp_payload_max));
        if errors.is_empty() { Ok(after) } else { Err(errors) }
    }

    /// The same for a zone without any [`violations`]: only what the batch can break is checked.
    ///
    /// # Errors
    ///
    /// Those of [`HostedZone::apply`].
    pub fn apply_to_sound(
        &self,
        batch: &ChangeBatch,
        collections: &[CidrCollection],
        udp_payload_max: u16,
    ) -> Result<HostedZone, Vec<ChangeError>> {
        let draft = Draft::made(self, batch)?;
        let after = draft.after();
        let mut errors = draft.early_aliases(batch);
        if errors.is_empty() && draft.breaks_nothing(&after, collections, udp_payload_max) {
            return Ok(after);
        }
        errors.extend(draft.violations(&after, collections, udp_payload_max));
        if errors.is_empty() { Ok(after) } else { Err(errors) }
    }
}

impl ChangeBatch {
    /// Which limits of one request it exceeds.
    pub(crate) fn limits(&self) -> Vec<ChangeError> {
        let (mut values, mut characters) = (0, 0);
        for Change { action, record_set } in &self.changes {
            let times = if *action == ChangeAction::Upsert { 2 } else { 1 };
            match &record_set.content {
                Content::Alias(_) => values += 1,
                Content::Records { values: own, .. } => {
                    values += times * own.len();
                    characters += times * own.iter().map(|value| value.to_string().chars().count()).sum::<usize>();
                }
            }
        }
        let limits = [
            (self.changes.is_empty(), ChangeError::NoChanges),
            (values > MAX_BATCH_VALUES, ChangeError::TooManyValues),
            (characters > MAX_BATCH_CHARACTERS, ChangeError::TooManyCharacters),
        ];
        limits.into_iter().filter(|(is_exceeded, _)| *is_exceeded).map(|(_, error)| error).collect()
    }
}

/// A zone while a batch is applied.
struct Draft<'z> {
    zone: &'z HostedZone,
    /// The positions of the sets whose names are in the batch; new ones follow the existing ones.
    positions: HashMap<RecordSetKey, usize>,
    /// What is at the positions that the batch changed; `None` if it is deleted.
    changed: BTreeMap<usize, Option<Arc<ResourceRecordSet>>>,
    /// What the batch did to each key so far.
    done: HashMap<RecordSetKey, ChangeAction>,
}

impl<'z> Draft<'z> {
    /// The zone with the changes of the batch, whose rules are not checked yet.
    fn made(zone: &'z HostedZone, batch: &ChangeBatch) -> Result<Draft<'z>, Vec<ChangeError>> {
        let mut errors = batch.limits();
        let names: HashSet<&Name> = batch.changes.iter().map(|change| &change.record_set.name).collect();
        let named = zone.record_sets.iter().enumerate().filter(|(_, set)| names.contains(&set.name));
        let positions = named.map(|(at, set)| (set.key(), at)).collect();
        let mut draft = Draft { zone, positions, changed: BTreeMap::new(), done: HashMap::new() };
        for change in &batch.changes {
            draft.make(change, &mut errors);
        }
        if errors.is_empty() { Ok(draft) } else { Err(errors) }
    }

    fn make(&mut self, change: &Change, errors: &mut Vec<ChangeError>) {
        let Change { action, record_set } = change;
        let key = record_set.key();
        // DELETE and then CREATE is the documented way to change what an UPSERT cannot.
        let is_replacement = |before: ChangeAction| before == ChangeAction::Delete && *action != ChangeAction::Delete;
        if self.done.get(&key).is_some_and(|before| !is_replacement(*before)) {
            errors.push(ChangeError::InvalidSetOfChanges(key));
            return;
        }
        self.done.insert(key.clone(), *action);
        let position = self.positions.get(&key).copied();
        match (action, position.and_then(|at| self.at(at))) {
            (ChangeAction::Create, Some(_)) => errors.push(ChangeError::AlreadyExists(key)),
            (ChangeAction::Delete, None) => errors.push(ChangeError::NotFound(key)),
            (ChangeAction::Delete, Some(set)) if !set.matches(record_set) => {
                errors.push(ChangeError::DoesNotMatch(key));
            }
            (ChangeAction::Delete, Some(_)) => self.put(key, position, None),
            (ChangeAction::Create | ChangeAction::Upsert, _) => self.put(key, position, Some(record_set)),
        }
    }

    fn at(&self, at: usize) -> Option<&Arc<ResourceRecordSet>> {
        self.changed.get(&at).map_or_else(|| self.zone.record_sets.get(at), Option::as_ref)
    }

    fn put(&mut self, key: RecordSetKey, position: Option<usize>, set: Option<&ResourceRecordSet>) {
        let at = position.unwrap_or_else(|| self.count());
        self.positions.insert(key, at);
        // An UPSERT of what is there already changes nothing.
        let as_before = self.zone.record_sets.get(at).filter(|before| Some(&***before) == set);
        let set = as_before.cloned().or_else(|| set.cloned().map(Arc::new));
        self.changed.insert(at, set);
    }

    /// The number of positions.
    fn count(&self) -> usize {
        self.changed.last_key_value().map_or(0, |(at, _)| at + 1).max(self.zone.record_sets.len())
    }

    fn sets(&self) -> impl Iterator<Item = &Arc<ResourceRecordSet>> {
        (0..self.count()).filter_map(|at| self.at(at))
    }

    /// Whether a sound zone has no violations after the batch either.
    fn breaks_nothing(&self, after: &HostedZone, collections: &[CidrCollection], udp_payload_max: u16) -> bool {
        if after.record_sets.len() > MAX_RECORD_SETS.max(self.zone.record_sets.len()) {
            return false;
        }
        let is_required = |set: &&ResourceRecordSet| matches!(set.record_type, RecordType::Soa | RecordType::Ns);
        let old = self.changed.keys().filter_map(|at| self.zone.record_sets.get(*at));
        let new = self.changed.values().flatten();
        let touched: Vec<&ResourceRecordSet> = old.chain(new).map(|set| &**set).collect();
        !touched.iter().any(is_required) && violations_near(after, &touched, collections, udp_payload_max).is_empty()
    }

    /// The rules that the final state breaks. A rule about several sets blames the last of them, so
    /// the sets of the batch come after the others.
    fn violations(&self, after: &HostedZone, collections: &[CidrCollection], udp_payload_max: u16) -> Vec<ChangeError> {
        let is_changed = |set: &&Arc<ResourceRecordSet>| self.done.contains_key(&set.key());
        let (mut changed, mut sets): (Vec<_>, Vec<_>) = self.sets().partition(is_changed);
        sets.append(&mut changed);
        let zone = after.with_record_sets(sets.into_iter().cloned().collect());
        let lacks =
            |record_type| !zone.record_sets.iter().any(|set| set.name == zone.name && set.record_type == record_type);
        let required = [(RecordType::Soa, ChangeError::NoSoa), (RecordType::Ns, ChangeError::NoApexNs)];
        let missing = required.into_iter().filter(|(record_type, _)| lacks(*record_type));
        let mut errors: Vec<ChangeError> = missing.map(|(_, error)| error).collect();
        if zone.record_sets.len() > MAX_RECORD_SETS.max(self.zone.record_sets.len()) {
            errors.push(ChangeError::TooManyRecordSets(zone.record_sets.len()));
        }
        let broken = violations(&zone, collections, udp_payload_max).into_iter();
        let broken = broken.filter(|violation| violation.severity != Severity::Warning);
        errors.extend(broken.map(|violation| {
            let set = &zone.record_sets[violation.record_set];
            self.deleted_target(set, &violation).unwrap_or_else(|| ChangeError::Rule { key: set.key(), violation })
        }));
        errors
    }

    /// The error for an alias that the batch does not touch, but whose target it deletes.
    fn deleted_target(&self, alias: &ResourceRecordSet, violation: &Violation) -> Option<ChangeError> {
        let Content::Alias(target) = &alias.content else { return None };
        if violation.field != Field::Alias || self.done.contains_key(&alias.key()) {
            return None;
        }
        let mut deleted =
            self.done.keys().filter(|key| key.name == target.name && key.record_type == alias.record_type);
        Some(ChangeError::IsAliasTarget { target: deleted.next()?.clone(), alias: alias.key() })
    }

    /// Aliases whose targets are created by a later change of the batch: Route 53 looks for a
    /// target when it makes the change of the alias.
    fn early_aliases(&self, batch: &ChangeBatch) -> Vec<ChangeError> {
        let creates = |change: &&Change| change.action != ChangeAction::Delete;
        let mut created = HashMap::new();
        for (at, change) in batch.changes.iter().enumerate().filter(|(_, change)| creates(change)) {
            created.entry((&change.record_set.name, change.record_set.record_type)).or_insert(at);
        }
        let exists = |target: &Name, record_type: RecordType| {
            self.zone.answered_sets().any(|set| set.record_type == record_type && set.name == *target)
        };
        let mut errors = Vec::new();
        for (at, change) in batch.changes.iter().enumerate().filter(|(_, change)| creates(change)) {
            let Content::Alias(alias) = &change.record_set.content else { continue };
            let (target, record_type) = (&alias.name, change.record_set.record_type);
            let comes_later = created.get(&(target, record_type)).is_some_and(|created| *created > at);
            if comes_later && !exists(target, record_type) {
                let target = RecordSetKey { name: target.clone(), record_type, set_identifier: None };
                errors.push(ChangeError::TargetComesLater { target, zone: self.zone.id.clone() });
            }
        }
        errors
    }

    /// The zone with its new record sets, and with the default addresses and the settings of groups
    /// that are left.
    fn after(&self) -> HostedZone {
        let mut after = self.zone.with_record_sets(self.sets().cloned().collect());
        let left = self.zone.default_addresses.iter().filter(|set| after.lacks_address(set));
        after.default_addresses = left.cloned().collect();
        // Most zones have no such settings.
        if !after.record_groups.is_empty() {
            let groups: HashSet<(&Name, RecordType)> =
                after.answered_sets().map(|set| (&set.name, set.record_type)).collect();
            let left = self.zone.record_groups.iter();
            let left = left.filter(|group| groups.contains(&(&group.name, group.record_type)));
            after.record_groups = left.cloned().collect();
        }
        after
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{AliasTarget, HostedZoneId, RecordGroup, RoutingPolicy, WhenAllUnhealthy};

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn set(owner: &str, record_type: RecordType, values: &[&str]) -> ResourceRecordSet {
        let values = values.iter().map(|value| RecordData::parse(record_type, value).unwrap()).collect();
        ResourceRecordSet {
            name: name(owner),
            record_type,
            set_identifier: None,
            routing_policy: RoutingPolicy::Simple,
            content: Content::Records { ttl: 60, values },
            health_check: None,
        }
    }

    fn a(owner: &str, values: &[&str]) -> ResourceRecordSet {
        set(owner, RecordType::A, values)
    }

    fn weighted(owner: &str, identifier: &str, weight: u8) -> ResourceRecordSet {
        ResourceRecordSet {
            set_identifier: Some(identifier.to_owned()),
            routing_policy: RoutingPolicy::Weighted { weight },
            ..a(owner, &["192.0.2.1"])
        }
    }

    fn zone(sets: &[ResourceRecordSet]) -> HostedZone {
        let soa = set("lab.test", RecordType::Soa, &["ns1.lab.test. hostmaster.lab.test. 1 7200 900 1209600 86400"]);
        let ns = set("lab.test", RecordType::Ns, &["ns1.lab.test."]);
        HostedZone {
            record_sets: [&[soa, ns], sets].concat().into_iter().map(Arc::new).collect(),
            ..HostedZone::new(HostedZoneId("Z1".to_owned()), name("lab.test"))
        }
    }

    fn batch(changes: &[(ChangeAction, ResourceRecordSet)]) -> ChangeBatch {
        let changes = changes.iter().map(|(action, set)| Change { action: *action, record_set: set.clone() });
        ChangeBatch { comment: None, changes: changes.collect() }
    }

    fn apply(zone: &HostedZone, changes: &[(ChangeAction, ResourceRecordSet)]) -> Result<HostedZone, Vec<String>> {
        let applied = zone.apply(&batch(changes), &[], 1232);
        if violations(zone, &[], 1232).is_empty() {
            assert_eq!(zone.apply_to_sound(&batch(changes), &[], 1232), applied);
        }
        applied.map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    fn refused(zone: &HostedZone, changes: &[(ChangeAction, ResourceRecordSet)], messages: &[&str]) {
        assert_eq!(apply(zone, changes).unwrap_err(), messages);
    }

    use ChangeAction::{Create, Delete, Upsert};

    #[test]
    fn create_appends_upsert_replaces_in_place_delete_removes() {
        let before = zone(&[a("a.lab.test", &["192.0.2.1"]), a("b.lab.test", &["192.0.2.2"])]);
        let changes = [
            (Create, a("c.lab.test", &["192.0.2.3"])),
            (Upsert, a("a.lab.test", &["192.0.2.9"])),
            (Delete, a("b.lab.test", &["192.0.2.2"])),
            (Upsert, a("d.lab.test", &["192.0.2.4"])),
        ];
        let after = apply(&before, &changes).unwrap();
        let expected =
            [a("a.lab.test", &["192.0.2.9"]), a("c.lab.test", &["192.0.2.3"]), a("d.lab.test", &["192.0.2.4"])];
        assert_eq!(after, zone(&expected));
    }

    #[test]
    fn every_bad_change_is_reported_in_route_53s_words() {
        let before = zone(&[a("a.lab.test", &["192.0.2.1"]), weighted("w.lab.test", "blue", 1)]);
        let changes = [
            (Create, a("a.lab.test", &["192.0.2.1"])),
            (Create, weighted("w.lab.test", "blue", 1)),
            (Delete, a("b.lab.test", &["192.0.2.1"])),
            (Delete, weighted("w.lab.test", "green", 1)),
        ];
        refused(
            &before,
            &changes,
            &[
                "Tried to create resource record set [name='a.lab.test.', type='A'] but it already exists",
                "Tried to create resource record set [name='w.lab.test.', type='A', set-identifier='blue'] but it already \
                 exists",
                "Tried to delete resource record set [name='b.lab.test.', type='A'] but it was not found",
                "Tried to delete resource record set [name='w.lab.test.', type='A', set-identifier='green'] but it was not \
                 found",
            ],
        );
    }

    #[test]
    fn delete_needs_every_field_as_it_is_but_not_the_order_of_values() {
        let current = a("a.lab.test", &["192.0.2.1", "192.0.2.2"]);
        let before = zone(std::slice::from_ref(&current));
        assert!(apply(&before, &[(Delete, a("a.lab.test", &["192.0.2.2", "192.0.2.1"]))]).is_ok());
        let with_ttl = |ttl| {
            let Content::Records { values, .. } = current.content.clone() else { unreachable!() };
            ResourceRecordSet { content: Content::Records { ttl, values }, ..current.clone() }
        };
        let alias = AliasTarget { name: name("lab.test"), hosted_zone: None, evaluate_target_health: false };
        let others = [
            a("a.lab.test", &["192.0.2.1"]),
            a("a.lab.test", &["192.0.2.1", "192.0.2.3"]),
            a("a.lab.test", &["192.0.2.1", "192.0.2.2", "192.0.2.3"]),
            with_ttl(61),
            ResourceRecordSet { content: Content::Alias(alias), ..current.clone() },
            ResourceRecordSet { health_check: Some(crate::model::HealthCheckId("h".to_owned())), ..current.clone() },
            ResourceRecordSet { routing_policy: RoutingPolicy::Weighted { weight: 1 }, ..current.clone() },
        ];
        for other in others {
            let message = "Tried to delete resource record set [name='a.lab.test.', type='A'] but the values provided do \
                           not match the current values";
            refused(&before, &[(Delete, other)], &[message]);
        }
    }

    #[test]
    fn a_key_changes_once_or_is_deleted_and_made_anew() {
        let old = a("a.lab.test", &["192.0.2.1"]);
        let new = a("a.lab.test", &["192.0.2.2"]);
        let before = zone(std::slice::from_ref(&old));
        for action in [Create, Upsert] {
            let after = apply(&before, &[(Delete, old.clone()), (action, new.clone())]).unwrap();
            assert_eq!(after, zone(std::slice::from_ref(&new)));
        }
        let message = "The request contains an invalid set of changes for a resource record set 'A a.lab.test.'";
        refused(&before, &[(Upsert, new.clone()), (Upsert, new.clone())], &[message]);
        refused(&before, &[(Delete, old.clone()), (Delete, old.clone())], &[message]);
        refused(&before, &[(Upsert, new.clone()), (Delete, new.clone())], &[message]);
        refused(&zone(&[]), &[(Create, new.clone()), (Create, new.clone())], &[message]);
        refused(&zone(&[]), &[(Create, new.clone()), (Delete, new)], &[message]);
    }

    #[test]
    fn a_policy_changes_when_all_sets_of_the_group_change_in_one_batch() {
        let simple = a("a.lab.test", &["192.0.2.1"]);
        let before = zone(std::slice::from_ref(&simple));
        let (blue, green) = (weighted("a.lab.test", "blue", 1), weighted("a.lab.test", "green", 2));
        let after = apply(&before, &[(Delete, simple), (Create, blue.clone()), (Create, green.clone())]).unwrap();
        assert_eq!(after.record_sets[2..], [blue.clone(), green].map(Arc::new));
        let message = "RRSet with DNS name a.lab.test., type A, SetIdentifier blue cannot be created as a non-weighted set \
                       exists with the same name and type.";
        refused(&before, &[(Create, blue)], &[message]);
    }

    #[test]
    fn the_set_of_the_batch_is_blamed_wherever_it_is_in_the_zone() {
        let before = zone(&[a("a.lab.test", &["192.0.2.1"]), a("b.lab.test", &["192.0.2.2"])]);
        let cname = set("a.lab.test", RecordType::Cname, &["b.lab.test."]);
        let message = "RRSet of type CNAME with DNS name a.lab.test. is not permitted as it conflicts with other records \
                       with the same DNS name in zone lab.test";
        let [refusal] = &apply(&before, &[(Create, cname.clone())]).unwrap_err()[..] else { panic!() };
        assert!(refusal.starts_with(message), "{refusal}");
        let after = apply(&before, &[(Delete, a("a.lab.test", &["192.0.2.1"])), (Create, cname)]).unwrap();
        let [refusal] = &apply(&after, &[(Create, a("a.lab.test", &["192.0.2.1"]))]).unwrap_err()[..] else { panic!() };
        assert!(refusal.contains("a conflicting RRSet of type  CNAME"), "{refusal}");
    }

    #[test]
    fn the_default_sets_can_be_replaced_but_not_deleted() {
        let before = zone(&[]);
        let [soa, ns] = [0, 1].map(|at| ResourceRecordSet::clone(&before.record_sets[at]));
        let no_soa = "A HostedZone must contain exactly one SOA record.";
        let no_ns = "A HostedZone must contain at least one NS record for the zone itself.";
        refused(&before, &[(Delete, soa), (Delete, ns)], &[no_soa, no_ns]);
        let new = set("lab.test", RecordType::Ns, &["ns2.lab.test."]);
        assert!(apply(&before, &[(Upsert, new)]).is_ok());
    }

    #[test]
    fn an_alias_may_target_what_the_batch_created_before_and_keeps_its_target() {
        let target = AliasTarget { name: name("a.lab.test"), hosted_zone: None, evaluate_target_health: false };
        let alias = ResourceRecordSet { content: Content::Alias(target), ..a("b.lab.test", &[]) };
        let a = a("a.lab.test", &["192.0.2.1"]);
        let after = apply(&zone(&[]), &[(Create, a.clone()), (Create, alias.clone())]).unwrap();
        let not_found =
            "Tried to create an alias that targets a.lab.test., type A in zone Z1, but that target was not found";
        refused(&zone(&[]), &[(Create, alias.clone())], &[not_found]);
        refused(&zone(&[]), &[(Create, alias.clone()), (Create, a.clone())], &[not_found]);
        let message = "Tried to delete resource record set [name='a.lab.test.', type='A'] but the alias \
                       [name='b.lab.test.', type='A'] targets it";
        refused(&after, &[(Delete, a.clone())], &[message]);
        assert!(apply(&after, &[(Upsert, alias.clone()), (Upsert, a.clone())]).is_ok());
        assert_eq!(apply(&after, &[(Delete, a), (Delete, alias)]), Ok(zone(&[])));
    }

    #[test]
    fn the_limits_of_a_batch_count_an_upsert_twice() {
        let values: Vec<String> = (0..=255).map(|last| format!("192.0.2.{last}")).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let changes = |action, sets: usize, values: &[&str]| -> Vec<_> {
            (0..sets).map(|at| (action, a(&format!("n{at}.lab.test"), values))).collect()
        };
        let count = "Number of records limit of 1000 exceeded.";
        // Sets that are too large for UDP are a warning.
        assert!(apply(&zone(&[]), &changes(Create, 4, &values[..250])).is_ok());
        assert!(apply(&zone(&[]), &changes(Upsert, 2, &values[..250])).is_ok());
        refused(
            &zone(&[]),
            &[changes(Create, 4, &values[..250]), changes(Create, 5, &["192.0.2.1"])[4..].to_vec()].concat(),
            &[count],
        );
        refused(&zone(&[]), &changes(Upsert, 2, &values[..251]), &[count]);
        let long = format!("\"{}\"", "x".repeat(253));
        let texts = |action, sets: usize| -> Vec<_> {
            (0..sets).map(|at| (action, set(&format!("n{at}.lab.test"), RecordType::Txt, &[&long]))).collect()
        };
        assert!(apply(&zone(&[]), &texts(Create, 125)).is_ok());
        refused(&zone(&[]), &texts(Create, 126), &["RDATA character limit of 32000 exceeded."]);
        refused(&zone(&[]), &texts(Upsert, 63), &["RDATA character limit of 32000 exceeded."]);
        refused(&zone(&[]), &[], &["a change batch must have at least one change"]);
    }

    #[test]
    fn the_settings_of_a_group_go_with_its_last_record() {
        let (blue, green) = (weighted("w.lab.test", "blue", 1), weighted("w.lab.test", "green", 1));
        let mut before = zone(&[blue.clone(), green.clone()]);
        before.record_groups.push(RecordGroup {
            name: name("w.lab.test"),
            record_type: RecordType::A,
            when_all_unhealthy: WhenAllUnhealthy::None,
            failback_delay: Duration::ZERO,
            slow_start: Duration::from_secs(5),
        });
        let one_left = apply(&before, &[(Delete, blue)]).unwrap();
        assert_eq!(one_left.record_groups, before.record_groups);
        assert_eq!(apply(&one_left, &[(Delete, green)]).unwrap().record_groups, []);
    }

    /// Names, values and identifiers from small sets, so that changes meet.
    fn any_set() -> impl Strategy<Value = ResourceRecordSet> {
        (0..3u8, 0..3u8, prop::option::of(0..2u8)).prop_map(|(owner, value, identifier)| {
            let set = a(&format!("{}.lab.test", char::from(b'a' + owner)), &[&format!("192.0.2.{value}")]);
            match identifier {
                None => set,
                Some(identifier) => ResourceRecordSet {
                    set_identifier: Some(identifier.to_string()),
                    routing_policy: RoutingPolicy::Weighted { weight: value },
                    ..set
                },
            }
        })
    }

    fn any_change() -> impl Strategy<Value = (ChangeAction, ResourceRecordSet)> {
        (prop_oneof![Just(Create), Just(Delete), Just(Upsert)], any_set())
    }

    /// Route 53's rules for one batch, read literally: each change on a list, then the policies.
    fn naive(
        sets: &[ResourceRecordSet],
        changes: &[(ChangeAction, ResourceRecordSet)],
    ) -> Option<Vec<ResourceRecordSet>> {
        let mut sets = sets.to_vec();
        for (number, (action, set)) in changes.iter().enumerate() {
            let earlier: Vec<_> = changes[..number].iter().filter(|(_, other)| other.key() == set.key()).collect();
            match &earlier[..] {
                [] => {}
                [(Delete, _)] if *action != Delete => {}
                _ => return None,
            }
            let at = sets.iter().position(|other| other.key() == set.key());
            match (action, at) {
                (Create, Some(_)) | (Delete, None) => return None,
                (Delete, Some(at)) => {
                    if sets[at] != *set {
                        return None;
                    }
                    sets.remove(at);
                }
                (Upsert, Some(at)) => sets[at] = set.clone(),
                (Create | Upsert, None) => sets.push(set.clone()),
            }
        }
        let is_mixed = |set: &ResourceRecordSet| {
            let simple = |set: &ResourceRecordSet| set.set_identifier.is_none();
            sets.iter().any(|other| other.name == set.name && simple(other) != simple(set))
        };
        if changes.is_empty() || sets.iter().any(is_mixed) { None } else { Some(sets) }
    }

    proptest! {
        #[test]
        fn a_sequence_of_batches_ends_where_a_naive_reading_ends(
            batches in prop::collection::vec(prop::collection::vec(any_change(), 1..4), 1..12)
        ) {
            let by_key = |mut sets: Vec<ResourceRecordSet>| {
                sets.sort_by_key(|set| (set.name.clone(), set.set_identifier.clone()));
                sets
            };
            let (mut zone, mut list) = (zone(&[]), Vec::new());
            for changes in &batches {
                let (applied, expected) = (apply(&zone, changes), naive(&list, changes));
                prop_assert_eq!(applied.is_ok(), expected.is_some(), "{:?}: {:?}", changes, applied);
                if let (Ok(after), Some(after_list)) = (applied, expected) {
                    prop_assert_eq!(by_key(after.record_sets[2..].iter().map(|set| (**set).clone()).collect()), by_key(after_list.clone()));
                    (zone, list) = (after, after_list);
                }
            }
        }
    }
}
