//! The answers of a name: since the start and in the last seconds; and when they changed.

use std::collections::VecDeque;
use std::time::Duration;

/// The most distinct answers; all others are counted as one. A screen shows fewer, and a multivalue
/// name may have thousands.
const OUTCOMES: usize = 64;
/// The text for all other answers.
const OTHERS: &str = "(other answers)";
/// An answer is gone when its absence would be chance less than once in this many times.
const CERTAINTY: f64 = 10_000.0;
/// This many equal answers in a row are steady.
const STEADY: u32 = 5;

/// The answers of one name.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    window: Duration,
    outcomes: Vec<Outcome>,
    recent: VecDeque<(Duration, usize)>,
    total: u64,
    run: Option<Run>,
}

/// Equal answers in a row, the last ones.
#[derive(Clone, Debug)]
struct Run {
    outcome: usize,
    began: Duration,
    count: u32,
    before: Before,
    /// Whether the change to this answer was reported.
    is_reported: bool,
}

/// One of its answers.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// As `fiftythree query --count` shows it.
    pub(crate) text: String,
    /// How often it came since the start.
    pub(crate) count: u64,
    /// How often it came in the window.
    pub(crate) recent: u64,
    presence: Presence,
}

/// Whether an answer still appears.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Presence {
    /// It does. `share` is the least that its share can have been when it was last seen. `others`
    /// is the number of other answers since then, and `since` the time of the first. `block` is how
    /// often it came, if all of that was in a row.
    Here {
        share: f64,
        block: Option<u32>,
        others: u32,
        since: Option<Duration>,
    },
    Gone,
}

/// The answers before a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// None: it is the first answer.
    Nothing,
    /// Always this one.
    Steady(String),
    /// Several.
    Mixed,
}

/// A change of the answers of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A new answer.
    Arrived { outcome: String, before: Before, at: Duration },
    /// An answer that no longer appears; `at` is the time of the first answer after it.
    Gone { outcome: String, at: Duration },
}

impl Change {
    /// The time of the change, which may be some answers before it was certain.
    pub(crate) fn at(&self) -> Duration {
        let (Change::Arrived { at, .. } | Change::Gone { at, .. }) = self;
        *at
    }
}

impl Tally {
    /// No answers yet. Shares are those of the last `window`.
    pub(crate) fn new(window: Duration) -> Tally {
        Tally { window, outcomes: Vec::new(), recent: VecDeque::new(), total: 0, run: None }
    }

    /// Counts one answer, and returns the changes.
    pub(crate) fn add(&mut self, text: &str, at: Duration) -> Vec<Change> {
        self.forget(at);
        let index = self.index(text);
        let is_new = self.outcomes[index].presence == Presence::Gone;
        self.run_on(index, at);
        self.count(index, at);
        let arrived = if is_new { self.arrived() } else { None };
        let gone = self.missed(index, at);
        arrived.into_iter().chain(gone.into_iter().map(|gone| self.replaced_or(gone))).collect()
    }

    /// Continues the run, or begins another.
    fn run_on(&mut self, index: usize, at: Duration) {
        match self.run.as_mut().filter(|run| run.outcome == index) {
            Some(run) => run.count += 1,
            None => {
                let before = self.before();
                self.run = Some(Run { outcome: index, began: at, count: 1, before, is_reported: false });
            }
        }
    }

    /// The change to the answer that came last.
    fn arrived(&mut self) -> Option<Change> {
        let run = self.run.as_mut()?;
        run.is_reported = true;
        let outcome = self.outcomes[run.outcome].text.clone();
        Some(Change::Arrived { outcome, before: run.before.clone(), at: run.began })
    }

    /// A steady answer that is gone was replaced by the one that came ever since, which need not be
    /// new.
    fn replaced_or(&mut self, gone: Change) -> Change {
        let Change::Gone { outcome, at } = &gone else { return gone };
        let replaces = |run: &Run| {
            !run.is_reported && run.began == *at && matches!(&run.before, Before::Steady(before) if before == outcome)
        };
        if self.run.as_ref().is_some_and(replaces) { self.arrived().unwrap_or(gone) } else { gone }
    }

    /// Removes answers that are older than the window.
    pub(crate) fn forget(&mut self, now: Duration) {
        let start = now.saturating_sub(self.window);
        while let Some(&(_, index)) = self.recent.front().filter(|(at, _)| *at < start) {
            self.recent.pop_front();
            self.outcomes[index].recent -= 1;
        }
    }

    fn before(&self) -> Before {
        match &self.run {
            None => Before::Nothing,
            Some(run) if run.count >= STEADY => Before::Steady(self.outcomes[run.outcome].text.clone()),
            Some(_) => Before::Mixed,
        }
    }

    fn index(&mut self, text: &str) -> usize {
        if let Some(index) = self.outcomes.iter().position(|outcome| outcome.text == text) {
            return index;
        }
        let text = if self.outcomes.len() < OUTCOMES { text } else { OTHERS };
        if let Some(index) = self.outcomes.iter().position(|outcome| outcome.text == text) {
            return index;
        }
        self.outcomes.push(Outcome { text: text.to_owned(), count: 0, recent: 0, presence: Presence::Gone });
        self.outcomes.len() - 1
    }

    fn count(&mut self, index: usize, at: Duration) {
        self.total += 1;
        self.recent.push_back((at, index));
        let answers = self.recent.len() as u64;
        let outcome = &mut self.outcomes[index];
        outcome.count += 1;
        outcome.recent += 1;
        let block = match outcome.presence {
            Presence::Gone => Some(1),
            Presence::Here { block, others: 0, .. } => block.map(|count| count + 1),
            Presence::Here { .. } => None,
        };
        let share = least_share(outcome.recent, answers);
        outcome.presence = Presence::Here { share, block, others: 0, since: None };
    }

    /// Counts an absence of all other answers, and returns those that are gone.
    fn missed(&mut self, index: usize, at: Duration) -> Vec<Change> {
        let mut changes = Vec::new();
        let outcomes = self.outcomes.iter_mut().enumerate().filter(|(number, _)| *number != index);
        for (_, outcome) in outcomes {
            let Presence::Here { share, block, others, since } = outcome.presence else { continue };
            let (others, since) = (others + 1, since.unwrap_or(at));
            let missed = (1.0 - share).powi(i32::try_from(others).unwrap_or(i32::MAX));
            let chance = missed.min(block.map_or(1.0, |count| chance_of_block(count, others)));
            if chance * CERTAINTY > 1.0 {
                outcome.presence = Presence::Here { share, block, others, since: Some(since) };
                continue;
            }
            outcome.presence = Presence::Gone;
            changes.push(Change::Gone { outcome: outcome.text.clone(), at: since });
        }
        changes
    }

    /// The length of the window.
    pub(crate) fn window(&self) -> Duration {
        self.window
    }

    /// The number of answers.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The number of answers in the window.
    pub(crate) fn recent(&self) -> u64 {
        self.recent.len() as u64
    }

    /// The last answer.
    pub(crate) fn last(&self) -> Option<&str> {
        self.run.as_ref().map(|run| self.outcomes[run.outcome].text.as_str())
    }

    /// The distinct answers: the most frequent in the window first, then the most frequent of all,
    /// then by their text.
    pub(crate) fn outcomes(&self) -> Vec<&Outcome> {
        let mut outcomes: Vec<&Outcome> = self.outcomes.iter().collect();
        outcomes.sort_by(|one, other| {
            let key = |outcome: &Outcome| (std::cmp::Reverse(outcome.recent), std::cmp::Reverse(outcome.count));
            key(one).cmp(&key(other)).then_with(|| one.text.cmp(&other.text))
        });
        outcomes
    }

    /// An outcome's share of the answers in the window, from 0 to 1.
    pub(crate) fn recent_share(&self, outcome: &Outcome) -> f64 {
        ratio(outcome.recent, self.recent())
    }

    /// Its share of all answers.
    pub(crate) fn share(&self, outcome: &Outcome) -> f64 {
        ratio(outcome.count, self.total)
    }
}

/// A lower bound of a share: two standard deviations below the measured one, of one answer more
/// than there were. After few answers the bound is low.
fn least_share(part: u64, whole: u64) -> f64 {
    let seen = ratio(part, whole + 1);
    (seen - 2.0 * (seen * (1.0 - seen) * ratio(1, whole + 1)).sqrt()).max(0.0)
}

/// How likely it is that all of `count` answers come before `others` other ones, in random order:
/// one in the binomial coefficient.
fn chance_of_block(count: u32, others: u32) -> f64 {
    // Each factor is below 1: fewer of them are a safe bound.
    (1..=count.min(64)).map(|place| f64::from(place) / f64::from(others + place)).product()
}

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2⁵³")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(tenths: u64) -> Duration {
        Duration::from_millis(tenths * 100)
    }

    /// One answer every tenth of a second; `.` is none.
    fn play(answers: &str) -> (Tally, Vec<Change>) {
        let mut tally = Tally::new(Duration::from_secs(10));
        let mut changes = Vec::new();
        for (number, answer) in answers.chars().enumerate().filter(|(_, answer)| *answer != '.') {
            changes.extend(tally.add(&answer.to_string(), at(number as u64)));
        }
        (tally, changes)
    }

    fn arrived(outcome: &str, before: Before, tenths: u64) -> Change {
        Change::Arrived { outcome: outcome.to_owned(), before, at: at(tenths) }
    }

    fn steady(outcome: &str) -> Before {
        Before::Steady(outcome.to_owned())
    }

    #[test]
    fn shares_are_of_the_window_and_of_all() {
        let (tally, _) = play(&("a".repeat(100) + &"b".repeat(100)));
        let shares: Vec<_> = tally
            .outcomes()
            .into_iter()
            .map(|outcome| (outcome.text.as_str(), tally.recent_share(outcome), tally.share(outcome)))
            .collect();
        // 10 s back from the last answer there is one of the other kind.
        assert_eq!(shares, [("b", 100.0 / 101.0, 0.5), ("a", 1.0 / 101.0, 0.5)]);
        assert_eq!((tally.total(), tally.last()), (200, Some("b")));
    }

    #[test]
    fn the_window_empties_when_no_answers_come() {
        let (mut tally, _) = play("aaa");
        tally.forget(Duration::from_secs(60));
        assert_eq!(tally.recent(), 0);
        assert_eq!(tally.recent_share(tally.outcomes()[0]), 0.0);
    }

    #[test]
    fn an_answer_that_was_seen_for_a_moment_is_gone_and_may_come_again() {
        // As when a watch begins before the endpoints: the second is healthy a moment earlier.
        let start = "a".repeat(20) + "bbb" + &"a".repeat(60);
        let gone = |outcome: &str, tenths| Change::Gone { outcome: outcome.to_owned(), at: at(tenths) };
        let before = [arrived("a", Before::Nothing, 0), arrived("b", steady("a"), 20), gone("b", 23)];
        let (_, changes) = play(&start);
        assert_eq!(changes, before);
        let (_, changes) = play(&(start + &"b".repeat(20)));
        assert_eq!(changes[3..], [arrived("b", steady("a"), 83), gone("a", 83)]);
    }

    #[test]
    fn a_steady_answer_is_replaced_by_one_that_still_counts_as_coming() {
        // One of the others came a moment ago, too seldom to be missed.
        let (_, changes) = play(&("a".repeat(20) + "b" + &"a".repeat(20) + &"b".repeat(20)));
        assert_eq!(changes[2..], [arrived("b", steady("a"), 41)]);
    }

    #[test]
    fn a_steady_answer_that_changes_is_dated_by_the_first_other_one() {
        let (_, changes) = play(&("a".repeat(30) + "bbbb"));
        let gone = Change::Gone { outcome: "a".to_owned(), at: at(30) };
        assert_eq!(changes, [arrived("a", Before::Nothing, 0), arrived("b", steady("a"), 30), gone]);
    }

    #[test]
    fn answers_that_mix_do_not_come_and_go() {
        let (_, changes) = play(&"aabab".repeat(20));
        assert_eq!(changes, [arrived("a", Before::Nothing, 0), arrived("b", Before::Mixed, 2)]);
    }

    #[test]
    fn one_of_several_that_stays_away_is_gone_once_that_is_no_chance() {
        let (_, changes) = play(&("ab".repeat(25) + &"b".repeat(8)));
        assert_eq!(changes.len(), 2, "eight in a row may be chance: {changes:?}");
        let (_, changes) = play(&("ab".repeat(25) + &"b".repeat(30)));
        assert_eq!(changes[2..], [Change::Gone { outcome: "a".to_owned(), at: at(49) }]);
    }

    #[test]
    fn what_comes_back_arrives_again() {
        let (_, changes) = play(&("a".repeat(20) + &"b".repeat(20) + "a"));
        assert_eq!(changes.last(), Some(&arrived("a", steady("b"), 40)));
    }

    #[test]
    fn outcomes_have_a_limit() {
        let mut tally = Tally::new(Duration::from_secs(10));
        for number in 0..1000 {
            tally.add(&format!("answer {number}"), at(number));
        }
        assert_eq!(tally.outcomes().len(), OUTCOMES + 1);
        assert_eq!(tally.total(), 1000);
        assert_eq!(tally.last(), Some(OTHERS));
    }
}
