//! Rate limits over real sockets, in a network namespace: loopback addresses have no limit.

use std::process::Command;

use crate::server::{Lab, text};

const ZONE: &str = "name = 'lab.test'\n[[record]]\nname = 'www'\ntype = 'A'\nttl = 60\nvalues = ['192.0.2.1']\n";
const SETTINGS: &str = "[dns]\nlisten = ['192.0.2.53:53']\n[zones]\ndirectory = 'zones'\n[state]\ndirectory = 'state'\n\
    [admin]\nlisten = 'off'\n\
    [rate_limit]\nrate = 1\ninstant = 10\ntcp_time = '1ms'\n";

/// Starts the server of `Lab` as `$SERVER …` in a namespace where 192.0.2.0/24 and 198.51.100.0/24
/// are addresses of this machine, and runs `script`. Returns its output and the log.
fn in_namespace(lab: &Lab, script: &str) -> String {
    let serve = lab.command(&["serve"]);
    let words = [serve.get_program()].into_iter().chain(serve.get_args());
    let words: Vec<String> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
    let setup = "ip link set lo up && ip route add local 192.0.2.0/24 dev lo \
                 && ip route add local 198.51.100.0/24 dev lo || exit 1";
    let wait =
        "for try in $(seq 100); do dig +tries=1 +time=1 @192.0.2.53 lab.test SOA >/dev/null && break; sleep 0.1; done";
    let script =
        format!("{setup}\n{} 2>&1 &\nserver=$!\n{wait}\n{script}\nkill $server; wait $server", words.join(" "));
    let mut command = Command::new("unshare");
    for (name, value) in serve.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = command.args(["-n", "bash", "-c", &script]).output().unwrap();
    text(&output.stdout)
}

pub(crate) fn a_source_over_its_limit_is_sent_to_tcp_and_another_is_answered() {
    let lab = Lab::new(&[("lab.toml", ZONE)]);
    lab.write("fiftythree.toml", SETTINGS);
    let digs = "
        ask() { dig +tries=1 +time=2 @192.0.2.53 www.lab.test A \"$@\" | grep -E '^;; (flags|BADCOOKIE)|IN.A.192' | tr '\\n' ' '; echo; }
        for number in $(seq 20); do echo flood: $(ask -b 192.0.2.7 +nocookie +ignore); done
        echo tcp: $(ask -b 192.0.2.7 +nocookie)
        echo first: $(ask -b 192.0.2.7 +cookie)
        echo cookie: $(ask -b 192.0.2.7 +cookie=0102030405060708010000006b0e4451857bd7b30b685d22 +ignore)
        echo other: $(ask -b 198.51.100.7 +nocookie +ignore)
        sleep 2";
    let output = in_namespace(&lab, digs);
    let lines = |start: &str| output.lines().filter(|line| line.starts_with(start)).collect::<Vec<_>>();
    let flood = lines("flood:");
    let is_whole = |line: &&&str| line.contains("192.0.2.1") && line.contains("qr aa rd;");
    let is_truncated = |line: &&&str| line.contains("ANSWER: 0") && line.contains(" tc ");
    let counts = (flood.iter().filter(is_whole).count(), flood.iter().filter(is_truncated).count());
    // A slow machine takes seconds, and an answer a second is within the limit.
    assert!((10..15).contains(&counts.0) && counts.0 + counts.1 == 20, "{counts:?} {output}");
    // dig repeats the query with the cookie that comes with BADCOOKIE. A query without a server
    // cookie is too short for that response.
    let cookie = lines("cookie:")[0];
    assert!(cookie.contains("BADCOOKIE, retrying") && is_whole(&&cookie), "{output}");
    let first = lines("first:")[0];
    assert!(!first.contains("BADCOOKIE") && is_whole(&&first), "{output}");
    assert!(is_whole(&&lines("tcp:")[0]) && is_whole(&&lines("other:")[0]), "{output}");
    assert!(output.contains("UDP responses, most of them probably to 192.0.2.7/32"), "{output}");
}

pub(crate) fn a_client_that_uses_more_than_its_time_over_tcp_is_disconnected() {
    let lab = Lab::new(&[("lab.toml", ZONE)]);
    lab.write("fiftythree.toml", SETTINGS);
    // Each connection counts as 20 µs, of 1000 a second; the connections of bash come from
    // 192.0.2.53.
    let digs = "
        ask() { dig +tcp +tries=1 +time=2 @192.0.2.53 www.lab.test A +short \"$@\" | grep -q '^192' && echo answered; }
        (while :; do exec 3<>/dev/tcp/192.0.2.53/53; exec 3>&-; done) 2>/dev/null & flood=$!
        sleep 1
        for number in $(seq 20); do echo flood: $(ask -b 192.0.2.53); done
        echo other: $(ask -b 198.51.100.7)
        kill $flood
        sleep 4
        echo later: $(ask -b 192.0.2.53)";
    let output = in_namespace(&lab, digs);
    // How many depends on how fast bash connects on this machine: the limit lets 50 a second
    // through.
    assert!(output.matches("flood:\n").count() >= 3, "{output}");
    assert!(output.contains("other: answered") && output.contains("later: answered"), "{output}");
}
