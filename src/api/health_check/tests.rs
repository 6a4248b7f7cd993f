//! Shapes in, checks and shapes out.

use std::time::Duration;

use super::*;
use crate::api::errors::{ApiError, Code};
use crate::api::xml::Element;
use crate::model::{
    AlarmIdentifier, CalculatedCheck, EndpointCheck, EndpointProtocol, HealthCheckId, InsufficientDataHealthStatus,
    ManualCheck, RoutingControlState, StatusRange, StrictRule, StrictRules, Tags,
};

fn element(text: &str) -> Element {
    Element::read(text.as_bytes()).unwrap()
}

fn config(members: &str) -> Result<HealthCheckConfig, ApiError> {
    HealthCheckConfig::read(&element(&format!("<HealthCheckConfig>{members}</HealthCheckConfig>")))?.complete()
}

fn check(name: &str, kind: HealthCheckKind) -> HealthCheck {
    HealthCheck {
        id: HealthCheckId(format!("id-of-{name}")),
        name: name.to_owned(),
        caller_reference: None,
        version: 1,
        tags: Tags::new(),
        inverted: false,
        disabled: false,
        agreement: None,
        kind,
    }
}

fn created(name: &str, members: &str, others: &[HealthCheck]) -> Result<HealthCheck, ApiError> {
    config(members)?.kind(others).map(|kind| check(name, kind))
}

fn endpoint(check: &HealthCheck) -> &EndpointCheck {
    let HealthCheckKind::Endpoint(endpoint) = &check.kind else { panic!("{check:?}") };
    endpoint
}

/// The element `HealthCheck` without its namespace.
fn written(check: &HealthCheck) -> String {
    let mut xml = Writer::root("R", "ns");
    write(&mut xml, check);
    let text = xml.finish();
    text[text.find("<HealthCheck>").unwrap()..text.len() - "</R>".len()].to_owned()
}

fn listed(check: &HealthCheck) -> String {
    let text = written(check);
    let (from, to) = (text.find("<HealthCheckConfig>").unwrap() + 19, text.find("</HealthCheckConfig>").unwrap());
    text[from..to].to_owned()
}

fn metric(name: &str) -> HealthCheck {
    let metric = MetricCheck {
        prometheus: "http://127.0.0.1:9090".into(),
        query: "errors".to_owned(),
        comparison: ComparisonOperator::GreaterThanThreshold,
        threshold: 0.5,
        period: Duration::from_secs(30),
        evaluation_periods: 2,
        insufficient_data_health_status: InsufficientDataHealthStatus::Healthy,
        alarm: None,
    };
    check(name, HealthCheckKind::Metric(metric))
}

fn updated(before: &HealthCheck, members: &str, others: &[HealthCheck]) -> Result<HealthCheck, ApiError> {
    let body = element(&format!("<UpdateHealthCheckRequest>{members}</UpdateHealthCheckRequest>"));
    Update::read(&body)?.apply(before.clone(), others)
}

const HTTP: &str = "<IPAddress>192.0.2.1</IPAddress><Type>HTTP</Type>";

#[test]
fn a_new_check_has_the_defaults_of_route_53() {
    let http = created("a", HTTP, &[]).unwrap();
    assert_eq!(
        written(&http),
        "<HealthCheck><Id>id-of-a</Id><CallerReference>id-of-a</CallerReference><HealthCheckConfig>\
         <IPAddress>192.0.2.1</IPAddress><Port>80</Port><Type>HTTP</Type><RequestInterval>30</RequestInterval>\
         <FailureThreshold>3</FailureThreshold><MeasureLatency>false</MeasureLatency><Inverted>false</Inverted>\
         <Disabled>false</Disabled><EnableSNI>false</EnableSNI></HealthCheckConfig>\
         <HealthCheckVersion>1</HealthCheckVersion></HealthCheck>"
    );
    let https = "<FullyQualifiedDomainName>a.test</FullyQualifiedDomainName><Type>HTTPS_STR_MATCH</Type>\
                 <SearchString>ok &amp; well</SearchString><ResourcePath>health</ResourcePath>";
    let https = created("a", https, &[]).unwrap();
    let shown = listed(&https);
    assert!(shown.contains("<Port>443</Port>") && shown.contains("<EnableSNI>true</EnableSNI>"), "{shown}");
    assert!(shown.contains("<ResourcePath>/health</ResourcePath>"), "{shown}");
    assert!(shown.contains("<SearchString>ok &amp; well</SearchString>"), "{shown}");
    assert_eq!(endpoint(&https).recovery_threshold, 3);
}

#[test]
fn every_type_comes_back_as_it_was_sent() {
    let child = created("child", HTTP, &[]).unwrap();
    let others = [child, metric("errors")];
    for members in [
        HTTP,
        "<IPAddress>2001:db8::1</IPAddress><Port>8443</Port><Type>HTTPS</Type><EnableSNI>false</EnableSNI>\
         <FullyQualifiedDomainName>a.test</FullyQualifiedDomainName><RequestInterval>10</RequestInterval>\
         <FailureThreshold>1</FailureThreshold><MeasureLatency>true</MeasureLatency><Regions><Region>us-east-1</Region>\
         <Region>eu-west-1</Region><Region>sa-east-1</Region></Regions>",
        "<FullyQualifiedDomainName>a.test</FullyQualifiedDomainName><Type>HTTP_STR_MATCH</Type>\
         <SearchString>ok</SearchString><ResourcePath>/</ResourcePath>",
        "<IPAddress>127.0.0.1</IPAddress><Port>22</Port><Type>TCP</Type>",
        "<Type>CALCULATED</Type><HealthThreshold>1</HealthThreshold><ChildHealthChecks>\
         <ChildHealthCheck>id-of-child</ChildHealthCheck></ChildHealthChecks>",
        "<Type>CALCULATED</Type><HealthThreshold>0</HealthThreshold>",
        "<Type>CLOUDWATCH_METRIC</Type><AlarmIdentifier><Region>eu-west-1</Region><Name>errors</Name></AlarmIdentifier>",
        "<Type>RECOVERY_CONTROL</Type><RoutingControlArn>arn:x</RoutingControlArn>",
    ] {
        let sent = config(members).unwrap();
        let new = check("new", sent.kind(&others).unwrap());
        assert_eq!(HealthCheckConfig::of(&new), sent, "{members}");
        let read_again = config(&listed(&new)).unwrap();
        assert_eq!(read_again, sent, "{members}");
    }
}

#[test]
fn members_of_another_type_are_refused_with_route_53s_sentences() {
    let alarm = "<AlarmIdentifier><Region>us-east-1</Region><Name>a</Name></AlarmIdentifier>";
    for (members, message) in [
        (format!("{HTTP}{alarm}"), "Invalid parameter : Basic health checks must not have an metric region specified."),
        (
            format!("{HTTP}<InsufficientDataHealthStatus>Healthy</InsufficientDataHealthStatus>"),
            "Basic health checks must not have an insufficient data health state specified.",
        ),
        (
            "<IPAddress>192.0.2.1</IPAddress><Port>1</Port><Type>TCP</Type>\
             <FullyQualifiedDomainName>a.test</FullyQualifiedDomainName>"
                .to_owned(),
            "TCP health checks that have IP address must not have a fully qualified domain name specified.",
        ),
        (
            "<IPAddress>192.0.2.1</IPAddress><Port>1</Port><Type>TCP</Type><ResourcePath>/</ResourcePath>".to_owned(),
            "TCP health checks must not have a resource path specified.",
        ),
        (
            "<Type>CALCULATED</Type><HealthThreshold>1</HealthThreshold><FailureThreshold>3</FailureThreshold>"
                .to_owned(),
            "Calculated health checks must not have a failure threshold specified.",
        ),
        (
            "<Type>CALCULATED</Type>".to_owned(),
            "Invalid parameter : Calculated health checks must have a health threshold specified.",
        ),
        (
            format!("{HTTP}<SearchString>a</SearchString>"),
            "HTTP health checks must not have a search string specified.",
        ),
        (HTTP.replace("HTTP", "HTTP_STR_MATCH"), "HTTP_STR_MATCH health checks must have a search string specified."),
        (
            "<Type>HTTP</Type>".to_owned(),
            "Basic health checks must have an IP address or a fully qualified domain name specified.",
        ),
        (HTTP.replace("192.0.2.1", "0.0.0.0"), "Invalid parameter : The IP address 0.0.0.0 is forbidden"),
        (
            format!("{HTTP}<Regions><Region>us-east-1</Region><Region>us-west-1</Region></Regions>"),
            "Invalid parameter : A health check must have at least 3 different regions",
        ),
    ] {
        let error = config(&members).unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::InvalidInput, message), "{members}");
    }
    for members in [
        "<Type>PING</Type>",
        "<IPAddress>192.0.2.1</IPAddress>",
        "<IPAddress>a.test</IPAddress><Type>HTTP</Type>",
        "<FullyQualifiedDomainName>a b</FullyQualifiedDomainName><Type>HTTP</Type>",
        "<IPAddress>192.0.2.1</IPAddress><Type>HTTP</Type><ResourcePath>/a b</ResourcePath>",
        "<Type>CALCULATED</Type><HealthThreshold>257</HealthThreshold>",
    ] {
        assert_eq!(config(members).unwrap_err().code(), Code::InvalidInput, "{members}");
    }
}

#[test]
fn only_strict_mode_refuses_private_addresses_and_other_intervals() {
    let of = |rule: StrictRule| StrictRules::from_iter([rule]);
    let (private, public) = (HTTP.replace("192.0.2.1", "10.0.0.1"), HTTP.replace("192.0.2.1", "1.2.3.4"));
    let message = |members: &str, rules| config(members).unwrap().check_strictly(rules).map_err(|e| e.to_string());
    let forbidden = "InvalidInput: Invalid parameter : The IP address 10.0.0.1 is forbidden".to_owned();
    assert_eq!(message(&private, StrictRules::default()), Ok(()));
    assert_eq!(message(&private, of(StrictRule::RequestIntervals)), Ok(()));
    assert_eq!(message(&private, of(StrictRule::HealthCheckAddresses)), Err(forbidden.clone()));
    assert_eq!(message(&public, StrictRules::all()), Ok(()));
    let slow = format!("{public}<RequestInterval>20</RequestInterval>");
    let refused = "InvalidInput: Invalid parameter : The request interval must be 10 or 30 seconds, not 20".to_owned();
    assert_eq!(message(&slow, StrictRules::default()), Ok(()));
    assert_eq!(message(&slow, of(StrictRule::RequestIntervals)), Err(refused));
    for seconds in ["9", "31"] {
        let members = format!("{HTTP}<RequestInterval>{seconds}</RequestInterval>");
        assert_eq!(config(&members).unwrap_err().code(), Code::InvalidInput, "{seconds}");
    }
    let update = |members: &str| {
        let body = element(&format!("<UpdateHealthCheckRequest>{members}</UpdateHealthCheckRequest>"));
        Update::read(&body).unwrap().check_strictly(StrictRules::all()).map_err(|error| error.to_string())
    };
    assert_eq!(update("<IPAddress>10.0.0.1</IPAddress>"), Err(forbidden));
    assert_eq!(update("<Port>81</Port>"), Ok(()));
}

#[test]
fn children_are_checks_of_another_type() {
    let calculated = CalculatedCheck { child_health_checks: Vec::new(), health_threshold: 0 };
    let others = [check("sum", HealthCheckKind::Calculated(calculated))];
    for child in ["id-of-sum", "id-of-nothing"] {
        let members = format!(
            "<Type>CALCULATED</Type><HealthThreshold>1</HealthThreshold><ChildHealthChecks><ChildHealthCheck>{child}\
             </ChildHealthCheck></ChildHealthChecks>"
        );
        assert_eq!(created("a", &members, &others).unwrap_err().code(), Code::InvalidInput, "{child}");
    }
}

#[test]
fn regions_are_words_of_their_enumeration_and_few() {
    let code = |members: &str| created("a", members, &[metric("errors")]).map_err(|error| error.code());
    let alarm = |region: &str| {
        let alarm = format!("<AlarmIdentifier><Region>{region}</Region><Name>errors</Name></AlarmIdentifier>");
        code(&format!("<Type>CLOUDWATCH_METRIC</Type>{alarm}"))
    };
    assert!(alarm("eu-west-1").is_ok() && alarm("us-iso-east-1").is_ok());
    assert_eq!(alarm("mars-1").unwrap_err(), Code::InvalidInput);
    let checkers = |number: usize| {
        let three = ["us-east-1", "eu-west-1", "sa-east-1"].map(|region| format!("<Region>{region}</Region>"));
        let regions: String = three.iter().cycle().take(number).map(String::as_str).collect();
        code(&format!("<Type>TCP</Type><IPAddress>127.0.0.1</IPAddress><Port>1</Port><Regions>{regions}</Regions>"))
    };
    assert!(checkers(64).is_ok());
    assert_eq!(checkers(65).unwrap_err(), Code::InvalidInput);
}

#[test]
fn an_alarm_is_a_metric_check_whose_query_is_copied() {
    let alarm = |name: &str| {
        format!(
            "<Type>CLOUDWATCH_METRIC</Type><AlarmIdentifier><Region>eu-west-1</Region><Name>{name}</Name></AlarmIdentifier>"
        )
    };
    let others = [metric("errors")];
    let copy = created("copy", &alarm("errors"), &others).unwrap();
    let HealthCheckKind::Metric(new) = &copy.kind else { panic!() };
    assert_eq!((new.query.as_str(), new.evaluation_periods), ("errors", 2));
    assert_eq!(new.insufficient_data_health_status, InsufficientDataHealthStatus::LastKnownStatus);
    assert_eq!(new.alarm, Some(AlarmIdentifier { region: "eu-west-1".to_owned(), name: "errors".to_owned() }));
    assert!(written(&copy).contains(
        "<CloudWatchAlarmConfiguration><EvaluationPeriods>2</EvaluationPeriods><Threshold>0.5</Threshold>\
         <ComparisonOperator>GreaterThanThreshold</ComparisonOperator><Period>30</Period><MetricName>errors</MetricName>"
    ));
    let error = created("copy", &alarm("other"), &others).unwrap_err();
    assert!(error.message().contains("type = \"metric\""), "{error}");
    // An update takes over what was edited since (API AlarmIdentifier).
    let mut edited = metric("errors");
    let HealthCheckKind::Metric(check) = &mut edited.kind else { panic!() };
    check.threshold = 9.0;
    let again = "<AlarmIdentifier><Region>eu-west-1</Region><Name>errors</Name></AlarmIdentifier>";
    let copy = updated(&copy, again, &[edited]).unwrap();
    assert!(matches!(&copy.kind, HealthCheckKind::Metric(check) if check.threshold == 9.0));
}

#[test]
fn what_route_53_does_not_have_is_listed_in_its_nearest_form_and_kept_by_an_update() {
    let mut before = created("a", &format!("{HTTP}<ResourcePath>/a</ResourcePath>"), &[]).unwrap();
    let HealthCheckKind::Endpoint(check) = &mut before.kind else { panic!() };
    check.recovery_threshold = 1;
    check.request_interval = Duration::from_secs(1);
    check.timeouts.connect = Some(Duration::from_millis(50));
    let EndpointProtocol::Http(request) = &mut check.protocol else { panic!() };
    request.request_headers = vec![("Authorization".to_owned(), "secret".into())];
    request.expected_status = vec![StatusRange { first: 404, last: 404 }];
    let shown = listed(&before);
    assert!(shown.contains("<RequestInterval>10</RequestInterval>") && !shown.contains("secret"), "{shown}");
    let after = updated(&before, "<Port>81</Port><FailureThreshold>5</FailureThreshold><Inverted>true</Inverted>", &[]);
    let after = after.unwrap();
    let expected = EndpointCheck { port: 81, failure_threshold: 5, ..endpoint(&before).clone() };
    assert_eq!(after, HealthCheck { version: 2, inverted: true, kind: HealthCheckKind::Endpoint(expected), ..before });
    for (seconds, nearest) in [(1, 10), (15, 15), (20, 20), (31, 30), (3600, 30)] {
        let mut check = created("a", HTTP, &[]).unwrap();
        let HealthCheckKind::Endpoint(endpoint) = &mut check.kind else { panic!() };
        endpoint.request_interval = Duration::from_secs(seconds);
        assert!(listed(&check).contains(&format!("<RequestInterval>{nearest}</")), "{seconds}");
    }
}

#[test]
fn a_manual_check_is_a_recovery_control_that_cannot_be_updated() {
    let manual = ManualCheck { state: RoutingControlState::Off, routing_control_arn: None };
    let manual = check("switch", HealthCheckKind::Manual(manual));
    let arn = "arn:aws:route53-recovery-control::000000000000:controlpanel/fiftythree/routingcontrol/id-of-switch";
    assert!(listed(&manual).ends_with(&format!("<RoutingControlArn>{arn}</RoutingControlArn>")));
    let error = updated(&manual, "<Inverted>true</Inverted>", &[]).unwrap_err();
    assert_eq!(error.message(), "Invalid parameter : Update is not supported for this health check type.");
}

#[test]
fn an_update_changes_only_the_members_that_are_given() {
    let both =
        format!("{HTTP}<FullyQualifiedDomainName>a.test</FullyQualifiedDomainName><ResourcePath>/a</ResourcePath>");
    let before = created("a", &both, &[]).unwrap();
    let reset = |names: &str| {
        let items = names.split(' ').map(|name| format!("<ResettableElementName>{name}</ResettableElementName>"));
        format!("<ResetElements>{}</ResetElements>", items.collect::<String>())
    };
    let after = updated(&before, &reset("FullyQualifiedDomainName ResourcePath"), &[]).unwrap();
    assert_eq!((listed(&after), after.version), (listed(&created("a", HTTP, &[]).unwrap()), 2));
    let after = updated(&before, "<ResourcePath/>", &[]).unwrap();
    assert!(!listed(&after).contains("ResourcePath"), "{}", listed(&after));
    let after = updated(&before, "<FailureThreshold>7</FailureThreshold>", &[]).unwrap();
    assert_eq!((endpoint(&after).failure_threshold, endpoint(&after).recovery_threshold), (7, 7));
    for members in [
        "<RequestInterval>10</RequestInterval>".to_owned(),
        "<Type>HTTPS</Type>".to_owned(),
        "<SearchString>a</SearchString>".to_owned(),
        "<HealthThreshold>1</HealthThreshold>".to_owned(),
        reset("IPAddress"),
    ] {
        assert_eq!(updated(&before, &members, &[]).unwrap_err().code(), Code::InvalidInput, "{members}");
    }
    let named = "<FullyQualifiedDomainName>a.test</FullyQualifiedDomainName><Type>HTTP</Type>";
    let named = created("a", named, &[]).unwrap();
    for members in ["<IPAddress>192.0.2.1</IPAddress>".to_owned(), reset("FullyQualifiedDomainName")] {
        assert_eq!(updated(&named, &members, &[]).unwrap_err().code(), Code::InvalidInput, "{members}");
    }
}

#[test]
fn an_update_may_require_a_version() {
    let before = created("a", HTTP, &[]).unwrap();
    let after = updated(&before, "<HealthCheckVersion>1</HealthCheckVersion><Disabled>true</Disabled>", &[]).unwrap();
    assert!(after.disabled && after.version == 2);
    let error = updated(&after, "<HealthCheckVersion>1</HealthCheckVersion>", &[]).unwrap_err();
    assert_eq!(error.code(), Code::HealthCheckVersionMismatch);
}
