//! `kill -9` at any moment while a client changes record sets over the API and an editor saves the
//! same file. After each kill the file has every change that was acknowledged and the last save of
//! the editor, nothing half done, and the server serves it.
//!
//! `FIFTYTHREE_KILL_ROUNDS=2000 cargo test --test it kill::` kills it as often.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::aws::Client;
use crate::server::{Lab, PATIENCE, Running};

const ROUNDS: &str = "FIFTYTHREE_KILL_ROUNDS";
const FILE: &str = "zones/lab.test.toml";
/// How many record sets the client changes.
const NAMES: u32 = 4;
/// How long a server lives at most, once it serves.
const LONGEST_LIFE: u64 = 120;

/// What client and editor know.
#[derive(Default)]
struct Known {
    /// The number of each record set of the client that was acknowledged last, and the greatest one
    /// that the file may have.
    sets: BTreeMap<u32, (u32, u32)>,
    last: u32,
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
    format!(
        "# {name}\n[[record]]\nname = \"{name}\"\ntype = \"TXT\"\nttl = 5\nvalues = ['\"{number}\"'] # of {name}\n\n"
    )
}

#[test]
fn after_each_kill_the_file_has_what_was_acknowledged_and_what_was_saved() {
    let rounds: u32 = std::env::var(ROUNDS).map_or(4, |rounds| rounds.parse().unwrap());
    let lab = Lab::new(&[]);
    lab.add_settings("[api]\nlisten = ['127.0.0.1:0']\n");
    let zone = format!("# The zone.\nid = \"ZKILL\"\nname = \"lab.test\"\n\n{}", record("edit", 0));
    lab.write(FILE, &zone);
    let test = Test { lab, known: Mutex::default(), stops: AtomicBool::new(false) };
    let mut random = fastrand::Rng::with_seed(53);
    let (mut acknowledged, mut saves) = (0, 0);
    for round in 0..rounds {
        let life = Duration::from_millis(random.u64(..LONGEST_LIFE));
        let seed = random.u64(..);
        acknowledged += test.live(life, seed);
        saves += u32::from(test.check_files(round));
    }
    eprintln!("{rounds} kills, {acknowledged} changes acknowledged, {saves} saves kept aside");
    let running = test.lab.serve();
    test.check_served(&running);
    assert!(running.stop().success());
}

impl Test {
    /// A server from its start to its kill. Returns how many changes were acknowledged.
    fn live(&self, life: Duration, seed: u64) -> u32 {
        let running = self.lab.serve();
        self.check_served(&running);
        self.stops.store(false, Ordering::Relaxed);
        let client = Client::of(&running, "test", "test");
        thread::scope(|scope| {
            let changes = scope.spawn(|| self.change(&client, fastrand::Rng::with_seed(seed)));
            let edits = scope.spawn(|| self.edit(fastrand::Rng::with_seed(!seed)));
            thread::sleep(life);
            drop(running); // SIGKILL
            self.stops.store(true, Ordering::Relaxed);
            edits.join().unwrap();
            changes.join().unwrap()
        })
    }

    /// The client: changes until the server is gone.
    fn change(&self, client: &Client, mut random: fastrand::Rng) -> u32 {
        let mut acknowledged = 0;
        loop {
            let name = random.u32(..NAMES);
            let (number, edits) = {
                let mut known = self.known();
                known.last += 1;
                let number = known.last;
                known.sets.entry(name).or_default().1 = number;
                (number, known.edits)
            };
            let Some(status) = upsert(client, &format!("n{name}.lab.test"), number) else { return acknowledged };
            // The file may have been saved again and again.
            assert!(status == 200 || status == 500 || status == 503, "{status}");
            let mut known = self.known();
            // An editor that read the file before and saved it after the change overwrote it.
            if status == 200 && known.edits == edits {
                known.sets.get_mut(&name).unwrap().0 = number;
                acknowledged += 1;
            }
        }
    }

    /// The editor: reads the file, changes its record and saves a new file in the place of the old
    /// one.
    fn edit(&self, mut random: fastrand::Rng) {
        while !self.stops.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(random.u64(1..30)));
            let mut known = self.known();
            known.edits += 1;
            let text = self.text();
            let next = known.edit + 1;
            let edited = text.replace(&record("edit", known.edit), &record("edit", next));
            assert_ne!(edited, text, "the record of the editor is not as it was saved");
            self.lab.write(FILE, &edited);
            known.edit = next;
        }
    }

    /// Returns whether the last save was kept in a file of its own.
    fn check_files(&self, round: u32) -> bool {
        let mut known = self.known();
        let text = self.text();
        for (name, (acknowledged, greatest)) in &known.sets {
            let number = number_of(&text, &format!("n{name}"));
            let is_right = number.unwrap_or(0) >= *acknowledged && number.unwrap_or(0) <= *greatest;
            assert!(is_right, "round {round}: n{name} is {number:?}, not {acknowledged} to {greatest}:\n{text}");
        }
        assert!(text.starts_with("# The zone.\n"), "{text}");
        let is_in_file = text.contains(&record("edit", known.edit));
        // The kill came between the exchange and what follows: the save is in the hidden file.
        let hidden = self.beside(".fiftythree-new").into_iter().map(|path| fs::read_to_string(path).unwrap());
        let is_in_hidden = hidden.into_iter().any(|text| text.contains(&record("edit", known.edit)));
        assert!(is_in_file || is_in_hidden, "round {round}: edit {} is lost:\n{text}", known.edit);
        if !is_in_file {
            known.edit = number_of(&text, "edit").unwrap();
        }
        !is_in_file
    }

    /// Of hidden files that kills left, only what somebody saved is still there.
    fn check_served(&self, running: &Running) {
        for end in [".fiftythree-part", ".fiftythree-new", ".fiftythree-old"] {
            let left = self.beside(end);
            assert!(left.is_empty(), "{left:?}");
        }
        let log = running.log();
        assert!(!log.contains("diagnostics in the files") && !log.contains("damaged"), "{log}");
    }

    /// The files of the directory whose names end so.
    fn beside(&self, end: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.lab.path("zones")).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.to_str().unwrap().ends_with(end)).collect()
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
    let digits: String = rest.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The status of the response; `None` if it did not come completely.
fn upsert(client: &Client, name: &str, number: u32) -> Option<u16> {
    let namespace = "https://route53.amazonaws.com/doc/2013-04-01/";
    let body = format!(
        "<ChangeResourceRecordSetsRequest xmlns=\"{namespace}\"><ChangeBatch><Changes><Change><Action>UPSERT</Action>\
         <ResourceRecordSet><Name>{name}</Name><Type>TXT</Type><TTL>5</TTL><ResourceRecords><ResourceRecord>\
         <Value>\"{number}\"</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change></Changes>\
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
