//! The world: an immutable snapshot of all data that a query reads, replaced as a whole.
//!
//! Configuration and health are published together and never disagree. A world holds a catalog of
//! compiled zones, the usable bits computed from the status of each check, and the locations of
//! clients. The control loop is the only publisher. Readers load the world once per query or batch
//! and hold no lock.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use arrayvec::ArrayVec;

use crate::geo::{Client, GeoLookup, PrefixTable};
use crate::health::{CheckBits, CheckSlot, RecoveryRules, Timestamp};
use crate::model::{HostedZoneId, Name, PrefixLength, RecordType, Region, Vpc, VpcId};
use crate::policy::{BitIndex, MemberIndex, UsableBits, ZoneBit};
use crate::prefetch::{FAR_BYTES, SIDE_BY_SIDE, fetch};
use crate::stats::{AnswerNumber, ZoneNumber};
use crate::zonetree::{Bits, GroupIndex, PropagationReason, QueryName, SuffixTable, Zone};

/// One immutable snapshot.
#[derive(Debug)]
pub struct World {
    catalog: Arc<Catalog>,
    bits: Bits,
    geo_lookup: Arc<GeoLookup>,
}

/// All zones, by name, and by the view of the client.
#[derive(Debug)]
pub struct Catalog {
    zones: Box<[ZoneEntry]>,
    public: ZoneTable,
    views: Box<[View]>,
    /// Source addresses and the indexes of their views.
    networks: PrefixTable<u32>,
    /// The zones that each check affects.
    zones_by_check: HashMap<CheckSlot, Vec<u32>>,
    bit_count: u32,
    is_large: bool,
}

/// A hosted zone to serve, and its VPCs.
#[derive(Clone, Debug)]
pub struct ServedZone {
    /// The compiled zone.
    pub zone: Arc<Zone>,
    /// Empty for a public zone.
    pub vpcs: Vec<VpcId>,
}

/// A zone with its range of the usable bits. It fits into one cache line.
#[derive(Debug)]
#[repr(align(64))]
struct ZoneEntry {
    zone: Arc<Zone>,
    /// The zone's name, to avoid a second lookup; empty if it does not fit.
    short_name: ArrayVec<u8, SHORT_NAME_OCTETS>,
    /// The index of the zone's query counter.
    number: ZoneNumber,
    /// Groups with counters for each record; usually none.
    counted: Option<Arc<CountedGroups>>,
    first_bit: BitIndex,
    /// Whether another zone's name is below this zone's.
    has_zones_below: bool,
    /// A copy of the zone's flag, which saves reading another cache line.
    is_unavailable: bool,
}

/// Most zone names are no longer than this.
const SHORT_NAME_OCTETS: usize = 28;
const _: () = assert!(size_of::<ZoneEntry>() == 64, "a zone entry is one line of the cache");

/// The groups of one zone with counters for each record: few, and sorted.
#[derive(Clone, Debug, Default)]
pub struct CountedGroups(Vec<(GroupIndex, Box<[Option<AnswerNumber>]>)>);

impl CountedGroups {
    /// Adds counters for `group`: one index for each of its members.
    pub fn add(&mut self, group: GroupIndex, members: Vec<Option<AnswerNumber>>) {
        self.0.push((group, members.into()));
        self.0.sort_unstable_by_key(|(group, _)| *group);
    }

    /// The counter indexes of the members of a group.
    pub fn numbers(&self, group: GroupIndex, members: &[MemberIndex]) -> impl Iterator<Item = AnswerNumber> {
        let found = self.0.binary_search_by_key(&group, |(group, _)| *group).ok();
        let numbers = found.map_or(&[][..], |index| &self.0[index].1);
        members.iter().filter_map(|member| *numbers.get(usize::from(*member))?)
    }
}

/// The zones that clients in one VPC see in addition to the public zones.
#[derive(Debug)]
struct View {
    vpc: VpcId,
    region: Region,
    zones: ZoneTable,
}

/// Zones by name.
#[derive(Debug)]
struct ZoneTable {
    /// Indexes in the catalog.
    table: SuffixTable,
    /// Bit n is set if a zone's name has n labels.
    depths: u128,
}

/// Identifies a record set across worlds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKey {
    /// The hosted zone.
    pub zone: HostedZoneId,
    /// The owner.
    pub name: Name,
    /// The type.
    pub record_type: RecordType,
    /// The set identifier, unique within the group.
    pub set_identifier: Option<String>,
}

/// A recovering record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveringRecord {
    /// The record.
    pub record: RecordKey,
    /// When it recovered.
    pub since: Timestamp,
    /// Its recovery stage.
    pub rules: RecoveryRules,
}

/// A zone as one client sees it.
#[derive(Clone, Copy, Debug)]
pub struct ZoneView<'w> {
    /// The zone that answers.
    pub zone: &'w Zone,
    /// The index of the zone's query counter.
    pub number: ZoneNumber,
    /// Groups with counters for each record.
    pub counted: Option<&'w CountedGroups>,
    /// The usable bits of its members.
    pub usable: UsableBits<'w>,
    /// Whether another zone's name can be below this zone's.
    pub has_zones_below: bool,
    /// Whether the zone has no records to answer with: the answer is SERVFAIL.
    pub is_unavailable: bool,
    /// The region of the client's VPC if the zone is private.
    pub vpc_region: Option<Region>,
    geo_lookup: &'w GeoLookup,
}

impl World {
    /// The world of these zones with this health.
    pub fn new(catalog: Arc<Catalog>, checks: &CheckBits, geo_lookup: Arc<GeoLookup>) -> World {
        World::with_recoveries(catalog, checks, geo_lookup, &[], Timestamp::default())
    }

    /// The same, with these records recovering since these times.
    pub fn with_recoveries(
        catalog: Arc<Catalog>,
        checks: &CheckBits,
        geo_lookup: Arc<GeoLookup>,
        recoveries: &[(RecordKey, Timestamp)],
        at: Timestamp,
    ) -> World {
        let bits = Bits::new(catalog.bit_count);
        World::begin(catalog, checks, geo_lookup, bits, recoveries, at)
    }

    /// The world after a reload. In zones that did not change, groups that answer as when something
    /// was healthy the last time continue to do so, and recovering records continue to recover.
    pub fn followed_by(
        &self,
        catalog: Arc<Catalog>,
        checks: &CheckBits,
        geo_lookup: Arc<GeoLookup>,
        at: Timestamp,
    ) -> World {
        let mut bits = Bits::new(catalog.bit_count);
        let old: HashMap<*const Zone, BitIndex> =
            self.catalog.zones.iter().map(|entry| (Arc::as_ptr(&entry.zone), entry.first_bit)).collect();
        for entry in &catalog.zones {
            if let Some(&old_first) = old.get(&Arc::as_ptr(&entry.zone)) {
                bits.copy_usable(entry.first_bit, &self.bits, old_first, entry.zone.bit_count());
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
            bits.set_recovery(bit, Some(since));
        }
        for entry in &catalog.zones {
            entry.zone.propagate(checks, &mut bits, entry.first_bit, PropagationReason::Begin, at);
        }
        bits.drop_reduced_use_if_idle();
        World { catalog, bits, geo_lookup }
    }

    /// The world after the status of the `changed` checks changed: only the zones that they affect
    /// are computed again.
    pub fn with_health(&self, checks: &CheckBits, changed: &[CheckSlot], at: Timestamp) -> World {
        let mut bits = self.bits.clone();
        // Each zone once, even if several of the checks affect it.
        let moved: BTreeSet<_> =
            changed.iter().filter_map(|slot| self.catalog.zones_by_check.get(slot)).flatten().collect();
        for entry in moved.into_iter().map(|&zone| &self.catalog.zones[zone as usize]) {
            entry.zone.propagate(checks, &mut bits, entry.first_bit, PropagationReason::Change, at);
        }
        self.with_bits(bits)
    }

    /// The world after time has passed: only groups with records in reduced use are computed again.
    /// `None` if nothing changed.
    pub fn after(&self, checks: &CheckBits, at: Timestamp) -> Option<World> {
        let has_timer: Vec<BitIndex> = self.bits.has_timer().collect();
        let mut bits = self.bits.clone();
        let mut rest = has_timer.as_slice();
        while let Some(&first) = rest.first() {
            let entry = self.catalog.entry_at(first);
            let (here, beyond) = rest.split_at(rest.partition_point(|&bit| bit < entry.end_bit()));
            let groups: Vec<ZoneBit> = here.iter().map(|bit| bit.within(entry.first_bit)).collect();
            entry.zone.propagate_some(&groups, checks, &mut bits, entry.first_bit, at);
            rest = beyond;
        }
        let next = self.with_bits(bits);
        (next.bits != self.bits).then_some(next)
    }

    fn with_bits(&self, mut bits: Bits) -> World {
        bits.drop_reduced_use_if_idle();
        World { catalog: Arc::clone(&self.catalog), bits, geo_lookup: Arc::clone(&self.geo_lookup) }
    }

    /// The world with all recovery times moved by this much: the clock was set, or time stood
    /// still.
    pub fn with_recoveries_moved(&self, moved: impl Fn(Timestamp) -> Timestamp) -> World {
        let mut bits = self.bits.clone();
        for (bit, since) in self.bits.recoveries() {
            bits.set_recovery(bit, Some(moved(since)));
        }
        self.with_bits(bits)
    }

    /// Whether the passage of time changes this world.
    pub fn has_timers(&self) -> bool {
        self.bits.has_timer().next().is_some()
    }

    /// The recovering records, zone by zone.
    pub fn recoveries(&self) -> impl Iterator<Item = RecoveringRecord> {
        self.bits.recoveries().filter_map(|(bit, since)| {
            let entry = self.catalog.entry_at(bit);
            let (name, record_type, identifier, rules) = entry.zone.record_of_bit(bit.within(entry.first_bit))?;
            let record = RecordKey {
                zone: entry.zone.id().clone(),
                name: name.clone(),
                record_type,
                set_identifier: identifier.map(str::to_owned),
            };
            Some(RecoveringRecord { record, since, rules })
        })
    }

    /// Whether the same records are recovering as in another world of the same zones.
    pub fn has_same_recoveries_as(&self, other: &World) -> bool {
        Arc::ptr_eq(&self.catalog, &other.catalog) && self.bits.has_same_recoveries_as(&other.bits)
    }

    /// All zones and their views.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The zone that answers `name` for a client at `source`: the most specific private zone of its
    /// VPC, which is final, otherwise the most specific public zone (Developer Guide,
    /// "Considerations when working with a private hosted zone").
    pub fn zone_view(&self, name: &QueryName, source: IpAddr) -> Option<ZoneView<'_>> {
        let catalog = &*self.catalog;
        let view = catalog.view_of(source);
        let private = view.and_then(|view| Some((catalog.find(&view.zones, name, 0)?, Some(view.region))));
        let (entry, vpc_region) = match private {
            Some(found) => found,
            None => (catalog.find(&catalog.public, name, 0)?, None),
        };
        Some(self.view_in(entry, vpc_region))
    }

    /// Whether the public zones are too many or too large for a CPU cache.
    pub fn is_large(&self) -> bool {
        self.catalog.is_large
    }

    /// Prefetches the memory of the public zones that the answers to these names read. At most
    /// `SIDE_BY_SIDE` names.
    pub fn prefetch(&self, names: &[QueryName]) {
        let catalog = &*self.catalog;
        let table = &catalog.public;
        fetch(
            names.iter().flat_map(|name| table.depths_of(name, 0).map(|skip| name.prefetch_word(&table.table, skip))),
        );
        let guess = |name: &QueryName| {
            let number = table.depths_of(name, 0).find_map(|skip| name.find_suffix(&table.table, skip, |_| true))?;
            Some(&catalog.zones[number as usize])
        };
        let entry: ArrayVec<_, SIDE_BY_SIDE> = names.iter().map(guess).collect();
        fetch(entry.iter().flatten().map(|entry| u64::from(entry.first_bit.0)));
        let asked = entry.iter().zip(names).filter_map(|(entry, name)| Some((&*(*entry)?.zone, name)));
        Zone::prefetch(&asked.collect::<ArrayVec<_, SIDE_BY_SIDE>>());
    }

    /// The VPC of a client at `source`, and its region.
    pub fn vpc_of(&self, source: IpAddr) -> Option<(&VpcId, Region)> {
        self.catalog.view_of(source).map(|view| (&view.vpc, view.region))
    }

    /// The locations of clients.
    pub fn geo_lookup(&self) -> &GeoLookup {
        &self.geo_lookup
    }

    /// The zone above the one that `zone_view` returns: among the private zones of the same VPC if
    /// that one is private, otherwise among the public zones.
    pub fn parent_zone_view(&self, name: &QueryName, source: IpAddr) -> Option<ZoneView<'_>> {
        let catalog = &*self.catalog;
        let view = catalog.view_of(source).filter(|view| catalog.find(&view.zones, name, 0).is_some());
        let zones = view.map_or(&catalog.public, |view| &view.zones);
        let entry = catalog.find(zones, name, 1)?;
        Some(self.view_in(entry, view.map(|view| view.region)))
    }

    /// The zone with this id, in any view.
    pub fn zone_view_by_id(&self, zone: &HostedZoneId) -> Option<ZoneView<'_>> {
        let entry = self.catalog.zones.iter().find(|entry| entry.zone.id() == zone)?;
        Some(self.view_in(entry, None))
    }

    fn view_in<'w>(&'w self, entry: &'w ZoneEntry, vpc_region: Option<Region>) -> ZoneView<'w> {
        let usable = UsableBits::new(self.bits.usable(), entry.first_bit).with_reduced_use(self.bits.reduced_use());
        let has_zones_below = entry.has_zones_below;
        ZoneView {
            zone: &entry.zone,
            number: entry.number,
            counted: entry.counted.as_deref(),
            usable,
            has_zones_below,
            is_unavailable: entry.is_unavailable,
            vpc_region,
            geo_lookup: &self.geo_lookup,
        }
    }
}

impl ZoneEntry {
    /// Whether `name`, in lower case, is the zone's name.
    fn is_named(&self, name: &[u8]) -> bool {
        let known = if self.short_name.is_empty() { self.zone.name().wire() } else { &self.short_name };
        known == name
    }

    fn end_bit(&self) -> BitIndex {
        BitIndex(self.first_bit.0 + self.zone.bit_count())
    }
}

impl fmt::Display for RecordKey {
    /// For example `app.lab.test. A blue`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.record_type)?;
        self.set_identifier.iter().try_for_each(|identifier| write!(f, " {identifier}"))
    }
}

impl<'w> ZoneView<'w> {
    /// The client at `address` with `prefix` known bits, as this zone's policies see it. In a
    /// private zone its location is that of its VPC's region (Developer Guide, "Geolocation routing
    /// for private hosted zones").
    pub fn client(&self, address: IpAddr, prefix: PrefixLength) -> Client<'w> {
        match self.vpc_region {
            Some(region) => Client::in_vpc(self.geo_lookup, address, region),
            None => Client::new(self.geo_lookup, address, prefix),
        }
    }
}

impl Catalog {
    /// A catalog of compiled zones. A zone for a VPC that is not in `vpcs` has no clients.
    pub fn build(zones: &[ServedZone], vpcs: &[Vpc]) -> Catalog {
        let mut bit_count = 0;
        let above: HashSet<Name> = zones.iter().flat_map(|served| ancestors(served.zone.name())).collect();
        let entry: Box<[ZoneEntry]> =
            zones.iter().map(|served| new_entry(&served.zone, &above, &mut bit_count)).collect();
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
            zones_by_check: zones_by_check(&entry),
            is_large: public.iter().map(|(_, served)| served.zone.bytes()).sum::<usize>() > FAR_BYTES,
            zones: entry,
            bit_count,
        }
    }

    /// The same catalog with counter indexes for the zones; without, all zones share one counter.
    #[must_use]
    pub fn numbered(mut self, number: impl Fn(&Zone) -> ZoneNumber) -> Catalog {
        self.zones.iter_mut().for_each(|entry| entry.number = number(&entry.zone));
        self
    }

    /// The same catalog with counters for single records, for each zone in order.
    #[must_use]
    pub fn counting(mut self, groups: impl IntoIterator<Item = Option<Arc<CountedGroups>>>) -> Catalog {
        self.zones.iter_mut().zip(groups).for_each(|(entry, groups)| entry.counted = groups);
        self
    }

    /// All zones.
    pub fn zones(&self) -> impl Iterator<Item = &Arc<Zone>> {
        self.zones.iter().map(|entry| &entry.zone)
    }

    /// The zone with this id.
    pub fn zone(&self, id: &HostedZoneId) -> Option<&Arc<Zone>> {
        self.zones().find(|zone| zone.id() == id)
    }

    /// The zone that this bit belongs to.
    fn entry_at(&self, bit: BitIndex) -> &ZoneEntry {
        // A zone without bits begins where the next one does, so the last zone that begins at or
        // before the bit has it.
        &self.zones[self.zones.partition_point(|entry| entry.first_bit <= bit) - 1]
    }

    /// The bits of these records; removed records are left out. A failing check can put all records
    /// into transition at once, so each zone's records are scanned once, not once per record.
    fn bits_of(&self, recoveries: &[(RecordKey, Timestamp)]) -> Vec<(BitIndex, Timestamp)> {
        let mut of_zone: HashMap<&HostedZoneId, Vec<&(RecordKey, Timestamp)>> = HashMap::new();
        for recovery in recoveries {
            of_zone.entry(&recovery.0.zone).or_default().push(recovery);
        }
        let mut found = Vec::with_capacity(recoveries.len());
        for entry in &self.zones {
            let Some(recoveries) = of_zone.remove(entry.zone.id()) else { continue };
            let bits = entry.zone.bits_of_records();
            found.extend(recoveries.into_iter().filter_map(|(record, since)| {
                let key = (&record.name, record.record_type, record.set_identifier.as_deref());
                Some((entry.first_bit + *bits.get(&key)?, *since))
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

    /// The zone with the longest name that is a suffix of `name` without its first `skip` labels.
    fn find(&self, table: &ZoneTable, name: &QueryName, skip: usize) -> Option<&ZoneEntry> {
        table.depths_of(name, skip).find_map(|skip| self.find_exactly(table, name, skip))
    }

    fn find_exactly(&self, table: &ZoneTable, name: &QueryName, skip: usize) -> Option<&ZoneEntry> {
        let entry = |number: u32| &self.zones[number as usize];
        let is_it = |number| entry(number).is_named(name.suffix(skip));
        name.find_suffix(&table.table, skip, is_it).map(entry)
    }
}

impl ZoneTable {
    /// The numbers of labels to leave out, from `skip` on, that leave as many labels as some zone's
    /// name has.
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

/// Whether the name is above all zones' names. `above` holds those names.
fn new_entry(zone: &Arc<Zone>, above: &HashSet<Name>, next_bit: &mut u32) -> ZoneEntry {
    let first_bit = BitIndex(*next_bit);
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
    let mut zones_by_check: HashMap<CheckSlot, Vec<u32>> = HashMap::new();
    for (number, entry) in (0..).zip(zones) {
        for &slot in entry.zone.checks() {
            zones_by_check.entry(slot).or_default().push(number);
        }
    }
    zones_by_check
}

/// Publishes worlds. There is one publisher.
pub struct Publisher(Arc<ArcSwap<World>>);

/// Reads the world that was published last.
#[derive(Clone)]
pub struct Reader(Arc<ArcSwap<World>>);

/// A worker's cached view of the world: a load costs one comparison unless a new world was
/// published.
pub struct CachedReader(arc_swap::Cache<Arc<ArcSwap<World>>, Arc<World>>);

impl Publisher {
    /// A publisher and a reader, with `world` as the first world.
    pub fn new(world: World) -> (Publisher, Reader) {
        let swap = Arc::new(ArcSwap::from_pointee(world));
        (Publisher(Arc::clone(&swap)), Reader(swap))
    }

    /// Publishes `world`: the next query reads it.
    pub fn publish(&self, world: World) {
        self.0.store(Arc::new(world));
    }
}

impl Reader {
    /// The current world.
    pub fn load(&self) -> Arc<World> {
        self.0.load_full()
    }

    /// A reader for one worker.
    pub fn cached(&self) -> CachedReader {
        CachedReader(arc_swap::Cache::new(Arc::clone(&self.0)))
    }
}

impl CachedReader {
    /// The current world.
    pub fn load(&mut self) -> &Arc<World> {
        self.0.load()
    }
}
