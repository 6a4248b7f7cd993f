//! Shared by benches and performance tests: worlds from zone files, packets, a database as large as
//! a city database.

#![allow(dead_code)] // each takes what it needs

pub(crate) mod city;
pub(crate) mod cluster;
pub(crate) mod zones;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use fiftythree::config::{self, Settings, SourceFile};
use fiftythree::geo::{Database, GeoLookup};
use fiftythree::health::{Timestamp, Tracker};
use fiftythree::policy::CidrTables;
use fiftythree::serve::{Received, Requestor, Responder, ResponderSettings};
use fiftythree::world::{Catalog, ServedZone, World};
use fiftythree::zonetree::Zone;

/// The default client.
pub(crate) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// A packet from the default client over UDP.
pub(crate) fn received(packet: &[u8]) -> Received<'_> {
    Received::new(packet, Requestor::at(LOOPBACK), Timestamp::default())
}

/// QTYPE A.
pub(crate) const TYPE_A: u16 = 1;
/// QTYPE AAAA.
pub(crate) const TYPE_AAAA: u16 = 28;

/// The world of these zone files and settings, with everything healthy.
pub(crate) fn world(settings: &str, zones: &[String], databases: Vec<Database>) -> World {
    let settings = Settings::read(&source("config/fiftythree.toml", settings)).0.expect("the settings are right");
    let files: Vec<_> =
        zones.iter().enumerate().map(|(number, text)| source(&format!("zones/{number}.toml"), text)).collect();
    let read = config::read_zones(&files, &settings);
    let configuration = read.configuration;
    assert_eq!(
        configuration.zones.len(),
        zones.len(),
        "every file holds a zone without faults: {:?}",
        read.diagnostics
    );
    let mut tracker = Tracker::new();
    tracker.apply(&configuration.health_checks, Timestamp::default());
    let slot_of = |id: &_| tracker.slot_of(id);
    let tables = CidrTables::build(&configuration.cidr_collections);
    let compile = |zone| Arc::new(Zone::compile(zone, &slot_of, &tables));
    let served: Vec<_> = configuration
        .zones
        .iter()
        .map(|zone| ServedZone { zone: compile(&zone.zone), vpcs: zone.zone.vpcs.clone() })
        .collect();
    let geo_lookup = GeoLookup::build(&settings.location.networks, databases, &settings.location.latency);
    World::new(Arc::new(Catalog::build(&served, &settings.vpcs)), &tracker.bits(), Arc::new(geo_lookup))
}

fn source(path: &str, text: &str) -> SourceFile {
    SourceFile::new(path, text)
}

/// A responder with default settings.
pub(crate) fn responder() -> Responder {
    let settings = ResponderSettings::default();
    Responder::new(settings, 53)
}

/// A query with EDNS, and a client subnet if there is a client: /24 for IPv4, /56 for IPv6 (as RFC
/// 7871 section 11.1 advises resolvers).
pub(crate) fn query(name: &str, record_type: u16, client: Option<IpAddr>) -> Vec<u8> {
    let mut packet = vec![0x53, 0x53, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).expect("a label is short"));
        packet.extend(label.as_bytes());
    }
    packet.push(0);
    packet.extend([record_type, 1].map(u16::to_be_bytes).concat());
    // OPT: root, type 41, 1232 octets, no flags; then option 8 (RFC 7871 section 6): family, source
    // prefix, scope, address.
    packet.extend([0, 0, 41, 4, 208, 0, 0, 0, 0]);
    match client {
        Some(IpAddr::V4(address)) => {
            packet.extend([0, 11, 0, 8, 0, 7, 0, 1, 24, 0]);
            packet.extend(&address.octets()[..3]);
        }
        Some(IpAddr::V6(address)) => {
            packet.extend([0, 15, 0, 8, 0, 11, 0, 2, 56, 0]);
            packet.extend(&address.octets()[..7]);
        }
        None => packet.extend([0, 0]),
    }
    packet
}
