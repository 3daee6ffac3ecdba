//! What happens in between: the user changes while his password is looked at or his session is written. Whoever changed
//! him was told "done", so nothing that was begun before may count after.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};

use auth::{AtCap, Change, EndReason, LoginRequest, Reason, SessionCap, User};
use tokio::task::JoinHandle;

use crate::house::{
    HERE, House, PASSWORD, api_key, ip, put, put_key, realms, request, scope, token, user, with_password,
};

impl House {
    fn begin_login(&self, name: &'static str, number: u64) -> JoinHandle<Result<(), Reason>> {
        let kernel = Arc::clone(&self.kernel);
        tokio::spawn(
            async move { kernel.login(&token(number), request(name, PASSWORD, HERE)).await.map(|_| ()) },
        )
    }

    /// Waits until this many looks have begun.
    async fn looked(&self, looks: usize) {
        while self.realm.looks() < looks {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until this many sessions have been written.
    async fn written(&self, sessions: usize) {
        while self.store.session_count() < sessions {
            tokio::task::yield_now().await;
        }
    }

    async fn end_all_of(&self, name: &str) {
        let live = self.kernel.sessions().live_of(&user(name).id);
        self.kernel.end(&live, EndReason::UserChanged, None).await.unwrap();
    }
}

#[tokio::test]
async fn a_password_that_changed_while_it_was_looked_at_proves_nothing() {
    let house = House::new().await;
    house.realm.hold();
    let login = house.begin_login("alice", 1);
    house.looked(1).await;
    house.set_password("alice", "battery staple").await;
    house.realm.release();
    assert_eq!(login.await.unwrap(), Err(Reason::WrongPassword));
    assert_eq!(house.store.session_count(), 0);
}

#[tokio::test]
async fn a_password_that_changed_while_it_was_looked_at_is_not_remembered() {
    let house = House::new().await;
    house.realm.hold();
    let kernel = Arc::clone(&house.kernel);
    let asking = tokio::spawn(async move {
        kernel.authenticate(with_password("alice", PASSWORD), &scope(), ip(HERE), true).await.map(|_| ())
    });
    house.looked(1).await;
    house.set_password("alice", "battery staple").await;
    house.realm.release();
    assert_eq!(asking.await.unwrap(), Err(Reason::WrongPassword));
    assert_eq!(house.basic("alice", PASSWORD).await.err(), Some(Reason::WrongPassword));
    house.basic("alice", "battery staple").await.ok().unwrap();
}

#[tokio::test]
async fn a_user_made_anew_while_he_was_looked_at_is_another() {
    let house = House::new().await;
    house.realm.hold();
    let login = house.begin_login("alice", 1);
    house.looked(1).await;
    let anew = User { created: house.kernel.clock().now(), ..user("alice") };
    let changes = vec![Change::DeleteUser(anew.id), put(anew)];
    house.make(changes).await;
    house.realm.release();
    assert_eq!(login.await.unwrap(), Err(Reason::WrongPassword));
}

#[tokio::test]
async fn a_costlier_hash_of_the_old_password_does_not_overwrite_the_new() {
    let house = House::new().await;
    house.realm.rehash(Some("costlier hash of the old password"));
    house.realm.hold();
    let login = house.begin_login("alice", 1);
    house.looked(1).await;
    house.set_password("alice", "battery staple").await;
    house.realm.release();
    assert_eq!(login.await.unwrap(), Err(Reason::WrongPassword));
    assert!(house.kernel.directory().present().account(&user("alice").id).unwrap().user.password.is_none());
}

#[tokio::test]
async fn two_logins_that_both_rehash_both_count() {
    let house = House::new().await;
    house.realm.rehash(Some("costlier"));
    house.realm.hold();
    let logins = [house.begin_login("alice", 1), house.begin_login("alice", 2)];
    house.looked(2).await;
    house.realm.release();
    for login in logins {
        assert_eq!(login.await.unwrap(), Ok(()));
    }
}

#[tokio::test]
async fn case_24_a_session_that_was_being_written_while_its_user_changed_never_lives() {
    for disable in [true, false] {
        let house = House::new().await;
        house.held.hold();
        let login = house.begin_login("alice", 1);
        house.written(1).await;
        // The operation: change the user, then end what he has. It cannot see the session that is not there yet.
        if disable {
            house.change("alice", |user| user.enabled = false).await;
        } else {
            house.set_password("alice", "battery staple").await;
        }
        house.end_all_of("alice").await;
        house.held.release();
        let expected = if disable { Reason::UserDisabled } else { Reason::WrongPassword };
        assert_eq!(login.await.unwrap(), Err(expected));
        house.change("alice", |user| user.enabled = true).await;
        let dead = Some(Reason::SessionEnded(EndReason::UserChanged));
        assert_eq!(house.show(1).await.err(), dead);
        assert_eq!(house.restarted().await.show(1).await.err(), dead);
    }
}

/// Two logins at the same moment under a cap of one: one session stays, whoever was first. Threads, because the two must
/// meet between "in the table" and "make room".
#[test]
fn asvs_2_two_logins_at_once_under_a_cap_leave_one_session() {
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    let house = runtime().block_on(House::new());
    let start = Arc::new(Barrier::new(2));
    let logins = [0u64, 1].map(|which| {
        let (kernel, start) = (Arc::clone(&house.kernel), Arc::clone(&start));
        std::thread::spawn(move || {
            let runtime = runtime();
            let mut live = Vec::new();
            for round in 0..200 {
                start.wait();
                let capped = LoginRequest {
                    cap: Some(SessionCap { most: 1, then: AtCap::EndOldest }),
                    ..request("alice", PASSWORD, HERE)
                };
                runtime.block_on(kernel.login(&token(round * 2 + which), capped)).ok().unwrap();
                start.wait();
                live.push(kernel.sessions().live_of(&user("alice").id).len());
            }
            live
        })
    });
    for login in logins {
        assert!(login.join().unwrap().into_iter().all(|live| live == 1));
    }
}

/// Somebody asks all the time, on a thread of his own. Whatever he asks after the change was answered is refused.
#[test]
fn case_24_no_request_passes_after_the_change_was_answered() {
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    let house = Arc::new(runtime().block_on(House::new()));
    let off = || realms(&house.realm, false);
    let (alice, gone) = (user("alice").id, api_key(1, "alice").id);
    let disabled = User { enabled: false, ..user("alice") };
    for change in [Some(Change::DeleteKey(gone)), Some(Change::DeleteUser(alice)), Some(put(disabled)), None]
    {
        for _ in 0..20 {
            let made = vec![Change::DeleteKey(gone), put(user("alice")), put_key(api_key(1, "alice"))];
            runtime().block_on(house.make(made));
            runtime().block_on(house.set(realms(&house.realm, true)));
            let answered = Arc::new(AtomicBool::new(false));
            let asking = std::thread::spawn({
                let (house, answered) = (Arc::clone(&house), Arc::clone(&answered));
                move || {
                    let runtime = runtime();
                    loop {
                        let was_answered = answered.load(Ordering::SeqCst);
                        let passed = runtime.block_on(house.show_key(1)).is_ok();
                        if was_answered {
                            return passed;
                        }
                    }
                }
            });
            match &change {
                Some(change) => runtime().block_on(house.make(vec![change.clone()])),
                None => runtime().block_on(house.set(off())),
            }
            answered.store(true, Ordering::SeqCst);
            assert!(!asking.join().unwrap(), "{change:?}");
        }
    }
}
