//! Strings of a given width.

use ratatui::text::Span;

/// The columns of a text.
pub(super) fn width(text: &str) -> u16 {
    u16::try_from(Span::raw(text).width()).unwrap_or(u16::MAX)
}

/// The text, cut to `columns` with an ellipsis, or padded with spaces.
pub(super) fn fit(text: &str, columns: u16) -> String {
    let columns = usize::from(columns);
    let mut out = String::new();
    let mut taken = 0;
    for character in text.chars() {
        let wide = Span::raw(character.to_string()).width();
        let rest_fits = usize::from(width(text)) <= columns;
        if !rest_fits && taken + wide + 1 > columns {
            if taken < columns {
                out.push('…');
                taken += 1;
            }
            break;
        }
        out.push(character);
        taken += wide;
    }
    out.extend(std::iter::repeat_n(' ', columns.saturating_sub(taken)));
    out
}

/// A bar for a share from 0 to 1, to an eighth of a column.
pub(super) fn bar(share: f64, columns: u16) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of some columns is small and not negative"
    )]
    let eighths = (share.clamp(0.0, 1.0) * f64::from(columns) * 8.0).round() as usize;
    // Any share above 0 is visible.
    let eighths = if share > 0.0 { eighths.max(1) } else { eighths };
    let bar = "█".repeat(eighths / 8) + PARTS[eighths % 8];
    fit(&bar, columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fit() {
        let cases = [
            ("abc", 5, "abc  "),
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("", 2, "  "),
            ("abc", 0, ""),
            ("日本", 3, "日…"),
        ];
        for (text, columns, expected) in cases {
            assert_eq!(fit(text, columns), expected, "{text} in {columns}");
        }
    }

    #[test]
    fn bars_are_exact_to_an_eighth() {
        let cases =
            [(1.0, "████"), (0.5, "██  "), (0.03125, "▏   "), (0.001, "▏   "), (0.0, "    "), (0.90625, "███▋")];
        for (share, expected) in cases {
            assert_eq!(bar(share, 4), expected, "{share}");
        }
    }
}
