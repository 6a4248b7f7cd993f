//! An etcd in memory, for tests: with revisions, compaction, and failures on request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use tokio::sync::watch;

use super::etcd::{
    Etcd, EtcdError, KeyChange, KeyValue, LeaseId, Operation, Outcome, Page, Range, StoreRevision, Transaction, Watch,
    WatchBatch, after_prefix,
};

/// An etcd in memory, which all its clones are.
#[derive(Clone, Default)]
pub(super) struct Fake(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    /// Wakes watches.
    revision: watch::Sender<StoreRevision>,
}

#[derive(Default)]
struct State {
    /// Each change, as of each revision.
    history: Vec<WatchBatch>,
    compacted: StoreRevision,
    leases: BTreeMap<i64, bool>,
    fault: Fault,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fault {
    #[default]
    None,
    /// No request is answered.
    Away,
    /// The next transaction is done, but its response is lost, and it is sent again.
    LostResponse,
}

impl Fake {
    pub(super) fn set_fault(&self, fault: Fault) {
        self.state().fault = fault;
        // Watches notice too.
        self.0.revision.send_modify(|_| {});
    }

    /// Forgets what was before this revision.
    pub(super) fn compact(&self) {
        let mut state = self.state();
        state.compacted = state.history.len() as i64;
    }

    /// The last change.
    pub(super) fn revision(&self) -> StoreRevision {
        self.state().revision()
    }

    /// How many leases were granted.
    pub(super) fn leases(&self) -> usize {
        self.state().leases.len()
    }

    /// All keys now.
    pub(super) fn keys(&self) -> Vec<String> {
        self.state().at(None).into_keys().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    fn check(&self) -> Result<(), EtcdError> {
        match self.state().fault {
            Fault::Away => Err(EtcdError::Unreachable("it is away".to_owned())),
            _ => Ok(()),
        }
    }
}

impl State {
    fn revision(&self) -> StoreRevision {
        // An empty etcd has revision 1.
        self.history.len() as i64 + 1
    }

    fn at(&self, revision: Option<StoreRevision>) -> BTreeMap<String, KeyValue> {
        let mut pairs = BTreeMap::new();
        for batch in self.history.iter().take_while(|batch| revision.is_none_or(|at| batch.revision <= at)) {
            for change in &batch.changes {
                match change {
                    KeyChange::Put(pair) => drop(pairs.insert(pair.key.clone(), pair.clone())),
                    KeyChange::Deleted(key, _) => drop(pairs.remove(key)),
                }
            }
        }
        pairs
    }

    fn transact(&mut self, transaction: &Transaction) -> Outcome {
        let pairs = self.at(None);
        let changed = |key: &String| pairs.get(key).map_or(0, |pair| pair.changed);
        if transaction.expected.iter().any(|(key, expected)| changed(key) != *expected) {
            return Outcome::NotDone(transaction.otherwise.iter().filter_map(|key| pairs.get(key).cloned()).collect());
        }
        let revision = self.revision() + 1;
        let mut changes = Vec::new();
        let deleted = |first: &String, end: &String| {
            let keys = pairs.range(first.clone()..end.clone()).map(|(key, _)| key.clone());
            keys.map(|key| KeyChange::Deleted(key, revision)).collect::<Vec<_>>()
        };
        for operation in &transaction.operations {
            match operation {
                Operation::Put { key, value, .. } => {
                    let is_it = |change: &KeyChange| matches!(change, KeyChange::Put(pair) if pair.key == *key);
                    assert!(!changes.iter().any(is_it), "etcd refuses a transaction that writes {key} twice");
                    let (key, value) = (key.clone(), value.clone());
                    changes.push(KeyChange::Put(KeyValue { key, value, changed: revision }));
                }
                Operation::Delete(key) => changes.extend(deleted(key, &(key.clone() + "\0"))),
                Operation::DeleteRange(first, end) => changes.extend(deleted(first, end)),
            }
        }
        self.history.push(WatchBatch { revision, changes });
        Outcome::Done(revision)
    }
}

#[async_trait]
impl Etcd for Fake {
    async fn range(&self, range: Range) -> Result<Page, EtcdError> {
        self.check()?;
        let state = self.state();
        if range.at.is_some_and(|at| at < state.compacted) {
            return Err(EtcdError::Compacted);
        }
        let end = range.end.unwrap_or_else(|| range.first.clone() + "\0");
        let pairs = state.at(range.at);
        let mut found: Vec<KeyValue> = pairs.range(range.first..end).map(|(_, pair)| pair.clone()).collect();
        let has_more = found.len() > range.most;
        found.truncate(range.most);
        Ok(Page { revision: state.revision(), pairs: found, has_more })
    }

    async fn transact(&self, transaction: Transaction) -> Result<Outcome, EtcdError> {
        self.check()?;
        let mut state = self.state();
        if state.fault == Fault::LostResponse {
            state.transact(&transaction);
            state.fault = Fault::None;
        }
        let outcome = state.transact(&transaction);
        let revision = state.revision();
        drop(state);
        self.0.revision.send_replace(revision);
        Ok(outcome)
    }

    async fn watch(&self, prefix: &str, from: StoreRevision) -> Result<Box<dyn Watch>, EtcdError> {
        self.check()?;
        if from <= self.state().compacted {
            return Err(EtcdError::Compacted);
        }
        let (fake, revision) = (self.clone(), self.0.revision.subscribe());
        Ok(Box::new(FakeWatch { fake, prefix: prefix.to_owned(), end: after_prefix(prefix), next: from, revision }))
    }

    async fn grant_lease(&self, _: u64) -> Result<LeaseId, EtcdError> {
        self.check()?;
        let mut state = self.state();
        let id = state.leases.len() as i64 + 1;
        state.leases.insert(id, true);
        Ok(LeaseId(id))
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<bool, EtcdError> {
        self.check()?;
        Ok(self.state().leases.get(&lease.0).copied().unwrap_or(false))
    }

    async fn revoke_lease(&self, lease: LeaseId) -> Result<(), EtcdError> {
        self.check()?;
        self.state().leases.insert(lease.0, false);
        Ok(())
    }
}

struct FakeWatch {
    fake: Fake,
    prefix: String,
    end: String,
    next: StoreRevision,
    revision: watch::Receiver<StoreRevision>,
}

#[async_trait]
impl Watch for FakeWatch {
    async fn next(&mut self) -> Result<WatchBatch, EtcdError> {
        loop {
            self.fake.check()?;
            let found = {
                let state = self.fake.state();
                state.history.iter().find(|batch| batch.revision >= self.next).cloned()
            };
            if let Some(mut batch) = found {
                self.next = batch.revision + 1;
                batch.changes.retain(|change| (&*self.prefix..&*self.end).contains(&change.key()));
                if !batch.changes.is_empty() {
                    return Ok(batch);
                }
                continue;
            }
            self.revision.changed().await.map_err(|_| EtcdError::Unreachable("it ended".to_owned()))?;
        }
    }
}
