//! `session.mine` and `session.end_mine`: one's own sessions and nobody else's, ended by who proved recently who he is.

use std::borrow::Cow;
use std::time::Duration;

use auth::{Reason, Scope};
use zeroize::Zeroizing;

use super::super::mine::{NAME, NAME_END, NAME_END_OTHERS, end, end_others, run};
use super::house::{House, PASSWORD};
use crate::error::Error;
use crate::reproof::RECENT_LOGIN;

const MILLISECOND: Duration = Duration::from_millis(1);

fn password(text: &str) -> Option<Zeroizing<String>> {
    Some(Zeroizing::new(text.to_owned()))
}

#[tokio::test]
async fn whoever_is_logged_in_sees_his_own_wherever_they_count() {
    let house = House::new().await;
    let here = house.login("alice", 1).await;
    let there = house.login_as("alice", 2, |login| login.scope = Scope::new("/other")).await;
    house.login("bob", 3).await;
    house.login_as("alice", 4, |login| login.replaces = Vec::new()).await;
    let ended = house.services.kernel.logout(&super::house::token(4), &Scope::new("/api")).await;
    assert!(ended.unwrap().is_some());
    let permit = house.permit(1, NAME).await;
    let mut expected = [here.id, there.id];
    expected.sort_unstable();
    let (found, more) = run(&house.services, &permit, None, 10).await.unwrap();
    assert_eq!(
        (found.iter().map(|session| session.id).collect::<Vec<_>>(), more),
        (expected.to_vec(), false)
    );
    let (first, more) = run(&house.services, &permit, None, 1).await.unwrap();
    assert_eq!((first[0].id, more), (expected[0], true));
    let (second, more) = run(&house.services, &permit, Some(first[0].id), 1).await.unwrap();
    assert_eq!((second[0].id, more), (expected[1], false));
    let nobody = run(&house.services, &house.permit_of_nobody(NAME), None, 10).await;
    assert!(matches!(nobody, Err(Error::Kernel(Reason::NoCredentials))));
}

#[tokio::test]
async fn one_of_ones_own_ends_and_nobody_elses_is_there() {
    let house = House::new().await;
    house.login("alice", 1).await;
    let other = house.login("alice", 2).await;
    let bobs = house.login("bob", 3).await;
    let permit = house.permit(1, NAME_END).await;
    let end = async |id| end(&house.services, &permit, id, None).await;
    assert!(matches!(end(&bobs.id).await, Err(Error::NotFound)));
    end(&other.id).await.unwrap();
    assert!(matches!(end(&other.id).await, Err(Error::NotFound)), "it has ended");
    assert!(house.is_live(1).await && !house.is_live(2).await && house.is_live(3).await);
}

#[tokio::test]
async fn all_others_end_and_the_one_he_came_with_stays() {
    let house = House::new().await;
    for number in 1..=4 {
        house.login("alice", number).await;
    }
    house.login("bob", 5).await;
    let permit = house.permit(2, NAME_END_OTHERS).await;
    assert_eq!(end_others(&house.services, &permit, None).await.unwrap(), 3);
    for (number, live) in [(1, false), (2, true), (3, false), (4, false), (5, true)] {
        assert_eq!(house.is_live(number).await, live, "{number}");
    }
    // Who came with a password has no session that could stay.
    let permit = house.permit_by_password("alice", NAME_END_OTHERS).await;
    assert_eq!(end_others(&house.services, &permit, None).await.unwrap(), 1);
    assert!(!house.is_live(2).await);
}

#[tokio::test]
async fn a_login_is_recent_on_one_side_of_its_limit_only() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.login("alice", 2).await;
    house.clock.advance(RECENT_LOGIN - MILLISECOND);
    let of_others = house.permit(1, NAME_END_OTHERS).await;
    let of_one = house.permit(1, NAME_END).await;
    assert_eq!(end_others(&house.services, &of_others, None).await.unwrap(), 1);
    let other = house.login("alice", 3).await;
    house.clock.advance(MILLISECOND);
    for refused in [
        end_others(&house.services, &of_others, None).await.map(|_| ()),
        end(&house.services, &of_one, &other.id, None).await,
    ] {
        assert!(matches!(refused, Err(Error::Kernel(Reason::NotRecent))), "{refused:?}");
    }
    assert!(house.is_live(3).await);
}

#[tokio::test]
async fn an_old_session_needs_the_password_and_the_right_one() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.login("alice", 2).await;
    house.clock.advance(RECENT_LOGIN);
    let permit = house.permit(1, NAME_END_OTHERS).await;
    for wrong in ["wrong", ""] {
        let refused = end_others(&house.services, &permit, password(wrong)).await;
        assert!(
            matches!(refused, Err(Error::Invalid { field: Cow::Borrowed("currentPassword"), .. })),
            "{refused:?}"
        );
    }
    assert!(house.is_live(2).await);
    assert_eq!(end_others(&house.services, &permit, password(PASSWORD)).await.unwrap(), 1);
    // Whoever guesses is throttled as at a login.
    let refused = async || end_others(&house.services, &permit, password("wrong")).await.err();
    let mut tries = 0;
    while !matches!(refused().await, Some(Error::Kernel(Reason::TooManyAttempts { .. }))) {
        tries += 1;
        assert!(tries <= 10);
    }
}

#[tokio::test]
async fn a_password_on_the_request_is_recent() {
    let house = House::new().await;
    let session = house.login("alice", 1).await;
    house.clock.advance(2 * RECENT_LOGIN);
    let permit = house.permit_by_password("alice", NAME_END).await;
    end(&house.services, &permit, &session.id, None).await.unwrap();
    assert!(!house.is_live(1).await);
}
