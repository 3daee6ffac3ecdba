//! Searching the audit log.
//!
//! Called by `reader.rs`. Must never pass over a line that fits; whether lines are the ones that were written is asked in
//! `verify.rs` only.

use auth::{AuditEntry, AuditFilter, AuditRecord, StoreError};
use sqlx::{Connection, SqliteConnection};

use super::block::{self, Block};
use super::chain::{Head, damaged};
use super::row::read_line;
use crate::engine::fault;
use crate::limits::AUDIT_BLOCKS_AT_ONCE;
use crate::statements;

/// The lines that fit, as they are at one moment.
pub(crate) async fn read(
    connection: &mut SqliteConnection,
    filter: &AuditFilter,
) -> Result<Vec<AuditRecord>, StoreError> {
    let fail = |error: sqlx::Error| fault("read the audit log", &error);
    let mut snapshot = connection.begin().await.map_err(fail)?;
    let head = Head::read(&mut snapshot).await?;
    let (low, high) = match filter.after {
        Some(after) if filter.oldest_first => (head.first.max(after.saturating_add(1)), head.last),
        Some(after) => (head.first, head.last.min(after.saturating_sub(1))),
        None => (head.first, head.last),
    };
    let mut search = Search { filter, found: Vec::new() };
    if low <= high && filter.limit > 0 {
        search.run(&mut snapshot, low, high).await?;
    }
    let found = search.found;
    snapshot.rollback().await.map_err(fail)?;
    Ok(found)
}

fn narrows(filter: &AuditFilter) -> bool {
    filter.event.is_some() || !filter.fields.is_empty() || filter.since.is_some() || filter.until.is_some()
}

fn fits(filter: &AuditFilter, entry: &AuditEntry) -> bool {
    filter.since.is_none_or(|since| entry.at >= since)
        && filter.until.is_none_or(|until| entry.at < until)
        && filter.event.as_ref().is_none_or(|event| *event == entry.event)
        && filter
            .fields
            .iter()
            .all(|(name, value)| entry.fields.get(*name).is_some_and(|found| **found == **value))
}

struct Search<'a> {
    filter: &'a AuditFilter,
    found: Vec<AuditRecord>,
}

impl Search<'_> {
    /// Searches between two lines, both included.
    async fn run(
        &mut self,
        connection: &mut SqliteConnection,
        low: u64,
        high: u64,
    ) -> Result<(), StoreError> {
        if !narrows(self.filter) {
            return self.take_lines(connection, low, high).await;
        }
        let (mut lowest, mut highest) = (block::number_of(low), block::number_of(high));
        while lowest <= highest && !self.is_full() {
            let piece = if self.filter.oldest_first {
                (lowest, highest.min(lowest + (AUDIT_BLOCKS_AT_ONCE - 1)))
            } else {
                (lowest.max(highest.saturating_sub(AUDIT_BLOCKS_AT_ONCE - 1)), highest)
            };
            for block in self.blocks(connection, piece).await? {
                let (first, last) = block::lines_of(block.number);
                if !self.is_full() && block.may_fit(self.filter) {
                    self.take_lines(connection, low.max(first), high.min(last)).await?;
                }
            }
            if self.filter.oldest_first {
                lowest = piece.1 + 1;
            } else if piece.0 == lowest {
                break;
            } else {
                highest = piece.0 - 1;
            }
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.found.len() >= self.filter.limit
    }

    /// Blocks in the order in which lines are asked for.
    async fn blocks(
        &self,
        connection: &mut SqliteConnection,
        (lowest, highest): (u64, u64),
    ) -> Result<Vec<Block>, StoreError> {
        let query =
            sqlx::query(statements::AUDIT_BLOCKS).bind(lowest.cast_signed()).bind(highest.cast_signed());
        let rows = query.fetch_all(connection).await;
        let rows = rows.map_err(|error| fault("read the audit log's blocks", &error))?;
        let mut blocks = rows.iter().map(Block::read).collect::<Result<Vec<_>, _>>()?;
        if blocks.len() as u64 != highest - lowest + 1 {
            return Err(damaged("a block of it is missing"));
        }
        if !self.filter.oldest_first {
            blocks.reverse();
        }
        Ok(blocks)
    }

    /// Takes the lines that fit of those between two lines.
    async fn take_lines(
        &mut self,
        connection: &mut SqliteConnection,
        low: u64,
        high: u64,
    ) -> Result<(), StoreError> {
        let statement =
            if self.filter.oldest_first { statements::AUDIT_FORWARDS } else { statements::AUDIT_BACKWARDS };
        let all = i64::MAX;
        let limit = if narrows(self.filter) { all } else { i64::try_from(self.filter.limit).unwrap_or(all) };
        let query = sqlx::query(statement).bind(low.cast_signed()).bind(high.cast_signed()).bind(limit);
        let rows = query.fetch_all(connection).await.map_err(|error| fault("read the audit log", &error))?;
        for row in &rows {
            if self.is_full() {
                break;
            }
            let record = read_line(row)?;
            if fits(self.filter, &record.entry) {
                self.found.push(record);
            }
        }
        Ok(())
    }
}
