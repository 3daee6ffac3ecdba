//! Ends of sessions lie in a table of their own, and whoever reads must not notice.

use std::path::Path;
use std::time::Duration;

use auth::{Change, DirectoryStore, EndReason, Ended, Initialised, Moment, SessionStore};
use testkit::suites::clock::START;
use testkit::suites::samples::{ended_session, session, token};
use testkit::suites::sessions::load_all;

use crate::EmbeddedStore;
use crate::limits::{LOAD_BATCH, MAX_FORGOTTEN};

async fn open(folder: &Path) -> EmbeddedStore {
    EmbeddedStore::open(folder).await.unwrap()
}

fn later(seconds: u64) -> Moment {
    START.plus(Duration::from_secs(seconds))
}

fn ended(seconds: u64) -> Ended {
    Ended { at: later(seconds), reason: EndReason::Logout }
}

/// What was ended before the store was opened is neither touched nor ended again, on both sides of the pages in which it reads
/// who that is.
#[tokio::test]
async fn opened_again_it_knows_who_has_ended() {
    for count in [1, LOAD_BATCH - 1, LOAD_BATCH, LOAD_BATCH + 1].map(u64::from) {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).await;
        for number in [0, count - 1, count] {
            // The first of them may be the last.
            let _ = store.insert(session(number)).await;
        }
        store.end((0..count).map(|number| (token(number), ended(1))).collect()).await.unwrap();
        store.close().await;
        let store = open(folder.path()).await;
        store.end(vec![(token(0), ended(2)), (token(count - 1), ended(2))]).await.unwrap();
        let much_later = later(1_000_000);
        store.touch([0, count - 1, count].map(|number| (token(number), much_later)).into()).await.unwrap();
        for number in [0, count - 1] {
            let expected = auth::SessionRecord { ended: Some(ended(1)), ..session(number) };
            assert_eq!(store.find(token(number)).await.unwrap(), Some(expected), "{number} of {count}");
        }
        assert_eq!(store.find(token(count)).await.unwrap().unwrap().last_seen, much_later);
        // All of them but these were of nobody, and are forgotten with the others.
        let known = if count == 1 { 1 } else { 2 };
        assert_eq!(store.forget(later(2)).await.unwrap(), known);
        store.end(vec![(token(count), ended(3))]).await.unwrap();
        assert_eq!(store.find(token(count)).await.unwrap().unwrap().ended, Some(ended(3)));
        crate::check(folder.path()).await.unwrap();
    }
}

/// By time, whatever their order: a session that timed out yesterday may be noticed after one that logged out today.
#[tokio::test]
async fn what_ended_first_is_forgotten_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    for (number, at) in [(1, 50), (2, 10), (3, 40), (4, 20)] {
        store.insert(ended_session(number, later(at), EndReason::Idle)).await.unwrap();
    }
    for (before, left) in [(10, 4), (11, 3), (21, 2), (41, 1), (51, 0)] {
        store.forget(later(before)).await.unwrap();
        assert_eq!(load_all(&store).await.len(), left);
    }
    store.insert(session(1)).await.expect("nothing of it is left");
    assert_eq!(store.find(token(1)).await.unwrap(), Some(session(1)));
}

/// Ends of sessions that are not there count for nothing, and keep none from being forgotten.
#[tokio::test]
async fn ends_of_nobody_are_forgotten_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let count = u64::from(MAX_FORGOTTEN) * 2 + 1;
    store.end((10..count).map(|number| (token(number), ended(1))).collect()).await.unwrap();
    store.insert(ended_session(1, later(1), EndReason::Idle)).await.unwrap();
    assert_eq!(load_all(&store).await.len(), 1);
    assert_eq!(store.forget(later(2)).await.unwrap(), 1);
    store.close().await;
    crate::check(folder.path()).await.unwrap();
}

/// A session that ended stays dead through one restore after the other, also where a backup in between does not know it.
#[tokio::test]
async fn what_has_ended_stays_ended_through_two_restores() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let done = Initialised { version: "1".to_owned(), at: START };
    store.apply(vec![Change::Initialise(done)]).await.unwrap();
    let (without, with) = (folder.path().join("without"), folder.path().join("with"));
    crate::backup(folder.path(), &without, false).await.unwrap();
    store.insert(session(1)).await.unwrap();
    store.insert(session(2)).await.unwrap();
    store.end(vec![(token(2), ended(1))]).await.unwrap();
    crate::backup(folder.path(), &with, false).await.unwrap();
    store.end(vec![(token(1), ended(7)), (token(2), ended(7))]).await.unwrap();
    store.adopt(&without, later(100)).await.unwrap();
    assert!(load_all(&store).await.is_empty());
    store.adopt(&with, later(101)).await.unwrap();
    let ends = |sessions: &std::collections::BTreeMap<[u8; 32], auth::SessionRecord>| {
        [1, 2].map(|number| sessions[token(number).as_bytes()].ended)
    };
    assert_eq!(ends(&load_all(&store).await), [Some(ended(7)), Some(ended(1))]);
    store.close().await;
    crate::check(folder.path()).await.unwrap();
    assert_eq!(ends(&load_all(&open(folder.path()).await).await), [Some(ended(7)), Some(ended(1))]);
}
