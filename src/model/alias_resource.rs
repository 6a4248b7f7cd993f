//! What aliases can target outside their hosted zone: the resources of AWS for which
//! `[[alias_target]]` tables say what they answer.

use std::cmp::Reverse;
use std::sync::Arc;

use super::{AliasService, Content, HealthCheckId, HostedZoneId, Name, RecordGroup, RecordType, ResourceRecordSet};

/// What the DNS name of a load balancer has in front when it also has IPv6 addresses.
const DUALSTACK: &str = "dualstack.";

/// A resource, or all resources whose DNS names match a pattern: an `[[alias_target]]` table.
#[derive(Clone, Debug, PartialEq)]
pub struct AliasResource {
    /// The name for people; no other resource has it.
    pub name: String,
    /// The hosted zone that aliases name for it.
    pub hosted_zone_id: Option<HostedZoneId>,
    /// The service. Without a `hosted_zone_id`, aliases name one of its published zones; without
    /// both, any zone.
    pub service: Option<AliasService>,
    /// The DNS names.
    pub target: NamePattern,
    /// Its records: at most one simple set of each of A and AAAA, with `health_check`. They hold
    /// addresses, or are aliases to a name of any zone that is served.
    pub record_sets: Vec<ResourceRecordSet>,
    /// Its health, if the health of its service can be evaluated.
    pub health_check: Option<HealthCheckId>,
}

impl AliasResource {
    /// Its records of a type.
    pub fn record_set(&self, record_type: RecordType) -> Option<&ResourceRecordSet> {
        self.record_sets.iter().find(|set| set.record_type == record_type)
    }

    /// The name whose addresses it has, instead of its own.
    pub fn addresses_of(&self) -> Option<&Name> {
        self.record_sets.iter().find_map(|set| match &set.content {
            Content::Alias(target) => Some(&target.name),
            Content::Records { .. } => None,
        })
    }

    /// Whether aliases can name this hosted zone for it.
    fn is_in(&self, zone: &HostedZoneId) -> bool {
        match (&self.hosted_zone_id, self.service) {
            (Some(id), _) => id == zone,
            (None, Some(service)) => service.has_zone(zone),
            (None, None) => true,
        }
    }

    /// The smaller it is, the earlier the resource is tried.
    fn precedence(&self) -> (bool, Reverse<usize>, bool, bool) {
        let characters = self.target.text.bytes().filter(|octet| *octet != b'*').count();
        (self.target.is_glob(), Reverse(characters), self.hosted_zone_id.is_none(), self.service.is_none())
    }
}

/// DNS names: one name, or those that a pattern with `*` matches. An asterisk stands for any number
/// of characters, dots included. `dualstack.` in front of a name makes no difference.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamePattern {
    /// In lower case, without a dot at the end and without `dualstack.`.
    text: String,
}

impl NamePattern {
    /// A pattern; `None` if no DNS name can match it.
    pub fn parse(text: &str) -> Option<NamePattern> {
        let text = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        Name::parse(&text.replace('*', "x")).ok()?;
        Some(NamePattern { text: text.strip_prefix(DUALSTACK).unwrap_or(&text).to_owned() })
    }

    /// The name or the pattern, without a dot at the end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is a pattern for several names.
    pub fn is_glob(&self) -> bool {
        self.text.contains('*')
    }

    /// Whether it matches a DNS name, given as [`plain_text`].
    fn matches(&self, text: &str) -> bool {
        glob_matches(self.text.as_bytes(), text.as_bytes())
    }
}

/// A DNS name in the form that patterns have.
pub(super) fn plain_text(name: &Name) -> String {
    let text = name.to_string();
    let text = text.strip_suffix('.').unwrap_or(&text);
    text.strip_prefix(DUALSTACK).unwrap_or(text).to_owned()
}

/// Takes as few characters as possible for each asterisk; if the rest does not match, the last
/// asterisk takes one more.
fn glob_matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read, mut retry) = (0, 0, None);
    while read < text.len() {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            retry = Some((at, read));
        } else if pattern.get(at) == Some(&text[read]) {
            (at, read) = (at + 1, read + 1);
        } else if let Some((after, from)) = retry {
            (at, read) = (after, from + 1);
            retry = Some((after, read));
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|octet| *octet == b'*')
}

/// The records of a zone that other zones answer with, because a resource has the addresses of a
/// name in it.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneAddresses {
    /// The name of the zone.
    pub zone: Name,
    /// The A and AAAA records of such names, and those that they are aliases to.
    pub record_sets: Vec<Arc<ResourceRecordSet>>,
    /// The settings of their groups.
    pub record_groups: Vec<RecordGroup>,
}

/// The resources of all files, in the order in which they are tried.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AliasResources {
    resources: Vec<AliasResource>,
    /// The zones whose addresses resources have; `None` until the zones are read.
    zones: Option<Vec<ZoneAddresses>>,
}

impl AliasResources {
    /// These resources. If several match an alias, a single name comes before patterns, longer
    /// patterns come before shorter ones, and those with a hosted zone or service before others.
    pub fn new(mut resources: Vec<AliasResource>) -> AliasResources {
        resources.sort_by_key(AliasResource::precedence);
        AliasResources { resources, zones: None }
    }

    /// The same with what they need of the zones whose addresses they have.
    pub(super) fn with_zone_addresses(&self, zones: Vec<ZoneAddresses>) -> AliasResources {
        AliasResources { resources: self.resources.clone(), zones: Some(zones) }
    }

    /// The names whose addresses resources have.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.resources.iter().filter_map(AliasResource::addresses_of)
    }

    /// Whether a resource has the addresses of a name in a zone with this name.
    pub fn are_in(&self, zone: &Name) -> bool {
        self.names().any(|name| name.is_within(zone))
    }

    /// The other zone that has the records of such a name.
    pub fn zone_of(&self, name: &Name) -> Option<&ZoneAddresses> {
        self.zones().filter(|zone| name.is_within(&zone.zone)).max_by_key(|zone| zone.zone.label_count())
    }

    /// The zones whose addresses resources have, as far as they are known.
    pub(super) fn zones(&self) -> impl Iterator<Item = &ZoneAddresses> {
        self.zones.iter().flatten()
    }

    /// Whether the zones whose addresses resources have are known.
    pub fn has_zones(&self) -> bool {
        self.zones.is_some()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &AliasResource> {
        self.resources.iter()
    }

    /// The resource that an alias to this name in this hosted zone targets.
    pub fn find(&self, zone: &HostedZoneId, name: &Name) -> Option<&AliasResource> {
        let text = plain_text(name);
        self.resources.iter().find(|resource| resource.is_in(zone) && resource.target.matches(&text))
    }

    /// The service that has this hosted zone, as far as it is published or stated.
    pub fn service_of(&self, zone: &HostedZoneId) -> Option<AliasService> {
        let stated = || self.resources.iter().find(|resource| resource.hosted_zone_id.as_ref() == Some(zone))?.service;
        AliasService::of_zone(zone).or_else(stated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(name: &str, zone: Option<&str>, service: Option<AliasService>, target: &str) -> AliasResource {
        AliasResource {
            name: name.to_owned(),
            hosted_zone_id: zone.map(|id| HostedZoneId(id.to_owned())),
            service,
            target: NamePattern::parse(target).unwrap(),
            record_sets: Vec::new(),
            health_check: None,
        }
    }

    #[test]
    fn asterisks_match_any_characters() {
        let matches = |pattern: &str, name: &str| {
            NamePattern::parse(pattern).unwrap().matches(&plain_text(&Name::parse(name).unwrap()))
        };
        for (pattern, name, expected) in [
            ("my-lb.us-east-1.elb.amazonaws.com", "MY-LB.us-east-1.elb.amazonaws.com.", true),
            ("My-LB.us-east-1.elb.amazonaws.com.", "my-lb.us-east-1.elb.amazonaws.com", true),
            ("my-lb.us-east-1.elb.amazonaws.com", "dualstack.my-lb.us-east-1.elb.amazonaws.com", true),
            ("dualstack.my-lb.us-east-1.elb.amazonaws.com", "my-lb.us-east-1.elb.amazonaws.com", true),
            ("my-lb.us-east-1.elb.amazonaws.com", "other.my-lb.us-east-1.elb.amazonaws.com", false),
            ("*.us-east-1.elb.amazonaws.com", "my-lb.us-east-1.elb.amazonaws.com", true),
            ("*.us-east-1.elb.amazonaws.com", "us-east-1.elb.amazonaws.com", false),
            ("web-*-blue.*.elb.amazonaws.com", "web-1-blue-2-blue.eu-west-1.elb.amazonaws.com", true),
            ("web-*-blue.*.elb.amazonaws.com", "web-1-green.eu-west-1.elb.amazonaws.com", false),
            ("*", "d1.cloudfront.net", true),
            ("a*b", "ab", true),
            ("a*b", "abc", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        assert!(["", "a..b", "a b"].iter().all(|text| NamePattern::parse(text).is_none()));
    }

    #[test]
    fn the_most_specific_resource_is_found() {
        let balancer = Some(AliasService::ApplicationLoadBalancer);
        let resources = AliasResources::new(vec![
            resource("any", None, None, "*"),
            resource("all", None, balancer, "*.us-east-1.elb.amazonaws.com"),
            resource("web", None, balancer, "web-*.us-east-1.elb.amazonaws.com"),
            resource("one", Some("Z35SXDOTRQ7X7K"), None, "web-1.us-east-1.elb.amazonaws.com"),
            resource("own", Some("ZLATTICE"), Some(AliasService::VpcLattice), "*.on.aws"),
        ]);
        let find = |zone: &str, name: &str| {
            let found = resources.find(&HostedZoneId(zone.to_owned()), &Name::parse(name).unwrap());
            found.map(|resource| resource.name.as_str())
        };
        assert_eq!(find("Z35SXDOTRQ7X7K", "web-1.us-east-1.elb.amazonaws.com"), Some("one"));
        assert_eq!(find("Z35SXDOTRQ7X7K", "web-2.us-east-1.elb.amazonaws.com"), Some("web"));
        assert_eq!(find("Z35SXDOTRQ7X7K", "api.us-east-1.elb.amazonaws.com"), Some("all"));
        // The id of network load balancers.
        assert_eq!(find("Z26RNL4JYFTOTI", "web-1.us-east-1.elb.amazonaws.com"), Some("any"));
        let service = |zone: &str| resources.service_of(&HostedZoneId(zone.to_owned()));
        assert_eq!(service("ZLATTICE"), Some(AliasService::VpcLattice));
        assert_eq!(service("ZNOTHING"), None);
    }
}
