//! The message that the server prints when it is ready.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::thread;

use crate::admin::{Changes, Token};
use crate::config::{self, LogFormat};
use crate::model::StrictRule;

use super::Ready;
use super::api::ApiUrl;

/// Where the message is read, as far as it matters for the link to the status page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// A terminal of this machine. The only place where the token is shown.
    Terminal,
    /// A file, a pipe or the journal.
    Log,
    /// The log of a container, even if it has a terminal: the engine keeps what is printed there.
    Container,
}

/// Prints the addresses of the server and a command to try. With JSON logs, they are logged
/// instead.
pub(super) fn announce(log_format: LogFormat, ready: &Ready) {
    let Ready { addresses, admin, api, permission, base, summary } = ready;
    let totals = summary.totals();
    if log_format == LogFormat::Json {
        addresses.iter().for_each(|address| tracing::info!(%address, "listening"));
        if let Some(admin) = admin {
            tracing::info!(%admin, "status page: http://{admin}/");
        }
        if let Some(ApiUrl { url, waits_for_keys, .. }) = api {
            let others = if *waits_for_keys { format!(" ({FOR_OTHERS})") } else { String::new() };
            tracing::info!("Route 53 API: {url}{others}");
        }
        tracing::info!("serving {totals}");
        return;
    }
    let mut text = format!("fiftythree {}\n", env!("CARGO_PKG_VERSION"));
    for address in addresses {
        let _ = writeln!(text, "  listening on {address}, UDP and TCP");
    }
    if let Some(admin) = admin {
        text.push_str(&status_page(*admin, &permission.changes, permission.made.as_ref(), reader()));
    }
    text.push_str(&api.as_ref().map(route_53_api).unwrap_or_default());
    let _ = writeln!(text, "  serving {totals}");
    if let (Some(address), Some(name)) = (addresses.first(), base.example()) {
        let server = config::reachable(*address);
        let _ = writeln!(text, "  try: dig @{} -p {} {name}", server.ip(), server.port());
    }
    // A terminal that does not read must not stop the server. The thread that writes to it ends
    // with the process.
    let write = move || {
        let _ = io::stdout().write_all(text.as_bytes());
    };
    let _ = thread::Builder::new().name("announce".to_owned()).spawn(write);
}

/// How an API that listens on loopback until there is a key is reached by others.
const FOR_OTHERS: &str = "only here; with a key others reach it, in a container for example with: \
                          -e FIFTYTHREE_API_ACCESS_KEY_ID=test -e FIFTYTHREE_API_SECRET_ACCESS_KEY=test \
                          -p 127.0.0.1:4566:4566";

/// What to paste into a shell to use the API. boto3 reads `AWS_DEFAULT_REGION`, other SDKs
/// `AWS_REGION`.
fn route_53_api(api: &ApiUrl) -> String {
    let (id, secret) = match api.needs_key {
        true => ("…", "…"),
        // Not verified, but clients do not send requests without a key.
        false => ("test", "test"),
    };
    let others = if api.waits_for_keys { format!("    {FOR_OTHERS}\n") } else { String::new() };
    let rules: Vec<&str> = api.strict.iter().map(StrictRule::name).collect();
    let strict = if rules.is_empty() { String::new() } else { format!("    strict: {}\n", rules.join(", ")) };
    format!(
        "  Route 53 API: {url}\n{strict}{others}    export AWS_ENDPOINT_URL_ROUTE_53={url}\n    \
         export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1\n    \
         export AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={secret}\n",
        url = api.url
    )
}

/// The URL of the status page, and how to reach it from outside if that is not obvious.
fn status_page(admin: SocketAddr, changes: &Changes, made: Option<&Token>, reader: Reader) -> String {
    let url = format!("http://{admin}/");
    let port = admin.port();
    let is_private = admin.ip().is_loopback();
    let mut lines = match (reader, made) {
        (Reader::Container, _) if is_private => vec![
            format!("status page: {url} inside this container"),
            format!(
                "  to open it from outside: serve --admin 0.0.0.0:{port}, and publish the port: -p 127.0.0.1:{port}:{port}"
            ),
        ],
        (Reader::Container, _) => {
            vec![format!("status page: {url} inside this container; outside it is where port {port} is published")]
        }
        (Reader::Terminal, Some(token)) => vec![
            format!("status page: {url}#token={}", token.text()),
            "  this link has the admin token, which allows changes; do not pass it on".to_owned(),
        ],
        _ if admin.ip().is_unspecified() => vec![format!("status page: {url} at every address of this machine")],
        _ => vec![format!("status page: {url}")],
    };
    if matches!(changes, Changes::Forbidden) || (reader == Reader::Container && is_private && made.is_some()) {
        lines.push("  changes from outside need a token: set FIFTYTHREE_ADMIN_TOKEN or [admin] token_file".to_owned());
    }
    lines.iter().fold(String::new(), |text, line| text + "  " + line + "\n")
}

fn reader() -> Reader {
    match (is_in_container(), io::stdout().is_terminal()) {
        (true, _) => Reader::Container,
        (false, true) => Reader::Terminal,
        (false, false) => Reader::Log,
    }
}

/// True for the main process of a container, whose output the engine keeps: of Docker, Podman, LXC,
/// systemd-nspawn or Kubernetes. Its parent may be a small init program.
fn is_in_container() -> bool {
    if ![std::process::id(), parent()].contains(&1) {
        return false;
    }
    let files = ["/.dockerenv", "/run/.containerenv"];
    let variables = ["container", "KUBERNETES_SERVICE_HOST"];
    files.iter().any(|file| Path::new(file).exists()) || variables.iter().any(|name| std::env::var_os(name).is_some())
}

#[cfg(unix)]
fn parent() -> u32 {
    std::os::unix::process::parent_id()
}

#[cfg(not(unix))]
fn parent() -> u32 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StrictRules;

    const TOKEN: &str = "c2VjcmV0LXRva2Vu";

    fn shown(admin: &str, changes: &Changes, reader: Reader) -> String {
        let token = Token::new(TOKEN).unwrap();
        let made = matches!(changes, Changes::TokenFile(_)).then_some(&token);
        status_page(admin.parse().unwrap(), changes, made, reader)
    }

    #[test]
    fn the_lines_for_the_api_can_be_pasted() {
        let strict = StrictRules::default();
        let url = "http://127.0.0.1:4566".to_owned();
        let api = |needs_key| ApiUrl { url: url.clone(), needs_key, waits_for_keys: false, strict };
        let shown = |needs_key| route_53_api(&api(needs_key));
        assert_eq!(
            shown(false),
            "  Route 53 API: http://127.0.0.1:4566\n    export AWS_ENDPOINT_URL_ROUTE_53=http://127.0.0.1:4566\n    \
             export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1\n    export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test\n"
        );
        assert!(shown(true).contains("AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…"));
        let waits = route_53_api(&ApiUrl { waits_for_keys: true, ..api(false) });
        assert!(waits.contains("-e FIFTYTHREE_API_ACCESS_KEY_ID=test"), "{waits}");
        let strict = [StrictRule::Throttling, StrictRule::Quotas].into_iter().collect();
        let strict = route_53_api(&ApiUrl { strict, ..api(false) });
        assert!(strict.contains("4566\n    strict: throttling, quotas\n    export"), "{strict}");
    }

    #[test]
    fn only_a_terminal_shows_the_token() {
        let made = Changes::TokenFile("state/admin.token".into());
        assert_eq!(shown("127.0.0.1:8053", &made, Reader::Log), "  status page: http://127.0.0.1:8053/\n");
        let link = format!("  status page: http://127.0.0.1:8053/#token={TOKEN}\n");
        assert!(shown("127.0.0.1:8053", &made, Reader::Terminal).starts_with(&link));
        assert!(!shown("127.0.0.1:8053", &made, Reader::Container).contains(TOKEN));
        assert_eq!(
            shown("127.0.0.1:8053", &Changes::Programs, Reader::Terminal),
            "  status page: http://127.0.0.1:8053/\n"
        );
    }

    #[test]
    fn a_container_says_how_its_page_is_reached() {
        let made = Changes::TokenFile("state/admin.token".into());
        let inside = shown("127.0.0.1:8053", &made, Reader::Container);
        for says in ["--admin 0.0.0.0:8053", "-p 127.0.0.1:8053:8053", "FIFTYTHREE_ADMIN_TOKEN"] {
            assert!(inside.contains(says), "{says} in {inside}");
        }
        let published = shown("0.0.0.0:8053", &Changes::Forbidden, Reader::Container);
        assert!(published.contains("where port 8053 is published"), "{published}");
        assert!(published.contains("FIFTYTHREE_ADMIN_TOKEN"), "{published}");
        let with_token = Changes::Token(Token::new(TOKEN).unwrap());
        assert!(!shown("0.0.0.0:8053", &with_token, Reader::Container).contains("FIFTYTHREE_ADMIN_TOKEN"));
        assert!(shown("0.0.0.0:8053", &with_token, Reader::Log).contains("at every address of this machine"));
    }
}
