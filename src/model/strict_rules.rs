//! The rules of Route 53 that the API keeps only in strict mode.

/// A rule that Route 53 has and this server does not need. A switch of `[api] strict` turns it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrictRule {
    /// Names that no public hosted zone can have.
    ReservedNames,
    /// Private and reserved addresses that no health check can have.
    HealthCheckAddresses,
    /// Health checks have request intervals of 10 or 30 seconds.
    RequestIntervals,
    /// Blocks of CIDR collections are at most as long as /24 and /48.
    CidrBlocks,
    /// The elements of a request are in the order of the API reference.
    ElementOrder,
    /// Requests and changes are limited by token buckets.
    Throttling,
    /// The number of resources in an account, a zone, a delegation set and a collection is limited.
    Quotas,
}

impl StrictRule {
    /// All of them, in the order of the documentation.
    pub const ALL: [StrictRule; 7] = [
        StrictRule::ReservedNames,
        StrictRule::HealthCheckAddresses,
        StrictRule::RequestIntervals,
        StrictRule::CidrBlocks,
        StrictRule::ElementOrder,
        StrictRule::Throttling,
        StrictRule::Quotas,
    ];

    /// Their names in settings.
    pub const NAMES: [&'static str; StrictRule::ALL.len()] = {
        let mut names = [""; StrictRule::ALL.len()];
        let mut at = 0;
        while at < names.len() {
            names[at] = StrictRule::ALL[at].name();
            at += 1;
        }
        names
    };

    /// The name in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            StrictRule::ReservedNames => "reserved_names",
            StrictRule::HealthCheckAddresses => "health_check_addresses",
            StrictRule::RequestIntervals => "request_intervals",
            StrictRule::CidrBlocks => "cidr_blocks",
            StrictRule::ElementOrder => "element_order",
            StrictRule::Throttling => "throttling",
            StrictRule::Quotas => "quotas",
        }
    }
}

/// A set of rules; by default none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StrictRules(u8);

impl StrictRules {
    /// All rules.
    #[must_use]
    pub fn all() -> StrictRules {
        StrictRule::ALL.into_iter().collect()
    }

    /// Whether a rule is kept.
    #[must_use]
    pub const fn contains(self, rule: StrictRule) -> bool {
        self.0 & 1 << rule as u8 != 0
    }

    /// The rules that are kept.
    pub fn iter(self) -> impl Iterator<Item = StrictRule> {
        StrictRule::ALL.into_iter().filter(move |rule| self.contains(*rule))
    }
}

impl FromIterator<StrictRule> for StrictRules {
    fn from_iter<I: IntoIterator<Item = StrictRule>>(rules: I) -> StrictRules {
        StrictRules(rules.into_iter().fold(0, |set, rule| set | 1 << rule as u8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_the_rules_that_were_added() {
        assert_eq!(StrictRules::default().iter().count(), 0);
        assert_eq!(StrictRules::all().iter().collect::<Vec<_>>(), StrictRule::ALL);
        let some: StrictRules = [StrictRule::Quotas, StrictRule::ReservedNames].into_iter().collect();
        assert_eq!(some.iter().map(StrictRule::name).collect::<Vec<_>>(), ["reserved_names", "quotas"]);
        assert!(!some.contains(StrictRule::Throttling));
    }
}
