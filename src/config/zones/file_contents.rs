//! What some files have together, to find whether another file is needed.

use std::collections::{BTreeSet, HashSet};

use super::super::diagnostic::Reference;
use super::super::{Settings, SourceFile};
use super::{definitions, may_define_for_others, written_keys, zone_identity};
use crate::model::{Name, VpcId, ZoneIdentity};

/// The zones of some files and all that they define for others.
#[derive(Debug, Default)]
pub struct FileContents {
    zones: HashSet<(Name, Vec<VpcId>)>,
    named: BTreeSet<Reference>,
    delegation_sets: HashSet<String>,
    /// The names of the alias targets.
    alias_targets: HashSet<String>,
}

impl FileContents {
    /// The contents of these files, each of which is read once.
    pub fn of(files: &[SourceFile], settings: &Settings) -> FileContents {
        let mut found = FileContents::default();
        for file in files {
            found.zones.extend(zone_identity(file, settings).map(|zone| (zone.name, zone.vpcs)));
            if may_define_for_others(file) {
                found.named.append(&mut definitions(file).defines);
                let keys = written_keys(file);
                found.delegation_sets.extend(keys.delegation_sets);
                found.alias_targets.extend(keys.alias_targets);
            }
        }
        found
    }

    /// Whether the files have a zone with this name and these VPCs.
    pub fn has_zone(&self, zone: &ZoneIdentity) -> bool {
        self.zones.contains(&(zone.name.clone(), zone.vpcs.clone()))
    }

    /// Whether the files define all that `file` defines for others.
    pub fn define_all_of(&self, file: &SourceFile) -> bool {
        let keys = written_keys(file);
        definitions(file).defines.is_subset(&self.named)
            && keys.delegation_sets.iter().all(|id| self.delegation_sets.contains(id))
            && keys.alias_targets.iter().all(|name| self.alias_targets.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = "name = 'lab.test'\n[[health_check]]\nname = 'web'\ntype = 'manual'\nstatus = 'healthy'\n\
                       [[cidr_collection]]\nname = 'offices'\n[[cidr_collection.location]]\nname = 'berlin'\nblocks = \
                       ['192.0.2.0/24']\n[[reusable_delegation_set]]\nid = 'N1'\nname_servers = ['ns1.lab.test']\n\
                       [[alias_target]]\nname = 'lb'\ntarget = '*.own.test'\nhosted_zone_id = 'ZOWN'\naddresses = \
                       ['192.0.2.7']\n";

    fn file(text: &str) -> SourceFile {
        SourceFile::new("a.toml", text)
    }

    fn contents(texts: &[&str]) -> FileContents {
        FileContents::of(&texts.iter().map(|text| file(text)).collect::<Vec<_>>(), &Settings::built_in())
    }

    #[test]
    fn a_file_is_defined_elsewhere_if_each_of_its_definitions_is() {
        assert!(contents(&[ALL]).define_all_of(&file(ALL)));
        let parts: Vec<&str> = ALL.split_inclusive("\n").collect();
        let starts: Vec<usize> =
            (0..parts.len()).filter(|&at| parts[at].starts_with("[[") && !parts[at].contains('.')).collect();
        assert_eq!(starts.len(), 4);
        for (number, &start) in starts.iter().enumerate() {
            let end = starts.get(number + 1).copied().unwrap_or(parts.len());
            let part = parts[start..end].concat();
            let rest = parts[..start].concat() + &parts[end..].concat();
            assert!(!contents(&[&rest]).define_all_of(&file(ALL)), "without {part}");
            assert!(contents(&[&rest, &part]).define_all_of(&file(ALL)), "{part}");
        }
    }

    #[test]
    fn a_zone_is_there_if_its_name_and_vpcs_are() {
        let (public, private) = ("name = 'lab.test'\n", "name = 'lab.test'\nvpcs = ['vpc-0123456789abcdef0']\n");
        let identity = |text: &str| zone_identity(&file(text), &Settings::built_in()).unwrap();
        assert!(contents(&[public]).has_zone(&identity("name = 'Lab.Test.'\nid = 'ZOTHER'\n")));
        assert!(!contents(&[public]).has_zone(&identity(private)));
        assert!(contents(&[public, private]).has_zone(&identity(private)));
        assert!(!contents(&[public]).has_zone(&identity("name = 'www.lab.test'\n")));
    }
}
