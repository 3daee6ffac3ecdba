//! Lines of the audit log as rows.
//!
//! Called by `group.rs` (entries to rows) and by `read.rs` and `verify.rs` (rows to records). Must never judge whether a line
//! is in its place: that is `verify.rs`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use auth::{AuditEntry, AuditHash, AuditRecord, Moment, StoreError};
use sqlx::sqlite::SqliteRow;

use super::chain::Place;
use crate::rows::{Bound, Reading};

/// A line to be written.
pub(crate) struct AuditRow<'a> {
    entry: &'a AuditEntry,
    place: Place,
}

impl<'a> AuditRow<'a> {
    /// The line `entry` in `place`.
    pub(crate) const fn new(entry: &'a AuditEntry, place: Place) -> Self {
        Self { entry, place }
    }

    /// Binds the columns in the order of `statements::INSERT_AUDIT`.
    pub(crate) fn bind<'q>(&self, query: Bound<'q>) -> Bound<'q> {
        query
            .bind(self.place.sequence.cast_signed())
            .bind(millis(self.entry.at))
            .bind(self.entry.event.clone().into_owned())
            .bind(written(&self.entry.fields))
            .bind(self.place.hash.0.to_vec())
    }
}

/// A line's time as it is stored. The inbox lets none in that does not fit.
pub(crate) fn millis(moment: Moment) -> i64 {
    i64::try_from(moment.as_millis()).unwrap_or(i64::MAX)
}

/// Fields as they are stored: texts by name, which always are JSON.
fn written(fields: &BTreeMap<Cow<'static, str>, Box<str>>) -> String {
    serde_json::to_string(fields).unwrap_or_default()
}

/// The line of a row of `statements::AUDIT_FORWARDS`.
pub(crate) fn read_line(row: &SqliteRow) -> Result<AuditRecord, StoreError> {
    let mut reading = Reading { table: "audit", key: "?".to_owned(), row };
    let sequence: i64 = reading.column("sequence")?;
    reading.key = sequence.to_string();
    let event: &str = reading.column("event")?;
    let hash: &[u8] = reading.column("hash")?;
    let fields: BTreeMap<Cow<'static, str>, Box<str>> = reading.json("fields")?;
    Ok(AuditRecord {
        sequence: sequence.try_into().map_err(|_| reading.fault("its number is negative"))?,
        entry: AuditEntry { at: reading.moment("at")?, event: Cow::Owned(event.to_owned()), fields },
        hash: AuditHash(hash.try_into().map_err(|_| reading.fault("hash: not 32 bytes"))?),
    })
}

/// Whether the row is written as this server writes `record`: the same content in other words is a line that was changed.
pub(crate) fn is_as_written(row: &SqliteRow, record: &AuditRecord) -> Result<bool, StoreError> {
    let reading = Reading { table: "audit", key: record.sequence.to_string(), row };
    Ok(reading.column::<&str>("fields")? == written(&record.entry.fields))
}
