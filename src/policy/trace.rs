//! Whoever looks on while a policy chooses: what it saw and did, note by note, and no cost at all when nobody looks.

use super::Choice;
use crate::geo::TripBasis;
use crate::model::{FailoverRole, GeoLocation, Region};

/// Takes down what the policies see and do.
pub trait Trace {
    /// A policy saw or did something. `note` makes the note from what the policy itself goes by; only who looks on calls it.
    fn note(&mut self, note: impl FnOnce() -> Note);
}

/// Nobody looks on: every note is compiled away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Untraced;

impl Trace for Untraced {
    #[inline(always)]
    fn note(&mut self, _: impl FnOnce() -> Note) {}
}

/// What a policy saw or did. Members are numbered as in the plan; lists are in the order in which the policy prefers them.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// The policy begins: which of the members may be answered, by number, and whether all may when none of them is.
    Candidates {
        /// By member.
        usable: Vec<bool>,
        /// Who may answer where nobody usable can: healthy, but draining or waiting for its failback. By member.
        reserve: Vec<bool>,
        /// What each has of its weight, in 255ths; `None` when all have all of it. By member.
        parts: Option<Vec<u8>>,
        /// Whether those that are not usable answer when nobody else can.
        fails_open: bool,
    },
    /// Failover: the pair, as far as there is one.
    Pair(Vec<(FailoverRole, u16)>),
    /// Geolocation: the areas that hold the client, from the smallest to everywhere, and who is for them.
    Areas(Vec<(GeoLocation, Option<u16>)>),
    /// Latency: everybody's round trip, the shortest first, ties by the name of the region.
    RoundTrips(Vec<RoundTrip>),
    /// Geoproximity: everybody's distance, the shortest first, ties by set identifier.
    Distances(Vec<Distance>),
    /// IP-based: the blocks that hold the client's address, the longest first, and who may answer, most wanted first.
    Blocks {
        /// The blocks.
        blocks: Vec<Block>,
        /// The members for those that count, and the one for location `*` at the end; one may come twice.
        preferred: Vec<u16>,
    },
    /// Weighted, multivalue: the dice were thrown.
    Draw(Draw),
    /// The policy is done.
    Chosen(Choice),
}

/// How far a latency member's region is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoundTrip {
    /// Who.
    pub member: u16,
    /// Where it is declared to be.
    pub region: Region,
    /// In milliseconds; `None` when nobody knows, and all are then alike.
    pub ms: Option<f64>,
    /// Where the figure comes from.
    pub basis: TripBasis,
    /// It answers everybody in China, however far, and the client is there.
    pub for_china: bool,
}

/// How far a geoproximity member is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// Who.
    pub member: u16,
    /// Along the great circle; `None` when the client cannot be located, and all are then alike.
    pub km: Option<f64>,
    /// What the bias makes of it.
    pub biased_km: Option<f64>,
}

/// A block of the collection that holds the client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its prefix length.
    pub length: u8,
    /// Whether it holds the client's whole prefix; else it does not count.
    pub matches: bool,
    /// The member for its location, when the group has one.
    pub member: Option<u16>,
}

/// A throw of the dice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    /// What a member's part in the lottery is.
    pub by: DrawBy,
    /// Who takes part, and with how many tickets.
    pub tickets: Vec<(u16, u32)>,
    /// How many of them win: one, but for multivalue.
    pub winners: usize,
}

impl Draw {
    /// The probability with which each member that takes part is among the winners. There are several winners only where
    /// all tickets are alike.
    pub fn shares(&self) -> Vec<(u16, f64)> {
        let all: u32 = self.tickets.iter().map(|(_, tickets)| tickets).sum();
        let winners = u32::try_from(self.winners).unwrap_or(u32::MAX);
        let share = |tickets: u32| f64::from(tickets) * f64::from(winners) / f64::from(all.max(1));
        self.tickets.iter().map(|&(member, tickets)| (member, share(tickets))).collect()
    }
}

/// What gives a member its tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrawBy {
    /// Its weight.
    Weight,
    /// Nothing: all are alike.
    Evenly,
}
