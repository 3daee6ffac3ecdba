//! Keys, and who may make, see and take them back, on a kernel over fake ends.

use std::time::Duration;

use auth::limits::MAX_KEYS_PER_USER;
use auth::permission::Permission;
use auth::trust::Permit;
use auth::{Change, Event, KeyId, Presented, Reason, User, UserId};
use zeroize::Zeroizing;

use super::create::{Created, Input, MAX_NAME_CHARACTERS, MAX_PERMISSIONS, NAME, Owner};
use super::{create, delete, read};
use crate::error::Error;
use crate::page::Page;
use crate::precondition::Precondition;
use crate::reproof::RECENT_LOGIN;
use crate::sessions::tests::house::{House, PASSWORD, user};

fn input(name: &str, owner: Owner) -> Input {
    Input { name: name.to_owned(), owner, permissions: None, expires: None, current_password: None }
}

fn permissions(texts: &[&str]) -> Vec<Permission> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Gives a user of the house permissions of his own.
async fn grant(house: &House, name: &str, texts: &[&str]) -> UserId {
    let user = User { permissions: permissions(texts), ..user(name) };
    let (id, change) = (user.id, Change::PutUser(Box::new(user)));
    let event = Event::Operated { operation: "test", detail: Box::default() };
    let made = house.services.kernel.directory().change(|_| Ok::<_, Error>((vec![change], event, ())));
    made.await.unwrap();
    id
}

async fn make(house: &House, by: &str, input: Input) -> Result<Created, Error> {
    create::run(&house.services, &house.permit_by_password(by, NAME).await, input).await
}

/// The permit of whoever shows this key.
async fn permit_by_key(house: &House, made: &Created, operation: &'static str) -> Permit {
    let text = auth::KeyText::presented(made.text.expose());
    house.permit_by(Presented { key: Some(text), ..Presented::default() }, operation).await
}

fn all() -> read::Filter {
    let page = Page { after: None, limit: 1_000 };
    read::Filter { name: None, user: None, username: None, realm: None, page }
}

async fn names(house: &House, permit: &Permit, filter: read::Filter) -> Vec<String> {
    let (found, more) = read::run(&house.services, permit, &filter).await.unwrap();
    assert!(!more);
    let mut names: Vec<_> = found.iter().map(|compiled| compiled.key.name.clone()).collect();
    names.sort_unstable();
    names
}

fn field(error: &Error) -> String {
    match error {
        Error::Invalid { field, .. } => field.to_string(),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn every_limit_of_a_key_has_two_sides() {
    let house = House::new().await;
    let wrong = async |input: Input| field(&make(&house, "alice", input).await.err().unwrap());
    for name in ["", " ", "a\nb", &"ä".repeat(MAX_NAME_CHARACTERS + 1)] {
        assert_eq!(wrong(input(name, Owner::Caller)).await, "name", "{name:?}");
    }
    make(&house, "alice", input(&"ä".repeat(MAX_NAME_CHARACTERS), Owner::Caller)).await.unwrap();
    let with = |count: usize| Input {
        permissions: Some(vec!["GET:/x".parse().unwrap(); count]),
        ..input("many", Owner::Caller)
    };
    assert_eq!(wrong(with(MAX_PERMISSIONS + 1)).await, "permissions");
    make(&house, "alice", with(MAX_PERMISSIONS)).await.unwrap();
    let until = |expires| Input { expires: Some(expires), ..input("late", Owner::Caller) };
    let now = house.services.kernel.clock().now();
    assert_eq!(wrong(until(now)).await, "expiresAt");
    make(&house, "alice", until(now.plus(Duration::from_millis(1)))).await.unwrap();
}

#[tokio::test]
async fn a_user_has_so_many_keys_and_no_more() {
    let house = House::new().await;
    let mut last = None;
    for number in 0..MAX_KEYS_PER_USER {
        last = Some(make(&house, "alice", input(&format!("key {number}"), Owner::Caller)).await.unwrap());
    }
    let more = make(&house, "alice", input("more", Owner::Caller)).await;
    assert!(matches!(more, Err(Error::Conflict(_))));
    make(&house, "bob", input("another's", Owner::Caller)).await.unwrap();
    // One that is taken back makes room.
    let permit = house.permit_by_password("alice", delete::NAME).await;
    delete::run(&house.services, &permit, last.unwrap().key.id, &Precondition::None).await.unwrap();
    make(&house, "alice", input("more", Owner::Caller)).await.unwrap();
}

#[tokio::test]
async fn whoever_may_change_a_user_may_make_keys_for_him() {
    let house = House::new().await;
    let alice = grant(&house, "alice", &["*:/**:!/users/00000000-0000-4000-8000-000000000000"]).await;
    let bob = user("bob").id;
    let named = |username: &str| Owner::Named { username: username.to_owned(), realm: "native".to_owned() };
    assert_eq!(make(&house, "alice", input("a", Owner::Id(bob))).await.unwrap().key.user, bob);
    assert_eq!(make(&house, "alice", input("b", named("BOB"))).await.unwrap().key.user, bob);
    assert_eq!(make(&house, "alice", input("c", Owner::Caller)).await.unwrap().key.user, alice);
    // Bob may for himself, in every way of saying so; and learns nothing of others.
    for owner in [Owner::Caller, Owner::Id(bob), named("bob")] {
        assert_eq!(make(&house, "bob", input("d", owner)).await.unwrap().key.user, bob);
    }
    for owner in [Owner::Id(alice), named("alice"), named("nobody"), Owner::Id(UserId::from_bytes([7; 16]))] {
        let refused = make(&house, "bob", input("e", owner)).await;
        assert!(matches!(refused, Err(Error::Kernel(Reason::Forbidden))));
    }
    let wrong = async |owner| field(&make(&house, "alice", input("f", owner)).await.err().unwrap());
    assert_eq!(wrong(Owner::Id(UserId::from_bytes([7; 16]))).await, "userId");
    assert_eq!(wrong(named("nobody")).await, "username");
    assert_eq!(
        wrong(Owner::Named { username: "bob".to_owned(), realm: "a/b".to_owned() }).await,
        "realmName"
    );
    // Who may change everybody but one makes no keys for that one.
    let but_alice = format!("*:/**:!/users/{alice}");
    grant(&house, "bob", &[&but_alice]).await;
    let refused = make(&house, "bob", input("g", Owner::Id(alice))).await;
    assert!(matches!(refused, Err(Error::Kernel(Reason::Forbidden))));
    assert_eq!(wrong(Owner::Id(UserId::from_bytes([7; 16]))).await, "userId");
}

#[tokio::test]
async fn others_keys_are_seen_and_taken_back_by_those_who_administer() {
    let house = House::new().await;
    let alice = grant(&house, "alice", &["*:/**"]).await;
    let bob = user("bob").id;
    let hers = make(&house, "alice", input("hers", Owner::Caller)).await.unwrap();
    let his = make(&house, "bob", input("his", Owner::Caller)).await.unwrap();
    let by_alice = house.permit_by_password("alice", read::NAME).await;
    let by_bob = house.permit_by_password("bob", read::NAME).await;
    assert_eq!(names(&house, &by_alice, all()).await, ["hers", "his"]);
    assert_eq!(names(&house, &by_bob, all()).await, ["his"]);
    let filters = [
        (read::Filter { name: Some("his".to_owned()), ..all() }, vec!["his"]),
        (read::Filter { user: Some(alice), ..all() }, vec!["hers"]),
        (read::Filter { username: Some("BOB".to_owned()), ..all() }, vec!["his"]),
        (read::Filter { username: Some("b:ob".to_owned()), ..all() }, vec![]),
        (read::Filter { realm: Some("native".to_owned()), user: Some(bob), ..all() }, vec!["his"]),
        (read::Filter { realm: Some("other".to_owned()), ..all() }, vec![]),
    ];
    for (filter, expected) in filters {
        assert_eq!(names(&house, &by_alice, filter).await, expected);
    }
    let one = async |by: &str, id: &KeyId| {
        let permit = house.permit_by_password(by, read::NAME_ONE).await;
        read::one(&house.services, &permit, id).map(|compiled| compiled.key.name.clone())
    };
    assert_eq!(one("alice", &his.key.id).await.unwrap(), "his");
    assert!(matches!(one("bob", &hers.key.id).await, Err(Error::NotFound)));
    let take = async |by: &str, id: KeyId, expected: Precondition| {
        let permit = house.permit_by_password(by, delete::NAME).await;
        delete::run(&house.services, &permit, id, &expected).await
    };
    assert!(matches!(take("bob", hers.key.id, Precondition::None).await, Err(Error::NotFound)));
    let stale = Precondition::LastChanged(vec![auth::Moment::from_millis(1)]);
    assert!(matches!(take("alice", his.key.id, stale).await, Err(Error::PreconditionFailed)));
    let seen = Precondition::LastChanged(vec![his.key.created]);
    take("alice", his.key.id, seen).await.unwrap();
    assert!(matches!(take("alice", his.key.id, Precondition::None).await, Err(Error::NotFound)));
    assert_eq!(names(&house, &by_bob, all()).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_key_never_makes_a_key_and_reaches_no_further_than_it_says() {
    let house = House::new().await;
    grant(&house, "alice", &["*:/**"]).await;
    make(&house, "bob", input("his", Owner::Caller)).await.unwrap();
    let whole = make(&house, "alice", input("whole", Owner::Caller)).await.unwrap();
    let small =
        Input { permissions: Some(permissions(&["*:/api-keys/**"])), ..input("small", Owner::Caller) };
    let small = make(&house, "alice", small).await.unwrap();
    for key in [&whole, &small] {
        let permit = permit_by_key(&house, key, NAME).await;
        let refused = create::run(&house.services, &permit, input("child", Owner::Caller)).await;
        assert!(matches!(refused, Err(Error::Kernel(Reason::Forbidden))));
    }
    // One that may do all that its user may sees what its user sees; the other does not administer.
    let by_whole = permit_by_key(&house, &whole, read::NAME).await;
    assert_eq!(names(&house, &by_whole, all()).await, ["his", "small", "whole"]);
    let by_small = permit_by_key(&house, &small, read::NAME).await;
    assert_eq!(names(&house, &by_small, all()).await, ["small", "whole"]);
}

#[tokio::test]
async fn asvs_13_a_session_that_was_left_open_makes_no_key() {
    let house = House::new().await;
    house.login("bob", 1).await;
    let made = async |current: Option<&str>| {
        let current_password = current.map(|text| Zeroizing::new(text.to_owned()));
        let input = Input { current_password, ..input("his", Owner::Caller) };
        create::run(&house.services, &house.permit(1, NAME).await, input).await
    };
    house.clock.advance(RECENT_LOGIN - Duration::from_millis(1));
    made(None).await.unwrap();
    house.clock.advance(Duration::from_millis(1));
    assert!(matches!(made(None).await, Err(Error::Kernel(Reason::NotRecent))));
    assert_eq!(field(&made(Some("wrong")).await.err().unwrap()), "currentPassword");
    made(Some(PASSWORD)).await.unwrap();
    // What is wrong with the key, and who may not make it, is told before anybody is asked for a password.
    let permit = house.permit(1, NAME).await;
    let refused = create::run(&house.services, &permit, input("", Owner::Caller)).await;
    assert_eq!(field(&refused.err().unwrap()), "name");
    let refused = create::run(&house.services, &permit, input("hers", Owner::Id(user("alice").id))).await;
    assert!(matches!(refused, Err(Error::Kernel(Reason::Forbidden))));
    // A password on the request is one.
    make(&house, "bob", input("his", Owner::Caller)).await.unwrap();
}

#[tokio::test]
async fn asvs_109_what_is_written_down_of_a_key_is_not_the_key() {
    let house = House::new().await;
    let expires = house.services.kernel.clock().now().plus(Duration::from_secs(60));
    let made = Input {
        permissions: Some(permissions(&["GET:/a", "POST:/b"])),
        expires: Some(expires),
        ..input("the \"team\"", Owner::Caller)
    };
    let made = make(&house, "bob", made).await.unwrap();
    let snapshot = house.services.kernel.directory().held();
    let detail = super::detail(&made.key, snapshot.account(&made.key.user).map(|account| &**account));
    let id = made.key.user;
    assert_eq!(
        detail,
        format!(
            "\"the \\\"team\\\"\" for \"bob\" of \"native\"; user.id={id}; permissions=GET:/a POST:/b; expires={expires}"
        )
    );
    assert!(!detail.contains(made.text.expose()));
}
