//! The operations about CIDR collections.

use ipnet::IpNet;

use super::{ApiError, Code, Context, Outcome, Request};
use crate::api::xml::{Element, Members, Writer, text_of};
use crate::api::{constraints, ids, lengths};
use crate::model::{CidrCollection, CidrCollectionId, StrictRule, StrictRules};
use crate::objects::{Change, Object, ObjectId};

/// The API reference states no size of a page.
const PAGE: usize = 100;
/// API CidrNonce, CollectionName.
const MAX_CHARACTERS: usize = 64;
/// API CidrCollectionChanges, CidrList.
const MAX_CHANGES: usize = 1000;
const MAX_BLOCKS: usize = 1000;
/// The longest prefixes of Route 53 (Developer Guide, "IP-based routing").
const MAX_IPV4_PREFIX: u8 = 24;
const MAX_IPV6_PREFIX: u8 = 48;

/// The same request again gives the same collection (API CreateCidrCollection, CallerReference).
pub(super) async fn create(context: &Context, request: &Request) -> Outcome {
    let members = Members::of(request.body()?, &["Name", "CallerReference"])?;
    let name = members.required_sized_text("Name", 1..=MAX_CHARACTERS)?;
    constraints::LOCATION.check(name)?;
    let reference = members.required_sized_text("CallerReference", 1..=MAX_CHARACTERS)?;
    if !reference.is_ascii() {
        return Err(ApiError::invalid_input("Invalid parameter : The caller reference must be ASCII"));
    }
    let new = CidrCollection {
        id: CidrCollectionId(ids::uuid()?),
        name: name.to_owned(),
        caller_reference: Some(reference.to_owned()),
        version: 1,
        locations: Vec::new(),
    };
    let (id, change) = (object_id(&new.id.0), Change::Create(Object::CidrCollection(new.clone().into())));
    let collection = match context.commit(request, id, change).await {
        Err(error) if error.code() == Code::CidrCollectionAlreadyExistsException => {
            let is_same =
                |other: &CidrCollection| (&other.name, &other.caller_reference) == (&new.name, &new.caller_reference);
            context.objects.cidr_collections().into_iter().find(is_same).ok_or(error)?
        }
        created => created.map(|_| new)?,
    };
    let url = request.url_of(&format!("cidrcollection/{}", collection.id.0));
    Ok(request.response(|xml| xml.parent("Collection", |xml| write(xml, &collection))).at(url))
}

/// All changes are made, or none.
pub(super) async fn change(context: &Context, request: &Request) -> Outcome {
    let members = Members::of(request.body()?, &["CollectionVersion", "Changes"])?;
    let version = members.integer("CollectionVersion", 1..=i64::MAX)?.and_then(|version| u64::try_from(version).ok());
    let changes = members.required_list("Changes", "member")?;
    let changes = changes.iter().map(|change| LocationChange::read(change, context.strict));
    let changes = changes.collect::<Result<Vec<_>, _>>()?;
    if !(1..=MAX_CHANGES).contains(&changes.len()) {
        return Err(ApiError::invalid_input(format!("Invalid parameter : There must be 1 to {MAX_CHANGES} changes")));
    }
    let id = object_id(request.id("CidrCollectionId"));
    let update = |object| match object {
        Object::CidrCollection(collection) => changed((*collection).clone(), version, &changes),
        _ => Err(no_such_collection(request.id("CidrCollectionId"))),
    };
    let submission = context.change_log.begin(request, None)?;
    let changed = context.update(request, &id, |object| update(object).map(|new| Object::CidrCollection(new.into())));
    changed.await.map_err(|error| match error.code() {
        // The operation has no other error for a location that record sets use.
        Code::CidrCollectionInUseException => ApiError::new(Code::CidrBlockInUseException, error.message()),
        _ => error,
    })?;
    let info = context.change_log.add(submission);
    Ok(request.response(|xml| xml.element("Id", info.id())))
}

pub(super) async fn delete(context: &Context, request: &Request) -> Outcome {
    context.commit(request, object_id(request.id("CidrCollectionId")), Change::Delete).await?;
    Ok(request.response(|_| {}))
}

pub(super) fn list(context: &Context, request: &Request) -> Outcome {
    let mut collections = context.objects.cidr_collections();
    collections.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    let page = Page::of(request, &collections, |collection| collection.name.clone())?;
    Ok(request.response(|xml| page.write(xml, "CidrCollections", write)))
}

pub(super) fn list_locations(context: &Context, request: &Request) -> Outcome {
    let collection = collection(context, request)?;
    let mut names: Vec<&String> = collection.locations.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    let page = Page::of(request, &names, ToString::to_string)?;
    Ok(request.response(|xml| page.write(xml, "CidrLocations", |xml, name| xml.element("LocationName", name))))
}

/// The blocks of a location, or of all.
pub(super) fn list_blocks(context: &Context, request: &Request) -> Outcome {
    let collection = collection(context, request)?;
    let location = request.query("location");
    if let Some(name) = location.filter(|name| !collection.locations.iter().any(|(known, _)| known == name)) {
        let message = format!("The CIDR location {name} was not found.");
        return Err(ApiError::new(Code::NoSuchCidrLocationException, message));
    }
    let wanted = collection.locations.iter().filter(|(name, _)| location.is_none_or(|wanted| wanted == name));
    let mut blocks: Vec<(&String, IpNet)> =
        wanted.flat_map(|(name, blocks)| blocks.iter().map(move |block| (name, *block))).collect();
    blocks.sort_unstable();
    let page = Page::of(request, &blocks, |(name, block)| format!("{name}/{block}"))?;
    Ok(request.response(|xml| {
        page.write(xml, "CidrBlocks", |xml, (name, block)| {
            xml.element("CidrBlock", block);
            xml.element("LocationName", name);
        });
    }))
}

/// A part of a list. Its token is the key of the next item.
struct Page<'i, T> {
    items: &'i [T],
    next: Option<String>,
}

impl<'i, T> Page<'i, T> {
    /// The items from the one that the token names.
    fn of(request: &Request, items: &'i [T], key: impl Fn(&T) -> String) -> Result<Page<'i, T>, ApiError> {
        let size = request.page_size("maxresults", PAGE, PAGE)?;
        let first = match request.query("nexttoken") {
            None => 0,
            Some(token) => items.iter().position(|item| key(item) == token).ok_or_else(|| {
                ApiError::invalid_input(format!("Invalid parameter : '{token}' is not a valid NextToken"))
            })?,
        };
        let rest = &items[first..];
        let next = rest.get(size.get()).map(key);
        Ok(Page { items: &rest[..size.get().min(rest.len())], next })
    }

    fn write(&self, xml: &mut Writer, list: &str, content: impl Fn(&mut Writer, &T)) {
        xml.optional("NextToken", self.next.as_deref());
        xml.list(list, "member", self.items, content);
    }
}

/// The members of Collection and CollectionSummary.
fn write(xml: &mut Writer, collection: &CidrCollection) {
    xml.element("Arn", format_args!("arn:aws:route53:::cidrcollection/{}", collection.id.0));
    xml.element("Id", &collection.id.0);
    xml.element("Name", &collection.name);
    xml.element("Version", collection.version);
}

fn collection(context: &Context, request: &Request) -> Result<CidrCollection, ApiError> {
    let id = request.id("CidrCollectionId");
    let found = context.objects.cidr_collections().into_iter().find(|collection| collection.id.0 == id);
    found.ok_or_else(|| no_such_collection(id))
}

fn no_such_collection(id: &str) -> ApiError {
    ApiError::new(Code::NoSuchCidrCollectionException, format!("The CIDR collection with ID {id} was not found."))
}

fn object_id(id: &str) -> ObjectId {
    ObjectId::CidrCollection(CidrCollectionId(id.to_owned()))
}

/// API CidrCollectionChange.
struct LocationChange {
    location: String,
    puts: bool,
    blocks: Vec<IpNet>,
}

impl LocationChange {
    fn read(element: &Element, strict: StrictRules) -> Result<LocationChange, ApiError> {
        let members = Members::of(element, &["LocationName", "Action", "CidrList"])?;
        let location = members.required_sized_text("LocationName", lengths::LOCATION_NAME)?;
        constraints::LOCATION.check(location)?;
        let puts = members.required_choice("Action", &["PUT", "DELETE_IF_EXISTS"])? == "PUT";
        let blocks = members.required_list("CidrList", "Cidr")?;
        if !(1..=MAX_BLOCKS).contains(&blocks.len()) {
            let message = format!("Invalid parameter : A change must have 1 to {MAX_BLOCKS} CIDR blocks");
            return Err(ApiError::invalid_input(message));
        }
        let read = |block| read_block(text_of(block)?.trim(), strict);
        let blocks = blocks.iter().map(read).collect::<Result<_, _>>()?;
        Ok(LocationChange { location: location.to_owned(), puts, blocks })
    }

    fn make(&self, locations: &mut Vec<(String, Vec<IpNet>)>) {
        let at = locations.iter().position(|(name, _)| *name == self.location);
        match at {
            Some(at) if self.puts => {
                let known = &mut locations[at].1;
                self.blocks.iter().for_each(|block| {
                    if !known.contains(block) {
                        known.push(*block);
                    }
                });
            }
            Some(at) => locations[at].1.retain(|block| !self.blocks.contains(block)),
            None if self.puts => {
                locations.push((self.location.clone(), Vec::new()));
                self.make(locations);
            }
            None => {}
        }
    }
}

/// The collection after the changes. A block is in one location only; a change may move it (API
/// ChangeCidrCollection). A location without blocks is gone.
fn changed(
    mut collection: CidrCollection,
    version: Option<u64>,
    changes: &[LocationChange],
) -> Result<CidrCollection, ApiError> {
    if version.is_some_and(|version| version != collection.version) {
        let message = format!("The current version of the CIDR collection is {}.", collection.version);
        return Err(ApiError::new(Code::CidrCollectionVersionMismatchException, message));
    }
    changes.iter().for_each(|change| change.make(&mut collection.locations));
    collection.locations.retain(|(_, blocks)| !blocks.is_empty());
    let mut all: Vec<(IpNet, &str)> = Vec::new();
    for (name, blocks) in &collection.locations {
        all.extend(blocks.iter().map(|block| (*block, name.as_str())));
    }
    all.sort_unstable();
    if let Some(twice) = all.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let [(block, one), (_, other)] = twice else { unreachable!("windows of two") };
        let message = format!("The CIDR block {block} is already in use: it would be in {one} and in {other}.");
        return Err(ApiError::new(Code::CidrBlockInUseException, message));
    }
    collection.version += 1;
    Ok(collection)
}

/// Longer blocks than Route 53 has are an extension of this server.
fn read_block(text: &str, strict: StrictRules) -> Result<IpNet, ApiError> {
    let invalid = |why: &str| ApiError::invalid_input(format!("Invalid parameter : '{text}' {why}"));
    let block: IpNet = text.parse().map_err(|_| invalid("is not a CIDR block"))?;
    let longest = match (strict.contains(StrictRule::CidrBlocks), block.addr().is_ipv4()) {
        (false, _) => block.max_prefix_len(),
        (true, true) => MAX_IPV4_PREFIX,
        (true, false) => MAX_IPV6_PREFIX,
    };
    if !(1..=longest).contains(&block.prefix_len()) {
        return Err(invalid(&format!("is not a CIDR block with a prefix length of 1 to {longest}")));
    }
    if block.trunc() != block {
        return Err(invalid(&format!("has host bits: the block is {}", block.trunc())));
    }
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collection(locations: &[(&str, &[&str])]) -> CidrCollection {
        let blocks = |blocks: &[&str]| blocks.iter().map(|block| block.parse().unwrap()).collect();
        CidrCollection {
            id: CidrCollectionId("c".to_owned()),
            name: "offices".to_owned(),
            caller_reference: None,
            version: 1,
            locations: locations.iter().map(|(name, list)| (name.to_string(), blocks(list))).collect(),
        }
    }

    /// Changes such as `PUT berlin 192.0.2.0/24 198.51.100.0/24`.
    fn change(before: &CidrCollection, version: Option<u64>, changes: &[&str]) -> Result<CidrCollection, ApiError> {
        change_in(StrictRules::default(), before, version, changes)
    }

    fn change_in(
        strict: StrictRules,
        before: &CidrCollection,
        version: Option<u64>,
        changes: &[&str],
    ) -> Result<CidrCollection, ApiError> {
        let element = |line: &&str| {
            let words: Vec<&str> = line.split(' ').collect();
            let blocks: String = words[2..].iter().map(|block| format!("<Cidr>{block}</Cidr>")).collect();
            let text = format!(
                "<member><LocationName>{}</LocationName><Action>{}</Action><CidrList>{blocks}</CidrList></member>",
                words[1], words[0]
            );
            LocationChange::read(&Element::read(text.as_bytes()).unwrap(), strict)
        };
        changed(before.clone(), version, &changes.iter().map(element).collect::<Result<Vec<_>, _>>()?)
    }

    #[test]
    fn blocks_come_and_go_and_take_their_location_with_them() {
        let before = collection(&[("berlin", &["192.0.2.0/24"])]);
        let after = change(&before, Some(1), &["PUT berlin 192.0.2.0/24 198.51.100.0/24", "PUT paris 2001:db8::/32"]);
        let expected = [("berlin", &["192.0.2.0/24", "198.51.100.0/24"][..]), ("paris", &["2001:db8::/32"])];
        let after = after.unwrap();
        assert_eq!(after, CidrCollection { version: 2, ..collection(&expected) });
        let after = change(&after, None, &["DELETE_IF_EXISTS berlin 192.0.2.0/24 198.51.100.0/24 10.0.0.0/8"]).unwrap();
        assert_eq!(after, CidrCollection { version: 3, ..collection(&[("paris", &["2001:db8::/32"])]) });
        assert!(change(&after, None, &["DELETE_IF_EXISTS rome 10.0.0.0/8"]).is_ok());
    }

    #[test]
    fn a_block_is_in_one_location_and_moves_in_one_request() {
        let before = collection(&[("berlin", &["192.0.2.0/24"])]);
        let error = change(&before, None, &["PUT paris 192.0.2.0/24"]).unwrap_err();
        assert_eq!(error.code(), Code::CidrBlockInUseException);
        let moves = ["PUT paris 192.0.2.0/24", "DELETE_IF_EXISTS berlin 192.0.2.0/24"];
        let after = change(&before, None, &moves).unwrap();
        assert_eq!(after.locations, collection(&[("paris", &["192.0.2.0/24"])]).locations);
        let swapped = change(&before, None, &[moves[1], moves[0]]).unwrap();
        assert_eq!(swapped, after);
    }

    #[test]
    fn versions_blocks_and_names_are_checked() {
        let before = collection(&[]);
        let error = change(&before, Some(2), &["PUT a 10.0.0.0/8"]).unwrap_err();
        assert_eq!(error.code(), Code::CidrCollectionVersionMismatchException);
        for bad in [
            "PUT a 10.0.0.1/8",
            "PUT a 0.0.0.0/0",
            "PUT a 192.0.2.1",
            "PUT a",
            "PUT * 10.0.0.0/8",
            "PUT a_name_that_is_long 10.0.0.0/8",
            "DELETE a 10.0.0.0/8",
        ] {
            assert_eq!(change(&before, None, &[bad]).unwrap_err().code(), Code::InvalidInput, "{bad}");
        }
    }

    #[test]
    fn only_strict_mode_refuses_long_blocks() {
        let before = collection(&[]);
        let strict = StrictRules::from_iter([StrictRule::CidrBlocks]);
        for block in ["192.0.2.0/25", "192.0.2.1/32", "2001:db8::/49", "2001:db8::1/128"] {
            let put = format!("PUT a {block}");
            assert!(change(&before, None, &[&put]).is_ok(), "{block}");
            let error = change_in(strict, &before, None, &[&put]).unwrap_err();
            assert_eq!(error.code(), Code::InvalidInput, "{block}");
        }
        assert!(change_in(strict, &before, None, &["PUT a 192.0.2.0/24 2001:db8::/48"]).is_ok());
    }
}
