//! The destination of log lines: stdout, or a file that can be rotated.
//!
//! Once a second the writer checks whether the path leads to another file or to none, and then
//! opens the file again. So logrotate needs neither a signal nor `copytruncate`, which loses lines.
//! Until then lines go to the old file, so none is lost.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::log_limit::LogLimit;

/// How often the writer checks that the file is still at its path, and retries a file that cannot
/// be opened.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The destination of log lines.
pub(super) struct Lines {
    target: Target,
    warnings: LogLimit,
}

enum Target {
    Stdout,
    File(LogFile),
}

/// A file and its path.
struct LogFile {
    path: PathBuf,
    file: Option<File>,
    checked_at: Option<Instant>,
    /// The last line was cut off. The next line must not be appended to it.
    is_cut_off: bool,
}

impl Lines {
    pub(super) fn to_stdout() -> Lines {
        Lines { target: Target::Stdout, warnings: LogLimit::default() }
    }

    pub(super) fn to_file(path: &Path) -> Lines {
        let log_file = LogFile { path: path.to_owned(), file: None, checked_at: None, is_cut_off: false };
        Lines { target: Target::File(log_file), warnings: LogLimit::default() }
    }

    /// Whether the destination is open.
    pub(super) fn is_open(&self) -> bool {
        match &self.target {
            Target::Stdout => true,
            Target::File(log_file) => log_file.file.is_some(),
        }
    }

    /// Opens the file, again if its path leads to another one.
    pub(super) fn reopen_if_moved(&mut self) {
        if let Target::File(log_file) = &mut self.target
            && let Err(error) = log_file.reopen_if_moved()
        {
            let path = log_file.path.display().to_string();
            self.complain(&error, &path);
        }
    }

    /// Writes complete lines. Returns whether they are written.
    pub(super) fn write(&mut self, lines: &str) -> bool {
        let (outcome, name) = match &mut self.target {
            Target::Stdout => (to_stdout(lines), "stdout".to_owned()),
            Target::File(log_file) => (log_file.write(lines), log_file.path.display().to_string()),
        };
        match outcome {
            Ok(written) => written,
            Err(error) => {
                self.complain(&error, &name);
                false
            }
        }
    }

    fn complain(&mut self, error: &io::Error, name: &str) {
        if let Some(held_back) = self.warnings.admit(error.to_string()) {
            tracing::error!(
                "cannot write the query log to {name}: {error}; log lines are lost, answers continue{held_back}"
            );
        }
    }
}

fn to_stdout(lines: &str) -> io::Result<bool> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(lines.as_bytes())?;
    stdout.flush()?;
    Ok(true)
}

impl LogFile {
    fn reopen_if_moved(&mut self) -> io::Result<()> {
        if self.checked_at.is_some_and(|at| at.elapsed() < CHECK_INTERVAL) {
            return Ok(());
        }
        self.checked_at = Some(Instant::now());
        if self.file.as_ref().is_some_and(|file| is_at(file, &self.path)) {
            return Ok(());
        }
        self.file = None;
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
        self.file = Some(options.open(&self.path)?);
        self.is_cut_off = false;
        Ok(())
    }

    /// Returns whether the file is open.
    fn write(&mut self, lines: &str) -> io::Result<bool> {
        let Some(file) = &mut self.file else { return Ok(false) };
        if self.is_cut_off {
            file.write_all(b"\n")?;
        }
        self.is_cut_off = true;
        file.write_all(lines.as_bytes())?;
        self.is_cut_off = false;
        Ok(true)
    }
}

/// Whether the path still leads to this file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let which = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(named)) => which(open) == which(named),
        _ => false,
    }
}

/// On other systems an open file cannot be moved.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;

    /// Makes the next check due.
    fn later(lines: &mut Lines) {
        let Target::File(log_file) = &mut lines.target else { panic!("a file") };
        log_file.checked_at = None;
        lines.reopen_if_moved();
    }

    #[test]
    fn a_file_that_is_moved_away_is_opened_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("queries.log");
        let mut lines = Lines::to_file(&path);
        assert!(!lines.is_open() && !lines.write("lost\n"));
        lines.reopen_if_moved();
        assert!(lines.write("one\n"));
        fs::rename(&path, directory.path().join("queries.log.1")).unwrap();
        assert!(lines.write("two\n"));
        later(&mut lines);
        assert!(lines.write("three\n"));
        fs::remove_file(&path).unwrap();
        later(&mut lines);
        assert!(lines.write("four\n"));
        later(&mut lines);
        assert!(lines.write("five\n"));
        assert_eq!(fs::read_to_string(directory.path().join("queries.log.1")).unwrap(), "one\ntwo\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "four\nfive\n");
    }

    #[test]
    fn what_cannot_be_opened_is_tried_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("later").join("queries.log");
        let mut lines = Lines::to_file(&path);
        lines.reopen_if_moved();
        assert!(!lines.is_open() && !lines.write("lost\n"));
        fs::create_dir(directory.path().join("later")).unwrap();
        later(&mut lines);
        assert!(lines.write("one\n"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
    }

    /// A device that is always full.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_loses_lines_and_nothing_else() {
        let mut lines = Lines::to_file(Path::new("/dev/full"));
        lines.reopen_if_moved();
        assert!(lines.is_open() && !lines.write("lost\n") && !lines.write("lost\n"));
    }
}
