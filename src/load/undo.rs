//! The inverse of a change of the history, as a new change.
//!
//! The history has the text of each record set and of the members before and after the change. What
//! is there now must still be as the change left it: else a later change touched the same, and its
//! author has to decide.

use std::collections::HashMap;

use crate::config::{self, References, SharedDefinitions, SourceFile, SourceOrigin};
use crate::history::{ObjectChange, Part};
use crate::model::RecordType;
use crate::objects::{self, Change, CommitError, Object, ObjectId, Revision, removal_problem};

use super::LoadedConfig;
use super::difference::texts_of;

/// The most errors that are listed of a text that is no longer valid.
const LISTED: usize = 20;
/// The name of what is read in the place of a file.
const UNDONE: &str = "undo";

/// A change that undoes another, for an object in this state.
#[derive(Debug)]
pub(crate) struct Inverse {
    /// The change.
    pub(crate) change: Change,
    /// The revision that the object must have; `None` if there is no object.
    pub(crate) expected: Option<Revision>,
}

/// Something is not as the change left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UndoConflict {
    /// For example `www.lab.test. A`.
    pub(crate) what: String,
    /// What it is now, in words.
    pub(crate) now: &'static str,
}

/// Why a change cannot be undone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoInverse {
    /// Later changes touched the same.
    #[error("later changes touched the same")]
    Conflicts(Vec<UndoConflict>),
    /// The history does not have what is needed, or it is no longer valid.
    #[error("{0}")]
    Impossible(String),
    /// The object cannot be read, or a rule is against it.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// The message about a record set that a later change touched.
pub(crate) const CHANGED: &str = "has changed since";
/// The message about a record set whose check or collection has another name now. The record set
/// itself need not have changed.
pub(crate) const OTHER_REFERENCE: &str = "now refers to a health check or CIDR collection with another name";

/// The texts of an object: of its members, and of its record sets and groups.
type Texts = Vec<(String, String)>;

impl LoadedConfig {
    /// The inverse of a change. `is_forced` says that it may remove more record sets than
    /// `[api] largest_removal` allows.
    pub(crate) fn inverse(&self, change: &ObjectChange, is_forced: bool) -> Result<Inverse, NoInverse> {
        if change.more > 0 {
            return Err(impossible("the history has only a part of it, because it is too large"));
        }
        if change.parts.is_empty() {
            return Err(impossible("it changed nothing"));
        }
        let hides_secrets = |part: &Part| part.before.as_ref().is_some_and(|text| config::hides_secrets(text));
        if matches!(change.object, ObjectId::HealthCheck(_)) && change.parts.iter().any(hides_secrets) {
            return Err(impossible("it has secret values, which the history does not keep"));
        }
        self.check_identity(change)?;
        let current = match objects::current(self, &change.object) {
            Ok(object) => Some(object),
            Err(CommitError::Refused(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let references = References::to(&self.checks, self.cidr_collections());
        let texts = current.as_ref().map(|object| texts_of(object, &references)).unwrap_or_default();
        let texts = undone(texts, change)?;
        let object = self.object_of(change, current.as_ref(), &texts)?;
        if let (Some(Object::HostedZone(before)), false) = (&current, is_forced) {
            let left = match &object {
                Some(Object::HostedZone(after)) => &after.record_sets[..],
                _ => &[],
            };
            if let Some(problem) = removal_problem(self, &before.record_sets, left) {
                return Err(NoInverse::Impossible(format!("{problem}. To undo it anyway: `fiftythree undo --force`")));
            }
        }
        let change_of = |object: Option<Object>| match (&change.object, object) {
            (ObjectId::HealthCheck(_) | ObjectId::DelegationSet(_) | ObjectId::TrafficPolicy(_), None) => {
                Change::Delete
            }
            (_, object) => Change::Revert(object),
        };
        let expected = current.as_ref().and_then(|_| self.revision(&change.object));
        Ok(Inverse { change: change_of(object), expected })
    }

    /// A zone has another name or id only by an edit of its file; programs cannot make such a
    /// change, and removing or adding a zone would be only a half of its undo.
    fn check_identity(&self, change: &ObjectChange) -> Result<(), NoInverse> {
        let ObjectId::HostedZone(id) = &change.object else { return Ok(()) };
        let is_of_zone = |part: &&Part| !part.known_text().starts_with("[[");
        let own = || change.parts.iter().filter(is_of_zone);
        let Some(before) = own().find_map(|part| part.before.as_deref()) else { return Ok(()) };
        let Some(after) = own().find_map(|part| part.after.as_deref()) else { return Ok(()) };
        // Other errors are reported when the whole text is read.
        let Ok(old) = self.zone_of_texts(&vec![(String::new(), before.to_owned())]) else { return Ok(()) };
        if old.id() == change.object && old.name() == change.name {
            return Ok(());
        }
        let [old_lines, new_lines] = [before, after].map(identity_lines);
        let file = self.files.iter().find(|file| file.id() == Some(id));
        let file = file.map_or_else(|| "its file".to_owned(), |file| file.path.display().to_string());
        Err(NoInverse::Impossible(format!(
            "it gave a hosted zone another name, id or VPCs, which only an edit of the file can do. To undo it, write \
             this in {file}, in the place of `{}`:\n  {}",
            new_lines.join("`, `"),
            old_lines.join("\n  ")
        )))
    }

    /// The object that these texts define; `None` if nothing is left.
    fn object_of(
        &self,
        change: &ObjectChange,
        current: Option<&Object>,
        texts: &Texts,
    ) -> Result<Option<Object>, NoInverse> {
        let has_members = texts.iter().any(|(what, _)| *what == change.name);
        if matches!(change.object, ObjectId::HostedZone(_)) {
            return match current {
                _ if has_members => self.zone_of_texts(texts).map(Some),
                Some(_) => nothing_else(change, texts),
                None => Err(NoInverse::Conflicts(vec![UndoConflict { what: change.name.clone(), now: "is gone" }])),
            };
        }
        match texts.first() {
            Some((_, text)) => self.definition_of_text(change, current, text).map(Some),
            None => Ok(None),
        }
    }

    fn zone_of_texts(&self, texts: &Texts) -> Result<Object, NoInverse> {
        let text = texts.iter().map(|(_, text)| &**text).collect::<Vec<_>>().join("\n");
        let source = SourceFile::new(UNDONE, text);
        let reading = self.common.zone(&source, SourceOrigin::Current, &self.settings);
        match reading.and_then(|reading| reading.zone) {
            Some(zone) => Ok(Object::HostedZone(zone)),
            None => Err(self.no_longer_valid(source)),
        }
    }

    fn definition_of_text(
        &self,
        change: &ObjectChange,
        current: Option<&Object>,
        text: &str,
    ) -> Result<Object, NoInverse> {
        let source = SourceFile::new(UNDONE, text);
        let mut sources = self.defining_sources()?;
        if let Some(current) = current {
            let (path, _, without) = self.definition_text(&change.object, Some(current), None)?;
            let of_object = sources.iter_mut().find(|source| source.path == path);
            of_object.into_iter().for_each(|source| source.text = without.as_deref().unwrap_or_default().into());
        }
        sources.push(source.clone());
        let Some(all) = SharedDefinitions::read(&sources) else { return Err(self.no_longer_valid(source)) };
        let object = match (&change.object, current) {
            (ObjectId::HealthCheck(id), current) => {
                let mut check = all.health_checks.iter().find(|check| check.id == *id).cloned();
                if let (Some(check), Some(Object::HealthCheck(current))) = (&mut check, current) {
                    // API HealthCheckVersion: each change has a number of its own.
                    check.version = current.version + 1;
                }
                check.map(|check| Object::HealthCheck(check.into()))
            }
            (ObjectId::CidrCollection(id), current) => {
                let mut collection = all.cidr_collections.iter().find(|collection| collection.id == *id).cloned();
                if let (Some(collection), Some(Object::CidrCollection(current))) = (&mut collection, current) {
                    collection.version = current.version + 1;
                }
                collection.map(|collection| Object::CidrCollection(collection.into()))
            }
            (ObjectId::DelegationSet(id), _) => {
                let set = all.delegation_sets.iter().find(|set| set.id == *id).cloned();
                set.map(|set| Object::DelegationSet(set.into()))
            }
            (ObjectId::TrafficPolicy(id), _) => {
                let policy = all.traffic_policies.iter().find(|policy| policy.id == *id).cloned();
                policy.map(|policy| Object::TrafficPolicy(policy.into()))
            }
            (ObjectId::AliasTarget(name), _) => {
                let target = all.alias_resources.iter().find(|target| target.name == *name).cloned();
                target.map(|target| Object::AliasTarget(target.into()))
            }
            (ObjectId::HostedZone(_), _) => None,
        };
        object.ok_or_else(|| self.no_longer_valid(source))
    }

    /// What is wrong with a text of the history, in the words of `fiftythree check`.
    fn no_longer_valid(&self, source: SourceFile) -> NoInverse {
        let Ok(mut sources) = self.defining_sources() else { return impossible("its former state is no longer valid") };
        sources.push(source);
        let diagnostics = config::read_zones(&sources, &self.settings).diagnostics;
        let mut messages: Vec<String> =
            diagnostics.iter().filter(|one| one.is_error()).take(LISTED).map(|one| one.message.to_string()).collect();
        messages.insert(
            0,
            "its former state is no longer valid; if something that it refers to was deleted, undo that first:"
                .to_owned(),
        );
        NoInverse::Impossible(messages.join("\n  "))
    }

    fn defining_sources(&self) -> Result<Vec<SourceFile>, CommitError> {
        let files = self.files.iter().filter(|file| file.may_define);
        files.map(|file| self.source_of(file).map_err(CommitError::Unavailable)).collect()
    }
}

/// The texts of the object before the change, as far as it touched them.
fn undone(mut texts: Texts, change: &ObjectChange) -> Result<Texts, NoInverse> {
    let positions: HashMap<Key, usize> =
        texts.iter().enumerate().map(|(at, (what, text))| (key(what, text), at)).collect();
    let mut conflicts = Vec::new();
    let (mut gone, mut added) = (Vec::new(), Vec::new());
    for Part { what, before, after } in &change.parts {
        let Some(known) = before.as_ref().or(after.as_ref()) else { continue };
        let at = positions.get(&key(what, known)).copied();
        let now = match (at.map(|at| &texts[at].1), after) {
            (Some(now), Some(after)) if now == after => None,
            (None, None) => None,
            (Some(now), Some(after)) if differs_in_reference(now, after) => Some(OTHER_REFERENCE),
            (Some(_), Some(_)) => Some(CHANGED),
            (Some(_), None) => Some("is there again"),
            (None, Some(_)) => Some("is gone"),
        };
        conflicts.extend(now.map(|now| UndoConflict { what: what.clone(), now }));
        match (at, before) {
            (Some(at), Some(before)) => before.clone_into(&mut texts[at].1),
            (Some(at), None) => gone.push(at),
            (None, Some(before)) => added.push((what.clone(), before.clone())),
            (None, None) => {}
        }
    }
    if !conflicts.is_empty() {
        return Err(NoInverse::Conflicts(conflicts));
    }
    let mut at = 0..;
    texts.retain(|_| at.next().is_some_and(|at| !gone.contains(&at)));
    // The members of a zone come first.
    let members = added.iter().position(|(what, _)| *what == change.name).map(|at| added.remove(at));
    texts.splice(0..0, members);
    texts.extend(added);
    Ok(texts)
}

/// A record set and the settings of a group may be called the same.
type Key = (String, bool);

fn key(what: &str, text: &str) -> Key {
    (what.to_owned(), text.starts_with("[[record_group]]"))
}

/// A zone that a change added is removed if it has nothing else.
fn nothing_else(change: &ObjectChange, texts: &Texts) -> Result<Option<Object>, NoInverse> {
    // Every zone has them.
    let [soa, ns] = [RecordType::Soa, RecordType::Ns].map(|record_type| format!("{} {record_type}", change.name));
    let others = texts.iter().filter(|(what, _)| *what != soa && *what != ns);
    let conflicts: Vec<UndoConflict> =
        others.map(|(what, _)| UndoConflict { what: what.clone(), now: "was added since" }).collect();
    if conflicts.is_empty() { Ok(None) } else { Err(NoInverse::Conflicts(conflicts)) }
}

/// Whether two texts of a record set differ only in what they refer to by name.
fn differs_in_reference(one: &str, other: &str) -> bool {
    let is_reference = |line: &&str| line.starts_with("health_check = ") || line.starts_with("cidr = ");
    let has_reference = |text: &str| text.lines().any(|line| is_reference(&line));
    let rest =
        |text: &str| -> Vec<String> { text.lines().filter(|line| !is_reference(line)).map(str::to_owned).collect() };
    has_reference(one) && has_reference(other) && rest(one) == rest(other)
}

/// The lines of a zone that say which one it is.
fn identity_lines(members: &str) -> Vec<&str> {
    let keys = ["name = ", "id = ", "vpcs = "];
    members.lines().filter(|line| keys.iter().any(|key| line.starts_with(key))).collect()
}

fn impossible(why: &str) -> NoInverse {
    NoInverse::Impossible(why.to_owned())
}
