//! Records as rows and rows as records.
//!
//! Called by the writer (records to rows) and the readers (rows to records). Must never pass over a row that it cannot read:
//! that is an error naming the table and the key.

pub(crate) mod app;
pub(crate) mod attempts;
pub(crate) mod directory;
pub(crate) mod end;
pub(crate) mod key;
pub(crate) mod key_ring;
pub(crate) mod realm;
pub(crate) mod session;

use std::fmt::Write;
use std::time::Duration;

use auth::{Moment, RoleName, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type};

/// A statement with what is bound to it.
pub(crate) type Bound<'q> = sqlx::query::Query<'q, Sqlite, sqlx::sqlite::SqliteArguments>;

/// A moment as stores keep it.
pub(crate) fn millis(moment: Moment, what: &str) -> Result<i64, StoreError> {
    i64::try_from(moment.as_millis())
        .map_err(|_| StoreError(format!("{what} is too far in the future to be stored")))
}

/// A span as stores keep it, in whole milliseconds.
pub(crate) fn span_millis(span: Duration, what: &str) -> Result<i64, StoreError> {
    i64::try_from(span.as_millis()).map_err(|_| StoreError(format!("{what} is too long to be stored")))
}

/// A list as stores keep it.
pub(crate) fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError(format!("cannot be written as JSON: {error}")))
}

/// A key as errors show it: the first bytes.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A row on its way to a record, which knows what to call itself in an error.
pub(crate) struct Reading<'r> {
    /// The table.
    pub(crate) table: &'static str,
    /// The key, for people.
    pub(crate) key: String,
    /// The row.
    pub(crate) row: &'r SqliteRow,
}

impl<'r> Reading<'r> {
    /// The value of a column.
    pub(crate) fn column<T>(&self, name: &str) -> Result<T, StoreError>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite>,
    {
        self.row.try_get(name).map_err(|error| self.fault(&format!("{name}: {error}")))
    }

    /// A moment.
    pub(crate) fn moment(&self, name: &str) -> Result<Moment, StoreError> {
        let millis: i64 = self.column(name)?;
        u64::try_from(millis).map(Moment::from_millis).map_err(|_| self.fault(&format!("{name} is negative")))
    }

    /// A value written in JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, StoreError> {
        serde_json::from_str(self.column(name)?).map_err(|error| self.fault(&format!("{name}: {error}")))
    }

    /// Names of roles written in JSON.
    pub(crate) fn role_names(&self, name: &str) -> Result<Vec<RoleName>, StoreError> {
        let names: Vec<String> = self.json(name)?;
        let parse =
            |role: &String| RoleName::parse(role).map_err(|fault| self.fault(&format!("{name}: {fault}")));
        names.iter().map(parse).collect()
    }

    /// Whether the row is the one that was written.
    pub(crate) fn sealed_with(&self, seal: i64) -> Result<i64, StoreError> {
        if self.column::<i64>("seal")? == seal {
            Ok(seal)
        } else {
            Err(self.fault("its checksum is wrong: the file was damaged, or changed by hand"))
        }
    }

    /// That this row cannot be read.
    pub(crate) fn fault(&self, fault: &str) -> StoreError {
        StoreError(format!("table {}, record {}: {fault}", self.table, self.key))
    }
}
