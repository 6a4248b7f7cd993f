//! Words for people: lists of what is allowed, and the word that somebody probably meant.

/// `a`, `b` or `c`, each in back quotes.
pub(super) fn one_of<S: AsRef<str>>(words: &[S]) -> String {
    join(words, "or")
}

fn join<S: AsRef<str>>(words: &[S], last_joint: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_ref())).collect();
    match quoted.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} {last_joint} {last}", rest.join(", ")),
    }
}

/// `a`, `b` and `c`, each in back quotes.
fn list<S: AsRef<str>>(words: &[S]) -> String {
    join(words, "and")
}

/// The candidate that `word` was probably meant to be.
pub(super) fn meant<S: AsRef<str>>(word: &str, candidates: &[S]) -> Option<String> {
    let word = snake_case(word);
    // A third of the letters may be wrong: more is another word.
    let limit = (word.chars().count() / 3).max(1);
    let distance = |candidate: &S| strsim::osa_distance(&word, &snake_case(candidate.as_ref()));
    let (best, nearest) = candidates.iter().map(|c| (distance(c), c)).min_by_key(|(distance, _)| *distance)?;
    (best <= limit).then(|| nearest.as_ref().to_owned())
}

/// A hint that names what was probably meant, or else everything that exists.
pub(super) fn did_you_mean<S: AsRef<str>>(word: &str, candidates: &[S], nothing: &str) -> String {
    if let Some(meant) = meant(word, candidates) {
        return format!("did you mean `{meant}`?");
    }
    match candidates {
        [] => nothing.to_owned(),
        [only] => format!("there is only `{}`", only.as_ref()),
        several => format!("there are {}", list(several)),
    }
}

/// Route 53's own spelling as ours: `SetIdentifier` and `set-identifier` are `set_identifier`.
fn snake_case(word: &str) -> String {
    let mut snake = String::new();
    let mut previous_lower = false;
    for letter in word.chars() {
        if letter.is_ascii_uppercase() && previous_lower {
            snake.push('_');
        }
        previous_lower = letter.is_ascii_lowercase();
        snake.push(if letter == '-' { '_' } else { letter.to_ascii_lowercase() });
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
