//! The realm behind the kernel: the throttle bounds the hashes, and new hashes are kept.

use std::net::IpAddr;
use std::sync::Arc;

use auth::{Presented, PresentedPassword, Reason, Scope};
use realm_native::HashSettings;
use testkit::suites::realms::{presented, username};

use crate::house::{CHEAP, House, hashed, login, user};

#[tokio::test]
async fn case_14_a_thousand_parallel_guesses_cost_at_most_ten_hashes() {
    for (name, known) in [("alice", true), ("nobody", false)] {
        let users =
            if known { vec![user(name, Some(hashed(CHEAP, "right").await), true)] } else { Vec::new() };
        let house = House::new(CHEAP, users);
        let mut guessing = tokio::task::JoinSet::new();
        for number in 0..1_000 {
            let kernel = Arc::clone(&house.kernel);
            let name = name.to_owned();
            guessing.spawn(async move { login(&kernel, &name, &format!("guess {number}"), number).await });
        }
        let reasons: Vec<Reason> =
            guessing.join_all().await.into_iter().map(|guess| guess.unwrap_err()).collect();
        let paused = reasons.iter().filter(|reason| matches!(reason, Reason::TooManyAttempts { .. })).count();
        assert_eq!((house.pool.tally().hashes, paused), (10, 990), "{name}");
    }
}

#[tokio::test]
async fn case_20_parallel_logins_right_and_wrong_never_get_the_others_verdict() {
    let users = vec![
        user("alice", Some(hashed(CHEAP, "alice's").await), true),
        user("bob", Some(hashed(CHEAP, "bob's").await), true),
    ];
    let house = House::new(CHEAP, users);
    let mut logins = tokio::task::JoinSet::new();
    for number in 0..64 {
        let kernel = Arc::clone(&house.kernel);
        let name = if number % 2 == 0 { "alice" } else { "bob" };
        // Fewer wrong ones than would pause anybody.
        let right = number % 8 > 1;
        logins.spawn(async move {
            let password = if right { format!("{name}'s") } else { format!("{number}'s") };
            (right, login(&kernel, name, &password, number).await)
        });
    }
    for (right, login) in logins.join_all().await {
        match login {
            Ok(()) => assert!(right),
            Err(reason) => assert_eq!((right, reason), (false, Reason::WrongPassword)),
        }
    }
}

#[tokio::test]
async fn case_17_an_empty_password_costs_no_hash_and_lets_nobody_in() {
    let house = House::new(CHEAP, vec![user("alice", Some(hashed(CHEAP, "right").await), true)]);
    for nothing in ["", "\0", " ", "\u{a0}"] {
        let shown = PresentedPassword {
            realm: auth::RealmChoice::Named(Box::from("native")),
            username: username("alice"),
            password: presented(nothing),
        };
        let presented = Presented { password: Some(shown), ..Presented::default() };
        let (scope, here) = (Scope::new("/api"), IpAddr::from([192, 0, 2, 1]));
        let asked = house.kernel.authenticate(presented, &scope, here, true).await;
        assert_eq!(asked.err(), Some(Reason::WrongPassword), "{nothing:?}");
    }
    assert_eq!(house.pool.tally().hashes, 0);
}

#[tokio::test]
async fn asvs_61_success_clears_the_count() {
    let house = House::new(CHEAP, vec![user("alice", Some(hashed(CHEAP, "right").await), true)]);
    for round in 0..4 {
        for _ in 0..5 {
            assert_eq!(house.login("alice", "wrong", 999).await, Err(Reason::WrongPassword));
        }
        assert_eq!(house.login("alice", "right", round).await, Ok(()));
    }
}

#[tokio::test]
async fn asvs_64_the_new_hash_is_kept_and_the_next_login_costs_one() {
    let before = hashed(HashSettings { memory_kib: 8, ..CHEAP }, "right").await;
    let house = House::new(CHEAP, vec![user("alice", Some(before.clone()), true)]);
    let (first, spent) = house.spent(house.login("alice", "right", 1)).await;
    assert_eq!((first, spent.hashes), (Ok(()), 2));
    let kept = house.stored("alice");
    assert_ne!(kept.password, Some(before));
    assert!(kept.password.unwrap().expose().starts_with("$argon2id$v=19$m=16,t=2,p=1$"));
    assert_eq!(kept.password_version, 1, "it is the same password: sessions and evidence stay");
    let (second, spent) = house.spent(house.login("alice", "right", 2)).await;
    assert_eq!((second, spent.hashes), (Ok(()), 1));
    assert_eq!(house.login("alice", "wrong", 3).await, Err(Reason::WrongPassword));
}

#[tokio::test]
async fn basic_costs_one_hash_in_its_time() {
    let house = House::new(CHEAP, vec![user("alice", Some(hashed(CHEAP, "right").await), true)]);
    let ask = async || {
        let shown = PresentedPassword {
            realm: auth::RealmChoice::Named(Box::from("native")),
            username: username("alice"),
            password: presented("right"),
        };
        let presented = Presented { password: Some(shown), ..Presented::default() };
        let here = IpAddr::from([192, 0, 2, 1]);
        house.kernel.authenticate(presented, &Scope::new("/api"), here, true).await.map(|_| ())
    };
    for _ in 0..100 {
        assert_eq!(ask().await, Ok(()));
    }
    assert_eq!(house.pool.tally().hashes, 1);
    house.clock.advance(auth::limits::EVIDENCE_KEPT);
    assert_eq!(ask().await, Ok(()));
    assert_eq!(house.pool.tally().hashes, 2);
}
