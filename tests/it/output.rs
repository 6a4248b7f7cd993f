//! Output that cannot be written is an error, and a reader that has seen enough is none.
#![cfg(target_os = "linux")]

use std::fs::OpenOptions;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::{Lab, PATIENCE, text};

const ZONE: &str = "name = 'lab.test'\n[[record]]\nname = 'www'\ntype = 'A'\nttl = 60\nvalues = ['192.0.2.1']\n";
const PLACES: &str = "[[place]]\nname = 'Berlin'\nnetworks = ['192.0.2.0/24']\n";

/// Runs a command whose standard output is a full disk.
fn on_a_full_disk(lab: &Lab, arguments: &[&str]) -> (Option<i32>, String) {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = lab.command(arguments).stdout(full).stderr(Stdio::piped()).output().unwrap();
    (output.status.code(), text(&output.stderr))
}

#[test]
fn every_command_that_prints_reports_lost_output() {
    let lab = Lab::new(&[("lab.test.toml", ZONE)]);
    lab.write("places.toml", PLACES);
    let running = lab.serve();
    let (server, admin) = (running.address.to_string(), running.admin());
    let lines: [&[&str]; 21] = [
        &["--help"],
        &["--version"],
        &["query", "--help"],
        &["version"],
        &["version", "--json"],
        &["man"],
        &["completion", "bash"],
        &["check"],
        &["check", "--json"],
        &["init", "new"],
        &["query", "www.lab.test", "--server", &server],
        &["query", "www.lab.test", "--server", &server, "--short"],
        &["query", "www.lab.test", "--server", &server, "--count", "2"],
        &["query", "--self", "--server", &server],
        &["explain", "www.lab.test", "--zone-file", "zones"],
        &["simulate", "--from", "places.toml", "--name", "www.lab.test", "-n", "1", "--healthy"],
        &["health", "--admin", &admin],
        &["override", "list", "--admin", &admin],
        &["watch", "www.lab.test", "--server", &server, "--admin", &admin, "--count", "2"],
        &["demo", "--script"],
        &["demo", "backend", "--listen", "127.0.0.1:0"],
    ];
    for arguments in lines {
        let (code, error) = on_a_full_disk(&lab, arguments);
        assert_eq!(code, Some(1), "{arguments:?}: {error}");
        assert!(error.contains("error: cannot write to standard output: No space left"), "{arguments:?}: {error}");
    }
}

/// As in `fiftythree … | head -1`.
#[test]
fn a_closed_pipe_ends_a_command_without_an_error() {
    let lab = Lab::new(&[("lab.test.toml", ZONE)]);
    let running = lab.serve();
    let (server, admin) = (running.address.to_string(), running.admin());
    let lines: [&[&str]; 3] = [
        &["man"],
        // These never end by themselves.
        &["watch", "www.lab.test", "--server", &server, "--admin", &admin, "--lines"],
        &["health", "--watch", "--json", "--admin", &admin],
    ];
    for arguments in lines {
        let mut child = lab.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let began = Instant::now();
        while child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < PATIENCE, "{arguments:?} does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_server_without_settings_says_what_it_looked_for_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    if std::path::Path::new("/etc/fiftythree/fiftythree.toml").exists() {
        return;
    }
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fiftythree"));
        command.args(arguments).current_dir(directory.path()).env_remove("FIFTYTHREE_CONFIG");
        let output = command.output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    let expected = "error: no settings file found\n  \
                    tried: config/fiftythree.toml, /etc/fiftythree/fiftythree.toml\n  \
                    hint: `fiftythree init DIRECTORY` writes settings and a first zone; `--config FILE` names other settings\n";
    for arguments in [&["serve"][..], &["check"], &["simulate", "--from", "geoip"]] {
        assert_eq!(run(arguments), (Some(1), expected.to_owned()), "{arguments:?}");
    }
    // A start that fails later removes its lock and the directory that it made for it.
    std::fs::create_dir(directory.path().join("zones")).unwrap();
    std::fs::write(directory.path().join("zones/a.toml"), "name = ").unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--admin", "off", "--state", "state"];
    let (code, error) = run(&arguments);
    assert!(code == Some(1) && error.contains("cannot start: 1 error in the files"), "{error}");
    assert!(!directory.path().join("state").exists());
}
