//! The history: what happened, in one log that survives a restart.
//!
//! Changes of status, overrides, reloads and changes of objects are lines of one file in the state
//! directory. The file is bounded, and nothing that is served depends on it: if it is missing,
//! damaged or cannot be written, there is one warning and everything else works.
//!
//! What becomes of a change of an object is known also after a kill at any moment. Its line is
//! written before the zone file is replaced and has the hash of the new text. A second line says
//! that the change was made or was not. If that line is missing, the start compares the hash with
//! the file.

mod change_id;
mod event;
mod last_changes;
mod line;
mod log;
mod override_line;
mod past;
mod read_back;
#[cfg(test)]
mod tests;

pub(crate) use change_id::new_change_id;
pub(crate) use event::{EventKind, EventRecord, ObjectChange, Part};
pub(crate) use last_changes::{LastChanges, RecordChange};
pub(crate) use log::History;
#[cfg(test)]
use log::Intent;
pub(crate) use override_line::OverrideLine;
pub(crate) use past::PastChange;
pub(crate) use read_back::Restored;
