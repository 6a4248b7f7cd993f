//! `/metrics`: the server's metrics in the text formats of Prometheus and OpenMetrics.
//!
//! A scrape adds the counters of the workers, asks the control loop for reports of a thousand
//! checks at a time, and encodes them on a blocking thread. `families` lists all metrics; a test
//! compares it with the table in docs/observability.md.

mod encode;
mod families;
mod output;
#[cfg(target_os = "linux")]
mod process;
#[cfg(test)]
mod tests;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;

use crate::cluster;
use crate::control::MetricsSnapshot;
use crate::logging;
use crate::query_logging;
use crate::stats::Reading;

use super::{AdminState, refusal};

/// The data of a scrape.
#[derive(Debug)]
struct ScrapeData {
    ready: bool,
    dns: Reading,
    query_logging: query_logging::Reading,
    log: logging::Lost,
    /// `None` if the control loop has failed; queries are still answered then.
    control: Option<MetricsSnapshot>,
    /// `None` without a cluster.
    cluster: Option<cluster::Reading>,
}

/// The two text formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// The Prometheus text format.
    Prometheus,
    /// OpenMetrics, which newer Prometheus versions prefer.
    OpenMetrics,
}

impl Format {
    fn content_type(self) -> &'static str {
        match self {
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

pub(super) async fn scrape(State(admin): State<AdminState>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = format_for(accept.unwrap_or_default());
    let ready = admin.is_ready();
    let health = admin.health().ok();
    // With 20 000 checks this is megabytes of text, so it runs on a blocking thread.
    let words = tokio::task::spawn_blocking(move || {
        let (dns, query_logging, log) = (admin.meters.read(), admin.query_logging.read(), logging::lost());
        let control = health.map(|health| health.metrics());
        let cluster = admin.cluster.as_ref().map(|files| files.reading(admin.base.borrow().sources_revision));
        in_words(ScrapeData { ready, dns, query_logging, log, control, cluster }, format)
    });
    let Ok(Ok(words)) = words.await else {
        return refusal(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be put into words");
    };
    let about = [(header::CONTENT_TYPE, format.content_type()), (header::VARY, "Accept")];
    (about, [(header::CACHE_CONTROL, "no-store")], words).into_response()
}

fn in_words(scrape_data: ScrapeData, format: Format) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(scrape_data));
    let mut words = String::new();
    match format {
        Format::Prometheus => prometheus_text::encode(&mut words, &registry)?,
        Format::OpenMetrics => text::encode(&mut words, &registry)?,
    }
    Ok(words)
}

/// The form that an `Accept` header prefers (RFC 9110 section 12.5.1). Clients that do not name
/// OpenMetrics get the older format.
fn format_for(accept: &str) -> Format {
    let (mut open_metrics, mut plain) = (0.0, 0.0);
    for (kind, quality) in accept.split(',').map(preference) {
        match kind {
            "application/openmetrics-text" => open_metrics = quality.max(open_metrics),
            "text/plain" => plain = quality.max(plain),
            _ => {}
        }
    }
    if open_metrics > 0.0 && open_metrics >= plain { Format::OpenMetrics } else { Format::Prometheus }
}

/// A media range and its quality; 0 for another version.
fn preference(range: &str) -> (&str, f64) {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let mut quality = 1.0;
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match (name.trim(), value.trim()) {
            ("q", value) => quality = value.parse().unwrap_or(0.0),
            ("version", "1.0.0" | "0.0.4") => {}
            ("version", _) => return (kind, 0.0),
            _ => {}
        }
    }
    (kind, quality)
}
