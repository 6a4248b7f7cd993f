//! The difference between two texts: one part is replaced.

use serde::{Deserialize, Serialize};

/// Replaces a part of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delta {
    /// Where the part begins, in bytes.
    at: usize,
    /// How many bytes are removed.
    remove: usize,
    /// What is inserted.
    insert: String,
}

impl Delta {
    /// What makes `after` of `before`: everything between the first and the last difference.
    pub(crate) fn between(before: &str, after: &str) -> Delta {
        let is_split = |at: usize| before.is_char_boundary(at) && after.is_char_boundary(at);
        let same = before.bytes().zip(after.bytes()).take_while(|(one, other)| one == other).count();
        let at = (0..=same).rev().find(|at| is_split(*at)).unwrap_or(0);
        let rest = before.len().min(after.len()) - at;
        let ends = before.bytes().rev().zip(after.bytes().rev());
        let same = ends.take(rest).take_while(|(one, other)| one == other).count();
        let is_split =
            |end: &usize| before.is_char_boundary(before.len() - end) && after.is_char_boundary(after.len() - end);
        let end = (0..=same).rev().find(is_split).unwrap_or(0);
        Delta { at, remove: before.len() - end - at, insert: after[at..after.len() - end].to_owned() }
    }

    /// The text after it; `None` if it does not fit this text.
    pub(crate) fn apply(&self, before: &str) -> Option<String> {
        let (start, rest) = (before.get(..self.at)?, before.get(self.at.checked_add(self.remove)?..)?);
        Some([start, &self.insert, rest].concat())
    }

    /// How many bytes it inserts.
    pub(crate) fn bytes(&self) -> usize {
        self.insert.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_delta_makes_the_second_text_of_the_first(before in "[aäb]{0,12}", after in "[aäb]{0,12}") {
            let delta = Delta::between(&before, &after);
            prop_assert_eq!(delta.apply(&before), Some(after));
        }
    }

    #[test]
    fn only_what_differs_is_inserted() {
        let delta = Delta::between("one\ntwo\nthree\n", "one\n2\nthree\n");
        assert_eq!(delta, Delta { at: 4, remove: 3, insert: "2".to_owned() });
        assert_eq!(Delta::between("same", "same").bytes(), 0);
        assert_eq!(delta.apply("on"), None);
        assert_eq!(Delta { at: 1, remove: usize::MAX, insert: String::new() }.apply("text"), None);
    }
}
