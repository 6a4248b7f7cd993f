//! Tests of changes of objects through the loop.

use super::tests::{OTHER, TestControl, control};
use super::*;
use crate::model::{
    Change as RecordChange, ChangeAction, ChangeBatch, Content, Name, RecordData, RecordType, ResourceRecordSet,
    RoutingPolicy,
};
use crate::objects::{Author, Change, CommitError, Committed, Object, ObjectId, Revision};

type Outcome = Result<Committed, CommitError>;

fn set(name: &str, address: &str) -> ResourceRecordSet {
    ResourceRecordSet {
        name: Name::parse(name).unwrap(),
        record_type: RecordType::A,
        set_identifier: None,
        routing_policy: RoutingPolicy::Simple,
        content: Content::Records { ttl: 10, values: vec![RecordData::parse(RecordType::A, address).unwrap()] },
        health_check: None,
    }
}

fn upsert(name: &str, address: &str) -> Change {
    let changes = vec![RecordChange { action: ChangeAction::Upsert, record_set: set(name, address) }];
    Change::RecordSets(ChangeBatch { comment: None, changes })
}

impl TestControl {
    fn ask_for(&mut self, id: ObjectId, expected: Option<Revision>, change: Change) -> oneshot::Receiver<Outcome> {
        let author = Author { name: "a test".to_owned(), operation: "ATest".to_owned() };
        let (answer, outcome) = oneshot::channel();
        self.handle(Event::Commit(Box::new(Commit { id, expected, change, author }), answer));
        outcome
    }

    fn commit(&mut self, id: ObjectId, expected: Option<Revision>, change: Change) -> Outcome {
        let mut outcome = self.ask_for(id, expected, change);
        self.do_loads();
        outcome.try_recv().unwrap()
    }

    fn zone(&self) -> ObjectId {
        ObjectId::HostedZone(self.zone_id("other.test."))
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("zones/other.test.toml")).unwrap()
    }
}

#[test]
fn a_change_is_answered_when_it_is_durable_and_in_the_answers() {
    let mut control = control(&[("other.test.toml", OTHER)]);
    let zone = control.zone();
    let committed = control.commit(zone, None, upsert("www.other.test.", "192.0.2.81")).unwrap();
    assert_eq!(control.ask("www.other.test"), ["192.0.2.81"]);
    assert_eq!(control.text().replace('"', "'"), OTHER.replace("192.0.2.80", "192.0.2.81"));
    let Some(Object::HostedZone(zone)) = committed.object else { panic!("{committed:?}") };
    assert!(zone.record_sets.contains(&set("www.other.test.", "192.0.2.81")));
    // The watcher sees nothing new, and a restart serves it too.
    control.reload();
    assert_eq!(control.ask("www.other.test"), ["192.0.2.81"]);
    let control = control.killed_and_restarted_after(1);
    assert_eq!(control.ask("www.other.test"), ["192.0.2.81"]);
}

#[test]
fn a_change_is_made_to_what_an_editor_saved_before_it() {
    let mut control = control(&[("other.test.toml", OTHER)]);
    let zone = control.zone();
    control.write("other.test.toml", &format!("# by hand\n{}", OTHER.replace("192.0.2.80", "192.0.2.82")));
    control.commit(zone, None, upsert("new.other.test.", "192.0.2.83")).unwrap();
    assert_eq!(control.ask("www.other.test"), ["192.0.2.82"]);
    assert_eq!(control.ask("new.other.test"), ["192.0.2.83"]);
    assert!(control.text().starts_with("# by hand\n"));
}

#[test]
fn a_file_with_errors_is_not_changed_and_the_error_has_its_line() {
    let mut control = control(&[("other.test.toml", OTHER)]);
    let zone = control.zone();
    let broken = OTHER.replace("ttl = 10", "ttl = 'ten'");
    control.write("other.test.toml", &broken);
    let refused = control.commit(zone, None, upsert("www.other.test.", "192.0.2.81")).unwrap_err().to_string();
    assert!(refused.contains("other.test.toml:"), "{refused}");
    assert_eq!((control.text(), control.ask("www.other.test")), (broken, vec!["192.0.2.80".to_owned()]));
}

#[test]
fn other_zones_can_be_changed_while_one_file_is_broken() {
    let second = OTHER.replace("other.test", "second.test");
    let mut control = control(&[("other.test.toml", OTHER), ("second.test.toml", &second)]);
    let zone = control.zone();
    control.write("second.test.toml", "name = 7");
    control.reload();
    let reported = control.diagnostics();
    control.commit(zone, None, upsert("www.other.test.", "192.0.2.81")).unwrap();
    assert_eq!(control.ask("www.other.test"), ["192.0.2.81"]);
    assert_eq!(control.ask("www.second.test"), ["192.0.2.80"]);
    // The errors of the other file are still reported.
    assert_eq!(control.diagnostics(), reported);
    assert!(!reported.is_empty());
}

#[test]
fn a_change_of_another_revision_is_a_conflict() {
    let mut control = control(&[("other.test.toml", OTHER)]);
    let zone = control.zone();
    let first = control.commit(zone.clone(), None, upsert("www.other.test.", "192.0.2.81")).unwrap().revision;
    assert!(control.commit(zone.clone(), first, upsert("www.other.test.", "192.0.2.82")).is_ok());
    let late = control.commit(zone, first, upsert("www.other.test.", "192.0.2.83"));
    assert_eq!(late.unwrap_err(), CommitError::Conflict);
    assert_eq!(control.ask("www.other.test"), ["192.0.2.82"]);
}

#[test]
fn changes_and_loads_take_turns_and_a_caller_that_is_gone_changes_nothing() {
    let mut control = control(&[("other.test.toml", OTHER)]);
    let zone = control.zone();
    let mut first = control.ask_for(zone.clone(), None, upsert("one.other.test.", "192.0.2.1"));
    drop(control.ask_for(zone.clone(), None, upsert("two.other.test.", "192.0.2.2")));
    let mut third = control.ask_for(zone, None, upsert("three.other.test.", "192.0.2.3"));
    control.handle(Event::Reload(Trigger::Asked));
    assert_eq!(control.do_loads(), 1);
    assert!(first.try_recv().unwrap().is_ok() && third.try_recv().unwrap().is_ok());
    assert_eq!(control.ask("one.other.test"), ["192.0.2.1"]);
    assert_eq!(control.ask("two.other.test"), [""; 0]);
    assert_eq!(control.ask("three.other.test"), ["192.0.2.3"]);
    assert_eq!(control.reloads.borrow().done, 1);
}
