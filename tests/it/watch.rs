//! `fiftythree watch`, as lines. `tests/tools/terminal.rs` has its screen.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::server::{Lab, PATIENCE, Running, WebServer, text};
use serde_json::Value;

const FIFTYTHREE: &str = env!("CARGO_BIN_EXE_fiftythree");

/// A primary that a web server keeps healthy, and a secondary without a check.
fn zone(port: u16) -> String {
    format!(
        "name = 'lab.test'

[[record]]
name = 'app'
type = 'A'
set_identifier = 'blue'
failover = 'primary'
ttl = 5
values = ['192.0.2.11']
health_check = 'app-blue'

[[record]]
name = 'app'
type = 'A'
set_identifier = 'green'
failover = 'secondary'
ttl = 5
values = ['192.0.2.12']

[[health_check]]
name = 'app-blue'
type = 'http'
ip_address = '127.0.0.1'
port = {port}
request_interval = 1
failure_threshold = 2
"
    )
}

fn watch(running: &Running, arguments: &[&str]) -> Command {
    let (server, admin) = (running.address.to_string(), running.admin());
    let mut command = Command::new(FIFTYTHREE);
    command.args(["watch", "app.lab.test", "--server", &server, "--admin", &admin]).args(arguments);
    command
}

#[test]
fn lines_tell_of_a_failover_and_how_long_it_took() {
    let web = WebServer::start();
    let lab = Lab::new(&[("lab.test.toml", &zone(web.port))]);
    let running = lab.serve();
    let mut watching =
        watch(&running, &["--json", "--rate", "50", "--for", "60s"]).stdout(Stdio::piped()).spawn().unwrap();
    let (sender, events) = mpsc::channel::<Value>();
    let stdout = BufReader::new(watching.stdout.take().unwrap());
    thread::spawn(move || {
        let lines = stdout.lines().map_while(Result::ok);
        lines.for_each(|line| drop(sender.send(serde_json::from_str(&line).unwrap())));
    });
    let next = |event: &str| loop {
        let value = events.recv_timeout(PATIENCE).unwrap();
        if value["event"] == event {
            return value;
        }
    };
    let first = next("answer");
    assert_eq!((first["answer"].as_str(), &first["before"]), (Some("192.0.2.11"), &Value::Null));
    // Long enough for the answer to count as stable.
    thread::sleep(Duration::from_secs(1));
    web.stop();
    // Either may come first: queries and health requests have separate schedules.
    let (mut changed, mut status_change, mut answered_first) = (Value::Null, Value::Null, false);
    while changed.is_null() || status_change.is_null() {
        let value = events.recv_timeout(PATIENCE).unwrap();
        match value["event"].as_str() {
            Some("answer") => changed = value,
            Some("status_changed") => (status_change, answered_first) = (value, !changed.is_null()),
            _ => {}
        }
    }
    assert_eq!((changed["answer"].as_str(), changed["before"].as_str()), (Some("192.0.2.12"), Some("192.0.2.11")));
    assert_eq!(
        (status_change["check"].as_str(), status_change["status"].as_str()),
        (Some("app-blue"), Some("unhealthy"))
    );
    // Two failures in a row, a second apart.
    let to_change = status_change["seconds_since_first_probe"].as_f64().unwrap();
    let to_answer = status_change["seconds_to_first_changed_answer"].as_f64();
    assert!((0.9..10.0).contains(&to_change), "{status_change}");
    assert_eq!(to_answer.is_some(), answered_first, "{status_change}");
    assert!(to_answer.is_none_or(|seconds| (to_change - 0.3..to_change + 3.0).contains(&seconds)), "{status_change}");
    let kill = format!("kill -TERM {}", watching.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let end = next("end");
    assert_eq!(end["answers"].as_array().unwrap().len(), 2, "{end}");
    assert!(watching.wait().unwrap().success());
}

#[test]
fn so_many_answers_are_asked_for_and_no_more() {
    let lab = Lab::new(&[("lab.test.toml", &zone(1))]);
    let running = lab.serve();
    let output = watch(&running, &["--count", "20", "--rate", "200"]).output().unwrap();
    assert!(output.status.success());
    let shown = text(&output.stdout);
    assert!(shown.lines().last().unwrap().contains("app.lab.test A: 20 answers in "), "{shown}");
}

#[test]
fn without_an_admin_side_it_says_so_and_goes_on() {
    let lab = Lab::new(&[("lab.test.toml", &zone(1))]);
    let running = lab.serve();
    let server = running.address.to_string();
    let arguments = ["watch", "app.lab.test", "--server", &server, "--admin", "127.0.0.1:1", "--for", "1s"];
    let output = Command::new(FIFTYTHREE).args(arguments).output().unwrap();
    assert!(output.status.success());
    let shown = text(&output.stdout);
    assert!(shown.contains("health is not shown: the server's admin side at 127.0.0.1:1 cannot be reached"), "{shown}");
    assert!(shown.contains("app.lab.test A is 192.0.2.1"), "{shown}");
}

#[test]
fn a_server_that_never_replies_is_a_failure() {
    let arguments =
        ["watch", "app.lab.test", "--server", "127.0.0.1:1", "--admin", "127.0.0.1:1", "--count", "1", "--json"];
    let output = Command::new(FIFTYTHREE).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "error: 127.0.0.1:1 did not reply\n");
    assert!(text(&output.stdout).contains("(no reply: unreachable)"), "{}", text(&output.stdout));
}
