//! Tokens on a kernel over fake ends: they live and end with their session, and telling of one is not using it.

use std::time::Duration;

use auth::{
    ApiKey, BearerText, Change, EndReason, KeyId, KeyText, LoggedIn, LoginRequest, Origin, Presented, Reason,
    Scope, SessionLimits, SignFault, SigningAlgorithm, User,
};
use testkit::suites::realms::{presented, username};

use super::{create, introspect, revoke};
use crate::error::Error;
use crate::sessions::tests::house::{API, HERE, House, PASSWORD, user};
use crate::signing_keys::keep;

const HOUR: Duration = Duration::from_secs(3_600);

fn request(name: &str, password: &str) -> LoginRequest {
    LoginRequest {
        realm: auth::RealmChoice::Named(Box::from("native")),
        username: username(name),
        password: presented(password).unwrap(),
        scope: Scope::new(API),
        app: None,
        limits: SessionLimits { idle_timeout: 8 * HOUR, max_lifetime: 8 * HOUR },
        app_must_exist: false,
        cap: None,
        origin: Origin::new(HERE, None),
        replaces: Vec::new(),
    }
}

async fn try_give(house: &House, name: &str, password: &str) -> Result<(LoggedIn, BearerText), Error> {
    let permit = house.permit_of_nobody(create::NAME);
    create::signed(&house.services, &permit, request(name, password)).await
}

/// A login of this user for a token.
pub(crate) async fn give(house: &House, name: &str) -> LoggedIn {
    try_give(house, name, PASSWORD).await.map_err(|error| format!("{error:?}")).unwrap().0
}

async fn is_known(house: &House, token: &BearerText) -> bool {
    let shown = Presented { bearer: Some(copy(token)), ..Presented::default() };
    house.services.kernel.authenticate(shown, &Scope::new(API), HERE, false).await.is_ok()
}

fn copy(token: &BearerText) -> BearerText {
    BearerText::new(token.expose().to_owned())
}

async fn told(house: &House, token: &BearerText, scope: &str) -> Option<introspect::Live> {
    let permit = house.permit_by_password("bob", introspect::NAME).await;
    introspect::run(&house.services, &permit, token, &Scope::new(scope)).unwrap()
}

async fn with_keys() -> House {
    let house = House::new().await;
    keep::run(&house.services, SigningAlgorithm::Es256).await.unwrap();
    house
}

#[tokio::test]
async fn a_token_is_given_for_a_password_alone() {
    let house = House::new().await;
    let unsigned = try_give(&house, "alice", PASSWORD).await;
    assert!(matches!(unsigned, Err(Error::Unsigned(SignFault::NoKeys))));
    assert!(house.services.kernel.sessions().table().is_empty(), "no token, no session");
    let house = with_keys().await;
    let refused = try_give(&house, "alice", "wrong horse").await;
    assert!(matches!(refused, Err(Error::Kernel(Reason::WrongPassword))));
    let (given, token) = try_give(&house, "alice", PASSWORD).await.map_err(|_| "refused").unwrap();
    let ends = given.session.created.plus(8 * HOUR).as_millis();
    let says = format!("{} {} {ends} ", given.session.user, given.session.id);
    assert!(token.expose().starts_with(&says), "{}", token.expose());
    assert!(is_known(&house, &token).await);
    let again = try_give(&house, "alice", PASSWORD).await.map_err(|_| "refused").unwrap().1;
    assert_ne!(again.expose(), token.expose());
}

#[tokio::test]
async fn telling_of_a_token_is_not_using_it() {
    let house = with_keys().await;
    let (given, token) = try_give(&house, "alice", PASSWORD).await.map_err(|_| "refused").unwrap();
    house.clock.advance(HOUR);
    let seen = given.session.last_seen();
    let live = told(&house, &token, API).await.unwrap();
    assert_eq!(given.session.last_seen(), seen);
    assert_eq!(live.account.user.username.shown(), "alice");
    assert_eq!(live.session, Some(given.session.id));
    assert_eq!(live.expires.map(|expires| expires.since(live.issued)), Some(8 * HOUR));
    assert!(told(&house, &token, "/other").await.is_none(), "of another mount");
    assert!(told(&house, &BearerText::new("x".to_owned()), API).await.is_none());
    house.clock.advance(7 * HOUR);
    assert!(told(&house, &token, API).await.is_none(), "idle");
}

/// A key of alice's for a while, in the store.
async fn key(house: &House, number: u8, life: Option<Duration>) -> BearerText {
    let text = KeyText::from_random(&[number; 32]);
    let created = house.services.kernel.clock().now();
    let key = ApiKey {
        id: KeyId::from_random([number; 16]),
        hash: text.hash(),
        name: String::new(),
        user: user("alice").id,
        permissions: life.map(|_| Vec::new()),
        expires: life.map(|life| created.plus(life)),
        created,
    };
    let put = |_: &_| Ok::<_, Error>((vec![Change::PutKey(Box::new(key))], ()));
    house.services.kernel.directory().amend(put).await.unwrap();
    BearerText::new(text.expose().to_owned())
}

#[tokio::test]
async fn a_key_is_told_of_as_what_it_is_worth() {
    let house = with_keys().await;
    let (short, lasting) = (key(&house, 1, Some(HOUR)).await, key(&house, 2, None).await);
    house.clock.advance(HOUR / 2);
    let live = told(&house, &short, "/any").await.unwrap();
    assert_eq!((live.account.user.username.shown(), live.session), ("alice", None));
    assert_eq!(live.expires.map(|expires| expires.since(live.issued)), Some(HOUR));
    assert!(live.key.unwrap().last_use().is_none(), "telling of a key is not using it");
    assert_eq!(told(&house, &lasting, API).await.unwrap().expires, None);
    let never_made = KeyText::from_random(&[3; 32]);
    assert!(told(&house, &BearerText::new(never_made.expose().to_owned()), API).await.is_none());
    house.clock.advance(HOUR / 2);
    assert!(told(&house, &short, API).await.is_none(), "it has expired");
    let off = User { enabled: false, ..user("alice") };
    let put = |_: &_| Ok::<_, Error>((vec![Change::PutUser(Box::new(off))], ()));
    house.services.kernel.directory().amend(put).await.unwrap();
    assert!(told(&house, &lasting, API).await.is_none(), "its user is switched off");
}

#[tokio::test]
async fn a_key_is_not_taken_back_as_a_token_and_nobody_learns_of_it() {
    let house = with_keys().await;
    let (live, permit) = (key(&house, 1, None).await, || house.permit_of_nobody(revoke::NAME));
    let never_made = BearerText::new(KeyText::from_random(&[3; 32]).expose().to_owned());
    for key in [&live, &never_made] {
        let revoked = revoke::run(&house.services, &permit(), key, &Scope::new(API)).await.unwrap();
        assert_eq!(revoked, revoke::Revoked::IsKey);
    }
    assert!(is_known(&house, &live).await);
    let nothing = BearerText::new("dwk_".to_owned());
    let revoked = revoke::run(&house.services, &permit(), &nothing, &Scope::new(API)).await.unwrap();
    assert_eq!(revoked, revoke::Revoked::Done);
}

#[tokio::test]
async fn row_109_who_shows_no_password_is_told_of_too() {
    let house = with_keys().await;
    let permit = house.permit_of_nobody(create::NAME);
    let realm = auth::RealmChoice::Named(Box::from("native"));
    let refused = create::refuse(&house.services, &permit, realm, username("alice"), HERE).await;
    assert!(matches!(refused, Error::Kernel(Reason::WrongPassword)));
    let gone = auth::RealmChoice::Named(Box::from("gone"));
    let refused = create::refuse(&house.services, &permit, gone, username("alice"), HERE).await;
    assert!(matches!(refused, Error::Kernel(Reason::UnknownRealm)));
    let told = house.told.lines("login_failed", ["user.name", "realm.name"]);
    assert_eq!(told, [["alice", "native"], ["alice", "gone"]].map(|line| line.map(str::to_owned)));
}

#[tokio::test]
async fn whoever_has_a_token_may_give_it_back() {
    let house = with_keys().await;
    let (given, token) = try_give(&house, "alice", PASSWORD).await.map_err(|_| "refused").unwrap();
    let permit = || house.permit_of_nobody(revoke::NAME);
    let revoke = async |scope: &str| {
        revoke::run(&house.services, &permit(), &token, &Scope::new(scope)).await.unwrap();
    };
    revoke("/other").await;
    assert!(is_known(&house, &token).await);
    revoke(API).await;
    assert!(!is_known(&house, &token).await);
    assert_eq!(
        given.session.ended(house.services.kernel.clock().now()).map(|ended| ended.reason),
        Some(EndReason::Logout)
    );
    assert!(told(&house, &token, API).await.is_none());
    revoke(API).await;
}
