//! Where the configuration comes from, and what a load takes from there: a file that changed is
//! read, an unchanged one is not, and one that cannot be read now keeps its previous state.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::background;
use crate::config::{Diagnostic, SourceFile};
use crate::files;
use crate::objects::{Author, Submission};
use crate::privilege::out_of_reach;
use crate::store::{self, Contents, MemoryRoom, ReplaceError, ReplacedFiles, Stamp, WriteState, Writers};

/// The settings, zone files and geo databases, each by its path. Whether a file changed is seen by
/// its stamp.
pub(crate) trait Sources: Send + Sync {
    /// The zone files in `directory` with their stamps, sorted by path. A file without a stamp
    /// cannot be read now.
    fn zone_files(&self, directory: &Path) -> Result<Vec<(PathBuf, Option<Stamp>)>, String>;

    /// Whether it lists directories; otherwise it has the same files for any directory.
    fn lists_directories(&self) -> bool {
        true
    }

    /// Whether this directory without files means that all of them were removed. On disk it is more
    /// likely that a mount is missing.
    fn may_be_emptied(&self, _directory: &Path) -> bool {
        false
    }

    /// Whether it has the files of the cluster.
    fn has_cluster(&self) -> bool {
        false
    }

    /// A number that changes with what the files have: what a load finds is at least as new.
    fn revision(&self) -> i64 {
        0
    }

    /// Who made the text of this file what it is, if that is known.
    fn author(&self, _path: &Path) -> Option<Author> {
        None
    }

    /// The stamp of a file or directory; `None` if it does not exist.
    fn stamp(&self, path: &Path) -> Option<Stamp>;

    /// Whether a file is being written.
    fn is_in_progress(&self, path: &Path) -> bool;

    /// Notes a zone file that a change created, so that its removal counts as an edit even if it
    /// comes before the next look at the files.
    fn created(&self, _path: &Path) {}

    /// Reads a settings or zone file.
    fn text(&self, path: &Path) -> Result<Contents, String>;

    /// Reads a geo database.
    fn bytes(&self, path: &Path, at_most: u64) -> Result<Vec<u8>, String>;

    /// Creates, replaces or removes a zone file durably, if it has the text that was read.
    fn write(&self, write: &FileWrite<'_>) -> Result<(), ReplaceError>;

    /// Removes old files of replacements that were kept for long enough.
    fn remove_replaced(&self) {}

    /// Looks whether another program writes a file that was replaced. Returns whether to look
    /// again.
    fn look_at_replaced(&self) -> bool {
        false
    }
}

/// A zone file that is created, replaced or removed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileWrite<'w> {
    /// The file.
    pub(crate) path: &'w Path,
    /// The text that was read; `None` for a new file.
    pub(crate) before: Option<&'w str>,
    /// The new text; `None` for a file that is removed.
    pub(crate) after: Option<&'w str>,
    /// Who changes it, if a program does.
    pub(crate) author: Option<&'w Author>,
    /// The change as GetChange reports it, if it does.
    pub(crate) submission: Option<&'w Submission>,
    /// Which other files the change concerns.
    pub(crate) reach: Reach,
    /// The [`Sources::revision`] of what the change was decided on.
    pub(crate) decided_on: i64,
}

#[cfg(test)]
impl<'w> FileWrite<'w> {
    /// A write without a commit.
    pub(crate) fn plain(path: &'w Path, before: Option<&'w str>, after: Option<&'w str>) -> FileWrite<'w> {
        FileWrite { path, before, after, author: None, submission: None, reach: Reach::File, decided_on: 0 }
    }
}

/// Which other files a change of a file concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// None: the change is valid regardless of the other files.
    File,
    /// Others: it defines what they may refer to, or refers to what they define.
    Others,
}

/// Sources on disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileSources {
    writers: Writers,
    /// The zone files, and directories of zone files, in place of those in the zones directory.
    named: Vec<PathBuf>,
    /// The files that changes replaced, if they are kept.
    replaced: Option<Arc<ReplacedFiles>>,
}

impl FileSources {
    /// The files as configured; `writers` says which are being written.
    pub(crate) fn new(writers: Writers) -> FileSources {
        FileSources { writers, ..FileSources::default() }
    }

    /// The files as configured. Those that are replaced are kept for a while.
    pub(crate) fn keeping_replaced() -> FileSources {
        FileSources { replaced: Some(Arc::default()), ..FileSources::default() }
    }

    /// These zone files, and those in these directories, in place of the zones directory. Without
    /// any it is the zones directory after all.
    pub(crate) fn named(paths: &[PathBuf]) -> FileSources {
        FileSources { named: paths.to_vec(), ..FileSources::default() }
    }
}

impl Sources for FileSources {
    fn zone_files(&self, directory: &Path) -> Result<Vec<(PathBuf, Option<Stamp>)>, String> {
        let in_directory = |directory: &Path| store::zone_files(directory).map_err(|error| error.to_string());
        let mut paths = Vec::new();
        for path in &self.named {
            let is_directory = files::metadata(path).is_ok_and(|metadata| metadata.is_dir());
            if is_directory { paths.extend(in_directory(path)?) } else { paths.push(path.clone()) }
        }
        if self.named.is_empty() {
            paths = in_directory(directory)?;
        }
        paths.sort_unstable();
        paths.dedup();
        Ok(background::yielding(paths).map(|path| (path.clone(), Stamp::of(&path))).collect())
    }

    fn lists_directories(&self) -> bool {
        self.named.is_empty()
    }

    fn stamp(&self, path: &Path) -> Option<Stamp> {
        Stamp::of(path)
    }

    fn is_in_progress(&self, path: &Path) -> bool {
        let is_in_progress = |stamp| self.writers.state(path, stamp) == WriteState::InProgress;
        files::expect_regular(path).is_ok() && Stamp::of(path).is_some_and(is_in_progress)
    }

    fn created(&self, path: &Path) {
        self.writers.created(path);
    }

    fn text(&self, path: &Path) -> Result<Contents, String> {
        match store::read_text(path, &self.writers).map_err(|problem| out_of_reach(path).unwrap_or(problem))? {
            Contents::Absent if self.named.iter().any(|named| named == path) => Err("there is no such file".to_owned()),
            contents => Ok(contents),
        }
    }

    fn bytes(&self, path: &Path, at_most: u64) -> Result<Vec<u8>, String> {
        let problem = |error| out_of_reach(path).unwrap_or_else(|| format!("the file cannot be read: {error}"));
        files::read(path, at_most).map_err(problem)
    }

    fn write(&self, write: &FileWrite<'_>) -> Result<(), ReplaceError> {
        match (write.before, write.after) {
            (Some(before), Some(after)) => store::replace_file(write.path, before, after, self.replaced.as_deref()),
            (None, Some(after)) => store::create_file(write.path, after),
            (Some(before), None) => store::move_to_deleted(write.path, before),
            (None, None) => Ok(()),
        }
    }

    fn remove_replaced(&self) {
        if let Some(replaced) = &self.replaced {
            replaced.remove_old(Instant::now());
        }
    }

    fn look_at_replaced(&self) -> bool {
        self.replaced.as_ref().is_some_and(|replaced| replaced.look(Instant::now()))
    }
}

/// The previous state of a file, which is used if the file cannot be read now.
pub(super) trait PreviousFile: Clone {
    /// Its path.
    fn path(&self) -> &Path;

    /// Whether it is empty.
    fn is_blank(&self) -> bool;
}

impl PreviousFile for SourceFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}

/// The current state of one file.
#[derive(Clone, Debug)]
pub(super) enum FileInput<S> {
    /// The source as it was just read, and the stamp of the file; `None` if the file may have
    /// changed since without a new stamp.
    Read(SourceFile, Option<Stamp>),
    /// The previous state of a file that is unchanged or cannot be read.
    Before(S),
}

/// The state of all zone files, and what could not be read.
#[derive(Clone, Debug)]
pub(super) struct ReadZoneFiles<S> {
    /// One entry for each file, sorted by path.
    pub(super) files: Vec<FileInput<S>>,
    /// Diagnostics about files that could not be read.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Files that could not be read and have no replacement.
    pub(super) missing: Vec<PathBuf>,
    /// Files that are being written. Their previous state is used; new files are left out.
    pub(super) in_progress: Vec<PathBuf>,
    /// Files that were read although no writer was seen to close them.
    pub(super) quiet: Vec<PathBuf>,
}

/// What was served before a load, as far as it replaces what cannot be read now.
pub(super) struct Previous<'p, S> {
    /// Everything that was served from the directories.
    pub(super) served: &'p [S],
    /// The replacement of a file that cannot be read now: its state served so far, or the source of
    /// the last run.
    pub(super) of: &'p dyn Fn(&Path) -> Option<S>,
    /// The state of a file with this stamp; such a file is not read.
    pub(super) unchanged: &'p dyn Fn(&Path, Stamp) -> Option<S>,
    /// Whether answers are the same without this file, because the cluster has what it defines.
    pub(super) is_in_cluster: &'p dyn Fn(&S) -> bool,
}

/// Reads the zone files of these directories: the zones directory, and that of new zones if it is
/// another one, which may not exist yet. A file for which there is no memory counts as one that
/// cannot be read now.
pub(super) fn read_zone_files<S: PreviousFile>(
    sources: &dyn Sources,
    directories: &[PathBuf],
    previous: &Previous<'_, S>,
    room: &mut MemoryRoom,
) -> ReadZoneFiles<S> {
    let mut texts = ReadZoneFiles::default();
    let count = if sources.lists_directories() { directories.len() } else { 1 };
    for (at, directory) in directories.iter().enumerate().take(count) {
        let is_in = |other: &Path, file: &S| file.path().parent() == Some(other);
        let is_here = |file: &&S| match at {
            0 => !directories[1..].iter().any(|other| is_in(other, file)),
            _ => is_in(directory, file),
        };
        let is_serving = previous.served.iter().any(|file| is_here(&file));
        if at > 0 && !is_serving && sources.stamp(directory).is_none() {
            continue;
        }
        let needs_any = || previous.served.iter().filter(is_here).any(|file| !(previous.is_in_cluster)(file));
        match list(sources, directory, needs_any) {
            Ok(listed) => texts.read(listed, sources, previous, room),
            Err(problem) => {
                let served = previous.served.iter().filter(is_here).cloned();
                texts.all_as_before(served.map(FileInput::Before).collect(), directory, &problem);
            }
        }
    }
    texts.files.sort_by(|one, other| path_of(one).cmp(path_of(other)));
    texts
}

/// A directory that was emptied at once is not believed if answers need what was in it.
fn list(
    sources: &dyn Sources,
    directory: &Path,
    needs_any: impl Fn() -> bool,
) -> Result<Vec<(PathBuf, Option<Stamp>)>, String> {
    match sources.zone_files(directory) {
        Ok(listed) if listed.is_empty() && !sources.may_be_emptied(directory) && needs_any() => {
            Err("the zones directory is empty, but zones are being served".to_owned())
        }
        Ok(listed) => Ok(listed),
        Err(error) => Err(format!("the zones directory cannot be read: {error}")),
    }
}

fn path_of<S: PreviousFile>(current: &FileInput<S>) -> &Path {
    match current {
        FileInput::Read(source, _) => &source.path,
        FileInput::Before(before) => before.path(),
    }
}

impl<S> Default for ReadZoneFiles<S> {
    fn default() -> ReadZoneFiles<S> {
        let (files, diagnostics, missing, in_progress, quiet) = Default::default();
        ReadZoneFiles { files, diagnostics, missing, in_progress, quiet }
    }
}

impl<S: PreviousFile> ReadZoneFiles<S> {
    fn read(
        &mut self,
        listed: Vec<(PathBuf, Option<Stamp>)>,
        sources: &dyn Sources,
        previous: &Previous<'_, S>,
        room: &mut MemoryRoom,
    ) {
        for (path, stamp) in listed {
            background::yield_point();
            if let Some(before) = stamp.and_then(|stamp| (previous.unchanged)(&path, stamp)) {
                self.files.push(FileInput::Before(before));
                continue;
            }
            if let Err(problem) = room.admit(stamp.map_or(0, |stamp| stamp.size())) {
                self.use_previous(&path, &problem, (previous.of)(&path));
                continue;
            }
            match sources.text(&path) {
                // Removed since the directory was listed.
                Ok(Contents::Absent) => {}
                Ok(Contents::InProgress) => {
                    self.files.extend((previous.of)(&path).map(FileInput::Before));
                    self.in_progress.push(path);
                }
                Ok(Contents::Text { source, stamp, state }) => {
                    if state == WriteState::Quiet {
                        self.quiet.push(path.clone());
                    }
                    self.add(source, stamp, previous.of);
                }
                Err(problem) => self.use_previous(&path, &problem, (previous.of)(&path)),
            }
        }
    }

    fn all_as_before(&mut self, served: Vec<FileInput<S>>, directory: &Path, problem: &str) {
        self.diagnostics.push(unreadable(directory, problem, !served.is_empty()));
        if served.is_empty() {
            self.missing.push(directory.to_path_buf());
        }
        self.files.extend(served);
    }

    /// An empty file does not remove its zone: many editors begin a save by truncating the file.
    fn add(&mut self, file: SourceFile, stamp: Option<Stamp>, before: &dyn Fn(&Path) -> Option<S>) {
        match file.is_blank().then(|| before(&file.path)).flatten().filter(|before| !before.is_blank()) {
            Some(before) => self.use_previous(&file.path, "the file is empty", Some(before)),
            None => self.files.push(FileInput::Read(file, stamp)),
        }
    }

    fn use_previous(&mut self, path: &Path, problem: &str, before: Option<S>) {
        self.diagnostics.push(unreadable(path, problem, before.is_some()));
        match before {
            Some(before) => self.files.push(FileInput::Before(before)),
            None => self.missing.push(path.to_path_buf()),
        }
    }
}

fn unreadable(path: &Path, problem: &str, has_previous: bool) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(path, problem.to_owned());
    if has_previous {
        diagnostic.hint("the previous version stays in service");
    }
    diagnostic
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

    fn read(directory: &Path, served: &[SourceFile]) -> ReadZoneFiles<SourceFile> {
        read_within(&mut MemoryRoom::unlimited(), directory, served)
    }

    fn read_within(room: &mut MemoryRoom, directory: &Path, served: &[SourceFile]) -> ReadZoneFiles<SourceFile> {
        let of = |path: &Path| served.iter().find(|file| file.path == path).cloned();
        let previous = Previous { served, of: &of, unchanged: &|_, _| None, is_in_cluster: &|_| false };
        read_zone_files(&FileSources::default(), &[directory.to_owned()], &previous, room)
    }

    fn texts(read: &ReadZoneFiles<SourceFile>) -> Vec<String> {
        let text = |current: &FileInput<SourceFile>| match current {
            FileInput::Read(source, _) | FileInput::Before(source) => source.text.to_string(),
        };
        read.files.iter().map(text).collect()
    }

    #[test]
    fn an_unreadable_file_keeps_its_text_and_the_others_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let bad = write(directory.path(), "bad.toml", b"name = \"x\"\ncomment = \"\xfcber\"\n");
        write(directory.path(), "good.toml", "good");
        let found = read(directory.path(), &[SourceFile::new(bad.clone(), "served")]);
        assert_eq!(texts(&found), ["served", "good"]);
        let message = &found.diagnostics[0].message;
        assert!(message.contains("byte 0xfc in line 2, column 12"), "{message}");
        let found = read(directory.path(), &[]);
        assert_eq!((texts(&found), &found.missing), (vec!["good".to_owned()], &vec![bad]));
    }

    #[test]
    fn a_file_for_which_there_is_no_memory_keeps_its_text_and_the_others_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let large = "#".repeat(100_000);
        let known = write(directory.path(), "known.toml", &large);
        let new = write(directory.path(), "new.toml", &large);
        write(directory.path(), "small.toml", "small");
        let mut room = MemoryRoom::of(Some(1 << 20));
        let found = read_within(&mut room, directory.path(), &[SourceFile::new(known, "served")]);
        assert_eq!((texts(&found), &found.missing), (vec!["served".to_owned(), "small".to_owned()], &vec![new]));
        let messages: Vec<_> = found.diagnostics.iter().map(|diagnostic| &*diagnostic.message).collect();
        assert_eq!(messages, ["loading needs about 3 MiB of memory and the limit leaves 1 MiB"; 2]);
    }

    #[test]
    fn a_file_that_is_emptied_keeps_its_text() {
        let directory = tempfile::tempdir().unwrap();
        let path = write(directory.path(), "a.toml", "\n");
        let found = read(directory.path(), &[SourceFile::new(path, "served")]);
        assert_eq!((texts(&found), found.diagnostics.len()), (vec!["served".to_owned()], 1));
        // A file that never had contents is only empty.
        let found = read(directory.path(), &[]);
        assert_eq!((texts(&found), found.diagnostics.len()), (vec!["\n".to_owned()], 0));
    }

    #[test]
    fn a_directory_that_vanished_or_was_emptied_drops_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("not");
        let served = [SourceFile::new(directory.path().join("a.toml"), "served")];
        for found in [read(directory.path(), &served), read(&missing, &served)] {
            assert_eq!(texts(&found), ["served"]);
            assert_eq!((found.diagnostics.len(), found.missing.len()), (1, 0));
        }
        // Nothing was served: a missing directory is an error, and an empty one is empty.
        assert_eq!(read(&missing, &[]).missing, [missing]);
        assert!(read(directory.path(), &[]).diagnostics.is_empty());
    }

    #[test]
    fn one_file_that_was_removed_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "b.toml", "b");
        let found = read(directory.path(), &[SourceFile::new(directory.path().join("a.toml"), "a")]);
        assert_eq!((texts(&found), found.diagnostics.len()), (vec!["b".to_owned()], 0));
    }

    #[test]
    fn the_directory_of_new_zones_is_read_too_and_guarded_like_the_other() {
        let directory = tempfile::tempdir().unwrap();
        let (main, extra) = (directory.path().join("b"), directory.path().join("a"));
        fs::create_dir(&main).unwrap();
        let one = SourceFile::new(write(&main, "one.toml", "1"), "1");
        let read = |served: &[SourceFile]| {
            let of = |path: &Path| served.iter().find(|file| file.path == path).cloned();
            let previous = Previous { served, of: &of, unchanged: &|_, _| None, is_in_cluster: &|_| false };
            let directories = [main.clone(), extra.clone()];
            read_zone_files(&FileSources::default(), &directories, &previous, &mut MemoryRoom::unlimited())
        };
        let found = read(&[]);
        assert_eq!((texts(&found), found.diagnostics.len()), (vec!["1".to_owned()], 0), "it need not exist yet");
        fs::create_dir(&extra).unwrap();
        let two = SourceFile::new(write(&extra, "two.toml", "2"), "2");
        assert_eq!(texts(&read(std::slice::from_ref(&one))), ["2", "1"]);
        fs::remove_file(&two.path).unwrap();
        let found = read(&[one.clone(), two.clone()]);
        assert_eq!((texts(&found), found.diagnostics.len()), (vec!["2".to_owned(), "1".to_owned()], 1));
        fs::remove_dir(&extra).unwrap();
        fs::remove_file(&one.path).unwrap();
        let found = read(&[one.clone(), two]);
        assert_eq!((texts(&found), found.diagnostics.len()), (vec!["2".to_owned(), "1".to_owned()], 2));
        assert_eq!(texts(&read(&[one])), ["1"], "and it need not exist any more");
    }

    #[test]
    fn named_files_and_directories_are_read_in_place_of_the_zones_directory() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("more")).unwrap();
        let (one, two) = (write(directory.path(), "one.toml", "1"), write(directory.path(), "more/two.toml", "2"));
        let missing = directory.path().join("missing.toml");
        let sources = FileSources::named(&[one.clone(), directory.path().join("more"), missing.clone(), one.clone()]);
        let listed = sources.zone_files(Path::new("/elsewhere")).unwrap();
        assert_eq!(listed.iter().map(|(path, _)| path).collect::<Vec<_>>(), [&missing, &two, &one]);
        assert_eq!(sources.text(&missing).unwrap_err(), "there is no such file");
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
            let found = read(directory.path(), &served);
            assert_eq!(texts(&found), ["served", "b"], "a link to {target}");
            assert_eq!(found.diagnostics.len(), 1, "a link to {target}");
            fs::remove_file(&path).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_an_error_and_does_not_hang() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("folder.toml")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", directory.path().join("zero.toml")).unwrap();
        let found = read(directory.path(), &[]);
        assert_eq!((found.diagnostics.len(), found.missing.len()), (2, 2));
    }
}
