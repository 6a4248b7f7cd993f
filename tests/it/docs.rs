//! The documents are accurate: every test that docs/route53.md names exists, and every supported
//! rule names one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// With far fewer rows or tests than rules, this test would no longer parse the page correctly.
const FEWEST_ROWS: usize = 200;
const FEWEST_TESTS: usize = 200;

/// Rules with these statuses must name a test.
const SHOWN: [&str; 2] = ["supported", "partial"];
const STATUSES: [&str; 4] = ["supported", "partial", "different", "not yet"];

/// A row of the tables of rules.
struct Row {
    line: usize,
    rule: String,
    status: String,
    shown_by: Vec<String>,
    /// Tests in the other columns.
    aside: Vec<String>,
}

#[test]
fn every_row_says_how_far_it_is_kept_and_what_shows_it() {
    let rows = rows();
    assert!(rows.len() >= FEWEST_ROWS, "only {} rows found", rows.len());
    let mut faults = Vec::new();
    for row in &rows {
        let place = format!("docs/route53.md:{}: {}", row.line, row.rule);
        if !STATUSES.contains(&row.status.as_str()) {
            faults.push(format!("{place}: the status `{}` is none of {STATUSES:?}", row.status));
        }
        if SHOWN.contains(&row.status.as_str()) && row.shown_by.is_empty() {
            faults.push(format!("{place}: {} without a test", row.status));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for status in STATUSES {
        assert!(rows.iter().any(|row| row.status == status), "no row is `{status}`");
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let (mut faults, mut found) = (Vec::new(), BTreeSet::new());
    for row in rows() {
        for name in row.shown_by.iter().chain(&row.aside) {
            match look_for(name) {
                Ok(()) => found.insert(name.clone()),
                Err(reason) => {
                    faults.push(format!("docs/route53.md:{}: `{name}`: {reason}", row.line));
                    false
                }
            };
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(found.len() >= FEWEST_TESTS, "only {} tests found", found.len());
}

#[test]
fn what_does_not_exist_is_noticed() {
    let missing = [
        "tests/scenarios/weighted/nobody_wrote_this.toml",
        "tests/scenarios/main.rs",
        "tests/scenarios/weighted/../../../Cargo.toml",
        "tests/faults/nobody-wrote-this.toml",
        "policy::tests::nobody_wrote_this",
        "policy::nowhere::tests::weights_are_shares_of_their_sum",
        // It exists, but is not a test.
        "policy::tests::weighted",
        "tests/it/failover.rs::zone",
        "tests/nowhere.rs::zone",
        "tests/tools/metric_checks.rs::scheduled",
        "tests/tools/metric_checks.rs::they_ask_a_real",
        "a few words",
    ];
    for name in missing {
        assert!(look_for(name).is_err(), "{name}");
    }
}

// --- reading the page ---------------------------------------------------------------------------

fn rows() -> Vec<Row> {
    let page = fs::read_to_string(home().join("docs/route53.md")).expect("the page is there");
    page.lines().enumerate().filter_map(|(index, line)| row(index + 1, line)).collect()
}

/// A row has four cells: rule, status, tests, note. The header, the separator and other tables are
/// not rows.
fn row(line: usize, text: &str) -> Option<Row> {
    let cells: Vec<&str> = text.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let [rule, status, shown_by, note] = cells[..] else {
        assert!(cells.len() < 4, "docs/route53.md:{line}: {} cells in a row", cells.len());
        return None;
    };
    if rule.starts_with("---") || status == "Status" {
        return None;
    }
    let aside = [rule, note].into_iter().flat_map(in_backticks).filter(|text| is_name_of_a_test(text)).collect();
    Some(Row { line, rule: rule.to_owned(), status: status.to_owned(), shown_by: in_backticks(shown_by), aside })
}

fn in_backticks(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn is_name_of_a_test(text: &str) -> bool {
    text.contains("::") || text.starts_with("tests/")
}

// --- looking for tests --------------------------------------------------------------------------

fn look_for(name: &str) -> Result<(), String> {
    if let Some(rest) = name.strip_prefix("tests/tools/") {
        return look_into_the_table(rest);
    }
    if let Some((file, function)) = name.split_once(".rs::") {
        return look_into(&[home().join(format!("{file}.rs"))], function);
    }
    if let Some(path) = name.strip_prefix("tests/scenarios/") {
        // One directory per topic. Files elsewhere are not run.
        return exists(&home().join(name), path.split('/').count() == 2 && path.ends_with(".toml"));
    }
    if let Some(path) = name.strip_prefix("tests/faults/") {
        let expected = home().join(name).with_extension("txt");
        exists(&expected, !path.contains('/'))?;
        return exists(&home().join(name), path.ends_with(".toml"));
    }
    let Some((module, function)) = name.rsplit_once("::") else {
        return Err("neither a file nor a function".to_owned());
    };
    look_into(&files_of(module), function)
}

fn exists(path: &Path, is_legal: bool) -> Result<(), String> {
    if is_legal && path.is_file() { Ok(()) } else { Err("there is no such file of tests".to_owned()) }
}

/// The files that may contain the functions of a module: `a::b::tests` is src/a/b/tests.rs, or the
/// end of src/a/b.rs or src/a/b/mod.rs.
fn files_of(module: &str) -> Vec<PathBuf> {
    let base = |module: &str| home().join("src").join(module.replace("::", "/"));
    let files = |base: PathBuf| [base.with_extension("rs"), base.join("mod.rs")];
    let mut found: Vec<PathBuf> = files(base(module)).into();
    if let Some(parent) = module.strip_suffix("::tests") {
        found.extend(files(base(parent)));
    }
    found
}

/// `module.rs::function` is in the table of `tests/tools/main.rs`.
fn look_into_the_table(name: &str) -> Result<(), String> {
    let table = fs::read_to_string(home().join("tests/tools/main.rs")).expect("the table is there");
    let entry = format!("test!({}", name.replacen(".rs::", "::", 1));
    // A longer name may begin like this one.
    let is_listed = table
        .lines()
        .any(|line| line.trim_start().strip_prefix(&entry).is_some_and(|rest| rest.starts_with([',', ')'])));
    if is_listed { Ok(()) } else { Err("there is no such test".to_owned()) }
}

/// A test is a function directly after an attribute that ends in `test`.
fn look_into(files: &[PathBuf], function: &str) -> Result<(), String> {
    let sources: Vec<String> = files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
    if sources.is_empty() {
        return Err("there is no such module".to_owned());
    }
    if sources.iter().any(|source| has_test(source, function)) {
        Ok(())
    } else {
        Err("there is no such test".to_owned())
    }
}

fn has_test(text: &str, function: &str) -> bool {
    let head = format!("fn {function}(");
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let is_test = |at: usize| {
        let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        attributes.into_iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    };
    (0..lines.len()).any(|at| lines[at].trim_start_matches("async ").starts_with(&head) && is_test(at))
}

fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
