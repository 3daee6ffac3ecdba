//! A `Prefer` field says whether a session goes on. What must hold is in `crates/dialects/src/ovirt/fuzzing.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dialects::fuzzing::prefer(data));
