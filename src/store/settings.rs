//! Reads the settings file and applies the command line's overrides.

use std::path::{Path, PathBuf};

use crate::config::{Diagnostic, ListenFlags, LogFormat, NODE_VARIABLE, Settings, SourceFile};
use crate::model::StrictRules;

use super::read::read_source;
use super::watched_files::Targets;

/// Where settings come from; the same for every reload.
#[derive(Clone, Debug, Default)]
pub(crate) struct SettingsSource {
    /// The settings file; `None` for the built-in defaults.
    pub(crate) file: Option<PathBuf>,
    /// The settings of the command line.
    pub(crate) overrides: Overrides,
}

/// Settings of the command line. They take precedence over the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    /// `--listen` and `--admin`.
    pub(crate) listen: ListenFlags,
    /// `--zones`.
    pub(crate) zones: Option<PathBuf>,
    /// `--state`.
    pub(crate) state: Option<PathBuf>,
    /// `--log-format`.
    pub(crate) log_format: Option<LogFormat>,
    /// `--in-memory`: zone files are read at the start and never written.
    pub(crate) in_memory: bool,
    /// `--strict`: the API keeps all rules of strict mode.
    pub(crate) strict: bool,
}

/// The result of reading the settings.
#[derive(Clone, Debug)]
pub(crate) struct SettingsReading {
    /// `None` if the file has errors.
    pub(crate) settings: Option<Settings>,
    /// Errors and warnings about the file.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The source that the diagnostics refer to.
    pub(crate) source: Option<SourceFile>,
}

impl SettingsSource {
    /// Reads the settings file as it is now.
    pub(crate) fn read(&self) -> SettingsReading {
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

    /// The files to watch.
    pub(crate) fn targets(&self, settings: &Settings) -> Targets {
        Targets {
            zones: settings.zone_directories_on_disk(),
            files: self.file.iter().chain(&settings.location.geoip).cloned().collect(),
        }
    }

    /// The defaults, overridden by the command line as far as that has no error.
    pub(crate) fn defaults(&self) -> Settings {
        let settings = Settings::built_in_under(&self.overrides.listen).0.unwrap_or_else(Settings::built_in);
        self.overrides.apply(settings)
    }

    /// The settings in this text of the file.
    pub(crate) fn interpret(&self, source: SourceFile) -> SettingsReading {
        let node = std::env::var(NODE_VARIABLE).ok().filter(|node| !node.is_empty());
        let (settings, diagnostics) = Settings::read_under(&source, &self.overrides.listen, node.as_deref());
        let settings = settings.map(|settings| self.overrides.apply(settings));
        SettingsReading { settings, diagnostics, source: Some(source) }
    }
}

impl Overrides {
    fn apply(&self, mut settings: Settings) -> Settings {
        // The listen flags are applied while the file is read, so that two uses of one port are
        // found.
        let Overrides { listen: _, zones, state, log_format, in_memory: _, strict } = self.clone();
        if let Some(zones) = zones {
            settings.zones.directory = zones;
        }
        if let Some(state) = state {
            settings.state.directory = state;
        }
        if let Some(format) = log_format {
            settings.log.format = format;
        }
        if let Some(api) = settings.api.as_mut().filter(|_| strict) {
            api.strict = StrictRules::all();
        }
        settings
    }
}

fn unreadable(path: &Path, problem: &str) -> SettingsReading {
    SettingsReading { settings: None, diagnostics: vec![Diagnostic::error(path, problem.to_owned())], source: None }
}
