//! How many rows each guarded table has, and all their seals combined.
//!
//! Called by `group.rs`, which keeps it, and by the readers, which hold what they read against it. Must never be written
//! outside the transaction that changes the rows.

use auth::StoreError;
use sqlx::{Row, SqliteConnection};

use crate::engine::fault;
use crate::statements;

/// The tables that are guarded. A missing login counter is no danger worth a refusal; a missing end of a session is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Table {
    ApiKeys,
    Apps,
    Ends,
    Installation,
    KeyRing,
    Realms,
    Roles,
    Sessions,
    Users,
}

impl Table {
    const ALL: [Self; 9] = [
        Self::ApiKeys,
        Self::Apps,
        Self::Ends,
        Self::Installation,
        Self::KeyRing,
        Self::Realms,
        Self::Roles,
        Self::Sessions,
        Self::Users,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::ApiKeys => "api_keys",
            Self::Apps => "apps",
            Self::Ends => "ends",
            Self::Installation => "installation",
            Self::KeyRing => "key_ring",
            Self::Realms => "realms",
            Self::Roles => "roles",
            Self::Sessions => "sessions",
            Self::Users => "users",
        }
    }
}

/// A number of rows and their seals, combined so that order does not count.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Tally {
    count: i64,
    seals: i64,
}

impl Tally {
    /// One row more.
    pub(crate) fn add(&mut self, seal: i64) {
        self.count += 1;
        self.seals ^= seal;
    }

    /// One row less.
    pub(crate) fn remove(&mut self, seal: i64) {
        self.count -= 1;
        self.seals ^= seal;
    }

    /// How many rows there are.
    pub(crate) fn count(self) -> u64 {
        u64::try_from(self.count).unwrap_or(0)
    }

    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { count: self.count + other.count, seals: self.seals ^ other.seals }
    }

    /// Reads the tally of `table`.
    pub(crate) async fn read(connection: &mut SqliteConnection, table: Table) -> Result<Self, StoreError> {
        let row = sqlx::query(statements::TALLY)
            .bind(table.name())
            .fetch_one(connection)
            .await
            .map_err(|error| fault("read the store's tallies", &error))?;
        let column = |name| row.try_get(name).map_err(|error| fault("read the store's tallies", &error));
        Ok(Self { count: column("count")?, seals: column("seals")? })
    }

    /// Refuses rows that are not the ones that were written.
    pub(crate) fn matches(self, read: Self, table: Table) -> Result<(), StoreError> {
        if self == read {
            return Ok(());
        }
        Err(StoreError(format!(
            "table {} has {} records where {} were written, or not the same ones: the file was damaged, or changed by hand",
            table.name(),
            read.count,
            self.count
        )))
    }
}

/// The tallies of all guarded tables, as the writer keeps them in memory beside the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tallies([Tally; Table::ALL.len()]);

impl Tallies {
    /// Reads them all.
    pub(crate) async fn read(connection: &mut SqliteConnection) -> Result<Self, StoreError> {
        let mut tallies = [Tally::default(); Table::ALL.len()];
        for (tally, table) in tallies.iter_mut().zip(Table::ALL) {
            *tally = Tally::read(connection, table).await?;
        }
        Ok(Self(tallies))
    }

    /// The tally of one table.
    pub(crate) fn of(&mut self, table: Table) -> &mut Tally {
        &mut self.0[table as usize]
    }

    /// Writes those that differ from `before`.
    pub(crate) async fn write(
        &self,
        connection: &mut SqliteConnection,
        before: &Self,
    ) -> Result<(), sqlx::Error> {
        for (place, table) in Table::ALL.into_iter().enumerate() {
            let tally = self.0[place];
            if tally != before.0[place] {
                let query =
                    sqlx::query(statements::PUT_TALLY).bind(table.name()).bind(tally.count).bind(tally.seals);
                query.execute(&mut *connection).await?;
            }
        }
        Ok(())
    }
}
