//! Backup while a server serves, and restore when none does.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use auth::{AuditStore as _, Change, DirectoryStore, Moment, SessionStore};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use store_embedded::{EmbeddedStore, backup, check, restore};
use testkit::suites::clock::START;
use testkit::suites::samples::{audit_entry, facts_of_key_ring, key_ring, session, token, user};
use testkit::suites::sessions::load_all;

const NOW: Moment = START;

async fn store_with(folder: &Path, sessions: u64) -> EmbeddedStore {
    let store = EmbeddedStore::open(folder).await.unwrap();
    for number in 0..sessions {
        store.insert(session(number)).await.unwrap();
    }
    store.apply(vec![Change::PutUser(Box::new(user("alice")))]).await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_while_serving_is_one_moment_of_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(store_with(folder.path(), 50).await);
    let stop = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn({
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        async move {
            let mut number = 50;
            while !stop.load(Ordering::Relaxed) {
                store.insert(session(number)).await.unwrap();
                number += 1;
            }
            number
        }
    });
    for round in 0..5 {
        let copy = folder.path().join(format!("copy{round}"));
        backup(folder.path(), &copy, false).await.unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        assert_eq!(restore(&copy, elsewhere.path(), NOW).await.unwrap(), None);
        let restored = EmbeddedStore::open(elsewhere.path()).await.unwrap();
        let sessions = load_all(&restored).await;
        let count = sessions.len() as u64;
        assert!(count >= 50);
        assert!(
            (0..count).all(|number| sessions.contains_key(token(number).as_bytes())),
            "the first so many"
        );
        assert_eq!(DirectoryStore::load(&restored).await.unwrap().users.len(), 1);
    }
    stop.store(true, Ordering::Relaxed);
    let written = writing.await.unwrap();
    assert_eq!(load_all(&*store).await.len() as u64, written);
    check(folder.path()).await.unwrap();
}

#[tokio::test]
async fn a_backup_overwrites_only_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    assert!(backup(folder.path(), &copy, false).await.unwrap_err().to_string().contains("there is no store"));
    let store = store_with(folder.path(), 3).await;
    std::fs::write(&copy, "precious").unwrap();
    assert!(backup(folder.path(), &copy, false).await.unwrap_err().to_string().contains("exists"));
    assert_eq!(std::fs::read(&copy).unwrap(), b"precious");
    backup(folder.path(), &copy, true).await.unwrap();
    let first = std::fs::read(&copy).unwrap();
    assert!(first.starts_with(b"SQLite format 3\0"));
    assert!(backup(folder.path(), Path::new("/nowhere/at/all"), false).await.is_err());
    store.close().await;
    backup(folder.path(), &copy, true).await.unwrap();
    let mut names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    // A reader leaves an empty log and its index, which the next writer takes over.
    names.retain(|name| name != "doorward.db-wal" && name != "doorward.db-shm");
    names.sort();
    assert_eq!(names, ["copy", "doorward.db", "doorward.lock"], "nothing is left behind");
}

#[tokio::test]
async fn a_restore_keeps_what_it_replaces() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let store = store_with(folder.path(), 3).await;
    backup(folder.path(), &copy, false).await.unwrap();
    store.insert(session(3)).await.unwrap();
    let refusal = restore(&copy, folder.path(), NOW).await.unwrap_err().to_string();
    assert!(refusal.contains(&format!("process {} is using", std::process::id())), "{refusal}");
    store.close().await;

    let replaced = restore(&copy, folder.path(), NOW).await.unwrap().unwrap();
    assert_eq!(replaced, folder.path().join(format!("doorward.db.before-restore-{}", NOW.as_millis())));
    let store = EmbeddedStore::open(folder.path()).await.unwrap();
    assert_eq!(load_all(&store).await.len(), 3);
    store.insert(session(7)).await.unwrap();
    store.close().await;

    let later = Moment::from_millis(NOW.as_millis() + 1);
    restore(&replaced, folder.path(), later).await.unwrap();
    let store = EmbeddedStore::open(folder.path()).await.unwrap();
    let sessions = load_all(&store).await;
    assert_eq!(sessions.len(), 4, "what was replaced is a whole store too");
    assert!(sessions.contains_key(token(3).as_bytes()));
}

#[tokio::test]
async fn a_restore_refuses_what_is_not_whole() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let store = store_with(folder.path(), 200).await;
    backup(folder.path(), &copy, false).await.unwrap();
    store.close().await;
    let before = std::fs::read(folder.path().join("doorward.db")).unwrap();
    let whole = std::fs::read(&copy).unwrap();
    let mut flipped = whole.clone();
    let record = whole.windows(8).rposition(|window| window == b"Mozilla/").unwrap();
    flipped[record] ^= 1;
    for (bytes, complaint) in [
        (b"no store at all, but long enough".to_vec(), "does not begin as one"),
        (Vec::new(), "cut off"),
        (whole[..whole.len() / 2 / 4096 * 4096].to_vec(), "malformed"),
        (whole[..whole.len() - 1].to_vec(), "cut off within a page"),
        (flipped, "checksum"),
    ] {
        std::fs::write(&copy, &bytes).unwrap();
        let refusal = restore(&copy, folder.path(), NOW).await.unwrap_err().to_string();
        assert!(refusal.contains(complaint), "{refusal}");
    }
    assert_eq!(std::fs::read(folder.path().join("doorward.db")).unwrap(), before);
    EmbeddedStore::open(folder.path()).await.unwrap();
}

/// The one moment in which a restore can be interrupted so that there is no store: the next server says so.
#[tokio::test]
async fn a_restore_replaces_even_a_store_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let store = store_with(folder.path(), 3).await;
    backup(folder.path(), &copy, false).await.unwrap();
    store.close().await;
    std::fs::write(folder.path().join("doorward.db"), "rubbish").unwrap();
    std::fs::write(folder.path().join("doorward.db-wal"), "rubbish of the log").unwrap();
    assert!(EmbeddedStore::open(folder.path()).await.is_err());
    let replaced = restore(&copy, folder.path(), NOW).await.unwrap().unwrap();
    assert_eq!(std::fs::read(&replaced).unwrap(), b"rubbish");
    let store = EmbeddedStore::open(folder.path()).await.unwrap();
    assert_eq!(load_all(&store).await.len(), 3);
}

/// A store with these signing keys and a line of the audit log, closed; and a backup of it.
async fn closed_with_keys(folder: &Path, number: Option<u8>) -> PathBuf {
    let store = store_with(folder, 1).await;
    if let Some(number) = number {
        store.apply(vec![Change::PutKeyRing(Box::new(key_ring(number)))]).await.unwrap();
    }
    store.append(audit_entry(1));
    let copy = folder.join("copy");
    store.close().await;
    backup(folder, &copy, false).await.unwrap();
    copy
}

/// Changes the store of a folder behind its back.
async fn tamper(folder: &Path, statement: &'static str) {
    let options = SqliteConnectOptions::new().filename(folder.join("doorward.db"));
    let mut connection = options.connect().await.unwrap();
    assert_eq!(sqlx::query(statement).execute(&mut connection).await.unwrap().rows_affected(), 1);
    connection.close().await.unwrap();
}

/// As where a server is restored: a key that was rotated away or withdrawn since the backup, which somebody may have copied, must
/// not sign again. Each of what lasts does so by itself.
#[tokio::test]
async fn signing_keys_outlive_a_restore_where_they_can_be_read() {
    let tampered_key = "UPDATE key_ring SET keys = replace(keys, 'key_2-0', 'key_2-9')";
    let tampered_tally = "UPDATE tallies SET count = 2 WHERE name = 'key_ring'";
    let tampered_log = "UPDATE audit_head SET last = last + 1";
    for (present, in_backup, tampering, afterwards) in [
        (None, None, None, None),
        (None, Some(1), None, Some(1)),
        (Some(2), None, None, Some(2)),
        (Some(2), Some(1), None, Some(2)),
        (Some(2), Some(1), Some(tampered_log), Some(2)),
        (Some(2), Some(1), Some(tampered_key), Some(1)),
        (Some(2), Some(1), Some(tampered_tally), Some(1)),
        (Some(2), None, Some(tampered_key), None),
    ] {
        let case = format!("{present:?} {in_backup:?} {tampering:?}");
        let (elsewhere, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let copy = closed_with_keys(elsewhere.path(), in_backup).await;
        closed_with_keys(folder.path(), present).await;
        if let Some(statement) = tampering {
            tamper(folder.path(), statement).await;
        }
        restore(&copy, folder.path(), NOW).await.unwrap();
        check(folder.path()).await.unwrap();
        let store = EmbeddedStore::open(folder.path()).await.unwrap();
        let ring = DirectoryStore::load(&store).await.unwrap().key_ring;
        let facts = |number: u8| facts_of_key_ring(&key_ring(number));
        assert_eq!(ring.map(|ring| facts_of_key_ring(&ring)), afterwards.map(facts), "{case}");
        // The tally is right: the next ring is counted on it.
        store.apply(vec![Change::PutKeyRing(Box::new(key_ring(3)))]).await.unwrap();
        store.close().await;
        check(folder.path()).await.unwrap();
    }
}
