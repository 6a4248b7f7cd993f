//! Texts that others wrote, as logs and terminals show them.

/// The text with U+FFFD instead of each control character, so that it cannot move the cursor or
/// begin a line.
pub(crate) fn visible(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_replaced_and_nothing_else() {
        assert_eq!(visible("a\u{1b}[2J\nb\u{9b}ü→"), "a\u{fffd}[2J\u{fffd}b\u{fffd}ü→");
    }
}
