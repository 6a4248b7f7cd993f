//! Nodes that exchange opinions through an etcd in memory.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::etcd::{Etcd as _, LeaseId, Operation, Transaction};
use super::fake::{Fake, Fault};
use super::files::ClusterFiles;
use super::opinions::Opinions;
use super::tests::files;
use crate::health::agreement::{CheckList, NodeNews, NodeOpinions, Opinion};
use crate::health::{CheckFingerprint, Identity, Status, Timestamp};
use crate::model::HealthCheckId;

const DEADLINE: Duration = Duration::from_secs(20);

/// A node that states and hears opinions.
struct Node {
    files: Arc<ClusterFiles>,
    /// What it says, and how often that changed.
    state: watch::Sender<(Vec<usize>, Status)>,
    changes: watch::Sender<u64>,
    news: mpsc::Receiver<Vec<NodeNews>>,
    tasks: JoinSet<()>,
}

fn list(checks: &[usize]) -> Arc<CheckList> {
    let identity = |number: &usize| Identity {
        id: HealthCheckId(format!("{number:08}-aaaa-4aaa-8aaa-aaaaaaaaaaaa")),
        fingerprint: CheckFingerprint(*number as u64),
    };
    Arc::new(CheckList::new(checks.iter().map(|number| Arc::new(identity(number)))))
}

fn stated(checks: &[usize], status: Status) -> NodeOpinions {
    let opinion = Opinion { status, text: "as the test wants".into(), age_s: 1 };
    let opinions = NodeOpinions::new(Timestamp::default(), false, list(checks), |_| Some(opinion.clone()));
    opinions.located(Some("eu-west-1".into()), "192.0.2.1".parse().ok())
}

async fn node(etcd: &Fake, name: &str) -> Node {
    let files = files(etcd, name, &[]);
    files.lease.send_replace(Some(LeaseId(1)));
    let opinions = Arc::new(Opinions::new(Arc::clone(&files)));
    let (heard, first) = opinions.first(DEADLINE).await;
    let (news_in, news) = mpsc::channel(100);
    news_in.send(first).await.unwrap();
    let state = watch::Sender::new((vec![1, 2], Status::Healthy));
    let changes = watch::Sender::new(0);
    let (own, changed) = (state.clone(), changes.subscribe());
    let mut tasks = JoinSet::new();
    let following = Arc::clone(&opinions);
    tasks.spawn(async move { following.follow(heard, news_in).await });
    tasks.spawn(async move {
        let state = || {
            let (checks, status) = own.borrow().clone();
            async move { Some(stated(&checks, status)) }
        };
        opinions.publish(changed, state).await;
    });
    Node { files, state, changes, news, tasks }
}

impl Node {
    fn say(&self, checks: &[usize], status: Status) {
        self.state.send_replace((checks.to_vec(), status));
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Waits for news that are like this.
    async fn until(&mut self, is_it: impl Fn(&NodeNews) -> bool) -> NodeNews {
        let heard = async {
            loop {
                let news = self.news.recv().await.expect("it follows");
                if let Some(news) = news.into_iter().find(&is_it) {
                    return news;
                }
            }
        };
        timeout(DEADLINE, heard).await.expect("it is heard")
    }

    async fn until_says(&mut self, node: &str, checks: &[usize], status: Status) {
        let list = list(checks);
        let is_it = |news: &NodeNews| {
            let NodeNews::Opinions(name, opinions) = news else { return false };
            let all = opinions.opinions().all(|opinion| opinion.is_some_and(|opinion| opinion.status == status));
            &**name == node && opinions.checks().hash() == list.hash() && all
        };
        self.until(is_it).await;
    }

    async fn until_gone(&mut self, node: &str) {
        self.until(|news| matches!(news, NodeNews::Gone(name) if &**name == node)).await;
    }
}

#[tokio::test]
async fn what_one_node_says_the_others_hear() {
    let etcd = Fake::default();
    let (mut one, mut two) = (node(&etcd, "one").await, node(&etcd, "two").await);
    two.until_says("one", &[1, 2], Status::Healthy).await;
    one.say(&[1, 2], Status::Unhealthy);
    two.until_says("one", &[1, 2], Status::Unhealthy).await;
    one.until_says("two", &[1, 2], Status::Healthy).await;
    // Another configuration.
    two.say(&[2, 3, 4], Status::Unhealthy);
    one.until_says("two", &[2, 3, 4], Status::Unhealthy).await;
    // A node that comes later hears them before anything else.
    let mut three = node(&etcd, "three").await;
    let first = three.news.recv().await.unwrap();
    let names: Vec<&str> = first
        .iter()
        .filter_map(|news| match news {
            NodeNews::Opinions(name, opinions) => {
                assert_eq!(
                    (opinions.region.as_deref(), opinions.address),
                    (Some("eu-west-1"), "192.0.2.1".parse().ok())
                );
                Some(&**name)
            }
            NodeNews::Gone(_) => None,
        })
        .collect();
    assert_eq!(names, ["one", "two"]);
}

#[tokio::test]
async fn an_opinion_is_repeated_and_a_node_that_left_is_gone() {
    let etcd = Fake::default();
    let (mut one, mut two) = (node(&etcd, "one").await, node(&etcd, "two").await);
    one.until_says("two", &[1, 2], Status::Healthy).await;
    one.until_says("two", &[1, 2], Status::Healthy).await;
    two.tasks.shutdown().await;
    // As the end of its lease does.
    let end =
        Transaction { operations: vec![Operation::delete_prefix("/test/opinions/two/")], ..Transaction::default() };
    etcd.transact(end).await.unwrap();
    one.until_gone("two").await;
    assert!(two.files.lease.borrow().is_some());
}

#[tokio::test]
async fn after_an_outage_everything_is_listed_again() {
    let etcd = Fake::default();
    let (mut one, mut two) = (node(&etcd, "one").await, node(&etcd, "two").await);
    let three = node(&etcd, "three").await;
    one.until_says("two", &[1, 2], Status::Healthy).await;
    one.until_says("three", &[1, 2], Status::Healthy).await;
    etcd.set_fault(Fault::Away);
    two.say(&[5], Status::Unhealthy);
    drop(three);
    etcd.set_fault(Fault::None);
    two.until_says("three", &[1, 2], Status::Healthy).await;
    let end =
        Transaction { operations: vec![Operation::delete_prefix("/test/opinions/three/")], ..Transaction::default() };
    etcd.transact(end).await.unwrap();
    etcd.compact();
    let both = async {
        one.until_gone("three").await;
        one.until_says("two", &[5], Status::Unhealthy).await;
    };
    both.await;
}

#[tokio::test]
async fn what_a_node_said_before_an_outage_is_no_repetition() {
    let etcd = Fake::default();
    let (mut one, mut two) = (node(&etcd, "one").await, node(&etcd, "two").await);
    one.until_says("two", &[1, 2], Status::Healthy).await;
    two.tasks.shutdown().await;
    while one.news.try_recv().is_ok() {}
    etcd.set_fault(Fault::Away);
    etcd.set_fault(Fault::None);
    let three = node(&etcd, "three").await;
    three.say(&[1, 2], Status::Unhealthy);
    let heard = one.until(|news| matches!(news, NodeNews::Opinions(..))).await;
    assert!(matches!(&heard, NodeNews::Opinions(name, _) if &**name == "three"), "{heard:?}");
}

#[tokio::test]
async fn a_value_that_cannot_be_read_is_no_opinion() {
    let etcd = Fake::default();
    let mut one = node(&etcd, "one").await;
    let two = node(&etcd, "two").await;
    one.until_says("two", &[1, 2], Status::Healthy).await;
    drop(two);
    let newer = Operation::put("/test/opinions/two/value", "{\"version\":2}");
    etcd.transact(Transaction { operations: vec![newer], ..Transaction::default() }).await.unwrap();
    one.until_gone("two").await;
    let keys = etcd.keys();
    assert!(keys.iter().any(|key| key == "/test/opinions/one/list/000000"), "{keys:?}");
}
