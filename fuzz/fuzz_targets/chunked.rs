//! The chunked coding: decoded at once and in pieces, encoded again. What must hold is in `crates/gateway/src/h1/fuzzing.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gateway::fuzzing::chunked(data));
