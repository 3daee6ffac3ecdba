//! Realms that come, change and go while the kernel serves: the very next request feels it.

use std::collections::HashMap;
use std::sync::Arc;

use auth::{Change, EndReason, LoginRequest, Realm, RealmName, RealmRecord, Reason, User, UserId};
use testkit::suites::{FakeRealm, maker};

use crate::house::{
    ATTEMPTS, HERE, House, PASSWORD, api_key, noted, put, put_key, realms, request, role, token, user,
    with_password,
};

fn why<T>(result: Result<T, Reason>) -> Reason {
    result.err().expect("nobody")
}

fn put_realm(record: RealmRecord) -> Change {
    Change::PutRealm(Box::new(record))
}

/// A namesake in the realm `branch`, without roles.
fn in_branch(name: &str) -> User {
    let branch = RealmName::parse("branch").unwrap();
    let id = UserId::of(&branch, &user(name).username);
    User { id, realm: branch, roles: Vec::new(), ..user(name) }
}

impl House {
    /// A house with the realm `branch`, of the type `second`, in which another alice lives.
    async fn with_a_branch() -> (Self, Arc<FakeRealm>) {
        let house = Self::new().await;
        let second = Arc::new(FakeRealm::default());
        second.put("alice", "her other password", true);
        house.maker.put("second", Arc::clone(&second) as Arc<dyn Realm>);
        house.make(vec![put_realm(branch()), put(in_branch("alice"))]).await;
        (house, second)
    }

    async fn login_at(&self, realm: &str, password: &str, number: u64) -> Result<(), Reason> {
        let request = LoginRequest {
            realm: auth::RealmChoice::Named(Box::from(realm)),
            ..request("alice", password, HERE)
        };
        self.kernel.login(&token(number), request).await.map(|_| ())
    }

    async fn basic_at(&self, realm: &str, password: &str) -> Result<(), Reason> {
        let mut presented = with_password("alice", password);
        presented.password.as_mut().unwrap().realm = auth::RealmChoice::Named(Box::from(realm));
        self.ask(presented).await.map(|_| ())
    }
}

fn branch() -> RealmRecord {
    RealmRecord { kind: Box::from("second"), ..maker::record("branch") }
}

#[tokio::test]
async fn a_realm_that_was_made_is_asked_at_once() {
    let house = House::new().await;
    assert_eq!(why(house.login_at("branch", PASSWORD, 1).await), Reason::UnknownRealm);
    let (house, second) = House::with_a_branch().await;
    assert_eq!(house.login_at("branch", "her other password", 1).await, Ok(()));
    assert_eq!(house.login_at("native", PASSWORD, 2).await, Ok(()));
    // Two users with one name: what proves the one proves nothing for the other.
    assert_eq!(why(house.login_at("branch", PASSWORD, 3).await), Reason::WrongPassword);
    assert_eq!(why(house.login_at("native", "her other password", 3).await), Reason::WrongPassword);
    let (branch, native) = (house.show(1).await.ok().unwrap(), house.show(2).await.ok().unwrap());
    assert_eq!(branch.account().user.id, in_branch("alice").id);
    assert_eq!(native.account().user.id, user("alice").id);
    assert_eq!((second.looks(), house.realm.looks()), (2, 2));
    let again = house.restarted().await;
    again.show(1).await.ok().unwrap();
    assert_eq!(again.basic_at("branch", "her other password").await, Ok(()));
}

#[tokio::test]
async fn a_realm_that_was_switched_off_lets_nobody_in_by_anything() {
    let (house, second) = House::with_a_branch().await;
    house.login_at("branch", "her other password", 1).await.unwrap();
    house.basic_at("branch", "her other password").await.unwrap();
    house.make(vec![put_key(auth::ApiKey { user: in_branch("alice").id, ..api_key(1, "alice") })]).await;
    house.show_key(1).await.ok().unwrap();
    let looks = second.looks();

    house.make(vec![put_realm(RealmRecord { enabled: false, ..branch() })]).await;
    assert_eq!(why(house.show(1).await), Reason::SessionUserGone);
    assert_eq!(why(house.basic_at("branch", "her other password").await), Reason::RealmDisabled);
    assert_eq!(why(house.show_key(1).await), Reason::UnknownKey);
    assert_eq!(why(house.login_at("branch", "her other password", 2).await), Reason::RealmDisabled);
    assert_eq!(second.looks(), looks, "a realm that is off is not asked");
    house.basic("alice", PASSWORD).await.ok().unwrap();

    house.make(vec![put_realm(branch())]).await;
    house.show(1).await.ok().unwrap();
    house.show_key(1).await.ok().unwrap();
    house.make(vec![Change::DeleteRealm(branch().name)]).await;
    assert_eq!(why(house.show(1).await), Reason::SessionUserGone);
    assert_eq!(why(house.basic_at("branch", "her other password").await), Reason::UnknownRealm);
    assert_eq!(why(house.show_key(1).await), Reason::UnknownKey);
    assert_eq!(why(house.login_at("branch", "her other password", 2).await), Reason::UnknownRealm);
    assert_eq!(why(house.restarted().await.show(1).await), Reason::SessionUserGone);
}

#[tokio::test]
async fn what_a_realm_gives_its_users_is_theirs_at_once_and_no_longer() {
    let (house, _) = House::with_a_branch().await;
    house.login_at("branch", "her other password", 1).await.unwrap();
    let may = async || house.may(house.show(1).await.ok().unwrap(), "/books/1");
    assert_eq!(may().await, Err(Reason::Forbidden));
    house.make(vec![put_realm(RealmRecord { roles: vec![role("reader")], ..branch() })]).await;
    assert_eq!(may().await, Ok(()));
    house.make(vec![put_realm(branch())]).await;
    assert_eq!(may().await, Err(Reason::Forbidden));
}

#[tokio::test]
async fn a_realm_of_the_settings_stands_before_one_of_the_store() {
    let house = House::new().await;
    house.login("alice", 1).await;
    let stored = RealmRecord { enabled: false, ..maker::record("native") };
    house.make(vec![put_realm(stored)]).await;
    house.show(1).await.ok().unwrap();
    let snapshot = house.kernel.directory().held();
    assert!(snapshot.realm("native").unwrap().in_settings);
    let listed: Vec<bool> = snapshot.realms().map(|state| state.in_settings).collect();
    assert_eq!(listed, [true], "it is listed once, as what it is");

    // Without it the stored one is there again, with what it says.
    house.set(HashMap::new()).await;
    assert_eq!(why(house.show(1).await), Reason::SessionUserGone);
    assert_eq!(why(house.try_login("alice", PASSWORD, 2).await), Reason::RealmDisabled);
    assert!(!house.kernel.directory().present().realm("native").unwrap().in_settings);
    house.make(vec![put_realm(maker::record("native"))]).await;
    house.show(1).await.ok().unwrap();
    house.login("alice", 3).await;

    // Settings that are read again stand before it again; the change that was made meanwhile is not lost.
    house.set(realms(&house.realm, false)).await;
    assert_eq!(why(house.try_login("alice", PASSWORD, 4).await), Reason::RealmDisabled);
    house.make(vec![Change::DeleteRealm(RealmName::native())]).await;
    assert!(house.kernel.directory().present().realm("native").unwrap().in_settings, "it cannot be deleted");
    house.set(HashMap::new()).await;
    assert_eq!(why(house.try_login("alice", PASSWORD, 4).await), Reason::UnknownRealm);
}

#[tokio::test]
async fn a_realm_that_nobody_can_make_is_unavailable_and_counts_no_attempt() {
    let (house, second) = House::with_a_branch().await;
    house.login_at("branch", "her other password", 1).await.unwrap();
    house.make(vec![put_realm(RealmRecord { kind: Box::from("of tomorrow"), ..branch() })]).await;
    for _ in 0..ATTEMPTS * 2 {
        let reason = why(house.login_at("branch", "her other password", 2).await);
        assert!(matches!(reason, Reason::RealmUnavailable(_)), "{reason:?}");
    }
    house.show(1).await.ok().unwrap();
    assert_eq!(second.looks(), 1);
    house.make(vec![put_realm(branch())]).await;
    assert_eq!(house.login_at("branch", "her other password", 2).await, Ok(()));
}

#[tokio::test]
async fn a_realm_of_another_type_is_another_that_is_asked() {
    let (house, second) = House::with_a_branch().await;
    house.login_at("branch", "her other password", 1).await.unwrap();
    house.make(vec![put_realm(maker::record("branch"))]).await;
    assert_eq!(why(house.login_at("branch", "her other password", 2).await), Reason::WrongPassword);
    assert_eq!(house.login_at("branch", PASSWORD, 2).await, Ok(()));
    assert_eq!((second.looks(), house.realm.looks()), (1, 2));
}

#[tokio::test]
async fn a_realm_that_was_switched_off_while_it_looked_gives_no_session() {
    let (house, second) = House::with_a_branch().await;
    let house = Arc::new(house);
    for (number, change) in
        [(1, put_realm(RealmRecord { enabled: false, ..branch() })), (2, Change::DeleteRealm(branch().name))]
    {
        house.make(vec![put_realm(branch())]).await;
        let looks = second.looks();
        second.hold();
        let login = tokio::spawn({
            let house = Arc::clone(&house);
            async move { house.login_at("branch", "her other password", number).await }
        });
        while second.looks() == looks {
            tokio::task::yield_now().await;
        }
        house.make(vec![change]).await;
        second.release();
        assert!(matches!(login.await.unwrap(), Err(Reason::RealmDisabled | Reason::UnknownRealm)));
        assert_eq!(house.store.session_count(), 0);
    }
}

#[tokio::test]
async fn a_session_that_was_being_written_while_its_realm_was_switched_off_never_lives() {
    let (house, _) = House::with_a_branch().await;
    let house = Arc::new(house);
    house.held.hold();
    let login = tokio::spawn({
        let house = Arc::clone(&house);
        async move { house.login_at("branch", "her other password", 1).await }
    });
    while house.store.session_count() == 0 {
        tokio::task::yield_now().await;
    }
    house.make(vec![put_realm(RealmRecord { enabled: false, ..branch() })]).await;
    house.held.release();
    assert_eq!(login.await.unwrap(), Err(Reason::RealmDisabled));
    house.make(vec![put_realm(branch())]).await;
    assert_eq!(why(house.show(1).await), Reason::SessionEnded(EndReason::UserChanged));
}

#[tokio::test]
async fn a_realm_that_cannot_be_written_is_as_it_was() {
    let (house, _) = House::with_a_branch().await;
    house.login_at("branch", "her other password", 1).await.unwrap();
    house.store.refuse(Some("disk full"));
    for change in [put_realm(RealmRecord { enabled: false, ..branch() }), Change::DeleteRealm(branch().name)]
    {
        let changed = house.kernel.directory().change(|_| Ok::<_, ()>(noted(vec![change])));
        assert!(changed.await.is_err());
        house.show(1).await.ok().unwrap();
    }
}

#[tokio::test]
async fn case_25_what_a_realm_vouched_for_is_void_once_it_asks_another_source() {
    for remembered in [true, false] {
        let (house, second) = House::with_a_branch().await;
        if remembered {
            assert_eq!(house.basic_at("branch", "her other password").await, Ok(()));
        }
        let elsewhere = RealmRecord { config: Box::from("{\"host\":\"elsewhere\"}"), ..branch() };
        house.make(vec![put_realm(elsewhere)]).await;
        second.put("alice", "a third password", true);
        assert_eq!(why(house.basic_at("branch", "her other password").await), Reason::WrongPassword);
        assert_eq!(house.basic_at("branch", "a third password").await, Ok(()));
    }
}

#[tokio::test]
async fn case_25_a_login_at_a_source_that_is_exchanged_meanwhile_fails() {
    let (house, second) = House::with_a_branch().await;
    let house = Arc::new(house);
    second.hold();
    let login = tokio::spawn({
        let house = Arc::clone(&house);
        async move { house.login_at("branch", "her other password", 1).await }
    });
    while second.looks() == 0 {
        tokio::task::yield_now().await;
    }
    let elsewhere = RealmRecord { config: Box::from("{\"host\":\"elsewhere\"}"), ..branch() };
    house.make(vec![put_realm(elsewhere)]).await;
    second.release();
    assert_eq!(why(login.await.unwrap()), Reason::WrongPassword);
}

#[tokio::test]
async fn other_roles_of_a_realm_void_nothing() {
    let (house, second) = House::with_a_branch().await;
    assert_eq!(house.basic_at("branch", "her other password").await, Ok(()));
    let looks = second.looks();
    house.make(vec![put_realm(RealmRecord { roles: vec![role("reader")], ..branch() })]).await;
    assert_eq!(house.basic_at("branch", "her other password").await, Ok(()));
    assert_eq!(second.looks(), looks, "remembered");
}
