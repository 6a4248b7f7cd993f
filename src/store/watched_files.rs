//! The watched files, and the metadata that show whether a file has changed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::files;

/// After this long a write changes the time of a file, even on a file system with a coarse clock
/// (FAT: two seconds).
const REST: Duration = Duration::from_secs(3);

/// The files to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Targets {
    /// The directories of zone files; every zone file in them is watched.
    pub(crate) zones: Vec<PathBuf>,
    /// Individual files: the settings, the geo databases.
    pub(crate) files: Vec<PathBuf>,
}

impl Targets {
    /// The directories to subscribe to. A subscription to a file ends when an editor replaces the
    /// file.
    pub(super) fn directories(&self) -> impl Iterator<Item = &Path> {
        let of_files = self.files.iter().filter_map(|file| file.parent());
        self.zones.iter().map(PathBuf::as_path).chain(of_files)
    }

    /// Whether this path is a target.
    pub(super) fn contain(&self, path: &Path) -> bool {
        path.parent().is_some_and(|parent| self.zones.iter().any(|zones| zones == parent))
            || self.files.iter().any(|file| file == path)
    }

    /// The target that an event names. Events have absolute paths.
    pub(super) fn named(&self, path: &Path) -> Option<PathBuf> {
        let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let name = path.file_name()?;
        let is_in = |zones: &&PathBuf| path.parent() == Some(&whole(zones));
        if let Some(zones) = self.zones.iter().find(is_in).filter(|_| is_zone_file(name)) {
            return Some(zones.join(name));
        }
        self.files.iter().find(|file| whole(file) == path).cloned()
    }

    /// The paths of all targets that exist.
    pub(super) fn paths(&self) -> impl Iterator<Item = PathBuf> + use<> {
        let zones = self.zones.iter().flat_map(|zones| zone_files(zones).unwrap_or_default());
        self.files.clone().into_iter().chain(zones.collect::<Vec<_>>())
    }
}

/// The zone files of a directory, sorted: every `*.toml` that is not hidden and does not end in
/// `~`.
pub(crate) fn zone_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for name in files::names_in(directory)? {
        if is_zone_file(&name) {
            paths.push(directory.join(name));
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

/// Whether a file with this name in the zones directory is a zone file.
pub(crate) fn is_zone_file(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    bytes.ends_with(b".toml") && !bytes.starts_with(b".")
}

/// The stamps of all targets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint(BTreeMap<PathBuf, Option<Stamp>>);

impl Fingerprint {
    /// Their current stamps.
    pub(crate) fn of(targets: &Targets) -> Fingerprint {
        Fingerprint(targets.paths().map(|path| (path.clone(), Stamp::of(&path))).collect())
    }

    /// The stamp of a file; `None` if it does not exist.
    pub(super) fn get(&self, path: &Path) -> Option<Stamp> {
        self.0.get(path).copied().flatten()
    }

    /// Whether the file is, or was, a target.
    pub(super) fn knows(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }

    pub(super) fn set(&mut self, path: PathBuf, stamp: Option<Stamp>) {
        self.0.insert(path, stamp);
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.keys()
    }
}

impl IntoIterator for Fingerprint {
    type Item = (PathBuf, Option<Stamp>);
    type IntoIter = std::collections::btree_map::IntoIter<PathBuf, Option<Stamp>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// The metadata of a file that show a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: Option<std::time::SystemTime>,
    size: u64,
    /// Inode and change time, on systems that have them.
    inner: (u64, i64, i64),
}

impl Stamp {
    /// `None` if the file does not exist. Follows symbolic links (Kubernetes swaps them).
    pub(crate) fn of(path: &Path) -> Option<Stamp> {
        let metadata = files::metadata(path).ok()?;
        Some(Stamp { modified: metadata.modified().ok(), size: metadata.len(), inner: inner(&metadata) })
    }

    /// The stamp of a source that is not a file: its version and its size in bytes.
    pub(crate) fn of_version(version: u64, size: u64) -> Stamp {
        Stamp { modified: None, size, inner: (version, 0, 0) }
    }

    /// The size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// How long ago the last write was; `None` if the clock or the file system does not say.
    pub(super) fn age(&self) -> Option<Duration> {
        self.modified?.elapsed().ok()
    }

    /// Whether the last write was long enough ago that a later one changes the stamp.
    pub(super) fn is_at_rest(&self) -> bool {
        self.age().is_some_and(|age| age >= REST)
    }
}

/// Identifies a directory, independent of its contents.
pub(super) fn identity(directory: &Path) -> Option<Stamp> {
    let metadata = files::metadata(directory).ok()?;
    Some(Stamp { modified: None, size: 0, inner: (inner(&metadata).0, 0, 0) })
}

#[cfg(unix)]
fn inner(metadata: &fs::Metadata) -> (u64, i64, i64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn inner(_: &fs::Metadata) -> (u64, i64, i64) {
    (0, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_files_backups_and_others_are_no_zone_files() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.toml", "a.toml", ".c.toml", "d.toml~", "e.md", "toml"] {
            fs::write(directory.path().join(name), name).unwrap();
        }
        let names = ["a.toml", "b.toml"].map(|name| directory.path().join(name));
        assert_eq!(zone_files(directory.path()).unwrap(), names);
    }
}
