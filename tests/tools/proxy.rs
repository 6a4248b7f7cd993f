//! The status page behind a proxy with TLS and a path prefix: the snippets of docs/proxy.md in real
//! proxies.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::needs;
use crate::server::{Lab, PATIENCE, block_on};
use reqwest::{Client, Response, StatusCode, Url};

const HOST: &str = "ops.example.net";
const TOKEN: &str = "c2VjcmV0LW9mLXRoaXMtdGVzdA==";
const ZONE: &str = "name = 'lab.test'\n[[health_check]]\nname = 'app'\ntype = 'manual'\nstatus = 'healthy'\n";

/// A running proxy, stopped on drop.
struct Proxy {
    process: Child,
    client: Client,
    /// The URL of the status page for browsers.
    page: Url,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The first code block of this language in docs/proxy.md with these replacements, each of which
/// must match.
fn snippet(language: &str, replacements: &[(&str, &str)]) -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/proxy.md")).unwrap();
    let (_, rest) = page.split_once(&format!("```{language}\n")).unwrap();
    let mut text = rest.split_once("```").unwrap().0.to_owned();
    for (from, to) in replacements {
        assert!(text.contains(from), "{from} is not in the snippet for {language}:\n{text}");
        text = text.replace(from, to);
    }
    text
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server with the settings of docs/proxy.md, for a proxy on this port.
fn lab(port: u16) -> Lab {
    let lab = Lab::new(&[("lab.test.toml", ZONE)]);
    lab.write("admin.token", TOKEN);
    let snippet = snippet("toml", &[(HOST, &format!("{HOST}:{port}")), ("[admin]\n", "")]);
    let settings = fs::read_to_string(lab.path("fiftythree.toml")).unwrap() + &snippet;
    lab.write("fiftythree.toml", &settings);
    lab
}

/// A certificate for the host, in the directory of the lab, and a client that trusts it and
/// resolves the host.
fn tls(lab: &Lab, port: u16) -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    lab.write("host.pem", &made.cert.pem());
    lab.write("host.key", &made.signing_key.serialize_pem());
    let certificate = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let client = Client::builder().tls_certs_only([certificate]).resolve(HOST, ([127, 0, 0, 1], port).into());
    client.no_proxy().build().unwrap()
}

fn start(mut command: Command, client: Client, port: u16) -> Proxy {
    let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let page = Url::parse(&format!("https://{HOST}:{port}/dns/")).unwrap();
    Proxy { process, client, page }
}

fn nginx(lab: &Lab, admin: &str, port: u16) -> Proxy {
    let client = tls(lab, port);
    let path = |name: &str| lab.path(name).display().to_string();
    let server = snippet(
        "nginx",
        &[
            ("listen 443 ssl", &format!("listen 127.0.0.1:{port} ssl")),
            ("/etc/ssl/certs/ops.example.net.pem", &path("host.pem")),
            ("/etc/ssl/private/ops.example.net.key", &path("host.key")),
            ("192.0.2.0/24", "127.0.0.0/8"),
            ("127.0.0.1:8053", admin),
        ],
    );
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|what| format!("{what}_temp_path {};\n", path(what)))
        .collect();
    let log = path("nginx.log");
    lab.write(
        "nginx.conf",
        &format!(
            "daemon off;\nmaster_process off;\npid {};\nerror_log {log};\nevents {{}}\n\
             http {{\naccess_log off;\n{temporary}{server}}}\n",
            path("nginx.pid")
        ),
    );
    let mut command = Command::new(needs::find("nginx").unwrap());
    command.arg("-c").arg(lab.path("nginx.conf")).arg("-e").arg(&log);
    start(command, client, port)
}

fn caddy(lab: &Lab, admin: &str, port: u16) -> Proxy {
    let client = tls(lab, port);
    let (certificate, key) = (lab.path("host.pem"), lab.path("host.key"));
    let own = format!("https://{HOST}:{port} {{\n    tls {} {}\n", certificate.display(), key.display());
    let site = snippet(
        "caddyfile",
        &[("ops.example.net {\n", &own), ("192.0.2.0/24", "127.0.0.0/8"), ("127.0.0.1:8053", admin)],
    );
    lab.write("Caddyfile", &format!("{{\n    admin off\n    auto_https disable_redirects\n}}\n{site}"));
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(lab.path("Caddyfile"));
    command.env("HOME", lab.path("")).env("XDG_DATA_HOME", lab.path("data")).env("XDG_CONFIG_HOME", lab.path("config"));
    start(command, client, port)
}

impl Proxy {
    /// Waits until the proxy forwards requests.
    async fn ready(&mut self) {
        let began = Instant::now();
        loop {
            let problem = match self.client.get(self.at("healthz")).send().await {
                Ok(response) if response.status() == StatusCode::OK => return,
                Ok(response) => response.status().to_string(),
                Err(error) => format!("{error:?}"),
            };
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("the proxy ended ({status})");
            }
            assert!(began.elapsed() < PATIENCE, "the proxy does not forward: {problem}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    fn at(&self, relative: &str) -> Url {
        self.page.join(relative).unwrap()
    }

    fn origin(&self) -> String {
        self.page.origin().ascii_serialization()
    }

    /// Sets an override like a page of this origin.
    async fn change(&self, origin: &str, token: Option<&str>) -> StatusCode {
        let body = r#"{"pattern":"app","action":"down"}"#;
        let mut request = self.client.post(self.at("v1/overrides")).header("Origin", origin).body(body);
        request = request.header("Content-Type", "application/json").header("Sec-Fetch-Site", "same-origin");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap().status()
    }

    /// Loads the page and its resources.
    async fn load(&self) {
        // Without the final slash.
        let typed = self.page.as_str().trim_end_matches('/');
        let page = self.client.get(typed).send().await.unwrap();
        assert_eq!((page.status(), page.url()), (StatusCode::OK, &self.page));
        let mut loaded = BTreeSet::new();
        let mut wanted: Vec<Url> = addresses(&page.text().await.unwrap(), &["href=\"", "src=\""], &self.page);
        while let Some(url) = wanted.pop() {
            if !loaded.insert(url.clone()) {
                continue;
            }
            let response = self.client.get(url.clone()).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::OK, "{url}");
            if url.path().ends_with(".js") {
                wanted.extend(addresses(&response.text().await.unwrap(), &["from \"./"], &url));
            }
        }
        assert!(loaded.len() > 15 && loaded.contains(&self.at("page/dom.js")), "{loaded:?}");
    }
}

/// The URLs after these prefixes, without fragments of the page itself.
fn addresses(text: &str, beginnings: &[&str], base: &Url) -> Vec<Url> {
    let found = beginnings.iter().flat_map(|beginning| text.split(beginning).skip(1));
    let written = found.map(|rest| rest.split('"').next().unwrap()).filter(|written| !written.starts_with('#'));
    written.map(|written| base.join(written).unwrap()).collect()
}

/// Reads events until this one.
async fn read_until(events: &mut Response, text: &str) {
    let mut seen = String::new();
    while !seen.contains(text) {
        let chunk =
            tokio::time::timeout(PATIENCE, events.chunk()).await.unwrap_or_else(|_| panic!("only came: {seen}"));
        seen.push_str(std::str::from_utf8(&chunk.unwrap().expect("the events end")).unwrap());
    }
}

pub(crate) fn the_page_behind_nginx() {
    let port = free_port();
    let lab = lab(port);
    let server = lab.serve();
    block_on(play(nginx(&lab, &server.admin(), port)));
}

pub(crate) fn the_page_behind_caddy() {
    let port = free_port();
    let lab = lab(port);
    let server = lab.serve();
    block_on(play(caddy(&lab, &server.admin(), port)));
}

async fn play(mut proxy: Proxy) {
    proxy.ready().await;
    proxy.load().await;
    let mut events = proxy.client.get(proxy.at("v1/events")).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    read_until(&mut events, "event: hello").await;
    assert_eq!(proxy.change(&proxy.origin(), None).await, StatusCode::UNAUTHORIZED);
    assert_eq!(proxy.change("https://evil.test", Some(TOKEN)).await, StatusCode::FORBIDDEN);
    assert_eq!(proxy.change(&proxy.origin(), Some(TOKEN)).await, StatusCode::CREATED);
    // At once, before a heartbeat would flush a buffer.
    read_until(&mut events, "event: override").await;
}

/// Requests through a proxy come from loopback. Without a token they may change nothing.
pub(crate) fn without_a_token_nothing_changes_behind_a_proxy() {
    let lab = lab(443);
    let settings = fs::read_to_string(lab.path("fiftythree.toml")).unwrap();
    lab.write("fiftythree.toml", &settings.replace("token_file", "# token_file"));
    let server = lab.serve();
    let output = lab.run(&["override", "set", "app", "down", "--admin", &server.admin()]);
    assert!(!output.status.success());
    let text = crate::server::text(&output.stderr);
    assert!(text.contains("nothing may be changed"), "{text}");
}
