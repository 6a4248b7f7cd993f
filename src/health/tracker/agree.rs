//! The status that nodes agree on, in a cluster. Without one, a check's own results decide.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::health::agreement::{AgreedStatus, CheckList, FIRST_OPINIONS_TICKS, OtherNodes, agreed_status};
use crate::health::{Cause, CheckSlot, Identity, Status, Timestamp, final_status};
use crate::model::{Agreement, HealthCheckKind};

use super::entry::Entry;
use super::{Tracker, Transition};

/// What decides on the status of a check in a cluster, in addition to this node's own results.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'o> {
    /// The opinions of other nodes.
    pub others: &'o OtherNodes,
    /// The rule of checks without one of their own.
    pub agreement: Agreement,
    /// All sentinels of this node are unhealthy, so its own opinions do not count.
    pub is_isolated: bool,
}

impl Tracker {
    /// Decides these checks again. Returns the changes of final statuses, including those of
    /// calculated checks whose children changed.
    pub fn agree(
        &mut self,
        slots: impl IntoIterator<Item = CheckSlot>,
        terms: &Terms<'_>,
        at: Timestamp,
    ) -> Vec<Transition> {
        let mut transitions: Vec<Transition> = Vec::new();
        for slot in slots {
            match self.agreed(slot, terms) {
                Some(agreed) => {
                    self.stop_awaiting(slot);
                    transitions.extend(self.set_agreed(slot, agreed, at));
                }
                None => self.hold_status(slot),
            }
        }
        let parents = transitions.iter().filter_map(|transition| self.parents.get(&transition.slot));
        let parents: BTreeSet<CheckSlot> = parents.flatten().copied().collect();
        transitions.extend(parents.into_iter().filter_map(|parent| self.calculate(parent, at)));
        transitions
    }

    /// Without opinions a check keeps its status, also when this node has a result of its own
    /// later: that is an opinion first.
    fn hold_status(&mut self, slot: CheckSlot) {
        let Some(before) = self.entry(slot) else { return };
        if before.has_opinions() && before.agreed.is_none() {
            let after = Entry { agreed: Some(before.status()), ..before.clone() };
            self.put(slot, after);
        }
    }

    /// The status that follows from the opinions, and how many hold which; `None` without any, and
    /// while the check waits for the first opinions of all nodes.
    #[must_use]
    pub fn agreed(&self, slot: CheckSlot, terms: &Terms<'_>) -> Option<AgreedStatus> {
        let entry = self.entry(slot)?;
        let is_early = self.awaits_opinions(slot) && !entry.has_all_opinions(slot, terms);
        entry.agreed_status(slot, terms).filter(|_| !is_early)
    }

    /// These checks are new, or ask something else than before: their statuses stay until every
    /// node has an opinion on them, or [`FIRST_OPINIONS_TICKS`] have passed.
    pub fn await_opinions<'s>(&mut self, slots: impl IntoIterator<Item = &'s CheckSlot>) {
        for slot in slots {
            match self.entry(*slot).is_some_and(Entry::has_opinions) {
                true => drop(Arc::make_mut(&mut self.awaiting).insert(*slot, FIRST_OPINIONS_TICKS)),
                false => self.stop_awaiting(*slot),
            }
        }
    }

    /// Another node asks something else about these checks, as this one soon will: their statuses
    /// stay, as if they had changed here.
    pub fn hold_for_others(&mut self, slots: impl IntoIterator<Item = CheckSlot>) {
        for slot in slots {
            if !self.awaits_opinions(slot) && self.entry(slot).is_some_and(Entry::has_opinions) {
                Arc::make_mut(&mut self.awaiting).insert(slot, FIRST_OPINIONS_TICKS);
            }
        }
    }

    /// Whether a check waits for the first opinions of all nodes.
    #[must_use]
    pub fn awaits_opinions(&self, slot: CheckSlot) -> bool {
        self.awaiting.contains_key(&slot)
    }

    /// The checks that wait for the first opinions of all nodes.
    #[must_use]
    pub fn awaiting(&self) -> Vec<CheckSlot> {
        self.awaiting.keys().copied().collect()
    }

    /// One second has passed. Returns the checks that do not wait any longer.
    pub fn tick_awaiting(&mut self) -> Vec<CheckSlot> {
        if self.awaiting.is_empty() {
            return Vec::new();
        }
        let awaiting = Arc::make_mut(&mut self.awaiting);
        awaiting.values_mut().for_each(|left| *left = left.saturating_sub(1));
        let over = awaiting.iter().filter(|(_, left)| **left == 0).map(|(slot, _)| *slot).collect();
        awaiting.retain(|_, left| *left > 0);
        over
    }

    fn stop_awaiting(&mut self, slot: CheckSlot) {
        if self.awaits_opinions(slot) {
            Arc::make_mut(&mut self.awaiting).remove(&slot);
        }
    }

    fn set_agreed(&mut self, slot: CheckSlot, agreed: AgreedStatus, at: Timestamp) -> Option<Transition> {
        let before = self.entry(slot)?;
        if before.agreed == Some(agreed.status) {
            return None;
        }
        let after = Entry { agreed: Some(agreed.status), ..before.clone() };
        let (from, to, name) = (before.final_status(), after.final_status(), Arc::clone(&after.name));
        self.put(slot, after);
        (from != to).then_some(Transition { slot, name, from, to, at, cause: Cause::Agreement(agreed) })
    }

    /// This node's own opinion on the endpoint or metric of a check; `None` before its first
    /// result.
    #[must_use]
    pub fn opinion(&self, slot: CheckSlot) -> Option<Status> {
        self.entry(slot)?.opinion()
    }

    /// The final status of a check if only this node's own results counted.
    #[must_use]
    pub fn own_status(&self, slot: CheckSlot) -> Option<Status> {
        let entry = self.entry(slot)?;
        Some(entry.overridden.unwrap_or_else(|| final_status(&entry.check, entry.source.status())))
    }

    /// The checks that nodes have opinions on.
    #[must_use]
    pub fn check_list(&self) -> CheckList {
        CheckList::new(
            self.entries().filter(|(_, entry)| entry.has_opinions()).map(|(_, entry)| entry.identity.clone()),
        )
    }

    /// The check that has the same id and probes the same.
    #[must_use]
    pub fn slot_asking(&self, check: &Identity) -> Option<CheckSlot> {
        let slot = self.slots.of(&check.id)?;
        let entry = self.entry(slot)?;
        (entry.has_opinions() && entry.identity.fingerprint == check.fingerprint).then_some(slot)
    }
}

impl Entry {
    /// Whether nodes probe it. Other checks follow from the configuration and from these.
    fn has_opinions(&self) -> bool {
        !self.check.disabled && matches!(self.check.kind, HealthCheckKind::Endpoint(_) | HealthCheckKind::Metric(_))
    }

    pub(super) fn opinion(&self) -> Option<Status> {
        self.source.opinion().filter(|_| self.has_opinions())
    }

    /// Whether every node that counts has an opinion on it.
    fn has_all_opinions(&self, slot: CheckSlot, terms: &Terms<'_>) -> bool {
        (terms.is_isolated || self.opinion().is_some()) && terms.others.have_all_an_opinion(slot)
    }

    /// `None` if no node has an opinion, or none is needed: then the last status stays.
    fn agreed_status(&self, slot: CheckSlot, terms: &Terms<'_>) -> Option<AgreedStatus> {
        if !self.has_opinions() {
            return None;
        }
        let own = self.opinion().filter(|_| !terms.is_isolated);
        let agreement = self.check.agreement.unwrap_or(terms.agreement);
        agreed_status(agreement, terms.others.checkers(slot).and(own))
    }
}
