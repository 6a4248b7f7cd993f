//! Ids of changes.

/// As many characters as Route 53's own ids have after their first letter.
const LENGTH: usize = 20;

/// A new id of a change, for what is not submitted through the API: `C` and capital letters and
/// digits.
pub(crate) fn new_change_id() -> String {
    let character = || char::from_digit(fastrand::u32(..36), 36).expect("a digit below 36").to_ascii_uppercase();
    std::iter::once('C').chain(std::iter::repeat_with(character).take(LENGTH)).collect()
}
