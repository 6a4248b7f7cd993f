//! Times as the API writes them.

use std::time::SystemTime;

/// In UTC to the millisecond, such as `2017-03-10T01:36:41.958Z` (API reference, `TimeStamp`).
pub(super) fn iso_8601(time: SystemTime) -> String {
    format!("{:.3}", jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds() {
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(1_489_109_801_950);
        assert_eq!(iso_8601(time), "2017-03-10T01:36:41.950Z");
    }
}
