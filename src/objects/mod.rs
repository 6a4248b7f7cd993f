//! Hosted zones, health checks, CIDR collections, reusable delegation sets, traffic policies and
//! alias targets as objects that programs change. Alias targets are only changed by hand and by
//! undo.
//!
//! An object is what must change together: a hosted zone with its record sets, a health check, a
//! CIDR collection, a delegation set, an alias target, or a traffic policy with its versions. A
//! [`Change`] is data. [`decide()`] says by Route 53's rules what an object is after a change, or
//! why the change is refused. An engine keeps the objects ([`ObjectStore`]): zone files (`load`),
//! or memory (`MemoryObjects`, in tests). Who keeps copies of objects watches what happens to them
//! ([`ObjectStore::watch`]).

mod change;
mod decide;
mod delegation_sets;
#[cfg(test)]
mod memory;
mod quota;
mod refusal;
mod removal;
mod snapshot;
mod store;
#[cfg(test)]
pub(crate) mod suite;
mod traffic_policies;
mod watch;

pub(crate) use change::{Change, Object, ObjectId, Revision, ZoneSummary};
pub(crate) use decide::{Transition, current, decide};
#[cfg(test)]
pub(crate) use memory::MemoryObjects;
pub(crate) use quota::{Quota, Quotas};
pub(crate) use refusal::{CommitError, ErrorCode, Refusal};
pub(crate) use removal::{FORCE_BY_API, FORCE_BY_COMMAND, FORCED_REMOVAL, removal_problem};
pub(crate) use snapshot::Snapshot;
pub(crate) use store::{Author, ChangeProgress, ChangeTracker, Commit, Committed, ObjectStore, Submission};
pub(crate) use watch::{ObjectEventKind, ObjectEvents, ObjectWatcher, Position};
