//! One transaction for everything that waited: what is in it, and what happens when a part of it fails.
//!
//! Called by `writer.rs` alone. Must never report an operation as done before COMMIT has returned, nor let one operation's
//! mistake undo another's work.
//!
//! | fails | then |
//! |---|---|
//! | a row (its key exists, it is too big) | its own operation fails, the others go on |
//! | there is no room | everything is undone; the writer tries each operation alone |
//! | anything else, or COMMIT | everything is undone, the connection is given up |
//!
//! Nothing but sqlx's transaction may begin or end one: it counts them.

use std::collections::HashSet;

use auth::{RoleName, StoreError, UserId};
use sqlx::{Connection, Row, SqliteConnection, SqliteTransaction};

use crate::engine::{Reach, fault, reach};
use crate::rows::Bound;
use crate::rows::attempts::AttemptsRow;
use crate::rows::directory::{INITIALISED_KEY, InitialisedRow, RoleRow, UserRow};
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

/// One change of the directory, ready to be written.
pub(crate) enum ChangeRow {
    PutUser(Box<UserRow>),
    DeleteUser(UserId),
    PutRole(Box<RoleRow>),
    DeleteRole(RoleName),
    Initialise(InitialisedRow),
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

/// Does all of `works` in one transaction. `tallies` are those of the file, before and after.
pub(crate) async fn run(
    connection: &mut SqliteConnection,
    tallies: &mut Tallies,
    works: &[&Work],
) -> Result<Vec<Outcome>, Stopped> {
    let mut transaction = begin(connection).await?;
    let changed = tallies.clone();
    let mut group = Group {
        connection: &mut transaction,
        tallies: changed,
        outcomes: works.iter().map(|_| Ok(0)).collect(),
    };
    let done = group.all(works, tallies).await;
    let Group { tallies: changed, outcomes, .. } = group;
    settle(transaction, done).await?;
    *tallies = changed;
    Ok(outcomes)
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
    tallies: Tallies,
    outcomes: Vec<Outcome>,
}

impl Group<'_> {
    async fn all(&mut self, works: &[&Work], before: &Tallies) -> Result<(), Stopped> {
        self.insert_sessions(works).await?;
        self.end_sessions(works).await?;
        for (place, work) in works.iter().enumerate() {
            if !matches!(work, Work::Insert(_) | Work::End(_)) {
                self.outcomes[place] = self.alone(work).await?;
            }
        }
        let written = self.tallies.write(self.connection, before).await;
        written.map_err(|error| Stopped::by("write the store's tallies", &error))
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
        let tally = self.tallies.of(Table::Sessions);
        piece.iter().for_each(|(_, row)| tally.add(row.seal));
        Ok(())
    }

    /// All ends of the group at once. The first end of a session stays, so the first of the group counts.
    async fn end_sessions(&mut self, works: &[&Work]) -> Result<(), Stopped> {
        let mut seen = HashSet::new();
        let rows: Vec<EndRow> = works
            .iter()
            .filter_map(|work| match work {
                Work::End(rows) => Some(rows),
                _ => None,
            })
            .flatten()
            .filter(|row| seen.insert(row.token))
            .copied()
            .collect();
        let ended = in_bulk(self.connection, &statements::END_SESSIONS, &rows, EndRow::bind).await;
        ended.map_err(|error| Stopped::by("note the end of a session", &error))
    }

    /// Does one operation of several statements so that it can fail alone.
    async fn alone(&mut self, work: &Work) -> Result<Outcome, Stopped> {
        let begin = |error: sqlx::Error| Stopped::by("write to the store", &error);
        execute(self.connection, statements::SAVE).await.map_err(begin)?;
        let before = self.tallies.clone();
        let (doing, done) = match work {
            Work::Insert(_) | Work::End(_) => ("", Ok(0)),
            Work::Forget(before) => ("forget ended sessions", self.forget(*before).await),
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
                self.tallies = before;
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
            self.tallies.of(Table::Sessions).remove(seal);
        }
        Ok(forgotten.len() as u64)
    }

    async fn apply(&mut self, changes: &[ChangeRow]) -> Result<u64, sqlx::Error> {
        for change in changes {
            match change {
                ChangeRow::PutUser(row) => {
                    self.replace(Table::Users, key(statements::USER_SEAL, row.id()), Some(row.seal)).await?;
                    row.bind(sqlx::query(statements::PUT_USER)).execute(&mut *self.connection).await?;
                }
                ChangeRow::DeleteUser(id) => {
                    self.replace(Table::Users, key(statements::USER_SEAL, *id), None).await?;
                    key(statements::DELETE_USER, *id).execute(&mut *self.connection).await?;
                }
                ChangeRow::PutRole(row) => {
                    self.replace(Table::Roles, name(statements::ROLE_SEAL, row.name()), Some(row.seal))
                        .await?;
                    row.bind(sqlx::query(statements::PUT_ROLE)).execute(&mut *self.connection).await?;
                }
                ChangeRow::DeleteRole(role) => {
                    self.replace(Table::Roles, name(statements::ROLE_SEAL, role), None).await?;
                    name(statements::DELETE_ROLE, role).execute(&mut *self.connection).await?;
                }
                ChangeRow::Initialise(row) => {
                    let old = sqlx::query(statements::INITIALISED_SEAL).bind(INITIALISED_KEY);
                    self.replace(Table::Installation, old, Some(row.seal)).await?;
                    row.bind(sqlx::query(statements::PUT_INITIALISED)).execute(&mut *self.connection).await?;
                }
            }
        }
        Ok(0)
    }

    /// Takes the row that `old` finds out of the tally, and the new one in.
    async fn replace(&mut self, table: Table, old: Bound<'_>, new: Option<i64>) -> Result<(), sqlx::Error> {
        if let Some(row) = old.fetch_optional(&mut *self.connection).await? {
            self.tallies.of(table).remove(row.try_get("seal")?);
        }
        if let Some(seal) = new {
            self.tallies.of(table).add(seal);
        }
        Ok(())
    }
}

fn key(statement: &'static str, id: UserId) -> Bound<'static> {
    sqlx::query(statement).bind(id.as_bytes().to_vec())
}

fn name(statement: &'static str, name: &RoleName) -> Bound<'static> {
    sqlx::query(statement).bind(name.as_str().to_owned())
}
