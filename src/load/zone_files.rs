//! The zone files of a load: the texts that were read, or the compiled files that are served.

use std::cell::LazyCell;
use std::path::Path;
use std::sync::Arc;

use crate::config::{ClusterSettings, Diagnostic, FileContents, Settings, SourceFile};
use crate::store::{Contents, MemoryRoom};

use super::loaded_file::LoadedFile;
use super::sources::{FileInput, Previous, ReadZoneFiles, read_zone_files};
use super::{LoadReport, LoadedConfig, Refused, Sources, deferred, unavailable};

/// For each file, its source or the compiled file that is served. Sorted by path.
pub(super) type ZoneFiles = Vec<FileInput<Arc<LoadedFile>>>;

/// All sources at the start. The copies of the last run replace files that cannot be read. A
/// missing directory is an error; an empty one is not.
pub(super) fn zone_files_at_start(
    sources: &dyn Sources,
    settings: &Settings,
    base: &LoadedConfig,
    report: &mut LoadReport,
) -> ZoneFiles {
    let directories = settings.zone_directories();
    let copy = |path: &Path| base.source_cache.copy_of(path);
    let previous = Previous { served: &[], of: &copy, unchanged: &|_, _| None, is_in_cluster: &|_| false };
    // Nothing is served yet, so the load is tried even if memory is short.
    let mut texts: ReadZoneFiles<SourceFile> =
        read_zone_files(sources, &directories, &previous, &mut MemoryRoom::unlimited());
    let placeholders = unavailable::unreadable(&base.source_cache, &directories, &mut texts);
    // A node of a cluster need not have files of its own. If the settings have errors, the
    // directory may be the default instead of that of the settings.
    if settings.cluster.is_some() || report.is_refused {
        let ReadZoneFiles { diagnostics, missing, .. } = &mut texts;
        diagnostics.retain(|diagnostic| !missing.contains(&diagnostic.path));
        missing.clear();
    }
    match texts.missing.as_slice() {
        [] => report.add(&texts.diagnostics, &[]),
        _ => report.refuse(&texts.diagnostics, &[]),
    }
    let text = |current| match current {
        FileInput::Read(source, stamp) => FileInput::Read(source, stamp),
        FileInput::Before(source) => FileInput::Read(source, None),
    };
    let mut texts: ZoneFiles = texts.files.into_iter().map(text).collect();
    texts.extend(placeholders.into_iter().map(FileInput::Before));
    texts.sort_unstable_by(|one, other| path_of(one).cmp(path_of(other)));
    texts
}

/// The sources of the files that changed since they were last read.
pub(super) fn changed_zone_files(
    sources: &dyn Sources,
    settings: &Settings,
    base: &LoadedConfig,
    room: &mut MemoryRoom,
    report: &mut LoadReport,
) -> Result<ZoneFiles, Refused> {
    let directory = &settings.zones.directory;
    let is_new = is_new_directory(base, settings);
    let before = |path: &Path| base.file(path).map(Arc::clone);
    let new_zones = settings.new_zones_directory();
    let is_in_new_zones = |path: &Path| path.parent() == Some(&new_zones);
    let is_elsewhere = |path: &Path| path.parent() != Some(directory);
    // What is served from the old zones directory does not replace files of a new one.
    let is_kept = |file: &&Arc<LoadedFile>| is_elsewhere(&file.path) && is_in_new_zones(&file.path);
    let kept: Vec<_> = base.files.iter().filter(|_| is_new).filter(is_kept).cloned().collect();
    let cluster = LazyCell::new(|| FileContents::of(&cluster_files(sources, settings), settings));
    let previous = Previous {
        served: if is_new { &kept } else { &base.files },
        of: &before,
        unchanged: &|path, stamp| before(path).filter(|file| file.stamp == Some(stamp)),
        is_in_cluster: &|file| is_in_cluster(file, base, &cluster),
    };
    let mut texts = read_zone_files(sources, &settings.zone_directories(), &previous, room);
    let is_empty = texts.files.iter().all(|text| is_elsewhere(path_of(text)));
    if is_new && is_empty && texts.diagnostics.is_empty() {
        texts.diagnostics.push(Diagnostic::error(directory, "the new zones directory is empty"));
        texts.missing.push(directory.clone());
    }
    if texts.missing.contains(directory) {
        return Err(report.refused(&texts.diagnostics, &[]));
    }
    report.deferred.extend(deferred::defer_half_written(base, &mut texts));
    report.add(&texts.diagnostics, &[]);
    Ok(texts.files)
}

/// The files of the cluster as they are now; none without a cluster.
fn cluster_files(sources: &dyn Sources, settings: &Settings) -> Vec<SourceFile> {
    let Some(directory) = settings.cluster.as_ref().map(ClusterSettings::directory) else { return Vec::new() };
    let text = |path: &Path| match sources.text(path) {
        Ok(Contents::Text { source, .. }) => Some(source),
        _ => None,
    };
    let listed = sources.zone_files(&directory).unwrap_or_default();
    listed.iter().filter_map(|(path, _)| text(path)).collect()
}

/// Whether files of the cluster have the zone of this file and all that it defines for others.
fn is_in_cluster(file: &Arc<LoadedFile>, base: &LoadedConfig, cluster: &FileContents) -> bool {
    let has_rest = || base.source_of(file).is_ok_and(|source| cluster.define_all_of(&source));
    file.served().zone.is_none_or(|zone| cluster.has_zone(&zone)) && (!file.may_define || has_rest())
}

pub(super) fn is_new_directory(base: &LoadedConfig, settings: &Settings) -> bool {
    base.settings.zones.directory != settings.zones.directory
}

pub(super) fn find<'t>(texts: &'t [FileInput<Arc<LoadedFile>>], path: &Path) -> Option<&'t FileInput<Arc<LoadedFile>>> {
    texts.binary_search_by(|text| path_of(text).cmp(path)).ok().map(|at| &texts[at])
}

pub(super) fn path_of(text: &FileInput<Arc<LoadedFile>>) -> &Path {
    match text {
        FileInput::Read(source, _) => &source.path,
        FileInput::Before(file) => &file.path,
    }
}

pub(super) fn bytes_of(text: &FileInput<Arc<LoadedFile>>) -> u64 {
    match text {
        FileInput::Read(source, _) => source.text.len() as u64,
        FileInput::Before(file) => file.bytes,
    }
}
