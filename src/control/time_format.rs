//! Timestamps as strings: RFC 3339 in UTC.

use std::time::Duration;

use crate::health::Timestamp;

/// To the second, for example `2026-03-01T22:00:00Z`. Used for times that users set.
pub(crate) fn rfc3339(timestamp: Timestamp) -> String {
    let seconds = i64::try_from(timestamp.0.as_secs()).unwrap_or(i64::MAX);
    // Timestamps after the year 9999 are shown as the last one that can be.
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// To the millisecond, for example `2026-03-01T22:00:00.128Z`. Used for observations: a failover
/// takes a few seconds, so milliseconds matter.
pub(crate) fn rfc3339_milliseconds(timestamp: Timestamp) -> String {
    let milliseconds = i64::try_from(timestamp.0.as_millis()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| rfc3339(timestamp), |timestamp| format!("{timestamp:.3}"))
}

/// Parses a timestamp with an offset: `2026-03-01T22:00:00Z`, `2026-03-01T22:00:00+01:00`.
pub(crate) fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let timestamp: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp(Duration::from_millis(u64::try_from(timestamp.as_millisecond()).ok()?)))
}

/// For example `850 ms`, `12 s`, `3 min 5 s`, `2 h 10 min`, `4 d 7 h`.
pub(crate) fn humanize_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let two = |large: u64, unit: &str, small: u64, part: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {part}"),
    };
    match (days, hours, minutes, seconds) {
        (0, 0, 0, 0) => format!("{} ms", duration.as_millis()),
        (0, 0, 0, _) => format!("{seconds} s"),
        (0, 0, ..) => two(minutes, "min", seconds % 60, "s"),
        (0, ..) => two(hours, "h", minutes, "min"),
        _ => two(days, "d", hours, "h"),
    }
}

/// The same time on a clock that was set back by `by`.
pub(super) fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    Timestamp(at.0.saturating_sub(by))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_written_and_read() {
        let timestamp = Timestamp(Duration::from_secs(1_772_402_400));
        assert_eq!(rfc3339(timestamp), "2026-03-01T22:00:00Z");
        for text in ["2026-03-01T22:00:00Z", "2026-03-01T23:00:00+01:00", "2026-03-01 22:00:00Z"] {
            assert_eq!(parse_rfc3339(text), Some(timestamp), "{text}");
        }
        for text in ["2026-03-01T22:00:00", "22:00", "", "1969-12-31T00:00:00Z", "2026-02-30T22:00:00Z"] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
        assert_eq!(rfc3339(Timestamp(Duration::MAX)).get(..4), Some("9999"));
        assert_eq!(rfc3339_milliseconds(timestamp), "2026-03-01T22:00:00.000Z");
        let later = Timestamp(timestamp.0 + Duration::from_micros(128_400));
        assert_eq!(rfc3339_milliseconds(later), "2026-03-01T22:00:00.128Z");
        assert_eq!(
            parse_rfc3339("2026-03-01T22:00:00.128Z"),
            Some(Timestamp(timestamp.0 + Duration::from_millis(128)))
        );
        assert_eq!(rfc3339_milliseconds(Timestamp(Duration::MAX)).get(..4), Some("9999"));
    }

    #[test]
    fn durations_have_two_units_at_most() {
        let cases =
            [(0, "0 ms"), (59, "59 s"), (60, "1 min"), (185, "3 min 5 s"), (7800, "2 h 10 min"), (370_800, "4 d 7 h")];
        for (seconds, text) in cases {
            assert_eq!(humanize_duration(Duration::from_secs(seconds)), text);
        }
    }
}
