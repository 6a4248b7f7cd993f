//! The lines of a `$GENERATE` directive (BIND 9 Administrator Reference Manual, "BIND Primary File
//! Extension: the $GENERATE Directive").

use super::entries::Token;

/// The most lines of one directive: one for each address of a /16 network.
const MOST_LINES: usize = 65_536;
/// The longest of these lines, in octets. A value of Route 53 has at most 4000 characters.
const LONGEST_LINE: usize = 8192;

/// The lines that the arguments of a directive stand for, made one after the other.
pub(super) fn lines<'t>(
    arguments: &[Token<'t>],
) -> Result<impl Iterator<Item = Result<String, String>> + use<'t>, String> {
    let [range, owner, between @ .., data] = arguments else { return Err(form()) };
    if between.is_empty() {
        return Err(form());
    }
    let numbers = numbers(range.text).ok_or_else(form)?;
    if numbers.len() > MOST_LINES {
        return Err(format!("$GENERATE makes more than {MOST_LINES} records"));
    }
    // TTL, class and type; of data in several words, all but the last too.
    let between: Vec<&str> = between.iter().map(|token| token.text).collect();
    let between = between.join(" ");
    let data = unquoted(data.text);
    let owner = owner.text;
    let line = move |number: i64| {
        let line = format!("{} {} {}", expand(owner, number)?, expand(&between, number)?, expand(&data, number)?);
        Some(line)
    };
    Ok(numbers.into_iter().map(move |number| match line(number).ok_or_else(form)? {
        line if line.len() > LONGEST_LINE => Err(format!("$GENERATE makes a line of more than {LONGEST_LINE} bytes")),
        line => Ok(line),
    }))
}

fn form() -> String {
    "$GENERATE has the form `start-stop[/step] owner [ttl] [class] type data`, where `$` or `${offset,width,base}` stands \
     for the number"
        .to_owned()
}

/// `1-10` or `1-10/2`.
fn numbers(range: &str) -> Option<Vec<i64>> {
    let (range, step) = range.split_once('/').unwrap_or((range, "1"));
    let (start, stop) = range.split_once('-')?;
    let [start, stop, step] = [start, stop, step].map(|text| text.parse::<u32>().ok());
    let (start, stop, step) = (i64::from(start?), i64::from(stop?), i64::from(step?));
    if step == 0 || stop < start {
        return None;
    }
    let count = usize::try_from((stop - start) / step + 1).ok()?;
    // One more than are allowed is enough for the error.
    let counted = (0..count.min(MOST_LINES + 1)).map(|at| start + i64::try_from(at).unwrap_or_default() * step);
    Some(counted.collect())
}

/// Data in quotation marks are read again without them.
fn unquoted(text: &str) -> String {
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).filter(|_| text.len() > 1);
    inner.map_or_else(|| text.to_owned(), |inner| inner.replace("\\\"", "\""))
}

/// Replaces `$` and `${offset,width,base}`. `\$` and `$$` are a dollar sign.
fn expand(template: &str, number: i64) -> Option<String> {
    let (mut text, mut rest) = (String::new(), template);
    while let Some(at) = rest.find(['$', '\\']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("\\$").or_else(|| rest.strip_prefix("$$")) {
            text.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('\\') {
            text.push('\\');
            let length = after.chars().next().map_or(0, char::len_utf8);
            text.push_str(&after[..length]);
            rest = &after[length..];
        } else if let Some(after) = rest.strip_prefix("${") {
            let (modifier, after) = after.split_once('}')?;
            text.push_str(&formatted(modifier, number)?);
            rest = after;
        } else {
            text.push_str(&number.to_string());
            rest = &rest[1..];
        }
    }
    text.push_str(rest);
    Some(text)
}

/// `offset[,width[,base]]`.
fn formatted(modifier: &str, number: i64) -> Option<String> {
    let mut parts = modifier.split(',');
    let offset: i64 = parts.next()?.parse().ok()?;
    let width: usize = parts.next().map_or(Some(0), |width| width.parse().ok().filter(|width| *width <= 253))?;
    let base = parts.next().unwrap_or("d");
    let value = u64::try_from(number.checked_add(offset)?).ok()?;
    if parts.next().is_some() {
        return None;
    }
    Some(match base {
        "d" => format!("{value:0width$}"),
        "o" => format!("{value:0width$o}"),
        "x" => format!("{value:0width$x}"),
        "X" => format!("{value:0width$X}"),
        "n" => nibbles(value, width),
        "N" => nibbles(value, width).to_ascii_uppercase(),
        _ => return None,
    })
}

/// Hexadecimal digits as labels, the last one first; the width counts the dots too.
fn nibbles(mut value: u64, mut width: usize) -> String {
    let mut text = String::new();
    loop {
        text.extend(char::from_digit((value & 15) as u32, 16));
        value >>= 4;
        width = width.saturating_sub(1);
        if value == 0 && width == 0 {
            return text;
        }
        text.push('.');
        width = width.saturating_sub(1);
        if value == 0 && width == 0 {
            return text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entries::Entries;
    use super::*;

    fn made(arguments: &str) -> Result<Vec<String>, String> {
        lines(&Entries::of(arguments).next().unwrap().unwrap().tokens)?.collect()
    }

    /// The examples of the manual, and each modifier.
    #[test]
    fn the_number_is_put_into_owners_and_data() {
        let two = |arguments: &str| made(arguments).unwrap().join(" | ");
        assert_eq!(two("1-2 $ CNAME $.0"), "1 CNAME 1.0 | 2 CNAME 2.0");
        assert_eq!(
            two("1-3/2 SERVER$.EXAMPLE. 60 IN A 192.0.2.$"),
            "SERVER1.EXAMPLE. 60 IN A 192.0.2.1 | SERVER3.EXAMPLE. 60 IN A 192.0.2.3"
        );
        assert_eq!(two("0-1 @ MX \"1$ mail-$\""), "@ MX 10 mail-0 | @ MX 11 mail-1");
        assert_eq!(two("9-10 h${-1,3}.$$ A 1.1.1.${1}"), "h008.$ A 1.1.1.10 | h009.$ A 1.1.1.11");
        assert_eq!(two("26-26 ${0,4,x}-${0,0,X}-${0,0,o} TXT \\$"), "001a-1A-32 TXT $");
        assert_eq!(two("26-26 ${0,0,n}.a PTR ${0,7,N}.b"), "a.1.a PTR A.1.0.0.b");
        assert_eq!(two("1-2 a TXT \"\\\"x $\\\"\""), "a TXT \"x 1\" | a TXT \"x 2\"");
    }

    #[test]
    fn other_forms_are_refused() {
        for bad in [
            "",
            "1-2",
            "1-2 a",
            "1-2 a A",
            "2-1 a A $",
            "1-2/0 a A $",
            "x-2 a A $",
            "1-2 ${x} A 1",
            "1-2 ${0,1,q} A 1",
            "1-2 ${0 A 1",
            "0-1 ${-1} A 1",
            "1-2 ${1,2,d,e} A 1",
            "0-4294967296 a A 1",
        ] {
            let tokens = Entries::of(bad).next().map(|entry| entry.unwrap().tokens).unwrap_or_default();
            let made: Result<Vec<_>, _> = lines(&tokens).and_then(Iterator::collect);
            assert!(made.unwrap_err().contains("has the form"), "{bad}");
        }
        assert!(made("0-4294967295 a A 192.0.2.1").unwrap_err().contains("more than 65536"));
        let long = format!("0-65535 a TXT {}", "${0,253}".repeat(2000));
        assert!(made(&long).unwrap_err().contains("more than 8192 bytes"));
    }
}
