//! `fiftythree plan` end to end: the diff of record sets, what clients would get, and the exit
//! codes.
#![cfg(unix)]

use std::fs;

use mmdb_writer::{Value, Writer};

use crate::server::{Lab, Running, text};

const ZONE: &str = "name = \"lab.test\"

[[record]]
name = \"www\"
type = \"A\"
ttl = 5
values = [\"192.0.2.1\"]

[[record]]
name = \"app\"
type = \"A\"
set_identifier = \"blue\"
failover = \"primary\"
ttl = 5
values = [\"192.0.2.2\"]
health_check = \"blue\"

[[record]]
name = \"app\"
type = \"A\"
set_identifier = \"green\"
failover = \"secondary\"
ttl = 5
values = [\"192.0.2.3\"]

[[health_check]]
name = \"blue\"
type = \"manual\"
status = \"healthy\"
";

const SETTINGS: &str = "[dns]\nlisten = ['127.0.0.1:0']\n[zones]\ndirectory = 'zones'\n[state]\ndirectory = \
                        'state'\n[admin]\nlisten = '127.0.0.1:0'\n[[location.network]]\ncidr = '192.0.2.0/24'\ncountry = 'DE'\n";

const BATCH: &str = "{\"Changes\": [{\"Action\": \"UPSERT\", \"ResourceRecordSet\": {\"Name\": \"www.lab.test\", \"Type\": \"A\", \
                     \"TTL\": 5, \"ResourceRecords\": [{\"Value\": \"192.0.2.9\"}]}}]}";

fn lab() -> Lab {
    let lab = Lab::new(&[]);
    fs::create_dir_all(lab.path("zones")).unwrap();
    lab.write("zones/lab.test.toml", ZONE);
    lab.write("fiftythree.toml", SETTINGS);
    lab.write("batch.json", BATCH);
    lab
}

/// The exit code and what is printed: on standard output, else on standard error.
fn plan(lab: &Lab, arguments: &[&str]) -> (i32, String) {
    let output = lab.run(&[&["plan"], arguments, &["--config", "fiftythree.toml"]].concat());
    let printed = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    (output.status.code().unwrap(), text(&printed))
}

fn plan_with(lab: &Lab, running: &Running, arguments: &[&str]) -> (i32, String) {
    let admin = running.admin().to_string();
    plan(lab, &[arguments, &["--admin", &admin]].concat())
}

#[test]
fn a_batch_is_planned_from_the_files_and_changes_nothing() {
    let lab = lab();
    let (code, printed) = plan(&lab, &["batch.json", "--admin", "127.0.0.1:9"]);
    assert_eq!(code, 2, "{printed}");
    for part in [
        "~ hosted zone lab.test. (Z",
        "  ~ www.lab.test. A\n      ttl = 5\n    - values = [\"192.0.2.1\"]\n    + values = [\"192.0.2.9\"]\n",
        "What clients get (every health check healthy, as no running server can be asked)\n",
        "  www.lab.test. A\n    all clients: 192.0.2.1 → 192.0.2.9\n",
        "\n1 changed; nothing is changed yet\n",
    ] {
        assert!(printed.contains(part), "{part:?} in {printed}");
    }
    assert_eq!(fs::read_to_string(lab.path("zones/lab.test.toml")).unwrap(), ZONE);
    // A wildcard is written as in the zone file.
    lab.write("batch.json", &BATCH.replace("www.lab", "*.new.lab"));
    let (_, printed) = plan(&lab, &["batch.json", "--admin", "127.0.0.1:9"]);
    for part in ["  + *.new.lab.test. A\n", "\n  *.new.lab.test. A\n    all clients: no records → 192.0.2.9\n"] {
        assert!(printed.contains(part), "{part:?} in {printed}");
    }
    lab.write("batch.json", &BATCH.replace("192.0.2.9", "192.0.2.1"));
    assert_eq!(plan(&lab, &["batch.json"]), (0, "there is nothing to do\n".to_owned()));
    lab.write("batch.json", &BATCH.replace("UPSERT", "CREATE"));
    let (code, error) = plan(&lab, &["batch.json"]);
    assert!(code == 1 && error.contains("but it already exists"), "{error}");
}

#[test]
fn zone_files_and_directories_take_the_place_of_those_that_are_there() {
    let lab = lab();
    fs::create_dir_all(lab.path("new")).unwrap();
    lab.write(
        "new/other-name.toml",
        &ZONE.replace("192.0.2.3", "192.0.2.7").replace("status = \"healthy\"", "status = \"unhealthy\""),
    );
    for files in ["new/other-name.toml", "new"] {
        let (code, printed) = plan(&lab, &[files, "--json"]);
        assert_eq!(code, 2, "{printed}");
        let plan: serde_json::Value = serde_json::from_str(&printed).unwrap();
        let objects: Vec<&str> =
            plan["changes"].as_array().unwrap().iter().map(|change| change["kind"].as_str().unwrap()).collect();
        assert_eq!(objects, ["hosted_zone", "health_check"], "{printed}");
        let app = &plan["answers"][0];
        assert_eq!((&app["name"], &app["clients"][0]["is_everywhere"]), (&"app.lab.test.".into(), &true.into()));
        let values = |when: &str| app["clients"][0][when][0]["values"].clone();
        assert_eq!(
            (values("before"), values("after")),
            (vec!["192.0.2.2"].into(), vec!["192.0.2.7"].into()),
            "{printed}"
        );
    }
    assert_eq!(plan(&lab, &["zones"]), (0, "there is nothing to do\n".to_owned()));
    lab.write("new/other-name.toml", "name = \"lab.test\"\nnonsense = 1\n");
    let (code, error) = plan(&lab, &["new"]);
    assert!(code == 1 && error.contains("nonsense"), "{error}");
    let (code, error) = plan(&lab, &["batch.json", "new"]);
    assert!(code == 1 && error.contains("a change batch is planned alone"), "{error}");
}

#[test]
fn a_running_server_plans_with_its_zones_and_its_health() {
    let lab = lab();
    let running = lab.serve();
    let admin = running.admin().to_string();
    let output = lab.run(&[
        "override",
        "set",
        "blue",
        "down",
        "--reason",
        "test",
        "--admin",
        &admin,
        "--config",
        "fiftythree.toml",
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    lab.write(
        "batch.json",
        "{\"Changes\": [{\"Action\": \"UPSERT\", \"ResourceRecordSet\": {\"Name\": \"app.lab.test\", \"Type\": \"A\", \"TTL\": 5, \
         \"SetIdentifier\": \"green\", \"Failover\": \"SECONDARY\", \"ResourceRecords\": [{\"Value\": \"192.0.2.9\"}]}}]}",
    );
    for server in [&["batch.json", "--server"][..], &["batch.json"]] {
        let (code, printed) = plan_with(&lab, &running, server);
        assert_eq!(code, 2, "{printed}");
        assert!(printed.contains("all clients: green [192.0.2.3] → green [192.0.2.9]\n"), "{printed}");
        assert!(printed.contains("What clients get (health as the running server sees it"), "{printed}");
    }
    running.wait_for_answer("app.lab.test.", &["192.0.2.3"]);
    let (code, error) = plan_with(&lab, &running, &["zones", "--server"]);
    assert!(code == 1 && error.contains("--server takes a change batch"), "{error}");
    let (code, error) = plan_with(&lab, &running, &["batch.json", "--server", "--from", "geoip"]);
    assert!(code == 1 && error.contains("the settings name no geo database"), "{error}");
    let (code, error) = plan_with(&lab, &running, &["batch.json", "--server", "--from", "places.toml"]);
    assert!(code == 1 && error.contains("with --server the clients are those of its settings"), "{error}");
    assert!(running.stop().success());
}

/// A plan of a running server has the clients of its geo databases, as one from the files has.
#[test]
fn clients_of_the_geo_databases_are_simulated_by_country() {
    let member = |identifier: &str, country: &str, address: &str| {
        format!(
            "[[record]]\nname = 'geo'\ntype = 'A'\nset_identifier = '{identifier}'\ngeolocation = {{ country = '{country}' }}\n\
             ttl = 5\nvalues = ['{address}']\n"
        )
    };
    let zone = format!("{ZONE}\n{}{}", member("france", "FR", "192.0.2.10"), member("rest", "*", "192.0.2.11"));
    let lab = lab();
    lab.write("zones/lab.test.toml", &zone);
    let mut database = Writer::new("Test-Country");
    for (network, country) in [("20.1.0.0/24", "DE"), ("20.2.0.0/24", "FR")] {
        let record = Value::map([("country_code", Value::from(country))]);
        database.insert_value(network.parse::<ipnet::IpNet>().unwrap(), record).unwrap();
    }
    fs::write(lab.path("geo.mmdb"), database.to_bytes().unwrap()).unwrap();
    lab.write("fiftythree.toml", &SETTINGS.replace("[[location", "[location]\ngeoip = ['geo.mmdb']\n[[location"));
    lab.write(
        "batch.json",
        "{\"Changes\": [{\"Action\": \"UPSERT\", \"ResourceRecordSet\": {\"Name\": \"geo.lab.test\", \"Type\": \"A\", \"TTL\": 5, \
         \"SetIdentifier\": \"france\", \"GeoLocation\": {\"CountryCode\": \"FR\"}, \
         \"ResourceRecords\": [{\"Value\": \"192.0.2.9\"}]}}]}",
    );
    let running = lab.serve();
    for server in [&["batch.json", "--server", "--from", "geoip"][..], &["batch.json", "--from", "geoip"]] {
        let (code, printed) = plan_with(&lab, &running, server);
        assert_eq!(code, 2, "{printed}");
        assert!(printed.contains("    FR: france [192.0.2.10] → france [192.0.2.9]\n"), "{printed}");
        assert!(!printed.contains("DE"), "{printed}");
    }
    // Without them, no known client is in France.
    let (_, printed) = plan_with(&lab, &running, &["batch.json", "--server"]);
    assert!(printed.contains("the same records as before\n"), "{printed}");
    assert!(running.stop().success());
}

/// Nothing that changes answers or probes is "nothing to do".
#[test]
fn alias_targets_and_secrets_are_something_to_do() {
    let zone = format!(
        "{ZONE}\n[[record]]\nname = \"elb\"\ntype = \"A\"\nalias = {{ hosted_zone_id = \"Z215JYRZR1TBD5\", target = \
         \"my-lb-1.eu-central-1.elb.amazonaws.com\", evaluate_target_health = false }}\n\n[[alias_target]]\nname = \"lb\"\n\
         target = \"my-lb-1.eu-central-1.elb.amazonaws.com\"\naddresses = [\"192.0.2.77\"]\n\n[[health_check]]\nname = \
         \"web\"\ntype = \"http\"\nip_address = \"192.0.2.1\"\nrequest_headers = {{ Authorization = \"Bearer A\" }}\n"
    );
    let lab = lab();
    lab.write("zones/lab.test.toml", &zone);
    for (from, to, part) in [
        ("192.0.2.77", "192.0.2.78", "~ alias target lb (lb)\n"),
        (
            "192.0.2.77",
            "192.0.2.78",
            ".elb.amazonaws.com. [192.0.2.77] → my-lb-1.eu-central-1.elb.amazonaws.com. [192.0.2.78]\n",
        ),
        ("Bearer A", "Bearer B", "+ request_headers = { Authorization = ********** } # a secret value changed\n"),
    ] {
        lab.write("new.toml", &zone.replace(from, to));
        let (code, printed) = plan(&lab, &["new.toml"]);
        assert_eq!(code, 2, "{printed}");
        assert!(printed.contains(part) && !printed.contains("Bearer"), "{part:?} in {printed}");
    }
}
