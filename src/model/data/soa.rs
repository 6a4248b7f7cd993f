//! SOA: the seven fields of a zone's start of authority.

use super::DataError;
use super::fields::Fields;
use super::text::Tokens;

/// `mname rname serial refresh retry expire minimum` (RFC 1035 section 3.3.13).
pub(super) fn parse_soa(tokens: &mut Tokens<'_>) -> Result<Vec<u8>, DataError> {
    let mut wire = tokens.name("primary name server")?;
    wire.extend(mailbox(tokens)?);
    wire.extend(tokens.integer::<u32>("serial", 0..=u32::MAX)?.to_be_bytes());
    // The timers are seconds and share the limit of TTLs (RFC 2181 section 8).
    for field in ["refresh", "retry", "expire", "minimum"] {
        wire.extend(tokens.integer::<u32>(field, 0..=crate::model::MAX_TTL)?.to_be_bytes());
    }
    Ok(wire)
}

/// The mail address of the zone's administrator, with a dot in place of the `@`.
fn mailbox(tokens: &mut Tokens<'_>) -> Result<Vec<u8>, DataError> {
    const FIELD: &str = "mail address";
    let word = tokens.word(FIELD)?;
    if let Some((user, domain)) = word.split_once('@').filter(|(user, domain)| !user.is_empty() && !domain.is_empty()) {
        let (user, domain) = (user.replace('.', r"\056"), domain.trim_end_matches('.'));
        return Err(DataError::new(format!("the {FIELD} `{word}` must be written as a domain name"))
            .with_hint(format!("the `@` becomes a dot: `{user}.{domain}.`")));
    }
    super::text::absolute_name(word, FIELD)
}

pub(super) fn print_soa(fields: &mut Fields<'_>) -> String {
    let names = format!("{} {}", fields.name(), fields.name());
    (0..5).fold(names, |text, _| format!("{text} {}", fields.long()))
}

#[cfg(test)]
mod tests {
    use crate::model::RecordType::Soa;
    use crate::model::data::tests::{bad, good};

    #[test]
    fn an_soa_has_two_names_and_five_numbers() {
        let text = "ns1.lab.test. hostmaster.lab.test. 4294967295 7200 900 1209600 86400";
        let names = b"\x03ns1\x03lab\x04test\0\x0ahostmaster\x03lab\x04test\0";
        let numbers = [u32::MAX, 7200, 900, 1_209_600, 86_400].map(u32::to_be_bytes).concat();
        good(Soa, text, text, &[&names[..], &numbers].concat());
        bad(Soa, "ns1.lab.test. hostmaster.lab.test. 1 7200 900 1209600", "the minimum is missing", "");
        bad(Soa, "ns1.lab.test. hostmaster.lab.test. 1 2h 900 1209600 86400", "the refresh must be an integer", "");
        bad(Soa, "ns1.lab.test. hostmaster.lab.test. 1 2 3 2147483648 5", "between 0 and 2147483647", "");
        bad(Soa, "ns1.lab.test. hostmaster.lab.test. 1 2 3 4 5 6", "unexpected `6`", "");
        bad(Soa, "ns1 hostmaster.lab.test. 1 2 3 4 5", "`ns1` has no dot", "absolute");
    }

    #[test]
    fn the_mail_address_has_a_dot_for_its_at_sign() {
        bad(Soa, "ns1.lab.test. jo.doe@lab.test 1 2 3 4 5", "written as a domain name", r"`jo\056doe.lab.test.`");
        bad(Soa, "ns1.lab.test. @ 1 2 3 4 5", "not `@`", "zone's name");
    }
}
