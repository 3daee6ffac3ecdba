//! The pool's tests. Threads are started late where a test needs the queue to stand still.

use std::task::{Context, Poll, Waker};

use super::*;
use crate::limits::MAX_QUEUE;

const CHEAP: HashSettings = HashSettings { memory_kib: 8, passes: 2, lanes: 1, parallel: 2, queue: 4 };

fn password(text: &str) -> Password {
    Password::presented(Zeroizing::new(text.to_owned())).unwrap()
}

type Waiting<'a> = Pending<'a, Result<PasswordHash, Unavailability>>;

fn ended<T>(future: &mut Pending<'_, T>) -> Option<T> {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => None,
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn asvs_63_hashes_say_what_they_cost() {
    let pool = HashPool::start(HashSettings::standard(19 * 1024, 1)).unwrap();
    let hash = wait(pool.hash(&password("correct horse"))).unwrap();
    assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.expose());
    let check = |text: &str| wait(pool.check(&password(text), Some(hash.clone()), true)).unwrap();
    assert_eq!(check("correct horse"), Checked::Right { rehashed: None });
    assert_eq!(check("correct horsf"), Checked::Wrong);
}

#[test]
fn asvs_64_salts_are_drawn_for_each_hash() {
    let pool = HashPool::start(CHEAP).unwrap();
    let [one, two] = [0, 1].map(|_| wait(pool.hash(&password("same"))).unwrap());
    assert_ne!(one, two);
    let salt = one.expose().split('$').nth(4).unwrap().to_owned();
    assert_eq!(salt.len(), 22, "16 bytes in Base64 without padding");
}

#[test]
fn a_full_queue_turns_away_at_once_and_the_waiting_are_served() {
    let pool = HashPool::without_threads(CHEAP).unwrap();
    let secret = password("secret");
    let mut waiting: Vec<Waiting<'_>> = (0..CHEAP.queue).map(|_| pool.hash(&secret)).collect();
    for one in &mut waiting {
        assert!(ended(one).is_none());
    }
    assert_eq!(wait(pool.hash(&secret)), Err(Unavailability(Cow::Borrowed(FULL))));
    assert_eq!(pool.tally(), Tally { refused: 1, waiting: CHEAP.queue, ..Tally::default() });
    pool.start_threads(CHEAP.parallel).unwrap();
    for one in waiting {
        assert!(wait(one).is_ok());
    }
    assert_eq!(pool.tally().hashes, CHEAP.queue as u64);
}

#[test]
fn who_left_costs_no_hash_and_no_place() {
    let pool = HashPool::without_threads(CHEAP).unwrap();
    let secret = password("secret");
    for _ in 0..CHEAP.queue {
        let mut one: Waiting<'_> = pool.hash(&secret);
        assert!(ended(&mut one).is_none());
    }
    let mut staying: Waiting<'_> = pool.hash(&secret);
    assert!(ended(&mut staying).is_none(), "the places of those who left are free");
    let mut leaving: Waiting<'_> = pool.hash(&secret);
    assert!(ended(&mut leaving).is_none());
    drop(leaving);
    pool.start_threads(1).unwrap();
    assert!(wait(staying).is_ok());
    // One thread, first come first served: whoever comes last proves that the one who left was passed over.
    assert!(wait(pool.hash(&secret)).is_ok());
    let tally = pool.tally();
    assert_eq!((tally.hashes, tally.abandoned, tally.refused), (2, CHEAP.queue as u64 + 1, 0));
}

#[test]
fn the_end_of_the_pool_is_an_answer() {
    let pool = HashPool::without_threads(CHEAP).unwrap();
    let shared = Arc::clone(&pool.shared);
    let (answer, promised) = oneshot::channel();
    shared.push(Job::Make { password: copy(&password("secret")), answer }).unwrap();
    drop(pool);
    assert!(wait(promised).is_err());
    assert!(matches!(shared.next(true), Next::End));
}

#[test]
fn threads_end_with_the_pool() {
    let pool = HashPool::start(CHEAP).unwrap();
    wait(pool.hash(&password("secret"))).unwrap();
    let shared = Arc::downgrade(&pool.shared);
    drop(pool);
    // Each thread holds a count until it has ended; the test's own time limit is the bound.
    while shared.upgrade().is_some() {
        thread::yield_now();
    }
}

#[test]
fn a_panic_costs_one_answer_and_no_thread() {
    let pool = HashPool::without_threads(HashSettings { parallel: 1, ..CHEAP }).unwrap();
    let (answer, promised) = oneshot::channel();
    // A hash that is read as 64 bytes of output cannot be made to panic, so the panic is put in the way of the answer:
    // a waker that panics when the answer arrives.
    struct Bomb;
    impl std::task::Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic!("a test's panic");
        }
    }
    let mut promised = Box::pin(promised);
    let bomb = Waker::from(Arc::new(Bomb));
    assert!(promised.as_mut().poll(&mut Context::from_waker(&bomb)).is_pending());
    pool.shared.push(Job::Make { password: copy(&password("first")), answer }).unwrap();
    pool.start_threads(1).unwrap();
    assert!(wait(pool.hash(&password("second"))).is_ok(), "the only thread lives on");
}

#[test]
fn case_28_nobody_costs_what_somebody_costs_and_is_never_right() {
    let pool = HashPool::start(CHEAP).unwrap();
    let before = pool.tally();
    for text in ["x", "secret", "\u{1f511} key"] {
        assert_eq!(wait(pool.check(&password(text), None, true)), Ok(Checked::Wrong));
    }
    let after = pool.tally();
    assert_eq!((after.hashes - before.hashes, after.kib_passes - before.kib_passes), (3, 3 * 8 * 2));
    let other = HashPool::start(CHEAP).unwrap();
    assert_ne!(pool.shared.nobody, other.shared.nobody, "no secret is shared between two starts");
}

#[test]
fn settings_out_of_range_do_not_start() {
    assert!(HashPool::start(HashSettings { queue: MAX_QUEUE + 1, ..CHEAP }).is_err());
    assert!(HashPool::start(HashSettings { memory_kib: 7, ..CHEAP }).is_err());
}
