//! The names of hidden files that a change has next to the file that it changes, and what the start
//! does with those that killed changes left.
//!
//! ```text
//! .lab.test.toml.PID-NUMBER.fiftythree-part              a new text that may not be complete
//! .lab.test.toml.PID-NUMBER-READ-NEW.fiftythree-new      the new text, then the old file, which
//!                                                        somebody may have open
//! lab.test.toml.saved-SECONDS-PID-NUMBER                 what somebody saved, kept for them
//! ```
//!
//! READ and NEW are the hashes of the text that was read and of the new one. So it is known of each
//! hidden file whether somebody else wrote it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::files;

use super::source_cache::SourceHash;

const PART: &str = ".fiftythree-part";
const COMPLETE: &str = ".fiftythree-new";
/// The longest name of a file, in bytes. A hidden name that would be longer has no hashes.
const LONGEST_NAME: usize = 255;
/// A hidden file that has not changed for this long is no longer in use, even if a process has its
/// PID.
const IN_USE: Duration = Duration::from_secs(60);

/// The names for one change of a file. No other process or thread uses them.
pub(super) struct HiddenNames<'f> {
    file: &'f Path,
    number: u64,
}

impl HiddenNames<'_> {
    pub(super) fn of(file: &Path) -> HiddenNames<'_> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        HiddenNames { file, number: NEXT.fetch_add(1, Ordering::Relaxed) }
    }

    /// While the new text is written.
    pub(super) fn part(&self) -> PathBuf {
        self.hidden(&[], PART)
    }

    /// When the new text is complete; after the exchange, the old file.
    pub(super) fn complete(&self, read: SourceHash, new: SourceHash) -> PathBuf {
        self.hidden(&[read, new], COMPLETE)
    }

    /// Only the name, for a file that is removed.
    pub(super) fn retired(&self) -> OsString {
        let mut name = self.file.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}-{}-{}", seconds(), std::process::id(), self.number));
        name
    }

    fn hidden(&self, hashes: &[SourceHash], ends_in: &str) -> PathBuf {
        let hashes: String = hashes.iter().map(|hash| format!("-{:x}", hash.number())).collect();
        let with = |hashes: &str| {
            let mut name = OsString::from(".");
            name.push(self.file.file_name().unwrap_or_default());
            name.push(format!(".{}-{}{hashes}{ends_in}", std::process::id(), self.number));
            name
        };
        let name = Some(with(&hashes)).filter(|name| name.len() <= LONGEST_NAME);
        self.file.with_file_name(name.unwrap_or_else(|| with("")))
    }
}

/// Gives what somebody saved a name that they see, next to the file.
pub(super) fn save_for_its_writer(hidden: &Path, file: &Path) -> io::Result<PathBuf> {
    let number = HiddenNames::of(file).number;
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".saved-{}-{}-{number}", seconds(), std::process::id()));
    let saved = file.with_file_name(name);
    // Whoever has it open goes on to write this file.
    name_without_replacing(hidden, &saved)?;
    Ok(saved)
}

/// Moves a file to a name that no other file has.
pub(super) fn name_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        // File systems without hard links. What is saved after the check and before this is lost.
        Err(error) if is_unsupported(&error) => {
            if to.try_exists()? {
                Err(io::ErrorKind::AlreadyExists.into())
            } else {
                fs::rename(from, to)
            }
        }
        Err(error) => Err(error),
    }
}

/// Whether the file system or the system has no such call. Older container engines answer calls
/// that they do not know with EPERM.
pub(super) fn is_unsupported(error: &io::Error) -> bool {
    #[cfg(unix)]
    let by_number = matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL | libc::EOPNOTSUPP | libc::EPERM));
    #[cfg(not(unix))]
    let by_number = false;
    by_number || error.kind() == io::ErrorKind::Unsupported
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// What a killed change left, and what became of it.
#[derive(Debug)]
pub(crate) struct LeftBehind {
    /// The file that was changed.
    pub(crate) file: PathBuf,
    /// Where the text is that somebody saved at that moment, or the hidden file and why it is still
    /// there.
    pub(crate) saved: Result<PathBuf, (PathBuf, io::Error)>,
}

/// Removes the hidden files in a directory that killed changes left there. What somebody else
/// wrote, or may have written, gets a name that they see. Files of processes that run are left
/// alone.
pub(crate) fn clean_up_after_kills(directory: &Path) -> Vec<LeftBehind> {
    let names = files::names_in(directory).unwrap_or_default();
    let hidden = names.iter().filter_map(|name| Hidden::parse(directory, name.to_str()?));
    hidden.filter(Hidden::is_left).filter_map(Hidden::clean_up).collect()
}

/// A hidden file as its name tells.
struct Hidden {
    path: PathBuf,
    file: PathBuf,
    process: u32,
    hashes: Vec<u128>,
    is_part: bool,
}

impl Hidden {
    fn parse(directory: &Path, name: &str) -> Option<Hidden> {
        let ends = [PART, COMPLETE];
        let (rest, end) = ends.iter().find_map(|end| Some((name.strip_suffix(end)?, *end)))?;
        let (file, numbers) = rest.strip_prefix('.')?.rsplit_once('.')?;
        let mut numbers = numbers.split('-');
        let process = numbers.next()?.parse().ok()?;
        let _: u64 = numbers.next()?.parse().ok()?;
        let hashes = numbers.map(|hash| u128::from_str_radix(hash, 16).ok()).collect::<Option<_>>()?;
        let (path, file) = (directory.join(name), directory.join(file));
        Some(Hidden { path, file, process, hashes, is_part: end == PART })
    }

    /// Whether no process uses it. This process has not begun to change files.
    fn is_left(&self) -> bool {
        let unchanged_for = || files::symlink_metadata(&self.path).ok().and_then(|metadata| age(&metadata));
        self.process == std::process::id()
            || !is_running(self.process)
            || unchanged_for().is_some_and(|age| age >= IN_USE)
    }

    fn clean_up(self) -> Option<LeftBehind> {
        let removed = match self.is_known() {
            Ok(true) => files::operate(&self.path, || fs::remove_file(&self.path)).map(|()| None),
            Ok(false) => files::operate(&self.path, || save_for_its_writer(&self.path, &self.file)).map(Some),
            Err(error) => Err(error),
        };
        let saved = removed.map_err(|error| (self.path, error)).transpose()?;
        Some(LeftBehind { file: self.file, saved })
    }

    /// Whether no other program wrote it: it is the text that the change read or made, or the file
    /// has it.
    fn is_known(&self) -> io::Result<bool> {
        if self.is_part {
            return Ok(true);
        }
        let bytes = files::read(&self.path, u64::MAX)?;
        let hash = std::str::from_utf8(&bytes).map(|text| SourceHash::of(text).number());
        if hash.is_ok_and(|hash| self.hashes.contains(&hash)) {
            return Ok(true);
        }
        Ok(files::read(&self.file, u64::MAX).is_ok_and(|current| current == bytes))
    }
}

/// How long ago the file was last written or renamed.
#[cfg(unix)]
fn age(metadata: &fs::Metadata) -> Option<Duration> {
    use std::os::unix::fs::MetadataExt as _;
    let changed = UNIX_EPOCH + Duration::from_secs(u64::try_from(metadata.ctime()).ok()?);
    changed.elapsed().ok()
}

#[cfg(not(unix))]
fn age(metadata: &fs::Metadata) -> Option<Duration> {
    metadata.modified().ok()?.elapsed().ok()
}

/// Where this is not known, it may run.
fn is_running(process: u32) -> bool {
    !cfg!(target_os = "linux") || files::metadata(Path::new(&format!("/proc/{process}"))).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number that no process has: above the limit of Linux.
    const DEAD: u32 = 1 << 30;

    fn left(text: &str, name: &str) -> (tempfile::TempDir, Vec<LeftBehind>) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("lab.test.toml"), "current").unwrap();
        fs::write(directory.path().join(name), text).unwrap();
        let left = clean_up_after_kills(directory.path());
        (directory, left)
    }

    fn name(process: u32, hashes: &[&str], ends_in: &str) -> String {
        let hash = |text: &&str| format!("-{:x}", SourceHash::of(text).number());
        let hashes: String = hashes.iter().map(hash).collect();
        format!(".lab.test.toml.{process}-7{hashes}{ends_in}")
    }

    #[test]
    fn what_the_change_itself_wrote_or_read_is_removed() {
        let cases = [
            ("half a te", name(DEAD, &[], PART)),
            ("read", name(DEAD, &["read", "new"], COMPLETE)),
            ("new", name(DEAD, &["read", "new"], COMPLETE)),
            ("read", name(std::process::id(), &["read", "new"], COMPLETE)),
            // Of an earlier version, or with a long name.
            ("current", name(DEAD, &[], COMPLETE)),
        ];
        for (text, name) in cases {
            let (directory, left) = left(text, &name);
            assert!(left.is_empty(), "{left:?}");
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "{name}");
        }
    }

    #[test]
    fn what_somebody_saved_is_kept_where_they_see_it() {
        let names = [name(DEAD, &["read", "new"], COMPLETE), name(DEAD, &[], COMPLETE)];
        for name in names {
            let (directory, left) = left("saved", &name);
            let [LeftBehind { file, saved: Ok(saved) }] = &*left else { panic!("{left:?}") };
            assert_eq!(*file, directory.path().join("lab.test.toml"));
            assert!(saved.file_name().unwrap().to_str().unwrap().starts_with("lab.test.toml.saved-"));
            assert_eq!(fs::read_to_string(saved).unwrap(), "saved");
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
        }
    }

    #[test]
    fn files_of_a_process_that_runs_and_other_hidden_files_stay() {
        for name in [name(1, &[], PART), ".lab.test.toml.swp".to_owned(), ".x.fiftythree-new".to_owned()] {
            let (directory, left) = left("text", &name);
            assert!(left.is_empty(), "{left:?}");
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "{name}");
        }
    }

    #[test]
    fn a_long_name_has_no_hashes() {
        let file = PathBuf::from("/zones").join("a".repeat(200));
        let hash = SourceHash::of(&"long".repeat(100_000));
        let hidden = HiddenNames::of(&file).complete(hash, hash);
        assert!(hidden.file_name().unwrap().len() <= LONGEST_NAME, "{hidden:?}");
        assert!(Hidden::parse(Path::new("/zones"), hidden.file_name().unwrap().to_str().unwrap()).is_some());
    }
}
