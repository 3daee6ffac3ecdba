//! The life of a session: login, use, its ends, and what the store's faults do to it.

use std::time::Duration;

use auth::{AtCap, AuthMethod, EndReason, Presented, Reason, Scope, SessionCap};

use crate::house::{
    HERE, House, IDLE, MAXIMUM, PASSWORD, ip, request, scope, token, with_password, with_session,
};

const SECOND: Duration = Duration::from_secs(1);

fn why<T>(result: Result<T, Reason>) -> Reason {
    result.err().expect("nobody")
}

#[tokio::test]
async fn a_session_lives_from_login_to_logout() {
    let house = House::new().await;
    let session = house.login("alice", 1).await.session;
    assert!(house.on_disk(1).await.unwrap().ended.is_none(), "an acknowledged login is on disk");
    let known = house.show(1).await.ok().unwrap();
    assert_eq!(known.account().user.username.shown(), "alice");
    assert_eq!((known.session().unwrap().id, known.method()), (session.id, AuthMethod::Password));

    let ended = house.kernel.logout(&token(1), &scope()).await.unwrap().unwrap();
    assert_eq!(ended.id, session.id);
    assert_eq!(house.on_disk(1).await.unwrap().ended.unwrap().reason, EndReason::Logout);
    let dead = Reason::SessionEnded(EndReason::Logout);
    assert_eq!(why(house.show(1).await), dead);
    // asvs_9: and after a restart.
    assert_eq!(why(house.restarted().await.show(1).await), dead);
}

#[tokio::test]
async fn asvs_28_made_up_tokens_are_unknown_and_never_adopted() {
    let house = House::new().await;
    assert_eq!(why(house.show(77).await), Reason::SessionUnknown);
    let never_given_out = Presented { session: Some(None), ..Presented::default() };
    assert_eq!(why(house.ask(never_given_out).await), Reason::SessionUnknown);
    assert!(house.kernel.logout(&token(77), &scope()).await.unwrap().is_none());
    assert!(house.on_disk(77).await.is_none() && house.kernel.sessions().table().is_empty());
    assert_eq!(why(house.ask(Presented::default()).await), Reason::NoCredentials);
}

#[tokio::test]
async fn a_session_counts_in_its_scope_only() {
    let house = House::new().await;
    house.login("alice", 1).await;
    let elsewhere = Scope::new("/other");
    let shown = house.kernel.authenticate(with_session(1), &elsewhere, ip(HERE), true).await;
    assert_eq!(why(shown), Reason::SessionUnknown);
    assert!(house.kernel.logout(&token(1), &elsewhere).await.unwrap().is_none());
    let replacing =
        auth::LoginRequest { scope: elsewhere, replaces: vec![token(1)], ..request("bob", PASSWORD, HERE) };
    assert_eq!(house.kernel.login(&token(2), replacing).await.ok().unwrap().replaced, 0);
    house.show(1).await.ok().unwrap();
}

#[tokio::test]
async fn asvs_7_idle_ends_it_and_activity_extends_it() {
    let house = House::new().await;
    house.login("alice", 1).await;
    for _ in 0..3 {
        house.clock.advance(IDLE - SECOND);
        house.show(1).await.ok().unwrap();
    }
    house.clock.advance(IDLE - SECOND);
    // A request that does not count as activity sees the session and extends nothing.
    house.kernel.authenticate(with_session(1), &scope(), ip(HERE), false).await.ok().unwrap();
    house.clock.advance(SECOND);
    assert_eq!(why(house.show(1).await), Reason::SessionIdle);
}

#[tokio::test]
async fn asvs_8_the_maximum_ends_it_however_busy() {
    let house = House::new().await;
    house.login("alice", 1).await;
    let step = Duration::from_secs(20 * 60);
    for _ in 0..MAXIMUM.as_secs() / step.as_secs() - 1 {
        house.clock.advance(step);
        house.show(1).await.ok().unwrap();
    }
    house.clock.advance(step - SECOND);
    house.show(1).await.ok().unwrap();
    house.clock.advance(SECOND);
    assert_eq!(why(house.show(1).await), Reason::SessionTooOld);
}

#[tokio::test]
async fn reasons_are_kept_for_a_day_and_then_forgotten() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.login("bob", 2).await;
    house.kernel.logout(&token(2), &scope()).await.unwrap();
    house.clock.advance(IDLE + SECOND);
    house.kernel.sweep().await.unwrap();
    assert_eq!(house.on_disk(1).await.unwrap().ended.unwrap().reason, EndReason::Idle);
    let house = house.restarted().await;
    assert_eq!(why(house.show(1).await), Reason::SessionIdle);
    house.clock.advance(auth::limits::REASON_KEPT - IDLE);
    let (_, forgotten) = house.kernel.sessions().sweep(|_, _| ()).await.unwrap();
    assert_eq!(forgotten, 1, "bob's logout is older than a day, alice's idling is not");
    assert_eq!(why(house.show(1).await), Reason::SessionIdle);
    assert_eq!(why(house.show(2).await), Reason::SessionUnknown);
    house.clock.advance(IDLE + SECOND);
    house.kernel.sweep().await.unwrap();
    assert!(house.on_disk(1).await.is_none() && house.kernel.sessions().table().is_empty());
}

#[tokio::test]
async fn touches_are_written_behind_and_survive_a_restart() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.clock.advance(IDLE - SECOND);
    house.show(1).await.ok().unwrap();
    house.show(1).await.ok().unwrap();
    assert_eq!(house.kernel.sessions().write_touches().await.unwrap(), 1);
    let house = house.restarted().await;
    house.clock.advance(IDLE - SECOND);
    house.show(1).await.ok().unwrap();
}

#[tokio::test]
async fn figure_18_a_wall_clock_that_jumps_ends_nothing_and_revives_nothing() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.clock.set_wall(house.clock_start().plus(Duration::from_secs(366 * 86_400)));
    house.show(1).await.ok().unwrap();
    house.clock.advance(IDLE);
    house.clock.set_wall(auth::Moment::from_millis(1));
    assert_eq!(why(house.show(1).await), Reason::SessionIdle);
}

impl House {
    fn clock_start(&self) -> auth::Moment {
        testkit::suites::clock::START
    }
}

#[tokio::test]
async fn a_dead_cookie_with_a_good_password_passes_and_makes_nothing() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.kernel.logout(&token(1), &scope()).await.unwrap();
    let both = |name: &str, password: &str| Presented {
        session: Some(Some(token(1))),
        ..with_password(name, password)
    };
    let known = house.ask(both("bob", PASSWORD)).await.ok().unwrap();
    assert_eq!(known.account().user.username.shown(), "bob");
    assert!(known.session().is_none());
    assert_eq!(house.store.session_count(), 1);
    assert_eq!(why(house.ask(both("bob", "wrong")).await), Reason::WrongPassword);
    // A live cookie decides alone: the password beside it is not looked at.
    house.login("alice", 2).await;
    let looks = house.realm.looks();
    let live = Presented { session: Some(Some(token(2))), ..with_password("bob", "wrong") };
    assert_eq!(house.ask(live).await.ok().unwrap().account().user.username.shown(), "alice");
    assert_eq!(house.realm.looks(), looks);
}

#[tokio::test]
async fn asvs_6_a_login_over_a_session_replaces_it() {
    let house = House::new().await;
    house.login("alice", 1).await;
    let again = auth::LoginRequest { replaces: vec![token(1)], ..request("bob", PASSWORD, HERE) };
    assert_eq!(house.kernel.login(&token(2), again).await.ok().unwrap().replaced, 1);
    assert_eq!(why(house.show(1).await), Reason::SessionEnded(EndReason::Replaced));
    assert_eq!(house.show(2).await.ok().unwrap().account().user.username.shown(), "bob");
    // A failed login ends nothing.
    let failed = auth::LoginRequest { replaces: vec![token(2)], ..request("bob", "wrong", HERE) };
    assert_eq!(why(house.kernel.login(&token(3), failed).await), Reason::WrongPassword);
    house.show(2).await.ok().unwrap();
}

#[tokio::test]
async fn asvs_2_the_cap_evicts_the_longest_idle() {
    let house = House::new().await;
    let capped = |name| auth::LoginRequest {
        cap: Some(SessionCap { most: 2, then: AtCap::EndOldest }),
        ..request(name, PASSWORD, HERE)
    };
    for number in 1..=2 {
        assert_eq!(house.kernel.login(&token(number), capped("alice")).await.ok().unwrap().replaced, 0);
        house.clock.advance(SECOND);
    }
    house.kernel.login(&token(10), capped("bob")).await.ok().unwrap();
    house.show(1).await.ok().unwrap();
    house.clock.advance(SECOND);
    assert_eq!(house.kernel.login(&token(3), capped("alice")).await.ok().unwrap().replaced, 1);
    assert_eq!(why(house.show(2).await), Reason::SessionEnded(EndReason::Evicted));
    for live in [1, 3, 10] {
        house.show(live).await.ok().unwrap();
    }
    // Ended sessions take no place.
    house.kernel.logout(&token(1), &scope()).await.unwrap();
    assert_eq!(house.kernel.login(&token(4), capped("alice")).await.ok().unwrap().replaced, 0);
}

#[tokio::test]
async fn a_login_that_cannot_be_written_is_none() {
    let house = House::new().await;
    // The success is remembered for the throttle before; then the disk is full.
    house.login("alice", 1).await;
    house.store.refuse(Some("disk full"));
    assert_eq!(why(house.try_login("alice", PASSWORD, 2).await), Reason::StoreFailed);
    assert_eq!(why(house.show(2).await), Reason::SessionUnknown);
    house.show(1).await.ok().unwrap();
    house.store.refuse(None);
    assert_eq!(house.store.session_count(), 1);
    house.login("alice", 2).await;
    house.show(2).await.ok().unwrap();
}

#[tokio::test]
async fn a_logout_that_cannot_be_written_is_not_done_and_dead_in_memory() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.store.refuse(Some("disk full"));
    assert_eq!(why(house.kernel.logout(&token(1), &scope()).await), Reason::StoreFailed);
    assert_eq!(why(house.show(1).await), Reason::SessionEnded(EndReason::Logout));
    house.store.refuse(None);
    assert!(house.on_disk(1).await.unwrap().ended.is_none());
    // Asked again, it is done, with the first end's moment.
    house.clock.advance(SECOND);
    house.kernel.logout(&token(1), &scope()).await.unwrap();
    let ended = house.on_disk(1).await.unwrap().ended.unwrap();
    assert_eq!((ended.reason, ended.at), (EndReason::Logout, house.clock_start()));
}

#[tokio::test]
async fn a_login_whose_eviction_cannot_be_written_leaves_no_live_session() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.held.hold();
    let capped = auth::LoginRequest {
        cap: Some(SessionCap { most: 1, then: AtCap::EndOldest }),
        ..request("alice", PASSWORD, HERE)
    };
    let kernel = std::sync::Arc::clone(&house.kernel);
    let login = tokio::spawn(async move { kernel.login(&token(2), capped).await.map(|_| ()) });
    while house.store.session_count() < 2 {
        tokio::task::yield_now().await;
    }
    house.store.refuse(Some("disk full"));
    house.held.release();
    assert_eq!(why(login.await.unwrap()), Reason::StoreFailed);
    assert!(matches!(house.show(2).await, Err(Reason::SessionEnded(_))));
}

#[tokio::test]
async fn asvs_12_ends_by_id_and_in_groups_are_counted_once() {
    let house = House::new().await;
    let first = house.login("alice", 1).await.session;
    let second = house.login("alice", 2).await.session;
    assert!(house.kernel.sessions().table().by_id(&first.id).is_some());
    let both = [first, second];
    assert_eq!(house.kernel.end(&both, EndReason::Revoked, None).await.unwrap(), 2);
    assert_eq!(house.kernel.sessions().live_of(&both[0].user).len(), 0);
    house.clock.advance(SECOND);
    assert_eq!(house.kernel.end(&both, EndReason::Logout, None).await.unwrap(), 0);
    assert_eq!(why(house.show(1).await), Reason::SessionEnded(EndReason::Revoked));
}

/// The sessions of the table by their ids, in steps of at most `most`.
fn walked(house: &House, most: usize) -> Vec<auth::SessionId> {
    let table = house.kernel.sessions().table();
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let step = table.page(after, most, |_| true);
        ids.extend(step.found.iter().map(|session| session.id));
        match step.next {
            Some(next) => after = Some(next),
            None => return ids,
        }
    }
}

#[tokio::test]
async fn whoever_can_be_shown_can_be_listed_until_he_is_forgotten() {
    let house = House::new().await;
    let mut ids = Vec::new();
    for number in 0..10 {
        ids.push(house.login(["alice", "bob"][number as usize % 2], number).await.session.id);
    }
    house.kernel.logout(&token(3), &scope()).await.unwrap();
    ids.sort_unstable();
    let again = house.restarted().await;
    for house in [&house, &again] {
        for most in [1, 3, 10, 11] {
            assert_eq!(walked(house, most), ids, "ended ones too, for a day");
        }
        assert!(ids.iter().all(|id| house.kernel.sessions().table().by_id(id).is_some()));
    }
    house.clock.advance(auth::limits::REASON_KEPT + IDLE + SECOND);
    // What timed out is noted by one sweep, and forgotten by the next, its day being over as well.
    for _ in 0..2 {
        house.kernel.sweep().await.unwrap();
    }
    assert!(walked(&house, 5).is_empty());
    assert!(ids.iter().all(|id| house.kernel.sessions().table().by_id(id).is_none()));
}
