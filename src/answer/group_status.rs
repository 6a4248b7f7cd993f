//! The status of the members of one group, independent of the client: which of them may be answered
//! now, and how often. It is recorded while the policy chooses for a client without a location.

use std::net::{IpAddr, Ipv4Addr};

use super::QueryName;
use crate::model::{HostedZoneId, Name, PrefixLength, RecordType};
use crate::policy::{Draw, MemberIndex, PolicyStep, PolicyTrace, SeededRng};
use crate::world::World;
use crate::zonetree::Found;

/// The status of a group's members, in the order of the record sets of that name and type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupStatus {
    /// Whether health allows a member to be answered, by member.
    pub usable: Vec<bool>,
    /// Whether a member is healthy but is answered only if no member is usable: it drains or waits
    /// for its failback. By member.
    pub reserve: Vec<bool>,
    /// The share of weight of each member, in 255ths; `None` if all have their full weight. By
    /// member.
    weight_shares: Option<Vec<u8>>,
    /// The draw, if the policy has one: each member's tickets after drains and slow starts.
    draw: Option<Draw>,
    /// The chosen members.
    chosen: Vec<MemberIndex>,
}

impl GroupStatus {
    /// The share of its weight that a member has while it drains or starts slowly, 0 to 1; `None`
    /// for the full weight.
    #[must_use]
    pub fn part(&self, member: MemberIndex) -> Option<f64> {
        let parts = *self.weight_shares.as_ref()?.get(usize::from(member))?;
        (parts < u8::MAX).then(|| f64::from(parts) / f64::from(u8::MAX))
    }

    /// How often a member is in the answers, 0 to 1. Valid only for policies that do not depend on
    /// the client.
    #[must_use]
    pub fn share(&self, member: MemberIndex) -> f64 {
        let Some(draw) = &self.draw else {
            return if self.chosen.contains(&member) { 1.0 } else { 0.0 };
        };
        let tickets = |wanted: MemberIndex| {
            draw.tickets.iter().find(|(known, _)| *known == wanted).map_or(0, |(_, count)| *count)
        };
        let all: u32 = draw.tickets.iter().map(|(_, count)| count).sum();
        let share = f64::from(tickets(member)) / f64::from(all.max(1));
        // There are several winners only if all have one ticket each.
        (share * draw.winners as f64).min(1.0)
    }
}

/// Records what a policy reports.
#[derive(Default)]
struct StatusTrace(GroupStatus);

impl PolicyTrace for StatusTrace {
    fn policy_step(&mut self, step: impl FnOnce() -> PolicyStep) {
        match step() {
            PolicyStep::Candidates { usable, reserve, weight_shares, .. } => {
                (self.0.usable, self.0.reserve, self.0.weight_shares) = (usable, reserve, weight_shares);
            }
            PolicyStep::Draw(draw) => self.0.draw = Some(draw),
            PolicyStep::Chosen(choice) => self.0.chosen = choice.members.to_vec(),
            _ => {}
        }
    }
}

/// The status of the group with this name and type; `None` if the zone never answers with such a
/// group, for example below a delegation.
#[must_use]
pub fn group_status(world: &World, zone: &HostedZoneId, name: &Name, record_type: RecordType) -> Option<GroupStatus> {
    let zone_view = world.zone_view_by_id(zone)?;
    if !name.is_within(zone_view.zone.name()) {
        return None;
    }
    let mut wanted = QueryName::default();
    wanted.set(name);
    let Found::Name(node) = zone_view.zone.find(&wanted) else { return None };
    let group = zone_view.zone.group(node, record_type)?;
    let client = zone_view.client(IpAddr::V4(Ipv4Addr::UNSPECIFIED), PrefixLength::ZERO);
    let mut trace = StatusTrace::default();
    zone_view.zone.choose(group, zone_view.usable, &client, &mut SeededRng::new(0), &mut trace);
    Some(trace.0)
}
