//! LDIF (RFC 2849) that carries any byte, and values inside DNs (RFC 4514).
//!
//! Called by `people`, `slapd` and `samba`. Must never write a value in the clear, where a space, a newline or a byte
//! above 127 would change it: every value is base64. It is the second opinion on escaping, so the realm's own code
//! must never be used here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// An entry of a directory: its DN and its attributes in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    dn: String,
    attributes: Vec<(String, Vec<u8>)>,
}

impl Entry {
    /// An entry with these object classes.
    #[must_use]
    pub fn new(dn: &str, classes: &[&str]) -> Self {
        let attributes = classes.iter().map(|class| ("objectClass".to_owned(), class.as_bytes().to_vec()));
        Self { dn: dn.to_owned(), attributes: attributes.collect() }
    }

    /// One more value of this attribute.
    #[must_use]
    pub fn with(mut self, attribute: &str, value: impl AsRef<[u8]>) -> Self {
        self.attributes.push((attribute.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// The entry as LDIF with the empty line after it; no `changetype`, so that `slapadd` and `ldapadd` both take it.
    #[must_use]
    pub fn ldif(&self) -> String {
        let mut text = line("dn", self.dn.as_bytes());
        for (attribute, value) in &self.attributes {
            text.push_str(&line(attribute, value));
        }
        text.push('\n');
        text
    }
}

/// `name:: BASE64`, with its newline.
pub(crate) fn line(name: &str, value: &[u8]) -> String {
    format!("{name}:: {}\n", STANDARD.encode(value))
}

/// What a line of LDIF says, if it says something of `name` (compared as the servers do, without case).
pub(crate) fn value_of(line: &str, name: &str) -> Option<Vec<u8>> {
    let (own, rest) = line.split_once(':')?;
    if !own.eq_ignore_ascii_case(name) {
        return None;
    }
    match rest.strip_prefix(':') {
        Some(encoded) => STANDARD.decode(encoded.trim()).ok(),
        None => Some(rest.trim_start().as_bytes().to_vec()),
    }
}

/// A record that changes one attribute: `how` is `add`, `replace` or `delete` (all values where none is given).
pub(crate) fn change(dn: &str, how: &str, attribute: &str, values: &[&[u8]]) -> String {
    let mut text = line("dn", dn.as_bytes());
    text.push_str(&format!("changetype: modify\n{how}: {attribute}\n"));
    for value in values {
        text.push_str(&line(attribute, value));
    }
    text.push_str("-\n\n");
    text
}

/// A record that deletes an entry.
pub(crate) fn deletion(dn: &str) -> String {
    format!("{}changetype: delete\n\n", line("dn", dn.as_bytes()))
}

/// A value as it stands inside a DN: whatever is not a letter or digit of ASCII is written as `\XX`, byte by byte,
/// which RFC 4514 section 2.4 allows for every byte.
#[must_use]
pub fn escape_dn_value(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("\\{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_carries_any_byte() {
        let entry = Entry::new("cn=a", &["top"]).with("userPassword", b"\0 \n\xff");
        assert_eq!(entry.ldif(), "dn:: Y249YQ==\nobjectClass:: dG9w\nuserPassword:: ACAK/w==\n\n");
        assert_eq!(value_of("userpassword:: ACAK/w==", "userPassword"), Some(b"\0 \n\xff".to_vec()));
        assert_eq!(value_of("uid: alice", "uid"), Some(b"alice".to_vec()));
        assert_eq!(value_of("uidNumber: 1", "uid"), None);
    }

    #[test]
    fn values_are_escaped_inside_dns() {
        assert_eq!(escape_dn_value("Ann, é\0"), "Ann\\2C\\20\\C3\\A9\\00");
    }
}
