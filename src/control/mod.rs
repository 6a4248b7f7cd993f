//! The one loop that changes the world.
//!
//! ```text
//!  probes ──▶ Observed ──▶ ┌─────────┐ ──▶ World, published           (what queries see)
//!  edits, SIGHUP ▶ Reload ▶ │ Control │ ──▶ probe plans, how many wait  (what probes do)
//!  loader ──▶ Compiled ──▶ └─────────┘ ──▶ load requests              (what the loader does)
//! ```
//!
//! The loop decides; it does not toil: reading, parsing, compiling and making durable run beside it in [`mod@load`], which gets
//! a picture of what is served and hands back what should be. One load is under way at a time, so that nothing it was
//! based on has changed when it comes back; edits that come meanwhile are loaded after it.

mod load;
mod moves;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::health::{CheckSlot, Generation, MetricPlan, Moment, Observation, ProbePlan, Status, Tracker, Transition};
use crate::world::{Publisher, Reader, World};

pub use load::{Base, LoadOutcome, LoadRequest, Loaded, Refused, Summary, load};
use moves::Moves;

/// Everything that can happen to the loop.
pub enum Event {
    /// A probe has a result.
    Observed(Observed),
    /// The loader is done.
    Compiled(LoadOutcome),
    /// Files were edited, or somebody asks for a reload.
    Reload(Trigger),
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
    /// What was seen, in Route 53's words; read only when the check flips.
    pub status: Box<dyn fmt::Display + Send>,
}

/// Why to load again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Somebody asked (SIGHUP): wants to hear what came of it, even when nothing changed.
    Asked,
    /// A file looks different.
    Edited,
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
    pub base: watch::Sender<Base>,
}

/// The state of the loop.
pub struct Control {
    tracker: Tracker,
    base: Base,
    moves: Moves,
    publisher: Publisher,
    reader: Reader,
    outputs: Outputs,
    last_generation: u64,
    loading: Option<Loading>,
    /// Faults that were last reported: the same ones are not printed in full again.
    last_faults: String,
}

/// A load that is under way.
struct Loading {
    generation: u64,
    trigger: Trigger,
    /// Something happened since it began.
    again: Option<Trigger>,
}

impl Control {
    /// The loop with its first world, which the reader sees.
    pub fn new(loaded: Loaded, outputs: Outputs, at: Moment) -> (Control, Reader) {
        let mut tracker = Tracker::new();
        tracker.apply(&loaded.base.checks, at);
        let world = World::new(Arc::clone(&loaded.catalog), &tracker.bits(), Arc::clone(&loaded.base.locator));
        let (publisher, reader) = Publisher::new(world);
        let control = Control {
            tracker,
            base: loaded.base,
            moves: loaded.moves,
            publisher,
            reader: reader.clone(),
            outputs,
            last_generation: 0,
            loading: None,
            last_faults: loaded.summary.faults,
        };
        control.tell_probes();
        control.outputs.base.send_replace(control.base.clone());
        (control, reader)
    }

    /// Handles events until `Stop`, or until nobody is left to send any. `now` reads the clock.
    pub async fn run(mut self, mut events: mpsc::Receiver<Event>, now: impl Fn() -> Moment) {
        while let Some(event) = events.recv().await {
            if self.handle(event, now()) == Flow::Stop {
                return;
            }
        }
    }

    /// Lets one event have its effects.
    pub fn handle(&mut self, event: Event, at: Moment) -> Flow {
        match event {
            Event::Observed(observed) => self.observe(&observed, at),
            Event::Compiled(outcome) => self.take(outcome, at),
            Event::Reload(trigger) => self.reload(trigger),
            Event::Stop => return Flow::Stop,
        }
        Flow::Continue
    }

    fn observe(&mut self, observed: &Observed, at: Moment) {
        let transitions = self.tracker.observe(observed.slot, observed.generation, observed.observation, at);
        if !transitions.is_empty() {
            // Answers first, words later; and one world for a check and the calculated checks that turn with it.
            let slots: Vec<CheckSlot> = transitions.iter().map(|transition| transition.slot).collect();
            self.publisher.publish(self.reader.load().with_health(&self.tracker.bits(), &slots));
        }
        for transition in &transitions {
            match transition.slot == observed.slot {
                true => self.log_transition(transition, &observed.status),
                false => self.log_transition(transition, &transition.cause),
            }
        }
        self.tell_pending();
    }

    fn reload(&mut self, trigger: Trigger) {
        match &mut self.loading {
            Some(loading) => loading.again = Some(stronger(loading.again, trigger)),
            None => self.begin_load(trigger),
        }
    }

    fn begin_load(&mut self, trigger: Trigger) {
        self.last_generation += 1;
        let generation = self.last_generation;
        let request = LoadRequest { generation, base: self.base.clone(), tracker: self.tracker.clone() };
        if self.outputs.loads.send(request).is_err() {
            tracing::error!("nothing can be loaded any more: the loader is gone");
            return;
        }
        self.loading = Some(Loading { generation, trigger, again: None });
    }

    fn take(&mut self, outcome: LoadOutcome, at: Moment) {
        let Some(loading) = self.loading.take_if(|loading| loading.generation == outcome.generation) else {
            tracing::debug!(generation = outcome.generation, "a stale load is dropped");
            return;
        };
        match outcome.result {
            Ok(loaded) => self.apply(*loaded, loading.trigger, at),
            Err(refused) => self.report_refused(&refused),
        }
        if let Some(trigger) = loading.again {
            self.begin_load(trigger);
        }
    }

    /// Makes what was loaded the world. The loader dealt the slots on a copy of this tracker, to which nothing was applied
    /// since, so the tracker deals the same ones now.
    fn apply(&mut self, loaded: Loaded, trigger: Trigger, at: Moment) {
        let Loaded { base, catalog, moves, summary } = loaded;
        let applied = self.tracker.apply(&base.checks, at);
        let world = self.reader.load().followed_by(catalog, &self.tracker.bits(), Arc::clone(&base.locator));
        self.publisher.publish(world);
        (self.base, self.moves) = (base, moves);
        self.tell_probes();
        self.outputs.base.send_replace(self.base.clone());
        self.report_loaded(&summary, trigger);
        for transition in &applied.transitions {
            self.log_transition(transition, &transition.cause);
        }
        self.last_faults = summary.faults;
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

    fn log_transition(&self, transition: &Transition, status: &dyn fmt::Display) {
        let Transition { slot, name, from, to, .. } = transition;
        let (from, to) = (word(*from), word(*to));
        let (status, records) = (status.to_string(), self.moves.of(*slot).to_string());
        let check = &**name;
        match transition.to {
            Status::Healthy => tracing::info!(check, from, to, status, records, "health check {name} is {to}"),
            Status::Unhealthy => tracing::warn!(check, from, to, status, records, "health check {name} is {to}"),
        }
    }

    fn report_loaded(&self, summary: &Summary, trigger: Trigger) {
        if !summary.faults.is_empty() && summary.faults != self.last_faults {
            tracing::error!("faults in the files, {}:\n{}", summary.consequence(), summary.faults.trim_end());
        } else if summary.errors > 0 {
            tracing::warn!("the faults are as before, {}", summary.consequence());
        } else if !self.last_faults.is_empty() && summary.faults.is_empty() {
            tracing::info!("the files are without fault again");
        }
        for setting in &summary.needs_restart {
            tracing::warn!("{setting} has changed: that needs a restart");
        }
        if let Some(warning) = &summary.state_warning {
            tracing::warn!("{warning}; a restart will have no last good sources");
        }
        match (summary.changes.is_empty(), trigger) {
            (false, _) => tracing::info!("reloaded: {}; {}", summary.changes.join(", "), summary.totals()),
            (true, Trigger::Asked) => tracing::info!("reloaded: nothing has changed; {}", summary.totals()),
            (true, Trigger::Edited) => {}
        }
    }

    fn report_refused(&mut self, refused: &Refused) {
        tracing::error!("nothing was reloaded, everything is served as before: {refused}");
        self.last_faults.clear();
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

fn word(status: Status) -> &'static str {
    match status {
        Status::Healthy => "healthy",
        Status::Unhealthy => "unhealthy",
    }
}
