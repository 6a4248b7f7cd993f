//! Makes the served sources durable, so that a restart can serve them if their files are broken
//! then.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::LoadPhase;

use super::loaded_file::{LoadedFile, served};
use super::{LoadedConfig, Sources};

/// With at most this many files, sources are made durable before they are served. With more, they
/// are made durable in the background after the start.
const FEW_FILES: usize = 64;

/// Makes the sources durable before they are served, except at a start with many files, where this
/// would take seconds, and in a cluster after a change of texts. If the state directory cannot be
/// written, the zones are served all the same; the message says why.
pub(super) fn keep(
    base: &LoadedConfig,
    directories: &[PathBuf],
    files: &[Arc<LoadedFile>],
    phase: LoadPhase,
    sources: &dyn Sources,
) -> Option<String> {
    let kept = match phase {
        LoadPhase::Start if files.len() > FEW_FILES => return None,
        LoadPhase::Start => base.source_cache.keep(directories, &served(files)),
        LoadPhase::Reload => {
            let is_there = |path: &&Path| files.binary_search_by(|file| (*file.path).cmp(path)).is_ok();
            let is_gone = |path: &&Path| {
                path.parent().is_some_and(|parent| directories.iter().any(|directory| directory == parent))
                    && !is_there(path)
            };
            let gone: Vec<&Path> = base.files.iter().map(|file| &*file.path).filter(is_gone).collect();
            let holds = |(one, other): (&Arc<LoadedFile>, &Arc<LoadedFile>)| {
                Arc::ptr_eq(one, other) || (one.path == other.path && one.has_same_zone_as(other))
            };
            let is_indexed = base.files.len() == files.len() && base.files.iter().zip(files).all(holds);
            if is_indexed && gone.is_empty() && sources.has_cluster() {
                // etcd or a disk of this node has them: answers do not wait for another copy.
                // `LoadedConfig::keep_sources` makes them durable within a second.
                return None;
            }
            let index = if is_indexed { Ok(()) } else { base.source_cache.keep_index(directories, &served(files)) };
            base.source_cache.keep_changes(&gone).and(index)
        }
    };
    kept.err().map(|error| error.to_string())
}
