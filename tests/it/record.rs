//! `fiftythree record`, `zone`, `reset` and `change --server`: when a command ends, the
//! running server answers with the change, and the zone file has it.
#![cfg(unix)]

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use crate::server::{Lab, Running, Transport, text};

const ZONE: &str = "# The zone.\nname = \"lab.test\"\n\n# The web server.\n[[record]]\nname = \"www\"\ntype = \"A\"\nttl = 5 \
                    # short\nvalues = [\"192.0.2.1\"]\n";

const SETTINGS: &str = "[dns]\nlisten = ['127.0.0.1:0']\n[zones]\ndirectory = 'zones'\n[state]\ndirectory = 'state'\n[admin]\n\
                        listen = '127.0.0.1:0'\n";

fn start() -> (Lab, Running) {
    let lab = Lab::new(&[]);
    fs::create_dir_all(lab.path("zones")).unwrap();
    lab.write("zones/lab.test.toml", ZONE);
    lab.write("fiftythree.toml", SETTINGS);
    let running = lab.serve();
    (lab, running)
}

/// Runs a command against the server; returns its output, or else its errors.
fn run(lab: &Lab, running: &Running, arguments: &[&str]) -> Result<String, String> {
    let admin = running.admin().to_string();
    let output = lab.run(&[arguments, &["--admin", &admin, "--config", "fiftythree.toml"]].concat());
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn addresses(running: &Running, name: &str) -> Vec<String> {
    running.ask(name, Transport::Udp).addresses
}

#[test]
fn a_record_set_is_set_and_deleted() {
    let (lab, running) = start();
    let set = ["record", "set", "www.lab.test", "A", "192.0.2.7", "--ttl", "9"];
    let printed = run(&lab, &running, &set).unwrap();
    assert!(printed.starts_with("www.lab.test A is set\nundo it with `fiftythree undo C"), "{printed}");
    assert_eq!(addresses(&running, "www.lab.test."), ["192.0.2.7"]);
    let expected = ZONE.replace("ttl = 5", "ttl = 9").replace("192.0.2.1", "192.0.2.7");
    assert_eq!(fs::read_to_string(lab.path("zones/lab.test.toml")).unwrap(), expected);
    run(&lab, &running, &["record", "set", "lab.test", "A", "--alias", "www.lab.test"]).unwrap();
    assert_eq!(addresses(&running, "lab.test."), ["192.0.2.7"]);
    run(&lab, &running, &["record", "delete", "lab.test", "A"]).unwrap();
    run(&lab, &running, &["record", "delete", "www.lab.test", "A"]).unwrap();
    assert_eq!(addresses(&running, "www.lab.test."), [""; 0]);
    let error = run(&lab, &running, &["record", "delete", "www.lab.test", "A"]).unwrap_err();
    assert!(error.contains("there is no record set [name='www.lab.test.', type='A']"), "{error}");
    let error = run(&lab, &running, &["record", "set", "www.other.test", "A", "192.0.2.7"]).unwrap_err();
    assert!(error.contains("no zone contains all names of the batch"), "{error}");
    assert!(running.stop().success());
}

#[test]
fn a_batch_is_made_by_the_server() {
    let (lab, running) = start();
    lab.write(
        "batch.json",
        "{\"Changes\": [{\"Action\": \"CREATE\", \"ResourceRecordSet\": {\"Name\": \"*.new.lab.test\", \"Type\": \"A\", \"TTL\": 5, \
         \"ResourceRecords\": [{\"Value\": \"192.0.2.8\"}]}}]}",
    );
    let made = run(&lab, &running, &["change", "batch.json", "--server"]).unwrap();
    assert!(made.starts_with("CREATE *.new.lab.test. A\nthe zone Z"), "{made}");
    assert_eq!(addresses(&running, "any.new.lab.test."), ["192.0.2.8"]);
    let error = run(&lab, &running, &["change", "batch.json", "--server"]).unwrap_err();
    assert!(error.contains("[name='\\052.new.lab.test.', type='A'] but it already exists"), "{error}");
    assert!(running.stop().success());
}

#[test]
fn a_zone_is_created_and_deleted() {
    let (lab, running) = start();
    let created = run(&lab, &running, &["zone", "create", "app.test", "--comment", "The app"]).unwrap();
    assert!(created.starts_with("app.test is created, its id is Z"), "{created}");
    run(&lab, &running, &["record", "set", "www.app.test", "A", "192.0.2.9"]).unwrap();
    assert_eq!(addresses(&running, "www.app.test."), ["192.0.2.9"]);
    let error = run(&lab, &running, &["zone", "create", "app.test"]).unwrap_err();
    assert!(error.contains("A conflicting domain is already associated"), "{error}");
    let error = run(&lab, &running, &["zone", "delete", "app.test"]).unwrap_err();
    assert!(error.contains("contains non-required resource record sets"), "{error}");
    run(&lab, &running, &["record", "delete", "www.app.test", "A"]).unwrap();
    let deleted = run(&lab, &running, &["zone", "delete", "app.test"]).unwrap();
    assert!(deleted.starts_with("app.test is deleted\nundo it with `fiftythree undo C"), "{deleted}");
    assert!(!lab.path("zones/app.test.toml").exists());
    assert_eq!(fs::read_dir(lab.path("zones/.deleted")).unwrap().count(), 1);
    let error = run(&lab, &running, &["record", "set", "www.app.test", "A", "192.0.2.9"]).unwrap_err();
    assert!(error.contains("no zone contains all names"), "{error}");
    assert!(running.stop().success());
}

#[test]
fn a_server_in_memory_writes_nothing_and_starts_over() {
    let lab = Lab::new(&[]);
    fs::create_dir_all(lab.path("zones")).unwrap();
    lab.write("zones/lab.test.toml", ZONE);
    lab.write("fiftythree.toml", SETTINGS);
    let running = lab.serve_with(&["--config", "fiftythree.toml", "--in-memory"], &[]);
    for _ in 0..2 {
        // It keeps no history, so nothing can be undone.
        let printed = run(&lab, &running, &["record", "set", "www.lab.test", "A", "192.0.2.7"]).unwrap();
        assert_eq!(printed, "www.lab.test A is set\n");
        run(&lab, &running, &["zone", "create", "app.test"]).unwrap();
        run(&lab, &running, &["record", "set", "www.app.test", "A", "192.0.2.9"]).unwrap();
        assert_eq!(addresses(&running, "www.lab.test."), ["192.0.2.7"]);
        assert_eq!(addresses(&running, "www.app.test."), ["192.0.2.9"]);
        let reset = run(&lab, &running, &["reset"]).unwrap();
        assert!(reset.starts_with("reset: serving ") && reset.contains("in 1 zone"), "{reset}");
        assert_eq!(addresses(&running, "www.lab.test."), ["192.0.2.1"]);
        assert_eq!(addresses(&running, "www.app.test."), [""; 0]);
    }
    let files: Vec<_> = fs::read_dir(lab.path("zones")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["lab.test.toml"]);
    assert_eq!(fs::read_to_string(lab.path("zones/lab.test.toml")).unwrap(), ZONE);
    assert!(!lab.path("state").exists());
    assert!(running.stop().success());
}

#[test]
fn only_a_server_in_memory_can_be_reset() {
    let (lab, running) = start();
    let error = run(&lab, &running, &["reset"]).unwrap_err();
    assert!(error.contains("only a server that was started with --in-memory can be reset"), "{error}");
    assert!(running.stop().success());
}

#[test]
fn a_change_waits_for_a_program_that_is_writing_the_file() {
    let (lab, running) = start();
    let path = lab.path("zones/lab.test.toml");
    let last = "\n[[record]]\nname = \"last\"\ntype = \"A\"\nttl = 5\nvalues = [\"192.0.2.44\"]\n";
    fs::write(&path, format!("{ZONE}{last}")).unwrap();
    running.wait_for_answer("last.lab.test.", &["192.0.2.44"]);
    // What is there after the first write is a valid zone, without its last record.
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(ZONE.as_bytes()).unwrap();
    std::thread::scope(|scope| {
        let change = scope.spawn(|| run(&lab, &running, &["record", "set", "new.lab.test", "A", "192.0.2.7"]));
        std::thread::sleep(Duration::from_millis(300));
        file.write_all(last.as_bytes()).unwrap();
        drop(file);
        change.join().unwrap().unwrap();
    });
    for (name, address) in [("last.lab.test.", "192.0.2.44"), ("new.lab.test.", "192.0.2.7")] {
        assert_eq!(addresses(&running, name), [address]);
    }
    // One that does not end is not disturbed.
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(ZONE.as_bytes()).unwrap();
    let error = run(&lab, &running, &["record", "set", "new.lab.test", "A", "192.0.2.8"]).unwrap_err();
    assert!(error.contains("another program is writing the file; nothing is changed"), "{error}");
    file.write_all(last.as_bytes()).unwrap();
    drop(file);
    running.wait_for_answer("new.lab.test.", &[]);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{ZONE}{last}"));
    assert!(running.stop().success());
}

#[test]
fn no_zone_is_created_where_the_other_files_are_missing() {
    let (lab, running) = start();
    fs::rename(lab.path("zones"), lab.path("elsewhere")).unwrap();
    let error = run(&lab, &running, &["zone", "create", "app.test"]).unwrap_err();
    assert!(error.contains("has none of the files that are served; is a mount missing?"), "{error}");
    assert!(!lab.path("zones").exists());
    fs::rename(lab.path("elsewhere"), lab.path("zones")).unwrap();
    run(&lab, &running, &["zone", "create", "app.test"]).unwrap();
    assert_eq!(addresses(&running, "www.lab.test."), ["192.0.2.1"]);
    assert!(running.stop().success());
}
