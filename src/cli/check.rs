//! `fiftythree check`: finds all errors and warnings in settings and zone files.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::config::{self, ListenFlags, LocatedDiagnostic, Style};
use crate::daemon;
use crate::load::{ErrorFree, LoadDiagnostics, Loaded, Refused, Scope, load_offline};
use crate::store::{Overrides, SettingsSource};

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
    /// Zone files [default: all files in the zones directory]
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
struct Checked {
    diagnostics: Arc<LoadDiagnostics>,
    /// How much can be served.
    error_free: ErrorFree,
}

/// Loads all files as a server would, and prints errors and warnings. The exit code is 0 if the
/// files can be served.
pub(super) fn run(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let listen = ListenFlags { environment_key: settings::environment_key(), ..ListenFlags::default() };
    let overrides = Overrides { listen, zones: arguments.zones.clone(), ..Overrides::default() };
    let zones = arguments.zones.as_deref().or(arguments.files.first().map(PathBuf::as_path));
    let file = settings::locate_or_default(arguments.config.as_deref(), zones)?;
    let source = SettingsSource { file, overrides };
    let scope = if arguments.files.is_empty() { Scope::Everything } else { Scope::Zones };
    let mut checked = Checked::of(load_offline(&source, &arguments.files, scope))?;
    if scope == Scope::Everything {
        checked.add_bad_settings(&source);
    }
    if arguments.json {
        print_json(&checked.json())?;
    } else {
        let style = if std::io::stderr().is_terminal() { Style::Coloured } else { Style::Plain };
        print_error(&checked.diagnostics.render(style));
        print(&format!("{}\n", checked.summary()))?;
    }
    Ok(if checked.errors() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Checked {
    fn of(outcome: Result<Loaded, Refused>) -> anyhow::Result<Checked> {
        match outcome {
            Ok(Loaded { summary, .. }) => {
                let error_free = ErrorFree { zones: summary.zones, records: summary.records };
                Ok(Checked { diagnostics: summary.diagnostics, error_free })
            }
            Err(Refused::Diagnostics { diagnostics, error_free }) => Ok(Checked { diagnostics, error_free }),
            Err(refused) => Err(refused.into()),
        }
    }

    /// Adds what is wrong with keys, certificates and secrets, as far as the settings can be read.
    fn add_bad_settings(&mut self, source: &SettingsSource) {
        let reading = source.read();
        let Some(settings) = reading.settings else { return };
        let bad = daemon::bad_settings(&settings, reading.source.as_ref());
        let sources: Vec<_> = reading.source.into_iter().collect();
        Arc::make_mut(&mut self.diagnostics).add(config::locate(&bad, &sources));
    }

    fn errors(&self) -> usize {
        self.diagnostics.errors()
    }

    fn warnings(&self) -> usize {
        self.diagnostics.iter().count() - self.diagnostics.errors()
    }

    /// Such as "3 errors, 1 warning in 2 files; 14 records in 2 zones are fine".
    fn summary(&self) -> String {
        let fine = format!(
            "{} in {} are fine",
            counted(self.error_free.records, "record"),
            counted(self.error_free.zones, "zone")
        );
        let (errors, warnings) = (self.errors(), self.warnings());
        let files = counted(self.diagnostics.by_file().count(), "file");
        match (errors, warnings) {
            (0, 0) => fine,
            (_, 0) => format!("{} in {files}; {fine}", counted(errors, "error")),
            (0, _) => format!("{} in {files}; {fine}", counted(warnings, "warning")),
            (_, _) => format!("{}, {} in {files}; {fine}", counted(errors, "error"), counted(warnings, "warning")),
        }
    }

    fn json(&self) -> Value {
        let diagnostic = |diagnostic: &LocatedDiagnostic| {
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
            "errors": self.errors(),
            "warnings": self.warnings(),
            "zones": self.error_free.zones,
            "records": self.error_free.records,
            "diagnostics": self.diagnostics.iter().map(diagnostic).collect::<Vec<_>>(),
        })
    }
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
