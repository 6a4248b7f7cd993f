//! Files that changes replaced. An editor that has one of them open can write it later: to a file
//! that has no name any more, and what it wrote would be lost.
//!
//! So a replaced file keeps a hidden name for a while. If it is written meanwhile, it gets a name
//! that its writer sees, and the log names it. It does not replace the zone file again: the write
//! may be incomplete, and the change was acknowledged.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::files;

use super::hidden_names::{HiddenNames, save_for_its_writer};
use super::source_cache::SourceHash;
use super::watched_files::Stamp;

/// How long a replaced file is kept. Programs that change a file in place have it open for less.
const KEPT_FOR: Duration = Duration::from_secs(10);
/// A file that was replaced sooner has probably not been opened: many changes in a row keep at most
/// one file a second.
const MAY_BE_OPEN_AFTER: Duration = Duration::from_secs(1);
/// The most bytes of kept files. Beyond it, the oldest ones are removed early.
const MOST_BYTES: u64 = 64 << 20;

/// The files that were replaced last.
#[derive(Debug, Default)]
pub(crate) struct ReplacedFiles(Mutex<VecDeque<Replaced>>);

#[derive(Debug)]
struct Replaced {
    hidden: PathBuf,
    file: PathBuf,
    /// The text that it had when it was replaced.
    hash: SourceHash,
    bytes: u64,
    since: Instant,
    /// Its stamp when it was last seen to have that text.
    stamp: Option<Stamp>,
}

impl ReplacedFiles {
    /// Whether a file that is about to be replaced was there for long enough that somebody may have
    /// it open.
    pub(super) fn may_be_open(file: &Path) -> bool {
        let modified = files::metadata(file).and_then(|metadata| metadata.modified());
        // A time in the future says nothing.
        modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age >= MAY_BE_OPEN_AFTER))
    }

    /// Keeps the file that was replaced. `beside` is its name until now.
    pub(super) fn keep(&self, names: &HiddenNames<'_>, file: &Path, beside: &Path, hash: SourceHash) {
        let hidden = names.replaced(hash);
        // Without an exchange there is no old file.
        if fs::rename(beside, &hidden).is_err() {
            return;
        }
        let size = files::metadata(&hidden).map_or(0, |metadata| metadata.len());
        let replaced =
            Replaced { hidden, file: file.to_owned(), hash, bytes: size, since: Instant::now(), stamp: None };
        let mut kept = self.kept();
        kept.push_back(replaced);
        let mut sum: u64 = kept.iter().map(|one| one.bytes).sum();
        while sum > MOST_BYTES
            && let Some(oldest) = kept.pop_front()
        {
            sum -= oldest.bytes;
            oldest.end();
        }
    }

    /// Looks whether any was written, and removes those that were kept for long enough. Returns
    /// whether there are more.
    pub(crate) fn look(&self, now: Instant) -> bool {
        let all = std::mem::take(&mut *self.kept());
        // Without the lock: a file system may not respond.
        let left: Vec<Replaced> = all.into_iter().filter_map(|one| one.look(now)).collect();
        let mut kept = self.kept();
        left.into_iter().rev().for_each(|one| kept.push_front(one));
        !kept.is_empty()
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Replaced>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server that stops keeps none of them.
impl Drop for ReplacedFiles {
    fn drop(&mut self) {
        std::mem::take(&mut *self.kept()).into_iter().for_each(Replaced::end);
    }
}

impl Replaced {
    /// `None` if it need not be looked at any more.
    fn look(mut self, now: Instant) -> Option<Replaced> {
        if now.saturating_duration_since(self.since) >= KEPT_FOR {
            self.end();
            return None;
        }
        let stamp = Stamp::of(&self.hidden);
        if self.stamp != stamp || stamp.is_none() {
            if !self.is_as_replaced().unwrap_or(true) {
                self.save_for_its_writer();
                return None;
            }
            // Somebody may have removed it, with its directory.
            self.stamp = Some(stamp?);
        }
        Some(self)
    }

    /// Removes it, if it was not written.
    fn end(self) {
        match self.is_as_replaced() {
            Ok(true) => drop(files::operate(&self.hidden, || fs::remove_file(&self.hidden))),
            Ok(false) => self.save_for_its_writer(),
            // It is gone, or the next start looks at it.
            Err(_) => {}
        }
    }

    fn is_as_replaced(&self) -> io::Result<bool> {
        let bytes = files::read(&self.hidden, u64::MAX)?;
        Ok(std::str::from_utf8(&bytes).is_ok_and(|text| SourceHash::of(text) == self.hash))
    }

    fn save_for_its_writer(&self) {
        match files::operate(&self.hidden, || save_for_its_writer(&self.hidden, &self.file)) {
            Ok(saved) => tracing::warn!(
                "another program had {} open and wrote it after it was changed: what it wrote is in {}",
                self.file.display(),
                saved.display()
            ),
            Err(error) => tracing::warn!(
                "another program had {} open and wrote it after it was changed: what it wrote is in {}, which \
                 cannot be renamed: {error}",
                self.file.display(),
                self.hidden.display()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    use std::io::{Seek as _, Write as _};
    use std::time::SystemTime;

    use super::super::replace::replace_file;
    use super::*;

    /// A file that was written some time ago.
    fn file(age: Duration) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lab.test.toml");
        fs::write(&path, "old").unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(SystemTime::now() - age).unwrap();
        (directory, path)
    }

    fn texts(directory: &Path) -> Vec<String> {
        let mut texts: Vec<String> =
            fs::read_dir(directory).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
        texts.sort();
        texts
    }

    #[cfg(unix)]
    #[test]
    fn what_is_written_to_a_replaced_file_is_kept_for_its_writer() {
        let (directory, path) = file(MAY_BE_OPEN_AFTER);
        let mut editor = fs::File::options().read(true).write(true).open(&path).unwrap();
        let replaced = ReplacedFiles::default();
        replace_file(&path, "old", "new", Some(&replaced)).unwrap();
        assert!(replaced.look(Instant::now()));
        assert_eq!(texts(directory.path()), ["new", "old"]);
        editor.rewind().unwrap();
        editor.write_all(b"an edit").unwrap();
        assert!(!replaced.look(Instant::now()));
        // The rest of the write is in the same file.
        editor.write_all(b" in two parts").unwrap();
        assert_eq!(texts(directory.path()), ["an edit in two parts", "new"]);
        let names = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        assert!(names.iter().any(|name| name.starts_with("lab.test.toml.saved-")), "{names:?}");
    }

    #[test]
    fn a_replaced_file_that_nobody_writes_is_removed_after_a_while_or_at_the_end() {
        let (directory, path) = file(MAY_BE_OPEN_AFTER);
        let replaced = ReplacedFiles::default();
        replace_file(&path, "old", "new", Some(&replaced)).unwrap();
        assert!(!replaced.look(Instant::now() + KEPT_FOR));
        assert_eq!(texts(directory.path()), ["new"]);

        let (directory, path) = file(MAY_BE_OPEN_AFTER);
        replace_file(&path, "old", "new", Some(&replaced)).unwrap();
        drop(replaced);
        assert_eq!(texts(directory.path()), ["new"]);
    }

    #[test]
    fn a_file_that_was_just_written_is_not_kept() {
        let (directory, path) = file(Duration::ZERO);
        let replaced = ReplacedFiles::default();
        replace_file(&path, "old", "new", Some(&replaced)).unwrap();
        assert!(!replaced.look(Instant::now()));
        assert_eq!(texts(directory.path()), ["new"]);
    }
}
