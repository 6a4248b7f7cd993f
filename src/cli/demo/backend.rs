//! `fiftythree demo backend`: one small web server in the foreground, for labs and containers.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use serde_json::json;
use tokio::net::TcpListener;

use crate::cli::{print, time_args};
use crate::daemon::Signals;
use crate::lab::{Backend, BackendState, Responses};

const EXAMPLES: &str = "\
Examples:
  fiftythree demo backend --listen 127.0.53.11:8080 --name blue
  fiftythree demo backend --listen 127.0.53.12:8080 --name green --delay 300ms
  curl http://127.0.53.11:8080/                  blue
  curl -X POST http://127.0.53.11:8080/fail      from now on it answers 503
  curl -X POST http://127.0.53.11:8080/recover   and now 200 again

Any client that reaches the port can do this, so use it only in labs. SIGTERM and SIGINT end it at once, also as the first \
process of a container.

Exit code: 0 after a signal to stop; 1 when it cannot listen; 2 for a wrong command line.";

/// Run a small web server that answers with its name, as a target of health checks.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BackendArguments {
    /// The address to listen on; port 0 takes a free one
    #[arg(short, long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Its name, in its answers and their Server header
    #[arg(long, value_name = "NAME", default_value = "backend", value_parser = parse_name)]
    name: HeaderValue,
    /// The body of its answers [default: its name]
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// The status of its answers while it does not fail
    #[arg(long, value_name = "STATUS", default_value = "200", value_parser = parse_status)]
    status: StatusCode,
    /// The delay before each answer: 300ms, 2s
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = time_args::parse_duration)]
    delay: Duration,
    /// Print JSON, one object per line
    #[arg(long)]
    json: bool,
}

/// How it prints events.
#[derive(Clone, Copy)]
enum Style {
    Text,
    Json,
}

/// Answers until a signal stops it.
pub(super) fn run(arguments: BackendArguments) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(serve(arguments))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(arguments: BackendArguments) -> anyhow::Result<()> {
    // Before anything else: the first process of a container has no default signal handlers.
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let BackendArguments { listen, name, body, status, delay, json } = arguments;
    let style = if json { Style::Json } else { Style::Text };
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    let shown = String::from_utf8_lossy(name.as_bytes()).into_owned();
    let healthy = body.unwrap_or_else(|| shown.clone()) + "\n";
    let failing = format!("{shown} is failing; POST /recover ends that\n");
    print(&style.listening(&shown, address))?;
    let observer = Box::new(move |state| {
        // It keeps serving when its output cannot be written.
        let _ = print(&style.state(&shown, state));
    });
    let responses = Responses { server: name, healthy: healthy.into(), status, failing: failing.into(), delay };
    tokio::select! {
        () = Backend::new(responses, observer).serve(listener) => {}
        _ = signals.stop() => {}
    }
    Ok(())
}

impl Style {
    fn listening(self, name: &str, address: SocketAddr) -> String {
        match self {
            Style::Text => format!("{name} listens on http://{address}\n"),
            Style::Json => format!("{}\n", json!({ "event": "listening", "name": name, "address": address })),
        }
    }

    fn state(self, name: &str, state: BackendState) -> String {
        let (text, event) = match state {
            BackendState::Healthy => ("has recovered", "recovered"),
            BackendState::Failing => ("fails from now on", "failing"),
        };
        match self {
            Style::Text => format!("{name} {text}\n"),
            Style::Json => format!("{}\n", json!({ "event": event, "name": name })),
        }
    }
}

/// The name must be valid in a header.
fn parse_name(text: &str) -> Result<HeaderValue, String> {
    let printable = !text.is_empty() && text.len() <= 64 && text.bytes().all(|octet| matches!(octet, b' '..=b'~'));
    let value = printable.then(|| HeaderValue::from_str(text).ok()).flatten();
    value.ok_or_else(|| "write 1 to 64 printable ASCII characters".to_owned())
}

fn parse_status(text: &str) -> Result<StatusCode, String> {
    let status = text.parse::<u16>().ok().filter(|status| (200..=599).contains(status));
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    status.ok_or_else(|| "write a status from 200 to 599".to_owned())
}
