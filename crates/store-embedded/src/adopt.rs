//! Another store's content in place of this one's, while the server serves: one transaction, all or nothing.
//!
//! Called by the writer alone, between two groups. Must never undo the end of a session, must never take a line of the audit
//! log away, must never leave the replaced state unkept, and must never take anything from a file that was not read whole before.

use std::path::{Path, PathBuf};

use auth::StoreError;
use auth::limits::REASON_KEPT;
use sqlx::{Connection, Row, SqliteConnection};

use crate::audit::carry;
use crate::audit::chain::Head;
use crate::engine::{self, Use, fault};
use crate::folder::{self, Folder};
use crate::rows::end::EndRow;
use crate::rows::session::read_seal;
use crate::rows::span_millis;
use crate::tally::{Table, Tallies};
use crate::{backup, ends, group, statements};

const ATTACH: &str = "ATTACH DATABASE $1 AS restored";
const IS_SET_UP: &str = "SELECT count(*) FROM restored.installation";
/// The latest moment that the restored store knows of, ends of pauses, of keys and of sessions' time left apart.
const LATEST: &str = "\
SELECT coalesce(max(moment), 0) FROM ( \
SELECT max(max(created, last_seen)) AS moment FROM restored.sessions UNION ALL SELECT max(at) FROM restored.ends UNION ALL \
SELECT max(max(created, updated)) FROM restored.users UNION ALL SELECT max(max(created, updated)) FROM restored.roles UNION ALL \
SELECT max(max(created, updated)) FROM restored.realms UNION ALL SELECT max(max(created, updated)) FROM restored.apps UNION ALL \
SELECT max(max(created, coalesce(used_at, 0))) FROM restored.api_keys UNION ALL SELECT max(since) FROM restored.attempts)";
/// Both files have the schema that this version is sealed with, so their columns are the same.
const EXCHANGE: [&str; 24] = [
    "CREATE TEMP TABLE present AS \
     SELECT token, last_seen, last_seen_seal FROM main.sessions \
     WHERE token IN (SELECT token FROM restored.sessions)",
    "CREATE TEMP TABLE present_keys AS SELECT id, used_at, used_from, used_seal FROM main.api_keys WHERE used_at IS NOT NULL",
    "DELETE FROM main.sessions",
    "INSERT INTO main.sessions SELECT * FROM restored.sessions",
    "DELETE FROM main.users",
    "INSERT INTO main.users SELECT * FROM restored.users",
    "DELETE FROM main.roles",
    "INSERT INTO main.roles SELECT * FROM restored.roles",
    "DELETE FROM main.realms",
    "INSERT INTO main.realms SELECT * FROM restored.realms",
    "DELETE FROM main.apps",
    "INSERT INTO main.apps SELECT * FROM restored.apps",
    "DELETE FROM main.api_keys",
    "INSERT INTO main.api_keys SELECT * FROM restored.api_keys",
    "UPDATE main.api_keys SET used_at = present.used_at, used_from = present.used_from, used_seal = present.used_seal \
     FROM temp.present_keys AS present WHERE api_keys.id = present.id \
     AND (api_keys.used_at IS NULL OR api_keys.used_at < present.used_at)",
    "DELETE FROM main.installation",
    "INSERT INTO main.installation SELECT * FROM restored.installation",
    "DELETE FROM main.attempts",
    "INSERT INTO main.attempts SELECT * FROM restored.attempts",
    // Keys that were changed since the backup stay changed: what they signed since lives.
    "INSERT INTO main.key_ring SELECT * FROM restored.key_ring WHERE NOT EXISTS (SELECT 1 FROM main.key_ring)",
    "UPDATE main.tallies SET count = theirs.count, seals = theirs.seals FROM restored.tallies AS theirs \
     WHERE tallies.name = theirs.name AND (tallies.name <> 'key_ring' OR tallies.count = 0)",
    // Whoever was active since the backup has not idled.
    "UPDATE main.sessions SET last_seen = present.last_seen, last_seen_seal = present.last_seen_seal FROM temp.present \
     WHERE sessions.token = present.token AND sessions.last_seen < present.last_seen \
     AND sessions.token NOT IN (SELECT token FROM restored.ends)",
    "DELETE FROM main.ends",
    "INSERT INTO main.ends SELECT * FROM restored.ends",
];
/// A store forgets ends after a day: a session of which it knows nothing, and that was last seen before that, may have ended.
const DELETE_DOUBTFUL: &str = "\
DELETE FROM main.sessions WHERE last_seen < $1 AND token NOT IN (SELECT token FROM temp.present) \
AND token NOT IN (SELECT token FROM main.ends) RETURNING seal";

/// What is put in place of what.
pub(crate) struct Adoption {
    /// The store whose content is taken.
    pub(crate) from: PathBuf,
    /// Where the replaced state is kept.
    pub(crate) replaced: PathBuf,
    /// House time, in milliseconds.
    pub(crate) now: i64,
}

/// Takes the content of another store. Where that fails, `file` is as it was.
pub(crate) async fn run(file: &Path, folder: &Folder, adoption: &Adoption) -> Result<(), StoreError> {
    let replaced = &adoption.replaced;
    if replaced.exists() {
        return Err(StoreError(format!("{} exists already", replaced.display())));
    }
    let unfinished = folder.restore_keeping();
    folder::remove(&folder.restore_keeping_journal())?;
    backup::copy(file, &unfinished).await?;
    let kept = folder::rename(&unfinished, replaced).and_then(|()| folder.sync());
    let done = match kept {
        Ok(()) => exchange_in(file, adoption).await,
        Err(error) => Err(error),
    };
    if done.is_err() {
        let _ = folder::remove(&unfinished);
        let _ = folder::remove(replaced);
    }
    done
}

/// A connection of its own: whatever becomes of it, the writer's is clean.
async fn exchange_in(file: &Path, adoption: &Adoption) -> Result<(), StoreError> {
    let mut connection = engine::connect(file, Use::Write).await?;
    let done = exchange(&mut connection, adoption).await;
    let _ = connection.close().await;
    done
}

async fn exchange(connection: &mut SqliteConnection, adoption: &Adoption) -> Result<(), StoreError> {
    let fail = |error: sqlx::Error| fault("put the backup in the store's place", &error);
    let name = adoption
        .from
        .to_str()
        .ok_or_else(|| StoreError(format!("{} is not UTF-8", adoption.from.display())))?;
    sqlx::query(ATTACH).bind(name.to_owned()).execute(&mut *connection).await.map_err(fail)?;
    let mut change = connection.begin_with(statements::BEGIN).await.map_err(fail)?;
    check(&mut change, adoption.now).await?;
    let ends = ends::read_all(&mut change).await?;
    for statement in EXCHANGE {
        sqlx::query(statement).execute(&mut *change).await.map_err(fail)?;
    }
    // Its own audit log goes on, whatever the backup has.
    if Head::read(&mut change).await?.last == 0 {
        carry::take_from(&mut change, "restored").await.map_err(fail)?;
    }
    // What has ended stays ended, and what only this store knows of too: another backup may have it.
    let rows = ends.iter().map(|end| EndRow::new(end.token, end.ended)).collect::<Result<_, _>>()?;
    group::add_ends(&mut change, rows).await?;
    let before = Tallies::read(&mut change).await?;
    let mut after = before.clone();
    let forgotten =
        adoption.now.saturating_sub(span_millis(REASON_KEPT, "the time for which reasons are kept")?);
    let doubtful =
        sqlx::query(DELETE_DOUBTFUL).bind(forgotten).fetch_all(&mut *change).await.map_err(fail)?;
    for row in &doubtful {
        let seal = row.try_get("seal").map_err(fail)?;
        let seal = read_seal(seal)
            .ok_or_else(|| StoreError("a session of the backup has no checksum".to_owned()))?;
        after.of(Table::Sessions).remove(seal);
    }
    after.write(&mut change, &before).await.map_err(fail)?;
    change.commit().await.map_err(fail)
}

/// Refuses what only a stopped server can take.
async fn check(connection: &mut SqliteConnection, now: i64) -> Result<(), StoreError> {
    let fail = |error: sqlx::Error| fault("read the backup", &error);
    let set_up: i64 = sqlx::query_scalar(IS_SET_UP).fetch_one(&mut *connection).await.map_err(fail)?;
    if set_up == 0 {
        return Err(StoreError(
            "it is of an installation without an administrator; stop the server, then restore it".to_owned(),
        ));
    }
    let latest: i64 = sqlx::query_scalar(LATEST).fetch_one(&mut *connection).await.map_err(fail)?;
    if latest > now {
        return Err(StoreError(
            "it knows of later moments than this server's clock; stop the server, then restore it".to_owned(),
        ));
    }
    Ok(())
}
