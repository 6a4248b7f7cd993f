//! Writes traffic policies as members of `[[traffic_policy]]` tables.

use toml_edit::{Array, InlineTable};

use super::EditError;
use super::members::{Member, Members, list, string};
use super::tables::{TableEdit, edit_table};
use crate::config::SourceFile;
use crate::config::zones::written_keys;
use crate::model::{PolicyVersion, TrafficPolicy};

/// The text of `file`, which defines `before`, changed so that it defines `after`. Without `before`
/// the policy is added, without `after` it is removed.
pub fn edit_traffic_policy(
    file: &SourceFile,
    before: Option<&TrafficPolicy>,
    after: Option<&TrafficPolicy>,
) -> Result<String, EditError> {
    let key = "traffic_policy";
    let position = |before: &TrafficPolicy| {
        let ids = written_keys(file).traffic_policies;
        ids.iter().position(|id| *id == before.id.0).ok_or(EditError::Changed)
    };
    match (before, after) {
        (None, None) => Ok(file.text.to_string()),
        (None, Some(after)) => edit_table(&file.text, key, &TableEdit::Add(&members(after))),
        (Some(before), None) => edit_table(&file.text, key, &TableEdit::Remove(position(before)?)),
        (Some(before), Some(after)) => {
            edit_table(&file.text, key, &TableEdit::Update(position(before)?, &members(before), &members(after)))
        }
    }
}

pub(super) fn members(policy: &TrafficPolicy) -> Members {
    let TrafficPolicy { id, name, versions } = policy;
    let versions: Array = list(versions.iter().map(|one| version(one).into()));
    vec![("id", Member::of(string(&id.0))), ("name", Member::of(string(name))), ("versions", Member::of(versions))]
}

fn version(version: &PolicyVersion) -> InlineTable {
    let PolicyVersion { number, comment, document, is_deleted } = version;
    let mut members = vec![("number", i64::from(*number).into())];
    members.extend(comment.as_ref().map(|comment| ("comment", string(comment))));
    members.push(("document", string(document)));
    members.extend(is_deleted.then_some(("deleted", true.into())));
    members.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::{Settings, read_zones};
    use crate::model::TrafficPolicyId;

    const DOCUMENT: &str = "{\n\"AWSPolicyFormatVersion\": \"2015-10-01\", \"RecordType\": \"A\",\r\n\t\"StartEndpoint\": \
                            \"it's\", \"Endpoints\": {\"it's\": {\"Value\": \"192.0.2.1\"}}}";

    fn file(text: &str) -> SourceFile {
        SourceFile::new(PathBuf::from("traffic_policies.toml"), text)
    }

    fn read(text: &str) -> Vec<TrafficPolicy> {
        let settings = Settings::read(&SourceFile::new(PathBuf::from("fiftythree.toml"), "")).0.unwrap();
        let reading = read_zones(&[file(text)], &settings);
        assert!(reading.is_sound(), "{:?}", reading.diagnostics);
        reading.configuration.traffic_policies
    }

    #[test]
    fn policies_get_versions_and_are_read_back() {
        let version = |number, comment: Option<&str>| PolicyVersion {
            number,
            comment: comment.map(str::to_owned),
            document: DOCUMENT.to_owned(),
            is_deleted: false,
        };
        let id = TrafficPolicyId("11111111-1111-4111-8111-111111111111".to_owned());
        let policy = TrafficPolicy { id, name: "canary \"1\"".to_owned(), versions: vec![version(1, Some("first"))] };
        let text = edit_traffic_policy(&file("# Policies.\n"), None, Some(&policy)).unwrap();
        assert_eq!(read(&text), std::slice::from_ref(&policy), "{text}");
        let mut after = policy.clone();
        after.versions[0].is_deleted = true;
        after.versions.push(version(2, None));
        let text = edit_traffic_policy(&file(&text), Some(&policy), Some(&after)).unwrap();
        assert_eq!(read(&text), std::slice::from_ref(&after), "{text}");
        let text = edit_traffic_policy(&file(&text), Some(&after), None).unwrap();
        assert!(read(&text).is_empty() && text.starts_with("# Policies.\n"), "{text}");
    }
}
