//! Where a client is, as far as anybody knows, and who knew it.

use super::Point;
use crate::model::geography;
use crate::model::{Continent, Coordinates, Country, LocationNetwork, Region, Subdivision};

/// Where a client is. What is not known is `None`; nothing at all for a client that cannot be located.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// The country's by the atlas; a database's own only when it names no country of the atlas.
    pub continent: Option<Continent>,
    /// One that Route 53 lists.
    pub country: Option<Country>,
    /// One that Route 53 lists for the country.
    pub subdivision: Option<Subdivision>,
    /// As exactly as known: given coordinates, the region's, or the centre of the subdivision or country.
    pub point: Option<Point>,
    /// The region that the client counts as being in.
    pub region: Option<Region>,
    /// Who said so.
    pub source: PlaceSource,
    /// How many leading bits of the client's address decided all this (the scope of RFC 7871): the longest that any of the
    /// tables consulted on the way needed. It may exceed the prefix that the client was given by.
    pub scope: u8,
}

/// Who said where a client is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlaceSource {
    /// Nobody.
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
    /// What the user says of a network. A region stands in for what is not said: its coordinates, and its country with
    /// the subdivision when no country is given.
    pub(super) fn of_network(network: &LocationNetwork) -> Place {
        let implied = |of: fn(Region) -> Option<Subdivision>| network.region.and_then(of);
        let (country, subdivision) = match network.country {
            Some(country) => (Some(country), network.subdivision),
            None => (network.region.map(Region::country), network.subdivision.or_else(|| implied(Region::subdivision))),
        };
        let place = Place { region: network.region, source: PlaceSource::Network, ..Place::default() };
        place.in_country(country, subdivision).at(network.coordinates)
    }

    /// Clients of a private zone count as being where their VPC's region is (Developer Guide, "Geolocation routing",
    /// "Latency-based routing" for private hosted zones). Their address decides nothing, so the scope is 0.
    pub(super) fn in_vpc(region: Region) -> Place {
        let place = Place { region: Some(region), source: PlaceSource::Vpc, ..Place::default() };
        place.in_country(Some(region.country()), region.subdivision()).at(None)
    }

    /// With the country and its continent, and the subdivision when there is a country.
    pub(super) fn in_country(self, country: Option<Country>, subdivision: Option<Subdivision>) -> Place {
        let continent = country.and_then(geography::continent_of).or(self.continent);
        Place { country, continent, subdivision: country.and(subdivision), ..self }
    }

    /// With the coordinates, else the region's, else the centre of the subdivision or country.
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
