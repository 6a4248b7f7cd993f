//! Who sends a request, and what they may do.

use crate::health::Pattern;

use super::errors::{ApiError, Code};
use super::operation::Operation;

/// The account in ARNs. This server has one.
pub(super) const ACCOUNT: &str = "000000000000";

/// The beginnings of the paths of what belongs to one zone. Its operation looks whether the caller
/// sees that zone.
const OF_ZONES: [&str; 5] =
    ["/hostedzone", "/tags/hostedzone", "/change", "/queryloggingconfig", "/trafficpolicyinstance"];

/// Whether a key may change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rights {
    Read,
    Write,
}

/// The sender of a request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The access key id; not verified for clients in `[api] trust`.
    pub(crate) access_key_id: String,
    pub(super) rights: Rights,
    /// The names of the zones that it sees; `None` for all.
    pub(super) zones: Option<Vec<Pattern>>,
}

impl Caller {
    /// Whether the caller sees the zone with this name, and may create it.
    pub(crate) fn sees_zone(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        self.zones.as_ref().is_none_or(|zones| zones.iter().any(|pattern| pattern.matches(&name)))
    }

    pub(super) fn arn(&self) -> String {
        format!("arn:aws:iam::{ACCOUNT}:user/{}", self.access_key_id)
    }

    /// Whether the caller may call an operation at all. A key with zones reads health checks and
    /// CIDR collections and does not change them, because other zones use them too.
    pub(super) fn check(&self, operation: Operation, path: &str) -> Result<(), ApiError> {
        let is_of_zones = OF_ZONES.iter().any(|start| path.starts_with(start));
        let may = operation.is_read() || (self.rights == Rights::Write && (self.zones.is_none() || is_of_zones));
        if may { Ok(()) } else { Err(self.denied(operation, &path[1..])) }
    }

    /// The error for something that the caller may not do with `resource`, such as `hostedzone/Z1`.
    pub(crate) fn denied(&self, operation: Operation, resource: &str) -> ApiError {
        let (arn, operation) = (self.arn(), operation.name());
        let resource = format!("arn:aws:route53:::{resource}");
        let message = format!("User: {arn} is not authorized to perform: route53:{operation} on resource: {resource}");
        ApiError::new(Code::AccessDenied, message)
    }
}

#[cfg(test)]
impl Caller {
    /// A caller that may do everything.
    pub(crate) fn everybody() -> Caller {
        Caller { access_key_id: "test".to_owned(), rights: Rights::Write, zones: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(rights: Rights, zones: &[&str]) -> Caller {
        let zones = zones.iter().map(|zone| Pattern(zone.to_string())).collect::<Vec<_>>();
        Caller { access_key_id: "lab".to_owned(), rights, zones: (!zones.is_empty()).then_some(zones) }
    }

    #[test]
    fn a_key_that_reads_changes_nothing() {
        let reader = with(Rights::Read, &[]);
        assert_eq!(reader.check(Operation::ListHostedZones, "/hostedzone"), Ok(()));
        assert_eq!(reader.check(Operation::ListTagsForResources, "/tags/hostedzone"), Ok(()));
        let denied = reader.check(Operation::DeleteHostedZone, "/hostedzone/Z1").unwrap_err();
        assert_eq!(denied.code(), Code::AccessDenied);
        assert_eq!(
            denied.message(),
            "User: arn:aws:iam::000000000000:user/lab is not authorized to perform: route53:DeleteHostedZone on \
             resource: arn:aws:route53:::hostedzone/Z1"
        );
    }

    #[test]
    fn a_key_with_zones_sees_these_and_changes_nothing_shared() {
        let caller = with(Rights::Write, &["*.lab.test", "lab.example"]);
        for (name, sees) in [
            ("a.lab.test.", true),
            ("A.B.Lab.Test", true),
            ("lab.test.", false),
            ("lab.example", true),
            ("x.lab.example", false),
        ] {
            assert_eq!(caller.sees_zone(name), sees, "{name}");
        }
        let may = |operation, path| caller.check(operation, path).is_ok();
        assert!(may(Operation::ChangeResourceRecordSets, "/hostedzone/Z1/rrset"));
        assert!(may(Operation::CreateHostedZone, "/hostedzone"));
        assert!(may(Operation::CreateQueryLoggingConfig, "/queryloggingconfig"));
        assert!(may(Operation::CreateTrafficPolicyInstance, "/trafficpolicyinstance"));
        assert!(!may(Operation::CreateReusableDelegationSet, "/delegationset"));
        assert!(!may(Operation::CreateTrafficPolicy, "/trafficpolicy"));
        assert!(may(Operation::ChangeTagsForResource, "/tags/hostedzone/Z1"));
        assert!(may(Operation::ListHealthChecks, "/healthcheck"));
        assert!(!may(Operation::ChangeTagsForResource, "/tags/healthcheck/h"));
        assert!(!may(Operation::CreateHealthCheck, "/healthcheck"));
        assert!(!may(Operation::ChangeCidrCollection, "/cidrcollection/c"));
        assert!(with(Rights::Write, &[]).check(Operation::CreateHealthCheck, "/healthcheck").is_ok());
    }
}
