//! `fiftythree init`: writes settings and a first zone to edit, and never overwrites a file.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use serde_json::json;

use crate::config::{self, Diagnostic, Settings, SourceFile};
use crate::model::Name;

use super::query::parse_name;
use super::{print, print_json};

/// What is written, with [`ZONE`] and [`SETTINGS`] replaced.
const SETTINGS_TEMPLATE: &str = include_str!("fiftythree.toml");
const ZONE_TEMPLATE: &str = include_str!("zone.toml");
/// The zone of the template.
const ZONE: &str = "example.test";
/// In the template, the path of the settings file.
const SETTINGS: &str = "FIFTYTHREE_TOML";

const EXAMPLES: &str = "\
Examples:
  fiftythree init my-dns
  fiftythree init my-dns --zone shop.example.net
  fiftythree serve --config my-dns/fiftythree.toml

DIRECTORY is created unless it exists. If one of the files exists, nothing is written.

Exit code: 0 when the files are written; 1 when nothing is written; 2 for a wrong command line.";

/// Write settings and a first zone to edit
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct InitArguments {
    /// Where to write fiftythree.toml and zones/NAME.toml
    directory: PathBuf,
    /// The name of the zone
    #[arg(long, value_name = "NAME", default_value = ZONE, value_parser = parse_zone)]
    zone: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The files and what to type next.
struct NewFiles {
    zone: String,
    settings: NewFile,
    zone_file: NewFile,
}

/// A file to write.
struct NewFile {
    path: PathBuf,
    text: String,
}

/// Writes the files and prints the next commands.
pub(super) fn run(arguments: &InitArguments) -> anyhow::Result<ExitCode> {
    let files = NewFiles::of(&arguments.directory, &arguments.zone);
    files.check()?;
    files.write()?;
    if arguments.json {
        print_json(&json!({ "zone": files.zone, "settings": files.settings.path, "zone_file": files.zone_file.path }))?;
    } else {
        print(&files.next_steps(&program()))?;
    }
    Ok(ExitCode::SUCCESS)
}

impl NewFiles {
    fn of(directory: &Path, zone: &str) -> NewFiles {
        let path = directory.join("fiftythree.toml");
        let text = SETTINGS_TEMPLATE.replace(SETTINGS, &shell_word(&path.display().to_string()));
        let settings = NewFile { path, text };
        let path = directory.join("zones").join(format!("{zone}.toml"));
        let zone_file = NewFile { path, text: ZONE_TEMPLATE.replace(ZONE, zone) };
        NewFiles { zone: zone.to_owned(), settings, zone_file }
    }

    fn files(&self) -> [&NewFile; 2] {
        [&self.settings, &self.zone_file]
    }

    /// Makes sure that the files have no errors: the longest names are valid as a zone, but not
    /// with the records below it.
    fn check(&self) -> anyhow::Result<()> {
        let source = |file: &NewFile| SourceFile::new(file.path.clone(), file.text.clone());
        let (settings, diagnostics) = Settings::read(&source(&self.settings));
        let settings = settings.ok_or_else(|| unusable(&self.zone, &diagnostics))?;
        let zones = config::read_zones(&[source(&self.zone_file)], &settings);
        if zones.diagnostics.iter().any(Diagnostic::is_error) {
            return Err(unusable(&self.zone, &zones.diagnostics));
        }
        Ok(())
    }

    /// Writes both files, or none.
    fn write(&self) -> anyhow::Result<()> {
        if let Some(file) = self.files().iter().find(|file| file.path.symlink_metadata().is_ok()) {
            bail!("{} exists\n  hint: nothing was written; name another directory", file.path.display());
        }
        let mut made = Made::default();
        for file in self.files() {
            let directory = file.path.parent().expect("the path has a file name");
            made.directory(directory)
                .with_context(|| format!("cannot create the directory {}", directory.display()))?;
            made.file(file).with_context(|| format!("cannot create {}", file.path.display()))?;
        }
        made.keep();
        Ok(())
    }

    /// What was written, and the next commands.
    fn next_steps(&self, program: &str) -> String {
        let (settings, zone_file) = (self.settings.path.display().to_string(), self.zone_file.path.display());
        let (zone, config) = (&self.zone, format!("--config {}", shell_word(&settings)));
        format!(
            "wrote {settings}\nwrote {zone_file}\n\n\
             Start the server:\n  {program} serve {config}\n\n\
             Ask it, in another terminal:\n  dig @127.0.0.1 -p 5300 www.{zone}\n  \
             {program} query www.{zone} {config}\n  {program} explain app.{zone} {config}\n\n\
             Open the status page:\n  http://127.0.0.1:8053/\n\n\
             See a failover: watch the answers, and break and repair the web server in another terminal:\n  \
             {program} watch app.{zone} {config}\n  \
             curl -X POST http://127.0.0.1:8080/fail\n  curl -X POST http://127.0.0.1:8080/recover\n\n\
             Then edit {zone_file}. It says what to change.\n"
        )
    }
}

/// What was created so far. Unless it is kept, dropping it removes all of it again.
#[derive(Default)]
struct Made {
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
}

impl Made {
    /// Creates a directory and those above it, as far as they do not exist.
    fn directory(&mut self, path: &Path) -> io::Result<()> {
        if path.as_os_str().is_empty() || path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.directory(parent)?;
        }
        fs::create_dir(path)?;
        self.directories.push(path.to_path_buf());
        Ok(())
    }

    fn file(&mut self, file: &NewFile) -> io::Result<()> {
        // A file that was created in the meantime is an error, too.
        let mut created = File::create_new(&file.path)?;
        self.files.push(file.path.clone());
        created.write_all(file.text.as_bytes())
    }

    fn keep(mut self) {
        self.files.clear();
        self.directories.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // What cannot be removed stays; the error that led here is reported.
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
        for directory in self.directories.iter().rev() {
            let _ = fs::remove_dir(directory);
        }
    }
}

fn unusable(zone: &str, diagnostics: &[Diagnostic]) -> anyhow::Error {
    let first = diagnostics.first().map_or_else(String::new, |diagnostic| diagnostic.message.to_string());
    anyhow!("`{zone}` cannot be the name of this zone: {first}")
}

/// A zone's name without the dot at its end. It becomes a file name, so it has only letters,
/// digits, hyphens and underscores.
fn parse_zone(text: &str) -> Result<String, String> {
    let name: Name = parse_name(text)?;
    let name = name.to_string();
    let name = name.trim_end_matches('.');
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err("write a domain name of letters, digits and hyphens, such as example.test".to_owned());
    }
    Ok(name.to_owned())
}

/// How this program was started, so that the printed commands work in any directory.
fn program() -> String {
    let started = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    // A bare name was found in $PATH, and will be again.
    let is_bare = started.components().count() == 1 && !started.is_absolute();
    let path = if is_bare { started } else { std::path::absolute(&started).unwrap_or(started) };
    shell_word(&path.display().to_string())
}

/// A word for a POSIX shell, in quotes if it needs them.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_has_no_diagnostics_for_any_name() {
        for zone in ["example.test", "shop.example.net", "2.0.192.in-addr.arpa", "test", "_a.b-c"] {
            let files = NewFiles::of(Path::new("a dir"), &parse_zone(zone).unwrap());
            files.check().unwrap();
            let source = |file: &NewFile| SourceFile::new(file.path.clone(), file.text.clone());
            let (settings, diagnostics) = Settings::read(&source(&files.settings));
            let zones = config::read_zones(&[source(&files.zone_file)], settings.as_ref().unwrap());
            assert_eq!((diagnostics.len(), zones.diagnostics.len()), (0, 0), "{zone}: {:?}", zones.diagnostics);
            assert_eq!(zones.configuration.zones[0].zone.record_sets.len(), 6);
        }
    }

    #[test]
    fn comments_fit_into_100_columns() {
        for line in SETTINGS_TEMPLATE.lines().chain(ZONE_TEMPLATE.lines()) {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }

    #[test]
    fn names_that_are_no_file_names_are_refused() {
        assert_eq!(parse_zone("Example.TEST."), Ok("example.test".to_owned()));
        for text in ["", ".", "../etc", "a/b.test", "*.test", "a b.test", "a..test", "\\052.test", "bücher.test"] {
            assert!(parse_zone(text).is_err(), "{text}: {:?}", parse_zone(text));
        }
        let long = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
        let error = NewFiles::of(Path::new(""), &parse_zone(&long).unwrap()).check().unwrap_err().to_string();
        assert!(error.contains("cannot be the name of this zone"), "{error}");
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        let cases = [("a/b.toml", "a/b.toml"), ("my dns", "'my dns'"), ("it's", r"'it'\''s'"), ("", "''")];
        for (text, word) in cases {
            assert_eq!(shell_word(text), word);
        }
    }
}
