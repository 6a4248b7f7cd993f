//! The version of the layout of the keys: no node writes to a store that a newer program uses.

use std::sync::atomic::{AtomicI64, Ordering};

use super::etcd::{Etcd, EtcdError, KeyValue, Operation, Outcome, StoreRevision, Transaction};
use super::keys::{VERSION, Version, parse_value};

/// The version as this node knows it. Every write expects that it is still that one.
#[derive(Debug)]
pub(crate) struct Layout {
    key: String,
    /// When it was last written; 0 if there is none.
    known: AtomicI64,
}

/// Nothing is written, and the files of etcd are not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LayoutError {
    /// It is not readable.
    #[error("{0}")]
    Unreadable(String),
    /// A newer program has raised it.
    #[error("etcd has files of version {0} of the layout, and this program knows version {VERSION}: update it")]
    Newer(u32),
}

impl Layout {
    pub(super) fn new(key: String) -> Layout {
        Layout { key, known: AtomicI64::new(0) }
    }

    /// The key of the version.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// What a transaction expects, next to its own conditions.
    pub(super) fn expected(&self) -> (String, StoreRevision) {
        (self.key.clone(), self.known.load(Ordering::Relaxed))
    }

    /// Takes the version that etcd has, if this program knows it. Returns whether it was known
    /// already. A store without a version is a new one, or has lost its data.
    pub(super) fn take(&self, text: Option<&[u8]>, changed: StoreRevision) -> Result<bool, LayoutError> {
        if let Some(text) = text {
            let Version { version } = parse_value(&self.key, text).map_err(LayoutError::Unreadable)?;
            if version > VERSION {
                return Err(LayoutError::Newer(version));
            }
        }
        Ok(self.known.swap(changed, Ordering::Relaxed) == changed)
    }

    /// The same of the keys that a transaction read. Returns the other ones too.
    pub(super) fn take_from(&self, found: Vec<KeyValue>) -> Result<(bool, Vec<KeyValue>), EtcdError> {
        let (version, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|pair| pair.key == self.key);
        let version = version.first();
        let taken = self.take(version.map(|pair| &*pair.value), version.map_or(0, |pair| pair.changed));
        Ok((taken.map_err(|error| EtcdError::NotWritten(error.to_string()))?, others))
    }

    /// Makes operations that depend on nothing else.
    pub(super) async fn make(&self, etcd: &dyn Etcd, operations: Vec<Operation>) -> Result<(), EtcdError> {
        loop {
            let transaction = Transaction {
                expected: vec![self.expected()],
                operations: operations.clone(),
                otherwise: vec![self.key.clone()],
            };
            match etcd.transact(transaction).await? {
                Outcome::Done(_) => return Ok(()),
                Outcome::NotDone(found) => drop(self.take_from(found)?),
            }
        }
    }
}
