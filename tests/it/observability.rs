//! Observability, checked with the real tools: Prometheus, promtool, the queries of the Grafana
//! dashboard, readers of dnstap, and log rotation.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test may fail so, and says what it could not test

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use hickory_proto::op::{Edns, Message, Query};
use hickory_proto::rr::rdata::opt::{ClientSubnet, EdnsOption};
use hickory_proto::rr::{Name, RecordType};
use serde_json::Value;

use crate::prometheus::Prometheus;
use crate::server::{Lab, PATIENCE, Transport, WebServer, get, text};

const STEP: Duration = Duration::from_millis(50);

fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn zone(port: u16) -> String {
    format!(
        "name = 'lab.test'\nid = 'Z0LAB'\n[[record]]\nname = 'app'\ntype = 'A'\nttl = 10\nvalues = ['192.0.2.11']\n\
         health_check = 'blue'\n[[health_check]]\nname = 'blue'\ntype = 'http'\nip_address = '127.0.0.1'\nport = {port}\n\
         request_interval = 1\nfailure_threshold = 1\n"
    )
}

/// Settings that enable all optional metrics.
const EVERYTHING: &str =
    "[metrics]\ncount_answers = ['app.lab.test']\n[query_log]\nto = 'queries.log'\n[dnstap]\nsocket = 'nobody.sock'\n";

/// The settings of `Lab::new` plus these.
fn settings(lab: &Lab, more: &str) {
    let path = lab.path("fiftythree.toml");
    let text = fs::read_to_string(path).unwrap() + more;
    lab.write("fiftythree.toml", &text);
}

/// Sends a query over UDP with this client subnet.
fn ask_from(server: SocketAddr, name: &str, record_type: RecordType, subnet: Option<&str>) {
    let mut question = Message::query();
    question.add_query(Query::query(Name::from_ascii(name).unwrap(), record_type));
    if let Some(subnet) = subnet {
        let (address, prefix) = subnet.split_once('/').unwrap();
        let subnet = ClientSubnet::new(address.parse().unwrap(), prefix.parse().unwrap(), 0);
        let mut edns = Edns::new();
        edns.options_mut().insert(EdnsOption::Subnet(subnet));
        question.edns = Some(edns);
    }
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(&question.to_vec().unwrap(), server).unwrap();
    assert!(socket.recv(&mut [0; 4096]).unwrap() > 12);
}

/// Waits until `found` returns a value.
#[track_caller]
fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "there is no {what}");
        sleep(STEP);
    }
}

/// The output of an installed command for `input`; `None` if it is not installed, which is printed.
fn run(command: &mut Command, input: &str, what: &str) -> Option<(bool, String)> {
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = spawned else {
        println!("!!!!! NOT TESTED: {what}, since there is no {}", command.get_program().display());
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Some((output.status.success(), text(&output.stdout) + &text(&output.stderr)))
}

// --- metrics ----------------------------------------------------------------------------------------------------------

#[test]
fn promtool_objects_to_nothing() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
    settings(&lab, EVERYTHING);
    let server = lab.serve();
    server.ask("app.lab.test.", Transport::Udp);
    let metrics = get(&server.admin(), "/metrics", "text/plain").unwrap();
    let mut promtool = Command::new("promtool");
    let checked = run(promtool.args(["check", "metrics"]), &metrics, "metrics with promtool");
    assert!(checked.is_none_or(|checked| checked == (true, String::new())), "{metrics}");
}

#[test]
fn the_alerts_do_what_their_examples_say() {
    let rules = home().join("contrib/prometheus");
    for arguments in [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]] {
        let mut promtool = Command::new("promtool");
        let said = run(promtool.args(arguments).current_dir(&rules), "", "alerts with promtool");
        assert!(said.as_ref().is_none_or(|(success, _)| *success), "{said:?}");
    }
    let read = |name: &str| fs::read_to_string(rules.join(name)).unwrap();
    let (alerts, examples) = (read("alerts.yaml"), read("alerts_test.yaml"));
    let names = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    for name in names {
        assert!(examples.contains(&format!("alertname: {name}\n")), "{name} has no example in which it fires");
    }
}

/// Every query of the dashboard, as Prometheus gets it with all variables selected.
fn queries_of(board: &Value) -> Vec<String> {
    let mut queries = Vec::new();
    match board {
        Value::Object(fields) => {
            if let Some(Value::String(query)) = fields.get("expr") {
                let all = query.replace("$job", ".*").replace("$instance", ".*").replace("$zone", ".*");
                queries.push(all.replace("$__rate_interval", "30s"));
            }
            queries.extend(fields.values().flat_map(queries_of));
        }
        Value::Array(values) => queries.extend(values.iter().flat_map(queries_of)),
        _ => {}
    }
    queries
}

/// The metric names in a string.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let ours = words.filter(|word| word.starts_with("fiftythree_") || word.starts_with("process_"));
    let histogram = |word: &str| word.strip_suffix("_bucket").unwrap_or(word).to_owned();
    ours.map(histogram).collect()
}

#[test]
fn a_real_prometheus_has_data_for_every_query_of_dashboard_and_alerts() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
    settings(&lab, EVERYTHING);
    let server = lab.serve();
    let rules = home().join("contrib/prometheus/alerts.yaml");
    let what = "dashboard and alerts against a real Prometheus";
    let started = Prometheus::start("fiftythree", &server.admin(), std::slice::from_ref(&rules), what);
    let Some(prometheus) = started else { return };
    let address = prometheus.url.strip_prefix("http://").unwrap().to_owned();
    let ask = |path: &str| serde_json::from_str::<Value>(&get(&address, path, "*/*")?).ok();
    let query = |query: &str| ask(&format!("/api/v1/query?query={}", encoded(query))).expect("an answer");
    let has_data = |text: &str| query(text)["data"]["result"].as_array().is_some_and(|result| !result.is_empty());
    wait_for("scrape", || ask("/api/v1/query?query=up%3D%3D1")?["data"]["result"].get(0).cloned());

    for transport in [Transport::Udp, Transport::Tcp] {
        server.ask("app.lab.test.", transport);
        server.ask("nothing.lab.test.", transport);
    }
    server.ask("app.other.test.", Transport::Udp);
    web.stop();
    wait_for("transition", || has_data("increase(fiftythree_health_transitions_total[30s]) > 0").then_some(()));

    let board = fs::read_to_string(home().join("contrib/grafana/fiftythree.json")).unwrap();
    let board: Value = serde_json::from_str(&board).unwrap();
    let queries = queries_of(&board);
    assert!(queries.len() > 30, "{queries:?}");
    for text in &queries {
        let answer = query(text);
        assert_eq!(answer["status"], "success", "{text}: {answer}");
        wait_for(&format!("data for {text}"), || has_data(text).then_some(()));
    }

    let names = ask("/api/v1/label/__name__/values").unwrap()["data"].to_string();
    let scraped = metrics_in(&names);
    let alerts = fs::read_to_string(&rules).unwrap();
    let page = fs::read_to_string(home().join("docs/observability.md")).unwrap();
    for metric in metrics_in(&(queries.join("\n") + &alerts + &page)) {
        let found = scraped.contains(&metric) || scraped.contains(&format!("{metric}_count"));
        assert!(found, "{metric} is not scraped");
    }

    let rules = wait_for("evaluation of the rules", || {
        let rules = ask("/api/v1/rules")?["data"]["groups"][0]["rules"].as_array()?.clone();
        (rules.iter().all(|rule| rule["health"] == "ok") && pending(&rules).contains(&"FiftythreeHealthCheckUnhealthy"))
            .then_some(rules)
    });
    assert_eq!(rules.len(), alerts.matches("- alert:").count());
    let pending = pending(&rules);
    assert!(!pending.contains(&"FiftythreeDown") && !pending.contains(&"FiftythreeControlFailed"), "{pending:?}");
}

/// The firing and pending alerts.
fn pending(rules: &[Value]) -> Vec<&str> {
    let pending = rules.iter().filter(|rule| rule["state"] != "inactive");
    pending.map(|rule| rule["name"].as_str().unwrap()).collect()
}

fn encoded(query: &str) -> String {
    query.bytes().map(|octet| format!("%{octet:02X}")).collect()
}

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
        zone(web.port).replace("name = 'app'", "name = 'other'"),
        record("app", "blue", "failover = 'primary'\nhealth_check = 'blue'", "192.0.2.11"),
        record("app", "green", "failover = 'secondary'", "192.0.2.12"),
        record("*.many", "one", "multivalue = true", "192.0.2.21"),
        record("*.many", "two", "multivalue = true", "192.0.2.22"),
    ];
    let (head, check) = zone[0].split_once("[[health_check]]").unwrap();
    let zone = [head, &zone[1..].concat(), "[[health_check]]", check].concat();
    let lab = Lab::new(&[("lab.test.toml", &zone)]);
    settings(&lab, "[metrics]\ncount_answers = ['app.lab.test', '*.many.lab.test.', 'nobody.lab.test']\n");
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
    let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
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

// --- the query log ----------------------------------------------------------------------------------------------------

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn queries_are_logged_as_route_53_logs_them_and_the_file_may_be_moved() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
    settings(&lab, "[query_log]\nto = 'queries.log'\n");
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
    let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
    settings(
        &lab,
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
        let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
        settings(&lab, &format!("[query_log]\nto = '{to}'\n"));
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

// --- dnstap -----------------------------------------------------------------------------------------------------------

#[test]
fn a_real_reader_takes_dnstap_and_may_come_late() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
    settings(&lab, "[dnstap]\nsocket = 'dnstap.sock'\n");
    let server = lab.serve();
    server.wait_for_log("dnstap: cannot connect to");
    let (socket, captured) = (lab.path("dnstap.sock"), lab.path("captured.fstrm"));
    let reader = Command::new("fstrm_capture")
        .args(["-t", "protobuf:dnstap.Dnstap", "-u"])
        .arg(&socket)
        .arg("-w")
        .arg(&captured)
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut reader) = reader else {
        println!("!!!!! NOT TESTED: dnstap with a real reader, since there is no fstrm_capture");
        return;
    };
    server.wait_for_log("dnstap: connected to");
    ask_from(server.address, "app.lab.test.", RecordType::A, Some("198.51.100.0/24"));
    server.ask("nothing.lab.test.", Transport::Tcp);
    let (admin, address) = (server.admin(), server.address);
    wait_for("four frames", || {
        get(&admin, "/metrics", "*/*")?.contains("\nfiftythree_dnstap_frames_total 4\n").then_some(())
    });
    // The server closes the stream when it ends, and the reader closes its file when it is stopped.
    assert!(server.stop().success());
    let kill = format!("kill -TERM {}", reader.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    reader.wait().unwrap();

    let mut ldns = Command::new("dnstap-ldns");
    let Some((success, said)) = run(ldns.arg("-y").arg("-r").arg(&captured), "", "dnstap with dnstap-ldns") else {
        return;
    };
    assert!(success, "{said}");
    let messages: Vec<&str> = said.split("\n---").filter(|text| text.contains("type: MESSAGE")).collect();
    assert_eq!(messages.len(), 4, "{said}");
    let count = |text: &str| messages.iter().filter(|message| message.contains(text)).count();
    for (text, times) in [
        ("identity: \"lab-1\"", 4),
        ("version: \"fiftythree ", 4),
        ("type: AUTH_QUERY", 2),
        ("type: AUTH_RESPONSE", 2),
        ("socket_protocol: UDP", 2),
        ("socket_protocol: TCP", 2),
        ("query_address: \"127.0.0.1\"", 4),
        ("response_address: \"127.0.0.1\"", 4),
        (&format!("response_port: {}", address.port()), 4),
        ("query_time: !!timestamp 20", 4),
        ("response_time: !!timestamp 20", 2),
        ("rcode: NXDOMAIN", 1),
        ("192.0.2.11", 1),
    ] {
        assert_eq!(count(text), times, "{text}:\n{said}");
    }
}
