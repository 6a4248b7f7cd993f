//! Worlds for unit tests.

use std::sync::Arc;

use crate::geo::GeoLookup;
use crate::health::{CheckBits, CheckSlot};
use crate::model::{HostedZone, Region, Vpc, VpcId, ZoneIdentity};
use crate::policy::CidrTables;
use crate::world::{Catalog, ServedZone, World};
use crate::zonetree::Zone;
pub(crate) use crate::zonetree::fixture::{
    lab, lab_with_resource, member, name, primary, record_group, secondary, set, slot_of,
};

/// The world of these zones with these checks unhealthy. No client has a known location;
/// 10.53.0.0/16 is `vpc-lab1`.
pub(crate) fn world(zones: &[HostedZone], unhealthy: &[u32]) -> World {
    with_unavailable(zones, unhealthy, &[])
}

/// The same, with zones that answer SERVFAIL.
pub(crate) fn with_unavailable(zones: &[HostedZone], unhealthy: &[u32], unavailable: &[ZoneIdentity]) -> World {
    let compile = |zone: &HostedZone| Arc::new(Zone::compile(zone, &slot_of, &CidrTables::default()));
    let served = zones.iter().map(|zone| ServedZone { zone: compile(zone), vpcs: zone.vpcs.clone() });
    let others =
        unavailable.iter().map(|zone| ServedZone { zone: Zone::unavailable(zone).into(), vpcs: zone.vpcs.clone() });
    let served: Vec<_> = served.chain(others).collect();
    let vpc = Vpc {
        id: VpcId("vpc-lab1".to_owned()),
        region: Region::from_name("eu-central-1").unwrap(),
        cidrs: vec!["10.53.0.0/16".parse().unwrap()],
    };
    let checks = CheckBits::with_unhealthy(unhealthy.iter().map(|&slot| CheckSlot(slot)));
    World::new(Arc::new(Catalog::build(&served, &[vpc])), &checks, Arc::new(GeoLookup::default()))
}
