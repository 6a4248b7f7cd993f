//! The state directory end to end: the state of an earlier version is read, damage affects one zone
//! only, and other users cannot read it.
//!
//! `tests/state/0.1` was written by version 0.1 and never changes: every later version must read
//! it. The server had the zone files in `copies`. The endpoints of checks `blue` and `red` were
//! down, that of `green` was up; `green` was draining and `re*` was overridden to up. `copies` has
//! the original names of the zone files. The state directory names them after whole paths, as
//! `name_of_copy` computes.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use hickory_proto::op::ResponseCode;
use serde_json::Value;

use crate::server::{Lab, Running, Transport, get, shown, text};

const VPC: &str = "[[vpc]]\nid = 'vpc-1'\nregion = 'eu-central-1'\ncidrs = ['127.0.0.2/32']\n";

/// The name of the copy of a zone file in `last-good`, as version 0.1 made it.
fn name_of_copy(path: &Path) -> String {
    let escape = |byte: &u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(*byte).to_string(),
        other => format!("%{other:02X}"),
    };
    let escaped: String = path.as_os_str().as_encoded_bytes().iter().map(escape).collect();
    if escaped.len() <= 200 {
        return escaped;
    }
    let add = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = escaped.bytes().fold(0xcbf2_9ce4_8422_2325, add);
    format!("{hash:016x}{}", &escaped[escaped.len() - 184..])
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/state/0.1")
}

/// The zone files of version 0.1, by name.
fn copies() -> Vec<(String, String)> {
    let entries = fs::read_dir(fixture().join("copies")).unwrap().map(|entry| entry.unwrap().path());
    let named =
        |path: PathBuf| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap());
    entries.map(named).collect()
}

/// The state directory and zone files of version 0.1, in a lab.
fn lab_of_0_1() -> Lab {
    let lab = Lab::new(&[]);
    let settings = fs::read_to_string(lab.path("fiftythree.toml")).unwrap();
    lab.write("fiftythree.toml", &(settings + VPC));
    fs::create_dir_all(lab.path("state/last-good")).unwrap();
    fs::write(lab.path("state/lock"), "").unwrap();
    fs::copy(fixture().join("health.journal"), lab.path("state/health.journal")).unwrap();
    for (name, text) in copies() {
        lab.write(&format!("zones/{name}"), &text);
        let copy = name_of_copy(&lab.path("zones").join(name));
        fs::write(lab.path("state/last-good").join(copy), text).unwrap();
    }
    lab
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// All files in a directory and below.
fn files_in(directory: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files_in(&path) } else { vec![path] }).collect()
}

fn json(server: &Running, path: &str) -> Value {
    serde_json::from_str(&get(&server.admin(), path, "*/*").unwrap()).unwrap()
}

fn code(server: &Running, name: &str) -> ResponseCode {
    server.ask(name, Transport::Udp).code
}

#[test]
fn statuses_overrides_and_copies_of_version_0_1_survive() {
    let lab = lab_of_0_1();
    let long = copies().into_iter().map(|(name, _)| name).find(|name| name.len() > 100).unwrap();
    // All are broken, so their copies are served.
    for (name, _) in copies() {
        lab.write(&format!("zones/{name}"), "[[record]\n");
    }
    let server = lab.serve();
    // `red` is overridden to up, and `green` is drained.
    server.wait_for_log("2 of 3 health checks are unhealthy at the start: blue, green");
    let log = server.log();
    assert!(log.contains("restored the state of 3 health checks") && log.contains("healthy=1 unhealthy=2"), "{log}");
    assert_eq!(server.log().matches("its last good version is served").count(), 4, "{}", server.log());
    assert!(server.log().contains(&long), "{}", server.log());
    assert_eq!(server.ask("www.long.test.", Transport::Udp).addresses, ["192.0.2.31"]);
    // A private zone, which this client does not see.
    assert_eq!(code(&server, "www.corp.test."), ResponseCode::Refused);
    assert_eq!(json(&server, "/v1/status")["zones"], 3);

    let health = json(&server, "/v1/health?name=*&history=1");
    let check = |name: &str| health["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap();
    let [blue, green, red] = ["blue", "green", "red"].map(check);
    let why = |check: &Value, what: &str, words: &str| assert!(check[what].to_string().contains(words), "{check}");
    for check in [blue, red] {
        why(check, "transitions", "first result: Failure: The connection was refused by the endpoint.");
    }
    // Nothing listens there any more: this is the saved state.
    why(green, "results", "Success: The connection was established.");
    let overridden = |check: &Value| {
        ["pattern", "action", "author", "reason"].map(|key| check["overridden"][key].as_str().unwrap().to_owned())
    };
    assert_eq!(overridden(green), ["green", "drain", "ada", "kernel update"]);
    assert_eq!(overridden(red), ["re*", "up", "ada", "a false alarm"]);
    assert_eq!((&green["status"], &red["status"]), (&"unhealthy".into(), &"healthy".into()));
    assert_eq!(red["overridden"]["until"], "2099-01-01T00:00:00Z");
    assert!(server.stop().success());
}

#[test]
fn what_version_0_1_left_open_is_closed_to_others_and_written_with_checksums() {
    let lab = lab_of_0_1();
    let state = lab.path("state");
    files_in(&state).iter().for_each(|file| set_mode(file, 0o644));
    [state.clone(), state.join("last-good")].iter().for_each(|directory| set_mode(directory, 0o755));
    let server = lab.serve();
    assert!(!server.log().contains("WARN") || !server.log().contains("access to the state"), "{}", server.log());
    assert!(server.stop().success());
    assert_eq!([&state, &state.join("last-good")].map(|path| mode(path)), [0o700; 2]);
    let files = files_in(&state);
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
    for (name, text) in copies() {
        let copy =
            fs::read_to_string(state.join("last-good").join(name_of_copy(&lab.path("zones").join(name)))).unwrap();
        assert!(copy.starts_with("#:fiftythree-copy 1 ") && copy.ends_with(&text), "{copy}");
    }
    assert!(state.join("zone-index").is_file());
}

#[test]
fn a_state_directory_that_cannot_be_tightened_is_one_warning_and_links_in_it_are_not_followed() {
    let lab = lab_of_0_1();
    let (state, theirs) = (lab.path("state"), lab.path("theirs"));
    // Shared by the users of a machine, as /tmp is.
    set_mode(&state, 0o1777);
    fs::write(&theirs, "theirs").unwrap();
    set_mode(&theirs, 0o644);
    for name in ["lock", "zone-index", "health.journal.unfinished"] {
        let _ = fs::remove_file(state.join(name));
        symlink(&theirs, state.join(name)).unwrap();
    }
    let server = lab.serve();
    assert_eq!(
        server.log().matches("other users may have access to the state directory").count(),
        1,
        "{}",
        server.log()
    );
    assert_eq!(server.ask("www.long.test.", Transport::Udp).addresses, ["192.0.2.31"]);
    assert!(server.stop().success());
    assert_eq!(
        (mode(&state), mode(&theirs), fs::read_to_string(&theirs).unwrap()),
        (0o1777, 0o644, "theirs".to_owned())
    );
    assert!(files_in(&state).iter().all(|file| mode(file) == 0o600));
}

const PARENT: &str = "name = 'lab.test'\n[[record]]\nname = '*'\ntype = 'A'\nttl = 60\nvalues = ['192.0.2.1']\n";

#[test]
fn a_broken_zone_without_a_usable_copy_is_servfail_and_says_so_everywhere() {
    let child = PARENT.replace("lab.test", "child.lab.test").replace("192.0.2.1", "192.0.2.2");
    let lab = Lab::new(&[("child.toml", &child), ("lab.toml", PARENT)]);
    assert!(lab.serve().stop().success());
    let file = lab.path("zones/child.toml");
    let copy = lab.path("state/last-good").join(name_of_copy(&file));
    let whole = fs::read_to_string(&copy).unwrap();
    // Truncated at the end of a line: a zone without its record remains.
    fs::write(&copy, &whole[..whole.find("[[record]]").unwrap()]).unwrap();
    lab.write("zones/child.toml", &child.replace("192.0.2.2", "192.0.2.256"));

    let server = lab.serve();
    for transport in [Transport::Udp, Transport::Tcp] {
        let answer = server.ask("www.child.lab.test.", transport);
        assert_eq!((answer.code, answer.addresses), (ResponseCode::ServFail, vec![]), "{transport:?}");
    }
    assert_eq!(server.ask("www.lab.test.", Transport::Udp).addresses, ["192.0.2.1"]);
    let why = format!("{} is broken and no usable copy of it is kept", shown(&file));
    assert!(server.log().contains("ERROR") && server.log().contains(&why), "{}", server.log());
    let admin = server.admin();
    let ready = get(&admin, "/readyz", "*/*").unwrap();
    assert!(ready.starts_with("ready\n") && ready.contains(&why), "{ready}");
    let status = json(&server, "/v1/status");
    let unavailable = &status["last_load"]["unavailable"];
    assert_eq!((&unavailable[0]["zone"], &unavailable[0]["file"]), (&"child.lab.test.".into(), &shown(&file).into()));
    let metrics = get(&admin, "/metrics", "*/*").unwrap();
    for line in [
        "fiftythree_dns_responses_total{rcode=\"SERVFAIL\",zone=\"child.lab.test.\"} 2",
        "fiftythree_config_zones_unavailable 1",
        "fiftythree_config_zones 1",
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line}\n{metrics}");
    }
    let explained = lab.run(&["explain", "www.child.lab.test", "--admin", &admin]);
    let explained = text(&explained.stdout) + &text(&explained.stderr);
    // It is wrapped to the terminal width.
    let words = explained.split(|c: char| c.is_whitespace() || c == '│').filter(|word| !word.is_empty());
    let words = words.collect::<Vec<_>>().join(" ");
    assert!(words.contains("SERVFAIL") && words.contains("no usable copy of it is kept"), "{explained}");

    lab.write("zones/child.toml", &child);
    server.wait_for_answer("www.child.lab.test.", &["192.0.2.2"]);
    assert_eq!(get(&admin, "/readyz", "*/*").as_deref(), Some("ready\n"));
}
