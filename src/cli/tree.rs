//! Trees drawn with box characters. A branch has a head of fixed columns and a text that is wrapped
//! after it.

use super::paint::{Colour, Paint};

/// The least width of wrapped text, at any depth.
const NARROWEST: usize = 30;

/// A line with lines below it.
#[derive(Clone, Debug, Default)]
pub(super) struct Branch {
    /// The columns before the text, each with an optional colour.
    head: Vec<(String, Option<Colour>)>,
    /// The text after the columns, wrapped.
    text: String,
    colour: Option<Colour>,
    branches: Vec<Branch>,
}

impl Branch {
    /// A line of text.
    pub(super) fn text(text: impl Into<String>) -> Branch {
        Branch { text: text.into(), ..Branch::default() }
    }

    /// Adds a column before the text.
    pub(super) fn column(mut self, text: impl Into<String>, colour: Option<Colour>) -> Branch {
        self.head.push((text.into(), colour));
        self
    }

    /// Colours the text.
    pub(super) fn coloured(self, colour: Colour) -> Branch {
        Branch { colour: Some(colour), ..self }
    }

    /// Adds a line below.
    pub(super) fn with(mut self, branch: Branch) -> Branch {
        self.branches.push(branch);
        self
    }

    /// Adds lines below.
    pub(super) fn with_all(mut self, branches: impl IntoIterator<Item = Branch>) -> Branch {
        self.branches.extend(branches);
        self
    }

    /// The tree in lines of at most `width` columns, except for longer words.
    pub(super) fn draw(&self, paint: Paint, width: usize) -> String {
        let mut out = String::new();
        self.line(&mut out, "", "", paint, width);
        self.below(&mut out, "", paint, width);
        out
    }

    fn below(&self, out: &mut String, indent: &str, paint: Paint, width: usize) {
        for (number, branch) in self.branches.iter().enumerate() {
            let is_last = number + 1 == self.branches.len();
            let (fork, stem) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let deeper = format!("{indent}{stem}");
            branch.line(out, &format!("{indent}{fork}"), &deeper, paint, width);
            branch.below(out, &deeper, paint, width);
        }
    }

    fn line(&self, out: &mut String, first: &str, rest: &str, paint: Paint, width: usize) {
        let head: usize = self.head.iter().map(|(text, _)| column_count(text)).sum();
        let room = width.saturating_sub(column_count(first) + head).max(NARROWEST);
        let columns: String = self.head.iter().map(|(text, colour)| painted(paint, *colour, text)).collect();
        let stem = if self.branches.is_empty() { rest.to_owned() } else { format!("{rest}│") };
        let behind = format!("{stem:width$}", width = column_count(first) + head);
        for (number, line) in wrap(&self.text, room).iter().enumerate() {
            let line = painted(paint, self.colour, line);
            let whole = match number {
                0 => format!("{first}{columns}{line}"),
                _ => format!("{behind}{line}"),
            };
            out.push_str(whole.trim_end());
            out.push('\n');
        }
    }
}

fn painted(paint: Paint, colour: Option<Colour>, text: &str) -> String {
    colour.map_or_else(|| text.to_owned(), |colour| paint.paint(colour, text))
}

/// The number of columns of a text; all characters used here are one column wide.
pub(super) fn column_count(text: &str) -> usize {
    text.chars().count()
}

/// At least one line.
fn wrap(text: &str, width: usize) -> Vec<String> {
    wrap_after(0, text, width)
}

/// The same; `taken` columns of the first line are in use.
pub(super) fn wrap_after(taken: usize, text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let taken = if lines.len() == 1 { taken } else { 0 };
        let line = lines.last_mut().expect("there is always a line");
        let is_beginning = line.is_empty() && taken == 0;
        if !is_beginning && taken + column_count(line) + 1 + column_count(word) > width {
            lines.push(word.to_owned());
        } else {
            let space = if line.is_empty() { "" } else { " " };
            line.push_str(space);
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_wrap_after_their_columns() {
        let tree = Branch::text("root")
            .with(Branch::text("one two three four five six seven").column("a  ", None).with(Branch::text("leaf")))
            .with(Branch::text("end"));
        let drawn = "root\n├─ a  one two three four five six\n│  │  seven\n│  └─ leaf\n└─ end\n";
        assert_eq!(tree.draw(Paint::Plain, 36), drawn);
    }
}
