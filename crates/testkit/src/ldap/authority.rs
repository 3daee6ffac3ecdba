//! A certificate authority of the tests, and the good and bad certificates that it issues.
//!
//! Called by `slapd`, by `samba`, and by tests that need two servers under one authority. Must never be trusted by
//! anything but a test.
#![allow(clippy::expect_used, reason = "a test without its certificates has failed; the message says why")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use tempfile::TempDir;

/// The name of every server here.
pub(crate) const HOST: &str = "localhost";

/// The names in every certificate that is right.
pub(crate) const HOSTS: &[&str] = &[HOST, "127.0.0.1"];

/// The name in one that is not.
const ELSEWHERE: &str = "elsewhere.test";

/// What a server shows to those who ask for TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Certificate {
    /// Issued by the authority for `localhost` and `127.0.0.1`, valid until 2099.
    #[default]
    Right,
    /// Issued by the authority, for `elsewhere.test`.
    WrongName,
    /// As the right one, and valid until 2020.
    Expired,
    /// As the right one, and issued by itself.
    SelfSigned,
}

/// A certificate authority. Its clones are the same one.
#[derive(Clone)]
pub struct Authority(Arc<Inner>);

struct Inner {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    folder: TempDir,
}

impl std::fmt::Debug for Authority {
    /// It holds a key.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Authority")
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new authority with a key of its own.
    ///
    /// # Panics
    /// When there is no temporary folder for its file.
    #[must_use]
    pub fn new() -> Self {
        let mut params = valid(Vec::new(), "Doorward test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("an authority's certificate").pem();
        let folder = TempDir::with_prefix("doorward-authority-").expect("a temporary folder");
        std::fs::write(folder.path().join("authority.pem"), &pem).expect("the authority's file");
        Self(Arc::new(Inner { issuer: Issuer::new(params, key), pem, folder }))
    }

    /// Its certificate as PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.0.pem
    }

    /// Its certificate as a file, which is there as long as a clone of the authority is.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.0.folder.path().join("authority.pem")
    }

    /// A certificate and its key, both as PEM, for these host names.
    ///
    /// # Panics
    /// When a name is none.
    #[must_use]
    pub fn issue(&self, kind: Certificate, names: &[&str]) -> (String, String) {
        let names = if kind == Certificate::WrongName { &[ELSEWHERE] } else { names };
        let mut params = valid(names.iter().map(|name| (*name).to_owned()).collect(), names[0]);
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if kind == Certificate::Expired {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().expect("a key");
        let made = match kind {
            Certificate::SelfSigned => params.self_signed(&key),
            Certificate::Right | Certificate::WrongName | Certificate::Expired => {
                params.use_authority_key_identifier_extension = true;
                params.signed_by(&key, &self.0.issuer)
            }
        };
        (made.expect("a certificate").pem(), key.serialize_pem())
    }

    /// Puts `server.pem` and `server.key` into `folder`. Only its owner may read the key: Samba insists.
    pub(crate) fn write(&self, kind: Certificate, names: &[&str], folder: &Path) {
        use std::os::unix::fs::PermissionsExt;
        let (certificate, key) = self.issue(kind, names);
        std::fs::write(folder.join("server.pem"), certificate).expect("the certificate's file");
        let key_file = folder.join("server.key");
        std::fs::write(&key_file, key).expect("the key's file");
        std::fs::set_permissions(key_file, std::fs::Permissions::from_mode(0o600)).expect("the key's mode");
    }
}

/// Parameters that are valid from 2019 to 2099, whatever the day.
fn valid(names: Vec<String>, common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(names).expect("host names");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2019, 1, 1);
    params.not_after = date_time_ymd(2099, 1, 1);
    params
}
