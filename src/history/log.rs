//! Writes the history: the loader's thread directly, the control loop through a thread, so that it
//! never waits for a disk.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::event::{EventRecord, ObjectChange};
use super::line::{IntentLine, Line, lines_of};
use super::past::ObjectKind;
use super::read_back::{Reading, Restored};
use super::{EventKind, LastChanges};
use crate::background;
use crate::health::Timestamp;
use crate::log_limit::LogLimit;
use crate::objects::ObjectId;
use crate::store::{Contents, HistoryFile, SourceHash, Writers, read_history, read_text};

/// With more events or bytes than this, the older half is dropped.
const MOST_EVENTS: usize = 10_000;
const MOST_BYTES: u64 = 64 << 20;
/// How many events are in memory after the start.
const RESTORED_EVENTS: usize = 512;
/// How many bytes of lines are returned at once.
const MOST_RETURNED: usize = 8 << 20;
/// How many events can wait for the thread.
const WAITING: usize = 4096;
/// A power cut loses at most this much.
const SYNC_AFTER: Duration = Duration::from_secs(1);

/// The history of a server. Cheap to clone. The default one keeps nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    log: Arc<Mutex<Log>>,
    path: PathBuf,
    /// Caller references of removed objects.
    references: Mutex<HashSet<(ObjectKind, String)>>,
    work: SyncSender<Work>,
    warnings: LogLimit,
}

/// A change that is about to be made.
#[must_use = "say whether the change was made"]
#[derive(Debug)]
pub(crate) struct Intent {
    history: History,
    number: u64,
    /// The caller reference that is never used again after it.
    reference: Option<(ObjectKind, String)>,
}

#[derive(Debug)]
enum Work {
    Record(EventRecord),
    /// Something was written and has to be synced.
    Written,
    Finish(SyncSender<()>),
}

#[derive(Debug)]
struct Log {
    file: HistoryFile,
    last_number: u64,
    events: usize,
    bytes: u64,
    /// Whether the last write failed; the warning was logged then.
    has_failed: bool,
}

impl History {
    /// The history in this state directory, and what it remembers.
    pub(crate) fn open(state: &Path) -> io::Result<(History, Restored)> {
        let file = HistoryFile::new(state);
        let path = file.path().to_path_buf();
        let mut log = Log { file, last_number: 0, events: 0, bytes: 0, has_failed: false };
        let mut reading = Reading::of(&path, RESTORED_EVENTS).unwrap_or_else(|error| {
            tracing::warn!(
                "the history {} cannot be read: {error}; events before this start are not shown",
                path.display()
            );
            Reading::default()
        });
        if reading.damaged > 0 {
            tracing::warn!("the history {} has {} damaged lines; they are skipped", path.display(), reading.damaged);
        }
        (log.last_number, log.events, log.bytes) = (reading.last_number, reading.events, reading.bytes);
        let decided = reading.decide_open(&holds);
        if !decided.is_empty() {
            log.write(&decided);
        }
        let restored = reading.restored();
        let references = Mutex::new(reading.into_past().references);
        let (work, inbox) = mpsc::sync_channel(WAITING);
        let log = Arc::new(Mutex::new(log));
        let of_thread = Arc::clone(&log);
        thread::Builder::new().name("history".to_owned()).spawn(move || run(&of_thread, &inbox))?;
        let shared = Shared { log, path, references, work, warnings: LogLimit::default() };
        Ok((History(Some(shared.into())), restored))
    }

    /// Whether there is one: changes of a server without it cannot be undone.
    pub(crate) fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Writes an event. Does not wait.
    pub(crate) fn record(&self, record: EventRecord) {
        let Some(shared) = &self.0 else { return };
        if shared.work.try_send(Work::Record(record)).is_err()
            && let Some(held_back) = shared.warnings.admit("full")
        {
            tracing::warn!(
                "the disk is too slow for the history {}: events are lost{held_back}",
                shared.path.display()
            );
        }
    }

    /// Writes that this change is about to be made to a file, which has a text with this hash after
    /// it, or is gone.
    pub(crate) fn intend(&self, at: Timestamp, change: &Arc<ObjectChange>, file: &Path, hash: Option<u128>) -> Intent {
        let reference = change.caller_reference.clone().map(|reference| (ObjectKind::of(&change.object), reference));
        let mut number = 0;
        if let Some(shared) = &self.0 {
            let mut log = shared.log();
            log.last_number += 1;
            number = log.last_number;
            let record = EventRecord { at, what: EventKind::Changed(Arc::clone(change)) };
            log.write_event(&Line::event(&record, Some(IntentLine::new(number, file, hash))));
        }
        Intent { history: self.clone(), number, reference }
    }

    /// Whether a removed object of the same kind had this caller reference.
    pub(crate) fn had_reference(&self, id: &ObjectId, caller_reference: &str) -> bool {
        let Some(shared) = &self.0 else { return false };
        let references = shared.references.lock().unwrap_or_else(PoisonError::into_inner);
        references.contains(&(ObjectKind::of(id), caller_reference.to_owned()))
    }

    /// The latest events in full, oldest first: at most this many, and only changes of the object
    /// with this name or id if there is one. `None` without a history.
    pub(crate) fn latest(&self, most: usize, object: Option<&str>) -> Option<io::Result<Vec<EventRecord>>> {
        let path = &self.0.as_ref()?.path;
        let mut latest = Latest { most, object, ..Latest::default() };
        let read = read_history(path, |line| latest.take(line));
        Some(read.map(|()| latest.events.into_iter().map(|(_, _, record)| record).collect()))
    }

    /// The change with this id in full, and the later changes of the same object, oldest first.
    /// `None` without a history; an empty list if it has no such change.
    pub(crate) fn since_change(&self, id: &str) -> Option<io::Result<Vec<EventRecord>>> {
        let path = &self.0.as_ref()?.path;
        let mut since = Since { id, object: None, events: Vec::new() };
        let read = read_history(path, |line| line.into_iter().for_each(|line| since.take(line)));
        Some(read.map(|()| since.into_events()))
    }

    /// Gives every line to `changes`. False without a history.
    pub(crate) fn collect(&self, changes: &mut LastChanges) -> io::Result<bool> {
        let Some(shared) = &self.0 else { return Ok(false) };
        read_history(&shared.path, |line| line.into_iter().for_each(|line| changes.take_line(line)))?;
        Ok(true)
    }

    /// Waits, for at most this long, until everything is written and synced.
    pub(crate) fn finish(&self, most: Duration) {
        let Some(shared) = &self.0 else { return };
        let (done, finished) = mpsc::sync_channel(1);
        if shared.work.try_send(Work::Finish(done)).is_ok() {
            // A disk that hangs does not delay the end.
            let _ = finished.recv_timeout(most);
        }
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Log> {
        locked(&self.log)
    }
}

impl Intent {
    /// The change was made.
    pub(crate) fn made(self) {
        let Some(shared) = &self.history.0 else { return };
        if let Some(reference) = self.reference {
            shared.references.lock().unwrap_or_else(PoisonError::into_inner).insert(reference);
        }
        self.history.decide(&Line::Made(self.number));
    }

    /// The change was not made.
    pub(crate) fn not_made(self) {
        self.history.decide(&Line::NotMade(self.number));
    }
}

impl History {
    fn decide(&self, line: &Line) {
        let Some(shared) = &self.0 else { return };
        shared.log().write(&line.text());
        // If the queue is full, the thread syncs what is written with the rest.
        let _ = shared.work.try_send(Work::Written);
    }
}

impl Log {
    fn write_event(&mut self, line: &Line) {
        let text = line.text();
        self.write(&text);
        self.events += 1;
        self.bytes += text.len() as u64;
    }

    /// Warns about the first failure; further ones are silent until a write succeeds.
    fn write(&mut self, lines: &str) {
        let path = self.file.path().display().to_string();
        match (self.file.append(lines), self.has_failed) {
            (Ok(()), true) => {
                tracing::info!("the history {path} can be written again");
                self.has_failed = false;
            }
            (Ok(()), false) | (Err(_), true) => {}
            (Err(error), false) => {
                tracing::warn!("the history {path} cannot be written: {error}; new events are lost at a restart");
                self.has_failed = true;
            }
        }
    }

    fn is_full(&self) -> bool {
        self.events > MOST_EVENTS || self.bytes > MOST_BYTES
    }

    /// Drops the older half of the events. Ids of changes, and caller references of removed
    /// objects, stay.
    fn rotate(&mut self) -> io::Result<()> {
        let path = self.file.path().to_path_buf();
        let mut lines = VecDeque::new();
        read_history(&path, |line| lines.extend(line.map(str::to_owned)))?;
        let bytes = |lines: &VecDeque<String>| lines.iter().map(String::len).sum::<usize>() as u64;
        let mut left = bytes(&lines);
        let mut older = Reading::default();
        while (lines.len() > MOST_EVENTS / 2 || left > MOST_BYTES / 2)
            && let Some(line) = lines.pop_front()
        {
            left -= line.len() as u64;
            older.take(Some(&line));
        }
        // The newer half says whether the last of them were made.
        let mut text = String::new();
        let mut newer = Reading::default();
        for line in &lines {
            match Line::read(line) {
                Some(Line::Made(_) | Line::NotMade(_)) => older.take(Some(line)),
                Some(Line::Event(_)) => newer.take(Some(line)),
                _ => continue,
            }
            text.push_str(line);
            text.push('\n');
        }
        (self.events, self.bytes) = (newer.events, newer.bytes);
        self.file.replace(&(lines_of(&older.into_past()) + &text))
    }
}

/// Writes and syncs until the last handle of the history is dropped.
fn run(log: &Mutex<Log>, inbox: &mpsc::Receiver<Work>) {
    background::lower_priority();
    let mut sync_at: Option<Instant> = None;
    loop {
        let wait = sync_at.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
        let work = match inbox.recv_timeout(wait) {
            Ok(work) => Some(work),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return sync(log),
        };
        match work {
            Some(Work::Record(record)) => locked(log).write_event(&Line::event(&record, None)),
            Some(Work::Written) => {}
            Some(Work::Finish(done)) => {
                sync(log);
                // The sender may have given up.
                let _ = done.send(());
            }
            None => {
                sync(log);
                sync_at = None;
                continue;
            }
        }
        sync_at.get_or_insert_with(|| Instant::now() + SYNC_AFTER);
        if locked(log).is_full() {
            rotate(log);
        }
    }
}

fn rotate(log: &Mutex<Log>) {
    let mut log = locked(log);
    if let Err(error) = log.rotate() {
        tracing::warn!("the history {} cannot be shortened: {error}; trying again later", log.file.path().display());
        (log.events, log.bytes) = (0, 0);
    }
}

/// Syncs without the lock, so that changes do not wait for it.
fn sync(log: &Mutex<Log>) {
    let file = locked(log).file.opened();
    if let Some(file) = file {
        // A failure is noticed by the next write, or costs what a power cut costs.
        let _ = file.sync_data();
    }
}

fn locked(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a file has the text with this hash, or does not exist if there is none.
fn holds(path: &Path, hash: Option<&str>) -> bool {
    match (read_text(path, &Writers::Unknown), hash) {
        (Ok(Contents::Text { source, .. }), Some(hash)) => {
            format!("{:x}", SourceHash::of(&source.text).number()) == hash
        }
        (Ok(Contents::Absent), None) => true,
        _ => false,
    }
}

/// The latest events that are wanted.
#[derive(Default)]
struct Latest<'o> {
    most: usize,
    object: Option<&'o str>,
    /// With the number of a change, and the length of the line.
    events: VecDeque<(Option<u64>, usize, EventRecord)>,
    bytes: usize,
}

impl Latest<'_> {
    fn take(&mut self, text: Option<&str>) {
        let Some(text) = text else { return };
        // Most lines are about other objects.
        if self.object.is_some() && text.starts_with("{\"event\"") && !text.contains("\"changed\":{") {
            return;
        }
        match Line::read(text) {
            Some(Line::Event(line)) => {
                let number = line.intent.as_ref().map(|intent| intent.number);
                let record = EventRecord::from(*line);
                if self.object.is_none_or(|object| record.is_of(object)) {
                    self.bytes += text.len();
                    self.events.push_back((number, text.len(), record));
                    self.drop_oldest();
                }
            }
            Some(Line::NotMade(number)) => self.events.retain(|(known, ..)| *known != Some(number)),
            _ => {}
        }
    }

    fn drop_oldest(&mut self) {
        while self.events.len() > self.most || (self.bytes > MOST_RETURNED && self.events.len() > 1) {
            let Some((_, bytes, _)) = self.events.pop_front() else { return };
            self.bytes -= bytes;
        }
    }
}

/// A change and the later changes of its object.
struct Since<'i> {
    id: &'i str,
    /// The object, once the change is found.
    object: Option<ObjectId>,
    /// With the numbers of changes.
    events: Vec<(Option<u64>, EventRecord)>,
}

impl Since<'_> {
    fn into_events(self) -> Vec<EventRecord> {
        let events: Vec<EventRecord> = self.events.into_iter().map(|(_, record)| record).collect();
        let is_it = |record: &EventRecord| record.is_change(self.id);
        if events.first().is_some_and(is_it) { events } else { Vec::new() }
    }

    fn take(&mut self, text: &str) {
        let is_about = |part: &str| text.starts_with("{\"event\"") && text.contains(part);
        let is_event = match &self.object {
            None => is_about(self.id),
            Some(object) => is_about(object.text()),
        };
        if !is_event && !text.starts_with("{\"not_made\"") {
            return;
        }
        match Line::read(text) {
            Some(Line::Event(line)) => {
                let number = line.intent.as_ref().map(|intent| intent.number);
                let record = EventRecord::from(*line);
                let EventKind::Changed(change) = &record.what else { return };
                let is_it = match &self.object {
                    None => record.is_change(self.id),
                    Some(object) => change.object == *object,
                };
                if is_it {
                    self.object = Some(change.object.clone());
                    self.events.push((number, record));
                }
            }
            Some(Line::NotMade(number)) => {
                self.events.retain(|(known, _)| *known != Some(number));
                if self.events.is_empty() {
                    self.object = None;
                }
            }
            _ => {}
        }
    }
}
