//! The Route 53 API: the shapes of its requests, and what they mean.
//!
//! - [`change_batch`]: a ChangeBatch as the `aws` command line writes it, as JSON.

mod caller;
pub(crate) mod change_batch;
mod errors;
pub(crate) mod ids;
mod operation;
mod operations;
mod request;
mod router;
mod time;
mod uri;
mod xml;
