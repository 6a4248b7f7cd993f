//! `fiftythree demo backend`: one tiny web server in the foreground, for labs and containers.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use serde_json::json;
use tokio::net::TcpListener;

use crate::cli::{print, when};
use crate::daemon::Signals;

use super::endpoint::{Endpoint, Manner, Mood};

const EXAMPLES: &str = "\
Examples:
  fiftythree demo backend --listen 127.0.53.11:8080 --name blue
  fiftythree demo backend --listen 127.0.53.12:8080 --name green --delay 300ms
  curl http://127.0.53.11:8080/                  blue
  curl -X POST http://127.0.53.11:8080/fail      from now on it says 503
  curl -X POST http://127.0.53.11:8080/recover   and now it is well again

Every client that reaches the port can do that: it is for labs. SIGTERM and SIGINT end it at once, as the first process of a \
container too.

Exit code: 0 after a signal to stop; 1 when it cannot listen; 2 for a wrong command line.";

/// Run a tiny web server that says its name, for health checks to ask.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BackendArguments {
    /// Where to listen; port 0 is any free one
    #[arg(short, long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// What it calls itself, in its answers and in their Server header
    #[arg(long, value_name = "NAME", default_value = "backend", value_parser = parse_name)]
    name: HeaderValue,
    /// What it answers [default: its name]
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// The status of its answers while it is well
    #[arg(long, value_name = "STATUS", default_value = "200", value_parser = parse_status)]
    status: StatusCode,
    /// How long it thinks before it answers: 300ms, 2s
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = when::duration)]
    delay: Duration,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
}

/// How it tells what happens.
#[derive(Clone, Copy)]
enum Style {
    Text,
    Json,
}

/// Answers until a signal says to stop.
pub(super) fn run(arguments: BackendArguments) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(serve(arguments))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(arguments: BackendArguments) -> anyhow::Result<()> {
    // Before anything else: a container's first process has no handlers but its own.
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let BackendArguments { listen, name, body, status, delay, json } = arguments;
    let style = if json { Style::Json } else { Style::Text };
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    let shown = String::from_utf8_lossy(name.as_bytes()).into_owned();
    let body = body.unwrap_or_else(|| shown.clone()) + "\n";
    style.listening(&shown, address);
    let tell = Box::new(move |mood| style.mood(&shown, mood));
    let endpoint = Endpoint::new(Manner { name, body: body.into(), status, delay }, tell);
    tokio::select! {
        () = Arc::new(endpoint).serve(listener) => {}
        _ = signals.stop() => {}
    }
    Ok(())
}

impl Style {
    fn listening(self, name: &str, address: SocketAddr) {
        match self {
            Style::Text => print(&format!("{name} listens on http://{address}\n")),
            Style::Json => print(&format!("{}\n", json!({ "event": "listening", "name": name, "address": address }))),
        }
    }

    fn mood(self, name: &str, mood: Mood) {
        let (text, event) = match mood {
            Mood::Well => ("is well again", "recovered"),
            Mood::Failing => ("fails from now on", "failing"),
        };
        match self {
            Style::Text => print(&format!("{name} {text}\n")),
            Style::Json => print(&format!("{}\n", json!({ "event": event, "name": name }))),
        }
    }
}

/// It goes into a header, and there into one line.
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
