//! A backup put in place while the server serves.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use auth::limits::REASON_KEPT;
use auth::{
    Change, DirectoryStore, EndReason, Ended, Initialised, KeyUse, Moment, SessionRecord, SessionStore,
};
use store_embedded::{EmbeddedStore, Progress, REQUEST_HOLDS, RestoreRequest, backup, check};
use testkit::suites::clock::START;
use testkit::suites::samples::{api_key, attempts, facts_of_key_ring, key_ring, role, session, token, user};
use testkit::suites::sessions::load_all;

fn later(seconds: u64) -> Moment {
    START.plus(Duration::from_secs(seconds))
}

/// A store that is set up, with the first so many sessions and these users; and a backup of it.
async fn store_and_backup(folder: &Path, sessions: u64, users: &[&str]) -> (EmbeddedStore, PathBuf) {
    let store = EmbeddedStore::open(folder).await.unwrap();
    let done = Initialised { version: "1".to_owned(), at: START };
    store.apply(vec![Change::Initialise(done), Change::PutRole(role("old"))]).await.unwrap();
    for name in users {
        store.apply(vec![Change::PutUser(Box::new(user(name)))]).await.unwrap();
    }
    for number in 0..sessions {
        store.insert(session(number)).await.unwrap();
    }
    store.put_attempts(vec![attempts("old")]).await.unwrap();
    let copy = folder.join("copy");
    backup(folder, &copy, false).await.unwrap();
    (store, copy)
}

async fn names_of_users(store: &EmbeddedStore) -> Vec<String> {
    let mut names: Vec<_> = DirectoryStore::load(store)
        .await
        .unwrap()
        .users
        .into_iter()
        .map(|user| user.username.shown().to_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn an_adopted_backup_is_the_store_but_for_what_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let (store, copy) = store_and_backup(folder.path(), 20, &["alice"]).await;
    let ended = Ended { at: later(50), reason: EndReason::Logout };
    store.insert(session(77)).await.unwrap();
    store.end(vec![(token(3), ended), (token(77), ended)]).await.unwrap();
    store.insert(session(78)).await.unwrap();
    store.touch(vec![(token(4), later(60))]).await.unwrap();
    store
        .apply(vec![Change::PutUser(Box::new(user("bob"))), Change::DeleteUser(user("alice").id)])
        .await
        .unwrap();
    store.apply(vec![Change::PutRole(role("new"))]).await.unwrap();
    store.put_attempts(vec![attempts("new")]).await.unwrap();
    let before = load_all(&store).await;

    let kept = store.adopt(&copy, later(100)).await.unwrap();
    let mut expected: Vec<SessionRecord> = (0..20).map(session).collect();
    expected[3].ended = Some(ended);
    expected[4].last_seen = later(60);
    let adopted = async |store: &EmbeddedStore| {
        let mut sessions: Vec<_> = load_all(store).await.into_values().collect();
        sessions.sort_by_key(|session| session.created);
        assert_eq!(sessions, expected);
        assert_eq!(names_of_users(store).await, ["alice"]);
        let image = DirectoryStore::load(store).await.unwrap();
        assert_eq!(image.roles.iter().map(|role| role.name.as_str()).collect::<Vec<_>>(), ["old"]);
        assert!(image.initialised.is_some());
        assert_eq!(store.load_attempts().await.unwrap(), [attempts("old")]);
    };
    adopted(&store).await;
    // The tallies are right: whatever is written now is counted on them.
    store.insert(session(90)).await.unwrap();
    store.end(vec![(token(90), ended)]).await.unwrap();
    assert_eq!(store.forget(later(51)).await.unwrap(), 2);
    store.insert(expected[3].clone()).await.unwrap();
    check(folder.path()).await.unwrap();
    store.close().await;
    let store = EmbeddedStore::open(folder.path()).await.unwrap();
    adopted(&store).await;
    store.close().await;

    // What was replaced is a whole store.
    let elsewhere = tempfile::tempdir().unwrap();
    store_embedded::restore(&kept, elsewhere.path(), START).await.unwrap();
    let replaced = EmbeddedStore::open(elsewhere.path()).await.unwrap();
    assert_eq!(load_all(&replaced).await, before);
    assert_eq!(names_of_users(&replaced).await, ["bob"]);
}

/// A key that was used since the backup was used then, in memory and on disk.
#[tokio::test]
async fn a_keys_later_use_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = store_and_backup(folder.path(), 1, &["alice"]).await;
    let keys = [1, 2, 3, 4].map(api_key);
    let [one, two, three, four] = [0, 1, 2, 3].map(|place: usize| keys[place].id);
    let used = |seconds| KeyUse { at: later(seconds), address: [192, 0, 2, 1].into() };
    store.apply(keys.iter().cloned().map(|key| Change::PutKey(Box::new(key))).collect()).await.unwrap();
    store.note_key_uses(vec![(one, used(1)), (two, used(1)), (four, used(1))]).await.unwrap();
    let copy = folder.path().join("second");
    backup(folder.path(), &copy, false).await.unwrap();
    store.note_key_uses(vec![(one, used(2)), (three, used(3))]).await.unwrap();
    store.apply(vec![Change::DeleteKey(four)]).await.unwrap();
    store.adopt(&copy, later(100)).await.unwrap();
    let mut uses = DirectoryStore::load(&store).await.unwrap().key_uses;
    let mut expected = vec![(one, used(2)), (two, used(1)), (three, used(3)), (four, used(1))];
    for list in [&mut uses, &mut expected] {
        list.sort_by_key(|(id, _)| *id.as_bytes());
    }
    assert_eq!(uses, expected);
    check(folder.path()).await.unwrap();
    // A use after the server's time makes a backup one of the future.
    let elsewhere = tempfile::tempdir().unwrap();
    let (other, _) = store_and_backup(elsewhere.path(), 1, &["alice"]).await;
    for (now, fits) in [(later(2), false), (later(3), true)] {
        let third = elsewhere.path().join(format!("third{fits}"));
        backup(folder.path(), &third, false).await.unwrap();
        assert_eq!(other.adopt(&third, now).await.is_ok(), fits);
    }
}

/// Keys that were changed since the backup were changed for a reason; only a store that has none takes those of the backup.
#[tokio::test]
async fn signing_keys_stay_and_come_only_where_there_are_none() {
    for (present, in_backup, afterwards) in
        [(None, None, None), (None, Some(1), Some(1)), (Some(2), None, Some(2)), (Some(2), Some(1), Some(2))]
    {
        let put = |number| vec![Change::PutKeyRing(Box::new(key_ring(number)))];
        let elsewhere = tempfile::tempdir().unwrap();
        let (other, _) = store_and_backup(elsewhere.path(), 3, &["alice"]).await;
        if let Some(number) = in_backup {
            other.apply(put(number)).await.unwrap();
        }
        let copy = elsewhere.path().join("second");
        backup(elsewhere.path(), &copy, false).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = store_and_backup(folder.path(), 1, &[]).await;
        if let Some(number) = present {
            store.apply(put(number)).await.unwrap();
        }
        store.adopt(&copy, later(100)).await.unwrap();
        let ring = DirectoryStore::load(&store).await.unwrap().key_ring;
        assert_eq!(
            ring.map(|ring| facts_of_key_ring(&ring)),
            afterwards.map(|one| facts_of_key_ring(&key_ring(one)))
        );
        // The tally is right: the next ring is counted on it.
        store.apply(put(3)).await.unwrap();
        check(folder.path()).await.unwrap();
    }
}

/// A store forgets ends after a day; so it cannot say of an older session that it does not know that nobody ended it.
#[tokio::test]
async fn an_old_session_that_the_store_has_forgotten_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let (store, copy) = store_and_backup(folder.path(), 3, &["alice"]).await;
    let ended = Ended { at: later(1), reason: EndReason::Revoked };
    store.end(vec![(token(1), ended)]).await.unwrap();
    let now = session(1).last_seen.plus(REASON_KEPT);
    for (now, comes_back) in [(now, true), (now.plus(Duration::from_millis(1)), false)] {
        store.forget(later(2)).await.unwrap();
        store.adopt(&copy, now).await.unwrap();
        let sessions = load_all(&store).await;
        assert_eq!(sessions.contains_key(token(1).as_bytes()), comes_back);
        assert!([0, 2].iter().all(|number| sessions.contains_key(token(*number).as_bytes())));
        store.end(vec![(token(1), ended)]).await.unwrap();
    }
    check(folder.path()).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_adopted_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, copy) = store_and_backup(folder.path(), 200, &["alice"]).await;
    store.insert(session(300)).await.unwrap();
    let before = load_all(&store).await;
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
        let damaged = folder.path().join("damaged");
        std::fs::write(&damaged, &bytes).unwrap();
        let refusal = store.adopt(&damaged, later(100)).await.unwrap_err().to_string();
        assert!(refusal.contains(complaint), "{refusal}");
        let refusal = RestoreRequest::make(&damaged, folder.path(), START).await.unwrap_err().to_string();
        assert!(refusal.contains(complaint), "{refusal}");
    }
    let refusal = store.adopt(&copy, START).await.unwrap_err().to_string();
    assert!(refusal.contains("later moments"), "{refusal}");
    let bare = tempfile::tempdir().unwrap();
    EmbeddedStore::open(bare.path()).await.unwrap().close().await;
    let nobody = folder.path().join("nobody");
    backup(bare.path(), &nobody, false).await.unwrap();
    let refusal = store.adopt(&nobody, later(100)).await.unwrap_err().to_string();
    assert!(refusal.contains("without an administrator"), "{refusal}");
    assert_eq!(load_all(&store).await, before);
    let left = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut left: Vec<_> = left.filter(|name| !name.starts_with("doorward.db-")).collect();
    left.sort();
    assert_eq!(left, ["copy", "damaged", "doorward.db", "doorward.lock", "nobody"], "nothing is left behind");
    store.insert(session(301)).await.unwrap();
    check(folder.path()).await.unwrap();
}

#[tokio::test]
async fn a_request_is_taken_once_and_answered() {
    let folder = tempfile::tempdir().unwrap();
    let (store, copy) = store_and_backup(folder.path(), 3, &["alice"]).await;
    assert!(store.take_request(START).is_none());
    let request = RestoreRequest::make(&copy, folder.path(), START).await.unwrap();
    assert_eq!(request.progress(), Progress::Waiting);
    let second = RestoreRequest::make(&copy, folder.path(), START).await.unwrap_err().to_string();
    assert!(second.contains("under way"), "{second}");
    let taken = store.take_request(START.plus(REQUEST_HOLDS)).unwrap();
    assert_eq!(request.progress(), Progress::Taken);
    assert!(!request.withdraw(), "too late");
    let replaced = store.adopt(&taken.file().unwrap(), later(100)).await.unwrap();
    taken.done(&replaced).unwrap();
    assert_eq!(request.progress(), Progress::Done(replaced));
    request.forget_answer();

    let request = RestoreRequest::make(&copy, folder.path(), START).await.unwrap();
    store.take_request(START).unwrap().refuse("because").unwrap();
    assert_eq!(request.progress(), Progress::Refused("because".to_owned()));
    request.forget_answer();

    // Nobody waits for one that is old; and none outlives its server.
    let request = RestoreRequest::make(&copy, folder.path(), START).await.unwrap();
    let stale = store.take_request(START.plus(REQUEST_HOLDS).plus(Duration::from_millis(1))).unwrap();
    assert!(stale.file().is_err());
    stale.refuse("it is old").unwrap();
    drop(request);
    let request = RestoreRequest::make(&copy, folder.path(), START).await.unwrap();
    assert!(request.withdraw());
    let left = RestoreRequest::make(&copy, folder.path(), START).await.unwrap();
    store.close().await;
    let store = EmbeddedStore::open(folder.path()).await.unwrap();
    assert!(store.take_request(START).is_none());
    assert_eq!(left.progress(), Progress::Lost, "never taken for done");
    assert!(EmbeddedStore::is_held_by(folder.path(), std::process::id()));
    assert!(!EmbeddedStore::is_held_by(folder.path(), 1));
}
