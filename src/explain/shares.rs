//! The share of each record in all answers to one client: the shares of the policies, multiplied
//! along aliases and CNAMEs.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::names::Names;
use super::recorder::PolicySteps;
use crate::answer::MAX_CHAIN;
use crate::geo::Client;
use crate::model::{GroupKey, QueryType, RecordType};
use crate::policy::{MemberIndex, SeededRng};
use crate::world::ZoneView;
use crate::zonetree::{Found, GroupIndex, MemberContent, NodeIndex};

/// Most groups that are followed, which limits the work.
const MOST_GROUPS: usize = 500;

/// The share of each record set, by group and member.
type Leaves = BTreeMap<(GroupKey, MemberIndex), f64>;

/// The shares in the answers to a query.
pub(super) struct Shares {
    /// The record sets and their shares.
    pub(super) leaves: Rc<Leaves>,
    /// True if all groups were followed.
    pub(super) complete: bool,
}

/// The long-run shares of a group's records in the answers to this client. `query_type` is the
/// QTYPE; a CNAME of another type is followed, except for ANY.
pub(super) fn shares(
    zone_view: &ZoneView<'_>,
    client: &Client<'_>,
    names: &Names<'_>,
    query_type: QueryType,
    group: &(GroupIndex, GroupKey),
) -> Shares {
    let mut walk = Walk { zone_view, client, names, query_type, known: Vec::new(), complete: true };
    let leaves = walk.follow(group.0, &group.1, 0);
    Shares { leaves, complete: walk.complete }
}

struct Walk<'s, 'w> {
    zone_view: &'s ZoneView<'w>,
    client: &'s Client<'w>,
    names: &'s Names<'s>,
    query_type: QueryType,
    /// Groups that were followed already. Aliases can lead to the same group many times; it is
    /// followed once.
    known: Vec<(GroupIndex, Rc<Leaves>)>,
    complete: bool,
}

impl Walk<'_, '_> {
    fn follow(&mut self, group: GroupIndex, key: &GroupKey, depth: usize) -> Rc<Leaves> {
        if let Some((_, known)) = self.known.iter().find(|(known, _)| *known == group) {
            return Rc::clone(known);
        }
        // The answer follows no longer chain.
        if depth == MAX_CHAIN {
            return Rc::default();
        }
        if self.known.len() == MOST_GROUPS {
            self.complete = false;
            return Rc::default();
        }
        // A walk that leads back here is a CNAME loop; an answer has each record once.
        self.known.push((group, Rc::default()));
        let index = self.known.len() - 1;
        let leaves = Rc::new(self.leaves_of(group, key, depth));
        self.known[index].1 = Rc::clone(&leaves);
        leaves
    }

    fn leaves_of(&mut self, group: GroupIndex, key: &GroupKey, depth: usize) -> Leaves {
        let zone = self.zone_view.zone;
        let mut steps = PolicySteps::default();
        zone.choose(group, self.zone_view.usable, self.client, &mut SeededRng::new(0), &mut steps);
        let mut leaves = Leaves::new();
        for (member, share) in steps.shares().into_iter().filter(|(_, share)| *share > 0.0) {
            let next = match zone.content(group, member) {
                MemberContent::Alias(target) => target.zip(self.names.alias_target(key, member)),
                MemberContent::Records(..) => {
                    *leaves.entry((key.clone(), member)).or_default() += share;
                    self.cname_target(group, member)
                }
            };
            let Some((next, key)) = next else { continue };
            for (leaf, part) in &*self.follow(next, &key, depth + 1) {
                *leaves.entry(leaf.clone()).or_default() += share * part;
            }
        }
        leaves
    }

    /// True if a CNAME points to exactly this name, not to one below it.
    fn is_target(&self, group: GroupIndex, member: MemberIndex, node: NodeIndex) -> bool {
        let MemberContent::Records(cname, _) = self.zone_view.zone.content(group, member) else { return false };
        cname.target_labels().is_some_and(|labels| labels.len() == self.zone_view.zone.labels(node).len())
    }

    /// The group that a CNAME points to, if it is in this zone.
    fn cname_target(&self, group: GroupIndex, member: MemberIndex) -> Option<(GroupIndex, GroupKey)> {
        let zone = self.zone_view.zone;
        let is_asked = [RecordType::Cname.into(), QueryType::ANY].contains(&self.query_type);
        if zone.record_type(group) != RecordType::Cname || is_asked {
            return None;
        }
        let node = match zone.cname_target(group, member)? {
            Found::Name(node) | Found::Wildcard(node) => node,
            // This zone answers DS at a delegation point.
            Found::Delegation(cut)
                if self.query_type == RecordType::Ds.into() && self.is_target(group, member, cut) =>
            {
                cut
            }
            Found::Delegation(_) | Found::Nothing => return None,
        };
        let asked = RecordType::from_code(self.query_type.0).and_then(|asked| zone.group(node, asked));
        let group = asked.or_else(|| zone.group(node, RecordType::Cname))?;
        Some((group, GroupKey::in_zone(self.names.of_node(zone, node), zone.record_type(group))))
    }
}
