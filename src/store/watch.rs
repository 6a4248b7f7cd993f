//! Notices edits of files.
//!
//! The operating system's events only wake the watcher. It decides whether anything changed by
//! comparing the metadata of the files (times, size, inode). The comparison also runs every two
//! seconds, so edits are found where events are missing (network file systems, bind mounts, watch
//! limits).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, Event, EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use super::Writers;
use super::watched_files::{Stamp, Targets, identity, is_zone_file};
use crate::background;
use crate::files::{self, UNRESPONSIVE_AFTER, Unresponsive};

/// Editors save in several steps (truncate, write, rename, set mode). After this long without a
/// step, the save is complete.
const QUIET: Duration = Duration::from_millis(250);
/// How long continued edits can delay a load: files that change all the time are loaded as well.
const LONGEST_DELAY: Duration = Duration::from_secs(2);
/// How often files are compared without an event: cheap (one `stat` per file) and fast enough for a
/// user who waits.
const POLL: Duration = Duration::from_secs(2);
/// The minimum time between two comparisons.
const STEP: Duration = Duration::from_millis(50);

/// The watcher. It stops when dropped.
#[derive(Debug)]
pub(crate) struct Watcher {
    messages: Sender<Message>,
    thread: ThreadId,
}

enum Message {
    /// An event of the operating system.
    Woken,
    Retarget(Targets),
    Stop,
}

impl Watcher {
    /// Starts a watcher. It calls `changed` on its own thread after every edit that is complete
    /// according to `writers`, which the watcher updates.
    pub(crate) fn start(writers: Writers, changed: impl FnMut() + Send + 'static) -> std::io::Result<Watcher> {
        let (messages, inbox) = mpsc::channel();
        let watch = Watch { writers, messages: messages.clone(), woken: Arc::default(), events: None };
        let work = move || watch.run(&inbox, changed);
        let thread = thread::Builder::new().name("watch".to_owned()).spawn(work)?.thread().id();
        Ok(Watcher { messages, thread })
    }

    /// The file operation that the watcher is stuck in, if a file system does not respond.
    pub(crate) fn unresponsive(&self) -> Option<Unresponsive> {
        files::unresponsive(self.thread, UNRESPONSIVE_AFTER)
    }

    /// Watches these targets from now on.
    pub(crate) fn retarget(&self, targets: Targets) {
        // The thread ends only when this handle is dropped.
        let _ = self.messages.send(Message::Retarget(targets));
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.messages.send(Message::Stop);
    }
}

/// The state of the watcher's thread.
struct Watch {
    writers: Writers,
    messages: Sender<Message>,
    /// Whether a wake-up message is queued. Events come by the thousand, and one message is enough.
    woken: Arc<AtomicBool>,
    events: Option<Events>,
}

/// A subscription to the operating system's events.
struct Events {
    /// The subscription ends when this is dropped.
    _watcher: RecommendedWatcher,
    /// The directories when they were subscribed to; a directory that was removed and created again
    /// differs.
    directories: BTreeMap<PathBuf, Option<Stamp>>,
}

impl Watch {
    fn run(mut self, inbox: &Receiver<Message>, mut changed: impl FnMut()) {
        background::lower_priority();
        self.listen();
        let mut pending = None;
        // Look at once, for edits made before the first event.
        let mut next = Instant::now();
        loop {
            let now = Instant::now();
            let wait = pending
                .as_ref()
                .map_or_else(|| next.saturating_duration_since(now), |pending: &PendingEdits| pending.left(now));
            match inbox.recv_timeout(wait) {
                Ok(Message::Woken) => {
                    self.woken.store(false, Ordering::Relaxed);
                    pending.get_or_insert_with(PendingEdits::begin).prolong();
                }
                Ok(Message::Retarget(targets)) => {
                    // New targets count as edited, because they may have changed after they were
                    // read and before they were watched. One load too many is better than one too
                    // few.
                    self.writers.retarget(targets);
                    self.listen();
                    next = Instant::now();
                }
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    pending = None;
                    self.listen_again();
                    let now = Instant::now();
                    let look = self.writers.look(now);
                    if look.is_due {
                        changed();
                    }
                    next = look.next.unwrap_or(now + POLL).clamp(now + STEP, now + POLL);
                }
            }
        }
    }

    /// Subscribes again if a directory was replaced.
    fn listen_again(&mut self) {
        let is_current = |(path, stamp): (&PathBuf, &Option<Stamp>)| identity(path) == *stamp;
        if !self.events.as_ref().is_some_and(|events| events.directories.iter().all(is_current)) {
            self.listen();
        }
    }

    /// Subscribes to the operating system's events. Without them the periodic comparison is enough,
    /// only slower.
    fn listen(&mut self) {
        let first_time = self.events.is_none();
        self.writers.forget_events();
        let targets = self.writers.targets();
        let directories: BTreeMap<PathBuf, Option<Stamp>> =
            targets.directories().map(|path| (path.to_path_buf(), identity(path))).collect();
        let watcher = notify::recommended_watcher(self.listener(TargetFilter::of(&targets)));
        let watching = watcher.and_then(|mut watcher| {
            // That of new zones may not exist yet; `listen_again` sees it appear.
            for directory in directories.iter().filter(|(_, identity)| identity.is_some()).map(|(path, _)| path) {
                files::operate(directory, || Ok(watcher.watch(directory, RecursiveMode::NonRecursive)))??;
            }
            Ok(watcher)
        });
        match watching {
            Ok(watcher) => self.events = Some(Events { _watcher: watcher, directories }),
            Err(error) => {
                self.events = None;
                if first_time {
                    tracing::debug!(%error, "no events from the file system, files are compared every 2 s");
                }
            }
        }
    }

    /// Handles events on a thread of the library.
    fn listener(&self, filter: TargetFilter) -> impl FnMut(notify::Result<Event>) + Send + 'static {
        let (messages, woken, writers) = (self.messages.clone(), Arc::clone(&self.woken), self.writers.clone());
        move |event| {
            if let Ok(event) = &event {
                writers.note(event);
            }
            // An error may concern the targets.
            let concerns_us = event.map_or(true, |event| filter.is_about(&event));
            if concerns_us && !woken.swap(true, Ordering::Relaxed) {
                let _ = messages.send(Message::Woken);
            }
        }
    }
}

/// Edits that are not complete.
struct PendingEdits {
    since: Instant,
    last: Instant,
}

impl PendingEdits {
    fn begin() -> PendingEdits {
        let now = Instant::now();
        PendingEdits { since: now, last: now }
    }

    fn prolong(&mut self) {
        self.last = Instant::now();
    }

    /// The remaining time to wait.
    fn left(&self, now: Instant) -> Duration {
        let end = (self.last + QUIET).min(self.since + LONGEST_DELAY);
        end.saturating_duration_since(now)
    }
}

/// Which events concern the targets.
struct TargetFilter {
    /// The directories of zone files, where any name counts, because editors use temporary names.
    zones: Vec<PathBuf>,
    /// The names of individual files.
    files: Vec<OsString>,
    /// The subscribed directories: some systems report only the directory of an event.
    directories: Vec<PathBuf>,
}

impl TargetFilter {
    fn of(targets: &Targets) -> TargetFilter {
        let names = targets.files.iter().filter_map(|file| file.file_name());
        // Events have absolute paths.
        let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        TargetFilter {
            zones: targets.zones.iter().map(|zones| whole(zones)).collect(),
            files: names.map(OsStr::to_owned).collect(),
            directories: targets.directories().map(whole).collect(),
        }
    }

    /// Reading a file does not concern the targets, nor do writes to a file that is neither a
    /// target nor among the zones, such as a log. Creating, removing or renaming any file may
    /// concern them, because targets may be links.
    fn is_about(&self, event: &Event) -> bool {
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) | EventKind::Modify(ModifyKind::Data(_)) => {
                event.paths.is_empty() || event.paths.iter().any(|path| self.may_be(path))
            }
            EventKind::Access(_) => false,
            _ => true,
        }
    }

    fn may_be(&self, path: &Path) -> bool {
        let is_named = |name: &OsStr| is_zone_file(name) || self.files.iter().any(|file| file == name);
        self.zones.iter().any(|zones| path.starts_with(zones))
            || path.file_name().is_none_or(is_named)
            || self.directories.iter().any(|directory| directory == path)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::Fingerprint;
    use super::*;

    /// Far longer than any of this takes, because the machine may be busy.
    const TIMEOUT: Duration = Duration::from_secs(20);

    fn watch(directory: &Path) -> (Watcher, Receiver<()>) {
        let (sender, changes) = mpsc::channel();
        let targets = Targets { zones: vec![directory.to_path_buf()], files: vec![] };
        let seen = Fingerprint::of(&targets);
        let watcher = Watcher::start(Writers::of(targets, seen), move || sender.send(()).unwrap()).unwrap();
        (watcher, changes)
    }

    #[test]
    fn an_edit_is_reported_once_it_has_come_to_rest() {
        let directory = tempfile::tempdir().unwrap();
        let (_watcher, changes) = watch(directory.path());
        let file = directory.path().join("lab.test.toml");
        for step in ["n", "na", "name"] {
            fs::write(&file, step).unwrap();
        }
        changes.recv_timeout(TIMEOUT).unwrap();
        assert!(changes.recv_timeout(QUIET * 2).is_err(), "one report for all steps");
    }

    #[test]
    fn a_rename_over_a_file_and_a_removal_are_edits() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("lab.test.toml");
        fs::write(&file, "old").unwrap();
        let (_watcher, changes) = watch(directory.path());
        let beside = directory.path().join(".lab.test.toml.swp");
        fs::write(&beside, "new").unwrap();
        fs::rename(&beside, &file).unwrap();
        changes.recv_timeout(TIMEOUT).unwrap();
        fs::remove_file(&file).unwrap();
        changes.recv_timeout(TIMEOUT).unwrap();
    }

    #[test]
    fn files_that_are_no_zones_are_no_edits() {
        let directory = tempfile::tempdir().unwrap();
        let (_watcher, changes) = watch(directory.path());
        for name in ["README.md", ".hidden.toml", "lab.test.toml~"] {
            fs::write(directory.path().join(name), "x").unwrap();
        }
        assert!(changes.recv_timeout(QUIET * 3).is_err());
    }

    #[test]
    fn what_grows_beside_the_targets_wakes_nobody() {
        let files = vec!["/etc/53/fiftythree.toml".into(), "/var/geo.mmdb".into()];
        let filter = TargetFilter::of(&Targets { zones: vec!["/etc/53/zones".into()], files });
        let written = EventKind::Modify(ModifyKind::Data(notify::event::DataChange::Any));
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let opened = EventKind::Access(AccessKind::Open(AccessMode::Any));
        let made = EventKind::Create(notify::event::CreateKind::File);
        let is_about = |kind, path: &str| filter.is_about(&Event::new(kind).add_path(path.into()));
        let zones = ["/etc/53/zones/lab.test.toml", "/etc/53/zones/.lab.test.toml.swp", "/etc/53/zones", "/var"];
        for path in zones.into_iter().chain(["/etc/53/fiftythree.toml", "/var/geo.mmdb"]) {
            assert_eq!([written, closed, made].map(|kind| is_about(kind, path)), [true; 3], "{path}");
            assert!(!is_about(opened, path));
        }
        for path in ["/etc/53/server.log", "/var/queries.jsonl"] {
            assert_eq!([written, closed, opened].map(|kind| is_about(kind, path)), [false; 3], "{path}");
            assert!(is_about(made, path), "a target may be a link to {path}");
        }
        assert!(filter.is_about(&Event::new(written)));
    }

    #[test]
    fn a_directory_that_is_made_again_is_watched_again() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("zones");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("a.toml"), "1").unwrap();
        let (_watcher, changes) = watch(&directory);
        fs::remove_dir_all(&directory).unwrap();
        changes.recv_timeout(TIMEOUT).unwrap();
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("a.toml"), "2").unwrap();
        changes.recv_timeout(TIMEOUT).unwrap();
        fs::write(directory.join("a.toml"), "three").unwrap();
        changes.recv_timeout(TIMEOUT).unwrap();
    }

    #[test]
    fn what_is_edited_while_it_is_read_for_the_first_time_is_an_edit() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.toml");
        fs::write(&file, "read").unwrap();
        let targets = Targets { zones: vec![directory.path().to_path_buf()], files: vec![] };
        let seen = Fingerprint::of(&targets);
        fs::write(&file, "written since").unwrap();
        let (sender, changes) = mpsc::channel();
        let _watcher = Watcher::start(Writers::of(targets, seen), move || sender.send(()).unwrap()).unwrap();
        changes.recv_timeout(TIMEOUT).unwrap();
    }

    #[test]
    fn another_directory_may_have_been_edited_before_it_was_watched() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(other.path().join("a.toml"), "who knows when").unwrap();
        let (watcher, changes) = watch(one.path());
        watcher.retarget(Targets { zones: vec![other.path().to_path_buf()], files: vec![] });
        changes.recv_timeout(TIMEOUT).unwrap();
    }
}
