//! What plans say about small zones.

use std::path::Path;

use super::*;
use crate::health::{Timestamp, Tracker};
use crate::load::{Loaded, Scope, differences, load_offline};
use crate::store::{Overrides, SettingsSource};

const SETTINGS: &str = "[[location.network]]\ncidr = '192.0.2.0/25'\ncountry = 'DE'\n[[location.network]]\ncidr = \
                        '198.51.100.0/24'\ncountry = 'US'\n";

const ZONE: &str = "name = 'lab.test'
[[record]]
name = 'www'
type = 'A'
ttl = 60
values = ['192.0.2.1']
[[record]]
name = '@'
type = 'A'
alias = { target = 'www', evaluate_target_health = false }
[[record]]
name = 'cname'
type = 'CNAME'
ttl = 60
values = ['www.lab.test.']
[[record]]
name = '*.wild'
type = 'A'
ttl = 60
values = ['192.0.2.3']
[[record]]
name = 'geo'
type = 'A'
set_identifier = 'de'
geolocation = { country = 'DE' }
ttl = 60
values = ['192.0.2.4']
[[record]]
name = 'geo'
type = 'A'
set_identifier = 'rest'
geolocation = { country = '*' }
ttl = 60
values = ['192.0.2.5']
";

fn load(directory: &Path, zone: &str) -> Loaded {
    let zones = directory.join("zones");
    std::fs::create_dir_all(&zones).unwrap();
    std::fs::write(zones.join("lab.test.toml"), zone).unwrap();
    std::fs::write(directory.join("fiftythree.toml"), format!("[zones]\ndirectory = 'zones'\n{SETTINGS}")).unwrap();
    let settings = SettingsSource { file: Some(directory.join("fiftythree.toml")), overrides: Overrides::default() };
    load_offline(&settings, &[], Scope::Everything).unwrap_or_else(|refused| panic!("{refused}"))
}

fn world(loaded: &Loaded) -> World {
    let mut tracker = Tracker::new();
    tracker.apply(&loaded.base.checks, Timestamp::default());
    World::new(loaded.catalog.clone(), &tracker.bits(), loaded.base.geo_lookup.clone())
}

/// The plan for a zone in the place of [`ZONE`].
fn plan(zone: &str) -> Plan {
    plan_between(ZONE, zone)
}

/// The plan for one text of a zone in the place of another.
fn plan_between(before: &str, after: &str) -> Plan {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (old, new) = (load(directories[0].path(), before), load(directories[1].path(), after));
    let changes = differences(&old.base, &new.base);
    let worlds = [world(&old), world(&new)];
    let clients = KnownClients::of(&new.base.settings, new.base.cidr_collections());
    let before = Side { config: &old.base, world: &worlds[0] };
    let after = Side { config: &new.base, world: &worlds[1] };
    Plan::of(before, after, &changes, &clients.population(), 100_000).unwrap()
}

fn answers(plan: &Plan) -> Vec<String> {
    let of = |shares: &[RecordShare]| {
        let of = |share: &RecordShare| format!("{} {}", share.values.join(","), share.percent);
        shares.iter().map(of).collect::<Vec<_>>().join("; ")
    };
    let lines = plan.answers.iter().flat_map(|answers| {
        let line = move |one: &ClientAnswers| {
            let places = if one.is_everywhere { "all".to_owned() } else { one.places.join(", ") };
            format!("{} {} {places}: {} → {}", answers.name, answers.record_type, of(&one.before), of(&one.after))
        };
        answers.clients.iter().map(line)
    });
    lines.collect()
}

#[test]
fn the_same_zone_is_nothing_to_do() {
    let plan = plan(ZONE);
    assert!(plan.is_empty(), "{plan:?}");
    assert_eq!(plan.answers, []);
}

#[test]
fn names_that_lead_to_a_changed_record_set_change_too() {
    let plan = plan(&ZONE.replace("192.0.2.1'", "192.0.2.9'").replace("192.0.2.3", "192.0.2.8"));
    let parts: Vec<_> = plan.changes[0].parts.iter().map(|part| (&*part.change, &*part.what)).collect();
    assert_eq!(parts, [("changed", "www.lab.test. A"), ("changed", "\\052.wild.lab.test. A")]);
    let mut answers = answers(&plan);
    answers.sort();
    assert_eq!(
        answers,
        [
            "\\052.wild.lab.test. A all: 192.0.2.3 100 → 192.0.2.8 100",
            "cname.lab.test. A all: 192.0.2.1 100 → 192.0.2.9 100",
            "lab.test. A all: 192.0.2.1 100 → 192.0.2.9 100",
            "www.lab.test. A all: 192.0.2.1 100 → 192.0.2.9 100",
        ]
    );
}

#[test]
fn only_the_clients_that_get_something_else_are_listed() {
    let plan = plan(&ZONE.replace("192.0.2.4", "192.0.2.7"));
    assert_eq!(answers(&plan), ["geo.lab.test. A 192.0.2.0/25 (DE): 192.0.2.4 100 → 192.0.2.7 100"]);
    assert_eq!(plan.places, ["192.0.2.0/25 (DE)", "198.51.100.0/24 (US)", "other clients"]);
}

/// Each client has the same random number before and after.
#[test]
fn another_weight_changes_the_shares_of_all_clients() {
    let member = |identifier: &str, weight: u8, address: &str| {
        format!(
            "[[record]]\nname = 'app'\ntype = 'A'\nset_identifier = '{identifier}'\nweight = {weight}\nttl = 60\n\
             values = ['{address}']\n"
        )
    };
    let green = member("green", 1, "192.0.2.12");
    let zone = |blue: u8| format!("{ZONE}{}{green}", member("blue", blue, "192.0.2.11"));
    let plan = plan_between(&zone(1), &zone(3));
    assert_eq!(plan.changes[0].parts.len(), 1, "{plan:?}");
    let [PlannedAnswers { name, clients, .. }] = &plan.answers[..] else { panic!("{plan:?}") };
    let [ClientAnswers { is_everywhere: true, before, after, .. }] = &clients[..] else { panic!("{plan:?}") };
    assert_eq!(name, "app.lab.test.");
    for (shares, expected) in [(before, [("blue", 50.0), ("green", 50.0)]), (after, [("blue", 75.0), ("green", 25.0)])]
    {
        assert_eq!(shares.len(), 2, "{plan:?}");
        for (identifier, percent) in expected {
            let share = shares.iter().find(|share| share.set_identifier.as_deref() == Some(identifier)).unwrap();
            assert!((share.percent - percent).abs() < 4.0, "{plan:?}");
        }
    }
    // A weight of 0 gets no client while another has one.
    let plan = plan_between(&zone(1), &zone(0));
    let after = &plan.answers[0].clients[0].after;
    assert_eq!((after.len(), after[0].set_identifier.as_deref(), after[0].percent), (1, Some("green"), 100.0));
}

#[test]
fn a_change_that_no_client_sees_is_one() {
    let plan = plan(
        &ZONE.replace("name = 'lab.test'", "name = 'lab.test'\ncomment = 'new'").replacen("ttl = 60", "ttl = 30", 1),
    );
    assert_eq!(plan.changes[0].parts.len(), 2);
    assert_eq!(answers(&plan), [""; 0]);
    assert_eq!(plan.same_answers, ["lab.test. A", "www.lab.test. A", "cname.lab.test. A"]);
}

#[test]
fn records_that_are_gone_are_no_records() {
    let plan = plan(&ZONE.replace("name = '*.wild'", "name = '*.free'"));
    let mut answers = answers(&plan);
    answers.sort();
    assert_eq!(
        answers,
        ["\\052.free.lab.test. A all:  100 → 192.0.2.3 100", "\\052.wild.lab.test. A all: 192.0.2.3 100 →  100",]
    );
}
