//! Loads only what changed: each changed file is read and compiled on its own. This works as long
//! as no file has an error.

use std::path::Path;
use std::sync::Arc;

use crate::background;
use crate::config::{self, SharedDefinitions, SourceFile, SourceOrigin, ZoneReading};
use crate::model::{HostedZone, Name, ZoneClaims};
use crate::policy::CidrTables;
use crate::store::{SourceHash, Stamp};

use super::loaded_config::ConfigState;
use super::loaded_file::{ChangedFile, LoadedFile, ZoneCompiler};
use super::sources::FileInput;
use super::zone_files::find;
use super::{CompiledZones, Load};

/// What is known before anything is compiled.
struct FileChanges {
    /// Files that are served and whose text is unchanged.
    unchanged: Vec<Arc<LoadedFile>>,
    changed: Vec<ChangedFile>,
    /// Whether definitions for other files may have changed.
    is_redefined: bool,
}

impl Load<'_> {
    /// Reads and compiles what is not served yet. Returns `None` if anything has an error. A served
    /// file that must be read again is read as a last good copy, regardless of the `origin` of the
    /// others. `read` is the zone of a file that has been read already, with the definitions in
    /// force.
    pub(super) fn compile_changed(
        &self,
        texts: &[FileInput<Arc<LoadedFile>>],
        origin: SourceOrigin,
        read: Option<(&Path, &ZoneReading)>,
    ) -> Option<CompiledZones> {
        let FileChanges { unchanged: mut files, mut changed, is_redefined } = self.file_changes(texts, origin);
        let common = if is_redefined { self.definitions(&files, &changed)? } else { Arc::clone(&self.base.common) };
        let tables = self.tables(&common);
        changed.extend(self.stale(&mut files, &common)?);
        let slots = self.slots.clone().for_checks(&common.health_checks);
        let compiler = ZoneCompiler {
            settings: self.settings,
            common: &common,
            tables: &tables,
            slot_of: &|id| slots.of(id),
            meters: &self.base.meters,
            read: read.filter(|_| Arc::ptr_eq(&common, &self.base.common) || self.means_the_same(&common)),
        };
        let compiled = compiler.compile_all(&changed, &|path| self.base.file(path))?;
        let is_new_claim =
            |file: &Arc<LoadedFile>| !self.base.file(&file.path).is_some_and(|old| old.has_same_zone_as(file));
        let has_new_claims = compiled.iter().any(is_new_claim);
        files.extend(compiled);
        files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        if has_new_claims && !claims_differ(&files) {
            return None;
        }
        // Only sources without errors may be kept as good.
        self.base.source_cache.hold(changed.into_iter().map(|changed| changed.source));
        let is_behind = files.iter().any(|file| file.is_unavailable());
        let state = if is_behind { ConfigState::Behind } else { ConfigState::Current };
        Some(CompiledZones { files, common, tables, state, frozen: Vec::new(), left_out: Vec::new() })
    }

    /// Compiles the zone of one file of which only record sets changed: nothing that other files
    /// refer to, and not what the zone is.
    pub(super) fn compile_record_sets(
        &self,
        source: &SourceFile,
        read: (&Path, &ZoneReading),
    ) -> Option<CompiledZones> {
        let base = self.base;
        let slots = self.slots.clone().for_checks(&base.common.health_checks);
        let compiler = ZoneCompiler {
            settings: self.settings,
            common: &base.common,
            tables: &base.tables,
            slot_of: &|id| slots.of(id),
            meters: &base.meters,
            read: Some(read),
        };
        let changed = ChangedFile::all(&[(source.clone(), None)], SourceOrigin::Current);
        let compiled = compiler.compile_all(&changed, &|path| base.file(path))?;
        let mut files = base.files.to_vec();
        for file in compiled {
            let at = files.binary_search_by(|other| other.path.cmp(&file.path)).ok()?;
            files[at] = file;
        }
        base.source_cache.hold([source.clone()]);
        let (common, tables, state) = (Arc::clone(&base.common), base.tables.clone(), base.state);
        Some(CompiledZones { files, common, tables, state, frozen: Vec::new(), left_out: Vec::new() })
    }

    fn file_changes(&self, texts: &[FileInput<Arc<LoadedFile>>], origin: SourceOrigin) -> FileChanges {
        let (mut unchanged, mut changed) = (Vec::with_capacity(texts.len()), Vec::new());
        for current in background::yielding(texts) {
            match current {
                FileInput::Before(file) => unchanged.push(Arc::clone(file)),
                FileInput::Read(source, stamp) => match self.base.file(&source.path) {
                    Some(file) if file.source_hash == SourceHash::of(&source.text) => {
                        unchanged.push(file.with_stamp(*stamp));
                    }
                    _ => changed.push((source.clone(), *stamp)),
                },
            }
        }
        background::yield_point();
        let changed: Vec<(SourceFile, Option<Stamp>)> = changed;
        let changed = ChangedFile::all(&changed, origin);
        background::yield_point();
        let mut replaced = changed.iter().filter_map(|changed| self.base.file(&changed.source.path));
        let mut gone = self.base.files.iter().filter(|file| find(texts, &file.path).is_none());
        let defines = |file: &Arc<LoadedFile>| file.may_define || self.base.common.has_addresses_in(file.zone_name());
        let is_redefined = changed.iter().any(|changed| changed.may_define || self.has_addresses_in(changed))
            || replaced.any(defines)
            || gone.any(defines);
        FileChanges { unchanged, changed, is_redefined }
    }

    /// Removes the files from `files` that must be read again although their text is unchanged, and
    /// returns them with their text. `None` if a text is lost.
    fn stale(&self, files: &mut Vec<Arc<LoadedFile>>, common: &Arc<SharedDefinitions>) -> Option<Vec<ChangedFile>> {
        let has_new_settings = *self.base.settings != *self.settings;
        let is_redefined = !Arc::ptr_eq(common, &self.base.common);
        let is_extended = is_redefined && common.extends(&self.base.common);
        let has_new_targets = common.alias_resources != self.base.common.alias_resources;
        // A new definition concerns only files with a reference to nothing, which is a warning.
        let is_concerned = |file: &LoadedFile| {
            !is_extended || !file.warnings.is_empty() || (has_new_targets && file.has_outside_targets())
        };
        let may_be_stale = |file: &LoadedFile| {
            has_new_settings || (is_redefined && file.depends_on_other_files() && is_concerned(file))
        };
        let is_stale = |file: &mut Arc<LoadedFile>| !file.is_unavailable() && may_be_stale(file);
        let read_again = |file: Arc<LoadedFile>| {
            let source = self.base.source_of(&file).ok()?;
            let (stamp, may_define, origin) = (file.stamp, file.may_define, SourceOrigin::LastGood);
            Some(ChangedFile { source, stamp, may_define, origin })
        };
        files.extract_if(.., is_stale).map(read_again).collect()
    }

    /// The CIDR tables for `common`. Tables of unchanged collections are reused.
    fn tables(&self, common: &Arc<SharedDefinitions>) -> CidrTables {
        let base = self.base;
        if Arc::ptr_eq(common, &base.common) {
            return base.tables.clone();
        }
        base.tables.succeeded(&base.common.cidr_collections, &common.cidr_collections)
    }

    /// Whether a zone that was read with the definitions in force is the same with these.
    fn means_the_same(&self, common: &SharedDefinitions) -> bool {
        common.extends(&self.base.common) && common.alias_resources == self.base.common.alias_resources
    }

    /// Whether a file has a zone in which alias targets in force have addresses.
    fn has_addresses_in(&self, changed: &ChangedFile) -> bool {
        let common = &self.base.common;
        common.alias_resources.names().next().is_some()
            && common
                .has_addresses_in(config::zone_identity(&changed.source, self.settings).as_ref().map(|zone| &zone.name))
    }

    /// The shared definitions of all files.
    fn definitions(&self, files: &[Arc<LoadedFile>], changed: &[ChangedFile]) -> Option<Arc<SharedDefinitions>> {
        let kept = files.iter().filter(|file| file.may_define);
        let mut defining = kept.map(|file| self.base.source_of(file).ok()).collect::<Option<Vec<_>>>()?;
        defining.extend(changed.iter().filter(|changed| changed.may_define).map(|changed| changed.source.clone()));
        defining.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        let common = SharedDefinitions::read(&defining)?;
        let zones = self.zones_with_addresses(&common, files, changed)?;
        let zones: Vec<&HostedZone> = zones.iter().map(|zone| &**zone).collect();
        Some(Arc::new(common.with_zones(&zones)))
    }

    /// The zones with names whose addresses alias targets have.
    fn zones_with_addresses(
        &self,
        common: &SharedDefinitions,
        files: &[Arc<LoadedFile>],
        changed: &[ChangedFile],
    ) -> Option<Vec<Arc<HostedZone>>> {
        if common.alias_resources.names().next().is_none() {
            return Some(Vec::new());
        }
        let is_source = |name: Option<&Name>| common.has_addresses_in(name);
        let kept = files.iter().filter(|file| !file.is_unavailable() && is_source(file.zone_name()));
        let mut sources = Vec::new();
        for file in kept {
            sources.push((self.base.source_of(file).ok()?, SourceOrigin::LastGood));
        }
        let identity = |changed: &ChangedFile| config::zone_identity(&changed.source, self.settings);
        let changed = changed.iter().filter(|changed| is_source(identity(changed).as_ref().map(|zone| &zone.name)));
        sources.extend(changed.map(|changed| (changed.source.clone(), changed.origin)));
        let read = |(source, origin): &(SourceFile, SourceOrigin)| common.zone(source, *origin, self.settings)?.zone;
        sources.iter().map(read).collect()
    }
}

/// Whether all these zones can be served together.
fn claims_differ(files: &[Arc<LoadedFile>]) -> bool {
    let mut claims = ZoneClaims::default();
    let mut zones = files.iter().filter_map(|file| file.zone.as_ref());
    zones.all(|zone| claims.claim(&zone.identity(), (), ()).is_empty())
}
