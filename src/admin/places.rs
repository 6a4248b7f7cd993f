//! `/v1/places`: what the map shows. It has the networks, VPCs and measured round trips of the
//! settings, and the locations in record sets.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::load::{LoadedConfig, NoModel};
use crate::model::geography::{centroid, country_name, subdivision_centroid};
use crate::model::{
    Content, Continent, Coordinates, GeoLocation, GeoproximityLocation, HostedZone, HostedZoneId, LatencyClients,
    LatencyRow, LocationNetwork, Name, RecordType, Region, ResourceRecordSet, RoutingPolicy, Vpc,
};

use super::concurrency_limit::ConcurrencyLimits;
use super::query::Query;
use super::shapes::{
    ClientPlaceShape, PlaceKindShape, PlacedRecordShape, PlacesShape, RecordPlaceShape, RoundTripsShape,
};
use super::{AdminState, tree, zones};

/// Most places of a kind in a response.
const PLACES: usize = 500;
/// Most records that a place lists.
const NAMED: usize = 20;
/// Most groups that a name leads to through aliases.
const GROUPS: usize = 100;
/// Most record sets that are examined without `name`, since their zones are read from disk and
/// parsed. Zones beyond this are read only if `name` is in them.
const RECORD_SETS: usize = 100_000;

/// Query parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlacesQuery {
    /// Only the records that this name can lead to.
    name: Option<String>,
}

pub(super) async fn places(
    State(admin): State<AdminState>,
    State(limits): State<ConcurrencyLimits>,
    Query(query): Query<PlacesQuery>,
) -> Response {
    let permit = match limits.zones.acquire().await {
        Ok(permit) => permit,
        Err(response) => return *response,
    };
    let base = admin.base.borrow().clone();
    permit.run_blocking(move || zones::worded(shape(&base, query.name.as_deref()))).await
}

fn shape(base: &LoadedConfig, name: Option<&str>) -> Result<PlacesShape, NoModel> {
    let location = &base.settings.location;
    let networks = location.networks.iter().map(client_of_network);
    let vpcs = base.settings.vpcs.iter().flat_map(clients_of_vpc);
    let mut found = Records::default();
    let mut left_out = Vec::new();
    match name.and_then(|name| Name::parse(name).ok()) {
        Some(name) => found.of_name(base, &name)?,
        None if name.is_some() => {}
        None => {
            let mut room = RECORD_SETS;
            for zone in base.zone_outlines().map(|zone| (zone.id.clone(), zone.name.to_string(), zone.record_sets)) {
                let (id, name, record_sets) = zone;
                if record_sets > room {
                    left_out.push(name);
                    continue;
                }
                // The map shows the others all the same.
                let Ok(zone) = base.zone_model(&id) else {
                    left_out.push(name);
                    continue;
                };
                room -= record_sets;
                zone.record_sets.iter().for_each(|set| found.add(set));
            }
        }
    }
    Ok(PlacesShape {
        left_out: left_out.into_iter().take(PLACES).collect(),
        clients: networks.chain(vpcs).take(PLACES).collect(),
        round_trips: location.latency.iter().take(PLACES).map(round_trips).collect(),
        records: found.places.into_values().take(PLACES).collect(),
    })
}

fn client_of_network(network: &LocationNetwork) -> ClientPlaceShape {
    let LocationNetwork { cidr, country, subdivision, coordinates, region } = network;
    let of_subdivision = country.zip(*subdivision).and_then(|(country, part)| subdivision_centroid(country, part));
    let about = of_subdivision.or_else(|| country.and_then(centroid)).or_else(|| region.map(Region::coordinates));
    let words = [
        country.zip(*subdivision).map(|(country, part)| tree::area(GeoLocation::Subdivision(country, part))),
        country.map(|country| country_name(country).map_or_else(|| country.to_string(), str::to_owned)),
        region.map(|region| region.to_string()),
    ];
    ClientPlaceShape {
        network: cidr.to_string(),
        from: cidr.hosts().next().unwrap_or(cidr.addr()).to_string(),
        place: words.into_iter().flatten().collect::<Vec<_>>().join(", "),
        vpc: None,
        latitude: coordinates.or(about).map(|at| at.latitude),
        longitude: coordinates.or(about).map(|at| at.longitude),
        is_exact: coordinates.is_some(),
    }
}

fn clients_of_vpc(vpc: &Vpc) -> impl Iterator<Item = ClientPlaceShape> + '_ {
    vpc.cidrs.iter().map(|cidr| {
        let at = vpc.region.coordinates();
        ClientPlaceShape {
            network: cidr.to_string(),
            from: cidr.hosts().next().unwrap_or(cidr.addr()).to_string(),
            place: vpc.region.to_string(),
            vpc: Some(vpc.id.0.clone()),
            latitude: Some(at.latitude),
            longitude: Some(at.longitude),
            is_exact: false,
        }
    })
}

fn round_trips(row: &LatencyRow) -> RoundTripsShape {
    RoundTripsShape {
        clients: match row.clients {
            LatencyClients::Cidr(cidr) => cidr.to_string(),
            LatencyClients::Country(country) => tree::area(GeoLocation::Country(country)),
            LatencyClients::Region(region) => region.to_string(),
        },
        milliseconds: row.round_trip_ms.iter().map(|(region, ms)| (region.to_string(), *ms)).collect(),
    }
}

/// The locations in record sets, each once.
#[derive(Default)]
struct Records {
    places: BTreeMap<(PlaceKindShape, String), RecordPlaceShape>,
}

impl Records {
    fn add(&mut self, set: &ResourceRecordSet) {
        let Some((kind, at)) = place_of(&set.routing_policy) else { return };
        let place = match kind {
            // A bias is the record's, not the place's.
            PlaceKindShape::Geoproximity => {
                tree::role(&set.routing_policy).split(", bias").next().unwrap_or_default().to_owned()
            }
            PlaceKindShape::Latency | PlaceKindShape::Geolocation => tree::role(&set.routing_policy),
        };
        let entry = self.places.entry((kind, place.clone())).or_insert_with(|| RecordPlaceShape {
            kind,
            place,
            latitude: at.latitude,
            longitude: at.longitude,
            records: Vec::new(),
            record_count: 0,
        });
        entry.record_count += 1;
        if entry.records.len() < NAMED {
            entry.records.push(PlacedRecordShape {
                name: set.name.to_string(),
                record_type: set.record_type.to_string(),
                set_identifier: set.set_identifier.clone(),
            });
        }
    }

    /// The groups that a name can lead to through aliases.
    fn of_name(&mut self, base: &LoadedConfig, name: &Name) -> Result<(), NoModel> {
        let mut zones: Vec<(usize, HostedZoneId)> = base
            .zone_outlines()
            .filter(|zone| name.is_within(zone.name))
            .map(|zone| (zone.name.label_count(), zone.id.clone()))
            .collect();
        zones.sort_unstable();
        // A private zone may have the same name as a public one; both are looked at.
        let longest = zones.last().map(|(labels, _)| *labels);
        for (_, id) in zones.iter().filter(|(labels, _)| Some(*labels) == longest) {
            self.follow(&*base.zone_model(id)?, name);
        }
        Ok(())
    }

    fn follow(&mut self, zone: &HostedZone, name: &Name) {
        let mut next: Vec<(Name, Option<RecordType>)> = vec![(name.clone(), None)];
        let mut seen = BTreeSet::new();
        while let Some((name, record_type)) = next.pop() {
            if seen.len() == GROUPS || !seen.insert((name.to_string(), record_type)) {
                continue;
            }
            let is_wanted = |set: &&ResourceRecordSet| {
                set.name == name && record_type.is_none_or(|wanted| wanted == set.record_type)
            };
            for set in zone.record_sets.iter().map(|set| &**set).filter(is_wanted) {
                self.add(set);
                if let Content::Alias(target) = &set.content {
                    next.push((target.name.clone(), Some(set.record_type)));
                }
            }
        }
    }
}

fn place_of(policy: &RoutingPolicy) -> Option<(PlaceKindShape, Coordinates)> {
    match policy {
        RoutingPolicy::Latency { region } => Some((PlaceKindShape::Latency, region.coordinates())),
        RoutingPolicy::Geoproximity { location, .. } => {
            let at = match location {
                GeoproximityLocation::Region(region) => region.coordinates(),
                GeoproximityLocation::LocalZoneGroup { coordinates, .. } => *coordinates,
                GeoproximityLocation::Coordinates(coordinates) => *coordinates,
            };
            Some((PlaceKindShape::Geoproximity, at))
        }
        RoutingPolicy::Geolocation { location } => {
            let at = match *location {
                GeoLocation::Continent(continent) => Some(middle(continent)),
                GeoLocation::Country(country) => centroid(country),
                GeoLocation::Subdivision(country, subdivision) => subdivision_centroid(country, subdivision),
                GeoLocation::Default => None,
            };
            at.map(|at| (PlaceKindShape::Geolocation, at))
        }
        _ => None,
    }
}

/// A point near the middle of a continent.
fn middle(continent: Continent) -> Coordinates {
    let (latitude, longitude) = match continent {
        Continent::Africa => (2.0, 20.0),
        Continent::Antarctica => (-75.0, 0.0),
        Continent::Asia => (45.0, 90.0),
        Continent::Europe => (50.0, 15.0),
        Continent::NorthAmerica => (46.0, -100.0),
        Continent::Oceania => (-25.0, 134.0),
        Continent::SouthAmerica => (-15.0, -58.0),
    };
    Coordinates { latitude, longitude }
}
