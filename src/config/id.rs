//! Derives ids from names: the same kind and name (for zones, also VPCs) always give the same id,
//! on every machine.
//!
//! The hash is implemented here because the standard library's may change between releases.

use crate::model::{CidrCollectionId, HealthCheckId, HostedZoneId, Name, VpcId};

/// FNV-1a for 128 bits: offset basis and prime (draft-eastlake-fnv, section 5).
const OFFSET_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// The digits of a zone id: five bits each.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";

/// Twenty digits after the `Z`: 100 bits, well within Route 53's 32 characters.
const ZONE_DIGITS: u32 = 20;

/// The id of a zone that has no `id`. For a private zone it also depends on the VPCs, in any order,
/// because the same name can have several private zones.
pub(super) fn zone_id(name: &Name, vpcs: &[VpcId]) -> HostedZoneId {
    let mut vpcs: Vec<&str> = vpcs.iter().map(|vpc| vpc.0.as_str()).collect();
    vpcs.sort_unstable();
    let name = name.to_string();
    let parts = std::iter::once(name.as_str()).chain(vpcs);
    let hash = hash("hosted zone", parts);
    let digit = |at: u32| char::from(DIGITS[usize::from((hash >> (5 * at)) as u8 & 31)]);
    HostedZoneId(std::iter::once('Z').chain((0..ZONE_DIGITS).map(digit)).collect())
}

/// The id of a health check that has no `id`.
pub(super) fn health_check_id(name: &str) -> HealthCheckId {
    HealthCheckId(uuid(hash("health check", [name])))
}

/// The id of a CIDR collection that has no `id`.
pub(super) fn collection_id(name: &str) -> CidrCollectionId {
    CidrCollectionId(uuid(hash("cidr collection", [name])))
}

/// The id of a VPC that has only a name.
pub(super) fn vpc_id(name: &str) -> VpcId {
    // AWS writes seventeen hexadecimal digits.
    VpcId(format!("vpc-{:017x}", hash("vpc", [name]) & ((1 << 68) - 1)))
}

/// True for `Z` and up to 31 capitals and digits (API ResourceId; lengths from samples).
pub(super) fn is_zone_id(text: &str) -> bool {
    let rest = text.strip_prefix('Z').unwrap_or_default();
    (1..=31).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// True for `N` and up to 31 capitals and digits.
pub(super) fn is_delegation_set_id(text: &str) -> bool {
    let rest = text.strip_prefix('N').unwrap_or_default();
    (1..=31).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// True for the id of a VPC as AWS makes them: eight or seventeen hexadecimal digits (EC2 User
/// Guide, "Resource IDs").
pub(super) fn is_vpc_id(text: &str) -> bool {
    let digits = text.strip_prefix("vpc-").unwrap_or_default();
    matches!(digits.len(), 8 | 17) && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// True for a lower-case UUID.
pub(super) fn is_uuid(text: &str) -> bool {
    let dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    let fits = |(at, octet): (usize, u8)| match octet {
        b'-' => dash(at),
        b'0'..=b'9' | b'a'..=b'f' => !dash(at),
        _ => false,
    };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

/// A zero byte follows each part, so that different lists of parts never give the same bytes.
fn hash<'p>(kind: &'p str, parts: impl IntoIterator<Item = &'p str>) -> u128 {
    let parts = std::iter::once(kind).chain(parts);
    let bytes = parts.flat_map(|part| part.bytes().chain([0]));
    bytes.fold(OFFSET_BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

/// A UUID of version 8, custom (RFC 9562 section 5.8).
fn uuid(hash: u128) -> String {
    let versioned = hash & !(0xf << 76) | 0x8 << 76;
    let marked = versioned & !(0x3 << 62) | 0x2 << 62;
    let hex = format!("{marked:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_never_change() {
        // Changing these breaks every Terraform state that refers to them.
        let name = Name::parse("lab.test").unwrap();
        assert_eq!(zone_id(&name, &[]).0, "ZLDDU2RSNVT7JN4IQO0EG");
        assert_eq!(health_check_id("blue").0, "c0d5d065-f366-8aa0-8c68-0205d99f687f");
        assert_eq!(collection_id("offices").0, "07a5824f-0ad7-8731-bed3-31508d7ca01c");
        assert_eq!(vpc_id("lab").0, "vpc-d203a5e5b5512e68d");
    }

    #[test]
    fn made_ids_have_the_form_that_is_asked_of_written_ones() {
        let name = Name::parse("lab.test").unwrap();
        assert!(is_zone_id(&zone_id(&name, &[]).0));
        assert!(is_uuid(&health_check_id("blue").0));
        assert!(!is_uuid("11111111-1111-1111-1111-11111111111G"));
        assert!(!is_zone_id("Z"));
        assert!(!is_zone_id("z123"));
        assert!(is_vpc_id(&vpc_id("lab").0) && is_vpc_id("vpc-0123abcd"));
        assert!(!is_vpc_id("vpc-lab1") && !is_vpc_id("vpc-0123ABCD") && !is_vpc_id("vpc-0123abcde"));
    }

    #[test]
    fn kind_name_and_vpcs_tell_ids_apart() {
        let name = Name::parse("lab.test").unwrap();
        let (a, b) = (VpcId("vpc-a".to_owned()), VpcId("vpc-b".to_owned()));
        assert_ne!(zone_id(&name, &[]), zone_id(&name, std::slice::from_ref(&a)));
        assert_eq!(zone_id(&name, &[a.clone(), b.clone()]), zone_id(&name, &[b, a]));
        assert_ne!(health_check_id("blue").0, collection_id("blue").0);
        assert_ne!(health_check_id("blue"), health_check_id("green"));
    }
}
