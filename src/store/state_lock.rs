//! Locks a state directory for one server: two would overwrite each other's state.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::private;

/// The file that is locked. It is empty.
const FILE: &str = "lock";
/// Written into a directory that is made here: the state of a server that runs in a repository,
/// such as the admin token, is not for git.
const GIT_IGNORE: (&str, &[u8]) = (".gitignore", b"*\n");
/// How often a lock is tried whose file another server removes at that moment.
const TRIES: usize = 10;

/// How long the file of a start that failed may take to be removed: the disk may not respond.
const REMOVAL: Duration = Duration::from_secs(1);

/// Holds the lock until it is dropped. The lock of a killed process is released as well.
///
/// The file stays in place once the server has started. A start that fails removes it.
#[derive(Debug)]
pub(crate) struct StateLock {
    locked: Option<Locked>,
}

/// A locked file.
#[derive(Debug)]
struct Locked {
    directory: PathBuf,
    /// Closing it releases the lock.
    file: Option<File>,
    /// Whether there was no directory before.
    made_directory: bool,
    keeps_file: bool,
}

/// Another server holds the lock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another fiftythree server uses the state directory {}", .0.display())]
pub(crate) struct StateInUse(PathBuf);

impl StateLock {
    /// The server has started: from now on the file stays.
    pub(crate) fn keep_file(&mut self) {
        if let Some(locked) = &mut self.locked {
            locked.keeps_file = true;
        }
    }

    /// Locks `directory`. A directory that cannot be written is not locked, because nothing is kept
    /// there.
    pub(crate) fn of(directory: &Path) -> Result<StateLock, StateInUse> {
        let made_directory = !directory.is_dir();
        let path = directory.join(FILE);
        for _ in 0..TRIES {
            let opened = private::make_state_directory(directory).and_then(|()| private::open_or_create(&path));
            let Ok(file) = opened else { return Ok(StateLock { locked: None }) };
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Err(StateInUse(directory.to_path_buf())),
                // On file systems without locks the server runs without one.
                Ok(()) | Err(TryLockError::Error(_)) if is_at(&file, &path) => {
                    if made_directory {
                        ignore_in_git(directory);
                    }
                    let (directory, file) = (directory.to_path_buf(), Some(file));
                    return Ok(StateLock {
                        locked: Some(Locked { directory, file, made_directory, keeps_file: false }),
                    });
                }
                // Its former owner removed the file after it was opened here.
                Ok(()) | Err(TryLockError::Error(_)) => {}
            }
        }
        Err(StateInUse(directory.to_path_buf()))
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        if self.keeps_file {
            return;
        }
        let (directory, made_directory, file) = (self.directory.clone(), self.made_directory, self.file.take());
        let (done, removed) = mpsc::channel();
        thread::spawn(move || {
            // The lock is still held, so the file at this path is the locked one.
            let _ = fs::remove_file(directory.join(FILE));
            if made_directory {
                let _ = fs::remove_file(directory.join(GIT_IGNORE.0));
                // This removes only an empty directory.
                let _ = fs::remove_dir(directory);
            }
            drop(file);
            let _ = done.send(());
        });
        let _ = removed.recv_timeout(REMOVAL);
    }
}

/// Nothing depends on it, so errors are ignored.
fn ignore_in_git(directory: &Path) {
    let (name, text) = GIT_IGNORE;
    let _ = private::open_or_create(&directory.join(name)).and_then(|mut file| file.write_all(text));
}

/// Whether this file is still at this path.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let (Ok(one), Ok(other)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// An open file cannot be removed here.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_directory_is_one_servers_until_it_lets_go() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let mut first = StateLock::of(&state).unwrap();
        assert_eq!(StateLock::of(&state).unwrap_err(), StateInUse(state.clone()));
        first.keep_file();
        drop(first);
        assert!(state.join(FILE).exists());
        StateLock::of(&state).unwrap();
    }

    #[test]
    fn git_ignores_a_directory_that_is_made_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let (made, existing) = (directory.path().join("made"), directory.path().join("existing"));
        fs::create_dir(&existing).unwrap();
        for state in [&made, &existing] {
            StateLock::of(state).unwrap().keep_file();
        }
        assert_eq!(fs::read_to_string(made.join(".gitignore")).unwrap(), "*\n");
        assert!(!existing.join(".gitignore").exists());
    }

    #[test]
    fn a_start_that_fails_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let (made, existing) = (directory.path().join("made"), directory.path().join("existing"));
        fs::create_dir(&existing).unwrap();
        fs::write(existing.join("kept"), "").unwrap();
        drop([StateLock::of(&made).unwrap(), StateLock::of(&existing).unwrap()]);
        assert!(!made.exists() && existing.join("kept").exists() && !existing.join(FILE).exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_on_a_removed_file_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        let opened = private::open_or_create(&path).unwrap();
        assert!(is_at(&opened, &path));
        fs::remove_file(&path).unwrap();
        assert!(!is_at(&opened, &path));
        let other = private::open_or_create(&path).unwrap();
        assert!(!is_at(&opened, &path) && is_at(&other, &path));
    }

    #[test]
    fn what_cannot_be_written_is_not_locked() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a-file");
        fs::write(&file, "").unwrap();
        let claims = [StateLock::of(&file.join("state")).unwrap(), StateLock::of(&file.join("state")).unwrap()];
        assert!(claims.iter().all(|claim| claim.locked.is_none()));
    }
}
