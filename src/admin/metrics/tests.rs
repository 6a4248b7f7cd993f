//! Which form is chosen, and what stands in it.

use std::time::Duration;

use super::*;
use crate::control::{
    CheckCounters, CheckMetrics, LatencyMetrics, OpinionCounts, ReloadMetrics, ReloadResult, ServedCounts,
};
use crate::health::{Reason, Status, Timestamp};
use crate::model::QueryType;
use crate::requestor::{Requestor, Transport};
use crate::stats::{AnswerLabels, Counted, Meters, ZoneNumber};

#[test]
fn the_form_is_what_the_reader_prefers() {
    let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    for (accept, format) in [
        (prometheus, Format::OpenMetrics),
        ("application/openmetrics-text", Format::OpenMetrics),
        ("text/plain;version=0.0.4, application/openmetrics-text;q=0.5", Format::Prometheus),
        ("application/openmetrics-text; version=2.0.0", Format::Prometheus),
        ("application/openmetrics-text;q=0", Format::Prometheus),
        ("text/html, */*;q=0.8", Format::Prometheus),
        ("*/*", Format::Prometheus),
        ("", Format::Prometheus),
    ] {
        assert_eq!(format_for(accept), format, "{accept}");
    }
}

/// The data of a scrape with something in every family.
fn scrape_data() -> ScrapeData {
    let meters = Meters::default();
    let (stats, zone) = (meters.worker(), meters.number("lab.test."));
    let requestor = Requestor::at(std::net::Ipv6Addr::LOCALHOST.into());
    let counted = Counted { zone, requestor: &requestor, qtype: QueryType(28), response_code: 3 };
    (0..3).for_each(|_| stats.count(&counted));
    stats.count(&Counted { zone: ZoneNumber::NONE, qtype: QueryType(65_000), response_code: 5, ..counted });
    let (name, target) = ("app.lab.test.".to_owned(), "blue".to_owned());
    let labels = AnswerLabels { zone: "lab.test.".to_owned(), name, policy: "failover", target };
    stats.count_answers(&[meters.answer_number(labels).unwrap()]);
    stats.count_duration(Transport::Udp, Duration::from_micros(6), 4);
    let mut counters = CheckCounters {
        transitions: [1, 2],
        last_duration: Some(Duration::from_millis(3)),
        ..CheckCounters::default()
    };
    counters.results[Reason::Timeout as usize] = 7;
    let check = CheckMetrics {
        name: "app \"blue\"".into(),
        final_status: Status::Unhealthy,
        overridden: Some(Status::Unhealthy),
        last_transition: Some(Timestamp(Duration::from_millis(1_800_000_000_500))),
        counters,
    };
    let mut latencies = [LatencyMetrics::default(); 3];
    latencies[1].counts[1] = 7;
    latencies[1].sum = Duration::from_millis(14);
    let last_success = Some(Timestamp(Duration::from_secs(1_800_000_000)));
    let last = Some(ReloadResult::Failure);
    let reloads = ReloadMetrics { counts: [1, 0, 2], last, last_success, errors: 0, deferred: 2, unresponsive: 1 };
    let served = ServedCounts { zones: 1, unavailable: 0, records: 6, checks: 1 };
    let opinions = Some(OpinionCounts { nodes: 3, disagreements: 1 });
    let figures =
        MetricsSnapshot { checks: vec![check], pending: 0, overrides: 1, latencies, reloads, served, opinions };
    let totals = query_logging::Totals { delivered: 8, dropped_full: 2, dropped_write: 1, connected: true };
    let query_logging = query_logging::Reading { query_log: Some(totals), dnstap: Some(totals) };
    let log = logging::Lost { full: 3, write: 4 };
    let cluster = Some(cluster::Reading { is_connected: true, files: 2, nodes: 3, is_registered: true, revision: 41 });
    ScrapeData { ready: true, dns: meters.read(), query_logging, log, control: Some(figures), cluster }
}

#[test]
fn both_forms_say_the_same() {
    let [plain, open] =
        [Format::Prometheus, Format::OpenMetrics].map(|format| in_words(scrape_data(), format).unwrap());
    for line in [
        "fiftythree_dns_requests_total{proto=\"udp\",family=\"2\",type=\"AAAA\",zone=\"lab.test.\"} 3",
        "fiftythree_dns_requests_total{proto=\"udp\",family=\"2\",type=\"other\",zone=\"none\"} 1",
        "fiftythree_dns_responses_total{rcode=\"NXDOMAIN\",zone=\"lab.test.\"} 3",
        "fiftythree_dns_responses_total{rcode=\"NOERROR\",zone=\"lab.test.\"} 0",
        "fiftythree_dns_responses_total{rcode=\"REFUSED\",zone=\"none\"} 1",
        "fiftythree_answers_total{zone=\"lab.test.\",name=\"app.lab.test.\",policy=\"failover\",target=\"blue\"} 1",
        "fiftythree_dns_request_duration_seconds_count{proto=\"udp\"} 4",
        "fiftythree_health_status{check=\"app \\\"blue\\\"\"} 0",
        "fiftythree_health_overridden{check=\"app \\\"blue\\\"\"} 1",
        "fiftythree_health_checks_total{check=\"app \\\"blue\\\"\",result=\"fail\",reason=\"timeout\"} 7",
        "fiftythree_health_check_last_duration_seconds{check=\"app \\\"blue\\\"\"} 0.003",
        "fiftythree_health_transitions_total{check=\"app \\\"blue\\\"\",to=\"unhealthy\"} 2",
        "fiftythree_health_last_transition_timestamp_seconds{check=\"app \\\"blue\\\"\"} 1800000000.5",
        "fiftythree_log_dropped_total{reason=\"full\"} 3",
        "fiftythree_log_dropped_total{reason=\"write\"} 4",
        "fiftythree_config_reloads_total{result=\"failure\"} 2",
        "fiftythree_config_reloads_unresponsive_total 1",
        "fiftythree_config_files_deferred 2",
        "fiftythree_config_last_reload_successful 0",
        "fiftythree_control_running 1",
    ] {
        assert!(plain.lines().any(|found| found == line), "{line} is not in\n{plain}");
        assert!(open.lines().any(|found| found == line), "{line} is not in\n{open}");
    }
    let bucket = |le: &str, count: u64| {
        let name = "fiftythree_dns_request_duration_seconds_bucket";
        plain.lines().any(|line| {
            line == format!("{name}{{le=\"{le}\",proto=\"udp\"}} {count}")
                || line == format!("{name}{{proto=\"udp\",le=\"{le}\"}} {count}")
        })
    };
    assert!(bucket("7.8125e-06", 4) && bucket("3.90625e-06", 0) && bucket("+Inf", 4), "{plain}");
    assert!(open.ends_with("# EOF\n") && !plain.contains("# EOF"));
}

#[test]
fn without_the_loop_answers_are_counted_all_the_same() {
    let text = in_words(ScrapeData { control: None, ..scrape_data() }, Format::Prometheus).unwrap();
    assert!(text.contains("\nfiftythree_control_running 0\n") && text.contains("fiftythree_dns_requests_total{"));
    assert!(!text.contains("fiftythree_health_status"));
}

/// docs/observability.md has a row for each metric that is scraped, and for no other.
#[test]
fn the_page_lists_what_is_scraped() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/observability.md")).unwrap();
    let rows: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 5).collect();
    let expected: Vec<String> = families::ALL.iter().map(|family| row(family)).collect();
    assert_eq!(rows, expected, "the rows should read:\n{}", expected.join("\n"));
    let text = in_words(scrape_data(), Format::Prometheus).unwrap();
    let scraped: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let mut listed: Vec<&str> = families::ALL.iter().map(|family| family.name).collect();
    if !cfg!(target_os = "linux") {
        listed.retain(|name| !name.starts_with("process_"));
    }
    let (mut scraped, mut listed) = (scraped, listed);
    scraped.sort_unstable();
    listed.sort_unstable();
    assert_eq!(scraped, listed, "{text}");
}

fn row(family: &families::Family) -> String {
    let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
    format!("| `{}` | {} | {} | {} |", family.name, family.kind.as_str(), labels.join(", "), family.help)
}
