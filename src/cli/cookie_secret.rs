//! `fiftythree cookie-secret`: lists and replaces the secrets of DNS cookies.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::cluster::{ClusterFiles, DocumentVersion, SealedDocument};
use crate::config::CLUSTER;
use crate::cookie_secrets::{CookieSecret, CookieSecrets};
use crate::store::CookieSecretFile;

use super::settings::{self, CookieSecretPlace};
use super::{print, print_error, print_json};

const EXAMPLES: &str = "\
Examples:
  fiftythree cookie-secret list
  fiftythree cookie-secret add          on one server, and on the others with the secret that it prints
  fiftythree cookie-secret activate     on each server
  fiftythree cookie-secret drop         on each server, an hour later

Servers that share an address need the same secrets. A running server reads the file within two seconds. Nodes of a cluster \
with a `secret_file` have the same secrets: each step on one of them holds on all.

Exit code: 0 on success; 1 on failure; 2 for a wrong command line.";

const LIST_EXAMPLES: &str = "\
Examples:
  fiftythree cookie-secret list
  fiftythree cookie-secret list --json | jq -r .active

Without etcd, a node of a cluster lists the copy that it has.

Exit code: 0; 1 when there are no secrets; 2 for a wrong command line.";

const ADD_EXAMPLES: &str = "\
Examples:
  fiftythree cookie-secret add
  fiftythree cookie-secret add 445536bcd2513298075a5d379663c962

Exit code: 0 when the secrets are changed; 1 when nothing is changed; 2 for a wrong command line.";

const ACTIVATE_EXAMPLES: &str = "\
Examples:
  fiftythree cookie-secret activate

Exit code: 0 when the secrets are changed; 1 when nothing is changed; 2 for a wrong command line.";

const DROP_EXAMPLES: &str = "\
Examples:
  fiftythree cookie-secret drop

Exit code: 0 when the secrets are changed; 1 when nothing is changed; 2 for a wrong command line.";

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
    fn secrets(&self) -> anyhow::Result<Secrets> {
        Secrets::open(settings::cookie_secrets(self.config.as_deref(), self.state.as_deref())?)
    }

    fn list(&self) -> anyhow::Result<()> {
        let secrets = self.secrets()?;
        let (read, place) = secrets.read_or_copy()?;
        self.print(&place, &read.context(NONE)?)
    }

    fn change(&self, change: impl Fn(Option<CookieSecrets>) -> anyhow::Result<CookieSecrets>) -> anyhow::Result<()> {
        let secrets = self.secrets()?;
        self.print(&secrets.path(), &secrets.change(change)?)
    }

    fn print(&self, place: &Path, secrets: &CookieSecrets) -> anyhow::Result<()> {
        let digits: Vec<String> = secrets.all().map(CookieSecret::digits).collect();
        if self.json {
            return print_json(&json!({ "file": place, "active": digits[0], "second": digits.get(1) }));
        }
        let lines = ["active", "second"].iter().zip(&digits).map(|(what, digits)| format!("{what}  {digits}\n"));
        Ok(print(&lines.collect::<String>())?)
    }
}

/// The secrets, where they are.
enum Secrets {
    /// In a file of this server.
    File(CookieSecretFile),
    /// In etcd, for all nodes.
    Cluster { runtime: Runtime, sealed: SealedDocument, copy: CookieSecretFile },
}

impl Secrets {
    fn open(place: CookieSecretPlace) -> anyhow::Result<Secrets> {
        let (cluster, copy) = match place {
            CookieSecretPlace::File(file) => return Ok(Secrets::File(file)),
            CookieSecretPlace::Cluster(cluster, copy) => (cluster, copy),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let sealed = ClusterFiles::open(&cluster, Vec::new())?.cookie_secrets();
        Ok(Secrets::Cluster { runtime, sealed: sealed.expect("the cluster has a secret file"), copy })
    }

    fn path(&self) -> PathBuf {
        match self {
            Secrets::File(file) => file.path(),
            Secrets::Cluster { sealed, .. } => PathBuf::from(format!("{CLUSTER}{}", sealed.document().key())),
        }
    }

    /// The secrets, and where they are; `None` if there are none. Without etcd, those that this
    /// node has from there.
    fn read_or_copy(&self) -> anyhow::Result<(Option<CookieSecrets>, PathBuf)> {
        let (runtime, sealed, copy) = match self {
            Secrets::File(file) => return Ok((read(file)?, file.path())),
            Secrets::Cluster { runtime, sealed, copy } => (runtime, sealed, copy),
        };
        match runtime.block_on(sealed.document().read()) {
            Ok(version) => Ok((opened(sealed, &version)?, self.path())),
            Err(error) => {
                let secrets = read(copy)?.with_context(|| format!("{ETCD}, and this node has no copy: {error}"))?;
                let path = copy.path();
                print_error(&format!("warning: {ETCD}: {error}\n  this is the copy in {}\n", path.display()));
                Ok((Some(secrets), path))
            }
        }
    }

    /// Changes the secrets. Those in etcd may be changed by another node meanwhile; then the change
    /// is decided again.
    fn change(
        &self,
        change: impl Fn(Option<CookieSecrets>) -> anyhow::Result<CookieSecrets>,
    ) -> anyhow::Result<CookieSecrets> {
        match self {
            Secrets::File(file) => {
                let secrets = change(read(file)?)?;
                file.write(&secrets).with_context(|| format!("cannot write {}", file.path().display()))?;
                Ok(secrets)
            }
            Secrets::Cluster { runtime, sealed, .. } => runtime.block_on(async {
                let mut version = sealed.document().read().await.context(ETCD)?;
                loop {
                    let secrets = change(opened(sealed, &version)?)?;
                    let text = sealed.seal(secrets.to_text().as_bytes()).map_err(anyhow::Error::msg)?;
                    match sealed.document().replace(&version, text).await.context(ETCD)? {
                        Ok(_) => return Ok(secrets),
                        Err(found) => version = found,
                    }
                }
            }),
        }
    }
}

const ETCD: &str = "cannot reach etcd, which has the secrets of all nodes";

/// The secrets in a version of the document; `None` if there is none.
fn opened(sealed: &SealedDocument, version: &DocumentVersion) -> anyhow::Result<Option<CookieSecrets>> {
    let Some(text) = sealed.open(version).map_err(anyhow::Error::msg)? else { return Ok(None) };
    Ok(Some(CookieSecrets::parse(&String::from_utf8_lossy(&text))?))
}

/// The secrets in the file; `None` if there is no file.
fn read(file: &CookieSecretFile) -> anyhow::Result<Option<CookieSecrets>> {
    match file.read() {
        Ok(secrets) => Ok(Some(secrets)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.path().display())),
    }
}
