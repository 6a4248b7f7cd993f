//! A client of etcd's HTTP gateway, which is in every etcd since 3.4.
//!
//! The endpoints are tried in turn, and each request has a deadline. A request may be sent twice:
//! to another endpoint too when one is slow, or again if the connection is lost before the
//! response.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::AUTHORIZATION;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Identity, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::causes::with_causes;
use crate::config::{ClusterSettings, TlsFiles};
use crate::files;
use crate::visible_text::visible;

use super::etcd::{
    Etcd, EtcdError, LeaseId, Outcome, Page, Range, StoreRevision, Transaction, Watch, WatchBatch, after_prefix,
};
use super::wire::{
    AuthenticateRequest, AuthenticateResponse, ErrorResponse, GrantRequest, Lease, Number, RangeRequest, RangeResponse,
    Streamed, TransactionRequest, TransactionResponse, WatchRequest, WatchResponse,
};

/// How long one endpoint may take to respond. etcd elects a leader within a second.
const REQUEST: Duration = Duration::from_secs(2);
/// After so long, another endpoint is tried too. What it does twice is done once.
const SLOW: Duration = Duration::from_millis(500);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(1);
/// An endpoint that is gone without a word is noticed after about four times as long.
const KEEP_ALIVE: Duration = Duration::from_secs(3);
/// A file with a certificate, a key or a password.
const MOST_BYTES: u64 = 1 << 20;
/// The longest message of a stream. One change has at most 1.5 MiB, and Base64 needs a third more.
/// A watch that is far behind may get a longer message: then it ends, and everything is read
/// instead.
const LONGEST_MESSAGE: usize = 16 << 20;

/// gRPC's codes of errors.
const DEADLINE_EXCEEDED: i64 = 4;
const OUT_OF_RANGE: i64 = 11;
const UNAVAILABLE: i64 = 14;
const UNAUTHENTICATED: i64 = 16;

/// A client of several endpoints.
pub(crate) struct Gateway {
    client: Client,
    endpoints: Vec<String>,
    /// The endpoint to try first: the one that responded last, or the one after another that did
    /// not.
    current: AtomicUsize,
    /// The user, and the file with the password.
    user: Option<(String, PathBuf)>,
    /// The token of the user, once there is one.
    token: Mutex<Option<Arc<str>>>,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadCluster {
    /// A file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: std::io::Error,
    },
    /// Others may read the secret.
    #[error(
        "{} must not be readable by other users: it has the secret of the cluster; restrict it with chmod 600",
        path.display()
    )]
    OpenSecret {
        /// The file.
        path: PathBuf,
    },
    /// The secret is none.
    #[error("{} must have at least 32 random octets in Base64, as `openssl rand -base64 32` prints them", path.display())]
    BadSecret {
        /// The file.
        path: PathBuf,
    },
    /// A file has no certificate.
    #[error("{} has no certificate in PEM format", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A certificate and a key cannot be used.
    #[error("cannot use the certificate in {} with the key in {}: {why}", files.certificate.display(), files.key.display())]
    KeyPair {
        /// The files.
        files: TlsFiles,
        /// The reason.
        why: String,
    },
    /// No client can be made.
    #[error("cannot connect to etcd with these settings: {0}")]
    Client(String),
}

/// Why one endpoint did not do something.
enum Failure {
    /// Another one may.
    TryNext(String),
    /// The token is not valid any more.
    Unauthenticated,
    Not(EtcdError),
}

impl Gateway {
    /// A client for these settings. Reads the certificates, but does not connect.
    pub(crate) fn new(settings: &ClusterSettings) -> Result<Gateway, BadCluster> {
        Ok(Gateway {
            client: client(settings)?,
            endpoints: settings.endpoints.clone(),
            current: AtomicUsize::new(0),
            user: settings.user.clone(),
            token: Mutex::default(),
        })
    }

    /// Sends a request that may be done twice.
    async fn call<T: DeserializeOwned>(&self, path: &str, request: &(impl Serialize + Sync)) -> Result<T, EtcdError> {
        self.call_with(path, request, SLOW).await
    }

    /// The same, with another time after which the next endpoint is tried too.
    async fn call_with<T: DeserializeOwned>(
        &self,
        path: &str,
        request: &(impl Serialize + Sync),
        slow: Duration,
    ) -> Result<T, EtcdError> {
        let body = serde_json::to_vec(request).expect("requests are JSON");
        let response = self.send(path, &body, Some(REQUEST), slow).await?;
        let bytes = response.bytes().await.map_err(|error| EtcdError::Unreachable(with_causes(&error)))?;
        serde_json::from_slice(&bytes).map_err(|error| EtcdError::Refused(format!("its response to {path}: {error}")))
    }

    /// The first response with success. The next endpoint is tried too when one is slow.
    async fn send(
        &self,
        path: &str,
        body: &[u8],
        whole: Option<Duration>,
        slow: Duration,
    ) -> Result<Response, EtcdError> {
        let (first, count) = (self.current.load(Ordering::Relaxed), self.endpoints.len());
        let mut others = (first..first + count).map(|at| at % count);
        let (mut tries, mut problems) = (Vec::new(), Vec::new());
        loop {
            if let Some(at) = others.next() {
                tries.push(Box::pin(async move { (at, self.authenticated_send_to(at, path, body, whole).await) }));
            } else if tries.is_empty() {
                return Err(EtcdError::Unreachable(problems.join("; ")));
            }
            let patience = if others.len() > 0 { slow } else { Duration::MAX };
            match timeout(patience, first_of(&mut tries)).await {
                Err(_) => {}
                Ok((at, Ok(response))) => {
                    self.current.store(at, Ordering::Relaxed);
                    return Ok(response);
                }
                Ok((at, Err(Failure::TryNext(why)))) => {
                    // The next request begins there too, also if the caller of this one has given
                    // up.
                    let next = (at + 1) % count;
                    let _ = self.current.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
                    problems.push(format!("{}: {why}", self.endpoints[at]));
                }
                Ok((_, Err(Failure::Unauthenticated))) => {
                    return Err(EtcdError::Refused("the user is not authenticated".to_owned()));
                }
                Ok((_, Err(Failure::Not(error)))) => return Err(error),
            }
        }
    }

    /// The same with a new token if the old one has expired.
    async fn authenticated_send_to(
        &self,
        at: usize,
        path: &str,
        body: &[u8],
        whole: Option<Duration>,
    ) -> Result<Response, Failure> {
        match self.send_to(at, path, body, whole).await {
            Err(Failure::Unauthenticated) => {
                *self.token() = None;
                self.send_to(at, path, body, whole).await
            }
            sent => sent,
        }
    }

    async fn send_to(&self, at: usize, path: &str, body: &[u8], whole: Option<Duration>) -> Result<Response, Failure> {
        let token = match &self.user {
            Some((name, password)) => Some(self.authenticated(at, name, password).await?),
            None => None,
        };
        let response = self.post(at, path, body, token.as_deref(), whole).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(failure(response).await)
    }

    /// The token of the user; fetched if there is none yet.
    async fn authenticated(&self, at: usize, name: &str, password: &Path) -> Result<Arc<str>, Failure> {
        if let Some(token) = self.token().clone() {
            return Ok(token);
        }
        let file = password.to_owned();
        let read = tokio::task::spawn_blocking(move || read(&file)).await;
        let read = read.map_err(|error| Failure::TryNext(error.to_string()))?;
        let secret = read.map_err(|error| Failure::Not(EtcdError::Refused(error.to_string())))?;
        let secret = String::from_utf8_lossy(&secret).trim_end_matches(['\n', '\r']).to_owned();
        let request = AuthenticateRequest { name, password: &secret };
        let body = serde_json::to_vec(&request).expect("requests are JSON");
        let response = self.post(at, "/v3/auth/authenticate", &body, None, Some(REQUEST)).await?;
        if !response.status().is_success() {
            return Err(match failure(response).await {
                Failure::Unauthenticated => Failure::Not(EtcdError::Refused("wrong user or password".to_owned())),
                other => other,
            });
        }
        let bytes = response.bytes().await.map_err(|error| Failure::TryNext(with_causes(&error)))?;
        let read: Result<AuthenticateResponse, _> = serde_json::from_slice(&bytes);
        let token: Arc<str> = read.map_err(|error| Failure::TryNext(error.to_string()))?.token.into();
        *self.token() = Some(Arc::clone(&token));
        Ok(token)
    }

    async fn post(
        &self,
        at: usize,
        path: &str,
        body: &[u8],
        token: Option<&str>,
        whole: Option<Duration>,
    ) -> Result<Response, Failure> {
        let mut request = self.client.post(format!("{}{path}", self.endpoints[at])).body(body.to_vec());
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token);
        }
        if let Some(whole) = whole {
            request = request.timeout(whole);
        }
        match timeout(REQUEST, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(Failure::TryNext(with_causes(&error.without_url()))),
            Err(_) => Err(Failure::TryNext(format!("no response within {} s", REQUEST.as_secs()))),
        }
    }

    fn token(&self) -> std::sync::MutexGuard<'_, Option<Arc<str>>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until one of them is done, and removes it. There is at least one.
async fn first_of<F: Future + Unpin>(tries: &mut Vec<F>) -> F::Output {
    std::future::poll_fn(|context| {
        for at in 0..tries.len() {
            if let Poll::Ready(done) = Pin::new(&mut tries[at]).poll(context) {
                drop(tries.swap_remove(at));
                return Poll::Ready(done);
            }
        }
        Poll::Pending
    })
    .await
}

/// What a response without success means.
async fn failure(response: Response) -> Failure {
    let status = response.status();
    let body = response.bytes().await.unwrap_or_default();
    let error: ErrorResponse = serde_json::from_slice(&body).unwrap_or_default();
    let message = [error.message, error.error].into_iter().find(|text| !text.is_empty());
    let message = visible(&message.unwrap_or_else(|| status.to_string()));
    match error.code {
        UNAUTHENTICATED => Failure::Unauthenticated,
        _ if message.contains("invalid auth token") => Failure::Unauthenticated,
        OUT_OF_RANGE if message.contains("compacted") => Failure::Not(EtcdError::Compacted),
        DEADLINE_EXCEEDED | UNAVAILABLE => Failure::TryNext(message),
        0 if status.is_server_error() => Failure::TryNext(message),
        _ => Failure::Not(EtcdError::Refused(message)),
    }
}

fn client(settings: &ClusterSettings) -> Result<Client, BadCluster> {
    let mut builder = builder()
        .connect_timeout(CONNECT)
        .tcp_keepalive(KEEP_ALIVE)
        .tcp_keepalive_interval(KEEP_ALIVE)
        .tcp_keepalive_retries(3)
        .redirect(Policy::none())
        .no_proxy();
    if !settings.certificate_authorities.is_empty() {
        let mut all = Vec::new();
        for file in &settings.certificate_authorities {
            all.extend(authorities(file)?);
        }
        builder = builder.tls_certs_only(all);
    } else if settings.endpoints.iter().all(|endpoint| endpoint.starts_with("http:")) {
        // Those of the system are not needed.
        builder = builder.tls_certs_only([]);
    }
    if let Some(tls) = &settings.tls {
        builder = builder.identity(identity(tls)?);
    }
    builder.build().map_err(|error| BadCluster::Client(with_causes(&error)))
}

fn builder() -> ClientBuilder {
    // An error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
}

/// The certificates in a file.
pub(super) fn authorities(file: &Path) -> Result<Vec<Certificate>, BadCluster> {
    let read = Certificate::from_pem_bundle(&read(file)?).unwrap_or_default();
    // A certificate that cannot be used shows when a client has it.
    let is_usable = !read.is_empty() && builder().tls_certs_only(read.clone()).build().is_ok();
    if is_usable { Ok(read) } else { Err(BadCluster::NoCertificate { path: file.to_owned() }) }
}

/// The certificate and the key with which this node connects.
pub(super) fn identity(files: &TlsFiles) -> Result<Identity, BadCluster> {
    let pem = [read(&files.certificate)?, b"\n".to_vec(), read(&files.key)?].concat();
    let bad = |error: reqwest::Error| BadCluster::KeyPair { files: files.clone(), why: with_causes(&error) };
    let identity = Identity::from_pem(&pem).map_err(bad)?;
    // Whether they belong together shows when a client has them.
    builder().tls_certs_only([]).identity(identity.clone()).build().map_err(bad)?;
    Ok(identity)
}

/// Reads a file with certificates, a key or a password.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, BadCluster> {
    files::read(path, MOST_BYTES).map_err(|error| BadCluster::Unreadable { path: path.to_owned(), error })
}

#[async_trait]
impl Etcd for Gateway {
    async fn range(&self, range: Range) -> Result<Page, EtcdError> {
        let response: RangeResponse = self.call("/v3/kv/range", &RangeRequest::from(&range)).await?;
        Ok(response.page())
    }

    async fn transact(&self, transaction: Transaction) -> Result<Outcome, EtcdError> {
        // Another one must not be done a second time after a later one.
        let slow = if transaction.is_made_once() { SLOW } else { Duration::MAX };
        let request = TransactionRequest::from(transaction);
        let response: TransactionResponse = self.call_with("/v3/kv/txn", &request, slow).await?;
        Ok(match response.succeeded {
            true => Outcome::Done(response.revision()),
            false => Outcome::NotDone(response.found()),
        })
    }

    async fn watch(&self, prefix: &str, from: StoreRevision) -> Result<Box<dyn Watch>, EtcdError> {
        let request = WatchRequest::of(prefix, &after_prefix(prefix), from);
        let body = serde_json::to_vec(&request).expect("requests are JSON");
        let response = self.send("/v3/watch", &body, None, SLOW).await?;
        Ok(Box::new(Stream { response, unread: Vec::new() }))
    }

    async fn grant_lease(&self, seconds: u64) -> Result<LeaseId, EtcdError> {
        let seconds = Number(i64::try_from(seconds).unwrap_or(i64::MAX));
        let lease: Lease = self.call("/v3/lease/grant", &GrantRequest { seconds }).await?;
        Ok(LeaseId(lease.id.0))
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<bool, EtcdError> {
        let request = Lease { id: Number(lease.0), seconds: Number(0) };
        let response: Streamed<Lease> = self.call("/v3/lease/keepalive", &request).await?;
        Ok(response.result.is_some_and(|lease| lease.seconds.0 > 0))
    }

    async fn revoke_lease(&self, lease: LeaseId) -> Result<(), EtcdError> {
        let request = Lease { id: Number(lease.0), seconds: Number(0) };
        self.call::<serde_json::Value>("/v3/lease/revoke", &request).await.map(drop)
    }
}

/// The response to a watch: one JSON document per line.
struct Stream {
    response: Response,
    unread: Vec<u8>,
}

#[async_trait]
impl Watch for Stream {
    async fn next(&mut self) -> Result<WatchBatch, EtcdError> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.unread) {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                if let Some(batch) = batch(&line)? {
                    return Ok(batch);
                }
                continue;
            }
            let lost = |why: String| EtcdError::Unreachable(format!("the watch has ended: {why}"));
            let chunk = self.response.chunk().await.map_err(|error| lost(with_causes(&error.without_url())))?;
            self.unread.extend_from_slice(&chunk.ok_or_else(|| lost("etcd closed the connection".to_owned()))?);
            if self.unread.len() > LONGEST_MESSAGE {
                return Err(lost("a message is too long".to_owned()));
            }
        }
    }
}

/// The changes in a line; `None` if it has none.
fn batch(line: &[u8]) -> Result<Option<WatchBatch>, EtcdError> {
    let read: Streamed<WatchResponse> =
        serde_json::from_slice(line).map_err(|error| EtcdError::Refused(format!("a message of its watch: {error}")))?;
    if let Some(error) = read.error {
        return Err(EtcdError::Unreachable(format!("the watch has ended: {error}")));
    }
    let Some(response) = read.result else { return Ok(None) };
    if response.compact_revision.0 > 0 {
        return Err(EtcdError::Compacted);
    }
    if response.canceled {
        return Err(EtcdError::Unreachable(format!("the watch was cancelled: {}", response.cancel_reason)));
    }
    Ok((!response.created).then(|| response.batch()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_that_is_behind_does_not_say_that_it_has_everything() {
        // What etcd sends to a watch that it has to catch up: the header has the revision of the
        // store.
        let behind = br#"{"result":{"header":{"revision":"2000"},"events":[
            {"kv":{"key":"YQ==","mod_revision":"7"}},{"type":"DELETE","kv":{"key":"Yg==","mod_revision":"9"}}]}}"#;
        let read = batch(behind).unwrap().unwrap();
        assert_eq!((read.revision, read.changes.len()), (9, 2));
        // A report without changes says that there are none.
        assert_eq!(batch(br#"{"result":{"header":{"revision":"2000"}}}"#).unwrap().unwrap().revision, 2000);
        let compacted = br#"{"result":{"header":{"revision":"2000"},"canceled":true,"compact_revision":"50"}}"#;
        assert_eq!(batch(compacted), Err(EtcdError::Compacted));
    }
}
