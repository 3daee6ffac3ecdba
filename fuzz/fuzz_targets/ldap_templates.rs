//! A text is read as a template for filters and DNs of a directory. What must hold is in `crates/realm-ldap/src/fuzzing.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| realm_ldap::fuzzing::templates(data));
