//! `[[health_check]]`: reads health checks. Calculated and manual checks are read here, endpoint
//! checks in [`mod@super::endpoint`], metric checks in [`mod@super::metric`].

use super::super::document::Diagnostics;
use super::super::id;
use super::super::table::{At, Table};
use super::definition::{Defined, flag, read_caller_reference, read_tags, read_uuid, read_version};
use super::endpoint;
use super::metric;
use crate::model::{
    Agreement, CalculatedCheck, HealthCheck, HealthCheckId, HealthCheckKind, ManualCheck, RoutingControlState,
};

/// The length of the tag that holds a check's name in Route 53 (API TagValue).
const MAX_NAME_CHARACTERS: usize = 256;
/// API HealthCheckNonce.
const MAX_CALLER_REFERENCE_CHARACTERS: usize = 64;
/// API RoutingControlArn.
const MAX_ARN_CHARACTERS: usize = 255;
/// API ChildHealthCheckList.
const MAX_CHILDREN: usize = 256;

/// The keys of each group of types, with the words that complete the sentence of Route 53's
/// InvalidInput about a key of another group.
const KEYS_OF: [(Group, &[(&str, &str)]); 4] = [
    (
        Group::Basic,
        &[
            ("ip_address", "an IP address"),
            ("fqdn", "a fully qualified domain name"),
            ("port", "a port"),
            ("resource_path", "a resource path"),
            ("search_string", "a search string"),
            ("request_interval", "a request interval"),
            ("failure_threshold", "a failure threshold"),
            ("recovery_threshold", "a recovery threshold"),
            ("measure_latency", "latency measurement"),
            ("enable_sni", "SNI"),
            ("expected_status", "expected statuses"),
            ("request_headers", "request headers"),
            ("connect_timeout", "a connect timeout"),
            ("response_timeout", "a response timeout"),
            ("body_timeout", "a body timeout"),
            ("verify_certificate", "a verified certificate"),
            ("address_family", "an address family"),
            ("regions", "regions"),
        ],
    ),
    (Group::Calculated, &[("child_health_checks", "child health checks"), ("health_threshold", "a health threshold")]),
    (
        Group::Metric,
        &[
            ("prometheus", "a Prometheus server"),
            ("query", "a query"),
            ("comparison", "a comparison"),
            ("threshold", "a threshold"),
            ("period", "a period"),
            ("evaluation_periods", "evaluation periods"),
            ("insufficient_data_health_status", "an insufficient data health state"),
            ("alarm", "an alarm"),
        ],
    ),
    (Group::Manual, &[("status", "a status"), ("routing_control_arn", "a routing control ARN")]),
];

/// Types with the same keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    /// Route 53's word for endpoint checks.
    Basic,
    Calculated,
    Metric,
    Manual,
}

/// A check with unresolved children.
pub(super) struct Draft {
    pub(super) check: HealthCheck,
    pub(super) children: Vec<At<String>>,
}

/// Reads a check; `None` when it has no name.
pub(super) fn read(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<Defined<Draft>> {
    let mark = diagnostics.mark();
    table.require("name", "such as name = \"blue\"; records say health_check = \"blue\"", diagnostics);
    let name = table.string("name", diagnostics);
    let id = read_uuid(table, diagnostics);
    let caller_reference = read_caller_reference(table, MAX_CALLER_REFERENCE_CHARACTERS, diagnostics);
    let (version, tags) = (read_version(table, diagnostics), read_tags(table, diagnostics));
    let deleted = flag(table, "deleted", false, diagnostics);
    let disabled = flag(table, "disabled", false, diagnostics);
    let inverted = flag(table, "inverted", false, diagnostics);
    let is_bare = !table.has("type") && KEYS_OF.iter().all(|(_, keys)| keys.iter().all(|(key, _)| !table.has(key)));
    let kind = if deleted && is_bare {
        Some((HealthCheckKind::Endpoint(endpoint::placeholder()), Vec::new()))
    } else {
        read_kind(table, diagnostics)
    };
    let agreement = read_agreement(table, kind.as_ref(), diagnostics);
    let name = name?.map(str::to_owned);
    check_name(&name, diagnostics);
    let id = id.unwrap_or_else(|| At::new(id::health_check_id(&name.value).0, name.span.clone()));
    let is_faulty = diagnostics.has_error_since(mark) || !table.is_whole(diagnostics);
    let draft = kind.filter(|_| !is_faulty).map(|(kind, children)| Draft {
        check: HealthCheck {
            id: HealthCheckId(id.value.clone()),
            name: name.value.clone(),
            caller_reference: caller_reference.map(|reference| reference.value),
            version,
            tags,
            // A deleted check counts as healthy: it is never probed and never inverted.
            inverted: inverted && !deleted,
            disabled: disabled || deleted,
            agreement,
            kind,
        },
        children,
    });
    Some(Defined { name, id, value: draft })
}

/// The names and ids of the checks that a check refers to, with positions, even if it has errors.
pub(super) fn references(table: &Table<'_>) -> Vec<At<String>> {
    table.strings_as_written("child_health_checks").into_iter().map(|child| child.map(str::to_owned)).collect()
}

fn check_name(name: &At<String>, diagnostics: &mut Diagnostics<'_>) {
    let count = name.value.chars().count();
    if !(1..=MAX_NAME_CHARACTERS).contains(&count) {
        let message = format!("the name of a health check must have 1 to {MAX_NAME_CHARACTERS} characters");
        diagnostics.error(name.span.clone(), message).label(format!("{count} characters"));
    }
}

type Kind = (HealthCheckKind, Vec<At<String>>);

fn read_kind(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<Kind> {
    if refuse_type(table, diagnostics) {
        return None;
    }
    table.require("type", "\"http\", \"https\", \"tcp\", \"calculated\", \"metric\" or \"manual\"", diagnostics);
    let kind = table.choice("type", diagnostics).map(|kind| kind.value);
    match kind {
        Some("calculated") => {
            refuse_keys_of_others(table, Group::Calculated, "Calculated", diagnostics);
            read_calculated(table, diagnostics)
        }
        Some("metric") => {
            refuse_keys_of_others(table, Group::Metric, "Metric", diagnostics);
            Some((HealthCheckKind::Metric(metric::read(table, diagnostics)?), Vec::new()))
        }
        Some("manual") => {
            refuse_keys_of_others(table, Group::Manual, "Manual", diagnostics);
            table.require("status", "\"healthy\" or \"unhealthy\"", diagnostics);
            let state = match table.choice("status", diagnostics)?.value {
                "healthy" => RoutingControlState::On,
                _ => RoutingControlState::Off,
            };
            let routing_control_arn = read_arn(table, diagnostics);
            Some((HealthCheckKind::Manual(ManualCheck { state, routing_control_arn }), Vec::new()))
        }
        _ => {
            // Without a type it is unknown which keys belong to the check.
            if kind.is_some() {
                refuse_keys_of_others(table, Group::Basic, "Basic", diagnostics);
            }
            let endpoint = endpoint::read(table, kind, diagnostics)?;
            Some((HealthCheckKind::Endpoint(endpoint), Vec::new()))
        }
    }
}

/// Nodes have no opinions on checks that they do not probe.
fn read_agreement(table: &Table<'_>, kind: Option<&Kind>, diagnostics: &mut Diagnostics<'_>) -> Option<Agreement> {
    let agreement = table.agreement("agreement", diagnostics)?;
    let name = match kind {
        Some((HealthCheckKind::Calculated(_), _)) => "Calculated",
        Some((HealthCheckKind::Manual(_), _)) => "Manual",
        _ => return Some(agreement.value),
    };
    let message = format!("{name} health checks must not have an agreement specified.");
    diagnostics.error(table.key_span("agreement"), message).label("belongs to checks of another type");
    None
}

/// API RoutingControlArn.
fn read_arn(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<String> {
    let written = table.string("routing_control_arn", diagnostics)?;
    let count = written.value.chars().count();
    if !(1..=MAX_ARN_CHARACTERS).contains(&count) {
        let message = format!("`routing_control_arn` must have 1 to {MAX_ARN_CHARACTERS} characters");
        diagnostics.error(written.span, message).label(format!("{count} characters"));
        return None;
    }
    Some(written.value.to_owned())
}

fn refuse_keys_of_others(table: &Table<'_>, own: Group, name: &str, diagnostics: &mut Diagnostics<'_>) {
    let others = KEYS_OF.iter().filter(|(group, _)| *group != own).flat_map(|(_, keys)| *keys);
    for (key, words) in others.filter(|(key, _)| table.has(key)) {
        let message = format!("{name} health checks must not have {words} specified.");
        let diagnostic = diagnostics.error(table.key_span(key), message).label("belongs to checks of another type");
        if *key == "threshold" && own == Group::Basic {
            diagnostic.hint("did you mean `failure_threshold`?");
        }
    }
}

fn read_calculated(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<Kind> {
    if !table.has("health_threshold") && table.is_whole(diagnostics) {
        let message = "Calculated health checks must have a health threshold specified.";
        let diagnostic = diagnostics.error(table.span.clone(), message);
        diagnostic.label("`health_threshold` is missing").hint("how many of the children must be healthy, such as 1");
    }
    let children = table.strings("child_health_checks", diagnostics);
    let threshold = table.integer("health_threshold", diagnostics);
    if table.has("child_health_checks") && children.is_none() {
        return None;
    }
    let children = children.unwrap_or_default();
    if children.len() > MAX_CHILDREN {
        let message = format!("a calculated health check must have at most {MAX_CHILDREN} children");
        diagnostics.error(table.span_of("child_health_checks"), message).label(format!("{} children", children.len()));
    }
    let threshold = threshold?;
    let health_threshold = u16::try_from(threshold.value).ok()?;
    warn_of_fixed_statuses(&threshold.map(|_| health_threshold), children.len(), diagnostics);
    let calculated = CalculatedCheck { child_health_checks: Vec::new(), health_threshold };
    let children = children.into_iter().map(|child| child.map(str::to_owned)).collect();
    Some((HealthCheckKind::Calculated(calculated), children))
}

/// API HealthThreshold: both are allowed, but rarely intended.
fn warn_of_fixed_statuses(threshold: &At<u16>, children: usize, diagnostics: &mut Diagnostics<'_>) {
    let label = match usize::from(threshold.value) {
        0 => "with 0 the check is always healthy",
        needed if needed > children => "more than the number of children: the check is never healthy",
        _ => return,
    };
    diagnostics.warning(threshold.span.clone(), "the children of this check have no effect").label(label);
}

/// Reports types of Route 53 that this server writes differently.
fn refuse_type(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> bool {
    // `choice` reports a value that is not a string.
    let mark = diagnostics.mark();
    let Some(written) = table.string("type", diagnostics) else {
        diagnostics.forget_since(mark);
        return false;
    };
    if matches!(written.value, "HTTP_STR_MATCH" | "HTTPS_STR_MATCH" | "http_str_match" | "https_str_match") {
        let plain = written.value[..written.value.len() - "_STR_MATCH".len()].to_ascii_lowercase();
        let diagnostic = diagnostics.error(written.span, format!("unknown type `{}`", written.value));
        diagnostic.label("expected `http`, `https`, `tcp`, `calculated`, `metric` or `manual`");
        diagnostic.hint(format!("write type = \"{plain}\" and a `search_string`"));
        return true;
    }
    false
}
