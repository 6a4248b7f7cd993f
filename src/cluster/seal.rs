//! The secret that all nodes have, and what it seals in etcd.
//!
//! A sealed text is a version octet, a random nonce, and the text under ChaCha20-Poly1305 (RFC
//! 8439). The key follows from the secret by HKDF (RFC 5869). The name of the key in etcd is
//! associated data: a sealed text cannot be put under another name.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk, Salt};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::files;

use super::document::{Document, DocumentVersion};
use super::gateway::BadCluster;

/// The version of sealed texts.
const VERSION: u8 = 1;
/// As many octets as the key of the cipher has.
const LEAST_OCTETS: usize = 32;
/// A file with a secret.
const MOST_BYTES: u64 = 16 << 10;
/// What HKDF derives, so that neither tells anything about the other.
const SEAL_LABEL: &[u8] = b"fiftythree cluster: seal";
const ID_LABEL: &[u8] = b"fiftythree cluster: id";

/// The secret of a cluster.
pub(crate) struct ClusterSecret {
    path: PathBuf,
    key: LessSafeKey,
    id: String,
}

/// A document that is sealed.
#[derive(Clone)]
pub(crate) struct SealedDocument {
    document: Document,
    secret: Arc<ClusterSecret>,
}

impl ClusterSecret {
    /// Reads the file of the secret.
    pub(crate) fn read(path: &Path) -> Result<ClusterSecret, BadCluster> {
        let unreadable = |error| BadCluster::Unreadable { path: path.to_owned(), error };
        // A directory is not a secret that others may read.
        files::expect_regular(path).map_err(unreadable)?;
        if files::others_may_read(&files::metadata(path).map_err(unreadable)?) {
            return Err(BadCluster::OpenSecret { path: path.to_owned() });
        }
        let text = files::read(path, MOST_BYTES).map_err(unreadable)?;
        let octets = octets(&text).ok_or_else(|| BadCluster::BadSecret { path: path.to_owned() })?;
        Ok(ClusterSecret::of(path.to_owned(), &octets))
    }

    fn of(path: PathBuf, octets: &[u8]) -> ClusterSecret {
        let derived = Salt::new(HKDF_SHA256, &[]).extract(octets);
        let key = derived.expand(&[SEAL_LABEL], &CHACHA20_POLY1305).expect("the length of a key is possible");
        ClusterSecret { path, key: LessSafeKey::new(UnboundKey::from(key)), id: id(&derived) }
    }

    /// Differs if the secrets of two nodes do, and tells nothing else about them.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Seals a text under this name.
    pub(crate) fn seal(&self, name: &str, text: &[u8]) -> Result<Vec<u8>, String> {
        let no_random_numbers = |_| "the system has no random numbers".to_owned();
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(no_random_numbers)?;
        let mut sealed = text.to_vec();
        let name = Aad::from(name.as_bytes());
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), name, &mut sealed)
            .map_err(|_| "the text is too long to be sealed".to_owned())?;
        Ok([&[VERSION][..], &nonce, &sealed].concat())
    }

    /// The text that was sealed under this name.
    pub(crate) fn open(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, String> {
        let path = self.path.display();
        let (version, sealed) = sealed.split_first().unwrap_or((&0, &[]));
        if *version > VERSION {
            return Err(format!(
                "{name} in etcd is not sealed in a form that this program knows: it was changed, or a newer version \
                 wrote it"
            ));
        }
        let wrong = || {
            format!(
                "the secret in {path} does not open {name} in etcd: another node has another `secret_file`, or what is \
                 in etcd was changed"
            )
        };
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or_else(wrong)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| wrong())?;
        let mut text = sealed.to_vec();
        let opened = self.key.open_in_place(nonce, Aad::from(name.as_bytes()), &mut text).map_err(|_| wrong())?;
        Ok(opened.to_vec())
    }
}

impl SealedDocument {
    pub(super) fn new(document: Document, secret: Arc<ClusterSecret>) -> SealedDocument {
        SealedDocument { document, secret }
    }

    /// What is in etcd.
    pub(crate) fn document(&self) -> &Document {
        &self.document
    }

    /// The text of a version; `None` if there is no document.
    pub(crate) fn open(&self, version: &DocumentVersion) -> Result<Option<Vec<u8>>, String> {
        version.text.as_deref().map(|sealed| self.secret.open(self.document.key(), sealed)).transpose()
    }

    /// Seals a text for this document.
    pub(crate) fn seal(&self, text: &[u8]) -> Result<Vec<u8>, String> {
        self.secret.seal(self.document.key(), text)
    }
}

/// Not the secret.
impl fmt::Debug for ClusterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterSecret").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The octets of a secret in Base64.
fn octets(text: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
    STANDARD.decode(digits).ok().filter(|octets| octets.len() >= LEAST_OCTETS)
}

fn id(derived: &Prk) -> String {
    let mut octets = [0; 32];
    let derived = derived.expand(&[ID_LABEL], HKDF_SHA256).expect("the length of a hash is possible");
    derived.fill(&mut octets).expect("it has the length of a hash");
    octets[..6].iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "/test/secrets/cookies";

    fn secret(octet: u8) -> ClusterSecret {
        ClusterSecret::of("cluster.secret".into(), &[octet; LEAST_OCTETS])
    }

    #[test]
    fn what_is_sealed_is_opened_by_the_same_secret_under_the_same_name_alone() {
        let sealed = secret(1).seal(NAME, b"sesame").unwrap();
        assert_eq!(secret(1).open(NAME, &sealed).unwrap(), b"sesame");
        assert!(!sealed.windows(6).any(|part| part == b"sesame"));
        assert_ne!(secret(1).seal(NAME, b"sesame").unwrap(), sealed, "each has a nonce of its own");
        let wrong = secret(2).open(NAME, &sealed).unwrap_err();
        assert!(wrong.contains("cluster.secret does not open /test/secrets/cookies"), "{wrong}");
        assert!(secret(1).open("/test/secrets/other", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(secret(1).open(NAME, &changed).is_err() || at == 0, "octet {at}");
            assert!(secret(1).open(NAME, &sealed[..at]).is_err(), "{at} octets");
        }
        let newer = [&[VERSION + 1], &sealed[1..]].concat();
        assert!(secret(1).open(NAME, &newer).unwrap_err().contains("newer version"));
    }

    #[test]
    fn the_id_differs_if_the_secret_does_and_nothing_shows_it() {
        assert_eq!((secret(1).id().len(), secret(1).id() == secret(1).id()), (12, true));
        assert_ne!(secret(1).id(), secret(2).id());
        assert_eq!(format!("{:?}", secret(1)), "ClusterSecret { path: \"cluster.secret\", .. }");
    }

    #[test]
    #[cfg(unix)]
    fn a_file_must_have_enough_octets_in_base64_and_be_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let read = |text: &[u8], mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            ClusterSecret::read(&path).map(|secret| secret.id().to_owned()).map_err(|error| error.to_string())
        };
        let base64 = STANDARD.encode([7; 48]);
        let id = read(base64.as_bytes(), 0o600).unwrap();
        let lines = format!("{}\n{}\n", &base64[..20], &base64[20..]);
        assert_eq!(read(lines.as_bytes(), 0o400).unwrap(), id, "lines do not matter");
        // 64 hexadecimal digits are Base64 too, 32 are too few.
        assert!(read("5f".repeat(32).as_bytes(), 0o600).is_ok());
        for bad in [&b""[..], "5f".repeat(16).as_bytes(), &[0xff; 64], STANDARD.encode([7; 31]).as_bytes()] {
            let error = read(bad, 0o600).unwrap_err();
            assert!(
                error.ends_with(
                    "must have at least 32 random octets in Base64, as `openssl rand -base64 32` prints them"
                ),
                "{error}"
            );
        }
        for mode in [0o660, 0o604, 0o644] {
            let error = read(base64.as_bytes(), mode).unwrap_err();
            assert!(error.contains("must not be readable by other users"), "{error}");
        }
        let directory = ClusterSecret::read(directory.path()).unwrap_err().to_string();
        assert!(directory.contains("cannot read") && !directory.contains("chmod"), "{directory}");
        std::fs::remove_file(&path).unwrap();
        assert!(ClusterSecret::read(&path).unwrap_err().to_string().contains("cannot read"));
    }
}
