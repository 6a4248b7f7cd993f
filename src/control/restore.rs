//! Restores the state of before a restart. Logs what was restored, and what is unhealthy at the
//! start.

use std::time::Duration;

use crate::health::{Overrides, Status, Timestamp, Tracker};
use crate::load::LoadedConfig;

use super::check_histories::CheckHistories;
use super::overrides::log_override;
use super::{LISTED_LINES, SavedState, humanize_duration};

/// Restores the saved state of the checks that still exist.
pub(super) fn restore_checks(
    tracker: &mut Tracker,
    base: &LoadedConfig,
    saved_state: &SavedState,
    at: Timestamp,
) -> CheckHistories {
    let (mut check_histories, mut restored) = (CheckHistories::default(), RestoreReport::default());
    for check in base.checks.iter() {
        let (Some(slot), Some(known)) = (tracker.slot_of(&check.id), saved_state.checks.get(&check.id)) else {
            continue;
        };
        check_histories.put(slot, (*known.history).clone());
        let saved = saved_state.saved_check(&check.id, base.settings.cluster.is_some());
        match saved.and_then(|saved| tracker.restore(slot, &saved, at)) {
            Some(Status::Healthy) => restored.healthy += 1,
            Some(Status::Unhealthy) => restored.unhealthy += 1,
            None => {}
        }
    }
    restored.log(at.since(saved_state.as_of));
    if saved_state.strange > 0 {
        tracing::warn!(
            "{} lines of the health journal were written by another version and were ignored",
            saved_state.strange
        );
    }
    check_histories
}

/// Restores the overrides that have not expired.
pub(super) fn restore_overrides(saved_state: &SavedState, at: Timestamp) -> Overrides {
    let mut overrides = saved_state.overrides.clone();
    overrides.clock_set_back(saved_state.as_of, saved_state.as_of.since(at));
    for ended in overrides.expire(at) {
        log_override(&ended, "has expired while the server was stopped");
    }
    overrides.all().iter().for_each(|known| log_override(known, "is restored"));
    overrides
}

/// Logs the unhealthy checks in one line, at the end of the start.
pub(super) fn log_unhealthy(tracker: &Tracker) {
    let all: Vec<_> = tracker.views().collect();
    let unhealthy = all.iter().filter(|check| check.final_status == Status::Unhealthy);
    let mut names: Vec<&str> = unhealthy.map(|check| &*check.name).collect();
    names.sort_unstable();
    if names.is_empty() {
        return;
    }
    let (count, all) = (names.len(), all.len());
    let verb = if count == 1 { "is" } else { "are" };
    let more = if count > LISTED_LINES { ", …" } else { "" };
    let named = names[..count.min(LISTED_LINES)].join(", ");
    tracing::warn!(
        "{count} of {all} health checks {verb} unhealthy at the start: {named}{more}; `fiftythree health` shows why"
    );
}

/// What was restored, for the log.
#[derive(Default)]
struct RestoreReport {
    healthy: usize,
    unhealthy: usize,
}

impl RestoreReport {
    fn log(&self, age: Duration) {
        let RestoreReport { healthy, unhealthy } = *self;
        if healthy + unhealthy == 0 {
            return;
        }
        let age = humanize_duration(age);
        tracing::info!(
            healthy,
            unhealthy,
            age,
            "restored the state of {} health checks from {age} ago; it holds until their next results",
            healthy + unhealthy
        );
    }
}
