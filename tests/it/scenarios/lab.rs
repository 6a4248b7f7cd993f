//! The server without its sockets: from configuration to worlds, in the way of the control loop.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fiftythree::config::{self, ClientSubnetUse, Diagnostic, LoadPhase, Settings, SourceFile};
use fiftythree::geo::GeoLookup;
use fiftythree::health::{
    Action, CheckBits, CheckSlot, Drain, Observation, OverrideRequest, Overrides, Pattern, Status, Timestamp, Tracker,
    WeightShare,
};
use fiftythree::model::HealthCheckId;
use fiftythree::policy::CidrTables;
use fiftythree::serve::{self, ResponderSettings};
use fiftythree::world::{Catalog, ServedZone, World};
use fiftythree::zonetree::Zone;

use super::format::{Scenario, Seen};

/// The time between two observations. No result depends on its length.
const INTERVAL: Duration = Duration::from_secs(10);

/// The state behind the answers of one scenario.
pub(crate) struct Lab {
    settings: Settings,
    /// The served configuration.
    sources: Vec<SourceFile>,
    tracker: Tracker,
    check_ids: HashMap<String, HealthCheckId>,
    geo_lookup: Arc<GeoLookup>,
    catalog: Arc<Catalog>,
    overrides: Overrides,
    now: Timestamp,
    /// The check that got its first result last: its users are in use at once.
    first_seen: Option<CheckSlot>,
}

impl Lab {
    /// Loads settings and zones. `Err` has all messages if they are rejected.
    pub(crate) fn open(scenario: &Scenario) -> Result<Lab, String> {
        let file = SourceFile::new(PathBuf::from("config/fiftythree.toml"), scenario.settings.as_str());
        let (settings, faults) = Settings::read(&file);
        let settings = match settings {
            Some(settings) if !faults.iter().any(Diagnostic::is_error) => settings,
            _ => return Err(words(&faults)),
        };
        let location = &settings.location;
        assert!(location.geoip.is_empty(), "scenarios bring no databases: geo's own tests do");
        let geo_lookup = Arc::new(GeoLookup::build(&location.networks, Vec::new(), &location.latency));
        let mut lab = Lab {
            settings,
            sources: Vec::new(),
            tracker: Tracker::new(),
            check_ids: HashMap::new(),
            geo_lookup,
            catalog: Arc::new(Catalog::build(&[], &[])),
            overrides: Overrides::default(),
            // Long after the epoch, so that earlier times exist.
            now: Timestamp(Duration::from_secs(1_000_000)),
            first_seen: None,
        };
        lab.serve(&scenario.zones, LoadPhase::Start)?;
        Ok(lab)
    }

    /// Loads edited zone files and returns the messages about them. Broken files keep their last
    /// good version.
    pub(crate) fn reload(&mut self, zones: &[String]) -> Result<String, String> {
        self.serve(zones, LoadPhase::Reload)
    }

    fn serve(&mut self, zones: &[String], occasion: LoadPhase) -> Result<String, String> {
        let named = |(number, text): (usize, &String)| SourceFile::new(format!("zones/{number}.toml"), text.as_str());
        let files: Vec<SourceFile> = zones.iter().enumerate().map(named).collect();
        let versions = config::SourceVersions { current: &files, last_good: &self.sources, served: &[] };
        let selected = config::select_sources(versions, &self.settings, occasion).map_err(|faults| words(&faults))?;
        let configuration = selected.configuration;
        self.tracker.apply(&configuration.health_checks, self.now);
        self.check_ids =
            configuration.health_checks.iter().map(|check| (check.name.clone(), check.id.clone())).collect();
        let slot_of = |id: &HealthCheckId| self.tracker.slot_of(id);
        let tables = CidrTables::build(&configuration.cidr_collections);
        let compile = |zone| Arc::new(Zone::compile(zone, &slot_of, &tables));
        let served: Vec<ServedZone> = configuration
            .zones
            .iter()
            .map(|source| ServedZone { zone: compile(&source.zone), vpcs: source.zone.vpcs.clone() })
            .collect();
        self.catalog = Arc::new(Catalog::build(&served, &self.settings.vpcs));
        self.sources = selected.sources;
        Ok(words(&selected.diagnostics))
    }

    /// The world that would be published now.
    pub(crate) fn world(&self) -> World {
        World::new(Arc::clone(&self.catalog), &self.tracker.bits(), Arc::clone(&self.geo_lookup))
    }

    /// Reports a probe result to the tracker. Returns the checks whose status changed.
    pub(crate) fn observe(&mut self, check: &str, seen: Seen) -> Result<Vec<CheckSlot>, String> {
        let id = self.check_ids.get(check).ok_or_else(|| format!("there is no check `{check}`"))?;
        self.now = Timestamp(self.now.0 + INTERVAL);
        let slot = self.tracker.slot_of(id);
        self.first_seen = slot.filter(|slot| self.tracker.is_pending(*slot));
        let probes = self.tracker.probes().into_iter().map(|plan| (plan.id, plan.slot, plan.generation));
        let metrics = self.tracker.metrics().into_iter().map(|plan| (plan.id, plan.slot, plan.generation));
        // A disabled check is not probed, so it has no observations.
        let Some((_, slot, generation)) = probes.chain(metrics).find(|(of, ..)| of == id) else {
            return Ok(Vec::new());
        };
        let observation = match seen {
            Seen::Pass => Observation::Pass,
            Seen::Fail => Observation::Fail,
            Seen::Missing => Observation::Missing,
        };
        let transitions = self.tracker.observe(slot, generation, observation, self.now).into_transitions();
        Ok(transitions.iter().map(|transition| transition.slot).collect())
    }

    /// `world` after the status of these checks changed, made in the way of the control loop.
    pub(crate) fn world_after(&self, world: &World, flipped: &[CheckSlot]) -> World {
        world.with_health(&self.checks(), flipped, self.now)
    }

    /// `world` a second later; `None` if unchanged.
    pub(crate) fn world_a_second_after(&mut self, world: &World) -> Option<World> {
        self.now = Timestamp(self.now.0 + Duration::from_secs(1));
        world.after(&self.checks(), self.now)
    }

    /// The world after `world` when zone files were edited.
    pub(crate) fn world_reloaded(&self, world: &World) -> World {
        world.followed_by(Arc::clone(&self.catalog), &self.checks(), Arc::clone(&self.geo_lookup), self.now)
    }

    /// Applies overrides to checks. Returns the affected checks.
    pub(crate) fn steer(&mut self, people: &BTreeMap<String, String>) -> Result<Vec<CheckSlot>, String> {
        for (check, word) in people {
            let pattern = Pattern(check.clone());
            let action = match word.split_once(' ') {
                Some(("drain", over)) => {
                    let seconds = over.parse().map_err(|_| format!("`{over}` is no number of seconds"))?;
                    Action::Drain(Drain::over(Duration::from_secs(seconds)))
                }
                None if word == "up" => Action::Up,
                None if word == "down" => Action::Down,
                None if word == "clear" => {
                    self.overrides.clear(&pattern);
                    continue;
                }
                _ => return Err(format!("`{word}` is not an override")),
            };
            let (reason, author) = (String::new(), "ada".to_owned());
            let request = OverrideRequest { pattern, action, reason, author, from: self.now, until: None };
            self.overrides.set(request, self.now).map_err(|error| error.to_string())?;
        }
        let overridden = |name: &str| self.overrides.on(name, self.now).map(|known| known.request.action.status());
        self.tracker.apply_overrides(&overridden, self.now);
        Ok(self.tracker.slots().all())
    }

    /// The status of checks including overrides, as the control loop uses it.
    fn checks(&self) -> CheckBits {
        let (mut draining, mut at_once) = (Vec::new(), Vec::from_iter(self.first_seen));
        for (slot, name) in self.tracker.names() {
            let is_up = self.overrides.on(name, self.now).is_some_and(|known| known.request.action == Action::Up);
            at_once.extend(is_up.then_some(slot));
            let left = self.overrides.drains_on(name, self.now).map(|drain| drain.left(self.now));
            let left: Option<Vec<WeightShare>> = left.collect();
            if self.tracker.status_without_overrides(slot) == Some(Status::Healthy) {
                draining.extend(left.and_then(|left| left.into_iter().min()).map(|share| (slot, share)));
            }
        }
        self.tracker.bits().with_draining(draining).with_at_once(at_once)
    }

    /// The response settings.
    pub(crate) fn responses(&self) -> ResponderSettings {
        let client_subnet = match self.settings.location.use_client_subnet {
            ClientSubnetUse::Use => serve::ClientSubnetUse::Use,
            ClientSubnetUse::Ignore => serve::ClientSubnetUse::Ignore,
        };
        let nsid = self.settings.dns.nsid.as_deref().map(Arc::from);
        ResponderSettings {
            udp_payload_max: self.settings.dns.udp_payload_max,
            nsid,
            client_subnet,
            ..ResponderSettings::default()
        }
    }
}

/// All diagnostics, one per line.
fn words(faults: &[Diagnostic]) -> String {
    let said = |fault: &Diagnostic| {
        let parts = [Some(&fault.message), fault.label.as_ref(), fault.hint.as_ref()];
        parts.into_iter().flatten().map(|words| &**words).collect::<Vec<_>>().join("; ")
    };
    faults
        .iter()
        .map(|fault| format!("{:?}: {}: {}", fault.severity, fault.path.display(), said(fault)))
        .collect::<Vec<_>>()
        .join("\n")
}
