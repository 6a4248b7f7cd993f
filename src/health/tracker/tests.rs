//! Checks, results and reloads in, transitions out.

use std::collections::HashSet;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::health::agreement::{NodeOpinions, Opinion, OtherNodes};
use crate::health::metric::tests::metric;
use crate::health::{Children, Generation, Identity, Observation, SavedCheckState};
use crate::model::{
    AddressFamily, Agreement, CalculatedCheck, EndpointCheck, EndpointProtocol, EndpointTarget, HealthCheck,
    HealthCheckKind, InsufficientDataHealthStatus, ManualCheck, MetricCheck, RoutingControlState, Timeouts,
};
use Observation::{Fail, Pass};

const T0: Timestamp = Timestamp(Duration::ZERO);

pub(in crate::health) fn check(name: &str) -> HealthCheck {
    HealthCheck {
        id: HealthCheckId(format!("id-of-{name}")),
        name: name.to_owned(),
        caller_reference: None,
        version: 1,
        tags: Default::default(),
        inverted: false,
        disabled: false,
        agreement: None,
        kind: HealthCheckKind::Endpoint(EndpointCheck {
            protocol: EndpointProtocol::Tcp,
            target: EndpointTarget::Domain(format!("{name}.lab.test")),
            port: 80,
            request_interval: Duration::from_secs(10),
            failure_threshold: 3,
            recovery_threshold: 3,
            measure_latency: false,
            address_family: AddressFamily::default(),
            timeouts: Timeouts::default(),
            regions: Vec::new(),
        }),
    }
}

fn changed(mut check: HealthCheck, change: impl FnOnce(&mut EndpointCheck)) -> HealthCheck {
    let HealthCheckKind::Endpoint(endpoint) = &mut check.kind else { panic!("not an endpoint check") };
    change(endpoint);
    check
}

fn tracker(checks: &[HealthCheck]) -> Tracker {
    let mut tracker = Tracker::new();
    tracker.apply(checks, T0);
    tracker
}

fn slot(tracker: &Tracker, name: &str) -> CheckSlot {
    tracker.slot_of(&HealthCheckId(format!("id-of-{name}"))).unwrap()
}

fn generation(tracker: &Tracker, name: &str) -> Generation {
    let slot = slot(tracker, name);
    tracker.probes().into_iter().find(|scheduled| scheduled.slot == slot).unwrap().generation
}

fn observe(tracker: &mut Tracker, name: &str, observation: Observation) -> Option<Transition> {
    observe_all(tracker, name, observation).into_iter().next()
}

fn observe_all(tracker: &mut Tracker, name: &str, observation: Observation) -> Vec<Transition> {
    tracker.observe(slot(tracker, name), generation(tracker, name), observation, T0).into_transitions()
}

#[test]
fn a_check_is_healthy_until_its_first_result() {
    let mut tracker = tracker(&[check("a"), check("b")]);
    assert_eq!(tracker.pending(), 2);
    assert!(tracker.bits().is_healthy(slot(&tracker, "a")));
    let transition = observe(&mut tracker, "a", Fail).unwrap();
    assert_eq!((&*transition.name, transition.to, transition.cause), ("a", Status::Unhealthy, Cause::FirstResult));
    assert_eq!(tracker.pending(), 1);
    assert!(!tracker.bits().is_healthy(slot(&tracker, "a")));
    assert!(tracker.bits().is_healthy(slot(&tracker, "b")));
}

#[test]
fn three_results_in_a_row_change_the_status_in_both_directions() {
    let mut tracker = tracker(&[check("a")]);
    let results = [Pass, Fail, Fail, Pass, Fail, Fail, Fail, Fail, Pass, Pass, Fail, Pass, Pass, Pass, Pass];
    let turns: Vec<(usize, Status)> = (0..)
        .zip(results)
        .filter_map(|(index, result)| Some((index, observe(&mut tracker, "a", result)?.to)))
        .collect();
    assert_eq!(turns, [(6, Status::Unhealthy), (13, Status::Healthy)]);
}

#[test]
fn a_result_says_what_it_changed() {
    let mut tracker = tracker(&[check("a"), calculated("site", &["a"], 1)]);
    let (a, generation) = (slot(&tracker, "a"), generation(&tracker, "a"));
    let mut counted = |observation, is_overridden: bool| {
        tracker.apply_overrides(&|name| (is_overridden && name == "a").then_some(Status::Healthy), T0);
        match tracker.observe(a, generation, observation, T0) {
            ResultOutcome::Counted(counted) => counted,
            ResultOutcome::Ignored => panic!("it is the check's generation"),
        }
    };
    let saved = CountedResult { saved_state_changed: true, ..CountedResult::default() };
    assert_eq!(counted(Pass, false), CountedResult { is_first: true, opinion_changed: true, ..saved.clone() });
    assert_eq!(counted(Pass, false), CountedResult::default());
    assert_eq!([counted(Fail, false), counted(Fail, false)], [saved.clone(), saved.clone()]);
    let changed = CountedResult { changed_without_overrides: true, opinion_changed: true, ..saved };
    assert_eq!(counted(Fail, true), changed, "an override decides the final status");
    counted(Pass, false);
    counted(Pass, false);
    let CountedResult { transitions, .. } = counted(Pass, false);
    assert_eq!(changes(&transitions), [("a", Status::Healthy), ("site", Status::Healthy)]);
    assert_eq!(tracker.observe(a, Generation(99), Pass, T0), ResultOutcome::Ignored);
}

#[test]
fn a_clone_is_a_snapshot() {
    let mut tracker = tracker(&[check("a"), check("b")]);
    let before = tracker.clone();
    observe(&mut tracker, "a", Fail);
    let a = slot(&tracker, "a");
    assert_eq!((before.status(a), tracker.status(a)), (Some(Status::Healthy), Some(Status::Unhealthy)));
    assert_eq!((before.pending(), tracker.pending()), (2, 1));
}

#[test]
fn an_inverted_check_starts_unhealthy_and_says_the_opposite() {
    let mut tracker = tracker(&[HealthCheck { inverted: true, ..check("a") }]);
    let a = slot(&tracker, "a");
    assert_eq!(tracker.status(a), Some(Status::Unhealthy));
    assert_eq!(observe(&mut tracker, "a", Pass), None);
    for _ in 0..2 {
        assert_eq!(observe(&mut tracker, "a", Fail), None);
    }
    assert_eq!(observe(&mut tracker, "a", Fail).map(|transition| transition.to), Some(Status::Healthy));
    assert!(tracker.bits().is_healthy(a));
}

#[test]
fn a_disabled_check_is_not_probed_and_ignores_results() {
    let mut tracker = tracker(&[check("a")]);
    let (a, old) = (slot(&tracker, "a"), generation(&tracker, "a"));
    observe(&mut tracker, "a", Fail);
    let applied = tracker.apply(&[HealthCheck { disabled: true, ..check("a") }], T0);
    assert_eq!(applied.transitions[0].cause, Cause::Configuration);
    assert_eq!(applied.transitions[0].to, Status::Healthy);
    assert_eq!((tracker.probes(), tracker.pending()), (vec![], 0));
    assert_eq!(tracker.observe(a, old, Fail, T0).into_transitions(), []);
    // Disabled and inverted: the documented way to force traffic off.
    tracker.apply(&[HealthCheck { disabled: true, inverted: true, ..check("a") }], T0);
    assert!(!tracker.bits().is_healthy(a));
    // Enabled again it is probed again; its status from before it was disabled is too old to count.
    tracker.apply(&[check("a")], T0);
    assert!(tracker.bits().is_healthy(a));
    assert_eq!((tracker.probes().len(), tracker.pending()), (1, 1));
    assert_eq!(tracker.observe(a, old, Fail, T0).into_transitions(), []);
    assert!(observe(&mut tracker, "a", Fail).is_some());
}

#[test]
fn thresholds_interval_and_name_change_without_losing_the_state() {
    let mut tracker = tracker(&[check("a")]);
    let (a, generation) = (slot(&tracker, "a"), generation(&tracker, "a"));
    observe(&mut tracker, "a", Pass);
    observe(&mut tracker, "a", Fail);
    let other = changed(HealthCheck { name: "z".to_owned(), ..check("a") }, |endpoint| {
        endpoint.failure_threshold = 2;
        endpoint.request_interval = Duration::from_secs(30);
    });
    assert_eq!(tracker.apply(&[other], T0), Applied::default());
    let scheduled = tracker.probes().remove(0);
    assert_eq!(
        (scheduled.generation, &*scheduled.name, scheduled.check.request_interval.as_secs()),
        (generation, "z", 30)
    );
    assert_eq!(tracker.pending(), 0);
    assert_eq!(tracker.observe(a, generation, Fail, T0).into_transitions()[0].cause, Cause::Failures(2));
}

#[test]
fn what_only_the_api_shows_changes_without_any_effect() {
    let mut tracker = tracker(&[check("a")]);
    let (a, generation) = (slot(&tracker, "a"), generation(&tracker, "a"));
    observe(&mut tracker, "a", Pass);
    observe(&mut tracker, "a", Fail);
    observe(&mut tracker, "a", Fail);
    let other = HealthCheck {
        caller_reference: Some("r1".to_owned()),
        version: 2,
        tags: [("Owner".to_owned(), "dns".to_owned())].into(),
        ..check("a")
    };
    assert_eq!(tracker.apply(&[other], T0), Applied::default());
    assert_eq!((tracker.probes()[0].generation, tracker.pending()), (generation, 0));
    assert_eq!(tracker.observe(a, generation, Fail, T0).into_transitions()[0].cause, Cause::Failures(3));
}

#[test]
fn another_endpoint_keeps_slot_and_final_status_until_its_first_result() {
    let mut tracker = tracker(&[check("a")]);
    let (a, old) = (slot(&tracker, "a"), generation(&tracker, "a"));
    observe(&mut tracker, "a", Fail);
    let applied = tracker.apply(&[changed(check("a"), |endpoint| endpoint.port = 81)], T0);
    assert_eq!(applied, Applied { restarted: vec![a], ..Applied::default() });
    assert_eq!((slot(&tracker, "a"), tracker.pending()), (a, 1));
    assert_ne!(generation(&tracker, "a"), old);
    assert!(!tracker.bits().is_healthy(a));
    assert_eq!(tracker.observe(a, old, Pass, T0).into_transitions(), []);
    assert_eq!(observe(&mut tracker, "a", Pass).unwrap().cause, Cause::FirstResult);
    assert!(tracker.bits().is_healthy(a));
}

#[test]
fn a_reused_slot_ignores_results_of_its_predecessor() {
    let mut tracker = tracker(&[check("a"), check("b")]);
    let (a, old) = (slot(&tracker, "a"), generation(&tracker, "a"));
    observe(&mut tracker, "a", Fail);
    let applied = tracker.apply(&[check("b"), check("c")], T0);
    assert_eq!((applied.removed, applied.added), (vec![a], vec![a]));
    assert_eq!((slot(&tracker, "c"), slot(&tracker, "b")), (a, CheckSlot(1)));
    assert!(tracker.bits().is_healthy(a));
    assert_eq!(tracker.observe(a, old, Fail, T0).into_transitions(), []);
    assert_eq!(tracker.pending(), 2);
    assert!(tracker.bits().is_healthy(a));
}

fn saved_check(tracker: &Tracker, name: &str, status: Status, opposing: u8) -> RestoredCheck {
    let (identity, _) = tracker.saved_state_of(slot(tracker, name)).unwrap();
    RestoredCheck {
        fingerprint: identity.fingerprint,
        state: SavedCheckState { status, opposing: Some(opposing), since: T0, agreed: None },
        as_of: T0,
    }
}

#[test]
fn a_saved_state_counts_at_once_and_the_check_is_not_pending() {
    let mut tracker = tracker(&[check("a"), check("b")]);
    let a = slot(&tracker, "a");
    let saved = saved_check(&tracker, "a", Status::Unhealthy, 0);
    // Two intervals of 10 s later the row of passes begins; three are needed.
    assert_eq!(tracker.restore(a, &saved, Timestamp(Duration::from_secs(20))), Some(Status::Unhealthy));
    assert_eq!(tracker.pending(), 1);
    assert!(!tracker.bits().is_healthy(a));
    for _ in 0..2 {
        assert_eq!(observe(&mut tracker, "a", Pass), None);
    }
    assert_eq!(observe(&mut tracker, "a", Pass).unwrap().cause, Cause::Passes(3));
    assert_eq!(tracker.pending(), 1);
}

#[test]
fn an_old_saved_state_is_corrected_by_the_first_result() {
    let mut tracker = tracker(&[check("a")]);
    let a = slot(&tracker, "a");
    let saved = saved_check(&tracker, "a", Status::Unhealthy, 2);
    tracker.restore(a, &saved, Timestamp(Duration::from_secs(21)));
    assert!(!tracker.bits().is_healthy(a));
    assert_eq!(observe(&mut tracker, "a", Pass).unwrap().cause, Cause::FirstResult);
    assert!(tracker.bits().is_healthy(a));
}

#[test]
fn a_saved_state_from_the_future_is_corrected_by_the_first_result() {
    let mut tracker = tracker(&[check("a")]);
    let a = slot(&tracker, "a");
    let saved =
        RestoredCheck { as_of: Timestamp(Duration::from_secs(1)), ..saved_check(&tracker, "a", Status::Unhealthy, 0) };
    tracker.restore(a, &saved, T0);
    assert_eq!(observe(&mut tracker, "a", Pass).unwrap().cause, Cause::FirstResult);
}

#[test]
fn the_saved_state_of_another_endpoint_is_ignored() {
    let mut tracker = tracker(&[check("a")]);
    let saved = saved_check(&tracker, "a", Status::Unhealthy, 0);
    tracker.apply(&[changed(check("a"), |endpoint| endpoint.port = 81)], T0);
    let a = slot(&tracker, "a");
    assert_eq!(tracker.restore(a, &saved, T0), None);
    assert_eq!(tracker.pending(), 1);
    // Nor is it, once there was a result.
    let saved = saved_check(&tracker, "a", Status::Unhealthy, 0);
    observe(&mut tracker, "a", Pass);
    assert_eq!(tracker.restore(a, &saved, T0), None);
    assert!(tracker.bits().is_healthy(a));
}

#[test]
fn an_override_replaces_the_final_status_until_it_is_cleared() {
    let mut tracker = tracker(&[check("a"), HealthCheck { inverted: true, ..check("b") }]);
    let (a, b) = (slot(&tracker, "a"), slot(&tracker, "b"));
    let down = |name: &str| (name == "a").then_some(Status::Unhealthy);
    let transitions = tracker.apply_overrides(&down, T0);
    assert_eq!(transitions.len(), 1);
    assert_eq!((transitions[0].to, transitions[0].cause), (Status::Unhealthy, Cause::Override));
    // What is seen meanwhile moves nothing, and is not lost.
    assert_eq!(observe(&mut tracker, "a", Pass), None);
    assert!(!tracker.bits().is_healthy(a));
    // A reload changes nothing about it, another endpoint neither.
    let applied = tracker.apply(&[changed(check("a"), |endpoint| endpoint.port = 81), check("b")], T0);
    assert_eq!(applied.transitions.len(), 1, "b is no longer inverted: {applied:?}");
    assert!(!tracker.bits().is_healthy(a));
    observe(&mut tracker, "a", Pass);
    assert_eq!(tracker.apply_overrides(&|_| None, T0)[0].to, Status::Healthy);
    assert!(tracker.bits().is_healthy(a) && tracker.bits().is_healthy(b));
    // The word is final: after inversion, and of a disabled check too.
    tracker.apply(&[HealthCheck { disabled: true, inverted: true, ..check("a") }], T0);
    assert!(!tracker.bits().is_healthy(a));
    tracker.apply_overrides(&|_| Some(Status::Healthy), T0);
    assert!(tracker.bits().is_healthy(a));
}

#[test]
fn of_two_checks_with_one_id_the_first_counts() {
    let twin = HealthCheck { inverted: true, ..check("a") };
    let tracker = tracker(&[check("a"), twin]);
    assert_eq!(tracker.probes().len(), 1);
    assert!(tracker.bits().is_healthy(slot(&tracker, "a")));
}

fn calculated(name: &str, children: &[&str], health_threshold: u16) -> HealthCheck {
    let child_health_checks = children.iter().map(|child| HealthCheckId(format!("id-of-{child}"))).collect();
    let kind = HealthCheckKind::Calculated(CalculatedCheck { child_health_checks, health_threshold });
    HealthCheck { kind, ..check(name) }
}

/// Who turned to what.
fn changes(transitions: &[Transition]) -> Vec<(&str, Status)> {
    transitions.iter().map(|transition| (&*transition.name, transition.to)).collect()
}

#[test]
fn a_calculated_check_changes_in_the_same_step_as_its_child() {
    use Status::{Healthy, Unhealthy};
    let site = calculated("site", &["a", "b"], 1);
    let mut tracker = tracker(&[site, check("a"), check("b")]);
    assert_eq!((tracker.pending(), tracker.probes().len()), (2, 2));
    assert_eq!(changes(&observe_all(&mut tracker, "a", Fail)), [("a", Unhealthy)]);
    let transitions = observe_all(&mut tracker, "b", Fail);
    assert_eq!(changes(&transitions), [("b", Unhealthy), ("site", Unhealthy)]);
    assert_eq!(transitions[1].cause.to_string(), "0 of 2 child health checks are healthy, 1 must be");
    assert!(!tracker.bits().is_healthy(slot(&tracker, "site")));
    observe_all(&mut tracker, "a", Pass);
    observe_all(&mut tracker, "a", Pass);
    assert_eq!(changes(&observe_all(&mut tracker, "a", Pass)), [("a", Healthy), ("site", Healthy)]);
    assert!(tracker.bits().is_healthy(slot(&tracker, "site")));
}

#[test]
fn inversion_comes_after_counting_and_final_statuses_are_counted() {
    use Status::{Healthy, Unhealthy};
    let inverted_child = HealthCheck { inverted: true, ..check("a") };
    let inverted = HealthCheck { inverted: true, ..calculated("not-site", &["a", "b"], 2) };
    let mut tracker = tracker(&[inverted_child, check("b"), inverted]);
    let site = slot(&tracker, "not-site");
    // The inverted child starts unhealthy, so too few are healthy, which inverted is healthy.
    assert_eq!(tracker.status(site), Some(Healthy));
    assert_eq!(changes(&observe_all(&mut tracker, "a", Fail)), [("a", Healthy), ("not-site", Unhealthy)]);
    // A disabled child is healthy; a disabled calculated check too, before inversion.
    let off = |check: HealthCheck| HealthCheck { disabled: true, ..check };
    let applied = tracker.apply(&[off(check("a")), check("b"), off(calculated("not-site", &["a"], 9))], T0);
    assert_eq!(changes(&applied.transitions), [("not-site", Healthy)]);
}

#[test]
fn a_metric_check_is_evaluated_and_keeps_its_state_under_other_periods() {
    use InsufficientDataHealthStatus::Unhealthy;
    let metric = |periods, query: &str| {
        let metric = MetricCheck { query: query.to_owned(), ..metric(periods, Unhealthy) };
        HealthCheck { kind: HealthCheckKind::Metric(metric), ..check("errors") }
    };
    let mut tracker = tracker(&[metric(3, "errors"), calculated("site", &["errors"], 1)]);
    assert_eq!((tracker.pending(), tracker.probes().len(), tracker.metrics().len()), (1, 0, 1));
    let slot = slot(&tracker, "errors");
    assert_eq!(tracker.status(slot), Some(Status::Unhealthy));
    let scheduled = tracker.metrics().remove(0);
    assert_eq!(tracker.observe(slot, scheduled.generation, Observation::Missing, T0).into_transitions(), []);
    assert_eq!(tracker.pending(), 0);
    let transitions = tracker.observe(slot, scheduled.generation, Pass, T0).into_transitions();
    assert_eq!(changes(&transitions), [("errors", Status::Healthy), ("site", Status::Healthy)]);
    tracker.observe(slot, scheduled.generation, Fail, T0);
    assert_eq!(tracker.apply(&[metric(2, "errors")], T0).restarted, []);
    assert_eq!(tracker.observe(slot, scheduled.generation, Fail, T0).into_transitions()[0].cause, Cause::Failures(2));
    // Another query is another metric: the final status stays until there is data.
    assert_eq!(tracker.apply(&[metric(2, "latency")], T0).restarted, [slot]);
    let generation = tracker.metrics()[0].generation;
    assert_eq!(tracker.observe(slot, scheduled.generation, Pass, T0).into_transitions(), []);
    assert_eq!(changes(&tracker.observe(slot, generation, Pass, T0).into_transitions()), [("errors", Status::Healthy)]);
    assert_eq!(tracker.observe(slot, generation, Observation::Missing, T0).into_transitions(), []);
    let transitions = tracker.observe(slot, generation, Observation::Missing, T0).into_transitions();
    assert_eq!(transitions[0].cause.to_string(), "no data 2 times in a row");
}

#[test]
fn overrides_and_saved_states_of_children_count() {
    use Status::{Healthy, Unhealthy};
    let checks = [calculated("site", &["a", "b"], 2), check("a"), check("b")];
    let mut tracker = tracker(&checks);
    let down = |wanted: &'static str| move |name: &str| (name == wanted).then_some(Unhealthy);
    assert_eq!(changes(&tracker.apply_overrides(&down("a"), T0)), [("a", Unhealthy), ("site", Unhealthy)]);
    assert_eq!(changes(&tracker.apply_overrides(&|_| None, T0)), [("a", Healthy), ("site", Healthy)]);
    // A calculated check that is held itself does not follow its children, and counts them
    // again afterwards.
    assert_eq!(changes(&tracker.apply_overrides(&|name| (name == "site").then_some(Healthy), T0)), []);
    assert_eq!(changes(&observe_all(&mut tracker, "a", Fail)), [("a", Unhealthy)]);
    assert_eq!(changes(&tracker.apply_overrides(&|_| None, T0)), [("site", Unhealthy)]);
    let view = tracker.views().find(|view| &*view.name == "site").unwrap();
    assert!(matches!(view.target, CheckTarget::Children(Children { healthy: 1, all: 2, needed: 2 })));

    let (identity, state) = tracker.saved_state_of(slot(&tracker, "a")).unwrap();
    let Identity { id, fingerprint } = (**identity).clone();
    let saved = RestoredCheck { fingerprint, state: state.unwrap(), as_of: T0 };
    let mut restarted = self::tracker(&checks);
    let slot_of_a = restarted.slot_of(&id).unwrap();
    assert_eq!(restarted.restore(slot_of_a, &saved, T0), Some(Unhealthy));
    assert_eq!(restarted.status(slot(&restarted, "site")), Some(Unhealthy));
}

#[test]
fn a_manual_check_says_what_its_configuration_says() {
    use Status::{Healthy, Unhealthy};
    let manual = |state| {
        let kind = HealthCheckKind::Manual(ManualCheck { state, routing_control_arn: None });
        HealthCheck { kind, ..check("switch") }
    };
    let (on, off) = (manual(RoutingControlState::On), manual(RoutingControlState::Off));
    let site = calculated("site", &["switch"], 1);
    let mut tracker = tracker(&[off.clone(), site.clone()]);
    assert_eq!((tracker.pending(), tracker.probes().len()), (0, 0));
    assert_eq!(tracker.status(slot(&tracker, "site")), Some(Unhealthy));
    let applied = tracker.apply(&[on.clone(), site], T0);
    assert_eq!(changes(&applied.transitions), [("switch", Healthy), ("site", Healthy)]);
    let applied = tracker.apply(&[HealthCheck { inverted: true, ..on }], T0);
    assert_eq!(changes(&applied.transitions), [("switch", Unhealthy)]);
    let applied = tracker.apply(&[HealthCheck { disabled: true, ..off }], T0);
    assert_eq!(changes(&applied.transitions), [("switch", Healthy)]);
    // An endpoint check in its place goes on from there.
    tracker.apply(&[manual(RoutingControlState::Off)], T0);
    assert_eq!(changes(&tracker.apply(&[check("switch")], T0).transitions), []);
    assert_eq!(tracker.status(slot(&tracker, "switch")), Some(Unhealthy));
}

#[test]
fn children_may_come_go_and_change_with_any_load() {
    use Status::{Healthy, Unhealthy};
    let site = |children: &[&str]| calculated("site", children, 2);
    let mut tracker = tracker(&[site(&["a", "b"]), check("a"), check("b")]);
    observe_all(&mut tracker, "a", Fail);
    assert!(!tracker.bits().is_healthy(slot(&tracker, "site")));
    // A child that is gone is healthy; the slot it had may be another's by then.
    let applied = tracker.apply(&[site(&["a", "b"]), check("b"), check("c")], T0);
    assert_eq!(changes(&applied.transitions), [("site", Healthy)]);
    assert_eq!(changes(&observe_all(&mut tracker, "c", Fail)), [("c", Unhealthy)]);
    let applied = tracker.apply(&[site(&["c", "b"]), check("b"), check("c")], T0);
    assert_eq!(changes(&applied.transitions), [("site", Unhealthy)]);
    assert!(matches!(applied.transitions[0].cause, Cause::Children(_)));
    // Another kind under the same id keeps its final status until its first result.
    let applied = tracker.apply(&[check("site"), check("b"), check("c")], T0);
    assert_eq!((changes(&applied.transitions).len(), applied.restarted), (0, vec![slot(&tracker, "site")]));
    assert_eq!(changes(&observe_all(&mut tracker, "site", Pass)), [("site", Healthy)]);
}

/// Inverted, disabled, port, kind, children: enough to move a check through every change of
/// configuration.
fn any_check() -> impl Strategy<Value = HealthCheck> {
    let endpoint = 80..83u16;
    let family = (proptest::collection::btree_set(0..6u8, 0..4), 0..4u16);
    let kind = prop_oneof![3 => endpoint.prop_map(Ok), 1 => family.prop_map(Err)];
    (0..6u8, any::<bool>(), any::<bool>(), kind).prop_map(|(name, inverted, disabled, kind)| {
        let name = name.to_string();
        let check = match kind {
            Ok(port) => changed(check(&name), |endpoint| endpoint.port = port),
            Err((children, threshold)) => {
                let children: Vec<String> = children.iter().map(ToString::to_string).collect();
                calculated(&name, &children.iter().map(String::as_str).collect::<Vec<_>>(), threshold)
            }
        };
        HealthCheck { inverted, disabled, ..check }
    })
}

/// As configurations are: children that are calculated themselves are refused by `config`.
fn without_nesting(checks: Vec<HealthCheck>) -> Vec<HealthCheck> {
    let is_calculated = |check: &&HealthCheck| matches!(check.kind, HealthCheckKind::Calculated(_));
    let nested: HashSet<HealthCheckId> = checks.iter().filter(is_calculated).map(|check| check.id.clone()).collect();
    let mut checks = checks;
    for check in &mut checks {
        if let HealthCheckKind::Calculated(calculated) = &mut check.kind {
            calculated.child_health_checks.retain(|child| !nested.contains(child));
        }
    }
    checks
}

fn names(tracker: &Tracker) -> HashMap<Arc<str>, Status> {
    let entries = tracker.entries().map(|(_, entry)| entry);
    entries.map(|entry| (Arc::clone(&entry.name), entry.final_status())).collect()
}

proptest! {
    #[test]
    fn bits_pending_and_plans_agree_with_the_entries_through_any_reloads(
        loads in proptest::collection::vec(
            (
                proptest::collection::vec(any_check(), 0..6),
                proptest::collection::vec((0..8u32, 0..20u64, any::<bool>()), 0..20),
            ),
            1..12,
        ),
    ) {
        let mut tracker = Tracker::new();
        for (checks, results) in loads {
            let checks = without_nesting(checks);
            let before: HashMap<Arc<str>, Status> = names(&tracker);
            let applied = tracker.apply(&checks, T0);
            for (name, status) in names(&tracker) {
                let changed = applied.transitions.iter().filter(|transition| transition.name == name).count();
                let expected = before.get(&name).is_some_and(|before| *before != status);
                prop_assert_eq!(changed, usize::from(expected), "{}", name);
            }
            for (slot, generation, pass) in results {
                let before = names(&tracker);
                let observation = if pass { Pass } else { Fail };
                let transitions = tracker.observe(CheckSlot(slot), Generation(generation), observation, T0).into_transitions();
                let mut turned: Vec<_> =
                    names(&tracker).into_iter().filter(|(name, status)| before[name] != *status).collect();
                let mut changed: Vec<_> = transitions.iter().map(|changed| (Arc::clone(&changed.name), changed.to)).collect();
                turned.sort_by(|a, b| a.0.cmp(&b.0));
                changed.sort_by(|a, b| a.0.cmp(&b.0));
                prop_assert_eq!(changed, turned);
            }
            for entry in tracker.entries().map(|(_, entry)| entry) {
                let HealthCheckKind::Calculated(calculated) = &entry.check.kind else { continue };
                let healthy = |id: &&HealthCheckId| {
                    tracker.slot_of(id).is_none_or(|slot| tracker.status(slot) == Some(Status::Healthy))
                };
                let healthy = calculated.child_health_checks.iter().filter(healthy).count();
                let expected = healthy >= usize::from(calculated.health_threshold);
                prop_assert_eq!(entry.source.status() == Status::Healthy, expected);
            }
            let used = tracker.slots.all();
            for (slot, entry) in (0..).map(CheckSlot).zip(tracker.entries.iter()) {
                let healthy = entry.as_ref().is_none_or(|entry| entry.final_status() == Status::Healthy);
                prop_assert_eq!(tracker.bits.is_healthy(slot), healthy);
                prop_assert_eq!(entry.is_none(), !used.contains(&slot));
            }
            let pending = tracker.entries().map(|(_, entry)| entry).filter(|entry| entry.is_pending()).count();
            prop_assert_eq!(tracker.pending(), pending);
            let is_probed = |entry: &&Entry| {
                !entry.check.disabled && matches!(entry.check.kind, HealthCheckKind::Endpoint(_))
            };
            let enabled = tracker.entries().map(|(_, entry)| entry).filter(is_probed).count();
            prop_assert_eq!(tracker.probes().len(), enabled);
        }
    }
}

// --- several nodes ------------------------------------------------------------------------------

/// Other nodes that say this about the checks of a tracker.
fn others(tracker: &Tracker, opinions: &[Status]) -> OtherNodes {
    let checks = Arc::new(tracker.check_list());
    let mut others = OtherNodes::default();
    for (number, status) in opinions.iter().enumerate() {
        let opinion = Opinion { status: *status, text: "".into(), age_s: 0 };
        let opinions = NodeOpinions::new(T0, false, Arc::clone(&checks), |_| Some(opinion.clone()));
        others.hear(&number.to_string().into(), opinions.into(), &|check| tracker.slot_asking(check));
    }
    others
}

/// Lets the nodes decide on all checks.
fn agree(tracker: &mut Tracker, opinions: &[Status], agreement: Agreement, is_isolated: bool) -> Vec<Transition> {
    let others = others(tracker, opinions);
    let terms = Terms { others: &others, agreement, is_isolated };
    tracker.agree(tracker.slots().all(), &terms, T0)
}

#[test]
fn nodes_decide_together() {
    use Status::{Healthy, Unhealthy};
    let site = calculated("site", &["a"], 1);
    let mut tracker = tracker(&[check("a"), site]);
    assert_eq!(agree(&mut tracker, &[], Agreement::All, false), [], "nobody has an opinion");
    let of_others = agree(&mut tracker, &[Unhealthy, Healthy], Agreement::All, false);
    assert_eq!(changes(&of_others), [("a", Unhealthy), ("site", Unhealthy)], "this node is pending");
    assert_eq!(of_others[0].cause.to_string(), "1 of 2 nodes consider it healthy, 2 must");
    assert_eq!(observe(&mut tracker, "a", Pass), None, "its own result is an opinion among others");
    assert_eq!(agree(&mut tracker, &[Unhealthy, Healthy], Agreement::All, false), []);
    let majority = agree(&mut tracker, &[Unhealthy, Healthy], Agreement::Majority, false);
    assert_eq!(changes(&majority), [("a", Healthy), ("site", Healthy)]);
    assert_eq!(tracker.view(slot(&tracker, "a")).unwrap().observed, Healthy);
    let alone = agree(&mut tracker, &[], Agreement::AtLeast(3), false);
    assert_eq!(alone, [], "its own opinion is healthy");
}

#[test]
fn a_check_can_have_a_rule_of_its_own() {
    let mut tracker = tracker(&[HealthCheck { agreement: Some(Agreement::All), ..check("a") }, check("b")]);
    let changed = agree(&mut tracker, &[Status::Unhealthy, Status::Healthy], Agreement::default(), false);
    assert_eq!(changes(&changed), [("a", Status::Unhealthy)]);
}

#[test]
fn an_isolated_node_follows_others_or_keeps_the_last_agreed_status() {
    use Status::{Healthy, Unhealthy};
    let mut tracker = tracker(&[check("a")]);
    let a = slot(&tracker, "a");
    observe(&mut tracker, "a", Pass);
    assert_eq!(agree(&mut tracker, &[Unhealthy], Agreement::Any, false), []);
    assert_eq!(changes(&agree(&mut tracker, &[Unhealthy], Agreement::Any, true)), [("a", Unhealthy)]);
    assert_eq!(agree(&mut tracker, &[], Agreement::Any, true), []);
    tracker.reset_streaks(&|_| false);
    assert_eq!((tracker.opinion(a), tracker.own_status(a)), (None, Some(Healthy)));
    assert_eq!(agree(&mut tracker, &[], Agreement::Any, false), [], "what it knew before is no opinion");
    observe(&mut tracker, "a", Fail);
    assert_eq!(tracker.opinion(a), None);
    observe(&mut tracker, "a", Pass);
    assert_eq!(changes(&agree(&mut tracker, &[], Agreement::Any, false)), [("a", Healthy)]);
}

#[test]
fn overrides_inversion_and_disabling_come_after_the_agreement() {
    use Status::{Healthy, Unhealthy};
    let inverted = HealthCheck { inverted: true, ..check("b") };
    let disabled = HealthCheck { disabled: true, ..check("c") };
    let mut tracker = tracker(&[check("a"), inverted.clone(), disabled]);
    tracker.apply_overrides(&|name| (name == "a").then_some(Healthy), T0);
    assert_eq!(changes(&agree(&mut tracker, &[Unhealthy], Agreement::Any, false)), [("b", Healthy)]);
    assert_eq!(tracker.check_list().checks().len(), 2, "nobody probes a disabled check");
    let ended = tracker.apply_overrides(&|_| None, T0);
    assert_eq!(changes(&ended), [("a", Unhealthy)]);
    let applied = tracker.apply(&[check("a"), HealthCheck { disabled: true, ..inverted }], T0);
    assert_eq!(changes(&applied.transitions), [("b", Unhealthy)]);
}

#[test]
fn another_endpoint_keeps_the_status_until_somebody_has_seen_it() {
    use Status::{Healthy, Unhealthy};
    let mut tracker = tracker(&[check("a")]);
    let before = others(&tracker, &[Unhealthy]);
    agree(&mut tracker, &[Unhealthy], Agreement::Any, false);
    let moved = changed(check("a"), |endpoint| endpoint.port = 81);
    assert_eq!(tracker.apply(&[moved], T0).transitions, []);
    assert!(!tracker.bits().is_healthy(slot(&tracker, "a")));
    let mut stale = before.clone();
    stale.resolve(&|check| tracker.slot_asking(check));
    assert_eq!(stale.checkers(slot(&tracker, "a")).reporting, 0, "they asked another endpoint");
    assert_eq!(changes(&agree(&mut tracker, &[Healthy], Agreement::Any, false)), [("a", Healthy)]);
}
