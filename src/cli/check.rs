//! `fiftythree check`: finds all errors and warnings in settings and zone files.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::config::{self, Configuration, Diagnostic, ReportedFault, Settings, SourceFile, Style, ZoneSource};
use crate::load::read_database;
use crate::model::Name;
use crate::store::{Overrides, SettingsSource, Writers, read_zone_files, read_zone_list};

use super::{print, print_error, print_json, settings};

const EXAMPLES: &str = "\
Examples:
  fiftythree check                     the settings and zones that `serve` would read
  fiftythree check --zones ./zones
  fiftythree check zones/*.toml        these zone files, as if nothing else existed
  fiftythree check --json | jq '.diagnostics[]'

It changes nothing and sends nothing over the network.

Exit code: 0 when everything can be served (warnings may remain); 1 when there are errors; 2 for a wrong command line.";

/// Find all errors in settings and zones.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CheckArguments {
    /// Zone files; without any, all of the zones directory
    #[arg(value_name = "FILES", conflicts_with = "zones")]
    files: Vec<PathBuf>,
    /// The settings file
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The directory of zone files
    #[arg(short, long, value_name = "DIRECTORY")]
    zones: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The result.
struct Diagnostics {
    sources: Vec<SourceFile>,
    diagnostics: Vec<Diagnostic>,
    configuration: Configuration,
}

/// Reads all files and prints errors and warnings. The exit code is 0 if the files can be served.
pub(super) fn run(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let overrides = Overrides { zones: arguments.zones.clone(), ..Overrides::default() };
    let zones = arguments.zones.as_deref().or(arguments.files.first().map(PathBuf::as_path));
    let file = settings::locate_or_default(arguments.config.as_deref(), zones)?;
    let source = SettingsSource { file, overrides };
    let diagnostics = find(&source, &arguments.files);
    if arguments.json {
        print_json(&diagnostics.json())?;
    } else {
        let style = if std::io::stderr().is_terminal() { Style::Coloured } else { Style::Plain };
        print_error(&config::render(&diagnostics.diagnostics, &diagnostics.sources, style));
        print(&format!("{}\n", diagnostics.summary()))?;
    }
    Ok(if diagnostics.count(Diagnostic::is_error) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn find(source: &SettingsSource, named: &[PathBuf]) -> Diagnostics {
    let reading = source.read();
    // With broken settings, zones are checked with the defaults.
    let settings = reading.settings.unwrap_or_else(Settings::built_in);
    let (sources, mut diagnostics) = (reading.source, reading.diagnostics);
    let read = match named {
        [] => read_zone_files(&settings.zones.directory, &[], &Writers::unknown(), nothing_before, |_, _| None),
        named => read_zone_list(named, nothing_before),
    };
    diagnostics.extend(read.diagnostics.iter().cloned());
    let files = read.texts();
    let zones = config::read_zones(&files, &settings);
    diagnostics.extend(zones.diagnostics);
    if named.is_empty() {
        diagnostics.extend(config::resolve_sentinels(&settings, &zones.configuration.health_checks).1);
        diagnostics.extend(database_faults(&settings));
        diagnostics.extend(name_server_warning(&settings, &zones.configuration));
    }
    let sources = sources.into_iter().chain(files).collect();
    Diagnostics { sources, diagnostics, configuration: zones.configuration }
}

/// Reads the geo database too, since the server does not start with an unusable one.
fn database_faults(settings: &Settings) -> Vec<Diagnostic> {
    settings.location.geoip.iter().filter_map(|path| read_database(path).err()).map(|diagnostic| *diagnostic).collect()
}

/// The default name server addresses are loopback, which resolvers cannot reach.
fn name_server_warning(settings: &Settings, configuration: &Configuration) -> Option<Diagnostic> {
    let found =
        |source: &ZoneSource| Some((source.file.clone(), config::loopback_name_server(&source.zone, &settings.dns)?));
    let found: Vec<(PathBuf, Name)> = configuration.zones.iter().filter_map(found).collect();
    config::warn_of_loopback_name_servers(found.iter().map(|(path, name)| (path.as_path(), name)))
}

fn nothing_before(_: &Path) -> Option<SourceFile> {
    None
}

impl Diagnostics {
    fn count(&self, of: impl Fn(&Diagnostic) -> bool) -> usize {
        self.diagnostics.iter().filter(|diagnostic| of(diagnostic)).count()
    }

    fn record_count(&self) -> usize {
        self.configuration.zones.iter().map(|zone| zone.zone.record_sets.len()).sum()
    }

    /// Such as "3 errors, 1 warning in 2 files; 14 records in 2 zones are fine".
    fn summary(&self) -> String {
        let fine = format!(
            "{} in {} are fine",
            counted(self.record_count(), "record"),
            counted(self.configuration.zones.len(), "zone")
        );
        let (errors, warnings) = (self.count(Diagnostic::is_error), self.count(|diagnostic| !diagnostic.is_error()));
        let files =
            counted(self.diagnostics.iter().map(|diagnostic| &diagnostic.path).collect::<BTreeSet<_>>().len(), "file");
        match (errors, warnings) {
            (0, 0) => fine,
            (_, 0) => format!("{} in {files}; {fine}", counted(errors, "error")),
            (0, _) => format!("{} in {files}; {fine}", counted(warnings, "warning")),
            (_, _) => format!("{}, {} in {files}; {fine}", counted(errors, "error"), counted(warnings, "warning")),
        }
    }

    fn json(&self) -> Value {
        let diagnostic = |diagnostic: ReportedFault| {
            json!({
                "severity": diagnostic.severity.as_str(),
                "file": diagnostic.path.display().to_string(),
                "line": diagnostic.line,
                "column": diagnostic.column,
                "message": diagnostic.message,
                "label": diagnostic.label,
                "hint": diagnostic.hint,
            })
        };
        json!({
            "errors": self.count(Diagnostic::is_error),
            "warnings": self.count(|diagnostic| !diagnostic.is_error()),
            "zones": self.configuration.zones.len(),
            "records": self.record_count(),
            "faults": config::report(&self.diagnostics, &self.sources).into_iter().map(diagnostic).collect::<Vec<_>>(),
        })
    }
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
