//! Reading beside the writer: one connection for single look-ups and the directory.
//!
//! Called by `store.rs` and `backup.rs`. Must never write.

use std::path::PathBuf;

use auth::{AttemptRecord, DirectoryImage, SessionRecord, StoreError, TokenHash};
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

use crate::engine::{self, Use, fault};
use crate::rows::attempts::read_attempts;
use crate::rows::directory::{INITIALISED_KEY, read_initialised, read_role, read_user};
use crate::scan::{self, Take};
use crate::statements;
use crate::tally::{Table, Tally};

/// Reads one store file.
pub(crate) struct Reader {
    file: PathBuf,
    connection: Mutex<Option<SqliteConnection>>,
}

impl Reader {
    /// A reader of `file`, which is opened when it is needed.
    pub(crate) fn new(file: PathBuf) -> Self {
        Self { file, connection: Mutex::new(None) }
    }

    /// Closes the file.
    pub(crate) async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take() {
            let _ = connection.close().await;
        }
    }

    /// The connection, taken out of its place: it is put back by who finds it in order.
    async fn take(&self) -> Result<(MutexGuard<'_, Option<SqliteConnection>>, SqliteConnection), StoreError> {
        let mut place = self.connection.lock().await;
        let connection = match place.take() {
            Some(connection) => connection,
            None => engine::connect(&self.file, Use::Read).await?,
        };
        Ok((place, connection))
    }

    /// One session.
    pub(crate) async fn find(&self, token: TokenHash) -> Result<Option<SessionRecord>, StoreError> {
        let (mut place, mut connection) = self.take().await?;
        let found = scan::find(&mut connection, token).await?;
        *place = Some(connection);
        Ok(found)
    }

    /// Every session.
    pub(crate) async fn sessions(&self, take: Take<'_>) -> Result<(), StoreError> {
        scan::load(&self.file, take).await
    }

    /// Users, roles and the note of the setup, as they were at one moment.
    pub(crate) async fn directory(&self) -> Result<DirectoryImage, StoreError> {
        let (mut place, mut connection) = self.take().await?;
        let image = read_directory(&mut connection).await?;
        *place = Some(connection);
        Ok(image)
    }

    /// Every login counter.
    pub(crate) async fn attempts(&self) -> Result<Vec<AttemptRecord>, StoreError> {
        let (mut place, mut connection) = self.take().await?;
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
    let fail = |error: sqlx::Error| fault("read users and roles", &error);
    let mut snapshot = connection.begin().await.map_err(fail)?;
    let mut image = DirectoryImage::default();
    let mut read = Tally::default();
    for row in sqlx::query(statements::USERS).fetch_all(&mut *snapshot).await.map_err(fail)? {
        let (user, seal) = read_user(&row)?;
        image.users.push(user);
        read.add(seal);
    }
    Tally::read(&mut snapshot, Table::Users).await?.matches(std::mem::take(&mut read), Table::Users)?;
    for row in sqlx::query(statements::ROLES).fetch_all(&mut *snapshot).await.map_err(fail)? {
        let (role, seal) = read_role(&row)?;
        image.roles.push(role);
        read.add(seal);
    }
    Tally::read(&mut snapshot, Table::Roles).await?.matches(std::mem::take(&mut read), Table::Roles)?;
    let query = sqlx::query(statements::INITIALISED).bind(INITIALISED_KEY);
    if let Some(row) = query.fetch_optional(&mut *snapshot).await.map_err(fail)? {
        let (initialised, seal) = read_initialised(&row)?;
        image.initialised = Some(initialised);
        read.add(seal);
    }
    Tally::read(&mut snapshot, Table::Installation).await?.matches(read, Table::Installation)?;
    snapshot.rollback().await.map_err(fail)?;
    Ok(image)
}
