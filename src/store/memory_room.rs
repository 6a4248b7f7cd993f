//! How much memory is available for loading, and how much a load needs. A load that does not fit is
//! refused before it begins, because a process that runs out of memory is killed and answers
//! nothing.
//!
//! The available memory is the least that `RLIMIT_AS` and the memory limits of the control groups
//! leave. Without a limit nothing is refused.
//!
//! The factors were measured with `fiftythree serve` and zones of 100 000 and more records, as the
//! growth of the resident set divided by the size of the file (docs/performance.md, "Memory while
//! zones load").

use std::fs;
use std::path::Path;
use std::thread;

/// Per byte of each file, until the load ends: the source and its compiled form.
const HELD: u64 = 15;
/// In addition, per byte of the files being read, one on each core: tokens, trees, records.
const IN_WORK: u64 = 12;
/// Per byte, if there is an error: all files are read together, twice, with the error-tolerant
/// parser.
const WITH_ERRORS: u64 = 48;

/// The memory for one load.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryRoom {
    /// Available bytes; `None` without a limit.
    available: Option<u64>,
    /// The total size of all admitted files.
    files: u64,
    /// The sizes of the largest files, as many as are read at once; sorted.
    largest: Vec<u64>,
}

impl MemoryRoom {
    /// The memory available now.
    pub(crate) fn now() -> MemoryRoom {
        MemoryRoom::of(available())
    }

    /// Without a limit, for commands that do not serve.
    pub(crate) fn unlimited() -> MemoryRoom {
        MemoryRoom::default()
    }

    /// This many bytes; `None` without a limit.
    pub(crate) fn of(available: Option<u64>) -> MemoryRoom {
        MemoryRoom { available, files: 0, largest: Vec::new() }
    }

    /// Admits a file of this size, in bytes, if it fits together with the others.
    ///
    /// # Errors A message with the memory that would be needed.
    pub(crate) fn admit(&mut self, bytes: u64) -> Result<(), String> {
        let Some(available) = self.available else { return Ok(()) };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let mut largest = self.largest.clone();
        largest.insert(largest.partition_point(|&other| other >= bytes), bytes);
        largest.truncate(cores);
        let files = self.files.saturating_add(bytes);
        let needed = files.saturating_mul(HELD).saturating_add(largest.iter().sum::<u64>().saturating_mul(IN_WORK));
        fits(needed, available)?;
        (self.files, self.largest) = (files, largest);
        Ok(())
    }

    /// Whether files of this total size, in bytes, can be read together to report their errors.
    ///
    /// # Errors A message with the memory that would be needed.
    pub(crate) fn admit_with_errors(&self, bytes: u64) -> Result<(), String> {
        self.available.map_or(Ok(()), |available| fits(bytes.saturating_mul(WITH_ERRORS), available))
    }
}

fn fits(needed: u64, available: u64) -> Result<(), String> {
    if needed <= available {
        return Ok(());
    }
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    Err(format!("loading needs about {} MiB of memory and the limit leaves {} MiB", mib(needed), mib(available)))
}

/// The memory that the limits leave.
#[cfg(target_os = "linux")]
fn available() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let of_groups = left_by_groups(&groups, Path::new("/sys/fs/cgroup"));
    of_groups.into_iter().chain(left_of_address_space()).min()
}

#[cfg(not(target_os = "linux"))]
fn available() -> Option<u64> {
    None
}

#[cfg(target_os = "linux")]
fn left_of_address_space() -> Option<u64> {
    use rustix::process::{Resource, getrlimit};
    let limit = getrlimit(Resource::As).current?;
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
    let kibibytes: u64 = size.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(limit.saturating_sub(kibibytes * 1024))
}

/// The memory that the control group of this process and its ancestors leave. In a container the
/// path may be the host's and not exist; the root is then the container's own group.
fn left_by_groups(proc_self_cgroup: &str, mount: &Path) -> Option<u64> {
    let group = |line: &str| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        match controllers {
            "" => Some((mount.to_path_buf(), path.to_owned(), &V2)),
            _ if controllers.split(',').any(|name| name == "memory") => {
                Some((mount.join("memory"), path.to_owned(), &V1))
            }
            _ => None,
        }
    };
    let left = |(root, path, files): (std::path::PathBuf, String, &Files)| {
        let own = root.join(path.trim_start_matches('/'));
        own.ancestors().take_while(|group| group.starts_with(&root)).filter_map(|group| files.left(group)).min()
    };
    proc_self_cgroup.lines().filter_map(group).filter_map(left).min()
}

/// The file names of a version of control groups.
struct Files {
    limit: &'static str,
    usage: &'static str,
    /// The key in `memory.stat` of the file pages that the kernel reclaims first.
    reclaimable: &'static str,
}

const V2: Files = Files { limit: "memory.max", usage: "memory.current", reclaimable: "inactive_file" };
const V1: Files =
    Files { limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes", reclaimable: "total_inactive_file" };

impl Files {
    fn left(&self, group: &Path) -> Option<u64> {
        let read = |name: &str| fs::read_to_string(group.join(name)).ok();
        // Version 2 writes `max` for no limit; version 1 writes a number larger than any real
        // memory.
        let limit: u64 = read(self.limit)?.trim().parse().ok()?;
        let usage: u64 = read(self.usage)?.trim().parse().ok()?;
        let stat = read("memory.stat").unwrap_or_default();
        let reclaimable = stat.lines().find_map(|line| line.strip_prefix(self.reclaimable)?.trim().parse().ok());
        Some(limit.saturating_sub(usage.saturating_sub(reclaimable.unwrap_or(0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn group(root: &Path, path: &str, files: &Files, limit: &str, usage: u64, reclaimable: u64) {
        let group = root.join(path);
        fs::create_dir_all(&group).unwrap();
        fs::write(group.join(files.limit), format!("{limit}\n")).unwrap();
        fs::write(group.join(files.usage), format!("{usage}\n")).unwrap();
        fs::write(group.join("memory.stat"), format!("anon 1\n{} {reclaimable}\n", files.reclaimable)).unwrap();
    }

    #[test]
    fn the_tightest_group_counts_in_both_versions() {
        let v2 = tempfile::tempdir().unwrap();
        group(v2.path(), "system.slice", &V2, "500", 400, 100);
        group(v2.path(), "system.slice/dns", &V2, "max", 100, 0);
        assert_eq!(left_by_groups("0::/system.slice/dns\n", v2.path()), Some(200));
        group(v2.path(), "system.slice/dns", &V2, "150", 100, 20);
        assert_eq!(left_by_groups("0::/system.slice/dns\n", v2.path()), Some(70));
        // In a container: the group is the root, or its path is that of the host.
        group(v2.path(), "", &V2, "1000", 400, 0);
        assert_eq!(left_by_groups("0::/\n", v2.path()), Some(600));
        assert_eq!(left_by_groups("0::/kubepods/pod1/c1\n", v2.path()), Some(600));
        let v1 = tempfile::tempdir().unwrap();
        group(v1.path(), "memory/docker", &V1, "9223372036854771712", 100, 0);
        group(v1.path(), "memory/docker/c1", &V1, "1000", 700, 300);
        let groups = "5:cpu,cpuacct:/docker/c1\n4:memory:/docker/c1\n0::/\n";
        assert_eq!(left_by_groups(groups, v1.path()), Some(600));
        // More is in use than allowed, for example after the limit was lowered.
        group(v1.path(), "memory/docker/c1", &V1, "100", 700, 0);
        assert_eq!(left_by_groups(groups, v1.path()), Some(0));
    }

    #[test]
    fn without_a_limit_nothing_is_refused() {
        let nothing = tempfile::tempdir().unwrap();
        assert_eq!(left_by_groups("0::/\n", nothing.path()), None);
        assert_eq!(left_by_groups("", nothing.path()), None);
        assert!(MemoryRoom::of(None).admit(u64::MAX).is_ok());
        assert!(MemoryRoom::of(None).admit_with_errors(u64::MAX).is_ok());
        assert!(MemoryRoom::unlimited().admit(u64::MAX).is_ok());
    }

    #[test]
    fn files_are_admitted_while_they_fit_together() {
        let mut room = MemoryRoom::of(Some(200 * MIB));
        room.admit(2 * MIB).unwrap();
        let error = room.admit(50 * MIB).unwrap_err();
        assert!(error.contains("MiB of memory and the limit leaves 200 MiB"), "{error}");
        // A refused file takes no memory from the others.
        room.admit(MIB).unwrap();
        let more = (0..100).take_while(|_| room.admit(MIB).is_ok()).count();
        assert!((1..10).contains(&more), "{more}");
        assert!(MemoryRoom::of(Some(0)).admit(1).is_err());
        assert!(MemoryRoom::of(Some(u64::MAX)).admit(u64::MAX).is_ok());
    }

    #[test]
    fn faults_take_more() {
        let room = MemoryRoom::of(Some(100 * MIB));
        assert!(room.admit_with_errors(2 * MIB).is_ok() && room.admit_with_errors(3 * MIB).is_err());
    }
}
