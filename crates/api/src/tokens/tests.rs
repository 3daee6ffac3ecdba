//! Tokens on a kernel over fake ends: they live and end with their session, and telling of one is not using it.

use std::time::Duration;

use auth::{
    BearerText, EndReason, LoggedIn, LoginRequest, Origin, Presented, Reason, Scope, SessionLimits,
    SignFault, SigningAlgorithm,
};
use testkit::suites::realms::{presented, username};

use super::{create, introspect, revoke};
use crate::error::Error;
use crate::sessions::tests::house::{API, HERE, House, PASSWORD};
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
    assert_eq!(live.session, given.session.id);
    assert_eq!(live.expires.since(live.issued), 8 * HOUR);
    assert!(told(&house, &token, "/other").await.is_none(), "of another mount");
    assert!(told(&house, &BearerText::new("x".to_owned()), API).await.is_none());
    house.clock.advance(7 * HOUR);
    assert!(told(&house, &token, API).await.is_none(), "idle");
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
