//! GetAccountLimit, GetHostedZoneLimit and GetReusableDelegationSetLimit: Route 53's default
//! quotas, and how much of them is used. They are kept in strict mode only.

use super::{ApiError, Code, Context, Outcome, Request};
use crate::model::MAX_RECORD_SETS;
use crate::objects::Quota;

impl Context {
    fn used_of_account(&self, request: &Request, quota: Quota) -> usize {
        match quota {
            Quota::HealthChecks => self.objects.health_checks().len(),
            Quota::PolicyInstances => self.policy_instances(request).len(),
            Quota::DelegationSets => self.objects.delegation_sets().len(),
            Quota::TrafficPolicies => self.policies(),
            _ => self.zones(request).len(),
        }
    }
}

pub(super) fn of_account(context: &Context, request: &Request) -> Outcome {
    let kind = request.id("Type");
    let quota = Quota::OF_ACCOUNT.into_iter().find(|quota| quota.is(kind)).ok_or_else(|| unknown(kind))?;
    Ok(response(request, kind, quota.most(), context.used_of_account(request, quota)))
}

pub(super) fn of_zone(context: &Context, request: &Request) -> Outcome {
    let (kind, zone) = (request.id("Type"), context.zone_summary(request, request.id("Id"))?);
    let (limit, count) = match kind {
        "MAX_RRSETS_BY_ZONE" => (MAX_RECORD_SETS, zone.record_sets),
        _ if !Quota::VpcsOfZone.is(kind) => return Err(unknown(kind)),
        _ if zone.vpcs.is_empty() => {
            return Err(ApiError::new(Code::HostedZoneNotPrivate, "The specified hosted zone is not private."));
        }
        _ => (Quota::VpcsOfZone.most(), zone.vpcs.len()),
    };
    Ok(response(request, kind, limit, count))
}

pub(super) fn of_delegation_set(context: &Context, request: &Request) -> Outcome {
    let (kind, set) = (request.id("Type"), context.delegation_set(request.id("Id"))?);
    let quota = Quota::ZonesOfDelegationSet;
    if !quota.is(kind) {
        return Err(unknown(kind));
    }
    Ok(response(request, kind, quota.most(), context.zones_of_set(&set)))
}

fn response(request: &Request, kind: &str, limit: usize, count: usize) -> super::Response {
    request.response(|xml| {
        xml.parent("Limit", |xml| {
            xml.element("Type", kind);
            xml.element("Value", limit);
        });
        xml.element("Count", count);
    })
}

fn unknown(kind: &str) -> ApiError {
    ApiError::invalid_input(format!("'{kind}' is not a limit"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::operation::Operation;
    use crate::api::operations::fixture::TestApi;
    use crate::api::operations::traffic_policies::tests::document;
    use crate::model::{StrictRule, StrictRules};

    fn limit(api: &TestApi, operation: Operation, ids: &[&str]) -> (usize, usize) {
        let limit = api.call(operation, ids, "", "").unwrap();
        (limit.text_at("Limit/Value").parse().unwrap(), limit.text_at("Count").parse().unwrap())
    }

    /// Creates as many as the account may have and one more: that one is refused in strict mode.
    fn fill(kind: &str, refused: (Code, &str), create: impl Fn(&TestApi, usize) -> Result<(), ApiError>) {
        let api = TestApi::strict(StrictRules::from_iter([StrictRule::Quotas]));
        let of_account = |api: &TestApi| limit(api, Operation::GetAccountLimit, &[kind]);
        let (most, before) = of_account(&api);
        (before..most).for_each(|at| create(&api, at).unwrap());
        assert_eq!(of_account(&api), (most, most));
        let error = create(&api, most).unwrap_err();
        assert_eq!((error.code(), error.message()), refused);
        assert_eq!(of_account(&api), (most, most));
        let api = TestApi::new();
        (before..=most).for_each(|at| create(&api, at).unwrap());
        assert_eq!(of_account(&api), (most, most + 1), "without strict mode");
    }

    #[test]
    fn an_account_has_so_many_zones_and_checks() {
        let message = "Limits Exceeded: MAX_HOSTED_ZONES_BY_OWNER - Cannot create more hosted zones.";
        fill("MAX_HOSTED_ZONES_BY_OWNER", (Code::TooManyHostedZones, message), |api, at| {
            let body = format!("<Name>z{at}.test</Name><CallerReference>{at}</CallerReference>");
            api.call(Operation::CreateHostedZone, &[], "", &body).map(drop)
        });
        let message = "Limits Exceeded: MAX_HEALTH_CHECKS_BY_OWNER - Cannot create more health checks.";
        fill("MAX_HEALTH_CHECKS_BY_OWNER", (Code::TooManyHealthChecks, message), |api, at| {
            let config = "<IPAddress>1.2.3.4</IPAddress><Port>9</Port><Type>TCP</Type>";
            let body =
                format!("<CallerReference>{at}</CallerReference><HealthCheckConfig>{config}</HealthCheckConfig>");
            api.call(Operation::CreateHealthCheck, &[], "", &body)?;
            // The same request again creates nothing.
            api.call(Operation::CreateHealthCheck, &[], "", &body).map(drop)
        });
    }

    #[test]
    fn an_account_has_so_many_sets_and_policies() {
        let message =
            "Limits Exceeded: MAX_REUSABLE_DELEGATION_SETS_BY_OWNER - Cannot create more reusable delegation sets.";
        fill("MAX_REUSABLE_DELEGATION_SETS_BY_OWNER", (Code::LimitsExceeded, message), |api, at| {
            let body = format!("<CallerReference>{at}</CallerReference>");
            api.call(Operation::CreateReusableDelegationSet, &[], "", &body).map(drop)
        });
        let message = "Limits Exceeded: MAX_TRAFFIC_POLICIES_BY_OWNER - Cannot create more traffic policies.";
        fill("MAX_TRAFFIC_POLICIES_BY_OWNER", (Code::TooManyTrafficPolicies, message), |api, at| {
            api.policy(&at.to_string(), &document("A", "192.0.2.1")).map(drop)
        });
    }

    #[test]
    fn an_account_has_so_many_policy_instances() {
        let message =
            "Limits Exceeded: MAX_TRAFFIC_POLICY_INSTANCES_BY_OWNER - Cannot create more traffic policy instances.";
        let kind = "MAX_TRAFFIC_POLICY_INSTANCES_BY_OWNER";
        fill(kind, (Code::TooManyTrafficPolicyInstances, message), |api, at| {
            let (zone, policy) =
                (api.zone(&format!("z{at}.test")), api.policy(&at.to_string(), &document("A", "192.0.2.1"))?);
            let body = format!(
                "<HostedZoneId>{zone}</HostedZoneId><Name>www.z{at}.test</Name><TTL>60</TTL>\
                 <TrafficPolicyId>{policy}</TrafficPolicyId><TrafficPolicyVersion>1</TrafficPolicyVersion>"
            );
            api.call(Operation::CreateTrafficPolicyInstance, &[], "", &body).map(drop)
        });
    }

    #[test]
    fn a_zone_has_so_many_vpcs_and_a_delegation_set_so_many_zones() {
        let api = TestApi::strict(StrictRules::from_iter([StrictRule::Quotas]));
        let vpc = |at: usize| format!("<VPC><VPCRegion>eu-west-1</VPCRegion><VPCId>vpc-{at:08x}</VPCId></VPC>");
        let zone = api.zone_with("private.test", &vpc(0));
        let associate = |at: usize| api.call(Operation::AssociateVPCWithHostedZone, &[&zone], "", &vpc(at));
        (1..300).for_each(|at| drop(associate(at).unwrap()));
        let error = associate(300).unwrap_err();
        assert_eq!(error.code(), Code::LimitsExceeded);
        assert!(associate(299).is_ok(), "it is associated already");
        assert_eq!(limit(&api, Operation::GetHostedZoneLimit, &[&zone, "MAX_VPCS_ASSOCIATED_BY_ZONE"]), (300, 300));

        let reference = "<CallerReference>one</CallerReference>";
        let set = api.call(Operation::CreateReusableDelegationSet, &[], "", reference).unwrap();
        let set = format!("<DelegationSetId>{}</DelegationSetId>", set.text_at("DelegationSet/Id"));
        (0..100).for_each(|at| drop(api.zone_with(&format!("z{at}.test"), &set)));
        let body = format!("<Name>other.test</Name><CallerReference>other</CallerReference>{set}");
        let error = api.call(Operation::CreateHostedZone, &[], "", &body).unwrap_err();
        assert_eq!(error.code(), Code::TooManyHostedZones);
        api.zone("other.test");
    }

    #[test]
    fn a_collection_has_so_many_blocks() {
        let api = TestApi::strict(StrictRules::from_iter([StrictRule::Quotas]));
        let body = "<Name>offices</Name><CallerReference>1</CallerReference>";
        let created = api.call(Operation::CreateCidrCollection, &[], "", body).unwrap();
        let id = created.text_at("Collection/Id");
        let put = |from: usize, to: usize| {
            let block = |at: usize| format!("<Cidr>10.{}.{}.0/24</Cidr>", at / 256, at % 256);
            let blocks: String = (from..to).map(block).collect();
            let change = format!("<LocationName>a</LocationName><Action>PUT</Action><CidrList>{blocks}</CidrList>");
            let body = format!("<Changes><member>{change}</member></Changes>");
            api.call(Operation::ChangeCidrCollection, &[id], "", &body)
        };
        put(0, 999).unwrap();
        assert_eq!(put(999, 1001).unwrap_err().code(), Code::LimitsExceeded);
        put(999, 1000).unwrap();
    }
}
