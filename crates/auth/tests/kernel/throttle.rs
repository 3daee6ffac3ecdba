//! The throttle with the kernel around it: what is looked at, what is written down, who is locked out.

use std::sync::Arc;

use auth::limits::{GUESS_PAUSE, GUESS_WINDOW, MAX_GUESSES};
use auth::{DirectoryStore, Presented, Reason};

use crate::house::{
    ATTEMPTS, HERE, House, PASSWORD, WINDOW, ip, request, scope, token, with_key, with_password, with_session,
};

const STRANGER: &str = "198.51.100.7";

fn paused(reason: &Reason) -> std::time::Duration {
    match reason {
        Reason::TooManyAttempts { retry_after } => *retry_after,
        other => panic!("{other:?}"),
    }
}

async fn lock(house: &House, name: &str, address: &str) {
    for _ in 0..ATTEMPTS {
        assert_eq!(house.fail(name, address).await, Reason::WrongPassword);
    }
}

#[tokio::test]
async fn case_14_a_thousand_parallel_guesses_are_ten_looks() {
    let house = House::new().await;
    house.realm.hold();
    let mut guessing = tokio::task::JoinSet::new();
    for number in 0..1_000 {
        let kernel = Arc::clone(&house.kernel);
        guessing.spawn(async move {
            let guess = format!("guess {number}");
            let address = format!("198.51.{}.{}", number / 250, number % 250);
            if number % 2 == 0 {
                kernel.login(&token(number), request("alice", &guess, &address)).await.map(|_| ())
            } else {
                kernel
                    .authenticate(with_password("alice", &guess), &scope(), ip(&address), true)
                    .await
                    .map(|_| ())
            }
        });
    }
    while house.realm.looks() < ATTEMPTS as usize {
        tokio::task::yield_now().await;
    }
    house.realm.release();
    let mut wrong = 0;
    for guessed in guessing.join_all().await {
        match guessed.unwrap_err() {
            Reason::WrongPassword => wrong += 1,
            other => assert_eq!(paused(&other), WINDOW),
        }
    }
    assert_eq!((house.realm.looks(), wrong), (ATTEMPTS as usize, ATTEMPTS));
    // asvs_29, case 29: the right password of a locked account gets the same answer.
    assert_eq!(paused(&house.try_login("alice", PASSWORD, 1).await.err().unwrap()), WINDOW);
}

#[tokio::test]
async fn the_tenth_failure_pauses_and_pauses_double() {
    let house = House::new().await;
    lock(&house, "alice", STRANGER).await;
    assert_eq!(paused(&house.fail("alice", STRANGER).await), WINDOW);
    house.clock.advance(WINDOW);
    lock(&house, "alice", STRANGER).await;
    assert_eq!(paused(&house.fail("alice", STRANGER).await), WINDOW * 2);
    house.login("bob", 1).await;
}

#[tokio::test]
async fn case_15_a_restart_frees_nobody() {
    let house = House::new().await;
    lock(&house, "alice", STRANGER).await;
    for _ in 1..ATTEMPTS {
        house.fail("bob", STRANGER).await;
    }
    let house = house.restarted().await;
    assert_eq!(paused(&house.fail("alice", STRANGER).await), WINDOW);
    assert_eq!(house.fail("bob", STRANGER).await, Reason::WrongPassword);
    assert_eq!(paused(&house.fail("bob", STRANGER).await), WINDOW);
}

#[tokio::test]
async fn asvs_47_strangers_lock_out_strangers() {
    let house = House::new().await;
    house.login("alice", 1).await;
    lock(&house, "alice", STRANGER).await;
    let stranger = house.kernel.login(&token(2), request("alice", PASSWORD, STRANGER)).await;
    assert_eq!(paused(&stranger.err().unwrap()), WINDOW);
    house.login("alice", 3).await;
    house.basic("alice", PASSWORD).await.ok().unwrap();
    house.show(1).await.ok().unwrap();
    // And after a restart.
    let house = house.restarted().await;
    house.login("alice", 4).await;
    assert_eq!(paused(&house.fail("alice", STRANGER).await), WINDOW);
}

#[tokio::test]
async fn asvs_61_success_clears_the_count() {
    let house = House::new().await;
    for number in 0..6 {
        for _ in 0..5 {
            house.fail("alice", HERE).await;
        }
        house.login("alice", number).await;
    }
}

#[tokio::test]
async fn who_could_not_be_looked_at_has_lost_nothing() {
    let house = House::new().await;
    house.realm.fail(Some("full"));
    for _ in 0..ATTEMPTS * 3 {
        assert_eq!(house.fail("alice", HERE).await, Reason::RealmUnavailable("full".into()));
    }
    house.realm.fail(None);
    house.login("alice", 1).await;
}

#[tokio::test]
async fn case_14_who_hangs_up_has_used_his_look() {
    let house = House::new().await;
    house.realm.hold();
    for number in 0..ATTEMPTS {
        let token = token(u64::from(number));
        let mut login = Box::pin(house.kernel.login(&token, request("alice", PASSWORD, STRANGER)));
        let waker = std::task::Waker::noop();
        assert!(login.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
    }
    house.realm.release();
    assert_eq!(paused(&house.fail("alice", STRANGER).await), WINDOW);
    assert_eq!(house.realm.looks(), ATTEMPTS as usize);
    assert_eq!(house.store.session_count(), 0);
}

#[tokio::test]
async fn a_slash_64_is_one_client() {
    let house = House::new().await;
    for number in 0..100 {
        house.fail(&format!("user{number}"), &format!("2001:db8:1:2::{number:x}")).await;
    }
    assert_eq!(paused(&house.fail("another", "2001:db8:1:2:ffff::1").await), WINDOW);
    assert_eq!(house.fail("another", "2001:db8:1:3::1").await, Reason::UnknownUser);
}

#[tokio::test]
async fn asvs_56_unknown_and_known_are_paused_alike() {
    let house = House::new().await;
    for _ in 0..ATTEMPTS {
        assert_eq!(house.fail("nobody", "203.0.113.1").await, Reason::UnknownUser);
        assert_eq!(house.fail("alice", "203.0.113.2").await, Reason::WrongPassword);
    }
    let unknown = house.fail("nobody", "203.0.113.3").await;
    assert_eq!(unknown, house.fail("alice", "203.0.113.3").await);
}

#[tokio::test]
async fn a_failure_that_cannot_be_written_down_is_no_answer() {
    let house = House::new().await;
    house.store.refuse(Some("disk full"));
    assert_eq!(house.fail("alice", HERE).await, Reason::StoreFailed);
    house.store.refuse(None);
    for _ in 1..ATTEMPTS {
        house.fail("alice", HERE).await;
    }
    assert_eq!(paused(&house.fail("alice", HERE).await), WINDOW, "it counted all the same");
}

#[tokio::test]
async fn housekeeping_forgets_old_counts_and_frees_nobody() {
    let house = House::new().await;
    lock(&house, "alice", STRANGER).await;
    house.login("bob", 1).await;
    assert_eq!(house.kernel.forget_attempts().await.unwrap(), 0);
    assert_eq!(paused(&house.fail("alice", STRANGER).await), WINDOW);
    house.clock.advance(std::time::Duration::from_secs(2 * 86_400));
    let kept = house.store.load_attempts().await.unwrap().len();
    assert_eq!(house.kernel.forget_attempts().await.unwrap(), kept as u64 - 1, "bob's address is remembered");
}

impl House {
    /// Guesses at a session and at a key from `address`: the pause before each answer.
    async fn guess(&self, address: &str, guess: Presented) -> Option<std::time::Duration> {
        let refused = self.kernel.authenticate(guess, &scope(), ip(address), true).await;
        self.kernel.slowed(&refused.err().expect("a guess is wrong"), ip(address))
    }
}

#[tokio::test]
async fn asvs_33_the_hundred_and_first_guess_is_answered_late() {
    let house = House::new().await;
    house.login("alice", 1).await;
    // Sessions and keys, well formed or not, are one count.
    let guesses = || {
        [
            with_session(700),
            with_key(7),
            Presented { session: Some(None), ..Presented::default() },
            Presented { key: Some(None), ..Presented::default() },
        ]
    };
    let mut count = 0;
    while count < MAX_GUESSES {
        for guess in guesses() {
            assert_eq!(house.guess(STRANGER, guess).await, None, "{count}");
            count += 1;
        }
    }
    house.notebook.told();
    for guess in guesses() {
        assert_eq!(house.guess(STRANGER, guess).await, Some(GUESS_PAUSE));
    }
    let told = house.notebook.told();
    assert_eq!(told.len(), 1, "once, however many follow: {told:?}");
    assert_eq!((&*told[0].event, &*told[0].fields["client.address"]), ("guessing", STRANGER));
    assert_eq!(house.guess(HERE, with_session(700)).await, None, "others are not slowed");
    // Nobody is locked out: what is known is let in from there as ever.
    let shown = house.kernel.authenticate(with_session(1), &scope(), ip(STRANGER), true).await;
    assert!(shown.is_ok());

    house.clock.advance(GUESS_WINDOW - std::time::Duration::from_millis(1));
    assert_eq!(house.guess(STRANGER, with_session(700)).await, Some(GUESS_PAUSE));
    house.clock.advance(std::time::Duration::from_millis(1));
    for _ in 0..MAX_GUESSES {
        assert_eq!(house.guess(STRANGER, with_session(700)).await, None);
    }
    assert_eq!(house.guess(STRANGER, with_session(700)).await, Some(GUESS_PAUSE));
    assert_eq!(house.notebook.told().len(), 1, "and once more in the next window");
}

#[tokio::test]
async fn asvs_33_only_what_was_never_given_out_is_a_guess() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.login("bob", 2).await;
    house.kernel.logout(&token(1), &scope()).await.unwrap();
    house.clock.advance(crate::house::IDLE);
    for _ in 0..=MAX_GUESSES {
        for shown in [with_session(1), with_session(2), Presented::default()] {
            assert_eq!(house.guess(STRANGER, shown).await, None);
        }
        for reason in [Reason::WrongPassword, Reason::KeyExpired, Reason::Forbidden, Reason::UnknownUser] {
            assert_eq!(house.kernel.slowed(&reason, ip(STRANGER)), None);
        }
    }
    assert_eq!(house.guess(STRANGER, with_session(700)).await, None, "none of them was counted");
}
