//! Opens the listeners of the Route 53 API, and reads its keys and its certificate.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, anyhow};
use tokio::net::TcpListener;

use crate::api::{self, Access, Api, Context, Keys, QueryLog};
use crate::causes::with_causes;
use crate::config::{self, ApiSettings, Settings};
use crate::control::HealthReader;
use crate::history::PastChange;
use crate::http::{self, Tls};
use crate::load::with_files;
use crate::model::StrictRules;

use super::bad_setting::BadSetting;
use super::wiring::Wiring;

/// How often the keys file and the certificate are checked for changes.
const REFRESH: Duration = Duration::from_secs(1);

const KEYS: &str = "cannot use the keys of the Route 53 API";
const CERTIFICATE: &str = "cannot use the certificate of the Route 53 API";

/// The open listeners. Connections wait until they are served.
pub(super) struct ApiListeners {
    listeners: Vec<TcpListener>,
    access: Access,
    tls: Option<Tls>,
    has_files: bool,
    insync_delay: Duration,
    strict: StrictRules,
    query_log: QueryLog,
    waits_for_keys: bool,
}

/// How the API is reached, for the message at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiUrl {
    /// Such as `http://127.0.0.1:4566`.
    pub(super) url: String,
    /// Whether clients on this machine need a key.
    pub(super) needs_key: bool,
    /// Whether it listens on other addresses when there are keys.
    pub(super) waits_for_keys: bool,
    /// What it refuses only because Route 53 does.
    pub(super) strict: StrictRules,
}

impl ApiListeners {
    /// The most files that they have open.
    pub(super) fn open_files(settings: &Settings) -> usize {
        settings.api.as_ref().map_or(0, |api| api.listen.len() + api::CONNECTIONS)
    }

    /// `None` without an API.
    pub(super) async fn open(settings: &Settings) -> anyhow::Result<Option<ApiListeners>> {
        let query_log = if settings.query_log.is_some() { QueryLog::On } else { QueryLog::Off };
        let Some(settings) = settings.api.clone() else { return Ok(None) };
        let listeners = settings.listen.iter().map(|address| bind(*address)).collect::<anyhow::Result<_>>()?;
        let has_files = settings.keys_file.is_some() || settings.tls.is_some();
        let (insync_delay, strict) = (settings.insync_delay, settings.strict);
        let with_keys = &settings.listen_with_keys;
        let waits_for_keys = !with_keys.is_empty() && *with_keys != settings.listen;
        let (access, tls) = with_files(move || read(&settings)).await??;
        Ok(Some(ApiListeners { listeners, access, tls, has_files, insync_delay, strict, query_log, waits_for_keys }))
    }

    /// Serves the API until the server stops. It knows the changes of the runs before this one.
    pub(super) fn serve(
        self,
        wiring: &mut Wiring,
        health: HealthReader,
        past: Vec<PastChange>,
    ) -> anyhow::Result<ApiUrl> {
        let ApiListeners { listeners, access, tls, has_files, insync_delay, strict, query_log, waits_for_keys } = self;
        let address = listeners[0].local_addr().context("a listener has no address")?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let needs_key = !access.trusts(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let context = Context::new(Arc::new(wiring.objects()), health, insync_delay)
            .with_tracker(wiring.change_tracker())
            .with_strict_rules(strict)
            .with_query_log(query_log);
        for PastChange { at, submission } in past {
            context.restore_change(submission, UNIX_EPOCH + at.0);
        }
        let api = Arc::new(Api { access, context, now: super::now });
        // A listener without connections would answer nothing.
        let connections = (api::CONNECTIONS / listeners.len()).max(2);
        for listener in listeners {
            wiring.spawn(api::serve(listener, Arc::clone(&api), tls.clone(), connections));
        }
        if has_files {
            wiring.spawn(refresh(api, tls));
        }
        Ok(ApiUrl { url: format!("{scheme}://{}", config::reachable(address)), needs_key, waits_for_keys, strict })
    }
}

/// What would stop the start because of the API's keys and certificate.
pub(super) fn check_files(settings: &ApiSettings) -> Vec<BadSetting> {
    let bad = |key, message: String| BadSetting { table: "api", key, element: None, message };
    let keys = Keys::read(settings.keys_file.as_deref(), |name| std::env::var(name).ok());
    let tls = settings.tls.as_ref().and_then(|files| Tls::read(&files.certificate, &files.key).err());
    let keys = keys.err().map(|error| bad("keys_file", format!("{KEYS}: {}", with_causes(&error))));
    let tls = tls.map(|error| bad("tls_certificate", format!("{CERTIFICATE}: {}", with_causes(&error))));
    keys.into_iter().chain(tls).collect()
}

fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    http::bind(address).map_err(|error| {
        anyhow!(
            "cannot listen on {address} (TCP) for the Route 53 API: {error}\n  hint: choose another address with \
             `[api] listen` or --api ADDRESS:PORT, or none with --api off"
        )
    })
}

fn read(settings: &ApiSettings) -> anyhow::Result<(Access, Option<Tls>)> {
    let keys = Keys::read(settings.keys_file.as_deref(), |name| std::env::var(name).ok());
    let keys = keys.context(KEYS)?;
    let tls = settings.tls.as_ref().map(|files| Tls::read(&files.certificate, &files.key));
    let tls = tls.transpose().context(CERTIFICATE)?;
    Ok((Access::new(keys, settings.trust.as_deref(), &settings.allowed_hosts), tls))
}

/// Reads changed files again.
async fn refresh(api: Arc<Api>, tls: Option<Tls>) {
    let mut seconds = tokio::time::interval(REFRESH);
    seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        let (api, tls) = (Arc::clone(&api), tls.clone());
        let look = move || {
            api.access.refresh();
            tls.iter().for_each(Tls::refresh);
        };
        // One thread, which waits if the file system does not respond.
        let _ = tokio::task::spawn_blocking(look).await;
    }
}
