//! Reads master files into drafts of zones.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::entries::{Entries, Entry, Token};
use super::generate;
use super::record_data::{BadData, name_text, read_data, read_name};
use crate::files;
use crate::migrate::draft::ZoneDraft;
use crate::migrate::report::{MigrationReport, Place};
use crate::model::{Content, MAX_TTL, Name, RecordData, RecordType, ResourceRecordSet, RoutingPolicy, Ttl};

/// The largest file that is read: about four million records of 60 bytes. The text, its records and
/// the new zone file are in memory at the same time.
const LARGEST_FILE: u64 = 256 << 20;
/// How deeply files may include each other. Real zones need two or three levels, and each level
/// needs space on the stack.
const DEEPEST_INCLUDE: usize = 10;
/// How many files may be included, each as often as it is. A file that includes the next one twice
/// doubles their number with each level.
const MOST_INCLUDES: usize = 1000;
/// Some editors begin a UTF-8 text with it.
const UTF_8_MARK: char = '\u{feff}';
/// What a UTF-16 text begins with. PowerShell writes such files for `>`.
const UTF_16_MARKS: [[u8; 2]; 2] = [[0xff, 0xfe], [0xfe, 0xff]];

/// Master files of one zone.
#[derive(Clone, Debug)]
pub(in crate::migrate) struct BindFiles<'f> {
    /// The file that may include others of its directory.
    pub(in crate::migrate) path: &'f Path,
    pub(in crate::migrate) text: Arc<str>,
    /// The name of the zone, if the user gave it.
    pub(in crate::migrate) zone: Option<&'f Name>,
}

/// What is known while the files are read.
struct Reader<'f> {
    report: &'f mut MigrationReport,
    /// Without symbolic links; included files are in it.
    directory: PathBuf,
    /// The files that are being read, without symbolic links: each includes the next.
    open: Vec<PathBuf>,
    includes: usize,
    origin: Option<Name>,
    /// What the first `$ORIGIN` says.
    first_origin: Option<Name>,
    owner: Option<Name>,
    /// What `$TTL` says.
    default_ttl: Option<Ttl>,
    /// The TTL of the record before.
    last_ttl: Option<Ttl>,
    records: Vec<Record>,
}

/// One record, and where it is written.
struct Record {
    name: Name,
    record_type: RecordType,
    ttl: Ttl,
    data: RecordData,
    place: Place,
}

impl BindFiles<'_> {
    /// The zone, if its name can be found: as the user says, else by its SOA record, else the first
    /// `$ORIGIN`, else the name of the file.
    pub(in crate::migrate) fn read(&self, report: &mut MigrationReport) -> Option<ZoneDraft> {
        let place = Place::whole(self.path);
        let of_file = zone_of_file(self.path);
        let mut reader = Reader {
            report,
            directory: self.path.parent().map(Path::to_path_buf).unwrap_or_default(),
            open: self.path.canonicalize().into_iter().collect(),
            includes: 0,
            origin: self.zone.or(of_file.as_ref()).cloned(),
            first_origin: None,
            owner: None,
            default_ttl: None,
            last_ttl: None,
            records: Vec::new(),
        };
        reader.file(&place, &self.text);
        let Reader { records, first_origin, .. } = reader;
        if records.is_empty() {
            let hint =
                "a BIND zone file has records; the JSON of `aws route53` begins with `{`, or its name ends in .json";
            report.error(&place, "there is no record in this file that can be imported").hint(hint);
            return None;
        }
        let soa = records.iter().find(|record| record.record_type == RecordType::Soa).map(|record| &record.name);
        let Some(name) = self.zone.or(soa).cloned().or(first_origin).or(of_file) else {
            report.error(&place, "the name of the zone is not known").hint("name it with `--zone NAME`");
            return None;
        };
        let mut draft = ZoneDraft::new(name, place);
        draft.sets = record_sets(records, report);
        Some(draft)
    }
}

impl Reader<'_> {
    fn file(&mut self, place: &Place, text: &Arc<str>) {
        self.report.source(&place.path, Arc::clone(text));
        for entry in Entries::of(text) {
            match entry {
                Ok(entry) => self.entry(&entry, &place.at(entry.span()), place),
                Err(bad) => drop(self.report.add(&place.at(bad.span), bad.message)),
            }
        }
    }

    /// Reads a directive or a record at `place` in a file.
    fn entry(&mut self, entry: &Entry<'_>, place: &Place, file: &Place) {
        let first = entry.tokens[0];
        if entry.is_indented || !first.text.starts_with('$') {
            return self.record(entry, place);
        }
        let arguments = &entry.tokens[1..];
        let done = match (first.text.to_ascii_uppercase().as_str(), arguments) {
            ("$ORIGIN", [name]) => read_name(name.text, self.origin.as_ref()).map(|name| {
                self.first_origin.get_or_insert_with(|| name.clone());
                self.origin = Some(name);
            }),
            ("$TTL", [ttl]) => read_ttl(ttl.text).unwrap_or_else(|| Err(not_a_ttl(ttl.text))).map(|ttl| {
                self.default_ttl = Some(ttl);
            }),
            ("$INCLUDE", [path]) => self.include(path, None, file),
            ("$INCLUDE", [path, origin]) => {
                read_name(origin.text, self.origin.as_ref()).and_then(|origin| self.include(path, Some(origin), file))
            }
            ("$GENERATE", arguments) => self.generate(arguments, place),
            ("$INCLUDE", _) => Err("$INCLUDE has one or two arguments".to_owned()),
            ("$ORIGIN" | "$TTL", _) => Err(format!("{} has one argument", first.text)),
            _ => Err(format!("the directive {} is not known", first.text)),
        };
        if let Err(message) = done {
            self.report.add(place, message);
        }
    }

    /// The owner and origin after the file are those before it (RFC 1035 section 5.1).
    fn include(&mut self, path: &Token<'_>, origin: Option<Name>, file: &Place) -> Result<(), String> {
        let name = path.text.trim_matches('"');
        if self.open.len() > DEEPEST_INCLUDE {
            return Err(format!("more than {DEEPEST_INCLUDE} files include each other"));
        }
        if self.includes == MOST_INCLUDES {
            return Err(format!("more than {MOST_INCLUDES} files are included"));
        }
        let included = file.path.parent().unwrap_or(Path::new("")).join(name);
        let resolve = |path: &Path| {
            let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
            path.canonicalize().map_err(|error| format!("cannot read {}: {error}", path.display()))
        };
        let resolved = resolve(&included)?;
        if !resolved.starts_with(resolve(&self.directory)?) {
            return Err(format!("{name} is not in the directory of the zone file, so it is not read"));
        }
        if self.open.contains(&resolved) {
            return Err(format!("{name} includes itself"));
        }
        let text = read_text(&included)?;
        let before = (self.origin.clone(), self.owner.clone());
        self.origin = origin.or_else(|| self.origin.clone());
        self.includes += 1;
        self.open.push(resolved);
        self.file(&Place::whole(included), &text.into());
        self.open.pop();
        (self.origin, self.owner) = before;
        Ok(())
    }

    fn generate(&mut self, arguments: &[Token<'_>], place: &Place) -> Result<(), String> {
        for line in generate::lines(arguments)? {
            for entry in Entries::of(&line?) {
                match entry {
                    Ok(entry) => self.record(&entry, place),
                    Err(bad) => return Err(bad.message.to_owned()),
                }
            }
        }
        Ok(())
    }

    fn record(&mut self, entry: &Entry<'_>, place: &Place) {
        if let Err(Unread { message, hint }) = self.read_record(entry, place) {
            let diagnostic = self.report.add(place, message);
            if let Some(hint) = hint {
                diagnostic.hint(hint);
            }
        }
    }

    fn read_record(&mut self, entry: &Entry<'_>, place: &Place) -> Result<(), Unread> {
        let mut rest = &entry.tokens[..];
        if !entry.is_indented {
            // Also after a record that is left out, records without an owner are not those of the
            // one before it.
            self.owner = None;
            check_utf_8(&rest[..1])?;
            self.owner = Some(read_name(rest[0].text, self.origin.as_ref())?);
            rest = &rest[1..];
        }
        check_utf_8(rest)?;
        let owner = self.owner.clone().ok_or_else(|| Unread::from("the record has no owner"))?;
        let mut ttl = None;
        while let [first, after @ ..] = rest {
            match (read_ttl(first.text), class(first.text)) {
                (Some(_), _) if ttl.is_some() => return Err("the record has two TTLs".into()),
                (Some(seconds), _) => ttl = Some(seconds?),
                (None, Some(true)) => {}
                (None, Some(false)) => return Err(format!("records of class {} are not imported", first.text).into()),
                _ => break,
            }
            rest = after;
        }
        let [word, data @ ..] = rest else { return Err("the record has no type".into()) };
        let record_type = read_type(word.text)?;
        let data = data_of(record_type, data, self.origin.as_ref());
        let data = read_data(record_type, &data, self.origin.as_ref())?;
        if ttl.is_some() {
            self.last_ttl = ttl;
        }
        // RFC 2308 section 4, RFC 1035 section 5.1; without either BIND takes the SOA's last field.
        let own = (record_type == RecordType::Soa).then(|| soa_minimum(&data)).flatten();
        let ttl = ttl.or(self.default_ttl).or(self.last_ttl).or(own);
        let ttl = ttl.ok_or_else(|| Unread::from("the record has no TTL, and there is no $TTL before it"))?;
        if own.is_some() && self.last_ttl.is_none() {
            self.last_ttl = own;
        }
        self.records.push(Record { name: owner, record_type, ttl, data, place: place.clone() });
        Ok(())
    }
}

/// Refuses words with bytes that [`read_text`] replaced: a value would silently be another one.
fn check_utf_8(words: &[Token<'_>]) -> Result<(), Unread> {
    if !words.iter().any(|word| word.text.contains(char::REPLACEMENT_CHARACTER)) {
        return Ok(());
    }
    let hint = Some("write such a byte as its decimal number, such as \\228".to_owned());
    Err(Unread { message: "the record has bytes that are not UTF-8".to_owned(), hint })
}

/// Why a record is left out.
struct Unread {
    message: String,
    hint: Option<String>,
}

impl From<String> for Unread {
    fn from(message: String) -> Unread {
        Unread { message, hint: None }
    }
}

impl From<&str> for Unread {
    fn from(message: &str) -> Unread {
        message.to_owned().into()
    }
}

impl From<BadData> for Unread {
    fn from(bad: BadData) -> Unread {
        match bad {
            BadData::Syntax(message) => message.into(),
            BadData::Refused(error) => Unread { message: error.message, hint: error.hint },
        }
    }
}

/// Seconds, also in units: `1h30m` (BIND 9 Administrator Reference Manual, "Setting TTLs"). `None`
/// for a word that cannot be meant as a TTL: neither a class nor a type begins as numbers do.
fn read_ttl(text: &str) -> Option<Result<Ttl, String>> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = unsigned.starts_with(|first: char| first.is_ascii_digit());
    is_number.then(|| seconds(text).ok_or_else(|| not_a_ttl(text)))
}

fn not_a_ttl(text: &str) -> String {
    format!(
        "`{text}` is not a TTL: it is a number from 0 to {MAX_TTL}, or a time such as 1h30m of at most as many seconds"
    )
}

fn seconds(text: &str) -> Option<Ttl> {
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..end].parse().ok()?;
        let (unit, after) = match rest[end..].chars().next() {
            None => (1, ""),
            Some(unit) => {
                let seconds = match unit.to_ascii_lowercase() {
                    's' => 1,
                    'm' => 60,
                    'h' => 3600,
                    'd' => 86_400,
                    'w' => 604_800,
                    _ => return None,
                };
                (seconds, &rest[end + 1..])
            }
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = after;
    }
    Ttl::try_from(total).ok().filter(|ttl| *ttl <= MAX_TTL)
}

/// Whether a word is the class IN (true) or another class (false).
fn class(text: &str) -> Option<bool> {
    match text.to_ascii_uppercase().as_str() {
        "IN" | "CLASS1" => Some(true),
        "CH" | "CHAOS" | "HS" | "CS" => Some(false),
        other => other.strip_prefix("CLASS")?.parse::<u16>().ok().map(|_| false),
    }
}

/// One of Route 53's types, by mnemonic or as `TYPE65` (RFC 3597 section 5).
fn read_type(word: &str) -> Result<RecordType, Unread> {
    let upper = word.to_ascii_uppercase();
    let by_number = || RecordType::from_code(upper.strip_prefix("TYPE")?.parse().ok()?);
    upper.parse().ok().or_else(by_number).ok_or_else(|| {
        let hint = match upper.as_str() {
            "RRSIG" | "NSEC" | "NSEC3" | "NSEC3PARAM" | "DNSKEY" | "CDS" | "CDNSKEY" | "TYPE65534" => {
                "signatures and keys are not imported: import the zone as it is before it is signed"
            }
            "DNAME" => "write the names below it as CNAME records",
            _ => return Unread::from(format!("Route 53 has no record type {word}")),
        };
        Unread { message: format!("Route 53 has no record type {word}"), hint: Some(hint.to_owned()) }
    })
}

/// The words of the data. `@` is the origin, also where a word begins no entry; times of SOA
/// records may have units.
fn data_of(record_type: RecordType, tokens: &[Token<'_>], origin: Option<&Name>) -> String {
    let is_generic = tokens.first().is_some_and(|token| token.text == "\\#");
    let has_names = !matches!(record_type, RecordType::Txt | RecordType::Spf | RecordType::Caa);
    let word = |(at, token): (usize, &Token<'_>)| match (token.text, origin, read_ttl(token.text)) {
        ("@", Some(origin), _) if has_names => name_text(origin),
        (_, _, Some(Ok(seconds))) if record_type == RecordType::Soa && at > 2 && !is_generic => seconds.to_string(),
        (text, ..) => text.to_owned(),
    };
    tokens.iter().enumerate().map(word).collect::<Vec<_>>().join(" ")
}

fn soa_minimum(data: &RecordData) -> Option<Ttl> {
    data.to_text().rsplit(' ').next()?.parse().ok()
}

/// Records of one name and type are one set, with the TTL of the first (RFC 2181 section 5.2).
fn record_sets(records: Vec<Record>, report: &mut MigrationReport) -> Vec<(ResourceRecordSet, Place)> {
    let mut sets: Vec<(ResourceRecordSet, Place)> = Vec::new();
    let mut known: HashMap<(Name, RecordType), usize> = HashMap::new();
    for Record { name, record_type, ttl, data, place } in records {
        let Some(&at) = known.get(&(name.clone(), record_type)) else {
            known.insert((name.clone(), record_type), sets.len());
            let set = ResourceRecordSet {
                name,
                record_type,
                set_identifier: None,
                routing_policy: RoutingPolicy::Simple,
                content: Content::Records { ttl, values: vec![data] },
                health_check: None,
            };
            sets.push((set, place));
            continue;
        };
        let Content::Records { ttl: first, values } = &mut sets[at].0.content else { continue };
        if *first != ttl {
            let message = format!(
                "the records of type {record_type} of {} have different TTLs; all get that of the first, {first}",
                name.readable()
            );
            report.add(&place, message);
        }
        if !values.contains(&data) {
            values.push(data);
        }
    }
    sets
}

/// The zone that a usual file name says: `db.lab.test`, `lab.test.zone`.
fn zone_of_file(path: &Path) -> Option<Name> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_prefix("db.").unwrap_or(name);
    let name =
        [".zone", ".db", ".hosts", ".txt", ".bind"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    name.contains('.').then(|| Name::parse(name).ok()).flatten()
}

/// A text that need not be UTF-8: other octets are replaced. A byte order mark is left out, so that
/// it is not a part of the first name.
pub(in crate::migrate) fn read_text(path: &Path) -> Result<String, String> {
    let octets = files::read(path, LARGEST_FILE).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    if octets.starts_with(&UTF_16_MARKS[0]) || octets.starts_with(&UTF_16_MARKS[1]) {
        return Err(format!("{} is UTF-16, not UTF-8", path.display()));
    }
    let mut text = String::from_utf8(octets).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into());
    if text.starts_with(UTF_8_MARK) {
        text.drain(..UTF_8_MARK.len_utf8());
    }
    Ok(text)
}
