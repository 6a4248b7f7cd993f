//! `[api]`: the listener of the Route 53 API, and who may call it.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use super::admin::read_allowed_hosts;
use super::diagnostic::Diagnostic;
use super::document::Diagnostics;
use super::listeners::{EnvironmentKey, Listener};
use super::table::{At, Table};
use super::value::{self, file_path, path, read_list};
use crate::model::{Percentage, StrictRule, StrictRules};

/// The port of AWS emulators.
const PORT: u16 = 4566;

/// `[api]`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiSettings {
    /// The addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// The addresses to listen on instead if there are keys; empty if that makes no difference.
    pub listen_with_keys: Vec<SocketAddr>,
    /// The file with the keys of clients.
    pub keys_file: Option<PathBuf>,
    /// The networks of clients whose signatures are not verified; `None` for the default.
    pub trust: Option<Vec<IpNet>>,
    /// The certificate, for HTTPS.
    pub tls: Option<TlsFiles>,
    /// Accepted host names, in lower case and without the trailing dot.
    pub allowed_hosts: Vec<String>,
    /// How long a change is pending, as clients see it.
    pub insync_delay: Duration,
    /// The directory for files of new zones; `None` for that of the other zone files.
    pub zones_directory: Option<PathBuf>,
    /// The cache of record sets.
    pub cache: CacheSize,
    /// What the API refuses only because Route 53 does.
    pub strict: StrictRules,
    /// The largest share of a zone's record sets that a change may remove; `None` for any.
    pub largest_removal: Option<Percentage>,
}

/// The most memory for the record sets of zones that are read or changed, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSize(pub u64);

impl Default for CacheSize {
    /// Enough for about 150 000 plain record sets.
    fn default() -> CacheSize {
        CacheSize(64 << 20)
    }
}

/// A certificate chain and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, in PEM format.
    pub certificate: PathBuf,
    /// The private key, in PEM format.
    pub key: PathBuf,
}

impl ApiSettings {
    /// Whether clients can have keys.
    pub(super) fn has_keys(&self, environment: EnvironmentKey) -> bool {
        self.keys_file.is_some() || environment == EnvironmentKey::Present
    }
}

/// All but the addresses to listen on.
pub(super) fn read_api(table: &Table<'_>, directory: &Path, diagnostics: &mut Diagnostics<'_>) -> ApiSettings {
    let trust = read_list(table, "trust", diagnostics, value::network);
    let insync_delay = table.duration("insync_delay", diagnostics).map(|delay| delay.value);
    let cache = table.size("cache", diagnostics).map(|size| CacheSize(size.value));
    ApiSettings {
        listen: Vec::new(),
        listen_with_keys: Vec::new(),
        keys_file: file_path(table, "keys_file", directory, diagnostics),
        trust: trust.map(|trust| trust.into_iter().map(|network| network.value).collect()),
        tls: read_tls(table, directory, diagnostics),
        allowed_hosts: read_allowed_hosts(table, diagnostics),
        insync_delay: insync_delay.unwrap_or_default(),
        zones_directory: path(table, "zones_directory", directory, diagnostics),
        cache: cache.unwrap_or_default(),
        largest_removal: read_percentage(table, "largest_removal", diagnostics),
        strict: read_strict(table, diagnostics),
    }
}

fn read_strict(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> StrictRules {
    let names = table.switches("strict", diagnostics).unwrap_or_default();
    StrictRule::ALL.into_iter().filter(|rule| names.contains(&rule.name())).collect()
}

fn read_percentage(table: &Table<'_>, key: &'static str, diagnostics: &mut Diagnostics<'_>) -> Option<Percentage> {
    let text = table.string(key, diagnostics)?;
    let percentage = Percentage::parse(text.value);
    if percentage.is_none() {
        let diagnostic = diagnostics.error(text.span.clone(), format!("`{key}` is not a valid percentage"));
        diagnostic.label("expected a whole number from 1 to 100 and `%`").hint("write, for example, \"50%\"");
    }
    percentage
}

/// The addresses of `listen`, with their positions.
pub(super) fn read_listen(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Vec<(SocketAddr, Range<usize>)> {
    table.require("listen", "such as listen = [\"127.0.0.1:4566\"]", diagnostics);
    read_addresses(table, "listen", "leave out `[api]` for no API", diagnostics)
}

/// The same of `listen_with_keys`.
pub(super) fn read_listen_with_keys(
    table: &Table<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<(SocketAddr, Range<usize>)> {
    read_addresses(table, "listen_with_keys", "leave it out to listen on the addresses of `listen`", diagnostics)
}

fn read_addresses(
    table: &Table<'_>,
    key: &'static str,
    hint: &'static str,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<(SocketAddr, Range<usize>)> {
    let Some(texts) = table.strings(key, diagnostics) else { return Vec::new() };
    if texts.is_empty() {
        let diagnostic = diagnostics.error(table.span_of(key), format!("`{key}` must name at least one address"));
        diagnostic.label("an empty list").hint(hint);
    }
    let read = |text: &At<&str>, diagnostics: &mut Diagnostics<'_>| {
        Some((value::socket_address(text, PORT, diagnostics)?, text.span.clone()))
    };
    texts.iter().filter_map(|text| read(text, diagnostics)).collect()
}

pub(super) fn read_tls(table: &Table<'_>, directory: &Path, diagnostics: &mut Diagnostics<'_>) -> Option<TlsFiles> {
    let certificate = file_path(table, "tls_certificate", directory, diagnostics);
    let key = file_path(table, "tls_key", directory, diagnostics);
    for (one, other) in [("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")] {
        if table.has(one) && !table.has(other) {
            let diagnostic = diagnostics.error(table.key_span(one), format!("`{one}` needs `{other}`"));
            diagnostic.label(format!("there is no `{other}`")).hint("set both for HTTPS, or neither for HTTP");
        }
    }
    Some(TlsFiles { certificate: certificate?, key: key? })
}

/// An error for each listener that others than this machine reach while nothing says who may use
/// it.
pub(super) fn open_listeners(
    api: &ApiSettings,
    listeners: &[Listener],
    environment: EnvironmentKey,
) -> Vec<Diagnostic> {
    let is_protected = api.has_keys(environment) || api.trust.as_ref().is_some_and(|trust| !trust.is_empty());
    if is_protected || environment == EnvironmentKey::Unknown {
        return Vec::new();
    }
    let open = listeners.iter().filter(|listener| !listener.address.ip().is_loopback());
    open.map(Listener::open_to_others).collect()
}
