//! Files that `import` and `export` write or print, and their report.

use std::fs::{self, File};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::config::{LocatedDiagnostic, Style};
use crate::migrate::{MigrationReport, NewFile};

use super::{print, print_error};

/// Where files go.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Target {
    /// The directory to write to; it is created unless it exists
    #[arg(short, long, value_name = "DIRECTORY")]
    pub(super) output: Option<PathBuf>,
    /// Print the files instead
    #[arg(long, conflicts_with = "json")]
    stdout: bool,
}

impl Target {
    /// Writes or prints the files.
    pub(super) fn deliver(&self, files: &[NewFile], force: bool) -> anyhow::Result<()> {
        if let Some(directory) = &self.output {
            return write(files, directory, force);
        }
        let is_alone = files.len() == 1;
        let shown = |file: &NewFile| match is_alone {
            true => file.text.clone(),
            false => format!("# {}\n{}\n", file.name, file.text),
        };
        Ok(print(&files.iter().map(shown).collect::<String>())?)
    }
}

/// Writes all files, or none if one of them exists with another text.
fn write(files: &[NewFile], directory: &Path, force: bool) -> anyhow::Result<()> {
    let path = |file: &NewFile| directory.join(&file.name);
    let has_text = |file: &NewFile| fs::read_to_string(path(file)).ok().as_ref() == Some(&file.text);
    let is_there = |file: &&NewFile| path(file).symlink_metadata().is_ok() && !has_text(file);
    let existing: Vec<String> = files.iter().filter(is_there).map(|file| path(file).display().to_string()).collect();
    if !existing.is_empty() && !force {
        let (files, verb) = (existing.join(" and "), if existing.len() == 1 { "exists" } else { "exist" });
        bail!("{files} {verb}\n  hint: nothing was written; name another directory, or replace with --force");
    }
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    for file in files.iter().filter(|file| !has_text(file)) {
        let path = path(file);
        // A file that was created in the meantime is an error, too.
        let created = if force { File::create(&path) } else { File::create_new(&path) };
        let written = created.and_then(|mut created| created.write_all(file.text.as_bytes()));
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Shows what has no counterpart.
pub(super) fn print_report(report: &MigrationReport) {
    let style = if std::io::stderr().is_terminal() { Style::Coloured } else { Style::Plain };
    print_error(&report.render(style));
}

/// What has no counterpart.
pub(super) fn report_json(report: &MigrationReport) -> Vec<Value> {
    let shape = |located: &LocatedDiagnostic| {
        let LocatedDiagnostic { path, line, column, message, hint, .. } = located;
        json!({ "file": path, "line": line, "column": column, "message": message, "hint": hint })
    };
    report.located().iter().map(shape).collect()
}

/// `1 thing`, `2 things`.
pub(super) fn count(number: usize, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}
