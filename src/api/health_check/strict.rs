//! What Route 53 refuses in a health check and this server does not need to.

use std::net::IpAddr;

use ipnet::IpNet;

use super::config::{ConfigMembers, HealthCheckConfig, MAX_REQUEST_INTERVAL, MIN_REQUEST_INTERVAL, forbidden};
use super::update::Update;
use crate::api::errors::ApiError;
use crate::model::{StrictRule, StrictRules};

/// The request intervals of Route 53, in seconds (API RequestInterval).
const REQUEST_INTERVALS: [u8; 2] = [MIN_REQUEST_INTERVAL, MAX_REQUEST_INTERVAL];

/// The "local, private, non-routable, or multicast ranges" (API HealthCheckConfig, IPAddress), as
/// the RFCs have them that it names: 5735, 6598 and 5156. 6to4 and Teredo are not among them,
/// because these networks can be routed.
const FORBIDDEN: [&str; 23] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    // The unspecified address, loopback, and IPv4-compatible addresses.
    "::/96",
    "::ffff:0:0/96",
    "2001:10::/28",
    "2001:db8::/32",
    "3ffe::/16",
    "5f00::/8",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];

impl HealthCheckConfig {
    /// The error for what these rules forbid.
    pub(in crate::api) fn check_strictly(&self, rules: StrictRules) -> Result<(), ApiError> {
        check(&self.members, rules)
    }
}

impl Update {
    /// The error for what these rules forbid. What an update leaves as it is can be anything.
    pub(in crate::api) fn check_strictly(&self, rules: StrictRules) -> Result<(), ApiError> {
        check(&self.given, rules)
    }
}

fn check(members: &ConfigMembers, rules: StrictRules) -> Result<(), ApiError> {
    if let Some(address) = members.ip_address.filter(|_| rules.contains(StrictRule::HealthCheckAddresses))
        && is_forbidden(address)
    {
        return Err(forbidden(address));
    }
    let interval = members.request_interval.filter(|_| rules.contains(StrictRule::RequestIntervals));
    match interval {
        Some(seconds) if !REQUEST_INTERVALS.contains(&seconds) => Err(ApiError::invalid_input(format!(
            "Invalid parameter : The request interval must be 10 or 30 seconds, not {seconds}"
        ))),
        _ => Ok(()),
    }
}

fn is_forbidden(address: IpAddr) -> bool {
    let networks = FORBIDDEN.iter().map(|network| network.parse::<IpNet>().expect("these are networks"));
    networks.into_iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_route_53_cannot_reach_are_forbidden() {
        let is_forbidden = |address: &str| is_forbidden(address.parse().unwrap());
        for address in [
            "0.1.2.3",
            "10.1.2.3",
            "100.127.0.1",
            "127.0.53.11",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.2.44",
            "192.168.1.1",
            "239.1.1.1",
            "255.255.255.255",
            "::1",
            "::ffff:8.8.8.8",
            "2001:db8:85a3::1",
            "fd00::1",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(is_forbidden(address), "{address}");
        }
        for address in
            ["1.2.3.4", "172.32.0.1", "100.128.0.1", "192.0.1.1", "2600::1", "2002:808:808::1", "1234:5678::4"]
        {
            assert!(!is_forbidden(address), "{address}");
        }
    }
}
