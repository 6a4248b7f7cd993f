//! The constraints of the API's model on texts: the lengths of parameters in the path and the
//! query, the form of ids, the words of an enumeration.
//!
//! Route 53 validates them before it looks anything up, so an id that is too long is invalid input,
//! and one that fits and belongs to nothing is not found.

use std::ops::RangeInclusive;

use super::errors::ApiError;
use super::operation::Operation;
use super::request::Request;
use super::xml::{Members, not_in_enumeration, not_of_pattern};
use super::{ids, lengths};
use crate::model::{RecordType, Region};

/// What a text has to look like.
#[derive(Clone, Debug)]
struct Constraint {
    characters: RangeInclusive<usize>,
    pattern: Option<Pattern>,
}

/// A pattern of the model, and whether a text fits it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pattern {
    text: &'static str,
    fits: fn(&str) -> bool,
}

/// API UUID.
pub(super) const UUID: Pattern = Pattern { text: "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", fits: is_uuid };
/// API CidrLocationNameDefaultNotAllowed, CollectionName.
pub(super) const LOCATION: Pattern = Pattern { text: "[0-9A-Za-z_\\-]+", fits: |text| text.chars().all(is_word) };
/// API CidrLocationNameDefaultAllowed.
pub(super) const LOCATION_OR_DEFAULT: Pattern =
    Pattern { text: "[0-9A-Za-z_\\-\\*]+", fits: |text| text.chars().all(|one| is_word(one) || one == '*') };

impl Pattern {
    /// # Errors
    ///
    /// InvalidInput for a text of a body that does not fit.
    pub(super) fn check(self, text: &str) -> Result<(), ApiError> {
        if (self.fits)(text) { Ok(()) } else { Err(not_of_pattern(text, self.text)) }
    }
}

/// Checks the parameters of the path and the query. The response names all that are not valid.
pub(super) fn check(request: &Request) -> Result<(), ApiError> {
    let kind = request.operation.path().split('/').nth(1).unwrap_or_default();
    let of_path = request.ids.iter().map(|(name, text)| (*name, text.as_str(), of_path(kind, name)));
    let of_query = request.query.iter().map(|(name, text)| {
        let is_id = matches!(name.as_str(), "delegationsetid" | "hostedzoneid" | "id" | "marker");
        (name.as_str(), if is_id { ids::bare(text) } else { text }, of_query(request.operation, name))
    });
    // An empty parameter of a query is as if it were absent.
    let of_query = of_query.filter(|(_, text, _)| !text.is_empty());
    let violations: Vec<String> = of_path
        .chain(of_query)
        .filter_map(|(name, text, constraint)| Some(sentence(text, name, &constraint?.violated(text)?)))
        .collect();
    match violations.len() {
        0 => Ok(()),
        1 => Err(ApiError::invalid_input(format!("1 validation error detected: {}", violations[0]))),
        number => {
            Err(ApiError::invalid_input(format!("{number} validation errors detected: {}", violations.join("; "))))
        }
    }
}

/// The error for one parameter that breaks a rule, such as `Member must satisfy enum value set: …`.
pub(super) fn violation(value: &str, member: &str, rule: &str) -> ApiError {
    ApiError::invalid_input(format!("1 validation error detected: {}", sentence(value, member, rule)))
}

fn sentence(value: &str, member: &str, rule: &str) -> String {
    // Members begin with a lower-case letter in this sentence.
    let mut letters = member.chars();
    let member = letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect::<String>();
    format!("Value '{value}' at '{member}' failed to satisfy constraint: {rule}")
}

impl Constraint {
    fn length(characters: RangeInclusive<usize>) -> Constraint {
        Constraint { characters, pattern: None }
    }

    /// The rule that a text breaks.
    fn violated(&self, text: &str) -> Option<String> {
        let (least, most, length) = (self.characters.start(), self.characters.end(), text.chars().count());
        if length > *most {
            return Some(format!("Member must have length less than or equal to {most}"));
        }
        if length < *least {
            return Some(format!("Member must have length greater than or equal to {least}"));
        }
        let pattern = self.pattern.filter(|pattern| !(pattern.fits)(text))?;
        Some(format!("Member must satisfy regular expression pattern: {}", pattern.text))
    }
}

/// Parameters of the path of an operation about `kind`, the first part of the path.
fn of_path(kind: &str, name: &str) -> Option<Constraint> {
    Some(match (kind, name) {
        (_, "HostedZoneId") => Constraint::length(lengths::RESOURCE_ID),
        ("hostedzone" | "hostedzonelimit" | "delegationset" | "reusabledelegationsetlimit", "Id") => {
            Constraint::length(lengths::RESOURCE_ID)
        }
        // API ChangeId.
        ("change", "Id") => Constraint::length(1..=6500),
        (_, "Id") => Constraint::length(lengths::UUID),
        (_, "HealthCheckId") => Constraint::length(lengths::HEALTH_CHECK_ID),
        (_, "CidrCollectionId") => Constraint { characters: lengths::UUID, pattern: Some(UUID) },
        (_, "Name") => Constraint::length(lengths::SIGNING_KEY_NAME),
        _ => return None,
    })
}

/// Parameters of the query. One name has the same constraint in all operations, but for `id`.
fn of_query(operation: Operation, name: &str) -> Option<Constraint> {
    Some(match name {
        // API PageMarker.
        "marker" => Constraint::length(0..=64),
        "id" if operation != Operation::ListTrafficPolicyInstancesByPolicy => Constraint::length(lengths::RESOURCE_ID),
        "id" | "trafficpolicyid" => Constraint::length(lengths::UUID),
        "delegationsetid" | "hostedzoneid" => Constraint::length(lengths::RESOURCE_ID),
        "dnsname" | "name" | "recordname" | "trafficpolicyinstancename" => Constraint::length(lengths::DNS_NAME),
        // API PaginationToken, VPCId.
        "nexttoken" | "vpcid" => Constraint::length(0..=1024),
        "identifier" => Constraint::length(lengths::SET_IDENTIFIER),
        "location" => Constraint { characters: lengths::LOCATION_NAME, pattern: Some(LOCATION) },
        // API TrafficPolicyVersionMarker.
        "trafficpolicyversion" => Constraint::length(0..=4),
        // API IPAddress, SubnetMask.
        "resolverip" | "edns0clientsubnetip" => Constraint::length(0..=45),
        "edns0clientsubnetmask" => Constraint::length(0..=3),
        "continentcode" | "startcontinentcode" => Constraint::length(lengths::CONTINENT_CODE),
        "countrycode" | "startcountrycode" => Constraint::length(lengths::COUNTRY_CODE),
        "subdivisioncode" | "startsubdivisioncode" => Constraint::length(lengths::SUBDIVISION_CODE),
        _ => return None,
    })
}

/// The id of a hosted zone or a delegation set in a body, without its prefix.
pub(super) fn resource_id<'e>(members: Members<'e>, name: &str) -> Result<Option<&'e str>, ApiError> {
    let id = members.text(name)?.map(ids::bare);
    if id.is_some_and(|id| !lengths::RESOURCE_ID.contains(&id.chars().count())) {
        // With its prefix it is too long as well: this has the sentence about it.
        return members.sized_text(name, lengths::RESOURCE_ID);
    }
    Ok(id)
}

/// The same, in a body that must have it.
pub(super) fn required_resource_id<'e>(members: Members<'e>, name: &str) -> Result<&'e str, ApiError> {
    resource_id(members, name)?.ok_or_else(|| members.incomplete(name))
}

/// A region, by its name.
pub(super) fn region(name: &str) -> Result<Region, ApiError> {
    Region::from_name(name).ok_or_else(|| {
        let known: Vec<&str> = Region::all().map(Region::name).collect();
        not_in_enumeration(name, &known)
    })
}

/// A type of record: a word of the enumeration RRType, in upper case.
pub(super) fn record_type(text: &str) -> Option<RecordType> {
    RecordType::ALL.into_iter().find(|known| known.as_str() == text)
}

fn is_uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let is_hex = |part: &str| part.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'));
    text.split('-').map(str::len).eq(lengths) && text.split('-').all(is_hex)
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::errors::Code;

    fn outcome(operation: Operation, ids: &[&str], query: &str) -> Result<(), String> {
        check(&Request::for_tests(operation, ids, query, "")).map_err(|error| {
            assert_eq!(error.code(), Code::InvalidInput);
            error.message().to_owned()
        })
    }

    #[test]
    fn ids_in_the_path_have_their_length_and_form() {
        use Operation as Op;
        let uuid = "0123abcd-0000-4000-8000-0123456789ab";
        for (operation, ids, is_valid) in [
            (Op::GetHostedZone, &[&*"Z".repeat(32)][..], true),
            (Op::GetHostedZone, &[&*"Z".repeat(33)], false),
            (Op::GetReusableDelegationSet, &[&*"N".repeat(33)], false),
            (Op::GetChange, &[&*"C".repeat(6500)], true),
            (Op::GetChange, &[&*"C".repeat(6501)], false),
            (Op::GetHealthCheck, &[&*"0".repeat(65)], false),
            (Op::GetTrafficPolicy, &[&*"0".repeat(37), "1"], false),
            (Op::GetQueryLoggingConfig, &[uuid], true),
            (Op::ListCidrLocations, &[uuid], true),
            (Op::ListCidrLocations, &["offices"], false),
            (Op::ListCidrLocations, &[&*uuid.to_uppercase()], false),
            (Op::ActivateKeySigningKey, &["Z1", "ksk"], true),
            (Op::ActivateKeySigningKey, &["Z1", "ks"], false),
            (Op::ActivateKeySigningKey, &["Z1", &*"k".repeat(129)], false),
        ] {
            assert_eq!(outcome(operation, ids, "").is_ok(), is_valid, "{operation:?} {ids:?}");
        }
    }

    #[test]
    fn parameters_of_the_query_have_their_length_and_form() {
        let list = |query: &str| outcome(Operation::ListCidrBlocks, &["0123abcd-0000-4000-8000-0123456789ab"], query);
        assert_eq!(list("location=office&maxresults=x&other=y"), Ok(()));
        assert_eq!(list("location=&nexttoken="), Ok(()), "as if they were absent");
        assert_eq!(
            list("location=a.b").unwrap_err(),
            "1 validation error detected: Value 'a.b' at 'location' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: [0-9A-Za-z_\\-]+"
        );
        assert_eq!(
            list("location=12345678901234567").unwrap_err(),
            "1 validation error detected: Value '12345678901234567' at 'location' failed to satisfy constraint: Member \
             must have length less than or equal to 16"
        );
        let zone = "Z".repeat(32);
        assert_eq!(outcome(Operation::ListHostedZones, &[], &format!("delegationsetid=/delegationset/{zone}")), Ok(()));
        let both = outcome(Operation::GetGeoLocation, &[], "countrycode=DEU&subdivisioncode=1234").unwrap_err();
        assert!(both.starts_with("2 validation errors detected: Value 'DEU' at 'countrycode'"), "{both}");
        assert!(both.contains("; Value '1234' at 'subdivisioncode'"), "{both}");
    }
}
