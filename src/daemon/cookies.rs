//! The secrets of DNS cookies: found at the start, and read again when their file changes.

use std::time::Duration;

use anyhow::Context as _;

use crate::config::Settings;
use crate::cookie_secrets::{CookieSecret, CookieSecrets};
use crate::files;
use crate::load::with_files;
use crate::serve::Cookies;
use crate::store::CookieSecretFile;

use super::shared_cookies::SharedCookies;
use super::wiring::Wiring;

/// How often the file is read: a new secret is active within seconds, and cookies of the previous
/// one stay valid.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// The cookies of the workers, if they are on.
pub(super) async fn start(wiring: &mut Wiring, settings: &Settings) -> anyhow::Result<Option<Cookies>> {
    if !settings.cookies.enabled {
        return Ok(None);
    }
    let file = match &settings.cookies.secrets_file {
        Some(path) => CookieSecretFile::Named(path.clone()),
        None => CookieSecretFile::Made { state: settings.state.directory.clone() },
    };
    let found = read(&file, CookieSecretFile::read_or_make).await;
    // The server's first task is to answer.
    let secrets = found.clone().or_else(|problem| {
        tracing::error!(
            "the secrets of DNS cookies in {} are not usable: {problem}; until they are, cookies are valid for this \
             server only, and not after a restart",
            file.path().display()
        );
        CookieSecret::generate().map(CookieSecrets::of).context("cannot make DNS cookies")
    })?;
    let cookies = Cookies::new(secrets.clone());
    // A file that the operator names has the secrets that the operator wants.
    let is_made = matches!(file, CookieSecretFile::Made { .. });
    match wiring.shared_cookie_secrets().filter(|_| is_made) {
        Some(sealed) => wiring.spawn(SharedCookies { sealed, cookies: cookies.clone(), secrets, file }.run()),
        None => wiring.spawn(follow(cookies.clone(), file, found)),
    }
    Ok(Some(cookies))
}

/// Reads the file again and again, and replaces the secrets when they change.
async fn follow(cookies: Cookies, file: CookieSecretFile, mut last: Result<CookieSecrets, String>) {
    let mut looks = tokio::time::interval(LOOK_INTERVAL);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let found = read(&file, CookieSecretFile::read).await;
        if found == last {
            continue;
        }
        match &found {
            Ok(secrets) => {
                tracing::info!("the secrets of DNS cookies have changed: {} are accepted", secrets.all().count());
                cookies.replace(secrets.clone());
            }
            Err(problem) => tracing::error!(
                "the secrets of DNS cookies in {} are not usable: {problem}; the previous ones stay in force",
                file.path().display()
            ),
        }
        last = found;
    }
}

async fn read(
    file: &CookieSecretFile,
    read: fn(&CookieSecretFile) -> std::io::Result<CookieSecrets>,
) -> Result<CookieSecrets, String> {
    let file = file.clone();
    let work = move || files::operate(&file.path(), || read(&file));
    with_files(work).await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}
