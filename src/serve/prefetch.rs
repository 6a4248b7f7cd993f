//! Prefetching for a batch of packets: reads the memory that the answers need before any answer is
//! made.
//!
//! Finding a client among millions of networks, or a name among hundreds of thousands, takes
//! several reads of memory that is in no cache. The processor waits for each. Done together, the
//! waits of a batch overlap (docs/decisions/0082-side-by-side.md).
//!
//! The work is wasted if answers do not depend on locations, or if the tables are small. So clients
//! are located only if enough answers of the previous batch needed a location, and each table is
//! prefetched only if it is large.

use std::net::IpAddr;

use arrayvec::ArrayVec;

use super::decode::{HEADER_OCTETS, likely_client_subnet, may_be_question};
use super::edns::ClientSubnetUse;
use crate::answer::QueryName;
use crate::geo::{GeoLookup, Located};
use crate::prefetch::SIDE_BY_SIDE;
use crate::world::World;

/// Maximum packets per batch. Entering the kernel costs about a tenth of moving one packet, which
/// is negligible when shared by 64. A larger batch would only delay its first packets.
pub const BATCH_PACKETS: usize = 64;
/// Batches with fewer packets are answered one by one.
const FEW: usize = 4;
/// Clients are located if more than one packet in this many needed a location.
const PACKETS_PER_LOCATION: usize = 4;

/// Prefetched results for one batch.
pub(super) struct Prefetch {
    /// Buffers for the names of packets.
    names: Box<[QueryName]>,
    located: ArrayVec<Located, BATCH_PACKETS>,
    /// The index into `located`, by packet.
    clients: ArrayVec<u8, BATCH_PACKETS>,
    /// Answers since the start of the batch that needed a location.
    needed: usize,
    /// Packets in the batch.
    packets: usize,
}

impl Default for Prefetch {
    fn default() -> Prefetch {
        let names = std::iter::repeat_with(QueryName::default).take(SIDE_BY_SIDE);
        Prefetch { names: names.collect(), located: ArrayVec::new(), clients: ArrayVec::new(), needed: 0, packets: 0 }
    }
}

impl Prefetch {
    /// Prefetches for these packets. `None` marks a packet that cannot be answered.
    pub(super) fn begin<'p>(
        &mut self,
        world: &World,
        client_subnet: ClientSubnetUse,
        packets: impl ExactSizeIterator<Item = Option<(&'p [u8], IpAddr)>> + Clone,
    ) {
        let locations_matter = self.needed * PACKETS_PER_LOCATION > self.packets;
        (self.needed, self.packets) = (0, packets.len());
        self.located.clear();
        self.clients.clear();
        if self.packets < FEW {
            return;
        }
        let packets = packets.map(|packet| packet.filter(|(octets, _)| may_be_question(octets)));
        if world.is_large() {
            self.prefetch_names(world, packets.clone().flatten().map(|(packet, _)| packet));
        }
        if locations_matter && world.geo_lookup().is_large() {
            let clients = packets.map(|packet| Some(client_of(packet?, client_subnet)));
            self.locate_clients(world.geo_lookup(), clients);
        }
    }

    fn prefetch_names<'p>(&mut self, world: &World, mut packets: impl Iterator<Item = &'p [u8]>) {
        loop {
            let mut read = 0;
            for (name, packet) in self.names.iter_mut().zip(&mut packets) {
                // An invalid name costs one useless lookup.
                let _ = name.read(packet, HEADER_OCTETS);
                read += 1;
            }
            if read == 0 {
                return;
            }
            world.prefetch(&self.names[..read]);
        }
    }

    fn locate_clients(&mut self, geo_lookup: &GeoLookup, clients: impl Iterator<Item = Option<IpAddr>>) {
        let mut addresses: ArrayVec<IpAddr, BATCH_PACKETS> = ArrayVec::new();
        for client in clients.take(BATCH_PACKETS) {
            // Clients repeat: do not look up the same address twice in a row.
            if let Some(address) = client.filter(|address| addresses.last() != Some(address)) {
                addresses.push(address);
            }
            self.clients.push(addresses.len().saturating_sub(1) as u8);
        }
        for addresses in addresses.chunks(SIDE_BY_SIDE) {
            self.located.extend(geo_lookup.locate_each(addresses));
        }
    }

    /// The location of the client of this packet, if it was prefetched. The caller must compare the
    /// address.
    pub(super) fn of(&self, packet: usize) -> Option<Located> {
        self.located.get(usize::from(*self.clients.get(packet)?)).copied()
    }

    /// Records that an answer of the batch was made and whether it needed a location.
    pub(super) fn record_answer(&mut self, needed_location: bool) {
        self.needed += usize::from(needed_location);
    }
}

/// The client address that the answer will use, assuming that the packet is valid.
fn client_of((packet, source): (&[u8], IpAddr), client_subnet: ClientSubnetUse) -> IpAddr {
    let subnet = match client_subnet {
        ClientSubnetUse::Use => likely_client_subnet(packet),
        ClientSubnetUse::Ignore => None,
    };
    subnet.map_or(source, |subnet| subnet.address).to_canonical()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::{Arc, LazyLock};

    use ipnet::IpNet;

    use super::*;
    use crate::answer::fixture::world;
    use crate::health::CheckBits;
    use crate::model::{LocationNetwork, Region};

    /// A world without zones with more locations than caches hold.
    static WORLD: LazyLock<World> = LazyLock::new(|| {
        let network = |number: u32| LocationNetwork {
            cidr: IpNet::new_assert(Ipv4Addr::from((20 << 24) + (number << 8)).into(), 24),
            country: None,
            subdivision: None,
            coordinates: None,
            // Equal neighbours would become one interval.
            region: Region::all().nth(number as usize % 2),
        };
        let networks: Vec<_> = (0..80_000).map(network).collect();
        let geo_lookup = GeoLookup::build(&networks, Vec::new(), &[]);
        assert!(geo_lookup.is_large());
        World::new(Arc::clone(world(&[], &[]).catalog()), &CheckBits::default(), Arc::new(geo_lookup))
    });

    /// A query whose only option is the subnet 10.53.1.0/24.
    const PACKET: &[u8] = b"\0\0\0\0\0\x01\0\0\0\0\0\x01\x03www\0\0\x01\0\x01\0\0\x29\x04\xd0\0\0\0\0\0\x0b\0\x08\0\x07\0\x01\x18\0\x0a\x35\x01";

    /// The beginning of a query without options.
    const QUESTION: &[u8] = b"\0\0\0\0\0\x01\0\0\0\0\0\0";

    fn client(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    /// Begins a batch of packets from clients with these last octets; `None` has no address.
    fn begin(prefetch: &mut Prefetch, clients: &[Option<u8>], client_subnet: ClientSubnetUse, packet: &[u8]) {
        let packets = clients.iter().map(|last| last.map(|last| (packet, client(last))));
        prefetch.begin(&WORLD, client_subnet, packets);
    }

    fn known(prefetch: &Prefetch, packets: usize) -> Vec<Option<IpAddr>> {
        (0..packets).map(|packet| prefetch.of(packet).map(|located| located.address)).collect()
    }

    #[test]
    fn clients_are_located_while_answers_need_locations() {
        let mut prefetch = Prefetch::default();
        let clients = [Some(1), Some(1), None, Some(2), Some(1)];
        begin(&mut prefetch, &clients, ClientSubnetUse::Use, QUESTION);
        assert_eq!(known(&prefetch, 5), [None; 5], "no answer was recorded yet");
        [true, false, true, false].into_iter().for_each(|needed| prefetch.record_answer(needed));
        begin(&mut prefetch, &clients, ClientSubnetUse::Use, QUESTION);
        // A packet that cannot be answered is not located.
        let [first, second] = [1, 2].map(|last| Some(client(last)));
        let of_each = known(&prefetch, 5);
        assert_eq!([of_each[0], of_each[1], of_each[3], of_each[4]], [first, first, second, first]);
        assert_eq!(prefetch.located.len(), 3, "a client that repeats is looked for once");
        prefetch.record_answer(true);
        begin(&mut prefetch, &clients, ClientSubnetUse::Use, QUESTION);
        assert_eq!(known(&prefetch, 5), [None; 5], "one of five needed a location");
    }

    #[test]
    fn packets_without_a_question_and_small_tables_are_not_prefetched() {
        let ready = || Prefetch { needed: 9, packets: 9, ..Prefetch::default() };
        let mut prefetch = ready();
        begin(&mut prefetch, &[Some(1); 4], ClientSubnetUse::Use, b"\0\0\x80\0\0\x01\0\0\0\0\0\0");
        assert_eq!(known(&prefetch, 4), [None; 4]);
        let mut prefetch = ready();
        let packets = [Some((QUESTION, client(1))); 4].into_iter();
        prefetch.begin(&world(&[], &[]), ClientSubnetUse::Use, packets);
        assert_eq!(known(&prefetch, 4), [None; 4]);
    }

    #[test]
    fn few_packets_are_answered_one_by_one() {
        let mut prefetch = Prefetch { needed: 3, packets: 3, ..Prefetch::default() };
        begin(&mut prefetch, &[Some(1); 3], ClientSubnetUse::Use, QUESTION);
        assert_eq!(known(&prefetch, 3), [None; 3]);
    }

    #[test]
    fn the_client_is_the_subnet_s_where_that_is_used() {
        for (client_subnet, expected) in
            [(ClientSubnetUse::Use, IpAddr::from([10, 53, 1, 0])), (ClientSubnetUse::Ignore, client(1))]
        {
            let mut prefetch = Prefetch { needed: 9, packets: 9, ..Prefetch::default() };
            begin(&mut prefetch, &[Some(1); 4], client_subnet, PACKET);
            assert_eq!(known(&prefetch, 4), [Some(expected); 4]);
        }
    }
}
