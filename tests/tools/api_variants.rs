//! Requests of every shape against the real binary: `tests/clients/variants` makes them from the
//! API model that botocore carries, and says what each has to get.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use hickory_proto::op::ResponseCode;

use crate::aws;
use crate::needs;
use crate::server::{Lab, Running, Transport};

const OPERATIONS: usize = 74;
/// Those whose requests have a body.
const WITH_BODY: usize = 24;

/// Delegation sets need name servers. The table `[api]` is the last one.
const SETTINGS: &str = "
[dns]
listen = ['127.0.0.1:0']
name_servers = [{ name = 'ns1.servers.test' }, { name = 'ns2.servers.test' }]
[zones]
directory = 'zones'
[state]
directory = 'state'
[admin]
listen = '127.0.0.1:0'
[api]
listen = ['127.0.0.1:0']
";
/// An alarm is a metric check of a file. Nothing listens on the discard port.
const ZONE: &str = "
name = 'lab.test'
[[health_check]]
name = 'variants'
type = 'metric'
prometheus = 'http://127.0.0.1:9'
query = 'up'
comparison = 'greater_than_threshold'
threshold = 0.5
disabled = true
[[record]]
name = 'www'
type = 'A'
ttl = 60
values = ['192.0.2.1']
";

/// Classes of responses, by operation.
type Results = BTreeMap<String, BTreeMap<String, u64>>;

pub(crate) fn every_variant_of_a_request_gets_what_the_model_says() {
    let (lab, server) = server("");
    run(&lab, &server, &["run.py", "--strict", "--results", "results.json"]);

    let results: Results = serde_json::from_slice(&std::fs::read(lab.path("results.json")).unwrap()).unwrap();
    let total: u64 = results.values().flat_map(BTreeMap::values).sum();
    assert_eq!(results.values().filter(|counts| !counts.is_empty()).count(), OPERATIONS);
    documented(&results, total);

    let answer = server.ask("www.lab.test.", Transport::Udp);
    assert_eq!((answer.code, answer.addresses), (ResponseCode::NoError, vec!["192.0.2.1".to_owned()]));
    server.stop();
    let check = lab.run(&["check"]);
    let text = String::from_utf8_lossy(&check.stdout) + String::from_utf8_lossy(&check.stderr);
    assert!(check.status.success(), "{text}");
}

/// `strict = ["element_order"]`: the model's order is accepted, and any two members that have
/// changed places are refused.
pub(crate) fn strict_mode_wants_the_order_of_the_model_in_every_structure() {
    let (lab, server) = server("strict = ['element_order']\n");
    let summary = run(&lab, &server, &["element_order.py"]);
    assert!(summary.contains(&format!(" requests to {WITH_BODY} operations, ")), "{summary}");
}

fn server(strict: &str) -> (Lab, Running) {
    let lab = Lab::new(&[("lab.test.toml", ZONE)]);
    lab.write("fiftythree.toml", &format!("{SETTINGS}{strict}"));
    let server = lab.serve();
    (lab, server)
}

/// Runs a program of `tests/clients/variants` against the API, and returns the last line that it
/// prints.
fn run(lab: &Lab, server: &Running, program: &[&str]) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/variants");
    let endpoint = format!("http://{}", aws::Client::of(server, "test", "test").address());
    let mut command = Command::new(needs::client("python"));
    command.arg("-B").arg(directory.join(program[0])).args(&program[1..]);
    let output = command.arg(endpoint).current_dir(lab.path("")).output().unwrap();
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let summary = text.lines().last().unwrap_or_default().to_owned();
    println!("{summary}");
    assert!(output.status.success(), "{text}{errors}\n{}", server.log());
    summary
}

/// The table of docs/api.md has these numbers.
fn documented(results: &Results, total: u64) {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md")).unwrap();
    for (operation, counts) in results {
        let number: u64 = counts.values().sum();
        let row = format!("| {operation} | {number} | {number} / 0 / 0 / 0 |");
        assert!(page.contains(&row), "docs/api.md has no row {row}");
    }
    let row = format!("| all | {total} | {total} / 0 / 0 / 0 |");
    assert!(page.contains(&row), "docs/api.md has no row {row}");
}
