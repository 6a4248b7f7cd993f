//! Tests for the data of every type: print and parse are inverse, and other parsers read the same
//! bytes.

use hickory_proto::rr::Record;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use proptest::prelude::*;

use crate::model::{RecordData, RecordType};

/// The text is accepted: these are its wire bytes, this is its canonical text, hickory reads it.
pub(super) fn good(record_type: RecordType, text: &str, canonical: &str, wire: &[u8]) {
    let data = match RecordData::parse(record_type, text) {
        Ok(data) => data,
        Err(error) => panic!("{record_type} {text}: {error:?}"),
    };
    assert_eq!(data.wire().escape_ascii().to_string(), wire.escape_ascii().to_string(), "{record_type} {text}");
    assert_eq!(data.to_text(), canonical, "{record_type} {text}");
    assert_eq!(RecordData::parse(record_type, canonical).as_ref(), Ok(&data), "{record_type} {text}");
    assert_eq!(read_by_hickory(&data), Ok(()), "{record_type} {text}");
}

/// The text is rejected, with these strings in the message and in the hint.
pub(super) fn bad(record_type: RecordType, text: &str, message: &str, hint: &str) {
    let error = match RecordData::parse(record_type, text) {
        Ok(data) => panic!("{record_type} {text} was read as {data}"),
        Err(error) => error,
    };
    assert!(error.message.contains(message), "{record_type} {text}: {error:?}");
    assert!(error.hint.as_deref().unwrap_or_default().contains(hint), "{record_type} {text}: {error:?}");
}

/// Wraps the data into a record and lets hickory-proto read it, to the last octet.
fn read_by_hickory(data: &RecordData) -> Result<(), String> {
    let mut bytes = vec![0];
    bytes.extend(data.record_type().code().to_be_bytes());
    bytes.extend(1u16.to_be_bytes());
    bytes.extend(300u32.to_be_bytes());
    bytes.extend(u16::try_from(data.wire().len()).unwrap().to_be_bytes());
    bytes.extend(data.wire());
    let mut decoder = BinDecoder::new(&bytes);
    let record = Record::read(&mut decoder).map_err(|error| error.to_string())?;
    if !decoder.is_empty() {
        return Err(format!("{} octets left over", decoder.len()));
    }
    let code = u16::from(record.record_type());
    if code != data.record_type().code() {
        return Err(format!("read as type {code}"));
    }
    Ok(())
}

/// The `domain` crate's result for the text as a line of a master file. Only for text without
/// escapes (there they are decimal) and with closed quotes (it panics on some others).
fn read_by_domain(record_type: RecordType, text: &str) -> Vec<u8> {
    use domain::base::rdata::ComposeRecordData;
    use domain::zonefile::inplace::{Entry, Zonefile};

    let line = format!("$ORIGIN .\nowner.test. 300 IN {record_type} {text}\n");
    let mut file = Zonefile::from(line.as_str());
    let Some(Entry::Record(record)) = file.next_entry().unwrap_or_else(|error| panic!("{line}: {error}")) else {
        panic!("{line}: no record");
    };
    let mut wire = Vec::new();
    record.data().compose_rdata(&mut wire).unwrap();
    wire
}

#[test]
fn every_type_that_master_files_share_is_read_as_the_domain_crate_reads_it() {
    use RecordType::*;
    let hex = |octets: usize| "5aF0".repeat(octets / 2);
    let values = [
        (A, "192.0.2.1".to_owned()),
        (Aaaa, "2001:DB8::192.0.2.1".to_owned()),
        (Cname, "Www.Lab.test.".to_owned()),
        (Ns, "ns1.lab.test.".to_owned()),
        (Ptr, "host.lab.test.".to_owned()),
        (Mx, "10 mail.lab.test.".to_owned()),
        (Srv, "1 2 5060 sip.lab.test.".to_owned()),
        (Txt, r#""v=DMARC1; p=none" "it's (here)""#.to_owned()),
        (Txt, r#""back\\slash \"quoted\"""#.to_owned()),
        (Soa, "ns1.lab.test. hostmaster.lab.test. 1 7200 900 1209600 86400".to_owned()),
        (Naptr, r#"100 50 "u" "E2U+sip" "!^.*$!sip:a@lab.test!" ."#.to_owned()),
        (Caa, r#"128 issue "ca.lab.test; policy=ev""#.to_owned()),
        (Ds, format!("60485 13 2 {}", hex(32))),
        (Tlsa, format!("3 1 1 {}", hex(32))),
        (Sshfp, format!("4 2 {}", hex(32))),
        (Svcb, r#"1 svc.lab.test. port=53 alpn="h2,h3" ipv4hint=192.0.2.1,192.0.2.2"#.to_owned()),
        (Https, "1 . no-default-alpn ipv6hint=2001:db8::1 alpn=h2".to_owned()),
    ];
    for (record_type, text) in values {
        let data = RecordData::parse(record_type, &text).unwrap();
        assert_eq!(data.wire(), read_by_domain(record_type, &text), "{record_type} {text}");
        assert_eq!(data.wire(), read_by_domain(record_type, &data.to_text()), "{record_type} {data}");
    }
}

#[test]
fn errors_come_with_the_form_of_the_type() {
    for record_type in RecordType::ALL {
        bad(record_type, "", "is missing", record_type.as_str());
        bad(record_type, &"a".repeat(4001), "4001 characters, at most 4000", "");
    }
}

prop_compose! {
    /// A label with letters, digits and now and then an octet that needs an escape.
    fn label()(octets in prop::collection::vec(prop_oneof![9 => "[a-zA-Z0-9_-]", 1 => r"\\[0-3][0-7][0-7]"], 1..12)) -> String {
        octets.concat()
    }
}

prop_compose! {
    fn name()(labels in prop::collection::vec(label(), 1..5)) -> String {
        labels.join(".") + "."
    }
}

/// A quoted string of printable characters and escapes.
fn string() -> impl Strategy<Value = String> {
    let character = prop_oneof![8 => r#"[ -!#-\[\]-~]"#, 1 => r#"\\["\\]"#, 1 => r"\\[0-3][0-7][0-7]"];
    prop::collection::vec(character, 0..40).prop_map(|characters| format!("\"{}\"", characters.concat()))
}

/// A quoted string without escapes, for the readers that do not share them.
fn plain_string() -> impl Strategy<Value = String> {
    "[ !#-\\[\\]-~]{0,40}".prop_map(|text| format!("\"{text}\""))
}

fn parameters() -> impl Strategy<Value = String> {
    let parameter = prop_oneof![
        Just(r#"alpn="h2,h3""#.to_owned()),
        Just("no-default-alpn alpn=http/1.1".to_owned()),
        any::<u16>().prop_map(|port| format!("port={port}")),
        any::<std::net::Ipv4Addr>().prop_map(|address| format!("ipv4hint={address}")),
        any::<std::net::Ipv6Addr>().prop_map(|address| format!("ipv6hint=\"{address}\"")),
        Just("ech=AAT+DQAA".to_owned()),
        Just("dohpath=/dns-query{?dns}".to_owned()),
        Just("ohttp".to_owned()),
    ];
    prop::collection::vec(parameter, 0..4).prop_map(|parameters| parameters.join(" "))
}

/// A string that is mostly a valid value of the type.
fn value(record_type: RecordType, string: BoxedStrategy<String>, name: BoxedStrategy<String>) -> BoxedStrategy<String> {
    let number = || any::<u16>();
    match record_type {
        RecordType::A => any::<std::net::Ipv4Addr>().prop_map(|address| address.to_string()).boxed(),
        RecordType::Aaaa => any::<std::net::Ipv6Addr>().prop_map(|address| address.to_string()).boxed(),
        RecordType::Cname | RecordType::Ns | RecordType::Ptr => name,
        RecordType::Mx => (number(), name).prop_map(|(priority, name)| format!("{priority} {name}")).boxed(),
        RecordType::Srv => {
            (number(), number(), number(), name).prop_map(|(a, b, c, name)| format!("{a} {b} {c} {name}")).boxed()
        }
        RecordType::Txt | RecordType::Spf => {
            prop::collection::vec(string, 1..5).prop_map(|strings| strings.join(" ")).boxed()
        }
        RecordType::Soa => (name.clone(), name, any::<u32>(), prop::array::uniform4(0u32..=2_147_483_647))
            .prop_map(|(mname, rname, serial, [a, b, c, d])| format!("{mname} {rname} {serial} {a} {b} {c} {d}"))
            .boxed(),
        RecordType::Naptr => (number(), number(), "\"[aApPsSuU]?\"", string.clone(), string, name)
            .prop_map(|(order, preference, flags, service, regexp, name)| {
                let (regexp, replacement) =
                    if order % 2 == 0 { (regexp, ".".to_owned()) } else { ("\"\"".to_owned(), name) };
                format!("{order} {preference} {flags} {service} {regexp} {replacement}")
            })
            .boxed(),
        RecordType::Caa => (any::<u8>(), "[a-zA-Z0-9]{1,15}", string)
            .prop_map(|(flags, tag, value)| format!("{flags} {tag} {value}"))
            .boxed(),
        RecordType::Ds => (number(), any::<u8>(), 0u8..9, prop::sample::select(vec![20, 32, 48]), any::<u8>())
            .prop_map(|(tag, algorithm, digest_type, octets, fill)| {
                format!("{tag} {algorithm} {digest_type} {}", format!("{fill:02X}").repeat(octets))
            })
            .boxed(),
        RecordType::Tlsa => (0..4u8, 0..2u8, 0..3u8, prop::sample::select(vec![32, 64]), any::<u8>())
            .prop_map(|(a, b, c, octets, fill)| format!("{a} {b} {c} {}", format!("{fill:02x}").repeat(octets)))
            .boxed(),
        RecordType::Sshfp => (1..7u8, 1..3u8, prop::sample::select(vec![20, 32]), any::<u8>())
            .prop_map(|(a, b, octets, fill)| format!("{a} {b} {}", format!("{fill:02x}").repeat(octets)))
            .boxed(),
        RecordType::Svcb | RecordType::Https => {
            (0..4u16, name, parameters()).prop_map(|(priority, name, rest)| format!("{priority} {name} {rest}")).boxed()
        }
    }
}

fn any_value() -> impl Strategy<Value = (RecordType, String)> {
    prop::sample::select(RecordType::ALL.to_vec())
        .prop_flat_map(|record_type| (Just(record_type), value(record_type, string().boxed(), name().boxed())))
}

/// Values in the forms that master files share: no escapes, and no SPF, which `domain` does not
/// know.
fn shared_value() -> impl Strategy<Value = (RecordType, String)> {
    let shared = RecordType::ALL.into_iter().filter(|&record_type| record_type != RecordType::Spf).collect::<Vec<_>>();
    let plain_name = "([a-zA-Z0-9_-]{1,12}\\.){1,5}";
    prop::sample::select(shared).prop_flat_map(move |record_type| {
        (Just(record_type), value(record_type, plain_string().boxed(), plain_name.boxed()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_of_any_type_panics(text in r#"[ -~"\\ü0-9. ]{0,80}"#) {
        for record_type in RecordType::ALL {
            let _ = RecordData::parse(record_type, &text);
        }
    }

    #[test]
    fn no_value_that_was_cut_or_stretched_panics((record_type, text) in any_value(), at in any::<prop::sample::Index>(), extra in ".{0,3}") {
        let at = at.index(text.len() + 1);
        let changed = format!("{}{extra}{}", &text[..at], &text[at..]);
        let _ = RecordData::parse(record_type, &text[..at]);
        if let Ok(data) = RecordData::parse(record_type, &changed) {
            prop_assert_eq!(RecordData::parse(record_type, &data.to_text()), Ok(data));
        }
    }

    #[test]
    fn parsing_what_was_printed_is_identity((record_type, text) in any_value()) {
        if let Ok(data) = RecordData::parse(record_type, &text) {
            prop_assert_eq!(RecordData::parse(record_type, &data.to_text()), Ok(data));
        }
    }

    #[test]
    fn whatever_is_accepted_is_read_back_by_hickory((record_type, text) in any_value()) {
        if let Ok(data) = RecordData::parse(record_type, &text) {
            prop_assert_eq!(read_by_hickory(&data), Ok(()), "{} {}", record_type, text);
        }
    }

    #[test]
    fn whatever_is_accepted_and_shared_is_read_alike_by_domain((record_type, text) in shared_value()) {
        if let Ok(data) = RecordData::parse(record_type, &text) {
            prop_assert_eq!(data.wire(), read_by_domain(record_type, &text), "{} {}", record_type, text);
        }
    }
}
