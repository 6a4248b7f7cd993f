//! Counts of answers by query, record set and place.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Seen, Subject, group_of};
use crate::explain::names::Names;
use crate::model::{HostedZone, HostedZoneId};
use crate::zonetree::{GroupIndex, Zone};

/// What a client received.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// A record set: owner, type, set identifier, values.
    Records(String, String, Option<String>, Vec<String>),
    /// No records: there is nothing for this client, or no such name.
    Nothing,
}

/// How many clients of each place got each outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientCounts {
    places: usize,
    subjects: Vec<BTreeMap<Arc<Outcome>, Vec<u64>>>,
}

impl ClientCounts {
    pub(super) fn new(subjects: usize, places: usize) -> ClientCounts {
        ClientCounts { places, subjects: vec![BTreeMap::new(); subjects] }
    }

    pub(super) fn add(&mut self, subject: usize, outcome: &Arc<Outcome>, place: usize) {
        let counts = self.subjects[subject].entry(Arc::clone(outcome));
        counts.or_insert_with(|| vec![0; self.places])[place] += 1;
    }

    /// Adds the counts of other clients of the same population.
    pub(crate) fn merge(&mut self, other: ClientCounts) {
        for (mine, theirs) in self.subjects.iter_mut().zip(other.subjects) {
            for (outcome, counts) in theirs {
                let own = mine.entry(outcome).or_insert_with(|| vec![0; counts.len()]);
                own.iter_mut().zip(counts).for_each(|(own, more)| *own += more);
            }
        }
    }

    /// The outcomes of query number `subject`, by place.
    pub(crate) fn of(&self, subject: usize) -> impl Iterator<Item = (&Outcome, &[u64])> {
        self.subjects[subject].iter().map(|(outcome, counts)| (&**outcome, counts.as_slice()))
    }
}

/// The outcomes behind the numbers of groups, each looked up once.
#[derive(Default)]
pub(super) struct Leaves {
    zones: HashMap<*const Zone, Arc<HostedZone>>,
    known: HashMap<(*const Zone, GroupIndex), Vec<Arc<Outcome>>>,
    nothing: Option<Arc<Outcome>>,
    /// What the last answer came to.
    outcomes: Vec<Arc<Outcome>>,
}

impl Leaves {
    pub(super) fn outcomes(
        &mut self,
        seen: &Seen<'_>,
        subject: &Subject,
        model: &dyn Fn(&HostedZoneId) -> Result<Arc<HostedZone>, String>,
    ) -> Result<&[Arc<Outcome>], String> {
        self.outcomes.clear();
        let chosen = seen.path.last().filter(|(_, choice)| !choice.members.is_empty());
        let (Some(zone_view), Some((group, choice))) = (&seen.zone_view, chosen) else {
            let nothing = self.nothing.get_or_insert_with(|| Arc::new(Outcome::Nothing));
            self.outcomes.push(Arc::clone(nothing));
            return Ok(&self.outcomes);
        };
        let zone: *const Zone = zone_view.zone;
        if !self.known.contains_key(&(zone, *group)) {
            let hosted = match self.zones.get(&zone) {
                Some(hosted) => Arc::clone(hosted),
                None => model(zone_view.zone.id())?,
            };
            let names = Names(&hosted);
            let sets = group_of(seen, subject, &names, zone_view).map(|group| names.sets(&group)).unwrap_or_default();
            let outcomes = sets.into_iter().map(|set| {
                let values = set.content.values().iter().map(ToString::to_string).collect();
                let (name, record_type) = (set.name.to_string(), set.record_type.to_string());
                Arc::new(Outcome::Records(name, record_type, set.set_identifier.clone(), values))
            });
            self.known.insert((zone, *group), outcomes.collect());
            self.zones.insert(zone, hosted);
        }
        let known = &self.known[&(zone, *group)];
        self.outcomes.extend(choice.members.iter().filter_map(|&member| known.get(usize::from(member)).cloned()));
        Ok(&self.outcomes)
    }
}
