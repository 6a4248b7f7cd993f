//! Databases in MaxMind format (mmdb), read completely when they are loaded.
//!
//! Supported layouts are GeoIP2 and GeoLite2 City and Country, and the flat one of ip-location-db
//! with a `country_code`. Loading visits every network of the file, decodes every distinct record
//! once into our own prefix table, and then releases the file. So a lookup decodes and allocates
//! nothing, its depth is the exact ECS scope (the networks of the file are smaller than the
//! locations in them), and a broken file fails when it is loaded, never while answering.
//!
//! A city database has some hundred thousand locations. Clients from all over the world would need
//! more of them than a cache holds. So a location is stored in 16 bytes, and the common fields of
//! the locations of one area are stored separately.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use arrayvec::ArrayVec;
use ipnet::IpNet;
use maxminddb::{LookupResult, MaxMindDbError, PathElement, Reader, WithinOptions, path};

use super::prefix::TableBuilder;
use super::{Location, Point, PrefixTable};
use crate::model::geography;
use crate::model::{Continent, Coordinates, Country, PrefixLength, Subdivision};
use crate::prefetch::{SIDE_BY_SIDE, fetch};

/// The locations of one database.
#[derive(Debug)]
pub struct Database {
    name: String,
    kind: String,
    built_at: u64,
    locations: PrefixTable<StoredLocation>,
    areas: Box<[Area]>,
}

/// A stored location. Its coordinates are precise to within a metre.
#[derive(Clone, Copy, Debug, PartialEq)]
struct StoredLocation {
    /// A unit vector; `NOWHERE` if unknown.
    point: [f32; 3],
    /// The index of its area.
    area: u32,
}

/// The value for an unknown point. It is not a unit vector.
const NOWHERE: [f32; 3] = [0.0; 3];

/// The common fields of many locations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Area {
    continent: Option<Continent>,
    country: Option<Country>,
    subdivision: Option<Subdivision>,
}

/// The error for an unusable database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Not in MaxMind format, truncated or damaged.
    #[error("{name}: not a whole MaxMind database: {reason}")]
    Broken {
        /// As given to `from_bytes`.
        name: String,
        /// The error of the decoder.
        reason: String,
    },
    /// A database without locations.
    #[error(
        "{name}: a database of kind {kind:?} without locations in it; read are GeoIP2 and GeoLite2 City and Country, \
         and databases with a country_code, as those of ip-location-db"
    )]
    OtherKind {
        /// As given to `from_bytes`.
        name: String,
        /// The type in its metadata, such as `GeoLite2-ASN`.
        kind: String,
    },
}

impl Database {
    /// Reads a whole database. `name` is used in messages.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Database, DatabaseError> {
        let broken = |error: MaxMindDbError| DatabaseError::Broken { name: name.to_owned(), reason: error.to_string() };
        let reader = Reader::from_source(bytes).map_err(broken)?;
        let kind = reader.metadata().database_type.clone();
        let built_at = reader.metadata().build_epoch;
        let (locations, areas) = flatten(&reader).map_err(broken)?;
        if locations.is_empty() {
            return Err(DatabaseError::OtherKind { name: name.to_owned(), kind });
        }
        Ok(Database { name: name.to_owned(), kind, built_at, locations, areas })
    }

    /// As given to `from_bytes`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type in its metadata, such as `GeoLite2-City`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The build time of the file, in seconds since 1970.
    pub fn built_at(&self) -> u64 {
        self.built_at
    }

    /// The memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.locations.bytes() + size_of_val(&*self.areas)
    }

    /// The number of address intervals with one location.
    pub fn intervals(&self) -> usize {
        self.locations.intervals()
    }

    /// All addresses with a known location: first address, last address and location of each
    /// interval.
    pub fn ranges(&self) -> impl Iterator<Item = (IpAddr, IpAddr, Location)> {
        self.locations.ranges().map(|(first, last, stored)| (first, last, self.location(stored)))
    }

    /// The location of an address, if known, and the number of its leading bits that decide it.
    #[inline]
    pub(super) fn lookup(&self, address: IpAddr) -> (Option<Location>, PrefixLength) {
        let hit = self.locations.lookup(address);
        (hit.value.map(|stored| self.location(stored)), hit.depth)
    }

    /// The same for up to `SIDE_BY_SIDE` addresses, in their order.
    pub(super) fn lookup_each(&self, addresses: &[IpAddr]) -> ArrayVec<(Option<Location>, PrefixLength), SIDE_BY_SIDE> {
        let hits = self.locations.lookup_each(addresses);
        fetch(hits.iter().filter_map(|hit| Some(hit.value?.area.into())));
        hits.into_iter().map(|hit| (hit.value.map(|stored| self.location(stored)), hit.depth)).collect()
    }

    #[inline]
    fn location(&self, stored: &StoredLocation) -> Location {
        let Area { continent, country, subdivision } = self.areas[stored.area as usize];
        let point = (stored.point != NOWHERE).then(|| Point::from(stored.point));
        Location { continent, country, subdivision, point, ..Location::default() }
    }
}

type Record<'r> = LookupResult<'r, Vec<u8>>;

/// Visits every network of the file.
fn flatten(reader: &Reader<Vec<u8>>) -> Result<(PrefixTable<StoredLocation>, Box<[Area]>), MaxMindDbError> {
    // The iterator skips the aliases of the IPv4 tree (2002::/16, ::ffff:0:0/96): clients never
    // have these addresses.
    let networks = reader.networks(WithinOptions::default().include_networks_without_data())?;
    let mut table = TableBuilder::default();
    let mut locations = DistinctLocations::default();
    // A tree has one leaf more than nodes. A damaged one may share its nodes so that a walk never
    // ends.
    let most = u64::from(reader.metadata().node_count) * 3 + 2;
    for (visited, record) in (0..).zip(networks) {
        if visited > most {
            return Err(MaxMindDbError::invalid_database("the search tree has more leaves than its nodes allow"));
        }
        let record = record?;
        let Some(location) = locations.number_of(&record)? else { continue };
        for network in networks_of(&record)?.into_iter().flatten() {
            let out_of_order = |_| MaxMindDbError::invalid_database("the search tree's networks overlap");
            table.push(network, location).map_err(out_of_order)?;
        }
    }
    Ok((table.finish(locations.locations), locations.areas.into_boxed_slice()))
}

/// The network of a record. A network of an IPv6 tree above the IPv4 tree at ::/96 applies to every
/// IPv4 client too.
fn networks_of(record: &Record<'_>) -> Result<[Option<IpNet>; 2], MaxMindDbError> {
    const ABOVE_IPV4: u8 = 96;
    let network = record.network()?;
    let (address, length) = (network.network(), network.prefix());
    let net = IpNet::new(address, length).ok();
    let holds_ipv4 = address.is_ipv6() && address.is_unspecified() && length <= ABOVE_IPV4;
    Ok([net, holds_ipv4.then(|| IpNet::new_assert(Ipv4Addr::UNSPECIFIED.into(), 0))])
}

/// The distinct locations of a file. Many networks share a record, and many records (cities without
/// coordinates, other languages) share a location.
#[derive(Default)]
struct DistinctLocations {
    locations: Vec<StoredLocation>,
    areas: Vec<Area>,
    by_offset: HashMap<usize, Option<u32>>,
    by_content: HashMap<LocationKey, u32>,
    by_area: HashMap<Area, u32>,
}

type LocationKey = (Area, [u32; 3]);

impl DistinctLocations {
    /// The index of the location of a record; `None` if it contains no location.
    fn number_of(&mut self, record: &Record<'_>) -> Result<Option<u32>, MaxMindDbError> {
        let Some(offset) = record.offset() else { return Ok(None) };
        if let Some(known) = self.by_offset.get(&offset) {
            return Ok(*known);
        }
        let number = RecordFields::of_record(record)?.map(|fields| self.number(&fields.location()));
        self.by_offset.insert(offset, number);
        Ok(number)
    }

    fn number(&mut self, location: &Location) -> u32 {
        let Location { continent, country, subdivision, point, .. } = *location;
        let area = Area { continent, country, subdivision };
        let point = point.map_or(NOWHERE, <[f32; 3]>::from);
        *self.by_content.entry((area, point.map(f32::to_bits))).or_insert_with(|| {
            let area = *self.by_area.entry(area).or_insert_with(|| pushed(&mut self.areas, area));
            pushed(&mut self.locations, StoredLocation { point, area })
        })
    }
}

/// Adds an element and returns its index.
fn pushed<T>(list: &mut Vec<T>, element: T) -> u32 {
    list.push(element);
    u32::try_from(list.len() - 1).expect("a file has fewer than 2^32 records")
}

/// Reads the location of a record.
#[derive(Debug, Default, PartialEq)]
struct RecordFields {
    continent: Option<Continent>,
    country: Option<Country>,
    subdivision: Option<Subdivision>,
    coordinates: Option<Coordinates>,
}

impl RecordFields {
    fn of_record(record: &Record<'_>) -> Result<Option<RecordFields>, MaxMindDbError> {
        let country = match read::<&str>(record, &path!["country", "iso_code"])? {
            Some(code) => Some(code),
            None => read::<&str>(record, &path!["country_code"])?,
        };
        let country = country.and_then(Country::from_code).filter(|&country| geography::is_country(country));
        let subdivision = read::<&str>(record, &path!["subdivisions", 0, "iso_code"])?;
        let fields = RecordFields {
            continent: read::<&str>(record, &path!["continent", "code"])?.and_then(Continent::from_code),
            country,
            subdivision: country
                .zip(subdivision)
                .and_then(|(country, code)| geography::subdivision_from_iso(country, code)),
            coordinates: coordinates_of(record)?,
        };
        Ok((fields != RecordFields::default()).then_some(fields))
    }

    fn location(&self) -> Location {
        let location = Location { continent: self.continent, ..Location::default() };
        location.in_country(self.country, self.subdivision).at(self.coordinates)
    }
}

fn coordinates_of(record: &Record<'_>) -> Result<Option<Coordinates>, MaxMindDbError> {
    let latitude = read::<f64>(record, &path!["location", "latitude"])?;
    let longitude = read::<f64>(record, &path!["location", "longitude"])?;
    let coordinates = latitude.zip(longitude).map(|(latitude, longitude)| Coordinates { latitude, longitude });
    let on_the_globe =
        |at: &Coordinates| (-90.0..=90.0).contains(&at.latitude) && (-180.0..=180.0).contains(&at.longitude);
    Ok(coordinates.filter(on_the_globe))
}

/// The value at a path. A value of another type counts as absent (some files have a plain string as
/// `country`). Only a value that cannot be decoded makes the file invalid.
fn read<'r, T: serde::Deserialize<'r>>(
    record: &Record<'r>,
    path: &[PathElement<'_>],
) -> Result<Option<T>, MaxMindDbError> {
    match record.decode_path(path) {
        Err(MaxMindDbError::Decoding { .. }) => Ok(None),
        result => result,
    }
}
