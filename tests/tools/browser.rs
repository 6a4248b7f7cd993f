//! The status page in a real browser: `browser/page.py` drives headless Chromium against the real
//! binary.

use std::path::Path;
use std::process::Command;

use crate::needs;

pub(crate) fn the_status_page_in_chromium() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/page.py");
    let output = Command::new(needs::python()).arg(script).arg(env!("CARGO_BIN_EXE_fiftythree")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    // A script that runs no tests must fail too.
    assert!(text.contains("Ran 14 tests"), "{text}");
}
