//! Reads the history of the runs before this one.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::event::{EventKind, EventRecord};
use super::line::{EventLine, IntentLine, Line};
use super::past::{ObjectKind, Past, PastChange};
use crate::store::read_history;

/// What the history remembers at the start.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    /// The latest events without long texts, oldest first.
    pub(crate) events: Vec<Arc<EventRecord>>,
    /// The latest changes, oldest first.
    pub(crate) changes: Vec<PastChange>,
}

/// Reads lines one after the other.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) past: Past,
    /// The latest events; those with a number may turn out to be not made.
    latest: VecDeque<(Option<u64>, Arc<EventRecord>)>,
    /// How many events `latest` may have.
    most: usize,
    /// Changes of which nothing says yet whether they were made.
    open: HashMap<u64, (IntentLine, Arc<EventRecord>)>,
    pub(super) last_number: u64,
    pub(super) events: usize,
    pub(super) bytes: u64,
    /// Lines that are damaged, or were written by another version.
    pub(super) damaged: usize,
}

impl Reading {
    /// Reads a file and keeps this many events.
    pub(super) fn of(path: &Path, most: usize) -> io::Result<Reading> {
        let mut reading = Reading { most, ..Reading::default() };
        read_history(path, |line| reading.take(line))?;
        Ok(reading)
    }

    pub(super) fn take(&mut self, text: Option<&str>) {
        let Some(line) = text.and_then(Line::read) else {
            self.damaged += 1;
            return;
        };
        match line {
            Line::Event(line) => {
                self.bytes += text.map_or(0, |text| text.len() as u64 + 1);
                self.take_event(*line);
            }
            Line::Made(number) => self.decide(number, true),
            Line::NotMade(number) => self.decide(number, false),
            Line::Change(line) => self.past.add_change(line.into()),
            Line::Reference(line) => drop(self.past.references.insert(line.into())),
        }
    }

    fn take_event(&mut self, mut line: EventLine) {
        self.events += 1;
        let intent = line.intent.take();
        let EventRecord { at, what } = line.into();
        let record = Arc::new(EventRecord { at, what: what.shortened() });
        if self.latest.len() == self.most {
            self.latest.pop_front();
        }
        self.latest.push_back((intent.as_ref().map(|intent| intent.number), Arc::clone(&record)));
        if let Some(intent) = intent {
            self.last_number = self.last_number.max(intent.number);
            self.open.insert(intent.number, (intent, record));
        }
    }

    fn decide(&mut self, number: u64, is_made: bool) {
        let Some((_, record)) = self.open.remove(&number) else { return };
        if !is_made {
            self.latest.retain(|(known, _)| *known != Some(number));
            return;
        }
        let EventKind::Changed(change) = &record.what else { return };
        if let Some(reference) = &change.caller_reference {
            self.past.references.insert((ObjectKind::of(&change.object), reference.clone()));
        }
        if let Some(submission) = &change.submission {
            self.past.add_change(PastChange { at: record.at, submission: submission.clone() });
        }
    }

    /// Decides whether the changes were made that the last run did not get to say. Returns the
    /// lines that say it now.
    pub(super) fn decide_open(&mut self, holds: &dyn Fn(&Path, Option<&str>) -> bool) -> String {
        let mut open: Vec<IntentLine> = self.open.values().map(|(intent, _)| intent.clone()).collect();
        open.sort_unstable_by_key(|intent| intent.number);
        let mut lines = String::new();
        for IntentLine { number, file, hash } in open {
            let is_made = holds(&file, hash.as_deref());
            self.decide(number, is_made);
            let line = if is_made { Line::Made(number) } else { Line::NotMade(number) };
            lines.push_str(&line.text());
        }
        lines
    }

    /// What is left of an older half of the lines when it is dropped.
    pub(super) fn into_past(self) -> Past {
        self.past
    }

    pub(super) fn restored(&self) -> Restored {
        Restored {
            events: self.latest.iter().map(|(_, record)| Arc::clone(record)).collect(),
            changes: self.past.changes.iter().cloned().collect(),
        }
    }
}
