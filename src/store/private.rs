//! Files in the state directory. Only the server's user can access them, and they are never reached
//! through a symbolic link in that directory.
//!
//! The directory keeps data that is private at its origin: zone files, and the reasons of
//! overrides. Files are therefore created with mode 0600 and directories with 0700 under any umask,
//! and those of earlier versions are restricted at the start. The state directory itself may be a
//! link, as systemd creates one for `DynamicUser=`; nothing in it may be.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

use crate::files;

/// Creates the state directory unless it exists. Its parents get the permissions of the umask.
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

/// Creates a directory in the state directory, and the state directory, unless they exist.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    make_state_directory(path.parent().unwrap_or(Path::new("")))?;
    match builder().create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => refuse_link(path),
        Ok(()) => chown_as_directory(&options().read(true).open(path)?, path),
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

/// Reads a regular file of at most `at_most` bytes.
pub(super) fn read(path: &Path, at_most: u64) -> io::Result<Vec<u8>> {
    refuse_link(path)?;
    files::read_with(path, at_most, open)
}

/// Opens a regular file for appending.
pub(super) fn append(path: &Path) -> io::Result<File> {
    regular(options().append(true).open(path))
}

/// Opens the file for writing without truncating it; creates it if it does not exist. Replaces a
/// link.
pub(super) fn open_or_create(path: &Path) -> io::Result<File> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
        fs::remove_file(path)?;
    }
    let file = regular(options().create(true).truncate(false).write(true).open(path))?;
    chown_as_directory(&file, path)?;
    Ok(file)
}

/// Creates the file; removes what is in its place, a link too.
pub(super) fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // `create_new` does not follow links.
    let file = options().create_new(true).write(true).open(path)?;
    chown_as_directory(&file, path)?;
    Ok(file)
}

/// What root makes belongs to the owner of the directory, to whom the server changes: threads write
/// while it does so.
#[cfg(unix)]
fn chown_as_directory(file: &File, path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let above = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    let (above, now) = (fs::metadata(above)?, file.metadata()?);
    // A file with several names may be somebody else's.
    let has_one_name = now.is_dir() || now.nlink() == 1;
    match rustix::process::geteuid().is_root() && above.uid() != now.uid() && has_one_name {
        true => fchown(file, Some(above.uid()), Some(above.gid())),
        false => Ok(()),
    }
}

#[cfg(not(unix))]
fn chown_as_directory(_: &File, _: &Path) -> io::Result<()> {
    Ok(())
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
    // Without O_NONBLOCK, opening a pipe would wait for its other end.
    options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

/// Names the link in the error of an open with O_NOFOLLOW.
#[cfg(unix)]
fn name_link(error: io::Error) -> io::Error {
    // FreeBSD and NetBSD use other error numbers.
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
pub(crate) use restricting::restrict_access;

/// On this system, access is not controlled by modes.
#[cfg(not(unix))]
pub(crate) fn restrict_access(_: &Path) -> Result<(), NotRestricted> {
    Ok(())
}

/// Other users may have access to the state directory.
#[derive(Debug, thiserror::Error)]
#[error(
    "other users may have access to the state directory: the mode of {path} cannot be changed to {mode:o}: {source}{more}"
)]
pub(crate) struct NotRestricted {
    path: String,
    mode: u32,
    source: io::Error,
    /// How many more files are affected, as a suffix of the message.
    more: String,
}

#[cfg(target_os = "linux")]
pub(crate) use chown::{chown_file, chown_state};

#[cfg(target_os = "linux")]
mod chown {
    use std::io;
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::fs::fchown;
    use std::path::Path;

    use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, fstat, openat};

    use super::restricting::{STICKY, is_ours};

    /// Gives the state directory and the server's files in it to a user. A user who could write
    /// there before may have prepared it, so links are not followed and files with several names
    /// stay.
    pub(crate) fn chown_state(state: &Path, uid: u32, gid: u32) -> io::Result<()> {
        // The directory itself may be a link.
        let directory = openat(CWD, state, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        // The directory first: what is made in it from now on belongs to its owner. What was made
        // just before may be renamed meanwhile, and has its last name the second time.
        chown(&directory, uid, gid)?;
        chown_entries(&directory, uid, gid, is_ours)?;
        chown_entries(&directory, uid, gid, is_ours)
    }

    /// Gives a file to a user.
    pub(crate) fn chown_file(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
        chown(&open(CWD, path)?, uid, gid)
    }

    fn chown_entries(directory: &OwnedFd, uid: u32, gid: u32, is_meant: fn(&str) -> bool) -> io::Result<()> {
        for entry in Dir::read_from(directory)? {
            let entry = entry?;
            let name = entry.file_name();
            if !name.to_str().is_ok_and(|name| is_meant(name) && !matches!(name, "." | "..")) {
                continue;
            }
            // A link, or gone meanwhile.
            let Ok(entry) = open(directory, name) else { continue };
            chown(&entry, uid, gid)?;
            if FileType::from_raw_mode(fstat(&entry)?.st_mode).is_dir() {
                chown_entries(&entry, uid, gid, |_| true)?;
            }
        }
        Ok(())
    }

    fn open(directory: impl AsFd, name: impl rustix::path::Arg) -> io::Result<OwnedFd> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(openat(directory, name, flags, Mode::empty())?)
    }

    fn chown(file: &OwnedFd, uid: u32, gid: u32) -> io::Result<()> {
        let metadata = fstat(file)?;
        let kind = FileType::from_raw_mode(metadata.st_mode);
        let is_shared = metadata.st_mode & STICKY != 0;
        if (kind.is_dir() && !is_shared) || (kind.is_file() && metadata.st_nlink == 1) {
            fchown(file, Some(uid), Some(gid))?;
        }
        Ok(())
    }
}

#[cfg(unix)]
mod restricting {
    use std::fs::{self, Metadata, Permissions};
    use std::io;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::{Path, PathBuf};

    use super::NotRestricted;

    /// The names that the server creates in the state directory. Other names belong to someone
    /// else.
    const OURS: [&str; 7] =
        ["lock", "health.journal", "history.jsonl", "last-good", "zone-index", "admin.token", "cookie-secrets"];
    /// The sticky bit marks a directory shared by all users, such as `/tmp`.
    pub(super) const STICKY: u32 = 0o1000;

    /// Removes the access of other users that an earlier version, or a umask, gave to the state
    /// directory and to the server's files in it. Restricts everything it can; the error is about
    /// the first failure.
    pub(crate) fn restrict_access(state: &Path) -> Result<(), NotRestricted> {
        let mut failed = Vec::new();
        let mut restrict = |path: PathBuf, mode, shared| match shared {
            true => failed.push((path, mode, io::Error::other("it is a directory shared by all users"))),
            false => {
                if let Err(error) = fs::set_permissions(&path, Permissions::from_mode(mode)) {
                    failed.push((path, mode, error));
                }
            }
        };
        // The directory first: after that, other users cannot change its contents.
        if let Ok(metadata) = fs::metadata(state)
            && let Some(mode) = tighter(&metadata)
        {
            restrict(state.to_path_buf(), mode, metadata.permissions().mode() & STICKY != 0);
        }
        for (path, mode) in accessible_in(state, is_ours) {
            // A directory that is closed to others protects its contents, which may be many files.
            let inner = if path.is_dir() { accessible_in(&path, |_| true) } else { Vec::new() };
            inner.into_iter().chain([(path, mode)]).for_each(|(path, mode)| restrict(path, mode, false));
        }
        let more = failed.len().saturating_sub(1);
        let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
        match failed.into_iter().next() {
            Some((path, mode, source)) => Err(NotRestricted { path: path.display().to_string(), mode, source, more }),
            None => Ok(()),
        }
    }

    /// The paths in a directory that others can access, and their restricted modes. Links are
    /// skipped, because their targets are not the server's.
    fn accessible_in(directory: &Path, is_meant: impl Fn(&str) -> bool) -> Vec<(PathBuf, u32)> {
        let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
        let meant = entries.filter(|entry| entry.file_name().to_str().is_some_and(&is_meant));
        // The metadata of an entry are those of the link itself.
        let found = meant.filter_map(|entry| Some((entry.path(), tighter(&entry.metadata().ok()?)?)));
        found.collect()
    }

    pub(super) fn is_ours(name: &str) -> bool {
        OURS.iter().any(|ours| name.strip_prefix(ours).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    }

    fn tighter(metadata: &Metadata) -> Option<u32> {
        let mode = metadata.permissions().mode() & 0o7777;
        let is_accessible = (metadata.is_file() || metadata.is_dir()) && mode & 0o077 != 0;
        let most = if metadata.is_dir() { 0o700 } else { 0o600 };
        is_accessible.then_some(mode & (0o7000 | most))
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
        // They exist already.
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
        // The directory itself may be a link.
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
        restrict_access(state.path()).unwrap();
        assert_eq!((mode(state.path()), mode(&path("last-good"))), (0o2700, 0o700));
        assert!(ours.iter().all(|name| mode(&path(name)) == 0o600));
        assert!(theirs.iter().all(|name| mode(&path(name)) == 0o664));
        assert_eq!(mode(&target), 0o644);
    }

    /// Only root can give files away, but everyone can give them to themselves.
    #[cfg(target_os = "linux")]
    #[test]
    fn only_the_servers_own_files_are_given_to_a_user() {
        use std::os::unix::fs::MetadataExt as _;
        let (state, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = |name: &str| state.path().join(name);
        fs::create_dir(path("last-good")).unwrap();
        for name in ["lock", "last-good/a.toml", "theirs"] {
            fs::write(path(name), "").unwrap();
        }
        let (linked, hard) = (elsewhere.path().join("linked"), elsewhere.path().join("hard"));
        fs::write(&linked, "").unwrap();
        fs::write(&hard, "").unwrap();
        symlink(&linked, path("zone-index")).unwrap();
        fs::hard_link(&hard, path("health.journal")).unwrap();
        let is_root = rustix::process::geteuid().is_root();
        let (uid, gid) =
            if is_root { (53, 53) } else { (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()) };
        chown_state(state.path(), uid, gid).unwrap();
        let owner = |path: &Path| fs::symlink_metadata(path).unwrap().uid();
        for name in ["", "lock", "last-good", "last-good/a.toml"] {
            assert_eq!(owner(&path(name)), uid, "{name}");
        }
        if is_root {
            assert_eq!([path("theirs"), path("zone-index"), linked, hard].map(|path| owner(&path)), [0; 4]);
        }
    }

    #[test]
    fn a_directory_that_all_users_share_is_not_taken_from_them() {
        let state = tempfile::tempdir().unwrap();
        fs::write(state.path().join("lock"), "").unwrap();
        set_mode(&state.path().join("lock"), 0o644);
        set_mode(state.path(), 0o1777);
        let error = restrict_access(state.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("{} cannot be changed to 1700", state.path().display())), "{error}");
        assert_eq!((mode(state.path()), mode(&state.path().join("lock"))), (0o1777, 0o600));
        assert!(restrict_access(&state.path().join("none")).is_ok());
    }
}
