//! Overrides: setting, clearing and listing them, and their effects.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::health::{
    Action, Cause, CheckSlot, Draining, InvalidOverride, Override, OverrideId, OverrideRequest, Overrides, Pattern,
    Share, Status, Timestamp, Tracker, Transition,
};
use crate::store::{Done, NotDurable};

use super::time_format::{humanize_duration, rfc3339};
use super::{Control, EventKind, HealthNoticeKind, Notice, saved_state};

/// The length limit of a reason, in characters.
const LONGEST_REASON: usize = 500;
/// The length limit of an author and of a pattern, in characters.
const LONGEST_NAME: usize = 255;

/// An override and the checks that it matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverrideView {
    /// The override.
    pub granted: Override,
    /// Whether it is in force; if not, it has not begun yet.
    pub is_active: bool,
    /// The remaining share of weight, if it drains.
    pub left: Option<Share>,
    /// The names of the checks that it matches.
    pub checks: Vec<Arc<str>>,
}

/// The outcome of a change to the overrides.
#[derive(Clone, Debug)]
pub struct OverrideOutcome {
    /// The override that was set, or those that were cleared.
    pub changed: Vec<OverrideView>,
    /// The override that it replaced.
    pub replaced: Option<Override>,
    /// Whether the change survives a restart. It is in force in either case.
    pub durable: Result<(), NotDurable>,
}

/// Why a change was refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OverrideError {
    /// No check matches the pattern.
    #[error("no health check is called `{pattern}`")]
    UnknownCheck {
        /// The pattern.
        pattern: String,
        /// The names of all checks.
        names: Vec<Arc<str>>,
    },
    /// No override has this pattern.
    #[error("there is no override of `{pattern}`")]
    UnknownOverride {
        /// The pattern.
        pattern: String,
        /// The patterns of all overrides.
        patterns: Vec<String>,
    },
    /// The request is not valid.
    #[error(transparent)]
    InvalidOverride(#[from] InvalidOverride),
    /// A string is too long or contains control characters.
    #[error("the {what} must have at most {most} characters and no control characters")]
    BadText {
        /// Which string.
        what: &'static str,
        /// Its length limit, in characters.
        most: usize,
    },
}

/// Receives the outcome when it is durable.
pub type Answer = oneshot::Sender<Result<OverrideOutcome, OverrideError>>;

impl Control {
    pub(super) fn set_override(&mut self, request: OverrideRequest, answer: Answer, at: Timestamp) {
        let granted = check_texts(&request)
            .and_then(|()| self.must_match(&request.pattern))
            .and_then(|()| Ok(self.overrides.set(request, at)?));
        let (granted, replaced) = match granted {
            Ok(granted) => granted,
            // A receiver that is gone does not need the answer.
            Err(error) => return drop(answer.send(Err(error))),
        };
        log_override(&granted, "is set");
        self.outputs.feed.push(at, EventKind::OverrideSet(granted.clone()));
        self.steer(at);
        let steered = OverrideOutcome { changed: vec![self.view(&granted, at)], replaced, durable: Ok(()) };
        self.outputs.state_writer.durable(saved_state::override_set(&granted), when_durable(steered, answer));
    }

    pub(super) fn clear_overrides(&mut self, pattern: &Pattern, answer: Answer, at: Timestamp) {
        let cleared = self.overrides.clear(pattern);
        if cleared.is_empty() {
            let patterns = self.overrides.all().iter().map(|known| known.request.pattern.0.clone()).collect();
            let error = OverrideError::UnknownOverride { pattern: pattern.0.clone(), patterns };
            return drop(answer.send(Err(error)));
        }
        for known in &cleared {
            log_override(known, "is cleared");
            self.outputs.feed.push(at, EventKind::OverrideCleared(known.clone()));
        }
        self.steer(at);
        let ids: Vec<OverrideId> = cleared.iter().map(|known| known.id).collect();
        let changed = cleared.iter().map(|known| self.view(known, at)).collect();
        let steered = OverrideOutcome { changed, replaced: None, durable: Ok(()) };
        self.outputs.state_writer.durable(saved_state::overrides_cleared(&ids), when_durable(steered, answer));
    }

    /// All overrides and the checks that they match.
    pub(super) fn override_views(&self, at: Timestamp) -> Vec<OverrideView> {
        self.overrides.all().iter().map(|known| self.view(known, at)).collect()
    }

    /// Starts and expires overrides, and completes drains, as time passes.
    pub(super) fn pass_time(&mut self, at: Timestamp) {
        let ended = self.overrides.expire(at);
        if !ended.is_empty() {
            for known in &ended {
                log_override(known, "has ended");
                self.outputs.feed.push(at, EventKind::OverrideEnded(known.clone()));
            }
            let ids: Vec<OverrideId> = ended.iter().map(|known| known.id).collect();
            self.outputs.state_writer.line(saved_state::overrides_cleared(&ids));
        }
        if self.steering.phases != phases(&self.overrides, at) {
            self.steer(at);
        }
    }

    /// Applies the overrides and publishes their effects in one world.
    fn steer(&mut self, at: Timestamp) {
        let transitions = force(&mut self.tracker, &self.overrides, at);
        let before = std::mem::replace(&mut self.steering, OverridesInForce::of(&self.tracker, &self.overrides, at));
        let drained = self.drained_since(&before, at);
        let turned = transitions.iter().map(|transition| transition.slot);
        let changed: Vec<_> = turned.chain(before.slots()).chain(self.steering.slots()).collect();
        if !changed.is_empty() {
            self.publish(self.reader.load().with_health(&self.checks(&[], at), &changed, at), at);
        }
        self.tell_steered(&transitions, at);
        drained.iter().for_each(|slot| self.tell_drained(*slot, at));
        if !transitions.is_empty() {
            self.mind_uplink(at);
        }
    }

    /// The checks whose drain is complete now and was not in `before`.
    fn drained_since(&self, before: &OverridesInForce, at: Timestamp) -> Vec<CheckSlot> {
        let is_held_down = |slot| {
            let name = self.tracker.name(slot);
            name.and_then(|name| self.overrides.on(name, at)).is_some_and(|known| known.draining().is_some())
        };
        before.draining.keys().copied().filter(|slot| !self.steering.drains(*slot) && is_held_down(*slot)).collect()
    }

    fn tell_drained(&mut self, slot: CheckSlot, at: Timestamp) {
        let Some((identity, _)) = self.tracker.saved_state_of(slot) else { return };
        let (id, name) = (identity.id.clone(), self.tracker.name(slot).cloned());
        let Some(name) = name else { return };
        let check = &*name;
        tracing::warn!(check, records = self.records_by_check.of(slot).to_string(), "health check {name} is drained");
        let why = self.overrides.on(&name, at).map_or_else(String::new, describe);
        self.outputs.feed.push(at, EventKind::Drained { check: Arc::clone(&name) });
        let noticed = self.noticed(slot, &name, &id, Status::Unhealthy);
        self.tell(Notice { what: HealthNoticeKind::Drained(noticed), at, why: why.into(), lost: 0 });
    }

    /// Reports changes of status that overrides caused.
    pub(super) fn tell_steered(&mut self, transitions: &[Transition], at: Timestamp) {
        for transition in transitions {
            let why = match (transition.cause, self.overrides.on(&transition.name, at)) {
                (Cause::Override, Some(known)) => describe(known),
                (Cause::Override, None) => "the override has ended".to_owned(),
                // A calculated check changed because a child was overridden.
                (cause, _) => cause.to_string(),
            };
            self.report_transition(transition, &why);
        }
    }

    fn must_match(&self, pattern: &Pattern) -> Result<(), OverrideError> {
        if self.tracker.names().any(|(_, name)| pattern.matches(name)) {
            return Ok(());
        }
        let mut names: Vec<_> = self.tracker.names().map(|(_, name)| Arc::clone(name)).collect();
        names.sort_unstable();
        Err(OverrideError::UnknownCheck { pattern: pattern.0.clone(), names })
    }

    fn view(&self, granted: &Override, at: Timestamp) -> OverrideView {
        let pattern = &granted.request.pattern;
        let names = self.tracker.names().map(|(_, name)| name);
        let mut checks: Vec<_> = names.filter(|name| pattern.matches(name)).cloned().collect();
        checks.sort_unstable();
        let left = granted.draining().and_then(|drain| drain.left(at));
        OverrideView { granted: granted.clone(), is_active: granted.is_active(at), left, checks }
    }
}

/// The effects of the overrides at one moment.
#[derive(Debug, Default)]
pub(super) struct OverridesInForce {
    /// The overrides in force, and how far they are.
    phases: Vec<(OverrideId, Phase)>,
    /// Checks that are overridden to up.
    pub(super) held_up: Vec<CheckSlot>,
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
        let mut steering = OverridesInForce { phases: phases(overrides, at), ..OverridesInForce::default() };
        if steering.phases.is_empty() {
            return steering;
        }
        for (slot, name) in tracker.names() {
            match overrides.on(name, at).map(|known| known.request.action) {
                Some(Action::Up) => steering.held_up.push(slot),
                Some(Action::Drain(_)) => {
                    let drains: Vec<Draining> = overrides.drains_on(name, at).collect();
                    // A check with one completed drain has no weight left.
                    if drains.iter().all(|drain| drain.left(at).is_some()) {
                        steering.draining.insert(slot, drains);
                    }
                }
                Some(Action::Down) | None => {}
            }
        }
        steering
    }

    /// The remaining shares of the checks that are draining and would be healthy otherwise.
    pub(super) fn shares(&self, tracker: &Tracker, at: Timestamp) -> Vec<(CheckSlot, Share)> {
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
        self.held_up.iter().chain(self.draining.keys()).copied()
    }
}

/// The smallest remaining share; `None` if any drain is complete.
fn left_of(drains: &[Draining], at: Timestamp) -> Option<Share> {
    let shares: Option<Vec<Share>> = drains.iter().map(|drain| drain.left(at)).collect();
    shares?.into_iter().min()
}

fn phases(overrides: &Overrides, at: Timestamp) -> Vec<(OverrideId, Phase)> {
    let phase = |known: &Override| match known.draining().and_then(|drain| drain.left(at)) {
        Some(_) => Phase::UnderWay,
        None => Phase::Done,
    };
    overrides.active(at).map(|known| (known.id, phase(known))).collect()
}

pub(super) fn log_override(granted: &Override, what: &str) {
    let OverrideRequest { pattern, action, author, reason, .. } = &granted.request;
    let (pattern, action) = (&pattern.0, action.as_str());
    tracing::warn!(pattern, action, author, reason, "override of {pattern} {what}: {}", describe(granted));
}

/// Applies the overrides to the tracker.
pub(super) fn force(tracker: &mut Tracker, overrides: &Overrides, at: Timestamp) -> Vec<Transition> {
    tracker.apply_overrides(&|name| overrides.on(name, at).map(|known| known.request.action.status()), at)
}

/// Such as `overridden to down by ada until 2026-03-01T22:00:00Z: kernel update`.
pub(super) fn describe(granted: &Override) -> String {
    let OverrideRequest { action, reason, author, from, until, .. } = &granted.request;
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
    format!("{overridden} by {author}{over} from {}{until}{reason}", rfc3339(*from))
}

fn when_durable(steered: OverrideOutcome, answer: Answer) -> Done {
    Box::new(move |durable| drop(answer.send(Ok(OverrideOutcome { durable, ..steered }))))
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
