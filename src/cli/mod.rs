//! The command line: arguments and output.
//!
//! `init` writes first files, `import` writes zone files from BIND files, the JSON of `aws` and
//! other servers, `export` writes BIND files and that JSON, `serve` runs the server, `check` finds
//! errors in files, `change` changes record sets in them, `plan` shows what a change would do,
//! `query` sends queries as `dig` does, `explain` explains an answer, `simulate` answers many
//! simulated clients, `health` shows health checks, `override` overrides them, `history` shows what
//! happened and who changed what, `undo` undoes a change, `watch` shows answers and health live,
//! `cluster` shows and changes what nodes share, `cookie-secret` replaces the secrets of DNS
//! cookies, `demo` shows a failover, `man` and `completion` print manual pages and shell
//! completions.

mod admin_client;
mod change;
mod check;
mod cluster;
mod completion;
mod cookie_secret;
mod demo;
mod endpoint;
mod explain;
mod export;
mod health;
mod history;
mod import;
mod init;
mod login_name;
mod manual;
mod new_files;
mod offline;
mod output;
mod overrides;
mod paint;
mod plan;
mod query;
mod record;
mod relative_time;
mod reset;
mod serve;
mod settings;
mod simulate;
mod time_args;
mod tree;
mod undo;
mod version;
mod watch;
mod zone;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::causes::with_causes;

use output::{Form, OutputError, print, print_error, print_json};

const ABOUT: &str = "\
An authoritative DNS server that routes like Amazon Route 53.

Zones are TOML files. Records have Route 53's routing policies (simple, weighted, latency, failover, geolocation, \
geoproximity, multivalue, IP-based) and its health checks; an answer changes within seconds of a check.";

const EXAMPLES: &str = "\
Examples:
  fiftythree demo                                   a failover to watch, with nothing to set up
  fiftythree init my-dns                            settings and a zone of your own
  fiftythree serve                                  with ./config/fiftythree.toml
  fiftythree query www.lab.test                     in another terminal
  fiftythree query weighted.lab.test --count 100    how often each answer comes
  fiftythree explain app.lab.test                   why this answer
  fiftythree watch app.lab.test                     its answers and its health, live
  fiftythree check                                  every error and warning in settings and zones
  fiftythree health                                 the status of health checks, and why

Settings are the first of --config, $FIFTYTHREE_CONFIG, ./config/fiftythree.toml, /etc/fiftythree/fiftythree.toml.

Exit code: 0 on success; 1 on failure; 2 for a wrong command line.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "fiftythree", version, about = "An authoritative DNS server that routes like Amazon Route 53")]
#[command(long_about = ABOUT, after_help = EXAMPLES, max_term_width = 120)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::InitArguments),
    Import(import::ImportArguments),
    Export(export::ExportArguments),
    Serve(serve::ServeArguments),
    Check(check::CheckArguments),
    Cluster(cluster::ClusterArguments),
    Change(change::ChangeArguments),
    Plan(plan::PlanArguments),
    Record(record::RecordArguments),
    Zone(zone::ZoneArguments),
    Reset(reset::ResetArguments),
    Query(query::QueryArguments),
    Explain(explain::ExplainArguments),
    Simulate(simulate::SimulateArguments),
    Health(health::HealthArguments),
    History(history::HistoryArguments),
    Undo(undo::UndoArguments),
    Override(overrides::OverrideArguments),
    Watch(watch::WatchArguments),
    CookieSecret(cookie_secret::CookieSecretArguments),
    Demo(demo::DemoArguments),
    Completion(completion::CompletionArguments),
    #[command(name = "man")]
    Manual(manual::ManualArguments),
    Version(version::VersionArguments),
}

/// Runs the command and returns its exit code: 2 for a wrong command line.
pub fn run() -> ExitCode {
    let outcome = match Arguments::try_parse() {
        Ok(arguments) => run_command(arguments.command),
        Err(error) => report_usage(&error),
    };
    outcome.unwrap_or_else(|error| {
        if error.downcast_ref().is_some_and(OutputError::is_closed_pipe) {
            return ExitCode::SUCCESS;
        }
        print_error(&format!("error: {}\n", with_causes(error.as_ref())));
        ExitCode::FAILURE
    })
}

fn run_command(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Init(arguments) => init::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Serve(arguments) => serve::run(arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Cluster(arguments) => cluster::run(&arguments),
        Command::Change(arguments) => change::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Record(arguments) => record::run(&arguments),
        Command::Zone(arguments) => zone::run(&arguments),
        Command::Reset(arguments) => reset::run(&arguments),
        Command::Query(arguments) => query::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Health(arguments) => health::run(&arguments),
        Command::History(arguments) => history::run(&arguments),
        Command::Undo(arguments) => undo::run(&arguments),
        Command::Override(arguments) => overrides::run(arguments),
        Command::Watch(arguments) => watch::run(&arguments),
        Command::CookieSecret(arguments) => cookie_secret::run(&arguments),
        Command::Demo(arguments) => demo::run(arguments),
        Command::Completion(arguments) => completion::run(&arguments),
        Command::Manual(arguments) => manual::run(&arguments),
        Command::Version(arguments) => version::run(&arguments),
    }
}

/// Prints what clap has to say: a help text, the version, or what is wrong with the command line.
fn report_usage(error: &clap::Error) -> anyhow::Result<ExitCode> {
    let printed = error.print();
    if error.use_stderr() {
        return Ok(ExitCode::from(2));
    }
    printed.and_then(|()| std::io::stdout().flush()).map_err(OutputError::from)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn usual_commands_are_understood() {
        let usual = [
            "fiftythree init my-dns",
            "fiftythree init my-dns --zone shop.example.net --json",
            "fiftythree import db.lab.test --output zones --zone lab.test --force --strict --json",
            "fiftythree import a.json b.json --stdout",
            "fiftythree import --from-endpoint aws --profile ops --output zones",
            "fiftythree export lab.test Z0123 --format bind --stdout --zone-file a.toml b.toml",
            "fiftythree export --format change-batch --output x --from-endpoint http://127.0.0.1:4566 --json",
            "fiftythree serve",
            "fiftythree serve --config a.toml --listen 127.0.0.1:5300 --listen [::1]:5300 --zones z --state s --log-format json -v",
            "fiftythree serve --admin off",
            "fiftythree check",
            "fiftythree check --json zones/a.toml zones/b.toml",
            "fiftythree change batch.json --zone lab.test --dry-run --json",
            "fiftythree plan batch.json --zone lab.test --server --json",
            "fiftythree plan a.toml b.toml --from geoip",
            "fiftythree query www.lab.test",
            "fiftythree query lab.test MX --server 127.0.0.1:5300 --subnet 10.53.1.0/24 --tcp --nsid --timeout 500ms --json",
            "fiftythree query weighted.lab.test --count 100",
            "fiftythree query -x 192.0.2.11",
            "fiftythree query --self",
            "fiftythree override set app-blue down --reason update --until 22:00 --author ada",
            "fiftythree override set app-* up --for 30m --from 21:00 --admin 127.0.0.1:8053",
            "fiftythree override set app-blue down --json",
            "fiftythree override clear app-blue --json",
            "fiftythree override list --json",
            "fiftythree explain app.lab.test",
            "fiftythree simulate --clients 100000 --from places.toml --as-if eu-1=down --seed 1 --json",
            "fiftythree simulate --from geoip --name a.test --name b.test --type AAAA --proposed new.toml --zone-file a.toml",
            "fiftythree explain app.lab.test AAAA --from 192.0.2.7 --resolver 192.0.2.53 --as-if blue=down --as-if eu-*=up --seed 1 --json",
            "fiftythree explain app.lab.test --subnet 192.0.2.0/24 --zone-file zones/a.toml zones/b.toml",
            "fiftythree health",
            "fiftythree health app-* --watch --json --admin 127.0.0.1:8053",
            "fiftythree history --zone lab.test -n 50 --json --admin 127.0.0.1:8053",
            "fiftythree undo C1PA6795UKMFR9EXAMPLE --plan --force --json --admin 127.0.0.1:8053",
            "fiftythree watch app.lab.test",
            "fiftythree watch app.lab.test AAAA --server 127.0.0.1:5300 --admin 127.0.0.1:8053 --subnet 10.53.1.0/24 --rate 100",
            "fiftythree watch app.lab.test --window 30s --for 1m --count 1000 --json",
            "fiftythree cookie-secret list --state /var/lib/fiftythree --json",
            "fiftythree cookie-secret add 445536bcd2513298075a5d379663c962",
            "fiftythree cookie-secret activate --config a.toml",
            "fiftythree cookie-secret drop",
            "fiftythree demo",
            "fiftythree demo --script --json --log demo.log",
            "fiftythree demo backend",
            "fiftythree demo backend --listen [::1]:0 --name blue --body hello --status 204 --delay 300ms --json",
            "fiftythree completion zsh",
            "fiftythree man",
            "fiftythree man override set",
            "fiftythree man --directory man1",
            "fiftythree version --json",
        ];
        for line in usual {
            assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
        }
    }

    /// Commands without `--json`, and why.
    const NO_JSON: [(&str, &str); 5] = [
        ("fiftythree serve", "its log is JSON by --log-format"),
        ("fiftythree completion", "prints a script"),
        ("fiftythree man", "prints a page"),
        ("fiftythree cluster apply", "prints a plan for people; the exit code says the rest"),
        ("fiftythree cluster dump", "writes files"),
    ];

    #[test]
    fn every_command_shows_examples_says_its_exit_codes_and_prints_json() {
        let mut program = Arguments::command();
        program.build();
        let mut diagnostics = Vec::new();
        for (path, command) in leaves("fiftythree", &program) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples: Vec<String> = examples(&help).collect();
            if !examples.iter().any(|example| example.starts_with(&path)) {
                diagnostics.push(format!("{path}: no example below `Examples:`"));
            }
            for example in &examples {
                if let Err(error) = Arguments::try_parse_from(words(example)) {
                    diagnostics.push(format!("{path}: the example `{example}` is no command line: {error}"));
                }
            }
            if !help.contains("\n\nExit code: 0") {
                diagnostics.push(format!("{path}: no `Exit code: 0 …` in a paragraph of its own"));
            }
            let has_json = command.get_arguments().any(|argument| argument.get_long() == Some("json"));
            if has_json == NO_JSON.iter().any(|(without, _)| *without == path) {
                diagnostics.push(format!("{path}: either it has --json or it is excused"));
            }
        }
        assert!(diagnostics.is_empty(), "{}", diagnostics.join("\n"));
    }

    /// The commands that do something, with all their words.
    fn leaves<'c>(path: &str, command: &'c clap::Command) -> Vec<(String, &'c clap::Command)> {
        let below = command.get_subcommands().filter(|below| below.get_name() != "help" && !below.is_hide_set());
        let leaves: Vec<_> = below.flat_map(|below| leaves(&format!("{path} {}", below.get_name()), below)).collect();
        if leaves.is_empty() { vec![(path.to_owned(), command)] } else { leaves }
    }

    /// The commands in a help text, without what follows them: an explanation after two spaces, a
    /// pipe, a redirection.
    fn examples(help: &str) -> impl Iterator<Item = String> {
        let listing =
            help.split_once("Examples:\n").map_or("", |(_, rest)| rest.split("\n\n").next().unwrap_or_default());
        let commands =
            listing.lines().filter_map(|line| line.strip_prefix("  ").filter(|line| line.starts_with("fiftythree")));
        commands
            .map(|line| ["  ", " | ", " > "].iter().fold(line, |line, end| line.split(end).next().unwrap()).to_owned())
    }

    /// As a shell splits a line, quotes of both kinds included.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut quote) = (vec![String::new()], None);
        for c in line.chars() {
            match (quote, c) {
                (Some(open), _) if c == open => quote = None,
                (None, '"' | '\'') => quote = Some(c),
                (None, ' ') => words.push(String::new()),
                _ => words.last_mut().unwrap().push(c),
            }
        }
        words
    }

    #[test]
    fn nonsense_is_refused() {
        let nonsense = [
            "fiftythree",
            "fiftythree init",
            "fiftythree init my-dns --zone ../etc",
            "fiftythree import",
            "fiftythree import db.lab.test",
            "fiftythree import --output zones",
            "fiftythree import db.lab.test --from-endpoint aws --output zones",
            "fiftythree export --stdout",
            "fiftythree export --format toml --stdout",
            "fiftythree import db.lab.test --output zones --stdout",
            "fiftythree query",
            "fiftythree query a.test NOTYPE",
            "fiftythree query a.test --count 0",
            "fiftythree query a.test -x 192.0.2.1",
            "fiftythree query a.test --self",
            "fiftythree query a.test --subnet 10.53.1.0/33",
            "fiftythree override set app-blue",
            "fiftythree override set app-blue sideways",
            "fiftythree override set app-blue down --for 30m --until 22:00",
            "fiftythree override set app-blue down --for soon",
            "fiftythree watch",
            "fiftythree cookie-secret",
            "fiftythree cookie-secret add 4455",
            "fiftythree watch app.lab.test --rate 0",
            "fiftythree watch app.lab.test --rate 1001",
            "fiftythree watch app.lab.test --window 0s",
            "fiftythree demo --script backend",
            "fiftythree demo backend --status 199",
            "fiftythree demo backend --name ü",
            "fiftythree demo backend --delay soon",
            "fiftythree explain",
            "fiftythree simulate",
            "fiftythree simulate --from places.toml --clients 0",
            "fiftythree simulate --from places.toml --as-if down",
            "fiftythree explain a.test NOTYPE",
            "fiftythree explain a.test --as-if blue",
            "fiftythree explain a.test --from here",
            "fiftythree completion",
            "fiftythree completion cobol",
            "fiftythree man query --directory man1",
            "fiftythree serve --listen localhost",
            "fiftythree serve --admin on",
            "fiftythree serve --log-format yaml",
        ];
        for line in nonsense {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
