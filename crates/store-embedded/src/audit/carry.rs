//! The audit log where one store's content takes another's place: no restore takes lines away.
//!
//! Called by `adopt.rs` (a server is restored) and `backup.rs` (a folder is). Must never mix two logs: lines are chained, so a
//! store has the one or the other.

use std::path::Path;
use std::sync::Arc;

use auth::StoreError;
use sqlx::{Connection, SqliteConnection};

use super::chain::Chain;
use crate::engine::{self, Use, fault, is_damage};

/// Gives `main` the log of the attached store `schema`, whatever it had.
pub(crate) async fn take_from(connection: &mut SqliteConnection, schema: &str) -> Result<(), sqlx::Error> {
    let statements = [
        "DELETE FROM main.audit".to_owned(),
        "DELETE FROM main.audit_blocks".to_owned(),
        format!("INSERT INTO main.audit SELECT * FROM {schema}.audit"),
        format!("INSERT INTO main.audit_blocks SELECT * FROM {schema}.audit_blocks"),
        format!(
            "UPDATE main.audit_head SET first = theirs.first, before = theirs.before, last = theirs.last, \
             hash = theirs.hash, seal = theirs.seal FROM {schema}.audit_head AS theirs \
             WHERE audit_head.name = theirs.name"
        ),
    ];
    for statement in statements {
        sqlx::query(sqlx::AssertSqlSafe(Arc::<str>::from(statement))).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Gives the file `copy`, of which nobody else knows, the log of the store `present`; whether that has one. Where the present
/// store cannot be read (which may be why it is replaced) the copy keeps its own.
///
/// # Errors
/// If the copy cannot be written. Then it is worth nothing.
pub(crate) async fn into_copy(present: &Path, copy: &Path) -> Result<bool, StoreError> {
    if !has_log(present).await {
        return Ok(false);
    }
    let mut connection = engine::connect(copy, Use::Make).await?;
    let done = attach_and_take(&mut connection, present).await;
    let _ = connection.close().await;
    match done {
        Ok(()) => Ok(true),
        // SQLite undid it.
        Err(error) if is_damage(&error) => Ok(false),
        Err(error) => Err(fault("keep the audit log of the replaced store", &error)),
    }
}

async fn has_log(file: &Path) -> bool {
    let read = async {
        engine::check_header(file)?;
        let mut connection = engine::connect(file, Use::Read).await?;
        engine::check_version(&mut connection, file).await?;
        let chain = Chain::read(&mut connection).await;
        let _ = connection.close().await;
        chain
    };
    read.await.is_ok_and(|chain| chain.head.last > 0)
}

async fn attach_and_take(connection: &mut SqliteConnection, present: &Path) -> Result<(), sqlx::Error> {
    // Interrupted, the copy is thrown away; a journal beside it would be found by the next file of its name.
    sqlx::query("PRAGMA main.journal_mode = MEMORY").fetch_all(&mut *connection).await?;
    let name = present.to_str().ok_or_else(|| sqlx::Error::Protocol("its path is not UTF-8".to_owned()))?;
    sqlx::query("ATTACH DATABASE $1 AS present").bind(name.to_owned()).execute(&mut *connection).await?;
    let mut change = connection.begin().await?;
    take_from(&mut change, "present").await?;
    change.commit().await
}
