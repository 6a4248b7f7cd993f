//! The format of a scenario file. Unknown keys are errors, so a typo cannot disable an expectation.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

/// A scenario file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// The rule that it shows, in our words, and its source.
    pub(crate) rule: String,
    /// Settings as in `config/fiftythree.toml`.
    #[serde(default)]
    pub(crate) settings: String,
    /// Zone files, as users write them.
    pub(crate) zones: Vec<String>,
    /// The zones must be rejected, and the messages must contain each of these words.
    #[serde(default)]
    pub(crate) refused: Vec<String>,
    /// The steps in order.
    #[serde(default, rename = "step")]
    pub(crate) steps: Vec<Step>,
}

/// A step: exactly one of `observe`, `wait`, `people`, `reload` and `query`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Step {
    /// Probe results by the name of the check.
    pub(crate) observe: BTreeMap<String, Seen>,
    /// How often in a row; 1 by default.
    pub(crate) times: Option<u32>,
    /// This many seconds pass.
    pub(crate) wait: Option<u64>,
    /// Overrides by the name of the check: `up`, `down`, `drain 100` (over this many seconds),
    /// `clear`.
    pub(crate) people: BTreeMap<String, String>,
    /// The edited zone files, in the order of `zones`.
    pub(crate) reload: Vec<String>,
    /// Some edited files are broken, and the messages must contain each of these words.
    pub(crate) refused: Vec<String>,
    /// Name and type, such as `www.lab.test A`. The name is in the format of Route 53, with its
    /// case.
    pub(crate) query: Option<String>,
    /// The source address of the query; 127.0.0.1 by default.
    pub(crate) from: Option<IpAddr>,
    /// EDNS Client Subnet.
    pub(crate) subnet: Option<IpNet>,
    /// Other fields of the OPT record.
    pub(crate) edns: Option<Edns>,
    /// Sends the query over TCP.
    pub(crate) tcp: bool,
    /// The RD bit.
    pub(crate) recursion_desired: bool,
    /// A class other than IN.
    pub(crate) class: Option<Class>,
    /// An opcode other than QUERY.
    pub(crate) opcode: Option<Opcode>,
    /// How often to send the query. `expect` applies to every response.
    pub(crate) draws: Option<u32>,
    /// The share of responses that contain a value: exact for 0 and 1, otherwise within five
    /// standard deviations.
    pub(crate) shares: BTreeMap<String, f64>,
    /// The share of responses with this value first.
    pub(crate) firsts: BTreeMap<String, f64>,
    /// The expected response.
    pub(crate) expect: Expect,
}

impl Step {
    /// A query without expected records shows nothing, except truncation and errors.
    pub(crate) fn expects_nothing(&self) -> bool {
        let expect = &self.expect;
        let sections = [&expect.answer, &expect.answer_from, &expect.authority, &expect.additional];
        sections.into_iter().all(Option::is_none)
            && expect.count.is_none()
            && expect.rcode.is_none()
            && !expect.tc
            && self.shares.is_empty()
            && self.firsts.is_empty()
    }
}

/// A probe result.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Seen {
    Pass,
    Fail,
    /// For a metric check: no data.
    Missing,
}

/// The OPT record of a query.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edns {
    /// The largest UDP response that the client accepts.
    pub(crate) payload: u16,
    /// The version of EDNS.
    #[serde(default)]
    pub(crate) version: u8,
    /// Whether the client requests the server identifier.
    #[serde(default)]
    pub(crate) nsid: bool,
}

/// Classes other than IN.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) enum Class {
    #[serde(rename = "CH")]
    Chaos = 3,
}

/// Opcodes other than QUERY.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Opcode {
    Status = 2,
    Notify = 4,
    Update = 5,
}

/// The expected response. Records are written `owner ttl type data`; `*` matches any TTL or data.
/// The order of records does not matter. These are always checked: RA is not set; RD, id and
/// question are those of the query.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Expect {
    /// The response code; NOERROR by default.
    pub(crate) rcode: Option<String>,
    /// AA; by default set with NOERROR and NXDOMAIN and clear with errors.
    pub(crate) aa: Option<bool>,
    /// TC; clear by default.
    pub(crate) tc: bool,
    /// Exactly these answers.
    pub(crate) answer: Option<Vec<String>>,
    /// Answers from among these, each at most once.
    pub(crate) answer_from: Option<Vec<String>>,
    /// The number of answers.
    pub(crate) count: Option<usize>,
    /// Exactly this authority section.
    pub(crate) authority: Option<Vec<String>>,
    /// Exactly this additional section, without OPT.
    pub(crate) additional: Option<Vec<String>>,
    /// The returned ECS scope, for this family, address and source prefix.
    pub(crate) scope: Option<u8>,
    /// The minimum scope.
    pub(crate) scope_at_least: Option<u8>,
    /// Whether the response has a client subnet; by default if `subnet` was sent.
    pub(crate) client_subnet: Option<bool>,
    /// The announced payload size.
    pub(crate) payload: Option<u16>,
    /// The server's identifier.
    pub(crate) nsid_is: Option<String>,
}
