//! What a piece of the audit log holds: between which moments it lies, and marks of everything that can be searched for.
//!
//! Written by `chain.rs` with the lines, asked by `read.rs` before it reads any. Must never say "not here" of a line that is
//! there: a mark may be there by chance, never be missing.
//!
//! Instead of indexes. Users and addresses are scattered, so an index by them costs a page of 4 KiB for each line that is
//! written, at a random place of a file that only grows. This costs one page for each group of lines, and 10 million lines
//! are 10,000 blocks, 40 MB, to look through.

use auth::{AuditEntry, AuditFilter, StoreError};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::row::millis;
use crate::engine::fault;
use crate::rows::Bound;
use crate::seal::Seal;

/// Lines in a block. Part of the format.
pub(crate) const LINES: u64 = 1_024;
/// Bytes of marks; with its other columns a block just fills a page. Part of the format.
const BYTES: usize = 3_840;
/// Marks that each value leaves: of a block whose lines have three values each that no other line has, one search in a hundred
/// finds all of them by chance. Part of the format.
const MARKS_PER_VALUE: u64 = 4;

/// A block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Block {
    /// Its number: the sequence of its lines divided by [`LINES`].
    pub(crate) number: u64,
    earliest: i64,
    latest: i64,
    marks: Box<[u8]>,
}

/// The number of the block in which a line is.
pub(crate) const fn number_of(sequence: u64) -> u64 {
    sequence / LINES
}

/// The first and last line that a block can hold.
pub(crate) const fn lines_of(number: u64) -> (u64, u64) {
    (number * LINES, number * LINES + (LINES - 1))
}

/// Where the marks of a value are.
fn places(name: &str, value: &str) -> impl Iterator<Item = usize> {
    let hash = Seal::of(name).text(value).finish().cast_unsigned();
    let (start, step) = (hash >> 32, hash & 0xffff_ffff | 1);
    (0..MARKS_PER_VALUE).map(move |turn| {
        let bit = (start + turn * step) % (BYTES as u64 * 8);
        usize::try_from(bit).unwrap_or_default()
    })
}

/// The name under which the event's word is marked: no field is called so.
const EVENT: &str = "";

impl Block {
    /// An empty block.
    pub(crate) fn new(number: u64) -> Self {
        Self { number, earliest: i64::MAX, latest: i64::MIN, marks: vec![0; BYTES].into_boxed_slice() }
    }

    /// Notes that a line is in it.
    pub(crate) fn note(&mut self, entry: &AuditEntry) {
        let at = millis(entry.at);
        self.earliest = self.earliest.min(at);
        self.latest = self.latest.max(at);
        self.mark(EVENT, &entry.event);
        for (name, value) in &entry.fields {
            self.mark(name, value);
        }
    }

    fn mark(&mut self, name: &str, value: &str) {
        for place in places(name, value) {
            self.marks[place / 8] |= 1 << (place % 8);
        }
    }

    fn may_hold(&self, name: &str, value: &str) -> bool {
        places(name, value).all(|place| self.marks[place / 8] & 1 << (place % 8) != 0)
    }

    /// Whether a line that fits may be in it.
    pub(crate) fn may_fit(&self, filter: &AuditFilter) -> bool {
        filter.since.is_none_or(|since| self.latest >= millis(since))
            && filter.until.is_none_or(|until| self.earliest < millis(until))
            && filter.event.as_ref().is_none_or(|event| self.may_hold(EVENT, event))
            && filter.fields.iter().all(|(name, value)| self.may_hold(name, value))
    }

    /// Whether everything that `other` knows is known here too.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.earliest <= other.earliest
            && self.latest >= other.latest
            && self.marks.iter().zip(&other.marks).all(|(own, others)| own & others == *others)
    }

    fn seal(&self) -> i64 {
        let number = self.number.cast_signed();
        Seal::of("audit_blocks")
            .number(number)
            .number(self.earliest)
            .number(self.latest)
            .bytes(&self.marks)
            .finish()
    }

    /// Binds the columns in the order of `statements::PUT_AUDIT_BLOCK`.
    pub(crate) fn bind<'q>(&self, query: Bound<'q>) -> Bound<'q> {
        query
            .bind(self.number.cast_signed())
            .bind(self.earliest)
            .bind(self.latest)
            .bind(self.marks.to_vec())
            .bind(self.seal())
    }

    /// The block of a row of `statements::AUDIT_BLOCKS`.
    pub(crate) fn read(row: &SqliteRow) -> Result<Self, StoreError> {
        let fail = |error: sqlx::Error| fault("read the audit log's blocks", &error);
        let number: i64 = row.try_get("number").map_err(fail)?;
        let marks: &[u8] = row.try_get("marks").map_err(fail)?;
        let block = Self {
            number: number.cast_unsigned(),
            earliest: row.try_get("earliest").map_err(fail)?,
            latest: row.try_get("latest").map_err(fail)?,
            marks: Box::from(marks),
        };
        let seal: i64 = row.try_get("seal").map_err(fail)?;
        if block.marks.len() != BYTES || seal != block.seal() {
            return Err(StoreError(format!(
                "table audit_blocks, record {number}: its checksum is wrong: the file was damaged, or changed by hand"
            )));
        }
        Ok(block)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use auth::Moment;

    use super::*;

    fn entry(number: u64) -> AuditEntry {
        let fields =
            [("user.id", format!("user{number}")), ("client.address", format!("10.0.0.{}", number % 256))];
        AuditEntry {
            at: Moment::from_millis(number),
            event: Cow::Borrowed("login"),
            fields: fields.map(|(name, value)| (Cow::Borrowed(name), Box::from(value))).into(),
        }
    }

    fn asks_for(fields: &[(&'static str, &str)]) -> AuditFilter {
        let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        AuditFilter { fields, ..AuditFilter::default() }
    }

    #[test]
    fn a_full_block_denies_no_line_and_most_others() {
        let mut block = Block::new(3);
        for number in 0..LINES {
            block.note(&entry(number));
        }
        assert!((0..LINES).all(|number| block.may_fit(&asks_for(&[("user.id", &format!("user{number}"))]))));
        let chance = (LINES..LINES + 10_000)
            .filter(|number| block.may_fit(&asks_for(&[("user.id", &format!("user{number}"))])));
        let chance = chance.count();
        assert!(chance < 100, "{chance} of 10,000 found by chance");
    }

    #[test]
    fn its_times_are_borders() {
        let mut block = Block::new(0);
        block.note(&entry(5));
        block.note(&entry(3));
        let between = |since: u64, until: u64| AuditFilter {
            since: Some(Moment::from_millis(since)),
            until: Some(Moment::from_millis(until)),
            ..AuditFilter::default()
        };
        assert!(block.may_fit(&between(5, 6)) && block.may_fit(&between(0, 4)));
        assert!(!block.may_fit(&between(6, 9)) && !block.may_fit(&between(0, 3)));
    }

    #[test]
    fn the_marks_never_change() {
        assert_eq!(
            places("user.id", "a").collect::<Vec<_>>(),
            [22_075, 23_740, 25_405, 27_070],
            "stores out there hold these"
        );
        assert_eq!((LINES, BYTES), (1_024, 3_840));
        assert_eq!((number_of(1_023), number_of(1_024), lines_of(1)), (0, 1, (1_024, 2_047)));
    }
}
