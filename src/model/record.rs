//! Resource record sets: the 17 types, their data, and the rrset that carries a routing policy.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use super::{HealthCheckId, HostedZoneId, Name, RoutingPolicy};

macro_rules! record_types {
    ($($variant:ident = $code:literal, $text:literal;)*) => {
        /// The 17 record types of Route 53 and nothing else (API, enum RRType). The number is the
        /// wire code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum RecordType {
            $(#[doc = $text] $variant = $code,)*
        }

        impl RecordType {
            /// All of them, in the order of the API's enum.
            pub const ALL: [RecordType; 17] = [$(RecordType::$variant,)*];

            /// The type with this wire code.
            pub fn from_code(code: u16) -> Option<RecordType> {
                match code {
                    $($code => Some(RecordType::$variant),)*
                    _ => None,
                }
            }

            /// The mnemonic, in upper case.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(RecordType::$variant => $text,)*
                }
            }
        }
    };
}

record_types! {
    Soa = 6, "SOA";
    A = 1, "A";
    Txt = 16, "TXT";
    Ns = 2, "NS";
    Cname = 5, "CNAME";
    Mx = 15, "MX";
    Naptr = 35, "NAPTR";
    Ptr = 12, "PTR";
    Srv = 33, "SRV";
    Spf = 99, "SPF";
    Aaaa = 28, "AAAA";
    Caa = 257, "CAA";
    Ds = 43, "DS";
    Tlsa = 52, "TLSA";
    Sshfp = 44, "SSHFP";
    Svcb = 64, "SVCB";
    Https = 65, "HTTPS";
}

impl RecordType {
    /// The wire code (IANA, DNS parameters).
    pub fn code(self) -> u16 {
        self as u16
    }

    /// The offset of the name at the end of the wire data: the target of MX, SRV, NS and CNAME.
    pub fn target_offset(self) -> Option<usize> {
        match self {
            RecordType::Ns | RecordType::Cname => Some(0),
            RecordType::Mx => Some(2),
            RecordType::Srv => Some(6),
            _ => None,
        }
    }
}

/// The string is not one of the 17 mnemonics.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown record type")]
pub struct UnknownRecordType;

impl FromStr for RecordType {
    type Err = UnknownRecordType;

    /// Reads a mnemonic in any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = |record_type: &RecordType| record_type.as_str().eq_ignore_ascii_case(text);
        RecordType::ALL.into_iter().find(known).ok_or(UnknownRecordType)
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The data of one resource record: uncompressed wire bytes (names in the case they were written
/// in). Data are equal if their type and bytes are.
#[derive(Clone, Debug)]
pub struct RecordData {
    record_type: RecordType,
    wire: Box<[u8]>,
    /// The text that it was read from, if it is not the canonical one.
    written: Option<Box<str>>,
}

impl PartialEq for RecordData {
    fn eq(&self, other: &RecordData) -> bool {
        self.record_type == other.record_type && self.wire == other.wire
    }
}

impl Eq for RecordData {}

impl Hash for RecordData {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.record_type, &self.wire).hash(state);
    }
}

impl RecordData {
    /// Data with bytes from the parser of `record_type`.
    pub(super) fn new(record_type: RecordType, wire: Vec<u8>) -> RecordData {
        RecordData { record_type, wire: wire.into_boxed_slice(), written: None }
    }

    /// The same data, with the text that they were read from.
    pub(super) fn read_from(self, text: &str) -> RecordData {
        let written = (!self.is_canonical(text)).then(|| text.into());
        RecordData { written, ..self }
    }

    fn is_canonical(&self, text: &str) -> bool {
        let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
        match self.record_type {
            // Most values of a zone: not worth printing.
            RecordType::A => text.bytes().all(is_plain),
            RecordType::Cname | RecordType::Ns | RecordType::Ptr if text.bytes().all(is_plain) => text.ends_with('.'),
            _ => self.to_text() == text,
        }
    }

    /// The value as the user wrote it. Programs that compare what they sent with what is listed
    /// need this: Route 53 lists values as they were sent.
    pub fn as_written(&self) -> Cow<'_, str> {
        self.written.as_deref().map_or_else(|| Cow::Owned(self.to_text()), Cow::Borrowed)
    }

    /// Restores data from the bytes that `wire` returned. Other bytes may not be valid data of this
    /// type.
    pub(crate) fn from_wire(record_type: RecordType, wire: Vec<u8>) -> RecordData {
        RecordData::new(record_type, wire)
    }

    /// The record type.
    pub fn record_type(&self) -> RecordType {
        self.record_type
    }

    /// The bytes after RDLENGTH on the wire, with uncompressed names.
    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// The name that the record points to, for NS, CNAME, MX, SRV, SVCB and HTTPS.
    pub fn target(&self) -> Option<Name> {
        if self.is_service() {
            return Name::from_start_of_wire(&self.wire[SERVICE_TARGET_OFFSET..]);
        }
        Name::from_wire(&self.wire[self.record_type.target_offset()?..])
    }

    /// Whether the record describes a service at its own name: SVCB or HTTPS in ServiceMode whose
    /// TargetName is `.` (RFC 9460 section 2.5.2). In AliasMode `.` means that there is no service
    /// (section 2.5.1).
    pub fn targets_owner(&self) -> bool {
        self.is_service() && !self.is_service_alias() && self.wire[SERVICE_TARGET_OFFSET] == 0
    }

    /// Whether the record is an alias for a service at another name: SVCB or HTTPS in AliasMode,
    /// with priority 0 (RFC 9460 section 2.4.2).
    pub fn is_service_alias(&self) -> bool {
        self.is_service() && self.wire.starts_with(&[0, 0])
    }

    fn is_service(&self) -> bool {
        matches!(self.record_type, RecordType::Svcb | RecordType::Https)
    }
}

/// The offset of TargetName in SVCB and HTTPS data: after the priority (RFC 9460 section 2.2).
const SERVICE_TARGET_OFFSET: usize = 2;

/// A time to live in seconds, 0..=2147483647 (RFC 2181 section 8, API TTL).
pub type Ttl = u32;

/// The longest TTL (RFC 2181 section 8).
pub const MAX_TTL: Ttl = 2_147_483_647;

/// The maximum number of values of one record set (Developer Guide, "Quotas on records").
pub const MAX_VALUES: usize = 400;

/// The maximum number of record sets of one name and type (Developer Guide, "Quotas on records");
/// some policies allow fewer.
pub const MAX_MEMBERS: usize = 100;

/// One resource record set: the API's ResourceRecordSet, a `[[record]]` table.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceRecordSet {
    /// The owner, absolute.
    pub name: Name,
    /// The type of all its records.
    pub record_type: RecordType,
    /// Distinguishes the members of a group (same name and type). Present exactly when the policy
    /// is not simple.
    pub set_identifier: Option<String>,
    /// The routing policy, which selects sets from the group.
    pub routing_policy: RoutingPolicy,
    /// The content: values or an alias.
    pub content: Content,
    /// The health check of this set.
    pub health_check: Option<HealthCheckId>,
}

/// The content of a record set.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Values of its own.
    Records {
        /// How long resolvers may cache them, in seconds.
        ttl: Ttl,
        /// At least one, at most [`MAX_VALUES`].
        values: Vec<RecordData>,
    },
    /// The answer of another group of the same zone and type, or of a resource outside the zone.
    Alias(AliasTarget),
}

impl Content {
    /// The values of its own; an alias has none.
    pub fn values(&self) -> &[RecordData] {
        match self {
            Content::Records { values, .. } => values,
            Content::Alias(_) => &[],
        }
    }
}

/// The target of an alias record (API AliasTarget).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasTarget {
    /// The name of the target: a group of the same type in the same zone, or the DNS name of a
    /// resource.
    pub name: Name,
    /// The hosted zone of a resource; `None` for the zone of the alias.
    pub hosted_zone: Option<HostedZoneId>,
    /// Whether the alias counts as unhealthy when nothing in its target is healthy.
    pub evaluate_target_health: bool,
}
