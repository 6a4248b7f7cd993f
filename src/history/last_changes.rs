//! The last change of each record set of some names.

use std::collections::{HashMap, HashSet};

use super::event::{EventKind, EventRecord};
use super::line::Line;
use crate::health::Timestamp;
use crate::model::HostedZoneId;
use crate::objects::{Author, ObjectId};

/// A change that made a record set or changed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordChange {
    /// When.
    pub(crate) at: Timestamp,
    /// Who.
    pub(crate) author: Author,
    /// `added` or `changed`.
    pub(crate) kind: &'static str,
}

/// Collects changes, given in their order.
#[derive(Debug)]
pub(crate) struct LastChanges {
    zone: HostedZoneId,
    /// The owner names, absolute.
    names: HashSet<String>,
    /// The names as lines of the history have them.
    escaped: Vec<String>,
    /// By what changed, such as `www.lab.test. A blue`: the last change, after one that counts if
    /// that one turns out to be not made. With the numbers of changes.
    found: HashMap<String, Vec<(Option<u64>, RecordChange)>>,
}

impl LastChanges {
    /// Of the record sets of these names in a hosted zone.
    pub(crate) fn of(zone: HostedZoneId, names: HashSet<String>) -> LastChanges {
        let escaped = names.iter().map(|name| name.replace('\\', "\\\\")).collect();
        LastChanges { zone, names, escaped, found: HashMap::new() }
    }

    /// Takes an event.
    pub(crate) fn take(&mut self, record: &EventRecord) {
        self.add(None, record);
    }

    /// Takes a line of the history.
    pub(super) fn take_line(&mut self, text: &str) {
        // Most lines are about other names, and lines can be long.
        let is_about = || text.contains(&self.zone.0) && self.escaped.iter().any(|name| text.contains(name.as_str()));
        if text.starts_with("{\"event\"") && !is_about() {
            return;
        }
        match Line::read(text) {
            Some(Line::Event(line)) => {
                let number = line.intent.as_ref().map(|intent| intent.number);
                self.add(number, &EventRecord::from(*line));
            }
            Some(Line::NotMade(number)) => {
                self.found.values_mut().for_each(|changes| changes.retain(|(known, _)| *known != Some(number)));
            }
            _ => {}
        }
    }

    fn add(&mut self, number: Option<u64>, record: &EventRecord) {
        let EventKind::Changed(change) = &record.what else { return };
        if !matches!(&change.object, ObjectId::HostedZone(id) if *id == self.zone) {
            return;
        }
        for part in &change.parts {
            let owner = part.what.split(' ').next().unwrap_or_default();
            if self.names.contains(owner) {
                let one = RecordChange { at: record.at, author: change.author.clone(), kind: part.kind() };
                let changes = self.found.entry(part.what.clone()).or_default();
                // One change is made at a time.
                changes.drain(..changes.len().saturating_sub(1));
                changes.push((number, one));
            }
        }
    }

    /// The last change of what is called so, such as `www.lab.test. A blue`.
    pub(crate) fn get(&self, what: &str) -> Option<&RecordChange> {
        self.found.get(what)?.last().map(|(_, change)| change)
    }
}
