//! One user of whom his realm cannot tell, or who cannot be written, among many who are asked about again: the others are not left
//! alone because of him.

use auth::limits::MAX_RECHECKED_AT_ONCE;
use auth::{EndReason, Reason, Rejection};

use crate::ends::Changes;
use crate::rechecks::{INTERVAL, MOMENT, STALENESS, with_carol};
use crate::several::{names, why};

const ENDED: Reason = Reason::SessionEnded(EndReason::UserChanged);

#[tokio::test]
async fn one_of_whom_nobody_can_tell_holds_nobody_up() {
    const CROWD: usize = 2 * MAX_RECHECKED_AT_ONCE + 11;
    let (house, realm) = with_carol().await;
    house.crowd(&realm, CROWD).await;
    realm.leave_untold("carol");
    let is_out = |number: usize| number.is_multiple_of(3);
    for number in (0..CROWD).filter(|number| is_out(*number)) {
        realm.reject(&format!("user{number:03}"), Some(Rejection::Disabled));
    }
    house.clock.advance(INTERVAL);
    house.recheck().await;
    for number in 0..CROWD {
        let shown = house.show(1_000 + number as u64).await;
        assert_eq!(shown.err(), is_out(number).then_some(ENDED), "user{number:03}");
    }
    house.show(1).await.ok().unwrap();
    // She is asked about again with the next call, and the others with their next turn.
    assert_eq!(realm.asked_again().len(), 3);
    house.recheck().await;
    assert_eq!(realm.asked_again(), [["carol"]]);
}

#[tokio::test]
async fn whatever_becomes_of_each_becomes_of_him_alone() {
    for seed in 0..12 {
        let fate = |number: usize| (number * 7 + seed * 5 + number / 11) % (3 + seed % 4);
        let (house, realm) = with_carol().await;
        let crowd = 60 + 7 * seed;
        house.crowd(&realm, crowd).await;
        for number in 0..crowd {
            let name = format!("user{number:03}");
            match fate(number) {
                0 => realm.leave_untold(&name),
                1 => realm.remove(&name),
                2 => realm.reject(&name, Some(Rejection::Locked)),
                3 => realm.give(&name, &["reader"]),
                _ => {}
            }
        }
        house.clock.advance(INTERVAL);
        house.recheck().await;
        for number in 0..crowd {
            let name = format!("user{number:03}");
            let is_out = matches!(fate(number), 1 | 2);
            assert_eq!(house.show(1_000 + number as u64).await.is_err(), is_out, "seed {seed}, {name}");
            let vouched = house.record_of("a", &name).unwrap().vouched;
            let roles: &[&str] = if fate(number) == 3 { &["reader"] } else { &[] };
            assert_eq!((vouched.lapsed, &*names(&vouched.roles)), (is_out, roles), "seed {seed}, {name}");
        }
    }
}

#[tokio::test]
async fn of_whom_nobody_could_tell_for_too_long_is_out_and_nobody_else() {
    let (house, realm) = with_carol().await;
    house.crowd(&realm, 3).await;
    house.make_key(1, "a", "carol").await;
    realm.leave_untold("carol");
    for _ in 0..STALENESS.as_secs() / INTERVAL.as_secs() {
        house.show_key(1).await.ok().unwrap();
        house.clock.advance(INTERVAL - MOMENT);
        house.recheck().await;
        house.show(1).await.ok().unwrap();
        house.clock.advance(MOMENT);
    }
    house.changes_told();
    house.recheck().await;
    assert_eq!(why(house.show(1).await), ENDED);
    assert_eq!(why(house.show_key(1).await), Reason::UnknownKey);
    assert_eq!(
        house.changes_told(),
        [
            "user.lapse \"carol\" of \"a\", by the realm; lapsed; roles=reader; because: nobody could tell for too long"
        ]
    );
    for number in 1_000..1_003 {
        house.show(number).await.ok().unwrap();
    }
}

#[tokio::test]
async fn who_cannot_be_written_holds_nobody_up() {
    const CROWD: usize = 2 * MAX_RECHECKED_AT_ONCE;
    let (house, realm) = with_carol().await;
    house.crowd(&realm, CROWD).await;
    for number in 0..CROWD {
        realm.remove(&format!("user{number:03}"));
    }
    house.clock.advance(INTERVAL);
    house.held.changes(Changes::Refused);
    assert_eq!(house.kernel.recheck().await, Err(Reason::StoreFailed));
    for number in 0..CROWD as u64 {
        assert_eq!(why(house.show(1_000 + number).await), ENDED, "user{number:03}");
    }
    house.show(1).await.ok().unwrap();
}

#[tokio::test]
async fn whom_the_realm_vouches_for_is_not_out_because_that_cannot_be_written() {
    let (house, realm) = with_carol().await;
    realm.give("carol", &[]);
    house.clock.advance(STALENESS);
    house.held.changes(Changes::Refused);
    assert_eq!(house.kernel.recheck().await, Err(Reason::StoreFailed));
    house.show(1).await.ok().unwrap();
    assert!(!house.record_of("a", "carol").unwrap().vouched.lapsed);
}
