//! `[cookies]`: DNS cookies, which show that the address of a client is not forged.

use std::path::{Path, PathBuf};

use super::document::Diagnostics;
use super::table::Table;
use super::value;

/// `[cookies]`
#[derive(Clone, Debug, PartialEq)]
pub struct CookieSettings {
    /// Whether cookies are given and checked.
    pub enabled: bool,
    /// The file with the secrets; `None` for the one in the state directory.
    pub secrets_file: Option<PathBuf>,
    /// The longest response over UDP in octets to a client without a valid cookie; `None` for no
    /// limit of its own.
    pub require_above: Option<u16>,
}

impl Default for CookieSettings {
    fn default() -> CookieSettings {
        CookieSettings { enabled: true, secrets_file: None, require_above: None }
    }
}

/// The smallest limit of a client (RFC 1035 section 2.3.4).
const LEAST_LIMIT: i64 = 512;

pub(super) fn read_cookies(table: &Table<'_>, directory: &Path, diagnostics: &mut Diagnostics<'_>) -> CookieSettings {
    let default = CookieSettings::default();
    CookieSettings {
        enabled: table.boolean("enabled", diagnostics).map_or(default.enabled, |enabled| enabled.value),
        secrets_file: value::path(table, "secrets_file", directory, diagnostics),
        require_above: read_require_above(table, diagnostics),
    }
}

fn read_require_above(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<u16> {
    let written = table.integer("require_above", diagnostics)?;
    match written.value {
        0 => None,
        LEAST_LIMIT.. => u16::try_from(written.value).ok(),
        _ => {
            let message = format!("`require_above` must be 0 or at least {LEAST_LIMIT}");
            diagnostics.error(written.span, message).label("every client accepts this").hint("0 sets no limit");
            None
        }
    }
}
