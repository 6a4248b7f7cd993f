//! The record sets of traffic policy instances.
//!
//! The rule at the start gets its record sets at the name of the instance. Each other rule that is
//! reached gets a name of its own in the zone, to which the records above are aliases:
//! `_traffic-policy-<instance>-<number>`. These record sets are answered and not listed.

use std::collections::{BTreeMap, VecDeque};

use super::document::{Endpoint, PolicyDocument, Reference, RuleItem};
use super::{TrafficPolicy, TrafficPolicyInstance};
use crate::model::{
    AliasService, AliasTarget, Content, HostedZoneId, Name, RecordData, ResourceRecordSet, RoutingPolicy,
};

/// The longest identifier (API ResourceRecordSetIdentifier).
const MAX_IDENTIFIER_CHARACTERS: usize = 128;

/// A record set that comes from a traffic policy.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicySet {
    /// The record set.
    pub set: ResourceRecordSet,
    /// The id of the instance.
    pub instance: String,
    /// What it is from, for people: `traffic policy canary, version 2, rule split`.
    pub origin: String,
}

/// Why an instance has no record sets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstanceError {
    /// There is no such version of a policy.
    #[error("There is no traffic policy with the id {0} and the version {1}.")]
    NoPolicy(String, u16),
    /// Its document cannot be used in this zone.
    #[error("{0}")]
    Document(String),
}

/// The record sets of an instance in a zone.
///
/// # Errors
///
/// If there is no such policy, or if its document means nothing in this zone.
pub fn policy_sets(
    zone: &Name,
    instance: &TrafficPolicyInstance,
    policies: &[TrafficPolicy],
) -> Result<Vec<PolicySet>, InstanceError> {
    let policy = policies.iter().find(|policy| policy.id == instance.policy);
    let version = policy.and_then(|policy| Some((policy, policy.version(instance.version)?)));
    let missing = || InstanceError::NoPolicy(instance.policy.0.clone(), instance.version);
    let (policy, version) = version.ok_or_else(missing)?;
    let document =
        PolicyDocument::read(&version.document).map_err(|error| InstanceError::Document(error.to_string()))?;
    if document.record_type != instance.record_type {
        let message = format!("the traffic policy has records of type {}", document.record_type);
        return Err(InstanceError::Document(message));
    }
    let origin = format!("traffic policy {}, version {}", policy.name, version.number);
    Expansion { zone, instance, document: &document, origin, numbers: BTreeMap::new(), waiting: VecDeque::new() }.sets()
}

/// An expansion in progress.
struct Expansion<'e> {
    zone: &'e Name,
    instance: &'e TrafficPolicyInstance,
    document: &'e PolicyDocument,
    origin: String,
    /// The rules that have names, with their numbers.
    numbers: BTreeMap<&'e str, usize>,
    /// Those of them that have no record sets yet.
    waiting: VecDeque<&'e str>,
}

impl<'e> Expansion<'e> {
    fn sets(mut self) -> Result<Vec<PolicySet>, InstanceError> {
        let mut sets = Vec::new();
        match &self.document.start {
            Reference::Endpoint(id) => {
                let content = self.endpoint(id, false)?;
                sets.push(self.set(self.instance.name.clone(), None, RoutingPolicy::Simple, content, None, id));
            }
            Reference::Rule(id) => self.rule(id, &self.instance.name, &mut sets)?,
        }
        while let Some(id) = self.waiting.pop_front() {
            let name = self.helper(self.numbers[id])?;
            self.rule(id, &name, &mut sets)?;
        }
        Ok(sets)
    }

    /// The record sets of a rule.
    fn rule(&mut self, id: &'e str, name: &Name, sets: &mut Vec<PolicySet>) -> Result<(), InstanceError> {
        for (at, item) in self.document.rules[id].items.iter().enumerate() {
            let content = self.content(item)?;
            let identifier: String = item.identifier(at + 1).chars().take(MAX_IDENTIFIER_CHARACTERS).collect();
            let check = item.health_check.clone();
            sets.push(self.set(name.clone(), Some(identifier), item.routing_policy.clone(), content, check, id));
        }
        Ok(())
    }

    fn content(&mut self, item: &'e RuleItem) -> Result<Content, InstanceError> {
        match &item.reference {
            Reference::Endpoint(id) => self.endpoint(id, item.evaluate_target_health),
            Reference::Rule(id) => {
                let next = self.numbers.len() + 1;
                let number = *self.numbers.entry(id).or_insert(next);
                if number == next {
                    self.waiting.push_back(id);
                }
                let evaluate_target_health = item.evaluate_target_health;
                Ok(Content::Alias(AliasTarget {
                    name: self.helper(number)?,
                    hosted_zone: None,
                    evaluate_target_health,
                }))
            }
        }
    }

    /// A value, or an alias: to a name in this zone, or to the resource of AWS with this DNS name.
    fn endpoint(&self, id: &str, evaluate_target_health: bool) -> Result<Content, InstanceError> {
        let Endpoint { resource, region, value } = &self.document.endpoints[id];
        let Some(resource) = resource else {
            let data = RecordData::parse(self.document.record_type, value);
            let data = data.map_err(|error| InstanceError::Document(format!("the endpoint {id:?}: {error}")))?;
            return Ok(Content::Records { ttl: self.instance.ttl, values: vec![data] });
        };
        let target = Name::parse(value).ok().and_then(|name| {
            if name.is_within(self.zone) {
                return (name != self.instance.name).then_some((name, None));
            }
            let hosted_zone = hosted_zone_of(resource, region.as_deref(), &name)?;
            Some((name, Some(hosted_zone)))
        });
        match target {
            Some((name, hosted_zone)) => Ok(Content::Alias(AliasTarget { name, hosted_zone, evaluate_target_health })),
            None => Err(InstanceError::Document(format!(
                "the endpoint {id:?} is a resource of the type {resource:?}: it must be the DNS name of such a resource, or a \
                 name in the zone {}, and {value:?} is neither",
                self.zone
            ))),
        }
    }

    /// The name of the record sets of a rule that is not at the start.
    fn helper(&self, number: usize) -> Result<Name, InstanceError> {
        let label = format!("_traffic-policy-{}-{number}", self.instance.id);
        let name = Name::parse(&label).and_then(|label| label.under(self.zone));
        name.map_err(|error| InstanceError::Document(format!("the name of the zone is too long: {error}")))
    }

    fn set(
        &self,
        name: Name,
        set_identifier: Option<String>,
        routing_policy: RoutingPolicy,
        content: Content,
        health_check: Option<crate::model::HealthCheckId>,
        from: &str,
    ) -> PolicySet {
        let record_type = self.document.record_type;
        let kind = if set_identifier.is_some() { "rule" } else { "endpoint" };
        let origin = format!("{}, {kind} {from}", self.origin);
        let set = ResourceRecordSet { name, record_type, set_identifier, routing_policy, content, health_check };
        PolicySet { set, instance: self.instance.id.clone(), origin }
    }
}

/// The hosted zone that an alias names for a resource of a type of endpoints.
fn hosted_zone_of(resource: &str, region: Option<&str>, name: &Name) -> Option<HostedZoneId> {
    let service = match resource {
        "cloudfront" => AliasService::CloudFront,
        "elastic-load-balancer" => AliasService::ClassicLoadBalancer,
        "application-load-balancer" => AliasService::ApplicationLoadBalancer,
        "network-load-balancer" => AliasService::NetworkLoadBalancer,
        "elastic-beanstalk" => AliasService::ElasticBeanstalk,
        "s3-website" => AliasService::S3Website,
        _ => return None,
    };
    service.zone_of(name).or_else(|| service.zone_in(region?))
}

impl RuleItem {
    /// For people who read it: `1 endpoint blue`.
    fn identifier(&self, number: usize) -> String {
        match &self.reference {
            Reference::Endpoint(id) => format!("{number} endpoint {id}"),
            Reference::Rule(id) => format!("{number} rule {id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PolicyVersion, RecordType, TrafficPolicyId};

    fn expand(start: &str, endpoints: &str, rules: &str) -> Result<Vec<String>, InstanceError> {
        let document = format!(
            r#"{{"AWSPolicyFormatVersion":"2015-10-01","RecordType":"A",{start},"Endpoints":{{{endpoints}}},"Rules":{{{rules}}}}}"#
        );
        let version = PolicyVersion { number: 2, comment: None, document, is_deleted: false };
        let id = TrafficPolicyId("p".to_owned());
        let policy = TrafficPolicy { id: id.clone(), name: "canary".to_owned(), versions: vec![version] };
        let (zone, name) = (Name::parse("lab.test").unwrap(), Name::parse("www.lab.test").unwrap());
        let (ttl, record_type) = (60, RecordType::A);
        let instance = TrafficPolicyInstance { id: "i".to_owned(), name, ttl, policy: id, version: 2, record_type };
        let sets = policy_sets(&zone, &instance, &[policy])?;
        let shown = |PolicySet { set, origin, .. }: &PolicySet| {
            let content = match &set.content {
                Content::Records { ttl, values } => format!("{ttl} {}", values[0]),
                Content::Alias(target) => {
                    let zone = target.hosted_zone.as_ref().map_or_else(String::new, |id| format!("{}/", id.0));
                    format!("→ {zone}{} {}", target.name, target.evaluate_target_health)
                }
            };
            let identifier = set.set_identifier.as_deref().unwrap_or("-");
            let check = set.health_check.as_ref().map_or("", |check| &check.0);
            format!("{} [{identifier}] {} {content} {check} ({origin})", set.name, set.routing_policy.name())
        };
        Ok(sets.iter().map(shown).collect())
    }

    const ENDPOINTS: &str =
        r#""a":{"Type":"value","Value":"192.0.2.1"},"b":{"Value":"192.0.2.2"},"c":{"Value":"192.0.2.3"}"#;

    #[test]
    fn rules_become_trees_of_record_sets() {
        let rules = r#""top":{"RuleType":"failover","Primary":{"RuleReference":"split","EvaluateTargetHealth":"true"},
            "Secondary":{"EndpointReference":"c"}},"split":{"RuleType":"weighted","Items":[{"EndpointReference":"a","Weight":"1",
            "HealthCheck":"h"},{"EndpointReference":"b","Weight":"3"}]},"alone":{"RuleType":"failover","Primary":
            {"RuleReference":"split"}}"#;
        let origin = "traffic policy canary, version 2, rule";
        let helper = "_traffic-policy-i-1.lab.test.";
        assert_eq!(
            expand(r#""StartRule":"top""#, ENDPOINTS, rules).unwrap(),
            [
                format!("www.lab.test. [1 rule split] failover → {helper} true  ({origin} top)"),
                format!("www.lab.test. [2 endpoint c] failover 60 192.0.2.3  ({origin} top)"),
                format!("{helper} [1 endpoint a] weighted 60 192.0.2.1 h ({origin} split)"),
                format!("{helper} [2 endpoint b] weighted 60 192.0.2.2  ({origin} split)"),
            ]
        );
        let simple = expand(r#""StartEndpoint":"a""#, ENDPOINTS, "").unwrap();
        assert_eq!(simple, ["www.lab.test. [-] simple 60 192.0.2.1  (traffic policy canary, version 2, endpoint a)"]);
    }

    #[test]
    fn a_rule_that_is_used_twice_has_one_name() {
        let rules = r#""top":{"RuleType":"geo","Locations":[{"RuleReference":"x","IsDefault":true},{"RuleReference":"x",
            "Continent":"EU"},{"RuleReference":"y","Continent":"NA"}]},"x":{"RuleType":"failover","Primary":
            {"EndpointReference":"a"}},"y":{"RuleType":"failover","Primary":{"RuleReference":"x"}}"#;
        let sets = expand(r#""StartRule":"top""#, ENDPOINTS, rules).unwrap();
        let owners: Vec<&str> = sets.iter().map(|set| set.split(' ').next().unwrap()).collect();
        let [x, y] = ["_traffic-policy-i-1.lab.test.", "_traffic-policy-i-2.lab.test."];
        assert_eq!(owners, ["www.lab.test.", "www.lab.test.", "www.lab.test.", x, y]);
    }

    #[test]
    fn resources_are_names_of_the_zone_or_of_aws() {
        let resource = |kind: &str, value: &str| {
            let region = if kind == "s3-website" { r#""Region":"us-east-1","# } else { "" };
            format!(r#""e":{{"Type":"{kind}",{region}"Value":"{value}"}}"#)
        };
        for (kind, value, target) in [
            ("elastic-load-balancer", "lb.lab.test", "lb.lab.test."),
            ("elastic-load-balancer", "x.us-east-1.elb.amazonaws.com", "Z35SXDOTRQ7X7K/x.us-east-1.elb.amazonaws.com."),
            ("application-load-balancer", "x.us-east-2.elb.amazonaws.com", "Z3AADJGX6KTTL2/x.us-east-2.elb."),
            ("network-load-balancer", "x.elb.us-east-1.amazonaws.com", "Z26RNL4JYFTOTI/x.elb.us-east-1."),
            ("elastic-beanstalk", "x.us-west-2.elasticbeanstalk.com", "Z38NKT9BP95V3O/x.us-west-2."),
            ("cloudfront", "d1.cloudfront.net", "Z2FDTNDATAQYW2/d1.cloudfront.net."),
            ("s3-website", "s3-website-us-east-1.amazonaws.com", "Z3AQBSTGFYJSTF/s3-website-us-east-1."),
        ] {
            let sets = expand(r#""StartEndpoint":"e""#, &resource(kind, value), "").unwrap();
            assert!(sets[0].contains(&format!("→ {target}")), "{sets:?}");
        }
        let error = expand(r#""StartEndpoint":"e""#, &resource("cloudfront", "www.example.org"), "").unwrap_err();
        assert!(error.to_string().contains("or a name in the zone lab.test."), "{error}");
        assert!(expand(r#""StartEndpoint":"e""#, r#""e":{"Value":"not an address"}"#, "").is_err());
    }
}
