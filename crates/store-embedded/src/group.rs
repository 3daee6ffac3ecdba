//! One transaction for everything that waited: what is in it, and what happens when a part of it fails.
//!
//! Called by `writer.rs` alone. Must never report an operation as done before COMMIT has returned, nor let one operation's
//! mistake undo another's work.
//!
//! | fails | then |
//! |---|---|
//! | a row (its key exists, it is too big) | its own operation fails, the others go on |
//! | there is no room | everything is undone; the writer tries the audit log's lines alone, then each operation alone |
//! | anything else, or COMMIT | everything is undone, the connection is given up |
//!
//! Nothing but sqlx's transaction may begin or end one: it counts them.

use std::collections::HashSet;

use auth::{AuditEntry, StoreError};
use sqlx::{Connection, Row, SqliteConnection, SqliteTransaction};

use crate::audit::block;
use crate::audit::chain::{self, Chain, Place};
use crate::audit::row::AuditRow;
use crate::change::ChangeRow;
use crate::engine::{Reach, fault, reach};
use crate::rows::Bound;
use crate::rows::attempts::AttemptsRow;
use crate::rows::session::{EndRow, SessionRow, TouchRow, read_seal};
use crate::statements::{self, Bulk};
use crate::tally::{Table, Tallies};

/// What the writer is asked to do.
pub(crate) enum Work {
    /// Keep a new session.
    Insert(Box<SessionRow>),
    /// Note ends of sessions.
    End(Vec<EndRow>),
    /// Forget some sessions that ended before.
    Forget(i64),
    /// Change the directory, all or nothing.
    Apply(Vec<ChangeRow>),
    /// Keep login counters.
    PutAttempts(Vec<AttemptsRow>),
    /// Forget some of the oldest lines of the audit log, if they are older than this.
    ForgetAudit(i64),
    /// Nothing: done when everything that was noted before is written.
    Flush,
    /// Forget login counters that are settled.
    ForgetAttempts {
        /// Counted and paused before this.
        before: i64,
        /// Known addresses last seen before this.
        known_before: i64,
    },
    /// Any statement, to break things on purpose.
    #[cfg(test)]
    Statement(&'static str),
}

/// What became of one operation: how many rows it counts, or why it failed.
pub(crate) type Outcome = Result<u64, StoreError>;

/// Why a whole transaction did not happen.
pub(crate) struct Stopped {
    /// [`Reach::Group`] or [`Reach::Connection`].
    pub(crate) reach: Reach,
    /// Whether the connection is to be given up.
    pub(crate) lost: bool,
    /// What to tell everybody who was in it.
    pub(crate) error: StoreError,
}

impl Work {
    /// Whether it is refused where the audit log has no room for what was noted before it. The rest takes something away or
    /// keeps somebody out, and a full disk must not stand in the way of that: its lines wait.
    pub(crate) const fn needs_its_line(&self) -> bool {
        match self {
            Self::Insert(_) | Self::Apply(_) | Self::Flush => true,
            Self::End(_)
            | Self::Forget(_)
            | Self::ForgetAudit(_)
            | Self::PutAttempts(_)
            | Self::ForgetAttempts { .. } => false,
            #[cfg(test)]
            Self::Statement(_) => false,
        }
    }
}

impl Stopped {
    fn by(doing: &str, error: &sqlx::Error) -> Self {
        let reach = match reach(error) {
            Reach::Connection => Reach::Connection,
            Reach::Operation | Reach::Group => Reach::Group,
        };
        Self { reach, lost: reach == Reach::Connection, error: fault(doing, error) }
    }

    fn connection(doing: &str, error: &sqlx::Error) -> Self {
        Self::lost(fault(doing, error))
    }

    /// The connection is worth nothing any more.
    pub(crate) fn lost(error: StoreError) -> Self {
        Self { reach: Reach::Connection, lost: true, error }
    }
}

/// What the writer keeps in memory beside the file, and changes with it.
#[derive(Clone)]
pub(crate) struct Known {
    /// The tallies of the guarded tables.
    pub(crate) tallies: Tallies,
    /// The end of the audit log.
    pub(crate) chain: Chain,
}

impl Known {
    /// Reads it.
    pub(crate) async fn read(connection: &mut SqliteConnection) -> Result<Self, StoreError> {
        Ok(Self { tallies: Tallies::read(connection).await?, chain: Chain::read(connection).await? })
    }
}

/// What a transaction has done.
pub(crate) struct Done {
    /// What became of each operation.
    pub(crate) outcomes: Vec<Outcome>,
    /// Where the audit log's lines are now.
    pub(crate) places: Vec<Place>,
}

/// Adds `lines` to the audit log and does all of `works`, in one transaction. `known` is of the file, before and after.
pub(crate) async fn run(
    connection: &mut SqliteConnection,
    known: &mut Known,
    lines: &[AuditEntry],
    works: &[&Work],
) -> Result<Done, Stopped> {
    let mut transaction = begin(connection).await?;
    let mut group = Group {
        connection: &mut transaction,
        known: known.clone(),
        outcomes: works.iter().map(|_| Ok(0)).collect(),
        places: Vec::with_capacity(lines.len()),
    };
    let done = group.all(lines, works, known).await;
    let Group { known: changed, outcomes, places, .. } = group;
    settle(transaction, done).await?;
    *known = changed;
    Ok(Done { outcomes, places })
}

/// Notes activity in one transaction.
pub(crate) async fn touch(connection: &mut SqliteConnection, touches: &[TouchRow]) -> Result<(), Stopped> {
    let mut transaction = begin(connection).await?;
    let touched = in_bulk(&mut transaction, &statements::TOUCH_SESSIONS, touches, TouchRow::bind).await;
    settle(transaction, touched.map_err(|error| Stopped::by("note activity", &error))).await
}

async fn begin(connection: &mut SqliteConnection) -> Result<SqliteTransaction<'_>, Stopped> {
    let begun = connection.begin_with(statements::BEGIN).await;
    begun.map_err(|error| Stopped::connection("begin to write to the store", &error))
}

/// COMMIT, or ROLLBACK. Both by sqlx's own calls: these answer only what the connection has answered, while a statement whose
/// connection dies is taken for one that changed nothing.
async fn settle(transaction: SqliteTransaction<'_>, done: Result<(), Stopped>) -> Result<(), Stopped> {
    match done {
        Ok(()) => {
            let committed = transaction.commit().await;
            committed.map_err(|error| Stopped::connection("write to the store's disk", &error))
        }
        Err(stopped) if stopped.reach == Reach::Group => match transaction.rollback().await {
            Ok(()) => Err(stopped),
            // SQLite has undone it by itself, and sqlx has lost count: another connection, then.
            Err(_) => Err(Stopped { lost: true, ..stopped }),
        },
        Err(stopped) => Err(stopped),
    }
}

async fn execute(connection: &mut SqliteConnection, statement: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(statement).execute(connection).await.map(|_| ())
}

async fn in_bulk<T>(
    connection: &mut SqliteConnection,
    bulk: &Bulk,
    rows: &[T],
    bind: impl for<'q> Fn(&T, Bound<'q>) -> Bound<'q>,
) -> Result<(), sqlx::Error> {
    for (statement, piece) in bulk.pieces(rows) {
        let query = sqlx::query(sqlx::AssertSqlSafe(statement));
        piece.iter().fold(query, |query, row| bind(row, query)).execute(&mut *connection).await?;
    }
    Ok(())
}

struct Group<'c> {
    connection: &'c mut SqliteConnection,
    known: Known,
    outcomes: Vec<Outcome>,
    places: Vec<Place>,
}

impl Group<'_> {
    async fn all(&mut self, lines: &[AuditEntry], works: &[&Work], before: &Known) -> Result<(), Stopped> {
        let added = self.add_lines(lines).await;
        added.map_err(|error| Stopped::by("write the audit log", &error))?;
        self.insert_sessions(works).await?;
        self.end_sessions(works).await?;
        for (place, work) in works.iter().enumerate() {
            if !matches!(work, Work::Insert(_) | Work::End(_) | Work::Flush) {
                self.outcomes[place] = self.alone(work).await?;
            }
        }
        let written = self.known.tallies.write(self.connection, &before.tallies).await;
        written.map_err(|error| Stopped::by("write the store's tallies", &error))?;
        if self.known.chain.head != before.chain.head {
            let written = self.known.chain.write(self.connection).await;
            written.map_err(|error| Stopped::by("write the end of the audit log", &error))?;
        }
        Ok(())
    }

    async fn add_lines(&mut self, lines: &[AuditEntry]) -> Result<(), sqlx::Error> {
        let mut rows = Vec::with_capacity(lines.len());
        for entry in lines {
            let place = self.known.chain.add(entry);
            self.places.push(place);
            rows.push(AuditRow::new(entry, place));
        }
        in_bulk(self.connection, &statements::INSERT_AUDIT, &rows, AuditRow::bind).await
    }

    async fn insert_sessions(&mut self, works: &[&Work]) -> Result<(), Stopped> {
        let rows: Vec<(usize, &SessionRow)> = works
            .iter()
            .enumerate()
            .filter_map(|(place, work)| match work {
                Work::Insert(row) => Some((place, &**row)),
                _ => None,
            })
            .collect();
        for (_, piece) in statements::INSERT_SESSIONS.pieces(&rows) {
            match self.insert_piece(piece).await {
                Ok(()) => {}
                // One of them is refused, and SQLite undid the statement: find out which.
                Err(error) if reach(&error) == Reach::Operation => {
                    for (place, row) in piece {
                        match self.insert_piece(&[(*place, row)]).await {
                            Ok(()) => {}
                            Err(error) if reach(&error) == Reach::Operation => {
                                self.outcomes[*place] = Err(fault("keep the session", &error));
                            }
                            Err(error) => return Err(Stopped::by("keep the session", &error)),
                        }
                    }
                }
                Err(error) => return Err(Stopped::by("keep the session", &error)),
            }
        }
        Ok(())
    }

    async fn insert_piece(&mut self, piece: &[(usize, &SessionRow)]) -> Result<(), sqlx::Error> {
        in_bulk(self.connection, &statements::INSERT_SESSIONS, piece, |(_, row), query| row.bind(query))
            .await?;
        let tally = self.known.tallies.of(Table::Sessions);
        piece.iter().for_each(|(_, row)| tally.add(row.seal));
        Ok(())
    }

    /// All ends of the group at once. The first end of a session stays, so the first of the group counts.
    async fn end_sessions(&mut self, works: &[&Work]) -> Result<(), Stopped> {
        let mut seen = HashSet::new();
        let mut rows: Vec<EndRow> = works
            .iter()
            .filter_map(|work| match work {
                Work::End(rows) => Some(rows),
                _ => None,
            })
            .flatten()
            .filter(|row| seen.insert(row.token))
            .copied()
            .collect();
        // In the order of the table: each of its pages is visited once.
        rows.sort_unstable_by(|one, other| one.token.as_bytes().cmp(other.token.as_bytes()));
        let ended = in_bulk(self.connection, &statements::END_SESSIONS, &rows, EndRow::bind).await;
        ended.map_err(|error| Stopped::by("note the end of a session", &error))
    }

    /// Does one operation of several statements so that it can fail alone.
    async fn alone(&mut self, work: &Work) -> Result<Outcome, Stopped> {
        let begin = |error: sqlx::Error| Stopped::by("write to the store", &error);
        execute(self.connection, statements::SAVE).await.map_err(begin)?;
        let before = self.known.clone();
        let (doing, done) = match work {
            Work::Insert(_) | Work::End(_) | Work::Flush => ("", Ok(0)),
            Work::Forget(before) => ("forget ended sessions", self.forget(*before).await),
            Work::ForgetAudit(before) => {
                ("forget old lines of the audit log", self.forget_audit(*before).await)
            }
            Work::Apply(changes) => ("change the directory", self.apply(changes).await),
            Work::PutAttempts(rows) => {
                let put = in_bulk(self.connection, &statements::PUT_ATTEMPTS, rows, AttemptsRow::bind).await;
                ("keep login counters", put.map(|()| 0))
            }
            Work::ForgetAttempts { before, known_before } => {
                let query = sqlx::query(statements::FORGET_ATTEMPTS).bind(*before).bind(*known_before);
                let forgotten = query.execute(&mut *self.connection).await;
                ("forget login counters", forgotten.map(|done| done.rows_affected()))
            }
            #[cfg(test)]
            Work::Statement(text) => {
                ("run a test's statement", execute(self.connection, text).await.map(|()| 0))
            }
        };
        let outcome = match done {
            Ok(count) => Ok(count),
            Err(error) if reach(&error) == Reach::Operation => {
                execute(self.connection, statements::UNDO).await.map_err(begin)?;
                self.known = before;
                Err(fault(doing, &error))
            }
            Err(error) => return Err(Stopped::by(doing, &error)),
        };
        execute(self.connection, statements::RELEASE).await.map_err(begin)?;
        Ok(outcome)
    }

    async fn forget(&mut self, before: i64) -> Result<u64, sqlx::Error> {
        let query = sqlx::query(statements::FORGET_SESSIONS).bind(before).bind(crate::limits::MAX_FORGOTTEN);
        let forgotten = query.fetch_all(&mut *self.connection).await?;
        for row in &forgotten {
            let seal = read_seal(row.try_get("seal")?).ok_or(sqlx::Error::RowNotFound)?;
            self.known.tallies.of(Table::Sessions).remove(seal);
        }
        Ok(forgotten.len() as u64)
    }

    async fn forget_audit(&mut self, before: i64) -> Result<u64, sqlx::Error> {
        let query = sqlx::query(statements::OLDEST_AUDIT).bind(crate::limits::MAX_FORGOTTEN);
        let oldest = query.fetch_all(&mut *self.connection).await?;
        let mut forgotten = None;
        let mut count = 0;
        for row in &oldest {
            if row.try_get::<i64, _>("at")? >= before {
                break;
            }
            forgotten = Some(chain::place(row)?);
            count += 1;
        }
        if let Some(place) = forgotten {
            self.known.chain.forget(place);
            let last = sqlx::query(statements::FORGET_AUDIT).bind(place.sequence.cast_signed());
            last.execute(&mut *self.connection).await?;
            let block = block::number_of(self.known.chain.head.first).cast_signed();
            let blocks = sqlx::query(statements::FORGET_AUDIT_BLOCKS).bind(block);
            blocks.execute(&mut *self.connection).await?;
        }
        Ok(count)
    }

    async fn apply(&mut self, changes: &[ChangeRow]) -> Result<u64, sqlx::Error> {
        for change in changes {
            if let Some(row) = change.old_seal().fetch_optional(&mut *self.connection).await? {
                self.known.tallies.of(change.table()).remove(row.try_get("seal")?);
            }
            change.statement().execute(&mut *self.connection).await?;
            if let Some(seal) = change.new_seal() {
                self.known.tallies.of(change.table()).add(seal);
            }
        }
        Ok(0)
    }
}
