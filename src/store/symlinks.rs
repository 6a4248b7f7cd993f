//! Links that lead out of their directory. They are legal, and many systems are set up that way.
//! But a user who may write zone files must not be able to read, through the server's messages,
//! files that only the server may read.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::config::{CLUSTER, Disclosure, SourceFile};
use crate::files;

/// How much messages may show of the file that a path leads to. A link within its directory, such
/// as those of Kubernetes (`lab.toml` → `..data/lab.toml`), is treated as the file itself.
pub(crate) fn disclosure_of(path: &Path) -> Disclosure {
    match files::symlink_metadata(path) {
        Ok(metadata) if !metadata.is_symlink() => Disclosure::Text,
        // The text of a file that nodes share, which is on no disk.
        Err(_) if path.starts_with(CLUSTER) => Disclosure::Text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Disclosure::Gone,
        _ if stays_in_directory(path) => Disclosure::Text,
        _ => Disclosure::PositionsOnly,
    }
}

/// A source that was read from this path before.
pub(super) fn source_of(path: &Path, text: impl Into<Arc<str>>) -> SourceFile {
    SourceFile { disclosure: disclosure_of(path), ..SourceFile::new(path, text) }
}

fn stays_in_directory(path: &Path) -> bool {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let real = |path: &Path| files::operate(path, || fs::canonicalize(path));
    match (real(path), real(directory)) {
        (Ok(file), Ok(directory)) => file.starts_with(directory),
        _ => false,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_that_lead_out_are_told_from_those_that_do_not() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        for directory in ["zones", "zones/..2026", "store"] {
            fs::create_dir(path(directory)).unwrap();
        }
        for file in ["zones/plain.toml", "zones/..2026/map.toml", "store/nix.toml", "token"] {
            fs::write(path(file), "").unwrap();
        }
        // A ConfigMap: two links, both within the directory.
        symlink("..2026", path("zones/..data")).unwrap();
        symlink("..data/map.toml", path("zones/map.toml")).unwrap();
        symlink("plain.toml", path("zones/other.toml")).unwrap();
        symlink("../store/nix.toml", path("zones/stow.toml")).unwrap();
        symlink(path("token"), path("zones/token.toml")).unwrap();
        symlink("token.toml", path("zones/by-another.toml")).unwrap();
        symlink("nothing", path("zones/nothing.toml")).unwrap();
        // The directory itself may be a link.
        symlink("zones", path("linked")).unwrap();
        for (name, expected) in [
            ("zones/plain.toml", Disclosure::Text),
            ("zones/map.toml", Disclosure::Text),
            ("zones/other.toml", Disclosure::Text),
            ("linked/plain.toml", Disclosure::Text),
            ("linked/map.toml", Disclosure::Text),
            ("zones/stow.toml", Disclosure::PositionsOnly),
            ("zones/token.toml", Disclosure::PositionsOnly),
            ("zones/by-another.toml", Disclosure::PositionsOnly),
            ("linked/token.toml", Disclosure::PositionsOnly),
            ("zones/nothing.toml", Disclosure::PositionsOnly),
            ("zones/gone.toml", Disclosure::Gone),
        ] {
            assert_eq!(disclosure_of(&path(name)), expected, "{name}");
        }
    }
}
