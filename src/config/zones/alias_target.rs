//! `[[alias_target]]`: what a resource outside the zones answers for the aliases that target it.

use std::collections::HashSet;
use std::net::IpAddr;

use super::super::document::Diagnostics;
use super::super::table::{At, Table};
use super::super::value;
use super::definition::Defined;
use super::name::bad_name;
use crate::model::{
    AliasResource, AliasService, AliasTarget, Content, HostedZoneId, MAX_VALUES, Name, NamePattern, RecordData,
    RecordType, ResourceRecordSet, RoutingPolicy, TargetHealth, Ttl,
};

/// The TTL of load balancers (Developer Guide, "Values specific for alias records").
pub(in super::super) const DEFAULT_TTL: Ttl = 60;

/// A resource with an unresolved health check.
pub(super) struct Draft {
    /// Without its health check.
    pub(super) resource: AliasResource,
    pub(super) target: At<String>,
    pub(super) health_check: Option<At<String>>,
}

/// Reads a resource; `None` when it has no name.
pub(super) fn read(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<Defined<Draft>> {
    let mark = diagnostics.mark();
    table.require("name", "such as name = \"web\"", diagnostics);
    table.require("target", "such as target = \"web-123.us-east-1.elb.amazonaws.com\"", diagnostics);
    let name = table.string("name", diagnostics);
    let target = table.string("target", diagnostics).and_then(|text| Some((read_pattern(&text, diagnostics)?, text)));
    let service = table.choice("service", diagnostics).and_then(|word| AliasService::from_word(word.value));
    let hosted_zone_id = read_zone_id(table, service, diagnostics);
    let ttl = table.duration("ttl", diagnostics).and_then(|ttl| Ttl::try_from(ttl.value.as_secs()).ok());
    let health_check = table.string("health_check", diagnostics).map(|text| text.map(str::to_owned));
    let service = service.or_else(|| AliasService::of_zone(hosted_zone_id.as_ref()?));
    warn_of_check_without_effect(table, service, diagnostics);
    let contents = read_contents(table, ttl.unwrap_or(DEFAULT_TTL), diagnostics);
    let name = name?.map(str::to_owned);
    let is_faulty = diagnostics.has_error_since(mark) || !table.is_whole(diagnostics);
    let draft = target.map(|(pattern, text)| {
        let record_sets = record_sets(&pattern, contents);
        let name = name.value.clone();
        let resource =
            AliasResource { name, hosted_zone_id, service, target: pattern, record_sets, health_check: None };
        Draft { resource, target: text.map(str::to_owned), health_check }
    });
    Some(Defined { name: name.clone(), id: name, value: draft.filter(|_| !is_faulty) })
}

/// The health check that a resource refers to, even if the resource cannot be read.
pub(super) fn reference(table: &Table<'_>) -> Option<At<String>> {
    table.string_as_written("health_check").map(|name| name.map(str::to_owned))
}

fn read_pattern(written: &At<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<NamePattern> {
    let pattern = NamePattern::parse(written.value);
    if pattern.is_none() {
        let message = format!("`{}` is not a domain name or a pattern for some", written.value);
        let diagnostic = diagnostics.error(written.span.clone(), message);
        diagnostic.label("not a domain name").hint("such as \"*.us-east-1.elb.amazonaws.com\"; `*` is any characters");
    }
    pattern
}

fn read_zone_id(
    table: &Table<'_>,
    service: Option<AliasService>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<HostedZoneId> {
    let At { value: zone, span } = value::hosted_zone_id(table, "hosted_zone_id", diagnostics)?;
    let other = AliasService::of_zone(&zone).filter(|_| service.is_some_and(|service| !service.has_zone(&zone)));
    if let Some(other) = other {
        let message = format!("`{}` is a hosted zone of `{}`", zone.0, other.word());
        let diagnostic = diagnostics.error(span, message);
        diagnostic.label("of another service").hint("leave out `service`: it follows from the id");
    }
    Some(zone)
}

/// API AliasTarget, EvaluateTargetHealth.
fn warn_of_check_without_effect(table: &Table<'_>, service: Option<AliasService>, diagnostics: &mut Diagnostics<'_>) {
    let Some(service) = service.filter(|service| service.target_health() != TargetHealth::Evaluated) else { return };
    if table.has("health_check") {
        let message = format!("`health_check` has no effect for the service `{}`", service.word());
        let diagnostic = diagnostics.warning(table.span_of("health_check"), message);
        diagnostic.label("Route 53 does not evaluate the health of such targets");
        diagnostic.hint("give the `health_check` to the records that are aliases to it");
    }
}

/// The records by type: addresses, or those of a name in the zone of an alias.
fn read_contents(table: &Table<'_>, ttl: Ttl, diagnostics: &mut Diagnostics<'_>) -> Vec<(RecordType, Content)> {
    let [addresses, name] = ["addresses", "addresses_of"].map(|key| table.has(key) || table.is_misspelt(key));
    if addresses == name && table.is_whole(diagnostics) {
        let message = "`[[alias_target]]` needs exactly one of `addresses` and `addresses_of`";
        let diagnostic = diagnostics.error(table.span.clone(), message);
        diagnostic.label(if addresses { "it has both" } else { "it has neither" });
        diagnostic.hint("such as addresses = [\"192.0.2.1\", \"2001:db8::1\"]; addresses_of is a name in a zone");
    }
    if name {
        if table.has("ttl") {
            let diagnostic = diagnostics.error(table.key_span("ttl"), "`ttl` has no effect with `addresses_of`");
            diagnostic.label("the records of that name have their own TTL");
        }
        return read_name(table, diagnostics);
    }
    read_addresses(table, ttl, diagnostics)
}

fn read_name(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Vec<(RecordType, Content)> {
    let Some(written) = table.string("addresses_of", diagnostics) else { return Vec::new() };
    match Name::parse(written.value) {
        Ok(name) => {
            let alias = AliasTarget { name, hosted_zone: None, evaluate_target_health: true };
            let alias = |record_type| (record_type, Content::Alias(alias.clone()));
            [RecordType::A, RecordType::Aaaa].map(alias).into()
        }
        Err(error) => {
            bad_name(&written, &error, diagnostics);
            Vec::new()
        }
    }
}

fn read_addresses(table: &Table<'_>, ttl: Ttl, diagnostics: &mut Diagnostics<'_>) -> Vec<(RecordType, Content)> {
    let written = table.strings("addresses", diagnostics).unwrap_or_default();
    if table.is_empty_list("addresses") {
        diagnostics.error(table.span_of("addresses"), "`addresses` must have an address").label("an empty list");
    }
    let (mut ipv4, mut ipv6, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for text in &written {
        let Some(address) = value::address(text, diagnostics) else { continue };
        if !seen.insert(address) {
            diagnostics.error(text.span.clone(), format!("the address {address} is listed twice")).label("again");
            continue;
        }
        let (record_type, values) = match address {
            IpAddr::V4(_) => (RecordType::A, &mut ipv4),
            IpAddr::V6(_) => (RecordType::Aaaa, &mut ipv6),
        };
        values.push(RecordData::parse(record_type, &address.to_string()).expect("an address is a value of its type"));
    }
    if ipv4.len().max(ipv6.len()) > MAX_VALUES {
        let message = format!("`addresses` must have at most {MAX_VALUES} addresses of a family");
        diagnostics.error(table.span_of("addresses"), message).label("too many");
    }
    let contents = [(RecordType::A, ipv4), (RecordType::Aaaa, ipv6)].into_iter();
    let contents = contents.filter(|(_, values)| !values.is_empty());
    contents.map(|(record_type, values)| (record_type, Content::Records { ttl, values })).collect()
}

fn record_sets(pattern: &NamePattern, contents: Vec<(RecordType, Content)>) -> Vec<ResourceRecordSet> {
    let Ok(name) = Name::parse(pattern.as_str()) else { return Vec::new() };
    let set = |(record_type, content)| ResourceRecordSet {
        name: name.clone(),
        record_type,
        set_identifier: None,
        routing_policy: RoutingPolicy::Simple,
        content,
        health_check: None,
    };
    contents.into_iter().map(set).collect()
}
