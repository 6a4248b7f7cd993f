//! Locations of clients and records: `/v1/places`.

use serde::{Deserialize, Serialize};

/// The response of `GET /v1/places`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlacesShape {
    /// Networks of the settings that have a location.
    pub(crate) clients: Vec<ClientPlaceShape>,
    /// Measured round trips of the settings.
    pub(crate) round_trips: Vec<RoundTripsShape>,
    /// Locations in record sets.
    pub(crate) records: Vec<RecordPlaceShape>,
    /// Zones that were not read: beyond the limit of record sets, or with an unreadable file.
    pub(crate) left_out: Vec<String>,
}

/// A client network with a location.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClientPlaceShape {
    /// The network.
    pub(crate) network: String,
    /// An address in it to query as.
    pub(crate) from: String,
    /// The location in words.
    pub(crate) place: String,
    /// The VPC, if it is the network of one.
    pub(crate) vpc: Option<String>,
    /// Degrees north.
    pub(crate) latitude: Option<f64>,
    /// Degrees east.
    pub(crate) longitude: Option<f64>,
    /// True if the settings have coordinates; false if the point is the middle of the area.
    pub(crate) is_exact: bool,
}

/// Measured round trips.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RoundTripsShape {
    /// The clients: a network, a country or a region.
    pub(crate) clients: String,
    /// Round trip in milliseconds, by region.
    pub(crate) milliseconds: std::collections::BTreeMap<String, f64>,
}

/// A location in record sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RecordPlaceShape {
    /// The policy.
    pub(crate) kind: PlaceKindShape,
    /// A region, a country or coordinates, in words.
    pub(crate) place: String,
    /// Degrees north; the middle of an area.
    pub(crate) latitude: f64,
    /// Degrees east.
    pub(crate) longitude: f64,
    /// The record sets, the first 20.
    pub(crate) records: Vec<PlacedRecordShape>,
    /// Number of record sets.
    pub(crate) record_count: usize,
}

/// The policy by which a record set has a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PlaceKindShape {
    /// A region.
    Latency,
    /// A region, a local zone group, coordinates.
    Geoproximity,
    /// An area.
    Geolocation,
}

/// A record set with a location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlacedRecordShape {
    /// The name.
    pub(crate) name: String,
    /// The type.
    #[serde(rename = "type")]
    pub(crate) record_type: String,
    /// Its set identifier.
    pub(crate) set_identifier: Option<String>,
}
