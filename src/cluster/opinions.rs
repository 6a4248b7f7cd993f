//! The opinions of health of all nodes, in etcd.
//!
//! Each node writes its own under its lease, shortly after they changed and every few seconds, and
//! watches those of the others. The control loop forgets an opinion that is not repeated, so
//! nothing here reports that etcd is lost.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::health::agreement::{
    CheckList, ListHash, NodeNews, NodeOpinions, NodeReader, WireError, encode_list, encode_opinions,
};

use super::etcd::{EtcdError, KeyChange, KeyValue, LeaseId, Operation, StoreRevision, read_all};
use super::files::ClusterFiles;
use super::keys::OpinionKey;

/// Opinions that change together are written together.
const QUIET: Duration = Duration::from_millis(50);
/// How often opinions are repeated. `FRESH_TICKS` allows for three that are lost.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// A watch that reports nothing for this long, not even what this node writes, is replaced.
const SILENCE: Duration = Duration::from_secs(8);
/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// What the nodes of the cluster say about the health checks.
pub(crate) struct Opinions {
    files: Arc<ClusterFiles>,
    /// The checks of this node. Nodes with the same configuration have the same list, and share it.
    own: Mutex<Arc<CheckList>>,
}

/// What was read of other nodes.
#[derive(Default)]
pub(crate) struct Heard {
    nodes: BTreeMap<Arc<str>, OtherNode>,
    /// What is read up to this revision; `None` before the first list.
    read: Option<StoreRevision>,
}

#[derive(Default)]
struct OtherNode {
    reader: NodeReader,
    /// It has opinions that can be read.
    is_known: bool,
    /// When they were written.
    changed: StoreRevision,
    /// Why its last value could not be used, if that was logged.
    reported: Option<WireError>,
}

impl Opinions {
    pub(crate) fn new(files: Arc<ClusterFiles>) -> Opinions {
        Opinions { files, own: Mutex::new(Arc::new(CheckList::new([]))) }
    }

    /// What all other nodes say, if etcd tells it within this time.
    pub(crate) async fn first(&self, within: Duration) -> (Heard, Vec<NodeNews>) {
        let mut heard = Heard::default();
        match timeout(within, self.list(&mut heard)).await {
            Ok(Ok(news)) => (heard, news),
            // What follows them tries again.
            Ok(Err(_)) | Err(_) => (Heard::default(), Vec::new()),
        }
    }

    /// Tells what other nodes say since it was heard first, until the server stops.
    pub(crate) async fn follow(&self, mut heard: Heard, news: mpsc::Sender<Vec<NodeNews>>) {
        loop {
            let Err(error) = self.follow_once(&mut heard, &news).await;
            tracing::debug!("the opinions of other nodes are not followed: {error}");
            heard.read = None;
            sleep(PAUSE).await;
        }
    }

    async fn follow_once(
        &self,
        heard: &mut Heard,
        news: &mpsc::Sender<Vec<NodeNews>>,
    ) -> Result<Infallible, EtcdError> {
        // A receiver that is gone needs no news.
        let from = match heard.read {
            Some(read) => read,
            None => {
                let _ = news.send(self.list(heard).await?).await;
                heard.read.unwrap_or_default()
            }
        };
        let mut watch = self.files.etcd.watch(&self.files.keys.opinions(), from + 1).await?;
        loop {
            let batch = timeout(SILENCE, watch.next()).await;
            let batch = batch.map_err(|_| EtcdError::Unreachable("the watch is silent".to_owned()))??;
            let changes: Vec<NodeNews> =
                batch.changes.iter().filter_map(|change| self.take_change(heard, change)).collect();
            if !changes.is_empty() {
                let _ = news.send(changes).await;
            }
        }
    }

    /// Reads all opinions that etcd has. Nodes without any are gone.
    async fn list(&self, heard: &mut Heard) -> Result<Vec<NodeNews>, EtcdError> {
        let prefix = self.files.keys.opinions();
        let (revision, pairs) = read_all(&*self.files.etcd, &prefix, None).await?;
        let mut news: Vec<NodeNews> = Vec::new();
        let mut gone = std::mem::take(&mut heard.nodes);
        for pair in pairs {
            if let Some((node, _)) = self.files.keys.opinion_of(&pair.key)
                && let Some((node, known)) = gone.remove_entry(node)
            {
                heard.nodes.insert(node, known);
            }
            news.extend(self.take_change(heard, &KeyChange::Put(pair)));
        }
        news.extend(gone.into_keys().map(NodeNews::Gone));
        heard.read = Some(revision);
        Ok(news)
    }

    fn take_change(&self, heard: &mut Heard, change: &KeyChange) -> Option<NodeNews> {
        let (name, kind) = self.files.keys.opinion_of(change.key()).filter(|(name, _)| *name != self.files.node)?;
        match (change, kind) {
            // After an outage etcd still has what a node said before it: that is no repetition.
            (KeyChange::Put(pair), OpinionKey::Value) if heard.has(name, pair.changed) => None,
            (KeyChange::Put(pair), kind) => {
                let own = Arc::clone(&self.own.lock().unwrap_or_else(PoisonError::into_inner));
                heard.take(name, kind, pair, &own)
            }
            (KeyChange::Deleted(..), OpinionKey::Value) => {
                let (name, known) = heard.nodes.remove_entry(name)?;
                known.is_known.then_some(NodeNews::Gone(name))
            }
            (KeyChange::Deleted(..), OpinionKey::List) => None,
        }
    }

    /// Writes what this node says, until the server stops. `changes` counts the changes of it.
    pub(crate) async fn publish<F: Future<Output = Option<NodeOpinions>> + Send>(
        &self,
        mut changes: watch::Receiver<u64>,
        mut state: impl FnMut() -> F + Send,
    ) {
        let mut reported = None;
        loop {
            let Err(error) = self.publish_once(&mut changes, &mut state, &mut reported).await;
            if reported.as_ref() != Some(&error) {
                tracing::warn!("etcd: {error}; the other nodes do not have this node's opinions of health");
                reported = Some(error);
            }
            sleep(PAUSE).await;
        }
    }

    async fn publish_once<F: Future<Output = Option<NodeOpinions>>>(
        &self,
        changes: &mut watch::Receiver<u64>,
        state: &mut impl FnMut() -> F,
        reported: &mut Option<EtcdError>,
    ) -> Result<Infallible, EtcdError> {
        let mut leases = self.files.lease.subscribe();
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The list that is under this lease.
        let mut written: Option<(LeaseId, ListHash)> = None;
        loop {
            let lease = *leases.borrow_and_update();
            changes.borrow_and_update();
            if let Some(lease) = lease
                && let Some(opinions) = state().await
            {
                let list = opinions.checks();
                if written != Some((lease, list.hash())) {
                    *self.own.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(list);
                    self.write_list(list, lease).await?;
                    written = Some((lease, list.hash()));
                }
                let (key, value) = (self.files.keys.opinion(&self.files.node), encode_opinions(&opinions));
                self.put(vec![Operation::Put { key, value: value.into(), lease: Some(lease) }]).await?;
                if reported.take().is_some() {
                    tracing::info!("the other nodes have this node's opinions of health again");
                }
            }
            wait(changes, &mut leases, &mut heartbeat).await;
        }
    }

    async fn write_list(&self, list: &CheckList, lease: LeaseId) -> Result<(), EtcdError> {
        let (keys, node) = (&self.files.keys, &self.files.node);
        let chunks = encode_list(list);
        let end = keys.opinion_chunk(node, chunks.len());
        for (number, chunk) in chunks.into_iter().enumerate() {
            let key = keys.opinion_chunk(node, number);
            self.put(vec![Operation::Put { key, value: chunk.into(), lease: Some(lease) }]).await?;
        }
        // A longer list had further chunks.
        self.put(vec![Operation::DeleteRange(end, keys.after_opinion_chunks(node))]).await
    }

    async fn put(&self, operations: Vec<Operation>) -> Result<(), EtcdError> {
        self.files.layout.make(&*self.files.etcd, operations).await
    }
}

/// What all nodes say now, this one included.
pub(crate) async fn read_opinions(files: &ClusterFiles) -> Result<Vec<(Arc<str>, Arc<NodeOpinions>)>, EtcdError> {
    let (_, pairs) = read_all(&*files.etcd, &files.keys.opinions(), None).await?;
    let (mut heard, none) = (Heard::default(), Arc::new(CheckList::new([])));
    let mut stated = Vec::new();
    for pair in pairs {
        let Some((node, kind)) = files.keys.opinion_of(&pair.key) else { continue };
        if let Some(NodeNews::Opinions(node, opinions)) = heard.take(node, kind, &pair, &none) {
            stated.push((node, opinions));
        }
    }
    Ok(stated)
}

/// Waits until the opinions have to be written again.
async fn wait(
    changes: &mut watch::Receiver<u64>,
    leases: &mut watch::Receiver<Option<LeaseId>>,
    heartbeat: &mut tokio::time::Interval,
) {
    let is_changed = tokio::select! {
        changed = changes.changed() => Some(changed.is_ok()),
        leased = leases.changed() => Some(leased.is_ok()),
        _ = heartbeat.tick() => None,
    };
    match is_changed {
        Some(true) => sleep(QUIET).await,
        // The server is stopping.
        Some(false) => std::future::pending().await,
        None => {}
    }
}

impl Heard {
    /// Whether the opinions that a node wrote at this revision are known.
    fn has(&self, name: &str, changed: StoreRevision) -> bool {
        self.nodes.get(name).is_some_and(|node| node.is_known && node.changed == changed)
    }

    fn take(&mut self, name: &str, kind: OpinionKey, pair: &KeyValue, own: &Arc<CheckList>) -> Option<NodeNews> {
        let name: Arc<str> = self.nodes.get_key_value(name).map_or_else(|| name.into(), |(name, _)| Arc::clone(name));
        let node = self.nodes.entry(Arc::clone(&name)).or_default();
        let read = match kind {
            OpinionKey::List => node.reader.read_list_chunk(&pair.value).map(|()| None),
            OpinionKey::Value => node.reader.read_opinions(&pair.value, own).map(Some),
        };
        match read {
            Ok(None) => None,
            Ok(Some(opinions)) => {
                (node.is_known, node.changed, node.reported) = (true, pair.changed, None);
                Some(NodeNews::Opinions(name, Arc::new(opinions)))
            }
            Err(error) => {
                if node.reported.as_ref() != Some(&error) {
                    tracing::warn!("what node {name} says about health cannot be used: {error}");
                    node.reported = Some(error);
                }
                std::mem::take(&mut node.is_known).then_some(NodeNews::Gone(name))
            }
        }
    }
}
