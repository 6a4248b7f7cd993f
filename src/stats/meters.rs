//! The counters of all workers, and the names of the counted zones.
//!
//! Zones get numbers when a configuration is compiled; the query path uses only the numbers. A
//! removed zone keeps its number and its counts, so no counter ever decreases. If the zone returns,
//! its counters continue.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::worker::{MAX_ANSWERS, Stats, Totals, ZoneTotals};
use super::{AnswerNumber, ZoneNumber};

/// How many zones have their own counters: the first ones of the process. All others share one.
/// With all of them in use, a worker has 0.9 MB of counters and Prometheus gets some ten thousand
/// series, which is reasonable for one server.
pub const MAX_ZONES: usize = 1000;

/// Numbers that do not belong to a zone.
const RESERVED: usize = 2;

/// The counters of all workers.
#[derive(Debug, Default)]
pub struct Meters(Mutex<Assignments>);

#[derive(Debug, Default)]
struct Assignments {
    numbers: HashMap<Arc<str>, ZoneNumber>,
    answers: HashMap<AnswerLabels, AnswerNumber>,
    workers: Vec<Arc<Stats>>,
}

/// A snapshot of the sum of all workers.
#[derive(Clone, Debug)]
pub struct Reading {
    /// All zones together.
    pub totals: Totals,
    /// By zone, sorted by name: queries to no zone, to zones without a number, and all others.
    pub zones: Vec<ZoneReading>,
    /// How often each counted record set was chosen, sorted by name.
    pub answers: Vec<(AnswerLabels, u64)>,
}

/// The labels of a counted record set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AnswerLabels {
    /// Its zone, absolute.
    pub zone: String,
    /// Its name, absolute.
    pub name: String,
    /// The routing policy of its group.
    pub policy: &'static str,
    /// Its set identifier.
    pub target: String,
}

/// The sum of all workers for one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneReading {
    /// Its absolute name; `none` and `other` are not zones.
    pub zone: Arc<str>,
    /// Its counters.
    pub totals: ZoneTotals,
}

impl ZoneReading {
    /// Whether it belongs to one zone, whose name ends in a dot.
    pub fn is_zone(&self) -> bool {
        self.zone.ends_with('.')
    }
}

impl Meters {
    /// Counters for another worker.
    pub fn worker(&self) -> Arc<Stats> {
        let mut assignments = self.assignments();
        let stats = Arc::new(Stats::with_room_for(RESERVED + MAX_ZONES));
        assignments.numbers.values().for_each(|zone| stats.make_room(*zone));
        if !assignments.answers.is_empty() {
            stats.make_room_for_answers();
        }
        assignments.workers.push(Arc::clone(&stats));
        stats
    }

    /// The number of the zone with this absolute name. Two zones of one name, for example a private
    /// and a public one, share it.
    pub fn number(&self, zone: &str) -> ZoneNumber {
        let assignments = &mut *self.assignments();
        if let Some(number) = assignments.numbers.get(zone) {
            return *number;
        }
        if assignments.numbers.len() >= MAX_ZONES {
            return ZoneNumber::OTHER;
        }
        let number = u32::try_from(RESERVED + assignments.numbers.len()).expect("few zones are counted");
        let number = ZoneNumber(number);
        assignments.workers.iter().for_each(|stats| stats.make_room(number));
        assignments.numbers.insert(zone.into(), number);
        number
    }

    /// The number of a record set to count; `None` if all are assigned. A and AAAA of one name and
    /// set identifier share it.
    pub fn answer_number(&self, labels: AnswerLabels) -> Option<AnswerNumber> {
        let assignments = &mut *self.assignments();
        if let Some(number) = assignments.answers.get(&labels) {
            return Some(*number);
        }
        let number = u32::try_from(assignments.answers.len()).ok().filter(|number| (*number as usize) < MAX_ANSWERS)?;
        assignments.workers.iter().for_each(|stats| stats.make_room_for_answers());
        assignments.answers.insert(labels, AnswerNumber(number));
        Some(AnswerNumber(number))
    }

    /// Adds up the counters of all workers.
    pub fn read(&self) -> Reading {
        let assignments = self.assignments();
        let mut zones = vec![ZoneTotals::default(); RESERVED + assignments.numbers.len()];
        for stats in &assignments.workers {
            stats.each_zone(|number, totals| zones[number.0 as usize] += totals);
        }
        let named = assignments.numbers.iter().map(|(zone, number)| (Arc::clone(zone), *number));
        let reserved = [("none".into(), ZoneNumber::NONE), ("other".into(), ZoneNumber::OTHER)];
        let mut zones: Vec<ZoneReading> = reserved
            .into_iter()
            .chain(named)
            .map(|(zone, number)| ZoneReading { zone, totals: zones[number.0 as usize] })
            .collect();
        zones.sort_unstable_by(|one, other| one.zone.cmp(&other.zone));
        let mut counts = vec![0; assignments.answers.len()];
        for stats in &assignments.workers {
            counts.iter_mut().zip(stats.answers()).for_each(|(sum, count)| *sum += count);
        }
        let answers = assignments.answers.iter().map(|(labels, number)| (labels.clone(), counts[number.0 as usize]));
        let mut answers: Vec<_> = answers.collect();
        answers.sort_unstable();
        Reading { answers, totals: assignments.workers.iter().map(|stats| stats.totals()).sum(), zones }
    }

    fn assignments(&self) -> MutexGuard<'_, Assignments> {
        // A panic leaves no inconsistent state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;

    use crate::model::QueryType;
    use crate::requestor::Requestor;
    use crate::stats::Counted;

    fn count(stats: &Stats, zone: ZoneNumber) {
        let requestor = Requestor::at(Ipv6Addr::LOCALHOST.into());
        stats.count(&Counted { zone, requestor: &requestor, qtype: QueryType(28), response_code: 0 });
    }

    fn responses(meters: &Meters) -> Vec<(String, u64)> {
        let zones = meters.read().zones;
        zones.iter().map(|zone| (zone.zone.to_string(), zone.totals.responses[0])).collect()
    }

    #[test]
    fn each_zone_is_counted_apart_whenever_it_came() {
        let meters = Meters::default();
        let early = meters.number("early.test.");
        let workers = [meters.worker(), meters.worker()];
        let late = meters.number("late.test.");
        assert_eq!(meters.number("early.test."), early);
        for zone in [early, late, late, ZoneNumber::NONE] {
            workers.iter().for_each(|stats| count(stats, zone));
        }
        let expected = [("early.test.", 2), ("late.test.", 4), ("none", 2), ("other", 0)];
        assert_eq!(responses(&meters), expected.map(|(zone, count)| (zone.to_owned(), count)));
        assert_eq!(meters.read().totals.udp_queries, 8);
    }

    #[test]
    fn zones_beyond_the_limit_are_counted_as_one() {
        let meters = Meters::default();
        let stats = meters.worker();
        let numbers: Vec<ZoneNumber> = (0..=MAX_ZONES).map(|zone| meters.number(&format!("{zone}.test."))).collect();
        assert_eq!(numbers[MAX_ZONES], ZoneNumber::OTHER);
        assert_ne!(numbers[MAX_ZONES - 1], ZoneNumber::OTHER);
        numbers.iter().for_each(|zone| count(&stats, *zone));
        let read = meters.read();
        assert_eq!((read.zones.len(), read.totals.udp_queries), (MAX_ZONES + 2, MAX_ZONES as u64 + 1));
        assert!(responses(&meters).contains(&("other".to_owned(), 1)));
    }

    #[test]
    fn chosen_record_sets_are_counted_one_by_one() {
        let meters = Meters::default();
        let labels = |target: &str| AnswerLabels {
            zone: "lab.test.".to_owned(),
            name: "app.lab.test.".to_owned(),
            policy: "weighted",
            target: target.to_owned(),
        };
        let early = meters.worker();
        let [blue, green] = ["blue", "green"].map(|target| meters.answer_number(labels(target)).unwrap());
        let late = meters.worker();
        assert_eq!(meters.answer_number(labels("blue")), Some(blue));
        early.count_answers(&[blue, green]);
        late.count_answers(&[green]);
        assert_eq!(meters.read().answers, [(labels("blue"), 1), (labels("green"), 2)]);
        let numbers = (2..MAX_ANSWERS).filter_map(|target| meters.answer_number(labels(&target.to_string())));
        assert_eq!(numbers.count(), MAX_ANSWERS - 2);
        assert_eq!(meters.answer_number(labels("one too many")), None);
    }

    #[test]
    fn counters_without_meters_tell_no_zones_apart() {
        let (meters, stats) = (Meters::default(), Stats::default());
        count(&stats, meters.number("lab.test."));
        assert_eq!(stats.totals().responses[0], 1);
    }
}
