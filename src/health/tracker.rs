//! All checks: which slot each has, what each says, and what is to be probed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::model::{EndpointCheck, HealthCheck, HealthCheckId, HealthCheckKind};

use super::{
    Cause, CheckBits, CheckSlot, Checkers, Generation, Machine, MachineState, Moment, Observation, Status, Thresholds,
    verdict,
};

/// A memory younger than so many request intervals has missed no result: with one, the server was away for less than the
/// pause between two probes, and the other is for the probe itself and for starting.
const FRESH_INTERVALS: u32 = 2;

/// All checks of the configuration and their states.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    /// By slot; `None` is free and stands in `free`.
    entries: Vec<Option<Entry>>,
    free: Vec<CheckSlot>,
    slots: HashMap<HealthCheckId, CheckSlot>,
    bits: CheckBits,
    /// Enabled checks without a first result.
    pending: usize,
    last_generation: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    check: HealthCheck,
    name: Arc<str>,
    endpoint: Arc<EndpointCheck>,
    generation: Generation,
    machine: Machine,
    /// What people say it is, whatever the machine says.
    forced: Option<Status>,
}

/// What a check asks, in short: equal for two checks whose results are each other's. Comparable across restarts; a new
/// version of the program may see a difference where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Question(pub u64);

/// What is remembered of a check from before a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recollection {
    /// What it asked.
    pub question: Question,
    /// What its machine said.
    pub state: MachineState,
    /// When that was last known to be so.
    pub as_of: Moment,
}

/// One check as it is now, for people.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Where its bit is.
    pub slot: CheckSlot,
    /// What the API calls it.
    pub id: HealthCheckId,
    /// What people call it.
    pub name: Arc<str>,
    /// What is asked.
    pub endpoint: Arc<EndpointCheck>,
    /// No longer probed.
    pub disabled: bool,
    /// Turned around.
    pub inverted: bool,
    /// The final verdict, overrides included.
    pub verdict: Status,
    /// What it would be without overrides.
    pub unforced: Status,
    /// What is believed of the endpoint itself.
    pub observed: Status,
    /// Since when that is believed.
    pub observed_since: Moment,
    /// Whether there was no result yet.
    pub waiting: bool,
    /// How many results in a row turn the endpoint's state.
    pub until_turn: u8,
}

/// A check whose final verdict changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Whose bit changed.
    pub slot: CheckSlot,
    /// The name people gave the check.
    pub name: Arc<str>,
    /// What it was.
    pub from: Status,
    /// What it is now.
    pub to: Status,
    /// When.
    pub at: Moment,
    /// Why.
    pub cause: Cause,
}

/// What a (re)load did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Checks that were not there before.
    pub added: Vec<CheckSlot>,
    /// Checks that ask something else than before, or were enabled or disabled: they start anew in their slot.
    pub restarted: Vec<CheckSlot>,
    /// Checks that are gone; their slots are free.
    pub removed: Vec<CheckSlot>,
    /// Checks that stayed and whose final verdict is another because the configuration is.
    pub transitions: Vec<Transition>,
}

/// What the prober has to do for one check.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbePlan {
    /// Goes back with every result.
    pub slot: CheckSlot,
    /// Goes back with every result; a result of an older one is not heard.
    pub generation: Generation,
    /// The id, which the endpoint sees in the User-Agent.
    pub id: HealthCheckId,
    /// The name people gave the check.
    pub name: Arc<str>,
    /// What is asked.
    pub check: Arc<EndpointCheck>,
}

impl Tracker {
    /// No checks.
    #[must_use]
    pub fn new() -> Tracker {
        Tracker::default()
    }

    /// Takes over the checks of a configuration. A check that asks what it asked before keeps its state, also under
    /// other thresholds or another interval; one that asks something else keeps its slot and its verdict until the
    /// first result, which decides. Ids are unique; of two checks with one id the first counts.
    pub fn apply(&mut self, checks: &[HealthCheck], at: Moment) -> Applied {
        let mut applied = Applied { removed: self.remove_all_but(checks), ..Applied::default() };
        let mut seen = HashSet::new();
        for check in checks.iter().filter(|check| seen.insert(&check.id)) {
            match self.slots.get(&check.id) {
                Some(&slot) => self.update(slot, check, at, &mut applied),
                None => applied.added.push(self.add(check, at)),
            }
        }
        self.pending = self.entries.iter().flatten().filter(|entry| entry.is_pending()).count();
        applied
    }

    /// Where a check's bit is. It stays there for as long as the check exists.
    #[must_use]
    pub fn slot_of(&self, id: &HealthCheckId) -> Option<CheckSlot> {
        self.slots.get(id).copied()
    }

    /// The final verdicts.
    #[must_use]
    pub fn bits(&self) -> CheckBits {
        self.bits.clone()
    }

    /// The final verdict of one check.
    #[must_use]
    pub fn status(&self, slot: CheckSlot) -> Option<Status> {
        self.entry(slot).map(Entry::verdict)
    }

    /// How many enabled checks have had no first result.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// What is to be probed: the enabled endpoint checks, in order of their slots.
    #[must_use]
    pub fn probes(&self) -> Vec<ProbePlan> {
        let slots = (0..).map(CheckSlot).zip(&self.entries);
        slots.filter_map(|(slot, entry)| entry.as_ref()?.plan(slot)).collect()
    }

    /// Takes one result of a probe into account. `Some` only when the final verdict changed. A result for a check that
    /// is gone, disabled or asks something else by now is not heard.
    pub fn observe(
        &mut self,
        slot: CheckSlot,
        generation: Generation,
        observation: Observation,
        at: Moment,
    ) -> Option<Transition> {
        let entry = self.entries.get_mut(slot.0 as usize)?.as_mut()?;
        if entry.generation != generation || entry.check.disabled {
            return None;
        }
        let from = entry.verdict();
        if entry.machine.is_waiting() {
            self.pending -= 1;
        }
        let turn = entry.machine.observe(observation, at)?;
        let to = entry.verdict();
        self.bits.set(slot, to);
        (from != to).then(|| Transition { slot, name: Arc::clone(&entry.name), from, to, at, cause: turn.cause })
    }

    /// Takes over what is remembered of a check, if it still asks the same. It counts at once and is not waited for.
    /// When so little time has passed that no result was missed, its row of results goes on; else the first one decides.
    pub fn recall(&mut self, slot: CheckSlot, memory: &Recollection, at: Moment) -> Option<Status> {
        let entry = self.entries.get_mut(slot.0 as usize)?.as_mut()?;
        if !entry.is_pending() || entry.question() != memory.question {
            return None;
        }
        let fresh = at.since(memory.as_of) <= entry.endpoint.request_interval * FRESH_INTERVALS;
        let contrary = memory.state.contrary.filter(|_| fresh);
        entry.machine = Machine::recalled(thresholds(&entry.endpoint), MachineState { contrary, ..memory.state });
        let verdict = entry.verdict();
        self.bits.set(slot, verdict);
        self.pending -= 1;
        Some(verdict)
    }

    /// Whether a result for this life of a slot counts.
    #[must_use]
    pub fn hears(&self, slot: CheckSlot, generation: Generation) -> bool {
        self.entry(slot).is_some_and(|entry| entry.generation == generation && !entry.check.disabled)
    }

    /// The slots of all checks.
    pub fn slots(&self) -> impl Iterator<Item = CheckSlot> {
        (0..).map(CheckSlot).zip(&self.entries).filter_map(|(slot, entry)| entry.is_some().then_some(slot))
    }

    /// What is to be remembered of a check.
    #[must_use]
    pub fn memory_of(&self, slot: CheckSlot) -> Option<(&HealthCheckId, Question, Option<MachineState>)> {
        let entry = self.entry(slot)?;
        let state = entry.machine.state().filter(|_| !entry.check.disabled);
        Some((&entry.check.id, entry.question(), state))
    }

    /// Lets people's word stand for what is seen: `forced` says of each check's name what it has to be. The verdicts that
    /// changed by that are returned.
    pub fn force(&mut self, forced: &dyn Fn(&str) -> Option<Status>, at: Moment) -> Vec<Transition> {
        let mut transitions = Vec::new();
        for (slot, entry) in (0..).map(CheckSlot).zip(&mut self.entries) {
            let Some(entry) = entry else { continue };
            let from = entry.verdict();
            entry.forced = forced(&entry.name);
            let to = entry.verdict();
            if from != to {
                self.bits.set(slot, to);
                let name = Arc::clone(&entry.name);
                transitions.push(Transition { slot, name, from, to, at, cause: Cause::Override });
            }
        }
        transitions
    }

    /// All checks as they are now, in order of their slots.
    pub fn pictures(&self) -> impl Iterator<Item = Picture> {
        let slots = (0..).map(CheckSlot).zip(&self.entries);
        slots.filter_map(|(slot, entry)| Some(entry.as_ref()?.picture(slot)))
    }

    /// The names of all checks, in order of their slots.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.entries.iter().flatten().map(|entry| &entry.name)
    }

    fn entry(&self, slot: CheckSlot) -> Option<&Entry> {
        self.entries.get(slot.0 as usize)?.as_ref()
    }

    fn remove_all_but(&mut self, checks: &[HealthCheck]) -> Vec<CheckSlot> {
        let wanted: HashSet<&HealthCheckId> = checks.iter().map(|check| &check.id).collect();
        let mut removed: Vec<CheckSlot> =
            self.slots.extract_if(|id, _| !wanted.contains(id)).map(|(_, slot)| slot).collect();
        removed.sort_unstable();
        for &slot in &removed {
            self.entries[slot.0 as usize] = None;
            self.bits.set(slot, Status::Healthy);
        }
        self.free.extend(&removed);
        removed
    }

    fn add(&mut self, check: &HealthCheck, at: Moment) -> CheckSlot {
        let entry = Entry::new(check, self.next_generation(), Status::Healthy, at);
        let slot = self.free.pop().unwrap_or_else(|| self.new_slot());
        self.slots.insert(check.id.clone(), slot);
        self.put(slot, entry);
        slot
    }

    fn new_slot(&mut self) -> CheckSlot {
        let slot = u32::try_from(self.entries.len()).expect("there is no memory for 2³² checks");
        self.entries.push(None);
        CheckSlot(slot)
    }

    fn update(&mut self, slot: CheckSlot, check: &HealthCheck, at: Moment, applied: &mut Applied) {
        let Some(old) = self.entries[slot.0 as usize].take() else {
            unreachable!("a slot in `slots` has its entry");
        };
        let from = old.verdict();
        let entry = if old.goes_on_as(check) {
            old.reconfigured(check)
        } else {
            applied.restarted.push(slot);
            let forced = old.forced;
            Entry { forced, ..Entry::new(check, self.next_generation(), old.endpoint_status(), at) }
        };
        let (to, name) = (entry.verdict(), Arc::clone(&entry.name));
        self.put(slot, entry);
        if from != to {
            applied.transitions.push(Transition { slot, name, from, to, at, cause: Cause::Configuration });
        }
    }

    fn put(&mut self, slot: CheckSlot, entry: Entry) {
        self.bits.set(slot, entry.verdict());
        self.entries[slot.0 as usize] = Some(entry);
    }

    /// One counter for all slots: no generation is ever given twice.
    fn next_generation(&mut self) -> Generation {
        self.last_generation += 1;
        Generation(self.last_generation)
    }
}

impl Entry {
    fn new(check: &HealthCheck, generation: Generation, status: Status, at: Moment) -> Entry {
        let HealthCheckKind::Endpoint(endpoint) = &check.kind;
        Entry {
            check: check.clone(),
            name: check.name.as_str().into(),
            endpoint: Arc::new(endpoint.clone()),
            generation,
            machine: Machine::new(thresholds(endpoint), status, at),
            forced: None,
        }
    }

    /// The same entry, state and generation under a changed configuration.
    fn reconfigured(self, check: &HealthCheck) -> Entry {
        if self.check == *check {
            return self;
        }
        let Entry { generation, mut machine, forced, .. } = self;
        let HealthCheckKind::Endpoint(endpoint) = &check.kind;
        machine.set_thresholds(thresholds(endpoint));
        let name = check.name.as_str().into();
        Entry { check: check.clone(), name, endpoint: Arc::new(endpoint.clone()), generation, machine, forced }
    }

    fn goes_on_as(&self, check: &HealthCheck) -> bool {
        let HealthCheckKind::Endpoint(endpoint) = &check.kind;
        self.check.disabled == check.disabled && asks_the_same(&self.endpoint, endpoint)
    }

    /// What counts: people's word, else what is seen.
    fn verdict(&self) -> Status {
        self.forced.unwrap_or_else(|| self.unforced())
    }

    /// One checker for now: this process.
    fn unforced(&self) -> Status {
        let healthy = u32::from(self.machine.status() == Status::Healthy);
        verdict(&self.check, Checkers { healthy, reporting: 1 })
    }

    /// What is believed of the endpoint, before inversion; a disabled check counts as healthy.
    fn endpoint_status(&self) -> Status {
        if self.check.disabled { Status::Healthy } else { self.machine.status() }
    }

    fn is_pending(&self) -> bool {
        !self.check.disabled && self.machine.is_waiting()
    }

    fn question(&self) -> Question {
        question(&self.endpoint)
    }

    fn picture(&self, slot: CheckSlot) -> Picture {
        Picture {
            slot,
            id: self.check.id.clone(),
            name: Arc::clone(&self.name),
            endpoint: Arc::clone(&self.endpoint),
            disabled: self.check.disabled,
            inverted: self.check.inverted,
            verdict: self.verdict(),
            unforced: self.unforced(),
            observed: self.machine.status(),
            observed_since: self.machine.since(),
            waiting: self.is_pending(),
            until_turn: self.machine.until_turn(),
        }
    }

    fn plan(&self, slot: CheckSlot) -> Option<ProbePlan> {
        (!self.check.disabled).then(|| ProbePlan {
            slot,
            generation: self.generation,
            id: self.check.id.clone(),
            name: Arc::clone(&self.name),
            check: Arc::clone(&self.endpoint),
        })
    }
}

fn thresholds(endpoint: &EndpointCheck) -> Thresholds {
    Thresholds { failure: endpoint.failure_threshold, recovery: endpoint.recovery_threshold }
}

/// Whether results of one are results of the other. How often and how strictly does not matter for that.
fn asks_the_same(one: &EndpointCheck, other: &EndpointCheck) -> bool {
    let EndpointCheck {
        protocol,
        target,
        port,
        request_interval: _,
        failure_threshold: _,
        recovery_threshold: _,
        measure_latency: _,
    } = one;
    *protocol == other.protocol && *target == other.target && *port == other.port
}

/// A number for what `asks_the_same` compares: FNV-1a of it as text.
fn question(check: &EndpointCheck) -> Question {
    let asked = format!("{:?} {:?} {}", check.protocol, check.target, check.port);
    let step = |hash: u64, octet: u8| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
    Question(asked.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{EndpointProtocol, EndpointTarget};
    use Observation::{Fail, Pass};

    const T0: Moment = Moment(Duration::ZERO);

    pub(in crate::health) fn check(name: &str) -> HealthCheck {
        HealthCheck {
            id: HealthCheckId(format!("id-of-{name}")),
            name: name.to_owned(),
            inverted: false,
            disabled: false,
            kind: HealthCheckKind::Endpoint(EndpointCheck {
                protocol: EndpointProtocol::Tcp,
                target: EndpointTarget::Domain(format!("{name}.lab.test")),
                port: 80,
                request_interval: Duration::from_secs(10),
                failure_threshold: 3,
                recovery_threshold: 3,
                measure_latency: false,
            }),
        }
    }

    fn changed(mut check: HealthCheck, change: impl FnOnce(&mut EndpointCheck)) -> HealthCheck {
        let HealthCheckKind::Endpoint(endpoint) = &mut check.kind;
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
        tracker.probes().into_iter().find(|plan| plan.slot == slot).unwrap().generation
    }

    fn observe(tracker: &mut Tracker, name: &str, observation: Observation) -> Option<Transition> {
        tracker.observe(slot(tracker, name), generation(tracker, name), observation, T0)
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
    fn three_results_in_a_row_turn_it_and_turn_it_back() {
        let mut tracker = tracker(&[check("a")]);
        let results = [Pass, Fail, Fail, Pass, Fail, Fail, Fail, Fail, Pass, Pass, Fail, Pass, Pass, Pass, Pass];
        let turns: Vec<(usize, Status)> = (0..)
            .zip(results)
            .filter_map(|(index, result)| Some((index, observe(&mut tracker, "a", result)?.to)))
            .collect();
        assert_eq!(turns, [(6, Status::Unhealthy), (13, Status::Healthy)]);
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
    fn a_disabled_check_is_not_probed_and_hears_nothing() {
        let mut tracker = tracker(&[check("a")]);
        let (a, old) = (slot(&tracker, "a"), generation(&tracker, "a"));
        observe(&mut tracker, "a", Fail);
        let applied = tracker.apply(&[HealthCheck { disabled: true, ..check("a") }], T0);
        assert_eq!(applied.transitions[0].cause, Cause::Configuration);
        assert_eq!(applied.transitions[0].to, Status::Healthy);
        assert_eq!((tracker.probes(), tracker.pending()), (vec![], 0));
        assert_eq!(tracker.observe(a, old, Fail, T0), None);
        // Disabled and inverted: the documented way to force traffic off.
        tracker.apply(&[HealthCheck { disabled: true, inverted: true, ..check("a") }], T0);
        assert!(!tracker.bits().is_healthy(a));
        // Enabled again it asks anew; what it believed before it was disabled is too old to count.
        tracker.apply(&[check("a")], T0);
        assert!(tracker.bits().is_healthy(a));
        assert_eq!((tracker.probes().len(), tracker.pending()), (1, 1));
        assert_eq!(tracker.observe(a, old, Fail, T0), None);
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
        let plan = tracker.probes().remove(0);
        assert_eq!((plan.generation, &*plan.name, plan.check.request_interval.as_secs()), (generation, "z", 30));
        assert_eq!(tracker.pending(), 0);
        assert_eq!(tracker.observe(a, generation, Fail, T0).unwrap().cause, Cause::Failures(2));
    }

    #[test]
    fn another_endpoint_keeps_slot_and_verdict_until_its_first_result() {
        let mut tracker = tracker(&[check("a")]);
        let (a, old) = (slot(&tracker, "a"), generation(&tracker, "a"));
        observe(&mut tracker, "a", Fail);
        let applied = tracker.apply(&[changed(check("a"), |endpoint| endpoint.port = 81)], T0);
        assert_eq!(applied, Applied { restarted: vec![a], ..Applied::default() });
        assert_eq!((slot(&tracker, "a"), tracker.pending()), (a, 1));
        assert_ne!(generation(&tracker, "a"), old);
        assert!(!tracker.bits().is_healthy(a));
        assert_eq!(tracker.observe(a, old, Pass, T0), None);
        assert_eq!(observe(&mut tracker, "a", Pass).unwrap().cause, Cause::FirstResult);
        assert!(tracker.bits().is_healthy(a));
    }

    #[test]
    fn a_reused_slot_does_not_hear_its_predecessor() {
        let mut tracker = tracker(&[check("a"), check("b")]);
        let (a, old) = (slot(&tracker, "a"), generation(&tracker, "a"));
        observe(&mut tracker, "a", Fail);
        let applied = tracker.apply(&[check("b"), check("c")], T0);
        assert_eq!((applied.removed, applied.added), (vec![a], vec![a]));
        assert_eq!((slot(&tracker, "c"), slot(&tracker, "b")), (a, CheckSlot(1)));
        assert!(tracker.bits().is_healthy(a));
        assert_eq!(tracker.observe(a, old, Fail, T0), None);
        assert_eq!(tracker.pending(), 2);
        assert!(tracker.bits().is_healthy(a));
    }

    fn recollection(tracker: &Tracker, name: &str, status: Status, contrary: u8) -> Recollection {
        let (_, question, _) = tracker.memory_of(slot(tracker, name)).unwrap();
        Recollection { question, state: MachineState { status, contrary: Some(contrary), since: T0 }, as_of: T0 }
    }

    #[test]
    fn what_is_remembered_counts_at_once_and_is_not_waited_for() {
        let mut tracker = tracker(&[check("a"), check("b")]);
        let a = slot(&tracker, "a");
        let memory = recollection(&tracker, "a", Status::Unhealthy, 0);
        // Two intervals of 10 s later the row of passes begins; three are needed.
        assert_eq!(tracker.recall(a, &memory, Moment(Duration::from_secs(20))), Some(Status::Unhealthy));
        assert_eq!(tracker.pending(), 1);
        assert!(!tracker.bits().is_healthy(a));
        for _ in 0..2 {
            assert_eq!(observe(&mut tracker, "a", Pass), None);
        }
        assert_eq!(observe(&mut tracker, "a", Pass).unwrap().cause, Cause::Passes(3));
        assert_eq!(tracker.pending(), 1);
    }

    #[test]
    fn an_old_memory_is_corrected_by_the_first_result() {
        let mut tracker = tracker(&[check("a")]);
        let a = slot(&tracker, "a");
        let memory = recollection(&tracker, "a", Status::Unhealthy, 2);
        tracker.recall(a, &memory, Moment(Duration::from_secs(21)));
        assert!(!tracker.bits().is_healthy(a));
        assert_eq!(observe(&mut tracker, "a", Pass).unwrap().cause, Cause::FirstResult);
        assert!(tracker.bits().is_healthy(a));
    }

    #[test]
    fn what_was_remembered_of_another_endpoint_is_not_believed() {
        let mut tracker = tracker(&[check("a")]);
        let memory = recollection(&tracker, "a", Status::Unhealthy, 0);
        tracker.apply(&[changed(check("a"), |endpoint| endpoint.port = 81)], T0);
        let a = slot(&tracker, "a");
        assert_eq!(tracker.recall(a, &memory, T0), None);
        assert_eq!(tracker.pending(), 1);
        // Nor is it, once there was a result.
        let memory = recollection(&tracker, "a", Status::Unhealthy, 0);
        observe(&mut tracker, "a", Pass);
        assert_eq!(tracker.recall(a, &memory, T0), None);
        assert!(tracker.bits().is_healthy(a));
    }

    #[test]
    fn what_people_say_stands_for_what_is_seen_until_they_take_it_back() {
        let mut tracker = tracker(&[check("a"), HealthCheck { inverted: true, ..check("b") }]);
        let (a, b) = (slot(&tracker, "a"), slot(&tracker, "b"));
        let down = |name: &str| (name == "a").then_some(Status::Unhealthy);
        let transitions = tracker.force(&down, T0);
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
        assert_eq!(tracker.force(&|_| None, T0)[0].to, Status::Healthy);
        assert!(tracker.bits().is_healthy(a) && tracker.bits().is_healthy(b));
        // The word is final: after inversion, and of a disabled check too.
        tracker.apply(&[HealthCheck { disabled: true, inverted: true, ..check("a") }], T0);
        assert!(!tracker.bits().is_healthy(a));
        tracker.force(&|_| Some(Status::Healthy), T0);
        assert!(tracker.bits().is_healthy(a));
    }

    #[test]
    fn of_two_checks_with_one_id_the_first_counts() {
        let twin = HealthCheck { inverted: true, ..check("a") };
        let tracker = tracker(&[check("a"), twin]);
        assert_eq!(tracker.probes().len(), 1);
        assert!(tracker.bits().is_healthy(slot(&tracker, "a")));
    }

    /// Inverted, disabled, port: enough to move a check through every change of configuration.
    fn any_check() -> impl Strategy<Value = HealthCheck> {
        (0..6u8, any::<bool>(), any::<bool>(), 80..83u16).prop_map(|(name, inverted, disabled, port)| {
            let check = HealthCheck { inverted, disabled, ..check(&name.to_string()) };
            changed(check, |endpoint| endpoint.port = port)
        })
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
                tracker.apply(&checks, T0);
                for (slot, generation, pass) in results {
                    let before = tracker.status(CheckSlot(slot));
                    let observation = if pass { Pass } else { Fail };
                    let transition = tracker.observe(CheckSlot(slot), Generation(generation), observation, T0);
                    let after = tracker.status(CheckSlot(slot));
                    prop_assert_eq!(transition.is_some(), before != after);
                }
                for (slot, entry) in (0..).map(CheckSlot).zip(&tracker.entries) {
                    let healthy = entry.as_ref().is_none_or(|entry| entry.verdict() == Status::Healthy);
                    prop_assert_eq!(tracker.bits.is_healthy(slot), healthy);
                    prop_assert_eq!(entry.is_none(), tracker.free.contains(&slot));
                }
                let pending = tracker.entries.iter().flatten().filter(|entry| entry.is_pending()).count();
                prop_assert_eq!(tracker.pending(), pending);
                prop_assert_eq!(tracker.slots.len() + tracker.free.len(), tracker.entries.len());
                let enabled = tracker.entries.iter().flatten().filter(|entry| !entry.check.disabled).count();
                prop_assert_eq!(tracker.probes().len(), enabled);
            }
        }
    }
}
