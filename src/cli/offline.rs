//! Zones without a server: loaded from files as a server loads them, and queried in this process.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::bail;

use crate::config::{Settings, Style};
use crate::control::{HypotheticalHealth, OverrideError, set_hypothetical};
use crate::explain::json::CheckShape;
use crate::health::{Status, Timestamp, Tracker};
use crate::history::ObjectChange;
use crate::load::{CommittedConfig, Loaded, LoadedConfig, Refused, Scope, load_offline};
use crate::model::{HealthCheckId, HostedZone, HostedZoneId};
use crate::objects::{Commit, CommitError};
use crate::store::{Overrides, SettingsSource};
use crate::world::{Catalog, World};

use super::{print_error, settings};

/// Settings, zones and geo databases, compiled; every check healthy.
pub(super) struct OfflineServer {
    /// The settings.
    pub(super) settings: Arc<Settings>,
    config: LoadedConfig,
    catalog: Arc<Catalog>,
    tracker: Tracker,
    /// The records of the zones that were asked for.
    models: Mutex<HashMap<HostedZoneId, Arc<HostedZone>>>,
}

/// The same zones with hypothetical health.
pub(super) struct AssumedWorld {
    /// What answers.
    pub(super) world: World,
    /// The checks without hypotheses.
    natural: Tracker,
    tracker: Tracker,
    hypothetical: Vec<HypotheticalHealth>,
}

impl OfflineServer {
    /// Loads the settings, and these zone files (or all files of these directories) or else the
    /// settings' own. After an error, the diagnostics are printed and there is nothing to query.
    pub(super) fn read(config: Option<&Path>, files: &[PathBuf]) -> anyhow::Result<OfflineServer> {
        let file = settings::locate_or_default(config, files.first().map(PathBuf::as_path))?;
        let source = SettingsSource { file, overrides: Overrides::default() };
        let scope = if files.is_empty() { Scope::Everything } else { Scope::ZonesAndDatabases };
        match load_offline(&source, files, scope) {
            Ok(loaded) => Ok(OfflineServer::of(loaded)),
            Err(Refused::Diagnostics { diagnostics, .. }) => {
                let style = if std::io::stderr().is_terminal() { Style::Coloured } else { Style::Plain };
                print_error(&diagnostics.render(style));
                bail!("these files cannot be served, so there is nothing to query");
            }
            Err(refused) => Err(refused.into()),
        }
    }

    fn of(loaded: Loaded) -> OfflineServer {
        let Loaded { base: config, catalog, .. } = loaded;
        OfflineServer::with(config, catalog)
    }

    fn with(config: LoadedConfig, catalog: Arc<Catalog>) -> OfflineServer {
        let mut tracker = Tracker::new();
        // The load assigned the same slots.
        tracker.apply(&config.checks, Timestamp::default());
        OfflineServer { settings: Arc::clone(&config.settings), config, catalog, tracker, models: Mutex::default() }
    }

    /// The configuration.
    pub(super) fn config(&self) -> &LoadedConfig {
        &self.config
    }

    /// The same after a change that is not made, and what it changes.
    pub(super) fn planned(&self, commit: &Commit) -> Result<(OfflineServer, Arc<ObjectChange>), CommitError> {
        let CommittedConfig { base, catalog, change, .. } = self.config.planned(self.tracker.slots(), commit)?;
        Ok((OfflineServer::with(base, catalog), change))
    }

    /// The world in which checks have the status that `known` returns, or else are healthy, apart
    /// from the hypotheses.
    pub(super) fn assumed(
        &self,
        hypothetical: &[HypotheticalHealth],
        known: &dyn Fn(&str) -> Option<Status>,
    ) -> Result<AssumedWorld, OverrideError> {
        let mut tracker = self.tracker.clone();
        tracker.apply_overrides(known, Timestamp::default());
        let natural = tracker.clone();
        set_hypothetical(&mut tracker, hypothetical, known, Timestamp::default())?;
        let world = World::new(Arc::clone(&self.catalog), &tracker.bits(), Arc::clone(&self.config.geo_lookup));
        Ok(AssumedWorld { world, natural, tracker, hypothetical: hypothetical.to_vec() })
    }

    /// The records of a zone.
    pub(super) fn model(&self, id: &HostedZoneId) -> Result<Arc<HostedZone>, String> {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = models.get(id) {
            return Ok(Arc::clone(model));
        }
        let model = self.config.zone_model(id).map_err(|error| error.to_string())?;
        models.insert(id.clone(), Arc::clone(&model));
        Ok(model)
    }

    /// The records of all zones.
    pub(super) fn models(&self) -> anyhow::Result<Vec<Arc<HostedZone>>> {
        Ok(self.config.zone_models().collect::<Result<_, _>>()?)
    }
}

impl AssumedWorld {
    /// A check with its assumed status.
    pub(super) fn check(&self, id: &HealthCheckId) -> Option<CheckShape> {
        let slot = self.tracker.slot_of(id)?;
        let view = self.tracker.view(slot)?;
        let is_meant = self.hypothetical.iter().any(|hypothetical| hypothetical.pattern.matches(&view.name));
        Some(CheckShape {
            name: view.name.to_string(),
            healthy: view.final_status == Status::Healthy,
            as_if: is_meant || self.natural.status(slot) != Some(view.final_status),
            disabled: view.disabled,
            ..CheckShape::default()
        })
    }
}
