//! IPv4 and IPv6 on one port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use fiftythree::config::{Settings, SourceFile};
use fiftythree::query_logging::QueryLogging;
use fiftythree::serve::{BindError, Bound, Observers, ResponderSettings, TcpLimits, UdpPath};
use fiftythree::stats::Meters;
use fiftythree::world::Publisher;

use crate::server::{Transport, ask};
use crate::support;

const ZONE: &str = "name = 'lab.test'\n[[record]]\nname = 'www'\ntype = 'A'\nttl = 60\nvalues = ['192.0.2.1']\n";

/// `check` of two addresses with one port agrees with the system.
pub(crate) fn addresses_that_go_together_are_those_that_can_be_bound_together() {
    let hosts = ["127.0.0.1", "127.0.0.2", "0.0.0.0", "[::1]", "[::]"];
    let pairs = hosts.into_iter().flat_map(|one| hosts.map(|other| (one, other)));
    // With one worker the system refuses the second UDP socket, with several workers it refuses
    // TCP.
    for ((one, other), workers) in pairs.flat_map(|pair| [(pair, 1), (pair, 2)]) {
        let text = |port| format!("dns.listen = ['{one}:{port}', '{other}:{port}']\nadmin.listen = 'off'\n");
        let (settings, _) = Settings::read(&SourceFile::new("a.toml", text(1)));
        let is_accepted = settings.is_some();
        // Another program may use the port that the system selected for the first.
        let is_possible = (0..if is_accepted { 100 } else { 3 }).any(|_| {
            let first = Bound::bind(&[format!("{one}:0").parse().unwrap()], workers, UdpPath::default()).unwrap();
            let second = format!("{other}:{}", first.addresses()[0].port()).parse().unwrap();
            Bound::bind(&[second], workers, UdpPath::default()).is_ok()
        });
        assert_eq!(is_accepted, is_possible, "{one} {other} {workers} workers");
    }
}

/// Both wildcard addresses with one port that the system selected for the first; it may be in use
/// for the second.
fn bind_everywhere() -> Result<Bound, BindError> {
    let [v4, v6] = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    let port = Bound::bind(&[SocketAddr::new(v6, 0)], 2, UdpPath::default())?.addresses()[0].port();
    Bound::bind(&[SocketAddr::new(v4, port), SocketAddr::new(v6, port)], 2, UdpPath::default())
}

pub(crate) fn ipv4_and_ipv6_listen_side_by_side_on_all_addresses() {
    let (_publisher, reader) = Publisher::new(support::world("", &[ZONE.to_owned()], Vec::new()));
    let bound = (0..100).find_map(|_| bind_everywhere().ok()).unwrap();
    let port = bound.addresses()[0].port();
    let settings = ResponderSettings::default();
    let observers = Observers { meters: &Meters::default(), query_logging: &QueryLogging::default() };
    let serving = bound.serve(&reader, &settings, TcpLimits::default(), observers, 1).unwrap();
    for address in ["127.0.0.1", "127.0.0.53", "::1"] {
        let server = SocketAddr::new(address.parse().unwrap(), port);
        for transport in [Transport::Udp, Transport::Tcp] {
            assert_eq!(ask(server, "www.lab.test.", transport).addresses, ["192.0.2.1"]);
        }
    }
    serving.stop();
}
