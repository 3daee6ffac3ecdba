//! One transaction for everything that waited: what is in it, and what happens when a part of it fails.
//!
//! Called by `writer.rs` alone. Must never report an operation as done before COMMIT has returned, nor let one operation's
//! mistake undo another's work.
//!
//! | fails | then |
//! |---|---|
//! | a row (its key exists, it is too big) | its own operation fails, the others go on |
//! | there is no room | everything is undone; the writer tries the audit log's lines alone, then each operation alone, and where an end finds no room its session is taken away |
//! | anything else, or COMMIT | everything is undone, the connection is given up |
//!
//! Nothing but sqlx's transaction may begin or end one: it counts them.

use std::collections::HashSet;

use auth::{AuditEntry, StoreError, TokenHash};
use sqlx::{Connection, Row, SqliteConnection, SqliteTransaction};

use crate::audit::block;
use crate::audit::chain::{self, Chain, Place};
use crate::audit::row::AuditRow;
use crate::change::ChangeRow;
use crate::ends::{EndedSessions, Half, half, read_token};
use crate::engine::{Reach, fault, reach};
use crate::limits::MAX_FORGOTTEN;
use crate::rows::Bound;
use crate::rows::attempts::AttemptsRow;
use crate::rows::end::{EndRow, NumberedEnd};
use crate::rows::key::KeyUseRow;
use crate::rows::session::{SessionRow, TouchRow, read_seal};
use crate::statements::{self, Bulk};
use crate::tally::{Table, Tallies};

/// What the writer is asked to do.
pub(crate) enum Work {
    /// Keep a new session.
    Insert(Box<SessionRow>),
    /// Note ends of sessions.
    End(Vec<EndRow>),
    /// Take these sessions away, whose ends find no room: they are as dead without them.
    Delete(Vec<TokenHash>),
    /// Forget some sessions that ended before.
    Forget(i64),
    /// Change the directory, all or nothing.
    Apply(Vec<ChangeRow>),
    /// Note uses of API keys.
    NoteKeyUses(Vec<KeyUseRow>),
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

/// What became of one operation: what it counts, or why it failed.
pub(crate) type Outcome = Result<Counted, StoreError>;

/// What an operation that is done counts.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counted {
    /// Rows that it was about.
    pub(crate) rows: u64,
    /// Whether the same operation has more to do: it does only so much at once.
    pub(crate) more: bool,
}

impl Counted {
    /// So many rows, and no more.
    pub(crate) const fn of(rows: usize) -> Self {
        Self { rows: rows as u64, more: false }
    }
}

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
            | Self::Delete(_)
            | Self::Forget(_)
            | Self::ForgetAudit(_)
            | Self::NoteKeyUses(_)
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
    /// The number of the last end of a session.
    last_end: i64,
}

impl Known {
    /// Reads it.
    pub(crate) async fn read(connection: &mut SqliteConnection) -> Result<Self, StoreError> {
        let last_end = sqlx::query_scalar(statements::LAST_END).fetch_one(&mut *connection).await;
        Ok(Self {
            tallies: Tallies::read(connection).await?,
            chain: Chain::read(connection).await?,
            last_end: last_end.map_err(|error| fault("read the ends of sessions", &error))?,
        })
    }
}

/// What a transaction has done.
pub(crate) struct Done {
    /// What became of each operation.
    pub(crate) outcomes: Vec<Outcome>,
    /// Where the audit log's lines are now.
    pub(crate) places: Vec<Place>,
    /// Whose ends are written now.
    pub(crate) ended: Vec<Half>,
    /// Whose ends are forgotten now.
    pub(crate) forgotten: Vec<Half>,
}

/// Adds `lines` to the audit log and does all of `works`, in one transaction. `known` is of the file, before and after; `ended`
/// before.
pub(crate) async fn run(
    connection: &mut SqliteConnection,
    known: &mut Known,
    ended: &EndedSessions,
    lines: &[AuditEntry],
    works: &[&Work],
) -> Result<Done, Stopped> {
    let mut transaction = begin(connection).await?;
    let mut group = Group::new(&mut transaction, known.clone(), ended);
    group.outcomes = works.iter().map(|_| Ok(Counted::default())).collect();
    let done = group.all(lines, works, known).await;
    let Group { known: changed, outcomes, places, ended, forgotten, .. } = group;
    settle(transaction, done).await?;
    *known = changed;
    Ok(Done { outcomes, places, ended, forgotten })
}

/// Notes activity of those who have not ended, in one transaction.
pub(crate) async fn touch(
    connection: &mut SqliteConnection,
    ended: &EndedSessions,
    touches: &[TouchRow],
) -> Result<(), Stopped> {
    let live: Vec<TouchRow> = touches.iter().filter(|row| !ended.contains(row.token)).copied().collect();
    let mut transaction = begin(connection).await?;
    let touched = in_bulk(&mut transaction, &statements::TOUCH_SESSIONS, &live, TouchRow::bind).await;
    settle(transaction, touched.map_err(|error| Stopped::by("note activity", &error))).await
}

/// Notes these ends behind those that there are, in a transaction of the caller's that nobody else writes in: a session's first
/// end stays.
pub(crate) async fn add_ends(connection: &mut SqliteConnection, rows: Vec<EndRow>) -> Result<(), StoreError> {
    let known = Known::read(connection).await?;
    let ended = EndedSessions::read(connection).await?;
    let before = known.tallies.clone();
    let work = Work::End(rows);
    let mut group = Group::new(connection, known, &ended);
    group.end_sessions(&[&work]).await.map_err(|stopped| stopped.error)?;
    let written = group.known.tallies.write(group.connection, &before).await;
    written.map_err(|error| fault("write the store's tallies", &error))
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
    ended_before: &'c EndedSessions,
    outcomes: Vec<Outcome>,
    places: Vec<Place>,
    ended: Vec<Half>,
    forgotten: Vec<Half>,
}

impl<'c> Group<'c> {
    fn new(connection: &'c mut SqliteConnection, known: Known, ended_before: &'c EndedSessions) -> Self {
        let (outcomes, places, ended, forgotten) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { connection, known, ended_before, outcomes, places, ended, forgotten }
    }

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
        let ends: Vec<EndRow> = piece.iter().filter_map(|(_, row)| row.end).collect();
        self.insert_ends(&ends).await
    }

    /// All ends of the group at once. The first end of a session stays, so the first of the group counts.
    async fn end_sessions(&mut self, works: &[&Work]) -> Result<(), Stopped> {
        let mut seen: HashSet<Half> = self.ended.iter().copied().collect();
        let rows: Vec<EndRow> = works
            .iter()
            .filter_map(|work| match work {
                Work::End(rows) => Some(rows),
                _ => None,
            })
            .flatten()
            .filter(|row| !self.ended_before.contains(row.token) && seen.insert(half(row.token)))
            .copied()
            .collect();
        let ended = self.insert_ends(&rows).await;
        ended.map_err(|error| Stopped::by("note the end of a session", &error))
    }

    async fn insert_ends(&mut self, rows: &[EndRow]) -> Result<(), sqlx::Error> {
        let numbered: Vec<NumberedEnd> =
            (self.known.last_end + 1..).zip(rows).map(|(number, row)| row.numbered(number)).collect();
        in_bulk(self.connection, &statements::INSERT_ENDS, &numbered, NumberedEnd::bind).await?;
        self.known.last_end += rows.len() as i64;
        let tally = self.known.tallies.of(Table::Ends);
        numbered.iter().for_each(|row| tally.add(row.seal));
        self.ended.extend(rows.iter().map(|row| half(row.token)));
        Ok(())
    }

    /// Does one operation of several statements so that it can fail alone.
    async fn alone(&mut self, work: &Work) -> Result<Outcome, Stopped> {
        let begin = |error: sqlx::Error| Stopped::by("write to the store", &error);
        execute(self.connection, statements::SAVE).await.map_err(begin)?;
        let (before, forgotten) = (self.known.clone(), self.forgotten.len());
        let (doing, done) = match work {
            Work::Insert(_) | Work::End(_) | Work::Flush => ("", Ok(Counted::default())),
            Work::Delete(tokens) => {
                let deleted = self.delete(tokens).await;
                ("take sessions away", deleted.map(|rows| Counted { rows, more: false }))
            }
            Work::Forget(before) => ("forget ended sessions", self.forget(*before).await),
            Work::ForgetAudit(before) => {
                ("forget old lines of the audit log", self.forget_audit(*before).await)
            }
            Work::Apply(changes) => ("change the directory", self.apply(changes).await),
            Work::NoteKeyUses(rows) => {
                let noted = in_bulk(self.connection, &statements::NOTE_KEY_USES, rows, KeyUseRow::bind).await;
                ("note uses of API keys", noted.map(|()| Counted::default()))
            }
            Work::PutAttempts(rows) => {
                let put = in_bulk(self.connection, &statements::PUT_ATTEMPTS, rows, AttemptsRow::bind).await;
                ("keep login counters", put.map(|()| Counted::default()))
            }
            Work::ForgetAttempts { before, known_before } => {
                let query = sqlx::query(statements::FORGET_ATTEMPTS).bind(*before).bind(*known_before);
                let forgotten = query.execute(&mut *self.connection).await;
                let counted = |rows| Counted { rows, more: false };
                ("forget login counters", forgotten.map(|done| counted(done.rows_affected())))
            }
            #[cfg(test)]
            Work::Statement(text) => {
                let done = execute(self.connection, text).await;
                ("run a test's statement", done.map(|()| Counted::default()))
            }
        };
        let outcome = match done {
            Ok(counted) => Ok(counted),
            Err(error) if reach(&error) == Reach::Operation => {
                execute(self.connection, statements::UNDO).await.map_err(begin)?;
                self.known = before;
                self.forgotten.truncate(forgotten);
                Err(fault(doing, &error))
            }
            Err(error) => return Err(Stopped::by(doing, &error)),
        };
        execute(self.connection, statements::RELEASE).await.map_err(begin)?;
        Ok(outcome)
    }

    /// The sessions of the oldest ends, and these ends: sessions are what is counted, some of whom may be gone already.
    async fn forget(&mut self, before: i64) -> Result<Counted, sqlx::Error> {
        let query = sqlx::query(statements::FORGET_ENDS).bind(before).bind(MAX_FORGOTTEN);
        let ends = query.fetch_all(&mut *self.connection).await?;
        let mut tokens = Vec::with_capacity(ends.len());
        for row in &ends {
            let token = read_token(row)?;
            let seal = read_seal(row.try_get("seal")?).ok_or(sqlx::Error::RowNotFound)?;
            self.known.tallies.of(Table::Ends).remove(seal);
            self.forgotten.push(half(token));
            tokens.push(token);
        }
        // In the order of the table: each of its pages is visited once.
        tokens.sort_unstable_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
        let rows = self.delete(&tokens).await?;
        Ok(Counted { rows, more: ends.len() == MAX_FORGOTTEN as usize })
    }

    /// Takes these sessions away; how many of them there were.
    async fn delete(&mut self, tokens: &[TokenHash]) -> Result<u64, sqlx::Error> {
        let mut deleted = 0;
        for (statement, piece) in statements::DELETE_SESSIONS.pieces(tokens) {
            let query = sqlx::query(sqlx::AssertSqlSafe(statement));
            let query = piece.iter().fold(query, |query, token| query.bind(token.as_bytes().to_vec()));
            for row in query.fetch_all(&mut *self.connection).await? {
                let seal = read_seal(row.try_get("seal")?).ok_or(sqlx::Error::RowNotFound)?;
                self.known.tallies.of(Table::Sessions).remove(seal);
                deleted += 1;
            }
        }
        Ok(deleted)
    }

    async fn forget_audit(&mut self, before: i64) -> Result<Counted, sqlx::Error> {
        let query = sqlx::query(statements::OLDEST_AUDIT).bind(MAX_FORGOTTEN);
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
        Ok(Counted { rows: count, more: count == u64::from(MAX_FORGOTTEN) })
    }

    async fn apply(&mut self, changes: &[ChangeRow]) -> Result<Counted, sqlx::Error> {
        for change in changes {
            if let Some(row) = change.old_seal().fetch_optional(&mut *self.connection).await? {
                self.known.tallies.of(change.table()).remove(row.try_get("seal")?);
            }
            change.statement().execute(&mut *self.connection).await?;
            if let Some(seal) = change.new_seal() {
                self.known.tallies.of(change.table()).add(seal);
            }
        }
        Ok(Counted::default())
    }
}
