//! Edits of served files, done in every common way: a name that is in the file before and after is
//! never missing.
#![cfg(target_os = "linux")]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::server::{Lab, Running, Transport, ask, get};
use hickory_proto::op::ResponseCode;
use serde_json::Value;

const NAMES: usize = 40;
/// How long a file must be unchanged before it is loaded although its writer has not closed it.
const STILL: Duration = Duration::from_secs(10);

/// A zone with many names, all with this address.
fn zone(address: &str) -> String {
    zone_of(NAMES, address)
}

fn zone_of(names: usize, address: &str) -> String {
    (0..names).fold("name = 'lab.test'\n".to_owned(), |mut text, number| {
        let _ = write!(text, "\n[[record]]\nname = 'n{number}'\ntype = 'A'\nttl = 5\nvalues = ['{address}']\n");
        text
    })
}

/// Queries all names continuously and records each answer that is not one address.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(usize, Vec<String>)>,
}

impl Watch {
    fn start(running: &Running) -> Watch {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, address) = (Arc::clone(&stop), running.address);
        let watch = move || {
            let (mut asked, mut wrong) = (0, Vec::new());
            while !stopped.load(Ordering::Relaxed) {
                for number in 0..NAMES {
                    let name = format!("n{number}.lab.test.");
                    let answer = ask(address, &name, Transport::Udp);
                    asked += 1;
                    if answer.code != ResponseCode::NoError || answer.addresses.len() != 1 {
                        wrong.push(format!("{name}: {answer:?}"));
                    }
                }
                thread::sleep(Duration::from_millis(5));
            }
            (asked, wrong)
        };
        Watch { stop, thread: thread::spawn(watch) }
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        let (asked, wrong) = self.thread.join().unwrap();
        assert!(
            asked >= NAMES && wrong.is_empty(),
            "{} of {asked} answers are wrong: {:?}",
            wrong.len(),
            wrong.first()
        );
    }
}

/// Writes a file in place, record by record, with pauses that add up to `time`.
fn write_slowly(path: &Path, text: &str, time: Duration) {
    let mut file = File::create(path).unwrap();
    let parts: Vec<&str> = text.split_inclusive("\n\n").collect();
    let pause = time / u32::try_from(parts.len()).unwrap();
    for part in parts {
        file.write_all(part.as_bytes()).unwrap();
        thread::sleep(pause);
    }
}

/// A server of this zone whose watcher works: it has seen an edit.
fn serve(lab: &Lab) -> Running {
    let running = lab.serve();
    lab.write("zones/lab.test.toml", &zone("192.0.2.1"));
    running.wait_for_answer("n0.lab.test.", &["192.0.2.1"]);
    running
}

fn last_load(running: &Running) -> Value {
    let status = get(&running.admin(), "/v1/status", "application/json").unwrap();
    serde_json::from_str::<Value>(&status).unwrap()["last_load"].take()
}

#[test]
fn a_write_in_place_of_12_s_is_taken_when_it_ends_and_no_name_is_missing_before() {
    let lab = Lab::new(&[("lab.test.toml", &zone("192.0.2.200")), ("other.test.toml", "name = 'other.test'\n")]);
    let running = serve(&lab);
    let watch = Watch::start(&running);
    let path = lab.path("zones/lab.test.toml");
    let writer = thread::spawn(move || write_slowly(&path, &zone("192.0.2.2"), Duration::from_secs(12)));
    // Another file is loaded meanwhile, without reading this one.
    thread::sleep(Duration::from_secs(5));
    lab.write(
        "zones/other.test.toml",
        "name = 'other.test'\n[[record]]\nname='www'\ntype='A'\nttl=5\nvalues=['192.0.2.9']\n",
    );
    running.wait_for_answer("www.other.test.", &["192.0.2.9"]);
    assert!(!writer.is_finished());
    assert_eq!(running.ask("n0.lab.test.", Transport::Udp).addresses, ["192.0.2.1"]);
    writer.join().unwrap();
    running.wait_for_answer("n0.lab.test.", &["192.0.2.2"]);
    running.wait_for_answer(&format!("n{}.lab.test.", NAMES - 1), &["192.0.2.2"]);
    watch.end();
}

#[test]
fn careful_writers_are_taken_at_once_though_most_names_go() {
    let lab = Lab::new(&[("lab.test.toml", &zone("192.0.2.200"))]);
    let running = serve(&lab);
    let path = lab.path("zones/lab.test.toml");
    let last = format!("n{}.lab.test.", NAMES - 1);
    // Renamed into place.
    lab.write("zones/lab.test.toml", &zone_of(2, "192.0.2.2"));
    running.wait_for_answer("n0.lab.test.", &["192.0.2.2"]);
    running.wait_for_answer(&last, &[]);
    lab.write("zones/lab.test.toml", &zone("192.0.2.3"));
    running.wait_for_answer(&last, &["192.0.2.3"]);
    // Truncated, written and closed, as most editors and `cp` do.
    fs::write(&path, zone_of(2, "192.0.2.4")).unwrap();
    running.wait_for_answer("n0.lab.test.", &["192.0.2.4"]);
    running.wait_for_answer(&last, &[]);
    // Many edits in a row.
    for number in 0..50 {
        let text = zone_of(2, "192.0.2.5").replace("lab.test", &format!("z{number}.test"));
        fs::write(lab.path(&format!("zones/z{number}.toml")), text).unwrap();
    }
    for number in 0..50 {
        running.wait_for_answer(&format!("n1.z{number}.test."), &["192.0.2.5"]);
    }
    // A ConfigMap: all files are links to a directory that is swapped.
    for (version, text) in [("1", zone("192.0.2.6")), ("2", zone_of(2, "192.0.2.7"))] {
        fs::create_dir(lab.path(&format!("zones/..{version}"))).unwrap();
        fs::write(lab.path(&format!("zones/..{version}/lab.test.toml")), text).unwrap();
    }
    symlink("..1", lab.path("zones/..data")).unwrap();
    symlink("..data/lab.test.toml", lab.path("zones/.link")).unwrap();
    fs::rename(lab.path("zones/.link"), &path).unwrap();
    running.wait_for_answer(&last, &["192.0.2.6"]);
    symlink("..2", lab.path("zones/..data_tmp")).unwrap();
    fs::rename(lab.path("zones/..data_tmp"), lab.path("zones/..data")).unwrap();
    running.wait_for_answer("n0.lab.test.", &["192.0.2.7"]);
    running.wait_for_answer(&last, &[]);
    assert!(!running.log().contains("is not taken yet"), "{}", running.log());
}

/// If the zone file is a link to another directory, the server gets no events about its writers.
fn linked() -> (Lab, Running, std::path::PathBuf) {
    let lab = Lab::new(&[]);
    fs::create_dir(lab.path("elsewhere")).unwrap();
    let path = lab.path("elsewhere/lab.test.toml");
    fs::write(&path, zone("192.0.2.1")).unwrap();
    symlink("../elsewhere/lab.test.toml", lab.path("zones/lab.test.toml")).unwrap();
    let running = lab.serve();
    running.wait_for_answer("n0.lab.test.", &["192.0.2.1"]);
    (lab, running, path)
}

#[test]
fn an_unseen_writer_that_pauses_in_the_middle_removes_no_name() {
    let (_lab, running, path) = linked();
    let watch = Watch::start(&running);
    let new = zone("192.0.2.2");
    let (first, rest) = new.split_at(new.find("\n\n[[record]]\nname = 'n9'").unwrap());
    let mut file = File::create(&path).unwrap();
    file.write_all(first.as_bytes()).unwrap();
    running.wait_for_log("is not taken yet: 31 of its 40 names are missing");
    let load = last_load(&running);
    assert!(load["deferred"][0]["file"].as_str().unwrap().ends_with("zones/lab.test.toml"), "{load}");
    file.write_all(rest.as_bytes()).unwrap();
    drop(file);
    running.wait_for_answer(&format!("n{}.lab.test.", NAMES - 1), &["192.0.2.2"]);
    watch.end();
    assert_eq!(last_load(&running)["deferred"].as_array().unwrap().len(), 0);
}

#[test]
fn what_stays_as_it_is_is_taken_after_10_s_and_a_sighup_does_not_wait() {
    let (_lab, running, path) = linked();
    let began = Instant::now();
    fs::write(&path, zone_of(2, "192.0.2.2")).unwrap();
    running.wait_for_log("38 of its 40 names are missing");
    running.wait_for_answer("n0.lab.test.", &["192.0.2.2"]);
    assert!(began.elapsed() >= STILL - Duration::from_secs(1), "{:?}", began.elapsed());
    running.wait_for_answer("n9.lab.test.", &[]);
    fs::write(&path, zone("192.0.2.3")).unwrap();
    running.wait_for_answer("n9.lab.test.", &["192.0.2.3"]);
    fs::write(&path, zone_of(3, "192.0.2.4")).unwrap();
    running.wait_for_log("37 of its 40 names are missing");
    let asked = Instant::now();
    running.signal("HUP");
    running.wait_for_answer("n0.lab.test.", &["192.0.2.4"]);
    assert!(asked.elapsed() < STILL - Duration::from_secs(4), "{:?}", asked.elapsed());
}

#[test]
fn a_writer_that_never_closes_is_waited_for_no_longer_than_it_writes() {
    let lab = Lab::new(&[("lab.test.toml", &zone("192.0.2.200"))]);
    let running = serve(&lab);
    let watch = Watch::start(&running);
    let mut file = File::create(lab.path("zones/lab.test.toml")).unwrap();
    let began = Instant::now();
    file.write_all(zone("192.0.2.2").as_bytes()).unwrap();
    running.wait_for_answer("n0.lab.test.", &["192.0.2.2"]);
    assert!(began.elapsed() >= STILL - Duration::from_secs(1), "{:?}: {}", began.elapsed(), running.log());
    watch.end();
}

#[test]
fn settings_that_are_being_written_change_nothing() {
    let lab = Lab::new(&[("lab.test.toml", &zone("192.0.2.200"))]);
    let settings = fs::read_to_string(lab.path("fiftythree.toml")).unwrap();
    let settings = settings + "[[location.network]]\ncidr = '192.0.2.0/24'\ncountry = 'DE'\n";
    lab.write("fiftythree.toml", &settings);
    let running = serve(&lab);
    // The first half alone would have no locations and another, empty zones directory.
    let mut file = File::create(lab.path("fiftythree.toml")).unwrap();
    file.write_all(b"[dns]\nlisten = ['127.0.0.1:0']\n").unwrap();
    file.flush().unwrap();
    lab.write("zones/lab.test.toml", &zone("192.0.2.2"));
    running.wait_for_answer("n0.lab.test.", &["192.0.2.2"]);
    file.write_all(settings.strip_prefix("[dns]\nlisten = ['127.0.0.1:0']\n").unwrap().as_bytes()).unwrap();
    drop(file);
    lab.write("zones/lab.test.toml", &zone("192.0.2.3"));
    running.wait_for_answer("n0.lab.test.", &["192.0.2.3"]);
    for word in ["restart", "geo data changed", "settings changed", "empty"] {
        assert!(!running.log().contains(word), "{word}: {}", running.log());
    }
}
