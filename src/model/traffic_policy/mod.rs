//! Traffic policies: rules and endpoints in a document, from which an instance makes the record
//! sets of one name.

mod document;
mod expand;

use super::{Name, RecordType, Ttl};

pub use document::{InvalidDocument, MAX_DOCUMENT_CHARACTERS, PolicyDocument};
pub use expand::{InstanceError, PolicySet, policy_sets};

/// The most versions of a traffic policy (API CreateTrafficPolicyVersion).
pub const MAX_POLICY_VERSIONS: u16 = 1000;

/// The id of a traffic policy, a lower-case UUID.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrafficPolicyId(pub String);

/// A traffic policy with all its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficPolicy {
    /// The id.
    pub id: TrafficPolicyId,
    /// The name; no other policy has it that is not deleted.
    pub name: String,
    /// The versions, by number. Deleted ones stay: they can still be read.
    pub versions: Vec<PolicyVersion>,
}

/// A version of a traffic policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyVersion {
    /// 1, and one more for each further version.
    pub number: u16,
    /// The user's comment.
    pub comment: Option<String>,
    /// The document, as it was sent.
    pub document: String,
    /// Whether it was deleted. Its number is not used again.
    pub is_deleted: bool,
}

/// A name of a hosted zone whose record sets come from a traffic policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficPolicyInstance {
    /// The id, a lower-case UUID.
    pub id: String,
    /// The absolute name.
    pub name: Name,
    /// The TTL of all its records.
    pub ttl: Ttl,
    /// The policy.
    pub policy: TrafficPolicyId,
    /// The version of the policy.
    pub version: u16,
    /// The type of its records: that of the document.
    pub record_type: RecordType,
}

impl TrafficPolicy {
    /// A version that is not deleted.
    pub fn version(&self, number: u16) -> Option<&PolicyVersion> {
        self.versions.iter().find(|version| version.number == number && !version.is_deleted)
    }

    /// The latest version that is not deleted; `None` for a deleted policy.
    pub fn latest(&self) -> Option<&PolicyVersion> {
        self.versions.iter().rev().find(|version| !version.is_deleted)
    }
}
