//! `fiftythree man`: a manual page for each command, made from its `--help`.
//!
//! A help text ends in paragraphs of three kinds, each with its own section in the page: a heading
//! with indented lines (such as `Examples:`), the line that starts with `Exit code:`, and notes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::{Arguments, print};

/// The section for programs that users start. One binary is both a user's program and a daemon.
const SECTION: &str = "1";

const EXAMPLES: &str = "\
Examples:
  fiftythree man --directory /usr/local/share/man/man1
  fiftythree man override set > page.1      the page of one command, for `man -l page.1`

Exit code: 0; 1 when a page cannot be written; 2 for a wrong command line.";

/// Print a manual page, or write all of them.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ManualArguments {
    /// The command; without one, the program's own page is printed
    command: Vec<String>,
    /// Write the pages of all commands into this directory, as fiftythree.1, fiftythree-query.1 …
    #[arg(short, long, value_name = "DIRECTORY", conflicts_with = "command")]
    directory: Option<PathBuf>,
}

/// Prints one page, or writes all.
pub(super) fn run(arguments: &ManualArguments) -> anyhow::Result<ExitCode> {
    let program = program();
    match &arguments.directory {
        Some(directory) => write_all(&program, directory)?,
        None => print(&String::from_utf8_lossy(&page(find(&program, &arguments.command)?)?))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// All commands with their full names, without `help`, which is the same as `--help`.
fn program() -> Command {
    let mut program = Arguments::command().disable_help_subcommand(true);
    program.build();
    program
}

fn find<'c>(program: &'c Command, path: &[String]) -> anyhow::Result<&'c Command> {
    let mut command = program;
    for name in path {
        let Some(below) = command.find_subcommand(name) else {
            let known: Vec<&str> = commands_of(command).map(Command::get_name).collect();
            let hint = if known.is_empty() { String::new() } else { format!("\n  there is: {}", known.join(", ")) };
            bail!("`{}` has no command `{name}`{hint}", title(command));
        };
        command = below;
    }
    Ok(command)
}

fn write_all(command: &Command, directory: &Path) -> anyhow::Result<()> {
    let path = directory.join(format!("{}.{SECTION}", title(command)));
    fs::write(&path, page(command)?).with_context(|| format!("cannot write {}", path.display()))?;
    commands_of(command).try_for_each(|below| write_all(below, directory))
}

fn commands_of(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set())
}

/// Such as `fiftythree-override-set`.
fn title(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// One page, in roff.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let (name, version) = (title(command), env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).section(SECTION);
    // Pages have no date, so that they depend only on the program. clap_mangen would leave the
    // field out, and the version would take its place (man(7): title, section, date, source,
    // manual).
    let mut out =
        format!(".TH \"{name}\" \"{SECTION}\" \"\" \"fiftythree {version}\" \"fiftythree manual\"\n").into_bytes();
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    if commands_of(command).next().is_some() {
        man.render_subcommands_section(&mut out)?;
    }
    ending(command).to_writer(&mut out)?;
    Ok(out)
}

/// The text below the options, and the related pages.
fn ending(command: &Command) -> Roff {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let mut roff = Roff::default();
    let mut section = "";
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        match Paragraph::of(paragraph) {
            Paragraph::Listing { heading, lines } => {
                section = heading;
                roff.control("SH", [heading.to_uppercase().as_str()]).control("nf", []);
                for line in lines.lines() {
                    roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
                }
                roff.control("fi", []);
            }
            Paragraph::ExitCode(codes) => {
                section = "exit status";
                roff.control("SH", ["EXIT STATUS"]).text([roman(codes)]);
            }
            Paragraph::Note(text) if section == "notes" => {
                roff.control("PP", []).text([roman(text)]);
            }
            Paragraph::Note(text) => {
                section = "notes";
                roff.control("SH", ["NOTES"]).text([roman(text)]);
            }
        }
    }
    see_also(&mut roff, command);
    roff
}

/// The page of the parent command, and those of its subcommands.
fn see_also(roff: &mut Roff, command: &Command) {
    let name = title(command);
    let above = name.rsplit_once('-').map(|(above, _)| above.to_owned());
    let pages: Vec<String> =
        above.into_iter().chain(commands_of(command).map(|below| title(below).to_owned())).collect();
    roff.control("SH", ["SEE ALSO"]);
    for (index, page) in pages.iter().enumerate() {
        let comma = if index + 1 < pages.len() { "," } else { "" };
        roff.text([bold(page.as_str()), roman(format!("({SECTION}){comma}"))]);
    }
}

/// A paragraph below the options.
enum Paragraph<'t> {
    /// Lines that are not filled.
    Listing { heading: &'t str, lines: &'t str },
    /// The exit codes.
    ExitCode(&'t str),
    /// Anything else.
    Note(&'t str),
}

impl Paragraph<'_> {
    fn of(text: &str) -> Paragraph<'_> {
        if let Some((heading, lines)) = text.split_once(":\n").filter(|(_, lines)| lines.starts_with("  ")) {
            return Paragraph::Listing { heading, lines };
        }
        match text.strip_prefix("Exit code: ") {
            Some(codes) => Paragraph::ExitCode(codes),
            None => Paragraph::Note(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_of(path: &[&str]) -> String {
        let path: Vec<String> = path.iter().map(|&name| name.to_owned()).collect();
        String::from_utf8(page(find(&program(), &path).unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn a_page_has_the_usual_sections() {
        let page = page_of(&["override", "set"]);
        for part in [
            ".TH \"fiftythree-override-set\" \"1\" \"\" \"fiftythree 0.",
            ".SH NAME\nfiftythree\\-override\\-set \\- ",
            ".SH OPTIONS",
            ".SH EXAMPLES\n.nf\nfiftythree override set app\\-blue down",
            ".SH \"EXIT STATUS\"\n0 when",
            "\\fBfiftythree\\-override\\fR(1)",
        ] {
            assert!(page.contains(part), "{part} in\n{page}");
        }
    }

    #[test]
    fn an_unknown_page_is_named() {
        let error = find(&program(), &["override".to_owned(), "sett".to_owned()]).unwrap_err().to_string();
        assert_eq!(error, "`fiftythree-override` has no command `sett`\n  there is: set, clear, list");
    }
}
