//! The audit log's lines: what happened, as it is kept for those who ask a year later. Stores chain them; nothing here
//! decides what is worth a line (that is `audit.rs`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::clock::Moment;

/// An event on its way into the log. Holds no secret: [`crate::Event`] has no field for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When it happened.
    pub at: Moment,
    /// The event's stable word: `login`, `session_ended` …
    pub event: Cow<'static, str>,
    /// What is known of it, in dotted names: `user.id`, `client.address` …
    pub fields: BTreeMap<Cow<'static, str>, Box<str>>,
}

/// The place of a line in the chain: SHA-256 over the place of the line before and over the line itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditHash(pub [u8; 32]);

impl AuditHash {
    /// What the first line follows.
    pub const GENESIS: Self = Self([0; 32]);

    /// The place of a line that follows this one. Every part goes in with its length before it, so that no two lines
    /// make the same bytes.
    #[must_use]
    pub fn followed_by(&self, sequence: u64, entry: &AuditEntry) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(sequence.to_be_bytes());
        hash.update(entry.at.as_millis().to_be_bytes());
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        };
        part(&entry.event);
        for (name, value) in &entry.fields {
            part(name);
            part(value);
        }
        Self(hash.finalize().into())
    }
}

impl std::fmt::Display for AuditHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its number: the first line is 1, and none is left out.
    pub sequence: u64,
    /// What it says.
    pub entry: AuditEntry,
    /// Its place in the chain.
    pub hash: AuditHash,
}

/// Which lines are asked for. `None` does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The event's word.
    pub event: Option<String>,
    /// Fields that have exactly this value.
    pub fields: Vec<(&'static str, String)>,
    /// At or after this.
    pub since: Option<Moment>,
    /// Before this.
    pub until: Option<Moment>,
    /// Beyond this line, in the order that is asked for.
    pub after: Option<u64>,
    /// Oldest first instead of newest first.
    pub oldest_first: bool,
    /// At most so many; 1 or more.
    pub limit: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(event: &'static str, fields: &[(&'static str, &str)]) -> AuditEntry {
        AuditEntry {
            at: Moment::from_millis(7),
            event: Cow::Borrowed(event),
            fields: fields.iter().map(|&(name, value)| (Cow::Borrowed(name), Box::from(value))).collect(),
        }
    }

    #[test]
    fn case_27_no_two_lines_make_the_same_bytes() {
        let place = |entry| AuditHash::GENESIS.followed_by(1, &entry);
        assert_ne!(place(entry("ab", &[])), place(entry("a", &[("b", "")])));
        assert_ne!(place(entry("a", &[("b", "c")])), place(entry("a", &[("bc", "")])));
        assert_ne!(place(entry("a", &[("b", "c")])), place(entry("a", &[("b", ""), ("c", "")])));
    }

    #[test]
    fn a_place_depends_on_all_that_was_before() {
        let first = AuditHash::GENESIS.followed_by(1, &entry("a", &[]));
        let other = AuditHash::GENESIS.followed_by(1, &entry("b", &[]));
        assert_ne!(first.followed_by(2, &entry("c", &[])), other.followed_by(2, &entry("c", &[])));
        assert_ne!(first, AuditHash::GENESIS.followed_by(2, &entry("a", &[])));
    }
}
