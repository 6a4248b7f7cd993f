//! Multivalue answer routing: up to eight healthy members at random.

use arrayvec::ArrayVec;

use super::{Candidates, Choice, Dice, Draw, DrawBy, Note, Trace};
use crate::model::MAX_MEMBERS;

/// Route 53 answers with up to eight healthy records (Developer Guide, "Multivalue answer routing").
pub(super) const MAX_ANSWERS: usize = 8;

/// All members are alike.
#[derive(Debug, PartialEq)]
pub struct Multivalue;

impl Multivalue {
    /// Eight of the healthy ones, or all when there are no more; eight of all when none is healthy. In random order.
    #[expect(clippy::unused_self, reason = "policies are chosen by in one shape")]
    pub(super) fn choose<T: Trace>(&self, candidates: Candidates<'_>, dice: &mut Dice, trace: &mut T) -> Choice {
        let all = || candidates.all().take(MAX_MEMBERS);
        let mut drawn: ArrayVec<u16, MAX_MEMBERS> = all().filter(|&member| candidates.is_usable(member)).collect();
        if drawn.is_empty() && candidates.fails_open() {
            drawn.extend(all());
        }
        let count = drawn.len().min(MAX_ANSWERS);
        trace.note(|| {
            let tickets = drawn.iter().map(|&member| (member, 1)).collect();
            Note::Draw(Draw { by: DrawBy::Evenly, tickets, winners: count })
        });
        draw_to_the_front(&mut drawn, count, dice);
        Choice { members: drawn.into_iter().take(count).collect(), scope: 0 }
    }
}

/// The first `count` steps of a Fisher-Yates shuffle.
fn draw_to_the_front(members: &mut [u16], count: usize, dice: &mut Dice) {
    for at in 0..count {
        let left = u32::try_from(members.len() - at).expect("a group has at most a hundred members");
        members.swap(at, at + dice.below(left) as usize);
    }
}
