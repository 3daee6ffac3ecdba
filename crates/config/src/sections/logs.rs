//! `[log]`: how the log looks. `settings.rs` reads it, the wiring acts on it. There must never be a setting that lets a
//! secret into the log.

use crate::document::reader::Reader;

pub(crate) const KEYS: &[&str] = &["format", "requests"];

/// What a log line looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// How the log looks and what is in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Log {
    /// What a line looks like; `auto` by default.
    pub format: LogFormat,
    /// Whether each request has a line; security events always have one. True by default.
    pub requests: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, requests: true }
    }
}

pub(crate) fn read(mut reader: Reader<'_>) -> Log {
    let standard = Log::default();
    let formats = [("auto", LogFormat::Auto), ("json", LogFormat::Json), ("text", LogFormat::Text)];
    let log = Log {
        format: reader.take_choice("format", &formats).or(standard.format),
        requests: reader.take_boolean("requests").or(standard.requests),
    };
    reader.finish();
    log
}
