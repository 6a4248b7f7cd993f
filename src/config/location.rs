//! `[location]`: geo databases, the user's own networks, measured round trips.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use super::document::Diagnostics;
use super::table::Table;
use super::value::{self, Precision, resolve};
use crate::model::{LatencyClients, LatencyRow, LocationNetwork};

/// `[location]`
#[derive(Clone, Debug, PartialEq)]
pub struct LocationSettings {
    /// Databases in MaxMind format. The first one with an entry is used.
    pub geoip: Vec<PathBuf>,
    /// Whether EDNS Client Subnet is used.
    pub use_client_subnet: ClientSubnetUse,
    /// Locations of the user's own networks.
    pub networks: Vec<LocationNetwork>,
    /// Measured round-trip times.
    pub latency: Vec<LatencyRow>,
}

/// How EDNS Client Subnet (RFC 7871) is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientSubnetUse {
    /// The client is located by the subnet.
    Use,
    /// The client is located by the resolver's address.
    Ignore,
}

pub(super) fn read_location(
    table: &Table<'_>,
    directory: &Path,
    location: &mut LocationSettings,
    diagnostics: &mut Diagnostics<'_>,
) {
    for written in table.strings("geoip", diagnostics).unwrap_or_default() {
        location.geoip.push(resolve(directory, written.value));
    }
    if let Some(choice) = table.choice("client_subnet", diagnostics) {
        let ignore = choice.value == "ignore";
        location.use_client_subnet = if ignore { ClientSubnetUse::Ignore } else { ClientSubnetUse::Use };
    }
    read_networks(&table.tables("network", diagnostics), location, diagnostics);
    read_latency(&table.tables("latency", diagnostics), location, diagnostics);
}

fn read_networks(tables: &[Table<'_>], location: &mut LocationSettings, diagnostics: &mut Diagnostics<'_>) {
    let mut seen: HashMap<IpNet, Range<usize>> = HashMap::new();
    for table in tables {
        let Some(network) = read_network(table, diagnostics) else { continue };
        let span = table.span_of("cidr");
        if let Some(first) = seen.insert(network.cidr, span.clone()) {
            let related = diagnostics.related_span(first, "first here");
            let diagnostic = diagnostics.error(span, format!("the network `{}` is listed twice", network.cidr));
            diagnostic.label("the second time").related(related);
        }
        location.networks.push(network);
    }
}

fn read_network(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<LocationNetwork> {
    let mark = diagnostics.mark();
    table.require("cidr", "such as cidr = \"10.53.1.0/24\"", diagnostics);
    let cidr = table.string("cidr", diagnostics).and_then(|text| value::network(&text, diagnostics));
    let country = table.string("country", diagnostics).and_then(|text| value::country(&text, diagnostics));
    let subdivision = table.string("subdivision", diagnostics);
    let subdivision = subdivision.and_then(|text| value::subdivision(country?, &text, diagnostics));
    let point = table.table("coordinates", diagnostics);
    let coordinates = point.and_then(|table| value::coordinates(&table, Precision::Any, diagnostics));
    let region = table.string("region", diagnostics).and_then(|text| value::region(&text, diagnostics));
    if table.has("subdivision") && !table.has("country") {
        let diagnostic = diagnostics.error(table.span_of("subdivision"), "`subdivision` needs `country`");
        diagnostic.label("`country` is missing").hint("such as country = \"US\"");
    }
    if !["country", "coordinates", "region"].iter().any(|key| table.has(key) || table.is_misspelt(key))
        && table.is_whole(diagnostics)
    {
        let diagnostic = diagnostics.error(table.span.clone(), "a network needs a location");
        diagnostic.label("no location").hint("write `country`, `coordinates` or `region`");
    }
    if diagnostics.has_error_since(mark) {
        return None;
    }
    Some(LocationNetwork { cidr: cidr?, country, subdivision, coordinates, region })
}

fn read_latency(tables: &[Table<'_>], location: &mut LocationSettings, diagnostics: &mut Diagnostics<'_>) {
    for table in tables {
        let Some(row) = read_latency_row(table, diagnostics) else { continue };
        if location.latency.iter().any(|known| known.clients == row.clients) {
            let diagnostic =
                diagnostics.error(table.span.clone(), "two `[[location.latency]]` tables for the same clients");
            diagnostic.label("the second one").hint("put all their round trips in one `[[location.latency]]`");
        }
        location.latency.push(row);
    }
}

fn read_latency_row(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<LatencyRow> {
    let clients = read_latency_clients(table, diagnostics);
    table.require("round_trip", "such as round_trip = { eu-central-1 = \"4ms\" }", diagnostics);
    let mut round_trip_ms = Vec::new();
    let written = table.named_durations("round_trip", diagnostics)?;
    if written.is_empty() && table.is_whole(diagnostics) {
        diagnostics
            .error(table.span_of("round_trip"), "`round_trip` must name at least one region")
            .label("an empty table");
    }
    for (name, duration) in written {
        let region = value::region(&name, diagnostics);
        if let (Some(region), Some(duration)) = (region, duration) {
            round_trip_ms.push((region, duration.value.as_secs_f64() * 1000.0));
        }
    }
    Some(LatencyRow { clients: clients?, round_trip_ms })
}

fn read_latency_clients(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<LatencyClients> {
    let written: Vec<&str> = ["cidr", "country", "region"].into_iter().filter(|key| table.has(key)).collect();
    if let [_, second, ..] = written[..] {
        let message = "`[[location.latency]]` needs exactly one of `cidr`, `country` and `region`";
        diagnostics.error(table.key_span(second), message).label("more than one is here");
        return None;
    }
    let Some(key) = written.first() else {
        if table.is_whole(diagnostics) {
            let message = "`[[location.latency]]` needs exactly one of `cidr`, `country` and `region`";
            diagnostics.error(table.span.clone(), message).label("none is here");
        }
        return None;
    };
    let text = table.string(key, diagnostics)?;
    match *key {
        "cidr" => value::network(&text, diagnostics).map(LatencyClients::Cidr),
        "country" => value::country(&text, diagnostics).map(LatencyClients::Country),
        _ => value::region(&text, diagnostics).map(LatencyClients::Region),
    }
}
