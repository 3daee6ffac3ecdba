//! `[mount.attribute_headers]`: which header field tells the backend what of what a realm says of a user. `mount.rs` reads it. It
//! must never name a field by which HTTP itself, or the gateway, says something else.

use crate::document::reader::shown;
use crate::document::tree::{Section, Value};
use crate::limits::{MAX_ATTRIBUTE_HEADERS, MAX_HEADER_NAME_BYTES};
use crate::mistake::Report;

/// Names that HTTP, the session or the gateway's own word about the user already has. Prefixes end with `-`. Every name that the
/// gateway knows is here, also below a prefix, as a backend may read `ContentType` as `Content-Type`: the wiring has a test of it.
const TAKEN: [&str; 51] = [
    "accept-",
    "access-control-",
    "accept",
    "apikey",
    "authorization",
    "cache-control",
    "connection",
    "content-",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "fusion-",
    "host",
    "http2-settings",
    "if-",
    "jsessionid",
    "keep-alive",
    "location",
    "max-forwards",
    "origin",
    "prefer",
    "proxy-",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "referer",
    "sec-",
    "sec-fetch-site",
    "server",
    "session-ttl",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "www-authenticate",
    "x-api-key",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-realm",
    "x-forwarded-user",
    "x-forwarded-user-id",
    "x-real-ip",
];

/// Reads the table: the attribute's name and the field's, in the order of the attributes' names.
pub(crate) fn read(section: Section, report: &mut Report) -> Vec<(String, String)> {
    if section.entries.len() > MAX_ATTRIBUTE_HEADERS {
        let message = format!("has {} entries; {MAX_ATTRIBUTE_HEADERS} are allowed", section.entries.len());
        report.add(&section.key, message);
        return Vec::new();
    }
    let mut read: Vec<(String, String)> = Vec::new();
    for (attribute, entry) in &section.entries {
        let key = section.full_key(attribute);
        let name = match &entry.value {
            Value::Text(text, _) => text.as_str(),
            Value::Unreadable => continue,
            other => {
                report.add(&key, format!("{} is not the name of a header field", shown(other)));
                continue;
            }
        };
        match fault_of(name, &shown(&entry.value), &read) {
            Some(fault) => report.add(&key, fault),
            None => read.push((attribute.clone(), name.to_owned())),
        }
    }
    read
}

/// What is wrong with the name of a field, which is told as `told`.
fn fault_of(name: &str, told: &str, others: &[(String, String)]) -> Option<String> {
    if !is_field_name(name) {
        return Some(format!(
            "{told} is no name for it: letters, digits and -, at most {MAX_HEADER_NAME_BYTES}, such as \"X-User-Mail\""
        ));
    }
    if is_taken(name) {
        return Some(format!("{told} says something else already"));
    }
    let same = |(_, other): &&(String, String)| other.eq_ignore_ascii_case(name);
    others.iter().find(same).map(|(attribute, _)| format!("{told} tells {attribute:?} already"))
}

/// Whether this can be the name of a field that we tell backends something in.
pub(crate) fn is_field_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !name.is_empty() && name.len() <= MAX_HEADER_NAME_BYTES && name.chars().all(is_plain)
}

/// Whether a field of this name, or of one that a backend could read as this one, says something else already.
pub(crate) fn is_taken(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let letters = |name: &str| name.replace('-', "");
    TAKEN.iter().any(|taken| {
        if taken.ends_with('-') { lower.starts_with(taken) } else { letters(&lower) == letters(taken) }
    })
}
