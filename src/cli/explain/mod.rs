//! `fiftythree explain`: why a query gets its answer, or would get it.

mod render;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use ipnet::IpNet;

use crate::causes::with_causes;
use crate::config::ClientSubnetUse;
use crate::control::{HypotheticalHealth, OverrideError};
use crate::explain::{ExplainContext, Explanation, QueryOptions, explain, query_type};
use crate::model::{Name, QueryType, RecordType};

use super::admin_client::{AdminClient, ServerArguments};
use super::offline::OfflineServer;
use super::paint::Paint;
use super::query::parse_name;
use super::{Form, print, print_json};

/// The line width without a terminal.
const WIDTH: usize = 110;

const EXAMPLES: &str = "\
Examples:
  fiftythree explain app.lab.test                          why this record answers, and since when others are unhealthy
  fiftythree explain geo.lab.test --from 192.0.2.7         for this client
  fiftythree explain geo.lab.test --subnet 192.0.2.0/24    for a resolver that sends this client subnet
  fiftythree explain app.lab.test --as-if app-blue=down    with an assumed status
  fiftythree explain app.lab.test --zone-file zones/       from files, without a server
  fiftythree explain weighted.lab.test --seed 53           the same random numbers again
  fiftythree explain app.lab.test --json | jq '.steps[] | select(.step == \"group\").candidates'

The running server explains it through its admin side, with the code that answers queries. Nothing is changed, and no query \
is counted.

Exit code: 0 when there is an explanation; 1 when there is none; 2 for a wrong command line.";

/// Explain why a query gets its answer.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ExplainArguments {
    /// The name to query
    #[arg(value_parser = parse_name)]
    name: Name,
    /// The record type, or ANY
    #[arg(name = "TYPE", default_value = "A", value_parser = query_type)]
    query_type: QueryType,
    /// The client's address, and the resolver's unless that is given [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
    /// The client subnet that the resolver sends (EDNS Client Subnet)
    #[arg(long, value_name = "CIDR")]
    subnet: Option<IpNet>,
    /// The resolver's address; with --from it sends the client's /24, or /56 of IPv6
    #[arg(long, value_name = "ADDRESS")]
    resolver: Option<IpAddr>,
    /// Assume that a health check is up or down; may be repeated, globs are allowed
    #[arg(long, value_name = "CHECK=up|down")]
    as_if: Vec<HypotheticalHealth>,
    /// Use these zone files, or those in this directory, instead of a running server
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "admin")]
    zone_file: Vec<PathBuf>,
    /// The seed of the random numbers [default: a different one each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArguments,
}

/// Explains.
pub(super) fn run(arguments: &ExplainArguments) -> anyhow::Result<ExitCode> {
    let explanation = match arguments.zone_file.as_slice() {
        [] => ask_server(arguments)?,
        _ => ask_files(arguments)?,
    };
    match Form::from(arguments.json) {
        Form::Json => print_json(&explanation)?,
        Form::Text => print(&render::text(&explanation, Paint::of_stdout(), width()))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn ask_server(arguments: &ExplainArguments) -> anyhow::Result<Explanation> {
    let admin = AdminClient::find(&arguments.server)?;
    let mut parameters = vec![("name", arguments.name.to_string()), ("type", arguments.query_type.to_string())];
    parameters.extend(arguments.from.map(|from| ("from", from.to_string())));
    parameters.extend(arguments.subnet.map(|subnet| ("subnet", subnet.to_string())));
    parameters.extend(arguments.resolver.map(|resolver| ("resolver", resolver.to_string())));
    parameters.extend(arguments.seed.map(|seed| ("seed", seed.to_string())));
    parameters.extend(arguments.as_if.iter().map(|hypothetical| ("as_if", hypothetical.to_string())));
    let parameters: Vec<(&str, &str)> = parameters.iter().map(|(key, value)| (*key, value.as_str())).collect();
    admin.get("/v1/explain", &parameters).map_err(|error| match error.to_string().contains("admin side") {
        true => {
            anyhow!("{}\n  hint: `--zone-file FILE` explains from files, without a server", with_causes(error.as_ref()))
        }
        false => error,
    })
}

fn ask_files(arguments: &ExplainArguments) -> anyhow::Result<Explanation> {
    let offline = OfflineServer::read(arguments.server.config(), &arguments.zone_file)?;
    let assumed = offline.assumed(&arguments.as_if, &|_| None).map_err(unknown_check)?;
    let location = &offline.settings.location;
    let as_if: Vec<String> = arguments.as_if.iter().map(ToString::to_string).collect();
    let ExplainArguments { query_type, from, subnet, resolver, seed, .. } = *arguments;
    let options = QueryOptions { query_type, from, subnet, resolver, seed };
    let question = options.question(arguments.name.clone(), seed.unwrap_or_else(|| fastrand::u64(..)));
    let context = ExplainContext {
        world: &assumed.world,
        model: &|id| offline.model(id),
        checks: &|id| assumed.check(id),
        networks: &location.networks,
        uses_client_subnet: location.use_client_subnet == ClientSubnetUse::Use,
        udp_payload_max: offline.settings.dns.udp_payload_max,
        as_if: &as_if,
        source: "files, where health checks are healthy unless --as-if or their file says otherwise",
    };
    explain(&question, &context).map_err(|error| anyhow!(error))
}

/// An error that lists the known checks.
pub(super) fn unknown_check(error: OverrideError) -> anyhow::Error {
    match &error {
        OverrideError::UnknownCheck { names, .. } if names.is_empty() => anyhow!("{error}\n  there is none"),
        OverrideError::UnknownCheck { names, .. } => {
            let named = names.iter().take(20).map(ToString::to_string).collect::<Vec<_>>().join(", ");
            anyhow!("{error}\n  there is: {named}")
        }
        _ => anyhow!(error),
    }
}

/// The width of the terminal, if the shell exports it.
fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    columns.unwrap_or(WIDTH).clamp(60, 200)
}

pub(super) fn parse_type(text: &str) -> Result<RecordType, String> {
    let known = || RecordType::ALL.map(RecordType::as_str).join(", ");
    text.parse().map_err(|_| format!("Route 53 has the types {}", known()))
}
