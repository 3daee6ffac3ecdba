//! What of the present store outlives a restore of its folder, where it can be read: its audit log, as no restore takes lines away,
//! and its signing keys, as one that was rotated away or withdrawn since the backup must not sign again
//! (docs/decisions/0018-signed-identity.md).
//!
//! Called by `backup.rs`; where a server is restored, `adopt.rs` does the same in its own transaction. Must never put keys in
//! place that it could not read, nor leave out their tally.

use std::path::Path;

use auth::StoreError;
use sqlx::{Connection, SqliteConnection};

use crate::audit::carry as audit_log;
use crate::audit::chain::Chain;
use crate::engine::{self, Use, fault, is_damage};
use crate::reader;
use crate::rows::key_ring::read_key_ring;
use crate::statements;
use crate::tally::Table;

/// Both files have the schema that this version is sealed with, so their columns are the same.
const TAKE_KEYS: [&str; 3] = [
    "DELETE FROM main.key_ring",
    "INSERT INTO main.key_ring SELECT * FROM present.key_ring",
    "UPDATE main.tallies SET count = theirs.count, seals = theirs.seals FROM present.tallies AS theirs \
     WHERE tallies.name = theirs.name AND tallies.name = 'key_ring'",
];

/// What a store has that outlives it.
#[derive(Clone, Copy, Default)]
struct Lasting {
    log: bool,
    keys: bool,
}

/// Gives the file `copy`, of which nobody else knows, what of the store `present` outlives a restore; whether that is anything.
/// Where the present store cannot be read (which may be why it is replaced) the copy keeps its own.
///
/// # Errors
/// If the copy cannot be written. Then it is worth nothing.
pub(crate) async fn into_copy(present: &Path, copy: &Path) -> Result<bool, StoreError> {
    let lasting = lasting(present).await.unwrap_or_default();
    if !lasting.log && !lasting.keys {
        return Ok(false);
    }
    let mut connection = engine::connect(copy, Use::Make).await?;
    let done = take(&mut connection, present, lasting).await;
    let _ = connection.close().await;
    done.map_err(|error| fault("keep the audit log and the signing keys of the replaced store", &error))
}

/// What there is and can be read: each by itself, as a file may be damaged in one place only.
async fn lasting(file: &Path) -> Result<Lasting, StoreError> {
    engine::check_header(file)?;
    let mut connection = engine::connect(file, Use::Read).await?;
    engine::check_version(&mut connection, file).await?;
    let log = Chain::read(&mut connection).await;
    let keys = reader::read_table(&mut connection, Table::KeyRing, statements::KEY_RING, read_key_ring).await;
    let _ = connection.close().await;
    Ok(Lasting {
        log: log.is_ok_and(|chain| chain.head.last > 0),
        keys: keys.is_ok_and(|rings| !rings.is_empty()),
    })
}

async fn take(
    connection: &mut SqliteConnection,
    present: &Path,
    lasting: Lasting,
) -> Result<bool, sqlx::Error> {
    // Interrupted, the copy is thrown away; a journal beside it would be found by the next file of its name.
    sqlx::query("PRAGMA main.journal_mode = MEMORY").fetch_all(&mut *connection).await?;
    let name = present.to_str().ok_or_else(|| sqlx::Error::Protocol("its path is not UTF-8".to_owned()))?;
    sqlx::query("ATTACH DATABASE $1 AS present").bind(name.to_owned()).execute(&mut *connection).await?;
    let log = lasting.log && unless_damaged(take_log(connection).await)?;
    let keys = lasting.keys && unless_damaged(take_keys(connection).await)?;
    Ok(log || keys)
}

/// Whether it was done. What turned out to be damaged SQLite has undone.
fn unless_damaged(done: Result<(), sqlx::Error>) -> Result<bool, sqlx::Error> {
    match done {
        Ok(()) => Ok(true),
        Err(error) if is_damage(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn take_log(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut change = connection.begin().await?;
    audit_log::take_from(&mut change, "present").await?;
    change.commit().await
}

async fn take_keys(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut change = connection.begin().await?;
    for statement in TAKE_KEYS {
        sqlx::query(statement).execute(&mut *change).await?;
    }
    change.commit().await
}
