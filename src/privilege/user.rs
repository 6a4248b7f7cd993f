//! The user that a server started by root changes to.

#[cfg(target_os = "linux")]
pub(super) use linux::{Identity, current, is_root};
#[cfg(not(target_os = "linux"))]
pub(super) use other::{Identity, current, is_root};

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::CString;
    use std::fmt;
    use std::path::Path;

    use anyhow::{Context as _, ensure};
    use nix::unistd::{Gid, Group, Uid, User, getegid, geteuid, initgroups, setgid, setgroups, setresgid, setresuid};

    use crate::config::{Diagnostic, ProcessUser, QueryLogTarget, Settings};
    use crate::files;
    use crate::store;

    /// A user of this machine.
    #[derive(Debug)]
    pub(crate) struct Identity {
        /// As written, for messages.
        written: String,
        /// Its name, if it has one: then it has the other groups of that name too.
        name: Option<CString>,
        uid: Uid,
        gid: Gid,
    }

    impl fmt::Display for Identity {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{} ({}:{})", self.written, self.uid, self.gid)
        }
    }

    impl Identity {
        /// Looks up the user and the group.
        pub(crate) fn find(setting: &ProcessUser) -> Result<Identity, Box<Diagnostic>> {
            let ProcessUser { user: written, group, .. } = setting;
            let number = written.parse().ok().map(Uid::from_raw);
            let found = match number {
                Some(uid) => User::from_uid(uid),
                None => User::from_name(written),
            };
            let found = found.ok().flatten();
            let Some(uid) = found.as_ref().map(|user| user.uid).or(number) else {
                let hint = format!("`useradd --system --shell /usr/sbin/nologin {written}` makes it, or give a number");
                return Err(error(setting, format!("unknown user `{written}`"), "this machine has no such user", hint));
            };
            if uid.is_root() {
                let hint = "leave out `user` to stay root".to_owned();
                return Err(error(setting, format!("`{written}` is root"), "expected another user", hint));
            }
            let gid = match (group, &found) {
                (Some(group), _) => find_group(setting, group)?,
                (None, Some(user)) => user.gid,
                (None, None) => {
                    let hint = format!("give a group as well: \"{uid}:{uid}\"");
                    return Err(error(
                        setting,
                        format!("the user {uid} has no group"),
                        "no user has this number",
                        hint,
                    ));
                }
            };
            let name = found.and_then(|user| CString::new(user.name).ok());
            Ok(Identity { written: written.clone(), name, uid, gid })
        }

        pub(crate) fn is_current(&self) -> bool {
            geteuid() == self.uid
        }

        /// Makes the files that the server has made as root files of this user.
        pub(crate) fn take_files(&self, settings: &Settings) {
            let (uid, gid) = (self.uid.as_raw(), self.gid.as_raw());
            let give = |path: &Path, give: fn(&Path, u32, u32) -> std::io::Result<()>| {
                if let Err(error) = files::operate(path, || give(path, uid, gid)) {
                    tracing::warn!("{} cannot be given to the user {self}: {error}", path.display());
                }
            };
            give(&settings.state.directory, store::chown_state);
            if let Some(QueryLogTarget::File(log)) = settings.query_log.as_ref().map(|log| &log.target) {
                give(log, store::chown_file);
            }
        }

        /// Changes all threads to this user. That leaves no capability (capabilities(7), "Effect of
        /// user ID changes on capabilities").
        pub(crate) fn change(&self) -> anyhow::Result<()> {
            match &self.name {
                Some(name) => initgroups(name, self.gid).context("its groups cannot be set")?,
                None => setgroups(&[self.gid]).context("its groups cannot be set")?,
            }
            setresgid(self.gid, self.gid, self.gid).context("its group cannot be set")?;
            setresuid(self.uid, self.uid, self.uid).context("it cannot be set")?;
            ensure!((geteuid(), getegid()) == (self.uid, self.gid), "the system did not change it");
            ensure!(setgid(Gid::from_raw(0)).is_err(), "the process could become root again");
            Ok(())
        }
    }

    fn find_group(setting: &ProcessUser, group: &str) -> Result<Gid, Box<Diagnostic>> {
        if let Ok(number) = group.parse() {
            return Ok(Gid::from_raw(number));
        }
        let found = Group::from_name(group).ok().flatten().map(|group| group.gid);
        let hint = || format!("`groupadd --system {group}` makes it, or give a number");
        found
            .ok_or_else(|| error(setting, format!("unknown group `{group}`"), "this machine has no such group", hint()))
    }

    fn error(setting: &ProcessUser, message: String, label: &'static str, hint: String) -> Box<Diagnostic> {
        Box::new(setting.diagnostic(message, label, hint))
    }

    /// Whether root runs this process.
    pub(crate) fn is_root() -> bool {
        geteuid().is_root()
    }

    /// The user of this process.
    pub(crate) fn current() -> u32 {
        geteuid().as_raw()
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::fmt;

    use crate::config::{Diagnostic, ProcessUser, Settings};

    /// There is none: only on Linux does the server change its user.
    #[derive(Debug)]
    pub(crate) enum Identity {}

    impl fmt::Display for Identity {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            match *self {}
        }
    }

    impl Identity {
        pub(crate) fn find(setting: &ProcessUser) -> Result<Identity, Box<Diagnostic>> {
            let message = "only on Linux can the server change its user".to_owned();
            Err(Box::new(setting.diagnostic(message, "not on this system", "leave out `user`".to_owned())))
        }

        pub(crate) fn is_current(&self) -> bool {
            match *self {}
        }

        pub(crate) fn take_files(&self, _: &Settings) {
            match *self {}
        }

        pub(crate) fn change(&self) -> anyhow::Result<()> {
            match *self {}
        }
    }

    pub(crate) fn is_root() -> bool {
        false
    }

    pub(crate) fn current() -> u32 {
        0
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::path::Path;

    use super::Identity;
    use crate::config::{Settings, SourceFile, Style, render};

    fn find(user: &str) -> Result<String, String> {
        let file = SourceFile::new(Path::new("fiftythree.toml"), format!("[process]\nuser = '{user}'\n"));
        let setting = Settings::read(&file).0.expect("it is a user").process.user.expect("it names a user");
        let found = Identity::find(&setting).map(|found| found.to_string());
        found.map_err(|diagnostic| render(&[*diagnostic], &[file], Style::Plain))
    }

    #[test]
    fn users_and_groups_are_names_or_numbers() {
        assert_eq!(find("4000000053:53").unwrap(), "4000000053 (4000000053:53)");
        assert_eq!(find("4000000053:root").unwrap(), "4000000053 (4000000053:0)");
        let by_name = find("nobody").unwrap();
        assert!(by_name.starts_with("nobody (65534:"), "{by_name}");
    }

    #[test]
    fn an_unknown_user_has_its_line_and_a_hint() {
        for (user, problem, hint) in [
            ("nobdy", "unknown user `nobdy`", "useradd --system"),
            ("53:nogrp", "unknown group `nogrp`", "groupadd --system"),
            ("4000000053", "the user 4000000053 has no group", "\"4000000053:4000000053\""),
            ("root", "`root` is root", "leave out `user`"),
            ("0:53", "`0` is root", "leave out `user`"),
        ] {
            let shown = find(user).unwrap_err();
            assert!(shown.contains(&format!("error: {problem}")), "{shown}");
            assert!(shown.contains("fiftythree.toml:2:8") && shown.contains(hint), "{shown}");
        }
    }
}
