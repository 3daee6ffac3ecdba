//! The network against a real server, where only its insides show what it does.

mod addresses;
mod bounds;
mod hostile;
mod patience;
mod secured;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use ldap3::Scope;
use serde_json::{Value, json};
use testkit::ldap::{Slapd, Slow, User};
use testkit::suites::FixedClock;
use tokio::runtime::Handle;

use super::trust::Trust;
use super::{Connection, Fault, Found, IDLE_KEPT, Network, Search, transport};
use crate::settings;

/// Longer than any answer of a test takes.
const LIMIT: Duration = testkit::PATIENCE;

fn config_of(ports: &[u16]) -> Value {
    let hosts: Vec<_> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    json!({
        "host": hosts,
        "timeout": "30s",
        "login": {
            "searchBase": Slapd::PEOPLE,
            "bindDn": Slapd::SERVICE_DN,
            "bindPassword": Slapd::SERVICE_PASSWORD,
        },
    })
}

fn network_of(ports: &[u16], clock: &Arc<FixedClock>) -> Arc<Network> {
    let settings = crate::parse(&config_of(ports).to_string()).unwrap();
    Arc::new(Network::new(settings, Handle::current(), Arc::clone(clock) as _))
}

fn network(port: u16, clock: &Arc<FixedClock>) -> Arc<Network> {
    network_of(&[port], clock)
}

/// A connection in clear, without a network around it.
async fn connection(port: u16) -> Connection {
    let stream = transport::reach(&[(Ipv4Addr::LOCALHOST, port).into()], LIMIT).await.unwrap();
    let server = settings::Server { host: "127.0.0.1".into(), port };
    let plain = settings::Transport::Plain;
    let secured = transport::secure(stream, &server, plain, &Trust::new(None)).await.unwrap();
    Connection::over(secured, &Handle::current())
}

fn slapd() -> Slapd {
    Slapd::new().user(User::named("alice", "secret")).start()
}

fn for_alice() -> Search<'static> {
    Search {
        base: Slapd::PEOPLE,
        scope: Scope::Subtree,
        filter: "(uid=alice)",
        attributes: &["uid"],
        most: 1,
    }
}

/// Waits until it is so.
async fn until(is_so: impl Fn() -> bool) {
    let looking = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(LIMIT, looking).await.is_ok(), "it did not come to that");
}

async fn use_it(network: &Arc<Network>) {
    assert_eq!(network.search(for_alice()).await.unwrap().entries[0].first("uid"), Some("alice"));
    let (bound, answer) = network.bind(&Slapd::user_dn("alice"), "secret").await.unwrap();
    assert_eq!(answer.rc, 0);
    bound.release();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_nobody_uses_are_closed() {
    let slapd = slapd();
    let line = Slow::before(slapd.port(), Duration::ZERO);
    let clock = Arc::new(FixedClock::new());
    let network = network(line.port(), &clock);
    use_it(&network).await;
    clock.advance(IDLE_KEPT - Duration::from_millis(1));
    assert!(network.close_idle());
    assert_eq!(line.open(), 2);
    use_it(&network).await;
    clock.advance(Duration::from_millis(1));
    assert!(network.close_idle(), "they were used meanwhile");
    clock.advance(IDLE_KEPT);
    assert!(!network.close_idle());
    assert_eq!(line.accepted(), 3, "one for binds, and each of two for searches");
    use_it(&network).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_is_for_one_search_at_a_time() {
    let slapd = slapd();
    let line = Slow::before(slapd.port(), Duration::ZERO);
    let clock = Arc::new(FixedClock::new());
    let network = network(line.port(), &clock);
    let apart = || network.search_apart(for_alice());
    let (first, second, third) = tokio::join!(apart(), apart(), apart());
    for found in [first, second, third] {
        assert_eq!(found.unwrap().entries.len(), 1);
    }
    use_it(&network).await;
    assert_eq!(line.accepted(), 3, "that one, one of those for searches, and one for binds");
    clock.advance(IDLE_KEPT);
    assert!(!network.close_idle());
    until(|| line.open() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anonymous_bind_is_never_sent() {
    let slapd = Slapd::new().bind_anon_dn().user(User::named("alice", "secret")).start();
    let network = network(slapd.port(), &Arc::new(FixedClock::new()));
    for (name, password) in [("", "secret"), (&*Slapd::user_dn("alice"), ""), ("", "")] {
        assert!(network.bind(name, password).await.is_err());
    }
    assert!(slapd.binds().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_give_the_connection_back_closes_it() {
    let slapd = slapd();
    let line = Slow::before(slapd.port(), Duration::ZERO);
    let network = network(line.port(), &Arc::new(FixedClock::new()));
    for _ in 0..2 {
        let (bound, _) = network.bind(&Slapd::user_dn("alice"), "secret").await.unwrap();
        drop(bound);
    }
    assert_eq!(line.accepted(), 2);
    for _ in 0..2 {
        let (bound, _) = network.bind(&Slapd::user_dn("alice"), "secret").await.unwrap();
        bound.release();
    }
    assert_eq!(line.accepted(), 3);
}
