//! One place where hashes are computed: a thread's own memory, used again and again (15.3 ms a hash instead of 24.5,
//! performance.md part 4). Used by the pool's threads only. Must never answer a wrong password faster than an unknown user.
//!
//! # What stays in the memory
//! The blocks are not wiped between two hashes; the next one overwrites every block in its first pass, and reads nothing
//! that it did not write. What stays until then are blocks of the *second* pass: whoever could read them would have to
//! compute a whole pass per guess to use them, half of what the stored hash itself costs him, and he would read passwords
//! in clear beside them. Wiping would cost 2 ms of 15 on every login. It is done where that argument does not hold
//! (hashes of one pass), and where the memory leaves our hands: after [`crate::limits::MEMORY_KEPT`] without work, after
//! a stored hash that needed more than the settings' memory, and at the end.
//!
//! # What a look costs
//! A look costs the work of the settings' hash, whoever is looked up, and whether or not he exists: a stored hash that is
//! cheaper is topped up with the difference, an unreadable one is paid in full. A stored hash that is *costlier* than the
//! settings (they were lowered) takes longer than an unknown user; that much can be seen from outside, until the password
//! is set anew. Making everybody else wait as long would let one record slow down all logins, so it stays so.

use std::sync::atomic::{AtomicU64, Ordering};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use auth::PasswordHash;
use zeroize::{Zeroize, Zeroizing};

use crate::limits::{MIN_MEMORY_KIB, OUTPUT_BYTES, SALT_BYTES};
use crate::stored::{Stored, encode, work};

/// Longest output that PHC knows, in bytes.
const LONGEST_OUTPUT: usize = 64;

/// What was computed so far.
#[derive(Default)]
pub(crate) struct Meter {
    pub(crate) hashes: AtomicU64,
    pub(crate) kib_passes: AtomicU64,
}

/// How a look at a password ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// It is not the password, or nobody has one.
    Wrong,
    /// It is the password.
    Right {
        /// Its new hash, where one was asked for and the stored one is below the settings.
        rehashed: Option<PasswordHash>,
    },
}

/// Nothing was found out: the system gave no random bytes, or Argon2 refused. Nobody may be let in or turned away for it.
#[derive(Debug)]
pub(crate) struct Failed;

impl From<argon2::Error> for Failed {
    fn from(_: argon2::Error) -> Self {
        Self
    }
}

/// A thread's memory, and the parameters of the hashes it makes.
pub(crate) struct Slot<'a> {
    present: &'a Params,
    meter: &'a Meter,
    blocks: Vec<Block>,
}

impl<'a> Slot<'a> {
    /// A slot that holds no memory yet.
    pub(crate) fn new(present: &'a Params, meter: &'a Meter) -> Self {
        Self { present, meter, blocks: Vec::new() }
    }

    /// Whether there is memory to give back.
    pub(crate) fn holds_memory(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// Wipes the memory and gives it back.
    pub(crate) fn release(&mut self) {
        wipe(&mut self.blocks);
        self.blocks = Vec::new();
    }

    /// A new hash of `password`, with a salt of its own.
    pub(crate) fn make(&mut self, password: &str) -> Result<PasswordHash, Failed> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|_| Failed)?;
        let mut output = Zeroizing::new([0; OUTPUT_BYTES]);
        self.compute(self.present, password, &salt, output.as_mut())?;
        encode(self.present, &salt, output.as_ref()).ok_or(Failed)
    }

    /// Whether `password` is the one of `hash`. Makes a new hash of it where `rehash` asks for that and `hash` is below
    /// the settings.
    pub(crate) fn check(
        &mut self,
        password: &str,
        hash: &PasswordHash,
        rehash: bool,
    ) -> Result<Checked, Failed> {
        let Ok(stored) = Stored::parse(hash.expose()) else {
            self.burn(password, work(self.present))?;
            return Ok(Checked::Wrong);
        };
        let mut output = Zeroizing::new([0; LONGEST_OUTPUT]);
        let output = output.get_mut(..stored.output_len()).ok_or(Failed)?;
        self.compute(&stored.params, password, stored.salt(), output)?;
        let right = stored.equals(output);
        if right && rehash && stored.is_below(self.present) {
            return Ok(Checked::Right { rehashed: Some(self.make(password)?) });
        }
        self.burn(password, work(self.present).saturating_sub(work(&stored.params)))?;
        Ok(if right { Checked::Right { rehashed: None } } else { Checked::Wrong })
    }

    /// Spends `kib_passes` of work for nobody.
    fn burn(&mut self, password: &str, kib_passes: u64) -> Result<(), Failed> {
        let least = u64::from(MIN_MEMORY_KIB * self.present.p_cost());
        if kib_passes < least {
            return Ok(());
        }
        let passes = kib_passes.div_ceil(u64::from(self.present.m_cost()));
        let memory = u32::try_from((kib_passes / passes).max(least)).map_err(|_| Failed)?;
        let passes = u32::try_from(passes).map_err(|_| Failed)?;
        let params = Params::new(memory, passes, self.present.p_cost(), Some(OUTPUT_BYTES))?;
        let mut output = Zeroizing::new([0; OUTPUT_BYTES]);
        self.compute(&params, password, &[0; SALT_BYTES], output.as_mut())
    }

    fn compute(
        &mut self,
        params: &Params,
        password: &str,
        salt: &[u8],
        output: &mut [u8],
    ) -> Result<(), Failed> {
        let needed = params.block_count();
        if self.blocks.len() < needed {
            self.release();
            self.blocks = vec![Block::new(); needed];
        }
        self.meter.hashes.fetch_add(1, Ordering::Relaxed);
        self.meter.kib_passes.fetch_add(work(params), Ordering::Relaxed);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let computed = argon2.hash_password_into_with_memory(
            password.as_bytes(),
            salt,
            output,
            self.blocks.as_mut_slice(),
        );
        if needed > self.present.block_count() {
            self.release();
        } else if params.t_cost() < 2 {
            wipe(&mut self.blocks[..needed]);
        }
        Ok(computed?)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.release();
    }
}

fn wipe(blocks: &mut [Block]) {
    blocks.iter_mut().for_each(Zeroize::zeroize);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(memory: u32, passes: u32) -> Params {
        Params::new(memory, passes, 1, Some(OUTPUT_BYTES)).unwrap()
    }

    /// The hash of `password` made with `params`.
    fn made(params: &Params, password: &str) -> PasswordHash {
        let meter = Meter::default();
        Slot::new(params, &meter).make(password).unwrap()
    }

    /// How the look ended, how many hashes it took, and what they cost.
    fn look(present: &Params, password: &str, hash: &PasswordHash, rehash: bool) -> (Checked, u64, u64) {
        let meter = Meter::default();
        let checked = Slot::new(present, &meter).check(password, hash, rehash).unwrap();
        (checked, meter.hashes.into_inner(), meter.kib_passes.into_inner())
    }

    #[test]
    fn agrees_with_the_reference_vector() {
        // phc-winner-argon2 test.c: version 19, t=2, m=65536, p=1, "password", "somesalt", Argon2id.
        let stored = PasswordHash::from_phc(
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        );
        assert_eq!(look(&params(8, 1), "password", &stored, false).0, Checked::Right { rehashed: None });
        assert_eq!(look(&params(8, 1), "Password", &stored, false).0, Checked::Wrong);
    }

    #[test]
    fn asvs_64_a_cheaper_hash_is_replaced_and_a_costlier_one_stays() {
        let present = params(64, 2);
        for cheaper in [params(32, 2), params(64, 1), params(8, 20)] {
            let (checked, ..) = look(&present, "secret", &made(&cheaper, "secret"), true);
            let Checked::Right { rehashed: Some(hash) } = checked else { panic!("{checked:?}") };
            assert!(hash.expose().starts_with("$argon2id$v=19$m=64,t=2,p=1$"), "{}", hash.expose());
            assert_eq!(look(&present, "secret", &hash, true).0, Checked::Right { rehashed: None });
        }
        for enough in [params(64, 2), params(128, 2), params(128, 1)] {
            assert_eq!(
                look(&present, "secret", &made(&enough, "secret"), true).0,
                Checked::Right { rehashed: None }
            );
        }
    }

    #[test]
    fn case_28_a_cheaper_or_unreadable_hash_costs_as_much_as_a_present_one() {
        let present = params(64, 2);
        let cost = |hash: &PasswordHash| look(&present, "wrong", hash, true).2;
        for stored in [params(64, 2), params(32, 2), params(24, 3), params(8, 1), params(64, 1)] {
            assert_eq!(cost(&made(&stored, "secret")), 128, "{stored:?}");
        }
        for unreadable in ["", "plain", "$2b$12$EXRkfkdmXn2gzds2SSitu.MW9.gAVqa9eLS1//RYtYCmB1eLHg.9q"] {
            assert_eq!(cost(&PasswordHash::from_phc(unreadable)), 128, "{unreadable}");
        }
        // Right, but nobody may know: the top-up takes the place of the rehash.
        assert_eq!(look(&present, "secret", &made(&params(8, 1), "secret"), false).2, 128);
        // The price of lowering the settings, and no more than it.
        assert_eq!(cost(&made(&params(128, 2), "secret")), 256);
    }

    #[test]
    fn memory_left_from_before_changes_no_verdict() {
        let (present, meter) = (params(64, 2), Meter::default());
        let mut slot = Slot::new(&present, &meter);
        let hashes: Vec<_> = ["one", "two"].map(|password| (password, slot.make(password).unwrap())).into();
        let costly = made(&params(256, 1), "three");
        for round in 0..8 {
            let (password, hash) = &hashes[round % 2];
            let (other, _) = &hashes[(round + 1) % 2];
            assert_eq!(slot.check(password, hash, false).unwrap(), Checked::Right { rehashed: None });
            assert_eq!(slot.check(other, hash, false).unwrap(), Checked::Wrong);
            if round % 3 == 0 {
                assert_eq!(slot.check("three", &costly, false).unwrap(), Checked::Right { rehashed: None });
            }
        }
    }

    #[test]
    fn memory_is_wiped_where_the_docs_say_so() {
        let (present, meter) = (params(64, 2), Meter::default());
        let mut slot = Slot::new(&present, &meter);
        let is_wiped =
            |slot: &Slot<'_>| slot.blocks.iter().all(|block| block.as_ref().iter().all(|word| *word == 0));
        slot.make("secret").unwrap();
        assert!(slot.holds_memory() && !is_wiped(&slot));
        // One pass, in less memory than the settings': what it used is wiped.
        slot.check("secret", &made(&params(64, 1), "secret"), false).unwrap();
        assert!(slot.holds_memory() && is_wiped(&slot));
        slot.make("secret").unwrap();
        slot.check("secret", &made(&params(128, 2), "secret"), false).unwrap();
        assert!(!slot.holds_memory(), "a costlier hash's memory is not kept");
        slot.make("secret").unwrap();
        slot.release();
        assert!(!slot.holds_memory());
    }
}
