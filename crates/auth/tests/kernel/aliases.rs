//! Users with several names: failures are counted for the user, whichever of them is tried. (Of the name that was typed the
//! throttle knows before a realm is asked, of whose it is only afterwards.)

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use auth::{RealmChoice, Reason, UserRecords};
use proptest::prelude::*;
use testkit::suites::FakeRealm;

use crate::house::{ATTEMPTS, HERE, House, PASSWORD, WINDOW, put};
use crate::several::{named, user_of, why};

const STRANGER: &str = "198.51.100.7";
const NAMES: [&str; 4] = ["alice", "alice@example.org", "a.smith@example.org", "smith"];

/// A house with the realm `a`, which knows alice by all these names, and bob.
async fn with_alice() -> (House, Arc<FakeRealm>) {
    let house = House::new().await;
    let realm = house.add("a", FakeRealm::default()).await;
    for name in ["alice", "bob"] {
        realm.put(name, PASSWORD, true);
        house.make(vec![put(user_of("a", name))]).await;
    }
    NAMES[1..].iter().for_each(|alias| realm.call("alice", alias));
    (house, realm)
}

async fn from(house: &House, address: &str, name: &str, password: &str) -> Result<(), Reason> {
    /// Every login is a session of its own.
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    house.login_from(address, &named("a"), name, password, NUMBER.fetch_add(1, Ordering::Relaxed)).await
}

fn is_paused(reason: &Reason) -> bool {
    matches!(reason, Reason::TooManyAttempts { .. } | Reason::AccountLocked)
}

#[tokio::test]
async fn case_13_ten_guesses_are_ten_whichever_names_they_are_made_at() {
    let (house, realm) = with_alice().await;
    for number in 0..ATTEMPTS as usize {
        let name = NAMES[1 + number % 3];
        assert_eq!(why(from(&house, STRANGER, name, "guess").await), Reason::WrongPassword);
    }
    let looks = realm.looks();
    // By her own name nobody is asked any more; by the others a right password is as good as a wrong one, and is told so.
    let by_name = why(from(&house, STRANGER, "alice", PASSWORD).await);
    assert_eq!((by_name, realm.looks()), (Reason::TooManyAttempts { retry_after: WINDOW }, looks));
    for name in &NAMES[1..] {
        for password in [PASSWORD, "guess"] {
            assert_eq!(why(from(&house, STRANGER, name, password).await), Reason::AccountLocked, "{name}");
            let basic = house.basic_by(&named("a"), name, password).await;
            assert_eq!(why(basic), Reason::AccountLocked, "{name}");
        }
    }
    assert_eq!(house.store.session_count(), 0);
    // Nobody else is paused by it, and what is on disk goes on pausing her.
    assert_eq!(from(&house, STRANGER, "bob", PASSWORD).await, Ok(()));
    let house = house.restarted().await;
    assert!(is_paused(&why(from(&house, STRANGER, "alice", PASSWORD).await)));
    assert!(is_paused(&why(from(&house, STRANGER, "smith", PASSWORD).await)));
    house.clock.advance(WINDOW);
    assert_eq!(from(&house, STRANGER, "smith", PASSWORD).await, Ok(()));
}

#[tokio::test]
async fn a_record_is_not_made_by_a_look_that_comes_too_late() {
    let (house, realm) = with_alice().await;
    realm.keep(UserRecords::AtFirstLogin);
    realm.put("carol", PASSWORD, true);
    realm.call("carol", "carol@example.org");
    for _ in 0..ATTEMPTS {
        why(from(&house, STRANGER, "carol", "guess").await);
    }
    assert_eq!(why(from(&house, STRANGER, "carol@example.org", PASSWORD).await), Reason::AccountLocked);
    assert!(house.record_of("a", "carol").is_none());
}

#[tokio::test]
async fn asvs_61_a_login_by_any_of_his_names_clears_the_count() {
    let (house, _) = with_alice().await;
    for _ in 0..3 {
        for _ in 1..ATTEMPTS {
            assert_eq!(why(from(&house, STRANGER, "alice", "guess").await), Reason::WrongPassword);
        }
        assert_eq!(from(&house, STRANGER, "smith", PASSWORD).await, Ok(()));
    }
}

#[tokio::test]
async fn asvs_47_who_logs_in_by_another_name_is_not_locked_out_by_strangers() {
    let (house, _) = with_alice().await;
    assert_eq!(from(&house, HERE, "smith", PASSWORD).await, Ok(()));
    for _ in 0..ATTEMPTS {
        assert_eq!(why(from(&house, STRANGER, "alice", "guess").await), Reason::WrongPassword);
    }
    let house = house.restarted().await;
    for name in NAMES {
        assert_eq!(from(&house, HERE, name, PASSWORD).await, Ok(()), "{name}");
        assert!(is_paused(&why(from(&house, STRANGER, name, PASSWORD).await)), "{name}");
    }
}

#[tokio::test]
async fn an_address_fails_once_a_look_whosever_name_it_was() {
    let (house, _) = with_alice().await;
    for number in 0..99 {
        // So that neither she nor her other names are paused.
        if number % 9 == 0 {
            assert_eq!(from(&house, "198.51.100.99", "alice", PASSWORD).await, Ok(()));
            assert_eq!(from(&house, STRANGER, "smith", PASSWORD).await, Ok(()));
        }
        assert_eq!(why(from(&house, STRANGER, "smith", "guess").await), Reason::WrongPassword, "{number}");
    }
    assert_eq!(from(&house, STRANGER, "bob", PASSWORD).await, Ok(()), "99 of 100");
    assert_eq!(why(from(&house, STRANGER, "bob", "guess").await), Reason::WrongPassword);
    assert!(matches!(why(from(&house, STRANGER, "bob", PASSWORD).await), Reason::TooManyAttempts { .. }));
}

#[tokio::test]
async fn case_14_parallel_guesses_at_all_of_her_names_find_out_no_more_than_ten() {
    let (house, realm) = with_alice().await;
    let house = Arc::new(house);
    realm.hold();
    let mut guessing = tokio::task::JoinSet::new();
    for number in 0..200 {
        let house = Arc::clone(&house);
        guessing.spawn(async move {
            let address = format!("198.51.100.{number}");
            from(&house, &address, NAMES[1 + number % 3], "guess").await
        });
    }
    while realm.looks() < 3 * ATTEMPTS as usize {
        tokio::task::yield_now().await;
    }
    realm.release();
    let reasons: Vec<Reason> = guessing.join_all().await.into_iter().map(why).collect();
    let told = reasons.iter().filter(|reason| **reason == Reason::WrongPassword).count();
    assert_eq!(told, ATTEMPTS as usize);
    assert!(reasons.iter().all(|reason| *reason == Reason::WrongPassword || is_paused(reason)));
}

#[tokio::test]
async fn two_who_have_each_others_names_do_not_wait_for_each_other() {
    let house = House::new().await;
    let realm = house.add("a", FakeRealm::default()).await;
    for (name, alias) in [("john", "jane"), ("jane", "john")] {
        realm.put(name, PASSWORD, true);
        realm.call(name, alias);
        house.make(vec![put(user_of("a", name))]).await;
    }
    let house = Arc::new(house);
    realm.hold();
    let mut logins = tokio::task::JoinSet::new();
    for number in 0..4 * u64::from(ATTEMPTS) {
        let house = Arc::clone(&house);
        let name = ["john", "jane"][usize::from(number % 2 == 0)];
        logins.spawn(async move { house.login_by(&named("a"), name, PASSWORD, number).await });
    }
    while realm.looks() < 2 * ATTEMPTS as usize {
        tokio::task::yield_now().await;
    }
    realm.release();
    assert!(logins.join_all().await.into_iter().all(|login| login == Ok(())));
}

#[tokio::test]
async fn a_chain_counts_for_whom_the_realm_that_decided_found() {
    let (house, _) = with_alice().await;
    house.add("b", FakeRealm::default()).await;
    let chain: RealmChoice = crate::several::chain(&["a", "b"]);
    for _ in 0..ATTEMPTS {
        assert_eq!(why(house.login_from(STRANGER, &chain, "smith", "guess", 1).await), Reason::WrongPassword);
    }
    assert!(is_paused(&why(from(&house, STRANGER, "alice", PASSWORD).await)));
    // The same name in another realm is another user.
    assert_eq!(why(house.login_from(STRANGER, &named("b"), "alice", "guess", 1).await), Reason::UnknownUser);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever names are tried in whichever order, no more than the limit is found out of one user in one window.
    #[test]
    fn no_order_of_names_finds_out_more_than_the_limit(tries in prop::collection::vec((0..4usize, prop::bool::weighted(0.04)), 1..48)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (house, _) = with_alice().await;
            let mut wrong = 0;
            for (name, is_right) in tries {
                let password = if is_right { PASSWORD } else { "guess" };
                match from(&house, STRANGER, NAMES[name], password).await {
                    Ok(()) => {
                        assert!(is_right && wrong < ATTEMPTS);
                        // From here on she is known here, and has a count of her own.
                        return;
                    }
                    Err(Reason::WrongPassword) => {
                        assert!(!is_right);
                        wrong += 1;
                    }
                    Err(reason) => {
                        assert!(is_paused(&reason) && wrong == ATTEMPTS, "{reason:?} after {wrong}");
                    }
                }
            }
        });
    }
}
