//! Reading the settings file, and what the command line says over it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::config::{Fault, LogFormat, Settings, SourceFile};

use super::read::{read_bounded, text};

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
    /// `--listen`; empty when absent.
    pub listen: Vec<SocketAddr>,
    /// `--zones`.
    pub zones: Option<PathBuf>,
    /// `--admin`.
    pub admin: Option<SocketAddr>,
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
    pub faults: Vec<Fault>,
    /// The text the faults are about.
    pub source: Option<SourceFile>,
}

impl SettingsSource {
    /// Reads the settings as they are now.
    pub fn read(&self) -> SettingsReading {
        let Some(path) = &self.file else {
            let settings = Some(self.overrides.apply(Settings::built_in()));
            return SettingsReading { settings, faults: Vec::new(), source: None };
        };
        match read_bounded(path).and_then(text) {
            Ok(text) => self.interpret(SourceFile { path: path.clone(), text: text.into() }),
            Err(problem) => unreadable(path, &problem),
        }
    }

    fn interpret(&self, source: SourceFile) -> SettingsReading {
        let (settings, faults) = Settings::read(&source);
        let settings = settings.map(|settings| self.overrides.apply(settings));
        SettingsReading { settings, faults, source: Some(source) }
    }
}

impl Overrides {
    fn apply(&self, mut settings: Settings) -> Settings {
        let Overrides { listen, zones, admin, state, log_format } = self.clone();
        if !listen.is_empty() {
            settings.dns.listen = listen;
        }
        if let Some(zones) = zones {
            settings.zones.directory = zones;
        }
        if admin.is_some() {
            settings.admin.listen = admin;
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
    SettingsReading { settings: None, faults: vec![Fault::error(path, problem)], source: None }
}
