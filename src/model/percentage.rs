//! A share of a whole.

use std::fmt;

/// A percentage, from 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentage(u8);

impl Percentage {
    /// Such as `50%`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Percentage> {
        let digits = text.strip_suffix('%')?;
        let is_number = digits.bytes().all(|octet| octet.is_ascii_digit()) && !digits.starts_with('0');
        digits.parse().ok().filter(|percent| is_number && (1..=100).contains(percent)).map(Percentage)
    }

    /// Whether `part` is more than this share of `whole`.
    pub fn is_exceeded(self, part: usize, whole: usize) -> bool {
        part.saturating_mul(100) > whole.saturating_mul(self.0.into())
    }
}

/// Such as `50%`.
impl fmt::Display for Percentage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_whole_numbers_up_to_100() {
        for text in ["1%", "50%", "100%"] {
            assert_eq!(Percentage::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "%", "0%", "05%", "101%", "50", "50 %", "-1%", "+5%", "1.5%", "300%"] {
            assert_eq!(Percentage::parse(text), None, "{text}");
        }
    }

    #[test]
    fn exactly_the_share_is_no_more() {
        let half = Percentage::parse("50%").unwrap();
        assert!(!half.is_exceeded(10, 20) && half.is_exceeded(11, 20));
        assert!(!Percentage::parse("100%").unwrap().is_exceeded(20, 20));
    }
}
