//! The data types of Route 53: names, record types and data, routing policies, hosted zones, health
//! checks, locations, ids.
//!
//! This module does not read files, parse TOML or answer queries. All other modules use its types.

mod agreement;
mod alias_resource;
mod alias_service;
mod attachments;
mod change;
mod data;
pub mod geography;
mod group_key;
mod health_check;
mod location;
mod name;
mod percentage;
mod prefix_length;
mod query;
mod record;
mod record_group;
mod routing;
mod rules;
mod secret;
mod strict_rules;
mod tags;
mod traffic_policy;
mod zone;
mod zone_addresses;
mod zone_id;

pub use agreement::{Agreement, InvalidAgreement};
pub use alias_resource::{AliasResource, AliasResources, NamePattern, ZoneAddresses};
pub use alias_service::{AliasService, TargetHealth};
pub use attachments::{DelegationSet, DelegationSetId, QueryLoggingConfig, RecordSetProtection, ZoneAttachments};
pub use change::{
    Change, ChangeAction, ChangeBatch, ChangeError, MAX_BATCH_CHARACTERS, MAX_BATCH_VALUES, MAX_RECORD_SETS,
    RecordSetKey,
};
pub use data::DataError;
pub use group_key::{GroupHolder, GroupKey};
pub use health_check::{
    AddressFamily, AlarmIdentifier, CHECKER_REGIONS, CalculatedCheck, ComparisonOperator, EndpointCheck,
    EndpointProtocol, EndpointTarget, HealthCheck, HealthCheckId, HealthCheckKind, HttpRequest,
    InsufficientDataHealthStatus, MIN_CHECKER_REGIONS, ManualCheck, MetricCheck, RoutingControlState, StatusRange,
    Timeouts,
};
pub use location::{
    CidrCollection, CidrCollectionId, Continent, Coordinates, Country, GeoLocation, LatencyClients, LatencyRow,
    LocationNetwork, Region, Subdivision, Vpc, VpcId,
};
pub use name::{MAX_LABEL_OCTETS, MAX_NAME_OCTETS, Name, NameError, readable_name};
pub use percentage::Percentage;
pub use prefix_length::PrefixLength;
pub use query::{QueryType, ResponseCode, UnknownName};
pub use record::{
    AliasTarget, Content, MAX_MEMBERS, MAX_TTL, MAX_VALUES, RecordData, RecordType, ResourceRecordSet, Ttl,
    UnknownRecordType,
};
pub use record_group::{RecordGroup, WhenAllUnhealthy};
pub use routing::{FailoverRole, GeoproximityLocation, RoutingPolicy};
pub use rules::{Field, MAX_ALIAS_CHAIN, Severity, Violation, policy_problems, violations, violations_near};
pub use secret::Secret;
pub use strict_rules::{StrictRule, StrictRules};
pub use tags::{MAX_TAG_KEY_CHARACTERS, MAX_TAG_VALUE_CHARACTERS, MAX_TAGS, Tags, is_tag_character};
pub use traffic_policy::{
    InstanceError, InvalidDocument, MAX_DOCUMENT_CHARACTERS, MAX_POLICY_VERSIONS, PolicyDocument, PolicySet,
    PolicyVersion, TrafficPolicy, TrafficPolicyId, TrafficPolicyInstance, policy_sets,
};
pub use zone::{HostedZone, ZoneClaims, ZoneConflict, ZoneIdentity};
pub use zone_id::HostedZoneId;
