//! Servers with a certificate: the name that it must be for, and that a good one is no reason to listen to everything.

use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use testkit::ldap::{Authority, Certificate};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::net::fake::nested;

/// The server's side of TLS for this one name, and its certificate.
fn acceptor(authority: &Authority, name: &str) -> (TlsAcceptor, CertificateDer<'static>) {
    let (certificate, key) = authority.issue(Certificate::Right, &[name]);
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), certificate)
}

fn trust(authority: &Authority) -> Trust {
    Trust::new(Some(vec![CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()]))
}

/// TLS with whatever the settings call `host`. TCP is wherever the test has it.
async fn secured(port: u16, host: &str, trust: &Trust) -> Result<transport::Secured, Fault> {
    let stream = transport::reach(&[(Ipv4Addr::LOCALHOST, port).into()], LIMIT).await?;
    let server = settings::Server { host: host.into(), port };
    transport::secure(stream, &server, settings::Transport::Ldaps, trust).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_for_one_ipv6_address_and_not_for_another() {
    let authority = Authority::new();
    let (acceptor, certificate) = acceptor(&authority, "::1");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let accepting = tokio::spawn(async move {
        for _ in 0..2 {
            let (client, _) = listener.accept().await.unwrap();
            let _refused = acceptor.accept(client).await;
        }
    });
    let trust = trust(&authority);
    let shown = secured(port, "::1", &trust).await.map(|secured| secured.certificate);
    assert_eq!(shown, Ok(Some(certificate.to_vec())));
    let refused = secured(port, "::2", &trust).await.err().unwrap();
    assert!(refused.to_string().contains("certificate"), "{refused}");
    accepting.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_proved_its_name_is_not_listened_to_without_limits() {
    let authority = Authority::new();
    let (acceptor, _) = acceptor(&authority, "localhost");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let compromised = tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let mut client = acceptor.accept(client).await.unwrap();
        let _request = client.read(&mut [0; 1_024]).await.unwrap();
        let _hung_up_on = client.write_all(&nested(1, 100_000)).await;
    });
    let secured = secured(port, "localhost", &trust(&authority)).await.ok().unwrap();
    let connection = Connection::over(secured, &Handle::current());
    let refused = connection.bind("uid=alice", "secret", LIMIT).await.unwrap_err();
    assert!(refused.to_string().contains("nested more than 12 levels"), "{refused}");
    compromised.await.unwrap();
}
