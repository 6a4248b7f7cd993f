//! Reports on the checks. The loop copies the state of a thousand checks at a time; the receiver
//! formats it.

use std::sync::Arc;

use crate::health::{CheckSlot, CheckView, History, Override, Overrides, Pattern, Recent, Share, Status, Timestamp};
use crate::load::RecordsByCheck;
use crate::world::RecoveringRecord;

use super::{Control, OverrideView};

/// Checks in one report: this takes the loop a few hundred microseconds. Readers ask again for the
/// rest.
const AT_ONCE: usize = 1000;

/// Which checks to report.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Only checks whose name matches; `None` for all.
    pub pattern: Option<Pattern>,
    /// The slot to start from.
    pub from: CheckSlot,
}

/// The state of some checks at one moment.
#[derive(Clone, Debug)]
pub struct Report {
    /// That moment.
    pub at: Timestamp,
    /// When the server started.
    pub started: Timestamp,
    /// The checks, in no particular order.
    pub checks: Vec<CheckReport>,
    /// The slot to continue from; `None` after the last check.
    pub next: Option<CheckSlot>,
    /// All overrides; only in the first report.
    pub overrides: Vec<OverrideView>,
    /// The first records that are recovering; only in the first report.
    pub recoveries: Vec<RecoveringRecord>,
    /// The names of the sentinels.
    pub sentinels: Vec<Arc<str>>,
    /// Since when all sentinels are unhealthy, if they are.
    pub uplink_gone_since: Option<Timestamp>,
    records_by_check: Arc<RecordsByCheck>,
    held: Overrides,
}

/// The state of one check.
#[derive(Clone, Debug)]
pub struct CheckReport {
    /// Its current state.
    pub view: CheckView,
    /// Its history.
    pub history: Arc<History>,
    /// Its last results; only in reports with a pattern.
    pub recent: Recent,
    /// Whether it has had no result since the server started, so that its last result is a restored
    /// one.
    pub is_remembered: bool,
}

impl Report {
    /// The records that use a check.
    pub fn records(&self, check: &CheckReport) -> &[String] {
        self.records_by_check.all_of(check.view.slot)
    }

    /// The share that a draining check leaves to its weighted records.
    pub fn left(&self, check: &CheckReport) -> Option<Share> {
        if check.view.without_overrides == Status::Unhealthy {
            return None;
        }
        let drains = self.held.drains_on(&check.view.name, self.at);
        let shares: Option<Vec<Share>> = drains.map(|drain| drain.left(self.at)).collect();
        shares?.into_iter().min()
    }

    /// The override in force for a check.
    pub fn held(&self, check: &CheckReport) -> Option<&Override> {
        self.held.on(&check.view.name, self.at)
    }
}

impl CheckReport {
    /// Since when it has its current status.
    pub fn since(&self) -> Timestamp {
        match self.history.last_transition() {
            Some(last) if last.to == self.view.verdict => last.at,
            _ => self.view.observed_since,
        }
    }
}

impl Control {
    /// Reports some checks, and where to continue.
    pub(super) fn report(&self, wanted: &Wanted, at: Timestamp) -> Report {
        let Wanted { pattern, from } = wanted;
        let is_wanted = |view: &CheckView| pattern.as_ref().is_none_or(|pattern| pattern.matches(&view.name));
        // Omitted from reports on all checks, to keep them small.
        let recent = |slot| if pattern.is_some() { self.check_histories.recent(slot) } else { Recent::default() };
        let check = |view: CheckView| CheckReport {
            history: self.check_histories.of(view.slot),
            is_remembered: !self.check_histories.has_result(view.slot),
            recent: recent(view.slot),
            view,
        };
        let mut views = self.tracker.views().filter(|view| view.slot >= *from);
        let checks = views.by_ref().take(AT_ONCE).filter(is_wanted).map(check).collect();
        let next = views.next().map(|view| view.slot);
        let is_first = *from == CheckSlot(0);
        Report {
            at,
            started: self.started,
            checks,
            next,
            overrides: if is_first { self.override_views(at) } else { Vec::new() },
            recoveries: if is_first { self.reader.load().recoveries().take(AT_ONCE).collect() } else { Vec::new() },
            sentinels: self.sentinel_names(),
            uplink_gone_since: self.sentinels.gone_since(),
            records_by_check: Arc::clone(&self.records_by_check),
            held: self.overrides.clone(),
        }
    }
}
