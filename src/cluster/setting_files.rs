//! Checks the files that `[cluster]` names: certificates, keys, the password and the secret.

use super::gateway::{self, BadCluster};
use super::seal::ClusterSecret;
use crate::config::ClusterSettings;

/// A file that a setting names cannot be used.
#[derive(Debug)]
pub(crate) struct BadClusterFile {
    /// The key of the setting in `[cluster]`.
    pub(crate) key: &'static str,
    /// Which element of the list, if it is one.
    pub(crate) element: Option<usize>,
    /// Why.
    pub(crate) why: BadCluster,
}

/// All files that cannot be used.
pub(crate) fn bad_files(settings: &ClusterSettings) -> Vec<BadClusterFile> {
    let mut bad = Vec::new();
    let mut add = |key, element, why: Option<BadCluster>| {
        bad.extend(why.map(|why| BadClusterFile { key, element, why }));
    };
    for (element, file) in settings.certificate_authorities.iter().enumerate() {
        add("certificate_authorities", Some(element), gateway::authorities(file).err());
    }
    if let Some(tls) = &settings.tls {
        let (certificate, key) = (gateway::read(&tls.certificate).err(), gateway::read(&tls.key).err());
        if certificate.is_none() && key.is_none() {
            add("tls_certificate", None, gateway::identity(tls).err());
        }
        add("tls_certificate", None, certificate);
        add("tls_key", None, key);
    }
    if let Some((_, password)) = &settings.user {
        add("password_file", None, gateway::read(password).err());
    }
    if let Some(file) = &settings.secret_file {
        add("secret_file", None, ClusterSecret::read(file).err());
    }
    bad
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use crate::config::{Settings, SourceFile};

    fn certificate() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        (CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    /// What is wrong with these settings, as key, element and reason.
    fn check(directory: &std::path::Path, settings: &str) -> Vec<(&'static str, Option<usize>, String)> {
        let text = format!("[cluster]\nendpoints = ['https://127.0.0.1:1']\nnode = 'a'\n{settings}");
        let (settings, _) = Settings::read(&SourceFile::new(directory.join("fiftythree.toml"), text));
        let bad = bad_files(&settings.unwrap().cluster.unwrap());
        let prefix = format!("{}/", directory.display());
        bad.into_iter().map(|bad| (bad.key, bad.element, bad.why.to_string().replace(&prefix, ""))).collect()
    }

    #[test]
    fn every_file_that_is_not_usable_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        let ((one, key_of_one), (_, key_of_two)) = (certificate(), certificate());
        write("one.pem", &one);
        write("one.key", &key_of_one);
        write("two.key", &key_of_two);
        write("nothing.pem", "nothing");
        let all = "certificate_authorities = ['one.pem', 'none.pem', 'nothing.pem']\ntls_certificate = 'none'\n\
                   tls_key = 'neither'\nuser = 'a'\npassword_file = 'password'\nsecret_file = 'secret'\n";
        let missing = "No such file or directory (os error 2)";
        let found = check(directory.path(), all);
        let expected = [
            ("certificate_authorities", Some(1), format!("cannot read none.pem: {missing}")),
            ("certificate_authorities", Some(2), "nothing.pem has no certificate in PEM format".to_owned()),
            ("tls_certificate", None, format!("cannot read none: {missing}")),
            ("tls_key", None, format!("cannot read neither: {missing}")),
            ("password_file", None, format!("cannot read password: {missing}")),
            ("secret_file", None, format!("cannot read secret: {missing}")),
        ];
        assert_eq!(found, expected);
        assert_eq!(check(directory.path(), "tls_certificate = 'one.pem'\ntls_key = 'one.key'\n"), []);
        for (certificate, key) in [("one.pem", "two.key"), ("nothing.pem", "one.key"), ("one.pem", "nothing.pem")] {
            let found = check(directory.path(), &format!("tls_certificate = '{certificate}'\ntls_key = '{key}'\n"));
            let [("tls_certificate", None, why)] = &*found else { panic!("{found:?}") };
            let start = format!("cannot use the certificate in {certificate} with the key in {key}: ");
            assert!(why.starts_with(&start), "{why}");
        }
    }
}
