//! Another state put in force while the kernel serves (a restore): what has ended stays ended, births, ends and changes wait,
//! requests do not.

use std::sync::Arc;

use auth::directory::Snapshot;
use auth::{DirectoryStore, EndReason, Reason, SessionStore, StoreError};
use testkit::suites::MemoryStore;
use tokio::sync::oneshot;

use crate::house::{ATTEMPTS, HERE, House, PASSWORD, put, realms, request, scope, token, user};

impl House {
    /// The directory as the store holds it.
    async fn in_store(&self) -> Snapshot {
        let image = DirectoryStore::load(&*self.store).await.unwrap();
        Snapshot::new(image, Vec::new(), realms(&self.realm, true), &*self.maker)
    }

    async fn adopt(&self, backup: &MemoryStore) -> Result<usize, StoreError> {
        self.kernel
            .adopt(async || {
                self.store.restore(backup);
                Ok(self.in_store().await)
            })
            .await
    }

    async fn logout(&self, number: u64) {
        self.kernel.logout(&token(number), &scope()).await.unwrap();
    }
}

#[tokio::test]
async fn the_new_state_is_in_force_and_no_end_is_undone() {
    let house = House::new().await;
    for (name, number) in [("alice", 1), ("bob", 2)] {
        house.login(name, number).await;
    }
    let backup = house.store.copy();
    house.logout(1).await;
    house.login("alice", 3).await;
    assert!(house.basic("bob", PASSWORD).await.is_ok());
    house.change("alice", |user| user.roles.clear()).await;
    house.realm.put("bob", "another", true);
    let before = house.kernel.directory().held();

    assert_eq!(house.adopt(&backup).await.unwrap(), 2);
    assert_eq!(house.show(1).await.err(), Some(EndReason::Logout.into()));
    assert_eq!(house.on_disk(1).await.unwrap().ended.unwrap().reason, EndReason::Logout, "on disk as well");
    assert!(house.show(2).await.is_ok());
    assert_eq!(house.show(3).await.err(), Some(Reason::SessionUnknown));
    let present = house.kernel.directory().held();
    let (old, new) =
        (before.account(&user("alice").id).unwrap(), present.account(&user("alice").id).unwrap());
    assert_eq!((old.user.roles.len(), new.user.roles.len()), (0, 1));
    // What was remembered of a password was remembered of another state.
    assert_eq!(house.basic("bob", PASSWORD).await.err(), Some(Reason::WrongPassword));
    // What is made now lives on.
    house.login("alice", 4).await;
    let again = house.restarted().await;
    assert!(again.show(2).await.is_ok() && again.show(4).await.is_ok());
    assert_eq!(again.show(1).await.err(), Some(EndReason::Logout.into()));
}

#[tokio::test]
async fn activity_that_waits_to_be_written_is_kept() {
    let house = House::new().await;
    house.login("alice", 1).await;
    let backup = house.store.copy();
    house.clock.advance(crate::house::IDLE / 2);
    assert!(house.show(1).await.is_ok());
    house.adopt(&backup).await.unwrap();
    house.clock.advance(crate::house::IDLE * 3 / 4);
    assert!(house.show(1).await.is_ok(), "it has not idled");
    house.kernel.sessions().write_touches().await.unwrap();
    let known = house.on_disk(1).await.unwrap().last_seen;
    assert_eq!(known, house.kernel.sessions().table().find(&token(1).hash()).unwrap().last_seen());
}

#[tokio::test]
async fn births_ends_and_changes_wait_and_requests_do_not() {
    let house = Arc::new(House::new().await);
    for number in 1..=3 {
        house.login("alice", number).await;
    }
    let backup = house.store.copy();
    house.logout(3).await;
    let (begun, has_begun) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel::<()>();
    let adopting = tokio::spawn({
        let house = Arc::clone(&house);
        async move {
            let exchange = async || {
                begun.send(()).unwrap();
                may_go_on.await.unwrap();
                house.store.restore(&backup);
                Ok::<_, StoreError>(house.in_store().await)
            };
            house.kernel.adopt(exchange).await
        }
    });
    has_begun.await.unwrap();
    let at_work = |house: &Arc<House>| Arc::clone(house);
    let login = tokio::spawn({
        let house = at_work(&house);
        async move { house.kernel.login(&token(7), request("bob", PASSWORD, HERE)).await.map(|_| ()) }
    });
    let logout = tokio::spawn({
        let house = at_work(&house);
        async move { house.logout(1).await }
    });
    let change = tokio::spawn({
        let house = at_work(&house);
        async move {
            house.make(vec![put(user("carol"))]).await;
        }
    });
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert!(!login.is_finished() && !logout.is_finished() && !change.is_finished());
    assert!(house.show(2).await.is_ok(), "whoever has a session goes on");
    go_on.send(()).unwrap();
    assert_eq!(adopting.await.unwrap().unwrap(), 3);
    login.await.unwrap().unwrap();
    logout.await.unwrap();
    change.await.unwrap();
    // All three hold in the new state, in memory and on disk.
    let again = house.restarted().await;
    for house in [&*house, &again] {
        assert!(house.show(7).await.is_ok() && house.show(2).await.is_ok());
        assert_eq!(house.show(1).await.err(), Some(EndReason::Logout.into()));
        assert_eq!(house.show(3).await.err(), Some(EndReason::Logout.into()));
        assert!(house.kernel.directory().present().account(&user("carol").id).is_some());
    }
}

#[tokio::test]
async fn an_end_that_was_begun_on_the_old_table_holds_in_the_new_one() {
    let house = House::new().await;
    let session = house.login("alice", 1).await.session;
    let backup = house.store.copy();
    house.adopt(&backup).await.unwrap();
    assert!(house.show(1).await.is_ok());
    // Somebody looked the session up before, and ends it now.
    house.kernel.end(&[session], EndReason::Revoked, None).await.unwrap();
    assert_eq!(house.show(1).await.err(), Some(EndReason::Revoked.into()));
    assert!(house.store.find(token(1).hash()).await.unwrap().unwrap().ended.is_some());
}

#[tokio::test]
async fn the_throttle_counts_what_the_new_state_counts() {
    let house = House::new().await;
    let clean = house.store.copy();
    for _ in 0..ATTEMPTS {
        assert_eq!(house.fail("alice", HERE).await, Reason::WrongPassword);
    }
    let paused = |reason| matches!(reason, Reason::TooManyAttempts { .. });
    assert!(paused(house.fail("alice", HERE).await));
    let locked = house.store.copy();
    house.adopt(&clean).await.unwrap();
    assert_eq!(house.fail("alice", HERE).await, Reason::WrongPassword);
    house.adopt(&locked).await.unwrap();
    assert!(paused(house.fail("alice", HERE).await));
}

#[tokio::test]
async fn an_exchange_that_fails_changes_nothing_and_holds_nobody_up() {
    let house = House::new().await;
    house.login("alice", 1).await;
    let failed = house.kernel.adopt(async || Err(StoreError("no room".to_owned()))).await;
    assert_eq!(failed.unwrap_err().to_string(), "no room");
    assert!(house.show(1).await.is_ok());
    house.login("bob", 2).await;
    house.logout(1).await;
    house.change("alice", |user| user.enabled = false).await;
    assert!(house.show(2).await.is_ok());
}
