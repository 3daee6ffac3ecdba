//! Request heads: any bytes, one after the other off the front. What must hold is in `crates/gateway/src/h1/fuzzing.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gateway::fuzzing::request_head(data));
