//! Which sessions have ended: noted in a narrow table of their own, put together with the sessions when they are read.
//!
//! Called by `writer.rs` and `group.rs`, which must know who has ended before they write, and by `scan.rs` and `adopt.rs`, which
//! read when and why. Must never take a later end of a session for its first, and must never be asked by key in the file: the
//! table has no index of tokens, for an index would be written at a random place for each end
//! (docs/decisions/0016-ends-apart.md).

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use auth::{Ended, StoreError, TokenHash};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::engine::fault;
use crate::limits::LOAD_BATCH;
use crate::rows::end::{EndRead, PACKED};
use crate::statements;
use crate::tally::{Table, Tally};

static PAGE: LazyLock<Arc<str>> = LazyLock::new(|| {
    Arc::from(format!("SELECT {PACKED} AS packed FROM ends WHERE number > $1 ORDER BY number LIMIT $2"))
});
static OF_ONE: LazyLock<Arc<str>> = LazyLock::new(|| {
    Arc::from(format!("SELECT {PACKED} AS packed FROM ends WHERE token = $1 ORDER BY number LIMIT 1"))
});

/// Half of a token's hash: as good as the whole, in half of the memory.
pub(crate) type Half = u128;

/// See [`Half`].
pub(crate) fn half(token: TokenHash) -> Half {
    let [half, ..] = token.as_bytes().as_chunks::<16>().0 else { return 0 };
    Half::from_be_bytes(*half)
}

/// Who has ended, as the writer remembers it: a second end is not written, and activity of the dead is not noted. Some 30
/// bytes for each session that ended within the last day, beside the hundreds that the session itself takes.
#[derive(Default)]
pub(crate) struct EndedSessions(HashSet<Half>);

impl EndedSessions {
    /// Reads who has ended. Seals and tally are looked at by whoever loads the sessions, without which nothing is served.
    pub(crate) async fn read(connection: &mut SqliteConnection) -> Result<Self, StoreError> {
        let fail = |error: sqlx::Error| fault("read the ends of sessions", &error);
        let mut known = HashSet::new();
        let mut last = i64::MIN;
        loop {
            let query = sqlx::query(statements::ENDED_TOKENS).bind(last).bind(LOAD_BATCH);
            let rows = query.fetch_all(&mut *connection).await.map_err(fail)?;
            for row in &rows {
                known.insert(half(read_token(row).map_err(fail)?));
            }
            match rows.last() {
                Some(row) if rows.len() == LOAD_BATCH as usize => {
                    let number = row.try_get("number").map_err(fail)?;
                    if number <= last {
                        return Err(disordered());
                    }
                    last = number;
                }
                _ => return Ok(Self(known)),
            }
        }
    }

    /// Whether this session has ended.
    pub(crate) fn contains(&self, token: TokenHash) -> bool {
        self.0.contains(&half(token))
    }

    /// Takes in what a transaction has written.
    pub(crate) fn adopt(&mut self, written: &[Half], forgotten: &[Half]) {
        self.0.extend(written);
        for one in forgotten {
            self.0.remove(one);
        }
        // What one bad hour has filled is given back the next day.
        if self.0.capacity() / 4 > self.0.len() {
            self.0.shrink_to(self.0.len() * 2);
        }
    }
}

fn disordered() -> StoreError {
    StoreError("table ends is out of order: the file was damaged".to_owned())
}

/// The column `token` of a row of `ends`.
pub(crate) fn read_token(row: &SqliteRow) -> Result<TokenHash, sqlx::Error> {
    let bytes: &[u8] = row.try_get("token")?;
    let bytes = bytes.try_into().map_err(|_| sqlx::Error::Decode("a token of other than 32 bytes".into()))?;
    Ok(TokenHash::from_bytes(bytes))
}

fn read_packed(row: &SqliteRow) -> Result<EndRead, StoreError> {
    EndRead::read(row.try_get(0).map_err(|error| fault("read the ends of sessions", &error))?)
}

/// Every end, in the order in which they were noted, held against the tally.
pub(crate) async fn read_all(connection: &mut SqliteConnection) -> Result<Vec<EndRead>, StoreError> {
    let expected = Tally::read(connection, Table::Ends).await?;
    let mut tally = Tally::default();
    let mut all: Vec<EndRead> = Vec::new();
    loop {
        let last = all.last().map_or(i64::MIN, |end| end.number);
        let query = sqlx::query(sqlx::AssertSqlSafe(Arc::clone(&PAGE))).bind(last).bind(LOAD_BATCH);
        let rows = query.fetch_all(&mut *connection).await;
        let rows = rows.map_err(|error| fault("read the ends of sessions", &error))?;
        for row in &rows {
            let end = read_packed(row)?;
            if all.last().is_some_and(|last| last.number >= end.number) {
                return Err(disordered());
            }
            tally.add(end.seal);
            all.push(end);
        }
        if rows.len() < LOAD_BATCH as usize {
            expected.matches(tally, Table::Ends)?;
            return Ok(all);
        }
    }
}

/// The end that counts of one session, by a look at all ends.
pub(crate) async fn find(
    connection: &mut SqliteConnection,
    token: TokenHash,
) -> Result<Option<Ended>, StoreError> {
    let query = sqlx::query(sqlx::AssertSqlSafe(Arc::clone(&OF_ONE))).bind(token.as_bytes().to_vec());
    let row = query.fetch_optional(connection).await;
    let row = row.map_err(|error| fault("read the end of a session", &error))?;
    row.map(|row| read_packed(&row).map(|end| end.ended)).transpose()
}

/// Ends in the order of tokens, of each session the one that counts: to be met by sessions in the same order.
pub(crate) struct EndsByToken(Vec<(TokenHash, Ended)>);

impl EndsByToken {
    /// Reads them.
    pub(crate) async fn read(connection: &mut SqliteConnection) -> Result<Self, StoreError> {
        let all = read_all(connection).await?;
        let mut ends: Vec<_> = all.into_iter().map(|end| (end.token, end.ended)).collect();
        // Stable: of two ends of a session the first stays in front.
        ends.sort_by(|(one, _), (other, _)| one.as_bytes().cmp(other.as_bytes()));
        ends.dedup_by_key(|(token, _)| *token);
        Ok(Self(ends))
    }

    /// From behind this key on.
    pub(crate) fn behind(&self, key: &[u8]) -> EndsAhead<'_> {
        let place = self.0.partition_point(|(token, _)| token.as_bytes().as_slice() <= key);
        EndsAhead(&self.0[place..])
    }
}

/// The ends that are still ahead of whoever walks through sessions in the order of their tokens.
pub(crate) struct EndsAhead<'a>(&'a [(TokenHash, Ended)]);

impl EndsAhead<'_> {
    /// The end of this session, which comes behind all that were asked for before. Ends of sessions that are not there are
    /// passed over.
    pub(crate) fn of(&mut self, token: TokenHash) -> Option<Ended> {
        while let [(first, ended), rest @ ..] = self.0 {
            match first.as_bytes().cmp(token.as_bytes()) {
                std::cmp::Ordering::Less => self.0 = rest,
                std::cmp::Ordering::Equal => return Some(*ended),
                std::cmp::Ordering::Greater => return None,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use auth::{EndReason, Moment};

    use super::*;

    fn token(first: u8) -> TokenHash {
        let mut bytes = [0; 32];
        bytes[0] = first;
        TokenHash::from_bytes(bytes)
    }

    #[test]
    fn whoever_walks_in_order_meets_every_end() {
        let ended = |number| Ended { at: Moment::from_millis(number), reason: EndReason::Logout };
        let ends = EndsByToken([2, 4, 5, 9].map(|first| (token(first), ended(u64::from(first)))).into());
        let mut ahead = ends.behind(&[]);
        for (first, end) in
            [(1, None), (2, Some(2)), (3, None), (5, Some(5)), (8, None), (9, Some(9)), (10, None)]
        {
            assert_eq!(ahead.of(token(first)), end.map(ended), "{first}");
        }
        let behind = |key: &[u8]| ends.behind(key).0.len();
        assert_eq!(
            (behind(&[]), behind(token(2).as_bytes()), behind(&[5]), behind(&[0xff; 33])),
            (4, 3, 2, 0)
        );
    }

    #[test]
    fn what_is_forgotten_is_forgotten() {
        let mut known = EndedSessions::default();
        let all: Vec<Half> = (0..100_000).collect();
        known.adopt(&all, &[]);
        known.adopt(&[], &all[1..]);
        assert!(known.contains(TokenHash::from_bytes([0; 32])) && known.0.len() == 1);
        assert!(known.0.capacity() < 1_000);
    }
}
