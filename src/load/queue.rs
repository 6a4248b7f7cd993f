//! The queue of loads and commits: they run one after the other, each on its own thread. A load
//! that waits for a file system that does not respond is given up.
//!
//! The next load runs on another thread and treats the file as unreadable until the file system
//! responds. When it does, the abandoned thread requests a load.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::background;
use crate::config::{LoadPhase, Settings};
use crate::files::UNRESPONSIVE_AFTER;
use crate::health::Slots;
use crate::history::History;
use crate::log_limit::LogLimit;
use crate::objects::CommitError;
use crate::store::{Fingerprint, SettingsSource};

use super::commit::{CommitOutcome, CommitRequest, commit};
use super::thread::{Ended, Worker, on_a_thread};
use super::{InMemorySources, LoadOutcome, LoadRequest, Loaded, LoadedConfig, Refused, Sources, Trigger, load};

/// How long a load or a change may yield, in addition to four times its CPU time. Edits take effect
/// within seconds even on a busy machine.
const YIELD_BUDGET: Duration = Duration::from_millis(100);
/// How often files that changes replaced are looked at, while there are any.
const LOOK_AT_REPLACED: Duration = Duration::from_secs(1);

/// What the queue does.
pub(crate) enum Job {
    /// A load.
    Load(LoadRequest),
    /// A change of an object.
    Commit(Box<CommitRequest>),
    /// Makes the sources that are served durable.
    Keep(LoadedConfig),
}

/// What the queue reports.
pub(crate) enum LoadEvent {
    /// A load ended.
    Ended(LoadOutcome),
    /// A commit ended.
    Committed(Box<CommitOutcome>),
    /// A file system responds again: what it holds should be loaded.
    Responsive,
}

/// Where the loads of a queue read from.
#[derive(Clone)]
pub(crate) struct LoadInputs {
    /// The settings file and the command line.
    pub(crate) settings: Arc<SettingsSource>,
    /// The sources for loads after edits, which wait for writers.
    pub(crate) edited: Arc<dyn Sources>,
    /// The sources for requested loads, which do not.
    pub(crate) requested: Arc<dyn Sources>,
}

/// The first load of a server.
pub(crate) struct FirstLoad {
    /// The fingerprint of the files before they were loaded.
    pub(crate) seen: Fingerprint,
    /// What to serve.
    pub(crate) loaded: Box<Loaded>,
}

impl LoadInputs {
    /// Zone files in memory.
    pub(crate) fn in_memory(settings: SettingsSource, sources: Arc<InMemorySources>) -> LoadInputs {
        let requested: Arc<dyn Sources> = sources;
        LoadInputs { settings: Arc::new(settings), edited: Arc::clone(&requested), requested }
    }

    /// Sources for loads after edits, and for requested loads.
    pub(crate) fn of(settings: SettingsSource, edited: Arc<dyn Sources>, requested: Arc<dyn Sources>) -> LoadInputs {
        LoadInputs { settings: Arc::new(settings), edited, requested }
    }
}

/// Loads until a load ends. A load that is given up is followed by one without the files that do
/// not respond.
pub(crate) async fn first_load(
    source: &SettingsSource,
    settings: &Settings,
    history: &History,
    sources: &Arc<dyn Sources>,
) -> Result<FirstLoad, Refused> {
    loop {
        let (source, settings, history) = (source.clone(), settings.clone(), history.clone());
        let sources = Arc::clone(sources);
        let work = move || {
            let seen = Fingerprint::of(&source.targets(&settings));
            let base = LoadedConfig::empty(settings).with_history(history);
            let request = LoadRequest { generation: 0, base, slots: Slots::default(), trigger: Trigger::Requested };
            let outcome = load(&source, &*sources, request, LoadPhase::Start);
            outcome.result.map(|loaded| FirstLoad { seen, loaded })
        };
        match on_a_thread(work, UNRESPONSIVE_AFTER, || {}).await {
            Ended::Done(loaded) => return loaded,
            Ended::GivenUp(unresponsive) => tracing::error!("{unresponsive}; loading again without it"),
            Ended::Failed(why) => return Err(Refused::Panicked(why)),
        }
    }
}

/// Does jobs until `jobs` is closed or the task is stopped; a job in progress is then abandoned.
/// First, it makes the sources of `base` durable. Reports to `events`.
pub(crate) async fn run<E: From<LoadEvent> + Send + 'static>(
    inputs: LoadInputs,
    base: LoadedConfig,
    mut jobs: mpsc::UnboundedReceiver<Job>,
    events: mpsc::Sender<E>,
) {
    let warnings = LogLimit::default();
    keep_sources(base, &warnings).await;
    let mut looks = tokio::time::interval(LOOK_AT_REPLACED);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut has_replaced = false;
    let mut worker = Worker::default();
    loop {
        let job = tokio::select! {
            job = jobs.recv() => job,
            _ = looks.tick(), if has_replaced => {
                has_replaced = look_at_replaced(&inputs).await;
                continue;
            }
        };
        let Some(job) = job else { return };
        let event = match job {
            Job::Load(request) => LoadEvent::Ended(run_one(&inputs, request, events.clone()).await),
            Job::Commit(request) => {
                has_replaced = true;
                LoadEvent::Committed(Box::new(commit_one(&inputs, *request, &mut worker).await))
            }
            Job::Keep(base) => {
                keep_sources(base, &warnings).await;
                continue;
            }
        };
        if events.send(event.into()).await.is_err() {
            return;
        }
    }
}

async fn commit_one(inputs: &LoadInputs, request: CommitRequest, worker: &mut Worker) -> CommitOutcome {
    let generation = request.generation;
    let (settings, sources) = (Arc::clone(&inputs.settings), Arc::clone(&inputs.requested));
    let (watched, replaced) = (Arc::clone(&inputs.edited), Arc::clone(&inputs.requested));
    // If this is given up and the disk responds later, the watcher sees the file.
    let work = move || background::with_yield_budget(YIELD_BUDGET, || commit(&settings, &*sources, &*watched, request));
    // Removing a file can take as long as syncing one.
    let afterwards = move || replaced.remove_replaced();
    let why = match worker.run(work, afterwards, UNRESPONSIVE_AFTER).await {
        Ended::Done(outcome) => return outcome,
        Ended::GivenUp(unresponsive) => format!("{unresponsive}; the change may be made later"),
        Ended::Failed(why) => why,
    };
    CommitOutcome { generation, loaded: Vec::new(), result: Err(CommitError::Unavailable(why)) }
}

async fn look_at_replaced(inputs: &LoadInputs) -> bool {
    let sources = Arc::clone(&inputs.requested);
    match on_a_thread(move || sources.look_at_replaced(), UNRESPONSIVE_AFTER, || {}).await {
        Ended::Done(has_replaced) => has_replaced,
        Ended::GivenUp(_) | Ended::Failed(_) => false,
    }
}

async fn run_one<E: From<LoadEvent> + Send + 'static>(
    inputs: &LoadInputs,
    request: LoadRequest,
    events: mpsc::Sender<E>,
) -> LoadOutcome {
    let generation = request.generation;
    let sources = match request.trigger {
        Trigger::Requested => Arc::clone(&inputs.requested),
        Trigger::FileChanged => Arc::clone(&inputs.edited),
    };
    let settings = Arc::clone(&inputs.settings);
    let work = move || {
        background::lower_priority();
        background::with_yield_budget(YIELD_BUDGET, || load(&settings, &*sources, request, LoadPhase::Reload))
    };
    // The receiver may have ended by then.
    let when_late = move || drop(events.blocking_send(LoadEvent::Responsive.into()));
    match on_a_thread(work, UNRESPONSIVE_AFTER, when_late).await {
        Ended::Done(outcome) => outcome,
        Ended::GivenUp(unresponsive) => LoadOutcome { generation, result: Err(Refused::Unresponsive(unresponsive)) },
        Ended::Failed(why) => LoadOutcome { generation, result: Err(Refused::Panicked(why)) },
    }
}

/// Makes the sources that are served durable. Loads wait for this, because both need the state
/// directory.
async fn keep_sources(base: LoadedConfig, warnings: &LogLimit) {
    let work = move || {
        background::lower_priority();
        background::with_yield_budget(YIELD_BUDGET, || base.keep_sources()).map_err(|error| error.to_string())
    };
    let why = match on_a_thread(work, UNRESPONSIVE_AFTER, || {}).await {
        Ended::Done(Ok(())) => return,
        Ended::Done(Err(why)) | Ended::Failed(why) => why,
        Ended::GivenUp(unresponsive) => unresponsive.to_string(),
    };
    // In a cluster, and after changes, it is tried every second.
    if let Some(held_back) = warnings.admit(&why) {
        tracing::warn!(
            "{why}; if a file is broken at the next restart, an older copy of it is served, or none{held_back}"
        );
    }
}
