//! Characters that look like others, or like nothing at all: what copies out of web pages and word processors bring along.

/// Those that nobody sees, and what to do with them.
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

/// Those that stand for the syntax of TOML.
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

/// A hint about the first character of a value that nobody sees.
pub(super) fn in_value(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    text.chars().find_map(|letter| hint(letter, INVISIBLE))
}

/// A hint about the first character of a line of TOML that is not the one it looks like, and where it is in the line.
/// Strings and comments may hold any.
pub(super) fn in_line(line: &str) -> Option<(usize, String)> {
    let mut quote = None;
    for (at, letter) in line.char_indices() {
        match (quote, letter) {
            (None, '#') => return None,
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), _) if letter == open => quote = None,
            (Some(_), _) => {}
            (None, _) => {
                if let Some(hint) = hint(letter, INVISIBLE).or_else(|| hint(letter, TYPOGRAPHIC)) {
                    return Some((at, hint));
                }
            }
        }
    }
    None
}

fn hint(letter: char, table: &[(char, &str, &str)]) -> Option<String> {
    let (_, name, instead) = table.iter().find(|(known, ..)| *known == letter)?;
    Some(format!("there is {name} (U+{:04X}) here: {instead}", u32::from(letter)))
}
