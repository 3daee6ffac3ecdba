//! `session.list`: what each filter finds, and pages that miss nobody.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use auth::sessions::{MOST_IN_STEP, Session};
use auth::{AuthMethod, Clock, EndReason, Moment, Origin, Scope, SessionId};

use super::super::list::{Filter, NAME, run};
use super::house::{House, app, user};

const SECOND: Duration = Duration::from_secs(1);

/// The numbers of the sessions that `filter` fits, on one page; `known` says which session has which number.
async fn found(house: &House, known: &[Arc<Session>], filter: Filter) -> Vec<usize> {
    let permit = house.permit_of_nobody(NAME);
    let filter = Filter { limit: 100, ..filter };
    let (found, more) = run(&house.services, &permit, &filter).await.unwrap();
    assert!(!more && found.is_sorted_by(|one, next| one.id < next.id));
    let mut numbers: Vec<_> = found
        .iter()
        .map(|session| known.iter().position(|known| known.id == session.id).expect("a known session"))
        .collect();
    numbers.sort_unstable();
    numbers
}

#[tokio::test]
async fn every_filter_finds_what_it_names() {
    let house = House::new().await;
    let there: IpAddr = "2001:db8::1".parse().unwrap();
    let begin = house.clock.now();
    let mut known = vec![house.login("alice", 0).await];
    house.clock.advance(SECOND);
    known.push(house.login_as("alice", 1, |login| login.app = Some(app("search"))).await);
    house.clock.advance(SECOND);
    known.push(house.login_as("bob", 2, |login| login.scope = Scope::new("/other")).await);
    known.push(house.login_as("bob", 3, |login| login.origin = Origin::new(there, None)).await);
    house.clock.advance(SECOND);
    known.push(house.login("bob", 4).await);
    house.services.kernel.end(&known[4..], EndReason::Logout, None).await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    let after = |seconds| begin.plus(seconds * SECOND);
    let none = Filter::default;
    let cases: Vec<(Filter, &[usize])> = vec![
        (none(), &[0, 1, 2, 3]),
        (Filter { ended: true, ..none() }, &[4]),
        (Filter { user: Some(user("alice").id), ..none() }, &[0, 1]),
        (Filter { user: Some(user("bob").id), ended: true, ..none() }, &[4]),
        (Filter { user: Some(user("nobody").id), ..none() }, &[]),
        (Filter { realm: text("native"), ..none() }, &[0, 1, 2, 3]),
        (Filter { realm: text("Native"), ..none() }, &[]),
        (Filter { app: text("search"), ..none() }, &[1]),
        (Filter { app: text(""), ..none() }, &[]),
        (Filter { scope: text("/other"), ..none() }, &[2]),
        (Filter { address: Some(there), ..none() }, &[3]),
        (Filter { address: Some("192.0.2.1".parse().unwrap()), ..none() }, &[0, 1, 2]),
        (Filter { address: Some("::ffff:192.0.2.1".parse().unwrap()), ..none() }, &[0, 1, 2]),
        (Filter { method: Some(AuthMethod::Password), ..none() }, &[0, 1, 2, 3]),
        (Filter { method: Some(AuthMethod::Basic), ..none() }, &[]),
        (Filter { created_after: Some(after(1)), ..none() }, &[1, 2, 3]),
        (Filter { created_before: Some(after(1)), ..none() }, &[0]),
        (Filter { created_after: Some(after(1)), created_before: Some(after(2)), ..none() }, &[1]),
        (Filter { idle_longer_than: Some(2 * SECOND), ..none() }, &[0]),
        (Filter { idle_longer_than: Some(2 * SECOND - Duration::from_millis(1)), ..none() }, &[0, 1]),
        (Filter { user: Some(user("bob").id), address: Some(there), ..none() }, &[3]),
    ];
    for (place, (filter, expected)) in cases.into_iter().enumerate() {
        assert_eq!(found(&house, &known, filter).await, expected, "case {place}");
    }
    // Whoever idled too long has ended, though nobody has noted it.
    house.clock.advance(Duration::from_secs(3_600));
    assert_eq!(found(&house, &known, Filter::default()).await, [0; 0]);
    assert_eq!(found(&house, &known, Filter { ended: true, ..none() }).await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_permit_for_something_else_lists_nothing() {
    let house = House::new().await;
    let permit = house.permit_of_nobody("session.read");
    assert!(run(&house.services, &permit, &Filter::default()).await.is_err());
}

/// All pages of `filter`, with something done between them.
async fn pages(house: &House, filter: &Filter, mut between: impl AsyncFnMut(&[SessionId])) -> Vec<SessionId> {
    let permit = house.permit_of_nobody(NAME);
    let (mut filter, mut ids) = (filter.clone(), Vec::new());
    loop {
        let (page, more) = run(&house.services, &permit, &filter).await.unwrap();
        assert!(page.len() == filter.limit || (page.len() < filter.limit && !more));
        ids.extend(page.iter().map(|session| session.id));
        filter.after = ids.last().copied();
        if !more {
            return ids;
        }
        between(&ids).await;
    }
}

#[tokio::test]
async fn pages_of_any_size_have_everybody_once_while_others_come_and_go() {
    for limit in [1, 2, 3, 10, 29, 30, 31] {
        let house = House::new().await;
        let mut stay = BTreeSet::new();
        for number in 0..30 {
            stay.insert(house.login(["alice", "bob"][number as usize % 2], number).await.id);
        }
        let alices = Filter { user: Some(user("alice").id), limit, ..Filter::default() };
        for (filter, expected) in [(Filter { limit, ..Filter::default() }, 30), (alices, 15)] {
            let mut number = 1_000 * expected;
            let ids = pages(&house, &filter, async |_| {
                number += 1;
                let gone = house.login("alice", number).await;
                house.services.kernel.end(&[gone], EndReason::Logout, None).await.unwrap();
            })
            .await;
            assert!(ids.is_sorted_by(|one, next| one < next), "in order, each once");
            assert_eq!((ids.len() as u64, ids.iter().all(|id| stay.contains(id))), (expected, true));
        }
    }
}

#[tokio::test]
async fn a_page_of_nothing_says_whether_there_is_more() {
    let house = House::new().await;
    let permit = house.permit_of_nobody(NAME);
    let none = Filter::default();
    assert_eq!(none.limit, 0);
    assert!(!run(&house.services, &permit, &none).await.unwrap().1);
    house.login("alice", 1).await;
    assert!(run(&house.services, &permit, &none).await.unwrap().1);
}

/// How often a list gives the thread away before it is done.
async fn pauses(house: &House, filter: &Filter) -> usize {
    let permit = house.permit_of_nobody(NAME);
    let mut list = std::pin::pin!(run(&house.services, &permit, filter));
    let mut pauses = 0;
    while list.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        pauses += 1;
    }
    pauses
}

#[tokio::test]
async fn a_long_search_gives_the_thread_away_between_its_steps() {
    let house = House::new().await;
    let (steps, table) = (5, house.services.kernel.sessions().table());
    let template = house.login("alice", 0).await.record();
    for number in 1..(steps * MOST_IN_STEP) as u64 {
        let mut drawn = [0; 16];
        drawn[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        let token = super::house::token(number).hash();
        let record = auth::SessionRecord { token, id: SessionId::from_random(drawn), ..template.clone() };
        table.insert(Arc::new(Session::from_record(record)));
    }
    drop(table);
    let finds_nobody = Filter { limit: 10, created_before: Some(Moment::default()), ..Filter::default() };
    // One step looks at exactly as many as it may, so the last one finds the end alone.
    assert_eq!(pauses(&house, &finds_nobody).await, steps);
    let alices = Filter { user: Some(user("alice").id), limit: 10, ..Filter::default() };
    assert_eq!(pauses(&house, &alices).await, steps - 1);
    let first_page = Filter { limit: 10, ..Filter::default() };
    assert_eq!(pauses(&house, &first_page).await, 0, "the first sessions fit");
}
