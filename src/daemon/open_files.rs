//! Open files: how many this process may have, and how they are divided, so that nothing is promised twice.
//!
//! ```text
//!  limit ──┬── fixed:   sockets that listen, threads, the log, the state directory     (as many as there are)
//!          ├── reserve: loading, so that an edit is taken however busy the rest is     (1/16, at most 64)
//!          ├── admin:   HTTP connections                                               (1/16, at most 128)
//!          ├── TCP:     DNS connections                                                (1/3 of what is left, at most 512)
//!          └── probes:  probes and evaluations of health checks at once                (the rest, at most 10 000)
//! ```

use crate::admin;

/// Event loops, the log, the journal of health, the lock of the state directory, the watcher, dnstap, the webhook, and 34 for
/// looking names up (18 over UDP, 16 over TCP): some 60 at the very most.
const FIXED: u64 = 64;
const MOST_FOR_LOADING: u64 = 64;
const MOST_ADMIN: u64 = admin::CONNECTIONS as u64;
/// Each holds up to 200 KiB of memory for a client that does not read.
const MOST_TCP: u64 = 512;
/// More at once gain nothing: 20 000 checks every 10 s that answer within a second are 2000 at once.
const MOST_PROBES: u64 = 10_000;
/// However few there are, nothing is shut for good.
const LEAST: u64 = 4;

/// How many files each part of the server may have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileShares {
    /// What is kept free for loading.
    pub(super) reserve: u64,
    /// Connections to the admin side.
    pub(super) admin: usize,
    /// DNS connections over TCP.
    pub(super) tcp: usize,
    /// Probes at once.
    pub(super) probes: usize,
}

impl FileShares {
    /// What a limit of open files is divided into, when `listeners` sockets listen.
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

/// A limit with which every part has all that it may use.
fn enough(listeners: u64) -> u64 {
    FIXED + listeners + MOST_FOR_LOADING + MOST_ADMIN + MOST_TCP + MOST_PROBES
}

/// No share is larger than `MOST_PROBES`.
fn small(share: u64) -> usize {
    usize::try_from(share).unwrap_or(usize::MAX)
}

/// Raises the soft limit to what is of use, as far as the hard limit lets it, and divides what there is.
pub(super) fn claim(listeners: usize) -> FileShares {
    let listeners = listeners as u64;
    let limit = raise(enough(listeners));
    let shares = FileShares::of(limit, listeners);
    let FileShares { admin, tcp, probes, .. } = shares;
    if limit < enough(listeners) {
        tracing::info!(
            "{limit} open files are allowed: at most {probes} probes, {tcp} TCP and {admin} admin connections at once"
        );
    }
    shares
}

/// The soft limit of open files after it was raised to `wanted`, if it was lower.
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
                    tracing::warn!("the limit of open files stays {current}: {error}");
                    current
                }
            }
        }
        // None stands for no limit.
        current => current.unwrap_or(u64::MAX),
    }
}

/// Elsewhere sockets and files are not counted together.
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
