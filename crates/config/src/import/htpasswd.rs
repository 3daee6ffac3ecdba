//! An htpasswd file: users and hashes. `import/mod.rs` calls this. Only Argon2id hashes can be verified here; the others are
//! named, never repeated.

use std::collections::BTreeSet;

use auth::PasswordHash;

use super::{BadLine, Imported, ImportedPassword, ImportedUser, Product};
use crate::limits::MAX_IMPORT_USERS;

pub(super) fn convert(text: &str) -> Result<Imported, BadLine> {
    let mut notes = Vec::new();
    let mut users = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, raw) in text.lines().enumerate() {
        let line = index + 1;
        let content = raw.trim_end();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let (name, rest) = content
            .split_once(':')
            .ok_or_else(|| BadLine::new(line, "has no colon between name and hash"))?;
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(BadLine::new(line, "has no valid user name"));
        }
        if !seen.insert(name.to_owned()) {
            notes.push(format!("line {line}: {name} stands here a second time and is not used"));
            continue;
        }
        if users.len() == MAX_IMPORT_USERS {
            return Err(BadLine::new(line, format!("more than {MAX_IMPORT_USERS} users")));
        }
        let hash = rest.split(':').next().unwrap_or_default();
        let password = password(hash);
        if let ImportedPassword::Unusable(kind) = password {
            notes.push(format!(
                "line {line}: {name} has {kind}, which cannot be verified here: set a new password"
            ));
        }
        users.push(ImportedUser { name: name.to_owned(), line, password });
    }
    Ok(Imported { product: Product::Users(users), unused: notes })
}

fn password(hash: &str) -> ImportedPassword {
    if hash.starts_with("$argon2id$") {
        return ImportedPassword::Argon2id(PasswordHash::from_phc(hash));
    }
    let kinds = [
        ("$argon2", "an Argon2 hash other than Argon2id"),
        ("$2", "a bcrypt hash"),
        ("$apr1$", "an MD5 hash"),
        ("$1$", "an MD5 hash"),
        ("$5$", "a SHA-256 crypt hash"),
        ("$6$", "a SHA-512 crypt hash"),
        ("$y$", "a yescrypt hash"),
        ("{SHA}", "a SHA-1 hash"),
        ("{SSHA}", "a salted SHA-1 hash"),
    ];
    let known = kinds.iter().find(|(prefix, _)| hash.starts_with(prefix)).map(|(_, kind)| *kind);
    let crypt =
        hash.len() == 13 && hash.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/'));
    ImportedPassword::Unusable(match known {
        Some(kind) => kind,
        None if hash.is_empty() => "no hash",
        None if crypt => "a DES crypt hash",
        None => "a hash of an unknown kind, or a password in clear",
    })
}
