//! Reading the settings file, and what the command line says over it.

use std::path::{Path, PathBuf};

use crate::config::{Diagnostic, ListenFlags, LogFormat, Settings, SourceFile};

use super::read::read_source;

/// Where settings come from, the same at every reload.
#[derive(Clone, Debug, Default)]
pub struct SettingsSource {
    /// The file; without one the built-in defaults hold.
    pub file: Option<PathBuf>,
    /// What the command line says.
    pub overrides: Overrides,
}

/// Settings from the command line; they win over the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--listen` and `--admin`.
    pub listen: ListenFlags,
    /// `--zones`.
    pub zones: Option<PathBuf>,
    /// `--state`.
    pub state: Option<PathBuf>,
    /// `--log-format`.
    pub log_format: Option<LogFormat>,
}

/// What reading the settings gave.
#[derive(Clone, Debug)]
pub struct SettingsReading {
    /// `None` when the file is broken.
    pub settings: Option<Settings>,
    /// All that is wrong or doubtful in the file.
    pub diagnostics: Vec<Diagnostic>,
    /// The text the faults are about.
    pub source: Option<SourceFile>,
}

impl SettingsSource {
    /// Reads the settings as they are now.
    pub fn read(&self) -> SettingsReading {
        let Some(path) = &self.file else {
            let (settings, diagnostics) = Settings::built_in_under(&self.overrides.listen);
            let settings = settings.map(|settings| self.overrides.apply(settings));
            return SettingsReading { settings, diagnostics, source: None };
        };
        match read_source(path) {
            Ok(source) => self.interpret(source),
            Err(problem) => unreadable(path, &problem),
        }
    }

    fn interpret(&self, source: SourceFile) -> SettingsReading {
        let (settings, diagnostics) = Settings::read_under(&source, &self.overrides.listen);
        let settings = settings.map(|settings| self.overrides.apply(settings));
        SettingsReading { settings, diagnostics, source: Some(source) }
    }
}

impl Overrides {
    fn apply(&self, mut settings: Settings) -> Settings {
        // Where to listen is settled when the settings are read, so that two that want one port are found.
        let Overrides { listen: _, zones, state, log_format } = self.clone();
        if let Some(zones) = zones {
            settings.zones.directory = zones;
        }
        if let Some(state) = state {
            settings.state.directory = state;
        }
        if let Some(format) = log_format {
            settings.log.format = format;
        }
        settings
    }
}

fn unreadable(path: &Path, problem: &str) -> SettingsReading {
    SettingsReading { settings: None, diagnostics: vec![Diagnostic::error(path, problem.to_owned())], source: None }
}
