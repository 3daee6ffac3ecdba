//! Figure 17: a full or failing disk acknowledges nothing, loses nothing, and is forgotten when it is over.
//!
//! A store file that may not grow (`max_page_count`, which `engine::connect` finds in a file of the test) stands for a full
//! disk; a file that is taken away from under the server, for one that fails.

use std::path::Path;

use auth::{AuditStore, Change, DirectoryStore, EndReason, Ended, SessionStore};
use testkit::suites::audit::{all_lines, assert_chained};
use testkit::suites::clock::START;
use testkit::suites::samples::{attempts, audit_entry, role, session, token, user};
use testkit::suites::sessions::load_all;

use crate::EmbeddedStore;

const ENDED: Ended = Ended { at: START, reason: EndReason::Logout };

async fn open(folder: &Path) -> EmbeddedStore {
    EmbeddedStore::open(folder).await.unwrap()
}

/// Fills the store until a login is refused; how many it took.
async fn fill(store: &EmbeddedStore) -> u64 {
    for number in 0..100_000 {
        if let Err(refusal) = store.insert(session(number)).await {
            assert!(refusal.to_string().contains("full"), "{refusal}");
            return number;
        }
    }
    panic!("the store was never full");
}

#[tokio::test]
async fn figure_17_a_full_disk_refuses_logins_and_keeps_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let room = folder.path().join("doorward.max_pages");
    std::fs::write(&room, "60").unwrap();
    let store = open(folder.path()).await;
    let count = fill(&store).await;
    assert!(count > 50, "{count}");
    assert_eq!(store.find(token(count)).await.unwrap(), None, "what was refused is not there");
    assert_eq!(load_all(&store).await.len() as u64, count, "what was acknowledged is");
    store.end(vec![(token(1), ENDED)]).await.expect("a revocation needs no room");
    assert_eq!(store.find(token(1)).await.unwrap().unwrap().ended, Some(ENDED));

    // A login that does not fit and a logout that does, in one group: each gets its own answer.
    let (login, logout) = tokio::join!(store.insert(session(count)), store.end(vec![(token(2), ENDED)]));
    assert!(login.is_err());
    logout.expect("a logout beside refused logins");

    assert_eq!(load_all(&store).await.len() as u64, count);
    std::fs::remove_file(&room).unwrap();
    // Not every refusal costs the connection, and this limit goes only with it.
    assert!(store.run_statement("ROLLBACK").await.is_err());
    store.insert(session(count)).await.expect("when there is room again, at once");
    store.close().await;
    let store = open(folder.path()).await;
    let sessions = load_all(&store).await;
    assert_eq!(sessions.len() as u64, count + 1);
    assert_eq!([1, 2].map(|number| sessions[token(number).as_bytes()].ended), [Some(ENDED); 2]);
}

/// Sixty ends fill a page, and there may be none left. Then whoever is ended is taken away: without a reason, but dead.
#[tokio::test]
async fn figure_17_a_full_disk_keeps_nobody_in() {
    let folder = tempfile::tempdir().unwrap();
    let room = folder.path().join("doorward.max_pages");
    std::fs::write(&room, "120").unwrap();
    let store = open(folder.path()).await;
    let count = fill(&store).await;
    assert!(count > 200, "{count}");
    for number in 0..count / 2 {
        store.end(vec![(token(number), ENDED)]).await.expect("a logout");
    }
    store
        .end((count / 2..count - 1).map(|number| (token(number), ENDED)).collect())
        .await
        .expect("all others'");
    let left = load_all(&store).await;
    assert!(
        (left.len() as u64) < count && left.values().filter(|session| session.ended.is_none()).count() == 1
    );
    store.close().await;
    let store = open(folder.path()).await;
    assert_eq!(load_all(&store).await, left);
    store.insert(session(count)).await.expect("they have left room");
    store.close().await;
    crate::check(folder.path()).await.unwrap();
}

#[tokio::test]
async fn figure_17_one_operations_mistake_is_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    store.insert(session(1)).await.unwrap();
    store.apply(vec![Change::PutUser(Box::new(user("alice")))]).await.unwrap();
    let impostor = auth::User { id: auth::UserId::from_bytes([9; 16]), ..user("alice") };
    // All of these wait together, so they share one transaction.
    let (again, fresh, refused, role_kept, ended, counted) = tokio::join!(
        store.insert(session(1)),
        store.insert(session(2)),
        store.apply(vec![Change::PutRole(role("lost")), Change::PutUser(Box::new(impostor))]),
        store.apply(vec![Change::PutRole(role("kept"))]),
        store.end(vec![(token(1), ENDED)]),
        store.put_attempts(vec![attempts("alice")]),
    );
    assert!(again.unwrap_err().to_string().contains("UNIQUE"));
    assert!(refused.unwrap_err().to_string().contains("UNIQUE"));
    for fine in [fresh, role_kept, ended, counted] {
        fine.unwrap();
    }
    store.close().await;
    let store = open(folder.path()).await;
    assert_eq!(load_all(&store).await.len(), 2);
    let image = DirectoryStore::load(&store).await.unwrap();
    assert_eq!(image.roles.iter().map(|role| role.name.as_str()).collect::<Vec<_>>(), ["kept"]);
}

#[tokio::test]
async fn figure_17_a_failed_commit_is_told_to_all_and_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    store.insert(session(1)).await.unwrap();
    // A statement that ends the transaction from inside: COMMIT then finds none, and fails.
    let (login, broken, logout) = tokio::join!(
        store.insert(session(2)),
        store.run_statement("ROLLBACK"),
        store.end(vec![(token(1), ENDED)])
    );
    assert!(login.is_err() && broken.is_err() && logout.is_err());
    assert_eq!(load_all(&store).await.len(), 1, "nothing of it is there");
    assert_eq!(store.find(token(1)).await.unwrap(), Some(session(1)));
    store.insert(session(2)).await.expect("at once");
    store.end(vec![(token(1), ENDED)]).await.expect("at once");
    assert_eq!(load_all(&store).await.len(), 2);
}

#[tokio::test]
async fn figure_17_a_backup_that_does_not_fit_leaves_the_store_as_it_was() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let large = open(elsewhere.path()).await;
    let done = auth::Initialised { version: "1".to_owned(), at: START };
    large.apply(vec![Change::Initialise(done), Change::PutUser(Box::new(user("alice")))]).await.unwrap();
    for number in 0..2_000 {
        large.insert(session(number)).await.unwrap();
    }
    let copy = folder.path().join("copy");
    crate::backup(elsewhere.path(), &copy, false).await.unwrap();
    let room = folder.path().join("doorward.max_pages");
    std::fs::write(&room, "60").unwrap();
    let store = open(folder.path()).await;
    store.insert(session(5_000)).await.unwrap();
    let (now, before) = (session(5_000).last_seen, load_all(&store).await);
    let refusal = store.adopt(&copy, now).await.unwrap_err().to_string();
    assert!(refusal.contains("full"), "{refusal}");
    assert_eq!(load_all(&store).await, before);
    assert!(DirectoryStore::load(&store).await.unwrap().users.is_empty());
    store.insert(session(5_001)).await.expect("at once");
    std::fs::remove_file(&room).unwrap();
    store.adopt(&copy, now).await.expect("when there is room again, at once");
    assert_eq!(load_all(&store).await.len(), 2_000);
    crate::check(folder.path()).await.unwrap();
}

#[tokio::test]
async fn figure_17_touches_fail_and_recover_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    for number in 0..2_000 {
        store.insert(session(number)).await.unwrap();
    }
    let later = session(5_000).last_seen;
    // The file is gone while the connection must be opened again: as a disk that does not answer.
    let (file, hidden) = (folder.path().join("doorward.db"), folder.path().join("hidden"));
    std::fs::rename(&file, &hidden).unwrap();
    assert!(store.run_statement("ROLLBACK").await.is_err());
    let touches = || (0..2_000).map(|number| (token(number), later)).collect();
    assert!(store.touch(touches()).await.is_err());
    assert!(store.insert(session(9_000)).await.is_err());
    std::fs::rename(&hidden, &file).unwrap();
    store.touch(touches()).await.expect("at once");
    store.insert(session(9_000)).await.expect("at once");
    assert!(load_all(&store).await.values().take(2_000).all(|session| session.last_seen >= later));
}

fn add(store: &EmbeddedStore, numbers: std::ops::Range<u64>) {
    numbers.for_each(|number| store.append(audit_entry(number)));
}

/// Every line once, in order, chained.
async fn assert_lines(store: &EmbeddedStore, folder: &Path, count: u64) {
    let expected: Vec<_> = (0..count).map(audit_entry).collect();
    assert_chained(&all_lines(store).await, auth::AuditHash::GENESIS, &expected);
    assert_eq!(EmbeddedStore::verify_audit(folder).await.unwrap().fault, None);
}

#[tokio::test]
async fn figure_17_a_failed_commit_loses_no_line_and_doubles_none() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    add(&store, 0..3);
    store.insert(session(1)).await.unwrap();
    for round in 1..4 {
        add(&store, round * 3..round * 3 + 3);
        assert!(store.run_statement("ROLLBACK").await.is_err());
    }
    store.insert(session(2)).await.expect("at once");
    assert_lines(&store, folder.path(), 12).await;
    store.close().await;
    let store = open(folder.path()).await;
    assert_lines(&store, folder.path(), 12).await;
}

#[tokio::test]
async fn figure_17_one_operations_mistake_is_not_the_logs() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    store.insert(session(1)).await.unwrap();
    add(&store, 0..5);
    let (again, fresh) = tokio::join!(store.insert(session(1)), store.insert(session(2)));
    assert!(again.is_err());
    fresh.unwrap();
    assert_lines(&store, folder.path(), 5).await;
}

/// Where there is no room for a line: a login is refused, a logout is done and its line waits in memory until there is.
#[tokio::test]
async fn figure_17_a_full_disk_refuses_what_it_cannot_note_but_for_ends() {
    let folder = tempfile::tempdir().unwrap();
    let room = folder.path().join("doorward.max_pages");
    std::fs::write(&room, "60").unwrap();
    let store = open(folder.path()).await;
    let count = fill(&store).await;
    let long = |number: u64| {
        let text = "x".repeat(200_000).into_boxed_str();
        auth::AuditEntry { fields: [("text".into(), text)].into(), ..audit_entry(number) }
    };
    store.append(long(0));
    store.end(vec![(token(1), ENDED)]).await.expect("a logout needs no line");
    assert_eq!(store.find(token(1)).await.unwrap().unwrap().ended, Some(ENDED));
    assert!(store.insert(session(count)).await.is_err());
    assert!(store.apply(vec![Change::DeleteRole(role("none").name)]).await.is_err(), "it could not be told");
    assert!(all_lines_result(&store).await.is_err(), "the line is not on disk, and that is said");
    store.append(long(1));
    let (login, logout) = tokio::join!(store.insert(session(count)), store.end(vec![(token(2), ENDED)]));
    assert!(login.is_err());
    logout.expect("a logout beside refused logins");
    assert!(store.put_attempts(Vec::new()).await.is_ok());
    std::fs::remove_file(&room).unwrap();
    assert!(store.run_statement("ROLLBACK").await.is_err());
    store.insert(session(count)).await.expect("when there is room again, at once");
    assert_chained(&all_lines(&store).await, auth::AuditHash::GENESIS, &[long(0), long(1)]);
    store.close().await;
    crate::check(folder.path()).await.unwrap();
}

async fn all_lines_result(store: &EmbeddedStore) -> Result<usize, auth::StoreError> {
    let filter = auth::AuditFilter { limit: 10, ..auth::AuditFilter::default() };
    store.read(filter).await.map(|lines| lines.len())
}

/// Nobody waits for these lines, and nothing else is written: they are tried again by themselves.
#[tokio::test]
async fn figure_17_lines_that_could_not_be_written_are_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    store.set_audit_sink(std::sync::Arc::new(move |lines: &[auth::AuditRecord]| {
        sender.send(lines.len()).unwrap();
    }));
    add(&store, 0..2);
    let (file, hidden) = (folder.path().join("doorward.db"), folder.path().join("hidden"));
    std::fs::rename(&file, &hidden).unwrap();
    assert!(store.run_statement("ROLLBACK").await.is_err());
    assert!(store.insert(session(1)).await.is_err());
    std::fs::rename(&hidden, &file).unwrap();
    assert_eq!(receiver.recv().await, Some(2));
    assert_lines(&store, folder.path(), 2).await;
}
