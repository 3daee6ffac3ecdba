//! Ends of sessions as rows.
//!
//! Called by `store.rs` (records to rows, on the caller's time), `group.rs` (which numbers them) and `ends.rs` (rows to
//! records). Must never change a row that is written: of two ends of a session the first counts, whatever the second says.

use auth::{EndReason, Ended, StoreError, TokenHash};

use super::session::{Rest, bytes_of, moment};
use super::{Bound, hexadecimal, millis};
use crate::seal::Seal;

/// One row, packed into one value as sessions are (`session::PACKED`).
pub(crate) const PACKED: &str = "token || seal || number || ',' || at || ',' || reason";

/// The end of a session, to be written.
#[derive(Clone, Copy)]
pub(crate) struct EndRow {
    /// Whose end.
    pub(crate) token: TokenHash,
    at: i64,
    reason: EndReason,
}

/// An end with its place among all of them.
pub(crate) struct NumberedEnd {
    row: EndRow,
    number: i64,
    /// Over all of it.
    pub(crate) seal: i64,
}

impl EndRow {
    pub(crate) fn new(token: TokenHash, ended: Ended) -> Result<Self, StoreError> {
        Ok(Self { token, at: millis(ended.at, "the end of a session")?, reason: ended.reason })
    }

    /// As the end that has this number.
    pub(crate) fn numbered(self, number: i64) -> NumberedEnd {
        let seal = seal(number, self.token, self.at, self.reason.as_str());
        NumberedEnd { row: self, number, seal }
    }
}

impl NumberedEnd {
    /// Binds the columns in the order of `statements::INSERT_ENDS`.
    pub(crate) fn bind<'q>(&self, query: Bound<'q>) -> Bound<'q> {
        query
            .bind(self.number)
            .bind(self.row.token.as_bytes().to_vec())
            .bind(self.row.at)
            .bind(self.row.reason.as_str())
            .bind(bytes_of(self.seal))
    }
}

/// With its number: two rows of one session must not change places.
fn seal(number: i64, token: TokenHash, at: i64, reason: &str) -> i64 {
    Seal::of("ends").number(number).bytes(token.as_bytes()).number(at).text(reason).finish()
}

/// An end that was read.
#[derive(Clone, Copy)]
pub(crate) struct EndRead {
    /// Its place among all of them.
    pub(crate) number: i64,
    /// Whose end.
    pub(crate) token: TokenHash,
    /// When, and why.
    pub(crate) ended: Ended,
    /// Its row's seal.
    pub(crate) seal: i64,
}

impl EndRead {
    /// Reads a value made by [`PACKED`].
    pub(crate) fn read(packed: &[u8]) -> Result<Self, StoreError> {
        Self::unpack(packed).map_err(|fault| {
            StoreError(format!(
                "table ends, record of session {}: {fault}: the file was damaged, or changed by hand",
                hexadecimal(packed)
            ))
        })
    }

    fn unpack(packed: &[u8]) -> Result<Self, &'static str> {
        const CUT: &str = "it is cut off";
        let (token, rest) = packed.split_first_chunk::<32>().ok_or(CUT)?;
        let (written, rest) = rest.split_first_chunk::<8>().ok_or(CUT)?;
        let token = TokenHash::from_bytes(*token);
        let mut rest = Rest(rest);
        let (number, at) = (rest.number()?, rest.number()?);
        let reason = std::str::from_utf8(rest.0).map_err(|_| "a word is not UTF-8")?;
        let seal = seal(number, token, at, reason);
        if i64::from_be_bytes(*written) != seal {
            return Err("its checksum is wrong");
        }
        let reason = EndReason::parse(reason).ok_or("its reason is unknown to this version")?;
        Ok(Self { number, token, ended: Ended { at: moment(at)?, reason }, seal })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figure_3_no_bytes_make_it_panic_and_none_make_an_end() {
        proptest::proptest!(|(bytes in proptest::collection::vec(0_u8.., 0..100))| {
            proptest::prop_assert!(EndRead::read(&bytes).is_err());
        });
        proptest::proptest!(|(text in "([0-9a-z]{0,4},){0,4}.{0,20}")| {
            let bytes = [[7; 40].as_slice(), text.as_bytes()].concat();
            proptest::prop_assert!(EndRead::read(&bytes).is_err());
        });
    }

    #[test]
    fn a_seal_is_of_one_end_in_one_place() {
        let token = TokenHash::from_bytes([7; 32]);
        let whole = seal(1, token, 2, "logout");
        assert_eq!(whole, seal(1, token, 2, "logout"));
        for other in [seal(2, token, 2, "logout"), seal(1, token, 3, "logout"), seal(1, token, 2, "idle")] {
            assert_ne!(whole, other);
        }
    }
}
