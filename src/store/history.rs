//! The file of the history: lines that are appended, and read back as far as they are intact.
//!
//! A kill of the process loses nothing that was appended; a power cut can lose what was not synced.
//! A line that was cut off stays a damaged line of its own, because the next one begins on a new
//! line.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::last_good::write_durably;
use super::private;
use crate::background;
use crate::files;

/// The name of the file in the state directory.
const FILE: &str = "history.jsonl";
/// The longest line that is read, in bytes. A longer one is damage.
const LONGEST_LINE: u64 = 16 << 20;

/// The file. It is created when the first line is appended.
#[derive(Debug)]
pub(crate) struct HistoryFile {
    path: PathBuf,
    file: Option<Arc<File>>,
    /// Whether the last line may be incomplete.
    is_torn: bool,
}

impl HistoryFile {
    /// The history in this state directory. Does not access the file.
    pub(crate) fn new(state: &Path) -> HistoryFile {
        HistoryFile { path: state.join(FILE), file: None, is_torn: false }
    }

    /// The path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends lines; each ends with a line feed. After an error the next call tries again.
    pub(crate) fn append(&mut self, lines: &str) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => self.open()?,
        };
        let prefix = if self.is_torn { "\n" } else { "" };
        self.is_torn = true;
        files::operate(&self.path, || (&*file).write_all(format!("{prefix}{lines}").as_bytes()))?;
        (self.file, self.is_torn) = (Some(file), false);
        Ok(())
    }

    /// Replaces all lines durably. Readers see either the old file or the new one.
    pub(crate) fn replace(&mut self, text: &str) -> io::Result<()> {
        self.file = None;
        files::operate(&self.path, || write_durably(&self.path, text.as_bytes()))
    }

    /// The open file, to sync it without holding up others.
    pub(crate) fn opened(&self) -> Option<Arc<File>> {
        self.file.clone()
    }

    fn open(&mut self) -> io::Result<Arc<File>> {
        let path = self.path.clone();
        let open = || {
            private::make_state_directory(path.parent().unwrap_or(Path::new(".")))?;
            match private::append(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    private::create(&path)?;
                    private::append(&path)
                }
                opened => opened,
            }
        };
        let file = files::operate(&self.path, open)?;
        self.is_torn = files::operate(&self.path, || is_torn(&self.path))?;
        Ok(Arc::new(file))
    }
}

/// Whether the file does not end with a whole line.
fn is_torn(path: &Path) -> io::Result<bool> {
    let mut file = private::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Reads the lines of a history one after the other; `None` is a line that is no text. A file that
/// does not exist has no lines.
pub(crate) fn read_history(path: &Path, mut each: impl FnMut(Option<&str>)) -> io::Result<()> {
    let file = match files::operate(path, || private::open(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let (mut reader, mut line) = (BufReader::with_capacity(1 << 16, file), Vec::new());
    loop {
        background::yield_point();
        line.clear();
        files::operate(path, || reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line))?;
        match line.strip_suffix(b"\n") {
            _ if line.is_empty() => return Ok(()),
            // It is cut off, or being written.
            None => each(None),
            Some([]) => {}
            Some(text) => each(std::str::from_utf8(text).ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn lines(file: &HistoryFile) -> Vec<Option<String>> {
        let mut lines = Vec::new();
        read_history(file.path(), |line| lines.push(line.map(str::to_owned))).unwrap();
        lines
    }

    fn some(lines: &[&str]) -> Vec<Option<String>> {
        lines.iter().map(|line| Some((*line).to_owned())).collect()
    }

    #[test]
    fn what_is_appended_is_read_back_also_after_a_line_that_was_cut_off() {
        let state = tempfile::tempdir().unwrap();
        let mut file = HistoryFile::new(&state.path().join("not/there/yet"));
        assert_eq!(lines(&file), []);
        file.append("{\"a\":1}\n").unwrap();
        file.append("{\"b\":2}\n{\"c\":3}\n").unwrap();
        assert_eq!(lines(&file), some(&["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]));
        let length = fs::metadata(file.path()).unwrap().len();
        for cut in 1..8 {
            let text = fs::read(file.path()).unwrap();
            fs::write(file.path(), &text[..usize::try_from(length - cut).unwrap()]).unwrap();
            let mut again = HistoryFile::new(file.path().parent().unwrap());
            again.append("{\"d\":4}\n").unwrap();
            let found = lines(&again);
            assert_eq!(found[..2], some(&["{\"a\":1}", "{\"b\":2}"]));
            assert_eq!(found.last().unwrap().as_deref(), Some("{\"d\":4}"));
            fs::write(file.path(), &text).unwrap();
        }
    }

    #[test]
    fn what_is_no_text_is_skipped_and_the_rest_is_read() {
        let state = tempfile::tempdir().unwrap();
        let mut file = HistoryFile::new(state.path());
        file.append("one\n").unwrap();
        let damaged = [&fs::read(file.path()).unwrap()[..], b"\xff\xfe\n", b"two\n", b"thr"].concat();
        fs::write(file.path(), damaged).unwrap();
        assert_eq!(lines(&file), [Some("one".to_owned()), None, Some("two".to_owned()), None]);
    }

    #[test]
    fn it_is_replaced_as_a_whole_and_appended_to_after_that() {
        let state = tempfile::tempdir().unwrap();
        let mut file = HistoryFile::new(state.path());
        file.append("old\n").unwrap();
        file.replace("new\n").unwrap();
        file.append("more\n").unwrap();
        assert_eq!(lines(&file), some(&["new", "more"]));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_server_can_read_it_and_a_link_is_not_followed() {
        use std::os::unix::fs::PermissionsExt as _;
        let (state, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut file = HistoryFile::new(state.path());
        file.append("one\n").unwrap();
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_file(file.path()).unwrap();
        let target = elsewhere.path().join("target");
        fs::write(&target, "theirs\n").unwrap();
        std::os::unix::fs::symlink(&target, file.path()).unwrap();
        let mut file = HistoryFile::new(state.path());
        assert!(file.append("two\n").unwrap_err().to_string().contains("symbolic link"));
        assert!(read_history(file.path(), |_| {}).is_err());
        assert_eq!(fs::read_to_string(target).unwrap(), "theirs\n");
    }
}
