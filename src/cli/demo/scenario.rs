//! The demo's scenario: four sites, three names, four places; and the server's files for them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use ipnet::IpNet;

/// The interval of probes: the shortest possible.
pub(super) const INTERVAL_S: u64 = 1;
/// How many results in a row change a status: Route 53's default.
pub(super) const THRESHOLD: u64 = 3;

/// The sites of the backends, in the order of their names, as their keys and their checks on the
/// screen.
pub(super) const SITES: [Site; 4] = [
    Site { name: "berlin", address: Ipv4Addr::new(127, 0, 53, 11) },
    Site { name: "dublin", address: Ipv4Addr::new(127, 0, 53, 12) },
    Site { name: "oregon", address: Ipv4Addr::new(127, 0, 53, 13) },
    Site { name: "tokyo", address: Ipv4Addr::new(127, 0, 53, 14) },
];

/// The places of the client. `[[location.network]]` gives the demo's networks their locations.
pub(super) const PLACES: [Place; 4] = [
    Place { name: "Munich", country: "DE", third: 1, nearest: "berlin" },
    Place { name: "New York", country: "US", third: 2, nearest: "oregon" },
    Place { name: "Osaka", country: "JP", third: 3, nearest: "tokyo" },
    Place { name: "Nairobi", country: "KE", third: 4, nearest: "dublin" },
];

/// The weights of berlin, dublin and oregon at first. Keys move one part in ten at a time.
pub(super) const WEIGHTS: [u8; 3] = [6, 3, 1];

/// The names, in the order in which they are shown.
pub(super) const APP: &str = "app.demo.test.";
pub(super) const SHOP: &str = "shop.demo.test.";
pub(super) const NEAR: &str = "near.demo.test.";

/// A site.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    /// Its name, also of its health check.
    pub(super) name: &'static str,
    /// The address in answers.
    pub(super) address: Ipv4Addr,
}

/// A place of the client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Its name.
    pub(super) name: &'static str,
    country: &'static str,
    third: u8,
    /// The answer of `near.demo.test` while all sites are healthy.
    pub(super) nearest: &'static str,
}

impl Place {
    /// The network of its clients.
    pub(super) fn network(self) -> IpNet {
        IpNet::new(IpAddr::V4(Ipv4Addr::new(10, 53, self.third, 0)), 24).expect("24 bits fit into an address")
    }
}

/// The settings: free ports, files in this directory, and the locations of the places.
pub(super) fn settings() -> String {
    let network = |place: &Place| {
        format!("\n[[location.network]]\ncidr = \"{}\"\ncountry = \"{}\"\n", place.network(), place.country)
    };
    let networks: String = PLACES.iter().map(network).collect();
    format!(
        "[dns]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n\n[zones]\ndirectory = \"zones\"\n\n[state]\ndirectory = \"state\"\n\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n{networks}"
    )
}

/// The zone. `endpoints` are the targets of the sites' checks.
pub(super) fn zone(weights: [u8; 3], endpoints: &[SocketAddr]) -> String {
    let mut zone = "name = \"demo.test\"\n".to_owned();
    for (site, role) in SITES.iter().zip(["primary", "secondary"]) {
        zone.push_str(&record("app", site, &format!("failover = \"{role}\"")));
    }
    for (site, weight) in SITES.iter().zip(weights) {
        zone.push_str(&record("shop", site, &format!("weight = {weight}")));
    }
    let areas = ["continent = \"EU\"", "country = \"*\"", "continent = \"NA\"", "continent = \"AS\""];
    for (site, area) in SITES.iter().zip(areas) {
        zone.push_str(&record("near", site, &format!("geolocation = {{ {area} }}")));
    }
    for (site, endpoint) in SITES.iter().zip(endpoints) {
        zone.push_str(&check(site, *endpoint));
    }
    zone
}

fn record(name: &str, site: &Site, policy: &str) -> String {
    let Site { name: site, address } = site;
    format!(
        "\n[[record]]\nname = \"{name}\"\ntype = \"A\"\nset_identifier = \"{site}\"\n{policy}\nttl = 5\n\
         values = [\"{address}\"]\nhealth_check = \"{site}\"\n"
    )
}

fn check(site: &Site, endpoint: SocketAddr) -> String {
    format!(
        "\n[[health_check]]\nname = \"{}\"\ntype = \"http\"\nip_address = \"{}\"\nport = {}\n\
         request_interval = {INTERVAL_S}\nfailure_threshold = {THRESHOLD}\n",
        site.name,
        endpoint.ip(),
        endpoint.port()
    )
}

/// Writes a file atomically: to a temporary file, which is then renamed.
pub(super) fn write(directory: &Path, name: &str, text: &str) -> std::io::Result<()> {
    let temporary = directory.join(".temporary");
    std::fs::write(&temporary, text)?;
    std::fs::rename(temporary, directory.join(name))
}

#[cfg(test)]
mod tests {
    use crate::config::{self, Settings, SourceFile};

    use super::*;

    #[test]
    fn its_files_have_no_diagnostics() {
        let file = |name: &str, text: String| SourceFile::new(name, text);
        let (settings, diagnostics) = Settings::read(&file("fiftythree.toml", settings()));
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let endpoints = [11, 12, 13, 14].map(|last| SocketAddr::from(([127, 0, 53, last], 8080)));
        for weights in [WEIGHTS, [0, 3, 7], [0, 0, 10]] {
            let zones =
                config::read_zones(&[file("demo.test.toml", zone(weights, &endpoints))], settings.as_ref().unwrap());
            assert!(zones.diagnostics.is_empty(), "{:?}", zones.diagnostics);
            assert_eq!(zones.configuration.zones.len(), 1);
        }
    }

    #[test]
    fn sites_are_in_the_order_of_their_names() {
        assert!(SITES.is_sorted_by_key(|site| site.name));
    }
}
