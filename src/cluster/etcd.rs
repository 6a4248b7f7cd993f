//! What the cluster needs of etcd: ranges, transactions, watches and leases.
//!
//! [`super::gateway::Gateway`] speaks to a real etcd; `Fake` is one in memory, for tests.

use async_trait::async_trait;

/// A revision of the whole store. Each transaction that changes something raises it.
pub(crate) type StoreRevision = i64;

/// The id of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeaseId(pub(crate) i64);

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyValue {
    /// The key.
    pub(crate) key: String,
    /// The value.
    pub(crate) value: Vec<u8>,
    /// When the key was last changed.
    pub(crate) changed: StoreRevision,
}

/// The keys to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// The first key.
    pub(crate) first: String,
    /// The key after the last one; `None` for one key.
    pub(crate) end: Option<String>,
    /// The revision to read; `None` for the latest, as a majority of etcd has it.
    pub(crate) at: Option<StoreRevision>,
    /// How many pairs are wanted at most.
    pub(crate) most: usize,
}

/// A part of a range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// The revision of the store when it was read.
    pub(crate) revision: StoreRevision,
    /// The pairs, in the order of their keys.
    pub(crate) pairs: Vec<KeyValue>,
    /// Whether there are further pairs.
    pub(crate) has_more: bool,
}

/// A transaction: if all keys are as expected, all operations are done, otherwise none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transaction {
    /// Each key with the revision of its last change; 0 for a key that must not exist.
    pub(crate) expected: Vec<(String, StoreRevision)>,
    /// The operations.
    pub(crate) operations: Vec<Operation>,
    /// Keys to read if the operations are not done.
    pub(crate) otherwise: Vec<String>,
}

/// An operation of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Writes a key, which ends with the lease, if any.
    Put {
        /// The key.
        key: String,
        /// The value.
        value: Vec<u8>,
        /// The lease.
        lease: Option<LeaseId>,
    },
    /// Deletes a key.
    Delete(String),
    /// Deletes the keys from the first to the one before the second.
    DeleteRange(String, String),
}

/// The outcome of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The operations were done, at this revision.
    Done(StoreRevision),
    /// They were not done. The keys that were to be read, as far as they exist.
    NotDone(Vec<KeyValue>),
}

/// What a watch reports together: one or more whole revisions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WatchBatch {
    /// Everything up to this revision is reported.
    pub(crate) revision: StoreRevision,
    /// The changes, in order.
    pub(crate) changes: Vec<KeyChange>,
}

/// A change of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyChange {
    /// It was written.
    Put(KeyValue),
    /// It was deleted, at this revision.
    Deleted(String, StoreRevision),
}

/// Why etcd did not do something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EtcdError {
    /// No endpoint answered. Whether a change was made is not known.
    #[error("{0}")]
    Unreachable(String),
    /// etcd refused the request.
    #[error("etcd refuses the request: {0}")]
    Refused(String),
    /// This node does not write.
    #[error("{0}")]
    NotWritten(String),
    /// The revision was compacted.
    #[error("the revision has been compacted")]
    Compacted,
}

/// An etcd.
#[async_trait]
pub(crate) trait Etcd: Send + Sync {
    /// Reads keys.
    async fn range(&self, range: Range) -> Result<Page, EtcdError>;

    /// Makes a transaction. It may be sent several times.
    async fn transact(&self, transaction: Transaction) -> Result<Outcome, EtcdError>;

    /// Reports every change of a key that begins with `prefix`, from this revision on.
    async fn watch(&self, prefix: &str, from: StoreRevision) -> Result<Box<dyn Watch>, EtcdError>;

    /// A new lease that ends after this many seconds without [`Etcd::keep_alive`].
    async fn grant_lease(&self, seconds: u64) -> Result<LeaseId, EtcdError>;

    /// Prolongs a lease. Returns whether it still exists.
    async fn keep_alive(&self, lease: LeaseId) -> Result<bool, EtcdError>;

    /// Ends a lease.
    async fn revoke_lease(&self, lease: LeaseId) -> Result<(), EtcdError>;
}

/// A watch. It ends with an error if something may have been missed.
#[async_trait]
pub(crate) trait Watch: Send {
    /// The next changes.
    async fn next(&mut self) -> Result<WatchBatch, EtcdError>;
}

impl Range {
    /// One key.
    pub(crate) fn key(key: impl Into<String>) -> Range {
        Range { first: key.into(), end: None, at: None, most: 1 }
    }

    /// All keys that begin with `prefix`.
    pub(crate) fn prefix(prefix: &str) -> Range {
        Range { first: prefix.to_owned(), end: Some(after_prefix(prefix)), at: None, most: usize::MAX }
    }
}

impl KeyChange {
    /// The key.
    pub(crate) fn key(&self) -> &str {
        match self {
            KeyChange::Put(pair) => &pair.key,
            KeyChange::Deleted(key, _) => key,
        }
    }

    /// The revision of the change.
    pub(crate) fn at(&self) -> StoreRevision {
        match self {
            KeyChange::Put(pair) => pair.changed,
            KeyChange::Deleted(_, at) => *at,
        }
    }
}

impl Transaction {
    /// Whether it changes nothing when it is made a second time: it changes a key that it expects
    /// to be another one.
    pub(crate) fn is_made_once(&self) -> bool {
        let writes = |key: &String| self.operations.iter().any(|operation| operation.is_about(key));
        self.expected.iter().any(|(key, _)| writes(key))
    }
}

impl Operation {
    fn is_about(&self, wanted: &str) -> bool {
        match self {
            Operation::Put { key, .. } | Operation::Delete(key) => key == wanted,
            Operation::DeleteRange(first, end) => (&**first..&**end).contains(&wanted),
        }
    }

    /// Writes a key that stays.
    pub(crate) fn put(key: impl Into<String>, value: impl Into<Vec<u8>>) -> Operation {
        Operation::Put { key: key.into(), value: value.into(), lease: None }
    }

    /// Deletes all keys that begin with `prefix`.
    pub(crate) fn delete_prefix(prefix: &str) -> Operation {
        Operation::DeleteRange(prefix.to_owned(), after_prefix(prefix))
    }
}

/// The first key after all that begin with `prefix`, which ends with an ASCII character.
pub(crate) fn after_prefix(prefix: &str) -> String {
    let mut end = prefix.to_owned();
    let last = end.pop().filter(|last| *last < '\x7f').expect("prefixes end with ASCII");
    end.push(char::from(last as u8 + 1));
    end
}

/// All pairs of a range, read in pages of the same revision, and that revision.
pub(crate) async fn read_all(
    etcd: &dyn Etcd,
    prefix: &str,
    at: Option<StoreRevision>,
) -> Result<(StoreRevision, Vec<KeyValue>), EtcdError> {
    /// With values of up to 512 KiB, a page stays below what a client reads at once.
    const PAGE: usize = 64;
    let mut range = Range { at, most: PAGE, ..Range::prefix(prefix) };
    let mut all = Vec::new();
    loop {
        let page = etcd.range(range.clone()).await?;
        let revision = *range.at.get_or_insert(page.revision);
        let last = page.pairs.last().map(|pair| pair.key.clone());
        all.extend(page.pairs);
        match last {
            Some(last) if page.has_more => range.first = last + "\0",
            _ => return Ok((revision, all)),
        }
    }
}
