//! A server that root starts, and that changes to another user when its ports are open.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::process::{Command, Stdio};

use crate::server::{Lab, Running, Transport, WebServer, text, wait_for};

/// The user nobody and its group, on every Linux system (`/proc/sys/kernel/overflowuid`).
const NOBODY: u32 = 65534;

pub(crate) fn root_gives_up_its_privileges_and_everything_still_works() {
    let web = WebServer::start();
    let lab = lab(&failover_zone(web.port));
    lab.add_settings(&format!("[process]\nuser = '{NOBODY}:{NOBODY}'\n[query_log]\nto = 'log/queries'\n"));
    fs::create_dir(lab.path("log")).unwrap();
    // What a server made that stayed root.
    fs::create_dir(lab.path("state")).unwrap();
    fs::write(lab.path("state/zone-index"), "").unwrap();
    let server = lab.serve();
    server.wait_for_log("least privilege in force: user 65534 (65534:65534), no_new_privs, ");
    check_threads(&server);
    let owned =
        ["state", "state/lock", "state/zone-index", "state/health.journal", "state/cookie-secrets", "log/queries"];
    for name in owned {
        let metadata = fs::metadata(lab.path(name)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (NOBODY, NOBODY), "{name}");
    }

    // Queries and probes.
    assert_eq!(server.ask("app.lab.test.", Transport::Udp).addresses, ["192.0.2.11"]);
    assert_eq!(server.ask("app.lab.test.", Transport::Tcp).addresses, ["192.0.2.11"]);
    web.stop();
    server.wait_for_answer("app.lab.test.", &["192.0.2.12"]);
    // Edited zones.
    let zone = "name = 'other.test'\n[[record]]\nname = 'www'\ntype = 'A'\nttl = 60\nvalues = ['192.0.2.1']\n";
    lab.write("zones/other.toml", zone);
    server.wait_for_answer("www.other.test.", &["192.0.2.1"]);
    lab.write("zones/other.toml", &zone.replace("192.0.2.1", "192.0.2.2"));
    server.wait_for_answer("www.other.test.", &["192.0.2.2"]);
    // Overrides, which survive a restart.
    let set = lab.run(&["override", "set", "app-blue", "up", "--reason", "a test", "--admin", &server.admin()]);
    assert!(set.status.success(), "{}", text(&set.stderr));
    server.wait_for_answer("app.lab.test.", &["192.0.2.11"]);
    assert!(!server.log().contains("cannot"), "{}", server.log());
    assert!(server.stop().success());
    let server = lab.serve();
    assert_eq!(server.ask("app.lab.test.", Transport::Udp).addresses, ["192.0.2.11"]);
    assert!(!server.log().contains("cannot"), "{}", server.log());
    assert!(server.stop().success());
}

/// Of every thread: the user, no capabilities, no new privileges, a filter of system calls.
fn check_threads(server: &Running) {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.id())).unwrap();
    for task in tasks {
        // A thread that ended meanwhile has no status.
        let Ok(status) = fs::read_to_string(task.unwrap().path().join("status")) else { continue };
        let words = |key: &str| {
            let line = status.lines().find(|line| line.split(':').next() == Some(key));
            line.unwrap_or_else(|| panic!("{key}: {status}")).split_whitespace().skip(1).collect::<Vec<_>>()
        };
        assert_eq!((words("Uid"), words("Gid")), (vec!["65534"; 4], vec!["65534"; 4]), "{status}");
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(words(set), ["0000000000000000"], "{status}");
        }
        assert_eq!((words("NoNewPrivs"), words("Seccomp")), (vec!["1"], vec!["2"]), "{status}");
    }
}

pub(crate) fn a_directory_outside_the_landlock_needs_a_restart() {
    let lab = lab("name = 'lab.test'\n");
    let elsewhere = tempfile::tempdir().unwrap();
    let zone = "name = 'lab.test'\n[[record]]\nname = 'www'\ntype = 'A'\nttl = 60\nvalues = ['192.0.2.1']\n";
    fs::write(elsewhere.path().join("lab.toml"), zone).unwrap();
    let server = lab.serve();
    server.wait_for_log("started by root, and stays root: `user = \"NAME\"` in `[process]`");
    server.wait_for_log("least privilege in force: no_new_privs, Landlock, seccomp");
    let settings = fs::read_to_string(lab.path("fiftythree.toml")).unwrap();
    let moved = settings.replace("directory = 'zones'", &format!("directory = '{}'", elsewhere.path().display()));
    lab.write("fiftythree.toml", &moved);
    server.wait_for_log("zones.directory has changed; the change takes effect at the next restart");
    assert!(server.stop().success());
    // Without Landlock, the same edit takes effect at once.
    lab.write("fiftythree.toml", &(settings + "[process]\nlandlock = false\n"));
    let server = lab.serve();
    server.wait_for_log("least privilege in force: no_new_privs, seccomp");
    lab.write("fiftythree.toml", &(moved + "[process]\nlandlock = false\n"));
    server.wait_for_answer("www.lab.test.", &["192.0.2.1"]);
    assert!(!server.log().contains("has changed"), "{}", server.log());
    assert!(server.stop().success());
}

pub(crate) fn a_zone_file_that_becomes_a_link_out_of_the_landlock_says_so() {
    let zone = |value: &str| {
        format!("name = 'lab.test'\n[[record]]\nname = 'www'\ntype = 'A'\nttl = 60\nvalues = ['{value}']\n")
    };
    let lab = lab(&zone("192.0.2.1"));
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("lab.toml");
    fs::write(&target, zone("192.0.2.2")).unwrap();
    let server = lab.serve();
    server.wait_for_answer("www.lab.test.", &["192.0.2.1"]);
    symlink(&target, lab.path("zones/new")).unwrap();
    fs::rename(lab.path("zones/new"), lab.path("zones/lab.toml")).unwrap();
    let problem = format!("{} is outside of the directories that the server may use since its start", target.display());
    server.wait_for_log(&problem);
    server.wait_for_log("restart the server, or set `landlock = false` in `[process]`");
    assert_eq!(server.ask("www.lab.test.", Transport::Udp).addresses, ["192.0.2.1"]);
    assert!(server.stop().success());
    let server = lab.serve();
    server.wait_for_answer("www.lab.test.", &["192.0.2.2"]);
    assert!(server.stop().success());
}

/// strace shows when each thread is started, and when Landlock begins.
pub(crate) fn no_thread_is_older_than_the_landlock() {
    let lab = lab("name = 'lab.test'\n");
    let (trace, settings) = (lab.path("trace"), lab.path("fiftythree.toml"));
    let serve = lab.command(&["serve", "--config", settings.to_str().unwrap()]);
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=clone,clone3,landlock_restrict_self", "-o"]).arg(&trace);
    command.arg(serve.get_program()).args(serve.get_args()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut tracer = command.spawn().unwrap();
    let calls = || fs::read_to_string(&trace).unwrap_or_default();
    let pid = wait_for("process", || Some(calls().split_whitespace().next()?.to_owned()));
    let threads = wait_for("thread of each kind", || {
        let threads = threads_of(&pid);
        let count = |start: &str| threads.iter().filter(|(_, name)| name.starts_with(start)).count();
        (count("signals") == 1 && count("udp") > 0).then_some(threads)
    });
    assert!(Command::new("sh").args(["-c", &format!("kill -TERM {pid}")]).status().unwrap().success());
    assert!(tracer.wait().unwrap().success());
    let calls = calls();
    let (_, after) = calls.split_once("landlock_restrict_self(").expect("Landlock begins");
    for (id, name) in threads {
        let is_its_start = |line: &str| line.contains("clone") && line.ends_with(&format!("= {id}"));
        assert!(after.lines().any(is_its_start), "{name} is older: {calls}");
    }
}

/// The threads of a process except its first one: their ids and names.
fn threads_of(pid: &str) -> Vec<(String, String)> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
    let thread = |task: std::io::Result<fs::DirEntry>| {
        let task = task.ok()?;
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        Some((task.file_name().into_string().ok()?, name.trim().to_owned()))
    };
    tasks.filter_map(thread).filter(|(id, _)| id != pid).collect()
}

fn failover_zone(port: u16) -> String {
    format!(
        "name = 'lab.test'\n[[record]]\nname = 'app'\ntype = 'A'\nset_identifier = 'blue'\nfailover = 'primary'\n\
         ttl = 10\nvalues = ['192.0.2.11']\nhealth_check = 'app-blue'\n\
         [[record]]\nname = 'app'\ntype = 'A'\nset_identifier = 'green'\nfailover = 'secondary'\nttl = 10\n\
         values = ['192.0.2.12']\n\
         [[health_check]]\nname = 'app-blue'\ntype = 'http'\nip_address = '127.0.0.1'\nport = {port}\n\
         request_interval = 1\nfailure_threshold = 1\n"
    )
}

/// A directory that every user can read.
fn lab(zone: &str) -> Lab {
    let lab = Lab::new(&[("lab.toml", zone)]);
    for path in [lab.path(""), lab.path("zones")] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    lab
}
