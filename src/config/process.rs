//! `[process]`: the user that the server changes to, and what it may no longer do after its start.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::diagnostic::Diagnostic;
use super::document::Diagnostics;
use super::table::Table;

/// `[process]`
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessSettings {
    /// The user that a server started by root changes to when its ports are open.
    pub user: Option<ProcessUser>,
    /// Whether the process can gain no privileges by executing a program.
    pub no_new_privileges: bool,
    /// Whether the process can open only the files that it needs.
    pub landlock: bool,
    /// Whether system calls that the server never makes are refused.
    pub seccomp: bool,
}

/// A user and its group, as written in the settings: each a name or a number.
#[derive(Clone, Debug)]
pub struct ProcessUser {
    /// The user.
    pub user: String,
    /// The group; `None` for the user's own.
    pub group: Option<String>,
    path: PathBuf,
    span: Range<usize>,
}

/// The position is ignored.
impl PartialEq for ProcessUser {
    fn eq(&self, other: &ProcessUser) -> bool {
        (&self.user, &self.group) == (&other.user, &other.group)
    }
}

impl ProcessUser {
    /// A diagnostic that points to the setting.
    pub fn diagnostic(&self, message: String, label: &'static str, hint: String) -> Diagnostic {
        let mut diagnostic = Diagnostic::error(&self.path, message).at(self.span.clone());
        diagnostic.label(label).hint(hint);
        diagnostic
    }
}

impl Default for ProcessSettings {
    fn default() -> ProcessSettings {
        ProcessSettings { user: None, no_new_privileges: true, landlock: true, seccomp: true }
    }
}

pub(super) fn read_process(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> ProcessSettings {
    let default = ProcessSettings::default();
    let path = diagnostics.path().to_owned();
    let user = read_user(table, &path, diagnostics);
    let mut is = |key: &str, default: bool| table.boolean(key, diagnostics).map_or(default, |boolean| boolean.value);
    ProcessSettings {
        user,
        no_new_privileges: is("no_new_privileges", default.no_new_privileges),
        landlock: is("landlock", default.landlock),
        seccomp: is("seccomp", default.seccomp),
    }
}

fn read_user(table: &Table<'_>, path: &Path, diagnostics: &mut Diagnostics<'_>) -> Option<ProcessUser> {
    let written = table.string("user", diagnostics)?;
    let (user, group) = match written.value.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (written.value, None),
    };
    let is_name = |name: &str| !name.is_empty() && !name.contains(|c: char| c == ':' || c.is_whitespace() || c == '\0');
    if !is_name(user) || !group.is_none_or(is_name) {
        let diagnostic = diagnostics.error(written.span, "`user` must name a user, or a user and a group");
        diagnostic.label("expected `user` or `user:group`").hint("such as \"fiftythree\" or \"53:53\"");
        return None;
    }
    let (user, group) = (user.to_owned(), group.map(str::to_owned));
    Some(ProcessUser { user, group, path: path.to_owned(), span: written.span })
}
