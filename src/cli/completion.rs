//! `fiftythree completion`: a script that lets a shell complete the commands.

use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Arguments, print};

const EXAMPLES: &str = "\
Examples:
  fiftythree completion bash > /usr/share/bash-completion/completions/fiftythree
  fiftythree completion zsh > /usr/local/share/zsh/site-functions/_fiftythree
  fiftythree completion fish > ~/.config/fish/completions/fiftythree.fish

For the current bash: source <(fiftythree completion bash)

Exit code: 0; 2 for a wrong command line.";

/// Print a script that lets a shell complete commands and options.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CompletionArguments {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub(super) fn run(arguments: &CompletionArguments) -> anyhow::Result<ExitCode> {
    print(&script(arguments.shell))?;
    Ok(ExitCode::SUCCESS)
}

fn script(shell: Shell) -> String {
    let (mut command, mut script) = (Arguments::command(), Vec::new());
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
