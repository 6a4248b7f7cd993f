//! Reads Rust source for the tests of the architecture: files, code without comments and strings,
//! and the paths that code names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

pub(super) struct SourceFile {
    /// Relative to src/.
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// Without comments and strings.
    pub(super) code: String,
    /// Declared as `#[cfg(test)] mod …;` by the file above it.
    pub(super) only_for_tests: bool,
}

impl SourceFile {
    fn of(path: &Path, text: String) -> SourceFile {
        let code = code_of(&text);
        SourceFile { path: path.to_owned(), text, code, only_for_tests: false }
    }

    /// Without comments, strings and unit tests.
    pub(super) fn product_code(&self) -> &str {
        if self.only_for_tests { "" } else { without_tests(&self.code) }
    }

    /// The modules of this file: `geo/table.rs` → geo, table; `geo/mod.rs` → geo; `lib.rs` → none.
    pub(super) fn module(&self) -> Vec<String> {
        module_path(&self.path)
    }
}

/// Every Rust file under src/, in order.
pub(super) fn source_files() -> &'static [SourceFile] {
    static FILES: LazyLock<Vec<SourceFile>> = LazyLock::new(read_source_files);
    &FILES
}

fn read_source_files() -> Vec<SourceFile> {
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
                let path = path.strip_prefix(&root).expect("it was found below src/");
                files.push(SourceFile::of(path, text));
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

fn module_path(path: &Path) -> Vec<String> {
    let mut modules: Vec<String> =
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(modules.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        modules.pop();
    }
    modules
}

/// A path in code, from the root of the crate: `use crate::geo::Location` and, in a file of `geo/`,
/// `super::Location` are geo, Location.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    pub(super) line: usize,
    pub(super) path: Vec<String>,
}

/// Every path of this code that starts with `crate`, `super` or `self`; one for each name in
/// braces. `module` is where the code is. A `super` above the root, of a module inside the file, is
/// no path.
pub(super) fn paths(module: &[String], code: &str) -> BTreeSet<Named> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("::") {
        let first = word_before(code, at);
        let start = at - first.len();
        if !matches!(first, "crate" | "super" | "self") || code[..start].ends_with("::") {
            continue;
        }
        let line = code[..start].matches('\n').count() + 1;
        let branches = branches(&code[start..]);
        found.extend(branches.iter().filter_map(|branch| Some(Named { line, path: absolute(module, branch)? })));
    }
    found
}

fn word_before(code: &str, end: usize) -> &str {
    code[..end].rsplit(|c: char| !is_word(c)).next().unwrap_or_default()
}

/// The paths of a use tree: `a::{b::{C, D}, e}` → a b C, a b D, a e.
pub(super) fn branches(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim_start();
    let Some(group) = tree.strip_prefix('{') else {
        let word: String = tree.chars().take_while(|c| is_word(*c)).collect();
        let rest = tree[word.len()..].trim_start();
        let below = rest.strip_prefix("::").map_or_else(|| vec![Vec::new()], branches);
        return below.into_iter().map(|path| [vec![word.clone()], path].concat()).collect();
    };
    let mut found = Vec::new();
    let mut level = 0;
    let mut start = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => level += 1,
            '}' if level > 0 => level -= 1,
            ',' | '}' if level == 0 => {
                found.extend(branches(&group[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found.retain(|path| path.iter().any(|name| !name.is_empty()));
    found
}

fn absolute(module: &[String], path: &[String]) -> Option<Vec<String>> {
    let climbs = path.iter().take_while(|name| *name == "super").count();
    let base = match path[0].as_str() {
        "crate" => &[],
        _ => &module[..module.len().checked_sub(climbs)?],
    };
    let rest = &path[climbs.max(usize::from(path[0] != "super"))..];
    Some(base.iter().chain(rest).filter(|name| !name.is_empty() && *name != "self").cloned().collect())
}

/// What the modules of the crate are and re-export: finds the file that a path leads to.
pub(super) struct Modules {
    all: BTreeSet<Vec<String>>,
    /// `pub use place::Network` in `geo/mod.rs`: geo, Network → geo, place, Network.
    exported: BTreeMap<Vec<String>, Vec<String>>,
}

impl Modules {
    pub(super) fn of(files: &[SourceFile]) -> Modules {
        let all = files.iter().map(SourceFile::module).collect();
        let mut exported = BTreeMap::new();
        for file in files {
            let module = file.module();
            for path in exports(file.product_code()) {
                let name = path.last().expect("a path has a last name").clone();
                let starts_at_root = matches!(path[0].as_str(), "crate" | "super" | "self");
                let target =
                    if starts_at_root { absolute(&module, &path) } else { Some([&module[..], &path].concat()) };
                exported.extend(target.map(|target| ([&module[..], &[name]].concat(), target)));
            }
        }
        Modules { all, exported }
    }

    /// The module whose file defines what the path names.
    pub(super) fn defining(&self, path: &[String]) -> Vec<String> {
        let mut path = path.to_vec();
        // A chain of re-exports is shorter than this; a circle of them does not compile.
        for _ in 0..8 {
            let length = (0..=path.len()).rev().find(|length| self.all.contains(&path[..*length])).unwrap_or(0);
            match self.exported.get(&path[..path.len().min(length + 1)]) {
                Some(target) if length < path.len() => path = [&target[..], &path[length + 1..]].concat(),
                _ => return path[..length].to_vec(),
            }
        }
        path
    }
}

/// The paths of `pub use`, `pub(super) use` and the like.
fn exports(code: &str) -> Vec<Vec<String>> {
    let uses = code.match_indices(" use ").filter(|(at, _)| {
        let line = code[..*at].rsplit('\n').next().unwrap_or_default().trim_start();
        line == "pub" || (line.starts_with("pub(") && line.ends_with(')'))
    });
    uses.flat_map(|(at, word)| branches(&code[at + word.len()..])).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A function: its name, and the first and last line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) first: usize,
    pub(super) last: usize,
}

/// The functions with a body in this code.
pub(super) fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let name: String = code[at + 3..].chars().take_while(|c| is_word(*c)).collect();
        let is_item = !name.is_empty() && !code[..at].ends_with(is_word);
        let Some(end) = end_of_body(&code[at..]).filter(|_| is_item) else { continue };
        let first = code[..at].matches('\n').count() + 1;
        let last = first + code[at..at + end].matches('\n').count();
        found.push(Function { name, first, last });
    }
    found
}

/// Where the braces after a signature close. `None` if it ends with `;`.
fn end_of_body(item: &str) -> Option<usize> {
    let mut parentheses = 0_usize;
    let mut braces = 0_usize;
    for (at, c) in item.char_indices() {
        match c {
            '(' | '[' => parentheses += 1,
            ')' | ']' => parentheses = parentheses.saturating_sub(1),
            ';' if parentheses == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' if braces == 1 => return Some(at),
            '}' => braces = braces.checked_sub(1)?,
            _ => {}
        }
    }
    None
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

// --- the reader of sources is tested itself -----------------------------------------------------

/// The paths that a file names, written with `::`.
fn named(path: &str, source: &str) -> Vec<String> {
    let all = paths(&module_path(Path::new(path)), &code_of(source));
    all.into_iter().map(|named| named.path.join("::")).collect()
}

#[test]
fn a_use_is_seen_however_it_is_written() {
    assert_eq!(named("geo/mod.rs", "use crate::model::Name;"), ["model::Name"]);
    let nested = "use crate::{\n  model::{self, rules::{A, B as C}, Zone},\n  health,\n};";
    assert_eq!(named("geo/mod.rs", nested), ["health", "model", "model::Zone", "model::rules::A", "model::rules::B"]);
    assert_eq!(named("geo/mod.rs", "pub use crate::world;"), ["world"]);
    assert_eq!(named("geo/mod.rs", "fn f() -> crate::policy::SeededRng { todo() }"), ["policy::SeededRng"]);
    assert_eq!(named("geo/mod.rs", "use super::health::Tracker;"), ["health::Tracker"]);
    assert_eq!(named("geo/table.rs", "use super::super::health::Tracker;"), ["health::Tracker"]);
    assert_eq!(named("geo/table.rs", "use super::{Location, prefix::*};"), ["geo::Location", "geo::prefix"]);
    assert_eq!(named("geo/table.rs", "use self::row::Row;"), ["geo::table::row::Row"]);
    assert_eq!(named("world.rs", "use super::health::Tracker;"), ["health::Tracker"]);
}

#[test]
fn what_only_looks_like_a_use_is_not_one() {
    let nothing: [String; 0] = [];
    assert_eq!(named("geo/mod.rs", "// use crate::serve::Udp;\n/* crate::serve::x */"), nothing);
    assert_eq!(named("geo/mod.rs", "let s = \"crate::serve::x \\\" crate::api::y\";"), nothing);
    assert_eq!(named("geo/mod.rs", "let s = r#\"crate::serve::\"x\"#; let c = '\"';"), nothing);
    assert_eq!(named("geo/mod.rs", "pub(crate) fn f<'a>(x: &'a str) {}"), nothing);
    assert_eq!(named("geo/mod.rs", "use std::fmt; let x = my_crate::y; some_super::z()"), nothing);
}

#[test]
fn a_path_leads_to_the_file_that_defines_its_end() {
    let file = |path: &str, text: &str| SourceFile::of(Path::new(path), text.to_owned());
    let files = [
        file("lib.rs", "pub mod geo;"),
        file("geo/mod.rs", "mod location;\npub use location::{Network, Location};\npub(super) use self::deep::Deep;"),
        file("geo/location.rs", ""),
        file("geo/deep/mod.rs", "pub use row::Deep;"),
        file("geo/deep/row.rs", ""),
    ];
    let modules = Modules::of(&files);
    let defining = |path: &str| modules.defining(&path.split("::").map(str::to_owned).collect::<Vec<_>>()).join("::");
    assert_eq!(defining("geo::location::Network"), "geo::location");
    assert_eq!(defining("geo::Network"), "geo::location");
    assert_eq!(defining("geo::Deep"), "geo::deep::row");
    assert_eq!(defining("geo::Other"), "geo");
    assert_eq!(defining("geo"), "geo");
    assert_eq!(defining("std"), "");
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
fn a_function_ends_where_its_braces_close() {
    let code = "impl A {\n  fn a(x: [u8; 2]) -> B\n  where C: D,\n  {\n    { x }\n  }\n  fn none();\n}\nfn b() {}\nlet f: fn(u8);";
    let lines: Vec<_> = functions(code).into_iter().map(|it| (it.name, it.first, it.last)).collect();
    assert_eq!(lines, [("a".to_owned(), 2, 6), ("b".to_owned(), 9, 9)]);
}
