//! TXT and SPF: one or more quoted strings.

use super::fields::{Fields, print_string};
use super::text::{MAX_STRING_OCTETS, Tokens, unquoted};
use super::{DataError, MAX_VALUE_CHARACTERS};

/// What to do about a string that is too long.
const SPLIT: &str = "split it into several strings of one value: \"first part\" \"second part\"";

/// `"string" "string"` (RFC 1035 section 3.3.14). Several strings in one value are one record;
/// applications concatenate them.
pub(super) fn parse_txt(tokens: &mut Tokens<'_>) -> Result<Vec<u8>, DataError> {
    let mut wire = Vec::new();
    loop {
        let string =
            tokens.string("value").map_err(|error| if tokens.is_at_end() { error } else { error.or_hint(SPLIT) })?;
        wire.push(u8::try_from(string.len()).expect("a token is at most 255 octets"));
        wire.extend(string);
        if tokens.is_at_end() {
            return Ok(wire);
        }
    }
}

pub(super) fn print_txt(fields: &mut Fields<'_>) -> String {
    let mut strings = Vec::new();
    while !fields.is_at_end() {
        strings.push(print_string(fields.string()));
    }
    let spaced = strings.join(" ");
    // A value `"a""b"` that just fits must not exceed the limit when it is printed.
    if spaced.len() > MAX_VALUE_CHARACTERS { strings.concat() } else { spaced }
}

/// The value with the missing quotation marks added.
pub(super) fn quoted(text: &str) -> String {
    let octets = unquoted(text);
    let chunks = octets.chunks(MAX_STRING_OCTETS);
    chunks.map(print_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use crate::model::RecordType::{Spf, Txt};
    use crate::model::data::tests::{bad, good};

    #[test]
    fn strings_are_quoted() {
        for record_type in [Txt, Spf] {
            good(record_type, r#""v=spf1 -all""#, r#""v=spf1 -all""#, b"\x0bv=spf1 -all");
            good(record_type, r#""a"  "B""#, r#""a" "B""#, b"\x01a\x01B");
            good(record_type, r#""a""b""#, r#""a" "b""#, b"\x01a\x01b");
            good(record_type, r#""""#, r#""""#, b"\0");
            good(record_type, r#""(;')""#, r#""(;')""#, b"\x04(;')");
            bad(record_type, "", "the value is missing", "");
            bad(record_type, "v=spf1 -all", "enclosed in quotation marks", r#"write '"v=spf1 -all"',"#);
            bad(record_type, r#""a" b"#, "enclosed in quotation marks", r#"write "b""#);
            bad(record_type, r#""a"b"#, "a space must follow", r#"`\"`"#);
            bad(record_type, r#""a"#, "not closed", r#"`\"`"#);
            bad(record_type, r#""a\""#, "not closed", r#"`\"`"#);
            bad(record_type, "'a'", "enclosed in quotation marks", "");
        }
    }

    #[test]
    fn escapes_are_octal() {
        good(Txt, r#""\052\"\\\344\040""#, r#""*\"\\\344 ""#, b"\x05*\"\\\xe4 ");
        bad(Txt, r#""\228""#, "three octal digits", r"the decimal `\228` is written `\344`");
        bad(Txt, r#""\400""#, "three octal digits", r"`\\`");
        bad(Txt, r#""\05""#, "three octal digits", r"`\\`");
        bad(Txt, r#""a\9""#, "three octal digits", r"`\\`");
        bad(Txt, "\"ä\"", "must be written as an octal escape", r#"write '"\303\244"'"#);
        bad(Txt, "\"a\tb\"", "must be written as an octal escape", r#"write '"a\011b"'"#);
        bad(Txt, "\"a\nb\"", "must be written as an octal escape", r#"write '"a\012b"'"#);
        bad(
            Txt,
            "\"süß\"\t\"süß\"",
            "the characters 'ü', 'ß' must",
            r#"write '"s\303\274\303\237"	"s\303\274\303\237"'"#,
        );
        bad(Txt, "\"\\\"ü'\"", "the character 'ü' must", r"write `\303\274` for 'ü'");
        bad(Txt, &format!("\"{}ü\"", "a".repeat(200)), "the character 'ü' must", r"write `\303\274` for 'ü'");
    }

    #[test]
    fn a_backslash_before_a_character_that_is_no_digit_means_the_character() {
        for record_type in [Txt, Spf] {
            // As octoDNS writes DMARC.
            let text = r#""v=DMARC1\; p=none\; rua=mailto:a@lab.test""#;
            let canonical = r#""v=DMARC1; p=none; rua=mailto:a@lab.test""#;
            good(record_type, text, canonical, b"\x27v=DMARC1; p=none; rua=mailto:a@lab.test");
            good(record_type, r#""a\b\n\ \~\/\:\@\\\"""#, r#""abn ~/:@\\\"""#, b"\x0aabn ~/:@\\\"");
            // Octal escapes stay what they are, next to the others.
            good(record_type, r#""\;\073\\073""#, r#"";;\\073""#, b"\x06;;\\073");
        }
        // The limit applies to the decoded string.
        let long = r"\;".repeat(255);
        good(Txt, &format!("\"{long}\""), &format!("\"{}\"", ";".repeat(255)), &[&[255][..], &[b';'; 255]].concat());
        bad(Txt, &format!("\"{long}\\;\""), "256 characters, at most 255", "");
        bad(Txt, "\"\\ä\"", "must be written as an octal escape", r#"write '"\303\244"'"#);
        bad(Txt, "\"\\\t\"", "must be written as an octal escape", r#"write '"\011"'"#);
        bad(Txt, r#""a\"#, "three octal digits", "");
        // The same escapes are read when the quotation marks are missing.
        bad(Txt, r"v=DMARC1\; p=none", "enclosed in quotation marks", r#"write '"v=DMARC1; p=none"',"#);
    }

    #[test]
    fn one_string_has_at_most_255_octets_after_unescaping() {
        let long = "a".repeat(255);
        good(Txt, &format!("\"{long}\""), &format!("\"{long}\""), &[&[255], long.as_bytes()].concat());
        bad(Txt, &format!("\"{long}b\""), "256 characters, at most 255", "several strings");
        let escaped = format!("\"{}\"", r"\344".repeat(255));
        good(Txt, &escaped, &escaped, &[&[255][..], &[0xe4; 255]].concat());
        let unquoted = "b".repeat(300);
        let hint = format!("write '\"{}\" \"{}\"'", "b".repeat(255), "b".repeat(45));
        bad(Txt, &unquoted, "enclosed in quotation marks", &hint);
    }

    #[test]
    fn a_value_of_4000_characters_is_the_longest_and_prints_within_the_limit() {
        let strings = "\"\"".repeat(2000);
        good(Txt, &strings, &strings, &[0; 2000]);
        bad(Txt, &format!("{strings} "), "4001 characters, at most 4000", "");
    }
}
