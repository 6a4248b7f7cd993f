//! Converts record data between Route 53's value syntax and wire bytes (Developer Guide, "Supported
//! DNS record types").
//!
//! [`text`] splits a value into tokens, [`fields`] reads wire bytes. Each family of types has its
//! own file with `parse_*`, which reads tokens, and `print_*`, which reads fields. Names in values
//! are uncompressed and keep their case.

mod address;
mod fields;
mod host;
mod naptr;
mod security;
mod soa;
mod strings;
mod svcb;
mod text;

use std::fmt;

use self::fields::Fields;
use self::text::Tokens;
use super::{RecordData, RecordType};

/// The longest value (API RData).
const MAX_VALUE_CHARACTERS: usize = 4000;

/// Why a string is not a valid value of its record type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DataError {
    /// What is wrong.
    pub message: String,
    /// What to write instead, if there is a suggestion.
    pub hint: Option<String>,
    /// The first wrong character, if the error is about single characters.
    pub character: Option<char>,
}

impl DataError {
    fn new(message: impl Into<String>) -> DataError {
        DataError { message: message.into(), hint: None, character: None }
    }

    fn with_hint(self, hint: impl Into<String>) -> DataError {
        DataError { hint: Some(hint.into()), ..self }
    }

    /// Adds a hint if there is none.
    fn or_hint(self, hint: &str) -> DataError {
        if self.hint.is_some() { self } else { self.with_hint(hint) }
    }
}

impl RecordData {
    /// Parses a value in Route 53's text form.
    pub fn parse(record_type: RecordType, text: &str) -> Result<RecordData, DataError> {
        let length = text.chars().count();
        if length > MAX_VALUE_CHARACTERS {
            return Err(DataError::new(format!(
                "the value is too long: {length} characters, at most {MAX_VALUE_CHARACTERS} are allowed"
            )));
        }
        if matches!(record_type, RecordType::Txt | RecordType::Spf) && is_without_quotes(text) {
            let quoted = strings::quoted(text.trim());
            let hint = if quoted.contains('\'') {
                format!("write {quoted}; in a file \"{}\"", quoted.replace('\\', "\\\\").replace('"', "\\\""))
            } else {
                format!("write '{quoted}', with both kinds of quotation marks")
            };
            return Err(DataError::new("the value should be enclosed in quotation marks").with_hint(hint));
        }
        let mut tokens = Tokens::new(text);
        let wire = parse_tokens(record_type, &mut tokens).and_then(|wire| tokens.end().map(|()| wire));
        match wire {
            Ok(wire) => Ok(RecordData::new(record_type, wire).read_from(text)),
            // Report all of them, so that the user does not find them one at a time.
            Err(error) if error.character.is_some() => Err(text::unsupported_characters(text)),
            Err(error) => Err(error.or_hint(form(record_type))),
        }
    }

    /// The value in Route 53's canonical text form. [`RecordData::parse`] gives an equal value.
    pub fn to_text(&self) -> String {
        let mut fields = Fields::new(self.wire());
        match self.record_type() {
            RecordType::A => address::print_a(&mut fields),
            RecordType::Aaaa => address::print_aaaa(&mut fields),
            RecordType::Cname | RecordType::Ns | RecordType::Ptr => host::print_name(&mut fields),
            RecordType::Mx => host::print_mx(&mut fields),
            RecordType::Srv => host::print_srv(&mut fields),
            RecordType::Txt | RecordType::Spf => strings::print_txt(&mut fields),
            RecordType::Soa => soa::print_soa(&mut fields),
            RecordType::Naptr => naptr::print_naptr(&mut fields),
            RecordType::Caa => security::print_caa(&mut fields),
            RecordType::Ds => security::print_ds(&mut fields),
            RecordType::Tlsa => security::print_tlsa(&mut fields),
            RecordType::Sshfp => security::print_sshfp(&mut fields),
            RecordType::Svcb | RecordType::Https => svcb::print_svcb(&mut fields),
        }
    }
}

/// The same as [`RecordData::to_text`].
impl fmt::Display for RecordData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

fn parse_tokens(record_type: RecordType, tokens: &mut Tokens<'_>) -> Result<Vec<u8>, DataError> {
    match record_type {
        RecordType::A => address::parse_a(tokens),
        RecordType::Aaaa => address::parse_aaaa(tokens),
        RecordType::Cname | RecordType::Ns | RecordType::Ptr => host::parse_name(tokens),
        RecordType::Mx => host::parse_mx(tokens),
        RecordType::Srv => host::parse_srv(tokens),
        RecordType::Txt | RecordType::Spf => strings::parse_txt(tokens),
        RecordType::Soa => soa::parse_soa(tokens),
        RecordType::Naptr => naptr::parse_naptr(tokens),
        RecordType::Caa => security::parse_caa(tokens),
        RecordType::Ds => security::parse_ds(tokens),
        RecordType::Tlsa => security::parse_tlsa(tokens),
        RecordType::Sshfp => security::parse_sshfp(tokens),
        RecordType::Svcb | RecordType::Https => svcb::parse_svcb(tokens),
    }
}

/// True for a value that only lacks quotation marks. The hint is then the corrected value.
fn is_without_quotes(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains('"')
}

/// The form of a value of the type: the hint when there is no better one.
fn form(record_type: RecordType) -> &'static str {
    match record_type {
        RecordType::A => "an A value is one address, such as `192.0.2.1`",
        RecordType::Aaaa => "an AAAA value is one address, such as `2001:db8::1`",
        RecordType::Cname => "a CNAME value is one name, such as `www.lab.test.`",
        RecordType::Ns => "an NS value is one name, such as `ns1.lab.test.`",
        RecordType::Ptr => "a PTR value is one name, such as `host.lab.test.`",
        RecordType::Mx => "an MX value is `priority name`, such as `10 mail.lab.test.`",
        RecordType::Srv => "an SRV value is `priority weight port target`, such as `1 10 5060 sip.lab.test.`",
        RecordType::Txt => "a TXT value is one or more strings in quotation marks, such as `\"a string\"`",
        RecordType::Spf => "an SPF value is one or more strings in quotation marks, such as `\"v=spf1 -all\"`",
        RecordType::Soa => {
            "an SOA value is `name-server mail-address serial refresh retry expire minimum`, such as \
             `ns1.lab.test. hostmaster.lab.test. 1 7200 900 1209600 86400`"
        }
        RecordType::Naptr => {
            "a NAPTR value is `order preference \"flags\" \"service\" \"regexp\" replacement`, such as \
             `100 50 \"s\" \"SIP+D2U\" \"\" _sip._udp.lab.test.`"
        }
        RecordType::Caa => "a CAA value is `flags tag \"value\"`, such as `0 issue \"ca.lab.test\"`",
        RecordType::Ds => "a DS value is `key-tag algorithm digest-type digest`, such as `60485 13 2 d4b7…`",
        RecordType::Tlsa => "a TLSA value is `usage selector matching-type data`, such as `3 1 1 d2ab…`",
        RecordType::Sshfp => "an SSHFP value is `algorithm type fingerprint`, such as `4 2 123a…`",
        RecordType::Svcb => "an SVCB value is `priority target [parameters]`, such as `1 lab.test. alpn=\"h2,h3\"`",
        RecordType::Https => "an HTTPS value is `priority target [parameters]`, such as `1 . alpn=\"h2,h3\"`",
    }
}

#[cfg(test)]
mod tests;
