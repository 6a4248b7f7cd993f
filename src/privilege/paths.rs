//! The directories that the server needs, and whether it can reach a path after its start.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::config::{QueryLogTarget, Settings};
use crate::files;
use crate::store::{self, SettingsSource};

/// Libraries, time zones, name servers, certificate authorities; the process and its cgroup.
const SYSTEM: [&str; 7] = ["/etc", "/usr", "/lib", "/lib64", "/nix/store", "/proc", "/sys"];
/// System files that are often links to directories that are not in `SYSTEM`, such as
/// `/run/systemd/resolve`.
const LINKED: [&str; 4] = ["/etc/resolv.conf", "/etc/hosts", "/etc/localtime", "/etc/ssl/certs"];

/// The directories that the process can reach once it is restricted. Kernels do not lift a
/// restriction, so this is set once.
static REACHABLE: OnceLock<Vec<PathBuf>> = OnceLock::new();

/// Directories and files that exist.
#[derive(Debug, Default)]
pub(super) struct Paths {
    pub(super) read: Vec<PathBuf>,
    pub(super) write: Vec<PathBuf>,
}

impl Paths {
    pub(super) fn of(source: &SettingsSource, settings: &Settings) -> Paths {
        let mut paths = Paths { read: SYSTEM.iter().map(PathBuf::from).collect(), write: Vec::new() };
        for file in ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().filter_map(std::env::var_os) {
            paths.read.extend(directories_of(Path::new(&file)));
        }
        // For backtraces.
        paths.read.extend(std::env::current_exe());
        for file in LINKED.iter().map(Path::new) {
            paths.read.extend(led_to(file));
        }
        for file in read_files(source, settings) {
            paths.read.extend(directories_of(file));
        }
        for directory in settings.zone_directories_on_disk() {
            paths.write.extend(directories_of(&directory));
            paths.write.extend(linked_files(&directory));
        }
        let state = &settings.state.directory;
        paths.write.extend(directories_of(state));
        if source.overrides.in_memory {
            // It is removed at the end.
            paths.write.extend(state.parent().map(Path::to_owned));
        }
        if let Some(QueryLogTarget::File(log)) = settings.query_log.as_ref().map(|log| &log.target) {
            paths.write.extend(directories_of(log));
        }
        paths
    }

    /// From now on, [`is_reachable`] answers by these paths.
    #[cfg(target_os = "linux")]
    pub(super) fn are_in_force(self) {
        let real = |path: &PathBuf| fs::canonicalize(path).ok();
        let all = self.read.iter().chain(&self.write).filter_map(real).collect();
        // A second restriction could only be narrower, and there is none.
        let _ = REACHABLE.set(all);
    }
}

/// Whether the process may open this path, as far as Landlock decides it.
pub(crate) fn is_reachable(path: &Path) -> bool {
    let Some(reachable) = REACHABLE.get() else { return true };
    let real = files::operate(path, || fs::canonicalize(existing(path)));
    // A path that does not respond is not the concern of this function.
    real.map_or(true, |real| reachable.iter().any(|directory| real.starts_with(directory)))
}

/// What to say instead of "permission denied" about a file that Landlock puts out of reach, such as
/// one that became a link to another place.
pub(crate) fn out_of_reach(file: &Path) -> Option<String> {
    let real = || fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    (!is_reachable(file)).then(|| {
        format!(
            "the file cannot be read: {} is outside of the directories that the server may use since its start \
             (Landlock); restart the server, or set `landlock = false` in `[process]`",
            real().display()
        )
    })
}

/// Why the user of the process cannot use paths that the settings name.
pub(super) fn unusable(source: &SettingsSource, settings: &Settings) -> Vec<String> {
    let mut problems = Vec::new();
    let zones = settings.zone_directories_on_disk();
    for path in read_files(source, settings).into_iter().chain(zones.iter().map(PathBuf::as_path)) {
        if let Err(error) = files::operate(path, || readable(path)) {
            problems.push(format!("the user of the server cannot read {}: {error}", path.display()));
        }
    }
    let new_zones = (settings.api.is_some() && settings.cluster.is_none()).then(|| settings.new_zones_directory());
    for directory in [settings.state.directory.clone()].into_iter().chain(new_zones) {
        problems.extend(store::make_writable_directory(&directory).err());
    }
    problems
}

#[cfg(unix)]
fn readable(path: &Path) -> std::io::Result<()> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    Ok(accessat(CWD, path, Access::READ_OK, AtFlags::EACCESS)?)
}

#[cfg(not(unix))]
fn readable(path: &Path) -> std::io::Result<()> {
    fs::metadata(path).map(drop)
}

/// The files that the settings name and the server only reads.
fn read_files<'s>(source: &'s SettingsSource, settings: &'s Settings) -> Vec<&'s Path> {
    let mut files: Vec<&PathBuf> = source.file.iter().collect();
    files.extend(&settings.location.geoip);
    files.extend(&settings.health.certificate_authorities);
    files.extend(&settings.admin.token_file);
    files.extend(&settings.cookies.secrets_file);
    if let Some(cluster) = &settings.cluster {
        files.extend(&cluster.certificate_authorities);
        files.extend(cluster.tls.iter().flat_map(|tls| [&tls.certificate, &tls.key]));
        files.extend(cluster.user.iter().map(|(_, password)| password));
        files.extend(&cluster.secret_file);
    }
    if let Some(api) = &settings.api {
        files.extend(&api.keys_file);
        files.extend(api.tls.iter().flat_map(|tls| [&tls.certificate, &tls.key]));
    }
    files.into_iter().map(PathBuf::as_path).collect()
}

/// The directory of a path, because files are replaced by renaming others, and the directories
/// that links in the path lead to.
fn directories_of(path: &Path) -> Vec<PathBuf> {
    let mut found = led_to(path);
    let existing = existing(path);
    let parent = existing.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    found.push(if existing.is_dir() { existing.to_owned() } else { parent.to_owned() });
    found
}

/// The directories of what the links in a path lead to. A link may lead elsewhere later, usually to
/// a sibling.
fn led_to(path: &Path) -> Vec<PathBuf> {
    let links = path.ancestors().filter(|part| part.is_symlink());
    let targets = links.filter_map(|link| fs::canonicalize(link).ok());
    targets
        .map(|target| target.parent().filter(|parent| parent.parent().is_some()).unwrap_or(&target).to_owned())
        .collect()
}

/// The directories of zone files that are links.
fn linked_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    let links = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()));
    links.flat_map(|link| led_to(&link.path())).collect()
}

/// The path, or the nearest directory above it that exists.
fn existing(path: &Path) -> &Path {
    let found = path.ancestors().find(|part| part.exists()).unwrap_or(Path::new("."));
    if found == Path::new("") { Path::new(".") } else { found }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_path_has_its_directory_and_those_of_its_links() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        for directory in ["etc", "releases", "releases/42", "releases/42/zones", "store"] {
            fs::create_dir(root.join(directory)).unwrap();
        }
        fs::write(root.join("store/a.toml"), "").unwrap();
        symlink(root.join("releases/42"), root.join("current")).unwrap();
        symlink(root.join("store/a.toml"), root.join("releases/42/zones/a.toml")).unwrap();
        let directories = |path: &str| directories_of(&root.join(path));
        assert_eq!(directories("store/a.toml"), [root.join("store")]);
        assert_eq!(directories("store"), [root.join("store")]);
        assert_eq!(directories("etc/new/geo.mmdb"), [root.join("etc")]);
        // The next release is another directory in `releases`.
        assert_eq!(directories("current/zones"), [root.join("releases"), root.join("current/zones")]);
        assert_eq!(linked_files(&root.join("current/zones")), [root.join("store"), root.join("releases")]);
    }

    #[test]
    fn all_files_of_the_settings_are_in_it() {
        let text = "[api]\nlisten = ['127.0.0.1:1']\nkeys_file = 'keys/k'\ntls_certificate = 'tls/c'\ntls_key = 'tls/k'\n\
                    [admin]\ntoken_file = 'token/t'\n[cookies]\nsecrets_file = 'cookies/s'\n\
                    [health]\ncertificate_authorities = ['ca/pem']\n[location]\ngeoip = ['geo/db']\n";
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("config/fiftythree.toml");
        let (settings, diagnostics) = Settings::read(&crate::config::SourceFile::new(&file, text));
        let settings = settings.unwrap_or_else(|| panic!("{diagnostics:?}"));
        let source = SettingsSource { file: Some(file), ..SettingsSource::default() };
        for name in ["config", "config/keys", "config/tls", "config/token", "config/cookies", "config/ca", "config/geo"]
        {
            fs::create_dir_all(root.path().join(name)).unwrap();
            let paths = Paths::of(&source, &settings);
            assert!(paths.read.contains(&root.path().join(name)), "{name}: {paths:?}");
        }
    }
}
