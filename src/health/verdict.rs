//! From the results of the checkers to the final verdict: the 18 % rule, then disabled, then
//! inverted.

use crate::model::HealthCheck;

use super::Status;

/// The results of the checkers of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkers {
    /// How many consider the endpoint healthy.
    pub healthy: u32,
    /// How many report a result.
    pub reporting: u32,
}

/// More than this percentage of the reporting checkers must consider the endpoint healthy
/// (Developer Guide, "How Amazon Route 53 determines whether a health check is healthy").
const HEALTHY_ABOVE_PERCENT: u64 = 18;

/// The status of an endpoint from its checkers' results. With no data it is healthy, as a new check
/// is.
#[must_use]
pub fn aggregate(checkers: Checkers) -> Status {
    let Checkers { healthy, reporting } = checkers;
    if reporting == 0 || u64::from(healthy) * 100 > u64::from(reporting) * HEALTHY_ABOVE_PERCENT {
        Status::Healthy
    } else {
        Status::Unhealthy
    }
}

/// The final verdict for the records that use this check, from the status of the endpoint, metric
/// or children. A disabled check is healthy, and inversion applies after that: disabled and
/// inverted is the documented way to force traffic off a record (API Disabled, Inverted).
#[must_use]
pub fn verdict(check: &HealthCheck, believed: Status) -> Status {
    let status = if check.disabled { Status::Healthy } else { believed };
    if check.inverted { status.opposite() } else { status }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::tracker::tests::check;

    #[test]
    fn more_than_18_percent_of_the_checkers_make_it_healthy() {
        let cases = [
            (3, 16, Status::Healthy), // vector 21: 18.75 %
            (2, 16, Status::Unhealthy),
            (1, 3, Status::Healthy),
            (18, 100, Status::Unhealthy), // 18 % is not more than 18 %
            (19, 100, Status::Healthy),
            (1, 1, Status::Healthy),
            (0, 1, Status::Unhealthy),
            (0, 0, Status::Healthy), // not enough data yet
            (u32::MAX, u32::MAX, Status::Healthy),
        ];
        for (healthy, reporting, status) in cases {
            assert_eq!(aggregate(Checkers { healthy, reporting }), status, "{healthy} of {reporting}");
        }
    }

    #[test]
    fn inversion_comes_after_disabling() {
        use Status::{Healthy, Unhealthy};
        // disabled, inverted, verdict on a good endpoint, verdict on a bad one
        let cases = [
            (false, false, Healthy, Unhealthy),
            (false, true, Unhealthy, Healthy),
            (true, false, Healthy, Healthy),
            (true, true, Unhealthy, Unhealthy),
        ];
        for (disabled, inverted, good, bad) in cases {
            let check = HealthCheck { disabled, inverted, ..check("a") };
            assert_eq!(verdict(&check, Healthy), good);
            assert_eq!(verdict(&check, Unhealthy), bad);
        }
    }
}
