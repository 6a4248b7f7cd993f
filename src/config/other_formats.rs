//! Recognises files in a format other than TOML, such as a BIND master file.

use std::ops::Range;

/// The message about such a file.
pub(super) struct Form {
    pub(super) message: &'static str,
    pub(super) hint: &'static str,
    /// The line that shows the format.
    pub(super) line: Range<usize>,
}

const DIRECTIVES: &[&str] = &["$ORIGIN", "$TTL", "$INCLUDE", "$GENERATE"];

/// The format of a text that is not TOML, judged by its first line that is not empty or a comment.
pub(super) fn form_of(text: &str) -> Option<Form> {
    let is_comment = |line: &str| line.is_empty() || line.starts_with('#') || line.starts_with(';');
    let line = text.lines().find(|line| !is_comment(line.trim()))?;
    let start = line.as_ptr() as usize - text.as_ptr() as usize;
    let line_span = start..start + line.len();
    let form = |message, hint| Some(Form { message, hint, line: line_span });
    if is_master_file(line) {
        let hint = "zone files here are TOML; `fiftythree import FILE --output DIRECTORY` makes one of this file";
        return form("this is a master file, as BIND reads it, not TOML", hint);
    }
    match line.trim() {
        json if json.starts_with('{') => {
            let hint = "zone files here are TOML: each record set is a [[record]]; `fiftythree import` reads the JSON of \
                        `aws route53`";
            form("this is JSON, not TOML", hint)
        }
        "---" => form("this is YAML, not TOML", "zone files here are TOML: each record set is a [[record]]"),
        _ => None,
    }
}

/// Whether a line is a directive or a record of a master file (RFC 1035 section 5.1, RFC 2308
/// section 4).
fn is_master_file(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let first = words.next().unwrap_or_default().to_ascii_uppercase();
    if DIRECTIVES.contains(&first.as_str()) {
        return true;
    }
    // A record: the owner, then a TTL, a class and a type in some order.
    !line.contains('=') && words.take(3).any(|word| word.eq_ignore_ascii_case("IN") || word.eq_ignore_ascii_case("SOA"))
}
