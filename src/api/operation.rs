//! The 74 operations of the API, with the method, path, success status and errors of each, as in
//! the API model of version 2013-04-01.

use axum::http::Method;

use super::errors::Code;

/// Whether a request has a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// An element `<Operation>Request`.
    Body,
    /// The same, all of whose members are optional. Without any of them, clients send no body.
    OptionalBody,
    /// Nothing that is read.
    Empty,
}

/// Each operation: name, method, path after `/2013-04-01`, success status, input, errors.
macro_rules! operations {
    ($($name:ident $method:ident $path:literal $status:literal $input:ident [$($error:ident)*];)*) => {
        /// An operation of the API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Operation {
            $(#[allow(missing_docs)] $name,)*
        }

        impl Operation {
            /// All of them, by name.
            pub(super) const ALL: &[Operation] = &[$(Operation::$name,)*];

            /// The name in the API.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Operation::$name => stringify!($name),)*
                }
            }

            fn row(self) -> Row {
                match self {
                    $(Operation::$name => Row {
                        method: verb::$method,
                        path: $path,
                        status: $status,
                        input: Input::$input,
                        errors: &[$(Code::$error,)*],
                    },)*
                }
            }
        }
    };
}

/// What the model says about an operation.
struct Row {
    method: Method,
    path: &'static str,
    status: u16,
    input: Input,
    errors: &'static [Code],
}

/// The methods, by the names of the table.
#[expect(non_upper_case_globals, reason = "as the table has them")]
mod verb {
    use axum::http::Method;

    pub(super) const Get: Method = Method::GET;
    pub(super) const Post: Method = Method::POST;
    pub(super) const Delete: Method = Method::DELETE;
}

impl Operation {
    pub(super) fn method(self) -> Method {
        self.row().method
    }

    /// The path after `/2013-04-01`, without a slash at its end; parameters in braces.
    pub(super) fn path(self) -> &'static str {
        self.row().path
    }

    /// The status of a success.
    pub(super) fn status(self) -> u16 {
        self.row().status
    }

    pub(super) fn input(self) -> Input {
        self.row().input
    }

    /// Whether an operation may respond with this code.
    pub(super) fn has_error(self, code: Code) -> bool {
        self.row().errors.contains(&code)
    }

    /// True if nothing changes. `ListTagsForResources` is a POST because it has a list of ids.
    pub(super) fn is_read(self) -> bool {
        self.method() == Method::GET || self == Operation::ListTagsForResources
    }
}

operations! {
    ActivateKeySigningKey Post "/keysigningkey/{HostedZoneId}/{Name}/activate" 200 Empty [
        ConcurrentModification NoSuchKeySigningKey InvalidKeySigningKeyStatus InvalidSigningStatus InvalidKMSArn
        InvalidInput
    ];
    AssociateVPCWithHostedZone Post "/hostedzone/{Id}/associatevpc" 200 Body [
        NoSuchHostedZone NotAuthorizedException InvalidVPCId InvalidInput PublicZoneVPCAssociation
        ConflictingDomainExists LimitsExceeded PriorRequestNotComplete
    ];
    ChangeCidrCollection Post "/cidrcollection/{CidrCollectionId}" 200 Body [
        NoSuchCidrCollectionException CidrCollectionVersionMismatchException InvalidInput CidrBlockInUseException
        LimitsExceeded ConcurrentModification
    ];
    ChangeResourceRecordSets Post "/hostedzone/{Id}/rrset" 200 Body [
        NoSuchHostedZone NoSuchHealthCheck InvalidChangeBatch InvalidInput PriorRequestNotComplete
    ];
    ChangeTagsForResource Post "/tags/{ResourceType}/{ResourceId}" 200 OptionalBody [
        InvalidInput NoSuchHealthCheck NoSuchHostedZone PriorRequestNotComplete ThrottlingException
    ];
    CreateCidrCollection Post "/cidrcollection" 201 Body [
        LimitsExceeded InvalidInput CidrCollectionAlreadyExistsException ConcurrentModification
    ];
    CreateHealthCheck Post "/healthcheck" 201 Body [TooManyHealthChecks HealthCheckAlreadyExists InvalidInput];
    CreateHostedZone Post "/hostedzone" 201 Body [
        InvalidDomainName HostedZoneAlreadyExists TooManyHostedZones InvalidVPCId InvalidInput
        DelegationSetNotAvailable ConflictingDomainExists NoSuchDelegationSet DelegationSetNotReusable
    ];
    CreateKeySigningKey Post "/keysigningkey" 201 Body [
        NoSuchHostedZone InvalidArgument InvalidInput InvalidKMSArn InvalidKeySigningKeyStatus InvalidSigningStatus
        InvalidKeySigningKeyName KeySigningKeyAlreadyExists TooManyKeySigningKeys ConcurrentModification
    ];
    CreateQueryLoggingConfig Post "/queryloggingconfig" 201 Body [
        ConcurrentModification NoSuchHostedZone NoSuchCloudWatchLogsLogGroup InvalidInput
        QueryLoggingConfigAlreadyExists InsufficientCloudWatchLogsResourcePolicy
    ];
    CreateResourceRecordSetProtections Post "/hostedzone/{Id}/rrsetprotection" 200 Body [
        InvalidInput InvalidResourceRecordSetProtectionBatch NoSuchHostedZone ProtectionAlreadyExists LimitsExceeded
        PriorRequestNotComplete
    ];
    CreateReusableDelegationSet Post "/delegationset" 201 Body [
        DelegationSetAlreadyCreated LimitsExceeded HostedZoneNotFound InvalidArgument InvalidInput
        DelegationSetNotAvailable DelegationSetAlreadyReusable
    ];
    CreateTrafficPolicy Post "/trafficpolicy" 201 Body [
        InvalidInput TooManyTrafficPolicies TrafficPolicyAlreadyExists InvalidTrafficPolicyDocument
    ];
    CreateTrafficPolicyInstance Post "/trafficpolicyinstance" 201 Body [
        NoSuchHostedZone InvalidInput TooManyTrafficPolicyInstances NoSuchTrafficPolicy
        TrafficPolicyInstanceAlreadyExists
    ];
    CreateTrafficPolicyVersion Post "/trafficpolicy/{Id}" 201 Body [
        NoSuchTrafficPolicy InvalidInput TooManyTrafficPolicyVersionsForCurrentPolicy ConcurrentModification
        InvalidTrafficPolicyDocument
    ];
    CreateVPCAssociationAuthorization Post "/hostedzone/{Id}/authorizevpcassociation" 200 Body [
        ConcurrentModification TooManyVPCAssociationAuthorizations NoSuchHostedZone InvalidVPCId InvalidInput
    ];
    DeactivateKeySigningKey Post "/keysigningkey/{HostedZoneId}/{Name}/deactivate" 200 Empty [
        ConcurrentModification NoSuchKeySigningKey InvalidKeySigningKeyStatus InvalidSigningStatus
        KeySigningKeyInUse KeySigningKeyInParentDSRecord InvalidInput
    ];
    DeleteCidrCollection Delete "/cidrcollection/{CidrCollectionId}" 200 Empty [
        NoSuchCidrCollectionException CidrCollectionInUseException InvalidInput ConcurrentModification
    ];
    DeleteHealthCheck Delete "/healthcheck/{HealthCheckId}" 200 Empty [
        NoSuchHealthCheck HealthCheckInUse InvalidInput
    ];
    DeleteHostedZone Delete "/hostedzone/{Id}" 200 Empty [
        NoSuchHostedZone HostedZoneNotEmpty PriorRequestNotComplete InvalidInput InvalidDomainName
    ];
    DeleteKeySigningKey Delete "/keysigningkey/{HostedZoneId}/{Name}" 200 Empty [
        ConcurrentModification NoSuchKeySigningKey InvalidKeySigningKeyStatus InvalidSigningStatus InvalidKMSArn
        InvalidInput
    ];
    DeleteQueryLoggingConfig Delete "/queryloggingconfig/{Id}" 200 Empty [
        ConcurrentModification NoSuchQueryLoggingConfig InvalidInput
    ];
    DeleteResourceRecordSetProtections Post "/hostedzone/{Id}/rrsetprotection/delete" 200 Body [
        InvalidInput InvalidResourceRecordSetProtectionBatch NoSuchHostedZone PriorRequestNotComplete
    ];
    DeleteReusableDelegationSet Delete "/delegationset/{Id}" 200 Empty [
        NoSuchDelegationSet DelegationSetInUse DelegationSetNotReusable InvalidInput
    ];
    DeleteTrafficPolicy Delete "/trafficpolicy/{Id}/{Version}" 200 Empty [
        NoSuchTrafficPolicy InvalidInput TrafficPolicyInUse ConcurrentModification
    ];
    DeleteTrafficPolicyInstance Delete "/trafficpolicyinstance/{Id}" 200 Empty [
        NoSuchTrafficPolicyInstance InvalidInput PriorRequestNotComplete
    ];
    DeleteVPCAssociationAuthorization Post "/hostedzone/{Id}/deauthorizevpcassociation" 200 Body [
        ConcurrentModification VPCAssociationAuthorizationNotFound NoSuchHostedZone InvalidVPCId InvalidInput
    ];
    DisableHostedZoneDNSSEC Post "/hostedzone/{Id}/disable-dnssec" 200 Empty [
        NoSuchHostedZone InvalidArgument ConcurrentModification KeySigningKeyInParentDSRecord DNSSECNotFound
        InvalidKeySigningKeyStatus InvalidKMSArn InvalidInput
    ];
    DisassociateVPCFromHostedZone Post "/hostedzone/{Id}/disassociatevpc" 200 Body [
        NoSuchHostedZone InvalidVPCId VPCAssociationNotFound LastVPCAssociation InvalidInput
    ];
    EnableHostedZoneDNSSEC Post "/hostedzone/{Id}/enable-dnssec" 200 Empty [
        NoSuchHostedZone InvalidArgument ConcurrentModification KeySigningKeyWithActiveStatusNotFound InvalidKMSArn
        HostedZonePartiallyDelegated DNSSECNotFound InvalidKeySigningKeyStatus InvalidInput
    ];
    GetAccountLimit Get "/accountlimit/{Type}" 200 Empty [InvalidInput];
    GetChange Get "/change/{Id}" 200 Empty [NoSuchChange InvalidInput];
    GetCheckerIpRanges Get "/checkeripranges" 200 Empty [];
    GetDNSSEC Get "/hostedzone/{Id}/dnssec" 200 Empty [NoSuchHostedZone InvalidArgument InvalidInput];
    GetGeoLocation Get "/geolocation" 200 Empty [NoSuchGeoLocation InvalidInput];
    GetHealthCheck Get "/healthcheck/{HealthCheckId}" 200 Empty [NoSuchHealthCheck InvalidInput IncompatibleVersion];
    GetHealthCheckCount Get "/healthcheckcount" 200 Empty [];
    GetHealthCheckLastFailureReason Get "/healthcheck/{HealthCheckId}/lastfailurereason" 200 Empty [
        NoSuchHealthCheck InvalidInput
    ];
    GetHealthCheckStatus Get "/healthcheck/{HealthCheckId}/status" 200 Empty [NoSuchHealthCheck InvalidInput];
    GetHostedZone Get "/hostedzone/{Id}" 200 Empty [NoSuchHostedZone InvalidInput];
    GetHostedZoneCount Get "/hostedzonecount" 200 Empty [InvalidInput];
    GetHostedZoneLimit Get "/hostedzonelimit/{Id}/{Type}" 200 Empty [
        NoSuchHostedZone InvalidInput HostedZoneNotPrivate
    ];
    GetQueryLoggingConfig Get "/queryloggingconfig/{Id}" 200 Empty [NoSuchQueryLoggingConfig InvalidInput];
    GetReusableDelegationSet Get "/delegationset/{Id}" 200 Empty [
        NoSuchDelegationSet DelegationSetNotReusable InvalidInput
    ];
    GetReusableDelegationSetLimit Get "/reusabledelegationsetlimit/{Id}/{Type}" 200 Empty [
        InvalidInput NoSuchDelegationSet
    ];
    GetTrafficPolicy Get "/trafficpolicy/{Id}/{Version}" 200 Empty [NoSuchTrafficPolicy InvalidInput];
    GetTrafficPolicyInstance Get "/trafficpolicyinstance/{Id}" 200 Empty [NoSuchTrafficPolicyInstance InvalidInput];
    GetTrafficPolicyInstanceCount Get "/trafficpolicyinstancecount" 200 Empty [];
    ListCidrBlocks Get "/cidrcollection/{CidrCollectionId}/cidrblocks" 200 Empty [
        NoSuchCidrCollectionException NoSuchCidrLocationException InvalidInput
    ];
    ListCidrCollections Get "/cidrcollection" 200 Empty [InvalidInput];
    ListCidrLocations Get "/cidrcollection/{CidrCollectionId}" 200 Empty [NoSuchCidrCollectionException InvalidInput];
    ListGeoLocations Get "/geolocations" 200 Empty [InvalidInput];
    ListHealthChecks Get "/healthcheck" 200 Empty [InvalidInput IncompatibleVersion];
    ListHostedZones Get "/hostedzone" 200 Empty [InvalidInput NoSuchDelegationSet DelegationSetNotReusable];
    ListHostedZonesByName Get "/hostedzonesbyname" 200 Empty [InvalidInput InvalidDomainName];
    ListHostedZonesByVPC Get "/hostedzonesbyvpc" 200 Empty [InvalidInput InvalidPaginationToken];
    ListQueryLoggingConfigs Get "/queryloggingconfig" 200 Empty [
        InvalidInput InvalidPaginationToken NoSuchHostedZone
    ];
    ListResourceRecordSetProtections Get "/hostedzone/{Id}/rrsetprotection" 200 Empty [
        InvalidInput NoSuchHostedZone InvalidPaginationToken
    ];
    ListResourceRecordSets Get "/hostedzone/{Id}/rrset" 200 Empty [NoSuchHostedZone InvalidInput];
    ListReusableDelegationSets Get "/delegationset" 200 Empty [InvalidInput];
    ListTagsForResource Get "/tags/{ResourceType}/{ResourceId}" 200 Empty [
        InvalidInput NoSuchHealthCheck NoSuchHostedZone PriorRequestNotComplete ThrottlingException
    ];
    ListTagsForResources Post "/tags/{ResourceType}" 200 Body [
        InvalidInput NoSuchHealthCheck NoSuchHostedZone PriorRequestNotComplete ThrottlingException
    ];
    ListTrafficPolicies Get "/trafficpolicies" 200 Empty [InvalidInput];
    ListTrafficPolicyInstances Get "/trafficpolicyinstances" 200 Empty [InvalidInput NoSuchTrafficPolicyInstance];
    ListTrafficPolicyInstancesByHostedZone Get "/trafficpolicyinstances/hostedzone" 200 Empty [
        InvalidInput NoSuchTrafficPolicyInstance NoSuchHostedZone
    ];
    ListTrafficPolicyInstancesByPolicy Get "/trafficpolicyinstances/trafficpolicy" 200 Empty [
        InvalidInput NoSuchTrafficPolicyInstance NoSuchTrafficPolicy
    ];
    ListTrafficPolicyVersions Get "/trafficpolicies/{Id}/versions" 200 Empty [InvalidInput NoSuchTrafficPolicy];
    ListVPCAssociationAuthorizations Get "/hostedzone/{Id}/authorizevpcassociation" 200 Empty [
        NoSuchHostedZone InvalidInput InvalidPaginationToken
    ];
    TestDNSAnswer Get "/testdnsanswer" 200 Empty [NoSuchHostedZone InvalidInput];
    UpdateHealthCheck Post "/healthcheck/{HealthCheckId}" 200 OptionalBody [
        NoSuchHealthCheck InvalidInput HealthCheckVersionMismatch
    ];
    UpdateHostedZoneComment Post "/hostedzone/{Id}" 200 OptionalBody [NoSuchHostedZone InvalidInput PriorRequestNotComplete];
    UpdateHostedZoneFeatures Post "/hostedzone/{Id}/features" 200 OptionalBody [
        NoSuchHostedZone InvalidInput PriorRequestNotComplete LimitsExceeded
    ];
    UpdateTrafficPolicyComment Post "/trafficpolicy/{Id}/{Version}" 200 Body [
        InvalidInput NoSuchTrafficPolicy ConcurrentModification
    ];
    UpdateTrafficPolicyInstance Post "/trafficpolicyinstance/{Id}" 200 Body [
        InvalidInput NoSuchTrafficPolicy NoSuchTrafficPolicyInstance PriorRequestNotComplete ConflictingTypes
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_74_operations() {
        assert_eq!(Operation::ALL.len(), 74);
        let count = |is: fn(&Operation) -> bool| Operation::ALL.iter().filter(|operation| is(operation)).count();
        assert_eq!(count(|operation| operation.status() == 201), 9);
        assert_eq!(count(|operation| operation.is_read()), 39);
    }

    #[test]
    fn operations_have_the_errors_of_the_model() {
        let change = Operation::ChangeResourceRecordSets;
        assert!(change.has_error(Code::InvalidChangeBatch) && change.has_error(Code::NoSuchHealthCheck));
        assert!(!change.has_error(Code::NoSuchChange));
    }
}
