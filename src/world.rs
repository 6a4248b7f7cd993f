//! The world: everything a query may know, in one snapshot that is replaced as a whole.
//!
//! Configuration and health never disagree, since they are published together: a catalog of compiled zones, the usable
//! bits settled from the checks' verdicts, and where clients are. There is one publisher, the control loop; readers load
//! the world once per query or batch and hold no lock.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use arrayvec::ArrayVec;

use crate::geo::{Client, GeoLookup, PrefixTable};
use crate::health::{CheckBits, CheckSlot, RecoveryRules, Timestamp};
use crate::model::{HostedZoneId, Name, RecordType, Region, Vpc, VpcId};
use crate::policy::UsableBits;
use crate::prefetch::{FAR_OCTETS, SIDE_BY_SIDE, fetch};
use crate::stats::{AnswerNumber, ZoneNumber};
use crate::zonetree::{Bits, GroupIndex, PropagationReason, QueryName, SuffixTable, Zone};

/// One immutable snapshot.
#[derive(Debug)]
pub struct World {
    catalog: Arc<Catalog>,
    bits: Bits,
    geo_lookup: Arc<GeoLookup>,
}

/// All zones, found by name within what a client may see.
#[derive(Debug)]
pub struct Catalog {
    zones: Box<[ZoneEntry]>,
    public: ZoneTable,
    views: Box<[View]>,
    /// Source addresses and the numbers of their views.
    networks: PrefixTable<u32>,
    /// The zones that a check moves.
    moved_by: HashMap<CheckSlot, Vec<u32>>,
    bit_count: u32,
    is_large: bool,
}

/// A hosted zone to be served and the VPCs it is for.
#[derive(Clone, Debug)]
pub struct ServedZone {
    /// The compiled zone.
    pub zone: Arc<Zone>,
    /// Empty for a public zone.
    pub vpcs: Vec<VpcId>,
}

/// A zone with its stretch of the usable bits: one line of the cache.
#[derive(Debug)]
#[repr(align(64))]
struct ZoneEntry {
    zone: Arc<Zone>,
    /// The zone's name, so that it need not be looked up elsewhere; empty when there is no room for it here.
    short_name: ArrayVec<u8, SHORT_NAME_OCTETS>,
    /// Where its queries are counted.
    number: ZoneNumber,
    /// Groups whose answers are counted one by one; mostly none.
    counted: Option<Arc<CountedGroups>>,
    first_bit: u32,
    /// Whether another zone's name lies below this one's.
    has_zones_below: bool,
    /// The zone's own word, here so that it costs no line of the cache.
    is_unavailable: bool,
}

/// Names of most zones are no longer.
const SHORT_NAME_OCTETS: usize = 28;
const _: () = assert!(size_of::<ZoneEntry>() == 64, "a zone's place is one line of the cache");

/// Groups of one zone whose answers are counted one by one: few, and in order.
#[derive(Clone, Debug, Default)]
pub struct CountedGroups(Vec<(GroupIndex, Box<[Option<AnswerNumber>]>)>);

impl CountedGroups {
    /// Counts what `group` answers: a number for each of its members.
    pub fn add(&mut self, group: GroupIndex, members: Vec<Option<AnswerNumber>>) {
        self.0.push((group, members.into()));
        self.0.sort_unstable_by_key(|(group, _)| *group);
    }

    /// The numbers of these members of a group.
    pub fn numbers(&self, group: GroupIndex, members: &[u16]) -> impl Iterator<Item = AnswerNumber> {
        let place = self.0.binary_search_by_key(&group, |(group, _)| *group).ok();
        let numbers = place.map_or(&[][..], |place| &self.0[place].1);
        members.iter().filter_map(|member| *numbers.get(usize::from(*member))?)
    }
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
    /// Numbers in the catalog.
    table: SuffixTable,
    /// Bit n: some zone's name has n labels.
    depths: u128,
}

/// Which record set, whatever world it stands in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKey {
    /// The hosted zone.
    pub zone: HostedZoneId,
    /// The owner.
    pub name: Name,
    /// The type.
    pub record_type: RecordType,
    /// Tells it apart from the others of its group.
    pub set_identifier: Option<String>,
}

/// A record on its way back into use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveringRecord {
    /// Which one.
    pub record: RecordKey,
    /// When it recovered.
    pub since: Timestamp,
    /// What follows from that.
    pub rules: RecoveryRules,
}

/// A zone as one client meets it.
#[derive(Clone, Copy, Debug)]
pub struct ZoneView<'w> {
    /// The zone that answers.
    pub zone: &'w Zone,
    /// Where its queries are counted.
    pub number: ZoneNumber,
    /// Groups whose answers are counted one by one.
    pub counted: Option<&'w CountedGroups>,
    /// Which of its members may be answered.
    pub usable: UsableBits<'w>,
    /// Whether there may be names below the zone's that are another zone's.
    pub has_zones_below: bool,
    /// Whether the zone has no records to answer with: the answer is SERVFAIL.
    pub is_unavailable: bool,
    /// The region of the VPC the client is in, when the zone is private.
    pub vpc_region: Option<Region>,
    geo_lookup: &'w GeoLookup,
}

impl World {
    /// The world of these zones at this health.
    pub fn new(catalog: Arc<Catalog>, checks: &CheckBits, geo_lookup: Arc<GeoLookup>) -> World {
        World::remembering(catalog, checks, geo_lookup, &[], Timestamp::default())
    }

    /// The same, in which these records recovered at these moments and are on their way back.
    pub fn remembering(
        catalog: Arc<Catalog>,
        checks: &CheckBits,
        geo_lookup: Arc<GeoLookup>,
        recoveries: &[(RecordKey, Timestamp)],
        at: Timestamp,
    ) -> World {
        let bits = Bits::new(catalog.bit_count);
        World::begin(catalog, checks, geo_lookup, bits, recoveries, at)
    }

    /// The world that follows this one after a reload. Groups that answer as when something was healthy the last time go
    /// on to do so in zones that did not change, and records on their way back stay on it in zones that did, too.
    pub fn followed_by(
        &self,
        catalog: Arc<Catalog>,
        checks: &CheckBits,
        geo_lookup: Arc<GeoLookup>,
        at: Timestamp,
    ) -> World {
        let mut bits = Bits::new(catalog.bit_count);
        let old: HashMap<*const Zone, u32> =
            self.catalog.zones.iter().map(|placed| (Arc::as_ptr(&placed.zone), placed.first_bit)).collect();
        for placed in &catalog.zones {
            if let Some(&old_first) = old.get(&Arc::as_ptr(&placed.zone)) {
                bits.carry(placed.first_bit, &self.bits, old_first, placed.zone.bit_count());
            }
        }
        let recoveries: Vec<_> = self.recoveries().map(|recovery| (recovery.record, recovery.since)).collect();
        World::begin(catalog, checks, geo_lookup, bits, &recoveries, at)
    }

    fn begin(
        catalog: Arc<Catalog>,
        checks: &CheckBits,
        geo_lookup: Arc<GeoLookup>,
        mut bits: Bits,
        recoveries: &[(RecordKey, Timestamp)],
        at: Timestamp,
    ) -> World {
        for (bit, since) in catalog.bits_of(recoveries) {
            bits.set_comeback(bit, Some(since));
        }
        for placed in &catalog.zones {
            placed.zone.settle(checks, &mut bits, placed.first_bit, PropagationReason::Begin, at);
        }
        bits.rest();
        World { catalog, bits, geo_lookup }
    }

    /// The same world after the verdicts of `changed` checks did: only the zones that they move are settled again.
    pub fn with_health(&self, checks: &CheckBits, changed: &[CheckSlot], at: Timestamp) -> World {
        let mut bits = self.bits.clone();
        // Each zone once, though several of the checks may move it.
        let moved: BTreeSet<_> = changed.iter().filter_map(|slot| self.catalog.moved_by.get(slot)).flatten().collect();
        for placed in moved.into_iter().map(|&zone| &self.catalog.zones[zone as usize]) {
            placed.zone.settle(checks, &mut bits, placed.first_bit, PropagationReason::Change, at);
        }
        self.with_bits(bits)
    }

    /// The same world as time passes: the groups with records on their way in or out are settled again, and nothing else
    /// is looked at. `None` when nothing is other than before.
    pub fn after(&self, checks: &CheckBits, at: Timestamp) -> Option<World> {
        let has_timer: Vec<u32> = self.bits.has_timer().collect();
        let mut bits = self.bits.clone();
        let mut rest = has_timer.as_slice();
        while let Some(&first) = rest.first() {
            let placed = self.catalog.placed_at(first);
            let (here, beyond) = rest.split_at(rest.partition_point(|&bit| bit < placed.end_bit()));
            let groups: Vec<u32> = here.iter().map(|bit| bit - placed.first_bit).collect();
            placed.zone.settle_some(&groups, checks, &mut bits, placed.first_bit, at);
            rest = beyond;
        }
        let next = self.with_bits(bits);
        (next.bits != self.bits).then_some(next)
    }

    fn with_bits(&self, mut bits: Bits) -> World {
        bits.rest();
        World { catalog: Arc::clone(&self.catalog), bits, geo_lookup: Arc::clone(&self.geo_lookup) }
    }

    /// The same world, in which whatever is on its way back recovered so much earlier or later: the clock was set, or time
    /// stood still.
    pub fn with_recoveries_moved(&self, moved: impl Fn(Timestamp) -> Timestamp) -> World {
        let mut bits = self.bits.clone();
        for (bit, since) in self.bits.recoveries() {
            bits.set_comeback(bit, Some(moved(since)));
        }
        self.with_bits(bits)
    }

    /// Whether time changes anything in this world.
    pub fn is_restless(&self) -> bool {
        self.bits.has_timer().next().is_some()
    }

    /// The records on their way back, zone by zone.
    pub fn recoveries(&self) -> impl Iterator<Item = RecoveringRecord> {
        self.bits.recoveries().filter_map(|(bit, since)| {
            let placed = self.catalog.placed_at(bit);
            let (name, record_type, identifier, rules) = placed.zone.record_of_bit(bit - placed.first_bit)?;
            let record = RecordKey {
                zone: placed.zone.id().clone(),
                name: name.clone(),
                record_type,
                set_identifier: identifier.map(str::to_owned),
            };
            Some(RecoveringRecord { record, since, rules })
        })
    }

    /// Whether the same records are on their way back as in another world of the same zones.
    pub fn has_comebacks_of(&self, other: &World) -> bool {
        Arc::ptr_eq(&self.catalog, &other.catalog) && self.bits.has_comebacks_of(&other.bits)
    }

    /// All zones and what sees them.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The zone that answers `name` for a client at `source`: the most specific private zone of its VPC, which is final,
    /// else the most specific public zone (Developer Guide, "Considerations when working with a private hosted zone").
    pub fn zone_view(&self, name: &QueryName, source: IpAddr) -> Option<ZoneView<'_>> {
        let catalog = &*self.catalog;
        let view = catalog.view_of(source);
        let private = view.and_then(|view| Some((catalog.find(&view.zones, name, 0)?, Some(view.region))));
        let (placed, vpc_region) = match private {
            Some(found) => found,
            None => (catalog.find(&catalog.public, name, 0)?, None),
        };
        Some(self.scene_in(placed, vpc_region))
    }

    /// Whether its public zones are so many or so large that no cache holds them.
    pub fn is_large(&self) -> bool {
        self.catalog.is_large
    }

    /// Asks for the memory that answers to these names, up to `SIDE_BY_SIDE` of them, will read of public zones.
    pub fn fetch_ahead(&self, names: &[QueryName]) {
        let catalog = &*self.catalog;
        let table = &catalog.public;
        fetch(names.iter().flat_map(|name| table.depths_of(name, 0).map(|skip| name.word_ahead(&table.table, skip))));
        let guess = |name: &QueryName| {
            let number = table.depths_of(name, 0).find_map(|skip| name.find_suffix(&table.table, skip, |_| true))?;
            Some(&catalog.zones[number as usize])
        };
        let placed: ArrayVec<_, SIDE_BY_SIDE> = names.iter().map(guess).collect();
        fetch(placed.iter().flatten().map(|placed| u64::from(placed.first_bit)));
        let asked = placed.iter().zip(names).filter_map(|(placed, name)| Some((&*(*placed)?.zone, name)));
        Zone::fetch_ahead(&asked.collect::<ArrayVec<_, SIDE_BY_SIDE>>());
    }

    /// The VPC that a client at `source` is in, and its region.
    pub fn vpc_of(&self, source: IpAddr) -> Option<(&VpcId, Region)> {
        self.catalog.view_of(source).map(|view| (&view.vpc, view.region))
    }

    /// Where clients are.
    pub fn geo_lookup(&self) -> &GeoLookup {
        &self.geo_lookup
    }

    /// The zone above the one that `zone_view` finds: among the private zones of the same VPC if that one is private, else
    /// among the public ones.
    pub fn scene_above(&self, name: &QueryName, source: IpAddr) -> Option<ZoneView<'_>> {
        let catalog = &*self.catalog;
        let view = catalog.view_of(source).filter(|view| catalog.find(&view.zones, name, 0).is_some());
        let zones = view.map_or(&catalog.public, |view| &view.zones);
        let placed = catalog.find(zones, name, 1)?;
        Some(self.scene_in(placed, view.map(|view| view.region)))
    }

    /// The zone with this id, whoever may see it.
    pub fn scene_of(&self, zone: &HostedZoneId) -> Option<ZoneView<'_>> {
        let placed = self.catalog.zones.iter().find(|placed| placed.zone.id() == zone)?;
        Some(self.scene_in(placed, None))
    }

    fn scene_in<'w>(&'w self, placed: &'w ZoneEntry, vpc_region: Option<Region>) -> ZoneView<'w> {
        let usable = UsableBits::new(self.bits.usable(), placed.first_bit).with_overlay(self.bits.overlay());
        let has_zones_below = placed.has_zones_below;
        ZoneView {
            zone: &placed.zone,
            number: placed.number,
            counted: placed.counted.as_deref(),
            usable,
            has_zones_below,
            is_unavailable: placed.is_unavailable,
            vpc_region,
            geo_lookup: &self.geo_lookup,
        }
    }
}

impl ZoneEntry {
    /// Whether this is the zone's name, in lower case.
    fn is_named(&self, name: &[u8]) -> bool {
        let known = if self.short_name.is_empty() { self.zone.name().wire() } else { &self.short_name };
        known == name
    }

    fn end_bit(&self) -> u32 {
        self.first_bit + self.zone.bit_count()
    }
}

impl fmt::Display for RecordKey {
    /// Such as `app.lab.test. A blue`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.record_type)?;
        self.set_identifier.iter().try_for_each(|identifier| write!(f, " {identifier}"))
    }
}

impl<'w> ZoneView<'w> {
    /// The client at `address` with `prefix` known bits, as this zone's policies see it. In a private zone it counts as
    /// being in its VPC's region (Developer Guide, "Geolocation routing for private hosted zones").
    pub fn client(&self, address: IpAddr, prefix: u8) -> Client<'w> {
        match self.vpc_region {
            Some(region) => Client::in_vpc(self.geo_lookup, address, region),
            None => Client::new(self.geo_lookup, address, prefix),
        }
    }
}

impl Catalog {
    /// A catalog of compiled zones. Zones for a VPC that is not among `vpcs` are seen by nobody.
    pub fn build(zones: &[ServedZone], vpcs: &[Vpc]) -> Catalog {
        let mut bit_count = 0;
        let above: HashSet<Name> = zones.iter().flat_map(|served| ancestors(served.zone.name())).collect();
        let placed: Box<[ZoneEntry]> = zones.iter().map(|served| place(&served.zone, &above, &mut bit_count)).collect();
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
            is_large: public.iter().map(|(_, served)| served.zone.octets()).sum::<usize>() > FAR_OCTETS,
            zones: placed,
            bit_count,
        }
    }

    /// The same catalog with numbers for the zones' counters; without, all are counted as one.
    #[must_use]
    pub fn numbered(mut self, number: impl Fn(&Zone) -> ZoneNumber) -> Catalog {
        self.zones.iter_mut().for_each(|placed| placed.number = number(&placed.zone));
        self
    }

    /// The same catalog with groups that are counted, for each zone in order.
    #[must_use]
    pub fn counting(mut self, groups: impl IntoIterator<Item = Option<Arc<CountedGroups>>>) -> Catalog {
        self.zones.iter_mut().zip(groups).for_each(|(placed, groups)| placed.counted = groups);
        self
    }

    /// All zones.
    pub fn zones(&self) -> impl Iterator<Item = &Arc<Zone>> {
        self.zones.iter().map(|placed| &placed.zone)
    }

    /// The zone with this id.
    pub fn zone(&self, id: &HostedZoneId) -> Option<&Arc<Zone>> {
        self.zones().find(|zone| zone.id() == id)
    }

    /// The zone that this bit belongs to.
    fn placed_at(&self, bit: u32) -> &ZoneEntry {
        // Zones without bits begin where the next one does: the last that begins at or before the bit is the one.
        &self.zones[self.zones.partition_point(|placed| placed.first_bit <= bit) - 1]
    }

    /// These records by their bits; one that is gone has none and is on its way nowhere. A check that fails and recovers may
    /// set all records out at once, so each zone's are looked through once, not once for each record.
    fn bits_of(&self, recoveries: &[(RecordKey, Timestamp)]) -> Vec<(u32, Timestamp)> {
        let mut of_zone: HashMap<&HostedZoneId, Vec<&(RecordKey, Timestamp)>> = HashMap::new();
        for recovery in recoveries {
            of_zone.entry(&recovery.0.zone).or_default().push(recovery);
        }
        let mut found = Vec::with_capacity(recoveries.len());
        for placed in &self.zones {
            let Some(recoveries) = of_zone.remove(placed.zone.id()) else { continue };
            let bits = placed.zone.bits_of_records();
            found.extend(recoveries.into_iter().filter_map(|(record, since)| {
                let key = (&record.name, record.record_type, record.set_identifier.as_deref());
                Some((placed.first_bit + bits.get(&key)?, *since))
            }));
        }
        found
    }

    fn view_of(&self, source: IpAddr) -> Option<&View> {
        if self.views.is_empty() {
            return None;
        }
        self.networks.lookup(source).value.map(|&view| &self.views[view as usize])
    }

    /// The zone with the longest name that `name` without its first `skip` labels ends in.
    fn find(&self, table: &ZoneTable, name: &QueryName, skip: usize) -> Option<&ZoneEntry> {
        table.depths_of(name, skip).find_map(|skip| self.find_exactly(table, name, skip))
    }

    fn find_exactly(&self, table: &ZoneTable, name: &QueryName, skip: usize) -> Option<&ZoneEntry> {
        let placed = |number: u32| &self.zones[number as usize];
        let is_it = |number| placed(number).is_named(name.suffix(skip));
        name.find_suffix(&table.table, skip, is_it).map(placed)
    }
}

impl ZoneTable {
    /// How many labels are to be left out, from `skip` on, for a name as long as some zone's.
    #[inline]
    fn depths_of(&self, name: &QueryName, skip: usize) -> impl Iterator<Item = usize> + use<> {
        let (labels, depths) = (name.label_count(), self.depths);
        (skip..=labels).filter(move |&skip| depths >> (labels - skip) & 1 == 1)
    }

    fn build(zones: &[(u32, &ServedZone)]) -> ZoneTable {
        let hashes: Vec<(u32, u32)> = zones.iter().map(|(number, served)| (served.zone.name_hash(), *number)).collect();
        ZoneTable {
            table: SuffixTable::build(&hashes),
            depths: zones.iter().fold(0, |depths, (_, served)| depths | 1 << served.zone.label_count()),
        }
    }
}

/// `above` are the names above any zone's.
fn place(zone: &Arc<Zone>, above: &HashSet<Name>, next_bit: &mut u32) -> ZoneEntry {
    let first_bit = *next_bit;
    *next_bit += zone.bit_count();
    let mut short_name = ArrayVec::new();
    let _too_long = short_name.try_extend_from_slice(zone.name().wire());
    ZoneEntry {
        zone: Arc::clone(zone),
        short_name,
        number: ZoneNumber::OTHER,
        counted: None,
        first_bit,
        has_zones_below: above.contains(zone.name()),
        is_unavailable: zone.is_unavailable(),
    }
}

fn ancestors(name: &Name) -> impl Iterator<Item = Name> {
    std::iter::successors(name.parent(), Name::parent)
}

fn zones_by_check(zones: &[ZoneEntry]) -> HashMap<CheckSlot, Vec<u32>> {
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
