//! What-if: everything that answers depend on, with health as it is or as the caller supposes it to
//! be.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::config::ClientSubnetUse;
use crate::health::{Action, Pattern, Recent, Status, Timestamp, Tracker, Transition};
use crate::load::LoadedConfig;
use crate::model::HealthCheckId;
use crate::world::World;

use super::overrides::describe;
use super::{CheckReport, Control, OverrideError};

/// A hypothetical status for the checks that match a pattern: `blue=down`, `eu-*=up`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HypotheticalHealth {
    /// The checks that it applies to.
    pub pattern: Pattern,
    /// Their hypothetical status.
    pub status: Status,
}

/// The string is not a hypothetical status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not valid: write CHECK=up or CHECK=down, for example blue=down or eu-*=down")]
pub struct BadHypotheticalHealth(String);

/// Everything that answers depend on, at one moment.
pub struct WhatIf {
    /// That moment.
    pub at: Timestamp,
    /// When the server started.
    pub started: Timestamp,
    /// The world that answers queries.
    pub world: Arc<World>,
    /// The configuration it was made from.
    pub base: LoadedConfig,
    /// The checks with their hypothetical status, if any is supposed.
    supposed: Option<Tracker>,
}

/// The state of one check.
pub struct CheckSnapshot {
    /// When it was taken.
    pub at: Timestamp,
    /// Its state and history.
    pub report: CheckReport,
    /// A description of the override in force, if any.
    pub held: Option<String>,
}

impl WhatIf {
    /// Whether EDNS Client Subnet is used.
    pub fn uses_client_subnet(&self) -> bool {
        self.base.settings.location.use_client_subnet == ClientSubnetUse::Use
    }

    /// The hypothetical status of a check; `None` without hypotheses.
    pub fn supposed(&self, id: &HealthCheckId) -> Option<Status> {
        let tracker = self.supposed.as_ref()?;
        tracker.status(tracker.slot_of(id)?)
    }
}

/// Sets hypothetical statuses over the observed and the `forced` ones. The last one for a check
/// counts.
pub fn suppose(
    tracker: &mut Tracker,
    hypothetical: &[HypotheticalHealth],
    forced: &dyn Fn(&str) -> Option<Status>,
    at: Timestamp,
) -> Result<Vec<Transition>, OverrideError> {
    let is_about_nothing =
        |hypothetical: &&HypotheticalHealth| !tracker.names().any(|(_, name)| hypothetical.pattern.matches(name));
    if let Some(idle) = hypothetical.iter().find(is_about_nothing) {
        let mut names: Vec<_> = tracker.names().map(|(_, name)| Arc::clone(name)).collect();
        names.sort_unstable();
        return Err(OverrideError::UnknownCheck { pattern: idle.pattern.0.clone(), names });
    }
    let supposed = |name: &str| hypothetical.iter().rev().find(|hypothetical| hypothetical.pattern.matches(name));
    let status = |name: &str| supposed(name).map(|hypothetical| hypothetical.status).or_else(|| forced(name));
    Ok(tracker.apply_overrides(&status, at))
}

impl Control {
    /// The current world, or the hypothetical one.
    pub(super) fn stage(&self, hypothetical: &[HypotheticalHealth], at: Timestamp) -> Result<WhatIf, OverrideError> {
        let (mut world, mut supposed) = (self.reader.load(), None);
        if !hypothetical.is_empty() {
            let mut tracker = self.tracker.clone();
            let forced = |name: &str| self.overrides.on(name, at).map(|known| known.request.action.status());
            let transitions = suppose(&mut tracker, hypothetical, &forced, at)?;
            let changed: Vec<_> = transitions.iter().map(|transition| transition.slot).collect();
            // A hypothetical status has no failback delay: its effects are shown as complete.
            let checks = tracker.bits().with_draining(self.steering.shares(&tracker, at)).with_at_once(changed.clone());
            world = Arc::new(world.with_health(&checks, &changed, at));
            supposed = Some(tracker);
        }
        Ok(WhatIf { at, started: self.started, world, base: self.base.clone(), supposed })
    }

    /// The state of one check.
    pub(super) fn check_now(&self, id: &HealthCheckId, at: Timestamp) -> Option<CheckSnapshot> {
        let slot = self.tracker.slot_of(id)?;
        let view = self.tracker.view(slot)?;
        let held = self.overrides.on(&view.name, at).map(describe);
        Some(CheckSnapshot {
            at,
            report: CheckReport {
                history: self.check_histories.of(slot),
                recent: Recent::default(),
                is_remembered: !self.check_histories.has_result(slot),
                view,
            },
            held,
        })
    }
}

impl FromStr for HypotheticalHealth {
    type Err = BadHypotheticalHealth;

    fn from_str(text: &str) -> Result<HypotheticalHealth, BadHypotheticalHealth> {
        let wrong = || BadHypotheticalHealth(text.to_owned());
        let (pattern, word) = text.rsplit_once('=').ok_or_else(wrong)?;
        let action = [Action::Up, Action::Down].into_iter().find(|action| action.as_str() == word).ok_or_else(wrong)?;
        if pattern.is_empty() {
            return Err(wrong());
        }
        Ok(HypotheticalHealth { pattern: Pattern(pattern.to_owned()), status: action.status() })
    }
}

impl fmt::Display for HypotheticalHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.status {
            Status::Healthy => Action::Up.as_str(),
            Status::Unhealthy => Action::Down.as_str(),
        };
        write!(f, "{}={word}", self.pattern.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suppositions_are_read_and_written() {
        for text in ["blue=down", "eu-*=up", "a=b=down"] {
            assert_eq!(text.parse::<HypotheticalHealth>().unwrap().to_string(), text);
        }
        for text in ["", "blue", "blue=", "=down", "blue=sideways"] {
            assert!(text.parse::<HypotheticalHealth>().is_err(), "{text}");
        }
    }
}
