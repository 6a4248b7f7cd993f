//! Tracks which watched files are being written, from events and from how long files have been
//! unchanged.
//!
//! A file that is read while it is being written may be valid TOML and still lack half of its
//! names. A file is therefore read when its writer was seen to close it, or to rename it into
//! place. Where this cannot be seen (network file systems, links that lead out of the directory,
//! systems without such events), it is read after it has been quiet for a while. That proves
//! nothing, so a file that then lacks many names is deferred (`load::deferred`) until it has
//! been unchanged for longer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, Event, EventKind, Flag, ModifyKind, RenameMode};

use super::watched_files::{Fingerprint, Stamp, Targets};
use crate::files;

/// How long a file must be unchanged to be read although no writer was seen to close it: longer
/// than a careful writer pauses between two writes.
const QUIET: Duration = Duration::from_secs(2);
/// How long a file must be unchanged to count as finished although no writer was seen to close it.
pub(crate) const STILL: Duration = Duration::from_secs(10);
/// How long a file must be missing to count as removed: some writers remove the old file first.
pub(crate) const GONE: Duration = Duration::from_millis(250);
/// Without a watcher, a file that was written less than this ago counts as being written: longer
/// than a save takes, as the watcher waits for.
const JUST_WRITTEN: Duration = Duration::from_millis(250);
/// A file that has been written for this long is reported.
const LONG: Duration = Duration::from_secs(30);

/// The state of the watched files. Shared by the watcher, which updates it, and the loader, which
/// reads it.
#[derive(Clone, Debug, Default)]
pub(crate) enum Writers {
    /// No writer is known: every file counts as finished.
    #[default]
    Unknown,
    /// Without a watcher, only the time of the last write shows one.
    ByAge,
    /// A watcher sees them.
    Watched(Arc<Mutex<Known>>),
}

/// Whether a file is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteState {
    /// Its writer was seen to close it, or it has been unchanged for long, or no writer is known.
    Finished,
    /// It has been unchanged for a while, but no writer was seen to close it.
    Quiet,
    /// It is being written.
    InProgress,
}

/// The result of comparing the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// Whether to load now.
    pub(super) is_due: bool,
    /// When to look again, if no event comes before.
    pub(super) next: Option<Instant>,
}

/// The state of the watched files.
#[derive(Debug)]
pub(crate) struct Known {
    targets: Targets,
    /// The stamps of the files when they were last finished.
    taken: Fingerprint,
    /// The files that differ from `taken`, or did.
    writes: BTreeMap<PathBuf, Write>,
    /// The rename in progress, and whether its file is open for writing.
    moving: Option<(usize, bool)>,
}

/// The state of one file that is being written.
#[derive(Debug, Default)]
struct Write {
    /// Written to since it was last closed.
    is_open: bool,
    /// Its stamp when it was closed or renamed into place.
    closed: Option<Stamp>,
    /// Its stamp, `None` if it does not exist, and since when.
    still: Option<(Option<Stamp>, Instant)>,
    /// Since when it differs from `taken`.
    differs_since: Option<Instant>,
    /// The stamp with which it was loaded as quiet, and whether it was loaded because
    /// the write took long.
    loaded_quiet: Option<Stamp>,
    loaded_long: bool,
}

impl Writers {
    /// Tracks these targets; `taken` are their stamps when they were last read.
    pub(crate) fn of(targets: Targets, taken: Fingerprint) -> Writers {
        let known = Known { targets, taken, writes: BTreeMap::new(), moving: None };
        Writers::Watched(Arc::new(Mutex::new(known)))
    }

    /// Whether a file with this stamp is being written.
    pub(crate) fn state(&self, path: &Path, stamp: Stamp) -> WriteState {
        match self.known() {
            Some(known) => known.state(path, stamp, Instant::now()),
            None if matches!(self, Writers::ByAge) && stamp.age().is_some_and(|age| age < JUST_WRITTEN) => {
                WriteState::InProgress
            }
            None => WriteState::Finished,
        }
    }

    /// The watched targets.
    pub(super) fn targets(&self) -> Targets {
        self.known().map(|known| known.targets.clone()).unwrap_or_default()
    }

    /// Tracks other targets from now on.
    pub(super) fn retarget(&self, targets: Targets) {
        if let Some(mut known) = self.known() {
            known.targets = targets;
        }
    }

    /// Forgets open writers, because events may have been missed.
    pub(super) fn forget_events(&self) {
        if let Some(mut known) = self.known() {
            known.forget_events();
        }
    }

    /// The server created this file: its removal is an edit, even before a look has seen it.
    pub(crate) fn created(&self, path: &Path) {
        if let Some(mut known) = self.known() {
            known.writes.entry(path.to_owned()).or_default();
        }
    }

    /// Handles an event.
    pub(super) fn note(&self, event: &Event) {
        // Reading metadata can block on the file system, so it is done before the lock is taken.
        let looks = self.looks(event);
        if let Some(mut known) = self.known() {
            known.note(event, &looks);
        }
    }

    /// The stamps of the files that this event may have finished. These are the files it names. If
    /// it put a link in place, which may be that of a directory (as ConfigMaps are swapped), they
    /// are all files behind links.
    fn looks(&self, event: &Event) -> Vec<(PathBuf, Stamp)> {
        let is_link = |path: &Path| files::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
        let brings_links = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Metadata(_) | ModifyKind::Name(RenameMode::From)) => false,
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) | EventKind::Create(_) => {
                event.paths.iter().any(|path| is_link(path))
            }
            _ => return Vec::new(),
        };
        if matches!(event.kind, EventKind::Create(_)) && !brings_links {
            return Vec::new();
        }
        let targets = self.targets();
        let mut paths: Vec<PathBuf> = event.paths.iter().filter_map(|path| targets.named(path)).collect();
        if brings_links {
            paths.extend(targets.paths().filter(|path| is_link(path)));
        }
        paths
            .into_iter()
            .filter_map(|path| Some((Stamp::of(&path)?, path)))
            .map(|(stamp, path)| (path, stamp))
            .collect()
    }

    /// Compares all files with `taken`.
    pub(super) fn look(&self, now: Instant) -> Look {
        let fingerprint = Fingerprint::of(&self.targets());
        self.known().map(|mut known| known.look(fingerprint, now)).unwrap_or_default()
    }

    fn known(&self) -> Option<MutexGuard<'_, Known>> {
        // No thread panics while it holds the lock.
        let Writers::Watched(known) = self else { return None };
        Some(known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Known {
    fn state(&self, path: &Path, stamp: Stamp, now: Instant) -> WriteState {
        if !self.targets.contain(path) || self.taken.get(path) == Some(stamp) {
            return WriteState::Finished;
        }
        let Some(write) = self.writes.get(path) else { return WriteState::InProgress };
        if write.closed == Some(stamp) {
            return WriteState::Finished;
        }
        match write.still {
            Some((still, since)) if still == Some(stamp) => match now.saturating_duration_since(since) {
                time if time >= STILL => WriteState::Finished,
                time if time >= QUIET && !write.is_open => WriteState::Quiet,
                _ => WriteState::InProgress,
            },
            _ => WriteState::InProgress,
        }
    }

    fn forget_events(&mut self) {
        self.moving = None;
        self.writes.values_mut().for_each(|write| (write.is_open, write.closed) = (false, None));
    }

    fn note(&mut self, event: &Event, looks: &[(PathBuf, Stamp)]) {
        if event.attrs.flag() == Some(Flag::Rescan) {
            self.forget_events();
        }
        let paths: Vec<PathBuf> = event.paths.iter().filter_map(|path| self.targets.named(path)).collect();
        for path in paths {
            let write = self.writes.entry(path).or_default();
            match event.kind {
                EventKind::Modify(ModifyKind::Data(_)) => (write.is_open, write.closed) = (true, None),
                EventKind::Access(AccessKind::Close(AccessMode::Write)) => write.is_open = false,
                EventKind::Modify(ModifyKind::Name(RenameMode::From)) => {
                    self.moving = event.attrs.tracker().map(|tracker| (tracker, write.is_open));
                    // Two names were exchanged: what just came to this name is still there.
                    let stays = looks.iter().any(|(_, stamp)| write.closed == Some(*stamp));
                    (write.is_open, write.closed) = (false, write.closed.filter(|_| stays));
                }
                // A writer that has the file open also writes it under its new name.
                EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
                    let moving = self.moving.take().filter(|(tracker, _)| event.attrs.tracker() == Some(*tracker));
                    (write.is_open, write.closed) = (moving.is_some_and(|(_, is_open)| is_open), None);
                }
                EventKind::Remove(_) => (write.is_open, write.closed) = (false, None),
                _ => {}
            }
        }
        if matches!(event.kind, EventKind::Modify(ModifyKind::Name(RenameMode::From))) {
            return;
        }
        // A change of times or owner does not finish a write.
        let is_about_metadata = matches!(event.kind, EventKind::Modify(ModifyKind::Metadata(_)));
        for (path, stamp) in looks {
            let write = self.writes.entry(path.clone()).or_default();
            if !write.is_open && (!is_about_metadata || write.closed.is_some()) {
                write.closed = Some(*stamp);
            }
        }
    }

    fn look(&mut self, fingerprint: Fingerprint, now: Instant) -> Look {
        let mut look = Look::default();
        // The server serves a file that it creates before a look sees it.
        let known = self.taken.paths().chain(self.writes.keys().filter(|path| !self.taken.knows(path)));
        let gone = known.filter(|path| !fingerprint.knows(path)).cloned();
        let gone: Vec<_> = gone.map(|path| (path, None)).collect();
        for (path, stamp) in fingerprint.into_iter().chain(gone) {
            if self.taken.get(&path) == stamp && (stamp.is_some() || self.taken.knows(&path)) {
                if let Some(write) = self.writes.get_mut(&path) {
                    write.settle();
                }
                continue;
            }
            let (is_due, next) = self.look_at(path, stamp, now);
            look.is_due |= is_due;
            look.next = [look.next, next].into_iter().flatten().min();
        }
        look
    }

    /// Whether a file that differs is due, and otherwise when it may be without a further event.
    fn look_at(&mut self, path: PathBuf, stamp: Option<Stamp>, now: Instant) -> (bool, Option<Instant>) {
        let write = self.writes.entry(path.clone()).or_default();
        let differs_since = *write.differs_since.get_or_insert(now);
        let since = match write.still {
            Some((still, since)) if still == stamp => since,
            _ => write.still.insert((stamp, now)).1,
        };
        let state = match stamp {
            Some(stamp) => self.state(&path, stamp, now),
            None if now.saturating_duration_since(since) >= GONE => WriteState::Finished,
            None => WriteState::InProgress,
        };
        let write = self.writes.entry(path.clone()).or_default();
        match state {
            WriteState::Finished => {
                write.settle();
                self.taken.set(path, stamp);
                (true, None)
            }
            WriteState::Quiet => {
                let is_new = write.loaded_quiet != stamp;
                write.loaded_quiet = stamp;
                (is_new, Some(since + STILL))
            }
            WriteState::InProgress => {
                let wait = if stamp.is_none() {
                    GONE
                } else if write.is_open {
                    STILL
                } else {
                    QUIET
                };
                let is_long = now.saturating_duration_since(differs_since) >= LONG;
                (is_long && !std::mem::replace(&mut write.loaded_long, is_long), Some(since + wait))
            }
        }
    }
}

impl Write {
    /// Resets the state: the file equals `taken`.
    fn settle(&mut self) {
        (self.still, self.differs_since, self.loaded_quiet, self.loaded_long) = (None, None, None, false);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use notify::event::{CreateKind, DataChange, MetadataKind, RemoveKind};

    use super::*;

    const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const CLOSED: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));
    const TOUCHED: EventKind = EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any));
    const FROM: EventKind = EventKind::Modify(ModifyKind::Name(RenameMode::From));
    const TO: EventKind = EventKind::Modify(ModifyKind::Name(RenameMode::To));
    const CREATED: EventKind = EventKind::Create(CreateKind::File);
    const REMOVED: EventKind = EventKind::Remove(RemoveKind::File);

    /// A directory with simulated events and time.
    struct Watched {
        directory: tempfile::TempDir,
        writers: Writers,
        now: Instant,
    }

    impl Watched {
        fn new(files: &[&str]) -> Watched {
            let directory = tempfile::tempdir().unwrap();
            files.iter().for_each(|name| fs::write(directory.path().join(name), "before").unwrap());
            let targets = Targets { zones: vec![directory.path().to_owned()], files: Vec::new() };
            let writers = Writers::of(targets.clone(), Fingerprint::of(&targets));
            Watched { directory, writers, now: Instant::now() }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.path(name), text).unwrap();
        }

        fn event(&self, kind: EventKind, name: &str) {
            self.writers.note(&Event::new(kind).add_path(self.path(name)).set_tracker(7));
        }

        fn pass(&mut self, time: Duration) -> Look {
            self.now += time;
            self.writers.look(self.now)
        }

        fn state(&self, name: &str) -> WriteState {
            let stamp = Stamp::of(&self.path(name)).unwrap();
            self.writers.known().unwrap().state(&self.path(name), stamp, self.now)
        }
    }

    #[test]
    fn what_is_not_watched_or_has_not_changed_is_finished() {
        let watched = Watched::new(&["a.toml"]);
        assert_eq!(watched.state("a.toml"), WriteState::Finished);
        let other = tempfile::NamedTempFile::new().unwrap();
        let stamp = Stamp::of(other.path()).unwrap();
        assert_eq!(watched.writers.state(other.path(), stamp), WriteState::Finished);
        assert_eq!(Writers::Unknown.state(&watched.path("a.toml"), stamp), WriteState::Finished);
        // The file was written just now, and the other one long ago.
        assert_eq!(Writers::ByAge.state(&watched.path("a.toml"), stamp), WriteState::InProgress);
        let file = fs::File::options().write(true).open(watched.path("a.toml")).unwrap();
        file.set_modified(std::time::SystemTime::now() - JUST_WRITTEN).unwrap();
        let stamp = Stamp::of(&watched.path("a.toml")).unwrap();
        assert_eq!(Writers::ByAge.state(&watched.path("a.toml"), stamp), WriteState::Finished);
    }

    #[test]
    fn a_file_is_finished_when_its_writer_closes_it_and_not_before() {
        let mut watched = Watched::new(&["a.toml"]);
        for text in ["", "one", "one two"] {
            watched.write("a.toml", text);
            watched.event(WRITTEN, "a.toml");
            assert_eq!(watched.state("a.toml"), WriteState::InProgress);
            assert!(!watched.pass(STILL - Duration::from_secs(1)).is_due);
            assert_eq!(watched.state("a.toml"), WriteState::InProgress);
        }
        watched.event(CLOSED, "a.toml");
        assert_eq!(watched.state("a.toml"), WriteState::Finished);
        assert_eq!(watched.pass(Duration::ZERO), Look { is_due: true, next: None });
        assert_eq!(watched.pass(STILL), Look::default());
        // A close does not cover later writes, whether or not there are events for them.
        watched.write("a.toml", "somebody else");
        assert_eq!(watched.state("a.toml"), WriteState::InProgress);
    }

    #[test]
    fn a_file_that_is_never_closed_is_finished_once_it_is_still_for_long() {
        let mut watched = Watched::new(&["a.toml"]);
        watched.write("a.toml", "half");
        watched.event(WRITTEN, "a.toml");
        let look = watched.pass(Duration::ZERO);
        assert_eq!(look, Look { is_due: false, next: Some(watched.now + STILL) });
        assert!(watched.pass(STILL).is_due);
        assert_eq!(watched.state("a.toml"), WriteState::Finished);
    }

    #[test]
    fn a_file_that_is_written_for_ever_is_loaded_once_to_be_reported() {
        let mut watched = Watched::new(&["a.toml"]);
        let mut loads = 0;
        for number in 0..30_u64 {
            watched.write("a.toml", &"x".repeat(usize::try_from(number).unwrap()));
            watched.event(WRITTEN, "a.toml");
            loads += usize::from(watched.pass(Duration::from_secs(5)).is_due);
            assert_eq!(watched.state("a.toml"), WriteState::InProgress);
        }
        assert_eq!(loads, 1);
    }

    #[test]
    fn without_events_a_file_is_quiet_and_then_finished() {
        let mut watched = Watched::new(&["a.toml"]);
        watched.write("a.toml", "half");
        assert_eq!(watched.pass(Duration::ZERO), Look { is_due: false, next: Some(watched.now + QUIET) });
        watched.write("a.toml", "half and more");
        assert_eq!(watched.pass(QUIET), Look { is_due: false, next: Some(watched.now + QUIET) });
        let look = watched.pass(QUIET);
        assert_eq!((look.is_due, watched.state("a.toml")), (true, WriteState::Quiet));
        // It is reported once.
        assert!(!watched.pass(QUIET).is_due);
        assert!(watched.pass(STILL).is_due);
        assert_eq!((watched.state("a.toml"), watched.pass(STILL)), (WriteState::Finished, Look::default()));
    }

    #[test]
    fn a_file_that_is_renamed_into_place_is_finished_unless_it_is_still_being_written() {
        let watched = Watched::new(&["a.toml"]);
        let rename = |from: &str| {
            fs::rename(watched.path(from), watched.path("a.toml")).unwrap();
            watched.event(FROM, from);
            watched.event(TO, "a.toml");
        };
        watched.write(".a.toml.swp", "new");
        rename(".a.toml.swp");
        assert_eq!(watched.state("a.toml"), WriteState::Finished);
        watched.write("b.toml", "newer");
        watched.event(WRITTEN, "b.toml");
        rename("b.toml");
        assert_eq!(watched.state("a.toml"), WriteState::InProgress);
        watched.event(CLOSED, "a.toml");
        assert_eq!(watched.state("a.toml"), WriteState::Finished);
    }

    /// The system reports an exchange as two renames, the second one away from the name.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_another_one_was_exchanged_for_is_finished() {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        let watched = Watched::new(&["a.toml"]);
        watched.write(".a.toml.new", "after");
        let (new, old) = (watched.path(".a.toml.new"), watched.path("a.toml"));
        renameat_with(CWD, &new, CWD, &old, RenameFlags::EXCHANGE).unwrap();
        watched.event(FROM, ".a.toml.new");
        watched.event(TO, "a.toml");
        watched.event(FROM, "a.toml");
        watched.event(TO, ".a.toml.new");
        assert_eq!(watched.state("a.toml"), WriteState::Finished);
    }

    /// It is empty because its writer has not written yet.
    #[test]
    fn a_file_that_is_made_anew_after_a_rename_away_is_not_finished() {
        let watched = Watched::new(&["a.toml"]);
        watched.write(".b", "b");
        fs::rename(watched.path(".b"), watched.path("a.toml")).unwrap();
        watched.event(FROM, ".b");
        watched.event(TO, "a.toml");
        fs::rename(watched.path("a.toml"), watched.path("a.bak")).unwrap();
        watched.write("a.toml", "");
        watched.event(FROM, "a.toml");
        watched.event(TO, "a.bak");
        watched.event(CREATED, "a.toml");
        assert_eq!(watched.state("a.toml"), WriteState::InProgress);
    }

    #[test]
    fn other_dates_finish_nothing_and_undo_nothing() {
        let watched = Watched::new(&["a.toml"]);
        let touch = || {
            let file = fs::File::options().append(true).open(watched.path("a.toml")).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
            watched.event(TOUCHED, "a.toml");
        };
        watched.write("a.toml", "half");
        watched.event(WRITTEN, "a.toml");
        touch();
        assert_eq!(watched.state("a.toml"), WriteState::InProgress);
        watched.event(CLOSED, "a.toml");
        touch();
        assert_eq!(watched.state("a.toml"), WriteState::Finished);
    }

    #[test]
    fn a_file_that_is_removed_and_written_again_is_not_gone_meanwhile() {
        let mut watched = Watched::new(&["a.toml"]);
        fs::remove_file(watched.path("a.toml")).unwrap();
        watched.event(REMOVED, "a.toml");
        assert_eq!(watched.pass(Duration::ZERO), Look { is_due: false, next: Some(watched.now + GONE) });
        watched.write("a.toml", "half");
        watched.event(CREATED, "a.toml");
        watched.event(WRITTEN, "a.toml");
        assert!(!watched.pass(GONE).is_due);
        assert_eq!(watched.state("a.toml"), WriteState::InProgress);
        fs::remove_file(watched.path("a.toml")).unwrap();
        watched.event(REMOVED, "a.toml");
        assert!(!watched.pass(GONE).is_due);
        assert!(watched.pass(GONE).is_due, "now it is removed");
        assert_eq!(watched.pass(STILL), Look::default());
    }

    #[test]
    fn a_file_that_came_and_went_between_two_looks_was_removed() {
        let mut watched = Watched::new(&[]);
        watched.write("a.toml", "made and loaded by the server");
        watched.event(TO, "a.toml");
        fs::remove_file(watched.path("a.toml")).unwrap();
        watched.event(REMOVED, "a.toml");
        assert_eq!(watched.pass(Duration::ZERO), Look { is_due: false, next: Some(watched.now + GONE) });
        assert!(watched.pass(GONE).is_due);
        assert_eq!(watched.pass(STILL), Look::default());
        // The same without events.
        watched.writers.created(&watched.path("b.toml"));
        assert!(!watched.pass(Duration::ZERO).is_due);
        assert!(watched.pass(GONE).is_due);
    }

    #[test]
    fn events_that_were_lost_prove_nothing() {
        let watched = Watched::new(&["a.toml"]);
        watched.write("a.toml", "half");
        watched.event(WRITTEN, "a.toml");
        watched.event(CLOSED, "a.toml");
        watched.writers.note(&Event::new(EventKind::Other).set_flag(Flag::Rescan));
        assert_eq!(watched.state("a.toml"), WriteState::InProgress);
    }

    #[cfg(unix)]
    #[test]
    fn a_swap_of_links_finishes_all_files_behind_them() {
        use std::os::unix::fs::symlink;
        let watched = Watched::new(&[]);
        for (version, text) in [("1", "one"), ("2", "another")] {
            fs::create_dir(watched.path(version)).unwrap();
            fs::write(watched.path(version).join("a.toml"), text).unwrap();
        }
        symlink("1", watched.path("..data")).unwrap();
        symlink("..data/a.toml", watched.path("a.toml")).unwrap();
        watched.event(CREATED, "a.toml");
        assert_eq!(watched.state("a.toml"), WriteState::Finished);
        symlink("2", watched.path("..data_tmp")).unwrap();
        fs::rename(watched.path("..data_tmp"), watched.path("..data")).unwrap();
        assert_eq!(watched.state("a.toml"), WriteState::InProgress);
        watched.event(TO, "..data");
        assert_eq!(watched.state("a.toml"), WriteState::Finished);
    }
}
