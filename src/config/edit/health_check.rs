//! Writes health checks as members of `[[health_check]]` tables.

use std::time::Duration;

use toml_edit::{InlineTable, Value};

use super::members::{Member, Members, duration, list, string};
use super::tables::{TableEdit, edit_table};
use super::{EditError, References};
use crate::config::zones::written_keys;
use crate::config::{SourceFile, id};
use crate::model::{
    AddressFamily, Agreement, AlarmIdentifier, CalculatedCheck, ComparisonOperator, EndpointCheck, EndpointProtocol,
    EndpointTarget, HealthCheck, HealthCheckKind, HttpRequest, InsufficientDataHealthStatus, ManualCheck, MetricCheck,
    RoutingControlState, StatusRange,
};

/// The defaults of the keys; the property test reads what is written without them.
const INTERVAL: Duration = Duration::from_secs(30);
const THRESHOLD: u8 = 3;
const PERIOD: Duration = Duration::from_secs(60);

/// The text of `file`, which defines `before`, changed so that it defines `after`. Without `before`
/// the check is added, without `after` it is removed. Members that do not differ stay as they are
/// written.
pub fn edit_health_check(
    file: &SourceFile,
    before: Option<&HealthCheck>,
    after: Option<&HealthCheck>,
    references: &References<'_>,
) -> Result<String, EditError> {
    let key = "health_check";
    let position = |before: &HealthCheck| {
        let ids = written_keys(file).health_checks;
        ids.iter().position(|id| *id == before.id.0).ok_or(EditError::Changed)
    };
    match (before, after) {
        (None, None) => Ok(file.text.to_string()),
        (None, Some(after)) => edit_table(&file.text, key, &TableEdit::Add(&new_members(after, references))),
        (Some(before), None) => edit_table(&file.text, key, &TableEdit::Remove(position(before)?)),
        (Some(before), Some(after)) => {
            let (old, new) = (old_members(before, references), members(after, references));
            edit_table(&file.text, key, &TableEdit::Update(position(before)?, &old, &new))
        }
    }
}

/// What a program creates has an id of its own.
pub(super) fn new_members(check: &HealthCheck, references: &References<'_>) -> Members {
    let mut members = members(check, references);
    members.iter_mut().filter(|(key, _)| *key == "id").for_each(|(_, id)| *id = Member::of(string(&check.id.0)));
    members
}

/// A disabled check may be written with `deleted = true`, which hides `inverted`. Both are written
/// again.
fn old_members(check: &HealthCheck, references: &References<'_>) -> Members {
    let mut members = members(check, references);
    if check.disabled {
        members.retain(|(key, _)| *key != "inverted");
        members.push(("deleted", Member::of(true)));
    }
    members
}

fn members(check: &HealthCheck, references: &References<'_>) -> Members {
    let HealthCheck { id, name, caller_reference, version, tags, inverted, disabled, agreement, kind } = check;
    let mut members = vec![
        ("name", Member::of(string(name))),
        ("id", Member::or_default(string(&id.0), *id == id::health_check_id(name))),
        ("caller_reference", Member::optional(caller_reference.as_deref().map(string))),
        ("version", Member::version(*version)),
    ];
    match kind {
        HealthCheckKind::Endpoint(endpoint) => members.extend(of_endpoint(endpoint)),
        HealthCheckKind::Calculated(calculated) => members.extend(of_calculated(calculated, references)),
        HealthCheckKind::Metric(metric) => members.extend(of_metric(metric)),
        HealthCheckKind::Manual(manual) => members.extend(of_manual(manual)),
    }
    members.push(("agreement", Member::optional(agreement.map(agreement_value))));
    members.extend([("inverted", flag(*inverted, false)), ("disabled", flag(*disabled, false))]);
    members.push(("tags", Member::tags(tags)));
    members
}

fn of_endpoint(check: &EndpointCheck) -> Members {
    let EndpointCheck {
        protocol,
        target,
        port,
        request_interval,
        failure_threshold,
        recovery_threshold,
        measure_latency,
        address_family,
        timeouts,
        regions,
    } = check;
    let (kind, default_port) = match protocol {
        EndpointProtocol::Http(_) => ("http", Some(80)),
        EndpointProtocol::Https { .. } => ("https", Some(443)),
        EndpointProtocol::Tcp => ("tcp", None),
    };
    let (address, domain) = match target {
        EndpointTarget::Address { ip_address, fully_qualified_domain_name } => {
            (Some(ip_address.to_string()), fully_qualified_domain_name.as_deref())
        }
        EndpointTarget::Domain(name) => (None, Some(name.as_str())),
    };
    let family = match address_family {
        AddressFamily::Ipv4 => Member::Default("ipv4".into()),
        AddressFamily::Ipv6 => Member::of("ipv6"),
    };
    let region_names = list(regions.iter().map(|region| region.name().into()));
    let mut members = vec![
        ("type", Member::of(kind)),
        ("ip_address", Member::optional(address)),
        ("fqdn", Member::optional(domain.map(string))),
        ("address_family", family),
        ("port", Member::or_default(i64::from(*port), Some(*port) == default_port)),
    ];
    members.extend(of_protocol(protocol));
    members.extend([
        ("request_interval", Member::or_default(duration(*request_interval), *request_interval == INTERVAL)),
        ("failure_threshold", Member::or_default(i64::from(*failure_threshold), *failure_threshold == THRESHOLD)),
        (
            "recovery_threshold",
            Member::or_default(i64::from(*recovery_threshold), recovery_threshold == failure_threshold),
        ),
        ("measure_latency", flag(*measure_latency, false)),
        ("connect_timeout", Member::optional(timeouts.connect.map(duration))),
        ("response_timeout", Member::optional(timeouts.response.map(duration))),
        ("body_timeout", Member::optional(timeouts.body.map(duration))),
        ("regions", Member::optional((!regions.is_empty()).then_some(region_names))),
    ]);
    members
}

fn of_protocol(protocol: &EndpointProtocol) -> Members {
    match protocol {
        EndpointProtocol::Tcp => Vec::new(),
        EndpointProtocol::Http(request) => of_request(request),
        EndpointProtocol::Https { request, enable_sni, verify_certificate } => {
            let mut members = of_request(request);
            members.push(("enable_sni", flag(*enable_sni, true)));
            members.push(("verify_certificate", flag(*verify_certificate, false)));
            members
        }
    }
}

fn of_request(request: &HttpRequest) -> Members {
    let HttpRequest { resource_path, search_string, expected_status, request_headers } = request;
    let statuses = (!expected_status.is_empty()).then(|| list(expected_status.iter().map(status)));
    let headers: Vec<_> = request_headers.iter().map(|(name, value)| (name.clone(), string(value.reveal()))).collect();
    vec![
        ("resource_path", Member::optional(resource_path.as_deref().map(string))),
        ("search_string", Member::optional(search_string.as_deref().map(string))),
        ("expected_status", Member::optional(statuses)),
        ("request_headers", if headers.is_empty() { Member::Absent } else { Member::Table(headers) }),
    ]
}

fn status(range: &StatusRange) -> Value {
    let StatusRange { first, last } = range;
    if first == last { i64::from(*first).into() } else { format!("{first}-{last}").into() }
}

fn agreement_value(agreement: Agreement) -> Value {
    match agreement {
        Agreement::AtLeast(count) => i64::from(count).into(),
        other => string(&other.to_string()),
    }
}

fn of_calculated(check: &CalculatedCheck, references: &References<'_>) -> Members {
    let CalculatedCheck { child_health_checks, health_threshold } = check;
    let children = child_health_checks.iter().map(|child| string(references.health_check(child)));
    let children = (!child_health_checks.is_empty()).then(|| list(children));
    vec![
        ("type", Member::of("calculated")),
        ("child_health_checks", Member::optional(children)),
        ("health_threshold", Member::of(i64::from(*health_threshold))),
    ]
}

fn of_metric(check: &MetricCheck) -> Members {
    let MetricCheck {
        prometheus,
        query,
        comparison,
        threshold,
        period,
        evaluation_periods,
        insufficient_data_health_status,
        alarm,
    } = check;
    let comparison = match comparison {
        ComparisonOperator::GreaterThanThreshold => "greater_than_threshold",
        ComparisonOperator::GreaterThanOrEqualToThreshold => "greater_than_or_equal_to_threshold",
        ComparisonOperator::LessThanThreshold => "less_than_threshold",
        ComparisonOperator::LessThanOrEqualToThreshold => "less_than_or_equal_to_threshold",
    };
    let insufficient = match insufficient_data_health_status {
        InsufficientDataHealthStatus::Healthy => Member::of("healthy"),
        InsufficientDataHealthStatus::Unhealthy => Member::of("unhealthy"),
        InsufficientDataHealthStatus::LastKnownStatus => Member::Default("last_known_status".into()),
    };
    vec![
        ("type", Member::of("metric")),
        ("prometheus", Member::of(string(prometheus.reveal()))),
        ("query", Member::of(string(query))),
        ("comparison", Member::of(comparison)),
        ("threshold", Member::of(*threshold)),
        ("period", Member::or_default(duration(*period), *period == PERIOD)),
        ("evaluation_periods", Member::or_default(i64::from(*evaluation_periods), *evaluation_periods == 1)),
        ("insufficient_data_health_status", insufficient),
        ("alarm", Member::optional(alarm.as_ref().map(of_alarm))),
    ]
}

fn of_alarm(alarm: &AlarmIdentifier) -> InlineTable {
    let AlarmIdentifier { region, name } = alarm;
    [("region", string(region)), ("name", string(name))].into_iter().collect()
}

fn of_manual(check: &ManualCheck) -> Members {
    let ManualCheck { state, routing_control_arn } = check;
    let status = match state {
        RoutingControlState::On => "healthy",
        RoutingControlState::Off => "unhealthy",
    };
    vec![
        ("type", Member::of("manual")),
        ("status", Member::of(status)),
        ("routing_control_arn", Member::optional(routing_control_arn.as_deref().map(string))),
    ]
}

fn flag(value: bool, default: bool) -> Member {
    Member::or_default(value, value == default)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;
    use crate::config::{Settings, read_zones};
    use crate::model::{CHECKER_REGIONS, HealthCheckId, Region, Timeouts};

    const FILE: &str = r#"# Checks.

# The web server.
[[health_check]]
name = "blue" # the blue one
type = "https"
ip_address = "192.0.2.1"
request_headers = { Authorization = "Bearer x", X-A = "a" } # secret
verify_certificate = true # of the lab
failure_threshold = 2
recovery_threshold = 2 # both

[[health_check]]
name = "other-a"
type = "manual"
status = "healthy" # by hand
"#;

    fn file(text: &str) -> SourceFile {
        SourceFile::new(PathBuf::from("health_checks.toml"), text)
    }

    fn read(text: &str) -> Vec<HealthCheck> {
        let settings = Settings::read(&SourceFile::new(PathBuf::from("fiftythree.toml"), "")).0.unwrap();
        let reading = read_zones(&[file(text)], &settings);
        let errors: Vec<_> = reading.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{text}");
        reading.configuration.health_checks
    }

    fn edited(text: &str, before: Option<&HealthCheck>, after: Option<&HealthCheck>) -> String {
        let checks = read(text);
        edit_health_check(&file(text), before, after, &References::to(&checks, &[])).unwrap()
    }

    /// Edits the first check, and holds what the text then defines against the change itself.
    fn changed(text: &str, change: impl FnOnce(&mut HealthCheck, &mut EndpointCheck)) -> String {
        let before = read(text).remove(0);
        let mut after = before.clone();
        let HealthCheckKind::Endpoint(mut endpoint) = after.kind.clone() else { panic!("no endpoint check") };
        change(&mut after, &mut endpoint);
        after.kind = HealthCheckKind::Endpoint(endpoint);
        let edited = edited(text, Some(&before), Some(&after));
        assert_eq!(read(&edited)[0], after, "{edited}");
        edited
    }

    #[test]
    fn an_update_changes_only_the_members_that_differ() {
        assert_eq!(changed(FILE, |_, _| {}), FILE);
        let port = changed(FILE, |check, endpoint| {
            check.version = 2;
            endpoint.port = 8443;
        });
        assert_eq!(port, FILE.replace("# both\n", "# both\nversion = 2\nport = 8443\n"));
        assert_eq!(changed(&port, |_, endpoint| endpoint.port = 443), port.replace("port = 8443\n", ""));
        let headers = changed(FILE, |_, endpoint| {
            let EndpointProtocol::Https { request, .. } = &mut endpoint.protocol else { panic!() };
            request.request_headers.remove(0);
        });
        assert_eq!(headers, FILE.replace("{ Authorization = \"Bearer x\", X-A = \"a\" }", "{ X-A = \"a\" }"));
    }

    /// What follows from another member is written as soon as it does not follow any more.
    #[test]
    fn the_recovery_threshold_stays_when_the_failure_threshold_changes() {
        let text = FILE.replace("recovery_threshold = 2 # both\n", "");
        let failure = changed(&text, |_, endpoint| endpoint.failure_threshold = 5);
        assert_eq!(failure, text.replace("failure_threshold = 2\n", "failure_threshold = 5\nrecovery_threshold = 2\n"));
        let both = changed(FILE, |_, endpoint| (endpoint.failure_threshold, endpoint.recovery_threshold) = (5, 5));
        assert_eq!(both, text.replace("failure_threshold = 2", "failure_threshold = 5"));
        let failure = changed(FILE, |_, endpoint| endpoint.failure_threshold = 5);
        assert_eq!(failure, FILE.replace("failure_threshold = 2", "failure_threshold = 5"));
    }

    #[test]
    fn a_check_that_was_marked_deleted_comes_back() {
        let text = "[[health_check]]\nname = \"blue\"\ndeleted = true\ninverted = true # x\n";
        let back = changed(text, |check, endpoint| {
            check.disabled = false;
            endpoint.port = 81;
        });
        assert!(!back.contains("deleted =") && !back.contains("inverted"), "{back}");
        changed(text, |check, _| check.inverted = true);
        changed(text, |check, _| check.version = 7);
    }

    #[test]
    fn a_removed_check_takes_its_comment_along() {
        let before = read(FILE).remove(0);
        let removed = edited(FILE, Some(&before), None);
        let (start, end) = (FILE.find("# The web").unwrap(), FILE.rfind("[[health").unwrap());
        assert_eq!(removed, format!("{}{}", &FILE[..start], &FILE[end..]));
        let refused = edit_health_check(&file(&removed), Some(&before), None, &References::default());
        assert_eq!(refused, Err(EditError::Changed));
    }

    #[test]
    fn a_new_check_has_its_id_and_names_its_children() {
        let check = HealthCheck {
            id: id::health_check_id("site"),
            name: "site".to_owned(),
            caller_reference: Some("r1".to_owned()),
            version: 1,
            tags: [("Name".to_owned(), "The site".to_owned())].into(),
            inverted: false,
            disabled: true,
            agreement: None,
            kind: HealthCheckKind::Calculated(CalculatedCheck {
                child_health_checks: vec![id::health_check_id("blue"), id::health_check_id("other-a")],
                health_threshold: 1,
            }),
        };
        let new = edited(FILE, None, Some(&check)).replacen(FILE, "", 1);
        let expected = "\n[[health_check]]\nname = \"site\"\nid = \"ID\"\ncaller_reference = \"r1\"\ntype = \
                        \"calculated\"\nchild_health_checks = [\"blue\", \"other-a\"]\nhealth_threshold = 1\ndisabled = \
                        true\ntags = { Name = \"The site\" }\n";
        assert_eq!(new, expected.replace("ID", &check.id.0));
    }

    fn any_request() -> impl Strategy<Value = HttpRequest> {
        let status =
            (200..600u16, 0..200u16).prop_map(|(first, more)| StatusRange { first, last: (first + more).min(599) });
        let headers = prop::collection::btree_map("x-[a-c]", "[!-~]([ -~]{0,3}[!-~])?", 0..3);
        let search = prop::option::of("\\PC{1,4}|[\"'\\\\\n\r\t]{1,4}");
        (prop::option::of("/[a-z?%\"'\\\\]{0,4}"), search, prop::collection::vec(status, 0..3), headers).prop_map(
            |(resource_path, search_string, expected_status, headers)| HttpRequest {
                resource_path,
                search_string,
                expected_status,
                request_headers: headers.into_iter().map(|(name, value)| (name, value.into())).collect(),
            },
        )
    }

    fn any_protocol() -> impl Strategy<Value = EndpointProtocol> {
        let https = (any_request(), any::<bool>(), any::<bool>());
        prop_oneof![
            Just(EndpointProtocol::Tcp),
            any_request().prop_map(EndpointProtocol::Http),
            https.prop_map(|(request, enable_sni, verify_certificate)| EndpointProtocol::Https {
                request,
                enable_sni,
                verify_certificate
            }),
        ]
    }

    fn any_endpoint() -> impl Strategy<Value = EndpointCheck> {
        let timeout = || prop::option::of((10..60_000u64).prop_map(Duration::from_millis));
        let interval = prop_oneof![Just(30), 1..3600u64].prop_map(Duration::from_secs);
        let target = (any::<[u8; 2]>(), prop::option::of("[a-c]{1,3}\\.test"), any::<bool>(), any::<bool>());
        let numbers = (prop_oneof![Just(80), Just(443), 1..9999u16], interval, 1..5u8, 1..5u8);
        let regions = prop_oneof![Just(Vec::new()), prop::sample::subsequence(CHECKER_REGIONS.to_vec(), 3..=8)];
        let times = [timeout(), timeout(), timeout()];
        (any_protocol(), target, numbers, any::<bool>(), times, regions).prop_map(
            |(
                protocol,
                ([a, b], name, is_named, is_ipv6),
                (port, request_interval, failure, recovery),
                measure,
                times,
                regions,
            )| {
                let is_tcp = protocol == EndpointProtocol::Tcp;
                let ip_address = std::net::IpAddr::from([192, 0, a, b]);
                let target = match name.clone().filter(|_| is_named) {
                    Some(name) => EndpointTarget::Domain(name),
                    None => {
                        EndpointTarget::Address { ip_address, fully_qualified_domain_name: name.filter(|_| !is_tcp) }
                    }
                };
                EndpointCheck {
                    protocol,
                    target,
                    port,
                    request_interval,
                    failure_threshold: failure,
                    recovery_threshold: recovery,
                    measure_latency: measure,
                    regions: regions.iter().filter_map(|name| Region::from_name(name)).collect(),
                    address_family: if is_ipv6 { AddressFamily::Ipv6 } else { AddressFamily::Ipv4 },
                    timeouts: Timeouts {
                        connect: times[0],
                        response: times[1].filter(|_| !is_tcp),
                        body: times[2].filter(|_| !is_tcp),
                    },
                }
            },
        )
    }

    fn any_metric() -> impl Strategy<Value = MetricCheck> {
        let comparison = prop_oneof![
            Just(ComparisonOperator::GreaterThanThreshold),
            Just(ComparisonOperator::GreaterThanOrEqualToThreshold),
            Just(ComparisonOperator::LessThanThreshold),
            Just(ComparisonOperator::LessThanOrEqualToThreshold),
        ];
        let insufficient = prop_oneof![
            Just(InsufficientDataHealthStatus::Healthy),
            Just(InsufficientDataHealthStatus::Unhealthy),
            Just(InsufficientDataHealthStatus::LastKnownStatus),
        ];
        let threshold = prop::num::f64::NORMAL | prop::num::f64::ZERO;
        let alarm = prop::option::of(("[a-z]{1,3}", "[a-z \"]{1,3}"))
            .prop_map(|alarm| alarm.map(|(region, name)| AlarmIdentifier { region, name }));
        let numbers = (1..99u64, 1..9u8);
        ("[a-z]{1,3}", "x[\\n \"'a-z]{0,4}", comparison, threshold, numbers, insufficient, alarm).prop_map(
            |(
                host,
                query,
                comparison,
                threshold,
                (period, evaluation_periods),
                insufficient_data_health_status,
                alarm,
            )| {
                MetricCheck {
                    prometheus: format!("http://{host}:9090").into(),
                    query,
                    comparison,
                    threshold,
                    period: Duration::from_secs(period),
                    evaluation_periods,
                    insufficient_data_health_status,
                    alarm,
                }
            },
        )
    }

    fn any_check() -> impl Strategy<Value = HealthCheck> {
        let children = prop::sample::subsequence(vec!["other-a", "unknown"], 0..=2).prop_map(|children| {
            let id = |name| match name {
                "other-a" => id::health_check_id(name),
                _ => HealthCheckId("7d2d0b2a-0a52-4b3f-9c27-1f3a7a2b5c12".to_owned()),
            };
            children.into_iter().map(id).collect()
        });
        let kind = prop_oneof![
            4 => any_endpoint().prop_map(HealthCheckKind::Endpoint),
            1 => (children, 0..257u16).prop_map(|(child_health_checks, health_threshold)| {
                HealthCheckKind::Calculated(CalculatedCheck { child_health_checks, health_threshold })
            }),
            1 => any_metric().prop_map(HealthCheckKind::Metric),
            1 => (any::<bool>(), prop::option::of("arn:[a-z]{0,3}")).prop_map(|(is_on, routing_control_arn)| {
                let state = if is_on { RoutingControlState::On } else { RoutingControlState::Off };
                HealthCheckKind::Manual(ManualCheck { state, routing_control_arn })
            }),
        ];
        let ids =
            prop_oneof![Just(id::health_check_id("x").0), Just("7d2d0b2a-0a52-4b3f-9c27-1f3a7a2b5c11".to_owned())];
        let tags = prop::collection::btree_map("[a-c ]{1,2}", "[a-c ]{0,2}", 0..3);
        let agreement = prop_oneof![
            Just(None),
            Just(Some(Agreement::Majority)),
            (0..100u8).prop_map(|percent| Some(Agreement::MoreThan(percent))),
            (1..=1000u16).prop_map(|count| Some(Agreement::AtLeast(count))),
        ];
        (ids, prop::option::of("\\PC{1,4}"), 1..4u64, tags, any::<[bool; 2]>(), agreement, kind).prop_map(
            |(id, caller_reference, version, tags, [inverted, disabled], agreement, kind)| HealthCheck {
                id: HealthCheckId(id),
                name: "x".to_owned(),
                caller_reference,
                version,
                tags,
                inverted,
                disabled,
                agreement: agreement
                    .filter(|_| matches!(kind, HealthCheckKind::Endpoint(_) | HealthCheckKind::Metric(_))),
                kind,
            },
        )
    }

    proptest! {
        #[test]
        fn any_sequence_of_changes_gives_the_check_itself(
            changes in prop::collection::vec(prop::option::weighted(0.8, any_check()), 1..6),
            start in 0..4usize,
            windows in any::<bool>(),
        ) {
            let mut text = match start {
                0 => FILE.to_owned(),
                1 => FILE.trim_end().to_owned(),
                2 => format!("{FILE}[health_check.tags]\na = \"b\"\n"),
                _ => "# Checks.\n# The web server.\nhealth_check = [\n{ name = \"other-a\", type = \"manual\", status = \
                      \"healthy\" }, # by hand\n]\n"
                    .to_owned(),
            };
            if windows {
                text = text.replace('\n', "\r\n");
            }
            let others = read(&text);
            let mut before: Option<HealthCheck> = None;
            for after in changes {
                text = edited(&text, before.as_ref(), after.as_ref());
                let expected: Vec<_> = others.iter().chain(&after).cloned().collect();
                prop_assert_eq!(read(&text), expected, "{}", text);
                for comment in ["# Checks.", "# The web server.", "# by hand"] {
                    prop_assert!(text.contains(comment), "{}", text);
                }
                prop_assert!(!windows || !text.replace("\r\n", "").contains('\n'), "{:?}", text);
                before = after;
            }
        }
    }
}
