//! Module dependencies: checks which module of the crate uses which, from the source, against one
//! table.
//!
//! Rust permits cycles between the modules of a crate, so this test looks for them.
//! `docs/architecture.md` explains the table. A commit that changes the table changes that page
//! too.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Every top-level module and the modules that it may name by `crate::…`, lowest first. Unit tests
/// are exempt: they build worlds to query.
const TABLE: &[(&str, &[&str])] = &[
    ("background", &[]),
    ("prefetch", &[]),
    ("files", &[]),
    ("causes", &[]),
    ("log_limit", &[]),
    ("model", &["background"]),
    ("stats", &[]),
    ("config", &["background", "model"]),
    ("geo", &["prefetch", "model"]),
    ("health", &["model"]),
    ("policy", &["model", "geo", "health"]),
    ("zonetree", &["background", "prefetch", "model", "geo", "health", "policy"]),
    ("world", &["prefetch", "model", "geo", "health", "policy", "zonetree", "stats"]),
    ("answer", &["model", "geo", "health", "policy", "zonetree", "stats", "world"]),
    ("explain", &["model", "geo", "policy", "zonetree", "world", "answer"]),
    ("simulate", &["model", "config", "geo", "policy", "zonetree", "world", "answer", "explain"]),
    ("logging", &["config"]),
    ("query_logging", &["log_limit", "model", "stats", "config"]),
    ("serve", &["prefetch", "log_limit", "model", "geo", "stats", "world", "answer", "query_logging"]),
    ("probe", &["background", "files", "log_limit", "model", "health"]),
    ("store", &["background", "files", "log_limit", "model", "config"]),
    (
        "load",
        &["background", "files", "model", "config", "geo", "health", "policy", "zonetree", "stats", "world", "store"],
    ),
    ("control", &["background", "log_limit", "model", "config", "health", "world", "store", "load"]),
    ("http", &["log_limit"]),
    ("api", &["model", "stats", "world", "answer", "control", "http"]),
    (
        "admin",
        &[
            "files",
            "log_limit",
            "model",
            "health",
            "stats",
            "logging",
            "query_logging",
            "world",
            "answer",
            "explain",
            "load",
            "control",
            "http",
        ],
    ),
    ("cli", ANYTHING),
    ("daemon", ANYTHING),
];

/// The process and the command line may use every other module. No module may use them.
const ANYTHING: &[&str] = &[
    "background",
    "prefetch",
    "files",
    "causes",
    "log_limit",
    "model",
    "stats",
    "config",
    "geo",
    "health",
    "policy",
    "zonetree",
    "world",
    "answer",
    "explain",
    "simulate",
    "logging",
    "query_logging",
    "serve",
    "probe",
    "store",
    "load",
    "control",
    "http",
    "api",
    "admin",
    "cli",
    "daemon",
];

/// Files that belong to no module.
const ROOTS: &[&str] = &["lib", "main"];

/// Pure modules: time, random numbers and bytes are arguments.
const GROUND_FLOOR: &[&str] =
    &["model", "config", "geo", "health", "policy", "zonetree", "world", "answer", "explain", "simulate"];

/// What would make them impure: sockets, files, clocks, self-seeded random numbers, an async
/// runtime, threads.
const OUTSIDE: &[&str] = &[
    "tokio::",
    "std::fs",
    "fs::read",
    "File::open",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "Instant::now",
    "SystemTime::now",
    "fastrand::Rng::new",
    "thread::spawn",
    "std::env",
];

/// The only file that may contain `unsafe`. Each block has a safety comment.
const UNSAFE: &str = "serve/batch.rs";

#[test]
fn modules_use_only_what_the_table_allows() {
    let mut faults = String::new();
    for file in source_files() {
        let from = module_of(&file.path);
        if ROOTS.contains(&from.as_str()) || file.only_for_tests {
            continue;
        }
        let Some((_, allowed)) = TABLE.iter().find(|(module, _)| *module == from) else {
            let _ = writeln!(faults, "src/{}: module `{from}` is not in the table", file.path.display());
            continue;
        };
        for (line, to) in uses(&file.path, &file.product_code()) {
            if to != from && !allowed.contains(&to.as_str()) {
                let place = format!("src/{}:{line}", file.path.display());
                let _ = writeln!(faults, "{place}: `{from}` uses `crate::{to}`; it may use {}", list(allowed));
            }
        }
    }
    assert!(faults.is_empty(), "dependencies that the table in tests/it/architecture.rs does not allow:\n{faults}");
}

#[test]
fn the_table_itself_has_no_circle() {
    for (index, (module, allowed)) in TABLE.iter().enumerate() {
        if *allowed == ANYTHING {
            continue;
        }
        let above: Vec<&str> = TABLE[..index].iter().map(|(name, _)| *name).collect();
        for to in *allowed {
            assert!(above.contains(to), "`{module}` may use `{to}`, which is not above it in the table");
        }
    }
}

#[test]
fn every_source_file_says_first_what_it_owns() {
    let mut silent = Vec::new();
    for file in source_files() {
        let owns = file.text.lines().next().and_then(|line| line.strip_prefix("//! "));
        if owns.is_none_or(|words| words.trim().is_empty()) {
            silent.push(format!("src/{}", file.path.display()));
        }
    }
    assert!(silent.is_empty(), "these files do not open with `//! ` and what they own: {silent:#?}");
}

#[test]
fn the_ground_floor_has_no_sockets_files_clock_or_dice_of_its_own() {
    let mut faults = String::new();
    for file in source_files() {
        if !GROUND_FLOOR.contains(&module_of(&file.path).as_str()) {
            continue;
        }
        for (index, line) in file.product_code().lines().enumerate() {
            for word in OUTSIDE.iter().filter(|word| line.contains(**word)) {
                let _ = writeln!(faults, "src/{}:{}: {word}", file.path.display(), index + 1);
            }
        }
    }
    assert!(faults.is_empty(), "pure modules use the outside world; make it an argument:\n{faults}");
}

#[test]
fn unsafe_is_in_one_file_only() {
    for file in source_files() {
        let says = code_of(&file.text).split(|c: char| !is_word(c)).any(|word| word == "unsafe");
        assert!(!says || file.path == Path::new(UNSAFE), "`unsafe` in src/{}, not {UNSAFE}", file.path.display());
    }
}

// --- reading the source -----------------------------------------------------------------------------------------------

struct SourceFile {
    /// Relative to src/.
    path: PathBuf,
    text: String,
    /// Declared as `#[cfg(test)] mod …;` by the file above it.
    only_for_tests: bool,
}

impl SourceFile {
    /// Without comments, strings and unit tests.
    fn product_code(&self) -> String {
        if self.only_for_tests { String::new() } else { without_tests(&code_of(&self.text)).to_owned() }
    }
}

/// Every Rust file under src/, in order.
fn source_files() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut directories = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("src/ can be listed") {
            let path = entry.expect("src/ can be listed").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                let path = path.strip_prefix(&root).expect("it was found below src/").to_owned();
                files.push(SourceFile { path, text, only_for_tests: false });
            }
        }
    }
    assert!(files.len() > 2, "no sources found below {}", root.display());
    let of_tests: BTreeSet<PathBuf> = files.iter().flat_map(|file| test_modules(&file.path, &file.text)).collect();
    for file in &mut files {
        file.only_for_tests = of_tests.contains(&file.path);
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The files of `#[cfg(test)] mod name;` declarations: `answer/mod.rs` → `answer/tests.rs`,
/// `stats.rs` → `stats/tests.rs`.
fn test_modules(path: &Path, source: &str) -> Vec<PathBuf> {
    let is_root_of_directory = path.ends_with("mod.rs") || path == Path::new("lib.rs");
    let directory = if is_root_of_directory { path.with_file_name("") } else { path.with_extension("") };
    let mut found = Vec::new();
    for after in source.split("#[cfg(test)]").skip(1) {
        let declaration = after.trim_start().split([';', '{', '\n']).next().unwrap_or_default();
        if let Some((_, name)) = declaration.split_once("mod ") {
            found.push(directory.join(name.trim()).with_extension("rs"));
        }
    }
    found
}

/// `model/name.rs` → `model`, `world.rs` → `world`.
fn module_of(path: &Path) -> String {
    let first = path.iter().next().expect("a path has a first part");
    Path::new(first).with_extension("").to_string_lossy().into_owned()
}

/// The modules of the crate that this code names, with the line: `use crate::a::B`, `use crate::{a,
/// b::C}`, `crate::a::f()`, and `super::…` if it reaches the root of the crate.
fn uses(path: &Path, code: &str) -> BTreeSet<(usize, String)> {
    let mut found = BTreeSet::new();
    let depth = path.components().count() - usize::from(path.ends_with("mod.rs"));
    for (at, _) in code.match_indices("::") {
        let (chain, word) = path_before(code, at);
        let climbs = word == "super" && chain >= depth;
        if word != "crate" && !climbs {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        for name in names_after(&code[at + 2..]) {
            // `super::x` inside `mod tests` of a top-level module does not leave its file, so only
            // known module names count.
            let is_module = TABLE.iter().any(|(module, _)| *module == name);
            if word == "crate" || is_module {
                found.insert((line, name));
            }
        }
    }
    found
}

/// The word before a `::`, and for `super` the length of its chain.
fn path_before(code: &str, at: usize) -> (usize, &str) {
    let word = |end: usize| code[..end].rsplit(|c: char| !is_word(c)).next().unwrap_or_default();
    let last = word(at);
    let mut chain = 1;
    let mut end = at - last.len();
    while last == "super" && code[..end].ends_with("super::") {
        chain += 1;
        end -= "super::".len();
    }
    (chain, last)
}

/// `model::Name` → model; `{model::{Name, Zone}, geo}` → model, geo.
fn names_after(rest: &str) -> Vec<String> {
    let first_word = |text: &str| text.trim_start().chars().take_while(|c| is_word(*c)).collect::<String>();
    let Some(group) = rest.trim_start().strip_prefix('{') else {
        return vec![first_word(rest)];
    };
    let mut names = Vec::new();
    let mut level = 0;
    let mut start = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => level += 1,
            '}' if level > 0 => level -= 1,
            ',' | '}' if level == 0 => {
                names.push(first_word(&group[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The source with comments, strings and characters replaced by spaces. Lines keep their numbers.
pub(crate) fn code_of(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let blank = length_of_blank(rest, code.chars().next_back());
        if blank == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        code.extend(rest[..blank].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &rest[blank..];
    }
    code
}

/// The length in bytes of the comment, string or character at the start of `rest`; 0 if it is code.
fn length_of_blank(rest: &str, before: Option<char>) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return rest.find("*/").map_or(rest.len(), |end| end + 2);
    }
    if let Some(text) = rest.strip_prefix('"') {
        return 1 + length_until(text, '"');
    }
    if let Some(quoted) = rest.strip_prefix('\'') {
        let mut inner = quoted.chars();
        let is_lifetime = inner.next() != Some('\\') && inner.next() != Some('\'');
        return if is_lifetime { 0 } else { 1 + length_until(quoted, '\'') };
    }
    // r"…", br#"…"#: up to a quote with as many hashes.
    let raw = rest.strip_prefix('r').filter(|_| !before.is_some_and(|c| is_word(c) && c != 'b'));
    let hashes = raw.map_or(0, |raw| raw.len() - raw.trim_start_matches('#').len());
    match raw {
        Some(raw) if raw[hashes..].starts_with('"') => {
            let start = 1 + hashes + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            rest[start..].find(&close).map_or(rest.len(), |end| start + end + close.len())
        }
        _ => 0,
    }
}

/// The length up to and including the closing quote, skipping escaped ones.
fn length_until(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == quote && !escaped {
            return at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// Unit tests are at the end of a file. Returns the code before them.
fn without_tests(code: &str) -> &str {
    code.find("\n#[cfg(test)]\nmod tests {").map_or(code, |at| &code[..at])
}

fn list(modules: &[&str]) -> String {
    if modules.is_empty() { "nothing".to_owned() } else { modules.join(", ") }
}

// --- the reader of sources, itself held to account ----------------------------------------------------------------------

fn names(path: &str, source: &str) -> Vec<String> {
    uses(Path::new(path), &code_of(source)).into_iter().map(|(_, name)| name).collect()
}

#[test]
fn a_use_is_seen_however_it_is_written() {
    assert_eq!(names("geo/mod.rs", "use crate::model::Name;"), ["model"]);
    assert_eq!(names("geo/mod.rs", "use crate::{\n  model::{Name, Zone},\n  health,\n};"), ["health", "model"]);
    assert_eq!(names("geo/mod.rs", "pub use crate::world;"), ["world"]);
    assert_eq!(names("geo/mod.rs", "fn f() -> crate::policy::Dice { todo() }"), ["policy"]);
    assert_eq!(names("geo/mod.rs", "use super::health::Tracker;"), ["health"]);
    assert_eq!(names("geo/table.rs", "use super::super::health::Tracker;"), ["health"]);
}

#[test]
fn tests_are_separated_from_the_product() {
    let declared = "#[cfg(test)]\nmod tests;\n#[cfg(test)]\npub(crate) mod fixture;\nmod plan;";
    assert_eq!(
        test_modules(Path::new("answer/mod.rs"), declared),
        [Path::new("answer/tests.rs"), Path::new("answer/fixture.rs")]
    );
    assert_eq!(test_modules(Path::new("stats.rs"), "#[cfg(test)]\nmod tests {}"), [Path::new("stats/tests.rs")]);
    assert_eq!(without_tests("use a;\n#[cfg(test)]\nmod tests {\n use b;\n}"), "use a;");
    assert_eq!(without_tests("#[cfg(test)]\nmod tests;\nuse a;"), "#[cfg(test)]\nmod tests;\nuse a;");
}

#[test]
fn what_only_looks_like_a_use_is_not_one() {
    assert!(names("geo/mod.rs", "// use crate::serve::Udp;\n/* crate::serve::x */").is_empty());
    assert!(names("geo/mod.rs", "let s = \"crate::serve::x \\\" crate::api::y\";").is_empty());
    assert!(names("geo/mod.rs", "let s = r#\"crate::serve::\"x\"#; let c = '\"';").is_empty());
    assert!(names("geo/mod.rs", "mod tests { use super::*; }").is_empty());
    assert!(names("geo/table.rs", "use super::Place;").is_empty());
    assert!(names("geo/mod.rs", "pub(crate) fn f<'a>(x: &'a str) {}").is_empty());
}
