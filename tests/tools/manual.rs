//! Manual pages and completions, checked with the programs that read them.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::server::{Lab, text};

/// The `--help` of a command, for its list of subcommands.
fn commands_of(lab: &Lab, path: &[&str]) -> Vec<String> {
    let output = lab.run(&[path, &["--help"]].concat());
    assert!(output.status.success(), "{path:?}: {}", text(&output.stderr));
    let help = text(&output.stdout);
    let Some((_, listing)) = help.split_once("Commands:\n") else { return Vec::new() };
    let listed = listing.lines().take_while(|line| !line.is_empty());
    // Continuation lines are indented further.
    let names = listed.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    names.map(|line| line.split(' ').next().unwrap().to_owned()).filter(|name| name != "help").collect()
}

/// The names of the program and all its commands, from `--help`: fiftythree-override-set.1.
fn expected_pages(lab: &Lab, path: &[&str]) -> BTreeSet<String> {
    let own = [&["fiftythree"], path].concat().join("-") + ".1";
    let below = commands_of(lab, path);
    let below = below.iter().flat_map(|name| expected_pages(lab, &[path, &[name.as_str()]].concat()));
    std::iter::once(own).chain(below).collect()
}

/// Writes all pages to a directory and returns their names.
fn write_pages(lab: &Lab) -> BTreeSet<String> {
    fs::create_dir(lab.path("man1")).unwrap();
    let output = lab.run(&["man", "--directory", "man1"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let entries = fs::read_dir(lab.path("man1")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

pub(crate) fn every_command_has_a_page() {
    let lab = Lab::new(&[]);
    let pages = write_pages(&lab);
    assert_eq!(pages, expected_pages(&lab, &[]));
    assert!(pages.contains("fiftythree-override-set.1"), "{pages:?}");
}

/// All warnings (as with man-db --warnings) and plain text.
pub(crate) fn groff_renders_every_page_without_a_warning() {
    renders("groff", &["-man", "-K", "utf8", "-T", "utf8", "-P", "-cbou", "-ww"]);
}

/// Other systems use mandoc.
pub(crate) fn mandoc_renders_every_page_without_an_error() {
    renders("mandoc", &["-man", "-T", "html", "-W", "error"]);
}

fn renders(program: &str, arguments: &[&str]) {
    let lab = Lab::new(&[]);
    for page in write_pages(&lab) {
        let path = lab.path(&format!("man1/{page}"));
        let output = Command::new(program).args(arguments).arg(path).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{page}:\n{}", text(&output.stderr));
        let shown = text(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
        // A command with subcommands only leaves examples and exit codes to them.
        let own: &[&str] = if shown.contains("SUBCOMMANDS") { &[] } else { &["EXAMPLES", "EXIT STATUS"] };
        for section in ["NAME", "SYNOPSIS", "OPTIONS", "SEE ALSO"].iter().chain(own) {
            assert!(shown.contains(section), "{page}: no {section} in\n{shown}");
        }
    }
}

pub(crate) fn a_page_is_printed_too_and_an_unknown_one_is_not() {
    let lab = Lab::new(&[]);
    let output = lab.run(&["man", "override", "set"]);
    assert!(
        output.status.success() && text(&output.stdout).contains(".TH \"fiftythree-override-set\""),
        "{}",
        text(&output.stdout)
    );
    let output = lab.run(&["man", "overdrive"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("there is: init, import, export, serve, check"), "{}", text(&output.stderr));
}

/// The output of a script in the language of this shell.
fn completes(lab: &Lab, shell: &str, arguments: &[&str], check: &str) -> String {
    let output = lab.run(&["completion", shell]);
    assert!(output.status.success(), "{shell}: {}", text(&output.stderr));
    lab.write("completion", &text(&output.stdout));
    let script = check.replace("SCRIPT", lab.path("completion").to_str().unwrap());
    let mut command = Command::new(shell);
    let output = command.args(arguments).args(["-c", &script]).env("HOME", "/nonexistent").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {}", text(&output.stderr));
    text(&output.stdout)
}

pub(crate) fn bash_completes_commands_options_and_values() {
    let lab = Lab::new(&[]);
    let check = "set -eu; source SCRIPT; complete -p fiftythree >/dev/null
        try() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _fiftythree fiftythree \"${!#}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"; echo \"${COMPREPLY[*]}\"; }
        try fiftythree overr; try fiftythree query --sub; try fiftythree override set --un; try fiftythree serve --log-format j";
    let completed = completes(&lab, "bash", &["--norc", "--noprofile"], check);
    assert_eq!(completed, "override\n--subnet\n--until\njson\n");
}

pub(crate) fn zsh_takes_the_completion_for_its_own() {
    let lab = Lab::new(&[]);
    let check =
        "autoload -U compinit; compinit -u -D; source SCRIPT; print -r -- ${_comps[fiftythree]}; whence -w _fiftythree";
    let shown = completes(&lab, "zsh", &["-f"], check);
    assert_eq!(shown, "_fiftythree\n_fiftythree: function\n");
}

pub(crate) fn fish_completes_commands_and_options() {
    let lab = Lab::new(&[]);
    let check = "source SCRIPT; complete -C 'fiftythree overr'; complete -C 'fiftythree query --sub'";
    let completed = completes(&lab, "fish", &["--no-config"], check);
    let first: Vec<&str> = completed.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(first, ["override", "--subnet"]);
}
