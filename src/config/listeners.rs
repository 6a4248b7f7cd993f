//! Addresses to listen on, and conflicts between them.
//!
//! DNS listens on UDP and TCP, the admin server, the API and the lab backends on TCP. Two sockets
//! on one port would stop the server at startup with a system error that does not name the
//! settings, so conflicts are found here.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::diagnostic::{Diagnostic, RelatedSpan};

/// Flags that override the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListenFlags {
    /// `--listen`; empty when absent.
    pub listen: Vec<SocketAddr>,
    /// `--admin`.
    pub admin: Option<AddressFlag>,
    /// `--api`.
    pub api: Option<AddressFlag>,
    /// The key for the API that the environment has.
    pub environment_key: EnvironmentKey,
}

/// Whether the environment has a key for the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EnvironmentKey {
    /// It does not matter: this process does not serve.
    #[default]
    Unknown,
    /// It has none.
    Absent,
    /// It has one.
    Present,
}

/// What `--admin` and `--api` say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressFlag {
    /// `off`: no such listener.
    Off,
    /// Listen on this address.
    Listen(SocketAddr),
}

impl FromStr for AddressFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<AddressFlag, String> {
        if text == "off" {
            return Ok(AddressFlag::Off);
        }
        let address = text.parse().map_err(|_| "write an address and a port, such as 127.0.0.1:8053, or off")?;
        Ok(AddressFlag::Listen(address))
    }
}

/// An address to listen on.
#[derive(Clone, Debug)]
pub(super) struct Listener {
    pub(super) address: SocketAddr,
    pub(super) service: Service,
    pub(super) origin: Origin,
}

/// The service that listens on an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Dns,
    Admin,
    Api,
    Lab,
}

/// Where the address comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The settings file.
    File { path: PathBuf, span: Range<usize> },
    /// The command line.
    Flag,
    /// The default.
    Default,
}

/// An error for each address that conflicts with an earlier one.
pub(super) fn conflicts(listeners: &[Listener]) -> Vec<Diagnostic> {
    let conflict_of = |(at, listener): (usize, &Listener)| {
        let other = listeners[..at].iter().find(|other| overlap(other, listener))?;
        Some(conflict(other, listener))
    };
    listeners.iter().enumerate().filter_map(conflict_of).collect()
}

/// Whether the system would refuse the second of two sockets.
fn overlap(one: &Listener, other: &Listener) -> bool {
    let is_same_port = one.address.port() == other.address.port() && one.address.port() != 0;
    is_same_port && (one.covers(other) || other.covers(one))
}

impl Listener {
    /// Whether this also listens on the other's address. An IPv6 socket for DNS accepts only IPv6;
    /// those for HTTP also accept IPv4 on `[::]`, the system's default.
    fn covers(&self, other: &Listener) -> bool {
        let takes_ipv4 = matches!(self.service, Service::Admin | Service::Api);
        let takes_all = match self.address.ip() {
            IpAddr::V4(every) => every.is_unspecified() && other.address.is_ipv4(),
            IpAddr::V6(every) => every.is_unspecified() && (other.address.is_ipv6() || takes_ipv4),
        };
        takes_all || self.address == other.address
    }

    /// The name of the setting, for messages.
    fn setting(&self) -> &'static str {
        match (self.service, &self.origin) {
            (Service::Dns, Origin::Flag) => "`--listen`",
            (Service::Dns, Origin::File { .. }) => "`[dns] listen`",
            (Service::Dns, Origin::Default) => "`[dns] listen` (the default)",
            (Service::Api, Origin::Flag) => "`--api`",
            (Service::Api, _) => "`[api] listen`",
            (Service::Lab, _) => "`[lab] backends`",
            (Service::Admin, Origin::Flag) => "`--admin`",
            (Service::Admin, Origin::File { .. }) => "`[admin] listen`",
            (Service::Admin, Origin::Default) => "`[admin] listen` (the default)",
        }
    }

    /// The error for a listener of the API that others than this machine reach while nothing says
    /// who may use it.
    pub(super) fn open_to_others(&self) -> Diagnostic {
        let message = format!("the API must not listen on `{}` without keys", self.address);
        let path = self.position().map_or(Path::new("command line"), |(path, _)| path);
        let mut diagnostic = Diagnostic::error(path, message);
        if let Some((_, span)) = self.position() {
            diagnostic = diagnostic.at(span);
            diagnostic.label("everyone who reaches this address could change zones");
        }
        diagnostic.hint(
            "set `[api] keys_file`, or FIFTYTHREE_API_ACCESS_KEY_ID and FIFTYTHREE_API_SECRET_ACCESS_KEY in the \
             environment, or the networks of clients that need no key in `[api] trust`",
        );
        diagnostic
    }

    fn position(&self) -> Option<(&Path, Range<usize>)> {
        match &self.origin {
            Origin::File { path, span } => Some((path, span.clone())),
            Origin::Flag | Origin::Default => None,
        }
    }
}

/// The error is at the second address, or at the first when only that one is in a file.
fn conflict(first: &Listener, second: &Listener) -> Diagnostic {
    let (marked, other) =
        if second.position().is_some() || first.position().is_none() { (second, first) } else { (first, second) };
    let mut diagnostic = Diagnostic::error(
        marked.position().map_or(Path::new("command line"), |(path, _)| path),
        message(first, second),
    );
    if let Some((_, span)) = marked.position() {
        diagnostic = diagnostic.at(span);
        diagnostic.label(format!("port {} is taken by {}", marked.address.port(), other.setting()));
    }
    if let Some((path, span)) = other.position() {
        diagnostic.related(RelatedSpan { path: path.to_owned(), span, label: "by this".to_owned() });
    }
    diagnostic.hint(hint(first, second));
    diagnostic
}

fn message(first: &Listener, second: &Listener) -> String {
    let ([one, other], [its, others]) = ([first.address, second.address], [first.setting(), second.setting()]);
    match (first.service == second.service, one == other) {
        (true, true) => format!("{its} names `{one}` twice"),
        (true, false) => format!("`{one}` and `{other}` in {its} need the same port"),
        (false, true) => format!("{its} and {others} need the same port: `{one}`"),
        (false, false) => format!("{its} and {others} need the same port: `{one}` and `{other}`"),
    }
}

fn hint(first: &Listener, second: &Listener) -> String {
    if [first, second].iter().any(|listener| listener.service == Service::Lab) && first.service != second.service {
        return "set another address or port in `[lab] backends`, or leave it out".to_owned();
    }
    if [first, second].iter().any(|listener| listener.service == Service::Api) && first.service != second.service {
        return "set another port for the API with `[api] listen` or `--api`".to_owned();
    }
    if first.service != second.service {
        return "DNS also listens on TCP: set another port for the admin server with `[admin] listen` or `--admin`"
            .to_owned();
    }
    let (wide, narrow) = if first.covers(second) { (first, second) } else { (second, first) };
    if wide.address == narrow.address {
        return format!("write `{}` only once", wide.address);
    }
    let kind = if wide.address.is_ipv4() { "IPv4" } else { "IPv6" };
    format!("leave out `{}`: `{}` includes every {kind} address of this machine", narrow.address, wide.address)
}

/// The listen addresses of a service: from flags, else from the file, else the default.
pub(super) fn of_service(
    service: Service,
    flags: &[SocketAddr],
    file: Option<Vec<Listener>>,
    default: &[SocketAddr],
) -> Vec<Listener> {
    let of = |addresses: &[SocketAddr], origin: Origin| {
        addresses.iter().map(|&address| Listener { address, service, origin: origin.clone() }).collect()
    };
    match file {
        _ if !flags.is_empty() => of(flags, Origin::Flag),
        Some(listeners) => listeners,
        None => of(default, Origin::Default),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(address: &str, service: Service) -> Listener {
        Listener { address: address.parse().unwrap(), service, origin: Origin::Flag }
    }

    fn dns(address: &str) -> Listener {
        listener(address, Service::Dns)
    }

    fn admin(address: &str) -> Listener {
        listener(address, Service::Admin)
    }

    #[test]
    fn two_addresses_of_one_port_are_told_from_two_that_go_together() {
        for (one, other, expected) in [
            (dns("127.0.0.1:53"), dns("127.0.0.1:53"), true),
            (dns("0.0.0.0:53"), dns("127.0.0.1:53"), true),
            (dns("127.0.0.1:53"), dns("0.0.0.0:53"), true),
            (dns("[::]:53"), dns("[::1]:53"), true),
            (dns("0.0.0.0:53"), admin("127.0.0.1:53"), true),
            (dns("127.0.0.1:53"), admin("0.0.0.0:53"), true),
            (dns("127.0.0.1:53"), admin("[::]:53"), true),
            (dns("[::1]:53"), admin("[::1]:53"), true),
            // IPv6 sockets for DNS accept only IPv6.
            (dns("[::]:53"), dns("0.0.0.0:53"), false),
            (dns("[::]:53"), dns("127.0.0.1:53"), false),
            (dns("[::]:53"), admin("127.0.0.1:53"), false),
            (dns("127.0.0.1:53"), dns("127.0.0.2:53"), false),
            (dns("0.0.0.0:53"), dns("127.0.0.1:5353"), false),
            (listener("[::]:8053", Service::Api), admin("127.0.0.1:8053"), true),
            (dns("127.0.0.1:53"), admin("127.0.0.1:8053"), false),
            // The system chooses two different ports.
            (dns("127.0.0.1:0"), dns("127.0.0.1:0"), false),
            (dns("127.0.0.1:0"), admin("127.0.0.1:0"), false),
        ] {
            let diagnostics = conflicts(&[one.clone(), other.clone()]);
            assert_eq!(!diagnostics.is_empty(), expected, "{one:?} {other:?}");
        }
    }
}
