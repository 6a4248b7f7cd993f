//! `[health] sentinels`: words of the settings, and the health checks of the zone files that they stand for.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::path::PathBuf;

use super::fault::Fault;
use super::{Settings, words};
use crate::model::{HealthCheck, HealthCheckId, HealthCheckKind};

/// A check that tells whether the server's uplink is there, as it is written.
#[derive(Clone, Debug)]
pub struct Sentinel {
    /// Its name or id.
    pub check: String,
    pub(super) path: PathBuf,
    pub(super) span: Range<usize>,
}

/// Where it is written does not matter.
impl PartialEq for Sentinel {
    fn eq(&self, other: &Sentinel) -> bool {
        self.check == other.check
    }
}

/// The ids of the sentinels, each once, and what is wrong with the others.
pub fn resolve_sentinels(settings: &Settings, checks: &[HealthCheck]) -> (Vec<HealthCheckId>, Vec<Fault>) {
    let (mut ids, mut faults, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for sentinel in &settings.health.sentinels {
        match resolve(sentinel, checks) {
            Ok(check) if seen.insert(&check.id) => ids.push(check.id.clone()),
            Ok(_) => {
                let mut fault = sentinel.fault("a sentinel stands twice");
                fault.label("the second time");
                faults.push(fault);
            }
            Err(fault) => faults.push(*fault),
        }
    }
    (ids, faults)
}

fn resolve<'c>(sentinel: &Sentinel, checks: &'c [HealthCheck]) -> Result<&'c HealthCheck, Box<Fault>> {
    let by_name = checks.iter().find(|check| check.name == sentinel.check);
    let Some(check) = by_name.or_else(|| checks.iter().find(|check| check.id.0 == sentinel.check)) else {
        let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
        let mut fault = sentinel.fault(format!("no health check is called `{}`", sentinel.check));
        fault.label("neither a name nor an id");
        fault.hint = words::meant(&sentinel.check, &names).map(|meant| format!("did you mean `{meant}`?").into());
        return Err(Box::new(fault));
    };
    if let HealthCheckKind::Calculated(_) = check.kind {
        // Its children would not count while the uplink is gone, so that it could never come back.
        let mut fault = sentinel.fault("a sentinel cannot be a calculated health check");
        fault.label("counts others").hint("name the checks that it counts");
        return Err(Box::new(fault));
    }
    Ok(check)
}

impl Sentinel {
    fn fault(&self, message: impl Into<Cow<'static, str>>) -> Fault {
        Fault::error(&self.path, message).at(self.span.clone())
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
        let (settings, faults) = Settings::read(&source);
        assert_eq!(faults, []);
        let settings = settings.unwrap();
        let reading = read_zones(&[file("zones/checks.toml", CHECKS)], &settings);
        assert_eq!(reading.faults, []);
        let (ids, faults) = resolve_sentinels(&settings, &reading.configuration.health_checks);
        (ids.len(), render(&faults, &[source], Style::Plain))
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
            ("['isp-1', '11111111-2222-3333-4444-555555555555']", 1, "a sentinel stands twice"),
            ("['gateway', 'both']", 1, "cannot be a calculated health check"),
        ];
        for (sentinels, found, says) in cases {
            let (count, faults) = resolved(sentinels);
            assert_eq!(count, found);
            assert!(faults.contains(says) && faults.contains("fiftythree.toml:1:"), "{faults}");
        }
    }
}
