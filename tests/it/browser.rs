//! The status page in a real browser: `browser/page.py` drives headless Chromium against the real
//! binary.
//!
//! It needs the Debian packages chromium and chromium-driver, and a Python with selenium and the
//! accessibility rules of axe-core. `.ci/run` installs them and sets `FIFTYTHREE_BROWSER_PYTHON`.
//! If something is missing, the test prints so and passes.

use std::path::Path;
use std::process::{Command, Stdio};

/// The variable with the Python of the script.
const VARIABLE: &str = "FIFTYTHREE_BROWSER_PYTHON";
const MODULES: &str = "import selenium, axe_playwright_python";

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[test]
fn the_status_page_in_chromium() {
    let python = std::env::var(VARIABLE).unwrap_or_else(|_| "python3".to_owned());
    let missing: Vec<&str> = [
        ("chromium", succeeds("chromium", &["--version"])),
        ("chromedriver", succeeds("chromedriver", &["--version"])),
        ("a Python with selenium and axe-playwright-python", succeeds(&python, &["-c", MODULES])),
    ]
    .into_iter()
    .filter_map(|(name, is_there)| (!is_there).then_some(name))
    .collect();
    if !missing.is_empty() {
        assert!(std::env::var_os(VARIABLE).is_none(), "{VARIABLE} is set, and there is no {}", missing.join(", no "));
        eprintln!("!!!!! NOT TESTED: the status page in a browser. Missing: {}", missing.join(", "));
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/page.py");
    let output = Command::new(python).arg(script).arg(env!("CARGO_BIN_EXE_fiftythree")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    // A script that runs no tests must fail too.
    assert!(text.contains("Ran 14 tests"), "{text}");
}
