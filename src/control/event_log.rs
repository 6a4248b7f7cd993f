//! What has happened lately, for whoever watches: one short list that the loop writes and any number of watchers read.
//!
//! Each record has a number, one higher than the one before. A watcher knows the last number it has seen and asks for
//! what came after, whether it was slow or away: there is one list for all, so that a watcher costs a number and not a
//! queue, and one that falls behind loses the oldest and is told how many.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::health::{Override, Status, Timestamp};

/// Happenings that are kept: enough for a watcher that comes back after a page was loaded anew, on a bad day too.
const KEPT: usize = 512;

/// Something that a person who watches wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A verdict changed.
    Turned {
        /// What people call the check.
        check: Arc<str>,
        /// To what; from the other.
        to: Status,
        /// Why, in words.
        why: Arc<str>,
        /// How many records use it.
        records: usize,
    },
    /// Somebody set an override.
    OverrideSet(Override),
    /// Somebody took it back.
    OverrideCleared(Override),
    /// Its time is over.
    OverrideEnded(Override),
    /// What an override drains has nothing left.
    Drained {
        /// What people call the check.
        check: Arc<str>,
    },
    /// All sentinels are unhealthy: verdicts stand as they are.
    UplinkGone {
        /// What people call them.
        sentinels: Vec<Arc<str>>,
    },
    /// Not all sentinels are unhealthy any more.
    UplinkBack {
        /// What people call them.
        sentinels: Vec<Arc<str>>,
    },
    /// Files were read, and something is other than before.
    Reloaded {
        /// Such as `lab.test. changed`.
        changes: Vec<String>,
        /// Faults in the files.
        errors: usize,
    },
    /// Files were read, and everything stays as it was.
    NotReloaded {
        /// Why.
        why: String,
    },
}

/// The list. Clones are the same list.
#[derive(Clone, Debug)]
pub struct EventLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    list: Mutex<VecDeque<Arc<EventRecord>>>,
    /// The number of the last one; the first is 1.
    last: watch::Sender<u64>,
}

/// What came after a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Since {
    /// With their numbers, oldest first.
    pub records: Vec<(u64, Arc<EventRecord>)>,
    /// How many came before those and are forgotten.
    pub lost: u64,
}

impl Default for EventLog {
    fn default() -> EventLog {
        EventLog(Arc::new(Shared { list: Mutex::default(), last: watch::Sender::new(0) }))
    }
}

impl EventLog {
    /// Adds what happened, and wakes who watches.
    pub fn push(&self, at: Timestamp, what: EventKind) {
        let mut list = self.0.list.lock().unwrap_or_else(PoisonError::into_inner);
        if list.len() == KEPT {
            list.pop_front();
        }
        list.push_back(Arc::new(EventRecord { at, what }));
        // Within the lock, so that list and number agree.
        self.0.last.send_modify(|last| *last += 1);
    }

    /// What came after this number.
    #[must_use]
    pub fn since(&self, seen: u64) -> Since {
        let list = self.0.list.lock().unwrap_or_else(PoisonError::into_inner);
        let last = *self.0.last.borrow();
        let first = last + 1 - list.len() as u64;
        let from = (seen + 1).max(first);
        let skip = usize::try_from(from - first).unwrap_or(usize::MAX);
        let records = (from..).zip(list.iter().skip(skip).map(Arc::clone)).collect();
        Since { records, lost: from - (seen + 1) }
    }

    /// The number of the last one, and a way to wait for the next.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.last.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn record(number: u64) -> EventKind {
        EventKind::NotReloaded { why: number.to_string() }
    }

    fn numbers(since: &Since) -> Vec<u64> {
        since.records.iter().map(|(number, _)| *number).collect()
    }

    #[test]
    fn a_watcher_goes_on_where_it_was() {
        let feed = EventLog::default();
        assert_eq!(feed.since(0), Since { records: Vec::new(), lost: 0 });
        (1..=5).for_each(|number| feed.push(Timestamp(Duration::from_secs(number)), record(number)));
        assert_eq!(numbers(&feed.since(0)), [1, 2, 3, 4, 5]);
        let since = feed.since(3);
        assert_eq!((numbers(&since), since.lost), (vec![4, 5], 0));
        assert_eq!(since.records[0].1.what, record(4));
        assert_eq!(*feed.watch().borrow(), 5);
        assert_eq!(numbers(&feed.since(5)), [] as [u64; 0]);
    }

    #[test]
    fn a_slow_watcher_hears_how_much_it_lost() {
        let feed = EventLog::default();
        let pushed = KEPT as u64 + 10;
        (1..=pushed).for_each(|number| feed.push(Timestamp::default(), record(number)));
        let since = feed.since(3);
        assert_eq!((since.lost, since.records.len()), (7, KEPT));
        assert_eq!((since.records[0].0, &since.records[0].1.what), (11, &record(11)));
    }

    #[tokio::test]
    async fn a_watcher_is_woken() {
        let feed = EventLog::default();
        let mut watch = feed.watch();
        feed.push(Timestamp::default(), record(1));
        watch.changed().await.unwrap();
        assert_eq!(*watch.borrow_and_update(), 1);
    }
}
