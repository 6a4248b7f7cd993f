//! Locks a state directory for one server: two would overwrite each other's state.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use super::private;

/// The file that is locked. It stays in place, empty.
const FILE: &str = "lock";

/// Holds the lock until it is dropped. The lock of a killed process is released as well.
#[derive(Debug)]
pub struct StateLock {
    locked: Option<File>,
}

/// Another server holds the lock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another fiftythree server uses the state directory {}", .0.display())]
pub struct StateInUse(PathBuf);

impl StateLock {
    /// Whether there was nothing to lock.
    #[must_use]
    pub fn is_nobodys(&self) -> bool {
        self.locked.is_none()
    }

    /// Locks `directory`. A directory that cannot be written is not locked, because nothing is kept
    /// there.
    pub fn of(directory: &Path) -> Result<StateLock, StateInUse> {
        let opened =
            private::make_state_directory(directory).and_then(|()| private::open_or_create(&directory.join(FILE)));
        let Ok(file) = opened else { return Ok(StateLock { locked: None }) };
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(StateInUse(directory.to_path_buf())),
            // On file systems without locks the server runs without one.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(StateLock { locked: Some(file) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_directory_is_one_servers_until_it_lets_go() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let first = StateLock::of(&state).unwrap();
        assert_eq!(StateLock::of(&state).unwrap_err(), StateInUse(state.clone()));
        drop(first);
        StateLock::of(&state).unwrap();
    }

    #[test]
    fn what_cannot_be_written_is_nobodys() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a-file");
        fs::write(&file, "").unwrap();
        let claims = [StateLock::of(&file.join("state")).unwrap(), StateLock::of(&file.join("state")).unwrap()];
        assert!(claims.iter().all(StateLock::is_nobodys));
    }
}
