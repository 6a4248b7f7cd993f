//! Loads while a file has an error: all files are read and checked together, which finds every
//! error, and broken files fall back to their last good sources. The sources it selects have no
//! errors and are compiled like changed files. The rule which source is served is in
//! `config::select_sources`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{
    self, ClusterSettings, Diagnostic, LoadPhase, SelectedSources, ServedFile, SourceFile, SourceOrigin, ZoneSource,
};
use crate::store::{SourceHash, Stamp};

use super::loaded_config::ConfigState;
use super::loaded_file::LoadedFile;
use super::sources::FileInput;
use super::zone_files::{ZoneFiles, bytes_of, is_new_directory, path_of};
use super::{CompiledZones, Load, LoadReport, Refused, Zones, unavailable};

/// The current texts of the files, and the stamp of each.
struct CurrentSources {
    sources: Vec<SourceFile>,
    stamps: HashMap<PathBuf, (SourceHash, Option<Stamp>)>,
}

/// The files that are served and still there.
struct ServedFiles<'b> {
    all: Vec<&'b Arc<LoadedFile>>,
    /// Those whose source is lost.
    lost: Vec<&'b Arc<LoadedFile>>,
}

impl Load<'_> {
    /// Selects the sources to serve and compiles them. A served zone stays in service even if its
    /// source is lost.
    pub(super) fn compile_with_fallback(&self, texts: ZoneFiles, report: &mut LoadReport) -> Result<Zones, Refused> {
        let bytes = texts.iter().map(bytes_of).sum();
        if let Err(problem) = self.room.admit_with_errors(bytes) {
            let message = format!("the files have errors, and there is not enough memory to report them: {problem}");
            let mut diagnostic = Diagnostic::error(&self.settings.zones.directory, message);
            diagnostic.hint("`fiftythree check` reports them");
            return Err(report.refused(&[diagnostic], &[]));
        }
        let (last_good, known) = (self.last_good(), self.served_before(&texts));
        let served = texts.iter().filter_map(|text| self.base.file(path_of(text)));
        let served: Vec<&Arc<LoadedFile>> = served.filter(|file| !file.is_unavailable()).collect();
        let current = self.current_sources(texts);
        let choice = config::SourceVersions { current: &current.sources, last_good: &last_good, served: &known };
        match config::select_sources(choice, self.settings, self.phase) {
            Ok(selected) => {
                report.add(&selected.diagnostics, &current.sources);
                let served = ServedFiles { lost: missing_in(&last_good, &served), all: served };
                self.compile_selected(selected, &served, current, report).map(Zones::Compiled)
            }
            Err(mut diagnostics) => {
                diagnostics.extend(missing_in(&last_good, &served).into_iter().map(needed));
                if self.phase == LoadPhase::Reload {
                    return Err(report.refused(&diagnostics, &current.sources));
                }
                report.refuse(&diagnostics, &current.sources);
                Ok(Zones::Refused(config::read_zones(&current.sources, self.settings).configuration))
            }
        }
    }

    fn current_sources(&self, texts: ZoneFiles) -> CurrentSources {
        let (mut sources, mut stamps) = (Vec::new(), HashMap::new());
        for text in texts {
            let (source, stamp) = match text {
                FileInput::Read(source, stamp) => (Some(source), stamp),
                FileInput::Before(file) => (self.base.source_of(&file).ok(), file.stamp),
            };
            // A lost source is reported later.
            let Some(source) = source else { continue };
            stamps.insert(source.path.clone(), (SourceHash::of(&source.text), stamp));
            sources.push(source);
        }
        CurrentSources { sources, stamps }
    }

    fn compile_selected(
        &self,
        mut selected: SelectedSources,
        served: &ServedFiles<'_>,
        current: CurrentSources,
        report: &mut LoadReport,
    ) -> Result<CompiledZones, Refused> {
        let mut lost = missing_in(&selected.sources, &served.lost);
        lost.retain(|file| !self.yields(file, &selected));
        let is_given_up = |file: &&&Arc<LoadedFile>| {
            let is = |other: &Path| other == file.path;
            !lost.iter().any(|lost| is(&lost.path)) && !selected.yielding.iter().any(|path| is(path))
        };
        let given_up = missing_in(&selected.sources, &served.all);
        let given_up: Vec<ServedFile> = given_up.iter().filter(is_given_up).map(|file| file.served()).collect();
        selected.unavailable.extend(given_up);
        let placeholders = unavailable::placeholders(&selected, |path| self.base.file(path));
        let CurrentSources { sources, stamps } = current;
        drop((sources, selected.configuration));
        let read = |source: SourceFile| {
            // If the file now holds another text, its stamp says nothing about this one.
            let stamp = stamps.get(&source.path).filter(|(hash, _)| *hash == SourceHash::of(&source.text));
            let stamp = stamp.and_then(|(_, stamp)| *stamp);
            FileInput::Read(source, stamp)
        };
        let mut texts: ZoneFiles = selected.sources.into_iter().map(read).collect();
        texts.extend(lost.iter().map(|&file| FileInput::Before(Arc::clone(file))));
        texts.extend(placeholders.into_iter().map(FileInput::Before));
        texts.sort_unstable_by(|one, other| path_of(one).cmp(path_of(other)));
        // Each selected source has been checked by the rules for its origin.
        let Some(compiled) = self.compile_changed(&texts, SourceOrigin::LastGood, None) else {
            if lost.is_empty() {
                return Err(Refused::Panicked("the selected sources have errors".to_owned()));
            }
            let diagnostics: Vec<Diagnostic> = lost.into_iter().map(needed).collect();
            return Err(report.refused(&diagnostics, &[]));
        };
        report.add(&lost.iter().map(|file| goes_on(file)).collect::<Vec<_>>(), &[]);
        let (mut frozen, mut left_out) = (selected.frozen, selected.left_out);
        left_out.retain(|path| !lost.iter().any(|file| file.path == *path));
        frozen.extend(lost.iter().map(|file| file.path.clone()));
        frozen.sort_unstable();
        let is_current = frozen.is_empty() && left_out.is_empty();
        let state = if is_current { compiled.state } else { ConfigState::Behind };
        Ok(CompiledZones { state, frozen, left_out, ..compiled })
    }

    /// Whether a file whose source is lost yields to one of the cluster.
    fn yields(&self, lost: &LoadedFile, selected: &SelectedSources) -> bool {
        let Some(cluster) = self.settings.cluster.as_ref().map(ClusterSettings::directory) else { return false };
        let is_shared = |path: &Path| path.parent() == Some(&cluster);
        let zone = lost.served().zone;
        let has_it = |other: &ZoneSource| {
            is_shared(&other.file) && zone.as_ref().is_some_and(|zone| zone.excludes(&other.zone.identity()))
        };
        !is_shared(&lost.path)
            && (selected.yielding.contains(&lost.path) || selected.configuration.zones.iter().any(has_it))
    }

    /// The files that exist, were served before and may have no good source. If only a copy of a
    /// file is kept, the current text of the file names its zone.
    fn served_before(&self, texts: &[FileInput<Arc<LoadedFile>>]) -> Vec<ServedFile> {
        if self.phase == LoadPhase::Reload {
            let served = texts.iter().filter_map(|text| self.base.file(path_of(text)));
            return served.filter(|file| file.is_unavailable()).map(|file| file.served()).collect();
        }
        let source_cache = &self.base.source_cache;
        let known = source_cache.served_before(&self.settings.zone_directories());
        let mut known: HashMap<PathBuf, ServedFile> = known.into_iter().map(|file| (file.path.clone(), file)).collect();
        let mut served = |text: &FileInput<Arc<LoadedFile>>| match text {
            FileInput::Before(file) => Some(file.served()),
            FileInput::Read(source, _) => known.remove(&source.path).or_else(|| {
                let has_copy = source_cache.has_copy_of(&source.path);
                let zone = || config::zone_identity(source, self.settings);
                has_copy.then(|| ServedFile { path: source.path.clone(), zone: zone() })
            }),
        };
        texts.iter().filter_map(&mut served).collect()
    }

    /// The last good sources: those in force, or at the start those of the last run. After a change
    /// of the zones directory there are none, because the sources of the old directory do not apply
    /// to the new one.
    fn last_good(&self) -> Vec<SourceFile> {
        match self.phase {
            LoadPhase::Start => self.base.source_cache.copies(&self.settings.zone_directories()),
            LoadPhase::Reload if is_new_directory(self.base, self.settings) => Vec::new(),
            LoadPhase::Reload => self.base.files.iter().filter_map(|file| self.base.source_of(file).ok()).collect(),
        }
    }
}

/// The served files that have no entry in `texts`, which is sorted by path.
fn missing_in<'s>(texts: &[SourceFile], served: &[&'s Arc<LoadedFile>]) -> Vec<&'s Arc<LoadedFile>> {
    let is_missing = |file: &&&Arc<LoadedFile>| texts.binary_search_by(|text| text.path.cmp(&file.path)).is_err();
    served.iter().filter(is_missing).copied().collect()
}

/// A warning: the source of this file is lost, but its compiled zone is still served.
fn goes_on(file: &LoadedFile) -> Diagnostic {
    let message = "the source that this file is served from is lost: its zone will not be served after a restart";
    let mut diagnostic = Diagnostic::warning(&file.path, message);
    diagnostic.hint("correct the file");
    diagnostic
}

/// An error: the source of this file is lost and is needed to compile the change.
fn needed(file: &Arc<LoadedFile>) -> Diagnostic {
    let message = "the source that this file is served from is lost, and the changes cannot be compiled without it";
    let mut diagnostic = Diagnostic::error(&file.path, message);
    diagnostic.hint("correct this file; until then the previous configuration stays in force");
    diagnostic
}
