//! Which operation a request is for, by its method and path.

use axum::http::Method;

use super::errors::{ApiError, Code};
use super::operation::Operation;
use super::uri;
use super::xml::NAMESPACE;

/// A version of the API. Every path begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// 2013-04-01.
    Current,
    /// 2012-02-29, which Apache Libcloud still uses. Its operations are a part of those of today,
    /// with the same elements in another namespace.
    Old,
}

impl Version {
    /// The version of a path, and the rest of it.
    fn of(path: &str) -> Option<(Version, &str)> {
        let rest = |version: Version| path.strip_prefix(version.path()).filter(|rest| rest.starts_with('/'));
        [Version::Current, Version::Old].into_iter().find_map(|version| Some((version, rest(version)?)))
    }

    /// With what a path of this version begins.
    pub(super) fn path(self) -> &'static str {
        match self {
            Version::Current => "/2013-04-01",
            Version::Old => "/2012-02-29",
        }
    }

    /// The namespace of its elements.
    pub(super) fn namespace(self) -> &'static str {
        match self {
            Version::Current => NAMESPACE,
            Version::Old => "https://route53.amazonaws.com/doc/2012-02-29/",
        }
    }
}

/// The operation, and the parameters of its path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) version: Version,
    pub(super) operation: Operation,
    pub(super) ids: Vec<(&'static str, String)>,
    /// The path after the version, decoded and without what clients add to it.
    pub(super) path: String,
}

/// Finds the operation of a request. A slash at the end makes no difference: botocore sends
/// `/rrset/`, other SDKs `/rrset`.
pub(super) fn route(method: &Method, path: &str) -> Result<Route, ApiError> {
    let unknown = || {
        let message = format!("{method} {path} is not an operation of the Route 53 API 2013-04-01");
        ApiError::new(Code::UnknownOperationException, message)
    };
    let (version, rest) = Version::of(path).ok_or_else(unknown)?;
    let segments = segments(rest);
    let found =
        Operation::ALL.iter().find(|operation| operation.method() == *method && fits(operation.path(), &segments));
    let operation = *found.ok_or_else(unknown)?;
    let pattern = operation.path().split('/').skip(1);
    let ids = pattern.zip(&segments).filter_map(|(part, segment)| Some((parameter(part)?, segment.clone()))).collect();
    Ok(Route { version, operation, ids, path: format!("/{}", segments.join("/")) })
}

/// The namespace of the responses to a request for this path.
pub(super) fn namespace(path: &str) -> &'static str {
    Version::of(path).map_or(NAMESPACE, |(version, _)| version.namespace())
}

/// The parameters of a query, decoded.
pub(super) fn query(query: &str) -> Vec<(String, String)> {
    uri::pairs(query).map(|(name, value)| (uri::query_text(name), uri::query_text(value))).collect()
}

/// The names of the parameters of a path.
#[cfg(test)]
pub(super) fn parameters(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('/').filter_map(parameter)
}

fn parameter(part: &'static str) -> Option<&'static str> {
    part.strip_prefix('{')?.strip_suffix('}')
}

/// The segments of a path, decoded. Some clients send an id with its prefix, as
/// `/hostedzone//hostedzone/Z1` or `/hostedzone/%2Fhostedzone%2FZ1`. Tags have no such ids: Route
/// 53 answers that there is no such zone.
fn segments(path: &str) -> Vec<String> {
    let mut segments: Vec<String> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let text = uri::text(part);
        let is_tag = segments.first().is_some_and(|first| first == "tags");
        let text = match text.rsplit_once('/') {
            Some((_, id)) if !is_tag => id.to_owned(),
            _ => text,
        };
        if !is_prefix_of_id(&segments, &text) {
            segments.push(text);
        }
    }
    segments
}

/// The second `hostedzone` of `/hostedzone//hostedzone/Z1`.
fn is_prefix_of_id(before: &[String], text: &str) -> bool {
    matches!(before, [kind] if kind == text) && ["hostedzone", "change", "delegationset"].contains(&text)
}

fn fits(pattern: &'static str, segments: &[String]) -> bool {
    let mut parts = pattern.split('/').skip(1);
    segments.iter().all(|segment| parts.next().is_some_and(|part| part == segment || parameter(part).is_some()))
        && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &Method, path: &str) -> Option<(&'static str, String)> {
        let route = route(method, path).ok()?;
        let ids: Vec<_> = route.ids.iter().map(|(name, id)| format!("{name}={id}")).collect();
        Some((route.operation.name(), ids.join(" ")))
    }

    #[test]
    fn every_operation_is_found_by_its_own_path() {
        for operation in Operation::ALL {
            let path = format!("{}{}", Version::Current.path(), operation.path().replace(['{', '}'], ""));
            let route = route(&operation.method(), &path).unwrap();
            assert_eq!(route.operation, *operation, "{path}");
            assert!(route.ids.iter().all(|(name, id)| name == id), "{route:?}");
            assert_eq!(route.ids.len(), operation.path().matches('{').count());
        }
    }

    #[test]
    fn ids_are_accepted_in_the_forms_that_clients_send() {
        let expected = Some(("ListResourceRecordSets", "Id=Z1".to_owned()));
        for path in [
            "/2013-04-01/hostedzone/Z1/rrset",
            "/2013-04-01/hostedzone/Z1/rrset/",
            "/2013-04-01/hostedzone//hostedzone/Z1/rrset",
            "/2013-04-01/hostedzone/%2Fhostedzone%2FZ1/rrset",
            "/2013-04-01/hostedzone/hostedzone%2fZ1/rrset",
            "/2012-02-29/hostedzone/Z1/rrset",
        ] {
            assert_eq!(found(&Method::GET, path), expected, "{path}");
        }
        assert_eq!(found(&Method::GET, "/2013-04-01/change//change/C1"), Some(("GetChange", "Id=C1".to_owned())));
        let tags = "/2013-04-01/tags/hostedzone/%2Fhostedzone%2FZ1";
        assert_eq!(
            found(&Method::GET, tags),
            Some(("ListTagsForResource", "ResourceType=hostedzone ResourceId=/hostedzone/Z1".to_owned()))
        );
        assert_eq!(
            found(&Method::POST, "/2013-04-01/hostedzone/Z1"),
            Some(("UpdateHostedZoneComment", "Id=Z1".to_owned()))
        );
    }

    #[test]
    fn responses_have_the_namespace_of_the_version() {
        assert_eq!(namespace("/2013-04-01/hostedzone"), NAMESPACE);
        assert_eq!(namespace("/2012-02-29/hostedzone"), "https://route53.amazonaws.com/doc/2012-02-29/");
        assert_eq!(namespace("/"), NAMESPACE);
    }

    #[test]
    fn other_paths_and_methods_are_unknown() {
        for (method, path) in [
            (Method::GET, "/"),
            (Method::GET, "/2013-04-01"),
            (Method::GET, "/2013-04-01x/hostedzone"),
            (Method::GET, "/2013-04-01/hostedzones"),
            (Method::GET, "/2013-04-01/hostedzone/Z1/rrset/more"),
            (Method::PUT, "/2013-04-01/hostedzone/Z1"),
            (Method::GET, "/2012-12-12/hostedzone"),
        ] {
            let error = route(&method, path).unwrap_err();
            assert_eq!(error.code(), Code::UnknownOperationException, "{method} {path}");
        }
    }

    #[test]
    fn a_query_is_decoded() {
        let pairs = query("name=a%2Eb.&type=&maxitems&x=1+2");
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("name", "a.b."), ("type", ""), ("maxitems", ""), ("x", "1 2")]);
    }
}
