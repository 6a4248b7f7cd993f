//! What clients get before and after a change.

use super::subjects::Owner;
use super::{ClientAnswers, Plan, PlannedAnswers, RecordShare, Side};
use crate::model::Name;
use crate::simulate::{ClientCounts, Outcome, Population, Subject, simulate as count};

/// The most names and types that are simulated: more make no readable text.
const MOST_NAMES: usize = 200;
/// How many clients a place has on average, at least and at most. 1000 give a share within about 3
/// percentage points in 95 of 100 cases; 20 show which records answer.
const CLIENTS: std::ops::RangeInclusive<u64> = 20..=1000;
/// The seed of the clients: the same plan twice is the same text twice.
const SEED: u64 = 53;

/// What the clients of one place get for one name: each outcome with its number of clients.
type Counts<'c> = Vec<(&'c Outcome, u64)>;

/// Simulates the clients on both sides; the plan has no objects yet.
pub(super) fn simulate(
    before: Side<'_>,
    after: Side<'_>,
    mut owners: Vec<Owner>,
    population: &Population,
    budget: u64,
) -> Result<Plan, String> {
    // Each place has enough clients; with many places, fewer names are simulated.
    let least = 2 * population.places().len() as u64 * CLIENTS.start();
    let most = usize::try_from(budget / least.max(1)).unwrap_or(MOST_NAMES).clamp(1, MOST_NAMES);
    let not_simulated = owners.len().saturating_sub(most);
    owners.truncate(most);
    let mut plan = Plan { not_simulated, places: population.places().to_vec(), ..Plan::default() };
    if owners.is_empty() {
        return Ok(plan);
    }
    let subjects: Vec<Subject> = owners.iter().map(subject).collect();
    let (names, places) = (owners.len() as u64, population.places().len() as u64);
    let clients = places * (budget / (2 * names * places)).clamp(*CLIENTS.start(), *CLIENTS.end());
    let run = |side: Side<'_>| {
        let model = |id: &_| side.config.zone_model(id).map_err(|error| error.to_string());
        count(side.world, &model, &subjects, population, 0..clients, SEED)
    };
    let (old, new) = (run(before)?, run(after)?);
    let by_place = clients_by_place(population, clients);
    for (number, (name, record_type)) in owners.iter().enumerate() {
        let groups = groups(number, &old, &new, population, &by_place);
        let (name, record_type) = (name.to_string(), record_type.to_string());
        if groups.is_empty() {
            plan.same_answers.push(format!("{name} {record_type}"));
        } else {
            plan.answers.push(PlannedAnswers { name, record_type, clients: groups });
        }
    }
    Ok(plan)
}

/// A wildcard answers for a name that does not exist.
fn subject((name, record_type): &Owner) -> Subject {
    let example = || Name::parse(&format!("any-name.{}", name.parent()?)).ok();
    let name = if name.is_wildcard() { example().unwrap_or_else(|| name.clone()) } else { name.clone() };
    Subject { name, record_type: *record_type }
}

fn clients_by_place(population: &Population, clients: u64) -> Vec<u64> {
    let mut counts = vec![0; population.places().len()];
    (0..clients).for_each(|client| counts[population.client(client, SEED).0] += 1);
    counts
}

/// Places whose clients get the same, as far as their numbers tell.
struct Group<'c> {
    places: Vec<usize>,
    clients: u64,
    before: Counts<'c>,
    after: Counts<'c>,
}

/// The places whose clients get something else, those with the same answers together.
fn groups(
    subject: usize,
    old: &ClientCounts,
    new: &ClientCounts,
    population: &Population,
    clients: &[u64],
) -> Vec<ClientAnswers> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (place, &clients) in clients.iter().enumerate().filter(|(_, clients)| **clients > 0) {
        let [before, after] = [old, new].map(|counts| of_place(counts, subject, place));
        // A client has the same random draw on both sides, so equal shares are equal counts.
        if before == after {
            continue;
        }
        let group = Group { places: vec![place], clients, before, after };
        match groups.iter_mut().find(|other| other.is_like(&group)) {
            Some(other) => other.join(group),
            None => groups.push(group),
        }
    }
    let with_clients = clients.iter().filter(|clients| **clients > 0).count();
    let answers = groups.into_iter().map(|group| ClientAnswers {
        is_everywhere: group.places.len() == with_clients,
        places: group.places.iter().map(|place| population.places()[*place].clone()).collect(),
        before: shares(&group.before, group.clients),
        after: shares(&group.after, group.clients),
    });
    answers.collect()
}

impl<'c> Group<'c> {
    /// Whether the same shares of clients explain both: the difference of two samples of `n` is
    /// below three standard deviations, which are at most the square root of 1 / (2 n) each.
    fn is_like(&self, other: &Group<'c>) -> bool {
        let least = ratio(self.clients.min(other.clients), 1);
        let tolerance = 3.0 / (2.0 * least).sqrt();
        let is_close = |(one, own): &(&Outcome, u64), (two, theirs): &(&Outcome, u64)| {
            one == two && (ratio(*own, self.clients) - ratio(*theirs, other.clients)).abs() < tolerance
        };
        let are_close = |own: &Counts<'c>, theirs: &Counts<'c>| {
            own.len() == theirs.len() && own.iter().zip(theirs).all(|(own, theirs)| is_close(own, theirs))
        };
        are_close(&self.before, &other.before) && are_close(&self.after, &other.after)
    }

    /// Adds the places of a group with the same outcomes.
    fn join(&mut self, other: Group<'c>) {
        let add = |own: &mut Counts<'c>, theirs: Counts<'c>| {
            own.iter_mut().zip(theirs).for_each(|((_, own), (_, count))| *own += count);
        };
        self.places.extend(other.places);
        self.clients += other.clients;
        add(&mut self.before, other.before);
        add(&mut self.after, other.after);
    }
}

fn of_place(counts: &ClientCounts, subject: usize, place: usize) -> Counts<'_> {
    let of_place = counts.of(subject).map(|(outcome, counts)| (outcome, counts[place]));
    of_place.filter(|(_, count)| *count > 0).collect()
}

fn shares(counts: &Counts<'_>, clients: u64) -> Vec<RecordShare> {
    counts.iter().map(|(outcome, count)| share(outcome, (ratio(*count, clients) * 1000.0).round() / 10.0)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "numbers of clients are far below 2^53")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

fn share(outcome: &Outcome, percent: f64) -> RecordShare {
    match outcome {
        Outcome::Records(name, record_type, set_identifier, values) => RecordShare {
            record_set: Some(format!("{name} {record_type}")),
            set_identifier: set_identifier.clone(),
            values: values.clone(),
            percent,
        },
        Outcome::Nothing => RecordShare { record_set: None, set_identifier: None, values: Vec::new(), percent },
    }
}
