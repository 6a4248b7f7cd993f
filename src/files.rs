//! Reads files and their metadata for all modules. A file that never opens or never ends blocks
//! only the thread that reads it, and every other thread can find out what that thread is waiting
//! for.
//!
//! Files are opened without blocking, and only regular files are read, up to a limit. The remaining
//! risk is a file system that does not respond, such as a network mount whose server is gone. No
//! system call ends that wait. Each operation is therefore registered while it runs. A thread that
//! waits for another one can give up on it ([`unresponsive`]), and the next thread that comes to
//! the same path gets an error at once instead of waiting too.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// An operation that takes longer than this is not expected to return.
pub(crate) const UNRESPONSIVE_AFTER: Duration = Duration::from_secs(30);
/// How long reading one file may take. This is not for slow disks but for files that never end.
const LONGEST_READ: Duration = Duration::from_secs(60);
/// The size of one read.
const CHUNK: u64 = 256 << 10;
/// When this many operations are stuck in one directory, the rest of it is not tried, so that stuck
/// threads do not accumulate.
const STUCK_IN_ONE_DIRECTORY: usize = 4;

static OPERATIONS: Mutex<Operations> = Mutex::new(Operations { last: 0, pending: BTreeMap::new() });

/// The operations in progress.
struct Operations {
    last: u64,
    pending: BTreeMap<u64, Operation>,
}

/// One of them.
struct Operation {
    thread: ThreadId,
    path: PathBuf,
    since: Instant,
}

/// An operation that has not returned for a long time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: the file system has not responded for {} s", path.display(), waited.as_secs())]
pub(crate) struct Unresponsive {
    /// The path of the operation.
    pub(crate) path: PathBuf,
    /// How long it has taken so far.
    pub(crate) waited: Duration,
}

/// Reads a regular file of at most `at_most` bytes.
pub(crate) fn read(path: &Path, at_most: u64) -> io::Result<Vec<u8>> {
    read_with(path, at_most, open)
}

/// Reads a file that `open` opens; `open` must not block.
pub(crate) fn read_with(
    path: &Path,
    at_most: u64,
    open: impl FnOnce(&Path) -> io::Result<File>,
) -> io::Result<Vec<u8>> {
    // Opening a device can have side effects, so the type is checked first.
    expect_regular(path)?;
    operate(path, || {
        let file = open(path)?;
        // The path may lead to another file by now.
        let metadata = file.metadata()?;
        is_regular(&metadata)?;
        read_to_end(file, metadata.len(), at_most)
    })
}

/// Whether users other than those whom a secret is meant for can read or write its file.
#[cfg(unix)]
pub(crate) fn others_may_read(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    is_open(metadata.mode(), metadata.uid())
}

/// The group of a file of root may read it: a service that does not run as root gets secrets so,
/// from systemd and from Kubernetes. PostgreSQL has the same rule for its keys.
#[cfg(unix)]
fn is_open(mode: u32, owner: u32) -> bool {
    const ROOT: u32 = 0;
    mode & if owner == ROOT { 0o037 } else { 0o077 } != 0
}

/// Where files have no modes, no other user is assumed to read them.
#[cfg(not(unix))]
pub(crate) fn others_may_read(_: &Metadata) -> bool {
    false
}

/// An error if the path leads to a directory, a pipe or a device.
pub(crate) fn expect_regular(path: &Path) -> io::Result<()> {
    is_regular(&metadata(path)?)
}

/// The metadata of a file; follows links.
pub(crate) fn metadata(path: &Path) -> io::Result<Metadata> {
    operate(path, || fs::metadata(path))
}

/// The metadata of a file, or of the link with this name.
pub(crate) fn symlink_metadata(path: &Path) -> io::Result<Metadata> {
    operate(path, || fs::symlink_metadata(path))
}

/// The names in a directory, in no particular order.
pub(crate) fn names_in(directory: &Path) -> io::Result<Vec<OsString>> {
    operate(directory, || fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.file_name())).collect())
}

/// Registers an operation, so that others see what this thread is waiting for. Fails at once if
/// another thread has waited for too long on the same path.
pub(crate) fn operate<T>(path: &Path, operation: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    if let Some(stuck) = stuck(path) {
        return Err(io::Error::new(io::ErrorKind::TimedOut, stuck.in_words()));
    }
    let _registered = Registered::begin(path);
    operation()
}

/// The operation that this thread has waited for, if that is at least `patience`.
pub(crate) fn unresponsive(thread: ThreadId, patience: Duration) -> Option<Unresponsive> {
    let operations = operations();
    let mut of_thread = operations.pending.values().filter(|operation| operation.thread == thread);
    // The innermost operation began last and is the most specific.
    of_thread.next_back().and_then(|operation| operation.longer_than(patience))
}

impl Operation {
    fn longer_than(&self, patience: Duration) -> Option<Unresponsive> {
        let waited = self.since.elapsed();
        (waited >= patience).then(|| Unresponsive { path: self.path.clone(), waited })
    }
}

impl Unresponsive {
    /// The message without the path, for callers that name it.
    fn in_words(&self) -> String {
        format!("the file system has not responded for {} s", self.waited.as_secs())
    }
}

/// An operation of another thread because of which `path` must not be tried.
fn stuck(path: &Path) -> Option<Unresponsive> {
    let this = thread::current().id();
    let operations = operations();
    let stuck = operations.pending.values().filter(|operation| operation.thread != this);
    let stuck: Vec<Unresponsive> = stuck.filter_map(|operation| operation.longer_than(UNRESPONSIVE_AFTER)).collect();
    let in_directory = || stuck.iter().filter(|stuck| stuck.path.parent() == path.parent());
    stuck.iter().find(|stuck| stuck.path == path).or_else(|| in_directory().nth(STUCK_IN_ONE_DIRECTORY - 1)).cloned()
}

/// An entry of the list, removed when dropped.
struct Registered(u64);

impl Registered {
    fn begin(path: &Path) -> Registered {
        let mut operations = operations();
        operations.last += 1;
        let number = operations.last;
        let operation = Operation { thread: thread::current().id(), path: path.to_owned(), since: Instant::now() };
        operations.pending.insert(number, operation);
        Registered(number)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        operations().pending.remove(&self.0);
        progress();
    }
}

/// Records progress in an operation that consists of others.
fn progress() {
    let (this, now) = (thread::current().id(), Instant::now());
    let mut operations = operations();
    operations.pending.values_mut().filter(|operation| operation.thread == this).for_each(|mine| mine.since = now);
}

fn operations() -> MutexGuard<'static, Operations> {
    // No thread panics while it holds the lock.
    OPERATIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() { Ok(()) } else { Err(io::Error::other("it is not a regular file")) }
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // With these flags, opening a pipe does not block, and reading a file of /proc that waits for
    // data fails.
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

/// `expected` is the length in the metadata, which is 0 for files of /proc.
fn read_to_end(mut file: File, expected: u64, at_most: u64) -> io::Result<Vec<u8>> {
    let began = Instant::now();
    let to_usize = |length: u64| usize::try_from(length).unwrap_or(usize::MAX);
    if expected > at_most {
        return Err(too_long(at_most));
    }
    let mut bytes = Vec::with_capacity(to_usize(expected));
    let mut chunk = vec![0; to_usize((expected + 1).clamp(4096, CHUNK))];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(bytes),
            Ok(length) => bytes.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::Error::other("reading it would block until another program writes to it"));
            }
            Err(error) => return Err(error),
        }
        if bytes.len() as u64 > at_most {
            return Err(too_long(at_most));
        }
        if began.elapsed() > LONGEST_READ {
            return Err(io::Error::other(format!(
                "the end of the file was not reached in {} s",
                LONGEST_READ.as_secs()
            )));
        }
        progress();
    }
}

fn too_long(at_most: u64) -> io::Error {
    let limit = if at_most >= 1 << 20 { format!("{} MiB", at_most >> 20) } else { format!("{at_most} bytes") };
    io::Error::other(format!("it is larger than {limit}"))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_group_may_read_secrets_of_root_alone() {
        for (mode, of_root, of_another) in [
            (0o100_600, false, false),
            (0o100_400, false, false),
            (0o100_640, false, true),
            (0o100_440, false, true),
            (0o100_660, true, true),
            (0o100_644, true, true),
            (0o100_604, true, true),
        ] {
            assert_eq!((is_open(mode, 0), is_open(mode, 53)), (of_root, of_another), "{mode:o}");
        }
    }

    /// Far longer than any of this takes, because the machine may be busy.
    const TIMEOUT: Duration = Duration::from_secs(20);

    /// The result of reading on another thread, so that this one does not hang.
    fn outcome(path: &Path, at_most: u64) -> Result<Vec<u8>, String> {
        let (done, outcome) = mpsc::channel();
        let path = path.to_owned();
        thread::spawn(move || done.send(read(&path, at_most).map_err(|error| error.to_string())));
        outcome.recv_timeout(TIMEOUT).expect("reading must end")
    }

    #[test]
    fn a_regular_file_is_read_up_to_its_limit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        for length in [0, 1, 4095, 4096, 4097, 300_000] {
            fs::write(&path, vec![7; length]).unwrap();
            assert_eq!(outcome(&path, 300_000).unwrap().len(), length);
        }
        assert!(outcome(&path, 299_999).unwrap_err().contains("larger than 299999 bytes"));
        assert!(outcome(&directory.path().join("b"), 1).is_err());
        assert!(outcome(directory.path(), 1).unwrap_err().contains("not a regular file"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_never_opens_or_never_ends_is_an_error_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        assert!(std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        for target in ["/dev/zero", "/dev/tty", "/dev/stdin", "/proc/self"] {
            let link = path(&target.replace('/', "-"));
            std::os::unix::fs::symlink(target, &link).unwrap();
        }
        for name in ["pipe", "socket", "-dev-zero", "-dev-tty", "-proc-self"] {
            let error = outcome(&path(name), 1 << 20).unwrap_err();
            assert!(error.contains("not a regular file"), "{name}: {error}");
        }
        // A regular file by its mode. It has no length, and may have no data for hours.
        let read = outcome(Path::new("/proc/kmsg"), 1 << 20);
        assert!(read.is_err(), "{read:?}");
        // The same, except that it ends.
        assert!(outcome(Path::new("/proc/self/stat"), 1 << 20).unwrap().len() > 10);
        assert!(outcome(Path::new("/proc/self/stat"), 10).is_err());
    }

    #[test]
    fn others_see_what_a_thread_waits_for_and_do_not_wait_as_well() {
        let directory = Path::new("/mount-without-a-server");
        let (end, wait) = mpsc::channel::<()>();
        let (begun, begins) = mpsc::channel();
        let path = directory.join("a");
        let stuck = path.clone();
        let thread = thread::spawn(move || {
            operate(Path::new("/mount-without-a-server-outer"), || {
                operate(&stuck, || {
                    begun.send(()).unwrap();
                    let _ = wait.recv();
                    Ok(())
                })
            })
        });
        begins.recv().unwrap();
        let id = thread.thread().id();
        assert_eq!(unresponsive(id, Duration::ZERO).unwrap().path, path);
        assert_eq!(unresponsive(id, TIMEOUT), None);
        assert_eq!(unresponsive(thread::current().id(), Duration::ZERO), None);
        operate(&path, || Ok(())).expect("it may only be slow");
        let long_ago = Instant::now().checked_sub(UNRESPONSIVE_AFTER).unwrap();
        operations().pending.values_mut().filter(|it| it.thread == id).for_each(|it| it.since = long_ago);
        let error = operate(&path, || Ok(())).unwrap_err();
        assert_eq!((error.kind(), error.to_string().contains("has not responded")), (io::ErrorKind::TimedOut, true));
        operate(&directory.join("b"), || Ok(())).expect("that is another file");
        drop(end);
        thread.join().unwrap().unwrap();
        operate(&path, || Ok(())).expect("it responds again");
    }

    #[test]
    fn a_directory_in_which_much_is_stuck_is_not_tried_again() {
        let directory = Path::new("/mount-without-a-server-2");
        let registered: Vec<_> = (0..STUCK_IN_ONE_DIRECTORY)
            .map(|number| {
                let path = directory.join(number.to_string());
                thread::spawn(move || Registered::begin(&path)).join().unwrap()
            })
            .collect();
        operate(&directory.join("other"), || Ok(())).unwrap();
        let long_ago = Instant::now().checked_sub(UNRESPONSIVE_AFTER).unwrap();
        for number in &registered {
            operations().pending.get_mut(&number.0).unwrap().since = long_ago;
        }
        assert!(operate(&directory.join("other"), || Ok(())).is_err());
        operate(Path::new("/elsewhere/other"), || Ok(())).unwrap();
        drop(registered);
        operate(&directory.join("other"), || Ok(())).unwrap();
    }

    #[test]
    fn work_made_of_many_operations_counts_from_the_last_of_them() {
        operate(Path::new("/many"), || {
            let this = thread::current().id();
            let long_ago = Instant::now().checked_sub(UNRESPONSIVE_AFTER).unwrap();
            operations().pending.values_mut().filter(|it| it.thread == this).for_each(|it| it.since = long_ago);
            assert!(unresponsive(this, UNRESPONSIVE_AFTER).is_some());
            operate(Path::new("/many/one"), || Ok(()))?;
            assert_eq!(unresponsive(this, UNRESPONSIVE_AFTER), None);
            Ok(())
        })
        .unwrap();
    }
}
