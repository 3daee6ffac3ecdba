//! Walking the audit log from its first line to its last.
//!
//! Called by the command line (`audit verify`, `check`), beside a server or without one. Must never hold up that server, so it
//! goes in steps, each of which sees one moment; and must never say that a log is in order of which a line was not looked at.

use std::path::Path;

use auth::{AuditHash, AuditRecord, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row, SqliteConnection};

use super::block::{self, Block};
use super::chain::{Head, Place};
use super::row::{is_as_written, read_line};
use crate::engine::{self, Use, fault};
use crate::folder::Folder;
use crate::statements;

/// What became of an audit log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditReport {
    /// Lines that were looked at and are as they were written.
    pub lines: u64,
    /// The oldest line that is kept; one more than `last` where none is.
    pub first: u64,
    /// The newest line; 0 where there never was one.
    pub last: u64,
    /// The newest line's hash. Whoever keeps it elsewhere can tell later that nothing before it was changed.
    pub hash: AuditHash,
    /// What is not in order, and where that shows first; `None`: everything is.
    pub fault: Option<AuditFault>,
}

/// Where an audit log is not as it was written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {sequence}: {why}")]
pub struct AuditFault {
    /// The line; 0 where the note of the log's ends is meant.
    pub sequence: u64,
    /// What is wrong with it.
    pub why: String,
}

fn wrong(sequence: u64, why: impl Into<String>) -> AuditFault {
    AuditFault { sequence, why: why.into() }
}

/// Walks the log of the store in `folder`.
pub(crate) async fn folder(folder: &Path) -> Result<AuditReport, StoreError> {
    let folder = Folder::at(folder);
    if !folder.holds_store()? {
        return Err(StoreError(format!("there is no store in {}", folder.path().display())));
    }
    let file = folder.store();
    engine::check_header(&file)?;
    let mut connection = engine::connect(&file, Use::Read).await?;
    engine::check_version(&mut connection, &file).await?;
    let report = walk(&mut connection).await;
    let _ = connection.close().await;
    Ok(report)
}

/// Walks the log.
pub(crate) async fn walk(connection: &mut SqliteConnection) -> AuditReport {
    let head = Head { first: 0, before: AuditHash::GENESIS, last: 0, hash: AuditHash::GENESIS };
    let mut walk = Walk { head, reached: None, lines: 0 };
    let fault = loop {
        match walk.step(connection).await {
            Ok(Step::More) => {}
            Ok(Step::End) => break None,
            Err(fault) => break Some(fault),
        }
    };
    let Head { first, last, hash, .. } = walk.head;
    AuditReport { lines: walk.lines, first, last, hash, fault }
}

enum Step {
    More,
    End,
}

struct Walk {
    /// As the last step saw it.
    head: Head,
    /// The last line that was looked at.
    reached: Option<Place>,
    lines: u64,
}

impl Walk {
    /// One block, as it is at one moment.
    async fn step(&mut self, connection: &mut SqliteConnection) -> Result<Step, AuditFault> {
        let unreadable = |sequence: u64| move |error: StoreError| wrong(sequence, error.0);
        let mut snapshot = connection.begin().await.map_err(|error| wrong(0, fault("read it", &error).0))?;
        self.head = Head::read(&mut snapshot).await.map_err(unreadable(0))?;
        let (next, before) = self.next()?;
        let end = self.check_ends(&mut snapshot).await?;
        if next > self.head.last {
            return if before == self.head.hash && next == self.head.last + 1 {
                Ok(Step::End)
            } else {
                Err(wrong(self.head.last, "it is not the line that was written last"))
            };
        }
        let number = block::number_of(next);
        let last = block::lines_of(number).1.min(self.head.last);
        let query = sqlx::query(statements::AUDIT_FORWARDS).bind(next.cast_signed()).bind(last.cast_signed());
        let rows = query.bind(i64::MAX).fetch_all(&mut *snapshot).await;
        let rows = rows.map_err(|error| wrong(next, fault("read it", &error).0))?;
        let mut block = Block::new(number);
        let mut place = Place { sequence: next - 1, hash: before };
        for row in &rows {
            let record = check_line(row, place)?;
            place = Place { sequence: record.sequence, hash: record.hash };
            block.note(&record.entry);
            self.lines += 1;
        }
        if place.sequence < last {
            let why = if end < last { "it and all after it are missing" } else { "it is missing" };
            return Err(wrong(place.sequence + 1, why));
        }
        if last == self.head.last && place.hash != self.head.hash {
            return Err(wrong(last, "it is not the line that was written last"));
        }
        check_block(&mut snapshot, &block, next).await?;
        self.reached = Some(place);
        snapshot.rollback().await.map_err(|error| wrong(next, fault("read it", &error).0))?;
        Ok(Step::More)
    }

    /// The next line, and the hash of the one before it.
    fn next(&self) -> Result<(u64, AuditHash), AuditFault> {
        let head = &self.head;
        match self.reached {
            Some(place) if place.sequence + 1 == head.first && place.hash != head.before => {
                Err(wrong(head.first, "what is noted of the line before it is wrong"))
            }
            Some(place) if place.sequence + 1 >= head.first => Ok((place.sequence + 1, place.hash)),
            // At the beginning; or lines were forgotten faster than they were looked at.
            _ => Ok((head.first, head.before)),
        }
    }

    /// Whether there are lines outside of the log's ends; the last line that there is.
    async fn check_ends(&self, connection: &mut SqliteConnection) -> Result<u64, AuditFault> {
        let unreadable = |error: sqlx::Error| wrong(0, fault("read its ends", &error).0);
        let ends = sqlx::query(statements::AUDIT_ENDS).fetch_one(connection).await.map_err(unreadable)?;
        let first: Option<i64> = ends.try_get("first").map_err(unreadable)?;
        let last: Option<i64> = ends.try_get("last").map_err(unreadable)?;
        if let Some(first) = first.filter(|first| *first < self.head.first.cast_signed()) {
            return Err(wrong(u64::try_from(first).unwrap_or(0), "it was put before the first line"));
        }
        let last = last.map_or(0, i64::cast_unsigned);
        if last > self.head.last {
            return Err(wrong(self.head.last + 1, "it was put after the last line"));
        }
        Ok(last)
    }
}

/// Whether a row is the line that follows `place`.
fn check_line(row: &SqliteRow, place: Place) -> Result<AuditRecord, AuditFault> {
    let expected = place.sequence + 1;
    let record = read_line(row).map_err(|error| wrong(expected, error.0))?;
    if record.sequence != expected {
        return Err(wrong(expected, "it is missing"));
    }
    let whole = is_as_written(row, &record).map_err(|error| wrong(expected, error.0))?;
    if !whole || record.hash != place.hash.followed_by(expected, &record.entry) {
        return Err(wrong(expected, "it, or the line before it, is not as it was written"));
    }
    Ok(record)
}

/// Whether the block of the lines from `first` on says what is in it. Of a block whose first lines were forgotten, it may
/// say more.
async fn check_block(connection: &mut SqliteConnection, found: &Block, first: u64) -> Result<(), AuditFault> {
    let number = found.number.cast_signed();
    let query = sqlx::query(statements::AUDIT_BLOCKS).bind(number).bind(number);
    let row = query.fetch_optional(connection).await;
    let row = row.map_err(|error| wrong(first, fault("read its block", &error).0))?;
    let row = row.ok_or_else(|| wrong(first, "the note of what is in its block is missing"))?;
    let kept = Block::read(&row).map_err(|error| wrong(first, error.0))?;
    let is_whole = first <= block::lines_of(found.number).0.max(1);
    let agrees = if is_whole { kept == *found } else { kept.covers(found) };
    agrees.then_some(()).ok_or_else(|| wrong(first, "the note of what is in its block is wrong"))
}
