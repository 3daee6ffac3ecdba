//! What proxies state of the requests that they ask about. What must hold is in `crates/gateway/src/forward_auth/fuzzing.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gateway::fuzzing::statement(data));
