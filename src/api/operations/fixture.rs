//! Operations on objects in memory, for tests.

use std::sync::Arc;
use std::time::Duration;

use super::{ApiError, Context, run};
use crate::api::operation::Operation;
use crate::api::request::Request;
use crate::api::xml::Element;
use crate::control::HealthReader;
use crate::model::StrictRules;
use crate::objects::MemoryObjects;

/// The operations, and the objects that they change.
pub(in crate::api) struct TestApi {
    context: Context,
}

impl TestApi {
    /// Without any objects.
    pub(in crate::api) fn new() -> TestApi {
        TestApi::strict(StrictRules::default())
    }

    /// The same in strict mode with these rules.
    pub(in crate::api) fn strict(rules: StrictRules) -> TestApi {
        let objects = Arc::new(MemoryObjects::default());
        let context = Context::new(objects, HealthReader::for_tests(), Duration::from_secs(60));
        TestApi { context: context.with_strict_rules(rules) }
    }

    /// Runs an operation: the parameters of its path and its query, and its body without the root
    /// element. Returns the root element of the response.
    pub(in crate::api) fn call(
        &self,
        operation: Operation,
        ids: &[&str],
        query: &str,
        body: &str,
    ) -> Result<Element, ApiError> {
        let body = format!("<{0}Request>{body}</{0}Request>", operation.name());
        let request = Request::for_tests(operation, ids, query, &body);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(&self.context, &request)).map(|response| response.element())
    }
}

impl Element {
    /// The element at a path of names, such as `HostedZone/Id`.
    pub(in crate::api) fn at(&self, path: &str) -> &Element {
        self.find(path).unwrap_or_else(|| panic!("no {path} in {self:?}"))
    }

    /// The same, if there is one.
    pub(in crate::api) fn find(&self, path: &str) -> Option<&Element> {
        path.split('/').try_fold(self, |element, name| element.children().iter().find(|child| child.name() == name))
    }

    /// The text at a path of names.
    pub(in crate::api) fn text_at(&self, path: &str) -> &str {
        self.at(path).text()
    }
}
