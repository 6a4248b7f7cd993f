//! Loads: when one starts, and what its outcome changes.

use std::sync::Arc;

use crate::config::Style;
use crate::health::{Applied, Timestamp, Transition};
use crate::load::queue::Job;
use crate::load::{
    Deferred, LoadDiagnostics, LoadOutcome, LoadRequest, Loaded, LoadedConfig, RecordsByCheck, Refused, Summary,
    Trigger,
};
use crate::store::STILL;
use crate::world::Catalog;

use super::overrides::OverridesInForce;
use super::{Control, EventKind, overrides, reloads};

/// The outcome of the last load, as the API shows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastLoad {
    /// When it ended.
    pub(crate) at: Timestamp,
    /// What is served.
    pub(crate) summary: Arc<Summary>,
    /// Errors and warnings in the files as they were last read.
    pub(crate) diagnostics: Arc<LoadDiagnostics>,
    /// Why the last load was refused; `None` if it was not.
    pub(crate) refused: Option<String>,
}

/// A load in progress.
pub(super) struct Loading {
    generation: u64,
    trigger: Trigger,
    /// A reload requested since it began.
    again: Option<Trigger>,
}

/// The health checks that a new configuration changed.
pub(super) struct Served {
    applied: Applied,
    overridden: Vec<Transition>,
    agreed: Vec<Transition>,
}

impl LastLoad {
    pub(super) fn of(summary: Summary, at: Timestamp) -> LastLoad {
        // The history has them.
        let summary = Summary { object_changes: Vec::new(), ..summary };
        LastLoad { at, diagnostics: Arc::clone(&summary.diagnostics), summary: Arc::new(summary), refused: None }
    }
}

impl Control {
    pub(super) fn reload(&mut self, trigger: Trigger) {
        if trigger == Trigger::Requested {
            self.outputs.reloads.send_modify(|reloads| reloads.requested += 1);
        }
        if let Some(loading) = &mut self.loading {
            loading.again = Some(stronger(loading.again, trigger));
        } else if self.is_committing() {
            self.load_after_commit(trigger);
        } else {
            self.begin_load(trigger);
        }
    }

    pub(super) fn begin_load(&mut self, trigger: Trigger) {
        self.last_generation += 1;
        let generation = self.last_generation;
        let slots = self.tracker.slots().clone();
        let request = LoadRequest { generation, base: self.base.clone(), slots, trigger };
        if self.outputs.jobs.send(Job::Load(request)).is_err() {
            if let Some(held_back) = self.warnings.admit("the loader thread has ended") {
                tracing::error!("the loader thread has ended: nothing can be reloaded until a restart{held_back}");
            }
            self.finish_reloads("nothing can be reloaded until a restart".to_owned());
            return;
        }
        self.loading = Some(Loading { generation, trigger, again: None });
    }

    pub(super) fn finish_load(&mut self, outcome: LoadOutcome, at: Timestamp) {
        let Some(loading) = self.loading.take_if(|loading| loading.generation == outcome.generation) else {
            tracing::debug!(generation = outcome.generation, "a stale load result was dropped");
            return;
        };
        let line = reloads::outcome(outcome.result.as_ref().map(|loaded| &loaded.summary));
        let mut again = loading.again;
        match outcome.result {
            Ok(loaded) => self.apply(*loaded, loading.trigger, at),
            Err(refused) => {
                self.counters.refuse(&refused);
                self.publish_batch(at);
                self.report_refused(&refused, at);
                if matches!(refused, Refused::Unresponsive(_)) {
                    // The next load skips what does not respond, so all other edits are loaded.
                    again = Some(stronger(again, loading.trigger));
                }
            }
        }
        match again {
            Some(trigger) => self.begin_load(trigger),
            None => {
                self.finish_reloads(line);
                self.begin_commit();
            }
        }
    }

    /// Marks the requested reloads as done, so that those who wait for them continue.
    fn finish_reloads(&self, outcome: String) {
        self.outputs.reloads.send_modify(|reloads| {
            reloads.done = reloads.requested;
            reloads.outcome = outcome.into();
        });
    }

    /// Publishes what was loaded, and reports it.
    pub(super) fn apply(&mut self, loaded: Loaded, trigger: Trigger, at: Timestamp) {
        let Loaded { base, catalog, records_by_check, summary } = loaded;
        self.counters.load(&summary, at);
        if self.opinions.is_some() {
            // In a cluster a load does not wait for the disk.
            self.keep_on_next_tick();
        }
        let before = self.base.clone();
        let served = self.serve(base, catalog, records_by_check, at);
        self.tell_watchers_of_load(&before);
        self.report_loaded(&summary, trigger);
        self.publish_summary(&summary, at);
        self.report_served(served, at);
        self.last_diagnostics = summary.diagnostics;
        self.last_deferred = summary.deferred;
    }

    /// Tells the watchers of objects about a load.
    fn tell_watchers_of_load(&self, before: &LoadedConfig) {
        let events = &self.outputs.object_events;
        if events.is_watched() { events.add(self.base.changed_since(before)) } else { events.add_unknown() }
    }

    /// Publishes a configuration. The loader assigned slots on a copy of this tracker's slots,
    /// which have not changed since, so it assigns the same ones now.
    pub(super) fn serve(
        &mut self,
        base: LoadedConfig,
        catalog: Arc<Catalog>,
        records_by_check: Arc<RecordsByCheck>,
        at: Timestamp,
    ) -> Served {
        // What is not published yet belongs to the old zones.
        self.publish_batch(at);
        let has_same_checks = Arc::ptr_eq(&self.base.checks, &base.checks);
        let applied = self.tracker.apply(&base.checks, at);
        // A pattern may match new checks.
        let overridden = overrides::apply_overrides(&mut self.tracker, &self.overrides, at);
        let agreed = if has_same_checks { Vec::new() } else { self.agree_after_load(&applied, at) };
        self.in_force = OverridesInForce::of(&self.tracker, &self.overrides, at).into();
        let before = self.reader.load();
        let world = before.followed_by(catalog, &self.checks(&[], at), Arc::clone(&base.geo_lookup), at);
        self.publish_world(world, at);
        self.free_retired();
        self.retired.push(before);
        (self.base, self.records_by_check) = (base, records_by_check);
        for slot in &applied.removed {
            self.check_histories.forget(*slot);
            self.counters.forget(*slot);
        }
        self.set_sentinels();
        self.publish_view();
        self.publish_probes();
        self.outputs.base.send_replace(self.base.clone());
        Served { applied, overridden, agreed }
    }

    /// Reports what a new configuration changed in the health checks.
    pub(super) fn report_served(&mut self, served: Served, at: Timestamp) {
        let Served { applied, overridden, agreed } = served;
        for transition in applied.transitions {
            let status = transition.cause.to_string();
            self.record_transition(transition, &status);
        }
        self.record_overridden(overridden, at);
        self.record_agreed(agreed);
        self.check_connectivity(at);
        self.publish_batch(at);
        applied.added.iter().chain(&applied.restarted).for_each(|slot| self.save_check(*slot));
    }

    fn report_loaded(&self, summary: &Summary, trigger: Trigger) {
        if !summary.diagnostics.is_empty() && summary.diagnostics != self.last_diagnostics {
            let printed = summary.diagnostics.render(Style::Plain);
            let text = format!("diagnostics in the files, {}:\n{}", summary.consequence(), printed.trim_end());
            if summary.errors > 0 { tracing::error!("{text}") } else { tracing::warn!("{text}") }
        } else if summary.errors > 0 && trigger == Trigger::Requested {
            tracing::warn!("the files have the same errors as before, {}", summary.consequence());
        } else if !self.last_diagnostics.is_empty() && summary.diagnostics.is_empty() {
            tracing::info!("the files have no errors any more");
        }
        summary.deferred.iter().filter(|one| !self.last_deferred.contains(one)).for_each(log_deferred);
        for setting in &summary.needs_restart {
            self.warn(trigger, &format!("{setting} has changed; the change takes effect at the next restart"));
        }
        if let Some(warning) = &summary.state_warning {
            self.warn(
                trigger,
                &format!("{warning}; if a file is broken at the next restart, an older copy of it is served, or none"),
            );
        }
        match (summary.changes.is_empty(), trigger) {
            (false, _) => tracing::info!("reloaded: {}; {}", summary.changes.join(", "), summary.totals()),
            (true, Trigger::Requested) => tracing::info!("reloaded: nothing changed; {}", summary.totals()),
            (true, Trigger::FileChanged) => {}
        }
    }

    /// Logs a warning. Repeated warnings from edits are logged once a minute; a requested reload
    /// always logs them.
    fn warn(&self, trigger: Trigger, warning: &str) {
        let held_back = self.warnings.admit(warning);
        match (trigger, held_back) {
            (_, Some(held_back)) => tracing::warn!("{warning}{held_back}"),
            (Trigger::Requested, None) => tracing::warn!("{warning}"),
            (Trigger::FileChanged, None) => {}
        }
    }

    /// Publishes the outcome of a load. A load without changes adds no entry to the event log.
    fn publish_summary(&self, summary: &Summary, at: Timestamp) {
        if !summary.changes.is_empty() || summary.diagnostics != self.last_diagnostics {
            let what = EventKind::Reloaded { changes: summary.changes.clone(), errors: summary.errors };
            self.outputs.event_log.push(at, what);
        }
        for change in &summary.object_changes {
            self.outputs.event_log.push(at, EventKind::Changed(Arc::clone(change)));
        }
        self.outputs.last_load.send_replace(LastLoad::of(summary.clone(), at));
    }

    fn report_refused(&mut self, refused: &Refused, at: Timestamp) {
        let diagnostics = refused.diagnostics();
        let printed = diagnostics.render(Style::Plain);
        let failed = format!("the reload failed, the previous configuration stays in force: {refused}\n{printed}");
        tracing::error!("{}", failed.trim_end());
        self.last_diagnostics = Arc::default();
        let why = refused.in_short();
        self.outputs.event_log.push(at, EventKind::NotReloaded { why: why.clone() });
        self.outputs.last_load.send_modify(|last| {
            (last.at, last.refused) = (at, Some(why));
            last.diagnostics = diagnostics;
        });
    }
}

/// Logs that an edit is not loaded yet, and when it will be.
fn log_deferred(deferred: &Deferred) {
    let (path, reason, still) = (deferred.path.display(), &deferred.reason, STILL.as_secs());
    let message = format!(
        "{path} is not taken yet: {reason}. It is taken when its writer closes it, when it has not \
         changed for {still} s, or with SIGHUP"
    );
    match deferred.looks_half_written {
        true => tracing::warn!("{message}"),
        false => tracing::info!("{message}"),
    }
}

/// A requested reload takes precedence over an edit, because its sender waits for the outcome.
pub(super) fn stronger(one: Option<Trigger>, other: Trigger) -> Trigger {
    match one {
        Some(Trigger::Requested) => Trigger::Requested,
        _ => other,
    }
}
