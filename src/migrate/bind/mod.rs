//! BIND zone files (master files, RFC 1035 section 5), read and written.
//!
//! - `entries`: a text as entries of tokens, each with its position.
//! - `generate`: the lines of a `$GENERATE` directive.
//! - `record_data`: record data between master files and the model. The `domain` crate reads them.
//! - `reader`: directives, owners, TTLs and record sets.
//! - `writer`: a zone as one master file, with a rule for names whose answers depend on a policy.

mod entries;
mod generate;
mod reader;
mod record_data;
mod writer;

pub(super) use reader::{BindFiles, read_text};
pub(crate) use writer::bind_text;
