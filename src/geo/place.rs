//! The place of a client and its source.

use super::Point;
use crate::model::geography;
use crate::model::{Continent, Coordinates, Country, LocationNetwork, PrefixLength, Region, Subdivision};

/// The place of a client. Unknown fields are `None`; for a client that cannot be located all are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
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
    pub source: PlaceSource,
    /// The number of leading address bits that decide the place (the scope of RFC 7871): the
    /// longest that any searched table needed. It may exceed the prefix of the client.
    pub scope: PrefixLength,
}

/// The source of a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlaceSource {
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

impl Place {
    /// The place of a configured network. A region provides missing fields: the coordinates, and
    /// the country with its subdivision if no country is given.
    pub(super) fn of_network(network: &LocationNetwork) -> Place {
        let implied = |of: fn(Region) -> Option<Subdivision>| network.region.and_then(of);
        let (country, subdivision) = match network.country {
            Some(country) => (Some(country), network.subdivision),
            None => (network.region.map(Region::country), network.subdivision.or_else(|| implied(Region::subdivision))),
        };
        let place = Place { region: network.region, source: PlaceSource::Network, ..Place::default() };
        place.in_country(country, subdivision).at(network.coordinates)
    }

    /// Clients of a private zone count as being in the region of their VPC (Developer Guide,
    /// "Geolocation routing", "Latency-based routing" for private hosted zones). Their address has
    /// no influence, so the scope is 0.
    pub(super) fn in_vpc(region: Region) -> Place {
        let place = Place { region: Some(region), source: PlaceSource::Vpc, ..Place::default() };
        place.in_country(Some(region.country()), region.subdivision()).at(None)
    }

    /// Sets the country with its continent, and the subdivision if there is a country.
    pub(super) fn in_country(self, country: Option<Country>, subdivision: Option<Subdivision>) -> Place {
        let continent = country.and_then(geography::continent_of).or(self.continent);
        Place { country, continent, subdivision: country.and(subdivision), ..self }
    }

    /// Sets the coordinates, or else those of the region, or else the centre of the subdivision or
    /// country.
    pub(super) fn at(self, coordinates: Option<Coordinates>) -> Place {
        let given = coordinates.or_else(|| self.region.map(Region::coordinates));
        Place { point: given.or_else(|| self.centre()).map(Point::from), ..self }
    }

    fn centre(&self) -> Option<Coordinates> {
        let country = self.country?;
        let subdivision = self.subdivision.and_then(|part| geography::subdivision_centroid(country, part));
        subdivision.or_else(|| geography::centroid(country))
    }
}
