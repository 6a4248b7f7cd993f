//! Why a change is not made, with Route 53's error codes.

use std::fmt;

/// The error codes of the API that a change can be refused with, spelled as there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // Each is the error of this name in the API reference.
pub(crate) enum ErrorCode {
    CidrCollectionAlreadyExistsException,
    CidrCollectionInUseException,
    ConflictingDomainExists,
    DelegationSetAlreadyCreated,
    DelegationSetAlreadyReusable,
    DelegationSetInUse,
    DelegationSetNotAvailable,
    HealthCheckAlreadyExists,
    HostedZoneAlreadyExists,
    HostedZoneNotEmpty,
    HostedZoneNotFound,
    InvalidArgument,
    InvalidChangeBatch,
    InvalidDomainName,
    InvalidInput,
    LastVPCAssociation,
    LimitsExceeded,
    NoSuchCidrCollectionException,
    NoSuchDelegationSet,
    NoSuchHealthCheck,
    NoSuchHostedZone,
    NoSuchTrafficPolicy,
    PublicZoneVPCAssociation,
    TooManyHealthChecks,
    TooManyHostedZones,
    TooManyTrafficPolicies,
    TooManyTrafficPolicyInstances,
    TrafficPolicyAlreadyExists,
    TrafficPolicyInUse,
}

/// A change that the rules of Route 53 do not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The code of the error.
    pub(crate) code: ErrorCode,
    /// The reasons; several only for a change batch.
    pub(crate) messages: Vec<String>,
    /// Whether the last reason is `[api] largest_removal`: a caller who means it can force the
    /// change.
    pub(crate) is_large_removal: bool,
}

/// Why a change was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CommitError {
    /// The object has another revision than the caller expected.
    #[error("the object has changed since it was read")]
    Conflict,
    /// The rules do not allow the change.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The object cannot be changed now: the disk, its file or the server does not allow it. The
    /// reason names files of the server.
    #[error("{0}")]
    Unavailable(String),
    /// The change takes long. It is made later, or not at all.
    #[error("the change was not made in time; it may be made later")]
    Late,
}

impl Refusal {
    /// A refusal for one reason.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Refusal {
        Refusal::of_all(code, vec![message.into()])
    }

    /// A refusal for all of these reasons.
    pub(super) fn of_all(code: ErrorCode, messages: Vec<String>) -> Refusal {
        Refusal { code, messages, is_large_removal: false }
    }

    /// Says how to make a large removal anyway: each door has its own way.
    pub(crate) fn with_way_to_force(mut self, how: &str) -> Refusal {
        if let (true, Some(message)) = (self.is_large_removal, self.messages.last_mut()) {
            *message += &format!(". To make it anyway: {how}");
        }
        self
    }
}

impl CommitError {
    /// Says how to make a large removal anyway.
    pub(crate) fn with_way_to_force(self, how: &str) -> CommitError {
        match self {
            CommitError::Refused(refusal) => refusal.with_way_to_force(how).into(),
            other => other,
        }
    }
}

/// A refusal for one reason.
pub(super) fn refusal(code: ErrorCode, message: impl Into<String>) -> CommitError {
    Refusal::new(code, message).into()
}

impl std::error::Error for Refusal {}

/// The reasons, one in a line.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.messages.join("\n"))
    }
}

/// As the API spells it.
impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
