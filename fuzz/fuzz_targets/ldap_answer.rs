//! A directory answers a bind or a search. What must hold is in `crates/realm-ldap/src/fuzzing.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| realm_ldap::fuzzing::answer(data));
