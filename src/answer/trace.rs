//! Tracing of answers: each step from name to records, with the policies' own steps in between.
//! Without a trace it costs nothing.

use std::net::IpAddr;

use super::{Owner, Rcode};
use crate::geo::Location;
use crate::model::{PrefixLength, Ttl};
use crate::policy::{self, MemberIndex, Untraced};
use crate::world::ZoneView;
use crate::zonetree::{Found, GroupIndex};

/// Receives the steps of an answer, including those of the policies.
pub trait AnswerTrace<'w>: policy::PolicyTrace {
    /// The next step of the answer. Only a real trace calls `step`.
    fn answer_step(&mut self, step: impl FnOnce() -> AnswerStep<'w>);
}

impl<'w> AnswerTrace<'w> for Untraced {
    #[inline(always)]
    fn answer_step(&mut self, _: impl FnOnce() -> AnswerStep<'w>) {}
}

/// One step, in order of execution.
#[derive(Clone, Debug)]
pub enum AnswerStep<'w> {
    /// This zone answers.
    Zone(ZoneView<'w>),
    /// The client that the policies see.
    Client {
        /// The first address of the client's prefix, or the client's own.
        address: IpAddr,
        /// The number of known bits.
        prefix: PrefixLength,
        /// The client's location.
        location: Location,
    },
    /// A name is looked up: that in the question, or the target of a CNAME.
    Name {
        /// The owner of the records.
        owner: Owner<'w>,
        /// The result of the lookup.
        found: Found,
    },
    /// The policy of this group is next; its steps follow.
    Group(GroupIndex),
    /// The chosen member is an alias to this group; `None` if the alias has no target.
    Alias {
        /// The group of the member.
        group: GroupIndex,
        /// The member.
        member: MemberIndex,
        /// The alias's target.
        target: Option<GroupIndex>,
    },
    /// The negative answer: its code, and the negative TTL cap of the group, if any.
    NegativeAnswer {
        /// NXDOMAIN or NODATA.
        rcode: Rcode,
        /// Set by a group that withholds its answer if none of its members is healthy.
        ttl_cap: Option<Ttl>,
    },
    /// The answer section is complete; additional addresses follow.
    Addresses,
}
