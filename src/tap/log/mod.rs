//! The query log: a line a query, in Route 53's own form or as JSON.
//!
//! - `record`: what a worker knows of a query, as octets.
//! - `filter`: which queries are logged.
//! - `line`: a record in words.
//! - `file`: where lines go, and that files are moved away.

mod file;
mod filter;
mod line;
mod record;

use std::sync::Arc;
use std::time::Duration;

use crate::config::{QueryLogFormat, QueryLogSettings, QueryLogTarget};

use super::channel::{Outcome, Sink};
use super::ring::RingInlet;
use super::{QueryEvent, Sampler};

use file::Lines;
pub(super) use filter::Filter;
use record::Record;

/// The worker's end.
pub(super) struct Inlet {
    ring: RingInlet,
    filter: Arc<Filter>,
    sampler: Sampler,
}

/// The thread's part: puts records into words and writes them.
pub(super) struct Writer {
    format: QueryLogFormat,
    edge: String,
    lines: Lines,
    words: String,
    count: u64,
}

impl Inlet {
    pub(super) fn new(ring: RingInlet, filter: Arc<Filter>) -> Inlet {
        let sampler = Sampler::new(filter.sample());
        Inlet { ring, filter, sampler }
    }

    /// Tells of a query, if it is to be logged.
    pub(super) fn tell(&mut self, at: Duration, told: &QueryEvent<'_>) {
        if !self.filter.passes(told) || !self.sampler.takes() {
            return;
        }
        let mut octets = [0; record::MOST_OCTETS];
        let length = Record::of(at, told).write(&mut octets);
        self.ring.put([&octets[..length], &[], &[]]);
    }
}

impl Writer {
    pub(super) fn new(settings: &QueryLogSettings, identity: &str) -> Writer {
        let lines = match &settings.target {
            QueryLogTarget::Stdout => Lines::to_stdout(),
            QueryLogTarget::File(path) => Lines::to_file(path),
        };
        Writer { format: settings.format, edge: line::word(identity), lines, words: String::new(), count: 0 }
    }
}

impl Sink for Writer {
    fn take(&mut self, record: &[u8]) {
        let Some(record) = Record::read(record) else { return };
        match self.format {
            QueryLogFormat::Route53 => line::route53(&record, &self.edge, &mut self.words),
            QueryLogFormat::Json => line::json(&record, &self.edge, &mut self.words),
        }
        self.count += 1;
    }

    fn flush(&mut self) -> Outcome {
        let count = std::mem::take(&mut self.count);
        self.lines.look_after();
        let written = self.words.is_empty() || self.lines.write(&self.words);
        self.words.clear();
        let connected = self.lines.is_open();
        if written {
            Outcome { delivered: count, lost: 0, connected }
        } else {
            Outcome { delivered: 0, lost: count, connected }
        }
    }
}
