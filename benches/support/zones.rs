//! Zone files: one with every policy and any number of members, and plain ones of any size.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// The name of the zone with all policies.
pub(crate) const ZONE: &str = "bench.test";

/// Every policy under a name of its own, three members each, eight values where there is one
/// record: name and what it shows.
pub(crate) const POLICIES: [(&str, &str); 12] = [
    ("www", "simple"),
    ("www8", "simple, 8 values"),
    ("weighted", "weighted"),
    ("failover", "failover"),
    ("latency", "latency"),
    ("geolocation", "geolocation"),
    ("geoproximity", "geoproximity"),
    ("multivalue", "multivalue"),
    ("multivalue8", "multivalue, 8 records"),
    ("cidr", "IP-based"),
    ("alias", "alias to alias to weighted"),
    ("tree", "latency over weighted"),
];

/// Those that depend on the location of the client.
pub(crate) const BY_PLACE: [&str; 5] = ["latency", "geolocation", "geoproximity", "cidr", "tree"];

/// Networks in the collection of [`large_collection`]: about as many as a country has.
pub(crate) const COLLECTION_NETWORKS: u32 = 100_011;
const LOCATIONS: u32 = 100;
/// A /20 for each sixteen /24 in it.
const WIDE: u32 = COLLECTION_NETWORKS / 17;

/// Groups `g0`, `g1`… with a member for each of the hundred locations of one collection of
/// [`COLLECTION_NETWORKS`].
pub(crate) fn large_collection(groups: u32) -> String {
    let mut zone = head(ZONE);
    let mut locations = vec![String::new(); LOCATIONS as usize];
    for number in 0..WIDE * 16 {
        let _ = write!(locations[(number % LOCATIONS) as usize], "'{}/24',", collection_network(number));
    }
    for number in 0..WIDE {
        let _ = write!(locations[(number % LOCATIONS) as usize], "'{}/20',", collection_network(number * 16));
    }
    zone += "[[cidr_collection]]\nname = 'offices'\n[cidr_collection.locations]\n";
    (0..).zip(&locations).for_each(|(number, blocks): (u32, _)| {
        let _ = writeln!(zone, "l{number} = [{blocks}]");
    });
    for (group, location) in (0..groups).flat_map(|group| (0..LOCATIONS).map(move |location| (group, location))) {
        let more =
            format!("set_identifier = 'm{location}'\ncidr = {{ collection = 'offices', location = 'l{location}' }}\n");
        zone += &address(&format!("g{group}"), &more, &format!("10.{group}.{location}.1"));
    }
    zone
}

/// The /24 of that number in the collection.
pub(crate) fn collection_network(number: u32) -> Ipv4Addr {
    Ipv4Addr::from((1 << 24) + (number << 8))
}

/// Each policy in a zone with its own name server, and `names` plain addresses `h0`, `h1`…. Every
/// member with a check has one that a person sets, so that nothing is probed.
pub(crate) fn every_policy(names: u32) -> String {
    let mut zone = head(ZONE);
    zone += "[[cidr_collection]]\nname = 'offices'\nlocations = { one = ['10.0.0.0/8', '192.0.2.0/24'], \
             two = ['127.0.0.0/8', '198.51.100.0/24'] }\n";
    zone += &address("www", "", "192.0.2.1");
    let eight: Vec<String> = (1..=8).map(|host| format!("'192.0.2.{host}'")).collect();
    let _ = write!(zone, "[[record]]\nname = 'www8'\ntype = 'A'\nttl = 60\nvalues = [{}]\n", eight.join(", "));
    let members = |zone: &mut String, name: &str, policies: &[&str]| {
        for (number, policy) in (1..).zip(policies) {
            let more = format!("set_identifier = 'm{number:03}'\n{policy}\nhealth_check = 'up'\n");
            *zone += &address(name, &more, &format!("192.0.2.{number}"));
        }
    };
    members(&mut zone, "weighted", &["weight = 10", "weight = 20", "weight = 30"]);
    members(&mut zone, "failover", &["failover = 'primary'", "failover = 'secondary'"]);
    let regions = ["region = 'eu-central-1'", "region = 'us-west-2'", "region = 'ap-southeast-1'"];
    members(&mut zone, "latency", &regions);
    let areas = [
        "geolocation = { country = '*' }",
        "geolocation = { continent = 'EU' }",
        "geolocation = { country = 'US' }",
        "geolocation = { country = 'US', subdivision = 'CA' }",
        "geolocation = { country = 'JP' }",
    ];
    members(&mut zone, "geolocation", &areas);
    let spots = [
        "geoproximity = { region = 'eu-central-1' }",
        "geoproximity = { region = 'us-west-2', bias = 10 }",
        "geoproximity = { coordinates = { latitude = 35.68, longitude = 139.69 } }",
    ];
    members(&mut zone, "geoproximity", &spots);
    members(&mut zone, "multivalue", &["multivalue = true"; 3]);
    members(&mut zone, "multivalue8", &["multivalue = true"; 8]);
    let locations = [
        "cidr = { collection = 'offices', location = '*' }",
        "cidr = { collection = 'offices', location = 'one' }",
        "cidr = { collection = 'offices', location = 'two' }",
    ];
    members(&mut zone, "cidr", &locations);
    zone += &alias("alias", "", "alias2");
    zone += &alias("alias2", "", "weighted");
    for (number, region) in (1..).zip(regions) {
        zone += &alias("tree", &format!("set_identifier = 'm{number}'\n{region}\n"), "weighted");
    }
    zone += "[[health_check]]\nname = 'up'\ntype = 'manual'\nstatus = 'healthy'\n";
    zone += &address("*.wild", "", "192.0.2.60");
    zone += "[[record]]\nname = 'docs'\ntype = 'CNAME'\nttl = 60\nvalues = ['www.bench.test.']\n";
    zone += "[[record]]\nname = 'child'\ntype = 'NS'\nttl = 60\nvalues = ['ns1.child.bench.test.']\n";
    zone += &address("ns1.child", "", "192.0.2.70");
    zone += &plain_names(names);
    zone
}

/// A zone with plain addresses only.
pub(crate) fn plain(name: &str, names: u32) -> String {
    head(name) + &plain_names(names)
}

/// The name, SOA and NS of a zone, and the address of its name server, as in the zones of the other
/// servers.
fn head(zone: &str) -> String {
    format!(
        "name = '{zone}'\n[[record]]\nname = '@'\ntype = 'SOA'\nttl = 300\n\
         values = ['ns1.{zone}. host.{zone}. 1 7200 900 1209600 300']\n\
         [[record]]\nname = '@'\ntype = 'NS'\nttl = 300\nvalues = ['ns1.{zone}.']\n"
    ) + &address("ns1", "", "192.0.2.1")
}

fn plain_names(names: u32) -> String {
    (0..names)
        .map(|number| {
            let [_, b, c, d] = number.to_be_bytes();
            address(&format!("h{number}"), "", &format!("10.{b}.{c}.{d}"))
        })
        .collect()
}

fn address(name: &str, more: &str, value: &str) -> String {
    format!("[[record]]\nname = '{name}'\ntype = 'A'\nttl = 60\n{more}values = ['{value}']\n")
}

fn alias(name: &str, more: &str, target: &str) -> String {
    format!(
        "[[record]]\nname = '{name}'\ntype = 'A'\n{more}alias = {{ target = '{target}', evaluate_target_health = true }}\n"
    )
}

/// One more name in the zone before it, with another value each time.
pub(crate) fn one_more(name: &str, turn: u32) -> String {
    let [_, b, c, d] = turn.to_be_bytes();
    address(name, "", &format!("10.{b}.{c}.{d}"))
}

/// A failover pair whose primary has a TCP check every second, at this address, that flips at the
/// first result.
pub(crate) fn checked(number: u16, (at, port): (std::net::IpAddr, u16)) -> String {
    let name = format!("c{number}");
    let primary = format!("set_identifier = 'a'\nfailover = 'primary'\nhealth_check = '{name}'\n");
    address(&name, &primary, "192.0.2.1")
        + &address(&name, "set_identifier = 'b'\nfailover = 'secondary'\n", "192.0.2.2")
        + &format!(
            "[[health_check]]\nname = '{name}'\ntype = 'tcp'\nip_address = '{at}'\nport = {port}\nrequest_interval = 1\n\
             failure_threshold = 1\n"
        )
}
