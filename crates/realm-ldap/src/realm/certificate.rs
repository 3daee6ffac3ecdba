//! What a server's certificate says, for operators.
//!
//! Called by `rehearsal.rs`. Must never decide anything: whether the certificate is good, rustls has said before.

use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Whom it is for, who issued it, until when.
pub(super) fn described(certificate: &[u8]) -> String {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return "its certificate is good, and cannot be read here".to_owned();
    };
    let names = certificate.subject_alternative_name().ok().flatten();
    let names: Vec<String> =
        names.iter().flat_map(|names| &names.value.general_names).filter_map(name).collect();
    let whom = if names.is_empty() { certificate.subject().to_string() } else { names.join(", ") };
    let until = certificate.validity().not_after;
    format!("a good certificate for {whom}, issued by {}, until {until}", certificate.issuer())
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes {
            [a, b, c, d] => Some(std::net::Ipv4Addr::new(*a, *b, *c, *d).to_string()),
            bytes => {
                <[u8; 16]>::try_from(*bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string())
            }
        },
        _ => None,
    }
}
