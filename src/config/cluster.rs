//! `[cluster]`: the etcd in which several nodes share one configuration.

use std::path::{Path, PathBuf};

use super::admin::origin;
use super::api::{TlsFiles, read_tls};
use super::document::Diagnostics;
use super::table::Table;
use super::value::{self, file_path, resolve};
use crate::model::{Agreement, Region};

/// The beginning of the paths of files that are in etcd and not on disk.
pub const CLUSTER: &str = "etcd:";
/// The variable with the name of this node, so that all nodes can have one settings file.
pub const NODE_VARIABLE: &str = "FIFTYTHREE_CLUSTER_NODE";
/// The longest name of a node: it is part of a key, and of metrics.
const LONGEST_NODE: usize = 63;
/// The longest prefix of keys.
const LONGEST_PREFIX: usize = 128;

/// `[cluster]`
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterSettings {
    /// The URLs of etcd's members, without path.
    pub endpoints: Vec<String>,
    /// The beginning of all keys: absolute, and without a slash at the end.
    pub prefix: String,
    /// The name of this node. No other node of the cluster has it.
    pub node: String,
    /// Where this node is.
    pub region: Option<Region>,
    /// How many nodes must consider an endpoint healthy; checks can have another rule.
    pub agreement: Agreement,
    /// PEM files with the authorities of etcd's certificates. Empty means the system's.
    pub certificate_authorities: Vec<PathBuf>,
    /// The certificate with which this node connects.
    pub tls: Option<TlsFiles>,
    /// The user of etcd, and the file with its password.
    pub user: Option<(String, PathBuf)>,
    /// The file with the secret that all nodes have.
    pub secret_file: Option<PathBuf>,
}

impl ClusterSettings {
    /// The name under which the files of the cluster are served, in the place of a directory.
    pub fn directory(&self) -> PathBuf {
        PathBuf::from(format!("{CLUSTER}{}", self.prefix))
    }
}

pub(super) fn read_cluster(
    table: &Table<'_>,
    directory: &Path,
    variable: Option<&str>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<ClusterSettings> {
    table.require("endpoints", "such as endpoints = [\"http://127.0.0.1:2379\"]", diagnostics);
    if variable.is_none() {
        table.require(
            "node",
            "such as node = \"berlin-1\", or FIFTYTHREE_CLUSTER_NODE in the environment",
            diagnostics,
        );
    }
    let authorities = table.strings("certificate_authorities", diagnostics).unwrap_or_default();
    let region = table.string("region", diagnostics).and_then(|region| value::region(&region, diagnostics));
    let (endpoints, node) = (read_endpoints(table, diagnostics), read_node(table, variable, diagnostics));
    let (prefix, user) = (read_prefix(table, diagnostics), read_user(table, directory, diagnostics));
    let agreement = table.agreement("agreement", diagnostics).map(|agreement| agreement.value).unwrap_or_default();
    let tls = read_tls(table, directory, diagnostics);
    let secret_file = file_path(table, "secret_file", directory, diagnostics);
    Some(ClusterSettings {
        endpoints: endpoints?,
        prefix,
        node: node?,
        region,
        agreement,
        certificate_authorities: authorities.iter().map(|file| resolve(directory, file.value)).collect(),
        tls,
        user,
        secret_file,
    })
}

fn read_endpoints(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<Vec<String>> {
    let mut endpoints = Vec::new();
    for written in table.strings("endpoints", diagnostics)? {
        match origin(written.value).filter(|_| is_without_path(written.value)) {
            Some(endpoint) => endpoints.push(endpoint),
            None => {
                let diagnostic = diagnostics.error(written.span, "`endpoints` must list HTTP or HTTPS URLs");
                diagnostic.label("expected a URL without path").hint("such as \"https://etcd-1.example.net:2379\"");
            }
        }
    }
    if table.is_empty_list("endpoints") {
        let diagnostic = diagnostics.error(table.span_of("endpoints"), "`endpoints` must name at least one endpoint");
        diagnostic.label("an empty list").hint("leave out `[cluster]` for a server on its own");
    }
    Some(endpoints)
}

fn is_without_path(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, authority)| authority);
    authority.strip_suffix('/').unwrap_or(authority).bytes().all(|octet| octet != b'/')
}

fn read_prefix(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> String {
    const DEFAULT: &str = "/fiftythree";
    let Some(written) = table.string("prefix", diagnostics) else { return DEFAULT.to_owned() };
    let prefix = written.value;
    let is_good = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'/' | b'-' | b'_' | b'.');
    if !prefix.starts_with('/')
        || prefix.ends_with('/')
        || prefix.len() > LONGEST_PREFIX
        || !prefix.bytes().all(is_good)
    {
        let diagnostic = diagnostics.error(written.span, "`prefix` must begin with `/` and must not end with it");
        diagnostic
            .label("the beginning of all keys")
            .hint("such as \"/fiftythree\": letters, digits, `/`, `-`, `_` and `.`, at most 128 of them");
    }
    prefix.to_owned()
}

/// The variable comes before the file.
fn read_node(table: &Table<'_>, variable: Option<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<String> {
    let written = table.string("node", diagnostics);
    if let Some(written) = written.as_ref().filter(|written| !is_node_name(written.value)) {
        let diagnostic =
            diagnostics.error(written.span.clone(), format!("`{}` is not a name for a node", written.value));
        diagnostic.label("the name of this node").hint(NODE_HINT);
    }
    if let Some(node) = variable.filter(|node| !is_node_name(node)) {
        let message = format!("`{node}` is not a name for a node");
        let diagnostic = diagnostics.error(table.span_of("node"), message);
        diagnostic.label(format!("the environment has another name: {NODE_VARIABLE}")).hint(NODE_HINT);
    }
    variable.or(written.map(|written| written.value)).filter(|node| is_node_name(node)).map(str::to_owned)
}

const NODE_HINT: &str = "from 1 to 63 letters, digits, `-`, `_` and `.`";

/// Whether a node can have this name.
pub fn is_node_name(name: &str) -> bool {
    let is_good = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    (1..=LONGEST_NODE).contains(&name.len()) && name.bytes().all(is_good)
}

fn read_user(table: &Table<'_>, directory: &Path, diagnostics: &mut Diagnostics<'_>) -> Option<(String, PathBuf)> {
    let user = table.string("user", diagnostics).map(|user| user.value.to_owned());
    let file = file_path(table, "password_file", directory, diagnostics);
    for (one, other) in [("user", "password_file"), ("password_file", "user")] {
        if table.has(one) && !table.has(other) {
            let diagnostic = diagnostics.error(table.key_span(one), format!("`{one}` needs `{other}`"));
            diagnostic.label(format!("there is no `{other}`")).hint("set both, or neither");
        }
    }
    Some((user?, file?))
}

#[cfg(test)]
mod tests {
    use super::super::{Settings, SourceFile};
    use super::*;

    fn read(table: &str) -> Result<ClusterSettings, Vec<String>> {
        let text = format!("[cluster]\n{table}");
        let (settings, diagnostics) = Settings::read(&SourceFile::new("/etc/fiftythree/fiftythree.toml", text));
        let messages = diagnostics.iter().map(|diagnostic| diagnostic.message.to_string()).collect();
        settings.and_then(|settings| settings.cluster).ok_or(messages)
    }

    #[test]
    fn everything_has_a_default_but_endpoints_and_the_node() {
        let cluster = read("endpoints = ['http://127.0.0.1:2379', 'https://etcd-2.test/']\nnode = 'a'\n").unwrap();
        assert_eq!(cluster.endpoints, ["http://127.0.0.1:2379", "https://etcd-2.test"]);
        assert_eq!(cluster.directory(), Path::new("etcd:/fiftythree"));
        assert_eq!((cluster.region, cluster.tls, cluster.user, cluster.secret_file), (None, None, None, None));
        assert_eq!(cluster.agreement, Agreement::ROUTE_53);
        let more = "endpoints = ['http://[::1]:2379']\nnode = 'a'\nprefix = '/dns/lab'\nregion = 'eu-central-1'\n\
                    agreement = 'majority'\n\
                    certificate_authorities = ['ca.pem']\nuser = 'dns'\npassword_file = 'password'\n\
                    secret_file = 'cluster.secret'\n";
        let cluster = read(more).unwrap();
        assert_eq!(cluster.directory(), Path::new("etcd:/dns/lab"));
        assert_eq!(cluster.agreement, Agreement::Majority);
        assert_eq!(cluster.user, Some(("dns".to_owned(), "/etc/fiftythree/password".into())));
        assert_eq!(cluster.secret_file.as_deref(), Some(Path::new("/etc/fiftythree/cluster.secret")));
        assert_eq!(cluster.certificate_authorities, [Path::new("/etc/fiftythree/ca.pem")]);
    }

    #[test]
    fn every_error_is_found_at_once() {
        let table = "endpoints = ['127.0.0.1:2379', 'http://a.test/path']\nnode = 'a/b'\nprefix = 'dns/'\n\
                     tls_key = 'key.pem'\nuser = 'dns'\n";
        let messages = read(table).unwrap_err();
        let expected = [
            "`a/b` is not a name for a node",
            "`endpoints` must list HTTP or HTTPS URLs",
            "`endpoints` must list HTTP or HTTPS URLs",
            "`prefix` must begin with `/` and must not end with it",
            "`tls_key` needs `tls_certificate`",
            "`user` needs `password_file`",
        ];
        let mut sorted = messages.clone();
        sorted.sort();
        assert_eq!(sorted, expected);
        let missing = read("").unwrap_err();
        assert_eq!(missing, ["`[cluster]` needs `endpoints`", "`[cluster]` needs `node`"]);
        let directories = "endpoints = ['http://a']\nnode = 'a'\nsecret_file = '.'\nuser = 'a'\npassword_file = 'b/'\n\
                           tls_certificate = '..'\ntls_key = 'c/.'\n";
        let mut messages = read(directories).unwrap_err();
        messages.sort();
        let files = ["password_file", "secret_file", "tls_certificate", "tls_key"];
        assert_eq!(messages, files.map(|key| format!("`{key}` must name a file")));
        assert_eq!(read("endpoints = []\nnode = 'a'\n").unwrap_err(), ["`endpoints` must name at least one endpoint"]);
    }
}
