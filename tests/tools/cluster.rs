//! Nodes with one configuration in a real etcd: 3.4 from Debian, or the one that FIFTYTHREE_ETCD
//! names.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::aws::Client;
use crate::needs;
use crate::server::{Lab, PATIENCE, Running, Transport, get, text, wait_for};

/// An etcd with one member, on free ports.
pub(crate) struct Etcd {
    child: Child,
    pub(crate) port: u16,
    directory: tempfile::TempDir,
    arguments: Vec<String>,
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Etcd {
    pub(crate) fn start() -> Etcd {
        Etcd::start_with("http", &[])
    }

    pub(crate) fn start_with(scheme: &str, arguments: &[String]) -> Etcd {
        let directory = tempfile::tempdir().unwrap();
        let (port, peer) = (free_port(), free_port());
        let url = |port: u16| format!("{scheme}://127.0.0.1:{port}");
        let data = directory.path().join("data").display().to_string();
        let peer = format!("http://127.0.0.1:{peer}");
        let mut all: Vec<String> = [
            ["--data-dir", &data],
            ["--listen-client-urls", &url(port)],
            ["--advertise-client-urls", &url(port)],
            ["--listen-peer-urls", &peer],
            ["--initial-advertise-peer-urls", &peer],
            ["--initial-cluster", &format!("default={peer}")],
        ]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect();
        all.extend(arguments.iter().cloned());
        let child = spawn(&all);
        let etcd = Etcd { child, port, directory, arguments: all };
        etcd.wait();
        etcd
    }

    fn wait(&self) {
        wait_for("etcd", || std::net::TcpStream::connect(("127.0.0.1", self.port)).ok());
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
    }

    pub(crate) fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn start_again(&mut self) {
        self.child = spawn(&self.arguments);
        self.wait();
    }

    /// All its data is gone.
    fn lose_everything(&mut self) {
        self.stop();
        std::fs::remove_dir_all(self.directory.path().join("data")).unwrap();
        self.start_again();
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn spawn(arguments: &[String]) -> Child {
    let log = if std::env::var_os("FIFTYTHREE_TEST_LOG").is_some() { Stdio::inherit() } else { Stdio::null() };
    Command::new(needs::etcd()).args(arguments).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A node of the cluster that is not started yet.
pub(crate) fn node(name: &str, endpoint: &str) -> Lab {
    let lab = Lab::new(&[]);
    lab.add_settings(&format!("[cluster]\nendpoints = ['{endpoint}']\nnode = '{name}'\n"));
    lab.add_settings("[api]\nlisten = ['127.0.0.1:0']\n");
    lab
}

/// Runs a command against a server; returns its output, or else its errors.
pub(crate) fn run(lab: &Lab, running: &Running, arguments: &[&str]) -> Result<String, String> {
    let admin = running.admin();
    let output = lab.run(&[arguments, &["--admin", &admin]].concat());
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn set(lab: &Lab, running: &Running, name: &str, address: &str) {
    let set = ["record", "set", name, "A", address, "--ttl", "5"];
    run(lab, running, &set).unwrap_or_else(|error| panic!("{name} is not set: {error}\n{}", running.log()));
}

pub(crate) fn addresses(running: &Running, name: &str) -> Vec<String> {
    running.ask(name, Transport::Udp).addresses
}

/// Changes a record set until it works. Returns how long it took.
fn set_when_possible(lab: &Lab, running: &Running, name: &str, address: &str) -> Duration {
    let began = Instant::now();
    let set = ["record", "set", name, "A", address, "--ttl", "5"];
    loop {
        match run(lab, running, &set) {
            Ok(_) => return began.elapsed(),
            Err(error) => assert!(began.elapsed() < PATIENCE, "{error}\n{}", running.log()),
        }
    }
}

pub(crate) fn a_change_on_one_node_is_in_the_answers_of_the_other() {
    let etcd = Etcd::start();
    let (one, two) = (node("one", &etcd.endpoint()), node("two", &etcd.endpoint()));
    let (first, second) = (one.serve(), two.serve());
    run(&one, &first, &["zone", "create", "lab.test"]).unwrap();
    set(&one, &first, "www.lab.test", "192.0.2.1");
    assert_eq!(addresses(&first, "www.lab.test."), ["192.0.2.1"]);
    second.wait_for_answer("www.lab.test.", &["192.0.2.1"]);
    // And back, from the other one.
    set(&two, &second, "www.lab.test", "192.0.2.2");
    let took = first.wait_for_answer("www.lab.test.", &["192.0.2.2"]);
    println!("in the answers of the other node after {took:?}");
    // A node that comes later has everything.
    let three = node("three", &etcd.endpoint());
    let third = three.serve();
    assert_eq!(addresses(&third, "www.lab.test."), ["192.0.2.2"]);
    // The status page of each node lists them all.
    let status = || -> serde_json::Value {
        let body = get(&first.admin(), "/v1/status", "application/json").unwrap();
        serde_json::from_str::<serde_json::Value>(&body).unwrap()["cluster"].clone()
    };
    wait_for("all nodes, with every change", || {
        let nodes: Vec<_> =
            status()["nodes"].as_array()?.iter().map(|node| (node["name"].clone(), node["behind"].clone())).collect();
        (nodes == ["one", "three", "two"].map(|name| (name.into(), false.into()))).then_some(())
    });
    let status = status();
    assert_eq!((&status["node"], &status["connected"]), (&"one".into(), &true.into()), "{status}");
    // Who made a change is known on all nodes.
    let history = run(&one, &first, &["history"]).unwrap();
    assert!(history.contains("on node two"), "{history}");
    for running in [first, second, third] {
        assert!(running.stop().success());
    }
}

pub(crate) fn two_writers_of_one_record_lose_nothing() {
    let etcd = Etcd::start();
    let (one, two) = (node("one", &etcd.endpoint()), node("two", &etcd.endpoint()));
    let (first, second) = (one.serve(), two.serve());
    run(&one, &first, &["zone", "create", "lab.test"]).unwrap();
    second.wait_for_answer("ns1.lab.test.", &["127.0.0.1"]);
    let write = |lab: &Lab, running: &Running, of: &str| {
        for number in 1..=20 {
            set(lab, running, &format!("{of}-{number}.lab.test"), &format!("192.0.2.{number}"));
            set(lab, running, "same.lab.test", &format!("198.51.100.{number}"));
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| write(&one, &first, "a"));
        scope.spawn(|| write(&two, &second, "b"));
    });
    for running in [&first, &second] {
        for name in (1..=20).flat_map(|number| [format!("a-{number}"), format!("b-{number}")]) {
            let address = format!("192.0.2.{}", name.split_once('-').unwrap().1);
            running.wait_for_answer(&format!("{name}.lab.test."), &[&address]);
        }
        running.wait_for_answer("same.lab.test.", &["198.51.100.20"]);
    }
}

pub(crate) fn without_etcd_answers_go_on_and_changes_are_refused() {
    let mut etcd = Etcd::start();
    let (one, two) = (node("one", &etcd.endpoint()), node("two", &etcd.endpoint()));
    let first = one.serve();
    run(&one, &first, &["zone", "create", "lab.test"]).unwrap();
    set(&one, &first, "www.lab.test", "192.0.2.1");
    let second = two.serve();
    assert_eq!(addresses(&second, "www.lab.test."), ["192.0.2.1"]);
    // A change of another node is in the copy too.
    set(&one, &first, "www.lab.test", "192.0.2.2");
    second.wait_for_answer("www.lab.test.", &["192.0.2.2"]);
    etcd.stop();
    let refused = run(&one, &first, &["record", "set", "www.lab.test", "A", "192.0.2.9"]).unwrap_err();
    assert!(refused.contains("etcd"), "{refused}");
    assert_eq!(addresses(&first, "www.lab.test."), ["192.0.2.2"]);
    // The API refuses with an error after which clients try again; reads go on.
    let api = Client::of(&first, "test", "test");
    let zone = "<CreateHostedZoneRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Name>new.test</Name>\
                <CallerReference>1</CallerReference></CreateHostedZoneRequest>";
    let refused = api.post("/hostedzone", zone);
    assert_eq!((refused.status, refused.code()), (503, "ServiceUnavailable"), "{refused:?}");
    assert!(refused.element("Message").starts_with("The server cannot do this now. Try again"), "{refused:?}");
    assert_eq!(api.get("/hostedzone").status, 200);
    // A restart without etcd serves the copies of the last run.
    assert!(second.stop().success());
    let second = two.serve();
    assert_eq!(addresses(&second, "www.lab.test."), ["192.0.2.2"]);
    second.wait_for_log("1 file of the cluster is served as the last run had it");
    // Without a copy, a node serves its own files.
    let three = node("three", &etcd.endpoint());
    three.write(
        "zones/own.toml",
        "name = 'own.test'\n[[record]]\nname = 'www'\ntype = 'A'\nttl = 5\nvalues = ['192.0.2.3']\n",
    );
    let third = three.serve();
    third.wait_for_log("no file of the cluster is served until it is reached");
    assert_eq!(addresses(&third, "www.own.test."), ["192.0.2.3"]);
    etcd.start_again();
    third.wait_for_answer("www.lab.test.", &["192.0.2.2"]);
    println!("changes are possible again after {:?}", set_when_possible(&one, &first, "www.lab.test", "192.0.2.4"));
    for running in [&first, &second, &third] {
        running.wait_for_answer("www.lab.test.", &["192.0.2.4"]);
    }
    let refused = run(&three, &third, &["record", "set", "www.own.test", "A", "192.0.2.9"]).unwrap_err();
    assert!(refused.contains("is a file of this node and not of the cluster"), "{refused}");
}

pub(crate) fn files_are_applied_and_dumped_and_the_status_is_shown() {
    let etcd = Etcd::start();
    let one = node("one", &etcd.endpoint());
    let zone = "name = 'lab.test'  # ours\n[[record]]\nname = 'www'\ntype = 'A'\nttl = 5\nvalues = ['192.0.2.1']\n\
                health_check = 'up'\nset_identifier = 'one'\nweight = 1\n";
    let check = "[[health_check]]\nname = 'up'\ntype = 'manual'\nstatus = 'healthy'\n";
    std::fs::create_dir(one.path("files")).unwrap();
    one.write("files/lab.test.toml", zone);
    let cluster = |arguments: &[&str]| {
        let output = one.run(&[&["cluster"], arguments].concat());
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stdout) + &text(&output.stderr))
        }
    };
    let broken = cluster(&["apply", "files", "--yes"]).unwrap_err();
    assert!(broken.contains("unknown health check") && broken.contains("nothing is changed"), "{broken}");
    one.write("files/checks.toml", check);
    let plan = cluster(&["apply", "files"]).unwrap();
    assert!(plan.starts_with("+ checks.toml\n+ lab.test.toml\n"), "{plan}");
    assert!(plan.contains("+ hosted zone lab.test. (") && plan.contains("  + www.lab.test. A one\n"), "{plan}");
    let running = one.serve();
    assert_eq!(addresses(&running, "www.lab.test."), [""; 0], "a plan changes nothing");
    cluster(&["apply", "files", "--yes"]).unwrap();
    running.wait_for_answer("www.lab.test.", &["192.0.2.1"]);
    assert_eq!(cluster(&["apply", "files"]).unwrap(), "etcd has these files already\n");
    // A change by a program keeps the comments, and comes out with them.
    set(&one, &running, "www2.lab.test", "192.0.2.2");
    cluster(&["dump", "dumped"]).unwrap();
    let dumped = std::fs::read_to_string(one.path("dumped/lab.test.toml")).unwrap();
    assert!(dumped.starts_with("name = 'lab.test'  # ours\n") && dumped.contains("www2"), "{dumped}");
    assert_eq!(std::fs::read_to_string(one.path("dumped/checks.toml")).unwrap(), check);
    let plan = cluster(&["apply", "files"]).unwrap();
    assert!(plan.contains("~ lab.test.toml") && plan.contains("  - www2.lab.test. A\n"), "{plan}");
    let status = wait_for("the node has every change", || cluster(&["status"]).ok());
    assert!(status.contains("2 files,") && status.contains("one  -  127.0.0.1:"), "{status}");
    assert!(status.contains("  2 files  has every change\n"), "{status}");
    // A file that is gone is removed, and a zone of this node that is in etcd too is left out.
    std::fs::remove_file(one.path("dumped/lab.test.toml")).unwrap();
    one.write("zones/own.toml", &zone.replace("192.0.2.1", "192.0.2.9"));
    running.wait_for_log("own.toml");
    assert_eq!(addresses(&running, "www.lab.test."), ["192.0.2.1"]);
    cluster(&["apply", "dumped", "--yes"]).unwrap();
    running.wait_for_answer("www.lab.test.", &["192.0.2.9"]);
}

pub(crate) fn a_change_is_pending_until_every_node_has_it() {
    let etcd = Etcd::start();
    let (one, two) = (node("one", &etcd.endpoint()), node("two", &etcd.endpoint()));
    let (first, second) = (one.serve(), two.serve());
    run(&one, &first, &["zone", "create", "lab.test"]).unwrap();
    second.wait_for_answer("ns1.lab.test.", &["127.0.0.1"]);
    let nodes = || one.run(&["cluster", "status"]).status.success();
    wait_for("both nodes have the zone", || nodes().then_some(()));
    let (here, there) = (Client::of(&first, "test", "test"), Client::of(&second, "test", "test"));
    let zones = here.get("/hostedzone").body;
    let zone = zones.split_once("<Id>/hostedzone/").unwrap().1.split_once('<').unwrap().0.to_owned();
    let change = |address: &str| {
        let set = format!(
            "<Name>www.lab.test</Name><Type>A</Type><TTL>5</TTL><ResourceRecords><ResourceRecord><Value>{address}</Value>\
             </ResourceRecord></ResourceRecords>"
        );
        let body = format!(
            "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Changes>\
             <Change><Action>UPSERT</Action><ResourceRecordSet>{set}</ResourceRecordSet></Change></Changes></ChangeBatch>\
             </ChangeResourceRecordSetsRequest>"
        );
        let reply = here.post(&format!("/hostedzone/{zone}/rrset/"), &body);
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.element("Id").to_owned()
    };
    let status = |client: &Client, id: &str| client.get(id).element("Status").to_owned();
    let id = change("192.0.2.1");
    wait_for("both know it", || (status(&there, &id) == "INSYNC" && status(&here, &id) == "INSYNC").then_some(()));
    // A node that does not follow holds a change back, until it is not alive any more.
    second.signal("STOP");
    let id = change("192.0.2.2");
    assert_eq!(status(&here, &id), "PENDING");
    second.signal("CONT");
    wait_for("the other has it too", || (status(&here, &id) == "INSYNC").then_some(()));
    assert_eq!(addresses(&second, "www.lab.test."), ["192.0.2.2"]);
}

pub(crate) fn an_etcd_that_hangs_delays_no_answer_and_one_that_lost_its_data_removes_none() {
    let mut etcd = Etcd::start();
    let one = node("one", &etcd.endpoint());
    let first = one.serve();
    run(&one, &first, &["zone", "create", "lab.test"]).unwrap();
    set(&one, &first, "www.lab.test", "192.0.2.1");
    etcd.signal("STOP");
    let began = Instant::now();
    let refused = run(&one, &first, &["record", "set", "www.lab.test", "A", "192.0.2.9"]).unwrap_err();
    assert!(refused.contains("etcd") && began.elapsed() < Duration::from_secs(6), "{refused} {:?}", began.elapsed());
    assert_eq!(addresses(&first, "www.lab.test."), ["192.0.2.1"]);
    etcd.signal("CONT");
    set_when_possible(&one, &first, "www.lab.test", "192.0.2.2");
    etcd.lose_everything();
    first.wait_for_log("it may have lost its data");
    assert_eq!(addresses(&first, "www.lab.test."), ["192.0.2.2"]);
}

/// Sends a request to etcd's gateway.
fn post(etcd: &Etcd, path: &str, body: &str) {
    post_for(etcd, path, body);
}

/// The response of etcd's gateway.
fn post_for(etcd: &Etcd, path: &str, body: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", etcd.port)).unwrap();
    let length = body.len();
    let request =
        format!("POST {path} HTTP/1.1\r\nhost: etcd\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200"), "{path}: {response}");
    response
}

pub(crate) fn a_user_of_etcd_who_may_use_the_prefix_alone() {
    let etcd = Etcd::start();
    let user = |name: &str, password: &str, role: &str| {
        post(&etcd, "/v3/auth/role/add", &format!("{{\"name\": \"{role}\"}}"));
        post(&etcd, "/v3/auth/user/add", &format!("{{\"name\": \"{name}\", \"password\": \"{password}\"}}"));
        post(&etcd, "/v3/auth/user/grant", &format!("{{\"user\": \"{name}\", \"role\": \"{role}\"}}"));
    };
    user("root", "root", "root");
    user("dns", "sesame", "dns");
    // The keys from /fiftythree/ to before /fiftythree0, in Base64.
    let keys = "\"key\": \"L2ZpZnR5dGhyZWUv\", \"range_end\": \"L2ZpZnR5dGhyZWUw\"";
    post(
        &etcd,
        "/v3/auth/role/grant",
        &format!("{{\"name\": \"dns\", \"perm\": {{\"permType\": \"READWRITE\", {keys}}}}}"),
    );
    post(&etcd, "/v3/auth/enable", "{}");
    let with_password = |name: &str, password: &str| {
        let lab = Lab::new(&[]);
        lab.write("password", password);
        let settings = format!(
            "[cluster]\nendpoints = ['{}']\nnode = '{name}'\nuser = 'dns'\npassword_file = 'password'\n",
            etcd.endpoint()
        );
        lab.add_settings(&settings);
        lab
    };
    let (one, two) = (with_password("one", "sesame\n"), with_password("two", "wrong\n"));
    let (first, second) = (one.serve(), two.serve());
    run(&one, &first, &["zone", "create", "lab.test"]).unwrap();
    set(&one, &first, "www.lab.test", "192.0.2.1");
    second.wait_for_log("authentication failed");
    assert!(!second.log().contains("sesame"), "{}", second.log());
    two.write("password", "sesame");
    second.wait_for_answer("www.lab.test.", &["192.0.2.1"]);
}

pub(crate) fn certificates_of_etcd_and_of_the_node() {
    use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
    let one = Lab::new(&[]);
    let key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    one.write("ca.pem", &authority.self_signed(&key).unwrap().pem());
    let issuer = Issuer::new(authority, key);
    let issue = |name: &str, hosts: &[&str]| {
        let key = KeyPair::generate().unwrap();
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        // The gateway of etcd is a client of etcd.
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        one.write(&format!("{name}.pem"), &params.signed_by(&key, &issuer).unwrap().pem());
        one.write(&format!("{name}.key"), &key.serialize_pem());
    };
    issue("etcd", &["127.0.0.1", "localhost"]);
    issue("node", &["one"]);
    let path = |name: &str| one.path(name).display().to_string();
    let arguments =
        [["--cert-file", &path("etcd.pem")], ["--key-file", &path("etcd.key")], ["--trusted-ca-file", &path("ca.pem")]];
    let mut arguments: Vec<String> = arguments.concat().into_iter().map(str::to_owned).collect();
    arguments.push("--client-cert-auth".to_owned());
    let etcd = Etcd::start_with("https", &arguments);
    let cluster = format!("[cluster]\nendpoints = ['https://127.0.0.1:{}']\ncertificate_authorities = ['", etcd.port);
    one.add_settings(&format!("{cluster}ca.pem']\nnode = 'one'\ntls_certificate = 'node.pem'\ntls_key = 'node.key'\n"));
    let first = one.serve();
    run(&one, &first, &["zone", "create", "lab.test"]).unwrap_or_else(|error| panic!("{error}\n{}", first.log()));
    // Without a certificate of its own, a node is turned away.
    let two = Lab::new(&[]);
    two.add_settings(&format!("{cluster}{}']\nnode = 'two'\n", path("ca.pem")));
    let second = two.serve();
    second.wait_for_log("no file of the cluster is served until it is reached");
    assert_eq!(addresses(&second, "ns1.lab.test."), [""; 0]);
}

/// Two record sets of one name: the second one answers while the first one is unhealthy.
const FAILOVER: &str = "name = 'lab.test'\n\
    [[record]]\nname = 'app'\ntype = 'A'\nttl = 5\nset_identifier = 'blue'\nfailover = 'primary'\n\
    values = ['192.0.2.1']\nhealth_check = 'blue'\n\
    [[record]]\nname = 'app'\ntype = 'A'\nttl = 5\nset_identifier = 'green'\nfailover = 'secondary'\n\
    values = ['192.0.2.2']\nhealth_check = 'green'\n";
const MANUAL_CHECKS: &str = "[[health_check]]\nname = 'blue'\ntype = 'manual'\nstatus = 'healthy'\n\
    [[health_check]]\nname = 'green'\ntype = 'manual'\nstatus = 'healthy'\n";
const BLUE: &str = "192.0.2.1";
const GREEN: &str = "192.0.2.2";

/// Gives etcd the files with the two record sets.
fn apply_failover(lab: &Lab) {
    std::fs::create_dir(lab.path("files")).unwrap();
    lab.write("files/lab.test.toml", FAILOVER);
    lab.write("files/checks.toml", MANUAL_CHECKS);
    let output = lab.run(&["cluster", "apply", "files", "--yes"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// The overrides that a node has, when it has as many as these patterns.
fn wait_for_overrides(lab: &Lab, running: &Running, patterns: &[&str]) -> String {
    wait_for("the overrides are on the node", || {
        let list = run(lab, running, &["override", "list"]).unwrap();
        let lines = list.lines().filter(|line| line.contains(", from ")).count();
        let all = patterns.iter().all(|pattern| list.contains(&format!("  {pattern} ")));
        (all && lines == patterns.len()).then_some(list)
    })
}

pub(crate) fn an_override_on_one_node_is_in_force_on_all() {
    let mut etcd = Etcd::start();
    let (one, two) = (node("one", &etcd.endpoint()), node("two", &etcd.endpoint()));
    apply_failover(&one);
    let (first, second) = (one.serve(), two.serve());
    assert_eq!(
        (addresses(&first, "app.lab.test."), addresses(&second, "app.lab.test.")),
        (vec![BLUE.into()], vec![BLUE.into()])
    );
    let down = ["override", "set", "blue", "down", "--reason", "new disks", "--author", "ada"];
    run(&one, &first, &down).unwrap();
    assert_eq!(addresses(&first, "app.lab.test."), [GREEN], "this node applies it when the command returns");
    let took = second.wait_for_answer("app.lab.test.", &[GREEN]);
    println!("in force on the other node after {took:?}");
    let list = wait_for_overrides(&two, &second, &["blue"]);
    assert!(list.contains("by ada on node one: new disks"), "{list}");
    // Cleared on the other node; one that is not there is refused.
    run(&two, &second, &["override", "clear", "blue"]).unwrap();
    let history = run(&two, &second, &["history"]).unwrap();
    assert!(history.contains("the override of blue by ada on node one is set: new disks"), "{history}");
    first.wait_for_answer("app.lab.test.", &[BLUE]);
    let missing = run(&one, &first, &["override", "clear", "blue"]).unwrap_err();
    assert!(missing.contains("there is no override of `blue`"), "{missing}");
    // Both nodes set overrides at the same time: none is lost.
    let (blue, green) = (["b*", "bl*", "blu*", "?lue", "*e"], ["g*", "gr*", "gre*", "?reen", "*n"]);
    let set = |lab: &Lab, running: &Running, patterns: [&str; 5]| {
        for pattern in patterns.into_iter().chain(["??*"]) {
            run(lab, running, &["override", "set", pattern, "up"]).unwrap();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| set(&one, &first, blue));
        scope.spawn(|| set(&two, &second, green));
    });
    let patterns = [&blue[..], &green, &["??*"]].concat();
    for (lab, running) in [(&one, &first), (&two, &second)] {
        wait_for_overrides(lab, running, &patterns);
    }
    run(&one, &first, &["override", "clear", "*"]).unwrap();
    wait_for_overrides(&two, &second, &[]);
    without_etcd_overrides_stay(&mut etcd, (&one, first), (&two, second));
}

/// What is in force stays, also over a restart; changes are refused at once.
fn without_etcd_overrides_stay(etcd: &mut Etcd, (one, first): (&Lab, Running), (two, second): (&Lab, Running)) {
    run(one, &first, &["override", "set", "blue", "down", "--for", "1h"]).unwrap();
    second.wait_for_answer("app.lab.test.", &[GREEN]);
    etcd.stop();
    let began = Instant::now();
    let refused = run(two, &second, &["override", "clear", "blue"]).unwrap_err();
    assert!(refused.contains("etcd"), "{refused}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let refused = run(two, &second, &["override", "set", "green", "down"]).unwrap_err();
    assert!(refused.contains("etcd"), "{refused}");
    let body = "{\"pattern\": \"green\", \"action\": \"down\"}";
    let status = http_status(two, &second, body);
    assert_eq!(status, "503");
    assert!(second.stop().success());
    let second = two.serve();
    assert_eq!(addresses(&second, "app.lab.test."), [GREEN], "a restart without etcd keeps it");
    let list = wait_for_overrides(two, &second, &["blue"]);
    assert!(list.contains("on node one"), "{list}");
    etcd.start_again();
    let clear = ["override", "clear", "blue"];
    wait_for("changes are possible again", || run(one, &first, &clear).ok());
    for running in [&first, &second] {
        running.wait_for_answer("app.lab.test.", &[BLUE]);
    }
    wait_for_overrides(two, &second, &[]);
}

/// The status of a request to set an override.
fn http_status(lab: &Lab, running: &Running, body: &str) -> String {
    use std::io::{Read as _, Write as _};
    let token = std::fs::read_to_string(lab.path("state/admin.token")).unwrap();
    let mut stream = std::net::TcpStream::connect(running.admin()).unwrap();
    let (length, host, token) = (body.len(), running.admin(), token.trim().to_owned());
    let request = format!(
        "POST /v1/overrides HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response.split(' ').nth(1).unwrap().to_owned()
}

pub(crate) fn overrides_from_before_the_cluster_are_put_into_it() {
    let etcd = Etcd::start();
    let (one, two) = (node("one", &etcd.endpoint()), node("two", &etcd.endpoint()));
    apply_failover(&two);
    // A server on its own, with the same state directory and the same checks.
    let settings = std::fs::read_to_string(one.path("fiftythree.toml")).unwrap();
    let alone = settings.split("[cluster]").next().unwrap().to_owned();
    one.write("fiftythree.toml", &alone);
    one.write("zones/lab.test.toml", FAILOVER);
    one.write("zones/checks.toml", MANUAL_CHECKS);
    let first = one.serve();
    run(&one, &first, &["override", "set", "blue", "down", "--author", "ada"]).unwrap();
    assert!(!run(&one, &first, &["override", "list"]).unwrap().contains("on node"));
    assert!(first.stop().success());
    for file in ["zones/lab.test.toml", "zones/checks.toml"] {
        std::fs::remove_file(one.path(file)).unwrap();
    }
    one.write("fiftythree.toml", &settings);
    let (first, second) = (one.serve(), two.serve());
    second.wait_for_answer("app.lab.test.", &[GREEN]);
    for (lab, running) in [(&one, &first), (&two, &second)] {
        let list = wait_for_overrides(lab, running, &["blue"]);
        assert!(list.contains("by ada on node one"), "{list}");
    }
}

const CLUSTER_SECRET: &str = "bQ7nJxq1mWc3vX0aT5kYHs2LwE9rPzUdGf8iOoKjBhM=\n";

/// A node with this secret file.
fn node_with_secret(name: &str, endpoint: &str, secret: &str) -> Lab {
    use std::os::unix::fs::PermissionsExt as _;
    let lab = node(name, endpoint);
    lab.write("cluster.secret", secret);
    std::fs::set_permissions(lab.path("cluster.secret"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let settings = std::fs::read_to_string(lab.path("fiftythree.toml")).unwrap();
    let settings = settings.replace("[cluster]\n", "[cluster]\nsecret_file = 'cluster.secret'\n");
    lab.write("fiftythree.toml", &settings);
    lab
}

/// The cookie with which a server answers a query that has this one.
fn cookie_from(running: &Running, cookie: &[u8]) -> Vec<u8> {
    const COOKIE: u16 = 10;
    // The query `app.lab.test. A`, with an OPT record that has the cookie (RFC 6891, RFC 7873).
    let mut query =
        b"\x53\x53\0\0\0\x01\0\0\0\0\0\x01\x03app\x03lab\x04test\0\0\x01\0\x01\0\0\x29\x04\xd0\0\0\0\0".to_vec();
    let length = u16::try_from(cookie.len()).unwrap();
    query.extend((length + 4).to_be_bytes());
    query.extend(COOKIE.to_be_bytes());
    query.extend(length.to_be_bytes());
    query.extend(cookie);
    let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.send_to(&query, running.address).unwrap();
    let mut buffer = [0; 4096];
    let octets = client.recv(&mut buffer).unwrap();
    // The option of a cookie with 24 octets.
    let option = [&COOKIE.to_be_bytes()[..], &24_u16.to_be_bytes()].concat();
    let response = &buffer[..octets];
    let at = response.windows(4).position(|octets| octets == option).expect("a cookie");
    response[at + 4..at + 28].to_vec()
}

/// Whether a server takes this cookie as it is. It replaces one that is not of its active secret.
fn takes(running: &Running, cookie: &[u8]) -> bool {
    cookie_from(running, cookie) == cookie
}

pub(crate) fn a_cookie_of_one_node_is_valid_on_all() {
    let mut etcd = Etcd::start();
    let secret = |name: &str| node_with_secret(name, &etcd.endpoint(), CLUSTER_SECRET);
    let (one, two) = (secret("one"), secret("two"));
    let (first, second) = (one.serve(), two.serve());
    let cookie = cookie_from(&first, &[7; 8]);
    wait_for("the other node has the secrets", || takes(&second, &cookie).then_some(()));
    // The steps on either node hold on both.
    let steps = |lab: &Lab, verb: &str| {
        let output = lab.run(&["cookie-secret", verb]);
        assert!(output.status.success(), "{verb}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    let added = steps(&one, "add");
    assert_eq!((added.lines().count(), steps(&two, "list")), (2, added.clone()));
    steps(&two, "activate");
    let new =
        wait_for("a cookie of the new secret", || Some(cookie_from(&first, &cookie)).filter(|new| *new != cookie));
    wait_for("the other node has it too", || takes(&second, &new).then_some(()));
    steps(&one, "drop");
    assert_eq!(steps(&two, "list").lines().count(), 1);
    let status = wait_for("both are registered", || {
        Some(text(&one.run(&["cluster", "status"]).stdout)).filter(|status| status.lines().count() == 4)
    });
    assert!(status.contains("the nodes share the secrets of DNS cookies\n"), "{status}");
    assert!(!status.contains("settings differ"), "{status}");
    // Nothing in etcd shows them.
    let digits = steps(&one, "list").split_whitespace().nth(1).unwrap().to_owned();
    let stored =
        post_for(&etcd, "/v3/kv/range", "{\"key\": \"L2ZpZnR5dGhyZWUv\", \"range_end\": \"L2ZpZnR5dGhyZWUw\"}");
    assert!(stored.contains("L2ZpZnR5dGhyZWUvc2VjcmV0cy9jb29raWVz"), "the key /fiftythree/secrets/cookies");
    let octets: Vec<u8> = digits.bytes().collect();
    assert!(!base64_values(&stored).iter().any(|value| value.windows(32).any(|part| part == octets)));
    // A restart without etcd goes on with the copy, and changes are refused.
    etcd.stop();
    assert!(second.stop().success());
    let second = two.serve();
    assert!(takes(&second, &new));
    let listed = two.run(&["cookie-secret", "list"]);
    assert!(text(&listed.stdout).contains(&digits), "{}", text(&listed.stdout));
    assert!(text(&listed.stderr).contains("this is the copy in"), "{}", text(&listed.stderr));
    let refused = two.run(&["cookie-secret", "add"]);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("cannot reach etcd"), "{}", text(&refused.stderr));
}

pub(crate) fn a_node_with_another_secret_keeps_its_cookies_and_says_so() {
    let etcd = Etcd::start();
    let one = node_with_secret("one", &etcd.endpoint(), CLUSTER_SECRET);
    let other = CLUSTER_SECRET.replace("bQ7", "aQ7");
    let two = node_with_secret("two", &etcd.endpoint(), &other);
    apply_failover(&one);
    let first = one.serve();
    let cookie = cookie_from(&first, &[7; 8]);
    wait_for("the first node has shared its secrets", || {
        text(&one.run(&["cluster", "status"]).stdout).contains("the nodes share").then_some(())
    });
    let second = two.serve();
    second.wait_for_log("cluster.secret does not open /fiftythree/secrets/cookies in etcd");
    assert_eq!(addresses(&second, "app.lab.test."), [BLUE], "it answers");
    let own = cookie_from(&second, &[7; 8]);
    assert!(takes(&second, &own) && takes(&first, &cookie) && !takes(&second, &cookie));
    let status = wait_for("both are registered", || {
        Some(two.run(&["cluster", "status"])).filter(|status| text(&status.stdout).contains("two  "))
    });
    let said = text(&status.stdout);
    assert!(!status.status.success() && said.contains("does not open"), "{said}");
    assert!(said.contains("its settings differ: cluster.secret_file"), "{said}");
    // With the right one it takes part.
    assert!(second.stop().success());
    two.write("cluster.secret", CLUSTER_SECRET);
    let refused = text(&two.run(&["check"]).stderr);
    assert!(refused.contains("must not be readable by other users"), "{refused}");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(two.path("cluster.secret"), mode).unwrap();
    let second = two.serve();
    wait_for("the cookie of the first node is valid", || takes(&second, &cookie).then_some(()));
}

/// The values in a response of etcd.
fn base64_values(response: &str) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    let values = response.split("\"value\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    values.map(|value| base64::engine::general_purpose::STANDARD.decode(value).unwrap()).collect()
}

/// The set-up of docs/cluster.md: the files of each node are copied into etcd, and then removed.
pub(crate) fn zones_of_the_nodes_move_to_etcd() {
    let etcd = Etcd::start();
    let (one, two) = (node("one", &etcd.endpoint()), node("two", &etcd.endpoint()));
    let zone = |name: &str| {
        format!("name = '{name}'\n[[record]]\nname = 'www'\ntype = 'A'\nttl = 5\nvalues = ['192.0.2.1']\n")
    };
    for lab in [&one, &two] {
        lab.write("zones/p.toml", &zone("p.test"));
        lab.write("zones/q.toml", &zone("q.test"));
        lab.write("zones/checks.toml", "[[health_check]]\nname = 'up'\ntype = 'manual'\nstatus = 'healthy'\n");
    }
    let (first, second) = (one.serve(), two.serve());
    let refused = run(&one, &first, &["record", "set", "a.p.test", "A", "192.0.2.2"]).unwrap_err();
    assert!(refused.contains("zones/p.toml is a file of this node"), "{refused}");
    assert!(one.run(&["cluster", "apply", "./zones", "--yes"]).status.success());
    // The zones in etcd are served, and changed on both nodes, although each has files of them.
    first.wait_for_log("the public zone `p.test.` is defined in two files");
    second.wait_for_log("the public zone `p.test.` is defined in two files");
    set_when_possible(&one, &first, "a.p.test", "192.0.2.2");
    second.wait_for_answer("a.p.test.", &["192.0.2.2"]);
    set_when_possible(&two, &second, "a.q.test", "192.0.2.3");
    first.wait_for_answer("a.q.test.", &["192.0.2.3"]);
    for (lab, running) in [(&one, &first), (&two, &second)] {
        for file in ["p", "q", "checks"] {
            std::fs::remove_file(lab.path(&format!("zones/{file}.toml"))).unwrap();
        }
        running.wait_for_log("reloaded");
    }
    set(&one, &first, "b.q.test", "192.0.2.4");
    second.wait_for_answer("b.q.test.", &["192.0.2.4"]);
    wait_for("both nodes have every change", || {
        let status = text(&one.run(&["cluster", "status"]).stdout);
        (status.matches("has every change").count() == 2).then_some(())
    });
    for running in [&first, &second] {
        assert_eq!(addresses(running, "www.p.test."), ["192.0.2.1"], "{}", running.log());
        assert!(!running.log().contains("symbolic link"), "{}", running.log());
    }
}

/// A node has a file of a zone that another one creates in etcd.
pub(crate) fn a_zone_of_one_node_that_another_creates_is_served_from_etcd() {
    let etcd = Etcd::start();
    let (one, two) = (node("one", &etcd.endpoint()), node("two", &etcd.endpoint()));
    let zone = |name: &str| {
        format!("name = '{name}'\n[[record]]\nname = 'www'\ntype = 'A'\nttl = 5\nvalues = ['192.0.2.9']\n")
    };
    two.write("zones/l1.toml", &zone("l1.test"));
    two.write("zones/l2.toml", &zone("l2.test"));
    let (first, mut second) = (one.serve(), two.serve());
    run(&one, &first, &["zone", "create", "l1.test"]).unwrap();
    run(&one, &first, &["zone", "create", "other.test"]).unwrap();
    set(&one, &first, "www.l1.test", "192.0.2.1");
    second.wait_for_answer("www.l1.test.", &["192.0.2.1"]);
    second.wait_for_log("the public zone `l1.test.` is defined in two files");
    set(&one, &first, "www.other.test", "192.0.2.2");
    second.wait_for_answer("www.other.test.", &["192.0.2.2"]);
    wait_for("no change is pending", || {
        let status = text(&one.run(&["cluster", "status"]).stdout);
        (status.matches("has every change").count() == 2).then_some(())
    });
    // A restart serves the same.
    assert!(second.stop().success());
    second = two.serve();
    for (name, address) in
        [("www.l1.test.", "192.0.2.1"), ("www.l2.test.", "192.0.2.9"), ("www.other.test.", "192.0.2.2")]
    {
        assert_eq!(addresses(&second, name), [address], "{name} {}", second.log());
    }
    assert!(!second.log().contains("no usable copy"), "{}", second.log());
    // The zone is served from the file again when it is not in etcd any more.
    run(&one, &first, &["record", "delete", "www.l1.test", "A"]).unwrap();
    run(&one, &first, &["zone", "delete", "l1.test"]).unwrap();
    second.wait_for_answer("www.l1.test.", &["192.0.2.9"]);
}
