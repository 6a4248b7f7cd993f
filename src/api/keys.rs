//! The keys of `[api] keys_file` and of the environment. A changed file is read again; no message
//! and no `Debug` output has a secret.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use serde::Deserialize;

use crate::files;
use crate::health::Pattern;
use crate::model::Secret;

use super::caller::{Caller, Rights};

/// The environment variables with one key that may do everything. AWS's own names would pick up
/// somebody's real keys.
pub(crate) const KEY_ID_VARIABLE: &str = "FIFTYTHREE_API_ACCESS_KEY_ID";
pub(crate) const SECRET_VARIABLE: &str = "FIFTYTHREE_API_SECRET_ACCESS_KEY";

/// Thousands of keys.
const MOST_BYTES: u64 = 1 << 20;

/// A key.
#[derive(Debug)]
pub(super) struct Key {
    id: String,
    pub(super) secret: Secret,
    rights: Rights,
    zones: Option<Vec<Pattern>>,
}

/// All keys.
#[derive(Debug)]
pub(crate) struct Keys {
    environment: Option<Arc<Key>>,
    file: Option<KeysFile>,
}

#[derive(Debug)]
struct KeysFile {
    path: PathBuf,
    /// As of the last time that the file was good.
    current: ArcSwap<Vec<Arc<Key>>>,
    /// What was read last, good or not.
    seen: ArcSwap<Option<Stamp>>,
}

/// Tells whether a file has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    mode: u32,
}

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadKeys {
    #[error("cannot read {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error(
        "{} must not be readable by other users: it has secrets; restrict it with chmod 600", path.display()
    )]
    Open { path: PathBuf },
    #[error(
        "{}:{line}: expected [[key]] tables with access_key_id, secret_access_key and rights = \"read\" or \"write\", and \
         perhaps zones = [\"*.lab.test\"]",
        path.display()
    )]
    Syntax { path: PathBuf, line: usize },
    #[error("{}: {why}", path.display())]
    Key { path: PathBuf, why: String },
    #[error("set both {KEY_ID_VARIABLE} and {SECRET_VARIABLE}, or neither")]
    HalfOfTheVariables,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileShape {
    #[serde(default)]
    key: Vec<KeyShape>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyShape {
    access_key_id: String,
    secret_access_key: String,
    rights: RightsShape,
    zones: Option<Vec<String>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RightsShape {
    Read,
    Write,
}

impl Keys {
    /// The key of the environment, as `variable` reads it, and those of the file.
    pub(crate) fn read(file: Option<&Path>, variable: impl Fn(&str) -> Option<String>) -> Result<Keys, BadKeys> {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        let environment = match (variable(KEY_ID_VARIABLE), variable(SECRET_VARIABLE)) {
            (None, None) => None,
            (Some(id), Some(secret)) => {
                Some(Arc::new(Key { id, secret: Secret::from(secret), rights: Rights::Write, zones: None }))
            }
            _ => return Err(BadKeys::HalfOfTheVariables),
        };
        let file = file.map(|path| {
            let seen = ArcSwap::from_pointee(stamp(path));
            let current = ArcSwap::from_pointee(read_file(path)?);
            Ok(KeysFile { path: path.to_owned(), current, seen })
        });
        Ok(Keys { environment, file: file.transpose()? })
    }

    /// True if requests can be verified: there is a keys file, also an empty one, or a key in the
    /// environment.
    pub(crate) fn exist(&self) -> bool {
        self.environment.is_some() || self.file.is_some()
    }

    /// Reads the file again if it has changed. A file that is not good leaves the keys as they are.
    pub(crate) fn refresh(&self) {
        let Some(file) = &self.file else { return };
        let stamp = stamp(&file.path);
        if **file.seen.load() == stamp {
            return;
        }
        file.seen.store(Arc::new(stamp));
        match read_file(&file.path) {
            Ok(keys) => {
                tracing::info!("{}: {} access keys are in force", file.path.display(), keys.len());
                file.current.store(Arc::new(keys));
            }
            Err(error) => tracing::error!("{error}; the previous keys stay in force"),
        }
    }

    /// The key with this id.
    pub(super) fn find(&self, id: &str) -> Option<Arc<Key>> {
        let of_file = || self.file.as_ref()?.current.load().iter().find(|key| key.id == id).cloned();
        self.environment.as_ref().filter(|key| key.id == id).cloned().or_else(of_file)
    }
}

impl Key {
    pub(super) fn caller(&self) -> Caller {
        Caller { access_key_id: self.id.clone(), rights: self.rights, zones: self.zones.clone() }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = files::metadata(path).ok()?;
    Some(Stamp { modified: metadata.modified().ok(), length: metadata.len(), mode: mode(&metadata) })
}

#[cfg(unix)]
fn mode(metadata: &std::fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode()
}

/// Where files have no modes, no other user is assumed to read them.
#[cfg(not(unix))]
fn mode(_: &std::fs::Metadata) -> u32 {
    0
}

fn read_file(path: &Path) -> Result<Vec<Arc<Key>>, BadKeys> {
    let unreadable = |error| BadKeys::Unreadable { path: path.to_owned(), error };
    if files::others_may_read(&files::metadata(path).map_err(unreadable)?) {
        return Err(BadKeys::Open { path: path.to_owned() });
    }
    let text = String::from_utf8_lossy(&files::read(path, MOST_BYTES).map_err(unreadable)?).into_owned();
    let shape: FileShape = toml::from_str(&text).map_err(|error: toml::de::Error| {
        // Its message may have a secret.
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        BadKeys::Syntax { path: path.to_owned(), line }
    })?;
    let mut keys: Vec<Arc<Key>> = Vec::new();
    for key in shape.key {
        let why = match &key {
            key if key.access_key_id.is_empty() || key.access_key_id.contains('/') => {
                "an access_key_id is empty or has a slash"
            }
            key if key.secret_access_key.is_empty() => "a secret_access_key is empty",
            key if keys.iter().any(|known| known.id == key.access_key_id) => "an access_key_id is there twice",
            _ => "",
        };
        if !why.is_empty() {
            return Err(BadKeys::Key { path: path.to_owned(), why: why.to_owned() });
        }
        keys.push(Arc::new(key.into()));
    }
    Ok(keys)
}

impl From<KeyShape> for Key {
    fn from(shape: KeyShape) -> Key {
        let rights = match shape.rights {
            RightsShape::Read => Rights::Read,
            RightsShape::Write => Rights::Write,
        };
        let pattern = |zone: String| Pattern(zone.strip_suffix('.').unwrap_or(&zone).to_ascii_lowercase());
        let zones = shape.zones.map(|zones| zones.into_iter().map(pattern).collect());
        Key { id: shape.access_key_id, secret: Secret::from(shape.secret_access_key), rights, zones }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const FILE: &str = "[[key]]\naccess_key_id = \"lab\"\nsecret_access_key = \"zq7-secret\"\nrights = \"read\"\n\
                        zones = [\"*.Lab.test.\"]\n";

    fn write(path: &Path, text: &str, mode: u32) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn no_variable(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn keys_come_from_the_file_and_the_environment() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.toml");
        write(&path, FILE, 0o600);
        let keys = Keys::read(Some(&path), |name| Some(name.to_lowercase())).unwrap();
        let lab = keys.find("lab").unwrap();
        assert_eq!(lab.caller().rights, Rights::Read);
        assert!(lab.caller().sees_zone("a.lab.test.") && !lab.caller().sees_zone("lab.test"));
        let all = keys.find("fiftythree_api_access_key_id").unwrap();
        assert_eq!((all.caller().rights, all.secret.reveal()), (Rights::Write, "fiftythree_api_secret_access_key"));
        assert!(keys.find("other").is_none());
        assert!(!format!("{keys:?}").contains("zq7"));
        assert!(!Keys::read(None, no_variable).unwrap().exist());
        let half = Keys::read(None, |name| (name == KEY_ID_VARIABLE).then(|| "x".to_owned()));
        assert!(matches!(half, Err(BadKeys::HalfOfTheVariables)));
    }

    #[test]
    fn a_file_that_is_open_or_broken_is_refused_without_its_secrets() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.toml");
        for mode in [0o604, 0o660, 0o602, 0o610] {
            write(&path, FILE, mode);
            assert!(matches!(Keys::read(Some(&path), no_variable), Err(BadKeys::Open { .. })), "{mode:o}");
        }
        // A secret that Kubernetes or systemd mounts belongs to root, and the server's group reads
        // it.
        write(&path, FILE, 0o440);
        let is_of_root = std::os::unix::fs::MetadataExt::uid(&fs::metadata(&path).unwrap()) == 0;
        assert_eq!(Keys::read(Some(&path), no_variable).is_ok(), is_of_root);
        for (text, says) in [
            (FILE.replace("\"read\"", "\"zq7\""), "keys.toml:4: expected [[key]]"),
            (FILE.replace("= \"zq7-secret\"", "= zq7-secret"), "keys.toml:3:"),
            (FILE.replace("rights", "zq7"), "expected [[key]]"),
            (FILE.replace("\"zq7-secret\"", "\"\""), "is empty"),
            (FILE.to_owned() + FILE, "twice"),
        ] {
            write(&path, &text, 0o600);
            let error = Keys::read(Some(&path), no_variable).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("zq7"), "{error}");
        }
        fs::remove_file(&path).unwrap();
        assert!(matches!(Keys::read(Some(&path), no_variable), Err(BadKeys::Unreadable { .. })));
    }

    #[test]
    fn a_changed_file_is_read_again_and_a_broken_one_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.toml");
        write(&path, FILE, 0o600);
        let keys = Keys::read(Some(&path), no_variable).unwrap();
        write(&path, &FILE.replace("\"lab\"", "\"another\""), 0o600);
        keys.refresh();
        assert!(keys.find("lab").is_none() && keys.find("another").is_some());
        write(&path, "broken", 0o600);
        keys.refresh();
        assert!(keys.find("another").is_some());
        fs::remove_file(&path).unwrap();
        keys.refresh();
        assert!(keys.find("another").is_some());
    }
}
