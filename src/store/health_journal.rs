//! The health journal: a file of lines that survives a kill at any moment.
//!
//! Each line has a checksum. Lines are appended; from time to time the whole file is atomically
//! replaced by a shorter one. A kill or a power cut can leave an incomplete last line, which is
//! dropped. Other damaged lines are skipped and the intact ones are used; the damaged file is set
//! aside for inspection.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::last_good::write_durably;
use super::{lines, private};
use crate::background;

/// The name of the file in the state directory.
const FILE: &str = "health.journal";
/// The first line: the type of the file and the version of its format.
const HEADER: &str = "fiftythree health 1";
/// The size limit when reading, in bytes. A million checks need less; a larger file is not a
/// journal.
const MOST_BYTES: u64 = 1 << 30;

/// The journal. It can be appended to once it has been replaced.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
}

/// What was found at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The intact lines, in order.
    pub(crate) lines: Vec<String>,
    /// What was damaged and where the file is now; for the log.
    pub(crate) damage: Option<String>,
}

impl Journal {
    /// The journal in this state directory. Does not access the file.
    pub(crate) fn new(state: &Path) -> Journal {
        Journal { path: state.join(FILE), file: None, bytes: 0 }
    }

    /// The path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads the journal of the last run. A damaged file is set aside; its intact lines are
    /// returned.
    pub(crate) fn recover(&self) -> Found {
        let bytes = match private::read(&self.path, MOST_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::default(),
            Err(error) => return Found { lines: Vec::new(), damage: Some(self.unreadable(&error)) },
        };
        let (lines, diagnostic) = lines::read(&bytes, HEADER);
        Found { lines, damage: diagnostic.map(|diagnostic| self.set_aside(&diagnostic)) }
    }

    /// Replaces all lines. Readers, now or after a power cut, see either the old file or the new
    /// one.
    pub(crate) fn replace(&mut self, lines: impl IntoIterator<Item = String>) -> io::Result<()> {
        self.file = None;
        let text = lines::text(HEADER, background::yielding(lines));
        let directory = self.path.parent().unwrap_or(Path::new("."));
        private::make_state_directory(directory)?;
        write_durably(&self.path, text.as_bytes())?;
        File::open(directory)?.sync_all()?;
        self.file = Some(private::append(&self.path)?);
        self.bytes = text.len() as u64;
        Ok(())
    }

    /// Appends lines. They then survive a kill of the process, and after `sync` a power cut. After
    /// an error the journal refuses lines until it is replaced, because its last line may be
    /// incomplete.
    pub(crate) fn append(&mut self, lines: &[String]) -> io::Result<()> {
        let Some(mut file) = self.file.take() else {
            return Err(io::Error::other("an earlier write failed"));
        };
        let mut text = String::new();
        for line in background::yielding(lines) {
            lines::append(&mut text, line);
        }
        file.write_all(text.as_bytes())?;
        self.bytes += text.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    /// Makes the appended lines durable.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let Some(file) = self.file.take() else {
            return Err(io::Error::other("an earlier write failed"));
        };
        file.sync_data()?;
        self.file = Some(file);
        Ok(())
    }

    /// A file that cannot be read may be intact. It is moved all the same, because the next journal
    /// takes its place.
    fn unreadable(&self, error: &io::Error) -> String {
        self.set_aside_as(&format!("cannot be read: {error}"))
    }

    fn set_aside(&self, diagnostic: &str) -> String {
        self.set_aside_as(&format!("is damaged: {diagnostic}"))
    }

    /// Copies the damaged file, so that its intact lines stay in the journal until that is
    /// replaced. Returns what happened.
    fn set_aside_as(&self, diagnostic: &str) -> String {
        let path = self.path.display();
        let aside = (1..).map(|number| self.path.with_extension(format!("journal.damaged-{number}")));
        // At most 100 of them are kept if nobody removes them; then the last one is overwritten.
        let is_free = |aside: &PathBuf| fs::symlink_metadata(aside).is_err() || aside.ends_with("damaged-100");
        let Some(aside) = aside.take(100).find(is_free) else {
            return format!("{path} {diagnostic}; it is not kept, because there are too many such files already");
        };
        // What is not a regular file has no lines to keep. What cannot be copied because it cannot
        // be read is moved, so that the next journal does not replace it.
        let is_file = fs::symlink_metadata(&self.path).is_ok_and(|metadata| metadata.is_file());
        let copied = if is_file { copy(&self.path, &aside) } else { Err(io::ErrorKind::Unsupported.into()) };
        let kept = copied.or_else(|_| fs::rename(&self.path, &aside));
        match kept {
            Ok(()) => format!("{path} {diagnostic}; it is set aside as {}", aside.display()),
            Err(error) => format!("{path} {diagnostic}; it cannot be set aside: {error}"),
        }
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    io::copy(&mut private::open(from)?, &mut private::create(to)?).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 3] = ["{\"one\":1}", "", "{\"drei\":\"für später\"}"];

    fn written() -> (tempfile::TempDir, Journal) {
        let state = tempfile::tempdir().unwrap();
        let mut journal = Journal::new(&state.path().join("not/there/yet"));
        journal.replace([LINES[0].to_owned()]).unwrap();
        journal.append(&[LINES[1].to_owned(), LINES[2].to_owned()]).unwrap();
        journal.sync().unwrap();
        (state, journal)
    }

    #[cfg(unix)]
    #[cfg(unix)]
    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let (state, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = elsewhere.path().join("target");
        let text = lines::text(HEADER, ["theirs"]);
        fs::write(&target, &text).unwrap();
        let mut journal = Journal::new(state.path());
        std::os::unix::fs::symlink(&target, journal.path()).unwrap();
        let found = journal.recover();
        assert!(found.lines.is_empty() && found.damage.unwrap().contains("it is a symbolic link"));
        // A dangling link is in the place where a damaged file would be set aside.
        let aside = state.path().join("health.journal.damaged-2");
        let made = elsewhere.path().join("made");
        std::os::unix::fs::symlink(&made, &aside).unwrap();
        fs::write(journal.path(), "damaged\n").unwrap();
        assert!(journal.recover().damage.unwrap().contains("damaged-3"));
        journal.replace(["ours".to_owned()]).unwrap();
        assert_eq!(journal.recover().lines, ["ours"]);
        assert_eq!((fs::read_to_string(&target).unwrap(), made.exists()), (text, false));
    }

    #[test]
    fn what_is_no_file_is_damage_and_does_not_hang() {
        let (_state, journal) = written();
        fs::remove_file(journal.path()).unwrap();
        std::os::unix::fs::symlink("/dev/zero", journal.path()).unwrap();
        let Found { lines, damage } = journal.recover();
        assert!(lines.is_empty() && damage.is_some());
    }

    #[test]
    fn what_was_written_is_found() {
        let (_state, journal) = written();
        assert_eq!(journal.recover(), Found { lines: LINES.map(str::to_owned).to_vec(), damage: None });
        assert_eq!(journal.bytes(), fs::metadata(journal.path()).unwrap().len());
        let nowhere = Journal::new(Path::new("/nonexistent"));
        assert_eq!(nowhere.recover(), Found::default());
    }

    #[test]
    fn cut_at_any_byte_it_loses_only_what_was_not_finished() {
        let (_state, journal) = written();
        let bytes = fs::read(journal.path()).unwrap();
        for length in 0..=bytes.len() {
            fs::write(journal.path(), &bytes[..length]).unwrap();
            let finished = bytes[..length].iter().filter(|&&byte| byte == b'\n').count().saturating_sub(1);
            let found = journal.recover();
            assert_eq!(found.lines, LINES[..finished], "cut after {length} bytes");
            assert_eq!(found.damage, None, "cut after {length} bytes");
        }
    }

    #[test]
    fn any_byte_that_is_another_is_noticed_and_costs_one_line() {
        let (_state, journal) = written();
        let bytes = fs::read(journal.path()).unwrap();
        for place in 0..bytes.len() - 1 {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            let (lines, diagnostic) = lines::read(&damaged, HEADER);
            assert!(diagnostic.is_some(), "byte {place}");
            assert!(!lines.is_empty(), "byte {place}: {lines:?}");
            assert!(lines.iter().all(|line| LINES.contains(&line.as_str())), "byte {place}: {lines:?}");
        }
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_what_is_good_in_it_counts() {
        let (_state, mut journal) = written();
        let mut bytes = fs::read(journal.path()).unwrap();
        let place = bytes.len() - 3;
        bytes[place] = 0xFF;
        fs::write(journal.path(), &bytes).unwrap();
        for number in 1..=2 {
            let found = journal.recover();
            assert_eq!(found.lines, LINES[..2]);
            let aside = journal.path().with_extension(format!("journal.damaged-{number}"));
            let damage = found.damage.unwrap();
            assert!(damage.contains("line 4") && damage.ends_with(&aside.display().to_string()), "{damage}");
            assert_eq!(fs::read(aside).unwrap(), bytes);
        }
        journal.replace(LINES.map(str::to_owned)).unwrap();
        assert_eq!(journal.recover().damage, None);
    }

    #[test]
    fn what_is_no_journal_is_set_aside() {
        let (_state, journal) = written();
        let later = lines::text("fiftythree health 2", [""; 0]);
        for (bytes, says) in [(&b"\0\0\0\0\n"[..], "first line"), (later.as_bytes(), "not known")] {
            fs::write(journal.path(), bytes).unwrap();
            let found = journal.recover();
            assert!(found.lines.is_empty());
            assert!(found.damage.unwrap().contains(says));
        }
        fs::remove_file(journal.path()).unwrap();
        fs::create_dir(journal.path()).unwrap();
        // A file that cannot be read may be intact.
        let damage = journal.recover().damage.unwrap();
        assert!(
            damage.contains("health.journal cannot be read: it is not a regular file; it is set aside"),
            "{damage}"
        );
        assert!(!journal.path().exists());
    }

    #[test]
    fn after_an_error_nothing_is_appended_until_it_is_replaced() {
        let (_state, mut journal) = written();
        journal.file = Some(File::open(journal.path()).unwrap()); // cannot be written
        assert!(journal.append(&["x".to_owned()]).is_err());
        assert!(journal.append(&["y".to_owned()]).is_err());
        assert!(journal.sync().is_err());
        journal.replace(["z".to_owned()]).unwrap();
        journal.append(&["a".to_owned()]).unwrap();
        assert_eq!(journal.recover().lines, ["z", "a"]);
    }
}
