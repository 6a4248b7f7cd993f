//! Whether the process was there all the time: stopped by a signal, or frozen with its machine, it sees deadlines pass that
//! no endpoint has missed.
//!
//! A timer that should fire four times a second fires late then, or the wall clock has moved on further than the monotonic
//! one, which stands still while a machine sleeps. What was under way meanwhile says nothing about an endpoint.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A busy machine lets a thread wait for some tenths of a second; no deadline of Route 53's is missed by that.
const TOLERATED: Duration = Duration::from_secs(1);

/// Looks at the clocks.
#[derive(Debug)]
pub(super) struct Presence(Mutex<Seen>);

#[derive(Debug)]
struct Seen {
    at: Instant,
    by_wall_clock: SystemTime,
    /// When the last absence was over.
    back: Option<Instant>,
}

impl Default for Presence {
    fn default() -> Presence {
        Presence(Mutex::new(Seen { at: Instant::now(), by_wall_clock: SystemTime::now(), back: None }))
    }
}

impl Presence {
    /// Looks at the clocks for ever.
    pub(super) async fn watch(&self) {
        loop {
            sleep(LOOK_EVERY).await;
            self.look(Instant::now(), SystemTime::now());
        }
    }

    /// Whether the process was absent at some time since then, be it that only this thread has noticed so far.
    pub(super) fn was_absent_since(&self, began: Instant) -> bool {
        let back = self.look(Instant::now(), SystemTime::now());
        back.is_some_and(|back| back >= began)
    }

    pub(super) fn look(&self, now: Instant, wall: SystemTime) -> Option<Instant> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let by_wall_clock = wall.duration_since(seen.by_wall_clock).unwrap_or_default();
        let away = now.duration_since(seen.at).max(by_wall_clock);
        if away > LOOK_EVERY + TOLERATED {
            tracing::warn!(
                "this process did not run for {:.1} s (or the clock was set): probes that were under way do not count",
                away.as_secs_f64()
            );
            seen.back = Some(now);
        }
        (seen.at, seen.by_wall_clock) = (now, wall);
        seen.back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_absence_is_noticed_by_either_clock() {
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
        for ((now, wall), is_absent) in cases {
            let presence = Presence(Mutex::new(Seen { at: start.0, by_wall_clock: start.1, back: None }));
            assert_eq!(presence.look(now, wall), is_absent.then_some(now), "{now:?} {wall:?}");
        }
    }

    #[tokio::test]
    async fn what_began_after_an_absence_counts() {
        let start = (Instant::now(), SystemTime::now());
        let presence = Presence(Mutex::new(Seen { at: start.0, by_wall_clock: start.1, back: None }));
        let back = start.0 + Duration::from_secs(60);
        presence.look(back, start.1 + Duration::from_secs(60));
        let later = presence.look(back + LOOK_EVERY, start.1 + Duration::from_secs(60) + LOOK_EVERY).unwrap();
        assert!(later >= start.0 && later < back + LOOK_EVERY);
    }
}
