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
pub struct Standing {
    /// Whether health lets a member answer, by member.
    pub usable: Vec<bool>,
    /// Whether those that are not usable answer when nobody else can.
    pub fails_open: bool,
    /// The lottery, where there is one: what a member takes part with, after all that drains or starts slowly.
    draw: Option<Draw>,
    /// Who was chosen.
    chosen: Vec<u16>,
}

impl Standing {
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
struct Notes(Standing);

impl Trace for Notes {
    fn note(&mut self, note: impl FnOnce() -> Note) {
        match note() {
            Note::Candidates { usable, fails_open } => (self.0.usable, self.0.fails_open) = (usable, fails_open),
            Note::Draw(draw) => self.0.draw = Some(draw),
            Note::Chosen(choice) => self.0.chosen = choice.members.to_vec(),
            _ => {}
        }
    }
}

/// How the group of this name and type stands; `None` when the zone answers with no such group, as below a delegation.
#[must_use]
pub fn standing(world: &World, zone: &HostedZoneId, name: &Name, record_type: RecordType) -> Option<Standing> {
    let scene = world.scene_of(zone)?;
    if !name.is_within(scene.zone.name()) {
        return None;
    }
    let mut wanted = QueryName::default();
    wanted.set(name);
    let Found::Name(node) = scene.zone.find(&wanted) else { return None };
    let group = scene.zone.group(node, record_type)?;
    let client = scene.client(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    let mut notes = Notes::default();
    scene.zone.choose(group, scene.usable, &client, &mut Dice::seeded(0), &mut notes);
    Some(notes.0)
}
