//! The XML of the API: elements that are read within bounds, the members of a shape, and a writer.

mod element;
mod members;
mod writer;

pub(crate) use element::{Element, ElementOrder};
pub(crate) use members::{Members, sized, text_of};
pub(in crate::api) use members::{not_in_enumeration, not_of_pattern};
pub(crate) use writer::Writer;

/// The namespace of every request and response.
pub(crate) const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";
