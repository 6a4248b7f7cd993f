//! `[api] zones_directory`: new zones have a directory of their own, which is read and watched.
#![cfg(unix)]

use std::fs;

use hickory_proto::op::ResponseCode;

use crate::server::{Lab, Running, Transport, text, wait_for};

fn zone(name: &str, address: &str) -> String {
    format!("name = \"{name}\"\n[[record]]\nname = \"www\"\ntype = \"A\"\nttl = 5\nvalues = [\"{address}\"]\n")
}

fn lab(zones_directory: &str) -> Lab {
    let lab = Lab::new(&[]);
    fs::create_dir_all(lab.path("zones")).unwrap();
    lab.write("zones/lab.test.toml", &zone("lab.test", "192.0.2.1"));
    lab.write(
        "fiftythree.toml",
        &format!(
            "[dns]\nlisten = ['127.0.0.1:0']\n[zones]\ndirectory = 'zones'\n[state]\ndirectory = 'state'\n[admin]\nlisten = \
             '127.0.0.1:0'\n[api]\nlisten = ['127.0.0.1:0']\nzones_directory = '{zones_directory}'\n"
        ),
    );
    lab
}

fn run(lab: &Lab, running: &Running, arguments: &[&str]) -> Result<String, String> {
    let admin = running.admin().to_string();
    let output = lab.run(&[arguments, &["--admin", &admin, "--config", "fiftythree.toml"]].concat());
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[test]
fn new_zones_are_in_it_and_edits_of_their_files_are_served() {
    let lab = lab("state/zones");
    let running = lab.serve();
    run(&lab, &running, &["zone", "create", "app.test"]).unwrap();
    run(&lab, &running, &["record", "set", "www.app.test", "A", "192.0.2.9"]).unwrap();
    running.wait_for_answer("www.app.test.", &["192.0.2.9"]);
    let file = lab.path("state/zones/app.test.toml");
    let edited = fs::read_to_string(&file).unwrap().replace("192.0.2.9", "192.0.2.10");
    fs::write(&file, edited).unwrap();
    running.wait_for_answer("www.app.test.", &["192.0.2.10"]);
    lab.write("state/zones/by-hand.toml", &zone("hand.test", "192.0.2.11"));
    running.wait_for_answer("www.hand.test.", &["192.0.2.11"]);
    assert!(running.stop().success());
    // After a restart a broken file is served from its last good copy.
    fs::write(&file, "name = ").unwrap();
    let running = lab.serve();
    running.wait_for_answer("www.app.test.", &["192.0.2.10"]);
    running.wait_for_answer("www.lab.test.", &["192.0.2.1"]);
    assert!(running.stop().success());
}

#[test]
fn a_file_that_is_removed_right_after_the_server_made_it_is_not_served() {
    let lab = lab("state/zones");
    let running = lab.serve();
    // Without any file left, a mount would be missing.
    run(&lab, &running, &["zone", "create", "stays.test"]).unwrap();
    let code = || running.ask("app.test.", Transport::Udp).code;
    for _ in 0..3 {
        run(&lab, &running, &["zone", "create", "app.test"]).unwrap();
        fs::remove_file(lab.path("state/zones/app.test.toml")).unwrap();
        assert_eq!(code(), ResponseCode::NoError);
        wait_for("the end of the zone", || (code() == ResponseCode::Refused).then_some(()));
    }
    assert!(running.stop().success());
}

#[test]
fn a_directory_that_cannot_be_written_is_reported_once_and_zones_are_served() {
    let lab = lab("file/zones");
    lab.write("file", "");
    let running = lab.serve();
    running.wait_for_answer("www.lab.test.", &["192.0.2.1"]);
    assert_eq!(running.log().matches("cannot create zones").count(), 1, "{}", running.log());
    let error = run(&lab, &running, &["zone", "create", "app.test"]).unwrap_err();
    assert!(error.contains("file/zones/app.test.toml"), "{error}");
    assert!(running.stop().success());
}
