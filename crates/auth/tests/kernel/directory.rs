//! Changes of the directory hold from the very next request on, whatever the caller holds (security.md cases 24, 25).

use auth::trust::{Authorized, Caller};
use auth::{Change, Reason, UserId};

use crate::house::{
    HERE, House, PASSWORD, Read, ip, noted, permission, put, realms, role, scope, user, with_session,
};

fn why<T>(result: Result<T, Reason>) -> Reason {
    result.err().expect("nobody")
}

#[tokio::test]
async fn asvs_10_a_disabled_user_is_out_at_the_very_first_request() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.basic("alice", PASSWORD).await.ok().unwrap();
    house.change("alice", |user| user.enabled = false).await;
    assert_eq!(why(house.show(1).await), Reason::SessionUserGone);
    assert!(house.basic("alice", PASSWORD).await.is_err(), "neither by what was remembered of him");
    assert!(house.try_login("alice", PASSWORD, 2).await.is_err());
    house.login("bob", 3).await;
    house.show(3).await.ok().unwrap();
}

#[tokio::test]
async fn case_24_a_deleted_user_is_out_at_the_very_first_request() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.basic("alice", PASSWORD).await.ok().unwrap();
    house.make(vec![Change::DeleteUser(user("alice").id)]).await;
    assert_eq!(why(house.show(1).await), Reason::SessionUserGone);
    assert_eq!(why(house.basic("alice", PASSWORD).await), Reason::UnknownUser);
    assert_eq!(why(house.restarted().await.show(1).await), Reason::SessionUserGone);
}

#[tokio::test]
async fn case_24_a_password_change_voids_what_was_remembered() {
    let house = House::new().await;
    house.basic("alice", PASSWORD).await.ok().unwrap();
    house.basic("alice", PASSWORD).await.ok().unwrap();
    assert_eq!(house.realm.looks(), 1, "the second is remembered");
    house.set_password("alice", "battery staple").await;
    assert_eq!(why(house.basic("alice", PASSWORD).await), Reason::WrongPassword);
    assert_eq!(why(house.basic("alice", PASSWORD).await), Reason::WrongPassword);
    house.basic("alice", "battery staple").await.ok().unwrap();
}

#[tokio::test]
async fn a_realm_that_is_switched_off_lets_nobody_in() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.basic("alice", PASSWORD).await.ok().unwrap();
    house.set(realms(&house.realm, false)).await;
    assert_eq!(why(house.show(1).await), Reason::SessionUserGone);
    assert_eq!(why(house.basic("alice", PASSWORD).await), Reason::RealmDisabled);
    assert_eq!(why(house.try_login("alice", PASSWORD, 2).await), Reason::RealmDisabled);
    house.set(std::collections::HashMap::new()).await;
    assert_eq!(why(house.show(1).await), Reason::SessionUserGone);
    assert_eq!(why(house.basic("alice", PASSWORD).await), Reason::UnknownRealm);
    assert_eq!(house.realm.looks(), 2, "a realm that is off is not asked");
}

#[tokio::test]
async fn asvs_72_a_role_that_was_taken_away_is_gone_at_once() {
    let house = House::new().await;
    house.login("alice", 1).await;
    let (by_cookie, by_basic) =
        (house.show(1).await.ok().unwrap(), house.basic("alice", PASSWORD).await.ok().unwrap());
    assert_eq!(house.may(by_cookie, "/books/1"), Ok(()));
    assert_eq!(house.may(by_basic, "/books/1"), Ok(()));
    assert_eq!(house.may(house.show(1).await.ok().unwrap(), "/users"), Err(Reason::Forbidden));

    house.change("alice", |user| user.roles.clear()).await;
    assert_eq!(house.may(house.show(1).await.ok().unwrap(), "/books/1"), Err(Reason::Forbidden));
    let by_basic = house.basic("alice", PASSWORD).await.ok().unwrap();
    assert_eq!(house.may(by_basic, "/books/1"), Err(Reason::Forbidden));
}

#[tokio::test]
async fn a_role_that_was_narrowed_or_deleted_gives_no_more() {
    let house = House::new().await;
    house.login("alice", 1).await;
    let present = house.kernel.directory().held().role("reader").unwrap().role.clone();
    let narrowed = auth::Role { permissions: vec![permission("GET:/books/1")], ..present };
    house.make(vec![Change::PutRole(narrowed)]).await;
    assert_eq!(house.may(house.show(1).await.ok().unwrap(), "/books/1"), Ok(()));
    assert_eq!(house.may(house.show(1).await.ok().unwrap(), "/books/2"), Err(Reason::Forbidden));
    house.make(vec![Change::DeleteRole(role("reader"))]).await;
    assert_eq!(house.may(house.show(1).await.ok().unwrap(), "/books/1"), Err(Reason::Forbidden));
}

#[tokio::test]
async fn an_entry_of_ones_own_replaces_the_roles_for_the_same_pattern() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.change("alice", |user| user.permissions = vec![permission("POST:/books/**")]).await;
    assert_eq!(house.may(house.show(1).await.ok().unwrap(), "/books/1"), Err(Reason::Forbidden));
    house.change("alice", |user| user.permissions = vec![permission("POST:/books/*")]).await;
    assert_eq!(house.may(house.show(1).await.ok().unwrap(), "/books/1"), Ok(()), "another pattern adds");
}

#[tokio::test]
async fn nobody_is_told_to_log_in_and_somebody_that_he_may_not() {
    let house = House::new().await;
    let snapshot = house.kernel.directory().held();
    let judged = Authorized::judge(&snapshot, Caller::Anonymous, Read("/books/1"));
    assert_eq!(why(judged), Reason::NoCredentials);
    house.login("alice", 1).await;
    let caller =
        house.kernel.authenticate(with_session(1), &scope(), ip(HERE), true).await.ok().unwrap().caller;
    let authorized = Authorized::judge(&snapshot, caller, Read("/books/1")).ok().unwrap();
    assert_eq!(authorized.action().0, "/books/1");
    let (action, permit) = authorized.spend();
    assert_eq!((action.0, permit.action()), ("/books/1", "read"));
    assert_eq!(permit.caller().known().unwrap().account().user.username.shown(), "alice");
    assert_eq!((permit.expect("read"), permit.expect("write")), (Ok(()), Err(Reason::Forbidden)));
}

#[tokio::test]
async fn a_change_that_cannot_be_written_is_not_in_force() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.store.refuse(Some("disk full"));
    let mut alice = user("alice");
    alice.enabled = false;
    let changed = house.kernel.directory().change(|_| Ok::<_, ()>(noted(vec![put(alice)])));
    assert!(changed.await.is_err());
    house.show(1).await.ok().unwrap();
    house.store.refuse(None);
    let refused = house.kernel.directory().change(|_| Err::<(Vec<Change>, auth::Event, ()), _>("may not"));
    assert!(matches!(refused.await, Err(auth::directory::ChangeError::Refused("may not"))));
}

#[tokio::test]
async fn asvs_58_users_of_two_realms_with_one_name_are_two() {
    let house = House::new().await;
    let ldap = auth::RealmName::parse("ldap").unwrap();
    let namesake =
        auth::User { id: UserId::of(&ldap, &user("alice").username), realm: ldap, ..user("alice") };
    house.make(vec![put(namesake.clone())]).await;
    house.login("alice", 1).await;
    let known = house.show(1).await.ok().unwrap();
    assert_eq!(known.account().user.realm.as_str(), "native");
    assert_ne!(known.account().user.id, namesake.id);
    let elsewhere = auth::LoginRequest {
        realm: auth::RealmChoice::Named(Box::from("ldap")),
        ..crate::house::request("alice", PASSWORD, HERE)
    };
    let login = house.kernel.login(&crate::house::token(2), elsewhere).await;
    assert_eq!(why(login), Reason::UnknownRealm, "what proves alice here proves nobody there");
}
