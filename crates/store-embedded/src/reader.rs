//! Reading beside the writer: one connection for single look-ups and the directory, one for the audit log.
//!
//! Called by `store.rs` and `backup.rs`. Must never write.

use std::path::PathBuf;

use auth::{AttemptRecord, AuditFilter, AuditRecord, DirectoryImage, SessionRecord, StoreError, TokenHash};
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, SqliteConnection};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, MutexGuard};

use crate::audit;
use crate::engine::{self, Use, fault};
use crate::rows::app::read_app;
use crate::rows::attempts::read_attempts;
use crate::rows::directory::{read_initialised, read_role, read_user};
use crate::rows::key::read_key;
use crate::rows::key_ring::read_key_ring;
use crate::rows::realm::read_realm;
use crate::scan::{self, Take};
use crate::statements;
use crate::tally::{Table, Tally};

/// Fewer bytes than a session has in the file.
const LEAST_SESSION_BYTES: u64 = 128;

/// Reads one store file.
pub(crate) struct Reader {
    file: PathBuf,
    /// Where connections are opened, whoever asks.
    runtime: Handle,
    connection: Mutex<Option<SqliteConnection>>,
    /// For the audit log alone: a long search must not hold a look-up up.
    for_audit: Mutex<Option<SqliteConnection>>,
}

impl Reader {
    /// A reader of `file`, which is opened when it is needed. Called on the runtime that outlives it.
    pub(crate) fn new(file: PathBuf) -> Self {
        Self { file, runtime: Handle::current(), connection: Mutex::new(None), for_audit: Mutex::new(None) }
    }

    /// Closes the file.
    pub(crate) async fn close(&self) {
        for place in [&self.connection, &self.for_audit] {
            if let Some(connection) = place.lock().await.take() {
                let _ = connection.close().await;
            }
        }
    }

    /// A connection, taken out of its place: it is put back by who finds it in order.
    async fn take<'a>(
        &self,
        place: &'a Mutex<Option<SqliteConnection>>,
    ) -> Result<(MutexGuard<'a, Option<SqliteConnection>>, SqliteConnection), StoreError> {
        let mut place = place.lock().await;
        let connection = match place.take() {
            Some(connection) => connection,
            None => engine::connect_on(&self.runtime, &self.file, Use::Read).await?,
        };
        Ok((place, connection))
    }

    /// One session.
    pub(crate) async fn find(&self, token: TokenHash) -> Result<Option<SessionRecord>, StoreError> {
        let (mut place, mut connection) = self.take(&self.connection).await?;
        let found = scan::find(&mut connection, token).await?;
        *place = Some(connection);
        Ok(found)
    }

    /// How many sessions there are, by what the file says of itself: never more than it has room for.
    pub(crate) async fn session_count(&self) -> Result<u64, StoreError> {
        let (mut place, mut connection) = self.take(&self.connection).await?;
        let tally = Tally::read(&mut connection, Table::Sessions).await?;
        *place = Some(connection);
        let size = std::fs::metadata(&self.file).map_or(0, |file| file.len());
        Ok(tally.count().min(size / LEAST_SESSION_BYTES))
    }

    /// Every session.
    pub(crate) async fn sessions(&self, take: Take<'_>) -> Result<(), StoreError> {
        scan::load(&self.file, take).await
    }

    /// The directory as it was at one moment.
    pub(crate) async fn directory(&self) -> Result<DirectoryImage, StoreError> {
        let (mut place, mut connection) = self.take(&self.connection).await?;
        let image = read_directory(&mut connection).await?;
        *place = Some(connection);
        Ok(image)
    }

    /// Lines of the audit log.
    pub(crate) async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditRecord>, StoreError> {
        let (mut place, mut connection) = self.take(&self.for_audit).await?;
        let lines = audit::read::read(&mut connection, filter).await?;
        *place = Some(connection);
        Ok(lines)
    }

    /// Every login counter.
    pub(crate) async fn attempts(&self) -> Result<Vec<AttemptRecord>, StoreError> {
        let (mut place, mut connection) = self.take(&self.connection).await?;
        let rows = sqlx::query(statements::ATTEMPTS)
            .fetch_all(&mut connection)
            .await
            .map_err(|error| fault("read login counters", &error))?;
        let attempts = rows.iter().map(read_attempts).collect::<Result<_, _>>()?;
        *place = Some(connection);
        Ok(attempts)
    }
}

async fn read_directory(connection: &mut SqliteConnection) -> Result<DirectoryImage, StoreError> {
    let fail = |error: sqlx::Error| fault("read the directory", &error);
    let mut snapshot = connection.begin().await.map_err(fail)?;
    let keys = read_table(&mut snapshot, Table::ApiKeys, statements::KEYS, read_key).await?;
    let key_uses = keys.iter().filter_map(|(key, used)| Some((key.id, (*used)?))).collect();
    let image = DirectoryImage {
        users: read_table(&mut snapshot, Table::Users, statements::USERS, read_user).await?,
        roles: read_table(&mut snapshot, Table::Roles, statements::ROLES, read_role).await?,
        realms: read_table(&mut snapshot, Table::Realms, statements::REALMS, read_realm).await?,
        apps: read_table(&mut snapshot, Table::Apps, statements::APPS, read_app).await?,
        keys: keys.into_iter().map(|(key, _)| key).collect(),
        key_uses,
        initialised: read_table(
            &mut snapshot,
            Table::Installation,
            statements::INITIALISED,
            read_initialised,
        )
        .await?
        .pop(),
        key_ring: read_table(&mut snapshot, Table::KeyRing, statements::KEY_RING, read_key_ring).await?.pop(),
    };
    snapshot.rollback().await.map_err(fail)?;
    Ok(image)
}

/// Every row of a table, held against its tally.
pub(crate) async fn read_table<T>(
    connection: &mut SqliteConnection,
    table: Table,
    statement: &'static str,
    read: impl Fn(&SqliteRow) -> Result<(T, i64), StoreError>,
) -> Result<Vec<T>, StoreError> {
    let rows = sqlx::query(statement).fetch_all(&mut *connection).await;
    let rows = rows.map_err(|error| fault("read the directory", &error))?;
    let (mut records, mut tally) = (Vec::with_capacity(rows.len()), Tally::default());
    for row in &rows {
        let (record, seal) = read(row)?;
        records.push(record);
        tally.add(seal);
    }
    Tally::read(connection, table).await?.matches(tally, table)?;
    Ok(records)
}
