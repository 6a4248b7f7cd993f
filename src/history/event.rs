//! The events, as the time line and the history have them.

use std::sync::Arc;

use crate::health::{Override, Status, Timestamp};
use crate::objects::{Author, ObjectId, Submission};

/// In memory, a change of an object has this many of its parts.
const SHORT_PARTS: usize = 10;
/// In memory, a text of a part has at most this many characters.
const SHORT_TEXT: usize = 200;

/// A record of the event log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventRecord {
    /// When it happened.
    pub(crate) at: Timestamp,
    /// What happened.
    pub(crate) what: EventKind,
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// The status of a check changed.
    StatusChanged {
        /// The name of the check.
        check: Arc<str>,
        /// The new status; the old one is the opposite.
        to: Status,
        /// The reason.
        why: Arc<str>,
        /// How many records use the check.
        records: usize,
    },
    /// An override was set.
    OverrideSet(Override),
    /// An override was cleared.
    OverrideCleared(Override),
    /// An override expired.
    OverrideEnded(Override),
    /// A drain is complete.
    Drained {
        /// The name of the check.
        check: Arc<str>,
    },
    /// All sentinels are unhealthy; probe results are ignored.
    ServerIsolated {
        /// Their names.
        sentinels: Vec<Arc<str>>,
    },
    /// At least one sentinel is healthy again.
    ServerReconnected {
        /// The names of all sentinels.
        sentinels: Vec<Arc<str>>,
    },
    /// A reload changed something.
    Reloaded {
        /// Changes, for example `lab.test. changed`.
        changes: Vec<String>,
        /// The number of errors in the files.
        errors: usize,
    },
    /// A reload was refused; the previous configuration stays in force.
    NotReloaded {
        /// The reason.
        why: String,
    },
    /// An object was changed.
    Changed(Arc<ObjectChange>),
}

/// A change of an object: by a program, or by an edit of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectChange {
    /// Who made it.
    pub(crate) author: Author,
    /// The object.
    pub(crate) object: ObjectId,
    /// Its name.
    pub(crate) name: String,
    /// The change as GetChange reports it.
    pub(crate) submission: Option<Submission>,
    /// What changed.
    pub(crate) parts: Vec<Part>,
    /// How many more parts changed.
    pub(crate) more: usize,
    /// The caller reference of an object that a program removed. It is never used again.
    pub(crate) caller_reference: Option<String>,
}

/// What changed in an object: a record set, or the members of the object itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// For example `www.lab.test. A`.
    pub(crate) what: String,
    /// Its text before, as zone files have it; `None` if it was added.
    pub(crate) before: Option<String>,
    /// Its text after; `None` if it was removed.
    pub(crate) after: Option<String>,
}

impl EventRecord {
    /// Whether it is a change of the object with this name or id.
    pub(crate) fn is_of(&self, object: &str) -> bool {
        matches!(&self.what, EventKind::Changed(change) if change.is_of(object))
    }
}

impl EventRecord {
    /// Whether it is the change with this id.
    pub(super) fn is_change(&self, id: &str) -> bool {
        let EventKind::Changed(change) = &self.what else { return false };
        change.submission.as_ref().is_some_and(|submission| submission.id == id)
    }
}

impl EventKind {
    /// The event without long texts, to keep in memory.
    pub(crate) fn shortened(self) -> EventKind {
        match self {
            EventKind::Changed(change) => EventKind::Changed(change.shortened().into()),
            other => other,
        }
    }
}

impl ObjectChange {
    /// The first parts, with what differs in each.
    pub(crate) fn shortened(&self) -> ObjectChange {
        let parts: Vec<Part> = self.parts.iter().take(SHORT_PARTS).map(Part::shortened).collect();
        let more = self.more + self.parts.len() - parts.len();
        ObjectChange { parts, more, ..self.clone_without_parts() }
    }

    fn clone_without_parts(&self) -> ObjectChange {
        let ObjectChange { author, object, name, submission, caller_reference, .. } = self;
        ObjectChange {
            author: author.clone(),
            object: object.clone(),
            name: name.clone(),
            submission: submission.clone(),
            parts: Vec::new(),
            more: 0,
            caller_reference: caller_reference.clone(),
        }
    }

    /// Whether the object has this name or id. A name may leave out its last dot.
    fn is_of(&self, object: &str) -> bool {
        let id = self.object.text();
        let name = |name: &str| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        // A zone that was given another name has a part with its former name.
        let is_it = |part: &Part| name(&part.what) == name(object);
        id == object || name(&self.name) == name(object) || self.parts.iter().any(is_it)
    }

    /// For example `removed www.lab.test. A, added new.lab.test. A and 3 more`.
    pub(crate) fn outline(&self, most: usize) -> String {
        let parts: Vec<String> =
            self.parts.iter().take(most).map(|part| format!("{} {}", part.kind(), part.what)).collect();
        match self.more + self.parts.len() - parts.len() {
            0 => parts.join(", "),
            more => format!("{} and {more} more", parts.join(", ")),
        }
    }

    /// The outline with the values before and after, for the log.
    pub(crate) fn in_short(&self) -> String {
        let short = self.shortened();
        let parts: Vec<String> = short.parts.iter().map(Part::in_words).collect();
        match short.more {
            0 => parts.join("; "),
            more => format!("{}; and {more} more", parts.join("; ")),
        }
    }
}

impl Part {
    /// `added`, `changed` or `removed`.
    pub(crate) fn kind(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        }
    }

    /// The text before, or else the one after.
    pub(crate) fn known_text(&self) -> &str {
        self.before.as_deref().or(self.after.as_deref()).unwrap_or_default()
    }

    /// The part with the members that differ, on one line.
    fn shortened(&self) -> Part {
        let lines = |text: &Option<String>| -> Vec<String> {
            let lines = text.iter().flat_map(|text| text.lines()).map(str::trim);
            lines.filter(|line| !is_implied(line)).map(str::to_owned).collect()
        };
        let (before, after) = (lines(&self.before), lines(&self.after));
        let short = |text: &Option<String>, lines: &[String], other: &[String]| {
            let differing: Vec<&str> = lines.iter().filter(|line| !other.contains(line)).map(String::as_str).collect();
            text.as_ref().map(|_| cut(&differing.join(", ")))
        };
        Part {
            what: cut(&self.what),
            before: short(&self.before, &before, &after),
            after: short(&self.after, &after, &before),
        }
    }

    /// For example `changed www.lab.test. A: ttl = 60 → ttl = 30`, of a part that is short.
    fn in_words(&self) -> String {
        let Part { what, before, after } = self;
        match (before, after) {
            (Some(before), Some(after)) => format!("changed {what}: {before} → {after}"),
            (None, Some(after)) => format!("added {what}: {after}"),
            (Some(before), None) => format!("removed {what}: {before}"),
            (None, None) => format!("changed {what}"),
        }
    }
}

/// Lines that the name of a part says too.
fn is_implied(line: &str) -> bool {
    ["[[", "name = ", "type = ", "set_identifier = "].iter().any(|start| line.starts_with(start)) || line.is_empty()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHORT_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
