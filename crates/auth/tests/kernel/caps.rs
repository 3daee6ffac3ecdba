//! The cap on a user's sessions: never more of them live than it says, and nobody refused who is below it, however logins
//! and logouts fall between each other.

use std::pin::Pin;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Waker};

use auth::{AtCap, EndReason, LoginRequest, Reason, Scope, SessionCap};
use proptest::prelude::Strategy;

use crate::house::{HERE, House, IDLE, PASSWORD, request, scope, token, user};

fn capped(name: &str, most: usize, then: AtCap) -> LoginRequest {
    LoginRequest { cap: Some(SessionCap { most, then }), ..request(name, PASSWORD, HERE) }
}

impl House {
    async fn login_under(&self, most: usize, then: AtCap, number: u64) -> Result<usize, Reason> {
        self.kernel.login(&token(number), capped("alice", most, then)).await.map(|login| login.replaced)
    }

    /// The tokens of those of alice's first sessions that are live.
    fn live(&self, sessions: u64) -> Vec<u64> {
        let now = self.kernel.clock().now();
        let is_live = |number: &u64| {
            let session = self.kernel.sessions().table().find(&token(*number).hash());
            session.is_some_and(|session| session.ended(now).is_none())
        };
        (0..sessions).filter(is_live).collect()
    }
}

#[tokio::test]
async fn asvs_2_the_one_beyond_the_cap_is_refused_and_the_others_live() {
    let house = House::new().await;
    for number in 1..=2 {
        assert_eq!(house.login_under(2, AtCap::Refuse, number).await, Ok(0));
    }
    for number in 3..=4 {
        assert_eq!(house.login_under(2, AtCap::Refuse, number).await, Err(Reason::TooManySessions));
        assert_eq!(house.show(number).await.err(), Some(Reason::SessionEnded(EndReason::Refused)));
        assert_eq!(house.on_disk(number).await.unwrap().ended.unwrap().reason, EndReason::Refused);
    }
    for number in 1..=2 {
        house.show(number).await.ok().unwrap();
    }
    let cap = Some(SessionCap { most: 2, then: AtCap::Refuse });
    let wrong = LoginRequest { cap, ..request("alice", "wrong", HERE) };
    let refused = house.kernel.login(&token(5), wrong).await;
    assert_eq!(refused.err(), Some(Reason::WrongPassword), "the cap is no way to learn who is logged in");
    // A restart counts them as before.
    let house = house.restarted().await;
    assert_eq!(house.login_under(2, AtCap::Refuse, 6).await, Err(Reason::TooManySessions));
}

#[tokio::test]
async fn a_place_is_free_once_somebody_left_it() {
    let house = House::new().await;
    assert_eq!(house.login_under(1, AtCap::Refuse, 1).await, Ok(0));
    assert_eq!(house.login_under(1, AtCap::Refuse, 2).await, Err(Reason::TooManySessions));
    house.kernel.logout(&token(1), &scope()).await.unwrap();
    assert_eq!(house.login_under(1, AtCap::Refuse, 3).await, Ok(0));
    house.clock.advance(IDLE);
    assert_eq!(house.login_under(1, AtCap::Refuse, 4).await, Ok(0), "one that idled away is gone");
    // The session that a login takes the place of is not one beside it.
    let again = LoginRequest { replaces: vec![token(4)], ..capped("alice", 1, AtCap::Refuse) };
    assert_eq!(house.kernel.login(&token(5), again).await.ok().unwrap().replaced, 1);
    assert_eq!(house.live(10), [5]);
}

#[tokio::test]
async fn others_and_other_scopes_take_no_place() {
    for then in [AtCap::Refuse, AtCap::EndOldest] {
        let house = House::new().await;
        house.login("bob", 1).await;
        let elsewhere = LoginRequest { scope: Scope::new("/other"), ..capped("alice", 1, then) };
        house.kernel.login(&token(2), elsewhere).await.ok().unwrap();
        assert_eq!(house.login_under(1, then, 3).await, Ok(0));
        assert_eq!(house.live(10), [1, 2, 3]);
    }
}

#[tokio::test]
async fn a_cap_of_none_is_one_of_one() {
    let house = House::new().await;
    assert_eq!(house.login_under(0, AtCap::Refuse, 1).await, Ok(0));
    assert_eq!(house.login_under(0, AtCap::Refuse, 2).await, Err(Reason::TooManySessions));
    assert_eq!(house.login_under(0, AtCap::EndOldest, 3).await, Ok(1));
    assert_eq!(house.live(10), [3]);
}

#[tokio::test]
async fn a_cap_that_was_lowered_ends_as_many_as_are_too_many() {
    let house = House::new().await;
    for number in 1..=4 {
        house.login("alice", number).await;
    }
    assert_eq!(house.login_under(3, AtCap::Refuse, 5).await, Err(Reason::TooManySessions));
    assert_eq!(house.live(10), [1, 2, 3, 4], "who is refused ends nobody");
    assert_eq!(house.login_under(2, AtCap::EndOldest, 6).await, Ok(3));
    assert_eq!(house.live(10), [4, 6]);
}

#[tokio::test]
async fn a_refusal_that_cannot_be_written_is_dead_in_memory() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.held.hold();
    let kernel = Arc::clone(&house.kernel);
    let login =
        tokio::spawn(
            async move { kernel.login(&token(2), capped("alice", 1, AtCap::Refuse)).await.map(|_| ()) },
        );
    while house.store.session_count() < 2 {
        tokio::task::yield_now().await;
    }
    house.store.refuse(Some("disk full"));
    house.held.release();
    assert_eq!(login.await.unwrap(), Err(Reason::TooManySessions));
    assert_eq!(house.show(2).await.err(), Some(Reason::SessionEnded(EndReason::Refused)));
    house.show(1).await.ok().unwrap();
}

/// What happens at the same time.
#[derive(Clone, Debug)]
struct Rush {
    most: usize,
    /// Sessions that are there before.
    before: u64,
    /// Logins at once.
    logins: u64,
    /// How many of the sessions before log out meanwhile.
    logouts: u64,
    /// Turns that each write gives to others.
    turns: usize,
    /// Whose turn it is; modulo those who are not done.
    order: Vec<usize>,
}

fn rushes() -> impl Strategy<Value = Rush> {
    let order = proptest::collection::vec(0..64usize, 0..80);
    (1..4usize, 0..4u64, 1..6u64, 0..3u64, 0..3usize, order).prop_map(
        |(most, before, logins, logouts, turns, order)| {
            let before = before.min(most as u64);
            Rush { most, before, logins, logouts: logouts.min(before), turns, order }
        },
    )
}

type Work<'a> = Pin<Box<dyn Future<Output = Result<(), Reason>> + 'a>>;

/// A login or a logout that is under way.
struct Doing<'a> {
    /// The login's number; `None`: a logout.
    login: Option<u64>,
    work: Option<Work<'a>>,
    outcome: Option<Result<(), Reason>>,
    /// How many steps had been taken when it took its first, and when it was done.
    span: (usize, usize),
}

/// A login's number, its outcome, and its first and last step.
type Past = (u64, Result<(), Reason>, (usize, usize));

/// What became of a rush.
struct Aftermath {
    logins: Vec<Past>,
    /// The live sessions after each step.
    live: Vec<Vec<u64>>,
}

impl Aftermath {
    fn admitted(&self) -> Vec<u64> {
        self.logins.iter().filter(|(_, outcome, _)| outcome.is_ok()).map(|(number, ..)| *number).collect()
    }
}

async fn run(rush: &Rush, then: AtCap) -> Aftermath {
    let house = House::new().await;
    for number in 0..rush.before {
        house.login("alice", number).await;
    }
    house.held.give_turns(rush.turns);
    let all = rush.before + rush.logins;
    let mut doing: Vec<Doing<'_>> = (rush.before..all)
        .map(|number| {
            let house = &house;
            let work = async move { house.login_under(rush.most, then, number).await.map(|_| ()) };
            Doing { login: Some(number), work: Some(Box::pin(work)), outcome: None, span: (0, 0) }
        })
        .collect();
    doing.extend((0..rush.logouts).map(|number| {
        let house = &house;
        let work = async move { house.kernel.logout(&token(number), &scope()).await.map(|_| ()) };
        Doing { login: None, work: Some(Box::pin(work)), outcome: None, span: (0, 0) }
    }));
    let mut live = vec![house.live(all)];
    // Who is not done when the order is over is taken in turn.
    for turn in rush.order.iter().copied().chain(0..) {
        let waiting: Vec<usize> = (0..doing.len()).filter(|index| doing[*index].work.is_some()).collect();
        let Some(index) = waiting.get(turn % waiting.len().max(1)).copied() else { break };
        let one = &mut doing[index];
        if one.span.0 == 0 {
            one.span.0 = live.len();
        }
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(outcome) = one.work.as_mut().unwrap().as_mut().poll(&mut context) {
            (one.work, one.outcome, one.span.1) = (None, Some(outcome), live.len());
        }
        live.push(house.live(all));
        let in_force = |one: &Doing<'_>| {
            let number = one.login.filter(|_| matches!(one.outcome, Some(Ok(()))));
            number.filter(|number| live.last().unwrap().contains(number))
        };
        let here_before = live.last().unwrap().iter().filter(|number| **number < rush.before).count();
        let admitted = doing.iter().filter_map(in_force).count();
        assert!(here_before.max(admitted) <= rush.most, "{admitted} admitted are live");
        if then == AtCap::Refuse {
            assert!(here_before + admitted <= rush.most, "{here_before} and {admitted} are live");
        }
    }
    let logins = doing
        .into_iter()
        .filter_map(|one| one.login.map(|number| (number, one.outcome.unwrap(), one.span)))
        .collect();
    Aftermath { logins, live }
}

fn rush(then: AtCap, check: impl Fn(&Rush, &Aftermath)) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    proptest::proptest!(|(rush in rushes())| {
        check(&rush, &runtime.block_on(run(&rush, then)));
    });
}

#[test]
fn asvs_2_no_order_of_logins_and_logouts_admits_too_many_or_refuses_one_too_few() {
    rush(AtCap::Refuse, |rush, after| {
        let admitted = after.admitted();
        let stays = |number: &u64| *number < rush.before || admitted.contains(number);
        assert_eq!(
            after.live.last().unwrap().len() as u64,
            rush.before - rush.logouts + admitted.len() as u64
        );
        for (number, outcome, (first, last)) in &after.logins {
            let Err(reason) = outcome else { continue };
            assert_eq!(*reason, Reason::TooManySessions);
            // There was a moment in it at which all places were taken, by those who kept theirs.
            let taken = |live: &Vec<u64>| live.iter().filter(|other| stays(other)).count() >= rush.most;
            assert!(after.live[first - 1..*last].iter().any(taken), "{number} was refused below the cap");
        }
        if rush.logouts == 0 {
            let room = rush.most as u64 - rush.before;
            assert_eq!(admitted.len() as u64, rush.logins.min(room));
        }
    });
}

#[test]
fn asvs_2_no_order_of_logins_and_logouts_leaves_more_than_the_cap_or_ends_one_too_many() {
    rush(AtCap::EndOldest, |rush, after| {
        assert_eq!(after.admitted().len() as u64, rush.logins, "nobody is refused");
        let left = after.live.last().unwrap().len() as u64;
        let most = rush.most as u64;
        assert!(left <= most, "{left} are live");
        if rush.logouts == 0 {
            assert_eq!(left, most.min(rush.before + rush.logins));
        }
    });
}

/// The same on threads, where the two may meet between any two instructions.
#[test]
fn asvs_2_two_logins_at_once_for_one_place_are_one_login() {
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    let house = Arc::new(runtime().block_on(House::new()));
    let start = Arc::new(Barrier::new(2));
    let logins = [0u64, 1].map(|which| {
        let (house, start) = (Arc::clone(&house), Arc::clone(&start));
        std::thread::spawn(move || {
            let runtime = runtime();
            let mut admitted = Vec::new();
            for round in 0..200 {
                let number = round * 2 + which;
                start.wait();
                admitted.push(runtime.block_on(house.login_under(1, AtCap::Refuse, number)).is_ok());
                start.wait();
                let live = house.kernel.sessions().live_of(&user("alice").id).len();
                assert_eq!(live, 1, "round {round}");
                start.wait();
                runtime.block_on(house.kernel.logout(&token(number), &scope())).unwrap();
            }
            admitted
        })
    });
    let [one, two] = logins.map(|login| login.join().unwrap());
    assert!(one.into_iter().zip(two).all(|(one, two)| one != two), "one of the two, each time");
}
