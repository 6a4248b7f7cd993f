//! Writes CIDR collections as members of `[[cidr_collection]]` tables.

use super::EditError;
use super::members::{Member, Members, list, string};
use super::tables::{TableEdit, edit_table};
use crate::config::zones::written_keys;
use crate::config::{SourceFile, id};
use crate::model::CidrCollection;

/// The text of `file`, which defines `before`, changed so that it defines `after`. Without `before`
/// the collection is added, without `after` it is removed. Locations that do not differ stay as
/// they are written.
pub fn edit_cidr_collection(
    file: &SourceFile,
    before: Option<&CidrCollection>,
    after: Option<&CidrCollection>,
) -> Result<String, EditError> {
    let key = "cidr_collection";
    let position = |before: &CidrCollection| {
        let ids = written_keys(file).collections;
        ids.iter().position(|id| *id == before.id.0).ok_or(EditError::Changed)
    };
    match (before, after) {
        (None, None) => Ok(file.text.to_string()),
        (None, Some(after)) => edit_table(&file.text, key, &TableEdit::Add(&new_members(after))),
        (Some(before), None) => edit_table(&file.text, key, &TableEdit::Remove(position(before)?)),
        (Some(before), Some(after)) => {
            edit_table(&file.text, key, &TableEdit::Update(position(before)?, &members(before), &members(after)))
        }
    }
}

/// What a program creates has an id of its own.
pub(super) fn new_members(collection: &CidrCollection) -> Members {
    let mut members = members(collection);
    members.iter_mut().filter(|(key, _)| *key == "id").for_each(|(_, id)| *id = Member::of(string(&collection.id.0)));
    members
}

fn members(collection: &CidrCollection) -> Members {
    let CidrCollection { id, name, caller_reference, version, locations } = collection;
    let blocks = |blocks: &[ipnet::IpNet]| list(blocks.iter().map(|block| block.to_string().into())).into();
    vec![
        ("name", Member::of(string(name))),
        ("id", Member::or_default(string(&id.0), *id == id::collection_id(name))),
        ("caller_reference", Member::optional(caller_reference.as_deref().map(string))),
        ("version", Member::version(*version)),
        ("locations", Member::Table(locations.iter().map(|(name, list)| (name.clone(), blocks(list))).collect())),
    ]
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;
    use crate::config::{Settings, read_zones};
    use crate::model::CidrCollectionId;

    const FILE: &str = "# Networks.\n\n# The homes.\n[[cidr_collection]]\nname = 'homes' # all\nlocations = { a = \
                        ['192.0.2.0/24'] }\n\n[[cidr_collection]]\nname = 'offices'\nlocations = { berlin = ['10.1.0.0/16'], \
                        tokyo = ['10.2.0.0/16'] } # offices\n";

    fn file(text: &str) -> SourceFile {
        SourceFile::new(PathBuf::from("cidr_collections.toml"), text)
    }

    fn read(text: &str) -> Vec<CidrCollection> {
        let settings = Settings::read(&SourceFile::new(PathBuf::from("fiftythree.toml"), "")).0.unwrap();
        let reading = read_zones(&[file(text)], &settings);
        let errors: Vec<_> = reading.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{text}");
        reading.configuration.cidr_collections
    }

    #[test]
    fn only_the_locations_that_differ_are_edited() {
        let all = read(FILE);
        let mut after = all[1].clone();
        after.version = 2;
        after.locations[1].1.push("10.3.0.0/24".parse().unwrap());
        let edited = edit_cidr_collection(&file(FILE), Some(&all[1]), Some(&after)).unwrap();
        let changed = FILE
            .replace("['10.2.0.0/16'] } # offices\n", "[\"10.2.0.0/16\", \"10.3.0.0/24\"] } # offices\nversion = 2\n");
        assert_eq!(edited, changed);
        assert_eq!(edit_cidr_collection(&file(FILE), Some(&all[0]), Some(&all[0])).unwrap(), FILE);
        let removed = edit_cidr_collection(&file(FILE), Some(&all[0]), None).unwrap();
        let (start, end) = (FILE.find("# The homes").unwrap(), FILE.rfind("[[cidr").unwrap());
        assert_eq!(removed, format!("{}{}", &FILE[..start], &FILE[end..]));
        assert_eq!(edit_cidr_collection(&file(&removed), Some(&all[0]), None), Err(EditError::Changed));
    }

    #[test]
    fn the_last_collection_leaves_a_file_that_is_not_empty() {
        let new = CidrCollection { locations: Vec::new(), ..read(FILE)[0].clone() };
        let added = edit_cidr_collection(&file(""), None, Some(&new)).unwrap();
        assert_eq!(added, format!("[[cidr_collection]]\nname = \"homes\"\nid = \"{}\"\nlocations = {{}}\n", new.id.0));
        assert_eq!(read(&added), std::slice::from_ref(&new));
        assert_eq!(edit_cidr_collection(&file(&added), Some(&new), None).unwrap(), "version = 1\n");
    }

    fn any_collection() -> impl Strategy<Value = CidrCollection> {
        let positions = prop::collection::btree_map(1..40u8, "a|b-b|c_c|7", 0..30);
        let id = prop_oneof![Just(id::collection_id("x").0), Just("7d2d0b2a-0a52-4b3f-9c27-1f3a7a2b5c11".to_owned())];
        (id, prop::option::of("[ -~\\n]{1,5}"), 1..4u64, positions).prop_map(
            |(id, caller_reference, version, positions)| {
                let mut locations: std::collections::BTreeMap<String, Vec<ipnet::IpNet>> = Default::default();
                for (number, name) in positions {
                    locations.entry(name).or_default().push(format!("10.{number}.0.0/16").parse().unwrap());
                }
                CidrCollection {
                    id: CidrCollectionId(id),
                    name: "x".to_owned(),
                    caller_reference,
                    version,
                    locations: locations.into_iter().collect(),
                }
            },
        )
    }

    proptest! {
        #[test]
        fn any_sequence_of_changes_gives_the_collection_itself(
            changes in prop::collection::vec(prop::option::of(any_collection()), 1..6),
            start in 0..4usize,
            windows in any::<bool>(),
        ) {
            let mut text = match start {
                0 => FILE.to_owned(),
                1 => FILE.trim_end().to_owned(),
                2 => FILE.replace("locations = { a = ['192.0.2.0/24'] }", "[cidr_collection.locations]\na = ['192.0.2.0/24']"),
                _ => "# Networks.\n# The homes.\ncidr_collection = [{ name = 'homes', locations.a = ['192.0.2.0/24'] }] # all".to_owned(),
            };
            if windows {
                text = text.replace('\n', "\r\n");
            }
            let others = read(&text);
            let mut before = None;
            for after in changes {
                text = edit_cidr_collection(&file(&text), before.as_ref(), after.as_ref()).unwrap();
                let expected: Vec<_> = others.iter().chain(&after).cloned().collect();
                prop_assert_eq!(read(&text), expected, "{}", text);
                for comment in ["# Networks.", "# The homes.", "# all"] {
                    prop_assert!(text.contains(comment), "{}", text);
                }
                prop_assert!(!windows || !text.replace("\r\n", "").contains('\n'), "{:?}", text);
                before = after;
            }
        }
    }
}
