//! Reads scalar values: integers, numbers, durations and sizes.

use std::time::Duration;

use super::tree::Value;

/// The result of reading a duration.
pub(super) enum Amount {
    Of(Duration),
    /// A string that is not a duration.
    Unreadable,
    /// Neither a string nor an integer.
    OtherShape,
}

/// A number as it was written.
pub(super) struct Number<'d> {
    pub(super) value: f64,
    text: &'d str,
}

impl Number<'_> {
    /// The number of decimals as written.
    pub(super) fn decimals(&self) -> usize {
        self.text.split_once('.').map_or(0, |(_, decimals)| decimals.len())
    }
}

/// The kind of a TOML value, for messages.
pub(super) fn describe(value: &Value<'_>) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(..) => "an integer",
        Value::Float(_) => "a float",
        Value::Boolean(_) => "a boolean",
        Value::Datetime => "a date or time",
        Value::List(_) => "a list",
        Value::Table(_) => "a table",
    }
}

/// An integer in any base. `Some(None)` when it does not fit in 64 bits, `None` for another kind of
/// value.
pub(super) fn integer(value: &Value<'_>) -> Option<Option<i64>> {
    match value {
        Value::Integer(digits, radix) => Some(i64::from_str_radix(digits, *radix).ok()),
        _ => None,
    }
}

/// A finite number, integer or float.
pub(super) fn number<'d>(value: &'d Value<'_>) -> Option<Number<'d>> {
    let text: &str = match value {
        Value::Integer(digits, 10) => digits,
        Value::Float(written) => written,
        _ => return None,
    };
    let value = text.parse::<f64>().ok().filter(|number| number.is_finite())?;
    Some(Number { value, text })
}

/// Whole seconds, or a string such as `250ms`, `10s`, `5m`, `1h`, `2d`, `1w`.
pub(super) fn duration(value: &Value<'_>) -> Amount {
    match value {
        Value::Integer(..) => {
            let seconds = integer(value).flatten().and_then(|seconds| u64::try_from(seconds).ok());
            seconds.map_or(Amount::Unreadable, |seconds| Amount::Of(Duration::from_secs(seconds)))
        }
        Value::String(text) => duration_from_text(text).map_or(Amount::Unreadable, Amount::Of),
        _ => Amount::OtherShape,
    }
}

fn duration_from_text(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    let count: u64 = count.parse().ok()?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return None,
    };
    count.checked_mul(milliseconds).map(Duration::from_millis)
}

/// The bytes of a size such as `512KiB`, `64MiB`, `1GiB`.
pub(super) fn size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    let count: u64 = count.parse().ok()?;
    let bytes = match unit {
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    count.checked_mul(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_from_milliseconds_to_weeks() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("10s", 10_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("2d", 172_800_000),
            ("1w", 604_800_000),
        ] {
            assert_eq!(duration_from_text(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "w", "1", "1W", "1y", "-1w", "1.5w", "1w ", "99999999999999999w"] {
            assert_eq!(duration_from_text(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_have_binary_units() {
        for (text, bytes) in [("0KiB", 0), ("512KiB", 524_288), ("64MiB", 67_108_864), ("2GiB", 2_147_483_648)] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "64", "64MB", "64M", "64mib", "64 MiB", "-1MiB", "1.5GiB", "99999999999999999GiB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
