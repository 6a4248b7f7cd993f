//! Decodes the bytes of a file as UTF-8, or says which other encoding they are in.

/// Decodes UTF-8, the only encoding of TOML (TOML 1.0, "Spec").
pub(super) fn text(bytes: Vec<u8>) -> Result<String, String> {
    if let Some(other) = other_form(&bytes) {
        return Err(other.to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line_start = valid.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count();
        let column = 1 + String::from_utf8_lossy(&valid[line_start..]).chars().count();
        let byte = error.as_bytes()[valid.len()];
        format!(
            "the file is not UTF-8: byte 0x{byte:02x} in line {line}, column {column}; if it is Latin-1 or \
             Windows-1252, save it as UTF-8"
        )
    })
}

/// Recognises other encodings and formats by the first bytes.
fn other_form(bytes: &[u8]) -> Option<&'static str> {
    const UTF_16: &str =
        "the file is UTF-16, not UTF-8, as older versions of PowerShell write it with `>`: save it as UTF-8";
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("the file is UTF-32, not UTF-8: save it as UTF-8"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(UTF_16),
        // Without a byte order mark: in text that is mostly ASCII, every other byte is 0.
        [_, 0, _, 0, ..] | [0, _, 0, _, ..] => Some(UTF_16),
        [0x1f, 0x8b, ..] => Some("the file is compressed with gzip: decompress it"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_encoding_is_named() {
        let zone = "name = \"lab.test\"\n";
        let utf_16 = |bytes: fn(u16) -> [u8; 2]| zone.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        let (little, big) = (utf_16(u16::to_le_bytes), utf_16(u16::to_be_bytes));
        for (bytes, expected) in [
            (little.clone(), "UTF-16"),
            (big.clone(), "UTF-16"),
            ([&[0xff, 0xfe][..], &little].concat(), "UTF-16"),
            ([&[0xfe, 0xff][..], &big].concat(), "UTF-16"),
            ([&[0xff, 0xfe, 0, 0][..], b"n\0\0\0"].concat(), "UTF-32"),
            (vec![0x1f, 0x8b, 8, 0], "gzip"),
            (b"comment = \"M\xfcnchen\"\n".to_vec(), "byte 0xfc in line 1, column 13; if it is Latin-1"),
        ] {
            let problem = text(bytes).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        }
        assert_eq!(text(zone.into()).as_deref(), Ok(zone));
        assert_eq!(text("# über\n".into()).as_deref(), Ok("# über\n"));
        assert_eq!(text(Vec::new()).as_deref(), Ok(""));
    }
}
