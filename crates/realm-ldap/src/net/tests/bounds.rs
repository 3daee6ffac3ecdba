//! How much is asked for, and how much is listened to, from both sides.

use std::sync::Mutex;

use ldap3::Scope;

use super::*;
use crate::net::entry::Entry;
use crate::net::fake::{Asked, FakeServer, bind_answer, end_of_page, end_of_search, entry};
use crate::net::{
    LEAST_SEARCHES, MOST_ANONYMOUS_SEARCHES, MOST_AT_ONCE, MOST_PAGES, MOST_SEARCH_BYTES, PAGE,
    SEARCHES_PER_BIND,
};

const SIZE_LIMIT_EXCEEDED: u8 = 4;
const AT_ONCE: usize = MOST_AT_ONCE as usize;
const ONE_PAGE: usize = PAGE as usize;

fn everybody(most: usize) -> Search<'static> {
    Search { base: Slapd::PEOPLE, scope: Scope::Subtree, filter: "(uid=*)", attributes: &["uid"], most }
}

fn entries(number: u16, count: usize) -> Vec<u8> {
    entry(number, "uid=x", &[]).repeat(count)
}

/// What one search came to: how many there are and whether there are more, or why nobody knows.
fn came(found: Result<Found, Fault>) -> Result<(usize, bool), String> {
    found.map(|found| (found.entries.len(), found.is_cut)).map_err(|fault| fault.to_string())
}

/// A search for `most` where the server has so many entries and does not mind.
async fn search_among(has: usize, most: usize) -> Result<(usize, bool), String> {
    let server = FakeServer::start(move |number, _| {
        ([entries(number, has), end_of_search(number, 0)].concat(), false)
    })
    .await;
    came(connection(server.port).await.search(everybody(most), LIMIT).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_entries_are_taken_than_were_asked_for() {
    assert_eq!(search_among(1, 1).await, Ok((1, false)));
    assert_eq!(search_among(2, 1).await, Ok((1, true)), "one more is asked for, to know that there are more");
    let why = "the server sent more entries than the 2 that were asked for";
    assert_eq!(search_among(3, 1).await, Err(why.to_owned()));
    assert_eq!(search_among(AT_ONCE, AT_ONCE - 1).await, Ok((AT_ONCE - 1, true)));
    assert_eq!(search_among(AT_ONCE, AT_ONCE).await, Ok((AT_ONCE, false)));
    let why = format!("the server sent more entries than the {AT_ONCE} that were asked for");
    assert_eq!(search_among(AT_ONCE + 1, AT_ONCE).await, Err(why.clone()));
    assert_eq!(search_among(AT_ONCE + 1, 10 * AT_ONCE).await, Err(why), "there are pages for that");
}

/// A search for `most` at a server that gives pages: of so many entries each, the last one without a cookie.
async fn search_pages(pages: Vec<usize>, most: usize) -> Result<(usize, bool), String> {
    let pages = Mutex::new(pages.into_iter().peekable());
    let is_first = Mutex::new(true);
    let server = FakeServer::start(move |number, _| {
        if std::mem::take(&mut *is_first.lock().unwrap()) {
            return (end_of_search(number, SIZE_LIMIT_EXCEEDED), false);
        }
        let mut pages = pages.lock().unwrap();
        let page = entries(number, pages.next().unwrap());
        let cookie: &[u8] = if pages.peek().is_some() { b"next" } else { b"" };
        ([page, end_of_page(number, cookie)].concat(), false)
    })
    .await;
    came(connection(server.port).await.search(everybody(most), LIMIT).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_asked_for_where_more_is_wanted_than_is_given_at_once() {
    let given = Ok((2 * ONE_PAGE + 1, false));
    assert_eq!(search_pages(vec![ONE_PAGE, ONE_PAGE, 1], 10 * ONE_PAGE).await, given);
    // A search for fewer than a page is not asked again: it has its answer.
    assert_eq!(search_pages(vec![], AT_ONCE - 1).await, Ok((0, true)));
    let why = format!("the server sent more entries than the {ONE_PAGE} that were asked for");
    assert_eq!(search_pages(vec![ONE_PAGE + 1, 0], 10 * ONE_PAGE).await, Err(why));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_end_where_enough_was_found() {
    let most = 2 * ONE_PAGE;
    assert_eq!(search_pages(vec![ONE_PAGE; 2], most).await, Ok((most, false)));
    assert_eq!(search_pages(vec![ONE_PAGE; 3], most).await, Ok((most, true)));
    assert_eq!(search_pages(vec![ONE_PAGE; 5], most).await, Ok((most, true)), "the fourth is not asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_a_limit() {
    assert_eq!(search_pages(vec![0; MOST_PAGES], 1_000).await, Ok((0, false)));
    let endless = search_pages(vec![0; MOST_PAGES + 1], 1_000).await;
    assert_eq!(endless, Err("the server has no end of pages: 256 so far".to_owned()));
}

/// A value that makes an entry take so many bytes.
fn value_for(bytes: usize) -> Vec<u8> {
    vec![b'x'; bytes - Entry::of("uid=x", &[("uid", &[""])]).bytes()]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_that_a_search_finds_have_a_limit() {
    const PARTS: usize = 8;
    for (more, is_taken) in [(0, true), (1, false)] {
        let server = FakeServer::start(move |number, _| {
            let part = entry(number, "uid=x", &[("uid", &[&value_for(MOST_SEARCH_BYTES / PARTS)])]);
            let last = entry(number, "uid=x", &[("uid", &[&value_for(MOST_SEARCH_BYTES / PARTS + more)])]);
            ([part.repeat(PARTS - 1), last, end_of_search(number, 0)].concat(), false)
        })
        .await;
        let found = connection(server.port).await.search(everybody(PARTS), LIMIT).await;
        match is_taken {
            true => assert_eq!(came(found), Ok((PARTS, false))),
            false => {
                let fault = found.unwrap_err();
                assert!(
                    fault.to_string().contains("found more than 33554432 bytes") && !fault.is_of_server()
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_of_all_pages_together_have_a_limit() {
    const PAGES: usize = 8;
    for (more, is_taken) in [(0, true), (1, false)] {
        let page = Mutex::new(0);
        let server = FakeServer::start(move |number, _| {
            let mut page = page.lock().unwrap();
            *page += 1;
            let (bytes, cookie): (_, &[u8]) = match *page {
                1 => return (end_of_search(number, SIZE_LIMIT_EXCEEDED), false),
                9 => (MOST_SEARCH_BYTES / PAGES + more, b""),
                _ => (MOST_SEARCH_BYTES / PAGES, b"next"),
            };
            let found = entry(number, "uid=x", &[("uid", &[&value_for(bytes)])]);
            ([found, end_of_page(number, cookie)].concat(), false)
        })
        .await;
        let found = connection(server.port).await.search(everybody(1_000), LIMIT).await;
        assert_eq!(came(found).is_ok(), is_taken);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_searches_are_under_way_at_a_time() {
    let server = FakeServer::start(|number, asked| match asked {
        Asked::Bind => (bind_answer(number, 0), false),
        // It has no answer for as long as the test takes.
        Asked::Search | Asked::Easy => (Vec::new(), false),
    })
    .await;
    let network = network_of(&[server.port], &Arc::new(FixedClock::new()));
    let binds = crate::net::SEARCH_CONNECTIONS;
    let searches: Vec<_> = (0..=network.searches.places())
        .map(|_| {
            let network = Arc::clone(&network);
            tokio::spawn(async move { network.search(everybody(1)).await.is_ok() })
        })
        .collect();
    let asked = binds + searches.len() - 1;
    until(|| server.requests() == asked).await;
    // One waits before the gate.
    assert_eq!(network.searches.places(), 0);
    assert_eq!(server.requests(), asked);
    searches.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn how_many_depends_on_the_pool_and_on_who_searches() {
    let places = |pool: usize, has_service: bool| {
        let mut config = config_of(&[389]);
        config["poolSize"] = pool.into();
        if !has_service {
            config["login"] = serde_json::json!({ "bindDnTemplate": Slapd::USER_TEMPLATE });
        }
        let settings = crate::parse(&config.to_string()).unwrap();
        Network::new(settings, Handle::current(), Arc::new(FixedClock::new())).searches.places()
    };
    let least = LEAST_SEARCHES / SEARCHES_PER_BIND;
    assert_eq!((places(1, true), places(least, true)), (32, 32));
    assert_eq!(places(least + 1, true), 36);
    let most = MOST_ANONYMOUS_SEARCHES / SEARCHES_PER_BIND;
    assert_eq!((places(most, false), places(most + 1, false)), (128, 128));
    assert_eq!(places(most + 1, true), 132);
}
