//! The nodes of the cluster: each one keeps its state in etcd under a lease, and knows those of the
//! others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::etcd::{EtcdError, KeyChange, KeyValue, LeaseId, Operation, Outcome, Transaction, read_all};
use super::files::ClusterFiles;
use super::keys::{json, parse};
use super::node_state::{NodeState, Nodes, node};

/// A node that says nothing for this long is gone. Shorter than opinions stay fresh
/// (`health::agreement::FRESH_TICKS`): all other nodes forget the node when the lease ends.
const LEASE_SECONDS: u64 = 10;
/// How often the lease is prolonged.
const KEEP_ALIVE: Duration = Duration::from_secs(3);
/// How often a node tells what it has loaded, at most.
const QUIET: Duration = Duration::from_millis(100);
/// How long a node that stops waits for etcd.
const LEAVE: Duration = Duration::from_millis(500);
/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps the state of this node in etcd until the server stops. `applied` has the revision that this
/// node answers with.
pub(crate) async fn register(files: Arc<ClusterFiles>, state: NodeState, mut applied: watch::Receiver<i64>) {
    let mut reported = None;
    loop {
        let Err(why) = hold(&files, &state, &mut applied).await;
        if reported.as_ref() != Some(&why) {
            tracing::warn!("this node is not registered in etcd: {why}");
            reported = Some(why);
        }
        sleep(PAUSE).await;
    }
}

/// Registers this node, and returns when it is not registered any more.
async fn hold(
    files: &ClusterFiles,
    state: &NodeState,
    applied: &mut watch::Receiver<i64>,
) -> Result<std::convert::Infallible, String> {
    let text = |error: EtcdError| error.to_string();
    let lease = files.etcd.grant_lease(LEASE_SECONDS).await.map_err(text)?;
    let key = files.keys.node(&files.node);
    let put = |lease: LeaseId, revision: i64| Operation::Put {
        key: key.clone(),
        value: json(&NodeState { revision, ..state.clone() }),
        lease: Some(lease),
    };
    let revision = *applied.borrow_and_update();
    let first = Transaction {
        expected: vec![(key.clone(), 0)],
        operations: vec![put(lease, revision)],
        otherwise: vec![key.clone()],
    };
    if let Outcome::NotDone(found) = files.etcd.transact(first).await.map_err(text)? {
        let is_own = |pair: &KeyValue| parse::<NodeState>(pair).is_ok_and(|other| other.started == state.started);
        if !found.iter().any(is_own) {
            files.etcd.revoke_lease(lease).await.map_err(text)?;
            return Err(format!("there is a node with the name {}, or its last run is not over yet", files.node));
        }
        update(files, put(lease, revision)).await?;
    }
    files.lease.send_replace(Some(lease));
    let mut beats = interval(KEEP_ALIVE);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            changed = applied.changed() => {
                if changed.is_err() {
                    // The server is stopping.
                    return std::future::pending().await;
                }
                let revision = *applied.borrow_and_update();
                update(files, put(lease, revision)).await?;
                sleep(QUIET).await;
            }
            _ = beats.tick() => {
                if !files.etcd.keep_alive(lease).await.map_err(text)? {
                    return Err("its lease ended".to_owned());
                }
            }
        }
    }
}

/// This node stops: changes do not wait for it.
pub(crate) async fn leave(files: &ClusterFiles) {
    let lease = files.lease.send_replace(None);
    if let Some(lease) = lease {
        // Otherwise the lease ends by itself.
        let _ = timeout(LEAVE, files.etcd.revoke_lease(lease)).await;
    }
}

async fn update(files: &ClusterFiles, put: Operation) -> Result<(), String> {
    let transaction = Transaction { operations: vec![put], ..Transaction::default() };
    files.etcd.transact(transaction).await.map(drop).map_err(|error| error.to_string())
}

/// Knows the nodes until the server stops.
pub(crate) async fn follow_nodes(files: Arc<ClusterFiles>, nodes: watch::Sender<Nodes>) {
    loop {
        // What follows the files reports the failure.
        let _ = follow_once(&files, &nodes).await;
        sleep(PAUSE).await;
    }
}

async fn follow_once(
    files: &ClusterFiles,
    nodes: &watch::Sender<Nodes>,
) -> Result<std::convert::Infallible, EtcdError> {
    let prefix = files.keys.nodes();
    let (revision, pairs) = read_all(&*files.etcd, &prefix, None).await?;
    let mut known: BTreeMap<String, NodeState> = pairs.iter().filter_map(|pair| node(pair, &prefix)).collect();
    nodes.send_replace(Arc::new(known.clone()));
    let mut watch = files.etcd.watch(&prefix, revision + 1).await?;
    loop {
        for change in watch.next().await?.changes {
            match change {
                KeyChange::Put(pair) => known.extend(node(&pair, &prefix)),
                KeyChange::Deleted(key, _) => {
                    key.strip_prefix(&*prefix).map(|name| known.remove(name));
                }
            }
        }
        nodes.send_replace(Arc::new(known.clone()));
    }
}
