//! The resolver configuration of the machine: its `hosts` file and `resolv.conf`.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::path::PathBuf;
use std::time::SystemTime;

use crate::model::AddressFamily;

/// resolv.conf(5): further `nameserver` lines are ignored (MAXNS).
const MOST_NAME_SERVERS: usize = 3;
/// resolv.conf(5): a larger `ndots` counts as this.
const MOST_DOTS: usize = 15;
/// Each costs a query for every lookup of a short name; the C library has no limit.
const MOST_SEARCH_DOMAINS: usize = 32;

/// The paths of the two files, and the port of name servers.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    pub(super) resolv_conf: PathBuf,
    pub(super) hosts: PathBuf,
    pub(super) port: u16,
}

/// The name servers to query, and the rules for short names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ResolvConf {
    pub(super) name_servers: Vec<SocketAddr>,
    search: Vec<String>,
    ndots: usize,
}

/// The addresses of the `hosts` file, by name in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hosts(HashMap<String, Vec<IpAddr>>);

/// Modification time and size of both files; they differ after an edit.
pub(super) type Fingerprint = [Option<(SystemTime, u64)>; 2];

impl Default for Sources {
    fn default() -> Sources {
        Sources { resolv_conf: "/etc/resolv.conf".into(), hosts: "/etc/hosts".into(), port: 53 }
    }
}

impl Sources {
    /// The present state of both files. Follows links: `resolv.conf` often is one.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        [&self.resolv_conf, &self.hosts].map(|path| {
            let file = fs::metadata(path).ok()?;
            Some((file.modified().ok()?, file.len()))
        })
    }

    /// Reads both files. A missing file counts as empty, as for getaddrinfo.
    pub(super) fn read(&self) -> (ResolvConf, Hosts) {
        let text = |path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let resolv_conf = ResolvConf::parse(&text(&self.resolv_conf), hostname.trim(), self.port);
        (resolv_conf, Hosts::parse(&text(&self.hosts)))
    }
}

impl ResolvConf {
    /// Parses `nameserver`, `search`, `domain` and `options ndots:` of resolv.conf(5).
    fn parse(text: &str, hostname: &str, port: u16) -> ResolvConf {
        // Without `search` and `domain`, the domain of the host name is searched.
        let mut search: Vec<String> =
            hostname.split_once('.').map(|(_, domain)| domain.to_owned()).into_iter().collect();
        let (mut name_servers, mut ndots) = (Vec::new(), 1);
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => name_servers.extend(words.next().and_then(|word| name_server(word, port))),
                // The last of several such lines applies.
                Some("search") => search = words.map(str::to_owned).collect(),
                Some("domain") => search = words.next().map(str::to_owned).into_iter().collect(),
                Some("options") => {
                    let dots = words.filter_map(|word| word.strip_prefix("ndots:")?.parse().ok()).next_back();
                    ndots = dots.unwrap_or(ndots).min(MOST_DOTS);
                }
                _ => {}
            }
        }
        name_servers.truncate(MOST_NAME_SERVERS);
        search.truncate(MOST_SEARCH_DOMAINS);
        if name_servers.is_empty() {
            name_servers.push((Ipv4Addr::LOCALHOST, port).into());
        }
        ResolvConf { name_servers, search, ndots }
    }

    /// The absolute names to try in order, as getaddrinfo does. A name that ends in a dot is
    /// absolute; one with at least `ndots` dots is tried as it is before the search domains, others
    /// after them.
    pub(super) fn candidates(&self, name: &str) -> Vec<String> {
        if name.ends_with('.') {
            return vec![name.to_owned()];
        }
        let absolute = format!("{name}.");
        let searched = self.search.iter().map(|domain| domain.trim_matches('.')).map(|domain| match domain {
            "" => absolute.clone(),
            _ => format!("{name}.{domain}."),
        });
        let mut names: Vec<String> = if name.matches('.').count() >= self.ndots {
            std::iter::once(absolute.clone()).chain(searched).collect()
        } else {
            searched.chain(std::iter::once(absolute.clone())).collect()
        };
        let mut seen = Vec::new();
        names.retain(|name| {
            !seen.contains(name) && {
                seen.push(name.clone());
                true
            }
        });
        names
    }
}

/// An IP address; a link-local one with its interface, by name or number: `fe80::1%eth0`.
fn name_server(word: &str, port: u16) -> Option<SocketAddr> {
    let Some((address, interface)) = word.split_once('%') else {
        return Some((word.parse::<IpAddr>().ok()?, port).into());
    };
    let by_name = || fs::read_to_string(format!("/sys/class/net/{interface}/ifindex")).ok()?.trim().parse().ok();
    let scope = interface.parse().ok().or_else(by_name)?;
    Some(SocketAddrV6::new(address.parse::<Ipv6Addr>().ok()?, port, 0, scope).into())
}

impl Hosts {
    /// Each line is an address and its names; `#` starts a comment (hosts(5)).
    fn parse(text: &str) -> Hosts {
        let mut hosts: HashMap<String, Vec<IpAddr>> = HashMap::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(address) = words.next().and_then(|word| word.parse().ok()) else { continue };
            for name in words {
                hosts.entry(name.trim_end_matches('.').to_ascii_lowercase()).or_default().push(address);
            }
        }
        Hosts(hosts)
    }

    /// The first address of a name, or `None` if DNS has to be queried. `localhost` and names below
    /// it never are (RFC 6761 section 6.3).
    pub(super) fn address(&self, name: &str, family: AddressFamily) -> Option<IpAddr> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let listed =
            self.0.get(&name).and_then(|addresses| addresses.iter().copied().find(|address| is(address, family)));
        listed.or_else(|| {
            let is_localhost = name == "localhost" || name.ends_with(".localhost");
            is_localhost.then_some(match family {
                AddressFamily::Ipv4 => Ipv4Addr::LOCALHOST.into(),
                AddressFamily::Ipv6 => Ipv6Addr::LOCALHOST.into(),
            })
        })
    }
}

/// Whether an address is of a family.
pub(super) fn is(address: &IpAddr, family: AddressFamily) -> bool {
    match family {
        AddressFamily::Ipv4 => address.is_ipv4(),
        AddressFamily::Ipv6 => address.is_ipv6(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AddressFamily::{Ipv4, Ipv6};

    fn parse(text: &str) -> ResolvConf {
        ResolvConf::parse(text, "machine", 53)
    }

    #[test]
    fn resolv_conf_reads_as_the_c_library_reads_it() {
        let servers = |text: &str| parse(text).name_servers.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(servers(""), ["127.0.0.1:53"]);
        assert_eq!(servers("nameserver nonsense\n# nameserver 192.0.2.9\n;nameserver 192.0.2.9"), ["127.0.0.1:53"]);
        let many = "nameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver\t192.0.2.3 \nnameserver 192.0.2.4";
        assert_eq!(servers(many), ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.3:53"]);
        assert_eq!(servers("nameserver fe80::1%7"), ["[fe80::1%7]:53"]);
        assert_eq!(parse("options ndots:99 timeout:1\noptions edns0").ndots, MOST_DOTS);
        // Docker's, systemd's and Kubernetes' own.
        let docker = parse("nameserver 127.0.0.11\nsearch .\noptions edns0 trust-ad ndots:0");
        assert_eq!((docker.name_servers[0].to_string().as_str(), docker.ndots), ("127.0.0.11:53", 0));
        assert_eq!(docker.candidates("web"), ["web."]);
        let kubernetes = parse("search a.svc.cluster.local svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:5");
        let expected = ["web.b.a.svc.cluster.local.", "web.b.svc.cluster.local.", "web.b."];
        assert_eq!(kubernetes.candidates("web.b"), expected);
    }

    #[test]
    fn short_names_are_searched_and_absolute_ones_are_not() {
        let conf = parse("domain old.test\nsearch lab.test corp.test\n");
        assert_eq!(conf.candidates("web"), ["web.lab.test.", "web.corp.test.", "web."]);
        assert_eq!(conf.candidates("web.site"), ["web.site.", "web.site.lab.test.", "web.site.corp.test."]);
        assert_eq!(conf.candidates("web."), ["web."]);
        assert_eq!(parse("search a.test\ndomain b.test").candidates("web"), ["web.b.test.", "web."]);
        assert_eq!(parse("").candidates("web"), ["web."]);
        assert_eq!(ResolvConf::parse("", "machine.lab.test", 53).candidates("web"), ["web.lab.test.", "web."]);
    }

    #[test]
    fn the_hosts_file_comes_first_and_localhost_needs_none() {
        let text =
            "127.0.0.1 localhost\n192.0.2.1 Web web.lab.test. # 192.0.2.9 not\n\n2001:db8::1 web\n192.0.2.2\tweb\nx y";
        let hosts = Hosts::parse(text);
        let address = |name, family| hosts.address(name, family).map(|address| address.to_string());
        assert_eq!(address("WEB", Ipv4).as_deref(), Some("192.0.2.1"));
        assert_eq!(address("web", Ipv6).as_deref(), Some("2001:db8::1"));
        assert_eq!(address("web.lab.test", Ipv4).as_deref(), Some("192.0.2.1"));
        assert_eq!(address("web.lab.test", Ipv6), None);
        assert_eq!(address("not", Ipv4), None);
        assert_eq!(Hosts::default().address("localhost.", Ipv6).unwrap().to_string(), "::1");
        assert_eq!(Hosts::default().address("app.localhost", Ipv4).unwrap().to_string(), "127.0.0.1");
    }
}
