//! Decides which parts of a file may be shown: values of known keys that are not secret. All else
//! is covered in excerpts and removed from messages: values of secret keys, values of unknown keys
//! (which may be misspelt secret keys), lines that are not TOML, and comments.
//!
//! It uses only the tokens, so it also works for documents that do not parse. A missing quotation
//! mark swaps the text inside strings with the text between them; strings that look like that are
//! covered too.

mod scanner;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use toml_parser::Source;

use super::keys::{self, Keys, Secrecy, Shape};
use super::words;

use scanner::Scanner;

/// The replacement for text that must not be shown.
pub(super) const COVER: &str = "***";
const SHORTEST_MISSPELT: usize = 6;
/// Longer keys are not taken for keys.
const LONGEST_KEY: usize = 40;
/// Shorter strings occur in any sentence, so they are removed only where a message quotes them.
const SHORTEST_PIECE: usize = 4;
/// The most covered ranges that a message is compared with.
const MOST_PIECES: usize = 256;

/// The ranges of a text that must not be shown.
#[derive(Debug, Default)]
pub(super) struct Covered {
    /// Ordered by position.
    spans: Vec<(Range<usize>, Cover)>,
}

/// How a range is covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cover {
    /// Asterisks.
    Stars,
    /// Spaces, for comments: nothing shows that there is one.
    Blanks,
}

/// What may be shown of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Rule {
    /// Values, and known keys.
    Known,
    /// Tables and known keys, but no values.
    Tables,
    /// Values under the user's own keys.
    OwnKeys,
    Nothing,
}

impl Covered {
    pub(super) fn of(text: &str) -> Covered {
        let mut scanner = Scanner::new(text);
        scanner.run();
        scanner.covered
    }

    /// A part of the text with secrets covered, of the same length.
    pub(super) fn shown<'t>(&self, part: Range<usize>, text: &'t str) -> Cow<'t, str> {
        let from = self.spans.partition_point(|(span, _)| span.end <= part.start);
        let within: Vec<_> = self.spans[from..].iter().take_while(|(span, _)| span.start < part.end).collect();
        if within.is_empty() {
            return Cow::Borrowed(&text[part]);
        }
        let mut shown = String::with_capacity(part.len());
        let mut at = part.start;
        for (span, cover) in within {
            let span = span.start.max(part.start)..span.end.min(part.end);
            shown.push_str(&text[at..span.start]);
            let fill = if *cover == Cover::Stars { '*' } else { ' ' };
            // Line breaks are kept.
            shown.extend(text[span.clone()].bytes().map(|octet| if octet == b'\n' { '\n' } else { fill }));
            at = span.end;
        }
        shown.push_str(&text[at..part.end]);
        Cow::Owned(shown)
    }

    /// What `shown` replaces by asterisks in this part.
    pub(super) fn hidden(&self, part: Range<usize>, text: &str) -> String {
        let stars = self.spans.iter().filter(|(_, cover)| *cover == Cover::Stars);
        let within = stars.map(|(span, _)| span.start.max(part.start)..span.end.min(part.end));
        within.filter(|span| span.start < span.end).map(|span| &text[span]).collect()
    }

    /// Whether `shown` replaces anything in this part by asterisks.
    pub(super) fn has_asterisks(&self, part: &Range<usize>) -> bool {
        let is_in = |span: &Range<usize>| span.start < part.end && part.start < span.end;
        self.spans.iter().any(|(span, cover)| *cover == Cover::Stars && is_in(span))
    }

    /// A message about a position, without the text that is covered there.
    pub(super) fn scrubbed(&self, words: Cow<'static, str>, span: &Range<usize>, text: &str) -> Cow<'static, str> {
        let mut scrubbed = words;
        for piece in self.pieces(span, text) {
            if !piece.contains(char::is_alphanumeric) {
                continue;
            }
            let (piece, cover) = match piece.chars().count() {
                1..SHORTEST_PIECE => (format!("`{piece}`"), format!("`{COVER}`")),
                _ => (piece, COVER.to_owned()),
            };
            if scrubbed.contains(&piece) {
                scrubbed = scrubbed.replace(&piece, &cover).into();
            }
        }
        scrubbed
    }

    /// The covered text on the lines of a range, in every form in which a message may quote it,
    /// longest first.
    fn pieces(&self, span: &Range<usize>, text: &str) -> Vec<String> {
        let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
        let end = text[span.end..].find('\n').map_or(text.len(), |at| span.end + at);
        let from = self.spans.partition_point(|(covered, _)| covered.end <= start);
        let near = self.spans[from..].iter().take_while(|(covered, _)| covered.start < end).take(MOST_PIECES);
        let mut pieces: Vec<String> = near.flat_map(|(covered, _)| forms(&text[covered.clone()])).collect();
        pieces.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
        pieces
    }
}

/// A text as written, decoded, and in the form of `{:?}`.
fn forms(written: &str) -> Vec<String> {
    let mut forms = vec![written.trim().to_owned()];
    let source = Source::new(written);
    for token in source.lex() {
        let (start, end) = (token.span().start(), token.span().end());
        let raw = &written[start..end];
        let Some(encoding) = token.kind().encoding() else {
            forms.push(raw.trim().to_owned());
            continue;
        };
        let mut meant = Cow::Borrowed("");
        let raw_token = toml_parser::Raw::new_unchecked(raw, Some(encoding), token.span());
        let _ = raw_token.decode_scalar(&mut meant, &mut ());
        forms.push(raw.trim_matches(['"', '\'']).to_owned());
        forms.push(raw.trim_matches(['"', '\'']).replace("\\\"", "\"").replace("\\\\", "\\"));
        let quoted = format!("{meant:?}");
        forms.push(quoted[1..quoted.len() - 1].to_owned());
        forms.push(meant.into_owned());
    }
    forms
}

/// Every key of every kind of file, by name. Whether a key is secret depends only on its name.
static RULES: LazyLock<HashMap<&'static str, Rule>> = LazyLock::new(|| {
    let mut rules = HashMap::new();
    for key in tables().iter().flat_map(|keys| keys.keys) {
        let rule = match (key.secrecy, key.shape) {
            (Secrecy::Secret, _) => Rule::Nothing,
            (Secrecy::Open, Shape::Table(_) | Shape::Tables(_)) => Rule::Tables,
            (Secrecy::Open, Shape::NamedStrings | Shape::NamedStringLists | Shape::NamedDurations(_)) => Rule::OwnKeys,
            (Secrecy::Open, _) => Rule::Known,
        };
        // A key that is a table in one span may be a string in another.
        let known = rules.entry(key.name).or_insert(rule);
        if *known != Rule::Nothing && (rule == Rule::Nothing || rule == Rule::Known) {
            *known = rule;
        }
    }
    rules
});

fn tables() -> Vec<&'static Keys> {
    let mut tables: Vec<&'static Keys> = vec![&keys::SETTINGS, &keys::ZONE_FILE, &keys::PLACES];
    let mut next = 0;
    while let Some(keys) = tables.get(next) {
        let inner = keys.keys.iter().filter_map(|key| match key.shape {
            Shape::Table(keys) | Shape::Tables(keys) | Shape::StringsOrTables(keys) => Some(keys),
            _ => None,
        });
        tables.extend(inner.collect::<Vec<_>>());
        next += 1;
    }
    tables
}

impl Rule {
    /// The rule for the value of a key.
    fn at(self, key: &str) -> Rule {
        match self {
            Rule::Known | Rule::Tables => RULES.get(key).copied().unwrap_or_else(|| of_misspelt(key)),
            Rule::OwnKeys => Rule::Known,
            Rule::Nothing => Rule::Nothing,
        }
    }

    fn shows_values(self) -> bool {
        matches!(self, Rule::Known | Rule::OwnKeys)
    }
}

/// The rule for an unknown key. A misspelt key is as secret as the right one; any other counts as
/// secret. Short words resemble too many keys.
fn of_misspelt(key: &str) -> Rule {
    let names: Vec<&str> = RULES.keys().copied().collect();
    let near = || words::meant(key, &names).filter(|_| key.len() >= SHORTEST_MISSPELT);
    let meant = tables().iter().find_map(|keys| keys.key_by_other_name(key)).or_else(near);
    meant.and_then(|meant| RULES.get(meant.as_str()).copied()).unwrap_or(Rule::Nothing)
}

/// Whether a key may be shown when its value may not.
fn is_plain_key(key: &str) -> bool {
    key.len() <= LONGEST_KEY && key.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
}
