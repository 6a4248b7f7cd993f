//! The checks that a node has opinions on, in an order that other nodes know.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::health::Identity;

/// The most checks that one node publishes opinions on. It bounds what a reader accepts.
pub const MAX_CHECKS: usize = 50_000;

/// Checks, sorted by id, without duplicates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckList {
    checks: Box<[Arc<Identity>]>,
    hash: ListHash,
}

/// A hash of the ids and questions of a list. Equal lists have equal hashes on all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListHash(pub u64);

impl CheckList {
    /// The list of these checks. Checks that are beyond [`MAX_CHECKS`] are left out.
    #[must_use]
    pub fn new(checks: impl IntoIterator<Item = Arc<Identity>>) -> CheckList {
        let mut checks: Vec<Arc<Identity>> = checks.into_iter().collect();
        checks.sort_by(|one, other| one.id.cmp(&other.id));
        checks.dedup_by(|one, other| one.id == other.id);
        checks.truncate(MAX_CHECKS);
        CheckList { hash: hash(&checks), checks: checks.into() }
    }

    /// The checks, in order.
    #[must_use]
    pub fn checks(&self) -> &[Arc<Identity>] {
        &self.checks
    }

    /// The hash.
    #[must_use]
    pub fn hash(&self) -> ListHash {
        self.hash
    }
}

/// FNV-1a. It is part of the form that nodes of different versions exchange.
fn hash(checks: &[Arc<Identity>]) -> ListHash {
    let step = |hash: u64, octet: u8| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
    let octets = checks.iter().flat_map(|check| {
        let fingerprint = check.fingerprint.0.to_be_bytes();
        check.id.0.bytes().chain([0]).chain(fingerprint)
    });
    ListHash(octets.fold(0xcbf2_9ce4_8422_2325, step))
}

/// Sixteen hexadecimal digits.
impl fmt::Display for ListHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for ListHash {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<ListHash, Self::Err> {
        u64::from_str_radix(text, 16).map(ListHash)
    }
}
