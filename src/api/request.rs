//! A request as an operation sees it, and the response that the operation makes.

use std::sync::OnceLock;

use super::caller::Caller;
use super::errors::{ApiError, Code};
use super::operation::Operation;
use super::xml::{Element, NAMESPACE, Writer};
use crate::objects::Submission;

/// A request whose caller may make it, as far as that does not depend on a zone's name.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) operation: Operation,
    /// The parameters of the path, such as `Id`.
    pub(super) ids: Vec<(&'static str, String)>,
    /// The parameters of the query. Names are lower case.
    pub(super) query: Vec<(String, String)>,
    /// The element `<Operation>Request`.
    pub(super) body: Option<Element>,
    pub(crate) caller: Caller,
    /// `http://127.0.0.1:4566/2013-04-01`: this server as the client sees it, and the version of
    /// the API that the request uses.
    pub(super) base_url: String,
    /// The change that GetChange reports, once the operation begins one.
    pub(super) submission: OnceLock<Submission>,
}

/// A page of a list: how many items it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageSize(usize);

/// What an operation responds with: a document, and the place of what was created.
#[derive(Debug)]
pub(crate) struct Response {
    pub(super) location: Option<String>,
    pub(super) body: String,
}

/// The result of an operation.
pub(crate) type Outcome = Result<Response, ApiError>;

impl Request {
    /// A parameter of the path, decoded: for ids of zones, changes and delegation sets without the
    /// prefix `/hostedzone/`.
    pub(crate) fn id(&self, name: &str) -> &str {
        let found = self.ids.iter().find(|(known, _)| *known == name);
        found.map(|(_, id)| id.as_str()).expect("the path of the operation has this parameter")
    }

    /// A parameter of the query. An empty one is as if it were absent.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }

    /// A parameter of the query that must be there.
    pub(crate) fn required_query(&self, name: &str) -> Result<&str, ApiError> {
        let missing = || ApiError::invalid_input(format!("Missing required parameter '{name}'"));
        self.query(name).ok_or_else(missing)
    }

    /// The body.
    pub(crate) fn body(&self) -> Result<&Element, ApiError> {
        self.body.as_ref().ok_or_else(|| ApiError::new(Code::MalformedInput, "The request has no body."))
    }

    /// The parameter `maxitems` or `maxresults`. More than the largest page is the largest page.
    pub(crate) fn page_size(&self, parameter: &str, default: usize, most: usize) -> Result<PageSize, ApiError> {
        let Some(written) = self.query(parameter) else { return Ok(PageSize(default)) };
        match written.parse::<usize>() {
            Ok(items) if items > 0 => Ok(PageSize(items.min(most))),
            _ => Err(ApiError::invalid_input(format!("'{written}' is not a valid value for '{parameter}'"))),
        }
    }

    /// The response: `content` writes what is in `<Operation>Response`.
    pub(crate) fn response(&self, content: impl FnOnce(&mut Writer)) -> Response {
        let mut xml = Writer::root(&format!("{}Response", self.operation.name()), NAMESPACE);
        content(&mut xml);
        Response { location: None, body: xml.finish() }
    }

    /// The URL of something, for the `Location` header: `hostedzone/Z1`.
    pub(crate) fn url_of(&self, path: &str) -> String {
        format!("{}/{path}", self.base_url)
    }
}

impl PageSize {
    pub(crate) fn get(self) -> usize {
        self.0
    }
}

impl std::fmt::Display for PageSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Response {
    /// With a `Location` header.
    #[must_use]
    pub(crate) fn at(self, url: String) -> Response {
        Response { location: Some(url), ..self }
    }
}

#[cfg(test)]
impl Request {
    /// A request with these parameters and body, for tests of operations.
    pub(crate) fn for_tests(operation: Operation, ids: &[&str], query: &str, body: &str) -> Request {
        let names = super::router::parameters(operation.path());
        Request {
            operation,
            ids: names.zip(ids.iter().map(ToString::to_string)).collect(),
            query: super::router::query(query),
            body: (!body.is_empty()).then(|| Element::read(body.as_bytes()).unwrap()),
            caller: Caller::everybody(),
            submission: OnceLock::new(),
            base_url: format!("http://127.0.0.1:4566{}", super::router::Version::Current.path()),
        }
    }
}

#[cfg(test)]
impl Response {
    /// The document, for tests of operations.
    pub(crate) fn element(&self) -> Element {
        Element::read(self.body.as_bytes()).unwrap()
    }
}
