//! The Route 53 API: the shapes of its requests, and what they mean.
//!
//! - [`change_batch`]: a ChangeBatch as the `aws` command line writes it, as JSON.

pub(crate) mod change_batch;
