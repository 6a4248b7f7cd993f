//! The tags of hosted zones and health checks.

use super::{ApiError, Context, Outcome, Request};
use crate::api::constraints::violation;
use crate::api::lengths;
use crate::api::xml::{Element, Members, Writer, sized, text_of};
use crate::model::{
    HealthCheck, HostedZone, MAX_TAG_KEY_CHARACTERS, MAX_TAG_VALUE_CHARACTERS, MAX_TAGS, Tags, is_tag_character,
};

/// The most items of each list of a request (API TagList, TagKeyList, TagResourceIdList).
const MOST_ITEMS: usize = 10;
const RESERVED_PREFIX: &str = "aws:";

/// What has tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    HostedZone,
    HealthCheck,
}

impl Kind {
    fn of(request: &Request) -> Result<Kind, ApiError> {
        match request.id("ResourceType") {
            "hostedzone" => Ok(Kind::HostedZone),
            "healthcheck" => Ok(Kind::HealthCheck),
            other => {
                Err(violation(other, "resourceType", "Member must satisfy enum value set: [healthcheck, hostedzone]"))
            }
        }
    }

    fn word(self) -> &'static str {
        match self {
            Kind::HostedZone => "hostedzone",
            Kind::HealthCheck => "healthcheck",
        }
    }

    /// A health check or a hosted zone has this id, as far as its length goes.
    fn check_id(self, id: &str) -> Result<(), ApiError> {
        let most = match self {
            Kind::HostedZone => *lengths::RESOURCE_ID.end(),
            Kind::HealthCheck => *lengths::HEALTH_CHECK_ID.end(),
        };
        if id.chars().count() > most {
            let rule = format!("Member must have length less than or equal to {most}");
            return Err(violation(id, "resourceId", &rule));
        }
        Ok(())
    }

    fn tags(self, context: &Context, request: &Request, id: &str) -> Result<Tags, ApiError> {
        self.check_id(id)?;
        match self {
            Kind::HostedZone => Ok(context.zone_summary(request, id)?.tags),
            Kind::HealthCheck => Ok(context.health_check(id)?.tags),
        }
    }
}

/// Adds and removes tags. A tag replaces another one with its key.
pub(super) async fn change(context: &Context, request: &Request) -> Outcome {
    let (kind, id) = (Kind::of(request)?, request.id("ResourceId"));
    kind.check_id(id)?;
    let members = Members::of(request.body()?, &["AddTags", "RemoveTagKeys"])?;
    let added = items(members, "AddTags", "Tag")?.iter().map(tag).collect::<Result<Vec<_>, _>>()?;
    let removed = items(members, "RemoveTagKeys", "Key")?.iter().map(removed_key).collect::<Result<Vec<_>, _>>()?;
    let is_second = |(at, (key, _)): &(usize, &(String, String))| added[..*at].iter().any(|(other, _)| other == key);
    if let Some((_, (key, _))) = added.iter().enumerate().find(is_second) {
        return Err(ApiError::invalid_input(format!("Invalid parameter : The tag key '{key}' is specified twice")));
    }
    if added.is_empty() && removed.is_empty() {
        return Err(members.incomplete("AddTags"));
    }
    let change = |mut tags: Tags| {
        removed.iter().for_each(|key| drop(tags.remove(*key)));
        tags.extend(added.iter().cloned());
        if tags.len() > MAX_TAGS {
            let message = format!("Invalid parameter : The resource would have more than {MAX_TAGS} tags");
            return Err(ApiError::invalid_input(message));
        }
        Ok(tags)
    };
    match kind {
        Kind::HostedZone => {
            let update = |zone: HostedZone| Ok(HostedZone { tags: change(zone.tags.clone())?, ..zone });
            context.update_zone(request, id, update).await?;
        }
        Kind::HealthCheck => {
            let update = |check: HealthCheck| Ok(HealthCheck { tags: change(check.tags.clone())?, ..check });
            context.update_health_check(request, id, update).await?;
        }
    }
    Ok(request.response(|_| ()))
}

/// The tags of one resource.
pub(super) fn list(context: &Context, request: &Request) -> Outcome {
    let (kind, id) = (Kind::of(request)?, request.id("ResourceId"));
    let tags = kind.tags(context, request, id)?;
    Ok(request.response(|xml| xml.parent("ResourceTagSet", |xml| write(xml, kind, id, &tags))))
}

/// The tags of several resources.
pub(super) fn list_several(context: &Context, request: &Request) -> Outcome {
    let kind = Kind::of(request)?;
    let members = Members::of(request.body()?, &["ResourceIds"])?;
    let ids = items(members, "ResourceIds", "ResourceId")?;
    if ids.is_empty() {
        return Err(members.incomplete("ResourceIds"));
    }
    let sets = ids.iter().map(|element| {
        let id = text_of(element)?;
        Ok((id, kind.tags(context, request, id)?))
    });
    let sets = sets.collect::<Result<Vec<_>, ApiError>>()?;
    Ok(request.response(|xml| {
        xml.list("ResourceTagSets", "ResourceTagSet", &sets, |xml, (id, tags)| write(xml, kind, id, tags));
    }))
}

fn write(xml: &mut Writer, kind: Kind, id: &str, tags: &Tags) {
    xml.element("ResourceType", kind.word());
    xml.element("ResourceId", id);
    xml.list("Tags", "Tag", tags, |xml, (key, value)| {
        xml.element("Key", key);
        xml.element("Value", value);
    });
}

/// The items of an optional list. An empty list is an error.
fn items<'e>(members: Members<'e>, name: &str, item: &str) -> Result<&'e [Element], ApiError> {
    let Some(items) = members.list(name, item)? else { return Ok(&[]) };
    if items.is_empty() {
        return Err(Members::of(members.required_child(name)?, &[])?.incomplete(item));
    }
    if items.len() > MOST_ITEMS {
        return Err(ApiError::invalid_input(format!(
            "Invalid XML ; cvc-complex-type.2.4.f: '{item}' can occur a maximum of '{MOST_ITEMS}' times in the current \
             sequence. This limit was exceeded."
        )));
    }
    Ok(items)
}

fn tag(element: &Element) -> Result<(String, String), ApiError> {
    let members = Members::of(element, &["Key", "Value"])?;
    let key = members.required_sized_text("Key", 1..=MAX_TAG_KEY_CHARACTERS)?;
    check_prefix(key)?;
    let value = members.sized_text("Value", 0..=MAX_TAG_VALUE_CHARACTERS)?.unwrap_or_default();
    if !key.chars().chain(value.chars()).all(is_tag_character) {
        return Err(ApiError::invalid_input(
            "Invalid parameter : Tags can only contain letters, numbers, spaces, and the following special characters: \
             _ . : / = + - @",
        ));
    }
    Ok((key.to_owned(), value.to_owned()))
}

fn removed_key(element: &Element) -> Result<&str, ApiError> {
    let key = sized(element, 0..=MAX_TAG_KEY_CHARACTERS)?;
    check_prefix(key)?;
    Ok(key)
}

/// AWS keeps these keys for itself: "you can't edit or delete" them (AWS General Reference, "Tag
/// naming limits and requirements").
fn check_prefix(key: &str) -> Result<(), ApiError> {
    let is_reserved = key.get(..RESERVED_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED_PREFIX));
    if is_reserved {
        let message = format!("Invalid parameter : Tag keys cannot start with '{RESERVED_PREFIX}'");
        return Err(ApiError::invalid_input(message));
    }
    Ok(())
}
