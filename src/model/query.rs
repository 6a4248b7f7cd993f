//! Query types and response codes, with their mnemonics.

use std::fmt;
use std::str::FromStr;

use super::RecordType;

/// A QTYPE, known or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueryType(pub u16);

/// A response code, 0 to 15 of the header or 16, BADVERS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResponseCode(pub u8);

/// Query types without records in Route 53 (IANA, DNS parameters).
const OTHER_TYPES: [(u16, &str); 19] = [
    (13, "HINFO"),
    (17, "RP"),
    (29, "LOC"),
    (39, "DNAME"),
    (41, "OPT"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (50, "NSEC3"),
    (51, "NSEC3PARAM"),
    (59, "CDS"),
    (60, "CDNSKEY"),
    (61, "OPENPGPKEY"),
    (62, "CSYNC"),
    (63, "ZONEMD"),
    (251, "IXFR"),
    (252, "AXFR"),
    (255, "ANY"),
    (256, "URI"),
];

/// RFC 6895 section 2.3. Codes that are not used here have no names.
const RESPONSE_CODES: [(u8, &str); 13] = [
    (0, "NOERROR"),
    (1, "FORMERR"),
    (2, "SERVFAIL"),
    (3, "NXDOMAIN"),
    (4, "NOTIMP"),
    (5, "REFUSED"),
    (6, "YXDOMAIN"),
    (7, "YXRRSET"),
    (8, "NXRRSET"),
    (9, "NOTAUTH"),
    (10, "NOTZONE"),
    (11, "DSOTYPENI"),
    (16, "BADVERS"),
];

/// The string is not a mnemonic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown name")]
pub struct UnknownName;

impl QueryType {
    /// ANY: all types of a name (RFC 8482).
    pub const ANY: QueryType = QueryType(255);

    /// Whether it is a meta query such as AXFR (RFC 6895 section 3.1). ANY is not: it requests
    /// records of a name.
    pub fn is_meta(self) -> bool {
        matches!(self.0, 41 | 128..=254)
    }

    /// All mnemonics.
    pub fn names() -> impl Iterator<Item = &'static str> {
        RecordType::ALL.into_iter().map(RecordType::as_str).chain(OTHER_TYPES.iter().map(|(_, name)| *name))
    }
}

impl ResponseCode {
    /// All mnemonics.
    pub fn names() -> impl Iterator<Item = &'static str> {
        RESPONSE_CODES.iter().map(|(_, name)| *name)
    }
}

impl From<RecordType> for QueryType {
    fn from(record_type: RecordType) -> QueryType {
        QueryType(record_type.code())
    }
}

/// The mnemonic; `TYPE65280` for a type without one (RFC 3597 section 5).
impl fmt::Display for QueryType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let other = || OTHER_TYPES.iter().find(|(code, _)| *code == self.0).map(|(_, name)| *name);
        match RecordType::from_code(self.0).map(RecordType::as_str).or_else(other) {
            Some(name) => f.write_str(name),
            None => write!(f, "TYPE{}", self.0),
        }
    }
}

/// The mnemonic; `RCODE12` for a code without one.
impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match RESPONSE_CODES.iter().find(|(code, _)| *code == self.0) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "RCODE{}", self.0),
        }
    }
}

/// A mnemonic in any case, or `TYPE` and a number.
impl FromStr for QueryType {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<QueryType, UnknownName> {
        let text = text.to_ascii_uppercase();
        if let Ok(known) = text.parse::<RecordType>() {
            return Ok(QueryType(known.code()));
        }
        if let Some((code, _)) = OTHER_TYPES.iter().find(|(_, name)| *name == text) {
            return Ok(QueryType(*code));
        }
        let number = text.strip_prefix("TYPE").filter(|rest| rest.bytes().all(|octet| octet.is_ascii_digit()));
        number.and_then(|number| number.parse().ok()).map(QueryType).ok_or(UnknownName)
    }
}

/// A mnemonic in any case.
impl FromStr for ResponseCode {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<ResponseCode, UnknownName> {
        let known = RESPONSE_CODES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
        known.map(|(code, _)| ResponseCode(*code)).ok_or(UnknownName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in QueryType::names() {
            assert_eq!(name.parse::<QueryType>().unwrap().to_string(), name);
        }
        for code in 0..17 {
            let text = ResponseCode(code).to_string();
            assert_eq!(
                text.parse::<ResponseCode>().map(|code| code.0),
                if text.starts_with("RCODE") { Err(UnknownName) } else { Ok(code) }
            );
        }
        assert_eq!("aaaa".parse(), Ok(QueryType(28)));
        assert_eq!("any".parse(), Ok(QueryType::ANY));
        let meta = |name: &str| name.parse::<QueryType>().unwrap().is_meta();
        assert!(["AXFR", "IXFR", "OPT", "TYPE128", "TYPE254"].into_iter().all(meta));
        assert!(!["ANY", "A", "CAA", "URI", "HINFO", "TYPE65280"].into_iter().any(meta));
        assert_eq!("TYPE65280".parse(), Ok(QueryType(65_280)));
        for text in ["", "TYPE", "TYPE-1", "TYPE65536", "TYPE+1", "AAAAA"] {
            assert_eq!(text.parse::<QueryType>(), Err(UnknownName), "{text}");
        }
    }
}
