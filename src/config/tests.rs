//! Diagnostics as data: each `tests/faults/*.toml`, and next to it the printed diagnostics.
//!
//! A case can have several files, each after a line `# file: NAME`. Cases named `settings-…` are
//! settings files, `places-…` are place files. After an intended change run `FIFTYTHREE_BLESS=1
//! cargo test --lib faults` to rewrite the expected output, and check it with `git diff`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::model::{EndpointCheck, EndpointTarget, HealthCheckKind};

/// Settings for the cases about VPCs.
const SETTINGS: &str = r#"
[dns]
listen = ["127.0.0.1:5300"]

[[vpc]]
id = "vpc-lab1"
name = "lab"
region = "eu-central-1"
cidrs = ["10.53.0.0/16"]
"#;

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile::new(path, text)
}

fn settings() -> Settings {
    let (settings, diagnostics) = Settings::read(&file("config/fiftythree.toml", SETTINGS));
    assert_eq!(diagnostics, []);
    settings.unwrap()
}

fn repository(path: &str) -> SourceFile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = std::fs::read_to_string(&path).unwrap();
    SourceFile::new(path, text)
}

/// The files of a case.
fn case_files(text: &str) -> Vec<SourceFile> {
    if !text.starts_with("# file: ") {
        return vec![file("zones/lab.test.toml", text)];
    }
    let cut = |part: &str| part.split_once('\n').map(|(name, text)| file(&format!("zones/{name}"), text));
    text.split("# file: ").filter_map(cut).collect()
}

fn case_faults(name: &str, text: &str) -> (Vec<SourceFile>, Vec<Diagnostic>) {
    if name.starts_with("settings-") {
        let source = file("config/fiftythree.toml", text);
        let (_, diagnostics) = Settings::read(&source);
        return (vec![source], diagnostics);
    }
    if name.starts_with("places-") {
        let source = file("places.toml", text);
        let (_, diagnostics) = read_places(&source);
        return (vec![source], diagnostics);
    }
    let files = case_files(text);
    let diagnostics = read_zones(&files, &settings()).diagnostics;
    (files, diagnostics)
}

fn cases() -> Vec<(String, SourceFile)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults");
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|kind| kind == "toml")).collect();
    paths.sort();
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    let read = |path: &PathBuf| repository(path.to_str().unwrap());
    paths.iter().map(|path| (name(path), read(path))).collect()
}

#[test]
fn faults_are_printed_as_expected() {
    let bless = std::env::var_os("FIFTYTHREE_BLESS").is_some();
    let mut different = Vec::new();
    for (name, case) in cases() {
        let (files, diagnostics) = case_faults(&name, &case.text);
        let printed = render(&diagnostics, &files, Style::Plain) + &lines(&diagnostics, &files);
        let expected = case.path.with_extension("txt");
        if bless {
            std::fs::write(&expected, &printed).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != printed {
            different.push(format!("{name}:\n{printed}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn every_fault_points_into_its_file() {
    for (name, case) in cases() {
        let (files, diagnostics) = case_faults(&name, &case.text);
        assert!(!diagnostics.is_empty(), "{name} gives no diagnostics");
        for diagnostic in &diagnostics {
            let source = files.iter().find(|file| file.path == diagnostic.path).unwrap();
            let span = diagnostic.span.clone().unwrap();
            assert!(source.text.get(span).is_some(), "{name}: {diagnostic:?}");
        }
    }
}

#[test]
fn the_files_of_the_repository_have_no_faults() {
    let source = repository("config/fiftythree.toml");
    let (settings, diagnostics) = Settings::read(&source);
    assert_eq!(diagnostics, [], "{}", render(&diagnostics, &[source], Style::Plain));
    let files = [repository("zones/health_checks.toml"), repository("zones/lab.test.toml")];
    let settings = settings.unwrap();
    let reading = read_zones(&files, &settings);
    assert_eq!(reading.diagnostics, [], "{}", render(&reading.diagnostics, &files, Style::Plain));
    assert_eq!(reading.configuration.zones.len(), 1);
    assert_eq!(reading.configuration.health_checks.len(), 6);
    let probed = reading.configuration.health_checks.iter().filter_map(|check| match &check.kind {
        HealthCheckKind::Endpoint(EndpointCheck {
            target: EndpointTarget::Address { ip_address, .. }, port, ..
        }) => Some(SocketAddr::new(*ip_address, *port)),
        _ => None,
    });
    assert_eq!(probed.collect::<BTreeSet<_>>(), settings.lab.backends.into_iter().collect(), "each has a backend");
    for other in ["config/container.toml", "lab/fiftythree.toml"] {
        let (settings, diagnostics) = Settings::read(&repository(other));
        assert_eq!(diagnostics, [], "{other}");
        assert!(settings.unwrap().lab.backends.is_empty(), "{other}");
    }
}

#[test]
fn the_commented_options_of_the_repository_are_right() {
    let source = repository("config/fiftythree.toml");
    let text = source.text.replace("# geoip", "geoip").replace("# name_servers", "name_servers");
    let (settings, diagnostics) = Settings::read(&SourceFile { text: text.as_str().into(), ..source });
    assert_eq!(diagnostics, []);
    let settings = settings.unwrap();
    assert_eq!(settings.location.geoip.len(), 1);
    assert_eq!(settings.dns.name_servers.len(), 1);
}

proptest! {
    #[test]
    fn no_text_panics_the_reader(text in "[a-z\\[\\]\"'=#{},.0-9\n\\\\ é]{0,200}") {
        check_any_text(&text)?;
    }

    /// Real files with a piece cut out and another inserted: nearly valid input is where parsers
    /// fail.
    #[test]
    fn no_wounded_file_panics_the_reader(
        which in 0_usize..2,
        at in any::<prop::sample::Index>(),
        cut in 0_usize..40,
        put in "[a-z\\[\\]\"'=#{},.0-9\n\\\\]{0,6}",
    ) {
        let original = [include_str!("../../zones/lab.test.toml"), include_str!("../../config/fiftythree.toml")][which];
        let start = diagnostic::within(&(at.index(original.len())..original.len()), original).start;
        let end = diagnostic::within(&(start..start + cut), original).end;
        check_any_text(&format!("{}{put}{}", &original[..start], &original[end..]))?;
    }
}

fn check_any_text(text: &str) -> Result<(), TestCaseError> {
    let source = file("zones/lab.test.toml", text);
    let (_, mut diagnostics) = Settings::read(&source);
    diagnostics.extend(read_zones(std::slice::from_ref(&source), &Settings::built_in()).diagnostics);
    for diagnostic in &diagnostics {
        let span = diagnostic.span.clone();
        prop_assert!(span.is_none_or(|span| text.get(span).is_some()), "{:?}", diagnostic);
    }
    render(&diagnostics, std::slice::from_ref(&source), Style::Plain);
    lines(&diagnostics, &[source]);
    Ok(())
}
