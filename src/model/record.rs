//! Resource record sets: the 17 types, their data, and the rrset that carries a routing policy.

use std::fmt;
use std::str::FromStr;

use super::{HealthCheckId, Name, RoutingPolicy};

macro_rules! record_types {
    ($($variant:ident = $code:literal, $text:literal;)*) => {
        /// The 17 record types of Route 53 and nothing else (API, enum RRType). The number is the wire code.
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

    /// Where in the wire data the name begins that ends them: the target of MX, SRV, NS and CNAME.
    pub fn target_offset(self) -> Option<usize> {
        match self {
            RecordType::Ns | RecordType::Cname => Some(0),
            RecordType::Mx => Some(2),
            RecordType::Srv => Some(6),
            _ => None,
        }
    }
}

/// The text was none of the 17 mnemonics.
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

/// The data of one resource record: uncompressed wire bytes (names in the case they were written in).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordData {
    record_type: RecordType,
    wire: Box<[u8]>,
}

impl RecordData {
    /// Data whose bytes the parser of `record_type` has made.
    pub(super) fn new(record_type: RecordType, wire: Vec<u8>) -> RecordData {
        RecordData { record_type, wire: wire.into_boxed_slice() }
    }

    /// The same data once more, from what `wire` returned: bytes of another origin may be no data of this type.
    pub(crate) fn from_wire(record_type: RecordType, wire: Vec<u8>) -> RecordData {
        RecordData::new(record_type, wire)
    }

    /// The type these data belong to.
    pub fn record_type(&self) -> RecordType {
        self.record_type
    }

    /// The bytes that follow RDLENGTH on the wire, names uncompressed.
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

    /// Whether the record says that its owner offers a service itself: SVCB or HTTPS in ServiceMode
    /// whose TargetName is `.` (RFC 9460 section 2.5.2). In AliasMode `.` says that there is no
    /// service (section 2.5.1).
    pub fn targets_owner(&self) -> bool {
        self.is_service() && !self.is_service_alias() && self.wire[SERVICE_TARGET_OFFSET] == 0
    }

    /// Whether the record says that a service is found under another name: SVCB or HTTPS in
    /// AliasMode, of priority 0 (RFC 9460 section 2.4.2).
    pub fn is_service_alias(&self) -> bool {
        self.is_service() && self.wire.starts_with(&[0, 0])
    }

    fn is_service(&self) -> bool {
        matches!(self.record_type, RecordType::Svcb | RecordType::Https)
    }
}

/// Where TargetName begins in SVCB and HTTPS data: behind the priority (RFC 9460 section 2.2).
const SERVICE_TARGET_OFFSET: usize = 2;

/// A time to live in seconds, 0..=2147483647 (RFC 2181 section 8, API TTL).
pub type Ttl = u32;

/// The longest TTL (RFC 2181 section 8).
pub const MAX_TTL: Ttl = 2_147_483_647;

/// The most values of one record set (Developer Guide, "Quotas on records").
pub const MAX_VALUES: usize = 400;

/// The most record sets that share name and type (Developer Guide, "Quotas on records"); some policies allow fewer.
pub const MAX_MEMBERS: usize = 100;

/// One resource record set: what the API calls ResourceRecordSet and a `[[record]]` table writes.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceRecordSet {
    /// The owner, absolute.
    pub name: Name,
    /// The type of all its records.
    pub record_type: RecordType,
    /// Tells apart the members of a group (same name and type); present exactly when the policy is not simple.
    pub set_identifier: Option<String>,
    /// How this set is chosen among its group.
    pub routing_policy: RoutingPolicy,
    /// What it answers with.
    pub content: Content,
    /// The check that says whether this set may be answered.
    pub health_check: Option<HealthCheckId>,
}

/// What a record set answers with.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Values of its own.
    Records {
        /// Seconds a resolver may keep them.
        ttl: Ttl,
        /// At least one, at most [`MAX_VALUES`].
        values: Vec<RecordData>,
    },
    /// Whatever another group of the same zone and type would answer.
    Alias(AliasTarget),
}

/// The target of an alias record (API AliasTarget).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasTarget {
    /// The name whose group of the same type answers; in the alias's own zone.
    pub name: Name,
    /// Whether the alias counts as unhealthy when nothing in its target is healthy.
    pub evaluate_target_health: bool,
}
