//! Observability, checked with the real tools: Prometheus, promtool, the queries of the Grafana
//! dashboard, readers of dnstap.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use hickory_proto::rr::RecordType;
use serde_json::Value;

use crate::prometheus::Prometheus;
use crate::server::{Lab, Transport, WebServer, ask_from, checked_zone, get, text, wait_for};

fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Settings that enable all optional metrics.
const EVERYTHING: &str =
    "[metrics]\ncount_answers = ['app.lab.test']\n[query_log]\nto = 'queries.log'\n[dnstap]\nsocket = 'nobody.sock'\n";

/// Whether a command succeeds with this input, and its output.
fn run(command: &mut Command, input: &str) -> (bool, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

pub(crate) fn promtool_objects_to_nothing() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &checked_zone(web.port))]);
    lab.add_settings(EVERYTHING);
    let server = lab.serve();
    server.ask("app.lab.test.", Transport::Udp);
    let metrics = get(&server.admin(), "/metrics", "text/plain").unwrap();
    let checked = run(Command::new("promtool").args(["check", "metrics"]), &metrics);
    assert_eq!(checked, (true, String::new()), "{metrics}");
}

pub(crate) fn the_alerts_do_what_their_examples_say() {
    let rules = home().join("contrib/prometheus");
    for arguments in [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]] {
        let mut promtool = Command::new("promtool");
        let (success, said) = run(promtool.args(arguments).current_dir(&rules), "");
        assert!(success, "{said}");
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

pub(crate) fn a_real_prometheus_has_data_for_every_query_of_dashboard_and_alerts() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &checked_zone(web.port))]);
    lab.add_settings(EVERYTHING);
    let server = lab.serve();
    let rules = home().join("contrib/prometheus/alerts.yaml");
    let prometheus = Prometheus::start("fiftythree", &server.admin(), std::slice::from_ref(&rules));
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
    // Only nodes of a cluster have these.
    let is_here = |metric: &String| !metric.starts_with("fiftythree_cluster_");
    for metric in metrics_in(&(queries.join("\n") + &alerts + &page)).into_iter().filter(is_here) {
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

// --- dnstap -------------------------------------------------------------------------------------

pub(crate) fn a_real_reader_takes_dnstap_and_may_come_late() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &checked_zone(web.port))]);
    lab.add_settings("[dnstap]\nsocket = 'dnstap.sock'\n");
    let server = lab.serve();
    server.wait_for_log("dnstap: cannot connect to");
    let (socket, captured) = (lab.path("dnstap.sock"), lab.path("captured.fstrm"));
    let mut reader = Command::new("fstrm_capture")
        .args(["-t", "protobuf:dnstap.Dnstap", "-u"])
        .arg(&socket)
        .arg("-w")
        .arg(&captured)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
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
    let (success, said) = run(ldns.arg("-y").arg("-r").arg(&captured), "");
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
