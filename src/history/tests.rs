//! Tests of the history: what is found again after a restart, a kill, damage and rotation.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::health::{Action, Drain, Override, OverrideId, OverrideRequest, Pattern, Status, Timestamp, WeightShare};
use crate::model::{HealthCheckId, HostedZoneId};
use crate::objects::{Author, ObjectId, Submission};
use crate::store::SourceHash;

fn at(second: u64) -> Timestamp {
    Timestamp(Duration::from_secs(second))
}

fn change(number: u64) -> ObjectChange {
    let part = |what: &str, before: Option<&str>, after: Option<&str>| Part {
        what: what.to_owned(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    };
    ObjectChange {
        author: Author { name: "ada".to_owned(), operation: "ChangeResourceRecordSets".to_owned() },
        object: ObjectId::HostedZone(HostedZoneId("Z1".to_owned())),
        name: "lab.test.".to_owned(),
        submission: Some(Submission { id: format!("C{number}"), comment: Some("a comment".to_owned()) }),
        parts: vec![
            part(
                "www.lab.test. A",
                Some("[[record]]\nname = \"www\"\nttl = 60\nvalues = [\"192.0.2.1\"]\n"),
                Some("[[record]]\nname = \"www\"\nttl = 30\nvalues = [\"192.0.2.1\"]\n"),
            ),
            part("old.lab.test. TXT", Some("[[record]]\nname = \"old\"\n"), None),
        ],
        more: 0,
        caller_reference: None,
    }
}

fn all_kinds() -> Vec<EventKind> {
    let request = |action| OverrideRequest {
        pattern: Pattern("app-*".to_owned()),
        action,
        reason: "an \"update\"\nof two lines".to_owned(),
        author: "ada".to_owned(),
        from: at(1),
        until: Some(at(9)),
    };
    let granted = |id, action| Override { id: OverrideId(id), request: request(action), origin: None };
    let drain = Action::Drain(Drain { over: Duration::from_secs(60), begins: WeightShare::LEAST });
    vec![
        EventKind::StatusChanged { check: "blue".into(), to: Status::Unhealthy, why: "3 failures".into(), records: 2 },
        EventKind::OverrideSet(granted(1, Action::Up)),
        EventKind::OverrideCleared(granted(2, drain)),
        EventKind::OverrideEnded(granted(3, Action::Down)),
        EventKind::Drained { check: "blue".into() },
        EventKind::ServerIsolated { sentinels: vec!["one".into(), "two".into()] },
        EventKind::ServerReconnected { sentinels: vec!["one".into()] },
        EventKind::Reloaded { changes: vec!["lab.test. changed".to_owned()], errors: 1 },
        EventKind::NotReloaded { why: "2 errors".to_owned() },
        EventKind::Changed(change(1).into()),
    ]
}

struct Server {
    state: tempfile::TempDir,
    history: History,
    restored: Restored,
}

fn open(state: tempfile::TempDir) -> Server {
    let (history, restored) = History::open(state.path()).unwrap();
    Server { state, history, restored }
}

impl Server {
    fn new() -> Server {
        open(tempfile::tempdir().unwrap())
    }

    fn restarted(self) -> Server {
        self.history.finish(Duration::from_secs(30));
        open(self.state)
    }

    fn record(&self, second: u64, what: EventKind) {
        self.history.record(EventRecord { at: at(second), what });
    }

    /// Writes the intent of a change of a file that gets this text.
    fn intend(&self, change: ObjectChange, text: Option<&str>) -> Intent {
        self.history.intend(at(1), &Arc::new(change), &self.zone_file(), text.map(|text| SourceHash::of(text).number()))
    }

    fn zone_file(&self) -> PathBuf {
        self.state.path().join("lab.test.toml")
    }

    fn file(&self) -> PathBuf {
        self.state.path().join("history.jsonl")
    }

    fn ids(&self) -> Vec<&str> {
        self.restored.changes.iter().map(|change| change.submission.id.as_str()).collect()
    }

    fn had(&self, reference: &str) -> bool {
        self.history.had_reference(&ObjectId::HostedZone(HostedZoneId("ZX".to_owned())), reference)
    }
}

fn removed(reference: &str) -> ObjectChange {
    ObjectChange { caller_reference: Some(reference.to_owned()), submission: None, ..change(0) }
}

#[test]
fn every_kind_of_event_is_found_again() {
    let server = Server::new();
    for (second, what) in (1..).zip(all_kinds()) {
        server.record(second, what);
    }
    let server = server.restarted();
    let expected: Vec<EventRecord> =
        (1..).zip(all_kinds()).map(|(second, what)| EventRecord { at: at(second), what }).collect();
    let short: Vec<EventRecord> =
        expected.iter().map(|record| EventRecord { at: record.at, what: record.what.clone().shortened() }).collect();
    assert_eq!(server.restored.events.iter().map(|event| (**event).clone()).collect::<Vec<_>>(), short);
    assert_eq!(server.history.latest(100, None).unwrap().unwrap(), expected);
    let of_zone = |object| server.history.latest(100, Some(object)).unwrap().unwrap().len();
    assert_eq!((of_zone("LAB.test"), of_zone("Z1"), of_zone("ab.test")), (1, 1, 0));
    assert_eq!(server.history.latest(2, None).unwrap().unwrap(), expected[8..]);
}

#[test]
fn a_change_in_short_has_what_differs() {
    let short = change(1).in_short();
    assert_eq!(short, "changed www.lab.test. A: ttl = 60 → ttl = 30; removed old.lab.test. TXT: ");
    assert_eq!(change(1).outline(1), "changed www.lab.test. A and 1 more");
}

#[test]
fn a_change_that_was_not_made_is_dropped() {
    let server = Server::new();
    server.intend(change(1), Some("one")).made();
    server.intend(change(2), Some("two")).not_made();
    let server = server.restarted();
    assert_eq!((server.ids(), server.restored.events.len()), (vec!["C1"], 1));
    assert_eq!(server.history.latest(9, None).unwrap().unwrap().len(), 1);
}

#[test]
fn after_a_kill_the_file_says_whether_a_change_was_made() {
    for (text, ids) in [("new", vec!["C1"]), ("old", vec![])] {
        let server = Server::new();
        fs::write(server.zone_file(), text).unwrap();
        std::mem::forget(server.intend(change(1), Some("new")));
        let server = server.restarted();
        assert_eq!(server.ids(), ids, "{text}");
        // It is decided once: what the file has later does not matter.
        fs::write(server.zone_file(), "another").unwrap();
        assert_eq!(server.restarted().ids(), ids, "{text}");
    }
}

#[test]
fn after_a_kill_a_removed_file_counts_as_a_removal() {
    for (exists, is_removed) in [(false, true), (true, false)] {
        let server = Server::new();
        if exists {
            fs::write(server.zone_file(), "name = 'lab.test'").unwrap();
        }
        std::mem::forget(server.intend(removed("a reference"), None));
        assert!(!server.had("a reference"));
        assert_eq!(server.restarted().had("a reference"), is_removed);
    }
}

#[test]
fn a_reference_belongs_to_objects_of_one_kind() {
    let server = Server::new();
    server.intend(removed("a reference"), None).made();
    assert!(server.had("a reference") && !server.had("another"));
    let check = ObjectId::HealthCheck(HealthCheckId("h".to_owned()));
    assert!(!server.history.had_reference(&check, "a reference"));
}

#[test]
fn damaged_lines_are_skipped_and_a_cut_costs_only_the_last_one() {
    let server = Server::new();
    (1..=3).for_each(|number| server.intend(change(number), Some("x")).made());
    let server = server.restarted();
    let bytes = fs::read(server.file()).unwrap();
    let mut damaged = b"garbage\n\xff\xff\n{\"later\":{}}\n".to_vec();
    damaged.extend_from_slice(&bytes);
    fs::write(server.file(), &damaged[..damaged.len() - 3]).unwrap();
    fs::write(server.zone_file(), "x").unwrap();
    let server = server.restarted();
    assert_eq!(server.ids(), ["C1", "C2", "C3"]);
    server.intend(change(4), Some("x")).made();
    assert_eq!(server.restarted().ids(), ["C1", "C2", "C3", "C4"]);
}

#[test]
fn a_directory_that_takes_nothing_costs_only_the_history() {
    let state = tempfile::tempdir().unwrap();
    fs::create_dir(state.path().join("history.jsonl")).unwrap();
    let server = open(state);
    server.record(1, EventKind::NotReloaded { why: "x".to_owned() });
    server.intend(removed("a reference"), None).made();
    assert!(server.had("a reference"));
    assert!(server.history.latest(9, None).unwrap().is_err());
    assert_eq!(server.restarted().restored.events.len(), 0);
}

#[test]
fn the_older_half_is_dropped_but_ids_and_references_stay() {
    let server = Server::new();
    server.intend(removed("a reference"), None).made();
    server.intend(removed("not removed"), None).not_made();
    server.intend(change(1), Some("x")).made();
    let what = || EventKind::NotReloaded { why: "x".repeat(40) };
    for second in 1..=10_001 {
        // Waits for the thread now and then: nothing is dropped.
        if second % 1000 == 0 {
            server.history.finish(Duration::from_secs(30));
        }
        server.record(second, what());
    }
    let server = server.restarted();
    let lines = fs::read_to_string(server.file()).unwrap();
    let events = lines.lines().filter(|line| line.starts_with("{\"event\"")).count();
    assert!((4_900..=5_100).contains(&events), "{events}");
    assert!(lines.contains("\"at\":10001000,") && !lines.contains("\"at\":4000000,"));
    assert_eq!((server.ids(), server.had("a reference"), server.had("not removed")), (vec!["C1"], true, false));
    let server = server.restarted();
    assert_eq!((server.ids(), server.had("a reference"), server.restored.events.len()), (vec!["C1"], true, 512));
}

#[test]
fn without_a_history_nothing_is_kept() {
    let history = History::default();
    history.record(EventRecord { at: at(1), what: EventKind::NotReloaded { why: String::new() } });
    history.finish(Duration::from_secs(1));
    assert!(history.latest(1, None).is_none());
}

#[test]
fn the_last_change_of_a_record_set_is_found_unless_it_was_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let (history, _) = History::open(directory.path()).unwrap();
    let by = |name: &str, what: &str, zone: &str| {
        let parts = vec![Part { what: what.to_owned(), before: None, after: Some("text".to_owned()) }];
        let author = Author { name: name.to_owned(), operation: "ChangeResourceRecordSets".to_owned() };
        Arc::new(ObjectChange {
            author,
            object: ObjectId::HostedZone(HostedZoneId(zone.to_owned())),
            parts,
            ..change(1)
        })
    };
    let file = directory.path().join("lab.test.toml");
    let make = |second: u64, change: &Arc<ObjectChange>, is_made: bool| {
        let intent = history.intend(at(second), change, &file, None);
        if is_made { intent.made() } else { intent.not_made() }
    };
    make(1, &by("ada", "www.lab.test. A", "Z1"), true);
    make(2, &by("bob", "www.lab.test. A blue", "Z1"), true);
    make(3, &by("cal", "www.lab.test. A", "Z2"), true);
    make(4, &by("dan", "\\052.lab.test. A", "Z1"), true);
    make(5, &by("eve", "www.lab.test. A", "Z1"), false);
    make(6, &by("fay", "other.www.lab.test. A", "Z1"), true);
    let names = ["www.lab.test.", "\\052.lab.test."].map(str::to_owned);
    let mut changes = LastChanges::of(HostedZoneId("Z1".to_owned()), names.into());
    assert!(history.collect(&mut changes).unwrap());
    let last = |what: &str| changes.get(what).map(|change| (change.author.name.as_str(), change.at));
    assert_eq!(last("www.lab.test. A"), Some(("ada", at(1))));
    assert_eq!(last("www.lab.test. A blue"), Some(("bob", at(2))));
    assert_eq!(last("\\052.lab.test. A"), Some(("dan", at(4))));
    assert_eq!(last("other.www.lab.test. A"), None);
    assert!(!History::default().collect(&mut changes).unwrap());
}

#[test]
fn a_change_is_found_with_the_later_changes_of_its_object() {
    let server = Server::new();
    let ids = |server: &Server, id: &str| -> Vec<String> {
        let since = server.history.since_change(id).unwrap().unwrap();
        let ids = since.into_iter().filter_map(|record| match record.what {
            EventKind::Changed(change) => change.submission.clone().map(|submission| submission.id),
            _ => None,
        });
        ids.collect()
    };
    let other = ObjectChange { object: ObjectId::HealthCheck(HealthCheckId("H1".to_owned())), ..change(2) };
    server.intend(change(1), Some("one")).made();
    server.intend(other, Some("other")).made();
    server.intend(change(3), Some("not made")).not_made();
    server.intend(change(4), Some("two")).made();
    assert_eq!(ids(&server, "C1"), ["C1", "C4"]);
    assert_eq!(ids(&server, "C2"), ["C2"]);
    assert_eq!(ids(&server, "C3"), [""; 0], "it was not made");
    assert_eq!(ids(&server, "C"), [""; 0]);
    // One that was decided twice, because somebody saved the file meanwhile.
    server.intend(change(5), Some("first try")).not_made();
    server.intend(change(5), Some("second try")).made();
    let server = server.restarted();
    assert_eq!(ids(&server, "C5"), ["C5"]);
    assert_eq!(ids(&server, "C4"), ["C4", "C5"]);
}

#[test]
fn ids_of_changes_look_like_route_53s() {
    let id = new_change_id();
    assert!(id.len() == 21 && id.starts_with('C'), "{id}");
    assert!(id.bytes().all(|octet| octet.is_ascii_uppercase() || octet.is_ascii_digit()), "{id}");
    assert_ne!(id, new_change_id());
}
