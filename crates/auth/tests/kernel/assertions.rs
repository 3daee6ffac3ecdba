//! Those who come with the word of somebody in front of the gateway: the last kind of credential, taken of listed peers, judged
//! anew with each request.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use auth::limits::EVIDENCE_KEPT;
use auth::{
    Asserted, AuthMethod, BearerText, Change, Presented, Reason, Rejection, User, UserRecords, Vouched,
};
use testkit::suites::FakeRealm;
use testkit::suites::realms::LISTED_PEER;

use crate::ends::Changes;
use crate::house::{House, PASSWORD, put, scope, with_key, with_password, with_session};
use crate::several::{id_of, put_realm, record, said, user_of, why};

/// A realm that reads `x-user` and `x-roles`, knows carol, and whose users come with their first request.
fn asserting() -> FakeRealm {
    let realm = FakeRealm::asserting(&["x-user", "x-roles"]);
    realm.keep(UserRecords::AtFirstLogin);
    realm.put("carol", PASSWORD, true);
    realm
}

async fn with_carol() -> (Arc<House>, Arc<FakeRealm>) {
    let house = House::new().await;
    let realm = house.add("a", asserting()).await;
    house.notebook.told();
    (Arc::new(house), realm)
}

/// These fields, of the peer whose word is taken.
fn fields(fields: &[(&str, &str)]) -> Option<Asserted> {
    from(LISTED_PEER, fields)
}

fn from(peer: IpAddr, fields: &[(&str, &str)]) -> Option<Asserted> {
    let fields = fields.iter().map(|(name, value)| (Box::from(*name), Box::from(value.as_bytes()))).collect();
    Some(Asserted { peer: Some(peer), fields })
}

fn carol() -> Presented {
    Presented { asserted: fields(&[("x-user", "carol"), ("x-roles", "reader")]), ..Presented::default() }
}

fn with(presented: Presented) -> Presented {
    Presented { asserted: carol().asserted, ..presented }
}

impl House {
    async fn said_to_be(&self, named: &[(&str, &str)]) -> Result<String, Reason> {
        self.ask(Presented { asserted: fields(named), ..Presented::default() })
            .await
            .map(|known| said(&known))
    }
}

#[tokio::test]
async fn whom_a_listed_peer_names_is_let_in_with_his_roles() {
    let (house, realm) = with_carol().await;
    let known = house.ask(carol()).await.ok().unwrap();
    assert_eq!((said(&known).as_str(), known.method()), ("a/carol", AuthMethod::Header));
    assert!(known.session().is_none() && known.key().is_none());
    assert_eq!(house.may(known, "/books/1"), Ok(()));
    assert_eq!(house.changes_told(), ["user.create \"carol\" of \"a\", by the realm; roles=reader"]);
    // Nothing is remembered: the next request may say otherwise, and does what it says.
    let known =
        house.ask(Presented { asserted: fields(&[("x-user", "carol")]), ..Presented::default() }).await;
    assert_eq!(house.may(known.ok().unwrap(), "/books/1"), Err(Reason::Forbidden));
    assert_eq!(house.changes_told(), ["user.refresh \"carol\" of \"a\", by the realm; roles="]);
    assert_eq!(realm.looks(), 2);
    assert_eq!(house.store.session_count(), 0);
}

#[tokio::test]
async fn nobodys_word_is_none() {
    let (house, _) = with_carol().await;
    let other: IpAddr = "198.51.100.7".parse().unwrap();
    let nobody = [
        from(other, &[("x-user", "carol")]),
        Some(Asserted { peer: None, ..from(LISTED_PEER, &[("x-user", "carol")]).unwrap() }),
        fields(&[]),
        fields(&[("x-roles", "reader")]),
        fields(&[("x-user", "nobody")]),
        fields(&[("x-other", "carol")]),
        None,
    ];
    for asserted in nobody {
        let said = format!("{asserted:?}");
        let reason = why(house.ask(Presented { asserted, ..Presented::default() }).await);
        assert_eq!(reason, Reason::NoCredentials, "{said}");
    }
    assert!(house.notebook.told().is_empty());
    assert!(house.record_of("a", "carol").is_none());
}

#[tokio::test]
async fn every_other_credential_decides_before_it() {
    let (house, realm) = with_carol().await;
    house.make_key(1, "native", "bob").await;
    house.login("alice", 1).await;
    assert_eq!(said(&house.ask(with(with_session(1))).await.ok().unwrap()), "native/alice");
    assert_eq!(said(&house.ask(with(with_password("bob", PASSWORD))).await.ok().unwrap()), "native/bob");
    assert_eq!(said(&house.ask(with(with_key(1))).await.ok().unwrap()), "native/bob");
    // A bad one is never papered over.
    assert_eq!(why(house.ask(with(with_session(99))).await), Reason::SessionUnknown);
    assert_eq!(why(house.ask(with(with_password("bob", "wrong"))).await), Reason::WrongPassword);
    assert_eq!(why(house.ask(with(with_key(99))).await), Reason::UnknownKey);
    let bearer = Presented { bearer: Some(BearerText::new("token".to_owned())), ..Presented::default() };
    assert_eq!(why(house.ask(with(bearer)).await), Reason::InvalidToken);
    assert_eq!(realm.looks(), 0);
    house.ask(carol()).await.ok().unwrap();
}

#[tokio::test]
async fn two_realms_that_both_take_it_are_one_too_many() {
    let (house, first) = with_carol().await;
    let second = house.add("b", asserting()).await;
    assert!(matches!(why(house.ask(carol()).await), Reason::MalformedCredentials(_)));
    assert!(house.record_of("a", "carol").is_none() && house.record_of("b", "carol").is_none());
    // What a known peer says and nobody can believe is told, once for each time.
    assert_eq!(house.notebook.failures(), ["b  192.0.2.1 malformed_credentials"]);
    // Where only one of them knows him, it is him; and where one of them is off.
    first.remove("carol");
    assert_eq!(said(&house.ask(carol()).await.ok().unwrap()), "b/carol");
    first.put("carol", PASSWORD, true);
    house.switch("b", false).await;
    assert_eq!(said(&house.ask(carol()).await.ok().unwrap()), "a/carol");
    assert_eq!(second.looks(), 2, "a realm that is off is not asked");
}

#[tokio::test]
async fn one_that_cannot_tell_or_rejects_him_stops_it() {
    let (house, first) = with_carol().await;
    let second = house.add("b", asserting()).await;
    let down = Reason::RealmUnavailable("down".into());
    // In either place, and though the other would take it.
    for (failing, other) in [(&first, &second), (&second, &first)] {
        failing.fail(Some("down"));
        assert_eq!(why(house.ask(carol()).await), down);
        other.remove("carol");
        assert_eq!(why(house.ask(carol()).await), down);
        other.put("carol", PASSWORD, true);
        failing.fail(None);
    }
    second.remove("carol");
    first.reject("carol", Some(Rejection::NotAllowed));
    house.notebook.told();
    assert_eq!(why(house.ask(carol()).await), Reason::LoginNotAllowed);
    assert_eq!(house.notebook.failures(), ["a  192.0.2.1 login_not_allowed"]);
    assert!(house.record_of("a", "carol").is_none());
}

#[tokio::test]
async fn a_realm_that_is_off_or_gone_takes_nobodys_word() {
    let (house, realm) = with_carol().await;
    let named = |house: &House| house.kernel.directory().present().asserting_fields().to_vec();
    let both: Vec<Box<str>> = vec![Box::from("x-roles"), Box::from("x-user")];
    assert_eq!(named(&house), both);
    house.switch("a", false).await;
    assert_eq!(why(house.ask(carol()).await), Reason::NoCredentials);
    assert_eq!(named(&house), both, "they are still nobody else's business");
    house.make(vec![Change::DeleteRealm(record("a").name)]).await;
    assert_eq!(why(house.ask(carol()).await), Reason::NoCredentials);
    assert!(named(&house).is_empty());
    assert_eq!(realm.looks(), 0);
    house.make(vec![put_realm(record("a"))]).await;
    house.ask(carol()).await.ok().unwrap();
    let other = house.add("b", FakeRealm::asserting(&["remote-user", "x-user"])).await;
    assert_eq!(named(&house), ["remote-user", "x-roles", "x-user"].map(Box::from));
    assert_eq!(named(&house.restarted().await), ["remote-user", "x-roles", "x-user"].map(Box::from));
    drop(other);
}

#[tokio::test]
async fn it_is_told_once_in_a_while_for_each_address() {
    let (house, _) = with_carol().await;
    let elsewhere = "198.51.100.9".parse().unwrap();
    let told = || {
        let told = house.notebook.told();
        let verified = told.iter().filter(|entry| entry.event == "credential_verified");
        verified
            .map(|entry| format!("{} {}", &*entry.fields["client.address"], &*entry.fields["method"]))
            .collect::<Vec<_>>()
    };
    for _ in 0..3 {
        house.ask(carol()).await.ok().unwrap();
        house.clock.advance(Duration::from_secs(1));
    }
    house.kernel.authenticate(carol(), &scope(), elsewhere, true).await.ok().unwrap();
    assert_eq!(told(), ["192.0.2.1 header", "198.51.100.9 header"]);
    house.clock.advance(EVIDENCE_KEPT);
    for _ in 0..3 {
        house.ask(carol()).await.ok().unwrap();
    }
    assert_eq!(told(), ["192.0.2.1 header"]);
}

#[tokio::test]
async fn who_has_no_record_or_is_disabled_here_stays_out() {
    let (house, realm) = with_carol().await;
    realm.keep(UserRecords::ByHand);
    house.notebook.told();
    assert_eq!(why(house.ask(carol()).await), Reason::UnknownUser);
    assert_eq!(house.notebook.failures(), ["a carol 192.0.2.1 unknown_user"]);
    house.make(vec![put(user_of("a", "carol"))]).await;
    house.ask(carol()).await.ok().unwrap();
    house.make(vec![put(User { enabled: false, ..user_of("a", "carol") })]).await;
    house.notebook.told();
    assert_eq!(why(house.ask(carol()).await), Reason::UserDisabled);
    assert_eq!(house.notebook.failures(), ["a carol 192.0.2.1 user_disabled"]);
    let vouched = Vouched { lapsed: true, ..Vouched::default() };
    house.make(vec![put(User { vouched, ..user_of("a", "carol") })]).await;
    house.ask(carol()).await.ok().unwrap();
    assert!(!house.record_of("a", "carol").unwrap().vouched.lapsed);
    for name in ["c:d", "car\u{202e}ol"] {
        realm.keep(UserRecords::AtFirstLogin);
        realm.put(name, PASSWORD, true);
        assert_eq!(house.said_to_be(&[("x-user", name)]).await, Err(Reason::UnknownUser));
        assert!(house.record_of("a", name).is_none());
    }
}

#[tokio::test]
async fn a_store_that_fails_gives_nobody_roles_that_are_gone() {
    let (house, _) = with_carol().await;
    house.held.changes(Changes::Refused);
    assert_eq!(why(house.ask(carol()).await), Reason::StoreFailed);
    house.held.changes(Changes::Written);
    house.ask(carol()).await.ok().unwrap();
    house.held.changes(Changes::Refused);
    house.ask(carol()).await.ok().unwrap();
    assert_eq!(house.said_to_be(&[("x-user", "carol")]).await, Err(Reason::StoreFailed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_first_requests_at_a_time_make_one_record() {
    let (house, realm) = with_carol().await;
    realm.hold();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let house = Arc::clone(&house);
        running.spawn(async move { house.ask(carol()).await.map(|known| said(&known)) });
    }
    while realm.looks() < 64 {
        tokio::task::yield_now().await;
    }
    realm.release();
    for known in running.join_all().await {
        assert_eq!(known, Ok("a/carol".to_owned()));
    }
    assert_eq!(house.changes_told(), ["user.create \"carol\" of \"a\", by the realm; roles=reader"]);
}

#[tokio::test]
async fn a_realm_that_changes_while_it_reads_vouches_for_nobody() {
    let (house, realm) = with_carol().await;
    for change in [
        put_realm(auth::RealmRecord { config: Box::from("{\"other\":1}"), ..record("a") }),
        put_realm(auth::RealmRecord { enabled: false, ..record("a") }),
        Change::DeleteRealm(record("a").name),
    ] {
        house.make(vec![put_realm(record("a"))]).await;
        let looks = realm.looks();
        realm.hold();
        let asked = tokio::spawn({
            let house = Arc::clone(&house);
            async move { house.ask(carol()).await.map(|_| ()) }
        });
        while realm.looks() == looks {
            tokio::task::yield_now().await;
        }
        house.make(vec![change.clone()]).await;
        realm.release();
        assert!(asked.await.unwrap().is_err(), "{change:?}");
        assert!(house.record_of("a", "carol").is_none(), "{change:?}");
    }
}

#[tokio::test]
async fn the_same_name_in_another_realm_is_another() {
    let (house, _) = with_carol().await;
    house.make(vec![put(user_of("native", "carol"))]).await;
    let known = house.ask(carol()).await.ok().unwrap();
    assert_eq!(known.account().user.id, id_of("a", "carol"));
    assert_ne!(known.account().user.id, id_of("native", "carol"));
}
