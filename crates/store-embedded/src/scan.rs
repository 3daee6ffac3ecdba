//! Sessions read fast: one packed value per row, two connections for two halves; put together with their ends.
//!
//! Called by `reader.rs`. Must never give out part of a damaged table as if it were whole: order, seals and tallies are
//! checked, so that a later look-up by token finds what this scan has seen. Must never give out a session without its end.

use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use auth::{SessionRecord, StoreError, TokenHash};
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row, SqliteConnection, SqliteTransaction};

use crate::ends::{self, EndsAhead, EndsByToken};
use crate::engine::{self, Use, fault};
use crate::limits::LOAD_BATCH;
use crate::rows::session::{PACKED, Unpacker};
use crate::tally::{Table, Tally};

/// How often two connections are asked for the same state of the store, while somebody writes.
const TRIES: usize = 8;
/// Where the second half begins: tokens are hashes, so half of them begin with a higher bit.
const MIDDLE: &[u8] = &[0x80];
/// What no token reaches: all of them are 32 bytes long.
const END: &[u8] = &[0xff; 33];

static FIND: LazyLock<Arc<str>> = LazyLock::new(|| select("WHERE token = $1"));
static PAGE: LazyLock<Arc<str>> =
    LazyLock::new(|| select("WHERE token > $1 AND token < $2 ORDER BY token LIMIT $3"));

fn select(rest: &str) -> Arc<str> {
    Arc::from(format!("SELECT {PACKED} AS packed FROM sessions {rest}"))
}

fn packed(row: &SqliteRow) -> Result<&[u8], StoreError> {
    row.try_get(0).map_err(|error| fault("read a session", &error))
}

/// Where batches go.
pub(crate) type Take<'a> = &'a mut (dyn FnMut(Vec<SessionRecord>) + Send);

/// One session: its row by key, and then a look at every end of the last day, so the more have ended, the longer it takes. Who
/// answers requests asks the table in memory.
pub(crate) async fn find(
    connection: &mut SqliteConnection,
    token: TokenHash,
) -> Result<Option<SessionRecord>, StoreError> {
    let mut snapshot = begin(connection).await?;
    let query = sqlx::query(sqlx::AssertSqlSafe(Arc::clone(&FIND))).bind(token.as_bytes().to_vec());
    let row = query.fetch_optional(&mut *snapshot).await.map_err(|error| fault("read a session", &error))?;
    let record = match row {
        Some(row) => Unpacker::default().read(packed(&row)?)?.record,
        None => return Ok(None),
    };
    let ended = ends::find(&mut snapshot, token).await?;
    snapshot.rollback().await.map_err(|error| fault("read a session", &error))?;
    Ok(Some(SessionRecord { ended, ..record }))
}

/// Every session of `file`.
pub(crate) async fn load(file: &Path, take: Take<'_>) -> Result<(), StoreError> {
    let mut one = engine::connect(file, Use::Read).await?;
    let mut other = engine::connect(file, Use::Read).await?;
    let take = Mutex::new(take);
    for _ in 0..TRIES {
        let (mut one, mut other) = (begin(&mut one).await?, begin(&mut other).await?);
        let state = State::read(&mut one).await?;
        if state != State::read(&mut other).await? {
            continue; // Somebody wrote in between.
        }
        let ends = EndsByToken::read(&mut one).await?;
        let (lower, upper) = tokio::try_join!(
            scan(&mut one, &[], MIDDLE, &ends, &take),
            scan(&mut other, MIDDLE, END, &ends, &take)
        )?;
        return state.sessions.matches(lower.and(upper), Table::Sessions);
    }
    let mut one = begin(&mut one).await?;
    let state = State::read(&mut one).await?;
    let ends = EndsByToken::read(&mut one).await?;
    let read = scan(&mut one, &[], END, &ends, &take).await?;
    state.sessions.matches(read, Table::Sessions)
}

/// By what two connections see whether they see the same sessions and ends. Activity may differ.
#[derive(PartialEq, Eq)]
struct State {
    sessions: Tally,
    ends: Tally,
}

impl State {
    async fn read(connection: &mut SqliteConnection) -> Result<Self, StoreError> {
        let sessions = Tally::read(connection, Table::Sessions).await?;
        Ok(Self { sessions, ends: Tally::read(connection, Table::Ends).await? })
    }
}

async fn begin(connection: &mut SqliteConnection) -> Result<SqliteTransaction<'_>, StoreError> {
    connection.begin().await.map_err(|error| fault("read sessions", &error))
}

/// The sessions between two tokens, page by page: while one connection's page is unpacked here, the other's thread fetches.
async fn scan(
    connection: &mut SqliteConnection,
    after: &[u8],
    before: &[u8],
    ends: &EndsByToken,
    take: &Mutex<Take<'_>>,
) -> Result<Tally, StoreError> {
    let mut ends: EndsAhead<'_> = ends.behind(after);
    let mut unpacker = Unpacker::default();
    let mut tally = Tally::default();
    let mut last = after.to_vec();
    loop {
        let rows = sqlx::query(sqlx::AssertSqlSafe(Arc::clone(&PAGE)))
            .bind(last.clone())
            .bind(before.to_vec())
            .bind(LOAD_BATCH)
            .fetch_all(&mut *connection)
            .await
            .map_err(|error| fault("read sessions", &error))?;
        let mut batch = Vec::with_capacity(rows.len());
        for row in &rows {
            let unpacked = unpacker.read(packed(row)?)?;
            let token = unpacked.record.token.as_bytes();
            if *last >= token[..] {
                return Err(StoreError("table sessions is out of order: the file was damaged".to_owned()));
            }
            last.clear();
            last.extend_from_slice(token);
            tally.add(unpacked.seal);
            let ended = ends.of(unpacked.record.token);
            batch.push(SessionRecord { ended, ..unpacked.record });
        }
        let full = rows.len() == LOAD_BATCH as usize;
        if !batch.is_empty() {
            let mut take = take.lock().unwrap_or_else(PoisonError::into_inner);
            take(batch);
        }
        if !full {
            return Ok(tally);
        }
    }
}
