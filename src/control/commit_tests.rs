//! Tests of changes of objects through the loop.

use super::tests::{OTHER, TestControl, control};
use super::*;
use crate::model::{
    Change as RecordChange, ChangeAction, ChangeBatch, Content, HealthCheck, HealthCheckId, HostedZone, HostedZoneId,
    Name, RecordData, RecordType, ResourceRecordSet, RoutingPolicy,
};
use crate::objects::{
    Author, Change, CommitError, Committed, ErrorCode, Object, ObjectEventKind, ObjectId, ObjectWatcher, Quotas,
    Revision,
};

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
        self.handle(Event::Commit(
            Box::new(Commit { id, expected, change, author, submission: None, quotas: Quotas::Unlimited }),
            answer,
        ));
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
    assert!(zone.record_sets.contains(&set("www.other.test.", "192.0.2.81").into()));
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
fn changes_and_loads_take_turns_and_a_caller_that_is_gone_changes_nothing() {
    let mut control = control(&[("other.test.toml", OTHER)]);
    let zone = control.zone();
    let mut first = control.ask_for(zone.clone(), None, upsert("one.other.test.", "192.0.2.1"));
    drop(control.ask_for(zone.clone(), None, upsert("two.other.test.", "192.0.2.2")));
    let mut third = control.ask_for(zone, None, upsert("three.other.test.", "192.0.2.3"));
    control.handle(Event::Reload(Trigger::Requested));
    assert_eq!(control.do_loads(), 1);
    assert!(first.try_recv().unwrap().is_ok() && third.try_recv().unwrap().is_ok());
    assert_eq!(control.ask("one.other.test"), ["192.0.2.1"]);
    assert_eq!(control.ask("two.other.test"), [""; 0]);
    assert_eq!(control.ask("three.other.test"), ["192.0.2.3"]);
    assert_eq!(control.reloads.borrow().done, 1);
}

fn check_id(control: &TestControl, name: &str) -> HealthCheckId {
    control.control.base.checks.iter().find(|check| check.name == name).unwrap().id.clone()
}

fn check(control: &TestControl, name: &str, id: &str) -> HealthCheck {
    let like = control.control.base.checks.first().unwrap();
    HealthCheck { id: HealthCheckId(id.to_owned()), name: name.to_owned(), ..like.clone() }
}

const ID: &str = "11111111-1111-4111-8111-111111111111";
const CHECKED: &str = "\
name = 'other.test'
[[health_check]] # of the web server
name = 'blue'
type = 'tcp'
ip_address = '192.0.2.80'
port = 80
[[record]]
name = 'www'
type = 'A'
ttl = 10
set_identifier = 'one'
weight = 1
values = ['192.0.2.80']
health_check = 'blue' # the one above
";

#[test]
fn a_new_check_recompiles_no_zone_and_is_probed() {
    let mut control = control(&[("other.test.toml", CHECKED)]);
    let zone = |control: &TestControl| Arc::clone(control.reader.load().catalog().zones().next().unwrap());
    let before = zone(&control);
    let new = check(&control, "green", ID);
    let id = ObjectId::HealthCheck(new.id.clone());
    control.commit(id.clone(), None, Change::Create(Object::HealthCheck(Arc::new(new.clone())))).unwrap();
    assert!(Arc::ptr_eq(&before, &zone(&control)));
    assert!(control.probes.borrow().iter().any(|scheduled| &*scheduled.name == "green"));
    let text = std::fs::read_to_string(control.directory.path().join("zones/health_checks.toml")).unwrap();
    assert!(text.contains(&format!("id = \"{ID}\"")), "{text}");
    let disabled = HealthCheck { disabled: true, version: 2, ..new };
    control.commit(id.clone(), None, Change::Update(Object::HealthCheck(Arc::new(disabled)))).unwrap();
    assert!(!control.probes.borrow().iter().any(|scheduled| &*scheduled.name == "green"));
    control.commit(id.clone(), None, Change::Delete).unwrap();
    assert_eq!(control.control.base.checks.len(), 1);
    let again = control.commit(id, None, Change::Delete).unwrap_err();
    assert!(matches!(again, CommitError::Refused(refusal) if refusal.code == ErrorCode::NoSuchHealthCheck));
}

#[test]
fn a_check_is_added_to_a_file_that_was_saved_just_before() {
    let mut control = control(&[("other.test.toml", CHECKED)]);
    let create = |check: HealthCheck| {
        (ObjectId::HealthCheck(check.id.clone()), Change::Create(Object::HealthCheck(Arc::new(check))))
    };
    let (id, change) = create(check(&control, "green", ID));
    control.commit(id, None, change).unwrap();
    let path = control.directory.path().join("zones/health_checks.toml");
    let by_hand = "[[health_check]]\nname = 'amber'\ntype = 'tcp'\nip_address = '192.0.2.81'\nport = 80\n\n";
    std::fs::write(&path, by_hand.to_owned() + &std::fs::read_to_string(&path).unwrap()).unwrap();
    let (id, change) = create(check(&control, "red", &ID.replace("11111111", "22222222")));
    control.commit(id, None, change).unwrap();
    // Each name is where the loader put it.
    let tracked = control.control.tracker.views().map(|view| (view.name.to_string(), view.slot)).collect::<Vec<_>>();
    let scheduled = control
        .probes
        .borrow()
        .iter()
        .map(|scheduled| (scheduled.name.to_string(), scheduled.slot))
        .collect::<Vec<_>>();
    for name in ["amber", "blue", "green", "red"] {
        let slot = |all: &[(String, CheckSlot)]| all.iter().find(|(known, _)| known == name).map(|(_, slot)| *slot);
        assert!(slot(&tracked).is_some() && slot(&tracked) == slot(&scheduled), "{name}: {tracked:?} {scheduled:?}");
    }
    let zone = Arc::clone(control.reader.load().catalog().zones().next().unwrap());
    let blue = tracked.iter().find(|(name, _)| name == "blue").unwrap().1;
    assert_eq!(zone.checks(), [blue]);
}

#[test]
fn a_check_that_records_refer_to_by_name_can_be_deleted_and_counts_as_healthy() {
    let mut control = control(&[("other.test.toml", CHECKED)]);
    let id = check_id(&control, "blue");
    control.observe("blue", Observation::Fail);
    control.commit(ObjectId::HealthCheck(id.clone()), None, Change::Delete).unwrap();
    let text = control.text();
    assert!(text.contains(&format!("health_check = \"{}\" # the one above", id.0)), "{text}");
    assert!(!text.contains("[[health_check]]"), "{text}");
    assert_eq!(control.ask("www.other.test"), ["192.0.2.80"]);
    let control = control.killed_and_restarted_after(1);
    assert_eq!(control.ask("www.other.test"), ["192.0.2.80"]);
}

#[test]
fn a_zone_and_its_records_come_and_go_in_the_answers_and_in_a_file() {
    let mut control = control(&[("other.test.toml", OTHER)]);
    let new = HostedZone::new(HostedZoneId("ZNEW".to_owned()), Name::parse("new.test").unwrap());
    let id = ObjectId::HostedZone(new.id.clone());
    control.commit(id.clone(), None, Change::Create(Object::HostedZone(Arc::new(new)))).unwrap();
    control.commit(id.clone(), None, upsert("www.new.test.", "192.0.2.90")).unwrap();
    assert_eq!(control.ask("www.new.test"), ["192.0.2.90"]);
    let changes = vec![RecordChange { action: ChangeAction::Delete, record_set: set("www.new.test.", "192.0.2.90") }];
    let empty = Change::RecordSets(ChangeBatch { comment: None, changes });
    control.commit(id.clone(), None, empty).unwrap();
    control.commit(id, None, Change::Delete).unwrap();
    assert_eq!(control.ask("www.new.test"), [""; 0]);
    assert!(!control.directory.path().join("zones/new.test.toml").exists());
}

async fn next(watcher: &mut dyn ObjectWatcher) -> (ObjectId, ObjectEventKind) {
    let event = tokio::time::timeout(Duration::from_secs(10), watcher.next()).await.expect("there is an event");
    let event = event.unwrap().unwrap();
    (event.id, event.kind)
}

#[tokio::test]
async fn watchers_see_commits_as_data_and_what_edits_replaced_and_removed() {
    let checked = CHECKED.replace("other.test", "lab.test");
    let mut control = control(&[("other.test.toml", OTHER), ("lab.test.toml", &checked)]);
    let (zone, lab) = (ObjectId::HostedZone(control.zone_id("other.test.")), control.zone_id("lab.test."));
    let mut watcher = control.control.outputs.object_events.watch(None);
    let change = upsert("www.other.test.", "192.0.2.81");
    let before = control.control.base.revision(&zone);
    let after = control.commit(zone.clone(), before, change.clone()).unwrap().revision.unwrap();
    let changed = ObjectEventKind::Changed { before, after, change: Arc::new(change) };
    assert_eq!(next(&mut *watcher).await, (zone.clone(), changed));
    // What the watcher sees of a commit is not seen again as an edit.
    control.reload();
    control.write("other.test.toml", OTHER);
    control.reload();
    assert_eq!(next(&mut *watcher).await, (zone, ObjectEventKind::Replaced));
    let check = ObjectId::HealthCheck(check_id(&control, "blue"));
    std::fs::remove_file(control.directory.path().join("zones/lab.test.toml")).unwrap();
    control.reload();
    let removed = [next(&mut *watcher).await, next(&mut *watcher).await];
    assert_eq!(removed, [ObjectId::HostedZone(lab), check].map(|id| (id, ObjectEventKind::Removed)));
}

#[tokio::test]
async fn an_emptied_file_keeps_its_zone_and_one_without_a_zone_removes_it() {
    let mut control = control(&[("other.test.toml", OTHER)]);
    let zone = ObjectId::HostedZone(control.zone_id("other.test."));
    let mut watcher = control.control.outputs.object_events.watch(None);
    // Many editors begin a save by truncating the file: an empty one says nothing about its zone.
    control.write("other.test.toml", "\n");
    control.reload();
    assert_eq!(control.ask("www.other.test"), ["192.0.2.80"]);
    control.write("other.test.toml", &OTHER.replace("192.0.2.80", "192.0.2.82"));
    control.reload();
    assert_eq!(next(&mut *watcher).await, (zone.clone(), ObjectEventKind::Replaced), "the first event");
    control.write("other.test.toml", "# The zone has moved.\n");
    control.reload();
    assert_eq!(next(&mut *watcher).await, (zone, ObjectEventKind::Removed));
    assert_eq!(control.ask("www.other.test"), [""; 0]);
}
