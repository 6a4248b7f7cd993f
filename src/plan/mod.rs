//! What a change would do, before it is made: the objects before and after, and what clients get.
//!
//! - [`Plan`]: the result, as JSON has it.
//! - [`KnownClients`]: the clients that the settings and the collections know.
//! - [`Plan::of`]: compares two configurations that are not necessarily served.

mod answers;
mod clients;
mod subjects;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub(crate) use clients::{KnownClients, clients_of_databases};

use crate::history::{ObjectChange, Part};
use crate::load::LoadedConfig;
use crate::simulate::Population;
use crate::world::World;

/// One side of the comparison: a configuration, and what answers from it.
#[derive(Clone, Copy)]
pub(crate) struct Side<'s> {
    /// The configuration.
    pub(crate) config: &'s LoadedConfig,
    /// The same, compiled and with health.
    pub(crate) world: &'s World,
}

/// What a change would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The objects that change.
    pub(crate) changes: Vec<PlannedObject>,
    /// The names whose clients get something else.
    pub(crate) answers: Vec<PlannedAnswers>,
    /// Names and types that change and of which every simulated client gets the same records.
    pub(crate) same_answers: Vec<String>,
    /// How many names and types were not simulated because there are too many.
    pub(crate) not_simulated: usize,
    /// The places of the simulated clients.
    pub(crate) places: Vec<String>,
}

/// An object that changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlannedObject {
    /// For example `hosted_zone`.
    pub(crate) kind: String,
    /// Its id.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// The record sets and members that change.
    pub(crate) parts: Vec<PlannedPart>,
    /// How many more there are.
    pub(crate) more: usize,
}

/// A record set that changes, or the members of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlannedPart {
    /// `added`, `changed` or `removed`.
    pub(crate) change: String,
    /// For example `www.lab.test. A`.
    pub(crate) what: String,
    /// Its text in a zone file before; absent if it is added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<String>,
    /// Its text after; absent if it is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<String>,
}

/// What clients get for one name and type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlannedAnswers {
    /// The name.
    pub(crate) name: String,
    /// The type.
    #[serde(rename = "type")]
    pub(crate) record_type: String,
    /// The places whose clients get something else; those that get the same are together.
    pub(crate) clients: Vec<ClientAnswers>,
}

/// What the clients of some places get.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClientAnswers {
    /// The places.
    pub(crate) places: Vec<String>,
    /// Whether they are all places.
    pub(crate) is_everywhere: bool,
    /// What they get before.
    pub(crate) before: Vec<RecordShare>,
    /// What they get after.
    pub(crate) after: Vec<RecordShare>,
}

/// A record set, and how many clients get it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RecordShare {
    /// Its name and type; absent for no records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) record_set: Option<String>,
    /// Its set identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) set_identifier: Option<String>,
    /// Its values.
    pub(crate) values: Vec<String>,
    /// The percentage of the clients that get it. Several record sets can answer one client.
    pub(crate) percent: f64,
}

impl Plan {
    /// Compares two configurations in which these objects differ. Each client of `population` asks
    /// for each name that changes, and for each alias of such a name; at most about `budget`
    /// queries are answered. An error is in words.
    pub(crate) fn of<'c>(
        before: Side<'_>,
        after: Side<'_>,
        changes: impl IntoIterator<Item = &'c ObjectChange>,
        population: &Population,
        budget: u64,
    ) -> Result<Plan, String> {
        let changes: Vec<&ObjectChange> = changes.into_iter().collect();
        let subjects = subjects::of(before.config, after.config, &changes)?;
        let mut plan = answers::simulate(before, after, subjects, population, budget)?;
        plan.changes = changes.into_iter().map(PlannedObject::from).collect();
        Ok(plan)
    }

    /// Whether nothing would change.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl From<&ObjectChange> for PlannedObject {
    fn from(change: &ObjectChange) -> PlannedObject {
        let part = |part: &Part| PlannedPart {
            change: part.kind().to_owned(),
            what: part.what.clone(),
            before: part.before.clone(),
            after: part.after.clone(),
        };
        PlannedObject {
            kind: change.object.kind().to_owned(),
            id: change.object.text().to_owned(),
            name: change.name.clone(),
            parts: change.parts.iter().map(part).collect(),
            more: change.more,
        }
    }
}
