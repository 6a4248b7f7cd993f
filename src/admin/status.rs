//! `/v1/status`: a summary of the server.

use std::path::PathBuf;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::cluster::{ClusterFiles, Link, NodeState};
use crate::control::{LastLoad, rfc3339};
use crate::health::Timestamp;
use crate::load::{Deferred, LocatedDiagnostic, Unavailable};
use crate::model::HealthCheck;

use super::query::{NoParameters, Query};
use super::reports::{Report, counts};
use super::shapes::{
    ClusterShape, DeferredShape, DiagnosticShape, LastLoadShape, LongestFailoverShape, NodeShape, ServerShape,
    UnavailableShape,
};
use super::{AdminState, json};

pub(super) async fn status(
    State(admin): State<AdminState>,
    Query(NoParameters {}): Query<NoParameters>,
    headers: HeaderMap,
) -> Response {
    let report = match admin.health() {
        Ok(health) => Report::new(health, None, (admin.now)()),
        Err(response) => return *response,
    };
    let may_change = admin.changes.page_may(&headers).await;
    let checks = admin.base.borrow().checks.clone();
    let last_load = admin.last_load.borrow().clone();
    let shape = ServerShape {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        now: rfc3339(report.at),
        started: rfc3339(report.health.started),
        ready: admin.is_ready(),
        listening: admin.listening.get().into_iter().flatten().map(ToString::to_string).collect(),
        changes: admin.changes.word().to_owned(),
        may_change,
        zones: last_load.summary.zones,
        records: last_load.summary.records,
        checks: counts(&report),
        last_load: last_load_shape(&last_load),
        cluster: admin.cluster.as_deref().map(cluster_shape),
        longest_failover: longest(&admin, &checks),
    };
    json(StatusCode::OK, &shape)
}

fn cluster_shape(files: &ClusterFiles) -> ClusterShape {
    let (link, nodes) = (files.link().borrow().clone(), files.nodes());
    let (own, last_change) = (nodes.get(files.node()), files.last_change());
    let node_shape = |(name, node): (&String, &NodeState)| NodeShape {
        name: name.clone(),
        region: node.region.clone(),
        addresses: node.addresses.clone(),
        version: node.version.clone(),
        started: rfc3339(Timestamp(Duration::from_millis(node.started))),
        files: node.files,
        revision: node.revision,
        behind: node.revision < last_change,
        differing_settings: own.map(|own| node.settings_that_differ_from(own)).unwrap_or_default(),
    };
    ClusterShape {
        node: files.node().to_owned(),
        connected: link == Link::Following,
        reason: match link {
            Link::Lost(reason) => Some(reason),
            Link::Connecting | Link::Following => None,
        },
        not_registered: files.not_registered(),
        nodes: nodes.iter().map(node_shape).collect(),
    }
}

fn last_load_shape(last: &LastLoad) -> LastLoadShape {
    let paths = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect();
    let LastLoad { at, summary, diagnostics, refused } = last;
    LastLoadShape {
        at: rfc3339(*at),
        errors: summary.errors,
        diagnostics: diagnostics.iter().map(diagnostic_shape).collect(),
        frozen: paths(&summary.frozen),
        left_out: paths(&summary.left_out),
        deferred: summary.deferred.iter().map(deferred_shape).collect(),
        unavailable: summary.unavailable.iter().map(unavailable).collect(),
        needs_restart: summary.needs_restart.iter().map(ToString::to_string).collect(),
        refused: refused.clone(),
    }
}

fn deferred_shape(deferred: &Deferred) -> DeferredShape {
    let Deferred { path, reason, .. } = deferred;
    DeferredShape { file: path.display().to_string(), reason: reason.clone() }
}

fn diagnostic_shape(diagnostic: &LocatedDiagnostic) -> DiagnosticShape {
    let LocatedDiagnostic { severity, path, line, column, message, hint, .. } = diagnostic;
    DiagnosticShape {
        severity: severity.as_str().to_owned(),
        path: path.display().to_string(),
        line: *line,
        column: *column,
        message: message.clone(),
        hint: hint.clone(),
    }
}

fn unavailable(one: &Unavailable) -> UnavailableShape {
    UnavailableShape { file: one.file.display().to_string(), zone: one.zone.clone() }
}

fn longest(admin: &AdminState, checks: &[HealthCheck]) -> Option<LongestFailoverShape> {
    let slow = |check: &HealthCheck| Some(((admin.longest_failover)(check)?, check.name.clone()));
    let (time, check) = checks.iter().filter_map(slow).max()?;
    Some(LongestFailoverShape { check, seconds: time.as_secs_f64() })
}
