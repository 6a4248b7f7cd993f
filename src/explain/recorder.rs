//! Takes down all that is to be seen while an answer is made.

use crate::answer::{self, Step};
use crate::policy::{self, Choice, Note};

/// What was seen, in order.
pub(super) enum Event<'w> {
    Step(Step<'w>),
    Note(Note),
}

/// Sees everything.
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

/// Sees what one policy sees.
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

    /// Which part of the group's answers to this client holds each member: who is in no draw and was chosen is in all.
    pub(super) fn shares(&self) -> Vec<(u16, f64)> {
        let draw = |note: &Note| match note {
            Note::Draw(draw) => Some(draw.shares()),
            _ => None,
        };
        let certain = || self.choice().members.iter().map(|&member| (member, 1.0)).collect();
        self.0.iter().find_map(draw).unwrap_or_else(certain)
    }
}
