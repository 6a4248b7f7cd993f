//! From the verdicts of checks to the bits that policies read: settled once per change, never while answering.
//!
//! ```text
//!  verdicts of checks ─▶ standing of each member ─▶ its way back ─▶ usable bit      one a member
//!  targets of aliases ─▶ out, waiting, draining, in  (Recovery)    share, reserve   only while anything is on its way
//! ```
//!
//! Each group is settled after the groups its aliases point to, so that nothing climbs. A member that is neither in nor
//! out, or that starts slowly, makes its group restless: as time passes only restless groups are settled again. That is
//! enough: time changes the standing of nobody else, and an alias to a restless group that has a member in full use is
//! in full use whatever the others do.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Content, Group, GroupIndex, Member, Zone};
use crate::health::{CheckBits, Recovery, RecoveryEvent, RecoveryRules, RecoveryStage, Share, Timestamp};
use crate::model::{Name, RecordType, WhenAllUnhealthy};
use crate::policy::{Candidates, Overlay, Plan};

/// Two bits a member, settled for all zones of a world, and what stands beside them while anything is on its way in or out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    /// What health says, delays and drains aside.
    healthy: Box<[u64]>,
    /// What policies read.
    usable: Box<[u64]>,
    transit: Option<Box<Transitions>>,
}

/// Members on their way in or out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Transitions {
    overlay: Overlay,
    /// Members that are neither in nor out.
    standings: BTreeMap<u32, MemberState>,
    /// When members on their way back recovered.
    recoveries: BTreeMap<u32, Timestamp>,
    /// The first bits of groups that time changes.
    has_timer: BTreeSet<u32>,
}

/// What a member can do for its group; better is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum MemberState {
    /// Unhealthy.
    Out,
    /// Healthy, and not in use again yet.
    Waiting,
    /// On its way out by people's word, with what is left of its weight.
    Draining(Share),
    /// In use.
    In,
}

/// Whether records that are healthy now may have recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropagationReason {
    /// The bits are new: whoever is healthy has been so all along.
    Begin,
    /// The verdicts of checks changed, or time passed.
    Change,
}

/// A group whose records do not come back at once.
#[derive(Debug, PartialEq)]
pub(super) struct RuledGroup {
    /// Where its bits begin in the zone; groups without health are not here.
    pub(super) first_bit: u32,
    pub(super) rules: RecoveryRules,
    pub(super) name: Name,
    pub(super) record_type: RecordType,
    /// By member.
    pub(super) set_identifiers: Box<[Option<Box<str>>]>,
}

/// One zone's bits in the making.
pub(super) struct Settling<'s> {
    zone: &'s Zone,
    checks: &'s CheckBits,
    bits: &'s mut Bits,
    /// Where the zone's bits begin.
    first: u32,
    occasion: PropagationReason,
    at: Timestamp,
    /// Members that are in use at once.
    at_once: BTreeSet<u32>,
}

impl<'s> Settling<'s> {
    pub(super) fn new(
        zone: &'s Zone,
        checks: &'s CheckBits,
        bits: &'s mut Bits,
        first: u32,
        occasion: PropagationReason,
        at: Timestamp,
    ) -> Settling<'s> {
        Settling { zone, checks, bits, first, occasion, at, at_once: BTreeSet::new() }
    }

    /// Settles one group, whose aliases' targets are settled (Developer Guide, "How Amazon Route 53 chooses records when
    /// health checking is configured" and "How health checks work in complex configurations").
    pub(super) fn settle(&mut self, number: u32) {
        let zone = self.zone;
        let group = &zone.groups[number as usize];
        let ruled = zone.ruled_group(group.first_bit);
        let all = self.first + group.first_bit..self.first + group.first_bit + count(group);
        let (mut best, mut any_in_use, mut is_restless) = (MemberState::Out, false, false);
        for (bit, member) in all.clone().zip(group.members.clone()) {
            let seen = self.standing_seen(&zone.members[member as usize], bit);
            let (standing, ramp) = match ruled {
                None => (seen, Share::WHOLE),
                Some(ruled) => self.come_back(bit, seen, ruled.rules),
            };
            let is_in_use = match standing {
                MemberState::In => true,
                MemberState::Draining(_) => zone.is_weighted(group),
                MemberState::Waiting | MemberState::Out => false,
            };
            set(&mut self.bits.healthy, bit, seen != MemberState::Out);
            self.bits.note(bit, standing, ramp, is_in_use);
            best = best.max(standing);
            any_in_use |= is_in_use;
            let is_on_its_way = ruled.is_some() && self.bits.recovery(bit).is_some();
            is_restless |= is_on_its_way || !matches!(standing, MemberState::In | MemberState::Out);
        }
        self.bits.note_restless(all.start, is_restless);
        let keeps = group.when_all_unhealthy == WhenAllUnhealthy::LastHealthy && best == MemberState::Out;
        if !keeps {
            all.for_each(|bit| self.bits.make_usable(bit, any_in_use));
        }
    }

    /// A check of its own and an evaluated target must both be healthy; no check is healthy.
    fn standing_seen(&mut self, member: &Member, bit: u32) -> MemberState {
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
            Content::Alias { .. } | Content::Leaf { .. } | Content::Cname { .. } => MemberState::In,
        };
        if member.check.is_some_and(|slot| self.checks.is_at_once(slot)) {
            self.at_once.insert(bit);
        }
        own.min(target)
    }

    /// What the best member of an alias's target can do. Whoever asks is in use at once when one of them is.
    fn best_of(&mut self, target: GroupIndex, asking: u32) -> MemberState {
        let Some(number) = target.listed() else { return MemberState::In };
        let group = &self.zone.groups[number];
        if group.first_bit == Candidates::ALWAYS_USABLE {
            return MemberState::In;
        }
        let first = self.first + group.first_bit;
        let bits = first..first + count(group);
        if self.checks.any_at_once() && bits.clone().any(|bit| self.at_once.contains(&bit)) {
            self.at_once.insert(asking);
        }
        bits.map(|bit| self.bits.standing(bit)).max().unwrap_or(MemberState::Out)
    }

    /// What its group makes of a member that may have recovered.
    fn come_back(&mut self, bit: u32, seen: MemberState, rules: RecoveryRules) -> (MemberState, Share) {
        let news = self.news_of(bit, seen);
        let recovery = Recovery { since: self.bits.recovery(bit) }.step(news, rules, self.at);
        self.bits.set_comeback(bit, recovery.since);
        match recovery.since.map(|since| rules.stage(since, self.at)) {
            Some(RecoveryStage::Waiting { .. }) => (seen.min(MemberState::Waiting), Share::WHOLE),
            Some(RecoveryStage::Ramping { share, .. }) => (seen, share),
            Some(RecoveryStage::Back) | None => (seen, Share::WHOLE),
        }
    }

    fn news_of(&self, bit: u32, seen: MemberState) -> RecoveryEvent {
        let was_out = self.occasion == PropagationReason::Change && !is_set(&self.bits.healthy, bit);
        match seen {
            MemberState::Out => RecoveryEvent::Out,
            _ if self.at_once.contains(&bit) => RecoveryEvent::AtOnce,
            _ if was_out => RecoveryEvent::Recovered,
            MemberState::In if let MemberState::Draining(share) = self.bits.standing(bit) => {
                RecoveryEvent::Undrained(share)
            }
            _ => RecoveryEvent::Healthy,
        }
    }
}

impl Zone {
    /// Turns the checks' verdicts into bits, `bit_count` of them from `first` on: each group after the ones its aliases
    /// point to.
    pub fn settle(&self, checks: &CheckBits, bits: &mut Bits, first: u32, occasion: PropagationReason, at: Timestamp) {
        let mut settling = Settling::new(self, checks, bits, first, occasion, at);
        self.settle_order.iter().for_each(|&group| settling.settle(group));
    }

    /// The same for those of its groups that begin at these bits, counted from `first` on, in ascending order.
    pub fn settle_some(&self, groups: &[u32], checks: &CheckBits, bits: &mut Bits, first: u32, at: Timestamp) {
        let mut settling = Settling::new(self, checks, bits, first, PropagationReason::Change, at);
        for first_bit in groups {
            // Bits are dealt in the order of settling.
            let place =
                self.settle_order.binary_search_by_key(first_bit, |group| self.groups[*group as usize].first_bit);
            if let Ok(place) = place {
                settling.settle(self.settle_order[place]);
            }
        }
    }

    fn ruled_group(&self, first_bit: u32) -> Option<&RuledGroup> {
        let place = self.ruled_groups.binary_search_by_key(&first_bit, |ruled| ruled.first_bit).ok()?;
        Some(&self.ruled_groups[place])
    }

    /// The group and the set identifier of the member with this bit, if it does not come back at once.
    pub fn record_of_bit(&self, bit: u32) -> Option<(&Name, RecordType, Option<&str>, RecoveryRules)> {
        let place = self.ruled_groups.partition_point(|ruled| ruled.first_bit <= bit).checked_sub(1)?;
        let ruled = &self.ruled_groups[place];
        let identifier = ruled.set_identifiers.get((bit - ruled.first_bit) as usize)?;
        Some((&ruled.name, ruled.record_type, identifier.as_deref(), ruled.rules))
    }

    /// The bits of all such members.
    pub fn bits_of_records(&self) -> HashMap<(&Name, RecordType, Option<&str>), u32> {
        let mut bits = HashMap::new();
        for ruled in &self.ruled_groups {
            let members = (ruled.first_bit..).zip(&ruled.set_identifiers);
            bits.extend(
                members.map(|(bit, identifier)| ((&ruled.name, ruled.record_type, identifier.as_deref()), bit)),
            );
        }
        bits
    }

    fn is_weighted(&self, group: &Group) -> bool {
        self.plans.get(group.plan as usize).is_some_and(|plan| matches!(plan, Plan::Weighted(_)))
    }
}

impl Bits {
    /// `count` bits, all unset.
    pub fn new(count: u32) -> Bits {
        let words = vec![0; count.div_ceil(64) as usize].into_boxed_slice();
        Bits { healthy: words.clone(), usable: words, transit: None }
    }

    /// The bits that policies read.
    pub fn usable(&self) -> &[u64] {
        &self.usable
    }

    /// What stands beside them, while anything does.
    pub fn overlay(&self) -> Option<&Overlay> {
        self.transit.as_ref().map(|transit| &transit.overlay)
    }

    /// Takes over `count` usable bits from other bits, where they began at `other_first`.
    pub fn carry(&mut self, first: u32, other: &Bits, other_first: u32, count: u32) {
        for bit in 0..count {
            set(&mut self.usable, first + bit, is_set(&other.usable, other_first + bit));
        }
    }

    /// Members on their way back, and when they recovered.
    pub fn recoveries(&self) -> impl Iterator<Item = (u32, Timestamp)> {
        self.transit.iter().flat_map(|transit| transit.recoveries.iter().map(|(&bit, &since)| (bit, since)))
    }

    /// Whether the same members are on their way back since the same moments.
    pub fn has_comebacks_of(&self, other: &Bits) -> bool {
        self.recoveries().eq(other.recoveries())
    }

    /// Remembers when a member recovered, or that it is out or back.
    pub fn set_comeback(&mut self, bit: u32, since: Option<Timestamp>) {
        match since {
            Some(since) => drop(self.transit_mut().recoveries.insert(bit, since)),
            None => {
                if let Some(transit) = &mut self.transit {
                    transit.recoveries.remove(&bit);
                }
            }
        }
    }

    /// The first bits of the groups that time changes, in ascending order.
    pub fn has_timer(&self) -> impl Iterator<Item = u32> {
        self.transit.iter().flat_map(|transit| transit.has_timer.iter().copied())
    }

    /// Drops what stands beside the bits when nothing needs it any more.
    pub fn rest(&mut self) {
        self.transit.take_if(|transit| transit.has_timer.is_empty());
    }

    fn recovery(&self, bit: u32) -> Option<Timestamp> {
        self.transit.as_ref()?.recoveries.get(&bit).copied()
    }

    fn standing(&self, bit: u32) -> MemberState {
        let transit = self.transit.as_ref().and_then(|transit| transit.standings.get(&bit).copied());
        transit.unwrap_or(if is_set(&self.healthy, bit) { MemberState::In } else { MemberState::Out })
    }

    /// In use is what is usable. With nobody in use, whoever waits or drains answers rather than those that are out.
    fn make_usable(&mut self, bit: u32, any_in_use: bool) {
        let reserve = self.transit.as_ref().map(|transit| is_set(&transit.overlay.reserve, bit));
        let usable = match reserve {
            None | Some(false) => is_set(&self.healthy, bit),
            Some(true) => !any_in_use,
        };
        set(&mut self.usable, bit, usable);
    }

    /// Puts a member's standing down, and what it has of its weight.
    fn note(&mut self, bit: u32, standing: MemberState, ramp: Share, is_in_use: bool) {
        let is_plain = matches!(standing, MemberState::In | MemberState::Out) && ramp == Share::WHOLE;
        if self.transit.is_none() && is_plain {
            return;
        }
        let transit = self.transit_mut();
        match standing {
            MemberState::In | MemberState::Out => transit.standings.remove(&bit),
            MemberState::Waiting | MemberState::Draining(_) => transit.standings.insert(bit, standing),
        };
        transit.overlay.shares[bit as usize] = match standing {
            MemberState::Draining(left) if is_in_use => left.times(ramp),
            MemberState::In => ramp,
            _ => Share::WHOLE,
        };
        let is_in_reserve = !is_in_use && standing != MemberState::Out;
        set(&mut transit.overlay.reserve, bit, is_in_reserve);
    }

    fn note_restless(&mut self, group: u32, is_restless: bool) {
        if is_restless {
            self.transit_mut().has_timer.insert(group);
        } else if let Some(transit) = &mut self.transit {
            transit.has_timer.remove(&group);
        }
    }

    fn transit_mut(&mut self) -> &mut Transitions {
        let words = &self.usable;
        self.transit.get_or_insert_with(|| {
            let overlay =
                Overlay { shares: vec![Share::WHOLE; words.len() * 64].into(), reserve: vec![0; words.len()].into() };
            let (standings, recoveries, has_timer) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
            Box::new(Transitions { overlay, standings, recoveries, has_timer })
        })
    }
}

fn count(group: &Group) -> u32 {
    group.members.end - group.members.start
}

fn is_set(words: &[u64], bit: u32) -> bool {
    words[bit as usize / 64] >> (bit % 64) & 1 == 1
}

fn set(words: &mut [u64], bit: u32, value: bool) {
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

    /// Bits of another zone stand before ours.
    const FIRST: u32 = 3;

    struct House {
        zone: Zone,
        bits: Bits,
        now: u64,
        down: BTreeSet<u32>,
        draining: BTreeMap<u32, Share>,
        at_once: BTreeSet<u32>,
    }

    fn house(sets: impl IntoIterator<Item = ResourceRecordSet>, groups: Vec<RecordGroup>) -> House {
        let mut hosted = lab(sets);
        hosted.record_groups = groups;
        let zone = Zone::compile(&hosted, &slot_of, &CidrTables::default());
        let bits = Bits::new(FIRST + zone.bit_count());
        let (down, draining, at_once) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
        let mut house = House { zone, bits, now: 1_000_000, down, draining, at_once };
        house.settle(PropagationReason::Begin);
        house
    }

    impl House {
        fn checks(&self) -> CheckBits {
            let unhealthy = self.down.iter().chain(self.draining.keys()).copied().map(CheckSlot);
            // A check that is down has nothing left to drain.
            let draining = self.draining.iter().filter(|(slot, _)| !self.down.contains(slot));
            CheckBits::with_unhealthy(unhealthy)
                .with_draining(draining.map(|(&slot, &share)| (CheckSlot(slot), share)))
                .with_at_once(self.at_once.iter().copied().map(CheckSlot))
        }

        fn settle(&mut self, occasion: PropagationReason) {
            let (checks, at) = (self.checks(), Timestamp(Duration::from_secs(self.now)));
            self.zone.settle(&checks, &mut self.bits, FIRST, occasion, at);
            self.bits.rest();
        }

        fn turn(&mut self, slot: u32, is_down: bool) {
            let _ = if is_down { self.down.insert(slot) } else { self.down.remove(&slot) };
            self.settle(PropagationReason::Change);
        }

        /// Seconds pass: only restless groups are settled.
        fn pass(&mut self, seconds: u64) {
            self.now += seconds;
            let (checks, at) = (self.checks(), Timestamp(Duration::from_secs(self.now)));
            let groups: Vec<u32> = self.bits.has_timer().map(|bit| bit - FIRST).collect();
            self.zone.settle_some(&groups, &checks, &mut self.bits, FIRST, at);
            self.bits.rest();
        }

        /// Each member of a group: `-` unusable, `r` unusable and in reserve, else the parts that it has of its weight.
        fn looks(&self, owner: &str) -> Vec<String> {
            let mut question = QueryName::default();
            question.set(&name(owner));
            let Found::Name(node) = self.zone.find(&question) else { panic!("{owner} is there") };
            let group = self.zone.group(node, RecordType::A).unwrap().listed().unwrap();
            let group = &self.zone.groups[group];
            let usable = UsableBits::new(self.bits.usable(), FIRST).with_overlay(self.bits.overlay());
            let candidates = Candidates::new(usable, group.first_bit, u16::try_from(group.members.len()).unwrap());
            let look = |member| match (candidates.is_usable(member), candidates.is_in_reserve(member)) {
                (true, _) => candidates.shares().map_or(255, |shares| shares.of(member).parts()).to_string(),
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
        let mut house = house(sets, vec![record_group("app", 60, 100)]);
        assert_eq!(house.looks("app"), ["255", "255"]);
        house.turn(1, true);
        assert_eq!(house.looks("app"), ["-", "255"]);
        house.pass(1000);
        house.turn(1, false);
        assert_eq!(house.looks("app"), ["r", "255"]);
        house.pass(59);
        assert_eq!(house.looks("app"), ["r", "255"]);
        house.pass(1);
        assert_eq!(house.looks("app"), ["1", "255"]);
        house.pass(20);
        assert_eq!(house.looks("app"), ["51", "255"]);
        house.pass(80);
        assert_eq!(house.looks("app"), ["255", "255"]);
        assert_eq!(house.bits.transit, None, "nothing stands beside the bits any more");
    }

    #[test]
    fn a_record_that_waits_answers_when_nobody_else_can() {
        let sets = pair("app", [primary(), secondary()], [1, 2]);
        let mut house = house(sets, vec![record_group("app", 300, 0)]);
        house.turn(1, true);
        house.turn(1, false);
        assert_eq!(house.looks("app"), ["r", "255"]);
        house.turn(2, true);
        assert_eq!(house.looks("app"), ["255", "-"], "it waits, and answers");
        house.pass(10);
        house.turn(2, false);
        assert_eq!(house.looks("app"), ["255", "255"], "both wait");
        house.turn(1, true);
        assert_eq!(house.looks("app"), ["-", "255"]);
        house.pass(300);
        assert_eq!(house.looks("app"), ["-", "255"]);
        house.turn(1, false);
        house.pass(299);
        assert_eq!(house.looks("app"), ["r", "255"]);
        house.pass(1);
        assert_eq!(house.looks("app"), ["255", "255"]);
    }

    #[test]
    fn who_flaps_waits_anew_each_time() {
        let sets = pair("app", [primary(), secondary()], [1, 2]);
        let mut house = house(sets, vec![record_group("app", 60, 0)]);
        for _ in 0..10 {
            house.turn(1, true);
            house.turn(1, false);
            house.pass(59);
            assert_eq!(house.looks("app"), ["r", "255"]);
        }
        house.pass(1);
        assert_eq!(house.looks("app"), ["255", "255"]);
    }

    #[test]
    fn nobody_waits_at_the_beginning_nor_when_a_person_says_so() {
        let sets = || pair("app", [primary(), secondary()], [1, 2]);
        let mut house = house(sets(), vec![record_group("app", 60, 0)]);
        house.turn(1, true);
        house.settle(PropagationReason::Begin);
        assert_eq!(house.looks("app"), ["-", "255"]);
        house.at_once.insert(1);
        house.turn(1, false);
        assert_eq!(house.looks("app"), ["255", "255"]);
        // Said while it waits.
        house.at_once.clear();
        house.turn(1, true);
        house.turn(1, false);
        assert_eq!(house.looks("app"), ["r", "255"]);
        house.at_once.insert(1);
        house.settle(PropagationReason::Change);
        assert_eq!(house.looks("app"), ["255", "255"]);
    }

    #[test]
    fn a_drained_record_fades_where_there_are_weights_and_is_out_at_once_elsewhere() {
        let weighted = pair("app", [weight(10), weight(10)], [1, 2]);
        let failover = pair("www", [primary(), secondary()], [1, 3]);
        let mut house = house(weighted.into_iter().chain(failover), Vec::new());
        house.draining.insert(1, Share::of(Duration::from_secs(1), Duration::from_secs(2)));
        house.settle(PropagationReason::Change);
        assert_eq!(house.looks("app"), ["128", "255"]);
        assert_eq!(house.looks("www"), ["r", "255"]);
        house.draining.insert(1, Share::LEAST);
        house.pass(1);
        assert_eq!(house.looks("app"), ["1", "255"]);
        // Nobody else is left in the pair: while it drains it answers.
        house.turn(3, true);
        assert_eq!(house.looks("www"), ["255", "-"]);
        // It fails while it drains.
        house.turn(1, true);
        assert_eq!((house.looks("app"), house.looks("www")), (vec!["-".into(), "255".into()], vec!["-".into(); 2]));
        // At the end it is as if it had failed.
        house.draining.clear();
        house.settle(PropagationReason::Change);
        assert_eq!(house.looks("app"), ["-", "255"]);
        assert_eq!(house.bits.transit, None);
    }

    #[test]
    fn a_branch_that_drains_fades_as_a_whole() {
        let branches = [("eu", [1, 2]), ("us", [3, 4])];
        let leaves = branches.iter().flat_map(|(owner, checks)| pair(owner, [weight(1), weight(1)], *checks));
        let top = ["eu", "us"].map(|owner| member(owner, weight(1), None, &format!("top ALIAS A {owner}")));
        let spare = [("x", primary(), "eu"), ("y", secondary(), "us")]
            .map(|(id, role, owner)| member(id, role, None, &format!("spare ALIAS A {owner}")));
        let mut house = house(leaves.chain(top).chain(spare), Vec::new());
        let half = Share::of(Duration::from_secs(1), Duration::from_secs(2));
        house.draining.insert(1, half);
        house.settle(PropagationReason::Change);
        assert_eq!((house.looks("eu"), house.looks("top")), (vec!["128".into(), "255".into()], vec!["255".into(); 2]));
        house.draining.insert(2, Share::LEAST);
        house.settle(PropagationReason::Change);
        assert_eq!(house.looks("eu"), ["128", "1"]);
        assert_eq!(house.looks("top"), ["128", "255"], "as much as its best member");
        assert_eq!(house.looks("spare"), ["r", "255"]);
        house.draining.insert(1, Share::LEAST);
        house.pass(1);
        assert_eq!(house.looks("top"), ["1", "255"]);
        house.draining.clear();
        house.down.extend([1, 2]);
        house.settle(PropagationReason::Change);
        assert_eq!(house.looks("top"), ["-", "255"]);
    }

    #[test]
    fn a_branch_waits_while_its_records_do() {
        let leaves = pair("eu", [primary(), secondary()], [1, 2]);
        let top =
            [member("x", primary(), None, "top ALIAS A eu"), member("y", secondary(), Some(3), "top 60 A 192.0.2.9")];
        let mut house = house(leaves.into_iter().chain(top), vec![record_group("eu", 60, 0)]);
        house.down.insert(1);
        house.turn(2, true);
        house.turn(1, false);
        assert_eq!(
            (house.looks("eu"), house.looks("top")),
            (vec!["255".into(), "-".into()], vec!["r".into(), "255".into()])
        );
        house.turn(3, true);
        assert_eq!(house.looks("top"), ["255", "-"], "it waits, and answers before all do");
        house.turn(3, false);
        house.pass(60);
        assert_eq!(house.looks("top"), ["255", "255"]);
    }

    #[test]
    fn a_drain_that_is_taken_back_goes_on_from_where_it_was() {
        let sets = pair("app", [weight(10), weight(10)], [1, 2]);
        let mut house = house(sets, vec![record_group("app", 60, 100)]);
        house.draining.insert(1, Share::of(Duration::from_secs(1), Duration::from_secs(5)));
        house.settle(PropagationReason::Change);
        assert_eq!(house.looks("app"), ["51", "255"]);
        house.draining.clear();
        house.settle(PropagationReason::Change);
        let share: u8 = house.looks("app")[0].parse().unwrap();
        assert!((51..=52).contains(&share), "it was never out, so it waits for nothing: {share}");
        house.pass(80);
        assert_eq!(house.looks("app"), ["255", "255"]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Down(u32),
        Up(u32),
        Drain(u32, Share),
        Hold(u32),
        Pass(u64),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1u32..7).prop_map(Step::Down),
            (1u32..7).prop_map(Step::Up),
            (1u32..7, 1u8..=255).prop_map(|(slot, parts)| Step::Drain(slot, Share::from_parts(parts).unwrap())),
            (1u32..7).prop_map(Step::Hold),
            (0u64..90).prop_map(Step::Pass),
        ]
    }

    fn tree() -> House {
        let leaves = [("eu", [weight(1), weight(0)], [1, 2]), ("us", [primary(), secondary()], [3, 4])];
        let leaves = leaves.into_iter().flat_map(|(owner, policies, checks)| pair(owner, policies, checks));
        let middle = ["eu", "us"].map(|owner| member(owner, weight(5), None, &format!("middle ALIAS A {owner}")));
        let top = [
            member("x", primary(), Some(5), "top ALIAS A middle"),
            member("y", secondary(), Some(6), "top 60 A 192.0.2.9"),
            set("plain ALIAS A us"),
        ];
        let groups = vec![record_group("eu", 20, 40), record_group("middle", 0, 60), record_group("top", 30, 0)];
        house(leaves.chain(middle).chain(top), groups)
    }

    proptest! {
        /// As time passes, settling the restless groups alone comes to what settling everything comes to; and someone answers
        /// who is not out, whenever there is such a one.
        #[test]
        fn who_is_not_restless_need_not_be_looked_at(steps in prop::collection::vec(any_step(), 1..40)) {
            let mut house = tree();
            for step in steps {
                match step {
                    Step::Down(slot) => house.turn(slot, true),
                    Step::Up(slot) => {
                        house.draining.remove(&slot);
                        house.at_once.remove(&slot);
                        house.turn(slot, false);
                    }
                    Step::Drain(slot, share) => {
                        house.draining.insert(slot, share);
                        house.settle(PropagationReason::Change);
                    }
                    Step::Hold(slot) => {
                        house.draining.remove(&slot);
                        house.at_once.insert(slot);
                        house.turn(slot, false);
                    }
                    Step::Pass(seconds) => {
                        let mut all = House { zone: tree().zone, bits: house.bits.clone(), now: house.now + seconds, ..tree() };
                        (all.down, all.draining, all.at_once) = (house.down.clone(), house.draining.clone(), house.at_once.clone());
                        all.settle(PropagationReason::Change);
                        house.pass(seconds);
                        prop_assert_eq!(&house.bits, &all.bits);
                    }
                }
                for owner in ["eu", "us", "middle", "top"] {
                    let looks = house.looks(owner);
                    prop_assert!(!looks.contains(&"r".to_owned()) || looks.iter().any(|look| look.parse::<u8>().is_ok()), "{}: {:?}", owner, looks);
                }
                prop_assert_eq!(house.bits.transit.is_some(), house.bits.has_timer().next().is_some());
            }
        }
    }
}
