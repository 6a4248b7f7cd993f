//! One zone, compiled: a table of names, the groups at each name, their plans, and leaves of ready wire bytes.

mod query_name;
mod records;

pub use query_name::{MalformedName, QueryName};
pub use records::{Data, Records};
