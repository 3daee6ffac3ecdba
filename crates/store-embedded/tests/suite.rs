//! The suites that every store must pass, and what only a store in a folder can do: be opened again, be locked, be read
//! beside a server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;

use auth::{Change, DirectoryStore, EndReason, Ended, Initialised, SessionRecord, SessionStore};
use store_embedded::EmbeddedStore;
use tempfile::TempDir;
use testkit::suites::clock::START;
use testkit::suites::samples::{attempts, facts_of_user, session, token, user};
use testkit::suites::sessions::load_all;
use testkit::suites::{audit_store_suite, directory_store_suite, session_store_suite};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

async fn open(folder: &Path) -> EmbeddedStore {
    EmbeddedStore::open(folder).await.unwrap()
}

#[tokio::test]
async fn passes_the_session_suite() {
    let folders = Mutex::new(Vec::new());
    session_store_suite(async || {
        let folder = folder();
        let path = folder.path().to_owned();
        folders.lock().unwrap().push(folder);
        open(&path).await
    })
    .await;
}

#[tokio::test]
async fn passes_the_directory_suite() {
    let folders = Mutex::new(Vec::new());
    directory_store_suite(async || {
        let folder = folder();
        let path = folder.path().to_owned();
        folders.lock().unwrap().push(folder);
        open(&path).await
    })
    .await;
}

#[tokio::test]
async fn passes_the_audit_suite() {
    let folders = Mutex::new(Vec::new());
    audit_store_suite(async || {
        let folder = folder();
        let path = folder.path().to_owned();
        folders.lock().unwrap().push(folder);
        open(&path).await
    })
    .await;
}

#[tokio::test]
async fn opened_again_it_has_everything() {
    let folder = folder();
    let ended = Ended { at: START, reason: EndReason::Logout };
    let initialised = Initialised { version: "0.1.0".to_owned(), at: START };
    let store = open(folder.path()).await;
    for number in 0..10 {
        store.insert(session(number)).await.unwrap();
    }
    store.end(vec![(token(3), ended)]).await.unwrap();
    let changes = vec![Change::PutUser(Box::new(user("alice"))), Change::Initialise(initialised.clone())];
    store.apply(changes).await.unwrap();
    store.put_attempts(vec![attempts("native/alice")]).await.unwrap();
    store.close().await;
    assert!(store.insert(session(99)).await.is_err(), "closed is closed");

    let store = open(folder.path()).await;
    let sessions = load_all(&store).await;
    assert_eq!(sessions.len(), 10);
    assert_eq!(sessions[token(3).as_bytes()], SessionRecord { ended: Some(ended), ..session(3) });
    let image = DirectoryStore::load(&store).await.unwrap();
    assert_eq!(image.users.iter().map(facts_of_user).collect::<Vec<_>>(), [facts_of_user(&user("alice"))]);
    assert_eq!(image.initialised, Some(initialised));
    assert_eq!(store.load_attempts().await.unwrap(), [attempts("native/alice")]);
    store.insert(session(10)).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn dropped_without_being_closed_it_finishes_what_waits_and_gives_the_folder_back() {
    let folder = folder();
    let store = open(folder.path()).await;
    store.insert(session(0)).await.unwrap();
    drop(store);
    while EmbeddedStore::holder(folder.path()).is_some() {
        tokio::task::yield_now().await;
    }
    let store = open(folder.path()).await;
    assert_eq!(store.find(token(0)).await.unwrap(), Some(session(0)));
}

#[tokio::test]
async fn two_servers_never_share_a_folder() {
    let folder = folder();
    assert_eq!(EmbeddedStore::holder(folder.path()), None);
    let store = open(folder.path()).await;
    let refusal = EmbeddedStore::open(folder.path()).await.unwrap_err().to_string();
    let own = std::process::id();
    assert!(refusal.contains(&format!("process {own} is using the data folder")), "{refusal}");
    assert_eq!(EmbeddedStore::holder(folder.path()), Some(own));
    store.close().await;
    assert_eq!(EmbeddedStore::holder(folder.path()), None);
    open(folder.path()).await.close().await;
}

#[tokio::test]
async fn is_read_beside_a_server_and_not_written() {
    let folder = folder();
    assert!(EmbeddedStore::peek(folder.path()).await.unwrap_err().to_string().contains("there is no store"));
    let store = open(folder.path()).await;
    store.insert(session(0)).await.unwrap();
    let peek = EmbeddedStore::peek(folder.path()).await.unwrap();
    assert_eq!(load_all(&peek).await.len(), 1);
    store.insert(session(1)).await.unwrap();
    assert_eq!(peek.find(token(1)).await.unwrap(), Some(session(1)), "it sees what the server does");
    for refused in [peek.insert(session(2)).await, peek.touch(vec![(token(0), START)]).await] {
        assert!(refused.unwrap_err().to_string().contains("opened for reading only"));
    }
    store.close().await;
    assert_eq!(load_all(&peek).await.len(), 2);
    peek.close().await;
    let peek = EmbeddedStore::peek(folder.path()).await.unwrap();
    assert_eq!(load_all(&peek).await.len(), 2, "without a server too");
}

#[tokio::test]
async fn is_for_its_owner_only() {
    let outer = folder();
    let folder = outer.path().join("new/data");
    let store = open(&folder).await;
    store.insert(session(0)).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        files.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    files.sort();
    assert_eq!(files, ["doorward.db", "doorward.db-shm", "doorward.db-wal", "doorward.lock"]);
}

/// What others left in the folder is refused, and left alone.
#[tokio::test]
async fn refuses_what_is_no_store_of_ours() {
    for (content, complaint) in [
        (&b""[..], "cut off after less than 16 bytes"),
        (b"SQLite", "cut off after less than 16 bytes"),
        (b"-- this is a file of somebody else --", "it does not begin as one"),
        (b"SQLite format 3\0", "not a database"),
    ] {
        let folder = folder();
        let file = folder.path().join("doorward.db");
        std::fs::write(&file, content).unwrap();
        let refusal = EmbeddedStore::open(folder.path()).await.unwrap_err().to_string();
        assert!(refusal.contains(complaint), "{refusal}");
        assert!(refusal.contains("doorward.db"), "{refusal}");
        assert_eq!(std::fs::read(&file).unwrap(), content);
    }
    for (remains, complaint) in
        [("doorward.db-wal", "but not the store"), ("doorward.db.restoring", "was interrupted; run it again")]
    {
        let folder = folder();
        std::fs::write(folder.path().join(remains), "x").unwrap();
        let refusal = EmbeddedStore::open(folder.path()).await.unwrap_err().to_string();
        assert!(refusal.contains(complaint), "{refusal}");
    }
}

/// Four workers with runtimes of their own, as the gateway has them, and one back office.
#[test]
fn takes_operations_from_any_runtime() {
    const PER_WORKER: u64 = 500;
    let folder = folder();
    let office = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let store = office.block_on(open(folder.path()));
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let store = &store;
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    for number in worker * PER_WORKER..(worker + 1) * PER_WORKER {
                        store.insert(session(number)).await.unwrap();
                        assert_eq!(store.find(token(number)).await.unwrap(), Some(session(number)));
                        if number % 2 == 0 {
                            store
                                .end(vec![(token(number), Ended { at: START, reason: EndReason::Logout })])
                                .await
                                .unwrap();
                        }
                        store.touch(vec![(token(number), session(number).last_seen)]).await.unwrap();
                    }
                });
            });
        }
    });
    let sessions = office.block_on(load_all(&store));
    assert_eq!(sessions.len() as u64, 4 * PER_WORKER);
    assert_eq!(sessions.values().filter(|session| session.ended.is_some()).count() as u64, 2 * PER_WORKER);
    office.block_on(store.close());
}
