//! Traffic policies and their versions: create, read, list, comment, delete.

use super::{ApiError, Code, Context, Outcome, Request};
use crate::api::ids;
use crate::api::xml::{Members, Writer};
use crate::model::{
    MAX_DOCUMENT_CHARACTERS, MAX_POLICY_VERSIONS, PolicyDocument, PolicyVersion, TrafficPolicy, TrafficPolicyId,
};
use crate::objects::{Change, Object, ObjectId};

/// The default and the largest page.
const PAGE: usize = 100;
/// API TrafficPolicyName, TrafficPolicyComment.
const MAX_NAME_CHARACTERS: usize = 512;
const MAX_COMMENT_CHARACTERS: usize = 1024;

pub(super) async fn create(context: &Context, request: &Request) -> Outcome {
    let members = Members::of(request.body()?, &["Name", "Document", "Comment"])?;
    let name = members.required_sized_text("Name", 1..=MAX_NAME_CHARACTERS)?;
    let version = new_version(members, 1)?;
    let id = TrafficPolicyId(ids::uuid()?);
    let policy = TrafficPolicy { id: id.clone(), name: name.to_owned(), versions: vec![version] };
    let change = Change::Create(Object::TrafficPolicy(policy.clone().into()));
    context.commit(request, ObjectId::TrafficPolicy(id.clone()), change).await?;
    let response = request.response(|xml| write_policy(xml, &policy, &policy.versions[0]));
    Ok(response.at(request.url_of(&format!("trafficpolicy/{}/1", id.0))))
}

pub(super) async fn create_version(context: &Context, request: &Request) -> Outcome {
    let members = Members::of(request.body()?, &["Document", "Comment"])?;
    let version = new_version(members, 0)?;
    let update = |mut policy: TrafficPolicy| {
        let last = policy.versions.last().map_or(0, |version| version.number);
        if policy.latest().is_none() {
            return Err(no_such_policy(&policy.id.0));
        }
        if last >= MAX_POLICY_VERSIONS {
            let message = format!("The traffic policy has {MAX_POLICY_VERSIONS} versions, the most that it can have.");
            return Err(ApiError::new(Code::TooManyTrafficPolicyVersionsForCurrentPolicy, message));
        }
        policy.versions.push(PolicyVersion { number: last + 1, ..version.clone() });
        Ok(policy)
    };
    let policy = context.update_policy(request, update).await?;
    let latest = policy.versions.last().ok_or_else(|| no_such_policy(&policy.id.0))?;
    let response = request.response(|xml| write_policy(xml, &policy, latest));
    Ok(response.at(request.url_of(&format!("trafficpolicy/{}/{}", policy.id.0, latest.number))))
}

/// What a request says about a version.
fn new_version(members: Members<'_>, number: u16) -> Result<PolicyVersion, ApiError> {
    let document = members.required_sized_text("Document", 0..=MAX_DOCUMENT_CHARACTERS)?;
    PolicyDocument::read(document).map_err(|error| {
        let message = format!("The traffic policy document is not valid: {error}");
        ApiError::new(Code::InvalidTrafficPolicyDocument, message)
    })?;
    let comment = members.sized_text("Comment", 0..=MAX_COMMENT_CHARACTERS)?.filter(|comment| !comment.is_empty());
    let (comment, document) = (comment.map(str::to_owned), document.to_owned());
    Ok(PolicyVersion { number, comment, document, is_deleted: false })
}

/// A deleted version can still be read (API DeleteTrafficPolicy).
pub(super) fn get(context: &Context, request: &Request) -> Outcome {
    let (policy, number) = (context.traffic_policy(request.id("Id"))?, number(request.id("Version"))?);
    let version = policy.versions.iter().find(|version| version.number == number);
    let version = version.ok_or_else(|| no_such_version(&policy.id.0, number))?;
    Ok(request.response(|xml| write_policy(xml, &policy, version)))
}

/// ListTrafficPolicies: the latest version of each, in the order in which they were created, from
/// the marker on.
pub(super) fn list(context: &Context, request: &Request) -> Outcome {
    let size = request.page_size("maxitems", PAGE, PAGE)?;
    let marker = request.query("trafficpolicyid");
    let mut policies = context.objects.traffic_policies();
    policies.retain(|policy| policy.latest().is_some());
    let first = match marker {
        None => 0,
        Some(marker) => policies
            .iter()
            .position(|policy| policy.id.0 == marker)
            .ok_or_else(|| ApiError::invalid_input(format!("'{marker}' is not a valid marker")))?,
    };
    let (page, next) = super::page(&policies[first..], size);
    Ok(request.response(|xml| {
        xml.list("TrafficPolicySummaries", "TrafficPolicySummary", page, write_summary);
        xml.element("IsTruncated", next.is_some());
        // Required by the API, also on the last page.
        xml.element("TrafficPolicyIdMarker", next.map_or("", |policy| &policy.id.0));
        xml.element("MaxItems", size);
    }))
}

fn write_summary(xml: &mut Writer, policy: &TrafficPolicy) {
    let Some(latest) = policy.latest() else { return };
    xml.element("Id", &policy.id.0);
    xml.element("Name", &policy.name);
    xml.element("Type", type_of(latest));
    xml.element("LatestVersion", latest.number);
    xml.element("TrafficPolicyCount", policy.versions.iter().filter(|version| !version.is_deleted).count());
}

/// ListTrafficPolicyVersions: by number, from the marker on.
pub(super) fn list_versions(context: &Context, request: &Request) -> Outcome {
    let size = request.page_size("maxitems", PAGE, PAGE)?;
    let marker = request.query("trafficpolicyversion").map(number).transpose()?;
    let policy = context.traffic_policy(request.id("Id"))?;
    let is_listed =
        |version: &&PolicyVersion| !version.is_deleted && marker.is_none_or(|marker| version.number >= marker);
    let versions: Vec<&PolicyVersion> = policy.versions.iter().filter(is_listed).collect();
    let (page, next) = super::page(&versions, size);
    Ok(request.response(|xml| {
        xml.parent("TrafficPolicies", |xml| page.iter().for_each(|version| write_policy(xml, &policy, version)));
        xml.element("IsTruncated", next.is_some());
        xml.element("TrafficPolicyVersionMarker", next.map(|version| version.number.to_string()).unwrap_or_default());
        xml.element("MaxItems", size);
    }))
}

pub(super) async fn update_comment(context: &Context, request: &Request) -> Outcome {
    let members = Members::of(request.body()?, &["Comment"])?;
    let comment = members.required_sized_text("Comment", 0..=MAX_COMMENT_CHARACTERS)?;
    let number = number(request.id("Version"))?;
    let update = |mut policy: TrafficPolicy| {
        let missing = no_such_version(&policy.id.0, number);
        let is_it = |version: &&mut PolicyVersion| version.number == number && !version.is_deleted;
        let version = policy.versions.iter_mut().find(is_it).ok_or(missing)?;
        version.comment = Some(comment.to_owned()).filter(|comment| !comment.is_empty());
        Ok(policy)
    };
    let policy = context.update_policy(request, update).await?;
    let version = policy.version(number).ok_or_else(|| no_such_version(&policy.id.0, number))?;
    Ok(request.response(|xml| write_policy(xml, &policy, version)))
}

/// DeleteTrafficPolicy: one version is deleted, and can still be read.
pub(super) async fn delete(context: &Context, request: &Request) -> Outcome {
    let number = number(request.id("Version"))?;
    let update = |mut policy: TrafficPolicy| {
        let missing = no_such_version(&policy.id.0, number);
        let is_it = |version: &&mut PolicyVersion| version.number == number && !version.is_deleted;
        policy.versions.iter_mut().find(is_it).ok_or(missing)?.is_deleted = true;
        Ok(policy)
    };
    context.update_policy(request, update).await?;
    Ok(request.response(|_| ()))
}

impl Context {
    /// How many traffic policies there are.
    pub(super) fn policies(&self) -> usize {
        self.objects.traffic_policies().iter().filter(|policy| policy.latest().is_some()).count()
    }

    /// A traffic policy, also a deleted one.
    pub(super) fn traffic_policy(&self, id: &str) -> Result<TrafficPolicy, ApiError> {
        let found = self.objects.traffic_policies().into_iter().find(|policy| policy.id.0 == id);
        found.ok_or_else(|| no_such_policy(id))
    }

    async fn update_policy(
        &self,
        request: &Request,
        change: impl Fn(TrafficPolicy) -> Result<TrafficPolicy, ApiError>,
    ) -> Result<TrafficPolicy, ApiError> {
        let id = request.id("Id");
        let update = |object| match object {
            Object::TrafficPolicy(policy) => Ok(Object::TrafficPolicy(change((*policy).clone())?.into())),
            _ => Err(no_such_policy(id)),
        };
        match self.update(request, &ObjectId::TrafficPolicy(TrafficPolicyId(id.to_owned())), update).await? {
            Object::TrafficPolicy(policy) => Ok((*policy).clone()),
            _ => Err(no_such_policy(id)),
        }
    }
}

fn no_such_policy(id: &str) -> ApiError {
    ApiError::new(Code::NoSuchTrafficPolicy, format!("There is no traffic policy with the id {id}."))
}

pub(super) fn no_such_version(id: &str, number: u16) -> ApiError {
    let message = format!("There is no traffic policy with the id {id} and the version {number}.");
    ApiError::new(Code::NoSuchTrafficPolicy, message)
}

/// A number of a version.
pub(super) fn number(text: &str) -> Result<u16, ApiError> {
    let number = text.parse().ok().filter(|number| (1..=MAX_POLICY_VERSIONS).contains(number));
    number.ok_or_else(|| ApiError::invalid_input(format!("'{text}' is not a version of a traffic policy")))
}

/// The type of its record sets.
fn type_of(version: &PolicyVersion) -> String {
    PolicyDocument::read(&version.document).map(|document| document.record_type.to_string()).unwrap_or_default()
}

/// The element TrafficPolicy.
fn write_policy(xml: &mut Writer, policy: &TrafficPolicy, version: &PolicyVersion) {
    xml.parent("TrafficPolicy", |xml| {
        xml.element("Id", &policy.id.0);
        xml.element("Version", version.number);
        xml.element("Name", &policy.name);
        xml.element("Type", type_of(version));
        xml.element("Document", &version.document);
        xml.optional("Comment", version.comment.as_ref());
    });
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::api::operation::Operation;
    use crate::api::operations::fixture::TestApi;
    use crate::api::xml::Element;

    /// A document of one endpoint.
    pub(in crate::api::operations) fn document(record_type: &str, value: &str) -> String {
        format!(
            r#"{{"AWSPolicyFormatVersion":"2015-10-01","RecordType":"{record_type}","StartEndpoint":"e","Endpoints":{{"e":
               {{"Type":"value","Value":"{value}"}}}}}}"#
        )
    }

    impl TestApi {
        /// Creates a policy and returns its id.
        pub(in crate::api::operations) fn policy(&self, name: &str, document: &str) -> Result<String, ApiError> {
            let body = format!("<Name>{name}</Name><Document>{document}</Document><Comment>first</Comment>");
            let created = self.call(Operation::CreateTrafficPolicy, &[], "", &body)?;
            Ok(created.text_at("TrafficPolicy/Id").to_owned())
        }
    }

    #[test]
    fn a_policy_has_versions_that_stay_readable() {
        let api = TestApi::new();
        let id = api.policy("canary", &document("A", "192.0.2.1")).unwrap();
        let get = |number: &str| api.call(Operation::GetTrafficPolicy, &[&id, number], "", "");
        let first = get("1").unwrap();
        let at = |name: &str| first.text_at(&format!("TrafficPolicy/{name}")).to_owned();
        assert_eq!(["Version", "Name", "Type", "Comment"].map(at), ["1", "canary", "A", "first"]);
        assert_eq!(at("Document"), document("A", "192.0.2.1"));
        let body = format!("<Document>{}</Document>", document("AAAA", "2001:db8::1"));
        let second = api.call(Operation::CreateTrafficPolicyVersion, &[&id], "", &body).unwrap();
        assert_eq!((second.text_at("TrafficPolicy/Version"), second.text_at("TrafficPolicy/Type")), ("2", "AAAA"));
        let comment = "<Comment>better</Comment>";
        let commented = api.call(Operation::UpdateTrafficPolicyComment, &[&id, "2"], "", comment).unwrap();
        assert_eq!(commented.text_at("TrafficPolicy/Comment"), "better");
        let listed = api.call(Operation::ListTrafficPolicies, &[], "", "").unwrap();
        let summary = listed.at("TrafficPolicySummaries/TrafficPolicySummary");
        assert_eq!(
            ["LatestVersion", "Type", "TrafficPolicyCount"].map(|name| summary.text_at(name)),
            ["2", "AAAA", "2"]
        );
        let versions = |query: &str| {
            let page = api.call(Operation::ListTrafficPolicyVersions, &[&id], query, "").unwrap();
            let number = |one: &Element| one.text_at("Version").to_owned();
            let marker = page.text_at("TrafficPolicyVersionMarker").to_owned();
            (page.at("TrafficPolicies").children().iter().map(number).collect::<Vec<_>>(), marker)
        };
        assert_eq!(versions("maxitems=1"), (vec!["1".to_owned()], "2".to_owned()));
        assert_eq!(versions("trafficpolicyversion=2"), (vec!["2".to_owned()], String::new()));

        let delete = |number: &str| api.call(Operation::DeleteTrafficPolicy, &[&id, number], "", "");
        delete("2").unwrap();
        assert_eq!(delete("2").unwrap_err().code(), Code::NoSuchTrafficPolicy);
        assert_eq!(versions("").0, ["1"]);
        assert_eq!(get("2").unwrap().text_at("TrafficPolicy/Type"), "AAAA", "a deleted one can be read");
        let third = api.call(Operation::CreateTrafficPolicyVersion, &[&id], "", &body).unwrap();
        assert_eq!(third.text_at("TrafficPolicy/Version"), "3", "no number is used again");
        delete("1").unwrap();
        delete("3").unwrap();
        let listed = api.call(Operation::ListTrafficPolicies, &[], "", "").unwrap();
        assert!(listed.at("TrafficPolicySummaries").children().is_empty());
        let gone = api.call(Operation::CreateTrafficPolicyVersion, &[&id], "", &body).unwrap_err();
        assert_eq!(gone.code(), Code::NoSuchTrafficPolicy);
        assert!(api.policy("canary", &document("A", "192.0.2.1")).is_ok(), "the name is free");
    }

    #[test]
    fn names_documents_and_numbers_are_checked() {
        let api = TestApi::new();
        let id = api.policy("canary", &document("A", "192.0.2.1")).unwrap();
        let code = |outcome: Result<String, ApiError>| outcome.unwrap_err().code();
        assert_eq!(code(api.policy("canary", &document("A", "192.0.2.1"))), Code::TrafficPolicyAlreadyExists);
        assert_eq!(code(api.policy("other", "{}")), Code::InvalidTrafficPolicyDocument);
        assert_eq!(code(api.policy("", &document("A", "192.0.2.1"))), Code::InvalidInput);
        let get =
            |id: &str, number: &str| api.call(Operation::GetTrafficPolicy, &[id, number], "", "").unwrap_err().code();
        assert_eq!(get(&id, "2"), Code::NoSuchTrafficPolicy);
        assert_eq!(get("none", "1"), Code::NoSuchTrafficPolicy);
        assert_eq!(get(&id, "0"), Code::InvalidInput);
        let marker = api.call(Operation::ListTrafficPolicies, &[], "trafficpolicyid=none", "").unwrap_err();
        assert_eq!(marker.code(), Code::InvalidInput);
    }
}
