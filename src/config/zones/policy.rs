//! The routing policy of a record: whichever of its keys is present, exactly as in Route 53.

use std::ops::Range;

use super::super::document::Findings;
use super::super::table::{At, Table};
use super::super::value::{self, Precision};
use super::super::words;
use crate::model::{
    CidrCollectionId, Continent, FailoverRole, GeoLocation, GeoproximityLocation, RoutingPolicy, atlas,
};

/// The keys of which one makes a policy.
const MARKERS: [&str; 7] = ["weight", "region", "failover", "geolocation", "geoproximity", "cidr", "multivalue"];

/// In the words of Route 53's InvalidInput.
const EXPECTED: &str = "Expected exactly one of [Weight, Region, Failover, GeoLocation, MultiValueAnswer, \
                        GeoProximityLocation, or CidrRoutingConfig]";

/// A collection and one of its locations, still words.
pub(super) struct CidrReference {
    pub(super) collection: At<String>,
    pub(super) location: At<String>,
}

/// Where the policy stands, or else the record.
pub(super) fn span(table: &Table<'_>) -> Range<usize> {
    let marker = MARKERS.into_iter().find(|marker| table.has(marker));
    marker.map_or(table.span.clone(), |marker| table.span_of(marker))
}

/// Reads the policy; `None` when it cannot be told.
pub(super) fn read(table: &Table<'_>, findings: &mut Findings<'_>) -> Option<(RoutingPolicy, Option<CidrReference>)> {
    // `multivalue = false` is as absent.
    let multivalue = table.boolean("multivalue", findings);
    let is_off = multivalue.is_some_and(|multivalue| !multivalue.value);
    let is_marker = |marker: &&str| table.has(marker) && !(*marker == "multivalue" && is_off);
    let markers: Vec<&str> = MARKERS.into_iter().filter(is_marker).collect();
    check_set_identifier(table, &markers, findings);
    if let [first, second, ..] = markers[..] {
        let fault = findings.error(table.key_span(second), format!("{EXPECTED}, but found more than one"));
        fault.label(format!("`{second}` beside `{first}`"));
        fault.hint("a record has one routing policy; trees of policies are built from aliases");
        // Each is still read, for its own faults.
        for marker in markers {
            read_marker(marker, table, findings);
        }
        return None;
    }
    let Some(marker) = markers.first() else { return Some((RoutingPolicy::Simple, None)) };
    read_marker(marker, table, findings)
}

fn check_set_identifier(table: &Table<'_>, markers: &[&str], findings: &mut Findings<'_>) {
    if !table.is_whole(findings) {
        return;
    }
    match (table.has("set_identifier"), markers.first()) {
        (true, None) => {
            let fault = findings.error(table.key_span("set_identifier"), format!("{EXPECTED}, but found none"));
            fault.label("a set identifier without a routing policy");
            fault.hint(format!("add one of {}, or leave `set_identifier` out", words::one_of(&MARKERS)));
        }
        (false, Some(marker)) => {
            let fault = findings.error(table.key_span(marker), "Missing field 'SetIdentifier'");
            fault.label("a routing policy without a set identifier");
            fault.hint("such as set_identifier = \"blue\": it tells apart the records of one name and type");
        }
        _ => {}
    }
}

fn read_marker(
    marker: &str,
    table: &Table<'_>,
    findings: &mut Findings<'_>,
) -> Option<(RoutingPolicy, Option<CidrReference>)> {
    let policy = match marker {
        "weight" => {
            let weight = table.integer("weight", findings)?;
            RoutingPolicy::Weighted { weight: u8::try_from(weight.value).ok()? }
        }
        "region" => {
            let region = table.text("region", findings)?;
            RoutingPolicy::Latency { region: value::region(&region, findings)? }
        }
        "failover" => RoutingPolicy::Failover { role: read_role(table, findings)? },
        "geolocation" => {
            let area = table.table("geolocation", findings)?;
            RoutingPolicy::Geolocation { location: read_geolocation(&area, findings)? }
        }
        "geoproximity" => read_geoproximity(&table.table("geoproximity", findings)?, findings)?,
        "cidr" => return read_cidr(&table.table("cidr", findings)?, findings),
        _ => RoutingPolicy::MultivalueAnswer,
    };
    Some((policy, None))
}

fn read_role(table: &Table<'_>, findings: &mut Findings<'_>) -> Option<FailoverRole> {
    let role = table.choice("failover", findings)?;
    Some(if role.value == "primary" { FailoverRole::Primary } else { FailoverRole::Secondary })
}

fn read_geolocation(table: &Table<'_>, findings: &mut Findings<'_>) -> Option<GeoLocation> {
    let hint = "an area is { continent = \"EU\" }, { country = \"DE\" }, { country = \"US\", subdivision = \"CA\" } or, for \
                everybody else, { country = \"*\" }";
    let (continent, country, subdivision) = (table.has("continent"), table.has("country"), table.has("subdivision"));
    if continent && (country || subdivision) {
        let other = if country { "country" } else { "subdivision" };
        let fault = findings.error(table.key_span(other), format!("`{other}` cannot stand beside `continent`"));
        fault.label("a second area").hint(hint);
        return None;
    }
    if !country && !continent {
        let message = if subdivision { "`subdivision` needs `country`" } else { "`geolocation` names no area" };
        findings.error(table.span.clone(), message).label("which area?").hint(hint);
        return None;
    }
    if continent {
        if let Some(written) = table.text_as_written("continent").filter(|written| written.value == "*") {
            let fault = findings.error(written.span, "`*` is no continent");
            fault.label("expected a continent's code").hint("everybody else is { country = \"*\" }");
            return None;
        }
        let code = table.choice("continent", findings)?;
        return Continent::from_code(code.value).map(GeoLocation::Continent);
    }
    let country = table.text("country", findings)?;
    if country.value == "*" {
        if subdivision {
            let fault = findings.error(table.key_span("subdivision"), "the default has no subdivisions");
            fault.label("beside country = \"*\"").hint(hint);
            return None;
        }
        return Some(GeoLocation::Default);
    }
    let country = value::country(&country, findings);
    let Some(subdivision) = table.text("subdivision", findings) else {
        return if subdivision { None } else { country.map(GeoLocation::Country) };
    };
    let subdivision = value::subdivision(country?, &subdivision, findings);
    Some(GeoLocation::Subdivision(country?, subdivision?))
}

fn read_geoproximity(table: &Table<'_>, findings: &mut Findings<'_>) -> Option<RoutingPolicy> {
    let bias = table.integer("bias", findings);
    let location = read_geoproximity_location(table, findings)?;
    if table.has("bias") && bias.is_none() {
        return None;
    }
    let bias = bias.map_or(Some(0), |bias| i8::try_from(bias.value).ok())?;
    Some(RoutingPolicy::Geoproximity { location, bias })
}

fn read_geoproximity_location(table: &Table<'_>, findings: &mut Findings<'_>) -> Option<GeoproximityLocation> {
    const PLACES: [&str; 3] = ["region", "coordinates", "local_zone_group"];
    let written: Vec<&str> = PLACES.into_iter().filter(|key| table.has(key)).collect();
    let [place] = written[..] else {
        let message = "`geoproximity` needs exactly one of `region`, `coordinates` and `local_zone_group`";
        let span = written.get(1).map_or(table.span.clone(), |second| table.key_span(second));
        let label = if written.is_empty() { "none is here" } else { "more than one is here" };
        findings.error(span, message).label(label);
        return None;
    };
    match place {
        "region" => {
            let region = table.text("region", findings)?;
            value::region(&region, findings).map(GeoproximityLocation::Region)
        }
        "coordinates" => {
            let point = table.table("coordinates", findings)?;
            value::coordinates(&point, Precision::Route53, findings).map(GeoproximityLocation::Coordinates)
        }
        _ => read_local_zone_group(&table.text("local_zone_group", findings)?, findings),
    }
}

fn read_local_zone_group(written: &At<&str>, findings: &mut Findings<'_>) -> Option<GeoproximityLocation> {
    let coordinates = atlas::local_zone_group(written.value);
    if coordinates.is_none() {
        let known: Vec<&str> = atlas::local_zone_groups().collect();
        let fault = findings.error(written.span.clone(), format!("unknown local zone group `{}`", written.value));
        fault.label("expected a Local Zone's code without its last letter, such as `us-east-1-bue-1`");
        let zone = written.value.strip_suffix(|letter: char| letter.is_ascii_lowercase()).unwrap_or_default();
        if known.contains(&zone) {
            fault.hint(format!("`{}` is one of its zones; write `{zone}`", written.value));
        } else if let Some(meant) = words::meant(written.value, &known) {
            fault.hint(format!("did you mean `{meant}`?"));
        }
    }
    Some(GeoproximityLocation::LocalZoneGroup { name: written.value.to_owned(), coordinates: coordinates? })
}

/// The collection is looked up when all files have been read.
fn read_cidr(table: &Table<'_>, findings: &mut Findings<'_>) -> Option<(RoutingPolicy, Option<CidrReference>)> {
    let hint = "such as cidr = { collection = \"offices\", location = \"berlin\" }; everybody else is location = \"*\"";
    table.require("collection", hint, findings);
    table.require("location", hint, findings);
    let collection = table.text("collection", findings);
    let location = table.text("location", findings);
    let (collection, location) = (collection?.map(str::to_owned), location?.map(str::to_owned));
    let named = (location.value != "*").then(|| location.value.clone());
    let policy = RoutingPolicy::IpBased { collection: CidrCollectionId(String::new()), location: named };
    Some((policy, Some(CidrReference { collection, location })))
}
