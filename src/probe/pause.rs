//! Detects that the process did not run for a while: stopped by a signal, or suspended with its
//! machine. The endpoints are not responsible for deadlines that pass meanwhile.
//!
//! Two signs: a timer that fires four times a second is late, or the wall clock has advanced
//! further than the monotonic clock, which does not advance while a machine is suspended.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

const LOOK_EVERY: Duration = Duration::from_millis(250);

/// On a busy machine a thread may wait some tenths of a second, which is no pause.
const TOLERATED: Duration = Duration::from_secs(1);

/// Compares the clocks.
#[derive(Debug)]
pub(super) struct PauseDetector(Mutex<Seen>);

#[derive(Debug)]
struct Seen {
    at: Instant,
    by_wall_clock: SystemTime,
    /// When the last pause ended.
    resumed: Option<Instant>,
}

impl Default for PauseDetector {
    fn default() -> PauseDetector {
        PauseDetector(Mutex::new(Seen { at: Instant::now(), by_wall_clock: SystemTime::now(), resumed: None }))
    }
}

impl PauseDetector {
    /// Checks the clocks periodically; never returns.
    pub(super) async fn watch(&self) {
        loop {
            sleep(LOOK_EVERY).await;
            self.look(Instant::now(), SystemTime::now());
        }
    }

    /// Whether the process was paused since then. Checks the clocks itself, because after a pause
    /// probes may run before the timer does.
    pub(super) fn was_paused_since(&self, began: Instant) -> bool {
        let resumed = self.look(Instant::now(), SystemTime::now());
        resumed.is_some_and(|resumed| resumed >= began)
    }

    pub(super) fn look(&self, now: Instant, wall: SystemTime) -> Option<Instant> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let by_wall_clock = wall.duration_since(seen.by_wall_clock).unwrap_or_default();
        let paused_for = now.duration_since(seen.at).max(by_wall_clock);
        if paused_for > LOOK_EVERY + TOLERATED {
            tracing::warn!(
                "the process was paused for {:.1} s, or the clock was set forward: results of probes in progress are ignored",
                paused_for.as_secs_f64()
            );
            seen.resumed = Some(now);
        }
        (seen.at, seen.by_wall_clock) = (now, wall);
        seen.resumed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pause_is_noticed_by_either_clock() {
        let start = (Instant::now(), SystemTime::now());
        let after = |monotonic: f64, wall: f64| {
            (start.0 + Duration::from_secs_f64(monotonic), start.1 + Duration::from_secs_f64(wall))
        };
        let cases = [
            (after(0.3, 0.3), false),
            (after(1.2, 1.2), false),
            // Stopped by a signal: both go on.
            (after(5.0, 5.0), true),
            // A machine that slept: the monotonic clock stood still.
            (after(0.2, 3600.0), true),
            // A wall clock that was set back says nothing.
            ((start.0 + Duration::from_millis(200), start.1 - Duration::from_secs(3600)), false),
        ];
        for ((now, wall), is_pause) in cases {
            let pauses = PauseDetector(Mutex::new(Seen { at: start.0, by_wall_clock: start.1, resumed: None }));
            assert_eq!(pauses.look(now, wall), is_pause.then_some(now), "{now:?} {wall:?}");
        }
    }

    #[tokio::test]
    async fn what_began_after_a_pause_counts() {
        let start = (Instant::now(), SystemTime::now());
        let pauses = PauseDetector(Mutex::new(Seen { at: start.0, by_wall_clock: start.1, resumed: None }));
        let resumed = start.0 + Duration::from_secs(60);
        pauses.look(resumed, start.1 + Duration::from_secs(60));
        let later = pauses.look(resumed + LOOK_EVERY, start.1 + Duration::from_secs(60) + LOOK_EVERY).unwrap();
        assert!(later >= start.0 && later < resumed + LOOK_EVERY);
    }
}
