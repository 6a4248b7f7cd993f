//! `fiftythree init`: what it writes is served as it is, and nothing is overwritten.
#![cfg(unix)]

use std::fs;
use std::path::Path;

use crate::server::{Lab, Transport, text};

/// The paths of all files and directories below a directory, sorted.
fn listing(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_path_buf()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            found.push(path.strip_prefix(directory).unwrap().display().to_string());
            if path.is_dir() {
                directories.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Runs `init`, which must fail; returns the error.
fn refused(lab: &Lab, arguments: &[&str]) -> String {
    let before = listing(&lab.path(""));
    let output = lab.run(&[&["init"], arguments].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert_eq!(listing(&lab.path("")), before, "something was written");
    text(&output.stderr)
}

#[test]
fn its_files_are_clean_and_served_as_they_are() {
    let lab = Lab::new(&[]);
    let output = lab.run(&["init", "new/my dns", "--zone", "shop.example.net"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let files = ["fiftythree.toml", "zones", "zones/shop.example.net.toml"];
    assert_eq!(listing(&lab.path("new/my dns")), files);

    let config = ["--config", "new/my dns/fiftythree.toml"];
    let check = lab.run(&[&["check"], &config[..]].concat());
    assert_eq!((check.status.code(), text(&check.stderr).as_str()), (Some(0), ""), "{}", text(&check.stdout));

    let free = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let running = lab.serve_with(&[&config[..], &free].concat(), &[]);
    let addresses = |name: &str| {
        let mut addresses = running.ask(name, Transport::Udp).addresses;
        addresses.sort();
        addresses
    };
    assert_eq!(addresses("www.shop.example.net."), ["192.0.2.10", "192.0.2.11"]);
    assert_eq!(addresses("ns1.shop.example.net."), ["127.0.0.1"]);
    assert_eq!(addresses("app.shop.example.net.").len(), 1);
    let server = running.address.to_string();
    let short = |record_type: &str| {
        let output = lab.run(&["query", "shop.example.net", record_type, "--short", "--server", &server]);
        text(&output.stdout)
    };
    assert_eq!(short("NS"), "ns1.shop.example.net.\n");
    assert!(short("SOA").starts_with("ns1.shop.example.net. hostmaster.shop.example.net. 1 "), "{}", short("SOA"));
    let explained = lab.run(&["explain", "app.shop.example.net", "--admin", &running.admin()]);
    assert!(text(&explained.stdout).contains("app-first"), "{}", text(&explained.stdout));
    assert!(running.stop().success());
}

#[test]
fn the_printed_commands_are_valid_in_a_shell() {
    let lab = Lab::new(&[]);
    let output = lab.run(&["init", "it's mine"]);
    let program = env!("CARGO_BIN_EXE_fiftythree");
    let steps = text(&output.stdout);
    let commands: Vec<&str> = steps.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    let config = r"--config 'it'\''s mine/fiftythree.toml'";
    assert_eq!(
        commands,
        [
            &format!("{program} serve {config}"),
            "dig @127.0.0.1 -p 5300 www.example.test",
            &format!("{program} query www.example.test {config}"),
            &format!("{program} explain app.example.test {config}"),
            "http://127.0.0.1:8053/",
            &format!("{program} watch app.example.test {config}"),
            "curl -X POST http://127.0.0.1:8080/fail",
            "curl -X POST http://127.0.0.1:8080/recover",
        ]
    );
    // The command in the settings file, as a shell reads it.
    let settings = fs::read_to_string(lab.path("it's mine/fiftythree.toml")).unwrap();
    let check = settings.lines().find_map(|line| line.strip_prefix("# After each edit: fiftythree ")).unwrap();
    let run = std::process::Command::new("sh")
        .args(["-c", &format!("{program} {check}")])
        .current_dir(lab.path(""))
        .output()
        .unwrap();
    assert!(run.status.success(), "{check}: {}", text(&run.stderr));
}

#[test]
fn a_directory_without_these_names_is_used_and_kept() {
    let lab = Lab::new(&[]);
    fs::create_dir_all(lab.path("mine/zones")).unwrap();
    lab.write("mine/notes.txt", "mine");
    lab.write("mine/zones/other.test.toml", "name = 'other.test'\n");
    let output = lab.run(&["init", "mine", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = serde_json::json!({
        "zone": "example.test",
        "settings": "mine/fiftythree.toml",
        "zone_file": "mine/zones/example.test.toml",
    });
    assert_eq!(json, expected);
    assert_eq!(fs::read_to_string(lab.path("mine/notes.txt")).unwrap(), "mine");
    // Another zone goes next to the first one in a directory of its own only.
    let error = refused(&lab, &["mine", "--zone", "second.test"]);
    assert!(error.starts_with("error: mine/fiftythree.toml exists\n  hint: "), "{error}");
}

#[test]
fn a_file_that_exists_is_named_and_nothing_is_written() {
    let lab = Lab::new(&[]);
    assert!(lab.run(&["init", "mine"]).status.success());
    assert!(refused(&lab, &["mine"]).starts_with("error: mine/fiftythree.toml exists"));
    fs::remove_file(lab.path("mine/fiftythree.toml")).unwrap();
    assert!(refused(&lab, &["mine"]).starts_with("error: mine/zones/example.test.toml exists"));
    // A link that leads nowhere is a name that is taken, too.
    std::os::unix::fs::symlink("nowhere", lab.path("mine/fiftythree.toml")).unwrap();
    assert!(refused(&lab, &["mine", "--zone", "b.test"]).starts_with("error: mine/fiftythree.toml exists"));
}

#[test]
fn what_cannot_be_created_is_an_error_that_leaves_nothing() {
    let lab = Lab::new(&[]);
    lab.write("file", "mine");
    let error = refused(&lab, &["file"]);
    assert!(error.starts_with("error: cannot create the directory file"), "{error}");
    // The settings could be written, the zone could not.
    fs::create_dir(lab.path("half")).unwrap();
    lab.write("half/zones", "a file");
    let error = refused(&lab, &["half"]);
    assert!(error.starts_with("error: cannot create the directory half/zones"), "{error}");
    // Here root may not write either.
    let error = refused(&lab, &["/proc/self/my-dns"]);
    assert!(error.starts_with("error: cannot create the directory /proc/self/my-dns"), "{error}");
}
