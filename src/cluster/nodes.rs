//! The nodes of the cluster: each one keeps its state in etcd under a lease, and knows those of the
//! others.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::etcd::{
    EtcdError, KeyChange, KeyValue, LeaseId, Operation, Outcome, Range, StoreRevision, Transaction, read_all,
};
use super::files::ClusterFiles;
use super::keys::json;
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
/// How many keys that cannot be read are logged.
const MOST_UNREADABLE: usize = 100;
/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps the state of this node in etcd until the server stops. `applied` has the revision that
/// this node answers with.
pub(crate) async fn register(files: Arc<ClusterFiles>, state: NodeState, mut applied: watch::Receiver<i64>) {
    let (mut tried, mut reported) = (None, None);
    loop {
        let Err(why) = hold(&files, &state, &mut applied, &mut tried, &mut reported).await;
        files.set_not_registered(Some(&why));
        if reported.as_ref() != Some(&why) {
            tracing::error!("this node is not registered in etcd, so that the others do not count it: {why}");
            reported = Some(why);
        }
        sleep(PAUSE).await;
    }
}

/// Registers this node, and returns when it is not registered any more. `tried` is the lease of
/// earlier tries that failed.
async fn hold(
    files: &ClusterFiles,
    state: &NodeState,
    applied: &mut watch::Receiver<i64>,
    tried: &mut Option<LeaseId>,
    reported: &mut Option<String>,
) -> Result<Infallible, String> {
    let text = |error: EtcdError| error.to_string();
    let lease = lease(files, tried).await.map_err(text)?;
    let mut registered = Registered { files, state, lease, changed: 0 };
    let revision = *applied.borrow_and_update();
    registered.write(revision).await?;
    *tried = None;
    files.lease.send_replace(Some(lease));
    files.set_not_registered(None);
    if reported.take().is_some() {
        tracing::info!("this node is registered in etcd");
        // What this run said while another one had the name. A second server says so again.
        let _ = files.layout.make(&*files.etcd, vec![Operation::Delete(files.keys.refused(&files.node))]).await;
    }
    let (mut beats, mut second) = (interval(KEEP_ALIVE), None);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            further = applied.changed() => {
                if further.is_err() {
                    // The server is stopping.
                    return std::future::pending().await;
                }
                let revision = *applied.borrow_and_update();
                registered.write(revision).await?;
                sleep(QUIET).await;
            }
            _ = beats.tick() => {
                if !files.etcd.keep_alive(lease).await.map_err(text)? {
                    return Err("its lease ended".to_owned());
                }
                // It only logs: the next beat looks again.
                let _ = warn_of_second(files, state, &mut second).await;
            }
        }
    }
}

/// The lease of earlier tries unless it has ended: a node that is refused tries every second, and
/// would leave one lease behind each time.
async fn lease(files: &ClusterFiles, tried: &mut Option<LeaseId>) -> Result<LeaseId, EtcdError> {
    match *tried {
        Some(lease) if files.etcd.keep_alive(lease).await? => Ok(lease),
        _ => Ok(*tried.insert(files.etcd.grant_lease(LEASE_SECONDS).await?)),
    }
}

/// The state of this node in etcd, under its lease.
struct Registered<'f> {
    files: &'f ClusterFiles,
    state: &'f NodeState,
    lease: LeaseId,
    /// When it was last written.
    changed: StoreRevision,
}

impl Registered<'_> {
    /// Writes that this node answers with every change up to this revision. The condition keeps a
    /// write that arrives late from undoing a later one, and another node from losing its name.
    async fn write(&mut self, revision: i64) -> Result<(), String> {
        let text = |error: EtcdError| error.to_string();
        let Registered { files, state, lease, .. } = *self;
        let key = files.keys.node(&files.node);
        let state = NodeState { revision, files: Some(files.count()), ..state.clone() };
        let put = Operation::Put { key: key.clone(), value: json(&state), lease: Some(lease) };
        loop {
            let transaction = Transaction {
                expected: vec![(key.clone(), self.changed), files.layout.expected()],
                operations: vec![put.clone()],
                otherwise: vec![key.clone(), files.layout.key().to_owned()],
            };
            let found = match files.etcd.transact(transaction).await.map_err(text)? {
                Outcome::Done(at) => {
                    self.changed = at;
                    return Ok(());
                }
                Outcome::NotDone(found) => files.layout.take_from(found).map_err(text)?.1,
            };
            let other = found.first().map(|pair| node(pair, &files.keys.nodes()));
            match other {
                Some(Ok((_, other))) if !state.continues(&other) => return Err(self.refuse(&other).await),
                Some(Err(why)) => return Err(why),
                // It was written after all, or the lease has ended.
                _ => self.changed = found.first().map_or(0, |pair| pair.changed),
            }
        }
    }

    /// Another node has the name. It learns of this one, and so does `cluster status`.
    async fn refuse(&self, other: &NodeState) -> String {
        let Registered { files, state, lease, .. } = *self;
        files.lease.send_replace(None);
        let put = Operation::Put { key: files.keys.refused(&files.node), value: json(state), lease: Some(lease) };
        // Who has the name logs it; the next try says it again.
        let _ = files.layout.make(&*files.etcd, vec![put]).await;
        format!("{}: give one of them another `node`", other_has_the_name(&files.node, other))
    }
}

/// Such as `another node has the name berlin-1, at 192.0.2.1:53`.
fn other_has_the_name(name: &str, other: &NodeState) -> String {
    format!("another node has the name {name}, at {}", other.place())
}

/// Logs that another server has the name of this node, once for each.
async fn warn_of_second(files: &ClusterFiles, state: &NodeState, known: &mut Option<String>) -> Result<(), EtcdError> {
    let found = files.etcd.range(Range::key(files.keys.refused(&files.node))).await?.pairs.pop();
    let second = found.and_then(|pair| node(&pair, &files.keys.all_refused()).ok());
    // What this run said while an earlier one had the name is not about another server.
    let second = second.filter(|(_, second)| !state.continues(second)).map(|(_, second)| second.place());
    if second.is_some() && second != *known {
        let place = second.as_deref().unwrap_or_default();
        let name = &files.node;
        tracing::error!("a second server has the name {name}, at {place}: it is refused; give it another `node`");
        known.clone_from(&second);
    }
    Ok(())
}

/// This node stops: changes do not wait for it.
pub(crate) async fn leave(files: &ClusterFiles) {
    let lease = files.lease.send_replace(None);
    if let Some(lease) = lease {
        // Otherwise the lease ends by itself.
        let _ = timeout(LEAVE, files.etcd.revoke_lease(lease)).await;
    }
}

/// Knows the nodes until the server stops.
pub(crate) async fn follow_nodes(files: Arc<ClusterFiles>, nodes: watch::Sender<Nodes>) {
    let mut unreadable = BTreeMap::new();
    loop {
        // What follows the files reports the failure.
        let _ = follow_once(&files, &nodes, &mut unreadable).await;
        sleep(PAUSE).await;
    }
}

async fn follow_once(
    files: &ClusterFiles,
    nodes: &watch::Sender<Nodes>,
    unreadable: &mut BTreeMap<String, String>,
) -> Result<Infallible, EtcdError> {
    let prefix = files.keys.nodes();
    let (revision, pairs) = read_all(&*files.etcd, &prefix, None).await?;
    let mut known: BTreeMap<String, NodeState> =
        pairs.iter().filter_map(|pair| readable(pair, &prefix, unreadable)).collect();
    nodes.send_replace(Arc::new(known.clone()));
    let mut watch = files.etcd.watch(&prefix, revision + 1).await?;
    loop {
        for change in watch.next().await?.changes {
            match change {
                KeyChange::Put(pair) => {
                    pair.key.strip_prefix(&*prefix).map(|name| known.remove(name));
                    known.extend(readable(&pair, &prefix, unreadable));
                }
                KeyChange::Deleted(key, _) => {
                    unreadable.remove(&key);
                    key.strip_prefix(&*prefix).map(|name| known.remove(name));
                }
            }
        }
        nodes.send_replace(Arc::new(known.clone()));
    }
}

/// The node of a key. One that cannot be read is logged once.
fn readable(pair: &KeyValue, prefix: &str, unreadable: &mut BTreeMap<String, String>) -> Option<(String, NodeState)> {
    match node(pair, prefix) {
        Ok(node) => {
            unreadable.remove(&pair.key);
            Some(node)
        }
        Err(why) => {
            // What is written under many keys does not fill the memory.
            if unreadable.get(&pair.key) != Some(&why) && unreadable.len() < MOST_UNREADABLE {
                tracing::warn!("a node in etcd does not count: {why}");
                unreadable.insert(pair.key.clone(), why);
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::etcd::Etcd as _;
    use crate::cluster::fake::Fake;
    use crate::cluster::tests::files;

    /// Starts a run of the node `one`. It goes on until the task is dropped.
    fn run(etcd: &Fake, home: &str, started: u64) -> (Arc<ClusterFiles>, tokio::task::JoinSet<()>) {
        let (files, mut tasks) = (files(etcd, "one", &[]), tokio::task::JoinSet::new());
        let addresses = vec![format!("192.0.2.{started}:53")];
        let state = NodeState { home: home.to_owned(), addresses, started, ..NodeState::default() };
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
        // Each of them, and operators, know where the other one is.
        let why = elsewhere.not_registered().unwrap();
        assert_eq!(why, "another node has the name one, at 192.0.2.10:53: give one of them another `node`");
        assert!(!elsewhere.reading(0).is_registered);
        let mut second = None;
        let own = NodeState { home: "here".to_owned(), started: 10, ..NodeState::default() };
        warn_of_second(&first, &own, &mut second).await.unwrap();
        assert_eq!(second.as_deref(), Some("192.0.2.20:53"));
        let status = first.status().await.unwrap();
        assert_eq!(status.refused.keys().map(|name| &**name).collect::<Vec<_>>(), ["one"]);
        let (second, _tasks) = run(&etcd, "here", 20);
        assert!(is_registered(&second, Duration::from_secs(20)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_waits_for_its_name_has_one_lease_and_then_is_no_second_server() {
        let etcd = Fake::default();
        let (first, mut stopped) = run(&etcd, "here", 10);
        assert!(is_registered(&first, Duration::from_secs(20)).await);
        let (second, _tasks) = run(&etcd, "there", 20);
        assert!(!is_registered(&second, Duration::from_secs(5)).await);
        assert_eq!(etcd.leases(), 2, "its tries have the same one");
        let refused = async || first.status().await.unwrap().refused.into_keys().collect::<Vec<_>>();
        assert_eq!(refused().await, ["one"]);
        // Without the lease it asks for another one.
        etcd.revoke_lease(LeaseId(2)).await.unwrap();
        assert!(!is_registered(&second, Duration::from_secs(5)).await);
        assert_eq!(etcd.leases(), 3);
        stopped.shutdown().await;
        let make = |operation| etcd.transact(Transaction { operations: vec![operation], ..Transaction::default() });
        // As the end of a lease does.
        make(Operation::Delete("/test/nodes/one".to_owned())).await.unwrap();
        assert!(is_registered(&second, Duration::from_secs(20)).await);
        assert_eq!((etcd.leases(), refused().await), (3, Vec::new()));
        assert!(!etcd.keys().contains(&"/test/refused/one".to_owned()));
        // What an earlier run said does not count, unless it was elsewhere.
        for (home, expected) in [("there", 0), ("elsewhere", 1)] {
            let state = NodeState { home: home.to_owned(), started: 15, ..NodeState::default() };
            make(Operation::put("/test/refused/one", json(&state))).await.unwrap();
            assert_eq!(refused().await.len(), expected, "{home}");
        }
    }

    #[tokio::test]
    async fn garbage_in_the_place_of_a_node_counts_as_no_node() {
        let etcd = Fake::default();
        let put = |key: &'static str, value: &'static [u8]| {
            let operations = vec![Operation::put(key, value)];
            etcd.transact(Transaction { operations, ..Transaction::default() })
        };
        let good =
            br#"{"version":"0.1.0\u001b[2J","started":1,"revision":1,"addresses":["192.0.2.1:53\u0007"],"more":[]}"#;
        put("/test/nodes/good", good).await.unwrap();
        put("/test/nodes/bad\u{1b}[2J", good).await.unwrap();
        put("/test/nodes/garbage", b"garbage").await.unwrap();
        let files = files(&etcd, "one", &[]);
        let (sender, mut known) = (files.nodes_sender(), files.nodes_sender().subscribe());
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(follow_nodes(Arc::clone(&files), sender));
        let is_it = |nodes: &Nodes, names: &[&str]| nodes.keys().map(String::as_str).eq(names.iter().copied());
        let within = Duration::from_secs(20);
        timeout(within, known.wait_for(|nodes| is_it(nodes, &["good"]))).await.unwrap().unwrap();
        let state = files.nodes()["good"].clone();
        assert_eq!((&*state.version, &*state.addresses[0]), ("0.1.0\u{fffd}[2J", "192.0.2.1:53\u{fffd}"));
        // Garbage takes the place of a node that was readable.
        put("/test/nodes/good", b"{").await.unwrap();
        timeout(within, known.wait_for(|nodes| nodes.is_empty())).await.unwrap().unwrap();
        let mut unreadable = BTreeMap::new();
        for pair in etcd.range(Range::prefix("/test/nodes/")).await.unwrap().pairs {
            (0..2).for_each(|_| assert_eq!(readable(&pair, "/test/nodes/", &mut unreadable), None));
        }
        assert_eq!(unreadable.len(), 3);
        assert!(!unreadable.values().any(|why| why.chars().any(char::is_control)), "{unreadable:?}");
    }
}
