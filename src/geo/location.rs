//! The location of a client and its source.

use super::Point;
use crate::model::geography;
use crate::model::{Continent, Coordinates, Country, LocationNetwork, PrefixLength, Region, Subdivision};

/// The location of a client. Unknown fields are `None`; for a client that cannot be located all
/// are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Location {
    /// The continent of the country in the geographic tables. The continent of a database is used
    /// only if the database has no country of these tables.
    pub continent: Option<Continent>,
    /// A country that Route 53 lists.
    pub country: Option<Country>,
    /// A subdivision that Route 53 lists for the country.
    pub subdivision: Option<Subdivision>,
    /// The most exact known point: given coordinates, the region, or the centre of the subdivision
    /// or country.
    pub point: Option<Point>,
    /// The region of the client.
    pub region: Option<Region>,
    /// The source.
    pub source: LocationSource,
    /// The number of leading address bits that decide the location (the scope of RFC 7871): the
    /// longest that any searched table needed. It may exceed the prefix of the client.
    pub scope: PrefixLength,
}

/// The source of a location.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocationSource {
    /// No source.
    #[default]
    Unknown,
    /// `[[location.network]]`.
    Network,
    /// The database with this index (see `GeoLookup::databases`).
    Database(u16),
    /// The region of the client's VPC.
    Vpc,
}

impl Location {
    /// The location of a configured network. A region provides missing fields: the coordinates, and
    /// the country with its subdivision if no country is given.
    pub(super) fn of_network(network: &LocationNetwork) -> Location {
        let implied = |of: fn(Region) -> Option<Subdivision>| network.region.and_then(of);
        let (country, subdivision) = match network.country {
            Some(country) => (Some(country), network.subdivision),
            None => (network.region.map(Region::country), network.subdivision.or_else(|| implied(Region::subdivision))),
        };
        let location = Location { region: network.region, source: LocationSource::Network, ..Location::default() };
        location.in_country(country, subdivision).at(network.coordinates)
    }

    /// Clients of a private zone count as being in the region of their VPC (Developer Guide,
    /// "Geolocation routing", "Latency-based routing" for private hosted zones). Their address has
    /// no influence, so the scope is 0.
    pub(super) fn in_vpc(region: Region) -> Location {
        let location = Location { region: Some(region), source: LocationSource::Vpc, ..Location::default() };
        location.in_country(Some(region.country()), region.subdivision()).at(None)
    }

    /// Sets the country with its continent, and the subdivision if there is a country.
    pub(super) fn in_country(self, country: Option<Country>, subdivision: Option<Subdivision>) -> Location {
        let continent = country.and_then(geography::continent_of).or(self.continent);
        Location { country, continent, subdivision: country.and(subdivision), ..self }
    }

    /// Sets the coordinates, or else those of the region, or else the centre of the subdivision or
    /// country.
    pub(super) fn at(self, coordinates: Option<Coordinates>) -> Location {
        let given = coordinates.or_else(|| self.region.map(Region::coordinates));
        Location { point: given.or_else(|| self.centre()).map(Point::from), ..self }
    }

    fn centre(&self) -> Option<Coordinates> {
        let country = self.country?;
        let subdivision = self.subdivision.and_then(|part| geography::subdivision_centroid(country, part));
        subdivision.or_else(|| geography::centroid(country))
    }
}
