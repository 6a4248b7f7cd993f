//! `fiftythree cookie-secret`: lists and replaces the secrets of DNS cookies.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;

use crate::cookie_secrets::{CookieSecret, CookieSecrets};
use crate::store::CookieSecretFile;

use super::{print, print_json, settings};

const EXAMPLES: &str = "\
Examples:
  fiftythree cookie-secret list
  fiftythree cookie-secret add          on one server, and on the others with the secret that it prints
  fiftythree cookie-secret activate     on each server
  fiftythree cookie-secret drop         on each server, an hour later

Servers that share an address need the same secrets. A running server reads the file within two seconds.

Exit code: 0 on success; 1 on failure; 2 for a wrong command line.";

const LIST_EXAMPLES: &str = "\
Examples:
  fiftythree cookie-secret list
  fiftythree cookie-secret list --json | jq -r .active

Exit code: 0; 1 when there are no secrets; 2 for a wrong command line.";

const ADD_EXAMPLES: &str = "\
Examples:
  fiftythree cookie-secret add
  fiftythree cookie-secret add 445536bcd2513298075a5d379663c962

Exit code: 0 when the file is written; 1 when nothing is written; 2 for a wrong command line.";

const ACTIVATE_EXAMPLES: &str = "\
Examples:
  fiftythree cookie-secret activate

Exit code: 0 when the file is written; 1 when nothing is written; 2 for a wrong command line.";

const DROP_EXAMPLES: &str = "\
Examples:
  fiftythree cookie-secret drop

Exit code: 0 when the file is written; 1 when nothing is written; 2 for a wrong command line.";

/// List and replace the secrets of DNS cookies
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CookieSecretArguments {
    #[command(subcommand)]
    command: CookieSecretCommand,
}

#[derive(Debug, Subcommand)]
enum CookieSecretCommand {
    /// List the secrets
    #[command(after_help = LIST_EXAMPLES)]
    List(FileArguments),
    /// Add a second secret, whose cookies are accepted
    Add(AddArguments),
    /// Make the second secret the active one; cookies of the first stay valid
    #[command(after_help = ACTIVATE_EXAMPLES)]
    Activate(FileArguments),
    /// Drop the second secret; its cookies are no longer valid
    #[command(after_help = DROP_EXAMPLES)]
    Drop(FileArguments),
}

#[derive(Debug, clap::Args)]
#[command(after_help = ADD_EXAMPLES)]
struct AddArguments {
    /// The secret, as 32 hexadecimal digits [default: a new one]
    #[arg(value_parser = CookieSecret::parse)]
    secret: Option<CookieSecret>,
    #[command(flatten)]
    file: FileArguments,
}

#[derive(Debug, clap::Args)]
struct FileArguments {
    /// The settings file
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The directory for state that survives restarts
    #[arg(long, value_name = "DIRECTORY")]
    state: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Changes the file, and prints the secrets.
pub(super) fn run(arguments: &CookieSecretArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        CookieSecretCommand::List(file) => file.list()?,
        CookieSecretCommand::Add(AddArguments { secret, file }) => {
            let secret = secret.map_or_else(CookieSecret::generate, Ok)?;
            file.change(|secrets| match secrets {
                Some(mut secrets) => secrets.add(secret).map(|()| secrets).map_err(Into::into),
                None => Ok(CookieSecrets::of(secret)),
            })?;
        }
        CookieSecretCommand::Activate(file) => file.change(|secrets| {
            let mut secrets = secrets.context(NONE)?;
            secrets.activate().map(|()| secrets).map_err(Into::into)
        })?,
        CookieSecretCommand::Drop(file) => file.change(|secrets| {
            let mut secrets = secrets.context(NONE)?;
            secrets.drop_other().map(|()| secrets).map_err(Into::into)
        })?,
    }
    Ok(ExitCode::SUCCESS)
}

const NONE: &str = "there are no secrets; add one, or start the server";

impl FileArguments {
    fn file(&self) -> anyhow::Result<CookieSecretFile> {
        settings::cookie_secret_file(self.config.as_deref(), self.state.as_deref())
    }

    fn list(&self) -> anyhow::Result<()> {
        let file = self.file()?;
        self.print(&file, &read(&file)?.context(NONE)?)
    }

    fn change(
        &self,
        change: impl FnOnce(Option<CookieSecrets>) -> anyhow::Result<CookieSecrets>,
    ) -> anyhow::Result<()> {
        let file = self.file()?;
        let secrets = change(read(&file)?)?;
        file.write(&secrets).with_context(|| format!("cannot write {}", file.path().display()))?;
        self.print(&file, &secrets)
    }

    fn print(&self, file: &CookieSecretFile, secrets: &CookieSecrets) -> anyhow::Result<()> {
        let digits: Vec<String> = secrets.all().map(CookieSecret::digits).collect();
        if self.json {
            return print_json(&json!({ "file": file.path(), "active": digits[0], "second": digits.get(1) }));
        }
        let lines = ["active", "second"].iter().zip(&digits).map(|(what, digits)| format!("{what}  {digits}\n"));
        Ok(print(&lines.collect::<String>())?)
    }
}

/// The secrets in the file; `None` if there is no file.
fn read(file: &CookieSecretFile) -> anyhow::Result<Option<CookieSecrets>> {
    match file.read() {
        Ok(secrets) => Ok(Some(secrets)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.path().display())),
    }
}
