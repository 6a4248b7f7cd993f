//! The routing policies: from the client, the usable bits and random numbers to the members of a
//! group that answer.
//!
//! There is one file per policy, all with the same structure: a type that is built from the record
//! sets of a group when a zone is compiled, with a `choose` method that does not depend on sockets,
//! names, files, clocks or probes. All policies follow the common rule (Developer Guide, "How
//! Amazon Route 53 chooses records when health checking is configured"): the first healthy
//! candidate in the policy's order; if none is healthy, all count as healthy.
//!
//! A group is all record sets of one name and type; a member is one of them. The ECS scope of an
//! answer is how many leading bits of the client's address it depends on: `geo` finds it for each
//! lookup, a [`Choice`] carries it, `answer` takes the largest, and `serve::edns` writes it.

mod bits;
mod candidates;
mod cidr_tables;
mod failover;
mod geolocation;
mod geoproximity;
mod ip_based;
mod latency;
mod member;
mod multivalue;
mod random;
mod trace;
mod weighted;

use arrayvec::ArrayVec;

pub use bits::{BitIndex, ZoneBit};
pub use candidates::{Candidates, FailOpen, ReducedUse, UsableBits, WeightShares};
pub use cidr_tables::CidrTables;
pub use member::MemberIndex;
pub use random::SeededRng;
pub use trace::{Block, Distance, Draw, DrawBy, PolicyStep, PolicyTrace, RoundTrip, Untraced};

use crate::geo::Client;
use crate::model::{PrefixLength, ResourceRecordSet, RoutingPolicy};
use failover::Failover;
use geolocation::Geolocation;
use geoproximity::Geoproximity;
use ip_based::IpBased;
use latency::Latency;
use multivalue::Multivalue;
use weighted::Weighted;

/// The most record sets one answer can hold: multivalue's eight (Developer Guide, "Multivalue
/// answer routing").
pub const MAX_CHOSEN: usize = multivalue::MAX_ANSWERS;

/// How one group chooses among its members. Members are numbered in the order of the group's record
/// sets.
#[derive(Debug, PartialEq)]
pub enum GroupPolicy {
    /// There is one member, which is answered regardless of its health unless configured otherwise.
    Simple,
    /// By weight.
    Weighted(Weighted),
    /// By round-trip time.
    Latency(Latency),
    /// Primary, then secondary.
    Failover(Failover),
    /// By area.
    Geolocation(Geolocation),
    /// By biased distance.
    Geoproximity(Geoproximity),
    /// Up to eight healthy members at random.
    Multivalue(Multivalue),
    /// By CIDR block.
    IpBased(IpBased),
    /// No member is answered: IP-based routing in a private hosted zone (Developer Guide,
    /// "Considerations when working with a private hosted zone").
    NotServed,
}

/// The chosen members, and the number of leading bits of the client's address that the choice
/// depends on (0: none).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The members, in the order of the answer; empty means NODATA.
    pub members: ArrayVec<MemberIndex, MAX_CHOSEN>,
    /// The ECS SCOPE PREFIX-LENGTH of this choice.
    pub scope: PrefixLength,
}

impl Choice {
    /// The choice of a simple group without health: its one member, for every client.
    pub fn of_one<T: PolicyTrace>(trace: &mut T) -> Choice {
        trace.policy_step(|| PolicyStep::Candidates {
            usable: vec![true],
            reserve: vec![false],
            weight_shares: None,
            fails_open: true,
        });
        let choice = Choice::of(Some(MemberIndex(0)), PrefixLength::ZERO);
        trace.policy_step(|| PolicyStep::Chosen(choice.clone()));
        choice
    }

    fn of(member: Option<MemberIndex>, scope: PrefixLength) -> Choice {
        Choice { members: member.into_iter().collect(), scope }
    }
}

impl GroupPolicy {
    /// The policy of a group: record sets of one name and type, all with the same policy.
    pub fn new(group: &[&ResourceRecordSet], tables: &CidrTables) -> GroupPolicy {
        let Some(first) = group.first() else { return GroupPolicy::NotServed };
        match first.routing_policy {
            RoutingPolicy::Simple => GroupPolicy::Simple,
            RoutingPolicy::Weighted { .. } => GroupPolicy::Weighted(Weighted::new(group)),
            RoutingPolicy::Latency { .. } => GroupPolicy::Latency(Latency::new(group)),
            RoutingPolicy::Failover { .. } => GroupPolicy::Failover(Failover::new(group)),
            RoutingPolicy::Geolocation { .. } => GroupPolicy::Geolocation(Geolocation::new(group)),
            RoutingPolicy::Geoproximity { .. } => GroupPolicy::Geoproximity(Geoproximity::new(group)),
            RoutingPolicy::MultivalueAnswer => GroupPolicy::Multivalue(Multivalue),
            RoutingPolicy::IpBased { .. } => GroupPolicy::IpBased(IpBased::new(group, tables)),
        }
    }

    /// Chooses among `candidates` for this client and reports the steps to `trace`.
    pub fn choose<T: PolicyTrace>(
        &self,
        candidates: Candidates<'_>,
        client: &Client<'_>,
        rng: &mut SeededRng,
        trace: &mut T,
    ) -> Choice {
        trace.policy_step(|| PolicyStep::Candidates {
            usable: candidates.all().map(|member| candidates.is_usable(member)).collect(),
            reserve: candidates.all().map(|member| candidates.is_in_reserve(member)).collect(),
            weight_shares: candidates
                .weight_shares()
                .map(|shares| candidates.all().map(|member| shares.of(member).parts()).collect()),
            fails_open: candidates.fails_open(),
        });
        let choice = match self {
            GroupPolicy::Simple => Choice::of(first_usable((0..1).map(MemberIndex), candidates), PrefixLength::ZERO),
            GroupPolicy::Weighted(policy) => policy.choose(candidates, rng, trace),
            GroupPolicy::Latency(policy) => policy.choose(candidates, client, trace),
            GroupPolicy::Failover(policy) => policy.choose(candidates, trace),
            GroupPolicy::Geolocation(policy) => policy.choose(candidates, client, trace),
            GroupPolicy::Geoproximity(policy) => policy.choose(candidates, client, trace),
            GroupPolicy::Multivalue(policy) => policy.choose(candidates, rng, trace),
            GroupPolicy::IpBased(policy) => policy.choose(candidates, client, trace),
            GroupPolicy::NotServed => Choice::default(),
        };
        trace.policy_step(|| PolicyStep::Chosen(choice.clone()));
        choice
    }
}

/// The first usable member of `preferred`, which is in the policy's order; if none is usable, the
/// first in reserve; if none is in reserve, the first (fail-open).
fn first_usable(
    mut preferred: impl Iterator<Item = MemberIndex> + Clone,
    candidates: Candidates<'_>,
) -> Option<MemberIndex> {
    // Usually the first is usable, and nothing else is evaluated.
    let all = preferred.clone();
    preferred
        .find(|&member| candidates.is_usable(member))
        .or_else(|| all.clone().find(|&member| candidates.is_in_reserve(member)))
        .or_else(|| all.clone().next().filter(|_| candidates.fails_open()))
}

/// The usable member with the lowest cost; the first in `order` wins a tie. Fails open like
/// `first_usable`.
fn least(order: &[MemberIndex], candidates: Candidates<'_>, cost: impl Fn(MemberIndex) -> f64) -> Option<MemberIndex> {
    let all = || order.iter().copied();
    least_of(all().filter(|&member| candidates.is_usable(member)), &cost)
        .or_else(|| least_of(all().filter(|_| candidates.fails_open()), &cost))
}

/// The members in the order of `least`.
fn by_cost(order: &[MemberIndex], cost: impl Fn(MemberIndex) -> f64) -> Vec<MemberIndex> {
    let mut members = order.to_vec();
    members.sort_by(|&one, &other| cost(one).total_cmp(&cost(other)));
    members
}

fn least_of(members: impl Iterator<Item = MemberIndex>, cost: impl Fn(MemberIndex) -> f64) -> Option<MemberIndex> {
    let mut best = None;
    for member in members {
        let cost = cost(member);
        if best.is_none_or(|(least, _)| cost < least) {
            best = Some((cost, member));
        }
    }
    best.map(|(_, member)| member)
}

#[cfg(test)]
mod tests;
