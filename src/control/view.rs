//! The view of health: what the API, the status page and the metrics read.
//!
//! The loop publishes a new view after each batch of events. A view is immutable and belongs to one
//! world. It shares with the view before all that did not change, so publishing costs a few hundred
//! pointers with 10 000 checks, and reading never waits for the loop.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::config::ClientSubnetUse;
use crate::health::{CheckView, Override, Overrides, Pattern, Sentinels, Status, Timestamp, Tracker, WeightShare};
use crate::load::{LoadedConfig, RecordsByCheck};
use crate::model::HealthCheckId;
use crate::world::{RecoveringRecord, World};

use super::check_histories::{CheckHistories, CheckLog};
use super::metrics::{CheckMetrics, MetricsCounters, MetricsSnapshot};
use super::overrides::OverridesInForce;
use super::{Control, Opinions, OverrideView};

/// All checks at one moment, and the world that answers queries with them.
pub(crate) struct HealthView {
    /// When the server started.
    pub(crate) started: Timestamp,
    /// The world that answers queries.
    pub(crate) world: Arc<World>,
    /// The configuration it was made from.
    pub(crate) base: LoadedConfig,
    pub(super) tracker: Tracker,
    pub(super) check_histories: CheckHistories,
    pub(super) counters: MetricsCounters,
    pub(super) overrides: Arc<Overrides>,
    pub(super) in_force: Arc<OverridesInForce>,
    sentinels: Sentinels,
    pub(super) opinions: Option<Opinions>,
    records_by_check: Arc<RecordsByCheck>,
}

/// Reads the current view. Clones read the same one.
#[derive(Clone)]
pub(crate) struct HealthReader(Arc<ArcSwap<HealthView>>);

/// The state of one check.
#[derive(Clone, Debug)]
pub(crate) struct CheckReport {
    /// Its current state.
    pub(crate) view: CheckView,
    /// Its history and its last results.
    pub(crate) log: Arc<CheckLog>,
}

impl HealthReader {
    /// A reader of this view, until another is published.
    #[must_use]
    pub(crate) fn new(view: HealthView) -> HealthReader {
        HealthReader(Arc::new(ArcSwap::from_pointee(view)))
    }

    /// The current view.
    #[must_use]
    pub(crate) fn load(&self) -> Arc<HealthView> {
        self.0.load_full()
    }

    fn publish(&self, view: HealthView) {
        self.0.store(Arc::new(view));
    }
}

#[cfg(test)]
impl HealthReader {
    /// Reads a view without checks and zones.
    pub(crate) fn for_tests() -> HealthReader {
        let base = LoadedConfig::without_state(crate::config::Settings::built_in());
        let catalog = Arc::new(crate::world::Catalog::build(&[], &[]));
        let world = World::new(catalog, &Tracker::new().bits(), Arc::default());
        HealthReader::new(HealthView::empty(Arc::new(world), base, Timestamp::default()))
    }
}

impl HealthView {
    /// A view without checks.
    #[must_use]
    pub(crate) fn empty(world: Arc<World>, base: LoadedConfig, started: Timestamp) -> HealthView {
        HealthView {
            started,
            world,
            base,
            tracker: Tracker::new(),
            check_histories: CheckHistories::default(),
            counters: MetricsCounters::default(),
            overrides: Arc::default(),
            in_force: Arc::default(),
            sentinels: Sentinels::default(),
            opinions: None,
            records_by_check: Arc::default(),
        }
    }

    /// The checks whose name matches, in order of their slots; `None` for all.
    #[must_use]
    pub(crate) fn checks(&self, pattern: Option<&Pattern>) -> Vec<CheckReport> {
        let is_wanted = |view: &CheckView| pattern.is_none_or(|pattern| pattern.matches(&view.name));
        self.tracker.views().filter(is_wanted).map(|view| self.report(view)).collect()
    }

    /// One check.
    #[must_use]
    pub(crate) fn check(&self, id: &HealthCheckId) -> Option<CheckReport> {
        self.tracker.slot_of(id).and_then(|slot| self.tracker.view(slot)).map(|view| self.report(view))
    }

    /// Whether EDNS Client Subnet is used.
    #[must_use]
    pub(crate) fn uses_client_subnet(&self) -> bool {
        self.base.settings.location.use_client_subnet == ClientSubnetUse::Use
    }

    /// The largest response over UDP, in bytes.
    #[must_use]
    pub(crate) fn udp_payload_max(&self) -> u16 {
        self.base.settings.dns.udp_payload_max
    }

    fn report(&self, view: CheckView) -> CheckReport {
        CheckReport { log: self.check_histories.of(view.slot), view }
    }

    /// The records that use a check.
    #[must_use]
    pub(crate) fn records(&self, check: &CheckReport) -> &[String] {
        self.records_by_check.all_of(check.view.slot)
    }

    /// The override in force for a check.
    #[must_use]
    pub(crate) fn override_of(&self, check: &CheckReport, at: Timestamp) -> Option<&Override> {
        self.overrides.on(&check.view.name, at)
    }

    /// The share that a draining check leaves to its weighted records.
    #[must_use]
    pub(crate) fn share_left(&self, check: &CheckReport, at: Timestamp) -> Option<WeightShare> {
        if check.view.without_overrides == Status::Unhealthy {
            return None;
        }
        let drains = self.overrides.drains_on(&check.view.name, at);
        let shares: Option<Vec<WeightShare>> = drains.map(|drain| drain.left(at)).collect();
        shares?.into_iter().min()
    }

    /// All overrides and the checks that they match.
    #[must_use]
    pub(crate) fn overrides(&self, at: Timestamp) -> Vec<OverrideView> {
        self.overrides.all().iter().map(|details| OverrideView::of(details, &self.tracker, at)).collect()
    }

    /// The recovering records.
    pub(crate) fn recoveries(&self) -> impl Iterator<Item = RecoveringRecord> {
        self.world.recoveries()
    }

    /// The names of the sentinels.
    pub(crate) fn sentinels(&self) -> impl Iterator<Item = &Arc<str>> {
        self.sentinels.slots().filter_map(|slot| self.tracker.name(slot))
    }

    /// Since when all sentinels are unhealthy, if they are.
    #[must_use]
    pub(crate) fn isolated_since(&self) -> Option<Timestamp> {
        self.sentinels.isolated_since()
    }
}

impl CheckReport {
    /// Since when it has its current status.
    #[must_use]
    pub(crate) fn since(&self) -> Timestamp {
        match self.log.history.last_transition() {
            Some(last) if last.to == self.view.final_status => last.at,
            _ => self.view.observed_since,
        }
    }

    /// Whether it has had no result since the server started, so that its last result is a restored
    /// one. The clock cannot tell, because it may have been set.
    #[must_use]
    pub(crate) fn is_restored(&self) -> bool {
        self.log.recent.is_empty()
    }
}

impl Control {
    /// Publishes the checks as they are now.
    pub(super) fn publish_view(&self) {
        self.health.publish(HealthView {
            started: self.started,
            world: self.reader.load(),
            base: self.base.clone(),
            tracker: self.tracker.clone(),
            check_histories: self.check_histories.clone(),
            counters: self.counters.clone(),
            overrides: Arc::clone(&self.overrides),
            in_force: Arc::clone(&self.in_force),
            sentinels: self.sentinels.clone(),
            opinions: self.opinions.clone(),
            records_by_check: Arc::clone(&self.records_by_check),
        });
    }
}

impl HealthView {
    /// The metrics of all checks.
    #[must_use]
    pub(crate) fn metrics(&self) -> MetricsSnapshot {
        MetricsSnapshot {
            checks: self.tracker.views().map(|view| self.check_metrics(&view)).collect(),
            pending: self.tracker.pending(),
            overrides: self.in_force.overrides(),
            latencies: self.counters.latencies,
            reloads: self.counters.reloads,
            served: self.counters.served,
            opinions: self.opinion_counts(),
        }
    }

    fn check_metrics(&self, view: &CheckView) -> CheckMetrics {
        CheckMetrics {
            name: Arc::clone(&view.name),
            final_status: view.final_status,
            overridden: self.tracker.overridden(view.slot),
            last_transition: self.check_histories.of(view.slot).history.last_transition().map(|past| past.at),
            counters: self.counters.of(view.slot),
        }
    }
}
