//! A real browser: `browser/page.py` drives headless Chromium on the status page of the real
//! binary, and `browser/api.py` on a page of another origin that attacks its Route 53 API.

use std::path::Path;
use std::process::Command;

use crate::needs;

pub(crate) fn the_status_page_in_chromium() {
    // A script that runs no tests must fail too.
    succeeds("page.py", "Ran 14 tests");
}

pub(crate) fn a_page_of_another_origin_cannot_use_the_route_53_api() {
    succeeds("api.py", "Ran 1 test");
}

fn succeeds(script: &str, says: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser").join(script);
    let output = Command::new(needs::python()).arg(script).arg(env!("CARGO_BIN_EXE_fiftythree")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains(says), "{text}");
}
