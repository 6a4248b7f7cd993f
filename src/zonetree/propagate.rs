//! Propagates health: turns the status of each check into the bits that policies read. This runs
//! once per change, never while answering.
//!
//! ```text
//!  status of checks   ─▶ state of each member ─────▶ recovery ─▶ usable bit      one per member
//!  targets of aliases ─▶ out, waiting, draining, in              share, reserve  during a drain
//!                                                                                or a recovery
//! ```
//!
//! Each group is computed after the groups its aliases point to. A group has a timer if one of its
//! members waits, drains or starts slowly; as time passes, only groups with a timer are computed
//! again. That is sufficient: time changes no other member, and an alias to a group with a timer is
//! in full use as long as one member of that group is.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Content, Group, GroupIndex, Member, Zone};
use crate::health::{CheckBits, Recovery, RecoveryEvent, RecoveryRules, RecoveryStage, Timestamp, WeightShare};
use crate::model::{Name, RecordType, WhenAllUnhealthy};
use crate::policy::{BitIndex, Candidates, GroupPolicy, MemberIndex, ReducedUse, ZoneBit};

/// Two bits per member for all zones of a world, and the state of members in reduced use, if any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    /// Health without delays and drains.
    healthy: Box<[u64]>,
    /// The bits that policies read.
    usable: Box<[u64]>,
    reduced: Option<Box<RecordsInReducedUse>>,
}

/// The state of members in reduced use: draining, waiting for their failback, or starting slowly.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RecordsInReducedUse {
    reduced_use: ReducedUse,
    /// Members that wait or drain.
    member_states: BTreeMap<BitIndex, MemberState>,
    /// When recovering members recovered.
    recoveries: BTreeMap<BitIndex, Timestamp>,
    /// The first bits of the groups with a timer.
    has_timer: BTreeSet<BitIndex>,
}

/// The state of a member in its group, from worst to best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum MemberState {
    /// Unhealthy.
    Out,
    /// Healthy, but not in use yet: its failback delay has not passed.
    Waiting,
    /// Draining because of an override, with the remaining share of its weight.
    Draining(WeightShare),
    /// In use.
    In,
}

/// Whether records that are healthy now may have just recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropagationReason {
    /// The bits are new: records that are healthy count as healthy all along.
    Begin,
    /// The status of checks changed, or time passed.
    Change,
}

/// A group with a failback delay, slow start or drain.
#[derive(Debug, PartialEq)]
pub(super) struct RecoveryGroup {
    /// The first bit of the group in the zone; only groups with health are listed.
    pub(super) first_bit: ZoneBit,
    pub(super) rules: RecoveryRules,
    pub(super) name: Name,
    pub(super) record_type: RecordType,
    /// By member.
    pub(super) set_identifiers: Box<[Option<Box<str>>]>,
}

/// Computes the bits of one zone.
pub(super) struct Propagation<'s> {
    zone: &'s Zone,
    checks: &'s CheckBits,
    bits: &'s mut Bits,
    /// The first bit of the zone.
    first: BitIndex,
    reason: PropagationReason,
    at: Timestamp,
    /// Members whose checks return without delay.
    at_once: BTreeSet<BitIndex>,
}

impl<'s> Propagation<'s> {
    pub(super) fn new(
        zone: &'s Zone,
        checks: &'s CheckBits,
        bits: &'s mut Bits,
        first: BitIndex,
        reason: PropagationReason,
        at: Timestamp,
    ) -> Propagation<'s> {
        Propagation { zone, checks, bits, first, reason, at, at_once: BTreeSet::new() }
    }

    /// Computes one group. The targets of its aliases are computed before it (Developer Guide, "How
    /// Amazon Route 53 chooses records when health checking is configured" and "How health checks
    /// work in complex configurations").
    pub(super) fn propagate(&mut self, number: u32) {
        let zone = self.zone;
        let group = &zone.groups[number as usize];
        let recovery_group = zone.recovery_group(group.first_bit);
        let first = self.first + group.first_bit;
        let all = first.span(count(group));
        let (mut best, mut any_in_use, mut has_timer) = (MemberState::Out, false, false);
        for (bit, member) in all.clone().zip(group.members.clone()) {
            let seen = self.observed_state(&zone.members[member as usize], bit);
            let (state, ramp) = match recovery_group {
                None => (seen, WeightShare::WHOLE),
                Some(recovery_group) => self.recover(bit, seen, recovery_group.rules),
            };
            let is_in_use = match state {
                MemberState::In => true,
                MemberState::Draining(_) => zone.is_weighted(group),
                MemberState::Waiting | MemberState::Out => false,
            };
            set(&mut self.bits.healthy, bit, seen != MemberState::Out);
            self.bits.note(bit, state, ramp, is_in_use);
            best = best.max(state);
            any_in_use |= is_in_use;
            let is_recovering = recovery_group.is_some() && self.bits.recovery(bit).is_some();
            has_timer |= is_recovering || !matches!(state, MemberState::In | MemberState::Out);
        }
        self.bits.set_timer(first, has_timer);
        let keeps = group.when_all_unhealthy == WhenAllUnhealthy::LastHealthy && best == MemberState::Out;
        if !keeps {
            all.for_each(|bit| self.bits.make_usable(bit, any_in_use));
        }
    }

    /// A member is healthy if both its own check and an evaluated target are healthy; a missing
    /// check is healthy.
    fn observed_state(&mut self, member: &Member, bit: BitIndex) -> MemberState {
        let own = member.check.map_or(MemberState::In, |slot| {
            if self.checks.is_healthy(slot) {
                return MemberState::In;
            }
            self.checks.share_left(slot).map_or(MemberState::Out, MemberState::Draining)
        });
        let target = match member.content {
            Content::Alias { evaluate_target_health: true, target } => {
                target.map_or(MemberState::Out, |target| self.best_of(target, bit))
            }
            Content::Alias { target: None, .. } => MemberState::Out,
            Content::Alias { .. } | Content::Leaf { .. } | Content::Cname { .. } | Content::NoData => MemberState::In,
        };
        if member.check.is_some_and(|slot| self.checks.is_at_once(slot)) {
            self.at_once.insert(bit);
        }
        own.min(target)
    }

    /// The best state of the members of an alias's target. The alias is in use at once if one of
    /// them is.
    fn best_of(&mut self, target: GroupIndex, alias: BitIndex) -> MemberState {
        let Some(number) = target.listed() else { return MemberState::In };
        let group = &self.zone.groups[number];
        if group.first_bit == Candidates::ALWAYS_USABLE {
            return MemberState::In;
        }
        let bits = (self.first + group.first_bit).span(count(group));
        if self.checks.any_at_once() && bits.clone().any(|bit| self.at_once.contains(&bit)) {
            self.at_once.insert(alias);
        }
        bits.map(|bit| self.bits.state(bit)).max().unwrap_or(MemberState::Out)
    }

    /// The state of a member that may have recovered, under the rules of its group.
    fn recover(&mut self, bit: BitIndex, seen: MemberState, rules: RecoveryRules) -> (MemberState, WeightShare) {
        let event = self.event_of(bit, seen);
        let recovery = Recovery { since: self.bits.recovery(bit) }.step(event, rules, self.at);
        self.bits.set_recovery(bit, recovery.since);
        match recovery.since.map(|since| rules.stage(since, self.at)) {
            Some(RecoveryStage::Waiting { .. }) => (seen.min(MemberState::Waiting), WeightShare::WHOLE),
            Some(RecoveryStage::Ramping { share, .. }) => (seen, share),
            Some(RecoveryStage::Back) | None => (seen, WeightShare::WHOLE),
        }
    }

    fn event_of(&self, bit: BitIndex, seen: MemberState) -> RecoveryEvent {
        let was_out = self.reason == PropagationReason::Change && !is_set(&self.bits.healthy, bit);
        match seen {
            MemberState::Out => RecoveryEvent::Out,
            _ if self.at_once.contains(&bit) => RecoveryEvent::AtOnce,
            _ if was_out => RecoveryEvent::Recovered,
            MemberState::In if let MemberState::Draining(share) = self.bits.state(bit) => {
                RecoveryEvent::Undrained(share)
            }
            _ => RecoveryEvent::Healthy,
        }
    }
}

impl Zone {
    /// Turns the status of the checks into `bit_count` bits, starting at bit `first`. Each group is
    /// computed after the groups its aliases point to.
    pub fn propagate(
        &self,
        checks: &CheckBits,
        bits: &mut Bits,
        first: BitIndex,
        reason: PropagationReason,
        at: Timestamp,
    ) {
        let mut propagation = Propagation::new(self, checks, bits, first, reason, at);
        self.propagation_order.iter().for_each(|&group| propagation.propagate(group));
    }

    /// The same for only the groups that begin at these bits, in ascending order.
    pub fn propagate_some(
        &self,
        groups: &[ZoneBit],
        checks: &CheckBits,
        bits: &mut Bits,
        first: BitIndex,
        at: Timestamp,
    ) {
        let mut propagation = Propagation::new(self, checks, bits, first, PropagationReason::Change, at);
        for first_bit in groups {
            // Bits are numbered in the order of propagation.
            let place =
                self.propagation_order.binary_search_by_key(first_bit, |group| self.groups[*group as usize].first_bit);
            if let Ok(place) = place {
                propagation.propagate(self.propagation_order[place]);
            }
        }
    }

    fn recovery_group(&self, first_bit: ZoneBit) -> Option<&RecoveryGroup> {
        let place =
            self.recovery_groups.binary_search_by_key(&first_bit, |recovery_group| recovery_group.first_bit).ok()?;
        Some(&self.recovery_groups[place])
    }

    /// The group and the set identifier of the member with this bit, if its group has recovery
    /// rules.
    pub fn record_of_bit(&self, bit: ZoneBit) -> Option<(&Name, RecordType, Option<&str>, RecoveryRules)> {
        let place =
            self.recovery_groups.partition_point(|recovery_group| recovery_group.first_bit <= bit).checked_sub(1)?;
        let recovery_group = &self.recovery_groups[place];
        let identifier = recovery_group.set_identifiers.get((bit.0 - recovery_group.first_bit.0) as usize)?;
        Some((&recovery_group.name, recovery_group.record_type, identifier.as_deref(), recovery_group.rules))
    }

    /// The bits of all such members.
    pub fn bits_of_records(&self) -> HashMap<(&Name, RecordType, Option<&str>), ZoneBit> {
        let mut bits = HashMap::new();
        for recovery_group in &self.recovery_groups {
            let members = MemberIndex::number(&recovery_group.set_identifiers);
            bits.extend(members.map(|(member, identifier)| {
                let key = (&recovery_group.name, recovery_group.record_type, identifier.as_deref());
                (key, recovery_group.first_bit + member)
            }));
        }
        bits
    }

    fn is_weighted(&self, group: &Group) -> bool {
        self.policies.get(group.policy as usize).is_some_and(|policy| matches!(policy, GroupPolicy::Weighted(_)))
    }
}

impl Bits {
    /// `count` bits, all unset.
    pub fn new(count: u32) -> Bits {
        let words = vec![0; count.div_ceil(64) as usize].into_boxed_slice();
        Bits { healthy: words.clone(), usable: words, reduced: None }
    }

    /// The bits that policies read.
    pub fn usable(&self) -> &[u64] {
        &self.usable
    }

    /// The weight shares and the reserve of members in reduced use, if any.
    pub fn reduced_use(&self) -> Option<&ReducedUse> {
        self.reduced.as_ref().map(|reduced| &reduced.reduced_use)
    }

    /// Copies `count` usable bits from other bits, where they begin at `other_first`.
    pub fn copy_usable(&mut self, first: BitIndex, other: &Bits, other_first: BitIndex, count: u32) {
        for bit in (0..count).map(ZoneBit) {
            set(&mut self.usable, first + bit, is_set(&other.usable, other_first + bit));
        }
    }

    /// Recovering members, and when they recovered.
    pub fn recoveries(&self) -> impl Iterator<Item = (BitIndex, Timestamp)> {
        self.reduced.iter().flat_map(|reduced| reduced.recoveries.iter().map(|(&bit, &since)| (bit, since)))
    }

    /// Whether the same members are recovering since the same times.
    pub fn has_same_recoveries_as(&self, other: &Bits) -> bool {
        self.recoveries().eq(other.recoveries())
    }

    /// Sets when a member recovered; `None` if it is not recovering.
    pub fn set_recovery(&mut self, bit: BitIndex, since: Option<Timestamp>) {
        match since {
            Some(since) => drop(self.reduced_mut().recoveries.insert(bit, since)),
            None => {
                if let Some(reduced) = &mut self.reduced {
                    reduced.recoveries.remove(&bit);
                }
            }
        }
    }

    /// The first bits of the groups with a timer, in ascending order.
    pub fn has_timer(&self) -> impl Iterator<Item = BitIndex> {
        self.reduced.iter().flat_map(|reduced| reduced.has_timer.iter().copied())
    }

    /// Drops the state of reduced use if no group has a timer.
    pub fn drop_reduced_use_if_idle(&mut self) {
        self.reduced.take_if(|reduced| reduced.has_timer.is_empty());
    }

    fn recovery(&self, bit: BitIndex) -> Option<Timestamp> {
        self.reduced.as_ref()?.recoveries.get(&bit).copied()
    }

    fn state(&self, bit: BitIndex) -> MemberState {
        let reduced = self.reduced.as_ref().and_then(|reduced| reduced.member_states.get(&bit).copied());
        reduced.unwrap_or(if is_set(&self.healthy, bit) { MemberState::In } else { MemberState::Out })
    }

    /// Members in use are usable. If no member is in use, those that wait or drain are answered
    /// before the unhealthy ones.
    fn make_usable(&mut self, bit: BitIndex, any_in_use: bool) {
        let reserve = self.reduced.as_ref().map(|reduced| is_set(&reduced.reduced_use.reserve, bit));
        let usable = match reserve {
            None | Some(false) => is_set(&self.healthy, bit),
            Some(true) => !any_in_use,
        };
        set(&mut self.usable, bit, usable);
    }

    /// Stores a member's state and the share of its weight.
    fn note(&mut self, bit: BitIndex, state: MemberState, ramp: WeightShare, is_in_use: bool) {
        let is_plain = matches!(state, MemberState::In | MemberState::Out) && ramp == WeightShare::WHOLE;
        if self.reduced.is_none() && is_plain {
            return;
        }
        let reduced = self.reduced_mut();
        match state {
            MemberState::In | MemberState::Out => reduced.member_states.remove(&bit),
            MemberState::Waiting | MemberState::Draining(_) => reduced.member_states.insert(bit, state),
        };
        reduced.reduced_use.weight_shares[bit.0 as usize] = match state {
            MemberState::Draining(left) if is_in_use => left.times(ramp),
            MemberState::In => ramp,
            _ => WeightShare::WHOLE,
        };
        let is_in_reserve = !is_in_use && state != MemberState::Out;
        set(&mut reduced.reduced_use.reserve, bit, is_in_reserve);
    }

    fn set_timer(&mut self, group: BitIndex, has_timer: bool) {
        if has_timer {
            self.reduced_mut().has_timer.insert(group);
        } else if let Some(reduced) = &mut self.reduced {
            reduced.has_timer.remove(&group);
        }
    }

    fn reduced_mut(&mut self) -> &mut RecordsInReducedUse {
        let words = &self.usable;
        self.reduced.get_or_insert_with(|| {
            let reduced_use = ReducedUse {
                weight_shares: vec![WeightShare::WHOLE; words.len() * 64].into(),
                reserve: vec![0; words.len()].into(),
            };
            let (member_states, recoveries, has_timer) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
            Box::new(RecordsInReducedUse { reduced_use, member_states, recoveries, has_timer })
        })
    }
}

fn count(group: &Group) -> u32 {
    group.members.end - group.members.start
}

fn is_set(words: &[u64], BitIndex(bit): BitIndex) -> bool {
    words[bit as usize / 64] >> (bit % 64) & 1 == 1
}

fn set(words: &mut [u64], BitIndex(bit): BitIndex, value: bool) {
    let word = &mut words[bit as usize / 64];
    *word = *word & !(1 << (bit % 64)) | u64::from(value) << (bit % 64);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::fixture::{lab, member, name, primary, record_group, secondary, set, slot_of};
    use super::super::{Found, QueryName};
    use super::*;
    use crate::health::CheckSlot;
    use crate::model::{RecordGroup, ResourceRecordSet, RoutingPolicy};
    use crate::policy::{CidrTables, UsableBits};

    /// The bits before these belong to another zone.
    const FIRST: BitIndex = BitIndex(3);

    struct LabZone {
        zone: Zone,
        bits: Bits,
        now: u64,
        down: BTreeSet<u32>,
        draining: BTreeMap<u32, WeightShare>,
        at_once: BTreeSet<u32>,
    }

    fn lab_zone(sets: impl IntoIterator<Item = ResourceRecordSet>, groups: Vec<RecordGroup>) -> LabZone {
        let mut hosted = lab(sets);
        hosted.record_groups = groups;
        let zone = Zone::compile(&hosted, &slot_of, &CidrTables::default());
        let bits = Bits::new(FIRST.0 + zone.bit_count());
        let (down, draining, at_once) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
        let mut lab_zone = LabZone { zone, bits, now: 1_000_000, down, draining, at_once };
        lab_zone.propagate(PropagationReason::Begin);
        lab_zone
    }

    impl LabZone {
        fn checks(&self) -> CheckBits {
            let unhealthy = self.down.iter().chain(self.draining.keys()).copied().map(CheckSlot);
            // A check that is down cannot drain.
            let draining = self.draining.iter().filter(|(slot, _)| !self.down.contains(slot));
            CheckBits::with_unhealthy(unhealthy)
                .with_draining(draining.map(|(&slot, &share)| (CheckSlot(slot), share)))
                .with_at_once(self.at_once.iter().copied().map(CheckSlot))
        }

        fn propagate(&mut self, reason: PropagationReason) {
            let (checks, at) = (self.checks(), Timestamp(Duration::from_secs(self.now)));
            self.zone.propagate(&checks, &mut self.bits, FIRST, reason, at);
            self.bits.drop_reduced_use_if_idle();
        }

        fn set_down(&mut self, slot: u32, is_down: bool) {
            let _ = if is_down { self.down.insert(slot) } else { self.down.remove(&slot) };
            self.propagate(PropagationReason::Change);
        }

        /// Seconds pass: only groups with a timer are computed.
        fn pass(&mut self, seconds: u64) {
            self.now += seconds;
            let (checks, at) = (self.checks(), Timestamp(Duration::from_secs(self.now)));
            let groups: Vec<ZoneBit> = self.bits.has_timer().map(|bit| bit.within(FIRST)).collect();
            self.zone.propagate_some(&groups, &checks, &mut self.bits, FIRST, at);
            self.bits.drop_reduced_use_if_idle();
        }

        /// Each member of a group: `-` unusable, `r` unusable and in reserve, otherwise the share
        /// of its weight.
        fn looks(&self, owner: &str) -> Vec<String> {
            let mut question = QueryName::default();
            question.set(&name(owner));
            let Found::Name(node) = self.zone.find(&question) else { panic!("{owner} is there") };
            let group = self.zone.group(node, RecordType::A).unwrap().listed().unwrap();
            let group = &self.zone.groups[group];
            let usable = UsableBits::new(self.bits.usable(), FIRST).with_reduced_use(self.bits.reduced_use());
            let candidates = Candidates::new(usable, group.first_bit, u16::try_from(group.members.len()).unwrap());
            let look = |member| match (candidates.is_usable(member), candidates.is_in_reserve(member)) {
                (true, _) => candidates.weight_shares().map_or(255, |shares| shares.of(member).parts()).to_string(),
                (false, true) => "r".to_owned(),
                (false, false) => "-".to_owned(),
            };
            candidates.all().map(look).collect()
        }
    }

    fn weight(weight: u8) -> RoutingPolicy {
        RoutingPolicy::Weighted { weight }
    }

    fn pair(owner: &str, policies: [RoutingPolicy; 2], checks: [u32; 2]) -> Vec<ResourceRecordSet> {
        let sets = ["a", "b"].into_iter().zip(policies).zip(checks);
        sets.map(|((id, policy), check)| member(id, policy, Some(check), &format!("{owner} 60 A 192.0.2.{check}")))
            .collect()
    }

    #[test]
    fn a_weighted_record_waits_then_grows_then_has_its_weight() {
        let sets = pair("app", [weight(10), weight(10)], [1, 2]);
        let mut lab_zone = lab_zone(sets, vec![record_group("app", 60, 100)]);
        assert_eq!(lab_zone.looks("app"), ["255", "255"]);
        lab_zone.set_down(1, true);
        assert_eq!(lab_zone.looks("app"), ["-", "255"]);
        lab_zone.pass(1000);
        lab_zone.set_down(1, false);
        assert_eq!(lab_zone.looks("app"), ["r", "255"]);
        lab_zone.pass(59);
        assert_eq!(lab_zone.looks("app"), ["r", "255"]);
        lab_zone.pass(1);
        assert_eq!(lab_zone.looks("app"), ["1", "255"]);
        lab_zone.pass(20);
        assert_eq!(lab_zone.looks("app"), ["51", "255"]);
        lab_zone.pass(80);
        assert_eq!(lab_zone.looks("app"), ["255", "255"]);
        assert_eq!(lab_zone.bits.reduced, None, "no record is in reduced use");
    }

    #[test]
    fn a_waiting_record_answers_if_no_other_can() {
        let sets = pair("app", [primary(), secondary()], [1, 2]);
        let mut lab_zone = lab_zone(sets, vec![record_group("app", 300, 0)]);
        lab_zone.set_down(1, true);
        lab_zone.set_down(1, false);
        assert_eq!(lab_zone.looks("app"), ["r", "255"]);
        lab_zone.set_down(2, true);
        assert_eq!(lab_zone.looks("app"), ["255", "-"], "it waits, and answers");
        lab_zone.pass(10);
        lab_zone.set_down(2, false);
        assert_eq!(lab_zone.looks("app"), ["255", "255"], "both wait");
        lab_zone.set_down(1, true);
        assert_eq!(lab_zone.looks("app"), ["-", "255"]);
        lab_zone.pass(300);
        assert_eq!(lab_zone.looks("app"), ["-", "255"]);
        lab_zone.set_down(1, false);
        lab_zone.pass(299);
        assert_eq!(lab_zone.looks("app"), ["r", "255"]);
        lab_zone.pass(1);
        assert_eq!(lab_zone.looks("app"), ["255", "255"]);
    }

    #[test]
    fn who_flaps_waits_anew_each_time() {
        let sets = pair("app", [primary(), secondary()], [1, 2]);
        let mut lab_zone = lab_zone(sets, vec![record_group("app", 60, 0)]);
        for _ in 0..10 {
            lab_zone.set_down(1, true);
            lab_zone.set_down(1, false);
            lab_zone.pass(59);
            assert_eq!(lab_zone.looks("app"), ["r", "255"]);
        }
        lab_zone.pass(1);
        assert_eq!(lab_zone.looks("app"), ["255", "255"]);
    }

    #[test]
    fn records_do_not_wait_at_the_start_or_after_an_override() {
        let sets = || pair("app", [primary(), secondary()], [1, 2]);
        let mut lab_zone = lab_zone(sets(), vec![record_group("app", 60, 0)]);
        lab_zone.set_down(1, true);
        lab_zone.propagate(PropagationReason::Begin);
        assert_eq!(lab_zone.looks("app"), ["-", "255"]);
        lab_zone.at_once.insert(1);
        lab_zone.set_down(1, false);
        assert_eq!(lab_zone.looks("app"), ["255", "255"]);
        // The override is set while the member waits.
        lab_zone.at_once.clear();
        lab_zone.set_down(1, true);
        lab_zone.set_down(1, false);
        assert_eq!(lab_zone.looks("app"), ["r", "255"]);
        lab_zone.at_once.insert(1);
        lab_zone.propagate(PropagationReason::Change);
        assert_eq!(lab_zone.looks("app"), ["255", "255"]);
    }

    #[test]
    fn a_drained_record_fades_where_there_are_weights_and_is_out_at_once_elsewhere() {
        let weighted = pair("app", [weight(10), weight(10)], [1, 2]);
        let failover = pair("www", [primary(), secondary()], [1, 3]);
        let mut lab_zone = lab_zone(weighted.into_iter().chain(failover), Vec::new());
        lab_zone.draining.insert(1, WeightShare::of(Duration::from_secs(1), Duration::from_secs(2)));
        lab_zone.propagate(PropagationReason::Change);
        assert_eq!(lab_zone.looks("app"), ["128", "255"]);
        assert_eq!(lab_zone.looks("www"), ["r", "255"]);
        lab_zone.draining.insert(1, WeightShare::LEAST);
        lab_zone.pass(1);
        assert_eq!(lab_zone.looks("app"), ["1", "255"]);
        // The pair has no other usable member: it answers while it drains.
        lab_zone.set_down(3, true);
        assert_eq!(lab_zone.looks("www"), ["255", "-"]);
        // It fails while it drains.
        lab_zone.set_down(1, true);
        assert_eq!(
            (lab_zone.looks("app"), lab_zone.looks("www")),
            (vec!["-".into(), "255".into()], vec!["-".into(); 2])
        );
        // At the end it is as if it had failed.
        lab_zone.draining.clear();
        lab_zone.propagate(PropagationReason::Change);
        assert_eq!(lab_zone.looks("app"), ["-", "255"]);
        assert_eq!(lab_zone.bits.reduced, None);
    }

    #[test]
    fn a_branch_that_drains_fades_as_a_whole() {
        let branches = [("eu", [1, 2]), ("us", [3, 4])];
        let leaves = branches.iter().flat_map(|(owner, checks)| pair(owner, [weight(1), weight(1)], *checks));
        let top = ["eu", "us"].map(|owner| member(owner, weight(1), None, &format!("top ALIAS A {owner}")));
        let spare = [("x", primary(), "eu"), ("y", secondary(), "us")]
            .map(|(id, role, owner)| member(id, role, None, &format!("spare ALIAS A {owner}")));
        let mut lab_zone = lab_zone(leaves.chain(top).chain(spare), Vec::new());
        let half = WeightShare::of(Duration::from_secs(1), Duration::from_secs(2));
        lab_zone.draining.insert(1, half);
        lab_zone.propagate(PropagationReason::Change);
        assert_eq!(
            (lab_zone.looks("eu"), lab_zone.looks("top")),
            (vec!["128".into(), "255".into()], vec!["255".into(); 2])
        );
        lab_zone.draining.insert(2, WeightShare::LEAST);
        lab_zone.propagate(PropagationReason::Change);
        assert_eq!(lab_zone.looks("eu"), ["128", "1"]);
        assert_eq!(lab_zone.looks("top"), ["128", "255"], "as much as its best member");
        assert_eq!(lab_zone.looks("spare"), ["r", "255"]);
        lab_zone.draining.insert(1, WeightShare::LEAST);
        lab_zone.pass(1);
        assert_eq!(lab_zone.looks("top"), ["1", "255"]);
        lab_zone.draining.clear();
        lab_zone.down.extend([1, 2]);
        lab_zone.propagate(PropagationReason::Change);
        assert_eq!(lab_zone.looks("top"), ["-", "255"]);
    }

    #[test]
    fn a_branch_waits_while_its_records_do() {
        let leaves = pair("eu", [primary(), secondary()], [1, 2]);
        let top =
            [member("x", primary(), None, "top ALIAS A eu"), member("y", secondary(), Some(3), "top 60 A 192.0.2.9")];
        let mut lab_zone = lab_zone(leaves.into_iter().chain(top), vec![record_group("eu", 60, 0)]);
        lab_zone.down.insert(1);
        lab_zone.set_down(2, true);
        lab_zone.set_down(1, false);
        assert_eq!(
            (lab_zone.looks("eu"), lab_zone.looks("top")),
            (vec!["255".into(), "-".into()], vec!["r".into(), "255".into()])
        );
        lab_zone.set_down(3, true);
        assert_eq!(lab_zone.looks("top"), ["255", "-"], "it waits, and answers before all do");
        lab_zone.set_down(3, false);
        lab_zone.pass(60);
        assert_eq!(lab_zone.looks("top"), ["255", "255"]);
    }

    #[test]
    fn a_drain_that_is_taken_back_goes_on_from_where_it_was() {
        let sets = pair("app", [weight(10), weight(10)], [1, 2]);
        let mut lab_zone = lab_zone(sets, vec![record_group("app", 60, 100)]);
        lab_zone.draining.insert(1, WeightShare::of(Duration::from_secs(1), Duration::from_secs(5)));
        lab_zone.propagate(PropagationReason::Change);
        assert_eq!(lab_zone.looks("app"), ["51", "255"]);
        lab_zone.draining.clear();
        lab_zone.propagate(PropagationReason::Change);
        let share: u8 = lab_zone.looks("app")[0].parse().unwrap();
        assert!((51..=52).contains(&share), "it was never out, so it waits for nothing: {share}");
        lab_zone.pass(80);
        assert_eq!(lab_zone.looks("app"), ["255", "255"]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Down(u32),
        Up(u32),
        Drain(u32, WeightShare),
        Hold(u32),
        Pass(u64),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1u32..7).prop_map(Step::Down),
            (1u32..7).prop_map(Step::Up),
            (1u32..7, 1u8..=255).prop_map(|(slot, parts)| Step::Drain(slot, WeightShare::from_parts(parts).unwrap())),
            (1u32..7).prop_map(Step::Hold),
            (0u64..90).prop_map(Step::Pass),
        ]
    }

    fn tree() -> LabZone {
        let leaves = [("eu", [weight(1), weight(0)], [1, 2]), ("us", [primary(), secondary()], [3, 4])];
        let leaves = leaves.into_iter().flat_map(|(owner, policies, checks)| pair(owner, policies, checks));
        let middle = ["eu", "us"].map(|owner| member(owner, weight(5), None, &format!("middle ALIAS A {owner}")));
        let top = [
            member("x", primary(), Some(5), "top ALIAS A middle"),
            member("y", secondary(), Some(6), "top 60 A 192.0.2.9"),
            set("plain ALIAS A us"),
        ];
        let groups = vec![record_group("eu", 20, 40), record_group("middle", 0, 60), record_group("top", 30, 0)];
        lab_zone(leaves.chain(middle).chain(top), groups)
    }

    proptest! {
        /// As time passes, computing only the groups with a timer gives the same result as
        /// computing all groups. A member that is not unhealthy answers whenever there is one.
        #[test]
        fn groups_without_a_timer_need_no_propagation(steps in prop::collection::vec(any_step(), 1..40)) {
            let mut lab_zone = tree();
            for step in steps {
                match step {
                    Step::Down(slot) => lab_zone.set_down(slot, true),
                    Step::Up(slot) => {
                        lab_zone.draining.remove(&slot);
                        lab_zone.at_once.remove(&slot);
                        lab_zone.set_down(slot, false);
                    }
                    Step::Drain(slot, share) => {
                        lab_zone.draining.insert(slot, share);
                        lab_zone.propagate(PropagationReason::Change);
                    }
                    Step::Hold(slot) => {
                        lab_zone.draining.remove(&slot);
                        lab_zone.at_once.insert(slot);
                        lab_zone.set_down(slot, false);
                    }
                    Step::Pass(seconds) => {
                        let mut all = LabZone { zone: tree().zone, bits: lab_zone.bits.clone(), now: lab_zone.now + seconds, ..tree() };
                        (all.down, all.draining, all.at_once) = (lab_zone.down.clone(), lab_zone.draining.clone(), lab_zone.at_once.clone());
                        all.propagate(PropagationReason::Change);
                        lab_zone.pass(seconds);
                        prop_assert_eq!(&lab_zone.bits, &all.bits);
                    }
                }
                for owner in ["eu", "us", "middle", "top"] {
                    let looks = lab_zone.looks(owner);
                    prop_assert!(!looks.contains(&"r".to_owned()) || looks.iter().any(|look| look.parse::<u8>().is_ok()), "{}: {:?}", owner, looks);
                }
                prop_assert_eq!(lab_zone.bits.reduced.is_some(), lab_zone.bits.has_timer().next().is_some());
            }
        }
    }
}
