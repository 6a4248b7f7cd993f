//! Writes the files of a command: all of them, or none.
//!
//! Every text is written and synced under a hidden name next to its file
//! ([`mod@super::hidden_names`]), so that a full disk is noticed before any file changes. Then one
//! file after the other gets its name. If one cannot, those before it are put back. A crash in
//! between leaves some of the new files, each of them complete.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::hidden_names::{HiddenNames, is_unsupported, name_without_replacing};
use super::replace::{Disk, SystemDisk, TemporaryFile, directory_of, private, write, write_new};
use crate::config::hides_secrets;

/// What becomes of a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It is an error.
    Refuse,
    /// It is replaced. Of a symbolic link, the link is replaced, and what it leads to stays.
    Replace,
}

/// Why files are not written.
#[derive(Debug)]
pub(crate) struct NotWritten {
    path: PathBuf,
    error: io::Error,
    /// The files that are new nevertheless, because they could not be put back.
    written: Vec<PathBuf>,
}

impl Display for NotWritten {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write {}: {}; ", self.path.display(), self.error)?;
        if self.written.is_empty() {
            return f.write_str("no file is changed");
        }
        let written: Vec<String> = self.written.iter().map(|path| path.display().to_string()).collect();
        write!(f, "these files are new and could not be put back: {}", written.join(", "))
    }
}

impl std::error::Error for NotWritten {}

/// Writes files with these texts. A file whose text has secrets can be accessed only by the user of
/// this process; any other file gets the permissions of the one that it replaces, else those of the
/// umask.
pub(crate) fn write_files(files: &[(PathBuf, &str)], existing: Existing) -> Result<(), NotWritten> {
    write_on(&SystemDisk, files, existing)
}

/// What was done to give a file its name.
enum Naming {
    /// There was no file.
    New,
    /// The hidden file is the old one.
    Exchanged,
    /// The file system has no exchange, so the old file is gone.
    Replaced,
}

fn write_on(disk: &dyn Disk, files: &[(PathBuf, &str)], existing: Existing) -> Result<(), NotWritten> {
    let failed = |path: &Path, error| NotWritten { path: path.to_owned(), error, written: Vec::new() };
    let mut parts = Vec::with_capacity(files.len());
    for (path, text) in files {
        let part = TemporaryFile(HiddenNames::of(path).part());
        write_part(disk, &part.0, text, path).map_err(|error| failed(path, error))?;
        parts.push((part, path.as_path()));
    }
    let mut named = Vec::with_capacity(files.len());
    for (part, path) in &parts {
        match name(disk, &part.0, path, existing) {
            Ok(naming) => named.push((naming, &*part.0, *path)),
            Err(error) => return Err(NotWritten { written: undo(disk, &named), ..failed(path, error) }),
        }
    }
    let directories: BTreeSet<&Path> = files.iter().map(|(path, _)| directory_of(path)).collect();
    for directory in directories {
        if let Err(error) = disk.sync_directory(directory) {
            return Err(NotWritten { written: undo(disk, &named), ..failed(directory, error) });
        }
    }
    Ok(())
}

fn write_part(disk: &dyn Disk, part: &Path, text: &str, path: &Path) -> io::Result<()> {
    let old = fs::symlink_metadata(path).map(|metadata| metadata.file_type()).ok();
    if old.is_some_and(|old| !old.is_file() && !old.is_symlink()) {
        return Err(io::Error::other("it is not a file"));
    }
    match old {
        _ if hides_secrets(text) => write_new(disk, private(), part, text),
        Some(old) if old.is_file() => write(disk, part, text, path),
        _ => write_new(disk, OpenOptions::new(), part, text),
    }
}

fn name(disk: &dyn Disk, part: &Path, path: &Path, existing: Existing) -> io::Result<Naming> {
    match name_without_replacing(part, path) {
        Ok(()) => return Ok(Naming::New),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && existing == Existing::Replace => {}
        Err(error) => return Err(error),
    }
    match disk.exchange(part, path) {
        Ok(()) => Ok(Naming::Exchanged),
        Err(error) if is_unsupported(&error) => fs::rename(part, path).map(|()| Naming::Replaced),
        Err(error) => Err(error),
    }
}

/// Puts the files back, and returns those that stay new.
fn undo(disk: &dyn Disk, named: &[(Naming, &Path, &Path)]) -> Vec<PathBuf> {
    let is_back = |(naming, part, path): &(Naming, &Path, &Path)| match naming {
        Naming::New => fs::remove_file(path).is_ok(),
        Naming::Exchanged => disk.exchange(part, path).is_ok(),
        Naming::Replaced => false,
    };
    named.iter().rev().filter(|naming| !is_back(naming)).map(|(.., path)| path.to_path_buf()).collect()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;
    use std::fs::File;
    use std::io::Write as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// A disk that fails after so many calls of each kind.
    struct Failing {
        writes: Cell<usize>,
        exchanges: Cell<usize>,
        directories: Cell<usize>,
    }

    const NEVER: usize = usize::MAX;

    fn failing(writes: usize, exchanges: usize, directories: usize) -> Failing {
        Failing { writes: writes.into(), exchanges: exchanges.into(), directories: directories.into() }
    }

    /// Counts down, and fails at 0 with ENOSPC.
    fn count(calls: &Cell<usize>) -> io::Result<()> {
        let left = calls.get().checked_sub(1).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOSPC))?;
        calls.set(left);
        Ok(())
    }

    impl Disk for Failing {
        fn write(&self, file: &mut File, text: &str) -> io::Result<()> {
            file.write_all(&text.as_bytes()[..text.len() / 2])?;
            count(&self.writes)?;
            file.write_all(&text.as_bytes()[text.len() / 2..])
        }

        fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
            count(&self.exchanges)?;
            SystemDisk.exchange(one, other)
        }

        fn sync_directory(&self, directory: &Path) -> io::Result<()> {
            count(&self.directories)?;
            SystemDisk.sync_directory(directory)
        }
    }

    /// All files of a directory, hidden ones too.
    fn texts(directory: &Path) -> BTreeMap<String, String> {
        let entry = |entry: io::Result<fs::DirEntry>| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
        };
        fs::read_dir(directory).unwrap().map(entry).collect()
    }

    /// `b` and `c` exist, `a` and `d` do not.
    fn directory() -> (tempfile::TempDir, Vec<(PathBuf, &'static str)>) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("b"), "old b").unwrap();
        fs::write(directory.path().join("c"), "old c").unwrap();
        let files = [("a", "new a"), ("b", "new b"), ("c", "new c"), ("d", "new d")];
        let files = files.map(|(name, text)| (directory.path().join(name), text));
        (directory, files.into())
    }

    fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn all_files_are_written_or_none() {
        let old = pairs(&[("b", "old b"), ("c", "old c")]);
        let new = pairs(&[("a", "new a"), ("b", "new b"), ("c", "new c"), ("d", "new d")]);
        for (writes, directories) in (0..4).map(|writes| (writes, NEVER)).chain([(NEVER, 0)]) {
            let (directory, files) = directory();
            let error = write_on(&failing(writes, NEVER, directories), &files, Existing::Replace).unwrap_err();
            assert!(error.to_string().ends_with("; no file is changed"), "{error}");
            assert_eq!(texts(directory.path()), old, "{writes}");
        }
        let (directory, files) = directory();
        assert!(write_files(&files, Existing::Refuse).unwrap_err().to_string().contains("/b: "));
        assert_eq!(texts(directory.path()), old);
        write_files(&files, Existing::Replace).unwrap();
        assert_eq!(texts(directory.path()), new);
    }

    #[test]
    fn files_that_cannot_be_put_back_are_named() {
        let (directory, files) = directory();
        // The exchange of `b` works, that of `c` does not, nor the one that puts `b` back.
        let error = write_on(&failing(NEVER, 1, NEVER), &files, Existing::Replace).unwrap_err().to_string();
        assert!(
            error.contains("/c: ") && error.contains("could not be put back: ") && error.ends_with("/b"),
            "{error}"
        );
        assert_eq!(texts(directory.path()), pairs(&[("b", "new b"), ("c", "old c")]));
    }

    #[test]
    fn a_link_is_replaced_and_a_directory_is_not() {
        let (directory, _) = directory();
        let path = |name: &str| directory.path().join(name);
        symlink("b", path("link")).unwrap();
        write_files(&[(path("link"), "new")], Existing::Replace).unwrap();
        assert!(!path("link").is_symlink());
        assert_eq!(texts(directory.path()), pairs(&[("b", "old b"), ("c", "old c"), ("link", "new")]));
        fs::create_dir(path("e")).unwrap();
        let error = write_files(&[(path("b"), "new"), (path("e"), "new")], Existing::Replace).unwrap_err();
        assert!(error.to_string().contains("/e: it is not a file"), "{error}");
        assert_eq!(fs::read_to_string(path("b")).unwrap(), "old b");
    }

    #[test]
    fn permissions_stay_and_secrets_are_private() {
        let (directory, _) = directory();
        let path = |name: &str| directory.path().join(name);
        let mode = |name: &str| fs::metadata(path(name)).unwrap().permissions().mode() & 0o777;
        fs::set_permissions(path("b"), fs::Permissions::from_mode(0o640)).unwrap();
        fs::set_permissions(path("c"), fs::Permissions::from_mode(0o644)).unwrap();
        let secret =
            "[[health_check]]\nname = \"a\"\ntype = \"http\"\nrequest_headers = { Authorization = \"Bearer x\" }\n";
        let files = [(path("a"), secret), (path("b"), "name = \"b.test\"\n"), (path("c"), secret)];
        write_files(&files, Existing::Replace).unwrap();
        assert_eq!((mode("a"), mode("b"), mode("c")), (0o600, 0o640, 0o600));
    }
}
