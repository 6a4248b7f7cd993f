//! Deferred files: their edits are not loaded yet because they are still being written, or may be.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{self, SourceFile};

use super::LoadedConfig;
use super::loaded_file::LoadedFile;
use super::sources::{FileInput, ReadZoneFiles};

/// A file whose edit is not loaded yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deferred {
    /// The file.
    pub(crate) path: PathBuf,
    /// The reason, for the log and the API.
    pub(crate) reason: String,
    /// Whether it looks half written. This is logged as a warning; a file that is being written is
    /// not.
    pub(crate) looks_half_written: bool,
}

impl Deferred {
    pub(super) fn in_progress(path: &Path) -> Deferred {
        Deferred { path: path.to_owned(), reason: "it is being written".to_owned(), looks_half_written: false }
    }
}

/// Returns the zone files that are being written and those that look half written: no writer was
/// seen to close them, and more than half of their names are missing. Their previous contents are
/// kept.
pub(super) fn defer_half_written(base: &LoadedConfig, texts: &mut ReadZoneFiles<Arc<LoadedFile>>) -> Vec<Deferred> {
    let mut deferred: Vec<Deferred> = texts.in_progress.iter().map(|path| Deferred::in_progress(path)).collect();
    let served = |path: &Path| base.file(path).filter(|file| file.zone.is_some());
    for current in &mut texts.files {
        let FileInput::Read(source, _) = current else { continue };
        let Some(file) = served(&source.path).filter(|_| texts.quiet.contains(&source.path)) else { continue };
        let Some(reason) = base.source_of(file).ok().and_then(|old| reason_half_written(&old, source)) else {
            continue;
        };
        deferred.push(Deferred { path: source.path.clone(), reason, looks_half_written: true });
        *current = FileInput::Before(Arc::clone(file));
    }
    deferred
}

/// If more than half of the names are missing, the reason to defer the file.
fn reason_half_written(old: &SourceFile, new: &SourceFile) -> Option<String> {
    let (old, new) = (config::record_names(old), config::record_names(new));
    let gone = old.difference(&new).count();
    (gone * 2 > old.len())
        .then(|| format!("{gone} of its {} names are missing, and no writer was seen to close it", old.len()))
}
