//! The one loop that changes the world.
//!
//! ```text
//!  probes ──▶ Observed ──▶ ┌─────────┐ ──▶ World, published           (what queries see)
//!  edits, SIGHUP ▶ Reload ▶ │ Control │ ──▶ probe plans, how many wait  (what probes do)
//!  loader ──▶ Compiled ──▶ └─────────┘ ──▶ load requests              (what the loader does)
//!  clock ──▶ Tick ───────▶      │      ──▶ lines of the journal       (what a restart remembers)
//! ```
//!
//! The loop decides; it does not toil: reading, parsing, compiling and making durable run beside it in `load`, which gets
//! a picture of what is served and hands back what should be. One load is under way at a time, so that nothing it was
//! based on has changed when it comes back; edits that come meanwhile are loaded after it.

mod check_histories;
mod connectivity;
mod counted;
mod deferred;
mod event_log;
mod load;
mod loaded_file;
mod metrics;
mod overrides;
mod records_by_check;
mod reloads;
mod report;
mod saved_state;
#[cfg(test)]
mod tests;
mod time_format;
mod timers;
mod what_if;
mod withheld;

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::background;
pub use crate::config::ReportedFault;
use crate::health::{
    Cause, CheckSlot, Generation, Latency, MetricPlan, News, Observation, OverrideRequest, Overrides, PastTransition,
    Pattern, ProbePlan, Reason, Sentinels, Status, Timestamp, Tracker, Transition,
};
use crate::log_limit::LogLimit;
use crate::model::HealthCheckId;
use crate::store::{AllLines, StateWriter};
use crate::world::{Publisher, Reader, World};

use check_histories::CheckHistories;
pub use deferred::Deferred;
pub use event_log::{EventKind, EventLog, EventRecord, Since};
pub use load::{
    Faults, LoadOutcome, LoadRequest, Loaded, LoadedConfig, NoModel, Refused, Summary, ZoneOutline, load, read_database,
};
use metrics::MetricsCounters;
pub use metrics::{
    CheckCounters, CheckMetrics, LATENCY_BOUNDS, LatencyMetrics, MetricsSnapshot, ReloadMetrics, ReloadResult,
    ServedCounts,
};
use overrides::OverridesInForce;
pub use overrides::{Answer, OverrideError, OverrideOutcome, OverrideView};
use records_by_check::RecordsByCheck;
pub use reloads::Reloads;
pub use report::{CheckReport, Report, Wanted};
pub use saved_state::SavedState;
pub use time_format::{humanize_duration, parse_rfc3339, rfc3339, rfc3339_milliseconds};
use timers::earlier;
pub use what_if::{BadHypotheticalHealth, CheckSnapshot, HypotheticalHealth, WhatIf, suppose};
pub use withheld::Unavailable;

/// How many records a notice names.
const NOTICED: usize = 20;
/// How long a world is held that was followed by another: by then every worker that has anything to do has seen the new one.
const RETIRED_FOR: Duration = Duration::from_secs(1);
/// How many checks the log names one by one at the start.
const NAMED: usize = 10;

/// Everything that can happen to the loop.
pub enum Event {
    /// A probe has a result.
    Observed(Observed),
    /// The loader is done.
    Compiled(LoadOutcome),
    /// Files were edited, or somebody asks for a reload.
    Reload(Trigger),
    /// A person wants checks to be up or down.
    SetOverride(OverrideRequest, Answer),
    /// A person takes overrides back.
    ClearOverrides(Pattern, Answer),
    /// Somebody wants to see the overrides.
    ListOverrides(oneshot::Sender<Vec<OverrideView>>),
    /// Somebody wants to see checks.
    Report(Wanted, oneshot::Sender<Report>),
    /// Somebody wants to know what is answered, or would be.
    WhatIf(Vec<HypotheticalHealth>, oneshot::Sender<Result<WhatIf, OverrideError>>),
    /// Somebody wants to see one check.
    Check(HealthCheckId, oneshot::Sender<Option<CheckSnapshot>>),
    /// Somebody wants figures, of the checks from this one on.
    MetricsSnapshot(CheckSlot, oneshot::Sender<MetricsSnapshot>),
    /// A second has passed.
    Tick,
    /// The end.
    Stop,
}

/// The result of one probe.
pub struct Observed {
    /// Which check.
    pub slot: CheckSlot,
    /// Which life of it.
    pub generation: Generation,
    /// Whether the endpoint did as it should.
    pub observation: Observation,
    /// What was seen, in one word.
    pub reason: Reason,
    /// What was seen, in Route 53's words.
    pub status: Box<dyn fmt::Display + Send>,
    /// How long it took.
    pub latency: Latency,
    /// How long ago the probe was begun, looking up a name and waiting for its turn included.
    pub took: Duration,
}

/// Why to load again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Somebody asked (SIGHUP): wants to hear what came of it, even when nothing changed.
    Asked,
    /// A file looks different.
    Edited,
}

/// Something happened to health, for whoever wants to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What.
    pub what: HealthNoticeKind,
    /// When.
    pub at: Timestamp,
    /// Why, in words.
    pub why: Arc<str>,
    /// How many notices were lost before this one, because nobody took them.
    pub lost: u64,
}

/// What happens to health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthNoticeKind {
    /// The verdict of a check changed; before it was the other.
    Turned(NoticeCheck),
    /// A check that was being drained has nothing left; its verdict is what it was.
    Drained(NoticeCheck),
    /// All of these sentinels are unhealthy: verdicts stand.
    UplinkGone(Vec<Arc<str>>),
    /// Not all of these sentinels are unhealthy any more.
    UplinkBack(Vec<Arc<str>>),
}

/// A check to which something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeCheck {
    /// What people call it.
    pub name: Arc<str>,
    /// What the API calls it.
    pub id: HealthCheckId,
    /// What it is now.
    pub status: Status,
    /// The records that use it, the first few.
    pub records: Vec<String>,
    /// How many records use it.
    pub record_count: usize,
}

/// Whether the loop goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// There is more to come.
    Continue,
    /// It has stopped.
    Stop,
}

/// Where the loop's decisions go.
pub struct Outputs {
    /// What is to be probed.
    pub plans: watch::Sender<Arc<[ProbePlan]>>,
    /// What Prometheus is to be asked.
    pub metrics: watch::Sender<Arc<[MetricPlan]>>,
    /// How many checks have had no first result.
    pub pending: watch::Sender<usize>,
    /// Work for the loader.
    pub loads: mpsc::UnboundedSender<LoadRequest>,
    /// What is served from; the watcher follows.
    pub base: watch::Sender<LoadedConfig>,
    /// What a restart is to remember.
    pub state_writer: StateWriter,
    /// Verdicts that changed.
    pub notices: mpsc::Sender<Notice>,
    /// How far reloads have come.
    pub reloads: watch::Sender<Reloads>,
    /// What happens, for whoever watches.
    pub feed: EventLog,
    /// What came of the last load.
    pub last_load: watch::Sender<LastLoad>,
}

/// What came of the last load, for people.
#[derive(Clone, Debug, Default)]
pub struct LastLoad {
    /// When it was done.
    pub at: Timestamp,
    /// What is served.
    pub summary: Arc<Summary>,
    /// What is wrong with the files as they were read last.
    pub diagnostics: Arc<[ReportedFault]>,
    /// Why the last load changed nothing at all, when that is so.
    pub refused: Option<String>,
}

impl LastLoad {
    fn of(summary: Summary, at: Timestamp) -> LastLoad {
        LastLoad { at, diagnostics: summary.reported.clone().into(), summary: Arc::new(summary), refused: None }
    }
}

/// The state of the loop.
pub struct Control {
    tracker: Tracker,
    base: LoadedConfig,
    records_by_check: Arc<RecordsByCheck>,
    started: Timestamp,
    check_histories: CheckHistories,
    tallies: MetricsCounters,
    overrides: Overrides,
    /// What follows from them.
    steering: OverridesInForce,
    sentinels: Sentinels,
    /// The moment of the last event.
    now: Timestamp,
    /// The moment of the last tick.
    ticked: Timestamp,
    publisher: Publisher,
    reader: Reader,
    /// The world before the last load, and since when: held until workers have seen the new one, so that none of them has to
    /// free it while queries wait.
    retired: Option<(Arc<World>, Timestamp)>,
    outputs: Outputs,
    last_generation: u64,
    loading: Option<Loading>,
    /// Faults that were last reported: the same ones are not printed in full again.
    last_faults: String,
    /// Files whose edits were not taken yet at the last load.
    last_deferred: Vec<Deferred>,
    warnings: LogLimit,
    /// Notices that found no room.
    notices_lost: u64,
    /// Where a status is put into words, result after result.
    words: String,
}

/// A load that is under way.
struct Loading {
    generation: u64,
    trigger: Trigger,
    /// Something happened since it began.
    again: Option<Trigger>,
}

impl Control {
    /// The loop with its first world, which the reader sees: made of what was loaded and of what is remembered.
    pub fn new(loaded: Loaded, saved_state: &SavedState, outputs: Outputs, at: Timestamp) -> (Control, Reader) {
        let mut tracker = Tracker::new();
        tracker.apply(&loaded.base.checks, at);
        let check_histories = recall(&mut tracker, &loaded.base, saved_state, at);
        let overrides = recall_overrides(saved_state, at);
        let mut steered = overrides::force(&mut tracker, &overrides, at);
        let steering = OverridesInForce::of(&tracker, &overrides, at);
        // What an override did before the restart is told already.
        steered.retain(|new| check_histories.of(new.slot).last_transition().is_none_or(|last| last.to != new.to));
        let set_back = saved_state.as_of.since(at);
        let recoveries: Vec<_> =
            saved_state.recoveries.iter().map(|(record, &since)| (record.clone(), earlier(since, set_back))).collect();
        let checks = tracker.bits().with_draining(steering.shares(&tracker, at)).with_at_once(steering.held_up.clone());
        let (catalog, geo_lookup) = (Arc::clone(&loaded.catalog), Arc::clone(&loaded.base.geo_lookup));
        let (publisher, reader) = Publisher::new(World::remembering(catalog, &checks, geo_lookup, &recoveries, at));
        let mut control = Control {
            tracker,
            base: loaded.base,
            records_by_check: loaded.records_by_check,
            started: at,
            check_histories,
            tallies: MetricsCounters::new(&loaded.summary, at),
            steering,
            overrides,
            sentinels: Sentinels::default(),
            now: at,
            ticked: at,
            publisher,
            reader: reader.clone(),
            retired: None,
            outputs,
            last_generation: 0,
            loading: None,
            last_faults: loaded.summary.diagnostics.clone(),
            last_deferred: Vec::new(),
            warnings: LogLimit::default(),
            notices_lost: 0,
            words: String::new(),
        };
        control.tell_probes();
        control.outputs.base.send_replace(control.base.clone());
        control.outputs.last_load.send_replace(LastLoad::of(loaded.summary, at));
        control.tell_steered(&steered, at);
        control.appoint_sentinels();
        control.mind_uplink(at);
        control.remember_all(at);
        (control, reader)
    }

    /// The names of the checks that have had no result and of which nothing is remembered.
    pub fn waiting_for(&self) -> Vec<Arc<str>> {
        self.tracker.pictures(CheckSlot(0)).filter(|picture| picture.waiting).map(|picture| picture.name).collect()
    }

    /// Handles events until `Stop`, or until nobody is left to send any. `now` reads the clock.
    pub async fn run(mut self, mut events: mpsc::Receiver<Event>, now: impl Fn() -> Timestamp) {
        while let Some(event) = events.recv().await {
            if self.handle(event, now()) == Flow::Stop {
                return;
            }
            background::yield_point();
        }
    }

    /// Lets one event have its effects.
    pub fn handle(&mut self, event: Event, at: Timestamp) -> Flow {
        self.mind_clock(at);
        match event {
            Event::Observed(observed) => self.observe(&observed, at),
            Event::Compiled(outcome) => self.take(outcome, at),
            Event::Reload(trigger) => self.reload(trigger),
            Event::SetOverride(wish, answer) => self.set_override(wish, answer, at),
            Event::ClearOverrides(pattern, answer) => self.clear_overrides(&pattern, answer, at),
            // Who does not wait for the answer does not need it.
            Event::ListOverrides(answer) => drop(answer.send(self.override_views(at))),
            Event::Report(wanted, answer) => drop(answer.send(self.report(&wanted, at))),
            Event::WhatIf(hypothetical, answer) => drop(answer.send(self.stage(&hypothetical, at))),
            Event::Check(id, answer) => drop(answer.send(self.check_now(&id, at))),
            Event::MetricsSnapshot(from, answer) => drop(answer.send(self.figures(from))),
            Event::Tick => self.tick(at),
            Event::Stop => {
                self.remember_all(at);
                return Flow::Stop;
            }
        }
        Flow::Continue
    }

    fn observe(&mut self, observed: &Observed, at: Timestamp) {
        let Observed { slot, generation, observation, .. } = *observed;
        if !self.tracker.accepts(slot, generation) {
            return;
        }
        if self.holds_back(observed, at) {
            if self.see(observed, at) == News::New || self.check_histories.has_room(at) {
                self.remember_result(slot);
            }
            return;
        }
        let state = |tracker: &Tracker| tracker.saved_state_of(slot).and_then(|(_, state)| state);
        let (before, unforced, is_first) =
            (state(&self.tracker), self.tracker.unforced(slot), self.tracker.is_waiting(slot));
        let transitions = self.tracker.observe(slot, generation, observation, at);
        let mut slots: Vec<CheckSlot> = transitions.iter().map(|transition| transition.slot).collect();
        if slots.is_empty() && self.steering.drains(slot) && self.tracker.unforced(slot) != unforced {
            // Its verdict is people's; but while it drains it answers, or not, as it is seen.
            slots.push(slot);
        }
        if !slots.is_empty() {
            // Answers first, words later; and one world for a check and the calculated checks that turn with it. Records
            // do not have to come back from a first result: nobody knew better before.
            let checks = self.checks(if is_first { &slots } else { &[] }, at);
            self.publish(self.reader.load().with_health(&checks, &slots, at), at);
        }
        let news = self.see(observed, at);
        for transition in &transitions {
            if transition.slot != slot {
                self.report_transition(transition, &transition.cause.to_string());
                continue;
            }
            let status = std::mem::take(&mut self.words);
            self.report_transition(transition, &status);
            self.words = status;
        }
        if news == News::New || state(&self.tracker) != before || self.check_histories.has_room(at) {
            self.remember_result(slot);
        }
        if !transitions.is_empty() {
            self.mind_uplink(at);
        }
        self.tell_pending();
    }

    /// Puts the result into words, which stay in `words`, and into its check's history.
    fn see(&mut self, observed: &Observed, at: Timestamp) -> News {
        self.tallies.see(observed);
        self.words.clear();
        let _ = write!(self.words, "{}", observed.status);
        self.check_histories.see(observed.slot, observed.observation.shown(), &self.words, observed.latency, at)
    }

    fn tick(&mut self, at: Timestamp) {
        self.pass_time(at);
        self.move_records(at);
        self.retired.take_if(|(_, since)| at.since(*since) >= RETIRED_FOR);
        self.ticked = at;
        if self.outputs.state_writer.wants_all() {
            self.remember_all(at);
        }
    }

    fn remember_result(&self, slot: CheckSlot) {
        let Some((identity, state)) = self.tracker.saved_state_of(slot) else { return };
        if let Some(run) = self.check_histories.of(slot).last_run() {
            self.outputs.state_writer.line(saved_state::seen(identity, state, run));
        }
    }

    fn remember_check(&self, slot: CheckSlot) {
        let Some((identity, state)) = self.tracker.saved_state_of(slot) else { return };
        self.outputs.state_writer.line(saved_state::check(identity, state, &self.check_histories.of(slot)));
    }

    /// Hands everything to the state writer, who puts it into lines.
    fn remember_all(&self, at: Timestamp) {
        let known = |slot| {
            let (identity, state) = self.tracker.saved_state_of(slot)?;
            Some((Arc::clone(identity), state, self.check_histories.of(slot)))
        };
        let checks: Vec<_> = self.tracker.slots().filter_map(known).collect();
        let overrides = self.overrides.all().to_vec();
        let world = self.reader.load();
        let lines: AllLines = Box::new(move || {
            let checks = background::yielding(&checks)
                .map(|(identity, state, history)| saved_state::check(identity, *state, history));
            let overrides = overrides.iter().map(saved_state::override_set);
            let recoveries = world.recoveries().map(|way| saved_state::returning(&way.record, Some(way.since)));
            std::iter::once(saved_state::clock(at)).chain(overrides).chain(recoveries).chain(checks).collect()
        });
        self.outputs.state_writer.all(lines);
    }

    fn reload(&mut self, trigger: Trigger) {
        if trigger == Trigger::Asked {
            self.outputs.reloads.send_modify(|reloads| reloads.asked += 1);
        }
        match &mut self.loading {
            Some(loading) => loading.again = Some(stronger(loading.again, trigger)),
            None => self.begin_load(trigger),
        }
    }

    fn begin_load(&mut self, trigger: Trigger) {
        self.last_generation += 1;
        let generation = self.last_generation;
        let request = LoadRequest { generation, base: self.base.clone(), tracker: self.tracker.clone(), trigger };
        if self.outputs.loads.send(request).is_err() {
            if let Some(held_back) = self.warnings.admit("the loader is gone") {
                tracing::error!("nothing can be loaded any more: the loader is gone{held_back}");
            }
            self.settle("nothing can be loaded any more".to_owned());
            return;
        }
        self.loading = Some(Loading { generation, trigger, again: None });
    }

    fn take(&mut self, outcome: LoadOutcome, at: Timestamp) {
        let Some(loading) = self.loading.take_if(|loading| loading.generation == outcome.generation) else {
            tracing::debug!(generation = outcome.generation, "a stale load is dropped");
            return;
        };
        let line = reloads::outcome(outcome.result.as_ref().map(|loaded| &loaded.summary));
        let mut again = loading.again;
        match outcome.result {
            Ok(loaded) => self.apply(*loaded, loading.trigger, at),
            Err(refused) => {
                self.tallies.refuse(&refused);
                self.report_refused(&refused, at);
                if matches!(refused, Refused::Unresponsive(_)) {
                    // That one does without what does not respond, so that all other edits are taken.
                    again = Some(stronger(again, loading.trigger));
                }
            }
        }
        match again {
            Some(trigger) => self.begin_load(trigger),
            None => self.settle(line),
        }
    }

    /// Nothing is being loaded any more: whoever waits for a reload need not any longer.
    fn settle(&self, outcome: String) {
        self.outputs.reloads.send_modify(|reloads| {
            reloads.done = reloads.asked;
            reloads.outcome = outcome.into();
        });
    }

    /// Makes what was loaded the world. The loader dealt the slots on a copy of this tracker, to which nothing was applied
    /// since, so the tracker deals the same ones now.
    fn apply(&mut self, loaded: Loaded, trigger: Trigger, at: Timestamp) {
        let Loaded { base, catalog, records_by_check, summary } = loaded;
        let applied = self.tracker.apply(&base.checks, at);
        // A glob may be about checks that are new.
        let steered = overrides::force(&mut self.tracker, &self.overrides, at);
        self.steering = OverridesInForce::of(&self.tracker, &self.overrides, at);
        let before = self.reader.load();
        let world = before.followed_by(catalog, &self.checks(&[], at), Arc::clone(&base.geo_lookup), at);
        self.publish(world, at);
        self.retired = Some((before, at));
        (self.base, self.records_by_check) = (base, records_by_check);
        self.tell_probes();
        self.outputs.base.send_replace(self.base.clone());
        self.tallies.load(&summary, at);
        self.report_loaded(&summary, trigger);
        self.show_loaded(&summary, at);
        for slot in &applied.removed {
            self.check_histories.forget(*slot);
            self.tallies.forget(*slot);
        }
        for transition in &applied.transitions {
            self.report_transition(transition, &transition.cause.to_string());
        }
        self.tell_steered(&steered, at);
        self.appoint_sentinels();
        self.mind_uplink(at);
        for slot in applied.added.iter().chain(&applied.restarted) {
            self.remember_check(*slot);
        }
        self.last_faults = summary.diagnostics;
        self.last_deferred = summary.deferred;
    }

    fn tell_probes(&self) {
        tell(&self.outputs.plans, self.tracker.probes().into());
        tell(&self.outputs.metrics, self.tracker.metrics().into());
        self.tell_pending();
    }

    fn tell_pending(&self) {
        let pending = self.tracker.pending();
        self.outputs.pending.send_if_modified(|current| std::mem::replace(current, pending) != pending);
    }

    /// Tells of a verdict that changed: the log, the check's history, the journal.
    fn report_transition(&mut self, transition: &Transition, status: &str) {
        let Transition { slot, name, from, to, at, cause } = transition;
        let (from, to) = (word(*from), word(*to));
        let records = self.records_by_check.of(*slot).to_string();
        let check = &**name;
        match transition.to {
            Status::Healthy => tracing::info!(check, from, to, status, records, "health check {name} is {to}"),
            Status::Unhealthy => tracing::warn!(check, from, to, status, records, "health check {name} is {to}"),
        }
        let past = PastTransition { at: *at, to: transition.to, why: why(*cause, status).into() };
        if let Some((identity, _)) = self.tracker.saved_state_of(*slot) {
            self.outputs.state_writer.line(saved_state::turned(&identity.id, &past));
            let noticed = self.noticed(*slot, name, &identity.id, transition.to);
            self.tell(Notice { what: HealthNoticeKind::Turned(noticed), at: *at, why: Arc::clone(&past.why), lost: 0 });
        }
        let (check, why) = (Arc::clone(name), Arc::clone(&past.why));
        let records = self.records_by_check.all_of(*slot).len();
        self.outputs.feed.push(*at, EventKind::Turned { check, to: transition.to, why, records });
        self.check_histories.turn(*slot, past);
        self.tallies.turn(*slot, transition.to);
    }

    fn noticed(&self, slot: CheckSlot, name: &Arc<str>, id: &HealthCheckId, status: Status) -> NoticeCheck {
        let records = self.records_by_check.all_of(slot);
        NoticeCheck {
            name: Arc::clone(name),
            id: id.clone(),
            status,
            records: records.iter().take(NOTICED).cloned().collect(),
            record_count: records.len(),
        }
    }

    /// Nothing waits for whoever is told: what finds no room is counted, and the next notice says so.
    fn tell(&mut self, notice: Notice) {
        match self.outputs.notices.try_send(Notice { lost: self.notices_lost, ..notice }) {
            Ok(()) => self.notices_lost = 0,
            Err(_) => self.notices_lost += 1,
        }
    }

    fn report_loaded(&self, summary: &Summary, trigger: Trigger) {
        if !summary.diagnostics.is_empty() && summary.diagnostics != self.last_faults {
            tracing::error!("diagnostics in the files, {}:\n{}", summary.consequence(), summary.diagnostics.trim_end());
        } else if summary.errors > 0 {
            self.warn(trigger, &format!("the faults are as before, {}", summary.consequence()));
        } else if !self.last_faults.is_empty() && summary.diagnostics.is_empty() {
            tracing::info!("the files are without fault again");
        }
        summary.deferred.iter().filter(|deferred| !self.last_deferred.contains(deferred)).for_each(Deferred::report);
        for setting in &summary.needs_restart {
            self.warn(trigger, &format!("{setting} has changed: that needs a restart"));
        }
        if let Some(warning) = &summary.state_warning {
            self.warn(
                trigger,
                &format!(
                    "{warning}; after a restart, a file that is broken then is served from an older copy, or not at all"
                ),
            );
        }
        match (summary.changes.is_empty(), trigger) {
            (false, _) => tracing::info!("reloaded: {}; {}", summary.changes.join(", "), summary.totals()),
            (true, Trigger::Asked) => tracing::info!("reloaded: nothing has changed; {}", summary.totals()),
            (true, Trigger::Edited) => {}
        }
    }

    /// What edits repeat is logged once a minute; a person who asks for a reload is told each time.
    fn warn(&self, trigger: Trigger, warning: &str) {
        let held_back = self.warnings.admit(warning);
        match (trigger, held_back) {
            (_, Some(held_back)) => tracing::warn!("{warning}{held_back}"),
            (Trigger::Asked, None) => tracing::warn!("{warning}"),
            (Trigger::Edited, None) => {}
        }
    }

    /// Lets people see what was loaded; that nothing has changed is not worth a line.
    fn show_loaded(&self, summary: &Summary, at: Timestamp) {
        if !summary.changes.is_empty() || summary.diagnostics != self.last_faults {
            let what = EventKind::Reloaded { changes: summary.changes.clone(), errors: summary.errors };
            self.outputs.feed.push(at, what);
        }
        self.outputs.last_load.send_replace(LastLoad::of(summary.clone(), at));
    }

    fn report_refused(&mut self, refused: &Refused, at: Timestamp) {
        tracing::error!("nothing was reloaded, everything is served as before: {refused}");
        self.last_faults.clear();
        let why = refused.in_short();
        self.outputs.feed.push(at, EventKind::NotReloaded { why: why.clone() });
        self.outputs.last_load.send_modify(|last| {
            (last.at, last.refused) = (at, Some(why));
            last.diagnostics = refused.reported().into();
        });
    }
}

/// Wakes nobody when nothing is other than before.
fn tell<P: PartialEq>(plans: &watch::Sender<Arc<[P]>>, wanted: Arc<[P]>) {
    plans.send_if_modified(|current| {
        let changed = **current != *wanted;
        *current = wanted;
        changed
    });
}

/// A request by a person outweighs an edit: they wait for an answer.
fn stronger(one: Option<Trigger>, other: Trigger) -> Trigger {
    match one {
        Some(Trigger::Asked) => Trigger::Asked,
        _ => other,
    }
}

/// Takes over what is remembered of the checks that there are, and says what that is.
fn recall(tracker: &mut Tracker, base: &LoadedConfig, saved_state: &SavedState, at: Timestamp) -> CheckHistories {
    let (mut check_histories, mut recalled) = (CheckHistories::default(), RestoreReport::default());
    for check in base.checks.iter() {
        let (Some(slot), Some(known)) = (tracker.slot_of(&check.id), saved_state.checks.get(&check.id)) else {
            continue;
        };
        check_histories.put(slot, Arc::clone(&known.history));
        let verdict =
            saved_state.saved_check(&check.id).and_then(|saved_state| tracker.restore(slot, &saved_state, at));
        match verdict {
            Some(Status::Healthy) => recalled.healthy += 1,
            Some(Status::Unhealthy) => recalled.unhealthy.push(&check.name),
            None => {}
        }
    }
    recalled.report(at.since(saved_state.as_of));
    if saved_state.strange > 0 {
        tracing::warn!("{} lines of the health journal are of another version and were not read", saved_state.strange);
    }
    check_histories
}

/// People's word is remembered too, as far as its time is not over.
fn recall_overrides(saved_state: &SavedState, at: Timestamp) -> Overrides {
    let mut overrides = saved_state.overrides.clone();
    overrides.clock_set_back(saved_state.as_of, saved_state.as_of.since(at));
    for ended in overrides.expire(at) {
        overrides::log_override(&ended, "has ended while the server was away");
    }
    overrides.all().iter().for_each(|known| overrides::log_override(known, "is remembered"));
    overrides
}

/// What counts from before the restart, for the log.
#[derive(Default)]
struct RestoreReport<'c> {
    healthy: usize,
    unhealthy: Vec<&'c str>,
}

impl RestoreReport<'_> {
    fn report(&self, age: Duration) {
        let (healthy, unhealthy) = (self.healthy, self.unhealthy.len());
        if healthy + unhealthy == 0 {
            return;
        }
        let age = humanize_duration(age);
        tracing::info!(
            healthy,
            unhealthy,
            age,
            "the state of {} health checks is remembered from {age} ago and counts until their next results",
            healthy + unhealthy
        );
        for name in self.unhealthy.iter().take(NAMED) {
            tracing::warn!(check = name, age, "health check {name} is unhealthy, as remembered from {age} ago");
        }
        if unhealthy > NAMED {
            tracing::warn!("{} more health checks are unhealthy, as remembered", unhealthy - NAMED);
        }
    }
}

/// Why a verdict changed, for the history.
fn why(cause: Cause, status: &str) -> String {
    let times = |count: u8, what: &str| match count {
        0 | 1 => status.to_owned(),
        _ => format!("{count} {what} in a row: {status}"),
    };
    match cause {
        Cause::FirstResult => format!("first result: {status}"),
        Cause::Failures(count) => times(count, "failures"),
        Cause::Passes(count) => times(count, "passes"),
        Cause::InsufficientData(count) => times(count, "evaluations without data"),
        Cause::Configuration | Cause::Children(_) | Cause::Override => status.to_owned(),
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Healthy => "healthy",
        Status::Unhealthy => "unhealthy",
    }
}
