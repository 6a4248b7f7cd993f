//! Locations: continents, countries, subdivisions, coordinates, AWS regions, and client networks.

use std::fmt;

use ipnet::IpNet;

/// Coordinates in degrees; south and west are negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coordinates {
    /// -90..=90.
    pub latitude: f64,
    /// -180..=180.
    pub longitude: f64,
}

/// A continent, by Route 53's definition (API GeoLocation ContinentCode).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Continent {
    /// AF
    Africa,
    /// AN
    Antarctica,
    /// AS
    Asia,
    /// EU
    Europe,
    /// NA
    NorthAmerica,
    /// OC
    Oceania,
    /// SA
    SouthAmerica,
}

impl Continent {
    /// All seven, by code.
    pub const ALL: [Continent; 7] = [
        Continent::Africa,
        Continent::Antarctica,
        Continent::Asia,
        Continent::Europe,
        Continent::NorthAmerica,
        Continent::Oceania,
        Continent::SouthAmerica,
    ];

    /// The two-letter code.
    pub fn code(self) -> &'static str {
        match self {
            Continent::Africa => "AF",
            Continent::Antarctica => "AN",
            Continent::Asia => "AS",
            Continent::Europe => "EU",
            Continent::NorthAmerica => "NA",
            Continent::Oceania => "OC",
            Continent::SouthAmerica => "SA",
        }
    }

    /// The continent with this code, in upper case.
    pub fn from_code(code: &str) -> Option<Continent> {
        Continent::ALL.into_iter().find(|continent| continent.code() == code)
    }
}

/// A country by its ISO 3166-1 alpha-2 code, two upper-case letters.
/// [`geography`](super::geography) has the list of codes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country(pub [u8; 2]);

impl Country {
    /// Two upper-case letters as a country; `None` for anything else.
    pub fn from_code(code: &str) -> Option<Country> {
        let bytes: [u8; 2] = code.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_uppercase).then_some(Country(bytes))
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", char::from(self.0[0]), char::from(self.0[1]))
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A subdivision of a country by its code without the country: `CA` for California, `30` for Kyiv.
/// One to three upper-case letters or digits, padded with zero octets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subdivision(pub [u8; 3]);

impl Subdivision {
    /// One to three upper-case letters or digits; `None` for anything else.
    pub fn from_code(code: &str) -> Option<Subdivision> {
        let bytes = code.as_bytes();
        let legal =
            (1..=3).contains(&bytes.len()) && bytes.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if !legal {
            return None;
        }
        let mut padded = [0; 3];
        padded[..bytes.len()].copy_from_slice(bytes);
        Some(Subdivision(padded))
    }
}

impl fmt::Display for Subdivision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().filter(|&&b| b != 0).try_for_each(|&b| write!(f, "{}", char::from(b)))
    }
}

impl fmt::Debug for Subdivision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The area of a geolocation record set (API GeoLocation).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GeoLocation {
    /// A whole continent.
    Continent(Continent),
    /// A country.
    Country(Country),
    /// A part of a country.
    Subdivision(Country, Subdivision),
    /// All other clients, and clients that cannot be located; written `country = "*"`.
    Default,
}

macro_rules! regions {
    ($($text:literal $latitude:literal $longitude:literal $country:literal $subdivision:literal;)*) => {
        /// Every region that Route 53 supports, ordered by name: name, latitude, longitude,
        /// country, subdivision or "".
        const REGIONS: &[(&str, f64, f64, &str, &str)] = &[$(($text, $latitude, $longitude, $country, $subdivision),)*];
    };
}

// Coordinates are this project's own, to city level, because AWS publishes none. Ordered by name.
regions! {
    "af-south-1" -33.92 18.42 "ZA" "";
    "ap-east-1" 22.32 114.17 "HK" "";
    "ap-east-2" 25.03 121.57 "TW" "";
    "ap-northeast-1" 35.68 139.69 "JP" "";
    "ap-northeast-2" 37.57 126.98 "KR" "";
    "ap-northeast-3" 34.69 135.50 "JP" "";
    "ap-south-1" 19.08 72.88 "IN" "";
    "ap-south-2" 17.39 78.49 "IN" "";
    "ap-southeast-1" 1.35 103.82 "SG" "";
    "ap-southeast-2" -33.87 151.21 "AU" "";
    "ap-southeast-3" -6.21 106.85 "ID" "";
    "ap-southeast-4" -37.81 144.96 "AU" "";
    "ap-southeast-5" 3.14 101.69 "MY" "";
    "ap-southeast-6" -36.85 174.76 "NZ" "";
    "ap-southeast-7" 13.76 100.50 "TH" "";
    "ca-central-1" 45.50 -73.57 "CA" "";
    "ca-west-1" 51.05 -114.07 "CA" "";
    "cn-north-1" 39.90 116.41 "CN" "";
    "cn-northwest-1" 38.47 106.27 "CN" "";
    "eu-central-1" 50.11 8.68 "DE" "";
    "eu-central-2" 47.38 8.54 "CH" "";
    "eu-north-1" 59.33 18.07 "SE" "";
    "eu-south-1" 45.46 9.19 "IT" "";
    "eu-south-2" 41.65 -0.88 "ES" "";
    "eu-west-1" 53.35 -6.26 "IE" "";
    "eu-west-2" 51.51 -0.13 "GB" "";
    "eu-west-3" 48.86 2.35 "FR" "";
    "eusc-de-east-1" 52.40 13.06 "DE" "";
    "il-central-1" 32.09 34.78 "IL" "";
    "me-central-1" 25.20 55.27 "AE" "";
    "me-south-1" 26.07 50.56 "BH" "";
    "mx-central-1" 20.59 -100.39 "MX" "";
    "sa-east-1" -23.55 -46.63 "BR" "";
    "us-east-1" 38.95 -77.45 "US" "VA";
    "us-east-2" 39.96 -83.00 "US" "OH";
    "us-gov-east-1" 39.96 -83.00 "US" "OH";
    "us-gov-west-1" 45.52 -122.68 "US" "OR";
    "us-west-1" 37.35 -121.96 "US" "CA";
    "us-west-2" 45.87 -119.69 "US" "OR";
}

/// One of the 39 AWS regions (API ResourceRecordSetRegion): an index into a table ordered by name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(u8);

impl Region {
    /// The number of regions.
    pub const COUNT: usize = REGIONS.len();

    /// All regions, ordered by name.
    pub fn all() -> impl Iterator<Item = Region> {
        (0..REGIONS.len()).filter_map(|index| u8::try_from(index).ok()).map(Region)
    }

    /// The region with this name.
    pub fn from_name(name: &str) -> Option<Region> {
        Region::all().find(|region| region.name() == name)
    }

    /// The name, such as `eu-central-1`.
    pub fn name(self) -> &'static str {
        REGIONS[self.index()].0
    }

    /// The coordinates of the region's city.
    pub fn coordinates(self) -> Coordinates {
        let (_, latitude, longitude, ..) = REGIONS[self.index()];
        Coordinates { latitude, longitude }
    }

    /// The country of the region.
    pub fn country(self) -> Country {
        Country::from_code(REGIONS[self.index()].3).expect("the table has two capital letters")
    }

    /// The US state of the region.
    pub fn subdivision(self) -> Option<Subdivision> {
        Subdivision::from_code(REGIONS[self.index()].4)
    }

    /// The index, 0..COUNT, in the order of the names.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The location of a network, set by the user: `[[location.network]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct LocationNetwork {
    /// The client network.
    pub cidr: IpNet,
    /// The country; the continent follows from it.
    pub country: Option<Country>,
    /// The subdivision of the country.
    pub subdivision: Option<Subdivision>,
    /// The coordinates.
    pub coordinates: Option<Coordinates>,
    /// The AWS region of the clients, which is the nearest for them.
    pub region: Option<Region>,
}

/// Measured round-trip times: `[[location.latency]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyRow {
    /// The clients that they apply to.
    pub clients: LatencyClients,
    /// Milliseconds to each measured region.
    pub round_trip_ms: Vec<(Region, f64)>,
}

/// The clients of a latency row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LatencyClients {
    /// Clients in a network. The longest prefix wins; it takes precedence over country and region.
    Cidr(IpNet),
    /// Clients in a country. It takes precedence over region.
    Country(Country),
    /// Clients in a region, by `[[location.network]]` or by their VPC.
    Region(Region),
}

/// A named collection of CIDR blocks (API CidrCollection).
#[derive(Clone, Debug, PartialEq)]
pub struct CidrCollection {
    /// The id, a lower-case UUID.
    pub id: CidrCollectionId,
    /// The name, 1 to 64 of `[0-9A-Za-z_-]`.
    pub name: String,
    /// What the creator identified the creation by (API CallerReference).
    pub caller_reference: Option<String>,
    /// The number of this definition: 1, and one more with each change (API CollectionVersion).
    pub version: u64,
    /// Location names and their blocks. A block is in one location only.
    pub locations: Vec<(String, Vec<IpNet>)>,
}

/// The id of a CIDR collection, a lower-case UUID.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CidrCollectionId(pub String);

/// A VPC: named client networks for private zones.
#[derive(Clone, Debug, PartialEq)]
pub struct Vpc {
    /// The id, such as `vpc-lab1`.
    pub id: VpcId,
    /// The AWS region of its clients, in private zones.
    pub region: Region,
    /// The networks of its clients. A block belongs to one VPC only.
    pub cidrs: Vec<IpNet>,
}

/// The id of a VPC.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VpcId(pub String);
