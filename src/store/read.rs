//! Reads the zones directory.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::background;
use crate::config::{Diagnostic, Disclosure, SourceFile};
use crate::files;

use super::encoding::text;
use super::targets::{Stamp, zone_files};
use super::{MemoryRoom, WriteState, Writers, disclosure_of};

/// The size limit of a zone file: about two million records. A larger file is a mistake, and
/// reading it would exhaust memory.
const LARGEST_FILE: u64 = 256 << 20;
/// How often a file that changes while it is read is read again before its previous source is used.
const TRIES: usize = 3;
/// How long to wait for an editor to finish a save between two tries.
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// A replacement for a file that cannot be read now.
pub trait StandIn: Clone {
    /// Whether it is empty.
    fn is_blank(&self) -> bool;
}

impl StandIn for SourceFile {
    fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}

/// The current state of one file.
#[derive(Clone, Debug)]
pub enum Current<S> {
    /// The source as it was just read, and the stamp of the file; `None` if the file may have
    /// changed since without a new stamp.
    Read(SourceFile, Option<Stamp>),
    /// The previous state of a file that is unchanged or cannot be read.
    Before(S),
}

/// The state of all zone files, and what could not be read.
#[derive(Clone, Debug)]
pub struct Sources<S = SourceFile> {
    /// One entry for each file, sorted by path.
    pub files: Vec<Current<S>>,
    /// Diagnostics about files that could not be read.
    pub diagnostics: Vec<Diagnostic>,
    /// Files that could not be read and have no replacement.
    pub missing: Vec<PathBuf>,
    /// Files that are being written. Their previous state is used; new files are left out.
    pub in_progress: Vec<PathBuf>,
    /// Files that were read although no writer was seen to close them.
    pub quiet: Vec<PathBuf>,
}

impl<S> Default for Sources<S> {
    fn default() -> Sources<S> {
        let (files, diagnostics, missing, in_progress, quiet) = Default::default();
        Sources { files, diagnostics, missing, in_progress, quiet }
    }
}

impl Sources {
    /// All sources.
    pub fn texts(self) -> Vec<SourceFile> {
        let text = |current| match current {
            Current::Read(source, _) | Current::Before(source) => source,
        };
        self.files.into_iter().map(text).collect()
    }
}

/// Reads all zone files of `directory`. `before` returns the replacement of a file that cannot be
/// read now: the state served so far, or the source of the last run. `unchanged` returns the state
/// of a file with this stamp; such a file is not read. `writers` says which files are being
/// written.
pub fn read_zone_files<S: StandIn>(
    directory: &Path,
    served: &[S],
    writers: &Writers,
    before: impl Fn(&Path) -> Option<S>,
    unchanged: impl Fn(&Path, Stamp) -> Option<S>,
) -> Sources<S> {
    read_zone_files_within(&mut MemoryRoom::unlimited(), directory, served, writers, before, unchanged)
}

/// The same within a memory limit: a file that does not fit counts as one that cannot be read now.
pub fn read_zone_files_within<S: StandIn>(
    room: &mut MemoryRoom,
    directory: &Path,
    served: &[S],
    writers: &Writers,
    before: impl Fn(&Path) -> Option<S>,
    unchanged: impl Fn(&Path, Stamp) -> Option<S>,
) -> Sources<S> {
    let paths = match zone_files(directory) {
        Ok(paths) if paths.is_empty() && !served.is_empty() => {
            return keep_all(served, directory, "the zones directory is empty, but zones are being served");
        }
        Ok(paths) => paths,
        Err(error) => {
            let message = format!("the zones directory cannot be read: {error}");
            return keep_all(served, directory, &message);
        }
    };
    let mut sources = Sources::default();
    for path in paths {
        background::yield_point();
        let stamp = Stamp::of(&path);
        if let Some(before) = stamp.and_then(|stamp| unchanged(&path, stamp)) {
            sources.files.push(Current::Before(before));
            continue;
        }
        if let Err(problem) = room.admit(stamp.map_or(0, |stamp| stamp.size())) {
            stand_in(&mut sources, &path, &problem, before(&path));
            continue;
        }
        match read_settled(&path, writers) {
            // Removed since the directory was listed.
            Ok(Contents::Absent) => {}
            Ok(Contents::InProgress) => {
                sources.files.extend(before(&path).map(Current::Before));
                sources.in_progress.push(path);
            }
            Ok(Contents::Text { source, stamp, state }) => {
                if state == WriteState::Quiet {
                    sources.quiet.push(path.clone());
                }
                add(&mut sources, source, stamp, &before);
            }
            Err(problem) => stand_in(&mut sources, &path, &problem, before(&path)),
        }
    }
    sources
}

/// Reads exactly these zone files.
pub fn read_zone_list(paths: &[PathBuf], before: impl Fn(&Path) -> Option<SourceFile>) -> Sources {
    let mut sources = Sources::default();
    for path in paths {
        match read_settled(path, &Writers::unknown()) {
            Ok(Contents::Text { source, stamp, .. }) => add(&mut sources, source, stamp, &before),
            Ok(Contents::Absent) => stand_in(&mut sources, path, "there is no such file", before(path)),
            // `Writers::unknown` reports no file as being written.
            Ok(Contents::InProgress) => {}
            Err(problem) => stand_in(&mut sources, path, &problem, before(path)),
        }
    }
    sources
}

/// An empty file does not remove its zone: many editors begin a save by truncating the file.
fn add<S: StandIn>(
    sources: &mut Sources<S>,
    file: SourceFile,
    stamp: Option<Stamp>,
    before: impl Fn(&Path) -> Option<S>,
) {
    match file.is_blank().then(|| before(&file.path)).flatten().filter(|before| !before.is_blank()) {
        Some(before) => stand_in(sources, &file.path, "the file is empty", Some(before)),
        None => sources.files.push(Current::Read(file, stamp)),
    }
}

fn stand_in<S>(sources: &mut Sources<S>, path: &Path, problem: &str, before: Option<S>) {
    sources.diagnostics.push(diagnostic(path, problem, before.is_some()));
    match before {
        Some(before) => sources.files.push(Current::Before(before)),
        None => sources.missing.push(path.to_path_buf()),
    }
}

fn keep_all<S: StandIn>(served: &[S], directory: &Path, problem: &str) -> Sources<S> {
    let diagnostics = vec![diagnostic(directory, problem, !served.is_empty())];
    let missing = if served.is_empty() { vec![directory.to_path_buf()] } else { Vec::new() };
    let files = served.iter().cloned().map(Current::Before).collect();
    Sources { files, diagnostics, missing, ..Sources::default() }
}

fn diagnostic(path: &Path, problem: &str, something_stands_in: bool) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(path, problem.to_owned());
    if something_stands_in {
        diagnostic.hint("the previous version stays in service");
    }
    diagnostic
}

/// The contents of a file.
enum Contents {
    Absent,
    InProgress,
    Text {
        source: SourceFile,
        /// The stamp, if the file is at rest: a coarse clock can give two writes the same time.
        stamp: Option<Stamp>,
        state: WriteState,
    },
}

/// Reads a file that is not being written: its stamp must be the same before and after.
fn read_settled(path: &Path, writers: &Writers) -> Result<Contents, String> {
    for attempt in 0..TRIES {
        if attempt > 0 {
            std::thread::sleep(BETWEEN_TRIES);
        }
        let Some(before) = Stamp::of(path) else { return absent(path) };
        if writers.state(path, before) == WriteState::InProgress {
            return Ok(Contents::InProgress);
        }
        let source = read_source(path)?;
        background::yield_point();
        if Stamp::of(path) == Some(before) {
            // A writer may have opened it in between.
            let state = writers.state(path, before);
            if state == WriteState::InProgress {
                return Ok(Contents::InProgress);
            }
            let stamp = before.is_at_rest().then_some(before);
            return Ok(Contents::Text { source, stamp, state });
        }
    }
    Err("the file changed while it was read".to_owned())
}

/// A link without a target is not a removed file: a checkout or a mount may be in progress.
fn absent(path: &Path) -> Result<Contents, String> {
    match files::symlink_metadata(path) {
        Ok(_) => Err("it is a symbolic link whose target does not exist".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Contents::Absent),
        Err(error) => Err(format!("the file cannot be read: {error}")),
    }
}

/// Reads a file up to the size limit.
pub(super) fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    files::read(path, LARGEST_FILE).map_err(|error| format!("the file cannot be read: {error}"))
}

/// Reads a source as it is now.
pub(super) fn read_source(path: &Path) -> Result<SourceFile, String> {
    let before = disclosure_of(path);
    let bytes = read_bounded(path)?;
    // A file may be replaced by a link, or a link by a file, at any moment.
    let disclosure = if disclosure_of(path) == before { before } else { Disclosure::Places };
    // The full reason names the contents of the file.
    let text = text(bytes).map_err(|reason| match disclosure {
        Disclosure::Text => reason,
        Disclosure::Places => "the file is not UTF-8".to_owned(),
    })?;
    Ok(SourceFile { disclosure, ..SourceFile::new(path, text) })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn write(directory: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = directory.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn before(files: &[SourceFile]) -> impl Fn(&Path) -> Option<SourceFile> {
        move |path| files.iter().find(|file| file.path == path).cloned()
    }

    fn texts(sources: &Sources) -> Vec<String> {
        sources.clone().texts().iter().map(|file| file.text.to_string()).collect()
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn hidden_files_backups_and_others_are_no_zone_files() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.toml", "a.toml", ".c.toml", "d.toml~", "e.md", "toml"] {
            write(directory.path(), name, name);
        }
        let sources = read_zone_files::<SourceFile>(directory.path(), &[], &Writers::unknown(), |_| None, |_, _| None);
        assert_eq!(texts(&sources), ["a.toml", "b.toml"]);
        assert!(sources.diagnostics.is_empty());
    }

    #[test]
    fn an_unreadable_file_keeps_its_text_and_the_others_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let bad = write(directory.path(), "bad.toml", b"name = \"x\"\ncomment = \"\xfcber\"\n");
        write(directory.path(), "good.toml", "good");
        let served = [SourceFile::new(bad.clone(), "served")];
        let sources = read_zone_files(directory.path(), &served, &Writers::unknown(), before(&served), |_, _| None);
        assert_eq!(texts(&sources), ["served", "good"]);
        assert!(
            sources.diagnostics[0].message.contains("octet 0xfc in line 2, column 12"),
            "{}",
            sources.diagnostics[0].message
        );
        let sources = read_zone_files::<SourceFile>(directory.path(), &[], &Writers::unknown(), |_| None, |_, _| None);
        assert_eq!((texts(&sources), &sources.missing), (vec!["good".to_owned()], &vec![bad]));
    }

    #[test]
    fn a_file_for_which_there_is_no_memory_keeps_its_text_and_the_others_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let large = "#".repeat(100_000);
        let known = write(directory.path(), "known.toml", &large);
        let new = write(directory.path(), "new.toml", &large);
        write(directory.path(), "small.toml", "small");
        let served = [SourceFile::new(known, "served")];
        let mut room = MemoryRoom::of(Some(1 << 20));
        let (known, writers) = (before(&served), Writers::unknown());
        let sources = read_zone_files_within(&mut room, directory.path(), &served, &writers, known, |_, _| None);
        assert_eq!((texts(&sources), &sources.missing), (owned(&["served", "small"]), &vec![new]));
        let messages: Vec<_> = sources.diagnostics.iter().map(|diagnostic| &*diagnostic.message).collect();
        assert_eq!(messages, ["loading needs about 3 MiB of memory and the limit leaves 1 MiB"; 2]);
    }

    #[test]
    fn a_file_that_is_emptied_keeps_its_text() {
        let directory = tempfile::tempdir().unwrap();
        let path = write(directory.path(), "a.toml", "\n");
        let served = [SourceFile::new(path, "served")];
        let sources = read_zone_files(directory.path(), &served, &Writers::unknown(), before(&served), |_, _| None);
        assert_eq!((texts(&sources), sources.diagnostics.len()), (owned(&["served"]), 1));
        // A file that never had contents is only empty.
        let sources = read_zone_files::<SourceFile>(directory.path(), &[], &Writers::unknown(), |_| None, |_, _| None);
        assert_eq!((texts(&sources), sources.diagnostics.len()), (owned(&["\n"]), 0));
    }

    #[test]
    fn a_directory_that_vanished_or_was_emptied_drops_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let served = [SourceFile::new(directory.path().join("a.toml"), "served")];
        let emptied = read_zone_files(directory.path(), &served, &Writers::unknown(), before(&served), |_, _| None);
        let vanished =
            read_zone_files(&directory.path().join("not"), &served, &Writers::unknown(), before(&served), |_, _| None);
        for sources in [emptied, vanished] {
            assert_eq!((texts(&sources), sources.diagnostics.len(), sources.missing.len()), (owned(&["served"]), 1, 0));
        }
        // Nothing was served: a missing directory is an error, and an empty one is empty.
        let sources = read_zone_files::<SourceFile>(
            &directory.path().join("not"),
            &[],
            &Writers::unknown(),
            |_| None,
            |_, _| None,
        );
        assert_eq!(sources.missing, [directory.path().join("not")]);
        assert!(
            read_zone_files::<SourceFile>(directory.path(), &[], &Writers::unknown(), |_| None, |_, _| None)
                .diagnostics
                .is_empty()
        );
    }

    #[test]
    fn one_file_that_was_removed_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "b.toml", "b");
        let served = [SourceFile::new(directory.path().join("a.toml"), "a")];
        let sources = read_zone_files(directory.path(), &served, &Writers::unknown(), before(&served), |_, _| None);
        assert_eq!((texts(&sources), sources.diagnostics.len()), (owned(&["b"]), 0));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_nothing_keeps_its_text() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.toml");
        write(directory.path(), "b.toml", "b");
        let served = [SourceFile::new(path.clone(), "served")];
        for target in ["gone", "a.toml"] {
            std::os::unix::fs::symlink(target, &path).unwrap();
            let sources = read_zone_files(directory.path(), &served, &Writers::unknown(), before(&served), |_, _| None);
            assert_eq!(
                (texts(&sources), sources.diagnostics.len()),
                (owned(&["served", "b"]), 1),
                "a link to {target}"
            );
            fs::remove_file(&path).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_a_fault_and_does_not_hang() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("folder.toml")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", directory.path().join("zero.toml")).unwrap();
        let sources = read_zone_files::<SourceFile>(directory.path(), &[], &Writers::unknown(), |_| None, |_, _| None);
        assert_eq!((sources.diagnostics.len(), sources.missing.len()), (2, 2));
    }
}
