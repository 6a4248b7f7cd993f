//! The tokeniser for record values: bare words, numbers, names, hexadecimal, quoted strings with
//! octal escapes.
//!
//! [`Tokens`] reads a value from left to right; each record type requests the tokens it expects.
//! Every error names its field. Escapes are Route 53's: three **octal** digits are an octet, never
//! the decimal ones of master files (Developer Guide, "DNS domain name format" and "TXT record
//! type"); before a character other than a digit a backslash means that character, as in master
//! files (RFC 1035 section 5.1).

use std::ops::RangeInclusive;

use super::DataError;
use super::fields::print_string;
use crate::model::name::{NameError, octal, parse_wire};

/// The longest character-string (RFC 1035 section 3.3: one length octet).
pub(super) const MAX_STRING_OCTETS: usize = 255;

/// For a longer value the hint shows only the replacements, not the whole corrected value.
const LONGEST_CORRECTION: usize = 200;

const SPACES: [char; 2] = [' ', '\t'];

/// The rest of a value.
pub(super) struct Tokens<'t> {
    rest: &'t str,
}

impl<'t> Tokens<'t> {
    pub(super) fn new(text: &'t str) -> Tokens<'t> {
        Tokens { rest: text.trim_matches(SPACES) }
    }

    /// True when every token has been read.
    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next word as written.
    pub(super) fn word(&mut self, field: &str) -> Result<&'t str, DataError> {
        self.expect_more(field)?;
        if self.rest.starts_with('"') {
            return Err(DataError::new(format!("the {field} must be written without quotation marks")));
        }
        let end = self.rest.find([' ', '\t', '"']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        if rest.starts_with('"') {
            return Err(DataError::new(format!("there is a quotation mark inside the {field} `{word}\"…`")));
        }
        self.advance(rest);
        Ok(word)
    }

    /// The next word as an integer: digits only, within `allowed`.
    pub(super) fn integer<N: TryFrom<u32>>(
        &mut self,
        field: &str,
        allowed: RangeInclusive<u32>,
    ) -> Result<N, DataError> {
        integer(self.word(field)?, field, allowed)
    }

    /// The next word as an absolute name in wire form, with its case kept.
    pub(super) fn name(&mut self, field: &str) -> Result<Vec<u8>, DataError> {
        absolute_name(self.word(field)?, field)
    }

    /// All remaining words as an even number of hexadecimal digits, at least two. They may contain
    /// white space (RFC 4034 section 5.3, RFC 6698 section 2.2), as it does in what `dig` prints.
    pub(super) fn hex(&mut self, field: &str) -> Result<Vec<u8>, DataError> {
        let mut digits = self.word(field)?.to_owned();
        while !self.is_at_end() {
            digits.push_str(self.word(field)?);
        }
        hex(&digits, field)
    }

    /// The next quoted string, unescaped, at most 255 octets.
    pub(super) fn string(&mut self, field: &str) -> Result<Vec<u8>, DataError> {
        self.expect_more(field)?;
        let Some(inside) = self.rest.strip_prefix('"') else {
            let word = self.rest.split(SPACES).next().unwrap_or_default();
            return Err(DataError::new(format!("the {field} should be enclosed in quotation marks"))
                .with_hint(format!("write {}", print_string(word.as_bytes()))));
        };
        let (octets, rest) = unescape(inside, Ending::Quote)?;
        if octets.len() > MAX_STRING_OCTETS {
            let length = octets.len();
            return Err(DataError::new(format!(
                "the {field} is too long: {length} characters, at most {MAX_STRING_OCTETS} are allowed in one string"
            )));
        }
        // Two strings may touch, as in `"a""b"`: Terraform's documentation recommends this for long
        // TXT values.
        if !rest.is_empty() && !rest.starts_with([' ', '\t', '"']) {
            return Err(DataError::new("a space must follow the closing quotation mark")
                .with_hint("a quotation mark inside a string is written `\\\"`"));
        }
        self.advance(rest);
        Ok(octets)
    }

    /// The next `key`, `key=value` or `key="value"` (RFC 9460 section 2.1), the value unescaped.
    pub(super) fn parameter(&mut self) -> Result<(&'t str, Option<Vec<u8>>), DataError> {
        let end = self.rest.find([' ', '\t', '"', '=']).unwrap_or(self.rest.len());
        let (key, rest) = self.rest.split_at(end);
        if key.is_empty() || rest.starts_with('"') {
            return Err(DataError::new(format!("`{}` is not a parameter", self.rest))
                .with_hint("a parameter is written `key=value` or `key=\"value\"`, without spaces around the `=`"));
        }
        let Some(value) = rest.strip_prefix('=') else {
            self.advance(rest);
            return Ok((key, None));
        };
        let (octets, rest) = match value.strip_prefix('"') {
            Some(inside) => unescape(inside, Ending::Quote)?,
            None => unescape(value, Ending::Space)?,
        };
        if !rest.is_empty() && !rest.starts_with(SPACES) {
            return Err(DataError::new(format!("a space must follow the value of `{key}`")));
        }
        self.advance(rest);
        Ok((key, Some(octets)))
    }

    /// Returns an error if anything is left.
    pub(super) fn end(&self) -> Result<(), DataError> {
        if self.is_at_end() {
            return Ok(());
        }
        Err(DataError::new(format!("unexpected `{}` after the end of the value", self.rest)))
    }

    fn expect_more(&self, field: &str) -> Result<(), DataError> {
        if self.is_at_end() {
            return Err(DataError::new(format!("the {field} is missing")));
        }
        Ok(())
    }

    fn advance(&mut self, rest: &'t str) {
        self.rest = rest.trim_start_matches(SPACES);
    }
}

/// Digits only (no sign), within `allowed`.
pub(super) fn integer<N: TryFrom<u32>>(word: &str, field: &str, allowed: RangeInclusive<u32>) -> Result<N, DataError> {
    let digits = !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_digit());
    let value = word.parse::<u32>().ok().filter(|value| digits && allowed.contains(value));
    value.and_then(|value| N::try_from(value).ok()).ok_or_else(|| {
        let (low, high) = (allowed.start(), allowed.end());
        DataError::new(format!("the {field} must be an integer between {low} and {high}, not `{word}`"))
    })
}

/// An absolute name in wire form. A name without any dot is refused: Route 53 reads every name in a
/// value as fully qualified, so `mail` would be a top-level domain, which is hardly ever intended.
pub(super) fn absolute_name(word: &str, field: &str) -> Result<Vec<u8>, DataError> {
    if word == "@" {
        return Err(DataError::new(format!("the {field} must be a name, not `@`"))
            .with_hint("`@` means the zone only as the name of a record; in a value write the zone's name"));
    }
    let wire = parse_wire(word).map_err(|error| name_error(&error, word, field))?;
    if !word.contains('.') {
        return Err(DataError::new(format!("the {field} `{word}` has no dot")).with_hint(format!(
            "names inside values are absolute: write `{word}.` and the zone's name, or `{word}.` if the top-level \
             name is meant"
        )));
    }
    Ok(wire)
}

fn name_error(error: &NameError, word: &str, field: &str) -> DataError {
    let diagnostic = DataError::new(format!("the {field} `{word}` is not a valid domain name: {error}"));
    match error {
        NameError::BadEscape => match word.find('\\').and_then(|at| octal_for_decimal(word, at)) {
            Some(hint) => diagnostic.with_hint(hint),
            None => diagnostic,
        },
        _ => match error.hint() {
            Some(hint) => diagnostic.with_hint(hint),
            None => diagnostic,
        },
    }
}

fn hex(word: &str, field: &str) -> Result<Vec<u8>, DataError> {
    if let Some(wrong) = word.chars().find(|character| !character.is_ascii_hexdigit()) {
        return Err(DataError::new(format!(
            "the {field} must be hexadecimal: `{wrong}` is not a hexadecimal digit (0-9, a-f)"
        )));
    }
    if !word.len().is_multiple_of(2) {
        let length = word.len();
        return Err(DataError::new(format!("the {field} has an odd number of hexadecimal digits: {length}"))
            .with_hint("every octet has two digits; one digit is missing or extra"));
    }
    let digit = |octet: u8| match octet {
        b'0'..=b'9' => octet - b'0',
        _ => octet.to_ascii_lowercase() - b'a' + 10,
    };
    Ok(word.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect())
}

/// The end of a run of characters.
#[derive(Clone, Copy, PartialEq)]
enum Ending {
    Quote,
    Space,
}

/// The octets of a string without quotation marks, decoded if its escapes are valid, else as
/// written.
pub(super) fn unquoted(text: &str) -> Vec<u8> {
    match unescape(&format!("{text}\""), Ending::Quote) {
        Ok((octets, "")) => octets,
        _ => text.as_bytes().to_vec(),
    }
}

/// Reads characters and escapes up to the ending. Returns the octets and the rest, without the
/// closing quotation mark.
fn unescape(text: &str, ending: Ending) -> Result<(Vec<u8>, &str), DataError> {
    let mut octets = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&octet) = text.as_bytes().get(at) {
        match octet {
            b'"' if ending == Ending::Quote => return Ok((octets, &text[at + 1..])),
            b' ' | b'\t' | b'"' if ending == Ending::Space => return Ok((octets, &text[at..])),
            b'\\' => {
                let (escaped, width) = escape(text, at)?;
                octets.push(escaped);
                at += width;
            }
            b' '..=b'~' => {
                octets.push(octet);
                at += 1;
            }
            _ => return Err(unsupported_character(text[at..].chars().next().unwrap_or('?'))),
        }
    }
    match ending {
        Ending::Space => Ok((octets, "")),
        Ending::Quote => Err(DataError::new("a quotation mark is not closed")
            .with_hint("a quotation mark inside a string is written `\\\"`, a backslash `\\\\`")),
    }
}

/// The octet of the escape at `at`, and the length of the escape in characters.
fn escape(text: &str, at: usize) -> Result<(u8, usize), DataError> {
    let after = &text.as_bytes()[at + 1..];
    // RFC 1035 section 5.1: any character except a digit means itself.
    if let Some(&literal @ (b' '..=b'/' | b':'..=b'~')) = after.first() {
        return Ok((literal, 2));
    }
    if let Some(octet) = after.get(..3).and_then(octal) {
        return Ok((octet, 4));
    }
    if let Some(character) = text[at + 1..].chars().next().filter(|character| !character.is_ascii_digit()) {
        return Err(unsupported_character(character));
    }
    let diagnostic = DataError::new(
        "`\\` must be followed by a character that is not a digit, or by three octal digits between \\000 and \\377",
    );
    let hint = octal_for_decimal(text, at);
    Err(diagnostic.with_hint(hint.unwrap_or_else(|| "a backslash itself is written `\\\\`".to_owned())))
}

/// The hint for an escape that can only be a decimal one, as in master files.
fn octal_for_decimal(text: &str, at: usize) -> Option<String> {
    let digits = text.get(at + 1..at + 4)?;
    let value = digits.bytes().all(|octet| octet.is_ascii_digit()).then(|| digits.parse::<u8>().ok())??;
    Some(format!("Route 53's escapes are octal: the decimal `\\{digits}` is written `\\{value:03o}`"))
}

/// The error for a value with characters that must be escaped, and the corrected value as the hint.
pub(super) fn unsupported_characters(value: &str) -> DataError {
    let (mut wrong, mut written) = (Vec::new(), String::with_capacity(value.len() * 2));
    let (mut is_quoted, mut is_escaped) = (false, false);
    for character in value.chars() {
        let is_supported = matches!(character, ' '..='~') || (character == '\t' && !is_quoted);
        if is_supported {
            written.push(character);
        } else {
            if is_escaped {
                // `\ä` means ä; keeping its backslash would escape the backslash that follows.
                written.pop();
            }
            written.push_str(&escapes(character));
            if !wrong.contains(&character) {
                wrong.push(character);
            }
        }
        is_quoted ^= character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
    }
    let shown: Vec<String> = wrong.iter().map(|character| format!("{character:?}")).collect();
    let message = match &shown[..] {
        [one] => format!("the character {one} must be written as an octal escape"),
        several => format!("the characters {} must be written as octal escapes", several.join(", ")),
    };
    let hint = if written.len() <= LONGEST_CORRECTION && !written.contains('\'') {
        format!("write '{written}'")
    } else {
        let each = wrong.iter().zip(&shown).map(|(character, shown)| format!("`{}` for {shown}", escapes(*character)));
        format!("write {}", each.collect::<Vec<_>>().join(", "))
    };
    DataError { character: wrong.first().copied(), ..DataError::new(message).with_hint(hint) }
}

/// The error for one character that must be escaped. `unsupported_characters` reports all of them.
fn unsupported_character(character: char) -> DataError {
    DataError { character: Some(character), ..DataError::new("a character must be written as an octal escape") }
}

/// The octets of a character as octal escapes.
fn escapes(character: char) -> String {
    let mut buffer = [0; 4];
    character.encode_utf8(&mut buffer).bytes().map(|octet| format!("\\{octet:03o}")).collect()
}

/// Checks the length of a digest or fingerprint. `kind` is its kind with the article.
pub(super) fn expect_length(octets: &[u8], field: &str, kind: &str, length: usize) -> Result<(), DataError> {
    if octets.len() == length {
        return Ok(());
    }
    let (is, should) = (octets.len() * 2, length * 2);
    Err(DataError::new(format!("{kind} {field} must have {should} hexadecimal digits, not {is}"))
        .with_hint(format!("check the number before the {field}, and whether the {field} was copied completely")))
}
