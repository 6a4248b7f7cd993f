//! Metric checks with a real Prometheus.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fiftythree::health::{CheckSlot, Generation, ScheduledMetric};
use fiftythree::model::{ComparisonOperator, HealthCheckId, InsufficientDataHealthStatus, MetricCheck};
use fiftythree::probe::{Environment, Evaluator};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::prometheus::Prometheus;
use crate::server::{PATIENCE, block_on};

/// What the Prometheus scrapes.
const METRICS: &str = "# TYPE errors gauge\nerrors{shop=\"berlin\"} 0.2\nerrors{shop=\"tokyo\"} 0.7\n";

/// Queries and how their reports begin.
const CASES: [(&str, &str); 10] = [
    ("errors", "Failure: 0.7, the worst of 2 series, is greater than 0.5."),
    ("errors{shop=\"berlin\"}", "Success: 0.2 is not greater than 0.5."),
    ("scalar(errors{shop=\"tokyo\"})", "Failure: 0.7 is greater than 0.5."),
    ("errors{shop=\"atlantis\"}", "Insufficient data: the query returned no number."),
    ("scalar(errors)", "Insufficient data: the query returned no number."),
    ("vector(0) / 0", "Insufficient data: the query returned no number."),
    ("vector(1) / 0", "Failure: inf is greater than 0.5."),
    ("errors[1m]", "Insufficient data: the query returned a matrix instead of a scalar or an instant vector."),
    ("'text'", "Insufficient data: the query returned a string instead of a scalar or an instant vector."),
    ("sum(errors", "Insufficient data: Prometheus reported: "),
];

/// A web server that responds with the metrics to everything. It ends with the process.
fn target() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let response = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{METRICS}",
        METRICS.len()
    );
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(response.as_bytes());
        }
    });
    address
}

/// A metric check of a value that must not exceed 0.5.
fn scheduled(slot: u32, prometheus: &str, query: &str) -> ScheduledMetric {
    ScheduledMetric {
        slot: CheckSlot(slot),
        generation: Generation(1),
        id: HealthCheckId("0123".to_owned()),
        name: "errors".into(),
        check: Arc::new(MetricCheck {
            prometheus: prometheus.into(),
            query: query.to_owned(),
            comparison: ComparisonOperator::GreaterThanThreshold,
            threshold: 0.5,
            period: Duration::from_secs(1),
            evaluation_periods: 1,
            insufficient_data_health_status: InsufficientDataHealthStatus::LastKnownStatus,
            alarm: None,
        }),
    }
}

pub(crate) fn they_ask_a_real_prometheus() {
    let prometheus = Prometheus::start("web", &target(), &[]);
    block_on(async {
        let (sender, mut results) = mpsc::channel(16);
        let mut evaluator = Evaluator::new(&Environment::start(64), sender).unwrap();
        let schedule: Vec<ScheduledMetric> =
            (0..).zip(CASES).map(|(slot, (query, _))| scheduled(slot, &prometheus.url, query)).collect();
        evaluator.set(&schedule);
        let mut reports = [const { String::new() }; CASES.len()];
        // Until Prometheus has started and scraped, there is no data.
        let deadline = Instant::now() + PATIENCE;
        while !reports.iter().zip(CASES).all(|(report, (_, expected))| report.starts_with(expected)) {
            let Ok(Some(evaluated)) = timeout_at(deadline, results.recv()).await else { panic!("{reports:#?}") };
            reports[evaluated.slot.0 as usize] = evaluated.report.to_string();
        }
        assert!(reports[CASES.len() - 1].contains("parse error"), "{reports:#?}");
    });
}
