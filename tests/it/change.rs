//! `fiftythree change`: record sets change in the file, and in the answers of a running server.
#![cfg(unix)]

use std::fs;
use std::time::{Duration, Instant};

use crate::server::{Lab, Transport, text};

const ZONE: &str = "# The zone.\nname = \"lab.test\"\n\n# The web server.\n[[record]]\nname = \"www\"\ntype = \"A\"\nttl = 5 \
                    # short\nvalues = [\"192.0.2.1\"]\n";

fn batch(action: &str, name: &str, address: &str) -> String {
    format!(
        "{{\"Changes\": [{{\"Action\": \"{action}\", \"ResourceRecordSet\": {{\"Name\": \"{name}\", \"Type\": \"A\", \"TTL\": 5, \
         \"ResourceRecords\": [{{\"Value\": \"{address}\"}}]}}}}]}}"
    )
}

/// Writes the batch and runs the command; returns its exit code, output and errors.
fn change(lab: &Lab, batch: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    lab.write("batch.json", batch);
    let output = lab.run(&[&["change", "batch.json", "--zones", "zones"], arguments].concat());
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn lab() -> Lab {
    let lab = Lab::new(&[]);
    fs::create_dir_all(lab.path("zones")).unwrap();
    lab.write("zones/lab.test.toml", ZONE);
    lab
}

#[test]
fn a_running_server_answers_what_was_changed() {
    let lab = lab();
    let running = lab.serve_with(&["--zones", "zones", "--listen", "127.0.0.1:0", "--admin", "off"], &[]);
    let (code, out, errors) = change(&lab, &batch("UPSERT", "www.lab.test", "192.0.2.9"), &[]);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{out}");
    assert_eq!(out, "UPSERT www.lab.test. A\nzones/lab.test.toml is changed\n");
    assert_eq!(fs::read_to_string(lab.path("zones/lab.test.toml")).unwrap(), ZONE.replace("192.0.2.1", "192.0.2.9"));
    let until = Instant::now() + Duration::from_secs(10);
    while running.ask("www.lab.test.", Transport::Udp).addresses != ["192.0.2.9"] {
        assert!(Instant::now() < until, "the server does not answer the change");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(running.stop().success());
}

#[test]
fn a_refused_batch_says_why_and_writes_nothing() {
    let lab = lab();
    let cases = [
        (
            batch("CREATE", "www.lab.test", "192.0.2.9"),
            &[][..],
            "[name='www.lab.test.', type='A'] but it already exists",
        ),
        (batch("DELETE", "www.lab.test", "192.0.2.9"), &[], "the values provided do not match the current values"),
        (batch("DELETE", "old.lab.test", "192.0.2.9"), &[], "but it was not found"),
        (batch("CREATE", "www.other.test", "192.0.2.9"), &[], "no zone contains all names of the batch"),
        (batch("CREATE", "new.lab.test", "192.0.2.9"), &["--zone", "other.test"], "no zone has the name or the id"),
        (batch("CREATE", "new.lab.test", "192.0.2"), &[], "Invalid Resource Record: '"),
        ("{".to_owned(), &[], "the change batch is not valid: EOF"),
    ];
    for (batch, arguments, message) in cases {
        let (code, out, errors) = change(&lab, &batch, arguments);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{errors}");
        assert!(errors.starts_with("error: ") && errors.contains(message), "{errors}");
        assert_eq!(fs::read_to_string(lab.path("zones/lab.test.toml")).unwrap(), ZONE);
    }
}

#[test]
fn a_dry_run_writes_nothing_and_json_lists_the_changes() {
    let lab = lab();
    let (code, out, _) = change(&lab, &batch("CREATE", "new.lab.test", "192.0.2.9"), &["--dry-run", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    let changes =
        serde_json::json!([{ "action": "CREATE", "name": "new.lab.test.", "type": "A", "set_identifier": null }]);
    assert_eq!(json, serde_json::json!({ "file": "zones/lab.test.toml", "written": false, "changes": changes }));
    assert_eq!((code, fs::read_to_string(lab.path("zones/lab.test.toml")).unwrap().as_str()), (Some(0), ZONE));
}

/// Many changes from several processes at once: each applies its batch to what the others wrote.
#[test]
fn changes_at_the_same_time_lose_nothing() {
    let lab = lab();
    std::thread::scope(|scope| {
        for worker in 0..3 {
            let lab = &lab;
            scope.spawn(move || {
                for number in 0..5 {
                    let file = format!("batch-{worker}.json");
                    let batch = batch("CREATE", &format!("n{worker}-{number}.lab.test"), "192.0.2.9");
                    fs::write(lab.path(&file), batch).unwrap();
                    let output = lab.run(&["change", &file, "--zones", "zones"]);
                    assert!(output.status.success(), "{}", text(&output.stderr));
                }
            });
        }
    });
    let changed = fs::read_to_string(lab.path("zones/lab.test.toml")).unwrap();
    assert!(changed.starts_with(ZONE), "{changed}");
    assert_eq!(changed.matches("name = \"n").count(), 15, "{changed}");
}
