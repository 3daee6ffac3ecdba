//! Roles that groups of a realm stand for: only those that it can grant as it is set up now, from the next request on.

use std::sync::Arc;

use auth::directory::RealmState;
use auth::{Change, Realm, RealmRecord, Reason, UserRecords};
use testkit::suites::{FakeRealm, maker};

use crate::house::{House, PASSWORD, realms, role};
use crate::several::{put_realm, record};

/// A realm that knows carol, who is in a group that stands for `reader`.
fn with_groups() -> FakeRealm {
    let realm = FakeRealm::default();
    realm.keep(UserRecords::AtFirstLogin);
    realm.put("carol", PASSWORD, true);
    realm.give("carol", &["reader"]);
    realm
}

/// The same realm, set up so that its groups stand for these roles only.
fn granting(roles: &[&str]) -> Arc<FakeRealm> {
    let realm = with_groups();
    realm.grant_only(roles);
    Arc::new(realm)
}

impl House {
    /// Sets the realm `a` up anew, as an administrator does.
    async fn set_up(&self, number: u8, realm: Arc<FakeRealm>, roles: &[&str]) {
        self.maker.put("a", realm as Arc<dyn Realm>);
        let config = format!("{{\"number\":{number}}}").into_boxed_str();
        let roles = roles.iter().map(|name| role(name)).collect();
        self.make(vec![put_realm(RealmRecord { config, roles, ..record("a") })]).await;
    }

    async fn session_reads(&self) -> Result<(), Reason> {
        self.may(self.show(1).await.ok().unwrap(), "/books/1")
    }

    async fn key_reads(&self) -> Result<(), Reason> {
        self.may(self.show_key(1).await.ok().unwrap(), "/books/1")
    }
}

async fn with_carol() -> House {
    let house = House::new().await;
    house.add("a", with_groups()).await;
    house.enter("a", "carol", 1).await;
    house.make_key(1, "a", "carol").await;
    assert_eq!((house.session_reads().await, house.key_reads().await), (Ok(()), Ok(())));
    house
}

#[tokio::test]
async fn case_24_a_row_that_is_taken_out_of_the_mapping_gives_no_role_from_the_next_request_on() {
    let house = with_carol().await;
    house.set_up(1, granting(&["other", "read"]), &[]).await;
    let forbidden = || (Err(Reason::Forbidden), Err(Reason::Forbidden));
    assert_eq!((house.session_reads().await, house.key_reads().await), forbidden());
    // What he has otherwise he keeps: as everybody of the realm, or himself.
    house.set_up(2, granting(&[]), &["reader"]).await;
    assert_eq!(house.session_reads().await, Ok(()));
    house.set_up(3, granting(&[]), &[]).await;
    assert_eq!((house.session_reads().await, house.key_reads().await), forbidden());
    let mut carol = house.record_of("a", "carol").unwrap();
    carol.roles = vec![role("reader")];
    house.make(vec![crate::house::put(carol)]).await;
    assert_eq!((house.session_reads().await, house.key_reads().await), (Ok(()), Ok(())));
}

#[tokio::test]
async fn each_role_counts_once_whether_it_is_granted_or_not() {
    let house = with_carol().await;
    for (number, granted) in [(1, &[][..]), (2, &["reader"])] {
        house.set_up(number, granting(granted), &["reader"]).await;
        let snapshot = house.kernel.directory().held();
        let account = snapshot.account(&crate::several::id_of("a", "carol")).unwrap();
        assert_eq!(snapshot.roles_of(account).count(), 1);
    }
}

#[tokio::test]
async fn case_24_settings_that_are_read_again_take_roles_away_at_once() {
    let house = House::new().await;
    house.change("alice", |alice| alice.roles.clear()).await;
    house.realm.give("alice", &["reader"]);
    house.login("alice", 1).await;
    assert_eq!(house.session_reads().await, Ok(()));
    house.set(realms(&granting(&["other"]), true)).await;
    assert_eq!(house.session_reads().await, Err(Reason::Forbidden));
    house.set(realms(&granting(&["reader"]), true)).await;
    assert_eq!(house.session_reads().await, Ok(()));
    let state = RealmState { in_settings: true, ..maker::state("native", granting(&[])) };
    house.set(maker::settings([state])).await;
    assert_eq!(house.session_reads().await, Err(Reason::Forbidden));
}

#[tokio::test]
async fn a_realm_that_is_gone_or_cannot_be_made_gives_no_roles() {
    let house = with_carol().await;
    house.make(vec![put_realm(RealmRecord { kind: Box::from("unknown"), ..record("a") })]).await;
    assert_eq!(
        (house.session_reads().await, house.key_reads().await),
        (Err(Reason::Forbidden), Err(Reason::Forbidden))
    );
    house.make(vec![Change::DeleteRealm(record("a").name)]).await;
    assert!(house.show(1).await.is_err() && house.show_key(1).await.is_err());
}
