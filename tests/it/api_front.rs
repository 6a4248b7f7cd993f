//! The front of the Route 53 API: who may call it, and what hostile requests cost.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::aws::{Client, Reply, exchange, read_reply};
use crate::server::{Lab, PATIENCE, Running};

const LISTEN: &str = "[api]\nlisten = ['127.0.0.1:0']\n";
const KEY: [(&str, &str); 2] =
    [("FIFTYTHREE_API_ACCESS_KEY_ID", "test"), ("FIFTYTHREE_API_SECRET_ACCESS_KEY", "test-secret")];

/// A server with an API and these further settings of it.
fn server(more: &str, variables: &[(&str, &str)]) -> (Lab, Running) {
    let lab = Lab::new(&[("lab.test.toml", "name = 'lab.test'\n")]);
    lab.add_settings(&format!("{LISTEN}{more}"));
    let running = lab.serve_with(&[], variables);
    (lab, running)
}

fn outcome(reply: &Reply) -> (u16, &str) {
    (reply.status, reply.code())
}

const DENMARK: &str = "/geolocation?countrycode=DK";

#[test]
fn without_its_table_there_is_no_api() {
    let lab = Lab::new(&[]);
    let running = lab.serve();
    running.admin();
    assert!(!running.stdout().contains("Route 53 API"), "{}", running.stdout());
}

#[test]
fn a_request_needs_a_signature_with_a_key() {
    let (_lab, running) = server("", &KEY);
    let client = Client::of(&running, "test", "test-secret");
    let good = client.get(DENMARK);
    assert_eq!((good.status, good.element("CountryName")), (200, "Denmark"));
    assert!(good.headers.contains("content-type: text/xml") && good.headers.contains("x-amzn-requestid: "), "{good:?}");
    assert_eq!(client.with_token("session").get(DENMARK).status, 200);
    let presigned = |client: &Client, sent: &str| {
        let target = client.presigned("GET", "/geolocations");
        exchange(client.address(), format!("{sent} {target} HTTP/1.1\r\nHost: {}\r\n\r\n", client.address()).as_bytes())
    };
    assert_eq!(presigned(&client, "GET").status, 200);
    assert_eq!(outcome(&presigned(&client, "DELETE")), (403, "SignatureDoesNotMatch"));

    let unsigned = format!("GET /2013-04-01{DENMARK} HTTP/1.1\r\nHost: {}\r\n\r\n", client.address());
    assert_eq!(outcome(&exchange(client.address(), unsigned.as_bytes())), (403, "MissingAuthenticationToken"));
    assert_eq!(outcome(&Client::of(&running, "test", "other").get(DENMARK)), (403, "SignatureDoesNotMatch"));
    assert_eq!(outcome(&Client::of(&running, "other", "test-secret").get(DENMARK)), (403, "InvalidClientTokenId"));
    // Another host, for which the request was not signed.
    let signed = String::from_utf8(client.request("GET", DENMARK, &[], b"")).unwrap();
    let other = signed.replace(&format!("host: {}", client.address()), "host: route53.amazonaws.com");
    assert_eq!(outcome(&exchange(client.address(), other.as_bytes())), (403, "SignatureDoesNotMatch"));
}

#[test]
fn keys_come_from_a_file_that_only_the_server_reads() {
    let lab = Lab::new(&[]);
    lab.add_settings(&format!("{LISTEN}keys_file = 'keys.toml'\n"));
    let write = |id: &str| {
        let key = format!("[[key]]\naccess_key_id = '{id}'\nsecret_access_key = 'zq7-secret'\nrights = 'read'\n");
        std::fs::write(lab.path("new.toml"), key).unwrap();
        std::fs::set_permissions(lab.path("new.toml"), std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::rename(lab.path("new.toml"), lab.path("keys.toml")).unwrap();
    };
    lab.write("keys.toml", "");
    std::fs::set_permissions(lab.path("keys.toml"), std::fs::Permissions::from_mode(0o644)).unwrap();
    for command in ["check", "serve"] {
        let output = lab.run(&[command]);
        let says = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && says.contains("must not be readable by other users"), "{command}: {says}");
    }
    write("first");
    let running = lab.serve();
    let first = Client::of(&running, "first", "zq7-secret");
    assert_eq!(first.get(DENMARK).status, 200);
    let denied = first.send("DELETE", "/hostedzone/Z1", &[], "");
    assert_eq!(outcome(&denied), (403, "AccessDenied"));
    assert_eq!(
        denied.element("Message"),
        "User: arn:aws:iam::000000000000:user/first is not authorized to perform: route53:DeleteHostedZone on resource: \
         arn:aws:route53:::hostedzone/Z1"
    );

    write("second");
    let second = Client::of(&running, "second", "zq7-secret");
    let began = Instant::now();
    while second.get(DENMARK).status != 200 {
        assert!(began.elapsed() < PATIENCE, "{}", running.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(outcome(&first.get(DENMARK)), (403, "InvalidClientTokenId"));
    assert!(!running.log().contains("zq7"), "{}", running.log());
}

/// The settings of the container image: others reach the API when there is a key.
#[test]
fn with_keys_it_can_listen_on_other_addresses() {
    let (_lab, closed) = server("listen_with_keys = ['127.0.0.2:0']\n", &[]);
    let client = Client::of(&closed, "test", "test");
    assert!(client.address().starts_with("127.0.0.1:"), "{}", closed.stdout());
    let options =
        "-e FIFTYTHREE_API_ACCESS_KEY_ID=test -e FIFTYTHREE_API_SECRET_ACCESS_KEY=test -p 127.0.0.1:4566:4566";
    assert!(closed.stdout().contains(options), "{}", closed.stdout());
    let (_lab, open) = server("listen_with_keys = ['127.0.0.2:0']\n", &KEY);
    let client = Client::of(&open, "test", "test-secret");
    assert!(client.address().starts_with("127.0.0.2:") && !open.stdout().contains("-e "), "{}", open.stdout());
    assert_eq!(client.get(DENMARK).status, 200);
    let lab = Lab::new(&[]);
    lab.add_settings(&format!("{LISTEN}listen_with_keys = ['0.0.0.0:0']\n"));
    assert!(lab.run(&["check"]).status.success(), "nobody listens there without keys");
}

#[test]
fn without_keys_programs_on_loopback_are_trusted_and_web_pages_are_not() {
    let (_lab, running) = server("", &[]);
    let client = Client::of(&running, "anybody", "anything");
    assert_eq!(client.get(DENMARK).status, 200);
    let zone = "<CreateHostedZoneRequest/>";
    for header in [
        ("origin", "http://evil.test"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-origin"),
        ("content-type", "text/plain;charset=UTF-8"),
        ("content-type", "application/x-www-form-urlencoded"),
    ] {
        let reply = client.send("POST", "/hostedzone", &[header], zone);
        assert_eq!(outcome(&reply), (403, "AccessDenied"), "{header:?}");
        assert!(!reply.headers.contains("access-control-"), "{}", reply.headers);
    }
    assert_ne!(client.send("POST", "/hostedzone", &[("content-type", "application/xml")], zone).code(), "AccessDenied");
    // What a page can send without a preflight: no Authorization header, but a query of its own.
    let target = client.presigned("POST", "/hostedzone");
    let form = format!("POST {target} HTTP/1.1\r\nHost: {}\r\nContent-Length: 26\r\n\r\n{zone}", client.address());
    assert_eq!(outcome(&exchange(client.address(), form.as_bytes())), (403, "AccessDenied"));
    // A preflight has no signature.
    let preflight = format!(
        "OPTIONS /2013-04-01/hostedzone HTTP/1.1\r\nHost: {}\r\nOrigin: http://evil.test\r\n\
         Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n\r\n",
        client.address()
    );
    let reply = exchange(client.address(), preflight.as_bytes());
    assert!(reply.status == 403 && !reply.headers.contains("access-control-"), "{reply:?}");
    // Who has a key is no web page.
    let (_lab, keyed) = self::server("trust = ['127.0.0.0/8']\n", &KEY);
    let plain = [("content-type", "text/plain")];
    let with_key = Client::of(&keyed, "test", "test-secret").send("POST", "/hostedzone", &plain, zone);
    assert_eq!(outcome(&with_key), (400, "InvalidInput"), "{}", with_key.body);
    let without = Client::of(&keyed, "test", "guessed").send("POST", "/hostedzone", &plain, zone);
    assert_eq!(outcome(&without), (403, "AccessDenied"));
    // DNS rebinding.
    let rebound = String::from_utf8(client.request("GET", DENMARK, &[], b"")).unwrap();
    let rebound = rebound.replace(&format!("host: {}", client.address()), "host: evil.test");
    assert_eq!(outcome(&exchange(client.address(), rebound.as_bytes())), (403, "AccessDenied"));
}

/// Apache Libcloud sends such requests.
#[test]
fn the_version_of_2012_and_its_signature_of_the_date_are_for_trusted_clients() {
    let send = |running: &Running, method: &str, path: &str, body: &str| {
        let address = Client::of(running, "", "").address().to_owned();
        let signature = "AWS3-HTTPS AWSAccessKeyId=test,Signature=eA==,Algorithm=HmacSHA1";
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nX-Amzn-Authorization: {signature}\r\n");
        exchange(&address, format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes())
    };
    let read = |running: &Running, path: &str| send(running, "GET", path, "");
    let (_lab, trusting) = server("", &[]);
    for (path, status, root) in [
        ("/2012-02-29/hostedzone", 200, "ListHostedZonesResponse"),
        ("/2012-02-29/hostedzone/Z0NONE", 404, "ErrorResponse"),
    ] {
        let reply = read(&trusting, path);
        let start = format!("<{root} xmlns=\"https://route53.amazonaws.com/doc/2012-02-29/\">");
        assert!(reply.status == status && reply.body.contains(&start), "{reply:?}");
    }
    assert_eq!(read(&trusting, "/2013-04-01/hostedzone").status, 200);
    for version in ["2012-02-29", "2013-04-01"] {
        let name = format!("of-{version}.test");
        let body = format!(
            "<CreateHostedZoneRequest xmlns=\"https://route53.amazonaws.com/doc/{version}/\"><Name>{name}</Name>\
             <CallerReference>{name}</CallerReference></CreateHostedZoneRequest>"
        );
        let made = send(&trusting, "POST", &format!("/{version}/hostedzone"), &body);
        let id = made.element("Id").to_lowercase();
        let location = format!("location: http://{}/{version}{id}\r\n", Client::of(&trusting, "", "").address());
        assert!(made.status == 201 && id.starts_with("/hostedzone/z"), "{made:?}");
        assert!(made.headers.contains(&location), "{made:?}");
    }
    let (_lab, keyed) = server("", &KEY);
    assert_eq!(outcome(&read(&keyed, "/2012-02-29/hostedzone")), (403, "SignatureDoesNotMatch"));
}

#[test]
fn unknown_operations_and_other_services_are_told() {
    let (_lab, running) = server("", &[]);
    let client = Client::of(&running, "test", "test");
    assert_eq!(outcome(&client.get("/nothing")), (404, "UnknownOperationException"));

    let for_service = |service: &str, method: &str, target: &str, more: &str, body: &str| {
        let signed = String::from_utf8(client.request(method, "/x", &[], b"")).unwrap();
        let signed = signed.replace("/route53/", &format!("/{service}/")).replace("/2013-04-01/x", target);
        let length = format!("{more}content-length: {}\r\n\r\n{body}", body.len());
        exchange(client.address(), signed.replace("\r\n\r\n", &format!("\r\n{length}")).as_bytes())
    };
    let form = "content-type: application/x-www-form-urlencoded; charset=utf-8\r\n";
    let identity = for_service("sts", "POST", "/", form, "Action=GetCallerIdentity&Version=2011-06-15");
    assert_eq!((identity.status, identity.element("Account")), (200, "000000000000"));
    let other = for_service("s3", "GET", "/", "", "");
    assert_eq!(outcome(&other), (400, "InvalidAction"));
    assert!(other.body.contains("AWS_ENDPOINT_URL_ROUTE_53"), "{other:?}");
    let json = "content-type: application/x-amz-json-1.0\r\n";
    let other = for_service("dynamodb", "POST", "/", json, "{}");
    assert!(other.body.starts_with("{\"__type\":\"InvalidAction\""), "{other:?}");
}

#[test]
fn hostile_xml_is_refused_in_bounded_memory_and_time() {
    let (_lab, running) = server("", &[]);
    let client = Client::of(&running, "test", "test");
    let before = resident_bytes(&running);
    let billion = "<!DOCTYPE z [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]><z>&b;</z>";
    let attributes: String = (0..150_000).map(|number| format!(" a{number}=''")).collect();
    let utf16: Vec<u8> = "<CreateHostedZoneRequest/>".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let bodies: &[(&str, Vec<u8>)] = &[
        ("entities", billion.into()),
        ("a file", "<!DOCTYPE z [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><z>&a;</z>".into()),
        ("depth", "<a>".repeat(600_000).into()),
        ("elements", format!("<a>{}</a>", "<b/>".repeat(500_000)).into()),
        ("attributes", format!("<a{attributes}/>").into()),
        ("a long attribute", format!("<a b='{}'/>", "x".repeat(2_000_000)).into()),
        ("a comment without end", format!("<!--{}", "-".repeat(2_000_000)).into()),
        ("no UTF-8", b"<CreateHostedZoneRequest>\xff\xfe</CreateHostedZoneRequest>".to_vec()),
        ("UTF-16", utf16),
        ("another encoding", "<?xml version='1.0' encoding='UTF-7'?><CreateHostedZoneRequest/>".into()),
        ("another root", "<ChangeTagsForResourceRequest/>".into()),
        ("nothing", Vec::new()),
    ];
    for (what, body) in bodies {
        let began = Instant::now();
        let reply = exchange(client.address(), &client.request("POST", "/hostedzone", &[], body));
        assert_eq!(outcome(&reply), (400, "MalformedInput"), "{what}: {reply:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{what} took {:?}", began.elapsed());
        assert!(!reply.body.contains("root:"), "{what}");
    }
    let grown = resident_bytes(&running).saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more");
    assert_eq!(client.get(DENMARK).status, 200);
}

#[test]
fn hostile_http_is_refused() {
    let (_lab, running) = server("", &[]);
    let client = Client::of(&running, "test", "test");
    let with = |headers: &[(&str, &str)], body: &[u8]| {
        let head = client.request("POST", "/hostedzone", headers, b"");
        exchange(client.address(), &[head.as_slice(), body].concat())
    };
    assert_eq!(with(&[("content-length", "1"), ("content-length", "2")], b"ab").status, 400);
    let both = with(&[("content-length", "5"), ("transfer-encoding", "chunked")], b"0\r\n\r\n");
    assert!(both.status == 400, "{both:?}");
    let long = with(&[("content-length", "99999999999")], b"x");
    assert_eq!(outcome(&long), (413, "RequestEntityTooLarge"));
    assert!(long.headers.contains("connection: close"));

    // Chunks without end.
    let mut stream = TcpStream::connect(client.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&client.request("POST", "/hostedzone", &[("transfer-encoding", "chunked")], b"")).unwrap();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let sent = (0..10_000).take_while(|_| stream.write_all(chunk.as_bytes()).is_ok()).count();
    assert!(sent < 1000, "{sent} chunks of 64 KiB were taken");

    // A signature does not cover a body that was exchanged.
    let (_lab, running) = server("", &KEY);
    let client = Client::of(&running, "test", "test-secret");
    let signed = client.request("POST", "/hostedzone", &[], b"<CreateHostedZoneRequest/>");
    let changed =
        String::from_utf8(signed).unwrap().replace("<CreateHostedZoneRequest/>", "<CreateHostedZoneRequesu/>");
    assert_eq!(outcome(&exchange(client.address(), changed.as_bytes())), (403, "SignatureDoesNotMatch"));
}

#[test]
fn what_cannot_be_served_safely_stops_the_start() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let in_use = format!("[api]\nlisten = ['{}']\n", holder.local_addr().unwrap());
    for (settings, arguments, says) in [
        (in_use.as_str(), &["serve"][..], &["cannot listen on", "`[api] listen`", "--api"][..]),
        ("[api]\nlisten = ['0.0.0.0:0']\n", &["serve"], &["must not listen on `0.0.0.0:0` without keys", "keys_file"]),
        ("[api]\nlisten = ['0.0.0.0:0']\n", &["check"], &["must not listen on `0.0.0.0:0` without keys", "trust"]),
        ("[api]\nlisten = ['0.0.0.0:0']\ntrust = []\n", &["check"], &["without keys"]),
        ("", &["serve", "--api", "[::]:0"], &["must not listen on `[::]:0` without keys"]),
        (&format!("{LISTEN}tls_key = 'api.key'\n"), &["check"], &["`tls_key` needs `tls_certificate`"]),
        (
            &format!("{LISTEN}tls_key = 'none.key'\ntls_certificate = 'none.pem'\n"),
            &["check"],
            &["cannot use the certificate", "none.pem"],
        ),
        ("[api]\n", &["check"], &["`[api]` needs `listen`"]),
    ] {
        let lab = Lab::new(&[]);
        lab.add_settings(settings);
        let output = lab.run(arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{settings} {arguments:?}");
        assert!(says.iter().all(|part| text.contains(part)), "{settings} {arguments:?}: {text}");
    }
    let half = Lab::new(&[]);
    half.add_settings(LISTEN);
    let output = half.command(&["serve"]).env(KEY[0].0, "test").output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("set both FIFTYTHREE_API_ACCESS_KEY_ID and"));
}

#[test]
fn a_key_in_the_environment_or_trust_allows_other_addresses() {
    let (_lab, running) = server("trust = ['127.0.0.1/32']\n", &KEY);
    assert_eq!(Client::of(&running, "anybody", "x").get(DENMARK).status, 200);
    let lab = Lab::new(&[]);
    let running = lab.serve_with(&["--api", "0.0.0.0:0"], &KEY);
    let client = Client::of(&running, "test", "test-secret");
    assert_eq!(client.get(DENMARK).status, 200);
    assert_eq!(outcome(&Client::of(&running, "anybody", "x").get(DENMARK)), (403, "InvalidClientTokenId"));
    let lab = Lab::new(&[]);
    lab.add_settings(LISTEN);
    let running = lab.serve_with(&["--api", "off"], &[]);
    running.admin();
    assert!(!running.stdout().contains("Route 53 API"));
}

#[test]
fn https_uses_the_certificate_and_reads_a_new_one() {
    let lab = Lab::new(&[]);
    let make = || {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        lab.write("api.pem", &made.cert.pem());
        lab.write("api.key", &made.signing_key.serialize_pem());
        made.cert.der().clone()
    };
    let first = make();
    lab.add_settings(&format!("{LISTEN}tls_certificate = 'api.pem'\ntls_key = 'api.key'\n"));
    let running = lab.serve();
    let client = Client::of(&running, "test", "test");
    assert!(running.stdout().contains("AWS_ENDPOINT_URL_ROUTE_53=https://"));
    let get = |certificate: &rustls::pki_types::CertificateDer<'static>| {
        let request = client.request("GET", DENMARK, &[], b"");
        over_tls(client.address().parse().unwrap(), certificate, &request)
    };
    let reply = get(&first).unwrap();
    assert_eq!((reply.status, reply.element("CountryName")), (200, "Denmark"));
    // HTTP on this port gets no answer.
    assert_eq!(client.get(DENMARK).status, 0);

    let second = make();
    let began = Instant::now();
    while get(&second).is_err() {
        assert!(began.elapsed() < PATIENCE, "{}", running.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(get(&first).is_err());
}

/// Sends a request to a server with this certificate.
fn over_tls(
    address: SocketAddr,
    certificate: &rustls::pki_types::CertificateDer<'static>,
    request: &[u8],
) -> std::io::Result<Reply> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let session = rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut stream = rustls::StreamOwned::new(session, socket);
    stream.write_all(request)?;
    Ok(read_reply(&mut stream))
}

/// The memory of a process, from /proc.
fn resident_bytes(running: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
