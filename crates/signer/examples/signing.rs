//! What signing costs: `cargo run --release -p signer --example signing`.
//!
//! Called by people. It must never be taken for a test: it judges nothing.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement for people")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

#[path = "../tests/signer/house.rs"]
mod house;

use std::hint::black_box;
use std::time::Instant;

use auth::{BearerClaims, Change, Clock, SessionId, Signatory, SigningAlgorithm};
use house::{House, audience, role, user};

/// Nanoseconds of one of `count` calls.
fn measure(what: &str, count: u32, mut call: impl FnMut(u32)) {
    for number in 0..count / 10 {
        call(number);
    }
    let start = Instant::now();
    for number in 0..count {
        call(number);
    }
    println!("{what}: {} ns", start.elapsed().as_nanos() / u128::from(count));
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for algorithm in SigningAlgorithm::ALL {
        let house = House::with(algorithm, &["alice"]).await;
        let name = algorithm.as_str();
        let mut known = Vec::new();
        for number in 0..1_000 {
            house.login("alice", number).await;
            known.push(house.by_session(number).await);
        }
        let (audience, now) = (audience("https://search.internal", 300), house.clock.now());
        let mut snapshot = house.snapshot();
        let token = |which: usize, snapshot: &_| {
            black_box(house.signer.identity_token(&known[which], snapshot, &audience, now).unwrap());
        };
        println!(
            "{name}: {} bytes",
            house.signer.identity_token(&known[0], &snapshot, &audience, now).unwrap().len()
        );
        measure(&format!("{name}: remembered, one session"), 2_000_000, |_| token(0, &snapshot));
        measure(&format!("{name}: remembered, 1,000 sessions"), 2_000_000, |number| {
            token(number as usize % 1_000, &snapshot);
        });
        house.make(vec![Change::PutRole(role("another"))]).await;
        snapshot = house.snapshot();
        let start = Instant::now();
        (0..1_000).for_each(|which| token(which, &snapshot));
        println!("{name}: first after a change of others: {} ns", start.elapsed().as_nanos() / 1_000);
        let claims = |number: u32| BearerClaims {
            subject: user("alice").id,
            session: SessionId::from_random([9; 16]),
            expires: now,
            unique: u128::from(number).to_be_bytes(),
        };
        measure(&format!("{name}: signed"), 20_000, |number| {
            black_box(house.signer.bearer_token(&snapshot, &claims(number), now).unwrap());
        });
        measure(&format!("{name}: two keys made"), 1_000, |_| {
            black_box(house.signer.first_keys(algorithm, now).unwrap());
        });
    }
}
