//! Response rate limiting over UDP, where source addresses can be forged (the design of Knot DNS
//! 3.4, mod-rrl).
//!
//! One table counts responses by address and by the networks around it (`sources`, `table`). All
//! workers share it, so a source has one limit regardless of which workers its packets reach.
//! `report` logs the source that is probably the worst.

mod report;
mod sources;
mod table;

use std::sync::Arc;

use ipnet::IpNet;

use self::report::{Inlet, Reports};
use self::sources::{Limits, Sources};
use self::table::Tick;
use crate::answer::Timestamp;
use crate::requestor::Requestor;
use crate::stats::Meters;

/// 4 MiB of counters.
const BUCKETS: usize = 1 << 17;

/// Settings for response rate limiting.
#[derive(Clone, Debug)]
pub struct RateLimitSettings {
    /// Responses per second to one address in the long run.
    pub rate: u32,
    /// Responses at once to one address.
    pub instant: u32,
    /// One in so many responses over the limit is truncated, the others are not sent. 0 sends none.
    pub slip: u32,
    /// Whether all responses are sent and only counted.
    pub dry_run: bool,
    /// Networks without a limit.
    pub allow: Vec<IpNet>,
}

/// Response rate limiting, shared by all workers.
#[derive(Clone)]
pub struct RateLimit(Arc<Shared>);

struct Shared {
    settings: RateLimitSettings,
    sources: Sources<BUCKETS>,
    reports: Reports,
}

/// The part of one worker.
pub(super) struct RateLimiter {
    shared: Arc<Shared>,
    /// The time of the last packet, and its tick.
    now: (Timestamp, Tick),
    /// Responses over the limit.
    over: u32,
    inlet: Inlet,
}

/// What happens to a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is within the limit.
    Send,
    /// It is sent without records and with the TC bit: the client can repeat the query over TCP.
    Truncate,
    /// It is not sent.
    Drop,
    /// It is over the limit, but sent, because rate limiting only counts.
    DryRun,
}

impl RateLimit {
    /// Counters with secret hash keys.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn new(settings: RateLimitSettings) -> Result<RateLimit, ring::error::Unspecified> {
        let sources = Sources::new(Limits { rate: settings.rate, instant: settings.instant })?;
        Ok(RateLimit(Arc::new(Shared { settings, sources, reports: Reports::default() })))
    }

    /// The part of another worker.
    pub(super) fn worker(&self) -> RateLimiter {
        let inlet = self.0.reports.inlet();
        RateLimiter { shared: Arc::clone(&self.0), now: (Timestamp::default(), Tick::default()), over: 0, inlet }
    }

    /// Logs at most every 30 seconds how many responses were over the limit and which source is
    /// probably the worst. Runs until it is dropped.
    pub async fn report(self, meters: Arc<Meters>) {
        self.0.reports.run(&meters, self.0.settings.dry_run).await;
    }
}

impl std::fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RateLimit").field(&self.0.settings).finish()
    }
}

impl RateLimiter {
    /// Counts a response to `requestor` and says what happens to it.
    #[inline(always)]
    pub(super) fn verdict(&mut self, requestor: &Requestor, at: Timestamp) -> Verdict {
        let (address, shared) = (requestor.address(), &*self.shared);
        // A flood cannot come from loopback, and a lab or a proxy on this machine uses it.
        if address.is_loopback() || shared.settings.allow.iter().any(|network| network.contains(&address)) {
            return Verdict::Send;
        }
        // All packets of a batch have the same time.
        if at != self.now.0 {
            self.now = (at, shared.sources.table().tick(at));
        }
        match shared.sources.charge(address, 1, self.now.1) {
            Ok(()) => Verdict::Send,
            Err(network) => self.over_the_limit(network),
        }
    }

    #[cold]
    fn over_the_limit(&mut self, network: IpNet) -> Verdict {
        self.inlet.report(network);
        let RateLimitSettings { slip, dry_run, .. } = self.shared.settings;
        self.over = self.over.wrapping_add(1);
        match slip {
            _ if dry_run => Verdict::DryRun,
            1.. if self.over.is_multiple_of(slip) => Verdict::Truncate,
            _ => Verdict::Drop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> RateLimitSettings {
        RateLimitSettings { rate: 10, instant: 10, slip: 1, dry_run: false, allow: Vec::new() }
    }

    /// The verdicts about `packets` packets from this address at one moment.
    fn verdicts(settings: RateLimitSettings, address: &str, packets: usize) -> Vec<Verdict> {
        let mut limiter = RateLimit::new(settings).unwrap().worker();
        let requestor = Requestor::at(address.parse().unwrap());
        (0..packets).map(|_| limiter.verdict(&requestor, Timestamp::default())).collect()
    }

    #[test]
    fn slip_says_how_many_are_truncated_and_the_others_are_dropped() {
        for (slip, truncated) in [(1, 60), (2, 30), (3, 20), (0, 0)] {
            let verdicts = verdicts(RateLimitSettings { slip, ..settings() }, "192.0.2.1", 70);
            assert_eq!(verdicts[..10], [Verdict::Send; 10]);
            let count = |wanted| verdicts.iter().filter(|verdict| **verdict == wanted).count();
            assert_eq!((count(Verdict::Truncate), count(Verdict::Drop)), (truncated, 60 - truncated));
        }
    }

    #[test]
    fn a_dry_run_sends_everything() {
        let verdicts = verdicts(RateLimitSettings { dry_run: true, ..settings() }, "192.0.2.1", 70);
        assert_eq!(verdicts, [[Verdict::Send; 10].as_slice(), &[Verdict::DryRun; 60]].concat());
    }

    #[test]
    fn loopback_and_allowed_networks_have_no_limit() {
        let allow = vec!["192.0.2.0/24".parse().unwrap()];
        for (address, limited) in
            [("127.0.0.1", 0), ("127.9.9.9", 0), ("::1", 0), ("192.0.2.1", 0), ("192.0.3.1", 60), ("2001:db8::1", 60)]
        {
            let verdicts = verdicts(RateLimitSettings { allow: allow.clone(), ..settings() }, address, 70);
            let over = verdicts.iter().filter(|verdict| **verdict != Verdict::Send).count();
            assert_eq!(over, limited, "{address}");
        }
    }
}
