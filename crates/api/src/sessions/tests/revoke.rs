//! `session.revoke_matching` and `user.revoke`: what is named is gone, and nothing else.

use std::borrow::Cow;
use std::sync::Arc;

use auth::sessions::{MOST_IN_STEP, Session};
use auth::{Clock, Reason, Scope, SessionId, SessionStore};

use super::super::list::Filter;
use super::super::revoke::{MOST_ENDED_AT_ONCE, NAME_ALL, NAME_MATCHING, all, matching};
use super::house::{House, app, token, user};
use crate::error::Error;

async fn revoke(house: &House, filter: Filter, all: bool) -> Result<usize, Error> {
    matching(&house.services, &house.permit_of_nobody(NAME_MATCHING), &filter, all).await
}

fn field(refused: Result<usize, Error>) -> Cow<'static, str> {
    match refused {
        Err(Error::Invalid { field, .. }) => field,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_a_filter_names_is_gone_and_the_rest_stays() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.login_as("alice", 2, |login| login.app = Some(app("search"))).await;
    house.login_as("bob", 3, |login| login.app = Some(app("search"))).await;
    house.login_as("bob", 4, |login| login.scope = Scope::new("/other")).await;
    let search = Filter { app: Some("search".to_owned()), ..Filter::default() };
    // The page of a list counts for nothing here.
    let highest = Some(SessionId::from_bytes([0xff; 16]));
    assert_eq!(
        revoke(&house, Filter { after: highest, limit: 1, ..search.clone() }, false).await.unwrap(),
        2
    );
    let live = async || {
        [house.is_live(1).await, house.is_live(2).await, house.is_live(3).await, house.is_live(4).await]
    };
    assert_eq!(live().await, [true, false, false, true]);
    assert_eq!(revoke(&house, search, false).await.unwrap(), 0);
    let bobs = Filter { user: Some(user("bob").id), ..Filter::default() };
    assert_eq!(revoke(&house, bobs, false).await.unwrap(), 1);
    assert_eq!(live().await, [true, false, false, false]);
    assert_eq!(revoke(&house, Filter::default(), true).await.unwrap(), 1);
    assert_eq!(live().await, [false; 4]);
}

#[tokio::test]
async fn nobody_ends_everything_by_leaving_something_out() {
    let house = House::new().await;
    house.login("alice", 1).await;
    let native = Filter { realm: Some("native".to_owned()), ..Filter::default() };
    let paged = Filter { limit: 5, after: Some(SessionId::from_bytes([0; 16])), ..Filter::default() };
    assert_eq!(field(revoke(&house, Filter::default(), false).await), "realm");
    assert_eq!(field(revoke(&house, paged, false).await), "realm", "a page is no filter");
    assert_eq!(field(revoke(&house, native.clone(), true).await), "all");
    assert_eq!(field(revoke(&house, Filter { ended: true, ..native }, false).await), "state");
    let wrong = house.permit_of_nobody("session.revoke");
    let refused = matching(&house.services, &wrong, &Filter::default(), true).await;
    assert!(matches!(refused, Err(Error::Kernel(Reason::Forbidden))));
    assert!(house.is_live(1).await);
}

#[tokio::test]
async fn what_cannot_be_written_is_not_done_however_often_it_is_asked() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.store.refuse(Some("disk full"));
    for filter in [Filter::default(), Filter { user: Some(user("alice").id), ..Filter::default() }] {
        // The second time the session is dead in memory, and still alive on disk.
        let everybody = filter.fits_all();
        let failed = revoke(&house, filter, everybody).await;
        assert!(matches!(failed, Err(Error::Kernel(Reason::StoreFailed))), "{failed:?}");
    }
    house.store.refuse(None);
    assert_eq!(revoke(&house, Filter::default(), true).await.unwrap(), 0);
    assert!(!house.is_live(1).await);
}

/// Puts sessions of alice into table and store, from this number on.
async fn fill(house: &House, numbers: std::ops::Range<u64>) {
    let template = house.login("alice", 1_000_000).await.record();
    for number in numbers {
        let mut drawn = [0; 16];
        drawn[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        let token = token(number).hash();
        let record = auth::SessionRecord { token, id: SessionId::from_random(drawn), ..template.clone() };
        house.services.kernel.sessions().table().insert(Arc::new(Session::from_record(record)));
    }
}

#[tokio::test]
async fn batches_have_a_limit_on_both_sides_and_leave_nobody() {
    let most = MOST_ENDED_AT_ONCE as u64;
    for sessions in [most - 1, most, most + 1] {
        let house = House::new().await;
        fill(&house, 0..sessions - 1).await;
        let permit = house.permit_of_nobody(NAME_ALL);
        let ended = all(&house.services, &permit, &user("alice").id).await;
        let now = house.clock.now();
        assert_eq!(ended.map_err(|error| format!("{error:?}")), Ok(sessions as usize));
        assert!(house.services.kernel.sessions().live_of(&user("alice").id).is_empty());
        let table = house.services.kernel.sessions().table();
        assert!(table.filtered(|session| session.ended(now).is_none()).is_empty());
    }
}

#[tokio::test]
async fn who_was_logged_in_before_the_call_is_gone_whoever_comes_meanwhile() {
    let house = Arc::new(House::new().await);
    fill(&house, 0..3 * MOST_IN_STEP as u64).await;
    let revoking = tokio::spawn({
        let house = Arc::clone(&house);
        async move { revoke(&house, Filter::default(), true).await.unwrap() }
    });
    let mut number = 2_000_000;
    while !revoking.is_finished() {
        number += 1;
        house.login("bob", number).await;
        tokio::task::yield_now().await;
    }
    assert!(revoking.await.unwrap() > 3 * MOST_IN_STEP);
    assert!(house.services.kernel.sessions().live_of(&user("alice").id).is_empty());
    house.login("bob", 1).await;
    assert!(house.is_live(1).await);
}

#[tokio::test]
async fn sessions_that_a_restore_brings_meanwhile_are_gone_too() {
    let house = Arc::new(House::new().await);
    house.login("bob", 1).await;
    let backup = house.store.copy();
    // The session of the backup is no longer in the table when the search passes its place.
    let forgotten = token(1).hash();
    house.services.kernel.sessions().table().remove(&forgotten);
    fill(&house, 2..4 * MOST_IN_STEP as u64).await;
    let revoking = tokio::spawn({
        let house = Arc::clone(&house);
        async move { revoke(&house, Filter::default(), true).await.unwrap() }
    });
    tokio::task::yield_now().await;
    assert!(!revoking.is_finished());
    house.store.restore(&backup);
    house.services.kernel.sessions().load().await.unwrap();
    revoking.await.unwrap();
    assert!(house.store.find(forgotten).await.unwrap().unwrap().ended.is_some());
    assert!(!house.is_live(1).await);
}
