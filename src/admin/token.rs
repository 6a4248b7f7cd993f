//! Which requests may make changes.
//!
//! | Listens on | Token | Who may make changes |
//! |---|---|---|
//! | loopback | `[admin] token_file` or the variable | requests with that token |
//! | loopback | none of these | requests with the token in the state directory |
//! | loopback | none can be written | every program, no web page |
//! | other addresses | none | nobody |
//! | other addresses | one | requests with that token |
//!
//! Behind a proxy (`[admin] public_url`) loopback counts as another address.
//!
//! Reading needs no token. The token is a secret: no log line, message or `Debug` output has it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use subtle::ConstantTimeEq as _;

use crate::log_limit::LogLimit;

use super::refusal;
use crate::files;

/// Shortest token in characters; 16 characters of base64 are 96 bits.
const LEAST_CHARACTERS: usize = 16;
/// Longest token in characters; it fits into a header.
const MOST_CHARACTERS: usize = 1024;

/// Random bytes in a token that the server makes: 32 characters of base64. RFC 6749 section 10.10
/// wants a chance of guessing of at most 2^-160.
const TOKEN_BYTES: usize = 24;

/// The environment variable with the token, for the server and for the commands that talk to it.
pub(crate) const TOKEN_VARIABLE: &str = "FIFTYTHREE_ADMIN_TOKEN";

/// The admin token.
#[derive(Clone)]
pub(crate) struct Token(String);

/// Which requests may make changes.
#[derive(Clone, Debug)]
pub(crate) enum Changes {
    /// Those of every program that reaches the port, which is on loopback; none of a web page. Only
    /// if the server could not write a token.
    Programs,
    /// Those with the token in this file, which is read for each request.
    TokenFile(PathBuf),
    /// Those with this token.
    Token(Token),
    /// None.
    Forbidden,
}

/// Why a token cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadToken {
    /// The file is missing or unreadable.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is too short or too long.
    #[error("an admin token has {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters, this one has {characters}")]
    Length {
        /// Its length.
        characters: usize,
    },
    /// A character that a header cannot carry.
    #[error("an admin token consists of letters, digits and -._~+/=")]
    Characters,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// Validates a token; white space around it is ignored.
    pub(crate) fn new(written: &str) -> Result<Token, BadToken> {
        let token = written.trim();
        // What RFC 6750 section 2.1 allows after "Bearer".
        let good = |character: char| character.is_ascii_alphanumeric() || "-._~+/=".contains(character);
        match token.len() {
            LEAST_CHARACTERS..=MOST_CHARACTERS if token.chars().all(good) => Ok(Token(token.to_owned())),
            LEAST_CHARACTERS..=MOST_CHARACTERS => Err(BadToken::Characters),
            characters => Err(BadToken::Length { characters }),
        }
    }

    /// Reads the token from a file.
    pub(crate) fn read(path: &Path) -> Result<Token, BadToken> {
        let unreadable = |error| BadToken::Unreadable { path: path.to_owned(), error };
        let bytes = files::read(path, 2 * MOST_CHARACTERS as u64).map_err(unreadable)?;
        let text = String::from_utf8(bytes).map_err(|_| BadToken::Characters)?;
        Token::new(&text)
    }

    /// True if the mode of the file lets every user of this machine read it; false where files have
    /// no modes.
    #[must_use]
    pub(crate) fn is_open_to_all(path: &Path) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            files::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o004 != 0)
        }
        #[cfg(not(unix))]
        {
            let _ = path;
            false
        }
    }

    /// A new random token.
    pub(crate) fn generate() -> std::io::Result<Token> {
        let mut bytes = [0; TOKEN_BYTES];
        let random = rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes);
        random.map_err(|_| std::io::Error::other("the system has no random numbers"))?;
        Ok(Token(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The token itself, for its file and for the link that a terminal shows.
    #[must_use]
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// The value of the Authorization header (RFC 6750 section 2.1).
    #[must_use]
    pub(crate) fn header(&self) -> HeaderValue {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.0)).expect("a header can carry its characters");
        value.set_sensitive(true);
        value
    }

    /// Compares in a time that depends only on the lengths.
    fn is(&self, shown: &str) -> bool {
        self.0.as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

/// The state of the middleware.
#[derive(Clone)]
pub(super) struct Guard {
    changes: Changes,
    warnings: Arc<LogLimit>,
}

/// The decision about a request that makes a change.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Decision {
    May,
    Forbidden,
    ByPrograms,
    NoToken,
    WrongToken,
    /// Why.
    BrokenToken(String),
}

impl Changes {
    /// The value of `changes` in `/v1/status`.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Changes::Programs => "programs",
            Changes::TokenFile(_) | Changes::Token(_) => "token",
            Changes::Forbidden => "none",
        }
    }

    /// True if a web page could make changes with these headers.
    pub(super) async fn page_may(&self, headers: &HeaderMap) -> bool {
        !matches!(self, Changes::Programs) && self.decide(headers).await == Decision::May
    }

    async fn decide(&self, headers: &HeaderMap) -> Decision {
        let token = match self {
            // Browsers send this header with each change that a page requests; programs do not.
            Changes::Programs if headers.contains_key(header::ORIGIN) => return Decision::ByPrograms,
            Changes::Programs => return Decision::May,
            Changes::Forbidden => return Decision::Forbidden,
            Changes::Token(token) => Ok(token.clone()),
            Changes::TokenFile(path) => read_on_blocking_thread(path.clone()).await,
        };
        match (token, shown(headers)) {
            (Err(error), _) => Decision::BrokenToken(error.to_string()),
            (Ok(_), None) => Decision::NoToken,
            (Ok(token), Some(shown)) if token.is(shown) => Decision::May,
            (Ok(_), Some(_)) => Decision::WrongToken,
        }
    }
}

/// Reads on a blocking thread, since the disk may hang.
async fn read_on_blocking_thread(path: PathBuf) -> Result<Token, BadToken> {
    let gone = |error: tokio::task::JoinError| BadToken::Unreadable { path: path.clone(), error: error.into() };
    let wanted = path.clone();
    tokio::task::spawn_blocking(move || Token::read(&wanted)).await.unwrap_or_else(|error| Err(gone(error)))
}

fn shown(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl Guard {
    pub(super) fn new(changes: Changes) -> Guard {
        Guard { changes, warnings: Arc::default() }
    }

    fn complain(&self, error: &str) {
        if let Some(held_back) = self.warnings.admit(error) {
            tracing::error!("the admin side refuses all changes: its token cannot be used: {error}{held_back}");
        }
    }
}

/// Refuses requests that may not make changes.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let decision = guard.changes.decide(request.headers()).await;
    if let Decision::BrokenToken(error) = &decision {
        guard.complain(error);
    }
    match decision {
        Decision::May => next.run(request).await,
        decision => refused(&decision),
    }
}

fn refused(decision: &Decision) -> Response {
    let forbidden = |error| refusal(StatusCode::FORBIDDEN, error);
    let unauthorized = |challenge, error| {
        let mut response = refusal(StatusCode::UNAUTHORIZED, error);
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        response
    };
    match decision {
        Decision::NoToken => unauthorized("Bearer realm=\"fiftythree\"", "changes need the admin token"),
        Decision::WrongToken => {
            let challenge = "Bearer realm=\"fiftythree\", error=\"invalid_token\"";
            unauthorized(challenge, "this is not the admin token")
        }
        Decision::ByPrograms => forbidden("web pages may change nothing without an admin token: `[admin] token_file`"),
        Decision::Forbidden | Decision::May => forbidden(
            "nothing may be changed: the admin side is reached from beyond loopback and has no token: `[admin] token_file`",
        ),
        Decision::BrokenToken(_) => {
            refusal(StatusCode::SERVICE_UNAVAILABLE, "the server's admin token is not usable; its log says why")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "c2VjcmV0LXRva2Vu";

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_token_is_long_enough_and_fits_a_header() {
        assert!(Token::new(&format!(" {TOKEN}\n")).unwrap().is(TOKEN));
        assert_eq!(Token::new(TOKEN).unwrap().header(), format!("Bearer {TOKEN}"));
        assert!(matches!(Token::new("short"), Err(BadToken::Length { characters: 5 })));
        assert!(matches!(Token::new(""), Err(BadToken::Length { characters: 0 })));
        assert!(matches!(Token::new(&"x".repeat(1025)), Err(BadToken::Length { characters: 1025 })));
        assert!(matches!(Token::new("sixteen letters, spaces"), Err(BadToken::Characters)));
        let [one, other] = [Token::generate().unwrap(), Token::generate().unwrap()];
        assert!(one.text().len() == 32 && Token::new(one.text()).is_ok() && one.text() != other.text());
        assert!(!format!("{:?}", Changes::Token(Token::new(TOKEN).unwrap())).contains(TOKEN));
    }

    #[tokio::test]
    async fn who_may_change_what() {
        let token = Changes::Token(Token::new(TOKEN).unwrap());
        let right = format!("Bearer {TOKEN}");
        let nothing = headers(&[]);
        let page = headers(&[(header::ORIGIN, "http://127.0.0.1:8053")]);
        let with = |value: &str| headers(&[(header::AUTHORIZATION, value)]);
        assert_eq!(Changes::Programs.decide(&nothing).await, Decision::May);
        assert_eq!(Changes::Programs.decide(&page).await, Decision::ByPrograms);
        assert!(!Changes::Programs.page_may(&nothing).await);
        assert_eq!(Changes::Forbidden.decide(&with(&right)).await, Decision::Forbidden);
        assert_eq!(token.decide(&nothing).await, Decision::NoToken);
        assert_eq!(token.decide(&with(&right)).await, Decision::May);
        assert_eq!(token.decide(&with(&right.replace("Bearer", "bearer"))).await, Decision::May);
        assert!(token.page_may(&with(&right)).await);
        for wrong in ["Bearer c2VjcmV0LXRva2VuX", "Bearer c2VjcmV0", "Bearer ", "Basic c2VjcmV0LXRva2Vu"] {
            assert!(matches!(token.decide(&with(wrong)).await, Decision::WrongToken | Decision::NoToken), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_new_token_in_the_file_counts_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let changes = Changes::TokenFile(path.clone());
        let shown = headers(&[(header::AUTHORIZATION, &format!("Bearer {TOKEN}"))]);
        assert!(matches!(changes.decide(&shown).await, Decision::BrokenToken(_)));
        std::fs::write(&path, TOKEN).unwrap();
        assert_eq!(changes.decide(&shown).await, Decision::May);
        std::fs::write(&path, "another-token-of-today").unwrap();
        assert_eq!(changes.decide(&shown).await, Decision::WrongToken);
        std::fs::write(&path, "").unwrap();
        assert!(matches!(changes.decide(&shown).await, Decision::BrokenToken(_)));
    }
}
