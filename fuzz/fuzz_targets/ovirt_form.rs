//! A form carries a name and a password to the token endpoint. What must hold is in `crates/dialects/src/ovirt/fuzzing.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dialects::fuzzing::form(data));
