//! Figure 3: a store that was cut off or had a bit flipped opens to a valid earlier state, or refuses; it never holds a
//! session or user that nobody wrote.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use auth::{
    AuditFilter, AuditStore, Change, DirectoryStore, EndReason, Ended, Initialised, SessionRecord,
    SessionStore,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use store_embedded::EmbeddedStore;
use tempfile::TempDir;
use testkit::suites::clock::START;
use testkit::suites::samples::{audit_entry, facts_of_user, session, token, user};

const VARIANTS: u32 = 300;
const SESSIONS: u64 = 120;
const ENDED: Ended = Ended { at: START, reason: EndReason::Revoked };

/// A store with half of its history in the file and half in the log, as bytes.
struct Original {
    file: Vec<u8>,
    log: Vec<u8>,
}

async fn original() -> Original {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).await.unwrap();
    let fill = async |store: &EmbeddedStore, numbers: std::ops::Range<u64>| {
        for number in numbers {
            store.append(audit_entry(number));
            store.insert(session(number)).await.unwrap();
            if number % 4 == 0 {
                store.end(vec![(token(number), ENDED)]).await.unwrap();
            }
        }
    };
    fill(&store, 0..SESSIONS / 2).await;
    let initialised = Initialised { version: "1".to_owned(), at: START };
    store
        .apply(vec![Change::PutUser(Box::new(user("alice"))), Change::Initialise(initialised)])
        .await
        .unwrap();
    store.close().await;
    let store = EmbeddedStore::open(folder.path()).await.unwrap();
    store.apply(vec![Change::PutUser(Box::new(user("bob")))]).await.unwrap();
    fill(&store, SESSIONS / 2..SESSIONS).await;
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let original = Original { file: read("doorward.db"), log: read("doorward.db-wal") };
    assert!(original.file.len() > 20_000 && original.log.len() > 20_000);
    original
}

fn place(file: &[u8], log: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("doorward.db"), file).unwrap();
    std::fs::write(folder.path().join("doorward.db-wal"), log).unwrap();
    folder
}

/// Opens what is there and, if that succeeds, holds it against what was once written. What it found, or why it refused.
async fn open_and_judge(folder: &Path) -> Result<BTreeMap<u64, SessionRecord>, String> {
    let store = EmbeddedStore::open(folder).await.map_err(|error| error.to_string())?;
    let mut records = Vec::new();
    let loaded = SessionStore::load(&store, &mut |batch| records.extend(batch)).await;
    let filter = AuditFilter { oldest_first: true, limit: 1_000, ..AuditFilter::default() };
    let lines = store.read(filter).await;
    let image = DirectoryStore::load(&store).await;
    store.close().await;
    let report = EmbeddedStore::verify_audit(folder).await;
    loaded.map_err(|error| error.to_string())?;
    let report = report.map_err(|error| error.to_string())?;
    let image = image.map_err(|error| error.to_string())?;
    assert!(image.initialised.is_some(), "a server that was set up is never without its setup");
    let known: BTreeSet<String> = ["alice", "bob"].map(|name| facts_of_user(&user(name))).into();
    assert!(image.users.iter().all(|user| known.contains(&facts_of_user(user))), "a user that nobody wrote");
    let mut numbers = BTreeMap::new();
    for record in records {
        let number = u64::from_be_bytes(record.token.as_bytes()[24..].try_into().unwrap());
        assert_eq!(
            SessionRecord { ended: None, ..record.clone() },
            session(number),
            "a session that nobody wrote"
        );
        assert!(
            record.ended.is_none() || record.ended == Some(ENDED) && number % 4 == 0,
            "an end that nobody wrote"
        );
        numbers.insert(number, record);
    }
    // A line that is not the one that was written is found by walking the log.
    if report.fault.is_none() {
        let lines: Vec<_> =
            lines.map_err(|error| error.to_string())?.into_iter().map(|line| line.entry).collect();
        assert_eq!(
            lines,
            (0..numbers.len() as u64).map(audit_entry).collect::<Vec<_>>(),
            "a log of another state"
        );
    }
    // Sessions were written one after the other, each end before the next session: an earlier state has the first so many.
    let count = numbers.len() as u64;
    assert_eq!(
        numbers.keys().copied().collect::<Vec<_>>(),
        (0..count).collect::<Vec<_>>(),
        "a state that never was"
    );
    for (number, record) in &numbers {
        let due = number % 4 == 0 && *number + 1 < count;
        assert!(record.ended.is_some() || !due, "session {number} of {count} has lost its end");
    }
    Ok(numbers)
}

fn run(strategy: impl Strategy<Value = (Vec<u8>, Vec<u8>)>, variants: u32) -> (u32, u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let counts = std::cell::Cell::new((0, 0));
    let config = Config { cases: variants, failure_persistence: None, ..Config::default() };
    let ran = TestRunner::new(config).run(&strategy, |(file, log)| {
        let folder = place(&file, &log);
        let (opened, refused) = counts.get();
        counts.set(match runtime.block_on(open_and_judge(folder.path())) {
            Ok(_) => (opened + 1, refused),
            Err(_) => (opened, refused + 1),
        });
        Ok(())
    });
    if let Err(error) = ran {
        // Not the bytes, which nobody could read.
        match error {
            proptest::test_runner::TestError::Fail(reason, _) => panic!("{reason}"),
            proptest::test_runner::TestError::Abort(reason) => panic!("{reason}"),
        }
    }
    counts.get()
}

fn flip(mut bytes: Vec<u8>, bit: usize) -> Vec<u8> {
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

fn made() -> Original {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(original())
}

#[test]
fn figure_3_untouched_it_has_everything() {
    let Original { file, log } = made();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = place(&file, &log);
    assert_eq!(runtime.block_on(open_and_judge(folder.path())).unwrap().len() as u64, SESSIONS);
}

#[test]
fn figure_3_a_flipped_bit_in_the_file() {
    let Original { file, log } = made();
    let bits = file.len() * 8;
    // With the log and without it: the log holds newer copies of many pages, and would hide the flip.
    let flips = (0..bits, proptest::bool::ANY);
    let variants = flips.prop_map(move |(bit, with_log)| {
        (flip(file.clone(), bit), if with_log { log.clone() } else { Vec::new() })
    });
    let (opened, refused) = run(variants, VARIANTS);
    assert!(opened > 0 && refused > 0, "{opened} opened, {refused} refused");
}

#[test]
fn figure_3_a_flipped_bit_in_the_log() {
    let Original { file, log } = made();
    let bits = log.len() * 8;
    let (opened, _) = run((0..bits).prop_map(move |bit| (file.clone(), flip(log.clone(), bit))), VARIANTS);
    assert!(opened > VARIANTS / 2, "a log that ends early is an earlier state: {opened} opened");
}

#[test]
fn figure_3_a_log_cut_off() {
    let Original { file, log } = made();
    let ends = 0..=log.len();
    let (opened, refused) = run(ends.prop_map(move |end| (file.clone(), log[..end].to_vec())), VARIANTS);
    assert_eq!((opened, refused), (VARIANTS, 0), "a log that ends early is an earlier state");
}

#[test]
fn figure_3_a_file_cut_off() {
    let Original { file, .. } = made();
    let ends = 0..file.len();
    let (opened, _) = run(ends.prop_map(move |end| (file[..end].to_vec(), Vec::new())), VARIANTS);
    assert_eq!(opened, 0, "a file that is cut off is refused");
}
