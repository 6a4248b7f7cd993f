//! `[rate_limit]`: how many responses over UDP one source gets.

use std::time::Duration;

use ipnet::IpNet;

use super::document::Diagnostics;
use super::table::Table;
use super::value::{self, bounded};

/// `[rate_limit]`
#[derive(Clone, Debug, PartialEq)]
pub struct RateLimitSettings {
    /// Whether responses are limited.
    pub enabled: bool,
    /// Responses per second to one address in the long run. Networks have multiples.
    pub rate: u32,
    /// Responses at once to one address.
    pub instant: u32,
    /// One in `slip` responses over the limit is truncated, the others are not sent. 0 sends none.
    pub slip: u32,
    /// Whether responses over the limit are only counted.
    pub dry_run: bool,
    /// Networks without a limit.
    pub allow: Vec<IpNet>,
    /// The server's time per second that one address can use over TCP. Zero sets no limit.
    pub tcp_time: Duration,
}

impl Default for RateLimitSettings {
    /// A limit that one resolver in front of a lab does not reach.
    fn default() -> RateLimitSettings {
        RateLimitSettings {
            enabled: true,
            rate: 200,
            instant: 500,
            slip: 1,
            dry_run: false,
            allow: Vec::new(),
            tcp_time: Duration::from_millis(5),
        }
    }
}

pub(super) fn read_rate_limit(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> RateLimitSettings {
    let default = RateLimitSettings::default();
    let mut number = |key: &str, default: u32| {
        table.integer(key, diagnostics).and_then(|number| u32::try_from(number.value).ok()).unwrap_or(default)
    };
    let (rate, instant, slip) =
        (number("rate", default.rate), number("instant", default.instant), number("slip", default.slip));
    let mut is = |key: &str, default: bool| table.boolean(key, diagnostics).map_or(default, |boolean| boolean.value);
    let (enabled, dry_run) = (is("enabled", default.enabled), is("dry_run", default.dry_run));
    let allow = bounded(table, "allow", "network", diagnostics, value::network);
    let tcp_time = table.duration("tcp_time", diagnostics).map_or(default.tcp_time, |time| time.value);
    RateLimitSettings { enabled, rate, instant, slip, dry_run, allow, tcp_time }
}
