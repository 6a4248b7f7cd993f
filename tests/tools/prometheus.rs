//! A real Prometheus.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A Prometheus that scrapes one target and evaluates rules five times a second.
pub(crate) struct Prometheus {
    process: Child,
    /// The address of its API.
    pub(crate) url: String,
    _directory: tempfile::TempDir,
}

impl Prometheus {
    /// Starts one that scrapes `target` as `job`.
    pub(crate) fn start(job: &str, target: &str, rules: &[PathBuf]) -> Prometheus {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("prometheus.yml");
        let rules: Vec<String> = rules.iter().map(|rules| format!("'{}'", rules.display())).collect();
        let configuration = format!(
            "global:\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\n  evaluation_interval: 200ms\nrule_files: [{}]\n\
             scrape_configs:\n- job_name: {job}\n  static_configs:\n  - targets: ['{target}']\n",
            rules.join(", ")
        );
        std::fs::write(&file, configuration).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Prometheus { process, url: format!("http://127.0.0.1:{port}"), _directory: directory }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
