//! Several nodes with one configuration, which is in etcd.
//!
//! The unit is the zone file. etcd has each file as a text and a log of what changed it; every node
//! has the texts of all files, and serves them like files on disk ([`ClusterSources`]). A change is
//! decided on one node and written in one transaction, unless another node changed the file
//! meanwhile: then it is durable. The other nodes see it in their watch, and load what changed. A
//! node that starts without etcd serves its copies of the last run. Nothing on the query path waits
//! for etcd (`docs/decisions/0160-cluster.md`).
//!
//! - Requests: [`etcd`] defines them, [`gateway`] sends them, in the JSON of [`wire`]. [`keys`] has
//!   the keys and their values, [`layout`] the version of both.
//! - Files: [`mirror`] has them as this node knows them. [`list`] reads all, [`mod@follow`] takes
//!   what changes, and [`mod@write`] changes one ([`delta`]), in turns of nodes ([`turns`]).
//!   A load reads them from [`sources`], a command from [`commands`]. All of these share [`files`].
//! - Nodes: each keeps its state ([`node_state`], [`nodes`]) and its [`opinions`] of health in
//!   etcd. [`progress`] says which changes all of them have.
//! - Documents that nodes share, such as the overrides: [`document`], and sealed ones, [`seal`].
//! - [`setting_files`] checks the files that `[cluster]` names.

mod commands;
mod delta;
mod document;
mod etcd;
#[cfg(test)]
mod fake;
mod files;
mod follow;
mod gateway;
mod keys;
mod layout;
mod list;
mod mirror;
mod node_state;
mod nodes;
#[cfg(test)]
mod opinion_tests;
mod opinions;
mod progress;
mod seal;
mod setting_files;
mod sources;
#[cfg(test)]
mod tests;
mod turns;
#[cfg(test)]
mod version_tests;
mod wire;
mod write;

pub(crate) use commands::ClusterStatus;
pub(crate) use delta::Delta;
pub(crate) use document::{DocumentFollower, DocumentVersion};
pub(crate) use etcd::EtcdError;
pub(crate) use files::{ClusterFiles, Link, Reading};
pub(crate) use follow::{connect, follow};
pub(crate) use keys::is_file_name;
pub(crate) use node_state::{NodeState, home, milliseconds, settings_hashes};
pub(crate) use nodes::{follow_nodes, leave, register};
pub(crate) use opinions::{Opinions, read_opinions};
pub(crate) use seal::SealedDocument;
pub(crate) use setting_files::{BadClusterFile, bad_files};
pub(crate) use sources::ClusterSources;
