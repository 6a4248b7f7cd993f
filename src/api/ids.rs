//! New ids of objects and changes.

use std::fmt::Write as _;

use ring::rand::{SecureRandom, SystemRandom};

use super::errors::{ApiError, Code};

const ID_CHARACTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// As many as Route 53's own ids have after their first letter.
const ID_LENGTH: usize = 20;

/// An id without the prefix with which some clients send it, such as `/hostedzone/`.
pub(crate) fn bare(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

/// A new id of a hosted zone.
pub(crate) fn hosted_zone() -> Result<String, ApiError> {
    letters_and_digits('Z')
}

/// A new id of a reusable delegation set.
pub(super) fn delegation_set() -> Result<String, ApiError> {
    letters_and_digits('N')
}

/// A new id of a change.
pub(super) fn change() -> Result<String, ApiError> {
    letters_and_digits('C')
}

/// A new id of a health check or a CIDR collection: a random UUID (RFC 9562 section 5.4).
pub(super) fn uuid() -> Result<String, ApiError> {
    let mut octets: [u8; 16] = random()?;
    octets[6] = octets[6] & 0x0f | 0x40;
    octets[8] = octets[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, octet) in octets.iter().enumerate() {
        let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
        let _ = write!(text, "{dash}{octet:02x}");
    }
    Ok(text)
}

fn letters_and_digits(first: char) -> Result<String, ApiError> {
    // Of 64 bits modulo 36, no character is noticeably more frequent than another.
    let random: [u8; ID_LENGTH * 8] = random()?;
    let character = |chunk: &[u8]| {
        let number = chunk.iter().fold(0, |number: u64, octet| number << 8 | u64::from(*octet));
        let index = number % ID_CHARACTERS.len() as u64;
        char::from(ID_CHARACTERS[usize::try_from(index).expect("it is below 36")])
    };
    Ok(std::iter::once(first).chain(random.chunks_exact(8).map(character)).collect())
}

fn random<const N: usize>() -> Result<[u8; N], ApiError> {
    let mut octets = [0; N];
    let filled = SystemRandom::new().fill(&mut octets);
    filled.map_err(|_| ApiError::new(Code::InternalFailure, "the operating system has no random numbers"))?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_of_route_53s() {
        let (zone, change, uuid) = (hosted_zone().unwrap(), change().unwrap(), uuid().unwrap());
        assert!(zone.starts_with('Z') && change.starts_with('C'));
        for id in [&zone, &change] {
            assert!(id.len() == 21 && id.bytes().all(|octet| ID_CHARACTERS.contains(&octet)), "{id}");
        }
        assert_eq!(uuid.len(), 36);
        assert_eq!((&uuid[14..15], uuid.split('-').count()), ("4", 5), "{uuid}");
        assert_ne!(zone, hosted_zone().unwrap());
    }
}
