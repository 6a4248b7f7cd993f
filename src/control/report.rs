//! Pictures of the checks, for people: taken by the loop, a thousand checks a time, and put into words by whoever asked.

use std::sync::Arc;

use crate::health::{CheckSlot, CheckView, History, Override, Overrides, Pattern, Recent, Share, Status, Timestamp};
use crate::world::RecoveringRecord;

use super::records_by_check::RecordsByCheck;
use super::{Control, OverrideView};

/// Checks that one picture looks at: some hundred microseconds of the loop. Whoever wants all asks again.
const AT_ONCE: usize = 1000;

/// What somebody wants to see.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The checks whose name matches; all without.
    pub pattern: Option<Pattern>,
    /// From here on, in the order of the slots.
    pub from: CheckSlot,
}

/// The picture.
#[derive(Clone, Debug)]
pub struct Report {
    /// When it was taken.
    pub at: Timestamp,
    /// Since when the server runs.
    pub started: Timestamp,
    /// The checks, in no order.
    pub checks: Vec<CheckReport>,
    /// Where to go on, when there are more.
    pub next: Option<CheckSlot>,
    /// People's word; in the first picture.
    pub overrides: Vec<OverrideView>,
    /// Records on their way back into use, the first of them; in the first picture.
    pub recoveries: Vec<RecoveringRecord>,
    /// What people call the sentinels.
    pub sentinels: Vec<Arc<str>>,
    /// Since when all of those are unhealthy, if they are.
    pub uplink_gone_since: Option<Timestamp>,
    records_by_check: Arc<RecordsByCheck>,
    held: Overrides,
}

/// One check.
#[derive(Clone, Debug)]
pub struct CheckReport {
    /// What is believed of it.
    pub picture: CheckView,
    /// What was seen of it.
    pub history: Arc<History>,
    /// The last results one by one; only of few checks.
    pub recent: Recent,
    /// Whether it has had no result since the server was started, so that what was seen last is remembered.
    pub is_remembered: bool,
}

impl Report {
    /// The records that use a check.
    pub fn records(&self, check: &CheckReport) -> &[String] {
        self.records_by_check.all_of(check.picture.slot)
    }

    /// What a check that is being drained leaves its weighted records.
    pub fn left(&self, check: &CheckReport) -> Option<Share> {
        if check.picture.unforced == Status::Unhealthy {
            return None;
        }
        let drains = self.held.drains_on(&check.picture.name, self.at);
        let shares: Option<Vec<Share>> = drains.map(|drain| drain.left(self.at)).collect();
        shares?.into_iter().min()
    }

    /// The override that counts for a check.
    pub fn held(&self, check: &CheckReport) -> Option<&Override> {
        self.held.on(&check.picture.name, self.at)
    }
}

impl CheckReport {
    /// Since when the verdict is what it is.
    pub fn since(&self) -> Timestamp {
        match self.history.last_transition() {
            Some(last) if last.to == self.picture.verdict => last.at,
            _ => self.picture.observed_since,
        }
    }
}

impl Control {
    /// Some checks, and where to go on.
    pub(super) fn report(&self, wanted: &Wanted, at: Timestamp) -> Report {
        let Wanted { pattern, from } = wanted;
        let is_wanted = |picture: &CheckView| pattern.as_ref().is_none_or(|pattern| pattern.matches(&picture.name));
        // A list of all checks has no room for them.
        let recent = |slot| if pattern.is_some() { self.check_histories.recent(slot) } else { Recent::default() };
        let check = |picture: CheckView| CheckReport {
            history: self.check_histories.of(picture.slot),
            is_remembered: !self.check_histories.has_result(picture.slot),
            recent: recent(picture.slot),
            picture,
        };
        let mut pictures = self.tracker.pictures(*from);
        let checks = pictures.by_ref().take(AT_ONCE).filter(is_wanted).map(check).collect();
        let next = pictures.next().map(|picture| picture.slot);
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
