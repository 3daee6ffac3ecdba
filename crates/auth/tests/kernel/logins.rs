//! What a realm says becomes what the kernel says; costlier hashes are kept; Basic credentials are remembered.

use std::sync::Arc;
use std::time::Duration;

use auth::{Change, LoginRequest, Presented, PresentedPassword, Reason};
use testkit::suites::realms::username;

use crate::house::{ATTEMPTS, HERE, House, PASSWORD, ip, request, scope, token, user, with_password};

fn why<T>(result: Result<T, Reason>) -> Reason {
    result.err().expect("nobody")
}

#[tokio::test]
async fn each_no_has_its_reason() {
    let house = House::new().await;
    house.realm.put("carol", PASSWORD, false);
    house.realm.put("stranger", PASSWORD, true);
    assert_eq!(why(house.try_login("alice", "wrong", 1).await), Reason::WrongPassword);
    assert_eq!(why(house.try_login("nobody", PASSWORD, 1).await), Reason::UnknownUser);
    assert_eq!(why(house.try_login("carol", PASSWORD, 1).await), Reason::UserDisabled);
    assert_eq!(
        why(house.try_login("stranger", PASSWORD, 1).await),
        Reason::UnknownUser,
        "the directory has none"
    );
    let elsewhere = LoginRequest {
        realm: auth::RealmChoice::Named(Box::from("nowhere")),
        ..request("alice", PASSWORD, HERE)
    };
    assert_eq!(why(house.kernel.login(&token(1), elsewhere).await), Reason::UnknownRealm);
    house.realm.fail(Some("the pool is full"));
    let unavailable = Reason::RealmUnavailable("the pool is full".into());
    assert_eq!(why(house.try_login("alice", PASSWORD, 1).await), unavailable);
    assert_eq!(why(house.basic("alice", PASSWORD).await), unavailable);
    assert_eq!(house.store.session_count(), 0);
}

#[tokio::test]
async fn case_17_no_password_is_wrong_without_a_look() {
    let house = House::new().await;
    let shown = PresentedPassword {
        realm: auth::RealmChoice::Named(Box::from("native")),
        username: username("alice"),
        password: None,
    };
    let presented = Presented { password: Some(shown), ..Presented::default() };
    assert_eq!(why(house.ask(presented).await), Reason::WrongPassword);
    assert_eq!(house.realm.looks(), 0);
}

#[tokio::test]
async fn asvs_64_a_costlier_hash_is_kept_and_voids_nothing() {
    let house = House::new().await;
    house.realm.rehash(Some("costlier"));
    house.login("alice", 1).await;
    let kept = |house: &House| {
        let snapshot = house.kernel.directory().held();
        let alice = &snapshot.account(&user("alice").id).unwrap().user;
        (alice.password.as_ref().map(|hash| hash.expose().to_owned()), alice.password_version)
    };
    assert_eq!(kept(&house), (Some("costlier".to_owned()), 1));
    assert_eq!(kept(&house.restarted().await), (Some("costlier".to_owned()), 1));
    house.show(1).await.ok().unwrap();

    // A store that cannot keep it spoils no login.
    house.realm.rehash(Some("still costlier"));
    house.basic("alice", PASSWORD).await.ok().unwrap();
    assert_eq!(kept(&house).0.unwrap(), "still costlier");
    house.realm.rehash(Some("never kept"));
    house.store.refuse(Some("disk full"));
    house.clock.advance(auth::limits::EVIDENCE_KEPT);
    house.basic("alice", PASSWORD).await.ok().unwrap();
    assert_eq!(kept(&house).0.unwrap(), "still costlier");
}

#[tokio::test]
async fn basic_costs_one_look_in_its_time() {
    let house = House::new().await;
    house.basic("alice", PASSWORD).await.ok().unwrap();
    for _ in 0..3 {
        assert_eq!(why(house.basic("alice", "wrong").await), Reason::WrongPassword);
    }
    assert_eq!(house.realm.looks(), 4);
    let before = house.realm.looks();
    house.basic("alice", PASSWORD).await.ok().unwrap();
    assert_eq!(
        house.realm.looks(),
        before,
        "wrong ones are looked at each time, the right one is remembered"
    );
    house.clock.advance(auth::limits::EVIDENCE_KEPT - Duration::from_millis(1));
    house.basic("alice", PASSWORD).await.ok().unwrap();
    assert_eq!(house.realm.looks(), before);
    house.clock.advance(Duration::from_millis(1));
    house.basic("alice", PASSWORD).await.ok().unwrap();
    assert_eq!(house.realm.looks(), before + 1);
}

/// A client that opens 64 connections at once with one good credential is let in 64 times, for few looks: neither the
/// throttle nor the hash pool is where a good client learns to be slow.
#[tokio::test]
async fn many_requests_at_once_with_one_good_credential_all_pass() {
    let house = House::new().await;
    house.realm.hold();
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let kernel = Arc::clone(&house.kernel);
        asking.spawn(async move {
            kernel.authenticate(with_password("alice", PASSWORD), &scope(), ip(HERE), true).await.map(|_| ())
        });
    }
    while house.realm.looks() < 10 {
        tokio::task::yield_now().await;
    }
    house.realm.release();
    for asked in asking.join_all().await {
        assert_eq!(asked, Ok(()));
    }
    assert_eq!(house.realm.looks(), 10);
}

#[tokio::test]
async fn many_logins_at_once_with_one_good_password_all_pass() {
    let house = House::new().await;
    house.realm.hold();
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..64 {
        let kernel = Arc::clone(&house.kernel);
        asking.spawn(async move {
            kernel.login(&token(number), request("alice", PASSWORD, HERE)).await.map(|_| ())
        });
    }
    while house.realm.looks() < 10 {
        tokio::task::yield_now().await;
    }
    house.realm.release();
    for asked in asking.join_all().await {
        assert_eq!(asked, Ok(()));
    }
    assert_eq!(house.realm.looks(), 64);
    assert_eq!(house.kernel.sessions().live_of(&user("alice").id).len(), 64);
}

#[test]
fn draws_are_random() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let house = runtime.block_on(House::new());
    let [one, two] = [0, 1].map(|_| house.kernel.draw::<32>());
    assert_ne!(*one, *two);
}

#[tokio::test]
async fn asvs_109_every_refused_credential_is_told_to_the_witness_once() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.basic("alice", PASSWORD).await.ok().unwrap();
    assert!(house.notebook.failures().is_empty());
    let _wrong = house.try_login("Alice", "wrong", 2).await;
    let _unknown = house.basic("nobody", PASSWORD).await;
    let elsewhere = LoginRequest {
        realm: auth::RealmChoice::Named(Box::from("nowhere")),
        ..request("alice", PASSWORD, HERE)
    };
    let _no_realm = house.kernel.login(&token(3), elsewhere).await;
    let none = PresentedPassword {
        realm: auth::RealmChoice::Named(Box::from("native")),
        username: username("bob"),
        password: None,
    };
    let _none = house.ask(Presented { password: Some(none), ..Presented::default() }).await;
    assert_eq!(
        house.notebook.failures(),
        [
            format!("native Alice {HERE} wrong_password"),
            format!("native nobody {HERE} unknown_user"),
            format!("nowhere alice {HERE} unknown_realm"),
            format!("native bob {HERE} wrong_password"),
        ]
    );
}

#[tokio::test]
async fn an_app_that_must_exist_is_missed_only_by_whoever_has_the_password() {
    let house = House::new().await;
    let shop = auth::App {
        id: auth::AppName::parse("shop").unwrap(),
        name: "Shop".to_owned(),
        description: String::new(),
        properties: Box::from("{}"),
        created: testkit::suites::clock::START,
        updated: testkit::suites::clock::START,
    };
    let mut number = 0;
    let mut login = async |name: &str, password: &str, app_must_exist| {
        number += 1;
        let app = Some(shop.id.clone());
        let request = LoginRequest { app, app_must_exist, ..request(name, password, HERE) };
        house.kernel.login(&token(number), request).await.map(|login| login.session.app.clone())
    };
    assert_eq!(login("alice", "wrong", true).await, Err(Reason::WrongPassword));
    assert_eq!(login("nobody", PASSWORD, true).await, Err(Reason::UnknownUser));
    assert_eq!(login("alice", PASSWORD, true).await, Err(Reason::UnknownApp));
    assert_eq!(house.store.session_count(), 0);
    assert_eq!(login("alice", PASSWORD, false).await, Ok(Some(shop.id.clone())), "elsewhere it is a name");
    house.make(vec![Change::PutApp(Box::new(shop.clone()))]).await;
    assert_eq!(login("alice", PASSWORD, true).await, Ok(Some(shop.id.clone())));
    house.make(vec![Change::DeleteApp(shop.id.clone())]).await;
    assert_eq!(login("alice", PASSWORD, true).await, Err(Reason::UnknownApp));
    // Without an app there is none to miss; and who asked for a missing one did not guess at a password.
    let without = LoginRequest { app_must_exist: true, ..request("alice", PASSWORD, HERE) };
    assert!(house.kernel.login(&token(900), without).await.is_ok());
    for _ in 0..ATTEMPTS * 2 {
        assert_eq!(login("alice", PASSWORD, true).await, Err(Reason::UnknownApp));
    }
}
