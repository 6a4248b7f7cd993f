//! The eight routing policies of record sets.

use std::fmt;

use super::{CidrCollectionId, Coordinates, GeoLocation, Region};

/// The routing policy of a record set. In Route 53 it follows from which element is present (API
/// ResourceRecordSet).
#[derive(Clone, Debug, PartialEq)]
pub enum RoutingPolicy {
    /// The only set of its name and type.
    Simple,
    /// A share of the answers: the weight over the sum of weights.
    Weighted {
        /// The weight, 0..=255. Sets with weight 0 are used when no set with a positive weight is
        /// healthy.
        weight: u8,
    },
    /// The region with the lowest latency to the client.
    Latency {
        /// The AWS region of this set's resource.
        region: Region,
    },
    /// The primary while it is healthy, else the secondary.
    Failover {
        /// Which of the two.
        role: FailoverRole,
    },
    /// The smallest area that contains the client.
    Geolocation {
        /// The area of this set.
        location: GeoLocation,
    },
    /// The smallest biased distance to the client.
    Geoproximity {
        /// The location of this set's resource.
        location: GeoproximityLocation,
        /// -99..=99; positive attracts clients from farther away.
        bias: i8,
    },
    /// Up to eight healthy sets at random.
    MultivalueAnswer,
    /// The longest CIDR block that contains the client.
    IpBased {
        /// The CIDR collection.
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
    /// Used while it is healthy, and when both are unhealthy.
    Primary,
    /// Used while it is healthy and the primary is not.
    Secondary,
}

/// The location of a geoproximity set's resource (API GeoProximityLocation).
#[derive(Clone, Debug, PartialEq)]
pub enum GeoproximityLocation {
    /// At an AWS region's coordinates.
    Region(Region),
    /// At a local zone group's coordinates, such as `us-west-2-den-1`.
    LocalZoneGroup {
        /// The group's code: a zone's code without the last letter.
        name: String,
        /// Its coordinates.
        coordinates: Coordinates,
    },
    /// At any coordinates.
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
