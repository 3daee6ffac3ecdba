//! SQLite itself: how a file is opened, what its errors mean, how its schema grows.
//!
//! Called by everything here that needs a connection. Must never open a file that is not a store of ours, of a version that
//! we know.

use std::path::Path;

use auth::StoreError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::limits::{BUSY_TIMEOUT, CHECKPOINT_PAGES, WRITER_CACHE_KIB};
use crate::seal::Seal;

/// "Door", in the header of every store file.
const APPLICATION: i64 = 0x446f_6f72;
/// What takes a store from each version to the next. The version of a file is how many of them it has seen.
pub(crate) const MIGRATIONS: [&str; 2] =
    [include_str!("../migrations/0001_start.sql"), include_str!("../migrations/0002_key_uses.sql")];
/// The seal of the schema that each version has. sqlx believes what the file says about its columns, and does not survive
/// what a flipped bit makes of that.
pub(crate) const SCHEMAS: [i64; MIGRATIONS.len()] = [-2_047_475_214_164_834_837, 8_340_150_890_554_885_156];
/// What a schema is sealed over: every table and index, but not where it lies.
const SCHEMA: &str = "\
SELECT CAST(group_concat(part, x'0a') AS BLOB) FROM \
(SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') AS part FROM sqlite_schema ORDER BY name)";
/// The newest version.
pub(crate) const NEWEST: usize = MIGRATIONS.len();
/// First bytes of every SQLite file (sqlite.org/fileformat2.html, 1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Instructions of SQLite's machine, some 20 µs of work, after which a connection's thread may let others go first.
const STEPS_BETWEEN_BREATHS: i32 = 500;

/// How a connection may use the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// The writer's.
    Write,
    /// Reading beside a writer.
    Read,
    /// Writing the log back beside the writer.
    WriteBack,
    /// Making a new file, or changing one that nobody else knows of: durable when closed.
    Make,
}

/// A connection to `file`, which must exist.
pub(crate) async fn connect(file: &Path, how: Use) -> Result<SqliteConnection, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .row_buffer_size(1_024)
        .thread_name(|number| format!("store-{number}"))
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging();
    // Untrusted content must not make SQLite run what it finds in the file (sqlite.org/security.html).
    let options = options.pragma("trusted_schema", "OFF").pragma("cell_size_check", "ON");
    let options = match how {
        Use::Write => options
            .journal_mode(SqliteJournalMode::Wal)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string())
            .pragma("cache_size", format!("-{WRITER_CACHE_KIB}")),
        // Not `query_only`: VACUUM INTO, which only reads this file, would be refused.
        Use::Read => options.read_only(true),
        Use::WriteBack | Use::Make => options,
    };
    #[cfg(test)]
    let options = match std::fs::read_to_string(file.with_extension("max_pages")) {
        Ok(pages) if how == Use::Write => options.pragma("max_page_count", pages),
        _ => options,
    };
    let mut connection = options.connect().await.map_err(|error| opening_fault(file, &error))?;
    let mut handle = connection.lock_handle().await.map_err(|error| opening_fault(file, &error))?;
    handle.set_progress_handler(STEPS_BETWEEN_BREATHS, || {
        auth::breathe();
        true
    });
    drop(handle);
    Ok(connection)
}

/// The same, by a task of `runtime`: SQLite has a thread for each connection, which takes its priority from the thread that
/// starts it, and that must not be whoever happens to need the connection first.
pub(crate) async fn connect_on(
    runtime: &tokio::runtime::Handle,
    file: &Path,
    how: Use,
) -> Result<SqliteConnection, StoreError> {
    let opened = file.to_owned();
    let connecting = runtime.spawn(async move { connect(&opened, how).await });
    connecting.await.map_err(|_| StoreError(format!("cannot open the store {}: stopped", file.display())))?
}

/// What went wrong when `file` was opened, in words for the person who starts the server.
pub(crate) fn opening_fault(file: &Path, error: &sqlx::Error) -> StoreError {
    StoreError(format!("cannot open the store {}: {error}", file.display()))
}

/// What went wrong while something was done.
pub(crate) fn fault(doing: &str, error: &sqlx::Error) -> StoreError {
    StoreError(format!("cannot {doing}: {error}"))
}

/// How far an error reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reach {
    /// The statement: the operation that made it fails, the transaction goes on.
    Operation,
    /// The transaction: there was no room for it. A smaller one may fit.
    Group,
    /// The connection: nothing that it believes about the file can be trusted any more.
    Connection,
}

/// How far `error` reaches (sqlite.org/rescode.html; the low byte is the primary code).
pub(crate) fn reach(error: &sqlx::Error) -> Reach {
    const FULL: u32 = 13;
    const TOO_BIG: u32 = 18;
    const CONSTRAINT: u32 = 19;
    const MISMATCH: u32 = 20;
    match primary_code(error) {
        Some(TOO_BIG | CONSTRAINT | MISMATCH) => Reach::Operation,
        Some(FULL) => Reach::Group,
        _ => Reach::Connection,
    }
}

/// SQLite's code for an error that is SQLite's.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let sqlx::Error::Database(error) = error else { return None };
    error.code().and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff)
}

/// Whether `error` says that a file is damaged, or no store.
pub(crate) fn is_damage(error: &sqlx::Error) -> bool {
    const CORRUPT: u32 = 11;
    const NOT_A_DATABASE: u32 = 26;
    matches!(primary_code(error), Some(CORRUPT | NOT_A_DATABASE))
}

/// Looks at the first bytes of a file before SQLite does, which takes an empty file for a new and empty store.
pub(crate) fn check_header(file: &Path) -> Result<(), StoreError> {
    use std::io::Read;
    let refuse = |fault: &str| StoreError(format!("the store {} {fault}", file.display()));
    let mut first = [0; 16];
    let mut opened =
        std::fs::File::open(file).map_err(|error| refuse(&format!("cannot be read: {error}")))?;
    match opened.read_exact(&mut first) {
        Ok(()) if first == *MAGIC && is_cut_within_a_page(file, &mut opened) => {
            Err(refuse("is damaged: it is cut off within a page"))
        }
        Ok(()) if first == *MAGIC => Ok(()),
        Ok(()) => Err(refuse("is damaged, or no store: it does not begin as one")),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err(refuse("is damaged: it is cut off after less than 16 bytes"))
        }
        Err(error) => Err(refuse(&format!("cannot be read: {error}"))),
    }
}

/// SQLite refuses a file that has lost whole pages, but reads what is missing of the last one as zeros. While there is a
/// write-ahead log, that page may be there: the file is being written back.
fn is_cut_within_a_page(file: &Path, after_magic: &mut std::fs::File) -> bool {
    use std::io::Read;
    let mut size = [0; 2];
    if after_magic.read_exact(&mut size).is_err() {
        return false; // SQLite says what it thinks of it.
    }
    // sqlite.org/fileformat2.html, 1.3.2
    let size = match u64::from(u16::from_be_bytes(size)) {
        1 => 65_536,
        size => size.max(1),
    };
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let has_log = std::fs::metadata(log).is_ok_and(|log| log.len() > 0);
    !has_log && after_magic.metadata().is_ok_and(|file| file.len() % size != 0)
}

async fn pragma(
    connection: &mut SqliteConnection,
    file: &Path,
    text: &'static str,
) -> Result<i64, StoreError> {
    sqlx::query_scalar(text).fetch_one(connection).await.map_err(|error| opening_fault(file, &error))
}

/// The schema version of a store of ours. Comes before any other statement.
///
/// # Errors
/// If it is not ours, damaged, or of a version that only a newer server knows.
pub(crate) async fn check_version(
    connection: &mut SqliteConnection,
    file: &Path,
) -> Result<usize, StoreError> {
    let application = pragma(connection, file, "PRAGMA application_id").await?;
    let version = pragma(connection, file, "PRAGMA user_version").await?;
    let refuse = |fault: String| StoreError(format!("the store {} {fault}", file.display()));
    if application != APPLICATION {
        return Err(refuse("is a SQLite file, but not a store of this server".to_owned()));
    }
    let known = match usize::try_from(version) {
        Ok(known @ 1..=NEWEST) => known,
        Ok(newer) if newer > NEWEST => {
            return Err(refuse(format!(
                "has schema {newer}, this server knows schemas up to {NEWEST}: it was written by a newer server"
            )));
        }
        _ => return Err(refuse("is damaged: it has no schema version".to_owned())),
    };
    if schema_seal(connection, file).await? != SCHEMAS[known - 1] {
        return Err(refuse(
            "has other tables than were made: the file was damaged, or changed by hand".to_owned(),
        ));
    }
    Ok(known)
}

pub(crate) async fn schema_seal(connection: &mut SqliteConnection, file: &Path) -> Result<i64, StoreError> {
    let schema: Option<Vec<u8>> = sqlx::query_scalar(SCHEMA)
        .fetch_one(connection)
        .await
        .map_err(|error| opening_fault(file, &error))?;
    Ok(Seal::of("schema").bytes(&schema.unwrap_or_default()).finish())
}

/// Brings a store of schema `version` (0: an empty file) up to the newest one, all or nothing.
pub(crate) async fn migrate(
    connection: &mut SqliteConnection,
    file: &Path,
    version: usize,
) -> Result<(), StoreError> {
    migrate_with(connection, file, version, &MIGRATIONS).await
}

pub(crate) async fn migrate_with(
    connection: &mut SqliteConnection,
    file: &Path,
    version: usize,
    migrations: &[&'static str],
) -> Result<(), StoreError> {
    if version >= migrations.len() {
        return Ok(());
    }
    let fail =
        |error: sqlx::Error| StoreError(format!("cannot update the store {}: {error}", file.display()));
    let mut change = connection.begin_with("BEGIN EXCLUSIVE").await.map_err(fail)?;
    for migration in &migrations[version..] {
        sqlx::raw_sql(*migration).execute(&mut *change).await.map_err(fail)?;
    }
    let numbers =
        format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {}", migrations.len());
    sqlx::raw_sql(sqlx::AssertSqlSafe(numbers)).execute(&mut *change).await.map_err(fail)?;
    change.commit().await.map_err(fail)
}

/// Writes the log back into the file and empties it, as far as readers allow.
pub(crate) async fn checkpoint(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_all(connection).await.map(|_| ())
}

/// Writes the log back into the file as far as nobody has to wait for it.
pub(crate) async fn write_back(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_all(connection).await.map(|_| ())
}

/// Looks at every page of a file.
pub(crate) async fn check_integrity(
    connection: &mut SqliteConnection,
    file: &Path,
) -> Result<(), StoreError> {
    let findings: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_all(connection)
        .await
        .map_err(|error| opening_fault(file, &error))?;
    match findings.first().map(String::as_str) {
        Some("ok") => Ok(()),
        finding => Err(StoreError(format!(
            "the store {} is damaged: {}",
            file.display(),
            finding.unwrap_or("it cannot be checked")
        ))),
    }
}
