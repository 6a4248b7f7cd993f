//! The types whose data end in a name: CNAME, NS, PTR, MX and SRV.

use super::DataError;
use super::fields::Fields;
use super::text::Tokens;

const SHORT: std::ops::RangeInclusive<u32> = 0..=65_535;

/// CNAME, NS, PTR: `name` (RFC 1035 section 3.3).
pub(super) fn parse_name(tokens: &mut Tokens<'_>) -> Result<Vec<u8>, DataError> {
    tokens.name("name")
}

pub(super) fn print_name(fields: &mut Fields<'_>) -> String {
    fields.name()
}

/// MX: `priority name` (RFC 1035 section 3.3.9); `0 .` takes no mail (RFC 7505).
pub(super) fn parse_mx(tokens: &mut Tokens<'_>) -> Result<Vec<u8>, DataError> {
    let mut wire = tokens.integer::<u16>("priority", SHORT)?.to_be_bytes().to_vec();
    wire.extend(tokens.name("mail server")?);
    Ok(wire)
}

pub(super) fn print_mx(fields: &mut Fields<'_>) -> String {
    format!("{} {}", fields.short(), fields.name())
}

/// SRV: `priority weight port target` (RFC 2782).
pub(super) fn parse_srv(tokens: &mut Tokens<'_>) -> Result<Vec<u8>, DataError> {
    let mut wire = Vec::new();
    for field in ["priority", "weight", "port"] {
        wire.extend(tokens.integer::<u16>(field, SHORT)?.to_be_bytes());
    }
    wire.extend(tokens.name("target")?);
    Ok(wire)
}

pub(super) fn print_srv(fields: &mut Fields<'_>) -> String {
    format!("{} {} {} {}", fields.short(), fields.short(), fields.short(), fields.name())
}

#[cfg(test)]
mod tests {
    use crate::model::RecordType::{Cname, Mx, Ns, Ptr, Srv};
    use crate::model::data::tests::{bad, good};

    #[test]
    fn names_are_absolute_and_keep_their_case() {
        for record_type in [Cname, Ns, Ptr] {
            good(record_type, "Ns1.Lab.test", "Ns1.Lab.test.", b"\x03Ns1\x03Lab\x04test\0");
            good(record_type, "localhost.", "localhost.", b"\x09localhost\0");
            good(record_type, ".", ".", b"\0");
            good(record_type, r"\052.b.test.", r"\052.b.test.", b"\x01*\x01b\x04test\0");
            good(record_type, "*.b.test.", r"\052.b.test.", b"\x01*\x01b\x04test\0");
            good(record_type, r"a\056b.test.", r"a\056b.test.", b"\x03a.b\x04test\0");
            bad(record_type, "", "the name is missing", "");
            bad(record_type, "www", "`www` has no dot", "absolute");
            bad(record_type, "@", "not `@`", "zone's name");
            bad(record_type, "a..test.", "empty label", "");
            bad(record_type, "a.test. b.test.", "unexpected `b.test.`", "");
            bad(record_type, r"a\195.test.", "three octal digits", r"`\303`");
            bad(record_type, "bücher.test.", "octal escape", "Punycode");
            bad(record_type, "\"www.lab.test.\"", "without quotation marks", "");
            bad(record_type, "a\"b.test.", "quotation mark inside", "");
            bad(record_type, &format!("{}.test.", "a".repeat(64)), "longer than 63", "");
        }
    }

    #[test]
    fn an_mx_has_a_priority_and_a_mail_server() {
        good(Mx, "10 mail.lab.test.", "10 mail.lab.test.", b"\0\x0a\x04mail\x03lab\x04test\0");
        good(Mx, "65535\t mail.lab.test", "65535 mail.lab.test.", b"\xff\xff\x04mail\x03lab\x04test\0");
        good(Mx, "0 .", "0 .", b"\0\0\0");
        bad(Mx, "10 mail", "`mail` has no dot", "absolute");
        bad(Mx, "mail.lab.test.", "between 0 and 65535, not `mail.lab.test.`", "10 mail.lab.test.");
        bad(Mx, "10", "the mail server is missing", "10 mail.lab.test.");
        for priority in ["65536", "-1", "+1", "1.0", "99999999999999999999"] {
            bad(Mx, &format!("{priority} mail.lab.test."), "between 0 and 65535", "");
        }
        bad(Mx, "10 mail.lab.test. 20", "unexpected `20`", "");
    }

    #[test]
    fn an_srv_has_three_numbers_and_a_target() {
        good(Srv, "1 2 5060 sip.lab.test.", "1 2 5060 sip.lab.test.", b"\0\x01\0\x02\x13\xc4\x03sip\x03lab\x04test\0");
        bad(Srv, "1 2 sip.lab.test.", "the port must be an integer", "");
        bad(Srv, "1 2 5060", "the target is missing", "");
        bad(Srv, "1 2 65536 sip.lab.test.", "the port must be an integer between 0 and 65535", "");
    }
}
