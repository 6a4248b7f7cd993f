//! The secrets of DNS cookies that the nodes of a cluster share, so that a client's cookie is valid
//! at each of them (RFC 9018 section 5).
//!
//! They are sealed in etcd. The file of this node is a copy, with which a start without etcd goes
//! on.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::sleep;

use crate::cluster::{EtcdError, SealedDocument};
use crate::cookie_secrets::CookieSecrets;
use crate::load::with_files;
use crate::serve::Cookies;
use crate::store::CookieSecretFile;

/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

const STAY: &str = "the secrets of DNS cookies stay as they are on this node";

/// Why this node does not have the secrets of the cluster.
#[derive(PartialEq, Eq)]
enum Problem {
    /// It does not reach etcd.
    Etcd(String),
    /// What etcd has, or this node, is not usable.
    Unusable(String),
}

/// The secrets on this node.
pub(super) struct SharedCookies {
    /// In etcd.
    pub(super) sealed: SealedDocument,
    /// In force.
    pub(super) cookies: Cookies,
    pub(super) secrets: CookieSecrets,
    /// The copy.
    pub(super) file: CookieSecretFile,
}

impl SharedCookies {
    /// Follows the secrets in etcd until the server stops.
    pub(super) async fn run(mut self) {
        let mut reported = None;
        loop {
            let Err(problem) = self.follow(&mut reported).await;
            if reported.as_ref() != Some(&problem) {
                match &problem {
                    Problem::Etcd(why) => tracing::warn!("etcd: {why}; {STAY}"),
                    Problem::Unusable(why) => tracing::error!("{why}; {STAY}"),
                }
                reported = Some(problem);
            }
            sleep(PAUSE).await;
        }
    }

    /// Returns when the connection is lost, or what etcd has cannot be used.
    async fn follow(&mut self, reported: &mut Option<Problem>) -> Result<Infallible, Problem> {
        let of_etcd = |error: EtcdError| Problem::Etcd(error.to_string());
        let mut follower = self.sealed.document().follow().await.map_err(of_etcd)?;
        loop {
            let Some(text) = self.sealed.open(follower.current()).map_err(Problem::Unusable)? else {
                // The first node gives the others its own, and an etcd that lost them gets them
                // back.
                let own = self.sealed.seal(self.secrets.to_text().as_bytes()).map_err(Problem::Unusable)?;
                follower.replace(own).await.map_err(of_etcd)?;
                continue;
            };
            let text = String::from_utf8_lossy(&text);
            let secrets = CookieSecrets::parse(&text).map_err(|error| {
                let key = self.sealed.document().key();
                Problem::Unusable(format!("the secrets of DNS cookies in {key} are not usable: {error}"))
            })?;
            if reported.take().is_some() {
                tracing::info!("the secrets of DNS cookies are those of the cluster");
            }
            self.take(secrets).await;
            follower.changed().await.map_err(of_etcd)?;
        }
    }

    /// Uses these secrets from now on.
    async fn take(&mut self, secrets: CookieSecrets) {
        if secrets == self.secrets {
            return;
        }
        tracing::info!(
            "the secrets of DNS cookies have changed in the cluster: {} are accepted",
            secrets.all().count()
        );
        self.cookies.replace(secrets.clone());
        self.secrets = secrets.clone();
        let file = self.file.clone();
        let written = with_files(move || file.write(&secrets)).await.map_err(|error| error.to_string());
        if let Err(error) = written.and_then(|written| written.map_err(|error| error.to_string())) {
            tracing::warn!(
                "cannot write {}: {error}; after a restart without etcd, the cookies of other nodes are not valid here",
                self.file.path().display()
            );
        }
    }
}
