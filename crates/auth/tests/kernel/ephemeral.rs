//! Users who come with a login and go with the last of their sessions.

use std::sync::Arc;
use std::time::Duration;

use auth::limits::{EVIDENCE_KEPT, MAX_USERS_IN_CHANGE};
use auth::{Change, Reason, User, UserRecords};
use testkit::suites::FakeRealm;

use crate::ends::Changes;
use crate::house::{House, IDLE, PASSWORD, put, role, scope, token};
use crate::several::{id_of, named, user_of, why};

/// How long a record stays after somebody was vouched for.
const KEPT: Duration = Duration::from_secs(2 * EVIDENCE_KEPT.as_secs());
const MOMENT: Duration = Duration::from_millis(1);

/// A house with the realm `a` of ephemeral users, in which carol has session 1.
async fn with_carol() -> (Arc<House>, Arc<FakeRealm>) {
    let house = House::new().await;
    let realm = house.add("a", FakeRealm::default()).await;
    realm.keep(UserRecords::Ephemeral);
    realm.put("carol", PASSWORD, true);
    house.enter("a", "carol", 1).await;
    house.notebook.told();
    (Arc::new(house), realm)
}

impl House {
    async fn forget(&self) -> usize {
        self.kernel.forget_ephemeral().await.unwrap()
    }

    async fn leave(&self, number: u64) {
        self.kernel.logout(&token(number), &scope()).await.unwrap().unwrap();
    }

    fn knows_carol(&self) -> bool {
        self.record_of("a", "carol").is_some()
    }
}

#[tokio::test]
async fn he_goes_with_the_last_of_his_sessions() {
    let (house, _) = with_carol().await;
    house.enter("a", "carol", 2).await;
    house.clock.advance(KEPT + MOMENT);
    house.leave(1).await;
    assert_eq!((house.forget().await, house.knows_carol()), (0, true), "he has another");
    house.leave(2).await;
    house.changes_told();
    assert_eq!((house.forget().await, house.knows_carol()), (1, false));
    assert_eq!(house.changes_told(), ["user.forget \"carol\""]);
    assert_eq!(house.forget().await, 0);
    assert!(house.changes_told().is_empty());
    // Who comes again is another.
    house.enter("a", "carol", 3).await;
    assert!(house.show(1).await.is_err());
    assert_eq!(house.whose(3).await, Ok("a/carol".to_owned()));
    assert!(house.restarted().await.knows_carol());
}

#[tokio::test]
async fn he_stays_for_as_long_as_he_may_be_remembered() {
    let (house, _) = with_carol().await;
    house.leave(1).await;
    house.clock.advance(KEPT);
    assert_eq!((house.forget().await, house.knows_carol()), (0, true));
    house.clock.advance(MOMENT);
    assert_eq!((house.forget().await, house.knows_carol()), (1, false));

    // Who sends his password along is vouched for time and again.
    for _ in 0..20 {
        house.basic_by(&named("a"), "carol", PASSWORD).await.ok().unwrap();
        house.clock.advance(EVIDENCE_KEPT / 2);
        assert_eq!(house.forget().await, 0);
    }
    house.clock.advance(KEPT);
    assert_eq!(house.forget().await, 1);
}

#[tokio::test]
async fn a_session_that_timed_out_holds_nobody() {
    let (house, _) = with_carol().await;
    house.clock.advance(IDLE - MOMENT);
    assert_eq!(house.forget().await, 0);
    house.clock.advance(MOMENT);
    assert_eq!(house.forget().await, 1);
    assert_eq!(why(house.show(1).await), Reason::SessionIdle);
}

#[tokio::test]
async fn a_key_holds_him() {
    let (house, _) = with_carol().await;
    house.make_key(1, "a", "carol").await;
    house.leave(1).await;
    house.clock.advance(KEPT * 2);
    assert_eq!(house.forget().await, 0);
    house.show_key(1).await.ok().unwrap();
    house.take_key(1).await;
    assert_eq!(house.forget().await, 1);
}

#[tokio::test]
async fn others_stay() {
    let (house, realm) = with_carol().await;
    let other = house.add("b", FakeRealm::default()).await;
    other.keep(UserRecords::AtFirstLogin);
    other.put("carol", PASSWORD, true);
    house.enter("b", "carol", 2).await;
    house.leave(1).await;
    house.leave(2).await;
    house.clock.advance(KEPT * 2);
    assert_eq!(house.forget().await, 1);
    assert!(house.record_of("b", "carol").is_some());
    assert!(house.record_of("native", "alice").is_some());
    // A realm that does not want it any more keeps them.
    house.enter("a", "carol", 3).await;
    house.leave(3).await;
    realm.keep(UserRecords::AtFirstLogin);
    house.clock.advance(KEPT * 2);
    assert_eq!((house.forget().await, house.knows_carol()), (0, true));
    // One that is off forgets all the same.
    realm.keep(UserRecords::Ephemeral);
    house.switch("a", false).await;
    assert_eq!(house.forget().await, 1);
}

#[tokio::test]
async fn whom_somebody_changed_just_now_is_still_wanted() {
    let (house, _) = with_carol().await;
    house.leave(1).await;
    house.clock.advance(KEPT * 2);
    let record = house.record_of("a", "carol").unwrap();
    let changed = User { roles: vec![role("reader")], updated: house.kernel.clock().now(), ..record };
    house.make(vec![put(changed)]).await;
    assert_eq!((house.forget().await, house.knows_carol()), (0, true));
}

#[tokio::test]
async fn after_a_restart_those_stay_who_have_a_session() {
    let (house, realm) = with_carol().await;
    realm.put("dave", PASSWORD, true);
    house.enter("a", "dave", 2).await;
    house.clock.advance(KEPT);
    house.leave(2).await;
    let house = house.restarted().await;
    assert_eq!(house.forget().await, 0, "not yet");
    house.clock.advance(MOMENT);
    assert_eq!(house.forget().await, 1);
    assert!(house.knows_carol());
    house.show(1).await.ok().unwrap();
}

#[tokio::test]
async fn many_go_a_batch_at_a_time() {
    for (crowd, batches) in [(MAX_USERS_IN_CHANGE, 1), (MAX_USERS_IN_CHANGE + 1, 2)] {
        let house = House::new().await;
        house.add("a", FakeRealm::default()).await.keep(UserRecords::Ephemeral);
        let users = (0..crowd).map(|number| put(user_of("a", &format!("user{number}")))).collect();
        house.make(users).await;
        house.notebook.told();
        assert_eq!(house.forget().await, crowd);
        let order = house.notebook.order();
        assert_eq!(order.iter().filter(|word| *word == "+apply").count(), batches);
    }
}

#[tokio::test]
async fn a_store_that_fails_forgets_nobody() {
    let (house, _) = with_carol().await;
    house.leave(1).await;
    house.clock.advance(KEPT * 2);
    house.held.changes(Changes::Refused);
    assert_eq!(house.kernel.forget_ephemeral().await, Err(Reason::StoreFailed));
    assert!(house.knows_carol());
    house.held.changes(Changes::Written);
    assert_eq!(house.forget().await, 1);
}

/// Nobody gets a session that is dead from its first request on, however logins and housekeeping meet.
#[tokio::test]
async fn who_logs_in_while_he_is_forgotten_is_there_afterwards() {
    for is_basic in [false, true] {
        let (house, _) = with_carol().await;
        house.leave(1).await;
        house.clock.advance(KEPT * 2);
        house.held.changes(Changes::Held);
        house.notebook.told();
        let forget = tokio::spawn({
            let house = Arc::clone(&house);
            async move { house.forget().await }
        });
        while !house.notebook.order().contains(&"+apply".to_owned()) {
            tokio::task::yield_now().await;
        }
        let login = tokio::spawn({
            let house = Arc::clone(&house);
            async move {
                if is_basic {
                    house.basic_by(&named("a"), "carol", PASSWORD).await.map(|_| ())
                } else {
                    house.login_by(&named("a"), "carol", PASSWORD, 2).await
                }
            }
        });
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        house.held.changes(Changes::Written);
        forget.await.unwrap();
        assert_eq!(login.await.unwrap(), Ok(()), "basic: {is_basic}");
        assert!(house.knows_carol(), "basic: {is_basic}");
        if !is_basic {
            assert_eq!(house.whose(2).await, Ok("a/carol".to_owned()));
        }
    }
}

#[tokio::test]
async fn who_gets_a_key_while_others_are_forgotten_stays() {
    let (house, _) = with_carol().await;
    house.leave(1).await;
    house.clock.advance(KEPT * 2);
    // Another change is being written: that of the key comes after it, and before that of housekeeping.
    house.held.changes(Changes::Held);
    house.notebook.told();
    let first = tokio::spawn({
        let house = Arc::clone(&house);
        async move { house.make(vec![put(user_of("a", "dave"))]).await }
    });
    while house.notebook.order().is_empty() {
        tokio::task::yield_now().await;
    }
    let key = tokio::spawn({
        let house = Arc::clone(&house);
        async move { house.make_key(1, "a", "carol").await }
    });
    tokio::task::yield_now().await;
    let forget = tokio::spawn({
        let house = Arc::clone(&house);
        async move { house.forget().await }
    });
    tokio::task::yield_now().await;
    house.held.changes(Changes::Written);
    first.await.unwrap();
    key.await.unwrap();
    forget.await.unwrap();
    house.show_key(1).await.ok().unwrap();
    assert!(house.knows_carol());
}

#[tokio::test]
async fn who_is_gone_already_is_not_told_of() {
    let (house, _) = with_carol().await;
    house.leave(1).await;
    house.clock.advance(KEPT * 2);
    house.make(vec![Change::DeleteUser(id_of("a", "carol"))]).await;
    house.changes_told();
    assert_eq!(house.forget().await, 0);
    assert!(house.changes_told().is_empty());
}
