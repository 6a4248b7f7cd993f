//! Which zone is meant by a name, an id, or the names of record sets.

use crate::model::{HostedZoneId, Name};

use super::{LoadedConfig, ZoneOutline};

/// How many zones a message lists.
const LISTED: usize = 20;

/// Why no zone is meant. Each message ends with the zones that there are, or a hint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoZone {
    /// No zone has this name or id.
    #[error("no zone has the name or the id `{written}`\n  there is: {known}")]
    Unknown {
        /// What was written.
        written: String,
        /// The zones.
        known: String,
    },
    /// No zone contains all names.
    #[error("no zone contains all names of the batch\n  there is: {known}")]
    NotContained {
        /// The zones.
        known: String,
    },
    /// Several zones have the name.
    #[error("several zones have this name\n  hint: choose one by its id: --zone {}", .ids.join(" or --zone "))]
    Several {
        /// Their ids.
        ids: Vec<String>,
    },
}

impl LoadedConfig {
    /// The zone with this name or id, or else the closest one that contains all `names`.
    pub(crate) fn zone_meant(&self, written: Option<&str>, names: &[&Name]) -> Result<HostedZoneId, NoZone> {
        let ids = |is_meant: &dyn Fn(&ZoneOutline<'_>) -> bool| -> Vec<HostedZoneId> {
            self.zone_outlines().filter(is_meant).map(|zone| zone.id.clone()).collect()
        };
        let candidates = match written {
            Some(written) => {
                let name = Name::parse(written).ok();
                ids(&|zone| zone.id.0 == written || name.as_ref() == Some(zone.name))
            }
            None => {
                let contains = |zone: &Name| names.iter().all(|name| name.is_within(zone));
                let zones = self.zone_outlines().map(|zone| zone.name).filter(|zone| contains(zone));
                let closest = zones.max_by_key(|zone| zone.label_count());
                ids(&|zone| Some(zone.name) == closest)
            }
        };
        match (&candidates[..], written) {
            ([id], _) => Ok(id.clone()),
            ([], Some(written)) => Err(NoZone::Unknown { written: written.to_owned(), known: self.zone_names() }),
            ([], None) => Err(NoZone::NotContained { known: self.zone_names() }),
            (ids, _) => Err(NoZone::Several { ids: ids.iter().map(|id| id.0.clone()).collect() }),
        }
    }

    fn zone_names(&self) -> String {
        let names: Vec<String> = self.zone_outlines().take(LISTED).map(|zone| zone.name.to_string()).collect();
        if names.is_empty() { "no zone".to_owned() } else { names.join(", ") }
    }
}
