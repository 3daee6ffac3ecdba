//! Checksums over rows, because SQLite has none in its main file: a flipped bit must be a refusal, never another session.
//!
//! Called by `rows/`. Must never change for a table that exists (that is a new schema version), and must never be mistaken
//! for protection against people: who may write the file may also compute seals.

/// Any odd number does; this one is 2^64 divided by the golden ratio.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// A checksum in the making. Every field goes in with its length and kind, so that no two rows share their bytes.
///
/// Each step is a bijection of the state, so one changed word always changes the result.
#[derive(Clone, Copy)]
pub(crate) struct Seal(u64);

impl Seal {
    /// A seal for records of this kind.
    pub(crate) fn of(kind: &str) -> Self {
        Self(0).text(kind)
    }

    fn word(self, word: u64) -> Self {
        Self((self.0 ^ word).wrapping_mul(FACTOR).rotate_left(29))
    }

    /// Takes in a number.
    pub(crate) fn number(self, number: i64) -> Self {
        self.word(number.cast_unsigned())
    }

    /// Takes in bytes.
    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut seal = self.word(bytes.len() as u64);
        for word in words {
            seal = seal.word(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        seal.word(u64::from_le_bytes(last))
    }

    /// Takes in a text.
    pub(crate) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// Takes in a text that may be absent; an absent one is not an empty one.
    pub(crate) fn optional_text(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.word(1).text(text),
            None => self.word(0),
        }
    }

    /// Takes in a number that may be absent; an absent one is not zero.
    pub(crate) fn optional_number(self, number: Option<i64>) -> Self {
        match number {
            Some(number) => self.word(1).number(number),
            None => self.word(0),
        }
    }

    /// The checksum, as stores keep it.
    pub(crate) fn finish(self) -> i64 {
        let mixed = self.0 ^ (self.0 >> 32);
        mixed.wrapping_mul(FACTOR).cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_never_changes() {
        let seal = Seal::of("sessions").number(-1).bytes(&[1; 32]).optional_text(None).text("ä");
        assert_eq!(seal.finish(), -5_184_110_208_133_946_002, "stores out there hold these numbers");
    }

    #[test]
    fn every_flipped_bit_breaks_it() {
        proptest::proptest!(|(bytes in proptest::collection::vec(0_u8.., 1..100), place: proptest::sample::Index)| {
            let whole = Seal::of("x").bytes(&bytes).finish();
            let mut flipped = bytes.clone();
            let bit = place.index(bytes.len() * 8);
            flipped[bit / 8] ^= 1 << (bit % 8);
            proptest::prop_assert_ne!(Seal::of("x").bytes(&flipped).finish(), whole);
        });
    }

    #[test]
    fn case_27_fields_do_not_slide_into_each_other() {
        let pair = |one: &str, other: &str| Seal::of("x").text(one).text(other).finish();
        assert_ne!(pair("ab", "c"), pair("a", "bc"));
        assert_ne!(pair("ab", ""), pair("a", "b"));
        assert_ne!(pair("a\0", ""), pair("a", "\0"));
        assert_ne!(
            Seal::of("x").optional_text(None).finish(),
            Seal::of("x").optional_text(Some("")).finish()
        );
        assert_ne!(
            Seal::of("x").optional_number(None).finish(),
            Seal::of("x").optional_number(Some(0)).finish()
        );
    }
}
