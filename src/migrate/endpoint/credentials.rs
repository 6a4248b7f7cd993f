//! The key that requests are signed with: of the environment, or of a profile in the files of the
//! `aws` command (AWS CLI User Guide, "Configuration and credential file settings").

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::api::client::Credentials;
use crate::model::Secret;

/// Settings of a profile that get a key from elsewhere.
const INDIRECT: [&str; 8] = [
    "sso_session",
    "sso_start_url",
    "sso_account_id",
    "role_arn",
    "credential_process",
    "credential_source",
    "web_identity_token_file",
    "login_session",
];

/// Where keys are looked for.
pub(crate) struct Environment<'e> {
    /// The value of a variable, if it is not empty.
    pub(crate) variable: &'e dyn Fn(&str) -> Option<String>,
    /// The text of a file, if there is one.
    pub(crate) file: &'e dyn Fn(&Path) -> Option<String>,
}

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoCredentials {
    /// Neither variables nor a profile were found.
    #[error(
        "there are no AWS credentials\n  hint: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile of \
         ~/.aws/credentials with --profile"
    )]
    None,
    /// No file has the profile.
    #[error("there is no profile {0} in {1}")]
    NoProfile(String, String),
    /// The profile has no key of its own.
    #[error(
        "the profile {profile} gets its key by `{setting}`, which is not supported\n  hint: `eval \"$(aws configure \
         export-credentials --profile {profile} --format env)\"` puts a key into the environment"
    )]
    Indirect { profile: String, setting: String },
    /// The profile has only a part of a key.
    #[error("the profile {0} has no `{1}`")]
    Incomplete(String, &'static str),
}

/// The key of a profile; without one, that of the environment, else of the default profile.
pub(crate) fn find_credentials(
    profile: Option<&str>,
    environment: &Environment<'_>,
) -> Result<Credentials, NoCredentials> {
    let variable = environment.variable;
    if let (None, Some(id), Some(secret)) = (profile, variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"))
    {
        let session_token = variable("AWS_SESSION_TOKEN").map(Secret::from);
        return Ok(Credentials { access_key_id: id, secret_access_key: Secret::from(secret), session_token });
    }
    let named = profile.map(str::to_owned).or_else(|| variable("AWS_PROFILE"));
    let name = named.clone().unwrap_or_else(|| "default".to_owned());
    let home = || PathBuf::from(variable("HOME").unwrap_or_default()).join(".aws");
    let path = |name: &str, file: &str| variable(name).map_or_else(|| home().join(file), PathBuf::from);
    let paths = [path("AWS_SHARED_CREDENTIALS_FILE", "credentials"), path("AWS_CONFIG_FILE", "config")];
    let [credentials, config] = paths.each_ref().map(|path| (environment.file)(path).unwrap_or_default());
    let found = [
        section(&credentials, std::slice::from_ref(&name)),
        section(&config, &[format!("profile {name}"), name.clone()]),
    ];
    if found.iter().all(Option::is_none) {
        let paths = paths.map(|path| path.display().to_string()).join(" and ");
        return Err(if named.is_some() { NoCredentials::NoProfile(name, paths) } else { NoCredentials::None });
    }
    // A key in the file of credentials comes first.
    let settings: BTreeMap<String, String> = found.into_iter().rev().flatten().flatten().collect();
    key_of(name, &settings)
}

fn key_of(profile: String, settings: &BTreeMap<String, String>) -> Result<Credentials, NoCredentials> {
    let get = |name: &str| settings.get(name).cloned();
    match (get("aws_access_key_id"), get("aws_secret_access_key")) {
        (Some(access_key_id), Some(secret)) if get("role_arn").is_none() => {
            let session_token = get("aws_session_token").map(Secret::from);
            Ok(Credentials { access_key_id, secret_access_key: Secret::from(secret), session_token })
        }
        (id, _) => match INDIRECT.iter().find(|setting| settings.contains_key(**setting)) {
            Some(setting) => Err(NoCredentials::Indirect { profile, setting: (*setting).to_owned() }),
            None if id.is_some() => Err(NoCredentials::Incomplete(profile, "aws_secret_access_key")),
            None => Err(NoCredentials::Incomplete(profile, "aws_access_key_id")),
        },
    }
}

/// The settings of the first section with one of these names.
fn section(text: &str, names: &[String]) -> Option<BTreeMap<String, String>> {
    let (mut found, mut is_inside): (Option<BTreeMap<String, String>>, bool) = (None, false);
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
            is_inside = names.contains(&name);
            if is_inside {
                found.get_or_insert_default();
            }
            continue;
        }
        // Indented lines belong to the setting above them.
        let is_setting = !line.starts_with([' ', '\t']) && !trimmed.starts_with(['#', ';']);
        if let (true, true, Some((key, value))) = (is_inside, is_setting, trimmed.split_once('=')) {
            found.get_or_insert_default().insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: &str = "[default]\naws_access_key_id = AKDEFAULT\naws_secret_access_key = s=1\n# a comment\n\
                               [ work ]\naws_access_key_id=AKWORK\naws_secret_access_key=s2\naws_session_token=t\n\
                               [half]\naws_access_key_id = AKHALF\n";
    const CONFIG: &str = "[default]\nregion = eu-central-1\n[profile sso]\nsso_session = corp\nregion = us-east-1\n\
                          [profile role]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = default\n\
                          [profile config]\ns3 =\n  x = y\naws_access_key_id = AKCONFIG\naws_secret_access_key = s3\n";

    fn find(profile: Option<&str>, variables: &[(&str, &str)]) -> Result<(String, String, bool), NoCredentials> {
        let variable = |name: &str| {
            let given = variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned());
            given.or_else(|| (name == "HOME").then(|| "/home/ada".to_owned()))
        };
        let file = |path: &Path| match path.to_str().unwrap() {
            "/home/ada/.aws/credentials" => Some(CREDENTIALS.to_owned()),
            "/home/ada/.aws/config" => Some(CONFIG.to_owned()),
            _ => None,
        };
        let found = find_credentials(profile, &Environment { variable: &variable, file: &file })?;
        Ok((found.access_key_id, found.secret_access_key.reveal().to_owned(), found.session_token.is_some()))
    }

    #[test]
    fn a_key_is_found_as_the_aws_command_finds_it() {
        let key = |id: &str, secret: &str, has_token| Ok((id.to_owned(), secret.to_owned(), has_token));
        let variables = [("AWS_ACCESS_KEY_ID", "AKENV"), ("AWS_SECRET_ACCESS_KEY", "s0"), ("AWS_SESSION_TOKEN", "t")];
        assert_eq!(find(None, &variables), key("AKENV", "s0", true));
        assert_eq!(find(Some("work"), &variables), key("AKWORK", "s2", true));
        assert_eq!(find(None, &[]), key("AKDEFAULT", "s=1", false));
        assert_eq!(find(None, &[("AWS_PROFILE", "work")]), key("AKWORK", "s2", true));
        assert_eq!(find(Some("config"), &[]), key("AKCONFIG", "s3", false));
    }

    #[test]
    fn other_ways_to_a_key_say_what_to_do() {
        let error = |profile| find(Some(profile), &[]).unwrap_err().to_string();
        assert!(error("sso").contains("`sso_session`") && error("sso").contains("export-credentials --profile sso"));
        assert!(error("role").contains("`role_arn`"));
        assert_eq!(error("half"), "the profile half has no `aws_secret_access_key`");
        assert_eq!(error("none"), "there is no profile none in /home/ada/.aws/credentials and /home/ada/.aws/config");
        let nothing = find(None, &[("HOME", "/nowhere")]).unwrap_err();
        assert_eq!(nothing, NoCredentials::None);
    }
}
