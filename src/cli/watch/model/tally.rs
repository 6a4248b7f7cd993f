//! Which answers a name had: since the start, and in the last seconds; and when that changed.

use std::collections::VecDeque;
use std::time::Duration;

/// Different answers that are told apart; the rest is counted as one. A screen shows fewer, and a
/// multivalue name may have thousands.
const OUTCOMES: usize = 64;
/// What the rest is called.
const OTHERS: &str = "(other answers)";
/// An answer is gone when its silence would be chance less than once in so many times.
const CERTAINTY: f64 = 10_000.0;
/// So many equal answers in a row are steady.
const STEADY: u32 = 5;

/// The answers of one name.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    window: Duration,
    outcomes: Vec<Outcome>,
    recent: VecDeque<(Duration, usize)>,
    total: u64,
    last: Option<usize>,
    /// How often the last answer came in a row.
    row: u32,
}

/// One of its answers.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// As `fiftythree query --count` shows it.
    pub(crate) text: String,
    /// How often it came.
    pub(crate) count: u64,
    /// How often in the window.
    pub(crate) recent: u64,
    presence: Presence,
}

/// Whether an answer still comes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Presence {
    /// It does. `share` is what its share was at least when it came last; then came others, the
    /// first of them `since`.
    Here {
        share: f64,
        others: u32,
        since: Option<Duration>,
    },
    Gone,
}

/// What was answered before another answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing: it is the first answer.
    Nothing,
    /// Always this.
    Steady(String),
    /// This and that.
    Mixed,
}

/// A change of what a name answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// An answer that was not there before.
    Arrived { outcome: String, before: Before, at: Duration },
    /// An answer that does not come any more; the first one without it came `at`.
    Gone { outcome: String, at: Duration },
}

impl Change {
    /// When it changed, which may be some answers before it was certain.
    pub(crate) fn at(&self) -> Duration {
        let (Change::Arrived { at, .. } | Change::Gone { at, .. }) = self;
        *at
    }
}

impl Tally {
    /// Nothing yet. Shares are those of the last `window`.
    pub(crate) fn new(window: Duration) -> Tally {
        Tally { window, outcomes: Vec::new(), recent: VecDeque::new(), total: 0, last: None, row: 0 }
    }

    /// Counts one answer, and says what it changes.
    pub(crate) fn add(&mut self, text: &str, at: Duration) -> Vec<Change> {
        self.forget(at);
        let before = self.before();
        let index = self.index(text);
        let came_back = self.outcomes[index].presence == Presence::Gone;
        self.count(index, at);
        let mut changes = Vec::new();
        if came_back {
            changes.push(Change::Arrived { outcome: self.outcomes[index].text.clone(), before, at });
        }
        changes.extend(self.missed(index, at));
        changes
    }

    /// Lets the window move on.
    pub(crate) fn forget(&mut self, now: Duration) {
        let start = now.saturating_sub(self.window);
        while let Some(&(_, index)) = self.recent.front().filter(|(at, _)| *at < start) {
            self.recent.pop_front();
            self.outcomes[index].recent -= 1;
        }
    }

    fn before(&self) -> Before {
        match self.last {
            None => Before::Nothing,
            Some(last) if self.row >= STEADY => Before::Steady(self.outcomes[last].text.clone()),
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
        self.row = if self.last == Some(index) { self.row + 1 } else { 1 };
        self.last = Some(index);
        self.recent.push_back((at, index));
        let answers = self.recent.len() as u64;
        let outcome = &mut self.outcomes[index];
        outcome.count += 1;
        outcome.recent += 1;
        outcome.presence = Presence::Here { share: least_share(outcome.recent, answers), others: 0, since: None };
    }

    /// All but this one have been missed once more.
    fn missed(&mut self, index: usize, at: Duration) -> Vec<Change> {
        let mut changes = Vec::new();
        let outcomes = self.outcomes.iter_mut().enumerate().filter(|(number, _)| *number != index);
        for (_, outcome) in outcomes {
            let Presence::Here { share, others, since } = outcome.presence else { continue };
            let (others, since) = (others + 1, since.unwrap_or(at));
            let chance = (1.0 - share).powi(i32::try_from(others).unwrap_or(i32::MAX));
            if chance * CERTAINTY > 1.0 {
                outcome.presence = Presence::Here { share, others, since: Some(since) };
                continue;
            }
            outcome.presence = Presence::Gone;
            changes.push(Change::Gone { outcome: outcome.text.clone(), at: since });
        }
        changes
    }

    /// How long an answer counts as recent.
    pub(crate) fn window(&self) -> Duration {
        self.window
    }

    /// Answers so far.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Answers in the window.
    pub(crate) fn recent(&self) -> u64 {
        self.recent.len() as u64
    }

    /// What came last.
    pub(crate) fn last(&self) -> Option<&str> {
        self.last.map(|last| self.outcomes[last].text.as_str())
    }

    /// Its answers: those that come most now first, then by how often they came, then by their
    /// text.
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

/// What a share may be in truth: two standard deviations less than was seen, of one answer more
/// than there were. After few answers nobody knows it well.
fn least_share(part: u64, whole: u64) -> f64 {
    let seen = ratio(part, whole + 1);
    (seen - 2.0 * (seen * (1.0 - seen) * ratio(1, whole + 1)).sqrt()).max(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts to 2⁵³ answers")]
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
