//! The systemd unit of the repository.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::server::{Lab, text};

/// A higher exposure level (of 100) means that the service has lost some of its hardening. The rest
/// is its access to the network with the addresses of the host.
const MOST_EXPOSURE: &str = "20";

/// The unit with this build instead of the installed one.
fn unit() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let unit = fs::read_to_string(home.join("contrib/systemd/fiftythree.service")).unwrap();
    let path = directory.path().join("fiftythree.service");
    fs::write(&path, unit.replace("/usr/local/bin/fiftythree", env!("CARGO_BIN_EXE_fiftythree"))).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

pub(crate) fn the_unit_is_without_fault() {
    let (_directory, unit) = unit();
    let output = Command::new("systemd-analyze").args(["verify", "--man=no", &unit]).output().unwrap();
    let said = text(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

pub(crate) fn the_unit_allows_little() {
    let (_directory, unit) = unit();
    let arguments = ["security", "--offline=true", "--no-pager", "--threshold", MOST_EXPOSURE, &unit];
    let output = Command::new("systemd-analyze").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("Overall exposure level"), "{}", text(&output.stdout));
}

pub(crate) fn the_commands_of_the_unit_are_ones_that_there_are() {
    let (_directory, unit) = unit();
    let lab = Lab::new(&[]);
    let unit = fs::read_to_string(unit).unwrap();
    let commands = unit.lines().filter_map(|line| line.split_once("=").filter(|(key, _)| key.starts_with("Exec")));
    let ours: Vec<&str> =
        commands.filter_map(|(_, line)| line.strip_prefix(env!("CARGO_BIN_EXE_fiftythree"))).collect();
    assert_eq!(ours.len(), 2, "{ours:?}");
    for arguments in ours {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        // A missing settings file is code 1. A wrong command line would be 2.
        let output = lab.run(&arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains("there is no settings file"), "{}", text(&output.stderr));
    }
}
