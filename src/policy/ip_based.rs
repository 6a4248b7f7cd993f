//! IP-based routing: the member for the longest CIDR block that contains the client.

use std::sync::Arc;

use super::cidr_tables::{Block, Blocks, LocationIndex};
use super::{Candidates, Choice, CidrTables, MemberIndex, PolicyStep, PolicyTrace, first_usable, trace};
use crate::geo::Client;
use crate::model::{PrefixLength, ResourceRecordSet, RoutingPolicy};

/// The blocks of the collection, which all its groups share, and this group's members for its
/// locations.
#[derive(Debug, PartialEq)]
pub struct IpBased {
    blocks: Arc<Blocks>,
    /// By location: only locations that the group has a member for, which can be far fewer than the
    /// collection has.
    members: Box<[(LocationIndex, MemberIndex)]>,
    /// The member for location `*`.
    default: Option<MemberIndex>,
}

impl IpBased {
    pub(super) fn new(group: &[&ResourceRecordSet], tables: &CidrTables) -> IpBased {
        let table = group.iter().find_map(|set| match &set.routing_policy {
            RoutingPolicy::IpBased { collection, .. } => tables.find(collection),
            _ => None,
        });
        let (mut members, mut default) = (Vec::with_capacity(group.len()), None);
        for (member, set) in MemberIndex::number(group) {
            let RoutingPolicy::IpBased { location, .. } = &set.routing_policy else { continue };
            match location {
                None => default = default.or(Some(member)),
                Some(name) => members.extend(table.and_then(|table| table.location(name)).map(|at| (at, member))),
            }
        }
        members.sort_unstable();
        members.dedup_by_key(|(location, _)| *location);
        let blocks = table.map_or_else(Arc::default, |table| Arc::clone(&table.blocks));
        IpBased { blocks, members: members.into(), default }
    }

    /// A block matches only if it contains the client's whole prefix (Developer Guide, "IP-based
    /// routing"). The longest match decides; if its location has no member here, the default is
    /// answered. If a member is unhealthy, the next shorter block's member is tried, then the
    /// default. If all are unhealthy, the longest block's member is answered.
    pub(super) fn choose<T: PolicyTrace>(
        &self,
        candidates: Candidates<'_>,
        client: &Client<'_>,
        trace: &mut T,
    ) -> Choice {
        let hit = self.blocks.lookup(client.address());
        let chain = hit.value.map_or(&[][..], |chain| chain);
        let matches = |length| length <= client.prefix();
        let matching =
            || chain.iter().filter(|(length, _)| matches(*length)).map(|&(_, location)| self.member(location));
        let served = matching().next().is_some_and(|nearest| nearest.is_some());
        let preferred = matching().filter(move |_| served).flatten().chain(self.default);
        trace.policy_step(|| {
            let block = |&(length, location): &Block| trace::Block {
                length,
                matches: matches(length),
                member: self.member(location),
            };
            PolicyStep::Blocks { blocks: chain.iter().map(block).collect(), preferred: preferred.clone().collect() }
        });
        // Neighbouring blocks with the same answer share a depth. A prefix of that length matches
        // neither of them, so the answer is valid for the longest block only.
        let longest = chain.first().map_or(PrefixLength::ZERO, |&(length, _)| length);
        Choice::of(first_usable(preferred, candidates), hit.depth.max(longest))
    }

    fn member(&self, location: LocationIndex) -> Option<MemberIndex> {
        let at = self.members.binary_search_by_key(&location, |(known, _)| *known).ok()?;
        Some(self.members[at].1)
    }
}
