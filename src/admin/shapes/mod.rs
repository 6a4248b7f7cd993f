//! The JSON bodies of the HTTP API: requests and responses. They are separate from the model, so
//! that the model can change without a change of the API. docs/status-page.md describes them for
//! users.
//!
//! Times are strings in RFC 3339, UTC; times of observations have milliseconds.

mod changes;
mod events;
mod health;
mod overrides;
mod places;
mod status;
mod zones;

use serde::{Deserialize, Serialize};

pub(crate) use changes::*;
pub(crate) use events::*;
pub(crate) use health::*;
pub(crate) use overrides::*;
pub(crate) use places::*;
pub(crate) use status::*;
pub(crate) use zones::*;

/// The body of an error response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ErrorShape {
    /// The message.
    pub(crate) error: String,
    /// The names that exist; only if the requested name does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) known: Vec<String>,
}
