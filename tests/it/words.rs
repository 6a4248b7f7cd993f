//! The words of the repository: no name that was replaced comes back, and prose and comments wrap.

use std::fs;
use std::path::{Path, PathBuf};

use super::architecture::code_of;

/// Names that were replaced, each with the name to use instead. Types also count as a part of a
/// longer type: `Comeback` covers `ComebackRules`.
const RETIRED_NAMES: &[(&str, &str)] = &[
    ("Annals", "CheckHistories"),
    ("AskedInFull", "FullProtocol"),
    ("Asking", "QueryLoop"),
    ("Attraction", "BiasedPoint"),
    ("Comeback", "Recovery"),
    ("Complaints", "LogOnce"),
    ("Crowd", "Population"),
    ("Dice", "SeededRng"),
    ("FaultCode", "ErrorCode"),
    ("Findings", "LoadReport"),
    ("Foresight", "Prefetch"),
    ("KeptFile", "LoadedFile"),
    ("Ladder", "StaticBTree"),
    ("LeadsTo", "LookupResult"),
    ("Locator", "GeoLookup"),
    ("Looking", "HealthPolls"),
    ("MetricPlan", "ScheduledMetric"),
    ("NotGranted", "InvalidOverride"),
    ("NotSteered", "OverrideError"),
    ("Onlookers", "Observers"),
    ("Pace", "YieldState"),
    ("ProbePlan", "ScheduledProbe"),
    ("Readers", "ConcurrencyLimits"),
    ("Recollection", "RestoredCheck"),
    ("Rehearsal", "OfflineServer"),
    ("Scene", "ZoneView"),
    ("SideDoor", "AdminClient"),
    ("Sound", "ErrorFree"),
    ("Stretch", "AddressRange"),
    ("Tap", "QueryLogger"),
    ("Taps", "QueryLogging"),
    ("Telling", "GroupExplainer"),
    ("TextOrigin", "SourceOrigin"),
    ("TextPrint", "SourceHash"),
    ("Turns", "ConcurrencyLimit"),
    ("UplinkBack", "ServerReconnected"),
    ("UplinkGone", "ServerIsolated"),
    ("WayBack", "RecoveringRecord"),
    ("WishShape", "OverrideRequestShape"),
    ("Workshop", "ZoneCompiler"),
    ("ZoneTexts", "ReadZoneFiles"),
    ("appoint_sentinels", "set_sentinels"),
    ("claims_what", "has_same_zone_as"),
    ("count_silence", "count_dropped"),
    ("encode_fault", "encode_error"),
    ("fetch_ahead", "prefetch"),
    ("foresee", "prefetch"),
    ("half_gone", "reason_half_written"),
    ("has_comebacks_of", "has_same_recoveries_as"),
    ("holds_back", "is_unreliable"),
    ("look_after", "reopen_if_moved"),
    ("mind_clock", "check_clock"),
    ("mind_uplink", "check_connectivity"),
    ("needed_place", "needed_location"),
    ("nickname", "key_by_other_name"),
    ("patiently", "with_yield_budget"),
    ("recall", "restore"),
    ("remember_all", "save_all"),
    ("retire_file", "move_to_deleted"),
    ("scene_above", "parent_zone_view"),
    ("scene_of", "zone_view"),
    ("set_comeback", "set_recovery"),
    ("stand_behind", "lower_priority"),
    ("steering", "in_force"),
    ("steered", "names_with_policies"),
    ("subnet_ahead", "likely_client_subnet"),
    ("unforced", "without_overrides"),
    ("verdict", "final_status"),
    ("wish", "request"),
];

/// Modules that were replaced. As names of anything else these words are free.
const RETIRED_MODULES: &[(&str, &str)] = &[
    ("atlas", "geography"),
    ("dice", "random"),
    ("nasty", "test_servers"),
    ("passage", "timers"),
    ("rehearsal", "offline"),
    ("tap", "query_logging"),
    ("zone_texts", "zone_files"),
];

/// Directories with Rust code.
const CODE: &[&str] = &["src", "benches", "tests"];

/// Pages outside docs/.
const PAGES: &[&str] =
    &["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "lab/README.md", "lab/cluster/README.md"];

const MAX_COLUMNS: usize = 100;

#[test]
fn no_retired_name_comes_back() {
    let files: Vec<PathBuf> = CODE.iter().flat_map(|directory| files_below(&home().join(directory), "rs")).collect();
    assert!(files.len() > 100, "only {} Rust files found", files.len());
    let found: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let path = file.strip_prefix(home()).expect("every file is in the repository");
            retired_names(path, &fs::read_to_string(file).expect("Rust files are UTF-8"))
        })
        .collect();
    assert!(found.is_empty(), "retired names:\n{}", found.join("\n"));
}

#[test]
fn prose_in_markdown_wraps() {
    let mut pages: Vec<PathBuf> = PAGES.iter().map(|page| home().join(page)).collect();
    pages.extend(files_below(&home().join("docs"), "md"));
    assert!(pages.len() > 30, "only {} pages found", pages.len());
    let found: Vec<String> = pages
        .iter()
        .flat_map(|page| {
            let path = page.strip_prefix(home()).expect("every page is in the repository");
            let text = fs::read_to_string(page).expect("pages exist and are UTF-8");
            long_lines(&text).into_iter().map(|(line, columns)| format!("{}:{line}: {columns}", path.display()))
        })
        .collect();
    assert!(found.is_empty(), "lines of prose with more than {MAX_COLUMNS} characters:\n{}", found.join("\n"));
}

#[test]
fn comments_wrap() {
    let files: Vec<PathBuf> = CODE.iter().flat_map(|directory| files_below(&home().join(directory), "rs")).collect();
    let found: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let path = file.strip_prefix(home()).expect("every file is in the repository");
            let source = fs::read_to_string(file).expect("Rust files are UTF-8");
            long_comments(&source).into_iter().map(|line| format!("{}:{line}", path.display())).collect::<Vec<_>>()
        })
        .collect();
    assert!(found.is_empty(), "comments with more than {MAX_COLUMNS} characters:\n{}", found.join("\n"));
}

// --- names --------------------------------------------------------------------------------------

/// One line per retired name, with the place and the name to use.
fn retired_names(path: &Path, source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let stem = path.file_stem().unwrap_or_default();
    if let Some((old, new)) = RETIRED_MODULES.iter().find(|(old, _)| stem == *old) {
        found.push(format!("{}: `{old}` is now `{new}`", path.display()));
    }
    for (index, line) in code_of(source).lines().enumerate() {
        for (old, new) in retired_names_in(line) {
            found.push(format!("{}:{}: `{old}` is now `{new}`", path.display(), index + 1));
        }
    }
    found
}

fn retired_names_in(line: &str) -> Vec<(&'static str, &'static str)> {
    let mut found = Vec::new();
    let mut before = "";
    for (start, name) in identifiers(line) {
        let is_module = before == "mod" || line[start + name.len()..].starts_with("::");
        found.extend(RETIRED_NAMES.iter().filter(|(old, _)| has_part(name, old)));
        found.extend(RETIRED_MODULES.iter().filter(|(old, _)| is_module && name == *old));
        before = name;
    }
    found
}

/// The identifiers, keywords and numbers of a line of code, each with its position.
fn identifiers(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| !word.is_empty()).map(move |word| (word.as_ptr() as usize - line.as_ptr() as usize, word))
}

/// Whether an identifier is this name or, for types, contains all of its words: `OldScene` contains
/// `Scene`, `Scenery` does not.
fn has_part(identifier: &str, name: &str) -> bool {
    if !name.starts_with(char::is_uppercase) {
        return identifier == name;
    }
    let ends_there = |rest: &str| !rest.starts_with(char::is_lowercase);
    identifier.match_indices(name).any(|(start, _)| ends_there(&identifier[start + name.len()..]))
}

// --- lines --------------------------------------------------------------------------------------

/// Lines of prose that are too long: number and length.
fn long_lines(page: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut fence: Option<&str> = None;
    for (index, line) in page.lines().enumerate() {
        let text = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| text.starts_with(mark));
        if let Some(open) = fence {
            fence = fence.filter(|_| mark != Some(open));
            continue;
        }
        fence = mark;
        let columns = line.chars().count();
        if mark.is_none() && columns > MAX_COLUMNS && can_wrap(text) {
            found.push((index + 1, columns));
        }
    }
    found
}

/// The numbers of the lines that are only a comment and too long.
fn long_comments(source: &str) -> Vec<usize> {
    let lines = source.lines().enumerate();
    let long = lines.filter(|(_, line)| line.trim_start().starts_with("//") && line.chars().count() > MAX_COLUMNS);
    long.map(|(index, _)| index + 1).collect()
}

/// Not a heading, not a row of a table, and more than one word behind the marks of a list or a
/// quote.
fn can_wrap(text: &str) -> bool {
    let text = text.trim_start_matches(['>', ' ']);
    let is_mark = |word: &&str| ["-", "*", "+"].contains(word) || word.trim_end_matches('.').parse::<u32>().is_ok();
    let is_prose = !text.starts_with(['#', '|']);
    is_prose && text.split_whitespace().skip_while(is_mark).count() > 1
}

// --- files --------------------------------------------------------------------------------------

/// Every file below a directory with this extension, in order.
fn files_below(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut directories = vec![directory.to_owned()];
    let mut files = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory of the repository can be listed") {
            let path = entry.expect("a directory of the repository can be listed").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

// --- the checks themselves ----------------------------------------------------------------------

fn found(source: &str) -> Vec<String> {
    retired_names(Path::new("src/a.rs"), source)
}

#[test]
fn a_retired_name_is_found_with_its_place_and_its_successor() {
    assert_eq!(found("use a;\nstruct Scene;"), ["src/a.rs:2: `Scene` is now `ZoneView`"]);
    assert_eq!(found("let x: ComebackRules = f();"), ["src/a.rs:1: `Comeback` is now `Recovery`"]);
    assert_eq!(found("background::stand_behind();"), ["src/a.rs:1: `stand_behind` is now `lower_priority`"]);
    assert_eq!(found("mod nasty;"), ["src/a.rs:1: `nasty` is now `test_servers`"]);
    assert_eq!(found("use crate::model::atlas::Region;"), ["src/a.rs:1: `atlas` is now `geography`"]);
    assert_eq!(retired_names(Path::new("src/passage.rs"), ""), ["src/passage.rs: `passage` is now `timers`"]);
    for (old, _) in RETIRED_NAMES {
        assert_eq!(found(&format!("fn f(x: {old}) {{}}")).len(), 1, "{old}");
    }
}

#[test]
fn other_uses_of_the_same_letters_are_free() {
    assert!(found("struct Scenery; struct Allocator; let locator = 1; fn comeback() {}").is_empty());
    assert!(found("let passage = atlas(nasty);").is_empty());
    assert!(found("// Scene\nlet s = \"Ladder\"; /* Annals */ let r = r#\"Workshop\"#;").is_empty());
}

#[test]
fn only_prose_that_can_wrap_is_too_long() {
    let (words, word) = ("word ".repeat(25), "w".repeat(120));
    for prose in [&words, &format!("- {words}"), &format!("> {words}"), &format!("   {words}")] {
        assert_eq!(long_lines(&format!("short\n\n{prose}\n")).len(), 1, "{prose}");
    }
    assert_eq!(long_lines(&format!("```\n{words}\n```\n{words}")), [(4, 125)]);
    for free in [&format!("# {words}"), &format!("| {words} |"), &word, &format!("12. {word}"), &format!("> - {word}")]
    {
        assert_eq!(long_lines(free), [], "{free}");
    }
    assert_eq!(long_lines(&"ä".repeat(51).split_inclusive('ä').collect::<Vec<_>>().join(" ")), [(1, 101)]);
    assert_eq!(long_lines(&format!("{} {}", "ä".repeat(50), "ä".repeat(49))), []);
}
