//! All checks: the slot of each, its state, and the probes to run.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{EndpointCheck, HealthCheck, HealthCheckId, HealthCheckKind, MetricCheck, RoutingControlState};

use super::asked::AskedInFull;
use super::calculated::Family;
use super::{
    Cause, CheckBits, CheckSlot, CheckState, Checkers, Children, Generation, MetricCheckState, Observation,
    SavedCheckState, Status, Thresholds, Timestamp, aggregate, verdict,
};

/// A saved state is fresh up to this number of request intervals: then no result was missed. One
/// interval is the pause between two probes; the other allows for the probe itself and for starting
/// the server.
const FRESH_INTERVALS: u32 = 2;

/// All checks of the configuration and their states.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    /// By slot; `None` is a free slot, which is listed in `free`.
    entries: Vec<Option<Entry>>,
    free: Vec<CheckSlot>,
    slots: HashMap<HealthCheckId, CheckSlot>,
    bits: CheckBits,
    /// The calculated checks that count each check.
    parents: HashMap<CheckSlot, Vec<CheckSlot>>,
    /// Enabled checks without a first result.
    pending: usize,
    last_generation: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    check: HealthCheck,
    name: Arc<str>,
    generation: Generation,
    identity: Arc<Identity>,
    source: Source,
    /// The status that an override sets; it takes precedence over `source`.
    forced: Option<Status>,
}

/// Where a check's status comes from, and the current status.
#[derive(Clone, Debug)]
enum Source {
    Endpoint { endpoint: Arc<EndpointCheck>, check_state: CheckState },
    Calculated { family: Family, children: Children, status: Status, since: Timestamp },
    Metric { check: Arc<MetricCheck>, check_state: MetricCheckState },
    Manual { status: Status, since: Timestamp },
}

/// A hash of what a check asks: equal for two checks if the results of one are valid for the other.
/// Comparable across restarts. A new version of the program may see a difference where there is
/// none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Question(pub u64);

/// Which check, and what it asks: the key of its saved state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The id, as in the API.
    pub id: HealthCheckId,
    /// The hash of what it asks.
    pub question: Question,
}

/// The saved state of a check from before a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoredCheck {
    /// The hash of what it asked.
    pub question: Question,
    /// Its state.
    pub state: SavedCheckState,
    /// The last time at which this state was known to be current.
    pub as_of: Timestamp,
}

/// One check as it is now, for display.
#[derive(Clone, Debug)]
pub struct CheckView {
    /// The index of its bit.
    pub slot: CheckSlot,
    /// The id and what the check asks.
    pub identity: Arc<Identity>,
    /// The name in the configuration.
    pub name: Arc<str>,
    /// What is asked.
    pub asks: CheckTarget,
    /// Not probed.
    pub disabled: bool,
    /// The verdict is the opposite of the status.
    pub inverted: bool,
    /// The final verdict, overrides included.
    pub verdict: Status,
    /// The verdict without overrides.
    pub unforced: Status,
    /// The status before inversion.
    pub observed: Status,
    /// When that status last changed.
    pub observed_since: Timestamp,
    /// Whether there is no first result yet.
    pub waiting: bool,
    /// How many more opposing results in a row change the status; `None` for checks without
    /// results.
    pub results_until_change: Option<u8>,
}

/// What a check asks.
#[derive(Clone, Debug)]
pub enum CheckTarget {
    /// An endpoint.
    Endpoint(Arc<EndpointCheck>),
    /// A Prometheus.
    Metric(Arc<MetricCheck>),
    /// Other checks, with the last count.
    Children(Children),
    /// Nothing: an operator sets the status.
    People,
}

/// A change of a check's final verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The check.
    pub slot: CheckSlot,
    /// The name in the configuration.
    pub name: Arc<str>,
    /// The status before.
    pub from: Status,
    /// The status after.
    pub to: Status,
    /// When it changed.
    pub at: Timestamp,
    /// The cause.
    pub cause: Cause,
}

/// The effects of a (re)load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// New checks.
    pub added: Vec<CheckSlot>,
    /// Checks that ask something else than before, or were enabled or disabled. They start over in
    /// their slot.
    pub restarted: Vec<CheckSlot>,
    /// Checks that were removed; their slots are free.
    pub removed: Vec<CheckSlot>,
    /// Checks that stayed and whose final verdict changed because the configuration did.
    pub transitions: Vec<Transition>,
}

/// What the prober needs to probe one check.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbePlan {
    /// Returned with every result.
    pub slot: CheckSlot,
    /// Returned with every result; a result with an older generation is ignored.
    pub generation: Generation,
    /// The id, which the endpoint sees in the User-Agent.
    pub id: HealthCheckId,
    /// The name in the configuration.
    pub name: Arc<str>,
    /// What to probe.
    pub check: Arc<EndpointCheck>,
}

/// What has to be evaluated for one metric check.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricPlan {
    /// Returned with every result.
    pub slot: CheckSlot,
    /// Returned with every result; a result with an older generation is ignored.
    pub generation: Generation,
    /// The id, which the Prometheus sees in the User-Agent.
    pub id: HealthCheckId,
    /// The name in the configuration.
    pub name: Arc<str>,
    /// What to evaluate.
    pub check: Arc<MetricCheck>,
}

impl Tracker {
    /// A tracker without checks.
    #[must_use]
    pub fn new() -> Tracker {
        Tracker::default()
    }

    /// Takes over the checks of a configuration. A check that asks the same as before keeps its
    /// state, also under other thresholds or another interval. A check that asks something else
    /// keeps its slot and its verdict until the first result, which decides. Ids are unique; of two
    /// checks with one id the first counts.
    pub fn apply(&mut self, checks: &[HealthCheck], at: Timestamp) -> Applied {
        let before = self.bits.clone();
        let mut applied = Applied { removed: self.remove_all_but(checks), ..Applied::default() };
        let mut seen = HashSet::new();
        for check in checks.iter().filter(|check| seen.insert(&check.id)) {
            match self.slots.get(&check.id) {
                Some(&slot) => self.update(slot, check, at, &mut applied),
                None => applied.added.push(self.add(check, at)),
            }
        }
        self.calculate_all(&before, at, &mut applied);
        self.pending = self.entries.iter().flatten().filter(|entry| entry.is_pending()).count();
        applied
    }

    /// The index of a check's bit. It stays the same for as long as the check exists.
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

    /// The verdict of one check without overrides.
    #[must_use]
    pub fn unforced(&self, slot: CheckSlot) -> Option<Status> {
        self.entry(slot).map(Entry::unforced)
    }

    /// Whether a check has no first result yet.
    #[must_use]
    pub fn is_waiting(&self, slot: CheckSlot) -> bool {
        self.entry(slot).is_some_and(Entry::is_pending)
    }

    /// How many enabled checks have no first result yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// The probes to run: the enabled endpoint checks, in order of their slots.
    #[must_use]
    pub fn probes(&self) -> Vec<ProbePlan> {
        let slots = (0..).map(CheckSlot).zip(&self.entries);
        slots.filter_map(|(slot, entry)| entry.as_ref()?.plan(slot)).collect()
    }

    /// The metrics to evaluate: the enabled metric checks, in order of their slots.
    #[must_use]
    pub fn metrics(&self) -> Vec<MetricPlan> {
        let slots = (0..).map(CheckSlot).zip(&self.entries);
        slots.filter_map(|(slot, entry)| entry.as_ref()?.metric_plan(slot)).collect()
    }

    /// Counts one result and returns the changes of final verdicts: usually none, otherwise that of
    /// this check followed by those of the calculated checks that count it, in the same step. A
    /// result is ignored if its check is removed, disabled, or asks something else by now.
    pub fn observe(
        &mut self,
        slot: CheckSlot,
        generation: Generation,
        observation: Observation,
        at: Timestamp,
    ) -> Vec<Transition> {
        let Some(transition) = self.observe_one(slot, generation, observation, at) else { return Vec::new() };
        let parents = self.parents.get(&slot).cloned().unwrap_or_default();
        let calculated = parents.into_iter().filter_map(|parent| self.calculate(parent, at));
        std::iter::once(transition).chain(calculated).collect()
    }

    fn observe_one(
        &mut self,
        slot: CheckSlot,
        generation: Generation,
        observation: Observation,
        at: Timestamp,
    ) -> Option<Transition> {
        let entry = self.entries.get_mut(slot.0 as usize)?.as_mut()?;
        if entry.generation != generation || entry.check.disabled {
            return None;
        }
        let from = entry.verdict();
        let was_pending = entry.is_pending();
        let change = match &mut entry.source {
            Source::Endpoint { check_state, .. } => check_state.observe(observation, at),
            Source::Metric { check_state, .. } => check_state.observe(observation, at),
            Source::Calculated { .. } | Source::Manual { .. } => None,
        };
        if was_pending && !entry.is_pending() {
            self.pending -= 1;
        }
        let change = change?;
        let to = entry.verdict();
        self.bits.set(slot, to);
        (from != to).then(|| Transition { slot, name: Arc::clone(&entry.name), from, to, at, cause: change.cause })
    }

    /// Resolves the children of all calculated checks and counts them. Runs after the other checks
    /// are updated, since those are the children.
    fn calculate_all(&mut self, before: &CheckBits, at: Timestamp, applied: &mut Applied) {
        self.parents.clear();
        let mut calculated = Vec::new();
        for (slot, entry) in (0..).map(CheckSlot).zip(&mut self.entries) {
            let Some(Entry { check, source: Source::Calculated { family, .. }, .. }) = entry else { continue };
            let HealthCheckKind::Calculated(check) = &check.kind else { unreachable!("the source follows the kind") };
            *family = Family::of(check, &self.slots);
            for child in family.children() {
                self.parents.entry(child).or_default().push(slot);
            }
            calculated.push(slot);
        }
        let added: HashSet<CheckSlot> = applied.added.iter().copied().collect();
        for slot in calculated {
            let cause = self.calculate(slot, at).map_or(Cause::Configuration, |counted| counted.cause);
            let from = if before.is_healthy(slot) { Status::Healthy } else { Status::Unhealthy };
            let Some(entry) = self.entry(slot) else { continue };
            let (to, name) = (entry.verdict(), Arc::clone(&entry.name));
            if from != to && !added.contains(&slot) {
                applied.transitions.push(Transition { slot, name, from, to, at, cause });
            }
        }
    }

    /// Counts the children of one calculated check.
    fn calculate(&mut self, slot: CheckSlot, at: Timestamp) -> Option<Transition> {
        let entry = self.entries.get_mut(slot.0 as usize)?.as_mut()?;
        let from = entry.verdict();
        let Source::Calculated { family, children, status, since } = &mut entry.source else { return None };
        *children = family.count(&self.bits);
        let cause = Cause::Children(*children);
        set_status(status, since, children.status(), at);
        let to = entry.verdict();
        self.bits.set(slot, to);
        (from != to).then(|| Transition { slot, name: Arc::clone(&entry.name), from, to, at, cause })
    }

    /// Restores the saved state of a check, if it still asks the same. The state counts at once,
    /// and the check no longer waits for a first result. If no result was missed, its streak
    /// continues; otherwise the first result decides.
    pub fn restore(&mut self, slot: CheckSlot, saved: &RestoredCheck, at: Timestamp) -> Option<Status> {
        let entry = self.entries.get_mut(slot.0 as usize)?.as_mut()?;
        if !entry.is_pending() || entry.identity.question != saved.question {
            return None;
        }
        entry.source.restore(saved, at);
        let verdict = entry.verdict();
        self.bits.set(slot, verdict);
        self.pending -= 1;
        for parent in self.parents.get(&slot).cloned().unwrap_or_default() {
            self.calculate(parent, at);
        }
        Some(verdict)
    }

    /// Whether a result with this slot and generation counts.
    #[must_use]
    pub fn accepts(&self, slot: CheckSlot, generation: Generation) -> bool {
        self.entry(slot).is_some_and(|entry| entry.generation == generation && !entry.check.disabled)
    }

    /// The slots of all checks.
    pub fn slots(&self) -> impl Iterator<Item = CheckSlot> {
        (0..).map(CheckSlot).zip(&self.entries).filter_map(|(slot, entry)| entry.is_some().then_some(slot))
    }

    /// The state of a check to save.
    #[must_use]
    pub fn saved_state_of(&self, slot: CheckSlot) -> Option<(&Arc<Identity>, Option<SavedCheckState>)> {
        let entry = self.entry(slot)?;
        let state = entry.source.state().filter(|_| !entry.check.disabled);
        Some((&entry.identity, state))
    }

    /// The status that an override sets for a check, if any.
    pub fn forced(&self, slot: CheckSlot) -> Option<Status> {
        self.entry(slot)?.forced
    }

    /// Applies overrides: `forced` maps a check's name to the status it is set to. Returns the
    /// changes of final verdicts, including those of calculated checks whose children changed.
    pub fn force(&mut self, forced: &dyn Fn(&str) -> Option<Status>, at: Timestamp) -> Vec<Transition> {
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
        let parents_of_changed = transitions.iter().filter_map(|transition| self.parents.get(&transition.slot));
        let parents: BTreeSet<CheckSlot> = parents_of_changed.flatten().copied().collect();
        transitions.extend(parents.into_iter().filter_map(|parent| self.calculate(parent, at)));
        transitions
    }

    /// Discards the streaks of opposing results of all checks except the `spared` ones.
    pub fn reset_streaks(&mut self, spared: &dyn Fn(CheckSlot) -> bool) {
        for (slot, entry) in (0..).map(CheckSlot).zip(&mut self.entries) {
            if let Some(entry) = entry.as_mut().filter(|_| !spared(slot)) {
                entry.source.reset_streak();
            }
        }
    }

    /// The checks as they are now, in order of their slots, starting at `from`.
    pub fn pictures(&self, from: CheckSlot) -> impl Iterator<Item = CheckView> {
        let slots = (0..).map(CheckSlot).zip(&self.entries).skip(from.0 as usize);
        slots.filter_map(|(slot, entry)| Some(entry.as_ref()?.picture(slot)))
    }

    /// The names of all checks, in order of their slots.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.named().map(|(_, name)| name)
    }

    /// The names of all checks with their slots.
    pub fn named(&self) -> impl Iterator<Item = (CheckSlot, &Arc<str>)> {
        (0..).map(CheckSlot).zip(&self.entries).filter_map(|(slot, entry)| Some((slot, &entry.as_ref()?.name)))
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

    fn add(&mut self, check: &HealthCheck, at: Timestamp) -> CheckSlot {
        let entry = Entry::new(check, self.next_generation(), None, at);
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

    fn update(&mut self, slot: CheckSlot, check: &HealthCheck, at: Timestamp, applied: &mut Applied) {
        let Some(old) = self.entries[slot.0 as usize].take() else {
            unreachable!("a slot in `slots` has its entry");
        };
        let from = old.verdict();
        let entry = if old.goes_on_as(check) {
            old.reconfigured(check, at)
        } else {
            applied.restarted.push(slot);
            let forced = old.forced;
            Entry { forced, ..Entry::new(check, self.next_generation(), Some(old.believed()), at) }
        };
        let (to, name) = (entry.verdict(), Arc::clone(&entry.name));
        let is_final = !matches!(entry.source, Source::Calculated { .. });
        self.put(slot, entry);
        if from != to && is_final {
            applied.transitions.push(Transition { slot, name, from, to, at, cause: Cause::Configuration });
        }
    }

    fn put(&mut self, slot: CheckSlot, entry: Entry) {
        self.bits.set(slot, entry.verdict());
        self.entries[slot.0 as usize] = Some(entry);
    }

    /// One counter for all slots: a generation is never reused.
    fn next_generation(&mut self) -> Generation {
        self.last_generation += 1;
        Generation(self.last_generation)
    }
}

impl Entry {
    /// `before` is the status of the check that this one replaces; a new check has none.
    fn new(check: &HealthCheck, generation: Generation, before: Option<Status>, at: Timestamp) -> Entry {
        let source = Source::new(&check.kind, before, at);
        let identity = Arc::new(Identity { id: check.id.clone(), question: question(&source) });
        let name = check.name.as_str().into();
        Entry { check: check.clone(), name, generation, identity, source, forced: None }
    }

    /// The same entry with its state and generation, under a changed configuration.
    fn reconfigured(mut self, check: &HealthCheck, at: Timestamp) -> Entry {
        if self.check == *check {
            return self;
        }
        self.source.reconfigure(&check.kind, at);
        Entry { check: check.clone(), name: check.name.as_str().into(), ..self }
    }

    fn goes_on_as(&self, check: &HealthCheck) -> bool {
        self.check.disabled == check.disabled && self.source.asks_the_same(&check.kind)
    }

    /// The final verdict: the override, otherwise the status after `disabled` and `inverted`.
    fn verdict(&self) -> Status {
        self.forced.unwrap_or_else(|| self.unforced())
    }

    fn unforced(&self) -> Status {
        verdict(&self.check, self.source.status())
    }

    /// The status before inversion; a disabled check is healthy.
    fn believed(&self) -> Status {
        if self.check.disabled { Status::Healthy } else { self.source.status() }
    }

    fn is_pending(&self) -> bool {
        !self.check.disabled && self.source.is_waiting()
    }

    fn picture(&self, slot: CheckSlot) -> CheckView {
        CheckView {
            slot,
            identity: Arc::clone(&self.identity),
            name: Arc::clone(&self.name),
            asks: self.source.asks(),
            disabled: self.check.disabled,
            inverted: self.check.inverted,
            verdict: self.verdict(),
            unforced: self.unforced(),
            observed: self.source.status(),
            observed_since: self.source.since(),
            waiting: self.is_pending(),
            results_until_change: self.source.results_until_change(),
        }
    }

    fn plan(&self, slot: CheckSlot) -> Option<ProbePlan> {
        let Source::Endpoint { endpoint, .. } = &self.source else { return None };
        (!self.check.disabled).then(|| ProbePlan {
            slot,
            generation: self.generation,
            id: self.check.id.clone(),
            name: Arc::clone(&self.name),
            check: Arc::clone(endpoint),
        })
    }

    fn metric_plan(&self, slot: CheckSlot) -> Option<MetricPlan> {
        let Source::Metric { check, .. } = &self.source else { return None };
        (!self.check.disabled).then(|| MetricPlan {
            slot,
            generation: self.generation,
            id: self.check.id.clone(),
            name: Arc::clone(&self.name),
            check: Arc::clone(check),
        })
    }
}

impl Source {
    fn new(kind: &HealthCheckKind, before: Option<Status>, at: Timestamp) -> Source {
        let status = before.unwrap_or(Status::Healthy);
        match kind {
            HealthCheckKind::Endpoint(endpoint) => Source::Endpoint {
                endpoint: Arc::new(endpoint.clone()),
                check_state: CheckState::new(thresholds(endpoint), status, at),
            },
            // Children are resolved and counted after all checks are added.
            HealthCheckKind::Calculated(_) => {
                Source::Calculated { family: Family::default(), children: Children::default(), status, since: at }
            }
            HealthCheckKind::Metric(metric) => Source::Metric {
                check: Arc::new(metric.clone()),
                check_state: MetricCheckState::new(metric, before, at),
            },
            HealthCheckKind::Manual(state) => Source::Manual { status: status_of(*state), since: at },
        }
    }

    fn asks_the_same(&self, kind: &HealthCheckKind) -> bool {
        match (self, kind) {
            (Source::Endpoint { endpoint, .. }, HealthCheckKind::Endpoint(new)) => asks_the_same(endpoint, new),
            (Source::Metric { check, .. }, HealthCheckKind::Metric(new)) => compares_the_same(check, new),
            (Source::Calculated { .. }, HealthCheckKind::Calculated(_)) => true,
            (Source::Manual { .. }, HealthCheckKind::Manual(_)) => true,
            _ => false,
        }
    }

    /// Applies another configuration that asks the same.
    fn reconfigure(&mut self, kind: &HealthCheckKind, at: Timestamp) {
        match (self, kind) {
            (Source::Endpoint { endpoint, check_state }, HealthCheckKind::Endpoint(new)) => {
                check_state.set_thresholds(thresholds(new));
                *endpoint = Arc::new(new.clone());
            }
            (Source::Metric { check, check_state }, HealthCheckKind::Metric(new)) => {
                check_state.reconfigure(new);
                *check = Arc::new(new.clone());
            }
            (Source::Manual { status, since }, HealthCheckKind::Manual(state)) => {
                set_status(status, since, status_of(*state), at);
            }
            // Children are resolved at every load; other pairs do not keep their state.
            _ => {}
        }
    }

    /// Restores the saved state. If it is recent enough that no result was missed, its streak
    /// continues.
    fn restore(&mut self, saved: &RestoredCheck, at: Timestamp) {
        // If the clock was set back, the age of the saved state is unknown.
        let age_is_known = saved.as_of <= at;
        let fresh = |interval: Duration| age_is_known && at.since(saved.as_of) <= interval * FRESH_INTERVALS;
        let state = |interval| {
            let opposing = saved.state.opposing.filter(|_| fresh(interval));
            SavedCheckState { opposing, ..saved.state }
        };
        match self {
            Source::Endpoint { endpoint, check_state } => {
                *check_state = CheckState::restored(thresholds(endpoint), state(endpoint.request_interval));
            }
            Source::Metric { check, check_state } => {
                *check_state = MetricCheckState::restored(check, state(check.period));
            }
            // These are computed from other checks or read from the configuration.
            Source::Calculated { .. } | Source::Manual { .. } => {}
        }
    }

    /// The status before `disabled` and `inverted`.
    fn status(&self) -> Status {
        match self {
            Source::Endpoint { check_state, .. } => {
                // There is one checker for now: this process.
                let healthy = u32::from(check_state.status() == Status::Healthy);
                aggregate(Checkers { healthy, reporting: 1 })
            }
            Source::Metric { check_state, .. } => check_state.status(),
            Source::Calculated { status, .. } | Source::Manual { status, .. } => *status,
        }
    }

    fn since(&self) -> Timestamp {
        match self {
            Source::Endpoint { check_state, .. } => check_state.since(),
            Source::Metric { check_state, .. } => check_state.since(),
            Source::Calculated { since, .. } | Source::Manual { since, .. } => *since,
        }
    }

    fn is_waiting(&self) -> bool {
        match self {
            Source::Endpoint { check_state, .. } => check_state.is_waiting(),
            Source::Metric { check_state, .. } => check_state.is_waiting(),
            Source::Calculated { .. } | Source::Manual { .. } => false,
        }
    }

    fn results_until_change(&self) -> Option<u8> {
        match self {
            Source::Endpoint { check_state, .. } => Some(check_state.results_until_change()),
            Source::Metric { check_state, .. } => Some(check_state.results_until_change()),
            Source::Calculated { .. } | Source::Manual { .. } => None,
        }
    }

    fn reset_streak(&mut self) {
        match self {
            Source::Endpoint { check_state, .. } => check_state.reset_streak(),
            Source::Metric { check_state, .. } => check_state.reset_streak(),
            Source::Calculated { .. } | Source::Manual { .. } => {}
        }
    }

    /// The state to save.
    fn state(&self) -> Option<SavedCheckState> {
        match self {
            Source::Endpoint { check_state, .. } => check_state.state(),
            Source::Metric { check_state, .. } => check_state.state(),
            Source::Calculated { .. } | Source::Manual { .. } => None,
        }
    }

    fn asks(&self) -> CheckTarget {
        match self {
            Source::Endpoint { endpoint, .. } => CheckTarget::Endpoint(Arc::clone(endpoint)),
            Source::Metric { check, .. } => CheckTarget::Metric(Arc::clone(check)),
            Source::Calculated { children, .. } => CheckTarget::Children(*children),
            Source::Manual { .. } => CheckTarget::People,
        }
    }
}

/// Sets a status and, if it changed, the time of the change.
fn set_status(status: &mut Status, since: &mut Timestamp, new: Status, at: Timestamp) {
    if *status != new {
        (*status, *since) = (new, at);
    }
}

fn status_of(state: RoutingControlState) -> Status {
    match state {
        RoutingControlState::On => Status::Healthy,
        RoutingControlState::Off => Status::Unhealthy,
    }
}

fn thresholds(endpoint: &EndpointCheck) -> Thresholds {
    Thresholds { failure: endpoint.failure_threshold, recovery: endpoint.recovery_threshold }
}

/// Whether results of one are valid for the other.
fn compares_the_same(one: &MetricCheck, other: &MetricCheck) -> bool {
    let MetricCheck {
        prometheus,
        query,
        comparison,
        threshold,
        period: _,
        evaluation_periods: _,
        insufficient_data_health_status: _,
    } = one;
    *prometheus == other.prometheus
        && *query == other.query
        && *comparison == other.comparison
        && *threshold == other.threshold
}

/// Whether results of one are valid for the other. Intervals and thresholds do not matter for that.
fn asks_the_same(one: &EndpointCheck, other: &EndpointCheck) -> bool {
    let EndpointCheck {
        protocol,
        target,
        port,
        request_interval: _,
        failure_threshold: _,
        recovery_threshold: _,
        measure_latency: _,
        address_family,
        timeouts,
    } = one;
    *protocol == other.protocol
        && *target == other.target
        && *port == other.port
        && *address_family == other.address_family
        && *timeouts == other.timeouts
}

/// A hash of what `asks_the_same` and `compares_the_same` compare: FNV-1a of its text form. Checks
/// that probe nothing have no results to save.
fn question(source: &Source) -> Question {
    let asked = match source {
        Source::Endpoint { endpoint, .. } => {
            let EndpointCheck { protocol, target, port, address_family, timeouts, .. } = &**endpoint;
            format!("{:?} {target:?} {port} {address_family:?} {timeouts:?}", AskedInFull(protocol))
        }
        Source::Metric { check, .. } => {
            format!("{} {} {:?} {}", check.prometheus.reveal(), check.query, check.comparison, check.threshold)
        }
        Source::Calculated { .. } => "children".to_owned(),
        Source::Manual { .. } => "people".to_owned(),
    };
    let step = |hash: u64, octet: u8| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
    Question(asked.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::health::metric::tests::metric;
    use crate::model::{
        AddressFamily, CalculatedCheck, EndpointProtocol, EndpointTarget, InsufficientDataHealthStatus, Timeouts,
    };
    use Observation::{Fail, Pass};

    const T0: Timestamp = Timestamp(Duration::ZERO);

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
                address_family: AddressFamily::default(),
                timeouts: Timeouts::default(),
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
        tracker.probes().into_iter().find(|plan| plan.slot == slot).unwrap().generation
    }

    fn observe(tracker: &mut Tracker, name: &str, observation: Observation) -> Option<Transition> {
        observe_all(tracker, name, observation).into_iter().next()
    }

    fn observe_all(tracker: &mut Tracker, name: &str, observation: Observation) -> Vec<Transition> {
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
        assert_eq!(tracker.observe(a, old, Fail, T0), []);
        // Disabled and inverted: the documented way to force traffic off.
        tracker.apply(&[HealthCheck { disabled: true, inverted: true, ..check("a") }], T0);
        assert!(!tracker.bits().is_healthy(a));
        // Enabled again it asks anew; what it believed before it was disabled is too old to count.
        tracker.apply(&[check("a")], T0);
        assert!(tracker.bits().is_healthy(a));
        assert_eq!((tracker.probes().len(), tracker.pending()), (1, 1));
        assert_eq!(tracker.observe(a, old, Fail, T0), []);
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
        assert_eq!(tracker.observe(a, generation, Fail, T0)[0].cause, Cause::Failures(2));
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
        assert_eq!(tracker.observe(a, old, Pass, T0), []);
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
        assert_eq!(tracker.observe(a, old, Fail, T0), []);
        assert_eq!(tracker.pending(), 2);
        assert!(tracker.bits().is_healthy(a));
    }

    fn saved_check(tracker: &Tracker, name: &str, status: Status, opposing: u8) -> RestoredCheck {
        let (identity, _) = tracker.saved_state_of(slot(tracker, name)).unwrap();
        RestoredCheck {
            question: identity.question,
            state: SavedCheckState { status, opposing: Some(opposing), since: T0 },
            as_of: T0,
        }
    }

    #[test]
    fn what_is_remembered_counts_at_once_and_is_not_waited_for() {
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
        let saved = RestoredCheck {
            as_of: Timestamp(Duration::from_secs(1)),
            ..saved_check(&tracker, "a", Status::Unhealthy, 0)
        };
        tracker.restore(a, &saved, T0);
        assert_eq!(observe(&mut tracker, "a", Pass).unwrap().cause, Cause::FirstResult);
    }

    #[test]
    fn what_was_remembered_of_another_endpoint_is_not_believed() {
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
    fn an_override_replaces_the_verdict_until_it_is_cleared() {
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
    fn inversion_comes_after_counting_and_final_verdicts_are_counted() {
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
        let plan = tracker.metrics().remove(0);
        assert_eq!(tracker.observe(slot, plan.generation, Observation::Missing, T0), []);
        assert_eq!(tracker.pending(), 0);
        let transitions = tracker.observe(slot, plan.generation, Pass, T0);
        assert_eq!(changes(&transitions), [("errors", Status::Healthy), ("site", Status::Healthy)]);
        tracker.observe(slot, plan.generation, Fail, T0);
        assert_eq!(tracker.apply(&[metric(2, "errors")], T0).restarted, []);
        assert_eq!(tracker.observe(slot, plan.generation, Fail, T0)[0].cause, Cause::Failures(2));
        // Another query is another metric: the verdict stays until there is data.
        assert_eq!(tracker.apply(&[metric(2, "latency")], T0).restarted, [slot]);
        let generation = tracker.metrics()[0].generation;
        assert_eq!(tracker.observe(slot, plan.generation, Pass, T0), []);
        assert_eq!(changes(&tracker.observe(slot, generation, Pass, T0)), [("errors", Status::Healthy)]);
        assert_eq!(tracker.observe(slot, generation, Observation::Missing, T0), []);
        let transitions = tracker.observe(slot, generation, Observation::Missing, T0);
        assert_eq!(transitions[0].cause.to_string(), "no data 2 times in a row");
    }

    #[test]
    fn overrides_of_children_count_and_so_do_memories() {
        use Status::{Healthy, Unhealthy};
        let checks = [calculated("site", &["a", "b"], 2), check("a"), check("b")];
        let mut tracker = tracker(&checks);
        let down = |wanted: &'static str| move |name: &str| (name == wanted).then_some(Unhealthy);
        assert_eq!(changes(&tracker.force(&down("a"), T0)), [("a", Unhealthy), ("site", Unhealthy)]);
        assert_eq!(changes(&tracker.force(&|_| None, T0)), [("a", Healthy), ("site", Healthy)]);
        // A calculated check that is held itself does not follow its children, and counts them
        // again afterwards.
        assert_eq!(changes(&tracker.force(&|name| (name == "site").then_some(Healthy), T0)), []);
        assert_eq!(changes(&observe_all(&mut tracker, "a", Fail)), [("a", Unhealthy)]);
        assert_eq!(changes(&tracker.force(&|_| None, T0)), [("site", Unhealthy)]);
        let picture = tracker.pictures(CheckSlot(0)).find(|picture| &*picture.name == "site").unwrap();
        assert!(matches!(picture.asks, CheckTarget::Children(Children { healthy: 1, all: 2, needed: 2 })));

        let (identity, state) = tracker.saved_state_of(slot(&tracker, "a")).unwrap();
        let Identity { id, question } = (**identity).clone();
        let saved = RestoredCheck { question, state: state.unwrap(), as_of: T0 };
        let mut restarted = self::tracker(&checks);
        let slot_of_a = restarted.slot_of(&id).unwrap();
        assert_eq!(restarted.restore(slot_of_a, &saved, T0), Some(Unhealthy));
        assert_eq!(restarted.status(slot(&restarted, "site")), Some(Unhealthy));
    }

    #[test]
    fn a_manual_check_says_what_its_configuration_says() {
        use Status::{Healthy, Unhealthy};
        let manual = |state| HealthCheck { kind: HealthCheckKind::Manual(state), ..check("switch") };
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
        // Another kind under the same id keeps its verdict until its first result.
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
        let nested: HashSet<HealthCheckId> =
            checks.iter().filter(is_calculated).map(|check| check.id.clone()).collect();
        let mut checks = checks;
        for check in &mut checks {
            if let HealthCheckKind::Calculated(calculated) = &mut check.kind {
                calculated.child_health_checks.retain(|child| !nested.contains(child));
            }
        }
        checks
    }

    fn names(tracker: &Tracker) -> HashMap<Arc<str>, Status> {
        let entries = tracker.entries.iter().flatten();
        entries.map(|entry| (Arc::clone(&entry.name), entry.verdict())).collect()
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
                    let transitions = tracker.observe(CheckSlot(slot), Generation(generation), observation, T0);
                    let mut turned: Vec<_> =
                        names(&tracker).into_iter().filter(|(name, status)| before[name] != *status).collect();
                    let mut changed: Vec<_> = transitions.iter().map(|changed| (Arc::clone(&changed.name), changed.to)).collect();
                    turned.sort_by(|a, b| a.0.cmp(&b.0));
                    changed.sort_by(|a, b| a.0.cmp(&b.0));
                    prop_assert_eq!(changed, turned);
                }
                for entry in tracker.entries.iter().flatten() {
                    let HealthCheckKind::Calculated(calculated) = &entry.check.kind else { continue };
                    let healthy = |id: &&HealthCheckId| {
                        tracker.slot_of(id).is_none_or(|slot| tracker.status(slot) == Some(Status::Healthy))
                    };
                    let healthy = calculated.child_health_checks.iter().filter(healthy).count();
                    let expected = healthy >= usize::from(calculated.health_threshold);
                    prop_assert_eq!(entry.source.status() == Status::Healthy, expected);
                }
                for (slot, entry) in (0..).map(CheckSlot).zip(&tracker.entries) {
                    let healthy = entry.as_ref().is_none_or(|entry| entry.verdict() == Status::Healthy);
                    prop_assert_eq!(tracker.bits.is_healthy(slot), healthy);
                    prop_assert_eq!(entry.is_none(), tracker.free.contains(&slot));
                }
                let pending = tracker.entries.iter().flatten().filter(|entry| entry.is_pending()).count();
                prop_assert_eq!(tracker.pending(), pending);
                prop_assert_eq!(tracker.slots.len() + tracker.free.len(), tracker.entries.len());
                let is_probed = |entry: &&Entry| {
                    !entry.check.disabled && matches!(entry.check.kind, HealthCheckKind::Endpoint(_))
                };
                let enabled = tracker.entries.iter().flatten().filter(is_probed).count();
                prop_assert_eq!(tracker.probes().len(), enabled);
            }
        }
    }
}
