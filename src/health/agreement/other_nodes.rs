//! The opinions of all other nodes, by slot.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::health::{CheckSlot, Identity, Status};

use super::{Checkers, NodeOpinions, Opinion};

/// How many ticks of one second an opinion counts after it was heard. Nodes repeat their opinions
/// every 3 s. This is longer than the lease of a node, so nodes that are connected to etcd drop a
/// node at the same moment, when its lease expires; a node without etcd drops all others by this.
pub const FRESH_TICKS: u32 = 15;

/// The opinions of all other nodes. A clone shares them.
#[derive(Clone, Debug, Default)]
pub struct OtherNodes {
    nodes: Arc<BTreeMap<Arc<str>, OtherNode>>,
}

/// What was heard about another node.
#[derive(Clone, Debug)]
pub enum NodeNews {
    /// It stated its opinions.
    Opinions(Arc<str>, Arc<NodeOpinions>),
    /// It left, or its lease has expired.
    Gone(Arc<str>),
}

/// One other node.
#[derive(Clone, Debug)]
pub struct OtherNode {
    opinions: Arc<NodeOpinions>,
    /// The index of each slot's check in the list of the node.
    indexes: Arc<[Option<u32>]>,
    /// Ticks since it was heard.
    silent_ticks: u32,
}

impl OtherNodes {
    /// Takes what was heard. Returns the checks whose opinion is another one now.
    pub fn take(&mut self, news: &NodeNews, slot_of: &dyn Fn(&Identity) -> Option<CheckSlot>) -> Vec<CheckSlot> {
        match news {
            NodeNews::Opinions(node, opinions) => self.hear(node, Arc::clone(opinions), slot_of),
            NodeNews::Gone(node) => self.forget(node),
        }
    }

    /// The checks that a node had an opinion on, and about which it asks something else in what it
    /// states now: it has a change of the configuration that this node does not have yet, or the
    /// other way round.
    #[must_use]
    pub fn moved(&self, news: &NodeNews, slot_of: &dyn Fn(&Identity) -> Option<CheckSlot>) -> Vec<CheckSlot> {
        let NodeNews::Opinions(node, opinions) = news else { return Vec::new() };
        let is_other = |before: &&OtherNode| before.opinions.checks().hash() != opinions.checks().hash();
        let Some(before) = self.nodes.get(node).filter(is_other) else { return Vec::new() };
        let after = indexes(opinions, slot_of);
        let is_moved = |slot: &CheckSlot| {
            before.status(*slot).is_some() && after.get(slot.0 as usize).copied().flatten().is_none()
        };
        (0..).map(CheckSlot).take(before.indexes.len()).filter(is_moved).collect()
    }

    /// A node stated its opinions. Returns the checks whose opinion is another one now. `slot_of`
    /// finds the check that has the same id and probes the same.
    pub fn hear(
        &mut self,
        node: &Arc<str>,
        opinions: Arc<NodeOpinions>,
        slot_of: &dyn Fn(&Identity) -> Option<CheckSlot>,
    ) -> Vec<CheckSlot> {
        let before = self.nodes.get(node).cloned();
        let indexes = match &before {
            Some(known) if Arc::ptr_eq(known.opinions.checks(), opinions.checks()) => Arc::clone(&known.indexes),
            _ => indexes(&opinions, slot_of),
        };
        let after = OtherNode { opinions, indexes, silent_ticks: 0 };
        let changed = differences(before.as_ref(), Some(&after));
        Arc::make_mut(&mut self.nodes).insert(Arc::clone(node), after);
        changed
    }

    /// A node left, or its lease has expired. Returns the checks that it had an opinion on.
    pub fn forget(&mut self, node: &str) -> Vec<CheckSlot> {
        if !self.nodes.contains_key(node) {
            return Vec::new();
        }
        differences(Arc::make_mut(&mut self.nodes).remove(node).as_ref(), None)
    }

    /// One second has passed. Returns the checks on which a node no longer has a fresh opinion.
    pub fn tick(&mut self) -> Vec<CheckSlot> {
        if self.nodes.is_empty() {
            return Vec::new();
        }
        let mut changed = Vec::new();
        for node in Arc::make_mut(&mut self.nodes).values_mut() {
            let before = node.clone();
            node.silent_ticks = node.silent_ticks.saturating_add(1);
            if before.is_fresh() && !node.is_fresh() {
                changed.extend(differences(Some(&before), None));
            }
        }
        changed
    }

    /// Finds the slots of all checks again, after the configuration changed.
    pub fn resolve(&mut self, slot_of: &dyn Fn(&Identity) -> Option<CheckSlot>) {
        if !self.nodes.is_empty() {
            for node in Arc::make_mut(&mut self.nodes).values_mut() {
                node.indexes = indexes(&node.opinions, slot_of);
            }
        }
    }

    /// The opinions on one check that count.
    #[must_use]
    pub fn checkers(&self, slot: CheckSlot) -> Checkers {
        self.nodes.values().fold(Checkers::default(), |checkers, node| checkers.and(node.status(slot)))
    }

    /// Whether every node that counts has an opinion on a check.
    #[must_use]
    pub fn have_all_an_opinion(&self, slot: CheckSlot) -> bool {
        self.nodes.values().filter(|node| node.counts()).all(|node| node.opinion(slot).is_some())
    }

    /// All nodes by name, also those whose opinions do not count.
    pub fn nodes(&self) -> impl Iterator<Item = (&Arc<str>, &OtherNode)> {
        self.nodes.iter()
    }
}

impl OtherNode {
    /// Whether it was heard lately.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.silent_ticks < FRESH_TICKS
    }

    /// Whether its opinions count.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.is_fresh() && !self.opinions.isolated
    }

    /// The seconds since its last result of this check.
    #[must_use]
    pub fn age_s(&self, opinion: &Opinion) -> u32 {
        opinion.age_s.saturating_add(self.silent_ticks)
    }

    /// What it said last.
    #[must_use]
    pub fn opinions(&self) -> &NodeOpinions {
        &self.opinions
    }

    /// Its opinion on a check, whether it counts or not.
    #[must_use]
    pub fn opinion(&self, slot: CheckSlot) -> Option<&Opinion> {
        let index = (*self.indexes.get(slot.0 as usize)?)?;
        self.opinions.opinion(index as usize)
    }

    /// Its opinion on a check, if it counts.
    fn status(&self, slot: CheckSlot) -> Option<Status> {
        self.opinion(slot).filter(|_| self.counts()).map(|opinion| opinion.status)
    }
}

/// The index of each slot's check in the list.
fn indexes(opinions: &NodeOpinions, slot_of: &dyn Fn(&Identity) -> Option<CheckSlot>) -> Arc<[Option<u32>]> {
    let mut indexes = Vec::new();
    for (index, check) in (0..).zip(opinions.checks().checks()) {
        let Some(slot) = slot_of(check) else { continue };
        let slot = slot.0 as usize;
        if slot >= indexes.len() {
            indexes.resize(slot + 1, None);
        }
        indexes[slot] = Some(index);
    }
    indexes.into()
}

/// The checks on which a node counts differently.
fn differences(before: Option<&OtherNode>, after: Option<&OtherNode>) -> Vec<CheckSlot> {
    let end = |node: Option<&OtherNode>| node.map_or(0, |node| node.indexes.len());
    let status = |node: Option<&OtherNode>, slot| node.and_then(|node| node.status(slot));
    let slots = (0..).take(end(before).max(end(after))).map(CheckSlot);
    slots.filter(|slot| status(before, *slot) != status(after, *slot)).collect()
}
