//! Resource record set protections: create, list, delete. Each request is made as a whole or not at
//! all.

use std::sync::Arc;

use super::{ApiError, Code, Context, Outcome, Request};
use crate::api::errors::EntryError;
use crate::api::listing::start_of;
use crate::api::xml::{Element, Members};
use crate::api::{constraints, lengths, value_problem};
use crate::model::{HostedZone, Name, RecordSetProtection, RecordType};

/// The default and the largest page (API ListResourceRecordSetProtections).
const PAGE: usize = 300;
/// The most entries of a request (API CreateResourceRecordSetProtections).
const MAX_ENTRIES: usize = 100;

/// An entry of a request, as it is written.
struct Entry<'r> {
    name: &'r str,
    record_type: &'r str,
    comment: Option<&'r str>,
}

/// What entries of a request are for.
type Protections = Vec<RecordSetProtection>;

pub(super) async fn create(context: &Context, request: &Request) -> Outcome {
    let entries = entries(request, "ResourceRecordSetProtectionConfig", &["RecordName", "RecordType", "Comment"])?;
    let update = |mut zone: HostedZone| {
        let new = read_entries(&entries, &zone.name)?;
        let attachments = Arc::make_mut(&mut zone.attachments);
        let known = |one: &RecordSetProtection| attachments.protection(&one.name, one.record_type).is_some();
        let errors: Vec<EntryError> = entries
            .iter()
            .zip(&new)
            .filter(|(_, protection)| known(protection))
            .map(|(entry, _)| entry.error("ProtectionAlreadyExists", "A protection already exists."))
            .collect();
        if errors.len() == new.len() {
            let message = "A protection already exists for every name and type in the request.";
            return Err(ApiError::new(Code::ProtectionAlreadyExists, message).with_entries(errors));
        }
        if !errors.is_empty() {
            return Err(bad_entries(errors));
        }
        attachments.protections.extend(new);
        Ok(zone)
    };
    context.update_zone(request, request.id("Id"), update).await?;
    Ok(request.response(|_| ()))
}

pub(super) async fn delete(context: &Context, request: &Request) -> Outcome {
    let entries = entries(request, "ResourceRecordSetProtectionKey", &["RecordName", "RecordType"])?;
    let update = |mut zone: HostedZone| {
        let keys = read_entries(&entries, &zone.name)?;
        let attachments = Arc::make_mut(&mut zone.attachments);
        let known = |one: &RecordSetProtection| attachments.protection(&one.name, one.record_type).is_some();
        let missing = entries.iter().zip(&keys).filter(|(_, key)| !known(key));
        let error = |(entry, _): (&Entry<'_>, _)| entry.error("ProtectionNotFound", "There is no such protection.");
        let errors: Vec<EntryError> = missing.map(error).collect();
        if !errors.is_empty() {
            return Err(bad_entries(errors));
        }
        let is_key = |one: &RecordSetProtection| {
            keys.iter().any(|key| key.record_type == one.record_type && key.name == one.name)
        };
        attachments.protections.retain(|protection| !is_key(protection));
        Ok(zone)
    };
    context.update_zone(request, request.id("Id"), update).await?;
    Ok(request.response(|_| ()))
}

/// In the order of record sets, from `nexttoken`, or from `name` and `type` on.
pub(super) fn list(context: &Context, request: &Request) -> Outcome {
    let size = request.page_size("maxresults", PAGE, PAGE)?;
    let zone = context.zone_summary(request, request.id("Id"))?;
    let start = start(request)?;
    let mut protections = zone.attachments.protections.clone();
    let key = |one: &RecordSetProtection| start_of(&one.name, Some(one.record_type), None);
    protections.sort_by_cached_key(key);
    let first = protections.partition_point(|one| key(one) < start);
    let (page, next) = super::page(&protections[first..], size);
    Ok(request.response(|xml| {
        xml.list("ResourceRecordSetProtections", "ResourceRecordSetProtection", page, |xml, protection| {
            xml.element("RecordName", &protection.name);
            xml.element("RecordType", protection.record_type);
            xml.optional("Comment", protection.comment.as_ref());
        });
        xml.optional("NextToken", next.map(|next| format!("{} {}", next.record_type, next.name)));
    }))
}

fn start(request: &Request) -> Result<Vec<u8>, ApiError> {
    let given = |parameter| request.query(parameter);
    if let Some(token) = given("nexttoken") {
        let key = token.split_once(' ').and_then(|(record_type, name)| {
            Some(start_of(&Name::parse(name).ok()?, Some(record_type.parse().ok()?), None))
        });
        return key.ok_or_else(ApiError::invalid_pagination_token);
    }
    let (name, record_type) = (given("name"), given("type"));
    let invalid = || ApiError::invalid_input("The input is not valid");
    let record_type = record_type.map(|text| constraints::record_type(text).ok_or_else(invalid)).transpose()?;
    match name {
        Some(name) => {
            let name = value_problem::read_name(name).map_err(ApiError::invalid_input)?;
            Ok(start_of(&name, record_type, None))
        }
        None if record_type.is_some() => Err(invalid()),
        None => Ok(Vec::new()),
    }
}

/// The entries of a request, as they are written.
fn entries<'r>(request: &'r Request, item: &str, names: &[&str]) -> Result<Vec<Entry<'r>>, ApiError> {
    let members = Members::of(request.body()?, &["Protections"])?;
    let items = members.required_list("Protections", item)?;
    if !(1..=MAX_ENTRIES).contains(&items.len()) {
        let message = format!("Invalid parameter : A request must have 1 to {MAX_ENTRIES} protections");
        return Err(ApiError::invalid_input(message));
    }
    items.iter().map(|element| entry(element, names)).collect()
}

fn entry<'r>(element: &'r Element, names: &[&str]) -> Result<Entry<'r>, ApiError> {
    let members = Members::of(element, names)?;
    Ok(Entry {
        name: members.required_sized_text("RecordName", lengths::DNS_NAME)?,
        record_type: members.required_choice("RecordType", &RecordType::ALL.map(RecordType::as_str))?,
        comment: members.sized_text("Comment", lengths::RESOURCE_DESCRIPTION)?.filter(|comment| !comment.is_empty()),
    })
}

/// Invalid entries are reported before anything else (API CreateResourceRecordSetProtections).
fn read_entries(entries: &[Entry<'_>], zone: &Name) -> Result<Protections, ApiError> {
    let (mut read, mut errors) = (Protections::new(), Vec::new());
    for entry in entries {
        match entry.read(zone) {
            Ok(one) if read.iter().any(|other| (&other.name, other.record_type) == (&one.name, one.record_type)) => {
                errors.push(entry.error("InvalidInput", "The name and type appear more than once in the request."));
            }
            Ok(one) => read.push(one),
            Err(message) => errors.push(entry.error("InvalidInput", message)),
        }
    }
    if errors.is_empty() { Ok(read) } else { Err(bad_entries(errors)) }
}

fn bad_entries(errors: Vec<EntryError>) -> ApiError {
    let message = "One or more entries in the request couldn't be processed.";
    ApiError::new(Code::InvalidResourceRecordSetProtectionBatch, message).with_entries(errors)
}

impl Entry<'_> {
    fn read(&self, zone: &Name) -> Result<RecordSetProtection, String> {
        let name = value_problem::read_name(self.name)?;
        if !name.is_within(zone) {
            return Err(format!("The name {name} is not in the hosted zone {zone}."));
        }
        let unknown = |_| format!("The record type {} can't be protected.", self.record_type);
        let record_type = self.record_type.parse::<RecordType>().map_err(unknown)?;
        Ok(RecordSetProtection { name, record_type, comment: self.comment.map(str::to_owned) })
    }

    fn error(&self, code: &'static str, message: impl Into<String>) -> EntryError {
        EntryError {
            name: self.name.to_owned(),
            record_type: self.record_type.to_owned(),
            code,
            message: message.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::operation::Operation;
    use crate::api::operations::fixture::TestApi;

    fn config(name: &str, record_type: &str, comment: &str) -> String {
        format!(
            "<ResourceRecordSetProtectionConfig><RecordName>{name}</RecordName><RecordType>{record_type}</RecordType>\
             <Comment>{comment}</Comment></ResourceRecordSetProtectionConfig>"
        )
    }

    fn create(api: &TestApi, zone: &str, configs: &[String]) -> Result<Element, ApiError> {
        let body = format!("<Protections>{}</Protections>", configs.concat());
        api.call(Operation::CreateResourceRecordSetProtections, &[zone], "", &body)
    }

    fn delete(api: &TestApi, zone: &str, keys: &[(&str, &str)]) -> Result<Element, ApiError> {
        let key = |(name, record_type): &(&str, &str)| {
            format!(
                "<ResourceRecordSetProtectionKey><RecordName>{name}</RecordName><RecordType>{record_type}</RecordType>\
                 </ResourceRecordSetProtectionKey>"
            )
        };
        let body = format!("<Protections>{}</Protections>", keys.iter().map(key).collect::<String>());
        api.call(Operation::DeleteResourceRecordSetProtections, &[zone], "", &body)
    }

    fn codes(error: &ApiError) -> Vec<&'static str> {
        error.entries().iter().map(|entry| entry.code).collect()
    }

    #[test]
    fn protected_record_sets_refuse_changes_and_keep_their_zone() {
        let api = TestApi::new();
        let zone = api.zone("lab.test");
        create(&api, &zone, &[config("WWW.lab.test", "A", "the shop")]).unwrap();
        let www = "<Name>www.lab.test</Name><Type>A</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.1\
                   </Value></ResourceRecord></ResourceRecords>";
        let refused = api.refused(&zone, &[("UPSERT", www)]);
        assert_eq!(refused, "[The resource record set 'A www.lab.test.' is protected and can't be changed (the shop)]");
        let text = www.replace("<Type>A</Type>", "<Type>TXT</Type>").replace("192.0.2.1", "\"x\"");
        assert!(api.change(&zone, &[("CREATE", &text)]).is_ok(), "another type");
        assert!(api.change(&zone, &[("DELETE", &text)]).is_ok());
        let full = api.call(Operation::DeleteHostedZone, &[&zone], "", "").unwrap_err();
        assert_eq!(full.code(), Code::HostedZoneNotEmpty);
        delete(&api, &zone, &[("www.lab.test.", "A")]).unwrap();
        assert!(api.change(&zone, &[("UPSERT", www)]).is_ok());
        assert_eq!(create(&api, "Z0", &[config("a.test", "A", "")]).unwrap_err().code(), Code::NoSuchHostedZone);
    }

    #[test]
    fn a_request_is_made_as_a_whole_and_its_bad_entries_are_listed() {
        let api = TestApi::new();
        let zone = api.zone("lab.test");
        let (a, b) = (config("a.lab.test", "A", ""), config("b.lab.test", "A", ""));
        create(&api, &zone, std::slice::from_ref(&a)).unwrap();
        let all = create(&api, &zone, std::slice::from_ref(&a)).unwrap_err();
        assert_eq!((all.code(), codes(&all)), (Code::ProtectionAlreadyExists, vec!["ProtectionAlreadyExists"]));
        let some = create(&api, &zone, &[a.clone(), b.clone()]).unwrap_err();
        assert_eq!(some.code(), Code::InvalidResourceRecordSetProtectionBatch);
        let invalid = [a, b.clone(), b, config("a.other.test", "A", "")];
        let invalid = create(&api, &zone, &invalid).unwrap_err();
        assert_eq!(codes(&invalid), ["InvalidInput"; 2], "before those that exist");
        let gone = delete(&api, &zone, &[("a.lab.test", "A"), ("b.lab.test", "A")]).unwrap_err();
        assert_eq!(codes(&gone), ["ProtectionNotFound"]);
        let listed = api.call(Operation::ListResourceRecordSetProtections, &[&zone], "", "").unwrap();
        assert_eq!(listed.at("ResourceRecordSetProtections").children().len(), 1);
        assert_eq!(create(&api, &zone, &[]).unwrap_err().code(), Code::InvalidInput);
    }

    #[test]
    fn protections_are_listed_in_the_order_of_record_sets() {
        let api = TestApi::new();
        let zone = api.zone("lab.test");
        let names = ["b.lab.test", "a.b.lab.test", "a.lab.test", "*.lab.test"];
        create(&api, &zone, &names.map(|name| config(name, "A", "why"))).unwrap();
        create(&api, &zone, &[config("a.lab.test", "AAAA", "")]).unwrap();
        let page = |query: &str| api.call(Operation::ListResourceRecordSetProtections, &[&zone], query, "");
        let list = |query: &str| {
            let page = page(query).unwrap();
            let one = |one: &Element| format!("{} {}", one.text_at("RecordName"), one.text_at("RecordType"));
            let token = page.find("NextToken").map(|token| token.text().to_owned());
            (page.at("ResourceRecordSetProtections").children().iter().map(one).collect::<Vec<_>>(), token)
        };
        let all = ["\\052.lab.test. A", "a.lab.test. A", "a.lab.test. AAAA", "b.lab.test. A", "a.b.lab.test. A"]
            .map(str::to_owned);
        assert_eq!(list(""), (all.to_vec(), None));
        assert_eq!(list("name=a.lab.test&type=AAAA").0, all[2..]);
        let (first, token) = list("maxresults=2");
        assert_eq!(first, all[..2]);
        let token = token.unwrap().replace(' ', "%20");
        assert_eq!(list(&format!("nexttoken={token}&name=b.lab.test")).0, all[2..], "the name is ignored");
        assert_eq!(page("nexttoken=x").unwrap_err().code(), Code::InvalidPaginationToken);
        assert_eq!(page("type=A").unwrap_err().code(), Code::InvalidInput);
    }
}
