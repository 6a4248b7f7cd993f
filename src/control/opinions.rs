//! The status that the nodes of a cluster agree on.
//!
//! ```text
//!  etcd ──▶ cluster ──▶ Opinions ──▶ hear ─┐
//!  results of this node ──▶ observe ───────┼──▶ agree ──▶ statuses, as from results
//!  clock ──▶ tick, a load ─────────────────┘
//!  view of health ──▶ OwnOpinions ──▶ cluster ──▶ etcd
//! ```
//!
//! Nothing here waits for etcd. Without `[cluster]` nothing here happens: the results of this node
//! decide.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::config::Settings;
use crate::health::agreement::{AgreedStatus, CheckList, Checkers, NodeNews, NodeOpinions, Opinion, OtherNodes};
use crate::health::{Applied, Cause, CheckSlot, Identity, Terms, Timestamp, Tracker, Transition};
use crate::model::{Agreement, HealthCheck};

use super::check_histories::CheckHistories;
use super::metrics::OpinionCounts;
use super::{CheckReport, Control, HealthView};

/// How many ticks of one second it takes until a count of nodes is compared with those that live.
const LOOK_AT_COUNTS: u32 = 30;

/// What decides in a cluster, besides the results of this node. A clone is cheap.
#[derive(Clone, Debug)]
pub(super) struct Opinions {
    node: Arc<str>,
    region: Option<Arc<str>>,
    /// An address of this node; `None` until it answers queries.
    address: Option<IpAddr>,
    agreement: Agreement,
    others: OtherNodes,
    /// Ticks since the counts of nodes were last looked at.
    ticks: u32,
    /// A count that was reported, with the number of nodes.
    reported: Option<(u16, usize)>,
}

/// What a node says about one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeOpinion {
    /// The name of the node.
    pub(crate) node: Arc<str>,
    /// The AWS region that it is in or near.
    pub(crate) region: Option<Arc<str>>,
    /// Its address.
    pub(crate) address: Option<IpAddr>,
    /// Whether it is this node.
    pub(crate) is_own: bool,
    /// Whether its opinion counts: it is fresh, and the node is not isolated.
    pub(crate) counts: bool,
    /// The opinion.
    pub(crate) opinion: Opinion,
}

/// An agreement that is a count of nodes, with fewer nodes than that: then all of them must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnreachableCount<'c> {
    /// The count.
    needed: u16,
    /// The check that has it; `None` if it is that of the cluster.
    check: Option<&'c str>,
    /// How many nodes live.
    nodes: usize,
}

/// Puts together what this node says, for the other nodes.
#[derive(Debug, Default)]
pub(crate) struct OwnOpinions {
    /// The checks of the last opinions, and their list.
    known: Option<(Arc<[HealthCheck]>, Arc<CheckList>)>,
}

impl Opinions {
    /// `None` without `[cluster]`.
    pub(super) fn of(settings: &Settings) -> Option<Opinions> {
        let cluster = settings.cluster.as_ref()?;
        Some(Opinions {
            node: cluster.node.as_str().into(),
            region: cluster.region.map(|region| region.name().into()),
            address: None,
            agreement: cluster.agreement,
            others: OtherNodes::default(),
            ticks: 0,
            reported: None,
        })
    }

    fn terms(&self, is_isolated: bool) -> Terms<'_> {
        Terms { others: &self.others, agreement: self.agreement, is_isolated }
    }

    /// At the start nothing is decided: all checks keep the status that was saved.
    pub(super) fn hold_all(&self, tracker: &mut Tracker, at: Timestamp) {
        drop(tracker.agree(tracker.slots().all(), &self.terms(true), at));
    }

    /// One second has passed. Returns a count that so few nodes do not reach, once. Nodes that
    /// start one after the other are few for a moment, so it looks every 30 s.
    pub(super) fn count_to_report<'c>(&mut self, checks: &'c [HealthCheck]) -> Option<UnreachableCount<'c>> {
        self.ticks += 1;
        if self.ticks < LOOK_AT_COUNTS {
            return None;
        }
        self.ticks = 0;
        let nodes = self.others.nodes().filter(|(_, node)| node.is_fresh()).count() + 1;
        let found = unreachable_count(self.agreement, checks, nodes);
        let reported = std::mem::replace(&mut self.reported, found.as_ref().map(|found| (found.needed, nodes)));
        found.filter(|_| self.reported != reported)
    }
}

/// The largest count that is more than the nodes that live.
fn unreachable_count(of_cluster: Agreement, checks: &[HealthCheck], nodes: usize) -> Option<UnreachableCount<'_>> {
    let of_checks = checks.iter().filter_map(|check| Some((check.agreement?, Some(&*check.name))));
    let counts = of_checks.chain([(of_cluster, None)]).filter_map(|(agreement, check)| match agreement {
        Agreement::AtLeast(needed) => Some((needed, check)),
        _ => None,
    });
    let (needed, check) = counts.max().filter(|(needed, _)| usize::from(*needed) > nodes)?;
    Some(UnreachableCount { needed, check, nodes })
}

/// The wording for the log.
impl fmt::Display for UnreachableCount<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UnreachableCount { needed, check, nodes } = self;
        match check {
            Some(name) => write!(f, "health check {name}")?,
            None => f.write_str("`[cluster] agreement`")?,
        }
        let are = if *nodes == 1 { "is" } else { "are" };
        write!(f, " needs {needed} nodes to consider an endpoint healthy, but {nodes} {are} live: all of them must")
    }
}

impl Control {
    /// Other nodes stated their opinions, or are gone.
    pub(super) fn hear(&mut self, news: &[NodeNews], at: Timestamp) {
        let Some(opinions) = &mut self.opinions else { return };
        let before: BTreeSet<Arc<str>> = fresh_nodes(&opinions.others);
        let (tracker, others) = (&self.tracker, &mut opinions.others);
        let (mut changed, mut moved) = (BTreeSet::new(), Vec::new());
        for news in news {
            let slot_of = |check: &Identity| tracker.slot_asking(check);
            moved.extend(others.moved(news, &slot_of));
            changed.extend(others.take(news, &slot_of));
        }
        log_nodes(&before, &fresh_nodes(&opinions.others));
        self.tracker.hold_for_others(moved);
        // Also those that waited for the opinion of a node that is gone.
        self.agree(self.tracker.awaiting(), true, at);
        self.agree(changed, false, at);
    }

    /// Where other nodes are told that this one is.
    pub(super) fn set_address(&mut self, address: IpAddr) {
        if let Some(opinions) = &mut self.opinions {
            opinions.address = Some(address);
            self.unpublished.tell_opinions();
        }
    }

    /// One second has passed: opinions that were not repeated do not count any more.
    pub(super) fn forget_stale_opinions(&mut self, at: Timestamp) {
        let Some(opinions) = &mut self.opinions else { return };
        let before = fresh_nodes(&opinions.others);
        let changed = opinions.others.tick();
        log_nodes(&before, &fresh_nodes(&opinions.others));
        let awaited = self.tracker.tick_awaiting();
        self.agree(awaited.into_iter().chain(self.tracker.awaiting()).collect::<Vec<_>>(), true, at);
        self.agree(changed, false, at);
        if let Some(count) = self.opinions.as_mut().and_then(|opinions| opinions.count_to_report(&self.base.checks)) {
            tracing::warn!("{count}");
        }
    }

    /// Decides all checks again: this node became isolated, or is connected again.
    pub(super) fn agree_on_all(&mut self, at: Timestamp) {
        if self.opinions.is_some() {
            self.agree(self.tracker.slots().all(), false, at);
            self.unpublished.tell_opinions();
        }
    }

    /// Decides after a load. Returns the changes of statuses, to be recorded when it is published.
    pub(super) fn agree_after_load(&mut self, applied: &Applied, at: Timestamp) -> Vec<Transition> {
        let Some(opinions) = &mut self.opinions else { return Vec::new() };
        self.tracker.await_opinions(applied.added.iter().chain(&applied.restarted));
        let tracker = &self.tracker;
        opinions.others.resolve(&|check| tracker.slot_asking(check));
        self.unpublished.tell_opinions();
        let terms = opinions.terms(self.sentinels.isolated_since().is_some());
        self.tracker.agree(self.tracker.slots().all(), &terms, at)
    }

    /// Decides some checks again. `at_once` is for first results, which start no recovery.
    pub(super) fn agree(&mut self, slots: impl IntoIterator<Item = CheckSlot>, at_once: bool, at: Timestamp) {
        let Some(opinions) = &self.opinions else { return };
        let slots: Vec<CheckSlot> = slots.into_iter().collect();
        // An override decides their status, but while they drain, their own health decides whether
        // their records answer.
        let drains = slots.iter().filter(|slot| self.in_force.drains(**slot));
        let draining: Vec<_> = drains.map(|slot| (*slot, self.tracker.status_without_overrides(*slot))).collect();
        let terms = opinions.terms(self.sentinels.isolated_since().is_some());
        let transitions = self.tracker.agree(slots, &terms, at);
        let mut changed: Vec<CheckSlot> = transitions.iter().map(|transition| transition.slot).collect();
        let is_other = |(slot, before): &(CheckSlot, _)| self.tracker.status_without_overrides(*slot) != *before;
        changed.extend(draining.into_iter().filter(is_other).map(|(slot, _)| slot));
        match at_once || self.is_starting {
            true => self.unpublished.change_at_once(&changed),
            false => self.unpublished.change(changed),
        }
        self.record_agreed(transitions);
    }

    /// Adds changes of statuses to the history, the saved state and the reports.
    pub(super) fn record_agreed(&mut self, transitions: Vec<Transition>) {
        for transition in transitions {
            let (slot, why) = (transition.slot, self.agreed_because(&transition));
            self.record_transition(transition, &why);
            self.save_check(slot);
        }
    }

    /// Such as `0 of 3 nodes consider it healthy, 1 must; on berlin-1: Failure: …`.
    fn agreed_because(&self, transition: &Transition) -> String {
        let (Cause::Agreement(agreed), Some(opinions)) = (transition.cause, &self.opinions) else {
            return transition.cause.to_string();
        };
        let slot = transition.slot;
        let own = own_opinion(&self.tracker, &self.check_histories, slot, transition.at);
        let own = own.map(|opinion| (&opinions.node, opinion));
        let others = opinions.others.nodes().filter(|(_, node)| node.counts());
        let others = others.filter_map(|(name, node)| Some((name, node.opinion(slot)?.clone())));
        let mut all = own.into_iter().chain(others);
        match all.find(|(_, opinion)| opinion.status == agreed.status && !opinion.text.is_empty()) {
            Some((node, opinion)) => format!("{agreed}; on {node}: {}", opinion.text),
            None => agreed.to_string(),
        }
    }
}

fn fresh_nodes(others: &OtherNodes) -> BTreeSet<Arc<str>> {
    others.nodes().filter(|(_, node)| node.is_fresh()).map(|(name, _)| Arc::clone(name)).collect()
}

fn log_nodes(before: &BTreeSet<Arc<str>>, after: &BTreeSet<Arc<str>>) {
    after.difference(before).for_each(|node| tracing::info!("node {node} states its opinions of health"));
    before.difference(after).for_each(|node| tracing::warn!("node {node} is silent: its opinions do not count"));
}

/// What this node says about a check.
fn own_opinion(tracker: &Tracker, logs: &CheckHistories, slot: CheckSlot, at: Timestamp) -> Option<Opinion> {
    let status = tracker.opinion(slot)?;
    let log = logs.of(slot);
    let run = log.history.last_run();
    let age = run.map_or(0, |run| at.since(run.last).as_secs());
    Some(Opinion {
        status,
        text: run.map(|run| Arc::clone(&run.status)).unwrap_or_default(),
        age_s: u32::try_from(age).unwrap_or(u32::MAX),
    })
}

impl OwnOpinions {
    /// What this node says now; `None` without a cluster.
    pub(crate) fn of(&mut self, view: &HealthView, at: Timestamp) -> Option<NodeOpinions> {
        let opinions = view.opinions.as_ref()?;
        let list = self.list(view);
        let isolated = view.isolated_since().is_some();
        let stated = NodeOpinions::new(at, isolated, list, |check| {
            own_opinion(&view.tracker, &view.check_histories, view.tracker.slot_asking(check)?, at)
        });
        Some(stated.located(opinions.region.clone(), opinions.address))
    }

    /// The list of checks; the same one until the checks change.
    fn list(&mut self, view: &HealthView) -> Arc<CheckList> {
        let checks = &view.base.checks;
        if let Some((_, list)) = self.known.as_ref().filter(|(known, _)| Arc::ptr_eq(known, checks)) {
            return Arc::clone(list);
        }
        let list = Arc::new(view.tracker.check_list());
        self.known = Some((Arc::clone(checks), Arc::clone(&list)));
        list
    }
}

impl HealthView {
    /// Whether this server is a node of a cluster.
    #[must_use]
    pub(crate) fn is_in_cluster(&self) -> bool {
        self.opinions.is_some()
    }

    /// Which nodes count, and on how many checks they disagree; `None` without a cluster.
    pub(super) fn opinion_counts(&self) -> Option<OpinionCounts> {
        let opinions = self.opinions.as_ref()?;
        let is_isolated = self.isolated_since().is_some();
        let terms = opinions.terms(is_isolated);
        let is_disputed = |slot: &CheckSlot| {
            let agreed = self.tracker.agreed(*slot, &terms).map(|agreed| agreed.checkers);
            agreed.is_some_and(|Checkers { healthy, reporting }| 0 < healthy && healthy < reporting)
        };
        Some(OpinionCounts {
            nodes: opinions.others.nodes().filter(|(_, node)| node.counts()).count() + usize::from(!is_isolated),
            disagreements: self.tracker.slots().all().iter().filter(|slot| is_disputed(slot)).count(),
        })
    }

    /// The region and the address of this node; `None` without a cluster, or if they are not known.
    #[must_use]
    pub(crate) fn region_and_address(&self) -> (Option<Arc<str>>, Option<IpAddr>) {
        self.opinions.as_ref().map_or((None, None), |opinions| (opinions.region.clone(), opinions.address))
    }

    /// What all nodes say about a check, this one first, also those whose opinions do not count.
    /// Empty without a cluster.
    #[must_use]
    pub(crate) fn opinions_on(&self, check: &CheckReport, at: Timestamp) -> Vec<NodeOpinion> {
        let Some(opinions) = &self.opinions else { return Vec::new() };
        let slot = check.view.slot;
        let own = own_opinion(&self.tracker, &self.check_histories, slot, at).map(|opinion| NodeOpinion {
            node: Arc::clone(&opinions.node),
            region: opinions.region.clone(),
            address: opinions.address,
            is_own: true,
            counts: self.isolated_since().is_none(),
            opinion,
        });
        let others = opinions.others.nodes().filter_map(|(name, node)| {
            let opinion = node.opinion(slot)?;
            Some(NodeOpinion {
                node: Arc::clone(name),
                region: node.opinions().region.clone(),
                address: node.opinions().address,
                is_own: false,
                counts: node.counts(),
                opinion: Opinion { age_s: node.age_s(opinion), ..opinion.clone() },
            })
        });
        own.into_iter().chain(others).collect()
    }

    /// The status that follows from the opinions, and how many nodes hold which; `None` without a
    /// cluster, or without opinions that count.
    #[must_use]
    pub(crate) fn agreed(&self, check: &CheckReport) -> Option<AgreedStatus> {
        let terms = self.opinions.as_ref()?.terms(self.isolated_since().is_some());
        self.tracker.agreed(check.view.slot, &terms)
    }
}
