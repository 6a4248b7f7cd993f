//! The file with the secrets of DNS cookies: in the state directory, or where the settings name it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::last_good::write_durably;
use super::private;
use crate::cookie_secrets::{CookieSecret, CookieSecrets};
use crate::files;

/// The name of the file in the state directory.
const FILE: &str = "cookie-secrets";
/// The size limit when reading, in bytes: two secrets, and comments.
const MOST_BYTES: u64 = 16 << 10;

/// The file.
#[derive(Clone, Debug)]
pub(crate) enum CookieSecretFile {
    /// The server makes it in this state directory.
    Made { state: PathBuf },
    /// The operator names it.
    Named(PathBuf),
}

impl CookieSecretFile {
    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            CookieSecretFile::Made { state } => state.join(FILE),
            CookieSecretFile::Named(path) => path.clone(),
        }
    }

    /// The secrets in it.
    pub(crate) fn read(&self) -> io::Result<CookieSecrets> {
        let path = self.path();
        let bytes = match self {
            CookieSecretFile::Made { .. } => private::read(&path, MOST_BYTES)?,
            CookieSecretFile::Named(_) => files::read(&path, MOST_BYTES)?,
        };
        let text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is not text"))?;
        CookieSecrets::parse(&text).map_err(io::Error::other)
    }

    /// The secrets in it. If there is no file yet, it is made in the state directory.
    pub(crate) fn read_or_make(&self) -> io::Result<CookieSecrets> {
        match self.read() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && matches!(self, CookieSecretFile::Made { .. }) => {
                let secrets = CookieSecrets::of(CookieSecret::generate().map_err(io::Error::other)?);
                self.write(&secrets)?;
                Ok(secrets)
            }
            outcome => outcome,
        }
    }

    /// Replaces the file. Only its owner can read it: the owner of the file that was there, or of
    /// its directory, so that root can write it for the server. Durable on return.
    pub(crate) fn write(&self, secrets: &CookieSecrets) -> io::Result<()> {
        let path = match self {
            CookieSecretFile::Made { state } => {
                private::make_state_directory(state)?;
                self.path()
            }
            // The file itself, if the name is a link.
            CookieSecretFile::Named(path) => fs::canonicalize(path).unwrap_or_else(|_| path.clone()),
        };
        let directory = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        let before = fs::symlink_metadata(&path).or_else(|_| fs::metadata(directory))?;
        write_durably(&path, secrets.to_text().as_bytes())?;
        chown_as(&before, &path)?;
        File::open(directory)?.sync_all()
    }
}

#[cfg(unix)]
fn chown_as(before: &fs::Metadata, path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, lchown};
    let now = fs::symlink_metadata(path)?;
    if (now.uid(), now.gid()) == (before.uid(), before.gid()) {
        return Ok(());
    }
    lchown(path, Some(before.uid()), Some(before.gid()))
}

#[cfg(not(unix))]
fn chown_as(_: &fs::Metadata, _: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";

    #[test]
    fn the_server_makes_a_file_for_itself_and_keeps_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = CookieSecretFile::Made { state: directory.path().join("state") };
        let made = file.read_or_make().unwrap();
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!((file.read().unwrap(), file.read_or_make().unwrap()), (made.clone(), made));
        fs::write(file.path(), "damaged").unwrap();
        assert!(file.read_or_make().is_err(), "other servers may have the secrets that were in it");
    }

    #[test]
    fn a_named_file_may_be_a_link_and_is_not_made() {
        let directory = tempfile::tempdir().unwrap();
        let (target, link) = (directory.path().join("target"), directory.path().join("link"));
        let file = CookieSecretFile::Named(link.clone());
        assert_eq!(file.read_or_make().unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::write(&target, SECRET).unwrap();
        symlink(&target, &link).unwrap();
        let mut secrets = file.read().unwrap();
        secrets.add(CookieSecret::generate().unwrap()).unwrap();
        file.write(&secrets).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap(), secrets.to_text());
    }
}
