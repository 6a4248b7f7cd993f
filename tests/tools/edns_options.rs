//! Cookies and the TCP keepalive, as dig (BIND) and kdig (Knot DNS) read them.

use std::process::Command;

use crate::server::{Lab, Running, text};

const ZONE: &str = "name = 'lab.test'\n[[record]]\nname = 'www'\ntype = 'A'\nttl = 60\nvalues = ['192.0.2.1']\n";
/// A client cookie, and a server cookie of another server.
const FOREIGN: &str = "0102030405060708010000006b0e4451857bd7b30b685d22";

/// What a client prints about `www.lab.test.`, in lower case.
fn ask(server: &Running, program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(["@127.0.0.1", "-p", &server.address.port().to_string()]).args(arguments).args(["www.lab.test.", "A"]);
    let output = command.output().unwrap();
    let said = text(&output.stdout).to_lowercase() + &text(&output.stderr).to_lowercase();
    assert!(output.status.success() && said.contains("192.0.2.1"), "{program} {arguments:?}: {said}");
    said
}

/// The 48 digits of the cookie in this output.
fn cookie(said: &str) -> String {
    let (_, cookie) = said.split_once("cookie: ").unwrap_or_else(|| panic!("no cookie: {said}"));
    let digits: String = cookie.chars().take_while(char::is_ascii_hexdigit).collect();
    assert_eq!(digits.len(), 48, "{said}");
    digits
}

pub(crate) fn dig_and_kdig_take_each_other_s_cookies() {
    let lab = Lab::new(&[("lab.toml", ZONE)]);
    let server = lab.serve();
    for (program, other) in [("dig", "kdig"), ("kdig", "dig")] {
        let own = cookie(&ask(&server, program, &["+cookie"]));
        let sent = format!("+cookie={own}");
        // A valid cookie comes back as it is.
        let said =
            [ask(&server, program, &[&sent]), ask(&server, other, &[&sent]), ask(&server, other, &[&sent, "+tcp"])];
        assert!(said.iter().all(|said| cookie(said) == own), "{said:?}");
        // Another one is replaced, for the same client cookie.
        let said = ask(&server, program, &[&format!("+cookie={FOREIGN}")]);
        let replaced = cookie(&said);
        assert_eq!((&replaced[..16], replaced == FOREIGN), (&FOREIGN[..16], false), "{said}");
        assert!(!said.contains("bad") && !said.contains("warning: client cookie"), "{said}");
    }
    // dig compares the client cookie with its own.
    let said = ask(&server, "dig", &["+cookie"]);
    assert!(said.contains("(good)"), "{said}");
}

pub(crate) fn dig_reads_the_keepalive_over_tcp_and_finds_none_over_udp() {
    let lab = Lab::new(&[("lab.toml", ZONE)]);
    let server = lab.serve();
    let said = ask(&server, "dig", &["+tcp", "+keepalive"]);
    assert!(said.contains("; tcp keepalive: 10.0 secs"), "{said}");
    for arguments in [&["+notcp", "+keepalive"][..], &["+tcp"]] {
        let said = ask(&server, "dig", arguments);
        assert!(!said.contains("keepalive:"), "{said}");
    }
    // kdig knows the option by its number. It asks twice over one connection.
    let said = ask(&server, "kdig", &["+tcp", "+keepopen", "+ednsopt=11", "www.lab.test.", "A"]);
    assert_eq!((said.matches("option (11): 0064").count(), said.contains("warning")), (2, false), "{said}");
}
