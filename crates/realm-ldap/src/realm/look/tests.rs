//! Users who cannot be told of together, and how many of them are asked about alone. What real servers say, `tests/realm` tries out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use auth::{RealmName, Recheck};
use testkit::suites::FixedClock;
use testkit::suites::realms::username;
use tokio::runtime::Handle;

use super::*;
use crate::net::fake::{Asked, FakeServer, bind_answer, end_of_search};
use crate::realm::LdapRealm;

/// `other`: the server cannot say, and not why, either.
const OTHER: u8 = 80;

fn realm(server: &FakeServer) -> LdapRealm {
    let config = format!(
        r#"{{"host":"127.0.0.1:{}","timeout":"1s","login":{{"searchBase":"dc=x","disabledFilter":""}}}}"#,
        server.port
    );
    let corp = RealmName::parse("corp").unwrap();
    LdapRealm::new(corp, crate::parse(&config).unwrap(), Handle::current(), Arc::new(FixedClock::new()))
}

/// What a look at so many users comes to where the search for all of them and so many after it fail; and how many there were.
async fn look_at(users: usize, failures: usize) -> (String, usize) {
    let searches = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&searches);
    let server = FakeServer::start(move |number, what| {
        let said = match what {
            Asked::Bind => bind_answer(number, 0),
            Asked::Easy => end_of_search(number, 0),
            Asked::Search if asked.fetch_add(1, Ordering::Relaxed) <= failures => {
                end_of_search(number, OTHER)
            }
            Asked::Search => end_of_search(number, 0),
        };
        (said, false)
    })
    .await;
    let realm = realm(&server);
    let users: Vec<_> = (0..users).map(|number| username(&format!("user{number}"))).collect();
    let told = Recheck::look(&realm, &users).await.unwrap();
    let told = told.iter().map(|standing| match standing {
        Standing::Untold(_) => '?',
        Standing::Gone => '-',
        other => panic!("{other:?}"),
    });
    (told.collect(), searches.load(Ordering::Relaxed))
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_can_be_told_of_alone_is() {
    assert_eq!(look_at(8, 0).await, ("--------".to_owned(), 1 + 8));
    assert_eq!(look_at(8, 1).await, ("?-------".to_owned(), 1 + 8));
    assert_eq!(look_at(8, MOST_UNTOLD - 1).await, ("???-----".to_owned(), 1 + 8));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_so_many_of_whom_nobody_can_tell_the_rest_is_not_asked_about() {
    assert_eq!(look_at(8, MOST_UNTOLD).await, ("????????".to_owned(), 1 + MOST_UNTOLD));
    // The next ones have their chance.
    let (told, searches) = look_at(MAX_RECHECKED_AT_ONCE + 2, MOST_UNTOLD).await;
    assert_eq!(told, format!("{}--", "?".repeat(MAX_RECHECKED_AT_ONCE)));
    assert_eq!(searches, 1 + MOST_UNTOLD + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_too_large_because_somebody_else_is_at_the_same_time() {
    let searches = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&searches);
    let too_large = [&[0x30, 0x84][..], &u32::MAX.to_be_bytes()].concat();
    let server = FakeServer::start(move |number, what| {
        let said = match what {
            Asked::Bind => bind_answer(number, 0),
            Asked::Easy => end_of_search(number, 0),
            Asked::Search => match asked.fetch_add(1, Ordering::Relaxed) {
                0 => end_of_search(number, OTHER),
                // The first who is asked about alone.
                1 => Vec::new(),
                _ => too_large.clone(),
            },
        };
        (said, false)
    })
    .await;
    let realm = realm(&server);
    let users = [username("alice")];
    let others = async {
        while searches.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        let search = Search {
            base: "dc=x",
            scope: ldap3::Scope::Subtree,
            filter: "(uid=mallory)",
            attributes: &["uid"],
            most: 1,
        };
        // So many that they are on every connection that is shared.
        for _ in 0..4 {
            assert_eq!(realm.core.network.search(search).await.unwrap_err().cause, Cause::Excess);
        }
    };
    let (told, ()) = tokio::join!(Recheck::look(&realm, &users), others);
    assert!(matches!(told.unwrap()[..], [Standing::Untold(_)]));
}
