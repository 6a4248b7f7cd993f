//! Multivalue answer routing: up to eight healthy members at random.

use arrayvec::ArrayVec;

use super::{Candidates, Choice, Draw, DrawBy, PolicyStep, PolicyTrace, SeededRng};
use crate::model::PrefixLength;

/// Route 53 answers with up to eight healthy records (Developer Guide, "Multivalue answer
/// routing").
pub(super) const MAX_ANSWERS: usize = 8;

/// All members are equal.
#[derive(Debug, PartialEq)]
pub struct Multivalue;

impl Multivalue {
    /// Up to eight healthy members, or up to eight of all members if none is healthy, in random
    /// order.
    #[expect(clippy::unused_self, reason = "policies are chosen by in one shape")]
    pub(super) fn choose<T: PolicyTrace>(
        &self,
        candidates: Candidates<'_>,
        rng: &mut SeededRng,
        trace: &mut T,
    ) -> Choice {
        let mut fitting = candidates.usable();
        if fitting.is_empty() && candidates.fails_open() {
            fitting = candidates.everyone();
        }
        let mut fitting = fitting.list();
        let winners = fitting.len().min(MAX_ANSWERS);
        trace.policy_step(|| {
            let tickets = fitting.iter().map(|&member| (member, 1)).collect();
            PolicyStep::Draw(Draw { by: DrawBy::Evenly, tickets, winners })
        });
        // Each is drawn from the remaining ones.
        let mut members = ArrayVec::new();
        for left in (1..=fitting.len()).rev().take(winners) {
            members.push(fitting.swap_remove(rng.below(left as u32) as usize));
        }
        Choice { members, scope: PrefixLength::ZERO }
    }
}
