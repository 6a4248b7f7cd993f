//! Adds the records that every zone needs, SOA and NS at the apex, when the file has none.
//!
//! They never name Amazon's name servers, because resolvers would then query those.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::super::diagnostic::Diagnostic;
use super::super::settings::{DnsSettings, NameServer, reachable};
use crate::model::{
    Content, HostedZone, Name, NameError, RecordData, RecordType, ResourceRecordSet, RoutingPolicy, Ttl,
};

/// The TTL of NS in Route 53 (Developer Guide, "NS and SOA records").
const NS_TTL: Ttl = 172_800;
/// The TTL of SOA.
pub const SOA_TTL: Ttl = 900;
/// The numbers of SOA: serial, refresh, retry, expire, minimum. The serial does not change
/// automatically.
pub const SOA_TIMINGS: &str = "1 7200 900 1209600 86400";

/// The SOA and NS sets that the zone does not have.
pub(super) fn missing_sets(zone: &HostedZone, dns: &DnsSettings) -> Result<Vec<ResourceRecordSet>, NameError> {
    let (has_soa, has_ns) = (apex_set(zone, RecordType::Soa).is_some(), apex_set(zone, RecordType::Ns).is_some());
    let names = match (has_ns, &dns.name_servers[..]) {
        (true, _) => zone.name_servers().collect(),
        (false, []) => vec![own_name_server(zone, &dns.listen)?.name],
        (false, servers) => servers.iter().map(|server| server.name.clone()).collect::<Vec<_>>(),
    };
    let mut sets = Vec::new();
    if !has_soa {
        // An NS set without a readable value is already an error.
        let first = names.first().unwrap_or(&zone.name);
        sets.push(soa(&zone.name, first)?);
    }
    if !has_ns {
        sets.push(name_server_set(zone, &names));
    }
    Ok(sets)
}

/// The record sets that a zone gets besides its own. None if their names would be too long.
pub fn default_record_sets(zone: &HostedZone, dns: &DnsSettings) -> Vec<ResourceRecordSet> {
    missing_sets(zone, dns).unwrap_or_default()
}

/// The addresses of name servers that a zone with SOA and NS gets
/// ([`HostedZone::default_addresses`]).
pub fn default_addresses(zone: &HostedZone, dns: &DnsSettings) -> Vec<ResourceRecordSet> {
    let own = || own_name_server(zone, &dns.listen).ok().filter(|server| !has_other_addresses(zone, &server.name));
    let servers = if dns.name_servers.is_empty() { own().into_iter().collect() } else { dns.name_servers.clone() };
    servers.iter().flat_map(address_sets).filter(|set| zone.lacks_address(set)).collect()
}

/// Whether the zone says itself which addresses its server `ns1` has. Those that the server listens
/// on are a guess.
fn has_other_addresses(zone: &HostedZone, server: &Name) -> bool {
    let is_address =
        |set: &&ResourceRecordSet| matches!(set.record_type, RecordType::A | RecordType::Aaaa | RecordType::Cname);
    let ns = apex_set(zone, RecordType::Ns);
    let has_default_ns = ns.is_some_and(|set| *set == name_server_set(zone, [server]));
    let answers = |set: &ResourceRecordSet| {
        set.name == *server
            || (!has_default_ns && set.name.is_wildcard() && set.name.parent().as_ref() == Some(&zone.name))
    };
    zone.record_sets.iter().map(|set| &**set).filter(is_address).any(answers)
}

/// The default name server of a zone if it has a loopback address, because the server listens on
/// every address and none is configured. Only this machine can reach it.
pub fn loopback_name_server(zone: &HostedZone, dns: &DnsSettings) -> Option<Name> {
    if !dns.name_servers.is_empty() || !dns.listen.iter().any(|socket| socket.ip().is_unspecified()) {
        return None;
    }
    zone.default_addresses.first().map(|set| set.name.clone())
}

/// One warning about such name servers for all zones.
pub fn warn_of_loopback_name_servers<'z>(found: impl Iterator<Item = (&'z Path, &'z Name)>) -> Option<Diagnostic> {
    let mut found = found;
    let (path, name) = found.next()?;
    let others = match found.count() {
        0 => String::new(),
        1 => " (also in 1 other zone)".to_owned(),
        others => format!(" (also in {others} other zones)"),
    };
    let mut diagnostic =
        Diagnostic::warning(path, format!("the name server `{name}` has a loopback address for all clients{others}"));
    diagnostic.hint(format!(
        "the server listens on every address and cannot know which one clients use: set `[dns] name_servers`, such \
         as [{{ name = \"{name}\", addresses = [\"192.0.2.53\"] }}], or by `[dns] listen`"
    ));
    Some(diagnostic)
}

fn apex_set(zone: &HostedZone, record_type: RecordType) -> Option<&ResourceRecordSet> {
    let mut sets = zone.record_sets.iter().map(|set| &**set);
    sets.find(|set| set.record_type == record_type && set.name == zone.name)
}

/// `ns1.<zone>` with the listen addresses. For the unspecified address the loopback address is
/// used, which works on one machine.
fn own_name_server(zone: &HostedZone, listen: &[SocketAddr]) -> Result<NameServer, NameError> {
    let name = Name::parse("ns1")?.under(&zone.name)?;
    let mut seen = HashSet::new();
    let addresses =
        listen.iter().map(|socket| reachable(*socket).ip()).filter(|address| seen.insert(*address)).collect();
    Ok(NameServer { name, addresses })
}

fn name_server_set<'n>(zone: &HostedZone, names: impl IntoIterator<Item = &'n Name>) -> ResourceRecordSet {
    records(&zone.name, RecordType::Ns, NS_TTL, names.into_iter().map(Name::to_string))
}

fn soa(zone: &Name, first_name_server: &Name) -> Result<ResourceRecordSet, NameError> {
    let mailbox = Name::parse("hostmaster")?.under(zone)?;
    let value = format!("{first_name_server} {mailbox} {SOA_TIMINGS}");
    Ok(records(zone, RecordType::Soa, SOA_TTL, [value]))
}

fn address_sets(server: &NameServer) -> impl Iterator<Item = ResourceRecordSet> {
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = server.addresses.iter().partition(|address| address.is_ipv4());
    let families = [(RecordType::A, v4), (RecordType::Aaaa, v6)];
    let families = families.into_iter().filter(|(_, addresses)| !addresses.is_empty());
    families.map(|(record_type, addresses)| {
        records(&server.name, record_type, NS_TTL, addresses.iter().map(IpAddr::to_string))
    })
}

fn records(
    name: &Name,
    record_type: RecordType,
    ttl: Ttl,
    values: impl IntoIterator<Item = String>,
) -> ResourceRecordSet {
    let parse = |text: String| RecordData::parse(record_type, &text).expect("names and addresses print as values");
    ResourceRecordSet {
        name: name.clone(),
        record_type,
        set_identifier: None,
        routing_policy: RoutingPolicy::Simple,
        content: Content::Records { ttl, values: values.into_iter().map(parse).collect() },
        health_check: None,
    }
}
