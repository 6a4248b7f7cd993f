//! `kill -9` while a client changes record sets over the API and an editor saves the same file: at
//! random moments, and at each place of a replacement of the file. After each kill the file has
//! every change that was acknowledged and the last save of the editor, nothing half done, and the
//! server answers with what the file has.
//!
//! `FIFTYTHREE_KILL_ROUNDS=3000 cargo test --test it kill::` kills it as often.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::aws::Client;
use crate::server::{Lab, PATIENCE, Running, Transport, wait_for};

const ROUNDS: &str = "FIFTYTHREE_KILL_ROUNDS";
const FILE: &str = "zones/lab.test.toml";
/// The file that says at which place a replacement stops.
const PAUSE: &str = "state/pause";
/// How many record sets the client changes.
const NAMES: u32 = 4;
/// How long a server lives at most, in milliseconds, once it serves and if it is killed at random.
const LONGEST_LIFE: u64 = 600;

/// What became of the change that the kill interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    NotMade,
    Made,
    /// The change is made, and what the editor saved at that moment is in a file of its own.
    SaveKeptAside,
}

use Outcome::{Made, NotMade, SaveKeptAside};

/// Where the server is killed: the places at which the replacement stops, one after the other;
/// whether the editor saves the file at the first one; and what is right then.
type Case = (&'static [&'static str], bool, Outcome);

const CASES: &[Case] = &[
    (&["Created"], false, NotMade),
    (&["Created"], true, NotMade),
    (&["Written"], false, NotMade),
    (&["Written"], true, NotMade),
    (&["Complete"], false, NotMade),
    (&["Complete"], true, NotMade),
    (&["Checked"], false, NotMade),
    (&["Checked"], true, NotMade),
    // The save came between the check and the exchange.
    (&["Checked", "Exchanged"], true, SaveKeptAside),
    (&["Checked", "PutBack"], true, NotMade),
    (&["Exchanged"], false, Made),
    (&["Exchanged"], true, Made),
    (&["Compared"], false, Made),
    (&["Compared"], true, Made),
    (&["Durable"], false, Made),
    (&["Durable"], true, Made),
    (&["Replaced"], false, Made),
    (&["Replaced"], true, Made),
];

/// What client and editor know.
#[derive(Default)]
struct Known {
    /// The number of each record set of the client that was acknowledged last, and the greatest one
    /// that the file may have.
    sets: BTreeMap<u32, (u32, u32)>,
    last: u32,
    /// The record set that is changed.
    name: u32,
    acknowledged: u32,
    /// The number that the editor saved last, and how often it saved.
    edit: u32,
    edits: u32,
}

struct Test {
    lab: Lab,
    known: Mutex<Known>,
    stops: AtomicBool,
}

fn record(name: &str, number: u32) -> String {
    let address = address(number);
    format!("# {name}\n[[record]]\nname = \"{name}\"\ntype = \"A\"\nttl = 5\nvalues = ['{address}'] # of {name}\n\n")
}

/// A number as an address.
fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a00_0000 + number)
}

#[test]
fn after_each_kill_the_file_and_the_answers_have_what_was_acknowledged_and_what_was_saved() {
    let rounds = std::env::var(ROUNDS).map_or(CASES.len() + 4, |rounds| rounds.parse().unwrap());
    let lab = Lab::new(&[]);
    lab.add_settings("[api]\nlisten = ['127.0.0.1:0']\n");
    let zone = format!("# The zone.\nid = \"ZKILL\"\nname = \"lab.test\"\n\n{}", record("edit", 0));
    lab.write(FILE, &zone);
    let test = Test { lab, known: Mutex::default(), stops: AtomicBool::new(false) };
    let mut random = fastrand::Rng::with_seed(53);
    let mut outcomes: BTreeMap<(String, Outcome), u32> = BTreeMap::new();
    for round in 0..rounds {
        // The first ones at random.
        let case = (round % (CASES.len() + 4)).checked_sub(4).map(|at| CASES[at]);
        let what = format!("round {round}, {case:?}");
        let place = match case {
            None => {
                test.live(&what, &mut random, |test, random| test.edit_until(random.u64(..LONGEST_LIFE), random));
                "at random".to_owned()
            }
            Some((places, saves, _)) => {
                test.live(&what, &mut random, |test, random| test.reach(places, saves, random));
                places.join(", ") + if saves { ", with a save" } else { "" }
            }
        };
        let outcome = test.check_files(&what);
        assert!(case.is_none_or(|(.., expected)| outcome == expected), "{what}: {outcome:?}");
        *outcomes.entry((place, outcome)).or_default() += 1;
    }
    for ((place, outcome), count) in outcomes {
        eprintln!("killed {place}: {count} times {outcome:?}");
    }
    let running = test.lab.serve();
    test.check_served("at the end", &running);
    eprintln!("{rounds} kills, {} changes acknowledged", test.known().acknowledged);
    assert!(test.known().acknowledged > 0 && running.stop().success());
}

impl Test {
    /// A server from its start to its kill, which comes when `until` returns.
    fn live(&self, what: &str, random: &mut fastrand::Rng, until: impl FnOnce(&Test, &mut fastrand::Rng)) {
        let pause = self.lab.path(PAUSE);
        let running = self.lab.serve_with(&[], &[("FIFTYTHREE_PAUSE", pause.to_str().unwrap())]);
        self.check_served(what, &running);
        self.stops.store(false, Ordering::Relaxed);
        let client = Client::of(&running, "test", "test");
        let seed = random.u64(..);
        thread::scope(|scope| {
            scope.spawn(|| self.change(&client, fastrand::Rng::with_seed(seed)));
            until(self, random);
            self.stops.store(true, Ordering::Relaxed);
            drop(running); // SIGKILL
        });
        let _ = fs::remove_file(&pause);
    }

    /// Waits until a replacement is at the last of these places. The editor may save at the first
    /// one.
    fn reach(&self, places: &[&str], saves: bool, random: &mut fastrand::Rng) {
        thread::sleep(Duration::from_millis(random.u64(..100)));
        for (at, place) in places.iter().enumerate() {
            self.lab.write(PAUSE, place);
            let reached = self.lab.path(PAUSE).with_extension("reached");
            wait_for(place, || fs::read_to_string(&reached).is_ok_and(|reached| reached == *place).then_some(()));
            fs::remove_file(reached).unwrap();
            if saves && at == 0 {
                self.edit();
            }
        }
    }

    /// The editor saves now and then until the time is over.
    fn edit_until(&self, milliseconds: u64, random: &mut fastrand::Rng) {
        let mut left = milliseconds;
        loop {
            let rest = random.u64(1..250).min(left);
            thread::sleep(Duration::from_millis(rest));
            left -= rest;
            if left == 0 {
                return;
            }
            self.edit();
        }
    }

    /// The editor: reads the file, changes its record and saves a new file in the place of the old
    /// one.
    fn edit(&self) {
        let mut known = self.known();
        known.edits += 1;
        let text = self.text();
        let next = known.edit + 1;
        let edited = text.replace(&record("edit", known.edit), &record("edit", next));
        assert_ne!(edited, text, "the record of the editor is not as it was saved");
        self.lab.write(FILE, &edited);
        known.edit = next;
    }

    /// The client: changes until the server is gone.
    fn change(&self, client: &Client, mut random: fastrand::Rng) {
        loop {
            let name = random.u32(..NAMES);
            let (number, edits) = {
                let mut known = self.known();
                if self.stops.load(Ordering::Relaxed) {
                    return;
                }
                known.last += 1;
                known.name = name;
                let number = known.last;
                known.sets.entry(name).or_default().1 = number;
                (number, known.edits)
            };
            let Some(status) = upsert(client, &format!("n{name}.lab.test"), number) else { return };
            // The file may have been saved again and again.
            assert!(status == 200 || status == 500 || status == 503, "{status}");
            let mut known = self.known();
            // An editor that read the file before and saved it after the change overwrote it.
            if status == 200 && known.edits == edits {
                known.sets.get_mut(&name).unwrap().0 = number;
                known.acknowledged += 1;
            }
        }
    }

    /// Returns what became of the last change.
    fn check_files(&self, what: &str) -> Outcome {
        let mut known = self.known();
        let text = self.text();
        for (name, (acknowledged, greatest)) in &known.sets {
            let number = number_of(&text, &format!("n{name}"));
            let is_right = number.unwrap_or(0) >= *acknowledged && number.unwrap_or(0) <= *greatest;
            assert!(is_right, "{what}: n{name} is {number:?}, not {acknowledged} to {greatest}:\n{text}");
        }
        assert!(text.starts_with("# The zone.\n"), "{what}: {text}");
        let is_made = number_of(&text, &format!("n{}", known.name)) == Some(known.last);
        let saved = record("edit", known.edit);
        if text.contains(&saved) {
            return if is_made { Made } else { NotMade };
        }
        // The kill came between the exchange and what follows: the save is in the hidden file.
        let hidden = self.beside(|name| name.ends_with(".fiftythree-new"));
        let is_in_hidden = hidden.iter().any(|path| fs::read_to_string(path).unwrap().contains(&saved));
        assert!(is_in_hidden && is_made, "{what}: edit {} is lost:\n{text}", known.edit);
        // The start gives it a name that people see; they take from it what they need.
        let running = self.lab.serve();
        let aside = self.beside(|name| name.starts_with("lab.test.toml.saved-"));
        assert!(aside.len() == 1 && fs::read_to_string(&aside[0]).unwrap().contains(&saved), "{what}: {aside:?}");
        running.wait_for_log(aside[0].file_name().unwrap().to_str().unwrap());
        drop(running);
        fs::remove_file(&aside[0]).unwrap();
        known.edit = number_of(&text, "edit").unwrap();
        SaveKeptAside
    }

    /// The answers are those of the file. Of what kills left, nothing is there any more.
    fn check_served(&self, what: &str, running: &Running) {
        let left = self.beside(|name| name != "lab.test.toml");
        assert!(left.is_empty(), "{what}: {left:?}");
        let log = running.log();
        assert!(!log.contains("diagnostics in the files") && !log.contains("damaged"), "{what}: {log}");
        let text = self.text();
        for name in (0..NAMES).map(|name| format!("n{name}")).chain(["edit".to_owned()]) {
            let expected: Vec<String> =
                number_of(&text, &name).map(|number| address(number).to_string()).into_iter().collect();
            let answer = running.ask(&format!("{name}.lab.test"), Transport::Udp);
            assert_eq!(answer.addresses, expected, "{what}: {name}");
        }
    }

    /// The files in the directory with such names.
    fn beside(&self, is_such: impl Fn(&str) -> bool) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.lab.path("zones")).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| is_such(path.file_name().unwrap().to_str().unwrap())).collect()
    }

    fn text(&self) -> String {
        fs::read_to_string(self.lab.path(FILE)).unwrap()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap()
    }
}

/// The number in a record set.
fn number_of(text: &str, name: &str) -> Option<u32> {
    let (_, rest) = text.split_once(&format!("name = \"{name}\"\n"))?;
    let (_, rest) = rest.split_once("values = [")?;
    let digits: String =
        rest.chars().skip_while(|c| !c.is_ascii_digit()).take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    Some(digits.parse::<Ipv4Addr>().ok()?.to_bits() - 0x0a00_0000)
}

/// The status of the response; `None` if it did not come completely.
fn upsert(client: &Client, name: &str, number: u32) -> Option<u16> {
    let namespace = "https://route53.amazonaws.com/doc/2013-04-01/";
    let address = address(number);
    let body = format!(
        "<ChangeResourceRecordSetsRequest xmlns=\"{namespace}\"><ChangeBatch><Changes><Change><Action>UPSERT</Action>\
         <ResourceRecordSet><Name>{name}</Name><Type>A</Type><TTL>5</TTL><ResourceRecords><ResourceRecord>\
         <Value>{address}</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change></Changes>\
         </ChangeBatch></ChangeResourceRecordSetsRequest>"
    );
    let request = client.request("POST", "/hostedzone/ZKILL/rrset", &[], body.as_bytes());
    let mut stream = TcpStream::connect(client.address()).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&request).ok()?;
    let mut response = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&response);
        if text.contains("Response>") && text.trim_end().ends_with("Response>") {
            return text.split(' ').nth(1)?.parse().ok();
        }
        let length = stream.read(&mut chunk).ok().filter(|length| *length > 0)?;
        response.extend_from_slice(&chunk[..length]);
    }
}
