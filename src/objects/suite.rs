//! What each engine must do, as tests over the interface. [`test_engine`] runs all of them on an
//! engine that starts without objects.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::{
    Author, Change, Commit, CommitError, Committed, ErrorCode, Object, ObjectEventKind, ObjectId, ObjectStore,
    ObjectWatcher, Quotas, Revision,
};
use crate::model::{
    Change as RecordChange, ChangeAction, ChangeBatch, CidrCollection, CidrCollectionId, HealthCheck, HealthCheckId,
    HealthCheckKind, HostedZone, HostedZoneId, ManualCheck, Name, ResourceRecordSet, RoutingControlState,
    RoutingPolicy, Tags, VpcId,
};
use crate::zonetree::fixture::{member, set};

/// A module with a test for each function below. `start` is a function that starts an engine
/// without objects, and returns it and what has to live as long as it.
macro_rules! test_engine {
    ($engine:ident, $start:path) => {
        $crate::objects::suite::test_engine! { $engine, $start:
            what_was_created_is_read_and_listed,
            record_sets_are_created_changed_and_deleted,
            the_members_of_a_zone_change_and_its_record_sets_stay,
            a_health_check_changes_and_goes_also_while_record_sets_use_it,
            a_collection_changes_and_goes_when_it_is_empty,
            a_removed_zone_can_be_created_again,
            a_stale_revision_is_a_conflict,
            a_refused_change_has_its_code_and_changes_nothing,
            a_caller_reference_is_used_once,
            watchers_see_every_change_in_order,
            a_watcher_continues_where_another_stopped,
            changes_at_the_same_time_are_made_one_after_the_other,
            changes_at_the_same_time_keep_a_quota,
        }
    };
    ($engine:ident, $start:path: $($test:ident,)*) => {
        mod $engine {
            $(
                #[tokio::test]
                async fn $test() {
                    let (objects, _alive) = $start();
                    $crate::objects::suite::$test(&*objects).await;
                }
            )*
        }
    };
}

pub(crate) use test_engine;

type Outcome = Result<Committed, CommitError>;

fn zone(id: &str, name: &str) -> HostedZone {
    HostedZone::new(HostedZoneId(id.to_owned()), Name::parse(name).unwrap())
}

/// The zone that the fixture's record sets belong to.
fn lab() -> HostedZone {
    zone("ZLAB", "lab.test")
}

fn uuid(digit: u8) -> String {
    "00000000-0000-4000-8000-000000000000".replace('0', &digit.to_string())
}

fn check(digit: u8, name: &str) -> HealthCheck {
    HealthCheck {
        id: HealthCheckId(uuid(digit)),
        name: name.to_owned(),
        caller_reference: None,
        version: 1,
        tags: Tags::new(),
        inverted: false,
        disabled: false,
        agreement: None,
        kind: HealthCheckKind::Manual(ManualCheck { state: RoutingControlState::On, routing_control_arn: None }),
    }
}

fn collection(digit: u8, name: &str, blocks: &[&str]) -> CidrCollection {
    let blocks: Vec<_> = blocks.iter().map(|block| block.parse().unwrap()).collect();
    CidrCollection {
        id: CidrCollectionId(uuid(digit)),
        name: name.to_owned(),
        caller_reference: None,
        version: 1,
        locations: if blocks.is_empty() { Vec::new() } else { vec![("berlin".to_owned(), blocks)] },
    }
}

impl From<HostedZone> for Object {
    fn from(zone: HostedZone) -> Object {
        Object::HostedZone(zone.into())
    }
}

impl From<HealthCheck> for Object {
    fn from(check: HealthCheck) -> Object {
        Object::HealthCheck(check.into())
    }
}

impl From<CidrCollection> for Object {
    fn from(collection: CidrCollection) -> Object {
        Object::CidrCollection(collection.into())
    }
}

fn batch(changes: impl IntoIterator<Item = (ChangeAction, ResourceRecordSet)>) -> Change {
    let change = |(action, record_set)| RecordChange { action, record_set };
    Change::RecordSets(ChangeBatch { comment: None, changes: changes.into_iter().map(change).collect() })
}

fn upsert(line: &str) -> Change {
    batch([(ChangeAction::Upsert, set(line))])
}

async fn commit(objects: &dyn ObjectStore, id: &ObjectId, expected: Option<Revision>, change: Change) -> Outcome {
    commit_within(objects, Quotas::Unlimited, id, expected, change).await
}

async fn commit_within(
    objects: &dyn ObjectStore,
    quotas: Quotas,
    id: &ObjectId,
    expected: Option<Revision>,
    change: Change,
) -> Outcome {
    let author = Author { name: "a test".to_owned(), operation: "ATest".to_owned() };
    objects.commit(Commit { id: id.clone(), expected, change, author, submission: None, quotas }).await
}

async fn change(objects: &dyn ObjectStore, id: &ObjectId, change: Change) -> Outcome {
    commit(objects, id, None, change).await
}

async fn create(objects: &dyn ObjectStore, object: impl Into<Object>) -> ObjectId {
    let object = object.into();
    let id = object.id();
    change(objects, &id, Change::Create(object)).await.unwrap_or_else(|error| panic!("{id:?}: {error}"));
    id
}

async fn update(objects: &dyn ObjectStore, object: impl Into<Object>) -> Outcome {
    let object = object.into();
    change(objects, &object.id(), Change::Update(object)).await
}

async fn read(objects: &dyn ObjectStore, id: &ObjectId) -> Object {
    objects.read(id).await.unwrap_or_else(|error| panic!("{id:?}: {error}")).1
}

async fn read_zone(objects: &dyn ObjectStore, id: &ObjectId) -> Arc<HostedZone> {
    let Object::HostedZone(zone) = read(objects, id).await else { panic!("{id:?} is a zone") };
    zone
}

fn code(outcome: Outcome) -> ErrorCode {
    match outcome {
        Err(CommitError::Refused(refusal)) => refusal.code,
        other => panic!("{other:?} is no refusal"),
    }
}

/// Everything in the lists, which must be what is read.
async fn listed(objects: &dyn ObjectStore) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for summary in objects.zones() {
        let zone = read_zone(objects, &ObjectId::HostedZone(summary.id.clone())).await;
        assert_eq!(summary, super::ZoneSummary::of(&zone));
        let sets = zone.record_sets.iter().map(|set| format!("{set:?}")).collect::<BTreeSet<_>>();
        all.insert(format!("{summary:?} {sets:?}"));
    }
    for check in objects.health_checks().iter() {
        let object = Object::from(check.clone());
        assert_eq!(read(objects, &object.id()).await, object);
        all.insert(format!("{check:?}"));
    }
    for collection in objects.cidr_collections() {
        let object = Object::from(collection.clone());
        assert_eq!(read(objects, &object.id()).await, object);
        all.insert(format!("{collection:?}"));
    }
    all
}

pub(crate) async fn what_was_created_is_read_and_listed(objects: &dyn ObjectStore) {
    assert_eq!(listed(objects).await, BTreeSet::new());
    let new = HostedZone {
        comment: Some("A \"new\" zone".to_owned()),
        tags: Tags::from([("Owner".to_owned(), "dns".to_owned())]),
        ..lab()
    };
    let id = create(objects, new.clone()).await;
    let stored = read_zone(objects, &id).await;
    assert_eq!(HostedZone { record_sets: Vec::new(), default_addresses: Vec::new(), ..(*stored).clone() }, new);
    let types: Vec<_> = stored.record_sets.iter().map(|set| set.record_type.as_str()).collect();
    assert!(types.contains(&"SOA") && types.contains(&"NS"), "{types:?}");
    let others: [Object; 2] =
        [check(1, "blue").into(), collection(2, "offices", &["10.53.1.0/24", "2001:db8::/48"]).into()];
    for object in others {
        let id = create(objects, object.clone()).await;
        assert_eq!(read(objects, &id).await, object);
    }
    assert_eq!(listed(objects).await.len(), 3);
}

pub(crate) async fn record_sets_are_created_changed_and_deleted(objects: &dyn ObjectStore) {
    use ChangeAction::{Create, Delete, Upsert};
    let id = create(objects, lab()).await;
    let defaults = read_zone(objects, &id).await;
    let weighted = |id: &str, weight, address: &str| {
        member(id, RoutingPolicy::Weighted { weight }, None, &format!("app 60 A {address}"))
    };
    let first = [(Create, set("www 60 A 192.0.2.1")), (Create, weighted("one", 1, "192.0.2.2"))];
    change(objects, &id, batch(first)).await.unwrap();
    let second = [
        (Upsert, set("www 60 A 192.0.2.3 | 192.0.2.4")),
        (Delete, weighted("one", 1, "192.0.2.2")),
        (Create, weighted("two", 0, "192.0.2.5")),
        (Create, set("txt 5 TXT \"a b\"")),
    ];
    let committed = change(objects, &id, batch(second)).await.unwrap();
    let stored = read_zone(objects, &id).await;
    let expected = [set("www 60 A 192.0.2.3 | 192.0.2.4"), weighted("two", 0, "192.0.2.5"), set("txt 5 TXT \"a b\"")];
    let own: Vec<_> =
        stored.record_sets.iter().filter(|set| !defaults.record_sets.contains(set)).map(|set| &**set).collect();
    assert!(own.len() == 3 && expected.iter().all(|set| own.contains(&set)), "{own:?}");
    let Some(Object::HostedZone(answered)) = committed.object else { panic!("it is a zone") };
    assert_eq!(answered.record_sets.len(), stored.record_sets.len());
    assert_eq!(objects.read(&id).await.unwrap().0, committed.revision.unwrap());
}

pub(crate) async fn the_members_of_a_zone_change_and_its_record_sets_stay(objects: &dyn ObjectStore) {
    let id = create(objects, HostedZone { comment: Some("before".to_owned()), ..lab() }).await;
    change(objects, &id, upsert("www 60 A 192.0.2.1")).await.unwrap();
    let tags = Tags::from([("Owner".to_owned(), "dns".to_owned())]);
    update(objects, HostedZone { tags: tags.clone(), ..lab() }).await.unwrap();
    let stored = read_zone(objects, &id).await;
    assert_eq!((&stored.comment, &stored.tags), (&None, &tags));
    assert!(stored.record_sets.contains(&set("www 60 A 192.0.2.1").into()));
}

pub(crate) async fn a_health_check_changes_and_goes_also_while_record_sets_use_it(objects: &dyn ObjectStore) {
    let zone = create(objects, lab()).await;
    let [id, _] = [create(objects, check(1, "blue")).await, create(objects, check(2, "green")).await];
    let used = ResourceRecordSet {
        health_check: Some(HealthCheckId(uuid(1))),
        ..member("one", RoutingPolicy::Weighted { weight: 1 }, None, "app 60 A 192.0.2.1")
    };
    change(objects, &zone, batch([(ChangeAction::Create, used.clone())])).await.unwrap();
    let disabled = HealthCheck { disabled: true, version: 2, ..check(1, "blue") };
    update(objects, disabled.clone()).await.unwrap();
    assert_eq!(read(objects, &id).await, disabled.into());
    let committed = change(objects, &id, Change::Delete).await.unwrap();
    assert_eq!(committed, Committed { revision: None, object: None });
    assert_eq!(objects.health_checks().iter().map(|check| check.name.clone()).collect::<Vec<_>>(), ["green"]);
    assert!(read_zone(objects, &zone).await.record_sets.contains(&used.clone().into()));
    assert_eq!(code(change(objects, &id, Change::Delete).await), ErrorCode::NoSuchHealthCheck);
}

pub(crate) async fn a_collection_changes_and_goes_when_it_is_empty(objects: &dyn ObjectStore) {
    let id = create(objects, collection(1, "offices", &[])).await;
    let filled = CidrCollection { version: 2, ..collection(1, "offices", &["10.53.1.0/24", "2001:db8::/48"]) };
    let committed = update(objects, filled.clone()).await.unwrap();
    assert_eq!(committed.object, Some(filled.clone().into()));
    assert_eq!(read(objects, &id).await, filled.into());
    assert_eq!(code(change(objects, &id, Change::Delete).await), ErrorCode::CidrCollectionInUseException);
    update(objects, CidrCollection { version: 3, ..collection(1, "offices", &[]) }).await.unwrap();
    change(objects, &id, Change::Delete).await.unwrap();
    assert!(objects.cidr_collections().is_empty());
    assert_eq!(code(change(objects, &id, Change::Delete).await), ErrorCode::NoSuchCidrCollectionException);
}

pub(crate) async fn a_removed_zone_can_be_created_again(objects: &dyn ObjectStore) {
    let id = create(objects, lab()).await;
    change(objects, &id, upsert("www 60 A 192.0.2.1")).await.unwrap();
    assert_eq!(code(change(objects, &id, Change::Delete).await), ErrorCode::HostedZoneNotEmpty);
    change(objects, &id, batch([(ChangeAction::Delete, set("www 60 A 192.0.2.1"))])).await.unwrap();
    change(objects, &id, Change::Delete).await.unwrap();
    assert!(objects.zones().is_empty());
    let read_error = objects.read(&id).await.map(|_| unreachable!()).map_err(|error| error.to_string());
    assert_eq!(read_error, Err::<(), _>("No hosted zone found with ID: ZLAB".to_owned()));
    let again = create(objects, zone("ZAGAIN", "lab.test")).await;
    assert_eq!(objects.zones().len(), 1);
    assert!(!read_zone(objects, &again).await.record_sets.contains(&set("www 60 A 192.0.2.1").into()));
}

pub(crate) async fn a_stale_revision_is_a_conflict(objects: &dyn ObjectStore) {
    let id = create(objects, lab()).await;
    let (first, _) = objects.read(&id).await.unwrap();
    let second = commit(objects, &id, Some(first), upsert("www 60 A 192.0.2.1")).await.unwrap().revision;
    assert_ne!(second, Some(first));
    let late = commit(objects, &id, Some(first), upsert("www 60 A 192.0.2.2")).await;
    assert_eq!(late.unwrap_err(), CommitError::Conflict);
    assert!(read_zone(objects, &id).await.record_sets.contains(&set("www 60 A 192.0.2.1").into()));
    commit(objects, &id, second, upsert("www 60 A 192.0.2.3")).await.unwrap();
    let deleted = commit(objects, &id, second, Change::Delete).await;
    assert_eq!(deleted.unwrap_err(), CommitError::Conflict);

    // What states a whole object was computed for one revision, or for none.
    let whole = read(objects, &id).await;
    let undone = commit(objects, &id, None, Change::Revert(Some(whole.clone()))).await;
    assert_eq!(undone.unwrap_err(), CommitError::Conflict);
    let (now, _) = objects.read(&id).await.unwrap();
    assert!(commit(objects, &id, Some(now), Change::Revert(Some(whole))).await.is_ok());
}

pub(crate) async fn a_refused_change_has_its_code_and_changes_nothing(objects: &dyn ObjectStore) {
    let zone_id = create(objects, lab()).await;
    let check_id = create(objects, check(1, "blue")).await;
    let collection_id = create(objects, collection(2, "offices", &["10.53.1.0/24"])).await;
    let ip_based =
        RoutingPolicy::IpBased { collection: CidrCollectionId(uuid(2)), location: Some("berlin".to_owned()) };
    let by_place = member("berlin", ip_based, None, "place 60 A 192.0.2.1");
    let creates = [(ChangeAction::Create, set("www 60 A 192.0.2.1")), (ChangeAction::Create, by_place)];
    change(objects, &zone_id, batch(creates)).await.unwrap();
    let before = listed(objects).await;
    let unknown = ResourceRecordSet {
        health_check: Some(HealthCheckId(uuid(9))),
        ..member("one", RoutingPolicy::Weighted { weight: 1 }, None, "app 60 A 192.0.2.1")
    };
    let created = |object: Object| (object.id(), Change::Create(object));
    let updated = |object: Object| (object.id(), Change::Update(object));
    let sets = |action, set: ResourceRecordSet| (zone_id.clone(), batch([(action, set)]));
    let vpcs = vec![VpcId("vpc-1".to_owned())];
    let refused = [
        (sets(ChangeAction::Create, set("www 60 A 192.0.2.2")), ErrorCode::InvalidChangeBatch),
        (sets(ChangeAction::Delete, set("www 60 A 192.0.2.2")), ErrorCode::InvalidChangeBatch),
        (sets(ChangeAction::Delete, set("old 60 A 192.0.2.2")), ErrorCode::InvalidChangeBatch),
        (sets(ChangeAction::Upsert, set("www 60 CNAME a.test")), ErrorCode::InvalidChangeBatch),
        (sets(ChangeAction::Create, unknown), ErrorCode::NoSuchHealthCheck),
        (created(zone("ZTWIN", "lab.test").into()), ErrorCode::ConflictingDomainExists),
        (updated(HostedZone { vpcs, ..lab() }.into()), ErrorCode::PublicZoneVPCAssociation),
        ((zone_id.clone(), Change::Delete), ErrorCode::HostedZoneNotEmpty),
        (updated(zone("ZNONE", "none.test").into()), ErrorCode::NoSuchHostedZone),
        (created(check(1, "other").into()), ErrorCode::HealthCheckAlreadyExists),
        (created(check(3, "blue").into()), ErrorCode::InvalidInput),
        (updated(check(9, "none").into()), ErrorCode::NoSuchHealthCheck),
        (created(collection(3, "offices", &[]).into()), ErrorCode::CidrCollectionAlreadyExistsException),
        (updated(collection(2, "offices", &[]).into()), ErrorCode::CidrCollectionInUseException),
        (updated(collection(9, "none", &[]).into()), ErrorCode::NoSuchCidrCollectionException),
        ((collection_id, Change::Delete), ErrorCode::CidrCollectionInUseException),
    ];
    let mut watcher = objects.watch(None);
    for ((id, refused), expected) in refused {
        let name = format!("{id:?} {refused:?}");
        assert_eq!(code(change(objects, &id, refused).await), expected, "{name}");
        assert_eq!(listed(objects).await, before, "{name}");
    }
    // Watchers see none of this, only what comes after it.
    update(objects, HealthCheck { version: 2, inverted: true, ..check(1, "blue") }).await.unwrap();
    assert_eq!(next(&mut *watcher).await.0, check_id);
}

pub(crate) async fn a_caller_reference_is_used_once(objects: &dyn ObjectStore) {
    let with = |id: &str, name: &str, reference: &str| HostedZone {
        caller_reference: Some(reference.to_owned()),
        ..zone(id, name)
    };
    let create_again = async |object: Object| change(objects, &object.id(), Change::Create(object.clone())).await;
    let id = create(objects, with("ZONE", "one.test", "first")).await;
    let twin = || create_again(with("ZTWO", "two.test", "first").into());
    assert_eq!(code(twin().await), ErrorCode::HostedZoneAlreadyExists);
    change(objects, &id, Change::Delete).await.unwrap();
    assert_eq!(code(twin().await), ErrorCode::HostedZoneAlreadyExists);
    create(objects, with("ZTWO", "one.test", "second")).await;

    // Another kind of object has references of its own.
    let with = |digit, name: &str| HealthCheck { caller_reference: Some("first".to_owned()), ..check(digit, name) };
    let id = create(objects, with(1, "blue")).await;
    assert_eq!(code(create_again(with(2, "green").into()).await), ErrorCode::HealthCheckAlreadyExists);
    change(objects, &id, Change::Delete).await.unwrap();
    assert_eq!(code(create_again(with(2, "green").into()).await), ErrorCode::HealthCheckAlreadyExists);
    create(objects, HealthCheck { caller_reference: Some("second".to_owned()), ..check(2, "green") }).await;
}

async fn next(watcher: &mut dyn ObjectWatcher) -> (ObjectId, ObjectEventKind) {
    let next = tokio::time::timeout(Duration::from_secs(10), watcher.next()).await.expect("there is an event");
    let event = next.expect("the engine runs").expect("few events are kept");
    (event.id, event.kind)
}

pub(crate) async fn watchers_see_every_change_in_order(objects: &dyn ObjectStore) {
    let mut watcher = objects.watch(None);
    let filled = collection(2, "offices", &["10.53.1.0/24"]);
    let changes = [
        (Object::from(lab()).id(), Change::Create(lab().into())),
        (Object::from(lab()).id(), upsert("www 60 A 192.0.2.1")),
        (Object::from(check(1, "blue")).id(), Change::Create(check(1, "blue").into())),
        (Object::from(lab()).id(), Change::Update(HostedZone { comment: Some("new".to_owned()), ..lab() }.into())),
        (Object::from(filled.clone()).id(), Change::Create(filled.into())),
        (Object::from(lab()).id(), batch([(ChangeAction::Delete, set("www 60 A 192.0.2.1"))])),
    ];
    for (id, made) in changes {
        let known = objects.read(&id).await.ok().map(|(revision, _)| revision);
        let after = change(objects, &id, made.clone()).await.unwrap().revision.unwrap();
        let expected = ObjectEventKind::Changed { before: known, after, change: Arc::new(made) };
        assert_eq!(next(&mut *watcher).await, (id, expected));
    }
    for id in [Object::from(check(1, "blue")).id(), Object::from(lab()).id()] {
        change(objects, &id, Change::Delete).await.unwrap();
        assert_eq!(next(&mut *watcher).await, (id, ObjectEventKind::Removed));
    }
}

pub(crate) async fn a_watcher_continues_where_another_stopped(objects: &dyn ObjectStore) {
    let mut watcher = objects.watch(None);
    let id = create(objects, lab()).await;
    let position = watcher.next().await.unwrap().unwrap().position;
    for number in 1..=3 {
        change(objects, &id, upsert(&format!("www 60 A 192.0.2.{number}"))).await.unwrap();
    }
    let mut other = objects.watch(Some(position));
    for _ in 0..3 {
        let event = watcher.next().await.unwrap().unwrap();
        assert!(event.position > position);
        assert_eq!(other.next().await, Some(Ok(event)));
    }
}

pub(crate) async fn changes_at_the_same_time_are_made_one_after_the_other(objects: &dyn ObjectStore) {
    let id = create(objects, lab()).await;
    change(objects, &id, upsert("count 60 TXT \"0\"")).await.unwrap();
    let mut watcher = objects.watch(None);
    let mut revision = objects.read(&id).await.unwrap().0;
    // Each adds a record, and one to the number that it has read.
    let one = async |number: usize| {
        change(objects, &id, upsert(&format!("n{number} 60 A 192.0.2.1"))).await.unwrap();
        loop {
            let (revision, object) = objects.read(&id).await.unwrap();
            let Object::HostedZone(zone) = object else { panic!("it is a zone") };
            let count = (0..100).find(|count| zone.record_sets.contains(&counting(*count).into())).unwrap();
            let change = batch([(ChangeAction::Upsert, counting(count + 1))]);
            match commit(objects, &id, Some(revision), change).await {
                Err(CommitError::Conflict) => {}
                done => return drop(done.unwrap()),
            }
        }
    };
    tokio::join!(one(0), one(1), one(2), one(3));
    let stored = read_zone(objects, &id).await;
    assert!(stored.record_sets.contains(&counting(4).into()), "{:?}", stored.record_sets);
    assert!((0..4).all(|number| stored.record_sets.contains(&set(&format!("n{number} 60 A 192.0.2.1")).into())));
    for _ in 0..8 {
        let ObjectEventKind::Changed { before, after, .. } = next(&mut *watcher).await.1 else { panic!("a commit") };
        assert_eq!(before, Some(revision));
        revision = after;
    }
    assert_eq!(objects.read(&id).await.unwrap().0, revision);
}

fn counting(count: usize) -> ResourceRecordSet {
    set(&format!("count 60 TXT \"{count}\""))
}

pub(crate) async fn changes_at_the_same_time_keep_a_quota(objects: &dyn ObjectStore) {
    let create = async |digit: u8, quotas: Quotas| {
        let object = Object::from(collection(digit, &format!("c{digit}"), &[]));
        commit_within(objects, quotas, &object.id(), None, Change::Create(object.clone())).await
    };
    let within = |digit| create(digit, Quotas::Default);
    create(1, Quotas::Default).await.unwrap();
    let (two, three, four, five, six, seven, eight) =
        tokio::join!(within(2), within(3), within(4), within(5), within(6), within(7), within(8));
    let outcomes = [two, three, four, five, six, seven, eight];
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 4, "{outcomes:?}");
    let refused: Vec<ErrorCode> = outcomes.into_iter().filter(Outcome::is_err).map(code).collect();
    assert_eq!(refused, [ErrorCode::LimitsExceeded; 3]);
    create(9, Quotas::Unlimited).await.unwrap();
    // More than the quota may exist, and change.
    let id = ObjectId::CidrCollection(CidrCollectionId(uuid(9)));
    let filled = Change::Update(collection(9, "c9", &["10.53.1.0/24"]).into());
    commit_within(objects, Quotas::Default, &id, None, filled).await.unwrap();
}
