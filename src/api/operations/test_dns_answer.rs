//! TestDNSAnswer: what this server answers to a query, by the code that answers queries.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::{ApiError, Context, Outcome, Request};
use crate::answer::{Answer, ClientSubnet, Query, QueryName, Rcode, SeededRng, resolve_in};
use crate::api::constraints;
use crate::model::{HostedZoneId, Name, PrefixLength, RecordData, RecordType, ResponseCode};
use crate::requestor::{Requestor, Transport};
use crate::world::{World, ZoneView};
use crate::zonetree::MemberContent;

/// API TestDNSAnswer, EDNS0ClientSubnetMask.
const IPV4_MASK: u8 = 24;
const IPV6_MASK: u8 = 64;
/// OPT with a client subnet of the longest address (RFC 6891 section 6.1.2, RFC 7871 section 6).
const OPT_OCTETS: usize = 11 + 8 + 16;

/// A query as the request describes it.
#[derive(Debug)]
struct TestQuery {
    name: Name,
    record_type: RecordType,
    resolver: IpAddr,
    client_subnet: Option<ClientSubnet>,
}

/// What the response says.
#[derive(Debug, PartialEq)]
struct TestResult {
    name_server: String,
    response_code: Rcode,
    values: Vec<String>,
    transport: Transport,
}

pub(super) fn test(context: &Context, request: &Request) -> Outcome {
    let parameter = |name: &str| request.query(name);
    let required = |name: &str| parameter(name).ok_or_else(|| ApiError::invalid_input(format!("'{name}' is missing")));
    let id = required("hostedzoneid")?.trim_start_matches("/hostedzone/");
    let zone = context.zone_summary(request, id)?;
    if !zone.vpcs.is_empty() {
        return Err(ApiError::invalid_input("TestDNSAnswer is not supported for private hosted zones."));
    }
    let (name, record_type) = (required("recordname")?, required("recordtype")?);
    let query = test_query(name, record_type, &parameter)?;
    let view = context.health.load();
    let udp_payload_max = usize::from(view.udp_payload_max());
    let query = TestQuery { client_subnet: query.client_subnet.filter(|_| view.uses_client_subnet()), ..query };
    let result =
        answer(&view.world, &zone.id, &query, udp_payload_max).ok_or_else(|| super::store::no_such_zone(id))?;
    Ok(request.response(|xml| {
        xml.element("Nameserver", result.name_server);
        xml.element("RecordName", name);
        xml.element("RecordType", query.record_type);
        xml.parent("RecordData", |xml| result.values.iter().for_each(|value| xml.element("RecordDataEntry", value)));
        xml.element("ResponseCode", ResponseCode(result.response_code as u8));
        xml.element("Protocol", result.transport);
    }))
}

/// Without a resolver the query comes from this host. (Route 53 takes a resolver in us-east-1.)
fn test_query<'r>(
    name: &str,
    record_type: &str,
    parameter: &impl Fn(&str) -> Option<&'r str>,
) -> Result<TestQuery, ApiError> {
    let invalid =
        |text: &str, what: &str| ApiError::invalid_input(format!("'{text}' is not a valid value for '{what}'"));
    let address =
        |what: &str| parameter(what).map(|text| text.parse::<IpAddr>().map_err(|_| invalid(text, what))).transpose();
    let mask = parameter("edns0clientsubnetmask");
    let client_subnet = match address("edns0clientsubnetip")? {
        None if mask.is_some() => {
            return Err(ApiError::invalid_input("'edns0clientsubnetmask' requires 'edns0clientsubnetip'"));
        }
        None => None,
        Some(address) => {
            let default = if address.is_ipv4() { IPV4_MASK } else { IPV6_MASK };
            let bits =
                mask.map_or(Ok(default), |text| text.parse().map_err(|_| invalid(text, "edns0clientsubnetmask")))?;
            let subnet = IpNet::new(address, bits).map_err(|_| invalid(&bits.to_string(), "edns0clientsubnetmask"))?;
            let subnet = ClientSubnet { address: subnet.network(), source_prefix: PrefixLength(bits) };
            Some(subnet).filter(|_| bits > 0)
        }
    };
    Ok(TestQuery {
        name: Name::parse(name).map_err(|error| ApiError::invalid_input(format!("{error}: '{name}'")))?,
        record_type: constraints::record_type(record_type).ok_or_else(|| invalid(record_type, "recordtype"))?,
        resolver: address("resolverip")?.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        client_subnet,
    })
}

/// `None` if the zone is not served.
fn answer(world: &World, zone: &HostedZoneId, query: &TestQuery, udp_payload_max: usize) -> Option<TestResult> {
    let zone_view = world.zone_view_by_id(zone)?;
    let name_server = name_server(&zone_view);
    if !query.name.is_within(zone_view.zone.name()) {
        // What a server of the zone alone would answer.
        let values = Vec::new();
        return Some(TestResult { name_server, response_code: Rcode::Refused, values, transport: Transport::Udp });
    }
    let mut name = QueryName::default();
    name.set(&query.name);
    let requestor = Requestor::at(query.resolver);
    let received =
        Query { client_subnet: query.client_subnet, ..Query::new(&name, query.record_type.into(), &requestor) };
    let answer = resolve_in(zone_view, &received, world, &mut SeededRng::new(fastrand::u64(..)));
    // Type and class follow the name.
    let size = answer.message_size(query.name.wire().len() + 4, OPT_OCTETS, udp_payload_max);
    let transport = if size.truncated { Transport::Tcp } else { Transport::Udp };
    Some(TestResult { name_server, response_code: answer.rcode, values: values(&answer, &zone_view), transport })
}

/// The data of the answer section.
fn values(answer: &Answer<'_>, zone_view: &ZoneView<'_>) -> Vec<String> {
    let zone = zone_view.zone.name();
    let text =
        |record_type, data: &crate::answer::Data<'_>| RecordData::from_wire(record_type, data.whole(zone)).to_text();
    let parts = answer.answer.iter();
    parts.flat_map(|part| part.records.iter().map(|data| text(part.records.record_type, &data))).collect()
}

/// The first name server of the zone, as Route 53 writes it.
fn name_server(zone_view: &ZoneView<'_>) -> String {
    let zone = zone_view.zone;
    if zone.is_unavailable() {
        return String::new();
    }
    let content = zone.content(zone.name_servers(), crate::answer::MemberIndex(0));
    let MemberContent::Records(records, _) = content else { return String::new() };
    let first = records.iter().next().map(|data| RecordData::from_wire(records.record_type, data.whole(zone.name())));
    first.map_or_else(String::new, |data| data.to_text().trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::fixture::{lab, member, primary, secondary, set, world};
    use crate::model::HostedZone;

    fn zone() -> HostedZone {
        let many: Vec<String> = (0..200).map(|number| format!("192.0.2.{number}")).collect();
        let large = format!("large 60 A {}", many.join(" | "));
        let simple = ["www 60 A 192.0.2.1", "alias 60 CNAME www.lab.test.", "sub 60 NS ns.sub.lab.test.", &large];
        let failover = [
            member("blue", primary(), Some(0), "app 60 A 192.0.2.11"),
            member("green", secondary(), None, "app 60 A 192.0.2.12"),
        ];
        lab(simple.into_iter().map(set).chain(failover))
    }

    fn result(unhealthy: &[u32], name: &str, record_type: &str) -> TestResult {
        let query = test_query(name, record_type, &|_| None).unwrap();
        answer(&world(&[zone()], unhealthy), &HostedZoneId("ZLAB".to_owned()), &query, 1232).unwrap()
    }

    #[test]
    fn the_answer_is_that_of_the_server() {
        assert_eq!(
            result(&[], "www.lab.test", "A"),
            TestResult {
                name_server: "ns1.lab.test".to_owned(),
                response_code: Rcode::NoError,
                values: vec!["192.0.2.1".to_owned()],
                transport: Transport::Udp,
            }
        );
        assert_eq!(result(&[], "alias.lab.test.", "A").values, ["www.lab.test.", "192.0.2.1"]);
        assert_eq!(result(&[], "app.lab.test", "A").values, ["192.0.2.11"]);
        assert_eq!(result(&[0], "app.lab.test", "A").values, ["192.0.2.12"]);
        let large = result(&[], "large.lab.test", "A");
        assert_eq!((large.values.len(), large.transport), (200, Transport::Tcp));
    }

    #[test]
    fn without_data_there_are_no_values() {
        for (name, record_type, response_code) in [
            ("www.lab.test", "AAAA", Rcode::NoError),
            ("a.sub.lab.test", "A", Rcode::NoError),
            ("none.lab.test", "A", Rcode::NxDomain),
            ("www.example.com", "A", Rcode::Refused),
        ] {
            let result = result(&[], name, record_type);
            assert_eq!((result.response_code, result.values), (response_code, vec![]), "{name}");
        }
        let unknown = HostedZoneId("ZOTHER".to_owned());
        let query = test_query("www.lab.test", "A", &|_| None).unwrap();
        assert_eq!(answer(&world(&[zone()], &[]), &unknown, &query, 1232), None);
    }

    #[test]
    fn the_client_subnet_has_the_masks_of_route_53() {
        let query = |pairs: &[(&str, &'static str)]| {
            let pairs: Vec<(String, &'static str)> =
                pairs.iter().map(|(name, text)| (name.to_string(), *text)).collect();
            test_query("www.lab.test", "A", &|name: &str| {
                pairs.iter().find(|(known, _)| known == name).map(|(_, text)| *text)
            })
        };
        let subnet = |address: &str, source_prefix| {
            Some(ClientSubnet { address: address.parse().unwrap(), source_prefix: PrefixLength(source_prefix) })
        };
        let ip = "edns0clientsubnetip";
        let mask = "edns0clientsubnetmask";
        assert_eq!(query(&[(ip, "192.0.2.77")]).unwrap().client_subnet, subnet("192.0.2.0", 24));
        assert_eq!(query(&[(ip, "2001:db8::1")]).unwrap().client_subnet, subnet("2001:db8::", 64));
        assert_eq!(query(&[(ip, "192.0.2.77"), (mask, "32")]).unwrap().client_subnet, subnet("192.0.2.77", 32));
        assert_eq!(query(&[(ip, "192.0.2.77"), (mask, "0")]).unwrap().client_subnet, None);
        assert_eq!(query(&[("resolverip", "192.0.2.9")]).unwrap().resolver.to_string(), "192.0.2.9");
        for bad in [&[(ip, "192.0.2.77"), (mask, "33")][..], &[(mask, "24")], &[(ip, "x")], &[("resolverip", "x")]] {
            assert!(query(bad).is_err(), "{bad:?}");
        }
    }
}
