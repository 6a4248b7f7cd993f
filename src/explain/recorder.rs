//! Records what an observer sees while an answer is made.

use crate::answer::{self, Step};
use crate::policy::{self, Choice, MemberIndex, Note};

/// The recorded notes, in order.
pub(super) enum Event<'w> {
    Step(Step<'w>),
    Note(Note),
}

/// Records everything.
#[derive(Default)]
pub(super) struct Recorder<'w>(pub(super) Vec<Event<'w>>);

impl policy::Trace for Recorder<'_> {
    fn note(&mut self, note: impl FnOnce() -> Note) {
        self.0.push(Event::Note(note()));
    }
}

impl<'w> answer::Trace<'w> for Recorder<'w> {
    fn step(&mut self, step: impl FnOnce() -> Step<'w>) {
        self.0.push(Event::Step(step()));
    }
}

/// Records the notes of one policy.
#[derive(Default)]
pub(super) struct Notes(pub(super) Vec<Note>);

impl policy::Trace for Notes {
    fn note(&mut self, note: impl FnOnce() -> Note) {
        self.0.push(note());
    }
}

impl Notes {
    /// What the policy chose.
    pub(super) fn choice(&self) -> Choice {
        let chosen = |note: &Note| match note {
            Note::Chosen(choice) => Some(choice.clone()),
            _ => None,
        };
        self.0.iter().find_map(chosen).unwrap_or_default()
    }

    /// The share of each member in the group's answers to this client. A member that was chosen
    /// without a draw is in all.
    pub(super) fn shares(&self) -> Vec<(MemberIndex, f64)> {
        let draw = |note: &Note| match note {
            Note::Draw(draw) => Some(draw.shares()),
            _ => None,
        };
        let certain = || self.choice().members.iter().map(|&member| (member, 1.0)).collect();
        self.0.iter().find_map(draw).unwrap_or_else(certain)
    }
}
