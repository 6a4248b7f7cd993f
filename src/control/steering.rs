//! People steer: overrides set, cleared and listed, and what comes of that.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::health::{
    Action, Cause, Moment, NotGranted, Override, OverrideId, Overrides, Pattern, Tracker, Transition, Wish,
};
use crate::store::{Done, NotDurable};

use super::moments::rfc3339;
use super::{Control, What, memory};

/// Longer words of a person are no reason.
const LONGEST_REASON: usize = 500;
/// Names of people, and of checks, are not longer.
const LONGEST_NAME: usize = 255;

/// An override and the checks that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverrideView {
    /// The override.
    pub granted: Override,
    /// Whether it counts now; else it is yet to begin.
    pub is_active: bool,
    /// The checks whose name it matches.
    pub checks: Vec<Arc<str>>,
}

/// What came of a change to the overrides.
#[derive(Clone, Debug)]
pub struct Steered {
    /// The one that was set, or those that were cleared.
    pub changed: Vec<OverrideView>,
    /// The one whose place it took.
    pub replaced: Option<Override>,
    /// Whether it survives a restart. It is in force either way.
    pub durable: Result<(), NotDurable>,
}

/// Why nothing came of it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotSteered {
    /// No check has such a name.
    #[error("no health check is called `{pattern}`")]
    UnknownCheck {
        /// What was asked for.
        pattern: String,
        /// The names that there are.
        names: Vec<Arc<str>>,
    },
    /// No override has such a pattern.
    #[error("there is no override of `{pattern}`")]
    UnknownOverride {
        /// What was asked for.
        pattern: String,
        /// The patterns that there are.
        patterns: Vec<String>,
    },
    /// It is not a wish that can be granted.
    #[error(transparent)]
    NotGranted(#[from] NotGranted),
    /// A text that is too long or holds control characters.
    #[error("the {what} must have at most {most} letters and no control characters")]
    BadText {
        /// Which text.
        what: &'static str,
        /// How long it may be.
        most: usize,
    },
}

/// Hears what came of it, when it is durable.
pub type Answer = oneshot::Sender<Result<Steered, NotSteered>>;

impl Control {
    pub(super) fn set_override(&mut self, wish: Wish, answer: Answer, at: Moment) {
        let granted = check_texts(&wish)
            .and_then(|()| self.must_match(&wish.pattern))
            .and_then(|()| Ok(self.overrides.set(wish, at)?));
        let (granted, replaced) = match granted {
            Ok(granted) => granted,
            // Who does not wait for the answer does not need it.
            Err(error) => return drop(answer.send(Err(error))),
        };
        log_override(&granted, "is set");
        self.outputs.feed.push(at, What::OverrideSet(granted.clone()));
        self.steer(at);
        let steered = Steered { changed: vec![self.view(&granted, at)], replaced, durable: Ok(()) };
        self.outputs.keeper.durable(memory::override_set(&granted), when_durable(steered, answer));
    }

    pub(super) fn clear_overrides(&mut self, pattern: &Pattern, answer: Answer, at: Moment) {
        let cleared = self.overrides.clear(pattern);
        if cleared.is_empty() {
            let patterns = self.overrides.all().iter().map(|known| known.wish.pattern.0.clone()).collect();
            let error = NotSteered::UnknownOverride { pattern: pattern.0.clone(), patterns };
            return drop(answer.send(Err(error)));
        }
        for known in &cleared {
            log_override(known, "is cleared");
            self.outputs.feed.push(at, What::OverrideCleared(known.clone()));
        }
        self.steer(at);
        let ids: Vec<OverrideId> = cleared.iter().map(|known| known.id).collect();
        let changed = cleared.iter().map(|known| self.view(known, at)).collect();
        let steered = Steered { changed, replaced: None, durable: Ok(()) };
        self.outputs.keeper.durable(memory::overrides_cleared(&ids), when_durable(steered, answer));
    }

    /// All overrides and what they are about.
    pub(super) fn override_views(&self, at: Moment) -> Vec<OverrideView> {
        self.overrides.all().iter().map(|known| self.view(known, at)).collect()
    }

    /// Lets overrides begin and end as time passes.
    pub(super) fn pass_time(&mut self, at: Moment) {
        let ended = self.overrides.expire(at);
        if !ended.is_empty() {
            for known in &ended {
                log_override(known, "has ended");
                self.outputs.feed.push(at, What::OverrideEnded(known.clone()));
            }
            let ids: Vec<OverrideId> = ended.iter().map(|known| known.id).collect();
            self.outputs.keeper.line(memory::overrides_cleared(&ids));
        }
        if !self.overrides.active(at).eq(self.steered_by.iter().copied()) {
            self.steer(at);
        }
    }

    /// Lets the overrides count, in one world.
    fn steer(&mut self, at: Moment) {
        let transitions = force(&mut self.tracker, &self.overrides, at);
        self.steered_by = self.overrides.active(at).collect();
        if transitions.is_empty() {
            return;
        }
        let changed: Vec<_> = transitions.iter().map(|transition| transition.slot).collect();
        let world = self.reader.load().with_health(&self.tracker.bits(), &changed, at);
        self.publisher.publish(world);
        self.tell_steered(&transitions, at);
    }

    /// Tells of verdicts that overrides changed.
    pub(super) fn tell_steered(&mut self, transitions: &[Transition], at: Moment) {
        for transition in transitions {
            let why = match (transition.cause, self.overrides.on(&transition.name, at)) {
                (Cause::Override, Some(known)) => describe(known),
                (Cause::Override, None) => "no override any more".to_owned(),
                // A calculated check turned because a child was steered.
                (cause, _) => cause.to_string(),
            };
            self.report_transition(transition, &why);
        }
    }

    fn must_match(&self, pattern: &Pattern) -> Result<(), NotSteered> {
        if self.tracker.names().any(|name| pattern.matches(name)) {
            return Ok(());
        }
        let mut names: Vec<_> = self.tracker.names().cloned().collect();
        names.sort_unstable();
        Err(NotSteered::UnknownCheck { pattern: pattern.0.clone(), names })
    }

    fn view(&self, granted: &Override, at: Moment) -> OverrideView {
        let pattern = &granted.wish.pattern;
        let mut checks: Vec<_> = self.tracker.names().filter(|name| pattern.matches(name)).cloned().collect();
        checks.sort_unstable();
        OverrideView { granted: granted.clone(), is_active: granted.is_active(at), checks }
    }
}

pub(super) fn log_override(granted: &Override, what: &str) {
    let Wish { pattern, action, author, reason, .. } = &granted.wish;
    let (pattern, action) = (&pattern.0, action.word());
    tracing::warn!(pattern, action, author, reason, "override of {pattern} {what}: {}", describe(granted));
}

/// Lets the overrides stand in the tracker for what is seen.
pub(super) fn force(tracker: &mut Tracker, overrides: &Overrides, at: Moment) -> Vec<Transition> {
    tracker.force(&|name| overrides.on(name, at).map(|known| known.wish.action.status()), at)
}

/// Such as `held down by ada until 2026-03-01T22:00:00Z: kernel update`.
pub(super) fn describe(granted: &Override) -> String {
    let Wish { action, reason, author, from, until, .. } = &granted.wish;
    let held = match action {
        Action::Up => "held up",
        Action::Down => "held down",
    };
    let until = until.map_or_else(String::new, |until| format!(" until {}", rfc3339(until)));
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    format!("{held} by {author} from {}{until}{reason}", rfc3339(*from))
}

fn when_durable(steered: Steered, answer: Answer) -> Done {
    Box::new(move |durable| drop(answer.send(Ok(Steered { durable, ..steered }))))
}

fn check_texts(wish: &Wish) -> Result<(), NotSteered> {
    let texts = [
        ("name", &wish.pattern.0, LONGEST_NAME),
        ("author", &wish.author, LONGEST_NAME),
        ("reason", &wish.reason, LONGEST_REASON),
    ];
    // Control characters would let a reason write log lines of its own.
    let bad = |text: &str, most| text.chars().count() > most || text.chars().any(char::is_control);
    match texts.into_iter().find(|(_, text, most)| bad(text, *most)) {
        Some((what, _, most)) => Err(NotSteered::BadText { what, most }),
        None => Ok(()),
    }
}
