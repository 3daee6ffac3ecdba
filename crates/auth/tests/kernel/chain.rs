//! Several realms that are asked one after the other: which verdict lets the next be asked, what counts as a failure, and what is
//! remembered. The same name in two realms is two users.

use auth::{EndReason, RealmChoice, Reason, Rejection, User, UserRecords};
use testkit::suites::FakeRealm;

use crate::house::{ATTEMPTS, HERE, House, PASSWORD, WINDOW, put};
use crate::several::{chain, named, said, user_of, why};

const STRANGER: &str = "198.51.100.7";
const OTHER: &str = "her other password";

/// A house with three realms; the `knowing` ones know alice, who has a record in each.
async fn three(knowing: &[usize]) -> (House, [std::sync::Arc<FakeRealm>; 3]) {
    let house = House::new().await;
    let realms = house.add_all(["a", "b", "c"]).await;
    house.make(["a", "b", "c"].map(|realm| put(user_of(realm, "alice"))).into()).await;
    for &number in knowing {
        realms[number].put("alice", PASSWORD, true);
    }
    (house, realms)
}

fn all() -> RealmChoice {
    chain(&["a", "b", "c"])
}

fn looks(realms: &[std::sync::Arc<FakeRealm>; 3]) -> [usize; 3] {
    [0, 1, 2].map(|number| realms[number].looks())
}

#[tokio::test]
async fn only_a_realm_that_does_not_know_him_lets_the_next_be_asked() {
    type Tell = fn(&FakeRealm);
    let verdicts: [(&str, Tell, Option<Reason>); 10] = [
        ("not mine", |realm| realm.remove("alice"), None),
        ("wrong", |realm| realm.put("alice", OTHER, true), Some(Reason::WrongPassword)),
        ("disabled", |realm| realm.put("alice", PASSWORD, false), Some(Reason::UserDisabled)),
        ("expired", |realm| realm.reject("alice", Some(Rejection::Expired)), Some(Reason::AccountExpired)),
        ("locked", |realm| realm.reject("alice", Some(Rejection::Locked)), Some(Reason::AccountLocked)),
        (
            "too old",
            |realm| realm.reject("alice", Some(Rejection::PasswordExpired)),
            Some(Reason::PasswordExpired),
        ),
        (
            "must change",
            |realm| realm.reject("alice", Some(Rejection::MustChangePassword)),
            Some(Reason::MustChangePassword),
        ),
        (
            "not now",
            |realm| realm.reject("alice", Some(Rejection::NotAllowed)),
            Some(Reason::LoginNotAllowed),
        ),
        ("down", |realm| realm.fail(Some("down")), Some(Reason::RealmUnavailable("down".into()))),
        (
            "another leg",
            |realm| realm.challenge(true),
            Some(Reason::RealmUnavailable("the realm asks for a second leg".into())),
        ),
    ];
    for (what, tell, stops) in verdicts {
        for place in 0..3 {
            // Those before him do not know her, those after him would let her in.
            let (house, realms) = three(&[0, 1, 2][place..]).await;
            tell(&realms[place]);
            let login = house.login_by(&all(), "alice", PASSWORD, 1).await;
            let basic = house.basic_by(&all(), "alice", PASSWORD).await;
            let last = if stops.is_some() { place } else { (place + 1).min(2) };
            let asked = [0, 1, 2].map(|number| if number <= last { 2 } else { 0 });
            assert_eq!(looks(&realms), asked, "{what} in place {place}");
            let expected = match &stops {
                Some(reason) => Err(reason.clone()),
                None if place == 2 => Err(Reason::UnknownUser),
                None => Ok(()),
            };
            assert_eq!(login, expected, "{what} in place {place}");
            assert_eq!(basic.map(|_| ()), expected, "{what} in place {place}");
            if expected.is_ok() {
                let realm = ["a", "b", "c"][last];
                assert_eq!(house.whose(1).await, Ok(format!("{realm}/alice")), "{what} in place {place}");
            }
        }
    }
}

#[tokio::test]
async fn a_named_realm_is_never_left() {
    let (house, realms) = three(&[1, 2]).await;
    assert_eq!(why(house.login_by(&named("a"), "alice", PASSWORD, 1).await), Reason::UnknownUser);
    assert_eq!(why(house.basic_by(&named("a"), "alice", PASSWORD).await), Reason::UnknownUser);
    assert_eq!(why(house.login_by(&named("nowhere"), "alice", PASSWORD, 1).await), Reason::UnknownRealm);
    house.switch("a", false).await;
    assert_eq!(why(house.login_by(&named("a"), "alice", PASSWORD, 1).await), Reason::RealmDisabled);
    assert_eq!(looks(&realms), [2, 0, 0]);
}

#[tokio::test]
async fn realms_that_are_off_or_gone_are_passed_over() {
    let (house, realms) = three(&[0, 1, 2]).await;
    house.switch("a", false).await;
    let with_one_gone = chain(&["a", "gone", "b", "c"]);
    assert_eq!(house.login_by(&with_one_gone, "alice", PASSWORD, 1).await, Ok(()));
    assert_eq!(house.whose(1).await, Ok("b/alice".to_owned()));
    assert_eq!(looks(&realms), [0, 1, 0]);
    // Where all are off it is told so, and where none is there.
    house.switch("b", false).await;
    house.switch("c", false).await;
    for choice in [all(), chain(&["gone", "c"])] {
        assert_eq!(why(house.login_by(&choice, "alice", PASSWORD, 2).await), Reason::RealmDisabled);
        assert_eq!(why(house.basic_by(&choice, "alice", PASSWORD).await), Reason::RealmDisabled);
        assert_eq!(why(house.basic_by(&choice, "alice", "").await), Reason::RealmDisabled);
    }
    for choice in [chain(&["c", "gone"]), chain(&["gone"]), chain(&[])] {
        assert_eq!(why(house.login_by(&choice, "alice", PASSWORD, 2).await), Reason::UnknownRealm);
    }
    assert_eq!(looks(&realms), [0, 1, 0], "a realm that is off is not asked");
    // The last that is on is the last.
    house.switch("a", true).await;
    realms[0].remove("alice");
    assert_eq!(why(house.login_by(&all(), "alice", PASSWORD, 2).await), Reason::UnknownUser);
}

#[tokio::test]
async fn a_realm_that_is_switched_off_while_the_one_before_it_looks_is_not_asked() {
    let (house, realms) = three(&[1]).await;
    let house = std::sync::Arc::new(house);
    realms[0].hold();
    let login = tokio::spawn({
        let house = std::sync::Arc::clone(&house);
        async move { house.login_by(&chain(&["a", "b"]), "alice", PASSWORD, 1).await }
    });
    while realms[0].looks() == 0 {
        tokio::task::yield_now().await;
    }
    house.switch("b", false).await;
    realms[0].release();
    assert!(matches!(why(login.await.unwrap()), Reason::RealmDisabled | Reason::UnknownUser));
    assert_eq!(looks(&realms), [1, 0, 0]);
    assert_eq!(house.store.session_count(), 0);
}

#[tokio::test]
async fn an_unknown_user_is_one_failure_of_the_last_realm() {
    let (house, realms) = three(&[]).await;
    for _ in 0..ATTEMPTS {
        let failed = house.login_from(STRANGER, &all(), "alice", PASSWORD, 1).await;
        assert_eq!(why(failed), Reason::UnknownUser);
    }
    let paused = house.login_from(STRANGER, &all(), "alice", PASSWORD, 1).await;
    assert_eq!(why(paused), Reason::TooManyAttempts { retry_after: WINDOW });
    // Nobody has failed at the realms before it.
    for realm in ["a", "b"] {
        for _ in 0..ATTEMPTS {
            let failed = house.login_from(HERE, &named(realm), "alice", PASSWORD, 1).await;
            assert_eq!(why(failed), Reason::UnknownUser);
        }
    }
    assert_eq!(realms[2].looks(), ATTEMPTS as usize);
}

#[tokio::test]
async fn an_address_fails_once_a_login_however_many_realms_are_asked() {
    let (house, _) = three(&[]).await;
    for number in 0..100 {
        let name = format!("user{number}");
        assert_eq!(
            why(house.login_from(STRANGER, &all(), &name, PASSWORD, 1).await),
            Reason::UnknownUser,
            "{name}"
        );
    }
    let paused = house.login_from(STRANGER, &all(), "another", PASSWORD, 1).await;
    assert_eq!(why(paused), Reason::TooManyAttempts { retry_after: WINDOW });
}

#[tokio::test]
async fn who_is_known_to_the_last_realm_has_failed_nowhere() {
    let (house, realms) = three(&[2]).await;
    for number in 0..u64::from(ATTEMPTS) * 3 {
        assert_eq!(house.login_by(&all(), "alice", PASSWORD, number).await, Ok(()));
    }
    assert_eq!(realms[0].looks(), ATTEMPTS as usize * 3);
    assert_eq!(why(house.login_by(&named("a"), "alice", PASSWORD, 99).await), Reason::UnknownUser);
}

#[tokio::test]
async fn a_throttled_realm_is_not_gone_around() {
    let (house, realms) = three(&[0, 1]).await;
    for _ in 0..ATTEMPTS {
        assert_eq!(
            why(house.login_from(STRANGER, &named("a"), "alice", OTHER, 1).await),
            Reason::WrongPassword
        );
    }
    let paused = house.login_from(STRANGER, &all(), "alice", PASSWORD, 1).await;
    assert!(matches!(why(paused), Reason::TooManyAttempts { .. }));
    assert_eq!(looks(&realms), [ATTEMPTS as usize, 0, 0]);
    // The same name in another realm is another user.
    assert_eq!(house.login_from(STRANGER, &named("b"), "alice", PASSWORD, 1).await, Ok(()));
}

#[tokio::test]
async fn asvs_47_strangers_do_not_lock_him_out_by_a_realm_that_does_not_know_him() {
    let (house, _) = three(&[1]).await;
    assert_eq!(house.login_by(&all(), "alice", PASSWORD, 1).await, Ok(()));
    for _ in 0..ATTEMPTS {
        let failed = house.login_from(STRANGER, &named("a"), "alice", OTHER, 2).await;
        assert_eq!(why(failed), Reason::UnknownUser);
    }
    assert_eq!(house.login_by(&all(), "alice", PASSWORD, 3).await, Ok(()), "from where she logged in before");
    let stranger = house.login_from(STRANGER, &all(), "alice", PASSWORD, 4).await;
    assert!(matches!(why(stranger), Reason::TooManyAttempts { .. }));
}

#[tokio::test]
async fn what_was_proven_by_a_chain_is_remembered() {
    let (house, realms) = three(&[1]).await;
    for _ in 0..3 {
        assert_eq!(
            house.basic_by(&all(), "alice", PASSWORD).await.map(|known| said(&known)).unwrap(),
            "b/alice"
        );
    }
    // There is a record of hers in the first realm, so that is asked each time: it could have become hers.
    assert_eq!(looks(&realms), [3, 3, 0]);
    house.make(vec![auth::Change::DeleteUser(user_of("a", "alice").id)]).await;
    for _ in 0..3 {
        house.basic_by(&all(), "alice", PASSWORD).await.ok().unwrap();
    }
    assert_eq!(looks(&realms), [3, 3, 0], "nobody stands before what is remembered");
    // It is of the one realm: a wrong password is no better for it, and neither is another realm's name.
    assert_eq!(why(house.basic_by(&all(), "alice", OTHER).await), Reason::WrongPassword);
    assert_eq!(why(house.basic_by(&named("c"), "alice", PASSWORD).await), Reason::UnknownUser);
    house.basic_by(&named("b"), "alice", PASSWORD).await.ok().unwrap();
    assert_eq!(realms[1].looks(), 4, "by its name it is the same");
}

#[tokio::test]
async fn who_appears_in_an_earlier_realm_is_asked_there_first() {
    let (house, realms) = three(&[1]).await;
    house.make(vec![auth::Change::DeleteUser(user_of("a", "alice").id)]).await;
    house.basic_by(&all(), "alice", PASSWORD).await.ok().unwrap();
    realms[0].put("alice", PASSWORD, true);
    house.make(vec![put(user_of("a", "alice"))]).await;
    assert_eq!(said(&house.basic_by(&all(), "alice", PASSWORD).await.ok().unwrap()), "a/alice");
    // A realm that comes on stands in its place.
    house.switch("a", false).await;
    assert_eq!(said(&house.basic_by(&all(), "alice", PASSWORD).await.ok().unwrap()), "b/alice");
    house.switch("a", true).await;
    assert_eq!(said(&house.basic_by(&all(), "alice", PASSWORD).await.ok().unwrap()), "a/alice");
    realms[0].put("alice", OTHER, true);
    house.make(vec![put(User { password_version: 2, ..user_of("a", "alice") })]).await;
    assert_eq!(why(house.basic_by(&all(), "alice", PASSWORD).await), Reason::WrongPassword);
}

#[tokio::test]
async fn an_alias_is_remembered_of_the_user_whose_it_is() {
    let (house, realms) = three(&[1]).await;
    realms[1].call("alice", "alice@example.org");
    for _ in 0..3 {
        let known = house.basic_by(&all(), "alice@example.org", PASSWORD).await.ok().unwrap();
        assert_eq!(said(&known), "b/alice");
    }
    assert_eq!(looks(&realms), [1, 1, 0]);
    // What voids it is a change of her, by whichever name she comes.
    house.make(vec![put(User { enabled: false, ..user_of("b", "alice") })]).await;
    assert_eq!(why(house.basic_by(&all(), "alice@example.org", PASSWORD).await), Reason::UserDisabled);
    house.make(vec![put(User { password_version: 9, ..user_of("b", "alice") })]).await;
    realms[1].put("alice", OTHER, true);
    assert_eq!(why(house.basic_by(&all(), "alice@example.org", PASSWORD).await), Reason::WrongPassword);
}

#[tokio::test]
async fn the_same_name_in_two_realms_is_two_users() {
    let (house, realms) = three(&[0]).await;
    realms[1].put("alice", OTHER, true);
    let (a, b) = (named("a"), named("b"));
    house.login_by(&a, "alice", PASSWORD, 1).await.unwrap();
    house.login_by(&b, "alice", OTHER, 2).await.unwrap();
    house.basic_by(&a, "alice", PASSWORD).await.ok().unwrap();
    // Neither's password is any good for the other, remembered or not.
    for (realm, password) in [(&a, OTHER), (&b, PASSWORD)] {
        assert_eq!(why(house.basic_by(realm, "alice", password).await), Reason::WrongPassword);
        assert_eq!(why(house.login_by(realm, "alice", password, 3).await), Reason::WrongPassword);
    }
    let told = house.notebook.told();
    let realms_told: Vec<String> = told
        .iter()
        .filter_map(|entry| Some(format!("{} {}", entry.event, entry.fields.get("realm.name")?)))
        .collect();
    assert_eq!(
        realms_told,
        [
            "login a",
            "login b",
            "credential_verified a",
            "login_failed a",
            "login_failed a",
            "login_failed b",
            "login_failed b"
        ]
    );
    // One is shut out, locked out, logged out, and the other is not.
    house.make(vec![put(User { enabled: false, ..user_of("a", "alice") })]).await;
    assert_eq!(why(house.show(1).await), Reason::SessionUserGone);
    assert_eq!(house.whose(2).await, Ok("b/alice".to_owned()));
    let table = house.kernel.sessions().table();
    let sessions = table.of_user(&user_of("a", "alice").id);
    assert_eq!(house.kernel.end(&sessions, EndReason::Revoked, None).await, Ok(1));
    house.show(2).await.ok().unwrap();
    for _ in 0..ATTEMPTS {
        why(house.login_from(STRANGER, &a, "alice", OTHER, 3).await);
    }
    assert_eq!(house.login_from(STRANGER, &b, "alice", OTHER, 3).await, Ok(()));
}

#[tokio::test]
async fn a_refusal_is_told_once_and_of_the_realm_that_decided() {
    let (house, realms) = three(&[1]).await;
    house.notebook.told();
    why(house.login_by(&all(), "alice", OTHER, 1).await);
    why(house.login_by(&all(), "nobody", OTHER, 1).await);
    realms[0].fail(Some("down"));
    why(house.basic_by(&all(), "alice", PASSWORD).await);
    why(house.basic_by(&all(), "alice", "").await);
    why(house.login_by(&chain(&["gone"]), "alice", PASSWORD, 1).await);
    assert_eq!(
        house.notebook.failures(),
        [
            "b alice 192.0.2.1 wrong_password",
            "c nobody 192.0.2.1 unknown_user",
            "a alice 192.0.2.1 realm_unavailable",
            "a alice 192.0.2.1 wrong_password",
            "gone alice 192.0.2.1 unknown_realm",
        ]
    );
    realms[0].fail(None);
    house.make(vec![put(User { enabled: false, ..user_of("b", "alice") })]).await;
    why(house.login_by(&all(), "alice", PASSWORD, 1).await);
    assert_eq!(house.notebook.failures(), ["b alice 192.0.2.1 user_disabled"]);
}

#[tokio::test]
async fn who_confirms_his_password_is_asked_by_his_own_realm() {
    let (house, realms) = three(&[0, 1]).await;
    house.enter("b", "alice", 1).await;
    let known = house.show(1).await.ok().unwrap();
    let password = zeroize::Zeroizing::new(PASSWORD.to_owned());
    house.kernel.confirm(known.account(), password, HERE.parse().unwrap()).await.unwrap();
    assert_eq!(looks(&realms), [0, 2, 0]);
}

/// Who is verified by one of the realms and gets no further there.
async fn verified_and_kept_out(records: UserRecords, shown: &str, place: usize) {
    let house = House::new().await;
    let realms = house.add_all(["a", "b", "c"]).await;
    for realm in &realms[place..] {
        realm.keep(records);
        realm.put(shown, PASSWORD, true);
    }
    // Those after it would let him in.
    let later = ["a", "b", "c"].into_iter().skip(place + 1);
    house.make(later.map(|realm| put(user_of(realm, shown))).collect()).await;
    let what = format!("{shown:?} in place {place}, {records:?}");
    for _ in 0..ATTEMPTS {
        let login = house.login_from(STRANGER, &all(), shown, PASSWORD, 1).await;
        assert_eq!(login, Err(Reason::UnknownUser), "{what}");
    }
    let asked = [0, 1, 2].map(|number| if number <= place { ATTEMPTS as usize } else { 0 });
    assert_eq!(looks(&realms), asked, "{what}: his password is no other realm's business");
    assert_eq!(house.store.session_count(), 0, "{what}");
    // It is a failure, of the realm that decided.
    let paused = house.login_from(STRANGER, &all(), shown, PASSWORD, 1).await;
    assert!(matches!(why(paused), Reason::TooManyAttempts { .. }), "{what}");
    assert_eq!(looks(&realms)[place], ATTEMPTS as usize, "{what}");
    let basic = house.basic_by(&all(), shown, PASSWORD).await;
    assert!(matches!(why(basic), Reason::UnknownUser | Reason::TooManyAttempts { .. }), "{what}");
    assert_eq!(looks(&realms)[(place + 1).min(2)..].iter().sum::<usize>(), asked[2], "{what}");
}

#[tokio::test]
async fn who_is_verified_and_has_no_record_is_shown_to_no_other_realm() {
    for place in 0..3 {
        for records in [UserRecords::ByHand, UserRecords::WithPassword] {
            verified_and_kept_out(records, "carol", place).await;
        }
        // A name that no record may have is no better.
        verified_and_kept_out(UserRecords::AtFirstLogin, "ca\u{202e}rol", place).await;
    }
}

#[tokio::test]
async fn a_realm_that_is_switched_off_once_it_verified_him_was_the_last_to_be_asked() {
    let (house, realms) = three(&[1]).await;
    // Her first login there makes her record, if the realm is there then.
    realms[0].keep(UserRecords::AtFirstLogin);
    for realm in &realms {
        realm.put("carol", PASSWORD, true);
    }
    house.make(vec![put(user_of("b", "carol"))]).await;
    let house = std::sync::Arc::new(house);
    realms[0].hold();
    let login = tokio::spawn({
        let house = std::sync::Arc::clone(&house);
        async move { house.login_by(&all(), "carol", PASSWORD, 1).await }
    });
    while realms[0].looks() == 0 {
        tokio::task::yield_now().await;
    }
    house.switch("a", false).await;
    realms[0].release();
    assert_eq!(why(login.await.unwrap()), Reason::RealmDisabled);
    assert_eq!(looks(&realms), [1, 0, 0]);
}
