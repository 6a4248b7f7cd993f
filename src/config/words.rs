//! Helpers for messages: lists of allowed words, and suggestions for misspelt ones.

/// `a`, `b` or `c`, each in backticks.
pub(super) fn one_of<S: AsRef<str>>(words: &[S]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_ref())).collect();
    match quoted.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// The candidate closest to `word`, if it is close enough.
pub(super) fn meant<S: AsRef<str>>(word: &str, candidates: &[S]) -> Option<String> {
    let word = snake_case(word);
    // Up to a third of the characters may differ.
    let limit = (word.chars().count() / 3).max(1);
    let distance = |candidate: &S| strsim::osa_distance(&word, &snake_case(candidate.as_ref()));
    let (best, nearest) = candidates.iter().map(|c| (distance(c), c)).min_by_key(|(distance, _)| *distance)?;
    (best <= limit).then(|| nearest.as_ref().to_owned())
}

/// A hint with the closest candidate, or else with all candidates.
pub(super) fn did_you_mean<S: AsRef<str>>(word: &str, candidates: &[S], nothing: &str) -> String {
    if let Some(meant) = meant(word, candidates) {
        return format!("did you mean `{meant}`?");
    }
    match candidates {
        [] => nothing.to_owned(),
        [only] => format!("the only one is `{}`", only.as_ref()),
        several => format!("expected {}", one_of(several)),
    }
}

/// Converts Route 53's spelling: `SetIdentifier` and `set-identifier` become `set_identifier`.
fn snake_case(word: &str) -> String {
    let mut snake = String::new();
    let mut previous_lower = false;
    for c in word.chars() {
        if c.is_ascii_uppercase() && previous_lower {
            snake.push('_');
        }
        previous_lower = c.is_ascii_lowercase();
        snake.push(if c == '-' { '_' } else { c.to_ascii_lowercase() });
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        assert_eq!(meant("vlaues", &["values", "name"]).as_deref(), Some("values"));
        assert_eq!(meant("SetIdentifier", &["set_identifier"]).as_deref(), Some("set_identifier"));
        assert_eq!(meant("eu-centrl-1", &["eu-central-1", "eu-west-1"]).as_deref(), Some("eu-central-1"));
        assert_eq!(meant("colour", &["values", "name"]), None);
        assert_eq!(meant("", &["values"]), None);
    }

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(one_of(&["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(one_of(&["a"]), "`a`");
        assert_eq!(did_you_mean("x", &[] as &[&str], "none exists"), "none exists");
    }
}
