//! Errors of the API: their codes, and the HTTP status of each.

use axum::http::StatusCode;

/// The codes, each with its HTTP status.
macro_rules! codes {
    ($($code:ident $status:literal,)*) => {
        /// The code of an error.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code {
            $(#[allow(missing_docs)] $code,)*
        }

        impl Code {
            fn name(self) -> &'static str {
                match self {
                    $(Code::$code => stringify!($code),)*
                }
            }

            fn status(self) -> u16 {
                match self {
                    $(Code::$code => $status,)*
                }
            }
        }
    };
}

// The API reference has the codes of each operation and, in "Common Errors", those of all.
codes! {
    // Common errors.
    AccessDenied 403,
    IncompleteSignature 400,
    InternalFailure 500,
    InvalidAction 400,
    InvalidClientTokenId 403,
    MalformedInput 400,
    MissingAuthenticationToken 403,
    RequestEntityTooLarge 413,
    RequestTimeout 408,
    ServiceUnavailable 503,
    SignatureDoesNotMatch 403,
    Throttling 400,
    UnknownOperationException 404,
    // Errors of operations.
    CidrBlockInUseException 400,
    CidrCollectionAlreadyExistsException 400,
    CidrCollectionInUseException 400,
    CidrCollectionVersionMismatchException 409,
    ConcurrentModification 400,
    ConflictingDomainExists 400,
    ConflictingTypes 400,
    DNSSECNotFound 400,
    DelegationSetAlreadyCreated 400,
    DelegationSetAlreadyReusable 400,
    DelegationSetInUse 400,
    DelegationSetNotAvailable 400,
    DelegationSetNotReusable 400,
    HealthCheckAlreadyExists 409,
    HealthCheckInUse 400,
    HealthCheckVersionMismatch 409,
    HostedZoneAlreadyExists 409,
    HostedZoneNotEmpty 400,
    HostedZoneNotFound 400,
    HostedZoneNotPrivate 400,
    HostedZonePartiallyDelegated 400,
    IncompatibleVersion 400,
    InsufficientCloudWatchLogsResourcePolicy 400,
    InvalidArgument 400,
    InvalidChangeBatch 400,
    InvalidDomainName 400,
    InvalidInput 400,
    InvalidKMSArn 400,
    InvalidKeySigningKeyName 400,
    InvalidKeySigningKeyStatus 400,
    InvalidPaginationToken 400,
    InvalidResourceRecordSetProtectionBatch 400,
    InvalidSigningStatus 400,
    InvalidTrafficPolicyDocument 400,
    InvalidVPCId 400,
    KeySigningKeyAlreadyExists 409,
    KeySigningKeyInParentDSRecord 400,
    KeySigningKeyInUse 400,
    KeySigningKeyWithActiveStatusNotFound 400,
    LastVPCAssociation 400,
    LimitsExceeded 400,
    NoSuchChange 404,
    NoSuchCidrCollectionException 404,
    NoSuchCidrLocationException 404,
    NoSuchCloudWatchLogsLogGroup 404,
    NoSuchDelegationSet 400,
    NoSuchGeoLocation 404,
    NoSuchHealthCheck 404,
    NoSuchHostedZone 404,
    NoSuchKeySigningKey 404,
    NoSuchQueryLoggingConfig 404,
    NoSuchTrafficPolicy 404,
    NoSuchTrafficPolicyInstance 404,
    NotAuthorizedException 401,
    PriorRequestNotComplete 400,
    ProtectionAlreadyExists 409,
    PublicZoneVPCAssociation 400,
    QueryLoggingConfigAlreadyExists 409,
    ThrottlingException 400,
    TooManyHealthChecks 400,
    TooManyHostedZones 400,
    TooManyKeySigningKeys 400,
    TooManyTrafficPolicies 400,
    TooManyTrafficPolicyInstances 400,
    TooManyTrafficPolicyVersionsForCurrentPolicy 400,
    TooManyVPCAssociationAuthorizations 400,
    TrafficPolicyAlreadyExists 409,
    TrafficPolicyInUse 400,
    TrafficPolicyInstanceAlreadyExists 409,
    VPCAssociationAuthorizationNotFound 404,
    VPCAssociationNotFound 404,
}

impl Code {
    /// True for errors that every operation may have.
    pub(super) fn is_common(self) -> bool {
        (self as usize) <= (Code::UnknownOperationException as usize)
    }
}

/// An error response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.name())]
pub(crate) struct ApiError {
    code: Code,
    message: String,
    entries: Vec<EntryError>,
}

/// What is wrong with one entry of a request about resource record sets (API ProtectionError).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntryError {
    /// The name and the type, as they are written.
    pub(crate) name: String,
    pub(crate) record_type: String,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> ApiError {
        ApiError { code, message: message.into(), entries: Vec::new() }
    }

    /// With what is wrong with each entry of the request.
    pub(crate) fn with_entries(self, entries: Vec<EntryError>) -> ApiError {
        ApiError { entries, ..self }
    }

    pub(crate) fn entries(&self) -> &[EntryError] {
        &self.entries
    }

    pub(crate) fn invalid_input(message: impl Into<String>) -> ApiError {
        ApiError::new(Code::InvalidInput, message)
    }

    /// The error for a token of a page that no response had.
    pub(crate) fn invalid_pagination_token() -> ApiError {
        ApiError::new(Code::InvalidPaginationToken, "The pagination token is not valid.")
    }

    pub(crate) fn code(&self) -> Code {
        self.code
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).expect("the statuses above are valid")
    }

    /// The name of the code, as clients read it.
    pub(super) fn code_name(&self) -> &'static str {
        self.code.name()
    }
}
