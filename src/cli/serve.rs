//! `fiftythree serve`: the server, in the foreground.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use crate::causes::with_causes;
use crate::config::{self, AddressFlag, Diagnostic, ListenFlags, LogFormat, Settings, SourceFile, Style};
use crate::daemon::Ended;
use crate::privilege;
use crate::store::{Overrides, SettingsSource};
use crate::{daemon, logging};

use super::{print_error, settings};

const EXAMPLES: &str = "\
Examples:
  fiftythree serve                            with ./config/fiftythree.toml
  fiftythree serve --zones ./zones --listen 127.0.0.1:5300
  fiftythree serve --listen 127.0.0.1:0       on a free port, which it prints
  fiftythree serve --in-memory                for tests: writes nothing, `fiftythree reset` starts over

Edited zones and settings are reloaded automatically; SIGHUP reloads at once. A broken file is reported, and its last good \
version stays in force. SIGTERM and SIGINT complete the queries in flight and stop; a second one stops at once.

RUST_LOG sets the log level, such as RUST_LOG=debug.

Exit code: 0 after a signal to stop; 1 when the server cannot start, or a second signal stopped it at once; \
2 for a wrong command line.";

/// Serve the zones.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ServeArguments {
    /// The settings file
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Listen on this address (UDP and TCP) instead of those in the settings; may be repeated
    #[arg(short, long, value_name = "ADDRESS:PORT")]
    listen: Vec<SocketAddr>,
    /// The directory of zone files
    #[arg(short, long, value_name = "DIRECTORY")]
    zones: Option<PathBuf>,
    /// The address of the admin side instead of that in the settings; `off` disables it
    #[arg(long, value_name = "ADDRESS:PORT|off")]
    admin: Option<AddressFlag>,
    /// The address of the Route 53 API instead of those in the settings; `off` disables it
    #[arg(long, value_name = "ADDRESS:PORT|off")]
    api: Option<AddressFlag>,
    /// The directory for state that survives restarts
    #[arg(long, value_name = "DIRECTORY")]
    state: Option<PathBuf>,
    /// Read the zone files once and write nothing: changes by the API or commands are lost when the
    /// server stops, and `fiftythree reset` undoes them
    #[arg(long, conflicts_with = "state")]
    in_memory: bool,
    /// Refuse through the API everything that Route 53 refuses, as `[api] strict = true` does
    #[arg(long)]
    strict: bool,
    /// The format of the log on standard error [default: that of the settings, else auto]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<Format>,
    /// Log more; twice: even more
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

/// The values of `--log-format`.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// Text, with colour on a terminal
    Auto,
    /// Text
    Text,
    /// One JSON object per line
    Json,
}

impl From<Format> for LogFormat {
    fn from(format: Format) -> LogFormat {
        match format {
            Format::Auto => LogFormat::Auto,
            Format::Text => LogFormat::Text,
            Format::Json => LogFormat::Json,
        }
    }
}

/// Serves until a signal stops it.
pub(super) fn run(arguments: ServeArguments) -> anyhow::Result<ExitCode> {
    let ServeArguments { config, listen, zones, admin, api, state, in_memory, strict, log_format, verbose } = arguments;
    let end_on_signals = daemon::end_on_signals().context("cannot listen for signals")?;
    let file =
        settings::locate_or_default(config.as_deref(), zones.as_deref())?.as_deref().map(absolute).transpose()?;
    let zones = zones.or_else(|| file.is_none().then(|| Settings::built_in().zones.directory));
    // Gone when the server ends. Without a directory that can be written, the server keeps no
    // state.
    let temporary = in_memory.then(tempfile::tempdir).transpose().ok().flatten();
    let state = temporary.as_ref().map(|directory| directory.path().to_owned()).or(state);
    let overrides = Overrides {
        listen: ListenFlags { listen, admin, api, environment_key: settings::environment_key() },
        zones: zones.as_deref().map(absolute).transpose()?,
        state: state.as_deref().map(absolute).transpose()?,
        log_format: log_format.map(LogFormat::from),
        in_memory,
        strict,
    };
    let source = SettingsSource { file, overrides };
    let reading = source.read();
    let Some(settings) = reading.settings else {
        return broken(&reading.diagnostics, reading.source);
    };
    if in_memory && settings.cluster.is_some() {
        anyhow::bail!("`[cluster]` and --in-memory exclude each other");
    }
    if strict && settings.api.is_none() {
        anyhow::bail!("--strict needs the Route 53 API: `[api]` in the settings, or --api ADDRESS:PORT");
    }
    let bad = daemon::bad_settings(&settings, reading.source.as_ref());
    if !bad.is_empty() {
        return broken(&bad, reading.source);
    }
    // Before there are other threads, which inherit the restrictions. The one that waits for
    // signals is older, because the settings may be on a file system that hangs.
    let privileges = match privilege::restrict(&source, &settings) {
        Ok(privileges) => privileges,
        Err(diagnostic) => return broken(&[*diagnostic], reading.source),
    };
    let _end_on_signals = end_on_signals.renew().context("cannot listen for signals")?;
    // Dropped last: that writes the rest of the log.
    let log = logging::start(settings.log.format, verbose).context("cannot start threads")?;
    match daemon::run(source, settings, privileges) {
        Ok(Ended::Orderly) => Ok(ExitCode::SUCCESS),
        Ok(Ended::AtOnce) => Ok(ExitCode::FAILURE),
        Err(error) => {
            log.fail(&with_causes(error.as_ref()));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn broken(diagnostics: &[Diagnostic], source: Option<SourceFile>) -> anyhow::Result<ExitCode> {
    let sources: Vec<_> = source.into_iter().collect();
    print_error(&config::render(diagnostics, &sources, Style::Plain));
    anyhow::bail!("the settings are broken")
}

/// Log lines and last good sources name files by their whole path.
fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("not a valid path: {}", path.display()))
}
