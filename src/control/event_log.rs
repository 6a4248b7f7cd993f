//! The event log: the latest events, in one bounded list that the loop writes and any number of
//! watchers read.
//!
//! Each record has a number, one higher than the record before. A watcher remembers the last number
//! it has read and asks for the records after it, whether it was slow or disconnected. The list is
//! shared, so a watcher costs a number, not a queue. A watcher that falls behind loses the oldest
//! records and learns how many.
//!
//! Each record is also handed over to the history. At the start the list has the last records of
//! the history, so that a time line goes on after a restart.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::health::Timestamp;
use crate::history::{EventKind, EventRecord, History};

/// How many records are kept: enough for a watcher that reconnects after a page reload, even when
/// many checks change.
const KEPT: usize = 512;

/// The event log. Clones share the same list.
#[derive(Clone, Debug)]
pub(crate) struct EventLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    list: Mutex<VecDeque<Arc<EventRecord>>>,
    /// The number of the last record; the first is 1.
    last: watch::Sender<u64>,
    /// How many of them are of the runs before this one.
    restored: u64,
    history: History,
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
        EventLog::new(History::default(), Vec::new())
    }
}

impl EventLog {
    /// An event log with the last records of the history.
    pub(crate) fn new(history: History, mut restored: Vec<Arc<EventRecord>>) -> EventLog {
        restored.drain(..restored.len().saturating_sub(KEPT));
        let count = restored.len() as u64;
        let (list, last) = (Mutex::new(restored.into()), watch::Sender::new(count));
        EventLog(Arc::new(Shared { list, last, restored: count, history }))
    }

    /// The number of the last record of the runs before this one.
    #[must_use]
    pub(crate) fn restored(&self) -> u64 {
        self.0.restored
    }

    /// The events in full, also older ones.
    pub(crate) fn history(&self) -> &History {
        &self.0.history
    }

    /// Adds a record to the list and to the history, and wakes the watchers.
    pub(crate) fn push(&self, at: Timestamp, what: EventKind) {
        self.0.history.record(EventRecord { at, what: what.clone() });
        self.push_recorded(at, what);
    }

    /// Adds a record that the history has already.
    pub(crate) fn push_recorded(&self, at: Timestamp, what: EventKind) {
        let what = what.shortened();
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
        let event_log = EventLog::default();
        assert_eq!(event_log.since(0), Since { records: Vec::new(), lost: 0 });
        (1..=5).for_each(|number| event_log.push(Timestamp(Duration::from_secs(number)), record(number)));
        assert_eq!(numbers(&event_log.since(0)), [1, 2, 3, 4, 5]);
        let since = event_log.since(3);
        assert_eq!((numbers(&since), since.lost), (vec![4, 5], 0));
        assert_eq!(since.records[0].1.what, record(4));
        assert_eq!(*event_log.watch().borrow(), 5);
        assert_eq!(numbers(&event_log.since(5)), [] as [u64; 0]);
    }

    #[test]
    fn a_slow_watcher_learns_how_much_it_lost() {
        let event_log = EventLog::default();
        let pushed = KEPT as u64 + 10;
        (1..=pushed).for_each(|number| event_log.push(Timestamp::default(), record(number)));
        let since = event_log.since(3);
        assert_eq!((since.lost, since.records.len()), (7, KEPT));
        assert_eq!((since.records[0].0, &since.records[0].1.what), (11, &record(11)));
    }

    #[tokio::test]
    async fn a_watcher_is_woken() {
        let event_log = EventLog::default();
        let mut watch = event_log.watch();
        event_log.push(Timestamp::default(), record(1));
        watch.changed().await.unwrap();
        assert_eq!(*watch.borrow_and_update(), 1);
    }
}
