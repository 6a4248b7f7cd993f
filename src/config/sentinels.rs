//! `[health] sentinels`: resolves the names in the settings to health checks of the zone files.

use std::borrow::Cow;
use std::collections::HashSet;

use super::diagnostic::Diagnostic;
use super::settings::{Sentinel, Settings};
use super::words;
use crate::model::{HealthCheck, HealthCheckId, HealthCheckKind};

/// The ids of the sentinels, without duplicates, and diagnostics about the others.
pub fn resolve_sentinels(settings: &Settings, checks: &[HealthCheck]) -> (Vec<HealthCheckId>, Vec<Diagnostic>) {
    let (mut ids, mut diagnostics, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for sentinel in &settings.health.sentinels {
        match resolve(sentinel, checks) {
            Ok(check) if seen.insert(&check.id) => ids.push(check.id.clone()),
            Ok(_) => {
                let mut diagnostic = sentinel.diagnostic("a sentinel is listed twice");
                diagnostic.label("the second time");
                diagnostics.push(diagnostic);
            }
            Err(diagnostic) => diagnostics.push(*diagnostic),
        }
    }
    (ids, diagnostics)
}

fn resolve<'c>(sentinel: &Sentinel, checks: &'c [HealthCheck]) -> Result<&'c HealthCheck, Box<Diagnostic>> {
    let by_name = checks.iter().find(|check| check.name == sentinel.check);
    let Some(check) = by_name.or_else(|| checks.iter().find(|check| check.id.0 == sentinel.check)) else {
        let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
        let mut diagnostic = sentinel.diagnostic(format!("unknown health check `{}`", sentinel.check));
        diagnostic.label("no health check has this name or id");
        diagnostic.hint = words::meant(&sentinel.check, &names).map(|meant| format!("did you mean `{meant}`?").into());
        return Err(Box::new(diagnostic));
    };
    if let HealthCheckKind::Calculated(_) = check.kind {
        // Results of its children are ignored while the server is offline, so it could never
        // recover.
        let mut diagnostic = sentinel.diagnostic("a sentinel cannot be a calculated health check");
        diagnostic.label("counts others").hint("list the checks that it counts");
        return Err(Box::new(diagnostic));
    }
    Ok(check)
}

impl Sentinel {
    fn diagnostic(&self, message: impl Into<Cow<'static, str>>) -> Diagnostic {
        Diagnostic::error(&self.path, message).at(self.span.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SourceFile, Style, read_zones, render};

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile::new(path, text)
    }

    const CHECKS: &str = "
        [[health_check]]\nname = 'gateway'\ntype = 'tcp'\nip_address = '10.0.0.1'\nport = 53
        [[health_check]]\nname = 'isp-1'\nid = '11111111-2222-3333-4444-555555555555'\ntype = 'tcp'\nip_address = '10.0.0.2'\nport = 53
        [[health_check]]\nname = 'both'\ntype = 'calculated'\nchild_health_checks = ['gateway', 'isp-1']\nhealth_threshold = 1
    ";

    fn resolved(sentinels: &str) -> (usize, String) {
        let source = file("config/fiftythree.toml", &format!("health.sentinels = {sentinels}"));
        let (settings, diagnostics) = Settings::read(&source);
        assert_eq!(diagnostics, []);
        let settings = settings.unwrap();
        let reading = read_zones(&[file("zones/checks.toml", CHECKS)], &settings);
        assert_eq!(reading.diagnostics, []);
        let (ids, diagnostics) = resolve_sentinels(&settings, &reading.configuration.health_checks);
        (ids.len(), render(&diagnostics, &[source], Style::Plain))
    }

    #[test]
    fn a_sentinel_is_a_check_by_name_or_id() {
        assert_eq!(resolved("['gateway', '11111111-2222-3333-4444-555555555555']"), (2, String::new()));
        assert_eq!(resolved("[]"), (0, String::new()));
    }

    #[test]
    fn what_is_no_sentinel_is_told_with_its_place() {
        let cases = [
            ("['gatway']", 0, "did you mean `gateway`?"),
            ("['isp-1', '11111111-2222-3333-4444-555555555555']", 1, "a sentinel is listed twice"),
            ("['gateway', 'both']", 1, "cannot be a calculated health check"),
        ];
        for (sentinels, found, says) in cases {
            let (count, diagnostics) = resolved(sentinels);
            assert_eq!(count, found);
            assert!(diagnostics.contains(says) && diagnostics.contains("fiftythree.toml:1:"), "{diagnostics}");
        }
    }
}
