//! Changes of objects: they wait for the loader one after the other, and each is answered when it
//! is published.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot, watch};

use crate::health::Timestamp;
use crate::history::{EventKind, ObjectChange};
use crate::load::queue::Job;
use crate::load::{CommitOutcome, CommitRequest, CommittedConfig, LoadedConfig, Trigger, with_files};
use crate::model::{CidrCollection, DelegationSet, HealthCheck, TrafficPolicy};
use crate::objects::{
    Commit, CommitError, Committed, Object, ObjectEventKind, ObjectEvents, ObjectId, ObjectStore, ObjectWatcher,
    Position, Revision, ZoneSummary,
};

use super::{Control, Event};

/// The receiver of the outcome of a commit.
pub(crate) type CommitAnswer = oneshot::Sender<Result<Committed, CommitError>>;

/// How many commits can wait. Further ones are refused at once.
const WAITING: usize = 1024;
/// How long a caller waits for the outcome.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// The commits that wait, and the one in progress.
#[derive(Default)]
pub(super) struct Commits {
    waiting: VecDeque<(Commit, CommitAnswer)>,
    in_progress: Option<InProgress>,
    /// Whether the last good copies are older than what is served.
    is_unkept: bool,
}

struct InProgress {
    generation: u64,
    commit: Commit,
    answer: CommitAnswer,
    /// A load to begin when the commit ends.
    load: Option<Trigger>,
}

impl Control {
    /// Makes a change, or lets it wait.
    pub(super) fn commit(&mut self, commit: Commit, answer: CommitAnswer) {
        if self.commits.waiting.len() >= WAITING {
            let why = "too many changes wait; try again later".to_owned();
            return drop(answer.send(Err(CommitError::Unavailable(why))));
        }
        self.commits.waiting.push_back((commit, answer));
        self.begin_commit();
    }

    pub(super) fn is_committing(&self) -> bool {
        self.commits.in_progress.is_some()
    }

    /// Begins a load when the commit in progress ends.
    pub(super) fn load_after_commit(&mut self, trigger: Trigger) {
        if let Some(commit) = &mut self.commits.in_progress {
            commit.load = Some(super::loads::stronger(commit.load, trigger));
        }
    }

    /// Begins the next commit, if the loader is free.
    pub(super) fn begin_commit(&mut self) {
        if self.loading.is_some() || self.is_committing() {
            return;
        }
        // A caller that no longer waits has been told that nothing was changed.
        let next = std::iter::from_fn(|| self.commits.waiting.pop_front()).find(|(_, answer)| !answer.is_closed());
        let Some((commit, answer)) = next else { return };
        self.last_generation += 1;
        let (generation, base, slots) = (self.last_generation, self.base.clone(), self.tracker.slots().clone());
        let request = CommitRequest { generation, base, slots, commit: commit.clone() };
        if self.outputs.jobs.send(Job::Commit(Box::new(request))).is_err() {
            let why = "the loader has ended: nothing can be changed until a restart".to_owned();
            return drop(answer.send(Err(CommitError::Unavailable(why))));
        }
        self.commits.in_progress = Some(InProgress { generation, commit, answer, load: None });
    }

    pub(super) fn finish_commit(&mut self, outcome: CommitOutcome, at: Timestamp) {
        let CommitOutcome { generation, loaded, result } = outcome;
        let Some(InProgress { commit, answer, load, .. }) =
            self.commits.in_progress.take_if(|commit| commit.generation == generation)
        else {
            tracing::debug!(generation, "a stale commit result was dropped");
            return;
        };
        // One after the other, as the loader assigned their slots.
        for loaded in loaded.into_iter().filter_map(|outcome| outcome.result.ok()) {
            self.apply(*loaded, Trigger::FileChanged, at);
        }
        let result = result.map(|(config, committed)| {
            let counts = (config.base.zone_outlines().count(), config.base.record_sets(), config.base.checks.len());
            let CommittedConfig { base, catalog, records_by_check, change, before } = *config;
            let served = self.serve(base, catalog, records_by_check, at);
            self.report_served(served, at);
            self.tell_watchers(&commit, before, committed.revision);
            self.commits.is_unkept = true;
            self.outputs.last_load.send_modify(|last| {
                let summary = Arc::make_mut(&mut last.summary);
                (summary.zones, summary.records, summary.checks) = counts;
            });
            self.outputs.event_log.push_recorded(at, EventKind::Changed(Arc::clone(&change)));
            log_change(&change);
            committed
        });
        if let Err(error) = &result {
            log_refused(&commit, error);
        }
        // A caller that no longer waits learns the outcome by reading.
        let _ = answer.send(result);
        match load {
            Some(trigger) => self.begin_load(trigger),
            None => self.begin_commit(),
        }
    }

    /// Tells the watchers of objects about a commit.
    fn tell_watchers(&self, commit: &Commit, before: Option<Revision>, after: Option<Revision>) {
        let events = &self.outputs.object_events;
        if !events.is_watched() {
            return events.add_unknown();
        }
        let kind = match after {
            Some(after) => ObjectEventKind::Changed { before, after, change: Arc::new(commit.change.clone()) },
            None => ObjectEventKind::Removed,
        };
        events.add([(commit.id.clone(), kind)]);
    }

    /// What is served is made durable on the next tick.
    pub(super) fn keep_on_next_tick(&mut self) {
        self.commits.is_unkept = true;
    }

    /// Makes what was committed durable as last good copies, at most once a tick.
    pub(super) fn keep_committed(&mut self) {
        if std::mem::take(&mut self.commits.is_unkept) {
            // Without a loader nothing is committed either.
            let _ = self.outputs.jobs.send(Job::Keep(self.base.clone()));
        }
    }
}

/// The audit line of a change.
fn log_change(change: &ObjectChange) {
    let ObjectChange { author, name, submission, .. } = change;
    let id = submission.as_ref().map(|submission| format!(" ({})", submission.id)).unwrap_or_default();
    tracing::info!("{} of {name} by {}{id}: {}", author.operation, author.name, change.in_short());
}

fn log_refused(commit: &Commit, error: &CommitError) {
    let Commit { id, author, .. } = commit;
    let id = id.text();
    let why = error.to_string().replace('\n', "; ");
    tracing::info!("{} of {id} by {} was refused: {why}", author.operation, author.name);
}

/// The objects that a server serves. Reads see what is published; changes go through the control
/// loop.
#[derive(Clone)]
pub(crate) struct ServedObjects {
    /// The configuration in force.
    base: watch::Receiver<LoadedConfig>,
    /// The control loop.
    events: mpsc::Sender<Event>,
    /// What happens to the objects. The loop adds it.
    pub(crate) object_events: ObjectEvents,
}

impl ServedObjects {
    /// The objects of this configuration, changed by this loop.
    pub(crate) fn new(base: watch::Receiver<LoadedConfig>, events: mpsc::Sender<Event>) -> ServedObjects {
        ServedObjects { base, events, object_events: ObjectEvents::default() }
    }
}

#[async_trait]
impl ObjectStore for ServedObjects {
    fn zones(&self) -> Vec<ZoneSummary> {
        self.base.borrow().zone_summaries().collect()
    }

    fn health_checks(&self) -> Arc<[HealthCheck]> {
        Arc::clone(&self.base.borrow().checks)
    }

    fn cidr_collections(&self) -> Vec<CidrCollection> {
        self.base.borrow().cidr_collections().to_vec()
    }

    fn delegation_sets(&self) -> Vec<DelegationSet> {
        self.base.borrow().delegation_sets().to_vec()
    }

    fn traffic_policies(&self) -> Vec<TrafficPolicy> {
        self.base.borrow().traffic_policies().to_vec()
    }

    async fn read(&self, id: &ObjectId) -> Result<(Revision, Object), CommitError> {
        let mut published = self.base.clone();
        loop {
            let (base, id) = (published.borrow_and_update().clone(), id.clone());
            let read = move || {
                let object = base.object(&id)?;
                // Every object that is served has a file.
                let revision =
                    base.revision(&id).ok_or_else(|| CommitError::Unavailable("no file defines it".to_owned()))?;
                Ok((revision, object))
            };
            let read = with_files(read).await.unwrap_or_else(|error| Err(CommitError::Unavailable(error.to_string())));
            // What was read may have been replaced meanwhile; then the new state is read.
            if !matches!(read, Err(CommitError::Unavailable(_))) || !published.has_changed().unwrap_or(false) {
                return read;
            }
        }
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, CommitError> {
        let (answer, outcome) = oneshot::channel();
        let ended = || CommitError::Unavailable("the server is stopping".to_owned());
        let commit = async {
            self.events.send(Event::Commit(Box::new(commit), answer)).await.map_err(|_| ended())?;
            outcome.await.map_err(|_| ended())?
        };
        tokio::time::timeout(COMMIT_TIMEOUT, commit).await.unwrap_or(Err(CommitError::Late))
    }

    /// Nothing in the server watches objects yet: what it keeps for each of them has its revision.
    fn watch(&self, after: Option<Position>) -> Box<dyn ObjectWatcher> {
        self.object_events.watch(after)
    }
}
