//! Both sides of every limit.

use auth::{AuditFilter, AuditStore, Change, EndReason, Ended, KeyUse, SessionStore};
use testkit::suites::audit::all_lines;
use testkit::suites::clock::START;
use testkit::suites::samples::{api_key, attempts, audit_entry, ended_session, session, token};
use testkit::suites::sessions::load_all;

use auth::DirectoryStore;

use crate::EmbeddedStore;
use crate::limits::{
    AUDIT_BLOCKS_AT_ONCE, LOAD_BATCH, MAX_ATTEMPTS, MAX_AUDIT_WAITING, MAX_ENDS, MAX_FORGOTTEN, MAX_GROUP,
    MAX_KEY_USES, MAX_TOUCHES, QUEUE_LENGTH, TOUCH_QUEUE_LENGTH,
};

const ENDED: Ended = Ended { at: START, reason: EndReason::Logout };

/// Polls a future once.
fn start<F: Future + Unpin>(future: &mut F) -> bool {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    std::pin::Pin::new(future).poll(&mut context).is_ready()
}

/// On one thread the writer runs only when the test lets it, so the queue is full when it is full.
#[tokio::test]
async fn a_full_queue_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).await.unwrap();
    let mut waiting: Vec<_> = (0..QUEUE_LENGTH as u64).map(|number| store.insert(session(number))).collect();
    assert!(waiting.iter_mut().all(|insert| !start(insert)));
    let refusal = store.insert(session(1 << 32)).await.unwrap_err().to_string();
    assert!(refusal.contains("more to write than it can"), "{refusal}");
    let touches = || store.touch(vec![(token(1), START)]);
    let mut touching: Vec<_> = (0..TOUCH_QUEUE_LENGTH).map(|_| touches()).collect();
    assert!(touching.iter_mut().all(|touch| !start(touch)));
    assert!(touches().await.is_err());
    for operation in waiting.into_iter().chain(touching) {
        operation.await.unwrap();
    }
    store.insert(session(1 << 32)).await.unwrap();
    assert_eq!(load_all(&store).await.len(), QUEUE_LENGTH + 1);
    const { assert!(QUEUE_LENGTH > MAX_GROUP, "so this took several groups") };
}

#[tokio::test]
async fn lists_around_a_limit_are_done_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).await.unwrap();
    let count = (MAX_ENDS + 1) as u64;
    const { assert!(MAX_ENDS > MAX_TOUCHES && MAX_ENDS as u32 >= LOAD_BATCH) };
    let mut inserts: Vec<_> = (0..count).map(|number| store.insert(session(number))).collect();
    inserts.iter_mut().for_each(|insert| assert!(!start(insert)));
    for insert in inserts {
        insert.await.unwrap();
    }
    let later = session(1_000_000).last_seen;
    for length in [MAX_TOUCHES - 1, MAX_TOUCHES, MAX_TOUCHES + 1, count as usize] {
        store.touch((0..length as u64).map(|number| (token(number), later)).collect()).await.unwrap();
        let touched = load_all(&store).await.values().filter(|session| session.last_seen == later).count();
        assert_eq!(touched, length);
    }
    for length in [MAX_ENDS - 1, MAX_ENDS, MAX_ENDS + 1] {
        store.end((0..length as u64).map(|number| (token(number), ENDED)).collect()).await.unwrap();
        let ended = load_all(&store).await.values().filter(|session| session.ended.is_some()).count();
        assert_eq!(ended, length);
    }
    assert_eq!(store.forget(START).await.unwrap(), 0);
    let after = START.plus(std::time::Duration::from_millis(1));
    const { assert!(MAX_ENDS as u32 >= MAX_FORGOTTEN) };
    assert_eq!(store.forget(after).await.unwrap(), count);
    for number in 0..u64::from(MAX_FORGOTTEN) {
        store.insert(ended_session(number, START, EndReason::Idle)).await.unwrap();
    }
    assert_eq!(store.forget(after).await.unwrap(), u64::from(MAX_FORGOTTEN));
    assert!(load_all(&store).await.is_empty());
    for length in [MAX_ATTEMPTS, MAX_ATTEMPTS + 1] {
        store
            .put_attempts((0..length).map(|number| attempts(&format!("user{number}"))).collect())
            .await
            .unwrap();
        assert_eq!(store.load_attempts().await.unwrap().len(), length);
    }
    let keys: Vec<_> = (0..=MAX_KEY_USES as u64).map(api_key).collect();
    store.apply(keys.iter().cloned().map(|key| Change::PutKey(Box::new(key))).collect()).await.unwrap();
    for (length, at) in [(MAX_KEY_USES, START), (MAX_KEY_USES + 1, after)] {
        let used = KeyUse { at, address: [192, 0, 2, 1].into() };
        store.note_key_uses(keys[..length].iter().map(|key| (key.id, used)).collect()).await.unwrap();
        let uses = DirectoryStore::load(&store).await.unwrap().key_uses;
        assert_eq!((uses.len(), uses.iter().all(|(_, noted)| *noted == used)), (length, true));
    }
}

/// Touches wait behind logins, not the other way round.
#[tokio::test]
async fn a_login_goes_before_the_touches_that_wait() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).await.unwrap();
    let count = (MAX_TOUCHES * 8) as u64;
    let mut inserts: Vec<_> = (0..count).map(|number| store.insert(session(number))).collect();
    inserts.iter_mut().for_each(|insert| assert!(!start(insert)));
    for insert in inserts {
        insert.await.unwrap();
    }
    let later = session(1_000_000).last_seen;
    let mut touching = store.touch((0..count).map(|number| (token(number), later)).collect());
    assert!(!start(&mut touching));
    let touched = |sessions: std::collections::BTreeMap<_, auth::SessionRecord>| {
        sessions.values().filter(|session| session.last_seen == later).count()
    };
    store.insert(session(count)).await.unwrap();
    let first = touched(load_all(&store).await);
    assert!(first < count as usize, "the login did not wait for all touches");
    touching.await.unwrap();
    assert_eq!(touched(load_all(&store).await), count as usize);
}

/// Nothing runs between two lines of this test, so they wait until there is no room.
#[tokio::test]
async fn lines_that_find_no_room_are_counted_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).await.unwrap();
    let waiting = MAX_AUDIT_WAITING as u64;
    (0..waiting + 5).for_each(|number| store.append(audit_entry(number)));
    // As soon as these are written there is room for the note; the next that waits for the writer finds it.
    assert!(all_lines(&store).await.len() >= MAX_AUDIT_WAITING);
    let lines = all_lines(&store).await;
    assert_eq!(lines.len(), MAX_AUDIT_WAITING + 1);
    let note = &lines[MAX_AUDIT_WAITING].entry;
    assert_eq!((&*note.event, &*note.fields["count"]), ("audit_dropped", "5"));
    (0..waiting).for_each(|number| store.append(audit_entry(number)));
    assert_eq!(all_lines(&store).await.len(), 2 * MAX_AUDIT_WAITING + 1);
    assert_eq!(EmbeddedStore::verify_audit(folder.path()).await.unwrap().fault, None);
    let count = store.forget_audit(auth::Moment::from_millis(u64::MAX >> 1)).await.unwrap();
    assert_eq!(count, 2 * waiting + 1);
}

#[tokio::test]
async fn so_many_lines_as_are_forgotten_at_once_and_one_more() {
    for count in [MAX_FORGOTTEN - 1, MAX_FORGOTTEN, MAX_FORGOTTEN + 1].map(u64::from) {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(folder.path()).await.unwrap();
        (0..=count).for_each(|number| store.append(audit_entry(number)));
        assert_eq!(store.forget_audit(audit_entry(count).at).await.unwrap(), count);
        assert_eq!(all_lines(&store).await.len(), 1);
    }
}

/// More blocks than one step looks at, and the line in the last one that is looked at.
#[tokio::test]
async fn a_search_goes_on_beyond_one_step() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).await.unwrap();
    let count = crate::audit::block::LINES * AUDIT_BLOCKS_AT_ONCE + 2;
    for first in (0..count).step_by(60_000) {
        (first..count.min(first + 60_000)).for_each(|number| store.append(audit_entry(number)));
        store.insert(session(first)).await.unwrap();
    }
    for (number, oldest_first) in
        [(0, false), (0, true), (count - 1, false), (count - 1, true), (1_023, false)]
    {
        let fields = vec![("session.id", format!("session{number}"))];
        let filter = AuditFilter { fields, oldest_first, limit: 2, ..AuditFilter::default() };
        let found = store.read(filter).await.unwrap();
        assert_eq!(found.iter().map(|line| line.sequence).collect::<Vec<_>>(), [number + 1]);
    }
}
