//! Users whom their realm is asked about again: who is out there is out here, and "could not ask" is never "out", but for so long
//! only.

use std::sync::Arc;
use std::time::Duration;

use auth::limits::MAX_RECHECKED_AT_ONCE;
use auth::{Change, EndReason, RealmRecord, Reason, Rejection, User, UserRecords};
use testkit::suites::FakeRealm;
use testkit::suites::realms::Answers;
use tokio::task::JoinHandle;

use crate::ends::Changes;
use crate::house::{House, IDLE, PASSWORD, put, realms};
use crate::several::{id_of, named, names, put_realm, record, why};

pub(crate) const INTERVAL: Duration = Duration::from_secs(5 * 60);
pub(crate) const STALENESS: Duration = Duration::from_secs(25 * 60);
pub(crate) const MOMENT: Duration = Duration::from_millis(1);

/// A realm that knows carol, whose users come with their first login, and that can be asked again.
fn asked_again() -> FakeRealm {
    let realm = FakeRealm::default();
    realm.keep(UserRecords::AtFirstLogin);
    realm.recheck_every(INTERVAL, STALENESS);
    realm.put("carol", PASSWORD, true);
    realm.give("carol", &["reader"]);
    realm
}

/// A house with such a realm, called `a`, in which carol has session 1.
pub(crate) async fn with_carol() -> (Arc<House>, Arc<FakeRealm>) {
    let house = House::new().await;
    let realm = house.add("a", asked_again()).await;
    house.enter("a", "carol", 1).await;
    house.notebook.told();
    (Arc::new(house), realm)
}

impl House {
    pub(crate) async fn recheck(&self) -> Option<Duration> {
        self.kernel.recheck().await.unwrap()
    }

    /// So many users of `a` with a session each.
    pub(crate) async fn crowd(&self, realm: &FakeRealm, size: usize) {
        for number in 0..size {
            realm.put(&format!("user{number:03}"), PASSWORD, true);
            self.enter("a", &format!("user{number:03}"), 1_000 + number as u64).await;
        }
    }
}

/// Asks again, and comes back once the realm was asked and does not answer.
async fn held_recheck(house: &Arc<House>, realm: &FakeRealm) -> JoinHandle<Result<Option<Duration>, Reason>> {
    realm.hold_again();
    let recheck = tokio::spawn({
        let house = Arc::clone(house);
        async move { house.kernel.recheck().await }
    });
    while realm.asked_again().is_empty() {
        tokio::task::yield_now().await;
    }
    recheck
}

#[tokio::test]
async fn a_user_is_looked_at_once_an_interval_and_not_before() {
    let (house, realm) = with_carol().await;
    assert_eq!(house.recheck().await, Some(INTERVAL));
    house.clock.advance(INTERVAL - MOMENT);
    house.recheck().await;
    assert!(realm.asked_again().is_empty());
    house.clock.advance(MOMENT);
    house.recheck().await;
    assert_eq!(realm.asked_again(), [["carol"]]);
    for _ in 0..3 {
        house.recheck().await;
        house.clock.advance(INTERVAL / 4);
    }
    assert!(realm.asked_again().is_empty());
    // Whoever shows his password was vouched for just now.
    house.enter("a", "carol", 2).await;
    house.clock.advance(INTERVAL - MOMENT);
    house.recheck().await;
    house.basic_by(&named("a"), "carol", PASSWORD).await.ok().unwrap();
    house.clock.advance(INTERVAL - MOMENT);
    house.recheck().await;
    assert!(realm.asked_again().is_empty());
    house.clock.advance(MOMENT);
    house.recheck().await;
    assert_eq!(realm.asked_again(), [["carol"]]);
    assert_eq!(house.notebook.order().iter().filter(|word| *word == "+apply").count(), 0, "nothing was new");
    house.show(1).await.ok().unwrap();
}

#[tokio::test]
async fn only_realms_that_can_tell_are_asked() {
    let house = House::new().await;
    assert_eq!(house.recheck().await, None);
    house.login("alice", 1).await;
    let mute = house.add("mute", FakeRealm::default()).await;
    let (slow, fast) = (house.add("slow", asked_again()).await, house.add("fast", asked_again()).await);
    fast.recheck_every(INTERVAL / 5, STALENESS);
    assert_eq!(house.recheck().await, Some(INTERVAL / 5), "the soonest");
    for (number, realm) in ["slow", "fast"].into_iter().enumerate() {
        house.enter(realm, "carol", 10 + number as u64).await;
    }
    house.clock.advance(INTERVAL / 5);
    house.recheck().await;
    assert_eq!((slow.asked_again().len(), fast.asked_again().len()), (0, 1));
    house.clock.advance(INTERVAL);
    // The same name in two realms is two users.
    fast.remove("carol");
    house.recheck().await;
    assert_eq!((slow.asked_again().len(), fast.asked_again().len(), mute.asked_again().len()), (1, 1, 0));
    assert_eq!(house.whose(10).await, Ok("slow/carol".to_owned()));
    assert_eq!(why(house.show(11).await), Reason::SessionEnded(EndReason::UserChanged));
    house.show(1).await.ok().unwrap();
    house.switch("fast", false).await;
    assert_eq!(house.recheck().await, Some(INTERVAL), "a realm that is off is not asked");
}

#[tokio::test]
async fn only_users_with_a_session_or_a_key_are_looked_at() {
    let (house, realm) = with_carol().await;
    for name in ["idle", "left", "keyed", "basic"] {
        realm.put(name, PASSWORD, true);
    }
    house.enter("a", "idle", 2).await;
    house.enter("a", "left", 3).await;
    house.enter("a", "keyed", 4).await;
    house.make_key(1, "a", "keyed").await;
    house.basic_by(&named("a"), "basic", PASSWORD).await.ok().unwrap();
    for number in [3, 4] {
        house.kernel.logout(&crate::house::token(number), &crate::house::scope()).await.unwrap().unwrap();
    }
    house.clock.advance(IDLE / 2);
    house.show(1).await.ok().unwrap();
    house.recheck().await;
    assert_eq!(realm.asked_again(), [["carol", "idle", "keyed"]]);
    house.clock.advance(IDLE / 2);
    house.show(1).await.ok().unwrap();
    house.recheck().await;
    assert_eq!(realm.asked_again(), [["carol", "keyed"]]);
    house.take_key(1).await;
    house.clock.advance(INTERVAL);
    house.recheck().await;
    assert_eq!(realm.asked_again(), [["carol"]]);
}

#[tokio::test]
async fn realms_are_asked_about_so_many_at_once() {
    for (crowd, expected) in
        [(MAX_RECHECKED_AT_ONCE - 1, vec![64]), (MAX_RECHECKED_AT_ONCE, vec![64, 1]), (139, vec![64, 64, 12])]
    {
        let (house, realm) = with_carol().await;
        house.crowd(&realm, crowd).await;
        house.clock.advance(INTERVAL);
        house.recheck().await;
        let looks = realm.asked_again();
        assert_eq!(looks.iter().map(Vec::len).collect::<Vec<_>>(), expected);
        let mut names: Vec<_> = looks.concat();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), crowd + 1, "each once");
        house.recheck().await;
        assert!(realm.asked_again().is_empty());
    }
}

#[tokio::test]
async fn who_is_out_there_is_out_here_by_everything() {
    type Tell = fn(&FakeRealm);
    let ways: [Tell; 4] = [
        |realm| realm.remove("carol"),
        |realm| realm.put("carol", PASSWORD, false),
        |realm| realm.reject("carol", Some(Rejection::Expired)),
        |realm| realm.answer(Answers::OfAnother),
    ];
    for (number, out) in ways.into_iter().enumerate() {
        let (house, realm) = with_carol().await;
        house.enter("a", "carol", 2).await;
        house.make_key(1, "a", "carol").await;
        house.basic_by(&named("a"), "carol", PASSWORD).await.ok().unwrap();
        house.notebook.told();
        out(&realm);
        house.clock.advance(INTERVAL);
        house.recheck().await;
        for session in [1, 2] {
            let ended = why(house.show(session).await);
            assert_eq!(ended, Reason::SessionEnded(EndReason::UserChanged), "way {number}");
            assert!(house.on_disk(session).await.unwrap().ended.is_some());
        }
        assert_eq!(why(house.show_key(1).await), Reason::UnknownKey);
        assert!(house.record_of("a", "carol").unwrap().vouched.lapsed);
        let told: Vec<_> = house.notebook.told();
        let told: Vec<_> = told
            .iter()
            .map(|entry| {
                let field = |name: &str| entry.fields.get(name).map_or("", |value| &**value);
                format!("{} {}{}{}", entry.event, field("operation"), field("reason"), field("user.name"))
            })
            .collect();
        assert_eq!(
            told,
            [
                "directory_changed user.lapse",
                "session_ended user_changedcarol",
                "session_ended user_changedcarol"
            ]
        );
        if number < 3 {
            let basic = why(house.basic_by(&named("a"), "carol", PASSWORD).await);
            assert!(
                matches!(basic, Reason::UnknownUser | Reason::UserDisabled | Reason::AccountExpired),
                "{basic:?}"
            );
        }
        // It is said once, however often it is found out, and holds after a restart.
        house.notebook.told();
        house.clock.advance(INTERVAL);
        house.recheck().await;
        assert_eq!(house.notebook.order(), Vec::<String>::new());
        let again = house.restarted().await;
        assert_eq!(why(again.show_key(1).await), Reason::UnknownKey);
    }
}

#[tokio::test]
async fn a_good_standing_brings_keys_back_and_ended_sessions_not() {
    let (house, realm) = with_carol().await;
    house.make_key(1, "a", "carol").await;
    realm.put("carol", PASSWORD, false);
    house.clock.advance(INTERVAL);
    house.recheck().await;
    assert_eq!(why(house.show_key(1).await), Reason::UnknownKey);
    realm.put("carol", PASSWORD, true);
    house.clock.advance(INTERVAL - MOMENT);
    house.recheck().await;
    assert_eq!(why(house.show_key(1).await), Reason::UnknownKey, "not before her turn");
    house.clock.advance(MOMENT);
    house.changes_told();
    house.recheck().await;
    let known = house.show_key(1).await.ok().unwrap();
    assert_eq!(house.may(known, "/books/1"), Ok(()));
    assert_eq!(house.changes_told(), ["user.refresh \"carol\" of \"a\", by the realm; roles=reader"]);
    assert_eq!(why(house.show(1).await), Reason::SessionEnded(EndReason::UserChanged));
    house.enter("a", "carol", 2).await;
}

/// Whoever has no session and no key is looked at no later than those who have: his password is asked about anew.
#[tokio::test]
async fn a_remembered_password_counts_no_longer_than_until_the_next_look() {
    let (house, realm) = with_carol().await;
    let interval = auth::limits::EVIDENCE_KEPT / 10;
    realm.recheck_every(interval, STALENESS);
    let basic = async |password| house.basic_by(&named("a"), "carol", password).await;
    basic(PASSWORD).await.ok().unwrap();
    realm.put("carol", "another one", true);
    house.clock.advance(interval - MOMENT);
    basic(PASSWORD).await.ok().unwrap();
    house.clock.advance(MOMENT);
    assert!(basic(PASSWORD).await.is_err());
    // And no longer than until he shows another.
    basic("another one").await.ok().unwrap();
    realm.put("carol", "a third", true);
    house.login_by(&named("a"), "carol", "a third", 7).await.unwrap();
    assert!(basic("another one").await.is_err());
}

#[tokio::test]
async fn a_realm_that_stops_to_answer_is_told_of_once_and_so_is_that_it_answers() {
    let (house, realm) = with_carol().await;
    house.notebook.told();
    let mut told = Vec::new();
    for (fails, rounds) in [(Some("down"), 2), (None, 1), (Some("down again"), 1)] {
        realm.fail(fails);
        for _ in 0..rounds {
            house.clock.advance(INTERVAL);
            house.recheck().await;
        }
        let entries = house.notebook.told().into_iter().filter(|entry| entry.event == "operated");
        told.extend(entries.map(|entry| format!("{} {}", entry.fields["operation"], entry.fields["detail"])));
    }
    assert_eq!(told, ["realm.silent \"a\": down", "realm.answers \"a\"", "realm.silent \"a\": down again"]);
}

#[tokio::test]
async fn a_group_that_he_loses_is_a_role_that_he_loses_and_no_more() {
    let (house, realm) = with_carol().await;
    let may = async || house.may(house.show(1).await.ok().unwrap(), "/books/1");
    assert_eq!(may().await, Ok(()));
    realm.give("carol", &[]);
    house.recheck().await;
    assert_eq!(may().await, Ok(()), "not before her turn");
    house.clock.advance(INTERVAL);
    house.recheck().await;
    assert_eq!(may().await, Err(Reason::Forbidden));
    realm.give("carol", &["reader"]);
    realm.describe("carol", &[("mail", "carol@example.org")]);
    house.clock.advance(INTERVAL);
    house.recheck().await;
    assert_eq!(may().await, Ok(()));
    let vouched = house.record_of("a", "carol").unwrap().vouched;
    assert_eq!((names(&vouched.roles), vouched.attributes.len()), (vec!["reader"], 1));
}

#[tokio::test]
async fn while_nobody_can_tell_nothing_ends_and_one_look_is_all_it_costs() {
    let (house, realm) = with_carol().await;
    house.crowd(&realm, 100).await;
    let other = house.add("b", asked_again()).await;
    house.enter("b", "carol", 2).await;
    realm.fail(Some("down"));
    house.clock.advance(INTERVAL);
    for _ in 0..3 {
        assert_eq!(house.recheck().await, Some(INTERVAL));
        assert_eq!(
            realm.asked_again().len(),
            1,
            "it stops after the first, and tries again with the next call"
        );
    }
    assert_eq!(other.asked_again(), [["carol"]], "others are asked all the same");
    house.show(1).await.ok().unwrap();
    house.show(1_099).await.ok().unwrap();
    realm.fail(None);
    house.recheck().await;
    assert_eq!(realm.asked_again().len(), 2);
}

#[tokio::test]
async fn whom_nobody_could_ask_about_for_too_long_is_out_until_somebody_can() {
    let (house, realm) = with_carol().await;
    house.make_key(1, "a", "carol").await;
    realm.fail(Some("down"));
    house.clock.advance(STALENESS - MOMENT);
    house.recheck().await;
    house.show(1).await.ok().unwrap();
    house.show_key(1).await.ok().unwrap();
    house.clock.advance(MOMENT);
    house.recheck().await;
    assert_eq!(why(house.show(1).await), Reason::SessionEnded(EndReason::UserChanged));
    assert_eq!(why(house.show_key(1).await), Reason::UnknownKey);
    assert_eq!(
        house.changes_told(),
        [
            "user.lapse \"carol\" of \"a\", by the realm; lapsed; roles=reader; because: nobody could tell for too long"
        ]
    );
    house.recheck().await;
    assert!(house.changes_told().is_empty());
    // Her turn comes with the next look that is answered.
    realm.fail(None);
    house.recheck().await;
    house.show_key(1).await.ok().unwrap();
    house.enter("a", "carol", 2).await;
}

#[tokio::test]
async fn several_who_are_out_are_one_change() {
    let (house, realm) = with_carol().await;
    realm.put("dave", PASSWORD, true);
    house.enter("a", "dave", 2).await;
    house.notebook.told();
    realm.fail(Some("down"));
    house.clock.advance(STALENESS);
    house.recheck().await;
    let changed = house.changes_told();
    let told = |names: &str| [format!("user.lapse {names}; because: nobody could tell for too long")];
    assert!(changed == told("\"carol\", \"dave\"") || changed == told("\"dave\", \"carol\""), "{changed:?}");
}

#[tokio::test]
async fn whoever_was_vouched_for_in_the_same_round_is_not_stale() {
    let (house, realm) = with_carol().await;
    house.crowd(&realm, 99).await;
    house.clock.advance(STALENESS);
    realm.answer(Answers::Times(1));
    house.recheck().await;
    let looks = realm.asked_again();
    assert_eq!(looks.iter().map(Vec::len).collect::<Vec<_>>(), [64, 36]);
    for (name, number) in
        (0..99).map(|number| (format!("user{number:03}"), 1_000 + number)).chain([("carol".to_owned(), 1)])
    {
        let is_vouched_for = looks[0].contains(&name);
        assert_eq!(house.show(number).await.is_ok(), is_vouched_for, "{name}");
        assert_eq!(house.record_of("a", &name).unwrap().vouched.lapsed, !is_vouched_for, "{name}");
    }
}

#[tokio::test]
async fn an_answer_that_leaves_somebody_out_is_none() {
    let (house, realm) = with_carol().await;
    realm.put("dave", PASSWORD, false);
    realm.answer(Answers::TooFew);
    house.clock.advance(INTERVAL);
    house.recheck().await;
    house.show(1).await.ok().unwrap();
    house.clock.advance(STALENESS);
    house.recheck().await;
    assert_eq!(why(house.show(1).await), Reason::SessionEnded(EndReason::UserChanged));
}

#[tokio::test]
async fn after_a_restart_everybody_is_due_once() {
    let (house, realm) = with_carol().await;
    realm.give("carol", &[]);
    let house = house.restarted().await;
    house.recheck().await;
    house.recheck().await;
    assert_eq!(realm.asked_again(), [["carol"]]);
    let known = house.show(1).await.ok().unwrap();
    assert_eq!(house.may(known, "/books/1"), Err(Reason::Forbidden));
    house.clock.advance(INTERVAL);
    house.recheck().await;
    assert_eq!(realm.asked_again(), [["carol"]]);

    // Nobody knows when she was vouched for last: her time begins anew.
    let house = house.restarted().await;
    realm.fail(Some("down"));
    house.recheck().await;
    for _ in 0..STALENESS.as_secs() / 60 - 1 {
        house.clock.advance(Duration::from_secs(60));
        house.recheck().await;
    }
    house.show(1).await.ok().unwrap();
    house.clock.advance(Duration::from_secs(60));
    house.recheck().await;
    assert_eq!(why(house.show(1).await), Reason::SessionEnded(EndReason::UserChanged));
    let house = house.restarted().await;
    assert_eq!(why(house.show(1).await), Reason::SessionEnded(EndReason::UserChanged));
}

#[tokio::test]
async fn what_was_asked_of_another_realm_does_not_count() {
    let changes = [
        Change::DeleteRealm(record("a").name),
        put_realm(RealmRecord { config: Box::from("{\"other\":1}"), ..record("a") }),
    ];
    for change in changes {
        for is_known in [true, false] {
            let (house, realm) = with_carol().await;
            if is_known {
                realm.give("carol", &[]);
            } else {
                realm.remove("carol");
            }
            house.clock.advance(INTERVAL);
            let recheck = held_recheck(&house, &realm).await;
            house.make(vec![change.clone()]).await;
            realm.release_again();
            recheck.await.unwrap().unwrap();
            house.make(vec![put_realm(record("a"))]).await;
            let known = house.show(1).await.ok().unwrap();
            assert_eq!(house.may(known, "/books/1"), Ok(()), "{change:?}");
        }
    }
}

#[tokio::test]
async fn what_was_asked_before_a_login_does_not_count_after_it() {
    // She was out, comes back, and logs in while the realm's answer is on its way.
    let (house, realm) = with_carol().await;
    realm.put("carol", PASSWORD, false);
    house.clock.advance(INTERVAL);
    let recheck = held_recheck(&house, &realm).await;
    realm.put("carol", PASSWORD, true);
    house.enter("a", "carol", 2).await;
    realm.release_again();
    recheck.await.unwrap().unwrap();
    house.show(2).await.ok().unwrap();

    // She loses a group, which her login tells, while the answer still has it.
    let (house, realm) = with_carol().await;
    house.clock.advance(INTERVAL);
    let recheck = held_recheck(&house, &realm).await;
    realm.give("carol", &[]);
    house.enter("a", "carol", 2).await;
    realm.release_again();
    recheck.await.unwrap().unwrap();
    let known = house.show(1).await.ok().unwrap();
    assert_eq!(house.may(known, "/books/1"), Err(Reason::Forbidden));
}

#[tokio::test]
async fn what_was_asked_of_a_user_who_is_another_now_does_not_count() {
    let (house, realm) = with_carol().await;
    realm.remove("carol");
    house.clock.advance(INTERVAL);
    let recheck = held_recheck(&house, &realm).await;
    house.make(vec![Change::DeleteUser(id_of("a", "carol"))]).await;
    realm.put("carol", PASSWORD, true);
    house.enter("a", "carol", 2).await;
    realm.release_again();
    recheck.await.unwrap().unwrap();
    house.show(2).await.ok().unwrap();
    assert_eq!(why(house.show(1).await), Reason::SessionUserGone);

    // And of one who is gone, nothing is left to write.
    let (house, realm) = with_carol().await;
    house.clock.advance(INTERVAL);
    let recheck = held_recheck(&house, &realm).await;
    house.make(vec![Change::DeleteUser(id_of("a", "carol"))]).await;
    realm.release_again();
    recheck.await.unwrap().unwrap();
    assert!(house.record_of("a", "carol").is_none());
}

#[tokio::test]
async fn a_session_that_is_being_written_while_he_lapses_never_lives() {
    let (house, realm) = with_carol().await;
    house.clock.advance(INTERVAL);
    house.held.hold();
    let login = tokio::spawn({
        let house = Arc::clone(&house);
        async move { house.login_by(&named("a"), "carol", PASSWORD, 2).await }
    });
    while house.store.session_count() < 2 {
        tokio::task::yield_now().await;
    }
    // Her login vouched for her: it takes another interval.
    realm.put("carol", PASSWORD, false);
    house.recheck().await;
    assert!(realm.asked_again().is_empty());
    house.clock.advance(INTERVAL);
    house.recheck().await;
    house.held.release();
    assert_eq!(why(login.await.unwrap()), Reason::UserDisabled);
    assert!(house.show(2).await.is_err());
}

#[tokio::test]
async fn who_is_out_loses_his_sessions_also_where_the_store_fails() {
    let (house, realm) = with_carol().await;
    let other = house.add("b", asked_again()).await;
    house.enter("b", "carol", 2).await;
    realm.remove("carol");
    house.clock.advance(INTERVAL);
    house.held.changes(Changes::Refused);
    assert_eq!(house.kernel.recheck().await, Err(Reason::StoreFailed));
    assert_eq!(why(house.show(1).await), Reason::SessionEnded(EndReason::UserChanged));
    assert_eq!(other.asked_again().len(), 1, "and the others are looked at");
    house.held.changes(Changes::Written);
    assert_eq!(house.kernel.recheck().await, Ok(Some(INTERVAL)));

    // Her key stops with the first call that can be written down.
    let (house, realm) = with_carol().await;
    house.make_key(1, "a", "carol").await;
    realm.remove("carol");
    house.clock.advance(INTERVAL);
    house.store.refuse(Some("disk full"));
    assert_eq!(house.kernel.recheck().await, Err(Reason::StoreFailed));
    house.store.refuse(None);
    house.recheck().await;
    assert_eq!(why(house.show_key(1).await), Reason::UnknownKey);
    house.kernel.sweep().await.unwrap();
    let again = house.restarted().await;
    assert_eq!(why(again.show(1).await), Reason::SessionEnded(EndReason::UserChanged));
}

#[tokio::test]
async fn a_role_that_is_gone_and_cannot_be_written_is_tried_again() {
    let (house, realm) = with_carol().await;
    realm.give("carol", &[]);
    house.clock.advance(INTERVAL);
    house.held.changes(Changes::Refused);
    assert_eq!(house.kernel.recheck().await, Err(Reason::StoreFailed));
    house.held.changes(Changes::Written);
    house.recheck().await;
    let known = house.show(1).await.ok().unwrap();
    assert_eq!(house.may(known, "/books/1"), Err(Reason::Forbidden));
}

#[tokio::test]
async fn who_is_disabled_here_is_not_enabled_by_a_good_standing() {
    let (house, _) = with_carol().await;
    house.make_key(1, "a", "carol").await;
    let out = User { enabled: false, ..house.record_of("a", "carol").unwrap() };
    house.make(vec![put(out)]).await;
    house.clock.advance(INTERVAL);
    house.recheck().await;
    assert_eq!(why(house.show_key(1).await), Reason::UnknownKey);
    assert_eq!(why(house.show(1).await), Reason::SessionUserGone);
}

#[tokio::test]
async fn a_realm_of_the_settings_is_asked_like_any() {
    let house = House::new().await;
    house.realm.recheck_every(INTERVAL, STALENESS);
    house.login("alice", 1).await;
    house.realm.remove("alice");
    house.clock.advance(INTERVAL);
    house.set(realms(&house.realm, true)).await;
    house.recheck().await;
    assert_eq!(why(house.show(1).await), Reason::SessionEnded(EndReason::UserChanged));
}
