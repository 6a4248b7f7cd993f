//! systemd's journal: detects whether standard error goes to it, and formats its priorities.

use tracing::Level;

/// Whether standard error goes to the journal. `$JOURNAL_STREAM` has the device and inode number of
/// the stream. A child process with another standard error inherits the variable, so both numbers
/// are compared (systemd.exec(5)).
#[cfg(unix)]
pub(super) fn reads_stderr() -> bool {
    use std::io;
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::MetadataExt as _;

    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let stderr = io::stderr().as_fd().try_clone_to_owned().map(std::fs::File::from);
    let Ok(found) = stderr.and_then(|stderr| stderr.metadata()) else { return false };
    identity(&stream) == Some((found.dev(), found.ino()))
}

/// This system has no journal.
#[cfg(not(unix))]
pub(super) fn reads_stderr() -> bool {
    false
}

/// The device and inode number in `$JOURNAL_STREAM`.
#[cfg(unix)]
fn identity(stream: &str) -> Option<(u64, u64)> {
    let (device, inode) = stream.split_once(':')?;
    Some((device.parse().ok()?, inode.parse().ok()?))
}

/// The priority prefix of sd-daemon(3), with the syslog(3) level.
pub(super) fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_named_by_device_and_inode() {
        assert_eq!(identity("8:12345"), Some((8, 12_345)));
        for strange in ["", ":", "8", "8:", ":1", "8:x", "8:1:2", "-8:1"] {
            assert_eq!(identity(strange), None, "{strange}");
        }
    }
}
