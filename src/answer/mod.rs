//! Answering: from a query and the world to the sections of a response.
//!
//! `resolve` selects view and zone, looks up the name, runs the policy and follows aliases and
//! CNAMEs. The answer borrows from the world and owns nothing; `serve` encodes it. What is counted
//! and logged of an answer is a value of its own, the [`Accounting`].

#[cfg(test)]
pub(crate) mod fixture;
mod group_status;
mod resolve;
mod size;
#[cfg(test)]
mod tests;
mod trace;

use std::net::IpAddr;

use arrayvec::ArrayVec;

pub use group_status::{GroupStatus, group_status};
pub use resolve::{client_of, resolve, resolve_in, resolve_into, resolve_traced};
pub use size::MessageSize;
pub use trace::{AnswerStep, AnswerTrace};

use crate::geo::Located;
pub use crate::health::Timestamp;
use crate::model::{MAX_ALIAS_CHAIN, PrefixLength, QueryType};
pub use crate::policy::{MemberIndex, SeededRng, Untraced};
pub use crate::requestor::Requestor;
use crate::stats::{AnswerNumber, ZoneNumber};
use crate::zonetree::Zone;
pub use crate::zonetree::{Data, QueryName, Records, ZoneServers};

/// A query and its client.
pub struct Query<'q> {
    /// The name, in lower case.
    pub name: &'q QueryName,
    /// The QTYPE; the class is IN.
    pub qtype: QueryType,
    /// Who sent the query. Its address determines the view, and the location if there is no client
    /// subnet.
    pub requestor: &'q Requestor,
    /// EDNS Client Subnet (RFC 7871), if it was sent, is well formed, has a source prefix above 0
    /// and is enabled.
    pub client_subnet: Option<ClientSubnet>,
    /// The client's location, if the caller has already looked it up.
    pub located: Option<&'q Located>,
    /// The DO bit (RFC 3225): the requestor accepts DNSSEC records. Zones are not signed, so it
    /// changes no answer; the response repeats it.
    pub dnssec_ok: bool,
    /// When the query arrived. No answer depends on it.
    pub at: Timestamp,
}

impl<'q> Query<'q> {
    /// A query without EDNS, at the beginning of time.
    pub fn new(name: &'q QueryName, qtype: QueryType, requestor: &'q Requestor) -> Query<'q> {
        Query { name, qtype, requestor, client_subnet: None, located: None, dnssec_ok: false, at: Timestamp::default() }
    }
}

/// The network for which a resolver queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientSubnet {
    /// Its address; bits beyond the prefix are zero.
    pub address: IpAddr,
    /// SOURCE PREFIX-LENGTH, 1..=32 or 1..=128.
    pub source_prefix: PrefixLength,
}

/// The response codes of a zone's answers (RFC 1035 section 4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Rcode {
    /// The name exists, with or without data of the type.
    NoError = 0,
    /// The zone of the name has no records to answer with at present.
    ServFail = 2,
    /// The name does not exist.
    NxDomain = 3,
    /// No zone here contains the name.
    Refused = 5,
}

/// The maximum number of parts in the answer section: a CNAME chain, then eight record sets of a
/// multivalue group.
pub const MAX_ANSWER_PARTS: usize = MAX_CHAIN + 8;
/// The maximum number of names of a CNAME chain, and for each name of groups on its alias chain.
/// Route 53 documents no limit; this is far above real chains. A CNAME chain that is longer is
/// answered up to here; an alias chain that is longer gives an empty answer.
pub const MAX_CHAIN: usize = MAX_ALIAS_CHAIN;
/// The maximum number of record sets in the additional section: A and AAAA of sixteen name servers.
/// A referral needs all of them (RFC 9471); the root has thirteen name servers, and larger
/// delegations are not seen in practice.
pub const MAX_ADDITIONAL_PARTS: usize = 32;

/// The maximum number of chosen record sets with counters in one answer: a multivalue group's
/// eight, and those that led to it.
pub const MAX_COUNTED: usize = 16;

/// What is counted and logged of an answer.
#[derive(Debug)]
pub struct Accounting<'w> {
    /// The zone that answers.
    pub zone: Option<&'w Zone>,
    /// The index of the zone's query counter.
    pub zone_number: ZoneNumber,
    /// The chosen record sets that have counters.
    pub counted: ArrayVec<AnswerNumber, MAX_COUNTED>,
    /// Whether the answer required the client's location.
    pub needed_location: bool,
}

impl Accounting<'_> {
    /// Whether the zone has a query logging configuration.
    pub fn logs_queries(&self) -> bool {
        self.zone.is_some_and(Zone::logs_queries)
    }
}

/// No zone, and nothing counted.
impl Default for Accounting<'_> {
    #[inline(always)]
    fn default() -> Self {
        Accounting { zone: None, zone_number: ZoneNumber::NONE, counted: ArrayVec::new(), needed_location: false }
    }
}

/// An answer, section by section.
pub struct Answer<'w> {
    /// The response code.
    pub rcode: Rcode,
    /// The AA bit.
    pub authoritative: bool,
    /// The length of the zone's name in wire format, root included. It is the end of the name in
    /// the question, and compression pointers refer to it. 0 without a zone.
    pub zone_octets: usize,
    /// The answer section.
    pub answer: ArrayVec<Part<'w>, MAX_ANSWER_PARTS>,
    /// The authority section: the NS set, or the SOA.
    pub authority: Option<Part<'w>>,
    /// The additional section, without OPT.
    pub additional: ArrayVec<Part<'w>, MAX_ADDITIONAL_PARTS>,
    /// The zone's NS set and the addresses of its servers in one block. If set, `authority` and
    /// `additional` are empty and the block has their records (`closing_parts` lists them).
    pub servers: Option<ZoneServers<'w>>,
    /// The number of leading bits of the client's address that the answer depends on: the ECS SCOPE
    /// PREFIX-LENGTH.
    pub scope: PrefixLength,
}

/// Records of one set with one owner.
#[derive(Clone, Copy, Debug)]
pub struct Part<'w> {
    /// Their owner in this answer.
    pub owner: Owner<'w>,
    /// The records.
    pub records: Records<'w>,
    /// Whether the answer is complete without them.
    pub presence: Presence,
}

/// The owner of records in an answer.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'w> {
    /// The name in the question.
    Question,
    /// These labels (wire format, without a root) followed by the zone's name.
    InZone(&'w [u8]),
}

/// Whether an answer is complete without a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The answer is truncated (TC) without it: answers, SOA, referrals and their in-domain glue
    /// (RFC 9471).
    Required,
    /// May be omitted without TC: the NS set under a positive answer, additional addresses (RFC
    /// 2181 section 9).
    Optional,
}
