//! TLS: our certificates towards clients, replaced without a restart; and the verification of backends' certificates.

use std::sync::Arc;

use arc_swap::ArcSwap;
use config::Tls;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// The certificate of one listener. What is put in counts from the next handshake on.
#[derive(Debug)]
pub(crate) struct Certificate {
    present: ArcSwap<CertifiedKey>,
}

impl Certificate {
    /// A certificate with its key.
    ///
    /// # Errors
    /// Where they do not belong together, or the key is of no kind that we know.
    pub(crate) fn new(tls: &Tls) -> Result<Self, String> {
        Ok(Self { present: ArcSwap::from_pointee(certified(tls)?) })
    }

    /// Replaces it.
    ///
    /// # Errors
    /// As [`Certificate::new`]; the present one stays.
    pub(crate) fn replace(&self, tls: &Tls) -> Result<(), String> {
        self.present.store(Arc::new(certified(tls)?));
        Ok(())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.present.load_full())
    }
}

fn certified(tls: &Tls) -> Result<CertifiedKey, String> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    CertifiedKey::from_der(tls.chain.clone(), tls.key.clone_key(), &provider)
        .map_err(|error| format!("certificate and key cannot be used together: {error}"))
}

/// The settings of a listener: TLS 1.2 and 1.3, HTTP/1.1.
pub(crate) fn server(certificate: Arc<Certificate>) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// How backends' certificates are verified: against the certificate authorities of this machine. There is no way to
/// switch it off.
pub(crate) fn client() -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    // A machine without authorities trusts no backend: each handshake says so.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}
