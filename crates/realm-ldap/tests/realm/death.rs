//! Servers that die, freeze, refuse and come back.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::ldap::{Slapd, SlapdPlan, Slow, User};

use super::house::{House, by_search, eventually, with};

fn plan() -> SlapdPlan {
    Slapd::new().user(User::named("alice", "secret"))
}

fn hasty(ports: &[u16]) -> serde_json::Value {
    with(by_search(ports), json!({ "connectTimeout": "500ms", "timeout": "500ms" }))
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_mid_flight_the_login_succeeds_on_the_second_within_a_second() {
    let (mut first, second) = (plan().start(), plan().start());
    let line = Slow::before(first.port(), Duration::ZERO);
    let house = House::of(&by_search(&[line.port(), second.port()]));
    assert_eq!(house.says("alice", "secret").await, "alice");
    assert!(second.binds().is_empty(), "the second is for when the first is gone");
    line.delay(Duration::from_millis(200));
    first.clear_log();
    let login = house.says("alice", "secret");
    let killed = async {
        eventually(|| !first.filters().is_empty()).await;
        line.refuse();
        line.cut();
        first.kill();
        Instant::now()
    };
    let (said, died) = tokio::join!(login, killed);
    assert_eq!(said, "alice");
    assert!(died.elapsed() < Duration::from_secs(1), "{:?}", died.elapsed());
    assert!(second.binds().contains(&Slapd::user_dn("alice")));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_two_logins_the_next_one_does_not_notice() {
    let (mut first, second) = (plan().start(), plan().start());
    let house = House::of(&by_search(&[first.port(), second.port()]));
    assert_eq!(house.says("alice", "secret").await, "alice");
    first.kill();
    let began = Instant::now();
    assert_eq!(house.says("alice", "secret").await, "alice");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_started_again_is_not_taken_for_dead() {
    let mut only = plan().start();
    let house = House::of(&by_search(&[only.port()]));
    assert_eq!(house.says("alice", "secret").await, "alice");
    only.start_again();
    assert_eq!(house.says("alice", "secret").await, "alice", "the connections that had waited are dead");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_costs_one_time_out_and_is_skipped_then() {
    let (first, second) = (plan().start(), plan().start());
    let house = House::of(&hasty(&[first.port(), second.port()]));
    assert_eq!(house.says("alice", "secret").await, "alice");
    first.freeze();
    let began = Instant::now();
    assert_eq!(house.says("alice", "secret").await, "alice");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let began = Instant::now();
    assert_eq!(house.says("alice", "secret").await, "alice");
    assert!(began.elapsed() < Duration::from_millis(400), "{:?}: it was tried again", began.elapsed());
    // A trial that fails costs whoever makes it one time-out.
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(house.says("alice", "secret").await, "alice");
    first.thaw();
    eventually(|| first.bind(&Slapd::user_dn("alice"), "secret").code == 0).await;
    // What it was asked while it was frozen it hears now, so the other one's log is what tells.
    let asked_second = || second.binds().contains(&Slapd::user_dn("alice"));
    second.clear_log();
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(house.says("alice", "secret").await, "alice");
    assert!(asked_second(), "after the second failure the first is left alone for two seconds");
    second.clear_log();
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(house.says("alice", "secret").await, "alice");
    assert!(!asked_second(), "the first is back again, and used again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_that_nobody_is_connected_to_costs_one_time_out() {
    let (first, second) = (plan().start(), plan().start());
    first.freeze();
    let house = House::of(&hasty(&[first.port(), second.port()]));
    let began = Instant::now();
    assert_eq!(house.says("alice", "secret").await, "alice");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    first.thaw();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_none_left_it_is_unavailable_at_once_until_one_is_back() {
    let (mut first, mut second) = (plan().start(), plan().start());
    let house = House::of(&by_search(&[first.port(), second.port()]));
    assert_eq!(house.says("alice", "secret").await, "alice");
    first.kill();
    second.kill();
    let (why, took) = house.unavailable("alice", "secret").await;
    assert!(took < Duration::from_millis(500), "{took:?}");
    for port in [first.port(), second.port()] {
        assert!(why.contains(&format!("127.0.0.1:{port}")), "{why}");
    }
    let (why, took) = house.unavailable("alice", "secret").await;
    assert!(took < Duration::from_millis(400), "{took:?}");
    assert!(why.contains("left alone"), "{why}");
    second.start_again();
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(house.says("alice", "secret").await, "alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_logins_at_a_dead_server_try_it_once() {
    let slapd = plan().start();
    let line = Slow::before(slapd.port(), Duration::ZERO);
    line.swallow(true);
    let house = House::of(&hasty(&[line.port()]));
    let began = Instant::now();
    let logins = (0..50).map(|_| house.says("alice", "secret"));
    let said = join_all(logins).await;
    assert!(said.iter().all(|said| said.starts_with("Unavailable")), "{said:?}");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}: one after the other", began.elapsed());
    assert!(line.accepted() <= 2, "{}", line.accepted());
}

async fn join_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_realm_closes_its_connections() {
    let slapd = plan().start();
    let line = Slow::before(slapd.port(), Duration::ZERO);
    let house = House::of(&by_search(&[line.port()]));
    assert_eq!(house.says("alice", "secret").await, "alice");
    assert!(line.open() >= 2, "a search's and a bind's: {}", line.open());
    drop(house);
    eventually(|| line.open() == 0).await;
}
