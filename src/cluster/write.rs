//! Changes a file in etcd: one transaction, done only if the file is as this node has it.
//!
//! A change that concerns other files is also refused if anybody made such a change since this one
//! was decided. Then, and if somebody else was faster, the caller decides again on what is there.

use std::sync::Arc;
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::time::{Instant, sleep, timeout_at};

use crate::load::{FileWrite, Reach};
use crate::store::ReplaceError;

use super::Delta;
use super::document::DocumentVersion;
use super::etcd::{EtcdError, KeyValue, Operation, Outcome, StoreRevision, Transaction, after_prefix};
use super::files::{ClusterFiles, Link};
use super::follow::UNANSWERED;
use super::keys::{CHUNK, Entry, Head, VERSION, Version, hash_of, json, parse};
use super::list::ListError;
use super::mirror::{MirrorFile, StoredFile};
use super::node_state::milliseconds;
use super::turns::TURN;

/// How long a write may take in all. Callers wait 5 s.
const WRITE_TIMEOUT: Duration = Duration::from_secs(4);
/// How long a change waits while no endpoint does anything: an etcd without one of its members has
/// another leader after one or two seconds.
const ELECTION: Duration = Duration::from_secs(3);
/// The pause before a transaction is sent again.
const PAUSE: Duration = Duration::from_millis(100);
/// With so many entries, or with so many bytes in them as the text has, the next write writes the
/// whole text and removes the log. Who reads the file reads both.
const MOST_ENTRIES: u64 = 256;
/// A log of fewer bytes may stay, however short the text is: it costs little to read.
const FEW_BYTES: usize = 256 << 10;

/// What changes files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    /// A server.
    Node,
    /// `fiftythree cluster apply`. In a store without a version it writes that after all files.
    Apply,
}

/// A write that is prepared.
struct Write {
    /// The file after it; `None` if it is removed.
    after: Option<(StoredFile, Arc<str>, usize)>,
    /// What only this write has.
    id: String,
    /// Whether it writes the version of the layout, which etcd does not have yet.
    writes_version: bool,
    /// Operations before the transaction: chunks that nothing refers to yet.
    before: Vec<Operation>,
    transaction: Transaction,
}

impl ClusterFiles {
    /// Writes a file. On return, etcd has it and so has this node.
    pub(crate) async fn write(&self, name: &str, write: &FileWrite<'_>) -> Result<(), ReplaceError> {
        self.write_by(Writer::Node, name, write).await
    }

    /// The same, for a server or for a command.
    pub(super) async fn write_by(&self, writer: Writer, name: &str, write: &FileWrite<'_>) -> Result<(), ReplaceError> {
        let began = Instant::now();
        let until = began + WRITE_TIMEOUT;
        match self.link_within(ELECTION).await {
            Link::Following => {}
            Link::Connecting => return Err(ReplaceError::Shared("etcd was not reached yet".to_owned())),
            Link::Lost(why) => {
                return Err(ReplaceError::Shared(format!("nothing can be changed without etcd: {why}")));
            }
        }
        // After a wait for an election there is no time for both.
        if writer == Writer::Node && began.elapsed() < TURN {
            self.let_others_go_first(name, write.reach).await;
        }
        let prepared = match self.prepare(writer, name, write) {
            Err(ReplaceError::Changed) => {
                self.wait_for_turn(name).await;
                return Err(ReplaceError::Changed);
            }
            prepared => prepared?,
        };
        let done = timeout_at(until, self.send(name, &prepared)).await;
        let at = match done.unwrap_or_else(|_| Err(EtcdError::Unreachable(UNANSWERED.to_owned()).into())) {
            Ok(Ok(at)) => at,
            Ok(Err(behind)) => {
                // Decided on something that is no longer so. The watch reports what is.
                let both = async { tokio::join!(self.wait_for(behind), self.wait_for_turn(name)) };
                let followed = timeout_at(until, both).await;
                let why = || "this node is behind etcd, nothing is changed".to_owned();
                return Err(followed.map_or_else(|_| ReplaceError::Shared(why()), |_| ReplaceError::Changed));
            }
            Err(ListError::Etcd(EtcdError::Unreachable(why))) => {
                self.doubt(&why, began);
                let why = format!("the change may have been made; etcd: {why}");
                return Err(ReplaceError::Shared(why));
            }
            Err(error) => return Err(ReplaceError::Shared(format!("nothing is changed: {error}"))),
        };
        self.turn_is_over();
        let mut mirror = self.mirror();
        if prepared.writes_version {
            mirror.version = at;
        }
        match prepared.after {
            Some((stored, text, bytes)) => {
                stored.entry.iter().for_each(|entry| self.changes.add(at, entry));
                mirror.wrote(StoredFile { changed: at, ..stored }, text, bytes);
            }
            None => mirror.removed(name, at),
        }
        if write.reach == Reach::Others {
            mirror.wrote_shared(at);
        }
        Ok(())
    }

    /// Lets nodes go first that wait for this file. If this node waits too, they race.
    pub(super) async fn let_others_go_first(&self, name: &str, reach: Reach) {
        let end = Instant::now() + TURN;
        loop {
            let mut changed = std::pin::pin!(self.waiting.changed.notified());
            changed.as_mut().enable();
            let Some(until) = self.waiting.is_taken_until(name, reach).filter(|_| Instant::now() < end) else { return };
            let _ = timeout_at(until.min(end), changed).await;
        }
    }

    /// This node has lost: the others let it go first. If etcd does not take that, they race again.
    pub(super) async fn wait_for_turn(&self, name: &str) {
        self.waiting.set_own(true);
        let (key, lease) = (self.keys.waiting(&self.node), *self.lease.borrow());
        let operations = vec![Operation::Put { key, value: name.into(), lease }];
        let _ = timeout_at(Instant::now() + TURN, self.layout.make(&*self.etcd, operations)).await;
    }

    /// What a change writes with it if this node has said that it waits.
    pub(super) fn end_of_turn(&self) -> Option<Operation> {
        self.waiting.is_own().then(|| Operation::put(self.keys.waiting(&self.node), ""))
    }

    /// A change is made.
    pub(super) fn turn_is_over(&self) {
        self.waiting.set_own(false);
    }

    /// The transaction. An error if the file, or what the change was decided on, is not current.
    fn prepare(&self, writer: Writer, name: &str, write: &FileWrite<'_>) -> Result<Write, ReplaceError> {
        let (known, damage, shared, version) = {
            let mirror = self.mirror();
            if mirror.foreign_shared > write.decided_on {
                return Err(ReplaceError::Changed);
            }
            (mirror.file(name).cloned(), mirror.damage(name).cloned(), mirror.shared, mirror.version)
        };
        if let Some(damage) = damage.as_ref().filter(|_| writer == Writer::Node) {
            return Err(ReplaceError::Shared(damage.to_string()));
        }
        if known.as_ref().map(|file| &*file.text) != write.before {
            return Err(ReplaceError::Changed);
        }
        let id = write_id().map_err(ReplaceError::Shared)?;
        let changed = known.as_ref().map(|file| file.changed).or(damage.as_ref().map(|damage| damage.changed));
        let head = known.as_ref().and_then(|file| file.head.as_ref());
        let revision =
            head.or(damage.as_ref().and_then(|damage| damage.head.as_ref())).map_or(0, |head| head.revision) + 1;
        let mut prepared = Write {
            after: None,
            before: Vec::new(),
            writes_version: version == 0 && writer == Writer::Node,
            transaction: Transaction {
                expected: vec![
                    (self.keys.head(name), changed.unwrap_or(0)),
                    (self.keys.shared(), shared),
                    (self.keys.version(), version),
                ],
                operations: vec![Operation::put(self.keys.changed(), name)],
                otherwise: vec![
                    self.keys.version(),
                    self.keys.head(name),
                    self.keys.shared(),
                    self.keys.entry(name, revision),
                ],
            },
            id,
        };
        prepared.transaction.operations.extend(self.end_of_turn());
        if prepared.writes_version {
            prepared.transaction.operations.push(self.put_version());
        }
        if write.reach == Reach::Others {
            prepared.transaction.operations.push(Operation::put(self.keys.shared(), name));
        }
        if damage.is_some() && write.after.is_some() {
            prepared.transaction.operations.extend(self.remove_all_but(name, revision, &prepared.id));
        }
        match write.after {
            Some(after) => self.put(name, known.as_ref(), revision, write, after, &mut prepared),
            None => prepared.transaction.operations.extend([
                Operation::Delete(self.keys.head(name)),
                Operation::delete_prefix(&self.keys.log(name)),
                Operation::delete_prefix(&self.keys.texts(name)),
            ]),
        }
        Ok(prepared)
    }

    /// Removes what is there of a damaged file, but not what is written with this revision and id.
    fn remove_all_but(&self, name: &str, revision: u64, id: &str) -> [Operation; 4] {
        let (log, entry) = (self.keys.log(name), self.keys.entry(name, revision));
        let (texts, text) = (self.keys.texts(name), self.keys.text(name, id));
        [
            Operation::DeleteRange(log.clone(), entry.clone()),
            Operation::DeleteRange(entry + "\0", after_prefix(&log)),
            Operation::DeleteRange(texts.clone(), text.clone()),
            Operation::DeleteRange(after_prefix(&text), after_prefix(&texts)),
        ]
    }

    /// Adds the operations that give the file this text.
    fn put(
        &self,
        name: &str,
        known: Option<&MirrorFile>,
        revision: u64,
        write: &FileWrite<'_>,
        after: &str,
        prepared: &mut Write,
    ) {
        let keys = &self.keys;
        let head = known.and_then(|file| file.head.as_ref());
        let delta = known.zip(head).and_then(|(file, head)| {
            let delta = Delta::between(&file.text, after);
            let is_short = revision - head.base < MOST_ENTRIES
                && file.log_bytes < file.text.len().max(FEW_BYTES)
                && delta.bytes() <= CHUNK;
            is_short.then_some(delta)
        });
        let hash = hash_of(after);
        let operations = &mut prepared.transaction.operations;
        let head = match (&delta, head) {
            (Some(_), Some(head)) => Head { revision, hash, ..head.clone() },
            _ => {
                let chunks: Vec<&[u8]> = after.as_bytes().chunks(CHUNK).collect();
                let chunk = |(at, chunk): (usize, &&[u8])| Operation::put(keys.chunk(name, &prepared.id, at), *chunk);
                let puts: Vec<Operation> = chunks.iter().enumerate().map(chunk).collect();
                match puts.len() {
                    0 | 1 => operations.extend(puts),
                    _ => prepared.before = puts,
                }
                if let Some(head) = head {
                    // What the new text replaces.
                    operations.push(Operation::DeleteRange(keys.log(name), keys.entry(name, revision)));
                    operations.push(Operation::delete_prefix(&keys.text(name, &head.text)));
                }
                Head { revision, base: revision, text: prepared.id.clone(), chunks: chunks.len(), hash }
            }
        };
        let entry = Entry {
            write: prepared.id.clone(),
            node: self.node.clone(),
            at: milliseconds(),
            author: write.author.map(|author| (author.name.clone(), author.operation.clone())),
            submission: write.submission.map(|submission| (submission.id.clone(), submission.comment.clone())),
            delta,
        };
        let value = json(&entry);
        let bytes = value.len();
        operations.push(Operation::put(keys.head(name), json(&head)));
        operations.push(Operation::put(keys.entry(name, revision), value));
        let stored = StoredFile { name: name.to_owned(), head, changed: 0, entry: Some(Arc::new(entry)) };
        prepared.after = Some((stored, after.into(), bytes));
    }

    fn put_version(&self) -> Operation {
        Operation::put(self.keys.version(), json(&Version { version: VERSION }))
    }

    /// Writes the version of the layout unless it is there. Until it is, nodes that have files do
    /// not believe what they find.
    pub(super) async fn write_version(&self) -> Result<(), ListError> {
        if self.mirror().version != 0 {
            return Ok(());
        }
        let transaction = Transaction {
            expected: vec![(self.keys.version(), 0)],
            operations: vec![self.put_version()],
            otherwise: vec![self.keys.version()],
        };
        let found = match self.transact(transaction).await? {
            Outcome::Done(at) => at,
            Outcome::NotDone(found) => {
                let found = DocumentVersion::of(found.into_iter().next());
                self.check_version(&found)?;
                found.changed
            }
        };
        self.mirror().version = found;
        Ok(())
    }

    /// Makes a transaction, also if no endpoint does it at first. It may be sent several times.
    async fn transact(&self, transaction: Transaction) -> Result<Outcome, EtcdError> {
        through_election(|| self.etcd.transact(transaction.clone())).await
    }

    /// The same of operations on chunks that no head refers to.
    async fn make(&self, operations: Vec<Operation>) -> Result<(), EtcdError> {
        through_election(|| self.layout.make(&*self.etcd, operations.clone())).await
    }

    /// Sends a write. Returns the revision that it has, or the one that is the reason against it.
    async fn send(&self, name: &str, write: &Write) -> Result<Result<StoreRevision, StoreRevision>, ListError> {
        for chunk in &write.before {
            self.make(vec![chunk.clone()]).await?;
        }
        let found = match self.transact(write.transaction.clone()).await? {
            Outcome::Done(at) => return Ok(Ok(at)),
            Outcome::NotDone(found) => found,
        };
        // The first try may have been done although its response was lost.
        let is_own = |pair: &&KeyValue| parse::<Entry>(pair).is_ok_and(|entry| entry.write == write.id);
        if let Some(own) = found.iter().find(is_own) {
            return Ok(Ok(own.changed));
        }
        let (version, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|pair| pair.key == self.keys.version());
        let version = DocumentVersion::of(version.into_iter().next());
        if version.changed != self.mirror().version {
            self.check_version(&version)?;
            self.mirror().version = version.changed;
        }
        let is_gone = !found.iter().any(|pair| pair.key == self.keys.head(name));
        if write.after.is_none() && is_gone {
            // It is removed, perhaps by the first try; the removal of a file concerns others.
            return Ok(Ok(found.iter().map(|pair| pair.changed).max().unwrap_or(0)));
        }
        if !write.before.is_empty() {
            self.make(vec![Operation::delete_prefix(&self.keys.text(name, &write.id))]).await?;
        }
        let changed = found.iter().map(|pair| pair.changed).max();
        // A file that was removed leaves no key, but its removal wrote others.
        Ok(Err(changed.unwrap_or(0)))
    }
}

/// Does something again while no endpoint does it, for as long as an election may take.
async fn through_election<T, F>(attempt: impl Fn() -> F) -> Result<T, EtcdError>
where
    F: Future<Output = Result<T, EtcdError>>,
{
    let until = Instant::now() + ELECTION;
    loop {
        match attempt().await {
            Err(EtcdError::Unreachable(_)) if Instant::now() + PAUSE < until => sleep(PAUSE).await,
            done => return done,
        }
    }
}

fn write_id() -> Result<String, String> {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "the system has no random numbers".to_owned())?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}
