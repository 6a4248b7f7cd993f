//! Options for another server or account with the Route 53 API.

use std::io::IsTerminal as _;
use std::path::Path;

use anyhow::bail;

use crate::api::client::Credentials;
use crate::config::DnsSettings;
use crate::files;
use crate::migrate::{
    AMAZON, Connection, Environment, Inventory, MigrationReport, NoCredentials, copy, find_credentials,
};
use crate::model::Secret;

use super::print_error;

/// The largest file of the `aws` command that is read: thousands of profiles.
const LARGEST_FILE: u64 = 1 << 20;
/// Keys of a server that trusts its clients are not verified.
const ANY_KEY: &str = "fiftythree";

/// Where to copy from.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct EndpointArguments {
    /// Copy from a server of the Route 53 API; `aws` is Route 53 itself
    #[arg(long, value_name = "URL")]
    pub(super) from_endpoint: Option<String>,
    /// The profile of ~/.aws/credentials or ~/.aws/config with the key [default: the key in
    /// $AWS_ACCESS_KEY_ID, else the profile in $AWS_PROFILE, else `default`]
    #[arg(long, value_name = "NAME", requires = "from_endpoint")]
    profile: Option<String>,
}

impl EndpointArguments {
    /// The objects of the server, if one is named. Progress is shown on standard error.
    pub(super) fn copy(&self, dns: &DnsSettings, report: &mut MigrationReport) -> anyhow::Result<Option<Inventory>> {
        let Some(named) = &self.from_endpoint else { return Ok(None) };
        let endpoint = if named == "aws" { AMAZON } else { named.as_str() };
        if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            bail!("{endpoint} is not a URL, such as http://127.0.0.1:4566\n  hint: `aws` is Route 53 itself");
        }
        let connection = Connection::open(endpoint, self.key(endpoint)?)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let is_terminal = std::io::stderr().is_terminal();
        let progress = |text: &str| match is_terminal {
            true => print_error(&format!("\r\x1b[K{text}")),
            false => print_error(&format!("{text}\n")),
        };
        let account = runtime.block_on(copy(&connection, &progress, report));
        if is_terminal {
            print_error("\r\x1b[K");
        }
        Ok(Some(account?.inventory(dns, report)))
    }

    fn key(&self, endpoint: &str) -> anyhow::Result<Credentials> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let file = |path: &Path| String::from_utf8(files::read(path, LARGEST_FILE).ok()?).ok();
        match find_credentials(self.profile.as_deref(), &Environment { variable: &variable, file: &file }) {
            Ok(key) => Ok(key),
            // A server on this machine may need no key.
            Err(NoCredentials::None) if self.profile.is_none() && endpoint != AMAZON => {
                let secret_access_key = Secret::from(ANY_KEY);
                Ok(Credentials { access_key_id: ANY_KEY.to_owned(), secret_access_key, session_token: None })
            }
            Err(error) => Err(error.into()),
        }
    }
}
