//! Settings of a cluster that cannot be used, as `check` and a start report them.

use crate::server::Lab;

const FILES: &str = "[cluster]
endpoints = ['http://127.0.0.1:1']
node = 'a'
agreement = 18
certificate_authorities = ['ca.pem']
tls_certificate = 'node.pem'
tls_key = 'node.key'
user = 'a'
password_file = 'none/password'
secret_file = 'none.secret'
";

fn says(lab: &Lab, arguments: &[&str]) -> String {
    let output = lab.run(arguments);
    assert!(!output.status.success());
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

#[test]
fn files_that_cannot_be_read_are_errors_at_their_settings() {
    let lab = Lab::new(&[]);
    lab.add_settings(FILES);
    let text = std::fs::read_to_string(lab.path("fiftythree.toml")).unwrap();
    let line_of = |key: &str| text.lines().position(|line| line.starts_with(key)).unwrap() + 1;
    for command in ["check", "serve"] {
        let said = says(&lab, &[command]);
        for (key, file) in [
            ("certificate_authorities", "ca.pem"),
            ("tls_certificate", "node.pem"),
            ("tls_key", "node.key"),
            ("password_file", "none/password"),
            ("secret_file", "none.secret"),
        ] {
            assert!(said.contains(&format!("{file}: No such file")), "{command}: {said}");
            assert!(said.contains(&format!("fiftythree.toml:{}:", line_of(key))), "{command}: {key} in {said}");
        }
        assert!(!said.contains("0 files") && !said.contains("zones directory"), "{command}: {said}");
    }
    let said = says(&lab, &["check"]);
    assert!(said.contains("5 errors, 1 warning in 1 file;"), "{said}");
    assert!(said.contains("write \"18%\" for a percentage"), "{said}");
}

#[test]
fn a_table_with_errors_is_the_only_thing_that_is_wrong() {
    let lab = Lab::new(&[]);
    std::fs::remove_dir_all(lab.path("zones")).unwrap();
    // A node need not have files of its own.
    lab.add_settings("[cluster]\nendpoints = ['http://127.0.0.1:1']\nnode = 'a'\nsecret_file = '.'\n");
    let said = says(&lab, &["check"]);
    assert!(said.contains("`secret_file` must name a file") && said.contains("1 error in 1 file;"), "{said}");
}
