//! IP-based routing: the member for the longest CIDR block that holds the client.

use ipnet::IpNet;

use super::{Candidates, Choice, Note, Trace, first_usable, trace};
use crate::geo::{Client, PrefixTable};
use crate::model::{CidrCollection, ResourceRecordSet, RoutingPolicy};

/// The blocks of the group's collection with the members for their locations.
#[derive(Debug, PartialEq)]
pub struct IpBased {
    /// For every address the blocks that hold it, the longest first.
    blocks: PrefixTable<Box<[Block]>>,
    /// The member for location `*`.
    default: Option<u16>,
}

/// The prefix length of a block, and the member for its location when the group has one.
type Block = (u8, Option<u16>);

impl IpBased {
    pub(super) fn new(group: &[&ResourceRecordSet], collections: &[CidrCollection]) -> IpBased {
        let blocks = blocks_of(group, collections);
        IpBased { blocks: PrefixTable::build_chains(blocks.into_iter()), default: member_for(group, None) }
    }

    /// A block matches only when it holds the client's whole prefix (Developer Guide, "IP-based routing"). The longest
    /// that matches decides; when its location has no member here, the default answers. An unhealthy member gives way to
    /// the next shorter block's, then to the default; when all are unhealthy the longest block's answers.
    pub(super) fn choose<T: Trace>(&self, candidates: Candidates<'_>, client: &Client<'_>, trace: &mut T) -> Choice {
        let hit = self.blocks.lookup(client.address());
        let chain = hit.value.map_or(&[][..], |chain| chain);
        let matching = || chain.iter().filter(|(length, _)| *length <= client.prefix()).map(|&(_, member)| member);
        let served = matching().next().is_some_and(|nearest| nearest.is_some());
        let preferred = matching().filter(move |_| served).flatten().chain(self.default);
        trace.note(|| {
            let block = |&(length, member): &Block| trace::Block { length, matches: length <= client.prefix(), member };
            Note::Blocks { blocks: chain.iter().map(block).collect(), preferred: preferred.clone().collect() }
        });
        // Neighbouring blocks with one answer share a depth; a prefix that is as short as that matches neither of them, so
        // that the answer holds for the longest block alone.
        let longest = chain.first().map_or(0, |&(length, _)| length);
        Choice::of(first_usable(preferred, candidates), hit.depth.max(longest))
    }
}

/// Every block of the collection that the group refers to, with the member for its location.
fn blocks_of(group: &[&ResourceRecordSet], collections: &[CidrCollection]) -> Vec<(IpNet, Option<u16>)> {
    let id = group.iter().find_map(|set| match &set.routing_policy {
        RoutingPolicy::IpBased { collection, .. } => Some(collection),
        _ => None,
    });
    let Some(collection) = collections.iter().find(|collection| Some(&collection.id) == id) else { return Vec::new() };
    let located = collection.locations.iter().flat_map(|(location, blocks)| {
        let member = member_for(group, Some(location));
        blocks.iter().map(move |block| (*block, member))
    });
    located.collect()
}

fn member_for(group: &[&ResourceRecordSet], wanted: Option<&str>) -> Option<u16> {
    let fits = |set: &&ResourceRecordSet| match &set.routing_policy {
        RoutingPolicy::IpBased { location, .. } => location.as_deref() == wanted,
        _ => false,
    };
    (0..).zip(group).find(|(_, set)| fits(set)).map(|(member, _)| member)
}
