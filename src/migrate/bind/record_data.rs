//! Record data and names between master files and the model.
//!
//! The `domain` crate reads them: relative names, decimal escapes, the generic form of RFC 3597.
//! What it read is printed in Route 53's syntax and read again, so that only values which Route 53
//! accepts get in.

use domain::base::ToName as _;
use domain::base::iana::Class;
use domain::base::rdata::ComposeRecordData as _;
use domain::zonefile::inplace::{Entry, ScannedRecord, Zonefile};

use crate::model::{DataError, Name, RecordData, RecordType};

/// Why data are not imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BadData {
    /// They are not valid in a master file.
    Syntax(String),
    /// Route 53 does not accept them.
    Refused(DataError),
}

/// Reads the name that a master file has at the place of an owner.
pub(super) fn read_name(text: &str, origin: Option<&Name>) -> Result<Name, String> {
    let record = scan(text, "A 192.0.2.1", origin)?;
    let mut wire = Vec::new();
    let bad_name = || bad_name(text).to_owned();
    record.owner().compose(&mut wire).map_err(|_| bad_name())?;
    Name::from_wire(&wire).ok_or_else(bad_name)
}

/// What is wrong with a name, or with one of the words.
fn bad_name(words: &str) -> &'static str {
    match has_empty_label(words) {
        true => "a name has an empty label: two dots in a row, or a dot at its beginning",
        false => "a label has more than 63 bytes, or a name more than 255",
    }
}

/// Whether one of the words, read as a name, has an empty label before its end.
fn has_empty_label(words: &str) -> bool {
    words.split_ascii_whitespace().any(|word| {
        let (mut characters, mut is_label_empty) = (word.chars(), true);
        while let Some(character) = characters.next() {
            if character == '.' && is_label_empty && word.len() > 1 {
                return true;
            }
            is_label_empty = character == '.';
            if character == '\\' {
                characters.next();
            }
        }
        false
    })
}

/// Reads the data of a record.
pub(super) fn read_data(record_type: RecordType, text: &str, origin: Option<&Name>) -> Result<RecordData, BadData> {
    // SPF has the form of TXT (RFC 7208 section 3.1), and the crate does not know it.
    let scanned_as = if record_type == RecordType::Spf { RecordType::Txt } else { record_type };
    let record = scan(".", &format!("{scanned_as} {text}"), origin).map_err(BadData::Syntax)?;
    let mut wire = Vec::new();
    record.data().compose_rdata(&mut wire).map_err(|_| BadData::Syntax("the data are too long".to_owned()))?;
    if is_generic(text) && !is_well_formed(record_type, &wire) {
        return Err(BadData::Syntax(format!("these octets are not valid {record_type} data")));
    }
    // The crate takes an empty label for the end of the name.
    if has_empty_label(text) && !is_well_formed(record_type, &wire) {
        return Err(BadData::Syntax(bad_name(text).to_owned()));
    }
    // Printed without escapes that Route 53 does not know.
    let printed = RecordData::from_wire(record_type, wire).to_text();
    RecordData::parse(record_type, &printed).map_err(BadData::Refused)
}

fn scan(owner: &str, record: &str, origin: Option<&Name>) -> Result<ScannedRecord, String> {
    let mut text = String::new();
    if let Some(origin) = origin {
        text += &format!("$ORIGIN {}\n", name_text(origin));
    }
    text += &format!("{owner} 0 IN {record}\n");
    let mut file = Zonefile::from(text.as_str());
    file.set_default_class(Class::IN);
    match file.next_entry() {
        Ok(Some(Entry::Record(record))) => Ok(record),
        Ok(_) => Err("this is not a record".to_owned()),
        Err(error) => Err(explained(&error.to_string(), &format!("{owner} {record}"))),
    }
}

/// The crate's error without its position, which is that in a text of one record.
fn explained(error: &str, words: &str) -> String {
    match error.splitn(3, ':').nth(2).map_or(error, str::trim) {
        "missing origin" => "a name has no dot at its end, and there is no $ORIGIN before it".to_owned(),
        "unexpected end of entry" => "something is missing at the end".to_owned(),
        "bad name" => bad_name(words).to_owned(),
        "trailing tokens" => "there is too much at the end".to_owned(),
        other => other.to_owned(),
    }
}

/// `\# 4 c0000201` (RFC 3597 section 5).
fn is_generic(text: &str) -> bool {
    text.split_ascii_whitespace().next() == Some("\\#")
}

/// Whether octets in the generic form are data of the type: they have the form when they are
/// printed by the crate that reads messages.
fn is_well_formed(record_type: RecordType, wire: &[u8]) -> bool {
    use domain::base::iana::Rtype;
    use domain::base::{ParseRecordData as _, ParsedName};
    use domain::rdata::ZoneRecordData;
    let code = if record_type == RecordType::Spf { RecordType::Txt } else { record_type }.code();
    let mut parser = domain::dep::octseq::Parser::from_ref(wire);
    let parsed = ZoneRecordData::<_, ParsedName<_>>::parse_rdata(Rtype::from_int(code), &mut parser);
    parsed.is_ok_and(|data| data.is_some()) && parser.remaining() == 0
}

/// A name as master files have it: absolute, with decimal escapes.
pub(super) fn name_text(name: &Name) -> String {
    // A wildcard needs no escape, and people look for it.
    decimal(&name.readable())
}

/// The data as master files have them.
pub(super) fn data_text(data: &RecordData) -> String {
    decimal(&data.to_text())
}

/// Octal escapes as decimal ones (RFC 1035 section 5.1).
fn decimal(text: &str) -> String {
    let (mut converted, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('\\') {
        converted.push_str(&rest[..at]);
        let digits = rest.get(at + 1..at + 4).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
        let octet = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        let length = match octet {
            Some(octet) => {
                converted += &format!("\\{octet:03}");
                4
            }
            // A backslash before a quotation mark or a backslash.
            None => {
                let length = 1 + rest[at + 1..].chars().next().map_or(0, char::len_utf8);
                converted.push_str(&rest[at..at + length]);
                length
            }
        };
        rest = &rest[at + length..];
    }
    converted.push_str(rest);
    converted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Name {
        Name::parse("lab.test").unwrap()
    }

    #[test]
    fn names_are_relative_and_have_decimal_escapes() {
        let read = |text: &str| read_name(text, Some(&origin())).map(|name| name.to_string());
        assert_eq!(read("WWW").as_deref(), Ok("www.lab.test."));
        assert_eq!(read("@").as_deref(), Ok("lab.test."));
        assert_eq!(read("*").as_deref(), Ok("\\052.lab.test."));
        assert_eq!(read("a\\.b\\046c\\@.x.").as_deref(), Ok("a\\056b\\056c\\100.x."));
        for text in ["a..b", "a..", "..a", ".a", "a\\...b"] {
            assert!(read(text).unwrap_err().contains("has an empty label"), "{text}");
        }
        assert!(read(&"a".repeat(64)).unwrap_err().contains("more than 63 bytes"));
        assert!(read(&"a.".repeat(130)).unwrap_err().contains("a name more than 255"));
        assert!(read("a\\..b").is_ok());
        assert!(read_name("www", None).unwrap_err().contains("no $ORIGIN"));
        for text in ["www.lab.test.", "\\052.lab.test.", "a\\056b\\134\\100\\377.lab.test.", "."] {
            let name = Name::parse(text).unwrap();
            assert_eq!(read_name(&name_text(&name), None), Ok(name), "{text}");
        }
    }

    #[test]
    fn data_of_every_type_are_read_and_written() {
        for (record_type, master_file, value) in [
            (RecordType::A, "192.0.2.1", "192.0.2.1"),
            (RecordType::Aaaa, "2001:DB8::1", "2001:db8::1"),
            (RecordType::Ns, "ns1", "ns1.lab.test."),
            (RecordType::Cname, "WWW.Other.test.", "WWW.Other.test."),
            (RecordType::Ptr, "www", "www.lab.test."),
            (RecordType::Mx, "10 mail", "10 mail.lab.test."),
            (RecordType::Srv, "1 10 5060 sip", "1 10 5060 sip.lab.test."),
            (RecordType::Txt, "word \"a \\\"b\\\" \\228;\" \\065", r#""word" "a \"b\" \344;" "A""#),
            (RecordType::Spf, "\"v=spf1 -all\"", "\"v=spf1 -all\""),
            (
                RecordType::Soa,
                "ns1 host.master 1 7200 900 1209600 86400",
                "ns1.lab.test. host.master.lab.test. 1 7200 900 1209600 86400",
            ),
            (
                RecordType::Naptr,
                "100 50 \"s\" \"SIP+D2U\" \"\" _sip._udp",
                "100 50 \"s\" \"SIP+D2U\" \"\" _sip._udp.lab.test.",
            ),
            (RecordType::Caa, "0 issue ca.test", "0 issue \"ca.test\""),
            (
                RecordType::Ds,
                "60485 13 2 D4B7D520 E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A",
                "60485 13 2 d4b7d520e7bb5f0f67674a0cceb1e3e0614b93c4f9e99b8383f6a1e4469da50a",
            ),
            (
                RecordType::Tlsa,
                "3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971",
                "3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971",
            ),
            (
                RecordType::Sshfp,
                "4 2 123a567890123456789012345678901234567890123456789012345678901234",
                "4 2 123a567890123456789012345678901234567890123456789012345678901234",
            ),
            (RecordType::Svcb, "1 . alpn=h2,h3 port=53", "1 . alpn=\"h2,h3\" port=\"53\""),
            (RecordType::Https, "1 . alpn=\"h2\" ipv4hint=192.0.2.1", "1 . alpn=\"h2\" ipv4hint=\"192.0.2.1\""),
            (RecordType::A, "\\# 4 C0000201", "192.0.2.1"),
            (RecordType::Spf, "\\# 2 0161", "\"a\""),
        ] {
            let data = read_data(record_type, master_file, Some(&origin())).unwrap();
            assert_eq!(data, RecordData::parse(record_type, value).unwrap(), "{record_type} {master_file}");
            let again = read_data(record_type, &data_text(&data), None).unwrap();
            assert_eq!(again, data, "{record_type} {}", data_text(&data));
        }
    }

    #[test]
    fn bad_data_say_why() {
        let error = |record_type, text: &str| match read_data(record_type, text, Some(&origin())).unwrap_err() {
            BadData::Syntax(message) => message,
            BadData::Refused(error) => error.message,
        };
        assert_eq!(error(RecordType::Mx, "10"), "something is missing at the end");
        assert_eq!(error(RecordType::A, "192.0.2.1 x"), "there is too much at the end");
        for (record_type, text) in [
            (RecordType::Mx, "10 a..b"),
            (RecordType::Mx, "10 a..b."),
            (RecordType::Cname, ".a"),
            (RecordType::Ns, "a.."),
            (RecordType::Srv, "1 2 3 a..b"),
            (RecordType::Soa, "a..b c 1 2 3 4 5"),
            (RecordType::Soa, "a b..c 1 2 3 4 5"),
            (RecordType::Https, "1 a..b alpn=h2"),
        ] {
            assert!(error(record_type, text).contains("has an empty label"), "{record_type} {text}");
        }
        assert!(error(RecordType::Mx, &format!("10 {}", "a".repeat(64))).contains("more than 63 bytes"));
        assert!(read_data(RecordType::Txt, "a..b .c", None).is_ok());
        assert!(error(RecordType::A, "\\# 3 C00002").contains("not valid A data"));
        assert!(error(RecordType::Mx, "\\# 2 0001").contains("not valid MX data"));
        assert!(
            error(RecordType::Https, "0 . port=1").contains("parameter"),
            "{}",
            error(RecordType::Https, "0 . port=1")
        );
    }
}
