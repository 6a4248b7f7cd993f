//! `fiftythree query`: sends a query to a DNS server and shows the response, as `dig` does.

mod answer_counts;
mod exchange;
mod render;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use hickory_proto::op::{Edns, Message, Query};
use hickory_proto::rr::rdata::opt::{ClientSubnet, EdnsOption, NSIDPayload};
use hickory_proto::rr::{Name as WireName, RecordType as WireType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use ipnet::IpNet;
use serde_json::json;

use crate::causes::with_causes;
use crate::config::{Settings, reachable};
use crate::model::{Name, RecordType};

use super::{print, print_error, settings, time_args};
pub(super) use exchange::{Asker, ExchangeError};
pub(super) use render::{outcome, type_name};

use answer_counts::AnswerCounts;
use exchange::Reply;

/// Where the server of the sample settings listens.
const DEFAULT_SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5300);
/// The UDP payload size that the query offers: not fragmented on any path (DNS flag day 2020).
const UDP_PAYLOAD: u16 = 1232;

const EXAMPLES: &str = "\
Examples:
  fiftythree query www.lab.test                        as dig shows it
  fiftythree query lab.test MX --short                 only the values
  fiftythree query geo.lab.test --subnet 192.0.2.0/24  for a client in that network
  fiftythree query weighted.lab.test --count 1000      how often each answer comes
  fiftythree query -x 192.0.2.11                       the name of an address
  fiftythree query lab.test SOA --server [::1]:53 --tcp

Names and values are written as in Route 53, with octal escapes: \\052 is an asterisk.

Exit code: 0 when the server replied, with any response code; 1 when it did not; 2 for a wrong command line.";

/// Query a DNS server and show the response, like dig.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct QueryArguments {
    /// The name to query; `*.lab.test` and octal escapes are allowed
    #[arg(required_unless_present_any = ["reverse", "self_test"], conflicts_with = "reverse")]
    name: Option<String>,
    /// The record type: A, AAAA, CNAME, …, ANY, AXFR or TYPE65280
    #[arg(name = "TYPE", value_parser = parse_type)]
    record_type: Option<Type>,
    /// Query the name of this address (PTR)
    #[arg(short = 'x', long, value_name = "ADDRESS")]
    reverse: Option<IpAddr>,
    /// The server to query; the default port is 53 [default: the first `dns.listen` of the
    /// settings, else 127.0.0.1:5300]
    #[arg(short, long, value_name = "ADDRESS[:PORT]", value_parser = parse_server)]
    server: Option<SocketAddr>,
    /// Query for clients in this network (EDNS Client Subnet)
    #[arg(long, value_name = "CIDR", value_parser = parse_subnet)]
    subnet: Option<IpNet>,
    /// Use TCP from the start, not only after a truncated response
    #[arg(long)]
    tcp: bool,
    /// Query this many times and count how often each answer comes
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Request the server's identifier (NSID)
    #[arg(long)]
    nsid: bool,
    /// The timeout of each try: 2s, 500ms (two tries over UDP)
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse_duration)]
    timeout: Duration,
    /// Print only the values of the answer; without an answer, the response code on standard error
    #[arg(long, conflicts_with = "json")]
    short: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Send one query to the configured server and exit 0 when it replies (for a container's
    /// HEALTHCHECK)
    #[arg(long = "self", conflicts_with_all = ["name", "reverse", "count"])]
    self_test: bool,
    /// The settings file, for the server's address
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// A query type, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Type(pub(super) u16);

/// A query to send.
#[derive(Clone, Debug)]
pub(super) struct Request<'q> {
    /// The name.
    pub(super) name: &'q Name,
    /// The type.
    pub(super) record_type: Type,
    /// The client subnet (EDNS Client Subnet).
    pub(super) subnet: Option<IpNet>,
    /// Whether to request the NSID.
    pub(super) nsid: bool,
}

/// Sends the query and prints the response. The exit code says whether there was one.
pub(super) fn run(arguments: &QueryArguments) -> anyhow::Result<ExitCode> {
    if arguments.self_test {
        return self_test(arguments);
    }
    let asker = Asker { server: server(arguments)?, timeout: arguments.timeout };
    let (name, record_type) = subject(arguments)?;
    let outcome = match arguments.count {
        Some(count) => repeat(asker, arguments, &name, record_type, count),
        None => once(asker, arguments, &name, record_type),
    };
    outcome.map_err(|error| match error.downcast_ref::<ExchangeError>() {
        Some(_) if arguments.server.is_none() => {
            let note = settings::default_address_note(arguments.config.as_deref());
            anyhow!("{}{note}", with_causes(error.as_ref()))
        }
        _ => error,
    })
}

fn once(asker: Asker, arguments: &QueryArguments, name: &Name, record_type: Type) -> anyhow::Result<ExitCode> {
    let reply = ask(asker, arguments, name, record_type)?;
    let text = if arguments.json {
        serde_json::to_string_pretty(&render::json(&reply, asker.server))? + "\n"
    } else if arguments.short {
        if let Some(why) = render::no_records(&reply) {
            // Standard output has the values alone, for scripts.
            print_error(&format!("{}: {why}\n", asked(name, record_type)));
        }
        render::short(&reply)
    } else {
        render::text(&reply, asker.server, &asked(name, record_type))
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn repeat(
    asker: Asker,
    arguments: &QueryArguments,
    name: &Name,
    record_type: Type,
    count: u64,
) -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    let mut counts = AnswerCounts::default();
    for _ in 0..count {
        counts.add(render::outcome(&ask(asker, arguments, name, record_type)?));
    }
    let text = if arguments.json {
        serde_json::to_string_pretty(&counts.json(start.elapsed()))? + "\n"
    } else {
        counts.text(start.elapsed())
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Any well-formed response is enough, even REFUSED: it shows that the server reads, answers and
/// writes. A server that listens on several addresses may have skipped one that the machine does
/// not have, so one address that replies is enough.
fn self_test(arguments: &QueryArguments) -> anyhow::Result<ExitCode> {
    let mut failure = anyhow!("the settings name no address to listen on");
    for server in own_addresses(arguments)? {
        let asker = Asker { server, timeout: arguments.timeout };
        match ask(asker, arguments, &Name::root(), Type(RecordType::Soa.code())) {
            Ok(reply) => {
                let milliseconds = reply.elapsed.as_secs_f64() * 1000.0;
                let text = if arguments.json {
                    serde_json::to_string_pretty(&json!({ "server": server, "query_time_ms": milliseconds }))? + "\n"
                } else {
                    format!("{server} replied in {milliseconds:.1} ms\n")
                };
                print(&text)?;
                return Ok(ExitCode::SUCCESS);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// The addresses of the configured server; without a settings file the defaults.
fn own_addresses(arguments: &QueryArguments) -> anyhow::Result<Vec<SocketAddr>> {
    if let Some(server) = arguments.server {
        return Ok(vec![server]);
    }
    let listen = settings::listen_addresses(arguments.config.as_deref())?;
    let listen = listen.unwrap_or_else(|| Settings::built_in().dns.listen);
    Ok(listen.into_iter().map(reachable).collect())
}

fn ask(asker: Asker, arguments: &QueryArguments, name: &Name, record_type: Type) -> anyhow::Result<Reply> {
    let request = Request { name, record_type, subnet: arguments.subnet, nsid: arguments.nsid };
    let question = question(&request)?;
    // A zone transfer goes over TCP alone (RFC 5936 section 4.2).
    let tcp = arguments.tcp || record_type == Type(WireType::AXFR.into());
    Ok(if tcp { asker.ask_tcp(&question)? } else { asker.ask_udp_then_tcp(&question)? })
}

/// The message of a query.
pub(super) fn question(request: &Request<'_>) -> anyhow::Result<Message> {
    let Request { name, record_type, subnet, nsid } = request;
    let wire_name = WireName::read(&mut BinDecoder::new(name.wire())).context("this name cannot be queried")?;
    let mut edns = Edns::new();
    edns.set_max_payload(UDP_PAYLOAD);
    if let Some(subnet) = subnet {
        edns.options_mut().insert(EdnsOption::Subnet(ClientSubnet::new(subnet.network(), subnet.prefix_len(), 0)));
    }
    if *nsid {
        let empty = NSIDPayload::new(Vec::new()).context("an empty NSID is always possible")?;
        edns.options_mut().insert(EdnsOption::NSID(empty));
    }
    let mut message = Message::query();
    message.add_query(Query::query(wire_name, WireType::from(record_type.0)));
    message.set_edns(edns);
    Ok(message)
}

/// The name and type to query.
fn subject(arguments: &QueryArguments) -> anyhow::Result<(Name, Type)> {
    if let Some(address) = arguments.reverse {
        return Ok((reverse_name(address), arguments.record_type.unwrap_or(Type(RecordType::Ptr.code()))));
    }
    let Some(text) = &arguments.name else { bail!("no name to query") };
    let name = parse_name(text).map_err(|error| anyhow!("`{text}` is not a domain name: {error}"))?;
    Ok((name, arguments.record_type.unwrap_or(Type(RecordType::A.code()))))
}

/// The name under which an address is looked up (RFC 1035 section 3.5, RFC 3596 section 2.5).
fn reverse_name(address: IpAddr) -> Name {
    let text = match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa.")
        }
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}.")).collect::<String>() + "ip6.arpa."
        }
    };
    Name::parse(&text).expect("digits and dots are a name")
}

fn asked(name: &Name, record_type: Type) -> String {
    format!("{name} {}", render::type_name(record_type.0))
}

fn server(arguments: &QueryArguments) -> anyhow::Result<SocketAddr> {
    find_server(arguments.server, arguments.config.as_deref())
}

/// The named server, else the one of the settings.
pub(super) fn find_server(named: Option<SocketAddr>, settings: Option<&Path>) -> anyhow::Result<SocketAddr> {
    if let Some(server) = named {
        return Ok(server);
    }
    let listen = settings::listen_addresses(settings)?;
    Ok(listen.and_then(|listen| listen.first().copied()).map_or(DEFAULT_SERVER, reachable))
}

/// A name on the command line; the error has a hint.
pub(super) fn parse_name(text: &str) -> Result<Name, String> {
    Name::parse(text).map_err(|error| match error.hint() {
        Some(hint) => format!("{error}\n  hint: {hint}"),
        None => error.to_string(),
    })
}

pub(super) fn parse_server(text: &str) -> Result<SocketAddr, String> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let with_port = text.parse::<SocketAddr>().ok();
    with_port
        .or_else(|| bare.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, 53)))
        .ok_or_else(|| "write an address and a port, such as 127.0.0.1:5300 or [::1]:53".to_owned())
}

/// A network, or a single address as the network of one.
pub(super) fn parse_subnet(text: &str) -> Result<IpNet, String> {
    let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    network
        .map(|network| network.trunc())
        .ok_or_else(|| "write a network such as 10.53.1.0/24 or 2001:db8::/48".to_owned())
}

pub(super) fn parse_type(text: &str) -> Result<Type, String> {
    let upper = text.to_ascii_uppercase();
    if let Ok(known) = upper.parse::<RecordType>() {
        return Ok(Type(known.code()));
    }
    if let Some(number) = upper.strip_prefix("TYPE").and_then(|digits| digits.parse().ok()) {
        return Ok(Type(number));
    }
    let known = upper.parse::<WireType>().map(|wire_type| Type(wire_type.into()));
    known.map_err(|_| "write a record type such as A, AAAA, MX, ANY or TYPE65280".to_owned())
}

/// A timeout, which must not be 0.
fn parse_duration(text: &str) -> Result<Duration, String> {
    time_args::parse_duration(text).and_then(|duration| match duration.is_zero() {
        true => Err("write more than 0".to_owned()),
        false => Ok(duration),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_names_of_the_reverse_tree() {
        let name = |text: &str| reverse_name(text.parse().unwrap()).to_string();
        assert_eq!(name("192.0.2.11"), "11.2.0.192.in-addr.arpa.");
        assert!(name("2001:db8::1").starts_with("1.0.0.0.0.0"));
        assert!(name("2001:db8::1").ends_with("8.b.d.0.1.0.0.2.ip6.arpa."));
    }

    #[test]
    fn servers_need_no_port() {
        let cases = [
            ("127.0.0.1:5300", "127.0.0.1:5300"),
            ("192.0.2.1", "192.0.2.1:53"),
            ("::1", "[::1]:53"),
            ("[::1]:54", "[::1]:54"),
            ("[::1]", "[::1]:53"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_server(text).unwrap(), expected.parse().unwrap(), "{text}");
        }
        assert!(parse_server("ns1.lab.test").is_err());
    }

    #[test]
    fn types_are_mnemonics_or_numbers() {
        let cases =
            [("a", 1), ("AAAA", 28), ("https", 65), ("any", 255), ("AXFR", 252), ("TYPE65280", 65280), ("spf", 99)];
        for (text, code) in cases {
            assert_eq!(parse_type(text), Ok(Type(code)), "{text}");
        }
        assert!(parse_type("TYPE65536").is_err());
        assert!(parse_type("nonsense").is_err());
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(parse_duration("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "0", "-1s", "2m", "s", "1e400"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_subnet_loses_the_bits_beyond_its_prefix() {
        assert_eq!(parse_subnet("10.53.1.77/24").unwrap().to_string(), "10.53.1.0/24");
        assert_eq!(parse_subnet("10.53.1.77").unwrap().to_string(), "10.53.1.77/32");
    }
}
