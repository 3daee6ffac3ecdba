//! Where settings come from besides the text: files and environment variables. `Settings::parse` asks here, so that
//! tests need neither. It must never interpret what it reads.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Files and environment variables, as the settings see them.
pub trait Environment {
    /// The environment variable `name`, if it is set.
    fn variable(&self, name: &str) -> Option<OsString>;

    /// The content of the file at `path`.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::FileTooLarge`] where the file is longer than `limit` bytes.
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>>;
}

/// The environment of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Environment for System {
    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        // One byte more than allowed tells "too long" apart from "just fits", also for pipes and devices without a size.
        File::open(path)?.take(limit as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {limit} bytes")));
        }
        Ok(bytes)
    }
}

/// The reason in `error` as words for a mistake, without the operating system's number.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}

/// Without the one newline at the end that editors and `echo` add, which is no part of a secret.
pub(crate) fn without_newline(text: &str) -> &str {
    text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text))
}

#[cfg(test)]
pub(crate) mod double {
    //! An environment made of two tables.

    use super::*;
    use std::collections::BTreeMap;

    /// What the settings of a test see.
    #[derive(Default)]
    pub(crate) struct Tables {
        pub(crate) variables: BTreeMap<String, String>,
        pub(crate) files: BTreeMap<String, Vec<u8>>,
    }

    impl Tables {
        pub(crate) fn with_variable(mut self, name: &str, value: &str) -> Self {
            self.variables.insert(name.to_owned(), value.to_owned());
            self
        }

        pub(crate) fn with_file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
            self.files.insert(path.to_owned(), content.into());
            self
        }
    }

    impl Environment for Tables {
        fn variable(&self, name: &str) -> Option<OsString> {
            self.variables.get(name).map(OsString::from)
        }

        fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
            let found = self.files.get(&*path.to_string_lossy()).ok_or(io::ErrorKind::NotFound)?;
            if found.len() > limit {
                return Err(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    format!("longer than {limit} bytes"),
                ));
            }
            Ok(found.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_be_exactly_as_long_as_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, b"12345").unwrap();
        assert_eq!(System.read(&path, 5).unwrap(), b"12345");
        assert_eq!(System.read(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(reason(&System.read(&folder.path().join("g"), 4).unwrap_err()), "there is no such file");
        assert_eq!(reason(&System.read(folder.path(), 4).unwrap_err()), "it is a folder");
    }
}
