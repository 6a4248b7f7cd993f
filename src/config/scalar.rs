//! What stands at a key before it means anything: whole numbers, numbers, durations.

use std::time::Duration;

use super::tree::Value;

/// What reading a duration came to.
pub(super) enum Amount {
    Of(Duration),
    /// A text that is no duration.
    Unreadable,
    /// Neither a text nor a whole number.
    OtherShape,
}

/// A number as it was written.
pub(super) struct Number<'d> {
    pub(super) value: f64,
    text: &'d str,
}

impl Number<'_> {
    /// How many decimals were written.
    pub(super) fn decimals(&self) -> usize {
        self.text.split_once('.').map_or(0, |(_, decimals)| decimals.len())
    }
}

/// A TOML value's kind, for people.
pub(super) fn describe(value: &Value<'_>) -> &'static str {
    match value {
        Value::Text(_) => "a text",
        Value::Integer(..) => "a whole number",
        Value::Float(_) => "a number with decimals",
        Value::Boolean(_) => "true or false",
        Value::Datetime => "a date or time",
        Value::List(_) => "a list",
        Value::Table(_) => "a table",
    }
}

/// A whole number, in whatever base: `Some(None)` when it has more than 64 bits, `None` when it is none.
pub(super) fn integer(value: &Value<'_>) -> Option<Option<i64>> {
    match value {
        Value::Integer(digits, radix) => Some(i64::from_str_radix(digits, *radix).ok()),
        _ => None,
    }
}

/// A finite number, whole or not.
pub(super) fn number<'d>(value: &'d Value<'_>) -> Option<Number<'d>> {
    let text: &str = match value {
        Value::Integer(digits, 10) => digits,
        Value::Float(written) => written,
        _ => return None,
    };
    let value = text.parse::<f64>().ok().filter(|number| number.is_finite())?;
    Some(Number { value, text })
}

/// Whole seconds, or a text such as `250ms`, `10s`, `5m`, `1h`.
pub(super) fn duration(value: &Value<'_>) -> Amount {
    match value {
        Value::Integer(..) => {
            let seconds = integer(value).flatten().and_then(|seconds| u64::try_from(seconds).ok());
            seconds.map_or(Amount::Unreadable, |seconds| Amount::Of(Duration::from_secs(seconds)))
        }
        Value::Text(text) => duration_from_text(text).map_or(Amount::Unreadable, Amount::Of),
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
        _ => return None,
    };
    count.checked_mul(milliseconds).map(Duration::from_millis)
}
