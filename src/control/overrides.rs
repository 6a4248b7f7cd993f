//! Overrides: setting, clearing and listing them, and their effects.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::health::{
    Action, CheckSlot, Draining, Override, OverrideId, OverrideRequest, Overrides, Pattern, Status, Timestamp, Tracker,
    Transition, WeightShare,
};
use crate::store::Done;

use super::announcement::Announcement;
use super::override_outcome::{Answer, OverrideError, OverrideOutcome, OverrideView};
use super::shared_overrides::{OverrideChange, RequestedOverrides};
use super::time_format::{humanize_duration, rfc3339};
use super::{Control, saved_state};

/// The length limit of a reason, in characters.
const LONGEST_REASON: usize = 500;
/// The length limit of an author and of a pattern, in characters.
const LONGEST_NAME: usize = 255;

impl Control {
    pub(super) fn set_override(&mut self, request: OverrideRequest, answer: Answer, at: Timestamp) {
        if let Err(error) = check_texts(&request).and_then(|()| self.must_match(&request.pattern)) {
            // A receiver that is gone does not need the answer.
            return drop(answer.send(Err(error)));
        }
        if let Some(shared) = &self.outputs.shared_overrides {
            let requested = RequestedOverrides::Set(request);
            return OverrideChange { requested, at, answer: Some(answer) }.send(shared);
        }
        let (details, replaced) = match Arc::make_mut(&mut self.overrides).set(request, at) {
            Ok(set) => set,
            Err(error) => return drop(answer.send(Err(error.into()))),
        };
        self.unpublished.report(Announcement::OverrideSet(details.clone(), at));
        self.apply_overrides(at);
        let changed = vec![OverrideView::of(&details, &self.tracker, at)];
        let (line, outcome) = (saved_state::override_line(&details), OverrideOutcome::new(changed, replaced));
        self.unpublished.report(Announcement::Answer { line, outcome, answer });
    }

    pub(super) fn clear_overrides(&mut self, pattern: &Pattern, answer: Answer, at: Timestamp) {
        if let Some(shared) = &self.outputs.shared_overrides {
            let requested = RequestedOverrides::Clear(pattern.clone());
            return OverrideChange { requested, at, answer: Some(answer) }.send(shared);
        }
        let cleared = Arc::make_mut(&mut self.overrides).clear(pattern);
        if cleared.is_empty() {
            return drop(answer.send(Err(OverrideError::unknown_override(pattern, &self.overrides))));
        }
        for details in &cleared {
            self.unpublished.report(Announcement::OverrideCleared(details.clone(), at));
        }
        self.apply_overrides(at);
        let ids: Vec<OverrideId> = cleared.iter().map(|known| known.id).collect();
        let changed = cleared.iter().map(|details| OverrideView::of(details, &self.tracker, at)).collect();
        let (line, outcome) = (saved_state::cleared_line(&ids), OverrideOutcome::new(changed, None));
        self.unpublished.report(Announcement::Answer { line, outcome, answer });
    }

    /// Starts and expires overrides, and completes drains, as time passes.
    pub(super) fn advance_overrides(&mut self, at: Timestamp) {
        if self.overrides.all().is_empty() {
            return;
        }
        let ended = Arc::make_mut(&mut self.overrides).expire(at);
        if !ended.is_empty() {
            let ids: Vec<OverrideId> = ended.iter().map(|known| known.id).collect();
            self.outputs.state_writer.line(saved_state::cleared_line(&ids));
        }
        for details in ended {
            self.unpublished.report(Announcement::OverrideEnded(details, at));
        }
        if self.in_force.phases != phases(&self.overrides, at) {
            self.apply_overrides(at);
        }
    }

    /// Applies the overrides. Their effects are published in one world.
    pub(super) fn apply_overrides(&mut self, at: Timestamp) {
        let transitions = apply_overrides(&mut self.tracker, &self.overrides, at);
        let in_force = OverridesInForce::of(&self.tracker, &self.overrides, at).into();
        let before = std::mem::replace(&mut self.in_force, in_force);
        let flipped = transitions.iter().map(|transition| transition.slot);
        self.unpublished.change(flipped.chain(before.slots()).chain(self.in_force.slots()));
        let is_changed = !transitions.is_empty();
        self.record_overridden(transitions, at);
        for (slot, why) in self.drained_since(&before, at) {
            self.unpublished.report(Announcement::Drained { slot, why, at });
        }
        if is_changed {
            self.check_connectivity(at);
        }
    }

    /// The checks whose drain is complete now and was not in `before`, each with its override.
    fn drained_since(&self, before: &OverridesInForce, at: Timestamp) -> Vec<(CheckSlot, Arc<str>)> {
        let completed = before.draining.keys().copied().filter(|slot| !self.in_force.drains(*slot));
        let drain_of = |slot| {
            let details = self.overrides.on(self.tracker.name(slot)?, at)?;
            details.draining().map(|_| (slot, describe(details).into()))
        };
        completed.filter_map(drain_of).collect()
    }

    fn must_match(&self, pattern: &Pattern) -> Result<(), OverrideError> {
        if self.tracker.names().any(|(_, name)| pattern.matches(name)) {
            return Ok(());
        }
        let mut names: Vec<_> = self.tracker.names().map(|(_, name)| Arc::clone(name)).collect();
        names.sort_unstable();
        Err(OverrideError::UnknownCheck { pattern: pattern.0.clone(), names })
    }
}

impl OverrideOutcome {
    pub(super) fn new(changed: Vec<OverrideView>, replaced: Option<Override>) -> OverrideOutcome {
        OverrideOutcome { changed, replaced, durable: Ok(()) }
    }
}

/// The effects of the overrides at one moment.
#[derive(Debug, Default)]
pub(super) struct OverridesInForce {
    /// The overrides in force, and how far they are.
    phases: Vec<(OverrideId, Phase)>,
    /// Checks that are overridden to up.
    pub(super) up: Vec<CheckSlot>,
    /// Checks that are draining, and the drains that apply.
    draining: BTreeMap<CheckSlot, Vec<Draining>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A drain has weight left.
    UnderWay,
    /// The effect is complete.
    Done,
}

impl OverridesInForce {
    pub(super) fn of(tracker: &Tracker, overrides: &Overrides, at: Timestamp) -> OverridesInForce {
        let mut in_force = OverridesInForce { phases: phases(overrides, at), ..OverridesInForce::default() };
        if in_force.phases.is_empty() {
            return in_force;
        }
        for (slot, name) in tracker.names() {
            match overrides.on(name, at).map(|known| known.request.action) {
                Some(Action::Up) => in_force.up.push(slot),
                Some(Action::Drain(_)) => {
                    let drains: Vec<Draining> = overrides.drains_on(name, at).collect();
                    // A check with one completed drain has no weight left.
                    if drains.iter().all(|drain| drain.left(at).is_some()) {
                        in_force.draining.insert(slot, drains);
                    }
                }
                Some(Action::Down) | None => {}
            }
        }
        in_force
    }

    /// The remaining shares of the checks that are draining and would be healthy otherwise.
    pub(super) fn shares(&self, tracker: &Tracker, at: Timestamp) -> Vec<(CheckSlot, WeightShare)> {
        let healthy =
            self.draining.iter().filter(|(slot, _)| tracker.status_without_overrides(**slot) == Some(Status::Healthy));
        healthy.filter_map(|(&slot, drains)| Some((slot, left_of(drains, at)?))).collect()
    }

    /// The number of overrides in force.
    pub(super) fn overrides(&self) -> usize {
        self.phases.len()
    }

    /// Whether a check is draining.
    pub(super) fn drains(&self, slot: CheckSlot) -> bool {
        self.draining.contains_key(&slot)
    }

    /// The checks that are overridden to up or being drained.
    fn slots(&self) -> impl Iterator<Item = CheckSlot> {
        self.up.iter().chain(self.draining.keys()).copied()
    }
}

/// The smallest remaining share; `None` if any drain is complete.
fn left_of(drains: &[Draining], at: Timestamp) -> Option<WeightShare> {
    let shares: Option<Vec<WeightShare>> = drains.iter().map(|drain| drain.left(at)).collect();
    shares?.into_iter().min()
}

fn phases(overrides: &Overrides, at: Timestamp) -> Vec<(OverrideId, Phase)> {
    let phase = |known: &Override| match known.draining().and_then(|drain| drain.left(at)) {
        Some(_) => Phase::UnderWay,
        None => Phase::Done,
    };
    overrides.active(at).map(|known| (known.id, phase(known))).collect()
}

pub(super) fn log_override(details: &Override, what: &str) {
    let OverrideRequest { pattern, action, author, reason, .. } = &details.request;
    let (pattern, action) = (&pattern.0, action.as_str());
    tracing::warn!(pattern, action, author, reason, "override of {pattern} {what}: {}", describe(details));
}

/// Applies the overrides to the tracker.
pub(super) fn apply_overrides(tracker: &mut Tracker, overrides: &Overrides, at: Timestamp) -> Vec<Transition> {
    tracker.apply_overrides(&|name| overrides.on(name, at).map(|known| known.request.action.status()), at)
}

/// Such as `overridden to down by ada until 2026-03-01T22:00:00Z: kernel update`.
pub(super) fn describe(details: &Override) -> String {
    let OverrideRequest { action, reason, author, from, until, .. } = &details.request;
    let overridden = match action {
        Action::Up => "overridden to up",
        Action::Down => "overridden to down",
        Action::Drain(_) => "drained",
    };
    let over = match action {
        Action::Drain(drain) if !drain.over.is_zero() => format!(" over {}", humanize_duration(drain.over)),
        Action::Up | Action::Down | Action::Drain(_) => String::new(),
    };
    let until = until.map_or_else(String::new, |until| format!(" until {}", rfc3339(until)));
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let node = details.origin.as_ref().map(|origin| format!(" on node {}", origin.node)).unwrap_or_default();
    format!("{overridden} by {author}{node}{over} from {}{until}{reason}", rfc3339(*from))
}

pub(super) fn when_durable(outcome: OverrideOutcome, answer: Answer) -> Done {
    Box::new(move |durable| drop(answer.send(Ok(OverrideOutcome { durable, ..outcome }))))
}

fn check_texts(request: &OverrideRequest) -> Result<(), OverrideError> {
    let texts = [
        ("name", &request.pattern.0, LONGEST_NAME),
        ("author", &request.author, LONGEST_NAME),
        ("reason", &request.reason, LONGEST_REASON),
    ];
    // Control characters would let a reason forge log lines.
    let bad = |text: &str, most| text.chars().count() > most || text.chars().any(char::is_control);
    match texts.into_iter().find(|(_, text, most)| bad(text, *most)) {
        Some((what, _, most)) => Err(OverrideError::BadText { what, most }),
        None => Ok(()),
    }
}
