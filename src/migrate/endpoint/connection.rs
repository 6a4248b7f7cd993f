//! Requests to a server with the Route 53 API, one after the other, and again when it asks to wait.

use std::time::{Duration, SystemTime};

use axum::http::Method;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};

use crate::api::client::{Call, Credentials};
use crate::api::documents::Element;
use crate::health::Timestamp;

/// Route 53 (AWS General Reference, "Amazon Route 53 endpoints and quotas").
pub(crate) const AMAZON: &str = "https://route53.amazonaws.com";
/// How long a response may take: as long as the `aws` command waits (AWS CLI User Guide,
/// `--cli-read-timeout`).
const TIMEOUT: Duration = Duration::from_secs(60);
/// How often a request is sent, if Route 53 refuses it because its bucket of tokens is empty
/// (Developer Guide, "Throttling API requests"). All waits together take about 50 s.
const TRIES: u32 = 8;
/// The first wait; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(400);
/// The most elements of a response. The largest page of Route 53 has 300 record sets of 400 values,
/// with two elements for each value.
const MOST_ELEMENTS: usize = 1 << 20;
/// The most bytes of a response: 500 for each of these values. A server that sends without end must
/// not fill the memory.
const MOST_BYTES: usize = 64 << 20;

/// A server.
pub(crate) struct Connection {
    client: Client,
    endpoint: String,
    key: Credentials,
    region: &'static str,
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoResponse {
    /// There is no client or no request.
    #[error("{0}")]
    Client(String),
    /// The server cannot be reached.
    #[error("{endpoint} cannot be reached: {why}")]
    Unreachable { endpoint: String, why: String },
    /// It answers with an error.
    #[error("{operation}: {code}: {message}")]
    Refused { operation: String, code: String, message: String },
    /// It answers with something else.
    #[error("{operation}: {endpoint} did not send a response of the Route 53 API ({status})")]
    Unexpected { operation: String, endpoint: String, status: u16 },
    /// Its list does not end.
    #[error("{operation}: the list of {endpoint} does not end")]
    Endless { operation: String, endpoint: String },
}

impl NoResponse {
    /// Whether the server does not have the operation, or the key must not call it.
    pub(super) fn lacks_operation(&self) -> bool {
        match self {
            NoResponse::Refused { .. } => !self.is_temporary(),
            NoResponse::Unexpected { status, .. } => matches!(status, 404 | 405 | 500 | 501),
            _ => false,
        }
    }
}

impl Connection {
    /// The server at a URL. Nothing is sent.
    pub(crate) fn open(endpoint: &str, key: Credentials) -> Result<Connection, NoResponse> {
        // An error means that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder().timeout(TIMEOUT).redirect(Policy::none());
        if endpoint.starts_with("http:") {
            // The authorities of the system are not needed.
            builder = builder.tls_certs_only([]).no_proxy();
        }
        let client = builder.build().map_err(|error| NoResponse::Client(crate::causes::with_causes(&error)))?;
        Ok(Connection { client, endpoint: endpoint.to_owned(), key, region: region_of(endpoint) })
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Sends a GET.
    pub(super) async fn get(
        &self,
        operation: &str,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Element, NoResponse> {
        self.call(operation, &Call { method: Method::GET, path, query, body: String::new() }).await
    }

    /// Sends a POST.
    pub(super) async fn post(&self, operation: &str, path: &str, body: String) -> Result<Element, NoResponse> {
        self.call(operation, &Call { method: Method::POST, path, query: &[], body }).await
    }

    async fn call(&self, operation: &str, call: &Call<'_>) -> Result<Element, NoResponse> {
        let mut wait = FIRST_WAIT;
        for _ in 1..TRIES {
            match self.exchange(operation, call).await {
                Err(error) if error.is_temporary() => {}
                outcome => return outcome,
            }
            // Random waits, so that several copies do not send at the same moment.
            tokio::time::sleep(wait.mul_f64(0.5 + fastrand::f64())).await;
            wait *= 2;
        }
        self.exchange(operation, call).await
    }

    async fn exchange(&self, operation: &str, call: &Call<'_>) -> Result<Element, NoResponse> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let signed = call.signed(&self.endpoint, &self.key, self.region, Timestamp(now));
        let request = signed.map_err(|error| NoResponse::Client(error.to_string()))?;
        let request = reqwest::Request::try_from(request).map_err(|error| NoResponse::Client(error.to_string()))?;
        let unreachable = |error: reqwest::Error| {
            let why = crate::causes::with_causes(&error.without_url());
            NoResponse::Unreachable { endpoint: self.endpoint.clone(), why }
        };
        let mut response = self.client.execute(request).await.map_err(unreachable)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(NoResponse::Endless { operation: operation.to_owned(), endpoint: self.endpoint.clone() });
            }
            body.extend_from_slice(&chunk);
        }
        let root = Element::read_within(&body, MOST_ELEMENTS);
        match root {
            Ok(root) if status.is_success() => Ok(root),
            Ok(root) => Err(refusal(operation, status, &root)),
            Err(_) => Err(NoResponse::Unexpected {
                operation: operation.to_owned(),
                endpoint: self.endpoint.clone(),
                status: status.as_u16(),
            }),
        }
    }
}

impl NoResponse {
    /// Whether the same request may succeed later.
    fn is_temporary(&self) -> bool {
        match self {
            NoResponse::Refused { code, .. } => [
                "Throttling",
                "ThrottlingException",
                "PriorRequestNotComplete",
                "ServiceUnavailable",
                "InternalFailure",
            ]
            .contains(&code.as_str()),
            NoResponse::Unexpected { status, .. } => matches!(status, 429 | 502..=504),
            NoResponse::Unreachable { .. } | NoResponse::Client(_) | NoResponse::Endless { .. } => false,
        }
    }
}

/// `ErrorResponse`, or `InvalidChangeBatch` and the like with `Messages`.
fn refusal(operation: &str, status: StatusCode, root: &Element) -> NoResponse {
    let error = root.child("Error").unwrap_or(root);
    let code = error.text_of("Code").map_or_else(|| status.as_u16().to_string(), str::to_owned);
    let message = error.text_of("Message").unwrap_or_default().to_owned();
    NoResponse::Refused { operation: operation.to_owned(), code, message }
}

/// The region in signatures: one for each partition (AWS General Reference, "Amazon Route 53
/// endpoints and quotas").
fn region_of(endpoint: &str) -> &'static str {
    match endpoint {
        _ if endpoint.ends_with(".amazonaws.com.cn") => "cn-northwest-1",
        _ if endpoint.contains(".us-gov.") => "us-gov-west-1",
        _ => "us-east-1",
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;
    use crate::model::Secret;

    /// A server that gives these responses, one for each connection.
    fn server(responses: &'static [(&'static str, &'static str)]) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let answer = move |(status, body): &(&str, &str)| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 4096];
            let length = stream.read(&mut head).unwrap();
            let length_of_body = body.len();
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length_of_body}\r\nConnection: close\r\n\r\n{body}")
                .unwrap();
            String::from_utf8_lossy(&head[..length]).lines().next().unwrap_or_default().to_owned()
        };
        (endpoint, std::thread::spawn(move || responses.iter().map(answer).collect()))
    }

    fn get(endpoint: &str) -> Result<Element, NoResponse> {
        let key =
            Credentials { access_key_id: "a".to_owned(), secret_access_key: Secret::from("b"), session_token: None };
        let connection = Connection::open(endpoint, key)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(connection.get("ListHostedZones", "/hostedzone", &[("marker", "Z1 +".to_owned())]))
    }

    #[test]
    fn a_throttled_request_is_sent_again() {
        let throttled =
            "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>";
        let good = "<ListHostedZonesResponse><MaxItems>100</MaxItems></ListHostedZonesResponse>";
        let responses: &[(&str, &str)] =
            Box::leak(Box::new([("400 Bad Request", throttled), ("503 x", "busy"), ("200 OK", good)]));
        let (endpoint, requests) = server(responses);
        assert_eq!(get(&endpoint).unwrap().text_of("MaxItems"), Some("100"));
        assert_eq!(requests.join().unwrap(), ["GET /2013-04-01/hostedzone?marker=Z1%20%2B HTTP/1.1"; 3]);
    }

    #[test]
    fn other_responses_say_what_they_are() {
        let error = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
        let responses: &[(&str, &str)] = Box::leak(Box::new([("403 Forbidden", error)]));
        let (endpoint, _) = server(responses);
        assert_eq!(get(&endpoint).unwrap_err().to_string(), "ListHostedZones: AccessDenied: no");
        let (endpoint, _) = server(&[("404 Not Found", "<html><p>")]);
        let expected = format!("ListHostedZones: {endpoint} did not send a response of the Route 53 API (404)");
        assert_eq!(get(&endpoint).unwrap_err().to_string(), expected);
        assert!(matches!(get("http://127.0.0.1:1").unwrap_err(), NoResponse::Unreachable { .. }));
    }
}
