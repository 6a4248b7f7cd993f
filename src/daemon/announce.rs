//! The message that the server prints when it is ready.

use std::io::{self, Write as _};
use std::thread;

use crate::config::{self, LogFormat};

use super::Ready;

/// Prints the addresses of the server and a command to try. With JSON logs, they are logged
/// instead.
pub(super) fn announce(log_format: LogFormat, ready: &Ready) {
    let Ready { addresses, admin, base, summary } = ready;
    let totals = summary.totals();
    if log_format == LogFormat::Json {
        addresses.iter().for_each(|address| tracing::info!(%address, "listening"));
        if let Some(admin) = admin {
            tracing::info!(%admin, "the admin side is listening");
        }
        tracing::info!("serving {totals}");
        return;
    }
    let mut text = format!("fiftythree {}\n", env!("CARGO_PKG_VERSION"));
    for address in addresses {
        text.push_str(&format!("  listening on {address}, UDP and TCP\n"));
    }
    if let Some(admin) = admin {
        text.push_str(&format!("  admin on http://{admin}\n"));
    }
    text.push_str(&format!("  serving {totals}\n"));
    if let (Some(address), Some(name)) = (addresses.first(), base.example()) {
        let server = config::reachable(*address);
        text.push_str(&format!("  try: dig @{} -p {} {name}\n", server.ip(), server.port()));
    }
    // A terminal that does not read must not stop the server. The thread that writes to it ends
    // with the process.
    let write = move || {
        let _ = io::stdout().write_all(text.as_bytes());
    };
    let _ = thread::Builder::new().name("announce".to_owned()).spawn(write);
}
