//! The configuration after a change that is not made: for `fiftythree plan`, and for commands that
//! show what they would do.
//!
//! It is computed by the code that makes changes, on a copy that shares nothing that the loader
//! writes to.

use std::path::Path;
use std::sync::Arc;

use crate::config::{SourceFile, SourceOrigin};
use crate::health::Slots;
use crate::model::HealthCheckId;
use crate::objects::{Change, Commit, CommitError, ObjectId};
use crate::store::SourceCache;

use super::commit::check_cluster;
use super::models::Models;
use super::{CommittedConfig, FileSources, LoadedConfig, difference};

impl LoadedConfig {
    /// The configuration after a change. Nothing is written. `slots` are those of the checks in
    /// force.
    pub(crate) fn planned(&self, slots: &Slots, commit: &Commit) -> Result<CommittedConfig, CommitError> {
        check_cluster(self, &commit.id)?;
        let mut base = LoadedConfig {
            source_cache: Arc::new(SourceCache::over(&self.source_cache)),
            models: Arc::new(Models::of(self.models.size())),
            ..self.clone()
        };
        if let (ObjectId::HealthCheck(id), Change::Delete) = (&commit.id, &commit.change) {
            base = base.with_pinned(id, slots)?;
        }
        let prepared = base.prepare(&commit.id, &commit.change)?;
        // No file is looked at.
        let sources = FileSources::default();
        let load = base.load_of_commit(&sources, slots);
        let compiled = load.compile_prepared(&prepared)?;
        let change = Arc::new(difference::of_commit(&base, commit, &prepared.transition));
        Ok(load.finish_commit(compiled, change, None))
    }

    /// The same zones, with the id of a health check in the place of its name.
    fn with_pinned(self, id: &HealthCheckId, slots: &Slots) -> Result<LoadedConfig, CommitError> {
        let pinned = self.pinned(id)?;
        if pinned.is_empty() {
            return Ok(self);
        }
        let sources = FileSources::default();
        let load = self.load_of_commit(&sources, slots);
        let paths: Vec<&Path> = pinned.iter().map(|(read, _)| &*read.path).collect();
        let texts: Vec<_> =
            pinned.iter().map(|(read, text)| SourceFile { text: text.as_str().into(), ..read.clone() }).collect();
        let compiled = load.compile_changed(&load.texts_without(&paths, &texts), SourceOrigin::Current, None);
        let compiled =
            compiled.ok_or_else(|| CommitError::Unavailable("a zone refers to the health check".to_owned()))?;
        Ok(load.config_of(compiled))
    }
}
