//! Stored password hashes: PHC strings of Argon2id, read and written. Used by the slots, and by those who take hashes
//! from elsewhere ([`check_hash`]). Must never take another algorithm, or parameters that would keep a slot busy for long.

use argon2::password_hash::phc::{self, Ident, Output, ParamsString, Salt};
use argon2::{ARGON2ID_IDENT, Params};
use auth::PasswordHash;
use subtle::ConstantTimeEq;

use crate::limits::{
    MAX_LANES, MAX_MEMORY_KIB, MAX_PASSES, MAX_STORED_BYTES, MAX_WORK, MIN_OUTPUT_BYTES, OUTPUT_BYTES,
    SALT_BYTES,
};

/// Argon2's version 1.3, the only one that is taken (RFC 9106 section 3.1: "v=19").
const VERSION: u32 = 19;

/// Why a stored hash cannot be used, in words for the person who brings it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashFault {
    /// Not `$algorithm$v=…$parameters$salt$hash`.
    #[error("is no password hash in PHC form ($argon2id$v=19$m=…,t=…,p=…$salt$hash)")]
    NotPhc,
    /// Another algorithm.
    #[error("is not of Argon2id, the only algorithm that is taken")]
    Algorithm,
    /// Another version of Argon2 than 1.3.
    #[error("is not of Argon2 version 1.3 (v=19)")]
    Version,
    /// Parameters that are missing, unknown, or beyond the limits.
    #[error(
        "has missing parameters or parameters beyond the limits (m up to 256 MiB, t up to 64, m times t up to 1 GiB)"
    )]
    Parameters,
    /// No hash, or one that is too short to prove anything.
    #[error("has no hash of 16 bytes or more")]
    Output,
}

/// Whether this hash can be verified here: for imports, before somebody's password is lost.
///
/// # Errors
/// [`HashFault`]: why not.
pub fn check_hash(hash: &PasswordHash) -> Result<(), HashFault> {
    Stored::parse(hash.expose()).map(|_| ())
}

/// A stored hash, read.
pub(crate) struct Stored {
    pub(crate) params: Params,
    salt: Salt,
    output: Output,
}

impl Stored {
    /// Reads a PHC string.
    pub(crate) fn parse(text: &str) -> Result<Self, HashFault> {
        if text.len() > MAX_STORED_BYTES {
            return Err(HashFault::NotPhc);
        }
        let read = phc::PasswordHash::new(text).map_err(|_| HashFault::NotPhc)?;
        if read.algorithm != ARGON2ID_IDENT {
            return Err(HashFault::Algorithm);
        }
        if read.version != Some(VERSION) {
            return Err(HashFault::Version);
        }
        let output = read.hash.filter(|output| output.len() >= MIN_OUTPUT_BYTES).ok_or(HashFault::Output)?;
        let salt = read.salt.ok_or(HashFault::NotPhc)?;
        let params = read_params(&read.params, output.len()).ok_or(HashFault::Parameters)?;
        Ok(Self { params, salt, output })
    }

    /// The salt's bytes.
    pub(crate) fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// How long the output is, in bytes.
    pub(crate) fn output_len(&self) -> usize {
        self.output.len()
    }

    /// Whether `output` is the stored one; takes the same time wherever they differ.
    pub(crate) fn equals(&self, output: &[u8]) -> bool {
        self.output.as_bytes().ct_eq(output).into()
    }

    /// Whether a hash with `present` would be harder to guess: more memory, more work, a longer salt or output.
    pub(crate) fn is_below(&self, present: &Params) -> bool {
        self.params.m_cost() < present.m_cost()
            || work(&self.params) < work(present)
            || self.output.len() < OUTPUT_BYTES
            || self.salt.len() < SALT_BYTES
    }
}

fn read_params(read: &ParamsString, output_len: usize) -> Option<Params> {
    let number = |name: &str| read.get_decimal(Ident::new(name).ok()?);
    let (memory, passes, lanes) = (number("m")?, number("t")?, number("p")?);
    let in_range = memory <= MAX_MEMORY_KIB
        && passes <= MAX_PASSES
        && lanes <= MAX_LANES
        && u64::from(memory) * u64::from(passes) <= MAX_WORK
        && read.iter().count() == 3;
    in_range.then(|| Params::new(memory, passes, lanes, Some(output_len)).ok()).flatten()
}

/// The work of one hash: KiB times passes.
pub(crate) fn work(params: &Params) -> u64 {
    u64::from(params.m_cost()) * u64::from(params.t_cost())
}

/// The PHC string of a hash made with `params`. `None` where salt or output have a length that PHC does not know.
pub(crate) fn encode(params: &Params, salt: &[u8], output: &[u8]) -> Option<PasswordHash> {
    let mut written = ParamsString::new();
    for (name, value) in [("m", params.m_cost()), ("t", params.t_cost()), ("p", params.p_cost())] {
        written.add_decimal(name, value).ok()?;
    }
    let hash = phc::PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(VERSION),
        params: written,
        salt: Some(Salt::new(salt).ok()?),
        hash: Some(Output::new(output).ok()?),
    };
    Some(PasswordHash::from_phc(&hash.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &str = "c29tZXNhbHRzb21lc2FsdA";
    const OUTPUT: &str = "iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8";

    fn parse(start: &str) -> Result<Stored, HashFault> {
        Stored::parse(&format!("{start}${SALT}${OUTPUT}"))
    }

    #[test]
    fn asvs_63_only_argon2id_of_version_19_is_taken() {
        assert!(parse("$argon2id$v=19$m=19456,t=2,p=1").is_ok());
        for (other, fault) in [
            ("$argon2i$v=19$m=19456,t=2,p=1", HashFault::Algorithm),
            ("$argon2d$v=19$m=19456,t=2,p=1", HashFault::Algorithm),
            ("$pbkdf2-sha256$v=19$i=600000", HashFault::Algorithm),
            ("$argon2id$v=16$m=19456,t=2,p=1", HashFault::Version),
            ("$argon2id$m=19456,t=2,p=1", HashFault::Version),
            ("", HashFault::NotPhc),
        ] {
            assert_eq!(parse(other).err(), Some(fault), "{other}");
        }
        let bcrypt = "$2b$12$EXRkfkdmXn2gzds2SSitu.MW9.gAVqa9eLS1//RYtYCmB1eLHg.9q";
        let sha = "{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=";
        for other in [bcrypt, sha, "plain", "$", "$$$$$", "$argon2id", ""] {
            assert!(check_hash(&PasswordHash::from_phc(other)).is_err(), "{other}");
        }
    }

    #[test]
    fn parameters_have_limits_on_both_sides() {
        for good in ["m=8,t=1,p=1", "m=262144,t=4,p=1", "m=128,t=64,p=16"] {
            assert!(parse(&format!("$argon2id$v=19${good}")).is_ok(), "{good}");
        }
        for bad in [
            "m=7,t=1,p=1",
            "m=262145,t=1,p=1",
            "m=262144,t=5,p=1",
            "m=4294967295,t=4294967295,p=1",
            "m=99999999999,t=1,p=1",
            "m=128,t=65,p=1",
            "m=128,t=0,p=1",
            "m=136,t=1,p=17",
            "m=128,t=1,p=0",
            "m=128,t=1",
            "t=1,p=1",
            "m=128,t=1,p=1,data=c29tZQ",
            "m=128,t=1,p=1,x=1",
        ] {
            assert!(parse(&format!("$argon2id$v=19${bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn outputs_and_texts_have_a_shortest_and_a_longest() {
        let with_output = |bytes: usize| {
            let params = Params::new(8, 1, 1, Some(bytes)).unwrap();
            check_hash(&encode(&params, &[7; SALT_BYTES], &vec![1; bytes]).unwrap())
        };
        assert_eq!(with_output(MIN_OUTPUT_BYTES), Ok(()));
        assert_eq!(with_output(MIN_OUTPUT_BYTES - 1), Err(HashFault::Output));
        assert_eq!(
            Stored::parse(&format!("$argon2id$v=19$m=8,t=1,p=1${SALT}")).err(),
            Some(HashFault::Output)
        );
        let longest = "$".repeat(MAX_STORED_BYTES);
        assert!(Stored::parse(&longest).is_err() && Stored::parse(&format!("{longest}x")).is_err());
    }

    #[test]
    fn weaker_is_what_is_easier_to_guess() {
        let present = Params::new(19_456, 2, 1, Some(OUTPUT_BYTES)).unwrap();
        let below = |params: &str| parse(&format!("$argon2id$v=19${params}")).unwrap().is_below(&present);
        for weaker in ["m=19455,t=2,p=1", "m=19456,t=1,p=1", "m=12288,t=3,p=1", "m=9216,t=5,p=1"] {
            assert!(below(weaker), "{weaker}");
        }
        for enough in ["m=19456,t=2,p=1", "m=47104,t=1,p=1", "m=65536,t=3,p=4"] {
            assert!(!below(enough), "{enough}");
        }
    }

    #[test]
    fn no_text_makes_the_reader_stumble() {
        proptest::proptest!(|(text in "(\\$argon2id)?(\\$v=[0-9]{1,3})?\\$?[mtp=0-9,$a-zA-Z+/ä]{0,80}")| {
            let _ = Stored::parse(&text);
        });
        proptest::proptest!(|(memory in 8u32..=262_144, passes in 1u32..=4, salt in proptest::collection::vec(0u8.., 8..=48))| {
            let params = Params::new(memory, passes, 1, Some(OUTPUT_BYTES)).unwrap();
            let written = encode(&params, &salt, &[9; OUTPUT_BYTES]).unwrap();
            let read = Stored::parse(written.expose()).unwrap();
            proptest::prop_assert_eq!(work(&read.params), work(&params));
            proptest::prop_assert_eq!(read.salt(), &salt[..]);
            proptest::prop_assert!(read.equals(&[9; OUTPUT_BYTES]) && !read.equals(&[8; OUTPUT_BYTES]));
        });
    }
}
