//! The server's settings: reads `fiftythree.toml` and fills in the defaults.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::admin::PublicUrl;
use super::api::{self, ApiSettings};
use super::cluster::{ClusterSettings, read_cluster};
use super::cookies::{CookieSettings, read_cookies};
use super::diagnostic::Diagnostic;
use super::document::{self, Diagnostics};
use super::listeners::{self, AddressFlag, ListenFlags, Listener, Origin, Service};
use super::location::{ClientSubnetUse, LocationSettings, read_location};
use super::process::{ProcessSettings, read_process};
use super::query_logging::{self, DnstapSettings, MetricsSettings, QueryLogSettings};
use super::rate_limit::{RateLimitSettings, read_rate_limit};
use super::table::{At, Table};
use super::value::{self, path, read_list, resolve, without_repetition};
use super::vpcs::read_vpcs;
use super::{SourceFile, admin, keys};
use crate::model::{Name, Secret, Vpc, VpcId};

/// All settings, with defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How queries are answered.
    pub dns: DnsSettings,
    /// DNS cookies.
    pub cookies: CookieSettings,
    /// How many responses over UDP one source gets.
    pub rate_limit: RateLimitSettings,
    /// Where the zone files are.
    pub zones: ZonesSettings,
    /// Where clients are.
    pub location: LocationSettings,
    /// Named client networks.
    pub vpcs: Vec<Vpc>,
    /// Names of VPCs, which zones can use instead of ids.
    pub vpc_names: HashMap<String, VpcId>,
    /// Settings for all health checks.
    pub health: HealthSettings,
    /// Where state is stored.
    pub state: StateSettings,
    /// The admin server.
    pub admin: AdminSettings,
    /// The Route 53 API; off by default.
    pub api: Option<ApiSettings>,
    /// The etcd that nodes share their configuration through; off by default.
    pub cluster: Option<ClusterSettings>,
    /// Notifications of status changes.
    pub webhook: WebhookSettings,
    /// The user of the process, and what it may do.
    pub process: ProcessSettings,
    /// The log on stderr.
    pub log: LogSettings,
    /// Optional metrics.
    pub metrics: MetricsSettings,
    /// Web servers to try health checks on.
    pub lab: LabSettings,
    /// The query log; off by default.
    pub query_log: Option<QueryLogSettings>,
    /// The dnstap output; off by default.
    pub dnstap: Option<DnstapSettings>,
}

/// `[dns]`
#[derive(Clone, Debug, PartialEq)]
pub struct DnsSettings {
    /// Addresses to listen on, each over UDP and TCP.
    pub listen: Vec<SocketAddr>,
    /// The number of UDP workers; 0 means one per core.
    pub workers: usize,
    /// The largest UDP response in bytes, 512..=4096.
    pub udp_payload_max: u16,
    /// The name server identifier (RFC 5001).
    pub nsid: Option<Vec<u8>>,
    /// Whether queries of class CHAOS for the version and the identifier are answered.
    pub chaos: bool,
    /// The name servers of zones without NS records of their own. Empty means `ns1.<zone>` with the
    /// listen addresses.
    pub name_servers: Vec<NameServer>,
}

/// A name server for zones without NS records of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct NameServer {
    /// Its absolute name.
    pub name: Name,
    /// Its addresses, added to zones that contain its name.
    pub addresses: Vec<IpAddr>,
}

/// `[zones]`
#[derive(Clone, Debug, PartialEq)]
pub struct ZonesSettings {
    /// The directory of the `*.toml` files.
    pub directory: PathBuf,
    /// Whether edited files are reloaded automatically.
    pub watch: bool,
}

/// `[health]`
#[derive(Clone, Debug, PartialEq)]
pub struct HealthSettings {
    /// How long the server waits for the first result of each check before it opens port 53.
    pub wait_for_first_result: Duration,
    /// PEM files with the authorities that checks with `verify_certificate` trust. Empty means the
    /// system's.
    pub certificate_authorities: Vec<PathBuf>,
    /// When all of these checks are unhealthy, this server counts as offline and other checks keep
    /// their status.
    pub sentinels: Vec<Sentinel>,
}

/// A check that shows whether this server is online, as written in the settings.
#[derive(Clone, Debug)]
pub struct Sentinel {
    /// Its name or id.
    pub check: String,
    pub(super) path: PathBuf,
    pub(super) span: Range<usize>,
}

/// The position is ignored.
impl PartialEq for Sentinel {
    fn eq(&self, other: &Sentinel) -> bool {
        self.check == other.check
    }
}

/// `[state]`
#[derive(Clone, Debug, PartialEq)]
pub struct StateSettings {
    /// The directory for last good zone files, health check states and API data.
    pub directory: PathBuf,
}

/// `[admin]`
#[derive(Clone, Debug, PartialEq)]
pub struct AdminSettings {
    /// The address for the status page and metrics; `None` when off.
    pub listen: Option<SocketAddr>,
    /// The file with the token that changes require.
    pub token_file: Option<PathBuf>,
    /// Accepted host names, in lower case and without the trailing dot.
    pub allowed_hosts: Vec<String>,
    /// The URL at which a proxy serves it to browsers.
    pub public_url: Option<PublicUrl>,
}

/// `[lab]`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabSettings {
    /// The loopback addresses of backends that the server starts.
    pub backends: Vec<SocketAddr>,
}

/// `[webhook]`
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookSettings {
    /// The URL to which status changes are posted.
    pub url: Option<Secret>,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq)]
pub struct LogSettings {
    /// The format of log lines.
    pub format: LogFormat,
}

/// The format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text, unless another setting selects JSON.
    Auto,
    /// Readable text.
    Text,
    /// One JSON object per line.
    Json,
}

/// DNS over UDP and TCP (RFC 1035 section 4.2).
const DNS_PORT: u16 = 53;
/// The admin server's default port; 8080 is often in use.
const ADMIN_PORT: u16 = 8053;
/// The largest UDP response that is not fragmented in practice (DNS flag day 2020).
const UDP_PAYLOAD_MAX: u16 = 1232;
/// With the longest question such an identifier fits in a response of 512 octets: 12 + 259 + 11 + 4
/// + 128 = 414.
const MAX_NSID_OCTETS: usize = 128;
/// As long as the slowest TCP check takes (10 s).
const WAIT_FOR_FIRST_RESULT: Duration = Duration::from_secs(10);

impl Settings {
    /// The directories of zone files: the zones directory, that of new zones if it is another, and
    /// the files of the cluster.
    pub fn zone_directories(&self) -> Vec<PathBuf> {
        let mut directories = self.zone_directories_on_disk();
        directories.extend(self.cluster.as_ref().map(ClusterSettings::directory));
        directories
    }

    /// The directories of zone files on this machine.
    pub fn zone_directories_on_disk(&self) -> Vec<PathBuf> {
        let main = &self.zones.directory;
        let new = self.api.as_ref().and_then(|api| api.zones_directory.as_ref()).filter(|new| *new != main);
        [Some(main), new].into_iter().flatten().cloned().collect()
    }

    /// The directory for the files of new zones, checks and collections.
    pub fn new_zones_directory(&self) -> PathBuf {
        let new = self.api.as_ref().and_then(|api| api.zones_directory.as_ref());
        match &self.cluster {
            Some(cluster) => cluster.directory(),
            None => new.unwrap_or(&self.zones.directory).clone(),
        }
    }

    /// The defaults for a server without a settings file, the same as for an empty
    /// `config/fiftythree.toml`.
    pub fn built_in() -> Settings {
        Settings::defaults_for(Path::new("config"))
    }

    /// The defaults, overridden by flags. Returns the settings when there is no error, and all
    /// diagnostics.
    pub fn built_in_under(flags: &ListenFlags) -> (Option<Settings>, Vec<Diagnostic>) {
        let mut settings = Settings::built_in();
        let diagnostics = settings.listen_on(Listening::default(), flags);
        (diagnostics.is_empty().then_some(settings), diagnostics)
    }

    /// Reads a settings file. Returns the settings when there is no error, and all diagnostics.
    pub fn read(file: &SourceFile) -> (Option<Settings>, Vec<Diagnostic>) {
        Settings::read_under(file, &ListenFlags::default(), None)
    }

    /// Reads a settings file, overridden by flags and by the name that the environment has for this
    /// node.
    pub fn read_under(
        file: &SourceFile,
        flags: &ListenFlags,
        node: Option<&str>,
    ) -> (Option<Settings>, Vec<Diagnostic>) {
        let (root, mut diagnostics) = document::parse(file);
        let end = diagnostics.text().len().min(1);
        let root = Table::open(&root, &keys::SETTINGS, 0..end, &mut diagnostics);
        let directory = file.path.parent().unwrap_or(Path::new(""));
        let (mut settings, listening) = read_settings(&root, directory, node, &mut diagnostics);
        diagnostics.extend(settings.listen_on(listening, flags));
        let diagnostics = diagnostics.into_diagnostics();
        let broken = diagnostics.iter().any(Diagnostic::is_error);
        ((!broken).then_some(settings), diagnostics)
    }

    /// Sets the listen addresses: flags override the file, the file overrides the defaults.
    /// Conflicting addresses are errors.
    fn listen_on(&mut self, file: Listening, flags: &ListenFlags) -> Vec<Diagnostic> {
        let dns = listeners::of_service(Service::Dns, &flags.listen, file.dns, &self.dns.listen);
        let default = self.admin.listen.filter(|_| !file.is_admin_off);
        let admin = match flags.admin {
            Some(AddressFlag::Off) => Vec::new(),
            Some(AddressFlag::Listen(address)) => listeners::of_service(Service::Admin, &[address], None, &[]),
            None => listeners::of_service(Service::Admin, &[], file.admin, default.as_slice()),
        };
        let has_keys = self.api.as_ref().is_some_and(|api| api.has_keys(flags.environment_key));
        let api = if has_keys && !file.api_with_keys.is_empty() { file.api_with_keys } else { file.api };
        let api = self.api_listeners(api, flags.api);
        self.dns.listen = dns.iter().map(|listener| listener.address).collect();
        self.admin.listen = admin.first().map(|listener| listener.address);
        self.lab.backends = file.lab.iter().map(|listener| listener.address).collect();
        let mut diagnostics = match &self.api {
            Some(settings) => api::open_listeners(settings, &api, flags.environment_key),
            None => Vec::new(),
        };
        diagnostics.extend(listeners::conflicts(&[dns, admin, api, file.lab].concat()));
        diagnostics
    }

    /// The listeners of the API. The flag turns it on or off.
    fn api_listeners(&mut self, file: Vec<Listener>, flag: Option<AddressFlag>) -> Vec<Listener> {
        let listeners = match flag {
            Some(AddressFlag::Off) => {
                self.api = None;
                Vec::new()
            }
            Some(AddressFlag::Listen(address)) => listeners::of_service(Service::Api, &[address], None, &[]),
            None => file,
        };
        if !listeners.is_empty() {
            let settings = self.api.get_or_insert_default();
            settings.listen = listeners.iter().map(|listener| listener.address).collect();
        }
        listeners
    }

    /// The defaults for a settings file in `directory`.
    fn defaults_for(directory: &Path) -> Settings {
        Settings {
            dns: DnsSettings {
                listen: vec![
                    SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), DNS_PORT),
                    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), DNS_PORT),
                ],
                workers: 0,
                udp_payload_max: UDP_PAYLOAD_MAX,
                nsid: None,
                chaos: false,
                name_servers: Vec::new(),
            },
            cookies: CookieSettings::default(),
            rate_limit: RateLimitSettings::default(),
            zones: ZonesSettings { directory: resolve(directory, "../zones"), watch: true },
            location: LocationSettings {
                geoip: Vec::new(),
                use_client_subnet: ClientSubnetUse::Use,
                networks: Vec::new(),
                latency: Vec::new(),
            },
            vpcs: Vec::new(),
            vpc_names: HashMap::new(),
            health: HealthSettings {
                wait_for_first_result: WAIT_FOR_FIRST_RESULT,
                certificate_authorities: Vec::new(),
                sentinels: Vec::new(),
            },
            state: StateSettings { directory: PathBuf::from("/var/lib/fiftythree") },
            admin: AdminSettings {
                listen: Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), ADMIN_PORT)),
                token_file: None,
                allowed_hosts: Vec::new(),
                public_url: None,
            },
            api: None,
            cluster: None,
            webhook: WebhookSettings { url: None },
            process: ProcessSettings::default(),
            log: LogSettings { format: LogFormat::Auto },
            metrics: MetricsSettings::default(),
            lab: LabSettings::default(),
            query_log: None,
            dnstap: None,
        }
    }
}

/// The listen addresses in a settings file.
#[derive(Default)]
struct Listening {
    /// `None` when the file does not have them.
    dns: Option<Vec<Listener>>,
    admin: Option<Vec<Listener>>,
    is_admin_off: bool,
    api: Vec<Listener>,
    /// Instead of `api` if there are keys.
    api_with_keys: Vec<Listener>,
    lab: Vec<Listener>,
}

/// The address at which this machine reaches a server that listens on `listen`: loopback in place
/// of the unspecified address.
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listen.port())
}

fn read_api(
    table: &Table<'_>,
    directory: &Path,
    listening: &mut Listening,
    diagnostics: &mut Diagnostics<'_>,
) -> ApiSettings {
    let listen = api::read_listen(table, diagnostics);
    let with_keys = api::read_listen_with_keys(table, diagnostics);
    let mut api = api::read_api(table, directory, diagnostics);
    api.listen_with_keys = with_keys.iter().map(|(address, _)| *address).collect();
    let placed = |(address, span)| listener(address, Service::Api, span, diagnostics);
    listening.api = listen.into_iter().map(placed).collect();
    listening.api_with_keys = with_keys.into_iter().map(placed).collect();
    api
}

fn read_settings(
    root: &Table<'_>,
    directory: &Path,
    node: Option<&str>,
    diagnostics: &mut Diagnostics<'_>,
) -> (Settings, Listening) {
    let (mut settings, mut listening) = (Settings::defaults_for(directory), Listening::default());
    root.integer("version", diagnostics);
    if let Some(table) = root.table("dns", diagnostics) {
        read_dns(&table, &mut settings.dns, diagnostics);
        listening.dns = read_listen(&table, diagnostics);
    }
    if let Some(table) = root.table("rate_limit", diagnostics) {
        settings.rate_limit = read_rate_limit(&table, diagnostics);
    }
    if let Some(table) = root.table("cookies", diagnostics) {
        settings.cookies = read_cookies(&table, directory, diagnostics);
    }
    if let Some(table) = root.table("zones", diagnostics) {
        set(&mut settings.zones.directory, path(&table, "directory", directory, diagnostics));
        set(&mut settings.zones.watch, table.boolean("watch", diagnostics).map(|watch| watch.value));
    }
    if let Some(table) = root.table("location", diagnostics) {
        read_location(&table, directory, &mut settings.location, diagnostics);
    }
    let vpcs = root.tables("vpc", diagnostics);
    read_vpcs(&vpcs, &mut settings.vpcs, &mut settings.vpc_names, diagnostics);
    if let Some(table) = root.table("health", diagnostics) {
        read_health(&table, directory, &mut settings.health, diagnostics);
    }
    if let Some(table) = root.table("state", diagnostics) {
        set(&mut settings.state.directory, path(&table, "directory", directory, diagnostics));
    }
    if let Some(table) = root.table("admin", diagnostics) {
        read_admin_listen(&table, &mut listening, diagnostics);
        settings.admin.token_file = path(&table, "token_file", directory, diagnostics);
        settings.admin.allowed_hosts = admin::read_allowed_hosts(&table, diagnostics);
        settings.admin.public_url = admin::read_public_url(&table, diagnostics);
    }
    if let Some(table) = root.table("api", diagnostics) {
        settings.api = Some(read_api(&table, directory, &mut listening, diagnostics));
    }
    if let Some(table) = root.table("cluster", diagnostics) {
        settings.cluster = read_cluster(&table, directory, node, diagnostics);
    }
    if let Some(table) = root.table("webhook", diagnostics) {
        settings.webhook.url = read_webhook(&table, diagnostics);
    }
    if let Some(table) = root.table("process", diagnostics) {
        settings.process = read_process(&table, diagnostics);
    }
    if let Some(table) = root.table("log", diagnostics) {
        set(&mut settings.log.format, read_log_format(&table, diagnostics));
    }
    if let Some(table) = root.table("metrics", diagnostics) {
        settings.metrics = query_logging::read_metrics(&table, diagnostics);
    }
    if let Some(table) = root.table("lab", diagnostics) {
        listening.lab = read_backends(&table, diagnostics);
    }
    if let Some(table) = root.table("query_log", diagnostics) {
        settings.query_log = query_logging::read_query_log(&table, directory, diagnostics);
    }
    if let Some(table) = root.table("dnstap", diagnostics) {
        settings.dnstap = query_logging::read_dnstap(&table, directory, diagnostics);
    }
    (settings, listening)
}

/// Replaces the default with the value that was read.
fn set<T>(setting: &mut T, read: Option<T>) {
    if let Some(read) = read {
        *setting = read;
    }
}

fn read_dns(table: &Table<'_>, dns: &mut DnsSettings, diagnostics: &mut Diagnostics<'_>) {
    let small = |number: At<i64>| u16::try_from(number.value).ok();
    set(&mut dns.workers, table.integer("workers", diagnostics).and_then(small).map(usize::from));
    set(&mut dns.udp_payload_max, table.integer("udp_payload_max", diagnostics).and_then(small));
    dns.nsid = read_nsid(table, diagnostics);
    set(&mut dns.chaos, table.boolean("chaos", diagnostics).map(|chaos| chaos.value));
    dns.name_servers = read_name_servers(table, diagnostics);
}

fn read_health(table: &Table<'_>, directory: &Path, health: &mut HealthSettings, diagnostics: &mut Diagnostics<'_>) {
    let wait = table.duration("wait_for_first_result", diagnostics);
    set(&mut health.wait_for_first_result, wait.map(|wait| wait.value));
    for written in table.strings("certificate_authorities", diagnostics).unwrap_or_default() {
        health.certificate_authorities.push(resolve(directory, written.value));
    }
    let path = diagnostics.path().to_owned();
    let sentinel =
        |written: At<&str>| Sentinel { check: written.value.to_owned(), path: path.clone(), span: written.span };
    let sentinels = table.strings("sentinels", diagnostics).unwrap_or_default();
    health.sentinels = sentinels.into_iter().map(sentinel).collect();
}

fn read_listen(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<Vec<Listener>> {
    let texts = table.strings("listen", diagnostics)?;
    if texts.is_empty() {
        let diagnostic = diagnostics.error(table.span_of("listen"), "`listen` must name at least one address");
        diagnostic.label("an empty list").hint("leave out `listen` for port 53 of every address");
    }
    let read = |text: &At<&str>, diagnostics: &mut Diagnostics<'_>| {
        let address = value::socket_address(text, DNS_PORT, diagnostics)?;
        Some(listener(address, Service::Dns, text.span.clone(), diagnostics))
    };
    Some(texts.iter().filter_map(|text| read(text, diagnostics)).collect())
}

fn listener(address: SocketAddr, service: Service, span: Range<usize>, diagnostics: &Diagnostics<'_>) -> Listener {
    Listener { address, service, origin: Origin::File { path: diagnostics.path().to_owned(), span } }
}

fn read_nsid(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<Vec<u8>> {
    let written = table.string("nsid", diagnostics)?;
    if !(1..=MAX_NSID_OCTETS).contains(&written.value.len()) {
        let message = format!("`nsid` must have from 1 to {MAX_NSID_OCTETS} bytes");
        diagnostics.error(written.span, message).label(format!("{} bytes", written.value.len()));
        return None;
    }
    Some(written.value.as_bytes().to_vec())
}

fn read_name_servers(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Vec<NameServer> {
    let mut servers: Vec<NameServer> = Vec::new();
    for table in table.tables("name_servers", diagnostics) {
        let Some(server) = read_name_server(&table, diagnostics) else { continue };
        if servers.iter().any(|known| known.name == server.name) {
            let span = table.span_of("name");
            diagnostics
                .error(span, format!("the name server `{}` is listed twice", server.name))
                .label("the second time");
        }
        servers.push(server);
    }
    servers
}

fn read_name_server(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<NameServer> {
    table.require("name", "such as { name = \"ns1.lab.test.\", addresses = [\"127.0.0.1\"] }", diagnostics);
    let addresses = read_list(table, "addresses", diagnostics, value::address);
    let written = table.string("name", diagnostics)?;
    let name = match Name::parse(written.value) {
        Ok(name) if name.label_count() > 1 && !name.is_wildcard() => Some(name),
        Ok(_) => {
            let diagnostic =
                diagnostics.error(written.span, format!("`{}` is not a valid name for a name server", written.value));
            diagnostic.label("expected an absolute name").hint("such as `ns1.lab.test.`");
            None
        }
        Err(error) => {
            diagnostics.error(written.span, error.to_string()).label("not a domain name");
            None
        }
    };
    let addresses = without_repetition(addresses.unwrap_or_default(), "address", diagnostics);
    Some(NameServer { name: name?, addresses })
}

fn read_admin_listen(table: &Table<'_>, listening: &mut Listening, diagnostics: &mut Diagnostics<'_>) {
    let Some(written) = table.string("listen", diagnostics) else { return };
    if written.value == "off" {
        listening.is_admin_off = true;
    } else if let Some(address) = value::socket_address(&written, ADMIN_PORT, diagnostics) {
        listening.admin = Some(vec![listener(address, Service::Admin, written.span, diagnostics)]);
    }
}

fn read_backends(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Vec<Listener> {
    let read = |text: &At<&str>, diagnostics: &mut Diagnostics<'_>| {
        let address = value::loopback_address(text, diagnostics)?;
        Some(listener(address, Service::Lab, text.span.clone(), diagnostics))
    };
    let texts = table.strings("backends", diagnostics).unwrap_or_default();
    texts.iter().filter_map(|text| read(text, diagnostics)).collect()
}

fn read_webhook(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<Secret> {
    let written = table.string("url", diagnostics)?;
    let url = written.value;
    let rest = url.strip_prefix("https://").or(url.strip_prefix("http://"));
    let has_host = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', ':', '?', '#']));
    if !has_host || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        let diagnostic = diagnostics.error(written.span, "`url` must be an HTTP or HTTPS URL");
        diagnostic.label("expected a URL").hint("such as \"https://hooks.example.com/services/T000/B000\"");
        return None;
    }
    Some(url.into())
}

fn read_log_format(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<LogFormat> {
    let format = table.choice("format", diagnostics)?;
    Some(match format.value {
        "text" => LogFormat::Text,
        "json" => LogFormat::Json,
        _ => LogFormat::Auto,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{DnstapTarget, QueryLogFormat, QueryLogTarget};
    use super::*;
    use crate::model::{QueryType, ResponseCode};

    fn read(path: &str, text: &str) -> Settings {
        let (settings, diagnostics) = Settings::read(&SourceFile::new(path, text));
        assert_eq!(diagnostics, []);
        settings.unwrap()
    }

    #[test]
    fn an_empty_file_says_what_is_built_in() {
        assert_eq!(read("config/fiftythree.toml", ""), Settings::built_in());
        assert_eq!(read("config/fiftythree.toml", "version = 1"), Settings::built_in());
        let built_in = Settings::built_in();
        assert_eq!(built_in.dns.listen.len(), 2);
        assert_eq!(built_in.zones.directory, Path::new("zones"));
        assert_eq!(built_in.state.directory, Path::new("/var/lib/fiftythree"));
    }

    #[test]
    fn every_address_is_reached_by_the_loopback() {
        assert_eq!(reachable("0.0.0.0:53".parse().unwrap()), "127.0.0.1:53".parse().unwrap());
        assert_eq!(reachable("[::]:53".parse().unwrap()), "[::1]:53".parse().unwrap());
        assert_eq!(reachable("10.0.0.1:53".parse().unwrap()), "10.0.0.1:53".parse().unwrap());
    }

    #[test]
    fn paths_start_at_the_file() {
        let text = "zones.directory = \"../zones\"\nstate.directory = \"/srv/state\"\nlocation.geoip = [\"a.mmdb\"]";
        let settings = read("/etc/fiftythree/config/fiftythree.toml", text);
        assert_eq!(settings.zones.directory, Path::new("/etc/fiftythree/zones"));
        assert_eq!(settings.state.directory, Path::new("/srv/state"));
        assert_eq!(settings.location.geoip, [Path::new("/etc/fiftythree/config/a.mmdb")]);
        assert_eq!(read("fiftythree.toml", text).zones.directory, Path::new("../zones"));
        assert_eq!(read("fiftythree.toml", "zones.directory = \".\"").zones.directory, Path::new("."));
    }

    #[test]
    fn every_setting_is_read() {
        let text = r#"
            dns = { listen = ["[::1]:53"], workers = 2, udp_payload_max = 4096, nsid = "lab", chaos = true }
            rate_limit = { enabled = false, rate = 50, instant = 125, slip = 2, dry_run = true, allow = ["10.0.0.0/8"], tcp_time = "20ms" }
            cookies = { enabled = false, secrets_file = "secrets", require_above = 600 }
            zones.watch = false
            health.wait_for_first_result = "250ms"
            admin.listen = "off"
            webhook.url = "http://127.0.0.1:9/hook"
            log.format = "json"
            query_log = { to = "queries.log", format = "json", sample = 10, zones = ["lab.test"], response_codes = ["NXDOMAIN"], types = ["A", "TYPE65280"], clients = ["10.53.0.0/16"] }
            metrics.count_answers = ["app.lab.test", "*.lab.test."]
            dnstap = { socket = "/run/dnstap.sock", identity = "lab", sample = 100 }
            [location]
            client_subnet = "ignore"
            [[location.network]]
            cidr = "10.53.0.0/16"
            country = "US"
            subdivision = "CA"
            [[location.latency]]
            country = "DE"
            round_trip = { us-east-1 = 1, eu-central-1 = "4ms" }
            [[vpc]]
            name = "lab"
            region = "eu-central-1"
            cidrs = ["10.53.0.0/16"]
        "#;
        let settings = read("fiftythree.toml", text);
        assert_eq!((settings.dns.workers, settings.dns.udp_payload_max), (2, 4096));
        assert_eq!((settings.dns.nsid.as_deref(), settings.dns.chaos), (Some(&b"lab"[..]), true));
        let allow = vec!["10.0.0.0/8".parse().unwrap()];
        let tcp_time = Duration::from_millis(20);
        let limits =
            RateLimitSettings { enabled: false, rate: 50, instant: 125, slip: 2, dry_run: true, allow, tcp_time };
        assert_eq!(settings.rate_limit, limits);
        let secrets_file = Some("secrets".into());
        assert_eq!(settings.cookies, CookieSettings { enabled: false, secrets_file, require_above: Some(600) });
        assert!(!settings.zones.watch);
        assert_eq!(settings.health.wait_for_first_result, Duration::from_millis(250));
        assert_eq!((settings.admin.listen, settings.log.format), (None, LogFormat::Json));
        assert_eq!(settings.location.use_client_subnet, ClientSubnetUse::Ignore);
        assert_eq!(settings.webhook.url.as_ref().map(Secret::reveal), Some("http://127.0.0.1:9/hook"));
        assert!(!format!("{settings:?}").contains("hook\""));
        let counted: Vec<String> = settings.metrics.count_answers.iter().map(ToString::to_string).collect();
        assert_eq!(counted, ["app.lab.test.", "\\052.lab.test."]);
        let log = settings.query_log.unwrap();
        assert_eq!((log.target, log.format), (QueryLogTarget::File("queries.log".into()), QueryLogFormat::Json));
        assert_eq!((log.sample, log.zones.unwrap()[0].to_string().as_str(), log.clients.len()), (10, "lab.test.", 1));
        assert_eq!((log.response_codes, log.types), (vec![ResponseCode(3)], vec![QueryType(1), QueryType(65_280)]));
        let dnstap = settings.dnstap.unwrap();
        assert_eq!((dnstap.identity.as_deref(), dnstap.sample), (Some("lab"), 100));
        assert_eq!(dnstap.target, DnstapTarget::Socket("/run/dnstap.sock".into()));
        assert_eq!(settings.location.networks.len(), 1);
        let round_trips: Vec<f64> = settings.location.latency[0].round_trip_ms.iter().map(|(_, ms)| *ms).collect();
        assert_eq!(round_trips, [4.0, 1000.0]);
        assert_eq!(settings.vpc_names["lab"], settings.vpcs[0].id);
    }
}
