//! The time of day for a worker, from the monotonic clock that it reads for each batch anyway.

use std::time::{Duration, Instant};

use crate::answer::Timestamp;
use crate::query_logging;

/// How often the system clock is read. If the clock is set, workers follow after this time.
const READ_INTERVAL: Duration = Duration::from_secs(1);

/// A reading of both clocks.
pub(super) struct Clock {
    read: Instant,
    at: Duration,
}

impl Clock {
    pub(super) fn new() -> Clock {
        Clock::read(Instant::now())
    }

    fn read(now: Instant) -> Clock {
        Clock { read: now, at: query_logging::now() }
    }

    /// The time of day at `now`, the current reading of the monotonic clock.
    pub(super) fn time_at(&mut self, now: Instant) -> Timestamp {
        if now.duration_since(self.read) >= READ_INTERVAL {
            *self = Clock::read(now);
        }
        Timestamp(self.at + now.duration_since(self.read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_between_readings_and_follows_the_system_clock() {
        let now = Instant::now();
        let mut clock = Clock { read: now, at: Duration::from_secs(5) };
        assert_eq!(clock.time_at(now + Duration::from_millis(300)), Timestamp(Duration::from_millis(5300)));
        let before = query_logging::now();
        assert!(clock.time_at(now + READ_INTERVAL) >= Timestamp(before), "the system clock was read");
    }
}
