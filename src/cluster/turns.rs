//! Nodes that change one file all the time take turns.
//!
//! A change that was decided on what another node replaced meanwhile is decided again. A node that
//! is far from etcd, or compiles a large zone, could lose that race for ever. So a node that has
//! lost says in etcd for which file it waits, and the others let it go first.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::load::Reach;

use super::etcd::KeyChange;
use super::keys::Keys;

/// How long a node that waits is let go first. It decides again in milliseconds, or, for a very
/// large zone, in a second. One that gives up, or ends, does not say so.
pub(super) const TURN: Duration = Duration::from_secs(1);

/// Who waits for which file.
#[derive(Debug, Default)]
pub(super) struct WaitingNodes {
    waiting: Mutex<Waiting>,
    /// Wakes those who let others go first.
    pub(super) changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Whether this node has said that it waits.
    own: bool,
    /// The file that another node waits for, and until when it goes first.
    others: BTreeMap<String, (String, Instant)>,
}

impl WaitingNodes {
    /// Takes what a watch reported.
    pub(super) fn take(&self, keys: &Keys, own: &str, changes: &[KeyChange]) {
        for change in changes {
            let Some(node) = keys.waiting_of(change.key()).filter(|node| *node != own) else { continue };
            let file = match change {
                KeyChange::Put(pair) => String::from_utf8_lossy(&pair.value).into_owned(),
                KeyChange::Deleted(..) => String::new(),
            };
            let others = &mut self.lock().others;
            match file.is_empty() {
                true => drop(others.remove(node)),
                false => drop(others.insert(node.to_owned(), (file, Instant::now() + TURN))),
            }
            self.changed.notify_waiters();
        }
    }

    /// Until when another node goes first with a change that this one could invalidate.
    pub(super) fn is_taken_until(&self, name: &str, reach: Reach) -> Option<Instant> {
        let waiting = self.lock();
        // Every change is decided on what concerns other files.
        let others = waiting.others.values().filter(|(file, _)| file == name || reach == Reach::Others);
        let until = others.map(|(_, until)| *until).max();
        until.filter(|until| !waiting.own && *until > Instant::now())
    }

    /// Whether this node has said that it waits.
    pub(super) fn is_own(&self) -> bool {
        self.lock().own
    }

    pub(super) fn set_own(&self, own: bool) {
        self.lock().own = own;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing is half done when a thread panics.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
