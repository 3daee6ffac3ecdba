//! What the embedded store costs on this machine: durable inserts alone and in groups, loading, touches beside logins.
//!
//! Run by hand: `cargo run --release -p store-embedded --example measure [SESSIONS]`. Must never be part of a test: it
//! measures, it judges nothing.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::{EndReason, Ended, SessionStore};
use store_embedded::EmbeddedStore;
use testkit::suites::clock::START;
use testkit::suites::samples::{session, token};

fn main() {
    let count: u64 = std::env::args().nth(1).map_or(100_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir_in(".").unwrap();
    let office = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let store = Arc::new(office.block_on(EmbeddedStore::open(folder.path())).unwrap());

    let began = Instant::now();
    for clients in [1_u64, 10, 100, 1_000] {
        let began = Instant::now();
        let each = 2_000_u64.max(clients * 20) / clients;
        office.block_on(async {
            let tasks: Vec<_> = (0..clients)
                .map(|client| {
                    let store = Arc::clone(&store);
                    tokio::spawn(async move {
                        for number in 0..each {
                            let number = (1 << 40) + clients * 1_000_000_000 + client * each + number;
                            store.insert(session(number)).await.unwrap();
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        let rate = (clients * each) as f64 / began.elapsed().as_secs_f64();
        println!("{clients:5} clients: {rate:8.0} durable inserts/s");
    }
    office.block_on(async {
        for first in (0..count).step_by(10_000) {
            let tasks: Vec<_> = (first..count.min(first + 10_000))
                .map(|number| {
                    let store = Arc::clone(&store);
                    tokio::spawn(async move { store.insert(session(number)).await.unwrap() })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        }
    });
    println!("all inserted after {:?}", began.elapsed());

    for _ in 0..5 {
        let mut total = 0;
        let began = Instant::now();
        office.block_on(store.load(&mut |batch| total += batch.len())).unwrap();
        println!("load of {total}: {:?}", began.elapsed());
    }
    let worst = touches_beside_logins(&office, &store, count);
    println!("slowest login beside 10,000 touches: {worst:?}");
    office.block_on(store.close());
    let size = std::fs::metadata(folder.path().join("doorward.db")).unwrap().len();
    println!("file: {size} bytes");
    let began = Instant::now();
    let store = office.block_on(EmbeddedStore::open(folder.path())).unwrap();
    println!("open: {:?}", began.elapsed());
    let mut total = 0;
    office.block_on(store.load(&mut |batch| total += batch.len())).unwrap();
    println!("open and load of {total}: {:?}", began.elapsed());
}

fn touches_beside_logins(
    office: &tokio::runtime::Runtime,
    store: &Arc<EmbeddedStore>,
    count: u64,
) -> Duration {
    office.block_on(async {
        let later = START.plus(Duration::from_secs(100_000));
        let touches: Vec<_> = (0..10_000).map(|number| (token(number * 7 % count), later)).collect();
        let touching = tokio::spawn({
            let store = Arc::clone(store);
            async move {
                let began = Instant::now();
                store.touch(touches).await.unwrap();
                println!("10,000 touches: {:?}", began.elapsed());
            }
        });
        let mut worst = Duration::ZERO;
        let mut number = 1 << 50;
        while !touching.is_finished() {
            let began = Instant::now();
            store.insert(session(number)).await.unwrap();
            store.end(vec![(token(number), Ended { at: START, reason: EndReason::Logout })]).await.unwrap();
            worst = worst.max(began.elapsed() / 2);
            number += 1;
        }
        touching.await.unwrap();
        worst
    })
}
