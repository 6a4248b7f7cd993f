//! EDNS (RFC 6891): the OPT record of a request, and the options of its response.
//!
//! To add an option, add a field to [`RequestOptions`] if requests carry it, and a variant of
//! [`ResponseOption`] if responses do. Neither `decode` nor `encode` knows single options.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use arrayvec::ArrayVec;

use crate::answer::ClientSubnet;
use crate::model::PrefixLength;

/// The type of the OPT record.
pub(super) const TYPE_OPT: u16 = 41;

/// RFC 5001.
const OPTION_NSID: u16 = 3;
/// RFC 7871.
const OPTION_CLIENT_SUBNET: u16 = 8;
/// RFC 7873.
const OPTION_COOKIE: u16 = 10;
/// RFC 7828.
const OPTION_KEEPALIVE: u16 = 11;
/// RFC 8914.
const OPTION_EXTENDED_ERROR: u16 = 15;

/// A client cookie, and a server cookie of RFC 9018.
pub(super) const COOKIE_OCTETS: usize = 8 + 16;

/// The index of the SCOPE PREFIX-LENGTH in a client subnet option.
const SCOPE_INDEX: usize = 3;
/// How many options `peek_client_subnet` searches.
const MAX_PEEKED_OPTIONS: usize = 8;

/// How to treat EDNS Client Subnet (RFC 7871).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientSubnetUse {
    /// The option locates the client, and the response contains the network that it is valid for.
    #[default]
    Use,
    /// The option is ignored like an unknown one: the address of the resolver decides, and the
    /// response does not contain the option.
    Ignore,
}

/// The OPT record of a request.
#[derive(Clone, Debug, Default)]
pub struct Edns<'p> {
    /// The largest UDP response that the client accepts, as received.
    pub payload_size: u16,
    /// The DO bit.
    pub dnssec_ok: bool,
    /// The options that this server knows.
    pub options: RequestOptions<'p>,
}

/// The options of a request that this server knows. Unknown options are ignored (RFC 6891 section
/// 6.1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestOptions<'p> {
    /// Whether the client requests the server identifier (RFC 5001).
    pub nsid: bool,
    /// The client subnet option, if present. The first of several counts.
    pub client_subnet: Option<SubnetOption<'p>>,
    /// The cookie option, if present. The first of several counts (RFC 7873 section 5.2).
    pub cookie: Option<CookieOption<'p>>,
    /// Whether the client asks how long a TCP connection may be idle (RFC 7828).
    pub keepalive: bool,
}

/// An option with content that its RFC does not allow, or whose length exceeds the OPT record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MalformedOption;

impl<'p> RequestOptions<'p> {
    /// Reads the data of an OPT record. After an error, the options before the malformed one are
    /// known.
    pub(super) fn read(&mut self, data: &'p [u8]) -> Result<(), MalformedOption> {
        let mut rest = data;
        while !rest.is_empty() {
            let (code, data, others) = split_option(rest).ok_or(MalformedOption)?;
            match code {
                OPTION_NSID => self.nsid = true,
                OPTION_CLIENT_SUBNET if self.client_subnet.is_none() => {
                    self.client_subnet = Some(SubnetOption::read(data).ok_or(MalformedOption)?);
                }
                OPTION_KEEPALIVE => self.keepalive = true,
                OPTION_COOKIE if self.cookie.is_none() => {
                    self.cookie = Some(CookieOption::read(data).ok_or(MalformedOption)?);
                }
                _ => {}
            }
            rest = others;
        }
        Ok(())
    }
}

/// The first option: its code, its data, and what follows.
fn split_option(options: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (&[code_high, code_low, length_high, length_low], rest) = options.split_first_chunk::<4>()?;
    let (data, others) = rest.split_at_checked(usize::from(u16::from_be_bytes([length_high, length_low])))?;
    Some((u16::from_be_bytes([code_high, code_low]), data, others))
}

/// The client subnet among the first options of an OPT record, if it is well formed. The rest of
/// the options is not validated.
pub(super) fn peek_client_subnet(options: &[u8]) -> Option<ClientSubnet> {
    let mut options = options;
    for _ in 0..MAX_PEEKED_OPTIONS {
        let (code, data, others) = split_option(options)?;
        if code == OPTION_CLIENT_SUBNET {
            return SubnetOption::read(data)?.network();
        }
        options = others;
    }
    None
}

/// A well-formed client subnet option (RFC 7871 section 6): FAMILY, SOURCE PREFIX-LENGTH, SCOPE
/// PREFIX-LENGTH and ADDRESS as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubnetOption<'p> {
    data: &'p [u8],
}

impl<'p> SubnetOption<'p> {
    /// RFC 7871 section 6: the scope of a query is 0, the address has exactly the octets that the
    /// prefix needs, and no bit after the prefix is set. `dig +subnet=0` sends family 0 without an
    /// address, which gives no location.
    pub(super) fn read(data: &'p [u8]) -> Option<SubnetOption<'p>> {
        let [family_high, family_low, source_prefix, scope_prefix, address @ ..] = data else {
            return None;
        };
        let most_bits = match (family_high, family_low) {
            (0, 0) => 0,
            (0, 1) => 32,
            (0, 2) => 128,
            _ => return None,
        };
        let fits = *source_prefix <= most_bits && address.len() == usize::from(source_prefix.div_ceil(8));
        let unused_bits = (8 - source_prefix % 8) % 8;
        let clean = address.last().is_none_or(|last| last.trailing_zeros() >= u32::from(unused_bits));
        (*scope_prefix == 0 && fits && clean).then_some(SubnetOption { data })
    }

    /// SOURCE PREFIX-LENGTH.
    pub fn source_prefix(self) -> PrefixLength {
        PrefixLength(self.data[2])
    }

    /// The largest scope in this family.
    fn max_scope(self) -> PrefixLength {
        match self.data[1] {
            1 => PrefixLength::IPV4,
            2 => PrefixLength::IPV6,
            _ => PrefixLength::ZERO,
        }
    }

    /// The network; `None` if the option gives no location (RFC 7871 section 7.1.2).
    pub fn network(self) -> Option<ClientSubnet> {
        if self.source_prefix() == PrefixLength::ZERO {
            return None;
        }
        let mut octets = [0; 16];
        octets[..self.data.len() - 4].copy_from_slice(&self.data[4..]);
        let address = match self.data[1] {
            1 => IpAddr::V4(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3])),
            _ => IpAddr::V6(Ipv6Addr::from(octets)),
        };
        Some(ClientSubnet { address, source_prefix: self.source_prefix() })
    }
}

/// A well-formed cookie option (RFC 7873 section 4): a client cookie, and a server cookie if the
/// client has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CookieOption<'p> {
    pub(super) client: &'p [u8; 8],
    /// Empty if the client has none.
    pub(super) server: &'p [u8],
}

impl<'p> CookieOption<'p> {
    /// RFC 7873 section 5.2.2: the option has 8 octets, or from 16 to 40.
    pub(super) fn read(data: &'p [u8]) -> Option<CookieOption<'p>> {
        let (client, server) = data.split_first_chunk()?;
        matches!(server.len(), 0 | 8..=32).then_some(CookieOption { client, server })
    }

    /// Both cookies, if the server cookie has the length of RFC 9018.
    pub(super) fn octets(&self) -> Option<[u8; COOKIE_OCTETS]> {
        let server: &[u8; 16] = self.server.try_into().ok()?;
        let mut octets = [0; COOKIE_OCTETS];
        octets[..8].copy_from_slice(self.client);
        octets[8..].copy_from_slice(server);
        Some(octets)
    }
}

/// Why there is no answer (RFC 8914 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum ExtendedError {
    /// The server has no zone with this name (4.21).
    NotAuthoritative = 20,
    /// The server does not do what the query asks for (4.22).
    NotSupported = 21,
    /// The server has the zone, but its file is not usable (4.25).
    InvalidData = 24,
}

/// An option of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseOption<'o> {
    /// The client subnet as received, with the scope of the answer (RFC 7871 section 7.2.1).
    ClientSubnet(SubnetOption<'o>, PrefixLength),
    /// The client cookie as received and a server cookie.
    Cookie(&'o [u8; COOKIE_OCTETS]),
    /// How long a TCP connection may be idle, in units of 100 ms (RFC 7828 section 3.1).
    Keepalive([u8; 2]),
    /// INFO-CODE (RFC 8914 section 2), without a text.
    ExtendedError([u8; 2]),
    /// The server identifier.
    Nsid(&'o [u8]),
}

impl<'o> ResponseOption<'o> {
    /// OPTION-CODE.
    pub(super) fn code(&self) -> u16 {
        match self {
            ResponseOption::ClientSubnet(..) => OPTION_CLIENT_SUBNET,
            ResponseOption::Cookie(_) => OPTION_COOKIE,
            ResponseOption::Keepalive(_) => OPTION_KEEPALIVE,
            ResponseOption::ExtendedError(_) => OPTION_EXTENDED_ERROR,
            ResponseOption::Nsid(_) => OPTION_NSID,
        }
    }

    /// OPTION-LENGTH.
    pub(super) fn octets(&self) -> usize {
        self.source().len()
    }

    /// Writes OPTION-DATA, for which `data` has exactly the space.
    pub(super) fn write(&self, data: &mut [u8]) {
        data.copy_from_slice(self.source());
        if let ResponseOption::ClientSubnet(subnet, scope) = *self {
            // Without a location the scope is 0.
            data[SCOPE_INDEX] =
                if subnet.source_prefix() == PrefixLength::ZERO { 0 } else { scope.min(subnet.max_scope()).0 };
        }
    }

    fn source(&self) -> &[u8] {
        match self {
            ResponseOption::ClientSubnet(subnet, _) => subnet.data,
            ResponseOption::Cookie(cookie) => cookie.as_slice(),
            ResponseOption::Keepalive(two) | ResponseOption::ExtendedError(two) => two,
            ResponseOption::Nsid(identifier) => identifier,
        }
    }
}

/// What the options of a response say.
#[derive(Clone, Copy, Debug, Default)]
pub struct OptionValues<'o> {
    /// The scope of the answer.
    pub scope: PrefixLength,
    /// The client cookie and a server cookie, if the request has a cookie and cookies are on.
    pub cookie: Option<&'o [u8; COOKIE_OCTETS]>,
    /// How long the connection may be idle, in units of 100 ms; `None` over UDP.
    pub idle_timeout: Option<u16>,
    /// Why there is no answer.
    pub error: Option<ExtendedError>,
    /// The server identifier; empty if the server has none.
    pub nsid: &'o [u8],
}

/// The options of a response, the most important first: if there is no space for all, the last are
/// left out.
#[derive(Clone, Debug, Default)]
pub struct ResponseOptions<'o>(ArrayVec<ResponseOption<'o>, { ResponseOptions::MOST }>);

impl<'o> ResponseOptions<'o> {
    /// The number of options, if all are present: one of each kind.
    const MOST: usize = 5;

    /// The options of the response to a request with these options.
    #[cfg(test)]
    pub fn to(request: &RequestOptions<'o>, values: &OptionValues<'o>) -> ResponseOptions<'o> {
        let mut options = ResponseOptions::default();
        options.respond_to(request, values);
        options
    }

    /// Adds the options of the response to a request with these options.
    #[inline]
    pub(super) fn respond_to(&mut self, request: &RequestOptions<'o>, values: &OptionValues<'o>) {
        if let Some(cookie) = values.cookie {
            self.push_cookie(cookie);
        }
        if let Some(subnet) = request.client_subnet {
            self.0.push(ResponseOption::ClientSubnet(subnet, values.scope));
        }
        if let (true, Some(timeout)) = (request.keepalive, values.idle_timeout) {
            self.0.push(ResponseOption::Keepalive(timeout.to_be_bytes()));
        }
        if let Some(error) = values.error {
            self.0.push(ResponseOption::ExtendedError((error as u16).to_be_bytes()));
        }
        if request.nsid && !values.nsid.is_empty() {
            self.0.push(ResponseOption::Nsid(values.nsid));
        }
    }

    /// Adds a client cookie and a server cookie.
    pub(super) fn push_cookie(&mut self, cookie: &'o [u8; COOKIE_OCTETS]) {
        self.0.push(ResponseOption::Cookie(cookie));
    }

    /// How many options there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The `count` most important options.
    #[inline]
    pub(super) fn first(&self, count: usize) -> impl Iterator<Item = &ResponseOption<'o>> {
        self.0.iter().take(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_subnet_is_exactly_as_rfc_7871_has_it() {
        let read = |data| SubnetOption::read(data).map(SubnetOption::network);
        let network = |address: &str, source_prefix| {
            Some(Some(ClientSubnet { address: address.parse().unwrap(), source_prefix: PrefixLength(source_prefix) }))
        };
        assert_eq!(read(b"\0\x01\x18\0\xc0\0\x02"), network("192.0.2.0", 24));
        assert_eq!(read(b"\0\x01\x11\0\x0a\x35\x80"), network("10.53.128.0", 17));
        assert_eq!(read(b"\0\x02\x20\0\x20\x01\x0d\xb8"), network("2001:db8::", 32));
        assert_eq!(read(b"\0\x01\0\0"), Some(None));
        assert_eq!(read(b"\0\x02\0\0"), Some(None));
        assert_eq!(read(b"\0\0\0\0"), Some(None));
        let bad: [&[u8]; 9] = [
            b"\0\x01\x18\x18\xc0\0\x02",     // a scope in a query
            b"\0\x01\x18\0\xc0\0",           // too few octets
            b"\0\x01\x18\0\xc0\0\x02\0",     // too many
            b"\0\x01\x11\0\x0a\x35\xc0",     // bits beyond the prefix
            b"\0\x01\x21\0\xc0\0\x02\x01\0", // a longer prefix than there are bits
            b"\0\x03\x08\0\x0a",             // an unknown family
            b"\0\0\x08\0\x0a",               // no family, but an address
            b"\x01\x01\0\0",
            b"\0\x01\x18",
        ];
        for data in bad {
            assert_eq!(read(data), None, "{data:?}");
            let length = u8::try_from(data.len()).unwrap();
            let option = [&[0, 8, 0, length], data].concat();
            assert_eq!(RequestOptions::default().read(&option), Err(MalformedOption), "{data:?}");
        }
    }

    #[test]
    fn known_options_are_read_and_others_ignored() {
        let mut options = RequestOptions::default();
        let data = b"\xff\xfe\0\x02hi\0\x03\0\0\0\x08\0\x04\0\0\0\0\0\x08\0\x04\0\x01\0\0";
        assert_eq!(options.read(data), Ok(()));
        let first = SubnetOption { data: &[0; 4] };
        assert_eq!(options, RequestOptions { nsid: true, client_subnet: Some(first), ..RequestOptions::default() });
        for cut in [1, 3, 4, 5, 9, 12] {
            assert_eq!(RequestOptions::default().read(&data[..cut]), Err(MalformedOption), "{cut}");
        }
    }

    #[test]
    fn a_cookie_has_the_lengths_of_rfc_7873() {
        for octets in 0..64usize {
            let is_allowed = octets == 8 || (16..=40).contains(&octets);
            let option = [&[0, 10, 0, u8::try_from(octets).unwrap()], vec![7; octets].as_slice()].concat();
            assert_eq!(RequestOptions::default().read(&option).is_ok(), is_allowed, "{octets}");
        }
    }

    #[test]
    fn the_least_important_option_is_the_last() {
        let subnet = Some(SubnetOption { data: &[0; 4] });
        let request =
            RequestOptions { nsid: true, client_subnet: subnet, keepalive: true, ..RequestOptions::default() };
        let values = OptionValues {
            scope: PrefixLength(24),
            nsid: b"lab-1",
            cookie: Some(&[0; COOKIE_OCTETS]),
            idle_timeout: Some(100),
            error: Some(ExtendedError::NotAuthoritative),
        };
        let options = ResponseOptions::to(&request, &values);
        let codes = |count| options.first(count).map(ResponseOption::code).collect::<Vec<_>>();
        assert_eq!(
            codes(options.len()),
            [OPTION_COOKIE, OPTION_CLIENT_SUBNET, OPTION_KEEPALIVE, OPTION_EXTENDED_ERROR, OPTION_NSID]
        );
        assert_eq!((codes(1), codes(0)), (vec![OPTION_COOKIE], vec![]));
        let values = OptionValues { nsid: b"", cookie: None, idle_timeout: None, error: None, ..values };
        assert_eq!(ResponseOptions::to(&request, &values).len(), 1);
    }
}
