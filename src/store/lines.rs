//! The format of line files in the state directory. The first line names the type of the file; each
//! line begins with its checksum. Damage is therefore detected line by line.

use crate::background;

/// The length of a checksum in hexadecimal digits, with the space after it.
const BEFORE_TEXT: usize = 17;
/// How many bytes are checked before the thread yields: about 50 µs of work.
const CHUNK: usize = 1 << 16;

/// Formats a file of these lines.
pub(super) fn text(header: &str, lines: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut text = String::new();
    append(&mut text, header);
    lines.into_iter().for_each(|line| append(&mut text, line.as_ref()));
    text
}

/// Appends a line with its checksum.
pub(super) fn append(text: &mut String, line: &str) {
    debug_assert!(!line.contains('\n'), "a line is one line");
    text.push_str(&format!("{:016x} {line}\n", checksum(line.as_bytes())));
}

/// The intact lines, and what is damaged apart from an incomplete last line.
pub(super) fn read(bytes: &[u8], header: &str) -> (Vec<String>, Option<String>) {
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let mut texts = bytes[..whole].split_inclusive(|&byte| byte == b'\n');
    let Some(first) = texts.next() else { return (Vec::new(), None) };
    match opened(first) {
        Some(known) if known == header => {}
        Some(other) => return (Vec::new(), Some(format!("its format is not known to this version: {other}"))),
        None => return salvage(bytes, whole, "its first line is damaged"),
    }
    let (mut lines, mut bad) = (Vec::new(), Vec::new());
    for (number, text) in (2..).zip(texts) {
        match opened(text) {
            Some(line) => lines.push(line.to_owned()),
            None => bad.push(number),
        }
    }
    (lines, describe(&bad))
}

/// Reads a file with a damaged first line: every line with a correct checksum is used.
fn salvage(bytes: &[u8], whole: usize, diagnostic: &str) -> (Vec<String>, Option<String>) {
    let texts = bytes[..whole].split_inclusive(|&byte| byte == b'\n').skip(1);
    let lines: Vec<String> = texts.filter_map(opened).map(str::to_owned).collect();
    (lines, Some(diagnostic.to_owned()))
}

fn describe(bad: &[usize]) -> Option<String> {
    match bad {
        [] => None,
        [one] => Some(format!("line {one} is damaged")),
        [first, ..] => Some(format!("{} lines are damaged, the first is line {first}", bad.len())),
    }
}

/// The line after its checksum, if that is correct.
fn opened(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text.strip_suffix(b"\n")?).ok()?;
    let (written, line) = text.split_at_checked(BEFORE_TEXT)?;
    let written = u64::from_str_radix(written.strip_suffix(' ')?, 16).ok()?;
    (written == checksum(line.as_bytes())).then_some(line)
}

/// FNV-1a, 64 bits. The result is the same on every machine and in every version, unlike that of
/// the standard library's hashers. It detects any change of one byte and nearly all other damage.
/// It is not a security measure.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    let add = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.chunks(CHUNK).fold(0xcbf2_9ce4_8422_2325, |hash, chunk| {
        if chunk.len() == CHUNK {
            background::yield_point();
        }
        chunk.iter().fold(hash, add)
    })
}
