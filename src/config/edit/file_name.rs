//! The names of the files that programs create.

use std::fmt::Write as _;

use crate::config::id;
use crate::model::{HostedZoneId, Name};

/// The longest part of a file name that stands for the zone's name. File systems allow 255 bytes,
/// and temporary names are longer by a few.
const MAX_BYTES: usize = 140;

/// The name of a zone's file: `lab.test.toml`, or `lab.test.Z0123.toml` for a second zone of the
/// name, whose id is then given.
///
/// Letters, digits, `-` and `_` are themselves, dots separate labels, and every other octet is `%`
/// with two hexadecimal digits. So two names never have the same file, and the name is safe. The
/// end of a long name is replaced by a hash of the name after `~`.
pub fn zone_file_name(name: &Name, second: Option<&HostedZoneId>) -> String {
    let labels: Vec<String> = name.labels().map(escaped).collect();
    let mut stem = labels.join(".");
    if stem.len() > MAX_BYTES {
        let hash = id::zone_id(name, &[]).0.to_ascii_lowercase();
        // Not within an escape.
        let cut = stem[..MAX_BYTES - 2].rfind('%').filter(|at| at + 3 > MAX_BYTES - 2).unwrap_or(MAX_BYTES - 2);
        stem.truncate(cut);
        let _ = write!(stem, "~{hash}");
    }
    match second {
        Some(id) => format!("{stem}.{}.toml", id.0),
        None => format!("{stem}.toml"),
    }
}

fn escaped(label: &[u8]) -> String {
    label.iter().enumerate().fold(String::new(), |mut text, (at, octet)| {
        let is_plain = octet.is_ascii_lowercase() || octet.is_ascii_digit() || *octet == b'_';
        // A hyphen at the start would make it an option of a command.
        if is_plain || (*octet == b'-' && at > 0) {
            text.push(char::from(*octet));
        } else {
            let _ = write!(text, "%{octet:02x}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    fn file_name(text: &str) -> String {
        zone_file_name(&Name::parse(text).unwrap(), None)
    }

    #[test]
    fn a_zone_has_the_file_of_its_name() {
        assert_eq!(file_name("Lab.test."), "lab.test.toml");
        assert_eq!(file_name("_sip.xn--bcher-kva.test"), "_sip.xn--bcher-kva.test.toml");
        assert_eq!(file_name("0-27.2.0.192.in-addr.arpa"), "0-27.2.0.192.in-addr.arpa.toml");
        assert_eq!(file_name(r"a*\057\056\056.-x.test"), "a%2a%2f%2e%2e.%2dx.test.toml");
        let id = HostedZoneId("Z0123".to_owned());
        assert_eq!(zone_file_name(&Name::parse("lab.test").unwrap(), Some(&id)), "lab.test.Z0123.toml");
    }

    #[test]
    fn long_names_differ_at_their_hash() {
        let label = "a".repeat(60);
        let [one, other] = ["b", "c"].map(|end| file_name(&format!("{label}.{label}.{label}.{end}.test")));
        assert_ne!(one, other);
        assert!(one.len() <= 200 && one.starts_with(&label), "{one}");
    }

    proptest! {
        #[test]
        fn every_name_is_a_safe_file_name_of_its_own(
            one in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 1..6),
            other in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..3), 1..3),
        ) {
            let name = |labels: &[Vec<u8>]| {
                let mut wire: Vec<u8> =
                    labels.iter().flat_map(|label| [&[label.len() as u8][..], label].concat()).collect();
                wire.push(0);
                Name::from_wire(&wire).unwrap()
            };
            let (one, other) = (name(&one), name(&other));
            let id = HostedZoneId(format!("Z{}", "9".repeat(31)));
            let (file, second) = (zone_file_name(&one, None), zone_file_name(&one, Some(&id)));
            prop_assert!(second.len() <= 200 && !file.starts_with('.'), "{}", file);
            let is_safe = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || b"._-%~".contains(&octet);
            prop_assert!(file.bytes().all(is_safe), "{}", file);
            prop_assert!(Path::new(&file).components().all(|part| matches!(part, Component::Normal(_))));
            prop_assert_eq!(one == other, file == zone_file_name(&other, None));
        }
    }
}
