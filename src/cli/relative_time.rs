//! Times of the admin API, relative to now.

use std::time::Duration;

use jiff::Timestamp;

use crate::admin::shapes::RecoveringShape;
use crate::control::humanize_duration;

/// A time of the API. The start of 1970 if it is none.
pub(super) fn timestamp(text: &str) -> Timestamp {
    text.parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The time since a time of the API.
pub(super) fn ago(now: Timestamp, then: &str) -> String {
    let seconds = now.as_second().saturating_sub(timestamp(then).as_second());
    match u64::try_from(seconds) {
        Ok(0) | Err(_) => "0 s".to_owned(),
        Ok(seconds) => humanize_duration(Duration::from_secs(seconds)),
    }
}

/// The time until a time of the API; zero if it has passed.
pub(super) fn until(now: Timestamp, then: &str) -> Duration {
    Duration::from_secs(u64::try_from(timestamp(then).as_second().saturating_sub(now.as_second())).unwrap_or_default())
}

/// The progress of a recovered record: how long until all its traffic is back.
pub(super) fn recovery(record: &RecoveringShape, now: Timestamp) -> String {
    let left = humanize_duration(until(now, &record.until));
    match record.share_percent {
        Some(share) => format!("has {share} % of its weight, and all of it in {left}"),
        None => format!("is healthy again and waits {left} more for its failback"),
    }
}
