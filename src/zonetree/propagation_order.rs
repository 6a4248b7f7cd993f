//! The order in which the groups of a zone are propagated, and what is computed in that order while
//! the zone is compiled: alias loops, lowest TTLs, groups with health, numbers of bits.

use super::{Content, Group, GroupIndex, Member, count};
use crate::policy::ZoneBit;

/// All listed groups by number, each after the groups its aliases point to. An alias that would
/// close a loop loses its target: following it would never end.
pub(super) fn targets_first(groups: &[Group], members: &mut [Member]) -> Vec<u32> {
    let mut order = Vec::with_capacity(groups.len());
    let mut states = vec![State::Unseen; groups.len()];
    let mut path = Vec::new();
    for start in 0..groups.len() {
        path.push((start, 0));
        while let Some((group, step)) = path.pop() {
            let state = &mut states[group];
            if step == 0 && *state != State::Unseen {
                continue;
            }
            *state = State::Open;
            match next_target(&groups[group], members, step) {
                Some((member, target, next)) => {
                    path.push((group, next));
                    match states[target] {
                        State::Open => drop_target(&mut members[member as usize]),
                        State::Unseen => path.push((target, 0)),
                        State::Done => {}
                    }
                }
                None => {
                    states[group] = State::Done;
                    order.push(count(group));
                }
            }
        }
    }
    order
}

/// Visits each group once, targets first. Aliases can share targets many times over, and following
/// each path would never end.
pub(super) fn note_least_ttls(
    order: &[u32],
    groups: &mut [Group],
    members: &[Member],
    plain_ttl: &dyn Fn(GroupIndex) -> u32,
) {
    for &group in order {
        let ttl = |member: &Member| match member.content {
            Content::Leaf { ttl, .. } | Content::Cname { ttl, .. } => Some(ttl),
            Content::Alias { target, .. } => target.map(|target| match target.listed() {
                Some(number) => groups[number].least_ttl,
                None => plain_ttl(target),
            }),
            Content::NoData => None,
        };
        let least = members[groups[group as usize].member_range()].iter().filter_map(ttl).min();
        groups[group as usize].least_ttl = least.unwrap_or(0);
    }
}

/// The groups with health, in the same order.
pub(super) fn with_health(mut order: Vec<u32>, groups: &[Group], members: &[Member]) -> Vec<u32> {
    let mut alive = vec![false; groups.len()];
    order.retain(|&group| {
        let range = groups[group as usize].member_range();
        alive[group as usize] = members[range].iter().any(|member| has_health(member, &alive));
        alive[group as usize]
    });
    order
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Unseen,
    Open,
    Done,
}

/// The first member from number `step` on that is an alias to a listed group: member, target, and
/// the next step.
fn next_target(group: &Group, members: &[Member], step: u32) -> Option<(u32, usize, u32)> {
    group.members.clone().skip(step as usize).find_map(|member| match members[member as usize].content {
        Content::Alias { target: Some(target), .. } => {
            Some((member, target.listed()?, member - group.members.start + 1))
        }
        _ => None,
    })
}

fn drop_target(member: &mut Member) {
    if let Content::Alias { target, .. } = &mut member.content {
        *target = None;
    }
}

/// Whether a member can ever be unhealthy. `alive` has the result for the listed groups before it;
/// a plain group never is.
fn has_health(member: &Member, alive: &[bool]) -> bool {
    let target = match member.content {
        Content::Alias { target: None, .. } => true,
        Content::Alias { target: Some(target), evaluate_target_health: true } => {
            target.listed().is_some_and(|number| alive[number])
        }
        _ => false,
    };
    target || member.check.is_some()
}

/// Assigns each group with health its range of usable bits and returns the total number of bits.
pub(super) fn number_bits(propagation_order: &[u32], groups: &mut [Group]) -> u32 {
    let mut next = 0;
    for &group in propagation_order {
        let group = &mut groups[group as usize];
        group.first_bit = ZoneBit(next);
        next += count(group.members.len());
    }
    next
}
