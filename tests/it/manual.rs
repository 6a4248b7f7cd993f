//! Manual pages and completions, checked with the programs that read them.
//!
//! A program that is not installed is skipped with a message. `.ci/run` installs them all.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

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

/// Runs a program; `None` if it is not installed.
fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(program).args(arguments).env("HOME", "/nonexistent").output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // Written directly, because the test harness would capture it.
            let _ = writeln!(std::io::stderr(), "!!!!! NOT CHECKED with {program}: it is not installed");
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

#[test]
fn every_command_has_a_page_that_renders_without_a_complaint() {
    let lab = Lab::new(&[]);
    fs::create_dir(lab.path("man1")).unwrap();
    let output = lab.run(&["man", "--directory", "man1"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let pages: BTreeSet<String> = fs::read_dir(lab.path("man1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(pages, expected_pages(&lab, &[]));
    assert!(pages.contains("fiftythree-override-set.1"), "{pages:?}");
    for page in &pages {
        renders(&lab.path(&format!("man1/{page}")));
    }
}

fn renders(page: &Path) {
    let page = page.to_str().unwrap();
    // All warnings of groff (as with man-db --warnings) and plain text; and mandoc, which other
    // systems use.
    let tools: [(&str, &[&str]); 2] = [
        ("groff", &["-man", "-K", "utf8", "-T", "utf8", "-P", "-cbou", "-ww", page]),
        ("mandoc", &["-man", "-T", "html", "-W", "error", page]),
    ];
    for (program, arguments) in tools {
        let Some(output) = run(program, arguments) else { continue };
        assert!(output.status.success() && output.stderr.is_empty(), "{program} {page}:\n{}", text(&output.stderr));
        let shown = text(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
        // A command with subcommands only leaves examples and exit codes to them.
        let own: &[&str] = if shown.contains("SUBCOMMANDS") { &[] } else { &["EXAMPLES", "EXIT STATUS"] };
        for section in ["NAME", "SYNOPSIS", "OPTIONS", "SEE ALSO"].iter().chain(own) {
            assert!(shown.contains(section), "{program} {page}: no {section} in\n{shown}");
        }
    }
}

#[test]
fn a_page_is_printed_too_and_an_unknown_one_is_not() {
    let lab = Lab::new(&[]);
    let output = lab.run(&["man", "override", "set"]);
    assert!(
        output.status.success() && text(&output.stdout).contains(".TH \"fiftythree-override-set\""),
        "{}",
        text(&output.stdout)
    );
    let output = lab.run(&["man", "overdrive"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("there is: init, serve, check"), "{}", text(&output.stderr));
}

/// A script in the language of this shell that prints the completions.
fn completes(lab: &Lab, shell: &str, arguments: &[&str], check: &str) -> Option<String> {
    let output = lab.run(&["completion", shell]);
    assert!(output.status.success(), "{shell}: {}", text(&output.stderr));
    lab.write("completion", &text(&output.stdout));
    let script = check.replace("SCRIPT", lab.path("completion").to_str().unwrap());
    let output = run(shell, &[arguments, &["-c", &script]].concat())?;
    assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {}", text(&output.stderr));
    Some(text(&output.stdout))
}

#[test]
fn bash_completes_commands_options_and_values() {
    let lab = Lab::new(&[]);
    let check = "set -eu; source SCRIPT; complete -p fiftythree >/dev/null
        try() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _fiftythree fiftythree \"${!#}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"; echo \"${COMPREPLY[*]}\"; }
        try fiftythree overr; try fiftythree query --sub; try fiftythree override set --un; try fiftythree serve --log-format j";
    let Some(completed) = completes(&lab, "bash", &["--norc", "--noprofile"], check) else { return };
    assert_eq!(completed, "override\n--subnet\n--until\njson\n");
}

#[test]
fn zsh_takes_the_completion_for_its_own() {
    let lab = Lab::new(&[]);
    let check =
        "autoload -U compinit; compinit -u -D; source SCRIPT; print -r -- ${_comps[fiftythree]}; whence -w _fiftythree";
    let Some(shown) = completes(&lab, "zsh", &["-f"], check) else { return };
    assert_eq!(shown, "_fiftythree\n_fiftythree: function\n");
}

#[test]
fn fish_completes_commands_and_options() {
    let lab = Lab::new(&[]);
    let check = "source SCRIPT; complete -C 'fiftythree overr'; complete -C 'fiftythree query --sub'";
    let Some(completed) = completes(&lab, "fish", &["--no-config"], check) else { return };
    let first: Vec<&str> = completed.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(first, ["override", "--subnet"]);
}
