//! What of a file's text may be shown: what the key tables know and do not call secret. All else is covered in excerpts and
//! scrubbed out of messages: values of secret keys, of unknown keys (which may be a secret key misspelt), lines that are no
//! TOML, comments.
//!
//! It goes by the tokens alone, so that it holds where the document does not parse. A quotation mark that is missing turns
//! what is within and what is between strings around; so a string that looks like that is covered too.

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

/// What stands for something that must not be shown.
pub(super) const COVER: &str = "***";
const SHORTEST_MISSPELT: usize = 6;
/// Keys that are longer are no keys.
const LONGEST_KEY: usize = 40;
/// Parts of words that are shorter occur in any sentence: they are scrubbed only where a message quotes them.
const SHORTEST_PIECE: usize = 4;
/// Covered places that a message is compared with.
const MOST_PIECES: usize = 256;

/// The places of a text that must not be shown.
#[derive(Debug, Default)]
pub(super) struct Covered {
    /// In order.
    places: Vec<(Range<usize>, Cover)>,
}

/// What is put over a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cover {
    /// There is something here.
    Stars,
    /// Comments are nobody's business, so nothing shows that there is one.
    Blanks,
}

/// What may be shown at some place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Rule {
    /// Values, and the keys that the tables know.
    Known,
    /// Tables, and the keys that the tables know; no values.
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

    /// A part of the text with covers over it, as long as it was.
    pub(super) fn shown<'t>(&self, part: Range<usize>, text: &'t str) -> Cow<'t, str> {
        let from = self.places.partition_point(|(place, _)| place.end <= part.start);
        let within: Vec<_> = self.places[from..].iter().take_while(|(place, _)| place.start < part.end).collect();
        if within.is_empty() {
            return Cow::Borrowed(&text[part]);
        }
        let mut shown = String::with_capacity(part.len());
        let mut at = part.start;
        for (place, cover) in within {
            let place = place.start.max(part.start)..place.end.min(part.end);
            shown.push_str(&text[at..place.start]);
            let fill = if *cover == Cover::Stars { '*' } else { ' ' };
            // Lines stay lines.
            shown.extend(text[place.clone()].bytes().map(|octet| if octet == b'\n' { '\n' } else { fill }));
            at = place.end;
        }
        shown.push_str(&text[at..part.end]);
        Cow::Owned(shown)
    }

    /// Words about a place, without anything that is covered there.
    pub(super) fn scrubbed(&self, words: Cow<'static, str>, place: &Range<usize>, text: &str) -> Cow<'static, str> {
        let mut scrubbed = words;
        for piece in self.pieces(place, text) {
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

    /// What is covered on the lines of a place, in every form in which a message may quote it; the longest first.
    fn pieces(&self, place: &Range<usize>, text: &str) -> Vec<String> {
        let start = text[..place.start].rfind('\n').map_or(0, |at| at + 1);
        let end = text[place.end..].find('\n').map_or(text.len(), |at| place.end + at);
        let from = self.places.partition_point(|(covered, _)| covered.end <= start);
        let near = self.places[from..].iter().take_while(|(covered, _)| covered.start < end).take(MOST_PIECES);
        let mut pieces: Vec<String> = near.flat_map(|(covered, _)| forms(&text[covered.clone()])).collect();
        pieces.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
        pieces
    }
}

/// A text as it was written, as it is meant, and as `{:?}` writes that.
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

/// Every key of every kind of file, by name: a name means the same wherever it stands, as far as secrets go.
static RULES: LazyLock<HashMap<&'static str, Rule>> = LazyLock::new(|| {
    let mut rules = HashMap::new();
    for key in tables().iter().flat_map(|keys| keys.keys) {
        let rule = match (key.secrecy, key.shape) {
            (Secrecy::Secret, _) => Rule::Nothing,
            (Secrecy::Open, Shape::Table(_) | Shape::Tables(_)) => Rule::Tables,
            (Secrecy::Open, Shape::NamedText | Shape::NamedTexts | Shape::NamedDurations(_)) => Rule::OwnKeys,
            (Secrecy::Open, _) => Rule::Known,
        };
        // A key that is a table in one place may be a text in another.
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
            Shape::Table(keys) | Shape::Tables(keys) => Some(keys),
            _ => None,
        });
        tables.extend(inner.collect::<Vec<_>>());
        next += 1;
    }
    tables
}

impl Rule {
    /// The rule for what stands at a key.
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

/// A key that somebody got nearly right is as secret as the right one; of any other nobody knows. A short word is near to
/// many.
fn of_misspelt(key: &str) -> Rule {
    let names: Vec<&str> = RULES.keys().copied().collect();
    let near = || words::meant(key, &names).filter(|_| key.len() >= SHORTEST_MISSPELT);
    let meant = tables().iter().find_map(|keys| keys.nickname(key)).or_else(near);
    meant.and_then(|meant| RULES.get(meant.as_str()).copied()).unwrap_or(Rule::Nothing)
}

/// Whether a key may be shown though its value may not.
fn is_plain_key(key: &str) -> bool {
    key.len() <= LONGEST_KEY && key.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
}
