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

/// The values of Route 53 (Developer Guide, "NS and SOA records").
const NS_TTL: Ttl = 172_800;
const SOA_TTL: Ttl = 900;
/// Serial, refresh, retry, expire, minimum; the serial does not change automatically.
const SOA_TIMINGS: &str = "1 7200 900 1209600 86400";

/// The SOA, NS and name server address sets that the zone does not have.
pub(super) fn missing_sets(zone: &HostedZone, dns: &DnsSettings) -> Result<Vec<ResourceRecordSet>, NameError> {
    let written: Option<Vec<Name>> = apex_set(zone, RecordType::Ns).map(targets);
    let servers = if dns.name_servers.is_empty() && written.is_none() {
        vec![own_name_server(zone, &dns.listen)?]
    } else {
        dns.name_servers.clone()
    };
    let names = written.clone().unwrap_or_else(|| servers.iter().map(|server| server.name.clone()).collect());
    let mut sets = Vec::new();
    if apex_set(zone, RecordType::Soa).is_none() {
        // An NS set without a readable value is already an error.
        let first = names.first().unwrap_or(&zone.name);
        sets.push(soa(&zone.name, first)?);
    }
    if written.is_none() {
        sets.push(records(&zone.name, RecordType::Ns, NS_TTL, names.iter().map(Name::to_string)));
    }
    let own = servers.iter().filter(|server| names.contains(&server.name) && server.name.is_within(&zone.name));
    sets.extend(own.flat_map(|server| missing_addresses(zone, server)));
    Ok(sets)
}

/// The record sets that a zone gets besides its own. None if their names would be too long.
pub fn default_record_sets(zone: &HostedZone, dns: &DnsSettings) -> Vec<ResourceRecordSet> {
    missing_sets(zone, dns).unwrap_or_default()
}

/// The default name server of a zone if it has a loopback address, because the server listens on
/// every address and none is configured. Only this machine can reach it.
pub fn loopback_name_server(zone: &HostedZone, dns: &DnsSettings) -> Option<Name> {
    if !dns.name_servers.is_empty() || !dns.listen.iter().any(|socket| socket.ip().is_unspecified()) {
        return None;
    }
    let made = own_name_server(zone, &dns.listen).ok()?;
    let is_named = apex_set(zone, RecordType::Ns).is_some_and(|set| targets(set).contains(&made.name));
    let is_made = address_sets(&made).any(|set| zone.record_sets.contains(&set));
    (is_named && is_made).then_some(made.name)
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
    zone.record_sets.iter().find(|set| set.record_type == record_type && set.name == zone.name)
}

fn targets(set: &ResourceRecordSet) -> Vec<Name> {
    match &set.content {
        Content::Records { values, .. } => values.iter().filter_map(RecordData::target).collect(),
        Content::Alias(_) => Vec::new(),
    }
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

fn soa(zone: &Name, first_name_server: &Name) -> Result<ResourceRecordSet, NameError> {
    let mailbox = Name::parse("hostmaster")?.under(zone)?;
    let value = format!("{first_name_server} {mailbox} {SOA_TIMINGS}");
    Ok(records(zone, RecordType::Soa, SOA_TTL, [value]))
}

/// The address sets of the name server that the zone does not have.
fn missing_addresses(zone: &HostedZone, server: &NameServer) -> Vec<ResourceRecordSet> {
    let has =
        |record_type| zone.record_sets.iter().any(|set| set.record_type == record_type && set.name == server.name);
    if has(RecordType::Cname) {
        return Vec::new();
    }
    address_sets(server).filter(|set| !has(set.record_type)).collect()
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
