//! Zones that move in and out: BIND zone files, the JSON of `aws route53`, and the objects of
//! another server or account with the Route 53 API.
//!
//! ```text
//!  BIND files ────── bind ────────────────┐                      ┌─ toml_files ── zone files
//!  JSON files ────── json ─────┬─ account ┴─ draft ── Inventory ─┼─ bind ──────── BIND files
//!  another server ── endpoint ─┘                                 └─ json_files ── JSON files
//! ```
//!
//! - [`Inventory`]: what moves, in the terms of the model.
//! - [`MigrationReport`]: what has no counterpart, each with its file, line and column.
//! - `inputs`: which format each file has.
//! - `account`: the objects of an account, from the elements of the API.
//! - `draft`: a zone that is being imported; record sets that Route 53 refuses are left out.

mod account;
mod bind;
mod draft;
mod endpoint;
mod inputs;
mod inventory;
mod json;
mod json_files;
mod report;
#[cfg(test)]
mod tests;
mod toml_files;

pub(crate) use bind::bind_text;
pub(crate) use endpoint::{AMAZON, Connection, Environment, NoCredentials, copy, find_credentials};
pub(crate) use inputs::read_files;
pub(crate) use inventory::Inventory;
pub(crate) use json_files::{change_batches, json_files};
pub(crate) use report::MigrationReport;
pub(crate) use toml_files::{NewFile, toml_files};
