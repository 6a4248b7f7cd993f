//! A document that all nodes share: one key, replaced by compare-and-swap, and watched.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use super::etcd::{Etcd, EtcdError, KeyChange, KeyValue, Operation, Outcome, Range, StoreRevision, Transaction, Watch};
use super::layout::Layout;

/// How often a node asks etcd whether its watch is behind.
const LOOK: Duration = Duration::from_secs(5);

/// A document.
#[derive(Clone)]
pub(crate) struct Document {
    etcd: Arc<dyn Etcd>,
    key: String,
    layout: Arc<Layout>,
}

/// A version of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DocumentVersion {
    /// The text; `None` if there is no document.
    pub(crate) text: Option<Vec<u8>>,
    /// When it was last changed; 0 if there is none.
    pub(super) changed: StoreRevision,
}

/// What follows a document. It ends with an error if something may have been missed.
pub(crate) struct DocumentFollower {
    document: Document,
    current: DocumentVersion,
    watch: Box<dyn Watch>,
    looks: Interval,
}

impl Document {
    pub(super) fn new(etcd: Arc<dyn Etcd>, key: String, layout: Arc<Layout>) -> Document {
        Document { etcd, key, layout }
    }

    /// The key in etcd.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The current version.
    pub(crate) async fn read(&self) -> Result<DocumentVersion, EtcdError> {
        Ok(self.read_at().await?.0)
    }

    /// The current version, and the revision of the store at which it was read.
    async fn read_at(&self) -> Result<(DocumentVersion, StoreRevision), EtcdError> {
        let page = self.etcd.range(Range::key(self.key.clone())).await?;
        let revision = page.revision;
        Ok((DocumentVersion::of(page.pairs.into_iter().next()), revision))
    }

    /// Replaces a version. The error within is the version that is there instead. Nothing is
    /// written if a newer program uses the store.
    pub(crate) async fn replace(
        &self,
        before: &DocumentVersion,
        text: Vec<u8>,
    ) -> Result<Result<DocumentVersion, DocumentVersion>, EtcdError> {
        loop {
            let transaction = Transaction {
                expected: vec![(self.key.clone(), before.changed), self.layout.expected()],
                operations: vec![Operation::put(self.key.clone(), text.clone())],
                otherwise: vec![self.key.clone(), self.layout.key().to_owned()],
            };
            let found = match self.etcd.transact(transaction).await? {
                Outcome::Done(changed) => return Ok(Ok(DocumentVersion { text: Some(text), changed })),
                Outcome::NotDone(found) => found,
            };
            let (is_same_layout, found) = self.layout.take_from(found)?;
            let found = DocumentVersion::of(found.into_iter().next());
            // The first try may have been done although its response was lost.
            if found.text.as_ref() == Some(&text) {
                return Ok(Ok(found));
            }
            if is_same_layout || found.changed != before.changed {
                return Ok(Err(found));
            }
        }
    }

    /// Reads the document, and follows it from there.
    pub(crate) async fn follow(&self) -> Result<DocumentFollower, EtcdError> {
        let (current, revision) = self.read_at().await?;
        let watch = self.etcd.watch(&self.key, revision + 1).await?;
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(DocumentFollower { document: self.clone(), current, watch, looks })
    }
}

impl DocumentVersion {
    pub(super) fn of(pair: Option<KeyValue>) -> DocumentVersion {
        pair.map_or_else(DocumentVersion::default, |pair| DocumentVersion {
            text: Some(pair.value),
            changed: pair.changed,
        })
    }
}

impl DocumentFollower {
    /// The version that this node knows.
    pub(crate) fn current(&self) -> &DocumentVersion {
        &self.current
    }

    /// Waits for another version that this node did not write. It can be cancelled.
    pub(crate) async fn changed(&mut self) -> Result<(), EtcdError> {
        loop {
            tokio::select! {
                batch = self.watch.next() => {
                    let before = self.current.changed;
                    batch?.changes.into_iter().for_each(|change| self.take(change));
                    if self.current.changed != before {
                        return Ok(());
                    }
                }
                _ = self.looks.tick() => {
                    let (found, revision) = self.document.read_at().await?;
                    if found != self.current {
                        // The watch is behind, and perhaps does not report any more.
                        self.watch = self.document.etcd.watch(&self.document.key, revision + 1).await?;
                        self.current = found;
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Replaces the document. Returns whether it was done; if not, another version is current now.
    pub(crate) async fn replace(&mut self, text: Vec<u8>) -> Result<bool, EtcdError> {
        let replaced = self.document.replace(&self.current, text).await?;
        let is_done = replaced.is_ok();
        self.current = replaced.unwrap_or_else(|found| found);
        Ok(is_done)
    }

    /// Takes a change that the watch reports, unless it is known already.
    fn take(&mut self, change: KeyChange) {
        match change {
            KeyChange::Put(pair) if pair.key == self.document.key && pair.changed > self.current.changed => {
                self.current = DocumentVersion::of(Some(pair));
            }
            KeyChange::Deleted(key, at) if key == self.document.key && at > self.current.changed => {
                self.current = DocumentVersion::default();
            }
            KeyChange::Put(_) | KeyChange::Deleted(..) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::super::fake::{Fake, Fault};
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

    fn document(etcd: &Fake) -> Document {
        let layout = Arc::new(Layout::new("/test/version".to_owned()));
        Document::new(Arc::new(etcd.clone()), "/test/words".to_owned(), layout)
    }

    async fn changed(follower: &mut DocumentFollower) -> Option<String> {
        timeout(DEADLINE, follower.changed()).await.expect("it is reported").unwrap();
        text(follower)
    }

    fn text(follower: &DocumentFollower) -> Option<String> {
        follower.current().text.clone().map(|text| String::from_utf8(text).unwrap())
    }

    #[tokio::test]
    async fn two_nodes_replace_it_and_nothing_is_lost() {
        let etcd = Fake::default();
        let mut one = document(&etcd).follow().await.unwrap();
        let mut two = document(&etcd).follow().await.unwrap();
        assert_eq!(text(&one), None);
        assert!(one.replace(b"one".to_vec()).await.unwrap());
        assert!(!two.replace(b"two".to_vec()).await.unwrap(), "the other one was faster");
        assert_eq!(text(&two).as_deref(), Some("one"));
        assert!(two.replace(b"one two".to_vec()).await.unwrap());
        assert_eq!(changed(&mut one).await.as_deref(), Some("one two"));
        // What a node wrote itself is no news, nor is another key.
        let other = Operation::put("/test/words-and-more", "other");
        etcd.transact(Transaction { operations: vec![other], ..Transaction::default() }).await.unwrap();
        assert!(one.replace(b"three".to_vec()).await.unwrap());
        assert_eq!(changed(&mut two).await.as_deref(), Some("three"));
        assert!(timeout(Duration::from_millis(50), one.changed()).await.is_err());
        let delete = Operation::Delete("/test/words".to_owned());
        etcd.transact(Transaction { operations: vec![delete], ..Transaction::default() }).await.unwrap();
        assert_eq!((changed(&mut one).await, changed(&mut two).await), (None, None));
        assert!(two.replace(b"again".to_vec()).await.unwrap());
        assert_eq!(changed(&mut one).await.as_deref(), Some("again"));
    }

    #[tokio::test]
    async fn a_store_that_a_newer_program_uses_is_not_written() {
        let etcd = Fake::default();
        let mut one = document(&etcd).follow().await.unwrap();
        let version = |text: &'static str| {
            let operations = vec![Operation::put("/test/version", text)];
            etcd.transact(Transaction { operations, ..Transaction::default() })
        };
        assert!(one.replace(b"one".to_vec()).await.unwrap(), "a store without a version");
        // One that an older or the same program wrote later, with more in it.
        version("{\"version\":1,\"more\":true}").await.unwrap();
        assert!(one.replace(b"two".to_vec()).await.unwrap());
        for (newer, why) in [("{\"version\":2}", "version 2 of the layout"), ("2", "/test/version cannot be read")] {
            version(newer).await.unwrap();
            let error = one.replace(b"three".to_vec()).await.unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
            assert_eq!(document(&etcd).read().await.unwrap().text.as_deref(), Some(&b"two"[..]));
        }
        version("{\"version\":1}").await.unwrap();
        assert!(one.replace(b"three".to_vec()).await.unwrap());
    }

    #[tokio::test]
    async fn a_lost_response_is_no_conflict_and_a_lost_connection_is_an_error() {
        let etcd = Fake::default();
        let mut one = document(&etcd).follow().await.unwrap();
        etcd.set_fault(Fault::LostResponse);
        assert!(one.replace(b"one".to_vec()).await.unwrap());
        etcd.set_fault(Fault::Away);
        assert!(timeout(DEADLINE, one.changed()).await.expect("it is noticed").is_err());
        assert!(one.replace(b"two".to_vec()).await.is_err());
        assert!(document(&etcd).follow().await.is_err());
    }
}
