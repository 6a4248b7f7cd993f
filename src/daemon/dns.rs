//! Opens the DNS ports: settings for the workers, and their protection.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};

use crate::config::{self, Settings};
use crate::load::with_files;
use crate::privilege::Privileges;
use crate::query_logging::QueryLogging;
use crate::serve::{
    self, BindError, Bound, Observers, RateLimit, RateLimitSettings, ResponderSettings, Serving, TcpLimits, UdpPath,
};
use crate::world::Reader;

use super::cookies;
use super::open_files::FileShares;
use super::wiring::Wiring;

/// Opens the ports.
pub(super) async fn open(
    wiring: &mut Wiring,
    settings: &Settings,
    privileges: Option<Privileges>,
    files: FileShares,
    reader: &Reader,
    query_logging: &QueryLogging,
) -> anyhow::Result<(Vec<SocketAddr>, Serving)> {
    let bound = Bound::bind(&settings.dns.listen, settings.dns.workers, UdpPath::default()).map_err(cannot_listen)?;
    if let Some(privileges) = privileges {
        let (settings, source) = (settings.clone(), wiring.source().clone());
        with_files(move || privileges.change_user(&settings, &source)).await??;
    }
    let addresses = bound.addresses();
    let rate_limit = rate_limit(settings)?;
    let cookies = cookies::start(wiring, settings).await?;
    let responder = ResponderSettings {
        udp_payload_max: settings.dns.udp_payload_max,
        nsid: settings.dns.nsid.as_deref().map(Arc::from),
        client_subnet: match settings.location.use_client_subnet {
            config::ClientSubnetUse::Use => serve::ClientSubnetUse::Use,
            config::ClientSubnetUse::Ignore => serve::ClientSubnetUse::Ignore,
        },
        chaos: settings.dns.chaos,
        rate_limit: rate_limit.clone(),
        cookies,
        udp_max_without_cookie: settings.cookies.require_above.unwrap_or(u16::MAX),
    };
    let meters = wiring.meters();
    if let Some(rate_limit) = rate_limit {
        wiring.spawn(rate_limit.report(Arc::clone(&meters)));
    }
    // The seed of the random choices of routing policies. It need not be secret.
    let seed = fastrand::u64(..);
    let limits = TcpLimits::with_connections(files.tcp);
    let observers = Observers { meters: &meters, query_logging };
    let serving = bound.serve(reader, &responder, limits, observers, seed).context("cannot start the workers")?;
    Ok((addresses, serving))
}

/// The counters of response rate limiting, if it is on.
fn rate_limit(settings: &Settings) -> anyhow::Result<Option<RateLimit>> {
    let config::RateLimitSettings { enabled, rate, instant, slip, dry_run, allow, tcp_time } =
        settings.rate_limit.clone();
    let new = || RateLimit::new(RateLimitSettings { rate, instant, slip, dry_run, allow, tcp_time });
    enabled.then(new).transpose().map_err(|_| anyhow!("the system has no random numbers"))
}

pub(super) fn cannot_listen(error: BindError) -> anyhow::Error {
    match error.hint {
        Some(hint) => anyhow!("{error}\n  hint: {hint}"),
        None => anyhow!(error),
    }
}
