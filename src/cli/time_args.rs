//! Times and durations on the command line: `22:00`, `2026-03-01 22:00`, RFC 3339; `30m`, `1h30m`;
//! and `2s`, `500ms`.

use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::{Span, Timestamp, Zoned};

/// The longest span: ten years. A longer one is a typing error.
const LONGEST: Duration = Duration::from_secs(3660 * 86_400);

/// A time. One without a date is the next one after `after`.
pub(super) fn parse_time(text: &str, after: &Zoned) -> Result<Timestamp, String> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Ok(timestamp);
    }
    let time = text.contains(':').then(|| text.parse::<Time>().ok()).flatten();
    if let Some(time) = time.filter(|_| text.len() <= "22:00:00".len()) {
        return next(time, after).ok_or_else(|| not_a_time(text));
    }
    let local: DateTime = text.parse().map_err(|_| not_a_time(text))?;
    let zoned = local.to_zoned(after.time_zone().clone()).map_err(|_| not_a_time(text))?;
    Ok(zoned.timestamp())
}

/// Today if that is later than `after`, else tomorrow.
fn next(time: Time, after: &Zoned) -> Option<Timestamp> {
    let on = |date: jiff::civil::Date| date.to_datetime(time).to_zoned(after.time_zone().clone()).ok();
    let today = on(after.date())?;
    if today.timestamp() > after.timestamp() {
        return Some(today.timestamp());
    }
    Some(on(after.date().checked_add(Span::new().days(1)).ok()?)?.timestamp())
}

fn not_a_time(text: &str) -> String {
    format!("`{text}` is not a time: write 22:00, \"2026-03-01 22:00\" or 2026-03-01T22:00:00Z")
}

/// `90s`, `30m`, `2h`, `1h30m`, `1d`, `1w`.
pub(super) fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration: write 30m, 1h30m, 90s or 1d");
    let mut seconds: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit = match rest.as_bytes()[digits] {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            b'w' => 7 * 86_400,
            _ => return Err(wrong()),
        };
        seconds = number.checked_mul(unit).and_then(|part| seconds.checked_add(part)).ok_or_else(wrong)?;
        rest = &rest[digits + 1..];
    }
    let span = Duration::from_secs(seconds);
    if span.is_zero() || span > LONGEST { Err(wrong()) } else { Ok(span) }
}

/// Seconds or milliseconds, also 0: `2s`, `0.5s`, `500ms`, `0`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write seconds or milliseconds, such as 2s, 0.5s or 500ms".to_owned();
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "" | "s" => number,
        "ms" => number / 1000.0,
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::{Offset, TimeZone};

    /// One o'clock in the afternoon, an hour east of Greenwich.
    fn noon() -> Zoned {
        let zone = TimeZone::fixed(Offset::constant(1));
        "2026-03-01T12:00:00Z".parse::<Timestamp>().unwrap().to_zoned(zone)
    }

    #[test]
    fn a_time_without_a_date_is_the_next_one() {
        let cases = [
            ("22:00", "2026-03-01T21:00:00Z"),
            ("13:01", "2026-03-01T12:01:00Z"),
            ("13:00", "2026-03-02T12:00:00Z"),
            ("02:30", "2026-03-02T01:30:00Z"),
            ("22:00:30", "2026-03-01T21:00:30Z"),
            ("2026-03-01 22:00", "2026-03-01T21:00:00Z"),
            ("2026-03-01T22:00", "2026-03-01T21:00:00Z"),
            ("2026-03-01T22:00:00Z", "2026-03-01T22:00:00Z"),
            ("2026-03-01T22:00:00+02:00", "2026-03-01T20:00:00Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_time(text, &noon()).map(|moment| moment.to_string()), Ok(expected.to_owned()), "{text}");
        }
        for text in ["", "soon", "25:00", "22", "2026-02-30 22:00", "1h"] {
            assert!(parse_time(text, &noon()).is_err(), "{text}: {:?}", parse_time(text, &noon()));
        }
    }

    #[test]
    fn spans_are_added_up() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("1d", 86_400), ("1w2d", 777_600)] {
            assert_eq!(parse_span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "0s", "30", "m", "-5m", "99999999999999999999d", "99999999d", "5 m", "½h"] {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }
}
