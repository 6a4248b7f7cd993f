//! The history end to end: what happened is known after a restart and after a kill, and a record
//! that was removed can be got back.
#![cfg(unix)]

use std::fs;

use crate::server::{Lab, Running, Transport, get, text, wait_for};

const ZONE: &str =
    "name = \"lab.test\"\n\n[[record]]\nname = \"www\"\ntype = \"A\"\nttl = 5\nvalues = [\"192.0.2.1\"]\n";

fn lab() -> Lab {
    let lab = Lab::new(&[]);
    fs::create_dir_all(lab.path("zones")).unwrap();
    lab.write("zones/lab.test.toml", ZONE);
    lab.write(
        "fiftythree.toml",
        "[dns]\nlisten = ['127.0.0.1:0']\n[zones]\ndirectory = 'zones'\n[state]\ndirectory = 'state'\n[admin]\nlisten = \
         '127.0.0.1:0'\n",
    );
    lab
}

fn run(lab: &Lab, running: &Running, arguments: &[&str]) -> String {
    let admin = running.admin().to_string();
    let output = lab.run(&[arguments, &["--admin", &admin, "--config", "fiftythree.toml"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_record_that_an_editor_removed_is_named_and_can_be_pasted_back() {
    let lab = lab();
    let running = lab.serve();
    run(&lab, &running, &["record", "set", "new.lab.test", "A", "192.0.2.7", "--ttl", "9"]);
    // An editor that has an old buffer.
    lab.write("zones/lab.test.toml", &ZONE.replace("ttl = 5", "ttl = 6"));
    running.wait_for_log("lab.test. changed: removed new.lab.test. A, changed www.lab.test. A");
    wait_for("the edit in the history", || {
        fs::read_to_string(lab.path("state/history.jsonl")).ok().filter(|text| text.contains("\"Edit\""))
    });
    drop(running); // SIGKILL

    let running = lab.serve();
    let history = run(&lab, &running, &["history", "--zone", "lab.test"]);
    assert!(history.contains("ChangeResourceRecordSets of lab.test. by "), "{history}");
    assert!(history.contains("Edit of lab.test. by an edit of the file"), "{history}");
    let removed = history.split("  removed new.lab.test. A\n").nth(1).unwrap();
    let block: String =
        removed.lines().take_while(|line| line.starts_with("    ")).map(|line| format!("{line}\n")).collect();
    lab.write("zones/lab.test.toml", &format!("{ZONE}\n{block}"));
    running.wait_for_answer("new.lab.test.", &["192.0.2.7"]);
    assert!(running.stop().success());
}

#[test]
fn explain_says_who_changed_each_record_last() {
    let lab = lab();
    let running = lab.serve();
    let explained = |running: &Running, name: &str| run(&lab, running, &["explain", name]);
    assert!(!explained(&running, "www.lab.test").contains(" ago by "), "nobody has changed it");
    run(&lab, &running, &["record", "set", "new.lab.test", "A", "192.0.2.7"]);
    let new = explained(&running, "new.lab.test");
    assert!(new.contains("added ") && new.contains(": ChangeResourceRecordSets"), "{new}");
    lab.write("zones/lab.test.toml", &ZONE.replace("192.0.2.1", "192.0.2.2"));
    running.wait_for_answer("www.lab.test.", &["192.0.2.2"]);
    // Also after a restart.
    assert!(running.stop().success());
    let running = lab.serve();
    let www = run(&lab, &running, &["explain", "www.lab.test", "--json"]);
    let www: serde_json::Value = serde_json::from_str(&www).unwrap();
    let steps = www["steps"].as_array().unwrap();
    let change = &steps.iter().find(|step| step["step"] == "group").unwrap()["candidates"][0]["last_change"];
    assert_eq!((&change["change"], &change["operation"]), (&"changed".into(), &"Edit".into()), "{www}");
    assert_eq!(change["author"], "an edit of the file");
}

#[test]
fn after_kill_9_every_change_that_was_answered_is_known() {
    let lab = lab();
    let mut known = 0;
    for round in 1..=3 {
        let running = lab.serve();
        for number in 0..3 {
            let address = format!("192.0.2.{}", round * 10 + number);
            run(&lab, &running, &["record", "set", "www.lab.test", "A", &address]);
            known += 1;
        }
        drop(running); // SIGKILL
    }
    let running = lab.serve();
    let history = run(&lab, &running, &["history", "--zone", "lab.test", "--json"]);
    assert_eq!(history.matches("\"ChangeResourceRecordSets\"").count(), known, "{history}");
    assert_eq!(running.ask("www.lab.test.", Transport::Udp).addresses, ["192.0.2.32"]);
    let log = running.log();
    assert!(!log.contains("damaged"), "{log}");
    assert!(running.stop().success());
}

#[test]
fn a_damaged_history_is_one_warning() {
    let lab = lab();
    fs::create_dir_all(lab.path("state")).unwrap();
    lab.write("state/history.jsonl", "garbage\nmore garbage\n");
    let running = lab.serve();
    running.wait_for_log("2 damaged lines; they are skipped");
    run(&lab, &running, &["record", "set", "www.lab.test", "A", "192.0.2.7"]);
    assert_eq!(running.ask("www.lab.test.", Transport::Udp).addresses, ["192.0.2.7"]);
    running.wait_for_log("ChangeResourceRecordSets of lab.test. by ");
    running.wait_for_log(
        "changed www.lab.test. A: ttl = 5, values = [\"192.0.2.1\"] → ttl = 300, values = [\"192.0.2.7\"]",
    );
    assert!(running.stop().success());
}

#[test]
fn the_time_line_goes_on_after_a_restart() {
    let lab = lab();
    let running = lab.serve();
    lab.write("zones/lab.test.toml", &ZONE.replace("192.0.2.1", "192.0.2.2"));
    running.wait_for_answer("www.lab.test.", &["192.0.2.2"]);
    let reloaded = |running: &Running| get(&running.admin(), "/v1/history", "application/json");
    wait_for("the reload in the history", || reloaded(&running).filter(|body| body.contains("\"reload\"")));
    assert!(running.stop().success());
    let running = lab.serve();
    let body = reloaded(&running).unwrap();
    assert!(body.contains("lab.test. changed: changed www.lab.test. A"), "{body}");
    assert!(running.stop().success());
}
