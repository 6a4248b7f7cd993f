//! How many nodes of a cluster must consider an endpoint healthy.

use std::fmt;
use std::str::FromStr;

/// How many of the nodes with an opinion must consider an endpoint healthy, so that its check is
/// healthy. Nodes stand where Route 53 has health checkers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Agreement {
    /// More than this percentage, 0..=99.
    MoreThan(u8),
    /// More than half.
    Majority,
    /// All of them: one that considers it unhealthy is enough to make it unhealthy.
    All,
    /// One is enough.
    Any,
    /// This number, at least 1; all of them if they are fewer.
    AtLeast(u16),
}

/// Not an agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a percentage from \"0%\" to \"99%\", \"majority\", \"all\", \"any\", or a number from 1 to 1000")]
pub struct InvalidAgreement;

impl Agreement {
    /// Route 53's rule: healthy while more than 18 % of the health checkers report healthy
    /// (Developer Guide, "How Amazon Route 53 determines whether a health check is healthy").
    pub const ROUTE_53: Agreement = Agreement::MoreThan(18);
    /// So many nodes are rare; who writes such a count may mean a percentage.
    pub const MANY: u16 = 10;
    /// More nodes than this are a mistake.
    pub const MAX_COUNT: u16 = 1000;

    /// This number of nodes; `None` if it is out of range.
    #[must_use]
    pub fn at_least(count: i64) -> Option<Agreement> {
        let count = u16::try_from(count).ok()?;
        (1..=Agreement::MAX_COUNT).contains(&count).then_some(Agreement::AtLeast(count))
    }

    /// How many of `reporting` nodes must consider the endpoint healthy: 1 to `reporting`.
    #[must_use]
    pub fn needed(self, reporting: u32) -> u32 {
        let needed = match self {
            Agreement::MoreThan(percent) => more_than(reporting, u64::from(percent)),
            Agreement::Majority => more_than(reporting, 50),
            Agreement::All => reporting,
            Agreement::Any => 1,
            Agreement::AtLeast(count) => u32::from(count),
        };
        needed.clamp(1, reporting.max(1))
    }
}

/// The smallest number that is more than this percentage of `reporting`.
fn more_than(reporting: u32, percent: u64) -> u32 {
    u32::try_from(u64::from(reporting) * percent / 100 + 1).unwrap_or(u32::MAX)
}

impl Default for Agreement {
    fn default() -> Agreement {
        Agreement::ROUTE_53
    }
}

/// As it is written in a file.
impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Agreement::MoreThan(percent) => write!(f, "{percent}%"),
            Agreement::Majority => f.write_str("majority"),
            Agreement::All => f.write_str("all"),
            Agreement::Any => f.write_str("any"),
            Agreement::AtLeast(count) => write!(f, "{count}"),
        }
    }
}

impl FromStr for Agreement {
    type Err = InvalidAgreement;

    fn from_str(text: &str) -> Result<Agreement, InvalidAgreement> {
        match text {
            "majority" => Ok(Agreement::Majority),
            "all" => Ok(Agreement::All),
            "any" => Ok(Agreement::Any),
            _ => {
                let digits = text.strip_suffix('%').ok_or(InvalidAgreement)?;
                let is_number = (1..=2).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
                let percent = digits.parse().map_err(|_| InvalidAgreement)?;
                is_number.then_some(Agreement::MoreThan(percent)).ok_or(InvalidAgreement)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        for text in ["0%", "18%", "99%", "majority", "all", "any"] {
            assert_eq!(text.parse::<Agreement>().unwrap().to_string(), text);
        }
        for text in ["", "%", "18", "100%", "-1%", "+1%", "18 %", "1.5%", "Majority", "most", "٣%"] {
            assert_eq!(text.parse::<Agreement>(), Err(InvalidAgreement), "{text}");
        }
        assert_eq!(Agreement::at_least(3).unwrap().to_string(), "3");
        assert_eq!([0, -1, 1001, i64::MAX].map(Agreement::at_least), [None; 4]);
    }

    #[test]
    fn so_many_must_consider_it_healthy() {
        let needed = |agreement: Agreement| [1, 2, 3, 4, 5, 6, 16, 100].map(|nodes| agreement.needed(nodes));
        assert_eq!(needed(Agreement::default()), [1, 1, 1, 1, 1, 2, 3, 19]);
        assert_eq!(needed(Agreement::Majority), [1, 2, 2, 3, 3, 4, 9, 51]);
        assert_eq!(needed(Agreement::All), [1, 2, 3, 4, 5, 6, 16, 100]);
        assert_eq!(needed(Agreement::Any), [1; 8]);
        assert_eq!(needed(Agreement::AtLeast(3)), [1, 2, 3, 3, 3, 3, 3, 3]);
        assert_eq!(needed(Agreement::MoreThan(0)), [1; 8]);
        assert_eq!(needed(Agreement::MoreThan(99)), [1, 2, 3, 4, 5, 6, 16, 100]);
        assert_eq!(Agreement::MoreThan(99).needed(u32::MAX), 4_252_017_623);
    }
}
