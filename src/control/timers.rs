//! Effects of time: recoveries and drains advance in steps, and the clock may be set back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::health::{CheckBits, CheckSlot, RecoveryStage, Timestamp};
use crate::store::StateWriter;
use crate::world::{RecoveringRecord, World};

use super::overrides::OverridesInForce;
use super::time_format::{earlier, humanize_duration, rfc3339};
use super::{Control, LISTED_LINES, saved_state};

impl Control {
    /// The status of all checks with the effects of overrides. `at_once` are further checks whose
    /// recovery takes effect at once.
    pub(super) fn checks(&self, at_once: &[CheckSlot], at: Timestamp) -> CheckBits {
        let at_once = self.in_force.up.iter().chain(at_once).copied();
        self.tracker.bits().with_draining(self.in_force.shares(&self.tracker, at)).with_at_once(at_once)
    }

    /// Publishes `world` to the workers and saves which records are recovering in it.
    pub(super) fn publish_world(&self, world: World, at: Timestamp) {
        let before = self.reader.load();
        let is_as_before = world.has_same_recoveries_as(&before);
        self.publisher.publish(world);
        if !is_as_before {
            let lines = save_recoveries(&self.outputs.state_writer, &before, &self.reader.load(), at);
            lines.iter().for_each(|line| tracing::info!("{line}"));
        }
    }

    /// Advances recoveries and drains.
    pub(super) fn advance_recoveries(&mut self, at: Timestamp) {
        if !self.reader.load().has_timers() {
            return;
        }
        // A restart then knows how far they were, even if the clock was set back in between.
        self.outputs.state_writer.line(saved_state::clock_line(at));
        if let Some(gone) = self.isolated_for(at) {
            // While this server is offline, no record advances in its recovery. This is saved when
            // it is online again, not every second.
            self.publisher.publish(self.reader.load().with_recoveries_moved(|since| Timestamp(since.0 + gone)));
        }
        if let Some(next) = self.reader.load().after(&self.checks(&[], at), at) {
            self.publish_world(next, at);
        }
    }

    /// Detects that the clock was set back and shifts what is in progress, so that it continues
    /// from where it was.
    pub(super) fn check_clock(&mut self, at: Timestamp) {
        let before = std::mem::replace(&mut self.now, at);
        let by = before.since(at);
        if by.is_zero() {
            return;
        }
        self.ticked = Timestamp(self.ticked.0.saturating_sub(by));
        self.sentinels.clock_set_back(by);
        Arc::make_mut(&mut self.overrides).clock_set_back(before, by);
        self.in_force = OverridesInForce::of(&self.tracker, &self.overrides, at).into();
        let world = self.reader.load();
        if world.has_timers() {
            self.publisher.publish(world.with_recoveries_moved(|since| earlier(since, by)));
        }
        // Small corrections (slewing) are not worth rewriting the journal.
        if by >= Duration::from_secs(1) {
            tracing::warn!("the clock was set back by {}", humanize_duration(by));
            self.save_all(at);
        }
    }
}

/// Saves which records began or ended their recovery. Returns the log lines.
pub(super) fn save_recoveries(state_writer: &StateWriter, before: &World, after: &World, at: Timestamp) -> Vec<String> {
    let mut left: BTreeMap<_, RecoveringRecord> =
        before.recoveries().map(|recovery| (recovery.record.clone(), recovery)).collect();
    let (mut recovering, mut back) = (Few::default(), Few::default());
    for recovery in after.recoveries() {
        let known = left.remove(&recovery.record);
        if known.as_ref().is_none_or(|known| known.since != recovery.since) {
            state_writer.line(saved_state::recovery_line(&recovery.record, Some(recovery.since)));
        }
        if known.is_none() && recovery.rules.stage(recovery.since, at) != RecoveryStage::Back {
            recovering.add(|| recovering_line(&recovery, at));
        }
    }
    for (record, recovery) in left {
        state_writer.line(saved_state::recovery_line(&record, None));
        if recovery.rules.stage(recovery.since, at) == RecoveryStage::Back {
            back.add(|| format!("record {record} has recovered to full weight"));
        }
    }
    let mut lines = recovering.lines("began to recover");
    lines.extend(back.lines("recovered to full weight"));
    lines
}

/// Log lines about records. One check can affect any number of records, so only the first are
/// listed and the rest are counted.
#[derive(Default)]
struct Few {
    named: Vec<String>,
    more: usize,
}

impl Few {
    fn add(&mut self, line: impl FnOnce() -> String) {
        if self.named.len() < LISTED_LINES { self.named.push(line()) } else { self.more += 1 }
    }

    /// All lines; `happened` describes what the counted records did.
    fn lines(self, happened: &str) -> Vec<String> {
        let Few { named: mut lines, more } = self;
        let plural = if more == 1 { "" } else { "s" };
        lines.extend((more > 0).then(|| format!("{more} more record{plural} {happened}")));
        lines
    }
}

fn recovering_line(recovery: &RecoveringRecord, at: Timestamp) -> String {
    let record = &recovery.record;
    match recovery.rules.stage(recovery.since, at) {
        RecoveryStage::Waiting { until } => {
            format!("record {record} is healthy again and waits for its failback until {}", rfc3339(until))
        }
        RecoveryStage::Ramping { until, .. } => {
            format!("record {record} is healthy again; its share grows until {}", rfc3339(until))
        }
        RecoveryStage::Back => format!("record {record} is healthy again"),
    }
}
