//! Members of an etcd, each on a host of its own.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use super::network::Network;
use crate::needs;
use crate::server::{text, unchunked, wait_for};

/// How long a member may take to respond to a request of a test.
const DEADLINE: Duration = Duration::from_secs(10);

/// A member.
pub(crate) struct Member {
    pub(crate) host: &'static str,
    address: String,
    /// All members, as etcd wants them.
    cluster: String,
    more: Vec<String>,
    directory: tempfile::TempDir,
    child: Mutex<Option<Child>>,
}

impl Member {
    /// A member that is not started yet. `cluster` has all members with their addresses.
    pub(crate) fn new(host: &'static str, cluster: &[(&'static str, &str)], more: &[&str]) -> Member {
        let peer = |(host, address): &(&str, &str)| format!("{host}=http://{address}:2380");
        Member {
            host,
            address: cluster.iter().find(|(name, _)| *name == host).unwrap().1.to_owned(),
            cluster: cluster.iter().map(peer).collect::<Vec<_>>().join(","),
            more: more.iter().map(|argument| (*argument).to_owned()).collect(),
            directory: tempfile::tempdir().unwrap(),
            child: Mutex::default(),
        }
    }

    pub(crate) fn start(&self, network: &Network) {
        let log = if std::env::var_os("FIFTYTHREE_TEST_LOG").is_some() { Stdio::inherit() } else { Stdio::null() };
        let (client, peer) = (format!("http://{}:2379", self.address), format!("http://{}:2380", self.address));
        let mut command = Command::new(needs::etcd());
        command
            .args(["--name", self.host, "--data-dir"])
            .arg(self.data())
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &self.cluster])
            .args(&self.more)
            .stdout(Stdio::null())
            .stderr(log);
        let child = network.on(self.host, || command.spawn().unwrap());
        *self.child.lock().unwrap() = Some(child);
    }

    /// Waits until it answers as a majority does.
    pub(crate) fn wait(&self, network: &Network) {
        wait_for("etcd with a leader", || self.post(network, "/v3/kv/range", "{\"key\": \"AA==\"}").ok());
    }

    /// Ends it as a power cut does.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.lock().unwrap().as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
    }

    /// Sends a request to its gateway.
    pub(crate) fn post(&self, network: &Network, path: &str, body: &str) -> Result<String, String> {
        network.on(self.host, || post(&format!("{}:2379", self.address), path, body))
    }

    pub(crate) fn is_leader(&self, network: &Network) -> bool {
        let Ok(status) = self.post(network, "/v3/maintenance/status", "{}") else { return false };
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        status["leader"].is_string() && status["leader"] == status["header"]["member_id"]
    }

    /// Writes a snapshot of everything to a file.
    pub(crate) fn back_up(&self, network: &Network) -> PathBuf {
        let path = self.directory.path().join("backup");
        let mut command = Command::new(needs::etcdctl());
        command.env("ETCDCTL_API", "3").args(["--endpoints", &format!("{}:2379", self.address), "snapshot", "save"]);
        let output = network.on(self.host, || command.arg(&path).output().unwrap());
        assert!(output.status.success(), "{}", text(&output.stderr));
        path
    }

    /// Replaces its data by those of a backup. It must not run.
    pub(crate) fn restore(&self, backup: &std::path::Path) {
        std::fs::remove_dir_all(self.data()).unwrap();
        let mut command = Command::new(needs::etcdctl());
        command.env("ETCDCTL_API", "3").args(["snapshot", "restore"]).arg(backup);
        command.args(["--name", self.host, "--initial-cluster", &self.cluster]);
        command.args(["--initial-advertise-peer-urls", &format!("http://{}:2380", self.address), "--data-dir"]);
        let output = command.arg(self.data()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}

fn post(address: &str, path: &str, body: &str) -> Result<String, String> {
    let text = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect_timeout(&address.parse().unwrap(), DEADLINE).map_err(text)?;
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: etcd\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).map_err(text)?;
    let mut response = String::new();
    stream.read_to_string(&mut response).map_err(text)?;
    let (head, body) = response.split_once("\r\n\r\n").ok_or("no response")?;
    let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if is_chunked { unchunked(body) } else { body.to_owned() };
    if head.starts_with("HTTP/1.1 200") { Ok(body) } else { Err(body) }
}
