//! The nodes of the cluster: each one keeps its state in etcd under a lease, and knows those of the
//! others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::etcd::{EtcdError, KeyChange, KeyValue, LeaseId, Operation, Outcome, StoreRevision, Transaction, read_all};
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

/// Keeps the state of this node in etcd until the server stops. `applied` has the revision that
/// this node answers with.
pub(crate) async fn register(files: Arc<ClusterFiles>, state: NodeState, mut applied: watch::Receiver<i64>) {
    let mut reported = None;
    loop {
        let Err(why) = hold(&files, &state, &mut applied, &mut reported).await;
        if reported.as_ref() != Some(&why) {
            tracing::error!("this node is not registered in etcd, so that the others do not count it: {why}");
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
    reported: &mut Option<String>,
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
    let Some(mut changed) = update(files, state, 0, put(lease, revision)).await.map_err(text)? else {
        files.etcd.revoke_lease(lease).await.map_err(text)?;
        return Err(other_with_the_name(files));
    };
    files.lease.send_replace(Some(lease));
    if reported.take().is_some() {
        tracing::info!("this node is registered in etcd");
    }
    let mut beats = interval(KEEP_ALIVE);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            further = applied.changed() => {
                if further.is_err() {
                    // The server is stopping.
                    return std::future::pending().await;
                }
                let revision = *applied.borrow_and_update();
                let updated = update(files, state, changed, put(lease, revision)).await.map_err(text)?;
                changed = updated.ok_or_else(|| other_with_the_name(files))?;
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

fn other_with_the_name(files: &ClusterFiles) -> String {
    format!("there is a node with the name {}: if it is another one, give one of them another `node`", files.node)
}

/// Writes the state of this node, which was last changed at `changed`. Returns when it is changed
/// now; `None` if another node has the name. The condition keeps a write that arrives late from
/// undoing a later one.
async fn update(
    files: &ClusterFiles,
    state: &NodeState,
    mut changed: StoreRevision,
    put: Operation,
) -> Result<Option<StoreRevision>, EtcdError> {
    let key = files.keys.node(&files.node);
    let is_own = |pair: &KeyValue| parse::<NodeState>(pair).is_ok_and(|other| state.continues(&other));
    loop {
        let transaction = Transaction {
            expected: vec![(key.clone(), changed)],
            operations: vec![put.clone()],
            otherwise: vec![key.clone()],
        };
        match files.etcd.transact(transaction).await? {
            Outcome::Done(at) => return Ok(Some(at)),
            Outcome::NotDone(found) => match found.first() {
                Some(pair) if !is_own(pair) => return Ok(None),
                // It was written after all, or the lease has ended.
                found => changed = found.map_or(0, |pair| pair.changed),
            },
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::fake::Fake;
    use crate::cluster::tests::files;

    /// Starts a run of the node `one`. It goes on until the task is dropped.
    fn run(etcd: &Fake, home: &str, started: u64) -> (Arc<ClusterFiles>, tokio::task::JoinSet<()>) {
        let (files, mut tasks) = (files(etcd, "one", &[]), tokio::task::JoinSet::new());
        let state = NodeState { home: home.to_owned(), started, ..NodeState::default() };
        let (applied_in, applied) = watch::channel(0);
        let register = register(Arc::clone(&files), state, applied);
        tasks.spawn(async move {
            let _applied_in = applied_in;
            register.await;
        });
        (files, tasks)
    }

    async fn is_registered(files: &ClusterFiles, within: Duration) -> bool {
        let mut lease = files.lease.subscribe();
        timeout(within, lease.wait_for(Option::is_some)).await.is_ok()
    }

    #[tokio::test]
    async fn a_later_run_takes_the_place_of_one_that_was_killed_and_another_node_does_not() {
        let etcd = Fake::default();
        let (first, mut killed) = run(&etcd, "here", 10);
        assert!(is_registered(&first, Duration::from_secs(20)).await);
        killed.shutdown().await;
        // Its lease has not ended: nothing ends leases in this etcd.
        let (elsewhere, _tasks) = run(&etcd, "there", 20);
        assert!(!is_registered(&elsewhere, Duration::from_millis(300)).await);
        let (second, _tasks) = run(&etcd, "here", 20);
        assert!(is_registered(&second, Duration::from_secs(20)).await);
    }
}
