//! Runs each load on its own thread and gives up on a load that waits for a file system that does
//! not respond.
//!
//! No system call ends such a wait, so the thread is abandoned. The next load runs on another
//! thread and treats the file as unreadable until the file system responds. When it does, the
//! abandoned thread requests a load.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{anyhow, bail};
use tokio::sync::{mpsc, oneshot};

use crate::background;
use crate::config::{LoadPhase, Settings};
use crate::control::Event;
use crate::files::{self, UNRESPONSIVE_AFTER, Unresponsive};
use crate::health::Slots;
use crate::load::{self, LoadOutcome, LoadRequest, Loaded, LoadedConfig, Refused, Trigger};
use crate::store::{Fingerprint, SettingsSource, Writers};

/// How often the progress of a load is checked.
const LOOK: Duration = Duration::from_secs(1);
/// How long a load may yield, in addition to four times its CPU time. Edits take effect within
/// seconds even on a busy machine.
const LOADER_PATIENCE: Duration = Duration::from_millis(100);

/// The result of work on its own thread.
#[derive(Debug, PartialEq, Eq)]
enum Ended<T> {
    Done(T),
    GivenUp(Unresponsive),
    Failed(String),
}

/// The result of the load at the start: the fingerprint of the files before it, and what to serve.
pub(super) type FirstLoad = (Fingerprint, Result<Box<Loaded>, Refused>);

/// Loads until a load ends. A load that is given up is followed by one without the files that do
/// not respond.
pub(super) async fn first_load(source: &SettingsSource, settings: &Settings) -> anyhow::Result<FirstLoad> {
    loop {
        let (source, settings) = (source.clone(), settings.clone());
        let work = move || {
            let seen = Fingerprint::of(&source.targets(&settings));
            let request = LoadRequest {
                generation: 0,
                base: LoadedConfig::empty(settings),
                slots: Slots::default(),
                trigger: Trigger::Asked,
            };
            (seen, load::load(&source, request, LoadPhase::Start, &Writers::unknown()).result)
        };
        match on_a_thread(work, UNRESPONSIVE_AFTER, || {}).await {
            Ended::Done(loaded) => return Ok(loaded),
            Ended::GivenUp(unresponsive) => tracing::error!("{unresponsive}; loading again without it"),
            Ended::Failed(why) => bail!("the first load failed: {why}"),
        }
    }
}

/// Runs work that needs the state directory.
pub(super) async fn with_files<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
    match on_a_thread(work, UNRESPONSIVE_AFTER, || {}).await {
        Ended::Done(done) => Ok(done),
        Ended::GivenUp(unresponsive) => Err(anyhow!(unresponsive)),
        Ended::Failed(why) => bail!("{why}"),
    }
}

/// Runs load requests one after the other.
pub(super) async fn run(
    source: Arc<SettingsSource>,
    base: LoadedConfig,
    writers: Writers,
    mut requests: mpsc::UnboundedReceiver<LoadRequest>,
    events: mpsc::Sender<Event>,
) {
    keep_sources(base).await;
    while let Some(request) = requests.recv().await {
        let generation = request.generation;
        let writers = match request.trigger {
            Trigger::Asked => Writers::unknown(),
            Trigger::Edited => writers.clone(),
        };
        let (source, late) = (Arc::clone(&source), events.clone());
        let work = move || {
            background::lower_priority();
            background::with_yield_budget(LOADER_PATIENCE, || load::load(&source, request, LoadPhase::Reload, &writers))
        };
        // The loop runs as long as the server.
        let when_late = move || drop(late.blocking_send(Event::Reload(Trigger::Edited)));
        let outcome = match on_a_thread(work, UNRESPONSIVE_AFTER, when_late).await {
            Ended::Done(outcome) => outcome,
            Ended::GivenUp(unresponsive) => {
                LoadOutcome { generation, result: Err(Refused::Unresponsive(unresponsive)) }
            }
            Ended::Failed(why) => LoadOutcome { generation, result: Err(Refused::Panicked(why)) },
        };
        if events.send(Event::Compiled(outcome)).await.is_err() {
            return;
        }
    }
}

/// Makes the sources served at the start durable. Loads wait for this, because both need the state
/// directory.
async fn keep_sources(base: LoadedConfig) {
    let work = move || {
        background::lower_priority();
        background::with_yield_budget(LOADER_PATIENCE, || base.keep_sources()).map_err(|error| error.to_string())
    };
    let why = match on_a_thread(work, UNRESPONSIVE_AFTER, || {}).await {
        Ended::Done(Ok(())) => return,
        Ended::Done(Err(why)) | Ended::Failed(why) => why,
        Ended::GivenUp(unresponsive) => unresponsive.to_string(),
    };
    tracing::warn!("{why}; after a restart, a file that is broken then is served from an older copy, or not at all");
}

/// Runs work on its own thread. Gives up if one file operation takes longer than `patience`. If the
/// work ends later, `when_late` runs on its thread.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    patience: Duration,
    when_late: impl FnOnce() + Send + 'static,
) -> Ended<T> {
    let (done, mut outcome) = oneshot::channel();
    let work = move || {
        if done.send(work()).is_err() {
            when_late();
        }
    };
    let thread = match thread::Builder::new().name("loader".to_owned()).spawn(work) {
        Ok(handle) => handle.thread().id(),
        Err(error) => return Ended::Failed(format!("cannot start a thread: {error}")),
    };
    loop {
        match tokio::time::timeout(LOOK.min(patience), &mut outcome).await {
            Ok(Ok(outcome)) => return Ended::Done(outcome),
            Ok(Err(_)) => return Ended::Failed("a thread panicked".to_owned()),
            Err(_) => {
                if let Some(unresponsive) = files::unresponsive(thread, patience) {
                    return Ended::GivenUp(unresponsive);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc as threads;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn work_that_waits_for_files_is_given_up_and_what_it_waited_for_is_named() {
        let (end, wait) = threads::channel::<()>();
        let path = Path::new("/mount-without-a-server-3/a.toml");
        let work = move || files::operate(path, || Ok(wait.recv()));
        let (late, mut was_late) = mpsc::channel(1);
        let ended = on_a_thread(work, PATIENCE, move || {
            let _ = late.blocking_send(());
        })
        .await;
        let Ended::GivenUp(unresponsive) = ended else { panic!("{ended:?}") };
        assert_eq!(unresponsive.path, path);
        assert!(unresponsive.waited >= PATIENCE && was_late.try_recv().is_err());
        drop(end);
        was_late.recv().await.unwrap();
    }

    #[tokio::test]
    async fn work_that_takes_long_is_not_given_up_while_it_makes_progress() {
        let patience = Duration::from_secs(2);
        // The total exceeds the limit, but no single operation does.
        let steps = move || {
            (0..20).for_each(|_| {
                files::operate(Path::new("/a-slow-disk/a.toml"), || {
                    thread::sleep(patience / 16);
                    Ok(())
                })
                .unwrap();
            });
            Ok(())
        };
        let work = move || files::operate(Path::new("/a-slow-disk"), steps).map_err(|error| error.to_string());
        assert_eq!(on_a_thread(work, patience, || {}).await, Ended::Done(Ok(())));
        let computes = || thread::sleep(PATIENCE * 4);
        assert_eq!(on_a_thread(computes, PATIENCE, || {}).await, Ended::Done(()));
    }

    #[tokio::test]
    async fn a_panic_is_an_end() {
        let ended = on_a_thread(|| panic!("a fault of ours"), PATIENCE, || {}).await;
        assert!(matches!(ended, Ended::Failed::<()>(_)), "{ended:?}");
    }
}
