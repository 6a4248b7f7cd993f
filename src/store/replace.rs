//! Replaces, creates and removes zone files durably, and only if they still have the text that was
//! read.
//!
//! The new text is written and synced next to the file; then both names are exchanged. The old
//! file is compared with what was read: if somebody saved in between, the names are exchanged back.
//! So no edit is lost, and a crash leaves the old text or the new one. File systems without an
//! exchange, such as NFS, get a comparison right before a plain rename instead. The exchange is the
//! moment of the change; it is durable when the directory is synced.
//!
//! The old file has a hidden name ([`mod@super::hidden_names`]). A server keeps it for a while,
//! because an editor may have it open and write it later ([`mod@super::replaced_files`]).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::hidden_names::{HiddenNames, is_unsupported, name_without_replacing};
use super::pause::{self, Place};
use super::replaced_files::ReplacedFiles;
use super::source_cache::SourceHash;

/// How often the names are exchanged while others save the file again and again. Each exchange
/// takes microseconds, so one more save in between is rare already.
const EXCHANGES: usize = 16;

/// The directory of removed zone files, next to the others. No zone is loaded from it.
const DELETED: &str = ".deleted";

/// Why a file is not replaced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplaceError {
    /// The file has another text than the one that was read.
    #[error("the file has changed since it was read")]
    Changed,
    /// The file has its old text.
    #[error("the file cannot be written: {0}")]
    NotWritten(#[source] io::Error),
    /// The file may have either text; the other one is in the hidden file next to it.
    #[error("the file was written and could not be put back; its other text is in a hidden file next to it: {0}")]
    NotRestored(#[source] io::Error),
    /// The file is in a store that several nodes share, which does not change it, or does not say
    /// whether it did.
    #[error("{0}")]
    Shared(String),
}

/// The system calls that a disk can fail.
pub(super) trait Disk {
    fn create(&self, options: &OpenOptions, path: &Path) -> io::Result<File> {
        options.open(path)
    }

    fn write(&self, file: &mut File, text: &str) -> io::Result<()> {
        file.write_all(text.as_bytes())
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        exchange(one, other)
    }
}

/// The real one.
pub(super) struct SystemDisk;

impl Disk for SystemDisk {}

/// Replaces the text of the file, which must be `read`, by `text`. A symbolic link stays a link:
/// the file that it leads to is replaced. Owner, if possible, and permissions stay. With `replaced`
/// the old file is kept for a while.
pub(crate) fn replace_file(
    path: &Path,
    read: &str,
    text: &str,
    replaced: Option<&ReplacedFiles>,
) -> Result<(), ReplaceError> {
    let path = fs::canonicalize(path).map_err(ReplaceError::NotWritten)?;
    replace_on(&SystemDisk, &path, read, text, replaced)
}

/// Creates a file with this text; its directory is created too. If there is a file already, it
/// stays and the error is [`ReplaceError::Changed`]. If a file of this name was moved to
/// `.deleted`, the new one has its permissions.
pub(crate) fn create_file(path: &Path, text: &str) -> Result<(), ReplaceError> {
    create_on(&SystemDisk, path, text)
}

/// Moves a file whose text must be `read` to the directory `.deleted` next to it. Of a symbolic
/// link only the link is moved.
pub(crate) fn move_to_deleted(path: &Path, read: &str) -> Result<(), ReplaceError> {
    move_to_deleted_on(&SystemDisk, path, read)
}

fn create_on(disk: &dyn Disk, path: &Path, text: &str) -> Result<(), ReplaceError> {
    let directory = directory_of(path);
    fs::create_dir_all(directory).map_err(ReplaceError::NotWritten)?;
    let part = TemporaryFile(HiddenNames::of(path).part());
    let written = match deleted_before(path) {
        Some(deleted) => write(disk, &part.0, text, &deleted),
        None => write_new(disk, OpenOptions::new(), &part.0, text),
    };
    let written = written.and_then(|()| name_without_replacing(&part.0, path));
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(ReplaceError::Changed),
        Err(error) => return Err(ReplaceError::NotWritten(error)),
    }
    disk.sync_directory(directory).map_err(|error| match fs::remove_file(path) {
        Ok(()) => ReplaceError::NotWritten(error),
        Err(error) => ReplaceError::NotRestored(error),
    })
}

/// The last file of this name that was moved to `.deleted`.
fn deleted_before(path: &Path) -> Option<PathBuf> {
    let prefix = format!("{}.", path.file_name()?.to_str()?);
    let names = fs::read_dir(directory_of(path).join(DELETED)).ok()?.filter_map(Result::ok);
    let seconds = |name: &str| name.strip_prefix(&prefix)?.split_once('-')?.0.parse::<u64>().ok();
    let found = names.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    let found = found.filter_map(|entry| Some((seconds(entry.file_name().to_str()?)?, entry.path())));
    found.max().map(|(_, path)| path)
}

fn move_to_deleted_on(disk: &dyn Disk, path: &Path, read: &str) -> Result<(), ReplaceError> {
    let deleted = directory_of(path).join(DELETED);
    fs::create_dir_all(&deleted).map_err(ReplaceError::NotWritten)?;
    let retired = deleted.join(HiddenNames::of(path).retired());
    if fs::read(path).map_err(ReplaceError::NotWritten)? != read.as_bytes() {
        return Err(ReplaceError::Changed);
    }
    fs::rename(path, &retired).map_err(ReplaceError::NotWritten)?;
    // What somebody saved after the check goes back, unless they saved again.
    let back = |error: ReplaceError| match name_without_replacing(&retired, path) {
        Ok(()) => error,
        Err(error) => ReplaceError::NotRestored(error),
    };
    match read_moved(&retired, path) {
        Ok(bytes) if bytes == read.as_bytes() => {}
        _ => return Err(back(ReplaceError::Changed)),
    }
    let synced = disk.sync_directory(&deleted).and_then(|()| disk.sync_directory(directory_of(path)));
    synced.map_err(|error| back(ReplaceError::NotWritten(error)))
}

/// What a path led to before its last part was moved to `moved`: a relative symbolic link leads
/// elsewhere from there.
fn read_moved(moved: &Path, path: &Path) -> io::Result<Vec<u8>> {
    match fs::read_link(moved) {
        Ok(target) => fs::read(directory_of(path).join(target)),
        Err(_) => fs::read(moved),
    }
}

fn replace_on(
    disk: &dyn Disk,
    path: &Path,
    read: &str,
    text: &str,
    replaced: Option<&ReplacedFiles>,
) -> Result<(), ReplaceError> {
    let names = HiddenNames::of(path);
    let (part, hidden) =
        (TemporaryFile(names.part()), TemporaryFile(names.complete(SourceHash::of(read), SourceHash::of(text))));
    let outcome = Replacement { disk, path, part: &part.0, hidden: &hidden.0, read, text }.run();
    if let (Ok(()), Some(replaced)) = (&outcome, replaced) {
        replaced.keep(path, &hidden.0, SourceHash::of(read));
    }
    pause::at(Place::Replaced);
    // It is kept for a while, or it may have what somebody else saved.
    if (outcome.is_ok() && replaced.is_some()) || matches!(outcome, Err(ReplaceError::NotRestored(_))) {
        std::mem::forget(hidden);
    }
    outcome
}

/// A hidden file, which is removed at the end.
pub(super) struct TemporaryFile(pub(super) PathBuf);

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// One replacement.
struct Replacement<'r> {
    disk: &'r dyn Disk,
    path: &'r Path,
    /// The hidden file while its text is not complete.
    part: &'r Path,
    /// The hidden file.
    hidden: &'r Path,
    read: &'r str,
    text: &'r str,
}

impl Replacement<'_> {
    fn run(&self) -> Result<(), ReplaceError> {
        self.write(self.text).map_err(ReplaceError::NotWritten)?;
        pause::at(Place::Complete);
        self.check_before()?;
        pause::at(Place::Checked);
        match self.disk.exchange(self.hidden, self.path) {
            Ok(()) => {
                pause::at(Place::Exchanged);
                self.check_old_file()?;
            }
            // What is saved after the check and before this is lost.
            Err(error) if is_unsupported(&error) => {
                fs::rename(self.hidden, self.path).map_err(ReplaceError::NotWritten)?;
            }
            Err(error) => return Err(ReplaceError::NotWritten(error)),
        }
        pause::at(Place::Compared);
        self.disk.sync_directory(directory_of(self.path)).map_err(|error| self.restore(error))?;
        pause::at(Place::Durable);
        Ok(())
    }

    /// Exchanges the names back if the old file does not have the text that was read. Others may
    /// save meanwhile: in the end the file has what was saved last.
    fn check_old_file(&self) -> Result<(), ReplaceError> {
        let old_file = || fs::read(self.hidden).map_err(ReplaceError::NotRestored);
        let mut saved = old_file()?;
        if saved == self.read.as_bytes() {
            return Ok(());
        }
        let mut put = self.text.as_bytes().to_vec();
        for _ in 0..EXCHANGES {
            self.disk.exchange(self.hidden, self.path).map_err(ReplaceError::NotRestored)?;
            pause::at(Place::PutBack);
            let out = old_file()?;
            if out == put {
                return Err(ReplaceError::Changed);
            }
            // Somebody saved again. The newer text goes back to the file.
            (put, saved) = (saved, out);
        }
        Err(ReplaceError::NotRestored(io::Error::other("others write the file all the time")))
    }

    /// Writes a hidden file. Its name says whether its text is complete.
    fn write(&self, text: &str) -> io::Result<()> {
        write(self.disk, self.part, text, self.path)?;
        fs::rename(self.part, self.hidden)
    }

    /// Most other writers are noticed here, before anybody could read the new text.
    fn check_before(&self) -> Result<(), ReplaceError> {
        match fs::read(self.path) {
            Ok(bytes) if bytes == self.read.as_bytes() => Ok(()),
            Ok(_) => Err(ReplaceError::Changed),
            Err(error) => Err(ReplaceError::NotWritten(error)),
        }
    }

    /// Puts the old text back after `error`.
    fn restore(&self, error: io::Error) -> ReplaceError {
        let restored = match self.disk.exchange(self.hidden, self.path) {
            Err(error) if is_unsupported(&error) => {
                self.write(self.read).and_then(|()| fs::rename(self.hidden, self.path))
            }
            exchanged => exchanged,
        };
        match restored {
            Ok(()) => ReplaceError::NotWritten(error),
            Err(error) => ReplaceError::NotRestored(error),
        }
    }
}

/// Writes and syncs a new file. It gets the permissions of the file `like`, and its owner if this
/// process may give files away.
pub(super) fn write(disk: &dyn Disk, path: &Path, text: &str, like: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = disk.create(private().write(true).create_new(true), path)?;
    let (metadata, new) = (fs::metadata(like)?, file.metadata()?);
    chown_as(path, &metadata, &new);
    if new.permissions() != metadata.permissions() {
        fs::set_permissions(path, metadata.permissions())?;
    }
    pause::at(Place::Created);
    // Only now, so that nobody reads it who may not read the file.
    disk.write(&mut file, text)?;
    pause::at(Place::Written);
    disk.sync_file(&file)
}

/// Writes and syncs a new file with the permissions of the options: the usual ones, or those of
/// [`private`].
pub(super) fn write_new(disk: &dyn Disk, mut options: OpenOptions, path: &Path, text: &str) -> io::Result<()> {
    let mut file = disk.create(options.write(true).create_new(true), path)?;
    disk.write(&mut file, text)?;
    disk.sync_file(&file)
}

/// Only the user of this process can access the new file.
#[cfg(unix)]
pub(super) fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

#[cfg(not(unix))]
pub(super) fn private() -> OpenOptions {
    OpenOptions::new()
}

#[cfg(unix)]
fn chown_as(path: &Path, metadata: &fs::Metadata, new: &fs::Metadata) {
    use std::os::unix::fs::MetadataExt as _;
    if (metadata.uid(), metadata.gid()) != (new.uid(), new.gid()) {
        let _ = std::os::unix::fs::chown(path, Some(metadata.uid()), Some(metadata.gid()));
    }
}

#[cfg(not(unix))]
fn chown_as(_: &Path, _: &fs::Metadata, _: &fs::Metadata) {}

pub(super) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(target_os = "linux")]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// A disk that fails at some calls, and on which somebody saves the file right before the first
    /// exchanges.
    #[derive(Clone, Default)]
    struct Broken {
        is_read_only: bool,
        is_full: bool,
        file: bool,
        directory: bool,
        has_no_exchange: bool,
        /// The directory has another name before the exchange, and another directory has its name.
        is_moved: bool,
        /// The file, and the texts that are saved before each exchange.
        saved: RefCell<Vec<(PathBuf, &'static str)>>,
    }

    impl Disk for Broken {
        fn create(&self, options: &OpenOptions, path: &Path) -> io::Result<File> {
            if self.is_read_only { Err(io::Error::from_raw_os_error(libc::EROFS)) } else { options.open(path) }
        }

        fn write(&self, file: &mut File, text: &str) -> io::Result<()> {
            if !self.is_full {
                return file.write_all(text.as_bytes());
            }
            file.write_all(&text.as_bytes()[..text.len() / 2])?;
            Err(io::Error::from_raw_os_error(libc::ENOSPC))
        }

        fn sync_file(&self, file: &File) -> io::Result<()> {
            if self.file { Err(io::Error::from_raw_os_error(libc::EIO)) } else { file.sync_all() }
        }

        fn sync_directory(&self, directory: &Path) -> io::Result<()> {
            if self.directory {
                Err(io::Error::from_raw_os_error(libc::EIO))
            } else {
                SystemDisk.sync_directory(directory)
            }
        }

        fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
            let saved = {
                let mut saved = self.saved.borrow_mut();
                if saved.is_empty() { None } else { Some(saved.remove(0)) }
            };
            if let Some((path, text)) = saved {
                save(&path, text);
            }
            if self.is_moved {
                let directory = directory_of(other);
                fs::rename(directory, directory.with_extension("moved")).unwrap();
                fs::create_dir(directory).unwrap();
                fs::write(other, "other").unwrap();
            }
            if self.has_no_exchange { Err(io::Error::from_raw_os_error(libc::EINVAL)) } else { exchange(one, other) }
        }
    }

    /// Saves as editors do: a new file takes the name.
    fn save(path: &Path, text: &str) {
        let new = path.with_extension("editor");
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }

    fn zone() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lab.test.toml");
        fs::write(&path, "old").unwrap();
        (directory, path)
    }

    /// The text of the file, which is the only one in its directory.
    fn text(path: &Path) -> String {
        let names: Vec<_> =
            fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [path.file_name().unwrap()]);
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn the_text_that_was_read_is_replaced() {
        for has_no_exchange in [false, true] {
            let (_directory, path) = zone();
            replace_on(&Broken { has_no_exchange, ..Broken::default() }, &path, "old", "new", None).unwrap();
            assert_eq!(text(&path), "new");
        }
    }

    #[test]
    fn a_file_with_another_text_stays() {
        for has_no_exchange in [false, true] {
            let (_directory, path) = zone();
            let replaced = replace_on(&Broken { has_no_exchange, ..Broken::default() }, &path, "older", "new", None);
            assert!(matches!(replaced, Err(ReplaceError::Changed)), "{replaced:?}");
            assert_eq!(text(&path), "old");
        }
    }

    #[test]
    fn what_an_editor_saves_meanwhile_stays() {
        let saves = ["first", "second", "third"];
        for (count, last) in saves.iter().enumerate().map(|(at, last)| (at + 1, last)) {
            let (_directory, path) = zone();
            let saved = saves[..count].iter().map(|text| (path.clone(), *text)).collect::<Vec<_>>();
            let disk = Broken { saved: RefCell::new(saved), ..Broken::default() };
            let replaced = replace_on(&disk, &path, "old", "new", None);
            assert!(matches!(replaced, Err(ReplaceError::Changed)), "{replaced:?}");
            assert_eq!(text(&path), *last);
        }
    }

    /// Every exchange brings out something newer, so the file never comes to rest.
    #[test]
    fn what_could_not_be_put_back_is_kept_beside_the_file() {
        let (directory, path) = zone();
        let texts: Vec<&'static str> = (0..=EXCHANGES).map(|number| &*number.to_string().leak()).collect();
        let saved = texts.iter().map(|text| (path.clone(), *text)).collect();
        let disk = Broken { saved: RefCell::new(saved), ..Broken::default() };
        let replaced = replace_on(&disk, &path, "old", "new", None);
        assert!(matches!(replaced, Err(ReplaceError::NotRestored(_))), "{replaced:?}");
        let names = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
        let found: Vec<String> = names.map(|path| fs::read_to_string(path).unwrap()).collect();
        assert!(found.len() == 2 && found.contains(&EXCHANGES.to_string()), "the last save is there: {found:?}");
    }

    #[test]
    fn a_failing_disk_keeps_the_old_text() {
        let broken = [
            Broken { is_read_only: true, ..Broken::default() },
            Broken { is_full: true, ..Broken::default() },
            Broken { file: true, ..Broken::default() },
            Broken { directory: true, ..Broken::default() },
        ];
        let without_exchange = broken.clone().map(|disk| Broken { has_no_exchange: true, ..disk });
        for disk in broken.into_iter().chain(without_exchange) {
            let (_directory, path) = zone();
            let replaced = replace_on(&disk, &path, "old", "new", None);
            assert!(matches!(replaced, Err(ReplaceError::NotWritten(_))), "{replaced:?}");
            assert_eq!(text(&path), "old");
        }
    }

    #[test]
    fn a_new_file_takes_no_place_of_another() {
        let (directory, path) = zone();
        assert!(matches!(create_file(&path, "new"), Err(ReplaceError::Changed)));
        assert_eq!(text(&path), "old");
        let new = directory.path().join("more/new.test.toml");
        create_file(&new, "new").unwrap();
        assert_eq!(text(&new), "new");
    }

    #[test]
    fn a_removed_file_is_kept_aside_and_others_are_not_removed() {
        let (directory, path) = zone();
        assert!(matches!(move_to_deleted(&path, "older"), Err(ReplaceError::Changed)));
        move_to_deleted(&path, "old").unwrap();
        assert!(!path.exists());
        let kept: Vec<PathBuf> =
            fs::read_dir(directory.path().join(DELETED)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(kept.iter().map(|path| fs::read_to_string(path).unwrap()).collect::<Vec<_>>(), ["old"]);
    }

    #[test]
    fn a_directory_that_is_replaced_meanwhile_is_not_written() {
        let (directory, _) = zone();
        let path = directory.path().join("zones/lab.test.toml");
        fs::create_dir(directory_of(&path)).unwrap();
        fs::write(&path, "old").unwrap();
        let replaced = replace_on(&Broken { is_moved: true, ..Broken::default() }, &path, "old", "new", None);
        assert!(matches!(replaced, Err(ReplaceError::NotWritten(_))), "{replaced:?}");
        assert_eq!(text(&path), "other");
        assert_eq!(fs::read_to_string(directory.path().join("zones.moved/lab.test.toml")).unwrap(), "old");
    }

    #[cfg(unix)]
    #[test]
    fn of_a_link_only_the_link_is_removed() {
        let (directory, path) = zone();
        let link = directory.path().join("link.toml");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        move_to_deleted(&link, "old").unwrap();
        assert!(fs::symlink_metadata(&link).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }

    /// Links that are relative, lead to each other, or are in a directory that is one.
    #[cfg(unix)]
    #[test]
    fn a_relative_link_is_removed_and_replaced_through_like_an_absolute_one() {
        use std::os::unix::fs::symlink;
        let (directory, path) = zone();
        let root = directory.path();
        for made in ["real/zones", "real/..2026"] {
            fs::create_dir_all(root.join(made)).unwrap();
        }
        fs::write(root.join("real/..2026/map.toml"), "old").unwrap();
        symlink("real/zones", root.join("zones")).unwrap();
        // A ConfigMap has links of this kind.
        symlink("../..2026", root.join("zones/..data")).unwrap();
        symlink("..data/map.toml", root.join("zones/map.toml")).unwrap();
        symlink(format!("../../{}", path.file_name().unwrap().to_str().unwrap()), root.join("zones/far.toml")).unwrap();
        symlink("far.toml", root.join("zones/by-another.toml")).unwrap();
        for name in ["map", "by-another", "far"] {
            for zones in ["real/zones", "zones"] {
                let link = root.join(zones).join(format!("{name}.toml"));
                let target = fs::read_link(&link).unwrap();
                replace_file(&link, "old", "new", None).unwrap();
                assert_eq!(fs::read_to_string(&link).unwrap(), "new", "{name}");
                replace_file(&link, "new", "old", None).unwrap();
                assert!(matches!(move_to_deleted(&link, "new"), Err(ReplaceError::Changed)), "{name}");
                move_to_deleted(&link, "old").unwrap_or_else(|error| panic!("{name} in {zones}: {error}"));
                assert!(fs::symlink_metadata(&link).is_err(), "{name}");
                symlink(target, &link).unwrap();
            }
        }
        let names = fs::read_dir(root.join("zones")).unwrap().count();
        assert_eq!(names, 5, "three links, one to a directory, and the removed ones");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old", "only links are removed");
        assert_eq!(fs::read_to_string(root.join("real/..2026/map.toml")).unwrap(), "old");
    }

    /// Somebody saves the file that the link leads to at the last moment.
    #[cfg(unix)]
    #[test]
    fn a_relative_link_to_a_file_with_another_text_goes_back() {
        let (directory, path) = zone();
        fs::create_dir(directory.path().join("zones")).unwrap();
        let link = directory.path().join("zones/link.toml");
        std::os::unix::fs::symlink(Path::new("..").join(path.file_name().unwrap()), &link).unwrap();
        let moved = directory.path().join("zones/.deleted/link.toml");
        fs::create_dir(directory_of(&moved)).unwrap();
        fs::rename(&link, &moved).unwrap();
        assert_eq!(read_moved(&moved, &link).unwrap(), b"old");
        fs::write(&path, "newer").unwrap();
        assert_eq!(read_moved(&moved, &link).unwrap(), b"newer");
    }

    #[test]
    fn removed_files_of_one_name_are_all_kept() {
        let (directory, path) = zone();
        for text in ["old", "new"] {
            fs::write(&path, text).unwrap();
            move_to_deleted(&path, text).unwrap();
        }
        assert_eq!(fs::read_dir(directory.path().join(DELETED)).unwrap().count(), 2);
    }

    #[test]
    fn a_failing_disk_creates_and_removes_nothing() {
        let disk = || Broken { directory: true, ..Broken::default() };
        let (directory, path) = zone();
        assert!(matches!(move_to_deleted_on(&disk(), &path, "old"), Err(ReplaceError::NotWritten(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        let new = directory.path().join("new.test.toml");
        assert!(matches!(create_on(&disk(), &new, "new"), Err(ReplaceError::NotWritten(_))));
        assert!(!new.exists());
        let broken = [
            Broken { file: true, ..Broken::default() },
            Broken { is_full: true, ..Broken::default() },
            Broken { is_read_only: true, ..Broken::default() },
        ];
        for disk in broken {
            assert!(matches!(create_on(&disk, &new, "new"), Err(ReplaceError::NotWritten(_))));
            assert!(!new.exists());
        }
    }

    /// A zone that comes back must not become readable for others.
    #[cfg(unix)]
    #[test]
    fn a_file_that_was_deleted_comes_back_with_its_permissions() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_directory, path) = zone();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        move_to_deleted(&path, "old").unwrap();
        create_file(&path, "new").unwrap();
        assert_eq!(mode(&path), 0o600);
        let other = path.with_file_name("other.toml");
        create_file(&other, "new").unwrap();
        assert_ne!(mode(&other), 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_stay() {
        use std::os::unix::fs::PermissionsExt as _;
        let (directory, path) = zone();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let elsewhere = tempfile::tempdir_in(directory.path()).unwrap();
        let link = elsewhere.path().join("link.toml");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        replace_file(&link, "old", "new", None).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }
}
