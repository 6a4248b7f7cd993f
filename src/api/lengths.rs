//! How many characters the texts of requests can have, by their types in the API's model. What only
//! one operation has is in the file of the operation.

use std::ops::RangeInclusive;

type Characters = RangeInclusive<usize>;

/// API DNSName: a name with escapes.
pub(super) const DNS_NAME: Characters = 0..=1024;
/// API ResourceId: the id of a hosted zone or a reusable delegation set.
pub(super) const RESOURCE_ID: Characters = 0..=32;
/// API HealthCheckId.
pub(super) const HEALTH_CHECK_ID: Characters = 0..=64;
/// API TrafficPolicyId, TrafficPolicyInstanceId, QueryLoggingConfigId, UUID.
pub(super) const UUID: Characters = 1..=36;
/// API ResourceRecordSetIdentifier.
pub(super) const SET_IDENTIFIER: Characters = 1..=128;
/// API CidrLocationNameDefaultAllowed, CidrLocationNameDefaultNotAllowed.
pub(super) const LOCATION_NAME: Characters = 1..=16;
/// API SigningKeyName.
pub(super) const SIGNING_KEY_NAME: Characters = 3..=128;
/// API Nonce: a caller reference, but for health checks and CIDR collections.
pub(super) const NONCE: Characters = 1..=128;
/// API ResourceDescription: a comment.
pub(super) const RESOURCE_DESCRIPTION: Characters = 0..=256;
/// API GeoLocationContinentCode.
pub(super) const CONTINENT_CODE: Characters = 2..=2;
/// API GeoLocationCountryCode.
pub(super) const COUNTRY_CODE: Characters = 1..=2;
/// API GeoLocationSubdivisionCode.
pub(super) const SUBDIVISION_CODE: Characters = 1..=3;
