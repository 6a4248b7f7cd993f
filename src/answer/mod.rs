//! The answer: a query and the world in, sections of ready records out.
//!
//! `resolve` finds view and zone, walks to the name, lets the policy choose and follows aliases and CNAMEs. What comes out
//! refers into the world and owns nothing: `serve` writes it to the wire.

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
pub use resolve::{client_of, resolve, resolve_into, resolve_traced};
pub use size::Fit;
pub use trace::{Step, Trace};

use crate::geo::Located;
use crate::model::{HostedZoneId, MAX_ALIAS_CHAIN};
pub use crate::policy::{Dice, Untraced};
use crate::stats::{AnswerNumber, ZoneNumber};
pub use crate::zonetree::{Data, QueryName, Records, ZoneServers};

/// What was asked, by whom.
pub struct Query<'q> {
    /// The name, in lower case.
    pub name: &'q QueryName,
    /// The QTYPE as it came; class IN is understood.
    pub record_type: u16,
    /// The address the packet came from: decides the view, and the place when there is no client subnet.
    pub source: IpAddr,
    /// EDNS Client Subnet (RFC 7871) when it was sent, is well formed, has a source prefix above 0 and is in use.
    pub client_subnet: Option<ClientSubnet>,
    /// Where the client is, when somebody has found that out already.
    pub located: Option<&'q Located>,
}

/// The network on whose behalf a resolver asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientSubnet {
    /// Its address, bits beyond the prefix zero.
    pub address: IpAddr,
    /// SOURCE PREFIX-LENGTH, 1..=32 or 1..=128.
    pub source_prefix: u8,
}

/// The response codes that a zone's answer can have (RFC 1035 section 4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Rcode {
    /// The name exists, whether or not there are data of the type.
    NoError = 0,
    /// The zone that holds the name has no records to answer with now.
    ServFail = 2,
    /// The name does not exist.
    NxDomain = 3,
    /// No zone here holds the name.
    Refused = 5,
}

/// The most parts the answer section can have: a CNAME chain, and eight record sets of a multivalue group at its end.
pub const MAX_ANSWER_PARTS: usize = MAX_CHAIN + 8;
/// The most CNAMEs and aliases that are followed (spec 1.10 leaves it open: a guard, far above real chains).
pub const MAX_CHAIN: usize = MAX_ALIAS_CHAIN;
/// The most record sets in the additional section: A and AAAA of sixteen name servers. A referral needs them all (RFC
/// 9471), and more than thirteen, which is what the root has, are not seen.
pub const MAX_ADDITIONAL_PARTS: usize = 32;

/// The most chosen record sets of one answer that are counted: a multivalue group's eight and what led to it.
pub const MAX_COUNTED: usize = 16;

/// An answer, section by section.
pub struct Answer<'w> {
    /// The response code.
    pub rcode: Rcode,
    /// The AA bit.
    pub authoritative: bool,
    /// How long the zone's name is on the wire, root included; it stands at the end of the question's name, and
    /// compression pointers lead there. 0 when there is no zone.
    pub zone_octets: usize,
    /// Where the zone's queries are counted.
    pub zone_number: ZoneNumber,
    /// The chosen record sets that are counted one by one.
    pub counted: ArrayVec<AnswerNumber, MAX_COUNTED>,
    /// The zone's id.
    pub zone_id: Option<&'w HostedZoneId>,
    /// The answer section.
    pub answer: ArrayVec<Part<'w>, MAX_ANSWER_PARTS>,
    /// The authority section: the NS set, or the SOA.
    pub authority: Option<Part<'w>>,
    /// The additional section, without OPT.
    pub additional: ArrayVec<Part<'w>, MAX_ADDITIONAL_PARTS>,
    /// The zone's NS set and the addresses of its servers in one piece: then `authority` and `additional` are empty, and this is
    /// what stands in them (`closing_parts` spells it out).
    pub servers: Option<ZoneServers<'w>>,
    /// How many leading bits of the client's address the answer depends on: the ECS SCOPE PREFIX-LENGTH.
    pub scope: u8,
    /// Whether the client's address had to be looked for among those whose places are known.
    pub needed_place: bool,
}

/// Records of one set under one owner.
#[derive(Clone, Copy, Debug)]
pub struct Part<'w> {
    /// Who owns them in this answer.
    pub owner: Owner<'w>,
    /// The records.
    pub records: Records<'w>,
    /// What may happen to them when the message is too small.
    pub need: Need,
}

/// The owner of records in an answer.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'w> {
    /// The name in the question.
    Question,
    /// These labels (wire form, without a root) in front of the zone's name.
    InZone(&'w [u8]),
}

/// Whether an answer is whole without a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Without it the answer is truncated (TC): answers, SOA, referrals and their in-domain glue (RFC 9471).
    Required,
    /// May be left out in silence: the NS set under a positive answer, helpful addresses (RFC 2181 section 9).
    Optional,
}
