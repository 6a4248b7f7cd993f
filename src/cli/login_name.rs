//! Who runs a command.

/// The login name, as the environment or the system's list of users has it.
pub(super) fn login_name() -> String {
    let mut names = ["USER", "LOGNAME"].into_iter().filter_map(|variable| std::env::var(variable).ok());
    names.find(|name| !name.is_empty()).or_else(user_of_process).unwrap_or_else(|| "unknown".to_owned())
}

/// Services and containers may have no $USER.
#[cfg(unix)]
fn user_of_process() -> Option<String> {
    let id = rustix::process::getuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    // passwd(5): name, password, user id.
    let user = users.lines().find(|line| line.split(':').nth(2) == Some(&id))?;
    user.split(':').next().filter(|name| !name.is_empty()).map(str::to_owned)
}

#[cfg(not(unix))]
fn user_of_process() -> Option<String> {
    None
}
