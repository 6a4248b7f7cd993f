//! A picture of all checks, for people: taken by the loop in a moment, put into words by whoever asked.

use std::sync::Arc;

use crate::health::{History, Moment, Override, Overrides, Pattern, Picture};

use super::moves::Moves;
use super::{Control, OverrideView};

/// The picture.
#[derive(Clone, Debug)]
pub struct Report {
    /// When it was taken.
    pub at: Moment,
    /// Since when the server runs.
    pub started: Moment,
    /// The checks, in no order.
    pub checks: Vec<CheckReport>,
    /// People's word.
    pub overrides: Vec<OverrideView>,
    moves: Arc<Moves>,
    held: Overrides,
}

/// One check.
#[derive(Clone, Debug)]
pub struct CheckReport {
    /// What is believed of it.
    pub picture: Picture,
    /// What was seen of it.
    pub history: Arc<History>,
}

impl Report {
    /// The records that use a check.
    pub fn records(&self, check: &CheckReport) -> &[String] {
        self.moves.all_of(check.picture.slot)
    }

    /// The override that counts for a check.
    pub fn held(&self, check: &CheckReport) -> Option<&Override> {
        self.held.on(&check.picture.name, self.at)
    }
}

impl CheckReport {
    /// Since when the verdict is what it is.
    pub fn since(&self) -> Moment {
        match self.history.last_transition() {
            Some(last) if last.to == self.picture.verdict => last.at,
            _ => self.picture.observed_since,
        }
    }
}

impl Control {
    /// All checks, or those whose name matches.
    pub(super) fn report(&self, wanted: Option<&Pattern>, at: Moment) -> Report {
        let is_wanted = |picture: &Picture| wanted.is_none_or(|pattern| pattern.matches(&picture.name));
        let check = |picture: Picture| CheckReport { history: self.annals.of(picture.slot), picture };
        Report {
            at,
            started: self.started,
            checks: self.tracker.pictures().filter(is_wanted).map(check).collect(),
            overrides: self.override_views(at),
            moves: Arc::clone(&self.moves),
            held: self.overrides.clone(),
        }
    }
}
