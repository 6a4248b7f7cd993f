//! Base64 as RFC 4648 section 4 has it, for the `ech` parameter: padded, nothing left over.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `None` when the text is not canonical Base64.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.chunks(4) {
        let digits = group.iter().position(|&octet| octet == b'=').unwrap_or(group.len());
        let mut bits = 0;
        for &octet in &group[..digits] {
            let value = ALPHABET.iter().position(|&letter| letter == octet)?;
            bits = bits << 6 | u32::try_from(value).ok()?;
        }
        bits <<= 6 * (4 - digits);
        octets.extend(&bits.to_be_bytes()[1..digits.max(1)]);
    }
    // Whatever is not written the one right way (short groups, digits after `=`, stray bits) prints differently.
    (encode(&octets).as_bytes() == text).then_some(octets)
}

pub(super) fn encode(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().div_ceil(3) * 4);
    for chunk in octets.chunks(3) {
        let octet = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
        for digit in 0..4 {
            let value = bits >> (18 - 6 * digit) & 63;
            let letter = char::from(ALPHABET[value as usize]);
            text.push(if digit <= chunk.len() { letter } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_vectors_of_rfc_4648_hold() {
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (plain, text) in vectors {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text.as_bytes()).unwrap(), plain.as_bytes());
        }
        for bad in ["Z", "Zg", "Zg=", "Zh==", "Zg==Zg==", "Z===", "====", "Zm 8", "Zm8-", "=Zg="] {
            assert_eq!(decode(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn decoding_what_was_encoded_is_identity(octets in prop::collection::vec(any::<u8>(), 0..50)) {
            prop_assert_eq!(decode(encode(&octets).as_bytes()), Some(octets));
        }

        #[test]
        fn any_octets_are_base64_or_not(text in prop::collection::vec(any::<u8>(), 0..50)) {
            let _ = decode(&text);
        }
    }
}
