//! dnstap: sends queries and responses in wire format to a reader that listens on a socket.
//!
//! Each query makes two messages, AUTH_QUERY and AUTH_RESPONSE, in Protocol Buffers (dnstap.info)
//! over Frame Streams.
//!
//! - `record`: an exchange as octets, copied into the ring by workers.
//! - `message`: the same as dnstap messages.
//! - `stream`: Frame Streams over a Unix or TCP socket, with reconnection.

mod message;
mod record;
mod stream;

use std::time::Duration;

use crate::config::DnstapSettings;

use super::channel::{Outcome, Sink};
use super::ring::RingInlet;
use super::{Exchange, Sampler, now};

use message::Sender as Identity;
use record::Record;
use stream::Stream;

/// Frames are sent when they have this many octets.
const FLUSH_OCTETS: usize = 256 * 1024;

/// The inlet of a worker.
pub(super) struct Inlet {
    ring: RingInlet,
    sampler: Sampler,
}

/// The sink: encodes frames and sends them.
pub(super) struct Sender {
    identity: Identity,
    stream: Stream,
    frames: Vec<u8>,
    /// The number of frames in `frames`.
    waiting: u64,
    outcome: Outcome,
}

impl Inlet {
    pub(super) fn new(ring: RingInlet, sample: u32) -> Inlet {
        Inlet { ring, sampler: Sampler::new(sample) }
    }

    /// Records an exchange, if the sample includes it.
    pub(super) fn record(&mut self, queried: Duration, exchange: &Exchange<'_>) {
        if !self.sampler.takes() {
            return;
        }
        let head = Record { queried, responded: now(), exchange: *exchange }.head();
        self.ring.put([&head, exchange.query, exchange.response]);
    }
}

impl Sender {
    pub(super) fn new(settings: &DnstapSettings, identity: &str) -> Sender {
        let identity = settings.identity.as_deref().unwrap_or(identity);
        Sender {
            identity: Identity::new(identity),
            stream: Stream::new(settings.target.clone()),
            frames: Vec::new(),
            waiting: 0,
            outcome: Outcome::default(),
        }
    }

    fn send(&mut self) {
        let sent = self.waiting > 0 && self.stream.send(&self.frames);
        let count = std::mem::take(&mut self.waiting);
        self.frames.clear();
        if sent {
            self.outcome.delivered += count;
        } else {
            self.outcome.lost += count;
        }
    }
}

impl Sink for Sender {
    fn take(&mut self, record: &[u8]) {
        let Some(record) = Record::read(record) else { return };
        self.waiting += self.identity.frames(&record, &mut self.frames);
        if self.frames.len() >= FLUSH_OCTETS {
            self.send();
        }
    }

    fn flush(&mut self) -> Outcome {
        self.stream.connect_if_due();
        self.send();
        self.outcome.connected = self.stream.is_connected();
        std::mem::take(&mut self.outcome)
    }

    fn finish(&mut self) {
        self.stream.finish();
    }
}
