//! Runs work on its own thread and gives up if it waits for a file system that does not respond.
//!
//! No system call ends such a wait, so the thread is abandoned.

use std::io;
use std::sync::mpsc;
use std::thread::{self, ThreadId};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::background;
use crate::files::{self, UNRESPONSIVE_AFTER, Unresponsive};

/// How often the progress of the work is checked.
const LOOK: Duration = Duration::from_secs(1);

/// The result of work on its own thread.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended<T> {
    Done(T),
    GivenUp(Unresponsive),
    Failed(String),
}

/// Why work with files has no result.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum FilesError {
    /// A file system does not respond.
    #[error(transparent)]
    Unresponsive(#[from] Unresponsive),
    /// A bug in this program, or no thread could be started.
    #[error("{0}")]
    Failed(String),
}

/// Runs work that reads or writes files, and waits for it as long as the file systems respond.
pub(crate) async fn with_files<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, FilesError> {
    match on_a_thread(work, UNRESPONSIVE_AFTER, || {}).await {
        Ended::Done(done) => Ok(done),
        Ended::GivenUp(unresponsive) => Err(FilesError::Unresponsive(unresponsive)),
        Ended::Failed(why) => Err(FilesError::Failed(why)),
    }
}

/// Runs work on its own thread. Gives up if one file operation takes longer than `limit`. If the
/// work ends later, `when_late` runs on its thread.
pub(super) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    limit: Duration,
    when_late: impl FnOnce() + Send + 'static,
) -> Ended<T> {
    let (done, outcome) = oneshot::channel();
    let work = move || {
        if done.send(work()).is_err() {
            when_late();
        }
    };
    match spawn(work) {
        Ok(thread) => end_of(outcome, thread, limit).await,
        Err(error) => no_thread(&error),
    }
}

/// A thread of low priority for work that comes again and again. It keeps the memory that it has
/// used, which a new thread gets from the system each time.
#[derive(Default)]
pub(super) struct Worker(Option<(mpsc::Sender<Work>, ThreadId)>);

type Work = Box<dyn FnOnce() + Send>;

impl Worker {
    /// Runs work like [`on_a_thread`]. A thread that is given up is replaced. `afterwards` runs
    /// when the result is known, before the next work.
    pub(super) async fn run<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
        afterwards: impl FnOnce() + Send + 'static,
        limit: Duration,
    ) -> Ended<T> {
        let (done, outcome) = oneshot::channel();
        let work = move || {
            let _ = done.send(work());
            afterwards();
        };
        let thread = match self.hand_over(Box::new(work)) {
            Ok(thread) => thread,
            Err(error) => return no_thread(&error),
        };
        let ended = end_of(outcome, thread, limit).await;
        if !matches!(ended, Ended::Done(_)) {
            self.0 = None;
        }
        ended
    }

    fn hand_over(&mut self, work: Work) -> io::Result<ThreadId> {
        let work = match &self.0 {
            Some((inbox, thread)) => match inbox.send(work) {
                Ok(()) => return Ok(*thread),
                Err(mpsc::SendError(work)) => work,
            },
            None => work,
        };
        let (inbox, works) = mpsc::channel::<Work>();
        // The thread ends when this worker is dropped.
        let works = move || {
            background::lower_priority();
            works.iter().for_each(|work| work());
        };
        let thread = spawn(works)?;
        let _ = inbox.send(work);
        self.0 = Some((inbox, thread));
        Ok(thread)
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<ThreadId> {
    thread::Builder::new().name("loader".to_owned()).spawn(work).map(|handle| handle.thread().id())
}

fn no_thread<T>(error: &io::Error) -> Ended<T> {
    Ended::Failed(format!("cannot start a thread: {error}"))
}

async fn end_of<T>(mut outcome: oneshot::Receiver<T>, thread: ThreadId, limit: Duration) -> Ended<T> {
    loop {
        match tokio::time::timeout(LOOK.min(limit), &mut outcome).await {
            Ok(Ok(outcome)) => return Ended::Done(outcome),
            Ok(Err(_)) => return Ended::Failed("a thread panicked".to_owned()),
            Err(_) => {
                if let Some(unresponsive) = files::unresponsive(thread, limit) {
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

    use tokio::sync::mpsc;

    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn work_that_waits_for_files_is_given_up_and_what_it_waited_for_is_named() {
        let (end, wait) = threads::channel::<()>();
        let path = Path::new("/mount-without-a-server-3/a.toml");
        let work = move || files::operate(path, || Ok(wait.recv()));
        let (late, mut was_late) = mpsc::channel(1);
        let ended = on_a_thread(work, TIMEOUT, move || {
            let _ = late.blocking_send(());
        })
        .await;
        let Ended::GivenUp(unresponsive) = ended else { panic!("{ended:?}") };
        assert_eq!(unresponsive.path, path);
        assert!(unresponsive.waited >= TIMEOUT && was_late.try_recv().is_err());
        drop(end);
        was_late.recv().await.unwrap();
    }

    #[tokio::test]
    async fn work_that_takes_long_is_not_given_up_while_it_makes_progress() {
        let limit = Duration::from_secs(2);
        // The total exceeds the limit, but no single operation does.
        let steps = move || {
            (0..20).for_each(|_| {
                files::operate(Path::new("/a-slow-disk/a.toml"), || {
                    thread::sleep(limit / 16);
                    Ok(())
                })
                .unwrap();
            });
            Ok(())
        };
        let work = move || files::operate(Path::new("/a-slow-disk"), steps).map_err(|error| error.to_string());
        assert_eq!(on_a_thread(work, limit, || {}).await, Ended::Done(Ok(())));
        let computes = || thread::sleep(TIMEOUT * 4);
        assert_eq!(on_a_thread(computes, TIMEOUT, || {}).await, Ended::Done(()));
    }

    #[tokio::test]
    async fn a_worker_keeps_its_thread_until_that_is_given_up_or_panics() {
        let mut worker = Worker::default();
        let first = worker.run(|| thread::current().id(), || {}, TIMEOUT).await;
        assert_eq!(worker.run(|| thread::current().id(), || {}, TIMEOUT).await, first);
        let ended = worker.run(|| panic!("a fault of ours"), || {}, TIMEOUT).await;
        assert!(matches!(ended, Ended::Failed::<()>(_)), "{ended:?}");
        let second = worker.run(|| thread::current().id(), || {}, TIMEOUT).await;
        assert!(second != first && matches!(second, Ended::Done(_)), "{second:?}");
        let (end, wait) = threads::channel::<()>();
        let hangs = move || files::operate(Path::new("/mount-without-a-server-4/a.toml"), || Ok(wait.recv()));
        assert!(matches!(worker.run(hangs, || {}, TIMEOUT).await, Ended::GivenUp(_)));
        let third = worker.run(|| thread::current().id(), || {}, TIMEOUT).await;
        assert!(third != second && matches!(third, Ended::Done(_)), "{third:?}");
        drop(end);
    }

    #[tokio::test]
    async fn a_panic_is_an_end() {
        let ended = on_a_thread(|| panic!("a fault of ours"), TIMEOUT, || {}).await;
        assert!(matches!(ended, Ended::Failed::<()>(_)), "{ended:?}");
    }
}
