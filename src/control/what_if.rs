//! What-if: everything that answers depend on, with health as it is or as the caller supposes it to
//! be.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::health::agreement::AgreedStatus;
use crate::health::{Action, Pattern, Status, Timestamp, Tracker, Transition};
use crate::load::{CommittedConfig, LoadedConfig};
use crate::model::HealthCheckId;
use crate::objects::{Commit, CommitError};
use crate::world::World;

use super::overrides::{apply_overrides, describe};
use super::{CheckReport, HealthView, OverrideError};

/// A hypothetical status for the checks that match a pattern: `blue=down`, `eu-*=up`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HypotheticalHealth {
    /// The checks that it applies to.
    pub(crate) pattern: Pattern,
    /// Their hypothetical status.
    pub(crate) status: Status,
}

/// The string is not a hypothetical status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not valid: write CHECK=up or CHECK=down, for example blue=down or eu-*=down")]
pub(crate) struct BadHypotheticalHealth(String);

/// Everything that answers depend on, at one moment.
pub(crate) struct WhatIf {
    /// That moment.
    pub(crate) at: Timestamp,
    /// The checks as they are.
    view: Arc<HealthView>,
    /// The world that answers queries, or the hypothetical one.
    pub(crate) world: Arc<World>,
    /// The checks with their hypothetical statuses; `None` without any.
    hypothetical: Option<Tracker>,
}

/// The state of one check.
pub(crate) struct CheckSnapshot {
    /// Its state and history.
    pub(crate) report: CheckReport,
    /// A description of the override in force, if any.
    pub(crate) overridden: Option<String>,
}

impl WhatIf {
    /// Whether EDNS Client Subnet is used.
    pub(crate) fn uses_client_subnet(&self) -> bool {
        self.view.uses_client_subnet()
    }

    /// The configuration that the world was made from.
    pub(crate) fn base(&self) -> &LoadedConfig {
        &self.view.base
    }

    /// The state of one check, without hypotheses.
    pub(crate) fn check(&self, id: &HealthCheckId) -> Option<CheckSnapshot> {
        let report = self.view.check(id)?;
        let overridden = self.view.override_of(&report, self.at).map(describe);
        Some(CheckSnapshot { report, overridden })
    }

    /// What the nodes of a cluster agree on; `None` without one.
    pub(crate) fn agreed(&self, check: &CheckReport) -> Option<AgreedStatus> {
        self.view.agreed(check)
    }

    /// The hypothetical status of a check; `None` without hypotheses.
    pub(crate) fn hypothetical_status(&self, id: &HealthCheckId) -> Option<Status> {
        let tracker = self.hypothetical.as_ref()?;
        tracker.status(tracker.slot_of(id)?)
    }
}

/// Sets hypothetical statuses over the observed ones and those that overrides set. The last one for
/// a check counts.
pub(crate) fn set_hypothetical(
    tracker: &mut Tracker,
    hypothetical: &[HypotheticalHealth],
    overridden: &dyn Fn(&str) -> Option<Status>,
    at: Timestamp,
) -> Result<Vec<Transition>, OverrideError> {
    let is_about_nothing =
        |hypothetical: &&HypotheticalHealth| !tracker.names().any(|(_, name)| hypothetical.pattern.matches(name));
    if let Some(idle) = hypothetical.iter().find(is_about_nothing) {
        let mut names: Vec<_> = tracker.names().map(|(_, name)| Arc::clone(name)).collect();
        names.sort_unstable();
        return Err(OverrideError::UnknownCheck { pattern: idle.pattern.0.clone(), names });
    }
    let assumed = |name: &str| hypothetical.iter().rev().find(|hypothetical| hypothetical.pattern.matches(name));
    let status = |name: &str| assumed(name).map(|hypothetical| hypothetical.status).or_else(|| overridden(name));
    Ok(tracker.apply_overrides(&status, at))
}

impl HealthView {
    /// The current world, or the hypothetical one.
    pub(crate) fn what_if(
        self: Arc<HealthView>,
        hypothetical: &[HypotheticalHealth],
        at: Timestamp,
    ) -> Result<WhatIf, OverrideError> {
        let (mut world, mut changed_tracker) = (Arc::clone(&self.world), None);
        if !hypothetical.is_empty() {
            let mut tracker = self.tracker.clone();
            let overridden = |name: &str| self.overrides.on(name, at).map(|known| known.request.action.status());
            let transitions = set_hypothetical(&mut tracker, hypothetical, &overridden, at)?;
            let changed: Vec<_> = transitions.iter().map(|transition| transition.slot).collect();
            // A hypothetical status has no failback delay: its effects are shown as complete.
            let checks = tracker.bits().with_draining(self.in_force.shares(&tracker, at)).with_at_once(changed.clone());
            world = Arc::new(world.with_health(&checks, &changed, at));
            changed_tracker = Some(tracker);
        }
        Ok(WhatIf { at, view: self, world, hypothetical: changed_tracker })
    }
}

/// What would answer after a change that is not made.
pub(crate) struct PlannedChange {
    /// The configuration.
    pub(crate) config: CommittedConfig,
    /// What answers from it, with health as it is.
    pub(crate) world: World,
}

impl HealthView {
    /// What would answer after a change. This compiles zones; do not call it from the control loop.
    pub(crate) fn planned(&self, commit: &Commit, at: Timestamp) -> Result<PlannedChange, CommitError> {
        let config = self.base.planned(self.tracker.slots(), commit)?;
        let mut tracker = self.tracker.clone();
        tracker.apply(&config.base.checks, at);
        apply_overrides(&mut tracker, &self.overrides, at);
        let checks = tracker.bits().with_draining(self.in_force.shares(&tracker, at));
        let geo_lookup = Arc::clone(&config.base.geo_lookup);
        let world = self.world.followed_by(Arc::clone(&config.catalog), &checks, geo_lookup, at);
        Ok(PlannedChange { config, world })
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
    fn hypothetical_statuses_are_read_and_written() {
        for text in ["blue=down", "eu-*=up", "a=b=down"] {
            assert_eq!(text.parse::<HypotheticalHealth>().unwrap().to_string(), text);
        }
        for text in ["", "blue", "blue=", "=down", "blue=sideways"] {
            assert!(text.parse::<HypotheticalHealth>().is_err(), "{text}");
        }
    }
}
