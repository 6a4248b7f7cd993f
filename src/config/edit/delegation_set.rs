//! Writes reusable delegation sets as members of `[[reusable_delegation_set]]` tables. They never
//! change.

use super::EditError;
use super::members::{Member, Members, list, string};
use super::tables::{TableEdit, edit_table};
use crate::config::SourceFile;
use crate::config::zones::written_keys;
use crate::model::{DelegationSet, DelegationSetId};

/// The text of `file` with one more set, or without one.
pub fn edit_delegation_set(
    file: &SourceFile,
    removed: Option<&DelegationSetId>,
    added: Option<&DelegationSet>,
) -> Result<String, EditError> {
    let key = "reusable_delegation_set";
    match (removed, added) {
        (Some(removed), _) => {
            let ids = written_keys(file).delegation_sets;
            let at = ids.iter().position(|id| *id == removed.0).ok_or(EditError::Changed)?;
            edit_table(&file.text, key, &TableEdit::Remove(at))
        }
        (None, Some(added)) => edit_table(&file.text, key, &TableEdit::Add(&members(added))),
        (None, None) => Ok(file.text.to_string()),
    }
}

pub(super) fn members(set: &DelegationSet) -> Members {
    let DelegationSet { id, caller_reference, hosted_zone, name_servers } = set;
    vec![
        ("id", Member::of(string(&id.0))),
        ("caller_reference", Member::optional(caller_reference.as_deref().map(string))),
        ("hosted_zone", Member::optional(hosted_zone.as_ref().map(|zone| string(&zone.0)))),
        ("name_servers", Member::of(list(name_servers.iter().map(|name| name.to_string().into())))),
    ]
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::{Settings, read_zones};
    use crate::model::{HostedZoneId, Name};

    fn file(text: &str) -> SourceFile {
        SourceFile::new(PathBuf::from("reusable_delegation_sets.toml"), text)
    }

    fn read(text: &str) -> Vec<DelegationSet> {
        let settings = Settings::read(&SourceFile::new(PathBuf::from("fiftythree.toml"), "")).0.unwrap();
        let reading = read_zones(&[file(text)], &settings);
        assert!(reading.is_sound(), "{:?}", reading.diagnostics);
        reading.configuration.delegation_sets
    }

    #[test]
    fn sets_come_and_go_and_are_read_back() {
        let set = |id: &str, zone: Option<&str>| DelegationSet {
            id: DelegationSetId(id.to_owned()),
            caller_reference: Some("a \"b\"\n".to_owned()),
            hosted_zone: zone.map(|zone| HostedZoneId(zone.to_owned())),
            name_servers: vec![Name::parse("ns1.lab.test").unwrap(), Name::parse("ns2.lab.test").unwrap()],
        };
        let (one, two) = (set("N1", None), set("N2", Some("Z1")));
        let text = edit_delegation_set(&file("# Sets.\n"), None, Some(&one)).unwrap();
        let text = edit_delegation_set(&file(&text), None, Some(&two)).unwrap();
        assert_eq!(read(&text), [one.clone(), two.clone()], "{text}");
        let text = edit_delegation_set(&file(&text), Some(&one.id), None).unwrap();
        assert_eq!(read(&text), [two], "{text}");
        assert!(text.starts_with("# Sets.\n"), "{text}");
        assert_eq!(edit_delegation_set(&file(&text), Some(&one.id), None), Err(EditError::Changed));
    }
}
