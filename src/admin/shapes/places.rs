//! Locations of clients and records: `/v1/places`.

use serde::{Deserialize, Serialize};

/// The response of `GET /v1/places`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlacesShape {
    /// Networks of the settings that have a location.
    pub clients: Vec<ClientPlaceShape>,
    /// Measured round trips of the settings.
    pub round_trips: Vec<RoundTripsShape>,
    /// Locations in record sets.
    pub records: Vec<RecordPlaceShape>,
    /// Zones that were not read: beyond the limit of record sets, or with an unreadable file.
    pub left_out: Vec<String>,
}

/// A client network with a location.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClientPlaceShape {
    /// The network.
    pub network: String,
    /// An address in it to query as.
    pub from: String,
    /// The location in words.
    pub place: String,
    /// The VPC, if it is the network of one.
    pub vpc: Option<String>,
    /// Degrees north.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// True if the settings have coordinates; false if the point is the middle of the area.
    pub is_exact: bool,
}

/// Measured round trips.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundTripsShape {
    /// The clients: a network, a country or a region.
    pub clients: String,
    /// Round trip in milliseconds, by region.
    pub milliseconds: std::collections::BTreeMap<String, f64>,
}

/// A location in record sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordPlaceShape {
    /// The policy.
    pub kind: PlaceKindShape,
    /// A region, a country or coordinates, in words.
    pub place: String,
    /// Degrees north; the middle of an area.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// The record sets, the first 20.
    pub records: Vec<PlacedRecordShape>,
    /// Number of record sets.
    pub record_count: usize,
}

/// The policy by which a record set has a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlaceKindShape {
    /// A region.
    Latency,
    /// A region, a local zone group, coordinates.
    Geoproximity,
    /// An area.
    Geolocation,
}

/// A record set with a location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedRecordShape {
    /// The name.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub record_type: String,
    /// Its set identifier.
    pub set_identifier: Option<String>,
}
