//! DNS cookies: makes and checks server cookies (RFC 7873), in the layout that servers of different
//! vendors share (RFC 9018).
//!
//! A valid server cookie shows that the client gets what is sent to its address, so its address is
//! not forged.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};
use siphasher::sip::SipHasher24;
use subtle::ConstantTimeEq as _;

use super::edns::{COOKIE_OCTETS, CookieOption};
use crate::answer::Timestamp;
use crate::cookie_secrets::{CookieSecret, CookieSecrets};

/// RFC 9018 section 4.1.
const VERSION: u8 = 1;
/// RFC 9018 section 4.3: cookies are valid for an hour, and for five minutes before they were made,
/// since clocks differ.
const OLDEST_S: i32 = 60 * 60;
const EARLIEST_S: i32 = -5 * 60;
/// RFC 9018 section 4.3: older cookies are replaced. Those of a secret that is not active are too.
const RENEWED_AFTER_S: i32 = 30 * 60;

/// The secrets of all workers. They can be replaced while the server runs.
#[derive(Clone, Debug)]
pub struct Cookies(Arc<ArcSwap<CookieSecrets>>);

/// The secrets as one worker sees them.
pub(super) struct CookieChecker(Cache<Arc<ArcSwap<CookieSecrets>>, Arc<CookieSecrets>>);

/// What a response says about the cookie of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CheckedCookie {
    /// The client cookie and a server cookie.
    pub(super) octets: [u8; COOKIE_OCTETS],
    /// Whether the request had a valid server cookie.
    pub(super) is_valid: bool,
}

impl Cookies {
    /// Cookies with these secrets.
    pub fn new(secrets: CookieSecrets) -> Cookies {
        Cookies(Arc::new(ArcSwap::from_pointee(secrets)))
    }

    /// Replaces the secrets. The next query uses them.
    pub fn replace(&self, secrets: CookieSecrets) {
        self.0.store(Arc::new(secrets));
    }

    /// The part of another worker.
    pub(super) fn worker(&self) -> CookieChecker {
        CookieChecker(Cache::new(Arc::clone(&self.0)))
    }
}

impl CookieChecker {
    /// Checks the cookie of a client at `address`.
    pub(super) fn check(&mut self, cookie: &CookieOption<'_>, address: IpAddr, at: Timestamp) -> CheckedCookie {
        let secrets = self.0.load();
        // The timestamp of RFC 9018 section 4.3 has 32 bits and wraps in 2106.
        #[expect(clippy::cast_possible_truncation, reason = "it wraps")]
        let now = at.0.as_secs() as u32;
        match validity(cookie, address, secrets, now) {
            Validity::Fresh(octets) => CheckedCookie { octets, is_valid: true },
            validity => {
                let start = start_of(*cookie.client, now);
                let is_valid = matches!(validity, Validity::Old);
                CheckedCookie { octets: signed(start, address, secrets.active()), is_valid }
            }
        }
    }
}

enum Validity {
    /// It stays as it is.
    Fresh([u8; COOKIE_OCTETS]),
    /// It is valid, and replaced.
    Old,
    Invalid,
}

fn validity(cookie: &CookieOption<'_>, address: IpAddr, secrets: &CookieSecrets, now: u32) -> Validity {
    let Some(octets) = cookie.octets() else { return Validity::Invalid };
    let (start, hash) = octets.split_first_chunk().expect("it starts with the octets before the hash");
    let hash = u64::from_le_bytes(hash.try_into().expect("it ends with the hash"));
    let made = u32::from_be_bytes([start[12], start[13], start[14], start[15]]);
    // Serial number arithmetic (RFC 1982).
    let age = now.wrapping_sub(made).cast_signed();
    if start[8] != VERSION || !(EARLIEST_S..=OLDEST_S).contains(&age) {
        return Validity::Invalid;
    }
    let is_made_by = |secret: &CookieSecret| bool::from(hash_of(start, address, secret).ct_eq(&hash));
    match secrets.all().find(|secret| is_made_by(secret)) {
        Some(secret) if secret == secrets.active() && age <= RENEWED_AFTER_S => Validity::Fresh(octets),
        Some(_) => Validity::Old,
        None => Validity::Invalid,
    }
}

/// The octets before the hash: client cookie, version, reserved, timestamp.
const START_OCTETS: usize = 16;

fn start_of(client: [u8; 8], now: u32) -> [u8; START_OCTETS] {
    let mut start = [0; START_OCTETS];
    start[..8].copy_from_slice(&client);
    // The reserved octets are 0.
    start[8] = VERSION;
    start[12..].copy_from_slice(&now.to_be_bytes());
    start
}

/// Appends the hash.
fn signed(start: [u8; START_OCTETS], address: IpAddr, secret: &CookieSecret) -> [u8; COOKIE_OCTETS] {
    let mut cookie = [0; COOKIE_OCTETS];
    cookie[..START_OCTETS].copy_from_slice(&start);
    cookie[START_OCTETS..].copy_from_slice(&hash_of(&start, address, secret).to_le_bytes());
    cookie
}

/// RFC 9018 section 4.4: SipHash-2-4 of the octets before the hash and the address.
fn hash_of(start: &[u8; START_OCTETS], address: IpAddr, secret: &CookieSecret) -> u64 {
    let mut hashed = [0; START_OCTETS + 16];
    hashed[..START_OCTETS].copy_from_slice(start);
    let octets = match address {
        IpAddr::V4(address) => {
            hashed[START_OCTETS..START_OCTETS + 4].copy_from_slice(&address.octets());
            START_OCTETS + 4
        }
        IpAddr::V6(address) => {
            hashed[START_OCTETS..].copy_from_slice(&address.octets());
            START_OCTETS + 16
        }
    };
    SipHasher24::new_with_key(secret.octets()).hash(&hashed[..octets])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";

    fn octets(digits: &str) -> Vec<u8> {
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    }

    fn check(secrets: &str, cookie: &[u8], address: &str, at: u64) -> CheckedCookie {
        let cookies = Cookies::new(CookieSecrets::parse(secrets).unwrap());
        let cookie = CookieOption::read(cookie).unwrap();
        cookies.worker().check(&cookie, address.parse().unwrap(), Timestamp(Duration::from_secs(at)))
    }

    /// RFC 9018 appendix A.
    #[test]
    fn the_test_vectors_of_rfc_9018() {
        let old_and_new = "445536bcd2513298075a5d379663c962\ndd3bdf9344b678b185a6f5cb60fca715";
        let vectors = [
            // A.1: a new server cookie.
            (
                SECRET,
                "198.51.100.100",
                1_559_731_985,
                ("2464c4abcf10c957", false),
                "2464c4abcf10c957010000005cf79f111f8130c3eee29480",
            ),
            // A.2: the same client, 40 minutes later.
            (
                SECRET,
                "198.51.100.100",
                1_559_734_385,
                ("2464c4abcf10c957010000005cf79f111f8130c3eee29480", true),
                "2464c4abcf10c957010000005cf7a871d4a564a1442aca77",
            ),
            // A.3: another client. Its cookie is too old by then.
            (
                SECRET,
                "203.0.113.203",
                1_559_734_700,
                ("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", false),
                "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e",
            ),
            // A.4: IPv6, made with the previous secret.
            (
                old_and_new,
                "2001:db8:220:1:59de:d0f4:8769:82b8",
                1_559_741_961,
                ("22681ab97d52c298010000005cf7c57926556bd0934c72f8", true),
                "22681ab97d52c298010000005cf7c609a6bb79d16625507a",
            ),
        ];
        for (secrets, address, at, (request, is_valid), response) in vectors {
            let checked = check(secrets, &octets(request), address, at);
            assert_eq!((checked.is_valid, checked.octets.as_slice()), (is_valid, &*octets(response)), "{request}");
        }
        // The reserved bits of A.3 are set: they count in the hash, and are otherwise ignored.
        let request = octets("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5");
        assert!(check(SECRET, &request, "203.0.113.203", 1_559_728_045).is_valid);
    }

    #[test]
    fn a_cookie_is_valid_for_an_hour_also_when_the_timestamp_wraps() {
        for now in [1_700_000_000u64, u64::from(u32::MAX) - 10, u64::from(u32::MAX) + 20, 1 << 31] {
            let made = |at: u64| check(SECRET, &[7; 8], "192.0.2.1", at).octets;
            let check = |cookie: &[u8]| check(SECRET, cookie, "192.0.2.1", now);
            for (age, is_valid, is_renewed) in
                [(0, true, false), (1800, true, false), (1801, true, true), (3600, true, true), (3601, false, true)]
            {
                let checked = check(&made(now - age));
                assert_eq!(
                    (checked.is_valid, checked.octets == made(now)),
                    (is_valid, is_renewed || age == 0),
                    "{age}"
                );
            }
            assert_eq!([300, 301].map(|early| check(&made(now + early)).is_valid), [true, false]);
        }
    }

    proptest! {
        #[test]
        fn a_cookie_is_for_one_client_at_one_address(
            client: [u8; 8], address: IpAddr, other: IpAddr, bit in 0..8 * COOKIE_OCTETS, second: u32,
        ) {
            let check = |cookie: &[u8], address: IpAddr| check(SECRET, cookie, &address.to_string(), second.into());
            let made = check(&client, address);
            prop_assert!(!made.is_valid && made.octets[..8] == client);
            prop_assert_eq!(check(&made.octets, address), CheckedCookie { is_valid: true, ..made });
            prop_assert_eq!(check(&made.octets, other).is_valid, address == other);
            let mut damaged = made.octets;
            damaged[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!check(&damaged, address).is_valid);
        }
    }

    #[test]
    fn only_the_secrets_in_force_count() {
        let [old, new] = ["dd3bdf9344b678b185a6f5cb60fca715", "445536bcd2513298075a5d379663c962"];
        let made = |secrets: &str| check(secrets, &[7; 8], "192.0.2.1", 1_700_000_000);
        let is_valid =
            |secrets: &str, cookie: &CheckedCookie| check(secrets, &cookie.octets, "192.0.2.1", 1_700_000_000).is_valid;
        let before = made(old);
        assert_eq!(made(&format!("{old}\n{new}")), before);
        assert_eq!(made(&format!("{new}\n{old}")), made(new));
        for (secrets, expected) in
            [(format!("{old}\n{new}"), true), (format!("{new}\n{old}"), true), (new.to_owned(), false)]
        {
            assert_eq!(is_valid(&secrets, &before), expected);
        }
        let cookies = Cookies::new(CookieSecrets::parse(old).unwrap());
        let mut worker = cookies.worker();
        cookies.replace(CookieSecrets::parse(new).unwrap());
        let address = "192.0.2.1".parse().unwrap();
        let cookie = CookieOption::read(&before.octets).unwrap();
        assert!(!worker.check(&cookie, address, Timestamp(Duration::from_secs(1_700_000_000))).is_valid);
    }
}
