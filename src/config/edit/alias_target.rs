//! Writes alias targets as members of `[[alias_target]]` tables.

use toml_edit::Value;

use super::members::{Member, Members, list, string};
use super::tables::{TableEdit, edit_table};
use super::{EditError, References};
use crate::config::SourceFile;
use crate::config::zones::{DEFAULT_ALIAS_TTL, written_keys};
use crate::model::{AliasResource, AliasService, Content, RecordData, Ttl};

/// The text of `file`, which defines `before`, changed so that it defines `after`. Without `before`
/// the alias target is added, without `after` it is removed.
pub fn edit_alias_target(
    file: &SourceFile,
    before: Option<&AliasResource>,
    after: Option<&AliasResource>,
    references: &References<'_>,
) -> Result<String, EditError> {
    let key = "alias_target";
    let members = |target: &AliasResource| members(target, references);
    let position = |before: &AliasResource| {
        let names = written_keys(file).alias_targets;
        names.iter().position(|name| *name == before.name).ok_or(EditError::Changed)
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

pub(super) fn members(target: &AliasResource, references: &References<'_>) -> Members {
    let AliasResource { name, hosted_zone_id, service, target: pattern, health_check, .. } = target;
    let of_zone = hosted_zone_id.as_ref().and_then(AliasService::of_zone);
    let service = service.map(|service| Member::or_default(service.word(), Some(service) == of_zone));
    let addresses_of = target.addresses_of().map(|name| {
        let name = name.to_string();
        string(name.strip_suffix('.').unwrap_or(&name))
    });
    let (ttl, addresses) = addresses(target);
    let health_check = health_check.as_ref().map(|check| string(references.health_check(check)));
    vec![
        ("name", Member::of(string(name))),
        ("target", Member::of(string(pattern.as_str()))),
        ("service", service.unwrap_or(Member::Absent)),
        ("hosted_zone_id", Member::optional(hosted_zone_id.as_ref().map(|id| string(&id.0)))),
        ("addresses", Member::optional((!addresses.is_empty()).then(|| list(addresses.into_iter())))),
        ("addresses_of", Member::optional(addresses_of)),
        ("ttl", ttl.map_or(Member::Absent, |ttl| Member::or_default(i64::from(ttl), ttl == DEFAULT_ALIAS_TTL))),
        ("health_check", Member::optional(health_check)),
    ]
}

/// The TTL and the addresses of a target that has its own.
fn addresses(target: &AliasResource) -> (Option<Ttl>, Vec<Value>) {
    let (mut all_ttl, mut addresses) = (None, Vec::new());
    for set in &target.record_sets {
        if let Content::Records { ttl, values } = &set.content {
            all_ttl = Some(*ttl);
            addresses.extend(values.iter().map(RecordData::to_string).map(Value::from));
        }
    }
    (all_ttl, addresses)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::{SharedDefinitions, alias_target_text};
    use crate::model::HealthCheck;

    const CHECK: &str = "[[health_check]]\nname = 'web'\ntype = 'manual'\nstatus = 'healthy'\n";
    const FILE: &str = "# Balancers.\n\n# The first.\n[[alias_target]]\nname = 'one' # it\ntarget = \
                        'One-1.eu-central-1.elb.amazonaws.com.'\naddresses = ['192.0.2.1', '2001:db8::1', '192.0.2.2']\n\
                        health_check = 'web'\n\n[[alias_target]]\nname = 'two'\ntarget = '*.lab.test'\nservice = \
                        'network_load_balancer'\naddresses_of = 'www.lab.test.'\n\n[[alias_target]]\nname = 'three'\n\
                        target = 'd1.cloudfront.net'\nhosted_zone_id = 'Z2FDTNDATAQYW2'\naddresses = ['192.0.2.3']\nttl = \
                        '5m'\n";

    fn file(text: &str) -> SourceFile {
        SourceFile::new(PathBuf::from("alias_targets.toml"), text)
    }

    fn read(text: &str) -> (Vec<HealthCheck>, Vec<AliasResource>) {
        let sources = [SourceFile::new(PathBuf::from("checks.toml"), CHECK), file(text)];
        let all = SharedDefinitions::read(&sources).unwrap_or_else(|| panic!("{text}"));
        let mut targets: Vec<AliasResource> = all.alias_resources.iter().cloned().collect();
        targets.sort_by(|one, other| one.name.cmp(&other.name));
        (all.health_checks, targets)
    }

    /// Each text defines what it was made of.
    #[test]
    fn texts_are_read_back() {
        let (checks, targets) = read(FILE);
        let references = References::to(&checks, &[]);
        let texts: String = targets.iter().map(|target| alias_target_text(target, &references)).collect();
        assert_eq!(read(&texts), (checks.clone(), targets), "{texts}");
        let expected = "[[alias_target]]\nname = \"one\"\ntarget = \"one-1.eu-central-1.elb.amazonaws.com\"\naddresses = \
                        [\"192.0.2.1\", \"192.0.2.2\", \"2001:db8::1\"]\nhealth_check = \"web\"\n";
        assert!(texts.starts_with(expected), "{texts}");
    }

    #[test]
    fn only_the_members_that_differ_are_edited() {
        let (checks, targets) = read(FILE);
        let references = References::to(&checks, &[]);
        let mut changed = targets.clone();
        changed[0].health_check = None;
        changed[0].record_sets.iter_mut().for_each(|set| set.health_check = None);
        let text = edit_alias_target(&file(FILE), Some(&targets[0]), Some(&changed[0]), &references).unwrap();
        assert_eq!(text, FILE.replace("health_check = 'web'\n", ""));
        for target in &targets {
            let text = edit_alias_target(&file(FILE), Some(target), None, &references).unwrap();
            assert!(!read(&text).1.contains(target), "{text}");
            let text = edit_alias_target(&file(&text), None, Some(target), &references).unwrap();
            assert_eq!(read(&text).1, targets, "{text}");
        }
        let gone = edit_alias_target(&file(""), Some(&targets[0]), None, &references);
        assert_eq!(gone, Err(EditError::Changed));
    }
}
