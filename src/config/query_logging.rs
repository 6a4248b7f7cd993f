//! `[metrics]`, `[query_log]` and `[dnstap]`: settings for counting and logging queries.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use super::document::Diagnostics;
use super::table::{At, Table};
use super::value::{bounded, resolve};
use super::{value, words};
use crate::model::{Name, QueryType, ResponseCode};

/// Frame Streams has no assigned port; dnstap's tools use 6000 in their examples.
const DNSTAP_PORT: u16 = 6000;

/// `[query_log]`
#[derive(Clone, Debug, PartialEq)]
pub struct QueryLogSettings {
    /// Where the log is written.
    pub target: QueryLogTarget,
    /// The format of the lines.
    pub format: QueryLogFormat,
    /// One in `sample` queries is logged.
    pub sample: u32,
    /// Zones whose queries are logged, besides those with a query logging configuration. `None`
    /// means all queries, also those outside all zones.
    pub zones: Option<Vec<Name>>,
    /// Response codes that are logged. Empty means all.
    pub response_codes: Vec<ResponseCode>,
    /// Query types that are logged. Empty means all.
    pub types: Vec<QueryType>,
    /// Client networks whose queries are logged. Empty means all.
    pub clients: Vec<IpNet>,
}

/// Where the query log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryLogTarget {
    /// Standard output, where containers expect logs.
    Stdout,
    /// A file.
    File(PathBuf),
}

/// The format of the query log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryLogFormat {
    /// The line of Route 53's public query log.
    Route53,
    /// One JSON object per line.
    Json,
}

/// `[metrics]`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricsSettings {
    /// Names for which answers are counted by record set.
    pub count_answers: Vec<Name>,
}

/// `[dnstap]`
#[derive(Clone, Debug, PartialEq)]
pub struct DnstapSettings {
    /// The reader's socket.
    pub target: DnstapTarget,
    /// The identity in the messages; `None` means `dns.nsid`.
    pub identity: Option<String>,
    /// One in `sample` queries is sent.
    pub sample: u32,
}

/// The socket of a dnstap reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnstapTarget {
    /// A Unix socket.
    Socket(PathBuf),
    /// A TCP port.
    Tcp(SocketAddr),
}

impl fmt::Display for DnstapTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DnstapTarget::Socket(path) => path.display().fmt(f),
            DnstapTarget::Tcp(address) => address.fmt(f),
        }
    }
}

pub(super) fn read_metrics(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> MetricsSettings {
    MetricsSettings { count_answers: bounded(table, "count_answers", "name", diagnostics, name) }
}

pub(super) fn read_query_log(
    table: &Table<'_>,
    directory: &Path,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<QueryLogSettings> {
    table.require("to", "such as to = \"stdout\", or a file: to = \"/var/log/fiftythree/queries.log\"", diagnostics);
    let format = table.choice("format", diagnostics);
    let sample = read_sample(table, diagnostics);
    let zones = bounded(table, "zones", "zone", diagnostics, name);
    let zones = table.has("zones").then_some(zones);
    let response_codes = bounded(table, "response_codes", "response code", diagnostics, response_code);
    let types = bounded(table, "types", "type", diagnostics, query_type);
    let clients = bounded(table, "clients", "network", diagnostics, value::network);
    let to = table.string("to", diagnostics)?;
    if to.value.is_empty() {
        diagnostics.error(to.span, "`to` must not be empty").label("expected `stdout` or a path");
        return None;
    }
    let target = match to.value {
        "stdout" => QueryLogTarget::Stdout,
        path => QueryLogTarget::File(resolve(directory, path)),
    };
    let format = match format.map(|format| format.value) {
        Some("json") => QueryLogFormat::Json,
        _ => QueryLogFormat::Route53,
    };
    Some(QueryLogSettings { target, format, sample, zones, response_codes, types, clients })
}

pub(super) fn read_dnstap(
    table: &Table<'_>,
    directory: &Path,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<DnstapSettings> {
    let sample = read_sample(table, diagnostics);
    let identity = table.string("identity", diagnostics).map(|identity| identity.value.to_owned());
    let target = match (table.string("socket", diagnostics), table.string("tcp", diagnostics)) {
        (Some(_), Some(tcp)) => {
            let message = "`[dnstap]` needs exactly one of `socket` and `tcp`";
            diagnostics.error(tcp.span, message).label("both are here");
            return None;
        }
        (Some(socket), None) if socket.value.is_empty() => {
            diagnostics.error(socket.span, "`socket` must not be empty").label("expected a path");
            return None;
        }
        (Some(socket), None) => DnstapTarget::Socket(resolve(directory, socket.value)),
        (None, Some(tcp)) => DnstapTarget::Tcp(reader_address(&tcp, diagnostics)?),
        (None, None) => {
            let is_there = |key| table.has(key) || table.is_misspelt(key);
            if table.is_whole(diagnostics) && !is_there("socket") && !is_there("tcp") {
                let diagnostic =
                    diagnostics.error(table.span.clone(), "`[dnstap]` needs exactly one of `socket` and `tcp`");
                diagnostic.label("neither is here").hint("such as socket = \"/run/dnstap.sock\"");
            }
            return None;
        }
    };
    Some(DnstapSettings { target, identity, sample })
}

/// The server connects to this address, so the unspecified address is an error.
fn reader_address(written: &At<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<SocketAddr> {
    let address = value::socket_address(written, DNSTAP_PORT, diagnostics)?;
    if address.ip().is_unspecified() || address.port() == 0 {
        let example = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DNSTAP_PORT);
        let diagnostic =
            diagnostics.error(written.span.clone(), format!("`{}` is not an address to connect to", written.value));
        diagnostic.label("expected the reader's address and port").hint(format!("such as \"{example}\""));
        return None;
    }
    Some(address)
}

fn read_sample(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> u32 {
    table.integer("sample", diagnostics).and_then(|sample| u32::try_from(sample.value).ok()).unwrap_or(1)
}

/// An absolute name, with or without the trailing dot.
fn name(written: &At<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<Name> {
    let absolute = format!("{}.", written.value.trim_end_matches('.'));
    match Name::parse(&absolute) {
        Ok(name) => Some(name),
        Err(error) => {
            diagnostics.error(written.span.clone(), error.to_string()).label("expected a domain name");
            None
        }
    }
}

fn response_code(written: &At<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<ResponseCode> {
    let code = written.value.parse().ok();
    if code.is_none() {
        let names: Vec<&str> = ResponseCode::names().collect();
        let diagnostic = diagnostics.error(written.span.clone(), format!("unknown response code `{}`", written.value));
        diagnostic.label("expected a mnemonic").hint(words::did_you_mean(
            written.value,
            &names,
            "such as \"NXDOMAIN\"",
        ));
    }
    code
}

fn query_type(written: &At<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<QueryType> {
    let kind = written.value.parse().ok();
    if kind.is_none() {
        let names: Vec<&str> = QueryType::names().collect();
        let diagnostic = diagnostics.error(written.span.clone(), format!("unknown type `{}`", written.value));
        let nothing = "write a type without a mnemonic by its number: \"TYPE65280\"";
        diagnostic.label("expected a mnemonic").hint(words::did_you_mean(written.value, &names, nothing));
    }
    kind
}
