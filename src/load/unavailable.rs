//! Files that were served before a restart, are broken, and have no usable copy. Their zones are
//! known by name and answer SERVFAIL. No other zone, in particular no parent zone, may answer for
//! these names as if the zone did not exist.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{Diagnostic, SelectedSources, ServedFile, SourceFile};
use crate::model::ZoneIdentity;
use crate::store::SourceCache;

use super::loaded_file::LoadedFile;
use super::sources::{FileInput, PreviousFile as _, ReadZoneFiles};

/// A file without a usable source, and the zone that answers SERVFAIL for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unavailable {
    /// The file.
    pub(crate) file: PathBuf,
    /// Its zone, absolute. `None` if it held no zone, or if that is not known.
    pub(crate) zone: Option<String>,
}

impl Unavailable {
    pub(super) fn of(file: &LoadedFile) -> Unavailable {
        let zone = file.served().zone.map(|zone| zone.name.to_string());
        Unavailable { file: file.path.clone(), zone }
    }

    /// The name of the zone, or the path of the file if the zone is not known.
    pub(super) fn name(&self) -> String {
        self.zone.clone().unwrap_or_else(|| self.file.display().to_string())
    }

    fn consequence(&self) -> String {
        match &self.zone {
            Some(zone) => format!("every query for {zone} is answered with SERVFAIL"),
            None => "nothing in it is served".to_owned(),
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, consequence) = (self.file.display(), self.consequence());
        write!(f, "{file} is broken and no usable copy of it is kept: {consequence}")
    }
}

/// The unavailable files among `files`.
pub(super) fn listed(files: &[Arc<LoadedFile>]) -> Vec<Unavailable> {
    files.iter().filter(|file| file.is_unavailable()).map(|file| Unavailable::of(file)).collect()
}

/// Diagnostics that say what is unavailable. The errors in the files are reported separately.
pub(super) fn diagnostics(files: &[Arc<LoadedFile>]) -> Vec<Diagnostic> {
    let diagnostic = |one: Unavailable| {
        let message = format!("no usable copy of this file is kept: {}", one.consequence());
        let mut diagnostic = Diagnostic::error(&one.file, message);
        diagnostic.hint("correct the file, or remove it");
        diagnostic
    };
    listed(files).into_iter().map(diagnostic).collect()
}

/// Placeholders for the files without a usable source. If another file now holds the zone, the zone
/// belongs to that file.
pub(super) fn placeholders<'b>(
    selected: &SelectedSources,
    before: impl Fn(&Path) -> Option<&'b Arc<LoadedFile>>,
) -> Vec<Arc<LoadedFile>> {
    if selected.unavailable.is_empty() {
        return Vec::new();
    }
    let mut taken: Vec<ZoneIdentity> = selected.configuration.zones.iter().map(|zone| zone.zone.identity()).collect();
    let mut placeholder = |served: &ServedFile| {
        let zone = served.zone.clone().filter(|zone| !taken.iter().any(|taken| taken.excludes(zone)));
        taken.extend(zone.clone());
        let served = ServedFile { path: served.path.clone(), zone };
        match before(&served.path) {
            Some(file) if file.is_unavailable() && file.served() == served => Arc::clone(file),
            _ => Arc::new(LoadedFile::unavailable(&served)),
        }
    };
    selected.unavailable.iter().map(&mut placeholder).collect()
}

/// At the start: removes from `texts` the files that were served before and cannot be read or are
/// empty. Returns their placeholders.
pub(super) fn unreadable(
    source_cache: &SourceCache,
    zones: &[PathBuf],
    texts: &mut ReadZoneFiles<SourceFile>,
) -> Vec<Arc<LoadedFile>> {
    let is_blank = |file: &FileInput<_>| matches!(file, FileInput::Read(source, _) if source.is_blank());
    if texts.missing.is_empty() && !texts.files.iter().any(is_blank) {
        return Vec::new();
    }
    let known = source_cache.served_before(zones);
    let find = |path: &Path| known.iter().find(|file| file.path == path).cloned();
    let mut unavailable = Vec::new();
    texts.missing.retain(|path| {
        let unknown = || ServedFile { path: path.clone(), zone: None };
        let served = find(path).or_else(|| source_cache.has_copy_of(path).then(unknown));
        unavailable.extend(served.clone());
        served.is_none()
    });
    // An empty file does not remove its zone.
    texts.files.retain(|file| {
        let FileInput::Read(source, _) = file else { return true };
        let Some(served) = find(&source.path).filter(|file| source.is_blank() && file.zone.is_some()) else {
            return true;
        };
        texts.diagnostics.push(Diagnostic::error(&source.path, "the file is empty"));
        unavailable.push(served);
        false
    });
    unavailable.iter().map(|served| Arc::new(LoadedFile::unavailable(served))).collect()
}
