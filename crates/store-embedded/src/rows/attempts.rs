//! Login counters as rows.
//!
//! Called by `store.rs` (records to rows) and `reader.rs` (rows to records). Must never lose a counter: a row that cannot be
//! read is an error (security.md case 15).

use std::net::IpAddr;

use auth::{AttemptRecord, Moment, StoreError};
use sqlx::sqlite::SqliteRow;

use super::{Bound, Reading, millis};
use crate::seal::Seal;

/// A counter's row to be written.
pub(crate) struct AttemptsRow {
    record: AttemptRecord,
    since: i64,
    paused_until: i64,
    known: String,
    last_known: Option<i64>,
    seal: i64,
}

fn seal(name: &str, numbers: [i64; 4], known: &str) -> i64 {
    numbers.into_iter().fold(Seal::of("attempts").text(name), Seal::number).text(known).finish()
}

impl AttemptsRow {
    pub(crate) fn new(record: AttemptRecord) -> Result<Self, StoreError> {
        let mut known = Vec::with_capacity(record.known.len());
        for (address, seen) in &record.known {
            known.push((address, millis(*seen, "a known address's time")?));
        }
        let mut row = Self {
            since: millis(record.since, "the start of a login counter")?,
            paused_until: millis(record.paused_until, "the end of a login pause")?,
            last_known: known.iter().map(|(_, seen)| *seen).max(),
            known: serde_json::to_string(&known)
                .map_err(|error| StoreError(format!("known addresses cannot be written as JSON: {error}")))?,
            seal: 0,
            record,
        };
        let numbers = [row.record.failures.into(), row.since, row.paused_until, row.record.pauses.into()];
        row.seal = seal(&row.record.key, numbers, &row.known);
        Ok(row)
    }

    /// The key.
    pub(crate) fn key(&self) -> &str {
        &self.record.key
    }

    /// Binds the columns in the order of `statements::PUT_ATTEMPTS`.
    pub(crate) fn bind<'q>(&self, query: Bound<'q>) -> Bound<'q> {
        query
            .bind(self.record.key.to_string())
            .bind(i64::from(self.record.failures))
            .bind(self.since)
            .bind(self.paused_until)
            .bind(i64::from(self.record.pauses))
            .bind(self.known.clone())
            .bind(self.last_known)
            .bind(self.seal)
    }
}

/// A counter of a row of `statements::ATTEMPTS`.
pub(crate) fn read_attempts(row: &SqliteRow) -> Result<AttemptRecord, StoreError> {
    let mut reading = Reading { table: "attempts", key: "?".to_owned(), row };
    let name: &str = reading.column("name")?;
    reading.key = format!("{name:?}");
    let (failures, pauses): (i64, i64) = (reading.column("failures")?, reading.column("pauses")?);
    let numbers = [failures, reading.column("since")?, reading.column("paused_until")?, pauses];
    reading.sealed_with(seal(name, numbers, reading.column("known")?))?;
    let known: Vec<(IpAddr, u64)> = reading.json("known")?;
    let count = |number: i64| u32::try_from(number).map_err(|_| reading.fault("a count is out of range"));
    Ok(AttemptRecord {
        key: Box::from(name),
        failures: count(failures)?,
        since: reading.moment("since")?,
        paused_until: reading.moment("paused_until")?,
        pauses: count(pauses)?,
        known: known.into_iter().map(|(address, seen)| (address, Moment::from_millis(seen))).collect(),
    })
}
