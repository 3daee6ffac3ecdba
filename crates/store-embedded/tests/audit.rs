//! What only an audit log in a folder can do: be on disk before what it tells of, be opened again, be walked beside a server,
//! outlive every restore.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth::{AuditEntry, AuditFilter, AuditHash, AuditRecord, AuditStore, SessionStore};
use auth::{Change, DirectoryStore, EndReason, Ended, Initialised};
use store_embedded::{AuditReport, EmbeddedStore, backup, check, restore};
use testkit::suites::audit::{all_lines, assert_chained};
use testkit::suites::clock::START;
use testkit::suites::samples::{audit_entry, role, session, token};

const ENDED: Ended = Ended { at: START, reason: EndReason::Logout };

async fn open(folder: &Path) -> EmbeddedStore {
    EmbeddedStore::open(folder).await.unwrap()
}

async fn verified(folder: &Path) -> AuditReport {
    let report = EmbeddedStore::verify_audit(folder).await.unwrap();
    assert_eq!(report.fault, None);
    report
}

fn entries(numbers: std::ops::Range<u64>) -> Vec<AuditEntry> {
    numbers.map(audit_entry).collect()
}

fn add(store: &EmbeddedStore, numbers: std::ops::Range<u64>) {
    numbers.for_each(|number| store.append(audit_entry(number)));
}

/// Lines as another process would see them at this moment.
async fn lines_on_disk(folder: &Path) -> Vec<AuditRecord> {
    let peek = EmbeddedStore::peek(folder).await.unwrap();
    let lines = all_lines(&peek).await;
    peek.close().await;
    lines
}

#[tokio::test]
async fn what_was_noted_before_an_operation_is_on_disk_when_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let mut number = 0;
    let mut next = || {
        add(&store, number..number + 1);
        number += 1;
        number as usize
    };
    for round in 0..20 {
        let count = next();
        store.insert(session(round)).await.unwrap();
        assert_eq!(lines_on_disk(folder.path()).await.len(), count, "a login");
        let count = next();
        store.end(vec![(token(round), ENDED)]).await.unwrap();
        assert_eq!(lines_on_disk(folder.path()).await.len(), count, "a logout");
        let count = next();
        store.apply(vec![Change::PutRole(role("search"))]).await.unwrap();
        assert_eq!(lines_on_disk(folder.path()).await.len(), count, "a change");
        let count = next();
        store.touch(vec![(token(round), START)]).await.unwrap();
        assert_eq!(lines_on_disk(folder.path()).await.len(), count, "a touch");
        let count = next();
        assert!(store.insert(session(round)).await.is_err());
        assert_eq!(lines_on_disk(folder.path()).await.len(), count, "what is refused");
    }
    assert_chained(&lines_on_disk(folder.path()).await, AuditHash::GENESIS, &entries(0..100));
    assert_eq!(verified(folder.path()).await.lines, 100);
}

#[tokio::test]
async fn lines_with_nothing_to_ride_on_are_written_soon_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    store.set_audit_sink(Arc::new({
        let told = Arc::clone(&told);
        move |lines: &[AuditRecord]| {
            told.lock().unwrap().extend_from_slice(lines);
            sender.send(lines.len()).unwrap();
        }
    }));
    for burst in 0..3 {
        add(&store, burst * 10..(burst + 1) * 10);
        assert_eq!(receiver.recv().await, Some(10), "a burst shares a commit");
        assert_eq!(lines_on_disk(folder.path()).await, *told.lock().unwrap());
    }
    store.append(audit_entry(30));
    store.close().await;
    store.append(audit_entry(31));
    assert_chained(&told.lock().unwrap(), AuditHash::GENESIS, &entries(0..31));
    assert_eq!(lines_on_disk(folder.path()).await, *told.lock().unwrap(), "closed: everything is on disk");
    assert!(all_lines_refused(&store).await);
}

async fn all_lines_refused(store: &EmbeddedStore) -> bool {
    store.read(AuditFilter { limit: 1, ..AuditFilter::default() }).await.is_err()
}

#[tokio::test]
async fn opened_again_the_chain_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..6 {
        let store = open(folder.path()).await;
        add(&store, round * 500..(round + 1) * 500);
        if round == 3 {
            assert_eq!(store.forget_audit(audit_entry(1_100).at).await.unwrap(), 1_100);
        }
        if round % 2 == 0 {
            store.close().await;
        } else {
            drop(store);
            while EmbeddedStore::holder(folder.path()).is_some() {
                tokio::task::yield_now().await;
            }
        }
        let report = verified(folder.path()).await;
        assert_eq!(report.last, (round + 1) * 500);
        assert_eq!(report.first, if round < 3 { 1 } else { 1_101 });
        assert_eq!(report.lines, report.last + 1 - report.first);
    }
    let lines = lines_on_disk(folder.path()).await;
    assert_eq!(lines.iter().map(|line| line.entry.clone()).collect::<Vec<_>>(), entries(1_100..3_000));
    check(folder.path()).await.unwrap();
}

/// Forgets all lines, at every place that a block can have begun or ended.
#[tokio::test]
async fn an_emptied_log_goes_on_wherever_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut count = 0;
    for more in [1, 1_021, 1, 1, 1, 1_023, 1_024, 3_000] {
        let store = open(folder.path()).await;
        add(&store, count..count + more);
        count += more;
        assert_eq!(store.forget_audit(audit_entry(count).at).await.unwrap(), more);
        let report = verified(folder.path()).await;
        assert_eq!((report.lines, report.first, report.last), (0, count + 1, count));
        if more % 2 == 0 {
            add(&store, count..count + 1);
            count += 1;
            assert_eq!(all_lines(&store).await.len(), 1);
            assert_eq!(verified(folder.path()).await.last, count);
            store.forget_audit(audit_entry(count).at).await.unwrap();
        }
        store.close().await;
    }
    let store = open(folder.path()).await;
    add(&store, count..count + 1);
    let session = vec![("session.id", format!("session{count}"))];
    let filter = AuditFilter { fields: session, limit: 2, ..AuditFilter::default() };
    assert_eq!(store.read(filter).await.unwrap()[0].sequence, count + 1);
    assert_eq!(verified(folder.path()).await.lines, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_walked_beside_a_server_that_writes_and_forgets() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()).await);
    add(&store, 0..5_000);
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writing = tokio::spawn({
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        async move {
            let mut number = 5_000;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                add(&store, number..number + 300);
                number += 300;
                store.forget_audit(audit_entry(number - 4_000).at).await.unwrap();
            }
            number
        }
    });
    let mut last = 0;
    for _ in 0..40 {
        let report = verified(folder.path()).await;
        assert!(report.last >= last);
        last = report.last;
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let written = writing.await.unwrap();
    assert_eq!(all_lines(&*store).await.last().unwrap().sequence, written);
    assert_eq!(verified(folder.path()).await.last, written);
}

/// A store that is set up, with lines 0 to 9, and a backup of it.
async fn store_and_backup(folder: &Path) -> (EmbeddedStore, PathBuf) {
    let store = open(folder).await;
    let done = Initialised { version: "1".to_owned(), at: START };
    store.apply(vec![Change::Initialise(done)]).await.unwrap();
    add(&store, 0..10);
    store.insert(session(1)).await.unwrap();
    let copy = folder.join("copy");
    backup(folder, &copy, false).await.unwrap();
    (store, copy)
}

#[tokio::test]
async fn no_restore_takes_lines_away_from_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let (store, copy) = store_and_backup(folder.path()).await;
    store.insert(session(2)).await.unwrap();
    add(&store, 10..25);
    store.adopt(&copy, START.plus(Duration::from_secs(100))).await.unwrap();
    add(&store, 25..30);
    assert_eq!(store.find(token(2)).await.unwrap().map(|session| session.token), None, "it is the backup");
    assert_chained(&all_lines(&store).await, AuditHash::GENESIS, &entries(0..30));
    assert_eq!(verified(folder.path()).await.lines, 30);

    // One that never had a line takes the backup's.
    let elsewhere = tempfile::tempdir().unwrap();
    let fresh = open(elsewhere.path()).await;
    fresh.adopt(&copy, START.plus(Duration::from_secs(100))).await.unwrap();
    add(&fresh, 10..12);
    assert_chained(&all_lines(&fresh).await, AuditHash::GENESIS, &entries(0..12));
    check(elsewhere.path()).await.unwrap();

    // One that has forgotten all its lines goes on at its own end.
    let third = tempfile::tempdir().unwrap();
    let emptied = open(third.path()).await;
    add(&emptied, 0..4);
    emptied.forget_audit(audit_entry(50).at).await.unwrap();
    emptied.adopt(&copy, START.plus(Duration::from_secs(100))).await.unwrap();
    add(&emptied, 4..5);
    assert_eq!(all_lines(&emptied).await[0].sequence, 5);
    check(third.path()).await.unwrap();
}

#[tokio::test]
async fn no_restore_takes_lines_away_from_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (store, copy) = store_and_backup(folder.path()).await;
    store.insert(session(2)).await.unwrap();
    add(&store, 10..1_500);
    store.close().await;
    let replaced = restore(&copy, folder.path(), START).await.unwrap().unwrap();
    let store = open(folder.path()).await;
    assert_eq!(store.find(token(2)).await.unwrap().map(|session| session.token), None, "it is the backup");
    add(&store, 1_500..1_501);
    assert_chained(&all_lines(&store).await, AuditHash::GENESIS, &entries(0..1_501));
    store.close().await;
    check(folder.path()).await.unwrap();
    let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> =
        names.filter(|name| !name.to_string_lossy().starts_with("doorward.db-")).collect();
    names.sort();
    let replaced = replaced.file_name().unwrap().to_owned();
    assert_eq!(
        names,
        ["copy".into(), "doorward.db".into(), replaced, "doorward.lock".into()],
        "nothing else is left"
    );

    // A folder without a store, or with one that never had a line, takes the backup's.
    let (bare, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    open(fresh.path()).await.close().await;
    for folder in [bare.path(), fresh.path()] {
        restore(&copy, folder, START).await.unwrap();
        let store = open(folder).await;
        add(&store, 10..12);
        assert_chained(&all_lines(&store).await, AuditHash::GENESIS, &entries(0..12));
    }
}

/// A server that was killed leaves lines in its log only.
#[tokio::test]
async fn a_restore_keeps_lines_that_are_in_the_write_ahead_log_only() {
    let (folder, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, copy) = store_and_backup(folder.path()).await;
    add(&store, 10..20);
    store.insert(session(7)).await.unwrap();
    for name in ["doorward.db", "doorward.db-wal"] {
        std::fs::copy(folder.path().join(name), killed.path().join(name)).unwrap();
    }
    restore(&copy, killed.path(), START).await.unwrap();
    assert_chained(&lines_on_disk(killed.path()).await, AuditHash::GENESIS, &entries(0..20));
    check(killed.path()).await.unwrap();
}

#[tokio::test]
async fn a_reader_sees_lines_and_adds_none() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    add(&store, 0..3);
    assert_eq!(all_lines(&store).await.len(), 3);
    let peek = EmbeddedStore::peek(folder.path()).await.unwrap();
    peek.append(audit_entry(9));
    assert!(peek.forget_audit(audit_entry(9).at).await.is_err());
    assert_eq!(all_lines(&peek).await.len(), 3);
    peek.close().await;
    let bare = tempfile::tempdir().unwrap();
    assert!(
        EmbeddedStore::verify_audit(bare.path()).await.unwrap_err().to_string().contains("there is no store")
    );
}
