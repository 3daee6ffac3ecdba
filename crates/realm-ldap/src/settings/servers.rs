//! The servers, and how what is said to them is kept from others.
//!
//! Called by `parse`. Must never let passwords go over a wire in clear unless somebody wrote that he wants that.

use std::net::IpAddr;

use auth::RealmFault;
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;

use super::reader::{Fields, fault};
use super::{Server, Transport};
use crate::limits::{MAX_HOST_BYTES, MAX_SERVERS};

const LDAP_PORT: u16 = 389;
const LDAPS_PORT: u16 = 636;

/// `host`, `port`, `ssl`, `startTls` and `insecure`.
pub(super) fn read(fields: &Fields) -> Result<(Vec<Server>, Transport), RealmFault> {
    let is_ldaps = fields.boolean("ssl")?.unwrap_or(false);
    let is_upgraded = fields.boolean("startTls")?.unwrap_or(false);
    let is_insecure = fields.boolean("insecure")?.unwrap_or(false);
    let transport = match (is_ldaps, is_upgraded) {
        (false, false) => Transport::Plain,
        (false, true) => Transport::StartTls,
        (true, false) => Transport::Ldaps,
        (true, true) => {
            return Err(fault("startTls", "cannot be with ssl, which has TLS from the first byte"));
        }
    };
    if is_insecure && transport != Transport::Plain {
        return Err(fault("insecure", "means nothing with ssl or startTls"));
    }
    let standard = if is_ldaps { LDAPS_PORT } else { LDAP_PORT };
    let port = fields.number("port", 1..=u64::from(u16::MAX))?;
    let port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(standard);
    let servers = hosts(fields, port)?;
    if transport == Transport::Plain
        && !is_insecure
        && let Some(server) = servers.iter().find(|server| !is_this_machine(&server.host))
    {
        let why = format!(
            "passwords would travel to {server} in clear: set ssl or startTls (or insecure, where that is meant)"
        );
        return Err(fault("ssl", why));
    }
    Ok((servers, transport))
}

fn hosts(fields: &Fields, port: u16) -> Result<Vec<Server>, RealmFault> {
    const FORM: &str = "is neither a text nor a list of texts";
    let texts = match fields.value("host") {
        None => return Err(fault("host", "is missing: the name or the address of the directory's server")),
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(list)) => {
            list.iter().map(Value::as_str).collect::<Option<_>>().ok_or_else(|| fault("host", FORM))?
        }
        Some(_) => return Err(fault("host", FORM)),
    };
    if texts.is_empty() {
        return Err(fault("host", "is an empty list"));
    }
    if texts.len() > MAX_SERVERS {
        return Err(fault("host", format!("has more than {MAX_SERVERS} servers")));
    }
    let mut servers: Vec<Server> = Vec::with_capacity(texts.len());
    for text in texts {
        let server = host(text, port).map_err(|why| fault("host", format!("{text:?} {why}")))?;
        if servers.contains(&server) {
            return Err(fault("host", format!("{server} is there twice")));
        }
        servers.push(server);
    }
    Ok(servers)
}

/// `name`, `name:port`, `address`, `address:port`, `[address]:port`.
fn host(text: &str, standard: u16) -> Result<Server, String> {
    if text.contains("//") {
        return Err("is a URL; here stands the host alone, and ssl for ldaps:".to_owned());
    }
    let bare = text.parse::<IpAddr>().is_ok();
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !bare && !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port = match port.map(str::parse::<u16>) {
        None => standard,
        Some(Ok(port)) if port > 0 => port,
        Some(_) => return Err("has no port from 1 to 65535 behind the colon".to_owned()),
    };
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inner) if inner.parse::<std::net::Ipv6Addr>().is_ok() => inner,
        Some(_) => return Err("has no IPv6 address in its brackets".to_owned()),
        None => host,
    };
    if host.len() > MAX_HOST_BYTES {
        return Err(format!("has more than {MAX_HOST_BYTES} bytes"));
    }
    match ServerName::try_from(host) {
        Ok(_) => Ok(Server { host: Box::from(host.to_ascii_lowercase()), port }),
        Err(_) => Err("is neither a host's name nor an address".to_owned()),
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// `ca`: the certificates that servers' certificates may come from.
pub(super) fn read_trusted(
    fields: &Fields,
    transport: Transport,
) -> Result<Option<Vec<CertificateDer<'static>>>, RealmFault> {
    let Some(text) = fields.text("ca")? else { return Ok(None) };
    if transport == Transport::Plain {
        return Err(fault("ca", "means nothing without ssl or startTls"));
    }
    if text.contains("PRIVATE KEY") {
        return Err(fault("ca", "holds a private key, which nobody needs here"));
    }
    let mut certificates = Vec::new();
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        let certificate = certificate.map_err(|problem| fault("ca", format!("is no PEM: {problem}")))?;
        store.add(certificate.clone()).map_err(|problem| {
            let count = certificates.len() + 1;
            fault("ca", format!("its certificate {count} cannot be used: {problem}"))
        })?;
        certificates.push(certificate);
    }
    if certificates.is_empty() {
        return Err(fault("ca", "holds no certificate in PEM form"));
    }
    Ok(Some(certificates))
}
