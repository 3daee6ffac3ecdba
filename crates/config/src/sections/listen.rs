//! `listen`: where clients connect. `settings.rs` reads it; the wiring binds it and makes the TLS settings of it. It must
//! never open a socket.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::pem::{Error as PemError, PemObject, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::document::reader::{Reader, Taken, parsed, shown};
use crate::document::tree::{Entry, Origin, Section, Value, under};
use crate::environment::{Environment, reason};
use crate::limits::{MAX_LISTENERS, MAX_PEM_BYTES};
use crate::mistake::Report;
use crate::value::{Fault, parse_listen_address};

pub(crate) const KEYS: &[&str] = &["address", "certificate", "key", "http2"];

/// Where the gateway listens when nothing else is said: the port of the product it stands in for, on loopback.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8764";

/// One address that clients connect to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listen {
    /// Its full name in mistakes: `listen`, `listen[0]` or `--listen`.
    pub key: String,
    /// IP address and port; port 0 lets the system choose.
    pub address: SocketAddr,
    /// What it shows to clients of HTTPS; `None` = plain HTTP.
    pub tls: Option<Tls>,
}

/// A certificate chain and its key, read and decoded, not yet tried together.
#[derive(Clone, PartialEq, Eq)]
pub struct Tls {
    /// The chain, the server's own certificate first. Never empty.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key of the first certificate.
    pub key: Arc<PrivateKeyDer<'static>>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tls({} certificates)", self.chain.len())
    }
}

/// What reading the listeners needs besides the section.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'s> {
    pub(crate) folder: &'s Path,
    pub(crate) environment: &'s dyn Environment,
}

/// The default listener.
pub(crate) fn standard() -> Vec<Listen> {
    let address = SocketAddr::from(([127, 0, 0, 1], 8764));
    vec![Listen { key: "listen".to_owned(), address, tls: None }]
}

/// Reads `listen`: a text, a table, or a list of either.
pub(crate) fn read(top: &mut Reader<'_>, surroundings: Surroundings<'_>) -> Vec<Listen> {
    match top.peek("listen") {
        None => standard(),
        Some(Value::List(list)) if list.is_empty() => {
            let _ = top.take_list("listen", 0, |_| Ok(()));
            top.mistake("listen", "is empty: without a listener nobody can connect");
            Vec::new()
        }
        Some(Value::List(list)) if list.len() <= MAX_LISTENERS => {
            let list = list.clone();
            let _ = top.take_any("listen");
            list.iter()
                .enumerate()
                .filter_map(|(index, entry)| {
                    one(top.report(), &format!("listen[{index}]"), entry, surroundings)
                })
                .collect()
        }
        Some(Value::List(_)) => {
            // Reports the length.
            let _ = top.take_list("listen", MAX_LISTENERS, |_| Ok(()));
            Vec::new()
        }
        Some(_) => {
            let entry = top.take_any("listen");
            entry.and_then(|entry| one(top.report(), "listen", &entry, surroundings)).into_iter().collect()
        }
    }
}

fn one(report: &mut Report, key: &str, entry: &Entry, surroundings: Surroundings<'_>) -> Option<Listen> {
    match &entry.value {
        Value::Table(section) => table(report, section, surroundings),
        value @ (Value::Text(..) | Value::Integer(_) | Value::Unreadable) => {
            let address = parsed(report, key, value, parse_listen_address)?;
            Some(Listen { key: key.to_owned(), address, tls: None })
        }
        other => {
            let message =
                format!("{} is neither an address nor a table {{ address, certificate, key }}", shown(other));
            report.add(key, message);
            None
        }
    }
}

fn table(report: &mut Report, section: &Section, surroundings: Surroundings<'_>) -> Option<Listen> {
    let mut reader = section.read(KEYS, report);
    let address = reader.take_parsed("address", parse_listen_address);
    if address.is_absent() {
        reader.mistake("address", "is missing: an IP address and a port, such as \"127.0.0.1:8764\"");
    }
    if reader.take_boolean("http2") == Taken::Given(true) {
        reader.mistake("http2", "HTTP/2 is not built into this version; leave it out or write false");
    }
    let tls = tls(&mut reader, surroundings);
    reader.finish();
    Some(Listen { key: section.key.clone(), address: address.given()?, tls })
}

fn tls(reader: &mut Reader<'_>, surroundings: Surroundings<'_>) -> Option<Tls> {
    let chain = pem(reader, "certificate", surroundings, read_chain);
    let key = pem(reader, "key", surroundings, read_key);
    match (&chain, &key) {
        (Taken::Absent, Taken::Given(_) | Taken::Wrong) => {
            reader.mistake("certificate", "is missing: a key is of no use without its certificate");
        }
        (Taken::Given(_) | Taken::Wrong, Taken::Absent) => {
            reader.mistake("key", "is missing: a certificate is of no use without its private key");
        }
        _ => {}
    }
    Some(Tls { chain: chain.given()?, key: Arc::new(key.given()?) })
}

/// Takes a PEM file by its path; a text that comes from elsewhere may also be the PEM itself.
fn pem<T>(
    reader: &mut Reader<'_>,
    name: &str,
    surroundings: Surroundings<'_>,
    decode: impl Fn(&[u8]) -> Result<T, String>,
) -> Taken<T> {
    let elsewhere = matches!(reader.peek(name), Some(Value::Text(_, Origin::Elsewhere(_))));
    reader.take_parsed(name, |text| {
        if elsewhere && text.contains("-----BEGIN ") {
            return decode(text.as_bytes()).map_err(Fault::new);
        }
        if text.is_empty() {
            return Err(Fault::new("is empty: the path of a PEM file"));
        }
        let path = under(surroundings.folder, text);
        let bytes = surroundings
            .environment
            .read(&path, MAX_PEM_BYTES)
            .map_err(|error| Fault::new(format!("cannot be read: {}", reason(&error))))?;
        decode(&Zeroizing::new(bytes)).map_err(Fault::new)
    })
}

fn read_chain(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(not_this(bytes, "certificate")),
        Ok(chain) => Ok(chain),
        Err(error) => Err(broken(&error)),
    }
}

fn read_key(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    match PrivateKeyDer::from_pem_slice(bytes) {
        Ok(key) => Ok(key),
        Err(PemError::NoItemsFound) => Err(not_this(bytes, "private key")),
        Err(error) => Err(broken(&error)),
    }
}

/// Says what a PEM file holds in place of what was looked for.
fn not_this(bytes: &[u8], wanted: &str) -> String {
    let text = String::from_utf8_lossy(bytes);
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
        return format!("holds no {wanted} that can be read: the key is encrypted with a password");
    }
    let found: Vec<&str> = <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes)
        .filter_map(Result::ok)
        .map(|(kind, _)| match kind {
            SectionKind::Certificate => "a certificate",
            SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
                "a private key"
            }
            SectionKind::Csr => "a certificate request",
            SectionKind::PublicKey => "a public key",
            _ => "something else",
        })
        .collect();
    match found.first() {
        Some(found) => format!("holds {found} and no {wanted}"),
        None => format!("is not a PEM file: it holds no {wanted}"),
    }
}

/// The kind of the error only: its text could quote the file.
fn broken(error: &PemError) -> String {
    match error {
        PemError::MissingSectionEnd { .. } => "is a broken PEM file: a section doesn't end".to_owned(),
        PemError::IllegalSectionStart { .. } => {
            "is a broken PEM file: a section doesn't begin properly".to_owned()
        }
        PemError::Base64Decode(_) => "is a broken PEM file: it isn't base64 inside".to_owned(),
        _ => "is a broken PEM file".to_owned(),
    }
}
