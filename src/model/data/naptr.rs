//! NAPTR: rewriting rules for ENUM and SIP.

use super::DataError;
use super::fields::{Fields, print_string};
use super::text::Tokens;

/// `order preference "flags" "service" "regexp" replacement` (RFC 3403 section 4).
pub(super) fn parse_naptr(tokens: &mut Tokens<'_>) -> Result<Vec<u8>, DataError> {
    let mut wire = Vec::new();
    for field in ["order", "preference"] {
        wire.extend(tokens.integer::<u16>(field, 0..=65_535)?.to_be_bytes());
    }
    push_string(&mut wire, &flags(tokens)?);
    push_string(&mut wire, &tokens.string("service")?);
    let regexp = tokens.string("regexp")?;
    push_string(&mut wire, &regexp);
    wire.extend(replacement(tokens, &regexp)?);
    Ok(wire)
}

/// A, P, S or U in either case, or nothing (Developer Guide, "NAPTR record type").
fn flags(tokens: &mut Tokens<'_>) -> Result<Vec<u8>, DataError> {
    let flags = tokens.string("flags")?;
    match flags.to_ascii_uppercase().as_slice() {
        b"" | b"A" | b"P" | b"S" | b"U" => Ok(flags),
        _ => Err(DataError::new(format!(
            "the flags must be \"A\", \"P\", \"S\", \"U\" or \"\", not {}",
            print_string(&flags)
        ))),
    }
}

/// "The fields REPLACEMENT and REGEXP … are mutually exclusive" (RFC 3403 section 4.1).
fn replacement(tokens: &mut Tokens<'_>, regexp: &[u8]) -> Result<Vec<u8>, DataError> {
    let replacement = tokens.name("replacement")?;
    if !regexp.is_empty() && replacement != [0] {
        return Err(DataError::new("a NAPTR value cannot have both a regexp and a replacement")
            .with_hint("with a regexp write `.` as the replacement; with a replacement write `\"\"` as the regexp"));
    }
    Ok(replacement)
}

fn push_string(wire: &mut Vec<u8>, string: &[u8]) {
    wire.push(u8::try_from(string.len()).expect("a token is at most 255 octets"));
    wire.extend(string);
}

pub(super) fn print_naptr(fields: &mut Fields<'_>) -> String {
    let (order, preference) = (fields.short(), fields.short());
    let [flags, service, regexp] = [(); 3].map(|()| print_string(fields.string()));
    format!("{order} {preference} {flags} {service} {regexp} {}", fields.name())
}

#[cfg(test)]
mod tests {
    use crate::model::RecordType::Naptr;
    use crate::model::data::tests::{bad, good};

    #[test]
    fn a_naptr_has_a_regexp_or_a_replacement() {
        let text = r#"100 50 "u" "E2U+sip" "!^(\\+441632960083)$!sip:\\1@lab.test!" ."#;
        let wire = b"\0\x64\0\x32\x01u\x07E2U+sip\x24!^(\\+441632960083)$!sip:\\1@lab.test!\0";
        good(Naptr, text, text, wire);
        let text = r#"1 2 "" "" "" sip.lab.test."#;
        good(Naptr, text, text, b"\0\x01\0\x02\0\0\0\x03sip\x03lab\x04test\0");
        good(Naptr, r#"1 2 "S" "a" "" ."#, r#"1 2 "S" "a" "" ."#, b"\0\x01\0\x02\x01S\x01a\0\0");
        bad(Naptr, r#"1 2 "u" "E2U+sip" "!a!b!" sip.lab.test."#, "cannot have both a regexp and a replacement", "`.`");
        bad(Naptr, r#"1 2 "u" "E2U+sip" "!a!b!""#, "the replacement is missing", "");
        bad(Naptr, r#"1 2 "x" "" "" ."#, r#"not "x""#, "");
        bad(Naptr, r#"1 2 "us" "" "" ."#, r#"not "us""#, "");
        bad(Naptr, r#"1 2 u "" "" ."#, "the flags should be enclosed in quotation marks", r#""u""#);
        bad(Naptr, r#"1 2 "u" "" "!a!\1!" ."#, "three octal digits", r"`\\`");
        good(
            Naptr,
            r#"1 2 "u" "a\+b" "!\;!\\.!" ."#,
            r#"1 2 "u" "a+b" "!;!\\.!" ."#,
            b"\0\x01\0\x02\x01u\x03a+b\x06!;!\\.!\0",
        );
        bad(Naptr, r#"1 65536 "u" "" "" ."#, "the preference must be an integer", "");
    }
}
