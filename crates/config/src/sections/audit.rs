//! `[audit]`: where the audit log goes besides the store, and how long it stays there. `settings.rs` reads it, the wiring acts
//! on it. There must never be a setting that switches the log in the store off.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::document::reader::{Reader, not_empty};
use crate::document::tree::under;
use crate::limits::AUDIT_KEEP;
use crate::value::Fault;

pub(crate) const KEYS: &[&str] = &["file", "keep"];

/// The word for the standard output in place of a file.
const STANDARD_OUTPUT: &str = "-";

/// Where a copy of each audit line is written, as JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AuditFile {
    /// To the standard output.
    Stdout,
    /// To this file, at its end. A relative one is seen from the folder of the settings file.
    Path(PathBuf),
}

/// What happens to audit lines besides being kept in the store, where they always are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Audit {
    /// Where a copy goes; `None` = nowhere, the default.
    pub file: Option<AuditFile>,
    /// How long lines stay in the store, 1 to 3,650 days; 400 days by default: more than a year, so that an audit that
    /// comes once a year finds the whole of it.
    pub keep: Duration,
}

impl Default for Audit {
    fn default() -> Self {
        Self { file: None, keep: Duration::from_secs(400 * 24 * 60 * 60) }
    }
}

pub(crate) fn read(mut reader: Reader<'_>, folder: &Path) -> Audit {
    let standard = Audit::default();
    let audit = Audit {
        file: reader.take_parsed("file", |text| parse_file(text, folder)).given(),
        keep: reader.take_duration("keep", AUDIT_KEEP, "").or(standard.keep),
    };
    reader.finish();
    audit
}

fn parse_file(text: &str, folder: &Path) -> Result<AuditFile, Fault> {
    match not_empty(text)? {
        STANDARD_OUTPUT => Ok(AuditFile::Stdout),
        text if text.ends_with('/') => Err(Fault::new("is the name of a folder: the copy is one file")),
        text => Ok(AuditFile::Path(under(folder, text))),
    }
}
