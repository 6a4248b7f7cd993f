//! Which queries are logged. Looked at by workers: what does not pass takes no room in the ring.

use std::collections::HashSet;

use ipnet::IpNet;

use crate::config::QueryLogSettings;
use crate::tap::QueryEvent;

/// What a query must be like; an empty list asks for nothing.
#[derive(Debug, Default)]
pub(in crate::tap) struct Filter {
    sample: u32,
    /// Names on the wire, in lower case.
    zones: HashSet<Box<[u8]>>,
    /// A bit a code.
    response_codes: u32,
    types: Vec<u16>,
    clients: Vec<IpNet>,
}

impl Filter {
    pub(in crate::tap) fn new(settings: &QueryLogSettings) -> Filter {
        Filter {
            sample: settings.sample,
            zones: settings.zones.iter().map(|zone| zone.wire().into()).collect(),
            response_codes: settings.response_codes.iter().fold(0, |bits, code| bits | 1 << code.0),
            types: settings.types.iter().map(|kind| kind.0).collect(),
            clients: settings.clients.clone(),
        }
    }

    /// One in how many of those that pass is logged.
    pub(super) fn sample(&self) -> u32 {
        self.sample
    }

    /// Whether a query is one to be logged. A client is the subnet that the query names, else who asks.
    pub(super) fn passes(&self, told: &QueryEvent<'_>) -> bool {
        let client = told.subnet.map_or(told.resolver, |(address, _)| address);
        (self.response_codes == 0 || self.response_codes >> told.response_code & 1 == 1)
            && (self.types.is_empty() || self.types.contains(&told.record_type))
            && (self.zones.is_empty() || self.zones.contains(told.zone_name))
            && (self.clients.is_empty() || self.clients.iter().any(|network| network.contains(&client)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Transport;

    const LAB: &[u8] = b"\x03lab\x04test\0";

    fn told() -> QueryEvent<'static> {
        QueryEvent {
            question: b"\x03lab\x04test\0\0\x01\0\x01",
            zone_id: Some("Z1"),
            zone_name: LAB,
            record_type: 1,
            response_code: 0,
            transport: Transport::Udp,
            resolver: "192.0.2.1".parse().unwrap(),
            subnet: None,
        }
    }

    #[test]
    fn everything_passes_where_nothing_is_asked_for() {
        assert!(Filter::default().passes(&told()));
        assert!(Filter::default().passes(&QueryEvent { zone_name: &[], response_code: 16, ..told() }));
    }

    #[test]
    fn each_list_is_asked_for() {
        let clients = vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        let filter = Filter {
            sample: 1,
            zones: HashSet::from([LAB.into()]),
            response_codes: 1 << 0 | 1 << 16,
            types: vec![1, 28],
            clients,
        };
        let subnet = |text: &str| Some((text.parse().unwrap(), 32));
        assert!(filter.passes(&told()));
        assert!(filter.passes(&QueryEvent { response_code: 16, record_type: 28, ..told() }));
        assert!(filter.passes(&QueryEvent { resolver: "2001:db8::5".parse().unwrap(), ..told() }));
        assert!(filter.passes(&QueryEvent {
            resolver: "10.0.0.1".parse().unwrap(),
            subnet: subnet("192.0.2.0"),
            ..told()
        }));
        for other in [
            QueryEvent { response_code: 3, ..told() },
            QueryEvent { record_type: 15, ..told() },
            QueryEvent { zone_name: &[], ..told() },
            QueryEvent { zone_name: b"\x05other\x04test\0", ..told() },
            QueryEvent { resolver: "10.0.0.1".parse().unwrap(), ..told() },
            QueryEvent { subnet: subnet("10.0.0.0"), ..told() },
        ] {
            assert!(!filter.passes(&other), "{other:?}");
        }
    }
}
