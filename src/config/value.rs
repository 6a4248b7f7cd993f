//! Reads and checks single values (networks, addresses, regions, countries, coordinates, paths) and
//! lists of them.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::path::{Component, Path, PathBuf};

use ipnet::IpNet;

use super::document::Diagnostics;
use super::table::{At, Table};
use super::{id, words};
use crate::model::{Coordinates, Country, HostedZoneId, Region, Subdivision, geography};

/// A worker searches these lists for every query.
const MAX_LIST_ENTRIES: usize = 100;

/// A network without host bits.
pub(super) fn network(written: &At<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<IpNet> {
    let text = written.value;
    let Ok(network) = text.parse::<IpNet>() else {
        let message = format!("`{text}` is not a valid network");
        let diagnostic = diagnostics.error(written.span.clone(), message).label("expected address/prefix length");
        match text.parse::<IpAddr>() {
            Ok(address) => diagnostic.hint(format!("a single address is the network `{}`", IpNet::from(address))),
            Err(_) => diagnostic.hint("such as \"10.53.1.0/24\" or \"2001:db8:1::/48\""),
        };
        return None;
    };
    if network != network.trunc() {
        diagnostics
            .error(written.span.clone(), format!("`{text}` has host bits set"))
            .label("not the network's address")
            .hint(format!("the network of this address is `{}`", network.trunc()));
        return None;
    }
    Some(network)
}

/// The id of a hosted zone.
pub(super) fn hosted_zone_id(
    table: &Table<'_>,
    key: &str,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<At<HostedZoneId>> {
    let written = table.string(key, diagnostics)?;
    if !id::is_zone_id(written.value) {
        let message = format!("`{}` is not a valid hosted zone id", written.value);
        diagnostics.error(written.span, message).label("expected `Z` and up to 31 capital letters and digits");
        return None;
    }
    Some(written.map(|id| HostedZoneId(id.to_owned())))
}

/// An IP address.
pub(super) fn address(written: &At<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<IpAddr> {
    let address = written.value.parse().ok();
    if address.is_none() {
        diagnostics
            .error(written.span.clone(), format!("`{}` is not a valid IP address", written.value))
            .label("expected an IPv4 or IPv6 address");
    }
    address
}

/// An IP address and a port.
pub(super) fn socket_address(
    written: &At<&str>,
    default_port: u16,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<SocketAddr> {
    let text = written.value;
    if let Ok(address) = text.parse::<SocketAddr>() {
        return not_mapped(written, address, diagnostics);
    }
    let message = format!("`{text}` is not a valid address with a port");
    let diagnostic = diagnostics.error(written.span.clone(), message).label("expected address:port");
    match text.parse::<IpAddr>() {
        Ok(address) => diagnostic.hint(format!("write `{}`", SocketAddr::new(address, default_port))),
        Err(_) => diagnostic
            .hint(format!("such as `127.0.0.1:{default_port}` or `[::1]:{default_port}`; host names are not resolved")),
    };
    None
}

/// An address in 127.0.0.0/8 and a port.
pub(super) fn loopback_address(written: &At<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<SocketAddr> {
    let text = written.value;
    let is_loopback = |address: IpAddr| address.is_ipv4() && address.is_loopback();
    if let Some(address) = text.parse::<SocketAddr>().ok().filter(|it| is_loopback(it.ip()) && it.port() != 0) {
        return Some(address);
    }
    let message = format!("`{text}` is not an address in 127.0.0.0/8 with a port");
    let hint = match text.parse::<IpAddr>() {
        Ok(address) if is_loopback(address) => format!("write `{address}:8080`"),
        _ => "such as `127.0.53.11:8080`: only this machine must reach it".to_owned(),
    };
    diagnostics.error(written.span.clone(), message).label("expected a loopback address:port").hint(hint);
    None
}

/// Sockets for IPv6 take no IPv4, so an IPv4 address in IPv6 form (RFC 4291, section 2.5.5.2)
/// cannot be listened on.
fn not_mapped(written: &At<&str>, address: SocketAddr, diagnostics: &mut Diagnostics<'_>) -> Option<SocketAddr> {
    let plain = SocketAddr::new(address.ip().to_canonical(), address.port());
    if plain == address {
        return Some(address);
    }
    diagnostics
        .error(written.span.clone(), format!("`{}` is an IPv4 address in IPv6 form", written.value))
        .label("expected an IPv4 or IPv6 address with a port")
        .hint(format!("write `{plain}`"));
    None
}

/// One of the AWS regions.
pub(super) fn region(written: &At<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<Region> {
    let region = Region::from_name(written.value);
    if region.is_none() {
        let names: Vec<&str> = Region::all().map(Region::name).collect();
        diagnostics
            .error(written.span.clone(), format!("`{}` is not an AWS region that Route 53 supports", written.value))
            .label("unknown region")
            .hint(words::did_you_mean(written.value, &names, ""));
    }
    region
}

/// A country in Route 53's list.
pub(super) fn country(written: &At<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<Country> {
    let text = written.value;
    let known = |text: &str| Country::from_code(text).filter(|country| geography::is_country(*country));
    let country = known(text);
    if country.is_none() {
        let diagnostic =
            diagnostics.error(written.span.clone(), format!("`{text}` is not a country code that Route 53 supports"));
        diagnostic.label("expected an ISO 3166-1 code of two capitals, such as `DE`");
        if known(&text.to_ascii_uppercase()).is_some() {
            diagnostic.hint(format!("write `{}`", text.to_ascii_uppercase()));
        } else if text == "UK" {
            diagnostic.hint("the United Kingdom is `GB`");
        }
    }
    country
}

/// A subdivision of the country in Route 53's list.
pub(super) fn subdivision(
    country: Country,
    written: &At<&str>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Subdivision> {
    let known = |text: &str| Subdivision::from_code(text).filter(|code| geography::is_subdivision(country, *code));
    let found = known(written.value);
    if found.is_none() {
        let message = format!("`{}` is not a subdivision of `{country}` that Route 53 supports", written.value);
        let diagnostic = diagnostics.error(written.span.clone(), message);
        diagnostic.label("unknown subdivision");
        let capitals = written.value.to_ascii_uppercase();
        let bare = capitals.strip_prefix(&format!("{country}-")).unwrap_or(&capitals);
        if written.value == "*" {
            diagnostic.hint(format!("leave out `subdivision` for all of `{country}`"));
        } else if known(bare).is_some() {
            diagnostic.hint(format!("write `{bare}`"));
        } else {
            diagnostic.hint("subdivisions are the states of `US`, such as `CA`, and the oblasts of `UA`, such as `30`");
        }
    }
    found
}

/// The allowed precision of coordinates.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    /// At most two decimals (API Latitude, Longitude).
    Route53,
    /// Any number of decimals.
    Any,
}

/// `{ latitude = …, longitude = … }`.
pub(super) fn coordinates(
    table: &Table<'_>,
    precision: Precision,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Coordinates> {
    for key in ["latitude", "longitude"] {
        table.require(
            key,
            "coordinates are { latitude = 52.52, longitude = 13.40 }; south and west are negative",
            diagnostics,
        );
    }
    let latitude = degrees(table, "latitude", 90.0, precision, diagnostics);
    let longitude = degrees(table, "longitude", 180.0, precision, diagnostics);
    Some(Coordinates { latitude: latitude?, longitude: longitude? })
}

fn degrees(
    table: &Table<'_>,
    key: &str,
    most: f64,
    precision: Precision,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<f64> {
    let written = table.number(key, diagnostics)?;
    if written.value.value.abs() > most {
        diagnostics.error(written.span, format!("`{key}` must be from -{most} to {most}")).label("out of range");
        return None;
    }
    if precision == Precision::Route53 && written.value.decimals() > 2 {
        diagnostics
            .error(written.span, format!("`{key}` must have at most two decimals, as in Route 53"))
            .label("more than two decimals")
            .hint(format!("write {:.2}", written.value.value));
        return None;
    }
    Some(written.value.value)
}

/// Reads every string of a list with `read`. Values that cannot be read are errors and left out.
pub(super) fn read_list<T>(
    table: &Table<'_>,
    key: &str,
    diagnostics: &mut Diagnostics<'_>,
    read: impl Fn(&At<&str>, &mut Diagnostics<'_>) -> Option<T>,
) -> Option<Vec<At<T>>> {
    let texts = table.strings(key, diagnostics)?;
    let read_one = |text: &At<&str>| read(text, diagnostics).map(|value| At::new(value, text.span.clone()));
    Some(texts.iter().filter_map(read_one).collect())
}

/// The values of a list. A value that is listed twice is an error and left out.
pub(super) fn without_repetition<T: PartialEq + Display>(
    written: Vec<At<T>>,
    what: &str,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<T> {
    let mut values: Vec<T> = Vec::new();
    for item in written {
        if values.contains(&item.value) {
            diagnostics
                .error(item.span, format!("the {what} `{}` is listed twice", item.value))
                .label("the second time");
        } else {
            values.push(item.value);
        }
    }
    values
}

/// A list without duplicates of at most [`MAX_LIST_ENTRIES`] entries.
pub(super) fn bounded<T: PartialEq + Display>(
    table: &Table<'_>,
    key: &str,
    what: &str,
    diagnostics: &mut Diagnostics<'_>,
    read: impl Fn(&At<&str>, &mut Diagnostics<'_>) -> Option<T>,
) -> Vec<T> {
    let Some(values) = read_list(table, key, diagnostics, read) else { return Vec::new() };
    if values.len() > MAX_LIST_ENTRIES {
        let message = format!("`{key}` must have at most {MAX_LIST_ENTRIES} entries");
        diagnostics.error(table.span_of(key), message).label(format!("{} entries", values.len()));
        return Vec::new();
    }
    without_repetition(values, what, diagnostics)
}

/// A path, relative to the settings file.
pub(super) fn path(
    table: &Table<'_>,
    key: &str,
    directory: &Path,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<PathBuf> {
    let written = table.string(key, diagnostics)?;
    if written.value.is_empty() {
        diagnostics.error(written.span, format!("`{key}` must not be empty")).label("expected a path");
        return None;
    }
    Some(resolve(directory, written.value))
}

/// A path that must name a file, not a directory.
pub(super) fn file_path(
    table: &Table<'_>,
    key: &str,
    directory: &Path,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<PathBuf> {
    let found = path(table, key, directory, diagnostics)?;
    let written = table.string(key, diagnostics)?;
    if is_directory(written.value) {
        diagnostics.error(written.span, format!("`{key}` must name a file")).label("a directory");
        return None;
    }
    Some(found)
}

/// Whether a path can only be a directory: it ends in `/`, `.` or `..`.
fn is_directory(path: &str) -> bool {
    matches!(path.rsplit('/').next(), Some("" | "." | ".."))
}

/// Joins paths without looking at the file system, so that messages have `zones/lab.test.toml` and
/// not `config/../zones/lab.test.toml`.
pub(super) fn resolve(directory: &Path, path: &str) -> PathBuf {
    let mut resolved = directory.to_owned();
    for component in Path::new(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(resolved.components().next_back(), Some(Component::Normal(_))) => {
                resolved.pop();
            }
            other => resolved.push(other),
        }
    }
    if resolved.as_os_str().is_empty() { PathBuf::from(".") } else { resolved }
}
