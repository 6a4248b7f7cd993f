//! Response rate limiting over UDP, where source addresses can be forged (the design of Knot DNS
//! 3.4, mod-rrl).
//!
//! One table counts responses by address and by the networks around it (`sources`, `table`). All
//! workers share it, so a source has one limit regardless of which workers its packets reach.
//! `report` logs the source that is probably the worst.

mod report;
mod sources;
mod table;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use self::report::{Inlet, Reports};
use self::sources::{Charge, Limits, Sources};
use crate::answer::Timestamp;
use crate::requestor::Requestor;
use crate::stats::Meters;

/// 4 MiB of counters.
const CELLS: usize = 1 << 19;
/// 64 KiB. Clients over TCP are real, so they are few.
const TCP_CELLS: usize = 1 << 13;
/// The longest time that one use over TCP counts for. A thread that has to wait for its turn on a
/// busy machine takes longer, for which its client is not to blame.
const LONGEST_USE: Duration = Duration::from_micros(500);

/// Settings for response rate limiting.
#[derive(Clone, Debug)]
pub struct RateLimitSettings {
    /// Responses per second to one address in the long run.
    pub rate: u32,
    /// Responses at once to one address.
    pub instant: u32,
    /// One in `slip` responses over the limit is truncated, the others are not sent. 0 sends none.
    pub slip: u32,
    /// Whether all responses are sent and only counted.
    pub dry_run: bool,
    /// Networks without a limit.
    pub allow: Vec<IpNet>,
    /// How much of the server's time per second one address can use over TCP, and how much at once.
    /// Zero sets no limit.
    pub tcp_time: Duration,
}

/// Response rate limiting, shared by all workers.
#[derive(Clone)]
pub struct RateLimit(Arc<Shared>);

struct Shared {
    settings: RateLimitSettings,
    sources: Sources<CELLS>,
    /// Microseconds used over TCP, if they are limited.
    tcp_sources: Option<Sources<TCP_CELLS>>,
    reports: Reports,
}

/// The part of one worker.
pub(super) struct RateLimiter {
    shared: Arc<Shared>,
    /// The time of the last packet, and what a response counts then.
    now: (Timestamp, Charge),
    /// Responses over the limit.
    over: u32,
    inlet: Inlet,
}

/// What happens to a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LimitAction {
    /// It is within the limit.
    Send,
    /// It is sent without records and with the TC bit: the client can repeat the query over TCP.
    Truncate,
    /// It is not sent.
    Drop,
    /// It is over the limit, but sent, because rate limiting only counts.
    DryRun,
}

/// Whether a source may use more time over TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeLeft {
    Some,
    /// It has used all its time.
    None,
    /// It has used all its time, but rate limiting only counts.
    DryRun,
}

impl Shared {
    /// A flood cannot come from loopback, and a lab or a proxy on this machine uses it.
    #[inline(always)]
    fn is_exempt(&self, address: &IpAddr) -> bool {
        address.is_loopback() || self.settings.allow.iter().any(|network| network.contains(address))
    }
}

impl RateLimit {
    /// Counters with secret hash keys.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn new(settings: RateLimitSettings) -> Result<RateLimit, ring::error::Unspecified> {
        let sources = Sources::new(Limits { rate: settings.rate, instant: settings.instant })?;
        let tcp_us = u32::try_from(settings.tcp_time.as_micros()).unwrap_or(u32::MAX);
        let tcp_sources = (tcp_us > 0).then(|| Sources::new(Limits { rate: tcp_us, instant: tcp_us })).transpose()?;
        Ok(RateLimit(Arc::new(Shared { settings, sources, tcp_sources, reports: Reports::default() })))
    }

    /// The part of another worker.
    pub(super) fn worker(&self) -> RateLimiter {
        let (shared, inlet) = (Arc::clone(&self.0), self.0.reports.inlet());
        let at = Timestamp::default();
        RateLimiter { now: (at, shared.sources.price(1.0, at)), shared, over: 0, inlet }
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
    pub(super) fn limit_action(&mut self, requestor: &Requestor, at: Timestamp) -> LimitAction {
        let (address, shared) = (&requestor.address(), &*self.shared);
        if shared.is_exempt(address) {
            return LimitAction::Send;
        }
        // All packets of a batch have the same time.
        if at != self.now.0 {
            self.now = (at, shared.sources.price(1.0, at));
        }
        match shared.sources.count(address, &self.now.1) {
            Ok(()) => LimitAction::Send,
            Err(over) => self.over_the_limit(over.network(*address)),
        }
    }

    /// Counts time that `requestor` has used over TCP. If it has used all its time, it should be
    /// disconnected.
    pub(super) fn use_time(&self, requestor: &Requestor, used: Duration, at: Timestamp) -> TimeLeft {
        let shared = &*self.shared;
        let Some(sources) = shared.tcp_sources.as_ref().filter(|_| !shared.is_exempt(&requestor.address())) else {
            return TimeLeft::Some;
        };
        let microseconds = used.min(LONGEST_USE).as_secs_f64() * 1e6;
        match sources.count(&requestor.address(), &sources.price(microseconds, at)) {
            Ok(()) => TimeLeft::Some,
            Err(_) if shared.settings.dry_run => TimeLeft::DryRun,
            Err(_) => TimeLeft::None,
        }
    }

    #[cold]
    fn over_the_limit(&mut self, network: IpNet) -> LimitAction {
        self.inlet.report(network);
        let RateLimitSettings { slip, dry_run, .. } = self.shared.settings;
        self.over = self.over.wrapping_add(1);
        match slip {
            _ if dry_run => LimitAction::DryRun,
            1.. if self.over.is_multiple_of(slip) => LimitAction::Truncate,
            _ => LimitAction::Drop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requestor::Transport;

    fn settings() -> RateLimitSettings {
        RateLimitSettings {
            rate: 10,
            instant: 10,
            slip: 1,
            dry_run: false,
            allow: Vec::new(),
            tcp_time: Duration::from_millis(5),
        }
    }

    /// The actions for `packets` packets from this address at one moment.
    fn actions(settings: RateLimitSettings, address: &str, packets: usize) -> Vec<LimitAction> {
        let mut limiter = RateLimit::new(settings).unwrap().worker();
        let requestor = Requestor::at(address.parse().unwrap());
        (0..packets).map(|_| limiter.limit_action(&requestor, Timestamp::default())).collect()
    }

    #[test]
    fn slip_says_how_many_are_truncated_and_the_others_are_dropped() {
        for (slip, truncated) in [(1, 60), (2, 30), (3, 20), (0, 0)] {
            let actions = actions(RateLimitSettings { slip, ..settings() }, "192.0.2.1", 70);
            assert_eq!(actions[..10], [LimitAction::Send; 10]);
            let count = |wanted| actions.iter().filter(|action| **action == wanted).count();
            assert_eq!((count(LimitAction::Truncate), count(LimitAction::Drop)), (truncated, 60 - truncated));
        }
    }

    #[test]
    fn a_dry_run_sends_everything() {
        let actions = actions(RateLimitSettings { dry_run: true, ..settings() }, "192.0.2.1", 70);
        assert_eq!(actions, [[LimitAction::Send; 10].as_slice(), &[LimitAction::DryRun; 60]].concat());
    }

    #[test]
    fn a_source_has_so_much_time_a_second_over_tcp() {
        let allow = vec!["198.51.100.0/24".parse().unwrap()];
        let limiter = RateLimit::new(RateLimitSettings { allow, ..settings() }).unwrap().worker();
        let use_time = |address: &str, used: u64, second: u64| {
            let requestor = Requestor::new(format!("{address}:4242").parse().unwrap(), Transport::Tcp);
            limiter.use_time(&requestor, Duration::from_micros(used), Timestamp(Duration::from_secs(second)))
        };
        let uses = |address, second| (0..1000).take_while(|_| use_time(address, 25, second) == TimeLeft::Some).count();
        assert_eq!(uses("192.0.2.1", 1000), 200);
        assert_eq!(uses("192.0.2.2", 1000), 200);
        assert_eq!((uses("127.0.0.1", 1000), uses("198.51.100.1", 1000)), (1000, 1000));
        // After a second 1/e of the time is still used.
        assert!((120..=130).contains(&uses("192.0.2.1", 1001)));
        assert_eq!(uses("192.0.2.1", 1020), 200);
        // A thread that had to wait is not the client's fault.
        assert_eq!(use_time("192.0.2.3", 1_000_000, 1000), TimeLeft::Some);
        let unlimited = RateLimitSettings { tcp_time: Duration::ZERO, ..settings() };
        assert!(RateLimit::new(unlimited).unwrap().0.tcp_sources.is_none());
        let dry_run = RateLimit::new(RateLimitSettings { dry_run: true, ..settings() }).unwrap().worker();
        let requestor = Requestor::at("192.0.2.1".parse().unwrap());
        let last = (0..100).map(|_| dry_run.use_time(&requestor, LONGEST_USE, Timestamp::default())).last();
        assert_eq!(last, Some(TimeLeft::DryRun));
    }

    #[test]
    fn loopback_and_allowed_networks_have_no_limit() {
        let allow = vec!["192.0.2.0/24".parse().unwrap()];
        for (address, limited) in
            [("127.0.0.1", 0), ("127.9.9.9", 0), ("::1", 0), ("192.0.2.1", 0), ("192.0.3.1", 60), ("2001:db8::1", 60)]
        {
            let actions = actions(RateLimitSettings { allow: allow.clone(), ..settings() }, address, 70);
            let over = actions.iter().filter(|action| **action != LimitAction::Send).count();
            assert_eq!(over, limited, "{address}");
        }
    }
}
