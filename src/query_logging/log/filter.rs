//! Selects the queries to log. Workers apply the filter, so other queries take no space in the
//! ring.

use std::collections::HashSet;

use ipnet::IpNet;

use crate::config::QueryLogSettings;
use crate::model::QueryType;
use crate::query_logging::QueryEvent;

/// The conditions. An empty list matches every query, except that of zones.
#[derive(Debug, Default)]
pub(in crate::query_logging) struct Filter {
    sample: u32,
    /// Names in wire format, in lower case; `None` for every query.
    zones: Option<HashSet<Box<[u8]>>>,
    /// One bit per response code.
    response_codes: u32,
    types: Vec<QueryType>,
    clients: Vec<IpNet>,
}

impl Filter {
    pub(in crate::query_logging) fn new(settings: &QueryLogSettings) -> Filter {
        Filter {
            sample: settings.sample,
            zones: settings.zones.as_ref().map(|zones| zones.iter().map(|zone| zone.wire().into()).collect()),
            response_codes: settings.response_codes.iter().fold(0, |bits, code| bits | 1 << code.0),
            types: settings.types.clone(),
            clients: settings.clients.clone(),
        }
    }

    /// One in this many matching queries is logged.
    pub(super) fn sample(&self) -> u32 {
        self.sample
    }

    /// Whether to log a query. Its client is the client subnet, or else the source address.
    pub(super) fn passes(&self, event: &QueryEvent<'_>) -> bool {
        let client = event.subnet.map_or(event.requestor.address(), |(address, _)| address);
        (self.response_codes == 0 || self.response_codes >> event.response_code & 1 == 1)
            && (self.types.is_empty() || self.types.contains(&event.qtype))
            && self.zones.as_ref().is_none_or(|zones| event.has_logging_config || zones.contains(event.zone_name))
            && (self.clients.is_empty() || self.clients.iter().any(|network| network.contains(&client)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PrefixLength;
    use crate::requestor::Requestor;

    const LAB: &[u8] = b"\x03lab\x04test\0";

    fn requestor(address: &str) -> Requestor {
        Requestor::at(address.parse().unwrap())
    }

    fn event() -> QueryEvent<'static> {
        QueryEvent {
            question: b"\x03lab\x04test\0\0\x01\0\x01",
            zone_id: Some("Z1"),
            zone_name: LAB,
            has_logging_config: false,
            qtype: QueryType(1),
            response_code: 0,
            requestor: requestor("192.0.2.1"),
            subnet: None,
        }
    }

    #[test]
    fn everything_passes_where_nothing_is_asked_for() {
        assert!(Filter::default().passes(&event()));
        assert!(Filter::default().passes(&QueryEvent { zone_name: &[], response_code: 16, ..event() }));
    }

    #[test]
    fn a_zone_with_a_query_logging_configuration_is_logged_besides_those_of_the_list() {
        let with = |zones: &[&[u8]]| {
            let zones = zones.iter().map(|zone| Box::from(*zone)).collect();
            Filter { zones: Some(zones), ..Filter::default() }
        };
        let other = QueryEvent { zone_name: b"\x05other\x04test\0", ..event() };
        assert!(with(&[LAB]).passes(&event()) && !with(&[LAB]).passes(&other) && !with(&[]).passes(&event()));
        let configured = QueryEvent { has_logging_config: true, ..other };
        assert!(with(&[LAB]).passes(&configured) && with(&[]).passes(&configured));
    }

    #[test]
    fn each_list_is_asked_for() {
        let clients = vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        let filter = Filter {
            sample: 1,
            zones: Some(HashSet::from([LAB.into()])),
            response_codes: 1 << 0 | 1 << 16,
            types: vec![QueryType(1), QueryType(28)],
            clients,
        };
        let subnet = |text: &str| Some((text.parse().unwrap(), PrefixLength(32)));
        assert!(filter.passes(&event()));
        assert!(filter.passes(&QueryEvent { response_code: 16, qtype: QueryType(28), ..event() }));
        assert!(filter.passes(&QueryEvent { requestor: requestor("2001:db8::5"), ..event() }));
        assert!(filter.passes(&QueryEvent {
            requestor: requestor("10.0.0.1"),
            subnet: subnet("192.0.2.0"),
            ..event()
        }));
        for other in [
            QueryEvent { response_code: 3, ..event() },
            QueryEvent { qtype: QueryType(15), ..event() },
            QueryEvent { zone_name: &[], ..event() },
            QueryEvent { zone_name: b"\x05other\x04test\0", ..event() },
            QueryEvent { requestor: requestor("10.0.0.1"), ..event() },
            QueryEvent { subnet: subnet("10.0.0.0"), ..event() },
        ] {
            assert!(!filter.passes(&other), "{other:?}");
        }
    }
}
