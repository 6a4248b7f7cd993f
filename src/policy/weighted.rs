//! Weighted routing: a share of the answers, with zero weight as a standby.

use super::{Candidates, Choice, Draw, DrawBy, MemberIndex, PolicyStep, PolicyTrace, SeededRng};
use crate::model::{PrefixLength, ResourceRecordSet, RoutingPolicy};

/// The weights, by member.
#[derive(Debug, PartialEq)]
pub struct Weighted {
    weights: Box<[u8]>,
}

impl Weighted {
    pub(super) fn new(group: &[&ResourceRecordSet]) -> Weighted {
        Weighted { weights: group.iter().map(|set| weight_of(set)).collect() }
    }

    /// Positive weights first; zero weights if no member with a positive weight is healthy; all
    /// members if none is healthy at all, in which case the positive weights decide again
    /// (Developer Guide, "How Amazon Route 53 chooses records when health checking is configured").
    pub(super) fn choose<T: PolicyTrace>(
        &self,
        candidates: Candidates<'_>,
        rng: &mut SeededRng,
        trace: &mut T,
    ) -> Choice {
        let chosen = self
            .draw(&candidates, |member| candidates.is_usable(member), rng, trace)
            .or_else(|| self.draw(&candidates, |_| candidates.fails_open(), rng, trace));
        Choice::of(chosen, PrefixLength::ZERO)
    }

    fn draw<T: PolicyTrace>(
        &self,
        candidates: &Candidates<'_>,
        eligible: impl Fn(MemberIndex) -> bool,
        rng: &mut SeededRng,
        trace: &mut T,
    ) -> Option<MemberIndex> {
        let weights = || MemberIndex::number(&self.weights).filter(|&(member, _)| eligible(member));
        let whole = || weights().map(|(member, &weight)| (member, u32::from(weight)));
        let drawn = match candidates.weight_shares() {
            None => draw_by_weight(whole, rng, trace),
            // A record that drains or starts slowly has a share of its weight (docs/health.md). If
            // no weight distinguishes records, the shares themselves are the weights.
            Some(shares) => {
                let left = |(member, weight)| (member, weight * u32::from(shares.of(member).parts()));
                let alike = || whole().map(|(member, _)| left((member, 1)));
                draw_by_weight(|| whole().map(left), rng, trace).or_else(|| draw_by_weight(alike, rng, trace))
            }
        };
        drawn.or_else(|| draw_evenly(candidates, &eligible, rng, trace))
    }
}

/// P(member) = weight / sum of the weights of the eligible members. `None` if the sum is zero. The
/// sum of a hundred members with a weight of 255 × 255 each is less than 2³².
fn draw_by_weight<T: PolicyTrace, I: Iterator<Item = (MemberIndex, u32)>>(
    weights: impl Fn() -> I,
    rng: &mut SeededRng,
    trace: &mut T,
) -> Option<MemberIndex> {
    let sum: u32 = weights().map(|(_, weight)| weight).sum();
    if sum == 0 {
        return None;
    }
    trace.policy_step(|| PolicyStep::Draw(Draw { by: DrawBy::Weight, tickets: weights().collect(), winners: 1 }));
    let mut ticket = rng.below(sum);
    weights().find_map(|(member, weight)| {
        let won = ticket < weight;
        ticket = ticket.wrapping_sub(weight);
        won.then_some(member)
    })
}

/// Any eligible member, with equal probability.
fn draw_evenly<T: PolicyTrace>(
    candidates: &Candidates<'_>,
    eligible: impl Fn(MemberIndex) -> bool,
    rng: &mut SeededRng,
    trace: &mut T,
) -> Option<MemberIndex> {
    let eligible = || candidates.all().filter(|&member| eligible(member));
    let count = u32::try_from(eligible().count()).ok().filter(|&count| count > 0)?;
    trace.policy_step(|| {
        let tickets = eligible().map(|member| (member, 1)).collect();
        PolicyStep::Draw(Draw { by: DrawBy::Evenly, tickets, winners: 1 })
    });
    eligible().nth(rng.below(count) as usize)
}

fn weight_of(set: &ResourceRecordSet) -> u8 {
    match set.routing_policy {
        RoutingPolicy::Weighted { weight } => weight,
        _ => 0,
    }
}
