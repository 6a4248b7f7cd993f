//! Events as lines of JSON.
//!
//! ```text
//!  {"event":{"at":1790000000000,"what":{"reloaded":{"changes":["lab.test. changed"],"errors":0}}}}
//!  {"event":{"at":…,"intent":{"number":7,"file":"lab.toml","hash":"…"},"what":{"changed":{…}}}}
//!  {"made":7}                                                  change 7 was made
//!  {"not_made":7}                                              it was not
//!  {"change":{"at":…,"id":"C…","comment":null}}                the id of a change that was dropped
//!  {"reference":{"of":"hosted_zone","caller_reference":"…"}}   that of an object that was removed
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::event::{EventKind, EventRecord, ObjectChange, Part};
use super::override_line::OverrideLine;
use super::past::{ObjectKind, Past, PastChange};
use crate::health::{Status, Timestamp};
use crate::model::{CidrCollectionId, DelegationSetId, HealthCheckId, HostedZoneId, TrafficPolicyId};
use crate::objects::{Author, ObjectId, Submission};

/// A line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    Event(Box<EventLine>),
    Made(u64),
    NotMade(u64),
    Change(ChangeLine),
    Reference(ReferenceLine),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EventLine {
    /// In milliseconds since 1970.
    at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) intent: Option<IntentLine>,
    what: EventKindLine,
}

/// How to find out whether a change was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct IntentLine {
    pub(super) number: u64,
    pub(super) file: PathBuf,
    /// The hash of the text of the file after the change; `None` if there is no such file then.
    pub(super) hash: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EventKindLine {
    StatusChanged { check: String, healthy: bool, why: String, records: usize },
    OverrideSet(OverrideLine),
    OverrideCleared(OverrideLine),
    OverrideEnded(OverrideLine),
    Drained { check: String },
    ServerIsolated { sentinels: Vec<String> },
    ServerReconnected { sentinels: Vec<String> },
    Reloaded { changes: Vec<String>, errors: usize },
    NotReloaded { why: String },
    Changed(ObjectChangeLine),
}

#[derive(Debug, Serialize, Deserialize)]
struct ObjectChangeLine {
    author: String,
    operation: String,
    kind: ObjectKindLine,
    id: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    parts: Vec<PartLine>,
    #[serde(default)]
    more: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    caller_reference: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PartLine {
    what: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ObjectKindLine {
    HostedZone,
    HealthCheck,
    CidrCollection,
    DelegationSet,
    TrafficPolicy,
    AliasTarget,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ChangeLine {
    at: u64,
    id: String,
    comment: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ReferenceLine {
    of: ObjectKindLine,
    caller_reference: String,
}

impl Line {
    pub(super) fn read(text: &str) -> Option<Line> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn text(&self) -> String {
        let mut text = serde_json::to_string(self).expect("a line has strings, numbers and lists of them");
        text.push('\n');
        text
    }

    pub(super) fn event(record: &EventRecord, intent: Option<IntentLine>) -> Line {
        Line::Event(Box::new(EventLine { at: record.at.to_milliseconds(), intent, what: (&record.what).into() }))
    }
}

/// The lines that stay of old events.
pub(super) fn lines_of(past: &Past) -> String {
    let mut references: Vec<_> = past.references.iter().collect();
    references.sort_unstable();
    let references = references.into_iter().map(|(kind, caller_reference)| {
        Line::Reference(ReferenceLine { of: (*kind).into(), caller_reference: caller_reference.clone() })
    });
    let changes = past.changes.iter().map(|PastChange { at, submission }| {
        let Submission { id, comment } = submission.clone();
        Line::Change(ChangeLine { at: at.to_milliseconds(), id, comment })
    });
    references.chain(changes).map(|line| line.text()).collect()
}

impl IntentLine {
    pub(super) fn new(number: u64, file: &Path, hash: Option<u128>) -> IntentLine {
        // A path that is not UTF-8 is not found again, so its change counts as not made.
        let file = PathBuf::from(file.to_string_lossy().into_owned());
        IntentLine { number, file, hash: hash.map(|hash| format!("{hash:x}")) }
    }
}

impl From<EventLine> for EventRecord {
    fn from(line: EventLine) -> EventRecord {
        EventRecord { at: Timestamp::from_milliseconds(line.at), what: line.what.into() }
    }
}

impl From<ChangeLine> for PastChange {
    fn from(line: ChangeLine) -> PastChange {
        let ChangeLine { at, id, comment } = line;
        PastChange { at: Timestamp::from_milliseconds(at), submission: Submission { id, comment } }
    }
}

impl From<ReferenceLine> for (ObjectKind, String) {
    fn from(line: ReferenceLine) -> (ObjectKind, String) {
        (line.of.into(), line.caller_reference)
    }
}

impl From<ObjectKind> for ObjectKindLine {
    fn from(kind: ObjectKind) -> ObjectKindLine {
        match kind {
            ObjectKind::HostedZone => ObjectKindLine::HostedZone,
            ObjectKind::HealthCheck => ObjectKindLine::HealthCheck,
            ObjectKind::CidrCollection => ObjectKindLine::CidrCollection,
            ObjectKind::DelegationSet => ObjectKindLine::DelegationSet,
            ObjectKind::TrafficPolicy => ObjectKindLine::TrafficPolicy,
            ObjectKind::AliasTarget => ObjectKindLine::AliasTarget,
        }
    }
}

impl From<ObjectKindLine> for ObjectKind {
    fn from(line: ObjectKindLine) -> ObjectKind {
        match line {
            ObjectKindLine::HostedZone => ObjectKind::HostedZone,
            ObjectKindLine::HealthCheck => ObjectKind::HealthCheck,
            ObjectKindLine::CidrCollection => ObjectKind::CidrCollection,
            ObjectKindLine::DelegationSet => ObjectKind::DelegationSet,
            ObjectKindLine::TrafficPolicy => ObjectKind::TrafficPolicy,
            ObjectKindLine::AliasTarget => ObjectKind::AliasTarget,
        }
    }
}

impl From<&EventKind> for EventKindLine {
    fn from(what: &EventKind) -> EventKindLine {
        match what.clone() {
            EventKind::StatusChanged { check, to, why, records } => {
                let (check, why) = (check.to_string(), why.to_string());
                EventKindLine::StatusChanged { check, healthy: to == Status::Healthy, why, records }
            }
            EventKind::OverrideSet(granted) => EventKindLine::OverrideSet((&granted).into()),
            EventKind::OverrideCleared(granted) => EventKindLine::OverrideCleared((&granted).into()),
            EventKind::OverrideEnded(granted) => EventKindLine::OverrideEnded((&granted).into()),
            EventKind::Drained { check } => EventKindLine::Drained { check: check.to_string() },
            EventKind::ServerIsolated { sentinels } => EventKindLine::ServerIsolated { sentinels: strings(&sentinels) },
            EventKind::ServerReconnected { sentinels } => {
                EventKindLine::ServerReconnected { sentinels: strings(&sentinels) }
            }
            EventKind::Reloaded { changes, errors } => EventKindLine::Reloaded { changes, errors },
            EventKind::NotReloaded { why } => EventKindLine::NotReloaded { why },
            EventKind::Changed(change) => EventKindLine::Changed((&*change).into()),
        }
    }
}

impl From<EventKindLine> for EventKind {
    fn from(line: EventKindLine) -> EventKind {
        match line {
            EventKindLine::StatusChanged { check, healthy, why, records } => {
                let to = if healthy { Status::Healthy } else { Status::Unhealthy };
                EventKind::StatusChanged { check: check.into(), to, why: why.into(), records }
            }
            EventKindLine::OverrideSet(line) => EventKind::OverrideSet(line.into()),
            EventKindLine::OverrideCleared(line) => EventKind::OverrideCleared(line.into()),
            EventKindLine::OverrideEnded(line) => EventKind::OverrideEnded(line.into()),
            EventKindLine::Drained { check } => EventKind::Drained { check: check.into() },
            EventKindLine::ServerIsolated { sentinels } => EventKind::ServerIsolated { sentinels: shared(sentinels) },
            EventKindLine::ServerReconnected { sentinels } => {
                EventKind::ServerReconnected { sentinels: shared(sentinels) }
            }
            EventKindLine::Reloaded { changes, errors } => EventKind::Reloaded { changes, errors },
            EventKindLine::NotReloaded { why } => EventKind::NotReloaded { why },
            EventKindLine::Changed(line) => EventKind::Changed(Arc::new(line.into())),
        }
    }
}

fn strings(names: &[Arc<str>]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn shared(names: Vec<String>) -> Vec<Arc<str>> {
    names.into_iter().map(Arc::from).collect()
}

impl From<&ObjectChange> for ObjectChangeLine {
    fn from(change: &ObjectChange) -> ObjectChangeLine {
        let ObjectChange { author, object, name, submission, parts, more, caller_reference } = change;
        let id = object.text();
        let part = |Part { what, before, after }: &Part| PartLine {
            what: what.clone(),
            before: before.clone(),
            after: after.clone(),
        };
        ObjectChangeLine {
            author: author.name.clone(),
            operation: author.operation.clone(),
            kind: ObjectKind::of(object).into(),
            id: id.to_owned(),
            name: name.clone(),
            change_id: submission.as_ref().map(|submission| submission.id.clone()),
            comment: submission.as_ref().and_then(|submission| submission.comment.clone()),
            parts: parts.iter().map(part).collect(),
            more: *more,
            caller_reference: caller_reference.clone(),
        }
    }
}

impl From<ObjectChangeLine> for ObjectChange {
    fn from(line: ObjectChangeLine) -> ObjectChange {
        let ObjectChangeLine { author, operation, kind, id, name, change_id, comment, parts, more, caller_reference } =
            line;
        let object = match kind {
            ObjectKindLine::HostedZone => ObjectId::HostedZone(HostedZoneId(id)),
            ObjectKindLine::HealthCheck => ObjectId::HealthCheck(HealthCheckId(id)),
            ObjectKindLine::CidrCollection => ObjectId::CidrCollection(CidrCollectionId(id)),
            ObjectKindLine::DelegationSet => ObjectId::DelegationSet(DelegationSetId(id)),
            ObjectKindLine::TrafficPolicy => ObjectId::TrafficPolicy(TrafficPolicyId(id)),
            ObjectKindLine::AliasTarget => ObjectId::AliasTarget(id),
        };
        let part = |PartLine { what, before, after }| Part { what, before, after };
        ObjectChange {
            author: Author { name: author, operation },
            object,
            name,
            submission: change_id.map(|id| Submission { id, comment }),
            parts: parts.into_iter().map(part).collect(),
            more,
            caller_reference,
        }
    }
}
