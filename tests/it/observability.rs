//! Metrics and the query log. `tests/tools/observability.rs` has what the real tools say.
#![cfg(unix)]

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use hickory_proto::rr::RecordType;
use serde_json::Value;

use crate::server::{Lab, Transport, WebServer, ask_from, checked_zone, get, wait_for};

const STEP: Duration = Duration::from_millis(50);

// --- metrics ------------------------------------------------------------------------------------

/// The counts of one name by target.
fn answers(admin: &str, name: &str) -> Vec<(String, u64)> {
    let metrics = get(admin, "/metrics", "*/*").unwrap();
    let rows = metrics.lines().filter(|line| line.starts_with("fiftythree_answers_total{"));
    let rows = rows.filter(|line| line.contains(&format!("name=\"{name}\"")));
    let target = |line: &str| line.split("target=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    rows.map(|line| (target(line), line.rsplit(' ').next().unwrap().parse().unwrap())).collect()
}

#[test]
fn the_answers_of_names_that_are_wanted_are_counted_by_target() {
    let web = WebServer::start();
    let record = |name: &str, identifier: &str, policy: &str, address: &str| {
        format!(
            "[[record]]\nname = '{name}'\ntype = 'A'\nttl = 10\nset_identifier = '{identifier}'\n{policy}\n\
             values = ['{address}']\n"
        )
    };
    let zone = [
        checked_zone(web.port).replace("name = 'app'", "name = 'other'"),
        record("app", "blue", "failover = 'primary'\nhealth_check = 'blue'", "192.0.2.11"),
        record("app", "green", "failover = 'secondary'", "192.0.2.12"),
        record("*.many", "one", "multivalue = true", "192.0.2.21"),
        record("*.many", "two", "multivalue = true", "192.0.2.22"),
    ];
    let (head, check) = zone[0].split_once("[[health_check]]").unwrap();
    let zone = [head, &zone[1..].concat(), "[[health_check]]", check].concat();
    let lab = Lab::new(&[("lab.test.toml", &zone)]);
    lab.add_settings("[metrics]\ncount_answers = ['app.lab.test', '*.many.lab.test.', 'nobody.lab.test']\n");
    let server = lab.serve();
    let admin = server.admin();
    let counts = |blue, green| [("blue".to_owned(), blue), ("green".to_owned(), green)];
    assert_eq!(answers(&admin, "app.lab.test."), counts(0, 0));
    for transport in [Transport::Udp, Transport::Tcp, Transport::Udp] {
        assert_eq!(server.ask("app.lab.test.", transport).addresses, ["192.0.2.11"]);
    }
    server.ask("other.lab.test.", Transport::Udp);
    assert_eq!(server.ask("any.many.lab.test.", Transport::Udp).addresses.len(), 2);
    wait_for("count", || (answers(&admin, "app.lab.test.") == counts(3, 0)).then_some(()));
    assert_eq!(answers(&admin, "*.many.lab.test."), [("one".to_owned(), 1), ("two".to_owned(), 1)]);
    assert!(answers(&admin, "other.lab.test.").is_empty());
    web.stop();
    server.wait_for_answer("app.lab.test.", &["192.0.2.12"]);
    let green = answers(&admin, "app.lab.test.")[1].1;
    assert!(green >= 1, "{green}");

    // Names that were removed keep their counts, because counters must not decrease.
    lab.write(
        "fiftythree.toml",
        &fs::read_to_string(lab.path("fiftythree.toml")).unwrap().replace("'app.lab.test', ", ""),
    );
    server.signal("HUP");
    server.wait_for_log("reloaded");
    let before = answers(&admin, "app.lab.test.");
    (0..5).for_each(|_| drop(server.ask("app.lab.test.", Transport::Udp)));
    assert_eq!(answers(&admin, "app.lab.test."), before);
}

#[test]
fn readiness_ends_when_the_server_stops() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &checked_zone(web.port))]);
    let server = lab.serve();
    let admin = server.admin();
    assert_eq!(get(&admin, "/healthz", "*/*").as_deref(), Some("ok\n"));
    assert_eq!(get(&admin, "/readyz", "*/*").as_deref(), Some("ready\n"));
    // The server waits for a TCP client that has sent half a query: it drains for that long.
    let mut half = TcpStream::connect(server.address).unwrap();
    half.write_all(&[0]).unwrap();
    sleep(STEP);
    server.signal("TERM");
    let unready = wait_for("answer while it drains", || get(&admin, "/readyz", "*/*").filter(|body| body != "ready\n"));
    assert_eq!(unready, "not ready\n");
    assert!(get(&admin, "/metrics", "*/*").unwrap().contains("\nfiftythree_ready 0\n"));
    drop(half);
    server.wait_for_log("INFO stopped");
}

#[test]
fn every_alert_has_an_example_in_which_it_fires() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/prometheus");
    let read = |name: &str| fs::read_to_string(rules.join(name)).unwrap();
    let (alerts, examples) = (read("alerts.yaml"), read("alerts_test.yaml"));
    let names: Vec<&str> = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(!names.is_empty());
    for name in names {
        assert!(examples.contains(&format!("alertname: {name}\n")), "{name} has no example in which it fires");
    }
}

// --- the query log ------------------------------------------------------------------------------

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn queries_are_logged_as_route_53_logs_them_and_the_file_may_be_moved() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &checked_zone(web.port))]);
    lab.add_settings("[query_log]\nto = 'queries.log'\n");
    let server = lab.serve();
    let log = lab.path("queries.log");
    ask_from(server.address, "aPP.lab.test.", RecordType::A, Some("198.51.100.0/24"));
    server.ask("nothing.lab.test.", Transport::Tcp);
    ask_from(server.address, "app.other.test.", RecordType::AAAA, None);
    let found = wait_for("three lines", || Some(lines(&log)).filter(|lines| lines.len() == 3));
    let mut rest: Vec<&str> = found.iter().map(|line| line.split_once("Z ").expect("a moment").1).collect();
    rest.sort_unstable();
    let expected = [
        "- app.other.test AAAA REFUSED UDP lab-1 127.0.0.1 -",
        "Z0LAB aPP.lab.test A NOERROR UDP lab-1 127.0.0.1 198.51.100.0/24",
        "Z0LAB nothing.lab.test A NXDOMAIN TCP lab-1 127.0.0.1 -",
    ];
    assert_eq!(rest, expected);
    assert!(found.iter().all(|line| line.starts_with("1.0 20") && line.split(' ').count() == 10), "{found:?}");

    // As logrotate does, without a signal.
    let moved = lab.path("queries.log.1");
    fs::rename(&log, &moved).unwrap();
    wait_for("new file", || {
        server.ask("app.lab.test.", Transport::Udp);
        (!lines(&log).is_empty()).then_some(())
    });
    let asked = lines(&moved).len() + lines(&log).len();
    let admin = server.admin();
    wait_for("the same number", || {
        let metrics = get(&admin, "/metrics", "*/*")?;
        let count = metrics.lines().find_map(|line| line.strip_prefix("fiftythree_query_log_lines_total "))?;
        (count.parse() == Ok(lines(&moved).len() + lines(&log).len())).then_some(())
    });
    assert!(asked > 3);
    assert!(server.stop().success());
}

#[test]
fn only_what_is_asked_for_is_logged_and_the_last_line_before_the_end_too() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &checked_zone(web.port))]);
    lab.add_settings(
        "[query_log]\nto = 'stdout'\nformat = 'json'\nzones = ['lab.test']\nresponse_codes = ['NXDOMAIN']\ntypes = ['A']\n\
         clients = ['127.0.0.0/8']\n",
    );
    let server = lab.serve();
    server.ask("app.lab.test.", Transport::Udp);
    server.ask("nothing.other.test.", Transport::Udp);
    ask_from(server.address, "nothing.lab.test.", RecordType::AAAA, None);
    ask_from(server.address, "nothing.lab.test.", RecordType::A, Some("198.51.100.0/24"));
    server.ask("nothing.lab.test.", Transport::Udp);
    server.signal("TERM");
    let logged = wait_for("line", || {
        let stdout = server.stdout();
        let logged: Vec<String> = stdout.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect();
        (!logged.is_empty()).then_some(logged)
    });
    assert_eq!(logged.len(), 1, "{logged:?}");
    let line: Value = serde_json::from_str(&logged[0]).unwrap();
    assert_eq!((&line["query_name"], &line["response_code"]), (&"nothing.lab.test".into(), &"NXDOMAIN".into()));
    assert_eq!((&line["hosted_zone_id"], &line["edge_location"]), (&"Z0LAB".into(), &"lab-1".into()));
    server.wait_for_log("INFO stopped");
}

/// A full device and a missing directory do not affect answers.
#[cfg(target_os = "linux")]
#[test]
fn a_log_that_cannot_be_written_hurts_no_answer() {
    for (to, says) in [("/dev/full", "No space left"), ("nowhere/queries.log", "No such file")] {
        let web = WebServer::start();
        let lab = Lab::new(&[("lab.test.toml", &checked_zone(web.port))]);
        lab.add_settings(&format!("[query_log]\nto = '{to}'\n"));
        let server = lab.serve();
        for _ in 0..20 {
            assert_eq!(server.ask("app.lab.test.", Transport::Udp).addresses, ["192.0.2.11"]);
        }
        server.wait_for_log(says);
        let admin = server.admin();
        wait_for("count of what is lost", || {
            let metrics = get(&admin, "/metrics", "*/*")?;
            metrics.contains("\nfiftythree_query_log_dropped_total{reason=\"write\"} 20\n").then_some(())
        });
        assert!(server.stop().success());
    }
}
