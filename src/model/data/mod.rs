//! Record data: Route 53's value syntax in, wire bytes out.

use super::{RecordData, RecordType};

/// Why a text is no value of its record type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DataError {
    /// What is wrong, in words a newcomer can act on.
    pub message: String,
    /// What to write instead, when there is something to say.
    pub hint: Option<String>,
}

impl RecordData {
    /// Reads a value in Route 53's text form (Developer Guide, "Supported DNS record types").
    pub fn parse(record_type: RecordType, text: &str) -> Result<RecordData, DataError> {
        match record_type {
            RecordType::A => match text.parse::<std::net::Ipv4Addr>() {
                Ok(address) => Ok(RecordData::new(record_type, address.octets().to_vec())),
                Err(_) => Err(DataError { message: "not an IPv4 address".to_owned(), hint: None }),
            },
            _ => Err(DataError { message: "not yet read".to_owned(), hint: None }),
        }
    }
}
