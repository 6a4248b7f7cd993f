//! Answers queries of many simulated clients and counts the answers.
//!
//! - [`Population`]: the clients; the address of each is computed from its number and a seed.
//! - [`simulate`]: answers the queries of some clients, with the code that answers real queries.
//! - [`ClientCounts`]: how many clients of each place got each record set.

mod client_counts;
mod population;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

pub(crate) use client_counts::{ClientCounts, Outcome};
pub(crate) use population::Population;

use crate::answer::{self, AnswerStep, Owner, Query, QueryName, Requestor, SeededRng, resolve_traced};
use crate::explain::names::Names;
use crate::model::{Content, GroupKey, HostedZone, HostedZoneId, Name, RecordType, RoutingPolicy};
use crate::policy::{self, Choice, PolicyStep};
use crate::world::{World, ZoneView};
use crate::zonetree::{Found, GroupIndex};
use client_counts::Leaves;

/// A query that every client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The name.
    pub(crate) name: Name,
    /// The type.
    pub(crate) record_type: RecordType,
}

/// Each client of this range sends each query once, from its own address. `model` returns the
/// source of a zone, or a message if it is no longer available.
pub(crate) fn simulate(
    world: &World,
    model: &dyn Fn(&HostedZoneId) -> Result<Arc<HostedZone>, String>,
    subjects: &[Subject],
    population: &Population,
    clients: std::ops::Range<u64>,
    seed: u64,
) -> Result<ClientCounts, String> {
    let mut leaves = Leaves::default();
    let mut counts = ClientCounts::new(subjects.len(), population.places().len());
    let questions: Vec<QueryName> = subjects.iter().map(|subject| question(&subject.name)).collect();
    for client in clients {
        let (place, address) = population.client(client, seed);
        for (number, (subject, question)) in subjects.iter().zip(&questions).enumerate() {
            // A client has the same random draw in both runs, so that only the change makes a
            // difference.
            let rng = population::mix(population::mix(seed, client), u64::try_from(number).unwrap_or(u64::MAX));
            let seen = ask(world, question, subject.record_type, address, rng);
            for outcome in leaves.outcomes(&seen, subject, model)? {
                counts.add(number, outcome, place);
            }
        }
    }
    Ok(counts)
}

fn question(name: &Name) -> QueryName {
    let mut question = QueryName::default();
    question.set(name);
    question
}

fn ask<'w>(world: &'w World, name: &QueryName, record_type: RecordType, source: IpAddr, seed: u64) -> Seen<'w> {
    let requestor = Requestor::at(source);
    let query = Query::new(name, record_type.into(), &requestor);
    let mut seen = Seen::default();
    let _ = resolve_traced(&query, world, &mut SeededRng::new(seed), &mut seen);
    seen
}

/// Observes which record sets an answer comes from.
#[derive(Default)]
struct Seen<'w> {
    zone_view: Option<ZoneView<'w>>,
    /// The last name that was looked up, and the result.
    found: Option<(Owner<'w>, Found)>,
    /// The groups that chose for that name, through aliases, with their choices.
    path: Vec<(GroupIndex, Choice)>,
    is_over: bool,
}

impl policy::PolicyTrace for Seen<'_> {
    fn policy_step(&mut self, step: impl FnOnce() -> PolicyStep) {
        if self.is_over {
            return;
        }
        if let (PolicyStep::Chosen(choice), Some((_, chosen))) = (step(), self.path.last_mut()) {
            *chosen = choice;
        }
    }
}

impl<'w> answer::AnswerTrace<'w> for Seen<'w> {
    fn answer_step(&mut self, step: impl FnOnce() -> AnswerStep<'w>) {
        if self.is_over {
            return;
        }
        match step() {
            AnswerStep::Zone(zone_view) => self.zone_view = Some(zone_view),
            AnswerStep::Name { owner, found } => {
                self.found = Some((owner, found));
                self.path.clear();
            }
            AnswerStep::Group(group) => self.path.push((group, Choice::default())),
            AnswerStep::NegativeAnswer { .. } => {
                self.path.clear();
                self.is_over = true;
            }
            AnswerStep::Addresses => self.is_over = true,
            AnswerStep::Client { .. } | AnswerStep::Alias { .. } => {}
        }
    }
}

/// The names in public zones whose routing policy is not simple, in the order of the files; those
/// of traffic policy instances come last. Names that only aliases of such names point to are left
/// out.
pub(crate) fn names_with_policies<'z>(zones: impl IntoIterator<Item = &'z HostedZone>) -> Vec<Subject> {
    zones.into_iter().filter(|zone| !zone.is_private()).flat_map(names_with_policies_in).collect()
}

fn names_with_policies_in(zone: &HostedZone) -> Vec<Subject> {
    let sets = || zone.answered_sets().filter(|set| set.routing_policy != RoutingPolicy::Simple);
    let branches: HashSet<(&Name, RecordType)> = sets()
        .filter_map(|set| match &set.content {
            Content::Alias(target) => Some((&target.name, set.record_type)),
            Content::Records { .. } => None,
        })
        .collect();
    let mut seen = HashSet::new();
    let trees = sets().map(|set| (&set.name, set.record_type)).filter(|owner| !branches.contains(owner));
    let new = trees.filter(|owner| seen.insert(*owner));
    new.map(|(name, record_type)| Subject { name: name.clone(), record_type }).collect()
}

/// The last group of the way.
fn group_of(seen: &Seen<'_>, subject: &Subject, names: &Names<'_>, zone_view: &ZoneView<'_>) -> Option<GroupKey> {
    let (owner, found) = seen.found?;
    let at = match (found, owner) {
        (Found::Name(node) | Found::Wildcard(node) | Found::Delegation(node), _) => names.of_node(zone_view.zone, node),
        (Found::Nothing, _) => subject.name.clone(),
    };
    let (first, way) = seen.path.split_first()?;
    let mut group = GroupKey::in_zone(at, zone_view.zone.record_type(first.0));
    let mut before = first;
    for step in way {
        // Of several groups at a name, for ANY, only the last counts.
        if let Some(target) = before.1.members.first().and_then(|&member| names.alias_target(&group, member)) {
            group = target;
        }
        before = step;
    }
    Some(group)
}
