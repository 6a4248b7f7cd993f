//! What commands print: text or JSON on standard output, errors on standard error.

use std::io::{self, Write as _};

use serde::Serialize;

/// The output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Text.
    Text,
    /// JSON: `--json`.
    Json,
}

impl From<bool> for Form {
    fn from(json: bool) -> Form {
        if json { Form::Json } else { Form::Text }
    }
}

/// Standard output cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
pub(super) struct OutputError(#[from] io::Error);

impl OutputError {
    /// Whether the reader closed the pipe, as `head` does. That ends a command, but is not an
    /// error.
    pub(super) fn is_closed_pipe(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

/// Writes to standard output and flushes it, so that every error is noticed.
pub(super) fn print(text: &str) -> Result<(), OutputError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Prints a result as JSON.
pub(super) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(print(&(serde_json::to_string_pretty(value)? + "\n"))?)
}

/// The first words, and how many more there are: `one, two and 3 more`.
pub(super) fn first_of(words: &[String], most: usize) -> String {
    let first = words[..words.len().min(most)].join(", ");
    match words.len().saturating_sub(most) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// Writes to standard error and ignores failures.
pub(super) fn print_error(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
