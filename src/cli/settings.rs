//! Finds the settings file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::api::KEY_ID_VARIABLE;
use crate::config::{self, ClusterSettings, EnvironmentKey, Settings, Style};
use crate::store::{self, CookieSecretFile, Overrides, SettingsSource};

/// Where the secrets of DNS cookies are.
pub(super) enum CookieSecretPlace {
    /// In a file of this server.
    File(CookieSecretFile),
    /// In etcd, for all nodes; this server has a copy.
    Cluster(Box<ClusterSettings>, CookieSecretFile),
}

/// The variable that names the settings file.
const VARIABLE: &str = "FIFTYTHREE_CONFIG";
/// The default paths of the settings file.
const USUAL: [&str; 2] = ["config/fiftythree.toml", "/etc/fiftythree/fiftythree.toml"];

/// The settings file: as the flag says, as the environment says, else the first of the usual ones
/// that exists. One that was named must exist.
pub(super) fn locate(flag: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
    let variable = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
    if let Some(path) = flag.map(Path::to_path_buf).or(variable.map(PathBuf::from)) {
        if !path.exists() {
            bail!("there is no settings file {}", path.display());
        }
        return Ok(Some(path));
    }
    Ok(USUAL.map(PathBuf::from).into_iter().find(|path| path.exists()))
}

/// The settings file, as [`locate`] finds it. Without one, the defaults apply, but only if the
/// zones that they name exist.
pub(super) fn locate_or_default(flag: Option<&Path>, zones: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
    let file = locate(flag)?;
    let default = Settings::built_in().zones.directory;
    if file.is_none() && zones.is_none() && !default.exists() {
        bail!("{}", missing());
    }
    Ok(file)
}

/// Which files were looked for, and what to do.
fn missing() -> String {
    format!(
        "no settings file found\n  tried: {}\n  \
         hint: `fiftythree init DIRECTORY` writes settings and a first zone; `--config FILE` names other settings",
        USUAL.join(", ")
    )
}

/// A note for errors of commands that used a default address because there are no settings.
pub(super) fn default_address_note(flag: Option<&Path>) -> String {
    match locate(flag) {
        Ok(None) => {
            format!("\n  note: this is the default address: no settings file found, tried: {}", USUAL.join(", "))
        }
        _ => String::new(),
    }
}

/// The addresses that the settings say to listen on; `None` when there is no settings file.
pub(super) fn listen_addresses(flag: Option<&Path>) -> anyhow::Result<Option<Vec<SocketAddr>>> {
    Ok(read(flag, "a server with --server")?.map(|settings| settings.dns.listen))
}

/// Where the running server's admin side is, as its settings say.
pub(super) fn admin_address(flag: Option<&Path>) -> anyhow::Result<SocketAddr> {
    let settings = read(flag, "a server with --admin")?.unwrap_or_else(Settings::built_in);
    settings.admin.listen.context("the admin side is switched off in the settings: `[admin] listen`")
}

/// The file with the admin token, as far as the settings name one; broken settings name none.
pub(super) fn token_file(flag: Option<&Path>) -> Option<PathBuf> {
    read(flag, "the token with --token-file").ok()??.admin.token_file
}

/// The file with the token that the server makes when the settings name none.
pub(super) fn made_token_file(flag: Option<&Path>) -> Option<PathBuf> {
    let settings = read(flag, "the token with --token-file").ok()?.unwrap_or_else(Settings::built_in);
    Some(store::made_token_path(&settings.state.directory))
}

/// Whether the zone files are shared with other nodes.
pub(super) fn has_cluster(flag: Option<&Path>) -> anyhow::Result<bool> {
    Ok(read(flag, "others with --config")?.is_some_and(|settings| settings.cluster.is_some()))
}

/// Where the secrets of DNS cookies are.
pub(super) fn cookie_secrets(flag: Option<&Path>, state: Option<&Path>) -> anyhow::Result<CookieSecretPlace> {
    let settings = read(flag, "others with --config")?.unwrap_or_else(Settings::built_in);
    let shared = settings.cluster.filter(|cluster| cluster.secret_file.is_some());
    let made = CookieSecretFile::Made { state: state.map_or(settings.state.directory, Path::to_path_buf) };
    Ok(match (settings.cookies.secrets_file, shared) {
        (Some(path), _) => CookieSecretPlace::File(CookieSecretFile::Named(path)),
        (None, Some(cluster)) => CookieSecretPlace::Cluster(Box::new(cluster), made),
        (None, None) => CookieSecretPlace::File(made),
    })
}

/// Whether the environment has a key for the API.
pub(super) fn environment_key() -> EnvironmentKey {
    match std::env::var_os(KEY_ID_VARIABLE) {
        Some(id) if !id.is_empty() => EnvironmentKey::Present,
        _ => EnvironmentKey::Absent,
    }
}

/// The settings; `None` when there is no file. `instead` says what to name when they are broken.
fn read(flag: Option<&Path>, instead: &str) -> anyhow::Result<Option<Settings>> {
    let Some(file) = locate(flag)? else { return Ok(None) };
    let reading = SettingsSource { file: Some(file.clone()), overrides: Overrides::default() }.read();
    let Some(settings) = reading.settings else {
        let sources = reading.source.into_iter().collect::<Vec<_>>();
        let rendered = config::render(&reading.diagnostics, &sources, Style::Plain);
        bail!("the settings are broken, name {instead}\n{rendered}");
    };
    Ok(Some(settings))
}
