//! Writes the health journal on its own thread, so that the control loop never waits for a disk.
//!
//! Lines are written at once, all queued lines in one write, and synced within a second. A line
//! whose sender waits is synced before the sender is notified.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, TrySendError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::health_journal::Journal;
use crate::background;
use crate::log_limit::LogLimit;

/// How many lines can be queued: a few seconds of 20 000 checks that all change at once, 20 MB.
const WAITING: usize = 65_536;
/// A power cut loses at most this much; a kill of the process loses nothing that was written.
const SYNC_AFTER: Duration = Duration::from_secs(1);
/// How long to wait after a failed write before the next try.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// The journal is rewritten when it has grown by this much, or has doubled. It is then small enough
/// to be read quickly at the start, and rarely rewritten.
const GROWTH: u64 = 1 << 20;

/// How long writing may yield, in addition to four times its CPU time: a sender may be waiting.
const YIELD_BUDGET: Duration = Duration::from_millis(5);

/// Called with the outcome when a line is durable.
pub(crate) type Done = Box<dyn FnOnce(Result<(), NotDurable>) + Send>;
/// Formats all lines of a journal, on the thread of the state writer.
pub(crate) type AllLines = Box<dyn FnOnce() -> Vec<String> + Send>;

/// What could not be written, and why.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot keep {path}: {reason}")]
pub(crate) struct NotDurable {
    path: String,
    reason: String,
}

/// A handle to the thread that writes the journal. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct StateWriter {
    work: mpsc::SyncSender<Work>,
    wants_all: Arc<AtomicBool>,
}

/// The thread; it ends when the last state writer is dropped.
#[derive(Debug)]
pub(crate) struct StateWriterThread(JoinHandle<()>);

enum Work {
    Line(String),
    Durable(String, Done),
    All(AllLines),
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Work")
    }
}

struct Thread {
    journal: Journal,
    wants_all: Arc<AtomicBool>,
    /// The length of the journal after it was last rewritten.
    bytes_anew: u64,
    /// When the written lines must be synced.
    sync_at: Option<Instant>,
    /// Since when writes fail; they are tried again later.
    failed_at: Option<Instant>,
    warnings: LogLimit,
}

impl StateWriter {
    /// Starts the thread. Nothing is written before the first `all`.
    pub(crate) fn start(journal: Journal) -> io::Result<(StateWriter, StateWriterThread)> {
        let (work, inbox) = mpsc::sync_channel(WAITING);
        let wants_all = Arc::new(AtomicBool::new(true));
        let thread = Thread {
            journal,
            wants_all: Arc::clone(&wants_all),
            bytes_anew: 0,
            sync_at: None,
            failed_at: None,
            warnings: LogLimit::default(),
        };
        let handle = thread::Builder::new().name("state_writer".to_owned()).spawn(move || thread.run(&inbox))?;
        Ok((StateWriter { work, wants_all }, StateWriterThread(handle)))
    }

    /// A state writer that writes nothing.
    #[cfg(test)]
    pub(crate) fn none() -> StateWriter {
        StateWriter { work: mpsc::sync_channel(0).0, wants_all: Arc::default() }
    }

    /// Appends a line.
    pub(crate) fn line(&self, line: String) {
        self.hand_over(Work::Line(line));
    }

    /// Appends a line and calls `done` when it is durable.
    pub(crate) fn durable(&self, line: String, done: Done) {
        self.hand_over(Work::Durable(line, done));
    }

    /// Whether to rewrite the journal: at the start, when it has grown, after a failure.
    pub(crate) fn wants_all(&self) -> bool {
        self.wants_all.load(Ordering::Relaxed)
    }

    /// Rewrites the journal. `lines` include everything that was handed over before.
    pub(crate) fn all(&self, lines: AllLines) {
        self.wants_all.store(false, Ordering::Relaxed);
        self.hand_over(Work::All(lines));
    }

    /// Queues work. If the queue is full the work is dropped; the next rewrite includes it.
    fn hand_over(&self, work: Work) {
        let refused = match self.work.try_send(work) {
            Ok(()) => return,
            Err(TrySendError::Full(work)) => {
                self.wants_all.store(true, Ordering::Relaxed);
                work
            }
            Err(TrySendError::Disconnected(work)) => work,
        };
        if let Work::Durable(_, done) = refused {
            done(Err(NotDurable { path: "it".to_owned(), reason: "the disk is too slow".to_owned() }));
        }
    }
}

impl StateWriterThread {
    /// Waits, for at most `most`, until everything is written. Drop every state writer first.
    pub(crate) fn finish(self, most: Duration) {
        let began = Instant::now();
        while !self.0.is_finished() && began.elapsed() < most {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Thread {
    fn run(mut self, inbox: &mpsc::Receiver<Work>) {
        background::set_yield_budget(YIELD_BUDGET);
        loop {
            let wait = self.sync_at.map(|at| at.saturating_duration_since(Instant::now()));
            let first = match wait {
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(wait) => inbox.recv_timeout(wait),
            };
            background::resume();
            match first {
                Ok(work) => self.write(std::iter::once(work).chain(inbox.try_iter().take(WAITING))),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.sync();
                    return;
                }
            }
            if self.sync_at.is_some_and(|at| at <= Instant::now()) {
                self.sync();
            }
        }
    }

    /// Writes the queued work in order, with one write.
    fn write(&mut self, works: impl Iterator<Item = Work>) {
        let (mut lines, mut waiting) = (Vec::new(), Vec::new());
        for work in works {
            match work {
                Work::Line(line) => lines.push(line),
                Work::Durable(line, done) => {
                    lines.push(line);
                    waiting.push(done);
                }
                Work::All(all) => {
                    // These lines are part of it.
                    lines.clear();
                    self.write_all(all);
                    self.tell(&mut waiting);
                }
            }
        }
        if !lines.is_empty() && self.failed_at.is_none() {
            let outcome = self.journal.append(&lines);
            self.note(outcome);
            self.sync_at.get_or_insert_with(|| Instant::now() + SYNC_AFTER);
        }
        if !waiting.is_empty() {
            self.sync();
            self.tell(&mut waiting);
        }
        self.ask_for_all();
    }

    fn write_all(&mut self, all: AllLines) {
        let outcome = self.journal.replace(all());
        if outcome.is_ok() && self.failed_at.take().is_some() {
            tracing::info!("{} can be written again", self.journal.path().display());
        }
        self.bytes_anew = self.journal.bytes();
        self.sync_at = None;
        self.note(outcome);
    }

    fn sync(&mut self) {
        if self.sync_at.take().is_some() && self.failed_at.is_none() {
            let outcome = self.journal.sync();
            self.note(outcome);
        }
    }

    fn tell(&self, waiting: &mut Vec<Done>) {
        for done in waiting.drain(..) {
            let failed = self.failed_at.is_some();
            done(if failed { Err(self.not_durable("the state directory cannot be written")) } else { Ok(()) });
        }
    }

    /// Logs the first failure; further ones are silent.
    fn note(&mut self, outcome: io::Result<()>) {
        let Err(error) = outcome else { return };
        let error = self.not_durable(&error.to_string());
        if self.failed_at.is_none()
            && let Some(held_back) = self.warnings.admit(error.to_string())
        {
            tracing::warn!("{error}; after a restart the unsaved changes are lost{held_back}");
        }
        self.failed_at = Some(Instant::now());
    }

    fn not_durable(&self, reason: &str) -> NotDurable {
        NotDurable { path: self.journal.path().display().to_string(), reason: reason.to_owned() }
    }

    fn ask_for_all(&self) {
        let rested = self.failed_at.is_some_and(|at| at.elapsed() >= RETRY_AFTER);
        let grown = self.journal.bytes() > self.bytes_anew.saturating_mul(2).max(self.bytes_anew + GROWTH);
        if rested || (grown && self.failed_at.is_none()) {
            self.wants_all.store(true, Ordering::Relaxed);
        }
    }
}

/// Recovers the journal of this state directory and starts the state writer.
pub(crate) fn start_state_writer(state: &Path) -> io::Result<(super::Found, StateWriter, StateWriterThread)> {
    let journal = Journal::new(state);
    let found = journal.recover();
    let (state_writer, thread) = StateWriter::start(journal)?;
    Ok((found, state_writer, thread))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lines: &[&str]) -> AllLines {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        Box::new(move || lines)
    }

    fn durable(state_writer: &StateWriter, line: &str) -> Result<(), NotDurable> {
        let (done, outcome) = mpsc::channel();
        state_writer.durable(line.to_owned(), Box::new(move |result| done.send(result).unwrap()));
        outcome.recv().unwrap()
    }

    #[test]
    fn what_is_handed_over_is_found_again_in_order() {
        let state = tempfile::tempdir().unwrap();
        let (found, state_writer, thread) = start_state_writer(state.path()).unwrap();
        assert_eq!(found, super::super::Found::default());
        assert!(state_writer.wants_all());
        state_writer.all(all(&["a"]));
        assert!(!state_writer.wants_all());
        state_writer.line("b".to_owned());
        durable(&state_writer, "c").unwrap();
        // The process might be killed here.
        assert_eq!(Journal::new(state.path()).recover().lines, ["a", "b", "c"]);
        state_writer.line("d".to_owned());
        state_writer.all(all(&["e"]));
        state_writer.line("f".to_owned());
        drop(state_writer);
        thread.finish(Duration::from_secs(30));
        assert_eq!(Journal::new(state.path()).recover().lines, ["e", "f"]);
    }

    #[test]
    fn a_journal_that_has_grown_is_to_be_written_anew() {
        let state = tempfile::tempdir().unwrap();
        let (_, state_writer, _thread) = start_state_writer(state.path()).unwrap();
        state_writer.all(all(&["a"]));
        state_writer.line("x".repeat(usize::try_from(GROWTH).unwrap() + 100));
        durable(&state_writer, "b").unwrap();
        let began = Instant::now();
        while !state_writer.wants_all() {
            assert!(began.elapsed() < Duration::from_secs(30));
        }
    }

    #[test]
    fn a_directory_that_takes_nothing_is_said_to_whoever_waits() {
        let state = tempfile::tempdir().unwrap();
        let file = state.path().join("a-file");
        std::fs::write(&file, "").unwrap();
        let (_, state_writer, _thread) = start_state_writer(&file).unwrap();
        state_writer.all(all(&["a"]));
        assert!(durable(&state_writer, "b").unwrap_err().to_string().contains("cannot be written"));
        assert!(durable(&state_writer, "c").is_err());
    }

    #[test]
    fn without_a_keeper_nothing_waits() {
        let state_writer = StateWriter::none();
        state_writer.line("a".to_owned());
        assert!(durable(&state_writer, "b").is_err());
        assert!(!state_writer.wants_all());
    }
}
