//! The client of a running server's admin side.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Method, StatusCode, Url};
use serde::de::DeserializeOwned;

use crate::admin::shapes::ErrorShape;
use crate::admin::{TOKEN_VARIABLE, Token};
use crate::config::reachable;

use super::settings;

/// Time limit for a response. The server answers from memory; a longer wait means a disk that
/// hangs.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most names that an error lists.
const NAMED: usize = 20;

/// Options that select the server.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ServerArguments {
    /// The running server's admin address [default: as the settings say, else 127.0.0.1:8053]
    #[arg(long, value_name = "ADDRESS:PORT")]
    admin: Option<SocketAddr>,
    /// The settings file
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A file with the server's admin token, for changes [default: $FIFTYTHREE_ADMIN_TOKEN, else as
    /// the settings say]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl ServerArguments {
    /// The settings file, when one is named.
    pub(super) fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }
}

/// The admin side of a server.
pub(super) struct SideDoor {
    runtime: tokio::runtime::Runtime,
    client: Client,
    server: SocketAddr,
    token: Option<Token>,
}

impl SideDoor {
    /// Finds the address of the server, without a request.
    pub(super) fn find(arguments: &ServerArguments) -> anyhow::Result<SideDoor> {
        let server = match arguments.admin {
            Some(address) => address,
            None => settings::admin_address(arguments.config.as_deref())?,
        };
        SideDoor::open(server, find_token(arguments, server)?)
    }

    /// The server at this address, with the token of the environment; sends no request.
    pub(super) fn at(server: SocketAddr) -> anyhow::Result<SideDoor> {
        SideDoor::open(server, token_of_environment()?)
    }

    fn open(server: SocketAddr, token: Option<Token>) -> anyhow::Result<SideDoor> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = Client::builder()
            .tls_backend_preconfigured(without_tls())
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .context("cannot make an HTTP client")?;
        Ok(SideDoor { runtime, client, server: reachable(server), token })
    }

    /// Sends a GET.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str, parameters: &[(&str, &str)]) -> anyhow::Result<T> {
        self.ask(Method::GET, path, parameters, None)
    }

    /// Sends a POST.
    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, body: String) -> anyhow::Result<T> {
        self.ask(Method::POST, path, &[], Some(body))
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
        let (status, text) = self.runtime.block_on(exchange).map_err(|error| unreachable(server, &error))?;
        if status.is_success() {
            return serde_json::from_str(&text).with_context(|| format!("{server} is no fiftythree of this version"));
        }
        bail!(refused(server, status, &text))
    }
}

/// The token, if there is one: as the flag says, as the environment says, else the file that the
/// settings name. That one need not be readable: who only looks needs no token.
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
    let path = settings::token_file(arguments.config.as_deref());
    Ok(path.and_then(|path| Token::read(&path).ok()))
}

fn token_of_environment() -> anyhow::Result<Option<Token>> {
    let written = std::env::var(TOKEN_VARIABLE).ok().filter(|written| !written.is_empty());
    let token = written.map(|written| Token::new(&written).with_context(|| format!("${TOKEN_VARIABLE} is not usable")));
    token.transpose()
}

fn unreachable(server: SocketAddr, error: &reqwest::Error) -> anyhow::Error {
    let what = if error.is_timeout() { "does not answer" } else { "cannot be reached" };
    anyhow!(
        "the server's admin side at {server} {what}\n  hint: is it running? `--admin` says where, as `[admin] listen` in its settings does"
    )
}

fn refused(server: SocketAddr, status: StatusCode, text: &str) -> String {
    let Ok(ErrorShape { error, known }) = serde_json::from_str(text) else {
        return format!("{server} says {status}: {}", text.trim());
    };
    if status == StatusCode::UNAUTHORIZED {
        return format!(
            "{error}\n  hint: `--token-file FILE`, ${TOKEN_VARIABLE}, or the file that `[admin] token_file` names, if you may read it"
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
