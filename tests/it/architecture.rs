//! The shape of the code, read from its source: which module uses which, how long functions and
//! files are, and what only some modules may do.
//!
//! Rust permits cycles between the modules of a crate, so these tests look for them.
//! `docs/architecture.md` explains the table. A commit that changes the table changes that page
//! too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

mod source;

pub(crate) use source::code_of;
use source::{Modules, functions, paths, source_files};

/// Every top-level module and the modules that it may name by `crate::…`, lowest first. Unit tests
/// are exempt: they build worlds to query.
const TABLE: &[(&str, &[&str])] = &[
    ("background", &[]),
    ("prefetch", &[]),
    ("files", &[]),
    ("causes", &[]),
    ("cookie_secrets", &[]),
    ("log_limit", &[]),
    ("visible_text", &[]),
    ("model", &["background"]),
    ("objects", &["model"]),
    ("requestor", &[]),
    ("stats", &["model", "requestor"]),
    ("config", &["background", "model"]),
    ("geo", &["prefetch", "model"]),
    ("health", &["model"]),
    ("policy", &["model", "geo", "health"]),
    ("zonetree", &["background", "prefetch", "model", "geo", "health", "policy"]),
    ("world", &["prefetch", "model", "geo", "health", "policy", "zonetree", "stats"]),
    ("answer", &["model", "geo", "health", "policy", "zonetree", "requestor", "stats", "world"]),
    ("explain", &["model", "geo", "policy", "zonetree", "world", "answer"]),
    ("simulate", &["model", "config", "geo", "policy", "zonetree", "world", "answer", "explain"]),
    ("logging", &["config"]),
    ("query_logging", &["log_limit", "model", "requestor", "config"]),
    (
        "serve",
        &[
            "prefetch",
            "cookie_secrets",
            "log_limit",
            "model",
            "geo",
            "requestor",
            "stats",
            "world",
            "answer",
            "query_logging",
        ],
    ),
    ("probe", &["background", "files", "log_limit", "model", "health"]),
    ("store", &["cookie_secrets", "background", "files", "log_limit", "model", "config"]),
    ("history", &["background", "log_limit", "model", "objects", "health", "store"]),
    ("privilege", &["files", "config", "store"]),
    (
        "load",
        &[
            "background",
            "files",
            "log_limit",
            "model",
            "objects",
            "config",
            "geo",
            "health",
            "history",
            "policy",
            "zonetree",
            "stats",
            "world",
            "store",
            "privilege",
        ],
    ),
    ("plan", &["model", "objects", "config", "world", "simulate", "history", "load"]),
    ("cluster", &["causes", "visible_text", "config", "files", "health", "load", "objects", "store"]),
    (
        "control",
        &[
            "background",
            "log_limit",
            "visible_text",
            "model",
            "objects",
            "config",
            "health",
            "history",
            "world",
            "store",
            "load",
        ],
    ),
    ("http", &["files", "log_limit"]),
    ("api", &["files", "model", "objects", "health", "requestor", "answer", "world", "zonetree", "control", "http"]),
    ("migrate", &["files", "causes", "model", "config", "health", "api"]),
    ("lab", &["http"]),
    (
        "admin",
        &[
            "cluster",
            "files",
            "log_limit",
            "model",
            "objects",
            "health",
            "history",
            "requestor",
            "stats",
            "logging",
            "query_logging",
            "world",
            "answer",
            "explain",
            "load",
            "plan",
            "control",
            "http",
            "api",
        ],
    ),
    (
        "daemon",
        &[
            "cookie_secrets",
            "background",
            "files",
            "causes",
            "cluster",
            "log_limit",
            "model",
            "objects",
            "config",
            "health",
            "history",
            "stats",
            "world",
            "logging",
            "query_logging",
            "serve",
            "probe",
            "store",
            "privilege",
            "load",
            "control",
            "http",
            "api",
            "lab",
            "admin",
        ],
    ),
    (
        "cli",
        &[
            "cookie_secrets",
            "files",
            "causes",
            "visible_text",
            "cluster",
            "model",
            "objects",
            "requestor",
            "config",
            "health",
            "history",
            "world",
            "explain",
            "simulate",
            "logging",
            "lab",
            "store",
            "privilege",
            "load",
            "plan",
            "api",
            "migrate",
            "control",
            "admin",
            "daemon",
        ],
    ),
];

/// The longest function, in lines. It fits on a screen.
const LONGEST_FUNCTION: usize = 70;

/// The longest file, in lines without its tests.
const LONGEST_FILE: usize = 600;

/// Data tables that may be longer: one entry after the other, and no logic.
const LONG_TABLES: &[&str] = &["config/keys.rs"];

/// Files that are too long today. Only ever remove from this list.
const LONG_FILES: &[&str] = &[
    // One a line.
];

/// Circles between files of one directory today: the directory, and the members. Only ever remove
/// from this list.
const CIRCLES: &[(&str, &[&str])] = &[];

/// Pure modules: time, random numbers and bytes are arguments.
const GROUND_FLOOR: &[&str] =
    &["model", "requestor", "config", "geo", "health", "policy", "zonetree", "world", "answer", "explain", "simulate"];

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
    for file in source_files().iter().filter(|file| !file.only_for_tests) {
        let module = file.module();
        let Some(from) = module.first() else { continue };
        let Some((_, allowed)) = TABLE.iter().find(|(module, _)| module == from) else {
            let _ = writeln!(faults, "src/{}: module `{from}` is not in the table", file.path.display());
            continue;
        };
        for used in paths(&module, file.product_code()) {
            let Some(to) = used.path.first().filter(|to| *to != from) else { continue };
            if !allowed.contains(&to.as_str()) {
                let place = format!("src/{}:{}", file.path.display(), used.line);
                let _ = writeln!(faults, "{place}: `{from}` uses `crate::{to}`; it may use {}", list(allowed));
            }
        }
    }
    assert!(faults.is_empty(), "dependencies that the table in tests/it/architecture.rs does not allow:\n{faults}");
}

#[test]
fn the_table_allows_nothing_that_is_not_there() {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in source_files().iter().filter(|file| !file.only_for_tests) {
        let module = file.module();
        let Some(from) = module.first() else { continue };
        let to = paths(&module, file.product_code()).into_iter().filter_map(|used| used.path.into_iter().next());
        used.entry(from.clone()).or_default().extend(to);
    }
    let mut stale = String::new();
    for (module, allowed) in TABLE {
        let Some(used) = used.get(*module) else {
            let _ = writeln!(stale, "there is no module `{module}`");
            continue;
        };
        for to in allowed.iter().filter(|to| !used.contains(**to)) {
            let _ = writeln!(stale, "`{module}` does not use `{to}`");
        }
    }
    assert!(stale.is_empty(), "remove from the table in tests/it/architecture.rs:\n{stale}");
}

#[test]
fn the_table_itself_has_no_circle() {
    for (index, (module, allowed)) in TABLE.iter().enumerate() {
        let above: Vec<&str> = TABLE[..index].iter().map(|(name, _)| *name).collect();
        for to in *allowed {
            assert!(above.contains(to), "`{module}` may use `{to}`, which is not above it in the table");
        }
    }
}

#[test]
fn files_of_one_directory_use_each_other_one_way() {
    let mut found = BTreeMap::new();
    for (directory, uses) in sibling_uses() {
        for circle in circles(&uses) {
            let is_inside = |used: &&(String, String)| circle.contains(&used.0) && circle.contains(&used.1);
            let places: Vec<String> = uses
                .iter()
                .filter(|(used, _)| is_inside(used))
                .map(|((from, to), place)| format!("  {from} uses {to}: src/{place}\n"))
                .collect();
            found.insert((directory.clone(), circle), places.concat());
        }
    }
    let known: BTreeSet<(String, Vec<String>)> = CIRCLES
        .iter()
        .map(|(directory, members)| ((*directory).to_owned(), members.iter().map(ToString::to_string).collect()))
        .collect();
    let new: Vec<String> = found
        .iter()
        .filter(|(circle, _)| !known.contains(circle))
        .map(|((directory, members), places)| format!("{directory}: {}\n{places}", members.join(", ")))
        .collect();
    assert!(new.is_empty(), "circles; move what both need into a file below them:\n{}", new.concat());
    let gone: Vec<_> = known.iter().filter(|circle| !found.contains_key(circle)).collect();
    assert!(gone.is_empty(), "no longer circles; remove from CIRCLES: {gone:?}");
}

#[test]
fn functions_fit_on_a_screen() {
    let mut long = String::new();
    for file in source_files() {
        for function in functions(&file.code) {
            let lines = function.last - function.first + 1;
            if lines > LONGEST_FUNCTION {
                let place = format!("src/{}:{}", file.path.display(), function.first);
                let _ = writeln!(long, "{place}: `{}` has {lines} lines", function.name);
            }
        }
    }
    assert!(long.is_empty(), "functions of more than {LONGEST_FUNCTION} lines:\n{long}");
}

#[test]
fn files_are_short() {
    let mut long = BTreeMap::new();
    for file in source_files() {
        let lines = file.product_code().lines().count();
        if lines > LONGEST_FILE {
            long.insert(file.path.to_string_lossy().into_owned(), lines);
        }
    }
    let excepted: BTreeSet<&str> = LONG_TABLES.iter().chain(LONG_FILES).copied().collect();
    let new: Vec<_> = long.iter().filter(|(path, _)| !excepted.contains(path.as_str())).collect();
    assert!(new.is_empty(), "files of more than {LONGEST_FILE} lines without their tests: {new:?}");
    let short: Vec<_> = excepted.iter().filter(|path| !long.contains_key(**path)).collect();
    assert!(short.is_empty(), "no longer too long; remove from the exceptions: {short:?}");
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
fn the_ground_floor_has_no_sockets_files_clock_or_random_numbers_of_its_own() {
    let mut faults = String::new();
    for file in source_files() {
        if !file.module().first().is_some_and(|module| GROUND_FLOOR.contains(&module.as_str())) {
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
        let says = file.code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe");
        assert!(!says || file.path == Path::new(UNSAFE), "`unsafe` in src/{}, not {UNSAFE}", file.path.display());
    }
}

/// Ends the process from a thread of its own, when `main` does not return in time after a signal.
const EXIT: &str = "daemon/signals.rs";

#[test]
fn commands_return_their_exit_code_to_main() {
    for file in source_files() {
        let exits = file.product_code().contains("process::exit");
        assert!(!exits || file.path == Path::new(EXIT), "process::exit in src/{}, not {EXIT}", file.path.display());
    }
}

#[test]
fn every_task_has_an_owner() {
    let mut detached = String::new();
    for file in source_files() {
        for line in detached_tasks(file.product_code()) {
            let _ = writeln!(detached, "src/{}:{line}", file.path.display());
        }
    }
    assert!(detached.is_empty(), "tasks that nothing can stop; keep the handle, or use a JoinSet:\n{detached}");
}

/// The lines where the result of `tokio::spawn` is dropped.
fn detached_tasks(code: &str) -> Vec<usize> {
    let is_statement = |at: usize| matches!(code[..at].trim_end().chars().next_back(), Some(';' | '{' | '}'));
    let is_dropped = |at: usize| {
        let mut level = 0;
        let end = code[at..].char_indices().find(|(_, c)| {
            level += i32::from(*c == '(') - i32::from(*c == ')');
            *c == ')' && level == 0
        });
        end.is_some_and(|(end, _)| code[at + end + 1..].trim_start().starts_with(';'))
    };
    let all = code.match_indices("tokio::spawn(").map(|(at, _)| at);
    all.filter(|at| is_statement(*at) && is_dropped(*at)).map(|at| code[..at].matches('\n').count() + 1).collect()
}

#[test]
fn a_detached_task_is_found() {
    let code = "fn f() {\n  tokio::spawn(a(b));\n  let kept = tokio::spawn(c());\n  tokio::spawn(async {\n  });\n  tokio::spawn(d())\n}";
    assert_eq!(detached_tasks(code), [2, 4]);
}

// --- circles ------------------------------------------------------------------------------------

/// What uses what (two siblings), and one place where it does.
type Uses = BTreeMap<(String, String), String>;

/// For each directory below src/: which of its files and directories uses which other one. A path
/// that leads through a re-export counts as a use of the file that defines its end.
fn sibling_uses() -> BTreeMap<String, Uses> {
    let files = source_files();
    let modules = Modules::of(files);
    let mut found: BTreeMap<String, Uses> = BTreeMap::new();
    for file in files.iter().filter(|file| !file.only_for_tests) {
        let module = file.module();
        for used in paths(&module, file.product_code()) {
            let target = modules.defining(&used.path);
            let common = module.iter().zip(&target).take_while(|(from, to)| from == to).count();
            // The top modules have the table. A file and the `mod.rs` above it are not siblings.
            if let (1.., Some(from), Some(to)) = (common, module.get(common), target.get(common)) {
                let place = format!("{}:{}", file.path.display(), used.line);
                let uses = found.entry(module[..common].join("/")).or_default();
                uses.entry((from.clone(), to.clone())).or_insert(place);
            }
        }
    }
    found
}

/// The largest groups whose members all lead to each other.
fn circles(uses: &Uses) -> BTreeSet<Vec<String>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        uses.keys().map(|(from, _)| (from.as_str(), reached_from(from, uses))).collect();
    let circle_of = |member: &str| {
        let others = reached[member].iter().filter(|other| reached.get(*other).is_some_and(|all| all.contains(member)));
        others.map(ToString::to_string).collect::<Vec<_>>()
    };
    reached.keys().map(|member| circle_of(member)).filter(|circle| circle.len() > 1).collect()
}

fn reached_from<'u>(start: &'u str, uses: &'u Uses) -> BTreeSet<&'u str> {
    let mut reached = BTreeSet::new();
    let mut next = vec![start];
    while let Some(from) = next.pop() {
        let to = uses.keys().filter(|(user, _)| user == from).map(|(_, used)| used.as_str());
        next.extend(to.filter(|to| reached.insert(*to)));
    }
    reached
}

#[test]
fn a_circle_is_found_with_all_its_members() {
    let uses = |pairs: &[(&str, &str)]| -> Uses {
        pairs.iter().map(|(from, to)| (((*from).to_owned(), (*to).to_owned()), String::new())).collect()
    };
    assert!(circles(&uses(&[("a", "b"), ("b", "c"), ("a", "c")])).is_empty());
    let found = circles(&uses(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("e", "a"), ("f", "g"), ("g", "f")]));
    assert_eq!(found, BTreeSet::from([vec!["a".into(), "b".into(), "c".into()], vec!["f".into(), "g".into()]]));
}

fn list(modules: &[&str]) -> String {
    if modules.is_empty() { "nothing".to_owned() } else { modules.join(", ") }
}
