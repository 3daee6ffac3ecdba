//! What the embedded store costs on this machine: durable inserts alone and in groups, loading, touches beside logins, the
//! audit log.
//!
//! Run by hand: `cargo run --release -p store-embedded --example measure [SESSIONS]`. Must never be part of a test: it
//! measures, it judges nothing.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::{AuditFilter, AuditStore, EndReason, Ended, SessionStore};
use store_embedded::EmbeddedStore;
use testkit::suites::clock::START;
use testkit::suites::samples::{audit_entry, session, token};

fn main() {
    let count: u64 = std::env::args().nth(1).map_or(100_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir_in(".").unwrap();
    let office = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let store = Arc::new(office.block_on(EmbeddedStore::open(folder.path())).unwrap());

    let began = Instant::now();
    for with_line in [false, true] {
        for clients in [1_u64, 10, 100, 1_000] {
            let rate = inserts(&office, &store, clients, with_line);
            let what = if with_line { "durable inserts with an audit line each" } else { "durable inserts" };
            println!("{clients:5} clients: {rate:8.0} {what}/s");
        }
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
    let log = tempfile::tempdir_in(".").unwrap();
    audit(&office, log.path(), count * 10);
}

/// Logins of so many clients at once; how many a second.
fn inserts(
    office: &tokio::runtime::Runtime,
    store: &Arc<EmbeddedStore>,
    clients: u64,
    with_line: bool,
) -> f64 {
    let each = 2_000_u64.max(clients * 20) / clients;
    let first = (1 << 40) + clients * 1_000_000_000 + u64::from(with_line) * (1 << 45);
    let began = Instant::now();
    office.block_on(async {
        let tasks: Vec<_> = (0..clients)
            .map(|client| {
                let store = Arc::clone(store);
                tokio::spawn(async move {
                    for number in 0..each {
                        let number = first + client * each + number;
                        if with_line {
                            store.append(audit_entry(number));
                        }
                        store.insert(session(number)).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    (clients * each) as f64 / began.elapsed().as_secs_f64()
}

/// A log of so many lines: writing it, searching it, walking it.
fn audit(office: &tokio::runtime::Runtime, folder: &std::path::Path, count: u64) {
    let store = office.block_on(EmbeddedStore::open(folder)).unwrap();
    let began = Instant::now();
    for first in (0..count).step_by(50_000) {
        (first..count.min(first + 50_000)).for_each(|number| store.append(audit_entry(number)));
        office.block_on(store.read(AuditFilter { limit: 1, ..AuditFilter::default() })).unwrap();
    }
    println!("{count} audit lines written: {:?}", began.elapsed());
    let field = |number: u64| vec![("session.id", format!("session{number}"))];
    let all = AuditFilter { limit: 100, ..AuditFilter::default() };
    for (what, filter) in [
        ("newest 100", all.clone()),
        ("one session, the oldest", AuditFilter { fields: field(0), ..all.clone() }),
        ("nobody's session", AuditFilter { fields: field(count), ..all.clone() }),
        ("before the 1,000th", AuditFilter { until: Some(audit_entry(1_000).at), ..all.clone() }),
        ("one event", AuditFilter { event: Some("denied".to_owned()), ..all.clone() }),
        ("no such event", AuditFilter { event: Some("nothing".to_owned()), ..all }),
    ] {
        let began = Instant::now();
        let found = office.block_on(store.read(filter)).unwrap().len();
        println!("  {what}: {found} lines in {:?}", began.elapsed());
    }
    let began = Instant::now();
    let report = office.block_on(EmbeddedStore::verify_audit(folder)).unwrap();
    println!("  walked {} lines: {:?}, {:?}", report.lines, began.elapsed(), report.fault);
    office.block_on(store.close());
    let size = std::fs::metadata(folder.join("doorward.db")).unwrap().len();
    println!("  {} bytes a line", size / count);
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
