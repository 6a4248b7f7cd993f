//! Open files: the limit of this process, and the share of each part of the server.
//!
//! ```text
//!  limit ──┬── fixed:   as many as there are   listening sockets, threads, log, state directory
//!          ├── reserve: 1/16, at most 64       loading, so that edits are loaded at any load
//!          ├── admin:   1/16, at most 128      HTTP connections
//!          ├── TCP:     1/3 of the rest, ≤ 512 DNS connections
//!          └── probes:  the rest, ≤ 10 000     concurrent probes and evaluations of health checks
//! ```

use crate::admin;

/// Event loops, the log, the health journal, the lock of the state directory, the watcher, dnstap,
/// the webhook, and 34 for name resolution (18 over UDP, 16 over TCP): about 60 at most.
const FIXED: u64 = 64;
const MOST_FOR_LOADING: u64 = 64;
const MOST_ADMIN: u64 = admin::CONNECTIONS as u64;
/// Each connection holds up to 200 KiB of memory for a client that does not read.
const MOST_TCP: u64 = 512;
/// More are of no use: 20 000 checks every 10 s with responses within a second are 2000 at once.
const MOST_PROBES: u64 = 10_000;
/// The smallest share, so that no part is disabled.
const LEAST: u64 = 4;

/// The number of files that each part of the server may have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileShares {
    /// Reserved for loading.
    pub(super) reserve: u64,
    /// Connections to the admin side.
    pub(super) admin: usize,
    /// DNS connections over TCP.
    pub(super) tcp: usize,
    /// Concurrent probes.
    pub(super) probes: usize,
}

impl FileShares {
    /// Divides a limit of open files; `listeners` is the number of listening sockets, including the
    /// connections of lab backends.
    pub(super) fn of(limit: u64, listeners: u64) -> FileShares {
        let free = limit.saturating_sub(FIXED + listeners);
        let reserve = (free / 16).clamp(LEAST, MOST_FOR_LOADING);
        let admin = (free / 16).clamp(LEAST, MOST_ADMIN);
        let free = free.saturating_sub(reserve + admin);
        let tcp = (free / 3).clamp(LEAST, MOST_TCP);
        let probes = free.saturating_sub(tcp).clamp(LEAST, MOST_PROBES);
        FileShares { reserve, admin: small(admin), tcp: small(tcp), probes: small(probes) }
    }
}

/// A limit that gives every part its maximum.
fn enough(listeners: u64) -> u64 {
    FIXED + listeners + MOST_FOR_LOADING + MOST_ADMIN + MOST_TCP + MOST_PROBES
}

/// No share is larger than `MOST_PROBES`.
fn small(share: u64) -> usize {
    usize::try_from(share).unwrap_or(usize::MAX)
}

/// Raises the soft limit as far as needed and the hard limit allows, and divides it.
pub(super) fn claim(listeners: usize) -> FileShares {
    let listeners = listeners as u64;
    let limit = raise(enough(listeners));
    let shares = FileShares::of(limit, listeners);
    let FileShares { admin, tcp, probes, .. } = shares;
    if limit < enough(listeners) {
        tracing::info!(
            "the limit of {limit} open files allows {probes} probes, {tcp} TCP and {admin} admin connections at once"
        );
    }
    shares
}

/// Raises the soft limit of open files to `wanted` if it is lower, and returns the limit in force.
#[cfg(unix)]
fn raise(wanted: u64) -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let target = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    match current {
        Some(current) if current < target => {
            match setrlimit(Resource::Nofile, Rlimit { current: Some(target), maximum }) {
                Ok(()) => target,
                Err(error) => {
                    tracing::warn!("cannot raise the limit of {current} open files: {error}");
                    current
                }
            }
        }
        // `None` means no limit.
        current => current.unwrap_or(u64::MAX),
    }
}

/// On other systems sockets and files do not share a limit.
#[cfg(not(unix))]
fn raise(wanted: u64) -> u64 {
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(shares: FileShares) -> u64 {
        shares.reserve + (shares.admin + shares.tcp + shares.probes) as u64
    }

    #[test]
    fn every_limit_is_divided_and_nothing_is_promised_twice() {
        for limit in [128, 256, 512, 1024, 4096, 10_000, 65_536, 1_000_000, u64::MAX] {
            for listeners in [2, 6, 34] {
                let shares = FileShares::of(limit, listeners);
                assert!(sum(shares) + FIXED + listeners <= limit, "{limit}, {listeners}: {shares:?}");
                assert!(shares.probes >= shares.tcp, "{limit}: {shares:?}");
            }
        }
    }

    #[test]
    fn the_usual_limits() {
        let shares = |limit| {
            let FileShares { reserve, admin, tcp, probes } = FileShares::of(limit, 6);
            (reserve, admin, tcp, probes)
        };
        assert_eq!(shares(256), (11, 11, 54, 110));
        assert_eq!(shares(1024), (59, 59, 278, 558));
        assert_eq!(shares(4096), (64, 128, 512, 3322));
        assert_eq!(shares(1_000_000), (64, 128, 512, 10_000));
        assert_eq!(shares(u64::MAX), shares(enough(6)));
    }

    #[test]
    fn with_hardly_any_files_nothing_is_shut() {
        for limit in [0, 16, 64, 80] {
            let FileShares { reserve, admin, tcp, probes } = FileShares::of(limit, 6);
            assert_eq!((reserve, admin, tcp, probes), (4, 4, 4, 4), "{limit}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_soft_limit_is_raised_and_never_lowered() {
        use rustix::process::{Resource, getrlimit};
        let before = getrlimit(Resource::Nofile);
        let limit = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
        assert_eq!(raise(1), limit(before.current));
        let wanted = limit(before.current).saturating_add(1);
        assert_eq!(raise(wanted), wanted.min(limit(before.maximum)).max(limit(before.current)));
        assert!(limit(getrlimit(Resource::Nofile).current) >= limit(before.current));
    }
}
