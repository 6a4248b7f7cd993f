//! Geo databases that people publish, for example GeoIP2-City-Test.mmdb from MaxMind.

use std::fs;
use std::path::Path;
use std::time::Instant;

use fiftythree::geo::{Client, Database, DatabaseError, GeoLookup, Location};
use fiftythree::model::{Country, PrefixLength, geography};

use crate::needs::GEO_TEST_DATA;

fn location_of(geo_lookup: &GeoLookup, address: &str) -> Location {
    *Client::new(geo_lookup, address.parse().unwrap(), PrefixLength::IPV6).location()
}

/// Every location of the flattened table equals the one that the reader of the file finds.
fn check_against_the_reader(path: &Path) {
    let bytes = fs::read(path).unwrap();
    let reader = maxminddb::Reader::from_source(bytes.clone()).unwrap();
    let started = Instant::now();
    let database = match Database::from_bytes(&path.display().to_string(), bytes) {
        Ok(database) => database,
        Err(DatabaseError::OtherKind { name, kind }) => return println!("{name}: {kind} is of another kind"),
        Err(broken) => panic!("{broken}"),
    };
    let (intervals, bytes) = (database.intervals(), database.bytes());
    println!("{}: {intervals} intervals, {bytes} bytes, {:?}", database.name(), started.elapsed());
    let geo_lookup = GeoLookup::build(&[], vec![database], &[]);
    for record in reader.networks(Default::default()).unwrap().step_by(7) {
        let record = record.unwrap();
        let network = record.network().unwrap();
        let location = location_of(&geo_lookup, &network.network().to_string());
        let code = |path: &[maxminddb::PathElement<'_>]| record.decode_path::<&str>(path).ok().flatten();
        let code = code(&maxminddb::path!["country", "iso_code"]).or_else(|| code(&maxminddb::path!["country_code"]));
        let expected = code.and_then(Country::from_code).filter(|&country| geography::is_country(country));
        assert_eq!(location.country, expected, "{network}");
        assert!(location.scope.0 <= network.prefix(), "{network} {}", location.scope);
        assert_eq!(location_of(&geo_lookup, &network.broadcast().to_string()).country, expected, "{network}");
    }
}

pub(crate) fn real_databases_are_read_as_their_own_reader_does() {
    let directory = std::env::var_os(GEO_TEST_DATA).unwrap();
    let mut databases = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "mmdb") {
            check_against_the_reader(&path);
            databases += 1;
        }
    }
    assert!(databases > 0, "no .mmdb file in the directory that {GEO_TEST_DATA} names");
}
