//! The secrets of DNS cookies (RFC 9018): a text file with one or two of them, as NSD and Knot DNS
//! have it, and the steps that replace a secret while cookies stay valid.
//!
//! The first secret is active: it makes cookies. A second one is accepted too: it is the next one
//! before it is activated, and the previous one after. Servers that share an address have the same
//! secrets.

use std::fmt;

use ring::rand::{SecureRandom as _, SystemRandom};
use thiserror::Error;

/// The length of a key of SipHash (RFC 9018 section 4.4).
const OCTETS: usize = 16;

/// A secret. It comes from the system's cryptographic generator or from a file, never from the
/// random numbers of the routing policies, which can be guessed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CookieSecret([u8; OCTETS]);

/// One or two secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct CookieSecrets {
    active: CookieSecret,
    /// The next one, or the previous one.
    other: Option<CookieSecret>,
}

/// Why a text is not a list of secrets, or a step is not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CookieSecretError {
    /// Not 32 hexadecimal digits.
    #[error("a secret must have 32 hexadecimal digits")]
    Digits,
    /// No secret or more than two.
    #[error("there must be one or two secrets, each on a line of its own")]
    Count,
    /// The secret is there already.
    #[error("this secret is in use already")]
    Known,
    /// A second secret is there already.
    #[error("there are two secrets already; drop the second one first")]
    Full,
    /// There is no second secret.
    #[error("there is no second secret; add one first")]
    NoOther,
    /// The system has no random numbers.
    #[error("the system has no random numbers")]
    NoRandomNumbers,
}

impl CookieSecret {
    /// A new secret.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn generate() -> Result<CookieSecret, CookieSecretError> {
        let mut octets = [0; OCTETS];
        SystemRandom::new().fill(&mut octets).map_err(|_| CookieSecretError::NoRandomNumbers)?;
        Ok(CookieSecret(octets))
    }

    /// Reads hexadecimal digits.
    ///
    /// # Errors
    /// If there are not exactly 32 of them.
    pub fn parse(text: &str) -> Result<CookieSecret, CookieSecretError> {
        let mut octets = [0; OCTETS];
        if text.len() != 2 * OCTETS || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(CookieSecretError::Digits);
        }
        for (octet, at) in octets.iter_mut().zip((0..).step_by(2)) {
            *octet = u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
        }
        Ok(CookieSecret(octets))
    }

    /// The key of the hash.
    pub fn octets(&self) -> &[u8; OCTETS] {
        &self.0
    }

    /// The 32 hexadecimal digits.
    pub fn digits(&self) -> String {
        self.0.iter().map(|octet| format!("{octet:02x}")).collect()
    }
}

/// Not the secret.
impl fmt::Debug for CookieSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieSecret")
    }
}

/// Not the secrets.
impl fmt::Debug for CookieSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieSecrets")
    }
}

impl CookieSecrets {
    /// One secret.
    pub fn of(active: CookieSecret) -> CookieSecrets {
        CookieSecrets { active, other: None }
    }

    /// Reads a file: the active secret and the other one, each on a line of its own. Empty lines
    /// and comments (`#`) are skipped.
    ///
    /// # Errors
    /// The first fault.
    pub fn parse(text: &str) -> Result<CookieSecrets, CookieSecretError> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let secrets: Vec<CookieSecret> = lines.map(CookieSecret::parse).collect::<Result<_, _>>()?;
        match secrets[..] {
            [active] => Ok(CookieSecrets { active, other: None }),
            [active, other] => Ok(CookieSecrets { active, other: Some(other) }),
            _ => Err(CookieSecretError::Count),
        }
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        self.all().map(|secret| format!("{}\n", secret.digits())).collect()
    }

    /// The secret that makes cookies.
    pub fn active(&self) -> &CookieSecret {
        &self.active
    }

    /// Those whose cookies are accepted, the active one first.
    pub fn all(&self) -> impl Iterator<Item = &CookieSecret> {
        [Some(&self.active), self.other.as_ref()].into_iter().flatten()
    }

    /// Adds the next secret: its cookies are accepted.
    ///
    /// # Errors
    /// If there is a second one already.
    pub fn add(&mut self, secret: CookieSecret) -> Result<(), CookieSecretError> {
        match self.other {
            _ if self.all().any(|known| *known == secret) => Err(CookieSecretError::Known),
            Some(_) => Err(CookieSecretError::Full),
            None => {
                self.other = Some(secret);
                Ok(())
            }
        }
    }

    /// Makes the second secret the active one. The active one becomes the second: its cookies stay
    /// valid.
    ///
    /// # Errors
    /// If there is no second one.
    pub fn activate(&mut self) -> Result<(), CookieSecretError> {
        let other = self.other.as_mut().ok_or(CookieSecretError::NoOther)?;
        std::mem::swap(&mut self.active, other);
        Ok(())
    }

    /// Drops the second secret: its cookies are no longer valid.
    ///
    /// # Errors
    /// If there is no second one.
    pub fn drop_other(&mut self) -> Result<(), CookieSecretError> {
        self.other.take().map(|_| ()).ok_or(CookieSecretError::NoOther)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "dd3bdf9344b678b185a6f5cb60fca715";
    const NEW: &str = "445536bcd2513298075a5d379663c962";

    #[test]
    fn a_secret_is_replaced_step_by_step() {
        let mut secrets = CookieSecrets::parse(OLD).unwrap();
        assert_eq!(secrets.activate(), Err(CookieSecretError::NoOther));
        assert_eq!(secrets.drop_other(), Err(CookieSecretError::NoOther));
        assert_eq!(secrets.add(CookieSecret::parse(OLD).unwrap()), Err(CookieSecretError::Known));
        secrets.add(CookieSecret::parse(NEW).unwrap()).unwrap();
        assert_eq!(secrets.to_text(), format!("{OLD}\n{NEW}\n"));
        assert_eq!(secrets.add(CookieSecret::generate().unwrap()), Err(CookieSecretError::Full));
        secrets.activate().unwrap();
        assert_eq!(secrets.to_text(), format!("{NEW}\n{OLD}\n"));
        secrets.drop_other().unwrap();
        assert_eq!(secrets, CookieSecrets::parse(&format!("# ours\n\n {NEW} \n")).unwrap());
    }

    #[test]
    fn other_texts_are_refused_and_secrets_are_not_shown() {
        for text in ["", "# nothing\n", &format!("{OLD}\n{NEW}\n{OLD}\n")] {
            assert_eq!(CookieSecrets::parse(text), Err(CookieSecretError::Count), "{text}");
        }
        for text in ["dd3b", &OLD.replace('b', "g"), &format!("{OLD}00"), &"é".repeat(16)] {
            assert_eq!(CookieSecrets::parse(text), Err(CookieSecretError::Digits), "{text}");
        }
        assert!(!format!("{:?}", CookieSecrets::parse(OLD)).contains("dd3b"));
    }

    #[test]
    fn new_secrets_differ() {
        assert_ne!(CookieSecret::generate(), CookieSecret::generate());
    }
}
