//! Weighted routing: a share of the answers, with zero weight as a standby.

use super::{Candidates, Choice, Dice, Draw, DrawBy, Note, Trace};
use crate::model::{ResourceRecordSet, RoutingPolicy};

/// The weights, by member.
#[derive(Debug)]
pub struct Weighted {
    weights: Box<[u8]>,
}

impl Weighted {
    pub(super) fn new(group: &[&ResourceRecordSet]) -> Weighted {
        Weighted { weights: group.iter().map(|set| weight_of(set)).collect() }
    }

    /// Positive weights first; zero weights when none of those is healthy; all of them when nothing is healthy at all,
    /// where again the positive ones decide (Developer Guide, "How Amazon Route 53 chooses records when health checking
    /// is configured").
    pub(super) fn choose<T: Trace>(&self, candidates: Candidates<'_>, dice: &mut Dice, trace: &mut T) -> Choice {
        let chosen = self
            .draw(&candidates, |member| candidates.is_usable(member), dice, trace)
            .or_else(|| self.draw(&candidates, |_| candidates.fails_open(), dice, trace));
        Choice::of(chosen, 0)
    }

    fn draw<T: Trace>(
        &self,
        candidates: &Candidates<'_>,
        eligible: impl Fn(u16) -> bool,
        dice: &mut Dice,
        trace: &mut T,
    ) -> Option<u16> {
        self.draw_by_weight(&eligible, dice, trace).or_else(|| draw_evenly(candidates, &eligible, dice, trace))
    }

    /// P(member) = weight / sum of the weights of the eligible members. `None` when those sum up to nothing.
    fn draw_by_weight<T: Trace>(&self, eligible: impl Fn(u16) -> bool, dice: &mut Dice, trace: &mut T) -> Option<u16> {
        let eligible = || (0..).zip(&self.weights).filter(|&(member, _)| eligible(member));
        let sum: u32 = eligible().map(|(_, &weight)| u32::from(weight)).sum();
        if sum == 0 {
            return None;
        }
        trace.note(|| {
            let tickets = eligible().map(|(member, &weight)| (member, u32::from(weight))).collect();
            Note::Draw(Draw { by: DrawBy::Weight, tickets, winners: 1 })
        });
        let mut ticket = dice.below(sum);
        eligible().find_map(|(member, &weight)| {
            let won = ticket < u32::from(weight);
            ticket = ticket.wrapping_sub(u32::from(weight));
            won.then_some(member)
        })
    }
}

/// Any eligible member, each equally likely.
fn draw_evenly<T: Trace>(
    candidates: &Candidates<'_>,
    eligible: impl Fn(u16) -> bool,
    dice: &mut Dice,
    trace: &mut T,
) -> Option<u16> {
    let eligible = || candidates.all().filter(|&member| eligible(member));
    let count = u32::try_from(eligible().count()).ok().filter(|&count| count > 0)?;
    trace.note(|| {
        let tickets = eligible().map(|member| (member, 1)).collect();
        Note::Draw(Draw { by: DrawBy::Evenly, tickets, winners: 1 })
    });
    eligible().nth(dice.below(count) as usize)
}

fn weight_of(set: &ResourceRecordSet) -> u8 {
    match set.routing_policy {
        RoutingPolicy::Weighted { weight } => weight,
        _ => 0,
    }
}
