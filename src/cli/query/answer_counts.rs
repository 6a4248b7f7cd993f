//! How often each answer came: the effect of a routing policy.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

/// The distinct answers.
#[derive(Debug, Default)]
pub(super) struct AnswerCounts {
    counts: HashMap<String, u64>,
    total: u64,
}

impl AnswerCounts {
    /// Counts one answer.
    pub(super) fn add(&mut self, outcome: String) {
        *self.counts.entry(outcome).or_default() += 1;
        self.total += 1;
    }

    /// The answers with their counts, the most frequent first; equals by their text.
    fn sorted(&self) -> Vec<(&str, u64)> {
        let mut rows: Vec<(&str, u64)> =
            self.counts.iter().map(|(outcome, &count)| (outcome.as_str(), count)).collect();
        rows.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        rows
    }

    /// A table: count, share, answer.
    pub(super) fn text(&self, elapsed: Duration) -> String {
        let width = self.total.to_string().len();
        let seconds = elapsed.as_secs_f64();
        let mut out = format!(";; {} queries in {seconds:.2} s, distinct answers: {}\n", self.total, self.counts.len());
        for (outcome, count) in self.sorted() {
            let _ = writeln!(out, "{count:>width$}  {:>5.1} %  {outcome}", self.share(count) * 100.0);
        }
        out
    }

    /// The same as JSON.
    pub(super) fn json(&self, elapsed: Duration) -> Value {
        let row = |(outcome, count)| json!({ "answer": outcome, "count": count, "share": self.share(count) });
        let answers: Vec<Value> = self.sorted().into_iter().map(row).collect();
        json!({ "queries": self.total, "seconds": elapsed.as_secs_f64(), "answers": answers })
    }

    #[expect(clippy::cast_precision_loss, reason = "counts stay below 2⁵³")]
    fn share(&self, count: u64) -> f64 {
        count as f64 / self.total as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> AnswerCounts {
        let mut counts = AnswerCounts::default();
        for outcome in ["b", "a", "c", "a", "b", "a", "a", "a", "a", "a"] {
            counts.add(outcome.to_owned());
        }
        counts
    }

    #[test]
    fn the_most_frequent_answer_comes_first() {
        let expected = ";; 10 queries in 0.50 s, distinct answers: 3\n 7   70.0 %  a\n 2   20.0 %  b\n 1   10.0 %  c\n";
        assert_eq!(counts().text(Duration::from_millis(500)), expected);
    }

    #[test]
    fn json_has_counts_and_shares() {
        let json = counts().json(Duration::ZERO);
        assert_eq!(json["answers"][0], json!({ "answer": "a", "count": 7, "share": 0.7 }));
    }
}
