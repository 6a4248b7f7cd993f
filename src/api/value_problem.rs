//! What Route 53 says about a name or a value that is not valid: a code word, a sentence and the
//! text.
//!
//! The words are not documented. Those of addresses, strings, SRV and names are known from logs of
//! clients; the others follow their scheme.

use crate::model::{DataError, Name, NameError, RecordType};

/// The most characters of a value (API RData).
const MAX_VALUE_CHARACTERS: usize = 4000;

/// A name, or what is wrong with it.
pub(super) fn read_name(text: &str) -> Result<Name, String> {
    Name::parse(text).map_err(|error| of_name(text, &error))
}

/// What is wrong with a name.
pub(super) fn of_name(text: &str, error: &NameError) -> String {
    let (word, sentence) = name_problem(error);
    let shown = match error {
        NameError::UnsupportedCharacter(character) => character.to_string(),
        _ => text.to_owned(),
    };
    problem(word, sentence, &shown)
}

/// What is wrong with a value.
pub(super) fn of_value(record_type: RecordType, text: &str, error: &DataError) -> String {
    if text.chars().count() > MAX_VALUE_CHARACTERS {
        return problem(&format!("{record_type}RDATATooLong"), "Value is too long", text);
    }
    match record_type {
        RecordType::A => problem("ARRDATAIllegalIPv4Address", "Value is not a valid IPv4 address", text),
        RecordType::Aaaa => problem("AAAARRDATAIllegalIPv6Address", "Value is not a valid IPv6 address", text),
        RecordType::Txt | RecordType::Spf => string_problem(text, error),
        RecordType::Cname | RecordType::Ns | RecordType::Ptr => match Name::parse(text) {
            Err(name_error) => of_name(text, &name_error),
            Ok(_) => other_problem(record_type, text, error),
        },
        _ => fields_problem(record_type, text).unwrap_or_else(|| other_problem(record_type, text, error)),
    }
}

fn name_problem(error: &NameError) -> (&'static str, &'static str) {
    match error {
        NameError::Empty => ("DomainNameEmpty", "Domain name is empty"),
        NameError::EmptyLabel => ("DomainLabelEmpty", "Domain label is empty"),
        NameError::LabelTooLong => ("DomainLabelTooLong", "Domain label is too long"),
        NameError::TooLong => ("DomainNameTooLong", "Domain name is too long"),
        NameError::BadEscape => ("InvalidEscape", "Value contains an invalid escape sequence"),
        NameError::UnsupportedCharacter(_) => ("UnsupportedCharacter", "Value contains unsupported characters"),
    }
}

fn string_problem(text: &str, error: &DataError) -> String {
    if error.message.contains("enclosed in quotation marks") {
        return problem("InvalidCharacterString", "Value should be enclosed in quotation marks", text);
    }
    if error.message.contains("too long") {
        return problem("CharacterStringTooLong", "Value is too long", text);
    }
    problem("InvalidCharacterString", &sentence(error), text)
}

/// A value with too few or too many words, of the types whose words are separated by spaces.
fn fields_problem(record_type: RecordType, text: &str) -> Option<String> {
    let words = text.split_ascii_whitespace().count();
    let (fields, word) = match record_type {
        RecordType::Mx => (2, "Two"),
        RecordType::Srv => (4, "Four"),
        RecordType::Soa => (7, "Seven"),
        _ => return None,
    };
    let sentence = format!("{record_type} record doesn't have {fields} fields");
    (words != fields).then(|| problem(&format!("{record_type}RRDATANot{word}Fields"), &sentence, text))
}

fn other_problem(record_type: RecordType, text: &str, error: &DataError) -> String {
    problem(&format!("{record_type}RRDATAInvalid"), &sentence(error), text)
}

fn problem(word: &str, sentence: &str, text: &str) -> String {
    format!("FATAL problem: {word} ({sentence}) encountered with '{text}'")
}

/// The server's own message, as a sentence.
fn sentence(error: &DataError) -> String {
    let mut characters = error.message.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + characters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RecordData;

    fn value(record_type: RecordType, text: &str) -> String {
        of_value(record_type, text, &RecordData::parse(record_type, text).unwrap_err())
    }

    #[test]
    fn values_have_route_53s_words() {
        let cases = [
            (RecordType::A, "1.2.3", "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"),
            (RecordType::Aaaa, "::g", "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)"),
            (RecordType::Txt, "v=spf1", "InvalidCharacterString (Value should be enclosed in quotation marks)"),
            (RecordType::Mx, "mail.lab.test.", "MXRRDATANotTwoFields (MX record doesn't have 2 fields)"),
            (RecordType::Srv, "1 2 sip.lab.test.", "SRVRRDATANotFourFields (SRV record doesn't have 4 fields)"),
            (RecordType::Cname, "a..b.", "DomainLabelEmpty (Domain label is empty)"),
            (
                RecordType::Caa,
                "256 issue \"ca\"",
                "CAARRDATAInvalid (The flags must be an integer between 0 and 255, not `256`)",
            ),
        ];
        for (record_type, text, expected) in cases {
            assert_eq!(value(record_type, text), format!("FATAL problem: {expected} encountered with '{text}'"));
        }
        let long = format!("\"{}\"", "a".repeat(256));
        assert!(value(RecordType::Txt, &long).starts_with("FATAL problem: CharacterStringTooLong (Value is too long)"));
        let longer = format!("\"{}\"", "a".repeat(4000));
        assert!(value(RecordType::Txt, &longer).starts_with("FATAL problem: TXTRDATATooLong (Value is too long)"));
    }

    #[test]
    fn names_have_route_53s_words() {
        let name = |text: &str| of_name(text, &Name::parse(text).unwrap_err());
        for (text, expected) in [
            ("", "DomainNameEmpty (Domain name is empty) encountered with ''"),
            ("a..b", "DomainLabelEmpty (Domain label is empty) encountered with 'a..b'"),
            ("a b", "UnsupportedCharacter (Value contains unsupported characters) encountered with ' '"),
        ] {
            assert_eq!(name(text), format!("FATAL problem: {expected}"));
        }
    }
}
