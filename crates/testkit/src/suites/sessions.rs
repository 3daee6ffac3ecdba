//! What every session store must do, whatever it is made of.
//!
//! Called by the tests of every store room with a closure that makes empty stores. Must never know a store by name, nor
//! test what only one of them can do (that is the room's own test).

use std::collections::BTreeMap;
use std::time::Duration;

use auth::{EndReason, Ended, Moment, Origin, SessionRecord, SessionStore, TokenHash};

use super::clock::START;
use super::samples::{HOSTILE, ended_session, session, token};

/// Runs every case, each on an empty store of its own.
///
/// # Panics
/// If the store does not do what a store must.
pub async fn session_store_suite<S: SessionStore>(make: impl AsyncFn() -> S) {
    keeps_what_was_inserted(&make().await).await;
    refuses_a_second_session_of_one_token_or_id(&make().await).await;
    ends_once(&make().await).await;
    touches_only_forwards(&make().await).await;
    touches_no_ended_session(&make().await).await;
    loads_everything(&make().await).await;
    loads_nothing_of_nothing(&make().await).await;
    forgets_only_what_ended_before(&make().await).await;
    case_27_no_field_alters_another(&make().await).await;
    keeps_numbers_exactly(&make().await).await;
    takes_many_at_once(&make().await).await;
}

/// Every session of a store by its token.
///
/// # Panics
/// If the store cannot be loaded, gives an empty batch, or gives one session twice.
pub async fn load_all(store: &(impl SessionStore + ?Sized)) -> BTreeMap<[u8; 32], SessionRecord> {
    let mut all = BTreeMap::new();
    let mut take = |batch: Vec<SessionRecord>| {
        assert!(!batch.is_empty(), "an empty batch");
        for record in batch {
            assert!(all.insert(*record.token.as_bytes(), record).is_none(), "one session came twice");
        }
    };
    store.load(&mut take).await.expect("load");
    all
}

async fn found(store: &impl SessionStore, token: TokenHash) -> SessionRecord {
    store.find(token).await.expect("find").expect("the session is there")
}

fn later(seconds: u64) -> Moment {
    START.plus(Duration::from_secs(seconds))
}

async fn keeps_what_was_inserted(store: &impl SessionStore) {
    for number in 0..8 {
        store.insert(session(number)).await.expect("insert");
        assert_eq!(found(store, token(number)).await, session(number));
    }
    let ended = ended_session(8, later(1), EndReason::Replaced);
    store.insert(ended.clone()).await.expect("insert an ended one");
    assert_eq!(found(store, token(8)).await, ended);
    assert_eq!(store.find(token(9)).await.expect("find"), None);
}

async fn refuses_a_second_session_of_one_token_or_id(store: &impl SessionStore) {
    store.insert(session(1)).await.expect("insert");
    let same_token = SessionRecord { token: token(1), ..session(2) };
    let same_id = SessionRecord { id: session(1).id, ..session(3) };
    assert!(store.insert(session(1)).await.is_err(), "the same session again");
    assert!(store.insert(same_token).await.is_err(), "another session with the same token");
    assert!(store.insert(same_id).await.is_err(), "another session with the same id");
    assert_eq!(load_all(store).await.into_values().collect::<Vec<_>>(), [session(1)]);
    store.insert(session(2)).await.expect("a refusal harms nobody else");
}

async fn ends_once(store: &impl SessionStore) {
    for number in 0..3 {
        store.insert(session(number)).await.expect("insert");
    }
    let first = Ended { at: later(10), reason: EndReason::Logout };
    let second = Ended { at: later(5), reason: EndReason::Idle };
    store.end(vec![(token(0), first), (token(77), first), (token(0), second)]).await.expect("end");
    store.end(vec![(token(0), second), (token(1), second)]).await.expect("end");
    store.end(Vec::new()).await.expect("end nothing");
    assert_eq!(found(store, token(0)).await, SessionRecord { ended: Some(first), ..session(0) });
    assert_eq!(found(store, token(1)).await, SessionRecord { ended: Some(second), ..session(1) });
    assert_eq!(found(store, token(2)).await, session(2));
    assert_eq!(store.find(token(77)).await.expect("find"), None, "an end makes no session");
    for (offset, reason) in EndReason::ALL.into_iter().enumerate() {
        let number = 100 + offset as u64;
        let ended = Ended { at: later(20), reason };
        store.insert(session(number)).await.expect("insert");
        store.end(vec![(token(number), ended)]).await.expect("end");
        assert_eq!(found(store, token(number)).await.ended, Some(ended));
    }
}

async fn touches_only_forwards(store: &impl SessionStore) {
    store.insert(session(0)).await.expect("insert");
    store.insert(session(1)).await.expect("insert");
    store
        .touch(vec![(token(0), later(9)), (token(88), later(9)), (token(0), later(4))])
        .await
        .expect("touch");
    assert_eq!(found(store, token(0)).await, SessionRecord { last_seen: later(9), ..session(0) });
    assert_eq!(found(store, token(1)).await, session(1));
    store.touch(vec![(token(0), later(8)), (token(1), later(8))]).await.expect("touch");
    assert_eq!(found(store, token(0)).await.last_seen, later(9));
    assert_eq!(found(store, token(1)).await.last_seen, later(8));
    store.touch(Vec::new()).await.expect("touch nothing");
    assert_eq!(load_all(store).await.len(), 2, "a touch makes no session");
}

async fn touches_no_ended_session(store: &impl SessionStore) {
    store.insert(session(0)).await.expect("insert");
    let ended = Ended { at: later(3), reason: EndReason::Revoked };
    store.end(vec![(token(0), ended)]).await.expect("end");
    store.touch(vec![(token(0), later(9))]).await.expect("touch");
    assert_eq!(found(store, token(0)).await, SessionRecord { ended: Some(ended), ..session(0) });
}

async fn loads_everything(store: &impl SessionStore) {
    let mut expected = BTreeMap::new();
    for number in 0..200 {
        let record = match number % 4 {
            0 => ended_session(number, later(number), EndReason::Maximum),
            _ => session(number),
        };
        store.insert(record.clone()).await.expect("insert");
        expected.insert(*record.token.as_bytes(), record);
    }
    assert_eq!(load_all(store).await, expected);
    assert_eq!(load_all(store).await, expected, "as often as one likes");
}

async fn loads_nothing_of_nothing(store: &impl SessionStore) {
    assert!(load_all(store).await.is_empty());
    assert_eq!(store.forget(later(1_000)).await.expect("forget"), 0);
}

async fn forgets_only_what_ended_before(store: &impl SessionStore) {
    store.insert(session(0)).await.expect("insert");
    for number in 1..=4 {
        store.insert(ended_session(number, later(number), EndReason::Idle)).await.expect("insert");
    }
    assert_eq!(store.forget(later(3)).await.expect("forget"), 2);
    assert_eq!(store.forget(later(3)).await.expect("forget"), 0);
    let all = load_all(store).await;
    assert_eq!(
        [0, 1, 2, 3, 4].map(|number| all.contains_key(token(number).as_bytes())),
        [true, false, false, true, true]
    );
    store.insert(session(1)).await.expect("what is forgotten may come again");
}

async fn case_27_no_field_alters_another(store: &impl SessionStore) {
    let mut expected = BTreeMap::new();
    for (number, hostile) in HOSTILE.iter().enumerate() {
        let mut record = session(number as u64);
        record.origin = Origin { address: record.origin.address, user_agent: Some(Box::from(*hostile)) };
        record.scope = auth::Scope::new(hostile);
        store.insert(record.clone()).await.expect("insert");
        expected.insert(*record.token.as_bytes(), record);
    }
    let mut long = session(1_000);
    long.origin =
        Origin { address: long.origin.address, user_agent: Some(Box::from("x'\0\r\n".repeat(13_107))) };
    store.insert(long.clone()).await.expect("64 KiB");
    expected.insert(*long.token.as_bytes(), long);
    assert_eq!(load_all(store).await, expected);
    for record in expected.values() {
        assert_eq!(&found(store, record.token).await, record);
    }
}

async fn keeps_numbers_exactly(store: &impl SessionStore) {
    let mut smallest = session(0);
    smallest.created = Moment::from_millis(0);
    smallest.last_seen = Moment::from_millis(0);
    smallest.limits.idle_timeout = Duration::from_millis(1);
    smallest.limits.max_lifetime = Duration::ZERO;
    smallest.origin.user_agent = Some(Box::from(""));
    smallest.app = auth::AppName::parse("x").ok();
    let mut largest = session(1);
    largest.created = Moment::from_millis(1 << 53);
    largest.last_seen = Moment::from_millis((1 << 53) + 1);
    largest.limits.max_lifetime = Duration::from_secs(100 * 366 * 24 * 60 * 60);
    largest.origin.user_agent = None;
    largest.app = auth::AppName::parse(&"x".repeat(auth::limits::MAX_NAME_BYTES)).ok();
    for record in [smallest, largest] {
        store.insert(record.clone()).await.expect("insert");
        assert_eq!(found(store, record.token).await, record);
    }
}

async fn takes_many_at_once(store: &impl SessionStore) {
    let many = 600_u64;
    for number in 0..many {
        store.insert(session(number)).await.expect("insert");
    }
    let ended = Ended { at: later(60), reason: EndReason::UserChanged };
    store.touch((0..many).map(|number| (token(number), later(50))).collect()).await.expect("touch");
    store.end((0..many).step_by(2).map(|number| (token(number), ended)).collect()).await.expect("end");
    let all = load_all(store).await;
    for number in 0..many {
        let expected = SessionRecord {
            last_seen: later(50),
            ended: number.is_multiple_of(2).then_some(ended),
            ..session(number)
        };
        assert_eq!(all.get(token(number).as_bytes()), Some(&expected));
    }
    assert_eq!(store.forget(later(61)).await.expect("forget"), many / 2);
    assert_eq!(load_all(store).await.len() as u64, many / 2);
}
