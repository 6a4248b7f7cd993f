//! Reads the routing policy of a record. As in Route 53, it follows from which key is present.

use std::ops::Range;

use super::super::document::Diagnostics;
use super::super::table::{At, Table};
use super::super::value::{self, Precision};
use super::super::words;
use crate::model::{
    CidrCollectionId, Continent, FailoverRole, GeoLocation, GeoproximityLocation, RoutingPolicy, geography,
};

/// The keys that select a policy.
const MARKERS: [&str; 7] = ["weight", "region", "failover", "geolocation", "geoproximity", "cidr", "multivalue"];

/// The sentence of Route 53's InvalidInput.
const EXPECTED: &str = "Expected exactly one of [Weight, Region, Failover, GeoLocation, MultiValueAnswer, \
                        GeoProximityLocation, or CidrRoutingConfig]";

/// An unresolved reference to a location of a CIDR collection.
pub(super) struct CidrReference {
    pub(super) collection: At<String>,
    pub(super) location: At<String>,
}

/// The position of the policy, or else of the record.
pub(super) fn span(table: &Table<'_>) -> Range<usize> {
    let marker = MARKERS.into_iter().find(|marker| table.has(marker));
    marker.map_or(table.span.clone(), |marker| table.span_of(marker))
}

/// Reads the policy; `None` when it is unreadable.
pub(super) fn read(
    table: &Table<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<(RoutingPolicy, Option<CidrReference>)> {
    // `multivalue = false` is the same as no `multivalue`.
    let multivalue = table.boolean("multivalue", diagnostics);
    let is_off = multivalue.is_some_and(|multivalue| !multivalue.value);
    let is_marker = |marker: &&str| table.has(marker) && !(*marker == "multivalue" && is_off);
    let markers: Vec<&str> = MARKERS.into_iter().filter(is_marker).collect();
    check_set_identifier(table, &markers, diagnostics);
    if let [first, second, ..] = markers[..] {
        let diagnostic = diagnostics.error(table.key_span(second), format!("{EXPECTED}, but found more than one"));
        diagnostic.label(format!("`{second}` together with `{first}`"));
        diagnostic.hint("a record has one routing policy; trees of policies are built from aliases");
        // Each is still read, to report its errors.
        for marker in markers {
            read_marker(marker, table, diagnostics);
        }
        return None;
    }
    let Some(marker) = markers.first() else { return Some((RoutingPolicy::Simple, None)) };
    read_marker(marker, table, diagnostics)
}

fn check_set_identifier(table: &Table<'_>, markers: &[&str], diagnostics: &mut Diagnostics<'_>) {
    if !table.is_whole(diagnostics) {
        return;
    }
    match (table.has("set_identifier"), markers.first()) {
        (true, None) => {
            let diagnostic = diagnostics.error(table.key_span("set_identifier"), format!("{EXPECTED}, but found none"));
            diagnostic.label("a set identifier without a routing policy");
            diagnostic.hint(format!("add one of {}, or leave out `set_identifier`", words::one_of(&MARKERS)));
        }
        (false, Some(marker)) if !table.is_misspelt("set_identifier") => {
            let diagnostic = diagnostics.error(table.key_span(marker), "Missing field 'SetIdentifier'");
            diagnostic.label("a routing policy without a set identifier");
            diagnostic.hint("such as set_identifier = \"blue\": it distinguishes the records of one name and type");
        }
        _ => {}
    }
}

fn read_marker(
    marker: &str,
    table: &Table<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<(RoutingPolicy, Option<CidrReference>)> {
    let policy = match marker {
        "weight" => {
            let weight = table.integer("weight", diagnostics)?;
            RoutingPolicy::Weighted { weight: u8::try_from(weight.value).ok()? }
        }
        "region" => {
            let region = table.string("region", diagnostics)?;
            RoutingPolicy::Latency { region: value::region(&region, diagnostics)? }
        }
        "failover" => RoutingPolicy::Failover { role: read_role(table, diagnostics)? },
        "geolocation" => {
            let area = table.table("geolocation", diagnostics)?;
            RoutingPolicy::Geolocation { location: read_geolocation(&area, diagnostics)? }
        }
        "geoproximity" => read_geoproximity(&table.table("geoproximity", diagnostics)?, diagnostics)?,
        "cidr" => return read_cidr(&table.table("cidr", diagnostics)?, diagnostics),
        _ => RoutingPolicy::MultivalueAnswer,
    };
    Some((policy, None))
}

fn read_role(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<FailoverRole> {
    let role = table.choice("failover", diagnostics)?;
    Some(if role.value == "primary" { FailoverRole::Primary } else { FailoverRole::Secondary })
}

fn read_geolocation(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<GeoLocation> {
    let hint = "an area is { continent = \"EU\" }, { country = \"DE\" }, { country = \"US\", subdivision = \"CA\" } or, for \
                all other clients, { country = \"*\" }";
    let (continent, country, subdivision) = (table.has("continent"), table.has("country"), table.has("subdivision"));
    if continent && (country || subdivision) {
        let other = if country { "country" } else { "subdivision" };
        let diagnostic = diagnostics.error(table.key_span(other), format!("`{other}` cannot be used with `continent`"));
        diagnostic.label("a second area").hint(hint);
        return None;
    }
    if !country && !continent {
        let message = if subdivision { "`subdivision` needs `country`" } else { "`geolocation` names no area" };
        diagnostics.error(table.span.clone(), message).label("which area?").hint(hint);
        return None;
    }
    if continent {
        if let Some(written) = table.string_as_written("continent").filter(|written| written.value == "*") {
            let diagnostic = diagnostics.error(written.span, "`*` is not a continent");
            diagnostic.label("expected a continent's code").hint("for all other clients, write { country = \"*\" }");
            return None;
        }
        let code = table.choice("continent", diagnostics)?;
        return Continent::from_code(code.value).map(GeoLocation::Continent);
    }
    let country = table.string("country", diagnostics)?;
    if country.value == "*" {
        if subdivision {
            let diagnostic = diagnostics.error(table.key_span("subdivision"), "the default has no subdivisions");
            diagnostic.label("together with country = \"*\"").hint(hint);
            return None;
        }
        return Some(GeoLocation::Default);
    }
    let country = value::country(&country, diagnostics);
    let Some(subdivision) = table.string("subdivision", diagnostics) else {
        return if subdivision { None } else { country.map(GeoLocation::Country) };
    };
    let subdivision = value::subdivision(country?, &subdivision, diagnostics);
    Some(GeoLocation::Subdivision(country?, subdivision?))
}

fn read_geoproximity(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<RoutingPolicy> {
    let bias = table.integer("bias", diagnostics);
    let location = read_geoproximity_location(table, diagnostics)?;
    if table.has("bias") && bias.is_none() {
        return None;
    }
    let bias = bias.map_or(Some(0), |bias| i8::try_from(bias.value).ok())?;
    Some(RoutingPolicy::Geoproximity { location, bias })
}

fn read_geoproximity_location(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<GeoproximityLocation> {
    const PLACES: [&str; 3] = ["region", "coordinates", "local_zone_group"];
    let written: Vec<&str> = PLACES.into_iter().filter(|key| table.has(key)).collect();
    let [place] = written[..] else {
        let message = "`geoproximity` needs exactly one of `region`, `coordinates` and `local_zone_group`";
        let span = written.get(1).map_or(table.span.clone(), |second| table.key_span(second));
        let label = if written.is_empty() { "none is here" } else { "more than one is here" };
        diagnostics.error(span, message).label(label);
        return None;
    };
    match place {
        "region" => {
            let region = table.string("region", diagnostics)?;
            value::region(&region, diagnostics).map(GeoproximityLocation::Region)
        }
        "coordinates" => {
            let point = table.table("coordinates", diagnostics)?;
            value::coordinates(&point, Precision::Route53, diagnostics).map(GeoproximityLocation::Coordinates)
        }
        _ => read_local_zone_group(&table.string("local_zone_group", diagnostics)?, diagnostics),
    }
}

fn read_local_zone_group(written: &At<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<GeoproximityLocation> {
    let coordinates = geography::local_zone_group(written.value);
    if coordinates.is_none() {
        let known: Vec<&str> = geography::local_zone_groups().collect();
        let diagnostic =
            diagnostics.error(written.span.clone(), format!("unknown local zone group `{}`", written.value));
        diagnostic.label("expected a Local Zone's code without the last letter, such as `us-east-1-bue-1`");
        let zone = written.value.strip_suffix(|c: char| c.is_ascii_lowercase()).unwrap_or_default();
        if known.contains(&zone) {
            diagnostic.hint(format!("`{}` is one of its zones; write `{zone}`", written.value));
        } else if let Some(meant) = words::meant(written.value, &known) {
            diagnostic.hint(format!("did you mean `{meant}`?"));
        }
    }
    Some(GeoproximityLocation::LocalZoneGroup { name: written.value.to_owned(), coordinates: coordinates? })
}

/// Reads the reference. The collection is resolved when all files have been read.
fn read_cidr(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<(RoutingPolicy, Option<CidrReference>)> {
    let hint =
        "such as cidr = { collection = \"offices\", location = \"berlin\" }; for all other clients, location = \"*\"";
    table.require("collection", hint, diagnostics);
    table.require("location", hint, diagnostics);
    let collection = table.string("collection", diagnostics);
    let location = table.string("location", diagnostics);
    let (collection, location) = (collection?.map(str::to_owned), location?.map(str::to_owned));
    let named = (location.value != "*").then(|| location.value.clone());
    let policy = RoutingPolicy::IpBased { collection: CidrCollectionId(String::new()), location: named };
    Some((policy, Some(CidrReference { collection, location })))
}
