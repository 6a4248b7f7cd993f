//! The result of a simulation as text and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Run, Simulation};
use crate::cli::paint::{Colour, Paint};
use crate::simulate::Outcome;

/// The most places that are shown, those with the most clients first.
const MOST_PLACES: usize = 12;
/// The most record sets of one name that are shown.
const MOST_RECORDS: usize = 30;

/// A record set: its name, its values, its clients before and after.
type Row = (String, String, [u64; 2]);

/// The answers to one question, before and after, by place.
struct Asked<'p> {
    name: String,
    /// The clients of each place, the same before and after.
    clients: Vec<u64>,
    outcomes: BTreeMap<&'p Outcome, [Vec<u64>; 2]>,
}

impl Simulation {
    fn runs(&self) -> impl Iterator<Item = &Run> {
        [Some(&self.before), self.after.as_ref()].into_iter().flatten()
    }

    fn asked(&self, subject: usize) -> Asked<'_> {
        let none = || vec![0; self.population.places().len()];
        let mut outcomes: BTreeMap<&Outcome, [Vec<u64>; 2]> = BTreeMap::new();
        for (number, run) in self.runs().enumerate() {
            for (outcome, counts) in run.counts.of(subject) {
                outcomes.entry(outcome).or_insert_with(|| [none(), none()])[number] = counts.to_vec();
            }
        }
        Asked { name: self.subjects[subject].name.to_string(), clients: self.clients_by_place(), outcomes }
    }

    fn clients_by_place(&self) -> Vec<u64> {
        let mut counts = vec![0; self.population.places().len()];
        for client in 0..self.clients {
            counts[self.population.client(client, self.seed).0] += 1;
        }
        counts
    }
}

/// The result as text.
pub(super) fn text(simulation: &Simulation, paint: Paint) -> String {
    let (places, names) = (simulation.population.places().len(), simulation.subjects.len());
    let mut out = format!(
        "{} from {} ask for {}, each once; seed {}\n",
        counted(simulation.clients, "client"),
        counted(places as u64, "place"),
        counted(names as u64, "name"),
        simulation.seed
    );
    match &simulation.after {
        Some(after) => {
            let _ = writeln!(out, "before: {}\nafter:  {}", simulation.before.seen, after.seen);
        }
        None => {
            let _ = writeln!(out, "with {}", simulation.before.seen);
        }
    }
    for (number, subject) in simulation.subjects.iter().enumerate() {
        let title = format!("{} {}", subject.name, subject.record_type);
        let _ = writeln!(out, "\n{}", paint.paint(Colour::Strong, &title));
        let asked = simulation.asked(number);
        records(&mut out, simulation, &asked, paint);
        if simulation.population.places().len() > 1 {
            let _ = writeln!(out, "{}", paint.paint(Colour::Dim, "  by place"));
            by_place(&mut out, simulation, &asked);
        }
    }
    out
}

fn records(out: &mut String, simulation: &Simulation, asked: &Asked<'_>, paint: Paint) {
    let rows: Vec<Row> = asked
        .outcomes
        .iter()
        .map(|(outcome, counts)| {
            (called(outcome, &asked.name), values(outcome), counts.clone().map(|counts| counts.iter().sum()))
        })
        .collect();
    let widest = |column: &dyn Fn(&Row) -> &str| rows.iter().map(|row| column(row).chars().count()).max().unwrap_or(0);
    let (id, value) = (widest(&|row| &row.0), widest(&|row| &row.1));
    let digits = grouped(simulation.clients).len().max("before".len());
    // Without a change there is nothing before it.
    let first = if simulation.after.is_some() { "before" } else { "clients" };
    let mut head = format!("  {:id$}  {:value$}  {first:>width$}", "", "", width = digits + 9);
    if simulation.after.is_some() {
        let _ = write!(head, "  {:>width$}  {:>7}", "after", "change", width = digits + 9);
    }
    let _ = writeln!(out, "{}", paint.paint(Colour::Dim, &head));
    for (name, values, [before, after]) in rows.iter().take(MOST_RECORDS) {
        let share = |count: u64| share(count, simulation.clients);
        let figures = |count: u64| format!("{:>digits$}  {:>7}", grouped(count), percent(share(count)));
        let mut line = format!("  {name:id$}  {values:value$}  {}", figures(*before));
        if simulation.after.is_some() {
            let change = (share(*after) - share(*before)) * 100.0;
            let colour = if change > 0.049 {
                Some(Colour::Good)
            } else if change < -0.049 {
                Some(Colour::Bad)
            } else {
                None
            };
            let change = if colour.is_some() { format!("{change:+.1}") } else { "=".to_owned() };
            let change = format!("{change:>7}");
            let change = colour.map_or_else(|| change.clone(), |colour| paint.paint(colour, &change));
            let _ = write!(line, "  {}  {change}", figures(*after));
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let more = rows.len().saturating_sub(MOST_RECORDS);
    if more > 0 {
        let _ = writeln!(out, "  and {more} more; --json has them all");
    }
}

fn by_place(out: &mut String, simulation: &Simulation, asked: &Asked<'_>) {
    let places = simulation.population.places();
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|&place| std::cmp::Reverse(asked.clients[place]));
    let shown = &order[..order.len().min(MOST_PLACES)];
    let name = shown.iter().map(|&place| places[place].chars().count()).max().unwrap_or(0);
    let digits = shown.iter().map(|&place| grouped(asked.clients[place]).len()).max().unwrap_or(0);
    for &place in shown {
        let got = |act: usize| {
            let mut got: Vec<(u64, String)> = asked
                .outcomes
                .iter()
                .map(|(outcome, counts)| (counts[act][place], called(outcome, &asked.name)))
                .filter(|(count, _)| *count > 0)
                .collect();
            got.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
            let part = |(count, name): (u64, String)| format!("{name} {}", percent(share(count, asked.clients[place])));
            let more = got.len().saturating_sub(4);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            got.into_iter().take(4).map(part).collect::<Vec<_>>().join(", ") + &more
        };
        let (before, after) = (got(0), got(1));
        let change = match simulation.after {
            Some(_) if before != after => format!("{before} → {after}"),
            _ => before,
        };
        let _ = writeln!(out, "  {:name$}  {:>digits$}  {change}", places[place], grouped(asked.clients[place]));
    }
    let more = places.len() - shown.len();
    if more > 0 {
        let _ = writeln!(out, "  and {more} more places; --json has them all");
    }
}

/// The result as JSON.
pub(super) fn json(simulation: &Simulation) -> Value {
    let names = simulation.subjects.iter().enumerate().map(|(number, subject)| {
        let asked = simulation.asked(number);
        let records: Vec<Value> =
            asked.outcomes.iter().map(|(outcome, counts)| record(simulation, outcome, counts)).collect();
        json!({ "name": subject.name.to_string(), "type": subject.record_type.to_string(), "records": records })
    });
    let clients = simulation.clients_by_place();
    let places = simulation
        .population
        .places()
        .iter()
        .zip(&clients)
        .map(|(name, clients)| json!({ "name": name, "clients": clients }));
    json!({
        "clients": simulation.clients,
        "seed": simulation.seed,
        "before": simulation.before.seen,
        "after": simulation.after.as_ref().map(|after| &after.seen),
        "places": places.collect::<Vec<_>>(),
        "names": names.collect::<Vec<_>>(),
    })
}

fn record(simulation: &Simulation, outcome: &Outcome, counts: &[Vec<u64>; 2]) -> Value {
    let figures = |counts: &Vec<u64>| {
        let clients: u64 = counts.iter().sum();
        let places: serde_json::Map<String, Value> = simulation
            .population
            .places()
            .iter()
            .zip(counts)
            .map(|(place, count)| (place.clone(), (*count).into()))
            .collect();
        json!({ "clients": clients, "share": share(clients, simulation.clients), "places": places })
    };
    let record = match outcome {
        Outcome::Records(name, record_type, id, values) => {
            json!({ "name": name, "type": record_type, "set_identifier": id, "values": values })
        }
        Outcome::Nothing => Value::Null,
    };
    json!({
        "record": record,
        "before": figures(&counts[0]),
        "after": simulation.after.as_ref().map(|_| figures(&counts[1])),
    })
}

/// A record set's identifier, with its name unless that is the queried one.
fn called(outcome: &Outcome, subject: &str) -> String {
    match outcome {
        Outcome::Records(name, _, Some(id), _) if name == subject => id.clone(),
        Outcome::Records(name, _, Some(id), _) => format!("{name} {id}"),
        Outcome::Records(name, _, None, _) => name.clone(),
        Outcome::Nothing => "(no records)".to_owned(),
    }
}

fn values(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Records(_, _, _, values) if values.len() > 2 => format!("{}, {}, …", values[0], values[1]),
        Outcome::Records(_, _, _, values) => values.join(", "),
        Outcome::Nothing => String::new(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of a hundred million clients needs no 53 bits")]
fn share(count: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { count as f64 / of as f64 }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// Such as `100 000`.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}
