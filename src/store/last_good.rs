//! The last good source of every zone file, kept in the state directory. A restart serves it if the
//! zone file has errors.
//!
//! A copy begins with a line that has a checksum and the length of the rest. The line is a TOML
//! comment, so a copy can be put back by hand. Copies of earlier versions do not have it and are
//! read as well.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::background;
use crate::config::SourceFile;
use crate::files;

use super::lines::checksum;
use super::private;
use super::symlinks::source_of;

/// The longest file name used. Common file systems allow 255 bytes, and a suffix must fit.
const LONGEST_FILE_NAME: usize = 200;
/// The size limit when reading a copy; no zone file is that large.
const MOST_BYTES: u64 = 1 << 30;
/// How many copies are written together, and thus how many files are open at once.
const BATCH: usize = 64;
/// The beginning of the first line of a copy. No editor writes such a comment.
const SEAL: &str = "#:fiftythree-copy ";
/// The suffix of a file that is not yet complete and durable.
const UNFINISHED: &str = ".unfinished";

/// The directory `last-good` in the state directory.
#[derive(Clone, Debug)]
pub(crate) struct LastGood {
    directory: PathBuf,
}

/// What `keep` did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// How many sources were written.
    pub(crate) written: usize,
    /// How many copies were removed.
    pub(crate) removed: usize,
}

/// The state directory cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep last good sources in {path}: {source}")]
pub(crate) struct NotKept {
    path: String,
    source: io::Error,
}

impl NotKept {
    pub(super) fn new(path: &Path, source: io::Error) -> NotKept {
        NotKept { path: path.display().to_string(), source }
    }
}

impl LastGood {
    /// The directory `last-good` in `state`. It is created when something is kept.
    pub(crate) fn new(state: &Path) -> LastGood {
        LastGood { directory: state.join("last-good") }
    }

    /// Runs work on this directory; an error if its file system does not respond.
    pub(super) fn while_responsive<T>(&self, work: impl FnOnce() -> Result<T, NotKept>) -> Result<T, NotKept> {
        let unresponsive = |error| Err(NotKept::new(&self.directory, error));
        files::operate(&self.directory, || Ok(work())).unwrap_or_else(unresponsive)
    }

    /// The last good source of a zone file; `None` if there is none, it cannot be read, or it is
    /// damaged.
    pub(crate) fn read(&self, path: &Path) -> Option<SourceFile> {
        // O_NOFOLLOW is about the last part of a path alone.
        if !files::symlink_metadata(&self.directory).is_ok_and(|metadata| metadata.is_dir()) {
            return None;
        }
        let bytes = private::read(&self.directory.join(file_name(path)), MOST_BYTES).ok()?;
        Some(source_of(path, unsealed(&String::from_utf8(bytes).ok()?)?))
    }

    /// Whether there is a copy of a zone file, intact or not: then the file was served.
    pub(crate) fn has(&self, path: &Path) -> bool {
        files::symlink_metadata(&self.directory.join(file_name(path))).is_ok()
    }

    /// The last good sources of all files in `zones`, including files that no longer exist.
    pub(crate) fn all(&self, zones: &Path) -> Vec<SourceFile> {
        let names = private::names_in(&self.directory).unwrap_or_default();
        let mut paths: Vec<PathBuf> = names.iter().filter_map(|name| unescape(name.to_str()?)).collect();
        // Copies whose names were too long for the path are found by the files that exist.
        paths.extend(super::zone_files(zones).unwrap_or_default());
        paths.retain(|path| {
            path.parent() == Some(zones) && path.extension().is_some_and(|extension| extension == "toml")
        });
        paths.sort_unstable();
        paths.dedup();
        paths.iter().filter_map(|path| self.read(path)).collect()
    }

    /// Keeps the sources `sources` and the existing copies of `others`, all of which are in
    /// `zones`, and removes the copies of all other files of `zones`. Durable on return. Existing
    /// copies are not written again.
    pub(crate) fn keep(&self, zones: &Path, sources: &[SourceFile], others: &[&Path]) -> Result<Kept, NotKept> {
        self.keep_all(zones, sources, others).map_err(|error| NotKept::new(&self.directory, error))
    }

    /// Keeps these sources in addition, and removes the copies of the files in `gone`. Durable on
    /// return.
    pub(crate) fn keep_changes(&self, sources: &[SourceFile], gone: &[&Path]) -> Result<(), NotKept> {
        self.change(sources, gone).map_err(|error| NotKept::new(&self.directory, error))
    }

    fn change(&self, sources: &[SourceFile], gone: &[&Path]) -> io::Result<()> {
        if sources.is_empty() && gone.is_empty() {
            return Ok(());
        }
        private::make_directory(&self.directory)?;
        for batch in sources.chunks(BATCH) {
            self.write_durably(batch)?;
        }
        for path in gone {
            match fs::remove_file(self.directory.join(file_name(path))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        File::open(&self.directory)?.sync_all()
    }

    fn keep_all(&self, zones: &Path, sources: &[SourceFile], others: &[&Path]) -> io::Result<Kept> {
        private::make_directory(&self.directory)?;
        let mut kept = Kept::default();
        for batch in sources.chunks(BATCH) {
            kept.written += self.write_durably(batch)?;
        }
        let paths = sources.iter().map(|source| &*source.path).chain(others.iter().copied());
        let wanted: HashSet<OsString> = paths.map(|path| file_name(path).into()).collect();
        let of_this_directory = escape(zones.join("").as_os_str().as_encoded_bytes());
        for entry in fs::read_dir(&self.directory)? {
            let name = entry?.file_name();
            let ours = name.as_encoded_bytes().starts_with(of_this_directory.as_bytes());
            if ours && !wanted.contains(&name) {
                fs::remove_file(self.directory.join(&name))?;
                kept.removed += 1;
            }
        }
        if kept != Kept::default() {
            File::open(&self.directory)?.sync_all()?;
        }
        Ok(kept)
    }

    /// Writes the copies that do not exist yet and returns their number. All are written before the
    /// first is synced, so that the disk can write them together.
    fn write_durably(&self, sources: &[SourceFile]) -> io::Result<usize> {
        let mut written = Vec::new();
        for source in sources {
            background::yield_point();
            let path = self.directory.join(file_name(&source.path));
            let seal = seal(&source.text);
            let text = source.text.as_bytes();
            let is_it = |bytes: Vec<u8>| bytes.strip_prefix(seal.as_bytes()) == Some(text);
            if !private::read(&path, MOST_BYTES).is_ok_and(is_it) {
                background::yield_point();
                let unfinished = files::operate(&path, || write_beside(&path, &[seal.as_bytes(), text]))?;
                written.push((unfinished, path));
            }
        }
        for ((file, _), path) in &written {
            background::yield_point();
            files::operate(path, || file.sync_all())?;
        }
        for ((_, beside), path) in &written {
            background::yield_point();
            files::operate(path, || fs::rename(beside, path))?;
        }
        Ok(written.len())
    }
}

/// Writes a file atomically and durably: readers of `path`, now or after a power cut, see either
/// the old bytes or the new ones. The caller syncs the directory, once for many files.
pub(super) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (file, beside) = write_beside(path, &[bytes])?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// Writes the bytes to a temporary file next to `path`, without syncing it, and returns it and its
/// name.
fn write_beside(path: &Path, parts: &[&[u8]]) -> io::Result<(File, OsString)> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(UNFINISHED);
    let mut file = private::create(Path::new(&beside))?;
    background::yield_point();
    parts.iter().try_for_each(|part| file.write_all(part))?;
    Ok((file, beside))
}

/// The first line of a copy of this source.
fn seal(text: &str) -> String {
    format!("{SEAL}1 {:016x} {}\n", checksum(text.as_bytes()), text.len())
}

/// The source in a copy, unless the copy is damaged.
fn unsealed(copy: &str) -> Option<&str> {
    if SEAL.starts_with(copy) {
        // Cut within the first line, so it looks like a file with a comment.
        return None;
    }
    if !copy.starts_with(SEAL) {
        // Written by an earlier version.
        return Some(copy);
    }
    let text = &copy[copy.find('\n')? + 1..];
    copy.starts_with(&seal(text)).then_some(text)
}

/// A flat file name for any path. If it would be too long, its end is kept after a hash of the
/// whole.
fn file_name(path: &Path) -> String {
    let escaped = escape(path.as_os_str().as_encoded_bytes());
    if escaped.len() <= LONGEST_FILE_NAME {
        return escaped;
    }
    format!("{:016x}{}", checksum(escaped.as_bytes()), &escaped[escaped.len() - (LONGEST_FILE_NAME - 16)..])
}

/// Keeps letters, digits, `-`, `_` and dots; every other byte becomes `%` and two hexadecimal
/// digits. The result cannot begin with a dot or leave the directory, because a path is absolute
/// and its slashes are escaped.
fn escape(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, &byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

/// The inverse of `escape`.
fn unescape(name: &str) -> Option<PathBuf> {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn source(path: &str, text: &str) -> SourceFile {
        SourceFile::new(path, text)
    }

    fn text_of(last_good: &LastGood, path: &Path) -> Option<Arc<str>> {
        last_good.read(path).map(|source| source.text)
    }

    #[test]
    fn what_was_kept_is_read_again_and_written_only_when_changed() {
        let state = tempfile::tempdir().unwrap();
        let last_good = LastGood::new(state.path());
        let (a, b) = (source("/zones/a.toml", "a"), source("/zones/b.toml", "b"));
        let keep = |sources: &[SourceFile]| last_good.keep(Path::new("/zones"), sources, &[]).unwrap();
        assert_eq!(keep(&[a.clone(), b.clone()]), Kept { written: 2, removed: 0 });
        assert_eq!(keep(&[a.clone(), b.clone()]), Kept::default());
        let other = last_good.keep(Path::new("/zones"), std::slice::from_ref(&a), &[&b.path]).unwrap();
        assert_eq!(other, Kept::default());
        assert_eq!(&*last_good.read(&a.path).unwrap().text, "a");
        let changed = source("/zones/a.toml", "aa");
        assert_eq!(keep(&[changed]), Kept { written: 1, removed: 1 });
        assert_eq!(&*last_good.read(&a.path).unwrap().text, "aa");
        assert!(last_good.read(Path::new("/zones/b.toml")).is_none());
        assert_eq!(last_good.all(Path::new("/zones")).len(), 1);
        assert_eq!(last_good.all(Path::new("/other")), []);
    }

    #[test]
    fn another_zones_directory_keeps_its_own() {
        let state = tempfile::tempdir().unwrap();
        let last_good = LastGood::new(state.path());
        last_good.keep(Path::new("/one"), &[source("/one/a.toml", "1")], &[]).unwrap();
        last_good.keep(Path::new("/two"), &[source("/two/a.toml", "2")], &[]).unwrap();
        assert_eq!(&*last_good.read(Path::new("/one/a.toml")).unwrap().text, "1");
        assert_eq!(&*last_good.read(Path::new("/two/a.toml")).unwrap().text, "2");
    }

    #[test]
    fn nothing_unfinished_is_ever_read() {
        let state = tempfile::tempdir().unwrap();
        let last_good = LastGood::new(state.path());
        let a = source("/zones/a.toml", "whole");
        last_good.keep(Path::new("/zones"), std::slice::from_ref(&a), &[]).unwrap();
        // The state after a power cut in the middle of a write.
        let beside = state.path().join("last-good").join(file_name(&a.path) + UNFINISHED);
        fs::write(&beside, "ha").unwrap();
        assert_eq!(&*last_good.read(&a.path).unwrap().text, "whole");
        // The next write removes it.
        assert_eq!(last_good.keep(Path::new("/zones"), &[a], &[]).unwrap(), Kept { written: 0, removed: 1 });
        assert!(!beside.exists());
    }

    #[cfg(unix)]
    #[test]
    fn copies_are_for_the_owner_alone_and_links_in_their_place_are_not_followed() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let (state, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = elsewhere.path().join("target");
        fs::write(&target, "theirs").unwrap();
        let last_good = LastGood::new(state.path());
        let a = source("/zones/a.toml", "ours");
        let copy = state.path().join("last-good").join(file_name(&a.path));
        private::make_directory(copy.parent().unwrap()).unwrap();
        symlink(&target, &copy).unwrap();
        symlink(&target, state.path().join("last-good").join(file_name(&a.path) + UNFINISHED)).unwrap();
        assert_eq!(last_good.read(&a.path), None);
        last_good.keep(Path::new("/zones"), std::slice::from_ref(&a), &[]).unwrap();
        assert_eq!(text_of(&last_good, &a.path), Some(a.text));
        assert_eq!(fs::symlink_metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&target).unwrap(), "theirs");
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_of_copies_that_is_a_link_is_not_followed() {
        let (state, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let a = source("/zones/a.toml", "name = 'a.test'\n");
        LastGood::new(elsewhere.path()).keep(Path::new("/zones"), std::slice::from_ref(&a), &[]).unwrap();
        std::os::unix::fs::symlink(elsewhere.path().join("last-good"), state.path().join("last-good")).unwrap();
        assert!(LastGood::new(elsewhere.path()).read(&a.path).is_some());
        assert!(LastGood::new(state.path()).read(&a.path).is_none());
    }

    #[test]
    fn a_copy_that_was_cut_or_altered_is_not_taken_for_whole() {
        let state = tempfile::tempdir().unwrap();
        let last_good = LastGood::new(state.path());
        let a = source("/zones/a.toml", "name = 'a.test'\n\n[[record]]\nname = 'ü'\n");
        let keep = || last_good.keep(Path::new("/zones"), std::slice::from_ref(&a), &[]).unwrap();
        keep();
        let copy = state.path().join("last-good").join(file_name(&a.path));
        let whole = fs::read(&copy).unwrap();
        for place in 0..whole.len() {
            let mut altered = whole.clone();
            altered[place] ^= 1;
            let mut longer = whole.clone();
            longer.insert(place, b'#');
            for damaged in [&whole[..place], &altered, &longer] {
                fs::write(&copy, damaged).unwrap();
                let read = last_good.read(&a.path).map(|source| source.text);
                // Even if the first line is damaged, the whole source follows it.
                let is_harmless = |text: &str| text.ends_with(&*a.text);
                assert!(read.as_deref().is_none_or(is_harmless), "byte {place}: {read:?}");
                assert!(last_good.has(&a.path));
            }
        }
        assert_eq!(keep(), Kept { written: 1, removed: 0 });
        assert_eq!(text_of(&last_good, &a.path), Some(a.text));
    }

    #[test]
    fn copies_of_the_version_without_checksums_are_read_and_written_anew() {
        let state = tempfile::tempdir().unwrap();
        let last_good = LastGood::new(state.path());
        let a = source("/zones/a.toml", "# a comment\nname = 'a.test'\n");
        let copy = state.path().join("last-good").join(file_name(&a.path));
        fs::create_dir(copy.parent().unwrap()).unwrap();
        fs::write(&copy, &*a.text).unwrap();
        assert_eq!(text_of(&last_good, &a.path), Some(Arc::clone(&a.text)));
        let keep = || last_good.keep(Path::new("/zones"), std::slice::from_ref(&a), &[]).unwrap();
        assert_eq!((keep(), keep()), (Kept { written: 1, removed: 0 }, Kept::default()));
        assert!(fs::read_to_string(&copy).unwrap().starts_with(SEAL));
        assert_eq!(text_of(&last_good, &a.path), Some(Arc::clone(&a.text)));
        // A copy was put back by hand, with its first line.
        let again = source("/zones/a.toml", &fs::read_to_string(&copy).unwrap());
        last_good.keep(Path::new("/zones"), std::slice::from_ref(&again), &[]).unwrap();
        assert_eq!(text_of(&last_good, &a.path), Some(again.text));
    }

    #[test]
    fn file_names_are_flat_and_short() {
        assert_eq!(file_name(Path::new("/zones/lab.test.toml")), "%2Fzones%2Flab.test.toml");
        assert_eq!(file_name(Path::new("/z/../ü")), "%2Fz%2F..%2F%C3%BC");
        assert_eq!(unescape("%2Fz%2F..%2F%C3%BC"), Some("/z/../ü".into()));
        assert_eq!(unescape("%2"), None);
        let long = |tail: &str| file_name(Path::new(&format!("/{}/{tail}", "x".repeat(300))));
        assert_eq!(long("a").len(), LONGEST_FILE_NAME);
        assert_ne!(
            file_name(Path::new(&format!("/a{}", "x".repeat(300)))),
            file_name(Path::new(&format!("/b{}", "x".repeat(300))))
        );
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_an_error_and_not_a_panic() {
        let state = tempfile::tempdir().unwrap();
        let file = state.path().join("a-file");
        fs::write(&file, "").unwrap();
        let error = LastGood::new(&file).keep(Path::new("/zones"), &[source("/zones/a.toml", "a")], &[]).unwrap_err();
        assert!(error.to_string().contains("cannot keep last good sources in"), "{error}");
    }
}
