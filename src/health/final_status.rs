//! From the status of a check to the final status: disabled, then inverted.

use crate::model::HealthCheck;

use super::Status;

/// The final status for the records that use this check, from the status of the endpoint, metric
/// or children. A disabled check is healthy, and inversion applies after that: disabled and
/// inverted is the documented way to force traffic off a record (API Disabled, Inverted).
#[must_use]
pub fn final_status(check: &HealthCheck, believed: Status) -> Status {
    let status = if check.disabled { Status::Healthy } else { believed };
    if check.inverted { status.opposite() } else { status }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::tracker::tests::check;

    #[test]
    fn inversion_comes_after_disabling() {
        use Status::{Healthy, Unhealthy};
        // disabled, inverted, final status on a good endpoint, final status on a bad one
        let cases = [
            (false, false, Healthy, Unhealthy),
            (false, true, Unhealthy, Healthy),
            (true, false, Healthy, Healthy),
            (true, true, Unhealthy, Unhealthy),
        ];
        for (disabled, inverted, good, bad) in cases {
            let check = HealthCheck { disabled, inverted, ..check("a") };
            assert_eq!(final_status(&check, Healthy), good);
            assert_eq!(final_status(&check, Unhealthy), bad);
        }
    }
}
