//! A channel: carries records of one kind from all workers to one thread and counts the outcome.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::log_limit::LogLimit;

use super::ring::{Drops, RingInlet, RingOutlet, ring};

/// How often empty rings are polled. It costs a thousandth of a core.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// Maximum records taken from one worker before the next worker.
const IN_A_ROW: usize = 4096;

/// The destination of records.
pub(super) trait Sink: Send + 'static {
    /// Takes a record. Output may wait until `flush`.
    fn take(&mut self, record: &[u8]);

    /// Writes the records taken so far and maintains the connection or file. It is also called if
    /// there are no records. Returns the outcome of the records since the last call.
    fn flush(&mut self) -> Outcome;

    /// Ends the output. Everything was flushed before.
    fn finish(&mut self) {}
}

/// The outcome of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) delivered: u64,
    pub(super) lost: u64,
    /// Whether the destination accepts records.
    pub(super) connected: bool,
}

/// Counts of records since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Written to the file or the reader.
    pub delivered: u64,
    /// Dropped by workers because their ring was full.
    pub dropped_full: u64,
    /// Lost because the file or the reader did not accept them.
    pub dropped_write: u64,
    /// Whether the file is open or the reader is connected.
    pub connected: bool,
}

/// Workers put records in; one thread passes them to the sink.
pub(super) struct Channel {
    name: &'static str,
    /// Rings that the thread has not taken over yet.
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
    /// Starts a channel with a thread of this name that serves `sink`.
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

    /// The inlet of another worker, with a ring of this size.
    pub(super) fn inlet(&self, octets: usize) -> RingInlet {
        let (inlet, outlet, drops) = ring(octets);
        locked(&self.incoming).push(outlet);
        locked(&self.drops).push(drops);
        inlet
    }

    /// Counts of records since the start.
    pub(super) fn totals(&self) -> Totals {
        Totals {
            delivered: self.delivered.load(Ordering::Relaxed),
            dropped_full: locked(&self.drops).iter().map(|drops| drops.read()).sum(),
            dropped_write: self.lost.load(Ordering::Relaxed),
            connected: self.connected.load(Ordering::Relaxed),
        }
    }

    /// Lets the thread end when the rings are empty.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits until the thread has ended, at most until `end`.
    pub(super) fn wait_until(&self, end: Instant) {
        let timeout = end.saturating_duration_since(Instant::now());
        let waited = self.end.wait_timeout_while(locked(&self.ended), timeout, |ended| !*ended);
        if waited.is_ok_and(|(_, timeout)| timeout.timed_out()) {
            tracing::warn!("{}: stopped before all records were written", self.name);
        }
    }

    fn serve(&self, mut sink: impl Sink) {
        let (mut rings, mut record) = (Vec::new(), Vec::new());
        let mut drop_log = DropLog::default();
        loop {
            // Read before the rings, so that no record from before the stop is missed.
            let stop = self.stop.load(Ordering::Relaxed);
            rings.append(&mut locked(&self.incoming));
            let taken: usize = rings.iter_mut().map(|ring| take_some(ring, &mut sink, &mut record)).sum();
            self.note(sink.flush());
            drop_log.update(self);
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
    // A panic leaves no inconsistent state.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Logs the number of dropped records once a minute, so that senders cannot fill the log.
#[derive(Default)]
struct DropLog {
    limit: LogLimit,
    /// The number of dropped records in the last log line.
    logged: u64,
}

impl DropLog {
    fn update(&mut self, channel: &Channel) {
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

    /// Keeps the records. `pause` makes it slow.
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
