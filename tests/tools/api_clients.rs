//! Clients of the Route 53 API against the real binary: the scripts in `tests/clients`. Each
//! creates, changes and deletes zones, record sets and health checks, and asks the DNS port after
//! each step.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::needs;
use crate::server::{Lab, Running, wait_for};

/// Clients in Germany and Japan, and two VPCs on loopback. Changes are pending for a second, so
/// that a client waits.
const SETTINGS: &str = "
[api]
listen = ['127.0.0.1:0']
insync_delay = '1s'
[[location.network]]
cidr = '198.51.100.0/24'
country = 'DE'
coordinates = { latitude = 50.11, longitude = 8.68 }
[[location.network]]
cidr = '203.0.113.0/24'
country = 'JP'
coordinates = { latitude = 35.68, longitude = 139.69 }
[[vpc]]
id = 'vpc-0123456789abcdef0'
region = 'eu-central-1'
cidrs = ['127.0.0.2/32']
[[vpc]]
id = 'vpc-0123456789abcdef1'
region = 'eu-central-1'
cidrs = ['127.0.0.3/32']
";

pub(crate) fn boto3_calls_every_operation_and_its_responses_fit_the_model() {
    let text = run("python", &[&script("boto3_client.py")]);
    // A script that runs no tests must fail too.
    assert!(text.contains("Ran 13 tests"), "{text}");
}

pub(crate) fn the_aws_cli_version_1() {
    let program = needs::client("aws");
    finishes("python", &[&script("command_line.py"), &program, Path::new("aws-cli/1")]);
}

pub(crate) fn the_aws_cli_version_2() {
    let program = needs::client("aws2");
    finishes("python", &[&script("command_line.py"), &program, Path::new("aws-cli/2")]);
}

pub(crate) fn the_sdk_for_javascript() {
    let modules = needs::client("..");
    finishes("node", &[&script("javascript.mjs"), &modules]);
}

pub(crate) fn octodns_plans_applies_and_has_nothing_left_to_do() {
    finishes("python", &[&script("octodns_plan.py")]);
}

pub(crate) fn certbot_proves_that_a_name_is_its_own() {
    finishes("python", &[&script("certbot_plugin.py")]);
}

pub(crate) fn ansible_makes_what_a_playbook_says_and_nothing_twice() {
    let local = ["-i", "localhost,", "-c", "local"].map(Path::new);
    finishes("ansible-playbook", &[&local[..], &[&script("ansible.yml")]].concat());
}

pub(crate) fn boto3_gets_through_to_a_server_that_throttles() {
    let rules = "'reserved_names', 'request_intervals', 'cidr_blocks', 'element_order', 'throttling', 'quotas'";
    let settings = format!("[api]\nlisten = ['127.0.0.1:0']\nstrict = [{rules}]\n");
    let text = run_with(&settings, "python", &[&script("throttled.py")]);
    assert!(text.contains("all steps done"), "{text}");
}

pub(crate) fn lexicon_creates_updates_and_deletes_records() {
    finishes("python", &[&script("lexicon_cli.py")]);
}

pub(crate) fn libcloud_uses_the_api_of_2012() {
    finishes("python", &[&script("libcloud_driver.py")]);
}

pub(crate) fn the_sdk_for_rust() {
    finishes("rust-sdk", &[]);
}

/// lego has no setting for an endpoint. In a network of its own, the name of Route 53 leads here.
#[cfg(target_os = "linux")]
pub(crate) fn lego_gets_a_certificate() {
    let mut command = Command::new("unshare");
    command.args(["-n", "-m", "bash"]).arg(script("lego_certificate.sh")).arg(env!("CARGO_BIN_EXE_fiftythree"));
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("all steps done"), "{text}");
}

pub(crate) fn the_example_for_pytest() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let binary = Path::new(env!("CARGO_BIN_EXE_fiftythree")).parent().unwrap().to_owned();
    let path = std::env::join_paths([binary].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/pytest");
    let mut command = Command::new(needs::client("python"));
    command.args(["-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"]).arg(example).env("PATH", path);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("2 passed"), "{text}");
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

fn finishes(program: &str, arguments: &[&Path]) {
    let text = run(program, arguments);
    assert!(text.contains("all steps done"), "{text}");
}

/// Runs a client with a server of its own, as a user would: by the variables that `serve` prints.
fn run(program: &str, arguments: &[&Path]) -> String {
    run_with(SETTINGS, program, arguments)
}

fn run_with(settings: &str, program: &str, arguments: &[&Path]) -> String {
    let lab = Lab::new(&[]);
    lab.add_settings(settings);
    let server = lab.serve_with(&["--in-memory"], &[]);
    let mut command = Command::new(needs::client(program));
    command.args(arguments).current_dir(lab.path(""));
    // Configuration of this machine's AWS must not matter, and must not be used.
    command.env("HOME", lab.path("")).envs(variables(&server)).env("FIFTYTHREE_DNS", server.address.to_string());
    command
        .env("ANSIBLE_COLLECTIONS_PATH", needs::client(".."))
        .env("ANSIBLE_PYTHON_INTERPRETER", needs::client("python"));
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{}", server.log());
    text.into_owned()
}

/// The variables of the lines `export NAME=value …` in the output of the server.
fn variables(server: &Running) -> Vec<(String, String)> {
    let text =
        wait_for("the variables", || Some(server.stdout()).filter(|text| text.contains("AWS_SECRET_ACCESS_KEY")));
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("export "));
    let pairs = lines.flat_map(str::split_whitespace).filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
