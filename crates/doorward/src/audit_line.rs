//! A line of the audit log as JSON, for people and their tools outside of the store: written by `audit_copy.rs`, read back by
//! `doorward audit verify`. Must never write two lines for one, and never lose a byte of what is hashed.
//!
//! ```text
//! {"id":7,"at":"2025-05-28T14:05:15.123Z","event":"login","client.address":"192.0.2.1",…,"hash":"9f86…"}
//! ```
//! `hash` is SHA-256 over the hash of the line before, `id` and `at` (milliseconds since 1970) as eight bytes each, the highest
//! first, then the event, then each field's name and value in the order of the names' bytes; each text with its length
//! before it, as eight bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use auth::{AuditEntry, AuditHash, AuditRecord};
use serde_json::{Map, Value};

use crate::log::ascii_where_it_acts;

/// The keys that are no fields of the event. Events have no fields of these names.
const OWN: [&str; 4] = ["id", "at", "event", "hash"];

/// The line, without its end.
pub(crate) fn to_json(record: &AuditRecord) -> String {
    let mut line = Map::new();
    line.insert("id".to_owned(), Value::from(record.sequence));
    line.insert("at".to_owned(), Value::from(record.entry.at.precise()));
    line.insert("event".to_owned(), Value::from(&*record.entry.event));
    for (name, value) in &record.entry.fields {
        line.insert(name.clone().into_owned(), Value::from(&**value));
    }
    line.insert("hash".to_owned(), Value::from(record.hash.to_string()));
    ascii_where_it_acts(Value::Object(line).to_string())
}

/// What a line says; `None` where it is no whole line.
pub(crate) fn from_json(line: &[u8]) -> Option<AuditRecord> {
    let line: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let text = |name: &str| line.get(name)?.as_str();
    let mut fields = BTreeMap::new();
    for (name, value) in line.iter().filter(|(name, _)| !OWN.contains(&name.as_str())) {
        fields.insert(Cow::Owned(name.clone()), Box::from(value.as_str()?));
    }
    let entry =
        AuditEntry { at: text("at")?.parse().ok()?, event: Cow::Owned(text("event")?.to_owned()), fields };
    Some(AuditRecord { sequence: line.get("id")?.as_u64()?, entry, hash: hash(text("hash")?)? })
}

/// A hash as it is written: 64 hexadecimal digits.
pub(crate) fn hash(text: &str) -> Option<AuditHash> {
    let digits = text.as_bytes();
    let mut hash = [0; 32];
    if digits.len() != 2 * hash.len() {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16).filter(|_| !digit.is_ascii_uppercase());
        let value = digit(pair[0])? << 4 | digit(pair[1])?;
        *byte = u8::try_from(value).ok()?;
    }
    Some(AuditHash(hash))
}

#[cfg(test)]
mod tests {
    use auth::Moment;

    use super::*;

    fn record(fields: &[(&'static str, &str)]) -> AuditRecord {
        let entry = AuditEntry {
            at: Moment::from_millis(1_748_441_115_007),
            event: Cow::Borrowed("login"),
            fields: fields.iter().map(|&(name, value)| (Cow::Borrowed(name), Box::from(value))).collect(),
        };
        AuditRecord { sequence: 7, hash: AuditHash::GENESIS.followed_by(7, &entry), entry }
    }

    #[test]
    fn it_is_flat_and_in_order() {
        let record = record(&[("user.name", "alice"), ("client.address", "192.0.2.1")]);
        let hash = record.hash;
        assert_eq!(
            to_json(&record),
            format!(
                "{{\"id\":7,\"at\":\"2025-05-28T14:05:15.007Z\",\"event\":\"login\",\"client.address\":\"192.0.2.1\",\
                 \"user.name\":\"alice\",\"hash\":\"{hash}\"}}"
            )
        );
    }

    #[test]
    fn case_27_whatever_is_in_it_it_is_one_line_and_reads_back() {
        let nasty = "a\r\n{\"id\":8}\u{1b}[31m\u{2028}\u{85}\u{9b}\u{7f}\u{202e}\0\"\\ß\u{1f980}";
        let record = record(&[("user.name", nasty), ("detail", "")]);
        let line = to_json(&record);
        assert!(!line.chars().any(char::is_control) && !line.contains(['\u{2028}', '\u{202e}']), "{line}");
        let read = from_json(line.as_bytes()).unwrap();
        assert_eq!(read, record);
        assert_eq!(AuditHash::GENESIS.followed_by(7, &read.entry), record.hash);
    }

    #[test]
    fn what_is_no_whole_line_is_none() {
        let whole = to_json(&record(&[("user.name", "alice")]));
        for end in 0..whole.len() {
            assert_eq!(from_json(&whole.as_bytes()[..end]), None, "{end}");
        }
        for (from, to) in
            [("\"id\":7", "\"id\":-7"), ("\"alice\"", "1"), ("\"id\":7,", ""), ("\"at\":\"2", "\"at\":\"x")]
        {
            assert_eq!(from_json(whole.replace(from, to).as_bytes()), None, "{to}");
        }
    }

    #[test]
    fn a_hash_has_one_spelling() {
        let text = AuditHash([0xab; 32]).to_string();
        assert_eq!(hash(&text), Some(AuditHash([0xab; 32])));
        for wrong in [
            text.to_uppercase(),
            text[2..].to_owned(),
            format!("{text}00"),
            text.replace('a', "+"),
            String::new(),
        ] {
            assert_eq!(hash(&wrong), None, "{wrong}");
        }
    }
}
