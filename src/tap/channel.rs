//! One kind of records from all workers to one thread, and what became of them.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::log_limit::LogLimit;

use super::ring::{Drops, RingInlet, RingOutlet, ring};

/// How often the rings are looked into when they are empty. Nobody reads a log faster, and it costs a thousandth of a core.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// Records of one worker in a row, before the next one's turn.
const IN_A_ROW: usize = 4096;

/// What a thread does with records.
pub(super) trait Sink: Send + 'static {
    /// Takes a record in. What it makes of it may wait until `flush`.
    fn take(&mut self, record: &[u8]);

    /// Lets what was taken in go out, and looks after what it goes to; called when there is nothing, too. Returns what came
    /// of the records since the last time.
    fn flush(&mut self) -> Outcome;

    /// The end: what was flushed is all.
    fn finish(&mut self) {}
}

/// What came of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) delivered: u64,
    pub(super) lost: u64,
    /// Whether what it goes to takes anything.
    pub(super) connected: bool,
}

/// What became of records so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Handed to the file or the reader.
    pub delivered: u64,
    /// Dropped by workers, whose ring was full.
    pub dropped_full: u64,
    /// Lost, since the file or the reader did not take them.
    pub dropped_write: u64,
    /// Whether the file is open, the reader connected.
    pub connected: bool,
}

/// The channel.
pub(super) struct Channel {
    name: &'static str,
    /// Rings that the thread does not know yet.
    incoming: Mutex<Vec<RingOutlet>>,
    drops: Mutex<Vec<Arc<Drops>>>,
    delivered: AtomicU64,
    lost: AtomicU64,
    connected: AtomicBool,
    stop: AtomicBool,
    ended: Mutex<bool>,
    end: Condvar,
}

impl Channel {
    /// A channel with a thread of this name, which serves `sink`.
    pub(super) fn start(name: &'static str, sink: impl Sink) -> io::Result<Arc<Channel>> {
        let channel = Arc::new(Channel {
            name,
            incoming: Mutex::default(),
            drops: Mutex::default(),
            delivered: AtomicU64::default(),
            lost: AtomicU64::default(),
            connected: AtomicBool::default(),
            stop: AtomicBool::default(),
            ended: Mutex::default(),
            end: Condvar::new(),
        });
        let served = Arc::clone(&channel);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || served.serve(sink))?;
        Ok(channel)
    }

    /// Another worker's end.
    pub(super) fn inlet(&self, octets: usize) -> RingInlet {
        let (inlet, outlet, drops) = ring(octets);
        locked(&self.incoming).push(outlet);
        locked(&self.drops).push(drops);
        inlet
    }

    /// What became of records so far.
    pub(super) fn totals(&self) -> Totals {
        Totals {
            delivered: self.delivered.load(Ordering::Relaxed),
            dropped_full: locked(&self.drops).iter().map(|drops| drops.read()).sum(),
            dropped_write: self.lost.load(Ordering::Relaxed),
            connected: self.connected.load(Ordering::Relaxed),
        }
    }

    /// Lets the thread end once the rings are empty.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits for the thread's end until `end`.
    pub(super) fn wait_until(&self, end: Instant) {
        let patience = end.saturating_duration_since(Instant::now());
        let waited = self.end.wait_timeout_while(locked(&self.ended), patience, |ended| !*ended);
        if waited.is_ok_and(|(_, timeout)| timeout.timed_out()) {
            tracing::warn!("the {} still had something to write", self.name);
        }
    }

    fn serve(&self, mut sink: impl Sink) {
        let (mut rings, mut record) = (Vec::new(), Vec::new());
        let mut complaints = LogOnce::default();
        loop {
            // Before the look, so that nothing that was put in before the stop is overlooked.
            let stop = self.stop.load(Ordering::Relaxed);
            rings.append(&mut locked(&self.incoming));
            let taken: usize = rings.iter_mut().map(|ring| take_some(ring, &mut sink, &mut record)).sum();
            self.note(sink.flush());
            complaints.hear(self);
            if taken == 0 {
                if stop {
                    break;
                }
                rings.retain(|ring: &RingOutlet| !ring.is_over());
                std::thread::sleep(LOOK_INTERVAL);
            }
        }
        sink.finish();
        *locked(&self.ended) = true;
        self.end.notify_all();
    }

    fn note(&self, outcome: Outcome) {
        self.delivered.fetch_add(outcome.delivered, Ordering::Relaxed);
        self.lost.fetch_add(outcome.lost, Ordering::Relaxed);
        self.connected.store(outcome.connected, Ordering::Relaxed);
    }
}

fn take_some(ring: &mut RingOutlet, sink: &mut impl Sink, record: &mut Vec<u8>) -> usize {
    let mut taken = 0;
    while taken < IN_A_ROW && ring.take(record) {
        sink.take(record);
        taken += 1;
    }
    taken
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked left nothing half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says once a minute how many were dropped: a log that senders can fill helps nobody.
#[derive(Default)]
struct LogOnce {
    limit: LogLimit,
    /// How many were dropped by the last line.
    logged: u64,
}

impl LogOnce {
    fn hear(&mut self, channel: &Channel) {
        let totals = channel.totals();
        let dropped = totals.dropped_full + totals.dropped_write;
        let (new, name) = (dropped - self.logged, channel.name);
        if new > 0 && self.limit.admit(name).is_some() {
            tracing::warn!(new, dropped, "{name}: {new} records could not be written in time and are lost");
            self.logged = dropped;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Remembers what it is given; is slow when it is told to be.
    struct Memory {
        kept: Arc<Mutex<Vec<u8>>>,
        new: u64,
        pause: Duration,
    }

    impl Sink for Memory {
        fn take(&mut self, record: &[u8]) {
            locked(&self.kept).push(record[0]);
            self.new += 1;
        }

        fn flush(&mut self) -> Outcome {
            std::thread::sleep(self.pause);
            Outcome { delivered: std::mem::take(&mut self.new), lost: 0, connected: true }
        }
    }

    fn start(pause: Duration) -> (Arc<Channel>, Arc<Mutex<Vec<u8>>>) {
        let kept = Arc::new(Mutex::default());
        let sink = Memory { kept: Arc::clone(&kept), new: 0, pause };
        (Channel::start("test", sink).unwrap(), kept)
    }

    #[test]
    fn everything_comes_out_before_the_end() {
        let (channel, kept) = start(Duration::ZERO);
        let mut inlets = [channel.inlet(1000), channel.inlet(1000)];
        for number in 0..10 {
            inlets.iter_mut().for_each(|inlet| inlet.put([&[number], &[], &[]]));
        }
        channel.stop();
        channel.wait_until(Instant::now() + Duration::from_secs(30));
        let mut kept = locked(&kept).clone();
        kept.sort_unstable();
        assert_eq!(kept, (0..10).flat_map(|number| [number, number]).collect::<Vec<_>>());
        assert_eq!(channel.totals(), Totals { delivered: 20, connected: true, ..Totals::default() });
    }

    #[test]
    fn a_slow_sink_costs_records_and_never_a_worker_time() {
        let (channel, _kept) = start(Duration::from_millis(300));
        let mut inlet = channel.inlet(200);
        let began = Instant::now();
        (0..100_000).for_each(|_| inlet.put([&[1; 16], &[], &[]]));
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        let totals = channel.totals();
        assert!(totals.dropped_full > 90_000, "{totals:?}");
        channel.stop();
        channel.wait_until(Instant::now() + Duration::from_secs(30));
        let totals = channel.totals();
        assert_eq!(totals.delivered + totals.dropped_full, 100_000);
    }
}
