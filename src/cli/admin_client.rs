//! The HTTP client of a running server's admin side.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Method, StatusCode, Url};
use serde::de::DeserializeOwned;

use crate::admin::shapes::{ErrorShape, HealthShape};
use crate::admin::{TOKEN_VARIABLE, Token};
use crate::config::reachable;
use crate::store;

use super::settings;

/// The timeout of a response. The server answers from memory; a longer wait means that a disk does
/// not respond.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Most names that an error lists.
const NAMED: usize = 20;

/// Options that select the server.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ServerArguments {
    /// The running server's admin address [default: that of the settings, else 127.0.0.1:8053]
    #[arg(long, value_name = "ADDRESS:PORT")]
    admin: Option<SocketAddr>,
    /// The settings file
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A file with the server's admin token, for changes [default: $FIFTYTHREE_ADMIN_TOKEN, else
    /// that of the settings]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl ServerArguments {
    /// The settings file, when one is named.
    pub(super) fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }
}

/// A client of one server's admin side.
pub(super) struct AdminClient {
    runtime: tokio::runtime::Runtime,
    client: Client,
    server: SocketAddr,
    token: Option<Token>,
    /// A note for errors, such as why it is this server.
    note: String,
}

impl AdminClient {
    /// Finds the address of the server, without a request.
    pub(super) fn find(arguments: &ServerArguments) -> anyhow::Result<AdminClient> {
        let config = arguments.config.as_deref();
        let (server, note) = match arguments.admin {
            Some(address) => (address, String::new()),
            None => (settings::admin_address(config)?, settings::default_address_note(config)),
        };
        let client = AdminClient::open(server, find_token(arguments, server)?)?;
        Ok(AdminClient { note, ..client })
    }

    /// The server at this address, with the token of the environment; sends no request.
    pub(super) fn at(server: SocketAddr) -> anyhow::Result<AdminClient> {
        AdminClient::open(server, token_of_environment()?)
    }

    /// The same with the token in the server's state directory, unless the environment has one.
    pub(super) fn at_with_state(server: SocketAddr, state: &Path) -> anyhow::Result<AdminClient> {
        let made = || Token::read(&store::made_token_path(state)).ok();
        AdminClient::open(server, token_of_environment()?.or_else(made))
    }

    fn open(server: SocketAddr, token: Option<Token>) -> anyhow::Result<AdminClient> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = Client::builder()
            .tls_backend_preconfigured(without_tls())
            .no_proxy()
            .timeout(TIMEOUT)
            .build()
            .context("cannot make an HTTP client")?;
        Ok(AdminClient { runtime, client, server: reachable(server), token, note: String::new() })
    }

    /// The address of the admin side.
    pub(super) fn server(&self) -> SocketAddr {
        self.server
    }

    /// Sends a GET.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str, parameters: &[(&str, &str)]) -> anyhow::Result<T> {
        self.ask(Method::GET, path, parameters, None)
    }

    /// All health checks that match the parameters: with histories a response has at most 200.
    pub(super) fn health(&self, parameters: &[(&str, &str)]) -> anyhow::Result<HealthShape> {
        let mut health: HealthShape = self.get("/v1/health", parameters)?;
        while health.checks.len() < health.matching {
            let offset = health.checks.len().to_string();
            let parameters = [parameters, &[("offset", &offset)]].concat();
            let HealthShape { mut checks, .. } = self.get("/v1/health", &parameters)?;
            // Checks may have been removed in the meantime.
            if checks.is_empty() {
                break;
            }
            health.checks.append(&mut checks);
        }
        Ok(health)
    }

    /// Sends a POST.
    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, body: String) -> anyhow::Result<T> {
        self.post_with(path, &[], body)
    }

    /// Sends a POST with parameters.
    pub(super) fn post_with<T: DeserializeOwned>(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        body: String,
    ) -> anyhow::Result<T> {
        self.ask(Method::POST, path, parameters, Some(body))
    }

    /// Sends a DELETE.
    pub(super) fn delete<T: DeserializeOwned>(&self, path: &str, parameters: &[(&str, &str)]) -> anyhow::Result<T> {
        self.ask(Method::DELETE, path, parameters, None)
    }

    fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        parameters: &[(&str, &str)],
        body: Option<String>,
    ) -> anyhow::Result<T> {
        let server = self.server;
        let url = Url::parse_with_params(&format!("http://{server}{path}"), parameters)?;
        let is_reading = method == Method::GET;
        let mut request = self.client.request(method, url);
        // Reading needs no token, so it is not sent.
        if let Some(token) = self.token.as_ref().filter(|_| !is_reading) {
            request = request.header(AUTHORIZATION, token.header());
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let exchange = async {
            let response = request.send().await?;
            Ok::<_, reqwest::Error>((response.status(), response.text().await?))
        };
        let (status, text) = self.runtime.block_on(exchange).map_err(|error| self.unreachable(&error))?;
        if status.is_success() {
            return serde_json::from_str(&text)
                .with_context(|| format!("{server} did not send a response of this version of fiftythree"));
        }
        bail!(refused(server, status, &text))
    }
}

impl AdminClient {
    fn unreachable(&self, error: &reqwest::Error) -> anyhow::Error {
        let (server, note) = (self.server, &self.note);
        let what = if error.is_timeout() { "does not answer" } else { "cannot be reached" };
        anyhow!(
            "the server's admin side at {server} {what}{note}\n  \
             hint: is it running? `--admin ADDRESS:PORT` names its address, `[admin] listen` in its settings"
        )
    }
}

/// The token, if there is one: as the flag says, as the environment says, else the file that the
/// settings name, else the one that the server makes in its state directory. These files need not
/// be readable: reading from the server needs no token.
fn find_token(arguments: &ServerArguments, server: SocketAddr) -> anyhow::Result<Option<Token>> {
    if let Some(path) = &arguments.token_file {
        return Ok(Some(Token::read(path)?));
    }
    if let Some(token) = token_of_environment()? {
        return Ok(Some(token));
    }
    // The token of the settings file is not sent to a server on another machine.
    if arguments.admin.is_some() && !server.ip().is_loopback() {
        return Ok(None);
    }
    let config = arguments.config.as_deref();
    let named = settings::token_file(config);
    let made = || reachable(server).ip().is_loopback().then(|| settings::made_token_file(config)).flatten();
    Ok(named.or_else(made).and_then(|path| Token::read(&path).ok()))
}

fn token_of_environment() -> anyhow::Result<Option<Token>> {
    let written = std::env::var(TOKEN_VARIABLE).ok().filter(|written| !written.is_empty());
    let token = written.map(|written| Token::new(&written).with_context(|| format!("${TOKEN_VARIABLE} is not usable")));
    token.transpose()
}

fn refused(server: SocketAddr, status: StatusCode, text: &str) -> String {
    let Ok(ErrorShape { error, known }) = serde_json::from_str(text) else {
        return format!("{server} says {status}: {}", text.trim());
    };
    if status == StatusCode::UNAUTHORIZED {
        return format!(
            "{error}\n  hint: `--token-file FILE` or ${TOKEN_VARIABLE}; else the file that `[admin] token_file` names, or \
             `admin.token` in the server's state directory, must be readable for you"
        );
    }
    if known.is_empty() {
        return error;
    }
    let more = known.len().saturating_sub(NAMED);
    let named = known[..known.len() - more].join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{error}\n  there is: {named}{more}")
}

/// The admin side uses plain HTTP, so the client loads no certificates.
fn without_tls() -> rustls::ClientConfig {
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites for TLS 1.2 and 1.3")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}
