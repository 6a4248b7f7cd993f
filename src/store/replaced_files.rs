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

use super::hidden_names::save_for_its_writer;
use super::source_cache::SourceHash;
use super::watched_files::Stamp;

/// How long a replaced file is kept that was in place for [`IN_PLACE`]. Programs that change a file
/// in place have it open for less.
const KEPT_FOR: Duration = Duration::from_secs(10);
/// How long one is kept that was replaced sooner, as by many changes in a row: there may be
/// hundreds a second.
const KEPT_BRIEFLY_FOR: Duration = Duration::from_secs(1);
const IN_PLACE: Duration = Duration::from_secs(1);
/// The most bytes of kept files. Beyond it, the oldest ones are removed early.
const MOST_BYTES: u64 = 64 << 20;

/// The files that were replaced last.
#[derive(Debug, Default)]
pub(crate) struct ReplacedFiles(Mutex<Kept>);

/// Both in the order in which they were replaced.
#[derive(Debug, Default)]
struct Kept {
    briefly: VecDeque<Replaced>,
    longer: VecDeque<Replaced>,
}

#[derive(Debug)]
struct Replaced {
    hidden: PathBuf,
    file: PathBuf,
    /// The text that it had when it was replaced.
    hash: SourceHash,
    bytes: u64,
    since: Instant,
    kept_for: Duration,
    /// Its stamp when it was last seen to have that text.
    stamp: Option<Stamp>,
}

impl ReplacedFiles {
    /// Keeps the old file of a replacement under its hidden name. Without an exchange there is
    /// none.
    pub(super) fn keep(&self, file: &Path, hidden: &Path, hash: SourceHash) {
        let Ok(metadata) = files::metadata(hidden) else { return };
        // A time in the future says nothing.
        let age = metadata.modified().ok().and_then(|at| at.elapsed().ok());
        let is_brief = age.is_none_or(|age| age < IN_PLACE);
        let replaced = Replaced {
            hidden: hidden.to_owned(),
            file: file.to_owned(),
            hash,
            bytes: metadata.len(),
            since: Instant::now(),
            kept_for: if is_brief { KEPT_BRIEFLY_FOR } else { KEPT_FOR },
            stamp: None,
        };
        let mut kept = self.kept();
        let list = if is_brief { &mut kept.briefly } else { &mut kept.longer };
        list.push_back(replaced);
    }

    /// Removes those that were kept for long enough, and the oldest ones if they have too many
    /// bytes.
    pub(crate) fn remove_old(&self, now: Instant) {
        let ended = self.kept().take_old(now);
        // Without the lock: a file system may not respond.
        ended.into_iter().for_each(Replaced::end);
    }

    /// Looks whether any was written, and removes those that were kept for long enough. Returns
    /// whether there are more.
    pub(crate) fn look(&self, now: Instant) -> bool {
        self.remove_old(now);
        let longer = std::mem::take(&mut self.kept().longer);
        let left: Vec<Replaced> = longer.into_iter().filter_map(Replaced::look).collect();
        let mut kept = self.kept();
        left.into_iter().rev().for_each(|one| kept.longer.push_front(one));
        !kept.longer.is_empty() || !kept.briefly.is_empty()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server that stops keeps none of them.
impl Drop for ReplacedFiles {
    fn drop(&mut self) {
        let Kept { briefly, longer } = std::mem::take(&mut *self.kept());
        briefly.into_iter().chain(longer).for_each(Replaced::end);
    }
}

impl Kept {
    fn take_old(&mut self, now: Instant) -> Vec<Replaced> {
        let mut bytes: u64 = self.briefly.iter().chain(&self.longer).map(|one| one.bytes).sum();
        let mut old = Vec::new();
        for list in [&mut self.briefly, &mut self.longer] {
            while let Some(one) = list.front()
                && (bytes > MOST_BYTES || one.is_old(now))
            {
                bytes -= one.bytes;
                old.extend(list.pop_front());
            }
        }
        old
    }
}

impl Replaced {
    fn is_old(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= self.kept_for
    }

    /// `None` if it need not be looked at any more.
    fn look(mut self) -> Option<Replaced> {
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
        let (directory, path) = file(IN_PLACE);
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
        let (directory, path) = file(IN_PLACE);
        let replaced = ReplacedFiles::default();
        replace_file(&path, "old", "new", Some(&replaced)).unwrap();
        assert!(!replaced.look(Instant::now() + KEPT_FOR));
        assert_eq!(texts(directory.path()), ["new"]);

        let (directory, path) = file(IN_PLACE);
        replace_file(&path, "old", "new", Some(&replaced)).unwrap();
        drop(replaced);
        assert_eq!(texts(directory.path()), ["new"]);
    }

    #[test]
    fn what_is_written_within_a_second_is_kept_also_of_many_changes_in_a_row() {
        let (directory, path) = file(Duration::ZERO);
        let mut editor = fs::File::options().write(true).open(&path).unwrap();
        let replaced = ReplacedFiles::default();
        replace_file(&path, "old", "new", Some(&replaced)).unwrap();
        replace_file(&path, "new", "newer", Some(&replaced)).unwrap();
        replaced.remove_old(Instant::now());
        assert_eq!(texts(directory.path()), ["new", "newer", "old"]);
        editor.write_all(b"an edit").unwrap();
        replaced.remove_old(Instant::now() + KEPT_BRIEFLY_FOR);
        assert_eq!(texts(directory.path()), ["an edit", "newer"]);
        assert!(!replaced.look(Instant::now()));
    }

    #[test]
    fn not_more_than_so_many_bytes_are_kept() {
        let (directory, path) = file(IN_PLACE);
        let replaced = ReplacedFiles::default();
        replace_file(&path, "old", "new", Some(&replaced)).unwrap();
        replaced.kept().longer[0].bytes = MOST_BYTES;
        replaced.remove_old(Instant::now());
        assert_eq!(texts(directory.path()), ["new", "old"]);
        replace_file(&path, "new", "newer", Some(&replaced)).unwrap();
        replaced.kept().briefly[0].bytes = 1;
        replaced.remove_old(Instant::now());
        assert_eq!(texts(directory.path()), ["newer", "old"]);
    }
}
