//! The simulated clients: those whose places are known (networks, VPCs and CIDR locations) and one
//! network of others, or those of the geo databases.

use ipnet::IpNet;

use crate::config::{ClientPlace, Settings};
use crate::load::LoadedConfig;
use crate::model::{CidrCollection, LatencyClients, LocationNetwork};
use crate::simulate::Population;

/// The most places. With more, the queries that a running server spends on a plan would not be
/// enough for ten names.
const MOST_PLACES: usize = 500;
/// Networks for documentation (RFC 5737): the first that is in no known place has the other
/// clients.
const OTHERS: [&str; 3] = ["203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24"];

/// The most networks of a geo database that clients are in: about 11 MB. A running server must not
/// need the memory of its databases twice.
const MOST_RANGES: usize = 1 << 18;

/// The clients of the geo databases in force, by country; `None` without a database.
pub(crate) fn clients_of_databases(config: &LoadedConfig) -> Option<Population> {
    Population::of_databases(config.geo_lookup.databases(), MOST_RANGES).ok()
}

/// The places of clients that a configuration knows. Each has as many clients as any other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KnownClients(Vec<ClientPlace>);

impl KnownClients {
    /// The places of these settings and collections.
    pub(crate) fn of<'c>(
        settings: &Settings,
        collections: impl IntoIterator<Item = &'c CidrCollection>,
    ) -> KnownClients {
        let mut known = KnownClients(Vec::new());
        for network in &settings.location.networks {
            known.add(name_of(network), &[network.cidr]);
        }
        for vpc in &settings.vpcs {
            known.add(format!("{} ({})", vpc.id.0, vpc.region), &vpc.cidrs);
        }
        for row in &settings.location.latency {
            if let LatencyClients::Cidr(cidr) = &row.clients {
                known.add(cidr.to_string(), &[*cidr]);
            }
        }
        for collection in collections {
            for (location, blocks) in &collection.locations {
                known.add(format!("{} {location}", collection.name), blocks);
            }
        }
        known.add_others();
        known
    }

    /// The clients of the places.
    pub(crate) fn population(&self) -> Population {
        Population::of_places(&self.0).expect("there is at least the place of the others, of weight 1")
    }

    /// A network is in one place only.
    fn add(&mut self, name: String, networks: &[IpNet]) {
        let is_new = |network: &&IpNet| !self.0.iter().any(|place| place.networks.contains(network));
        let networks: Vec<IpNet> = networks.iter().filter(is_new).copied().collect();
        if !networks.is_empty() && self.0.len() < MOST_PLACES {
            self.0.push(ClientPlace { name, weight: 1, networks });
        }
    }

    fn add_others(&mut self) {
        let is_free = |network: &IpNet| {
            let overlaps = |other: &IpNet| other.contains(network) || network.contains(other);
            !self.0.iter().flat_map(|place| &place.networks).any(overlaps)
        };
        let candidates = OTHERS.iter().map(|network| network.parse().expect("a network"));
        let networks = candidates.clone().find(is_free).or_else(|| candidates.clone().next());
        let name = if self.0.is_empty() { "all clients" } else { "other clients" };
        self.0.push(ClientPlace { name: name.to_owned(), weight: 1, networks: networks.into_iter().collect() });
    }
}

/// For example `10.53.1.0/24 (US-CA, us-west-1)`.
fn name_of(network: &LocationNetwork) -> String {
    let LocationNetwork { cidr, country, subdivision, region, .. } = network;
    let country = country.map(|country| match subdivision {
        Some(subdivision) => format!("{country}-{subdivision}"),
        None => country.to_string(),
    });
    let words: Vec<String> = country.into_iter().chain(region.map(|region| region.to_string())).collect();
    if words.is_empty() { cidr.to_string() } else { format!("{cidr} ({})", words.join(", ")) }
}
