//! Tracing of policies: what a policy saw and did, step by step. Without a trace it costs nothing.

use super::{Choice, MemberIndex};
use crate::geo::TripBasis;
use crate::model::{FailoverRole, GeoLocation, PrefixLength, Region};

/// Receives the steps of a policy.
pub trait PolicyTrace {
    /// A policy did a step. `step` builds the description from the data that the policy itself
    /// uses; only a real trace calls it.
    fn policy_step(&mut self, step: impl FnOnce() -> PolicyStep);
}

/// No trace: every call is optimized away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Untraced;

impl PolicyTrace for Untraced {
    #[inline(always)]
    fn policy_step(&mut self, _: impl FnOnce() -> PolicyStep) {}
}

/// A step of a policy. Members are numbered as in the group; lists are in the policy's order of
/// preference.
#[derive(Clone, Debug, PartialEq)]
pub enum PolicyStep {
    /// The policy begins: which members may be answered, and what happens if none is usable.
    Candidates {
        /// By member.
        usable: Vec<bool>,
        /// Members that may be answered if no member is usable: healthy, but draining or waiting
        /// for failback. By member.
        reserve: Vec<bool>,
        /// The share of weight of each member, in 255ths; `None` if all have their full weight. By
        /// member.
        weight_shares: Option<Vec<u8>>,
        /// Whether members that are not usable are answered if no member is usable.
        fails_open: bool,
    },
    /// Failover: the pair, or the one member there is.
    Pair(Vec<(FailoverRole, MemberIndex)>),
    /// Geolocation: the areas that contain the client, from the smallest to the default, and their
    /// members.
    Areas(Vec<(GeoLocation, Option<MemberIndex>)>),
    /// Latency: the round trip of each member, the shortest first, ties by the name of the region.
    RoundTrips(Vec<RoundTrip>),
    /// Geoproximity: the distance of each member, the shortest first, ties by set identifier.
    Distances(Vec<Distance>),
    /// IP-based: the blocks that contain the client's address, the longest first, and the members
    /// in order of preference.
    Blocks {
        /// The blocks.
        blocks: Vec<Block>,
        /// The members of the matching blocks, followed by that of location `*`; a member may
        /// appear twice.
        preferred: Vec<MemberIndex>,
    },
    /// Weighted, multivalue: members were drawn at random.
    Draw(Draw),
    /// The policy has chosen.
    Chosen(Choice),
}

/// The latency of a member's region.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoundTrip {
    /// The member.
    pub member: MemberIndex,
    /// Its region.
    pub region: Region,
    /// In milliseconds; `None` if unknown, and then all are equal.
    pub ms: Option<f64>,
    /// The source of the figure.
    pub basis: TripBasis,
    /// The client is in China, and this member answers all clients in China regardless of latency.
    pub for_china: bool,
}

/// The distance of a geoproximity member.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// The member.
    pub member: MemberIndex,
    /// Along the great circle; `None` if the client's location is unknown, and then all are equal.
    pub km: Option<f64>,
    /// The distance after the bias.
    pub biased_km: Option<f64>,
}

/// A block of the collection that contains the client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its prefix length.
    pub length: PrefixLength,
    /// Whether it contains the client's whole prefix; otherwise it does not match.
    pub matches: bool,
    /// The member for its location, if the group has one.
    pub member: Option<MemberIndex>,
}

/// A random draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    /// What determines a member's tickets.
    pub by: DrawBy,
    /// The members that take part, and their tickets.
    pub tickets: Vec<(MemberIndex, u32)>,
    /// The number of winners: one, or up to eight with multivalue.
    pub winners: usize,
}

impl Draw {
    /// The probability with which each member is among the winners. There are several winners only
    /// if all members have the same number of tickets.
    pub fn shares(&self) -> Vec<(MemberIndex, f64)> {
        let all: u32 = self.tickets.iter().map(|(_, tickets)| tickets).sum();
        let winners = u32::try_from(self.winners).unwrap_or(u32::MAX);
        let share = |tickets: u32| f64::from(tickets) * f64::from(winners) / f64::from(all.max(1));
        self.tickets.iter().map(|&(member, tickets)| (member, share(tickets))).collect()
    }
}

/// What determines a member's tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrawBy {
    /// Its weight.
    Weight,
    /// Nothing: all members are equal.
    Evenly,
}
