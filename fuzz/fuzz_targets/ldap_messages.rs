//! A directory sends what it likes. What must hold is in `crates/realm-ldap/src/fuzzing/messages.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| realm_ldap::fuzzing::messages(data));
