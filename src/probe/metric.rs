//! One evaluation of a metric check: an instant query to Prometheus' HTTP API, and its result.
//!
//! The result can be a scalar or an instant vector. One bad series makes the evaluation bad, as in
//! an alerting rule of Prometheus itself. A series with the value NaN is ignored, for example 0/0
//! in a quiet hour. A result without any number is no data, and so is every error: a Prometheus
//! that is down says nothing about what it measures.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, Url};
use serde_json::Value;
use tokio::time::timeout;

use crate::health::{Observation, Reason, ScheduledMetric};
use crate::model::{ComparisonOperator, MetricCheck};

use super::prober::ProberError;
use super::resolve::Resolver;
use super::tls::{ServerNameIndication, client_config};

/// A slower Prometheus is too slow for failover, although its own limit is 2 min.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const CONNECT_WITHIN: Duration = Duration::from_secs(4);

/// Fits a thousand series with long labels; a larger result is a mistake in the query.
const MOST_OCTETS: usize = 1 << 20;

/// The outcome of one evaluation. Its `Display` has the form of Route 53's status messages.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricReport {
    /// There was at least one number.
    Numbers(Numbers),
    /// There was no number; the reason.
    NoData(String),
}

/// The numbers of a result, and the comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// The worst number.
    pub worst: f64,
    /// The number of numbers.
    pub count: usize,
    /// The comparison that makes a number bad.
    pub comparison: ComparisonOperator,
    /// The threshold.
    pub threshold: f64,
}

impl MetricReport {
    /// The reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self.observation() {
            Observation::Pass => Reason::Good,
            Observation::Fail | Observation::ResolverFailure => Reason::Threshold,
            Observation::Missing => Reason::NoData,
        }
    }

    /// The observation for the check.
    #[must_use]
    pub fn observation(&self) -> Observation {
        match self {
            MetricReport::NoData(_) => Observation::Missing,
            MetricReport::Numbers(numbers) if numbers.are_bad() => Observation::Fail,
            MetricReport::Numbers(_) => Observation::Pass,
        }
    }
}

impl Numbers {
    fn are_bad(&self) -> bool {
        self.comparison.holds(self.worst, self.threshold)
    }
}

impl fmt::Display for MetricReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MetricReport::NoData(why) => write!(f, "Insufficient data: {why}."),
            MetricReport::Numbers(numbers) => numbers.fmt(f),
        }
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Numbers { worst, count, comparison, threshold } = self;
        let (word, not) = if self.are_bad() { ("Failure", "") } else { ("Success", " not") };
        let words = match comparison {
            ComparisonOperator::GreaterThanThreshold => "greater than",
            ComparisonOperator::GreaterThanOrEqualToThreshold => "greater than or equal to",
            ComparisonOperator::LessThanThreshold => "less than",
            ComparisonOperator::LessThanOrEqualToThreshold => "less than or equal to",
        };
        match count {
            1 => write!(f, "{word}: {worst} is{not} {words} {threshold}."),
            _ => write!(f, "{word}: {worst}, the worst of {count} series, is{not} {words} {threshold}."),
        }
    }
}

/// The HTTP client of all metric checks.
pub(super) fn client(resolver: Arc<Resolver>) -> Result<Client, ProberError> {
    // SNI is sent, and any certificate is accepted, as for endpoints.
    let mut tls = client_config(ServerNameIndication::Omitted)?;
    tls.enable_sni = true;
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(resolver)
        .connect_timeout(CONNECT_WITHIN)
        .redirect(Policy::none())
        .no_proxy()
        // Periods are longer than most servers keep a connection open.
        .pool_max_idle_per_host(0)
        .build()?;
    Ok(client)
}

/// Evaluates once.
pub(super) async fn evaluate(client: &Client, scheduled: &ScheduledMetric) -> MetricReport {
    evaluate_within(client, scheduled, ANSWER_WITHIN).await
}

async fn evaluate_within(client: &Client, scheduled: &ScheduledMetric, within: Duration) -> MetricReport {
    match timeout(within, ask(client, scheduled)).await {
        Ok(Ok(numbers)) => judge(&scheduled.check, &numbers),
        Ok(Err(why)) => MetricReport::NoData(why),
        Err(_) => MetricReport::NoData(format!("no response within {} s", within.as_secs_f64())),
    }
}

fn judge(check: &MetricCheck, numbers: &[f64]) -> MetricReport {
    let MetricCheck { comparison, threshold, .. } = *check;
    let worst = match comparison {
        ComparisonOperator::GreaterThanThreshold | ComparisonOperator::GreaterThanOrEqualToThreshold => f64::max,
        ComparisonOperator::LessThanThreshold | ComparisonOperator::LessThanOrEqualToThreshold => f64::min,
    };
    match numbers.iter().copied().reduce(worst) {
        Some(worst) => MetricReport::Numbers(Numbers { worst, count: numbers.len(), comparison, threshold }),
        None => MetricReport::NoData("the query returned no number".to_owned()),
    }
}

async fn ask(client: &Client, scheduled: &ScheduledMetric) -> Result<Vec<f64>, String> {
    let response = request(client, scheduled)?.send().await.map_err(|error| reason(&error))?;
    let status = response.status();
    let body = read(response).await?;
    let answer: Option<Value> = serde_json::from_slice(&body).ok();
    // Errors are JSON too, with their own status code (Prometheus, "HTTP API", format overview).
    match answer {
        Some(answer) if status.is_success() => numbers(&answer),
        Some(answer) if answer.get("error").is_some() => Err(reported_error(&answer)),
        _ if !status.is_success() => Err(format!("HTTP Status Code {status}")),
        _ => Err("the response does not have the format of Prometheus' HTTP API".to_owned()),
    }
}

/// Uses POST, since queries can be long. A user and password in the URL are sent in a header.
fn request(client: &Client, scheduled: &ScheduledMetric) -> Result<RequestBuilder, String> {
    let text = format!("{}/api/v1/query", scheduled.check.prometheus.reveal().trim_end_matches('/'));
    let url = Url::parse(&text).map_err(|error| format!("the URL of the Prometheus server is not valid: {error}"))?;
    let form = Url::parse_with_params("http://form.invalid", [("query", &scheduled.check.query)]);
    let form = form.map_err(|error| error.to_string())?.query().unwrap_or_default().to_owned();
    let agent = format!("fiftythree-health-check (ref {})", scheduled.id.0);
    let request = client.post(url).header(USER_AGENT, agent).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    Ok(request.body(form))
}

async fn read(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
        if body.len() + chunk.len() > MOST_OCTETS {
            return Err(format!("the response is longer than {MOST_OCTETS} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// All numbers of a result, infinities included.
fn numbers(answer: &Value) -> Result<Vec<f64>, String> {
    if answer["status"] != "success" {
        return Err(reported_error(answer));
    }
    let result = &answer["data"]["result"];
    match answer["data"]["resultType"].as_str() {
        Some("scalar") => Ok(sample(result).into_iter().collect()),
        Some("vector") => {
            let series = result.as_array().map(Vec::as_slice).unwrap_or_default();
            Ok(series.iter().filter_map(|series| sample(&series["value"])).collect())
        }
        Some(other @ ("matrix" | "string")) => {
            Err(format!("the query returned a {other} instead of a scalar or an instant vector"))
        }
        _ => Err("the response does not have the format of Prometheus' HTTP API".to_owned()),
    }
}

/// `[ <time>, "<number>" ]`. The number is a string because JSON has no `+Inf`, `-Inf`, `NaN`.
fn sample(pair: &Value) -> Option<f64> {
    let number: f64 = pair.get(1)?.as_str()?.parse().ok()?;
    (!number.is_nan()).then_some(number)
}

/// Prometheus' own error message, shortened for a log line.
fn reported_error(answer: &Value) -> String {
    const MOST_CHARACTERS: usize = 200;
    let text = answer["error"].as_str().unwrap_or("an error without a message");
    let printable = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    format!("Prometheus reported: {}", printable.take(MOST_CHARACTERS).collect::<String>())
}

/// The innermost cause: outer ones contain the URL, which may have a password.
fn reason(error: &reqwest::Error) -> String {
    let mut deepest: &dyn Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    match deepest.downcast_ref::<reqwest::Error>() {
        Some(error) if error.is_timeout() => "Prometheus could not be reached in time".to_owned(),
        Some(_) => "Prometheus could not be reached".to_owned(),
        None => deepest.to_string(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::health::{CheckSlot, Generation};
    use crate::model::{HealthCheckId, InsufficientDataHealthStatus};
    use crate::probe::test_servers::{Server, until_closed};

    pub(in crate::probe) fn scheduled(prometheus: &str, query: &str) -> ScheduledMetric {
        ScheduledMetric {
            slot: CheckSlot(0),
            generation: Generation(1),
            id: HealthCheckId("0123".to_owned()),
            name: "errors".into(),
            check: Arc::new(MetricCheck {
                prometheus: prometheus.into(),
                query: query.to_owned(),
                comparison: ComparisonOperator::GreaterThanThreshold,
                threshold: 0.5,
                period: Duration::from_millis(100),
                evaluation_periods: 1,
                insufficient_data_health_status: InsufficientDataHealthStatus::LastKnownStatus,
                alarm: None,
            }),
        }
    }

    fn http(status: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    }

    fn success(kind: &str, result: &str) -> String {
        http("200 OK", &format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":{result}}}}}"#))
    }

    /// The outcome for this response.
    async fn said(answer: impl Into<Vec<u8>>) -> String {
        let server = Server::answering(answer.into()).await;
        let report =
            evaluate(&client(Arc::default()).unwrap(), &scheduled(&format!("http://{}", server.address), "up")).await;
        server.assert_that_nothing_is_left().await;
        report.to_string()
    }

    #[tokio::test]
    async fn every_kind_of_answer_is_understood() {
        let series = |values: &[&str]| {
            let series = |value: &&str| format!(r#"{{"metric":{{"job":"web"}},"value":[1700000000.1,"{value}"]}}"#);
            success("vector", &format!("[{}]", values.iter().map(series).collect::<Vec<_>>().join(",")))
        };
        let none = "Insufficient data: the query returned no number.";
        let alien = "Insufficient data: the response does not have the format of Prometheus' HTTP API.";
        let cases = [
            (series(&["0.7"]), "Failure: 0.7 is greater than 0.5."),
            (series(&["0.5"]), "Success: 0.5 is not greater than 0.5."),
            (series(&["1e-3"]), "Success: 0.001 is not greater than 0.5."),
            (series(&["0.1", "9", "0.2"]), "Failure: 9, the worst of 3 series, is greater than 0.5."),
            (series(&["0.1", "0.3"]), "Success: 0.3, the worst of 2 series, is not greater than 0.5."),
            (series(&["+Inf"]), "Failure: inf is greater than 0.5."),
            (series(&["-Inf"]), "Success: -inf is not greater than 0.5."),
            (series(&["NaN"]), none),
            (series(&["NaN", "0.2"]), "Success: 0.2 is not greater than 0.5."),
            (series(&[]), none),
            (success("vector", r#"[{"metric":{},"histogram":[1,{"count":"3"}]}]"#), none),
            (success("scalar", r#"[1700000000,"1"]"#), "Failure: 1 is greater than 0.5."),
            (success("scalar", r#"[1700000000,"NaN"]"#), none),
            (
                success("string", r#"[1700000000,"1"]"#),
                "Insufficient data: the query returned a string instead of a scalar or an instant vector.",
            ),
            (
                success("matrix", "[]"),
                "Insufficient data: the query returned a matrix instead of a scalar or an instant vector.",
            ),
            (
                http("400 Bad Request", r#"{"status":"error","errorType":"bad_data","error":"1:3: parse error"}"#),
                "Insufficient data: Prometheus reported: 1:3: parse error.",
            ),
            (
                http("200 OK", r#"{"status":"error","error":"two\nlines"}"#),
                "Insufficient data: Prometheus reported: two lines.",
            ),
            (http("503 Service Unavailable", "busy"), "Insufficient data: HTTP Status Code 503 Service Unavailable."),
            (http("302 Found", ""), "Insufficient data: HTTP Status Code 302 Found."),
            (http("200 OK", "<html>"), alien),
            (http("200 OK", "[]"), "Insufficient data: Prometheus reported: an error without a message."),
            (http("200 OK", r#"{"status":"success"}"#), alien),
        ];
        for (answer, expected) in cases {
            assert_eq!(said(answer.clone()).await, expected, "{answer}");
        }
    }

    #[test]
    fn all_four_comparisons_and_what_is_worst() {
        let cases = [
            (
                ComparisonOperator::GreaterThanThreshold,
                0.7,
                "Failure: 0.7, the worst of 2 series, is greater than 0.5.",
            ),
            (
                ComparisonOperator::GreaterThanOrEqualToThreshold,
                0.5,
                "Failure: 0.5, the worst of 2 series, is greater than or equal to 0.5.",
            ),
            (ComparisonOperator::LessThanThreshold, 0.5, "Failure: 0.2, the worst of 2 series, is less than 0.5."),
            (
                ComparisonOperator::LessThanOrEqualToThreshold,
                0.5,
                "Failure: 0.2, the worst of 2 series, is less than or equal to 0.5.",
            ),
        ];
        for (comparison, other, expected) in cases {
            let check = MetricCheck { comparison, ..(*scheduled("http://x", "up").check).clone() };
            assert_eq!(judge(&check, &[other, 0.2]).to_string(), expected);
            assert_eq!(judge(&check, &[other, 0.2]).observation(), Observation::Fail);
            assert_eq!(judge(&check, &[]).observation(), Observation::Missing);
        }
        let check =
            MetricCheck { comparison: ComparisonOperator::LessThanThreshold, ..(*scheduled("", "").check).clone() };
        assert_eq!(judge(&check, &[0.5]).to_string(), "Success: 0.5 is not less than 0.5.");
    }

    #[tokio::test]
    async fn the_request_is_one_that_prometheus_understands() {
        let (sender, mut requests) = tokio::sync::mpsc::channel(1);
        let server = Server::start(move |mut stream| {
            let sender = sender.clone();
            async move {
                let mut request = Vec::new();
                while !request.ends_with(b"+%3E+bool+1") {
                    request.push(stream.read_u8().await.unwrap());
                }
                sender.send(String::from_utf8(request).unwrap()).await.unwrap();
                let _ = stream.write_all(success("scalar", r#"[1,"0"]"#).as_bytes()).await;
                until_closed(stream).await;
            }
        })
        .await;
        let url = format!("http://user:secret@{}/prefix/", server.address);
        let report =
            evaluate(&client(Arc::default()).unwrap(), &scheduled(&url, r#"sum(up{job="a&b"}) > bool 1"#)).await;
        assert_eq!(report.observation(), Observation::Pass);
        let request = requests.recv().await.unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /prefix/api/v1/query HTTP/1.1\r\n"), "{head}");
        for header in [
            "content-type: application/x-www-form-urlencoded",
            "user-agent: fiftythree-health-check (ref 0123)",
            "authorization: Basic dXNlcjpzZWNyZXQ=",
        ] {
            assert!(head.lines().any(|line| line == header), "{header} in {head}");
        }
        assert_eq!(body, "query=sum%28up%7Bjob%3D%22a%26b%22%7D%29+%3E+bool+1");
    }

    #[tokio::test]
    async fn a_prometheus_that_misbehaves_is_no_data() {
        let endless = Server::start(|mut stream| async move {
            let _ = stream.read_u8().await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n").await;
            while stream.write_all(&[b' '; 65_536]).await.is_ok() {}
        })
        .await;
        let closing = Server::start(|mut stream| async move {
            let _ = stream.read_u8().await;
        })
        .await;
        let cases = [
            (&endless, "Insufficient data: the response is longer than 1048576 bytes."),
            (&closing, "Insufficient data: "),
        ];
        for (server, expected) in cases {
            let url = format!("http://user:secret@{}", server.address);
            let report = evaluate(&client(Arc::default()).unwrap(), &scheduled(&url, "up")).await.to_string();
            assert!(report.starts_with(expected) && !report.contains("secret"), "{report}");
        }
        for url in ["http://[", "http://127.0.0.1:1"] {
            assert_eq!(
                evaluate(&client(Arc::default()).unwrap(), &scheduled(url, "up")).await.observation(),
                Observation::Missing
            );
        }
    }

    #[tokio::test]
    async fn one_that_says_nothing_is_given_up() {
        let server = Server::start(until_closed).await;
        let scheduled = scheduled(&format!("http://{}", server.address), "up");
        let report = evaluate_within(&client(Arc::default()).unwrap(), &scheduled, Duration::from_millis(200)).await;
        assert_eq!(report.to_string(), "Insufficient data: no response within 0.2 s.");
        server.assert_that_nothing_is_left().await;
    }
}
