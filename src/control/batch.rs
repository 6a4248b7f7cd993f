//! What a batch of events changed: published in one world and one view, then reported.
//!
//! ```text
//!  events ──▶ tracker, histories ──▶ Unpublished ──▶ 1. world    queries see it
//!                                                    2. view     operators see it
//!                                                    3. reports  log, webhook, event log, answers
//! ```
//!
//! An answer to an override is a report. So the next read after it shows the effect.

use std::sync::Arc;

use crate::health::{Cause, CheckSlot, PastTransition, Status, Timestamp, Transition};

use super::announcement::Announcement;
use super::notices::HealthNoticeKind;
use super::overrides::{describe, log_override, when_durable};
use super::{Control, EventKind, saved_state};

/// What is decided and not published yet.
#[derive(Default)]
pub(super) struct Unpublished {
    /// The checks whose records have to be computed again.
    changed: Vec<CheckSlot>,
    /// Those of them whose records return to use without delay.
    at_once: Vec<CheckSlot>,
    /// What this node says to other nodes is something else now.
    tells_opinions: bool,
    /// What to report when it is published, in order.
    reports: Vec<Announcement>,
}

impl Unpublished {
    /// Records of these checks have to be computed again.
    pub(super) fn change(&mut self, slots: impl IntoIterator<Item = CheckSlot>) {
        self.changed.extend(slots);
    }

    /// The same for first results. They start no recovery, because there was no earlier status to
    /// recover from.
    pub(super) fn change_at_once(&mut self, slots: &[CheckSlot]) {
        self.changed.extend_from_slice(slots);
        self.at_once.extend_from_slice(slots);
    }

    /// The other nodes of the cluster have to be told what this one says.
    pub(super) fn tell_opinions(&mut self) {
        self.tells_opinions = true;
    }

    pub(super) fn report(&mut self, announcement: Announcement) {
        self.reports.push(announcement);
    }
}

impl Control {
    /// Publishes what the last events changed, then reports it. Answers change before the log says
    /// so.
    pub(super) fn publish_batch(&mut self, at: Timestamp) {
        let Unpublished { changed, at_once, tells_opinions, reports } = std::mem::take(&mut self.unpublished);
        if !changed.is_empty() {
            let world = self.reader.load().with_health(&self.checks(&at_once, at), &changed, at);
            self.publish_world(world, at);
        }
        self.publish_view();
        self.publish_pending();
        if tells_opinions {
            self.outputs.opinions.send_modify(|changes| *changes += 1);
        }
        for announcement in reports {
            self.announce(announcement);
        }
    }

    /// Adds a change of status to the history, the counters, the saved state and the reports.
    /// `status` is that of the probe, or the cause.
    pub(super) fn record_transition(&mut self, transition: Transition, status: &str) {
        let Transition { slot, at, to, cause, .. } = transition;
        let why: Arc<str> = cause_text(cause, status).into();
        let past = PastTransition { at, to, why: Arc::clone(&why) };
        if let Some((identity, _)) = self.tracker.saved_state_of(slot) {
            self.outputs.state_writer.line(saved_state::transition_line(&identity.id, &past));
        }
        self.check_histories.add_transition(slot, past);
        self.counters.add_transition(slot, to);
        self.unpublished.report(Announcement::StatusChanged { transition, status: status.to_owned(), why });
    }

    fn announce(&mut self, announcement: Announcement) {
        match announcement {
            Announcement::StatusChanged { transition, status, why } => {
                self.announce_transition(&transition, &status, &why);
            }
            Announcement::Drained { slot, why, at } => self.announce_drained(slot, why, at),
            Announcement::Connectivity { change, sentinels, at } => {
                self.announce_connectivity(change, &sentinels, at);
            }
            Announcement::OverrideSet(details, at) => {
                log_override(&details, "is set");
                self.outputs.event_log.push(at, EventKind::OverrideSet(details));
            }
            Announcement::OverrideCleared(details, at) => {
                log_override(&details, "is cleared");
                self.outputs.event_log.push(at, EventKind::OverrideCleared(details));
            }
            Announcement::OverrideEnded(details, at) => {
                log_override(&details, "has ended");
                self.outputs.event_log.push(at, EventKind::OverrideEnded(details));
            }
            Announcement::Answer { line, outcome, answer } => {
                self.outputs.state_writer.durable(line, when_durable(outcome, answer));
            }
        }
    }

    fn announce_transition(&mut self, transition: &Transition, status: &str, why: &Arc<str>) {
        let Transition { slot, name, from, to, at, .. } = transition;
        let (from, to_word) = (from.as_str(), to.as_str());
        let records = self.records_by_check.of(*slot).to_string();
        let check = &**name;
        match to {
            _ if self.is_starting => {
                tracing::debug!(check, from, to = to_word, status, records, "health check {name} is {to_word}");
            }
            Status::Healthy => {
                tracing::info!(check, from, to = to_word, status, records, "health check {name} is {to_word}");
            }
            Status::Unhealthy => {
                tracing::warn!(check, from, to = to_word, status, records, "health check {name} is {to_word}");
            }
        }
        if let Some(check) = self.notice_check(*slot, *to) {
            self.queue_notice(HealthNoticeKind::StatusChanged(check), Arc::clone(why), *at);
        }
        let (check, why) = (Arc::clone(name), Arc::clone(why));
        let records = self.records_by_check.all_of(*slot).len();
        self.outputs.event_log.push(*at, EventKind::StatusChanged { check, to: *to, why, records });
    }

    fn announce_drained(&mut self, slot: CheckSlot, why: Arc<str>, at: Timestamp) {
        let Some(notice_check) = self.notice_check(slot, Status::Unhealthy) else { return };
        let name = Arc::clone(&notice_check.name);
        let check = &*name;
        tracing::warn!(check, records = self.records_by_check.of(slot).to_string(), "health check {name} is drained");
        self.outputs.event_log.push(at, EventKind::Drained { check: Arc::clone(&name) });
        self.queue_notice(HealthNoticeKind::Drained(notice_check), why, at);
    }

    /// Reports changes of status that overrides caused.
    pub(super) fn record_overridden(&mut self, transitions: Vec<Transition>, at: Timestamp) {
        for transition in transitions {
            let why = match (transition.cause, self.overrides.on(&transition.name, at)) {
                (Cause::Override, Some(details)) => describe(details),
                (Cause::Override, None) => "the override has ended".to_owned(),
                // A calculated check changed because a child was overridden.
                (cause, _) => cause.to_string(),
            };
            self.record_transition(transition, &why);
        }
    }
}

/// The reason of a change of status, for the history.
fn cause_text(cause: Cause, status: &str) -> String {
    let times = |count: u8, what: &str| match count {
        0 | 1 => status.to_owned(),
        _ => format!("{count} {what} in a row: {status}"),
    };
    match cause {
        Cause::FirstResult => format!("first result: {status}"),
        Cause::Failures(count) => times(count, "failures"),
        Cause::Passes(count) => times(count, "passes"),
        Cause::InsufficientData(count) => times(count, "evaluations without data"),
        Cause::Configuration | Cause::Children(_) | Cause::Agreement(_) | Cause::Override => status.to_owned(),
    }
}
