//! The form of a scenario file. Unknown keys are errors, so that a typo cannot make a step expect nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

/// A file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// The sentence that this shows, in our words, and where it comes from.
    pub(crate) rule: String,
    /// As `config/fiftythree.toml` would have it.
    #[serde(default)]
    pub(crate) settings: String,
    /// Zone files, as users write them.
    pub(crate) zones: Vec<String>,
    /// The zones must be refused, and each of these words must stand in what is said about it.
    #[serde(default)]
    pub(crate) refused: Vec<String>,
    /// What happens, in order.
    #[serde(default, rename = "step")]
    pub(crate) steps: Vec<Step>,
}

/// One thing that happens: exactly one of `observe`, `wait`, `people`, `reload` and `query`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Step {
    /// What probes saw, by the name of the check.
    pub(crate) observe: BTreeMap<String, Seen>,
    /// How often they saw it in a row; once when it is not said.
    pub(crate) times: Option<u32>,
    /// So many seconds pass.
    pub(crate) wait: Option<u64>,
    /// What people say, by the name of the check: `up`, `down`, `drain 100` (over so many seconds), `clear`.
    pub(crate) people: BTreeMap<String, String>,
    /// The zone files as they were edited, in the order of `zones`.
    pub(crate) reload: Vec<String>,
    /// Some edited files are at fault, and each of these words stands in what is said about it.
    pub(crate) refused: Vec<String>,
    /// Name and type, such as `www.lab.test A`; the name in Route 53's form, its case kept.
    pub(crate) query: Option<String>,
    /// Where the query comes from; 127.0.0.1 when it is not said.
    pub(crate) from: Option<IpAddr>,
    /// EDNS Client Subnet.
    pub(crate) subnet: Option<IpNet>,
    /// What else stands in the OPT record.
    pub(crate) edns: Option<Edns>,
    /// Asked over TCP.
    pub(crate) tcp: bool,
    /// The RD bit.
    pub(crate) recursion_desired: bool,
    /// Another class than IN.
    pub(crate) class: Option<Class>,
    /// Another opcode than QUERY.
    pub(crate) opcode: Option<Opcode>,
    /// How often it is asked; `expect` holds for every answer.
    pub(crate) draws: Option<u32>,
    /// In what part of the draws a value is in the answer: exactly for 0 and 1, else within five standard deviations.
    pub(crate) shares: BTreeMap<String, f64>,
    /// In what part of the draws a value comes first.
    pub(crate) firsts: BTreeMap<String, f64>,
    /// What must come back.
    pub(crate) expect: Expect,
}

impl Step {
    /// A query whose records nobody looks at shows nothing; truncation and errors show enough.
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

/// What a probe saw.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Seen {
    Pass,
    Fail,
    /// Of a metric check: no data.
    Missing,
}

/// The OPT record of a query.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edns {
    /// The largest UDP answer that is taken.
    pub(crate) payload: u16,
    /// The version of EDNS.
    #[serde(default)]
    pub(crate) version: u8,
    /// Whether the server is asked for its identifier.
    #[serde(default)]
    pub(crate) nsid: bool,
}

/// Classes beside IN.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) enum Class {
    #[serde(rename = "CH")]
    Chaos = 3,
}

/// Opcodes beside QUERY.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Opcode {
    Status = 2,
    Notify = 4,
    Update = 5,
}

/// What must come back. Records are written `owner ttl type data`; `*` stands for any TTL or data. The order of records
/// does not matter. RA is never set; RD, id and question are those of the query: that is always checked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Expect {
    /// NOERROR when it is not said.
    pub(crate) rcode: Option<String>,
    /// AA; when it is not said, set under NOERROR and NXDOMAIN and clear under errors.
    pub(crate) aa: Option<bool>,
    /// TC; clear when it is not said.
    pub(crate) tc: bool,
    /// Exactly these answers.
    pub(crate) answer: Option<Vec<String>>,
    /// Answers from among these, each at most once.
    pub(crate) answer_from: Option<Vec<String>>,
    /// So many answers.
    pub(crate) count: Option<usize>,
    /// Exactly this authority section.
    pub(crate) authority: Option<Vec<String>>,
    /// Exactly this additional section, without OPT.
    pub(crate) additional: Option<Vec<String>>,
    /// The ECS scope that comes back, for this family, address and source prefix.
    pub(crate) scope: Option<u8>,
    /// A scope of at least this.
    pub(crate) scope_at_least: Option<u8>,
    /// Whether a client subnet comes back; when it is not said, as `subnet` was sent.
    pub(crate) client_subnet: Option<bool>,
    /// The payload size that the server names.
    pub(crate) payload: Option<u16>,
    /// The server's identifier.
    pub(crate) nsid_is: Option<String>,
}
