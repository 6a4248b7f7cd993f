//! Nodes that agree on health through a real etcd. One of them does not trust the certificate of an
//! endpoint, so it sees it as failed.

use std::path::Path;

use serde_json::Value;

use crate::aws::Client;
use crate::cluster::{Etcd, addresses, node, run};
use crate::server::{Lab, Running, get, text, wait_for};

const PRIMARY: &str = "192.0.2.11";
const SECONDARY: &str = "192.0.2.12";
const NAME: &str = "app.lab.test.";

/// A web server with TLS: an etcd, which answers to `/health`.
struct Endpoint {
    server: Etcd,
    authority: String,
    _files: tempfile::TempDir,
}

impl Endpoint {
    fn start() -> Endpoint {
        use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
        let files = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = authority.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(authority, key);
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let write = |name: &str, text: &str| {
            let path = files.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let arguments = [
            "--cert-file".to_owned(),
            write("server.pem", &params.signed_by(&key, &issuer).unwrap().pem()),
            "--key-file".to_owned(),
            write("server.key", &key.serialize_pem()),
        ];
        let authority = write("ca.pem", &certificate);
        Endpoint { server: Etcd::start_with("https", &arguments), authority, _files: files }
    }

    /// A zone whose name fails over by a check of this endpoint.
    fn zone(&self, of_check: &str) -> String {
        let port = self.server.port;
        let record = |set: &str, role: &str, address: &str, check: &str| {
            format!(
                "[[record]]\nname = 'app'\ntype = 'A'\nset_identifier = '{set}'\nfailover = '{role}'\nttl = 5\n\
                 values = ['{address}']\n{check}"
            )
        };
        format!(
            "name = 'lab.test'\n{}{}[[health_check]]\nname = 'blue'\nid = '{ID}'\ntype = 'https'\n\
             ip_address = '127.0.0.1'\nport = {port}\nresource_path = '/health'\nverify_certificate = true\n\
             request_interval = 1\nfailure_threshold = 2\n{of_check}",
            record("one", "primary", PRIMARY, "health_check = 'blue'\n"),
            record("two", "secondary", SECONDARY, ""),
        )
    }
}

const ID: &str = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";

/// A node that trusts the endpoint, or does not.
fn node_in(name: &str, region: &str, etcd: &Etcd, trusted: Option<&Endpoint>) -> Lab {
    let lab = node(name, &etcd.endpoint());
    let settings = std::fs::read_to_string(lab.path("fiftythree.toml")).unwrap();
    let own = format!("node = '{name}'\n");
    assert!(settings.contains(&own));
    lab.write("fiftythree.toml", &settings.replace(&own, &format!("{own}region = '{region}'\n")));
    if let Some(endpoint) = trusted {
        lab.add_settings(&format!("[health]\ncertificate_authorities = ['{}']\n", endpoint.authority));
    }
    lab
}

fn apply(lab: &Lab, zone: &str) {
    let output = try_apply(lab, zone);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

fn try_apply(lab: &Lab, zone: &str) -> std::process::Output {
    if !Path::new(&lab.path("files")).exists() {
        std::fs::create_dir(lab.path("files")).unwrap();
    }
    lab.write("files/lab.test.toml", zone);
    lab.run(&["cluster", "apply", "files", "--yes"])
}

/// The check as the admin side of a node reports it.
fn blue(running: &Running) -> Value {
    let body = get(&running.admin(), "/v1/health?name=blue&history=1", "application/json").unwrap();
    let health: Value = serde_json::from_str(&body).unwrap();
    health["checks"][0].clone()
}

/// Waits until the node has these opinions that count, by node.
fn wait_for_opinions(running: &Running, expected: &[(&str, &str)]) -> Value {
    wait_for_opinions_on(running, ID, expected)
}

/// The same of the check with this id.
fn wait_for_opinions_on(running: &Running, id: &str, expected: &[(&str, &str)]) -> Value {
    let what = format!("{expected:?} in {}\n{}", blue(running)["opinions"], running.log());
    wait_for(&what, || {
        let check = blue(running);
        let opinions = check["opinions"].as_array().filter(|_| check["id"] == id)?;
        let stated = opinions.iter().filter(|stated| stated["counts"] == true);
        let mut stated: Vec<_> =
            stated.filter_map(|stated| Some((stated["node"].as_str()?, stated["status"].as_str()?))).collect();
        stated.sort_unstable();
        (stated == expected).then(|| check.clone())
    })
}

pub(crate) fn an_endpoint_that_one_node_does_not_reach_stays_in_use() {
    let etcd = Etcd::start();
    let mut endpoint = Endpoint::start();
    let one = node_in("one", "eu-central-1", &etcd, Some(&endpoint));
    let two = node_in("two", "us-east-2", &etcd, Some(&endpoint));
    let three = node_in("three", "ap-northeast-1", &etcd, None);
    apply(&one, &endpoint.zone(""));
    let nodes = [one.serve(), two.serve(), three.serve()];
    let expected = [("one", "healthy"), ("three", "unhealthy"), ("two", "healthy")];
    for running in &nodes {
        let check = wait_for_opinions(running, &expected);
        assert_eq!(check["agreement"]["text"], "2 of 3 nodes consider it healthy, 1 must", "{check}");
        running.wait_for_answer(NAME, &[PRIMARY]);
    }
    seen_everywhere(&one, &nodes[0], &nodes[2]);
    // The same opinions, under other rules.
    let all_answer = |address: &str| {
        nodes.iter().for_each(|running| {
            running.wait_for_answer(NAME, &[address]);
        });
    };
    apply(&one, &endpoint.zone("agreement = 'all'\n"));
    all_answer(SECONDARY);
    nodes[0].wait_for_log("2 of 3 nodes consider it healthy, 3 must; on three: Failure");
    apply(&one, &endpoint.zone("agreement = 'majority'\n"));
    all_answer(PRIMARY);
    // When it fails, it fails for all.
    endpoint.server.stop();
    all_answer(SECONDARY);
    endpoint.server.start_again();
    all_answer(PRIMARY);
    for running in nodes {
        assert!(running.stop().success());
    }
}

/// Every opinion of a new check arrives a moment after the one before. Until all are there, no node
/// fails over, whichever was the first.
pub(crate) fn a_new_check_is_decided_by_all_nodes() {
    let etcd = Etcd::start();
    let endpoint = Endpoint::start();
    let one = node_in("one", "eu-central-1", &etcd, Some(&endpoint));
    let two = node_in("two", "us-east-2", &etcd, Some(&endpoint));
    let three = node_in("three", "ap-northeast-1", &etcd, None);
    apply(&one, &endpoint.zone(""));
    let nodes = [one.serve(), two.serve(), three.serve()];
    let expected = [("one", "healthy"), ("three", "unhealthy"), ("two", "healthy")];
    nodes.iter().for_each(|running| drop(wait_for_opinions(running, &expected)));
    let (began, ends) = (std::time::Instant::now(), std::sync::atomic::AtomicBool::new(false));
    std::thread::scope(|scope| {
        let askers = nodes.each_ref().map(|running| {
            scope.spawn(|| {
                let mut wrong = 0;
                // Not for ever, if something below fails.
                while !ends.load(std::sync::atomic::Ordering::Relaxed) && began.elapsed().as_secs() < 120 {
                    wrong += usize::from(addresses(running, NAME) != [PRIMARY]);
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                wrong
            })
        });
        for number in 0..8 {
            let id = format!("{number:08x}-bbbb-4ccc-8ddd-eeeeeeeeeeee");
            let zone = endpoint.zone("").replace(ID, &id);
            wait_for("etcd has the check", || try_apply(&one, &zone).status.success().then_some(()));
            nodes.iter().for_each(|running| drop(wait_for_opinions_on(running, &id, &expected)));
        }
        ends.store(true, std::sync::atomic::Ordering::Relaxed);
        let wrong = askers.map(|asker| asker.join().unwrap());
        assert_eq!(wrong, [0; 3], "{}", nodes[2].log());
    });
}

/// The opinions in the words of each command, and of the Route 53 API.
fn seen_everywhere(lab: &Lab, running: &Running, distrustful: &Running) {
    let shown = run(lab, running, &["health", "blue"]).unwrap();
    assert!(shown.contains("agreement   2 of 3 nodes consider it healthy, 1 must"), "{shown}");
    assert!(shown.contains("opinions    one (this node, eu-central-1, 127.0.0.1): healthy, "), "{shown}");
    assert!(shown.contains("three (ap-northeast-1, 127.0.0.1): unhealthy, "), "{shown}");
    assert!(shown.contains("nodes disagree"), "{shown}");
    let explained = run(lab, running, &["explain", "app.lab.test"]).unwrap();
    assert!(explained.contains("2 of 3 nodes consider it healthy"), "{explained}");
    let status = lab.run(&["cluster", "status"]);
    let status = text(&status.stdout);
    assert!(status.contains("opinions on blue differ: healthy on one, two; unhealthy on three"), "{status}");
    let observed = |running: &Running, operation: &str| {
        let reply = Client::of(running, "test", "test").get(&format!("/healthcheck/{ID}/{operation}"));
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    };
    let body = observed(running, "status");
    assert_eq!(body.matches("<HealthCheckObservation>").count(), 3, "{body}");
    for region in ["eu-central-1", "us-east-2", "ap-northeast-1"] {
        assert!(body.contains(&format!("<Region>{region}</Region><IPAddress>127.0.0.1</IPAddress>")), "{body}");
    }
    assert_eq!(body.matches("<Status>Success").count(), 2, "{body}");
    let body = observed(running, "lastfailurereason");
    assert!(body.contains("<Region>ap-northeast-1</Region>") && !body.contains("us-east-2"), "{body}");
    let body = observed(distrustful, "lastfailurereason");
    assert_eq!(body.matches("<HealthCheckObservation>").count(), 1, "{body}");
}

pub(crate) fn a_node_without_the_others_decides_by_its_own_opinion() {
    let mut etcd = Etcd::start();
    let endpoint = Endpoint::start();
    let one = node_in("one", "eu-central-1", &etcd, Some(&endpoint));
    let two = node_in("two", "ap-northeast-1", &etcd, None);
    apply(&one, &endpoint.zone(""));
    let (first, second) = (one.serve(), two.serve());
    let expected = [("one", "healthy"), ("two", "unhealthy")];
    [&first, &second].iter().for_each(|running| drop(wait_for_opinions(running, &expected)));
    assert_eq!((addresses(&first, NAME), addresses(&second, NAME)), (vec![PRIMARY.into()], vec![PRIMARY.into()]));
    // A restart flips nothing, although its own result was a failure.
    assert!(second.stop().success());
    let second = two.serve();
    assert_eq!(addresses(&second, NAME), [PRIMARY]);
    wait_for_opinions(&second, &expected);
    assert!(!second.log().contains("health check blue is unhealthy"), "{}", second.log());
    // Without etcd the opinions of others become stale.
    etcd.stop();
    println!("its own opinion decides after {:?}", second.wait_for_answer(NAME, &[SECONDARY]));
    second.wait_for_log("node one is silent");
    assert_eq!(addresses(&first, NAME), [PRIMARY]);
    etcd.start_again();
    println!("the other is heard again after {:?}", second.wait_for_answer(NAME, &[PRIMARY]));
    wait_for_opinions(&first, &expected);
    // A node that is killed does not count when its lease has ended.
    first.signal("KILL");
    println!("a killed node counts for {:?}", second.wait_for_answer(NAME, &[SECONDARY]));
    wait_for_opinions(&second, &[("two", "unhealthy")]);
}
