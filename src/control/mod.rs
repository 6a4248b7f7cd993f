//! The control loop: the only code that changes the world that queries are answered from.
//!
//! ```text
//!  probes ──▶ Observed ──▶ ┌─────────┐ ──▶ World, published           (what queries see)
//!  edits, SIGHUP ▶ Reload ▶ │ Control │ ──▶ probe plans, how many wait  (what probes do)
//!  loader ──▶ Compiled ──▶ └─────────┘ ──▶ load requests              (what the loader does)
//!  clock ──▶ Tick ───────▶      │      ──▶ lines of the journal       (what a restart remembers)
//! ```
//!
//! The loop never does slow work. Reading, parsing, compiling and fsync run on the loader thread
//! (`load`), which receives a copy of the loaded configuration and returns the new one. Only one
//! load runs at a time, so its base cannot change under it. Edits that arrive during a load start
//! another load when it ends.

mod check_histories;
mod connectivity;
mod event_log;
mod metrics;
mod overrides;
mod reloads;
mod report;
mod saved_state;
#[cfg(test)]
mod tests;
mod time_format;
mod timers;
mod what_if;

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::background;
use crate::health::{
    Cause, CheckSlot, CountedResult, Generation, Latency, MetricPlan, News, Observation, OverrideRequest, Overrides,
    PastTransition, Pattern, ProbePlan, Reason, ResultOutcome, Sentinels, Status, Timestamp, Tracker, Transition,
};
use crate::load::{
    Deferred, LoadOutcome, LoadRequest, Loaded, LoadedConfig, RecordsByCheck, Refused, ReportedFault, Summary, Trigger,
};
use crate::log_limit::LogLimit;
use crate::model::HealthCheckId;
use crate::store::{AllLines, StateWriter};
use crate::world::{Publisher, Reader, World};

use check_histories::CheckHistories;
pub use event_log::{EventKind, EventLog, EventRecord, Since};
use metrics::MetricsCounters;
pub use metrics::{
    CheckCounters, CheckMetrics, LATENCY_BOUNDS, LatencyMetrics, MetricsSnapshot, ReloadMetrics, ReloadResult,
    ServedCounts,
};
use overrides::OverridesInForce;
pub use overrides::{Answer, OverrideError, OverrideOutcome, OverrideView};
pub use reloads::Reloads;
pub use report::{CheckReport, Report, Wanted};
pub use saved_state::SavedState;
pub use time_format::{humanize_duration, parse_rfc3339, rfc3339, rfc3339_milliseconds};
use timers::earlier;
pub use what_if::{BadHypotheticalHealth, CheckSnapshot, HypotheticalHealth, WhatIf, suppose};

/// How many records a notice lists.
const NOTICED: usize = 20;
/// How long the previous world is kept alive after a reload. By then every active worker has loaded
/// the new one, so no worker has to free the old one while queries wait.
const RETIRED_FOR: Duration = Duration::from_secs(1);
/// How many checks the log lists by name at the start.
const NAMED: usize = 10;

/// The events of the control loop.
pub enum Event {
    /// A probe finished.
    Observed(Observed),
    /// The loader finished.
    Compiled(LoadOutcome),
    /// Files were edited, or a reload was requested.
    Reload(Trigger),
    /// Set an override. The answer is sent when the override is durable.
    SetOverride(OverrideRequest, Answer),
    /// Clear the overrides with this pattern.
    ClearOverrides(Pattern, Answer),
    /// List the overrides.
    ListOverrides(oneshot::Sender<Vec<OverrideView>>),
    /// Report the state of some checks.
    Report(Wanted, oneshot::Sender<Report>),
    /// The state that answers depend on, with hypothetical health if any is given.
    WhatIf(Vec<HypotheticalHealth>, oneshot::Sender<Result<WhatIf, OverrideError>>),
    /// The state of one check.
    Check(HealthCheckId, oneshot::Sender<Option<CheckSnapshot>>),
    /// Metrics of the checks, starting at this slot.
    MetricsSnapshot(CheckSlot, oneshot::Sender<MetricsSnapshot>),
    /// One second has passed.
    Tick,
    /// Save the state and end the loop.
    Stop,
}

/// The result of one probe.
pub struct Observed {
    /// The check.
    pub slot: CheckSlot,
    /// The generation of the slot that was probed.
    pub generation: Generation,
    /// Whether the probe passed.
    pub observation: Observation,
    /// The reason as a metric label.
    pub reason: Reason,
    /// The status in Route 53's wording.
    pub status: Box<dyn fmt::Display + Send>,
    /// Connect and response times.
    pub latency: Latency,
    /// How long ago the probe began, including name resolution and waiting for a free slot.
    pub took: Duration,
}

/// A change of health, for the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What changed.
    pub what: HealthNoticeKind,
    /// When it changed.
    pub at: Timestamp,
    /// The reason, as the log and the API show it.
    pub why: Arc<str>,
    /// How many notices were dropped before this one because the queue was full.
    pub lost: u64,
}

/// The kinds of notices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthNoticeKind {
    /// The status of a check changed to the opposite one.
    Turned(NoticeCheck),
    /// A drain is complete: no weight is left. The status of the check is unchanged.
    Drained(NoticeCheck),
    /// All of these sentinels are unhealthy; probe results are ignored.
    UplinkGone(Vec<Arc<str>>),
    /// At least one of these sentinels is healthy again.
    UplinkBack(Vec<Arc<str>>),
}

/// The check that a notice is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeCheck {
    /// Its name.
    pub name: Arc<str>,
    /// Its id in the API.
    pub id: HealthCheckId,
    /// Its current status.
    pub status: Status,
    /// The first records that use it.
    pub records: Vec<String>,
    /// How many records use it.
    pub record_count: usize,
}

/// Whether the loop continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Wait for the next event.
    Continue,
    /// The loop has ended.
    Stop,
}

/// The channels that the loop writes to.
pub struct Outputs {
    /// Endpoint probes for the prober.
    pub plans: watch::Sender<Arc<[ProbePlan]>>,
    /// Prometheus queries for the prober.
    pub metrics: watch::Sender<Arc<[MetricPlan]>>,
    /// How many checks have no result yet.
    pub pending: watch::Sender<usize>,
    /// Requests to the loader.
    pub loads: mpsc::UnboundedSender<LoadRequest>,
    /// The configuration in force; the watcher follows it.
    pub base: watch::Sender<LoadedConfig>,
    /// The state that a restart restores.
    pub state_writer: StateWriter,
    /// Notices for the webhook.
    pub notices: mpsc::Sender<Notice>,
    /// How many reloads were requested and are done.
    pub reloads: watch::Sender<Reloads>,
    /// The event log that the dashboard and `fiftythree watch` read.
    pub feed: EventLog,
    /// The outcome of the last load.
    pub last_load: watch::Sender<LastLoad>,
}

/// The outcome of the last load, as the API shows it.
#[derive(Clone, Debug, Default)]
pub struct LastLoad {
    /// When it ended.
    pub at: Timestamp,
    /// What is served.
    pub summary: Arc<Summary>,
    /// Errors and warnings in the files as they were last read.
    pub diagnostics: Arc<[ReportedFault]>,
    /// Why the last load was refused; `None` if it was not.
    pub refused: Option<String>,
}

impl LastLoad {
    fn of(summary: Summary, at: Timestamp) -> LastLoad {
        LastLoad { at, diagnostics: summary.reported.clone().into(), summary: Arc::new(summary), refused: None }
    }
}

/// The control loop and its state.
pub struct Control {
    tracker: Tracker,
    base: LoadedConfig,
    records_by_check: Arc<RecordsByCheck>,
    started: Timestamp,
    check_histories: CheckHistories,
    tallies: MetricsCounters,
    overrides: Overrides,
    /// The effects of `overrides` at this moment.
    steering: OverridesInForce,
    sentinels: Sentinels,
    /// The time of the last event.
    now: Timestamp,
    /// The time of the last tick.
    ticked: Timestamp,
    publisher: Publisher,
    reader: Reader,
    /// The world before the last reload and the time of that reload. It is kept until the workers
    /// have loaded the new one, so that none of them has to free it while queries wait.
    retired: Option<(Arc<World>, Timestamp)>,
    outputs: Outputs,
    last_generation: u64,
    loading: Option<Loading>,
    /// The diagnostics that were last reported. The same ones are not printed in full again.
    last_faults: String,
    /// Files whose edits were deferred by the last load.
    last_deferred: Vec<Deferred>,
    warnings: LogLimit,
    /// Notices dropped since the last one that was sent.
    notices_lost: u64,
    /// A buffer for formatting status messages, reused for each result.
    words: String,
}

/// A load in progress.
struct Loading {
    generation: u64,
    trigger: Trigger,
    /// A reload requested since it began.
    again: Option<Trigger>,
}

impl Control {
    /// Creates the loop and its first world from the loaded configuration and the saved state. The
    /// reader sees that world.
    pub fn new(loaded: Loaded, saved_state: &SavedState, outputs: Outputs, at: Timestamp) -> (Control, Reader) {
        let mut tracker = Tracker::new();
        tracker.apply(&loaded.base.checks, at);
        let check_histories = recall(&mut tracker, &loaded.base, saved_state, at);
        let overrides = recall_overrides(saved_state, at);
        let mut steered = overrides::force(&mut tracker, &overrides, at);
        let steering = OverridesInForce::of(&tracker, &overrides, at);
        // Changes that an override made before the restart were reported then.
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

    /// The names of the checks that have neither a result nor a saved state.
    pub fn waiting_for(&self) -> Vec<Arc<str>> {
        self.tracker.views().filter(|view| view.pending).map(|view| view.name).collect()
    }

    /// Handles events until `Stop`, or until all senders are dropped. `now` reads the clock.
    pub async fn run(mut self, mut events: mpsc::Receiver<Event>, now: impl Fn() -> Timestamp) {
        while let Some(event) = events.recv().await {
            if self.handle(event, now()) == Flow::Stop {
                return;
            }
            background::yield_point();
        }
    }

    /// Handles one event.
    pub fn handle(&mut self, event: Event, at: Timestamp) -> Flow {
        self.mind_clock(at);
        match event {
            Event::Observed(observed) => self.observe(&observed, at),
            Event::Compiled(outcome) => self.take(outcome, at),
            Event::Reload(trigger) => self.reload(trigger),
            Event::SetOverride(request, answer) => self.set_override(request, answer, at),
            Event::ClearOverrides(pattern, answer) => self.clear_overrides(&pattern, answer, at),
            // A receiver that is gone does not need the answer.
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
        let ResultOutcome::Counted(counted) = self.tracker.observe(slot, generation, observation, at) else { return };
        let CountedResult { is_first, saved_state_changed, changed_without_overrides, transitions } = counted;
        let mut slots: Vec<CheckSlot> = transitions.iter().map(|transition| transition.slot).collect();
        if slots.is_empty() && changed_without_overrides && self.steering.drains(slot) {
            // An override decides its status, but while it drains, its own health decides whether
            // its records answer.
            slots.push(slot);
        }
        if !slots.is_empty() {
            // Publish before logging, so that answers change first. A check and the calculated
            // checks that change with it are published in one world. A first result starts no
            // recovery, because there was no earlier status to recover from.
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
        if news == News::New || saved_state_changed || self.check_histories.has_room(at) {
            self.remember_result(slot);
        }
        if !transitions.is_empty() {
            self.mind_uplink(at);
        }
        self.tell_pending();
    }

    /// Formats the status into `words` and adds the result to the check's history.
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

    /// Hands the whole state to the state writer, which formats it on its own thread.
    fn remember_all(&self, at: Timestamp) {
        let known = |slot| {
            let (identity, state) = self.tracker.saved_state_of(slot)?;
            Some((Arc::clone(identity), state, self.check_histories.of(slot)))
        };
        let checks: Vec<_> = self.tracker.slots().all().into_iter().filter_map(known).collect();
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
        let request = LoadRequest { generation, base: self.base.clone(), slots: self.tracker.slots().clone(), trigger };
        if self.outputs.loads.send(request).is_err() {
            if let Some(held_back) = self.warnings.admit("the loader thread has ended") {
                tracing::error!("the loader thread has ended: nothing can be reloaded until a restart{held_back}");
            }
            self.settle("nothing can be reloaded until a restart".to_owned());
            return;
        }
        self.loading = Some(Loading { generation, trigger, again: None });
    }

    fn take(&mut self, outcome: LoadOutcome, at: Timestamp) {
        let Some(loading) = self.loading.take_if(|loading| loading.generation == outcome.generation) else {
            tracing::debug!(generation = outcome.generation, "a stale load result was dropped");
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
                    // The next load skips what does not respond, so all other edits are loaded.
                    again = Some(stronger(again, loading.trigger));
                }
            }
        }
        match again {
            Some(trigger) => self.begin_load(trigger),
            None => self.settle(line),
        }
    }

    /// Marks the requested reloads as done, so that those who wait for them continue.
    fn settle(&self, outcome: String) {
        self.outputs.reloads.send_modify(|reloads| {
            reloads.done = reloads.asked;
            reloads.outcome = outcome.into();
        });
    }

    /// Publishes what was loaded. The loader assigned slots on a copy of this tracker's slots,
    /// which have not changed since, so it assigns the same ones now.
    fn apply(&mut self, loaded: Loaded, trigger: Trigger, at: Timestamp) {
        let Loaded { base, catalog, records_by_check, summary } = loaded;
        let applied = self.tracker.apply(&base.checks, at);
        // A pattern may match new checks.
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

    /// Reports a change of status to the log, the check's history, the journal, the webhook and the
    /// event log.
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

    /// Queues a notice for the webhook without waiting. If the queue is full, the notice is dropped
    /// and counted; the next notice reports the count.
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
            self.warn(trigger, &format!("the files have the same errors as before, {}", summary.consequence()));
        } else if !self.last_faults.is_empty() && summary.diagnostics.is_empty() {
            tracing::info!("the files have no errors any more");
        }
        summary.deferred.iter().filter(|deferred| !self.last_deferred.contains(deferred)).for_each(Deferred::report);
        for setting in &summary.needs_restart {
            self.warn(trigger, &format!("{setting} has changed; the change takes effect at the next restart"));
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
            (true, Trigger::Asked) => tracing::info!("reloaded: nothing changed; {}", summary.totals()),
            (true, Trigger::Edited) => {}
        }
    }

    /// Logs a warning. Repeated warnings from edits are logged once a minute; a requested reload
    /// always logs them.
    fn warn(&self, trigger: Trigger, warning: &str) {
        let held_back = self.warnings.admit(warning);
        match (trigger, held_back) {
            (_, Some(held_back)) => tracing::warn!("{warning}{held_back}"),
            (Trigger::Asked, None) => tracing::warn!("{warning}"),
            (Trigger::Edited, None) => {}
        }
    }

    /// Publishes the outcome of a load. A load without changes adds no entry to the event log.
    fn show_loaded(&self, summary: &Summary, at: Timestamp) {
        if !summary.changes.is_empty() || summary.diagnostics != self.last_faults {
            let what = EventKind::Reloaded { changes: summary.changes.clone(), errors: summary.errors };
            self.outputs.feed.push(at, what);
        }
        self.outputs.last_load.send_replace(LastLoad::of(summary.clone(), at));
    }

    fn report_refused(&mut self, refused: &Refused, at: Timestamp) {
        tracing::error!("the reload failed, the previous configuration stays in force: {refused}");
        self.last_faults.clear();
        let why = refused.in_short();
        self.outputs.feed.push(at, EventKind::NotReloaded { why: why.clone() });
        self.outputs.last_load.send_modify(|last| {
            (last.at, last.refused) = (at, Some(why));
            last.diagnostics = refused.reported().into();
        });
    }
}

/// Sends `wanted`; receivers are woken only if it differs from the current value.
fn tell<P: PartialEq>(plans: &watch::Sender<Arc<[P]>>, wanted: Arc<[P]>) {
    plans.send_if_modified(|current| {
        let changed = **current != *wanted;
        *current = wanted;
        changed
    });
}

/// A requested reload takes precedence over an edit, because its sender waits for the outcome.
fn stronger(one: Option<Trigger>, other: Trigger) -> Trigger {
    match one {
        Some(Trigger::Asked) => Trigger::Asked,
        _ => other,
    }
}

/// Restores the saved state of the checks that still exist, and logs it.
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
        tracing::warn!(
            "{} lines of the health journal were written by another version and were ignored",
            saved_state.strange
        );
    }
    check_histories
}

/// Restores the overrides that have not expired.
fn recall_overrides(saved_state: &SavedState, at: Timestamp) -> Overrides {
    let mut overrides = saved_state.overrides.clone();
    overrides.clock_set_back(saved_state.as_of, saved_state.as_of.since(at));
    for ended in overrides.expire(at) {
        overrides::log_override(&ended, "has expired while the server was stopped");
    }
    overrides.all().iter().for_each(|known| overrides::log_override(known, "is restored"));
    overrides
}

/// What was restored, for the log.
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
            "restored the state of {} health checks from {age} ago; it holds until their next results",
            healthy + unhealthy
        );
        for name in self.unhealthy.iter().take(NAMED) {
            tracing::warn!(check = name, age, "health check {name} is unhealthy (restored from {age} ago)");
        }
        if unhealthy > NAMED {
            tracing::warn!("{} more health checks are unhealthy (restored)", unhealthy - NAMED);
        }
    }
}

/// The reason of a change of status, for the history.
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
