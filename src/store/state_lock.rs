//! One server at a time in a state directory: two would write over each other's memory.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use super::private;

/// The file whose lock is the claim; it stays, empty.
const FILE: &str = "lock";

/// Holds the directory for as long as it lives; a process that is killed lets go of it too.
#[derive(Debug)]
pub struct StateLock {
    locked: Option<File>,
}

/// Somebody else has the directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another fiftythree keeps its state in {}", .0.display())]
pub struct StateInUse(PathBuf);

impl StateLock {
    /// Whether there is nothing to hold.
    #[must_use]
    pub fn is_nobodys(&self) -> bool {
        self.locked.is_none()
    }

    /// Claims `directory`. One that cannot be written is nobody's: nothing is kept there that could be lost.
    pub fn of(directory: &Path) -> Result<StateLock, StateInUse> {
        let opened =
            private::make_state_directory(directory).and_then(|()| private::open_or_create(&directory.join(FILE)));
        let Ok(file) = opened else { return Ok(StateLock { locked: None }) };
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(StateInUse(directory.to_path_buf())),
            // File systems without locks are served as before.
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
