//! The query log: one line per query, in the format of Route 53 or as JSON.
//!
//! - `record`: the fields of a query, as octets.
//! - `filter`: which queries are logged.
//! - `line`: a record as text.
//! - `file`: where lines go, and rotation.

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

/// The inlet of a worker.
pub(super) struct Inlet {
    ring: RingInlet,
    filter: Arc<Filter>,
    sampler: Sampler,
}

/// The sink: formats records and writes them.
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

    /// Records a query, if the filter matches.
    pub(super) fn record(&mut self, at: Duration, event: &QueryEvent<'_>) {
        if !self.filter.passes(event) || !self.sampler.takes() {
            return;
        }
        let mut octets = [0; record::MOST_OCTETS];
        let length = Record::of(at, event).write(&mut octets);
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
        self.lines.reopen_if_moved();
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
