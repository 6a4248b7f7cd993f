//! The settings of a load: those of the file, as far as they can change while the server runs.

use crate::config::{Diagnostic, LoadPhase, Settings, SourceFile};
use crate::privilege::is_reachable;
use crate::store::{Contents, SettingsReading, SettingsSource};

use super::deferred::Deferred;
use super::{LoadReport, LoadedConfig, Sources};

/// The settings to use. At the start they must have no errors. In a reload, the settings in force
/// replace broken ones.
pub(super) fn settings_in_force(
    source: &SettingsSource,
    sources: &dyn Sources,
    base: &LoadedConfig,
    phase: LoadPhase,
    report: &mut LoadReport,
) -> Settings {
    let Some(SettingsReading { settings, diagnostics, source }) = read(source, sources, report) else {
        return (*base.settings).clone();
    };
    let text: Vec<SourceFile> = source.into_iter().collect();
    let Some(settings) = settings else {
        match phase {
            LoadPhase::Start => report.refuse(&diagnostics, &text),
            LoadPhase::Reload => report.add(&diagnostics, &text),
        }
        return (*base.settings).clone();
    };
    report.add(&diagnostics, &text);
    report.settings_text = text;
    match phase {
        LoadPhase::Start => settings,
        LoadPhase::Reload => live_changes(settings, &base.settings, &mut report.needs_restart),
    }
}

/// Reads the settings file. Returns `None` if it is being written.
fn read(source: &SettingsSource, sources: &dyn Sources, report: &mut LoadReport) -> Option<SettingsReading> {
    let Some(path) = &source.file else { return Some(source.read()) };
    let problem = match sources.text(path) {
        Ok(Contents::Text { source: text, .. }) => return Some(source.interpret(text)),
        Ok(Contents::InProgress) => {
            report.deferred.push(Deferred::in_progress(path));
            return None;
        }
        Ok(Contents::Absent) => "there is no such file".to_owned(),
        Err(problem) => problem,
    };
    Some(SettingsReading { settings: None, diagnostics: vec![Diagnostic::error(path, problem)], source: None })
}

/// Keeps the current values of settings that take effect only at a restart, also of those that name
/// files that the running process cannot reach.
fn live_changes(mut new: Settings, old: &Settings, needs_restart: &mut Vec<&'static str>) -> Settings {
    macro_rules! keep {
        ($($section:ident.$key:ident $written:literal),* $(,)?) => {$(
            if new.$section.$key != old.$section.$key {
                needs_restart.push($written);
                new.$section.$key = old.$section.$key.clone();
            }
        )*};
    }
    keep!(
        dns.listen "dns.listen",
        dns.workers "dns.workers",
        dns.udp_payload_max "dns.udp_payload_max",
        dns.nsid "dns.nsid",
        dns.chaos "dns.chaos",
        zones.watch "zones.watch",
        location.use_client_subnet "location.client_subnet",
        health.certificate_authorities "health.certificate_authorities",
        state.directory "state.directory",
        admin.listen "admin.listen",
        admin.token_file "admin.token_file",
        admin.allowed_hosts "admin.allowed_hosts",
        admin.public_url "admin.public_url",
        log.format "log.format",
        lab.backends "lab.backends",
    );
    if !is_reachable(&new.zones.directory) {
        needs_restart.push("zones.directory");
        new.zones.directory.clone_from(&old.zones.directory);
    }
    if !new.location.geoip.iter().all(|path| is_reachable(path)) {
        needs_restart.push("location.geoip");
        new.location.geoip.clone_from(&old.location.geoip);
    }
    if new.process != old.process {
        needs_restart.push("process");
        new.process.clone_from(&old.process);
    }
    if new.cookies != old.cookies {
        needs_restart.push("cookies");
        new.cookies.clone_from(&old.cookies);
    }
    if new.rate_limit != old.rate_limit {
        needs_restart.push("rate_limit");
        new.rate_limit.clone_from(&old.rate_limit);
    }
    keep_api(&mut new, old, needs_restart);
    if new.cluster != old.cluster {
        needs_restart.push("cluster");
        new.cluster.clone_from(&old.cluster);
    }
    if new.query_log != old.query_log {
        needs_restart.push("query_log");
        new.query_log.clone_from(&old.query_log);
    }
    if new.dnstap != old.dnstap {
        needs_restart.push("dnstap");
        new.dnstap.clone_from(&old.dnstap);
    }
    new
}

/// Of `[api]` only the largest removal takes effect at once.
fn keep_api(new: &mut Settings, old: &Settings, needs_restart: &mut Vec<&'static str>) {
    let largest_removal = new.api.as_ref().and_then(|api| api.largest_removal);
    if let (Some(new), Some(old)) = (&mut new.api, &old.api) {
        new.largest_removal = old.largest_removal;
    }
    if new.api != old.api {
        needs_restart.push("api");
        new.api.clone_from(&old.api);
    }
    if let Some(api) = &mut new.api {
        api.largest_removal = largest_removal;
    }
}
