//! Compares a response with the expected one.

use std::fmt::Write as _;

use fiftythree::model::{RecordData, RecordType};

use super::format::{Expect, Step};
use super::message::{Resource, Response, fold_names, wire};

/// A record in a scenario file.
struct Pattern {
    owner: Vec<u8>,
    ttl: Option<u32>,
    type_code: u16,
    data: Option<Vec<u8>>,
    line: String,
}

impl Pattern {
    /// Reads `owner ttl type data`.
    fn read(line: &str) -> Result<Pattern, String> {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let &[owner, ttl, record_type, data] = words.as_slice() else {
            return Err(format!("`{line}` is not `owner ttl type data`"));
        };
        let record_type: RecordType = record_type.parse().map_err(|_| format!("`{line}`: unknown type"))?;
        let ttl = if ttl == "*" { None } else { Some(ttl.parse().map_err(|_| format!("`{line}`: bad TTL"))?) };
        let data = if data == "*" { None } else { Some(data_of(record_type, data)?) };
        Ok(Pattern {
            owner: wire(owner)?.to_ascii_lowercase(),
            ttl,
            type_code: record_type.code(),
            data,
            line: line.to_owned(),
        })
    }

    fn fits(&self, resource: &Resource) -> bool {
        self.owner == resource.owner
            && self.type_code == resource.type_code
            && self.ttl.is_none_or(|ttl| ttl == resource.ttl)
            && self.data.as_ref().is_none_or(|data| *data == resource.data)
    }
}

fn data_of(record_type: RecordType, text: &str) -> Result<Vec<u8>, String> {
    let data = RecordData::parse(record_type, text).map_err(|error| format!("`{text}`: {error}"))?;
    let mut wire = data.wire().to_vec();
    fold_names(record_type.code(), &mut wire);
    Ok(wire)
}

/// A value in the text format of Route 53, parsed as every type that fits.
pub(crate) struct Value(Vec<(u16, Vec<u8>)>);

impl Value {
    pub(crate) fn read(text: &str) -> Value {
        let as_type = |record_type: RecordType| Some((record_type.code(), data_of(record_type, text).ok()?));
        Value(RecordType::ALL.into_iter().filter_map(as_type).collect())
    }

    /// Whether a record holds this value.
    pub(crate) fn is_in(&self, resource: &Resource) -> bool {
        self.0.iter().any(|(type_code, data)| *type_code == resource.type_code && *data == resource.data)
    }
}

/// The sections that a step expects, parsed once for all draws.
pub(crate) struct Expected {
    answer: Option<Vec<Pattern>>,
    answer_from: Option<Vec<Pattern>>,
    authority: Option<Vec<Pattern>>,
    additional: Option<Vec<Pattern>>,
}

impl Expected {
    pub(crate) fn read(expect: &Expect) -> Result<Expected, String> {
        let patterns = |lines: &Option<Vec<String>>| -> Result<Option<Vec<Pattern>>, String> {
            let Some(lines) = lines else { return Ok(None) };
            lines.iter().map(|line| Pattern::read(line)).collect::<Result<_, _>>().map(Some)
        };
        Ok(Expected {
            answer: patterns(&expect.answer)?,
            answer_from: patterns(&expect.answer_from)?,
            authority: patterns(&expect.authority)?,
            additional: patterns(&expect.additional)?,
        })
    }
}

/// Checks one response. The error contains what was expected and what was received.
pub(crate) fn check(step: &Step, expected: &Expected, response: &Response) -> Result<(), String> {
    let expect = &step.expect;
    let rcode = expect.rcode.as_deref().unwrap_or("NOERROR");
    equal("rcode", rcode, response.rcode().as_str(), response)?;
    let with_authority = expect.aa.unwrap_or(matches!(rcode, "NOERROR" | "NXDOMAIN"));
    equal("AA", with_authority, response.message.authoritative, response)?;
    equal("TC", expect.tc, response.message.truncation, response)?;
    if let Some(patterns) = &expected.answer {
        section("answer", patterns, &response.answers, response)?;
    }
    if let Some(patterns) = &expected.answer_from {
        subset(patterns, response)?;
    }
    if let Some(count) = expect.count {
        equal("count of answers", count, response.answers.len(), response)?;
    }
    if let Some(patterns) = &expected.authority {
        section("authority", patterns, &response.authorities, response)?;
    }
    if let Some(patterns) = &expected.additional {
        section("additional", patterns, &response.additionals, response)?;
    }
    options(step, expect, response)
}

/// Checks the OPT record.
fn options(step: &Step, expect: &Expect, response: &Response) -> Result<(), String> {
    let asked_with = step.edns.is_some() || step.subnet.is_some();
    equal("OPT", asked_with, response.message.edns.is_some(), response)?;
    if let (Some(payload), Some(edns)) = (expect.payload, &response.message.edns) {
        equal("payload size", payload, edns.max_payload(), response)?;
    }
    if let Some(nsid) = &expect.nsid_is {
        equal("NSID", Some(nsid.as_bytes()), response.nsid(), response)?;
    }
    let echo = response.client_subnet();
    equal("client subnet", expect.client_subnet.unwrap_or(step.subnet.is_some()), echo.is_some(), response)?;
    let (Some(echo), Some(subnet)) = (echo, step.subnet) else { return Ok(()) };
    let sent = (subnet.network(), subnet.prefix_len());
    equal("family, address and source prefix", sent, (echo.addr(), echo.source_prefix()), response)?;
    if let Some(scope) = expect.scope {
        equal("scope", scope, echo.scope_prefix(), response)?;
    }
    match expect.scope_at_least {
        Some(least) if echo.scope_prefix() < least => {
            Err(mismatch("scope", &format!("at least {least}"), &echo.scope_prefix().to_string(), response))
        }
        _ => Ok(()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what is compared is small, and made on the spot")]
fn equal<T: PartialEq + std::fmt::Debug>(what: &str, wanted: T, got: T, response: &Response) -> Result<(), String> {
    if wanted == got { Ok(()) } else { Err(mismatch(what, &format!("{wanted:?}"), &format!("{got:?}"), response)) }
}

/// The same records in any order, with the same counts.
fn section(what: &str, patterns: &[Pattern], got: &[Resource], response: &Response) -> Result<(), String> {
    if patterns.len() == got.len() && leftover(patterns, got).is_none() {
        return Ok(());
    }
    let lines: Vec<&str> = patterns.iter().map(|pattern| pattern.line.as_str()).collect();
    Err(mismatch(what, &format!("{lines:#?}"), "the response below", response))
}

/// Answers from among these, each at most once.
fn subset(patterns: &[Pattern], response: &Response) -> Result<(), String> {
    match leftover(patterns, &response.answers) {
        None if response.answers.is_empty() => Err(mismatch("answer", "some of the candidates", "nothing", response)),
        None => Ok(()),
        Some(surplus) => Err(mismatch("answer", "only the candidates, each once", &surplus.text, response)),
    }
}

/// The first record without a matching pattern of its own.
fn leftover<'r>(patterns: &[Pattern], got: &'r [Resource]) -> Option<&'r Resource> {
    let mut unused: Vec<&Pattern> = patterns.iter().collect();
    got.iter().find(|resource| match unused.iter().position(|pattern| pattern.fits(resource)) {
        Some(at) => {
            unused.swap_remove(at);
            false
        }
        None => true,
    })
}

fn mismatch(what: &str, wanted: &str, got: &str, response: &Response) -> String {
    let mut text = format!("{what}: expected {wanted}, got {got}\n    in: {}", response.rcode());
    let sections =
        [("answer", &response.answers), ("authority", &response.authorities), ("additional", &response.additionals)];
    for (name, resources) in sections {
        for resource in resources {
            let _ = write!(text, "\n      {name}: {}", resource.text);
        }
    }
    if let Some(subnet) = response.client_subnet() {
        let _ = write!(text, "\n      {subnet:?}");
    }
    text
}
