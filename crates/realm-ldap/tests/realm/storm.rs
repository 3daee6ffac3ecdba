//! Many logins at a time: a bounded number of binds, and no two logins taken for one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::{Verdict, Verified};
use serde_json::json;
use testkit::ldap::{Slapd, Slow, User};
use tokio::task::JoinSet;

use super::house::{House, by_search, with};

/// Latency in each direction.
const LATENCY: Duration = Duration::from_millis(25);

#[derive(Default)]
struct Tally {
    right: usize,
    wrong: usize,
    busy: Vec<String>,
    longest: Duration,
}

async fn storm(house: &Arc<House>, logins: impl Iterator<Item = (String, &'static str)>) -> Tally {
    let mut running = JoinSet::new();
    for (name, password) in logins {
        let house = Arc::clone(house);
        running.spawn(async move {
            let began = Instant::now();
            let verdict = house.verify(&name, password).await;
            (name, password, verdict, began.elapsed())
        });
    }
    let mut tally = Tally::default();
    for (name, password, verdict, took) in running.join_all().await {
        tally.longest = tally.longest.max(took);
        match verdict {
            Verdict::Verified(Verified { username, .. }) => {
                assert_eq!((username.shown(), password), (&*name, "secret"));
                tally.right += 1;
            }
            Verdict::Rejected(_) => {
                assert_eq!(password, "wrong");
                tally.wrong += 1;
            }
            Verdict::Unavailable(why) => tally.busy.push(why.0.into_owned()),
            other => panic!("{other:?} for {name}"),
        }
    }
    tally
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_logins_at_once_are_no_more_binds_at_a_time_than_the_pool_has() {
    let users = (0..100).map(|number| User::named(&format!("user{number}"), "secret"));
    let slapd = Slapd::new().policy("pwdLockout", "FALSE").users(users).start();
    let line = Slow::before(slapd.port(), LATENCY);
    let config = with(by_search(&[line.port()]), json!({ "poolSize": 8, "poolWait": "1s" }));
    let house = Arc::new(House::of(&config));
    let logins = (0..1_000)
        .map(|number| (format!("user{}", number % 100), if number % 10 == 9 { "wrong" } else { "secret" }));
    let tally = storm(&house, logins).await;
    assert_eq!(tally.right + tally.wrong + tally.busy.len(), 1_000);
    assert!(tally.right > 20 && !tally.busy.is_empty(), "{} {}", tally.right, tally.busy.len());
    assert!(
        tally.busy.iter().all(|why| why.contains("busy") || why.contains("wait already")),
        "{:?}",
        tally.busy
    );
    // Each of two waits is a second at the most, and there is an answer or two between them.
    assert!(tally.longest < Duration::from_secs(4), "{:?}", tally.longest);
    assert!(line.most() <= 8 + 2, "{} connections", line.most());
    let binds = slapd.binds();
    let of_users = binds.iter().filter(|dn| dn.contains("ou=people")).count();
    assert_eq!(of_users, tally.right + tally.wrong, "one bind for each login that was answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn identical_logins_are_not_taken_for_one() {
    let slapd = Slapd::new().user(User::named("alice", "secret")).start();
    let line = Slow::before(slapd.port(), Duration::from_millis(5));
    let config = with(by_search(&[line.port()]), json!({ "poolSize": 32, "poolWait": "10s" }));
    let house = Arc::new(House::of(&config));
    let tally = storm(&house, (0..200).map(|_| ("alice".to_owned(), "secret"))).await;
    assert_eq!(tally.right, 200);
    let alice = Slapd::user_dn("alice");
    assert_eq!(slapd.binds().iter().filter(|dn| **dn == alice).count(), 200);
}
