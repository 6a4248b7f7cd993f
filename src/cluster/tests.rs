//! Nodes on an etcd in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::etcd::{Etcd as _, Operation, Range, Transaction};
use super::fake::{Fake, Fault};
use super::files::{ClusterFiles, Link};
use super::{ClusterSources, connect, follow};
use crate::config::{ClusterSettings, SourceFile};
use crate::load::{FileSources, FileWrite, Reach, Sources as _};
use crate::objects::Author;
use crate::store::ReplaceError;

const ZONE: &str = "lab.test.toml";
const DEADLINE: Duration = Duration::from_secs(10);

/// A node that follows the etcd.
struct Node {
    files: Arc<ClusterFiles>,
    following: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.following.abort();
    }
}

fn settings(node: &str) -> ClusterSettings {
    ClusterSettings {
        endpoints: Vec::new(),
        prefix: "/test".to_owned(),
        node: node.to_owned(),
        region: None,
        agreement: Default::default(),
        certificate_authorities: Vec::new(),
        tls: None,
        user: None,
        secret_file: None,
    }
}

pub(super) fn files(etcd: &Fake, node: &str, copies: &[(&str, Option<&str>)]) -> Arc<ClusterFiles> {
    let settings = settings(node);
    let path = |name: &str| settings.directory().join(name);
    let copies = copies.iter().map(|(name, text)| (path(name), text.map(|text| SourceFile::new(path(name), text))));
    Arc::new(ClusterFiles::new(Arc::new(etcd.clone()), &settings, copies.collect()))
}

async fn node(etcd: &Fake, name: &str) -> Node {
    node_with(files(etcd, name, &[])).await
}

async fn node_with(files: Arc<ClusterFiles>) -> Node {
    let following = tokio::spawn(follow(Arc::clone(&files), || {}));
    let node = Node { files, following };
    node.until_link(|link| *link == Link::Following).await;
    node
}

impl Node {
    fn text(&self, name: &str) -> Option<String> {
        self.files.mirror().file(name).map(|file| file.text.to_string())
    }

    /// The files that a load reads.
    fn served(&self) -> Vec<String> {
        let sources = ClusterSources::new(Arc::clone(&self.files), FileSources::default());
        let listed = sources.zone_files(self.files.directory()).unwrap();
        listed.iter().map(|(path, _)| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    async fn until_link(&self, is_it: impl Fn(&Link) -> bool) {
        let mut link = self.files.link();
        timeout(DEADLINE, link.wait_for(is_it)).await.expect("the link changes").unwrap();
    }

    async fn until_text(&self, name: &str, text: Option<&str>) {
        let reached = async {
            while self.text(name).as_deref() != text {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(DEADLINE, reached).await.unwrap_or_else(|_| panic!("{name} is {:?}", self.text(name)));
    }

    async fn until_damaged(&self, wanted: bool) {
        let reached = async {
            while self.files.damaged().contains_key(ZONE) != wanted {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(DEADLINE, reached).await.expect("it is noticed");
    }

    async fn write(&self, before: Option<&str>, after: Option<&str>) -> Result<(), ReplaceError> {
        let decided_on = self.files.mirror().followed;
        self.write_as(ZONE, before, after, Reach::File, decided_on).await
    }

    async fn write_as(
        &self,
        name: &str,
        before: Option<&str>,
        after: Option<&str>,
        reach: Reach,
        decided_on: i64,
    ) -> Result<(), ReplaceError> {
        let path = PathBuf::from("etcd:/test").join(name);
        let write =
            FileWrite { path: Path::new(&path), before, after, author: None, submission: None, reach, decided_on };
        self.files.write(name, &write).await
    }
}

#[tokio::test]
async fn what_one_node_writes_the_other_has() {
    let etcd = Fake::default();
    let (one, two) = (node(&etcd, "one").await, node(&etcd, "two").await);
    one.write(None, Some("first")).await.unwrap();
    assert_eq!(one.text(ZONE).as_deref(), Some("first"), "at once");
    two.until_text(ZONE, Some("first")).await;
    two.write(Some("first"), Some("fir, second")).await.unwrap();
    one.until_text(ZONE, Some("fir, second")).await;
    one.write(Some("fir, second"), None).await.unwrap();
    assert_eq!(one.text(ZONE), None);
    two.until_text(ZONE, None).await;
    let left: Vec<String> = etcd.keys().into_iter().filter(|key| key.contains(ZONE)).collect();
    assert_eq!(left, [""; 0]);
    two.write(None, Some("again")).await.unwrap();
    one.until_text(ZONE, Some("again")).await;
}

#[tokio::test]
async fn of_two_writers_the_slower_one_decides_again() {
    let etcd = Fake::default();
    let (one, two) = (node(&etcd, "one").await, node(&etcd, "two").await);
    one.write(None, Some("a")).await.unwrap();
    two.until_text(ZONE, Some("a")).await;
    let (first, second) = tokio::join!(one.write(Some("a"), Some("a1")), two.write(Some("a"), Some("a2")));
    let (winner, loser, text) = match (first, second) {
        (Ok(()), Err(ReplaceError::Changed)) => (&one, &two, "a1"),
        (Err(ReplaceError::Changed), Ok(())) => (&two, &one, "a2"),
        other => panic!("{other:?}"),
    };
    assert_eq!(loser.text(ZONE).as_deref(), Some(text), "it has caught up when it is told");
    loser.write(Some(text), Some("both")).await.unwrap();
    winner.until_text(ZONE, Some("both")).await;
    assert!(matches!(one.write(None, Some("new")).await, Err(ReplaceError::Changed)));
}

#[tokio::test]
async fn a_change_that_concerns_others_is_decided_on_what_others_did() {
    let etcd = Fake::default();
    let (one, two) = (node(&etcd, "one").await, node(&etcd, "two").await);
    let before = one.files.mirror().followed;
    two.write_as("checks.toml", None, Some("checks"), Reach::Others, before).await.unwrap();
    one.until_text("checks.toml", Some("checks")).await;
    let decided_before = one.write_as(ZONE, None, Some("zone"), Reach::File, before).await;
    assert!(matches!(decided_before, Err(ReplaceError::Changed)));
    one.write(None, Some("zone")).await.unwrap();
    two.until_text(ZONE, Some("zone")).await;
    // Other record sets concern nobody: what was decided before them still holds.
    let before = one.files.mirror().followed;
    two.write(Some("zone"), Some("zone 2")).await.unwrap();
    one.until_text(ZONE, Some("zone 2")).await;
    one.write_as("other.toml", None, Some("other"), Reach::Others, before).await.unwrap();
}

/// Appends to the file again and again, each time after a time to decide, until both nodes have
/// done so often enough.
async fn append(node: &Node, letter: char, deciding: Duration, done: &[AtomicUsize; 2], which: usize) {
    while done.iter().any(|done| done.load(Relaxed) < 20) {
        let before = node.text(ZONE).unwrap();
        tokio::time::sleep(deciding).await;
        match node.write(Some(&before), Some(&format!("{before}{letter}"))).await {
            Ok(()) => drop(done[which].fetch_add(1, Relaxed)),
            Err(ReplaceError::Changed) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_node_that_changes_a_file_all_the_time_lets_a_slower_one_do_so_too() {
    let etcd = Fake::default();
    let (one, two) = (node(&etcd, "one").await, node(&etcd, "two").await);
    one.write(None, Some("0")).await.unwrap();
    two.until_text(ZONE, Some("0")).await;
    let done = [AtomicUsize::new(0), AtomicUsize::new(0)];
    // The first one decides in the time in which the second one begins to.
    let both = async {
        tokio::join!(
            append(&one, '1', Duration::from_millis(1), &done, 0),
            append(&two, '2', Duration::from_millis(25), &done, 1)
        )
    };
    timeout(Duration::from_secs(60), both).await.unwrap_or_else(|_| panic!("{done:?}"));
    let text = one.text(ZONE).unwrap();
    let of = |letter: char| text.matches(letter).count();
    assert_eq!([of('1'), of('2')], done.map(AtomicUsize::into_inner), "nothing is lost");
}

#[tokio::test]
async fn a_node_that_waits_is_let_go_first_for_a_moment_only() {
    let etcd = Fake::default();
    let one = node(&etcd, "one").await;
    one.write(None, Some("a")).await.unwrap();
    // It ends without a change.
    by_hand(&etcd, Operation::put("/test/files/waiting/gone", ZONE)).await;
    one.files.wait_for(etcd.revision()).await;
    let began = Instant::now();
    one.write_as("other.toml", None, Some("other"), Reach::File, i64::MAX).await.unwrap();
    let other = began.elapsed();
    one.write(Some("a"), Some("b")).await.unwrap();
    assert!(began.elapsed() >= other + Duration::from_millis(500), "it was let go first");
    timeout(DEADLINE, one.write(Some("b"), Some("c"))).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_write_whose_response_is_lost_is_made_once() {
    let etcd = Fake::default();
    let one = node(&etcd, "one").await;
    etcd.set_fault(Fault::LostResponse);
    one.write(None, Some("a")).await.unwrap();
    etcd.set_fault(Fault::LostResponse);
    one.write(Some("a"), Some("ab")).await.unwrap();
    let two = node(&etcd, "two").await;
    assert_eq!(two.text(ZONE).as_deref(), Some("ab"));
}

#[tokio::test]
async fn without_etcd_nothing_is_changed_and_later_everything_is_caught_up() {
    let etcd = Fake::default();
    let (one, two) = (node(&etcd, "one").await, node(&etcd, "two").await);
    one.write(None, Some("a")).await.unwrap();
    two.until_text(ZONE, Some("a")).await;
    etcd.set_fault(Fault::Away);
    two.until_link(|link| matches!(link, Link::Lost(_))).await;
    let refused = two.write(Some("a"), Some("b")).await.unwrap_err().to_string();
    assert!(refused.contains("nothing can be changed without etcd"), "{refused}");
    assert_eq!(two.text(ZONE).as_deref(), Some("a"));
    etcd.set_fault(Fault::None);
    one.until_link(|link| *link == Link::Following).await;
    one.write(Some("a"), Some("b")).await.unwrap();
    // What happened meanwhile cannot be watched any more.
    etcd.compact();
    two.until_text(ZONE, Some("b")).await;
}

#[tokio::test]
async fn the_log_of_a_file_is_bounded_and_a_new_node_has_its_text() {
    let etcd = Fake::default();
    let one = node(&etcd, "one").await;
    let mut text = "0".to_owned();
    one.write(None, Some(&text)).await.unwrap();
    for number in 1..600 {
        let next = format!("{text}{}", number % 10);
        one.write(Some(&text), Some(&next)).await.unwrap();
        text = next;
    }
    let logged = etcd.keys().iter().filter(|key| key.contains("/log/")).count();
    assert!((1..=256).contains(&logged), "{logged}");
    assert_eq!(etcd.keys().iter().filter(|key| key.contains("/text/")).count(), 1);
    let two = node(&etcd, "two").await;
    assert_eq!(two.text(ZONE), Some(text));
}

#[tokio::test]
async fn a_large_text_is_in_chunks() {
    let etcd = Fake::default();
    let (one, two) = (node(&etcd, "one").await, node(&etcd, "two").await);
    let large = "0123456789abcdef".repeat(80_000);
    one.write(None, Some(&large)).await.unwrap();
    two.until_text(ZONE, Some(&large)).await;
    assert_eq!(etcd.keys().iter().filter(|key| key.contains("/text/")).count(), 3);
    let larger = large.replace("0123", "0123456789");
    two.write(Some(&large), Some(&larger)).await.unwrap();
    one.until_text(ZONE, Some(&larger)).await;
    assert_eq!(etcd.keys().iter().filter(|key| key.contains("/text/")).count(), 4);
    // The chunks of a write that comes too late do not stay.
    assert!(one.write(None, Some(&large)).await.is_err());
    assert_eq!(etcd.keys().iter().filter(|key| key.contains("/text/")).count(), 4);
}

#[tokio::test]
async fn copies_of_the_last_run_are_compared_with_etcd() {
    let etcd = Fake::default();
    let one = node(&etcd, "one").await;
    one.write(None, Some("same")).await.unwrap();
    one.write_as("new.toml", None, Some("new"), Reach::File, i64::MAX).await.unwrap();
    one.write_as("other.toml", None, Some("etcd's"), Reach::File, i64::MAX).await.unwrap();
    let copies = [(ZONE, Some("same")), ("other.toml", Some("old")), ("gone.toml", Some("gone")), ("bad.toml", None)];
    let two = files(&etcd, "two", &copies);
    let stamp = two.mirror().file(ZONE).unwrap().stamp;
    assert!(connect(&two, DEADLINE).await);
    let two = node_with(two).await;
    let texts: Vec<(String, String)> =
        two.files.mirror().files().map(|(name, file)| (name.to_owned(), file.text.to_string())).collect();
    let wanted = [(ZONE, "same"), ("new.toml", "new"), ("other.toml", "etcd's")];
    assert_eq!(texts, wanted.map(|(name, text)| (name.to_owned(), text.to_owned())));
    assert_eq!(two.files.mirror().file(ZONE).unwrap().stamp, stamp, "it is not loaded again");
    two.write(Some("same"), Some("changed")).await.unwrap();
}

#[tokio::test]
async fn an_etcd_that_lost_everything_is_not_believed() {
    let etcd = Fake::default();
    let files = files(&etcd, "one", &[(ZONE, Some("copy"))]);
    assert!(!connect(&files, DEADLINE).await);
    assert!(matches!(&*files.link().borrow(), Link::Lost(why) if why.contains("it may have lost its data")));
    assert_eq!(files.mirror().file(ZONE).map(|file| file.text.to_string()).as_deref(), Some("copy"));
}

/// What an operator does to the keys.
async fn by_hand(etcd: &Fake, operation: Operation) {
    etcd.transact(Transaction { operations: vec![operation], ..Transaction::default() }).await.unwrap();
}

async fn version(etcd: &Fake) -> Option<String> {
    let pair = etcd.range(Range::key("/test/version")).await.unwrap().pairs.pop()?;
    Some(String::from_utf8(pair.value).unwrap())
}

#[tokio::test]
async fn a_version_that_is_not_known_stays_and_refuses_changes() {
    for (written, reason) in [("{\"version\":2}", "files of version 2 of the layout"), ("2!", "/test/version cannot")] {
        let etcd = Fake::default();
        let one = node(&etcd, "one").await;
        assert_eq!(version(&etcd).await, None);
        one.write(None, Some("a")).await.unwrap();
        one.write(Some("a"), Some("ab")).await.unwrap();
        assert_eq!(version(&etcd).await.as_deref(), Some("{\"version\":1}"));
        by_hand(&etcd, Operation::put("/test/version", written)).await;
        // At once, before it has seen the version.
        let refused = one.write(Some("ab"), Some("abc")).await.unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
        one.until_link(|link| matches!(link, Link::Lost(why) if why.contains(reason))).await;
        let refused = one.write(Some("ab"), Some("abc")).await.unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
        assert_eq!((one.text(ZONE).as_deref(), version(&etcd).await.as_deref()), (Some("ab"), Some(written)));
        let two = files(&etcd, "two", &[]);
        assert!(!connect(&two, DEADLINE).await);
        by_hand(&etcd, Operation::put("/test/version", "{\"version\":1}")).await;
        one.until_link(|link| *link == Link::Following).await;
        one.write(Some("ab"), Some("abc")).await.unwrap();
    }
}

#[tokio::test]
async fn deleted_keys_remove_no_file_and_apply_puts_them_back() {
    let etcd = Fake::default();
    let (one, two) = (node(&etcd, "one").await, node(&etcd, "two").await);
    one.write(None, Some("a")).await.unwrap();
    one.write_as("other.toml", None, Some("other"), Reach::File, i64::MAX).await.unwrap();
    two.until_text("other.toml", Some("other")).await;
    by_hand(&etcd, Operation::delete_prefix("/test/")).await;
    for node in [&one, &two] {
        node.until_link(|link| matches!(link, Link::Lost(why) if why.contains("does not have /test/version"))).await;
        assert_eq!((node.text(ZONE).as_deref(), node.text("other.toml").as_deref()), (Some("a"), Some("other")));
        let refused = node.write(Some("a"), Some("b")).await.unwrap_err().to_string();
        assert!(refused.contains("it may have lost its data"), "{refused}");
    }
    // Until all files are back, none is gone.
    let apply = files(&etcd, "apply", &[]);
    assert!(connect(&apply, DEADLINE).await);
    assert!(!apply.has_version());
    apply.write_text(ZONE, None, Some("new"), &author()).await.unwrap();
    assert!(!connect(&one.files, DEADLINE).await);
    apply.write_text("third.toml", None, Some("third"), &author()).await.unwrap();
    apply.complete().await.unwrap();
    assert!(apply.has_version());
    for node in [&one, &two] {
        node.until_text(ZONE, Some("new")).await;
        node.until_link(|link| *link == Link::Following).await;
        assert_eq!((node.text("other.toml"), node.text("third.toml").as_deref()), (None, Some("third")));
    }
    two.write(Some("new"), Some("newer")).await.unwrap();
    one.until_text(ZONE, Some("newer")).await;
    // The version stays when the last file is removed, so that is believed.
    one.write(Some("newer"), None).await.unwrap();
    one.write_as("third.toml", Some("third"), None, Reach::File, i64::MAX).await.unwrap();
    two.until_text("third.toml", None).await;
    assert_eq!((two.files.count(), version(&etcd).await.as_deref()), (0, Some("{\"version\":1}")));
}

fn author() -> Author {
    Author { name: "me".to_owned(), operation: "cluster apply".to_owned() }
}

/// What etcd has under a key of the zone.
async fn key_of_zone(etcd: &Fake, part: &str) -> (String, Vec<u8>) {
    let key = etcd.keys().into_iter().rfind(|key| key.contains(part) && key.contains(ZONE)).unwrap();
    let value = etcd.range(Range::key(key.clone())).await.unwrap().pairs.pop().unwrap().value;
    (key, value)
}

#[tokio::test]
async fn a_damaged_file_is_served_from_the_copy_of_a_node_and_no_other_file_suffers() {
    let other_text = b"other text".as_slice();
    for (part, value, reason) in [
        ("/heads/", b"garbage".as_slice(), "/test/files/heads/lab.test.toml cannot be read"),
        ("/log/", b"{}", "/test/files/log/lab.test.toml/0000000000000002 cannot be read"),
        ("/text/", b"\xff\xfe", "is not UTF-8"),
        ("/text/", other_text, "/test/files/text/lab.test.toml/"),
    ] {
        let etcd = Fake::default();
        let one = node(&etcd, "one").await;
        one.write(None, Some("a")).await.unwrap();
        one.write(Some("a"), Some("ab")).await.unwrap();
        one.write_as("other.toml", None, Some("other"), Reach::File, i64::MAX).await.unwrap();
        let (key, good) = key_of_zone(&etcd, part).await;
        by_hand(&etcd, Operation::put(key.clone(), value)).await;
        // A node with a copy serves it, and one without serves all other files.
        let copy = node_with(files(&etcd, "two", &[(ZONE, Some("a"))])).await;
        let fresh = node(&etcd, "three").await;
        one.until_damaged(true).await;
        let known = fresh.files.damaged().remove(ZONE).unwrap();
        assert!(known.contains(reason) && known.contains("`fiftythree cluster apply` writes it anew"), "{known}");
        assert_eq!(one.files.damaged()[ZONE], known, "{part}");
        assert_eq!((one.text(ZONE).as_deref(), copy.text(ZONE).as_deref()), (Some("ab"), Some("a")), "{part}");
        assert_eq!((fresh.text(ZONE), fresh.text("other.toml").as_deref()), (None, Some("other")));
        let refused = one.write(Some("ab"), Some("abc")).await.unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
        one.write_as("other.toml", Some("other"), Some("more"), Reach::File, i64::MAX).await.unwrap();
        fresh.until_text("other.toml", Some("more")).await;
        // A new connection finds the same again.
        assert!(connect(&one.files, DEADLINE).await);
        assert_eq!((one.files.damaged()[ZONE].as_str(), one.text(ZONE).as_deref()), (known.as_str(), Some("ab")));
        // A new node knows no zone of it, and starts. One whose copy is damaged too does.
        assert_eq!(fresh.served(), ["other.toml"]);
        assert_eq!(node_with(files(&etcd, "four", &[(ZONE, None)])).await.served(), ["other.toml", ZONE]);
        let nodes = [&one, &copy, &fresh];
        // The former value repairs it.
        by_hand(&etcd, Operation::put(key.clone(), good)).await;
        for node in nodes {
            node.until_text(ZONE, Some("ab")).await;
            node.until_damaged(false).await;
        }
        by_hand(&etcd, Operation::put(key, value)).await;
        fresh.until_damaged(true).await;
        let apply = files(&etcd, "apply", &[]);
        assert!(connect(&apply, DEADLINE).await);
        assert_eq!((apply.damaged().len(), apply.texts().len()), (1, 1));
        apply.write_text(ZONE, None, Some("anew"), &author()).await.unwrap();
        for node in nodes {
            node.until_text(ZONE, Some("anew")).await;
            node.until_damaged(false).await;
        }
        let left = etcd.keys().iter().filter(|key| key.contains(ZONE)).count();
        assert_eq!(left, 3, "a head, an entry and a text: {:?}", etcd.keys());
        fresh.write(Some("anew"), Some("anew 2")).await.unwrap();
        one.until_text(ZONE, Some("anew 2")).await;
    }
}

#[tokio::test]
async fn a_damaged_file_can_be_removed() {
    let etcd = Fake::default();
    let one = node(&etcd, "one").await;
    one.write(None, Some("a")).await.unwrap();
    by_hand(&etcd, Operation::put(format!("/test/files/heads/{ZONE}"), "garbage")).await;
    one.until_damaged(true).await;
    let apply = files(&etcd, "apply", &[]);
    assert!(connect(&apply, DEADLINE).await);
    apply.write_text(ZONE, None, None, &author()).await.unwrap();
    one.until_text(ZONE, None).await;
    one.until_damaged(false).await;
    assert!(!etcd.keys().iter().any(|key| key.contains(ZONE)), "{:?}", etcd.keys());
}

/// Only nodes write names of files there, but nothing in etcd ensures that.
#[tokio::test]
async fn what_no_zone_file_can_be_called_is_reported_and_is_no_file() {
    let names = ["", "..", ".hid.toml", "plain", "a/b.toml", "../up.toml", "line\n.toml"];
    let etcd = Fake::default();
    let one = node(&etcd, "one").await;
    one.write(None, Some("a")).await.unwrap();
    let heads = etcd.range(Range::key(format!("/test/files/heads/{ZONE}"))).await.unwrap().pairs.pop().unwrap().value;
    for name in names {
        by_hand(&etcd, Operation::put(format!("/test/files/heads/{name}"), heads.clone())).await;
    }
    let fresh = node_with(files(&etcd, "two", &[(".hid.toml", Some("a copy of an earlier version"))])).await;
    by_hand(&etcd, Operation::put("/test/files/changed", "x")).await;
    one.write(Some("a"), Some("ab")).await.unwrap();
    fresh.until_text(ZONE, Some("ab")).await;
    for node in [&one, &fresh] {
        let reached = async {
            while node.files.damaged().len() != names.len() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(DEADLINE, reached).await.expect("they are noticed");
        assert_eq!(node.served(), [ZONE]);
        for (name, why) in node.files.damaged() {
            assert!(names.contains(&name.as_str()) && why.contains("no zone file has that name"), "{why}");
            assert!(why.contains("it is ignored, and `fiftythree cluster apply` removes it"), "{why}");
            assert!(!why.contains(char::is_control), "{why:?}");
        }
    }
    let apply = files(&etcd, "apply", &[]);
    assert!(connect(&apply, DEADLINE).await);
    for name in names {
        apply.write_text(name, None, None, &author()).await.unwrap();
    }
    assert_eq!(etcd.keys().iter().filter(|key| key.contains("/heads/")).count(), 1, "{:?}", etcd.keys());
    let reached = async {
        while !fresh.files.damaged().is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(DEADLINE, reached).await.expect("they are gone");
    assert_eq!(fresh.text(ZONE).as_deref(), Some("ab"));
}
