//! Which requests may make changes over the admin side: finds the admin token, or makes one.
//!
//! In this order: `$FIFTYTHREE_ADMIN_TOKEN`; the file that `[admin] token_file` names; on loopback,
//! the file that the server makes in its state directory.

use std::path::Path;

use anyhow::Context as _;

use crate::admin::{self, Changes, Token};
use crate::config::Settings;
use crate::files;
use crate::load::with_files;
use crate::store;

/// Which requests may make changes.
#[derive(Clone)]
pub(super) struct Permission {
    pub(super) changes: Changes,
    /// The token that the server made, for the link on a terminal. A token of the operator is not
    /// shown anywhere.
    pub(super) made: Option<Token>,
}

impl Permission {
    /// If a token cannot be read or written, the server still starts, because its first task is to
    /// answer queries.
    pub(super) async fn find(settings: &Settings, in_memory: bool) -> anyhow::Result<Permission> {
        let without_made = |changes| Ok(Permission { changes, made: None });
        if let Some(written) = std::env::var(admin::TOKEN_VARIABLE).ok().filter(|written| !written.is_empty()) {
            let token = Token::new(&written).with_context(|| format!("${} is not usable", admin::TOKEN_VARIABLE))?;
            return without_made(Changes::Token(token));
        }
        if let Some(path) = &settings.admin.token_file {
            return without_made(named_token(path).await);
        }
        // Requests from a proxy come from this machine, wherever their sender is.
        if settings.admin.public_url.is_some() {
            tracing::warn!("no changes are possible behind a proxy ([admin] public_url) without `[admin] token_file`");
            return without_made(Changes::Forbidden);
        }
        match settings.admin.listen {
            None => without_made(Changes::Forbidden),
            // Its state directory is unknown to the commands, and a restart undoes everything.
            Some(address) if address.ip().is_loopback() && in_memory => without_made(Changes::Programs),
            Some(address) if address.ip().is_loopback() => Ok(made_token(&settings.state.directory).await),
            Some(_) => without_made(Changes::Forbidden),
        }
    }
}

/// The token file of the settings. It may appear later.
async fn named_token(path: &Path) -> Changes {
    let file = path.to_owned();
    let read = move || Token::read(&file).map(|_| Token::is_open_to_all(&file));
    match with_files(read).await.map_err(anyhow::Error::from).and_then(|read| Ok(read?)) {
        Ok(false) => {}
        Err(error) => tracing::error!("no changes are possible over the admin side until its token is usable: {error}"),
        Ok(true) => tracing::warn!(
            "every user of this machine can read the admin token {}: restrict it with chmod o-r",
            path.display()
        ),
    }
    Changes::TokenFile(path.to_owned())
}

/// The token in the state directory, which the server makes at its first start and then keeps.
async fn made_token(state: &Path) -> Permission {
    let path = store::made_token_path(state);
    let directory = state.to_owned();
    let find = move || files::operate(&directory, || Ok(read_or_make(&directory)));
    match with_files(find).await.map_err(anyhow::Error::from).and_then(|found| found?.map_err(Into::into)) {
        Ok(token) => Permission { changes: Changes::TokenFile(path), made: Some(token) },
        Err(error) => {
            tracing::warn!(
                "cannot write the admin token {}: {error}; the status page is read-only, and every program on this \
                 machine can make changes with the commands and the API",
                path.display()
            );
            Permission { changes: Changes::Programs, made: None }
        }
    }
}

fn read_or_make(state: &Path) -> std::io::Result<Token> {
    if let Some(token) = store::read_made_token(state, |text| Token::new(text).ok()) {
        return Ok(token);
    }
    let token = Token::generate()?;
    store::write_made_token(state, token.text())?;
    tracing::info!("made an admin token, which changes need from now on: {}", store::made_token_path(state).display());
    Ok(token)
}
