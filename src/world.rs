//! The world: everything a query may know, in one snapshot that is replaced as a whole.
//!
//! Configuration and health never disagree, since they are published together: a catalog of compiled zones, the usable
//! bits settled from the checks' verdicts, and where clients are. There is one publisher, the control loop; readers load
//! the world once per query or batch and hold no lock.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::geo::{Client, Locator, PrefixTable};
use crate::health::{CheckBits, CheckSlot};
use crate::model::{HostedZoneId, Name, Region, Vpc, VpcId};
use crate::policy::UsableBits;
use crate::zonetree::{Bits, QueryName, SuffixTable, Zone};

/// One immutable snapshot.
#[derive(Debug)]
pub struct World {
    catalog: Arc<Catalog>,
    bits: Bits,
    locator: Arc<Locator>,
}

/// All zones, found by name within what a client may see.
#[derive(Debug)]
pub struct Catalog {
    zones: Box<[Placed]>,
    public: ZoneTable,
    views: Box<[View]>,
    /// Source addresses and the numbers of their views.
    networks: PrefixTable<u32>,
    /// The zones that a check moves.
    moved_by: HashMap<CheckSlot, Vec<u32>>,
    bit_count: u32,
}

/// A hosted zone to be served and the VPCs it is for.
#[derive(Clone, Debug)]
pub struct ServedZone {
    /// The compiled zone.
    pub zone: Arc<Zone>,
    /// Empty for a public zone.
    pub vpcs: Vec<VpcId>,
}

/// A zone with its stretch of the usable bits.
#[derive(Debug)]
struct Placed {
    zone: Arc<Zone>,
    first_bit: u32,
    /// Whether another zone's name lies below this one's.
    has_zones_below: bool,
}

/// What the clients of one VPC see besides the public zones.
#[derive(Debug)]
struct View {
    vpc: VpcId,
    region: Region,
    zones: ZoneTable,
}

/// Zones by name.
#[derive(Debug)]
struct ZoneTable {
    table: SuffixTable,
    /// Numbers in the catalog, in the table's order.
    zones: Box<[u32]>,
    /// Bit n: some zone's name has n labels.
    depths: u128,
}

/// A zone as one client meets it.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'w> {
    /// The zone that answers.
    pub zone: &'w Zone,
    /// Which of its members may be answered.
    pub usable: UsableBits<'w>,
    /// Whether there may be names below the zone's that are another zone's.
    pub has_zones_below: bool,
    /// The region of the VPC the client is in, when the zone is private.
    pub vpc_region: Option<Region>,
    locator: &'w Locator,
}

impl World {
    /// The world of these zones at this health.
    pub fn new(catalog: Arc<Catalog>, checks: &CheckBits, locator: Arc<Locator>) -> World {
        let bits = Bits::new(catalog.bit_count);
        World::settled(catalog, checks, locator, bits)
    }

    /// The world that follows this one after a reload. Groups that answer as when something was healthy the last time go
    /// on to do so in zones that did not change.
    pub fn followed_by(&self, catalog: Arc<Catalog>, checks: &CheckBits, locator: Arc<Locator>) -> World {
        let mut bits = Bits::new(catalog.bit_count);
        let old: HashMap<*const Zone, u32> =
            self.catalog.zones.iter().map(|placed| (Arc::as_ptr(&placed.zone), placed.first_bit)).collect();
        for placed in &catalog.zones {
            if let Some(&old_first) = old.get(&Arc::as_ptr(&placed.zone)) {
                bits.carry(placed.first_bit, &self.bits, old_first, placed.zone.bit_count());
            }
        }
        World::settled(catalog, checks, locator, bits)
    }

    fn settled(catalog: Arc<Catalog>, checks: &CheckBits, locator: Arc<Locator>, mut bits: Bits) -> World {
        for placed in &catalog.zones {
            placed.zone.settle(checks, &mut bits, placed.first_bit);
        }
        World { catalog, bits, locator }
    }

    /// The same world after `changed` checks flipped: only the zones that they move are settled again.
    pub fn with_health(&self, checks: &CheckBits, changed: &[CheckSlot]) -> World {
        let mut bits = self.bits.clone();
        // Each zone once, though several of the checks may move it.
        let moved: BTreeSet<_> = changed.iter().filter_map(|slot| self.catalog.moved_by.get(slot)).flatten().collect();
        for placed in moved.into_iter().map(|&zone| &self.catalog.zones[zone as usize]) {
            placed.zone.settle(checks, &mut bits, placed.first_bit);
        }
        World { catalog: Arc::clone(&self.catalog), bits, locator: Arc::clone(&self.locator) }
    }

    /// All zones and what sees them.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The zone that answers `name` for a client at `source`: the most specific private zone of its VPC, which is final,
    /// else the most specific public zone (Developer Guide, "Considerations when working with a private hosted zone").
    pub fn scene(&self, name: &QueryName, source: IpAddr) -> Option<Scene<'_>> {
        let catalog = &*self.catalog;
        let view = catalog.view_of(source);
        let private = view.and_then(|view| Some((catalog.find(&view.zones, name, 0)?, Some(view.region))));
        let (placed, vpc_region) = match private {
            Some(found) => found,
            None => (catalog.find(&catalog.public, name, 0)?, None),
        };
        Some(self.scene_in(placed, vpc_region))
    }

    /// The VPC that a client at `source` is in, and its region.
    pub fn vpc_of(&self, source: IpAddr) -> Option<(&VpcId, Region)> {
        self.catalog.view_of(source).map(|view| (&view.vpc, view.region))
    }

    /// Where clients are.
    pub fn locator(&self) -> &Locator {
        &self.locator
    }

    /// The zone above the one that `scene` finds: among the private zones of the same VPC if that one is private, else
    /// among the public ones.
    pub fn scene_above(&self, name: &QueryName, source: IpAddr) -> Option<Scene<'_>> {
        let catalog = &*self.catalog;
        let view = catalog.view_of(source).filter(|view| catalog.find(&view.zones, name, 0).is_some());
        let zones = view.map_or(&catalog.public, |view| &view.zones);
        let placed = catalog.find(zones, name, 1)?;
        Some(self.scene_in(placed, view.map(|view| view.region)))
    }

    fn scene_in<'w>(&'w self, placed: &'w Placed, vpc_region: Option<Region>) -> Scene<'w> {
        let usable = UsableBits::new(self.bits.usable(), placed.first_bit);
        let has_zones_below = placed.has_zones_below;
        Scene { zone: &placed.zone, usable, has_zones_below, vpc_region, locator: &self.locator }
    }
}

impl<'w> Scene<'w> {
    /// The client at `address` with `prefix` known bits, as this zone's policies see it. In a private zone it counts as
    /// being in its VPC's region (Developer Guide, "Geolocation routing for private hosted zones").
    pub fn client(&self, address: IpAddr, prefix: u8) -> Client<'w> {
        match self.vpc_region {
            Some(region) => Client::in_vpc(self.locator, address, region),
            None => Client::new(self.locator, address, prefix),
        }
    }
}

impl Catalog {
    /// A catalog of compiled zones. Zones for a VPC that is not among `vpcs` are seen by nobody.
    pub fn build(zones: &[ServedZone], vpcs: &[Vpc]) -> Catalog {
        let mut bit_count = 0;
        let above: HashSet<Name> = zones.iter().flat_map(|served| ancestors(served.zone.name())).collect();
        let placed: Box<[Placed]> = zones.iter().map(|served| place(&served.zone, &above, &mut bit_count)).collect();
        let numbered = || (0..).zip(zones);
        let seen_by = |id: &VpcId| numbered().filter(|(_, served)| served.vpcs.contains(id)).collect::<Vec<_>>();
        let public: Vec<_> = numbered().filter(|(_, served)| !served.zone.is_private()).collect();
        let views = vpcs.iter().map(|vpc| View {
            vpc: vpc.id.clone(),
            region: vpc.region,
            zones: ZoneTable::build(&seen_by(&vpc.id)),
        });
        let networks = (0..).zip(vpcs).flat_map(|(view, vpc)| vpc.cidrs.iter().map(move |&cidr| (cidr, view)));
        Catalog {
            public: ZoneTable::build(&public),
            views: views.collect(),
            networks: PrefixTable::build(networks),
            moved_by: zones_by_check(&placed),
            zones: placed,
            bit_count,
        }
    }

    /// All zones.
    pub fn zones(&self) -> impl Iterator<Item = &Arc<Zone>> {
        self.zones.iter().map(|placed| &placed.zone)
    }

    /// The zone with this id.
    pub fn zone(&self, id: &HostedZoneId) -> Option<&Arc<Zone>> {
        self.zones().find(|zone| zone.id() == id)
    }

    fn view_of(&self, source: IpAddr) -> Option<&View> {
        if self.views.is_empty() {
            return None;
        }
        self.networks.lookup(source).value.map(|&view| &self.views[view as usize])
    }

    /// The zone with the longest name that `name` without its first `skip` labels ends in.
    fn find(&self, table: &ZoneTable, name: &QueryName, skip: usize) -> Option<&Placed> {
        let labels = name.label_count();
        let depths = (skip..=labels).filter(|&skip| table.depths >> (labels - skip) & 1 == 1);
        depths.filter_map(|skip| self.find_exactly(table, name, skip)).next()
    }

    fn find_exactly(&self, table: &ZoneTable, name: &QueryName, skip: usize) -> Option<&Placed> {
        let placed = |number: u32| &self.zones[table.zones[number as usize] as usize];
        let is_it = |number| placed(number).zone.name().wire() == name.suffix(skip);
        name.find_suffix(&table.table, skip, is_it).map(placed)
    }
}

impl ZoneTable {
    fn build(zones: &[(u32, &ServedZone)]) -> ZoneTable {
        let hashes: Vec<u32> = zones.iter().map(|(_, served)| served.zone.name_hash()).collect();
        ZoneTable {
            table: SuffixTable::build(&hashes),
            zones: zones.iter().map(|&(number, _)| number).collect(),
            depths: zones.iter().fold(0, |depths, (_, served)| depths | 1 << served.zone.label_count()),
        }
    }
}

/// `above` are the names above any zone's.
fn place(zone: &Arc<Zone>, above: &HashSet<Name>, next_bit: &mut u32) -> Placed {
    let first_bit = *next_bit;
    *next_bit += zone.bit_count();
    Placed { zone: Arc::clone(zone), first_bit, has_zones_below: above.contains(zone.name()) }
}

fn ancestors(name: &Name) -> impl Iterator<Item = Name> {
    std::iter::successors(name.parent(), Name::parent)
}

fn zones_by_check(zones: &[Placed]) -> HashMap<CheckSlot, Vec<u32>> {
    let mut moved_by: HashMap<CheckSlot, Vec<u32>> = HashMap::new();
    for (number, placed) in (0..).zip(zones) {
        for &slot in placed.zone.checks() {
            moved_by.entry(slot).or_default().push(number);
        }
    }
    moved_by
}

/// Replaces the world; there is one.
pub struct Publisher(Arc<ArcSwap<World>>);

/// Sees the world as it was last published.
#[derive(Clone)]
pub struct Reader(Arc<ArcSwap<World>>);

/// A worker's own view of the world: a load costs one comparison while nothing was published.
pub struct CachedReader(arc_swap::Cache<Arc<ArcSwap<World>>, Arc<World>>);

impl Publisher {
    /// The one publisher and a reader, with `world` as the first one.
    pub fn new(world: World) -> (Publisher, Reader) {
        let swap = Arc::new(ArcSwap::from_pointee(world));
        (Publisher(Arc::clone(&swap)), Reader(swap))
    }

    /// Makes `world` the one that the next query sees.
    pub fn publish(&self, world: World) {
        self.0.store(Arc::new(world));
    }
}

impl Reader {
    /// The world of this moment.
    pub fn load(&self) -> Arc<World> {
        self.0.load_full()
    }

    /// A reader for one worker.
    pub fn cached(&self) -> CachedReader {
        CachedReader(arc_swap::Cache::new(Arc::clone(&self.0)))
    }
}

impl CachedReader {
    /// The world of this moment.
    pub fn load(&mut self) -> &Arc<World> {
        self.0.load()
    }
}
