//! Settings and users of other products, made into ours. `doorward import FILE` calls this and prints what comes out. It must
//! never repeat a value that it does not use: those files hold passwords.

mod htpasswd;
mod properties;
mod settings_text;
mod values_yaml;

#[cfg(test)]
mod tests;

use std::path::Path;

use auth::PasswordHash;

use crate::environment::{Environment, System, reason};
use crate::limits::MAX_IMPORT_BYTES;

/// What an import made, and what it left.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Imported {
    /// Settings or users.
    pub product: Product,
    /// What of the file was not used, or not taken as it stood, one sentence each, for stderr. Names and lines, no values.
    pub unused: Vec<String>,
}

/// What an import made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Product {
    /// A settings file of this project, complete: `Settings::parse` accepts it.
    Settings(String),
    /// Users for the realm `native`.
    Users(Vec<ImportedUser>),
}

/// A user of another product.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImportedUser {
    /// The name as it stood there.
    pub name: String,
    /// The line it stood in, from 1.
    pub line: usize,
    /// What is known of the password.
    pub password: ImportedPassword,
}

/// What is known of an imported user's password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ImportedPassword {
    /// An Argon2id hash in PHC form, which the native realm can verify.
    Argon2id(PasswordHash),
    /// A hash of this kind, which cannot be verified here: the user needs a new password.
    Unusable(&'static str),
}

/// Why nothing could be imported.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ImportError {
    /// The file could not be read.
    #[error("{file}: cannot be read: {reason}")]
    Unreadable {
        /// The file as it was named.
        file: String,
        /// What the system says.
        reason: String,
    },
    /// It is none of the files that can be imported.
    #[error("{file}: is neither fusion.properties nor values.yaml nor an htpasswd file")]
    Unknown {
        /// The file as it was named.
        file: String,
    },
    /// A line cannot be understood.
    #[error("{file}:{line}: {message}")]
    Malformed {
        /// The file as it was named.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it, without quoting it.
        message: String,
    },
}

/// A line that cannot be understood, before the file's name is known.
#[derive(Debug)]
struct BadLine {
    line: usize,
    message: String,
}

impl BadLine {
    fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

/// Reads the file at `path` and makes settings or users of it.
///
/// # Errors
/// [`ImportError`] says why there is nothing to take from it.
pub fn read(path: &Path) -> Result<Imported, ImportError> {
    let file = path.display().to_string();
    let bytes = System
        .read(path, MAX_IMPORT_BYTES)
        .map_err(|error| ImportError::Unreadable { file: file.clone(), reason: reason(&error) })?;
    // Java reads properties as ISO 8859-1, where each byte is a character of the same number.
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| error.as_bytes().iter().map(|byte| char::from(*byte)).collect());
    convert(&file, &text)
}

/// Makes settings or users of `text`, the content of `file`. The name of the file decides what it is; if it is none of the
/// usual names, the content does.
///
/// # Errors
/// [`ImportError`] says why there is nothing to take from it.
pub fn convert(file: &str, text: &str) -> Result<Imported, ImportError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let kind = Kind::of_name(file).or_else(|| Kind::of_content(text));
    let made = match kind {
        None => {
            return Err(ImportError::Unknown { file: file.to_owned() });
        }
        Some(Kind::Properties) => properties::convert(file, text),
        Some(Kind::Values) => values_yaml::convert(file, text),
        Some(Kind::Htpasswd) => htpasswd::convert(text),
    };
    made.map_err(|BadLine { line, message }| ImportError::Malformed { file: file.to_owned(), line, message })
}

#[derive(Clone, Copy)]
enum Kind {
    Properties,
    Values,
    Htpasswd,
}

impl Kind {
    fn of_name(file: &str) -> Option<Self> {
        let name = file.rsplit(['/', '\\']).next().unwrap_or(file).to_ascii_lowercase();
        match name.rsplit_once('.').map_or(name.as_str(), |(_, extension)| extension) {
            "properties" => Some(Self::Properties),
            "yaml" | "yml" => Some(Self::Values),
            _ if name.contains("htpasswd") => Some(Self::Htpasswd),
            _ => None,
        }
    }

    fn of_content(text: &str) -> Option<Self> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let first = lines.clone().next()?;
        if lines.clone().any(|line| line.starts_with("proxy.") || line.starts_with("com.lucidworks.")) {
            return Some(Self::Properties);
        }
        if lines.any(|line| line.starts_with("api-gateway:") || line.starts_with("jwtExpirationSecs:")) {
            return Some(Self::Values);
        }
        let (name, hash) = first.split_once(':')?;
        let hashed = hash.starts_with(['$', '{']) || hash.len() == 13;
        (hashed && !name.contains(char::is_whitespace)).then_some(Self::Htpasswd)
    }
}
