//! Posts each change of a health check to the webhook: one POST per change, in order, with retries.
//!
//! The control loop does not wait for it and drops notices when the queue is full. A notice that
//! the receiver does not accept within a quarter of an hour is dropped.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::causes::with_causes;
use crate::control::{HealthNoticeKind, Notice, NoticeCheck, rfc3339};
use crate::load::LoadedConfig;
use crate::log_limit::LogLimit;

/// Time limit for one attempt, including the connection.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after the first failure; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause; a longer `Retry-After` is reduced to it.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// With these pauses, a little more than a quarter of an hour: 1 + 2 + … + 64 + 7 × 120 s.
const ATTEMPTS: u32 = 15;
/// Most characters of a reason; a status text has a few hundred.
const LONGEST_WHY: usize = 1000;

/// The body of a POST.
#[derive(Debug, Serialize)]
struct Body<'n> {
    /// A sentence; the member that Slack and Mattermost show.
    text: String,
    /// The event: `status_changed`, `drained`, `server_isolated`, `server_reconnected`.
    event: &'static str,
    at: String,
    why: &'n str,
    #[serde(flatten)]
    check: Option<Check<'n>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sentinels: Vec<&'n str>,
    /// Number of earlier changes that were dropped.
    lost: u64,
}

/// The check that changed.
#[derive(Debug, Serialize)]
struct Check<'n> {
    check: &'n str,
    id: &'n str,
    status: &'static str,
    previous: &'static str,
    records: &'n [String],
    record_count: usize,
}

/// The result of an attempt.
enum Outcome {
    Taken,
    /// Try again, after this time if the receiver named one.
    Later(String, Option<Duration>),
    /// Do not try again.
    Refused(String),
}

/// Delivers notices until the channel closes. The URL is read from the settings each time.
pub(super) async fn deliver(mut notices: mpsc::Receiver<Notice>, base: watch::Receiver<LoadedConfig>) {
    let warnings = LogLimit::default();
    let mut client: Option<(String, Client)> = None;
    while let Some(notice) = notices.recv().await {
        let Some(url) = url(&base) else { continue };
        if client.as_ref().is_none_or(|(of, _)| *of != url) {
            client = match build(&url) {
                Ok(new) => Some((url.clone(), new)),
                Err(error) => {
                    let error = error.without_url();
                    if let Some(held_back) = warnings.admit(error.to_string()) {
                        tracing::error!("the webhook cannot be used: {error}{held_back}");
                    }
                    None
                }
            };
        }
        if let Some((_, client)) = &client {
            tell(client, &url, &notice, &base, &warnings).await;
        }
    }
}

fn url(base: &watch::Receiver<LoadedConfig>) -> Option<String> {
    base.borrow().settings.webhook.url.as_ref().map(|url| url.reveal().to_owned())
}

/// Delivers one notice with retries, until the URL in the settings changes.
async fn tell(client: &Client, to: &str, notice: &Notice, base: &watch::Receiver<LoadedConfig>, warnings: &LogLimit) {
    let check = about(notice);
    let body = body(notice);
    for attempt in 0..ATTEMPTS {
        let (why, wanted) = match post(client, to, &body).await {
            Outcome::Taken => return,
            Outcome::Refused(why) => {
                if let Some(held_back) = warnings.admit(("refuses", &why)) {
                    tracing::error!(check, "the webhook rejected the notification about {check}: {why}{held_back}");
                }
                return;
            }
            Outcome::Later(why, wanted) => (why, wanted),
        };
        if attempt == 0
            && let Some(held_back) = warnings.admit(("later", &why))
        {
            tracing::warn!(check, "the webhook failed for {check}, retrying: {why}{held_back}");
        }
        sleep(pause(attempt, wanted)).await;
        if url(base).as_deref() != Some(to) {
            return;
        }
    }
    tracing::error!(check, "the webhook failed for {check} {ATTEMPTS} times; the notification is dropped");
}

async fn post(client: &Client, url: &str, body: &str) -> Outcome {
    let request = client.post(url).header(CONTENT_TYPE, "application/json").body(body.to_owned());
    match request.send().await {
        Ok(response) => judge(&response),
        // The URL is a secret, and an error can contain it.
        Err(error) => Outcome::Later(with_causes(&error.without_url()), None),
    }
}

fn judge(response: &Response) -> Outcome {
    let status = response.status();
    let says = format!("the response was {status}");
    if status.is_success() {
        return Outcome::Taken;
    }
    let later =
        status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    if !later {
        return Outcome::Refused(says);
    }
    let wanted = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Outcome::Later(says, wanted.map(Duration::from_secs))
}

/// Doubles with each attempt, or is the time that the receiver named.
fn pause(attempt: u32, wanted: Option<Duration>) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX));
    wanted.unwrap_or(doubled).clamp(FIRST_PAUSE, LONGEST_PAUSE)
}

/// The subject of a notice, for the log.
fn about(notice: &Notice) -> String {
    match &notice.what {
        HealthNoticeKind::StatusChanged(check) | HealthNoticeKind::Drained(check) => {
            format!("health check {}", check.name)
        }
        HealthNoticeKind::ServerIsolated(_) | HealthNoticeKind::ServerReconnected(_) => "connectivity".to_owned(),
    }
}

fn body(notice: &Notice) -> String {
    let Notice { what, at, why, lost } = notice;
    let why: String = why.chars().take(LONGEST_WHY).collect();
    let (event, check, sentinels) = match what {
        HealthNoticeKind::StatusChanged(check) => ("status_changed", Some((check, check.status.opposite())), &[][..]),
        HealthNoticeKind::Drained(check) => ("drained", Some((check, check.status)), &[][..]),
        HealthNoticeKind::ServerIsolated(sentinels) => ("server_isolated", None, &sentinels[..]),
        HealthNoticeKind::ServerReconnected(sentinels) => ("server_reconnected", None, &sentinels[..]),
    };
    let check = check.map(|(check, previous)| {
        let NoticeCheck { name, id, status, records, record_count } = check;
        let (status, previous) = (status.as_str(), previous.as_str());
        Check { check: name, id: &id.0, status, previous, records, record_count: *record_count }
    });
    let sentinels = sentinels.iter().map(|name| &**name).collect();
    let body = Body { text: text(notice, &why), event, at: rfc3339(*at), why: &why, check, sentinels, lost: *lost };
    serde_json::to_string(&body).expect("a body consists of strings and numbers")
}

/// Such as `app-blue is unhealthy: 3 failures in a row: … (app.lab.test. A blue)`.
fn text(notice: &Notice, why: &str) -> String {
    let lost =
        if notice.lost > 0 { format!(" ({} earlier changes were not delivered)", notice.lost) } else { String::new() };
    let text = match &notice.what {
        HealthNoticeKind::StatusChanged(check) => {
            format!("{} is {}: {why} ({})", check.name, check.status.as_str(), records(check))
        }
        HealthNoticeKind::Drained(check) => format!("{} is drained: {why} ({})", check.name, records(check)),
        HealthNoticeKind::ServerIsolated(_) => {
            format!("the DNS server is isolated: {why}; results of other checks are ignored until one recovers")
        }
        HealthNoticeKind::ServerReconnected(_) => format!("the DNS server is connected again: {why}"),
    };
    // Slack reads these as markup (its documentation, "Formatting text for app surfaces").
    (text + &lost).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn records(check: &NoticeCheck) -> String {
    let NoticeCheck { records, record_count, .. } = check;
    let more = record_count - records.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    if records.is_empty() { "no record".to_owned() } else { records.join(", ") + &more }
}

/// A client that verifies certificates against the system's authorities; for plain HTTP, one that
/// loads none.
fn build(url: &str) -> Result<Client, reqwest::Error> {
    let builder = Client::builder().timeout(TIMEOUT).redirect(Policy::none());
    if url.starts_with("https:") {
        // An error means that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        return builder.build();
    }
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites for TLS 1.2 and 1.3")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    builder.tls_backend_preconfigured(config).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Status;
    use crate::health::Timestamp;
    use crate::model::HealthCheckId;

    #[test]
    fn the_text_is_for_people_and_the_rest_for_machines() {
        let check = NoticeCheck {
            name: "app-blue".into(),
            id: HealthCheckId("0000".to_owned()),
            status: Status::Unhealthy,
            records: vec!["app.lab.test. A blue".to_owned()],
            record_count: 3,
        };
        let mut notice = Notice {
            what: HealthNoticeKind::StatusChanged(check.clone()),
            at: Timestamp(Duration::from_secs(1_772_402_400)),
            why: "3 failures in a row: Failure: <down> & out".into(),
            lost: 0,
        };
        let json: serde_json::Value = serde_json::from_str(&body(&notice)).unwrap();
        assert_eq!(
            json["text"],
            "app-blue is unhealthy: 3 failures in a row: Failure: &lt;down&gt; &amp; out (app.lab.test. A blue and 2 more)"
        );
        assert_eq!((&json["status"], &json["previous"]), (&"unhealthy".into(), &"healthy".into()));
        assert_eq!((&json["at"], &json["why"]), (&"2026-03-01T22:00:00Z".into(), &(*notice.why).into()));
        notice.lost = 7;
        assert!(body(&notice).contains("7 earlier changes were not delivered"));
        notice.what = HealthNoticeKind::Drained(check);
        let json: serde_json::Value = serde_json::from_str(&body(&notice)).unwrap();
        assert_eq!(
            (&json["event"], &json["status"], &json["previous"]),
            (&"drained".into(), &"unhealthy".into(), &"unhealthy".into())
        );
        notice.what = HealthNoticeKind::ServerIsolated(vec!["gateway".into()]);
        let json: serde_json::Value = serde_json::from_str(&body(&notice)).unwrap();
        assert_eq!(
            (&json["event"], &json["sentinels"][0], json.get("check")),
            (&"server_isolated".into(), &"gateway".into(), None)
        );
    }

    #[test]
    fn pauses_double_and_have_an_end() {
        let pauses: Vec<u64> = (0..9).map(|attempt| pause(attempt, None).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 120, 120]);
        assert_eq!(pause(0, Some(Duration::from_secs(30))).as_secs(), 30);
        assert_eq!(pause(0, Some(Duration::from_secs(86_400))), LONGEST_PAUSE);
        assert_eq!(pause(u32::MAX, None), LONGEST_PAUSE);
    }

    #[test]
    fn both_kinds_of_client_can_be_made() {
        assert!(build("http://127.0.0.1:9").is_ok());
        assert!(build("https://127.0.0.1:9").is_ok());
    }
}
