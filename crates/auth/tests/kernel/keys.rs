//! API keys: what shows one is his who made it, for as long and for as much as it says, and for nothing else.

use std::time::Duration;

use auth::limits::KEY_USE_RESOLUTION;
use auth::trust::{Authenticated, Authorized, Caller};
use auth::{AuthMethod, BearerText, Change, Clock as _, KeyText, Presented, Reason, SessionToken, User};

use crate::house::{
    HERE, House, Own, PASSWORD, api_key, ip, key, permission, put, put_key, realms, scope, token, user,
    with_key, with_password, with_session,
};

const MILLISECOND: Duration = Duration::from_millis(1);

fn why<T>(result: Result<T, Reason>) -> Reason {
    result.err().expect("nobody")
}

/// A house in which alice has key 1.
async fn with_a_key() -> House {
    let house = House::new().await;
    house.make(vec![put_key(api_key(1, "alice"))]).await;
    house
}

impl House {
    /// Whether `known` may do something of his own on this path now.
    fn may_own(&self, known: Authenticated, path: &'static str) -> Result<(), Reason> {
        let snapshot = self.kernel.directory().present();
        Authorized::judge(&snapshot, Caller::Known(known), Own(path)).map(|_| ())
    }

    /// Whether key 1 may `GET` this path now.
    async fn key_may(&self, path: &'static str) -> Result<(), Reason> {
        self.may(self.show_key(1).await.ok().unwrap(), path)
    }

    /// Alice's key 1 may no more than this from now on.
    async fn restrict(&self, permissions: &[&str]) {
        let permissions = Some(permissions.iter().map(|text| permission(text)).collect());
        let key = auth::ApiKey { permissions, ..api_key(1, "alice") };
        self.make(vec![Change::DeleteKey(key.id), put_key(key)]).await;
    }
}

#[tokio::test]
async fn a_key_is_its_user_and_no_session() {
    let house = with_a_key().await;
    let known = house.show_key(1).await.ok().unwrap();
    assert_eq!(known.account().user.username.shown(), "alice");
    assert_eq!(known.method(), AuthMethod::ApiKey);
    assert!(known.session().is_none() && known.key().unwrap().key.id == api_key(1, "alice").id);
    assert!(!known.key().unwrap().is_restricted());
    assert_eq!(house.may(known, "/books/1"), Ok(()));
    assert_eq!(house.key_may("/users").await, Err(Reason::Forbidden));
    assert_eq!(
        (house.realm.looks(), house.store.session_count()),
        (0, 0),
        "nobody is asked, nothing is made"
    );
    house.restarted().await.show_key(1).await.ok().unwrap();
}

#[tokio::test]
async fn keys_that_were_never_given_out_are_nobodys() {
    let house = with_a_key().await;
    assert_eq!(why(house.show_key(2).await), Reason::UnknownKey);
    let malformed = Presented { key: Some(None), ..Presented::default() };
    assert_eq!(why(house.ask(malformed).await), Reason::UnknownKey);
    let bob = house.show_key(1).await.ok().unwrap();
    assert_eq!(bob.account().user.username.shown(), "alice");
}

#[tokio::test]
async fn a_key_counts_until_the_moment_that_it_expires() {
    let house = House::new().await;
    let span = Duration::from_secs(10);
    let expires = Some(house.kernel.clock().now().plus(span));
    house.make(vec![put_key(auth::ApiKey { expires, ..api_key(1, "alice") })]).await;
    house.clock.advance(span - MILLISECOND);
    house.show_key(1).await.ok().unwrap();
    house.clock.advance(MILLISECOND);
    assert_eq!(why(house.show_key(1).await), Reason::KeyExpired);
    // The wall clock revives nothing.
    house.clock.set_wall(auth::Moment::from_millis(1));
    assert_eq!(why(house.show_key(1).await), Reason::KeyExpired);
    assert_eq!(why(house.restarted().await.show_key(1).await), Reason::KeyExpired);
}

#[tokio::test]
async fn case_24_a_key_is_worth_no_more_than_its_user() {
    let house = with_a_key().await;
    house.change("alice", |user| user.enabled = false).await;
    assert_eq!(why(house.show_key(1).await), Reason::UnknownKey);
    house.change("alice", |user| user.enabled = true).await;
    house.show_key(1).await.ok().unwrap();
    // Deleted by a change that forgot his keys; then made anew. Neither is the one whose key it was.
    house.make(vec![Change::DeleteUser(user("alice").id)]).await;
    assert_eq!(why(house.show_key(1).await), Reason::UnknownKey);
    house.clock.advance(MILLISECOND);
    let anew = User { created: house.kernel.clock().now(), ..user("alice") };
    house.make(vec![put(anew)]).await;
    assert_eq!(why(house.show_key(1).await), Reason::UnknownKey);
    assert_eq!(why(house.restarted().await.show_key(1).await), Reason::UnknownKey);
    // A key of his own counts.
    let created = house.kernel.clock().now();
    house.make(vec![put_key(auth::ApiKey { created, ..api_key(2, "alice") })]).await;
    house.show_key(2).await.ok().unwrap();
}

#[tokio::test]
async fn a_key_of_a_realm_that_is_off_or_gone_is_nobodys() {
    let house = with_a_key().await;
    for settings in [realms(&house.realm, false), std::collections::HashMap::new()] {
        house.set(settings).await;
        assert_eq!(why(house.show_key(1).await), Reason::UnknownKey);
    }
    house.set(realms(&house.realm, true)).await;
    house.show_key(1).await.ok().unwrap();
}

#[tokio::test]
async fn a_key_that_was_taken_back_is_refused_at_the_very_next_request() {
    let house = with_a_key().await;
    house.make(vec![put_key(api_key(2, "alice"))]).await;
    house.show_key(1).await.ok().unwrap();
    house.make(vec![Change::DeleteKey(api_key(1, "alice").id)]).await;
    assert_eq!(why(house.show_key(1).await), Reason::UnknownKey);
    house.show_key(2).await.ok().unwrap();
    assert_eq!(why(house.restarted().await.show_key(1).await), Reason::UnknownKey);
    // Somebody who was let in before is judged by what he was let in with; his next request is not.
    assert!(house.kernel.directory().present().key_by_id(&api_key(1, "alice").id).is_none());
}

#[tokio::test]
async fn a_restricted_key_may_what_both_may() {
    let house = House::new().await;
    house.restrict(&["GET:/books/1", "GET:/users/**"]).await;
    assert_eq!(house.key_may("/books/1").await, Ok(()));
    assert_eq!(house.key_may("/books/2").await, Err(Reason::Forbidden), "he may, his key may not");
    assert_eq!(house.key_may("/users/x").await, Err(Reason::Forbidden), "his key may, he may not");
    house.restrict(&["POST:/books/1"]).await;
    assert_eq!(house.key_may("/books/1").await, Err(Reason::Forbidden), "another method");
    house.restrict(&[]).await;
    assert_eq!(house.key_may("/books/1").await, Err(Reason::Forbidden), "an empty list is nothing, not all");
    assert!(house.show_key(1).await.ok().unwrap().key().unwrap().is_restricted());
    // What the user loses, his key loses at once.
    house.restrict(&["*:/**"]).await;
    assert_eq!(house.key_may("/books/1").await, Ok(()));
    house.change("alice", |user| user.roles.clear()).await;
    assert_eq!(house.key_may("/books/1").await, Err(Reason::Forbidden));
    assert_eq!(house.restarted().await.key_may("/books/1").await, Err(Reason::Forbidden));
}

#[tokio::test]
async fn an_exception_of_a_key_is_one() {
    let house = House::new().await;
    house.restrict(&["GET:/**:!/books/1"]).await;
    assert_eq!(house.key_may("/books/1").await, Err(Reason::Forbidden));
    assert_eq!(house.key_may("/books/2").await, Ok(()));
}

#[tokio::test]
async fn a_restricted_key_reaches_what_only_a_login_is_needed_for_where_it_says_so() {
    let house = House::new().await;
    house.make(vec![put_key(api_key(2, "alice"))]).await;
    let own = async |number| house.may_own(house.show_key(number).await.ok().unwrap(), "/session");
    assert_eq!(own(2).await, Ok(()), "a key without limits");
    house.restrict(&["GET:/books/**"]).await;
    assert_eq!(own(1).await, Err(Reason::Forbidden));
    house.restrict(&["GET:/books/**", "GET:/session"]).await;
    assert_eq!(own(1).await, Ok(()));
    // And the one place in a path that is the caller's id is the user's.
    house.restrict(&["GET:/users/#ID"]).await;
    let id: &'static str = Box::leak(format!("/users/{}", user("alice").id).into_boxed_str());
    let other: &'static str = Box::leak(format!("/users/{}", user("bob").id).into_boxed_str());
    assert_eq!(house.may_own(house.show_key(1).await.ok().unwrap(), id), Ok(()));
    assert_eq!(house.may_own(house.show_key(1).await.ok().unwrap(), other), Err(Reason::Forbidden));
    // Sessions and passwords have no such limit.
    house.login("alice", 1).await;
    assert_eq!(house.may_own(house.show(1).await.ok().unwrap(), "/session"), Ok(()));
}

#[tokio::test]
async fn of_several_credentials_the_first_kind_decides() {
    let house = with_a_key().await;
    house.login("bob", 1).await;
    house.login("bob", 2).await;
    house.kernel.logout(&token(2), &scope()).await.unwrap();
    let name = |known: Authenticated| known.account().user.username.shown().to_owned();
    let live = house.ask(Presented { key: Some(Some(key(1))), ..with_session(1) }).await;
    assert_eq!(name(live.ok().unwrap()), "bob", "a live session stands before a key");
    let dead = house.ask(Presented { key: Some(Some(key(1))), ..with_session(2) }).await;
    assert_eq!(why(dead), Reason::SessionEnded(auth::EndReason::Logout), "and a dead one before it too");
    let odd = Presented { session: Some(None), key: Some(Some(key(1))), ..Presented::default() };
    assert_eq!(why(house.ask(odd).await), Reason::SessionUnknown);
    let password = |password| Presented { key: Some(Some(key(1))), ..with_password("bob", password) };
    assert_eq!(name(house.ask(password(PASSWORD)).await.ok().unwrap()), "bob");
    assert_eq!(why(house.ask(password("wrong")).await), Reason::WrongPassword);
    let bearer = |presented| Presented { bearer: Some(BearerText::new("x".to_owned())), ..presented };
    assert_eq!(why(house.ask(bearer(with_key(1))).await), Reason::InvalidToken);
    assert_eq!(name(house.ask(bearer(with_session(1))).await.ok().unwrap()), "bob");
    assert_eq!(name(house.ask(bearer(with_password("bob", PASSWORD))).await.ok().unwrap()), "bob");
    assert_eq!(name(house.show_key(1).await.ok().unwrap()), "alice");
}

#[tokio::test]
async fn case_26_a_key_is_never_a_session_and_a_session_never_a_key() {
    let house = with_a_key().await;
    let text = key(1).expose().to_owned();
    // The very same text, and so the very same hash, in the place of the other.
    let as_session = Presented { session: Some(SessionToken::from_text(&text)), ..Presented::default() };
    assert_eq!(why(house.ask(as_session).await), Reason::SessionUnknown);
    // In an Authorization field it is what it is (RFC 6750 section 2.1).
    let bearer =
        |text: &str| Presented { bearer: Some(BearerText::new(text.to_owned())), ..Presented::default() };
    assert_eq!(house.ask(bearer(&text)).await.ok().unwrap().method(), AuthMethod::ApiKey);
    assert_eq!(why(house.ask(bearer(key(2).expose())).await), Reason::UnknownKey);
    assert_eq!(why(house.ask(with_password("alice", &text)).await), Reason::WrongPassword);
    let shown = SessionToken::from_text(&text).unwrap();
    assert!(house.kernel.logout(&shown, &scope()).await.unwrap().is_none());
    house.show_key(1).await.ok().unwrap();
    // A session whose token looks like a key is a session and nothing else.
    let odd = SessionToken::from_text(key(9).expose()).unwrap();
    house.kernel.login(&odd, crate::house::request("alice", PASSWORD, HERE)).await.ok().unwrap();
    assert_eq!(why(house.show_key(9).await), Reason::UnknownKey);
    assert_eq!(why(house.ask(bearer(odd.expose())).await), Reason::UnknownKey);
    house.login("alice", 1).await;
    assert_eq!(why(house.ask(bearer(token(1).expose())).await), Reason::InvalidToken);
    assert!(KeyText::presented(token(1).expose()).is_none());
}

#[tokio::test]
async fn a_key_that_cannot_be_written_does_not_count() {
    let house = House::new().await;
    house.store.refuse(Some("disk full"));
    let made = house
        .kernel
        .directory()
        .change(|_| Ok::<_, ()>(crate::house::noted(vec![put_key(api_key(1, "alice"))])));
    assert!(made.await.is_err());
    assert_eq!(why(house.show_key(1).await), Reason::UnknownKey);
}

#[tokio::test]
async fn asvs_33_a_good_key_is_never_slowed() {
    let house = with_a_key().await;
    let guess = async || house.kernel.slowed(&why(house.show_key(2).await), ip(HERE));
    for _ in 0..auth::limits::MAX_GUESSES {
        assert_eq!(guess().await, None);
    }
    assert_eq!(guess().await, Some(auth::limits::GUESS_PAUSE));
    house.show_key(1).await.ok().unwrap();
}

#[tokio::test]
async fn a_key_knows_when_and_from_where_it_was_last_used() {
    let house = with_a_key().await;
    let last = || {
        let snapshot = house.kernel.directory().held();
        let last = snapshot.key_by_id(&api_key(1, "alice").id).unwrap().last_use();
        last.map(|last| (last.at, last.address))
    };
    assert_eq!(last(), None);
    let began = house.clock.now();
    house.show_key(1).await.ok().unwrap();
    assert_eq!(last(), Some((began, ip(HERE))));
    house.clock.advance(KEY_USE_RESOLUTION - MILLISECOND);
    house.show_key(1).await.ok().unwrap();
    assert_eq!(last(), Some((began, ip(HERE))), "not for each request anew");
    house.clock.advance(MILLISECOND);
    house.show_key(1).await.ok().unwrap();
    assert_eq!(last(), Some((began.plus(KEY_USE_RESOLUTION), ip(HERE))));
    let elsewhere = ip("192.0.2.77");
    house.kernel.authenticate(with_key(1), &scope(), elsewhere, true).await.ok().unwrap();
    assert_eq!(last(), Some((began.plus(KEY_USE_RESOLUTION), elsewhere)), "another address at once");
    house.make(vec![put(user("bob"))]).await;
    assert!(last().is_some(), "a change of others forgets nothing");
}

#[tokio::test]
async fn a_keys_last_use_outlives_the_process_once_it_was_written_behind() {
    let house = with_a_key().await;
    let last = |house: &House| {
        let snapshot = house.kernel.directory().held();
        snapshot.key_by_id(&api_key(1, "alice").id).unwrap().last_use()
    };
    house.show_key(1).await.ok().unwrap();
    let first = last(&house);
    assert_eq!(last(&house.restarted().await), None, "nobody waits for the disk");
    for _ in 0..2 {
        assert_eq!(
            house.kernel.directory().write_key_uses().await.unwrap(),
            usize::from(last(&house) == first)
        );
        house.kernel.write_behind().await.unwrap();
        assert_eq!(last(&house.restarted().await), last(&house));
        house.clock.advance(KEY_USE_RESOLUTION);
        house.show_key(1).await.ok().unwrap();
        // Twice before it is written: written once, as it is then.
        house.clock.advance(KEY_USE_RESOLUTION);
        house.show_key(1).await.ok().unwrap();
        house.kernel.write_behind().await.unwrap();
        assert_eq!(house.kernel.directory().write_key_uses().await.unwrap(), 0);
    }
    assert!(first.is_some() && last(&house) != first);
    assert_eq!(last(&house.restarted().await), last(&house));
}
