//! How the members of one group stand, whoever asks: which of them may be answered now, and how often. It is what the policy
//! itself goes by, taken down while it chooses for a client that is nowhere.

use std::net::{IpAddr, Ipv4Addr};

use super::QueryName;
use crate::model::{HostedZoneId, Name, RecordType};
use crate::policy::{Dice, Draw, Note, Trace};
use crate::world::World;
use crate::zonetree::Found;

/// How the members of a group stand. They are numbered in the order of the record sets of that name and type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupStatus {
    /// Whether health lets a member answer, by member.
    pub usable: Vec<bool>,
    /// Whether it is healthy and yet answers only where nobody usable can: it drains or waits for its failback. By member.
    pub reserve: Vec<bool>,
    /// What each has of its weight, in 255ths; `None` when all have all of it. By member.
    parts: Option<Vec<u8>>,
    /// The lottery, where there is one: what a member takes part with, after all that drains or starts slowly.
    draw: Option<Draw>,
    /// Who was chosen.
    chosen: Vec<u16>,
}

impl GroupStatus {
    /// What a member has of its weight while it drains or starts slowly, 0 to 1; `None` when it has all of it.
    #[must_use]
    pub fn part(&self, member: u16) -> Option<f64> {
        let parts = *self.parts.as_ref()?.get(usize::from(member))?;
        (parts < u8::MAX).then(|| f64::from(parts) / f64::from(u8::MAX))
    }

    /// How often a member is in the answers, 0 to 1. Only right for policies to which all clients are alike.
    #[must_use]
    pub fn share(&self, member: u16) -> f64 {
        let Some(draw) = &self.draw else {
            return if self.chosen.contains(&member) { 1.0 } else { 0.0 };
        };
        let tickets =
            |wanted: u16| draw.tickets.iter().find(|(known, _)| *known == wanted).map_or(0, |(_, count)| *count);
        let all: u32 = draw.tickets.iter().map(|(_, count)| count).sum();
        let share = f64::from(tickets(member)) / f64::from(all.max(1));
        // Several win only where all have one ticket each.
        (share * draw.winners as f64).min(1.0)
    }
}

/// Takes down what a policy notes.
#[derive(Default)]
struct Notes(GroupStatus);

impl Trace for Notes {
    fn note(&mut self, note: impl FnOnce() -> Note) {
        match note() {
            Note::Candidates { usable, reserve, parts, .. } => {
                (self.0.usable, self.0.reserve, self.0.parts) = (usable, reserve, parts);
            }
            Note::Draw(draw) => self.0.draw = Some(draw),
            Note::Chosen(choice) => self.0.chosen = choice.members.to_vec(),
            _ => {}
        }
    }
}

/// How the group of this name and type stands; `None` when the zone answers with no such group, as below a delegation.
#[must_use]
pub fn group_status(world: &World, zone: &HostedZoneId, name: &Name, record_type: RecordType) -> Option<GroupStatus> {
    let zone_view = world.scene_of(zone)?;
    if !name.is_within(zone_view.zone.name()) {
        return None;
    }
    let mut wanted = QueryName::default();
    wanted.set(name);
    let Found::Name(node) = zone_view.zone.find(&wanted) else { return None };
    let group = zone_view.zone.group(node, record_type)?;
    let client = zone_view.client(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    let mut notes = Notes::default();
    zone_view.zone.choose(group, zone_view.usable, &client, &mut Dice::seeded(0), &mut notes);
    Some(notes.0)
}
