//! `[login]`: throttling, the length of passwords and the price of a hash. `settings.rs` reads it; the wiring hands it to the
//! throttle and to the native realm. It must never allow hashes weaker than ASVS asks for.

use std::time::Duration;

use auth::limits::DEFAULT_PASSWORD_POINTS;

use crate::document::reader::Reader;
use crate::limits::{
    LEAST_PASSWORD_LENGTH, MAX_ATTEMPTS_PER_ADDRESS, MAX_ATTEMPTS_PER_USER, MAX_HASH_MEMORY,
    MAX_HASH_PARALLEL, MIN_HASH_MEMORY, MOST_PASSWORD_LENGTH, WINDOW,
};
use crate::value::ByteSize;

pub(crate) const KEYS: &[&str] = &[
    "attempts_per_user",
    "attempts_per_address",
    "window",
    "min_password_length",
    "hash_memory",
    "hash_parallel",
];

/// How often somebody may fail to log in, how long passwords are, and what checking one costs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// Failures per user and realm within the window before throttling, 1 to 100; 10 by default.
    pub attempts_per_user: u32,
    /// Failures per client address within the window before throttling, 1 to 1,000,000; 100 by default.
    pub attempts_per_address: u32,
    /// The window in which failures are counted, 1 s to 24 h; 5 minutes by default.
    pub window: Duration,
    /// Fewest characters of a new password, 8 to 64; 15 by default, which NIST SP 800-63B-4 section 3.1.1.2 asks for where
    /// the password is the only factor (8 with a second one).
    pub min_password_length: u16,
    /// Memory of one Argon2id hash (t = 2, p = 1), 19 MiB to 256 MiB; 19 MiB by default. A multiple of 1 KiB.
    pub hash_memory: ByteSize,
    /// Hashes at a time, 1 to 256; 0 = half the cores, at least 1.
    pub hash_parallel: u16,
}

impl Default for Login {
    fn default() -> Self {
        Self {
            attempts_per_user: 10,
            attempts_per_address: 100,
            window: Duration::from_secs(5 * 60),
            min_password_length: DEFAULT_PASSWORD_POINTS as u16,
            hash_memory: ByteSize::new(MIN_HASH_MEMORY),
            hash_parallel: 0,
        }
    }
}

pub(crate) fn read(mut reader: Reader<'_>) -> Login {
    let standard = Login::default();
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let short = |number: u64| u16::try_from(number).unwrap_or(u16::MAX);
    let login = Login {
        attempts_per_user: reader
            .take_integer("attempts_per_user", 1..=MAX_ATTEMPTS_PER_USER)
            .given()
            .map_or(standard.attempts_per_user, count),
        attempts_per_address: reader
            .take_integer("attempts_per_address", 1..=MAX_ATTEMPTS_PER_ADDRESS)
            .given()
            .map_or(standard.attempts_per_address, count),
        window: reader.take_duration("window", WINDOW, "").or(standard.window),
        min_password_length: reader
            .take_integer("min_password_length", LEAST_PASSWORD_LENGTH..=MOST_PASSWORD_LENGTH)
            .given()
            .map_or(standard.min_password_length, short),
        hash_memory: reader
            .take_size(
                "hash_memory",
                (MIN_HASH_MEMORY, MAX_HASH_MEMORY),
                "Argon2id with t = 2 and p = 1 needs 19MiB to 256MiB (ASVS 11.4.2)",
            )
            .or(standard.hash_memory),
        hash_parallel: reader
            .take_integer("hash_parallel", 0..=MAX_HASH_PARALLEL)
            .given()
            .map_or(standard.hash_parallel, short),
    };
    if !login.hash_memory.bytes().is_multiple_of(1024) {
        reader.mistake("hash_memory", "is not a whole number of KiB, which is what Argon2 counts in");
    }
    reader.finish();
    login
}
