//! Crowds are where they should be, and get what their shares say.

use super::population::EmptyPopulation;
use super::*;
use crate::answer::fixture::{lab, member, set, world};
use crate::config::ClientPlace;

fn place(name: &str, weight: u32, networks: &[&str]) -> ClientPlace {
    ClientPlace { name: name.to_owned(), weight, networks: networks.iter().map(|text| text.parse().unwrap()).collect() }
}

#[test]
fn clients_come_by_weight_and_from_their_networks() {
    let places =
        [place("a", 3, &["192.0.2.0/24"]), place("b", 1, &["198.51.100.0/25", "2001:db8::/48", "10.0.0.0/30"])];
    let population = Population::of_places(&places).unwrap();
    let mut counts = [0; 2];
    let mut six = 0;
    for client in 0..10_000 {
        let (place, address) = population.client(client, 53);
        assert!(places[place].networks.iter().any(|network| network.contains(&address)), "{address}");
        assert_eq!(population.client(client, 53), (place, address));
        counts[place] += 1;
        six += u32::from(address.is_ipv6());
    }
    // Five standard deviations of 7500 are 217; the /48 has 256 households beside 132 addresses.
    assert!((7283..7717).contains(&counts[0]), "{counts:?}");
    assert!((1400..1900).contains(&six), "{six}");
    assert_eq!(Population::of_places(&[]).unwrap_err(), EmptyPopulation);
}

/// The shares of countries do not depend on how many networks are kept.
#[test]
fn clients_of_a_database_come_by_country_also_from_few_of_its_networks() {
    let mut writer = mmdb_writer::Writer::new("Test-Country");
    let mut insert = |network: String, country: &str| {
        let value = mmdb_writer::Value::map([("country_code", mmdb_writer::Value::from(country))]);
        writer.insert_value(network.parse::<ipnet::IpNet>().unwrap(), value).unwrap();
    };
    // Every second network, so that they are not joined: 64 000 addresses in France, 256 in Japan.
    (0..250).for_each(|at| insert(format!("20.{}.{}.0/24", at / 100, at % 100 * 2), "FR"));
    insert("20.9.1.0/24".to_owned(), "JP");
    let database = crate::geo::Database::from_bytes("test.mmdb", writer.to_bytes().unwrap()).unwrap();
    for most_ranges in [usize::MAX, 8] {
        let population = Population::of_databases(std::slice::from_ref(&database), most_ranges).unwrap();
        assert_eq!(population.places(), ["FR", "JP"]);
        let mut networks = [HashSet::new(), HashSet::new()];
        let mut counts = [0; 2];
        for client in 0..50_000 {
            let (place, address) = population.client(client, 53);
            counts[place] += 1;
            let IpAddr::V4(address) = address else { panic!("{address}") };
            networks[place].insert(address.octets()[..3].to_vec());
        }
        let [in_france, in_japan] = networks.map(|networks| networks.len());
        assert_eq!(in_japan, 1);
        assert!(if most_ranges == 8 { in_france <= 8 } else { in_france == 250 }, "{in_france}");
        // Five standard deviations of 199 are 70.
        assert!((129..269).contains(&counts[1]), "{counts:?}");
    }
}

#[test]
fn what_clients_get_is_counted_by_place() {
    let zone = lab([
        member("one", RoutingPolicy::Weighted { weight: 3 }, Some(1), "w 60 A 192.0.2.1"),
        member("two", RoutingPolicy::Weighted { weight: 1 }, Some(2), "w 60 A 192.0.2.2"),
        set("top ALIAS A w"),
    ]);
    let world = world(std::slice::from_ref(&zone), &[]);
    let hosted = Arc::new(zone);
    let population =
        Population::of_places(&[place("a", 1, &["192.0.2.0/24"]), place("b", 1, &["10.0.0.0/8"])]).unwrap();
    let subject = |labels: &str| Subject { name: crate::answer::fixture::name(labels), record_type: RecordType::A };
    let subjects = [subject("w"), subject("top"), subject("gone")];
    let simulate =
        |clients| simulate(&world, &|_| Ok(Arc::clone(&hosted)), &subjects, &population, clients, 7).unwrap();
    let whole = simulate(0..8000);
    for asked in [0, 1] {
        let counts: Vec<(Option<String>, u64)> = whole
            .of(asked)
            .map(|(outcome, counts)| match outcome {
                Outcome::Records(_, _, id, _) => (id.clone(), counts.iter().sum()),
                Outcome::Nothing => (None, counts.iter().sum()),
            })
            .collect();
        assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), 8000);
        // Five standard deviations of 6000 are 194.
        assert!(counts[0].0.as_deref() == Some("one") && (5806..6194).contains(&counts[0].1), "{counts:?}");
        assert!(whole.of(asked).all(|(_, counts)| counts.iter().all(|count| *count > 0)));
    }
    assert_eq!(whole.of(2).map(|(outcome, _)| outcome).collect::<Vec<_>>(), [&Outcome::Nothing]);
    let mut parts = simulate(0..3000);
    parts.merge(simulate(3000..8000));
    assert_eq!(parts, whole);
}

#[test]
fn names_with_policies_are_those_that_policies_decide() {
    let zone = lab([
        set("www 60 A 192.0.2.1"),
        set("@ ALIAS A lone"),
        member("c", RoutingPolicy::Weighted { weight: 1 }, None, "lone 60 A 192.0.2.3"),
        member("a", RoutingPolicy::Weighted { weight: 1 }, None, "top ALIAS A inner"),
        member("b", RoutingPolicy::Weighted { weight: 1 }, None, "inner 60 A 192.0.2.2"),
    ]);
    let subjects = names_with_policies([&zone]);
    assert_eq!(
        subjects.iter().map(|subject| subject.name.to_string()).collect::<Vec<_>>(),
        ["lone.lab.test.", "top.lab.test."]
    );
}
