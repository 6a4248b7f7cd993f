//! The admin token that the server makes, in the state directory.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::last_good::write_durably;
use super::private;

/// The name of the file in the state directory.
const FILE: &str = "admin.token";
/// The size limit when reading, in bytes: several times the longest token.
const MOST_BYTES: u64 = 4096;

/// The path of the token in this state directory.
#[must_use]
pub(crate) fn made_token_path(state: &Path) -> PathBuf {
    state.join(FILE)
}

/// The token in the file, as `parse` reads it; `None` if there is no usable one. The file may be a
/// leftover of a program that was killed, or someone else's link: both are unusable.
pub(crate) fn read_made_token<T>(state: &Path, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    let bytes = private::read(&made_token_path(state), MOST_BYTES).ok()?;
    parse(std::str::from_utf8(&bytes).ok()?)
}

/// Writes a new token, for the server's user only. Durable on return.
pub(crate) fn write_made_token(state: &Path, token: &str) -> io::Result<()> {
    private::make_state_directory(state)?;
    write_durably(&made_token_path(state), format!("{token}\n").as_bytes())?;
    File::open(state)?.sync_all()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_token_is_for_the_owner_and_a_link_in_its_place_is_not_followed() {
        let (state, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = made_token_path(state.path());
        let read = || read_made_token(state.path(), |text| Some(text.trim().to_owned()));
        assert_eq!(read(), None);
        let target = elsewhere.path().join("target");
        fs::write(&target, "theirs").unwrap();
        symlink(&target, &path).unwrap();
        assert_eq!(read(), None);
        write_made_token(state.path(), "ours").unwrap();
        assert_eq!((read().as_deref(), fs::read_to_string(&target).unwrap().as_str()), (Some("ours"), "theirs"));
        let metadata = fs::symlink_metadata(&path).unwrap();
        assert!(metadata.is_file() && metadata.permissions().mode() & 0o7777 == 0o600);
        assert_eq!(read_made_token(state.path(), |_| None::<()>), None);
    }
}
