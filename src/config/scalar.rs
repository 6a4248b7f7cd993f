//! What stands at a key before it means anything: whole numbers, numbers, durations.

use std::time::Duration;

use toml::de::{DeInteger, DeValue};

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
pub(super) fn describe(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with decimals",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A whole number, in whatever base; `None` when it has more than 64 bits.
pub(super) fn integer(written: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(written.as_str(), written.radix()).ok()
}

/// A finite number, whole or not.
pub(super) fn number<'d>(value: &'d DeValue<'d>) -> Option<Number<'d>> {
    let text = match value {
        DeValue::Integer(written) if written.radix() == 10 => written.as_str(),
        DeValue::Float(written) => written.as_str(),
        _ => return None,
    };
    let value = text.parse::<f64>().ok().filter(|number| number.is_finite())?;
    Some(Number { value, text })
}

/// Whole seconds, or a text such as `250ms`, `10s`, `5m`, `1h`.
pub(super) fn duration(value: &DeValue<'_>) -> Amount {
    match value {
        DeValue::Integer(written) => {
            let seconds = integer(written).and_then(|seconds| u64::try_from(seconds).ok());
            seconds.map_or(Amount::Unreadable, |seconds| Amount::Of(Duration::from_secs(seconds)))
        }
        DeValue::String(text) => duration_from_text(text).map_or(Amount::Unreadable, Amount::Of),
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
