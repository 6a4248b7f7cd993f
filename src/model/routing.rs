//! The eight routing policies, as a record set carries them.

use std::fmt;

use super::{CidrCollectionId, Coordinates, GeoLocation, Region};

/// How a record set is chosen among its group. In Route 53 no field says so; it follows from which element is present
/// (API ResourceRecordSet).
#[derive(Clone, Debug, PartialEq)]
pub enum RoutingPolicy {
    /// The only set of its name and type.
    Simple,
    /// A share of the answers: weight over the sum of weights. 0..=255.
    Weighted {
        /// 0 is a standby that answers when no positive weight is healthy.
        weight: u8,
    },
    /// The region with the lowest latency to the client.
    Latency {
        /// Where this set's resource is declared to be.
        region: Region,
    },
    /// The primary while it is healthy, else the secondary.
    Failover {
        /// Which of the two.
        role: FailoverRole,
    },
    /// The smallest area that holds the client.
    Geolocation {
        /// The area this set is for.
        location: GeoLocation,
    },
    /// The smallest biased distance to the client.
    Geoproximity {
        /// Where this set's resource is.
        location: GeoproximityLocation,
        /// -99..=99; positive attracts clients from farther away.
        bias: i8,
    },
    /// Up to eight healthy sets at random.
    MultivalueAnswer,
    /// The longest CIDR block that holds the client.
    IpBased {
        /// Whose blocks decide.
        collection: CidrCollectionId,
        /// The location within it; `None` is the default, written `*`.
        location: Option<String>,
    },
}

impl RoutingPolicy {
    /// The name with its article, such as "an IP-based".
    pub fn name_with_article(&self) -> String {
        let article = if matches!(self, RoutingPolicy::IpBased { .. }) { "an" } else { "a" };
        format!("{article} {}", self.name())
    }

    /// The policy's name in the Developer Guide, in lower case.
    pub fn name(&self) -> &'static str {
        match self {
            RoutingPolicy::Simple => "simple",
            RoutingPolicy::Weighted { .. } => "weighted",
            RoutingPolicy::Latency { .. } => "latency",
            RoutingPolicy::Failover { .. } => "failover",
            RoutingPolicy::Geolocation { .. } => "geolocation",
            RoutingPolicy::Geoproximity { .. } => "geoproximity",
            RoutingPolicy::MultivalueAnswer => "multivalue answer",
            RoutingPolicy::IpBased { .. } => "IP-based",
        }
    }
}

/// The two sides of a failover pair (API Failover).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailoverRole {
    /// Answered while it is healthy, and when both are not.
    Primary,
    /// Answered while the primary is unhealthy and it is not.
    Secondary,
}

/// Where a geoproximity set's resource is (API GeoProximityLocation).
#[derive(Clone, Debug, PartialEq)]
pub enum GeoproximityLocation {
    /// At an AWS region's coordinates.
    Region(Region),
    /// At a local zone group's, such as `us-west-2-den-1`.
    LocalZoneGroup {
        /// The group's code, the zone's without its last letter.
        name: String,
        /// Where it is.
        coordinates: Coordinates,
    },
    /// Anywhere.
    Coordinates(Coordinates),
}

/// `eu-central-1`, `us-west-2-den-1`, `52.52, 13.40`.
impl fmt::Display for GeoproximityLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GeoproximityLocation::Region(region) => region.fmt(f),
            GeoproximityLocation::LocalZoneGroup { name, .. } => f.write_str(name),
            GeoproximityLocation::Coordinates(at) => write!(f, "{:.2}, {:.2}", at.latitude, at.longitude),
        }
    }
}
