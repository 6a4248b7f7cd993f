//! Limits each warning to once a minute, so that a flood cannot fill the log.

use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often the same warning is logged.
pub(crate) const INTERVAL: Duration = Duration::from_secs(60);
/// How many different warnings are distinguished. One place in the program has few; a new one
/// replaces the oldest.
const MOST: usize = 32;

/// Decides which warnings of one place in the program are logged.
#[derive(Debug, Default)]
pub(crate) struct LogLimit {
    hasher: RandomState,
    logged: Mutex<Vec<Logged>>,
}

/// A warning that was logged.
#[derive(Debug)]
struct Logged {
    hash: u64,
    at: Instant,
    /// How many warnings like it were suppressed since.
    held_back: u64,
}

/// How many warnings like this one were suppressed before it. Formats as an empty string, or as `
/// (31579 more like this before it)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeldBack(u64);

impl LogLimit {
    /// Whether to log a warning now. Warnings with the same `what` are the same. Append the result
    /// to the line.
    pub(crate) fn admit(&self, what: impl Hash) -> Option<HeldBack> {
        self.admit_at(what, Instant::now())
    }

    fn admit_at(&self, what: impl Hash, now: Instant) -> Option<HeldBack> {
        let hash = self.hasher.hash_one(what);
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = logged.iter_mut().find(|known| known.hash == hash) {
            if now.saturating_duration_since(known.at) < INTERVAL {
                known.held_back += 1;
                return None;
            }
            known.at = now;
            return Some(HeldBack(std::mem::take(&mut known.held_back)));
        }
        if logged.len() == MOST
            && let Some(oldest) = (0..MOST).min_by_key(|&index| logged[index].at)
        {
            logged.swap_remove(oldest);
        }
        logged.push(Logged { hash, at: now, held_back: 0 });
        Some(HeldBack(0))
    }
}

impl fmt::Display for HeldBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(f, " ({count} more like this before it)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_a_minute_that_counts() {
        let (limit, start) = (LogLimit::default(), Instant::now());
        let second = |second: u64| start + Duration::from_secs(second);
        let lines: Vec<String> =
            (0..150).filter_map(|at| limit.admit_at("full", second(at))).map(|it| it.to_string()).collect();
        assert_eq!(lines, ["", " (59 more like this before it)", " (59 more like this before it)"]);
        // Another warning is not delayed.
        assert_eq!(limit.admit_at("broken", second(150)), Some(HeldBack(0)));
        assert_eq!(limit.admit_at("full", second(150)), None);
    }

    #[test]
    fn different_warnings_take_bounded_room() {
        let (limit, start) = (LogLimit::default(), Instant::now());
        for number in 0..1000_u64 {
            assert!(limit.admit_at(number, start + Duration::from_millis(number)).is_some());
        }
        assert_eq!(limit.logged.lock().unwrap().len(), MOST);
        assert_eq!(limit.admit_at(999_u64, start + Duration::from_secs(1)), None);
    }
}
