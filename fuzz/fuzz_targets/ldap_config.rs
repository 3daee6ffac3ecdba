//! The config of an LDAP realm is read. What must hold is in `crates/realm-ldap/src/fuzzing.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| realm_ldap::fuzzing::config(data));
