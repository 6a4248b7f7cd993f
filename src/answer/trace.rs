//! Whoever looks on while an answer is made: each step of the walk from name to records, and no cost at all when nobody
//! looks. The policies' own notes come between the steps they belong to.

use std::net::IpAddr;

use super::{Owner, Rcode};
use crate::geo::Place;
use crate::model::Ttl;
use crate::policy::{self, Untraced};
use crate::world::ZoneView;
use crate::zonetree::{Found, GroupIndex};

/// Takes down the steps of an answer, and with them the policies' notes.
pub trait Trace<'w>: policy::Trace {
    /// The answer went a step further. `step` is only called by who looks on.
    fn step(&mut self, step: impl FnOnce() -> Step<'w>);
}

impl<'w> Trace<'w> for Untraced {
    #[inline(always)]
    fn step(&mut self, _: impl FnOnce() -> Step<'w>) {}
}

/// One step, in the order in which they happen.
#[derive(Clone, Debug)]
pub enum Step<'w> {
    /// This zone answers.
    Zone(ZoneView<'w>),
    /// This is who the policies take the client to be.
    Client {
        /// The first address of the client's prefix, or the client's own.
        address: IpAddr,
        /// How many bits of it are known.
        prefix: u8,
        /// Where that is.
        place: Place,
    },
    /// A name is looked for: the question's, or the target of a CNAME.
    Name {
        /// Whose records they would be.
        owner: Owner<'w>,
        /// Where it leads in the zone.
        found: Found,
    },
    /// The policy of this group chooses next; its notes follow.
    Group(GroupIndex),
    /// The chosen member is an alias to this group; `None` when its target is gone.
    Alias {
        /// The group it is in.
        group: GroupIndex,
        /// Which member.
        member: u16,
        /// Where it leads.
        target: Option<GroupIndex>,
    },
    /// The negative answer: its code, and how long it may be remembered at most for the group's sake, if at all.
    Denial {
        /// NXDOMAIN or NODATA.
        rcode: Rcode,
        /// Set by a group that withholds its answer when nothing in it is healthy.
        longest: Option<Ttl>,
    },
    /// The answer section is done; what follows are addresses that help.
    Addresses,
}
