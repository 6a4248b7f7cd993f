//! The log line about responses over the limit, written off the query path.
//!
//! Workers put networks that are over their limit into small rings. If a ring is full, the rest is
//! left out: what arrives is a sample, and the network that is in it most often is probably the
//! worst.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::warn;

use crate::stats::Meters;

/// How often the rings are emptied.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// At most one line is logged in this time, as in Knot DNS.
const LOG_INTERVAL: Duration = Duration::from_secs(30);
/// How many networks a worker can report between two looks.
const SAMPLES: usize = 64;
/// How many networks are counted in a log interval. A flood cannot make the sample larger.
const MOST_NETWORKS: usize = 4096;

/// The rings of all workers.
#[derive(Default)]
pub(super) struct Reports(Mutex<Vec<rtrb::Consumer<IpNet>>>);

/// The ring of one worker.
pub(super) struct Inlet(rtrb::Producer<IpNet>);

impl Inlet {
    /// Reports a network that is over its limit.
    pub(super) fn report(&mut self, network: IpNet) {
        // Without space it is left out.
        let _ = self.0.push(network);
    }
}

impl Reports {
    /// The ring of another worker.
    pub(super) fn inlet(&self) -> Inlet {
        let (producer, consumer) = rtrb::RingBuffer::new(SAMPLES);
        self.rings().push(consumer);
        Inlet(producer)
    }

    /// Logs until it is dropped. `meters` has the counts.
    pub(super) async fn run(&self, meters: &Meters, dry_run: bool) {
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut sample, mut logged_count, mut last_logged) = (Sample::default(), 0, None::<Instant>);
        loop {
            looks.tick().await;
            self.rings().iter_mut().for_each(|ring| sample.add(ring));
            if last_logged.is_some_and(|last| last.elapsed() < LOG_INTERVAL) {
                continue;
            }
            let Some(worst) = std::mem::take(&mut sample).most_frequent() else { continue };
            let count: u64 = meters.read().totals.rate_limited.iter().sum();
            let (did, more) = (if dry_run { "would limit" } else { "limited" }, count - logged_count);
            warn!("rate limit: {did} {more} UDP responses, most of them probably to {worst} (which may be forged)");
            (logged_count, last_logged) = (count, Some(Instant::now()));
        }
    }

    fn rings(&self) -> MutexGuard<'_, Vec<rtrb::Consumer<IpNet>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often each network was reported.
#[derive(Default)]
struct Sample(HashMap<IpNet, u32>);

impl Sample {
    fn add(&mut self, ring: &mut rtrb::Consumer<IpNet>) {
        while let Ok(network) = ring.pop() {
            if self.0.len() < MOST_NETWORKS || self.0.contains_key(&network) {
                *self.0.entry(network).or_default() += 1;
            }
        }
    }

    fn most_frequent(self) -> Option<IpNet> {
        self.0.into_iter().max_by_key(|(_, count)| *count).map(|(network, _)| network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_network_of_all_workers_is_the_worst() {
        let (reports, mut sample) = (Reports::default(), Sample::default());
        let mut inlets = [reports.inlet(), reports.inlet()];
        for host in 0..100u8 {
            inlets[0].report(IpNet::new_assert([192, 0, 2, host].into(), 32));
        }
        (0..2).for_each(|_| inlets[1].report(IpNet::new_assert([198, 51, 100, 0].into(), 24)));
        reports.rings().iter_mut().for_each(|ring| sample.add(ring));
        assert_eq!(sample.0.len(), SAMPLES + 1);
        assert_eq!(sample.most_frequent(), Some("198.51.100.0/24".parse().unwrap()));
        assert_eq!(Sample::default().most_frequent(), None);
    }
}
