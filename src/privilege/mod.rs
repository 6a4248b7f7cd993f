//! Least privilege: what the process can no longer do after its start.
//!
//! ```text
//!  before other threads exist   no new privileges, Landlock, seccomp: their threads inherit them
//!  when the ports are open      the user of `[process] user`, without capabilities
//! ```
//!
//! Landlock covers the thread that asks for it and the threads that it starts. The one thread that
//! is older, which ends the process after a signal, is then replaced by a new one.

#[cfg(target_os = "linux")]
mod file_access;
mod paths;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
mod system_calls;
mod user;

use anyhow::Context as _;

use crate::config::{Diagnostic, ProcessSettings, Settings};
use crate::store::SettingsSource;

use paths::Paths;
use user::Identity;

pub(crate) use paths::{is_reachable, out_of_reach};

/// What the process has given up, and what it gives up when its ports are open.
#[derive(Debug)]
pub(crate) struct Privileges {
    user: Option<Identity>,
    in_force: Vec<String>,
    /// What the settings want and this machine does not have.
    missing: Vec<String>,
}

/// Restricts this thread and those that it starts. The error is about the user in the settings.
pub(crate) fn restrict(source: &SettingsSource, settings: &Settings) -> Result<Privileges, Box<Diagnostic>> {
    let process = &settings.process;
    let user = process.user.as_ref().map(Identity::find).transpose()?;
    let mut privileges = Privileges { user, in_force: Vec::new(), missing: Vec::new() };
    privileges.apply(process, Paths::of(source, settings));
    Ok(privileges)
}

impl Privileges {
    #[cfg(target_os = "linux")]
    fn apply(&mut self, process: &ProcessSettings, paths: Paths) {
        if process.no_new_privileges {
            let outcome = rustix::thread::set_no_new_privs(true).map_err(|error| error.to_string());
            self.note("no_new_privs", outcome);
        }
        if process.landlock {
            self.note("Landlock", file_access::restrict(paths));
        }
        if process.seccomp {
            self.note("seccomp", refuse_system_calls());
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn apply(&mut self, _: &ProcessSettings, _: Paths) {}

    #[cfg(target_os = "linux")]
    fn note(&mut self, name: &str, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.in_force.push(name.to_owned()),
            Err(problem) => self.missing.push(format!("{name} ({problem})")),
        }
    }

    /// Changes to the user in the settings, and logs what is in force. This reads and writes files.
    pub(crate) fn change_user(mut self, settings: &Settings, source: &SettingsSource) -> anyhow::Result<()> {
        match &self.user {
            Some(user) if user::is_root() => {
                user.take_files(settings);
                user.change().with_context(|| format!("cannot change to the user {user}"))?;
                self.in_force.insert(0, format!("user {user}"));
            }
            Some(user) if !user.is_current() => {
                tracing::warn!("only root can change to the user {user}: the server stays user {}", user::current());
            }
            Some(_) => {}
            None if user::is_root() => tracing::info!(
                "started by root, and stays root: `user = \"NAME\"` in `[process]` names a user to change to when the \
                 ports are open"
            ),
            None => {}
        }
        if self.user.is_some() {
            paths::unusable(source, settings).iter().for_each(|problem| tracing::warn!("{problem}"));
        }
        self.report();
        Ok(())
    }

    fn report(&self) {
        let list = |list: &[String]| if list.is_empty() { "nothing".to_owned() } else { list.join(", ") };
        let (in_force, missing) = (list(&self.in_force), list(&self.missing));
        match self.missing.is_empty() {
            true => tracing::info!("least privilege in force: {in_force}"),
            false => tracing::info!("least privilege in force: {in_force}; not in force: {missing}"),
        }
    }
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
fn refuse_system_calls() -> Result<(), String> {
    system_calls::refuse()
}

#[cfg(all(target_os = "linux", not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))))]
fn refuse_system_calls() -> Result<(), String> {
    Err("not for this processor".to_owned())
}
