//! A node of this version next to nodes of others: what 0.1 wrote, and what a later version may
//! add.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::etcd::{Etcd as _, Operation, Range, Transaction};
use super::fake::Fake;
use super::files::{ClusterFiles, Link};
use super::keys::CHUNK;
use super::node_state::NodeState;
use super::tests::files;
use super::{connect, read_opinions};
use crate::health::Status;
use crate::load::{FileWrite, Reach};

const ZONE: &str = "lab.test.toml";

/// The keys of an etcd as the nodes of 0.1 left it.
fn of_0_1() -> BTreeMap<String, String> {
    serde_json::from_str(include_str!("../../tests/state/0.1-cluster.json")).unwrap()
}

/// What a later version with the same layout may write: every value has more than this one knows.
fn of_a_later_version() -> BTreeMap<String, String> {
    let more = |(key, text): (String, String)| {
        let read: Result<Map<String, Value>, _> = serde_json::from_str(&text);
        let Ok(mut fields) = read else { return (key, text) };
        fields.insert("later".to_owned(), serde_json::json!({ "a": [1, null, "b"] }));
        (key, serde_json::to_string(&fields).unwrap())
    };
    of_0_1().into_iter().map(more).collect()
}

async fn etcd_with(keys: BTreeMap<String, String>) -> Fake {
    let etcd = Fake::default();
    let operations = keys.into_iter().map(|(key, text)| Operation::put(key, text)).collect();
    etcd.transact(Transaction { operations, ..Transaction::default() }).await.unwrap();
    etcd
}

fn text(files: &ClusterFiles) -> String {
    files.mirror().file(ZONE).unwrap().text.to_string()
}

async fn fields(etcd: &Fake, key: &str) -> Map<String, Value> {
    let pair = etcd.range(Range::key(key)).await.unwrap().pairs.pop().unwrap_or_else(|| panic!("no {key}"));
    serde_json::from_slice(&pair.value).unwrap()
}

async fn write(files: &Arc<ClusterFiles>, before: &str, after: &str) -> Result<(), String> {
    files.set_link(Link::Following);
    let path = files.directory().join(ZONE);
    let (before, after, reach, decided_on) = (Some(before), Some(after), Reach::File, files.mirror().followed);
    let write = FileWrite { path: &path, before, after, author: None, submission: None, reach, decided_on };
    files.write(ZONE, &write).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn what_another_version_wrote_is_read_and_changed() {
    for keys in [of_0_1(), of_a_later_version()] {
        let etcd = etcd_with(keys).await;
        let node = files(&etcd, "two", &[]);
        assert!(connect(&node, Duration::from_secs(10)).await);
        assert!(text(&node).ends_with("values = ['192.0.2.12']\n"), "{}", text(&node));
        let status = node.status().await.unwrap();
        let NodeState { addresses, revision, files: count, .. } = &status.nodes["one"];
        assert_eq!((&*addresses[0], *revision, *count), ("192.0.2.1:53", 9, None));
        assert_eq!(status.unreadable, [""; 0]);
        let opinions = read_opinions(&node).await.unwrap();
        let [(_, stated)] = &*opinions else { panic!("{opinions:?}") };
        let opinion = stated.opinion(0).unwrap();
        assert_eq!((opinion.status, &*opinion.text), (Status::Unhealthy, "Failure: refused"));
        let before = text(&node);
        let after = before.replace("192.0.2.12", "192.0.2.13");
        write(&node, &before, &after).await.unwrap();
        // What this version writes has all that 0.1 reads.
        for (new, old) in [
            ("/test/files/heads/lab.test.toml", "/test/files/heads/lab.test.toml"),
            ("/test/files/log/lab.test.toml/0000000000000003", "/test/files/log/lab.test.toml/0000000000000002"),
        ] {
            let required = ["revision", "base", "text", "chunks", "hash", "write", "node", "at", "delta"];
            let old: Map<String, Value> = serde_json::from_str(&of_0_1()[old]).unwrap();
            let written = fields(&etcd, new).await;
            let missing: Vec<_> =
                required.iter().filter(|key| old.contains_key(**key) && !written.contains_key(**key)).collect();
            assert!(missing.is_empty(), "{new}: {missing:?}");
        }
    }
}

#[tokio::test]
async fn a_node_writes_nothing_into_a_newer_layout() {
    let etcd = etcd_with(of_0_1()).await;
    let node = files(&etcd, "two", &[]);
    assert!(connect(&node, Duration::from_secs(10)).await);
    let newer = vec![Operation::put("/test/version", "{\"version\":2}")];
    etcd.transact(Transaction { operations: newer, ..Transaction::default() }).await.unwrap();
    let keys = etcd.keys();
    let why = "etcd has files of version 2 of the layout, and this program knows version 1: update it";
    let before = text(&node);
    assert!(write(&node, &before, &before.replace("12", "13")).await.unwrap_err().contains(why));
    // Of a text that needs several keys, nothing is written either.
    let large = format!("{before}# {}\n", "x".repeat(2 * CHUNK));
    assert!(write(&node, &before, &large).await.unwrap_err().contains(why));
    let overrides = node.overrides();
    let current = overrides.read().await.unwrap();
    let error = overrides.replace(&current, b"{\"last\":3,\"overrides\":[]}".to_vec()).await.unwrap_err();
    assert_eq!(error.to_string(), why);
    let opinion = vec![Operation::put("/test/opinions/two/value", "{}")];
    assert_eq!(node.layout.make(&etcd, opinion).await.unwrap_err().to_string(), why);
    node.wait_for_turn("zone.toml").await;
    assert_eq!((etcd.keys(), overrides.read().await.unwrap()), (keys, current));
}
