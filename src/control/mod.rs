//! The control loop: the only code that changes the world that queries are answered from.
//!
//! ```text
//!  probes ──▶ Observed ───▶ ┌─────────┐ ──▶ World, published         (what queries see)
//!  API ──▶ SetOverride … ──▶ │ Control │ ──▶ HealthView, published    (what the API reads)
//!  edits, SIGHUP ──▶ Reload ▶│         │ ──▶ probe schedule, load requests
//!  loader ──▶ Compiled ────▶ │         │ ──▶ lines of the saved state  (what a restart restores)
//!  nodes ──▶ Opinions ─────▶ │         │ ──▶ log, webhook, event log
//!  clock ──▶ Tick ─────────▶ └─────────┘
//! ```
//!
//! The loop takes all events that wait, up to a limit, decides what each of them changes
//! (`results`, `overrides`, `opinions`, `connectivity`), and publishes the outcome once (`batch`).
//! Code that only reads health reads the published view (`view`) and sends no event.
//!
//! The loop never does slow work. Reading, parsing, compiling and fsync run on the loader thread
//! (`load`), which receives a copy of the loaded configuration and returns the new one. Only one
//! load runs at a time, so its base cannot change under it. Edits that arrive during a load start
//! another load when it ends.

mod announcement;
mod batch;
mod check_histories;
#[cfg(test)]
mod commit_tests;
mod commits;
mod connectivity;
#[cfg(test)]
mod engine_tests;
mod event_log;
mod loads;
#[cfg(test)]
mod merge_tests;
mod metrics;
mod notices;
#[cfg(test)]
mod opinion_tests;
mod opinions;
mod override_outcome;
mod overrides;
mod reloads;
mod restore;
mod results;
mod saved_state;
mod saving;
mod shared_overrides;
#[cfg(test)]
mod tests;
mod time_format;
mod timers;
mod view;
mod what_if;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::background;
use crate::health::agreement::NodeNews;
use crate::health::{
    CheckSlot, Generation, Latency, Observation, OverrideRequest, Overrides, Pattern, Reason, ScheduledMetric,
    ScheduledProbe, Sentinels, Timestamp, Tracker,
};
use crate::history::EventKind;
use crate::load::queue::{Job, LoadEvent};
use crate::load::{
    CommitOutcome, Deferred, LoadDiagnostics, LoadOutcome, Loaded, LoadedConfig, RecordsByCheck, Trigger,
};
use crate::log_limit::LogLimit;
use crate::objects::{Commit, ObjectEvents};
use crate::store::StateWriter;
use crate::world::{Publisher, Reader, World};

use batch::Unpublished;
use check_histories::CheckHistories;
use commits::Commits;
pub(crate) use commits::{CommitAnswer, ServedObjects};
pub(crate) use event_log::{EventLog, Since};
pub(crate) use loads::LastLoad;
use loads::Loading;
use metrics::MetricsCounters;
#[cfg(test)]
pub(crate) use metrics::{CheckCounters, LatencyMetrics, OpinionCounts, ReloadMetrics, ServedCounts};
pub(crate) use metrics::{CheckMetrics, LATENCY_BOUNDS, MetricsSnapshot, ReloadResult};
pub(crate) use notices::{HealthNoticeKind, Notice, NoticeCheck};
use opinions::Opinions;
pub(crate) use opinions::{NodeOpinion, OwnOpinions};
pub(crate) use override_outcome::{Answer, OverrideError, OverrideOutcome, OverrideView};
use overrides::OverridesInForce;
pub(crate) use reloads::Reloads;
pub(crate) use saved_state::SavedState;
pub(crate) use shared_overrides::{
    ChangedOverrides, NewOverrides, OverrideChange, decide_overrides, read_overrides, write_overrides,
};
pub(crate) use time_format::{humanize_duration, parse_rfc3339, rfc3339, rfc3339_milliseconds};
pub(crate) use view::{CheckReport, HealthReader, HealthView};
pub(crate) use what_if::{CheckSnapshot, HypotheticalHealth, PlannedChange, WhatIf, set_hypothetical};

/// How many events are handled before their outcome is published. It limits how long the first of
/// them waits for the others.
const BATCH: usize = 256;
/// How many checks or records are listed one by one.
const LISTED_LINES: usize = 10;

/// The events of the control loop.
pub(crate) enum Event {
    /// A probe finished.
    Observed(Observed),
    /// The loader finished.
    Compiled(LoadOutcome),
    /// Files were edited, or a reload was requested.
    Reload(Trigger),
    /// Change an object. The answer is sent when the change is durable and published.
    Commit(Box<Commit>, CommitAnswer),
    /// The loader made a change, or did not.
    Committed(Box<CommitOutcome>),
    /// Set an override. The answer is sent when the override is published and durable.
    SetOverride(OverrideRequest, Answer),
    /// Clear the overrides with this pattern.
    ClearOverrides(Pattern, Answer),
    /// The nodes of a cluster have these overrides now.
    SharedOverrides(Box<NewOverrides>),
    /// Other nodes of the cluster stated their opinions of health, or are gone.
    Opinions(Vec<NodeNews>),
    /// The address of this node of a cluster.
    Address(IpAddr),
    /// Answer, to show that the loop responds.
    Ping(oneshot::Sender<()>),
    /// The wait for first results is over. From now on each change of status is logged.
    Started,
    /// One second has passed.
    Tick,
    /// Save the state and end the loop.
    Stop,
}

impl From<LoadEvent> for Event {
    fn from(event: LoadEvent) -> Event {
        match event {
            LoadEvent::Ended(outcome) => Event::Compiled(outcome),
            LoadEvent::Committed(outcome) => Event::Committed(outcome),
            LoadEvent::Responsive => Event::Reload(Trigger::FileChanged),
        }
    }
}

/// The result of one probe.
pub(crate) struct Observed {
    /// The check.
    pub(crate) slot: CheckSlot,
    /// The generation of the slot that was probed.
    pub(crate) generation: Generation,
    /// Whether the probe passed.
    pub(crate) observation: Observation,
    /// The reason as a metric label.
    pub(crate) reason: Reason,
    /// The status in Route 53's wording.
    pub(crate) status: Box<dyn fmt::Display + Send>,
    /// Connect and response times.
    pub(crate) latency: Latency,
    /// How long ago the probe began, including name resolution and waiting for a free slot.
    pub(crate) took: Duration,
}

/// Whether the loop continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Wait for the next event.
    Continue,
    /// The loop has ended.
    Stop,
}

/// The channels that the loop writes to.
pub(crate) struct Outputs {
    /// Endpoint probes for the prober.
    pub(crate) probes: watch::Sender<Arc<[ScheduledProbe]>>,
    /// Prometheus queries for the prober.
    pub(crate) metric_checks: watch::Sender<Arc<[ScheduledMetric]>>,
    /// How many checks have no result yet.
    pub(crate) pending: watch::Sender<usize>,
    /// Counts the changes of what this node says to the other nodes of its cluster.
    pub(crate) opinions: watch::Sender<u64>,
    /// The jobs of the loader.
    pub(crate) jobs: mpsc::UnboundedSender<Job>,
    /// The configuration in force; the watcher follows it.
    pub(crate) base: watch::Sender<LoadedConfig>,
    /// The state that a restart restores.
    pub(crate) state_writer: StateWriter,
    /// Notices for the webhook.
    pub(crate) notices: mpsc::Sender<Notice>,
    /// How many reloads were requested and are done.
    pub(crate) reloads: watch::Sender<Reloads>,
    /// The event log that the dashboard and `fiftythree watch` read.
    pub(crate) event_log: EventLog,
    /// What happens to objects. It ends with the loop.
    pub(crate) object_events: ObjectEvents,
    /// The outcome of the last load.
    pub(crate) last_load: watch::Sender<LastLoad>,
    /// Changes of the overrides that the nodes of a cluster share. `None` without a cluster.
    pub(crate) shared_overrides: Option<mpsc::Sender<OverrideChange>>,
}

/// The control loop and its state.
pub(crate) struct Control {
    tracker: Tracker,
    base: LoadedConfig,
    records_by_check: Arc<RecordsByCheck>,
    started: Timestamp,
    check_histories: CheckHistories,
    counters: MetricsCounters,
    overrides: Arc<Overrides>,
    /// The effects of `overrides` at this moment.
    in_force: Arc<OverridesInForce>,
    sentinels: Sentinels,
    /// What other nodes say; `None` without a cluster.
    opinions: Option<Opinions>,
    /// The time of the last event.
    now: Timestamp,
    /// The time of the last tick.
    ticked: Timestamp,
    publisher: Publisher,
    reader: Reader,
    health: HealthReader,
    unpublished: Unpublished,
    /// Worlds with earlier catalogs. Each is kept until no worker has its catalog, so that none of
    /// them has to free zones while queries wait. A worker has at most one world.
    retired: Vec<Arc<World>>,
    outputs: Outputs,
    last_generation: u64,
    loading: Option<Loading>,
    commits: Commits,
    /// The diagnostics that were last reported. The same ones are not printed in full again.
    last_diagnostics: Arc<LoadDiagnostics>,
    /// Files whose edits were deferred by the last load.
    last_deferred: Vec<Deferred>,
    warnings: LogLimit,
    /// True until `Event::Started`: one line then lists the unhealthy checks.
    is_starting: bool,
    /// Notices dropped since the last one that was sent.
    notices_lost: u64,
    /// A buffer for formatting status messages, reused for each result.
    status_text: String,
}

impl Control {
    /// Creates the loop, its first world and its first view from the loaded configuration and the
    /// saved state.
    pub(crate) fn new(
        loaded: Loaded,
        saved_state: &SavedState,
        outputs: Outputs,
        at: Timestamp,
    ) -> (Control, Reader, HealthReader) {
        let Loaded { base, catalog, records_by_check, summary } = loaded;
        let mut tracker = Tracker::new();
        tracker.apply(&base.checks, at);
        let check_histories = restore::restore_checks(&mut tracker, &base, saved_state, at);
        let opinions = Opinions::of(&base.settings);
        if let Some(opinions) = &opinions {
            opinions.hold_all(&mut tracker, at);
        }
        let overrides = restore::restore_overrides(saved_state, at);
        let mut overridden = overrides::apply_overrides(&mut tracker, &overrides, at);
        let in_force = OverridesInForce::of(&tracker, &overrides, at);
        // Changes that an override made before the restart were reported then.
        overridden
            .retain(|new| check_histories.of(new.slot).history.last_transition().is_none_or(|last| last.to != new.to));
        let checks = tracker.bits().with_draining(in_force.shares(&tracker, at)).with_at_once(in_force.up.clone());
        let recoveries = saved_state.recoveries_at(at);
        let world = World::with_recoveries(catalog, &checks, Arc::clone(&base.geo_lookup), &recoveries, at);
        let (publisher, reader) = Publisher::new(world);
        let health = HealthReader::new(HealthView::empty(reader.load(), base.clone(), at));
        let mut control = Control {
            tracker,
            base,
            records_by_check,
            started: at,
            check_histories,
            counters: MetricsCounters::new(&summary, at),
            in_force: in_force.into(),
            overrides: overrides.into(),
            sentinels: Sentinels::default(),
            opinions,
            now: at,
            ticked: at,
            publisher,
            reader: reader.clone(),
            health: health.clone(),
            unpublished: Unpublished::default(),
            retired: Vec::new(),
            outputs,
            last_generation: 0,
            loading: None,
            commits: Commits::default(),
            last_diagnostics: Arc::clone(&summary.diagnostics),
            last_deferred: Vec::new(),
            warnings: LogLimit::default(),
            is_starting: true,
            notices_lost: 0,
            status_text: String::new(),
        };
        control.publish_probes();
        control.outputs.base.send_replace(control.base.clone());
        control.outputs.last_load.send_replace(LastLoad::of(summary, at));
        control.record_overridden(overridden, at);
        control.set_sentinels();
        control.check_connectivity(at);
        control.publish_batch(at);
        control.save_all(at);
        (control, reader, health)
    }

    /// The names of the checks that have neither a result nor a saved state.
    pub(crate) fn pending_checks(&self) -> Vec<Arc<str>> {
        self.tracker.views().filter(|view| view.pending).map(|view| view.name).collect()
    }

    /// Handles events until `Stop`, or until all senders are dropped. `now` reads the clock.
    pub(crate) async fn run(mut self, mut events: mpsc::Receiver<Event>, now: impl Fn() -> Timestamp) {
        let mut batch = Vec::with_capacity(BATCH);
        while events.recv_many(&mut batch, BATCH).await > 0 {
            if self.handle(batch.drain(..), &now) == Flow::Stop {
                break;
            }
        }
        self.outputs.object_events.end();
    }

    /// Handles a batch of events and publishes their outcome.
    pub(crate) fn handle(&mut self, batch: impl IntoIterator<Item = Event>, now: &dyn Fn() -> Timestamp) -> Flow {
        for event in batch {
            if self.decide(event, now()) == Flow::Stop {
                return Flow::Stop;
            }
            background::yield_point();
        }
        self.publish_batch(self.now);
        Flow::Continue
    }

    /// Decides what one event changes.
    fn decide(&mut self, event: Event, at: Timestamp) -> Flow {
        self.check_clock(at);
        match event {
            Event::Observed(observed) => self.observe(&observed, at),
            Event::Compiled(outcome) => self.finish_load(outcome, at),
            Event::Reload(trigger) => self.reload(trigger),
            Event::Commit(commit, answer) => self.commit(*commit, answer),
            Event::Committed(outcome) => self.finish_commit(*outcome, at),
            Event::SetOverride(request, answer) => self.set_override(request, answer, at),
            Event::ClearOverrides(pattern, answer) => self.clear_overrides(&pattern, answer, at),
            Event::SharedOverrides(new) => self.take_shared_overrides(*new, at),
            Event::Opinions(news) => self.hear(&news, at),
            Event::Address(address) => self.set_address(address),
            // A receiver that is gone does not need the answer.
            Event::Ping(answer) => drop(answer.send(())),
            Event::Started => {
                self.agree_on_all(at);
                self.publish_batch(at);
                self.is_starting = false;
                restore::log_unhealthy(&self.tracker);
            }
            Event::Tick => self.tick(at),
            Event::Stop => {
                self.publish_batch(at);
                self.save_all(at);
                return Flow::Stop;
            }
        }
        Flow::Continue
    }

    fn tick(&mut self, at: Timestamp) {
        self.advance_overrides(at);
        self.forget_stale_opinions(at);
        // Recoveries advance in the world that is published.
        self.publish_batch(at);
        self.advance_recoveries(at);
        self.free_retired();
        self.ticked = at;
        self.keep_committed();
        if self.outputs.state_writer.wants_all() {
            self.save_all(at);
        }
    }

    /// Frees the retired worlds whose catalogs are used nowhere else, in this world or another one.
    fn free_retired(&mut self) {
        self.retired.retain(|world| Arc::strong_count(world) > 1 || Arc::strong_count(world.catalog()) > 1);
    }

    fn publish_probes(&self) {
        send_if_changed(&self.outputs.probes, self.tracker.probes().into());
        send_if_changed(&self.outputs.metric_checks, self.tracker.metrics().into());
        self.publish_pending();
    }

    fn publish_pending(&self) {
        let pending = self.tracker.pending();
        self.outputs.pending.send_if_modified(|current| std::mem::replace(current, pending) != pending);
    }
}

/// Sends a schedule; receivers are woken only if it differs from the current one.
fn send_if_changed<P: PartialEq>(channel: &watch::Sender<Arc<[P]>>, schedule: Arc<[P]>) {
    channel.send_if_modified(|current| {
        let changed = **current != *schedule;
        *current = schedule;
        changed
    });
}
