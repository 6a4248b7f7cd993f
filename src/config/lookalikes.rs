//! Finds invisible characters and typographic lookalikes, as text copied from web pages and word
//! processors contains them.

/// Invisible characters, and what to do with them.
const INVISIBLE: &[(char, &str, &str)] = &[
    ('\u{a0}', "a no-break space", SPACE),
    ('\u{2007}', "a figure space", SPACE),
    ('\u{2009}', "a thin space", SPACE),
    ('\u{202f}', "a narrow no-break space", SPACE),
    ('\u{3000}', "an ideographic space", SPACE),
    ('\u{ad}', "a soft hyphen", NOTHING),
    ('\u{200b}', "a zero-width space", NOTHING),
    ('\u{200c}', "a zero-width non-joiner", NOTHING),
    ('\u{200d}', "a zero-width joiner", NOTHING),
    ('\u{200e}', "a left-to-right mark", NOTHING),
    ('\u{200f}', "a right-to-left mark", NOTHING),
    ('\u{2060}', "a word joiner", NOTHING),
    ('\u{feff}', "a byte order mark", NOTHING),
];

/// Characters that resemble TOML syntax.
const TYPOGRAPHIC: &[(char, &str, &str)] = &[
    ('\u{201c}', "a typographic quotation mark", QUOTE),
    ('\u{201d}', "a typographic quotation mark", QUOTE),
    ('\u{201e}', "a typographic quotation mark", QUOTE),
    ('\u{2018}', "a typographic quotation mark", QUOTE),
    ('\u{2019}', "a typographic quotation mark", QUOTE),
    ('\u{2013}', "a dash", HYPHEN),
    ('\u{2014}', "a dash", HYPHEN),
    ('\u{2212}', "a minus sign", HYPHEN),
];

const SPACE: &str = "write an ordinary space";
const NOTHING: &str = "delete it";
const QUOTE: &str = "write `\"` or `'`";
const HYPHEN: &str = "write `-`";

/// A hint about the first invisible character of a value.
pub(super) fn in_value(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    text.chars().find_map(|c| hint(c, INVISIBLE))
}

/// A hint about the first lookalike in a line of TOML, and its position in the line. Strings and
/// comments may contain any character.
pub(super) fn in_line(line: &str) -> Option<(usize, String)> {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') => return None,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, _) => {
                if let Some(hint) = hint(c, INVISIBLE).or_else(|| hint(c, TYPOGRAPHIC)) {
                    return Some((at, hint));
                }
            }
        }
    }
    None
}

fn hint(c: char, table: &[(char, &str, &str)]) -> Option<String> {
    let (_, name, instead) = table.iter().find(|(known, ..)| *known == c)?;
    Some(format!("this contains {name} (U+{:04X}): {instead}", u32::from(c)))
}
