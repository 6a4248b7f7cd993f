//! Records what an observer sees while an answer is made.

use crate::answer::{self, AnswerStep};
use crate::policy::{self, Choice, MemberIndex, PolicyStep};

/// A recorded step.
pub(super) enum RecordedStep<'w> {
    Answer(AnswerStep<'w>),
    Policy(PolicyStep),
}

/// Records everything.
#[derive(Default)]
pub(super) struct Recorder<'w>(pub(super) Vec<RecordedStep<'w>>);

impl policy::PolicyTrace for Recorder<'_> {
    fn policy_step(&mut self, step: impl FnOnce() -> PolicyStep) {
        self.0.push(RecordedStep::Policy(step()));
    }
}

impl<'w> answer::AnswerTrace<'w> for Recorder<'w> {
    fn answer_step(&mut self, step: impl FnOnce() -> AnswerStep<'w>) {
        self.0.push(RecordedStep::Answer(step()));
    }
}

/// Records the steps of one policy.
#[derive(Default)]
pub(super) struct PolicySteps(pub(super) Vec<PolicyStep>);

impl policy::PolicyTrace for PolicySteps {
    fn policy_step(&mut self, step: impl FnOnce() -> PolicyStep) {
        self.0.push(step());
    }
}

impl PolicySteps {
    /// What the policy chose.
    pub(super) fn choice(&self) -> Choice {
        let chosen = |step: &PolicyStep| match step {
            PolicyStep::Chosen(choice) => Some(choice.clone()),
            _ => None,
        };
        self.0.iter().find_map(chosen).unwrap_or_default()
    }

    /// The share of each member in the group's answers to this client. A member that was chosen
    /// without a draw is in all.
    pub(super) fn shares(&self) -> Vec<(MemberIndex, f64)> {
        let draw = |step: &PolicyStep| match step {
            PolicyStep::Draw(draw) => Some(draw.shares()),
            _ => None,
        };
        let certain = || self.choice().members.iter().map(|&member| (member, 1.0)).collect();
        self.0.iter().find_map(draw).unwrap_or_else(certain)
    }
}
