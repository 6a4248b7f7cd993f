//! The event log: the latest events, in one bounded list that the loop writes and any number of
//! watchers read.
//!
//! Each record has a number, one higher than the record before. A watcher remembers the last number
//! it has read and asks for the records after it, whether it was slow or disconnected. The list is
//! shared, so a watcher costs a number, not a queue. A watcher that falls behind loses the oldest
//! records and learns how many.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::health::{Override, Status, Timestamp};

/// How many records are kept: enough for a watcher that reconnects after a page reload, even when
/// many checks change.
const KEPT: usize = 512;

/// A record of the event log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventRecord {
    /// When it happened.
    pub(crate) at: Timestamp,
    /// What happened.
    pub(crate) what: EventKind,
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// The status of a check changed.
    StatusChanged {
        /// The name of the check.
        check: Arc<str>,
        /// The new status; the old one is the opposite.
        to: Status,
        /// The reason.
        why: Arc<str>,
        /// How many records use the check.
        records: usize,
    },
    /// An override was set.
    OverrideSet(Override),
    /// An override was cleared.
    OverrideCleared(Override),
    /// An override expired.
    OverrideEnded(Override),
    /// A drain is complete.
    Drained {
        /// The name of the check.
        check: Arc<str>,
    },
    /// All sentinels are unhealthy; probe results are ignored.
    ServerIsolated {
        /// Their names.
        sentinels: Vec<Arc<str>>,
    },
    /// At least one sentinel is healthy again.
    ServerReconnected {
        /// The names of all sentinels.
        sentinels: Vec<Arc<str>>,
    },
    /// A reload changed something.
    Reloaded {
        /// Changes, for example `lab.test. changed`.
        changes: Vec<String>,
        /// The number of errors in the files.
        errors: usize,
    },
    /// A reload was refused; the previous configuration stays in force.
    NotReloaded {
        /// The reason.
        why: String,
    },
}

/// The event log. Clones share the same list.
#[derive(Clone, Debug)]
pub(crate) struct EventLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    list: Mutex<VecDeque<Arc<EventRecord>>>,
    /// The number of the last record; the first is 1.
    last: watch::Sender<u64>,
}

/// The records after a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Since {
    /// The records and their numbers, oldest first.
    pub(crate) records: Vec<(u64, Arc<EventRecord>)>,
    /// How many records between that number and the first of these were dropped.
    pub(crate) lost: u64,
}

impl Default for EventLog {
    fn default() -> EventLog {
        EventLog(Arc::new(Shared { list: Mutex::default(), last: watch::Sender::new(0) }))
    }
}

impl EventLog {
    /// Adds a record and wakes the watchers.
    pub(crate) fn push(&self, at: Timestamp, what: EventKind) {
        let mut list = self.0.list.lock().unwrap_or_else(PoisonError::into_inner);
        if list.len() == KEPT {
            list.pop_front();
        }
        list.push_back(Arc::new(EventRecord { at, what }));
        // Under the lock, so that the list and the number agree.
        self.0.last.send_modify(|last| *last += 1);
    }

    /// The records after number `seen`.
    #[must_use]
    pub(crate) fn since(&self, seen: u64) -> Since {
        let list = self.0.list.lock().unwrap_or_else(PoisonError::into_inner);
        let last = *self.0.last.borrow();
        let first = last + 1 - list.len() as u64;
        let from = (seen + 1).max(first);
        let skip = usize::try_from(from - first).unwrap_or(usize::MAX);
        let records = (from..).zip(list.iter().skip(skip).map(Arc::clone)).collect();
        Since { records, lost: from - (seen + 1) }
    }

    /// The number of the last record; it changes with each new one.
    #[must_use]
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
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
    fn a_watcher_continues_where_it_stopped() {
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
    fn a_slow_watcher_learns_how_much_it_lost() {
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
