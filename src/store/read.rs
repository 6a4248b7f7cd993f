//! Reads settings and zone files.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::background;
use crate::config::{Disclosure, SourceFile};
use crate::files;

use super::encoding::text;
use super::watched_files::Stamp;
use super::{WriteState, Writers, disclosure_of};

/// The size limit of a zone file: about two million records. A larger file is a mistake, and
/// reading it would exhaust memory.
const LARGEST_FILE: u64 = 256 << 20;
/// How often a file that changes while it is read is read again before its previous source is used.
const TRIES: usize = 3;
/// How long to wait for an editor to finish a save between two tries.
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// The contents of a settings or zone file.
#[derive(Clone, Debug)]
pub(crate) enum Contents {
    /// There is no such file.
    Absent,
    /// It is being written.
    InProgress,
    /// Its text.
    Text {
        /// The text.
        source: SourceFile,
        /// The stamp, if a later change changes it: a coarse clock can give two writes the same
        /// time.
        stamp: Option<Stamp>,
        /// Whether its writer was seen to close it.
        state: WriteState,
    },
}

/// Reads a file that is not being written: its stamp must be the same before and after.
pub(crate) fn read_text(path: &Path, writers: &Writers) -> Result<Contents, String> {
    for attempt in 0..TRIES {
        if attempt > 0 {
            std::thread::sleep(BETWEEN_TRIES);
        }
        let Some(before) = Stamp::of(path) else { return absent(path) };
        // A directory or a pipe has no writer that will finish it.
        files::expect_regular(path).map_err(|error| unreadable(&error))?;
        if writers.state(path, before) == WriteState::InProgress {
            return Ok(Contents::InProgress);
        }
        let source = read_source(path)?;
        background::yield_point();
        if Stamp::of(path) == Some(before) {
            // A writer may have opened it in between.
            let state = writers.state(path, before);
            if state == WriteState::InProgress {
                return Ok(Contents::InProgress);
            }
            let stamp = before.is_at_rest().then_some(before);
            return Ok(Contents::Text { source, stamp, state });
        }
    }
    Err("the file changed while it was read".to_owned())
}

/// A link without a target is not a removed file: a checkout or a mount may be in progress.
fn absent(path: &Path) -> Result<Contents, String> {
    match files::symlink_metadata(path) {
        Ok(_) => Err("it is a symbolic link whose target does not exist".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Contents::Absent),
        Err(error) => Err(unreadable(&error)),
    }
}

/// Reads a file up to the size limit.
pub(super) fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    files::read(path, LARGEST_FILE).map_err(|error| unreadable(&error))
}

fn unreadable(error: &io::Error) -> String {
    format!("the file cannot be read: {error}")
}

/// Reads a source as it is now.
pub(super) fn read_source(path: &Path) -> Result<SourceFile, String> {
    let before = disclosure_of(path);
    let bytes = read_bounded(path)?;
    // A file may be replaced by a link, or a link by a file, at any moment.
    let disclosure = if disclosure_of(path) == before { before } else { Disclosure::PositionsOnly };
    // The full reason names the contents of the file.
    let text = text(bytes).map_err(|reason| match disclosure {
        Disclosure::Text | Disclosure::Everything => reason,
        Disclosure::PositionsOnly | Disclosure::Gone => "the file is not UTF-8".to_owned(),
    })?;
    Ok(SourceFile { disclosure, ..SourceFile::new(path, text) })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::{Fingerprint, Targets};

    #[cfg(unix)]
    #[test]
    fn a_directory_or_a_pipe_is_an_error_at_once_and_never_being_written() {
        let directory = tempfile::tempdir().unwrap();
        let targets = Targets { zones: vec![directory.path().to_path_buf()], files: vec![] };
        let writers = Writers::of(targets.clone(), Fingerprint::of(&targets));
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("directory.toml")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(path("pipe.toml")).status().unwrap();
        assert!(made.success());
        for name in ["directory.toml", "pipe.toml"] {
            let problem = read_text(&path(name), &writers).unwrap_err();
            assert_eq!(problem, "the file cannot be read: it is not a regular file", "{name}");
        }
        // A new regular file may still be written to.
        fs::write(path("new.toml"), "name = ").unwrap();
        assert!(matches!(read_text(&path("new.toml"), &writers), Ok(Contents::InProgress)));
    }
}
