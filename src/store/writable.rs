//! Whether a directory can be written.

use std::fs;
use std::io;
use std::path::Path;

/// Creates the directory if it does not exist. Returns why files cannot be created in it.
#[cfg(unix)]
pub(crate) fn make_writable_directory(path: &Path) -> Result<(), String> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    let accessible = || accessat(CWD, path, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS);
    let made = fs::create_dir_all(path).and_then(|()| accessible().map_err(io::Error::from));
    made.map_err(|error| {
        format!("the user {} cannot write to {}: {error}", rustix::process::geteuid().as_raw(), path.display())
    })
}

#[cfg(not(unix))]
pub(crate) fn make_writable_directory(path: &Path) -> Result<(), String> {
    fs::create_dir_all(path).map_err(|error: io::Error| format!("{} cannot be created: {error}", path.display()))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_made_or_the_problem_names_path_and_user() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b");
        assert_eq!(make_writable_directory(&path), Ok(()));
        assert!(path.is_dir());
        fs::write(path.join("file"), "").unwrap();
        let problem = make_writable_directory(&path.join("file/zones")).unwrap_err();
        assert!(problem.contains("file/zones: ") && problem.starts_with("the user "), "{problem}");
    }
}
