//! What the witness is told, and when: before the store is asked to write it, so that whoever writes to the same store has
//! his line on disk with it.

use std::time::Duration;

use auth::directory::ChangeError;
use auth::{AtCap, AuditEntry, Change, EndReason, LoginRequest, Reason, SessionCap};

use crate::house::{
    HERE, House, PASSWORD, api_key, key, noted, put, put_key, realms, request, scope, token, user,
};

fn field<'a>(entry: &'a AuditEntry, name: &str) -> &'a str {
    entry.fields.get(name).map_or("", |value| &**value)
}

#[tokio::test]
async fn asvs_109_everything_is_told_before_it_is_written() {
    let house = House::new().await;
    house.login("alice", 1).await;
    assert_eq!(house.notebook.order(), ["login", "+insert"]);
    house.kernel.logout(&token(1), &scope()).await.unwrap();
    assert_eq!(house.notebook.order(), ["session_ended", "+end"]);
    house.change("alice", |user| user.enabled = true).await;
    assert_eq!(house.notebook.order(), ["directory_changed", "+apply"]);
    house.make(vec![put_key(api_key(1, "alice")), put(user("carol"))]).await;
    assert_eq!(house.notebook.order(), ["directory_changed", "+apply"]);

    house.login("bob", 2).await;
    house.login("alice", 3).await;
    house.notebook.order();
    let cap = Some(SessionCap { most: 1, then: AtCap::EndOldest });
    let again = LoginRequest { replaces: vec![token(2)], cap, ..request("alice", PASSWORD, HERE) };
    house.kernel.login(&token(4), again).await.ok().unwrap();
    let order = ["login", "+insert", "session_ended", "+end", "session_ended", "+end"];
    assert_eq!(house.notebook.order(), order, "the replaced one, then the one beyond the cap");
}

#[tokio::test]
async fn asvs_109_what_the_store_refused_is_told_as_refused() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.notebook.order();
    // The counters of the throttle know alice's address by now, so the first thing to be written is the session.
    house.store.refuse(Some("disk full"));
    assert_eq!(house.try_login("alice", PASSWORD, 2).await.err(), Some(Reason::StoreFailed));
    let told = house.notebook.told();
    assert_eq!(told.iter().map(|entry| &*entry.event).collect::<Vec<_>>(), ["login", "login_failed"]);
    assert_eq!((field(&told[1], "user.name"), field(&told[1], "reason")), ("alice", "store_failed"));

    let change = house.kernel.directory().change(|_| Ok::<_, ()>(noted(vec![put(user("carol"))])));
    assert!(matches!(change.await, Err(ChangeError::Store(_))));
    let told = house.notebook.told();
    assert_eq!(told.iter().map(|entry| &*entry.event).collect::<Vec<_>>(), ["directory_changed", "operated"]);
    assert_eq!(field(&told[1], "operation"), "directory.change_failed");
    assert_eq!(field(&told[1], "detail"), "disk full");
}

#[tokio::test]
async fn what_was_refused_or_changes_nothing_is_no_change() {
    let house = House::new().await;
    let refused = house.kernel.directory().change(|_| Err::<(Vec<Change>, auth::Event, ()), _>("may not"));
    assert!(refused.await.is_err());
    house.make(Vec::new()).await;
    assert!(house.notebook.order().is_empty());
    house.set(realms(&house.realm, true)).await;
    assert!(house.notebook.order().is_empty(), "whoever read the settings tells of it");
}

#[tokio::test]
async fn a_costlier_hash_is_no_change_that_anybody_made() {
    let house = House::new().await;
    house.realm.rehash(Some("costlier"));
    house.login("alice", 1).await;
    assert_eq!(house.notebook.order(), ["+apply", "login", "+insert"]);
}

#[tokio::test]
async fn who_ended_a_session_is_told_where_it_was_not_its_user() {
    let house = House::new().await;
    let session = house.login("alice", 1).await.session;
    let second = house.login("alice", 2).await.session;
    house.login("bob", 3).await;
    let bob = house.show(3).await.ok().unwrap();
    house.notebook.told();
    let ended = [std::sync::Arc::clone(&session)];
    house.kernel.end(&ended, EndReason::Revoked, Some(&bob)).await.unwrap();
    let told = house.notebook.told();
    assert_eq!(told.len(), 1);
    assert_eq!(field(&told[0], "by"), bob.account().user.id.to_string());
    assert_eq!(field(&told[0], "session.id"), session.id.to_string());
    assert_eq!(field(&told[0], "user.id"), user("alice").id.to_string());
    assert_eq!((field(&told[0], "reason"), field(&told[0], "mount")), ("revoked", "/api"));

    // Ended once, told once: by nobody who came later, and with nobody's reason but the first's.
    assert_eq!(house.kernel.end(&ended, EndReason::Logout, Some(&bob)).await.unwrap(), 0);
    assert!(house.notebook.told().is_empty());
    house.kernel.logout(&token(2), &scope()).await.unwrap();
    let told = house.notebook.told();
    assert_eq!((field(&told[0], "by"), field(&told[0], "reason")), ("", "logout"));
    assert_eq!(field(&told[0], "session.id"), second.id.to_string());
    // A session that had idled away when somebody ended it was ended by the clock.
    house.clock.advance(crate::house::IDLE);
    assert_eq!(house.kernel.logout(&token(3), &scope()).await.unwrap().unwrap().user, user("bob").id);
    let told = house.notebook.told();
    assert_eq!(told.iter().map(|entry| field(entry, "reason")).collect::<Vec<_>>(), ["idle"]);
}

#[tokio::test]
async fn the_cap_tells_of_what_it_ends() {
    let house = House::new().await;
    let first = house.login("alice", 1).await.session;
    house.notebook.told();
    let capped =
        |then| LoginRequest { cap: Some(SessionCap { most: 1, then }), ..request("alice", PASSWORD, HERE) };
    let refused = house.kernel.login(&token(2), capped(AtCap::Refuse)).await;
    assert_eq!(refused.err(), Some(Reason::TooManySessions));
    let told = house.notebook.told();
    assert_eq!((&*told[0].event, &*told[1].event), ("login", "session_ended"));
    assert_eq!(field(&told[1], "reason"), "refused");
    assert_eq!(field(&told[0], "session.id"), field(&told[1], "session.id"));

    house.kernel.login(&token(3), capped(AtCap::EndOldest)).await.ok().unwrap();
    let told = house.notebook.told();
    assert_eq!(field(&told[1], "reason"), "evicted");
    assert_eq!(field(&told[1], "session.id"), first.id.to_string());
}

#[tokio::test]
async fn a_verified_password_is_told_once_while_it_is_remembered() {
    let house = House::new().await;
    for _ in 0..3 {
        house.basic("alice", PASSWORD).await.ok().unwrap();
    }
    let told = house.notebook.told();
    assert_eq!(told.len(), 1);
    let expected = ["credential_verified", "alice", "native", HERE, "basic"];
    let fields = ["user.name", "realm.name", "client.address", "method"].map(|name| field(&told[0], name));
    assert_eq!([&[&*told[0].event], &fields[..]].concat(), expected);
    house.clock.advance(auth::limits::EVIDENCE_KEPT);
    house.basic("alice", PASSWORD).await.ok().unwrap();
    assert_eq!(house.notebook.told().len(), 1);
}

#[tokio::test]
async fn no_event_holds_a_secret() {
    let house = House::new().await;
    let secret = "a password that nobody may read";
    house.realm.put("alice", secret, true);
    house.realm.rehash(Some("$argon2id$a hash that nobody may read"));
    house.make(vec![put_key(api_key(1, "alice"))]).await;
    house.try_login("alice", secret, 1).await.ok().unwrap();
    house.basic("alice", secret).await.ok().unwrap();
    let _wrong = house.basic("alice", "another that nobody may read").await;
    let _wrong = house.try_login("bob", "another that nobody may read", 2).await;
    house.show_key(1).await.ok().unwrap();
    for _ in 0..=auth::limits::MAX_GUESSES {
        let unknown = house.show_key(2).await.err().unwrap();
        let _ = house.kernel.slowed(&unknown, HERE.parse().unwrap());
    }
    house.kernel.logout(&token(1), &scope()).await.unwrap();
    house.clock.advance(Duration::from_secs(1));
    let told = format!("{:?}", house.notebook.told());
    for word in ["login_failed", "credential_verified", "guessing", "session_ended"] {
        assert!(told.contains(word), "{word} is told");
    }
    for secret in ["nobody may read", token(1).expose(), key(1).expose(), key(2).expose()] {
        assert!(!told.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn asvs_109_a_login_that_fails_after_the_password_is_told_as_failed() {
    let house = House::new().await;
    let app = Some(auth::AppName::parse("nowhere").unwrap());
    let unknown = LoginRequest { app, app_must_exist: true, ..request("alice", PASSWORD, HERE) };
    assert_eq!(house.kernel.login(&token(1), unknown).await.err(), Some(Reason::UnknownApp));
    let told = house.notebook.told();
    assert_eq!(told.iter().map(|entry| &*entry.event).collect::<Vec<_>>(), ["login_failed"]);
    assert_eq!(field(&told[0], "reason"), "unknown_app");

    house.login("alice", 2).await;
    house.notebook.order();
    let cap = Some(SessionCap { most: 1, then: AtCap::Refuse });
    let beyond = LoginRequest { cap, ..request("alice", PASSWORD, HERE) };
    assert_eq!(house.kernel.login(&token(3), beyond).await.err(), Some(Reason::TooManySessions));
    let told = house.notebook.told();
    let words: Vec<_> = told.iter().map(|entry| &*entry.event).collect();
    assert_eq!(words, ["login", "session_ended", "login_failed"]);
}

#[tokio::test]
async fn asvs_109_ends_by_the_clock_and_ends_that_cannot_be_written_are_told() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.login("bob", 2).await;
    house.notebook.order();
    house.store.refuse(Some("disk full"));
    assert_eq!(house.kernel.logout(&token(1), &scope()).await.err(), Some(Reason::StoreFailed));
    let told = house.notebook.told();
    assert_eq!(told.iter().map(|entry| &*entry.event).collect::<Vec<_>>(), ["session_ended", "operated"]);
    assert_eq!(field(&told[1], "operation"), "session.end_failed");
    house.store.refuse(None);
    house.clock.advance(crate::house::IDLE);
    house.kernel.sweep().await.unwrap();
    let order = house.notebook.order();
    assert_eq!(order[..2], ["session_ended", "+end"], "bob's, before it is written");
}

#[tokio::test]
async fn asvs_109_a_session_that_timed_out_is_told_of_once_whoever_finds_it() {
    let house = House::new().await;
    let session = house.login("alice", 1).await.session;
    house.clock.advance(crate::house::IDLE);
    house.notebook.told();
    let ended = house.kernel.end(&[session], EndReason::Revoked, None).await;
    assert_eq!(ended, Ok(0), "it was over before");
    house.kernel.sweep().await.unwrap();
    let told = house.notebook.told();
    assert_eq!(told.iter().map(|entry| field(entry, "reason")).collect::<Vec<_>>(), ["idle"]);
}
