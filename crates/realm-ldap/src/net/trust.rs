//! Which servers are believed to be who they say they are: TLS with the names checked, against the system's roots or those of
//! the settings only.
//!
//! Called by `transport.rs`. Must never accept a certificate that is not for the host of the settings.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use tokio::sync::OnceCell;

/// What servers' certificates must come from. Read from the disk at the first connection, not before.
#[derive(Debug)]
pub(crate) struct Trust {
    given: Option<Vec<CertificateDer<'static>>>,
    config: OnceCell<Arc<ClientConfig>>,
}

impl Trust {
    /// Trusts these; without any, the roots of the system.
    pub(crate) fn new(given: Option<Vec<CertificateDer<'static>>>) -> Self {
        Self { given, config: OnceCell::new() }
    }

    /// How TLS is spoken, or in words why it cannot be.
    pub(crate) async fn config(&self) -> Result<Arc<ClientConfig>, String> {
        self.config.get_or_try_init(|| config(self.given.clone())).await.map(Arc::clone)
    }
}

async fn config(given: Option<Vec<CertificateDer<'static>>>) -> Result<Arc<ClientConfig>, String> {
    let roots = match given {
        Some(given) => roots_of(given)?,
        None => tokio::task::spawn_blocking(|| roots_of(rustls_native_certs::load_native_certs().certs))
            .await
            .map_err(|_| "the system's certificates cannot be read".to_owned())??,
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|fault| fault.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // Each connection has the certificate checked: one that has expired since, or is another, is found out.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// What rustls cannot read of them is left out, as browsers do; nothing readable is a fault.
fn roots_of(certificates: Vec<CertificateDer<'static>>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        return Err("there is no certificate that a server's could come from".to_owned());
    }
    Ok(roots)
}
