//! Files that `import` and `export` write or print, and their report.

use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::config::{LocatedDiagnostic, Style};
use crate::files;
use crate::migrate::{MigrationReport, NewFile};
use crate::store::{Existing, write_files};

use super::{print, print_error, print_json};

/// Where files go, and when nothing is written.
#[derive(Debug, clap::Args)]
pub(super) struct NewFilesArguments {
    #[command(flatten)]
    target: Target,
    /// Replace existing files; of a symbolic link, the link
    #[arg(long, requires = "output")]
    force: bool,
    /// Write nothing if something has no counterpart
    #[arg(long)]
    strict: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Where files go.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// The directory to write to; it is created unless it exists
    #[arg(short, long, value_name = "DIRECTORY")]
    output: Option<PathBuf>,
    /// Print the files instead
    #[arg(long, conflicts_with = "json")]
    stdout: bool,
}

impl NewFilesArguments {
    /// Writes or prints the files, and says so: as JSON with these other members, or with a summary
    /// above. How much has no counterpart is the last line.
    pub(super) fn finish(
        &self,
        files: &[NewFile],
        report: &MigrationReport,
        mut json: Value,
        summary: &str,
    ) -> anyhow::Result<ExitCode> {
        let left_out = count(report.len(), "thing has no counterpart", "things have no counterpart");
        if self.strict && report.len() > 0 {
            bail!("{left_out}; nothing is written, because of --strict");
        }
        self.target.deliver(files, self.force)?;
        if self.json {
            json["files"] = files.iter().map(|file| file.name.as_str()).collect();
            json["left_out"] = report.located().iter().map(as_json).collect();
            print_json(&json)?;
        } else if let Some(directory) = &self.target.output {
            let number = count(files.len(), "file is", "files are");
            print(&format!("{summary}{number} in {}\n", directory.display()))?;
        }
        if report.len() > 0 {
            print_error(&format!("{left_out}; see above\n"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Target {
    /// Writes or prints the files.
    fn deliver(&self, files: &[NewFile], force: bool) -> anyhow::Result<()> {
        if let Some(directory) = &self.output {
            return write(files, directory, if force { Existing::Replace } else { Existing::Refuse });
        }
        let is_alone = files.len() == 1;
        let shown = |file: &NewFile| match is_alone {
            true => file.text.clone(),
            false => format!("# {}\n{}\n", file.name, file.text),
        };
        Ok(print(&files.iter().map(shown).collect::<String>())?)
    }
}

/// Writes all files, or none: if one of them exists with another text, or cannot be written.
fn write(files: &[NewFile], directory: &Path, existing: Existing) -> anyhow::Result<()> {
    let files = files.iter().map(|file| (directory.join(&file.name), &*file.text));
    let files: Vec<(PathBuf, &str)> = files.filter(|(path, text)| !has_text(path, text)).collect();
    let is_there = |(path, _): &&(PathBuf, &str)| path.symlink_metadata().is_ok();
    let there: Vec<String> = files.iter().filter(is_there).map(|(path, _)| path.display().to_string()).collect();
    if !there.is_empty() && existing == Existing::Refuse {
        let (files, verb) = (there.join(" and "), if there.len() == 1 { "exists" } else { "exist" });
        bail!("{files} {verb}\n  hint: nothing was written; name another directory, or replace with --force");
    }
    let is_new = !directory.exists();
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    write_files(&files, existing).inspect_err(|_| {
        if is_new {
            let _ = fs::remove_dir(directory);
        }
    })?;
    Ok(())
}

fn has_text(path: &Path, text: &str) -> bool {
    // A longer file is an error.
    files::read(path, text.len() as u64).is_ok_and(|octets| octets == text.as_bytes())
}

/// Shows what has no counterpart.
pub(super) fn print_report(report: &MigrationReport) {
    let style = if std::io::stderr().is_terminal() { Style::Coloured } else { Style::Plain };
    print_error(&report.render(style));
}

/// Something that has no counterpart.
fn as_json(located: &LocatedDiagnostic) -> Value {
    let LocatedDiagnostic { path, line, column, message, hint, .. } = located;
    json!({ "file": path, "line": line, "column": column, "message": message, "hint": hint })
}

/// `1 thing`, `2 things`.
pub(super) fn count(number: usize, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}
