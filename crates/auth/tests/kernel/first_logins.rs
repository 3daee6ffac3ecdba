//! Users who come with their first login, and what their realm says of them: it is written down with a login, and adds to what is
//! given to them here.

use std::sync::Arc;

use auth::{Attribute, Change, RealmRecord, Reason, User, UserRecords, Vouched};
use testkit::suites::FakeRealm;

use crate::ends::Changes;
use crate::house::{ATTEMPTS, House, PASSWORD, noted, put, role};
use crate::several::{id_of, named, names, put_realm, record, user_of, why};

/// A house with the realm `a`, which knows carol and whose users come with their first login.
async fn with_guests() -> (Arc<House>, Arc<FakeRealm>) {
    let house = House::new().await;
    let realm = house.add("a", FakeRealm::default()).await;
    realm.keep(UserRecords::AtFirstLogin);
    realm.put("Carol", PASSWORD, true);
    house.notebook.told();
    (Arc::new(house), realm)
}

impl House {
    async fn may_read(&self, number: u64) -> Result<(), Reason> {
        self.may(self.show(number).await?, "/books/1")
    }
}

#[tokio::test]
async fn the_first_login_makes_the_record_and_the_second_finds_it() {
    let (house, _) = with_guests().await;
    house.clock.advance(std::time::Duration::from_secs(5));
    house.enter("a", "CAROL", 1).await;
    let made = house.record_of("a", "carol").unwrap();
    let now = house.kernel.clock().now();
    assert_eq!((made.id, made.username.shown()), (id_of("a", "carol"), "Carol"), "as her realm writes her");
    assert_eq!((made.created, made.updated, made.enabled), (now, now, true));
    assert!(made.roles.is_empty() && made.permissions.is_empty() && made.password.is_none());
    assert_eq!(made.vouched, Vouched::default());
    house.clock.advance(std::time::Duration::from_secs(5));
    house.enter("a", "carol", 2).await;
    house.basic_by(&named("a"), "carol", PASSWORD).await.ok().unwrap();
    let told: Vec<String> = house.notebook.told().into_iter().map(|entry| entry.event.into_owned()).collect();
    assert_eq!(told, ["directory_changed", "login", "login", "credential_verified"]);
    assert_eq!(house.record_of("a", "carol").unwrap().created, made.created);
    let house = house.restarted().await;
    assert_eq!(house.whose(1).await, Ok("a/Carol".to_owned()));
    assert_eq!(why(house.may_read(1).await), Reason::Forbidden, "nobody gave her anything");
}

#[tokio::test]
async fn it_is_told_who_came_and_from_where() {
    let (house, realm) = with_guests().await;
    realm.give("carol", &["reader"]);
    realm.describe("carol", &[("mail", "carol@example.org")]);
    house.enter("a", "carol", 1).await;
    let told = house.notebook.told();
    let fields: Vec<String> = told[0].fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        fields,
        [
            "client.address=192.0.2.1",
            "detail=\"Carol\" of \"a\", by the realm; roles=reader",
            "operation=user.create",
            &format!("subject={}", id_of("a", "carol")),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_first_logins_at_a_time_make_one_record() {
    for is_basic in [false, true] {
        let (house, realm) = with_guests().await;
        realm.give("carol", &["reader"]);
        realm.hold();
        let mut running = tokio::task::JoinSet::new();
        for number in 0..64 {
            let house = Arc::clone(&house);
            running.spawn(async move {
                if is_basic {
                    house.basic_by(&named("a"), "carol", PASSWORD).await.map(|_| ())
                } else {
                    house.login_by(&named("a"), "carol", PASSWORD, number).await
                }
            });
        }
        while realm.looks() < ATTEMPTS as usize {
            tokio::task::yield_now().await;
        }
        realm.release();
        assert!(running.join_all().await.into_iter().all(|result| result.is_ok()));
        assert_eq!(
            house.changes_told(),
            ["user.create \"Carol\" of \"a\", by the realm; roles=reader"],
            "basic: {is_basic}"
        );
        if !is_basic {
            for number in 0..64 {
                assert_eq!(house.may_read(number).await, Ok(()));
            }
        }
    }
}

#[tokio::test]
async fn a_realm_whose_records_are_made_by_hand_makes_none() {
    for records in [UserRecords::ByHand, UserRecords::WithPassword] {
        let (house, realm) = with_guests().await;
        realm.keep(records);
        assert_eq!(why(house.login_by(&named("a"), "carol", PASSWORD, 1).await), Reason::UnknownUser);
        assert_eq!(why(house.basic_by(&named("a"), "carol", PASSWORD).await), Reason::UnknownUser);
        assert!(house.record_of("a", "carol").is_none());
        assert!(house.changes_told().is_empty());
        house.make(vec![put(user_of("a", "carol"))]).await;
        house.enter("a", "carol", 1).await;
    }
}

#[tokio::test]
async fn a_wrong_password_makes_no_record() {
    let (house, realm) = with_guests().await;
    assert_eq!(why(house.login_by(&named("a"), "carol", "wrong", 1).await), Reason::WrongPassword);
    realm.put("carol", PASSWORD, false);
    assert_eq!(why(house.login_by(&named("a"), "carol", PASSWORD, 1).await), Reason::UserDisabled);
    assert!(house.record_of("a", "carol").is_none());
}

#[tokio::test]
async fn a_name_that_no_record_may_have_is_nobodys() {
    let (house, realm) = with_guests().await;
    for name in ["a:b", " carol", "carol ", "ca\u{202e}rol", "ca\nrol", "ca\0rol", "\u{a0}carol"] {
        realm.put(name, PASSWORD, true);
        assert_eq!(
            why(house.login_by(&named("a"), name, PASSWORD, 1).await),
            Reason::UnknownUser,
            "{name:?}"
        );
        assert_eq!(why(house.basic_by(&named("a"), name, PASSWORD).await), Reason::UnknownUser, "{name:?}");
        assert!(house.record_of("a", name).is_none(), "{name:?}");
    }
    assert!(house.changes_told().is_empty());
}

#[tokio::test]
async fn roles_of_groups_come_and_go_with_logins_and_direct_ones_stay() {
    let (house, realm) = with_guests().await;
    realm.give("carol", &["reader", "no such role"]);
    house.enter("a", "carol", 1).await;
    assert_eq!(house.may_read(1).await, Ok(()));
    assert_eq!(names(&house.record_of("a", "carol").unwrap().vouched.roles), ["reader", "no such role"]);

    // A group that he loses is lost to the sessions that he has, with his next login.
    realm.give("carol", &[]);
    assert_eq!(house.may_read(1).await, Ok(()));
    house.clock.advance(std::time::Duration::from_secs(1));
    house.enter("a", "carol", 2).await;
    assert_eq!(
        (house.may_read(1).await, house.may_read(2).await),
        (Err(Reason::Forbidden), Err(Reason::Forbidden))
    );
    assert_eq!(house.record_of("a", "carol").unwrap().updated, house.kernel.clock().now());

    // Basic tells as much as a login.
    realm.give("carol", &["reader"]);
    house.basic_by(&named("a"), "carol", PASSWORD).await.ok().unwrap();
    assert_eq!(house.may_read(2).await, Ok(()));

    // What is given here is not the realm's to take.
    let mut direct = house.record_of("a", "carol").unwrap();
    direct.roles = vec![role("reader")];
    house.make(vec![put(direct)]).await;
    realm.give("carol", &[]);
    house.enter("a", "carol", 3).await;
    assert_eq!(house.may_read(1).await, Ok(()));
    let now = house.record_of("a", "carol").unwrap();
    assert_eq!((names(&now.roles), names(&now.vouched.roles)), (vec!["reader"], vec![]));
}

#[tokio::test]
async fn each_role_counts_once_wherever_it_comes_from() {
    let (house, realm) = with_guests().await;
    realm.give("carol", &["reader"]);
    house.make(vec![put_realm(RealmRecord { roles: vec![role("reader")], ..record("a") })]).await;
    house.enter("a", "carol", 1).await;
    let mut direct = house.record_of("a", "carol").unwrap();
    direct.roles = vec![role("reader")];
    house.make(vec![put(direct)]).await;
    let snapshot = house.kernel.directory().held();
    let account = snapshot.account(&id_of("a", "carol")).unwrap();
    assert_eq!(snapshot.roles_of(account).count(), 1);
}

#[tokio::test]
async fn what_is_known_already_is_not_written_again() {
    let (house, realm) = with_guests().await;
    realm.give("carol", &["reader"]);
    realm.describe("carol", &[("mail", "carol@example.org")]);
    house.enter("a", "carol", 1).await;
    house.notebook.told();
    house.clock.advance(std::time::Duration::from_secs(1));
    house.enter("a", "carol", 2).await;
    assert_eq!(house.notebook.order(), ["login", "+insert"]);
    realm.describe("carol", &[("mail", "c@example.org"), ("displayName", "Carol C.")]);
    house.enter("a", "carol", 3).await;
    let attribute = |name: &str, value: &str| Attribute { name: Box::from(name), value: Box::from(value) };
    assert_eq!(
        house.record_of("a", "carol").unwrap().vouched.attributes,
        [attribute("mail", "c@example.org"), attribute("displayName", "Carol C.")]
    );
    // What he is called is his own business: the audit log learns that it changed, and not to what.
    assert_eq!(house.changes_told(), ["user.refresh \"Carol\" of \"a\", by the realm; roles=reader"]);
    // He and his sessions are who they were.
    house.show(1).await.ok().unwrap();
}

#[tokio::test]
async fn a_first_login_that_cannot_be_written_is_none() {
    let (house, _) = with_guests().await;
    house.held.changes(Changes::Refused);
    assert_eq!(why(house.login_by(&named("a"), "carol", PASSWORD, 1).await), Reason::StoreFailed);
    assert_eq!(why(house.basic_by(&named("a"), "carol", PASSWORD).await), Reason::StoreFailed);
    assert!(house.record_of("a", "carol").is_none());
    assert_eq!(house.store.session_count(), 0);
    house.held.changes(Changes::Written);
    house.enter("a", "carol", 1).await;
}

#[tokio::test]
async fn nobody_logs_in_with_roles_that_are_gone_because_the_store_fails() {
    let (house, realm) = with_guests().await;
    realm.give("carol", &["reader"]);
    house.enter("a", "carol", 1).await;
    realm.give("carol", &[]);
    house.held.changes(Changes::Refused);
    for _ in 0..ATTEMPTS * 2 {
        let login = house.login_by(&named("a"), "carol", PASSWORD, 2).await;
        assert_eq!(why(login), Reason::StoreFailed, "and that is no failed attempt");
    }
    assert_eq!(why(house.basic_by(&named("a"), "carol", PASSWORD).await), Reason::StoreFailed);
    house.held.changes(Changes::Written);
    house.enter("a", "carol", 2).await;
    assert_eq!(house.may_read(1).await, Err(Reason::Forbidden));
}

#[tokio::test]
async fn who_was_deleted_and_comes_again_is_another() {
    let (house, _) = with_guests().await;
    house.enter("a", "carol", 1).await;
    house.make_key(1, "a", "carol").await;
    house.basic_by(&named("a"), "carol", PASSWORD).await.ok().unwrap();
    let mut direct = house.record_of("a", "carol").unwrap();
    direct.roles = vec![role("reader")];
    house.make(vec![put(direct.clone())]).await;
    house.clock.advance(std::time::Duration::from_millis(1));
    house.make(vec![Change::DeleteUser(direct.id)]).await;
    assert_eq!(why(house.show(1).await), Reason::SessionUserGone);
    house.enter("a", "carol", 2).await;
    let made = house.record_of("a", "carol").unwrap();
    assert!(made.roles.is_empty(), "what was given to another is not hers");
    assert_eq!(made.id, direct.id);
    assert_ne!(made.password_version, direct.password_version);
    assert_eq!(why(house.may_read(2).await), Reason::Forbidden);
    assert_eq!(why(house.show(1).await), Reason::SessionUserGone);
    assert_eq!(why(house.show_key(1).await), Reason::UnknownKey);
    let again = house.restarted().await;
    assert_eq!(why(again.show(1).await), Reason::SessionUserGone);
    again.show(2).await.ok().unwrap();
}

#[tokio::test]
async fn who_is_deleted_while_his_session_is_written_has_none() {
    let (house, _) = with_guests().await;
    house.held.hold();
    let login = tokio::spawn({
        let house = Arc::clone(&house);
        async move { house.login_by(&named("a"), "carol", PASSWORD, 1).await }
    });
    while house.store.session_count() == 0 {
        tokio::task::yield_now().await;
    }
    house.make(vec![Change::DeleteUser(id_of("a", "carol"))]).await;
    house.held.release();
    assert_eq!(why(login.await.unwrap()), Reason::UnknownUser);
    assert!(house.show(1).await.is_err());
}

#[tokio::test]
async fn who_is_disabled_here_stays_out_whatever_his_realm_says() {
    let (house, realm) = with_guests().await;
    house.enter("a", "carol", 1).await;
    let out = User { enabled: false, ..house.record_of("a", "carol").unwrap() };
    house.make(vec![put(out)]).await;
    realm.give("carol", &["reader"]);
    assert_eq!(why(house.login_by(&named("a"), "carol", PASSWORD, 2).await), Reason::UserDisabled);
    assert_eq!(why(house.basic_by(&named("a"), "carol", PASSWORD).await), Reason::UserDisabled);
    assert_eq!(why(house.show(1).await), Reason::SessionUserGone);
    assert!(!house.record_of("a", "carol").unwrap().enabled);
}

#[tokio::test]
async fn who_lapsed_comes_back_with_a_login() {
    for is_basic in [false, true] {
        let (house, realm) = with_guests().await;
        realm.give("carol", &["reader"]);
        house.enter("a", "carol", 1).await;
        house.make_key(1, "a", "carol").await;
        let mut lapsed = house.record_of("a", "carol").unwrap();
        lapsed.vouched.lapsed = true;
        house.make(vec![put(lapsed)]).await;
        assert_eq!(why(house.show(1).await), Reason::SessionUserGone);
        assert_eq!(why(house.show_key(1).await), Reason::UnknownKey);
        assert_eq!(why(house.login_by(&named("a"), "carol", "wrong", 2).await), Reason::WrongPassword);
        assert!(house.record_of("a", "carol").unwrap().vouched.lapsed, "a wrong password brings nobody back");
        house.changes_told();
        if is_basic {
            house.basic_by(&named("a"), "carol", PASSWORD).await.ok().unwrap();
        } else {
            house.enter("a", "carol", 2).await;
        }
        assert_eq!(house.changes_told(), ["user.refresh \"Carol\" of \"a\", by the realm; roles=reader"]);
        house.show_key(1).await.ok().unwrap();
    }
}

#[tokio::test]
async fn what_one_source_said_is_void_once_the_realm_keeps_passwords_here() {
    let (house, realm) = with_guests().await;
    realm.give("carol", &["reader"]);
    house.enter("a", "carol", 1).await;
    let mut lapsed = house.record_of("a", "carol").unwrap();
    lapsed.vouched.lapsed = true;
    house.make(vec![put(lapsed)]).await;
    realm.keep(UserRecords::WithPassword);
    realm.give("carol", &[]);
    house.make(vec![put_realm(RealmRecord { config: Box::from("{\"other\":1}"), ..record("a") })]).await;
    house.enter("a", "carol", 2).await;
    assert_eq!(house.record_of("a", "carol").unwrap().vouched, Vouched::default());
    assert_eq!(why(house.may_read(2).await), Reason::Forbidden);
}

#[tokio::test]
async fn a_realm_that_goes_or_changes_while_it_looks_makes_no_record() {
    let changes = [
        put_realm(RealmRecord { enabled: false, ..record("a") }),
        Change::DeleteRealm(record("a").name),
        put_realm(RealmRecord { config: Box::from("{\"other\":1}"), ..record("a") }),
    ];
    for change in changes {
        let (house, realm) = with_guests().await;
        realm.hold();
        let login = tokio::spawn({
            let house = Arc::clone(&house);
            async move { house.login_by(&named("a"), "carol", PASSWORD, 1).await }
        });
        while realm.looks() == 0 {
            tokio::task::yield_now().await;
        }
        house.make(vec![change.clone()]).await;
        realm.release();
        let reason = why(login.await.unwrap());
        assert!(
            matches!(reason, Reason::RealmDisabled | Reason::UnknownRealm | Reason::WrongPassword),
            "{reason:?}"
        );
        assert!(house.record_of("a", "carol").is_none(), "{change:?}");
        assert_eq!(house.store.session_count(), 0);
    }
}

#[tokio::test]
async fn a_costlier_hash_and_what_the_realm_says_are_both_written() {
    let (house, realm) = with_guests().await;
    realm.keep(UserRecords::WithPassword);
    house.make(vec![put(user_of("a", "carol"))]).await;
    realm.rehash(Some("costlier"));
    realm.give("carol", &["reader"]);
    house.enter("a", "carol", 1).await;
    let record = house.record_of("a", "carol").unwrap();
    assert_eq!(record.password.unwrap().expose(), "costlier");
    assert_eq!(names(&record.vouched.roles), ["reader"]);
    // A hash that cannot be written is written with the next login.
    realm.rehash(Some("costlier still"));
    house.held.changes(Changes::Refused);
    house.enter("a", "carol", 2).await;
    house.held.changes(Changes::Written);
    house.enter("a", "carol", 3).await;
    assert_eq!(house.record_of("a", "carol").unwrap().password.unwrap().expose(), "costlier still");
    let refused = house.kernel.directory().change(|_| Err::<_, ()>(()).map(|()| noted(Vec::new())));
    assert!(refused.await.is_err());
}
