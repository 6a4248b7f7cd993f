//! Finds the `[[tables]]` of a file, and replaces, removes and adds them without touching the text
//! around them.

use std::ops::Range;

use crate::config::tree::Entries;

/// The text of one `[[table]]`: from its header to the end of the line of its last value.
pub(super) type Block = Range<usize>;

/// The blocks of the list `key`, in the order of the file, which is plain. `None` for an inline
/// list, also an empty one.
pub(super) fn of_list(root: &Entries<'_>, key: &str, text: &str) -> Option<Vec<Block>> {
    if root.get(key).and_then(|entry| entry.node.value.as_list()).is_some_and(<[_]>::is_empty) {
        return None;
    }
    let tables = root.get(key).and_then(|entry| entry.node.value.as_list()).unwrap_or_default();
    let block = |table: &crate::config::tree::Node<'_>| {
        let header = table.span();
        let values = table.value.as_table().into_iter().flat_map(Entries::iter);
        let end = values.map(|entry| entry.node.span().end).fold(header.end, usize::max);
        text[header.start..].starts_with("[[").then(|| header.start..end_of_line(text, end))
    };
    tables.iter().map(block).collect()
}

/// Where the first `[[table]]` of a plain file begins; `None` if it has none, or if members of the
/// zone are such tables.
pub(super) fn start_of_tables(root: &Entries<'_>, text: &str) -> Option<usize> {
    let is_header = |at: &usize| text[*at..].starts_with("[[");
    let first = |key: &str| root.get(key)?.node.value.as_list()?.first().map(|table| table.span().start);
    let is_table = |key: &str| first(key).as_ref().is_some_and(is_header);
    if ["vpcs", "authorized_vpcs", "protections", "traffic_policy_instances"].into_iter().any(is_table) {
        return None;
    }
    let lists = [
        "record",
        "record_group",
        "health_check",
        "cidr_collection",
        "reusable_delegation_set",
        "traffic_policy",
        "alias_target",
    ];
    lists.into_iter().filter_map(first).filter(is_header).min()
}

/// The changes of a text: disjoint ranges and what replaces them.
pub(super) struct Edits<'t> {
    text: &'t str,
    ends_inside_a_line: bool,
    edits: Vec<(Range<usize>, String)>,
}

/// One edit: what it replaces, and where what replaces it is in the changed text.
pub(super) struct Edited {
    pub(super) old: Range<usize>,
    pub(super) new: Range<usize>,
}

impl<'t> Edits<'t> {
    pub(super) fn of(text: &'t str) -> Edits<'t> {
        let ends_inside_a_line = !text.is_empty() && !text.ends_with('\n');
        Edits { text, ends_inside_a_line, edits: Vec::new() }
    }

    /// Replaces a block.
    pub(super) fn replace(&mut self, block: &Block, with: String) {
        self.edits.push((block.clone(), with));
    }

    /// Removes a block with what belongs to it.
    pub(super) fn remove(&mut self, block: &Block) {
        self.edits.push((self.with_comment(block), String::new()));
    }

    /// A block with the comment right above it, and the blank lines that it leaves when it is
    /// removed.
    pub(super) fn with_comment(&self, block: &Block) -> Range<usize> {
        let (start, mut end) = (start_of_comment(self.text, block.start), block.end);
        let before = self.text[..start].lines().next_back().unwrap_or_default();
        if before.trim().is_empty() {
            end += blank_lines(&self.text[end..]);
        }
        start..end
    }

    /// Adds a block after another one, or at the end of the file.
    pub(super) fn add(&mut self, after: Option<&Block>, block: &str) {
        let at = after.map_or(self.text.len(), |block| block.end);
        let mut added = String::new();
        if at == self.text.len() && std::mem::take(&mut self.ends_inside_a_line) {
            added.push('\n');
        }
        if at > 0 {
            added.push('\n');
        }
        added.push_str(block);
        if memchr::memmem::find(self.text.as_bytes(), b"\r\n").is_some() {
            added = added.replace('\n', "\r\n");
        }
        self.edits.push((at..at, added));
    }

    /// The changed text.
    pub(super) fn finish(self) -> String {
        self.finish_with_spans().0
    }

    /// The changed text, and where each edit is in it, in order.
    pub(super) fn finish_with_spans(mut self) -> (String, Vec<Edited>) {
        // Stable: what is added at one position keeps its order, after what is replaced or removed
        // there.
        self.edits.sort_by_key(|(range, _)| (range.start, range.end));
        let added: usize = self.edits.iter().map(|(_, with)| with.len()).sum();
        let (mut changed, mut at) = (String::with_capacity(self.text.len() + added), 0);
        let mut edited = Vec::with_capacity(self.edits.len());
        for (old, with) in self.edits {
            changed.push_str(self.text.get(at..old.start).unwrap_or_default());
            let start = changed.len();
            changed.push_str(&with);
            at = at.max(old.end);
            edited.push(Edited { old, new: start..changed.len() });
        }
        changed.push_str(&self.text[at..]);
        (changed, edited)
    }
}

/// The start of the comment lines right above `at`, or of its own line.
fn start_of_comment(text: &str, at: usize) -> usize {
    let mut start = start_of_line(text, at);
    while start > 0 {
        let above = start_of_line(text, start - 1);
        if !text[above..start].trim_start().starts_with('#') {
            break;
        }
        start = above;
    }
    start
}

fn start_of_line(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

fn end_of_line(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |newline| at + newline + 1)
}

/// The length of the blank lines at the start.
fn blank_lines(text: &str) -> usize {
    text.split_inclusive('\n').take_while(|line| line.trim().is_empty()).map(str::len).sum()
}
