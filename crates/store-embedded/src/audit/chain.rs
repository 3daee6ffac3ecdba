//! Where the audit log begins and ends, and how it grows.
//!
//! Kept by the writer in memory beside the file, like the tallies, and changed in the transaction that adds or forgets lines.
//! Must never be ahead of the file: what is not committed has no place yet.

use auth::{AuditEntry, AuditHash, Moment, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::block::{self, Block};
use crate::engine::fault;
use crate::seal::Seal;
use crate::statements;

/// The key of the one row of the table `audit_head`.
const HEAD_KEY: &str = "head";

/// The place of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// Its number.
    pub(crate) sequence: u64,
    /// Its hash.
    pub(crate) hash: AuditHash,
}

/// Between which lines the log lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    /// The oldest line that is kept; `last + 1` where none is.
    pub(crate) first: u64,
    /// The hash of the line before it.
    pub(crate) before: AuditHash,
    /// The newest line; 0 where there never was one.
    pub(crate) last: u64,
    /// Its hash.
    pub(crate) hash: AuditHash,
}

impl Head {
    fn seal(&self) -> i64 {
        let seal = Seal::of("audit_head").number(self.first.cast_signed()).bytes(&self.before.0);
        seal.number(self.last.cast_signed()).bytes(&self.hash.0).finish()
    }

    /// How many lines there are.
    pub(crate) const fn lines(&self) -> u64 {
        self.last + 1 - self.first
    }

    /// Reads it.
    pub(crate) async fn read(connection: &mut SqliteConnection) -> Result<Self, StoreError> {
        let fail = |error: sqlx::Error| fault("read the end of the audit log", &error);
        let query = sqlx::query(statements::AUDIT_HEAD).bind(HEAD_KEY);
        let row = query.fetch_optional(connection).await.map_err(fail)?;
        let row = row.ok_or_else(|| damaged("its end is not noted"))?;
        let hash = |name: &str| {
            let bytes: &[u8] = row.try_get(name).map_err(fail)?;
            bytes.try_into().map(AuditHash).map_err(|_| damaged("a hash of its end is not 32 bytes"))
        };
        let number = |name: &str| row.try_get::<i64, _>(name).map_err(fail).map(i64::cast_unsigned);
        let head = Self {
            first: number("first")?,
            before: hash("before")?,
            last: number("last")?,
            hash: hash("hash")?,
        };
        let seal: i64 = row.try_get("seal").map_err(fail)?;
        let possible = head.first >= 1 && head.last < i64::MAX.cast_unsigned() && head.first <= head.last + 1;
        if seal != head.seal() || !possible {
            return Err(damaged("the note of its end has a wrong checksum"));
        }
        Ok(head)
    }

    async fn write(&self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let query = sqlx::query(statements::PUT_AUDIT_HEAD)
            .bind(HEAD_KEY)
            .bind(self.first.cast_signed())
            .bind(self.before.0.to_vec())
            .bind(self.last.cast_signed())
            .bind(self.hash.0.to_vec())
            .bind(self.seal());
        query.execute(connection).await.map(drop)
    }
}

/// That the audit log is not as it was written.
pub(crate) fn damaged(why: &str) -> StoreError {
    StoreError(format!("the audit log is damaged: {why}: the file was damaged, or changed by hand"))
}

/// The end of the log, where the next line goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Chain {
    /// Between which lines the log lies.
    pub(crate) head: Head,
    /// The block in which the newest line is.
    block: Block,
    /// Blocks that are full since the last [`Chain::write`].
    full: Vec<Block>,
}

impl Chain {
    /// Reads the end of the log, and looks whether both ends of it are there. What is between is not looked at.
    pub(crate) async fn read(connection: &mut SqliteConnection) -> Result<Self, StoreError> {
        let head = Head::read(connection).await?;
        let ends = sqlx::query(statements::AUDIT_ENDS).fetch_one(&mut *connection).await;
        let ends = ends.map_err(|error| fault("read the ends of the audit log", &error))?;
        let end = |name: &str| {
            ends.try_get::<Option<i64>, _>(name).map_err(|error| fault("read the audit log", &error))
        };
        let expected = (head.lines() > 0).then_some((head.first.cast_signed(), head.last.cast_signed()));
        if end("first")?.zip(end("last")?) != expected {
            return Err(damaged("lines at its beginning or its end are missing, or were put there"));
        }
        let number = block::number_of(if head.lines() == 0 { head.first } else { head.last });
        let query =
            sqlx::query(statements::AUDIT_BLOCKS).bind(number.cast_signed()).bind(number.cast_signed());
        let row = query.fetch_optional(connection).await;
        let block = match row.map_err(|error| fault("read the audit log's blocks", &error))? {
            Some(row) => Block::read(&row)?,
            None if head.lines() == 0 => Block::new(number),
            None => return Err(damaged("the block of its last lines is missing")),
        };
        Ok(Self { head, block, full: Vec::new() })
    }

    /// Gives a line its place: the next one.
    pub(crate) fn add(&mut self, entry: &AuditEntry) -> Place {
        let sequence = self.head.last + 1;
        let hash = self.head.hash.followed_by(sequence, entry);
        (self.head.last, self.head.hash) = (sequence, hash);
        let number = block::number_of(sequence);
        if number != self.block.number {
            self.full.push(std::mem::replace(&mut self.block, Block::new(number)));
        }
        self.block.note(entry);
        Place { sequence, hash }
    }

    /// Notes that the lines up to this one were forgotten.
    pub(crate) fn forget(&mut self, forgotten: Place) {
        (self.head.first, self.head.before) = (forgotten.sequence + 1, forgotten.hash);
        let number = block::number_of(self.head.first);
        if number > self.block.number {
            self.block = Block::new(number);
        }
    }

    /// Writes what has changed since it was read.
    pub(crate) async fn write(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        for block in self.full.drain(..).chain([self.block.clone()]) {
            block.bind(sqlx::query(statements::PUT_AUDIT_BLOCK)).execute(&mut *connection).await?;
        }
        self.head.write(connection).await
    }

    /// How many of `entries`, which were to be added to `self` when the disk failed, are in the file after all, whose end is
    /// now at `found`.
    pub(crate) fn found_of<'a>(
        mut self,
        found: &Head,
        entries: impl IntoIterator<Item = &'a AuditEntry>,
    ) -> Vec<Place> {
        let mut places = Vec::new();
        for entry in entries {
            places.push(self.add(entry));
            if (self.head.last, self.head.hash) == (found.last, found.hash) {
                return places;
            }
        }
        Vec::new()
    }
}

/// The place that a row with `sequence` and `hash` says it has.
pub(crate) fn place(row: &SqliteRow) -> Result<Place, sqlx::Error> {
    let hash: &[u8] = row.try_get("hash")?;
    let hash = hash.try_into().map_err(|_| sqlx::Error::RowNotFound)?;
    Ok(Place { sequence: row.try_get::<i64, _>("sequence")?.cast_unsigned(), hash: AuditHash(hash) })
}

/// The latest moment that can be stored.
pub(crate) const LATEST: Moment = Moment::from_millis(i64::MAX.cast_unsigned());

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeMap;

    use super::*;

    fn entry(number: u64) -> AuditEntry {
        let event = Cow::Owned(format!("event{number}"));
        AuditEntry { at: Moment::from_millis(number), event, fields: BTreeMap::new() }
    }

    fn empty() -> Chain {
        let genesis = AuditHash::GENESIS;
        let head = Head { first: 1, before: genesis, last: 0, hash: genesis };
        Chain { head, block: Block::new(0), full: Vec::new() }
    }

    #[test]
    fn the_migration_notes_an_empty_log() {
        assert!(
            include_str!("../../migrations/0001_start.sql")
                .contains(&format!("('head', 1, zeroblob(32), 0, zeroblob(32), {})", empty().head.seal())),
            "{}",
            empty().head.seal()
        );
    }

    #[test]
    fn figure_17_lines_of_a_failed_commit_are_found_or_not() {
        let before = empty();
        let entries: Vec<_> = (0..5).map(entry).collect();
        let mut after = before.clone();
        let places: Vec<_> = entries[..3].iter().map(|entry| after.add(entry)).collect();
        assert_eq!(before.clone().found_of(&after.head, &entries), places, "three of them");
        assert!(before.clone().found_of(&before.head, &entries).is_empty(), "none of them");
        let mut other = before.clone();
        other.add(&entry(9));
        assert!(before.found_of(&other.head, &entries).is_empty(), "somebody else's");
    }
}
