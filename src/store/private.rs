//! Files of the state directory: for the server's user alone, and never reached through a symbolic link in it.
//!
//! What is kept there was private where it came from: zone files, the reasons people gave. So files are made 0600 and
//! directories 0700 whatever the umask says, and those of earlier versions are tightened at the start. The state directory
//! itself may be a link, as systemd makes one for `DynamicUser=`; nothing in it may be.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

use crate::files;

/// Makes the state directory unless it exists. What lies above it is made as the umask says.
pub(super) fn make_state_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
    match builder().create(path) {
        Err(_) if path.is_dir() => Ok(()),
        outcome => outcome,
    }
}

/// Makes a directory in the state directory, and that too, unless they exist.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    make_state_directory(path.parent().unwrap_or(Path::new("")))?;
    match builder().create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => refuse_link(path),
        outcome => outcome,
    }
}

fn refuse_link(path: &Path) -> io::Result<()> {
    match files::symlink_metadata(path)?.is_symlink() {
        true => Err(io::Error::other("it is a symbolic link")),
        false => Ok(()),
    }
}

/// The names in a directory of the state directory.
pub(super) fn names_in(directory: &Path) -> io::Result<Vec<OsString>> {
    refuse_link(directory)?;
    files::names_in(directory)
}

/// Opens a regular file.
pub(super) fn open(path: &Path) -> io::Result<File> {
    regular(options().read(true).open(path))
}

/// Reads a regular file of at most so many bytes.
pub(super) fn read(path: &Path, at_most: u64) -> io::Result<Vec<u8>> {
    refuse_link(path)?;
    files::read_with(path, at_most, open)
}

/// Opens a regular file for appending.
pub(super) fn append(path: &Path) -> io::Result<File> {
    regular(options().append(true).open(path))
}

/// Opens the file for writing, empty or not; it is made when there is none. A link in its place is removed.
pub(super) fn open_or_create(path: &Path) -> io::Result<File> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
        fs::remove_file(path)?;
    }
    regular(options().create(true).truncate(false).write(true).open(path))
}

/// Makes the file anew; what is in its place, a link too, is removed.
pub(super) fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // The system follows no link where a file must be new.
    options().create_new(true).write(true).open(path)
}

fn regular(opened: io::Result<File>) -> io::Result<File> {
    let file = opened.map_err(name_link)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

#[cfg(unix)]
fn builder() -> DirBuilder {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

#[cfg(unix)]
fn options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = OpenOptions::new();
    // Opening a pipe would wait for its other end.
    options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

/// What the system says of a link that is not followed needs a translation.
#[cfg(unix)]
fn name_link(error: io::Error) -> io::Error {
    // FreeBSD and NetBSD have numbers of their own for it.
    match error.raw_os_error() {
        Some(libc::ELOOP | libc::EMLINK) => io::Error::other("it is a symbolic link"),
        _ => error,
    }
}

#[cfg(not(unix))]
fn builder() -> DirBuilder {
    DirBuilder::new()
}

#[cfg(not(unix))]
fn options() -> OpenOptions {
    OpenOptions::new()
}

#[cfg(not(unix))]
fn name_link(error: io::Error) -> io::Error {
    error
}

#[cfg(unix)]
pub use tightening::tighten;

/// Access is not a matter of modes here.
#[cfg(not(unix))]
pub fn tighten(_: &Path) -> Result<(), NotTightened> {
    Ok(())
}

/// Others may still read or write in the state directory.
#[derive(Debug, thiserror::Error)]
#[error(
    "other users may have access to the state directory: the mode of {path} cannot be changed to {mode:o}: {source}{more}"
)]
pub struct NotTightened {
    path: String,
    mode: u32,
    source: io::Error,
    /// How many files more, in words.
    more: String,
}

#[cfg(unix)]
mod tightening {
    use std::fs::{self, Metadata, Permissions};
    use std::io;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::{Path, PathBuf};

    use super::NotTightened;

    /// What is ours in the state directory; what is kept under other names there is somebody else's.
    const OURS: [&str; 4] = ["lock", "health.journal", "last-good", "zone-index"];
    /// What a directory has that all users of the machine share, such as `/tmp`.
    const STICKY: u32 = 0o1000;

    /// Takes from other users what an earlier version, or a umask, let them do with the state directory and with what is ours
    /// in it. All that can be tightened is; the error is about the first that cannot.
    pub fn tighten(state: &Path) -> Result<(), NotTightened> {
        let mut failed = Vec::new();
        let mut tighten = |path: PathBuf, mode, shared| match shared {
            true => failed.push((path, mode, io::Error::other("it is a directory that users share"))),
            false => {
                if let Err(error) = fs::set_permissions(&path, Permissions::from_mode(mode)) {
                    failed.push((path, mode, error));
                }
            }
        };
        // The directory first: from then on nobody else can change what is in it.
        if let Ok(metadata) = fs::metadata(state)
            && let Some(mode) = tighter(&metadata)
        {
            tighten(state.to_path_buf(), mode, metadata.permissions().mode() & STICKY != 0);
        }
        for (path, mode) in loose_in(state, is_ours) {
            // Behind a directory that is closed to others nothing has to be looked at; there may be many files.
            let inner = if path.is_dir() { loose_in(&path, |_| true) } else { Vec::new() };
            inner.into_iter().chain([(path, mode)]).for_each(|(path, mode)| tighten(path, mode, false));
        }
        let more = failed.len().saturating_sub(1);
        let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
        match failed.into_iter().next() {
            Some((path, mode, source)) => Err(NotTightened { path: path.display().to_string(), mode, source, more }),
            None => Ok(()),
        }
    }

    /// What others may access in a directory, and the modes that end it. Links are left alone: what they lead to is not ours.
    fn loose_in(directory: &Path, is_meant: impl Fn(&str) -> bool) -> Vec<(PathBuf, u32)> {
        let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
        let meant = entries.filter(|entry| entry.file_name().to_str().is_some_and(&is_meant));
        // The metadata of an entry is a link's own.
        let loose = meant.filter_map(|entry| Some((entry.path(), tighter(&entry.metadata().ok()?)?)));
        loose.collect()
    }

    fn is_ours(name: &str) -> bool {
        OURS.iter().any(|ours| name.strip_prefix(ours).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    }

    fn tighter(metadata: &Metadata) -> Option<u32> {
        let mode = metadata.permissions().mode() & 0o7777;
        let is_loose = (metadata.is_file() || metadata.is_dir()) && mode & 0o077 != 0;
        let most = if metadata.is_dir() { 0o700 } else { 0o600 };
        is_loose.then_some(mode & (0o7000 | most))
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_made_is_for_the_owner_alone() {
        let above = tempfile::tempdir().unwrap();
        let state = above.path().join("lib/state");
        make_directory(&state.join("last-good")).unwrap();
        let (made, opened) = (state.join("made"), state.join("opened"));
        drop((create(&made).unwrap(), open_or_create(&opened).unwrap()));
        assert_eq!([&state, &state.join("last-good")].map(|path| mode(path)), [0o700; 2]);
        assert_eq!([&made, &opened].map(|path| mode(path)), [0o600; 2]);
        // They are there already.
        make_directory(&state.join("last-good")).unwrap();
        drop((create(&made).unwrap(), open_or_create(&opened).unwrap()));
    }

    #[test]
    fn links_in_the_directory_are_not_followed() {
        let (state, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = elsewhere.path().join("target");
        for target_is_there in [true, false] {
            if target_is_there {
                fs::write(&target, "theirs").unwrap();
            } else {
                fs::remove_file(&target).unwrap();
            }
            let link = |name: &str| {
                let link = state.path().join(name);
                symlink(&target, &link).unwrap();
                link
            };
            let (read_link, append_link) = (link("read"), link("append"));
            let errors = [open(&read_link), append(&append_link)].map(|opened| opened.unwrap_err().to_string());
            assert_eq!(errors, ["it is a symbolic link"; 2]);
            let (created, opened) = (link("created"), link("opened"));
            drop((create(&created).unwrap(), open_or_create(&opened).unwrap()));
            assert!([&created, &opened].iter().all(|path| fs::symlink_metadata(path).unwrap().is_file()));
            assert_eq!(fs::read_to_string(&target).ok().as_deref(), target_is_there.then_some("theirs"));
            [read_link, append_link, created, opened].iter().for_each(|path| fs::remove_file(path).unwrap());
        }
        let directory = state.path().join("last-good");
        symlink(elsewhere.path(), &directory).unwrap();
        assert_eq!(make_directory(&directory).unwrap_err().to_string(), "it is a symbolic link");
        assert!(names_in(&directory).is_err());
        // The directory itself may be one.
        let whole = elsewhere.path().join("state");
        symlink(state.path(), &whole).unwrap();
        make_state_directory(&whole).unwrap();
        drop(create(&whole.join("made")).unwrap());
        assert!(state.path().join("made").is_file());
    }

    #[test]
    fn what_is_no_file_is_not_opened() {
        let state = tempfile::tempdir().unwrap();
        let pipe = state.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(open(&pipe).unwrap_err().to_string(), "it is not a regular file");
        assert!(open(state.path()).is_err());
        fs::write(state.path().join("file"), "12345").unwrap();
        assert_eq!(read(&state.path().join("file"), 5).unwrap(), b"12345");
        assert!(read(&state.path().join("file"), 4).is_err());
    }

    #[test]
    fn what_others_may_read_is_closed_to_them_and_what_is_not_ours_is_left_alone() {
        let (state, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = |name: &str| state.path().join(name);
        fs::create_dir(path("last-good")).unwrap();
        let ours = ["lock", "health.journal", "health.journal.damaged-1", "zone-index", "last-good/a.toml"];
        let theirs = ["queries.jsonl", "lock-picking.txt"];
        for name in ours.iter().chain(&theirs) {
            fs::write(path(name), "").unwrap();
            set_mode(&path(name), 0o664);
        }
        set_mode(&path("lock"), 0o777);
        let target = elsewhere.path().join("target");
        fs::write(&target, "").unwrap();
        set_mode(&target, 0o644);
        symlink(&target, path("last-good/b.toml")).unwrap();
        symlink(&target, path("zone-index.unfinished")).unwrap();
        set_mode(&path("last-good"), 0o755);
        set_mode(state.path(), 0o2775);
        tighten(state.path()).unwrap();
        assert_eq!((mode(state.path()), mode(&path("last-good"))), (0o2700, 0o700));
        assert!(ours.iter().all(|name| mode(&path(name)) == 0o600));
        assert!(theirs.iter().all(|name| mode(&path(name)) == 0o664));
        assert_eq!(mode(&target), 0o644);
    }

    #[test]
    fn a_directory_that_all_users_share_is_not_taken_from_them() {
        let state = tempfile::tempdir().unwrap();
        fs::write(state.path().join("lock"), "").unwrap();
        set_mode(&state.path().join("lock"), 0o644);
        set_mode(state.path(), 0o1777);
        let error = tighten(state.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("{} cannot be changed to 1700", state.path().display())), "{error}");
        assert_eq!((mode(state.path()), mode(&state.path().join("lock"))), (0o1777, 0o600));
        assert!(tighten(&state.path().join("none")).is_ok());
    }
}
