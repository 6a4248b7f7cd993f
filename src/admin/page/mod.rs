//! The status page: its files, as part of the binary.
//!
//! The files are plain HTML, CSS and JavaScript modules, without a build step, and load nothing
//! from other servers. The Content-Security-Policy below lets the browser run only these files.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

/// Path, content type and content of each file.
type Asset = (&'static str, &'static str, &'static str);

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! assets {
    ($($path:literal $kind:ident $file:literal;)*) => {
        const ASSETS: &[Asset] = &[$(($path, $kind, include_str!($file)),)*];
    };
}

assets! {
    "/" HTML "index.html";
    "/page/page.css" CSS "page.css";
    "/page/icon.svg" SVG "icon.svg";
    "/page/api.js" SCRIPT "api.js";
    "/page/checks.js" SCRIPT "checks.js";
    "/page/combobox.js" SCRIPT "combobox.js";
    "/page/dom.js" SCRIPT "dom.js";
    "/page/explain.js" SCRIPT "explain.js";
    "/page/explanation.js" SCRIPT "explanation.js";
    "/page/format.js" SCRIPT "format.js";
    "/page/land.js" SCRIPT "land.js";
    "/page/live.js" SCRIPT "live.js";
    "/page/main.js" SCRIPT "main.js";
    "/page/map.js" SCRIPT "map.js";
    "/page/overrides.js" SCRIPT "overrides.js";
    "/page/overview.js" SCRIPT "overview.js";
    "/page/suggestions.js" SCRIPT "suggestions.js";
    "/page/timeline.js" SCRIPT "timeline.js";
    "/page/zones.js" SCRIPT "zones.js";
}

/// Scripts and styles of our own, connections to ourselves, and nothing else; no text becomes
/// markup or code by accident (`require-trusted-types-for`), and no other page shows this one in a
/// frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

/// Headers of every response.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    ASSETS.iter().fold(Router::new(), |router, &(path, kind, text)| {
        // A restart can bring other files, so the browser revalidates each time.
        let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")];
        router.route(path, get(move || async move { (headers, text).into_response() }))
    })
}

/// Middleware that adds those headers.
pub(super) async fn protect(request: Request, next: Next) -> Response {
    protected(next.run(request).await)
}

pub(super) fn protected(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
pub(super) fn paths() -> impl Iterator<Item = &'static str> {
    ASSETS.iter().map(|(path, ..)| *path)
}
